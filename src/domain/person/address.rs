//! A postal address in parts, in the words of schema.org's PostalAddress.
//!
//! Pure. The country is what the other parts are read by; where its postcodes have a known shape, another is refused.
//! It is never checked whether anybody lives there.

use super::country::is_country;
use super::{FIELD_CHARS_MAX, PersonError, string, text, unknown, wrong};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// A postal address.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Address {
    /// What it is for, if told.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<AddressKind>,
    /// Street and number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street_address: Option<String>,
    /// Stairs, floor, door, care of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended_address: Option<String>,
    /// A post office box.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_office_box: Option<String>,
    /// The town.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_locality: Option<String>,
    /// The province or state, its name or its ISO 3166-2 code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_region: Option<String>,
    /// The postcode, in capitals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// ISO 3166-1 alpha-2, in capitals. Always there.
    pub address_country: String,
}

/// What an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AddressKind {
    /// Where the customer lives.
    Home,
    /// Where they work.
    Work,
    /// Where invoices go.
    Billing,
    /// Where things go.
    Delivery,
}

/// Postcodes by country: `9` a digit, `A` a letter, anything else itself; several shapes with a bar between.
/// Of the Universal Postal Union's addressing guides, for the countries where a mistyped one is most often met.
const SHAPES: &[(&str, &str)] = &[
    ("AR", "9999|A9999AAA"),
    ("AT", "9999"),
    ("AU", "9999"),
    ("BE", "9999"),
    ("BR", "99999-999|99999999"),
    ("CA", "A9A 9A9|A9A9A9"),
    ("CH", "9999"),
    ("CL", "9999999|999-9999"),
    ("CN", "999999"),
    ("CO", "999999"),
    ("DE", "99999"),
    ("DK", "9999"),
    ("ES", "99999"),
    ("FR", "99999"),
    ("GB", "A9 9AA|A99 9AA|AA9 9AA|AA99 9AA|A9A 9AA|AA9A 9AA"),
    ("IN", "999999|999 999"),
    ("IT", "99999"),
    ("JP", "999-9999|9999999"),
    ("MX", "99999"),
    ("NL", "9999 AA|9999AA"),
    ("PE", "99999"),
    ("PL", "99-999"),
    ("PT", "9999-999|9999"),
    ("SE", "99999|999 99"),
    ("TW", "999|99999|999999"),
    ("US", "99999|99999-9999"),
];

impl Address {
    /// Reads one address of a form.
    pub(super) fn read(at: &str, value: &Value) -> Result<Self, PersonError> {
        let Value::Object(map) = value else {
            return Err(wrong(at, "must be an object with `addressCountry`"));
        };
        let mut address = Self::default();
        for (name, value) in map {
            let path = format!("{at}.{name}");
            match name.as_str() {
                "type" => address.kind = kind(&path, value)?,
                "streetAddress" => address.street_address = text(&path, value)?,
                "extendedAddress" => address.extended_address = text(&path, value)?,
                "postOfficeBox" => address.post_office_box = text(&path, value)?,
                "addressLocality" => address.address_locality = text(&path, value)?,
                "addressRegion" => address.address_region = text(&path, value)?,
                "postalCode" => address.postal_code = text(&path, value)?.map(|code| code.to_uppercase()),
                "addressCountry" => address.address_country = country(&path, value)?,
                _ => return Err(unknown(&path)),
            }
        }
        if address.address_country.is_empty() {
            return Err(wrong(&format!("{at}.addressCountry"), "is missing: two letters, such as `ES`"));
        }
        address.check_postcode(at)?;
        Ok(address)
    }

    fn check_postcode(&self, at: &str) -> Result<(), PersonError> {
        let Some(code) = &self.postal_code else { return Ok(()) };
        let known = SHAPES.iter().find(|(country, _)| *country == self.address_country);
        let Some((country, shapes)) = known else { return Ok(()) };
        if shapes.split('|').any(|shape| fits(shape, code)) {
            return Ok(());
        }
        let shapes: Vec<&str> = shapes.split('|').collect();
        let problem = format!("is no postcode of {country}: {} (9 a digit, A a letter)", shapes.join(" or "));
        Err(wrong(&format!("{at}.postalCode"), problem))
    }

    /// Every text of it, for whoever screens texts.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let texts = [
            &self.street_address,
            &self.extended_address,
            &self.post_office_box,
            &self.address_locality,
            &self.address_region,
            &self.postal_code,
        ];
        texts.into_iter().filter_map(|text| text.as_deref())
    }
}

/// Shows the kind only.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({:?}, ••)", self.kind)
    }
}

fn fits(shape: &str, code: &str) -> bool {
    shape.len() == code.len()
        && shape.bytes().zip(code.bytes()).all(|(want, byte)| match want {
            b'9' => byte.is_ascii_digit(),
            b'A' => byte.is_ascii_uppercase(),
            other => byte == other,
        })
}

fn kind(at: &str, value: &Value) -> Result<Option<AddressKind>, PersonError> {
    match string(at, value)? {
        None => Ok(None),
        Some("home") => Ok(Some(AddressKind::Home)),
        Some("work") => Ok(Some(AddressKind::Work)),
        Some("billing") => Ok(Some(AddressKind::Billing)),
        Some("delivery") => Ok(Some(AddressKind::Delivery)),
        Some(_) => Err(wrong(at, "must be `home`, `work`, `billing` or `delivery`")),
    }
}

fn country(at: &str, value: &Value) -> Result<String, PersonError> {
    let code = string(at, value)?.unwrap_or_default().trim().to_ascii_uppercase();
    if is_country(&code) {
        return Ok(code);
    }
    Err(wrong(at, "must be the two letters of a country in ISO 3166-1, such as `ES`"))
}

/// What a postcode is looked up by: letters and digits in capitals, of the United States' only the first five. `None` for
/// what is too long, or has no letter and no digit in it.
#[must_use]
pub fn postcode_term(code: &str) -> Option<String> {
    if code.chars().count() > FIELD_CHARS_MAX {
        return None;
    }
    let zip = code.trim();
    let zip = zip
        .split_once('-')
        .map_or(zip, |(five, four)| if fits("99999", five) && fits("9999", four) { five } else { zip });
    let term: String =
        zip.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_uppercase).collect();
    Some(term).filter(|term| !term.is_empty())
}
