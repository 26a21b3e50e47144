//! A person brought into the form in which two are compared: words without signs, a street apart from its number.
//!
//! Pure. What is said in several ways (addresses, telephones) is kept in all of them; what is not said is empty.

use crate::domain::person::{Person, day_and_year, postcode_term};
use crate::vault::lookup;
use serde_json::{Map, Value};
use std::fmt;

/// Words that say what kind of way it is: left out or shortened by whoever writes an address, and shared by all.
const WAYS: &[&str] = &[
    "calle",
    "cl",
    "c",
    "avenida",
    "avda",
    "av",
    "plaza",
    "pza",
    "pl",
    "paseo",
    "carretera",
    "ctra",
    "camino",
    "ronda",
    "street",
    "st",
    "road",
    "rd",
    "avenue",
    "ave",
    "place",
    "crescent",
    "cres",
    "circuit",
    "cct",
    "close",
    "drive",
    "dr",
    "court",
    "ct",
    "lane",
    "ln",
    "n",
    "no",
    "num",
    "numero",
];

/// One person, ready to be compared. Nothing of it is ever written down.
#[derive(Clone, Default)]
pub struct Profile {
    /// The words of the given name; of whoever gave none, of what they want to be called.
    pub(super) given: Vec<String>,
    pub(super) family: Vec<String>,
    pub(super) family2: Vec<String>,
    pub(super) born: Option<Born>,
    pub(super) homes: Vec<Home>,
    pub(super) phones: Vec<String>,
    pub(super) emails: Vec<String>,
}

/// A birthday, with the year if it is known.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Born {
    /// `MMDD`.
    pub(super) day: String,
    /// `YYYY`.
    pub(super) year: Option<String>,
}

/// An address in parts.
#[derive(Clone, Default)]
pub(super) struct Home {
    pub(super) number: Option<String>,
    pub(super) street: String,
    pub(super) town: String,
    pub(super) postcode: Option<String>,
}

impl Profile {
    /// Of the basic section and the demographic one, whose fields may be none.
    #[must_use]
    pub fn of(person: &Person, demographic: &Map<String, Value>) -> Self {
        let words = |name: &Option<String>| name.as_deref().map(of_text).unwrap_or_default();
        let given = person.given_name.as_ref().or(person.preferred_name.as_ref()).cloned();
        let homes = person.address.iter().map(|address| {
            let (number, street) = street_of(address.street_address.as_deref().unwrap_or_default());
            let town = of_text(address.address_locality.as_deref().unwrap_or_default()).join(" ");
            let postcode = address.postal_code.as_deref().and_then(postcode_term);
            Home { number, street, town, postcode }
        });
        Self {
            given: words(&given),
            family: words(&person.family_name),
            family2: words(&person.family_name2),
            born: born(demographic),
            homes: homes.collect(),
            phones: person.telephone.iter().map(|phone| phone.e164.as_str().to_owned()).collect(),
            emails: person.email.iter().map(|email| email.addr.lookup()).collect(),
        }
    }
}

/// Shows nothing of it.
impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Profile(••)")
    }
}

fn of_text(text: &str) -> Vec<String> {
    lookup::words(text).collect()
}

fn born(demographic: &Map<String, Value>) -> Option<Born> {
    let (day, _) = day_and_year(demographic.get("birthDay")?.as_str()?)?;
    let year = demographic.get("birthYear").and_then(Value::as_i64);
    Some(Born { day: day.replace('-', ""), year: year.map(|year| format!("{year:04}")) })
}

/// The house number, the first word that begins with a digit, and the rest of the street without words like `calle`.
fn street_of(text: &str) -> (Option<String>, String) {
    let (mut number, mut street, mut all) = (None, Vec::new(), Vec::new());
    for word in lookup::words(text) {
        if number.is_none() && word.starts_with(|sign: char| sign.is_ascii_digit()) {
            number = Some(word);
            continue;
        }
        if !WAYS.contains(&word.as_str()) {
            street.push(word.clone());
        }
        all.push(word);
    }
    let street = if street.is_empty() { all } else { street };
    (number, street.join(" "))
}

#[cfg(test)]
mod tests {
    use super::street_of;

    #[test]
    fn a_street_is_taken_apart() {
        for (text, number, street) in [
            ("C/ Mayor, 12", Some("12"), "mayor"),
            ("Calle Mayor nº 12", Some("12"), "mayor"),
            ("12 Brownlow Street", Some("12"), "brownlow"),
            ("Paseo", None, "paseo"),
            ("", None, ""),
        ] {
            let (found, rest) = street_of(text);
            assert_eq!((found.as_deref(), rest.as_str()), (number, street), "{text}");
        }
    }
}
