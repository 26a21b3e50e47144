//! Rewards that were set aside: which, whose, and in which sale they were given.

use super::fold::put;
use super::points::{hold, points_of_sale};
use super::{StoreError, neutral, numbers_of, value};
use crate::domain::id::{CustomerNumber, HoldId, SaleId};
use crate::domain::points::PointsKind;
use crate::domain::reward::Redemption;
use crate::log::{FoldError, Read, ReadWrite, View};
use serde::{Deserialize, Serialize};

/// Customer number, then hold.
const REWARDS: View = neutral(14);

/// The rewards of one customer that are gone through: more than anybody has in a lifetime.
const REWARDS_OF_MAX: usize = 10_000;

/// A reward that was set aside, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewardKept {
    /// What was set aside.
    pub redemption: Redemption,
    /// The sale it was given in.
    pub sale: Option<SaleId>,
}

/// The rewards of a customer, and of everybody who was merged into them, newest first.
///
/// # Errors
/// [`StoreError`] when a view cannot be read.
pub fn rewards_of(
    views: &(impl Read + ?Sized),
    customer: CustomerNumber,
) -> Result<Vec<RewardKept>, StoreError> {
    let mut all: Vec<RewardKept> = Vec::new();
    for number in numbers_of(views, customer)? {
        for (_, kept) in views.scan(REWARDS, number.0.as_bytes(), REWARDS_OF_MAX)? {
            all.push(postcard::from_bytes(&kept).map_err(StoreError::Layout)?);
        }
    }
    all.sort_by_key(|kept| std::cmp::Reverse(kept.redemption.at));
    Ok(all)
}

/// The reward that a hold is of; `None` for a hold of points alone.
///
/// # Errors
/// [`StoreError`] when a view cannot be read.
pub fn reward(views: &(impl Read + ?Sized), named: HoldId) -> Result<Option<RewardKept>, StoreError> {
    let Some(kept) = hold(views, named)? else { return Ok(None) };
    value(views, REWARDS, &key(kept.customer, named))
}

/// The rewards that were given in a sale.
///
/// # Errors
/// [`StoreError`] when a view cannot be read.
pub fn rewards_in(views: &(impl Read + ?Sized), sale: SaleId) -> Result<Vec<RewardKept>, StoreError> {
    let mut given = Vec::new();
    for line in points_of_sale(views, sale)? {
        if let (PointsKind::Capture, Some(hold)) = (line.kind, line.hold) {
            given.extend(reward(views, hold)?);
        }
    }
    Ok(given)
}

pub(super) fn keep(views: &mut dyn ReadWrite, redemption: Redemption) -> Result<(), FoldError> {
    let key = key(redemption.customer, redemption.hold);
    put(views, REWARDS, &key, &RewardKept { redemption, sale: None })
}

/// Points of a hold were captured; nothing of a hold that is no reward's.
pub(super) fn given(
    views: &mut dyn ReadWrite,
    customer: CustomerNumber,
    hold: HoldId,
    sale: Option<SaleId>,
) -> Result<(), FoldError> {
    let key = key(customer, hold);
    let Some(kept) = value::<RewardKept>(views, REWARDS, &key)? else { return Ok(()) };
    put(views, REWARDS, &key, &RewardKept { sale, ..kept })
}

fn key(customer: CustomerNumber, hold: HoldId) -> [u8; 32] {
    let mut key = [0; 32];
    let (left, right) = key.split_at_mut(16);
    left.copy_from_slice(customer.0.as_bytes());
    right.copy_from_slice(hold.0.as_bytes());
    key
}
