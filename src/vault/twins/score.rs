//! How likely two persons are one: what agrees against what differs, in bits.
//!
//! Pure. After Fellegi and Sunter (A Theory for Record Linkage, JASA 64, 1969): of each field the logarithm of how much
//! oftener two records of one person agree in it than records of two do, log2(m/u), or differ, log2((1-m)/(1-u)); the sum is
//! the score. Names that are nearly the same lie between, by Jaro and Winkler's measure (Winkler 1990) and by slips of the
//! finger.
//!
//! Three departures. Fields are taken for independent, and those of a household are not: who lives together shares surname,
//! address and telephone, so all of these together count for no more than [`HOUSEHOLD_MAX`], and less than another given name
//! speaks against it. Names alone are not enough, for there are namesakes. And where another given name or another birthday
//! stands against everything else, as with twins, or father and son, the likeness says so ([`Likeness::household`]): such a
//! pair is shown to be asked about, never proposed as one person.

use super::profile::{Born, Home, Profile};
use crate::vault::lookup;

/// From here on two files are told as probably one person's.
pub const PROBABLE: i32 = 8;

/// Tenths of a bit in a bit.
const TENTHS: i32 = 10;

/// What surname, address, telephone and e-mail say together at most.
const HOUSEHOLD_MAX: i32 = 180;

/// The weights, in tenths of a bit, as they stand for agreeing, nearly agreeing and differing.
///
/// How rare agreement by chance is (u), our own estimates: one given name in 60, one surname in 180; a birthday 1 in 365, with
/// its year among sixty years 1 in 22,000, somewhat less for those who are written down wrong; of a telephone number what
/// [`HOUSEHOLD_MAX`] leaves of it; of addresses what a shop's own surroundings leave, half their bits. What differing says was
/// set by hand until the false and the missed pairs of febrl's data sets (see `tests/bench/duplicates.rs`) were few.
const GIVEN: [i32; 3] = [60, 40, -160];
const FAMILY: [i32; 3] = [75, 55, -40];
const FAMILY2: [i32; 3] = [50, 35, -30];
const BORN: [i32; 3] = [135, 90, -100];
const BORN_DAY: [i32; 3] = [75, 45, -60];
const STREET: [i32; 3] = [60, 45, -35];
const NUMBER: [i32; 3] = [40, 15, -25];
const POSTCODE: [i32; 3] = [40, 25, -40];
const TOWN: [i32; 3] = [25, 20, -25];
const PHONE: [i32; 3] = [140, 0, -30];
const EMAIL: [i32; 3] = [140, 0, -30];

/// What names are worth less if nothing beside them agrees.
const NAMES_ALONE: i32 = -70;

/// A given name that is neither near nor quite another one.
const GIVEN_DOUBTFUL: i32 = -130;

/// Given and family name in each other's place: both agree, and a form seldom is filled so.
const SWAPPED: i32 = 110;

/// How two persons are alike.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Likeness {
    /// In bits, rounded down; more than 0 speaks for one person.
    pub score: i32,
    /// Another given name or another birthday speaks against one person: twins perhaps, or others of one household.
    pub household: bool,
    /// What agrees and what differs, in words of this module, in a fixed order.
    pub reasons: Vec<&'static str>,
}

/// How one field compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    Differs,
    Doubtful,
    Near,
    Same,
}

#[derive(Default)]
struct Sum {
    person: i32,
    household: i32,
    /// Something beside the names agrees.
    beside: bool,
    other: bool,
    reasons: Vec<&'static str>,
}

/// Compares two persons; in either order the same.
#[must_use]
pub fn compare(one: &Profile, other: &Profile) -> Likeness {
    let mut sum = Sum::default();
    names(one, other, &mut sum);
    if let Some((one, other)) = one.born.as_ref().zip(other.born.as_ref()) {
        born(one, other, &mut sum);
    }
    home(one, other, &mut sum);
    let shared = |one: &[String], other: &[String]| {
        let both = !one.is_empty() && !other.is_empty();
        both.then(|| if one.iter().any(|own| other.contains(own)) { How::Same } else { How::Differs })
    };
    sum.household(shared(&one.phones, &other.phones), PHONE, ["phone", "", ""]);
    sum.household(shared(&one.emails, &other.emails), EMAIL, ["email", "", ""]);
    let alone = if sum.beside { 0 } else { NAMES_ALONE };
    let tenths = sum.person.saturating_add(sum.household.min(HOUSEHOLD_MAX)).saturating_add(alone);
    Likeness { score: tenths.div_euclid(TENTHS), household: sum.other, reasons: sum.reasons }
}

impl Sum {
    fn person(&mut self, tenths: i32, reason: &'static str) {
        self.person = self.person.saturating_add(tenths);
        self.reasons.extend(Some(reason).filter(|reason| !reason.is_empty()));
    }

    /// Weights and reasons for agreeing, nearly, and differing.
    fn household(&mut self, how: Option<How>, weights: [i32; 3], reasons: [&'static str; 3]) {
        let [same, near, differs] = weights;
        let [same_reason, near_reason, differs_reason] = reasons;
        let (tenths, reason) = match how {
            None => return,
            Some(How::Same) => (same, same_reason),
            Some(How::Near) => (near, near_reason),
            Some(How::Doubtful | How::Differs) => (differs, differs_reason),
        };
        self.household = self.household.saturating_add(tenths);
        self.beside = self.beside || tenths > 0;
        self.reasons.extend(Some(reason).filter(|reason| !reason.is_empty()));
    }
}

fn names(one: &Profile, other: &Profile, sum: &mut Sum) {
    let given = name(&one.given, &other.given);
    let family = name(&one.family, &other.family);
    // Dear, and seldom so: looked at last.
    let crossed = |one: &[String], other: &[String]| name(one, other) >= Some(How::Near);
    if given.max(family) < Some(How::Near)
        && crossed(&one.given, &other.family)
        && crossed(&one.family, &other.given)
    {
        return sum.person(SWAPPED, "names_swapped");
    }
    let [same, near, differs] = GIVEN;
    sum.other = given.is_some_and(|given| given < How::Near);
    match given {
        Some(How::Same) => sum.person(same, "given_name"),
        Some(How::Near) => sum.person(near, "given_name_near"),
        Some(How::Doubtful) => sum.person(GIVEN_DOUBTFUL, "other_given_name"),
        Some(How::Differs) => sum.person(differs, "other_given_name"),
        None => {}
    }
    sum.household(family, FAMILY, ["family_name", "family_name_near", "other_family_name"]);
    let family2 = name(&one.family2, &other.family2);
    sum.household(
        family2,
        FAMILY2,
        ["second_family_name", "second_family_name_near", "other_second_family_name"],
    );
    sum.beside = false;
}

/// Two names of a word or more; `None` if one of them is not known.
fn name(one: &[String], other: &[String]) -> Option<How> {
    if one.is_empty() || other.is_empty() {
        return None;
    }
    let (joined, others) = (one.concat(), other.concat());
    if joined == others {
        return Some(How::Same);
    }
    let (shorter, longer) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    if shorter.len() < longer.len() && shorter.iter().all(|word| longer.contains(word)) {
        return Some(How::Near);
    }
    Some(word(&joined, &others))
}

fn word(one: &str, other: &str) -> How {
    if one == other {
        return How::Same;
    }
    let letters = one.chars().count().min(other.chars().count());
    let slips = strsim::osa_distance(one, other);
    let alike = strsim::jaro_winkler(one, other);
    let slipped = slips <= 1 && letters >= 3 || slips <= 2 && letters >= 6;
    if lookup::is_same_name(one, other) || slipped || alike >= 0.93 {
        return How::Near;
    }
    // An initial says too little, and nothing against.
    let initial = letters == 1 && one.chars().next() == other.chars().next();
    if initial || alike >= 0.85 || lookup::sound_alike(one, other) { How::Doubtful } else { How::Differs }
}

/// Birthdays; nearly the same if one digit is another, two changed places, or day and month did.
fn born(one: &Born, other: &Born, sum: &mut Sum) {
    let whole = |born: &Born| Some(format!("{}{}", born.year.as_ref()?, born.day));
    let (weights, how) = match whole(one).zip(whole(other)) {
        Some((first, second)) => (BORN, date(&first, &second)),
        None => (BORN_DAY, date(&one.day, &other.day)),
    };
    let swapped = one.day != other.day
        && one.year == other.year
        && one.day.split_at_checked(2) == other.day.split_at_checked(2).map(|(month, day)| (day, month));
    let [same, near, differs] = weights;
    sum.beside = sum.beside || how >= How::Near || swapped;
    sum.other = sum.other || how < How::Near && !swapped;
    match how {
        How::Same => sum.person(same, "birthday"),
        _ if swapped => sum.person(near, "birthday_swapped"),
        How::Near => sum.person(near, "birthday_near"),
        How::Doubtful | How::Differs => sum.person(differs, "other_birthday"),
    }
}

fn date(one: &str, other: &str) -> How {
    match strsim::osa_distance(one, other) {
        0 => How::Same,
        1 => How::Near,
        _ => How::Differs,
    }
}

/// The addresses of which one is nearest to one of the other's.
fn home(one: &Profile, other: &Profile, sum: &mut Sum) {
    let pairs = one.homes.iter().flat_map(|own| other.homes.iter().map(move |theirs| (own, theirs)));
    let compared = pairs.map(|(own, theirs)| {
        let mut sum = Sum::default();
        address(own, theirs, &mut sum);
        sum
    });
    if let Some(best) = compared.max_by_key(|sum| sum.household) {
        sum.household = sum.household.saturating_add(best.household);
        sum.beside = sum.beside || best.beside;
        sum.reasons.extend(best.reasons);
    }
}

fn address(one: &Home, other: &Home, sum: &mut Sum) {
    sum.household(text(&one.street, &other.street), STREET, ["street", "street_near", "other_street"]);
    let number = one.number.as_deref().zip(other.number.as_deref()).map(|(one, other)| short(one, other));
    sum.household(number, NUMBER, ["house_number", "house_number_near", "other_house_number"]);
    let postcode =
        one.postcode.as_deref().zip(other.postcode.as_deref()).map(|(one, other)| short(one, other));
    sum.household(postcode, POSTCODE, ["postcode", "postcode_near", "other_postcode"]);
    sum.household(text(&one.town, &other.town), TOWN, ["town", "town_near", ""]);
}

/// Streets and towns.
fn text(one: &str, other: &str) -> Option<How> {
    if one.is_empty() || other.is_empty() {
        return None;
    }
    let near = strsim::jaro_winkler(one, other) >= 0.85;
    Some(if one == other {
        How::Same
    } else if near {
        How::Near
    } else {
        How::Differs
    })
}

/// Numbers and codes: near with one slip, if that leaves most of them.
fn short(one: &str, other: &str) -> How {
    let letters = one.chars().count().max(other.chars().count());
    match strsim::osa_distance(one, other) {
        0 => How::Same,
        1 if letters >= 2 => How::Near,
        _ => How::Differs,
    }
}
