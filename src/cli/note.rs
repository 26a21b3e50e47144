//! `ficha note`.

use super::ask::{Asker, Key};
use super::input;
use super::say::at;
use crate::domain::id::CustomerNumber;
use serde_json::json;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Keeps a note with a customer. Its text comes from standard input, up to the end, or is asked for.
    Keep {
        /// The customer number.
        customer: CustomerNumber,
        #[command(flatten)]
        key: Key,
    },
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let Self::Keep { customer, key } = self;
        let params = json!({ "key": key.get(), "customer": customer, "text": input::whole("the note")? });
        asker.tell("note.keep", params, |answer| format!("note {} kept", at(answer, "/note")))
    }
}
