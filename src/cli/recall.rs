//! `ficha recall`.

use super::ask::{Asker, Said, optional, request};
use super::input;
use super::issue::SEVERITIES;
use super::sale::quantity;
use super::say::{NOTHING, at, get, rows, table};
use super::spoken;
use crate::push::client::{Client, ClientError};
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};
use uuid::Uuid;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lists who bought an article and still has it: by which receipt, and how much of it has not come back.
    Buyers {
        #[command(flatten)]
        sold: Sold,
        /// The number of the recall: shows which issue was opened for it.
        #[arg(long)]
        recall: Option<String>,
    },
    /// Opens an issue for everybody who bought it; whoever has one of this recall is passed over, so run it again at any time.
    Open {
        /// The maker's or the authority's number of the recall.
        recall: String,
        #[command(flatten)]
        sold: Sold,
        /// How much it matters.
        #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(SEVERITIES), default_value = "S1")]
        severity: String,
        /// Reads a hint for the till, one line, from standard input, or asks for it.
        #[arg(long)]
        hint: bool,
    },
}

/// What was sold, and when.
#[derive(Debug, clap::Args)]
pub(super) struct Sold {
    #[command(flatten)]
    article: Article,
    /// The first day on which it was sold, YYYY-MM-DD.
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// The last day.
    #[arg(long, value_name = "DAY")]
    to: Option<String>,
}

/// What was sold. All that is given must be so.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct Article {
    /// The product's number: 8, 12, 13 or 14 digits.
    #[arg(long)]
    gtin: Option<String>,
    /// The shop's own article number.
    #[arg(long)]
    sku: Option<String>,
    /// The maker's model.
    #[arg(long)]
    model: Option<String>,
    /// The serial number.
    #[arg(long)]
    serial: Option<String>,
}

/// What became of a recall.
#[derive(Default)]
struct Totals {
    opened: u64,
    before: u64,
    /// Sales of which nobody is known who bought.
    nobody: u64,
    /// By customer: why no issue was opened.
    refused: Vec<Value>,
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        match self {
            Self::Buyers { sold, recall } => {
                let mut client = asker.connect()?;
                let mut all = Vec::new();
                sold.each_page(&mut client, recall.as_deref(), |_, page| {
                    all.extend_from_slice(page);
                    Ok(())
                })?;
                asker.say(&json!({ "rows": all }), |answer| listed(rows(answer, "/rows")))
            }
            Self::Open { recall, sold, severity, hint } => {
                let hint = hint.then(|| input::needed("hint for the till")).transpose()?;
                let (mut client, mut totals) = (asker.connect()?, Totals::default());
                let severity = severity.to_uppercase();
                sold.each_page(&mut client, Some(recall), |client, page| {
                    page.iter()
                        .try_for_each(|row| totals.open(client, row, (recall, &severity, hint.as_deref())))
                })?;
                let Totals { opened, before, nobody, refused } = totals;
                let answer =
                    json!({ "opened": opened, "before": before, "nobody": nobody, "refused": refused });
                asker.say(&answer, told)?;
                if refused.is_empty() { Ok(()) } else { Err(Said(1).into()) }
            }
        }
    }
}

impl Sold {
    /// Asks for all pages, the oldest sales first.
    fn each_page(
        &self,
        client: &mut Client,
        recall: Option<&str>,
        mut page: impl FnMut(&mut Client, &[Value]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let Self { article: Article { gtin, sku, model, serial }, from, to } = self;
        let mut params = json!({});
        let given = [
            ("gtin", gtin.as_deref()),
            ("sku", sku.as_deref()),
            ("model", model.as_deref()),
            ("serial", serial.as_deref()),
            ("from", from.as_deref()),
            ("to", to.as_deref()),
            ("recall", recall),
        ];
        optional(&mut params, &given);
        loop {
            let answer = request(client, "recall.buyers", params.clone())?;
            page(client, rows(&answer, "/rows"))?;
            let next = get(&answer, "next");
            if next.is_null() {
                return Ok(());
            }
            if let Some(params) = params.as_object_mut() {
                params.insert("after".to_owned(), next.clone());
            }
        }
    }
}

impl Totals {
    fn open(
        &mut self,
        client: &mut Client,
        row: &Value,
        (recall, severity, hint): (&str, &str, Option<&str>),
    ) -> anyhow::Result<()> {
        if get(row, "customer").is_null() {
            self.nobody = self.nobody.saturating_add(1);
            return Ok(());
        }
        if !get(row, "issue").is_null() {
            self.before = self.before.saturating_add(1);
            return Ok(());
        }
        let purchase = json!({ "sale": get(row, "sale"), "line": get(row, "line") });
        let mut params = json!({
            "key": Uuid::new_v4(), "customer": get(row, "customer"), "kind": "RECALL", "recall": recall,
            "severity": severity, "purchase": purchase,
        });
        optional(&mut params, &[("hint", hint)]);
        match request(client, "issue.open", params) {
            Ok(_) => self.opened = self.opened.saturating_add(1),
            // Somebody else was faster, or is at it too.
            Err(error) if is(&error, "conflict", Some("recall")) => {
                self.before = self.before.saturating_add(1)
            }
            Err(error) if is(&error, "conflict", None) => {
                let refused = json!({ "customer": get(row, "customer"), "problem": error.to_string() });
                self.refused.push(refused);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Whether a request was refused for this reason, and because of this field if one is named.
fn is(error: &anyhow::Error, wanted: &str, of: Option<&str>) -> bool {
    let Some(ClientError::Refused { reason, field, .. }) = error.downcast_ref() else { return false };
    reason == wanted && of.is_none_or(|of| field.as_deref() == Some(of))
}

fn listed(rows: &[Value]) -> String {
    if rows.is_empty() {
        return "nobody has it".to_owned();
    }
    let row = |row: &Value| {
        let text = |field| at(row, field);
        let article = ["/gtin", "/sku", "/model", "/serial"].map(text);
        let article: Vec<String> = article.into_iter().filter(|text| text != NOTHING).collect();
        let pieces = quantity(get(row, "quantity").as_i64().unwrap_or(0));
        let [register, number] = ["/register", "/number"].map(text);
        [
            text("/day"),
            register,
            number,
            pieces,
            text("/customer"),
            article.join(" "),
            text("/sale"),
            text("/line"),
            text("/issue"),
        ]
    };
    let header = ["SOLD", "REGISTER", "RECEIPT", "STILL HAS", "CUSTOMER", "ARTICLE", "SALE", "LINE", "ISSUE"];
    table(header, rows.iter().map(row))
}

fn told(answer: &Value) -> String {
    let mut text = format!(
        "{} issues opened, {} were there already; of {} purchases nobody is known who made them",
        at(answer, "/opened"),
        at(answer, "/before"),
        at(answer, "/nobody")
    );
    for row in rows(answer, "/refused") {
        let problem = spoken::message(&at(row, "/problem"));
        text.push_str(&format!("\ncustomer {}: {problem}", at(row, "/customer")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buyers_and_what_became_of_a_recall_are_told() {
        let row = json!({ "day": "2026-09-21", "customer": "c-1", "gtin": "96385074", "serial": "S\u{1b}1", "sale": "s-1",
            "line": 2, "issue": null, "register": "till-1", "number": "A-7", "quantity": 1500 });
        let text = listed(&[row]);
        assert!(text.contains("96385074 S\\u{1b}1") && text.contains("c-1"), "{text}");
        for part in ["till-1", "A-7", " 1.5 "] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert_eq!(listed(&[]), "nobody has it");
        let refused = json!([{ "customer": "c-2", "problem": "the customer has 8 open issues" }]);
        let text = told(&json!({ "opened": 3, "before": 1, "nobody": 2, "refused": refused }));
        assert!(
            text.starts_with("3 issues opened, 1 were")
                && text.ends_with("c-2: the customer has 8 open issues")
        );
    }
}
