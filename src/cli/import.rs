//! `ficha import`: customers, cards and balances out of a CSV file.
//!
//! Reads the file, finds out its encoding, its delimiter and its columns, says them, and sends row by row to the daemon,
//! which judges and keeps them. A second run of the same file changes nothing, so one that was cut off is simply run again.
//! Problems are told by line and field, never with the value; rows that did not come in can be written to a file of their own.

mod columns;
mod file;
mod row;
mod send;

use super::ask::{Asker, Said, Usage};
use super::cells::{guarded, unguarded};
use super::say;
use anyhow::Context as _;
use columns::Columns;
use csv::{Reader, ReaderBuilder, StringRecord, Writer};
use encoding_rs::Encoding;
use file::{Look, Text};
use row::{Dates, Defaults};
use send::{Sent, Totals, Wish};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Problems that are shown at most, those of the first lines.
const PROBLEMS_SHOWN_MAX: usize = 200;

/// Text of the file by which its delimiter is told: a header is shorter.
const HEADER_BYTES_MAX: u64 = 64 * 1024;

/// Brings customers, cards and balances over from a CSV file. Needs the group fichad-manager. The first line names the columns: our
/// own names of fields, or what other systems call them in English or Spanish. The same file comes in once, however often it is run.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file.
    file: PathBuf,
    /// Only says what would be.
    #[arg(long)]
    dry_run: bool,
    /// Says which field a column is: `--map givenName=Vorname`.
    #[arg(long, value_name = "FIELD=COLUMN", value_parser = mapping)]
    map: Vec<(String, String)>,
    /// Leaves a column out.
    #[arg(long, value_name = "COLUMN")]
    ignore: Vec<String>,
    /// The encoding, where the file does not tell: `utf-8`, `windows-1252`, `utf-16le`.
    #[arg(long, value_parser = encoding)]
    encoding: Option<&'static Encoding>,
    /// The order of dates that do not begin with the year.
    #[arg(long, value_enum)]
    dates: Option<Dates>,
    /// The country of addresses that name none, such as `ES`.
    #[arg(long)]
    country: Option<String>,
    /// The programme of the cards: the name of an `[[alias]]`, or `gsrn`; without it each is told by its code.
    #[arg(long)]
    programme: Option<String>,
    /// Leaves out rows whose telephone number or e-mail address is a customer's already.
    #[arg(long)]
    skip_known: bool,
    /// Compares each person with all who are here, as at the counter, and names who may be the same. Takes twice as long or longer.
    #[arg(long)]
    compare: bool,
    /// Writes the rows that did not come in to this new file, to be mended and imported from there.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

fn mapping(text: &str) -> Result<(String, String), &'static str> {
    let (field, column) = text.split_once('=').ok_or("write it as FIELD=COLUMN")?;
    Ok((field.to_owned(), column.to_owned()))
}

fn encoding(name: &str) -> Result<&'static Encoding, &'static str> {
    Encoding::for_label(name.as_bytes()).ok_or("is no encoding that is known; `windows-1252` is one")
}

/// What divides cells, and how people call it.
const DELIMITERS: [(u8, &str); 3] = [(b',', "commas"), (b';', "semicolons"), (b'\t', "tabs")];

/// A file whose columns are known.
struct Opened {
    look: Look,
    columns: Columns,
    delimiter: (u8, &'static str),
}

impl Args {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let opened = self.open()?;
        if !asker.json {
            say::aside_block(&introduced(&self.file, &opened));
        }
        let mut rejects = self.rejects.as_deref().map(|path| rejects(path, &opened.columns)).transpose()?;
        let wish = Wish {
            import: opened.look.import,
            dry_run: self.dry_run,
            skip_known: self.skip_known,
            compare: self.compare,
        };
        let defaults =
            Defaults { dates: self.dates, country: self.country.clone(), programme: self.programme.clone() };
        let text = Text::open(&self.file, opened.look.encoding)?;
        let progress = send::Progress::new(text.progress(), opened.look.bytes);
        let mut reader = reader(text, opened.delimiter.0);
        let keeps = rejects.is_some();
        let totals = send::all(asker, &wish, progress, keeps, |sent| {
            self.read(&mut reader, &opened.columns, &defaults, sent)
        })?;
        if let Some(rejects) = &mut rejects {
            for record in totals.rejected.values() {
                let cells = record.iter().map(|cell| guarded(unguarded(cell)).into_owned());
                rejects.write_record(cells).context("the rejected rows cannot be written")?;
            }
            rejects.flush().context("the rejected rows cannot be written")?;
        }
        asker.say(&answer(&opened, &wish, &totals), shown)?;
        if totals.problems.is_empty() { Ok(()) } else { Err(Said(1).into()) }
    }

    fn open(&self) -> anyhow::Result<Opened> {
        let look = file::look(&self.file, self.encoding)?;
        let mut head = Vec::new();
        Text::open(&self.file, look.encoding)?.take(HEADER_BYTES_MAX).read_to_end(&mut head)?;
        // The delimiter by which the most columns are known, else the most there are.
        let headers = DELIMITERS.map(|delimiter| (delimiter, header(&head, delimiter.0)));
        let best = headers.into_iter().rev().max_by_key(|(_, names)| (Columns::known(names), names.len()));
        let (delimiter, names) = best.ok_or_else(|| Usage("the file is empty".to_owned()))?;
        let said = columns::Said { map: &self.map, ignore: &self.ignore };
        Ok(Opened { columns: Columns::tell(&names, &said)?, look, delimiter })
    }

    /// Reads the rows and hands them on, until there are none or nobody takes them.
    fn read(
        &self,
        reader: &mut Reader<Text>,
        columns: &Columns,
        defaults: &Defaults,
        sent: &mut Sent<'_>,
    ) -> anyhow::Result<()> {
        let mut cards: HashMap<(String, String), u64> = HashMap::new();
        let mut record = StringRecord::new();
        loop {
            let line = reader.position().line();
            match reader.read_record(&mut record) {
                Ok(false) => return Ok(()),
                Ok(true) => {}
                Err(error) => return Err(unreadable(&self.file, line, &error)),
            }
            let line = record.position().map_or(line, csv::Position::line);
            if record.len() != columns.0.len() {
                let problem = format!(
                    "has {} cells, and the first line {}: look at its quotes",
                    record.len(),
                    columns.0.len()
                );
                sent.refuse(line, None, problem, &record);
                continue;
            }
            match row::row(columns, line, record.iter(), defaults) {
                Ok(None) => {}
                Ok(Some(row)) => match same_card(&mut cards, &row, line) {
                    Some(first) => {
                        sent.refuse(line, Some("card"), format!("stands in line {first} already"), &record);
                    }
                    None => sent.row(line, row, &record)?,
                },
                Err(problem) => sent.refuse(line, Some(&problem.column), problem.problem, &record),
            }
        }
    }
}

/// The line where one of a row's cards stood before.
fn same_card(cards: &mut HashMap<(String, String), u64>, row: &Value, line: u64) -> Option<u64> {
    let mut before = None;
    for card in say::rows(row, "/cards") {
        let text = |field| card.get(field).and_then(Value::as_str).unwrap_or_default();
        let code: String = text("code").chars().filter(|sign| !matches!(sign, ' ' | '-')).collect();
        match cards.entry((text("programme").to_owned(), code.to_uppercase())) {
            std::collections::hash_map::Entry::Occupied(first) => before = Some(*first.get()),
            std::collections::hash_map::Entry::Vacant(free) => drop(free.insert(line)),
        }
    }
    before
}

fn reader<R: std::io::Read>(text: R, delimiter: u8) -> Reader<R> {
    ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text)
}

fn header(head: &[u8], delimiter: u8) -> Vec<String> {
    let mut reader = reader(head, delimiter);
    let names = reader.headers().map(|names| names.iter().map(|name| name.trim().to_owned()).collect());
    names.unwrap_or_default()
}

fn unreadable(path: &Path, line: u64, error: &csv::Error) -> anyhow::Error {
    let why = if error.is_io_error() { "the disk says no" } else { "it is not CSV there" };
    anyhow::anyhow!("{} cannot be read on from line {line}: {why}", path.display())
}

/// A new file that nobody else may read.
fn rejects(path: &Path, columns: &Columns) -> anyhow::Result<Writer<File>> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let file =
        file.with_context(|| format!("{} cannot be made; it must not be there yet", path.display()))?;
    let mut writer = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(file);
    writer
        .write_record(columns.0.iter().map(|(name, _)| name))
        .context("the rejected rows cannot be written")?;
    Ok(writer)
}

fn introduced(path: &Path, opened: &Opened) -> String {
    let encoding = opened.look.encoding.name();
    let mut text = format!("{}: {encoding}, cells divided by {}", path.display(), opened.delimiter.1);
    let used = opened.columns.0.iter().filter(|(_, target)| target.is_some()).count();
    text.push_str(&format!(", {used} of {} columns used", opened.columns.0.len()));
    text
}

fn answer(opened: &Opened, wish: &Wish, totals: &Totals) -> Value {
    let problem = |(line, (field, problem)): (&u64, &(Option<String>, String))| json!({ "line": line, "field": field, "problem": problem });
    let problems: Vec<Value> = totals.problems.iter().take(PROBLEMS_SHOWN_MAX).map(problem).collect();
    let columns: serde_json::Map<String, Value> = opened
        .columns
        .0
        .iter()
        .map(|(name, target)| (name.clone(), target.map_or(Value::Null, |target| target.word().into())))
        .collect();
    json!({
        "import": wish.import, "dry_run": wish.dry_run, "encoding": opened.look.encoding.name(),
        "delimiter": opened.delimiter.1, "columns": columns, "rows": totals.rows, "imported": totals.imported,
        "before": totals.before, "skipped": totals.skipped, "known": totals.known, "opted_out": totals.opted_out,
        "refused": totals.refused, "problems": problems, "alike": totals.alike,
        "duplicates": totals.likenesses.values().take(PROBLEMS_SHOWN_MAX).collect::<Vec<_>>(),
    })
}

fn shown(answer: &Value) -> String {
    let count = |field: &str| say::at(answer, field);
    let would = say::get(answer, "dry_run").as_bool() == Some(true);
    let mut text = say::fields([
        ("Rows", count("/rows")),
        (if would { "Would come in" } else { "Came in" }, count("/imported")),
        ("Came in before", count("/before")),
        ("Left out as known", count("/skipped")),
        ("Known by telephone or address", count("/known")),
        ("Erased once, not to be written to", count("/opted_out")),
        ("Perhaps here already", count("/alike")),
        ("Did not come in", count("/refused")),
    ]);
    let likenesses = say::rows(answer, "/duplicates");
    if !likenesses.is_empty() {
        text.push_str("\n\n");
        text.push_str(&alike(likenesses));
    }
    let problems = say::rows(answer, "/problems");
    if !problems.is_empty() {
        let row = |row: &Value| ["/line", "/field", "/problem"].map(|field| say::at(row, field));
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

/// Who may be in the files twice now, a line for each of them.
fn alike(likenesses: &[Value]) -> String {
    let row = |line: &Value| {
        let line_of = say::at(line, "/line");
        let one = move |twin: &Value| {
            let may_be = if *say::get(twin, "household") == true { "two people, ask" } else { "one person" };
            [line_of.clone(), say::at(twin, "/customer"), say::at(twin, "/score"), may_be.to_owned()]
        };
        say::rows(line, "/duplicates").iter().map(one).collect::<Vec<_>>()
    };
    say::table(["LINE", "CUSTOMER", "BITS", "MAY BE"], likenesses.iter().flat_map(row))
}
