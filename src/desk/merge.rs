//! Two files of one person made one, and two again.
//!
//! Nothing is merged by itself: somebody at the desk names both. The first number leads to the second from then on; what was
//! kept under it stays there, sealed under its own key, and is shown with the other's. Points move, for they are spent. An
//! unmerge gives back what was brought, less what returns took of it since: what was earned or spent in between stays.

use super::person::no_such_customer;
use super::points::settle;
use super::request::Ask;
use super::{Desk, points};
use crate::domain::customer::{Customer, MEMBERS_MAX};
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::id::{CustomerNumber, MergeId};
use crate::domain::points::{Brought, PointsEntry};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::Timestamp;
use crate::log::{Tx, Views};
use crate::store::{self, StoreError};
use crate::vault::Vault;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Merge {
    key: Uuid,
    from: CustomerNumber,
    into: CustomerNumber,
    /// They were asked: one person in spite of another given name or birthday.
    #[serde(default)]
    sure: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unmerge {
    key: Uuid,
    merge: MergeId,
}

impl Desk {
    /// `customer.merge`.
    pub(super) async fn merge(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Merge { key, from, into, sure } = ask.fields()?;
        if from == into {
            return Err(Refusal::field("into", "must be another customer than `from`"));
        }
        let vault = self.store()?.vault.clone();
        let (now, merge) = (self.clock.utc(), MergeId(self.new_id()?));
        let done = self
            .write(ask, key, move |tx| {
                stands(tx, from, "from")?;
                stands(tx, into, "into")?;
                if !sure {
                    not_two_people(tx, &vault, from, into)?;
                }
                begin(tx, &vault, now, (merge, from, into))
            })
            .await?;
        let merge = done.outcome.merge;
        if !done.repeated {
            tracing::info!(%from, %into, who = ask.who.uid, "two customers were merged");
        }
        let mut answer = self.balance_after(&done)?;
        if let Some(answer) = answer.as_object_mut() {
            answer.insert("merge".to_owned(), json!(merge));
            answer.insert("from".to_owned(), json!(from));
        }
        Ok(answer)
    }

    /// `customer.unmerge`.
    pub(super) async fn unmerge(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Unmerge { key, merge } = ask.fields()?;
        let vault = self.store()?.vault.clone();
        let now = self.clock.utc();
        let points = self.settings.points.clone();
        let done = self.write(ask, key, move |tx| end(tx, &vault, (&points, now), merge)).await?;
        let views = self.store()?.log.views();
        let kept = store::merge(&views, merge)?.ok_or_else(no_such_merge)?;
        if !done.repeated {
            tracing::info!(from = %kept.from, into = %kept.into, who = ask.who.uid, "a merge of customers was undone");
        }
        let total = |number| Ok::<i64, Refusal>(store::points(&views, number)?.total());
        Ok(json!({
            "merge": merge, "from": kept.from, "from_points": total(kept.from)?, "into": kept.into,
            "into_points": total(kept.into)?, "repeated": done.repeated,
        }))
    }
}

fn begin(
    tx: &mut Tx<'_>,
    vault: &Vault,
    now: Timestamp,
    (merge, from, into): (MergeId, CustomerNumber, CustomerNumber),
) -> Result<Outcome, Refusal> {
    let (leaving, staying) = (stands(tx, from, "from")?, stands(tx, into, "into")?);
    for number in [from, into] {
        // An erased person is nobody any more, and a locked vault cannot tell.
        vault.key_of(tx, number)?.ok_or_else(no_such_customer)?;
    }
    if leaving.members.len().saturating_add(staying.members.len()) >= MEMBERS_MAX {
        let message = format!("at most {MEMBERS_MAX} customers are merged into one");
        return Err(Refusal::new(RefusalCode::Conflict, message));
    }
    if staying.with(leaving).is_none() {
        let message = "what the two have bought cannot be added up: too much, or in too many currencies";
        return Err(Refusal::new(RefusalCode::Conflict, message));
    }
    let brought = move_in(tx, now, (merge, from, into))?;
    store::emit(tx, &StoreEvent::CustomersMerged { merge, from, into, brought })?;
    Ok(Outcome { customer: Some(into), merge: Some(merge), ..Outcome::default() })
}

/// Twins and others of one household are not merged for what they share.
fn not_two_people(
    tx: &Tx<'_>,
    vault: &Vault,
    from: CustomerNumber,
    into: CustomerNumber,
) -> Result<(), Refusal> {
    if !vault.likeness(tx, from, into)?.is_some_and(|likeness| likeness.household) {
        return Ok(());
    }
    let message =
        "the two have another given name or birthday: twins perhaps, or a household; ask, then say `sure`";
    Err(Refusal { field: Some("sure".to_owned()), ..Refusal::new(RefusalCode::Conflict, message) })
}

/// Points and debts of one ledger go to the other's.
fn move_in(
    tx: &mut Tx<'_>,
    now: Timestamp,
    (merge, from, into): (MergeId, CustomerNumber, CustomerNumber),
) -> Result<Brought, Refusal> {
    let (leaving, staying) = (settle(tx, from, now)?, settle(tx, into, now)?);
    let Some(gone) = leaving.merge_out()? else { return Ok(Brought::default()) };
    let (lots, debt) = (gone.out_of.clone(), gone.debt.saturating_neg());
    let come = staying.merge_in(&lots, debt)?;
    let paid = if debt > 0 { come.out_of.clone() } else { Vec::new() };
    move_points(tx, merge, (from, gone))?;
    move_points(tx, merge, (into, come))?;
    Ok(Brought { lots, debt, paid, since: Vec::new() })
}

fn end(
    tx: &mut Tx<'_>,
    vault: &Vault,
    (settings, now): (&points::Settings, Timestamp),
    merge: MergeId,
) -> Result<Outcome, Refusal> {
    let kept = store::merge(tx, merge)?.ok_or_else(no_such_merge)?;
    if kept.undone.is_some() {
        return Err(Refusal::new(RefusalCode::Conflict, "this merge was undone already"));
    }
    let (from, into) = (kept.from, kept.into);
    if store::survivor(tx, into)? != into {
        let message = "the customer was merged on into another; undo the later merge first";
        return Err(Refusal::new(RefusalCode::Conflict, message));
    }
    for number in [from, into] {
        vault.key_of(tx, number)?.ok_or_else(no_such_customer)?;
    }
    let (alone, staying) = (settle(tx, from, now)?, settle(tx, into, now)?);
    let (lots, debt) = kept.brought.back(now);
    if let Some(gone) = staying.unmerge_out((&lots, debt), &kept.brought.paid, settings.expires_at(now))? {
        move_points(tx, merge, (into, gone))?;
        move_points(tx, merge, (from, alone.unmerge_in(&lots, debt)?))?;
        // What comes back to a day that has passed is gone at once.
        settle(tx, into, now)?;
    }
    store::emit(tx, &StoreEvent::CustomersUnmerged { merge, from, into })?;
    Ok(Outcome { customer: Some(into), merge: Some(merge), ..Outcome::default() })
}

fn move_points(
    tx: &mut Tx<'_>,
    merge: MergeId,
    (customer, entry): (CustomerNumber, PointsEntry),
) -> Result<(), Refusal> {
    let entry = PointsEntry { merge: Some(merge), ..entry };
    Ok(store::emit(tx, &StoreEvent::PointsMoved { customer, entry })?)
}

/// A customer who stands for themselves.
fn stands(tx: &Tx<'_>, number: CustomerNumber, field: &str) -> Result<Customer, Refusal> {
    let named = |refusal: Refusal| Refusal { field: Some(field.to_owned()), ..refusal };
    let kept = store::customer(tx, number).map_err(|error| named(error.into()))?;
    kept.ok_or_else(|| named(no_such_customer()))
}

fn no_such_merge() -> Refusal {
    Refusal::new(RefusalCode::NotFound, "no merge has this id; `customer.show` lists a customer's")
}

/// Who was merged into a customer, as rows of an answer: each merge can be undone by its id.
pub(super) fn rows(views: &Views, customer: &Customer) -> Result<Vec<Value>, StoreError> {
    let mut rows = Vec::new();
    for member in &customer.members {
        let by = store::customer_alone(views, *member)?.and_then(|kept| kept.merged);
        let merge = by.map(|(_, merge)| store::merge(views, merge)).transpose()?.flatten();
        if let Some(merge) = merge {
            rows.push(json!({
                "merge": merge.merge, "customer": merge.from, "into": merge.into, "at": merge.at.rfc3339(),
            }));
        }
    }
    Ok(rows)
}
