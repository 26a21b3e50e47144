//! What customers plan to buy: told, shown at the till, fulfilled by the sale that has it.
//!
//! All of it in the vault. The open ones stand in the section that a till is shown too, so that a scan opens no second one, and a sale
//! of a customer without any opens only that.

use super::issue::change_till;
use super::person::{keys_of, no_such_customer};
use super::request::Ask;
use super::sale::{money, no_such_sale};
use super::{Desk, random};
use crate::decode;
use crate::domain::event::Outcome;
use crate::domain::id::{CustomerNumber, SaleId};
use crate::domain::money::{MINOR_MAX, Money};
use crate::domain::plan::{self, DAYS_MAX, OpenPlan, PLANS_MAX, PLANS_OPEN_MAX, Plan, PlanState, Wanted};
use crate::domain::purchase::{Receipt, check_word};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::source::Source;
use crate::domain::time::{Day, Timestamp};
use crate::log::{Read, Tx};
use crate::store;
use crate::vault::{CustomerKey, PLANS, Vault, VaultError};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    key: Uuid,
    customer: CustomerNumber,
    #[serde(default)]
    category: Option<String>,
    #[serde(default)]
    gtin: Option<String>,
    from: Day,
    to: Day,
    #[serde(default)]
    budget: Option<Money>,
    source: Source,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Close {
    key: Uuid,
    customer: CustomerNumber,
    plan: Uuid,
    state: Closed,
    #[serde(default)]
    sale: Option<SaleId>,
}

/// What a plan can become by hand.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Closed {
    Fulfilled,
    Withdrawn,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    customer: CustomerNumber,
}

impl Desk {
    /// The requests `plan.…`.
    pub(super) async fn plan(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        match ask.method {
            "plan.add" => self.add_plan(ask).await,
            "plan.close" => self.close_plan(ask).await,
            _ => self.list_plans(ask),
        }
    }

    /// `plan.add`.
    async fn add_plan(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Add { key, customer, category, gtin, from, to, budget, source } = ask.fields()?;
        let wanted = wanted(category, gtin)?;
        let now = self.clock.utc();
        check_window(from, to, now)?;
        if budget.is_some_and(|budget| !(1..=MINOR_MAX).contains(&budget.minor)) {
            return Err(Refusal::field("budget.minor", "must be 1 to 2^53-1 minor units"));
        }
        let vault = Arc::clone(&self.store()?.vault);
        let (id, by, nonces) = (self.new_id()?, ask.who.uid, [random()?, random()?]);
        let done = self
            .write(ask, key, move |tx| {
                store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
                let keys = keys_of(tx, &vault, customer)?;
                let own = keys.first().ok_or_else(no_such_customer)?;
                let told_at = Timestamp(tx.meta().at_us);
                let open = OpenPlan { wanted, from, to, budget, told_at };
                room(tx, &vault, &keys, now)?;
                let plan = Plan {
                    open: open.clone(),
                    source,
                    by,
                    state: PlanState::Open,
                    closed_at: None,
                    sale: None,
                };
                let [first, second] = nonces;
                keep(tx, &vault, own, (id, &plan), first)?;
                change_till(tx, &vault, customer, second, |till| {
                    till.plans.retain(|_, plan| !plan.to.is_over(now));
                    till.plans.insert(id, open);
                })?;
                Ok(Outcome { customer: Some(customer), record: Some(id), ..Outcome::default() })
            })
            .await?;
        Ok(json!({ "plan": done.outcome.record, "repeated": done.repeated }))
    }

    /// `plan.close`: by hand.
    async fn close_plan(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Close { key, customer, plan: id, state, sale } = ask.fields()?;
        if sale.is_some() && state != Closed::Fulfilled {
            return Err(Refusal::field("sale", "only a plan that is fulfilled has one; leave it out"));
        }
        let vault = Arc::clone(&self.store()?.vault);
        let nonces = [random()?, random()?];
        let done = self
            .write(ask, key, move |tx| {
                store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
                let keys = keys_of(tx, &vault, customer)?;
                let kept = vault.record_of::<Plan>(tx, &keys, PLANS, id)?;
                let (data_key, mut kept) = kept.ok_or_else(no_such_plan)?;
                if kept.state != PlanState::Open {
                    let field = Some("plan".to_owned());
                    return Err(Refusal {
                        field,
                        ..Refusal::new(RefusalCode::Conflict, "this plan is closed already")
                    });
                }
                if let Some(sale) = sale {
                    let of = store::sale(tx, sale)?.ok_or_else(no_such_sale)?.customer;
                    if of != Some(customer) {
                        return Err(Refusal::field("sale", "is not this customer's"));
                    }
                }
                let fulfilled = state == Closed::Fulfilled;
                kept.state = if fulfilled { PlanState::Fulfilled } else { PlanState::Withdrawn };
                (kept.closed_at, kept.sale) = (Some(Timestamp(tx.meta().at_us)), sale);
                let [first, second] = nonces;
                keep(tx, &vault, data_key, (id, &kept), first)?;
                let of = data_key.customer();
                change_till(tx, &vault, of, second, |till| drop(till.plans.remove(&id)))?;
                Ok(Outcome { customer: Some(customer), record: Some(id), ..Outcome::default() })
            })
            .await?;
        Ok(json!({ "plan": id, "repeated": done.repeated }))
    }

    /// `plan.list`: the newest first.
    fn list_plans(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let List { customer } = ask.fields()?;
        let opened = self.store()?;
        let views = opened.log.views();
        store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
        let keys = keys_of(&views, &opened.vault, customer)?;
        Ok(json!({ "plans": rows(&views, &opened.vault, &keys, self.clock.utc())? }))
    }
}

/// The plans of a customer, the newest first.
pub(super) fn rows(
    views: &(impl Read + ?Sized),
    vault: &Vault,
    keys: &[CustomerKey],
    now: Timestamp,
) -> Result<Vec<Value>, Refusal> {
    let plans: Vec<(Uuid, Plan)> = vault.records(views, keys, PLANS)?;
    let row = |(id, plan): &(Uuid, Plan)| {
        let OpenPlan { wanted, from, to, budget, told_at } = &plan.open;
        let (category, gtin) = match wanted {
            Wanted::Category(category) => (Some(category), None),
            Wanted::Gtin(gtin) => (None, Some(gtin)),
        };
        json!({
            "plan": id, "category": category, "gtin": gtin, "from": from, "to": to,
            "budget": budget.map(|budget| money(budget.currency, budget.minor)),
            "source": plan.source, "state": plan.word(now), "told_at": told_at.rfc3339(), "by": plan.by,
            "closed_at": plan.closed_at.map(Timestamp::rfc3339), "sale": plan.sale,
        })
    };
    Ok(plans.iter().rev().map(row).collect())
}

/// Closes the plans that a customer's sale fulfils, within its transaction. While the vault is locked nothing is compared, and a file
/// that cannot be read keeps nobody from buying.
pub(super) fn fulfil(
    tx: &mut Tx<'_>,
    vault: &Vault,
    customer: CustomerNumber,
    sold: (SaleId, &Receipt, Timestamp),
) -> Result<(), Refusal> {
    store::numbers_of(tx, customer)?.into_iter().try_for_each(|number| fulfil_of(tx, vault, number, sold))
}

/// The same of the plans under one number.
fn fulfil_of(
    tx: &mut Tx<'_>,
    vault: &Vault,
    customer: CustomerNumber,
    (sale, receipt, sold_at): (SaleId, &Receipt, Timestamp),
) -> Result<(), Refusal> {
    let Some(key) = key_for(tx, vault, customer) else { return Ok(()) };
    let till = match vault.till(tx, &key) {
        Ok(till) => till,
        Err(error) => {
            unread(customer, &error);
            return Ok(());
        }
    };
    let found = plan::fulfilled(&till.plans, &receipt.lines, receipt.day, sold_at);
    for id in &found {
        let Some(mut kept) = vault.record::<Plan>(tx, &key, PLANS, *id)? else { continue };
        kept.state = PlanState::Fulfilled;
        (kept.closed_at, kept.sale) = (Some(Timestamp(tx.meta().at_us)), Some(sale));
        keep(tx, vault, &key, (*id, &kept), random()?)?;
    }
    if !found.is_empty() {
        change_till(tx, vault, customer, random()?, |till| till.plans.retain(|id, _| !found.contains(id)))?;
    }
    Ok(())
}

/// Opens again what a sale had fulfilled that is this customer's no more: it was voided, or was another's. A plan for which there is
/// no room by now, or no vault, stays fulfilled.
pub(super) fn reopen(
    tx: &mut Tx<'_>,
    vault: &Vault,
    customer: CustomerNumber,
    (sale, now): (SaleId, Timestamp),
) -> Result<(), Refusal> {
    let numbers = store::numbers_of(tx, customer)?;
    let keys: Vec<CustomerKey> =
        numbers.into_iter().filter_map(|number| key_for(tx, vault, number)).collect();
    for key in &keys {
        let plans = match vault.records::<Plan>(tx, std::slice::from_ref(key), PLANS) {
            Ok(plans) => plans,
            Err(error) => {
                unread(key.customer(), &error);
                continue;
            }
        };
        let fulfilled =
            |(_, plan): &(Uuid, Plan)| plan.state == PlanState::Fulfilled && plan.sale == Some(sale);
        for (id, mut kept) in plans.into_iter().filter(fulfilled) {
            let open = (!kept.open.to.is_over(now)).then(|| kept.open.clone());
            // What cannot be read keeps no sale from being voided.
            if open.is_some() && open_plans(tx, vault, &keys, now).map_or(true, |open| open >= PLANS_OPEN_MAX)
            {
                continue;
            }
            let shown = change_till(tx, vault, key.customer(), random()?, |till| {
                till.plans.extend(open.map(|open| (id, open)));
            });
            // Without room, or where the section cannot be read, the plan stays as it is.
            if shown.is_err() {
                continue;
            }
            kept.state = PlanState::Open;
            (kept.closed_at, kept.sale) = (None, None);
            keep(tx, vault, key, (id, &kept), random()?)?;
        }
    }
    Ok(())
}

/// The key for plans that a sale is compared with; `None` where nothing can be compared.
fn key_for(tx: &Tx<'_>, vault: &Vault, customer: CustomerNumber) -> Option<CustomerKey> {
    match vault.key_of(tx, customer) {
        Ok(key) => key,
        Err(VaultError::Locked | VaultError::Erased) => None,
        Err(error) => {
            unread(customer, &error);
            None
        }
    }
}

fn unread(customer: CustomerNumber, error: &VaultError) {
    tracing::error!(%customer, %error, "a customer's plans cannot be read, a sale is not compared with them");
}

fn keep(
    tx: &mut Tx<'_>,
    vault: &Vault,
    key: &CustomerKey,
    (id, plan): (Uuid, &Plan),
    nonce: [u8; 24],
) -> Result<(), Refusal> {
    let plaintext = serde_json::to_vec(plan);
    let plaintext = plaintext.map_err(|_| Refusal::new(RefusalCode::Internal, "a plan cannot be written"))?;
    Ok(vault.write_section(tx, key, &format!("{PLANS}{id}"), &plaintext, nonce)?)
}

fn wanted(category: Option<String>, gtin: Option<String>) -> Result<Wanted, Refusal> {
    match (category, gtin) {
        (Some(category), None) => {
            check_word("category", &category).map_err(|(field, message)| Refusal::field(field, message))?;
            if decode::payment::finds_card_number(&category) {
                let message = "holds what looks like a payment card number; those are never kept";
                return Err(Refusal::field("category", message));
            }
            Ok(Wanted::Category(category))
        }
        (None, Some(gtin)) if decode::gs1::gtin_ok(gtin.as_bytes()) => Ok(Wanted::Gtin(gtin)),
        (None, Some(_)) => {
            Err(Refusal::field("gtin", "must be 8, 12, 13 or 14 digits with a right check digit"))
        }
        (None, None) | (Some(_), Some(_)) => {
            Err(Refusal::field("category", "give either `category` or `gtin`"))
        }
    }
}

fn check_window(from: Day, to: Day, now: Timestamp) -> Result<(), Refusal> {
    if to < from {
        return Err(Refusal::field("to", "must not be before `from`"));
    }
    if to.is_over(now) {
        return Err(Refusal::field("to", "is over already"));
    }
    let last = now.after(Duration::from_hours(u64::from(DAYS_MAX).saturating_mul(24)));
    if !to.has_begun(last) {
        return Err(Refusal::field("to", format!("must be within {DAYS_MAX} days")));
    }
    Ok(())
}

/// How many plans are open, under all numbers of a customer.
fn open_plans(tx: &Tx<'_>, vault: &Vault, keys: &[CustomerKey], now: Timestamp) -> Result<usize, Refusal> {
    let mut open = 0_usize;
    for key in keys {
        let plans = vault.till(tx, key)?.plans;
        open = open.saturating_add(plans.values().filter(|plan| !plan.to.is_over(now)).count());
    }
    Ok(open)
}

/// Whether one more plan may be kept.
fn room(tx: &Tx<'_>, vault: &Vault, keys: &[CustomerKey], now: Timestamp) -> Result<(), Refusal> {
    let mut kept = 0_usize;
    for key in keys {
        kept = kept.saturating_add(vault.record_ids(tx, key, PLANS)?.len());
    }
    let message = if open_plans(tx, vault, keys, now)? >= PLANS_OPEN_MAX {
        format!("the customer has {PLANS_OPEN_MAX} open plans; close one first")
    } else if kept >= PLANS_MAX {
        format!("{PLANS_MAX} plans are kept of this customer, and there is no room for more")
    } else {
        return Ok(());
    };
    Err(Refusal::conflict("customer", message))
}

fn no_such_plan() -> Refusal {
    Refusal::new(RefusalCode::NotFound, "this customer has no such plan; `plan.list` shows them")
}
