//! Carries each group to the second folder, on a thread of its own.
//!
//! It reads what the committer has written out of the first copy's files and checks the chain on the way, so that a second
//! folder that was away for a day is caught up as one that was away for a moment; nothing waits in memory for a slow disk.
//! What it has written it syncs once a pass, and a segment that is closed it reads back and compares.

use super::compare::{Alike, alike, attach};
use super::files::{create_dir, sync_dir, to_u64};
use super::marker::{Admitted, admit, journal_dir};
use super::record::{SEGMENT_HEADER_BYTES, SegmentHeader};
use super::scan::Place;
use super::second::Tips;
use super::segment::{Bytes, Segment, damaged, list, segment_path, walk};
use super::{Half, Halves, OpenError};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Why a pass did not come to its end.
#[derive(Debug)]
pub(super) enum CopyError {
    /// The first copy is not as it was written.
    First(OpenError),
    /// The second folder cannot be used now.
    Second(String),
}

/// The thread's own.
pub(super) struct Copier {
    pub(super) first: PathBuf,
    pub(super) second: PathBuf,
    /// Up to where the second folder has each journal; `None` until it was looked through.
    pub(super) at: Option<Halves<Place>>,
    /// The segment that is being written.
    pub(super) open: Halves<Option<(u64, File)>>,
}

impl Copier {
    /// One pass: all that the tips name is in the second folder, and synced, when it comes back. `go_on` is asked before
    /// each segment.
    pub(super) fn pass(&mut self, tips: &Tips, go_on: &dyn Fn() -> bool) -> Result<(), CopyError> {
        if admit(&self.first, &self.second).map_err(CopyError::Second)? == Admitted::Anew {
            (self.at, self.open) = (None, Halves::default());
        }
        let mut at = match self.at.take() {
            Some(at) => at,
            None => attach(&self.first, &self.second, tips)?,
        };
        // As they are committed: the second copy's neutral half never knows of what its personal half does not have.
        for half in Half::ALL {
            self.copy(half, at.get_mut(half), *tips.places.get(half), go_on)?;
        }
        self.at = Some(at);
        Ok(())
    }

    fn copy(
        &mut self,
        half: Half,
        at: &mut Place,
        to: Place,
        go_on: &dyn Fn() -> bool,
    ) -> Result<(), CopyError> {
        let dir = journal_dir(&self.first, half);
        let segments = list(&dir).map_err(CopyError::First)?;
        let wanted = at.segment.max(1)..=to.segment;
        for segment in segments.into_iter().filter(|segment| wanted.contains(&segment.number)) {
            if (at.segment, at.offset) == (to.segment, to.offset) || !go_on() {
                break;
            }
            let mut read = Bytes::read(&segment, *at, Some(to)).map_err(CopyError::First)?;
            let end = checked(&segment, &mut read, at, to).map_err(CopyError::First)?;
            self.write(half, &segment, &read).map_err(|error| {
                CopyError::Second(format!("{} cannot be written: {error}", self.second.display()))
            })?;
            *at = end;
            if segment.number < to.segment {
                self.open.get_mut(half).take();
                self.compare(half, &segment)?;
            }
        }
        if at.segment == to.segment && at.offset == to.offset {
            *at = to;
        }
        Ok(())
    }

    /// Writes records where they stand in the first copy; a segment's first ones with its header, under another name first.
    fn write(&mut self, half: Half, segment: &Segment, read: &Bytes) -> io::Result<()> {
        let dir = journal_dir(&self.second, half);
        let path = segment_path(&dir, segment.number);
        if read.base == to_u64(SEGMENT_HEADER_BYTES) {
            create_dir(&dir)?;
            let temp = path.with_extension("tmp");
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&temp)?;
            file.write_all_at(&read.header, 0)?;
            file.write_all_at(&read.records, read.base)?;
            file.sync_all()?;
            fs::rename(&temp, &path)?;
            *self.open.get_mut(half) = Some((segment.number, file));
            return sync_dir(&dir);
        }
        let file = match self.open.get_mut(half).take() {
            Some((number, file)) if number == segment.number => file,
            Some(_) | None => OpenOptions::new().read(true).write(true).open(&path)?,
        };
        file.write_all_at(&read.records, read.base)?;
        file.set_len(read.base.saturating_add(to_u64(read.records.len())))?;
        file.sync_data()?;
        *self.open.get_mut(half) = Some((segment.number, file));
        Ok(())
    }

    /// Reads a closed segment of the second folder back and compares it with the first copy's.
    fn compare(&self, half: Half, segment: &Segment) -> Result<(), CopyError> {
        let path = segment_path(&journal_dir(&self.second, half), segment.number);
        let broken = |what: String| CopyError::Second(format!("{}: {what}", path.display()));
        match alike(&segment.path, &path) {
            Ok(Alike::Whole) => Ok(()),
            Ok(Alike::Begun | Alike::Not) => {
                Err(broken("it does not hold what was written; is the disk failing?".to_owned()))
            }
            Err(error) => Err(broken(error.to_string())),
        }
    }
}

/// Walks what was read of the first copy; gives where it ends, which must be where the committer left off.
fn checked(segment: &Segment, read: &mut Bytes, at: &Place, to: Place) -> Result<Place, OpenError> {
    let mut chain = if segment.number > at.segment || read.base == to_u64(SEGMENT_HEADER_BYTES) {
        let header = SegmentHeader::parse(&read.header);
        header
            .map_err(|_| damaged(&segment.path, 0, "the segment's header is not as it was written"))?
            .chain()
    } else {
        at.chain
    };
    let tail = walk(segment, read, &mut chain, &mut |_, _| Ok(()))?;
    let end = read.base.saturating_add(to_u64(read.records.len()));
    if tail.end != end || (segment.number == to.segment && end != to.offset) {
        return Err(damaged(&segment.path, tail.end, "a record that was written is not there any more"));
    }
    Ok(Place { segment: segment.number, offset: end, chain, ..*at })
}
