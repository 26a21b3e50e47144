//! Sales that are paid with points: what a tender spends, and what comes back of it.
//!
//! A tender `POINTS` has how many points are spent for its amount. They are set aside and captured as any others are, in the
//! transaction that records the sale, so no sale is paid with points of which the ledger knows nothing. What a point is worth is the
//! till's to say. What comes back as `POINTS` gives points back in proportion, to the lots that they came from; it is never more than
//! was paid with points, and money never more than was paid otherwise: points do not turn into money by a return.

use super::points::{Settings, move_points, no_such_hold};
use super::reward::not_of_a_reward;
use crate::domain::id::{CustomerNumber, HoldId, SaleId};
use crate::domain::points::{PointsEntry, due_back, sum};
use crate::domain::purchase::{Receipt, Returned, Sale, Tender, TenderKind, paid_as};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::log::Tx;
use crate::store::{self, HoldKept};

/// Spends what a receipt's tender of points says, and notes there of which hold: the one it names, or `own`, set aside for it here.
///
/// What is left in a hold is free again.
pub(super) fn spend(
    tx: &mut Tx<'_>,
    (settings, now): (&Settings, Timestamp),
    (customer, sale): (Option<CustomerNumber>, SaleId),
    receipt: &mut Receipt,
    own: HoldId,
) -> Result<(), Refusal> {
    let found = receipt.tenders.iter_mut().zip(0_usize..);
    let Some((tender, at)) = found.into_iter().find(|(tender, _)| tender.kind == TenderKind::Points) else {
        return Ok(());
    };
    let named = |refusal: Refusal| {
        let field = refusal.field.as_deref().map(|field| format!("receipt.tenders[{at}].{field}"));
        Refusal { field, ..refusal }
    };
    let message = "nobody is known whose points they are; name the `customer` or the `visit`";
    let customer = customer.ok_or_else(|| named(Refusal::field("points", message)))?;
    // A receipt that was checked has them.
    let points = tender.points.unwrap_or_default();
    let hold = match tender.hold {
        Some(hold) => {
            check_hold(tx, customer, hold).map_err(named)?;
            hold
        }
        None => {
            let until = now.after(settings.hold);
            let held = move_points(tx, customer, now, |account| {
                Ok(PointsEntry { sale: Some(sale), ..account.hold(own, points, until)? })
            });
            held.map_err(named)?;
            own
        }
    };
    let captured = move_points(tx, customer, now, |account| {
        Ok(PointsEntry { sale: Some(sale), ..account.capture(hold, points)? })
    });
    captured.map_err(named)?;
    if store::points(tx, customer)?.stands(hold) {
        move_points(tx, customer, now, |account| account.release(hold))?;
    }
    tender.hold = Some(hold);
    Ok(())
}

/// Whether a sale of this customer can be paid of a hold.
fn check_hold(tx: &Tx<'_>, customer: CustomerNumber, hold: HoldId) -> Result<(), Refusal> {
    let kept =
        store::hold(tx, hold)?.ok_or_else(|| Refusal { field: Some("hold".to_owned()), ..no_such_hold() })?;
    not_of_a_reward(tx, hold)?;
    if store::survivor(tx, kept.customer)? != customer {
        return Err(Refusal::conflict("hold", "these points are another customer's than the sale is"));
    }
    Ok(())
}

/// Whether goods of a sale can be paid back with these tenders, as far as points are concerned. `field` has the tenders.
pub(super) fn check_back(
    kept: &Sale,
    returned: &Returned,
    tenders: &[Tender],
    field: &str,
) -> Result<(), Refusal> {
    if let Some(at) = tenders.iter().position(|tender| tender.points.is_some() || tender.hold.is_some()) {
        let message = "how many points come back follows from the sale: give `kind` and `amount` alone";
        return Err(Refusal::field(format!("{field}[{at}].points"), message));
    }
    let paid = paid_as(&kept.receipt.tenders, TenderKind::Points);
    let as_points = paid_as(tenders, TenderKind::Points);
    let left = paid.saturating_sub(returned.as_points);
    if as_points > left {
        let message = format!("{left} of this sale can come back as POINTS: what of it was paid with points");
        return Err(Refusal::field(field, message));
    }
    let otherwise = tenders.iter().fold(0, |sum: i64, tender| sum.saturating_add(tender.amount));
    let otherwise = otherwise.saturating_sub(as_points);
    let gone = returned.total().saturating_sub(returned.as_points);
    let left = kept.receipt.total.saturating_sub(paid).saturating_sub(gone);
    if otherwise > left {
        let message =
            format!("{left} of this sale was paid otherwise than with points; the rest comes back as POINTS");
        return Err(Refusal::field(field, message));
    }
    Ok(())
}

/// After goods of a sale came back: the points that go with what was given back as points.
pub(super) fn shrink(tx: &mut Tx<'_>, now: Timestamp, kept: &Sale, back: &Returned) -> Result<(), Refusal> {
    let Some((hold, points, amount)) = spent(&kept.receipt) else { return Ok(()) };
    give_back(tx, now, kept.sale, (hold, points), due_back(points, back.as_points, amount))
}

/// After a sale was voided: all the points that it was paid with.
pub(super) fn undo(tx: &mut Tx<'_>, now: Timestamp, kept: &Sale) -> Result<(), Refusal> {
    let Some((hold, points, _)) = spent(&kept.receipt) else { return Ok(()) };
    give_back(tx, now, kept.sale, (hold, points), points)
}

/// Of a receipt's tender of points: the hold, the points spent, the amount that they paid. Tenders of before they named a hold have
/// none: what was spent for them was captured apart.
fn spent(receipt: &Receipt) -> Option<(HoldId, i64, i64)> {
    receipt.tenders.iter().find_map(|tender| Some((tender.hold?, tender.points?, tender.amount)))
}

/// Gives points back that a sale spent of a hold, until `due` of `whole` are given back.
pub(super) fn give_back(
    tx: &mut Tx<'_>,
    now: Timestamp,
    sale: SaleId,
    (hold, whole): (HoldId, i64),
    due: i64,
) -> Result<(), Refusal> {
    let Some(kept) = store::hold(tx, hold)? else { return Ok(()) };
    let points = due.saturating_sub(whole.saturating_sub(sum(&kept.spent)));
    if points > 0 {
        let customer = store::survivor(tx, kept.customer)?;
        move_points(tx, customer, now, |account| {
            Ok(PointsEntry { sale: Some(sale), ..account.give_back(hold, points, &kept.spent)? })
        })?;
    }
    Ok(())
}

/// Points that a sale was paid with are given back with what comes back of it, in no other way.
pub(super) fn not_of_a_sale(tx: &Tx<'_>, hold: HoldId, kept: &HoldKept) -> Result<(), Refusal> {
    let Some(sale) = kept.sale else { return Ok(()) };
    let paid = store::sale(tx, sale)?.and_then(|sale| spent(&sale.receipt));
    if paid.is_none_or(|(paid, _, _)| paid != hold) {
        return Ok(());
    }
    Err(Refusal::conflict("hold", "a sale was paid with these points: `sale.return` gives them back"))
}

/// Whether a sale was paid with points, so that it stays whose it is.
pub(super) fn was_paid(receipt: &Receipt) -> bool {
    spent(receipt).is_some()
}
