//! The words for where a job is and how a printer is; no behaviour.

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Nothing of it was written; it waits its turn, or for the printer.
    Queued,
    /// Its bytes are on their way, or proof is awaited.
    Sending,
    /// Ended: everything was taken by a printer that answers in good health.
    Sent,
    /// Ended: the printer has processed everything.
    Processed,
    /// Ended: the printer said that it is printed.
    Printed,
    /// Ended: certainly not printed.
    Failed(FailReason),
    /// Ended: it may be printed or not; a person has to look.
    Unknown,
}

impl JobState {
    /// Whether nothing more will be heard of the job.
    #[must_use]
    pub fn has_ended(self) -> bool {
        !matches!(self, Self::Queued | Self::Sending)
    }

    /// The word on the wire and in metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Processed => "processed",
            Self::Printed => "printed",
            Self::Failed(_) => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a job was certainly not printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailReason {
    /// Somebody took it back in time.
    Cancelled,
    /// The card does not fit this printer's paper or is no card.
    Unprintable,
}

impl FailReason {
    /// The word on the wire and in metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Unprintable => "unprintable",
        }
    }
}

/// How the printer is, as last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PrinterCondition {
    /// It has not been asked yet, or never answered: cards go to it, and nobody knows whether they come out.
    #[default]
    Unknown,
    /// It says that it can print.
    Ready,
    /// No paper.
    PaperOut,
    /// The roll is nearly used up; it prints.
    PaperNearEnd,
    /// The cover is open.
    CoverOpen,
    /// Off line without a cause that it tells, or it fell silent.
    Offline,
    /// It reports an error: cutter, overheating, or worse.
    Error,
    /// It cannot be reached: unplugged, switched off, wrong address.
    Gone,
    /// Another program holds it.
    Busy,
}

impl PrinterCondition {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::Unknown,
        Self::Ready,
        Self::PaperOut,
        Self::PaperNearEnd,
        Self::CoverOpen,
        Self::Offline,
        Self::Error,
        Self::Gone,
        Self::Busy,
    ];

    /// The word on the wire and in metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ready => "ready",
            Self::PaperOut => "paper_out",
            Self::PaperNearEnd => "paper_near_end",
            Self::CoverOpen => "cover_open",
            Self::Offline => "offline",
            Self::Error => "error",
            Self::Gone => "gone",
            Self::Busy => "busy",
        }
    }

    /// Whether a card can be printed.
    #[must_use]
    pub fn prints(self) -> bool {
        matches!(self, Self::Unknown | Self::Ready | Self::PaperNearEnd)
    }
}

/// Why the port could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPort {
    /// Not there, or not answering.
    Gone,
    /// Held by another program.
    Busy,
}
