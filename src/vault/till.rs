//! What a till is shown of a customer: one section, so that a scan opens one.

use super::kept::{SectionKept, parse_kept};
use super::keys::KeyError;
use super::seal::{self, Aad};
use super::{CustomerKey, TILL, TILLS, Vault, VaultError};
use crate::domain::id::{CardId, CustomerNumber, IssueId};
use crate::domain::plan::OpenPlan;
use crate::domain::preference::Preference;
use crate::domain::time::Timestamp;
use crate::log::Read;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use uuid::Uuid;

/// What a till is shown: how to greet, hints of issues, preferences, open plans, and which questions were asked. One section, so that a
/// scan opens one.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Till {
    /// [`Person::greeting_name`](crate::domain::person::Person::greeting_name) of the person beside it, set whenever that is written: what an
    /// earlier version put together stays until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// By issue, at most 80 characters each.
    #[serde(default)]
    pub hints: BTreeMap<IssueId, String>,
    /// By name of the preference.
    #[serde(default)]
    pub preferences: BTreeMap<String, Preference>,
    /// The questions of consent that were answered, each with when it is to be asked again (`None`: never by itself). `*` is there if
    /// the customer wanted nothing more at all: then those that are not listed are not asked either.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub asked: BTreeMap<String, Option<Timestamp>>,
    /// Open plans by their ids, so the oldest first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub plans: BTreeMap<Uuid, OpenPlan>,
    /// Who of the household holds which card: the name to greet by. A card that is not here is the customer's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub holders: BTreeMap<CardId, String>,
    /// Whether the customer objects to being profiled (GDPR article 21): whoever sorts customers into segments or reckons
    /// their worth leaves this one out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub objects: bool,
}

impl fmt::Debug for Till {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Till({} hints, {} preferences)", self.hints.len(), self.preferences.len())
    }
}

impl Vault {
    /// What the till is shown; empty if nothing was ever kept.
    ///
    /// # Errors
    /// As [`Self::section`].
    pub fn till(&self, views: &(impl Read + ?Sized), key: &CustomerKey) -> Result<Till, VaultError> {
        let Some((_, plaintext)) = self.section(views, key, TILL)? else { return Ok(Till::default()) };
        till(&plaintext)
    }

    /// The same by number; `None` if nothing personal is kept of the customer. For a scan: the section says itself under which key it
    /// is sealed, so that one view is read and not two.
    ///
    /// # Errors
    /// As [`Self::key_of`] and [`Self::section`].
    pub fn till_of(
        &self,
        views: &(impl Read + ?Sized),
        customer: CustomerNumber,
    ) -> Result<Option<Till>, VaultError> {
        let keys = self.key_file()?;
        if let Some(kept) = views.get(TILLS, customer.0.as_bytes())? {
            let SectionKept { rev, place, sealed } = parse_kept(&kept)?;
            match keys.dek(place) {
                Ok(dek) => {
                    let plaintext = seal::open(&dek, &Aad { customer, section: TILL, rev }, &sealed);
                    return till(&plaintext.map_err(VaultError::Seal)?).map(Some);
                }
                // Erased, or given another key a moment ago: the way by the customer's key tells which.
                Err(KeyError::Destroyed) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.key_of(views, customer)?.map(|key| self.till(views, &key)).transpose()
    }
}

fn till(plaintext: &[u8]) -> Result<Till, VaultError> {
    serde_json::from_slice(plaintext).map_err(|_| VaultError::Layout { what: "till" })
}
