//! `ficha consent`.

use super::ask::{Asker, Key, optional};
use super::contact::CHANNELS;
use super::say::{NOTHING, at, rows, safe, table, when};
use super::{input, moment};
use crate::domain::id::CustomerNumber;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

/// The words of `domain::consent::ConsentState`.
const STATES: [&str; 3] = ["GRANTED", "DENIED", "WITHDRAWN"];

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Shows what customers can be asked, and the texts to show them.
    Texts,
    /// Shows what a customer agreed to, and every answer they gave.
    List {
        /// The customer number.
        customer: CustomerNumber,
    },
    /// Records what a customer said.
    Record(Record),
}

/// What a customer said. A withdrawal may leave purpose and channel out: it is then about all of them.
#[derive(Debug, clap::Args)]
pub(super) struct Record {
    /// The customer number.
    customer: CustomerNumber,
    /// What they said.
    #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(STATES))]
    state: String,
    /// What for, as `ficha consent texts` has it.
    #[arg(long)]
    purpose: Option<String>,
    /// By which way.
    #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(CHANNELS))]
    channel: Option<String>,
    /// The text that was shown, by the digits that `ficha consent texts` has for it.
    #[arg(long, value_name = "DIGITS")]
    text: Option<String>,
    /// When it was said, if not now: `2026-11-22 10:00`.
    #[arg(long, value_name = "TIME", value_parser = moment::read)]
    at: Option<jiff::Timestamp>,
    /// Reads where the proof is, one line, from standard input, or asks for it.
    #[arg(long)]
    evidence: bool,
    #[command(flatten)]
    key: Key,
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        match self {
            Self::Texts => asker.tell("consent.texts", json!({}), texts),
            Self::List { customer } => asker.tell("consent.list", json!({ "customer": customer }), listed),
            Self::Record(record) => record.run(asker),
        }
    }
}

impl Record {
    fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let state = self.state.to_uppercase();
        let channel = self.channel.as_ref().map(|channel| channel.to_uppercase());
        let evidence = self.evidence.then(|| input::needed("where the proof is")).transpose()?;
        let said_at = self.at.map(|at| at.to_string());
        let mut params = json!({ "key": self.key.get(), "customer": self.customer, "state": state });
        optional(
            &mut params,
            &[
                ("purpose", self.purpose.as_deref()),
                ("channel", channel.as_deref()),
                ("text", self.text.as_deref()),
                ("at", said_at.as_deref()),
                ("evidence", evidence.as_deref()),
            ],
        );
        asker.tell("consent.record", params, |answer| format!("consent {} recorded", at(answer, "/consent")))
    }
}

fn texts(answer: &Value) -> String {
    let purposes = rows(answer, "/purposes");
    if purposes.is_empty() {
        return "the config has no [[consent]]: customers are asked nothing".to_owned();
    }
    let mut text = String::new();
    for purpose in purposes {
        let channels: Vec<String> = rows(purpose, "/channels").iter().map(super::customer::plain).collect();
        let by = if channels.is_empty() { String::new() } else { format!(", by {}", channels.join(", ")) };
        text.push_str(&format!("{} ({}{by})\n", at(purpose, "/purpose"), at(purpose, "/basis")));
        for shown in rows(purpose, "/texts") {
            let head = ["/language", "/version", "/text"].map(|field| at(shown, field)).join(" ");
            text.push_str(&format!("  {}\n", safe(&head)));
            at(shown, "/words").lines().for_each(|line| text.push_str(&format!("    {}\n", safe(line))));
        }
    }
    text
}

fn listed(answer: &Value) -> String {
    let mut text = standing(rows(answer, "/standing"));
    let records = rows(answer, "/records");
    if !records.is_empty() {
        let row = |record: &Value| {
            let at = |field| at(record, field);
            let text: String = at("/text").chars().take(8).collect();
            [
                when(&at("/at")),
                at("/purpose"),
                at("/channel"),
                at("/state"),
                text,
                at("/by"),
                at("/register"),
                at("/evidence"),
            ]
        };
        let head = ["AT", "PURPOSE", "CHANNEL", "SAID", "TEXT", "BY", "REGISTER", "PROOF"];
        text.push_str(&format!("\n\nAnswers\n{}", table(head, records.iter().map(row))));
    }
    for shown in rows(answer, "/texts") {
        let head: String = at(shown, "/text").chars().take(8).collect();
        text.push_str(&format!(
            "\n\nText {head}, {}, version {}",
            at(shown, "/language"),
            at(shown, "/version")
        ));
        at(shown, "/words").lines().for_each(|line| text.push_str(&format!("\n  {}", safe(line))));
    }
    text
}

/// What stands, as a table.
pub(super) fn standing(rows: &[Value]) -> String {
    if rows.is_empty() {
        return "nothing is asked".to_owned();
    }
    let row = |row: &Value| {
        let at = |field| at(row, field);
        let state = at("/state");
        let state = if state == NOTHING { "never asked".to_owned() } else { state };
        [at("/purpose"), at("/channel"), at("/basis"), state, when(&at("/since")), when(&at("/review_at"))]
    };
    table(["PURPOSE", "CHANNEL", "BASIS", "STATE", "SINCE", "ASK AGAIN"], rows.iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::consent::ConsentState;

    #[test]
    fn the_daemon_knows_every_state() {
        for state in STATES {
            assert!(serde_json::from_value::<ConsentState>(json!(state)).is_ok(), "{state}");
        }
    }

    #[test]
    fn answers_come_with_the_words_that_were_shown() {
        let answer = json!({
            "standing": [{ "purpose": "OFFERS", "channel": "EMAIL", "basis": "CONSENT", "state": null, "since": null, "review_at": null }],
            "records": [{ "purpose": "OFFERS", "channel": "SMS", "state": "GRANTED", "text": "0123456789abcdef", "at": "x",
                "by": 7, "register": "till-1", "evidence": "form\u{7}" }],
            "texts": [{ "text": "0123456789abcdef", "language": "es", "version": "1", "words": "¿Nos deja?\u{1b}" }],
        });
        let text = listed(&answer);
        for part in ["never asked", "01234567", "¿Nos deja?\\u{1b}", "form\\u{7}"] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(!text.contains("0123456789"), "a hash is cut short for people");
    }
}
