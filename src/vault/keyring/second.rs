//! The keyring in two places: beside the store, and in a folder of its own on the second disk.
//!
//! Both places have both files, the keyring and its key. A copy without its key would open nothing once the first disk is lost,
//! and one under the vault's key would leave cards unknown for as long as the vault is locked. So whoever has the second disk has
//! what a backup of the state folder without `vault.key` has, and no person is opened by that.
//!
//! A keyring only ever gets versions, so of two that go together the one with more is right. Changes go to the first place,
//! then to the second; one place at a time, so that at every moment one is whole.

use super::super::keys::second::is_bare;
use super::super::keys::{KEY_FILE, KeyError};
use super::file::{Ring, key_path, path};
use super::{Keyring, files, kek};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// What came of comparing the two places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    /// Nothing had to be done.
    InStep,
    /// The first one is put back from the second: it was lost, damaged, or older.
    First,
    /// The second one is made.
    Made,
    /// The second one is written anew: it was damaged, or older.
    Second,
    /// The second one is not there, cannot be used, or is of another store. It is left as it is.
    Pending {
        /// What is wrong with it.
        why: String,
    },
}

impl Ring {
    /// Whether it has all of the other's versions, and more. Newer ones stand before older ones.
    fn continues(&self, other: &Self) -> bool {
        self.versions.len() > other.versions.len() && self.versions.ends_with(&other.versions)
    }

    /// Puts it into `folder`, which is made where it is missing.
    fn write(&self, folder: &Path) -> Result<(), KeyError> {
        let failed = |source| KeyError::io(folder, source);
        match DirBuilder::new().mode(0o700).create(folder) {
            Ok(()) => files::sync_folder(folder).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
        if kek::read_own_key(&key_path(folder)).ok().is_none_or(|key| key != self.key) {
            files::replace(&key_path(folder), 0o400, self.key.as_slice())?;
        }
        files::replace(&path(folder), 0o600, &self.file)
    }
}

/// Whether what lies there may be written over: nobody can use it. Rights and disks are somebody's to put right first.
fn is_lost(error: &KeyError) -> bool {
    matches!(
        error,
        KeyError::NoKeyFile { .. }
            | KeyError::HeaderDamaged { .. }
            | KeyError::WrongKey { .. }
            | KeyError::Malformed { .. }
    )
}

impl Keyring {
    /// Brings the keyring in `folder` and its second copy in `second` in step. Both are the folders of the keyring alone, below
    /// the state folder and below that of second copies; the latter is never made here. Nothing is done where neither is whole.
    ///
    /// # Errors
    /// [`KeyError::Io`] where the first place cannot be written. What is wrong with the second is [`Joined::Pending`].
    pub fn join(folder: &Path, second: &Path) -> Result<Joined, KeyError> {
        let ours = Ring::read(folder);
        if let Some(why) = absent(folder, second) {
            return Ok(Joined::Pending { why });
        }
        match (ours, Ring::read(second)) {
            (Ok(ours), Ok(theirs)) if ours.versions == theirs.versions && ours.key == theirs.key => {
                Ok(Joined::InStep)
            }
            // The key that wraps them was changed.
            (Ok(ours), Ok(theirs)) if ours.versions == theirs.versions => {
                Ok(written(&ours, second, Joined::Second))
            }
            (Ok(ours), Ok(theirs)) if theirs.continues(&ours) => theirs.write(folder).map(|()| Joined::First),
            (Ok(ours), Ok(theirs)) if ours.continues(&theirs) => Ok(written(&ours, second, Joined::Second)),
            (Ok(_), Ok(_)) => {
                Ok(Joined::Pending { why: format!("{} belongs to another store", second.display()) })
            }
            (Ok(ours), Err(error)) if is_lost(&error) => {
                let done = if is_empty(second) { Joined::Made } else { Joined::Second };
                Ok(written(&ours, second, done))
            }
            (Ok(_), Err(error)) => Ok(Joined::Pending { why: said(&error) }),
            (Err(error), Ok(theirs)) if is_lost(&error) => theirs.write(folder).map(|()| Joined::First),
            // Whoever opens the first one is told what is wrong with it.
            (Err(_), _) => Ok(Joined::InStep),
        }
    }
}

fn written(ours: &Ring, second: &Path, done: Joined) -> Joined {
    match ours.write(second) {
        Ok(()) => done,
        Err(error) => Joined::Pending { why: said(&error) },
    }
}

/// Why there is no folder for second copies: its disk is not mounted.
fn absent(folder: &Path, second: &Path) -> Option<String> {
    let (state, copies): (PathBuf, &Path) = (folder.parent()?.join(KEY_FILE), second.parent()?);
    (!copies.is_dir() || is_bare(&state, copies))
        .then(|| format!("{} is not there: is its disk mounted?", copies.display()))
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

fn said(error: &KeyError) -> String {
    if let KeyError::Io { source, .. } = error { format!("{error}: {source}") } else { error.to_string() }
}

#[cfg(test)]
mod tests;
