//! A thread for each reader: opens its port, reads it until it is gone, and opens it again.

use super::scan_path::{ScanPath, Shared, Taken};
use super::states::{ReaderState, States};
use crate::config::Config;
use crate::decode::Assemble;
use crate::device::port::{Answer, OpenError, Port};
use crate::device::reader::{self, Answers, ReaderEnd, Reply, StopSignal};
use crate::device::serial::PortSettings;
use crate::domain::id::ReaderName;
use crate::domain::time::Clock;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a reader that is away is left alone before it is looked for again.
const REOPEN_AFTER: Duration = Duration::from_millis(300);

/// All readers of the daemon.
pub(super) struct Readers {
    stop: StopSignal,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// Starts a thread for each configured reader.
    pub(super) fn start(
        config: &Config,
        shared: &Shared,
        clock: &Arc<dyn Clock>,
        states: &Arc<States>,
    ) -> io::Result<Self> {
        let stop = StopSignal::new()?;
        let mut readers = Self { stop, threads: Vec::new() };
        for port in &config.serial.ports {
            readers.spawn(SerialReader(port.clone()), shared, clock, states)?;
        }
        Ok(readers)
    }

    fn spawn(
        &mut self,
        source: impl Source,
        shared: &Shared,
        clock: &Arc<dyn Clock>,
        states: &Arc<States>,
    ) -> io::Result<()> {
        let mut watch = Watch {
            name: source.name(),
            path: ScanPath::new(source.name(), shared.clone()),
            shared: shared.clone(),
            clock: Arc::clone(clock),
            states: Arc::clone(states),
            stop: self.stop.clone(),
        };
        let thread = std::thread::Builder::new().name("reader".to_owned());
        self.threads.push(thread.spawn(move || watch.run(&source))?);
        Ok(())
    }

    /// Ends all readers and waits for their threads.
    pub(super) fn stop(&mut self) {
        self.stop.raise();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a reader's thread panicked");
            }
        }
    }
}

/// Something that can be opened and read, again and again.
trait Source: Send + 'static {
    fn name(&self) -> ReaderName;
    fn open(&self) -> Result<(Box<dyn Port>, Box<dyn Assemble>), OpenError>;
    /// Whether the reader waits for ACK or NAK.
    fn wants_answers(&self) -> bool;
}

struct SerialReader(PortSettings);

impl Source for SerialReader {
    fn name(&self) -> ReaderName {
        self.0.reader_name()
    }

    fn open(&self) -> Result<(Box<dyn Port>, Box<dyn Assemble>), OpenError> {
        Ok((Box::new(self.0.open()?), Box::new(self.0.assembler())))
    }

    fn wants_answers(&self) -> bool {
        self.0.wants_answers()
    }
}

struct Watch {
    name: ReaderName,
    path: ScanPath,
    shared: Shared,
    clock: Arc<dyn Clock>,
    states: Arc<States>,
    stop: StopSignal,
}

impl Watch {
    fn run(&mut self, source: &impl Source) {
        loop {
            match source.open() {
                Ok((mut port, mut assembler)) => {
                    self.states.reader(&self.name, ReaderState::Reading);
                    match self.read(&mut *port, &mut *assembler, source.wants_answers()) {
                        ReaderEnd::Stopped => return,
                        ReaderEnd::Lost(error) => self.states.reader(&self.name, ReaderState::away(&error)),
                    }
                }
                Err(error) => self.states.reader(&self.name, ReaderState::away(&error)),
            }
            if self.stop.wait(REOPEN_AFTER) {
                return;
            }
        }
    }

    fn read(&mut self, port: &mut dyn Port, assembler: &mut dyn Assemble, answers_wanted: bool) -> ReaderEnd {
        let (path, runtime) = (&mut self.path, &self.shared.runtime);
        let mut on = |decoded, now, answers: &Answers| {
            let taken = path.take(decoded, now);
            if answers_wanted { reply(taken, answers, runtime) } else { Reply::Quiet }
        };
        reader::run(port, assembler, &*self.clock, &self.stop, &mut on)
    }
}

/// ACK when the visit is durable; what makes no visit, when it is with its register.
fn reply(taken: Taken, answers: &Answers, runtime: &tokio::runtime::Handle) -> Reply {
    match taken {
        Taken::Queued => Reply::Now(Answer::Ack),
        Taken::NotKept => Reply::Now(Answer::Nak),
        Taken::Visit(pending) => {
            let (ticket, answer) = answers.later();
            runtime.spawn(async move {
                let answer = if pending.await.is_ok() { Answer::Ack } else { Answer::Nak };
                if !ticket.give(answer) {
                    tracing::debug!("a visit was durable too late: its scan comes again as a repeat");
                }
            });
            Reply::Later(answer)
        }
    }
}
