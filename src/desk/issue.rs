//! Issues: open, update, close, list. Texts go to the vault, states to the store.

use super::person::no_such_customer;
use super::request::Ask;
use super::{Desk, random};
use crate::decode;
use crate::domain::customer::OPEN_ISSUES_MAX;
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::id::{CustomerNumber, IssueId};
use crate::domain::issue::{HINT_CHARS_MAX, IssueKind, IssueProduct, IssueState, PRODUCT_CHARS_MAX};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::log::Tx;
use crate::store;
use crate::vault::{self, Till, Vault};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// The most issues of one customer that `issue.list` gives.
const LIST_MAX: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenIssue {
    key: Uuid,
    customer: CustomerNumber,
    kind: IssueKind,
    #[serde(default)]
    product: IssueProduct,
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
    hint: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CloseIssue {
    key: Uuid,
    issue: IssueId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListIssues {
    customer: CustomerNumber,
}

impl Desk {
    /// `issue.open`.
    pub(super) async fn open_issue(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let OpenIssue { key, customer, kind, product, hint } = ask.fields()?;
        check_product(&product)?;
        check_text("hint", hint.as_deref(), HINT_CHARS_MAX)?;
        let vault = self.store()?.vault.clone();
        let issue = IssueId(self.new_id()?);
        let nonce = random()?;
        let done = self
            .write(ask, key, move |tx| {
                room_for_issue(tx, customer)?;
                if let Some(hint) = hint {
                    change_till(tx, &vault, customer, nonce, |till| drop(till.hints.insert(issue, hint)))?;
                }
                store::emit(tx, &StoreEvent::IssueOpened { customer, issue, kind, product })?;
                Ok(Outcome { customer: Some(customer), issue: Some(issue), ..Outcome::default() })
            })
            .await?;
        Ok(json!({ "issue": done.outcome.issue, "repeated": done.repeated }))
    }

    /// `issue.update`: another state, another hint, or both.
    pub(super) async fn update_issue(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let UpdateIssue { key, issue, state, hint } = ask.fields()?;
        check_text("hint", hint.as_deref(), HINT_CHARS_MAX)?;
        if state.is_none() && hint.is_none() {
            return Err(Refusal::field("state", "give a new `state`, a new `hint`, or both"));
        }
        self.move_issue(ask, key, issue, state, hint).await
    }

    /// `issue.close`: from wherever it is, by the shortest allowed way.
    pub(super) async fn close_issue(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let CloseIssue { key, issue } = ask.fields()?;
        self.move_issue(ask, key, issue, Some(IssueState::Closed), None).await
    }

    async fn move_issue(
        &self,
        ask: &Ask<'_>,
        key: Uuid,
        issue: IssueId,
        state: Option<IssueState>,
        hint: Option<String>,
    ) -> Result<Value, Refusal> {
        let vault = self.store()?.vault.clone();
        let nonce = random()?;
        let done = self
            .write(ask, key, move |tx| {
                let kept = store::issue(tx, issue)?.ok_or_else(no_such_issue)?;
                let customer = kept.customer;
                let steps = state.map(|state| way(kept.state, state)).transpose()?.unwrap_or_default();
                let open_after = steps.last().copied().unwrap_or(kept.state).is_open();
                if hint.is_some() && !open_after {
                    let message = "an issue that is over has no hint any more";
                    let field = Some("hint".to_owned());
                    return Err(Refusal { field, ..Refusal::new(RefusalCode::Conflict, message) });
                }
                if open_after && !kept.state.is_open() {
                    room_for_issue(tx, customer)?;
                }
                let over = !open_after && !steps.is_empty();
                if hint.is_some() || over {
                    change_till(tx, &vault, customer, nonce, |till| {
                        if let Some(hint) = hint {
                            till.hints.insert(issue, hint);
                        }
                        if over {
                            till.hints.remove(&issue);
                        }
                    })?;
                }
                for state in steps {
                    store::emit(tx, &StoreEvent::IssueMoved { customer, issue, state })?;
                }
                Ok(Outcome { customer: Some(customer), issue: Some(issue), ..Outcome::default() })
            })
            .await?;
        let state = store::issue(&self.store()?.log.views(), issue)?.map(|kept| kept.state);
        Ok(json!({ "issue": issue, "state": state, "repeated": done.repeated }))
    }

    /// `issue.list`.
    pub(super) fn list_issues(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let ListIssues { customer } = ask.fields()?;
        let opened = self.store()?;
        let views = opened.log.views();
        store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
        let till = match opened.vault.key_of(&views, customer) {
            Ok(Some(data_key)) => opened.vault.till(&views, &data_key)?,
            Ok(None) | Err(vault::VaultError::Locked) => Till::default(),
            Err(error) => return Err(error.into()),
        };
        let mut rows = Vec::new();
        for issue in store::issues_of(&views, customer, LIST_MAX)? {
            rows.push(json!({
                "issue": issue.issue, "kind": issue.kind, "state": issue.state, "product": issue.product,
                "opened_at": issue.opened_at.rfc3339(), "moved_at": issue.moved_at.rfc3339(),
                "hint": till.hints.get(&issue.issue),
            }));
        }
        Ok(json!({ "issues": rows }))
    }
}

/// Whether one more issue may be open.
fn room_for_issue(tx: &Tx<'_>, customer: CustomerNumber) -> Result<(), Refusal> {
    let kept = store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
    if kept.issues_open.len() < OPEN_ISSUES_MAX {
        return Ok(());
    }
    let message = format!("the customer has {OPEN_ISSUES_MAX} open issues; close one first");
    Err(Refusal::new(RefusalCode::Conflict, message))
}

/// The states to go through; closing passes `RESOLVED` by itself, for a cashier should not need to know that.
fn way(from: IssueState, to: IssueState) -> Result<Vec<IssueState>, Refusal> {
    if from.may_become(to) {
        return Ok(vec![to]);
    }
    if to == IssueState::Closed && from.may_become(IssueState::Resolved) {
        return Ok(vec![IssueState::Resolved, to]);
    }
    let message = format!("an issue that is {} cannot become {}", from.word(), to.word());
    Err(Refusal { field: Some("state".to_owned()), ..Refusal::new(RefusalCode::Conflict, message) })
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

fn check_product(product: &IssueProduct) -> Result<(), Refusal> {
    if let Some(gtin) = &product.gtin
        && !decode::gs1::gtin_ok(gtin.as_bytes())
    {
        return Err(Refusal::field(
            "product.gtin",
            "must be 8, 12, 13 or 14 digits with a right check digit",
        ));
    }
    // A serial number is judged by its own type: sixteen digits of it are no payment card.
    for (field, text) in [("product.model", &product.model), ("product.serial", &product.serial)] {
        let fits = |text: &String| {
            (1..=PRODUCT_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
        };
        if !text.as_ref().is_none_or(fits) {
            let message = format!("must be 1 to {PRODUCT_CHARS_MAX} characters without control characters");
            return Err(Refusal::field(field, message));
        }
    }
    Ok(())
}

fn no_such_issue() -> Refusal {
    Refusal::new(RefusalCode::NotFound, "no issue has this id; `issue.list` shows a customer's")
}
