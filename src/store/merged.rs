//! Customers who were merged: one number leads to another, and everything stays under the number it came to be under.
//!
//! Cards, visits, sales and issues are not moved, and an issue about a sale is opened under the number that the sale is counted under. Whoever asks for the customer who goes on is given the sum of all
//! ([`customer`]), and an undone merge needs no moving back. Only points move, by lines of the ledger, for they are spent.

use super::fold::{change_customer, known, put};
use super::sale::{SALES_OF, sale_of};
use super::{StoreError, neutral, one, value};
use crate::domain::customer::{Customer, MEMBERS_MAX};
use crate::domain::id::{CardId, CustomerNumber, MergeId, SaleId};
use crate::domain::points::Brought;
use crate::domain::time::Timestamp;
use crate::log::{FoldError, Read, ReadWrite, View};
use serde::{Deserialize, Serialize};

const MERGES: View = neutral(30);

/// A merge as the views keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    /// Names it.
    pub merge: MergeId,
    /// The number that leads on.
    pub from: CustomerNumber,
    /// The number that stays.
    pub into: CustomerNumber,
    /// When.
    pub at: Timestamp,
    /// The points that came with it, and what became of them.
    pub brought: Brought,
    /// When it was undone.
    pub undone: Option<Timestamp>,
}

/// A merge, also one that was undone.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn merge(views: &(impl Read + ?Sized), merge: MergeId) -> Result<Option<Merge>, StoreError> {
    value(views, MERGES, merge.0.as_bytes())
}

/// The number that stands for this one: itself, or the one that it was merged into in the end.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn survivor(views: &(impl Read + ?Sized), number: CustomerNumber) -> Result<CustomerNumber, StoreError> {
    let mut number = number;
    // A merge needs a number that stands for itself, so no chain is longer than what may be merged.
    for _ in 0..=MEMBERS_MAX {
        match one(views, number)?.and_then(|kept| kept.merged) {
            Some((into, _)) => number = into,
            None => break,
        }
    }
    Ok(number)
}

/// A customer with everybody who was merged into them.
///
/// # Errors
/// [`StoreError::Merged`] for a number that leads on, or a view that cannot be read.
pub fn customer(
    views: &(impl Read + ?Sized),
    number: CustomerNumber,
) -> Result<Option<Customer>, StoreError> {
    let Some(kept) = one(views, number)? else { return Ok(None) };
    if kept.merged.is_some() {
        return Err(StoreError::Merged { into: survivor(views, number)? });
    }
    whole(views, kept).map(Some)
}

/// As [`customer`], of the one that a number stands for now.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn customer_of(
    views: &(impl Read + ?Sized),
    number: CustomerNumber,
) -> Result<Option<Customer>, StoreError> {
    let Some(kept) = one(views, number)? else { return Ok(None) };
    if kept.merged.is_none() {
        return whole(views, kept).map(Some);
    }
    customer(views, survivor(views, number)?)
}

fn whole(views: &(impl Read + ?Sized), kept: Customer) -> Result<Customer, StoreError> {
    if kept.members.is_empty() {
        return Ok(kept);
    }
    let members = members(views, &kept)?;
    let mut whole = Customer { members: Vec::new(), ..kept };
    for number in members {
        if let Some(member) = one(views, number)? {
            // What a merge checked still adds up, but for sums that have grown together since: then those are left out.
            let less = whole.clone();
            whole = whole.with(member).unwrap_or(less);
            whole.members.push(number);
        }
    }
    Ok(whole)
}

/// What is kept under one number alone, with the last visit of the customer it stands for: for whoever goes through the
/// numbers, not the customers.
pub(super) fn alone(views: &(impl Read + ?Sized), kept: Customer) -> Result<Customer, StoreError> {
    if kept.merged.is_none() && kept.members.is_empty() {
        return Ok(kept);
    }
    let whole = customer_of(views, kept.customer)?;
    let last_visit = whole.map_or(kept.last_visit, |whole| whole.last_visit);
    Ok(Customer { last_visit, ..kept })
}

/// Everybody who was merged into a customer, at first and at second hand.
fn members(views: &(impl Read + ?Sized), kept: &Customer) -> Result<Vec<CustomerNumber>, StoreError> {
    let mut all = kept.members.clone();
    let mut next = 0;
    while let Some(number) = all.get(next).copied().filter(|_| next <= MEMBERS_MAX) {
        all.extend(one(views, number)?.map(|member| member.members).unwrap_or_default());
        next = next.saturating_add(1);
    }
    Ok(all)
}

/// The number itself, then everybody who was merged into it.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn numbers_of(
    views: &(impl Read + ?Sized),
    number: CustomerNumber,
) -> Result<Vec<CustomerNumber>, StoreError> {
    let Some(kept) = one(views, number)? else { return Ok(vec![number]) };
    let mut numbers = vec![number];
    numbers.extend(members(views, &kept)?);
    Ok(numbers)
}

/// Under which of a customer's numbers a sale is counted.
///
/// # Errors
/// [`StoreError`] when a view cannot be read.
pub fn sale_owner(
    views: &(impl Read + ?Sized),
    customer: CustomerNumber,
    sale: SaleId,
) -> Result<CustomerNumber, StoreError> {
    for number in numbers_of(views, customer)? {
        if views.get(SALES_OF, &sale_of(number, sale))?.is_some() {
            return Ok(number);
        }
    }
    Ok(customer)
}

/// Under which of a customer's numbers a card is kept.
pub(super) fn card_owner(
    views: &(impl Read + ?Sized),
    customer: CustomerNumber,
    card: CardId,
) -> Result<CustomerNumber, StoreError> {
    for number in numbers_of(views, customer)? {
        if one(views, number)?.is_some_and(|kept| kept.card(card).is_some()) {
            return Ok(number);
        }
    }
    Ok(customer)
}

pub(super) fn begin(views: &mut dyn ReadWrite, kept: &Merge) -> Result<(), FoldError> {
    change_customer(views, kept.from, |from| {
        from.merged = Some((kept.into, kept.merge));
        Ok(())
    })?;
    change_customer(views, kept.into, |into| {
        into.members.push(kept.from);
        Ok(())
    })?;
    put(views, MERGES, kept.merge.0.as_bytes(), kept)
}

pub(super) fn end(views: &mut dyn ReadWrite, merge: MergeId, at: Timestamp) -> Result<(), FoldError> {
    let kept: Merge = known(views, MERGES, merge.0.as_bytes(), "a merge is undone that never was")?;
    change_customer(views, kept.from, |from| {
        from.merged = None;
        Ok(())
    })?;
    change_customer(views, kept.into, |into| {
        into.members.retain(|member| *member != kept.from);
        Ok(())
    })?;
    put(views, MERGES, merge.0.as_bytes(), &Merge { undone: Some(at), ..kept })
}

/// Notes with the merges between `owner` and the customer who goes on that points of `owner`'s came or went.
pub(super) fn note(
    views: &mut dyn ReadWrite,
    (owner, customer): (CustomerNumber, CustomerNumber),
    moved: &[(Option<Timestamp>, i64)],
) -> Result<(), FoldError> {
    let mut number = owner;
    while number != customer {
        let Some((into, merge)) = one(views, number)?.and_then(|kept| kept.merged) else { break };
        let mut kept: Merge = known(views, MERGES, merge.0.as_bytes(), "points of a merge that never was")?;
        for (expires_at, points) in moved {
            kept.brought.note(*expires_at, *points);
        }
        put(views, MERGES, merge.0.as_bytes(), &kept)?;
        number = into;
    }
    Ok(())
}
