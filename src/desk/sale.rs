//! Sales: record, attach, show, list. A receipt is kept as the till has it; whose it is, the visit tells.

use super::payment::OnAccount;
use super::person::no_such_customer;
use super::request::Ask;
use super::sale_receipt::{GivenReceipt, checked};
use super::sale_return::still_good;
use super::whose::Whose;
use super::{Desk, earning, levels, payment, plan, points, random, reward, sale_points};
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::id::{CustomerNumber, HoldId, RegisterName, SaleId, VisitId};
use crate::domain::money::Currency;
use crate::domain::points::{HOLDS_MAX, PointsKind};
use crate::domain::purchase::{self, Bought, Receipt, Sale};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::{Day, Timestamp};
use crate::log::{Recall, Tx};
use crate::store;
use crate::vault::Vault;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// The most sales of one customer that `sale.list` gives.
const LIST_MAX: usize = 50;

/// A till's clock may be this far ahead of ours.
const AHEAD_MAX: Duration = Duration::from_secs(120);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    key: Uuid,
    receipt: GivenReceipt,
    #[serde(default)]
    visit: Option<VisitId>,
    #[serde(default)]
    customer: Option<CustomerNumber>,
    #[serde(default)]
    late: bool,
    #[serde(default)]
    register: Option<RegisterName>,
    #[serde(default)]
    sold_at: Option<jiff::Timestamp>,
    /// Holds of the rewards that are given with it.
    #[serde(default)]
    rewards: Vec<HoldId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attach {
    key: Uuid,
    sale: SaleId,
    customer: CustomerNumber,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Show {
    #[serde(default)]
    sale: Option<SaleId>,
    #[serde(default)]
    receipt: Option<ByReceipt>,
    #[serde(default)]
    register: Option<RegisterName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ByReceipt {
    number: String,
    day: Day,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    customer: CustomerNumber,
}

/// A sale on its way into the store: all but what only the committer knows.
pub(super) struct New {
    pub(super) sold_at: Option<Timestamp>,
    pub(super) receipt: Receipt,
    pub(super) visit: Option<VisitId>,
    /// The return that came with it.
    pub(super) exchange: Option<SaleId>,
    /// Holds of the rewards that are given with it.
    pub(super) rewards: Vec<HoldId>,
    /// What it puts on its customer's account.
    pub(super) on_account: Option<OnAccount>,
    /// Sets points aside that a tender spends without a hold.
    pub(super) own_hold: HoldId,
    pub(super) random: [u8; 16],
}

impl Desk {
    /// `sale.record`.
    pub(super) async fn record_sale(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Record { key, receipt, visit, customer, late, register, sold_at, rewards } = ask.fields()?;
        let on_account = receipt.on_account()?;
        let receipt = checked(receipt, ask.register(register)?)?;
        let sold_at = sold_at.map(|at| Timestamp(at.as_microsecond()));
        let now = self.clock.utc();
        if sold_at.is_some_and(|at| at > now.after(AHEAD_MAX)) {
            return Err(Refusal::field("sold_at", "must not be in the future"));
        }
        if !receipt.day.has_begun(now) {
            return Err(Refusal::field("receipt.day", "must not be in the future"));
        }
        if rewards.len() > HOLDS_MAX {
            return Err(Refusal::field("rewards", format!("must be at most {HOLDS_MAX}")));
        }
        if let Some(visit) = visit {
            self.told.queued(visit).await;
        }
        let (exchange, own_hold, random) = (None, HoldId(self.new_id()?), random()?);
        let new = New { sold_at, receipt, visit, exchange, rewards, on_account, own_hold, random };
        let (whose, points) = (Whose { visit, customer, late }, self.settings.points.clone());
        let vault = Arc::clone(&self.store()?.vault);
        let done = self.write(ask, key, move |tx| new.record(tx, &whose, (&vault, &points, now))).await?;
        let Outcome { sale, customer, .. } = done.outcome;
        Ok(json!({
            "sale": sale, "customer": customer, "points": self.earned_by(sale)?, "repeated": done.repeated,
        }))
    }

    /// `sale.attach`: the card had been forgotten, or it was another's.
    pub(super) async fn attach_sale(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Attach { key, sale, customer } = ask.fields()?;
        let (points, now) = (self.settings.points.clone(), self.clock.utc());
        let vault = Arc::clone(&self.store()?.vault);
        let done = self.write(ask, key, move |tx| attach(tx, (&vault, &points, now), sale, customer)).await?;
        Ok(json!({
            "sale": sale, "customer": customer, "points": self.earned_by(Some(sale))?, "repeated": done.repeated,
        }))
    }

    /// The points that whose sale it is has of it.
    pub(super) fn earned_by(&self, sale: Option<SaleId>) -> Result<i64, Refusal> {
        let Some(sale) = sale else { return Ok(0) };
        let lines = store::points_of_sale(&self.store()?.log.views(), sale)?;
        let earned = lines.iter().filter(|line| line.kind == PointsKind::Earn);
        Ok(earned.fold(0, |sum: i64, line| sum.saturating_add(earning::left(line))))
    }

    /// `sale.show`: by its id, or by what stands on the receipt.
    pub(super) fn show_sale(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Show { sale, receipt, register } = ask.fields()?;
        let views = self.store()?.log.views();
        let found = match (sale, receipt) {
            (Some(sale), None) => store::sale(&views, sale)?,
            (None, Some(ByReceipt { number, day })) => {
                // Whoever has the receipt in hand may look it up, whichever register made it.
                let register = register.map_or_else(|| ask.register(None), Ok)?;
                store::sale_of_receipt(&views, &register, day, &number)?
            }
            (None, None) | (Some(_), Some(_)) => {
                return Err(Refusal::field("sale", "give either `sale` or `receipt`"));
            }
        };
        let sale = found.ok_or_else(no_such_sale)?;
        let mut shown = head(&sale);
        if let Some(shown) = shown.as_object_mut() {
            let back = store::returned(&views, sale.sale)?;
            let returned = money(sale.receipt.currency, back.total());
            shown.insert("returned".to_owned(), returned);
            shown.insert("voided".to_owned(), json!(back.voided));
            shown.insert("exchange".to_owned(), json!(sale.exchange));
            shown.insert("credit".to_owned(), self.credit_of(&views, sale.sale)?);
            shown.insert("lines".to_owned(), json!(sale.receipt.lines));
            shown.insert("tenders".to_owned(), json!(sale.receipt.tenders));
        }
        Ok(shown)
    }

    /// `sale.list`: the last recorded first.
    pub(super) fn list_sales(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let List { customer } = ask.fields()?;
        let views = self.store()?.log.views();
        let kept = store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
        let sales = store::sales_of(&views, customer, LIST_MAX)?;
        Ok(json!({ "bought": bought(&kept.bought), "sales": sales.iter().map(head).collect::<Vec<_>>() }))
    }
}

/// What a sale goes by beside itself: where plans lie, how points are earned, and when.
pub(super) type Rules<'r> = (&'r Vault, &'r points::Settings, Timestamp);

impl New {
    fn record(self, tx: &mut Tx<'_>, whose: &Whose, rules: Rules<'_>) -> Result<Outcome, Refusal> {
        let customer = whose.settle(tx, &self.receipt.register)?;
        let receipt = &self.receipt;
        if store::has_receipt(tx, &receipt.register, receipt.day, &receipt.number)? {
            let message = "this register has recorded a receipt of this number and day already";
            let field = Some("receipt.number".to_owned());
            return Err(Refusal { field, ..Refusal::new(RefusalCode::Conflict, message) });
        }
        self.ring_up(tx, customer, rules)
    }

    /// Records it for a customer, under a receipt's number that is free.
    pub(super) fn ring_up(
        self,
        tx: &mut Tx<'_>,
        customer: Option<CustomerNumber>,
        (vault, points, now): Rules<'_>,
    ) -> Result<Outcome, Refusal> {
        let Self { sold_at, mut receipt, visit, exchange, rewards, on_account, own_hold, random } = self;
        let meta = tx.meta();
        let sale = SaleId::new(meta.seq, random);
        let sold_at = sold_at.unwrap_or(Timestamp(meta.at_us));
        // The level of before the sale: a receipt does not say in which order its lines were rung up.
        let mut level = None;
        if let Some(customer) = customer {
            room(tx, customer, (sale, sold_at), (receipt.currency, receipt.total), "receipt.total")?;
            level = levels::of(tx, (points, now), customer)?;
        }
        sale_points::spend(tx, (points, now), (customer, sale), &mut receipt, own_hold)?;
        let recorded = Sale { sale, customer, visit, sold_at, exchange, receipt: receipt.clone() };
        store::emit(tx, &StoreEvent::SaleRecorded(Box::new(recorded)))?;
        reward::give(tx, now, customer, (sale, &receipt), &rewards)?;
        if let Some(on_account) = on_account {
            payment::give(tx, customer, (sale, &receipt), on_account)?;
        }
        if let Some(customer) = customer {
            earning::earn(tx, (points, now), (customer, level), (sale, &receipt))?;
            plan::fulfil(tx, vault, customer, (sale, &receipt, sold_at))?;
        }
        Ok(Outcome { customer, visit, sale: Some(sale), ..Outcome::default() })
    }
}

fn attach(
    tx: &mut Tx<'_>,
    (vault, points, now): Rules<'_>,
    sale: SaleId,
    customer: CustomerNumber,
) -> Result<Outcome, Refusal> {
    let kept = store::sale(tx, sale)?.ok_or_else(no_such_sale)?;
    let back = still_good(tx, sale)?.total();
    let Sale { customer: from, sold_at, receipt, .. } = kept;
    // What came back is no turnover of anybody's.
    let (currency, total, day) = (receipt.currency, receipt.total.saturating_sub(back), Some(receipt.day));
    if from == Some(customer) {
        let field = Some("customer".to_owned());
        let message = "the sale is this customer's already";
        return Err(Refusal { field, ..Refusal::new(RefusalCode::Conflict, message) });
    }
    if !store::rewards_in(tx, sale)?.is_empty() {
        let message =
            "rewards were given with this sale, for points of whose it is; it can be returned, not moved";
        let field = Some("customer".to_owned());
        return Err(Refusal { field, ..Refusal::new(RefusalCode::Conflict, message) });
    }
    if sale_points::was_paid(&receipt) {
        let message = "this sale was paid with points of whose it is; it can be returned, not moved";
        return Err(Refusal::conflict("customer", message));
    }
    room(tx, customer, (sale, sold_at), (currency, total), "customer")?;
    let last_left = from.map(|from| last_but(tx, from, sale)).transpose()?.flatten();
    let level = levels::of(tx, (points, now), customer)?;
    let attached =
        StoreEvent::SaleAttached { sale, customer, from, last_left, sold_at, day, currency, total };
    store::emit(tx, &attached)?;
    if let Some(from) = from {
        earning::carry_over(tx, now, sale, Some(customer))?;
        plan::reopen(tx, vault, from, (sale, now))?;
    } else {
        earning::earn(tx, (points, now), (customer, level), (sale, &receipt))?;
        earning::shrink(tx, now, sale, (back, receipt.total))?;
    }
    plan::fulfil(tx, vault, customer, (sale, &receipt, sold_at))?;
    Ok(Outcome { customer: Some(customer), sale: Some(sale), ..Outcome::default() })
}

/// Whether a sale fits into its customer's sums.
fn room(
    tx: &Tx<'_>,
    customer: CustomerNumber,
    (sale, sold_at): (SaleId, Timestamp),
    (currency, total): (Currency, i64),
    field: &str,
) -> Result<(), Refusal> {
    let kept = store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
    if kept.bought.with(sale, sold_at, currency, total).is_some() {
        return Ok(());
    }
    let max = purchase::CURRENCIES_MAX;
    let message = format!("the customer's turnover would pass 2^53-1, or be in more than {max} currencies");
    Err(Refusal { field: Some(field.to_owned()), ..Refusal::new(RefusalCode::Conflict, message) })
}

/// The latest sale of a customer that is left when one is taken.
pub(super) fn last_but(
    tx: &(impl Recall + ?Sized),
    customer: CustomerNumber,
    sale: SaleId,
) -> Result<Option<(SaleId, Timestamp)>, Refusal> {
    let left = store::own_sales_of(tx, store::sale_owner(tx, customer, sale)?, LIST_MAX)?;
    let left = left.into_iter().filter(|kept| kept.sale != sale);
    Ok(left.map(|kept| (kept.sale, kept.sold_at)).max_by_key(|(_, sold_at)| *sold_at))
}

/// A sale without its lines.
fn head(sale: &Sale) -> Value {
    let Sale { sale, customer, visit, sold_at, exchange, receipt } = sale;
    let money = money(receipt.currency, receipt.total);
    json!({
        "type": if exchange.is_some() { "EXCHANGE" } else { "SALE" },
        "sale": sale, "customer": customer, "visit": visit, "sold_at": sold_at.rfc3339(),
        "register": receipt.register, "number": receipt.number, "day": receipt.day,
        "total": money, "line_count": receipt.lines.len(),
    })
}

/// What a customer bought, in sum.
pub(super) fn bought(bought: &Bought) -> Value {
    let turnover: Vec<Value> =
        bought.turnover.iter().map(|turnover| money(turnover.currency, turnover.minor)).collect();
    json!({
        "sales": bought.sales, "turnover": turnover,
        "last_at": bought.last.map(|(_, at)| at.rfc3339()),
    })
}

pub(super) fn money(currency: Currency, minor: i64) -> Value {
    json!({ "minor": minor, "currency": currency, "exponent": currency.exponent() })
}

pub(super) fn no_such_sale() -> Refusal {
    Refusal::new(RefusalCode::NotFound, "no such sale; `sale.list` shows a customer's")
}
