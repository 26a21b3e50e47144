//! Persons and damaged copies of them: febrl's files, or made up.

use crate::goods::Dice;
use anyhow::Context as _;
use fichad::domain::person::Form;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Columns of febrl's files after the record's id, without the social security number.
const COLUMNS: usize = 9;

/// given_name, surname, street_number, address_1, address_2, suburb, postcode, state, date_of_birth.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record([String; COLUMNS]);

/// Originals, and copies that each name the original by its place.
pub(crate) struct Set {
    pub(crate) name: String,
    pub(crate) originals: Vec<Record>,
    pub(crate) copies: Vec<(usize, Record)>,
}

impl Record {
    /// As the desk takes a person in. What the desk would refuse (no such day, no postcode) is left out, as a clerk would.
    pub(crate) fn form(&self) -> anyhow::Result<Form> {
        let [given, family, number, street, more, town, postcode, region, born] = &self.0;
        let mut person = Map::new();
        let mut put = |field: &str, text: &str| {
            if !text.is_empty() {
                person.insert(field.to_owned(), text.into());
            }
        };
        put("givenName", given);
        put("familyName", family);
        if given.is_empty() && family.is_empty() {
            put("org", "?");
        }
        let mut address = Map::from_iter([("addressCountry".to_owned(), Value::from("AU"))]);
        let street = format!("{number} {street}");
        for (field, text) in [
            ("streetAddress", street.trim()),
            ("extendedAddress", more.as_str()),
            ("addressLocality", town.as_str()),
            ("addressRegion", region.as_str()),
        ] {
            if !text.is_empty() {
                address.insert(field.to_owned(), text.into());
            }
        }
        if postcode.len() == 4 && postcode.bytes().all(|byte| byte.is_ascii_digit()) {
            address.insert("postalCode".to_owned(), postcode.as_str().into());
        }
        person.insert("address".to_owned(), json!([address]));
        let mut whole = person.clone();
        if let (Some(year), Some(month), Some(day)) = (born.get(..4), born.get(4..6), born.get(6..8)) {
            whole.insert("birthDay".to_owned(), format!("{month}-{day}").into());
            whole.insert("birthYear".to_owned(), year.parse::<i64>().unwrap_or(0).into());
        }
        Form::read(&whole, None).or_else(|_| Form::read(&person, None)).context("a person cannot be read")
    }
}

impl Set {
    /// `dataset4a.csv` and `dataset4b.csv`, or another number's one file.
    pub(crate) fn febrl(dir: &Path, data: &str) -> anyhow::Result<Self> {
        let files = match data {
            "4" => vec!["dataset4a.csv".to_owned(), "dataset4b.csv".to_owned()],
            other => vec![format!("dataset{other}.csv")],
        };
        let (mut originals, mut copies) = (Vec::new(), Vec::new());
        for file in files {
            let path = dir.join(file);
            let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            for line in text.lines().skip(1) {
                let mut cells = line.split(',').map(|cell| cell.trim().to_owned());
                let id = cells.next().unwrap_or_default();
                let mut record = Record::default();
                record.0.iter_mut().zip(cells).for_each(|(cell, text)| *cell = text);
                let of = id.split('-').nth(1).context("a record without its number")?.to_owned();
                if id.ends_with("-org") { originals.push((of, record)) } else { copies.push((of, record)) }
            }
        }
        let place = |of: &String| originals.iter().position(|(own, _)| own == of);
        let copies: Option<Vec<_>> =
            copies.iter().map(|(of, copy)| Some((place(of)?, copy.clone()))).collect();
        let copies = copies.context("a copy without its original")?;
        let originals = originals.iter().map(|(_, record)| record.clone()).collect();
        Ok(Self { name: format!("febrl {data}"), originals, copies })
    }

    /// So many persons, and a copy of every second with a slip or two.
    pub(crate) fn made_up(count: usize) -> Self {
        let all = u64::try_from(count).unwrap_or(0);
        let originals: Vec<Record> = (0..all).map(made_up).collect();
        let copies = originals.iter().enumerate().step_by(2);
        let copies = copies.zip(0_u64..).map(|((of, record), number)| (of, damaged(record, number)));
        Self { name: "made up".to_owned(), copies: copies.collect(), originals }
    }

    /// Somebody else: each value of another original.
    pub(crate) fn another(&self, number: u64) -> Record {
        let mut dice = Dice::new(21, number);
        let count = u64::try_from(self.originals.len()).unwrap_or(1);
        let mut record = Record::default();
        for (column, cell) in record.0.iter_mut().enumerate() {
            let at = usize::try_from(dice.below(count)).unwrap_or(0);
            let value = self.originals.get(at).and_then(|original| original.0.get(column));
            *cell = value.cloned().unwrap_or_default();
        }
        record
    }
}

fn made_up(number: u64) -> Record {
    const SOUNDS: [&str; 16] =
        ["ma", "ri", "lo", "pe", "san", "ta", "gui", "ro", "ber", "cas", "ti", "no", "el", "ju", "fer", "di"];
    let mut dice = Dice::new(22, number);
    let mut name = |parts: u64, kinds: u64| {
        (0..parts)
            .filter_map(|_| SOUNDS.get(usize::try_from(dice.below(kinds)).unwrap_or(0)))
            .copied()
            .collect::<String>()
    };
    let (given, family, street, town) = (name(3, 8), name(3, 16), name(3, 16), name(2, 6));
    let mut digits = |from: u64, count: u64| dice.below(count).saturating_add(from).to_string();
    let (house, postcode) = (digits(1, 120), digits(2_000, 400));
    let born = format!(
        "{}{:02}{:02}",
        digits(1940, 60),
        dice.below(12).saturating_add(1),
        dice.below(28).saturating_add(1)
    );
    Record([given, family, house, street, String::new(), town, postcode, String::new(), born])
}

/// A slip in the given or family name, and every third time no house number.
fn damaged(record: &Record, number: u64) -> Record {
    let mut dice = Dice::new(23, number);
    let mut copy = record.clone();
    let column = usize::try_from(dice.below(2)).unwrap_or(0);
    if let Some(cell) = copy.0.get_mut(column) {
        let mut letters: Vec<char> = cell.chars().collect();
        let at = usize::try_from(dice.below(u64::try_from(letters.len().saturating_sub(1)).unwrap_or(1)))
            .unwrap_or(0);
        let next = at.saturating_add(1).min(letters.len().saturating_sub(1));
        letters.swap(at, next);
        *cell = letters.into_iter().collect();
    }
    if dice.below(3) == 0
        && let Some(cell) = copy.0.get_mut(2)
    {
        cell.clear();
    }
    copy
}
