//! Which store a folder belongs to: a file `STORE` with the store's id, in the state folder and in the second one.
//!
//! A mounted disk of ours has it; the bare folder of an unmounted disk does not, and is then never written to. Only a
//! store that never had a second copy takes a folder without one, and only a file `FICHA-NEW` in it, put there by whoever
//! changed the disk, has it taken later.
//!
//! It names the timeline too. A second folder that was away while the store was restored to an earlier moment still has the
//! timeline before: what is in it is set aside under [`kept_name`], never healed from and never overwritten, and the
//! copy made anew.
//!
//! ```text
//! ficha store 1
//! id 0191f5a2-...
//! timeline 2             1 if there is no such line
//! second copied          in the state folder alone: a second copy was made once
//! ```

use super::files::{create_dir, io_error, replace, step, sync_dir};
use super::record::{SegmentHeader, TIMELINE_FIRST};
use super::segment::{head, list, segment_path};
use super::{Half, OpenError};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use uuid::Uuid;

const FILE: &str = "STORE";
const FIRST_LINE: &str = "ficha store 1";
const KEPT: &str = "kept-timeline-";
const TIMELINE: &str = "timeline ";
const SECOND: &str = "second copied";
/// A file of this name says that the disk is new and may be taken.
const NEW_DISK: &str = "FICHA-NEW";

/// What a folder's file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) id: Uuid,
    /// 1, and one more after each restore.
    pub(super) timeline: u32,
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
        let (mut timeline, mut second) = (TIMELINE_FIRST, false);
        for line in lines {
            match line.strip_prefix(TIMELINE) {
                Some(number) => timeline = number.parse().ok().filter(|number| *number >= TIMELINE_FIRST)?,
                None => second = second || line == SECOND,
            }
        }
        Some(Self { id, timeline, second })
    }

    pub(super) fn write(self, dir: &Path) -> io::Result<()> {
        let second = if self.second { "second copied\n" } else { "" };
        let Self { id, timeline, .. } = self;
        let text = format!("{FIRST_LINE}\nid {id}\n{TIMELINE}{timeline}\n{second}");
        replace(&dir.join(FILE), text.as_bytes())
    }
}

/// The folder, in the state folder or the second one, of what a restore left behind.
pub(super) fn kept_name(timeline: u32) -> String {
    format!("{KEPT}{timeline}")
}

/// The kept timelines in a folder, by number.
pub(super) fn kept(folder: &Path) -> Result<Vec<(PathBuf, u32)>, OpenError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(io_error("read", folder))? {
        let name = entry.map_err(io_error("read", folder))?.file_name();
        let timeline = name.to_str().and_then(|name| name.strip_prefix(KEPT)?.parse().ok());
        found.extend(timeline.map(|timeline| (folder.join(&name), timeline)));
    }
    found.sort_by_key(|(_, timeline)| *timeline);
    Ok(found)
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
    let id = copied.map_or_else(Uuid::new_v4, |copied| copied.id);
    let new = Marker { id, timeline: newest(dir)?.unwrap_or(TIMELINE_FIRST), second: copied.is_some() };
    new.write(dir).map_err(io_error("write", &dir.join(FILE)))?;
    Ok(new)
}

/// The timeline that the journals in `dir` have come to.
fn newest(dir: &Path) -> Result<Option<u32>, OpenError> {
    let Some(last) = list(&journal_dir(dir, Half::Neutral))?.pop() else { return Ok(None) };
    let header = head(&last.path).map_err(io_error("read", &last.path))?;
    Ok(SegmentHeader::parse(&header).ok().map(|header| header.timeline))
}

/// How a second folder was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    /// As it was left.
    Same,
    /// Nothing of this timeline is in it yet.
    Anew,
}

/// Whether `second` may be written to as the second folder of the store in `dir`; takes a new one, and sets aside what is in
/// one of an earlier timeline. The text says why not, and what to do.
pub(super) fn admit(dir: &Path, second: &Path) -> Result<Admitted, String> {
    let own = Marker::read(dir)
        .map_err(|error| error.to_string())?
        .ok_or("the state folder's file `STORE` is gone")?;
    match Marker::read(second).map_err(|error| error.to_string())? {
        Some(marker) if (marker.id, marker.timeline) == (own.id, own.timeline) => {
            // Taken by a start that was cut off before it was noted here.
            note(dir, own).map_err(|error| format!("{} cannot be written: {error}", dir.display()))?;
            return Ok(Admitted::Same);
        }
        Some(marker) if marker.id == own.id && marker.timeline > own.timeline => {
            return Err(format!(
                "{} is of timeline {} of this store, the state folder of timeline {}: bring back the later state folder",
                second.display(),
                marker.timeline,
                own.timeline
            ));
        }
        Some(marker) if marker.id == own.id => {
            let aside = set_aside(second, marker).map_err(|error| {
                format!(
                    "{}: what was copied before the restore cannot be set aside: {error}",
                    second.display()
                )
            });
            aside?;
        }
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
    take(dir, second, own).map_err(|error| format!("{} cannot be taken: {error}", second.display()))?;
    Ok(Admitted::Anew)
}

/// Puts the journals of an earlier timeline into a folder of their own, which then is a copy of that timeline. Cut off
/// anywhere it is done again: until the end the folder's marker names the earlier timeline.
fn set_aside(second: &Path, marker: Marker) -> io::Result<()> {
    let aside = second.join(kept_name(marker.timeline));
    create_dir(&aside)?;
    for half in Half::ALL {
        let (from, to) = (second.join(half.folder()), aside.join(half.folder()));
        if from.exists() {
            // Fails where something is there: nothing is ever overwritten.
            fs::rename(from, to)?;
        }
    }
    sync_dir(second)?;
    Marker { second: false, ..marker }.write(&aside)
}

/// Takes a new second folder. The state folder notes it last: what is noted there first, and then cannot be written to a disk
/// that is full, read-only or without power, would be missed for ever on a disk that never had it.
fn take(dir: &Path, second: &Path, own: Marker) -> io::Result<()> {
    // A folder of ours beside which no store is yet would be taken for the copy of one that was lost.
    sync_dir(dir)?;
    step()?;
    create_dir(second)?;
    step()?;
    Marker { second: false, ..own }.write(second)?;
    step()?;
    note(dir, own)?;
    step()?;
    match fs::remove_file(second.join(NEW_DISK)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => sync_dir(second),
    }
}

/// Notes in the state folder that there is a second copy: from here on a folder without a marker is a disk that is not there.
fn note(dir: &Path, own: Marker) -> io::Result<()> {
    if own.second { Ok(()) } else { Marker { second: true, ..own }.write(dir) }
}

/// Whether `second` holds the copy of the store in `dir`, of the same timeline.
pub(super) fn is_copy(dir: &Path, second: &Path) -> bool {
    let id = |dir| Marker::read(dir).ok().flatten().map(|marker| (marker.id, marker.timeline));
    id(dir).is_some() && id(dir) == id(second)
}

/// Where a half's journal lies below a state folder or a second one.
pub(super) fn journal_dir(dir: &Path, half: Half) -> PathBuf {
    dir.join(half.folder()).join("journal")
}

#[cfg(test)]
mod tests {
    use super::super::files::cut;
    use super::*;

    #[test]
    fn a_second_folder_whose_taking_was_cut_off_anywhere_is_taken_the_next_time() {
        for steps in 0.. {
            let root = tempfile::tempdir().unwrap();
            let [dir, second, disk] = ["state", "second", "disk"].map(|name| root.path().join(name));
            fs::create_dir(&dir).unwrap();
            own(&dir, Some(&second)).unwrap();
            let whole = cut::after(steps, || admit(&dir, &second)).1;
            own(&dir, Some(&second)).unwrap();
            admit(&dir, &second).unwrap();
            assert_eq!(admit(&dir, &second), Ok(Admitted::Same), "{steps}");
            // And from then on it is told from the folder below it.
            fs::rename(&second, &disk).unwrap();
            fs::create_dir(&second).unwrap();
            assert!(admit(&dir, &second).unwrap_err().contains("is it mounted"), "{steps}");
            assert_eq!(fs::read_dir(&second).unwrap().count(), 0, "{steps}");
            if whole {
                return;
            }
        }
    }
}
