//! `ficha store list` and `ficha store restore`: which moments there are, and going back to one.

use super::{credentials, stopped};
use crate::cli::ask::Asker;
use crate::cli::{moment, say};
use crate::config;
use crate::daemon::{self, RestoreStoreError};
use crate::domain::time::Timestamp;
use crate::log::{LeftOut, Meta, Moment, RestoreError, Until, moments};
use anyhow::{Context as _, anyhow, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The daemon's config file.
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_PATH)]
    config: PathBuf,
    /// The moment: `2026-11-22 14:30` in the host's time zone, `2026-11-22T13:30:00Z`, or the number of a transaction.
    #[arg(long, value_name = "TIME", required_unless_present = "from")]
    at: Option<String>,
    /// A timeline that an earlier restore has kept, as `ficha store list` names it; its end, without `--at`.
    #[arg(long, value_name = "NAME")]
    from: Option<String>,
    /// Says what would be left out, and changes nothing.
    #[arg(long)]
    dry_run: bool,
}

/// What `--at` says.
fn until(text: &str) -> anyhow::Result<Until> {
    if let Ok(seq) = text.parse::<u64>() {
        return Ok(Until::Transaction(seq));
    }
    let at = moment::read(text).map_err(|why| anyhow!("`--at {text}` {why}, or a transaction's number"))?;
    Ok(Until::Time(at.as_microsecond()))
}

pub(super) fn restore(args: &Args, asker: &Asker) -> anyhow::Result<()> {
    let until = args.at.as_deref().map_or(Ok(Until::End), until)?;
    let settings = stopped(&args.config)?;
    let from = args.from.as_deref();
    if from.is_some_and(|from| Path::new(from).components().count() != 1) {
        bail!("`--from` is the name of a folder in the state folder, as `ficha store list` shows it");
    }
    if args.dry_run {
        let moment = daemon::restore_dry(&settings, from, until).map_err(|error| explained(error.into()))?;
        return asker.say(&told(&moment), |_| format!("{}\nNothing is changed.", shown(&moment, true)));
    }
    let done = daemon::restore(&settings, credentials().as_deref(), from, until).map_err(explained)?;
    let mut more = String::new();
    if done.locked {
        more.push_str("\nThe vault is locked; its names are looked up again once it is unlocked.");
    }
    asker.say(&told(&done.moment), |_| format!("{}{more}", shown(&done.moment, false)))
}

/// With the times that only this room can write.
fn explained(error: RestoreStoreError) -> anyhow::Error {
    let more = match &error {
        RestoreStoreError::Log(RestoreError::Before { first }) => {
            Some(format!("the first transaction is of {}", local(first)))
        }
        RestoreStoreError::Log(RestoreError::Unread { last, .. }) => Some(format!(
            "it is of {}; `--at {}` goes back to it, if fichad cannot heal the journal at its start",
            local(last),
            last.seq
        )),
        RestoreStoreError::Log(_) | RestoreStoreError::Open(_) => None,
    };
    let error = anyhow::Error::from(error);
    match more {
        Some(more) => anyhow!("{error}; {more}"),
        None => error,
    }
}

fn time(meta: &Meta) -> String {
    Timestamp(meta.at_us).rfc3339()
}

/// For people, who then write such a time after `--at`.
fn local(meta: &Meta) -> String {
    say::to_the_second(&time(meta))
}

fn of(meta: &Meta) -> Value {
    json!({ "seq": meta.seq, "at": time(meta) })
}

fn told(moment: &Moment) -> Value {
    let Moment { last, timeline, left_out, kept, damaged } = moment;
    let left_out = left_out.map(
        |LeftOut { count, first, last }| json!({ "count": count, "first": of(&first), "last": of(&last) }),
    );
    json!({ "last": of(last), "timeline": timeline, "left_out": left_out, "kept": kept.display().to_string(), "damaged": damaged })
}

fn shown(moment: &Moment, dry: bool) -> String {
    let Moment { last, timeline, left_out, kept, damaged } = moment;
    let (is, are) = if dry { ("would be", "would be") } else { ("is", "are") };
    let mut text = format!(
        "The store {is} as it was after transaction {}, of {}; its timeline {is} {timeline}.",
        last.seq,
        local(last)
    );
    match left_out {
        Some(LeftOut { count, first, last }) => text.push_str(&format!(
            "\nLeft out {are} {count} transactions, from {} to {}.",
            local(first),
            local(last)
        )),
        None => text.push_str("\nNothing that can be read is left out."),
    }
    if let Some(damage) = damaged {
        text.push_str(&format!("\nWhat could not be read is left out too: {damage}"));
    }
    let name = kept.file_name().unwrap_or_default().to_string_lossy();
    let kept = kept.display();
    text.push_str(&format!(
        "\nWhat was there before {is} kept in {kept}; `ficha store restore --from {name}` goes back to it."
    ));
    text
}

pub(super) fn list(config: &Path, asker: &Asker) -> anyhow::Result<()> {
    let store = config::load(config)?.store;
    let found = moments(&store.dir, store.second_dir.as_deref())
        .with_context(|| format!("the store in {} cannot be read", store.dir.display()))?;
    let begins: Vec<Value> = found
        .begins
        .iter()
        .map(|(timeline, first)| json!({ "timeline": timeline, "seq": first.seq, "at": time(first) }))
        .collect();
    let kept: Vec<Value> = found
        .kept
        .iter()
        .map(|kept| json!({ "timeline": kept.timeline, "folder": kept.dir.display().to_string(), "last": kept.last.as_ref().map(of) }))
        .collect();
    let snapshots: Vec<Value> = found
        .snapshots
        .iter()
        .map(|taken| json!({ "half": taken.half.name(), "file": taken.file.display().to_string(), "last": taken.last.as_ref().map(of) }))
        .collect();
    let half_made = found.half_made.as_ref().map(|folder| folder.display().to_string());
    let told = json!({
        "timeline": found.timeline, "last": found.last.as_ref().map(of), "segments": begins, "snapshots": snapshots, "kept": kept, "half_made": half_made,
    });
    asker.say(&told, rows)
}

fn rows(told: &Value) -> String {
    let when = |row: &Value, pointer| say::to_the_second(&say::at(row, pointer));
    let mut rows = Vec::new();
    for begin in say::rows(told, "/segments") {
        rows.push([
            "a segment begins".to_owned(),
            say::at(begin, "/timeline"),
            say::at(begin, "/seq"),
            when(begin, "/at"),
        ]);
    }
    if told.pointer("/last").is_some_and(|last| !last.is_null()) {
        rows.push([
            "now".to_owned(),
            say::at(told, "/timeline"),
            say::at(told, "/last/seq"),
            when(told, "/last/at"),
        ]);
    }
    for taken in say::rows(told, "/snapshots") {
        let what = format!("snapshot, {} half", say::at(taken, "/half"));
        let last = [say::at(taken, "/last/seq"), when(taken, "/last/at")];
        let [seq, at] = last;
        rows.push([what, say::NOTHING.to_owned(), seq, at]);
    }
    for kept in say::rows(told, "/kept") {
        rows.push([
            say::at(kept, "/folder"),
            say::at(kept, "/timeline"),
            say::at(kept, "/last/seq"),
            when(kept, "/last/at"),
        ]);
    }
    let mut text = say::table(["What", "Timeline", "Transaction", "Time"], rows);
    if told.pointer("/half_made").is_some_and(|folder| !folder.is_null()) {
        text.push_str(&format!(
            "\nA restore was cut off: {}; the next start or restore sees to it.",
            say::at(told, "/half_made")
        ));
    }
    text.push_str("\nAny time between the first and now can be gone back to: `ficha store restore --at TIME --dry-run`.");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_a_transaction() {
        assert_eq!(until("17").unwrap(), Until::Transaction(17));
        assert_eq!(until("1970-01-01T00:00:01Z").unwrap(), Until::Time(1_000_000));
        assert_eq!(until("1970-01-01 01:00:01.5+01:00").unwrap(), Until::Time(1_500_000));
        for plain in ["2026-11-22 14:30", "2026-11-22T14:30:00", "2026-11-22"] {
            assert!(matches!(until(plain).unwrap(), Until::Time(_)), "{plain}");
        }
        for wrong in ["yesterday", "", "2026-13-01", "14:30", "-5"] {
            assert!(until(wrong).is_err(), "{wrong}");
        }
    }
}
