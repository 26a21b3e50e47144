//! `ficha register`: a register in the terminal, for shops whose till shows nothing yet.
//!
//! [`model`] knows what happens, [`wish`] is what it wants done, [`draw`] shows it, [`terminal`] waits for keys, signals and the daemon.

mod draw;
mod form;
mod model;
mod terminal;
mod wish;
mod words;

use super::ask::{Asker, Usage};
use std::io::{self, IsTerminal as _};

/// Shows the file of whoever shows a card, and lets issues be opened, customers enrolled and cards printed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The register; may be left out where this user may claim only one.
    #[arg(long, value_name = "NAME")]
    register: Option<String>,
}

/// Runs the register until it is left.
pub(super) fn run(args: &Args, asker: &Asker) -> anyhow::Result<()> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        let message =
            "the register needs a terminal; `ficha watch --register NAME` follows events without one";
        return Err(Usage(message.to_owned()).into());
    }
    terminal::run(args.register.as_deref(), asker)
}
