//! `ficha note`.

use super::ask::{Asker, Key, optional};
use super::input;
use super::say::{at, get, rows, when};
use crate::domain::id::CustomerNumber;
use serde_json::{Value, json};
use uuid::Uuid;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Keeps a note with a customer. Its text comes from standard input, up to the end, or is asked for.
    Keep {
        /// The customer number.
        customer: CustomerNumber,
        #[command(flatten)]
        key: Key,
    },
    /// Lists the notes of a customer, the newest first.
    List {
        /// The customer number.
        customer: CustomerNumber,
        /// Only those before this note: the answer before says which.
        #[arg(long, value_name = "NOTE")]
        before: Option<Uuid>,
    },
    /// Takes out a note that is wrong or over. To correct one, keep the right one too.
    Remove {
        /// The customer number.
        customer: CustomerNumber,
        /// The note, as `ficha note list` has it.
        note: Uuid,
        #[command(flatten)]
        key: Key,
    },
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        match self {
            Self::Keep { customer, key } => {
                let text = input::whole("the note")?;
                let params = json!({ "key": key.get(), "customer": customer, "text": text });
                asker.tell("note.keep", params, |answer| format!("note {} kept", at(answer, "/note")))
            }
            Self::List { customer, before } => {
                let before = before.map(|note| note.to_string());
                let mut params = json!({ "customer": customer });
                optional(&mut params, &[("before", before.as_deref())]);
                asker.tell("note.list", params, listed)
            }
            Self::Remove { customer, note, key } => {
                let params = json!({ "key": key.get(), "customer": customer, "note": note });
                asker.tell("note.remove", params, |answer| format!("note {} taken out", at(answer, "/note")))
            }
        }
    }
}

/// Each note below its id and when it was kept.
fn listed(answer: &Value) -> String {
    let note = |note: &Value| {
        let text = at(note, "/text");
        let lines: String = text.lines().map(|line| format!("\n  {line}")).collect();
        format!("{}  {}{lines}", at(note, "/note"), when(&at(note, "/kept_at")))
    };
    let mut notes: Vec<String> = rows(answer, "/notes").iter().map(note).collect();
    if notes.is_empty() {
        return "no notes".to_owned();
    }
    if let Some(next) = get(answer, "next").as_str() {
        notes.push(format!("there are more: `--before {next}`"));
    }
    notes.join("\n")
}
