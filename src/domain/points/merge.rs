//! Two accounts become one, and two again.
//!
//! A merge moves everything that is free, and what is owed, with the days it has; an unmerge moves as much back as was
//! brought, less what was taken back of it since, plus what was given back. What was earned or spent in between stays with
//! the account that goes on: if it spent what the other had brought, it owes. A lot whose day has passed is gone for both.
//! Whatever moves out of one account moves into the other, so that their sum stays.

use super::{Account, LOTS_MAX, POINTS_MAX, PointsEntry, PointsError, PointsKind, Slice, sum, take};
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What one account brought into another, and what became of that since.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Brought {
    /// The lots, in the order in which they are spent.
    pub lots: Vec<Slice>,
    /// What was owed; only 0 if there are lots.
    pub debt: i64,
    /// The lots of the other account that paid this debt.
    pub paid: Vec<Slice>,
    /// What belongs to sales and holds of before the merge and came or went since, by day.
    pub since: Vec<Since>,
}

/// Points that came (more than 0) or went since a merge, of what one account had brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// The lot's day.
    pub expires_at: Option<Timestamp>,
    /// How many.
    pub points: i64,
}

impl Brought {
    /// Notes that points of this day came, or went if below 0.
    pub fn note(&mut self, expires_at: Option<Timestamp>, points: i64) {
        match self.since.iter_mut().find(|since| since.expires_at == expires_at) {
            Some(since) => since.points = since.points.saturating_add(points),
            None => self.since.push(Since { expires_at, points }),
        }
    }

    /// What goes back at `now`: lots in the order in which they are spent, or a debt.
    #[must_use]
    pub fn back(&self, now: Timestamp) -> (Vec<Slice>, i64) {
        let mut whole = Account::default();
        let mut owed = self.debt;
        for lot in &self.lots {
            whole.put(*lot);
        }
        for Since { expires_at, points } in self.since.iter().copied() {
            let there =
                whole.lots.iter().find(|lot| lot.expires_at == expires_at).map_or(0, |lot| lot.points);
            whole.lots.retain(|lot| lot.expires_at != expires_at);
            let left = there.saturating_add(points);
            if left > 0 {
                whole.put(Slice { expires_at, points: left });
            } else {
                owed = owed.saturating_sub(left);
            }
        }
        whole.lots.retain(|lot| lot.expires_at.is_none_or(|at| at > now));
        whole.debt = owed;
        let (left, paid) = whole.pay_debt(&whole.lots);
        (left, owed.saturating_sub(paid))
    }
}

impl Account {
    /// Everything free and everything owed leaves; `None` if there is nothing.
    ///
    /// # Errors
    /// [`PointsError::Held`] while points are set aside for a sale.
    pub fn merge_out(&self) -> Result<Option<PointsEntry>, PointsError> {
        if !self.holds.is_empty() {
            return Err(PointsError::Held);
        }
        let (points, debt) = (self.debt.saturating_sub(self.free()), self.debt.saturating_neg());
        let left = PointsEntry { points, debt, out_of: self.lots.clone(), ..self.next(PointsKind::MergeOut) };
        Ok(Some(left).filter(|entry| !entry.out_of.is_empty() || entry.debt != 0))
    }

    /// What another account had comes in.
    ///
    /// # Errors
    /// [`PointsError::TooMany`], [`PointsError::Full`].
    pub fn merge_in(&self, lots: &[Slice], debt: i64) -> Result<PointsEntry, PointsError> {
        self.come(PointsKind::MergeIn, lots, debt)
    }

    /// What was brought in leaves again: `lots`, or `debt` is taken over by its own account. Lots of the same days go first,
    /// then the others as they are spent; what is not there any more is owed. Points that a debt had been paid of come
    /// back to the lots `paid`; beyond them, to the day `fresh`. `None` if nothing moves.
    ///
    /// # Errors
    /// [`PointsError::TooMany`], [`PointsError::Full`].
    pub fn unmerge_out(
        &self,
        (lots, debt): (&[Slice], i64),
        paid: &[Slice],
        fresh: Option<Timestamp>,
    ) -> Result<Option<PointsEntry>, PointsError> {
        let leaving = sum(lots).saturating_sub(debt);
        if leaving == 0 {
            return Ok(None);
        }
        if leaving > 0 {
            return self.go(PointsKind::Unmerge, leaving, lots).map(Some);
        }
        let coming = leaving.saturating_neg();
        let mut back = take(paid, coming.min(sum(paid))).unwrap_or_default();
        let points = coming.saturating_sub(sum(&back));
        if points > 0 {
            // In front, so that what is still owed is paid of it.
            back.insert(0, Slice { expires_at: fresh, points });
        }
        self.come(PointsKind::Unmerge, &back, 0).map(Some)
    }

    /// The other side of [`unmerge_out`](Self::unmerge_out).
    ///
    /// # Errors
    /// [`PointsError::TooMany`], [`PointsError::Full`].
    pub fn unmerge_in(&self, lots: &[Slice], debt: i64) -> Result<PointsEntry, PointsError> {
        self.come(PointsKind::Unmerge, lots, debt)
    }

    /// Lots come in, or a debt.
    fn come(&self, kind: PointsKind, lots: &[Slice], debt: i64) -> Result<PointsEntry, PointsError> {
        if debt > 0 {
            return self.go(kind, debt, &[]);
        }
        let points = sum(lots);
        if self.total().saturating_add(points) > POINTS_MAX {
            return Err(PointsError::TooMany);
        }
        let (into, paid) = self.pay_debt(lots);
        let is_new = |slice: &&Slice| self.lots.iter().all(|lot| lot.expires_at != slice.expires_at);
        if self.lots.len().saturating_add(into.iter().filter(is_new).count()) > LOTS_MAX {
            return Err(PointsError::Full("the points of the two expire on too many different days"));
        }
        Ok(PointsEntry { points, into, debt: paid.saturating_neg(), ..self.next(kind) })
    }

    /// So many points go, of the lots of these days first; what is not there becomes debt.
    fn go(&self, kind: PointsKind, points: i64, first: &[Slice]) -> Result<PointsEntry, PointsError> {
        let (mut left, mut out_of, mut wanted) = (self.lots.clone(), Vec::new(), points);
        let rest: Vec<Slice> = self.lots.clone();
        for slice in first.iter().chain(&rest) {
            let Some(lot) = left.iter_mut().find(|lot| lot.expires_at == slice.expires_at) else { continue };
            let taken = wanted.min(slice.points).min(lot.points);
            if taken > 0 {
                lot.points = lot.points.saturating_sub(taken);
                wanted = wanted.saturating_sub(taken);
                out_of.push(Slice { points: taken, ..*slice });
            }
        }
        if self.debt.saturating_add(wanted) > POINTS_MAX {
            return Err(PointsError::TooMany);
        }
        Ok(PointsEntry { points: points.saturating_neg(), out_of, debt: wanted, ..self.next(kind) })
    }
}

#[cfg(test)]
mod tests;
