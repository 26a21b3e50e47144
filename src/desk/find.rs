//! Finding a customer by what can be asked for at a counter: a card's code, a telephone number, an e-mail address, a name.
//!
//! Names are found as they begin, as they sound and with a slip in them, the likeliest first; a birthday or a postcode
//! narrows that. Never shows more of a person than is needed to ask the right question.

use super::request::Ask;
use super::{Desk, waiting};
use crate::domain::code::{CardKey, Parsed, Programme, parse};
use crate::domain::contact::{CallingCode, E164, Email};
use crate::domain::customer::Customer;
use crate::domain::id::CustomerNumber;
use crate::domain::person::fields::Section;
use crate::domain::person::{NameOrder, Person};
use crate::domain::refusal::Refusal;
use crate::log::Views;
use crate::store;
use crate::vault::keyring::IndexField;
use crate::vault::lookup::{self, Masked, Narrowing, Query};
use crate::vault::{Vault, VaultError};
use serde::Deserialize;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most rows that a search gives.
const ROWS_MAX: usize = 5;

/// The most persons that one search opens to compare them: some ten milliseconds of work.
const OPENED_MAX: usize = 400;

/// The score of whoever was found by something that is nobody else's.
const SURE: u32 = 100;

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
    /// With a name: `MM-DD` or `YYYY-MM-DD`.
    #[serde(default)]
    birthday: Option<String>,
    /// With a name.
    #[serde(default)]
    postcode: Option<String>,
}

/// What is looked for, checked.
enum Wanted {
    Card(CardKey),
    Term(lookup::Term),
    Name(Query, Narrowing),
}

/// Where a row stands: the likeliest first, those that are as likely in the order of their names.
type Place = (Reverse<u32>, NameOrder);

/// Who was found, each with their place, and whether there may be others.
type Found = (BTreeMap<CustomerNumber, Place>, bool);

impl Desk {
    /// `customer.find`: by code, phone, e-mail or name; at most [`ROWS_MAX`] masked rows.
    pub(super) async fn find(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let find: Find = ask.fields()?;
        let opened = self.store()?;
        self.spend_search(ask.who)?;
        let wanted = wanted(&find, self.settings.rules.programme, self.settings.calling_code)?;
        let (views, vault) = (opened.log.views(), Arc::clone(&opened.vault));
        waiting(move || {
            let (found, more) = search(&vault, &views, &wanted)?;
            let more = more || found.len() > ROWS_MAX;
            let mut found: Vec<(Place, CustomerNumber)> =
                found.into_iter().map(|(number, place)| (place, number)).collect();
            found.sort();
            let mut rows: Vec<(Place, Value)> = Vec::new();
            let mut told = BTreeSet::new();
            for ((score, _), number) in found {
                let kept = store::customer_of(&views, number)?;
                // Whoever was merged is found by what they said of themselves too, and is one row.
                if let Some(customer) =
                    kept.filter(|kept| told.len() < ROWS_MAX && told.insert(kept.customer))
                {
                    rows.extend(row(&vault, &views, &customer, score)?);
                }
            }
            // Whoever was merged is shown with the name of whom they were merged into.
            rows.sort_by(|(one, _), (other, _)| one.cmp(other));
            let rows: Vec<Value> = rows.into_iter().map(|(_, row)| row).collect();
            Ok(json!({ "rows": rows, "more": more }))
        })
        .await
    }
}

fn wanted(find: &Find, ours: Programme, calling_code: Option<CallingCode>) -> Result<Wanted, Refusal> {
    let all = [("code", &find.code), ("phone", &find.phone), ("email", &find.email), ("name", &find.name)];
    let mut asked = all.into_iter().filter(|(_, text)| text.is_some()).map(|(field, _)| field);
    let (first, second) = (asked.next(), asked.next());
    if first.is_none() || second.is_some() {
        let message = "give exactly one of `code`, `phone`, `email` and `name`";
        return Err(Refusal::field(second.unwrap_or("name"), message));
    }
    if find.name.is_none() && (find.birthday.is_some() || find.postcode.is_some()) {
        let field = if find.birthday.is_some() { "birthday" } else { "postcode" };
        return Err(Refusal::field(field, "narrows a search by `name` and goes with nothing else"));
    }
    if let Some(code) = &find.code {
        return meant_key(code, ours).map(Wanted::Card);
    }
    if let Some(phone) = &find.phone {
        let phone = E164::parse(phone, calling_code);
        let phone = phone.map_err(|error| Refusal::field("phone", error.to_string()))?;
        return Ok(Wanted::Term((IndexField::Phone, phone.as_str().to_owned())));
    }
    if let Some(email) = &find.email {
        let email = Email::parse(email).map_err(|error| Refusal::field("email", error.to_string()))?;
        return Ok(Wanted::Term((IndexField::Email, email.lookup())));
    }
    let narrowing = Narrowing::read(find.birthday.as_deref(), find.postcode.as_deref());
    let narrowing = narrowing.map_err(|field| {
        let right = if field == "birthday" { "must be `MM-DD` or `YYYY-MM-DD`" } else { "is no postcode" };
        Refusal::field(field, right)
    })?;
    let name = find.name.as_deref().unwrap_or_default();
    let query = Query::read(name, calling_code);
    let query = query.map_err(|error| Refusal::field("name", error.to_string()))?;
    Ok(Wanted::Name(query, narrowing))
}

fn search(vault: &Vault, views: &Views, wanted: &Wanted) -> Result<Found, Refusal> {
    match wanted {
        Wanted::Card(key) => {
            let link = vault.link(views, key)?;
            Ok((link.map(|link| (link.customer, sure())).into_iter().collect(), false))
        }
        Wanted::Term(term) => {
            let (found, more) = vault.find(views, &[vec![term.clone()]])?;
            Ok((found.into_iter().map(|customer| (customer, sure())).collect(), more))
        }
        Wanted::Name(query, narrowing) => by_name(vault, views, query, narrowing),
    }
}

/// The place of whoever was found without being opened.
fn sure() -> Place {
    (Reverse(SURE), NameOrder::default())
}

fn by_name(vault: &Vault, views: &Views, query: &Query, narrowing: &Narrowing) -> Result<Found, Refusal> {
    let mut looked_at: BTreeMap<CustomerNumber, Option<Place>> = BTreeMap::new();
    let mut more = false;
    for (index, way) in query.ways(narrowing).iter().enumerate() {
        let found = looked_at.values().flatten().count();
        // Names that sound like the one typed are shown beside it, mistyped ones only where there is nobody else.
        if found >= ROWS_MAX || (index > 1 && found > 0) {
            break;
        }
        let (candidates, others) = vault.find(views, way)?;
        more = more || others;
        for customer in candidates {
            if looked_at.contains_key(&customer) {
                continue;
            }
            if looked_at.len() >= OPENED_MAX {
                more = true;
                break;
            }
            looked_at.insert(customer, place(vault, views, customer, query, narrowing)?);
        }
    }
    let found = looked_at.into_iter().filter_map(|(customer, place)| Some((customer, place?)));
    Ok((found.collect(), more))
}

/// How well a customer fits: what no index holds, the opened sections tell.
fn place(
    vault: &Vault,
    views: &Views,
    customer: CustomerNumber,
    query: &Query,
    narrowing: &Narrowing,
) -> Result<Option<Place>, Refusal> {
    let data_key = match vault.key_of(views, customer) {
        Ok(Some(data_key)) => data_key,
        // The views forget an erased customer a moment after the key is gone.
        Ok(None) | Err(VaultError::Erased) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let person = vault.person(views, &data_key)?;
    let scored = |person: Person| Some((Reverse(query.score(&person)?), person.order()));
    let Some(place) = person.and_then(scored) else { return Ok(None) };
    if narrowing.asks_year() && !narrowing.fits_year(&vault.fields(views, &data_key, Section::Demographic)?) {
        return Ok(None);
    }
    Ok(Some(place))
}

/// One row of a search: enough to ask the right question, not enough to copy a person. None of somebody who is just being
/// erased.
fn row(
    vault: &Vault,
    views: &Views,
    customer: &Customer,
    score: Reverse<u32>,
) -> Result<Option<(Place, Value)>, Refusal> {
    let masked = match masked_of(vault, views, customer.customer) {
        Ok(Some(masked)) => Some(masked),
        Ok(None) => return Ok(None),
        Err(VaultError::Locked) => None,
        Err(error) => return Err(error.into()),
    };
    let order = masked.as_ref().map(|masked| masked.order.clone()).unwrap_or_default();
    let row = json!({
        "customer": customer.customer,
        "name": masked.as_ref().map(|masked| masked.name.as_str()),
        "phone": masked.as_ref().and_then(|masked| masked.telephone.as_deref()),
        "score": score.0,
        "issues_open": customer.issues_open.len(),
    });
    Ok(Some(((score, order), row)))
}

/// What a row may show of a customer; `None` of somebody who is just being erased, or of whom nothing is kept.
pub(super) fn masked_of(
    vault: &Vault,
    views: &Views,
    customer: CustomerNumber,
) -> Result<Option<Masked>, VaultError> {
    let person = match vault.key_of(views, customer) {
        Ok(Some(data_key)) => vault.person(views, &data_key)?,
        Ok(None) | Err(VaultError::Erased) => None,
        Err(error) => return Err(error),
    };
    Ok(person.map(|person| lookup::masked(&person)))
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
