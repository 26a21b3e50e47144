//! What becomes of a sale afterwards: goods come back, or it is voided.

use super::request::Ask;
use super::sale::{last_but, money, no_such_sale};
use super::{Desk, earning, payment, plan, random, reward, sale_points, screen};
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::id::{RegisterName, SaleId};
use crate::domain::purchase::{
    self, BackLine, LINES_MAX, Return, Returned, Sale, TENDERS_MAX, Tender, TenderKind,
};
use crate::domain::refusal::Refusal;
use crate::domain::time::{Day, Timestamp};
use crate::log::Tx;
use crate::store;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenReturn {
    key: Uuid,
    sale: SaleId,
    receipt: GivenReceipt,
    /// Absent: everything that has not come back yet.
    #[serde(default)]
    lines: Option<Vec<GivenLine>>,
    #[serde(default)]
    register: Option<RegisterName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenReceipt {
    number: String,
    day: Day,
    tenders: Vec<Tender>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GivenLine {
    line: u16,
    quantity: i64,
    #[serde(default)]
    amount: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Void {
    key: Uuid,
    sale: SaleId,
}

impl Desk {
    /// `sale.return`.
    pub(super) async fn return_sale(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let GivenReturn { key, sale, receipt, lines, register } = ask.fields()?;
        let register = ask.register(register)?;
        let (now, random) = (self.clock.utc(), random()?);
        check_receipt(&receipt, lines.as_deref(), now)?;
        let done = self
            .write(ask, key, move |tx| {
                let kept = store::sale(tx, sale)?.ok_or_else(no_such_sale)?;
                let returned = still_good(tx, sale)?;
                let lines = came_back(&kept, &returned, lines)?;
                let total = lines.iter().fold(0, |sum: i64, line| sum.saturating_add(line.amount));
                check_tenders(&receipt.tenders, total)?;
                sale_points::check_back(&kept, &returned, &receipt.tenders, "receipt.tenders")?;
                payment::check_back(tx, (&kept, &returned), &receipt.tenders, "receipt.tenders")?;
                if store::has_receipt(tx, &register, receipt.day, &receipt.number)? {
                    let message = "this register has recorded a receipt of this number and day already";
                    return Err(Refusal::conflict("receipt.number", message));
                }
                let GivenReceipt { number, day, tenders } = receipt;
                let back = Back { register, number, day, tenders, random };
                let sale_return = bring_back(tx, now, (&kept, &returned), lines, back)?;
                Ok(Outcome { customer: kept.customer, sale: Some(sale_return), ..Outcome::default() })
            })
            .await?;
        let views = self.store()?.log.views();
        let kept = store::sale(&views, sale)?.ok_or_else(no_such_sale)?;
        let returned = money(kept.receipt.currency, store::returned(&views, sale)?.total());
        let (customer, sale_return) = (done.outcome.customer, done.outcome.sale);
        Ok(json!({
            "return": sale_return, "sale": sale, "customer": customer, "returned": returned,
            "repeated": done.repeated,
        }))
    }

    /// `sale.void`.
    pub(super) async fn void_sale(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Void { key, sale } = ask.fields()?;
        let (now, vault) = (self.clock.utc(), Arc::clone(&self.store()?.vault));
        let done = self
            .write(ask, key, move |tx| {
                let kept = store::sale(tx, sale)?.ok_or_else(no_such_sale)?;
                if kept.exchange.is_some() {
                    let message = "goods came back for this sale; an exchange is undone by another return";
                    return Err(Refusal::conflict("sale", message));
                }
                if still_good(tx, sale)? != Returned::default() {
                    let message = "goods of this sale came back; the rest is a return too";
                    return Err(Refusal::conflict("sale", message));
                }
                payment::check_void(tx, sale)?;
                let customer = kept.customer;
                let last_left = customer.map(|from| last_but(tx, from, sale)).transpose()?.flatten();
                let (currency, total) = (kept.receipt.currency, kept.receipt.total);
                store::emit(tx, &StoreEvent::SaleVoided { sale, customer, last_left, currency, total })?;
                earning::carry_over(tx, now, sale, None)?;
                reward::undo(tx, now, sale)?;
                sale_points::undo(tx, now, &kept)?;
                customer.map_or(Ok(()), |of| plan::reopen(tx, &vault, of, (sale, now)))?;
                Ok(Outcome { customer, sale: Some(sale), ..Outcome::default() })
            })
            .await?;
        Ok(json!({ "sale": sale, "customer": done.outcome.customer, "repeated": done.repeated }))
    }
}

/// How goods are taken back.
pub(super) struct Back {
    pub(super) register: RegisterName,
    pub(super) number: String,
    pub(super) day: Day,
    pub(super) tenders: Vec<Tender>,
    pub(super) random: [u8; 16],
}

/// Records that lines of a sale came back, and takes back what they earned.
pub(super) fn bring_back(
    tx: &mut Tx<'_>,
    now: Timestamp,
    (kept, returned): (&Sale, &Returned),
    lines: Vec<BackLine>,
    back: Back,
) -> Result<SaleId, Refusal> {
    let Back { register, number, day, tenders, random } = back;
    if day < kept.receipt.day {
        let sold = String::from(kept.receipt.day);
        return Err(Refusal::field("receipt.day", format!("must not be before the day of the sale, {sold}")));
    }
    let total = lines.iter().fold(0, |sum: i64, line| sum.saturating_add(line.amount));
    let (of, customer) = (kept.sale, kept.customer);
    let (sale_return, currency) = (SaleId::new(tx.meta().seq, random), kept.receipt.currency);
    let returned_at = now;
    let back = Return {
        sale_return,
        of,
        customer,
        returned_at,
        register,
        number,
        day,
        currency,
        lines,
        tenders,
        total,
    };
    let so_far = returned.clone().after(&back);
    store::emit(tx, &StoreEvent::SaleReturned(Box::new(back)))?;
    earning::shrink(tx, now, of, (so_far.total(), kept.receipt.total))?;
    reward::shrink(tx, now, kept, &so_far)?;
    sale_points::shrink(tx, now, kept, &so_far)?;
    Ok(sale_return)
}

/// What came back of a sale that was not voided.
pub(super) fn still_good(tx: &Tx<'_>, sale: SaleId) -> Result<Returned, Refusal> {
    let returned = store::returned(tx, sale)?;
    if returned.voided {
        return Err(Refusal::conflict("sale", "this sale was voided"));
    }
    Ok(returned)
}

pub(super) fn came_back(
    sale: &Sale,
    returned: &Returned,
    wanted: Option<Vec<GivenLine>>,
) -> Result<Vec<BackLine>, Refusal> {
    let Some(wanted) = wanted else {
        let rest = returned.rest(&sale.receipt);
        if rest.is_empty() {
            return Err(Refusal::conflict("sale", "everything of this sale has come back already"));
        }
        return Ok(rest);
    };
    let (mut so_far, mut lines) = (returned.clone(), Vec::new());
    for (GivenLine { line, quantity, amount }, at) in wanted.into_iter().zip(0_usize..) {
        let taken = so_far.take(&sale.receipt, line, quantity, amount);
        let taken =
            taken.map_err(|(field, message)| Refusal::field(format!("lines[{at}].{field}"), message))?;
        so_far = so_far.with(&[taken]);
        lines.push(taken);
    }
    Ok(lines)
}

fn check_receipt(receipt: &GivenReceipt, lines: Option<&[GivenLine]>, now: Timestamp) -> Result<(), Refusal> {
    screen::receipt_number(&receipt.number)?;
    if !receipt.day.has_begun(now) {
        return Err(Refusal::field("receipt.day", "must not be in the future"));
    }
    if lines.is_some_and(|lines| lines.is_empty() || lines.len() > LINES_MAX) {
        let message = format!("must be 1 to {LINES_MAX} lines; leave it out and everything comes back");
        return Err(Refusal::field("lines", message));
    }
    if receipt.tenders.len() > TENDERS_MAX {
        return Err(Refusal::field("receipt.tenders", format!("must be at most {TENDERS_MAX}")));
    }
    Ok(())
}

fn check_tenders(tenders: &[Tender], total: i64) -> Result<(), Refusal> {
    if tenders.iter().any(|tender| tender.kind == TenderKind::Exchange) {
        return Err(Refusal::field("receipt.tenders", "EXCHANGE comes of `sale.exchange` by itself"));
    }
    let sum = purchase::check_sum(tenders.iter().map(|tender| tender.amount));
    if sum == Some(total) && tenders.iter().all(|tender| tender.amount >= 0) {
        return Ok(());
    }
    Err(Refusal::field("receipt.tenders", format!("must be {total} in sum: what these lines give back")))
}
