//! Records of a customer that are sections of their own, named by a prefix and a UUID version 7: consents, contacts, plans. A note is
//! named so too, and holds text instead of JSON.
//!
//! Reads them, and takes one out; they are written and let go as every section is. What a record holds is JSON and not known here.

use super::kept::section_key;
use super::{CustomerKey, SECTIONS, Vault, VaultError, fold};
use crate::domain::event::VaultEvent;
use crate::domain::time::Timestamp;
use crate::log::{FoldError, Read, Tx};
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// The most records under one prefix that are gone through: more than any noun keeps of a customer.
const RECORDS_MAX: usize = 1_000;

impl Vault {
    /// The ids of the records under a prefix, oldest first.
    ///
    /// # Errors
    /// A failing view.
    pub fn record_ids(
        &self,
        views: &(impl Read + ?Sized),
        key: &CustomerKey,
        prefix: &str,
    ) -> Result<Vec<Uuid>, VaultError> {
        let under = section_key(key.customer, prefix);
        let id = |(place, _): &(Vec<u8>, Vec<u8>)| {
            let id = place.get(under.len()..).and_then(|id| std::str::from_utf8(id).ok());
            id.and_then(|id| id.parse().ok()).ok_or(VaultError::Layout { what: "record's name" })
        };
        views.scan(SECTIONS, &under, RECORDS_MAX)?.iter().map(id).collect()
    }

    /// One record; `None` if it is not there.
    ///
    /// # Errors
    /// As [`Self::section`].
    pub fn record<T: DeserializeOwned>(
        &self,
        views: &(impl Read + ?Sized),
        key: &CustomerKey,
        prefix: &str,
        id: Uuid,
    ) -> Result<Option<T>, VaultError> {
        let Some((_, plaintext)) = self.section(views, key, &format!("{prefix}{id}"))? else {
            return Ok(None);
        };
        serde_json::from_slice(&plaintext).map(Some).map_err(|_| VaultError::Layout { what: "record" })
    }

    /// One record of a customer who has several numbers, with the key of the one it is kept under; `None` if it is under none.
    ///
    /// # Errors
    /// As [`Self::section`].
    pub fn record_of<'k, T: DeserializeOwned>(
        &self,
        views: &(impl Read + ?Sized),
        keys: &'k [CustomerKey],
        prefix: &str,
        id: Uuid,
    ) -> Result<Option<(&'k CustomerKey, T)>, VaultError> {
        for key in keys {
            if let Some(record) = self.record(views, key, prefix, id)? {
                return Ok(Some((key, record)));
            }
        }
        Ok(None)
    }

    /// All records under a prefix, oldest first; of several numbers where one customer was merged from them.
    ///
    /// # Errors
    /// As [`Self::section`].
    pub fn records<T: DeserializeOwned>(
        &self,
        views: &(impl Read + ?Sized),
        keys: &[CustomerKey],
        prefix: &str,
    ) -> Result<Vec<(Uuid, T)>, VaultError> {
        let mut records = Vec::new();
        for key in keys {
            for id in self.record_ids(views, key, prefix)? {
                records.extend(self.record(views, key, prefix, id)?.map(|record| (id, record)));
            }
        }
        records.sort_unstable_by_key(|(id, _)| *id);
        Ok(records)
    }

    /// Takes a record out of what is true now, within a transaction. The journal keeps it, sealed, as every earlier version.
    ///
    /// # Errors
    /// [`FoldError`] when the transaction must be refused.
    pub fn remove_record(
        &self,
        tx: &mut Tx<'_>,
        key: &CustomerKey,
        prefix: &str,
        id: Uuid,
    ) -> Result<(), FoldError> {
        let section = format!("{prefix}{id}");
        fold::emit(tx, &VaultEvent::SectionRemoved { customer: key.customer, section })
    }
}

/// When a record or a note was made: its id begins with it.
#[must_use]
pub fn made_at(id: Uuid) -> Option<Timestamp> {
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    let micros = i64::try_from(seconds).ok()?.checked_mul(1_000_000)?;
    micros.checked_add(i64::from(nanos / 1000)).map(Timestamp)
}
