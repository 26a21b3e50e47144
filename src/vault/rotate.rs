//! Changing the key that wraps all data keys, so that whoever has the old one, and an old copy of the key file, has no more
//! than that.
//!
//! Each step leaves a vault that opens: the new key is written beside the old one (`vault.key.new`), the other ways to it
//! are added to those of the old one, the key file is replaced at once by one that is wrapped anew, and only then does the
//! new key take the old one's place and the ways of the old one go. What was cut off in between, the next start finishes
//! ([`current_key`]). For while no daemon runs.

use super::files::{self, beside};
use super::kek::{self, KEY_BYTES, Kek, create_key_file};
use super::keys::{Fill, KeyError, KeyFile};
use super::ways::{Secret, Way, Ways};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Where a new key waits until the key file is wrapped with it.
fn waiting(file: &Path) -> PathBuf {
    beside(file, ".new")
}

/// The key in `file`, or, where a change of keys was cut off after the key file was wrapped anew, the one that waits
/// beside it: it then takes its place. `key_file` may be missing.
///
/// # Errors
/// Those of reading a key; [`KeyError::WrongKey`] where neither opens the key file.
pub fn current_key(file: &Path, key_file: &Path) -> Result<Kek, KeyError> {
    let key = kek::read_own_key(file).map(Kek::new)?;
    match KeyFile::opens(key_file, &key) {
        Err(KeyError::WrongKey { path }) => {
            let next = match kek::read_own_key(&waiting(file)) {
                Ok(next) => Kek::new(next),
                Err(KeyError::Missing { .. }) => return Err(KeyError::WrongKey { path }),
                Err(error) => return Err(error),
            };
            KeyFile::opens(key_file, &next)?;
            files::rename(&waiting(file), file).map_err(|source| KeyError::io(file, source))?;
            Ok(next)
        }
        // Whatever else is wrong with the key file is told when it is opened.
        Ok(()) | Err(_) => Ok(key),
    }
}

/// Wraps the key file anew with a random key, which `secrets` lead to from then on and nothing else, and which takes the
/// place of the one in `file` if there is such a file. `old` opens the key file now. Gives the new key.
///
/// `second` is the folder of the key file's second copy: what only that has whole is brought to the first before anything
/// is wrapped, for afterwards the second is made anew from the first.
///
/// # Errors
/// [`KeyError`] of whichever step failed: the vault opens as before, or with the new key.
pub fn rotate(
    key_file: &Path,
    second: Option<&Path>,
    file: Option<&Path>,
    old: &Kek,
    ways: &mut Ways,
    secrets: &[Secret],
    random: Fill,
) -> Result<Kek, KeyError> {
    let keys = KeyFile::open(key_file, old, random)?;
    if let Some(second) = second {
        keys.attach(second)?;
    }
    let new = match file {
        Some(file) => {
            match create_key_file(&waiting(file), random) {
                // Left by a change that was cut off before it wrapped anything.
                Ok(()) | Err(KeyError::AlreadyThere { .. }) => {}
                Err(error) => return Err(error),
            }
            Kek::new(kek::read_own_key(&waiting(file))?)
        }
        None => {
            let mut key = Zeroizing::new([0; KEY_BYTES]);
            random(key.as_mut_slice()).map_err(|source| KeyError::Random { source })?;
            Kek::new(key)
        }
    };
    let mut next = Vec::new();
    for secret in secrets {
        next.extend(Way::new(&new, secret, random)?);
    }
    ways.add(next.clone())?;
    let wrapped = keys.wrapped_anew(&new)?;
    files::replace(key_file, 0o600, &wrapped)?;
    if let Some(file) = file {
        files::rename(&waiting(file), file).map_err(|source| KeyError::io(file, source))?;
    }
    ways.replace(next)?;
    Ok(new)
}

#[cfg(test)]
mod tests;
