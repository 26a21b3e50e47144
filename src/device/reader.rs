//! Turns bytes into scans on a thread of the reader's own: waits for the port, feeds the assembler, hands on what comes out.
//!
//! Blocking by intent: what is read is handed to the callback on this very thread, so that a frame can reach a register's
//! socket without a hand-off. The callback must not wait for anything.
//!
//! A reader with a host handshake gets its answer from whoever the scan went to: at once, or later through an
//! [`AnswerTicket`] from any thread, within [`ANSWER_WITHIN`]; what is not answered by then is a NAK.

use super::port::{Answer, Port, PortError};
use crate::decode::Assemble;
use crate::domain::scan::{Decoded, Rejection};
use crate::domain::time::{Clock, Uptime};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// How long the receiver of a scan may take to answer. Scanners discard a scan that is not answered within 2 s (Symbol
/// LS2208 guide, Host Serial Response Time-out); a NAK before that makes them send it again.
pub const ANSWER_WITHIN: Duration = Duration::from_millis(1500);

/// The most scans of one reader that may wait for their answers; one more is a NAK at once. A scanner that waits for its
/// answer sends one at a time.
pub const PENDING_MAX: usize = 16;

/// The most bytes taken in one read. The largest HID report is 4,096 bytes.
pub const READ_BYTES_MAX: usize = 4096;

/// Takes each scan and rejection, with the time it was complete. Called on the reader's thread.
pub type OnDecoded<'a> = dyn FnMut(Decoded, Uptime, &Answers) -> Reply + 'a;

/// What to tell the reader.
#[derive(Debug)]
pub enum Reply {
    /// Nothing.
    Quiet,
    /// This, at once.
    Now(Answer),
    /// What the ticket made with it will say.
    Later(PendingAnswer),
}

/// Why a reader's loop ended.
#[derive(Debug)]
pub enum ReaderEnd {
    /// It was asked to. Answers still due are not sent: the reader times out and its scan comes again.
    Stopped,
    /// The port gives no more; the error says whether to wait for hotplug or to open it again.
    Lost(PortError),
}

/// Reads `port` until `stop` is raised or the port is lost.
///
/// Whatever waits for a silence when the port is lost is a piece, since nothing more can come: half an article number may well
/// be another article's. It is rejected as [`Rejection::Incomplete`], but for a port that [ends so](Port::ends_in_silence).
pub fn run(
    port: &mut dyn Port,
    assembler: &mut dyn Assemble,
    clock: &dyn Clock,
    stop: &StopSignal,
    on: &mut OnDecoded<'_>,
) -> ReaderEnd {
    let answers = match Answers::new() {
        Ok(answers) => answers,
        Err(source) => {
            return ReaderEnd::Lost(PortError::Other {
                device: "the reader's event descriptor".to_owned(),
                source,
            });
        }
    };
    let bytes = vec![0; READ_BYTES_MAX];
    let mut turn = Turn { answers, pending: VecDeque::new(), decoded: Vec::new(), bytes };
    let end = loop {
        match turn.once(port, assembler, clock, stop, on) {
            Ok(true) => {}
            Ok(false) => break ReaderEnd::Stopped,
            Err(error) => break ReaderEnd::Lost(error),
        }
    };
    if let (ReaderEnd::Lost(_), Some(at)) = (&end, assembler.deadline()) {
        assembler.on_deadline(at, &mut turn.decoded);
        for decoded in turn.decoded.drain(..) {
            let decoded = match decoded {
                Decoded::Scan(_) if !port.ends_in_silence() => Decoded::Rejected(Rejection::Incomplete),
                Decoded::Scan(_) | Decoded::Rejected(_) => decoded,
            };
            // The line is dead: there is nobody to answer to.
            drop(on(decoded, at, &turn.answers));
        }
    }
    end
}

struct Turn {
    answers: Answers,
    pending: VecDeque<(Uptime, PendingAnswer)>,
    decoded: Vec<Decoded>,
    /// Where a read goes: as it is kept, a scan does not touch all of it to fill it with zeros.
    bytes: Vec<u8>,
}

impl Turn {
    /// Waits once and does what is due; `false` when asked to stop.
    fn once(
        &mut self,
        port: &mut dyn Port,
        assembler: &mut dyn Assemble,
        clock: &dyn Clock,
        stop: &StopSignal,
        on: &mut OnDecoded<'_>,
    ) -> Result<bool, PortError> {
        let answer_by = self.pending.front().map(|(by, _)| *by);
        let deadline = [assembler.deadline(), answer_by].into_iter().flatten().min();
        let timeout = deadline.map(|at| at.saturating_sub(clock.uptime()));
        let fds = [stop.raised.as_fd(), self.answers.wake.as_fd(), port.wait_fd()];
        let [stopped, answered, port_ready] = wait(fds, timeout)
            .map_err(|source| PortError::Other { device: "waiting for the reader".to_owned(), source })?;
        let now = clock.uptime();
        if stopped.is_some() {
            return Ok(false);
        }
        if answered.is_some() {
            self.answers.calm();
        }
        let read = match port_ready {
            Some(flags) => read(port, &mut self.bytes, assembler, flags, now, &mut self.decoded)?,
            None => false,
        };
        if !read {
            assembler.on_deadline(now, &mut self.decoded);
        }
        let mut told = Ok(());
        for decoded in self.decoded.drain(..) {
            let pending = match on(decoded, now, &self.answers) {
                Reply::Quiet => continue,
                Reply::Now(answer) if self.pending.is_empty() => {
                    // A lost line must not lose the scans that are here already.
                    told = told.and(tell(port, answer));
                    continue;
                }
                Reply::Now(answer) => PendingAnswer::given(answer),
                Reply::Later(pending) => pending,
            };
            if self.pending.len() < PENDING_MAX {
                self.pending.push_back((now.saturating_add(ANSWER_WITHIN), pending));
            } else {
                told = told.and(tell(port, Answer::Nak));
            }
        }
        told?;
        self.settle(port, now)?;
        Ok(true)
    }

    /// Passes on the answers that are there, in the order of their scans, and NAKs what is late.
    fn settle(&mut self, port: &mut dyn Port, now: Uptime) -> Result<(), PortError> {
        while let Some((by, pending)) = self.pending.front() {
            if !pending.is_given() && now < *by {
                break;
            }
            let answer = pending.close();
            self.pending.pop_front();
            tell(port, answer)?;
        }
        Ok(())
    }
}

/// `true` if bytes came.
fn read(
    port: &mut dyn Port,
    bytes: &mut [u8],
    assembler: &mut dyn Assemble,
    flags: PollFlags,
    now: Uptime,
    out: &mut Vec<Decoded>,
) -> Result<bool, PortError> {
    let _span = tracing::trace_span!("read").entered();
    match port.read(bytes)? {
        Some(count) => {
            let read = bytes.get_mut(..count).unwrap_or_default();
            assembler.push(read, now, out);
            // It may have been a payment card.
            read.fill(0);
            Ok(true)
        }
        // Hung up and nothing left to read: polling again would spin.
        None if flags.intersects(PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL) => {
            Err(PortError::Gone { device: "the reader".to_owned() })
        }
        None => Ok(false),
    }
}

/// Answers the reader; one that takes no answer now will time out by itself and be heard of.
fn tell(port: &mut dyn Port, answer: Answer) -> Result<(), PortError> {
    match port.answer(answer) {
        Err(PortError::Stuck { .. }) => Ok(()),
        other => other,
    }
}

/// Polls for reading; for each descriptor what it is ready with, if it is.
fn wait(fds: [BorrowedFd<'_>; 3], timeout: Option<Duration>) -> io::Result<[Option<PollFlags>; 3]> {
    let mut polled = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    match ppoll(&mut polled, timeout.map(TimeSpec::from), None) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    Ok(polled.map(|fd| fd.revents().filter(|flags| !flags.is_empty())))
}

/// A flag that any thread can raise and that ends every reader that watches it. A level: once up, it stays up.
#[derive(Debug, Clone)]
pub struct StopSignal {
    raised: Arc<EventFd>,
}

impl StopSignal {
    /// A signal that is down.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn new() -> io::Result<Self> {
        Ok(Self { raised: Arc::new(event()?) })
    }

    /// Waits until it is raised, at most `limit`; whether it is.
    #[must_use]
    pub fn wait(&self, limit: Duration) -> bool {
        let mut polled = [PollFd::new(self.raised.as_fd(), PollFlags::POLLIN)];
        matches!(ppoll(&mut polled, Some(TimeSpec::from(limit)), None), Ok(ready) if ready > 0)
    }

    /// Readable once it is raised.
    #[must_use]
    pub fn wait_fd(&self) -> BorrowedFd<'_> {
        self.raised.as_fd()
    }

    /// Raises it, for good.
    pub fn raise(&self) {
        signal(&self.raised);
    }
}

/// Makes tickets for answers that come later. One for each run of a reader.
#[derive(Debug)]
pub struct Answers {
    wake: Arc<EventFd>,
}

impl Answers {
    fn new() -> io::Result<Self> {
        Ok(Self { wake: Arc::new(event()?) })
    }

    /// A ticket for whoever will know the answer, and its other half for [`Reply::Later`].
    #[must_use]
    pub fn later(&self) -> (AnswerTicket, PendingAnswer) {
        let state = Arc::new(AtomicU8::new(OPEN));
        let ticket = AnswerTicket { state: Arc::clone(&state), wake: Arc::clone(&self.wake) };
        (ticket, PendingAnswer { state })
    }

    /// Takes the wake-up back.
    fn calm(&self) {
        // It may have been taken already: then there is nothing to take.
        self.wake.read().ok();
    }
}

const OPEN: u8 = 0;
const ACKED: u8 = 1;
const NAKED: u8 = 2;
/// Answered by the reader's loop: the ticket came too late, or was not needed.
const CLOSED: u8 = 3;

/// The right to answer one scan, once, from any thread. Dropped without an answer it is a NAK.
#[derive(Debug)]
pub struct AnswerTicket {
    state: Arc<AtomicU8>,
    wake: Arc<EventFd>,
}

impl AnswerTicket {
    /// Answers; `false` if it was too late, so that the reader was told NAK and will send the scan again.
    #[must_use = "a late answer means that the scan comes again"]
    pub fn give(self, answer: Answer) -> bool {
        self.set(answer)
    }

    fn set(&self, answer: Answer) -> bool {
        let in_time =
            self.state.compare_exchange(OPEN, state(answer), Ordering::AcqRel, Ordering::Acquire).is_ok();
        if in_time {
            signal(&self.wake);
        }
        in_time
    }
}

impl Drop for AnswerTicket {
    fn drop(&mut self) {
        self.set(Answer::Nak);
    }
}

/// The reader's half of an [`AnswerTicket`]. Once it is dropped the ticket is too late.
#[derive(Debug)]
pub struct PendingAnswer {
    state: Arc<AtomicU8>,
}

impl PendingAnswer {
    fn given(answer: Answer) -> Self {
        Self { state: Arc::new(AtomicU8::new(state(answer))) }
    }

    fn is_given(&self) -> bool {
        self.state.load(Ordering::Acquire) != OPEN
    }

    /// The answer given, NAK if none was; none can be given any more.
    fn close(&self) -> Answer {
        match self.state.swap(CLOSED, Ordering::AcqRel) {
            ACKED => Answer::Ack,
            _ => Answer::Nak,
        }
    }
}

impl Drop for PendingAnswer {
    fn drop(&mut self) {
        self.close();
    }
}

fn state(answer: Answer) -> u8 {
    match answer {
        Answer::Ack => ACKED,
        Answer::Nak => NAKED,
    }
}

fn event() -> io::Result<EventFd> {
    Ok(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?)
}

fn signal(event: &EventFd) {
    // Fails only when the counter is full, and then it is up anyway.
    event.write(1).ok();
}

#[cfg(test)]
mod tests;
