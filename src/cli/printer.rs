//! `ficha printer`.

use super::ask::Asker;
use super::devices::advice;
use super::say::{at, plain, rows, table};
use serde_json::{Value, json};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lists the printers with their condition.
    List,
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let Self::List = self;
        asker.tell("printer.list", json!({}), |answer| {
            let printers = rows(answer, "/printers");
            if printers.is_empty() {
                return "no printers; add a `[[printer]]` to the config".to_owned();
            }
            let row = |printer: &Value| {
                let condition = at(printer, "/condition");
                let advice = advice(&condition).to_owned();
                [at(printer, "/printer"), plain(&condition), advice]
            };
            table(["PRINTER", "CONDITION", "WHAT TO DO"], printers.iter().map(row))
        })
    }
}
