//! The versions of one customer: what was written when, out of the journal.
//!
//! Reads the personal half's whole journal on the caller's thread, which must be one that may wait. A version opens only while
//! the key that it was sealed under is there: after an erasure none does, after a retention run none from before. Never
//! changes anything.

use super::keys::{Dek, KeyRef};
use super::lists::Stage;
use super::seal::{self, Aad, Sealed};
use super::{Vault, VaultError};
use crate::domain::event::VaultEvent;
use crate::domain::id::CustomerNumber;
use crate::log::{Half, Log, Meta};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use zeroize::Zeroizing;

/// The most writings of sections that are kept in mind of one customer, the newest: some ten megabytes.
const WRITINGS_MAX: usize = 2_000;

/// One section as a transaction left it.
pub struct Writing {
    /// Which transaction.
    pub meta: Meta,
    /// Under which number.
    pub customer: CustomerNumber,
    /// Which section.
    pub section: String,
    /// What it held.
    pub held: Held,
}

/// What a section held.
pub enum Held {
    /// This.
    Text(Zeroizing<Vec<u8>>),
    /// Something that no key opens any more.
    Unreadable,
    /// Nothing: it was let go.
    Nothing,
}

/// Shows which section and when.
impl fmt::Debug for Writing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writing({:?}, {})", self.meta, self.section)
    }
}

impl Held {
    /// The fields of a section that has some.
    #[must_use]
    pub fn fields(&self) -> Option<Map<String, Value>> {
        match self {
            Self::Text(text) => serde_json::from_slice(text).ok(),
            Self::Unreadable => None,
            Self::Nothing => Some(Map::new()),
        }
    }
}

/// Shows which of the three.
impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text(••)",
            Self::Unreadable => "Unreadable",
            Self::Nothing => "Nothing",
        })
    }
}

/// What was written of a customer.
#[derive(Debug, Default)]
pub struct History {
    /// Oldest first.
    pub writings: Vec<Writing>,
    /// Whether there were older ones.
    pub more: bool,
}

impl Vault {
    /// What was ever written of a customer under any of these numbers, section by section. Waits for disks, and reads a journal.
    ///
    /// # Errors
    /// [`VaultError::Locked`]; [`VaultError::Journal`].
    pub fn history(&self, log: &Log, numbers: &[CustomerNumber]) -> Result<History, VaultError> {
        let mut reading = Reading {
            vault: self,
            numbers,
            keys: BTreeMap::new(),
            now: BTreeMap::new(),
            found: VecDeque::new(),
            more: false,
        };
        self.key_file()?;
        let texts: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        let mut visit = |meta: &Meta, event: &[u8]| {
            // Most events are others': told without taking them apart.
            if std::str::from_utf8(event).is_ok_and(|text| texts.iter().any(|number| text.contains(number)))
                && let Ok(event) = serde_json::from_slice(event)
            {
                reading.see(*meta, event);
            }
        };
        let read = log.past(Half::Personal, &mut visit);
        read.map_err(VaultError::journal)?;
        Ok(History { writings: reading.found.into(), more: reading.more })
    }
}

struct Reading<'v> {
    vault: &'v Vault,
    numbers: &'v [CustomerNumber],
    /// The customer's keys, as far as they are still there.
    keys: BTreeMap<KeyRef, Option<Dek>>,
    /// The key that each number has at this place of the journal.
    now: BTreeMap<CustomerNumber, KeyRef>,
    found: VecDeque<Writing>,
    more: bool,
}

impl Reading<'_> {
    fn see(&mut self, meta: Meta, event: VaultEvent) {
        match event {
            VaultEvent::KeyAssigned { customer, slot, generation } if self.numbers.contains(&customer) => {
                let place = KeyRef { slot, generation };
                let ended = self.vault.lists.erasures();
                let ended = ended.iter().any(|kept| kept.key == place && kept.stage != Stage::Intended);
                let keys = self.vault.key_file().ok().filter(|_| !ended);
                self.keys.insert(place, keys.and_then(|keys| keys.dek(place).ok()));
                self.now.insert(customer, place);
            }
            VaultEvent::SectionSealed { customer, section, rev, sealed }
                if self.numbers.contains(&customer) =>
            {
                let held = self.open(customer, (&section, rev), &sealed).map_or(Held::Unreadable, Held::Text);
                self.push(Writing { meta, customer, section, held });
            }
            VaultEvent::SectionRemoved { customer, section } if self.numbers.contains(&customer) => {
                self.push(Writing { meta, customer, section, held: Held::Nothing });
            }
            VaultEvent::KeyAssigned { .. }
            | VaultEvent::SectionSealed { .. }
            | VaultEvent::SectionRemoved { .. }
            | VaultEvent::CustomerErased { .. } => {}
        }
    }

    fn open(
        &self,
        customer: CustomerNumber,
        (section, rev): (&str, u64),
        sealed: &str,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let dek = self.keys.get(self.now.get(&customer)?)?.as_ref()?;
        let sealed = Sealed::from_kept(&BASE64.decode(sealed).ok()?);
        seal::open(dek, &Aad { customer, section, rev }, &sealed).ok()
    }

    fn push(&mut self, writing: Writing) {
        // Within one transaction what was taken out to be sealed anew was never gone.
        let place = |one: &Writing| (one.meta.seq, one.customer);
        let before = self
            .found
            .iter()
            .rposition(|kept| place(kept) == place(&writing) && kept.section == writing.section);
        if let Some(before) = before {
            self.found.remove(before);
        }
        if self.found.len() >= WRITINGS_MAX {
            self.found.pop_front();
            self.more = true;
        }
        self.found.push_back(writing);
    }
}
