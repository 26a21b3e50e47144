//! Exchanges: goods come back and others go out in one decision, so that neither is ever recorded without the other.
//!
//! What came back covers the new sale as far as it goes, as a tender `EXCHANGE` on both sides; only the difference is paid or
//! given back. Points follow both: what the old sale earned shrinks, the new one earns.

use super::request::Ask;
use super::sale::{New, Rules, money, no_such_sale};
use super::sale_receipt::{GivenReceipt, built, check_lines};
use super::sale_return::{Back, GivenLine, bring_back, came_back, still_good};
use super::whose::Whose;
use super::{Desk, payment, random, sale_points, screen};
use crate::domain::event::Outcome;
use crate::domain::id::{HoldId, RegisterName, SaleId, VisitId};
use crate::domain::purchase::{self, LINES_MAX, TENDERS_MAX, Tender, TenderKind};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::log::Tx;
use crate::store;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenExchange {
    key: Uuid,
    /// The sale that the goods are of.
    sale: SaleId,
    /// Absent: everything that has not come back yet.
    #[serde(default)]
    lines: Option<Vec<GivenLine>>,
    receipt: GivenReceipt,
    /// How what was worth more is given back.
    #[serde(default)]
    refund: Vec<Tender>,
    #[serde(default)]
    visit: Option<VisitId>,
    #[serde(default)]
    late: bool,
    #[serde(default)]
    register: Option<RegisterName>,
}

/// An exchange on its way into the store.
struct Exchange {
    of: SaleId,
    lines: Option<Vec<GivenLine>>,
    refund: Vec<Tender>,
    random: [u8; 16],
    whose: Whose,
    new: New,
}

impl Desk {
    /// `sale.exchange`.
    pub(super) async fn exchange_sale(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let GivenExchange { key, sale, lines, receipt, refund, visit, late, register } = ask.fields()?;
        let on_account = receipt.on_account()?;
        let receipt = built(receipt, ask.register(register)?)?;
        screen::receipt_number(&receipt.number)?;
        check_lines(&receipt.lines, receipt.total, "receipt")?;
        let now = self.clock.utc();
        if !receipt.day.has_begun(now) {
            return Err(Refusal::field("receipt.day", "must not be in the future"));
        }
        if lines.as_ref().is_some_and(|lines| lines.is_empty() || lines.len() > LINES_MAX) {
            let message = format!("must be 1 to {LINES_MAX} lines; leave it out and everything comes back");
            return Err(Refusal::field("lines", message));
        }
        if refund.len() >= TENDERS_MAX {
            return Err(Refusal::field("refund", format!("must be fewer than {TENDERS_MAX}")));
        }
        if refund.iter().any(|tender| tender.kind == TenderKind::Exchange) {
            return Err(Refusal::field("refund", "is what is given back besides: not EXCHANGE"));
        }
        if let Some(visit) = visit {
            self.told.queued(visit).await;
        }
        let (sold_at, exchange, rewards, random_of_new) = (None, None, Vec::new(), random()?);
        let own_hold = HoldId(self.new_id()?);
        let new =
            New { sold_at, receipt, visit, exchange, rewards, on_account, own_hold, random: random_of_new };
        let whose = Whose { visit, customer: None, late };
        let exchange = Exchange { of: sale, lines, refund, random: random()?, whose, new };
        let points = self.settings.points.clone();
        let vault = Arc::clone(&self.store()?.vault);
        let done = self.write(ask, key, move |tx| exchange.settle(tx, (&vault, &points, now))).await?;
        let views = self.store()?.log.views();
        let made = done.outcome.sale.ok_or_else(no_such_sale)?;
        let kept = store::sale(&views, made)?.ok_or_else(no_such_sale)?;
        let covered = kept.receipt.tenders.iter().filter(|tender| tender.kind == TenderKind::Exchange);
        let covered = covered.fold(0, |sum: i64, tender| sum.saturating_add(tender.amount));
        Ok(json!({
            "sale": made, "return": kept.exchange, "of": sale, "customer": done.outcome.customer,
            "covered": money(kept.receipt.currency, covered), "points": self.earned_by(Some(made))?,
            "repeated": done.repeated,
        }))
    }
}

impl Exchange {
    fn settle(self, tx: &mut Tx<'_>, rules @ (_, _, now): Rules<'_>) -> Result<Outcome, Refusal> {
        let Self { of, lines, refund, random, whose, mut new } = self;
        let kept = store::sale(tx, of)?.ok_or_else(no_such_sale)?;
        let returned = still_good(tx, of)?;
        if new.receipt.currency != kept.receipt.currency {
            let message = "must be the currency of the sale that the goods are of";
            return Err(Refusal::field("receipt.currency", message));
        }
        let lines = came_back(&kept, &returned, lines)?;
        let back = lines.iter().fold(0, |sum: i64, line| sum.saturating_add(line.amount));
        // What comes back as points, or off what is owed, pays for nothing.
        let no_money = [TenderKind::Points, TenderKind::Account].map(|kind| purchase::paid_as(&refund, kind));
        let money_back = no_money.into_iter().fold(back, i64::saturating_sub);
        let covered = money_back.clamp(0, new.receipt.total);
        let (pay, give) = (new.receipt.total.saturating_sub(covered), back.saturating_sub(covered));
        check_sum(&new.receipt.tenders, pay, "receipt.tenders")?;
        check_sum(&refund, give, "refund")?;
        let by_goods = (covered > 0).then_some(Tender::new(TenderKind::Exchange, covered));
        let with_goods = |tenders: Vec<Tender>| tenders.into_iter().chain(by_goods).collect::<Vec<_>>();
        new.receipt.tenders = with_goods(new.receipt.tenders);
        purchase::check(&new.receipt)
            .map_err(|(field, message)| Refusal::field(format!("receipt.{field}"), message))?;
        let refund = with_goods(refund);
        sale_points::check_back(&kept, &returned, &refund, "refund")?;
        payment::check_back(tx, (&kept, &returned), &refund, "refund")?;
        let customer =
            if whose.visit.is_some() { whose.settle(tx, &new.receipt.register)? } else { kept.customer };
        let receipt = &new.receipt;
        if store::has_receipt(tx, &receipt.register, receipt.day, &receipt.number)? {
            let message = "this register has recorded a receipt of this number and day already";
            let field = Some("receipt.number".to_owned());
            return Err(Refusal { field, ..Refusal::new(RefusalCode::Conflict, message) });
        }
        let (register, number, day) = (receipt.register.clone(), receipt.number.clone(), receipt.day);
        let receiving = Back { register, number, day, tenders: refund, random };
        new.exchange = Some(bring_back(tx, now, (&kept, &returned), lines, receiving)?);
        new.ring_up(tx, customer, rules)
    }
}

fn check_sum(tenders: &[Tender], wanted: i64, field: &str) -> Result<(), Refusal> {
    let sum = purchase::check_sum(tenders.iter().map(|tender| tender.amount));
    if sum == Some(wanted) && tenders.iter().all(|tender| tender.amount >= 0) {
        return Ok(());
    }
    let message =
        format!("must be {wanted} in sum: what the goods that come back and those that go differ by");
    Err(Refusal::field(field, message))
}
