//! The key that wraps all data keys, and where it comes from.
//!
//! It never lies beside what it opens by this room's doing: a systemd credential or a file of its own holds it.
//! Without it the vault is locked, which stops names and notes and nothing else.

use super::files;
use super::keys::{Fill, KeyError};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Bytes of every secret key here.
pub const KEY_BYTES: usize = 32;

/// Bytes of a key's name: enough to tell the few keys of one vault apart.
pub(super) const NAME_BYTES: usize = 8;

/// The key that wraps data keys.
pub struct Kek(Zeroizing<[u8; KEY_BYTES]>);

impl Kek {
    /// Takes the key's bytes.
    #[must_use]
    pub fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// A name of this key that tells nothing of it.
    pub(super) fn name(&self) -> [u8; NAME_BYTES] {
        let mut name = [0; NAME_BYTES];
        let hash =
            Sha256::new().chain_update(b"ficha vault key name 1").chain_update(self.0.as_slice()).finalize();
        for (place, byte) in name.iter_mut().zip(hash) {
            *place = byte;
        }
        name
    }
}

/// Shows nothing of it.
impl fmt::Debug for Kek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kek(••)")
    }
}

/// Where the key comes from. Holds a place, not the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file of exactly [`KEY_BYTES`] bytes that only its owner may open (mode 0400 or 0600).
    File(PathBuf),
    /// A systemd credential (`LoadCredentialEncrypted=NAME`), systemd.exec(5).
    Credential(String),
    /// Nowhere on this machine: a passphrase leads to it, which somebody gives after each start.
    Passphrase,
}

impl KeySource {
    /// Reads the key. `credentials` is systemd's `$CREDENTIALS_DIRECTORY`, if the service has one.
    ///
    /// # Errors
    /// [`KeyError::Missing`], [`KeyError::Asked`]: the vault stays locked. [`KeyError::Exposed`], [`KeyError::Malformed`], [`KeyError::Io`]: the
    /// same, but somebody must look.
    pub fn load(&self, credentials: Option<&Path>) -> Result<Kek, KeyError> {
        match self {
            Self::File(path) => read_key(path, NOT_OWNER).map(Kek::new),
            Self::Credential(name) => {
                let folder = credentials.unwrap_or(Path::new("$CREDENTIALS_DIRECTORY"));
                let path = folder.join(name);
                let plain = Path::new(name).file_name().is_some_and(|last| last == name.as_str());
                if credentials.is_none() || !plain {
                    return Err(KeyError::Missing { path });
                }
                // systemd lets the service in by an access list, whose mask shows as group bits.
                read_key(&path, OTHERS).map(Kek::new)
            }
            Self::Passphrase => Err(KeyError::Asked),
        }
    }
}

/// Makes a random key file of mode 0400 that [`KeySource::File`] reads. Never replaces one.
///
/// # Errors
/// [`KeyError::AlreadyThere`], [`KeyError::Random`] or [`KeyError::Io`]; the file is then not there, or whole.
pub fn create_key_file(path: &Path, random: Fill) -> Result<(), KeyError> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    random(key.as_mut_slice()).map_err(|source| KeyError::Random { source })?;
    files::create(path, 0o400, key.as_slice())
}

/// Makes a key file of mode 0400 with a key that there is already. Never replaces one.
///
/// # Errors
/// As [`create_key_file`].
pub(super) fn keep_key(path: &Path, kek: &Kek) -> Result<(), KeyError> {
    files::create(path, 0o400, kek.bytes())
}

const NOT_OWNER: u32 = 0o077;
const OTHERS: u32 = 0o007;

/// Reads a key file; none of the `forbidden` mode bits may be set.
pub(super) fn read_key(path: &Path, forbidden: u32) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyError> {
    let length = u64::try_from(KEY_BYTES).unwrap_or(u64::MAX);
    let bytes = Zeroizing::new(files::read_private(path, forbidden, length)?);
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    if bytes.len() != KEY_BYTES {
        return Err(KeyError::Malformed { path: path.to_owned() });
    }
    key.copy_from_slice(&bytes);
    Ok(key)
}

/// As [`read_key`], for a file that only its owner may open.
pub(super) fn read_own_key(path: &Path) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyError> {
    read_key(path, NOT_OWNER)
}

#[cfg(test)]
mod tests {
    use super::super::keys::os_random;
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_file_is_private_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kek");
        create_key_file(&path, os_random).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o400);
        let first = fs::read(&path).unwrap();
        assert!(matches!(create_key_file(&path, os_random), Err(KeyError::AlreadyThere { .. })));
        assert_eq!(fs::read(&path).unwrap(), first);
        let kek = KeySource::File(path).load(None).unwrap();
        assert_eq!(kek.bytes().as_slice(), first);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_cut_start_left_aside_does_not_stop_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kek");
        fs::write(folder.path().join("kek.new"), b"half").unwrap();
        create_key_file(&path, os_random).unwrap();
        KeySource::File(path).load(None).unwrap();
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kek");
        fs::write(&path, [7; KEY_BYTES]).unwrap();
        for mode in [0o440, 0o404, 0o644, 0o410, 0o620] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let error = KeySource::File(path.clone()).load(None).unwrap_err();
            assert!(matches!(error, KeyError::Exposed { mode: found, .. } if found == mode));
        }
        for mode in [0o400, 0o600] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            KeySource::File(path.clone()).load(None).unwrap();
        }
    }

    #[test]
    fn a_key_has_one_length() {
        let folder = tempfile::tempdir().unwrap();
        for length in [0, 31, 33, 4096] {
            let path = folder.path().join(length.to_string());
            fs::write(&path, vec![1; length]).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            let error = KeySource::File(path).load(None).unwrap_err();
            assert!(matches!(error, KeyError::Malformed { .. }), "{length}: {error}");
        }
    }

    #[test]
    fn no_key_means_a_locked_vault() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeySource::File(folder.path().join("none"));
        assert!(matches!(file.load(None), Err(KeyError::Missing { .. })));
        let credential = KeySource::Credential("vault-key".to_owned());
        assert!(matches!(credential.load(None), Err(KeyError::Missing { .. })));
        assert!(matches!(credential.load(Some(folder.path())), Err(KeyError::Missing { .. })));
        // As systemd makes them where it uses access lists: mode 0440.
        let path = folder.path().join("vault-key");
        fs::write(&path, [7; KEY_BYTES]).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o440)).unwrap();
        credential.load(Some(folder.path())).unwrap();
        let outside = KeySource::Credential("../vault-key".to_owned());
        let inner = folder.path().join("inner");
        assert!(matches!(outside.load(Some(&inner)), Err(KeyError::Missing { .. })));
    }
}
