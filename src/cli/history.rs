//! `ficha history` and `ficha revert`.

use super::ask::{Asker, Key};
use super::customer::plain;
use super::merge;
use super::operator::by;
use super::say::{at, get, rows, safe, table, when};
use crate::domain::id::CustomerNumber;
use serde_json::{Value, json};

/// Shows the versions of a customer: when, who, which fields.
#[derive(Debug, clap::Args)]
pub(super) struct History {
    /// The customer number.
    customer: CustomerNumber,
    /// Also shows the person as each version left it; for managers.
    #[arg(long)]
    values: bool,
}

impl History {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let params = json!({ "customer": self.customer, "values": self.values });
        asker.tell("customer.history", params, |answer| shown(answer, self.customer))
    }
}

/// The versions of a customer; one of a number that was merged into theirs says so.
fn shown(answer: &Value, customer: CustomerNumber) -> String {
    let versions = rows(answer, "/versions");
    let row = |version: &Value| {
        let changes: Vec<String> = rows(version, "/changes").iter().map(change).collect();
        let readable = get(version, "readable").as_bool() == Some(true);
        let gone = if readable { "" } else { " (its key is gone)" };
        let of = get(version, "customer");
        let of = if *of == json!(customer) {
            String::new()
        } else {
            format!(" (of {})", at(version, "/customer"))
        };
        let changed = format!("{}{gone}{of}", changes.join("; "));
        [at(version, "/version"), when(&at(version, "/at")), by(version, "by", "operator"), changed]
    };
    let mut text = table(["VERSION", "WHEN", "BY", "CHANGED"], versions.iter().map(row));
    for version in versions {
        if let Some(person) = version.get("person").and_then(Value::as_object) {
            text.push_str(&format!("\n\nVersion {}\n", at(version, "/version")));
            let row = |(name, value): (&String, &Value)| [name.clone(), plain(value)];
            text.push_str(&table(["FIELD", "VALUE"], person.iter().map(row)));
        }
    }
    if get(answer, "more").as_bool() == Some(true) {
        text.push_str("\nthere are older ones");
    }
    text
}

fn change(change: &Value) -> String {
    let section = at(change, "/section");
    let fields: Vec<String> =
        rows(change, "/fields").iter().map(|field| safe(&plain(field)).into_owned()).collect();
    if fields.is_empty() { section } else { format!("{section}: {}", fields.join(", ")) }
}

/// Brings the person back as a version left it, as a new version. Notes, preferences and cards stay.
#[derive(Debug, clap::Args)]
pub(super) struct Revert {
    /// The customer number.
    customer: CustomerNumber,
    /// Which version; `ficha history` lists them.
    #[arg(long)]
    to: u64,
    #[command(flatten)]
    key: Key,
}

impl Revert {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let params = json!({ "key": self.key.get(), "customer": self.customer, "version": self.to });
        asker.tell("customer.revert", params, |answer| {
            let done = format!(
                "customer {} is as version {} left it",
                at(answer, "/customer"),
                at(answer, "/version")
            );
            match rows(answer, "/duplicates") {
                [] => done,
                found => format!("{done}\nmay be here twice:\n{}", merge::listed(found)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_a_table_without_control_characters() {
        let answer = json!({ "more": true, "versions": [{ "version": 7, "customer": "c\u{1b}-2", "at": "x", "by": 1001, "operator": "A7", "readable": false,
            "changes": [{ "section": "basic", "fields": ["givenName"] }, { "section": "cards", "fields": null }],
            "person": { "givenName": "M\u{1b}[2J" } }] });
        let text = shown(&answer, CustomerNumber(uuid::Uuid::nil()));
        for part in [
            "basic: givenName; cards (its key is gone) (of c\\u{1b}-2)",
            "1001 (A7)",
            "Version 7",
            "M\\u{1b}[2J",
            "there are older ones",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
}
