//! `ficha plan`.

use super::ask::{Asker, Key, optional};
use super::say::{NOTHING, at, rows, table};
use crate::domain::id::{CustomerNumber, SaleId};
use crate::domain::money::Currency;
use crate::domain::time::Day;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};
use uuid::Uuid;

/// The words of `domain::source::Source`.
pub(super) const SOURCES: [&str; 4] = ["SURVEY", "CHAT", "FORM", "STAFF"];

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Keeps what a customer plans to buy.
    Add(Add),
    /// Closes a plan by hand.
    Close {
        /// The customer number.
        customer: CustomerNumber,
        /// The plan.
        plan: Uuid,
        /// It was bought; without it, it is not wanted any more.
        #[arg(long)]
        fulfilled: bool,
        /// The sale it was bought in.
        #[arg(long, requires = "fulfilled")]
        sale: Option<SaleId>,
        #[command(flatten)]
        key: Key,
    },
    /// Lists a customer's plans, newest first.
    List {
        /// The customer number.
        customer: CustomerNumber,
    },
}

/// A plan: an article or a category, and when.
#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// The customer number.
    customer: CustomerNumber,
    /// A category of your own list.
    #[arg(long, required_unless_present = "gtin", conflicts_with = "gtin")]
    category: Option<String>,
    /// Or an article's number: 8, 12, 13 or 14 digits.
    #[arg(long)]
    gtin: Option<String>,
    /// The first day: `2026-12-01`.
    #[arg(long, value_name = "DAY")]
    from: Day,
    /// The last day.
    #[arg(long, value_name = "DAY")]
    to: Day,
    /// What it may cost, in minor units (cents of EUR); with `--currency`.
    #[arg(long, value_name = "MINOR", requires = "currency")]
    budget: Option<i64>,
    /// The currency of the budget.
    #[arg(long, requires = "budget")]
    currency: Option<Currency>,
    /// Where it is known from.
    #[arg(long, ignore_case = true, default_value = "staff", value_parser = PossibleValuesParser::new(SOURCES))]
    source: String,
    #[command(flatten)]
    key: Key,
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        match self {
            Self::Add(add) => add.run(asker),
            Self::Close { customer, plan, fulfilled, sale, key } => {
                let state = if *fulfilled { "FULFILLED" } else { "WITHDRAWN" };
                let sale = sale.map(|sale| sale.to_string());
                let mut params =
                    json!({ "key": key.get(), "customer": customer, "plan": plan, "state": state });
                optional(&mut params, &[("sale", sale.as_deref())]);
                asker.tell("plan.close", params, |_| format!("plan {plan} is {state}"))
            }
            Self::List { customer } => asker.tell("plan.list", json!({ "customer": customer }), |answer| {
                let plans = rows(answer, "/plans");
                if plans.is_empty() { "no plans".to_owned() } else { listed(plans) }
            }),
        }
    }
}

impl Add {
    fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let mut params = json!({
            "key": self.key.get(), "customer": self.customer, "from": self.from, "to": self.to,
            "source": self.source.to_uppercase(),
        });
        optional(&mut params, &[("category", self.category.as_deref()), ("gtin", self.gtin.as_deref())]);
        if let (Some(params), Some(minor), Some(currency)) =
            (params.as_object_mut(), self.budget, self.currency)
        {
            params.insert("budget".to_owned(), json!({ "minor": minor, "currency": currency }));
        }
        asker.tell("plan.add", params, |answer| format!("plan {} kept", at(answer, "/plan")))
    }
}

/// Plans as a table: those of `plan.list`, or of a customer.
pub(super) fn listed(plans: &[Value]) -> String {
    let row = |plan: &Value| {
        let text = |field| at(plan, field);
        let budget = plan.get("budget").filter(|budget| !budget.is_null());
        let budget = budget
            .map_or_else(|| NOTHING.to_owned(), |budget| super::sale::sums(std::slice::from_ref(budget)));
        [text("/plan"), wanted(plan), text("/from"), text("/to"), budget, text("/state")]
    };
    table(["PLAN", "WANTS", "FROM", "TO", "BUDGET", "STATE"], plans.iter().map(row))
}

/// What is planned, article or category.
pub(super) fn wanted(plan: &Value) -> String {
    let category = at(plan, "/category");
    if category == NOTHING { at(plan, "/gtin") } else { category }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::source::Source;

    #[test]
    fn the_daemon_knows_every_source() {
        for source in SOURCES {
            assert!(serde_json::from_value::<Source>(json!(source)).is_ok(), "{source}");
        }
    }
}
