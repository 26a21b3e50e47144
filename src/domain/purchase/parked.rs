//! A sale that is put aside before it is paid: taken up again at any register, or lapsed when its time is over.

use super::Line;
use crate::domain::id::{CustomerNumber, RegisterName, SaleId, VisitId};
use crate::domain::money::Currency;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What was parked: it stays as it is, whatever becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// Names it; the sale that comes of it has a name of its own.
    pub parked: SaleId,
    /// Who wants it, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerNumber>,
    /// The visit it was rung up in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visit: Option<VisitId>,
    /// The register that parked it.
    pub register: RegisterName,
    /// The currency of every amount.
    pub currency: Currency,
    /// As on a receipt.
    pub lines: Vec<Line>,
    /// The sum of the lines' amounts.
    pub total: i64,
    /// When.
    pub parked_at: Timestamp,
    /// When it lapses.
    pub until: Timestamp,
}

/// What became of a parked sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ParkedState {
    /// Nothing yet.
    Open,
    /// A register took it up.
    TakenUp,
    /// Nobody did in time.
    Lapsed,
}
