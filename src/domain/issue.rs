//! What a customer has open with the shop: claims, repairs, complaints, requests.

mod clock;
mod warranty;

pub use clock::{Clock, Colour, Deadline, Due, NoExtension, PAUSES_MAX, Pause, Target, Terms, TooManyPauses};
pub use warranty::{Basis, LEGAL_MONTHS, WARRANTY_MONTHS_MAX, Warranty, legal_months};

use super::id::{CustomerNumber, IssueId, SaleId};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum IssueKind {
    /// A claim under warranty.
    Warranty,
    /// A repair outside it.
    Repair,
    /// A complaint.
    Complaint,
    /// A return under way.
    Return,
    /// The maker called the product back.
    Recall,
    /// A question.
    Question,
    /// The customer asked for, or about, their data.
    DataRequest,
}

impl IssueKind {
    /// The word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Warranty => "WARRANTY",
            Self::Repair => "REPAIR",
            Self::Complaint => "COMPLAINT",
            Self::Return => "RETURN",
            Self::Recall => "RECALL",
            Self::Question => "QUESTION",
            Self::DataRequest => "DATA_REQUEST",
        }
    }
}

/// How much it matters. The shop says what each means; the targets of `[service]` are by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Severity {
    /// The gravest: somebody may be hurt, or can do nothing without it.
    S1,
    /// Grave.
    S2,
    /// Usual.
    #[default]
    S3,
    /// It has time.
    S4,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum IssueState {
    /// Taken in, not looked at.
    New,
    /// Looked at and sorted.
    Triaged,
    /// Being worked on.
    InProgress,
    /// The customer has to answer or bring something.
    WaitCustomer,
    /// A supplier has to.
    WaitSupplier,
    /// Done; the customer has not said whether it is good.
    Resolved,
    /// Being asked whether it is good.
    FollowUp,
    /// Over.
    Closed,
    /// Came back after it was closed.
    Reopened,
    /// The same as another.
    Duplicate,
    /// Withdrawn.
    Cancelled,
}

impl IssueState {
    /// Every state, in the order of an issue's life.
    pub const ALL: [Self; 11] = [
        Self::New,
        Self::Triaged,
        Self::InProgress,
        Self::WaitCustomer,
        Self::WaitSupplier,
        Self::Resolved,
        Self::FollowUp,
        Self::Closed,
        Self::Reopened,
        Self::Duplicate,
        Self::Cancelled,
    ];

    /// The word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Triaged => "TRIAGED",
            Self::InProgress => "IN_PROGRESS",
            Self::WaitCustomer => "WAIT_CUSTOMER",
            Self::WaitSupplier => "WAIT_SUPPLIER",
            Self::Resolved => "RESOLVED",
            Self::FollowUp => "FOLLOW_UP",
            Self::Closed => "CLOSED",
            Self::Reopened => "REOPENED",
            Self::Duplicate => "DUPLICATE",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Whether a register is still shown it.
    #[must_use]
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Closed | Self::Duplicate | Self::Cancelled)
    }

    /// Whether it waits for somebody else.
    #[must_use]
    pub fn waits(self) -> bool {
        matches!(self, Self::WaitCustomer | Self::WaitSupplier)
    }

    /// Whether an issue may go from here to `next`.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        use IssueState as S;
        match self {
            S::New => matches!(next, S::Triaged | S::InProgress | S::Resolved | S::Duplicate | S::Cancelled),
            S::Triaged => matches!(next, S::InProgress | S::Resolved | S::Duplicate | S::Cancelled),
            S::InProgress | S::Reopened => {
                matches!(next, S::WaitCustomer | S::WaitSupplier | S::Resolved | S::Duplicate | S::Cancelled)
                    || (self == S::Reopened && next == S::InProgress)
            }
            S::WaitCustomer | S::WaitSupplier => {
                matches!(next, S::InProgress | S::Resolved | S::Cancelled)
            }
            S::Resolved => matches!(next, S::FollowUp | S::Closed | S::Reopened),
            S::FollowUp => matches!(next, S::Closed | S::Reopened),
            S::Closed => next == S::Reopened,
            S::Duplicate | S::Cancelled => false,
        }
    }
}

/// The product it is about: facts of an article, never of a person.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssueProduct {
    /// GTIN of 8, 12, 13 or 14 digits.
    #[serde(default)]
    pub gtin: Option<String>,
    /// The maker's model, at most [`PRODUCT_CHARS_MAX`] characters.
    #[serde(default)]
    pub model: Option<String>,
    /// The serial number, at most [`PRODUCT_CHARS_MAX`] characters.
    #[serde(default)]
    pub serial: Option<String>,
}

/// The longest model or serial number, in characters.
pub const PRODUCT_CHARS_MAX: usize = 40;

/// The longest hint for the till, in characters.
pub const HINT_CHARS_MAX: usize = 80;

/// The line of a sale that an issue is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purchase {
    /// Which sale.
    pub sale: SaleId,
    /// Which line of its receipt, 1 for the first.
    pub line: u16,
}

/// What is known of an issue beside its product. Words of the shop's own lists and references, no free text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Claim {
    /// How much it matters; `None` in issues from before it was asked.
    pub severity: Option<Severity>,
    /// What is wrong with it, a word of the shop's list.
    pub symptom: Option<String>,
    /// The line that it was bought with.
    pub purchase: Option<Purchase>,
    /// The warranty, as it was computed from that line when the issue was opened.
    pub warranty: Option<Warranty>,
    /// The maker's or the authority's number of the recall that it belongs to.
    pub recall: Option<String>,
    /// The issue that this one is the same as.
    pub duplicate_of: Option<IssueId>,
    /// How content the customer was afterwards, 1 to [`SATISFACTION_MAX`].
    pub satisfaction: Option<u8>,
}

impl Claim {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How much it matters, as far as the targets go.
    #[must_use]
    pub fn grade(&self) -> Severity {
        self.severity.unwrap_or_default()
    }
}

/// The best answer to whether all is good; the worst is 1.
pub const SATISFACTION_MAX: u8 = 5;

/// An issue without its texts, which lie in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// Names it.
    pub issue: IssueId,
    /// Whose it is.
    pub customer: CustomerNumber,
    /// What it is.
    pub kind: IssueKind,
    /// Where it stands.
    pub state: IssueState,
    /// What it is about.
    pub product: IssueProduct,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it last moved.
    pub moved_at: Timestamp,
    /// What else is known of it.
    pub claim: Claim,
    /// Its deadlines.
    pub clock: Clock,
}

#[cfg(test)]
mod tests {
    use super::IssueState as S;

    #[test]
    fn over_is_over_and_closed_may_come_back() {
        for state in S::ALL {
            assert!(!state.may_become(state), "{state:?} to itself is no move");
            assert!(!S::Cancelled.may_become(state) && !S::Duplicate.may_become(state));
            assert!(state == S::New || !state.may_become(S::New));
            let way_out = S::ALL.iter().any(|next| state.may_become(*next));
            assert_eq!(way_out, !matches!(state, S::Cancelled | S::Duplicate));
        }
        assert!(S::Closed.may_become(S::Reopened) && !S::Closed.may_become(S::Closed));
    }
}
