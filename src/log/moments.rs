//! What there is to go back to: told from the files alone, while a daemon may be writing to them. Changes nothing.

use super::files::io_error;
use super::marker::{self, Marker, journal_dir};
use super::record::{SegmentHeader, TIMELINE_FIRST};
use super::scan::Place;
use super::segment::{Bytes, Segment, list, walk};
use super::snapshots::{self, Taken};
use super::swap::new_dir;
use super::{Half, Meta, OpenError};
use std::path::{Path, PathBuf};

/// So far into a segment its first record surely ends: it may hold 1 MiB.
const FIRST_BYTES: u64 = 2 << 20;

/// The moments of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    /// The timeline that the store is on.
    pub timeline: u32,
    /// The first transaction of each segment, and its timeline.
    pub begins: Vec<(u32, Meta)>,
    /// The last transaction.
    pub last: Option<Meta>,
    /// Snapshots of both halves, the newest of each first.
    pub snapshots: Vec<Taken>,
    /// Timelines that were left, in the state folder and in the second one.
    pub kept: Vec<Kept>,
    /// A folder that a restore has left half-made, or not put in place yet: the next start sees to it.
    pub half_made: Option<PathBuf>,
}

/// A timeline that was left by a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its folder.
    pub dir: PathBuf,
    /// Its number.
    pub timeline: u32,
    /// Its last transaction, as far as that can be read.
    pub last: Option<Meta>,
}

/// The moments of the store in `dir`, with the second folder if there is one.
///
/// # Errors
/// [`OpenError`] where the journal's folder cannot be read.
pub fn moments(dir: &Path, second: Option<&Path>) -> Result<Moments, OpenError> {
    let marker = Marker::read(dir)?;
    let segments = list(&journal_dir(dir, Half::Neutral))?;
    let mut found =
        Moments { timeline: marker.map_or(TIMELINE_FIRST, |marker| marker.timeline), ..Moments::default() };
    for segment in &segments {
        let upto = Place { segment: segment.number, offset: FIRST_BYTES, ..Place::default() };
        let (timeline, first, _) = ends(segment, Some(upto))?;
        found.begins.extend(first.map(|first| (timeline, first)));
    }
    found.last = last(dir);
    for folder in [Some(dir), second].into_iter().flatten().filter(|folder| folder.is_dir()) {
        for (dir, timeline) in marker::kept(folder)? {
            let last = last(&dir);
            found.kept.push(Kept { dir, timeline, last });
        }
    }
    found.snapshots = snapshots::taken(dir).map_err(io_error("read", dir))?;
    found.half_made = Some(new_dir(dir)).filter(|new| new.exists());
    Ok(found)
}

/// The last transaction of a journal; `None` where that cannot be told.
fn last(dir: &Path) -> Option<Meta> {
    let segments = list(&journal_dir(dir, Half::Neutral)).ok()?;
    segments.iter().rev().find_map(|segment| ends(segment, None).ok()?.2)
}

/// The timeline of a segment, its first record and, of what is read, its last. Damage in it is another command's to tell.
fn ends(segment: &Segment, upto: Option<Place>) -> Result<(u32, Option<Meta>, Option<Meta>), OpenError> {
    let mut read = Bytes::begin(segment, Place::default(), upto)?;
    let Ok(header) = SegmentHeader::parse(&read.header) else { return Ok((0, None, None)) };
    let (mut first, mut last, mut chain) = (None, None, header.chain());
    let walked = walk(segment, &mut read, &mut chain, &mut |record, _| {
        first = first.or(Some(record.meta));
        last = Some(record.meta);
        Ok(())
    });
    match walked {
        Err(error @ OpenError::Io { .. }) => Err(error),
        Ok(_) | Err(_) => Ok((header.timeline, first, last)),
    }
}
