//! What an entry of the ledger does to the account. Refuses what does not add up: then the books would not either.

use super::{Account, Hold, PointsEntry, PointsError, PointsKind, Slice, sum};
use crate::domain::id::HoldId;
use crate::domain::time::Timestamp;
use std::cmp::Ordering;

impl Account {
    /// Changes the account as `entry` says; an entry that does not fit leaves it as it was.
    ///
    /// # Errors
    /// [`PointsError::Unfit`] with what does not add up.
    pub fn apply(&mut self, entry: &PointsEntry) -> Result<(), PointsError> {
        if entry.into.iter().chain(&entry.out_of).any(|slice| slice.points <= 0) {
            return Err(PointsError::Unfit("an entry of the points moves nothing, or less"));
        }
        let mut next = self.clone();
        next.entries = next.entries.saturating_add(1);
        if entry.number != next.entries {
            return Err(PointsError::Unfit("an entry of the points is not the next"));
        }
        match entry.kind {
            PointsKind::Hold => next.open_hold(entry)?,
            PointsKind::Capture | PointsKind::Release => next.take_of_hold(entry)?,
            PointsKind::Earn
            | PointsKind::Import
            | PointsKind::ReverseEarn
            | PointsKind::ReverseRedeem
            | PointsKind::Expire
            | PointsKind::Adjust
            | PointsKind::MergeOut
            | PointsKind::MergeIn
            | PointsKind::Unmerge => next.take_of_lots(&entry.out_of)?,
        }
        for slice in &entry.into {
            next.put(*slice);
        }
        next.debt = next.debt.saturating_add(entry.debt);
        let balanced = next.total() == self.total().saturating_add(entry.points);
        if !balanced || next.debt < 0 || (next.debt > 0 && !next.lots.is_empty()) {
            return Err(PointsError::Unfit("an entry of the points does not add up"));
        }
        *self = next;
        Ok(())
    }

    fn open_hold(&mut self, entry: &PointsEntry) -> Result<(), PointsError> {
        let (Some(hold), Some(until)) = (entry.hold, entry.until) else {
            return Err(PointsError::Unfit("a hold of points without its name or end"));
        };
        self.take_of_lots(&entry.out_of)?;
        self.holds.push(Hold { hold, slices: entry.out_of.clone(), until });
        Ok(())
    }

    fn take_of_hold(&mut self, entry: &PointsEntry) -> Result<(), PointsError> {
        let place = |wanted: Option<HoldId>| self.holds.iter().position(|kept| Some(kept.hold) == wanted);
        let Some(kept) = place(entry.hold).and_then(|place| self.holds.get_mut(place)) else {
            return Err(PointsError::Unfit("points of a hold that does not stand"));
        };
        for slice in &entry.out_of {
            take_out(&mut kept.slices, slice)?;
        }
        self.holds.retain(|kept| !kept.slices.is_empty());
        Ok(())
    }

    fn take_of_lots(&mut self, slices: &[Slice]) -> Result<(), PointsError> {
        slices.iter().try_for_each(|slice| take_out(&mut self.lots, slice))
    }

    pub(super) fn put(&mut self, slice: Slice) {
        match self.lots.binary_search_by(|lot| spent_before(lot.expires_at, slice.expires_at)) {
            Ok(place) => {
                if let Some(lot) = self.lots.get_mut(place) {
                    lot.points = lot.points.saturating_add(slice.points);
                }
            }
            Err(place) => self.lots.insert(place, slice),
        }
    }
}

/// The order in which lots are spent: soonest expiry first, never last.
fn spent_before(one: Option<Timestamp>, other: Option<Timestamp>) -> Ordering {
    match (one, other) {
        (Some(one), Some(other)) => one.cmp(&other),
        (one, other) => other.is_some().cmp(&one.is_some()),
    }
}

fn take_out(slices: &mut Vec<Slice>, out: &Slice) -> Result<(), PointsError> {
    let unfit = PointsError::Unfit("more points leave a lot than are in it");
    let kept = slices.iter_mut().find(|kept| kept.expires_at == out.expires_at).ok_or(unfit)?;
    kept.points = kept.points.checked_sub(out.points).filter(|left| *left >= 0).ok_or(unfit)?;
    if sum([&*kept]) == 0 {
        slices.retain(|kept| kept.points != 0);
    }
    Ok(())
}
