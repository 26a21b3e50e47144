//! Reads a half's journal and changes nothing: checks every record and the chain, and says where it ends.

use super::files::io_error;
use super::record::{
    FORMAT, HeaderError, Record, SEGMENT_HEADER_BYTES, SegmentHeader, TIMELINE_FIRST, has_follower, parse,
};
use super::{GROUP_MAX, Half, Meta, OpenError, Orphan, Torn};
use std::collections::{HashSet, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Records kept in mind while reading, so that a void can take back the last group.
const RECENT_MAX: usize = GROUP_MAX + 1;

/// One segment file.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) first_seq: u64,
}

/// A live record as a scan remembers it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) meta: Meta,
    pub(super) crc: u32,
    segment: u64,
    offset: u64,
}

/// A journal, read and checked.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) segments: Vec<Segment>,
    /// Where the next record goes in the last segment.
    pub(super) end: u64,
    /// The last record's checksum, whatever it was.
    pub(super) chain: u32,
    /// The latest time in any record.
    pub(super) last_at_us: Option<i64>,
    /// The last records that are not void, the latest at the back.
    pub(super) recent: VecDeque<Seen>,
    /// Records that are not void.
    pub(super) live: u64,
    /// Records that say they have a partner in the other half, and the last such sequence.
    pub(super) paired: u64,
    pub(super) last_paired: u64,
    pub(super) orphans: Vec<Orphan>,
    pub(super) torn: Option<Torn>,
    /// Checksum of the live record asked for.
    pub(super) crc_at: Option<u32>,
    void: HashSet<(u64, u64)>,
}

impl Scan {
    /// The last sequence that is not void; 0 when there is none.
    pub(super) fn last_seq(&self) -> u64 {
        self.recent.back().map_or(0, |seen| seen.meta.seq)
    }

    /// The last segment, or where the first one would be.
    pub(super) fn last_file(&self, dir: &Path) -> PathBuf {
        self.segments.last().map_or_else(|| segment_path(dir, 1), |segment| segment.path.clone())
    }

    /// Takes the records of `from` and later back.
    fn void(&mut self, from: u64) -> bool {
        while let Some(seen) = self.recent.pop_back_if(|seen| seen.meta.seq >= from) {
            let file = self.segments.iter().find(|segment| segment.number == seen.segment);
            let file = file.map(|segment| segment.path.clone()).unwrap_or_default();
            self.orphans.push(Orphan { meta: seen.meta, file, offset: seen.offset });
            self.void.insert((seen.segment, seen.offset));
            self.live = self.live.saturating_sub(1);
        }
        // All that is remembered was voided, yet more came before: that is no crash's doing.
        !self.recent.is_empty() || self.live == 0
    }

    fn see(
        &mut self,
        record: &Record<'_>,
        segment: u64,
        offset: u64,
        want_seq: u64,
    ) -> Result<(), &'static str> {
        self.last_at_us = self.last_at_us.max(Some(record.meta.at_us));
        if let Some(from) = record.void_from() {
            return if self.void(from) {
                Ok(())
            } else {
                Err("a void record takes back more than one group")
            };
        }
        if record.meta.seq <= self.last_seq() {
            return Err("a record's sequence goes back");
        }
        if record.meta.seq == want_seq {
            self.crc_at = Some(record.crc);
        }
        if record.paired {
            self.paired = self.paired.saturating_add(1);
            self.last_paired = record.meta.seq;
        }
        self.live = self.live.saturating_add(1);
        self.recent.push_back(Seen { meta: record.meta, crc: record.crc, segment, offset });
        if self.recent.len() > RECENT_MAX {
            self.recent.pop_front();
        }
        Ok(())
    }
}

/// Reads the journal of `half` in `dir`; `want_seq` is the record whose checksum is wanted.
pub(super) fn scan(dir: &Path, half: Half, want_seq: u64) -> Result<Scan, OpenError> {
    let mut found = Scan { segments: list(dir)?, ..Scan::default() };
    let count = found.segments.len();
    for index in 0..count {
        let Some(segment) = found.segments.get(index).cloned() else { break };
        let bytes = fs::read(&segment.path).map_err(io_error("read", &segment.path))?;
        let header = header(&segment, &bytes, half, found.chain)?;
        if let Some(known) = found.segments.get_mut(index) {
            known.first_seq = header.first_seq;
        }
        let mut chain = found.chain;
        let tail = walk(&segment, &bytes, &mut chain, &mut |record, offset| {
            let seen = found.see(record, segment.number, offset, want_seq);
            seen.map_err(|what| damaged(&segment.path, offset, what))
        })?;
        found.chain = chain;
        found.end = tail.end;
        if tail.torn_bytes > 0 {
            let is_last = index.saturating_add(1) == count;
            if !is_last {
                return Err(damaged(
                    &segment.path,
                    tail.end,
                    "a record is not whole, and a later segment follows",
                ));
            }
            found.torn = Some(Torn { file: segment.path, offset: tail.end, bytes: tail.torn_bytes });
        }
    }
    Ok(found)
}

/// Reads the live records after sequence `after` once more, in order.
pub(super) fn replay(
    found: &Scan,
    after: u64,
    visit: &mut dyn FnMut(&Record<'_>) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    for (index, segment) in found.segments.iter().enumerate() {
        let next = found.segments.get(index.saturating_add(1));
        if next.is_some_and(|next| next.first_seq <= after) {
            continue;
        }
        let bytes = fs::read(&segment.path).map_err(io_error("read", &segment.path))?;
        let mut chain = SegmentHeader::parse(&bytes).map(|header| header.last_crc).unwrap_or_default();
        walk(segment, &bytes, &mut chain, &mut |record, offset| {
            let void = record.void_from().is_some() || found.void.contains(&(segment.number, offset));
            if void || record.meta.seq <= after { Ok(()) } else { visit(record) }
        })?;
    }
    Ok(())
}

/// The name of a segment.
pub(super) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:08}.seg"))
}

pub(super) fn damaged(file: &Path, offset: u64, what: impl Into<String>) -> OpenError {
    OpenError::Damaged { file: file.to_path_buf(), offset, what: what.into() }
}

/// The segments in order; none may be missing in between.
fn list(dir: &Path) -> Result<Vec<Segment>, OpenError> {
    let mut numbers = Vec::new();
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error("read", dir)(error)),
    };
    for entry in entries {
        let name = entry.map_err(io_error("read", dir))?.file_name();
        let number: Option<u64> = name.to_str().and_then(|name| name.strip_suffix(".seg")?.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    let mut segments = Vec::new();
    for (number, want) in numbers.into_iter().zip(1..) {
        if number != want {
            return Err(damaged(&segment_path(dir, want), 0, "this segment is missing"));
        }
        segments.push(Segment { number, path: segment_path(dir, number), first_seq: 0 });
    }
    Ok(segments)
}

fn header(segment: &Segment, bytes: &[u8], half: Half, chain: u32) -> Result<SegmentHeader, OpenError> {
    let file = &segment.path;
    let header = SegmentHeader::parse(bytes).map_err(|error| match error {
        HeaderError::Format(found) => OpenError::Format { file: file.clone(), found, known: FORMAT },
        HeaderError::Short => damaged(file, 0, "the segment's header is cut short"),
        HeaderError::Magic => damaged(file, 0, "this is not a segment of a journal"),
        HeaderError::Checksum => damaged(file, 0, "the segment's header does not match its checksum"),
    })?;
    let what = if header.half != half {
        "the segment belongs to the other half"
    } else if header.number != segment.number || header.timeline != TIMELINE_FIRST {
        "the segment's name and its header do not agree"
    } else if header.last_crc != chain {
        "the segment does not follow the one before: records are missing between them"
    } else {
        return Ok(header);
    };
    Err(damaged(file, 0, what))
}

struct Tail {
    end: u64,
    torn_bytes: u64,
}

/// Visits the records of one segment; ends at the zeros behind them, or at what is no record and has none behind it.
fn walk(
    segment: &Segment,
    bytes: &[u8],
    chain: &mut u32,
    visit: &mut dyn FnMut(&Record<'_>, u64) -> Result<(), OpenError>,
) -> Result<Tail, OpenError> {
    let mut at = SEGMENT_HEADER_BYTES;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let offset = to_u64(at);
        match parse(rest) {
            Some(record) if record.last_crc == *chain => {
                visit(&record, offset)?;
                *chain = record.crc;
                at = at.saturating_add(record.bytes());
            }
            Some(_) => {
                return Err(damaged(&segment.path, offset, "a record does not follow the one before it"));
            }
            None => {
                let torn = before_zeros(rest);
                let upto = bytes.get(..at.saturating_add(torn)).unwrap_or(bytes);
                if has_follower(upto, at.saturating_add(1)) {
                    let what = "a record does not match its checksum, and whole records follow it";
                    return Err(damaged(&segment.path, offset, what));
                }
                return Ok(Tail { end: offset, torn_bytes: to_u64(torn) });
            }
        }
    }
}

/// Length of `bytes` without the zeros at their end. By blocks: the room written ahead is large.
fn before_zeros(bytes: &[u8]) -> usize {
    const BLOCK: &[u8] = &[0; 4096];
    let zero_blocks =
        bytes.rchunks(BLOCK.len()).take_while(|block| BLOCK.starts_with(block)).map(<[u8]>::len);
    let rest = bytes.len().saturating_sub(zero_blocks.sum());
    let last = bytes.get(..rest).and_then(|rest| rest.iter().rposition(|byte| *byte != 0));
    last.map_or(0, |last| last.saturating_add(1))
}

pub(super) fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
