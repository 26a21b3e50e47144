//! `ficha import`: customers, cards and balances out of a CSV file.
//!
//! Reads the file, finds out its encoding, its delimiter and its columns, says them, and sends row by row to the daemon,
//! which judges and keeps them. A second run of the same file changes nothing, so one that was cut off is simply run again.
//! Problems are told by line and field, never with the value; rows that did not come in can be written to a file of their own.

mod before;
mod columns;
mod file;
mod report;
mod row;
mod send;
mod totals;

use super::ask::{Asker, Said, Usage};
use super::cells::{guarded, unguarded};
use super::say;
use anyhow::Context as _;
use before::{Before, Met};
use columns::Columns;
use csv::{Reader, ReaderBuilder, StringRecord, Writer};
use encoding_rs::Encoding;
use file::{Look, Text};
use report::{answer, introduced, shown};
use row::{Dates, Defaults};
use send::{Sent, Wish};
use serde_json::Value;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

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
    /// Leaves out rows whose telephone number or e-mail address is a customer's already, or stands in a row before.
    #[arg(long)]
    skip_known: bool,
    /// Compares each person with all who are here, as at the counter, and with the rows before, and names who may be the same. Takes
    /// twice as long or longer.
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

/// A file's text, the last line ended too.
type Rows = std::io::Chain<Text, &'static [u8]>;

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
        let mut before = Before::new(asker.calling_code()?, self.compare);
        let progress = send::Progress::new(text.progress(), opened.look.bytes);
        let mut reader = reader(text.chain(&b"\n"[..]), opened.delimiter.0);
        let keeps = rejects.is_some();
        let totals = send::all(asker, &wish, progress, keeps, |sent| {
            self.read((&mut reader, &mut before), &opened.columns, &defaults, sent)
        })?;
        // What is in is in: it is said whatever becomes of the file of rejects.
        let said = asker.say(&answer(&opened, &wish, &totals, before.full_at()), shown);
        if let Some(rejects) = &mut rejects {
            write_rejects(rejects, totals.rejected.values())
                .context("the rejected rows cannot be written")?;
        }
        said?;
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
        (reader, before): (&mut Reader<Rows>, &mut Before),
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
            let line = begins(reader, &record);
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
                    None => match before.meet(line, &row, self.skip_known) {
                        Met { double_of: Some(of), .. } if self.skip_known => sent.skip(line, of),
                        met => sent.row(line, row, met, &record)?,
                    },
                },
                Err(problem) => sent.refuse(line, Some(&problem.column), problem.problem, &record),
            }
        }
    }
}

/// The line of the file in which the record that was just read begins: the reader's own is that of the blank lines before it.
///
/// What imports are told apart by has the line in it, so without blank lines it is the reader's own.
fn begins(reader: &Reader<Rows>, record: &StringRecord) -> u64 {
    let within = record.iter().flat_map(str::bytes).filter(|byte| *byte == b'\n').count();
    let lines = u64::try_from(within).unwrap_or(u64::MAX).saturating_add(1);
    let first = record.position().map_or(1, csv::Position::line);
    reader.position().line().saturating_sub(lines).max(first)
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
    // As our own files have them, a name may be guarded too.
    let names =
        reader.headers().map(|names| names.iter().map(|name| unguarded(name.trim()).to_owned()).collect());
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
    // Flexible: a row with too few or too many cells is the one that is most often rejected.
    let mut writer = csv::WriterBuilder::new();
    let mut writer = writer.quote_style(csv::QuoteStyle::Always).flexible(true).from_writer(file);
    writer
        .write_record(columns.0.iter().map(|(name, _)| guarded(name).into_owned()))
        .context("the rejected rows cannot be written")?;
    Ok(writer)
}

fn write_rejects<'a>(to: &mut Writer<File>, rows: impl Iterator<Item = &'a StringRecord>) -> csv::Result<()> {
    for record in rows {
        to.write_record(record.iter().map(|cell| guarded(unguarded(cell)).into_owned()))?;
    }
    Ok(to.flush()?)
}
