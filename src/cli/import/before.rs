//! Whom a row may be of the rows before it in the same file: the daemon knows only who is in already, and of a file it is sent several
//! parts at once.
//!
//! Compares as the daemon does, with its own rules. Nothing of it is written down, and nothing but lines is told.

use crate::domain::contact::CallingCode;
use crate::domain::person::fields::Section;
use crate::domain::person::{Form, Person};
use crate::vault::lookup::Term;
use crate::vault::twins::{Likeness, Profile, UNDER_TERM_MAX, found_by, likely, reached_by};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::{BuildHasher as _, RandomState};

/// Rows that are kept in mind at most, the first: those behind are compared with these alone, and the report says so.
/// Measured: 20,000 persons with an address each took 14 MiB where they are compared.
pub(super) const ROWS_MAX: usize = 100_000;

/// The likeliest rows before that are told of one, as many as the daemon tells of customers.
const LIKELY_MAX: usize = 5;

/// No entry.
const NONE: u32 = u32::MAX;

/// Whom a row met.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Met {
    /// The first line that has one of its telephone numbers or addresses.
    pub(super) double_of: Option<u64>,
    /// Who may be the same person, the likeliest first; where that is asked.
    pub(super) likely: Vec<Likely>,
}

/// A row before that may be the same person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Likely {
    pub(super) line: u64,
    pub(super) score: i32,
    pub(super) household: bool,
}

/// The rows so far.
pub(super) struct Before {
    /// Of telephone numbers without one.
    calling_code: Option<CallingCode>,
    compare: bool,
    keys: RandomState,
    /// For so many more rows there is room.
    room: usize,
    /// The last line that is kept in mind.
    last: u64,
    /// Whether one behind it is not.
    full: bool,
    /// The first line by telephone number or address.
    reached: HashMap<u64, u64>,
    /// Where they are compared: each person, and the newest entry of each term.
    people: Vec<(u64, Box<[u8]>)>,
    newest: HashMap<u64, u32>,
    /// Place of a person, and the entry of the same term before; of the first one [`NONE`].
    entries: Vec<(u32, u32)>,
}

/// A person as they are compared.
type Compared = (Person, Map<String, Value>);

impl Before {
    pub(super) fn new(calling_code: Option<CallingCode>, compare: bool) -> Self {
        Self {
            calling_code,
            compare,
            keys: RandomState::new(),
            room: ROWS_MAX,
            last: 0,
            full: false,
            reached: HashMap::new(),
            people: Vec::new(),
            newest: HashMap::new(),
            entries: Vec::new(),
        }
    }

    /// The last line that is kept in mind, where not all are.
    pub(super) fn full_at(&self) -> Option<u64> {
        self.full.then_some(self.last)
    }

    /// Whom the row of this line met, whatever becomes of those before. With `alone` a double is not kept in mind: it does not come in.
    pub(super) fn meet(&mut self, line: u64, row: &Value, alone: bool) -> Met {
        // What is wrong with a person is the daemon's to say.
        let Some((person, demographic)) = self.person(row) else { return Met::default() };
        let reached: Vec<u64> = reached_by(&person).map(|term| self.keys.hash_one(term)).collect();
        let double_of = reached.iter().filter_map(|key| self.reached.get(key)).min().copied();
        if alone && double_of.is_some() {
            return Met { double_of, likely: Vec::new() };
        }
        let likely = if self.compare { self.likely(&person, &demographic) } else { Vec::new() };
        let Some(room) = self.room.checked_sub(1) else {
            self.full = true;
            return Met { double_of, likely };
        };
        (self.room, self.last) = (room, line);
        for key in reached {
            self.reached.entry(key).or_insert(line);
        }
        if self.compare {
            self.keep(line, person, demographic);
        }
        Met { double_of, likely }
    }

    fn person(&self, row: &Value) -> Option<Compared> {
        let person = row.get("person")?.as_object()?;
        let mut form = Form::read(person, self.calling_code).ok()?;
        let mut born = form.more.remove(&Section::Demographic).unwrap_or_default();
        born.retain(|field, _| matches!(field.as_str(), "birthDay" | "birthYear"));
        Some((form.basic, born))
    }

    fn likely(&self, person: &Person, demographic: &Map<String, Value>) -> Vec<Likely> {
        let under = |term: &Term| Ok::<_, Infallible>(self.under(self.keys.hash_one(term)));
        let profile = |place: u32| {
            let kept = self.kept(place).and_then(|(_, kept)| serde_json::from_slice(kept).ok());
            Ok(kept.map(|(person, demographic): Compared| Profile::of(&person, &demographic)))
        };
        let Ok(found) = likely((person, demographic), &[], under, profile);
        let told = |(place, likeness): (u32, Likeness)| {
            let line = self.kept(place)?.0;
            Some(Likely { line, score: likeness.score, household: likeness.household })
        };
        found.into_iter().filter_map(told).take(LIKELY_MAX).collect()
    }

    /// The places under a term, the newest first.
    fn under(&self, key: u64) -> Vec<u32> {
        let mut next = self.newest.get(&key).copied().unwrap_or(NONE);
        let places = std::iter::from_fn(|| {
            let (place, before) = *self.entries.get(usize::try_from(next).ok()?)?;
            next = before;
            Some(place)
        });
        places.take(UNDER_TERM_MAX).collect()
    }

    fn kept(&self, place: u32) -> Option<&(u64, Box<[u8]>)> {
        self.people.get(usize::try_from(place).ok()?)
    }

    fn keep(&mut self, line: u64, person: Person, demographic: Map<String, Value>) {
        let place = u32::try_from(self.people.len()).unwrap_or(NONE);
        for term in found_by(&person, &demographic) {
            // The rows that are kept have no such number of terms.
            let Ok(entry) = u32::try_from(self.entries.len()) else { break };
            let before = self.newest.insert(self.keys.hash_one(term), entry).unwrap_or(NONE);
            self.entries.push((place, before));
        }
        let kept = serde_json::to_vec(&(person, demographic)).unwrap_or_default();
        self.people.push((line, kept.into_boxed_slice()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(given: &str, phone: &str, day: &str) -> Value {
        json!({ "person": { "givenName": given, "familyName": "Prueba", "telephone": [{ "e164": phone }],
            "birthDay": day, "birthYear": 1987 } })
    }

    #[test]
    fn a_double_is_told_by_the_first_line_with_its_number_however_that_is_written() {
        let mut before = Before::new("34".parse().ok(), false);
        assert_eq!(before.meet(2, &row("Ana", "600 555 001", "03-14"), false), Met::default());
        assert_eq!(before.meet(3, &row("Eva", "+34 600-555-001", "03-15"), false).double_of, Some(2));
        assert_eq!(before.meet(4, &row("Eva", "0034600555001", "03-15"), true).double_of, Some(2));
        assert_eq!(before.meet(5, &json!({ "cards": [] }), false), Met::default());
        let mut unsaid = Before::new(None, false);
        unsaid.meet(2, &row("Ana", "600 555 001", "03-14"), false);
        let met = unsaid.meet(3, &row("Ana", "600 555 001", "03-14"), false);
        assert_eq!(met, Met::default(), "the daemon refuses both");
    }

    #[test]
    fn once_there_is_no_more_room_rows_are_compared_with_those_that_are_kept() {
        let mut before = Before { room: 1, ..Before::new("34".parse().ok(), true) };
        before.meet(2, &row("Ana", "600 555 001", "03-14"), false);
        assert_eq!(before.full_at(), None, "all are kept so far");
        assert_eq!(before.meet(3, &row("Eva", "600 555 002", "03-15"), false).double_of, None);
        assert_eq!(before.full_at(), Some(2));
        assert_eq!(before.meet(4, &row("Eva", "600 555 002", "03-15"), false), Met::default());
        let met = before.meet(5, &row("Ana", "600 555 001", "03-14"), false);
        assert_eq!((met.double_of, met.likely.len()), (Some(2), 1));
    }

    #[test]
    fn who_is_like_whom_is_told_where_it_is_asked() {
        let mut before = Before::new("34".parse().ok(), true);
        assert_eq!(before.meet(2, &row("Francisca", "600 555 001", "03-14"), false), Met::default());
        assert_eq!(before.meet(3, &row("Xiomara", "600 555 002", "11-02"), false).likely, []);
        let met = before.meet(4, &row("Paqui", "600 555 003", "03-14"), false);
        assert_eq!((met.double_of, met.likely.len(), met.likely[0].line), (None, 1, 2));
        assert!(met.likely[0].score > 0 && !met.likely[0].household);
        let twin = before.meet(5, &row("Inés", "600 555 001", "03-14"), false);
        assert!(twin.likely.iter().all(|likely| likely.household), "{twin:?}");
    }
}
