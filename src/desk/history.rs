//! The versions of one customer: who changed what when, and bringing an earlier one back as a new one.
//!
//! Journals are read on a thread that may wait. Values are shown to a manager alone; every reading is in the log with who
//! asked. What no key opens any more is said to be so, and cannot be brought back.

use super::methods::Beyond;
use super::person::{NOTHING, Sealed, no_such_customer, write_sections};
use super::request::Ask;
use super::twins::untold;
use super::{Desk, Opened, issue, random, waiting};
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::id::CustomerNumber;
use crate::domain::operator::By;
use crate::domain::person::Person;
use crate::domain::person::fields::Section;
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::Timestamp;
use crate::log::Half;
use crate::store;
use crate::vault::{self, Held, History, TILL, VaultError, Writing};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;
use zeroize::Zeroizing;

/// The most versions that an answer holds, the newest.
const VERSIONS_MAX: usize = 100;

/// The same with the values of each.
const VERSIONS_WITH_VALUES_MAX: usize = 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Versions {
    customer: CustomerNumber,
    /// Whether each version comes with the person as it was.
    #[serde(default)]
    values: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revert {
    key: Uuid,
    customer: CustomerNumber,
    version: u64,
}

/// The fields of every section at one time; `None`: no key opens it.
type State = BTreeMap<String, Option<Map<String, Value>>>;

impl Desk {
    /// `customer.history`.
    pub(super) async fn history(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Versions { customer, values } = ask.fields()?;
        if values && !ask.who.may(Beyond::EarlierValues) {
            let field = Some("values".to_owned());
            let message = "what a version held is shown to a manager alone; leave `values` out";
            return Err(Refusal { field, ..Refusal::new(RefusalCode::Forbidden, message) });
        }
        let opened = self.store()?.clone();
        let numbers = numbers(&opened, customer)?;
        tracing::info!(%customer, who = ask.who.uid, values, "a customer's history was read");
        let _one_at_a_time = self.one_history()?;
        waiting(move || {
            let mut history = opened.vault.history(&opened.log, &numbers)?;
            // What one transaction wrote under two numbers are two versions, each of its own number.
            history.writings.sort_by_key(|writing| (writing.meta.seq, writing.customer));
            let by = who_asked(&opened, &history)?;
            Ok(told(&history, &by, values))
        })
        .await
    }

    /// `customer.revert`: the person as a version left it, written as a new one. Notes, hints, preferences and cards stay.
    pub(super) async fn revert(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Revert { key, customer, version } = ask.fields()?;
        if self.done_before(ask, key)?.is_some() {
            return self.reverted((customer, version), true).await;
        }
        let Opened { log, vault } = self.store()?.clone();
        let numbers = numbers(self.store()?, customer)?;
        let (reader, journal) = (Arc::clone(&vault), log);
        let one_at_a_time = self.one_history()?;
        let (sections, name) = waiting(move || {
            let history = reader.history(&journal, &numbers)?;
            sections_at(&history, customer, version)
        })
        .await?;
        drop(one_at_a_time);
        let nonce = random()?;
        let done = self
            .write(ask, key, move |tx| {
                let data_key = vault.key_of(tx, customer)?.ok_or_else(no_such_customer)?;
                write_sections(tx, &vault, &data_key, sections)?;
                issue::change_till(tx, &vault, customer, nonce, |till| till.name = name)?;
                Ok(Outcome { customer: Some(customer), ..Outcome::default() })
            })
            .await?;
        tracing::info!(%customer, version, who = ask.who.uid, "an earlier version of a customer was brought back");
        self.reverted((customer, version), done.repeated).await
    }

    /// Whoever comes back as they were is a changed person, and compared as any other.
    async fn reverted(
        &self,
        (customer, version): (CustomerNumber, u64),
        repeated: bool,
    ) -> Result<Value, Refusal> {
        let duplicates = self.twins_of_kept(customer).await.unwrap_or_else(untold);
        Ok(
            json!({ "customer": customer, "version": version, "duplicates": duplicates, "repeated": repeated }),
        )
    }

    /// Each reads a journal whole.
    pub(super) fn one_history(&self) -> Result<tokio::sync::MutexGuard<'_, ()>, Refusal> {
        let busy =
            |_| Refusal::new(RefusalCode::Busy, "another history is being read; try again in a moment");
        self.histories.try_lock().map_err(busy)
    }
}

/// The numbers whose versions are a customer's.
fn numbers(opened: &Opened, customer: CustomerNumber) -> Result<Vec<CustomerNumber>, Refusal> {
    let views = opened.log.views();
    store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
    Ok(store::numbers_of(&views, customer)?)
}

/// Who asked for each of the transactions that wrote something.
fn who_asked(opened: &Opened, history: &History) -> Result<BTreeMap<u64, By>, Refusal> {
    let wrote: BTreeSet<u64> = history.writings.iter().map(|writing| writing.meta.seq).collect();
    let mut by = BTreeMap::new();
    let read = opened.log.past(Half::Neutral, &mut |meta, event| {
        if wrote.contains(&meta.seq)
            && let Ok(StoreEvent::RequestDone(done)) = serde_json::from_slice(event)
            && let Some(uid) = done.by
        {
            by.insert(meta.seq, By { uid, operator: done.operator });
        }
    });
    read.map_err(VaultError::journal)?;
    Ok(by)
}

/// The section of the registry that is sealed under a name; of others what they are.
fn word(sealed: &str) -> &str {
    let of_form = Section::OF_FORM.into_iter().find(|section| vault::section_of(*section) == Some(sealed));
    match of_form {
        Some(section) => section.word(),
        None if sealed == TILL => "till",
        None if sealed.starts_with(vault::NOTES) => Section::Notes.word(),
        None if sealed.starts_with(vault::CONSENTS) => Section::Consents.word(),
        None if sealed.starts_with(vault::CONTACTS) => Section::Contacts.word(),
        None if sealed.starts_with(vault::PLANS) => Section::Plans.word(),
        None if sealed.starts_with(vault::SURVEYS) => Section::Surveys.word(),
        None => "cards",
    }
}

fn told(history: &History, by: &BTreeMap<u64, By>, values: bool) -> Value {
    let mut states: BTreeMap<CustomerNumber, State> = BTreeMap::new();
    let mut versions: Vec<Value> = Vec::new();
    let place = |writing: &Writing| (writing.meta.seq, writing.customer);
    for writings in history.writings.chunk_by(|one, other| place(one) == place(other)) {
        let Some((meta, customer)) = writings.first().map(|one| (one.meta, one.customer)) else { continue };
        let state = states.entry(customer).or_default();
        let mut changes = Vec::new();
        let mut readable = true;
        for writing in writings {
            let now = writing.held.fields();
            let has_fields =
                word(&writing.section) != "cards" && word(&writing.section) != Section::Notes.word();
            readable = readable && (now.is_some() || !has_fields && matches!(writing.held, Held::Text(_)));
            let fields = match (state.get(&writing.section), &now) {
                (_, None) | (Some(None), _) => None,
                (before, Some(now)) => Some(changed(before.and_then(Option::as_ref), now)),
            };
            if !has_fields {
                changes.push(json!({ "section": word(&writing.section), "fields": null }));
            } else if fields.as_ref().is_none_or(|fields| !fields.is_empty()) {
                changes.push(json!({ "section": word(&writing.section), "fields": fields }));
            }
            state.insert(writing.section.clone(), now);
        }
        let by = by.get(&meta.seq);
        let mut version = json!({
            "version": meta.seq, "customer": customer, "at": Timestamp(meta.at_us).rfc3339(), "by": by.map(|by| by.uid),
            "operator": by.and_then(|by| by.operator.as_ref()), "readable": readable, "changes": changes,
        });
        if let Some(version) = version.as_object_mut().filter(|_| values) {
            version.insert("person".to_owned(), json!(person_of(state)));
        }
        versions.push(version);
    }
    let most = if values { VERSIONS_WITH_VALUES_MAX } else { VERSIONS_MAX };
    let more = history.more || versions.len() > most;
    versions.reverse();
    versions.truncate(most);
    json!({ "versions": versions, "more": more })
}

/// Names of the fields that differ.
fn changed(before: Option<&Map<String, Value>>, now: &Map<String, Value>) -> BTreeSet<String> {
    let nothing = Map::new();
    let before = before.unwrap_or(&nothing);
    let names = before.keys().chain(now.keys());
    names.filter(|name| before.get(*name) != now.get(*name)).cloned().collect()
}

/// The person of a state, all sections in one; `None` if one of them cannot be read.
fn person_of(state: &State) -> Option<Map<String, Value>> {
    let mut person = Map::new();
    for section in Section::OF_FORM {
        if let Some(fields) = vault::section_of(section).and_then(|name| state.get(name)) {
            person.extend(fields.clone()?);
        }
    }
    Some(person)
}

/// The sections of the person as a version left them, and how the till greeted. Of a version that wrote under two numbers it is
/// the customer's own.
fn sections_at(
    history: &History,
    customer: CustomerNumber,
    version: u64,
) -> Result<(Vec<Sealed>, Option<String>), Refusal> {
    let wrote = history.writings.iter().filter(|writing| writing.meta.seq == version);
    let numbers: BTreeSet<CustomerNumber> = wrote.map(|writing| writing.customer).collect();
    let own = numbers.get(&customer).or_else(|| numbers.first());
    let field = || Some("version".to_owned());
    let Some(of) = own.copied() else {
        let message = "this customer has no such version; `customer.history` lists them";
        return Err(Refusal { field: field(), ..Refusal::new(RefusalCode::NotFound, message) });
    };
    let (mut sections, mut name) = (Vec::new(), None);
    for section in Section::OF_FORM {
        let Some(sealed) = vault::section_of(section) else { continue };
        let of_it = |writing: &&Writing| writing.customer == of && writing.meta.seq <= version;
        let mut writings = history.writings.iter().filter(of_it);
        let last = writings.rfind(|writing| writing.section == sealed);
        let plaintext = match last.map(|last| &last.held) {
            Some(Held::Text(text)) => text.clone(),
            Some(Held::Nothing) | None => Zeroizing::new(NOTHING.to_vec()),
            Some(Held::Unreadable) => {
                let message = "the key of this version was destroyed, by an erasure or by retention: it cannot be brought back";
                return Err(Refusal { field: field(), ..Refusal::new(RefusalCode::Conflict, message) });
            }
        };
        if section == Section::Basic {
            let person: Result<Person, _> = serde_json::from_slice(&plaintext);
            let person = person.map_err(|_| VaultError::Layout { what: "person" })?;
            name = Some(person.greeting_name()).filter(|name| !name.is_empty());
        }
        sections.push(Sealed { name: sealed, plaintext, nonce: random()? });
    }
    Ok((sections, name))
}
