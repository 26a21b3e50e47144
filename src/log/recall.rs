//! Finds one transaction's events of the neutral half again, by its sequence.
//!
//! Nothing is kept for this: segments say in their headers with which sequence they begin, and within one the records are sorted,
//! so halving finds a place near the wanted one. What is found is checked by its own checksum.

use super::files::{io_error, to_u64};
use super::marker::journal_dir;
use super::record::{
    PAYLOAD_BYTES_MAX, RECORD_FRAME_BYTES, RECORD_MAGIC, Record, SEGMENT_HEADER_BYTES, SegmentHeader, events,
    parse,
};
use super::segment::{Segment, damaged, list};
use super::verify::Fault;
use super::{Half, OpenError, Read, Tx, ViewError, Views};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// So near to the wanted record the rest is read in one go.
const NEAR_BYTES: u64 = 64 << 10;
/// What is read at once while the begin of a record is looked for.
const WINDOW_BYTES: usize = 8 << 10;
/// The longest record.
const RECORD_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + RECORD_FRAME_BYTES;

/// Reading what happened, beside what is true now: [`Views`] (committed) and [`Tx`] (and what this group has decided).
pub trait Recall: Read {
    /// The neutral events of transaction `seq`, as they were emitted; `None` when there is no such transaction.
    ///
    /// # Errors
    /// [`ViewError::Journal`] when the journal cannot be read there, or is not as it was written.
    fn events(&self, seq: u64) -> Result<Option<Vec<Vec<u8>>>, ViewError>;
}

impl Recall for Views {
    fn events(&self, seq: u64) -> Result<Option<Vec<Vec<u8>>>, ViewError> {
        let found = find(self.dir(), seq).map_err(|error| {
            // What could not be read may be readable the next time.
            if matches!(error, OpenError::Damaged { .. }) {
                self.found(Fault::of(self.dir(), Half::Neutral, &error));
            }
            unreadable(&error.to_string())
        })?;
        found.map(|payload| split(&payload)).transpose()
    }
}

impl Recall for Tx<'_> {
    fn events(&self, seq: u64) -> Result<Option<Vec<Vec<u8>>>, ViewError> {
        match self.decided(seq) {
            Some(payload) => split(payload).map(Some),
            None => self.views().events(seq),
        }
    }
}

fn unreadable(what: &str) -> ViewError {
    ViewError::Journal { half: Half::Neutral, what: what.to_owned() }
}

fn split(payload: &[u8]) -> Result<Vec<Vec<u8>>, ViewError> {
    let bad = || unreadable("an event's length in the journal is wrong");
    events(payload).map(|event| event.map(<[u8]>::to_vec).ok_or_else(bad)).collect()
}

/// The payload of the neutral record `seq` of the log in `dir`.
fn find(dir: &Path, seq: u64) -> Result<Option<Vec<u8>>, OpenError> {
    let segments = list(&journal_dir(dir, Half::Neutral))?;
    let begins_after = |segment: &Segment| Ok::<_, OpenError>(first_seq(&segment.path)? > seq);
    // The last segment that begins at or before the wanted sequence.
    let (mut low, mut high) = (0, segments.len());
    while low < high {
        let middle = low.midpoint(high);
        match segments.get(middle).map(begins_after).transpose()? {
            Some(false) => low = middle.saturating_add(1),
            Some(true) | None => high = middle,
        }
    }
    let Some(segment) = low.checked_sub(1).and_then(|at| segments.get(at)) else { return Ok(None) };
    let file = File::open(&segment.path).map_err(io_error("read", &segment.path))?;
    match find_in(&file, seq, low == segments.len()).map_err(io_error("read", &segment.path))? {
        Found::Here(payload) => Ok(Some(payload)),
        Found::Nowhere => Ok(None),
        Found::Damaged(offset) => {
            Err(damaged(&segment.path, offset, "a record is not as it was written, and whole ones follow"))
        }
    }
}

/// What was found of a record.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Here(Vec<u8>),
    Nowhere,
    /// From there on something is not as it was written, and it may have been this.
    Damaged(u64),
}

/// With which sequence a segment begins. One is put in place with its header whole.
fn first_seq(path: &Path) -> Result<u64, OpenError> {
    let header = File::open(path).and_then(|file| read(&file, 0, SEGMENT_HEADER_BYTES));
    let header = SegmentHeader::parse(&header.map_err(io_error("read", path))?);
    header.map(|header| header.first_seq).map_err(|_| damaged(path, 0, "its header is not as it was written"))
}

/// Looks for a record in a segment; `is_last`: behind its last record there may be zeros, and one that is just being written.
fn find_in(file: &File, seq: u64, is_last: bool) -> io::Result<Found> {
    let end = file.metadata()?.len();
    // A record begins at `low`, and the wanted one, if it is there, at or after it and before `high`.
    let (mut low, mut high) = (to_u64(SEGMENT_HEADER_BYTES), end);
    while high.saturating_sub(low) > NEAR_BYTES {
        let middle = low.midpoint(high);
        match next_record(file, middle, high)? {
            Some((at, found)) if found <= seq => low = at,
            Some(_) | None => high = middle,
        }
    }
    let near = usize::try_from(high.saturating_sub(low)).unwrap_or(usize::MAX);
    let bytes = read(file, low, near)?;
    let mut at = 0;
    while let Some(record) = bytes.get(at..).and_then(parse) {
        if record.meta.seq >= seq {
            return Ok(found(&record, seq, None));
        }
        at = at.saturating_add(record.bytes());
    }
    // The last one may end behind what was read, or something in between is not as it was written.
    let (mut low, mut damage) = (low.saturating_add(to_u64(at)), None);
    while low < end {
        let bytes = read(file, low, RECORD_BYTES_MAX)?;
        match parse(&bytes) {
            Some(record) if record.meta.seq >= seq => return Ok(found(&record, seq, damage)),
            Some(record) => low = low.saturating_add(to_u64(record.bytes())),
            None => match next_record(file, low.saturating_add(1), end)? {
                Some((next, _)) => (low, damage) = (next, damage.or(Some(low))),
                // The next segment begins behind the wanted one: it ended here.
                None if !is_last => return Ok(Found::Damaged(damage.unwrap_or(low))),
                None => return Ok(Found::Nowhere),
            },
        }
    }
    Ok(damage.map_or(Found::Nowhere, Found::Damaged))
}

/// What the first whole record of `seq` or behind it says, after `damage`.
fn found(record: &Record<'_>, seq: u64, damage: Option<u64>) -> Found {
    match damage {
        _ if record.meta.seq == seq => Found::Here(record.payload.to_vec()),
        Some(at) => Found::Damaged(at),
        None => Found::Nowhere,
    }
}

/// The first whole record that begins in `from..to`: where, and its sequence.
fn next_record(file: &File, from: u64, to: u64) -> io::Result<Option<(u64, u64)>> {
    let mut at = from;
    // Behind the last record there are zeros; a record's own length is the most that has none beginning.
    while at < to && at.saturating_sub(from) <= to_u64(RECORD_BYTES_MAX) {
        let window = read(file, at, WINDOW_BYTES)?;
        let begins = window.windows(RECORD_MAGIC.len()).enumerate().filter(|(_, four)| *four == RECORD_MAGIC);
        for (skip, _) in begins {
            let begin = at.saturating_add(to_u64(skip));
            if begin >= to {
                return Ok(None);
            }
            let whole = match window.get(skip..).and_then(parse) {
                Some(record) => Some(record.meta.seq),
                None => parse(&read(file, begin, RECORD_BYTES_MAX)?).map(|record| record.meta.seq),
            };
            if let Some(seq) = whole {
                return Ok(Some((begin, seq)));
            }
        }
        // A record may begin across two windows.
        let step = window.len().saturating_sub(RECORD_MAGIC.len().saturating_sub(1));
        at = at.saturating_add(to_u64(step.max(1)));
    }
    Ok(None)
}

/// At most `bytes` from `at` on; less at the end of the file, which is cut while it is closed.
fn read(file: &File, at: u64, bytes: usize) -> io::Result<Vec<u8>> {
    let left = usize::try_from(file.metadata()?.len().saturating_sub(at)).unwrap_or(usize::MAX);
    let mut window = vec![0; bytes.min(left)];
    let mut filled = 0;
    while let Some(rest) = window.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at.saturating_add(to_u64(filled)))? {
            0 => window.truncate(filled),
            more => filled = filled.saturating_add(more),
        }
    }
    Ok(window)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Meta;
    use crate::log::record::{Kind, NewRecord};
    use std::io::Write as _;

    /// A segment with records `1..=count` of these lengths in turn, then zeros.
    fn segment(count: u64, lengths: &[usize], zeros: usize) -> File {
        let mut bytes = vec![0; SEGMENT_HEADER_BYTES];
        let mut chain = 0;
        for (seq, length) in (1..=count).zip(lengths.iter().cycle()) {
            let mut payload = vec![b'F'; *length];
            payload.extend(seq.to_le_bytes());
            let meta = Meta { seq, at_us: 0 };
            let record = NewRecord { meta, kind: Kind::Events, paired: false, payload: &payload };
            let mut out = Vec::new();
            chain = record.write(chain, &mut out).unwrap();
            bytes.extend(out);
        }
        bytes.extend(vec![0; zeros]);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        file
    }

    #[test]
    fn every_record_is_found_whatever_lies_around_it() {
        for (count, lengths, zeros) in [
            (0, vec![1], 1 << 20),
            (1, vec![1], 2 << 20),
            (5_000, vec![7, 900, 40, 13_000], 1 << 20),
            (4, vec![PAYLOAD_BYTES_MAX - 8, 3], 0),
            (99, vec![WINDOW_BYTES - RECORD_FRAME_BYTES - 8 - 2, 1, 70_000], 5),
        ] {
            let file = segment(count, &lengths, zeros);
            for seq in (1..=count).rev().step_by(usize::try_from(count / 100 + 1).unwrap()) {
                let Found::Here(payload) = find_in(&file, seq, true).unwrap() else { panic!("{seq}") };
                assert!(payload.ends_with(&seq.to_le_bytes()), "{seq} of {count}");
            }
            assert_eq!(find_in(&file, 0, true).unwrap(), Found::Nowhere);
            assert_eq!(find_in(&file, count + 1, true).unwrap(), Found::Nowhere);
        }
    }

    #[test]
    fn what_is_damaged_is_not_taken_for_what_never_was() {
        for lengths in [vec![7, 900, 40], vec![13_000, 70_000]] {
            let count = 60;
            let file = segment(count, &lengths, 0);
            let bytes = read(&file, 0, usize::MAX).unwrap();
            let begins: Vec<usize> = std::iter::successors(Some(SEGMENT_HEADER_BYTES), |at| {
                parse(&bytes[*at..]).map(|record| at + record.bytes())
            })
            .collect();
            for hurt in [1, 2, 30, 59, 60] {
                let at = begins[usize::try_from(hurt).unwrap() - 1] + RECORD_FRAME_BYTES + 3;
                file.write_all_at(&[!bytes[at]], to_u64(at)).unwrap();
                for seq in 1..=count {
                    let found = find_in(&file, seq, false).unwrap();
                    assert_eq!(matches!(found, Found::Here(_)), seq != hurt, "{seq}, {hurt} is damaged");
                    assert_eq!(matches!(found, Found::Damaged(_)), seq == hurt, "{seq}, {hurt} is damaged");
                }
                file.write_all_at(&bytes[at..=at], to_u64(at)).unwrap();
            }
            // Its header tells which sequences a segment has.
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("00000001.seg");
            std::fs::write(&path, &bytes).unwrap();
            assert!(matches!(first_seq(&path), Err(OpenError::Damaged { .. })));
            // One that was never written, between two that were.
            let gone = to_u64(begins[29])..to_u64(begins[30]);
            let short = tempfile::tempfile().unwrap();
            short.write_all_at(&bytes[..begins[29]], 0).unwrap();
            short.write_all_at(&bytes[begins[30]..], gone.start).unwrap();
            assert_eq!(find_in(&short, 30, false).unwrap(), Found::Nowhere);
        }
    }
}
