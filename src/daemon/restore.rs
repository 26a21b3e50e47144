//! Brings a stopped store back to an earlier moment: both halves at one transaction, erased customers left erased.
//!
//! Keys, keyring and lists are shared by all timelines and stay as they are: the restored views are built with the keys that
//! are left, and no place of the key file that any timeline has given out is given out again.

use super::SystemClock;
use super::open::{OpenStoreError, Start, folds, log_settings, utc_us, vault};
use crate::config::StoreSettings;
use crate::domain::time::Clock;
use crate::log::{Half, Moment, Restore, RestoreError, Until};
use crate::vault::slots_named;
use std::path::Path;
use std::sync::Arc;

/// Why a store was not brought back. It is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreStoreError {
    /// There is no going back there, or no reading or writing.
    #[error(transparent)]
    Log(#[from] RestoreError),
    /// Keys, keyring or lists.
    #[error(transparent)]
    Open(#[from] OpenStoreError),
}

/// What was done.
#[derive(Debug)]
pub struct Restored {
    /// Where the store is now, and what is not in it.
    pub moment: Moment,
    /// Whether the vault was locked: its views are then built when it is unlocked.
    pub locked: bool,
}

/// Finds what [`restore`] would do, and changes nothing.
///
/// # Errors
/// [`RestoreError`].
pub fn restore_dry(
    settings: &StoreSettings,
    kept: Option<&str>,
    until: Until,
) -> Result<Moment, RestoreError> {
    Restore::find(&log_settings(settings), kept, until).map(|found| found.moment().clone())
}

/// Brings the store back to `until`, or to that moment of the timeline that is kept as `kept`. The present is kept beside.
///
/// # Errors
/// [`RestoreStoreError`].
pub fn restore(
    settings: &StoreSettings,
    credentials: Option<&Path>,
    kept: Option<&str>,
    until: Until,
) -> Result<Restored, RestoreStoreError> {
    let found = Restore::find(&log_settings(settings), kept, until)?;
    let vault = vault(settings, credentials, Start::Again)?;
    let mut used = 0;
    let seen = found.events(Half::Personal, &mut |event| used = slots_named(event).max(used));
    seen.map_err(RestoreError::Open)?;
    vault.lists().keep_slots(used).map_err(OpenStoreError::Lists)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let report = found.build(folds(&vault), utc_us(&clock))?;
    let locked = !report.behind.is_empty();
    Ok(Restored { moment: found.swap_in()?, locked })
}
