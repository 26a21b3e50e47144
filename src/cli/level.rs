//! `ficha level`.

use super::ask::Asker;
use super::sale::sums;
use super::say::{NOTHING, at, fields};
use crate::domain::id::CustomerNumber;
use serde_json::{Value, json};

/// A customer's level, what counted for it, and what the next one lacks.
#[derive(Debug, clap::Args)]
pub(super) struct Level {
    /// The customer number.
    customer: CustomerNumber,
}

impl Level {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        asker.tell("customer.level", json!({ "customer": self.customer }), shown)
    }
}

fn shown(answer: &Value) -> String {
    let Some(counted) = answer.get("counted") else {
        return "there are no levels: the config has no [[level]]".to_owned();
    };
    let next = match answer.pointer("/next/lacks") {
        Some(lacks) => format!("{}, {} more", at(answer, "/next/level"), amount(lacks)),
        None => NOTHING.to_owned(),
    };
    fields([
        ("Level", at(answer, "/level")),
        ("Counted", format!("{} since {}", amount(counted), at(answer, "/since"))),
        ("Earns", format!("{} %", at(answer, "/earn_percent"))),
        ("Grace until", at(answer, "/grace_until")),
        ("Next", next),
    ])
}

/// Points or money.
pub(super) fn amount(amount: &Value) -> String {
    match amount.get("points") {
        Some(_) => format!("{} points", at(amount, "/points")),
        None => sums(std::slice::from_ref(amount)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_told_in_points_or_money() {
        let answer = json!({ "level": "Silver", "earn_percent": 120, "since": "2026-01", "grace_until": null,
            "counted": { "minor": 125_000, "currency": "EUR", "exponent": 2 },
            "next": { "level": "Gold", "lacks": { "points": 20 } } });
        let text = shown(&answer);
        assert!(
            text.contains("1250.00 EUR since 2026-01") && text.contains("Gold, 20 points more"),
            "{text}"
        );
        assert!(shown(&json!({ "level": null })).contains("[[level]]"));
    }
}
