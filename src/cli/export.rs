//! `ficha export`: all customers as a CSV file that comes in again by `ficha import`, and everything that is held of one person.
//!
//! Written for people: no cell begins a formula (`cells`). A file is made anew, readable by nobody else; `-` is standard output.

use super::ask::{Asker, Usage, request};
use super::cells::guarded;
use super::say::{self, ReaderGone, rows};
use crate::domain::id::CustomerNumber;
use crate::domain::person::{self, NameOrder};
use crate::push::client::Client;
use anyhow::{Context as _, bail};
use csv::{QuoteStyle, Writer, WriterBuilder};
use serde_json::{Map, Value, json};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Writes all customers with their persons and points as CSV. Needs the group fichad-manager.
    Customers(Customers),
    /// Shows or writes everything that is held of one person: as JSON, or as CSV with `--csv`.
    Person(Person),
}

/// Writes all customers with their persons and points as CSV. Codes of cards are held nowhere and so are not in it.
#[derive(Debug, clap::Args)]
pub(super) struct Customers {
    /// A new file, or `-` for standard output.
    file: PathBuf,
    /// As a spreadsheet opens it by itself in countries with decimal commas: semicolons, and a mark that says UTF-8.
    #[arg(long)]
    excel: bool,
    /// In this order instead of the customers' numbers; for up to 200,000 customers.
    #[arg(long, value_name = "BY")]
    sort: Option<Sort>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Sort {
    /// Family names, then given names, as people look for them: Spanish, Hindi, Chinese by Pinyin.
    Name,
}

/// Rows that are held in memory to be sorted: some 200 MB.
const SORTED_MAX: usize = 200_000;

/// Everything that is held of one person, part by part: what is kept and why, person, notes, cards, issues, points, sales, visits.
#[derive(Debug, clap::Args)]
pub(super) struct Person {
    /// The customer number.
    customer: CustomerNumber,
    /// One row for each value: part, entry, field, value.
    #[arg(long)]
    csv: bool,
    /// Writes to this new file instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        match self {
            Self::Customers(args) => args.run(asker),
            Self::Person(args) => args.run(asker),
        }
    }
}

/// Where it goes: a new file that nobody else may read, or standard output.
fn out(path: Option<&Path>) -> anyhow::Result<Box<dyn Write>> {
    let Some(path) = path else { return Ok(Box::new(io::stdout().lock())) };
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    Ok(Box::new(
        file.with_context(|| format!("{} cannot be made; it must not be there yet", path.display()))?,
    ))
}

fn table(out: Box<dyn Write>, delimiter: u8) -> Writer<Box<dyn Write>> {
    WriterBuilder::new().delimiter(delimiter).quote_style(QuoteStyle::Always).from_writer(out)
}

/// Whoever reads standard output may have seen enough.
fn written<T>(done: Result<T, csv::Error>) -> anyhow::Result<T> {
    done.map_err(|error| if error.is_io_error() { unwritten(error.into()) } else { error.into() })
}

fn unwritten(error: io::Error) -> anyhow::Error {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return ReaderGone.into();
    }
    anyhow::Error::new(error).context("it cannot be written")
}

/// What a column holds of a row of `customer.list`.
#[derive(Clone, Copy)]
enum Column {
    /// A value of the row itself.
    Own(&'static str),
    /// A field of the person: a text, a number, or texts one below the other.
    Field(&'static str),
    /// A field within each item of a list of the person.
    Item(&'static str, &'static str),
    /// A field of each lot of points.
    Lot(&'static str),
    /// What the cards are, not their codes.
    Cards,
}

use Column::{Cards, Field, Item, Lot, Own};

/// The columns, by the names that `ficha import` knows.
const COLUMNS: &[(&str, Column)] = &[
    ("customer", Own("customer")),
    ("enrolledAt", Own("enrolled_at")),
    ("honorificPrefix", Field("honorificPrefix")),
    ("givenName", Field("givenName")),
    ("additionalName", Field("additionalName")),
    ("familyName", Field("familyName")),
    ("familyName2", Field("familyName2")),
    ("honorificSuffix", Field("honorificSuffix")),
    ("preferredName", Field("preferredName")),
    ("phoneticGivenName", Field("phoneticGivenName")),
    ("phoneticFamilyName", Field("phoneticFamilyName")),
    ("org", Field("org")),
    ("jobTitle", Field("jobTitle")),
    ("telephone", Item("telephone", "e164")),
    ("telephoneType", Item("telephone", "type")),
    ("email", Item("email", "addr")),
    ("addressType", Item("address", "type")),
    ("streetAddress", Item("address", "streetAddress")),
    ("extendedAddress", Item("address", "extendedAddress")),
    ("postOfficeBox", Item("address", "postOfficeBox")),
    ("addressLocality", Item("address", "addressLocality")),
    ("addressRegion", Item("address", "addressRegion")),
    ("postalCode", Item("address", "postalCode")),
    ("addressCountry", Item("address", "addressCountry")),
    ("knowsLanguage", Field("knowsLanguage")),
    ("gender", Field("gender")),
    ("birthDay", Field("birthDay")),
    ("birthYear", Field("birthYear")),
    ("contactRoles", Field("contactRoles")),
    ("educationalLevel", Field("educationalLevel")),
    ("hasCredential", Field("hasCredential")),
    ("occupation", Field("occupation")),
    ("maritalStatus", Field("maritalStatus")),
    ("childrenCount", Field("childrenCount")),
    ("taxID", Field("taxID")),
    ("socialHandles", Field("socialHandles")),
    ("points", Lot("points")),
    ("pointsExpireOn", Lot("expires_on")),
    ("cards", Cards),
];

impl Column {
    fn text(self, row: &Value) -> String {
        let person = row.get("person").unwrap_or(&Value::Null);
        let lines = |list: Option<&Value>, field: &str| {
            let list = list.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let lines: Vec<String> = list.iter().map(|item| one(item.get(field))).collect();
            // Nothing in any of them is nothing at all.
            if lines.iter().all(String::is_empty) { String::new() } else { lines.join("\n") }
        };
        match self {
            Own(field) => one(row.get(field)),
            Field(field) => match person.get(field) {
                Some(Value::Array(list)) => {
                    list.iter().map(|item| one(Some(item))).collect::<Vec<_>>().join("\n")
                }
                value => one(value),
            },
            Item(list, field) => lines(person.get(list), field),
            Lot(field) => lines(row.get("points"), field),
            Cards => {
                let card = |card: &Value| format!("{} {}", one(card.get("kind")), one(card.get("status")));
                rows(row, "/cards").iter().map(card).collect::<Vec<_>>().join("\n")
            }
        }
    }
}

fn one(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

impl Customers {
    fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let mut client = asker.connect()?;
        let page = request(&mut client, "customer.list", json!({}))?;
        let path = Some(self.file.as_path()).filter(|path| *path != Path::new("-"));
        let count = self.write(&mut client, page, path)?;
        match path {
            Some(_) => {
                asker.say(&json!({ "customers": count }), |_| format!("{count} customers were written"))
            }
            None => Ok(()),
        }
    }

    /// Writes all pages, of which the first is here; gives how many customers. Of a sorted file that comes to nothing nothing is
    /// left: rows are written once all are there.
    fn write(&self, client: &mut Client, page: Value, path: Option<&Path>) -> anyhow::Result<usize> {
        let out = out(path)?;
        let done = self.pages(client, page, out);
        if let (Err(_), Some(_), Some(path)) = (&done, self.sort, path) {
            std::fs::remove_file(path).with_context(|| format!("{} is left without rows", path.display()))?;
        }
        done
    }

    fn pages(&self, client: &mut Client, mut page: Value, mut out: Box<dyn Write>) -> anyhow::Result<usize> {
        let delimiter = if self.excel { b';' } else { b',' };
        if self.excel {
            out.write_all("\u{feff}".as_bytes()).map_err(unwritten)?;
        }
        let mut table = table(out, delimiter);
        written(table.write_record(COLUMNS.iter().map(|(name, _)| *name)))?;
        let mut count = 0_usize;
        let mut sorted: Vec<(NameOrder, Vec<String>)> = Vec::new();
        loop {
            for row in rows(&page, "/rows") {
                let cells = COLUMNS.iter().map(|(_, column)| guarded(&column.text(row)).into_owned());
                match self.sort {
                    Some(Sort::Name) if sorted.len() >= SORTED_MAX => {
                        bail!("more than {SORTED_MAX} customers: leave `--sort` out, and sort them elsewhere")
                    }
                    Some(Sort::Name) => sorted.push((order(row), cells.collect())),
                    None => written(table.write_record(cells))?,
                }
                count = count.saturating_add(1);
            }
            match page.get("next").filter(|next| !next.is_null()) {
                Some(next) => page = request(client, "customer.list", json!({ "after": next }))?,
                None => break,
            }
        }
        sorted.sort();
        for (_, cells) in &sorted {
            written(table.write_record(cells))?;
        }
        table.flush().map_err(unwritten)?;
        Ok(count)
    }
}

/// Where a row stands in a list of names; whose person is not told stands before all.
fn order(row: &Value) -> NameOrder {
    let person = row.get("person");
    let named =
        |field: &str| Some(one(person.and_then(|person| person.get(field)))).filter(|name| !name.is_empty());
    person::Person {
        given_name: named("givenName"),
        additional_name: named("additionalName"),
        family_name: named("familyName"),
        family_name2: named("familyName2"),
        preferred_name: named("preferredName"),
        org: named("org"),
        ..person::Person::default()
    }
    .order()
}

impl Person {
    fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        if self.csv && asker.json {
            return Err(Usage("`--csv` and `--json` are two things: choose one".to_owned()).into());
        }
        let whole = self.whole(asker)?;
        let mut out = out(self.out.as_deref())?;
        if self.csv {
            let mut table = table(out, b',');
            written(table.write_record(["part", "entry", "field", "value"]))?;
            for (part, entries) in whole.get("parts").and_then(Value::as_object).into_iter().flatten() {
                for (index, entry) in entries.as_array().into_iter().flatten().enumerate() {
                    let entry_number = index.saturating_add(1).to_string();
                    for (field, value) in flat(entry) {
                        let cells = [part.as_str(), entry_number.as_str(), field.as_str(), value.as_str()];
                        written(table.write_record(cells.map(|cell| guarded(cell).into_owned())))?;
                    }
                }
            }
            return table.flush().map_err(unwritten);
        }
        if self.out.is_none() && asker.json {
            return say::json_line(&whole);
        }
        let text = say::safe_json_page(&whole) + "\n";
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(unwritten)
    }

    /// All parts, each asked for until there is no more of it.
    fn whole(&self, asker: &Asker) -> anyhow::Result<Value> {
        let mut client = asker.connect()?;
        let (mut parts, mut names) = (Map::new(), vec!["about".to_owned()]);
        let mut index = 0_usize;
        while let Some(part) = names.get(index).cloned() {
            let (mut entries, mut after) = (Vec::new(), json!(0));
            loop {
                let params = json!({ "customer": self.customer, "part": part, "after": after });
                let answer = request(&mut client, "customer.export", params)?;
                entries.extend_from_slice(rows(&answer, "/entries"));
                if index == 0 {
                    names = rows(&answer, "/parts").iter().map(|name| one(Some(name))).collect();
                }
                match answer.get("next").filter(|next| !next.is_null()) {
                    Some(next) => after = next.clone(),
                    None => break,
                }
            }
            parts.insert(part, entries.into());
            index = index.saturating_add(1);
        }
        Ok(json!({ "customer": self.customer, "parts": parts }))
    }
}

/// The values of an entry with the ways to them: `holds.telephone[0].e164`.
fn flat(entry: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut left = vec![(String::new(), entry)];
    while let Some((at, value)) = left.pop() {
        match value {
            Value::Object(fields) => {
                let dot = if at.is_empty() { "" } else { "." };
                left.extend(fields.iter().rev().map(|(name, value)| (format!("{at}{dot}{name}"), value)));
            }
            Value::Array(items) => {
                left.extend(
                    items.iter().enumerate().rev().map(|(index, item)| (format!("{at}[{index}]"), item)),
                );
            }
            Value::Null => {}
            Value::String(_) | Value::Number(_) | Value::Bool(_) => found.push((at, one(Some(value)))),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::person::fields::{FIELDS, Kind};

    #[test]
    fn a_sorted_file_that_comes_to_nothing_is_not_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let first = json!({ "rows": [{ "customer": "c-1" }], "next": "c-1" });
        for (sort, left) in [(Some(Sort::Name), false), (None, true)] {
            let file = folder.path().join(format!("{left}.csv"));
            let export = Customers { file: file.clone(), excel: false, sort };
            // Whoever would give the second page is gone.
            let (ours, _) = std::os::unix::net::UnixStream::pair().unwrap();
            let done = export.write(&mut Client::over(ours), first.clone(), Some(&file));
            assert!(done.is_err());
            assert_eq!(file.exists(), left, "what was written in the order of numbers is there");
            let again = export.write(
                &mut Client::over(std::os::unix::net::UnixStream::pair().unwrap().0),
                json!({ "rows": [] }),
                Some(&file),
            );
            assert_eq!((again.is_ok(), file.exists()), (!left, true), "a file that was there is not touched");
        }
    }

    #[test]
    fn every_field_of_the_registry_has_its_column() {
        for field in FIELDS.iter().filter(|field| field.kind != Kind::Free) {
            let there = COLUMNS.iter().any(|(_, column)| match column {
                Field(name) | Item(name, _) => *name == field.name,
                Own(_) | Lot(_) | Cards => false,
            });
            assert!(there, "{} is in no column", field.name);
        }
    }

    #[test]
    fn an_entry_is_told_value_by_value() {
        let entry = json!({ "section": "basic", "holds": { "email": [{ "addr": "a@b.example" }], "n": 3 }, "kept": null });
        let wanted = [("holds.email[0].addr", "a@b.example"), ("holds.n", "3"), ("section", "basic")];
        assert_eq!(flat(&entry), wanted.map(|(at, value)| (at.to_owned(), value.to_owned())));
    }
}
