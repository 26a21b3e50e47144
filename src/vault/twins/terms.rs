//! By which terms of the blind indexes somebody is looked for who may be here already.
//!
//! Pure. A name alone, or a postcode alone, is under many: two of them together are under few, so pairs have terms of their
//! own. They are made of how names sound and of the short forms they have, so that a slip in one part leaves the other pairs.

use super::profile::Profile;
use crate::domain::person::Person;
use crate::vault::keyring::IndexField;
use crate::vault::lookup::{self, Term};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Words of a name that are paired at most, and addresses.
const PAIRED_MAX: usize = 2;

/// The pairs that lead to a person, of the basic section alone: given name and family name in either order, both family
/// names, postcode and a name, postcode and house, street and house.
#[must_use]
pub fn pairs(person: &Person) -> Vec<Term> {
    let profile = Profile::of(person, &Map::new());
    let (given, family, family2) = (keys(&profile.given), keys(&profile.family), keys(&profile.family2));
    let mut texts = BTreeSet::new();
    for (one, other) in [(&given, &family), (&family, &family2)] {
        for first in one {
            for second in other {
                // Whoever fills a form swaps them.
                texts.insert(format!("n{}|{}", first.min(second), first.max(second)));
            }
        }
    }
    for home in profile.homes.iter().take(PAIRED_MAX) {
        let Some(code) = &home.postcode else {
            texts.extend(houses(home.number.as_deref(), &home.street));
            continue;
        };
        texts.extend(given.iter().chain(&family).map(|name| format!("p{code}|{name}")));
        texts.extend(home.number.iter().map(|number| format!("h{code}|{number}")));
        texts.extend(houses(home.number.as_deref(), &home.street));
    }
    texts.into_iter().map(|text| (IndexField::Pair, text)).collect()
}

/// House number and how the street sounds.
fn houses(number: Option<&str>, street: &str) -> Vec<String> {
    let Some((number, word)) = number.zip(street.split(' ').find(|word| !word.is_empty())) else {
        return Vec::new();
    };
    lookup::sounds_of(word).into_iter().map(|sound| format!("s{number}|{sound}")).collect()
}

/// The names that the words of a name stand for, and how those sound that stand for none.
fn keys(name: &[String]) -> BTreeSet<String> {
    name.iter().take(PAIRED_MAX).flat_map(|word| lookup::sounds_of(word)).collect()
}

/// Whether two terms say the same of somebody, in two spellings: a pair has one for each way its words sound.
pub(super) fn is_same_sort(one: &Term, other: &Term) -> bool {
    let sort = |(field, text): &Term| (*field, text.chars().next().filter(|_| *field == IndexField::Pair));
    sort(one) == sort(other)
}

/// Everything that leads to somebody, of what [`looked_for_by`] may look for.
#[must_use]
pub fn found_by(person: &Person, demographic: &Map<String, Value>) -> Vec<Term> {
    reached_by(person).chain(lookup::birthday_terms(demographic)).chain(pairs(person)).collect()
}

/// Telephone numbers and e-mail addresses.
pub fn reached_by(person: &Person) -> impl Iterator<Item = Term> + '_ {
    let phones = person.telephone.iter().map(|phone| (IndexField::Phone, phone.e164.as_str().to_owned()));
    phones.chain(person.email.iter().map(|email| (IndexField::Email, email.addr.lookup())))
}

/// Everything that somebody who may be here already is looked for by.
#[must_use]
pub fn looked_for_by(person: &Person, demographic: &Map<String, Value>) -> Vec<Term> {
    // The day alone, which one in 365 has, only where no year is known.
    let birthday = lookup::birthday_terms(demographic).into_iter().next_back();
    reached_by(person).chain(birthday).chain(pairs(person)).collect()
}
