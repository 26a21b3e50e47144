//! What each customer number bought and earned by month, kept as sales and points go by.

use super::fold::put;
use super::sale::{SALES_OF, sale_of};
use super::{StoreError, neutral, numbers_of, value};
use crate::domain::id::{CustomerNumber, SaleId};
use crate::domain::money::Currency;
use crate::domain::months::{Month, Months};
use crate::domain::time::Timestamp;
use crate::log::{FoldError, Read, ReadWrite, View};
use jiff::tz::TimeZone;

const MONTHS: View = neutral(13);

/// The months of a customer, and of everybody who was merged into them.
///
/// # Errors
/// [`StoreError`] when a view cannot be read.
pub fn months(views: &(impl Read + ?Sized), customer: CustomerNumber) -> Result<Vec<Months>, StoreError> {
    let mut all = Vec::new();
    for number in numbers_of(views, customer)? {
        all.extend(value::<Months>(views, MONTHS, number.0.as_bytes())?);
    }
    Ok(all)
}

/// A sale counts.
pub(super) fn count(
    views: &mut dyn ReadWrite,
    customer: CustomerNumber,
    month: Month,
    (currency, total): (Currency, i64),
) -> Result<(), FoldError> {
    change(views, customer, |months| months.add_turnover(month, currency, total))
}

/// So much of a sale counts no more, where it counted.
pub(super) fn uncount(
    views: &mut dyn ReadWrite,
    (customer, sale): (CustomerNumber, SaleId),
    (currency, total): (Currency, i64),
) -> Result<(), FoldError> {
    let month: Option<Month> = value(views, SALES_OF, &sale_of(customer, sale))?;
    let Some(month) = month else { return Ok(()) };
    change(views, customer, |months| months.add_turnover(month, currency, total.saturating_neg()))
}

/// Points were earned at `at`, or such were taken back if below 0.
pub(super) fn earned(
    views: &mut dyn ReadWrite,
    customer: CustomerNumber,
    at: Timestamp,
    points: i64,
) -> Result<(), FoldError> {
    // The fold knows no shop's time zone.
    change(views, customer, |months| months.add_points(Month::at(at, &TimeZone::UTC), points))
}

fn change(
    views: &mut dyn ReadWrite,
    customer: CustomerNumber,
    change: impl FnOnce(&mut Months),
) -> Result<(), FoldError> {
    let mut months: Months = value(views, MONTHS, customer.0.as_bytes())?.unwrap_or_default();
    change(&mut months);
    put(views, MONTHS, customer.0.as_bytes(), &months)
}
