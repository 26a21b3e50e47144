//! The few file operations that need more than one call to be durable.

use super::OpenError;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

/// Names the operation and the path of an error.
pub(super) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_path_buf();
    move |source| OpenError::Io { doing, path, source }
}

/// Makes a folder and its parents, for our user alone whatever the umask is, and syncs the folder each new one was entered in.
pub(super) fn create_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_dir(parent)?;
    }
    DirBuilder::new().mode(0o700).create(dir)?;
    sync_dir(parent.unwrap_or(Path::new(".")))
}

/// Makes what was created, renamed or removed in `dir` durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Puts a whole file in place: after a crash either the old or the new one is there.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temp = path.with_extension("tmp");
    let mut file = File::create(&temp)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temp, path)?;
    sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// Syncs every file and folder below `dir`: sled syncs neither its folder nor all of its files when they are new.
pub(super) fn sync_tree(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() { sync_tree(&path)? } else { File::open(&path)?.sync_all()? }
    }
    sync_dir(dir)
}

/// Asked before an operation that may be cut off, so that a test can end it at each of them.
pub(super) fn step() -> io::Result<()> {
    #[cfg(test)]
    cut::step()?;
    Ok(())
}

/// Removes a folder if it is there.
pub(super) fn remove_dir(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A length as the files have it.
pub(super) fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Ends a piece of work after so many steps, as a kill would: whatever comes after fails too.
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

    /// Runs `work` with `steps` steps, and says whether it came to its end by itself.
    pub(in super::super) fn after<T>(steps: u32, work: impl FnOnce() -> T) -> (T, bool) {
        LEFT.set(Some(steps));
        let done = work();
        let whole = LEFT.replace(None) != Some(0);
        (done, whole)
    }
}
