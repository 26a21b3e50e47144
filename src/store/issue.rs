//! Issues as they are looked for: by id, by customer, by serial number, and by what is due next.

use super::{ISSUES, ISSUES_OF, StoreError, numbers_of, value};
use crate::domain::id::{CustomerNumber, IssueId};
use crate::domain::issue::{Issue, Purchase};
use crate::log::{Read, View};
use uuid::Uuid;

/// Serial number, a zero, then issue id: every issue that named it.
pub(super) const SERIALS: View = super::neutral(25);
/// When, then issue id: what is due next of each issue that is open and does not wait.
pub(super) const ISSUES_DUE: View = super::neutral(26);

/// The most issues of one customer that are gone through, ids only: more than anybody has in a lifetime.
const ISSUES_OF_MAX: usize = 10_000;

/// The most issues of one customer among which one of a recall is looked for, the newest.
const RECALLED_AMONG_MAX: usize = 256;

/// The most issues of one serial number that are gone through.
const OF_SERIAL_MAX: usize = 64;

/// An issue, open or closed.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn issue(views: &(impl Read + ?Sized), issue: IssueId) -> Result<Option<Issue>, StoreError> {
    value(views, ISSUES, issue.0.as_bytes())
}

/// The issues of a customer, newest first, at most `limit`.
///
/// # Errors
/// [`StoreError`] when a view cannot be read.
pub fn issues_of(
    views: &(impl Read + ?Sized),
    customer: CustomerNumber,
    limit: usize,
) -> Result<Vec<Issue>, StoreError> {
    let mut keys = Vec::new();
    for number in numbers_of(views, customer)? {
        keys.extend(
            views.scan(ISSUES_OF, number.0.as_bytes(), ISSUES_OF_MAX)?.into_iter().map(|(key, _)| key),
        );
    }
    // An issue's id begins with when it was opened, so the last is the newest.
    keys.sort_unstable_by(|one, other| one.get(16..).cmp(&other.get(16..)));
    by_key(views, keys.into_iter().rev().take(limit))
}

/// The issue of a customer that was opened for a line of a sale under a recall's number, whatever became of it since.
///
/// # Errors
/// [`StoreError`] when a view cannot be read.
pub fn issue_of_recall(
    views: &(impl Read + ?Sized),
    customer: CustomerNumber,
    recall: &str,
    purchase: Purchase,
) -> Result<Option<IssueId>, StoreError> {
    let of_it = |issue: &Issue| {
        issue.claim.recall.as_deref() == Some(recall) && issue.claim.purchase == Some(purchase)
    };
    let issues = issues_of(views, customer, RECALLED_AMONG_MAX)?;
    Ok(issues.into_iter().find(of_it).map(|issue| issue.issue))
}

/// The issues, anybody's, that named this serial number, oldest first, at most 64.
///
/// # Errors
/// [`StoreError`] when a view cannot be read.
pub fn issues_of_serial(views: &(impl Read + ?Sized), serial: &str) -> Result<Vec<Issue>, StoreError> {
    let kept = views.scan(SERIALS, &serial_prefix(serial), OF_SERIAL_MAX)?;
    by_key(views, kept.into_iter().map(|(key, _)| key))
}

/// The issues of the shop of which something is due, the soonest first, at most `limit`.
///
/// # Errors
/// [`StoreError`] when a view cannot be read.
pub fn issues_due(views: &(impl Read + ?Sized), limit: usize) -> Result<Vec<Issue>, StoreError> {
    let kept = views.scan(ISSUES_DUE, &[], limit)?;
    by_key(views, kept.into_iter().map(|(key, _)| key))
}

/// The issues whose ids stand at the end of keys.
fn by_key(
    views: &(impl Read + ?Sized),
    keys: impl Iterator<Item = Vec<u8>>,
) -> Result<Vec<Issue>, StoreError> {
    let mut issues = Vec::new();
    for key in keys {
        let id = key.len().checked_sub(16).and_then(|at| key.get(at..));
        if let Some(id) = id.and_then(|id| Uuid::from_slice(id).ok()) {
            issues.extend(issue(views, IssueId(id))?);
        }
    }
    Ok(issues)
}

fn serial_prefix(serial: &str) -> Vec<u8> {
    // No serial number holds a control character.
    let mut key = serial.as_bytes().to_vec();
    key.push(0);
    key
}

pub(super) fn serial_key(serial: &str, issue: IssueId) -> Vec<u8> {
    let mut key = serial_prefix(serial);
    key.extend(issue.0.as_bytes());
    key
}

pub(super) fn due_key(issue: &Issue) -> Option<[u8; 24]> {
    let due = issue.clock.next(issue.state)?.due?;
    let mut key = [0; 24];
    let (left, right) = key.split_at_mut(8);
    left.copy_from_slice(&due.at.0.to_be_bytes());
    right.copy_from_slice(issue.issue.0.as_bytes());
    Some(key)
}
