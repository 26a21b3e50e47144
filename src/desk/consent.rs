//! Consents: what customers can be asked, what they said, what stands.
//!
//! Records are only ever added; the latest about a purpose and a channel stands. They lie in the vault, with the customer's key; the
//! text that was shown is in the journal of the neutral half, each text once, for it is the shop's and outlives the config.

use super::contact::{Pursued, Settings, said_at};
use super::issue::{change_till, check_text};
use super::person::{keys_of, no_such_customer};
use super::request::Ask;
use super::{Desk, random};
use crate::domain::consent::{
    self, Consent, ConsentState, ConsentText, EVIDENCE_CHARS_MAX, Purpose, Standing, TextHash,
};
use crate::domain::contact::Channel;
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::id::{CustomerNumber, RegisterName};
use crate::domain::person::fields::Basis;
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::Timestamp;
use crate::log::{Read, Tx};
use crate::store;
use crate::vault::{CONSENTS, CustomerKey, Vault};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// The most answers that are kept of a customer. A withdrawal is always kept.
const CONSENTS_MAX: usize = 200;

/// The most records that `consent.list` gives.
const LIST_MAX: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    key: Uuid,
    customer: CustomerNumber,
    state: ConsentState,
    #[serde(default)]
    purpose: Option<Purpose>,
    #[serde(default)]
    channel: Option<Channel>,
    #[serde(default)]
    text: Option<TextHash>,
    #[serde(default)]
    at: Option<jiff::Timestamp>,
    #[serde(default)]
    evidence: Option<String>,
    #[serde(default)]
    register: Option<RegisterName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    customer: CustomerNumber,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Texts {}

/// A record on its way into the vault, with the randomness that takes.
pub(super) struct New {
    pub(super) consent: Consent,
    pub(super) id: Uuid,
    pub(super) nonces: [[u8; 24]; 2],
}

impl Desk {
    /// The requests `consent.…`.
    pub(super) async fn consent(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        match ask.method {
            "consent.record" => self.record_consent(ask).await,
            "consent.list" => self.list_consents(ask),
            _ => self.list_texts(ask),
        }
    }

    /// `consent.texts`: what customers can be asked, and in which words.
    fn list_texts(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Texts {} = ask.fields()?;
        let purpose = |pursued: &Pursued| {
            let texts = pursued.texts.iter().map(|(hash, text)| text_row(hash, text));
            json!({
                "purpose": pursued.purpose, "basis": pursued.basis, "review_months": pursued.review_months,
                "channels": pursued.by.iter().filter_map(|by| by.channel).collect::<Vec<_>>(),
                "texts": texts.collect::<Vec<_>>(),
            })
        };
        let purposes: Vec<Value> = self.settings.contact.purposes.iter().map(purpose).collect();
        Ok(json!({ "purposes": purposes }))
    }

    /// `consent.record`.
    async fn record_consent(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Record { key, customer, state, purpose, channel, text, at, evidence, register } = ask.fields()?;
        check_text("evidence", evidence.as_deref(), EVIDENCE_CHARS_MAX)?;
        let at = said_at(at, self.clock.utc())?;
        let register = register.map(|named| ask.register(Some(named))).transpose()?;
        let register = register.or_else(|| ask.register.cloned());
        let settings = self.settings.contact.clone();
        let pursued = purpose.as_ref().and_then(|purpose| settings.of(purpose));
        check_scope(state, purpose.as_ref(), channel, pursued)?;
        let vault = Arc::clone(&self.store()?.vault);
        let (basis, months) = (pursued.map(|of| of.basis), pursued.map_or(0, |of| of.review_months));
        let by = ask.who.uid;
        let consent = Consent {
            purpose,
            channel,
            state,
            basis,
            text,
            at: Timestamp(0),
            seq: 0,
            review_at: None,
            by,
            register,
            evidence,
        };
        let new = New { consent, id: self.new_id()?, nonces: [random()?, random()?] };
        let done = self
            .write(ask, key, move |tx| {
                store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
                let keys = keys_of(tx, &vault, customer)?;
                let own = keys.first().ok_or_else(no_such_customer)?;
                keep_text(tx, &settings, &new.consent)?;
                let mut new = new;
                new.consent.at = at.unwrap_or(Timestamp(tx.meta().at_us));
                if state != ConsentState::Withdrawn {
                    new.consent.review_at = consent::review_at(new.consent.at, months);
                }
                let record = new.keep(tx, &vault, &settings, (own, &keys))?;
                Ok(Outcome { customer: Some(customer), record: Some(record), ..Outcome::default() })
            })
            .await?;
        Ok(json!({ "consent": done.outcome.record, "customer": customer, "repeated": done.repeated }))
    }

    /// `consent.list`: what stands, and every record behind it.
    fn list_consents(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let List { customer } = ask.fields()?;
        let opened = self.store()?;
        let views = opened.log.views();
        store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
        let keys = keys_of(&views, &opened.vault, customer)?;
        let mut records: Vec<(Uuid, Consent)> = opened.vault.records(&views, &keys, CONSENTS)?;
        records.sort_by_key(|(_, record)| (record.at, record.seq));
        let (mut rows, mut texts) = (Vec::new(), BTreeMap::new());
        for (id, record) in records.iter().rev().take(LIST_MAX) {
            rows.push(json!({
                "consent": id, "purpose": record.purpose, "channel": record.channel, "state": record.state,
                "basis": record.basis, "text": record.text, "at": record.at.rfc3339(),
                "review_at": record.review_at.map(Timestamp::rfc3339), "by": record.by,
                "register": record.register, "evidence": record.evidence,
            }));
            if let Some(hash) = &record.text
                && let Some(text) = store::consent_text(&views, hash)?
            {
                texts.insert(hash.clone(), text_row(hash, &text));
            }
        }
        let more = records.len() > rows.len();
        let records: Vec<Consent> = records.into_iter().map(|(_, record)| record).collect();
        let standing = standing(&self.settings.contact, &records, self.clock.utc());
        Ok(json!({
            "standing": standing, "records": rows, "more": more, "texts": texts.into_values().collect::<Vec<_>>(),
        }))
    }
}

impl New {
    /// Adds a record under one of a customer's numbers, within a transaction; gives the one that stands for it, which is an earlier
    /// one of that number if that says the same, and nothing was said since under any of them (`keys`).
    pub(super) fn keep(
        mut self,
        tx: &mut Tx<'_>,
        vault: &Vault,
        settings: &Settings,
        (data_key, keys): (&CustomerKey, &[CustomerKey]),
    ) -> Result<Uuid, Refusal> {
        self.consent.seq = tx.meta().seq;
        let Self { consent, id, nonces } = self;
        let is_withdrawal = consent.state == ConsentState::Withdrawn;
        let own = vault.records::<Consent>(tx, std::slice::from_ref(data_key), CONSENTS)?;
        let mut records: Vec<Consent> = own.iter().map(|(_, record)| record.clone()).collect();
        if is_withdrawal {
            let all = vault.records::<Consent>(tx, keys, CONSENTS)?;
            let all: Vec<Consent> = all.into_iter().map(|(_, record)| record).collect();
            let stands = consent::withdrawn(&all, (consent.purpose.as_ref(), consent.channel));
            if let Some((stands, _)) = own.iter().find(|(_, record)| Some(record) == stands) {
                return Ok(*stands);
            }
        } else if records.len() >= CONSENTS_MAX {
            let message =
                format!("{CONSENTS_MAX} answers are kept of this customer; only a withdrawal is still taken");
            return Err(Refusal::conflict("customer", message));
        }
        let plaintext = serde_json::to_vec(&consent);
        let plaintext =
            plaintext.map_err(|_| Refusal::new(RefusalCode::Internal, "a consent cannot be written"))?;
        let [first, second] = nonces;
        vault.write_section(tx, data_key, &format!("{CONSENTS}{id}"), &plaintext, first)?;
        records.push(consent);
        let asked = settings.asked(&records);
        match change_till(tx, vault, data_key.customer(), second, |till| till.asked = asked) {
            // What the till is shown is full: it may ask again then, but nobody is contacted against their will.
            Err(refusal) if is_withdrawal && refusal.code == RefusalCode::Conflict => {}
            changed => changed?,
        }
        Ok(id)
    }
}

/// Whether this can be said about a purpose and a channel.
fn check_scope(
    state: ConsentState,
    purpose: Option<&Purpose>,
    channel: Option<Channel>,
    pursued: Option<&Pursued>,
) -> Result<(), Refusal> {
    if purpose.is_some() && pursued.is_none() {
        return Err(Refusal::field("purpose", "is none of the config's; `consent.texts` lists them"));
    }
    let by_it = |pursued: &Pursued| pursued.by.iter().any(|by| by.channel == channel);
    if state == ConsentState::Withdrawn {
        let all = channel.is_none() || pursued.is_none_or(by_it);
        let message = "the purpose is not pursued by this channel; leave it out to withdraw all";
        return if all { Ok(()) } else { Err(Refusal::field("channel", message)) };
    }
    let Some(pursued) = pursued else {
        return Err(Refusal::field("purpose", "is missing: only a withdrawal is about all of them"));
    };
    if !by_it(pursued) {
        let message = "must be one of the purpose's channels; `consent.texts` lists them";
        return Err(Refusal::field("channel", message));
    }
    Ok(())
}

/// Keeps the text that was shown, if nobody was shown it before, within a transaction.
fn keep_text(tx: &mut Tx<'_>, settings: &Settings, consent: &Consent) -> Result<(), Refusal> {
    let needed = consent.state != ConsentState::Withdrawn && consent.basis == Some(Basis::Consent);
    let Some(hash) = &consent.text else {
        let message = "is missing: name the text that was shown; `consent.texts` has them";
        return if needed { Err(Refusal::field("text", message)) } else { Ok(()) };
    };
    let other = || Refusal::field("text", "is no text of this purpose; `consent.texts` has them");
    if let Some(kept) = store::consent_text(tx, hash)? {
        return if consent.purpose.as_ref().is_none_or(|of| *of == kept.purpose) {
            Ok(())
        } else {
            Err(other())
        };
    }
    let texts = consent.purpose.as_ref().and_then(|purpose| settings.of(purpose)).map(|of| &of.texts);
    let known = texts.and_then(|texts| texts.iter().find(|(known, _)| known == hash));
    let (hash, text) = known.ok_or_else(other)?.clone();
    Ok(store::emit(tx, &StoreEvent::ConsentTextKept { hash, text })?)
}

/// What stands for each purpose and channel of the config.
pub(super) fn standing(settings: &Settings, records: &[Consent], now: Timestamp) -> Vec<Value> {
    let mut rows = Vec::new();
    for pursued in &settings.purposes {
        for by in &pursued.by {
            let latest = consent::latest(records, &pursued.purpose, by.channel);
            rows.push(json!({
                "purpose": pursued.purpose, "channel": by.channel, "basis": pursued.basis,
                "state": latest.map(|latest| latest.standing(now)).map(Standing::word),
                "since": latest.map(|latest| latest.at.rfc3339()),
                "review_at": latest.and_then(|latest| latest.review_at).map(Timestamp::rfc3339),
            }));
        }
    }
    rows
}

/// What a customer said about the purposes of the config, as `customer.show` has it.
pub(super) fn shown(
    settings: &Settings,
    views: &(impl Read + ?Sized),
    vault: &Vault,
    keys: &[CustomerKey],
    now: Timestamp,
) -> Result<Vec<Value>, Refusal> {
    let records = vault.records::<Consent>(views, keys, CONSENTS)?;
    let records: Vec<Consent> = records.into_iter().map(|(_, record)| record).collect();
    let mut rows = standing(settings, &records, now);
    rows.retain(|row| !row["state"].is_null());
    Ok(rows)
}

fn text_row(hash: &TextHash, text: &ConsentText) -> Value {
    json!({
        "text": hash, "purpose": text.purpose, "language": text.language, "version": text.version,
        "words": text.text,
    })
}
