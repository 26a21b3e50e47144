//! Issues: open, update, close, extend, answer, list. Texts go to the vault, states and deadlines to the store.

mod change;
mod claim;
mod settings;
mod told;

pub use settings::Settings;
pub(super) use told::age_days;

use super::person::no_such_customer;
use super::request::{Ask, Done};
use super::{Desk, compose, random};
use crate::decode;
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::id::{CustomerNumber, IssueId};
use crate::domain::issue::{
    HINT_CHARS_MAX, Issue, IssueKind, IssueProduct, IssueState, Purchase, SATISFACTION_MAX, Severity,
};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::Timestamp;
use crate::log::Tx;
use crate::store;
use crate::vault::{self, Till, Vault};
use change::{Change, apply, room_for_issue};
use claim::{Said, SaidWarranty};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// The most issues of one customer that `issue.list` gives.
const LIST_MAX: usize = 100;

/// The most issues that `issue.due` gives.
const DUE_MAX: usize = 200;

/// From this answer on all is good.
const CONTENT_FROM: u8 = 3;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenIssue {
    key: Uuid,
    customer: CustomerNumber,
    kind: IssueKind,
    #[serde(default)]
    severity: Option<Severity>,
    #[serde(default)]
    product: IssueProduct,
    #[serde(default)]
    symptom: Option<String>,
    #[serde(default)]
    purchase: Option<Purchase>,
    #[serde(default)]
    warranty: Option<SaidWarranty>,
    #[serde(default)]
    recall: Option<String>,
    #[serde(default)]
    hint: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpdateIssue {
    key: Uuid,
    issue: IssueId,
    #[serde(default)]
    state: Option<IssueState>,
    #[serde(default)]
    severity: Option<Severity>,
    #[serde(default)]
    duplicate_of: Option<IssueId>,
    #[serde(default)]
    hint: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OneIssue {
    key: Uuid,
    issue: IssueId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerIssue {
    key: Uuid,
    issue: IssueId,
    score: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListIssues {
    customer: CustomerNumber,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DueIssues {}

impl Desk {
    /// `issue.open`.
    pub(super) async fn open_issue(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let OpenIssue { key, customer, kind, severity, product, symptom, purchase, warranty, recall, hint } =
            ask.fields()?;
        let said = Said { kind, severity, product, symptom, purchase, warranty, recall };
        said.check()?;
        check_text("hint", hint.as_deref(), HINT_CHARS_MAX)?;
        let vault = self.store()?.vault.clone();
        let issue = IssueId(self.new_id()?);
        let (nonce, service) = (random()?, self.settings.service.clone());
        let done = self
            .write(ask, key, move |tx| {
                store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
                room_for_issue(tx, customer, "customer")?;
                let terms = &service.terms;
                let (product, claim) =
                    said.settle(tx, customer, (&terms.calendar, service.warranty_months))?;
                // Where the sale is counted: when a merge is undone, the issue goes with what it is about.
                let customer = match claim.purchase {
                    Some(Purchase { sale, .. }) => store::sale_owner(tx, customer, sale)?,
                    None => customer,
                };
                if let Some(hint) = hint {
                    change_till(tx, &vault, customer, nonce, |till| drop(till.hints.insert(issue, hint)))?;
                }
                let clock = terms.opened(kind, claim.grade(), Timestamp(tx.meta().at_us));
                let (claim, clock) = (Box::new(claim), Some(Box::new(clock)));
                store::emit(tx, &StoreEvent::IssueOpened { customer, issue, kind, product, claim, clock })?;
                Ok(Outcome { customer: Some(customer), issue: Some(issue), ..Outcome::default() })
            })
            .await?;
        let views = self.store()?.log.views();
        let kept = self.issue_of(&done)?;
        let (now, claim) = (self.clock.utc(), &kept.claim);
        let today = self.settings.service.terms.calendar.day(now);
        Ok(json!({
            "issue": kept.issue, "deadline": told::deadline(&kept, now),
            "warranty": claim.warranty.as_ref().map(|warranty| told::warranted(warranty, today)),
            "claimed_before": told::claimed_before(&views, &kept)?, "repeated": done.repeated,
        }))
    }

    /// `issue.update`: another state, another severity, another hint, or several of them.
    pub(super) async fn update_issue(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let UpdateIssue { key, issue, state, severity, duplicate_of, hint } = ask.fields()?;
        check_text("hint", hint.as_deref(), HINT_CHARS_MAX)?;
        if state.is_none() && severity.is_none() && hint.is_none() {
            return Err(Refusal::field("state", "give a new `state`, `severity` or `hint`, or several"));
        }
        if duplicate_of.is_some() && state != Some(IssueState::Duplicate) {
            return Err(Refusal::field("duplicate_of", "belongs to the state DUPLICATE"));
        }
        self.change_issue(ask, key, issue, Change { state, severity, duplicate_of, hint }).await
    }

    /// `issue.close`: from wherever it is, by the shortest allowed way.
    pub(super) async fn close_issue(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let OneIssue { key, issue } = ask.fields()?;
        let change = Change { state: Some(IssueState::Closed), ..Change::default() };
        self.change_issue(ask, key, issue, change).await
    }

    async fn change_issue(
        &self,
        ask: &Ask<'_>,
        key: Uuid,
        issue: IssueId,
        change: Change,
    ) -> Result<Value, Refusal> {
        let vault = self.store()?.vault.clone();
        let (nonce, terms) = (random()?, self.settings.service.terms.clone());
        let done = self
            .write(ask, key, move |tx| {
                let kept = store::issue(tx, issue)?.ok_or_else(no_such_issue)?;
                apply(tx, &kept, change, &terms, (&vault, nonce))
            })
            .await?;
        self.told_of_change(&done)
    }

    /// `issue.extend`: the two months more that the law allows for a request about personal data.
    pub(super) async fn extend_issue(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let OneIssue { key, issue } = ask.fields()?;
        let terms = self.settings.service.terms.clone();
        let done = self
            .write(ask, key, move |tx| {
                let Issue { customer, kind, state, clock, .. } =
                    store::issue(tx, issue)?.ok_or_else(no_such_issue)?;
                if !state.is_open() {
                    return Err(in_the_way("issue", "this issue is over"));
                }
                let clock = terms.extended(kind, &clock, Timestamp(tx.meta().at_us));
                let clock = Box::new(clock.map_err(|error| in_the_way("issue", error.to_string()))?);
                store::emit(tx, &StoreEvent::IssueRescheduled { customer, issue, severity: None, clock })?;
                Ok(Outcome { customer: Some(customer), issue: Some(issue), ..Outcome::default() })
            })
            .await?;
        self.told_of_change(&done)
    }

    /// `issue.answer`: how content the customer is with what was done. Whoever is, has it closed.
    pub(super) async fn answer_issue(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let AnswerIssue { key, issue, score } = ask.fields()?;
        if !(1..=SATISFACTION_MAX).contains(&score) {
            return Err(Refusal::field("score", format!("must be 1 (bad) to {SATISFACTION_MAX} (good)")));
        }
        let vault = self.store()?.vault.clone();
        let (nonce, terms) = (random()?, self.settings.service.terms.clone());
        let done = self
            .write(ask, key, move |tx| {
                let kept = store::issue(tx, issue)?.ok_or_else(no_such_issue)?;
                let state = match kept.state {
                    _ if kept.claim.satisfaction.is_some() => {
                        return Err(in_the_way("issue", "this issue has its answer already"));
                    }
                    IssueState::Resolved | IssueState::FollowUp if score >= CONTENT_FROM => {
                        Some(IssueState::Closed)
                    }
                    IssueState::Resolved => Some(IssueState::FollowUp),
                    IssueState::FollowUp | IssueState::Closed => None,
                    IssueState::New
                    | IssueState::Triaged
                    | IssueState::InProgress
                    | IssueState::WaitCustomer
                    | IssueState::WaitSupplier
                    | IssueState::Reopened
                    | IssueState::Duplicate
                    | IssueState::Cancelled => {
                        let message = "customers are asked when an issue is RESOLVED, not before";
                        return Err(in_the_way("issue", message));
                    }
                };
                let customer = kept.customer;
                store::emit(tx, &StoreEvent::IssueAnswered { customer, issue, score })?;
                apply(tx, &kept, Change { state, ..Change::default() }, &terms, (&vault, nonce))
            })
            .await?;
        self.told_of_change(&done)
    }

    /// The requests that only tell of issues.
    pub(super) fn issues(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        if ask.method == "issue.list" { self.list_issues(ask) } else { self.due_issues(ask) }
    }

    /// `issue.list`.
    fn list_issues(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let ListIssues { customer } = ask.fields()?;
        let opened = self.store()?;
        let views = opened.log.views();
        let kept = store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
        let till = match compose::tills(&views, &opened.vault, &kept) {
            Ok(till) => till.unwrap_or_default(),
            Err(vault::VaultError::Locked) => Till::default(),
            Err(error) => return Err(error.into()),
        };
        let now = self.clock.utc();
        let today = self.settings.service.terms.calendar.day(now);
        let issues = store::issues_of(&views, customer, LIST_MAX)?;
        let row = |issue: &Issue| told::row(issue, (now, today), till.hints.get(&issue.issue));
        Ok(json!({ "issues": issues.iter().map(row).collect::<Vec<_>>() }))
    }

    /// `issue.due`: what is due next in the shop, the soonest first. Without hints: nobody's file is opened for it.
    fn due_issues(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let DueIssues {} = ask.fields()?;
        let now = self.clock.utc();
        let views = self.store()?.log.views();
        let issues = store::issues_due(&views, DUE_MAX.saturating_add(1))?;
        let row = |issue: &Issue| {
            let customer = store::survivor(&views, issue.customer)?;
            Ok(json!({
                "issue": issue.issue, "customer": customer, "kind": issue.kind, "state": issue.state,
                "severity": issue.claim.severity, "model": issue.product.model,
                "age_days": age_days(issue.opened_at, now), "deadline": told::deadline(issue, now),
            }))
        };
        let more = issues.len() > DUE_MAX;
        let rows = issues.iter().take(DUE_MAX).map(row).collect::<Result<Vec<Value>, Refusal>>()?;
        Ok(json!({ "issues": rows, "more": more }))
    }

    fn issue_of(&self, done: &Done) -> Result<Issue, Refusal> {
        let issue = done.outcome.issue.ok_or_else(no_such_issue)?;
        store::issue(&self.store()?.log.views(), issue)?.ok_or_else(no_such_issue)
    }

    fn told_of_change(&self, done: &Done) -> Result<Value, Refusal> {
        let kept = self.issue_of(done)?;
        let deadline = told::deadline(&kept, self.clock.utc());
        Ok(json!({
            "issue": kept.issue, "state": kept.state, "deadline": deadline, "repeated": done.repeated,
        }))
    }
}

/// What was asked for cannot be done as things are.
fn in_the_way(field: &str, message: impl Into<String>) -> Refusal {
    Refusal::conflict(field, message)
}

/// Changes what the till is shown beside the name, within a transaction.
pub(super) fn change_till(
    tx: &mut Tx<'_>,
    vault: &Vault,
    customer: CustomerNumber,
    nonce: [u8; 24],
    change: impl FnOnce(&mut Till),
) -> Result<(), Refusal> {
    let data_key = vault.key_of(tx, customer)?.ok_or_else(no_such_customer)?;
    let mut till = vault.till(tx, &data_key)?;
    change(&mut till);
    let plaintext = serde_json::to_vec(&till);
    let plaintext = plaintext.map_err(|_| Refusal::new(RefusalCode::Internal, "a text cannot be written"))?;
    if plaintext.len() > vault::SECTION_BYTES_MAX {
        let message = "hints and preferences of this customer are too long in all; shorten or withdraw one";
        return Err(Refusal::new(RefusalCode::Conflict, message));
    }
    vault.write_section(tx, &data_key, vault::TILL, &plaintext, nonce)?;
    Ok(())
}

/// A free text that may be kept: short enough, printable, and no payment card in it.
pub(super) fn check_text(field: &str, text: Option<&str>, chars_max: usize) -> Result<(), Refusal> {
    let Some(text) = text else { return Ok(()) };
    if text.trim().is_empty() || text.chars().count() > chars_max {
        return Err(Refusal::field(field, format!("must be 1 to {chars_max} characters")));
    }
    if text.chars().any(|char| char.is_control() && char != '\n') {
        return Err(Refusal::field(field, "must not hold control characters"));
    }
    if decode::payment::finds_card_number(text) {
        let message = "holds what looks like a payment card number; those are never kept";
        return Err(Refusal::field(field, message));
    }
    Ok(())
}

fn no_such_issue() -> Refusal {
    Refusal::new(RefusalCode::NotFound, "no issue has this id; `issue.list` shows a customer's")
}
