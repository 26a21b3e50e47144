//! A breach assessed: whose data, which, sealed or not and where the key was, by when the authority is to be told, and a draft of
//! what it is told.
//!
//! It says what fichad can know. How the thief came in, who the shop is and what it did about it, the draft leaves open. Each assessment
//! stands in the neutral journal, as article 33(5) of the GDPR asks for; it holds numbers, never whose.

mod text;

use super::request::Ask;
use super::{Desk, Opened, waiting};
use crate::domain::breach::{Breach, NOTIFY_WITHIN, Reach, Taken, Whose};
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::person::fields::{FIELDS, Section};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::Timestamp;
use crate::log::Half;
use crate::store;
use crate::vault::{self, VaultError};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Customers that are read at once while they are counted.
const COUNTED_AT_ONCE: usize = 5_000;

/// The latest breaches that are listed.
const LISTED_MAX: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Assess {
    /// Needed unless it is a dry run; the number of the breach, too.
    #[serde(default)]
    key: Option<Uuid>,
    /// Writes nothing down.
    #[serde(default)]
    dry_run: bool,
    taken: BTreeSet<Taken>,
    /// When the shop became aware of it; now, unless it is told.
    #[serde(default)]
    found_at: Option<jiff::Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {}

impl Desk {
    /// `breach.assess`. Answers when every customer was counted and, unless it is a dry run, the breach is in the journal.
    pub(super) async fn assess_breach(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Assess { key, dry_run, taken, found_at } = ask.fields()?;
        let now = self.clock.utc();
        let found_at = found_at.map_or(now, |at| Timestamp(at.as_microsecond()));
        if taken.is_empty() {
            return Err(Refusal::field(
                "taken",
                "must name something: `STORE`, `KEYRING`, `KEYS`, `VAULT_KEY`, `MACHINE`",
            ));
        }
        if found_at > now {
            return Err(Refusal::field("found_at", "must not be in the future"));
        }
        let breach = match key {
            Some(key) => key,
            None if dry_run => Uuid::nil(),
            None => return Err(Refusal::field("key", "is missing: only a dry run goes without")),
        };
        let opened = self.store()?.clone();
        let _one_at_a_time = self.one_history()?;
        if !dry_run && self.done_before(ask, breach)?.is_some() {
            let found = waiting(move || written_down(&opened)).await?;
            let found = found.into_iter().find(|found| found.breach == breach);
            let found =
                found.ok_or_else(|| Refusal::new(RefusalCode::Internal, "a breach is not in the journal"))?;
            return Ok(self.told(&found, now, (false, true)));
        }
        let (key, by) = (self.settings.vault_key, ask.who.uid);
        let whose = waiting(move || count(&opened)).await?;
        let found = Breach { breach, found_at, reach: Reach::of(&taken, key), taken, key, whose, by };
        if dry_run {
            return Ok(self.told(&found, now, (true, false)));
        }
        let event = StoreEvent::BreachAssessed(Box::new(found.clone()));
        let done = self
            .write(ask, breach, move |tx| {
                store::emit(tx, &event)?;
                Ok(Outcome::default())
            })
            .await?;
        tracing::warn!(%breach, readable = ?found.reach.readable, who = by, "a breach was assessed");
        Ok(self.told(&found, now, (false, done.repeated)))
    }

    /// `breach.list`: those that were written down, the latest first.
    pub(super) async fn list_breaches(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let List {} = ask.fields()?;
        let (opened, now) = (self.store()?.clone(), self.clock.utc());
        let _one_at_a_time = self.one_history()?;
        let found = waiting(move || written_down(&opened)).await?;
        let row = |found: &Breach| row(found, now);
        Ok(json!({ "rows": found.iter().rev().take(LISTED_MAX).map(row).collect::<Vec<_>>() }))
    }

    fn told(&self, found: &Breach, now: Timestamp, (dry_run, repeated): (bool, bool)) -> Value {
        let mut told = row(found, now);
        let texts = text::drafts(found, self.settings.shop.as_deref());
        let more = json!({ "dry_run": dry_run, "repeated": repeated, "sections": sections(&found.whose), "texts": texts });
        if let (Some(told), Value::Object(more)) = (told.as_object_mut(), more) {
            told.extend(more);
            if dry_run {
                told.insert("breach".to_owned(), Value::Null);
            }
        }
        told
    }
}

fn row(found: &Breach, now: Timestamp) -> Value {
    let due = found.found_at.after(NOTIFY_WITHIN);
    let left = due.0.saturating_sub(now.0).checked_div(3_600_000_000).unwrap_or(0);
    json!({
        "breach": found.breach, "found_at": found.found_at.rfc3339(), "notify_by": due.rfc3339(), "hours_left": left,
        "taken": found.taken, "key": found.key, "readable": found.reach.readable, "by_guessing": found.reach.by_guessing,
        "authority": found.reach.authority(), "tell_persons": found.reach.persons(),
        "persons": found.whose.persons, "anonymous": found.whose.anonymous, "erased": found.whose.erased, "by": found.by,
    })
}

/// What persons have, each kind of section with the fields that the registry has for it.
fn sections(whose: &Whose) -> Vec<Value> {
    let row = |(kind, persons): (&String, &u64)| {
        let fields: Vec<&str> = match kind.as_str() {
            "card" => vec!["hash of the card"],
            vault::TILL => of(&[Section::Hints, Section::Preferences]),
            kind => Section::ALL
                .into_iter()
                .find(|section| is(*section, kind))
                .map(|section| of(&[section]))
                .unwrap_or_default(),
        };
        json!({ "section": kind, "persons": persons, "fields": fields })
    };
    whose.sections.iter().map(row).collect()
}

fn of(sections: &[Section]) -> Vec<&'static str> {
    FIELDS.iter().filter(|field| sections.contains(&field.section)).map(|field| field.name).collect()
}

fn is(section: Section, kind: &str) -> bool {
    let prefix = match section {
        Section::Notes => vault::NOTES,
        Section::Consents => vault::CONSENTS,
        Section::Contacts => vault::CONTACTS,
        Section::Plans => vault::PLANS,
        Section::Surveys => vault::SURVEYS,
        Section::Basic
        | Section::Demographic
        | Section::Complementary
        | Section::Academic
        | Section::Family
        | Section::Other
        | Section::Hints
        | Section::Preferences => return vault::section_of(section) == Some(kind),
    };
    prefix.strip_suffix(':') == Some(kind)
}

fn count(opened: &Opened) -> Result<Whose, Refusal> {
    let views = opened.log.views();
    let (mut whose, mut after) = (Whose::default(), None);
    loop {
        let customers = store::customers_after(&views, after, COUNTED_AT_ONCE)?;
        for customer in &customers {
            let number = customer.customer;
            if opened.vault.is_erased(&views, number)? {
                whose.count(None);
            } else {
                whose.count(Some(&opened.vault.sections_of(&views, number)?));
            }
            after = Some(number);
        }
        if customers.len() < COUNTED_AT_ONCE {
            return Ok(whose);
        }
    }
}

/// The breaches of the journal, the earliest first.
fn written_down(opened: &Opened) -> Result<Vec<Breach>, Refusal> {
    let mut found = Vec::new();
    let read = opened.log.past(Half::Neutral, &mut |_, event| {
        // Most lines are something else, and need no reading.
        if event.starts_with(br#"{"event":"breach_assessed""#)
            && let Ok(StoreEvent::BreachAssessed(breach)) = serde_json::from_slice(event)
        {
            found.push(*breach);
        }
    });
    read.map_err(VaultError::journal)?;
    Ok(found)
}
