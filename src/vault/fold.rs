//! How each personal event changes the views: sections kept sealed, links and indexes derived by opening them.

use super::kept::{self, SectionKept, keep, parse_kept};
use super::keyring::Hash16;
use super::keys::KeyRef;
use super::lookup::{self, Term};
use super::{
    Aad, CardSection, CustomerKey, ERASED, INDEX, KEYS, LINKS, Link, PERSON, SECTIONS, SLOTS, TILLS,
    VIEWS_VERSION, Vault, VaultError, seal,
};
use crate::domain::event::VaultEvent;
use crate::domain::id::{CardId, CustomerNumber};
use crate::domain::person::fields::Section;
use crate::log::{Asked, Fold, FoldError, Half, Meta, ReadWrite, Tx, View};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The one entry of the view of slots.
pub(super) const SLOTS_KEY: &[u8] = b"used";

/// The fold of the personal half: needs the vault's keys, for links and indexes are derived by opening sections.
#[derive(Debug, Clone)]
pub struct VaultFold(pub Arc<Vault>);

impl Fold for VaultFold {
    fn version(&self) -> u32 {
        VIEWS_VERSION
    }

    fn asked(&self, view: View) -> Asked {
        match view {
            LINKS | TILLS => Asked::Often,
            // Of somebody new nothing is kept yet.
            SECTIONS => Asked::New,
            _ => Asked::Seldom,
        }
    }

    fn apply(&self, _: &Meta, event: &[u8], views: &mut dyn ReadWrite) -> Result<(), FoldError> {
        // The text of a serde error may quote what it stumbled over: a sealed text at worst, but still not ours to show.
        let event = serde_json::from_slice(event).map_err(|_| unfit("a vault event of another version"))?;
        match event {
            VaultEvent::KeyAssigned { customer, slot, generation } => {
                let place = postcard::to_stdvec(&KeyRef { slot, generation });
                let place = place.map_err(unfit)?;
                views.put(KEYS, customer.0.as_bytes(), &place);
                let next = slot.saturating_add(1);
                if super::slots_used(views).map_err(refused)? < next {
                    views.put(SLOTS, SLOTS_KEY, &next.to_be_bytes());
                }
                Ok(())
            }
            VaultEvent::CustomerErased { customer } => forget(&self.0, customer, views).map_err(refused),
            VaultEvent::SectionRemoved { customer, section } => {
                remove(&self.0, customer, &section, views).map_err(refused)
            }
            VaultEvent::SectionSealed { customer, section, rev, sealed } => {
                let sealed = BASE64.decode(sealed);
                let sealed = sealed.map_err(|_| unfit("a sealed section is not base64"))?;
                let place = self.0.place_of(views, customer).map_err(refused)?;
                let place = place.ok_or_else(|| unfit("a section without a key"))?;
                let kept = keep(rev, place, &sealed);
                let change = Change { customer, section: &section, kept: &kept };
                change.apply(&self.0, views).map_err(refused)
            }
        }
    }

    /// What is sealed, and what says nothing about anybody. Links and indexes are not among it.
    fn keeps(&self, view: View) -> bool {
        [KEYS, SECTIONS, SLOTS, ERASED, TILLS].contains(&view)
    }

    fn derive(
        &self,
        view: View,
        place: &[u8],
        kept: &[u8],
        views: &mut dyn ReadWrite,
    ) -> Result<(), FoldError> {
        if view != SECTIONS {
            return Ok(());
        }
        let layout = || unfit("a section's place of another layout");
        let (customer, section) = place.split_first_chunk::<16>().ok_or_else(layout)?;
        let customer = CustomerNumber(uuid::Uuid::from_bytes(*customer));
        let section = std::str::from_utf8(section).map_err(|_| layout())?;
        Change { customer, section, kept }.derive_again(&self.0, views, place).map_err(refused)
    }
}

/// How many places of the key file, counted from the first, an event of the vault's journal knows of.
#[must_use]
pub fn slots_named(event: &[u8]) -> u32 {
    match serde_json::from_slice(event) {
        Ok(VaultEvent::KeyAssigned { slot, .. }) => slot.saturating_add(1),
        Ok(_) | Err(_) => 0,
    }
}

/// Adds `event` to a transaction.
pub(super) fn emit(tx: &mut Tx<'_>, event: &VaultEvent) -> Result<(), FoldError> {
    let event = serde_json::to_vec(event).map_err(unfit)?;
    tx.emit(Half::Personal, &event)
}

/// An event that cannot be applied. No text of ours quotes a value.
pub(super) fn unfit(what: impl ToString) -> FoldError {
    FoldError::Event { what: what.to_string() }
}

fn refused(error: VaultError) -> FoldError {
    if matches!(error, VaultError::Locked) {
        return FoldError::Locked;
    }
    if let VaultError::View(error) = error { FoldError::View(error) } else { unfit(error) }
}

/// Takes everything of a customer out of the views, and notes that they were erased. While the key is still held, its links
/// and index entries are found by opening what leads to them; without it, as in a rebuild, they were never derived.
fn forget(vault: &Vault, customer: CustomerNumber, views: &mut dyn ReadWrite) -> Result<(), VaultError> {
    let key = vault.held_key(customer);
    loop {
        let sections = kept::sections(views, customer, SECTIONS_AT_ONCE)?;
        if sections.is_empty() {
            break;
        }
        for (section, kept) in &sections {
            if let Some(key) = &key {
                Change { customer, section, kept }.underive(vault, key, views)?;
            }
            let (view, place) = kept::at(customer, section);
            views.remove(view, &place);
        }
    }
    views.put(ERASED, customer.0.as_bytes(), &[]);
    Ok(())
}

/// Takes a section out of the views, and what leads to the customer by it.
fn remove(
    vault: &Vault,
    customer: CustomerNumber,
    section: &str,
    views: &mut dyn ReadWrite,
) -> Result<(), VaultError> {
    let (view, place) = kept::at(customer, section);
    let Some(kept) = views.get(view, &place)? else { return Ok(()) };
    match vault.key_of(views, customer) {
        Ok(Some(key)) => Change { customer, section, kept: &kept }.underive(vault, &key, views)?,
        // In a rebuild after the key was destroyed nothing was derived.
        Ok(None) | Err(VaultError::Erased) => {}
        Err(error) => return Err(error),
    }
    views.remove(view, &place);
    Ok(())
}

/// Sections that are taken out at once.
const SECTIONS_AT_ONCE: usize = 256;

struct Change<'a> {
    customer: CustomerNumber,
    section: &'a str,
    kept: &'a [u8],
}

impl Change<'_> {
    fn apply(&self, vault: &Vault, views: &mut dyn ReadWrite) -> Result<(), VaultError> {
        let (view, place) = kept::at(self.customer, self.section);
        match vault.key_of(views, self.customer) {
            Ok(Some(key)) => self.derive(vault, &key, views, &place)?,
            Ok(None) => return Err(VaultError::Layout { what: "section without a key" }),
            // Erased: the section stays unreadable, and nothing may lead to it.
            Err(VaultError::Erased) => {}
            Err(error) => return Err(error),
        }
        views.put(view, &place, self.kept);
        Ok(())
    }

    /// Links and index entries of a section that a snapshot has.
    fn derive_again(&self, vault: &Vault, views: &mut dyn ReadWrite, place: &[u8]) -> Result<(), VaultError> {
        match vault.key_of(views, self.customer) {
            Ok(Some(key)) => self.derive(vault, &key, views, place),
            Ok(None) => Err(VaultError::Layout { what: "section without a key" }),
            // Erased: nothing may lead to it.
            Err(VaultError::Erased) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn derive(
        &self,
        vault: &Vault,
        key: &CustomerKey,
        views: &mut dyn ReadWrite,
        place: &[u8],
    ) -> Result<(), VaultError> {
        if let Some(card) = self.section.strip_prefix("card:") {
            let card: CardId = card.parse().map_err(|_| VaultError::Layout { what: "card section" })?;
            return self.link(key, card, place, views);
        }
        if self.is_indexed() {
            let before = views.get(SECTIONS, place)?;
            self.index(vault, key, before.as_deref(), views)?;
        }
        Ok(())
    }

    /// Whether customers are found by something in this section.
    fn is_indexed(&self) -> bool {
        self.section == PERSON || self.section == Section::Demographic.word()
    }

    /// The way back of [`Self::derive`].
    fn underive(
        &self,
        vault: &Vault,
        key: &CustomerKey,
        views: &mut dyn ReadWrite,
    ) -> Result<(), VaultError> {
        if self.section.starts_with("card:") {
            self.underive_links(key, views)?;
        }
        if self.is_indexed() {
            for (field, text) in self.terms(key, self.kept)? {
                for hash in vault.keyring.indexes(field, &text) {
                    views.remove(INDEX, &index_key(&hash, self.customer));
                }
            }
        }
        Ok(())
    }

    fn underive_links(&self, key: &CustomerKey, views: &mut dyn ReadWrite) -> Result<(), VaultError> {
        for hash in self.hashes(key)? {
            views.remove(LINKS, &hash.0);
        }
        Ok(())
    }

    fn link(
        &self,
        key: &CustomerKey,
        card: CardId,
        place: &[u8],
        views: &mut dyn ReadWrite,
    ) -> Result<(), VaultError> {
        // A card that is hashed anew is not led to by its old hash any more.
        if let Some(before) = views.get(SECTIONS, place)? {
            Change { kept: &before, ..*self }.underive_links(key, views)?;
        }
        let link = Link { customer: self.customer, card };
        let layout = |_| VaultError::Layout { what: "card section" };
        let link = postcard::to_stdvec(&link).map_err(layout)?;
        for hash in self.hashes(key)? {
            views.put(LINKS, &hash.0, &link);
        }
        Ok(())
    }

    /// What a card section says that its card is found by.
    fn hashes(&self, key: &CustomerKey) -> Result<Vec<Hash16>, VaultError> {
        let plaintext = self.open(key, self.kept)?;
        let layout = || VaultError::Layout { what: "card section" };
        let section: CardSection = serde_json::from_slice(&plaintext).map_err(|_| layout())?;
        section.hashes.iter().map(|hash| Hash16::from_hex(hash).ok_or_else(layout)).collect()
    }

    fn index(
        &self,
        vault: &Vault,
        key: &CustomerKey,
        before: Option<&[u8]>,
        views: &mut dyn ReadWrite,
    ) -> Result<(), VaultError> {
        let old = before.map(|kept| self.terms(key, kept)).transpose()?.unwrap_or_default();
        let new = self.terms(key, self.kept)?;
        for (field, text) in &old {
            for hash in vault.keyring.indexes(*field, text) {
                views.remove(INDEX, &index_key(&hash, self.customer));
            }
        }
        for (field, text) in &new {
            let newest = vault.keyring.indexes(*field, text).into_iter().next();
            if let Some(hash) = newest {
                views.put(INDEX, &index_key(&hash, self.customer), &[]);
            }
        }
        Ok(())
    }

    /// What a section's customer is found by.
    fn terms(&self, key: &CustomerKey, kept: &[u8]) -> Result<Vec<Term>, VaultError> {
        let plaintext = self.open(key, kept)?;
        if self.section == PERSON {
            let person = serde_json::from_slice(&plaintext);
            return Ok(lookup::terms(&person.map_err(|_| VaultError::Layout { what: "person" })?));
        }
        let fields = serde_json::from_slice(&plaintext);
        Ok(lookup::birthday_terms(&fields.map_err(|_| VaultError::Layout { what: "section" })?))
    }

    fn open(&self, key: &CustomerKey, kept: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let SectionKept { rev, sealed, .. } = parse_kept(kept)?;
        let aad = Aad { customer: self.customer, section: self.section, rev };
        seal::open(&key.dek, &aad, &sealed).map_err(VaultError::Seal)
    }
}

fn index_key(hash: &Hash16, customer: CustomerNumber) -> Vec<u8> {
    let mut key = hash.0.to_vec();
    key.extend_from_slice(customer.0.as_bytes());
    key
}
