//! `ficha issue`.

use super::ask::{Asker, Key, Usage, optional};
use super::input;
use super::say::{NOTHING, at, get, plain, rows, table, when};
use crate::domain::id::{CustomerNumber, IssueId, SaleId};
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

/// The words of `domain::issue::Severity`.
pub(super) const SEVERITIES: [&str; 4] = ["S1", "S2", "S3", "S4"];

/// The words of `domain::issue::Basis` that a person gives; the law's is computed.
const BASES: [&str; 2] = ["COMMERCIAL", "EXTENDED"];

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Opens an issue.
    Open(Open),
    /// Lists a customer's issues.
    List {
        /// The customer number.
        customer: CustomerNumber,
    },
    /// What is due next in the shop, the soonest first.
    Due,
    /// Gives an issue another state, severity or hint, or several of them.
    Update(Update),
    /// Gives a request about personal data the two months more that the law allows.
    Extend {
        /// The issue.
        issue: IssueId,
        #[command(flatten)]
        key: Key,
    },
    /// Keeps how content the customer is with what was done.
    Answer {
        /// The issue.
        issue: IssueId,
        /// 1 (bad) to 5 (good).
        #[arg(value_parser = clap::value_parser!(u8).range(1..=5))]
        score: u8,
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

/// What changes of an issue.
#[derive(Debug, clap::Args)]
pub(super) struct Update {
    /// The issue.
    issue: IssueId,
    /// Where it stands now.
    #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(STATES))]
    state: Option<String>,
    /// How much it matters now.
    #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(SEVERITIES))]
    severity: Option<String>,
    /// The issue that it is the same as, with the state DUPLICATE.
    #[arg(long, value_name = "ISSUE")]
    duplicate_of: Option<IssueId>,
    /// Reads a hint for the till, one line, from standard input, or asks for it.
    #[arg(long)]
    hint: bool,
    #[command(flatten)]
    key: Key,
}

/// A new issue. Of its product only facts of the article: model and serial number.
#[derive(Debug, clap::Args)]
pub(super) struct Open {
    /// The customer number.
    customer: CustomerNumber,
    /// What it is.
    #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(KINDS))]
    kind: String,
    /// How much it matters; S3 if nothing is said.
    #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(SEVERITIES))]
    severity: Option<String>,
    /// The sale it was bought with: product and warranty are taken from its line.
    #[arg(long, requires = "line")]
    sale: Option<SaleId>,
    /// The line of that sale, 1 for the first.
    #[arg(long, requires = "sale")]
    line: Option<u16>,
    /// What the warranty rests on, if not the law.
    #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(BASES), requires = "months", requires = "sale")]
    warranty: Option<String>,
    /// For how many months from the day of the sale.
    #[arg(long, requires = "warranty")]
    months: Option<u32>,
    /// What is wrong, a word of the shop's list.
    #[arg(long)]
    symptom: Option<String>,
    /// The number of the recall it belongs to.
    #[arg(long)]
    recall: Option<String>,
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
            Self::Due => asker.tell("issue.due", json!({}), due),
            Self::Update(update) => update.run(asker),
            Self::Extend { issue, key } => {
                asker.tell("issue.extend", json!({ "key": key.get(), "issue": issue }), moved)
            }
            Self::Answer { issue, score, key } => {
                let params = json!({ "key": key.get(), "issue": issue, "score": score });
                asker.tell("issue.answer", params, moved)
            }
            Self::Close { issue, key } => {
                asker.tell("issue.close", json!({ "key": key.get(), "issue": issue }), moved)
            }
        }
    }
}

const HINT: &str = "hint for the till";

impl Update {
    fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let Self { issue, state, severity, duplicate_of, hint, key } = self;
        if state.is_none() && severity.is_none() && !hint {
            return Err(Usage("give `--state`, `--severity` or `--hint`, or several".to_owned()).into());
        }
        let hint = hint.then(|| input::needed(HINT)).transpose()?;
        let mut params = json!({ "key": key.get(), "issue": issue });
        let upper = |text: &Option<String>| text.as_ref().map(|text| text.to_uppercase());
        let (state, severity) = (upper(state), upper(severity));
        let duplicate_of = duplicate_of.as_ref().map(ToString::to_string);
        optional(
            &mut params,
            &[
                ("state", state.as_deref()),
                ("severity", severity.as_deref()),
                ("duplicate_of", duplicate_of.as_deref()),
                ("hint", hint.as_deref()),
            ],
        );
        asker.tell("issue.update", params, moved)
    }
}

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
        let upper = |text: &Option<String>| text.as_ref().map(|text| text.to_uppercase());
        let severity = upper(&self.severity);
        optional(
            &mut params,
            &[
                ("severity", severity.as_deref()),
                ("symptom", self.symptom.as_deref()),
                ("recall", self.recall.as_deref()),
                ("hint", hint.as_deref()),
            ],
        );
        if let Some(params) = params.as_object_mut() {
            if let (Some(sale), Some(line)) = (self.sale, self.line) {
                params.insert("purchase".to_owned(), json!({ "sale": sale, "line": line }));
            }
            if let (Some(basis), Some(months)) = (upper(&self.warranty), self.months) {
                params.insert("warranty".to_owned(), json!({ "basis": basis, "months": months }));
            }
        }
        asker.tell("issue.open", params, opened)
    }
}

fn opened(answer: &Value) -> String {
    let mut lines = vec![format!("issue {} opened{}", at(answer, "/issue"), next(answer))];
    if let Some(warranty) = answer.get("warranty").filter(|warranty| warranty.is_object()) {
        let force = if *get(warranty, "in_force") == true { "in force" } else { "not in force" };
        let text = |field| at(warranty, field);
        lines.push(format!(
            "{} warranty from {} to {}: {force}",
            text("/basis"),
            text("/start"),
            text("/end")
        ));
    }
    let before = rows(answer, "/claimed_before");
    if !before.is_empty() {
        let issues: Vec<&str> = before.iter().filter_map(Value::as_str).collect();
        lines.push(format!("this serial number was claimed before: {}", issues.join(", ")));
    }
    lines.join("\n")
}

fn moved(answer: &Value) -> String {
    format!("issue {} is {}{}", at(answer, "/issue"), at(answer, "/state"), next(answer))
}

/// What is due next, behind a comma.
fn next(answer: &Value) -> String {
    let Some(deadline) = answer.get("deadline").filter(|deadline| deadline.is_object()) else {
        return String::new();
    };
    format!(", {} {}", plain(&at(deadline, "/for").to_lowercase()), due_in_words(deadline))
}

/// When something is due, and its colour.
fn due_in_words(deadline: &Value) -> String {
    match get(deadline, "due_at").as_str() {
        Some(due_at) => format!("due {} {}", when(due_at), at(deadline, "/colour")),
        None => at(deadline, "/colour"),
    }
}

fn due(answer: &Value) -> String {
    let issues = rows(answer, "/issues");
    if issues.is_empty() {
        return "nothing is due".to_owned();
    }
    let row = |issue: &Value| {
        let text = |field| at(issue, field);
        let due = when(&text("/deadline/due_at"));
        [
            due,
            text("/deadline/colour"),
            text("/deadline/for"),
            text("/severity"),
            text("/kind"),
            text("/state"),
            text("/issue"),
        ]
    };
    let header = ["DUE", "", "FOR", "SEVERITY", "KIND", "STATE", "ISSUE"];
    let mut text = table(header, issues.iter().map(row));
    if *get(answer, "more") == true {
        text.push_str("\nand more");
    }
    text
}

/// Issues as a table: those of `issue.list`, or of a file.
pub(super) fn listed(issues: &[Value]) -> String {
    let row = |issue: &Value| {
        let text = |field| at(issue, field);
        let listed = issue.get("product").is_some();
        let model = if listed { text("/product/model") } else { text("/model") };
        let (due, colour) = if listed {
            (text("/deadline/due_at"), text("/deadline/colour"))
        } else {
            (text("/due_at"), text("/colour"))
        };
        let due =
            [when(&due), colour].map(|part| if part == NOTHING { String::new() } else { part }).join(" ");
        [
            text("/issue"),
            text("/kind"),
            text("/state"),
            model,
            when(&text("/opened_at")),
            due.trim().to_owned(),
            text("/hint"),
        ]
    };
    table(["ISSUE", "KIND", "STATE", "MODEL", "OPENED", "DUE", "HINT"], issues.iter().map(row))
}

/// A row of `issue.list` as a file has it.
pub(super) fn as_in_a_file(issue: &Value) -> Value {
    let mut line = issue.clone();
    let of = |pointer| issue.pointer(pointer).cloned().unwrap_or_default();
    if let Some(line) = line.as_object_mut() {
        line.insert("model".to_owned(), of("/product/model"));
        line.insert("colour".to_owned(), of("/deadline/colour"));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::issue::{Basis, IssueKind, IssueState, SATISFACTION_MAX, Severity};

    #[test]
    fn the_daemon_knows_every_kind_and_state() {
        for kind in KINDS {
            assert_eq!(serde_json::from_value::<IssueKind>(json!(kind)).unwrap().word(), kind);
        }
        for state in STATES {
            assert_eq!(serde_json::from_value::<IssueState>(json!(state)).unwrap().word(), state);
        }
        for severity in SEVERITIES {
            assert!(serde_json::from_value::<Severity>(json!(severity)).is_ok(), "{severity}");
        }
        for basis in BASES {
            assert!(serde_json::from_value::<Basis>(json!(basis)).is_ok(), "{basis}");
        }
        assert_eq!(SATISFACTION_MAX, 5, "what `answer` takes");
    }

    #[test]
    fn an_issue_is_told_with_its_deadline_and_what_was_claimed_before() {
        let deadline = json!({ "for": "RESPONSE", "due_at": "no time", "colour": "RED" });
        let warranty =
            json!({ "basis": "LEGAL", "start": "2026-01-01", "end": "2029-01-01", "in_force": false });
        let answer =
            json!({ "issue": "i-1", "deadline": deadline, "warranty": warranty, "claimed_before": ["i-0"] });
        assert_eq!(
            opened(&answer),
            "issue i-1 opened, response due no time RED\nLEGAL warranty from 2026-01-01 to 2029-01-01: not in force\n\
             this serial number was claimed before: i-0"
        );
        let waiting = json!({ "issue": "i-1", "state": "WAIT_CUSTOMER", "deadline": { "for": "RESOLUTION", "due_at": null, "colour": "PAUSED" } });
        assert_eq!(moved(&waiting), "issue i-1 is WAIT_CUSTOMER, resolution PAUSED");
        assert_eq!(
            moved(&json!({ "issue": "i-1", "state": "CLOSED", "deadline": null })),
            "issue i-1 is CLOSED"
        );
        let due = due(
            &json!({ "issues": [{ "issue": "i\u{1b}", "severity": "S1", "deadline": deadline }], "more": true }),
        );
        assert!(due.contains("S1") && due.contains("i\\u{1b}") && due.ends_with("and more"), "{due}");
    }
}
