//! Reads a half's journal and changes nothing: checks every record and the chain, and says where it ends.

use super::files::to_u64;
use super::record::{Record, SegmentHeader};
use super::segment::{Bytes, Segment, damaged, header, list, segment_path, walk};
use super::{GROUP_MAX, Half, Meta, OpenError, Torn};
use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};

/// Records kept in mind while reading, so that a void can take back the last group.
const RECENT_MAX: usize = GROUP_MAX + 1;

/// A live record as a scan remembers it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) meta: Meta,
    pub(super) crc: u32,
    pub(super) segment: u64,
    pub(super) offset: u64,
}

/// A place between two records of a journal, and what lies before it. The default is the very start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The segment; 0: before the first.
    pub(super) segment: u64,
    /// Where in it the next record goes.
    pub(super) offset: u64,
    /// The last record's checksum, whatever it was.
    pub(super) chain: u32,
    /// The last record that is not void; 0 when there is none.
    pub(super) seq: u64,
    /// That record's checksum.
    pub(super) seq_crc: u32,
    /// The latest time in any record, at least 0.
    pub(super) at_us: i64,
    /// Records that are not void.
    pub(super) live: u64,
    /// Records that say they have a partner in the other half, and the last such sequence.
    pub(super) paired: u64,
    pub(super) last_paired: u64,
}

impl Place {
    pub(super) fn is_after(&self, segment: u64) -> bool {
        segment < self.segment
    }
}

/// A journal, read and checked.
#[derive(Clone, Debug, Default)]
pub(super) struct Scan {
    pub(super) segments: Vec<Segment>,
    /// Where reading began; records before it were neither read nor checked.
    pub(super) from: Place,
    /// Where the journal, or what was asked for of it, ends.
    pub(super) end: Place,
    /// The last records that are not void, the latest at the back.
    pub(super) recent: VecDeque<Seen>,
    /// Records that were read and found void, or that the caller knows of.
    pub(super) orphans: Vec<Seen>,
    pub(super) torn: Option<Torn>,
    /// Checksum of the live record asked for.
    pub(super) crc_at: Option<u32>,
    /// How many live records there are up to that one; up to where reading began, where it was not seen.
    pub(super) live_at: u64,
    /// Bytes of records and of the room behind them that were read.
    pub(super) read_bytes: u64,
    /// The timeline of the last segment; 0 when there is none.
    pub(super) timeline: u32,
    void: HashSet<(u64, u64)>,
}

impl Seen {
    /// Where it lies below a journal's folder.
    pub(super) fn path(&self, dir: &Path) -> PathBuf {
        segment_path(dir, self.segment)
    }
}

impl Scan {
    /// The last segment, or where the first one would be.
    pub(super) fn last_file(&self, dir: &Path) -> PathBuf {
        self.segments.last().map_or_else(|| segment_path(dir, 1), |segment| segment.path.clone())
    }

    /// Takes the records of `from` and later back.
    fn void(&mut self, from: u64) -> bool {
        while let Some(seen) = self.recent.pop_back_if(|seen| seen.meta.seq >= from) {
            self.orphans.push(seen);
            self.void.insert((seen.segment, seen.offset));
            self.end.live = self.end.live.saturating_sub(1);
        }
        let last = self.recent.back();
        self.end.seq = last.map_or(0, |seen| seen.meta.seq);
        self.end.seq_crc = last.map_or(0, |seen| seen.crc);
        // All that is remembered was voided, yet more came before: that is no crash's doing.
        last.is_some() || self.end.live == 0
    }

    fn see(
        &mut self,
        record: &Record<'_>,
        segment: u64,
        offset: u64,
        want_seq: u64,
    ) -> Result<(), &'static str> {
        self.end.at_us = self.end.at_us.max(record.meta.at_us);
        if let Some(from) = record.void_from() {
            return if self.void(from) {
                Ok(())
            } else {
                Err("a void record takes back more than one group")
            };
        }
        if record.meta.seq <= self.end.seq {
            return Err("a record's sequence goes back");
        }
        if record.paired {
            self.end.paired = self.end.paired.saturating_add(1);
            self.end.last_paired = record.meta.seq;
        }
        self.end.live = self.end.live.saturating_add(1);
        if record.meta.seq == want_seq {
            (self.crc_at, self.live_at) = (Some(record.crc), self.end.live);
        }
        (self.end.seq, self.end.seq_crc) = (record.meta.seq, record.crc);
        self.recent.push_back(Seen { meta: record.meta, crc: record.crc, segment, offset });
        if self.recent.len() > RECENT_MAX {
            self.recent.pop_front();
        }
        Ok(())
    }
}

/// What of a journal is read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part {
    /// Where reading begins.
    pub(super) from: Place,
    /// Where it ends; `None`: with the journal. A committer may be writing behind it.
    pub(super) to: Option<Place>,
    /// The record whose checksum is wanted.
    pub(super) want_seq: u64,
}

/// Reads `part` of the journal of `half` in `dir`.
pub(super) fn scan(dir: &Path, half: Half, part: Part) -> Result<Scan, OpenError> {
    let Part { from, to, want_seq } = part;
    let mut found = Scan { segments: list(dir)?, from, end: from, live_at: from.live, ..Scan::default() };
    found.segments.retain(|segment| to.is_none_or(|to| segment.number <= to.segment));
    if from.seq > 0 {
        let meta = Meta { seq: from.seq, at_us: from.at_us };
        found.recent.push_back(Seen { meta, crc: from.seq_crc, segment: 0, offset: 0 });
        found.crc_at = (from.seq == want_seq).then_some(from.seq_crc);
    }
    let count = found.segments.len();
    for index in 0..count {
        let Some(segment) = found.segments.get(index).cloned() else { break };
        let mut read = Bytes::begin(&segment, from, to)?;
        let chain = (segment.number > from.segment).then_some(found.end.chain);
        let header = header(&segment, &read.header, half, chain)?;
        if header.timeline < found.timeline {
            return Err(damaged(
                &segment.path,
                0,
                "the segment is of an earlier timeline than the one before it",
            ));
        }
        found.timeline = header.timeline;
        if let Some(known) = found.segments.get_mut(index) {
            known.first_seq = header.first_seq;
        }
        if from.is_after(segment.number) {
            continue;
        }
        let mut chain = if segment.number > from.segment { header.chain() } else { from.chain };
        let tail = walk(&segment, &mut read, &mut chain, &mut |record, offset| {
            let seen = found.see(record, segment.number, offset, want_seq);
            seen.map_err(|what| damaged(&segment.path, offset, what))
        })?;
        found.read_bytes = found.read_bytes.saturating_add(read.read_bytes);
        (found.end.segment, found.end.offset, found.end.chain) = (segment.number, tail.end, chain);
        if tail.torn_bytes > 0 {
            // What is read up to a place was committed up to there: no crash left that end.
            let goes_on = match to {
                Some(_) => Some("a record is not whole, and what was committed goes on behind it"),
                None => (index.saturating_add(1) < count)
                    .then_some("a record is not whole, and a later segment follows"),
            };
            if let Some(what) = goes_on {
                return Err(damaged(&segment.path, tail.end, what));
            }
            found.torn = Some(Torn { file: segment.path, offset: tail.end, bytes: tail.torn_bytes });
        }
    }
    Ok(found)
}

/// Where a record ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    pub(super) segment: u64,
    pub(super) offset: u64,
    /// What the next record carries on, if it lies in the same segment.
    pub(super) chain: u32,
}

/// Reads the live records after sequence `after` once more, in order; none before [`Scan::from`]. `visit` is told where each
/// ends.
pub(super) fn replay(
    found: &Scan,
    after: u64,
    visit: &mut dyn FnMut(&Record<'_>, End) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    for (index, segment) in found.segments.iter().enumerate() {
        let next = found.segments.get(index.saturating_add(1));
        if found.from.is_after(segment.number) || next.is_some_and(|next| next.first_seq <= after) {
            continue;
        }
        let mut read = Bytes::begin(segment, found.from, Some(found.end))?;
        let mut chain = match SegmentHeader::parse(&read.header) {
            Ok(header) if segment.number != found.from.segment => header.chain(),
            Ok(_) | Err(_) => found.from.chain,
        };
        walk(segment, &mut read, &mut chain, &mut |record, offset| {
            let void = record.void_from().is_some() || found.void.contains(&(segment.number, offset));
            if void || record.meta.seq <= after {
                return Ok(());
            }
            let offset = offset.saturating_add(to_u64(record.bytes()));
            visit(record, End { segment: segment.number, offset, chain: record.crc })
        })?;
    }
    Ok(())
}
