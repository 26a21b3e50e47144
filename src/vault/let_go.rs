//! Letting a part of a customer's file go, so that nobody can read it any more, and keeping the rest.
//!
//! What was written stays in the journal, sealed: only the end of its key removes it. So the customer is given a new data
//! key, what is kept is sealed again under it, and the old key is destroyed by the mechanism of erasure ([`super::erasure`]).
//! The journal's record comes first, for until it is there the old key is the only one; that it is to be destroyed is noted
//! before, as an intention, and whatever was cut off in between is settled at the next start.
//!
//! With the old key goes every earlier version, also of what is kept.

use super::erasure::destroy;
use super::kept::{self, SectionKept, parse_kept};
use super::keys::{Dek, KeyRef};
use super::lists::{Erasure, Stage};
use super::seal::{self, Aad, NONCE_BYTES};
use super::{ERASED, NOTES_MAX, TILL, Till, Vault, VaultError, fold};
use crate::domain::event::VaultEvent;
use crate::domain::id::CustomerNumber;
use crate::log::{FoldError, Read, Tx};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

/// The most sections of one customer: notes, cards, and a handful more.
const SECTIONS_MAX: usize = NOTES_MAX * 20;

/// What is kept of a customer, section by section.
pub trait Kept {
    /// Whether a section stays.
    fn stays(&self, section: &str) -> bool;
    /// Takes out of what the till is shown what goes.
    fn cut(&self, till: &mut Till);
}

impl Vault {
    /// The names of the sections that are kept of a customer.
    ///
    /// # Errors
    /// A failing view.
    pub fn sections_of(
        &self,
        views: &(impl Read + ?Sized),
        customer: CustomerNumber,
    ) -> Result<Vec<String>, VaultError> {
        let kept = kept::sections(views, customer, SECTIONS_MAX)?;
        Ok(kept.into_iter().map(|(section, _)| section).collect())
    }

    /// Whether a customer was erased: nothing of them can be opened by anybody.
    ///
    /// # Errors
    /// A failing view.
    pub fn is_erased(
        &self,
        views: &(impl Read + ?Sized),
        customer: CustomerNumber,
    ) -> Result<bool, VaultError> {
        Ok(views.get(ERASED, customer.0.as_bytes())?.is_some())
    }

    /// The place of a customer's data key, for [`Self::intend`].
    ///
    /// # Errors
    /// [`VaultError::Unknown`] if nothing personal was ever kept; a failing view.
    pub fn key_place(
        &self,
        views: &(impl Read + ?Sized),
        customer: CustomerNumber,
    ) -> Result<KeyRef, VaultError> {
        self.place_of(views, customer)?.ok_or(VaultError::Unknown)
    }

    /// Notes that these keys are to be destroyed once the journal has others for their customers.
    ///
    /// # Errors
    /// [`VaultError::Key`]: nothing is intended then.
    pub fn intend(&self, keys: &[(CustomerNumber, KeyRef)], at_us: i64) -> Result<(), VaultError> {
        let intended = |(customer, key): &(CustomerNumber, KeyRef)| Erasure {
            customer: *customer,
            key: *key,
            at_us,
            stage: Stage::Intended,
        };
        let intended: Vec<Erasure> = keys.iter().map(intended).collect();
        Ok(self.lists.note_all(&intended, &[])?)
    }

    /// Seals what stays of a customer under a new key, within a transaction. `nonce` is random; the key is used by nothing
    /// else yet. The key before must have been intended for its end.
    ///
    /// # Errors
    /// [`VaultError`] for a section that does not open: then nothing is let go. [`FoldError`] within it.
    pub fn let_go(
        &self,
        tx: &mut Tx<'_>,
        customer: CustomerNumber,
        (place, dek): (KeyRef, Dek),
        nonce: [u8; NONCE_BYTES],
        kept: &impl Kept,
    ) -> Result<(), VaultError> {
        let key = self.key_of(tx, customer)?.ok_or(VaultError::Unknown)?;
        let mut sections = Vec::new();
        let held = kept::sections(tx, customer, SECTIONS_MAX.saturating_add(1))?;
        if held.len() > SECTIONS_MAX {
            // What was not sealed again would be lost with the old key.
            return Err(VaultError::Layout { what: "customer with more sections than can be sealed again" });
        }
        for (section, sealed) in held {
            let SectionKept { rev, sealed, .. } = parse_kept(&sealed)?;
            let aad = Aad { customer, section: &section, rev };
            let plaintext = seal::open(&key.dek, &aad, &sealed).map_err(VaultError::Seal)?;
            sections.push((section, rev, plaintext));
        }
        let unfit = |_: FoldError| VaultError::Layout { what: "customer to be sealed again" };
        for (section, ..) in &sections {
            let section = section.clone();
            fold::emit(tx, &VaultEvent::SectionRemoved { customer, section }).map_err(unfit)?;
        }
        let assigned = VaultEvent::KeyAssigned { customer, slot: place.slot, generation: place.generation };
        fold::emit(tx, &assigned).map_err(unfit)?;
        for (index, (section, rev, plaintext)) in (0_u32..).zip(sections) {
            if !kept.stays(&section) {
                continue;
            }
            let plaintext = if section == TILL { cut(&plaintext, kept)? } else { plaintext };
            let rev = rev.saturating_add(1);
            let aad = Aad { customer, section: &section, rev };
            let sealed =
                seal::seal(&dek, &aad, &plaintext, numbered(nonce, index)).map_err(VaultError::Seal)?;
            let sealed = BASE64.encode(sealed.as_bytes());
            fold::emit(tx, &VaultEvent::SectionSealed { customer, section, rev, sealed }).map_err(unfit)?;
        }
        Ok(())
    }

    /// Destroys keys that were intended for it, once the journal has others for their customers; takes back those in
    /// `not_done`, whose customers still have theirs. Waits for disks.
    ///
    /// # Errors
    /// [`VaultError::Key`]: what is missing is done at the next start.
    pub fn retire(
        &self,
        done: &[(CustomerNumber, KeyRef)],
        not_done: &[KeyRef],
        at_us: i64,
    ) -> Result<(), VaultError> {
        let keys = self.key_file()?;
        let journalled = |(customer, key): &(CustomerNumber, KeyRef)| Erasure {
            customer: *customer,
            key: *key,
            at_us,
            stage: Stage::Journalled,
        };
        let journalled: Vec<Erasure> = done.iter().map(journalled).collect();
        self.lists.note_all(&journalled, not_done)?;
        for (_, key) in done {
            destroy(keys.destroy(*key))?;
        }
        Ok(())
    }

    /// Settles what was intended when the last run ended: a key whose customer has another one is destroyed, one whose
    /// customer has not stays. Gives how many were destroyed.
    pub(super) fn settle_intended(&self, views: &(impl Read + ?Sized)) -> Result<usize, VaultError> {
        let (mut done, mut not_done, mut at_us) = (Vec::new(), Vec::new(), 0);
        for erasure in self.lists.erasures() {
            if erasure.stage != Stage::Intended {
                continue;
            }
            at_us = erasure.at_us;
            let now = self.place_of(views, erasure.customer)?;
            if now.is_none() || now == Some(erasure.key) {
                not_done.push(erasure.key);
            } else {
                done.push((erasure.customer, erasure.key));
            }
        }
        if !done.is_empty() || !not_done.is_empty() {
            self.retire(&done, &not_done, at_us)?;
        }
        Ok(done.len())
    }
}

fn cut(plaintext: &[u8], kept: &impl Kept) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let layout = |_| VaultError::Layout { what: "till" };
    let mut till: Till = serde_json::from_slice(plaintext).map_err(layout)?;
    kept.cut(&mut till);
    serde_json::to_vec(&till).map(Zeroizing::new).map_err(layout)
}

/// The nonce of the section with this number: no two are the same, and the key is new.
fn numbered(mut nonce: [u8; NONCE_BYTES], index: u32) -> [u8; NONCE_BYTES] {
    for (place, byte) in nonce.iter_mut().zip(index.to_le_bytes()) {
        *place = byte;
    }
    nonce
}

#[cfg(test)]
mod tests;
