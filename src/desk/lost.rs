//! Sales that did not come about: recorded, listed with what they came to, and recovered by a later sale.

use super::person::no_such_customer;
use super::request::Ask;
use super::sale::{money, no_such_sale};
use super::sale_return::still_good;
use super::{Desk, Opened, screen};
use crate::decode;
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::id::{CustomerNumber, LostId, RegisterName, SaleId};
use crate::domain::lost::{self, Lost, LostItem, LostKind, LostReason};
use crate::domain::purchase::{self, Turnover};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::{Day, Timestamp};
use crate::log::Views;
use crate::store;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The most that `lost.list` gives one by one.
const LIST_MAX: usize = 200;

/// The most that it goes through and sums.
const SUMMED_MAX: usize = 5_000;

/// The most days that it goes through.
const DAYS_MAX: usize = 366;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    key: Uuid,
    kind: LostKind,
    #[serde(default)]
    reason: LostReason,
    #[serde(default)]
    customer: Option<CustomerNumber>,
    #[serde(default)]
    items: Vec<LostItem>,
    #[serde(default)]
    estimated: Option<GivenMoney>,
    #[serde(default)]
    day: Option<Day>,
    #[serde(default)]
    register: Option<RegisterName>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenMoney {
    minor: i64,
    currency: crate::domain::money::Currency,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recover {
    key: Uuid,
    lost: LostId,
    sale: SaleId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    customer: Option<CustomerNumber>,
    #[serde(default)]
    from: Option<Day>,
    #[serde(default)]
    to: Option<Day>,
}

impl Desk {
    /// `lost.record`.
    pub(super) async fn record_lost(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Record { key, kind, reason, customer, items, estimated, day, register } = ask.fields()?;
        let register = ask.register(register)?;
        let estimated = estimated.map(|GivenMoney { minor, currency }| Turnover { currency, minor });
        check(&items, estimated.as_ref())?;
        let now = self.clock.utc();
        if day.is_some_and(|day| !day.has_begun(now)) {
            return Err(Refusal::field("day", "must not be in the future"));
        }
        let today = self.settings.service.terms.calendar.day(now);
        let Some(day) = day.or(today) else { return Err(Refusal::field("day", "name the day")) };
        let lost = LostId(self.new_id()?);
        let done = self
            .write(ask, key, move |tx| {
                if let Some(customer) = customer {
                    store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
                }
                let lost_at = Timestamp(tx.meta().at_us);
                let (parked, recovered_by) = (None, None);
                let kept = Lost {
                    lost,
                    customer,
                    kind,
                    reason,
                    register,
                    day,
                    lost_at,
                    items,
                    estimated,
                    parked,
                    recovered_by,
                };
                store::emit(tx, &StoreEvent::SaleLost(Box::new(kept)))?;
                Ok(Outcome { customer, lost: Some(lost), ..Outcome::default() })
            })
            .await?;
        let Outcome { customer, lost, .. } = done.outcome;
        Ok(json!({ "lost": lost, "customer": customer, "repeated": done.repeated }))
    }

    /// `lost.recover`: it was bought after all.
    pub(super) async fn recover_lost(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Recover { key, lost, sale } = ask.fields()?;
        let done = self
            .write(ask, key, move |tx| {
                let field = |field: &str, refusal| Refusal { field: Some(field.to_owned()), ..refusal };
                let kept = store::lost(tx, lost)?.ok_or_else(no_such_lost)?;
                let bought = store::sale(tx, sale)?.ok_or_else(no_such_sale)?;
                still_good(tx, sale).map_err(|refusal| field("sale", refusal))?;
                // A sale that was voided since has recovered nothing.
                let recovered = kept.recovered_by.is_some_and(|by| still_good(tx, by).is_ok());
                if recovered {
                    let message = "this was recovered by another sale already";
                    return Err(field("lost", Refusal::new(RefusalCode::Conflict, message)));
                }
                if bought.sold_at < kept.lost_at {
                    return Err(Refusal::field("sale", "was made before: only a later sale recovers it"));
                }
                if kept.customer.is_some() && bought.customer.is_some() && kept.customer != bought.customer {
                    return Err(Refusal::field("sale", "is another customer's"));
                }
                let customer = kept.customer.or(bought.customer);
                store::emit(tx, &StoreEvent::LostRecovered { lost, sale })?;
                Ok(Outcome { customer, lost: Some(lost), sale: Some(sale), ..Outcome::default() })
            })
            .await?;
        Ok(json!({ "lost": lost, "sale": sale, "repeated": done.repeated }))
    }

    /// `lost.list`: of a customer, or of the shop from a day to a day.
    pub(super) fn list_lost(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let List { customer, from, to } = ask.fields()?;
        let Opened { log, .. } = self.store()?;
        let views = log.views();
        let most = SUMMED_MAX.saturating_add(1);
        let mut all = match (customer, from, to) {
            (Some(customer), None, None) => {
                store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
                store::lost_of(&views, customer, most)?
            }
            (None, Some(from), Some(to)) => in_days(&views, from, to, most)?,
            (None, from, None) => {
                let today = self.settings.service.terms.calendar.day(self.clock.utc());
                let today = today.ok_or_else(|| Refusal::field("to", "name the day"))?;
                in_days(&views, from.unwrap_or(today), today, most)?
            }
            (Some(_), ..) | (None, None, Some(_)) => {
                return Err(Refusal::field("from", "give either `customer`, or `from` and `to`"));
            }
        };
        let more = all.len() > LIST_MAX;
        let summed = all.len() <= SUMMED_MAX;
        all.truncate(SUMMED_MAX);
        for kept in &mut all {
            let good = |sale: &SaleId| store::returned(&views, *sale).map(|back| !back.voided);
            if let Some(sale) = kept.recovered_by
                && !good(&sale)?
            {
                kept.recovered_by = None;
            }
        }
        let rows: Vec<Value> = all.iter().rev().take(LIST_MAX).map(row).collect();
        Ok(json!({ "lost": rows, "more": more, "sums": sums(&all), "summed_all": summed }))
    }
}

fn in_days(views: &Views, from: Day, to: Day, most: usize) -> Result<Vec<Lost>, Refusal> {
    let next = |day: &Day| day.after_days(1).filter(|day| *day <= to);
    let days: Vec<Day> = std::iter::successors(Some(from), next).take(DAYS_MAX.saturating_add(1)).collect();
    if to < from || days.len() > DAYS_MAX {
        return Err(Refusal::field(
            "to",
            format!("must not be before `from`, and at most {DAYS_MAX} days on"),
        ));
    }
    let mut all = Vec::new();
    for day in days {
        all.extend(store::lost_on(views, day, most.saturating_sub(all.len()))?);
        if all.len() >= most {
            break;
        }
    }
    Ok(all)
}

fn row(kept: &Lost) -> Value {
    let Lost { lost, customer, kind, reason, register, day, lost_at, items, parked, .. } = kept;
    let estimated = kept.estimated.map(|estimated| money(estimated.currency, estimated.minor));
    json!({
        "lost": lost, "customer": customer, "kind": kind, "reason": reason, "register": register, "day": day,
        "lost_at": lost_at.rfc3339(), "items": items, "estimated": estimated, "parked": parked,
        "recovered_by": kept.recovered_by,
    })
}

/// How many there are of each kind and reason, how many were recovered, and what those that were not would have come to.
fn sums(all: &[Lost]) -> Vec<Value> {
    #[derive(Default)]
    struct Sum {
        count: u64,
        recovered: u64,
        missed: BTreeMap<crate::domain::money::Currency, i64>,
    }
    let mut sums: BTreeMap<(LostKind, LostReason), Sum> = BTreeMap::new();
    for kept in all {
        let sum = sums.entry((kept.kind, kept.reason)).or_default();
        sum.count = sum.count.saturating_add(1);
        if kept.recovered_by.is_some() {
            sum.recovered = sum.recovered.saturating_add(1);
        } else if let Some(Turnover { currency, minor }) = kept.estimated {
            let missed = sum.missed.entry(currency).or_default();
            *missed = missed.saturating_add(minor).min(crate::domain::money::MINOR_MAX);
        }
    }
    let told = |((kind, reason), sum): ((LostKind, LostReason), Sum)| {
        let missed: Vec<Value> =
            sum.missed.into_iter().map(|(currency, minor)| money(currency, minor)).collect();
        json!({
            "kind": kind, "reason": reason, "count": sum.count, "recovered": sum.recovered, "missed": missed,
        })
    };
    sums.into_iter().map(told).collect()
}

fn check(items: &[LostItem], estimated: Option<&Turnover>) -> Result<(), Refusal> {
    lost::check(items, estimated)
        .map_err(|(field, message): purchase::Wrong| Refusal::field(field, message))?;
    for (item, at) in items.iter().zip(0_usize..) {
        if item.gtin.as_ref().is_some_and(|gtin| !decode::gs1::gtin_ok(gtin.as_bytes())) {
            let message = "must be 8, 12, 13 or 14 digits with a right check digit";
            return Err(Refusal::field(format!("items[{at}].gtin"), message));
        }
        screen::own_number("sku", item.sku.as_deref())
            .and_then(|()| screen::free_text("model", item.model.as_deref()))
            .and_then(|()| screen::free_text("category", item.category.as_deref()))
            .map_err(|(field, message)| Refusal::field(format!("items[{at}].{field}"), message))?;
    }
    Ok(())
}

fn no_such_lost() -> Refusal {
    Refusal::new(RefusalCode::NotFound, "no lost sale has this id; `lost.list` shows them")
}
