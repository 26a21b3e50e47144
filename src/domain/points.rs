//! A customer's points: an append-only ledger of [`PointsEntry`], and the [`Account`] that they add up to.
//!
//! Points lie in lots, one for each day on which they expire (and one for those that never do). They are spent
//! soonest expiry first, those that never expire last. To spend is to hold, then to capture or to release; a hold
//! ends by itself at its time. What is taken back of points that are spent already is debt, said openly: it is
//! paid by whatever comes in next, and while there is debt there is nothing to spend.
//!
//! Deciding and applying are apart: the `Account`'s deciding functions give the entry, [`Account::apply`] is what
//! the journal's fold does with it, and it refuses an entry that does not add up. Integers only; no clock.

mod apply;
mod earn;
mod entry;
mod merge;

pub use earn::{EarnRule, due_back, earned};
pub use entry::{AdjustReason, Adjustment, PointsEntry, PointsKind, Slice};
pub use merge::{Brought, Since};

use super::id::HoldId;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The most lots of one customer: distinct days on which points expire.
pub const LOTS_MAX: usize = 128;

/// The most holds that one customer can have open: a register or two at once.
pub const HOLDS_MAX: usize = 8;

/// The most points in one entry, and the most a customer can have or owe: sums of sums then cannot overflow.
pub const POINTS_MAX: i64 = 1_000_000_000_000;

/// Points set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Names it.
    pub hold: HoldId,
    /// Where they came from.
    pub slices: Vec<Slice>,
    /// Until when it stands.
    pub until: Timestamp,
}

/// What the ledger of one customer adds up to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Account {
    /// Points free to spend, in the order in which they are spent; each lot once, none empty.
    lots: Vec<Slice>,
    holds: Vec<Hold>,
    /// Points owed, 0 or more; only 0 while any lot is free.
    debt: i64,
    /// Lines of the ledger so far.
    entries: u64,
}

/// An account as people are told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Balance {
    /// Free to spend now.
    pub available: i64,
    /// Set aside.
    pub held: i64,
    /// Owed.
    pub debt: i64,
    /// Of the available ones, those that expire first, and when.
    pub expiring: Option<(i64, Timestamp)>,
}

/// Why points do not move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PointsError {
    /// Nothing, less than nothing, or more than [`POINTS_MAX`].
    #[error("must be 1 to {POINTS_MAX} points")]
    Amount,
    /// More than there is.
    #[error("only {available} points are available")]
    NotEnough {
        /// What there is.
        available: i64,
    },
    /// The balance would leave ±[`POINTS_MAX`].
    #[error("the balance would be more than {POINTS_MAX} points")]
    TooMany,
    /// [`LOTS_MAX`] or [`HOLDS_MAX`] is reached.
    #[error("{0}")]
    Full(&'static str),
    /// Points are set aside, so the account cannot leave.
    #[error("points are set aside for a sale that is being rung up; capture or release that hold first")]
    Held,
    /// No hold of that name stands.
    #[error("the hold has ended: captured, released, or past its time")]
    NoHold,
    /// Fewer points are in the hold.
    #[error("only {held} points are held")]
    HeldLess {
        /// How many.
        held: i64,
    },
    /// Fewer points of the hold were spent and not given back.
    #[error("only {spent} points were spent of this hold and not given back yet")]
    SpentLess {
        /// How many.
        spent: i64,
    },
    /// An entry that does not add up, or does not fit the account.
    #[error("{0}")]
    Unfit(&'static str),
}

impl Account {
    /// What is true at `now`: what has expired or lapsed by then is counted so, whether the ledger says it yet or not.
    #[must_use]
    pub fn balance(&self, now: Timestamp) -> Balance {
        if self.due().is_some_and(|due| due <= now) {
            let mut settled = self.clone();
            if settled.settle(now).is_ok() {
                return settled.as_it_stands();
            }
        }
        self.as_it_stands()
    }

    fn as_it_stands(&self) -> Balance {
        let soonest = self.lots.first().and_then(|lot| lot.expires_at.map(|at| (lot.points, at)));
        let held = sum(self.holds.iter().flat_map(|hold| &hold.slices));
        Balance { available: self.free(), held, debt: self.debt, expiring: soonest }
    }

    /// The points free to spend at `now`, by lot, in the order in which they are spent.
    #[must_use]
    pub fn lots(&self, now: Timestamp) -> Vec<Slice> {
        let mut settled = self.clone();
        // What cannot be settled is told as it stands.
        if settled.settle(now).is_ok() { settled.lots } else { self.lots.clone() }
    }

    /// How many lines the ledger has.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Everything there is less what is owed: the sum of all entries' `points`.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.free()
            .saturating_add(sum(self.holds.iter().flat_map(|hold| &hold.slices)))
            .saturating_sub(self.debt)
    }

    /// When something happens here by itself: a hold lapses or a lot expires.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        let lapse = self.holds.iter().map(|hold| hold.until);
        lapse.chain(self.lots.iter().filter_map(|lot| lot.expires_at)).min()
    }

    /// The entries by which time catches up: holds past their time released, then what has expired taken out.
    ///
    /// # Errors
    /// [`PointsError::Unfit`], never for an account made by [`apply`](Self::apply).
    pub fn settle(&mut self, now: Timestamp) -> Result<Vec<PointsEntry>, PointsError> {
        let mut entries = Vec::new();
        while let Some(lapsed) = self.holds.iter().find(|hold| hold.until <= now).map(|hold| hold.hold) {
            let entry = self.release(lapsed)?;
            self.apply(&entry)?;
            entries.push(entry);
        }
        let gone: Vec<Slice> = self.lots.iter().filter(|lot| expired(lot, now)).copied().collect();
        if !gone.is_empty() {
            let points = sum(&gone).saturating_neg();
            let entry = PointsEntry { points, out_of: gone, ..self.next(PointsKind::Expire) };
            self.apply(&entry)?;
            entries.push(entry);
        }
        Ok(entries)
    }

    /// Points come in, by a sale or a correction.
    ///
    /// # Errors
    /// [`PointsError::Amount`], [`PointsError::TooMany`], [`PointsError::Full`].
    pub fn earn(
        &self,
        kind: PointsKind,
        points: i64,
        expires_at: Option<Timestamp>,
    ) -> Result<PointsEntry, PointsError> {
        check(points)?;
        if self.total().saturating_add(points) > POINTS_MAX {
            return Err(PointsError::TooMany);
        }
        let (into, paid) = self.pay_debt(&[Slice { expires_at, points }]);
        let is_new = |slice: &Slice| self.lots.iter().all(|lot| lot.expires_at != slice.expires_at);
        if self.lots.len() >= LOTS_MAX && into.iter().any(is_new) {
            return Err(PointsError::Full("the customer's points expire on too many different days"));
        }
        Ok(PointsEntry { points, into, debt: paid.saturating_neg(), expires_at, ..self.next(kind) })
    }

    /// Sets points aside until `until`.
    ///
    /// # Errors
    /// [`PointsError::Amount`], [`PointsError::NotEnough`], [`PointsError::Full`].
    pub fn hold(&self, hold: HoldId, points: i64, until: Timestamp) -> Result<PointsEntry, PointsError> {
        check(points)?;
        if self.holds.len() >= HOLDS_MAX {
            return Err(PointsError::Full("too many holds are open; capture or release one first"));
        }
        let out_of = take(&self.lots, points).ok_or(PointsError::NotEnough { available: self.free() })?;
        let new = self.next(PointsKind::Hold);
        Ok(PointsEntry { out_of, hold: Some(hold), until: Some(until), ..new })
    }

    /// Spends points of a hold. What is left in it stays held: release it.
    ///
    /// # Errors
    /// [`PointsError::Amount`], [`PointsError::NoHold`], [`PointsError::HeldLess`].
    pub fn capture(&self, hold: HoldId, points: i64) -> Result<PointsEntry, PointsError> {
        check(points)?;
        let slices = self.held(hold).ok_or(PointsError::NoHold)?;
        let out_of = take(slices, points).ok_or_else(|| PointsError::HeldLess { held: sum(slices) })?;
        let points = points.saturating_neg();
        Ok(PointsEntry { points, out_of, hold: Some(hold), ..self.next(PointsKind::Capture) })
    }

    /// Lets go of all that is left in a hold; debt is paid of it first.
    ///
    /// # Errors
    /// [`PointsError::NoHold`].
    pub fn release(&self, hold: HoldId) -> Result<PointsEntry, PointsError> {
        let slices = self.held(hold).ok_or(PointsError::NoHold)?;
        let (into, paid) = self.pay_debt(slices);
        let (out_of, debt) = (slices.to_vec(), paid.saturating_neg());
        let new = self.next(PointsKind::Release);
        Ok(PointsEntry { into, out_of, debt, hold: Some(hold), ..new })
    }

    /// Takes points back that were earned: of the lot they went to, then of the others as they would be spent; what
    /// is not there any more becomes debt.
    ///
    /// # Errors
    /// [`PointsError::Amount`], [`PointsError::TooMany`].
    pub fn take_back(
        &self,
        kind: PointsKind,
        points: i64,
        lot: Option<Timestamp>,
    ) -> Result<PointsEntry, PointsError> {
        check(points)?;
        if self.debt.saturating_add(points) > POINTS_MAX {
            return Err(PointsError::TooMany);
        }
        let (own, others): (Vec<Slice>, Vec<Slice>) = self.lots.iter().partition(|one| one.expires_at == lot);
        let order: Vec<Slice> = own.into_iter().chain(others).collect();
        let there = points.min(sum(&order));
        let out_of = take(&order, there).unwrap_or_default();
        let (debt, points) = (points.saturating_sub(there), points.saturating_neg());
        Ok(PointsEntry { points, out_of, debt, ..self.next(kind) })
    }

    /// Gives back points that were spent, to the lots they came from, the last spent first.
    ///
    /// # Errors
    /// [`PointsError::Amount`], [`PointsError::SpentLess`], [`PointsError::TooMany`].
    pub fn give_back(&self, hold: HoldId, points: i64, spent: &[Slice]) -> Result<PointsEntry, PointsError> {
        check(points)?;
        let last_first: Vec<Slice> = spent.iter().rev().copied().collect();
        let back = take(&last_first, points).ok_or_else(|| PointsError::SpentLess { spent: sum(spent) })?;
        if self.total().saturating_add(points) > POINTS_MAX {
            return Err(PointsError::TooMany);
        }
        let (into, paid) = self.pay_debt(&back);
        let new = self.next(PointsKind::ReverseRedeem);
        Ok(PointsEntry { points, into, debt: paid.saturating_neg(), hold: Some(hold), ..new })
    }

    /// Whether a hold stands, with points left in it.
    #[must_use]
    pub fn stands(&self, hold: HoldId) -> bool {
        self.held(hold).is_some()
    }

    fn held(&self, hold: HoldId) -> Option<&[Slice]> {
        self.holds.iter().find(|kept| kept.hold == hold).map(|kept| &*kept.slices)
    }

    fn next(&self, kind: PointsKind) -> PointsEntry {
        PointsEntry::new(self.entries.saturating_add(1), kind)
    }

    fn free(&self) -> i64 {
        sum(&self.lots)
    }

    /// What is left of `slices` after the debt is paid of them, and how much was paid.
    fn pay_debt(&self, slices: &[Slice]) -> (Vec<Slice>, i64) {
        let paid = self.debt.min(sum(slices));
        let mut owed = paid;
        let mut left = Vec::new();
        for slice in slices {
            let pays = owed.min(slice.points);
            owed = owed.saturating_sub(pays);
            let points = slice.points.saturating_sub(pays);
            if points > 0 {
                left.push(Slice { points, ..*slice });
            }
        }
        (left, paid)
    }
}

fn check(points: i64) -> Result<(), PointsError> {
    if (1..=POINTS_MAX).contains(&points) { Ok(()) } else { Err(PointsError::Amount) }
}

fn expired(slice: &Slice, now: Timestamp) -> bool {
    slice.expires_at.is_some_and(|at| at <= now)
}

/// The points of all `slices`.
#[must_use]
pub fn sum<'a>(slices: impl IntoIterator<Item = &'a Slice>) -> i64 {
    slices.into_iter().fold(0, |sum, slice| sum.saturating_add(slice.points))
}

/// `points` of `slices`, from the front; `None` if there are fewer.
#[must_use]
pub fn take(slices: &[Slice], points: i64) -> Option<Vec<Slice>> {
    let mut wanted = points;
    let mut taken = Vec::new();
    for slice in slices {
        let points = wanted.min(slice.points);
        if points > 0 {
            taken.push(Slice { points, ..*slice });
            wanted = wanted.saturating_sub(points);
        }
    }
    (wanted == 0).then_some(taken)
}

#[cfg(test)]
mod tests;
