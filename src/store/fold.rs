//! How each neutral event changes the views.

mod cards;
mod issues;
mod quick;
mod sales;

use super::sale::RECEIPTS;
use super::{
    CUSTOMERS, JOBS, JOBS_OPEN, Job, Merge, REGISTERS, REQUESTS, StoreError, VIEWS_VERSION, VISITS,
    VISITS_FORGOTTEN, Visit, VisitState, alert, consent, contest, credit, just_after, lost, merged, operator,
    parked, points, reward, value,
};
use crate::domain::customer::Customer;
use crate::domain::event::StoreEvent;
use crate::domain::id::{CustomerNumber, JobId, RegisterName, VisitId};
use crate::domain::operator::{By, OperatorKept};
use crate::domain::purchase::ParkedState;
use crate::domain::time::Timestamp;
use crate::log::{Asked, Fold, FoldError, Half, Meta, ReadWrite, Tx, View};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// Room for the usual event, a receipt of a few lines, so that it is not copied while it is written.
const EVENT_BYTES: usize = 1 << 10;

/// The states of a print job after which nothing more is heard of it, as the journal has them.
const JOB_ENDS: [&str; 5] = ["sent", "printed", "processed", "failed", "unknown"];

/// How long a visit can be referred to: whoever records a sale for a customer of a month ago names the customer.
const VISIT_KEPT_US: i64 = 30 * 24 * 3600 * 1_000_000;
/// One transaction of so many looks for visits to be forgotten, and takes out at most twice as many.
const FORGET_EVERY: u64 = 64;
const FORGET_MAX: usize = 128;

/// The fold of the neutral half. Needs no key, no clock and no config.
#[derive(Debug, Clone, Copy, Default)]
pub struct StoreFold;

impl Fold for StoreFold {
    fn version(&self) -> u32 {
        VIEWS_VERSION
    }

    fn asked(&self, view: View) -> Asked {
        match view {
            CUSTOMERS => Asked::Often,
            REQUESTS | RECEIPTS => Asked::New,
            _ => Asked::Seldom,
        }
    }

    fn apply(&self, meta: &Meta, event: &[u8], views: &mut dyn ReadWrite) -> Result<(), FoldError> {
        match quick::read(event) {
            Some(quick) => quick.apply(meta, views),
            None => apply(meta, serde_json::from_slice(event).map_err(bad)?, views),
        }
    }
}

/// Adds `event` to a transaction, as the journal keeps it.
pub(super) fn emit(tx: &mut Tx<'_>, event: &StoreEvent) -> Result<(), FoldError> {
    let mut bytes = Vec::with_capacity(EVENT_BYTES);
    serde_json::to_writer(&mut bytes, event).map_err(bad)?;
    match quick::of(event) {
        Some(quick) => {
            tx.emit_folded((Half::Neutral, VIEWS_VERSION), &bytes, &|meta, views| quick.apply(meta, views))
        }
        None => tx.emit(Half::Neutral, &bytes),
    }
}

fn apply(meta: &Meta, event: StoreEvent, views: &mut dyn ReadWrite) -> Result<(), FoldError> {
    let at = Timestamp(meta.at_us);
    match event {
        StoreEvent::RequestDone(request) => keep_request(meta, views, request.key),
        StoreEvent::CustomerEnrolled { customer } => {
            put(views, CUSTOMERS, customer.0.as_bytes(), &Customer::new(customer, at))
        }
        StoreEvent::CustomersMerged { merge, from, into, brought } => {
            merged::begin(views, &Merge { merge, from, into, at, brought, undone: None })
        }
        StoreEvent::CustomersUnmerged { merge, .. } => merged::end(views, merge, at),
        event @ (StoreEvent::CardIssued { .. }
        | StoreEvent::CardStatusSet { .. }
        | StoreEvent::CardValiditySet { .. }) => cards::apply(at, event, views),
        StoreEvent::VisitOpened { visit, customer, register, repeat_of, .. } => {
            open_visit(meta, views, (visit, customer, &register), repeat_of)
        }
        StoreEvent::BlockedCardShown(shown) => alert::keep(views, meta, shown),
        StoreEvent::VisitEnded { visit } => end_visit(views, visit),
        event @ (StoreEvent::SaleRecorded(_)
        | StoreEvent::SaleAttached { .. }
        | StoreEvent::SaleReturned(_)
        | StoreEvent::SaleVoided { .. }) => sales::apply(meta, event, views),
        StoreEvent::SaleParked(kept) => parked::park(views, &kept),
        StoreEvent::ParkedTakenUp { parked } => parked::end(views, parked, ParkedState::TakenUp),
        StoreEvent::ParkedLapsed { parked } => parked::end(views, parked, ParkedState::Lapsed),
        StoreEvent::SaleLost(kept) => lost::keep(views, &kept),
        StoreEvent::LostRecovered { lost, sale } => lost::recover(views, lost, sale),
        event @ (StoreEvent::IssueOpened { .. }
        | StoreEvent::IssueMoved { .. }
        | StoreEvent::IssueRescheduled { .. }
        | StoreEvent::IssueAnswered { .. }) => issues::apply(at, event, views),
        StoreEvent::PointsMoved { customer, entry } => points::apply(views, at, customer, &entry),
        StoreEvent::PointsAdjustmentProposed(adjustment) => points::keep_adjustment(views, at, &adjustment),
        StoreEvent::PointsAdjustmentDecided { adjustment, approved, by, .. } => {
            points::decide_adjustment(views, adjustment, approved, by)
        }
        StoreEvent::PersonalRead(_) | StoreEvent::BreachAssessed(_) => Ok(()),
        StoreEvent::OperatorSet { operator, active, pin, by, by_operator } => {
            let set_by = By { uid: by, operator: by_operator };
            operator::keep(views, &OperatorKept { operator, active, pin, set_at: at, set_by })
        }
        StoreEvent::ConsentTextKept { hash, text } => consent::keep(views, &hash, &text),
        StoreEvent::ContestEntered(entry) => contest::enter(views, &entry),
        StoreEvent::ContestDrawn(drawn) => contest::keep_draw(views, &drawn),
        StoreEvent::JobQueued { job, customer, card, printer } => {
            let state = "queued".to_owned();
            let kept = Job { job, customer, card, printer, state, reason: None, omitted: Vec::new() };
            put(views, JOBS_OPEN, job.0.as_bytes(), &())?;
            put(views, JOBS, job.0.as_bytes(), &kept)
        }
        StoreEvent::JobMoved { job, state, reason, omitted } => {
            move_job(views, job, (state, reason), omitted)
        }
        StoreEvent::RewardHeld(held) => reward::keep(views, *held),
        StoreEvent::CreditGiven(given) => credit::give(views, &given),
        StoreEvent::CreditPaid { sale, payment, .. } => credit::pay(views, sale, payment),
    }
}

/// Where a request is found again: its outcome is in the journal.
fn keep_request(meta: &Meta, views: &mut dyn ReadWrite, key: Uuid) -> Result<(), FoldError> {
    put(views, REQUESTS, key.as_bytes(), &meta.seq)
}

fn move_job(
    views: &mut dyn ReadWrite,
    job: JobId,
    moved: (String, Option<String>),
    omitted: Vec<String>,
) -> Result<(), FoldError> {
    let mut kept: Job = known(views, JOBS, job.0.as_bytes(), "a job moves that was never queued")?;
    (kept.state, kept.reason) = moved;
    // What ends a job without its printer knows nothing of its paper.
    if !omitted.is_empty() {
        kept.omitted = omitted;
    }
    if JOB_ENDS.contains(&kept.state.as_str()) {
        views.remove(JOBS_OPEN, job.0.as_bytes());
    }
    put(views, JOBS, job.0.as_bytes(), &kept)
}

/// Opens a visit; whoever was at the register before is there no more. A card that is read twice in a moment is
/// still one visit: the first stays the one that counts.
fn open_visit(
    meta: &Meta,
    views: &mut dyn ReadWrite,
    (visit, customer, register): (VisitId, CustomerNumber, &RegisterName),
    repeat_of: Option<VisitId>,
) -> Result<(), FoldError> {
    if meta.seq.is_multiple_of(FORGET_EVERY) {
        forget_visits(meta, views)?;
    }
    let kept = Visit {
        customer,
        register: register.clone(),
        opened_at: Timestamp(meta.at_us),
        state: VisitState::Open,
    };
    let register = register.as_str().as_bytes();
    let before = value::<VisitId>(views, REGISTERS, register).map_err(bad)?;
    if before.is_some() && before == repeat_of {
        return put(views, VISITS, visit.0.as_bytes(), &kept);
    }
    if let Some(before) = before {
        move_visit(views, before, VisitState::Replaced)?;
    }
    put(views, REGISTERS, register, &visit)?;
    put(views, VISITS, visit.0.as_bytes(), &kept)?;
    change_customer(views, kept.customer, |customer| {
        customer.visits = customer.visits.saturating_add(1);
        customer.last_visit = Some((visit, kept.opened_at));
        Ok(())
    })
}

/// Takes out the oldest visits, that nobody refers to any more: their ids begin with the time. Goes on where it ended the last time,
/// for what was taken out lately leaves marks that would have to be gone over.
fn forget_visits(meta: &Meta, views: &mut dyn ReadWrite) -> Result<(), FoldError> {
    let until = Timestamp(meta.at_us.saturating_sub(VISIT_KEPT_US));
    let from = views.get(VISITS_FORGOTTEN, &[])?.map_or(Vec::new(), |last| just_after(&last));
    let mut last = None;
    for (key, kept) in views.scan_from(VISITS, &[], &from, FORGET_MAX)? {
        let kept: Visit = postcard::from_bytes(&kept).map_err(bad)?;
        if kept.opened_at >= until {
            break;
        }
        views.remove(VISITS, &key);
        last = Some(key);
    }
    if let Some(last) = last {
        views.put(VISITS_FORGOTTEN, &[], &last);
    }
    Ok(())
}

fn end_visit(views: &mut dyn ReadWrite, visit: VisitId) -> Result<(), FoldError> {
    let kept: Visit = known(views, VISITS, visit.0.as_bytes(), "a visit ends that never began")?;
    let register = kept.register.as_str().as_bytes();
    if value::<VisitId>(views, REGISTERS, register).map_err(bad)? == Some(visit) {
        views.remove(REGISTERS, register);
    }
    move_visit(views, visit, VisitState::Ended)
}

fn move_visit(views: &mut dyn ReadWrite, visit: VisitId, state: VisitState) -> Result<(), FoldError> {
    let key = visit.0.as_bytes();
    // A register that rested for long has one that is forgotten.
    let Some(kept) = value::<Visit>(views, VISITS, key).map_err(bad)? else { return Ok(()) };
    put(views, VISITS, key, &Visit { state, ..kept })
}

/// A value that an event takes for granted.
pub(super) fn known<T: DeserializeOwned>(
    views: &mut dyn ReadWrite,
    view: View,
    key: &[u8],
    otherwise: &str,
) -> Result<T, FoldError> {
    value(views, view, key).map_err(bad)?.ok_or_else(|| unfit(otherwise))
}

pub(super) fn change_customer(
    views: &mut dyn ReadWrite,
    customer: CustomerNumber,
    change: impl FnOnce(&mut Customer) -> Result<(), FoldError>,
) -> Result<(), FoldError> {
    let mut kept: Customer =
        known(views, CUSTOMERS, customer.0.as_bytes(), "an event names a customer who was never enrolled")?;
    change(&mut kept)?;
    put(views, CUSTOMERS, customer.0.as_bytes(), &kept)
}

pub(super) fn put<T: Serialize>(
    views: &mut dyn ReadWrite,
    view: View,
    key: &[u8],
    value: &T,
) -> Result<(), FoldError> {
    views.put(view, key, &postcard::to_stdvec(value).map_err(bad)?);
    Ok(())
}

/// An event that does not fit what the views hold.
pub(super) fn unfit(what: &str) -> FoldError {
    FoldError::Event { what: what.to_owned() }
}

impl From<StoreError> for FoldError {
    fn from(error: StoreError) -> Self {
        bad(error)
    }
}

fn bad(error: impl Into<BadCause>) -> FoldError {
    FoldError::Event { what: error.into().0 }
}

/// The text of what went wrong; a serde error of ours never quotes a value, for no event field is free text.
struct BadCause(String);

impl From<serde_json::Error> for BadCause {
    fn from(error: serde_json::Error) -> Self {
        Self(format!("an event of another version: {error}"))
    }
}

impl From<postcard::Error> for BadCause {
    fn from(error: postcard::Error) -> Self {
        Self(format!("a view's value cannot be written: {error}"))
    }
}

impl From<StoreError> for BadCause {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}
