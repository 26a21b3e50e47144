//! The keyring's two files: the versions, and the key that wraps them, which can be changed.
//!
//! A change writes the new key beside the old one (`keyring.key.next`), replaces the keyring by one that is wrapped with it, and gives it the
//! old one's name. Cut off anywhere, one of the two keys opens the keyring: reading tries both, and the next start gives the one
//! that does its name.

use super::super::files::{self, beside};
use super::super::kek::{self, KEY_BYTES};
use super::super::keys::{Fill, KeyError};
use super::super::seal::{NONCE_BYTES, decrypt, encrypt};
use super::Keyring;
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::KeyInit as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const MAGIC: [u8; 8] = *b"FICHARNG";
const FORMAT: u16 = 1;
const FILE_BYTES_MAX: u64 = 4096;

/// A whole keyring, as its two files have it.
pub(super) struct Ring {
    pub(super) key: Zeroizing<[u8; KEY_BYTES]>,
    pub(super) file: Vec<u8>,
    /// Newer ones stand before older ones.
    pub(super) versions: Zeroizing<Vec<u8>>,
    /// Whether the key still waits for its name.
    waits: bool,
}

impl Ring {
    /// Reads both files in `folder`, and changes nothing.
    pub(super) fn read(folder: &Path) -> Result<Self, KeyError> {
        let path = path(folder);
        // Unlike the vault's key, nobody goes on without this one.
        let gone =
            |error| if let KeyError::Missing { path } = error { KeyError::NoKeyFile { path } } else { error };
        let file = files::read_private(&path, 0o077, FILE_BYTES_MAX).map_err(gone)?;
        let key = kek::read_own_key(&key_path(folder)).map_err(gone)?;
        let wrong = match decode(&key, &file, &path) {
            Ok(versions) => return Ok(Self { key, file, versions, waits: false }),
            Err(error @ KeyError::WrongKey { .. }) => error,
            Err(error) => return Err(error),
        };
        // A change that was cut off between the keyring and its key.
        let Ok(key) = kek::read_own_key(&next_path(folder)) else { return Err(wrong) };
        match decode(&key, &file, &path) {
            Ok(versions) => Ok(Self { key, file, versions, waits: true }),
            Err(_) => Err(wrong),
        }
    }
}

/// Replaces the keyring in `folder` by these versions, wrapped with this key.
pub(super) fn replace(
    folder: &Path,
    key: &[u8; KEY_BYTES],
    versions: &[u8],
    random: Fill,
) -> Result<(), KeyError> {
    let path = path(folder);
    let full = || KeyError::Full { path: path.clone() };
    files::replace(&path, 0o600, &encode(key, versions, random)?.ok_or_else(full)?)
}

impl Keyring {
    /// Changes the key that wraps the keyring in `folder`: whoever has the old one has no later keyring with it. The versions stay, and
    /// with them every hash.
    ///
    /// # Errors
    /// Those of [`Self::open`]; [`KeyError::Random`], [`KeyError::Io`]: it opens as before, or with the new key, and done again it comes to
    /// its end.
    pub fn rewrap(folder: &Path, random: Fill) -> Result<(), KeyError> {
        Self::finish_rewrap(folder)?;
        let ring = Ring::read(folder)?;
        match kek::create_key_file(&next_path(folder), random) {
            // Left by a change that was cut off before it wrapped anything.
            Ok(()) | Err(KeyError::AlreadyThere { .. }) => {}
            Err(error) => return Err(error),
        }
        let key = kek::read_own_key(&next_path(folder))?;
        replace(folder, &key, &ring.versions, random)?;
        Self::finish_rewrap(folder)
    }

    /// Gives the key of a change that was cut off its name, if there is one that opens the keyring. For whoever holds the state
    /// folder.
    ///
    /// # Errors
    /// [`KeyError::Io`]. What is wrong with the keyring is told when it is opened.
    pub fn finish_rewrap(folder: &Path) -> Result<(), KeyError> {
        let waits = Ring::read(folder).is_ok_and(|ring| ring.waits);
        let key = key_path(folder);
        let named = if waits { files::rename(&next_path(folder), &key) } else { Ok(()) };
        named.map_err(|source| KeyError::io(&key, source))
    }
}

/// Where the versions lie.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join("keyring")
}

/// Where the key that wraps them lies.
pub(super) fn key_path(folder: &Path) -> PathBuf {
    folder.join("keyring.key")
}

/// Where a new one waits.
fn next_path(folder: &Path) -> PathBuf {
    beside(&key_path(folder), ".next")
}

fn head(nonce: &[u8; NONCE_BYTES]) -> Vec<u8> {
    let mut bytes = Vec::from(MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(nonce);
    bytes
}

/// The bytes of a keyring; `None` if the versions are too long to be sealed.
pub(super) fn encode(
    key: &[u8; KEY_BYTES],
    versions: &[u8],
    random: Fill,
) -> Result<Option<Vec<u8>>, KeyError> {
    let mut nonce = [0; NONCE_BYTES];
    random(&mut nonce).map_err(|source| KeyError::Random { source })?;
    let mut bytes = head(&nonce);
    let sealed = encrypt(&XChaCha20Poly1305::new(key.into()), &nonce, &bytes, versions);
    Ok(sealed.map(|sealed| {
        bytes.extend(sealed);
        let sum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }))
}

/// Damage shows in the checksum, another key in the seal.
fn decode(key: &[u8; KEY_BYTES], file: &[u8], path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let damaged = || KeyError::HeaderDamaged { path: path.to_owned() };
    let (bytes, sum) = file.split_last_chunk::<4>().ok_or_else(damaged)?;
    let (magic, rest) = bytes.split_first_chunk::<8>().ok_or_else(damaged)?;
    let (format, rest) = rest.split_first_chunk::<2>().ok_or_else(damaged)?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(damaged)?;
    if *sum != crc32fast::hash(bytes).to_le_bytes() || *magic != MAGIC {
        return Err(damaged());
    }
    let found = u16::from_le_bytes(*format);
    if found != FORMAT {
        return Err(KeyError::Version { path: path.to_owned(), found });
    }
    let cipher = XChaCha20Poly1305::new(key.into());
    decrypt(&cipher, nonce, &head(nonce), sealed).ok_or_else(|| KeyError::WrongKey { path: path.to_owned() })
}
