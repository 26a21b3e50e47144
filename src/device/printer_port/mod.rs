//! The port of a receipt printer: carries the bytes of [`print::queue`](crate::print::queue) to the paper and back.
//!
//! One blocking thread a printer, started by `daemon` with [`run`]. It decides nothing about cards: it opens, polls, reads, writes
//! without blocking, and tells the queue. The printer is shared with other programs: opened for a job, then let go.
//!
//! Invariants: at most [`COMMANDS_MAX`] commands wait; what waits to be written is one card and its questions; a printer that
//! stops reading blocks nobody but its own queue.

mod address;
pub mod fonts;
mod libusb;
mod link;
mod settings;

pub use address::{Address, BadAddress, Flow, UsbId};
pub use link::OpenError;
pub use settings::{PRINTERS_MAX, PrinterSettings, Settings};

use crate::domain::id::JobId;
use crate::domain::time::{Clock, Uptime};
use crate::print::layout::Omitted;
use crate::print::queue::{CancelError, Input, Job, JobState, Output, PrinterCondition, Queue, SubmitError};
use link::{Link, Took};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::time::Duration;
use zeroize::Zeroize;

/// Commands that wait for the printer's thread; it takes them at once unless it is opening a port.
pub const COMMANDS_MAX: usize = 64;
/// How long a card that is being printed may hold up a shutdown.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// Bytes read at once.
const READ_BYTES: usize = 256;

/// What the printer's thread is asked to do.
#[derive(Debug)]
enum Command {
    Submit(Box<Job>),
    Cancel(JobId),
    Stop,
}

/// What the printer's thread tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A job moved on.
    Job {
        /// Which.
        id: JobId,
        /// Where it is now.
        state: JobState,
        /// What its paper lacks.
        omitted: Omitted,
    },
    /// A job was not taken; nothing more will be heard of it.
    Refused {
        /// Which.
        id: JobId,
        /// Why.
        error: SubmitError,
    },
    /// A job could not be taken back.
    NotCancelled {
        /// Which.
        id: JobId,
        /// Why.
        error: CancelError,
    },
    /// The printer's condition changed.
    Condition {
        /// How it is now.
        condition: PrinterCondition,
        /// Why it could not be opened, as a sentence that says what to do.
        why: Option<String>,
    },
}

/// The thread is gone, or too far behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// Try again.
    #[error("{COMMANDS_MAX} requests wait at this printer already")]
    Full,
    /// The daemon is stopping.
    #[error("the printer is being shut down")]
    Stopped,
}

/// The way to a printer's thread; cloned freely.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: SyncSender<Command>,
    wake: Arc<EventFd>,
}

/// The thread's end of it.
#[derive(Debug)]
pub struct Inbox {
    commands: Receiver<Command>,
    wake: Arc<EventFd>,
}

/// Makes the two ends.
///
/// # Errors
/// No file descriptor is left.
pub fn channel() -> io::Result<(Handle, Inbox)> {
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    let wake = Arc::new(EventFd::from_flags(flags)?);
    let (sender, commands) = sync_channel(COMMANDS_MAX);
    Ok((Handle { commands: sender, wake: Arc::clone(&wake) }, Inbox { commands, wake }))
}

impl Handle {
    /// Hands a job over; what becomes of it comes as [`Report`].
    ///
    /// # Errors
    /// [`HandleError`]; the job was not taken.
    pub fn submit(&self, job: Job) -> Result<(), HandleError> {
        self.send(Command::Submit(Box::new(job)))
    }

    /// Asks to take a job back.
    ///
    /// # Errors
    /// [`HandleError`].
    pub fn cancel(&self, id: JobId) -> Result<(), HandleError> {
        self.send(Command::Cancel(id))
    }

    /// Asks the thread to end: the card under way is finished if that takes no longer than five seconds, the rest stays queued.
    ///
    /// # Errors
    /// [`HandleError`].
    pub fn stop(&self) -> Result<(), HandleError> {
        self.send(Command::Stop)
    }

    fn send(&self, command: Command) -> Result<(), HandleError> {
        self.commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => HandleError::Full,
            TrySendError::Disconnected(_) => HandleError::Stopped,
        })?;
        // A full counter has woken the thread already.
        self.wake.write(1).map(drop).or(Ok(()))
    }
}

/// Serves one printer until stopped; blocks. Jobs that were not begun are still queued when it returns.
pub fn run(
    address: &Address,
    queue: Queue,
    inbox: &Inbox,
    clock: &dyn Clock,
    report: &mut dyn FnMut(Report),
) {
    let mut port = Port { address, queue, clock, report, link: None, pending: Vec::new(), written: 0 };
    let mut stop_by: Option<Uptime> = None;
    loop {
        if port.obey(inbox) && stop_by.is_none() {
            port.queue.stop();
            stop_by = Some(clock.uptime().saturating_add(STOP_LIMIT));
        }
        port.feed(Input::Tick);
        if let Some(stop_by) = stop_by {
            if port.queue.is_idle() {
                return;
            }
            if clock.uptime() >= stop_by {
                port.link = None;
                return port.feed(Input::Lost);
            }
        }
        port.wait(&inbox.wake, stop_by);
        port.carry();
    }
}

struct Port<'a> {
    address: &'a Address,
    queue: Queue,
    clock: &'a dyn Clock,
    report: &'a mut dyn FnMut(Report),
    link: Option<Link>,
    pending: Vec<u8>,
    written: usize,
}

impl Port<'_> {
    /// Takes the waiting commands; `true` if one was to stop, or nobody can send any more.
    fn obey(&mut self, inbox: &Inbox) -> bool {
        // Before the commands: what comes in between wakes it again.
        inbox.wake.read().map(drop).unwrap_or_default();
        loop {
            match inbox.commands.try_recv() {
                Ok(Command::Submit(job)) => {
                    let fonts = fonts::read(&self.queue.fonts_needed(&job.face));
                    if let Err(error) = self.queue.submit(&job, &fonts) {
                        (self.report)(Report::Refused { id: job.id, error });
                    }
                }
                Ok(Command::Cancel(id)) => {
                    if let Err(error) = self.queue.cancel(id) {
                        (self.report)(Report::NotCancelled { id, error });
                    }
                }
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return true,
                Err(TryRecvError::Empty) => return false,
            }
        }
    }

    /// Tells the queue, and does what it wants.
    fn feed(&mut self, input: Input<'_>) {
        let mut next = Some(self.queue.handle(input, self.clock.uptime()));
        while let Some(outputs) = next.take() {
            for output in outputs {
                match output {
                    Output::Connect => next = Some(self.connect()),
                    Output::Write(bytes) => self.pending.extend(&bytes.0),
                    Output::Close => self.close(),
                    Output::Job { id, state, omitted } => (self.report)(Report::Job { id, state, omitted }),
                    Output::Condition(condition) => (self.report)(Report::Condition { condition, why: None }),
                }
            }
        }
    }

    /// Opens the port. Its conditions are told here, with the reason.
    fn connect(&mut self) -> Vec<Output> {
        self.close();
        let opened = Link::open(self.address);
        let now = self.clock.uptime();
        match opened {
            Ok(link) => {
                self.link = Some(link);
                self.queue.handle(Input::Connected, now)
            }
            Err(error) => {
                let mut outputs = self.queue.handle(Input::NoPort(error.kind()), now);
                let told = outputs.iter().position(|output| matches!(output, Output::Condition(_)));
                if let Some(Output::Condition(condition)) = told.map(|at| outputs.remove(at)) {
                    (self.report)(Report::Condition { condition, why: Some(error.to_string()) });
                }
                outputs
            }
        }
    }

    fn close(&mut self) {
        if let Some(link) = self.link.take() {
            link.close();
        }
        self.pending.zeroize();
        self.written = 0;
    }

    fn wait(&mut self, wake: &EventFd, stop_by: Option<Uptime>) {
        let until = self.queue.deadline().into_iter().chain(stop_by).min();
        let limit = until.map(|until| until.saturating_sub(self.clock.uptime()));
        let waiting = self.written < self.pending.len();
        match &mut self.link {
            Some(link) => link.wait(wake, waiting, limit),
            None => link::wait_for_wake(wake, limit),
        }
    }

    /// Moves what can be moved without blocking.
    fn carry(&mut self) {
        let Some(link) = &mut self.link else { return };
        let waiting = self.pending.get(self.written..).unwrap_or_default();
        if !waiting.is_empty() {
            match link.write(waiting) {
                Took::Bytes(count) => {
                    self.written = self.written.saturating_add(count);
                    let left = self.pending.len().saturating_sub(self.written);
                    if left == 0 {
                        self.pending.zeroize();
                        self.written = 0;
                    }
                    self.feed(Input::Written { left });
                }
                Took::Nothing => {}
                Took::Lost => return self.lost(),
            }
        }
        let mut buffer = [0_u8; READ_BYTES];
        let Some(link) = &mut self.link else { return };
        match link.read(&mut buffer) {
            Took::Bytes(count) => {
                let received = buffer.get(..count).unwrap_or_default();
                self.feed(Input::Received(received));
            }
            Took::Nothing => {}
            Took::Lost => self.lost(),
        }
    }

    fn lost(&mut self) {
        self.close();
        self.feed(Input::Lost);
    }
}
