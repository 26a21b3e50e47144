//! The notes of the desk about a customer, each a section of its own.
//!
//! Only reads; they are written and let go as every section is, and one that was wrong is taken out as a record is.

use super::kept::{SectionKept, parse_kept, section_key};
use super::seal::{self, Aad};
use super::{CustomerKey, NOTES, NOTES_MAX, SECTIONS, Vault, VaultError};
use crate::log::Read;
use uuid::Uuid;
use zeroize::Zeroizing;

impl Vault {
    /// How many notes are kept with a customer.
    ///
    /// # Errors
    /// As [`Self::section`].
    pub fn notes_kept(&self, views: &(impl Read + ?Sized), key: &CustomerKey) -> Result<usize, VaultError> {
        Ok(views.scan(SECTIONS, &section_key(key.customer, NOTES), NOTES_MAX)?.len())
    }

    /// The notes kept with a customer with their ids, newest first, at most `limit`.
    ///
    /// # Errors
    /// As [`Self::section`].
    pub fn notes(
        &self,
        views: &(impl Read + ?Sized),
        key: &CustomerKey,
        limit: usize,
    ) -> Result<Vec<(Uuid, Zeroizing<String>)>, VaultError> {
        let mut notes = Vec::new();
        // A note's name begins with when it was made, so the last is the newest.
        let kept = views.scan(SECTIONS, &section_key(key.customer, NOTES), NOTES_MAX)?;
        for (place, kept) in kept.into_iter().rev().take(limit) {
            let name = place.get(16..).and_then(|name| std::str::from_utf8(name).ok());
            let section = name.ok_or(VaultError::Layout { what: "section name" })?;
            let id = section.strip_prefix(NOTES).and_then(|id| id.parse().ok());
            let id = id.ok_or(VaultError::Layout { what: "note's name" })?;
            let SectionKept { rev, sealed, .. } = parse_kept(&kept)?;
            let aad = Aad { customer: key.customer, section, rev };
            let plaintext = seal::open(&key.dek, &aad, &sealed).map_err(VaultError::Seal)?;
            let text = std::str::from_utf8(&plaintext).map_err(|_| VaultError::Layout { what: "note" })?;
            notes.push((id, Zeroizing::new(text.to_owned())));
        }
        Ok(notes)
    }
}
