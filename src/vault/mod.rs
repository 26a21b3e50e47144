//! The personal half: names, texts and the links from cards and persons to customer numbers.
//!
//! Every section is sealed with a data key of its customer alone; destroying that key is erasure.
//! What must be found without opening every section (cards, phones, e-mails, names) stands in views
//! as keyed hashes, derived when a section is folded in. Nothing here knows points or purchases.
//!
//! Invariant: no value of this room is written in clear, and none is shown by `Debug`.

mod files;
pub mod kek;
pub mod keyring;
pub mod keys;
pub mod lists;
pub mod lookup;
pub mod phrase;
pub mod pin;
pub mod rotate;
pub mod seal;
mod settings;
mod twin;
pub mod twins;
pub mod ways;
mod write;

mod erasure;
mod find;
mod fold;
mod history;
mod kept;
mod let_go;
mod notes;
mod records;
mod till;

pub use erasure::{RENEW_WITHIN_US, Unfinished};
pub use find::FOUND_MAX;
pub use fold::{VaultFold, slots_named};
pub use history::{Held, History, Writing};
pub use let_go::Kept;
pub use records::made_at;
pub use settings::Settings;
pub use till::Till;

use crate::domain::id::{CardId, CustomerNumber};
use crate::domain::person::Person;
use crate::domain::person::fields::Section;
use crate::log::{Half, OpenError, Read, Refused, View, ViewError};
use kept::{SectionKept, parse_kept};
use keyring::Keyring;
use keys::{Dek, KeyError, KeyFile, KeyRef};
use lists::Lists;
use seal::{Aad, SealError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, OnceLock};
use zeroize::Zeroizing;

/// Counts up whenever a view's layout or a look-up rule changes: views of another number are made anew.
pub const VIEWS_VERSION: u32 = 6;

const fn personal(number: u8) -> View {
    View { half: Half::Personal, number }
}

/// Customer number → its place in the key file.
const KEYS: View = personal(0);
/// Customer number, then section name → revision, place of the key, and sealed bytes. All but [`TILL`].
const SECTIONS: View = personal(1);
/// Hash of a card's key or alias → customer and card.
const LINKS: View = personal(2);
/// Hash of a phone, e-mail, postcode, birthday or part of a name, then customer number → nothing.
const INDEX: View = personal(3);
/// One entry: how many slots of the key file, counted from the first, the journal knows of.
const SLOTS: View = personal(4);
/// Customer number → nothing: who was erased.
const ERASED: View = personal(5);
/// Customer number → the section [`TILL`], as in [`SECTIONS`]: every scan asks for it, and for no other.
const TILLS: View = personal(6);

/// The section that holds the person: [`Section::Basic`] of the registry.
pub const PERSON: &str = "person";
/// The section that holds what a till is shown.
pub const TILL: &str = "till";

/// The name under which a section of a form is sealed; `None` for those whose texts lie elsewhere.
#[must_use]
pub fn section_of(section: Section) -> Option<&'static str> {
    match section {
        Section::Basic => Some(PERSON),
        Section::Demographic
        | Section::Complementary
        | Section::Academic
        | Section::Family
        | Section::Other => Some(section.word()),
        Section::Notes
        | Section::Hints
        | Section::Preferences
        | Section::Consents
        | Section::Contacts
        | Section::Plans
        | Section::Surveys => None,
    }
}

/// The first letters of the sections that hold notes; a UUID version 7 follows, so that they stand in the order they were kept.
pub const NOTES: &str = "note:";
/// The same of consents.
pub const CONSENTS: &str = "consent:";
/// The same of contacts.
pub const CONTACTS: &str = "contact:";
/// The same of plans.
pub const PLANS: &str = "plan:";
/// The same of answers to surveys.
pub const SURVEYS: &str = "survey:";

/// The most notes kept with a customer: years of a busy desk, and quickly read.
pub const NOTES_MAX: usize = 200;

/// The longest plaintext of a section: padded and sealed it still fits one value of a view.
pub const SECTION_BYTES_MAX: usize = 3_800;

/// Why something of the vault cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// No key: names and texts are out of reach, everything else goes on.
    #[error("the vault is locked: its key is not there; `ficha doctor` says where it is looked for")]
    Locked,
    /// The customer's key was destroyed: an erased person.
    #[error("this customer's data was erased")]
    Erased,
    /// Nothing personal was ever kept under this number.
    #[error("no customer has this number")]
    Unknown,
    /// The views could not be made anew, or the journal takes nothing: erasures wait.
    #[error("an erasure waits: {why}")]
    Renew {
        /// What failed.
        why: String,
    },
    /// The journal could not be read to its end.
    #[error("the journal cannot be read now: {why}")]
    Journal {
        /// What failed.
        why: String,
    },
    /// The key file fails.
    #[error("the vault's key file cannot be used")]
    Key(#[source] KeyError),
    /// A section does not open under its customer's key: damaged, or moved from elsewhere.
    #[error("a sealed section does not open; `ficha doctor` says what to do")]
    Seal(#[source] SealError),
    /// The view itself fails.
    #[error("a view of the vault cannot be read; `ficha doctor` says what to do")]
    View(#[from] ViewError),
    /// What was opened, or a view's value, is of another layout.
    #[error("a record of the vault is of another layout ({what})")]
    Layout {
        /// Which kind of record.
        what: &'static str,
    },
}

impl VaultError {
    /// A journal that could not be read, by what its log says.
    pub(crate) fn journal(error: Refused<OpenError>) -> Self {
        Self::Journal { why: erasure::said(&error) }
    }
}

impl From<KeyError> for VaultError {
    fn from(error: KeyError) -> Self {
        if matches!(error, KeyError::Destroyed) { Self::Erased } else { Self::Key(error) }
    }
}

/// Where a card leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Whose card it is.
    pub customer: CustomerNumber,
    /// Which.
    pub card: CardId,
}

/// The plaintext of a section `card:…`: one hash for each version of the keyring that has seen the card.
#[derive(Serialize, Deserialize)]
struct CardSection {
    hashes: Vec<String>,
}

/// A section's revision and plaintext.
pub type Opened = (u64, Zeroizing<Vec<u8>>);

/// A customer's data key, fetched once for several sections.
#[derive(Debug)]
pub struct CustomerKey {
    customer: CustomerNumber,
    dek: Dek,
}

impl CustomerKey {
    /// Whose it is.
    #[must_use]
    pub fn customer(&self) -> CustomerNumber {
        self.customer
    }
}

/// The keys of the personal half. What they open lies in the log's views.
#[derive(Debug)]
pub struct Vault {
    /// Empty while the vault is locked.
    keys: OnceLock<KeyFile>,
    keyring: Keyring,
    lists: Lists,
    /// The keys of customers who are just being erased, until their views have forgotten them.
    erasing: Mutex<HashMap<CustomerNumber, Dek>>,
    /// Held while views are made anew because it is time.
    renewing: Mutex<()>,
    /// Whether destroyed keys may be in the key file again.
    again: AtomicBool,
}

impl Vault {
    /// A vault over its key file (`None`: locked), the keyring of hashes and the lists that outlive a restore.
    #[must_use]
    pub fn new(keys: Option<KeyFile>, keyring: Keyring, lists: Lists) -> Self {
        let keys = keys.map_or_else(OnceLock::new, OnceLock::from);
        let (erasing, renewing, again) = Default::default();
        Self { keys, keyring, lists, erasing, renewing, again }
    }

    /// Whether names and texts are out of reach.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.keys.get().is_none()
    }

    /// Unlocks a locked vault: keys that were destroyed before are destroyed in this file too, then it is in use.
    ///
    /// # Errors
    /// A failing key file: the vault stays locked.
    pub fn unlock(&self, keys: KeyFile) -> Result<(), VaultError> {
        self.destroy_listed(&keys)?;
        // If somebody was quicker, theirs is the same file.
        self.keys.get_or_init(|| keys);
        Ok(())
    }

    /// The keys of hashes: they work while the vault is locked.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// The key file.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn key_file(&self) -> Result<&KeyFile, VaultError> {
        self.keys.get().ok_or(VaultError::Locked)
    }

    /// Keeps the places that the journal has given out, on this timeline or one that was left, from being given again: a key
    /// file brought back from a copy may be older than the journal. For the start, before the first customer is enrolled.
    ///
    /// # Errors
    /// A failing view.
    pub fn skip_used(&self, views: &(impl Read + ?Sized)) -> Result<(), VaultError> {
        if let Ok(keys) = self.key_file() {
            keys.skip_to(slots_used(views)?.max(self.lists.slots_used()));
        }
        Ok(())
    }

    /// The data key of a customer; `None` if nothing personal is kept of them.
    ///
    /// # Errors
    /// [`VaultError::Locked`], [`VaultError::Erased`], or a failing view or key file.
    pub fn key_of(
        &self,
        views: &(impl Read + ?Sized),
        customer: CustomerNumber,
    ) -> Result<Option<CustomerKey>, VaultError> {
        let keys = self.key_file()?;
        let Some(place) = self.place_of(views, customer)? else { return Ok(None) };
        match keys.dek(place) {
            Ok(dek) => Ok(Some(CustomerKey { customer, dek })),
            Err(KeyError::Destroyed) => {
                // Or the customer was given another key a moment ago, and this place is the old one's.
                let now = self.place_of(views, customer)?;
                let dek = now.filter(|now| *now != place).map(|now| keys.dek(now)).transpose()?;
                dek.map(|dek| Some(CustomerKey { customer, dek })).ok_or(VaultError::Erased)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn place_of(
        &self,
        views: &(impl Read + ?Sized),
        customer: CustomerNumber,
    ) -> Result<Option<KeyRef>, VaultError> {
        let place = views.get(KEYS, customer.0.as_bytes())?;
        let place = place.map(|place| postcard::from_bytes(&place)).transpose();
        place.map_err(|_| VaultError::Layout { what: "key place" })
    }

    /// Opens a section with a key fetched before; gives its revision and plaintext.
    ///
    /// # Errors
    /// [`VaultError::Seal`] for a section that does not open, or a failing view.
    pub fn section(
        &self,
        views: &(impl Read + ?Sized),
        key: &CustomerKey,
        section: &str,
    ) -> Result<Option<Opened>, VaultError> {
        let (view, place) = kept::at(key.customer, section);
        let Some(kept) = views.get(view, &place)? else { return Ok(None) };
        let SectionKept { rev, sealed, .. } = parse_kept(&kept)?;
        let aad = Aad { customer: key.customer, section, rev };
        let plaintext = match seal::open(&key.dek, &aad, &sealed) {
            // The customer may have been given another key since this one was fetched.
            Err(SealError::NotThis) => {
                let now = self.key_of(views, key.customer)?.ok_or(VaultError::Unknown)?;
                seal::open(&now.dek, &aad, &sealed)
            }
            opened => opened,
        };
        Ok(Some((rev, plaintext.map_err(VaultError::Seal)?)))
    }

    /// The person.
    ///
    /// # Errors
    /// As [`Self::section`].
    pub fn person(
        &self,
        views: &(impl Read + ?Sized),
        key: &CustomerKey,
    ) -> Result<Option<Person>, VaultError> {
        let Some((_, plaintext)) = self.section(views, key, PERSON)? else { return Ok(None) };
        serde_json::from_slice(&plaintext).map(Some).map_err(|_| VaultError::Layout { what: "person" })
    }

    /// The fields of a section beside the basic one; empty if nothing is kept.
    ///
    /// # Errors
    /// As [`Self::section`].
    pub fn fields(
        &self,
        views: &(impl Read + ?Sized),
        key: &CustomerKey,
        section: Section,
    ) -> Result<Map<String, Value>, VaultError> {
        let name = section_of(section).filter(|name| *name != PERSON);
        let Some(name) = name else { return Ok(Map::new()) };
        let Some((_, plaintext)) = self.section(views, key, name)? else { return Ok(Map::new()) };
        serde_json::from_slice(&plaintext).map_err(|_| VaultError::Layout { what: "section" })
    }
}

fn slots_used(views: &(impl Read + ?Sized)) -> Result<u32, VaultError> {
    let Some(kept) = views.get(SLOTS, fold::SLOTS_KEY)? else { return Ok(0) };
    let kept = <[u8; 4]>::try_from(kept).map_err(|_| VaultError::Layout { what: "slots used" })?;
    Ok(u32::from_be_bytes(kept))
}
