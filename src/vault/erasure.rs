//! Erasing a customer: forward only, from the list of erasures to the last file.
//!
//! In this order, each step durable before the next: the intent in the list ([`Lists`]); the key destroyed in the key
//! file and in its second copy; the journal's event, by which the views forget sections, links and index entries; the
//! views made anew, because what is removed from a file of sled stays readable in it. A step that was cut off is
//! done again at the next start, and the whole list is gone through at every start: a store or a key file that was
//! brought back from an older copy forgets again, before it is opened. Nothing here ever undoes one.
//!
//! `ERASURE.md` beside this file says what that means for disks and copies.

use super::keyring::Hash16;
use super::keys::second::SecondCopy;
use super::keys::{Dek, KeyError, KeyFile};
use super::lists::{Erasure, Lists, Stage};
use super::{ERASED, KEYS, Vault, VaultError, fold};
use crate::domain::event::VaultEvent;
use crate::domain::id::CustomerNumber;
use crate::domain::person::Person;
use crate::log::{FoldError, Half, Log, OpenError, Read, Refused, Tx, Views};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use zeroize::Zeroizing;

/// So long the views may hold what was erased, in places that nothing reads any more, before they are made anew.
pub const RENEW_WITHIN_US: i64 = 12 * 3600 * 1_000_000;

/// What is left to do of the erasures there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unfinished {
    /// Erasures whose views are not made anew yet.
    pub views: usize,
    /// Whether the second copy of the key file may still hold keys that were destroyed.
    pub second_copy: bool,
}

impl Vault {
    /// Destroys the key of `customer`, after noting that it shall be. With `keep_out`, the telephone numbers and addresses
    /// stay known as such, and as nothing else, for [`Self::opted_out`]. Doing it again finishes what was begun.
    ///
    /// Waits for disks. The journal's event must follow ([`Self::journal_erasure`]).
    ///
    /// # Errors
    /// [`VaultError::Locked`]; [`VaultError::Unknown`] if nothing personal was ever kept; a failing view or key file:
    /// then what is missing is done at the next start.
    pub fn begin_erasure(
        &self,
        views: &(impl Read + ?Sized),
        customer: CustomerNumber,
        at_us: i64,
        keep_out: bool,
    ) -> Result<(), VaultError> {
        let keys = self.key_file()?;
        let place = self.place_of(views, customer)?.ok_or(VaultError::Unknown)?;
        match keys.dek(place) {
            Ok(dek) => {
                if keep_out {
                    let marks = self.marks_of(views, customer)?;
                    self.lists.mark(&marks)?;
                }
                self.hold(customer, dek);
            }
            // A damaged key opens nothing, and goes like another.
            Err(KeyError::Destroyed | KeyError::Damaged { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let known = self.lists.erasures().into_iter().find(|erasure| erasure.key == place);
        if known.is_none_or(|known| known.stage == Stage::Intended) {
            self.lists.note(Erasure { customer, key: place, at_us, stage: Stage::Begun })?;
        }
        destroy(keys.destroy(place))?;
        Ok(())
    }

    /// The journal's event of an erasure that was begun, within a transaction; nothing if it is there already.
    ///
    /// # Errors
    /// [`FoldError`] when the transaction must be refused.
    pub fn journal_erasure(&self, tx: &mut Tx<'_>, customer: CustomerNumber) -> Result<(), FoldError> {
        if tx.get(ERASED, customer.0.as_bytes())?.is_some() {
            return Ok(());
        }
        fold::emit(tx, &VaultEvent::CustomerErased { customer })
    }

    /// Notes that the journal has it, and lets go of the key that the views needed for forgetting.
    ///
    /// # Errors
    /// [`VaultError::Key`]: it is noted at the next start.
    pub fn erasure_journalled(&self, customer: CustomerNumber) -> Result<(), VaultError> {
        self.held().remove(&customer);
        let erasures = self.lists.erasures();
        let begun = erasures.into_iter().find(|kept| kept.customer == customer && kept.stage == Stage::Begun);
        if let Some(erasure) = begun {
            self.lists.note(Erasure { stage: Stage::Journalled, ..erasure })?;
        }
        Ok(())
    }

    /// Destroys once more every key that was: the key file may have been brought back from an older copy. For the start
    /// and for unlocking, before a key is read.
    ///
    /// # Errors
    /// [`VaultError::Locked`], or a failing key file.
    pub fn destroy_again(&self) -> Result<(), VaultError> {
        self.destroy_later();
        self.destroy_listed(self.key_file()?)?;
        self.again.store(false, Ordering::Release);
        Ok(())
    }

    /// Notes that [`Self::destroy_again`] is due: slots of the key file came from another copy.
    pub fn destroy_later(&self) {
        self.again.store(true, Ordering::Release);
    }

    /// Whether [`Self::destroy_again`] is due, or failed the last time.
    #[must_use]
    pub fn must_destroy(&self) -> bool {
        self.again.load(Ordering::Acquire)
    }

    pub(super) fn destroy_listed(&self, keys: &KeyFile) -> Result<(), VaultError> {
        // What is only intended may be the one key that the customer has: the journal tells, see `settle_erasures`.
        for erasure in self.lists.erasures().into_iter().filter(|erasure| erasure.stage != Stage::Intended) {
            match keys.dek(erasure.key) {
                Err(KeyError::Destroyed) => {}
                Ok(_) | Err(_) => destroy(keys.destroy(erasure.key))?,
            }
        }
        Ok(())
    }

    /// Brings the journal in line with the list: for the start, before anybody reads. Gives how many erasures the journal
    /// did not have: it was cut off between two steps, or brought back from an older copy. The views are then made anew.
    ///
    /// # Errors
    /// A failing view or key file; [`VaultError::Renew`] where the log takes no writes. Over a damaged journal only where views
    /// hold somebody who was erased long ago.
    pub fn settle_erasures(&self, log: &Log) -> Result<usize, VaultError> {
        if self.is_locked() {
            return Ok(0);
        }
        let views = log.views();
        if let Some(why) = log.damaged() {
            // What only the journal tells is left for when it is whole again; who is noted as ending is shown to nobody till then.
            return self.none_is_back(&views, why).map(|()| 0);
        }
        let mut count = self.settle_intended(&views)?;
        for erasure in self.lists.erasures() {
            let customer = erasure.customer;
            let missing = views.get(ERASED, customer.0.as_bytes())?.is_none();
            // An older store may not know the customer at all; a later one may know them by another key.
            if (missing && self.place_of(&views, customer)? == Some(erasure.key))
                || erasure.stage == Stage::Begun
            {
                count = count.saturating_add(1);
                self.journal_again(log, customer)?;
                self.lists.note(Erasure { stage: Stage::Journalled, ..erasure })?;
            }
        }
        if count > 0 {
            self.renew(log)?;
        }
        Ok(count)
    }

    /// Refuses views that hold somebody who was erased for good, and the journal takes nothing: they are of an older store.
    fn none_is_back(&self, views: &Views, why: &str) -> Result<(), VaultError> {
        let renewed = |erasure: &Erasure| erasure.stage == Stage::Renewed;
        for Erasure { customer, key, .. } in self.lists.erasures().into_iter().filter(renewed) {
            let missing = views.get(ERASED, customer.0.as_bytes())?.is_none();
            if missing && self.place_of(views, customer)? == Some(key) {
                return Err(VaultError::Renew { why: why.to_owned() });
            }
        }
        Ok(())
    }

    fn journal_again(&self, log: &Log, customer: CustomerNumber) -> Result<(), VaultError> {
        let known = log.views().get(KEYS, customer.0.as_bytes())?.is_some();
        let erased = log.views().get(ERASED, customer.0.as_bytes())?.is_some();
        if erased || !known {
            return Ok(());
        }
        let emit = move |tx: &mut Tx<'_>| fold::emit(tx, &VaultEvent::CustomerErased { customer });
        let pending = log.submit(emit).map_err(|error| VaultError::Renew { why: error.to_string() })?;
        let done = pending.wait();
        done.map(drop).map_err(|error| VaultError::Renew { why: error.to_string() })
    }

    /// Makes the views anew, so that no file holds what was erased. Takes as long as a rebuild; reading goes on.
    ///
    /// # Errors
    /// [`VaultError::Renew`]: the views are the old ones, and it can be tried again.
    pub fn renew(&self, log: &Log) -> Result<(), VaultError> {
        let due: Vec<Erasure> =
            self.lists.erasures().into_iter().filter(|erasure| erasure.stage == Stage::Journalled).collect();
        let renewed = log.renew_views(Half::Personal);
        renewed.map_err(|error| VaultError::Renew { why: said(&error) })?;
        let renewed = due.into_iter().map(|erasure| Erasure { stage: Stage::Renewed, ..erasure });
        self.lists.note_all(&renewed.collect::<Vec<_>>(), &[])?;
        Ok(())
    }

    /// [`Self::renew`], if an erasure has waited for it for [`RENEW_WITHIN_US`]. Gives whether it did.
    ///
    /// # Errors
    /// As [`Self::renew`].
    pub fn renew_if_due(&self, log: &Log, now_us: i64) -> Result<bool, VaultError> {
        let old = |erasure: &Erasure| {
            // A clock that was set back must not put it off.
            let age = now_us.saturating_sub(erasure.at_us);
            erasure.stage == Stage::Journalled && !(0..RENEW_WITHIN_US).contains(&age)
        };
        if self.is_locked() || !self.lists.erasures().iter().any(old) {
            return Ok(false);
        }
        let Ok(_one_at_a_time) = self.renewing.try_lock() else { return Ok(false) };
        self.renew(log).map(|()| true)
    }

    /// What is left to do.
    #[must_use]
    pub fn unfinished(&self) -> Unfinished {
        let erasures = self.lists.erasures();
        let views = erasures.iter().filter(|erasure| erasure.stage < Stage::Renewed).count();
        let copy = self.key_file().map(|keys| keys.second_copy());
        let second_copy = !erasures.is_empty() && matches!(copy, Ok(SecondCopy::Pending { .. }));
        Unfinished { views, second_copy }
    }

    /// Whether somebody with one of this person's telephone numbers or addresses was erased and is not to be written to.
    #[must_use]
    pub fn opted_out(&self, person: &Person) -> bool {
        self.lists.any_marked(&self.keyring().marks(person))
    }

    /// What an idempotency record keeps of a request's body: a hash that nobody can make again once the customer's key is
    /// destroyed. Of a request that is about nobody, or that a locked vault took (it holds nothing personal), a hash
    /// under the keyring.
    ///
    /// # Errors
    /// A failing view or key file.
    pub fn body_mac(
        &self,
        views: &(impl Read + ?Sized),
        customer: Option<CustomerNumber>,
        body: &[u8],
    ) -> Result<String, VaultError> {
        let key = customer.map(|customer| self.key_of(views, customer)).transpose();
        match key {
            Ok(Some(Some(key))) => Ok(format!("{BOUND}{}", bound_mac(&key.dek, body).hex())),
            Ok(Some(None) | None) | Err(VaultError::Locked | VaultError::Erased) => {
                Ok(self.keyring().body_mac(body).hex())
            }
            Err(error) => Err(error),
        }
    }

    /// Whether `kept` was made of this body. Where the customer's key is out of reach nobody can tell, and it is taken for
    /// the same: the idempotency key is.
    ///
    /// # Errors
    /// A failing view or key file.
    pub fn body_mac_fits(
        &self,
        views: &(impl Read + ?Sized),
        customer: Option<CustomerNumber>,
        body: &[u8],
        kept: &str,
    ) -> Result<bool, VaultError> {
        let Some(bound) = kept.strip_prefix(BOUND) else {
            let mac = Hash16::from_hex(kept);
            return Ok(mac.is_some_and(|mac| self.keyring().body_mac_fits(body, &mac)));
        };
        match customer.map(|customer| self.key_of(views, customer)).transpose() {
            // A hash made under a key that the customer had before is nobody's to make again either.
            Ok(Some(Some(key))) => {
                let former = || customer.is_some_and(|customer| self.lists.knows(customer));
                Ok(bound_mac(&key.dek, body).hex() == bound || former())
            }
            Ok(Some(None) | None) | Err(VaultError::Locked | VaultError::Erased) => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn marks_of(
        &self,
        views: &(impl Read + ?Sized),
        customer: CustomerNumber,
    ) -> Result<Vec<Hash16>, VaultError> {
        let Some(key) = self.key_of(views, customer)? else { return Ok(Vec::new()) };
        let person = self.person(views, &key)?.unwrap_or_default();
        Ok(self
            .keyring()
            .marks(&person)
            .into_iter()
            .take(person.telephone.len().saturating_add(person.email.len()))
            .collect())
    }

    /// The key of a customer who is being erased, for the fold that forgets.
    pub(super) fn held_key(&self, customer: CustomerNumber) -> Option<super::CustomerKey> {
        let held = self.held();
        let dek = held.get(&customer)?;
        Some(super::CustomerKey { customer, dek: dek.copy() })
    }

    fn hold(&self, customer: CustomerNumber, dek: Dek) {
        self.held().insert(customer, dek);
    }

    fn held(&self) -> std::sync::MutexGuard<'_, std::collections::HashMap<CustomerNumber, Dek>> {
        self.erasing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lists that outlive a restore.
    #[must_use]
    pub fn lists(&self) -> &Lists {
        &self.lists
    }
}

/// Marks the body hash of an idempotency record as bound to its customer's key.
const BOUND: char = 'k'; // no hexadecimal digit

/// A file so old that it lacks the slot has nothing to destroy in it.
pub(super) fn destroy(done: Result<(), KeyError>) -> Result<(), KeyError> {
    if matches!(done, Err(KeyError::Damaged { .. })) { Ok(()) } else { done }
}

pub(super) fn said(error: &Refused<OpenError>) -> String {
    if let Refused::Refusal(cause) = error { cause.to_string() } else { error.to_string() }
}

fn bound_mac(dek: &Dek, body: &[u8]) -> Hash16 {
    let keys = Hkdf::<Sha256>::new(Some(b"ficha customer 1"), dek.bytes());
    let mut key = Zeroizing::new([0; 64]);
    let mut hash = Hash16([0; 16]);
    // 64 bytes is far below what RFC 5869 allows.
    if keys.expand(b"body", key.as_mut_slice()).is_ok() {
        let mut mac = Hmac::<Sha256>::new((&*key).into());
        mac.update(body);
        for (place, byte) in hash.0.iter_mut().zip(mac.finalize().into_bytes()) {
            *place = byte;
        }
    }
    hash
}

#[cfg(test)]
mod tests;
