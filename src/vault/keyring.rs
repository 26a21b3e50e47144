//! Keyed hashes: how a card, a phone number or a name is found without being kept.
//!
//! The keys are random and never leave this room. They are wrapped by a key of their own beside them, not by the
//! vault's, so that cards still lead to a customer while the vault is locked. Two files in one folder:
//! `keyring.key` (32 bytes, mode 0400) and `keyring`:
//!
//! ```text
//! "FICHARNG"  format u16  nonce [24]  sealed: { version u32, key [32] } newest first  crc u32   (little-endian)
//! ```
//!
//! Every hash is HMAC-SHA256 under a sub-key of its own (HKDF-SHA256, RFC 5869), cut to 16 bytes. Look-ups try the
//! newest version, then older ones; what is written uses the newest. The key beside can be changed too (`file.rs`). The second disk has a copy of both files (`second.rs`).

mod file;
mod second;

pub use second::Joined;

use super::files;
use super::kek::{self, KEY_BYTES};
use super::keys::{Fill, KeyError};
use crate::domain::code::{Alias, CardKey};
use crate::domain::operator::{Operator, Pin};
use crate::domain::person::Person;
use file::{Ring, encode, key_path};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::fmt;
use std::path::Path;
use zeroize::Zeroizing;

/// Versions that a keyring holds at most; each unknown card is hashed under all of them.
///
/// None is ever dropped: a card that is not shown again stays under its version, marks of erased persons are only ever compared, and
/// idempotency keys hold for ever. So there is an end, and it is told: at each change, by `ficha doctor` from [`VERSIONS_FEW`] left on, and by
/// [`KeyError::Versions`].
pub const VERSIONS_MAX: usize = 8;

/// So few further versions are worth a word.
pub const VERSIONS_FEW: usize = 2;

const VERSION_BYTES: usize = 4 + KEY_BYTES;
const SALT: &[u8] = b"ficha keyring 1";

/// A keyed hash. Says nothing without the keyring, and is personal data all the same: it goes when its customer goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hash16(pub [u8; 16]);

impl Hash16 {
    /// 32 hexadecimal digits, as an event keeps it.
    #[must_use]
    pub fn hex(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.0))
    }

    /// Reads what [`Self::hex`] wrote.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 32 {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(|number| Self(number.to_be_bytes()))
    }
}

/// Shows nothing: equal hashes in a log would link two lines to one person.
impl fmt::Debug for Hash16 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash16(••)")
    }
}

/// What a blind index is over; each has its own key, so that a name never meets a phone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IndexField {
    /// A telephone number in E.164.
    Phone,
    /// An e-mail address in its look-up form.
    Email,
    /// The beginning of a word of a name.
    Name,
    /// How a word of a name sounds, the name it is short for, or its end.
    Sound,
    /// A postcode.
    Postcode,
    /// A birthday, with and without its year.
    Birthday,
    /// Two of name, postcode, street and house together: who may be the same person.
    Pair,
}

/// The hash keys of one store. Any thread may hash; nothing here waits.
pub struct Keyring {
    newest: Version,
    /// Newer before older.
    older: Vec<Version>,
}

struct Version {
    number: u32,
    card: Prepared,
    alias: Prepared,
    phone: Prepared,
    email: Prepared,
    name: Prepared,
    sound: Prepared,
    postcode: Prepared,
    birthday: Prepared,
    pair: Prepared,
    body: Prepared,
    suppress: Prepared,
    pin: Prepared,
}

/// HMAC with its key already taken in; a hash starts from a copy.
type Prepared = Hmac<Sha256>;

impl Keyring {
    /// Makes `keyring.key` (unless a start that was cut short left one) and a `keyring` with one version in `folder`.
    /// For a store's first start: a new keyring in an old store leads no card to anybody.
    ///
    /// # Errors
    /// [`KeyError::AlreadyThere`] if there is a keyring; those of [`kek::create_key_file`] and [`Self::open`].
    pub fn create(folder: &Path, random: Fill) -> Result<Self, KeyError> {
        let path = file::path(folder);
        if path.exists() {
            return Err(KeyError::AlreadyThere { path });
        }
        match kek::create_key_file(&key_path(folder), random) {
            Ok(()) | Err(KeyError::AlreadyThere { .. }) => {}
            Err(error) => return Err(error),
        }
        let mut versions = Zeroizing::new([0; VERSION_BYTES]);
        if let Some((number, key)) = versions.split_first_chunk_mut::<4>() {
            *number = 1_u32.to_le_bytes();
            random(key).map_err(|source| KeyError::Random { source })?;
        }
        let key = kek::read_own_key(&key_path(folder))?;
        let full = || KeyError::Full { path: path.clone() };
        let file = encode(&key, versions.as_slice(), random)?.ok_or_else(full)?;
        files::create(&path, 0o600, &file)?;
        Self::open(folder)
    }

    /// Opens the keyring in `folder`.
    ///
    /// # Errors
    /// [`KeyError::NoKeyFile`] without `keyring` or `keyring.key`: both must come from a copy. [`KeyError::WrongKey`], [`KeyError::HeaderDamaged`], [`KeyError::Version`], [`KeyError::Exposed`],
    /// [`KeyError::Malformed`], [`KeyError::Io`].
    pub fn open(folder: &Path) -> Result<Self, KeyError> {
        let ring = Ring::read(folder)?;
        let (versions, rest) = ring.versions.as_chunks::<VERSION_BYTES>();
        let mut versions = versions.iter().filter_map(|bytes| {
            let (number, key) = bytes.split_first_chunk::<4>()?;
            Version::new(u32::from_le_bytes(*number), key)
        });
        let (newest, older) = (versions.next(), versions.collect::<Vec<_>>());
        match newest {
            Some(newest) if older.len() < VERSIONS_MAX && rest.is_empty() => Ok(Self { newest, older }),
            _ => Err(KeyError::HeaderDamaged { path: file::path(folder) }),
        }
    }

    /// Adds a version to the keyring in `folder`, which is what new hashes are made with. Replaced at once: a cut leaves the
    /// old keyring or the new one. Gives its number.
    ///
    /// # Errors
    /// [`KeyError::Versions`] at [`VERSIONS_MAX`]; [`KeyError::Random`]; those of [`Self::open`].
    pub fn rotate(folder: &Path, random: Fill) -> Result<u32, KeyError> {
        let keys = Self::open(folder)?;
        let full = || KeyError::Versions { path: file::path(folder), max: VERSIONS_MAX };
        if keys.versions() >= VERSIONS_MAX {
            return Err(full());
        }
        let number = keys.newest().checked_add(1).ok_or_else(full)?;
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        random(key.as_mut_slice()).map_err(|source| KeyError::Random { source })?;
        let ring = Ring::read(folder)?;
        let mut versions = Zeroizing::new(Vec::with_capacity(VERSION_BYTES.saturating_mul(VERSIONS_MAX)));
        versions.extend_from_slice(&number.to_le_bytes());
        versions.extend_from_slice(key.as_slice());
        versions.extend_from_slice(&ring.versions);
        file::replace(folder, &ring.key, &versions, random)?;
        Ok(number)
    }

    /// How many versions it has, of [`VERSIONS_MAX`].
    #[must_use]
    pub fn versions(&self) -> usize {
        self.older.len().saturating_add(1)
    }

    /// Whether some hashes may be of an older version than the newest.
    #[must_use]
    pub fn has_older(&self) -> bool {
        !self.older.is_empty()
    }

    /// The version that new hashes are made with.
    #[must_use]
    pub fn newest(&self) -> u32 {
        self.newest.number
    }

    /// A card's hash under the newest version, for what is written.
    #[must_use]
    pub fn card_hash(&self, card: &CardKey) -> Hash16 {
        self.newest.hash(Purpose::Card, &[&card.0])
    }

    /// A card's hash under every version, newest first: look up by each until one is known.
    #[must_use]
    pub fn card_hashes(&self, card: &CardKey) -> Vec<Hash16> {
        self.every_hash(Purpose::Card, &[&card.0])
    }

    /// The hash of an imported card; its programme is part of it.
    #[must_use]
    pub fn alias_hash(&self, alias: &Alias) -> Hash16 {
        let (length, programme) = measured(&alias.programme);
        self.newest.hash(Purpose::Alias, &[&length, programme, alias.code.as_bytes()])
    }

    /// As [`Self::card_hashes`], of an imported card.
    #[must_use]
    pub fn alias_hashes(&self, alias: &Alias) -> Vec<Hash16> {
        let (length, programme) = measured(&alias.programme);
        self.every_hash(Purpose::Alias, &[&length, programme, alias.code.as_bytes()])
    }

    /// The hash of one term that [`lookup`](super::lookup) made.
    #[must_use]
    pub fn index(&self, field: IndexField, normalised: &str) -> Hash16 {
        self.newest.hash(Purpose::Index(field), &[normalised.as_bytes()])
    }

    /// As [`Self::card_hashes`], of one term.
    #[must_use]
    pub fn indexes(&self, field: IndexField, normalised: &str) -> Vec<Hash16> {
        self.every_hash(Purpose::Index(field), &[normalised.as_bytes()])
    }

    /// What is kept of a person who wants to hear nothing more: a hash of each telephone number and address, under every
    /// version, those of the newest first. It leads from the number to «yes», and from nothing to anybody.
    #[must_use]
    pub fn marks(&self, person: &Person) -> Vec<Hash16> {
        let phones =
            person.telephone.iter().map(|telephone| (&b"tel:"[..], telephone.e164.as_str().to_owned()));
        let emails = person.email.iter().map(|email| (&b"mailto:"[..], email.addr.lookup()));
        let whom: Vec<(&[u8], String)> = phones.chain(emails).collect();
        let versions = std::iter::once(&self.newest).chain(&self.older);
        let mark = |version: &Version, (kind, who): &(&[u8], String)| {
            version.hash(Purpose::Suppress, &[kind, who.as_bytes()])
        };
        versions.flat_map(|version| whom.iter().map(|who| mark(version, who)).collect::<Vec<_>>()).collect()
    }

    /// What an idempotency record keeps of a request's body instead of the body.
    #[must_use]
    pub fn body_mac(&self, body: &[u8]) -> Hash16 {
        self.newest.hash(Purpose::Body, &[body])
    }

    /// Whether `mac` was made of this body, under any version.
    #[must_use]
    pub fn body_mac_fits(&self, body: &[u8], mac: &Hash16) -> bool {
        self.every_hash(Purpose::Body, &[body]).contains(mac)
    }

    /// An operator's PIN under the newest version, and that version's number. Not to be kept: [`pin`](super::pin) stretches it.
    pub(super) fn pin_hash(&self, operator: &Operator, pin: &Pin) -> (u32, Hash16) {
        (self.newest.number, self.newest.pin(operator, pin))
    }

    /// The same under the version of this number; `None` if the keyring has none.
    pub(super) fn pin_hash_of(&self, number: u32, operator: &Operator, pin: &Pin) -> Option<Hash16> {
        let mut versions = std::iter::once(&self.newest).chain(&self.older);
        versions.find(|version| version.number == number).map(|version| version.pin(operator, pin))
    }

    fn every_hash(&self, purpose: Purpose, parts: &[&[u8]]) -> Vec<Hash16> {
        let versions = std::iter::once(&self.newest).chain(&self.older);
        versions.map(|version| version.hash(purpose, parts)).collect()
    }
}

/// Shows how many versions it has.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({} versions)", self.versions())
    }
}

/// What is hashed; the sub-key's name.
#[derive(Clone, Copy)]
enum Purpose {
    Card,
    Alias,
    Index(IndexField),
    Body,
    Suppress,
    Pin,
}

impl Version {
    fn new(number: u32, key: &[u8]) -> Option<Self> {
        let keys = Hkdf::<Sha256>::new(Some(SALT), key);
        Some(Self {
            number,
            card: sub_key(&keys, b"card")?,
            alias: sub_key(&keys, b"alias")?,
            phone: sub_key(&keys, b"index:phone")?,
            email: sub_key(&keys, b"index:email")?,
            name: sub_key(&keys, b"index:name")?,
            sound: sub_key(&keys, b"index:sound")?,
            postcode: sub_key(&keys, b"index:postcode")?,
            birthday: sub_key(&keys, b"index:birthday")?,
            pair: sub_key(&keys, b"index:pair")?,
            body: sub_key(&keys, b"body")?,
            suppress: sub_key(&keys, b"suppress")?,
            pin: sub_key(&keys, b"pin")?,
        })
    }

    fn pin(&self, operator: &Operator, pin: &Pin) -> Hash16 {
        let (length, operator) = measured(operator.as_str());
        self.hash(Purpose::Pin, &[&length, operator, pin.reveal().as_bytes()])
    }

    fn hash(&self, purpose: Purpose, parts: &[&[u8]]) -> Hash16 {
        let prepared = match purpose {
            Purpose::Card => &self.card,
            Purpose::Alias => &self.alias,
            Purpose::Index(IndexField::Phone) => &self.phone,
            Purpose::Index(IndexField::Email) => &self.email,
            Purpose::Index(IndexField::Name) => &self.name,
            Purpose::Index(IndexField::Sound) => &self.sound,
            Purpose::Index(IndexField::Postcode) => &self.postcode,
            Purpose::Index(IndexField::Birthday) => &self.birthday,
            Purpose::Index(IndexField::Pair) => &self.pair,
            Purpose::Body => &self.body,
            Purpose::Suppress => &self.suppress,
            Purpose::Pin => &self.pin,
        };
        let mut mac = prepared.clone();
        for part in parts {
            mac.update(part);
        }
        let mut hash = Hash16([0; 16]);
        for (place, byte) in hash.0.iter_mut().zip(mac.finalize().into_bytes()) {
            *place = byte;
        }
        hash
    }
}

/// `None` only for a key longer than RFC 5869 allows (8160 bytes).
fn sub_key(keys: &Hkdf<Sha256>, name: &[u8]) -> Option<Prepared> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    keys.expand(name, key.as_mut_slice()).ok()?;
    let mut block = Zeroizing::new([0; 64]);
    for (place, byte) in block.iter_mut().zip(key.iter()) {
        *place = *byte;
    }
    // RFC 2104: a key shorter than the hash's block is filled up with zeros.
    Some(Prepared::new((&*block).into()))
}

fn measured(programme: &str) -> ([u8; 8], &[u8]) {
    let length = u64::try_from(programme.len()).unwrap_or(u64::MAX);
    (length.to_le_bytes(), programme.as_bytes())
}

#[cfg(test)]
mod tests;
