//! Notes and preferences: free text, so all of it in the vault.

use super::issue::{change_till, check_text};
use super::person::{keys_of, no_such_customer};
use super::request::Ask;
use super::{Desk, Opened, random};
use crate::domain::event::Outcome;
use crate::domain::id::CustomerNumber;
use crate::domain::preference::Preference;
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::source::Source;
use crate::domain::time::Timestamp;
use crate::log::Tx;
use crate::store;
use crate::vault::{NOTES, NOTES_MAX, Vault, made_at};
use serde::Deserialize;
use serde_json::{Value, json};
use std::cmp::Reverse;
use uuid::Uuid;
use zeroize::Zeroizing;

/// The longest note, in characters: sealed it still fits one value of a view.
const NOTE_CHARS_MAX: usize = 600;

/// Rows of one answer of `note.list`: even of the longest notes it is some hundred kilobytes.
const LIST_MAX: usize = 50;

/// The longest preference, in characters.
const PREFERENCE_CHARS_MAX: usize = 60;

/// The most preferences of one customer.
const PREFERENCES_MAX: usize = 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeepNote {
    key: Uuid,
    customer: CustomerNumber,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RemoveNote {
    key: Uuid,
    customer: CustomerNumber,
    note: Uuid,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListNotes {
    customer: CustomerNumber,
    /// Only those before this one: `next` of the answer before.
    #[serde(default)]
    before: Option<Uuid>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetPreference {
    key: Uuid,
    customer: CustomerNumber,
    name: String,
    /// Absent: the preference is withdrawn.
    #[serde(default)]
    value: Option<String>,
    /// Absent: a member of staff was told.
    #[serde(default)]
    source: Option<Source>,
}

impl Desk {
    pub(super) async fn note(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        match ask.method {
            "note.remove" => self.remove_note(ask).await,
            "note.list" => self.list_notes(ask),
            _ => self.keep_note(ask).await,
        }
    }

    /// `note.keep`.
    async fn keep_note(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let KeepNote { key, customer, text } = ask.fields()?;
        check_text("text", Some(&text), NOTE_CHARS_MAX)?;
        let vault = self.store()?.vault.clone();
        let note = self.new_id()?;
        let nonce = random()?;
        let done = self
            .write(ask, key, move |tx| {
                store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
                let data_key = vault.key_of(tx, customer)?.ok_or_else(no_such_customer)?;
                if vault.notes_kept(tx, &data_key)? >= NOTES_MAX {
                    return Err(full());
                }
                vault.write_section(tx, &data_key, &format!("note:{note}"), text.as_bytes(), nonce)?;
                Ok(Outcome { customer: Some(customer), note: Some(note), ..Outcome::default() })
            })
            .await?;
        Ok(json!({ "note": done.outcome.note, "repeated": done.repeated }))
    }

    /// `note.remove`: what was written wrongly is taken out again (GDPR article 16). Also what was written under a number that
    /// was merged into the customer's.
    async fn remove_note(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let RemoveNote { key, customer, note } = ask.fields()?;
        let vault = self.store()?.vault.clone();
        let done = self
            .write(ask, key, move |tx| {
                store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
                for data_key in keys_of(tx, &vault, customer)? {
                    if vault.record_ids(tx, &data_key, NOTES)?.contains(&note) {
                        vault.remove_record(tx, &data_key, NOTES, note)?;
                        return Ok(Outcome {
                            customer: Some(customer),
                            note: Some(note),
                            ..Outcome::default()
                        });
                    }
                }
                Err(no_such_note())
            })
            .await?;
        Ok(json!({ "note": done.outcome.note, "repeated": done.repeated }))
    }

    /// `note.list`: the notes with their ids, newest first.
    fn list_notes(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let ListNotes { customer, before } = ask.fields()?;
        let Opened { log, vault } = self.store()?;
        let views = log.views();
        store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
        let mut notes = Vec::new();
        for data_key in keys_of(&views, vault, customer)? {
            notes.extend(vault.notes(&views, &data_key, NOTES_MAX)?);
        }
        notes.retain(|(id, _)| before.is_none_or(|before| *id < before));
        notes.sort_unstable_by_key(|(id, _)| Reverse(*id));
        let is_more = notes.len() > LIST_MAX;
        notes.truncate(LIST_MAX);
        let row = |(id, text): &(Uuid, Zeroizing<String>)| json!({ "note": id, "kept_at": made_at(*id).map(Timestamp::rfc3339), "text": text.as_str() });
        let next = notes.last().filter(|_| is_more).map(|(id, _)| id);
        Ok(json!({ "notes": notes.iter().map(row).collect::<Vec<_>>(), "next": next }))
    }

    /// `preference.set`.
    pub(super) async fn set_preference(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let SetPreference { key, customer, name, value, source } = ask.fields()?;
        check_text("name", Some(&name), PREFERENCE_CHARS_MAX)?;
        check_text("value", value.as_deref(), PREFERENCE_CHARS_MAX)?;
        let vault = self.store()?.vault.clone();
        let (nonce, source) = (random()?, source.or(Some(Source::Staff)));
        let done = self
            .write(ask, key, move |tx| {
                let stated_at = Some(Timestamp(tx.meta().at_us));
                let kept = store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
                let withdrawn = match &value {
                    Some(_) => false,
                    None => withdraw_of_members(tx, &vault, &kept.members, &name)?,
                };
                let (mut full, mut stood) = (false, false);
                change_till(tx, &vault, customer, nonce, |till| {
                    match &value {
                        Some(value) => {
                            let stated = Preference { value: value.clone(), source, stated_at };
                            till.preferences.insert(name.clone(), stated);
                        }
                        None => stood = till.preferences.remove(&name).is_some(),
                    }
                    full = till.preferences.len() > PREFERENCES_MAX;
                })?;
                if full {
                    let message =
                        format!("a customer has at most {PREFERENCES_MAX} preferences; withdraw one first");
                    return Err(Refusal::conflict("name", message));
                }
                if value.is_none() && !stood && !withdrawn {
                    let message = "the customer has no preference of this name; `customer.show` has them";
                    let field = Some("name".to_owned());
                    return Err(Refusal { field, ..Refusal::new(RefusalCode::NotFound, message) });
                }
                Ok(Outcome { customer: Some(customer), ..Outcome::default() })
            })
            .await?;
        Ok(json!({ "customer": customer, "repeated": done.repeated }))
    }
}

/// What somebody who was merged had stated shows with the customer too, so it is withdrawn there as well. Whether anybody had.
fn withdraw_of_members(
    tx: &mut Tx<'_>,
    vault: &Vault,
    members: &[CustomerNumber],
    name: &str,
) -> Result<bool, Refusal> {
    let mut any = false;
    for member in members {
        let data_key = vault.key_of(tx, *member)?.ok_or_else(no_such_customer)?;
        if vault.till(tx, &data_key)?.preferences.contains_key(name) {
            change_till(tx, vault, *member, random()?, |till| drop(till.preferences.remove(name)))?;
            any = true;
        }
    }
    Ok(any)
}

fn no_such_note() -> Refusal {
    let message = "this customer has no such note; `note.list` shows them";
    Refusal { field: Some("note".to_owned()), ..Refusal::new(RefusalCode::NotFound, message) }
}

fn full() -> Refusal {
    let message = format!(
        "{NOTES_MAX} notes are kept of this customer, and there is no room for more: take one out with `note.remove`, \
         or say it as the hint of an issue or a preference"
    );
    Refusal::conflict("customer", message)
}
