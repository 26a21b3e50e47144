//! Duplicates at entry: who is here already and may be the person who is taken in, changed or looked at.
//!
//! A hint with its reasons, for whoever stands at the counter. Nobody is refused for it, and nothing is merged by itself.

use super::person::no_such_customer;
use super::request::Ask;
use super::{Desk, find, waiting};
use crate::domain::id::CustomerNumber;
use crate::domain::person::Person;
use crate::domain::person::fields::Section;
use crate::domain::refusal::Refusal;
use crate::log::Views;
use crate::store;
use crate::vault::twins::Twin;
use crate::vault::{Vault, VaultError};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The most probable duplicates that an answer names.
const ROWS_MAX: usize = 5;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    customer: CustomerNumber,
}

impl Desk {
    /// `customer.duplicates`: of somebody who is kept already.
    pub(super) async fn duplicates(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Whose { customer } = ask.fields()?;
        let rows = self.twins_of_kept(customer).await?;
        Ok(json!({ "customer": customer, "duplicates": rows }))
    }

    /// The probable duplicates of a customer as they are kept now.
    pub(super) async fn twins_of_kept(&self, customer: CustomerNumber) -> Result<Vec<Value>, Refusal> {
        let opened = self.store()?;
        let views = opened.log.views();
        store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
        let data_key = opened.vault.key_of(&views, customer)?.ok_or_else(no_such_customer)?;
        let person = opened.vault.person(&views, &data_key)?.ok_or(VaultError::Unknown)?;
        let demographic = opened.vault.fields(&views, &data_key, Section::Demographic)?;
        self.twins_of(person, demographic, Some(customer)).await
    }

    /// The same for an answer that is not refused for want of a hint: none where they cannot be told.
    pub(super) async fn twins_told(
        &self,
        person: Person,
        demographic: Map<String, Value>,
        own: Option<CustomerNumber>,
    ) -> Vec<Value> {
        self.twins_of(person, demographic, own).await.unwrap_or_else(untold)
    }

    /// The probable duplicates of a person, as rows of an answer; `but` is the person's own number.
    async fn twins_of(
        &self,
        person: Person,
        demographic: Map<String, Value>,
        but: Option<CustomerNumber>,
    ) -> Result<Vec<Value>, Refusal> {
        let opened = self.store()?;
        let (views, vault) = (opened.log.views(), Arc::clone(&opened.vault));
        waiting(move || {
            let mut rows = Vec::<(_, Value)>::new();
            for Twin { customer, likeness } in alike(&views, &vault, (&person, &demographic), but)? {
                // Enough to ask whether it is the same person, as in a search.
                if let Some(masked) = find::masked_of(&vault, &views, customer)? {
                    let place = (Reverse(likeness.score), masked.order);
                    rows.push((
                        place,
                        json!({
                            "customer": customer, "name": masked.name, "phone": masked.telephone,
                            "score": likeness.score, "reasons": likeness.reasons,
                            "household": likeness.household,
                        }),
                    ));
                }
            }
            rows.sort_by(|(one, _), (other, _)| one.cmp(other));
            Ok(rows.into_iter().map(|(_, row)| row).collect())
        })
        .await
    }
}

/// Whoever may be this person, the likeliest first, at most [`ROWS_MAX`]: customers who go on, each once. `but` is the person's own
/// number.
pub(super) fn alike(
    views: &Views,
    vault: &Vault,
    person: (&Person, &Map<String, Value>),
    but: Option<CustomerNumber>,
) -> Result<Vec<Twin>, Refusal> {
    let own = but.map(|but| store::numbers_of(views, but)).transpose()?.unwrap_or_default();
    let (mut twins, mut told) = (Vec::new(), BTreeSet::new());
    for Twin { customer, likeness } in vault.twins(views, person, &own)? {
        let Some(kept) = store::customer_of(views, customer)? else { continue };
        if !own.contains(&kept.customer) && twins.len() < ROWS_MAX && told.insert(kept.customer) {
            twins.push(Twin { customer: kept.customer, likeness });
        }
    }
    Ok(twins)
}

/// Nothing is refused for want of a hint.
pub(super) fn untold<T>(refusal: Refusal) -> Vec<T> {
    tracing::warn!(error = %refusal, "duplicates cannot be looked for");
    Vec::new()
}
