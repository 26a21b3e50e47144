//! What came of all rows: counted, and line by line as far as that is kept. Holds lines and customer numbers, nothing of a person
//! but the cells of rows that are to be written out again.

use super::before::{Likely, Met};
use csv::StringRecord;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// Problems that are kept in mind at most, those of the first lines, and as many likenesses.
const PROBLEMS_MAX: usize = 10_000;

/// Lines of which is kept what became of them at most, the first.
const LINES_MAX: usize = 100_000;

/// What became of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Became {
    Imported,
    Before,
    Skipped,
    Refused,
}

impl Became {
    /// Of an answer of `customer.import`.
    fn read(word: &str) -> Option<Self> {
        [Self::Imported, Self::Before, Self::Skipped].into_iter().find(|became| became.word() == word)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Imported => "IMPORTED",
            Self::Before => "BEFORE",
            Self::Skipped => "SKIPPED",
            Self::Refused => "REFUSED",
        }
    }
}

/// What is told of one line.
#[derive(Debug, Clone, Copy)]
struct Row {
    became: Became,
    customer: Option<Uuid>,
    double_of: Option<u64>,
}

/// What came of all rows.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) rows: u64,
    pub(super) imported: u64,
    pub(super) before: u64,
    pub(super) skipped: u64,
    /// Rows whose telephone number or address is a customer's who was here before this file.
    pub(super) known: u64,
    /// Rows whose telephone number or address a row before has.
    pub(super) doubles: u64,
    pub(super) opted_out: u64,
    pub(super) refused: u64,
    /// Rows whose person may be somebody who is here, or in a row before.
    pub(super) alike: u64,
    lines: BTreeMap<u64, Row>,
    /// By line: whom, as the daemon tells it, and which rows before.
    likenesses: BTreeMap<u64, (Vec<Value>, Vec<Likely>)>,
    /// By line: field and problem.
    pub(super) problems: BTreeMap<u64, (Option<String>, String)>,
    /// By line: the cells, where they are wanted.
    pub(super) rejected: BTreeMap<u64, StringRecord>,
}

impl Totals {
    pub(super) fn refuse(
        &mut self,
        line: u64,
        field: Option<String>,
        problem: String,
        cells: Option<StringRecord>,
    ) {
        self.refused = self.refused.saturating_add(1);
        first(&mut self.problems, PROBLEMS_MAX, line, (field, problem));
        self.line(line, Row { became: Became::Refused, customer: None, double_of: None });
        if let Some(cells) = cells {
            self.rejected.insert(line, cells);
        }
    }

    /// A row that was not even sent, for one before has its telephone number or address.
    pub(super) fn skip(&mut self, line: u64, of: u64) {
        self.skipped = self.skipped.saturating_add(1);
        self.doubles = self.doubles.saturating_add(1);
        self.line(line, Row { became: Became::Skipped, customer: None, double_of: Some(of) });
    }

    /// An answer of `customer.import`, with what is known of its rows here.
    pub(super) fn add(
        &mut self,
        answer: &Value,
        mut cells: BTreeMap<u64, StringRecord>,
        mut met: BTreeMap<u64, Met>,
    ) {
        let number = |field: &str| answer.get(field).and_then(Value::as_u64).unwrap_or(0);
        let double_of = |line| met.get(&line).and_then(|met: &Met| met.double_of);
        let count = |lines: usize| u64::try_from(lines).unwrap_or(u64::MAX);
        let known = list(answer, "known").iter().filter_map(Value::as_u64);
        for (sum, more) in [
            (&mut self.imported, number("imported")),
            (&mut self.before, number("before")),
            (&mut self.skipped, number("skipped")),
            // Of a double nobody can say whom the daemon found first: the row before, or who was here before both.
            (&mut self.known, count(known.filter(|line| double_of(*line).is_none()).count())),
            (&mut self.doubles, count(met.values().filter(|met| met.double_of.is_some()).count())),
            (&mut self.opted_out, count(list(answer, "opted_out").len())),
        ] {
            *sum = sum.saturating_add(more);
        }
        for row in list(answer, "rows") {
            let text = |field: &str| row.get(field).and_then(Value::as_str);
            let customer = text("customer").and_then(|number| number.parse().ok());
            if let Some(became) = text("became").and_then(Became::read) {
                let line = line_of(row);
                self.line(line, Row { became, customer, double_of: double_of(line) });
            }
        }
        for problem in list(answer, "problems") {
            let line = line_of(problem);
            let text = |field: &str| problem.get(field).and_then(Value::as_str).map(str::to_owned);
            let field = text("field").map(|field| field.strip_prefix("person.").unwrap_or(&field).to_owned());
            self.refuse(line, field, text("problem").unwrap_or_default(), cells.remove(&line));
            // It is nobody, so it is nobody's likeness.
            met.remove(&line);
        }
        for row in list(answer, "alike") {
            let line = line_of(row);
            let rows_before = met.remove(&line).map(|met| met.likely).unwrap_or_default();
            self.alike(line, (list(row, "duplicates").to_vec(), rows_before));
        }
        for (line, met) in met.into_iter().filter(|(_, met)| !met.likely.is_empty()) {
            self.alike(line, (Vec::new(), met.likely));
        }
    }

    fn alike(&mut self, line: u64, whom: (Vec<Value>, Vec<Likely>)) {
        self.alike = self.alike.saturating_add(1);
        first(&mut self.likenesses, PROBLEMS_MAX, line, whom);
    }

    fn line(&mut self, line: u64, row: Row) {
        first(&mut self.lines, LINES_MAX, line, row);
    }

    /// What became of the first lines, at most [`LINES_MAX`].
    pub(super) fn told_lines(&self) -> Vec<Value> {
        let row = |(line, row): (&u64, &Row)| json!({ "line": line, "became": row.became.word(), "customer": row.customer, "double_of": row.double_of });
        self.lines.iter().map(row).collect()
    }

    /// By line, who may be the same person: a customer, with the line of this file that they came from if they did, or a row before
    /// that is no customer. At most `limit` lines.
    pub(super) fn told_likenesses(&self, limit: usize) -> Vec<Value> {
        let come = |(line, row): (&u64, &Row)| Some((row.customer?, *line));
        let lines: HashMap<Uuid, u64> = self.lines.iter().filter_map(come).collect();
        let told = |(line, (customers, rows)): (&u64, &(Vec<Value>, Vec<Likely>))| {
            let mut twins: Vec<Value> = Vec::new();
            for twin in customers {
                let number = twin.get("customer").and_then(Value::as_str).and_then(|text| text.parse().ok());
                let from = number.and_then(|number: Uuid| lines.get(&number));
                let mut twin = twin.clone();
                if let Some(twin) = twin.as_object_mut() {
                    twin.insert("line".to_owned(), json!(from));
                }
                twins.push(twin);
            }
            for Likely { line, score, household } in rows {
                if !twins.iter().any(|twin| twin.get("line").and_then(Value::as_u64) == Some(*line)) {
                    let customer = self.lines.get(line).and_then(|row| row.customer);
                    twins.push(
                        json!({ "line": line, "customer": customer, "score": score, "household": household }),
                    );
                }
            }
            json!({ "line": line, "duplicates": twins })
        };
        self.likenesses.iter().take(limit).map(told).collect()
    }
}

/// Keeps `value`, and of all no more than those of the first `max` lines.
fn first<V>(kept: &mut BTreeMap<u64, V>, max: usize, line: u64, value: V) {
    kept.insert(line, value);
    if kept.len() > max {
        kept.pop_last();
    }
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn line_of(row: &Value) -> u64 {
    row.get("line").and_then(Value::as_u64).unwrap_or(0)
}
