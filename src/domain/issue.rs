//! What a customer has open with the shop: claims, repairs, complaints, requests.

use super::id::{CustomerNumber, IssueId};
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
}

#[cfg(test)]
mod tests {
    use super::IssueState as S;

    #[test]
    fn over_is_over_and_closed_may_come_back() {
        let all = [
            S::New,
            S::Triaged,
            S::InProgress,
            S::WaitCustomer,
            S::WaitSupplier,
            S::Resolved,
            S::FollowUp,
            S::Closed,
            S::Reopened,
            S::Duplicate,
            S::Cancelled,
        ];
        for state in all {
            assert!(!state.may_become(state), "{state:?} to itself is no move");
            assert!(!S::Cancelled.may_become(state) && !S::Duplicate.may_become(state));
            assert!(state == S::New || !state.may_become(S::New));
            let way_out = all.iter().any(|next| state.may_become(*next));
            assert_eq!(way_out, !matches!(state, S::Cancelled | S::Duplicate));
        }
        assert!(S::Closed.may_become(S::Reopened) && !S::Closed.may_become(S::Closed));
    }
}
