//! Making and reading the small files that hold keys: whole or not at all, and private from the first byte.
//!
//! [`create`] never replaces a file that is there: a key that is lost this way is lost for every customer. What may be
//! replaced is replaced by [`replace`] and [`copy`], which leave the old file or the new one, never a part.

use super::keys::KeyError;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Makes `path` with `bytes` in it. A power cut leaves the whole file or none: written aside, synced, then linked into place.
pub(super) fn create(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), KeyError> {
    write_new(path, mode, bytes).map_err(|source| {
        if source.kind() == io::ErrorKind::AlreadyExists {
            return KeyError::AlreadyThere { path: path.to_owned() };
        }
        KeyError::io(path, source)
    })
}

fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let aside = aside(path);
    write_aside(&aside, mode, &mut &*bytes)?;
    step()?;
    // A link, unlike a rename, fails where a file is already there.
    let linked = fs::hard_link(&aside, path);
    step()?;
    fs::remove_file(&aside)?;
    linked?;
    sync_folder(path)
}

/// Puts `bytes` in the place of what `path` holds, or where nothing is.
pub(super) fn replace(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), KeyError> {
    copy(path, mode, &mut &*bytes)
}

/// As [`replace`], from a reader.
pub(super) fn copy(path: &Path, mode: u32, bytes: &mut dyn Read) -> Result<(), KeyError> {
    let aside = aside(path);
    let done = write_aside(&aside, mode, bytes).and_then(|()| rename(&aside, path));
    done.map_err(|source| KeyError::io(path, source))
}

/// Renames within one folder, durably.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    step()?;
    fs::rename(from, to)?;
    sync_folder(to)
}

fn write_aside(aside: &Path, mode: u32, bytes: &mut dyn Read) -> io::Result<()> {
    step()?;
    match fs::remove_file(aside) {
        // Left by a start that was cut short; nothing was ever made with what it holds.
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    step()?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(aside)?;
    step()?;
    io::copy(bytes, &mut file)?;
    file.flush()?;
    step()?;
    file.sync_all()
}

/// Where a file is written before it takes its name.
pub(super) fn aside(path: &Path) -> PathBuf {
    beside(path, ".new")
}

/// `path` with something behind its name.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Syncs the folder that `path` is in.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    step()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Reads up to `bytes_max` bytes of a file that none of the `forbidden` mode bits may open.
///
/// The bits are those of the file that was opened, not of the name: nobody can swap it in between.
pub(super) fn read_private(path: &Path, forbidden: u32, bytes_max: u64) -> Result<Vec<u8>, KeyError> {
    let failed = |source| KeyError::io(path, source);
    let file = File::open(path).map_err(|source| {
        if source.kind() == io::ErrorKind::NotFound {
            return KeyError::Missing { path: path.to_owned() };
        }
        failed(source)
    })?;
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.mode() & 0o7777;
    if mode & forbidden != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    // Room for everything at once: a buffer that grows leaves copies of a key behind.
    let room = metadata.len().min(bytes_max);
    let mut bytes = Vec::with_capacity(usize::try_from(room).unwrap_or(0).saturating_add(32));
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Asked before every operation on a file, so that a test can end a piece of work at each of them.
pub(super) fn step() -> io::Result<()> {
    #[cfg(test)]
    cut::step()?;
    Ok(())
}

/// Ends a piece of work after so many operations on files, as a kill would: whatever comes after fails too.
#[cfg(test)]
pub(super) mod cut {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    pub(super) fn step() -> io::Result<()> {
        match LEFT.get() {
            Some(0) => Err(io::Error::other("cut here by a test")),
            Some(left) => {
                LEFT.set(Some(left.saturating_sub(1)));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Runs `work` with `operations` operations on files, and says whether it came to its end by itself.
    pub(in super::super) fn after<T>(operations: u32, work: impl FnOnce() -> T) -> (T, bool) {
        LEFT.set(Some(operations));
        let done = work();
        let whole = LEFT.replace(None) != Some(0);
        (done, whole)
    }
}
