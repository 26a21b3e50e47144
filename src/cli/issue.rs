//! `ficha issue`.

use super::ask::{Asker, Key, Usage, optional};
use super::input;
use super::say::{at, rows, table, when};
use crate::domain::id::{CustomerNumber, IssueId};
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

/// The words of `domain::issue::IssueKind`.
pub(super) const KINDS: [&str; 7] =
    ["WARRANTY", "REPAIR", "COMPLAINT", "RETURN", "RECALL", "QUESTION", "DATA_REQUEST"];

/// The words of `domain::issue::IssueState`.
const STATES: [&str; 11] = [
    "NEW",
    "TRIAGED",
    "IN_PROGRESS",
    "WAIT_CUSTOMER",
    "WAIT_SUPPLIER",
    "RESOLVED",
    "FOLLOW_UP",
    "CLOSED",
    "REOPENED",
    "DUPLICATE",
    "CANCELLED",
];

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Opens an issue.
    Open(Open),
    /// Lists a customer's issues.
    List {
        /// The customer number.
        customer: CustomerNumber,
    },
    /// Gives an issue another state, another hint, or both.
    Update {
        /// The issue.
        issue: IssueId,
        /// Where it stands now.
        #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(STATES))]
        state: Option<String>,
        /// Reads a hint for the till, one line, from standard input, or asks for it.
        #[arg(long)]
        hint: bool,
        #[command(flatten)]
        key: Key,
    },
    /// Closes an issue.
    Close {
        /// The issue.
        issue: IssueId,
        #[command(flatten)]
        key: Key,
    },
}

/// A new issue. Of its product only facts of the article: model and serial number.
#[derive(Debug, clap::Args)]
pub(super) struct Open {
    /// The customer number.
    customer: CustomerNumber,
    /// What it is.
    #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(KINDS))]
    kind: String,
    /// The product's number: 8, 12, 13 or 14 digits.
    #[arg(long)]
    gtin: Option<String>,
    /// The maker's model.
    #[arg(long)]
    model: Option<String>,
    /// The serial number.
    #[arg(long)]
    serial: Option<String>,
    /// Reads a hint for the till, one line, from standard input, or asks for it.
    #[arg(long)]
    hint: bool,
    #[command(flatten)]
    key: Key,
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        match self {
            Self::Open(open) => open.run(asker),
            Self::List { customer } => asker.tell("issue.list", json!({ "customer": customer }), |answer| {
                let issues = rows(answer, "/issues");
                if issues.is_empty() { "no issues".to_owned() } else { listed(issues) }
            }),
            Self::Update { issue, state, hint, key } => {
                if state.is_none() && !hint {
                    return Err(Usage("give `--state`, `--hint`, or both".to_owned()).into());
                }
                let state = state.as_ref().map(|state| state.to_uppercase());
                let hint = hint.then(|| input::needed(HINT)).transpose()?;
                let mut params = json!({ "key": key.get(), "issue": issue });
                optional(&mut params, &[("state", state.as_deref()), ("hint", hint.as_deref())]);
                asker.tell("issue.update", params, moved)
            }
            Self::Close { issue, key } => {
                asker.tell("issue.close", json!({ "key": key.get(), "issue": issue }), moved)
            }
        }
    }
}

const HINT: &str = "hint for the till";

impl Open {
    fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let mut product = json!({});
        optional(
            &mut product,
            &[
                ("gtin", self.gtin.as_deref()),
                ("model", self.model.as_deref()),
                ("serial", self.serial.as_deref()),
            ],
        );
        let hint = self.hint.then(|| input::needed(HINT)).transpose()?;
        let kind = self.kind.to_uppercase();
        let mut params =
            json!({ "key": self.key.get(), "customer": self.customer, "kind": kind, "product": product });
        optional(&mut params, &[("hint", hint.as_deref())]);
        asker.tell("issue.open", params, |answer| format!("issue {} opened", at(answer, "/issue")))
    }
}

fn moved(answer: &Value) -> String {
    format!("issue {} is {}", at(answer, "/issue"), at(answer, "/state"))
}

/// Issues as a table: those of `issue.list`, or of a file.
pub(super) fn listed(issues: &[Value]) -> String {
    let row = |issue: &Value| {
        let text = |field| at(issue, field);
        let model = if issue.get("product").is_some() { text("/product/model") } else { text("/model") };
        [text("/issue"), text("/kind"), text("/state"), model, when(&text("/opened_at")), text("/hint")]
    };
    table(["ISSUE", "KIND", "STATE", "MODEL", "OPENED", "HINT"], issues.iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::issue::{IssueKind, IssueState};

    #[test]
    fn the_daemon_knows_every_kind_and_state() {
        for kind in KINDS {
            assert_eq!(serde_json::from_value::<IssueKind>(json!(kind)).unwrap().word(), kind);
        }
        for state in STATES {
            assert_eq!(serde_json::from_value::<IssueState>(json!(state)).unwrap().word(), state);
        }
    }
}
