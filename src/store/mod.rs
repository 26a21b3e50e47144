//! The neutral half: customers, cards, issues, visits and sales, without a name among them.
//!
//! [`StoreFold`] turns events into views; the functions below read them. A view's value is written
//! whole, so that whoever reads one sees a state that was. Views are in postcard: compact, and never
//! kept for long, for another [`VIEWS_VERSION`] makes them anew from the journal, which is JSON.

mod alert;
mod consent;
mod contest;
mod credit;
mod fold;
mod issue;
mod lost;
mod merged;
mod months;
mod operator;
mod parked;
mod points;
mod reward;
mod sale;

pub use alert::{ALERTS_KEPT_US, CardAlertKept, card_alerts};
pub use consent::consent_text;
pub use contest::{drawn, entries, entries_of};
pub use credit::{credit, credits_of, credits_open};
pub use fold::StoreFold;
pub use issue::{issue, issue_of_recall, issues_due, issues_of, issues_of_serial};
pub use lost::{lost, lost_of, lost_on};
pub use merged::{Merge, customer, customer_of, merge, numbers_of, sale_owner, survivor};
pub use months::months;
pub use operator::{operator, operators};
pub use parked::{parked, parked_open};
pub use points::{
    HoldKept, LedgerLine, adjustment, adjustments_open, hold, points, points_due, points_ledger,
    points_of_sale,
};
pub use reward::{RewardKept, reward, rewards_in, rewards_of};
pub use sale::{has_receipt, own_sales_of, returned, sale, sale_of_receipt, sales_of};

use crate::domain::customer::Customer;
use crate::domain::event::{RequestDone, StoreEvent};
use crate::domain::id::{CardId, CustomerNumber, JobId, PrinterName, RegisterName, VisitId};
use crate::domain::time::Timestamp;
use crate::log::{FoldError, Half, Read, Recall, Tx, View, ViewError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

/// Counts up whenever a view's layout changes: views of another number are made anew.
pub const VIEWS_VERSION: u32 = 8;

const fn neutral(number: u8) -> View {
    View { half: Half::Neutral, number }
}

/// Customer number → the customer; the number and [`ACCOUNT`] → the account of points. A scan reads both: next to each other they lie
/// in one block as a rule, and to look up the second costs next to nothing.
const CUSTOMERS: View = neutral(0);
const ACCOUNT: u8 = b'a';
const ISSUES: View = neutral(1);
/// Idempotency key → sequence of the transaction that carried the request out.
const REQUESTS: View = neutral(2);
const VISITS: View = neutral(3);
/// The last visit that was forgotten, under the empty key: those before it are forgotten too.
const VISITS_FORGOTTEN: View = neutral(12);
/// The visit that is open at each register.
const REGISTERS: View = neutral(4);
const JOBS: View = neutral(5);
/// Ids of the jobs that have not ended.
const JOBS_OPEN: View = neutral(7);
/// Customer number, then issue id: every issue a customer ever had.
const ISSUES_OF: View = neutral(6);

/// A view that cannot be read or does not hold what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The view itself fails.
    #[error("a view of the store cannot be read; `ficha doctor` says what to do")]
    View(#[from] ViewError),
    /// The number leads on: the customer was merged into another.
    #[error("this customer was merged into {into}; name that number")]
    Merged {
        /// The number that stands for it.
        into: CustomerNumber,
    },
    /// The value is whole but not of this version.
    #[error(
        "a value in the store's views is of another layout; stop fichad, delete the folder store/views, start it again"
    )]
    Layout(#[source] postcard::Error),
}

/// A visit as the views keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// Who.
    pub customer: CustomerNumber,
    /// Where.
    pub register: RegisterName,
    /// Since when.
    pub opened_at: Timestamp,
    /// Whether the register is still busy with it.
    pub state: VisitState,
}

/// Whether a visit still stands for whoever is at the counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VisitState {
    /// It does.
    Open,
    /// The register ended it.
    Ended,
    /// Another customer came.
    Replaced,
}

/// A print job as the views keep it: no code, no name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Names it.
    pub job: JobId,
    /// For whom.
    pub customer: CustomerNumber,
    /// The card on it.
    pub card: CardId,
    /// Where.
    pub printer: PrinterName,
    /// The words of `print::queue`.
    pub state: String,
    /// Why it failed.
    pub reason: Option<String>,
    /// Texts that its paper lacks: `title`, `name`.
    pub omitted: Vec<String>,
}

/// What is kept under one number, whatever was merged.
fn one(views: &(impl Read + ?Sized), customer: CustomerNumber) -> Result<Option<Customer>, StoreError> {
    value(views, CUSTOMERS, customer.0.as_bytes())
}

/// What is kept under one number alone, whoever was merged, with the last visit of the customer it stands for.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn customer_alone(
    views: &(impl Read + ?Sized),
    number: CustomerNumber,
) -> Result<Option<Customer>, StoreError> {
    one(views, number)?.map(|kept| merged::alone(views, kept)).transpose()
}

/// The customers after one, each as [`customer_alone`], in the order of their numbers, at most `limit`.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn customers_after(
    views: &(impl Read + ?Sized),
    after: Option<CustomerNumber>,
    limit: usize,
) -> Result<Vec<Customer>, StoreError> {
    let mut from = after.map_or(Vec::new(), |after| just_after(&beside(after, u8::MAX)));
    let mut customers = Vec::new();
    while customers.len() < limit {
        let found = views.scan_from(CUSTOMERS, &[], &from, limit)?;
        let Some((last, _)) = found.last() else { break };
        from = just_after(last);
        for (_, value) in found.iter().filter(|(key, _)| key.len() == 16) {
            let kept = postcard::from_bytes(value).map_err(StoreError::Layout)?;
            customers.push(merged::alone(views, kept)?);
        }
    }
    customers.truncate(limit);
    Ok(customers)
}

/// The key of what lies beside a customer.
fn beside(customer: CustomerNumber, what: u8) -> [u8; 17] {
    let mut key = [what; 17];
    key.iter_mut().zip(customer.0.as_bytes()).for_each(|(key, byte)| *key = *byte);
    key
}

/// The first key that may come after `key`.
fn just_after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// What a request with this idempotency key came to, if there was one.
///
/// # Errors
/// [`StoreError`] when view or journal cannot be read.
pub fn request(views: &(impl Recall + ?Sized), key: Uuid) -> Result<Option<RequestDone>, StoreError> {
    let Some(seq) = value(views, REQUESTS, key.as_bytes())? else { return Ok(None) };
    let events = views.events(seq)?.unwrap_or_default();
    let done = events.iter().filter_map(|event| match serde_json::from_slice(event) {
        Ok(StoreEvent::RequestDone(done)) => Some(done),
        Ok(_) | Err(_) => None,
    });
    Ok(done.into_iter().find(|done| done.key == key))
}

/// A visit of the last thirty days.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn visit(views: &(impl Read + ?Sized), visit: VisitId) -> Result<Option<Visit>, StoreError> {
    value(views, VISITS, visit.0.as_bytes())
}

/// A print job.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn job(views: &(impl Read + ?Sized), job: JobId) -> Result<Option<Job>, StoreError> {
    value(views, JOBS, job.0.as_bytes())
}

/// The print jobs that have not come to an end, oldest first, at most `limit`.
///
/// # Errors
/// [`StoreError`] when a view cannot be read.
pub fn jobs_open(views: &(impl Read + ?Sized), limit: usize) -> Result<Vec<Job>, StoreError> {
    let mut jobs = Vec::new();
    for (key, _) in views.scan(JOBS_OPEN, &[], limit)? {
        if let Ok(id) = Uuid::from_slice(&key) {
            jobs.extend(job(views, JobId(id))?);
        }
    }
    Ok(jobs)
}

/// Adds `event` to a transaction.
///
/// # Errors
/// [`FoldError`] when it does not fit the state: then the transaction must be refused.
pub fn emit(tx: &mut Tx<'_>, event: &StoreEvent) -> Result<(), FoldError> {
    fold::emit(tx, event)
}

fn value<T: DeserializeOwned>(
    views: &(impl Read + ?Sized),
    view: View,
    key: &[u8],
) -> Result<Option<T>, StoreError> {
    let Some(bytes) = views.get(view, key)? else { return Ok(None) };
    postcard::from_bytes(&bytes).map(Some).map_err(StoreError::Layout)
}
