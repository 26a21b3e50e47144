//! Compares the two copies of a journal: up to where the second holds what the first does. Changes nothing.

use super::copier::CopyError;
use super::files::to_u64;
use super::marker::journal_dir;
use super::record::{SEGMENT_HEADER_BYTES, SegmentHeader, parse};
use super::scan::Place;
use super::second::Tips;
use super::segment::{Bytes, damaged, list, segment_path};
use super::{Half, Halves};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Read at once to compare two files.
const BLOCK_BYTES: usize = 64 << 10;

/// Looks through the second folder: up to where it holds what the first does. What is damaged there is written again;
/// what is whole and different is never touched.
pub(super) fn attach(first: &Path, second: &Path, tips: &Tips) -> Result<Halves<Place>, CopyError> {
    let mut at = Halves::default();
    for half in Half::ALL {
        let dirs = (journal_dir(first, half), journal_dir(second, half));
        *at.get_mut(half) = shared_part((&dirs.0, &dirs.1), *tips.places.get(half))?;
    }
    Ok(at)
}

fn shared_part((first, second): (&Path, &Path), tip: Place) -> Result<Place, CopyError> {
    let away = |error: io::Error| CopyError::Second(format!("{} cannot be read: {error}", second.display()));
    let mut at = Place::default();
    let segments = list(first).map_err(CopyError::First)?;
    if segment_path(second, tip.segment.saturating_add(1)).exists() {
        return Err(CopyError::Second(format!(
            "{} has segments that this store does not have",
            second.display()
        )));
    }
    for segment in segments.iter().filter(|segment| segment.number <= tip.segment) {
        let copy = segment_path(second, segment.number);
        if !copy.exists() {
            break;
        }
        if segment.number < tip.segment && ends_alike(&segment.path, &copy).map_err(away)? {
            let end = fs::metadata(&copy).map_err(away)?.len();
            at = Place { segment: segment.number, offset: end, ..at };
            continue;
        }
        let read = Bytes::read(segment, Place::default(), Some(tip)).map_err(CopyError::First)?;
        let there = fs::read(&copy).map_err(away)?;
        return common(&read, &there, segment.number).map_err(|differs| match differs {
            Differs::First { offset } => {
                CopyError::First(damaged(&segment.path, offset, "the second copy has what was here"))
            }
            Differs::Second(what) => CopyError::Second(format!("{}: {what}", copy.display())),
        });
    }
    Ok(at)
}

/// Why a copy of a segment cannot be written on.
enum Differs {
    /// The first copy is damaged there, and the second has a whole record.
    First { offset: u64 },
    /// The second copy is of another history.
    Second(&'static str),
}

/// Up to where a copy of a segment holds the records that were read of the first.
fn common(read: &Bytes, there: &[u8], number: u64) -> Result<Place, Differs> {
    let mut place = Place { segment: number, offset: to_u64(SEGMENT_HEADER_BYTES), ..Place::default() };
    place.chain = SegmentHeader::parse(&read.header).map_or(0, |header| header.chain());
    if there.get(..SEGMENT_HEADER_BYTES) != Some(read.header.as_slice()) {
        let other = SegmentHeader::parse(there);
        let another = Differs::Second("it belongs to another history of this store");
        return if other.is_ok() { Err(another) } else { Ok(place) };
    }
    let mut at: usize = 0;
    loop {
        let rest = there.get(at.saturating_add(SEGMENT_HEADER_BYTES)..).unwrap_or_default();
        let copied = parse(rest).filter(|record| record.last_crc == place.chain);
        let here = read.records.get(at..).unwrap_or_default();
        let Some(record) = parse(here) else {
            return match copied {
                None => Ok(place),
                // What was read ends where the journal does: before that a record is wanted.
                Some(_) if !here.is_empty() => Err(Differs::First { offset: place.offset }),
                Some(_) => Err(Differs::Second("it holds records that this store does not have")),
            };
        };
        match copied {
            None => return Ok(place),
            Some(copied) if copied.crc != record.crc => {
                return Err(Differs::Second("it holds other records than this store"));
            }
            Some(_) => {}
        }
        at = at.saturating_add(record.bytes());
        (place.offset, place.chain) = (place.offset.saturating_add(to_u64(record.bytes())), record.crc);
    }
}

/// Whether two closed segments have one length, header and last checksum.
fn ends_alike(first: &Path, second: &Path) -> io::Result<bool> {
    let (first, second) = (File::open(first)?, File::open(second)?);
    let len = first.metadata()?.len();
    let header = to_u64(SEGMENT_HEADER_BYTES);
    if len < header || len != second.metadata()?.len() {
        return Ok(false);
    }
    let ends = |file: &File| -> io::Result<_> {
        let (mut head, mut tail) = ([0; SEGMENT_HEADER_BYTES], [0; 4]);
        file.read_exact_at(&mut head, 0)?;
        file.read_exact_at(&mut tail, len.saturating_sub(4))?;
        Ok((head, tail))
    };
    Ok(ends(&first)? == ends(&second)?)
}

/// What a segment's second copy holds of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alike {
    /// All of it.
    Whole,
    /// Its beginning, as while it is being copied.
    Begun,
    /// Something else.
    Not,
}

/// Compares two files byte by byte. The second is read from its disk, not out of memory.
pub(super) fn alike(first: &Path, second: &Path) -> io::Result<Alike> {
    let (mut first, mut second) = (File::open(first)?, File::open(second)?);
    let (len, mut left) = (first.metadata()?.len(), second.metadata()?.len());
    let whole = if left == len { Alike::Whole } else { Alike::Begun };
    if left > len {
        return Ok(Alike::Not);
    }
    posix_fadvise(&second, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
    let (mut one, mut other) = (vec![0; BLOCK_BYTES], vec![0; BLOCK_BYTES]);
    while left > 0 {
        let count = usize::try_from(left).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
        let (Some(one), Some(other)) = (one.get_mut(..count), other.get_mut(..count)) else { break };
        first.read_exact(one)?;
        second.read_exact(other)?;
        if one != other {
            return Ok(Alike::Not);
        }
        left = left.saturating_sub(to_u64(count));
    }
    Ok(whole)
}
