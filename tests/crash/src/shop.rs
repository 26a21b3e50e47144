//! What a client asks for, and what must be true of its customers afterwards: the model that the daemon is compared with.
//!
//! Each client has customers of its own and asks one thing at a time, so its customers are, at any moment, as its answered
//! requests left them, or as those and the one under way did. Nothing between: a request holds in both halves or in none.

use crate::dice::Dice;
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
/// Requests that erase.
const ERASED_OF_A_THOUSAND: usize = 25;
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
    Status { card: String, blocked: bool },
    Open { kind: &'static str, hint: String },
    Hint { issue: String, hint: String },
    Close { issue: String },
    Note(String),
    Prefer { name: &'static str, value: Option<String> },
    Visit,
    Dismiss,
    Sale { total: i64 },
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
    /// How many, and what they come to in cents.
    sales: (u64, i64),
    at_the_till: Option<String>,
    erased: bool,
}

impl Known {
    /// In the form of [`seen`].
    pub(crate) fn expected(&self) -> Value {
        if self.erased {
            return Value::Null;
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
            "preferences": preferences, "visits": self.visits, "sales": self.sales,
        })
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
    }

    pub(crate) fn phone(&self) -> &str {
        &self.person.phone
    }

    /// The codes of its cards.
    pub(crate) fn codes(&self) -> impl Iterator<Item = &String> {
        self.cards.values().filter_map(|(_, code)| code.as_ref())
    }
}

/// A customer as `customer.show` and `issue.list` show it.
pub(crate) fn seen(show: &Value, list: &Value) -> Value {
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
    let turnover: i64 =
        rows(&show["bought"]["turnover"]).iter().filter_map(|amount| amount["minor"].as_i64()).sum();
    json!({
        "sales": (&show["bought"]["sales"], turnover), "name": show["file"]["name"], "person": show["person"], "cards": cards, "issues": issues,
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
        let living = self.0.iter().filter(|known| !known.erased).count();
        let chance = if living < CUSTOMERS_MAX { 15 } else { 0 };
        if living == 0 || dice.percent(chance) {
            let person = person(dice);
            let params = json!({ "person": person.form() });
            return op("customer.enrol", self.0.len(), Change::Enrol(person), params, dice);
        }
        loop {
            let place = dice.below(self.0.len());
            if let Some(op) = self.0[place].next(place, register, dice) {
                return op;
            }
        }
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
                sales: (0, 0),
                at_the_till: None,
                erased: false,
            });
            return;
        }
        let known = &mut self.0[op.customer];
        match op.change.clone() {
            Change::Enrol(_) => {}
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
            Change::Sale { total } => known.sales = (known.sales.0 + 1, known.sales.1 + total),
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
        match self.change {
            Change::Enrol(_) | Change::Person(_) | Change::Prefer { .. } | Change::Erase => "customer",
            Change::Issue | Change::Status { .. } => "card",
            Change::Open { .. } | Change::Hint { .. } | Change::Close { .. } => "issue",
            Change::Note(_) => "note",
            Change::Visit | Change::Dismiss => "visit",
            Change::Sale { .. } => "sale",
        }
    }
}

impl Known {
    /// Something that can be done with this customer now.
    fn next(&self, place: usize, register: &str, dice: &mut Dice) -> Option<Op> {
        if self.erased {
            return None;
        }
        let customer = &self.number;
        if dice.below(1000) < ERASED_OF_A_THOUSAND {
            let params = json!({ "customer": customer, "purpose": "REQUEST", "now": dice.percent(30) });
            return Some(op("customer.erase", place, Change::Erase, params, dice));
        }
        let text = |dice: &mut Dice| format!("n.º {}", dice.below(1_000_000));
        let open: Vec<&String> =
            self.issues.iter().filter(|(_, (_, hint))| hint.is_some()).map(|(issue, _)| issue).collect();
        let (method, change, params) = match dice.below(12) {
            0 => {
                let person = person(dice);
                let params = json!({ "customer": customer, "person": person.form() });
                ("customer.change", Change::Person(person), params)
            }
            1 if self.cards.len() < CARDS_MAX => {
                ("card.issue", Change::Issue, json!({ "customer": customer }))
            }
            2 => {
                let cards: Vec<_> = self.cards.iter().collect();
                let (card, (was_blocked, _)) = dice.pick(&cards)?;
                let change = Change::Status { card: (*card).clone(), blocked: !was_blocked };
                let params = json!({ "customer": customer, "card": card });
                if *was_blocked {
                    ("card.unblock", change, params)
                } else {
                    let params = json!({ "customer": customer, "card": card, "reason": "LOST" });
                    ("card.block", change, params)
                }
            }
            3 if open.len() < OPEN_ISSUES_MAX && self.issues.len() < ISSUES_MAX => {
                let (kind, hint) = (*dice.pick(&KINDS)?, text(dice));
                let params = json!({ "customer": customer, "kind": kind, "hint": hint });
                ("issue.open", Change::Open { kind, hint }, params)
            }
            4 => {
                let (issue, hint) = ((*dice.pick(&open)?).clone(), text(dice));
                let params = json!({ "issue": issue, "hint": hint });
                ("issue.update", Change::Hint { issue, hint }, params)
            }
            5 => {
                let issue = (*dice.pick(&open)?).clone();
                let params = json!({ "issue": issue });
                ("issue.close", Change::Close { issue }, params)
            }
            6 if self.notes.len() < NOTES_MAX => {
                let text = format!("{}, {}", text(dice), "a longer word of the desk ".repeat(dice.below(20)));
                let params = json!({ "customer": customer, "text": text });
                ("note.keep", Change::Note(text), params)
            }
            7 => {
                let name = *dice.pick(&PREFERENCES)?;
                let value = dice.percent(80).then(|| text(dice));
                let params = match &value {
                    Some(value) => json!({ "customer": customer, "name": name, "value": value }),
                    None => json!({ "customer": customer, "name": name }),
                };
                ("preference.set", Change::Prefer { name, value }, params)
            }
            8 => ("file.open", Change::Visit, json!({ "customer": customer, "register": register })),
            9 => ("customer.dismiss", Change::Dismiss, json!({ "visit": self.at_the_till.as_ref()? })),
            10 | 11 => {
                let (total, params) = receipt(customer, register, dice);
                ("sale.record", Change::Sale { total }, params)
            }
            _ => return None,
        };
        Some(op(method, place, change, params, dice))
    }
}

/// A sale of a customer, with its total.
fn receipt(customer: &str, register: &str, dice: &mut Dice) -> (i64, Value) {
    let mut line = |_| {
        let amount = 1 + i64::try_from(dice.below(20_000)).unwrap_or(0);
        (
            amount,
            json!({ "sku": format!("A{}", dice.below(500)), "quantity": 1000, "unit_price": amount, "amount": amount }),
        )
    };
    let (amounts, lines): (Vec<i64>, Vec<Value>) = (0..3).map(&mut line).unzip();
    let total = amounts.iter().sum();
    let number = dice.uuid().simple().to_string();
    let receipt = json!({
        "number": number, "day": "2026-09-21", "currency": "EUR", "lines": lines, "total": total,
        "tenders": [{ "kind": "CASH", "amount": total }],
    });
    (total, json!({ "customer": customer, "register": register, "receipt": receipt }))
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
