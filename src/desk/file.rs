//! The customer's file as a register sees it: what is worth knowing while the customer stands there.
//!
//! Never family, studies or other sections; at most [`ISSUES_MAX`] open issues; no address, phone or e-mail.

use crate::domain::id::{CustomerNumber, IssueId};
use crate::domain::money::{Currency, Money};
use crate::domain::time::Day;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use std::fmt;
use uuid::Uuid;

/// The most open issues that a register is shown; `issues_open` tells how many there are.
pub const ISSUES_MAX: usize = 3;

/// The most plans that a register is shown.
pub const PLANS_MAX: usize = 2;

/// The most purposes whose questions a register is shown.
pub const CONSENTS_DUE_MAX: usize = 3;

/// The longest a file is as JSON, in bytes.
pub const FILE_BYTES_MAX: usize = 1024;

/// What is pushed with an identification.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerFile {
    /// The neutral number; every later request names it.
    pub customer: CustomerNumber,
    /// How to greet. `None` while the vault is locked or when no name is kept.
    pub name: Option<String>,
    /// Who of the household holds the card that was shown, if it is not the customer: greet by this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// The vault is locked: names and texts are missing for that reason.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub vault_locked: bool,
    /// The level in the programme, `None` until the first is reached.
    pub level: Option<String>,
    /// The service class that follows from the customer's worth; absent without one, for whoever objects, and while the vault is locked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
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
    /// The most pressing of them first, at most [`ISSUES_MAX`]: by when each is due, then the oldest.
    pub issues: Vec<IssueLine>,
    /// What the customer prefers, that matters now.
    pub preferences: Vec<String>,
    /// What the customer plans to buy about now, at most [`PLANS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<PlanLine>,
    /// Questions of consent that are due, of at most [`CONSENTS_DUE_MAX`] purposes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consents_due: Vec<ConsentDue>,
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

impl CustomerFile {
    /// The file in at most [`FILE_BYTES_MAX`] as JSON: what matters least goes first, preferences, plans and questions before hints and
    /// issues, then the service class, by which nobody is greeted. Name, level and points stay.
    #[must_use]
    pub(super) fn fitted(mut self) -> Self {
        self.written();
        self
    }

    /// As [`Self::fitted`], and already written: a scan's file is written once.
    pub(super) fn written(&mut self) -> Option<Box<RawValue>> {
        loop {
            // No type here refuses to be written.
            let written = to_raw_value(self).ok()?;
            if written.get().len() <= FILE_BYTES_MAX || !self.shorten() {
                return Some(written);
            }
        }
    }

    /// Whether there was anything to leave out.
    fn shorten(&mut self) -> bool {
        self.preferences.pop().is_some()
            || self.plans.pop().is_some()
            || self.consents_due.pop().is_some()
            || self.issues.iter_mut().rev().find_map(|issue| issue.hint.take()).is_some()
            || self.issues.pop().is_some()
            || self.class.take().is_some()
    }
}

/// A question that the customer can be asked now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentDue {
    /// What for; the text to show is in `consent.texts`.
    pub purpose: String,
    /// By which channels it is not answered; none if the purpose has none.
    pub channels: Vec<String>,
}

/// A plan in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanLine {
    /// Names it.
    pub plan: Uuid,
    /// A category of the shop's list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Or an article.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gtin: Option<String>,
    /// The last day of its window.
    pub to: Day,
    /// What it may cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

/// What a plan may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Minor units.
    pub minor: i64,
    /// Of which currency.
    pub currency: Currency,
    /// Decimal digits of its minor unit.
    pub exponent: u8,
}

impl From<Money> for Budget {
    fn from(Money { minor, currency }: Money) -> Self {
        Self { minor, currency, exponent: currency.exponent() }
    }
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
