//! `ficha worth`.

use super::ask::Asker;
use super::sale::sum;
use super::say::{at, fields, get, rows, table};
use crate::domain::id::CustomerNumber;
use serde_json::{Value, json};

/// What a customer is worth to the shop, why, and the service class that follows.
#[derive(Debug, clap::Args)]
pub(super) struct Worth {
    /// The customer number.
    customer: CustomerNumber,
}

impl Worth {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        asker.tell("customer.worth", json!({ "customer": self.customer }), shown)
    }
}

fn shown(answer: &Value) -> String {
    if get(answer, "objects").as_bool() == Some(true) {
        return "not reckoned: the customer objects to being profiled".to_owned();
    }
    if get(answer, "value").is_null() {
        return "not reckoned: the config has no [worth]".to_owned();
    }
    let head = fields([
        ("Value", sum(get(answer, "value"))),
        ("Class", at(answer, "/class")),
        ("Since", at(answer, "/since")),
    ]);
    let row = |reason: &Value| [at(reason, "/reason"), at(reason, "/count"), sum(get(reason, "amount"))];
    format!("{head}\n\n{}", table(["REASON", "COUNT", "AMOUNT"], rows(answer, "/reasons").iter().map(row)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worth_is_told_with_its_reasons_or_not_at_all() {
        let money = |minor: i64| json!({ "minor": minor, "currency": "EUR", "exponent": 2 });
        let answer = json!({ "objects": false, "value": money(7500), "class": "A", "since": "2025-11", "reasons": [
            { "reason": "TURNOVER", "count": 13, "amount": money(10_000) },
            { "reason": "REPAIR", "count": 1, "amount": money(-2_500) }] });
        let text = shown(&answer);
        assert!(text.contains("75.00 EUR") && text.contains("-25.00 EUR"), "{text}");
        assert!(shown(&json!({ "objects": true, "value": null })).contains("objects"));
        assert!(shown(&json!({ "objects": false, "value": null })).contains("[worth]"));
    }
}
