//! A whole form, taken apart into the sections of the registry.
//!
//! Pure. What is in no section is refused, and every section but the basic one stays empty unless something is given.

use super::fields::{self, Field, Kind, Section};
use super::{Person, PersonError, list, string, text, unknown, wrong};
use crate::domain::contact::CallingCode;
use crate::domain::time::Day;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// A person in all sections.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Form {
    /// The basic section.
    pub basic: Person,
    /// The other sections that something was given for, as they are kept.
    pub more: BTreeMap<Section, Map<String, Value>>,
}

impl Form {
    /// Reads a form: a JSON object with fields of the registry.
    ///
    /// # Errors
    /// The first field that is wrong; never what was in it.
    pub fn read(form: &Map<String, Value>, default: Option<CallingCode>) -> Result<Self, PersonError> {
        let mut basic = Map::new();
        let mut more: BTreeMap<Section, Map<String, Value>> = BTreeMap::new();
        for (name, value) in form {
            let field = fields::named(name).filter(|field| field.kind != Kind::Free);
            let field = field.ok_or_else(|| unknown(name))?;
            if field.section == Section::Basic {
                basic.insert(name.clone(), value.clone());
            } else if let Some(value) = checked(field, value)? {
                more.entry(field.section).or_default().insert(name.clone(), value);
            }
        }
        Ok(Self { basic: Person::read(&basic, default)?, more })
    }

    /// The field by which the person would be born after `today`.
    #[must_use]
    pub fn born_after(&self, today: Day) -> Option<&'static str> {
        let demographic = self.more.get(&Section::Demographic)?;
        let year = demographic.get("birthYear")?.as_i64()?;
        let after = |day: &str| format!("{year}-{day}").parse().is_ok_and(|day: Day| day > today);
        if after("01-01") {
            return Some("birthYear");
        }
        let day = demographic.get("birthDay").and_then(Value::as_str);
        day.filter(|day| after(day)).map(|_| "birthDay")
    }

    /// Every text in it that is judged by no type of its own: for whoever screens texts. With the field it stands in.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let Person {
            honorific_prefix,
            given_name,
            additional_name,
            family_name,
            family_name2,
            honorific_suffix,
            preferred_name,
            phonetic_given_name,
            phonetic_family_name,
            org,
            job_title,
            telephone: _,
            email: _,
            address,
            knows_language: _,
        } = &self.basic;
        let basic = [
            ("honorificPrefix", honorific_prefix),
            ("givenName", given_name),
            ("additionalName", additional_name),
            ("familyName", family_name),
            ("familyName2", family_name2),
            ("honorificSuffix", honorific_suffix),
            ("preferredName", preferred_name),
            ("phoneticGivenName", phonetic_given_name),
            ("phoneticFamilyName", phonetic_family_name),
            ("org", org),
            ("jobTitle", job_title),
        ];
        let basic = basic.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?)));
        let address = address.iter().flat_map(|address| address.texts().map(|text| ("address", text)));
        let more = self.more.values().flatten().flat_map(|(name, value)| {
            let name = fields::named(name).map_or("", |field| field.name);
            let one = value.as_str();
            let many = value.as_array().into_iter().flatten().filter_map(Value::as_str);
            one.into_iter().chain(many).map(move |text| (name, text))
        });
        basic.chain(address).chain(more)
    }
}

/// Shows nothing of it.
impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Form(••, {} more sections)", self.more.len())
    }
}

/// A value of a section beside the basic one, as it is kept; `None` for nothing.
fn checked(field: &Field, value: &Value) -> Result<Option<Value>, PersonError> {
    let name = field.name;
    if value.is_null() {
        return Ok(None);
    }
    match field.kind {
        Kind::Text => Ok(text(name, value)?.map(Value::from)),
        Kind::Texts => {
            let texts =
                list(name, value, |at, item| text(at, item)?.ok_or_else(|| wrong(at, "must not be empty")))?;
            Ok(Some(texts).filter(|texts| !texts.is_empty()).map(Value::from))
        }
        Kind::Day => {
            let day = string(name, value)?.unwrap_or_default();
            match day_and_year(day) {
                Some((day, None)) => Ok(Some(day.into())),
                Some((_, Some(_))) | None => {
                    Err(wrong(name, "must be month and day, such as `03-14`; the year is `birthYear`"))
                }
            }
        }
        Kind::Number(least, most) => {
            let number = value.as_i64().filter(|number| (least..=most).contains(number));
            let number =
                number.ok_or_else(|| wrong(name, format!("must be a number from {least} to {most}")))?;
            Ok(Some(number.into()))
        }
        Kind::Word(words) => {
            let word = string(name, value)?.unwrap_or_default();
            if words.contains(&word) {
                return Ok(Some(word.into()));
            }
            Err(wrong(name, format!("must be one of {}", words.join(", "))))
        }
        // Of the basic section, which `Person` reads, or of no form.
        Kind::Telephones | Kind::Emails | Kind::Languages | Kind::Addresses | Kind::Free => {
            Err(unknown(name))
        }
    }
}

/// Reads `MM-DD` or `YYYY-MM-DD`: the day, and the year if one is given. `None` for a day that there is not.
#[must_use]
pub fn day_and_year(text: &str) -> Option<(String, Option<i64>)> {
    let (year, day) = match text.len() {
        5 => (None, text),
        10 => {
            let (year, day) = text.split_at_checked(5)?;
            (Some(year.strip_suffix('-')?), day)
        }
        _ => return None,
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (month, of_month) = day.split_once('-')?;
    if month.len() != 2 || !digits(month) || !digits(of_month) || !year.is_none_or(digits) {
        return None;
    }
    let year: Option<i16> = year.map(str::parse).transpose().ok()?;
    // Without a year the 29th of February is a birthday too.
    jiff::civil::Date::new(year.unwrap_or(2000), month.parse().ok()?, of_month.parse().ok()?).ok()?;
    Some((day.to_owned(), year.map(i64::from)))
}
