//! The conversation with one printer: jobs and what the port saw in, bytes and job states out.
//!
//! Sans-IO: the caller carries bytes, brings the time, and calls [`Queue::handle`] again no later than
//! [`Queue::deadline`]. One job at a time, in order; the connection is made for a job and let go after.
//!
//! The state that a job ends in is the strongest proof there was: the printer said *printed* (`GS ( H`),
//! said *processed* (`GS r`), only answered in good health after taking everything (*sent*), or nothing
//! (*unknown*). Before a byte of the card is written, anything wrong leaves the job queued, and it goes on
//! by itself once that is mended. After, it is **never** sent again here: two cards are worse than a question.

mod printing;
mod state;
mod status;
mod talk;

pub use state::{FailReason, JobState, NoPort, PrinterCondition};

use super::CardFace;
use super::fonts::{FontFile, Fonts};
use super::layout::{Layout, LayoutError, Omitted, PaperProfile};
use super::reply::ReplyParser;
use crate::domain::id::JobId;
use crate::domain::time::Uptime;
use std::collections::VecDeque;
use std::time::Duration;
use talk::Phase;

/// Jobs waiting at one printer, the one under way included.
pub const JOBS_MAX: usize = 64;

/// White bytes sent after a job that broke off, so that a printer left in the middle of a picture finishes it
/// instead of eating the next job. Source: receiptio, which recovers the same way.
const RECOVERY_BYTES: usize = 8_192;

/// How long each wait of the conversation may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For the answer to one `DLE EOT`. Several USB printers say nothing at all while off line, so silence is an answer too.
    pub status: Duration,
    /// For the answer to `GS ( k` function 182, until the symbol is sent as a picture.
    pub probe: Duration,
    /// Without a byte accepted while the card is being written.
    pub stall: Duration,
    /// For the first proof, once everything is written.
    pub proof: Duration,
    /// For `GS ( H` after `GS r`: the paper is still moving.
    pub printed: Duration,
    /// Between two questions about its health while proof is awaited.
    pub poll: Duration,
    /// While the printer itself says why it does not go on: paper out, cover open.
    pub held: Duration,
    /// Until a printer that could not print is asked again.
    pub recheck: Duration,
    /// The same at most, doubled each time that it cannot be reached.
    pub recheck_max: Duration,
    /// For the last bytes before the connection is let go.
    pub part: Duration,
}

impl Limits {
    /// What a shop runs with.
    pub const USUAL: Self = Self {
        status: Duration::from_secs(1),
        probe: Duration::from_secs(1),
        stall: Duration::from_secs(30),
        proof: Duration::from_secs(10),
        printed: Duration::from_secs(5),
        poll: Duration::from_secs(2),
        held: Duration::from_secs(15 * 60),
        recheck: Duration::from_secs(2),
        recheck_max: Duration::from_secs(10),
        part: Duration::from_secs(1),
    };
}

/// One card to print.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its name; the caller sees to it that one request becomes one job.
    pub id: JobId,
    /// What to print.
    pub face: CardFace,
}

/// What the port tells the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// [`Output::Connect`] worked.
    Connected,
    /// It did not.
    NoPort(NoPort),
    /// The printer sent this.
    Received(&'a [u8]),
    /// The port took bytes; so many of all that was given to it are still to be taken.
    Written {
        /// Bytes not yet taken; 0 when drained.
        left: usize,
    },
    /// The connection broke.
    Lost,
    /// Only time passed.
    Tick,
}

/// What the queue tells the port and the caller, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Open the port; answer with [`Input::Connected`] or [`Input::NoPort`].
    Connect,
    /// Append to what is being written.
    Write(Bytes),
    /// Close the port and drop what was not written. No [`Input::Lost`] for it.
    Close,
    /// A job moved on.
    Job {
        /// Which.
        id: JobId,
        /// Where it is now.
        state: JobState,
        /// What its paper lacks.
        omitted: Omitted,
    },
    /// The printer's condition changed.
    Condition(PrinterCondition),
}

/// Bytes for a printer; a card is among them.
#[derive(Clone, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

/// Shows the length only.
impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// A job that was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// [`JOBS_MAX`] jobs wait already.
    #[error("{JOBS_MAX} cards wait at this printer already")]
    Full,
    /// This job is waiting or under way already.
    #[error("the job is in the queue already")]
    Twice,
    /// The card does not fit.
    #[error(transparent)]
    Unprintable(#[from] LayoutError),
}

/// A job that was not cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CancelError {
    /// Its bytes are on their way; it cannot be taken back.
    #[error("the card is being printed already")]
    UnderWay,
    /// Not in this queue; it may have ended.
    #[error("no such job waits at this printer")]
    NotHere,
}

#[derive(Debug)]
struct Entry {
    id: JobId,
    layout: Layout,
}

/// The jobs of one printer and the conversation with it.
#[derive(Debug)]
pub struct Queue {
    paper: PaperProfile,
    limits: Limits,
    jobs: VecDeque<Entry>,
    phase: Phase,
    parser: ReplyParser,
    condition: PrinterCondition,
    /// It has answered anything since the daemon started.
    speaks: bool,
    /// It answers `GS ( k` function 182; `None` until asked.
    draws_qr: Option<bool>,
    /// It answers `GS ( H`; `None` until asked.
    tells_printed: Option<bool>,
    /// A job broke off half written.
    torn: bool,
    retries: u32,
    /// Status questions without an answer so far.
    owed: u32,
    /// Bytes given to the port that it has not taken yet.
    left: usize,
    stopping: bool,
    out: Vec<Output>,
}

impl Queue {
    /// A queue for one printer, nothing known of it yet.
    #[must_use]
    pub fn new(paper: PaperProfile, limits: Limits) -> Self {
        Self {
            paper,
            limits,
            jobs: VecDeque::new(),
            phase: Phase::Idle,
            parser: ReplyParser::default(),
            condition: PrinterCondition::Ready,
            speaks: false,
            draws_qr: None,
            tells_printed: None,
            torn: false,
            retries: 0,
            left: 0,
            owed: 0,
            stopping: false,
            out: Vec::new(),
        }
    }

    /// The fonts that [`Self::submit`] wants for a card.
    #[must_use]
    pub fn fonts_needed(&self, face: &CardFace) -> Vec<FontFile> {
        Layout::fonts_needed(face, &self.paper)
    }

    /// Takes a job; it is begun by the next [`Self::handle`]. `fonts` are for what the code page does not hold.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was taken.
    pub fn submit(&mut self, job: &Job, fonts: &Fonts) -> Result<(), SubmitError> {
        if self.jobs.len() >= JOBS_MAX {
            return Err(SubmitError::Full);
        }
        if self.jobs.iter().any(|entry| entry.id == job.id) {
            return Err(SubmitError::Twice);
        }
        let entry = Entry { id: job.id, layout: Layout::new(&job.face, &self.paper, fonts)? };
        self.tell(&entry, JobState::Queued);
        self.jobs.push_back(entry);
        Ok(())
    }

    /// Takes a job back, if nothing of its card was written; it ends as failed by the next [`Self::handle`].
    ///
    /// # Errors
    /// [`CancelError`].
    pub fn cancel(&mut self, id: JobId) -> Result<(), CancelError> {
        let at = self.jobs.iter().position(|entry| entry.id == id).ok_or(CancelError::NotHere)?;
        if at == 0 && self.phase.is_printing() {
            return Err(CancelError::UnderWay);
        }
        if let Some(entry) = self.jobs.remove(at) {
            self.tell(&entry, JobState::Failed(FailReason::Cancelled));
        }
        Ok(())
    }

    /// Begins no further job; the one being printed is brought to its end.
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// Whether nothing is under way on the port.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle | Phase::Waiting { .. })
    }

    /// The printer's condition as last seen.
    #[must_use]
    pub fn condition(&self) -> PrinterCondition {
        self.condition
    }

    /// Jobs that have not ended, in order.
    pub fn jobs(&self) -> impl Iterator<Item = JobId> {
        self.jobs.iter().map(|entry| entry.id)
    }

    /// When to call [`Self::handle`] with [`Input::Tick`] at the latest; `None` while only the outside can change anything.
    #[must_use]
    pub fn deadline(&self) -> Option<Uptime> {
        self.due()
    }

    /// Takes what happened and gives what to do about it.
    pub fn handle(&mut self, input: Input<'_>, now: Uptime) -> Vec<Output> {
        self.take(input, now);
        std::mem::take(&mut self.out)
    }

    fn tell(&mut self, entry: &Entry, state: JobState) {
        self.out.push(Output::Job { id: entry.id, state, omitted: entry.layout.omitted });
    }

    fn set_condition(&mut self, condition: PrinterCondition) {
        if self.condition != condition {
            self.condition = condition;
            self.out.push(Output::Condition(condition));
        }
    }

    fn write(&mut self, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        self.left = self.left.saturating_add(bytes.len());
        self.out.push(Output::Write(Bytes(bytes)));
    }
}
