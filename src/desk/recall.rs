//! Recalls: who bought an article, a model or one piece of it, so that an issue can be opened for each of them.
//!
//! Receipts lie in the journal, and no view leads from an article to them: recalls are rare, and a view of everything that was
//! ever sold would be larger than all others together. So the journal is read, on a thread that may wait and by one reader at a
//! time, as for the audit trail; a scan waits for nothing of it.

use super::issue::check_text;
use super::request::Ask;
use super::{Desk, Opened, waiting};
use crate::decode;
use crate::domain::event::StoreEvent;
use crate::domain::id::SaleId;
use crate::domain::issue::Purchase;
use crate::domain::purchase::{Line, Receipt, Sale, WORD_CHARS_MAX, check_word};
use crate::domain::refusal::Refusal;
use crate::domain::time::Day;
use crate::log::{Half, Views};
use crate::store;
use crate::vault::VaultError;
use serde::Deserialize;
use serde_json::{Value, json};

/// The most sales of one answer of `recall.buyers`; the next page goes on behind them.
const SALES_MAX: usize = 100;

/// How a sale begins in the journal.
const RECORDED: &[u8] = br#"{"event":"sale_recorded""#;

/// What was sold; all that is given must be so.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Article {
    #[serde(default)]
    gtin: Option<String>,
    #[serde(default)]
    sku: Option<String>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    serial: Option<String>,
    /// The first business day.
    #[serde(default)]
    from: Option<Day>,
    /// The last one.
    #[serde(default)]
    to: Option<Day>,
    /// The recall's number: rows then say which issue was opened for it.
    #[serde(default)]
    recall: Option<String>,
    /// Only what stands behind this: `next` of the answer before.
    #[serde(default)]
    after: Option<u64>,
}

/// Lines of one sale that are looked for.
struct Found {
    seq: u64,
    sale: SaleId,
    lines: Vec<u16>,
}

impl Desk {
    /// `recall.buyers`: the oldest sale first.
    pub(super) async fn buyers(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let article: Article = ask.fields()?;
        article.check()?;
        let opened = self.store()?.clone();
        let _one_at_a_time = self.one_history()?;
        waiting(move || {
            let mut found = article.sold(&opened)?;
            let more = found.len() > SALES_MAX;
            found.truncate(SALES_MAX);
            let next = found.last().map(|found| found.seq).filter(|_| more);
            let (views, mut rows) = (opened.log.views(), Vec::new());
            for found in found {
                rows.extend(rows_of(&opened, &views, &found, article.recall.as_deref())?);
            }
            Ok(json!({ "rows": rows, "next": next }))
        })
        .await
    }
}

impl Article {
    fn check(&self) -> Result<(), Refusal> {
        let Self { gtin, sku, model, serial, from, to, recall, .. } = self;
        if [gtin, sku, model, serial].iter().all(|given| given.is_none()) {
            return Err(Refusal::field("gtin", "give `gtin`, `sku`, `model` or `serial`, or several"));
        }
        if gtin.as_ref().is_some_and(|gtin| !decode::gs1::gtin_ok(gtin.as_bytes())) {
            return Err(Refusal::field("gtin", "must be 8, 12, 13 or 14 digits with a right check digit"));
        }
        if from.zip(*to).is_some_and(|(from, to)| to < from) {
            return Err(Refusal::field("to", "must not be before `from`"));
        }
        if let Some(recall) = recall {
            check_word("recall", recall).map_err(|(field, message)| Refusal::field(field, message))?;
            check_text("recall", Some(recall), WORD_CHARS_MAX)?;
        }
        Ok(())
    }

    /// The sales behind `after` that have it, the oldest first, one more than an answer has at most.
    fn sold(&self, opened: &Opened) -> Result<Vec<Found>, Refusal> {
        let (words, mut found) = (self.words(), Vec::new());
        let read = opened.log.past(Half::Neutral, &mut |meta, event| {
            let over = found.len() > SALES_MAX || self.after.is_some_and(|after| meta.seq <= after);
            // Most sales have something else, and need no reading.
            let may = |text: &str| words.iter().all(|word| text.contains(word.as_str()));
            if over || !event.starts_with(RECORDED) || !std::str::from_utf8(event).is_ok_and(may) {
                return;
            }
            let Ok(StoreEvent::SaleRecorded(sale)) = serde_json::from_slice(event) else { return };
            let Sale { sale, receipt, .. } = *sale;
            let lines = self.lines(&receipt);
            if !lines.is_empty() {
                found.push(Found { seq: meta.seq, sale, lines });
            }
        });
        read.map_err(VaultError::journal)?;
        Ok(found)
    }

    /// What stands in the journal's line of a sale that has it.
    fn words(&self) -> Vec<String> {
        let Self { gtin, sku, model, serial, .. } = self;
        let gtin = gtin.as_deref().map(bare).map(str::to_owned);
        let written = [sku, model, serial].into_iter().flatten().map(|text| json!(text).to_string());
        gtin.into_iter().chain(written).collect()
    }

    fn lines(&self, receipt: &Receipt) -> Vec<u16> {
        let Self { from, to, .. } = self;
        if from.is_some_and(|from| receipt.day < from) || to.is_some_and(|to| receipt.day > to) {
            return Vec::new();
        }
        let lines = receipt.lines.iter().zip(1_u16..);
        lines.filter(|(line, _)| self.is(line)).map(|(_, number)| number).collect()
    }

    fn is(&self, line: &Line) -> bool {
        let same = |wanted: &Option<String>, sold: &Option<String>| wanted.is_none() || wanted == sold;
        let same_gtin =
            self.gtin.is_none() || self.gtin.as_deref().map(bare) == line.gtin.as_deref().map(bare);
        same_gtin
            && same(&self.sku, &line.sku)
            && same(&self.model, &line.model)
            && same(&self.serial, &line.serial)
    }
}

/// A GTIN of 8 digits and one of 14 are the same article if they differ in leading zeros alone.
fn bare(gtin: &str) -> &str {
    gtin.trim_start_matches('0')
}

/// The lines of a sale that the buyer still has, each with the issue of the recall; none of a sale that was voided.
fn rows_of(
    opened: &Opened,
    views: &Views,
    found: &Found,
    recall: Option<&str>,
) -> Result<Vec<Value>, Refusal> {
    let Some(Sale { sale, customer, receipt, .. }) = store::sale(views, found.sale)? else {
        return Ok(Vec::new());
    };
    let back = store::returned(views, sale)?;
    if back.voided {
        return Ok(Vec::new());
    }
    // A number that was erased leads to nobody.
    let customer =
        customer.filter(|number| !matches!(opened.vault.key_of(views, *number), Err(VaultError::Erased)));
    let mut rows = Vec::new();
    for left in back.rest(&receipt).iter().filter(|left| found.lines.contains(&left.line)) {
        let Some(line) = usize::from(left.line).checked_sub(1).and_then(|at| receipt.lines.get(at)) else {
            continue;
        };
        let issue = match (customer, recall) {
            (Some(customer), Some(recall)) => {
                store::issue_of_recall(views, customer, recall, Purchase { sale, line: left.line })?
            }
            (None, _) | (_, None) => None,
        };
        rows.push(json!({
            "customer": customer, "sale": sale, "line": left.line, "register": receipt.register,
            "number": receipt.number, "day": receipt.day, "gtin": line.gtin, "sku": line.sku, "model": line.model,
            "serial": line.serial, "quantity": left.quantity, "issue": issue,
        }));
    }
    Ok(rows)
}
