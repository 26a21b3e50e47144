//! Persons: enrol, show, change.

use super::issue::change_till;
use super::request::Ask;
use super::{Desk, Opened, compose, consent, contact, plan, random};
use crate::domain::contact::CallingCode;
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::id::CustomerNumber;
use crate::domain::person::fields::Section;
use crate::domain::person::{Form, Person};
use crate::domain::preference::Preference;
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::{Day, Timestamp};
use crate::log::{Read, Tx, Views};
use crate::vault::keyring::IndexField;
use crate::vault::{self, CustomerKey, Till, Vault, VaultError, lookup};
use crate::{decode, store};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::Duration;
use uuid::Uuid;
use zeroize::Zeroizing;

/// A key for a new customer is there at once but in a rush of enrolments; longer than a sync takes nobody waits for one.
const KEY_WITHIN: Duration = Duration::from_secs(2);

/// The most notes that are shown with a customer, of those that are kept.
const NOTES_SHOWN_MAX: usize = 50;

/// The most contacts that are shown with a customer, of those that are kept.
const CONTACTS_SHOWN_MAX: usize = 5;

/// A section that says nothing.
pub(super) const NOTHING: &[u8] = b"{}";

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
struct Show {
    customer: CustomerNumber,
}

/// A checked person, ready for the vault. No `Debug`.
pub(super) struct Sealable {
    pub(super) sections: Vec<Sealed>,
    /// How the till greets.
    pub(super) name: Option<String>,
    pub(super) person: Person,
    pub(super) demographic: Map<String, Value>,
}

/// A section of a form as it is kept, with the randomness that sealing it takes. No `Debug`.
pub(super) struct Sealed {
    pub(super) name: &'static str,
    /// Empty where the form says nothing of it.
    pub(super) plaintext: Zeroizing<Vec<u8>>,
    pub(super) nonce: [u8; 24],
}

impl Desk {
    /// `customer.enrol`: a new number with a person behind it.
    pub(super) async fn enrol(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Enrol { key, person } = ask.fields()?;
        let before = self.done_before(ask, key)?;
        let vault = self.store()?.vault.clone();
        let Sealable { sections, name, person, demographic } = self.sealable(&person)?;
        let own = before.and_then(|before| before.customer);
        let (opted_out, known) = (vault.opted_out(&person), self.is_known(&person, own)?);
        let duplicates = self.twins_told(person, demographic, own).await;
        let answer = |customer: Option<CustomerNumber>, repeated: bool| {
            json!({
                "customer": customer, "known": known, "duplicates": duplicates, "opted_out": opted_out,
                "repeated": repeated,
            })
        };
        if before.is_some() {
            return Ok(answer(own, true));
        }
        let ready = tokio::time::timeout(KEY_WITHIN, vault.key_file()?.take_soon()).await;
        let reserved = ready.map_err(|_| {
            Refusal::new(RefusalCode::Busy, "no key is ready for a new customer; try again in a moment")
        })?;
        let customer = CustomerNumber(Uuid::new_v4());
        let nonce = random()?;
        let done = self
            .write(ask, key, move |tx| {
                let data_key = vault.assign_key(tx, customer, reserved)?;
                write_sections(tx, &vault, &data_key, sections)?;
                change_till(tx, &vault, customer, nonce, |till| till.name = name)?;
                store::emit(tx, &StoreEvent::CustomerEnrolled { customer })?;
                Ok(Outcome { customer: Some(customer), ..Outcome::default() })
            })
            .await?;
        Ok(answer(done.outcome.customer, done.repeated))
    }

    /// Whether one of a person's telephone numbers or addresses is another customer's too: a hint to look before a second
    /// file is kept of one person. No refusal, for a household shares its telephone.
    fn is_known(&self, person: &Person, but: Option<CustomerNumber>) -> Result<bool, Refusal> {
        let Opened { log, vault } = self.store()?;
        let terms = lookup::terms(person).into_iter();
        for term in terms.filter(|(field, _)| matches!(field, IndexField::Phone | IndexField::Email)) {
            let (found, _) = vault.find(&log.views(), &[vec![term]])?;
            if found.into_iter().any(|customer| Some(customer) != but) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// `customer.change`: the person, written anew whole.
    pub(super) async fn change_person(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Change { key, customer, person } = ask.fields()?;
        let vault = self.store()?.vault.clone();
        let Sealable { sections, name, person, demographic } = self.sealable(&person)?;
        let nonce = random()?;
        let done = self
            .write(ask, key, move |tx| {
                store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
                let data_key = vault.key_of(tx, customer)?.ok_or_else(no_such_customer)?;
                write_sections(tx, &vault, &data_key, sections)?;
                change_till(tx, &vault, customer, nonce, |till| till.name = name)?;
                Ok(Outcome { customer: Some(customer), ..Outcome::default() })
            })
            .await?;
        let duplicates = self.twins_told(person, demographic, Some(customer)).await;
        Ok(json!({ "customer": customer, "duplicates": duplicates, "repeated": done.repeated }))
    }

    /// See [`sealable`].
    fn sealable(&self, form: &Map<String, Value>) -> Result<Sealable, Refusal> {
        let today = Day::of(self.clock.utc(), &self.settings.points.time_zone);
        sealable(form, self.settings.calling_code, today)
    }

    /// `customer.show`: everything that the desk may see of one customer.
    pub(super) fn show(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Show { customer } = ask.fields()?;
        let opened = self.store()?;
        let views = opened.log.views();
        let kept = store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
        let (mut person, mut notes) = (None, Vec::new());
        let now = self.clock.utc();
        let keys = keys_of(&views, &opened.vault, customer)?;
        if let Some(own) = keys.first() {
            person = whole_person(&opened.vault, &views, own)?;
        }
        for key in &keys {
            let room = NOTES_SHOWN_MAX.saturating_sub(notes.len());
            notes.extend(opened.vault.notes(&views, key, room)?);
        }
        let consents = consent::shown(&self.settings.contact, &views, &opened.vault, &keys, now)?;
        let contacts = contact::last_rows(&views, &opened.vault, &keys, CONTACTS_SHOWN_MAX)?;
        let mut plans = plan::rows(&views, &opened.vault, &keys, now)?;
        plans.retain(|plan| plan["state"] == "OPEN");
        let till = compose::tills(&views, &opened.vault, &kept)?;
        let notes: Vec<&str> = notes.iter().map(|(_, text)| text.as_str()).collect();
        Ok(json!({
            "file": compose::compose(&views, &opened.vault, (&kept, None), (&self.settings, now)),
            "person": person,
            "notes": notes,
            "consents": consents,
            "contacts": contacts,
            "plans": plans,
            "preferences": till.as_ref().map(preferences),
            "cards": super::card::card_rows(&kept, till.as_ref(), now),
            "enrolled_at": kept.enrolled_at.rfc3339(),
            "visits": kept.visits,
            "last_visit_at": kept.last_visit.map(|(_, at)| at.rfc3339()),
            "bought": super::sale::bought(&kept.bought),
            "merged": super::merge::rows(&views, &kept)?,
        }))
    }
}

/// All that is preferred, by name.
fn preferences(till: &Till) -> Vec<Value> {
    let row = |(name, stated): (&String, &Preference)| {
        let at = stated.stated_at.map(Timestamp::rfc3339);
        json!({ "name": name, "value": stated.value, "source": stated.source, "stated_at": at })
    };
    till.preferences.iter().map(row).collect()
}

/// The data keys of a customer, and of those merged into them who were not erased.
///
/// # Errors
/// `not_found` if the customer was erased, `locked`, or a failing view or key file.
pub(super) fn keys_of(
    views: &(impl Read + ?Sized),
    vault: &Vault,
    customer: CustomerNumber,
) -> Result<Vec<CustomerKey>, Refusal> {
    let mut keys = Vec::new();
    for number in store::numbers_of(views, customer)? {
        match vault.key_of(views, number) {
            Ok(key) => keys.extend(key),
            Err(VaultError::Erased) if number != customer => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(keys)
}

/// The checked person as the sections that are sealed; nobody is born after `today`, the shop's.
pub(super) fn sealable(
    form: &Map<String, Value>,
    calling_code: Option<CallingCode>,
    today: Option<Day>,
) -> Result<Sealable, Refusal> {
    let form = Form::read(form, calling_code)
        .map_err(|error| Refusal::field(format!("person.{}", error.field), error.problem))?;
    if let Some(field) = today.and_then(|today| form.born_after(today)) {
        return Err(Refusal::field(format!("person.{field}"), "must not be in the future"));
    }
    // Phones and e-mail addresses are judged by their own types; everything else is a free text.
    if let Some((field, _)) = form.texts().find(|(_, text)| decode::payment::finds_card_number(text)) {
        let message = "holds what looks like a payment card number; those are never kept";
        return Err(Refusal::field(format!("person.{field}"), message));
    }
    let demographic = form.more.get(&Section::Demographic).cloned().unwrap_or_default();
    let mut sections = Vec::new();
    for section in Section::OF_FORM {
        let Some(name) = vault::section_of(section) else { continue };
        let plaintext = match (section, form.more.get(&section)) {
            (Section::Basic, _) => serde_json::to_vec(&form.basic),
            (_, Some(fields)) => serde_json::to_vec(fields),
            (_, None) => Ok(Vec::new()),
        };
        let plaintext =
            plaintext.map_err(|_| Refusal::new(RefusalCode::Internal, "a person cannot be written"))?;
        if plaintext.len() > vault::SECTION_BYTES_MAX {
            return Err(Refusal::field("person", "is too long in all; shorten the longest fields"));
        }
        sections.push(Sealed { name, plaintext: Zeroizing::new(plaintext), nonce: random()? });
    }
    let person = form.basic;
    let name = Some(person.greeting_name()).filter(|name| !name.is_empty());
    Ok(Sealable { sections, name, person, demographic })
}

/// Seals the sections of a form that are not as they are kept already.
pub(super) fn write_sections(
    tx: &mut Tx<'_>,
    vault: &Vault,
    data_key: &CustomerKey,
    sections: Vec<Sealed>,
) -> Result<(), Refusal> {
    for Sealed { name, plaintext, nonce } in sections {
        let kept = vault.section(tx, data_key, name)?.map(|(_, kept)| kept);
        // What was kept is replaced by nothing; what never was is not begun.
        let plaintext: &[u8] = if plaintext.is_empty() { NOTHING } else { &plaintext };
        if kept.as_ref().map_or(NOTHING, |kept| kept.as_slice()) != plaintext {
            vault.write_section(tx, data_key, name, plaintext, nonce)?;
        }
    }
    Ok(())
}

/// The fields of every section in one object, as a form has them.
pub(super) fn whole_person(
    vault: &Vault,
    views: &Views,
    data_key: &CustomerKey,
) -> Result<Option<Map<String, Value>>, Refusal> {
    let Some(person) = vault.person(views, data_key)? else { return Ok(None) };
    let Ok(Value::Object(mut fields)) = serde_json::to_value(person) else {
        return Err(Refusal::new(RefusalCode::Internal, "a person cannot be shown"));
    };
    for section in Section::OF_FORM {
        fields.extend(vault.fields(views, data_key, section)?);
    }
    Ok(Some(fields))
}

pub(super) fn no_such_customer() -> Refusal {
    Refusal::new(RefusalCode::NotFound, "no customer has this number")
}
