//! The audit trail: every answer that tells something personal is noted in the neutral journal with who asked, for what, of
//! whom and which fields, and the auditor reads it back. What it was read for is the method: each serves one purpose.
//!
//! The note is queued for the committer and nobody waits for it: a reader's answer is not held up by a disk. What the
//! journal does not take is counted, said in the log and told in `audit.list`. A scan is noted by its visit, which is in the
//! journal anyway. What was read is never in the trail, only what it is called.

use super::access::Principal;
use super::request::Ask;
use super::{Desk, waiting};
use crate::domain::audit::PersonalRead;
use crate::domain::event::StoreEvent;
use crate::domain::id::{CustomerNumber, RegisterName};
use crate::domain::operator::Operator;
use crate::domain::person::fields::{FIELDS, Field, Kind, named};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::log::{Half, Meta, Tx};
use crate::store;
use crate::vault::VaultError;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::Ordering;

/// Requests whose answers tell something personal.
const READS: &[&str] = &[
    "customer.find",
    "customer.show",
    "customer.duplicates",
    "customer.history",
    "customer.export",
    "customer.list",
    "customer.worth",
    "file.open",
    "file.explain",
    "card.list",
    "issue.list",
    "issue.due",
    "recall.buyers",
    "note.list",
    "consent.list",
    "contact.list",
    "contact.may",
    "plan.list",
    "survey.due",
    "survey.answers",
];

/// The request that is asked by what is known of a person; which of its fields were given is noted.
const SEARCH: &str = "customer.find";

/// Requests that write, and the part of their answers that tells something of others.
const TOLD_BESIDE: [(&str, &str); 4] = [
    ("customer.enrol", "duplicates"),
    ("customer.change", "duplicates"),
    ("customer.revert", "duplicates"),
    ("customer.import", "alike"),
];

/// Rows of one answer of `audit.list`.
const PAGE_MAX: usize = 100;

/// Customers of one line of the trail, and of one row that is told; a longer answer is several lines.
const CUSTOMERS_MAX: usize = 200;
const CUSTOMERS_TOLD_MAX: usize = 10;

/// Names of fields of one line.
const FIELDS_MAX: usize = 64;

/// So deep an answer is searched for customers: rows, and a file in a row.
const DEPTH_MAX: usize = 4;

/// So many layers of an answer have the names of all that they tell noted; those of the registry are noted at any depth.
const OUTER_LAYERS: usize = 3;

/// What fields of the registry are called where answers and sections have many of them, or say what follows from them.
const TOLD_AS: [(&str, &str); 14] = [
    ("answers", "surveyAnswer"),
    ("consents", "consent"),
    ("consents_due", "consent"),
    ("contacts", "contact"),
    ("hints", "hint"),
    ("holder", "cardHolder"),
    ("holders", "cardHolder"),
    ("may", "consent"),
    ("notes", "note"),
    ("objects", "objection"),
    ("plans", "plan"),
    ("preferences", "preference"),
    ("standing", "consent"),
    ("why_not", "surveyAnswer"),
];

/// Fields of an answer that hold what is personal one level further down.
const HOLDERS: [&str; 5] = ["person", "file", "rows", "entries", "duplicates"];

/// Fields of an answer that say nothing of a person.
const ABOUT_NOBODY: [&str; 6] = ["customer", "repeated", "next", "part", "parts", "visit"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    customer: Option<CustomerNumber>,
    #[serde(default)]
    by: Option<u32>,
    #[serde(default)]
    operator: Option<Operator>,
    #[serde(default)]
    since: Option<jiff::Timestamp>,
    #[serde(default)]
    until: Option<jiff::Timestamp>,
    /// Only what stands before this line: `next` of the answer before.
    #[serde(default)]
    before: Option<u64>,
}

/// What is looked for.
struct Wanted {
    customers: Option<Vec<CustomerNumber>>,
    by: Option<u32>,
    operator: Option<Operator>,
    since: Option<i64>,
    until: Option<i64>,
    before: Option<u64>,
}

/// Whether the answers of a request are noted when they tell something of somebody.
#[must_use]
pub fn is_noted(method: &str) -> bool {
    READS.contains(&method) || TOLD_BESIDE.iter().any(|(other, _)| *other == method)
}

impl Desk {
    /// Notes that `who` was told `answer`, if that is a request that tells something personal.
    pub(super) fn note_read(&self, ask: &Ask<'_>, answer: &Value) {
        let beside = TOLD_BESIDE.iter().find(|(method, _)| *method == ask.method);
        let mut customers = BTreeSet::new();
        let answer = match beside {
            Some((_, part)) => answer.get(part).unwrap_or(&Value::Null),
            None if READS.contains(&ask.method) => {
                if let Ok(params) = ask.fields::<Value>() {
                    customers_in(&params, 1, &mut customers);
                }
                answer
            }
            None => return,
        };
        customers_in(answer, DEPTH_MAX, &mut customers);
        let mut fields = BTreeSet::new();
        fields_in(answer, OUTER_LAYERS, &mut fields);
        let fields: Vec<String> = fields.into_iter().take(FIELDS_MAX).collect();
        let searched_by = if ask.method == SEARCH { given(ask) } else { Vec::new() };
        let customers: Vec<CustomerNumber> = customers.into_iter().collect();
        for customers in customers.chunks(CUSTOMERS_MAX) {
            let read = PersonalRead {
                method: ask.method.to_owned(),
                by: ask.who.uid,
                operator: ask.operator.cloned(),
                roles: roles(ask.who),
                register: ask.register.cloned(),
                customers: customers.to_vec(),
                fields: fields.clone(),
                searched_by: searched_by.clone(),
            };
            self.journal_read(read);
        }
    }

    fn journal_read(&self, read: PersonalRead) {
        let (method, who) = (read.method.clone(), read.by);
        let note =
            move |tx: &mut Tx<'_>| store::emit(tx, &StoreEvent::PersonalRead(read)).map_err(Refusal::from);
        let queued = self.store().and_then(|opened| opened.log.submit(note).map_err(Refusal::from));
        if let Err(refusal) = queued {
            let missed = self.reads_not_noted.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            tracing::error!(method, who, missed, error = %refusal, "a reading of personal data is not in the audit trail");
        }
    }

    /// `audit.list`: who read what of whom, the latest first.
    pub(super) async fn audit(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let List { customer, by, operator, since, until, before } = ask.fields()?;
        let opened = self.store()?.clone();
        let _one_at_a_time = self.one_history()?;
        let not_noted = self.reads_not_noted.load(Ordering::Relaxed);
        waiting(move || {
            // A merged customer's readings count for both.
            let customers =
                customer.map(|customer| store::numbers_of(&opened.log.views(), customer)).transpose()?;
            let micros = |at: jiff::Timestamp| at.as_microsecond();
            let (since, until) = (since.map(micros), until.map(micros));
            let wanted = Wanted { customers, by, operator, since, until, before };
            let (mut found, mut more): (VecDeque<(u64, Value)>, bool) = Default::default();
            let read = opened.log.past(Half::Neutral, &mut |meta, event| {
                let Some(row) = wanted.row(meta, event) else { return };
                found.push_back((meta.seq, row));
                if found.len() > PAGE_MAX {
                    found.pop_front();
                    more = true;
                }
            });
            read.map_err(VaultError::journal)?;
            let next = found.front().map(|(seq, _)| *seq).filter(|_| more);
            let rows: Vec<Value> = found.into_iter().rev().map(|(_, row)| row).collect();
            Ok(json!({ "rows": rows, "next": next, "not_noted": not_noted }))
        })
        .await
    }
}

impl Wanted {
    fn row(&self, meta: &Meta, event: &[u8]) -> Option<Value> {
        let at = meta.at_us;
        let out = self.before.is_some_and(|before| meta.seq >= before)
            || self.since.is_some_and(|since| at < since)
            || self.until.is_some_and(|until| at >= until);
        if out {
            return None;
        }
        let (read, by) = reading(event)?;
        let of_them = |numbers: &Vec<CustomerNumber>| numbers.iter().any(|one| read.customers.contains(one));
        let of_another = self.by.is_some_and(|wanted| by != Some(wanted))
            || self.operator.as_ref().is_some_and(|wanted| read.operator.as_ref() != Some(wanted));
        if of_another || !self.customers.as_ref().is_none_or(of_them) {
            return None;
        }
        let told = match &self.customers {
            Some(numbers) => {
                read.customers.iter().filter(|one| numbers.contains(one)).copied().collect::<Vec<_>>()
            }
            None => read.customers.iter().take(CUSTOMERS_TOLD_MAX).copied().collect(),
        };
        Some(json!({
            "seq": meta.seq, "at": Timestamp(at).rfc3339(), "method": read.method, "by": by, "operator": read.operator,
            "roles": read.roles, "register": read.register, "fields": read.fields, "searched_by": read.searched_by,
            "customers": told, "count": read.customers.len(),
        }))
    }
}

/// A line of the journal as one of the trail, and who asked; a card that was shown at a register was asked for by nobody.
pub(super) fn reading(event: &[u8]) -> Option<(PersonalRead, Option<u32>)> {
    // Most lines are something else, and need no reading.
    let begins = |tag: &str| event.get(..tag.len()) == Some(tag.as_bytes());
    if !begins(r#"{"event":"personal_read""#) && !begins(r#"{"event":"visit_opened""#) {
        return None;
    }
    if let Ok(StoreEvent::PersonalRead(read)) = serde_json::from_slice(event) {
        let by = Some(read.by);
        return Some((read, by));
    }
    let Visit { customer, register, operator, .. } = shown(event)?;
    let read = PersonalRead {
        method: "identified".to_owned(),
        by: 0,
        operator,
        roles: Vec::new(),
        register: Some(register),
        customers: vec![customer],
        fields: vec!["file".to_owned()],
        searched_by: Vec::new(),
    };
    Some((read, None))
}

/// What the trail has of a visit.
#[derive(Deserialize)]
struct Visit {
    customer: CustomerNumber,
    register: RegisterName,
    #[serde(default)]
    card: Option<Value>,
    #[serde(default)]
    operator: Option<Operator>,
}

/// Whose card was shown where, and to whom. A file that was opened by hand has a line of its own.
fn shown(event: &[u8]) -> Option<Visit> {
    serde_json::from_slice(event).ok().filter(|visit: &Visit| visit.card.is_some())
}

fn roles(who: &Principal) -> Vec<String> {
    let word = |role| serde_json::to_value(role).ok()?.as_str().map(str::to_owned);
    who.roles.iter().filter_map(word).collect()
}

fn customers_in(value: &Value, depth: usize, found: &mut BTreeSet<CustomerNumber>) {
    let Some(deeper) = depth.checked_sub(1) else { return };
    match value {
        Value::Object(fields) => {
            let number: Option<CustomerNumber> =
                fields.get("customer").and_then(Value::as_str).and_then(|text| text.parse().ok());
            found.extend(number);
            fields.values().for_each(|value| customers_in(value, deeper, found));
        }
        Value::Array(values) => values.iter().for_each(|value| customers_in(value, depth, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Names of what an answer tells, in its `outer` layers whatever they are, and those of the registry further down.
fn fields_in(value: &Value, outer: usize, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(sealed_in(fields));
            found.extend(fields.get("part").and_then(Value::as_str).map(str::to_owned));
            for (name, value) in fields {
                let empty = value.is_null() || value == &json!([]) || value == &json!({});
                if empty || ABOUT_NOBODY.contains(&name.as_str()) {
                    continue;
                }
                if let Some(field) = registered(name) {
                    found.insert(field.to_owned());
                } else if outer > 0 && HOLDERS.contains(&name.as_str()) {
                    fields_in(value, outer.saturating_sub(1), found);
                } else {
                    if outer > 0 {
                        found.insert(name.clone());
                    }
                    fields_in(value, 0, found);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| fields_in(value, outer, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The registry's name of a field of an answer.
fn registered(name: &str) -> Option<&'static str> {
    let other = TOLD_AS.iter().find(|(told, _)| *told == name).map(|(_, field)| *field);
    other.or_else(|| named(name).map(|field| field.name))
}

/// What an exported section is that has no fields of its own: a note, a contact.
fn sealed_in(fields: &Map<String, Value>) -> Option<String> {
    fields.get("holds")?;
    let section = fields.get("section")?.as_str()?;
    // `notes`, or as it is sealed: `consent:` and a UUID.
    let kind = section.split(':').next().unwrap_or_default();
    let is =
        |field: &&Field| field.kind == Kind::Free && (field.section.word() == kind || field.name == kind);
    FIELDS.iter().find(is).map(|field| field.name.to_owned())
}

/// Which fields of a request were given.
fn given(ask: &Ask<'_>) -> Vec<String> {
    let given = ask.fields::<Map<String, Value>>().unwrap_or_default().into_iter();
    given.filter(|(_, value)| !value.is_null()).map(|(name, _)| name).collect()
}
