//! Sales that did not come about, by customer and by day.

use super::fold::{known, put};
use super::{StoreError, numbers_of, survivor, value};
use crate::domain::id::{CustomerNumber, LostId, SaleId};
use crate::domain::lost::Lost;
use crate::domain::time::Day;
use crate::log::{Entry, FoldError, Read, ReadWrite, View};
use uuid::Uuid;

const LOST: View = super::neutral(27);
/// `c` and customer number, or `d` and day; then the id: where each is listed.
const LOST_BY: View = super::neutral(28);

/// One of them, with the number that stands for its customer now.
///
/// # Errors
/// [`StoreError`] when a view cannot be read.
pub fn lost(views: &(impl Read + ?Sized), lost: LostId) -> Result<Option<Lost>, StoreError> {
    let Some(kept) = value::<Lost>(views, LOST, lost.0.as_bytes())? else { return Ok(None) };
    let customer = kept.customer.map(|customer| survivor(views, customer)).transpose()?;
    Ok(Some(Lost { customer, ..kept }))
}

/// Those of a customer and of everybody who was merged into them, oldest first, at most `limit`.
///
/// # Errors
/// [`StoreError`] when a view cannot be read.
pub fn lost_of(
    views: &(impl Read + ?Sized),
    customer: CustomerNumber,
    limit: usize,
) -> Result<Vec<Lost>, StoreError> {
    let mut entries = Vec::new();
    for number in numbers_of(views, customer)? {
        entries.extend(views.scan(LOST_BY, &by_customer(number), limit)?);
    }
    // An id begins with when it was told.
    entries.sort_unstable_by(|(one, _), (other, _)| one.get(17..).cmp(&other.get(17..)));
    entries.truncate(limit);
    by_key(views, entries)
}

/// Those of a business day, oldest first, at most `limit`.
///
/// # Errors
/// [`StoreError`] when a view cannot be read.
pub fn lost_on(views: &(impl Read + ?Sized), day: Day, limit: usize) -> Result<Vec<Lost>, StoreError> {
    by_key(views, views.scan(LOST_BY, &by_day(day), limit)?)
}

pub(super) fn keep(views: &mut dyn ReadWrite, kept: &Lost) -> Result<(), FoldError> {
    put(views, LOST, kept.lost.0.as_bytes(), kept)?;
    for mut key in kept.customer.map(by_customer).into_iter().chain([by_day(kept.day)]) {
        key.extend(kept.lost.0.as_bytes());
        put(views, LOST_BY, &key, &())?;
    }
    Ok(())
}

pub(super) fn recover(views: &mut dyn ReadWrite, lost: LostId, sale: SaleId) -> Result<(), FoldError> {
    let what = "a sale recovers what was never lost";
    let mut kept: Lost = known(views, LOST, lost.0.as_bytes(), what)?;
    kept.recovered_by = Some(sale);
    put(views, LOST, lost.0.as_bytes(), &kept)
}

fn by_key(views: &(impl Read + ?Sized), entries: Vec<Entry>) -> Result<Vec<Lost>, StoreError> {
    let mut all = Vec::new();
    for (key, _) in entries {
        let id = key.len().checked_sub(16).and_then(|at| key.get(at..));
        if let Some(id) = id.and_then(|id| Uuid::from_slice(id).ok()) {
            all.extend(lost(views, LostId(id))?);
        }
    }
    Ok(all)
}

fn by_customer(customer: CustomerNumber) -> Vec<u8> {
    let mut key = b"c".to_vec();
    key.extend(customer.0.as_bytes());
    key
}

fn by_day(day: Day) -> Vec<u8> {
    format!("d{day}").into_bytes()
}
