//! Points follow sales: earned with them, moved with them, taken back when goods come back.

use super::points::{Settings, move_points};
use crate::domain::id::{CustomerNumber, SaleId};
use crate::domain::level::{Ladder, Level};
use crate::domain::points::{POINTS_MAX, PointsEntry, PointsKind, due_back, earned};
use crate::domain::purchase::Receipt;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::log::Tx;
use crate::store::{self, LedgerLine};

/// What a sale earns its customer, by the rules of now and the level of before it. Nothing beyond [`POINTS_MAX`]: a sale is never refused for its
/// points.
pub(super) fn earn(
    tx: &mut Tx<'_>,
    (settings, now): (&Settings, Timestamp),
    (customer, level): (CustomerNumber, Option<&Level>),
    (sale, receipt): (SaleId, &Receipt),
) -> Result<(), Refusal> {
    let room = POINTS_MAX.saturating_sub(store::points(tx, customer)?.total());
    let points = Ladder::earns(earned(&settings.earn, receipt), level).min(room);
    if points > 0 {
        let expires_at = settings.expires_at(now);
        earn_again(tx, now, customer, (sale, points, expires_at))?;
    }
    Ok(())
}

/// Takes back all that is left of what a sale earned `from`, and gives as much, with the same days, to `to`.
pub(super) fn carry_over(
    tx: &mut Tx<'_>,
    now: Timestamp,
    sale: SaleId,
    to: Option<CustomerNumber>,
) -> Result<(), Refusal> {
    for line in earnings(tx, now, sale)? {
        take_back(tx, now, sale, &line, left(&line))?;
        let Some(to) = to else { continue };
        // Earned whole and shortened again, so that what comes back later is reckoned from what the sale earned.
        let number = earn_again(tx, now, to, (sale, line.points, line.expires_at))?;
        if line.taken_back > 0 {
            let line = LedgerLine { customer: to, number, ..line };
            take_back(tx, now, sale, &line, line.taken_back)?;
        }
    }
    Ok(())
}

/// After goods for `returned` of a sale's `total` came back: what it earned goes in proportion.
pub(super) fn shrink(
    tx: &mut Tx<'_>,
    now: Timestamp,
    sale: SaleId,
    (returned, total): (i64, i64),
) -> Result<(), Refusal> {
    for line in earnings(tx, now, sale)? {
        let back = due_back(line.points, returned, total).saturating_sub(line.taken_back);
        if back > 0 {
            take_back(tx, now, sale, &line, back)?;
        }
    }
    Ok(())
}

/// What a sale earned whose it is now, as far as it was not taken back and has not expired: what is gone by its day is not
/// taken a second time.
pub(super) fn earnings(tx: &Tx<'_>, now: Timestamp, sale: SaleId) -> Result<Vec<LedgerLine>, Refusal> {
    let lives = |line: &LedgerLine| {
        line.kind == PointsKind::Earn && left(line) > 0 && line.expires_at.is_none_or(|at| at > now)
    };
    Ok(store::points_of_sale(tx, sale)?.into_iter().filter(lives).collect())
}

/// How many of the points that a line earned were not taken back.
pub(super) fn left(line: &LedgerLine) -> i64 {
    line.points.saturating_sub(line.taken_back)
}

/// Takes `points` back of those that `line` earned.
pub(super) fn take_back(
    tx: &mut Tx<'_>,
    now: Timestamp,
    sale: SaleId,
    line: &LedgerLine,
    points: i64,
) -> Result<(), Refusal> {
    let customer = store::survivor(tx, line.customer)?;
    // Of a customer who was merged the points are taken of whoever goes on, and noted with what was brought.
    let of_customer = (customer != line.customer).then_some(line.customer);
    move_points(tx, customer, now, |account| {
        let taken = account.take_back(PointsKind::ReverseEarn, points, line.expires_at)?;
        Ok(PointsEntry { sale: Some(sale), of: Some(line.number), of_customer, ..taken })
    })?;
    Ok(())
}

fn earn_again(
    tx: &mut Tx<'_>,
    now: Timestamp,
    customer: CustomerNumber,
    (sale, points, expires_at): (SaleId, i64, Option<Timestamp>),
) -> Result<u64, Refusal> {
    let entry = move_points(tx, customer, now, |account| {
        Ok(PointsEntry { sale: Some(sale), ..account.earn(PointsKind::Earn, points, expires_at)? })
    })?;
    Ok(entry.number)
}
