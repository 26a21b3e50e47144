//! What a client asks for, and what must be true of its customers afterwards: the model that the daemon is compared with.
//!
//! Each client has customers of its own and asks one thing at a time, so its customers are, at any moment, as its answered
//! requests left them, or as those and the one under way did. Nothing between: a request holds in both halves or in none.

mod next;

use crate::dice::Dice;
use crate::purse::{Move, Purse, told};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Customers of one client at most, so that old ones are written to as well.
const CUSTOMERS_MAX: usize = 40;
/// Below the daemon's own limits: a refusal would be no write.
const CARDS_MAX: usize = 8;
const OPEN_ISSUES_MAX: usize = 5;
const ISSUES_MAX: usize = 40;
const NOTES_MAX: usize = 30;
/// Requests that erase, and that make two customers one or part them.
const ERASED_OF_A_THOUSAND: usize = 25;
const MERGED_OF_A_THOUSAND: usize = 40;
/// As many as a file shows.
const PREFERENCES: [&str; 4] = ["receipt", "bag", "language", "contact"];
const KINDS: [&str; 4] = ["WARRANTY", "REPAIR", "COMPLAINT", "QUESTION"];
const NAMES: [&str; 6] = ["Ana", "Łukasz", "Søren", "Zoë", "Mei", "João"];

/// One request that writes.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    pub(crate) key: Uuid,
    pub(crate) method: &'static str,
    pub(crate) params: Value,
    /// Whose: its place among the client's customers.
    customer: usize,
    change: Change,
}

#[derive(Clone, Debug)]
enum Change {
    Enrol(Person),
    Person(Person),
    Issue,
    Status {
        card: String,
        blocked: bool,
    },
    Open {
        kind: &'static str,
        hint: String,
    },
    Hint {
        issue: String,
        hint: String,
    },
    Close {
        issue: String,
    },
    Note(String),
    Prefer {
        name: &'static str,
        value: Option<String>,
    },
    Visit,
    Dismiss,
    Purse(Move),
    /// This customer is made one with the client's at that place, and goes on.
    Merge {
        from: usize,
    },
    Unmerge {
        from: usize,
    },
    Erase,
}

#[derive(Clone, Debug, PartialEq)]
struct Person {
    given: String,
    family: String,
    phone: String,
}

impl Person {
    fn form(&self) -> Value {
        json!({ "givenName": self.given, "familyName": self.family, "telephone": [{ "e164": self.phone }] })
    }
}

/// A customer as the answers said.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) number: String,
    person: Person,
    /// Card → whether it is blocked, and its code.
    cards: BTreeMap<String, (bool, Option<String>)>,
    /// Issue → kind, hint; without a hint it is closed.
    issues: BTreeMap<String, (&'static str, Option<String>)>,
    notes: Vec<String>,
    preferences: BTreeMap<&'static str, String>,
    visits: u64,
    purse: Purse,
    at_the_till: Option<String>,
    erased: bool,
    /// Leads to another customer now.
    merged: bool,
    /// Who was merged into this one, as they were, where, and the merge.
    brought: Option<(usize, String, Box<Known>)>,
}

impl Known {
    /// In the form of [`seen`].
    pub(crate) fn expected(&self) -> Value {
        if self.erased {
            return Value::Null;
        }
        if self.merged {
            return json!(MERGED);
        }
        if let Some((_, _, other)) = &self.brought {
            return self.and(other).expected();
        }
        let cards: Map<String, Value> = self
            .cards
            .iter()
            .map(|(card, (blocked, _))| {
                (card.clone(), json!(if *blocked { "BLOCKED LOST" } else { "ACTIVE " }))
            })
            .collect();
        let issues: Map<String, Value> = self
            .issues
            .iter()
            .map(|(issue, (kind, hint))| {
                let state = if hint.is_some() { "NEW" } else { "CLOSED" };
                (issue.clone(), json!([kind, state, hint]))
            })
            .collect();
        let mut notes = self.notes.clone();
        notes.sort();
        let mut preferences: Vec<String> =
            self.preferences.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        preferences.sort();
        json!({
            "name": format!("{} {}", self.person.given, self.person.family), "person": self.person.form(),
            "cards": cards, "issues": issues, "open": self.open_issues(), "notes": notes,
            "preferences": preferences, "visits": self.visits, "purse": self.purse.expected(),
        })
    }

    /// The two as one: the person of the one who goes on, and everything of both.
    fn and(&self, other: &Self) -> Self {
        let mut both = Self { brought: None, purse: self.purse.and(&other.purse), ..self.clone() };
        both.cards.extend(other.cards.clone());
        both.issues.extend(other.issues.clone());
        both.notes.extend(other.notes.clone());
        both.visits += other.visits;
        both
    }

    /// Whether there is no merge about it, and it can be part of one.
    fn stands_alone(&self) -> bool {
        !self.erased && !self.merged && self.brought.is_none()
    }

    fn open_issues(&self) -> usize {
        self.issues.values().filter(|(_, hint)| hint.is_some()).count()
    }

    pub(crate) fn erased(&self) -> bool {
        self.erased
    }

    /// Without what a retention run lets go of, by the config of these daemons.
    pub(crate) fn let_go(&mut self) {
        self.notes.clear();
        self.preferences.clear();
        if let Some((_, _, other)) = &mut self.brought {
            other.let_go();
        }
    }

    /// Whether somebody was merged into it.
    pub(crate) fn is_of_two(&self) -> bool {
        self.brought.is_some()
    }

    pub(crate) fn merged(&self) -> bool {
        self.merged
    }

    pub(crate) fn phone(&self) -> &str {
        &self.person.phone
    }

    /// The codes of its cards.
    pub(crate) fn codes(&self) -> impl Iterator<Item = &String> {
        self.cards.values().filter_map(|(_, code)| code.as_ref())
    }
}

/// How a customer is told who was merged into another.
pub(crate) const MERGED: &str = "merged";

/// A customer as `customer.show`, `issue.list` and `points.show` show it.
pub(crate) fn seen(show: &Value, list: &Value, points: &Value) -> Value {
    let rows = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let sorted = |value: &Value| {
        let mut words: Vec<String> = rows(value).iter().map(word).collect();
        words.sort();
        words
    };
    let cards: Map<String, Value> = rows(&show["cards"])
        .iter()
        .map(|card| {
            (word(&card["card"]), json!(format!("{} {}", word(&card["status"]), word(&card["reason"]))))
        })
        .collect();
    let issues: Map<String, Value> = rows(&list["issues"])
        .iter()
        .map(|issue| (word(&issue["issue"]), json!([issue["kind"], issue["state"], issue["hint"]])))
        .collect();
    json!({
        "purse": told(points, &show["bought"]), "name": show["file"]["name"], "person": show["person"], "cards": cards, "issues": issues,
        "open": show["file"]["issues_open"], "notes": sorted(&show["notes"]),
        "preferences": sorted(&show["file"]["preferences"]), "visits": show["visits"],
    })
}

/// One client's customers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Customers(pub(crate) Vec<Known>);

impl Customers {
    /// The client's next request.
    pub(crate) fn next(&self, register: &str, dice: &mut Dice) -> Op {
        let living = self.0.iter().filter(|known| known.stands_alone()).count();
        let chance = if living < CUSTOMERS_MAX { 15 } else { 0 };
        if living == 0 || dice.percent(chance) {
            let person = person(dice);
            let params = json!({ "person": person.form() });
            return op("customer.enrol", self.0.len(), Change::Enrol(person), params, dice);
        }
        if dice.below(1000) < MERGED_OF_A_THOUSAND
            && let Some(op) = self.join_or_part(dice)
        {
            return op;
        }
        loop {
            let place = dice.below(self.0.len());
            if let Some(op) = self.0[place].next(place, register, dice) {
                return op;
            }
        }
    }

    /// Makes two customers one, or parts two who were.
    fn join_or_part(&self, dice: &mut Dice) -> Option<Op> {
        let (place, other) = (dice.below(self.0.len()), dice.below(self.0.len()));
        let (into, from) = (self.0.get(place)?, self.0.get(other)?);
        if let Some((from, merge, _)) = &into.brought {
            let params = json!({ "merge": merge });
            return Some(op("customer.unmerge", place, Change::Unmerge { from: *from }, params, dice));
        }
        let fits = into.notes.len() + from.notes.len() <= NOTES_MAX && from.preferences.is_empty();
        let both = place != other && into.stands_alone() && from.stands_alone() && from.purse.holds_nothing();
        let params = json!({ "from": from.number, "into": into.number, "sure": true });
        (both && fits).then(|| op("customer.merge", place, Change::Merge { from: other }, params, dice))
    }

    /// What an answered request left.
    pub(crate) fn apply(&mut self, op: &Op, answer: &Value) {
        let id = |field: &str| answer[field].as_str().unwrap_or_default().to_owned();
        if let Change::Enrol(person) = &op.change {
            self.0.push(Known {
                number: id("customer"),
                person: person.clone(),
                cards: BTreeMap::new(),
                issues: BTreeMap::new(),
                notes: Vec::new(),
                preferences: BTreeMap::new(),
                visits: 0,
                purse: Purse::default(),
                at_the_till: None,
                erased: false,
                merged: false,
                brought: None,
            });
            return;
        }
        if let Change::Merge { from } = op.change {
            let brought = Box::new(self.0[from].clone());
            self.0[op.customer].brought = Some((from, id("merge"), brought));
            self.0[from].merged = true;
            return;
        }
        let known = &mut self.0[op.customer];
        match op.change.clone() {
            Change::Enrol(_) | Change::Merge { .. } => {}
            Change::Person(person) => known.person = person,
            Change::Issue => {
                let code = answer["letters"].as_str().map(str::to_owned);
                known.cards.insert(id("card"), (false, code));
            }
            Change::Status { card, blocked } => known.cards.entry(card).or_default().0 = blocked,
            Change::Open { kind, hint } => drop(known.issues.insert(id("issue"), (kind, Some(hint)))),
            Change::Hint { issue, hint } => known.issues.entry(issue).or_default().1 = Some(hint),
            Change::Close { issue } => known.issues.entry(issue).or_default().1 = None,
            Change::Note(text) => known.notes.push(text),
            Change::Prefer { name, value: Some(value) } => drop(known.preferences.insert(name, value)),
            Change::Prefer { name, value: None } => drop(known.preferences.remove(name)),
            Change::Visit => {
                known.visits += 1;
                let visit = id("visit");
                // Whoever stood at the client's register before is there no more.
                self.0.iter_mut().for_each(|other| other.at_the_till = None);
                self.0[op.customer].at_the_till = Some(visit);
            }
            Change::Dismiss => known.at_the_till = None,
            Change::Purse(change) => known.purse.apply(&change, answer),
            Change::Unmerge { from } => {
                // What was let go of meanwhile is gone of both.
                if let Some((_, _, other)) = known.brought.take() {
                    self.0[from] = Known { merged: false, at_the_till: None, ..*other };
                }
            }
            Change::Erase => known.erased = true,
        }
    }
}

impl Op {
    /// The number of the customer it is about, unless it makes one.
    pub(crate) fn customer(&self) -> Option<usize> {
        (!matches!(self.change, Change::Enrol(_))).then_some(self.customer)
    }

    /// Whether it forgets its customer: then it may have been carried out by the start, and not under its own key.
    pub(crate) fn erases(&self) -> bool {
        matches!(self.change, Change::Erase)
    }

    /// The place of its customer, the one it makes included.
    pub(crate) fn place(&self) -> usize {
        self.customer
    }

    /// The field of the answer that must be the same for ever.
    pub(crate) fn outcome(&self) -> &'static str {
        match &self.change {
            Change::Enrol(_) | Change::Person(_) | Change::Prefer { .. } | Change::Erase => "customer",
            Change::Issue | Change::Status { .. } => "card",
            Change::Open { .. } | Change::Hint { .. } | Change::Close { .. } => "issue",
            Change::Note(_) => "note",
            Change::Visit | Change::Dismiss => "visit",
            Change::Purse(change) => change.outcome(),
            Change::Merge { .. } | Change::Unmerge { .. } => "merge",
        }
    }
}

fn op(method: &'static str, customer: usize, change: Change, mut params: Value, dice: &mut Dice) -> Op {
    let key = dice.uuid();
    params["key"] = json!(key);
    Op { key, method, params, customer, change }
}

fn person(dice: &mut Dice) -> Person {
    Person {
        given: (*dice.pick(&NAMES).unwrap()).to_owned(),
        family: format!("Ejemplo{}", dice.below(1_000_000)),
        phone: format!("+346{:08}", dice.below(100_000_000)),
    }
}
