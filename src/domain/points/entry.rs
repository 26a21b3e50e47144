//! The lines of the points ledger, as the journal keeps them for ever.

use crate::domain::id::{AdjustmentId, CustomerNumber, HoldId, MergeId, SaleId};
use crate::domain::operator::Operator;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What an entry is. The words are those of the loyalty trade (nexo, Square, Open Loyalty).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PointsKind {
    /// Points came in.
    Earn,
    /// Points were brought over from another programme.
    Import,
    /// Points are set aside for a sale that is being rung up.
    Hold,
    /// Points set aside are spent.
    Capture,
    /// Points set aside are free again.
    Release,
    /// What a sale earned is taken back.
    ReverseEarn,
    /// Points that were spent are given back, to the lots that they came from.
    ReverseRedeem,
    /// Points reached their day.
    Expire,
    /// A correction that two people answer for.
    Adjust,
    /// Everything went to the customer whom this one was merged into.
    MergeOut,
    /// What a merged customer had came in.
    MergeIn,
    /// A merge was undone: what was brought went back.
    Unmerge,
}

impl PointsKind {
    /// The word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Earn => "EARN",
            Self::Import => "IMPORT",
            Self::Hold => "HOLD",
            Self::Capture => "CAPTURE",
            Self::Release => "RELEASE",
            Self::ReverseEarn => "REVERSE_EARN",
            Self::ReverseRedeem => "REVERSE_REDEEM",
            Self::Expire => "EXPIRE",
            Self::Adjust => "ADJUST",
            Self::MergeOut => "MERGE_OUT",
            Self::MergeIn => "MERGE_IN",
            Self::Unmerge => "UNMERGE",
        }
    }
}

/// Points of one lot, more than none. The lot is named by when it expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// When the lot expires; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// How many, more than 0.
    pub points: i64,
}

/// One line of the ledger. Says what changes, so that applying it needs no rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointsEntry {
    /// Its number in the customer's ledger: 1 for the first, no gaps.
    pub number: u64,
    /// What it is.
    pub kind: PointsKind,
    /// How the balance changes: what came in less what went out. 0 for a hold and a release.
    pub points: i64,
    /// Put into lots.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub into: Vec<Slice>,
    /// Taken out of lots (of the hold's, for a capture or release).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub out_of: Vec<Slice>,
    /// How the debt changes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub debt: i64,
    /// The hold that is opened, captured, released, or given back of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldId>,
    /// Until when the hold stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The sale that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sale: Option<SaleId>,
    /// When the lot that was earned into expires; `None` with nothing earned, or for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The number of the entry that this one takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u64>,
    /// In whose ledger that entry is, if not in this one: a customer's who was merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_customer: Option<CustomerNumber>,
    /// The merge by which points move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<MergeId>,
}

// serde hands over a reference.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if calls with a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl PointsEntry {
    /// The entry number `number`, in which nothing moves yet.
    pub(super) fn new(number: u64, kind: PointsKind) -> Self {
        let (into, out_of) = (Vec::new(), Vec::new());
        Self {
            number,
            kind,
            points: 0,
            into,
            out_of,
            debt: 0,
            hold: None,
            until: None,
            sale: None,
            expires_at: None,
            of: None,
            of_customer: None,
            merge: None,
        }
    }
}

/// Why points are corrected by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AdjustReason {
    /// The books were wrong.
    Correction,
    /// To make good for something.
    Goodwill,
    /// Brought over from another programme.
    Migration,
    /// Points were got by deceit.
    Fraud,
}

/// A correction that one person proposes and another decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adjustment {
    /// Names it.
    pub adjustment: AdjustmentId,
    /// Whose points.
    pub customer: CustomerNumber,
    /// How many more; fewer if below 0.
    pub points: i64,
    /// Why.
    pub reason: AdjustReason,
    /// The user id of whoever proposed it.
    pub by: u32,
    /// Who was signed on there; nobody in records of before operators.
    #[serde(default)]
    pub operator: Option<Operator>,
    /// Whether it was approved, and the user id of whoever decided.
    pub decided: Option<(bool, u32)>,
}
