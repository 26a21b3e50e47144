//! The vault's part of the config, `[vault]`: where its key comes from, and where second copies lie.

use super::kek::KeySource;
use crate::domain::settings::Keys;
use std::path::{Path, PathBuf};

/// `[vault]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `key_file`, `key_credential` or `key_passphrase`: where the key that wraps all data keys comes from.
    pub key: KeySource,
    /// `second_dir`: a folder on another disk, with a second copy of the key file in it.
    pub second_dir: Option<PathBuf>,
}

impl Settings {
    /// The usual settings of a store in `dir`: a key file of its own, no second copy.
    #[must_use]
    pub fn usual(dir: &Path) -> Self {
        Self { key: KeySource::File(dir.join("vault.key")), second_dir: None }
    }

    /// Reads `[vault]` for a store in `dir`.
    pub fn read(keys: &mut Keys<'_>, dir: &Path) -> Self {
        let usual = Self::usual(dir);
        let file = keys.text("key_file").map(|path| KeySource::File(path.into()));
        let credential = keys.text("key_credential").map(KeySource::Credential);
        let passphrase = keys.flag("key_passphrase").unwrap_or(false).then_some(KeySource::Passphrase);
        let mut given = [file, credential, passphrase].into_iter().flatten();
        let key = given.next().unwrap_or(usual.key);
        if given.next().is_some() {
            keys.refuse("key_file", "give one of this, `key_credential` and `key_passphrase`");
        }
        let second_dir = keys.text("second_dir").map(PathBuf::from);
        if second_dir.as_deref().is_some_and(|second| second.is_relative() || second.starts_with(dir)) {
            keys.refuse(
                "second_dir",
                "must be the whole path of a folder on another disk, such as `/mnt/second/ficha-keys`",
            );
        }
        Self { key, second_dir }
    }
}
