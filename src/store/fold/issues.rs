//! Issues in the views: each whole, and while it is open with its customer too, so that whoever shows a card costs no look-up more.

use super::{change_customer, known, put};
use crate::domain::event::StoreEvent;
use crate::domain::id::{CustomerNumber, IssueId};
use crate::domain::issue::{Clock, Issue, IssueState};
use crate::domain::time::Timestamp;
use crate::log::{FoldError, ReadWrite};
use crate::store::issue::{ISSUES_DUE, SERIALS, due_key, serial_key};
use crate::store::{ISSUES, ISSUES_OF};

pub(super) fn apply(at: Timestamp, event: StoreEvent, views: &mut dyn ReadWrite) -> Result<(), FoldError> {
    if let StoreEvent::IssueOpened { customer, issue, kind, product, claim, clock } = event {
        let (claim, clock) = (*claim, clock.map(|clock| *clock).unwrap_or_default());
        let state = IssueState::New;
        let kept = Issue { issue, customer, kind, state, product, opened_at: at, moved_at: at, claim, clock };
        put(views, ISSUES_OF, &issue_of(customer, issue), &())?;
        if let Some(serial) = &kept.product.serial {
            put(views, SERIALS, &serial_key(serial, issue), &())?;
        }
        return keep(views, None, kept);
    }
    if let StoreEvent::IssueMoved { issue, state, duplicate_of, clock, .. } = event {
        return change(views, issue, |kept| {
            (kept.state, kept.moved_at) = (state, at);
            kept.claim.duplicate_of = duplicate_of;
            set(&mut kept.clock, clock);
            if state == IssueState::Reopened {
                kept.claim.satisfaction = None;
            }
        });
    }
    if let StoreEvent::IssueRescheduled { issue, severity, clock, .. } = event {
        return change(views, issue, |kept| {
            kept.claim.severity = severity.or(kept.claim.severity);
            kept.clock = *clock;
        });
    }
    if let StoreEvent::IssueAnswered { issue, score, .. } = event {
        return change(views, issue, |kept| kept.claim.satisfaction = Some(score));
    }
    Ok(())
}

fn set(clock: &mut Clock, moved: Option<Box<Clock>>) {
    if let Some(moved) = moved {
        *clock = *moved;
    }
}

fn change(
    views: &mut dyn ReadWrite,
    issue: IssueId,
    change: impl FnOnce(&mut Issue),
) -> Result<(), FoldError> {
    let kept: Issue = known(views, ISSUES, issue.0.as_bytes(), "an issue changes that was never opened")?;
    let mut changed = kept.clone();
    change(&mut changed);
    keep(views, Some(&kept), changed)
}

/// Keeps an issue whole, with its customer while it is open, and where what is due next is found.
fn keep(views: &mut dyn ReadWrite, before: Option<&Issue>, issue: Issue) -> Result<(), FoldError> {
    let (was_due, is_due) = (before.and_then(due_key), due_key(&issue));
    if was_due != is_due {
        if let Some(was_due) = was_due {
            views.remove(ISSUES_DUE, &was_due);
        }
        if let Some(is_due) = is_due {
            put(views, ISSUES_DUE, &is_due, &())?;
        }
    }
    put(views, ISSUES, issue.issue.0.as_bytes(), &issue)?;
    change_customer(views, issue.customer, |kept| {
        let place = kept.issues_open.iter().position(|open| open.issue == issue.issue);
        match (place.and_then(|place| kept.issues_open.get_mut(place)), issue.state.is_open()) {
            (Some(open), true) => *open = issue,
            (None, true) => {
                kept.issues_open.push(issue);
                kept.issues_open.sort_by_key(|open| open.opened_at);
            }
            (_, false) => kept.issues_open.retain(|open| open.issue != issue.issue),
        }
        Ok(())
    })
}

fn issue_of(customer: CustomerNumber, issue: IssueId) -> [u8; 32] {
    let mut key = [0; 32];
    let (left, right) = key.split_at_mut(16);
    left.copy_from_slice(customer.0.as_bytes());
    right.copy_from_slice(issue.0.as_bytes());
    key
}
