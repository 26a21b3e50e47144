//! What an issue says of its product: facts of an article, checked, or taken from the line of the sale it was bought with.

use super::super::sale::no_such_sale;
use super::super::sale_return::still_good;
use super::super::screen;
use super::check_text;
use crate::decode;
use crate::domain::business::Calendar;
use crate::domain::id::CustomerNumber;
use crate::domain::issue::{
    Basis, Claim, IssueKind, IssueProduct, PRODUCT_CHARS_MAX, Purchase, Severity, WARRANTY_MONTHS_MAX,
    Warranty,
};
use crate::domain::purchase::{Line, WORD_CHARS_MAX, check_word};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::log::Tx;
use crate::store;
use serde::Deserialize;

/// What is said of an issue when it is opened.
pub(super) struct Said {
    pub(super) kind: IssueKind,
    pub(super) severity: Option<Severity>,
    pub(super) product: IssueProduct,
    pub(super) symptom: Option<String>,
    pub(super) purchase: Option<Purchase>,
    pub(super) warranty: Option<SaidWarranty>,
    pub(super) recall: Option<String>,
}

/// A warranty that is another than the law's.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SaidWarranty {
    basis: Basis,
    #[serde(default)]
    months: Option<u32>,
}

impl Said {
    /// What can be told without the store.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        check_product(&self.product)?;
        for (field, word) in [("symptom", &self.symptom), ("recall", &self.recall)] {
            let Some(word) = word else { continue };
            check_word(field, word).map_err(|(field, message)| Refusal::field(field, message))?;
            check_text(field, Some(word), WORD_CHARS_MAX)?;
        }
        let Some(SaidWarranty { basis, months }) = self.warranty else { return Ok(()) };
        if self.kind != IssueKind::Warranty || self.purchase.is_none() {
            let message = "belongs to a WARRANTY with its `purchase`, from whose day it is counted";
            return Err(Refusal::field("warranty", message));
        }
        let fits = months.map(|months| (1..=WARRANTY_MONTHS_MAX).contains(&months));
        match (basis, fits) {
            (Basis::Legal, None) | (Basis::Commercial | Basis::Extended, Some(true)) => Ok(()),
            (Basis::Legal, Some(_)) => {
                Err(Refusal::field("warranty.months", "is the law's for LEGAL: leave it out"))
            }
            (Basis::Commercial | Basis::Extended, _) => Err(Refusal::field(
                "warranty.months",
                format!("must be 1 to {WARRANTY_MONTHS_MAX}, counted from the day of the sale"),
            )),
        }
    }

    /// Product and claim as they are kept, within a transaction.
    pub(super) fn settle(
        self,
        tx: &Tx<'_>,
        customer: CustomerNumber,
        (calendar, legal_months): (&Calendar, u32),
    ) -> Result<(IssueProduct, Claim), Refusal> {
        let Self { kind, severity, mut product, symptom, purchase, warranty, recall } = self;
        let severity = Some(severity.unwrap_or_default());
        let mut claim = Claim { severity, symptom, purchase, recall, ..Claim::default() };
        let Some(Purchase { sale, line }) = purchase else { return Ok((product, claim)) };
        if kind == IssueKind::Recall
            && let Some(recall) = &claim.recall
            && let Some(issue) = store::issue_of_recall(tx, customer, recall, Purchase { sale, line })?
        {
            let message = format!("the issue {issue} was opened for this purchase and recall already");
            return Err(Refusal::conflict("recall", message));
        }
        let field = |field: &str, code, message: String| Refusal {
            field: Some(format!("purchase.{field}")),
            ..Refusal::new(code, message)
        };
        let missing = || Refusal { field: Some("purchase.sale".to_owned()), ..no_such_sale() };
        let kept = store::sale(tx, sale)?.ok_or_else(missing)?;
        if kept.customer != Some(customer) {
            let message = "is not this customer's; `sale.attach` makes it theirs".to_owned();
            return Err(field("sale", RefusalCode::InvalidParams, message));
        }
        let back = still_good(tx, sale)
            .map_err(|refusal| Refusal { field: Some("purchase.sale".to_owned()), ..refusal })?;
        let lines = &kept.receipt.lines;
        let bought = usize::from(line).checked_sub(1).and_then(|place| lines.get(place));
        let Some(bought) = bought else {
            let message = format!("the sale has lines 1 to {}", lines.len());
            return Err(field("line", RefusalCode::InvalidParams, message));
        };
        if kind == IssueKind::Warranty && !back.rest(&kept.receipt).iter().any(|left| left.line == line) {
            let message = "all of this line has come back".to_owned();
            return Err(field("line", RefusalCode::Conflict, message));
        }
        take_from(&mut product, bought)?;
        if kind == IssueKind::Warranty {
            let (basis, months) = match warranty {
                Some(SaidWarranty { basis, months: Some(months) }) => (basis, months),
                Some(SaidWarranty { months: None, .. }) | None => (Basis::Legal, legal_months),
            };
            let sold_on = calendar.day(kept.sold_at);
            claim.warranty = sold_on.and_then(|day| Warranty::from_sale(basis, day, months));
        }
        Ok((product, claim))
    }
}

/// Completes a product from the line it was bought with; what both name must be the same.
fn take_from(product: &mut IssueProduct, line: &Line) -> Result<(), Refusal> {
    let IssueProduct { gtin, model, serial } = product;
    for (field, said, sold) in [
        ("product.gtin", gtin, &line.gtin),
        ("product.model", model, &line.model),
        ("product.serial", serial, &line.serial),
    ] {
        if sold.is_some() && said.is_some() && said != sold {
            let message = "is not that of the line it was bought with; leave it out, and the line's is taken";
            return Err(Refusal::field(field, message));
        }
        if said.is_none() {
            said.clone_from(sold);
        }
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
    screen::free_text("product.model", product.model.as_deref())
        .map_err(|(field, message)| Refusal::field(field, message))?;
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
