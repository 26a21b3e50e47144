//! The messages as they stand on the socket. Pure: bytes to types and back.
//!
//! JSON-RPC 2.0, one message a line, UTF-8, LF at its end (a CR before it is let pass). PROTOCOL.md has every
//! message with an example, and a test holds the two together. No socket, no clock, no log here: a line
//! can hold a name or a product, so its text goes nowhere but to the peer.

mod call;
mod encode;
mod request;

pub use call::{CLIENT_NAME_CHARS_MAX, Call, METHODS, PROTOCOL, Position, Target};
pub use encode::{EVENT_TYPES, Missed, Stamp, event, missed, notice, refusal, result};
pub use request::{BadRequest, ID_BYTES_MAX, INTEGER_MAX, REQUEST_BYTES_MAX, Request, parse};

use crate::domain::id::{CardId, CustomerNumber, JobId, PrinterName, ReaderName, VisitId};
use crate::domain::scan::Rejection;
use serde_json::value::RawValue;
use std::fmt;
use std::time::Duration;

/// What a register is told. Borrowed: it is written out at once and kept as bytes.
#[derive(Clone, Copy)]
pub enum Event<'a> {
    /// A card of ours was shown: the file is open, under a visit.
    Identified {
        /// Names this showing; a sale refers to it.
        visit: VisitId,
        /// The card that was shown; `None` when the file was opened by hand.
        card: Option<CardId>,
        /// What to know: a [`CustomerFile`](crate::desk::file::CustomerFile), written already.
        file: &'a RawValue,
        /// The code had one wrong symbol and this is the one live card it can be: let the cashier confirm the name.
        repaired: bool,
        /// The earlier visit, when the same code came from the same reader just before.
        repeat_of: Option<VisitId>,
    },
    /// A well-formed code of ours that leads to nobody. Carries no code.
    Unknown {
        /// The same code came from the same reader within the repeat window; sequence of that event, 0 while it is held back.
        repeat_of: Option<u64>,
    },
    /// A card of ours, or one that may be, and the store cannot be asked now: ring the sale up without it, or show it again.
    Unavailable {
        /// As for `unknown`.
        repeat_of: Option<u64>,
    },
    /// A card of ours that must not be honoured.
    Blocked {
        /// Whose card it is or was.
        customer: CustomerNumber,
        /// The card.
        card: CardId,
        /// `BLOCKED`, `REPLACED` or `EXPIRED`.
        status: &'a str,
        /// Why, as the one who blocked it chose from the list (`LOST`, `STOLEN`, `DAMAGED`, ...).
        reason: &'a str,
        /// As for `unknown`.
        repeat_of: Option<u64>,
    },
    /// Not ours: a product, a coupon. UnifiedPOS names.
    Scan {
        /// The data, AIM prefix stripped.
        data: &'a [u8],
        /// The AIM identifier if the reader gave one.
        aim: Option<[u8; 3]>,
        /// The symbology in UnifiedPOS's word, such as `SCAN_SDT_EAN13`.
        scan_data_type: &'a str,
        /// The same data came from the same reader within the repeat window; sequence of that event.
        repeat_of: Option<u64>,
    },
    /// Something was read and is not handed on.
    Rejected(Rejection),
    /// A print job moved.
    Job {
        /// The job.
        job: JobId,
        /// Its printer.
        printer: &'a PrinterName,
        /// `queued`, `sending`, `sent`, `processed`, `printed`, `failed`, `unknown`.
        state: &'a str,
        /// Why it failed or waits, if it does.
        reason: Option<&'a str>,
        /// Texts that its paper lacks: `title`, `name`.
        omitted: &'a [&'static str],
    },
    /// Anything else that a till should know, already composed by `daemon` as a JSON object (store, vault, readers).
    State(&'a RawValue),
}

/// Shows the type only: what was scanned goes to the register and nowhere else.
impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({})", self.name())
    }
}

impl Event<'_> {
    /// The `type` on the wire, one of [`EVENT_TYPES`].
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Identified { .. } => "identified",
            Self::Unknown { .. } => "unknown",
            Self::Unavailable { .. } => "unavailable",
            Self::Blocked { .. } => "blocked",
            Self::Scan { .. } => "scan",
            Self::Rejected(_) => "rejected",
            Self::Job { .. } => "job",
            Self::State(_) => "state",
        }
    }
}

/// Where an event comes from and how long it means anything.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The reader, if one read it.
    pub reader: Option<&'a ReaderName>,
    /// How long after now the event is still about the customer or product on the counter.
    pub lifetime: Duration,
}
