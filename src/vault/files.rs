//! Making and reading the small files that hold keys: whole or not at all, and private from the first byte.
//!
//! Never replaces a file that is there: a key that is lost this way is lost for every customer.

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
    match fs::remove_file(&aside) {
        // Left by a start that was cut short; nothing was ever made with what it holds.
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    // A link, unlike a rename, fails where a file is already there.
    let linked = fs::hard_link(&aside, path);
    fs::remove_file(&aside)?;
    linked?;
    sync_folder(path)
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

fn sync_folder(path: &Path) -> io::Result<()> {
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
    let mode = file.metadata().map_err(failed)?.mode() & 0o7777;
    if mode & forbidden != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    // Room for everything at once: a buffer that grows leaves copies of a key behind.
    let mut bytes = Vec::with_capacity(usize::try_from(bytes_max).unwrap_or(0).saturating_add(32));
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
