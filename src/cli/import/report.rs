//! What came of an import, for people and for programs: counts, line by line what became of it, who may be whom, what is wrong.

use super::Opened;
use super::send::Wish;
use super::totals::Totals;
use crate::cli::{say, spoken};
use serde_json::{Value, json};
use std::path::Path;

/// Lines that each table shows at most, the first.
const SHOWN_MAX: usize = 200;

/// What the file turned out to be.
pub(super) fn introduced(path: &Path, opened: &Opened) -> String {
    let encoding = opened.look.encoding.name();
    let mut text = format!("{}: {encoding}, cells divided by {}", path.display(), opened.delimiter.1);
    let used = opened.columns.0.iter().filter(|(_, target)| target.is_some()).count();
    text.push_str(&format!(", {used} of {} columns used", opened.columns.0.len()));
    text
}

/// `remembered_to` is the last line that later ones were compared with, where those were not all.
pub(super) fn answer(opened: &Opened, wish: &Wish, totals: &Totals, remembered_to: Option<u64>) -> Value {
    let problem = |(line, (field, problem)): (&u64, &(Option<String>, String))| json!({ "line": line, "field": field, "problem": problem });
    let problems: Vec<Value> = totals.problems.iter().take(SHOWN_MAX).map(problem).collect();
    let columns: serde_json::Map<String, Value> = opened
        .columns
        .0
        .iter()
        .map(|(name, target)| (name.clone(), target.map_or(Value::Null, |target| target.word().into())))
        .collect();
    json!({
        "import": wish.import, "dry_run": wish.dry_run, "encoding": opened.look.encoding.name(),
        "delimiter": opened.delimiter.1, "columns": columns, "rows": totals.rows, "imported": totals.imported,
        "before": totals.before, "skipped": totals.skipped, "known": totals.known, "doubles": totals.doubles,
        "opted_out": totals.opted_out, "refused": totals.refused, "problems": problems, "alike": totals.alike,
        "duplicates": totals.told_likenesses(SHOWN_MAX), "lines": totals.told_lines(), "remembered_to": remembered_to,
    })
}

pub(super) fn shown(answer: &Value) -> String {
    let count = |field: &str| say::at(answer, field);
    let would = say::get(answer, "dry_run").as_bool() == Some(true);
    let mut text = say::fields([
        ("Rows", count("/rows")),
        (if would { "Would come in" } else { "Came in" }, count("/imported")),
        ("Came in before", count("/before")),
        ("Left out as known", count("/skipped")),
        ("Known by telephone or address", count("/known")),
        ("Doubles of a row before", count("/doubles")),
        ("Erased once, not to be written to", count("/opted_out")),
        ("Perhaps here already", count("/alike")),
        ("Did not come in", count("/refused")),
    ]);
    if let Some(line) = say::get(answer, "remembered_to").as_u64() {
        text.push_str(&format!(
            "\nrows behind line {line} were compared with those up to it, and not with one another"
        ));
    }
    let lines = say::rows(answer, "/lines");
    if !lines.is_empty() {
        text.push_str("\n\n");
        text.push_str(&line_by_line(lines, would));
        if lines.len() > SHOWN_MAX {
            text.push_str(&format!("\nthe first {SHOWN_MAX} of {}; `--json` has more", count("/rows")));
        }
    }
    let likenesses = say::rows(answer, "/duplicates");
    if !likenesses.is_empty() {
        text.push_str("\n\n");
        text.push_str(&alike(likenesses));
    }
    let problems = say::rows(answer, "/problems");
    if !problems.is_empty() {
        let row = |row: &Value| {
            let [line, field, problem] = ["/line", "/field", "/problem"].map(|field| say::at(row, field));
            [line, field, spoken::message(&problem)]
        };
        text.push_str("\n\n");
        text.push_str(&say::table(["LINE", "FIELD", "WHAT IS WRONG"], problems.iter().map(row)));
        let refused = say::get(answer, "refused").as_u64().unwrap_or(0);
        if refused > u64::try_from(problems.len()).unwrap_or(u64::MAX) {
            text.push_str(&format!("\nthe first {} of {refused}", problems.len()));
        }
        text.push_str(
            "\nmend these rows and import them from a file of their own: `--rejects FILE` writes one",
        );
    }
    text
}

/// What became of each line, and the customer it made.
fn line_by_line(lines: &[Value], would: bool) -> String {
    let row = |line: &Value| {
        let double_of = say::get(line, "double_of").as_u64();
        let as_double = double_of.map(|of| format!(", double of line {of}")).unwrap_or_default();
        let became = match say::get(line, "became").as_str() {
            Some("IMPORTED") if would => format!("would come in{as_double}"),
            Some("IMPORTED") => format!("came in{as_double}"),
            Some("BEFORE") => format!("came in before{as_double}"),
            Some("SKIPPED") if double_of.is_none() => "left out: known".to_owned(),
            Some("SKIPPED") => format!("left out{as_double}"),
            _ => "did not come in: see below".to_owned(),
        };
        [say::at(line, "/line"), became, say::at(line, "/customer")]
    };
    say::table(["LINE", "WHAT BECAME OF IT", "CUSTOMER"], lines.iter().take(SHOWN_MAX).map(row))
}

/// Who may be in the files twice now, a line for each of them.
fn alike(likenesses: &[Value]) -> String {
    let row = |line: &Value| {
        let line_of = say::at(line, "/line");
        let one = move |twin: &Value| {
            let may_be = if *say::get(twin, "household") == true { "two people, ask" } else { "one person" };
            let [customer, of, score] = ["/customer", "/line", "/score"].map(|field| say::at(twin, field));
            [line_of.clone(), customer, of, score, may_be.to_owned()]
        };
        say::rows(line, "/duplicates").iter().map(one).collect::<Vec<_>>()
    };
    say::table(["LINE", "CUSTOMER", "OF LINE", "BITS", "MAY BE"], likenesses.iter().flat_map(row))
}
