//! Opens the store: keyring, key file, both journals and their views. Runs beside the readers, which do not wait for it.

use super::{SystemClock, keys};
use crate::config::StoreSettings;
use crate::desk::Opened;
use crate::domain::time::Clock;
use crate::log::{
    self, Folds, Leftover, Log, OpenError, OpenReport, Progress, Settings, UtcUs, Verified, is_store,
    settle_restore,
};
use crate::store::StoreFold;
use crate::vault::keys::KeyError;
use crate::vault::lists::Lists;
use crate::vault::{Vault, VaultError, VaultFold};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why the store cannot be opened. Products pass all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenStoreError {
    /// The state folder cannot be made.
    #[error("{}: the state folder cannot be made; check who owns the folder above it", .dir.display())]
    Dir {
        /// The folder.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The keys of hashes are gone although there are journals: making new ones would cut every card from its customer.
    #[error("{}: the keyring is missing, but journals are there; put it back from the backup", .dir.display())]
    KeyringGone {
        /// Where it should be.
        dir: PathBuf,
    },
    /// The data keys are gone although there are journals: new ones would open under old places.
    #[error("{}: the key file is missing, but journals are there; put it back from the backup", .path.display())]
    KeysGone {
        /// Where it should be.
        path: PathBuf,
    },
    /// A first start beside the keys of another store, or of one whose state folder is lost: nothing says which, so nothing is taken.
    #[error(
        "{} has no store yet, but {} has the keys of one: to bring that one back put its `STORE`, `store` and `vault` into the first; \
         to begin a new one name another folder in `[vault] second_dir`",
        .dir.display(), .second.display()
    )]
    KeysOfAStore {
        /// The state folder.
        dir: PathBuf,
        /// What lies in the folder of second copies.
        second: PathBuf,
    },
    /// The keys of hashes cannot be used.
    #[error("the keyring cannot be used")]
    Keyring(#[source] KeyError),
    /// The vault's key is there, but cannot be used.
    #[error("the vault's key file cannot be used")]
    Keys(#[source] KeyError),
    /// The vault's key is not there yet, and without it nobody can be enrolled ever after.
    #[error(
        "this store has no vault yet, and the vault's key is not there: bring the key, or `ficha vault init`, then restart fichad"
    )]
    NoKeyYet(#[source] KeyError),
    /// The journals or their views.
    #[error("the journals cannot be opened")]
    Log(#[source] OpenError),
    /// The lists that outlive a restore: without them erased customers could come back.
    #[error("the list of erasures cannot be read")]
    Lists(#[source] KeyError),
    /// Customers who were erased would come back.
    #[error("erasures cannot be carried out again")]
    Erasure(#[source] VaultError),
    /// The views, just opened.
    #[error("the vault's views cannot be read")]
    Views(#[source] VaultError),
}

/// Opens the store, making what a first start lacks; `building` is told how far views are that are built, then and after.
///
/// # Errors
/// [`OpenStoreError`]; nothing was changed that could not be opened.
pub(super) fn open(
    settings: &StoreSettings,
    credentials: Option<&Path>,
    clock: &Arc<dyn Clock>,
    building: &Arc<Progress>,
) -> Result<(Opened, OpenReport), OpenStoreError> {
    let dir = &settings.dir;
    let unmade = |source| OpenStoreError::Dir { dir: dir.clone(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(unmade)?;
    // Before anything is concluded from what is there: a restore that was cut off moves folders.
    tidy(dir)?;
    // Before keys are looked at, which puts right what is lost of them: another process may be using them.
    let hold = log::hold(dir).map_err(OpenStoreError::Log)?;
    let first_start = !dir.join("store").exists();
    // Before a first start makes keys of its own beside another store's copy.
    if let (true, Some(second)) =
        (first_start, settings.second_dir.as_ref().filter(|second| is_store(second)))
    {
        let gone = OpenError::Gone { dir: dir.clone(), second: second.clone() };
        return Err(OpenStoreError::Log(gone));
    }
    let start = if first_start { Start::First } else { Start::Again };
    if first_start {
        keys::none_elsewhere(settings)?;
    }
    let vault = vault(settings, credentials, start)?;
    let (log_settings, folds, utc_us) = (log_settings(settings), folds(&vault), utc_us(clock));
    let (log, report) = Log::open_telling(hold, log_settings, folds, utc_us, Arc::clone(building))
        .map_err(OpenStoreError::Log)?;
    sync_names(dir).map_err(unmade)?;
    vault.skip_used(&log.views()).map_err(OpenStoreError::Views)?;
    let again = vault.settle_erasures(&log).map_err(OpenStoreError::Erasure)?;
    if again > 0 {
        tracing::warn!(count = again, "erasures were carried out again: the store did not have them");
    }
    Ok((Opened { log, vault }, report))
}

/// Finishes or clears away what a restore left that was cut off.
fn tidy(dir: &Path) -> Result<(), OpenStoreError> {
    match settle_restore(dir).map_err(OpenStoreError::Log)? {
        None => {}
        Some(Leftover::Removed(folder)) => {
            tracing::warn!(folder = %folder.display(), "a restore was cut off half-way: its folder is removed, the store is as it was");
        }
        Some(Leftover::Finished { timeline, kept }) => {
            tracing::warn!(timeline, kept = %kept.display(), "a restore was cut off at its end: it is finished");
        }
    }
    Ok(())
}

/// What may be done to the files of keys while they are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// They may be made.
    First,
    /// What is lost of them comes back from their second copies. The state folder is held.
    Again,
    /// Nothing is written.
    Look,
}

/// The vault as it is before its views are opened: what was erased is erased in the key file too.
pub(super) fn vault(
    settings: &StoreSettings,
    credentials: Option<&Path>,
    start: Start,
) -> Result<Arc<Vault>, OpenStoreError> {
    let dir = &settings.dir;
    let keyring = keys::open_keyring(settings, start)?;
    let keys = keys::open(settings, credentials, start)?;
    let lists = Lists::open(dir, settings.vault.second_dir.as_deref()).map_err(OpenStoreError::Lists)?;
    let vault = Arc::new(Vault::new(keys, keyring, lists));
    if !vault.is_locked() && start != Start::Look {
        vault.destroy_again().map_err(OpenStoreError::Erasure)?;
    }
    Ok(vault)
}

pub(super) fn folds(vault: &Arc<Vault>) -> Folds {
    Folds { personal: Arc::new(VaultFold(Arc::clone(vault))), neutral: Arc::new(StoreFold) }
}

pub(super) fn utc_us(clock: &Arc<dyn Clock>) -> UtcUs {
    let clock = Arc::clone(clock);
    Arc::new(move || clock.utc().0)
}

pub(super) fn log_settings(settings: &StoreSettings) -> Settings {
    let usual = Settings { second_dir: settings.second_dir.clone(), ..Settings::new(&settings.dir) };
    usual.with_segments(settings.segment_bytes)
}

/// Opens a store whose daemon is stopped, for the command line; never makes one.
///
/// # Errors
/// [`OpenStoreError`].
pub fn open_stopped(
    settings: &StoreSettings,
    credentials: Option<&Path>,
    building: &Arc<Progress>,
) -> Result<Opened, OpenStoreError> {
    tidy(&settings.dir)?;
    if !settings.dir.join("store").exists() {
        let source = io::Error::from(io::ErrorKind::NotFound);
        return Err(OpenStoreError::Dir { dir: settings.dir.join("store"), source });
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    open(settings, credentials, &clock, building).map(|(opened, _)| opened)
}

/// Reads a stopped store whole and puts nothing right, as [`crate::log::verify`]; with `rebuild` the views are compared with
/// those that the journals give, which takes the vault's key.
///
/// # Errors
/// [`OpenStoreError`].
pub fn verify_stopped(
    settings: &StoreSettings,
    credentials: Option<&Path>,
    rebuild: bool,
    building: &Progress,
    progress: &dyn Fn(&Path, u64),
) -> Result<Verified, OpenStoreError> {
    let folds = rebuild.then(|| vault(settings, credentials, Start::Look)).transpose()?;
    let folds = folds.map(|vault| self::folds(&vault));
    log::verify(&log_settings(settings), folds.as_ref(), building, progress).map_err(OpenStoreError::Log)
}

/// Syncs the names of the state folder, of the folders above it that it may have been made with, and of all in it: before
/// anything is acknowledged, and at every start, for an earlier one may have been killed between making a name and syncing it.
fn sync_names(dir: &Path) -> io::Result<()> {
    for above in dir.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
        match File::open(above).and_then(|folder| folder.sync_all()) {
            // Whoever may not even read a folder did not make the one in it; nor does a read-only disk forget.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
                ) =>
            {
                break;
            }
            synced => synced?,
        }
    }
    sync_folder(dir)
}

fn sync_folder(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            match sync_folder(&entry.path()) {
                // Not ours: `lost+found`, where the state folder is a disk of its own.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                synced => synced?,
            }
        }
    }
    File::open(dir)?.sync_all()
}

/// Says in the log what opening found.
pub(super) fn report(report: &OpenReport) {
    tracing::info!(
        took_ms = report.took.as_millis(),
        last_seq = report.last.map_or(0, |last| last.seq),
        caught_up = report.caught_up,
        read_bytes = report.read_bytes,
        "store open"
    );
    for torn in &report.torn {
        tracing::warn!(file = %torn.file.display(), offset = torn.offset, "a torn tail was cut: it was never acknowledged");
    }
    for healed in &report.healed {
        let aside = healed.aside.as_ref().map(|aside| aside.display().to_string());
        tracing::error!(file = %healed.file.display(), offset = healed.offset, aside, "was damaged, and is put back from the second copy; look at the disk");
    }
    for rebuilt in &report.rebuilt {
        tracing::warn!(half = rebuilt.half.name(), why = %rebuilt.why, records = rebuilt.records, "views were built anew");
    }
    if !report.orphans.is_empty() {
        tracing::warn!(
            count = report.orphans.len(),
            "personal records of an interrupted write are set aside"
        );
    }
}
