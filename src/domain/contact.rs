//! How a person is reached: telephone numbers and e-mail addresses, in the one form each that look-ups compare; and each time that they
//! were.
//!
//! Pure. Numbers are checked for form and, where a person gets one, for the length that their country gives out; not against its
//! numbering plan: a shop must be able to write down a number that a table has not heard of yet. No error repeats what was typed.

mod channel;
mod lengths;
mod record;

pub use channel::Channel;
pub use record::{Contact, Direction, Response, ResponseKind, WEEK, free_at};

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use unicode_normalization::UnicodeNormalization;

/// Digits of an international number at most, ITU-T E.164 section 6.
pub const PHONE_DIGITS_MAX: usize = 15;
/// The shortest taken; islands with five-digit numbers have a calling code of three.
pub const PHONE_DIGITS_MIN: usize = 7;
/// Characters of a typed number at most, separators included.
pub const PHONE_CHARS_MAX: usize = 40;
/// Characters of an e-mail address at most, RFC 5321 section 4.5.3.1.
pub const EMAIL_CHARS_MAX: usize = 254;
/// Characters before its `@` at most.
pub const EMAIL_LOCAL_CHARS_MAX: usize = 64;

/// Countries where a leading 0 is part of the number, also from abroad: Italy and the Vatican, Côte d'Ivoire, Burkina Faso,
/// Benin, Gabon, Congo, San Marino, Tajikistan. Compared with libphonenumber's metadata (PyPI phonenumbers).
const ZERO_STAYS: [u16; 8] = [39, 225, 226, 229, 241, 242, 378, 992];

/// Where the trunk prefix is not 0: (calling code, prefix, digits of a number without it at most).
const TRUNKS: [(u16, &str, usize); 6] =
    [(1, "1", 10), (7, "8", 10), (36, "06", 7), (375, "80", 9), (692, "1", 7), (993, "8", 8)];

/// A country's calling code, such as 34 for Spain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallingCode(u16);

impl FromStr for CallingCode {
    type Err = BadCallingCode;

    /// Takes one to three digits, not starting with 0, with or without `+`.
    fn from_str(text: &str) -> Result<Self, BadCallingCode> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let fits = (1..=3).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        digits.parse().ok().filter(|_| fits).map(Self).ok_or(BadCallingCode)
    }
}

/// One to three digits.
impl fmt::Display for CallingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Not a calling code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a calling code is one to three digits, such as 34 for Spain")]
pub struct BadCallingCode;

/// An international telephone number: `+` and [`PHONE_DIGITS_MIN`] to [`PHONE_DIGITS_MAX`] digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct E164(String);

impl E164 {
    /// Reads a number as people write it; one without `+` or `00` belongs to the country of `default`.
    ///
    /// Spaces, dots, hyphens, slashes and parentheses go, and so does the trunk prefix that a country uses inside.
    /// A national number that repeats its calling code without `+` is not recognised as such: no form tells them apart.
    /// Argentine mobile numbers have two forms that no prefix rule joins (15 inside, 9 from abroad): write those with `+`.
    /// Of libphonenumber's 978 example numbers, national and international, these are the only ones that come out otherwise.
    ///
    /// ```
    /// # use fichad::domain::contact::E164;
    /// let spain = "34".parse().ok();
    /// assert_eq!(E164::parse("600 123 456", spain).map(|n| n.as_str().to_owned()), Ok("+34600123456".to_owned()));
    /// assert!(E164::parse("600 123 456", None).is_err());
    /// ```
    ///
    /// # Errors
    /// [`PhoneError`], which says what to write instead.
    pub fn parse(text: &str, default: Option<CallingCode>) -> Result<Self, PhoneError> {
        if text.chars().count() > PHONE_CHARS_MAX {
            return Err(PhoneError::TooLong);
        }
        let text: String = text.nfkc().filter(|c| !is_separator(*c)).collect();
        if text.is_empty() {
            return Err(PhoneError::Empty);
        }
        let abroad = text.strip_prefix('+').or_else(|| text.strip_prefix("00"));
        let north_america = default == Some(CallingCode(1));
        let abroad = abroad.or_else(|| text.strip_prefix("011").filter(|_| north_america));
        let digits = match (abroad, default) {
            (Some(number), _) => without_bracketed_zero(number),
            (None, Some(CallingCode(code))) => {
                let number: String = text.chars().filter(|c| !is_bracket(*c)).collect();
                format!("{code}{}", without_trunk(code, &number))
            }
            (None, None) => return Err(PhoneError::NoCountry),
        };
        Self::checked(&digits)
    }

    /// The number, if it has as many digits as numbers of its country. For what is taken in: what is kept was judged then, and a
    /// search that finds nobody is answer enough.
    ///
    /// # Errors
    /// [`PhoneError::Length`].
    pub fn of_its_country(self) -> Result<Self, PhoneError> {
        let digits = self.0.strip_prefix('+').unwrap_or(&self.0);
        match lengths::lengths(digits) {
            Some((min, max, found)) if !(min..=max).contains(&found) => Err(PhoneError::Length { min, max }),
            Some(_) | None => Ok(self),
        }
    }

    fn checked(digits: &str) -> Result<Self, PhoneError> {
        match digits.len() {
            _ if !digits.bytes().all(|byte| byte.is_ascii_digit()) => Err(PhoneError::NotDigits),
            _ if digits.starts_with('0') => Err(PhoneError::NoCountry),
            0..PHONE_DIGITS_MIN => Err(PhoneError::TooShort),
            PHONE_DIGITS_MIN..=PHONE_DIGITS_MAX => Ok(Self(format!("+{digits}"))),
            _ => Err(PhoneError::TooLong),
        }
    }

    /// `+` and digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last three digits, which is what a masked number may show.
    #[must_use]
    pub fn last_three(&self) -> &str {
        self.0.get(self.0.len().saturating_sub(3)..).unwrap_or_default()
    }
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, '.' | '-' | '/' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{200e}')
}

fn is_bracket(c: char) -> bool {
    matches!(c, '(' | ')')
}

/// `44(0)2079460958` as people write it for both kinds of caller; in Italy the zero stays.
fn without_bracketed_zero(number: &str) -> String {
    let zero_stays = ZERO_STAYS.iter().any(|code| number.starts_with(&format!("{code}(")));
    let number = if zero_stays { number.to_owned() } else { number.replacen("(0)", "", 1) };
    number.chars().filter(|c| !is_bracket(*c)).collect()
}

fn without_trunk(code: u16, number: &str) -> &str {
    if let Some((_, prefix, digits_max)) = TRUNKS.iter().find(|(of, ..)| *of == code) {
        let longer = number.len() > *digits_max;
        return number.strip_prefix(prefix).filter(|_| longer).unwrap_or(number);
    }
    if ZERO_STAYS.contains(&code) {
        return number;
    }
    number.strip_prefix('0').unwrap_or(number)
}

/// Shows nothing of it.
impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("E164(••)")
    }
}

impl TryFrom<String> for E164 {
    type Error = PhoneError;
    fn try_from(text: String) -> Result<Self, PhoneError> {
        Self::parse(&text, None)
    }
}

impl From<E164> for String {
    fn from(number: E164) -> Self {
        number.0
    }
}

/// Why a text is not a telephone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// Nothing but separators.
    #[error("is empty: write the number, or leave the field out")]
    Empty,
    /// Neither `+` nor a default.
    #[error("has no country: begin it with + and the calling code, such as +34")]
    NoCountry,
    /// A letter or another sign.
    #[error("holds a sign that is not a digit: write digits, with a + before them at most")]
    NotDigits,
    /// Fewer than [`PHONE_DIGITS_MIN`] digits.
    #[error("is too short: write the whole number with its area code")]
    TooShort,
    /// More than [`PHONE_DIGITS_MAX`] digits.
    #[error("is too long: a number has at most {PHONE_DIGITS_MAX} digits with its calling code")]
    TooLong,
    /// Not as long as numbers of its country are.
    #[error("is no number of its country: those have {} digits, without the calling code", between(.min, .max))]
    Length {
        /// The fewest.
        min: usize,
        /// The most.
        max: usize,
    },
}

fn between(min: &usize, max: &usize) -> String {
    if min == max { min.to_string() } else { format!("{min} to {max}") }
}

/// An e-mail address, kept as written but for spaces around it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

impl Email {
    /// Reads an address: one `@`, something before it, a domain with a dot after it, no space.
    /// Whether it receives mail only a mail can tell.
    ///
    /// # Errors
    /// [`EmailError`], which says what to write instead.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let text: String = text.trim().nfc().collect();
        if text.is_empty() {
            return Err(EmailError::Empty);
        }
        if text.chars().any(|c| c.is_whitespace() || super::person::is_refused(c)) {
            return Err(EmailError::Sign);
        }
        let (local, domain) = text.split_once('@').ok_or(EmailError::At)?;
        if domain.contains('@') || local.is_empty() {
            return Err(EmailError::At);
        }
        if text.chars().count() > EMAIL_CHARS_MAX || local.chars().count() > EMAIL_LOCAL_CHARS_MAX {
            return Err(EmailError::TooLong);
        }
        let labels = domain.split('.').collect::<Vec<_>>();
        let good = |label: &&str| {
            !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-' || !c.is_ascii())
        };
        if labels.len() < 2 || !labels.iter().all(good) {
            return Err(EmailError::Domain);
        }
        Ok(Self(text))
    }

    /// As it was written, to send mail to.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that look-ups compare: all lower-case. Two addresses that differ in case alone are two in RFC 5321,
    /// and one mailbox in life.
    #[must_use]
    pub fn lookup(&self) -> String {
        self.0.nfkc().flat_map(char::to_lowercase).collect()
    }
}

/// Shows nothing of it.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(••)")
    }
}

impl TryFrom<String> for Email {
    type Error = EmailError;
    fn try_from(text: String) -> Result<Self, EmailError> {
        Self::parse(&text)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

/// Why a text is not an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// Nothing in it.
    #[error("is empty: write the address, or leave the field out")]
    Empty,
    /// No `@`, more than one, or nothing before it.
    #[error("must have one @ with something before it, such as name@example.com")]
    At,
    /// A space or a control character.
    #[error("holds a space or a control character: take it out")]
    Sign,
    /// Nothing that could be a domain after the `@`.
    #[error("must have a domain after the @, such as name@example.com")]
    Domain,
    /// Longer than RFC 5321 has it.
    #[error(
        "is too long: at most {EMAIL_CHARS_MAX} characters, {EMAIL_LOCAL_CHARS_MAX} of them before the @"
    )]
    TooLong,
}

#[cfg(test)]
mod tests;
