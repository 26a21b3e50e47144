//! Writing into the vault, always within a transaction: keys given out, sections sealed, cards linked.

use super::kept::{self, parse_kept};
use super::keyring::Hash16;
use super::keys::{Dek, KeyRef};
use super::seal::{self, Aad};
use super::{CardSection, CustomerKey, LINKS, Link, Vault, VaultError, fold};
use crate::domain::event::VaultEvent;
use crate::domain::id::{CardId, CustomerNumber};
use crate::log::{FoldError, Read as _, Tx};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

impl Vault {
    /// Gives a new customer the data key that was reserved for them, within a transaction.
    ///
    /// # Errors
    /// [`FoldError`] when the transaction must be refused.
    pub fn assign_key(
        &self,
        tx: &mut Tx<'_>,
        customer: CustomerNumber,
        (place, dek): (KeyRef, Dek),
    ) -> Result<CustomerKey, FoldError> {
        let event = VaultEvent::KeyAssigned { customer, slot: place.slot, generation: place.generation };
        fold::emit(tx, &event)?;
        Ok(CustomerKey { customer, dek })
    }

    /// Seals `plaintext` as the next revision of a section, within a transaction. `nonce` is random and never used again.
    ///
    /// # Errors
    /// [`FoldError`] when the transaction must be refused.
    pub fn write_section(
        &self,
        tx: &mut Tx<'_>,
        key: &CustomerKey,
        section: &str,
        plaintext: &[u8],
        nonce: [u8; 24],
    ) -> Result<(), FoldError> {
        let (view, place) = kept::at(key.customer, section);
        let kept = tx.get(view, &place)?;
        let before = kept.map(|kept| parse_kept(&kept)).transpose();
        let before = before.map_err(fold::unfit)?.map_or(0, |kept| kept.rev);
        let rev = before.saturating_add(1);
        let aad = Aad { customer: key.customer, section, rev };
        let sealed = seal::seal(&key.dek, &aad, plaintext, nonce).map_err(fold::unfit)?;
        let sealed = BASE64.encode(sealed.as_bytes());
        let section = section.to_owned();
        fold::emit(tx, &VaultEvent::SectionSealed { customer: key.customer, section, rev, sealed })
    }

    /// Links a card of ours to its customer, within a transaction.
    ///
    /// # Errors
    /// [`FoldError`] when the transaction must be refused.
    pub fn link_card(
        &self,
        tx: &mut Tx<'_>,
        key: &CustomerKey,
        card: CardId,
        hash: Hash16,
        nonce: [u8; 24],
    ) -> Result<(), FoldError> {
        let section = CardSection { hashes: vec![hash.hex()] };
        let plaintext = serde_json::to_vec(&section).map_err(fold::unfit)?;
        self.write_section(tx, key, &format!("card:{card}"), &plaintext, nonce)
    }

    /// Has a card that an older version of the keyring leads to found by the newest, within a transaction.
    ///
    /// # Errors
    /// [`VaultError::Locked`], or a failing view or key file.
    pub fn rehash_card(
        &self,
        tx: &mut Tx<'_>,
        link: Link,
        hash: Hash16,
        nonce: [u8; 24],
    ) -> Result<(), VaultError> {
        if tx.get(LINKS, &hash.0)?.is_some() {
            return Ok(());
        }
        let Some(key) = self.key_of(tx, link.customer)? else { return Ok(()) };
        let linked = self.link_card(tx, &key, link.card, hash, nonce);
        linked.map_err(|_| VaultError::Layout { what: "card section" })
    }
}
