//! What changes of an issue: its state by the allowed ways, its severity, its hint, in one decision.

use super::{change_till, in_the_way};
use crate::desk::person::no_such_customer;
use crate::domain::customer::OPEN_ISSUES_MAX;
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::id::{CustomerNumber, IssueId};
use crate::domain::issue::{Clock, Issue, IssueState, Severity, Terms};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::Timestamp;
use crate::log::Tx;
use crate::store;
use crate::vault::Vault;

/// What is to change of an issue.
#[derive(Default)]
pub(super) struct Change {
    pub(super) state: Option<IssueState>,
    pub(super) severity: Option<Severity>,
    pub(super) duplicate_of: Option<IssueId>,
    pub(super) hint: Option<String>,
}

/// Changes an issue within a transaction.
pub(super) fn apply(
    tx: &mut Tx<'_>,
    kept: &Issue,
    change: Change,
    terms: &Terms,
    (vault, nonce): (&Vault, [u8; 24]),
) -> Result<Outcome, Refusal> {
    let Change { state, severity, duplicate_of, hint } = change;
    let (customer, issue) = (kept.customer, kept.issue);
    let steps = state.map(|state| way(kept.state, state)).transpose()?.unwrap_or_default();
    let open_after = steps.last().copied().unwrap_or(kept.state).is_open();
    if hint.is_some() && !open_after {
        return Err(in_the_way("hint", "an issue that is over has no hint any more"));
    }
    if severity.is_some() && !open_after {
        return Err(in_the_way("severity", "an issue that is over keeps its severity"));
    }
    if open_after && !kept.state.is_open() {
        // The issue stays under the number it was opened for; how many are open is the customer's who goes on.
        room_for_issue(tx, store::survivor(tx, customer)?, "state")?;
    }
    duplicate_of.map_or(Ok(()), |other| check_duplicate(tx, kept, other))?;
    let over = !open_after && !steps.is_empty();
    if hint.is_some() || over {
        change_till(tx, vault, customer, nonce, |till| {
            if let Some(hint) = hint {
                till.hints.insert(issue, hint);
            }
            if over {
                till.hints.remove(&issue);
            }
        })?;
    }
    let at = Timestamp(tx.meta().at_us);
    let grade = severity.unwrap_or(kept.claim.grade());
    let (mut state, mut clock) = (kept.state, kept.clock.clone());
    if severity.is_some() {
        clock = terms.regraded(kept.kind, grade, &clock);
        let clock = Box::new(clock.clone());
        store::emit(tx, &StoreEvent::IssueRescheduled { customer, issue, severity, clock })?;
    }
    for next in steps {
        let moved = terms.moved((kept.kind, grade), &clock, (state, next), at);
        clock = moved.map_err(|error| in_the_way("state", error.to_string()))?;
        state = next;
        let clock = Some(clock.clone()).filter(|clock| *clock != Clock::default()).map(Box::new);
        store::emit(tx, &StoreEvent::IssueMoved { customer, issue, state, duplicate_of, clock })?;
    }
    Ok(Outcome { customer: Some(customer), issue: Some(issue), ..Outcome::default() })
}

/// Whether an issue can be the same as another: one of the same customer that stands by itself.
fn check_duplicate(tx: &Tx<'_>, kept: &Issue, other: IssueId) -> Result<(), Refusal> {
    let found = store::issue(tx, other)?;
    let found = found.filter(|found| found.state != IssueState::Duplicate && other != kept.issue);
    if let Some(found) = found
        && store::survivor(tx, found.customer)? == store::survivor(tx, kept.customer)?
    {
        return Ok(());
    }
    Err(Refusal::field("duplicate_of", "must be another issue of this customer that is no duplicate itself"))
}

/// Whether one more issue may be open; `field` is what asks for it.
pub(super) fn room_for_issue(tx: &Tx<'_>, customer: CustomerNumber, field: &str) -> Result<(), Refusal> {
    let kept = store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
    if kept.issues_open.len() < OPEN_ISSUES_MAX {
        return Ok(());
    }
    let message = format!("the customer has {OPEN_ISSUES_MAX} open issues; close one first");
    Err(Refusal::conflict(field, message))
}

/// The states to go through; closing passes `RESOLVED` by itself, for a cashier should not need to know that.
fn way(from: IssueState, to: IssueState) -> Result<Vec<IssueState>, Refusal> {
    if let Some(way) = path(from, to) {
        return Ok(way);
    }
    let others = IssueState::ALL.into_iter().filter(|next| path(from, *next).is_some());
    let others: Vec<&str> = others.map(IssueState::word).collect();
    let others = if others.is_empty() {
        "it is over".to_owned()
    } else {
        format!("it can become {}", others.join(", "))
    };
    let message = format!("an issue that is {} cannot become {}; {others}", from.word(), to.word());
    Err(Refusal { field: Some("state".to_owned()), ..Refusal::new(RefusalCode::Conflict, message) })
}

fn path(from: IssueState, to: IssueState) -> Option<Vec<IssueState>> {
    if from.may_become(to) {
        return Some(vec![to]);
    }
    (to == IssueState::Closed && from.may_become(IssueState::Resolved))
        .then(|| vec![IssueState::Resolved, to])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_has_every_step_and_a_refusal_says_which_there_are() {
        let protocol = include_str!("../../push/PROTOCOL.md");
        for from in IssueState::ALL {
            let to: Vec<&str> = IssueState::ALL
                .into_iter()
                .filter(|to| path(from, *to).is_some())
                .map(IssueState::word)
                .collect();
            let told = if to.is_empty() { "none".to_owned() } else { format!("`{}`", to.join("`, `")) };
            let row = format!("| `{}` | {told} |", from.word());
            assert!(protocol.contains(&row), "{row}");
            let refused = way(from, from).unwrap_err().message;
            let said = if to.is_empty() { "it is over".to_owned() } else { to.join(", ") };
            assert!(refused.ends_with(&said), "{refused}");
        }
    }
}
