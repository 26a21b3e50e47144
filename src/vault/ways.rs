//! Other ways to the vault's key than the file or credential that holds it: a passphrase, and the recovery phrase.
//!
//! Each way is the vault's key, sealed under a key made of what somebody knows. The file `keys.ways` beside the key file
//! holds them: without what is known they open nothing, so they may be copied like the key file. Which of several ways
//! is the right one, the key file tells: only the right key opens its head. Each has its key's name, which says nothing of it,
//! so that those of a key that is no more can go.

use super::kek::{KEY_BYTES, Kek, NAME_BYTES};
use super::keys::{Fill, KeyError};
use super::phrase::Phrase;
use super::seal::{NONCE_BYTES, decrypt, encrypt};
use super::twin::Twin;
use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::KeyInit;
use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::fmt;
use std::path::Path;
use zeroize::Zeroizing;

/// The fewest characters of a passphrase.
pub const PASSPHRASE_CHARS_MIN: usize = 10;
/// Ways that are tried at most: a passphrase and a phrase, of the old key and of the new one while it is being changed.
const WAYS_MAX: usize = 4;
/// Argon2id, RFC 9106 section 4, second recommended choice: 64 MiB, three passes; one lane, for the daemon has one thread to spare.
const COST: Cost = Cost { memory_kib: 64 * 1024, passes: 3, lanes: 1 };
/// What is read from a file is not trusted to cost more than this: a few seconds on a small machine.
const COST_MAX: Cost = Cost { memory_kib: 256 * 1024, passes: 8, lanes: 4 };

/// What somebody knows.
#[derive(Debug)]
pub enum Secret {
    /// The key itself, from a file or a credential.
    Key(Kek),
    /// A passphrase.
    Passphrase(Passphrase),
    /// The recovery phrase.
    Phrase(Phrase),
}

/// A passphrase that somebody chose.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes a passphrase as it was typed.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Whether it is too short to be chosen.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.0.trim().chars().count() < PASSPHRASE_CHARS_MIN
    }
}

/// Shows nothing of it.
impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(••)")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Passphrase,
    Phrase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// The vault's key, sealed under what somebody knows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    kind: Kind,
    /// The name of the key that it leads to.
    leads_to: [u8; NAME_BYTES],
    cost: Cost,
    salt: [u8; 16],
    nonce: [u8; NONCE_BYTES],
    sealed: Vec<u8>,
}

/// Shows which kind it is.
impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Way({:?})", self.kind)
    }
}

impl Way {
    /// A new way to `kek`; `None` for a secret that is the key itself.
    ///
    /// # Errors
    /// [`KeyError::Random`]; [`KeyError::Stretch`] when there is no memory for it.
    pub fn new(kek: &Kek, secret: &Secret, random: Fill) -> Result<Option<Self>, KeyError> {
        let kind = match secret {
            Secret::Key(_) => return Ok(None),
            Secret::Passphrase(_) => Kind::Passphrase,
            Secret::Phrase(_) => Kind::Phrase,
        };
        let (mut salt, mut nonce) = ([0; 16], [0; NONCE_BYTES]);
        random(&mut salt).and_then(|()| random(&mut nonce)).map_err(|source| KeyError::Random { source })?;
        let mut way = Self { kind, leads_to: kek.name(), cost: COST, salt, nonce, sealed: Vec::new() };
        let cipher = way.cipher(secret)?.ok_or(KeyError::Stretch)?;
        way.sealed = encrypt(&cipher, &nonce, &way.aad(), kek.bytes()).ok_or(KeyError::Stretch)?;
        Ok(Some(way))
    }

    /// The key, if `secret` is of this way.
    fn open(&self, secret: &Secret) -> Result<Option<Kek>, KeyError> {
        let Some(cipher) = self.cipher(secret)? else { return Ok(None) };
        let Some(opened) = decrypt(&cipher, &self.nonce, &self.aad(), &self.sealed) else { return Ok(None) };
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        if opened.len() != KEY_BYTES {
            return Ok(None);
        }
        key.copy_from_slice(&opened);
        Ok(Some(Kek::new(key)))
    }

    /// `None` where the secret is of another kind.
    fn cipher(&self, secret: &Secret) -> Result<Option<XChaCha20Poly1305>, KeyError> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        match (self.kind, secret) {
            (Kind::Passphrase, Secret::Passphrase(passphrase)) => {
                self.cost.stretch(passphrase.0.trim().as_bytes(), &self.salt, key.as_mut_slice())?;
            }
            (Kind::Phrase, Secret::Phrase(phrase)) => {
                // 160 random bits need no stretching.
                let keys = Hkdf::<Sha256>::new(Some(&self.salt), phrase.bits());
                keys.expand(b"ficha recovery phrase 1", key.as_mut_slice()).map_err(|_| KeyError::Stretch)?;
            }
            (Kind::Passphrase | Kind::Phrase, _) => return Ok(None),
        }
        Ok(Some(XChaCha20Poly1305::new((&*key).into())))
    }

    fn aad(&self) -> Vec<u8> {
        let mut bytes = Vec::from(*b"ficha way 1");
        bytes.push(match self.kind {
            Kind::Passphrase => 1,
            Kind::Phrase => 2,
        });
        for number in [self.cost.memory_kib, self.cost.passes, self.cost.lanes] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&self.leads_to);
        bytes.extend_from_slice(&self.salt);
        bytes
    }
}

impl Cost {
    fn is_too_much(self) -> bool {
        let Self { memory_kib, passes, lanes } = COST_MAX;
        self.memory_kib > memory_kib || self.passes > passes || self.lanes > lanes
    }

    fn stretch(self, passphrase: &[u8], salt: &[u8], key: &mut [u8]) -> Result<(), KeyError> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(KEY_BYTES));
        let params = params.map_err(|_| KeyError::Stretch)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into(passphrase, salt, key).map_err(|_| KeyError::Stretch)
    }
}

/// All ways of one vault.
#[derive(Debug)]
pub struct Ways {
    twin: Twin,
    counter: u64,
    ways: Vec<Way>,
}

impl Ways {
    /// Reads `keys.ways` in `folder`, and in the folder of second copies. A file that is not there has no ways.
    ///
    /// # Errors
    /// [`KeyError::HeaderDamaged`], [`KeyError::Costly`], [`KeyError::Io`].
    pub fn open(folder: &Path, second: Option<&Path>) -> Result<Self, KeyError> {
        let twin = Twin::new(*b"FICHAWAY", "keys.ways", folder, second);
        let found = twin.load()?;
        let damaged = |_| KeyError::HeaderDamaged { path: twin.path().to_owned() };
        let ways: Vec<Way> = match found.bodies.first() {
            Some(body) => postcard::from_bytes(body).map_err(damaged)?,
            None => Vec::new(),
        };
        if ways.iter().any(|way| way.cost.is_too_much()) {
            return Err(KeyError::Costly { path: twin.path().to_owned() });
        }
        let mut opened = Self { twin, counter: found.counter, ways };
        if found.uneven {
            opened.replace(opened.ways.clone())?;
        }
        Ok(opened)
    }

    /// The keys that `secret` leads to: one, or more while a rotation is under way. None: it is wrong.
    ///
    /// # Errors
    /// [`KeyError::Stretch`].
    pub fn keys(&self, secret: &Secret) -> Result<Vec<Kek>, KeyError> {
        let mut keys = Vec::new();
        for way in self.ways.iter().rev().take(WAYS_MAX) {
            keys.extend(way.open(secret)?);
        }
        Ok(keys)
    }

    /// Whether there is a recovery phrase that leads to `current`.
    #[must_use]
    pub fn has_phrase(&self, current: &Kek) -> bool {
        self.ways.iter().any(|way| way.kind == Kind::Phrase && way.leads_to == current.name())
    }

    /// Keeps the ways to `old` and adds those to the key that is to follow it. Those of a change that was cut off earlier go:
    /// nothing was ever wrapped with what they lead to.
    ///
    /// # Errors
    /// [`KeyError::Io`].
    pub(super) fn prepare(&mut self, old: &Kek, next: &[Way]) -> Result<(), KeyError> {
        let mut ways = self.ways.clone();
        ways.retain(|way| way.leads_to == old.name());
        ways.extend_from_slice(next);
        self.replace(ways)
    }

    /// Puts `way` in the place of all others of its kind.
    ///
    /// # Errors
    /// [`KeyError::Io`].
    pub fn set(&mut self, way: Way) -> Result<(), KeyError> {
        let mut ways = self.ways.clone();
        ways.retain(|kept| kept.kind != way.kind);
        ways.push(way);
        self.replace(ways)
    }

    /// Keeps exactly these.
    ///
    /// # Errors
    /// [`KeyError::Io`].
    pub fn replace(&mut self, ways: Vec<Way>) -> Result<(), KeyError> {
        let full = || KeyError::Full { path: self.twin.path().to_owned() };
        let body = postcard::to_stdvec(&ways).map_err(|_| full())?;
        let counter = self.counter.saturating_add(1);
        self.twin.store(counter, &body)?;
        (self.counter, self.ways) = (counter, ways);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::os_random;
    use super::*;

    fn kek(byte: u8) -> Kek {
        Kek::new(Zeroizing::new([byte; KEY_BYTES]))
    }

    fn passphrase(text: &str) -> Secret {
        Secret::Passphrase(Passphrase::new(text.to_owned()))
    }

    fn bytes(keys: &[Kek]) -> Vec<[u8; KEY_BYTES]> {
        keys.iter().map(|key| *key.bytes()).collect()
    }

    #[test]
    fn a_way_opens_for_its_secret_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut ways = Ways::open(folder.path(), None).unwrap();
        let phrase = Phrase::new(os_random).unwrap();
        let again = Secret::Phrase(Phrase::parse(&phrase.reveal()).unwrap());
        let phrase = Secret::Phrase(phrase);
        assert!(!ways.has_phrase(&kek(1)));
        for secret in [&phrase, &passphrase("correct horse battery")] {
            ways.set(Way::new(&kek(1), secret, os_random).unwrap().unwrap()).unwrap();
        }
        assert!(Way::new(&kek(1), &Secret::Key(kek(1)), os_random).unwrap().is_none());

        let mut ways = Ways::open(folder.path(), None).unwrap();
        assert!(ways.has_phrase(&kek(1)));
        for secret in [&again, &passphrase("correct horse battery\n")] {
            assert_eq!(bytes(&ways.keys(secret).unwrap()), [[1; KEY_BYTES]]);
        }
        let other = Secret::Phrase(Phrase::new(os_random).unwrap());
        for secret in [&other, &passphrase("correct horse batter"), &passphrase("")] {
            assert!(ways.keys(secret).unwrap().is_empty());
        }
        // While a rotation is under way both keys are led to; afterwards one.
        let new = Way::new(&kek(2), &phrase, os_random).unwrap().unwrap();
        ways.prepare(&kek(1), std::slice::from_ref(&new)).unwrap();
        assert_eq!(bytes(&ways.keys(&again).unwrap()), [[2; KEY_BYTES], [1; KEY_BYTES]]);
        // Cut off there and begun again, nothing of the first attempt stays.
        ways.prepare(&kek(1), std::slice::from_ref(&new)).unwrap();
        assert_eq!(ways.ways.len(), 3);
        assert!(ways.has_phrase(&kek(2)) && !ways.has_phrase(&kek(3)));
        ways.replace(vec![new]).unwrap();
        assert_eq!(bytes(&ways.keys(&again).unwrap()), [[2; KEY_BYTES]]);
        assert!(ways.keys(&passphrase("correct horse battery")).unwrap().is_empty());
    }

    #[test]
    fn what_is_kept_cannot_be_made_cheaper() {
        let folder = tempfile::tempdir().unwrap();
        let mut ways = Ways::open(folder.path(), None).unwrap();
        let secret = passphrase("correct horse battery");
        let way = Way::new(&kek(1), &secret, os_random).unwrap().unwrap();
        for change in [|cost: &mut Cost| cost.memory_kib = 8, |cost: &mut Cost| cost.passes = 1] {
            let mut changed = way.clone();
            change(&mut changed.cost);
            ways.set(changed).unwrap();
            assert!(ways.keys(&secret).unwrap().is_empty());
        }
    }

    #[test]
    fn what_would_cost_too_much_is_refused_before_it_is_tried() {
        let folder = tempfile::tempdir().unwrap();
        let secret = passphrase("correct horse battery");
        let way = Way::new(&kek(1), &secret, os_random).unwrap().unwrap();
        let costs: [fn(&mut Cost); 3] = [
            |cost| cost.memory_kib = COST_MAX.memory_kib + 1,
            |cost| cost.passes = u32::MAX,
            |cost| cost.lanes = COST_MAX.lanes + 1,
        ];
        for change in costs {
            let mut ways = Ways { counter: 0, twin: twin(folder.path()), ways: Vec::new() };
            let mut changed = way.clone();
            change(&mut changed.cost);
            ways.set(changed).unwrap();
            let refused = Ways::open(folder.path(), None).unwrap_err();
            assert!(matches!(refused, KeyError::Costly { .. }), "{refused}");
        }
    }

    fn twin(folder: &Path) -> Twin {
        Twin::new(*b"FICHAWAY", "keys.ways", folder, None)
    }
}
