//! Entries of contests, by contest and by customer; and the draws.

use super::fold::put;
use super::{StoreError, just_after, value};
use crate::domain::contest::{Drawn, Entry};
use crate::domain::id::CustomerNumber;
use crate::log::{FoldError, Read, ReadWrite, View};
use uuid::Uuid;

/// `e`, contest, 0 and entry → the entry; `c`, customer number, contest, 0 and entry → nothing; `d` and contest → its draw. A
/// contest's word is printable ASCII.
const CONTESTS: View = super::neutral(31);

/// The entries of a contest after one of them, in the order of their ids, at most `limit`.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn entries(
    views: &(impl Read + ?Sized),
    contest: &str,
    after: Option<Uuid>,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    let under = entry_key(contest, None);
    let from = after.map_or_else(|| under.clone(), |after| just_after(&entry_key(contest, Some(after))));
    let found = views.scan_from(CONTESTS, &under, &from, limit)?;
    found.into_iter().map(|(_, bytes)| postcard::from_bytes(&bytes).map_err(StoreError::Layout)).collect()
}

/// The entries of a customer in a contest, under this very number, at most `limit`.
///
/// # Errors
/// [`StoreError`] when a view cannot be read.
pub fn entries_of(
    views: &(impl Read + ?Sized),
    customer: CustomerNumber,
    contest: &str,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    let under = customer_key(customer, contest);
    let mut all = Vec::new();
    for (key, _) in views.scan(CONTESTS, &under, limit)? {
        let id = key.get(under.len()..).and_then(|id| Uuid::from_slice(id).ok());
        if let Some(id) = id {
            all.extend(value::<Entry>(views, CONTESTS, &entry_key(contest, Some(id)))?);
        }
    }
    Ok(all)
}

/// The draw of a contest, if it was drawn.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn drawn(views: &(impl Read + ?Sized), contest: &str) -> Result<Option<Drawn>, StoreError> {
    value(views, CONTESTS, &draw_key(contest))
}

pub(super) fn enter(views: &mut dyn ReadWrite, entry: &Entry) -> Result<(), FoldError> {
    put(views, CONTESTS, &entry_key(&entry.contest, Some(entry.entry)), entry)?;
    let mut of = customer_key(entry.customer, &entry.contest);
    of.extend(entry.entry.as_bytes());
    put(views, CONTESTS, &of, &())
}

pub(super) fn keep_draw(views: &mut dyn ReadWrite, drawn: &Drawn) -> Result<(), FoldError> {
    put(views, CONTESTS, &draw_key(&drawn.contest), drawn)
}

fn entry_key(contest: &str, entry: Option<Uuid>) -> Vec<u8> {
    let mut key = b"e".to_vec();
    key.extend(contest.as_bytes());
    key.push(0);
    key.extend(entry.iter().flat_map(|entry| entry.into_bytes()));
    key
}

fn customer_key(customer: CustomerNumber, contest: &str) -> Vec<u8> {
    [b"c", customer.0.as_bytes().as_slice(), contest.as_bytes(), &[0]].concat()
}

fn draw_key(contest: &str) -> Vec<u8> {
    let mut key = b"d".to_vec();
    key.extend(contest.as_bytes());
    key
}
