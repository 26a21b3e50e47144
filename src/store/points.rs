//! Points: each customer's account, the ledger behind it, holds, corrections, and what time will do next.

use super::fold::{known, put, unfit};
use super::{ACCOUNT, CUSTOMERS, StoreError, beside, merged, months, neutral, numbers_of, reward, value};
use crate::domain::id::{AdjustmentId, CustomerNumber, HoldId, SaleId};
use crate::domain::points::{Account, Adjustment, PointsEntry, PointsKind, Slice};
use crate::domain::time::Timestamp;
use crate::log::{FoldError, Read, ReadWrite, View};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Customer number, then the entry's: the ledger, oldest first.
const LEDGER: View = neutral(17);
/// Sale, customer number, entry's number: what a sale earned and what was taken back of it.
const LEDGER_OF_SALE: View = neutral(18);
const HOLDS: View = neutral(19);
/// When, then customer number: what lapses or expires by itself.
const DUE: View = neutral(20);
const ADJUSTMENTS: View = neutral(21);
/// Ids of the corrections that nobody has decided → when they were proposed.
const ADJUSTMENTS_OPEN: View = neutral(32);

/// The most entries of one sale: an earning and what is taken back of it line by line.
const OF_SALE_MAX: usize = 256;

/// One line of a ledger as the views keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerLine {
    /// Its number in the customer's ledger.
    pub number: u64,
    /// Whose.
    pub customer: CustomerNumber,
    /// When it was written.
    pub at: Timestamp,
    /// What it is.
    pub kind: PointsKind,
    /// How the balance changed; of a hold or release, how many points were set aside or let go.
    pub points: i64,
    /// The day of the lot that was earned into.
    pub expires_at: Option<Timestamp>,
    /// The sale it belongs to.
    pub sale: Option<SaleId>,
    /// Its hold.
    pub hold: Option<HoldId>,
    /// How many of the points were taken back since.
    pub taken_back: i64,
}

/// What became of a hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldKept {
    /// Whose points.
    pub customer: CustomerNumber,
    /// Captured and not given back, in the order in which they were spent.
    pub spent: Vec<Slice>,
    /// The sale that they were captured for, if one was named.
    pub sale: Option<SaleId>,
}

/// The account of a customer; an empty one if there is none yet.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn points(views: &(impl Read + ?Sized), customer: CustomerNumber) -> Result<Account, StoreError> {
    Ok(value(views, CUSTOMERS, &beside(customer, ACCOUNT))?.unwrap_or_default())
}

/// The newest lines of a customer's ledger and of everybody's who was merged into them, newest first, at most `limit`. Of one
/// moment the lines of whoever goes on come first.
///
/// # Errors
/// [`StoreError`] when a view cannot be read.
pub fn points_ledger(
    views: &(impl Read + ?Sized),
    customer: CustomerNumber,
    limit: usize,
) -> Result<Vec<LedgerLine>, StoreError> {
    let mut lines: Vec<LedgerLine> = Vec::new();
    for owner in numbers_of(views, customer)? {
        let newest_first = (1..=points(views, owner)?.entries()).rev().take(limit);
        for number in newest_first {
            lines.extend(value(views, LEDGER, &line_key(owner, number))?);
        }
    }
    lines.sort_by_key(|line| std::cmp::Reverse(line.at));
    lines.truncate(limit);
    Ok(lines)
}

/// What `sale` earned and what was taken back of it, oldest first.
///
/// # Errors
/// [`StoreError`] when a view cannot be read.
pub fn points_of_sale(views: &(impl Read + ?Sized), sale: SaleId) -> Result<Vec<LedgerLine>, StoreError> {
    let mut lines = Vec::new();
    for (key, _) in views.scan(LEDGER_OF_SALE, sale.0.as_bytes(), OF_SALE_MAX)? {
        lines.extend(value(views, LEDGER, key.get(16..).unwrap_or_default())?);
    }
    Ok(lines)
}

/// A hold, also one that has ended.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn hold(views: &(impl Read + ?Sized), hold: HoldId) -> Result<Option<HoldKept>, StoreError> {
    value(views, HOLDS, hold.0.as_bytes())
}

/// The customers whose holds have lapsed or whose points have expired by `now`, at most `limit`.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn points_due(
    views: &(impl Read + ?Sized),
    now: Timestamp,
    limit: usize,
) -> Result<Vec<CustomerNumber>, StoreError> {
    let mut due = Vec::new();
    for (key, _) in views.scan(DUE, &[], limit)? {
        let at = key.first_chunk().map(|at| i64::from_be_bytes(*at));
        if at.is_none_or(|at| at > now.0) {
            break;
        }
        due.extend(key.get(8..).and_then(|id| Uuid::from_slice(id).ok()).map(CustomerNumber));
    }
    Ok(due)
}

/// A correction, proposed or decided.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn adjustment(
    views: &(impl Read + ?Sized),
    adjustment: AdjustmentId,
) -> Result<Option<Adjustment>, StoreError> {
    value(views, ADJUSTMENTS, adjustment.0.as_bytes())
}

/// The corrections that nobody has decided, with when they were proposed, the oldest first, at most `limit`.
///
/// # Errors
/// [`StoreError`] when a view cannot be read.
pub fn adjustments_open(
    views: &(impl Read + ?Sized),
    limit: usize,
) -> Result<Vec<(Timestamp, Adjustment)>, StoreError> {
    let mut open = Vec::new();
    for (id, at) in views.scan(ADJUSTMENTS_OPEN, &[], limit)? {
        let at = postcard::from_bytes(&at).map_err(StoreError::Layout)?;
        open.extend(value(views, ADJUSTMENTS, &id)?.map(|kept| (at, kept)));
    }
    Ok(open)
}

pub(super) fn keep_adjustment(
    views: &mut dyn ReadWrite,
    at: Timestamp,
    kept: &Adjustment,
) -> Result<(), FoldError> {
    put(views, ADJUSTMENTS_OPEN, kept.adjustment.0.as_bytes(), &at)?;
    put(views, ADJUSTMENTS, kept.adjustment.0.as_bytes(), kept)
}

pub(super) fn decide_adjustment(
    views: &mut dyn ReadWrite,
    adjustment: AdjustmentId,
    approved: bool,
    by: u32,
) -> Result<(), FoldError> {
    let key = adjustment.0.as_bytes();
    let mut kept: Adjustment =
        known(views, ADJUSTMENTS, key, "a correction is decided that nobody proposed")?;
    kept.decided = Some((approved, by));
    views.remove(ADJUSTMENTS_OPEN, key);
    put(views, ADJUSTMENTS, key, &kept)
}

pub(super) fn apply(
    views: &mut dyn ReadWrite,
    at: Timestamp,
    customer: CustomerNumber,
    entry: &PointsEntry,
) -> Result<(), FoldError> {
    let mut account = points(views, customer)?;
    let was_due = account.due();
    account.apply(entry).map_err(|error| unfit(&error.to_string()))?;
    put(views, CUSTOMERS, &beside(customer, ACCOUNT), &account)?;
    if was_due != account.due() {
        if let Some(was) = was_due {
            views.remove(DUE, &due_key(was, customer));
        }
        if let Some(due) = account.due() {
            put(views, DUE, &due_key(due, customer), &())?;
        }
    }
    keep_line(views, at, customer, entry)?;
    keep_hold(views, customer, entry)
}

fn keep_line(
    views: &mut dyn ReadWrite,
    at: Timestamp,
    customer: CustomerNumber,
    entry: &PointsEntry,
) -> Result<(), FoldError> {
    let moved = crate::domain::points::sum(&entry.out_of);
    let points = match entry.kind {
        PointsKind::Hold | PointsKind::Release => moved,
        PointsKind::Earn
        | PointsKind::Import
        | PointsKind::Capture
        | PointsKind::ReverseEarn
        | PointsKind::ReverseRedeem
        | PointsKind::Expire
        | PointsKind::Adjust
        | PointsKind::MergeOut
        | PointsKind::MergeIn
        | PointsKind::Unmerge => entry.points,
    };
    let line = LedgerLine {
        number: entry.number,
        customer,
        at,
        kind: entry.kind,
        points,
        expires_at: entry.expires_at,
        sale: entry.sale,
        hold: entry.hold,
        taken_back: 0,
    };
    put(views, LEDGER, &line_key(customer, entry.number), &line)?;
    if entry.kind == PointsKind::Earn {
        months::earned(views, customer, at, entry.points)?;
    }
    if let Some(sale) = entry.sale {
        let line = line_key(customer, entry.number);
        put(views, LEDGER_OF_SALE, &[&sale.0.as_bytes()[..], &line].concat(), &())?;
    }
    let Some(of) = entry.of else { return Ok(()) };
    let owner = entry.of_customer.unwrap_or(customer);
    let key = line_key(owner, of);
    let mut earned: LedgerLine = known(views, LEDGER, &key, "points are taken back that were never earned")?;
    earned.taken_back = earned.taken_back.saturating_sub(entry.points);
    // Of a customer who was merged: it is of what they brought.
    merged::note(views, (owner, customer), &[(earned.expires_at, entry.points)])?;
    months::earned(views, owner, earned.at, entry.points)?;
    put(views, LEDGER, &key, &earned)
}

fn keep_hold(
    views: &mut dyn ReadWrite,
    customer: CustomerNumber,
    entry: &PointsEntry,
) -> Result<(), FoldError> {
    let Some(named) = entry.hold else { return Ok(()) };
    let mut kept = hold(views, named)?.unwrap_or(HoldKept { customer, spent: Vec::new(), sale: None });
    match entry.kind {
        PointsKind::Capture => {
            kept.spent.extend(&entry.out_of);
            kept.sale = entry.sale;
            reward::given(views, kept.customer, named, entry.sale)?;
        }
        PointsKind::ReverseRedeem => {
            let back: Vec<Slice> = kept.spent.iter().rev().copied().collect();
            let back = crate::domain::points::take(&back, entry.points).unwrap_or_default();
            let back: Vec<_> = back.iter().map(|slice| (slice.expires_at, slice.points)).collect();
            merged::note(views, (kept.customer, customer), &back)?;
            let left = crate::domain::points::sum(&kept.spent).saturating_sub(entry.points);
            kept.spent = crate::domain::points::take(&kept.spent, left)
                .ok_or_else(|| unfit("more points are given back than were spent"))?;
        }
        PointsKind::Hold
        | PointsKind::Release
        | PointsKind::Earn
        | PointsKind::Import
        | PointsKind::ReverseEarn
        | PointsKind::Expire
        | PointsKind::Adjust
        | PointsKind::MergeOut
        | PointsKind::MergeIn
        | PointsKind::Unmerge => {}
    }
    put(views, HOLDS, named.0.as_bytes(), &kept)
}

fn line_key(customer: CustomerNumber, number: u64) -> [u8; 24] {
    let mut key = [0; 24];
    let (left, right) = key.split_at_mut(16);
    left.copy_from_slice(customer.0.as_bytes());
    right.copy_from_slice(&number.to_be_bytes());
    key
}

fn due_key(due: Timestamp, customer: CustomerNumber) -> [u8; 24] {
    let mut key = [0; 24];
    let (left, right) = key.split_at_mut(8);
    left.copy_from_slice(&due.0.to_be_bytes());
    right.copy_from_slice(customer.0.as_bytes());
    key
}
