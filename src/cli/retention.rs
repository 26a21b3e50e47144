//! `ficha retention`.

use super::ask::{Asker, Key, Usage};
use super::input;
use super::say::{at, rows, table};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What has to be typed.
const WORD: &str = "LET GO";

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lets go what the shop keeps of nobody that long: each section by its period in `[retention]`.
    Run(Run),
}

/// Lets go what is kept longer than `[retention]` says. It cannot be undone, and takes the earlier versions of the customers with it.
#[derive(Debug, clap::Args)]
pub(super) struct Run {
    /// Only counts what would go.
    #[arg(long)]
    dry_run: bool,
    /// Rewrites the look-up files at once, not within a day.
    #[arg(long)]
    now: bool,
    /// Asks nothing, for scripts.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    key: Key,
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let Self::Run(args) = self;
        if args.dry_run {
            let total = all(asker, |after| json!({ "dry_run": true, "after": after }))?;
            return asker.say(&total, shown);
        }
        if !args.yes {
            confirm(asker)?;
        }
        let mut key = Some(args.key.get());
        let total = all(asker, |after| {
            // The first part has the key that was given, each of the others one of its own.
            let key = key.take().unwrap_or_else(Uuid::new_v4);
            json!({ "key": key, "after": after, "now": args.now })
        })?;
        asker.say(&total, shown)
    }
}

fn confirm(asker: &Asker) -> anyhow::Result<()> {
    if !input::is_person() {
        return Err(Usage("a script says `--yes`: nobody can be asked".to_owned()).into());
    }
    let total = all(asker, |after| json!({ "dry_run": true, "after": after }))?;
    super::say::text(&shown(&total))?;
    let typed = input::line(&format!("Let go for good? It cannot be undone. Type {WORD}"))?;
    if typed != WORD {
        return Err(Usage("nothing was let go".to_owned()).into());
    }
    Ok(())
}

/// Asks until there is no customer left to look at, and adds up.
fn all(asker: &Asker, mut params: impl FnMut(Option<Value>) -> Value) -> anyhow::Result<Value> {
    let mut client = asker.connect()?;
    let mut after = None;
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    let mut sections: Vec<(String, String, u64)> = Vec::new();
    loop {
        let answer = super::ask::request(&mut client, "retention.run", params(after.take()))?;
        for field in ["customers", "looked_at", "failed"] {
            let sum = sums.entry(field).or_default();
            *sum = sum.saturating_add(answer.get(field).and_then(Value::as_u64).unwrap_or(0));
        }
        for (index, row) in rows(&answer, "/rows").iter().enumerate() {
            let count = row.get("customers").and_then(Value::as_u64).unwrap_or(0);
            match sections.get_mut(index) {
                Some((.., sum)) => *sum = sum.saturating_add(count),
                None => sections.push((at(row, "/section"), at(row, "/keep"), count)),
            }
        }
        match answer.get("next").filter(|next| !next.is_null()) {
            Some(next) => after = Some(next.clone()),
            None => {
                let row = |(section, keep, customers): &(String, String, u64)| json!({ "section": section, "keep": keep, "customers": customers });
                let mut total = json!({
                    "dry_run": answer.get("dry_run"), "rows": sections.iter().map(row).collect::<Vec<_>>(),
                    "pending": answer.get("pending"),
                });
                if let Some(total) = total.as_object_mut() {
                    total.extend(sums.into_iter().map(|(field, sum)| (field.to_owned(), sum.into())));
                }
                return Ok(total);
            }
        }
    }
}

fn shown(total: &Value) -> String {
    let row = |row: &Value| ["/section", "/keep", "/customers"].map(|field| at(row, field));
    let mut text = table(["SECTION", "KEPT", "CUSTOMERS"], rows(total, "/rows").iter().map(row));
    let done =
        if total.get("dry_run").and_then(Value::as_bool) == Some(true) { "would be cut" } else { "were cut" };
    text.push_str(&format!("\n{} of {} customers {done}", at(total, "/customers"), at(total, "/looked_at")));
    if total.get("failed").and_then(Value::as_u64).unwrap_or(0) > 0 {
        text.push_str(&format!("\n{} could not be read; the log has their numbers", at(total, "/failed")));
    }
    for left in rows(total, "/pending") {
        text.push_str(match left.as_str().unwrap_or_default() {
            "views" => "\nthe look-up files are rewritten within a day (`--now` does it at once)",
            "second_copy" => {
                "\nthe second copy of the key file is away: mount its disk, the rest is done by itself"
            }
            _ => "\nmore is to be done; `ficha status` shows it",
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_is_a_table_of_numbers() {
        let total = json!({ "dry_run": true, "customers": 2, "looked_at": 9, "failed": 1, "pending": null,
            "rows": [{ "section": "family", "keep": "12 months", "customers": 2 }] });
        let text = shown(&total);
        for part in ["family", "12 months", "2 of 9 customers would be cut", "1 could not be read"] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
}
