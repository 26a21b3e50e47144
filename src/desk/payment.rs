//! Sales on account: their terms, what is paid for them, what is open and overdue.

use super::Desk;
use super::access::forbidden;
use super::methods::{Beyond, DESK};
use super::person::no_such_customer;
use super::request::Ask;
use super::sale::money;
use crate::domain::credit::{Credit, PAYMENTS_MAX, Payment, TERMS_DAYS_MAX};
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::id::{CustomerNumber, SaleId};
use crate::domain::money::Currency;
use crate::domain::purchase::{Receipt, Returned, Sale, Tender, TenderKind, paid_as};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::{Day, Timestamp};
use crate::log::{Read, Tx};
use crate::store;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// The most sales that `payment.list` gives.
const LIST_MAX: usize = 100;

/// Terms as a tender has them.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GivenTerms {
    days: u32,
}

/// What a receipt puts on account: which of its tenders, and until when.
#[derive(Debug, Clone, Copy)]
pub(super) struct OnAccount {
    at: usize,
    due: Day,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    key: Uuid,
    sale: SaleId,
    kind: TenderKind,
    amount: i64,
    #[serde(default)]
    currency: Option<Currency>,
    #[serde(default)]
    paid_on: Option<Day>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    customer: Option<CustomerNumber>,
}

impl Desk {
    /// The requests `payment.…`.
    pub(super) async fn payment(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        if ask.method == "payment.record" { self.record_payment(ask).await } else { self.list_payments(ask) }
    }

    /// `payment.record`.
    async fn record_payment(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Record { key, sale, kind, amount, currency, paid_on } = ask.fields()?;
        let now = self.clock.utc();
        let today = self.today(now)?;
        match kind {
            TenderKind::Cash
            | TenderKind::Card
            | TenderKind::Transfer
            | TenderKind::Voucher
            | TenderKind::Other => {}
            TenderKind::Points | TenderKind::Account | TenderKind::Exchange => {
                let message = "must be CASH, CARD, TRANSFER, VOUCHER or OTHER";
                return Err(Refusal::field("kind", message));
            }
        }
        if paid_on.is_some_and(|day| !day.has_begun(now)) {
            return Err(Refusal::field("paid_on", "must not be in the future"));
        }
        let payment = Payment { kind, amount, on: paid_on.unwrap_or(today) };
        let done = self
            .write(ask, key, move |tx| {
                let customer = pay(tx, sale, payment, currency)?;
                Ok(Outcome { customer: Some(customer), sale: Some(sale), ..Outcome::default() })
            })
            .await?;
        let views = self.store()?.log.views();
        let credit = store::credit(&views, sale)?.ok_or_else(not_on_account)?;
        let mut answer = told(&views, &credit, today)?;
        if let Some(answer) = answer.as_object_mut() {
            answer.insert("repeated".to_owned(), json!(done.repeated));
        }
        Ok(answer)
    }

    /// `payment.list`: a customer's, the last recorded first; or what is open in the shop, what is due first before the others.
    fn list_payments(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let List { customer } = ask.fields()?;
        let views = self.store()?.log.views();
        let credits = match customer {
            Some(customer) => {
                store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
                store::credits_of(&views, customer, LIST_MAX)?
            }
            None if ask.who.may(Beyond::AllCredits) => store::credits_open(&views, LIST_MAX)?,
            None => return Err(forbidden(DESK)),
        };
        let today = self.today(self.clock.utc())?;
        let rows: Result<Vec<Value>, Refusal> =
            credits.iter().map(|credit| told(&views, credit, today)).collect();
        Ok(json!({ "credits": rows? }))
    }

    /// What a sale put on account, as it stands today; null if nothing.
    pub(super) fn credit_of(&self, views: &impl Read, sale: SaleId) -> Result<Value, Refusal> {
        let Some(credit) = store::credit(views, sale)? else { return Ok(Value::Null) };
        told(views, &credit, self.today(self.clock.utc())?)
    }

    /// The day that it is where the shop is.
    fn today(&self, now: Timestamp) -> Result<Day, Refusal> {
        let no_day = || Refusal::new(RefusalCode::Internal, "the clock is beyond the calendar");
        Day::of(now, &self.settings.points.time_zone).ok_or_else(no_day)
    }
}

/// What the tenders of a receipt of this day put on account: one of them at most has terms.
pub(super) fn on_account(
    tenders: &[(TenderKind, Option<GivenTerms>)],
    day: Day,
) -> Result<Option<OnAccount>, Refusal> {
    let mut found = None;
    for ((kind, terms), at) in tenders.iter().zip(0_usize..) {
        let Some(terms) = terms else { continue };
        let wrong = |message: String| Refusal::field(format!("receipt.tenders[{at}].terms"), message);
        if *kind != TenderKind::Account {
            return Err(wrong("belong to a tender ACCOUNT".to_owned()));
        }
        if found.is_some() {
            return Err(wrong("one tender of a receipt has terms".to_owned()));
        }
        let due = Some(terms.days).filter(|days| *days <= TERMS_DAYS_MAX);
        let due = due.and_then(|days| day.after_days(days));
        let due = due.ok_or_else(|| wrong(format!("must be `days`, 0 to {TERMS_DAYS_MAX}")))?;
        found = Some(OnAccount { at, due });
    }
    Ok(found)
}

/// Puts what a sale's terms say on its customer's account.
pub(super) fn give(
    tx: &mut Tx<'_>,
    customer: Option<CustomerNumber>,
    (sale, receipt): (SaleId, &Receipt),
    OnAccount { at, due }: OnAccount,
) -> Result<(), Refusal> {
    let field = format!("receipt.tenders[{at}].terms");
    let nobody =
        || Refusal::field(field, "nobody is known who would owe it; name the `customer` or the `visit`");
    let customer = customer.ok_or_else(nobody)?;
    let amount = paid_as(&receipt.tenders, TenderKind::Account);
    let (currency, payments) = (receipt.currency, Vec::new());
    let credit = Credit { sale, customer, currency, amount, due, back: 0, payments };
    store::emit(tx, &StoreEvent::CreditGiven(Box::new(credit)))?;
    Ok(())
}

fn pay(
    tx: &mut Tx<'_>,
    sale: SaleId,
    payment: Payment,
    currency: Option<Currency>,
) -> Result<CustomerNumber, Refusal> {
    let kept = store::sale(tx, sale)?.ok_or_else(super::sale::no_such_sale)?;
    let credit = store::credit(tx, sale)?.ok_or_else(not_on_account)?;
    if currency.is_some_and(|currency| currency != credit.currency) {
        return Err(Refusal::field("currency", "must be the sale's currency"));
    }
    if payment.on < kept.receipt.day {
        return Err(Refusal::field("paid_on", "must not be before the day of the sale"));
    }
    let open = credit.open();
    if open == 0 {
        return Err(Refusal::conflict("sale", "everything of this sale is paid"));
    }
    if !(1..=open).contains(&payment.amount) {
        return Err(Refusal::field("amount", format!("must be 1 to {open}: what is open of this sale")));
    }
    if credit.payments.len() >= PAYMENTS_MAX {
        let message = format!("at most {PAYMENTS_MAX} payments are kept of a sale");
        return Err(Refusal::conflict("sale", message));
    }
    let customer = store::survivor(tx, credit.customer)?;
    store::emit(tx, &StoreEvent::CreditPaid { customer, sale, payment })?;
    Ok(customer)
}

/// Whether goods of a sale can be paid back with these tenders, as far as what is owed is concerned: as `ACCOUNT` no more than is
/// open, another way no more than was paid. `field` has the tenders.
pub(super) fn check_back(
    tx: &Tx<'_>,
    (kept, returned): (&Sale, &Returned),
    tenders: &[Tender],
    field: &str,
) -> Result<(), Refusal> {
    let Some(credit) = store::credit(tx, kept.sale)? else { return Ok(()) };
    let on_account = paid_as(tenders, TenderKind::Account);
    let open = credit.open();
    if on_account > open {
        let message =
            format!("{open} of this sale is open on account; what was paid is given back another way");
        return Err(Refusal::field(field, message));
    }
    let otherwise = tenders.iter().fold(0, |sum: i64, tender| sum.saturating_add(tender.amount));
    let otherwise = otherwise.saturating_sub(on_account);
    let paid = kept.receipt.total.saturating_sub(returned.total()).saturating_sub(open).max(0);
    if otherwise > paid {
        let message = format!(
            "{open} of this sale is still open: give it back as ACCOUNT; another way at most {paid}, what was paid"
        );
        return Err(Refusal::field(field, message));
    }
    Ok(())
}

/// A sale can be voided only while nothing was paid for it.
pub(super) fn check_void(tx: &Tx<'_>, sale: SaleId) -> Result<(), Refusal> {
    if store::credit(tx, sale)?.is_none_or(|credit| credit.payments.is_empty()) {
        return Ok(());
    }
    let message = "payments were made for this sale; what comes back of it is a return";
    Err(Refusal::conflict("sale", message))
}

fn told(views: &(impl Read + ?Sized), credit: &Credit, today: Day) -> Result<Value, Refusal> {
    let amount = |minor: i64| money(credit.currency, minor);
    let payment =
        |payment: &Payment| json!({ "kind": payment.kind, "amount": payment.amount, "paid_on": payment.on });
    Ok(json!({
        "sale": credit.sale, "customer": store::survivor(views, credit.customer)?, "amount": amount(credit.amount),
        "due": credit.due, "returned": amount(credit.back), "paid": amount(credit.paid()),
        "open": amount(credit.open()), "state": credit.standing(today).word(),
        "payments": credit.payments.iter().map(payment).collect::<Vec<_>>(),
    }))
}

fn not_on_account() -> Refusal {
    let message = "this sale has no payment terms: nothing of it is open";
    Refusal { field: Some("sale".to_owned()), ..Refusal::new(RefusalCode::NotFound, message) }
}
