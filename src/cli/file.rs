//! `ficha file`.

use super::ask::{Asker, Key};
use super::customer::plain;
use super::issue;
use super::say::{at, fields, rows};
use crate::domain::id::CustomerNumber;
use serde_json::{Value, json};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Opens a customer's file by hand: no card there, or on the phone.
    Open {
        /// The customer number.
        customer: CustomerNumber,
        /// The register where the customer is.
        #[arg(long, value_name = "NAME")]
        register: String,
        #[command(flatten)]
        key: Key,
    },
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let Self::Open { customer, register, key } = self;
        let params = json!({ "key": key.get(), "customer": customer, "register": register });
        asker.tell("file.open", params, shown)
    }
}

fn shown(answer: &Value) -> String {
    let preferences: Vec<String> = rows(answer, "/file/preferences").iter().map(plain).collect();
    let mut text = fields([
        ("Visit", at(answer, "/visit")),
        ("Customer", at(answer, "/file/customer")),
        ("Name", at(answer, "/file/name")),
        ("Level", at(answer, "/file/level")),
        ("Points", super::points::in_words(super::say::get(answer, "file"))),
        ("Open issues", at(answer, "/file/issues_open")),
        ("Prefers", if preferences.is_empty() { "-".to_owned() } else { preferences.join(", ") }),
    ]);
    let issues = rows(answer, "/file/issues");
    if !issues.is_empty() {
        text.push_str("\n\n");
        text.push_str(&issue::listed(issues));
    }
    text
}
