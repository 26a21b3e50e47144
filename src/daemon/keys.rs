//! The vault's key file: made at the first start, opened at every one, its second copy looked after.
//!
//! Which files there are and where is known here; what is in them is the vault's.

use super::open::{OpenStoreError, Start};
use super::states::States;
use crate::config::StoreSettings;
use crate::desk::Opened;
use crate::domain::time::Clock;
use crate::vault::Vault;
use crate::vault::kek::{Kek, KeySource, create_key_file};
use crate::vault::keyring::{Joined, Keyring};
pub(super) use crate::vault::keys::KEY_FILE;
use crate::vault::keys::second::{Healed, SecondCopy, restore_first};
use crate::vault::keys::{KeyError, KeyFile, os_random};
use crate::vault::rotate::current_key;
use crate::vault::ways::Ways;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder of the hash keys, below the state folder.
pub(super) const KEYRING: &str = "keyring";

/// Where the key file of a store is.
fn key_file(settings: &StoreSettings) -> PathBuf {
    settings.dir.join(KEY_FILE)
}

/// The key file, or `None`: the vault stays locked because its key is not there.
pub(super) fn open(
    settings: &StoreSettings,
    credentials: Option<&Path>,
    start: Start,
) -> Result<Option<KeyFile>, OpenStoreError> {
    let (path, first_start) = (key_file(settings), start == Start::First);
    if first_start && !path.exists() {
        make_key(&settings.vault.key)?;
    }
    let kek = match load(settings, credentials) {
        Ok(kek) => kek,
        // A store without a key file could never have one afterwards: its journals would be older than the keys.
        Err(error @ (KeyError::Missing { .. } | KeyError::Asked)) if first_start && !path.exists() => {
            return Err(OpenStoreError::NoKeyYet(error));
        }
        Err(error @ (KeyError::Missing { .. } | KeyError::Asked)) => {
            tracing::warn!(%error, "the vault is locked: the till works, without names");
            return Ok(None);
        }
        Err(error) => return Err(OpenStoreError::Keys(error)),
    };
    if let Some(second) = &settings.vault.second_dir
        && start != Start::Look
        && restore_first(&path, second, &kek).map_err(OpenStoreError::Keys)?
    {
        tracing::warn!(file = %path.display(), "the key file was brought back from its second copy");
    }
    let opened = match (path.exists(), first_start) {
        (true, _) => KeyFile::open(&path, &kek, os_random),
        (false, true) => KeyFile::create(&path, &kek, os_random),
        (false, false) => return Err(OpenStoreError::KeysGone { path }),
    };
    let opened = opened.map_err(OpenStoreError::Keys)?;
    look_at_ways(settings, &kek);
    Ok(Some(opened))
}

/// Says when nobody could bring the key back. Nothing that the till needs hangs on it.
fn look_at_ways(settings: &StoreSettings, kek: &Kek) {
    match Ways::open(&settings.dir, settings.vault.second_dir.as_deref()) {
        Ok(ways) if ways.has_phrase(kek) => {}
        Ok(_) => tracing::warn!(
            "no recovery phrase leads to the vault's key: stop fichad, and `ficha vault phrase` shows one, once"
        ),
        Err(error) => tracing::error!(
            error = super::chain(&error),
            "the recovery phrase opens nothing: bring `keys.ways` back, or remove it and `ficha vault phrase`"
        ),
    }
}

/// The vault's key, from where the config says.
pub(super) fn load(settings: &StoreSettings, credentials: Option<&Path>) -> Result<Kek, KeyError> {
    match &settings.vault.key {
        KeySource::File(file) => current_key(file, &key_file(settings)),
        source @ (KeySource::Credential(_) | KeySource::Passphrase) => source.load(credentials),
    }
}

/// Refuses a first start in whose folder of second copies lies what its state folder lacks: a start of its own makes the first
/// copies first.
///
/// # Errors
/// [`OpenStoreError::KeysOfAStore`].
pub(super) fn none_elsewhere(settings: &StoreSettings) -> Result<(), OpenStoreError> {
    let Some(copies) = &settings.vault.second_dir else { return Ok(()) };
    let files = [Path::new(KEYRING).join("keyring"), PathBuf::from(KEY_FILE)];
    let theirs = files.iter().find(|file| copies.join(file).exists() && !settings.dir.join(file).exists());
    theirs.map_or(Ok(()), |file| {
        Err(OpenStoreError::KeysOfAStore { dir: settings.dir.clone(), second: copies.join(file) })
    })
}

/// Opens the keyring, or makes it at a first start, and brings its second copy in step.
pub(super) fn open_keyring(settings: &StoreSettings, start: Start) -> Result<Keyring, OpenStoreError> {
    let (dir, first_start) = (settings.dir.join(KEYRING), start == Start::First);
    if start != Start::Look {
        Keyring::finish_rewrap(&dir).map_err(OpenStoreError::Keyring)?;
        join_keyring(settings).map_err(OpenStoreError::Keyring)?;
    }
    // A first start may have been cut off between the folder and its files.
    if dir.join("keyring").exists() || (dir.exists() && !first_start) {
        return Keyring::open(&dir).map_err(OpenStoreError::Keyring);
    }
    if !first_start {
        return Err(OpenStoreError::KeyringGone { dir });
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
    made.map_err(|source| OpenStoreError::Dir { dir: dir.clone(), source })?;
    let keyring = Keyring::create(&dir, os_random).map_err(OpenStoreError::Keyring)?;
    join_keyring(settings).map_err(OpenStoreError::Keyring)?;
    Ok(keyring)
}

/// Brings the keyring and its second copy in step; how that is then is for [`States`] to say.
fn join_keyring(settings: &StoreSettings) -> Result<SecondCopy, KeyError> {
    let Some(second) = &settings.vault.second_dir else { return Ok(SecondCopy::Unset) };
    let (first, second) = (settings.dir.join(KEYRING), second.join(KEYRING));
    match Keyring::join(&first, &second)? {
        Joined::InStep => {}
        Joined::Made => tracing::info!(folder = %second.display(), "the keyring has a second copy"),
        Joined::First => {
            tracing::warn!(folder = %first.display(), "the keyring was brought back from its second copy");
        }
        Joined::Second => {
            tracing::warn!(folder = %second.display(), "the keyring's second copy was written anew");
        }
        Joined::Pending { why } => return Ok(SecondCopy::Pending { why }),
    }
    Ok(SecondCopy::InStep)
}

/// Makes the vault's key at the very first start, where it is a file of its own.
fn make_key(source: &KeySource) -> Result<(), OpenStoreError> {
    if let KeySource::File(file) = source
        && !file.exists()
    {
        create_key_file(file, os_random).map_err(OpenStoreError::Keys)?;
        tracing::info!(file = %file.display(), "made the vault's key; keep a copy of it apart from the backups");
    }
    Ok(())
}

/// Takes up the second copies where they are not in step, makes the views anew when an erasure has waited for it, and notes how
/// it all is.
pub(super) fn look_after(settings: &StoreSettings, opened: &Opened, clock: &dyn Clock, states: &States) {
    let vault = &opened.vault;
    // It opens by a key of its own, so the vault may be locked.
    if states.keyring_is_due() {
        let pending = |error: KeyError| SecondCopy::Pending { why: super::chain(&error) };
        states.keyring(join_keyring(settings).unwrap_or_else(pending));
    }
    match vault.renew_if_due(&opened.log, clock.utc().0) {
        Ok(true) => tracing::info!("the vault's views were made anew after erasures"),
        Ok(false) => {}
        Err(error) => tracing::error!(%error, "the vault's views cannot be made anew after erasures"),
    }
    let Ok(keys) = vault.key_file() else { return };
    if let Some(folder) = &settings.vault.second_dir {
        match keys.attach(folder) {
            Ok(Healed { first: 0, second: 0 }) => {}
            Ok(Healed { first, second }) => {
                tracing::warn!(first, second, "slots of the key file's copies were brought in step");
                // A disk that was away may have brought back what was destroyed meanwhile.
                if first > 0 {
                    vault.destroy_later();
                }
            }
            Err(error) => tracing::error!(%error, "the key file cannot be compared with its second copy"),
        }
    }
    // Until it has gone well: tried again each time.
    if vault.must_destroy()
        && let Err(error) = vault.destroy_again()
    {
        tracing::error!(%error, "keys that were erased may be in the key file again");
    }
    states.keys(keys.second_copy(), vault.unfinished());
}

/// Writes data keys ahead whenever they run out, off the runtime's thread, so that no enrolment waits for a disk.
pub(super) async fn keep_ready(vault: Arc<Vault>) {
    let Ok(keys) = vault.key_file() else { return };
    loop {
        keys.low().await;
        let vault = Arc::clone(&vault);
        let refilled = tokio::task::spawn_blocking(move || Some(vault.key_file().ok()?.refill()));
        if let Ok(Some(Err(error))) = refilled.await {
            tracing::error!(%error, "no data keys can be made ready for new customers");
        }
    }
}
