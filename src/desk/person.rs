//! Persons: enrol, find, show, change.

use super::issue::change_till;
use super::request::Ask;
use super::{Desk, compose, random};
use crate::domain::code::{CardKey, Parsed, Programme, parse};
use crate::domain::contact::{E164, Email};
use crate::domain::customer::Customer;
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::id::CustomerNumber;
use crate::domain::person::Person;
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::log::Views;
use crate::vault::keyring::IndexField;
use crate::vault::lookup::{self, Query};
use crate::vault::{self, Vault};
use crate::{decode, store};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::Duration;
use uuid::Uuid;
use zeroize::Zeroizing;

/// The most rows that a search gives.
const ROWS_MAX: usize = 5;

/// A key for a new customer is there at once but in a rush of enrolments; longer than a sync takes nobody waits for one.
const KEY_WITHIN: Duration = Duration::from_secs(2);

/// The most notes that are shown with a customer, of those that are kept.
const NOTES_SHOWN_MAX: usize = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enrol {
    key: Uuid,
    person: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    key: Uuid,
    customer: CustomerNumber,
    person: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Find {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    phone: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Show {
    customer: CustomerNumber,
}

/// A checked person, ready for the vault. No `Debug`.
struct Sealable {
    plaintext: Zeroizing<Vec<u8>>,
    /// How the till greets.
    name: Option<String>,
    person: Person,
}

impl Desk {
    /// `customer.enrol`: a new number with a person behind it.
    pub(super) async fn enrol(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Enrol { key, person } = ask.fields()?;
        if let Some(Outcome { customer, .. }) = self.done_before(ask, key)? {
            let opted_out = self.store()?.vault.opted_out(&self.sealable(&person)?.person);
            return Ok(json!({ "customer": customer, "opted_out": opted_out, "repeated": true }));
        }
        let vault = self.store()?.vault.clone();
        let Sealable { plaintext, name, person } = self.sealable(&person)?;
        let opted_out = vault.opted_out(&person);
        let ready = tokio::time::timeout(KEY_WITHIN, vault.key_file()?.take_soon()).await;
        let reserved = ready.map_err(|_| {
            Refusal::new(RefusalCode::Busy, "no key is ready for a new customer; try again in a moment")
        })?;
        let customer = CustomerNumber(Uuid::new_v4());
        let nonces = (random()?, random()?);
        let done = self
            .write(ask, key, move |tx| {
                let data_key = vault.assign_key(tx, customer, reserved)?;
                vault.write_section(tx, &data_key, vault::PERSON, &plaintext, nonces.0)?;
                change_till(tx, &vault, customer, nonces.1, |till| till.name = name)?;
                store::emit(tx, &StoreEvent::CustomerEnrolled { customer })?;
                Ok(Outcome { customer: Some(customer), ..Outcome::default() })
            })
            .await?;
        let (customer, repeated) = (done.outcome.customer, done.repeated);
        Ok(json!({ "customer": customer, "opted_out": opted_out, "repeated": repeated }))
    }

    /// `customer.change`: the person, written anew whole.
    pub(super) async fn change_person(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Change { key, customer, person } = ask.fields()?;
        let vault = self.store()?.vault.clone();
        let Sealable { plaintext, name, .. } = self.sealable(&person)?;
        let nonces = (random()?, random()?);
        let done = self
            .write(ask, key, move |tx| {
                let data_key = vault.key_of(tx, customer)?.ok_or_else(no_such_customer)?;
                vault.write_section(tx, &data_key, vault::PERSON, &plaintext, nonces.0)?;
                change_till(tx, &vault, customer, nonces.1, |till| till.name = name)?;
                Ok(Outcome { customer: Some(customer), ..Outcome::default() })
            })
            .await?;
        Ok(json!({ "customer": customer, "repeated": done.repeated }))
    }

    /// The checked person as the section that is sealed.
    fn sealable(&self, form: &Map<String, Value>) -> Result<Sealable, Refusal> {
        let person = Person::read(form, self.settings.calling_code)
            .map_err(|error| Refusal::field(format!("person.{}", error.field), error.problem))?;
        for (field, value) in form {
            // Phones and addresses are judged by their own types; a name is a free text.
            let text = value.as_str().unwrap_or_default();
            if decode::payment::finds_card_number(text) {
                let message = "holds what looks like a payment card number; those are never kept";
                return Err(Refusal::field(format!("person.{field}"), message));
            }
        }
        let plaintext = serde_json::to_vec(&person);
        let plaintext =
            plaintext.map_err(|_| Refusal::new(RefusalCode::Internal, "a person cannot be written"))?;
        if plaintext.len() > vault::SECTION_BYTES_MAX {
            return Err(Refusal::field("person", "is too long in all; shorten the longest fields"));
        }
        let name = Some(person.greeting_name()).filter(|name| !name.is_empty());
        Ok(Sealable { plaintext: Zeroizing::new(plaintext), name, person })
    }

    /// `customer.find`: by code, phone, e-mail or name; at most [`ROWS_MAX`] masked rows.
    pub(super) fn find(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let find: Find = ask.fields()?;
        let opened = self.store()?;
        self.spend_search(ask.who)?;
        let views = opened.log.views();
        let (mut found, more) = self.search(&opened.vault, &views, &find)?;
        found.sort_unstable();
        found.dedup();
        let more = more || found.len() > ROWS_MAX;
        found.truncate(ROWS_MAX);
        let mut rows = Vec::new();
        for number in found {
            if let Some(customer) = store::customer(&views, number)? {
                rows.extend(row(&opened.vault, &views, &customer)?);
            }
        }
        Ok(json!({ "rows": rows, "more": more }))
    }

    fn search(
        &self,
        vault: &Vault,
        views: &Views,
        find: &Find,
    ) -> Result<(Vec<CustomerNumber>, bool), Refusal> {
        let asked = [&find.code, &find.phone, &find.email, &find.name];
        let mut asked = asked.into_iter().flatten();
        let (Some(_), None) = (asked.next(), asked.next()) else {
            let message = "give exactly one of `code`, `phone`, `email` and `name`";
            return Err(Refusal::field("", message));
        };
        if let Some(code) = &find.code {
            let link = vault.link(views, &meant_key(code, self.settings.rules.programme)?)?;
            return Ok((link.map(|link| link.customer).into_iter().collect(), false));
        }
        let calling_code = self.settings.calling_code;
        if let Some(phone) = &find.phone {
            let phone = E164::parse(phone, calling_code)
                .map_err(|error| Refusal::field("phone", error.to_string()))?;
            return Ok(vault.find(views, &[(IndexField::Phone, phone.as_str().to_owned())])?);
        }
        if let Some(email) = &find.email {
            let email = Email::parse(email).map_err(|error| Refusal::field("email", error.to_string()))?;
            return Ok(vault.find(views, &[(IndexField::Email, email.lookup())])?);
        }
        let name = find.name.as_deref().unwrap_or_default();
        let query =
            Query::read(name, calling_code).map_err(|error| Refusal::field("name", error.to_string()))?;
        let mut found = Vec::new();
        let (candidates, more) = vault.find(views, query.terms())?;
        for customer in candidates {
            // The index holds beginnings only; whether the rest fits, the person alone can tell.
            let data_key = match vault.key_of(views, customer) {
                Ok(Some(data_key)) => data_key,
                // The views forget an erased customer a moment after the key is gone.
                Ok(None) | Err(vault::VaultError::Erased) => continue,
                Err(error) => return Err(error.into()),
            };
            let person = vault.person(views, &data_key)?;
            found.extend(person.filter(|person| query.matches(person)).map(|_| customer));
        }
        Ok((found, more))
    }

    /// `customer.show`: everything that the desk may see of one customer.
    pub(super) fn show(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Show { customer } = ask.fields()?;
        let opened = self.store()?;
        let views = opened.log.views();
        let kept = store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
        let data_key = opened.vault.key_of(&views, customer)?;
        let (mut person, mut notes) = (None, Vec::new());
        if let Some(data_key) = data_key {
            person = opened.vault.person(&views, &data_key)?;
            notes = opened.vault.notes(&views, &data_key, NOTES_SHOWN_MAX)?;
        }
        let notes: Vec<&str> = notes.iter().map(|note| note.as_str()).collect();
        Ok(json!({
            "file": compose::compose(&views, &opened.vault, &kept, self.clock.utc()),
            "person": person,
            "notes": notes,
            "cards": super::card::card_rows(&kept),
            "enrolled_at": kept.enrolled_at.rfc3339(),
            "visits": kept.visits,
            "last_visit_at": kept.last_visit.map(|(_, at)| at.rfc3339()),
        }))
    }
}

/// One row of a search: enough to ask the right question, not enough to copy a person. None of somebody who is just being
/// erased.
fn row(vault: &Vault, views: &Views, customer: &Customer) -> Result<Option<Value>, Refusal> {
    let masked = match vault.key_of(views, customer.customer) {
        Ok(Some(data_key)) => vault.person(views, &data_key)?.map(|person| lookup::masked(&person)),
        Ok(None) => None,
        Err(vault::VaultError::Locked) => None,
        Err(vault::VaultError::Erased) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(Some(json!({
        "customer": customer.customer,
        "name": masked.as_ref().map(|masked| masked.name.as_str()),
        "phone": masked.as_ref().and_then(|masked| masked.telephone.as_deref()),
        "issues_open": customer.issues_open.len(),
    })))
}

/// The key that a typed code means: its own, or the one a single repair away.
fn meant_key(code: &str, ours: Programme) -> Result<CardKey, Refusal> {
    match parse(code.as_bytes(), ours) {
        Parsed::Valid(key) | Parsed::Damaged { proposal: Some(key), .. } => Ok(key),
        Parsed::Damaged { proposal: None, .. } | Parsed::NotOurs => {
            Err(Refusal::field("code", "is no code of ours, or more than one of its characters is wrong"))
        }
    }
}

pub(super) fn no_such_customer() -> Refusal {
    Refusal::new(RefusalCode::NotFound, "no customer has this number")
}
