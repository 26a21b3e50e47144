//! Finding a person by what a cashier can type: a telephone number, an e-mail address, a name as it begins or sounds.
//!
//! Pure. Makes the terms that the blind indexes are keyed by, and the masked rows that a search may show. Terms are
//! plain text: they go into [`Keyring::index`](super::keyring::Keyring::index) and nowhere else.

mod near;
mod nicknames;
mod sound;

use super::keyring::IndexField;
use super::twins;
use crate::domain::contact::{CallingCode, E164, EMAIL_CHARS_MAX, Email};
use crate::domain::person::{NameOrder, Person, day_and_year, is_east_asian_letter, postcode_term};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// The beginnings of a word that are indexed, in letters. Shorter words are indexed whole; of longer ones what is typed
/// beyond is compared after opening, so an index says no more than eight letters of a name.
pub const PREFIX_LETTERS: std::ops::RangeInclusive<usize> = 3..=8;
/// The same in scripts where one sign says a syllable or a word: Chinese, Japanese, Korean, the scripts of India, Thai.
pub const PREFIX_SIGNS: std::ops::RangeInclusive<usize> = 1..=4;
/// The end of a word that is indexed, in letters, so that a slip near its beginning does not lose it.
pub const END_LETTERS: usize = 3;
/// Words of one person that are indexed at most.
pub const WORDS_MAX: usize = 32;
/// Words of one search at most.
pub const QUERY_WORDS_MAX: usize = 8;

/// A term of a blind index.
pub type Term = (IndexField, String);

/// Every term that leads to this person, each once.
#[must_use]
pub fn terms(person: &Person) -> Vec<Term> {
    let mut terms = BTreeSet::new();
    for telephone in &person.telephone {
        terms.insert((IndexField::Phone, telephone.e164.as_str().to_owned()));
    }
    for email in &person.email {
        terms.insert((IndexField::Email, email.addr.lookup()));
    }
    let postcodes = person.address.iter().filter_map(|address| address.postal_code.as_deref());
    terms.extend(postcodes.filter_map(postcode_term).map(|code| (IndexField::Postcode, code)));
    for word in words_of(person) {
        terms.extend(sounds(&word));
        terms.extend(end(&word));
        let lengths = prefix_lengths(&word);
        let count = word.chars().count();
        for length in (*lengths.start()).min(count)..=(*lengths.end()).min(count) {
            terms.insert((IndexField::Name, word.chars().take(length).collect()));
        }
    }
    terms.extend(twins::pairs(person));
    terms.into_iter().collect()
}

/// The terms of the demographic section: the birthday without the year, and with it if it is known.
#[must_use]
pub fn birthday_terms(demographic: &Map<String, Value>) -> Vec<Term> {
    let Some(day) = demographic.get("birthDay").and_then(Value::as_str) else { return Vec::new() };
    let year = demographic.get("birthYear").and_then(Value::as_i64).map(|year| format!("{year:04}-{day}"));
    std::iter::once(day.to_owned()).chain(year).map(|text| (IndexField::Birthday, text)).collect()
}

/// What a word of a name is paired by: the names that it stands for, or how it sounds, or itself where no sound is known.
pub(super) fn sounds_of(word: &str) -> BTreeSet<String> {
    let names: BTreeSet<String> = nicknames::full_names(word).map(|name| format!("={name}")).collect();
    let sounds = if names.is_empty() { sound::keys(word) } else { names };
    if sounds.is_empty() { BTreeSet::from([word.to_owned()]) } else { sounds }
}

/// Whether two words are forms of one name.
pub(super) fn is_same_name(one: &str, other: &str) -> bool {
    nicknames::is_same(one, other)
}

/// Whether two words sound the same.
pub(super) fn sound_alike(one: &str, other: &str) -> bool {
    !sound::keys(one).is_disjoint(&sound::keys(other))
}

/// How a word sounds, and the names that it is, or is short for.
fn sounds(word: &str) -> impl Iterator<Item = Term> {
    let names = nicknames::full_names(word).map(|name| format!("={name}"));
    sound::keys(word).into_iter().chain(names).map(|key| (IndexField::Sound, key))
}

/// The end of a word that is longer than its shortest beginning.
fn end(word: &str) -> Option<Term> {
    let letters = word.chars().count();
    if is_dense(word.chars().next()?) || letters <= END_LETTERS {
        return None;
    }
    let end: String = word.chars().skip(letters.saturating_sub(END_LETTERS)).collect();
    Some((IndexField::Sound, format!("-{end}")))
}

/// What is known beside a name; whoever is meant has all of it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Narrowing {
    birthday: Option<(String, Option<i64>)>,
    postcode: Option<String>,
}

impl Narrowing {
    /// `birthday` as `MM-DD` or `YYYY-MM-DD`, `postcode` as it is written.
    ///
    /// # Errors
    /// Which of the two is none.
    pub fn read(birthday: Option<&str>, postcode: Option<&str>) -> Result<Self, &'static str> {
        let birthday = birthday.map(|text| day_and_year(text.trim()).ok_or("birthday")).transpose()?;
        let postcode = postcode.map(|text| postcode_term(text).ok_or("postcode")).transpose()?;
        Ok(Self { birthday, postcode })
    }

    fn terms(&self) -> impl Iterator<Item = Term> {
        let day = self.birthday.clone().map(|(day, _)| (IndexField::Birthday, day));
        let code = self.postcode.clone().map(|code| (IndexField::Postcode, code));
        day.into_iter().chain(code)
    }

    /// Whether a year is asked for that only the demographic section tells.
    #[must_use]
    pub fn asks_year(&self) -> bool {
        matches!(self.birthday, Some((_, Some(_))))
    }

    /// Whether the year of birth is not another one; somebody whose year nobody knows may be meant.
    #[must_use]
    pub fn fits_year(&self, demographic: &Map<String, Value>) -> bool {
        let wanted = self.birthday.as_ref().and_then(|(_, year)| *year);
        let kept = demographic.get("birthYear").and_then(Value::as_i64);
        wanted.is_none_or(|wanted| kept.is_none_or(|kept| kept == wanted))
    }
}

/// Shows what is asked for, not for whom.
impl fmt::Debug for Narrowing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Narrowing(birthday {}, postcode {})", self.birthday.is_some(), self.postcode.is_some())
    }
}

/// What somebody typed into the search field.
#[derive(Clone, PartialEq, Eq)]
pub struct Query {
    terms: Vec<(IndexField, String)>,
    words: Vec<String>,
}

/// Why a search cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// No letter and no digit in it.
    #[error("nothing to search by: type the beginning of a name, a telephone number or an e-mail address")]
    Empty,
    /// A text, not a search.
    #[error("too much to search by: type at most {QUERY_WORDS_MAX} words")]
    TooLong,
}

impl Query {
    /// Reads a search: an address if it holds `@`, a telephone number if it is digits (of the country of `default`
    /// unless it says its own), else the beginnings of names, in any order.
    ///
    /// # Errors
    /// [`QueryError`]; never an empty query, which would match everybody.
    pub fn read(text: &str, default: Option<CallingCode>) -> Result<Self, QueryError> {
        if text.chars().count() > EMAIL_CHARS_MAX {
            return Err(QueryError::TooLong);
        }
        if let Ok(email) = Email::parse(text) {
            return Ok(Self { terms: vec![(IndexField::Email, email.lookup())], words: Vec::new() });
        }
        if let Ok(number) = E164::parse(text, default) {
            let term = (IndexField::Phone, number.as_str().to_owned());
            return Ok(Self { terms: vec![term], words: Vec::new() });
        }
        let words: Vec<String> = words(text).collect();
        if words.is_empty() {
            return Err(QueryError::Empty);
        }
        if words.len() > QUERY_WORDS_MAX {
            return Err(QueryError::TooLong);
        }
        let term =
            |word: &String| (IndexField::Name, word.chars().take(*prefix_lengths(word).end()).collect());
        // A beginning that is too short for the index is compared when the person is open, beside one that is not.
        let indexed = |word: &&String| word.chars().count() >= *prefix_lengths(word).start();
        let mut terms: BTreeSet<_> = words.iter().filter(indexed).map(term).collect();
        if terms.is_empty() {
            terms = words.iter().map(term).collect();
        }
        Ok(Self { terms: terms.into_iter().collect(), words })
    }

    /// Ways to whom may be meant, the surest first: of each group one term at least must lead there. Letter by letter; then
    /// as the words sound; then with one of them mistyped, in its beginning or in its end. Never an empty way.
    #[must_use]
    pub fn ways(&self, narrowing: &Narrowing) -> Vec<Vec<Vec<Term>>> {
        let known: Vec<Vec<Term>> = narrowing.terms().map(|term| vec![term]).collect();
        let with = |groups: Vec<Vec<Term>>| known.iter().cloned().chain(groups).collect::<Vec<_>>();
        let mut ways = vec![with(self.terms.iter().map(|term| vec![term.clone()]).collect())];
        if self.words.is_empty() {
            return ways;
        }
        let heard: Vec<Vec<Term>> = self.words.iter().map(|word| heard(word)).collect();
        ways.push(with(heard.clone()));
        for (index, word) in self.words.iter().enumerate() {
            let slipped = slipped(word);
            if slipped.is_empty() {
                continue;
            }
            let groups = heard.iter().enumerate();
            let groups = groups.map(|(at, group)| if at == index { slipped.clone() } else { group.clone() });
            ways.push(with(groups.collect()));
        }
        ways
    }

    /// How well a person fits what was typed, to 100; `None` if one of the words is like none of theirs.
    #[must_use]
    pub fn score(&self, person: &Person) -> Option<u32> {
        let own = words_of(person);
        let mut sum: u32 = 0;
        for typed in &self.words {
            sum = sum.saturating_add(own.iter().filter_map(|own| near::word(typed, own)).max()?);
        }
        let count = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        Some(sum.checked_div(count).unwrap_or(near::SAME))
    }
}

/// The terms of a word that was heard: as it begins, as it sounds, and the names it is short for.
fn heard(word: &str) -> Vec<Term> {
    let lengths = prefix_lengths(word);
    let begins = (IndexField::Name, word.chars().take(*lengths.end()).collect());
    std::iter::once(begins).chain(sounds(word)).collect()
}

/// The terms of a word that holds a slip: its shortest beginning, or its end.
fn slipped(word: &str) -> Vec<Term> {
    let shortest = *prefix_lengths(word).start();
    let longer = word.chars().count() > shortest && !word.chars().next().is_some_and(is_dense);
    let begins = longer.then(|| (IndexField::Name, word.chars().take(shortest).collect()));
    begins.into_iter().chain(end(word).filter(|_| longer)).collect()
}

/// Shows how many terms it has.
impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Query({} terms)", self.terms.len())
    }
}

/// What a row of a search may show: enough to ask "is that you?", not enough to write somebody down.
#[derive(Clone, PartialEq, Eq)]
pub struct Masked {
    /// Such as `María G••••`.
    pub name: String,
    /// Such as `••• ••• 456`, if there is a number.
    pub telephone: Option<String>,
    /// Where the whole name stands in a list.
    pub order: NameOrder,
}

/// Shows nothing of it: a first name and three digits are still somebody's.
impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Masked(••)")
    }
}

/// Masks a person. The dots say nothing of what is under them, not even how long it is.
#[must_use]
pub fn masked(person: &Person) -> Masked {
    let cut = |name: &String| name.chars().take(1).chain("••••".chars()).collect::<String>();
    let (given, family) = (&person.given_name, &person.family_name);
    let name = match (given, family) {
        (Some(_), Some(family)) if person.is_east_asian() => cut(family),
        (Some(given), Some(family)) => format!("{given} {}", cut(family)),
        (Some(given), None) => given.clone(),
        (None, Some(family)) => cut(family),
        (None, None) => person.preferred_name.as_ref().or(person.org.as_ref()).map(cut).unwrap_or_default(),
    };
    let telephone = person.telephone.first();
    let telephone = telephone.map(|telephone| format!("••• ••• {}", telephone.e164.last_three()));
    Masked { name, telephone, order: person.order() }
}

fn prefix_lengths(word: &str) -> std::ops::RangeInclusive<usize> {
    if word.chars().next().is_some_and(is_dense) { PREFIX_SIGNS } else { PREFIX_LETTERS }
}

fn is_dense(c: char) -> bool {
    is_east_asian_letter(c) || matches!(c, '\u{0900}'..='\u{0eff}')
}

/// The words by which a person is found, in their normal form.
fn words_of(person: &Person) -> BTreeSet<String> {
    let names = [
        &person.given_name,
        &person.family_name,
        &person.family_name2,
        &person.preferred_name,
        &person.additional_name,
        &person.phonetic_given_name,
        &person.phonetic_family_name,
        &person.org,
    ];
    let mut found: BTreeSet<String> = BTreeSet::new();
    // Written together, as everybody types them.
    let together = person.is_east_asian().then(|| person.sort_name());
    for name in names.into_iter().flatten().chain(&together) {
        let parts: Vec<Vec<String>> = name.split_whitespace().map(|part| words(part).collect()).collect();
        // Anne-Marie is also found as annemarie.
        let joined = parts.iter().filter(|words| words.len() > 1).map(|words| words.concat());
        let spelt = spelt_out(name).map(|name| words(&name).collect::<Vec<_>>()).unwrap_or_default();
        let all = parts.iter().flatten().cloned().chain(joined).chain(spelt);
        for word in all {
            if found.len() < WORDS_MAX {
                found.insert(word);
            }
        }
    }
    found
}

/// Umlauts as those write them who have no such key: Mueller, Soerensen. `None` where there are none.
fn spelt_out(name: &str) -> Option<String> {
    if name.is_ascii() {
        return None;
    }
    let mut spelt = String::with_capacity(name.len());
    let mut has_any = false;
    for letter in name.nfc() {
        let written = match letter {
            'ä' | 'Ä' => "ae",
            'ö' | 'Ö' | 'ø' | 'Ø' => "oe",
            'ü' | 'Ü' => "ue",
            'å' | 'Å' => "aa",
            other => {
                spelt.push(other);
                continue;
            }
        };
        has_any = true;
        spelt.push_str(written);
    }
    has_any.then_some(spelt)
}

/// Splits at everything that is no letter, digit or sign on a letter, and brings each word into its normal form:
/// compatibility forms resolved, diacritics dropped, lower-case, no difference between the letters i of Turkish.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> + use<> {
    let normal = if text.is_ascii() { text.to_ascii_lowercase() } else { normal(text) };
    let parts: Vec<String> =
        normal.split(|c| !is_word_sign(c)).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    parts.into_iter()
}

/// The normal form of any text; of ASCII it is lower case.
fn normal(text: &str) -> String {
    text.nfkd()
        .filter(|c| !is_dropped(*c))
        .flat_map(char::to_lowercase)
        .filter(|c| !is_dropped(*c))
        .flat_map(plain_letters)
        .nfc()
        .collect()
}

fn is_word_sign(c: char) -> bool {
    c.is_alphanumeric() || unicode_normalization::char::is_combining_mark(c)
}

/// Diacritics of Latin, Greek, Cyrillic, Hebrew and Arabic, the nukta of Devanagari and the joiners, all often left out in
/// typing. The vowel signs of India are letters and stay.
fn is_dropped(c: char) -> bool {
    matches!(c, '\u{0300}'..='\u{036f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}' | '\u{0591}'..='\u{05c7}' | '\u{064b}'..='\u{065f}'
        | '\u{0670}' | '\u{0640}' | '\u{093c}' | '\u{200c}' | '\u{200d}' | '\u{00ad}')
}

/// Letters that Unicode does not take apart.
fn plain_letters(c: char) -> std::iter::Chain<std::option::IntoIter<char>, std::option::IntoIter<char>> {
    let (first, second) = match c {
        'ı' => ('i', None),
        'ß' => ('s', Some('s')),
        'æ' => ('a', Some('e')),
        'œ' => ('o', Some('e')),
        'ø' => ('o', None),
        'đ' | 'ð' => ('d', None),
        'ł' => ('l', None),
        'þ' => ('t', Some('h')),
        'ħ' => ('h', None),
        'ς' => ('σ', None),
        other => (other, None),
    };
    Some(first).into_iter().chain(second)
}

#[cfg(test)]
mod tests;
