//! A thread for each reader: opens its port, reads it until it is gone, and opens it again.

use super::capture::Tape;
use super::plugged::{Nudge, Supervisor};
use super::scan_path::{ScanPath, Shared, Taken};
use super::states::{ReaderState, States};
use crate::config::Config;
use crate::decode::Assemble;
use crate::device::hotplug::Hotplug;
use crate::device::port::{Answer, OpenError, Port};
use crate::device::reader::{self, Answers, ReaderEnd, Reply, StopSignal};
use crate::device::replay::{Setup, Transport};
use crate::device::serial::PortSettings;
use crate::domain::id::{ReaderName, RegisterName};
use crate::domain::time::Clock;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a reader that is away is left alone before it is opened again.
const REOPEN_AFTER: Duration = Duration::from_millis(300);

/// How long at most, when the same trouble comes again and again and each pause is twice the one before.
const REOPEN_AFTER_MAX: Duration = Duration::from_secs(10);

/// What registers are told of a reader whose decoder or driver panicked. Never the panic's own words: they may quote a scan.
const FAULT: &str = "a fault of fichad; it is opened again by itself, please report it with the log";

/// An open port and what makes scans of its bytes.
pub(super) type Opened = (Box<dyn Port>, Box<dyn Assemble>);

/// Something that can be opened and read.
pub(super) trait Source: Send + 'static {
    /// The reader's stable name.
    fn name(&self) -> ReaderName;
    /// Opens it.
    fn open(&self) -> Result<Opened, OpenError>;
    /// Whether the reader waits for ACK or NAK.
    fn wants_answers(&self) -> bool;
    /// What a recording of it says.
    fn tape(&self) -> Tape;
    /// What the thread does when the port is gone.
    fn after_loss(&self) -> Ended;
    /// Where its scans go, whatever the routes say; `None` goes by the routes.
    fn register(&self) -> Option<RegisterName> {
        None
    }
}

/// What becomes of a reader whose port is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The same place is opened again and again.
    TryAgain,
    /// The thread ends; somebody else finds the device again.
    ForGood,
}

/// What every reader's thread is started with.
#[derive(Clone)]
pub(super) struct Starter {
    pub(super) shared: Shared,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) states: Arc<States>,
    pub(super) stop: StopSignal,
}

impl Starter {
    /// Starts a thread for `source`, which reads until `stop` is raised; `ended` is called on it when it ends.
    pub(super) fn spawn(
        &self,
        source: impl Source,
        stop: StopSignal,
        ended: impl FnOnce(&ReaderName) + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        let name = source.name();
        let mut path = ScanPath::new(name.clone(), self.shared.clone());
        path.send_to(source.register());
        let mut watch = Watch { path, name, starter: self.clone(), stop };
        let processors = Arc::clone(&self.shared.processors);
        let thread = std::thread::Builder::new().name("reader".to_owned());
        thread.spawn(move || {
            processors.stay();
            watch.run(&source);
            ended(&watch.name);
        })
    }
}

/// All readers of the daemon.
pub(super) struct Readers {
    stop: StopSignal,
    threads: Vec<JoinHandle<()>>,
    nudge: Nudge,
}

impl Readers {
    /// Starts a thread for each configured port, and the one that watches devices.
    pub(super) fn start(
        config: &Config,
        shared: &Shared,
        clock: &Arc<dyn Clock>,
        states: &Arc<States>,
    ) -> io::Result<Self> {
        let stop = StopSignal::new()?;
        let (shared, clock, states) = (shared.clone(), Arc::clone(clock), Arc::clone(states));
        let starter = Starter { shared, clock, states, stop: stop.clone() };
        let mut threads = Vec::new();
        for port in &config.serial.ports {
            threads.push(starter.spawn(SerialReader(port.clone()), stop.clone(), |_| {})?);
        }
        let (nudge, thread) = Supervisor::start(starter, Hotplug::new("/sys", "/dev"))?;
        threads.push(thread);
        Ok(Self { stop, threads, nudge })
    }

    /// Tells the watcher of devices to look again, for adoptions may have changed.
    pub(super) fn nudge(&self) {
        self.nudge.nudge();
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

/// A port of the config.
struct SerialReader(PortSettings);

impl Source for SerialReader {
    fn name(&self) -> ReaderName {
        self.0.reader_name()
    }

    fn open(&self) -> Result<Opened, OpenError> {
        Ok((Box::new(self.0.open()?), Box::new(self.0.assembler())))
    }

    fn wants_answers(&self) -> bool {
        self.0.wants_answers()
    }

    fn tape(&self) -> Tape {
        Tape {
            transport: Transport::Serial,
            maker: "serial scanner".to_owned(),
            mode: format!("{} bits a second", self.0.baud),
            setup: Setup { framing: self.0.framing, ..Setup::default() },
        }
    }

    fn after_loss(&self) -> Ended {
        Ended::TryAgain
    }
}

/// Pauses before a reader that fails is opened again: each twice the one before, up to [`REOPEN_AFTER_MAX`].
#[derive(Debug, Default)]
struct Pauses {
    last: Option<Duration>,
}

impl Pauses {
    fn next(&mut self) -> Duration {
        let next = self.last.map_or(REOPEN_AFTER, |last| last.saturating_mul(2).min(REOPEN_AFTER_MAX));
        self.last = Some(next);
        next
    }
}

struct Watch {
    name: ReaderName,
    path: ScanPath,
    starter: Starter,
    /// This reader's own, or that of all.
    stop: StopSignal,
}

/// How opening a reader once, and reading it for as long as it gave something, came to an end.
enum Once {
    Stopped,
    /// Its port is gone: it may be back in a moment.
    Gone,
    /// It cannot be taken just now.
    NotNow,
    /// Something that is likely to happen again.
    Failed,
}

impl Watch {
    fn run(&mut self, source: &impl Source) {
        let mut pauses = Pauses::default();
        loop {
            let began = self.starter.clock.uptime();
            // Decoders and drivers work on what strangers send: a panic there costs this reader a moment and nobody else
            // anything. Port and decoder are dropped with it; the list of last reads is whole after each call, and locks
            // are taken whether poisoned or not.
            let once = catch_unwind(AssertUnwindSafe(|| self.once(source))).unwrap_or_else(|_| {
                self.state(ReaderState::Away(FAULT.to_owned()));
                Once::Failed
            });
            if self.starter.clock.uptime().saturating_sub(began) >= REOPEN_AFTER_MAX {
                pauses = Pauses::default();
            }
            let pause = match once {
                Once::Stopped => return self.released(),
                Once::Gone if source.after_loss() == Ended::ForGood => return,
                Once::Gone | Once::NotNow => REOPEN_AFTER,
                Once::Failed => pauses.next(),
            };
            if self.stop.wait(pause) {
                return self.released();
            }
        }
    }

    /// A reader that is let go while the others go on is none of ours any more, or about to be opened anew.
    fn released(&self) {
        if !self.starter.stop.wait(Duration::ZERO) {
            self.starter.states.forget(&self.name);
            tracing::info!(reader = %self.name, "let go");
        }
    }

    fn once(&mut self, source: &impl Source) -> Once {
        let (mut port, assembler) = match source.open() {
            Ok(opened) => opened,
            Err(error) => {
                self.state(ReaderState::away(&error));
                return match error {
                    OpenError::Gone { .. } => Once::Gone,
                    OpenError::KeysDown { .. } => Once::NotNow,
                    OpenError::Permission { .. } | OpenError::Busy { .. } | OpenError::Other { .. } => {
                        Once::Failed
                    }
                };
            }
        };
        let shared = &self.starter.shared;
        let mut assembler = shared.recordings.tap(&self.name, source.tape(), assembler, &shared.routes);
        self.state(ReaderState::Reading);
        match self.read(&mut *port, &mut *assembler, source.wants_answers()) {
            ReaderEnd::Stopped => Once::Stopped,
            ReaderEnd::Lost(error) => {
                self.state(ReaderState::away(&error));
                Once::Gone
            }
        }
    }

    fn state(&self, state: ReaderState) {
        self.starter.states.reader(&self.name, state);
    }

    fn read(&mut self, port: &mut dyn Port, assembler: &mut dyn Assemble, answers_wanted: bool) -> ReaderEnd {
        let (path, starter) = (&mut self.path, &self.starter);
        let runtime = &starter.shared.runtime;
        let mut on = |decoded, now, answers: &Answers| {
            let taken = path.take(decoded, now);
            if answers_wanted { reply(taken, answers, runtime) } else { Reply::Quiet }
        };
        reader::run(port, assembler, &*starter.clock, &self.stop, &mut on)
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

#[cfg(test)]
mod tests;
