//! Parked sales: put aside, taken up again at any register, or lapsed. One that lapses becomes a sale that did not come about.

use super::request::Ask;
use super::sale::money;
use super::sale_receipt::check_lines;
use super::whose::Whose;
use super::{Desk, Opened, random};
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::id::{CustomerNumber, LostId, RegisterName, SaleId, VisitId};
use crate::domain::lost::{ITEMS_MAX, Lost, LostItem, LostKind, LostReason};
use crate::domain::money::Currency;
use crate::domain::purchase::{Line, Parked, ParkedState, Turnover};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::Timestamp;
use crate::log::{Read, Tx};
use crate::store;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// The most parked sales that a shop can have open, and that `sale.parked` lists.
const OPEN_MAX: usize = 200;

/// Parked sales that one sweep lets lapse; more wait for the next.
const SWEEP_MAX: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Park {
    key: Uuid,
    basket: Basket,
    #[serde(default)]
    visit: Option<VisitId>,
    #[serde(default)]
    customer: Option<CustomerNumber>,
    #[serde(default)]
    late: bool,
    #[serde(default)]
    register: Option<RegisterName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Basket {
    currency: Currency,
    lines: Vec<Line>,
    total: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resume {
    key: Uuid,
    parked: SaleId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {}

impl Desk {
    /// `sale.park`.
    pub(super) async fn park_sale(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Park { key, basket, visit, customer, late, register } = ask.fields()?;
        let register = ask.register(register)?;
        let Basket { currency, lines, total } = basket;
        check_lines(&lines, total, "basket")?;
        if let Some(visit) = visit {
            self.told.queued(visit).await;
        }
        let (random, stands) = (random()?, self.settings.parked);
        let done = self
            .write(ask, key, move |tx| {
                let customer = Whose { visit, customer, late }.settle(tx, &register)?;
                if store::parked_open(tx, None, OPEN_MAX)?.len() >= OPEN_MAX {
                    let message =
                        format!("{OPEN_MAX} sales are parked; take one up, or ring this one up anew");
                    return Err(Refusal::new(RefusalCode::Conflict, message));
                }
                let meta = tx.meta();
                let (parked, parked_at) = (SaleId::new(meta.seq, random), Timestamp(meta.at_us));
                let until = parked_at.after(stands);
                let kept =
                    Parked { parked, customer, visit, register, currency, lines, total, parked_at, until };
                store::emit(tx, &StoreEvent::SaleParked(Box::new(kept)))?;
                Ok(Outcome { customer, visit, sale: Some(parked), ..Outcome::default() })
            })
            .await?;
        let parked = done.outcome.sale.ok_or_else(no_such_parked)?;
        let views = self.store()?.log.views();
        let (kept, _) = store::parked(&views, parked)?.ok_or_else(no_such_parked)?;
        Ok(json!({
            "parked": parked, "customer": stands_for(&views, kept.customer)?, "until": kept.until.rfc3339(), "repeated": done.repeated,
        }))
    }

    /// `sale.resume`: what was parked, for the register that takes it up. It is parked no more.
    pub(super) async fn resume_sale(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Resume { key, parked } = ask.fields()?;
        let done = self
            .write(ask, key, move |tx| {
                let (kept, state) = store::parked(tx, parked)?.ok_or_else(no_such_parked)?;
                let over = kept.until.0 <= tx.meta().at_us;
                let message = match state {
                    ParkedState::Open if !over => {
                        store::emit(tx, &StoreEvent::ParkedTakenUp { parked })?;
                        let customer = stands_for(tx, kept.customer)?;
                        return Ok(Outcome { customer, sale: Some(parked), ..Outcome::default() });
                    }
                    ParkedState::TakenUp => "this sale was taken up already",
                    ParkedState::Open | ParkedState::Lapsed => "the time of this parked sale is over",
                };
                let field = Some("parked".to_owned());
                Err(Refusal { field, ..Refusal::new(RefusalCode::Conflict, message) })
            })
            .await?;
        let views = self.store()?.log.views();
        let (kept, _) = store::parked(&views, parked)?.ok_or_else(no_such_parked)?;
        let Parked { customer, currency, lines, total, .. } = kept;
        Ok(json!({
            "parked": parked, "customer": stands_for(&views, customer)?, "repeated": done.repeated,
            "basket": { "currency": currency, "lines": lines, "total": total },
        }))
    }

    /// `sale.parked`: those that can be taken up, the one that lapses first before the others.
    pub(super) fn parked_sales(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let List {} = ask.fields()?;
        let views = self.store()?.log.views();
        let now = self.clock.utc();
        let mut rows = Vec::new();
        for parked in store::parked_open(&views, None, OPEN_MAX)? {
            let Some((kept, _)) = store::parked(&views, parked)? else { continue };
            if kept.until <= now {
                continue;
            }
            rows.push(json!({
                "parked": parked, "customer": stands_for(&views, kept.customer)?, "register": kept.register,
                "parked_at": kept.parked_at.rfc3339(), "until": kept.until.rfc3339(),
                "total": money(kept.currency, kept.total), "line_count": kept.lines.len(),
            }));
        }
        Ok(json!({ "parked": rows }))
    }

    /// Lets parked sales lapse whose time is over, as many as one sweep takes.
    ///
    /// # Errors
    /// As any write.
    pub async fn settle_parked(&self) -> Result<(), Refusal> {
        let Opened { log, .. } = self.store()?;
        let due = store::parked_open(&log.views(), Some(self.clock.utc()), SWEEP_MAX)?;
        for parked in &due {
            let (parked, lost) = (*parked, LostId(self.new_id()?));
            let calendar = self.settings.service.terms.calendar.clone();
            let settled = log.submit(move |tx| lapse(tx, parked, lost, &calendar))?;
            let Err(refused) = settled.await else { continue };
            let refusal = Refusal::from(refused);
            if matches!(refusal.code, RefusalCode::Busy | RefusalCode::ReadOnly) {
                return Err(refusal);
            }
            // One that cannot be read keeps no other from its due.
            tracing::error!(parked = %parked.0, error = %refusal, "a parked sale cannot lapse");
        }
        Ok(())
    }
}

fn lapse(
    tx: &mut Tx<'_>,
    parked: SaleId,
    lost: LostId,
    calendar: &crate::domain::business::Calendar,
) -> Result<(), Refusal> {
    let (kept, state) = store::parked(tx, parked)?.ok_or_else(no_such_parked)?;
    // A register may have taken it up since it was looked at.
    if state != ParkedState::Open {
        return Ok(());
    }
    store::emit(tx, &StoreEvent::ParkedLapsed { parked })?;
    let lost_at = Timestamp(tx.meta().at_us);
    let Some(day) = calendar.day(lost_at) else { return Ok(()) };
    let item = |line: &Line| LostItem {
        gtin: line.gtin.clone(),
        sku: line.sku.clone(),
        model: line.model.clone(),
        category: line.category.clone(),
        quantity: Some(line.quantity),
    };
    let Parked { customer, register, currency, lines, total, .. } = kept;
    let named = |line: &&Line| {
        line.gtin.is_some() || line.sku.is_some() || line.model.is_some() || line.category.is_some()
    };
    let kept = Lost {
        lost,
        customer,
        kind: LostKind::ParkedLapsed,
        reason: LostReason::Unknown,
        register,
        day,
        lost_at,
        items: lines.iter().filter(named).take(ITEMS_MAX).map(item).collect(),
        estimated: Some(Turnover { currency, minor: total }),
        parked: Some(parked),
        recovered_by: None,
    };
    store::emit(tx, &StoreEvent::SaleLost(Box::new(kept)))?;
    Ok(())
}

/// Who is to be named for the customer that a sale was parked for.
fn stands_for(
    views: &(impl Read + ?Sized),
    customer: Option<CustomerNumber>,
) -> Result<Option<CustomerNumber>, Refusal> {
    Ok(customer.map(|customer| store::survivor(views, customer)).transpose()?)
}

fn no_such_parked() -> Refusal {
    let message = "no parked sale has this id; `sale.parked` lists those that can be taken up";
    Refusal { field: Some("parked".to_owned()), ..Refusal::new(RefusalCode::NotFound, message) }
}
