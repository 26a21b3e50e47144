//! Sales as the views lead to them: a place in the journal, where the receipt lies whole.

use super::fold::put;
use super::{StoreError, numbers_of, survivor, value};
use crate::domain::event::StoreEvent;
use crate::domain::id::{CustomerNumber, RegisterName, SaleId};
use crate::domain::purchase::{Returned, Sale};
use crate::domain::time::Day;
use crate::log::{FoldError, Read, ReadWrite, Recall, View};

/// Customer number, then place → the month it counts in: every sale a customer has.
pub(super) const SALES_OF: View = super::neutral(8);
/// Register, day and number of a receipt → place.
pub(super) const RECEIPTS: View = super::neutral(9);
/// Place → whose it is now; only of sales that were attached after they had been recorded.
pub(super) const SALE_OWNERS: View = super::neutral(10);

/// Place → what came back of it.
const RETURNED: View = super::neutral(11);

/// The places of one customer's sales that are gone through: more than anybody has in a lifetime.
const SALES_OF_MAX: usize = 100_000;

/// A sale, with whose it is now.
///
/// # Errors
/// [`StoreError`] when views or journal cannot be read.
pub fn sale(views: &(impl Recall + ?Sized), sale: SaleId) -> Result<Option<Sale>, StoreError> {
    Ok(at(views, sale.seq())?.filter(|kept| kept.sale == sale))
}

/// The sale of a receipt, by what stands on it.
///
/// # Errors
/// As [`sale`].
pub fn sale_of_receipt(
    views: &(impl Recall + ?Sized),
    register: &RegisterName,
    day: Day,
    number: &str,
) -> Result<Option<Sale>, StoreError> {
    let place: Option<u64> = value(views, RECEIPTS, &receipt_key(register, day, number))?;
    place.map_or(Ok(None), |place| at(views, place))
}

/// Whether this receipt was recorded.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn has_receipt(
    views: &(impl Read + ?Sized),
    register: &RegisterName,
    day: Day,
    number: &str,
) -> Result<bool, StoreError> {
    Ok(views.get(RECEIPTS, &receipt_key(register, day, number))?.is_some())
}

/// What came back of a sale so far.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn returned(views: &(impl Read + ?Sized), sale: SaleId) -> Result<Returned, StoreError> {
    Ok(value(views, RETURNED, &owner_key(sale))?.unwrap_or_default())
}

pub(super) fn keep_returned(
    views: &mut dyn ReadWrite,
    sale: SaleId,
    kept: &Returned,
) -> Result<(), FoldError> {
    put(views, RETURNED, &owner_key(sale), kept)
}

/// The sales of a customer, the last recorded first, at most `limit`.
///
/// # Errors
/// As [`sale`].
pub fn sales_of(
    views: &(impl Recall + ?Sized),
    customer: CustomerNumber,
    limit: usize,
) -> Result<Vec<Sale>, StoreError> {
    places(views, &numbers_of(views, customer)?, limit)
}

/// The same of one number alone, whoever was merged into it.
///
/// # Errors
/// As [`sale`].
pub fn own_sales_of(
    views: &(impl Recall + ?Sized),
    number: CustomerNumber,
    limit: usize,
) -> Result<Vec<Sale>, StoreError> {
    places(views, &[number], limit)
}

fn places(
    views: &(impl Recall + ?Sized),
    numbers: &[CustomerNumber],
    limit: usize,
) -> Result<Vec<Sale>, StoreError> {
    let (mut places, mut sales) = (Vec::new(), Vec::new());
    for number in numbers {
        let kept = views.scan(SALES_OF, number.0.as_bytes(), SALES_OF_MAX)?;
        places.extend(kept.iter().filter_map(|(key, _)| <[u8; 8]>::try_from(key.get(16..)?).ok()));
    }
    places.sort_unstable();
    for place in places.into_iter().rev().take(limit) {
        sales.extend(at(views, u64::from_be_bytes(place))?);
    }
    Ok(sales)
}

/// The sale that was recorded in transaction `seq`.
fn at(views: &(impl Recall + ?Sized), seq: u64) -> Result<Option<Sale>, StoreError> {
    for event in views.events(seq)?.unwrap_or_default() {
        if let Ok(StoreEvent::SaleRecorded(kept)) = serde_json::from_slice(&event) {
            let mut kept = *kept;
            if let Some(owner) = value(views, SALE_OWNERS, &owner_key(kept.sale))? {
                kept.customer = Some(owner);
            }
            kept.customer = kept.customer.map(|customer| survivor(views, customer)).transpose()?;
            return Ok(Some(kept));
        }
    }
    Ok(None)
}

pub(super) fn owner_key(sale: SaleId) -> [u8; 8] {
    sale.seq().to_be_bytes()
}

pub(super) fn sale_of(customer: CustomerNumber, sale: SaleId) -> [u8; 24] {
    let mut key = [0; 24];
    let (left, right) = key.split_at_mut(16);
    left.copy_from_slice(customer.0.as_bytes());
    right.copy_from_slice(&sale.seq().to_be_bytes());
    key
}

/// Neither a register's name nor a receipt's number holds a space, so no two receipts have one key.
pub(super) fn receipt_key(register: &RegisterName, day: Day, number: &str) -> Vec<u8> {
    format!("{register} {day} {number}").into_bytes()
}
