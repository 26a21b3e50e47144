//! `ficha payment`.

use super::ask::{Asker, Key, optional};
use super::sale::sum;
use super::say::{at, get, rows, table};
use crate::domain::id::{CustomerNumber, SaleId};
use crate::domain::time::Day;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

/// How a sale on account can be paid: words of `domain::purchase::TenderKind`.
const KINDS: [&str; 5] = ["CASH", "CARD", "TRANSFER", "VOUCHER", "OTHER"];

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Notes what was paid for a sale on account.
    Record {
        /// The sale.
        sale: SaleId,
        /// How much, in minor units (cents of EUR).
        amount: i64,
        /// How.
        #[arg(long, ignore_case = true, default_value = "transfer", value_parser = PossibleValuesParser::new(KINDS))]
        kind: String,
        /// On which day, if not today: `2026-12-01`.
        #[arg(long, value_name = "DAY")]
        paid_on: Option<Day>,
        #[command(flatten)]
        key: Key,
    },
    /// Lists a customer's sales on account; without a customer what is open in the shop, what is due first before the others.
    List {
        /// The customer number.
        customer: Option<CustomerNumber>,
    },
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        match self {
            Self::Record { sale, amount, kind, paid_on, key } => {
                let kind = kind.to_uppercase();
                let mut params = json!({ "key": key.get(), "sale": sale, "amount": amount, "kind": kind });
                let paid_on = paid_on.map(|day| day.to_string());
                optional(&mut params, &[("paid_on", paid_on.as_deref())]);
                asker.tell("payment.record", params, |answer| {
                    format!(
                        "{} paid, {} open: {}",
                        money(answer, "paid"),
                        money(answer, "open"),
                        at(answer, "/state")
                    )
                })
            }
            Self::List { customer } => {
                let customer = customer.map(|customer| customer.to_string());
                let mut params = json!({});
                optional(&mut params, &[("customer", customer.as_deref())]);
                asker.tell("payment.list", params, listed)
            }
        }
    }
}

fn money(row: &Value, field: &str) -> String {
    sum(get(row, field))
}

fn listed(answer: &Value) -> String {
    let credits = rows(answer, "/credits");
    if credits.is_empty() {
        return "nothing on account".to_owned();
    }
    let row = |row: &Value| {
        let text = |field| at(row, field);
        [
            text("/due"),
            text("/state"),
            money(row, "open"),
            money(row, "amount"),
            text("/customer"),
            text("/sale"),
        ]
    };
    table(["DUE", "STATE", "OPEN", "OF", "CUSTOMER", "SALE"], credits.iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::purchase::TenderKind;

    #[test]
    fn the_daemon_knows_every_kind() {
        for kind in KINDS {
            assert!(serde_json::from_value::<TenderKind>(json!(kind)).is_ok(), "{kind}");
        }
    }

    #[test]
    fn what_is_open_is_told_with_its_day() {
        let money = |minor: i64| json!({ "minor": minor, "currency": "EUR", "exponent": 2 });
        let answer = json!({ "credits": [{ "due": "2026-12-22", "state": "OVERDUE", "open": money(500),
            "amount": money(1500), "customer": "c-1", "sale": "s-1" }] });
        let text = listed(&answer);
        assert!(
            text.contains("2026-12-22") && text.contains("OVERDUE") && text.contains("5.00 EUR"),
            "{text}"
        );
        assert_eq!(listed(&json!({ "credits": [] })), "nothing on account");
    }
}
