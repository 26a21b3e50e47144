//! `ficha erase`.

use super::ask::{Asker, Key, Usage};
use super::input;
use super::say::{at, rows};
use crate::domain::id::CustomerNumber;
use clap::ValueEnum;
use serde_json::json;

/// What has to be typed.
const WORD: &str = "ERASE";

/// Forgets a customer for good: name, telephone, notes, cards. What was sold stays, under a number that leads to nobody.
/// It cannot be undone, also not from a backup.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The customer number.
    customer: CustomerNumber,
    /// Why.
    #[arg(long, value_enum)]
    purpose: Purpose,
    /// Rewrites the look-up files at once, not within a day.
    #[arg(long)]
    now: bool,
    /// Keeps no mark that these telephone numbers and addresses want to hear nothing more.
    #[arg(long)]
    no_mark: bool,
    /// Asks nothing, for scripts.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    key: Key,
}

/// Why somebody is erased.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Purpose {
    /// The customer asked for it.
    Request,
    /// The shop keeps nobody that long.
    Retention,
    /// Enrolled by mistake.
    Mistake,
}

impl Purpose {
    fn word(self) -> &'static str {
        match self {
            Self::Request => "REQUEST",
            Self::Retention => "RETENTION",
            Self::Mistake => "MISTAKE",
        }
    }
}

/// Asks first, then has it done.
pub(super) fn run(args: &Args, asker: &Asker) -> anyhow::Result<()> {
    if !args.yes {
        confirm(args, asker)?;
    }
    let params = json!({
        "key": args.key.get(), "customer": args.customer, "purpose": args.purpose.word(),
        "now": args.now, "suppress": !args.no_mark,
    });
    asker.tell("customer.erase", params, |answer| {
        let mut text = format!("customer {} is erased", at(answer, "/customer"));
        for left in rows(answer, "/pending") {
            text.push_str(match left.as_str().unwrap_or_default() {
                "views" => "\nthe look-up files are rewritten within a day (`--now` does it at once)",
                "second_copy" => {
                    "\nthe second copy of the key file is away: mount its disk, the rest is done by itself"
                }
                _ => "\nmore is to be done; `ficha status` shows it",
            });
        }
        text
    })
}

fn confirm(args: &Args, asker: &Asker) -> anyhow::Result<()> {
    if !input::is_person() {
        return Err(Usage("a script says `--yes`: nobody can be asked".to_owned()).into());
    }
    let shown = asker.call("customer.show", json!({ "customer": args.customer }))?;
    let name = at(&shown, "/file/name");
    let typed = input::line(&format!("Erase {name} for good? It cannot be undone. Type {WORD}"))?;
    if typed != WORD {
        return Err(Usage("nothing was erased".to_owned()).into());
    }
    Ok(())
}
