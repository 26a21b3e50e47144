//! A receipt as a till gives it, and whether it may be kept.

use super::payment::{self, GivenTerms, OnAccount};
use super::screen;
use crate::decode;
use crate::domain::id::{HoldId, RegisterName};
use crate::domain::money::Currency;
use crate::domain::purchase::{self, Line, Receipt, Tender, TenderKind};
use crate::domain::refusal::Refusal;
use crate::domain::time::Day;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GivenReceipt {
    number: String,
    day: Day,
    currency: Currency,
    lines: Vec<Line>,
    tenders: Vec<GivenTender>,
    total: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenTender {
    #[serde(deserialize_with = "given_kind")]
    kind: TenderKind,
    amount: i64,
    #[serde(default)]
    currency: Option<Currency>,
    #[serde(default)]
    terms: Option<GivenTerms>,
    #[serde(default)]
    points: Option<i64>,
    #[serde(default)]
    hold: Option<HoldId>,
}

/// A word for how something was paid; of those that there are, a till can give all but `EXCHANGE`.
fn given_kind<'de, D: Deserializer<'de>>(from: D) -> Result<TenderKind, D::Error> {
    TenderKind::deserialize(from)
        .map_err(|error| D::Error::custom(error.to_string().replace("`EXCHANGE`, ", "")))
}

impl GivenReceipt {
    /// What its terms put on its customer's account.
    pub(super) fn on_account(&self) -> Result<Option<OnAccount>, Refusal> {
        let tenders: Vec<_> = self.tenders.iter().map(|tender| (tender.kind, tender.terms)).collect();
        payment::on_account(&tenders, self.day)
    }
}

/// The receipt as it may be kept.
pub(super) fn checked(given: GivenReceipt, register: RegisterName) -> Result<Receipt, Refusal> {
    let receipt = built(given, register)?;
    let wrong = |(field, message): purchase::Wrong| Refusal::field(format!("receipt.{field}"), message);
    purchase::check(&receipt).map_err(wrong)?;
    screen::receipt_number(&receipt.number)?;
    check_articles(&receipt.lines, "receipt")?;
    Ok(receipt)
}

/// Whether lines, of `of`, may be kept.
pub(super) fn check_lines(lines: &[Line], total: i64, of: &str) -> Result<(), Refusal> {
    let wrong = |(field, message): purchase::Wrong| Refusal::field(format!("{of}.{field}"), message);
    purchase::check_lines(lines, total).map_err(wrong)?;
    check_articles(lines, of)
}

fn check_articles(lines: &[Line], of: &str) -> Result<(), Refusal> {
    for (line, at) in lines.iter().zip(0_usize..) {
        let wrong =
            |(field, message): purchase::Wrong| Refusal::field(format!("{of}.lines[{at}].{field}"), message);
        check_article(line).map_err(wrong)?;
    }
    Ok(())
}

/// The receipt as it was given, in one currency; whether it holds together is not looked at.
pub(super) fn built(given: GivenReceipt, register: RegisterName) -> Result<Receipt, Refusal> {
    let GivenReceipt { number, day, currency, lines, tenders, total } = given;
    let other = tenders.iter().position(|tender| tender.currency.is_some_and(|other| other != currency));
    if let Some(at) = other {
        let message = "must be the receipt's currency: a receipt is in one currency";
        return Err(Refusal::field(format!("receipt.tenders[{at}].currency"), message));
    }
    if let Some(at) = tenders.iter().position(|tender| tender.kind == TenderKind::Exchange) {
        let message = "EXCHANGE comes of `sale.exchange` by itself";
        return Err(Refusal::field(format!("receipt.tenders[{at}].kind"), message));
    }
    let tender = |given: GivenTender| {
        let GivenTender { kind, amount, points, hold, .. } = given;
        Tender { kind, amount, points, hold }
    };
    let tenders = tenders.into_iter().map(tender).collect();
    Ok(Receipt { register, number, day, currency, lines, tenders, total })
}

/// Judges an article's numbers by their own types; what a person may have typed must not hold a payment card.
fn check_article(line: &Line) -> Result<(), purchase::Wrong> {
    if line.gtin.as_ref().is_some_and(|gtin| !decode::gs1::gtin_ok(gtin.as_bytes())) {
        let message = "must be 8, 12, 13 or 14 digits with a right check digit";
        return Err(("gtin".to_owned(), message.to_owned()));
    }
    screen::own_number("sku", line.sku.as_deref())?;
    screen::free_text("model", line.model.as_deref())?;
    screen::free_text("category", line.category.as_deref())
}
