//! Contacts: each time that shop and customer had to do with each other, what came of it, and who may be contacted for what.
//!
//! Records lie in the vault and hold words of the shop's lists, no text. Nothing here sends anything.

mod list;
mod may;
mod settings;

pub(super) use list::last_rows;
pub(super) use settings::EVERYTHING;
pub use settings::{Pursued, Settings};

use super::consent::New;
use super::person::{keys_of, no_such_customer};
use super::request::Ask;
use super::{Desk, Opened, random, waiting};
use crate::decode;
use crate::domain::consent::{Consent, ConsentState, Purpose};
use crate::domain::contact::{Channel, Contact, Direction, Response, ResponseKind};
use crate::domain::event::Outcome;
use crate::domain::id::{CustomerNumber, RegisterName, VisitId};
use crate::domain::money::{MINOR_MAX, Money};
use crate::domain::purchase::check_word;
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::Timestamp;
use crate::log::Tx;
use crate::store;
use crate::vault::{CONTACTS, CustomerKey, Vault, VaultError};
use list::{row, sums};
use may::{Known, Pair, reason, refused};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// The most contacts kept of a customer; beyond, the oldest go. One a week for years.
const CONTACTS_MAX: usize = 400;

/// The most contacts that `contact.list` gives.
const LIST_MAX: usize = 50;

/// The most customers that `contact.may` is asked about at once.
const ASKED_MAX: usize = 50;

/// Another's clock may be this far ahead of ours.
const AHEAD_MAX: Duration = Duration::from_secs(120);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    key: Uuid,
    customer: CustomerNumber,
    channel: Channel,
    direction: Direction,
    #[serde(default)]
    purpose: Option<Purpose>,
    #[serde(default)]
    campaign: Option<String>,
    #[serde(default)]
    template: Option<String>,
    #[serde(default)]
    cost: Option<Money>,
    #[serde(default)]
    at: Option<jiff::Timestamp>,
    /// Nothing is recorded unless the customer may be contacted for this.
    #[serde(default)]
    only_if_allowed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Respond {
    key: Uuid,
    customer: CustomerNumber,
    contact: Uuid,
    response: ResponseKind,
    #[serde(default)]
    at: Option<jiff::Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    customer: CustomerNumber,
    #[serde(default)]
    channel: Option<Channel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct May {
    customers: Vec<CustomerNumber>,
    #[serde(default)]
    purpose: Option<Purpose>,
    #[serde(default)]
    channel: Option<Channel>,
}

impl Desk {
    /// The requests `contact.…`.
    pub(super) async fn contact(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        match ask.method {
            "contact.record" => self.record_contact(ask).await,
            "contact.respond" => self.respond(ask).await,
            "contact.may" => self.may_contact(ask).await,
            _ => self.list_contacts(ask).await,
        }
    }

    /// `contact.record`.
    async fn record_contact(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let given: Record = ask.fields()?;
        let Record {
            key,
            customer,
            channel,
            direction,
            purpose,
            campaign,
            template,
            cost,
            at,
            only_if_allowed,
        } = given;
        for (field, word) in [("campaign", &campaign), ("template", &template)] {
            check_list_word(field, word.as_deref())?;
        }
        if cost.is_some_and(|cost| !(0..=MINOR_MAX).contains(&cost.minor)) {
            return Err(Refusal::field("cost.minor", "must be 0 to 2^53-1 minor units"));
        }
        let now = self.clock.utc();
        let at = said_at(at, now)?;
        let settings = self.settings.contact.clone();
        if purpose.as_ref().is_some_and(|purpose| settings.of(purpose).is_none()) {
            return Err(Refusal::field("purpose", "is none of the config's; `consent.texts` lists them"));
        }
        let claimed = match (only_if_allowed, direction, &purpose) {
            (false, ..) => None,
            (true, Direction::Out, Some(purpose)) => Some(purpose.clone()),
            (true, ..) => {
                let message = "is for what the shop sends for a `purpose`";
                return Err(Refusal::field("only_if_allowed", message));
            }
        };
        let vault = Arc::clone(&self.store()?.vault);
        let (id, nonce, by, register) = (self.new_id()?, random()?, ask.who.uid, ask.register.cloned());
        let done = self
            .write(ask, key, move |tx| {
                store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
                if let Some(purpose) = claimed {
                    let known = Known::of(tx, &vault, &settings, customer, now)?;
                    let pair = settings.pair(&purpose, Some(channel))?;
                    known.may(&pair, now).map_err(|why| refused(&why))?;
                }
                let data_key = vault.key_of(tx, customer)?.ok_or_else(no_such_customer)?;
                let at = at.unwrap_or(Timestamp(tx.meta().at_us));
                let (visit, responses) = (None, Vec::new());
                let contact = Contact {
                    direction,
                    channel,
                    at,
                    purpose,
                    campaign,
                    template,
                    cost,
                    visit,
                    register,
                    by,
                    responses,
                };
                add(tx, &vault, &data_key, (id, &contact), nonce)?;
                Ok(Outcome { customer: Some(customer), record: Some(id), ..Outcome::default() })
            })
            .await?;
        Ok(json!({ "contact": done.outcome.record, "repeated": done.repeated }))
    }

    /// `contact.respond`. Who opts out has withdrawn their consent by the same request.
    async fn respond(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Respond { key, customer, contact: id, response, at } = ask.fields()?;
        let at = said_at(at, self.clock.utc())?;
        let settings = self.settings.contact.clone();
        let vault = Arc::clone(&self.store()?.vault);
        let (consent_id, by, register) = (self.new_id()?, ask.who.uid, ask.register.cloned());
        let (nonce, nonces) = (random()?, [random()?, random()?]);
        let done = self
            .write(ask, key, move |tx| {
                store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
                let keys = keys_of(tx, &vault, customer)?;
                let kept = vault.record_of::<Contact>(tx, &keys, CONTACTS, id)?;
                let (data_key, mut kept) = kept.ok_or_else(no_such_contact)?;
                let at = at.unwrap_or(Timestamp(tx.meta().at_us));
                if kept.respond(Response { kind: response, at }) {
                    write(tx, &vault, data_key, (id, &kept), nonce)?;
                }
                if response == ResponseKind::OptedOut {
                    let basis =
                        kept.purpose.as_ref().and_then(|purpose| settings.of(purpose)).map(|of| of.basis);
                    let consent = Consent {
                        purpose: kept.purpose,
                        channel: Some(kept.channel),
                        state: ConsentState::Withdrawn,
                        basis,
                        text: None,
                        at,
                        seq: 0,
                        review_at: None,
                        by,
                        register,
                        evidence: None,
                    };
                    // Beside the contact that it answers: an undone merge takes both along.
                    let new = New { consent, id: consent_id, nonces };
                    new.keep(tx, &vault, &settings, (data_key, &keys))?;
                }
                Ok(Outcome { customer: Some(customer), record: Some(id), ..Outcome::default() })
            })
            .await?;
        Ok(json!({ "contact": id, "repeated": done.repeated }))
    }

    /// `contact.list`: the newest first, and all that are kept in sum by channel.
    async fn list_contacts(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let List { customer, channel } = ask.fields()?;
        let opened = self.store()?.clone();
        waiting(move || {
            let views = opened.log.views();
            store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
            let keys = keys_of(&views, &opened.vault, customer)?;
            let mut contacts: Vec<(Uuid, Contact)> = opened.vault.records(&views, &keys, CONTACTS)?;
            contacts.retain(|(_, contact)| channel.is_none_or(|channel| channel == contact.channel));
            let rows: Vec<Value> = contacts.iter().rev().take(LIST_MAX).map(row).collect();
            let more = contacts.len() > rows.len();
            Ok(json!({ "contacts": rows, "more": more, "channels": sums(&contacts) }))
        })
        .await
    }

    /// `contact.may`.
    async fn may_contact(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let May { customers, purpose, channel } = ask.fields()?;
        if customers.is_empty() || customers.len() > ASKED_MAX {
            return Err(Refusal::field("customers", format!("must be 1 to {ASKED_MAX} customer numbers")));
        }
        let settings = self.settings.contact.clone();
        let pairs: Vec<Pair> = settings.pairs(purpose.as_ref(), channel);
        if pairs.is_empty() {
            let message =
                "is none of the config's, or not pursued by this channel; `consent.texts` lists them";
            return Err(Refusal::field("purpose", message));
        }
        let (opened, now) = (self.store()?.clone(), self.clock.utc());
        waiting(move || {
            let Opened { log, vault } = opened;
            let views = log.views();
            let mut rows = Vec::new();
            for customer in customers {
                store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
                let known = Known::of(&views, &vault, &settings, customer, now)?;
                rows.extend(pairs.iter().map(|pair| {
                    let may = known.may(pair, now);
                    let (reason, at) = may.as_ref().err().map(reason).unzip();
                    json!({
                        "customer": customer, "purpose": pair.0.purpose, "channel": pair.1, "may": may.is_ok(),
                        "reason": reason, "at": at.flatten().map(Timestamp::rfc3339),
                    })
                }));
            }
            Ok(json!({ "rows": rows }))
        })
        .await
    }
}

/// Records that a customer's file was opened for a contact, within the transaction of the visit. `false`: the vault is locked, or
/// nothing is kept of this customer; the visit is the shop's only record then.
pub(super) fn opened(
    tx: &mut Tx<'_>,
    vault: &Vault,
    customer: CustomerNumber,
    (id, visit, register, by, channel): (Uuid, VisitId, RegisterName, u32, Channel),
    nonce: [u8; 24],
) -> Result<bool, Refusal> {
    let data_key = match vault.key_of(tx, customer) {
        Ok(Some(data_key)) => data_key,
        Ok(None) | Err(VaultError::Locked | VaultError::Erased) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let contact = Contact {
        direction: Direction::In,
        channel,
        at: Timestamp(tx.meta().at_us),
        purpose: None,
        campaign: None,
        template: None,
        cost: None,
        visit: Some(visit),
        register: Some(register),
        by,
        responses: Vec::new(),
    };
    add(tx, vault, &data_key, (id, &contact), nonce)?;
    Ok(true)
}

/// Adds a contact; beyond [`CONTACTS_MAX`] the oldest goes.
fn add(
    tx: &mut Tx<'_>,
    vault: &Vault,
    data_key: &CustomerKey,
    contact: (Uuid, &Contact),
    nonce: [u8; 24],
) -> Result<(), Refusal> {
    let kept = vault.record_ids(tx, data_key, CONTACTS)?;
    let too_many = kept.len().saturating_add(1).saturating_sub(CONTACTS_MAX);
    for oldest in kept.into_iter().take(too_many) {
        vault.remove_record(tx, data_key, CONTACTS, oldest)?;
    }
    write(tx, vault, data_key, contact, nonce)
}

fn write(
    tx: &mut Tx<'_>,
    vault: &Vault,
    data_key: &CustomerKey,
    (id, contact): (Uuid, &Contact),
    nonce: [u8; 24],
) -> Result<(), Refusal> {
    let plaintext = serde_json::to_vec(contact);
    let plaintext =
        plaintext.map_err(|_| Refusal::new(RefusalCode::Internal, "a contact cannot be written"))?;
    Ok(vault.write_section(tx, data_key, &format!("{CONTACTS}{id}"), &plaintext, nonce)?)
}

/// When something was said or done, if that was told: not in the future.
pub(super) fn said_at(at: Option<jiff::Timestamp>, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
    let at = at.map(|at| Timestamp(at.as_microsecond()));
    if at.is_some_and(|at| at > now.after(AHEAD_MAX)) {
        return Err(Refusal::field("at", "must not be in the future"));
    }
    Ok(at)
}

fn check_list_word(field: &str, word: Option<&str>) -> Result<(), Refusal> {
    let Some(word) = word else { return Ok(()) };
    check_word(field, word).map_err(|(field, message)| Refusal::field(field, message))?;
    if decode::payment::finds_card_number(word) {
        let message = "holds what looks like a payment card number; those are never kept";
        return Err(Refusal::field(field, message));
    }
    Ok(())
}

fn no_such_contact() -> Refusal {
    Refusal::new(RefusalCode::NotFound, "this customer has no such contact; `contact.list` shows them")
}
