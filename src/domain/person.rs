//! Who a customer is: the basic section of the file, in the words of schema.org's Person and of vCard.
//!
//! Pure. [`Person::read`] is how a form gets in: it checks everything and names the field that is wrong, never what
//! was in it. What is stored is read back by serde from a self-describing format (absent fields are left out).

mod address;
mod country;
pub mod fields;
mod form;
mod order;

pub use address::{Address, AddressKind, postcode_term};
pub use form::{Form, day_and_year};
pub use order::NameOrder;

use super::contact::{CallingCode, E164, Email};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// Characters of one field at most.
pub const FIELD_CHARS_MAX: usize = 100;
/// Characters of a greeting at most: given and family name and what stands between them. So a title makes no file that a register is
/// pushed longer than a name alone can.
pub const GREETING_CHARS_MAX: usize = 2 * FIELD_CHARS_MAX + 1;
/// Telephone numbers, e-mail addresses, postal addresses and languages at most, each.
pub const LIST_MAX: usize = 5;
/// Characters of a language tag at most, RFC 5646 section 4.4.1.
pub const LANGUAGE_CHARS_MAX: usize = 35;

/// The basic section. Names as schema.org has them; `familyName2` is the second surname of Spain and Portugal.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Person {
    /// Before the name: Dr., Doña.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub honorific_prefix: Option<String>,
    /// The first or personal name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// A middle name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_name: Option<String>,
    /// The family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    /// The second family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name2: Option<String>,
    /// After the name: Jr., PhD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub honorific_suffix: Option<String>,
    /// What the customer wants to be called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_name: Option<String>,
    /// How the given name sounds, for names in a script that the staff does not read: pinyin, kana, Latin letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phonetic_given_name: Option<String>,
    /// How the family name sounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phonetic_family_name: Option<String>,
    /// The organisation (vCard ORG), for a business customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// What they are at the organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_title: Option<String>,
    /// Telephone numbers, the preferred one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub telephone: Vec<Telephone>,
    /// E-mail addresses, the preferred one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub email: Vec<EmailAddress>,
    /// Postal addresses, the preferred one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub address: Vec<Address>,
    /// Languages as BCP 47 tags, the preferred one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub knows_language: Vec<String>,
}

/// A telephone number of a person.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telephone {
    /// The number.
    pub e164: E164,
    /// What kind of telephone, if told.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<TelephoneKind>,
}

/// The kinds of telephone (vCard TEL TYPE, RFC 6350 section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TelephoneKind {
    /// A mobile telephone.
    Cell,
    /// At home.
    Home,
    /// At work.
    Work,
}

/// An e-mail address of a person.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailAddress {
    /// The address.
    pub addr: Email,
}

/// What is wrong with a form, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct PersonError {
    /// The field's path, such as `telephone[0].e164`.
    pub field: String,
    /// What to do about it; never what was in the field.
    pub problem: String,
}

impl Person {
    /// Reads a form: a JSON object with the fields of [`Person`]. A telephone number without `+` is of the country of `default`.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn read(form: &Map<String, Value>, default: Option<CallingCode>) -> Result<Self, PersonError> {
        let mut person = Self::default();
        for (field, value) in form {
            match field.as_str() {
                "honorificPrefix" => person.honorific_prefix = text(field, value)?,
                "givenName" => person.given_name = text(field, value)?,
                "additionalName" => person.additional_name = text(field, value)?,
                "familyName" => person.family_name = text(field, value)?,
                "familyName2" => person.family_name2 = text(field, value)?,
                "honorificSuffix" => person.honorific_suffix = text(field, value)?,
                "preferredName" => person.preferred_name = text(field, value)?,
                "phoneticGivenName" => person.phonetic_given_name = text(field, value)?,
                "phoneticFamilyName" => person.phonetic_family_name = text(field, value)?,
                "org" => person.org = text(field, value)?,
                "jobTitle" => person.job_title = text(field, value)?,
                "telephone" => {
                    person.telephone = list(field, value, |at, item| telephone(at, item, default))?
                }
                "email" => person.email = list(field, value, email)?,
                "address" => person.address = list(field, value, Address::read)?,
                "knowsLanguage" => person.knows_language = list(field, value, language)?,
                _ => return Err(unknown(field)),
            }
        }
        let names = [&person.given_name, &person.family_name, &person.preferred_name, &person.org];
        if names.iter().all(|name| name.is_none()) {
            let problem = "is missing: give a givenName, familyName, preferredName or org";
            return Err(wrong("givenName", problem));
        }
        Ok(person)
    }

    /// How a cashier says hello: [`Self::greeting`] without where it comes from.
    #[must_use]
    pub fn greeting_name(&self) -> String {
        self.greeting().0
    }

    /// The preferred name, else the title with given and family name, else the organisation; and the fields that it was made of, as
    /// the registry calls them. A title is left out where the greeting would be longer than [`GREETING_CHARS_MAX`].
    #[must_use]
    pub fn greeting(&self) -> (String, Vec<&'static str>) {
        let (title, given, family) = (
            ("honorificPrefix", self.honorific_prefix.as_deref()),
            ("givenName", self.given_name.as_deref()),
            ("familyName", self.family_name.as_deref()),
        );
        let is_title_last = title.1.is_some_and(|title| title.chars().all(is_east_asian_letter));
        let (parts, between) = match (&self.preferred_name, self.is_east_asian()) {
            (Some(name), _) => (vec![("preferredName", Some(name.as_str()))], ""),
            // In these scripts a title follows the name.
            (None, true) if is_title_last => (vec![family, given, title], ""),
            (None, true) => (vec![family, given], ""),
            (None, false) if given.1.is_none() && family.1.is_none() => {
                (vec![("org", self.org.as_deref())], "")
            }
            (None, false) => (vec![title, given, family], " "),
        };
        let mut parts: Vec<(&str, &str)> =
            parts.into_iter().filter_map(|(field, text)| Some((field, text?))).collect();
        let said =
            |parts: &[(&str, &str)]| parts.iter().map(|(_, text)| *text).collect::<Vec<_>>().join(between);
        if said(&parts).chars().count() > GREETING_CHARS_MAX {
            parts.retain(|(field, _)| *field != title.0);
        }
        (said(&parts), parts.into_iter().map(|(field, _)| field).collect())
    }

    /// How a list is ordered and shown: family names first.
    #[must_use]
    pub fn sort_name(&self) -> String {
        if self.is_east_asian() {
            return joined(&[&self.family_name, &self.given_name], "");
        }
        let (family, given) = self.sort_parts();
        match (family.is_empty(), given.is_empty()) {
            (false, false) => format!("{family}, {given}"),
            (false, true) => family,
            (true, _) => given,
        }
    }

    /// Where the person stands in a list of [`sort_name`](Self::sort_name)s.
    #[must_use]
    pub fn order(&self) -> NameOrder {
        let (family, given) = self.sort_parts();
        NameOrder::of(&family, &given)
    }

    /// Family names and given names; of whoever has neither what they are called instead.
    fn sort_parts(&self) -> (String, String) {
        let family = joined(&[&self.family_name, &self.family_name2], " ");
        let given = joined(&[&self.given_name, &self.additional_name], " ");
        if family.is_empty() && given.is_empty() {
            let called = self.preferred_name.as_ref().or(self.org.as_ref());
            return (String::new(), called.cloned().unwrap_or_default());
        }
        (family, given)
    }

    /// Whether family and given name are written one after the other, the family name first: in Chinese, Japanese and
    /// Korean script.
    #[must_use]
    pub fn is_east_asian(&self) -> bool {
        let whole =
            |name: &Option<String>| name.as_ref().is_some_and(|name| name.chars().all(is_east_asian_letter));
        whole(&self.family_name) && whole(&self.given_name)
    }
}

/// Shows nothing of them.
impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person(••)")
    }
}

/// Shows the kind only.
impl fmt::Debug for Telephone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Telephone({:?}, ••)", self.kind)
    }
}

/// Shows nothing of it.
impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(••)")
    }
}

/// Han, kana and Hangul (Unicode blocks), the scripts that need no space between family and given name.
#[must_use]
pub fn is_east_asian_letter(c: char) -> bool {
    matches!(c, '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Control characters, and those that turn the direction of what follows: neither belongs in a name, and on a till's
/// screen or a printer both do harm.
pub(super) fn is_refused(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

fn wrong(field: &str, problem: impl Into<String>) -> PersonError {
    PersonError { field: field.to_owned(), problem: problem.into() }
}

fn unknown(field: &str) -> PersonError {
    let shown: String = field.chars().filter(|c| !is_refused(*c)).take(40).collect();
    wrong(&shown, "is not a field of a person: take it out, or see the list of fields in PROTOCOL.md")
}

/// A text, spaces at its ends taken off and those inside made single; empty and `null` are as good as absent.
fn text(field: &str, value: &Value) -> Result<Option<String>, PersonError> {
    let Some(text) = string(field, value)? else { return Ok(None) };
    if text.chars().any(is_refused) {
        return Err(wrong(field, "holds a control character: take it out"));
    }
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ").nfc().collect();
    if text.chars().count() > FIELD_CHARS_MAX {
        return Err(wrong(field, format!("is too long: at most {FIELD_CHARS_MAX} characters")));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn string<'v>(field: &str, value: &'v Value) -> Result<Option<&'v str>, PersonError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(wrong(field, "must be a text"))
        }
    }
}

fn list<T>(
    field: &str,
    value: &Value,
    read: impl Fn(&str, &Value) -> Result<T, PersonError>,
) -> Result<Vec<T>, PersonError> {
    let Value::Array(items) = value else { return Err(wrong(field, "must be a list")) };
    if items.len() > LIST_MAX {
        return Err(wrong(field, format!("has too many: at most {LIST_MAX}")));
    }
    let item = |(index, item)| read(&format!("{field}[{index}]"), item);
    items.iter().enumerate().map(item).collect()
}

/// The two fields of an item of a list, any other refused.
fn fields<'v>(at: &str, value: &'v Value, known: [&str; 2]) -> Result<[Option<&'v str>; 2], PersonError> {
    let Value::Object(map) = value else {
        return Err(wrong(at, format!("must be an object with `{}`", known[0])));
    };
    if let Some(other) = map.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(unknown(&format!("{at}.{other}")));
    }
    let [first, second] =
        known.map(|key| map.get(key).map_or(Ok(None), |value| string(&format!("{at}.{key}"), value)));
    Ok([first?, second?])
}

fn telephone(at: &str, value: &Value, default: Option<CallingCode>) -> Result<Telephone, PersonError> {
    let [number, kind] = fields(at, value, ["e164", "type"])?;
    let e164 = E164::parse(number.unwrap_or_default(), default)
        .and_then(E164::of_its_country)
        .map_err(|error| wrong(&format!("{at}.e164"), error.to_string()))?;
    let kind = match kind {
        None => None,
        Some("cell") => Some(TelephoneKind::Cell),
        Some("home") => Some(TelephoneKind::Home),
        Some("work") => Some(TelephoneKind::Work),
        Some(_) => return Err(wrong(&format!("{at}.type"), "must be `cell`, `home` or `work`")),
    };
    Ok(Telephone { e164, kind })
}

fn email(at: &str, value: &Value) -> Result<EmailAddress, PersonError> {
    let [addr, _] = fields(at, value, ["addr", "addr"])?;
    let addr = Email::parse(addr.unwrap_or_default())
        .map_err(|error| wrong(&format!("{at}.addr"), error.to_string()))?;
    Ok(EmailAddress { addr })
}

fn language(at: &str, value: &Value) -> Result<String, PersonError> {
    let tag = string(at, value)?.unwrap_or_default();
    language_tag(tag).ok_or_else(|| wrong(at, "must be a language tag, such as `es` or `pt-BR`"))
}

/// A language tag without spaces around it; `None` if it has not the shape of one (RFC 5646 section 2.1). Whether anybody speaks it is
/// not asked.
#[must_use]
pub fn language_tag(tag: &str) -> Option<String> {
    let tag = tag.trim();
    let mut parts = tag.split('-');
    let first = parts.next().unwrap_or_default();
    let good = (2..=3).contains(&first.len())
        && first.bytes().all(|byte| byte.is_ascii_alphabetic())
        && parts.all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
    (good && tag.len() <= LANGUAGE_CHARS_MAX).then(|| tag.to_owned())
}

fn joined(parts: &[&Option<String>], between: &str) -> String {
    parts.iter().filter_map(|part| part.as_deref()).collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests;
