//! What the register in the terminal asks of its loop and of the daemon.

use serde_json::Value;

/// What the daemon is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Find,
    Open,
    Enrol,
    Issue,
    Issues,
    Answer,
    Print,
    Dismiss,
}

impl Wish {
    pub(super) fn method(self) -> &'static str {
        match self {
            Self::Find => "customer.find",
            Self::Open => "file.open",
            Self::Enrol => "customer.enrol",
            Self::Issue => "issue.open",
            Self::Issues => "issue.list",
            Self::Answer => "issue.answer",
            Self::Print => "card.print",
            Self::Dismiss => "customer.dismiss",
        }
    }

    /// Whether it needs an idempotency key.
    pub(super) fn is_write(self) -> bool {
        !matches!(self, Self::Find | Self::Issues)
    }
}

/// What the terminal's loop has to do next.
#[derive(PartialEq)]
pub(super) enum Effect {
    Call(Wish, Value),
    Acknowledge(Place),
    Quit,
}

/// Never shows what is asked: it can be a person's data.
impl std::fmt::Debug for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Call(wish, _) => write!(f, "Call({wish:?}, ••)"),
            Self::Acknowledge(place) => write!(f, "Acknowledge({place:?})"),
            Self::Quit => f.write_str("Quit"),
        }
    }
}

/// The last event dealt with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) stream: String,
    pub(super) seq: u64,
}
