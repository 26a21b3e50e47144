//! `ficha lost`.

use super::ask::{Asker, Key, optional};
use super::sale::{given, sum, sums};
use super::say::{NOTHING, at, get, rows, table, when};
use super::{input, say};
use crate::domain::id::{CustomerNumber, LostId, SaleId};
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

/// The words of `domain::lost::LostKind`.
const KINDS: [&str; 7] = [
    "ABANDONED_CART",
    "PARKED_LAPSED",
    "ASKED_OUT_OF_STOCK",
    "QUOTE_LOST",
    "WALKED_QUEUE",
    "RETURNED_ALL",
    "WISHLIST",
];

/// The words of `domain::lost::LostReason`.
const REASONS: [&str; 10] = [
    "PRICE",
    "SIZE",
    "NOT_IN_STOCK",
    "QUEUE",
    "CHOICE",
    "QUALITY",
    "DELIVERY",
    "PAYMENT",
    "OTHER",
    "UNKNOWN",
];

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Keeps that a sale did not come about.
    Record(Record),
    /// Says that it came about after all.
    Recover {
        /// The sale that was lost.
        lost: LostId,
        /// The sale by which it came about.
        sale: SaleId,
        #[command(flatten)]
        key: Key,
    },
    /// Lists a customer's, or those of the shop from a day to a day: today, if no day is said.
    List {
        /// The customer number.
        #[arg(conflicts_with_all = ["from", "to"])]
        customer: Option<CustomerNumber>,
        /// The first business day, YYYY-MM-DD.
        #[arg(long)]
        from: Option<String>,
        /// The last; today if nothing is said.
        #[arg(long, requires = "from")]
        to: Option<String>,
    },
}

/// A sale that did not come about.
#[derive(Debug, clap::Args)]
pub(super) struct Record {
    /// How it was lost.
    #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(KINDS))]
    kind: String,
    /// Why.
    #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(REASONS))]
    reason: Option<String>,
    /// Who wanted it.
    #[arg(long)]
    customer: Option<CustomerNumber>,
    /// The register it was at.
    #[arg(long, value_name = "NAME")]
    register: String,
    /// Reads what was wanted and what it would have come to (`items`, `estimated`, `day` of `lost.record`) as JSON from standard input.
    #[arg(long)]
    more: bool,
    #[command(flatten)]
    key: Key,
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        match self {
            Self::Record(record) => record.run(asker),
            Self::Recover { lost, sale, key } => {
                let params = json!({ "key": key.get(), "lost": lost, "sale": sale });
                asker.tell("lost.recover", params, |_| format!("{lost} came about by sale {sale}"))
            }
            Self::List { customer, from, to } => {
                let mut params = json!({});
                let customer = customer.as_ref().map(ToString::to_string);
                let fields =
                    [("customer", customer.as_deref()), ("from", from.as_deref()), ("to", to.as_deref())];
                optional(&mut params, &fields);
                asker.tell("lost.list", params, listed)
            }
        }
    }
}

impl Record {
    fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let more =
            if self.more { given(&input::whole("what was wanted, as JSON")?)? } else { Default::default() };
        let mut params = Value::Object(more);
        let upper = |text: &Option<String>| text.as_ref().map(|text| text.to_uppercase());
        let (key, kind, reason) = (self.key.get().to_string(), self.kind.to_uppercase(), upper(&self.reason));
        let customer = self.customer.as_ref().map(ToString::to_string);
        optional(
            &mut params,
            &[
                ("key", Some(&*key)),
                ("kind", Some(&*kind)),
                ("reason", reason.as_deref()),
                ("customer", customer.as_deref()),
                ("register", Some(&*self.register)),
            ],
        );
        asker.tell("lost.record", params, |answer| format!("lost sale {} kept", at(answer, "/lost")))
    }
}

fn listed(answer: &Value) -> String {
    let lost = rows(answer, "/lost");
    if lost.is_empty() {
        return "no lost sales".to_owned();
    }
    let row = |lost: &Value| {
        let text = |field| at(lost, field);
        let estimated = get(lost, "estimated");
        let estimated = if estimated.is_object() { sum(estimated) } else { NOTHING.to_owned() };
        [
            text("/lost"),
            when(&text("/lost_at")),
            text("/kind"),
            text("/reason"),
            estimated,
            text("/recovered_by"),
        ]
    };
    let header = ["LOST", "WHEN", "KIND", "REASON", "VALUE", "RECOVERED BY"];
    let list = table(header, lost.iter().map(row));
    let row = |one: &Value| {
        let text = |field| at(one, field);
        [text("/kind"), text("/reason"), text("/count"), text("/recovered"), sums(say::rows(one, "/missed"))]
    };
    let header = ["KIND", "REASON", "COUNT", "RECOVERED", "MISSED"];
    let in_sum = table(header, rows(answer, "/sums").iter().map(row));
    let more = if *get(answer, "more") == true { "\nand more" } else { "" };
    format!("{list}{more}\n\n{in_sum}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lost::{LostKind, LostReason};

    #[test]
    fn the_daemon_knows_every_kind_and_reason() {
        for kind in KINDS {
            assert!(serde_json::from_value::<LostKind>(json!(kind)).is_ok(), "{kind}");
        }
        for reason in REASONS {
            assert!(serde_json::from_value::<LostReason>(json!(reason)).is_ok(), "{reason}");
        }
    }

    #[test]
    fn lost_sales_are_listed_with_their_sums() {
        let euros = json!({ "minor": 1999, "currency": "EUR", "exponent": 2 });
        let answer = json!({
            "lost": [{ "lost": "l\u{1b}", "lost_at": "x", "kind": "WISHLIST", "reason": "PRICE", "estimated": euros, "recovered_by": null }],
            "more": true, "sums": [{ "kind": "WISHLIST", "reason": "PRICE", "count": 3, "recovered": 1, "missed": [euros] }],
        });
        let text = listed(&answer);
        assert!(
            text.contains("19.99 EUR") && text.contains("l\\u{1b}") && text.contains("and more"),
            "{text}"
        );
        assert_eq!(listed(&json!({ "lost": [] })), "no lost sales");
    }
}
