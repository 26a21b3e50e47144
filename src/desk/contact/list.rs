//! Contacts as answers show them: one by one, and in sum.

use crate::desk::sale::money;
use crate::domain::contact::{Channel, Contact, Direction, Response, ResponseKind};
use crate::domain::money::{Currency, MINOR_MAX, Money};
use crate::domain::refusal::Refusal;
use crate::log::Read;
use crate::vault::{CONTACTS, CustomerKey, Vault};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

pub(super) fn row((id, contact): &(Uuid, Contact)) -> Value {
    let response = |told: &Response| json!({ "response": told.kind, "at": told.at.rfc3339() });
    json!({
        "contact": id, "direction": contact.direction, "channel": contact.channel, "at": contact.at.rfc3339(),
        "purpose": contact.purpose, "campaign": contact.campaign, "template": contact.template,
        "cost": contact.cost.map(|cost| money(cost.currency, cost.minor)), "visit": contact.visit,
        "register": contact.register, "by": contact.by,
        "responses": contact.responses.iter().map(response).collect::<Vec<_>>(),
    })
}

/// The last contacts of a customer, newest first.
pub(in crate::desk) fn last_rows(
    views: &(impl Read + ?Sized),
    vault: &Vault,
    keys: &[CustomerKey],
    most: usize,
) -> Result<Vec<Value>, Refusal> {
    let mut last = Vec::new();
    for key in keys {
        let ids = vault.record_ids(views, key, CONTACTS)?;
        last.extend(ids.into_iter().rev().take(most).map(|id| (id, key)));
    }
    last.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(*id));
    let mut rows = Vec::new();
    for (id, key) in last.into_iter().take(most) {
        let contact = vault.record::<Contact>(views, key, CONTACTS, id)?;
        rows.extend(contact.map(|contact| row(&(id, contact))));
    }
    Ok(rows)
}

/// Contacts in sum: how many each way, the responses of each kind, and what they cost, by channel.
pub(super) fn sums(contacts: &[(Uuid, Contact)]) -> Vec<Value> {
    let mut rows = Vec::new();
    for channel in Channel::ALL {
        let of_it: Vec<&Contact> = contacts
            .iter()
            .map(|(_, contact)| contact)
            .filter(|contact| contact.channel == channel)
            .collect();
        if of_it.is_empty() {
            continue;
        }
        let count = |direction| of_it.iter().filter(|contact| contact.direction == direction).count();
        let mut responses: BTreeMap<ResponseKind, usize> = BTreeMap::new();
        let mut cost: BTreeMap<Currency, i64> = BTreeMap::new();
        for contact in &of_it {
            for told in &contact.responses {
                let kind = responses.entry(told.kind).or_default();
                *kind = kind.saturating_add(1);
            }
            if let Some(Money { minor, currency }) = contact.cost {
                let sum = cost.entry(currency).or_default();
                *sum = sum.saturating_add(minor).min(MINOR_MAX);
            }
        }
        let responses = responses.iter().map(|(kind, count)| json!({ "response": kind, "count": count }));
        let cost = cost.iter().map(|(currency, minor)| money(*currency, *minor));
        rows.push(json!({
            "channel": channel, "out": count(Direction::Out), "in": count(Direction::In),
            "responses": responses.collect::<Vec<_>>(), "cost": cost.collect::<Vec<_>>(),
        }));
    }
    rows
}
