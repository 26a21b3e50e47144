//! Which store a folder belongs to: a file `STORE` with the store's id, in the state folder and in the second one.
//!
//! A mounted disk of ours has it; the bare folder of an unmounted disk does not, and is then never written to. Only a
//! store that never had a second copy takes a folder without one, and only a file `FICHA-NEW` in it, put there by whoever
//! changed the disk, has it taken later.
//!
//! ```text
//! ficha store 1
//! id 0191f5a2-...
//! second copied          in the state folder alone: a second copy was made once
//! ```

use super::files::{create_dir, io_error, replace, sync_dir};
use super::segment::segment_path;
use super::{Half, OpenError};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use uuid::Uuid;

const FILE: &str = "STORE";
const FIRST_LINE: &str = "ficha store 1";
const SECOND: &str = "second copied";
/// A file of this name says that the disk is new and may be taken.
const NEW_DISK: &str = "FICHA-NEW";

/// What a folder's file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) id: Uuid,
    /// Whether a second copy was made once.
    pub(super) second: bool,
}

impl Marker {
    /// `None`: there is no such file.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, OpenError> {
        let path = dir.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text).map(Some).ok_or_else(|| OpenError::Damaged {
                file: path,
                offset: 0,
                what: "it does not name a store".to_owned(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error("read", &path)(error)),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != FIRST_LINE {
            return None;
        }
        let id = lines.next()?.strip_prefix("id ")?.parse().ok()?;
        Some(Self { id, second: lines.any(|line| line == SECOND) })
    }

    pub(super) fn write(self, dir: &Path) -> io::Result<()> {
        let second = if self.second { "second copied\n" } else { "" };
        replace(&dir.join(FILE), format!("{FIRST_LINE}\nid {}\n{second}", self.id).as_bytes())
    }
}

/// Whether `dir` belongs to a store, this or another one: what to ask of a second folder before a first start.
#[must_use]
pub fn is_store(dir: &Path) -> bool {
    dir.join(FILE).exists()
}

/// The id of the store in `dir`; a new one for a new store, and the second folder's for one whose file was lost.
pub(super) fn own(dir: &Path, second: Option<&Path>) -> Result<Marker, OpenError> {
    if let Some(marker) = Marker::read(dir)? {
        return Ok(marker);
    }
    let copied = second.map_or(Ok(None), Marker::read).unwrap_or(None);
    let empty = Half::ALL.into_iter().all(|half| !segment_path(&journal_dir(dir, half), 1).exists());
    if let (Some(second), Some(_), true) = (second, copied, empty) {
        return Err(OpenError::Gone { dir: dir.to_path_buf(), second: second.to_path_buf() });
    }
    let new = Marker { id: copied.map_or_else(Uuid::new_v4, |copied| copied.id), second: copied.is_some() };
    new.write(dir).map_err(io_error("write", &dir.join(FILE)))?;
    Ok(new)
}

/// Whether `second` may be written to as the second folder of the store in `dir`; takes a new one. The text says why not,
/// and what to do.
pub(super) fn admit(dir: &Path, second: &Path) -> Result<(), String> {
    let own = Marker::read(dir)
        .map_err(|error| error.to_string())?
        .ok_or("the state folder's file `STORE` is gone")?;
    match Marker::read(second).map_err(|error| error.to_string())? {
        Some(marker) if marker.id == own.id => return Ok(()),
        Some(_) => return Err(format!("{} belongs to another store", second.display())),
        None if !own.second => {}
        None if second.join(NEW_DISK).exists() => {}
        None => {
            return Err(format!(
                "{} is not the disk that it was: is it mounted? For a new disk, make an empty file {NEW_DISK} in it",
                second.display()
            ));
        }
    }
    take(dir, second, own).map_err(|error| format!("{} cannot be taken: {error}", second.display()))
}

fn take(dir: &Path, second: &Path, own: Marker) -> io::Result<()> {
    create_dir(second)?;
    // First in the state folder: from here on a folder without a marker is a disk that is not there.
    Marker { second: true, ..own }.write(dir)?;
    Marker { second: false, ..own }.write(second)?;
    match fs::remove_file(second.join(NEW_DISK)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => sync_dir(second),
    }
}

/// Whether `second` holds the copy of the store in `dir`.
pub(super) fn is_copy(dir: &Path, second: &Path) -> bool {
    let id = |dir| Marker::read(dir).ok().flatten().map(|marker| marker.id);
    id(dir).is_some() && id(dir) == id(second)
}

/// Where a half's journal lies below a state folder or a second one.
pub(super) fn journal_dir(dir: &Path, half: Half) -> PathBuf {
    dir.join(half.folder()).join("journal")
}
