//! One row of a file as the daemon takes it. What only the file can get wrong is found here; the rest is the daemon's to judge.
//!
//! Pure. A cell can hold several values, a line each: telephone numbers, cards, lots of points, addresses part by part.
//! A problem names the column and never the value.

use super::columns::{Columns, Target};
use crate::cli::cells::unguarded;
use crate::domain::person::fields::Kind;
use crate::domain::person::{LIST_MAX, day_and_year};
use clap::ValueEnum;
use jiff::civil::Date;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// In which order a date with slashes, dots or hyphens is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Dates {
    /// Day, month, year.
    Dmy,
    /// Month, day, year.
    Mdy,
}

/// What a file leaves unsaid.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    pub(super) dates: Option<Dates>,
    /// The country of addresses without one.
    pub(super) country: Option<String>,
    /// The programme of cards without one.
    pub(super) programme: Option<String>,
}

/// What is wrong with a cell.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) column: String,
    pub(super) problem: String,
}

/// What a row's cells come to, before it is put together.
#[derive(Default)]
struct Found {
    person: Map<String, Value>,
    telephones: Vec<(String, Option<&'static str>)>,
    /// Of the numbers that came without a kind, in their order.
    kinds: Vec<String>,
    address: BTreeMap<&'static str, Vec<String>>,
    cards: Vec<String>,
    programmes: Vec<String>,
    points: Vec<i64>,
    expiry: Vec<Option<String>>,
}

/// A row, or `None` for one that is empty.
pub(super) fn row<'c>(
    columns: &Columns,
    line: u64,
    cells: impl Iterator<Item = &'c str>,
    defaults: &Defaults,
) -> Result<Option<Value>, Problem> {
    let mut found = Found::default();
    let mut empty = true;
    for ((name, target), cell) in columns.0.iter().zip(cells) {
        let cell = unguarded(cell);
        let Some(target) = target.filter(|_| !cell.trim().is_empty()) else { continue };
        empty = false;
        let wrong = |problem: &str| Problem { column: name.clone(), problem: problem.to_owned() };
        if cell.contains('\u{fffd}') {
            return Err(wrong(
                "holds a sign that cannot be read in this encoding: `--encoding` names another",
            ));
        }
        found.take(target, cell, defaults).map_err(|problem| wrong(&problem))?;
    }
    if empty { Ok(None) } else { found.whole(line, defaults).map(Some) }
}

fn lines(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('\n').map(str::trim)
}

/// The lines of a cell that hold something.
fn values(cell: &str) -> impl Iterator<Item = &str> {
    lines(cell).filter(|line| !line.is_empty())
}

fn one_line(cell: &str, between: &str) -> String {
    values(cell).collect::<Vec<_>>().join(between)
}

impl Found {
    fn take(&mut self, target: Target, cell: &str, defaults: &Defaults) -> Result<(), String> {
        match target {
            Target::One(name, Kind::Number(..)) => {
                drop(self.person.insert(name.to_owned(), whole(cell)?.into()));
            }
            Target::One(name, _) => drop(self.person.insert(name.to_owned(), one_line(cell, " ").into())),
            Target::Many(name) => {
                let item = |text: &str| if name == "email" { json!({ "addr": text }) } else { json!(text) };
                let list = self.person.entry(name).or_insert_with(|| json!([]));
                if let Some(list) = list.as_array_mut() {
                    list.extend(values(cell).map(item));
                }
            }
            Target::Telephone(kind) => {
                self.telephones.extend(values(cell).map(|number| (number.to_owned(), kind)));
            }
            Target::TelephoneType => self.kinds = lines(cell).map(str::to_owned).collect(),
            Target::Address(part) => {
                drop(self.address.insert(part, lines(cell).map(str::to_owned).collect()));
            }
            Target::BirthDate => {
                let (day, year) = birth(cell.trim(), defaults.dates)?;
                self.person.insert("birthDay".to_owned(), day.into());
                if let Some(year) = year {
                    self.person.insert("birthYear".to_owned(), year.into());
                }
            }
            Target::Card => self.cards.extend(values(cell).map(str::to_owned)),
            Target::Programme => self.programmes = lines(cell).map(str::to_owned).collect(),
            Target::Points => self.points = values(cell).map(whole).collect::<Result<_, _>>()?,
            Target::Expiry => {
                let day = |line: &str| {
                    if line.is_empty() {
                        return Ok(None);
                    }
                    let (year, month, day) = date(line, defaults.dates)?;
                    Ok::<_, String>(Some(format!("{year:04}-{month:02}-{day:02}")))
                };
                self.expiry = lines(cell).map(day).collect::<Result<_, _>>()?;
            }
            Target::LeftOut => {}
        }
        Ok(())
    }

    fn whole(mut self, line: u64, defaults: &Defaults) -> Result<Value, Problem> {
        let wrong =
            |column: &str, problem: &str| Problem { column: column.to_owned(), problem: problem.to_owned() };
        if !self.telephones.is_empty() {
            let mut kinds = self.kinds.iter();
            let telephone = |(number, kind): (String, Option<&str>)| {
                let told = if kind.is_none() { kinds.next().map(String::as_str) } else { kind };
                match told.filter(|kind| !kind.is_empty()) {
                    Some(kind) => json!({ "e164": number, "type": kind }),
                    None => json!({ "e164": number }),
                }
            };
            let telephones: Vec<Value> =
                std::mem::take(&mut self.telephones).into_iter().map(telephone).collect();
            self.person.insert("telephone".to_owned(), telephones.into());
        }
        if !self.address.is_empty() {
            let addresses =
                addresses(&self.address, defaults).map_err(|problem| wrong("address", problem))?;
            self.person.insert("address".to_owned(), addresses.into());
        }
        if self.points.is_empty() && self.expiry.iter().any(Option::is_some) {
            return Err(wrong("pointsExpireOn", "has a day of expiry, and there are no points"));
        }
        if !self.expiry.is_empty() && self.expiry.len() > self.points.len() {
            return Err(wrong("pointsExpireOn", "has more lines than there are numbers of points"));
        }
        let programme = |index: usize| {
            let own = self
                .programmes
                .get(index)
                .or_else(|| self.programmes.first().filter(|_| self.programmes.len() == 1));
            own.filter(|own| !own.is_empty()).or(defaults.programme.as_ref())
        };
        let card = |(index, code): (usize, &String)| match programme(index) {
            Some(programme) => json!({ "code": code, "programme": programme }),
            None => json!({ "code": code }),
        };
        let cards: Vec<Value> = self.cards.iter().enumerate().map(card).collect();
        let lot = |(index, points): (usize, &i64)| match self.expiry.get(index).and_then(Option::as_ref) {
            Some(day) => json!({ "points": points, "expires_on": day }),
            None => json!({ "points": points }),
        };
        let points: Vec<Value> = self.points.iter().enumerate().map(lot).collect();
        let mut row = Map::from_iter([("line".to_owned(), Value::from(line))]);
        for (name, list) in [("cards", cards), ("points", points)] {
            if !list.is_empty() {
                row.insert(name.to_owned(), list.into());
            }
        }
        if !self.person.is_empty() {
            row.insert("person".to_owned(), self.person.into());
        }
        Ok(row.into())
    }
}

/// A street of several lines is one street, unless another part says that there are several addresses.
fn addresses(
    parts: &BTreeMap<&'static str, Vec<String>>,
    defaults: &Defaults,
) -> Result<Vec<Value>, &'static str> {
    let streets = ["streetAddress", "extendedAddress"];
    let others = parts.iter().filter(|(part, _)| !streets.contains(part));
    let count = others.map(|(_, lines)| lines.len()).max().unwrap_or(1);
    if count > LIST_MAX {
        return Err("has too many lines");
    }
    let mut addresses = Vec::new();
    for index in 0..count {
        let mut address = Map::new();
        for (part, lines) in parts {
            let text = if count == 1 && streets.contains(part) {
                let lines: Vec<&str> =
                    lines.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
                lines.join(", ")
            } else if lines.len() > count {
                return Err("has more lines in one part than in the others");
            } else {
                lines.get(index).cloned().unwrap_or_default()
            };
            if !text.is_empty() {
                let text = if *part == "addressCountry" { country(&text).to_owned() } else { text };
                address.insert((*part).to_owned(), text.into());
            }
        }
        if address.is_empty() {
            continue;
        }
        if let (false, Some(country)) = (address.contains_key("addressCountry"), &defaults.country) {
            address.insert("addressCountry".to_owned(), country.as_str().into());
        }
        addresses.push(address.into());
    }
    Ok(addresses)
}

/// ISO 3166-1 alpha-2 of a country that is written out; anything else as it is.
fn country(text: &str) -> &str {
    const WRITTEN: &[(&str, &[&str])] = &[
        ("ES", &["españa", "espana", "spain"]),
        ("PT", &["portugal"]),
        ("FR", &["francia", "france"]),
        ("DE", &["alemania", "germany"]),
        ("IT", &["italia", "italy"]),
        ("GB", &["reino unido", "united kingdom", "uk"]),
        ("US", &["estados unidos", "united states", "usa"]),
        ("MX", &["méxico", "mexico"]),
        ("AR", &["argentina"]),
        ("CO", &["colombia"]),
        ("CL", &["chile"]),
        ("PE", &["perú", "peru"]),
    ];
    let written = text.to_lowercase();
    WRITTEN.iter().find(|(_, names)| names.contains(&written.as_str())).map_or(text, |(code, _)| code)
}

fn whole(cell: &str) -> Result<i64, String> {
    let number = cell.trim().parse();
    number.map_err(|_| "must be a whole number, without points or commas in it".to_owned())
}

/// A birthday as month and day, and the year if there is one.
fn birth(text: &str, order: Option<Dates>) -> Result<(String, Option<i64>), String> {
    if let Some(told) = day_and_year(text) {
        return Ok(told);
    }
    let (year, month, day) = date(text, order)?;
    Ok((format!("{month:02}-{day:02}"), Some(year)))
}

/// Year, month and day. A date in another order than the ISO's is read only if the order was said.
fn date(text: &str, order: Option<Dates>) -> Result<(i64, i64, i64), String> {
    // What spreadsheets put behind a date.
    let text = text.split([' ', 'T']).next().unwrap_or_default();
    let parts: Vec<&str> = text.split(['-', '/', '.']).collect();
    let number =
        |text: &str| text.parse::<i64>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let numbers: Option<Vec<i64>> = parts.iter().map(|part| number(part)).collect();
    let year_first = parts.first().is_some_and(|part| part.len() == 4);
    let year_last = parts.last().is_some_and(|part| part.len() == 4);
    let there_is = |year: i64, month: i64, day: i64| {
        let number = |number: i64| i8::try_from(number).unwrap_or(0);
        let date = Date::new(i16::try_from(year).unwrap_or(0), number(month), number(day));
        date.map(|_| (year, month, day)).map_err(|_| "is a day that the calendar does not have".to_owned())
    };
    match (numbers.as_deref(), order) {
        (Some([year, month, day]), _) if year_first => there_is(*year, *month, *day),
        (Some([day, month, year]), Some(Dates::Dmy)) if year_last => there_is(*year, *month, *day),
        (Some([month, day, year]), Some(Dates::Mdy)) if year_last => there_is(*year, *month, *day),
        (Some([_, _, _]), None) if year_last => {
            Err("is a date whose order is not known: say `--dates dmy` or `--dates mdy`".to_owned())
        }
        (Some(_) | None, _) => {
            Err("must be a date such as 1971-11-23, with four digits of the year".to_owned())
        }
    }
}

#[cfg(test)]
mod tests;
