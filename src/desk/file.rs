//! The customer's file as a register sees it: what is worth knowing while the customer stands there.
//!
//! Never family, studies or other sections; at most [`ISSUES_MAX`] open issues; no address, phone or e-mail.

use crate::domain::id::{CustomerNumber, IssueId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The most open issues that a register is shown; `issues_open` tells how many there are.
pub const ISSUES_MAX: usize = 3;

/// What is pushed with an identification. Target: at most 1 KiB as JSON.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerFile {
    /// The neutral number; every later request names it.
    pub customer: CustomerNumber,
    /// How to greet. `None` while the vault is locked or when no name is kept.
    pub name: Option<String>,
    /// The vault is locked: names and texts are missing for that reason.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub vault_locked: bool,
    /// The level in the programme, `None` until the first is reached.
    pub level: Option<String>,
    /// Points that can be spent now.
    pub points: i64,
    /// Points set aside for a sale that is being rung up.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub points_held: i64,
    /// Points owed: taken back after they were spent.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub points_owed: i64,
    /// Of the points, those that expire first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points_expiring: Option<PointsExpiring>,
    /// How many issues are open in all.
    pub issues_open: u32,
    /// The newest of them first, at most [`ISSUES_MAX`].
    pub issues: Vec<IssueLine>,
    /// What the customer prefers, that matters now.
    pub preferences: Vec<String>,
}

/// Shows the number only.
impl fmt::Debug for CustomerFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CustomerFile({})", self.customer)
    }
}

// serde hands over a reference.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if calls with a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// Points that will be gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointsExpiring {
    /// How many.
    pub points: i64,
    /// When, RFC 3339.
    pub at: String,
}

/// One open issue in one line.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueLine {
    /// Names the issue in later requests.
    pub issue: IssueId,
    /// `WARRANTY`, `REPAIR`, `COMPLAINT`, ...
    pub kind: String,
    /// `NEW`, `IN_PROGRESS`, ...
    pub state: String,
    /// The product's model, if one is named.
    pub model: Option<String>,
    /// When it was opened, RFC 3339.
    pub opened_at: String,
    /// Whole days since then.
    pub age_days: i64,
    /// When it is due next, RFC 3339; absent while its time stands still, and without a deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
    /// How that stands: `GREEN`, `AMBER` (soon due), `RED` (overdue), `PAUSED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour: Option<String>,
    /// What the cashier should know, at most 80 characters; from the vault.
    pub hint: Option<String>,
}

/// Shows the id only: a hint is free text.
impl fmt::Debug for IssueLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssueLine({})", self.issue)
    }
}
