//! Issues as they are told: deadlines with their colours, what was claimed before. No text of the vault but the hint it is handed.

use crate::domain::id::IssueId;
use crate::domain::issue::{Clock, Due, Issue, IssueKind, IssueState, Warranty};
use crate::domain::time::{Day, Timestamp};
use crate::log::Read;
use crate::store::{self, StoreError};
use serde_json::{Value, json};

/// One issue as lists show it.
pub(super) fn row(issue: &Issue, (now, today): (Timestamp, Option<Day>), hint: Option<&String>) -> Value {
    let claim = &issue.claim;
    let done = |due: Option<Due>, done: Option<Timestamp>| {
        due.map(|due| {
            json!({
                "due_at": due.at.rfc3339(), "done_at": done.map(Timestamp::rfc3339), "met": done.map(|done| done < due.at),
            })
        })
    };
    let Clock { response, responded_at, resolution, resolved_at, .. } = issue.clock;
    let pauses = issue.clock.pauses.iter();
    let pauses: Vec<Value> = pauses
        .map(|pause| json!({ "from": pause.from.rfc3339(), "to": pause.to.rfc3339() }))
        .chain(issue.clock.paused_at.map(|from| json!({ "from": from.rfc3339(), "to": null })))
        .collect();
    json!({
        "issue": issue.issue, "kind": issue.kind, "state": issue.state, "severity": claim.severity,
        "product": issue.product, "symptom": claim.symptom, "purchase": claim.purchase,
        "warranty": claim.warranty.as_ref().map(|warranty| warranted(warranty, today)),
        "recall": claim.recall, "duplicate_of": claim.duplicate_of, "satisfaction": claim.satisfaction,
        "opened_at": issue.opened_at.rfc3339(), "moved_at": issue.moved_at.rfc3339(),
        "age_days": age_days(issue.opened_at, now), "deadline": deadline(issue, now),
        "response": done(response, responded_at), "resolution": done(resolution, resolved_at),
        "pauses": pauses, "extended": issue.clock.extended, "hint": hint,
    })
}

/// What is due next of an issue, and how it stands.
pub(super) fn deadline(issue: &Issue, now: Timestamp) -> Option<Value> {
    let next = issue.clock.next(issue.state)?;
    Some(json!({
        "for": next.what, "due_at": next.due.map(|due| due.at.rfc3339()), "colour": next.colour(now).word(),
    }))
}

/// Whole days that an issue has been there.
pub(in crate::desk) fn age_days(opened_at: Timestamp, now: Timestamp) -> i64 {
    const DAY: i64 = 24 * 60 * 60 * 1_000_000;
    now.0.saturating_sub(opened_at.0).max(0).checked_div(DAY).unwrap_or(0)
}

/// A warranty, and whether it covers today.
pub(super) fn warranted(warranty: &Warranty, today: Option<Day>) -> Value {
    json!({
        "basis": warranty.basis, "start": warranty.start, "end": warranty.end,
        "in_force": today.map(|today| warranty.covers(today)),
    })
}

/// Claims under warranty of the same piece that were opened before this issue, anybody's, oldest first. Another maker's piece can
/// have the same serial number: where both name their article, it must be one.
pub(super) fn claimed_before(
    views: &(impl Read + ?Sized),
    issue: &Issue,
) -> Result<Vec<IssueId>, StoreError> {
    let Some(serial) = &issue.product.serial else { return Ok(Vec::new()) };
    let same = |one: &Option<String>, other: &Option<String>| {
        one.is_none() || other.is_none() || gtin_14(one) == gtin_14(other)
    };
    let before = |other: &Issue| {
        other.kind == IssueKind::Warranty
            && !matches!(other.state, IssueState::Duplicate | IssueState::Cancelled)
            && (other.opened_at, other.issue) < (issue.opened_at, issue.issue)
            && same(&other.product.gtin, &issue.product.gtin)
    };
    let all = store::issues_of_serial(views, serial)?;
    Ok(all.into_iter().filter(before).map(|other| other.issue).collect())
}

/// As GS1 compares numbers of different lengths: with zeros before.
fn gtin_14(gtin: &Option<String>) -> Option<String> {
    gtin.as_ref().map(|gtin| format!("{gtin:0>14}"))
}
