//! Sales on account as they are looked for: by sale, by customer, and by when what is open is due.

use super::fold::{known, put};
use super::{StoreError, neutral, numbers_of, value};
use crate::domain::credit::{Credit, Payment};
use crate::domain::id::{CustomerNumber, SaleId};
use crate::log::{FoldError, Read, ReadWrite, View};

/// A byte for what follows: `s` and a sale's place → the credit; `c`, customer number, place: whose; `d`, day, place: what
/// is open, by when it is due.
const CREDITS: View = neutral(15);

/// The credits of one customer that are gone through: more than anybody has in a lifetime.
const CREDITS_OF_MAX: usize = 10_000;

/// What a sale put on account, if it did.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn credit(views: &(impl Read + ?Sized), sale: SaleId) -> Result<Option<Credit>, StoreError> {
    value(views, CREDITS, &of_sale(place(sale)))
}

/// What a customer's sales put on account, the last recorded first, at most `limit`.
///
/// # Errors
/// [`StoreError`] when a view cannot be read.
pub fn credits_of(
    views: &(impl Read + ?Sized),
    customer: CustomerNumber,
    limit: usize,
) -> Result<Vec<Credit>, StoreError> {
    let mut places = Vec::new();
    for number in numbers_of(views, customer)? {
        let kept = views.scan(CREDITS, &[&b"c"[..], number.0.as_bytes()].concat(), CREDITS_OF_MAX)?;
        places.extend(kept.iter().filter_map(|(key, _)| key.last_chunk::<8>().copied()));
    }
    places.sort_unstable();
    by_place(views, places.into_iter().rev().take(limit))
}

/// What is open in the shop, what is due first before the others, at most `limit`.
///
/// # Errors
/// [`StoreError`] when a view cannot be read.
pub fn credits_open(views: &(impl Read + ?Sized), limit: usize) -> Result<Vec<Credit>, StoreError> {
    let kept = views.scan(CREDITS, b"d", limit)?;
    by_place(views, kept.iter().filter_map(|(key, _)| key.last_chunk::<8>().copied()))
}

fn by_place(
    views: &(impl Read + ?Sized),
    places: impl Iterator<Item = [u8; 8]>,
) -> Result<Vec<Credit>, StoreError> {
    let mut credits = Vec::new();
    for place in places {
        credits.extend(value::<Credit>(views, CREDITS, &of_sale(place))?);
    }
    Ok(credits)
}

pub(super) fn give(views: &mut dyn ReadWrite, credit: &Credit) -> Result<(), FoldError> {
    put(views, CREDITS, &of_customer(credit.customer, credit.sale), &())?;
    keep(views, None, credit)
}

pub(super) fn pay(views: &mut dyn ReadWrite, sale: SaleId, payment: Payment) -> Result<(), FoldError> {
    let before: Credit =
        known(views, CREDITS, &of_sale(place(sale)), "a payment for a sale that was not on account")?;
    let mut credit = before.clone();
    credit.payments.push(payment);
    keep(views, Some(&before), &credit)
}

/// Goods came back, and so much was taken off what is owed for them.
pub(super) fn less(views: &mut dyn ReadWrite, sale: SaleId, amount: i64) -> Result<(), FoldError> {
    let Some(before) = credit(views, sale)?.filter(|_| amount > 0) else { return Ok(()) };
    let credit = Credit { back: before.back.saturating_add(amount), ..before.clone() };
    keep(views, Some(&before), &credit)
}

/// The sale is another's now.
pub(super) fn move_to(
    views: &mut dyn ReadWrite,
    sale: SaleId,
    customer: CustomerNumber,
) -> Result<(), FoldError> {
    let Some(before) = credit(views, sale)? else { return Ok(()) };
    views.remove(CREDITS, &of_customer(before.customer, sale));
    give(views, &Credit { customer, ..before })
}

/// The sale counts as never made.
pub(super) fn forget(views: &mut dyn ReadWrite, sale: SaleId) -> Result<(), FoldError> {
    let Some(credit) = credit(views, sale)? else { return Ok(()) };
    views.remove(CREDITS, &of_customer(credit.customer, sale));
    views.remove(CREDITS, &due(&credit));
    views.remove(CREDITS, &of_sale(place(sale)));
    Ok(())
}

/// Keeps a credit, and where it is found while something of it is open.
fn keep(views: &mut dyn ReadWrite, before: Option<&Credit>, credit: &Credit) -> Result<(), FoldError> {
    if credit.open() > 0 {
        put(views, CREDITS, &due(credit), &())?;
    } else if before.is_some_and(|before| before.open() > 0) {
        views.remove(CREDITS, &due(credit));
    }
    put(views, CREDITS, &of_sale(place(credit.sale)), credit)
}

fn place(sale: SaleId) -> [u8; 8] {
    sale.seq().to_be_bytes()
}

fn of_sale(place: [u8; 8]) -> Vec<u8> {
    [&b"s"[..], &place].concat()
}

fn of_customer(customer: CustomerNumber, sale: SaleId) -> Vec<u8> {
    [&b"c"[..], customer.0.as_bytes(), &place(sale)].concat()
}

fn due(credit: &Credit) -> Vec<u8> {
    // A day as text sorts as the calendar does.
    [&b"d"[..], credit.due.to_string().as_bytes(), &place(credit.sale)].concat()
}
