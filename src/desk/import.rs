//! Bringing customers over from another system: rows of persons, cards and balances, many in one request.
//!
//! Each row is a write of its own, with a key made of the import's name and the row's line: what was imported before is passed
//! over, so an import that was cut off is simply sent again. A row that is wrong is told with its line and field, and keeps no
//! other row back. Answers hold lines, fields and what is wrong, never a value.

mod row;

use super::request::{Ask, Queued};
use super::twins::{alike, untold};
use super::{Desk, Opened, waiting};
use crate::domain::id::CustomerNumber;
use crate::domain::operator::By;
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::vault::keys::{Dek, KeyRef};
use crate::vault::twins::Twin;
use row::{Checked, Checker, Compared, Ready};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// The most rows of one request; how long it may be stands in the way of more anyway.
const ROWS_MAX: usize = 256;

/// How many requests are worked on at once; others wait. With [`TOGETHER_MAX`] rows each they fill half a group of the log,
/// so that a till's write never stands behind more.
pub(super) const AT_ONCE_MAX: usize = 4;

/// How many rows of one request are under way together, each with a key: all requests leave as many of the keys that are
/// written ahead to whoever enrols at a till.
const TOGETHER_MAX: usize = 32;

/// How long a row waits for its key: many syncs of a slow disk.
const KEY_WITHIN: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Import {
    /// Names the import, in all of its requests.
    import: Uuid,
    rows: Vec<Value>,
    /// Only says what would be.
    #[serde(default)]
    dry_run: bool,
    /// Leaves out rows whose telephone number or address is a customer's already.
    #[serde(default)]
    skip_known: bool,
    /// Looks for each person among all who are here, as at entry.
    #[serde(default)]
    compare: bool,
}

/// What became of a row that nothing is wrong with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Became {
    Imported,
    Before,
    Skipped,
}

impl Became {
    fn word(self) -> &'static str {
        match self {
            Self::Imported => "IMPORTED",
            Self::Before => "BEFORE",
            Self::Skipped => "SKIPPED",
        }
    }
}

/// What one request came to.
#[derive(Default)]
struct Counted {
    /// By line; the number of the customer that the row made, of a dry run none.
    rows: Vec<(u64, Became, Option<CustomerNumber>)>,
    /// Lines of rows whose telephone number or address is another customer's.
    known: Vec<u64>,
    /// Lines of rows whose person was erased once, and is not to be written to.
    opted_out: Vec<u64>,
    /// By line, who may be the same person.
    alike: Vec<(u64, Vec<Twin>)>,
    problems: Vec<Problem>,
}

/// What is wrong with a row.
struct Problem {
    line: u64,
    refusal: Refusal,
}

impl Counted {
    /// A refusal of this row alone is told with it; any other is the whole request's.
    fn refuse(&mut self, line: u64, refusal: Refusal) -> Result<(), Refusal> {
        if !matches!(refusal.code, RefusalCode::InvalidParams | RefusalCode::Conflict) {
            return Err(refusal);
        }
        self.problems.push(Problem { line, refusal });
        Ok(())
    }

    fn told(mut self, dry_run: bool) -> Value {
        self.problems.sort_by_key(|problem| problem.line);
        self.alike.sort_by_key(|(line, _)| *line);
        self.rows.sort_by_key(|(line, ..)| *line);
        let count = |wanted| self.rows.iter().filter(|(_, became, _)| *became == wanted).count();
        let done = |(line, became, customer): &(u64, Became, Option<CustomerNumber>)| json!({ "line": line, "became": became.word(), "customer": customer });
        let twin = |twin: &Twin| json!({ "customer": twin.customer, "score": twin.likeness.score, "household": twin.likeness.household });
        let alike = |(line, twins): &(u64, Vec<Twin>)| json!({ "line": line, "duplicates": twins.iter().map(twin).collect::<Vec<_>>() });
        let row = |problem: &Problem| json!({ "line": problem.line, "field": problem.refusal.field, "problem": problem.refusal.message });
        json!({
            "dry_run": dry_run, "imported": count(Became::Imported), "before": count(Became::Before),
            "skipped": count(Became::Skipped), "rows": self.rows.iter().map(done).collect::<Vec<_>>(),
            "known": self.known, "opted_out": self.opted_out,
            "alike": self.alike.iter().map(alike).collect::<Vec<_>>(),
            "problems": self.problems.iter().map(row).collect::<Vec<_>>(),
        })
    }
}

impl Desk {
    /// The calling code of telephone numbers that are written without one, as digits: for whoever compares rows before they are sent.
    #[must_use]
    pub fn calling_code(&self) -> Option<String> {
        self.settings.calling_code.map(|code| code.to_string())
    }

    /// `customer.import`. Answers once every row that is right is durable.
    pub(super) async fn import(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Import { import, rows, dry_run, skip_known, compare } = ask.fields()?;
        if rows.is_empty() || rows.len() > ROWS_MAX {
            return Err(Refusal::field("rows", format!("must be 1 to {ROWS_MAX} rows")));
        }
        let opened = self.store()?.clone();
        opened.vault.key_file()?;
        let closed = |_| Refusal::new(RefusalCode::Busy, "the daemon is stopping; try again in a moment");
        let _one_of_few = self.imports.acquire().await.map_err(closed)?;
        let (programme, method) = (&self.settings, ask.method.to_owned());
        let checker = Checker {
            opened: opened.clone(),
            rules: programme.rules.clone(),
            calling_code: programme.calling_code,
            zone: programme.points.time_zone.clone(),
            expires_at: programme.points.expires_at(self.clock.utc()),
            now: self.clock.utc(),
            import,
            method,
            skip_known,
            compare,
        };
        let (mut ready, mut counted) = waiting(move || sort(&checker, rows)).await?;
        if dry_run {
            let persons = ready.iter_mut().filter_map(|row| Some((row.line, None, row.compared.take()?)));
            counted.alike = compared(&opened, persons.collect()).await;
            counted.rows.extend(ready.iter().map(|row| (row.line, Became::Imported, None)));
            return Ok(counted.told(true));
        }
        let mut ready = ready.into_iter();
        loop {
            let together: Vec<Ready> = ready.by_ref().take(TOGETHER_MAX).collect();
            if together.is_empty() {
                break;
            }
            self.import_together(&opened, &ask.by(), together, &mut counted).await?;
        }
        tracing::debug!(%import, right = counted.rows.len(), refused = counted.problems.len(), "rows were imported");
        Ok(counted.told(false))
    }

    async fn import_together(
        &self,
        opened: &Opened,
        by: &By,
        rows: Vec<Ready>,
        counted: &mut Counted,
    ) -> Result<(), Refusal> {
        let mut queued: Vec<(u64, Option<Compared>, Queued)> = Vec::new();
        for mut row in rows {
            let (key, line, wish) = (data_key(opened).await?, row.line, row.wish(by.clone()));
            let person = row.compared.take();
            queued.push((line, person, self.queue(wish, row.decision(opened, key, self.clock.utc()))?));
        }
        let mut persons = Vec::new();
        for (line, person, queued) in queued {
            match queued.done(self).await {
                Ok(done) if done.repeated => {
                    counted.rows.push((line, Became::Before, done.outcome.customer));
                }
                Ok(done) => {
                    counted.rows.push((line, Became::Imported, done.outcome.customer));
                    persons.extend(person.map(|person| (line, done.outcome.customer, person)));
                }
                Err(refusal) => counted.refuse(line, refusal)?,
            }
        }
        // Once they are in: of two rows that are one person, whichever comes in last finds the other.
        counted.alike.extend(compared(opened, persons).await);
        Ok(())
    }
}

async fn data_key(opened: &Opened) -> Result<(KeyRef, Dek), Refusal> {
    let ready = tokio::time::timeout(KEY_WITHIN, opened.vault.key_file()?.take_soon()).await;
    ready.map_err(|_| {
        Refusal::new(RefusalCode::Busy, "no keys are ready for new customers; try again in a moment")
    })
}

/// Looks for persons among all who are here; `None` for a number is a row that is not in yet.
async fn compared(
    opened: &Opened,
    persons: Vec<(u64, Option<CustomerNumber>, Compared)>,
) -> Vec<(u64, Vec<Twin>)> {
    if persons.is_empty() {
        return Vec::new();
    }
    let opened = opened.clone();
    let looked = waiting(move || {
        let (views, mut found) = (opened.log.views(), Vec::new());
        for (line, own, (person, demographic)) in persons {
            let twins = alike(&views, &opened.vault, (&person, &demographic), own)?;
            if !twins.is_empty() {
                found.push((line, twins));
            }
        }
        Ok(found)
    });
    looked.await.unwrap_or_else(untold)
}

/// Checks rows: those that can be written, and what came of the others.
fn sort(checker: &Checker, rows: Vec<Value>) -> Result<(Vec<Ready>, Counted), Refusal> {
    let (mut ready, mut counted) = (Vec::new(), Counted::default());
    for (index, row) in rows.into_iter().enumerate() {
        let line = row.get("line").and_then(Value::as_u64).filter(|line| *line > 0);
        let line = line.ok_or_else(|| {
            Refusal::field(format!("rows[{index}].line"), "must be the row's line in its file, from 1")
        })?;
        match checker.check(line, row) {
            Ok(Checked::Before(customer)) => counted.rows.push((line, Became::Before, customer)),
            Ok(Checked::Skipped) => {
                counted.rows.push((line, Became::Skipped, None));
                counted.known.push(line);
            }
            Ok(Checked::Ready(row)) => {
                if row.known {
                    counted.known.push(line);
                }
                if row.opted_out {
                    counted.opted_out.push(line);
                }
                ready.push(*row);
            }
            Err(refusal) => counted.refuse(line, refusal)?,
        }
    }
    Ok((ready, counted))
}
