//! Changing the key that wraps all data keys, so that whoever has the old one, and an old copy of the key file, has no more
//! than that.
//!
//! Each step leaves a vault that opens, and a recovery phrase that somebody has: both copies of the key file are compared,
//! the new key is written beside the old one (`vault.key.next`), the other ways to it are added to those of the old one
//! ([`Rotation::begin`]); then the new phrase is shown, which is the caller's; then the key file is replaced at once by one
//! that is wrapped anew, its second copy after it, the new key takes the old one's place, and the ways of the old one go
//! ([`Rotation::finish`]). Until the key file is replaced the old phrase holds, from then on the new one. What was cut off in
//! between, the next start finishes ([`current_key`]), but for ways that lead nowhere any more: those go with the next change.
//! For while no daemon runs.

use super::files::{self, beside};
use super::kek::{self, KEY_BYTES, Kek, create_key_file};
use super::keys::second::SecondCopy;
use super::keys::{Fill, KeyError, KeyFile};
use super::ways::{Secret, Way, Ways};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Where a new key waits until the key file is wrapped with it. Not the name that files are written aside under.
fn waiting(file: &Path) -> PathBuf {
    beside(file, ".next")
}

/// The key in `file`, or, where a change of keys was cut off after the key file was wrapped anew, the one that waits
/// beside it: it then takes its place. `key_file` may be missing.
///
/// # Errors
/// Those of reading a key; [`KeyError::WrongKey`] where neither opens the key file.
pub fn current_key(file: &Path, key_file: &Path) -> Result<Kek, KeyError> {
    current_or_left(kek::read_own_key(file).map(Kek::new)?, file, key_file)
}

/// As [`current_key`], for a key that was `given` and is not in a file: where it does not open the key file any more, the
/// key that a change put into `file`, or left waiting beside it.
///
/// # Errors
/// As [`current_key`].
pub fn current_or_left(given: Kek, file: &Path, key_file: &Path) -> Result<Kek, KeyError> {
    let Err(KeyError::WrongKey { path }) = KeyFile::opens(key_file, &given) else {
        // Whatever else is wrong with the key file is told when it is opened.
        return Ok(given);
    };
    for (place, waits) in [(waiting(file), true), (file.to_owned(), false)] {
        let left = match kek::read_own_key(&place) {
            Ok(left) => Kek::new(left),
            Err(KeyError::Missing { .. }) => continue,
            Err(error) => return Err(error),
        };
        match KeyFile::opens(key_file, &left) {
            Ok(()) => {}
            Err(KeyError::WrongKey { .. }) => continue,
            Err(error) => return Err(error),
        }
        if waits {
            files::rename(&place, file).map_err(|source| KeyError::io(file, source))?;
        }
        return Ok(left);
    }
    Err(KeyError::WrongKey { path })
}

/// Puts a key that there is already into `file`, never in the place of another. Where a change of keys left the same key
/// waiting beside, it is that one that takes the name: no second copy of it stays.
///
/// # Errors
/// [`KeyError::AlreadyThere`], [`KeyError::Io`], and those of reading a key.
pub fn put_key(file: &Path, kek: &Kek) -> Result<(), KeyError> {
    match kek::read_own_key(&waiting(file)) {
        Ok(left) if *left == *kek.bytes() && !file.exists() => {
            files::rename(&waiting(file), file).map_err(|source| KeyError::io(file, source))
        }
        Ok(_) | Err(KeyError::Missing { .. }) => kek::keep_key(file, kek),
        Err(error) => Err(error),
    }
}

/// A change of keys of which nothing is carried out yet: the vault still opens as before.
#[derive(Debug)]
pub struct Rotation {
    keys: KeyFile,
    key_file: PathBuf,
    second: Option<PathBuf>,
    file: Option<PathBuf>,
    new: Kek,
    next: Vec<Way>,
    ways: Ways,
    random: Fill,
}

impl Rotation {
    /// Makes ready that the key file is wrapped with a random key, which `secrets` lead to and nothing else, and which takes
    /// the place of the one in `file` if there is such a file. `old` opens the key file now.
    ///
    /// `second` is the folder of the key file's second copy: what only that has whole is brought to the first before anything
    /// is wrapped, for afterwards the second is made anew from the first.
    ///
    /// # Errors
    /// [`KeyError::NotInStep`] where the second copy cannot be compared; [`KeyError`] of whichever step failed. The vault
    /// opens as before.
    pub fn begin(
        (key_file, second): (&Path, Option<&Path>),
        file: Option<&Path>,
        old: &Kek,
        mut ways: Ways,
        secrets: &[Secret],
        random: Fill,
    ) -> Result<Self, KeyError> {
        let keys = KeyFile::open(key_file, old, random)?;
        if let Some(second) = second {
            keys.attach(second)?;
            if let SecondCopy::Pending { why } = keys.second_copy() {
                return Err(KeyError::NotInStep { why });
            }
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
        ways.prepare(old, &next)?;
        let (second, file) = (second.map(Path::to_owned), file.map(Path::to_owned));
        Ok(Self { keys, key_file: key_file.to_owned(), second, file, new, next, ways, random })
    }

    /// Carries it out. Gives how the second copy of the key file is then.
    ///
    /// # Errors
    /// [`KeyError`] of whichever step failed: the vault opens as before, or with the new key.
    pub fn finish(self) -> Result<SecondCopy, KeyError> {
        let Self { keys, key_file, second, file, new, next, mut ways, random } = self;
        let wrapped = keys.wrapped_anew(&new)?;
        drop(keys);
        files::replace(&key_file, 0o600, &wrapped)?;
        // Before the old key goes, which is what opens the second copy until now.
        let keys = KeyFile::open(&key_file, &new, random)?;
        if let Some(second) = &second {
            keys.attach(second)?;
        }
        if let Some(file) = &file {
            files::rename(&waiting(file), file).map_err(|source| KeyError::io(file, source))?;
        }
        ways.replace(next)?;
        Ok(keys.second_copy())
    }
}

#[cfg(test)]
mod tests;
