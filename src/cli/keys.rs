//! What is wrong with the files of a store's keys, and what mends it, as far as this user may look. Writes nothing.
//!
//! For `ficha doctor` and `ficha store verify`: a daemon that has its keys in memory goes on without the files, and is stopped by
//! their loss at its next start only.

use crate::config::StoreSettings;
use crate::vault::kek::KeySource;
use crate::vault::keyring::Keyring;
use crate::vault::keys::{KeyError, KeyFile};
use std::io;
use std::path::{Path, PathBuf};

/// The data keys, below the state folder: there once the vault was used.
pub(super) const KEYS: &str = "keys";

/// The folder of the hash keys, below the state folder and that of second copies.
const KEYRING: &str = "keyring";

/// With the socket left open, the next register would start it again.
pub(super) const STOP: &str = "sudo systemctl stop fichad.socket fichad.service";
pub(super) const START: &str = "sudo systemctl start fichad.socket fichad.service";

/// What came of looking at one key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    Fine,
    /// Another user may.
    Unseen,
    Wrong {
        /// Names the file.
        found: String,
        mend: String,
    },
}

/// The keyring and the key of its own that opens it; fine before there is a store.
pub(super) fn keyring(store: &StoreSettings) -> Look {
    let folder = store.dir.join(KEYRING);
    if !store.dir.join("store").exists() && !folder.exists() {
        return Look::Fine;
    }
    let error = match Keyring::open(&folder) {
        Ok(_) => return Look::Fine,
        Err(error) => error,
    };
    let key = folder.join("keyring.key");
    let from_copy = || bring_keyring(&folder, store.vault.second_dir.as_deref());
    look(
        error,
        &key,
        "the store does not open, and no card leads to a customer",
        from_copy,
        "ficha vault rotate --keyring-key",
    )
}

/// The key that wraps all data keys, where it is a file that is there.
pub(super) fn vault_key(store: &StoreSettings) -> Look {
    let KeySource::File(file) = &store.vault.key else { return Look::Fine };
    let opened = match store.vault.key.load(None) {
        Ok(key) => KeyFile::opens(&store.dir.join(KEYS), &key),
        Err(KeyError::Missing { .. }) => return Look::Fine,
        Err(error) => Err(error),
    };
    match opened {
        // Whatever else is wrong with the data keys is told when they are opened.
        Ok(())
        | Err(KeyError::NoKeyFile { .. } | KeyError::HeaderDamaged { .. } | KeyError::Version { .. }) => {
            Look::Fine
        }
        // A change that was cut off: the next start finishes it.
        Err(KeyError::WrongKey { .. }) if file.with_added_extension("next").exists() => Look::Fine,
        Err(error) => look(
            error,
            file,
            "the store does not open, and no name can be read",
            || bring_vault_key(file),
            "ficha vault rotate",
        ),
    }
}

/// What to do about the vault's key where the file is not there, or is another's.
pub(super) fn bring_vault_key(key: &Path) -> String {
    format!(
        "put the copy of {} back and say ficha vault unlock --by-key; without a copy: {STOP} && \
         sudo -u fichad ficha vault recover && {START}",
        key.display()
    )
}

/// What an error says to whoever may put it right; `without` is what cannot be done with it.
fn look(error: KeyError, key: &Path, without: &str, from_copy: impl Fn() -> String, change: &str) -> Look {
    let (found, mend) = match &error {
        KeyError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            return Look::Unseen;
        }
        KeyError::Exposed { path, mode } => (
            format!(
                "{} may be read by others (mode {mode:04o}): at the next start {without}",
                path.display()
            ),
            format!(
                "sudo chmod go-rwx {}; if somebody may have read it: {STOP} && sudo -u fichad {change}; {START}",
                path.display()
            ),
        ),
        KeyError::Missing { path } | KeyError::NoKeyFile { path } => {
            (format!("{} is missing: at the next start {without}", path.display()), from_copy())
        }
        KeyError::WrongKey { path } => (
            format!(
                "{} does not open {}: one of the two is another store's or from before the key was changed, and at the next \
                 start {without}",
                key.display(),
                path.display()
            ),
            from_copy(),
        ),
        KeyError::Malformed { path } => (
            format!(
                "{} is no key: it must hold exactly 32 bytes; at the next start {without}",
                path.display()
            ),
            from_copy(),
        ),
        KeyError::HeaderDamaged { path } => {
            (format!("{} is damaged: at the next start {without}", path.display()), from_copy())
        }
        KeyError::Io { .. }
        | KeyError::Version { .. }
        | KeyError::Asked
        | KeyError::Stretch
        | KeyError::NotInStep { .. }
        | KeyError::Costly { .. }
        | KeyError::AlreadyThere { .. }
        | KeyError::Damaged { .. }
        | KeyError::Destroyed
        | KeyError::Full { .. }
        | KeyError::Versions { .. }
        | KeyError::Stopped { .. }
        | KeyError::Random { .. } => (format!("{:#}", anyhow::Error::from(error)), from_copy()),
    };
    Look::Wrong { found, mend }
}

/// The second copy comes back by itself where it is whole.
fn bring_keyring(folder: &Path, second: Option<&Path>) -> String {
    let whole: Option<PathBuf> =
        second.map(|second| second.join(KEYRING)).filter(|second| Keyring::open(second).is_ok());
    match whole {
        Some(second) => {
            format!("sudo systemctl restart fichad, which puts it back from {}", second.display())
        }
        None => format!(
            "put `keyring` and `keyring.key` of one backup into {} (both: they go together; mode 0400, user fichad), then \
             sudo systemctl restart fichad; no phrase brings them back",
            folder.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault;
    use crate::vault::kek::create_key_file;
    use crate::vault::keys::os_random;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    fn store(dir: &Path) -> StoreSettings {
        StoreSettings { dir: dir.to_owned(), vault: vault::Settings::usual(dir), ..StoreSettings::default() }
    }

    #[track_caller]
    fn wrong(look: Look, file: &Path, says: &[&str]) {
        let Look::Wrong { found, mend } = look else { panic!("{look:?}") };
        let all = format!("{found} -> {mend}");
        assert!(found.contains(file.to_str().unwrap()), "{all}");
        for part in says {
            assert!(all.contains(part), "{part} is not in {all}");
        }
    }

    #[test]
    fn a_keyring_whose_key_is_lost_other_or_open_is_told_with_its_file_and_what_mends_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = store(dir.path());
        assert_eq!(keyring(&store), Look::Fine, "nothing was made yet");
        let folder = dir.path().join(KEYRING);
        fs::create_dir(&folder).unwrap();
        Keyring::create(&folder, os_random).unwrap();
        assert_eq!(keyring(&store), Look::Fine);
        let key = folder.join("keyring.key");
        let whole = fs::read(&key).unwrap();
        fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
        wrong(keyring(&store), &key, &["mode 0644", "chmod go-rwx", "rotate --keyring-key"]);
        fs::remove_file(&key).unwrap();
        wrong(keyring(&store), &key, &["is missing", "of one backup"]);
        create_key_file(&key, os_random).unwrap();
        wrong(keyring(&store), &key, &["does not open"]);
        // A second copy that is whole comes back by itself.
        let second = dir.path().join("second");
        fs::create_dir_all(second.join(KEYRING)).unwrap();
        fs::copy(folder.join("keyring"), second.join("keyring/keyring")).unwrap();
        fs::write(second.join("keyring/keyring.key"), whole).unwrap();
        fs::set_permissions(second.join("keyring/keyring.key"), Permissions::from_mode(0o400)).unwrap();
        store.vault.second_dir = Some(second);
        wrong(keyring(&store), &key, &["restart fichad, which puts it back"]);
        fs::remove_file(folder.join("keyring")).unwrap();
        wrong(keyring(&store), &folder.join("keyring"), &["is missing"]);
    }

    #[test]
    fn a_vaults_key_that_is_open_or_another_ones_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let (store, key) = (store(dir.path()), dir.path().join("vault.key"));
        create_key_file(&key, os_random).unwrap();
        drop(
            KeyFile::create(&dir.path().join(KEYS), &store.vault.key.load(None).unwrap(), os_random).unwrap(),
        );
        assert_eq!(vault_key(&store), Look::Fine);
        fs::set_permissions(&key, Permissions::from_mode(0o440)).unwrap();
        wrong(vault_key(&store), &key, &["mode 0440", "chmod go-rwx"]);
        fs::remove_file(&key).unwrap();
        create_key_file(&key, os_random).unwrap();
        wrong(vault_key(&store), &key, &["does not open", "ficha vault recover"]);
    }
}
