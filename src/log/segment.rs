//! One segment file: found by its number, read in part, its chain of records walked. Changes nothing.

use super::files::{io_error, to_u64};
use super::record::{FORMAT, HeaderError, Record, SEGMENT_HEADER_BYTES, SegmentHeader, has_follower, parse};
use super::scan::Place;
use super::{Half, OpenError};
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// One segment file.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) first_seq: u64,
}

impl Segment {
    /// The segment of that number in a journal's folder, its header not looked at.
    pub(super) fn at(dir: &Path, number: u64) -> Self {
        Self { number, path: segment_path(dir, number), first_seq: 0 }
    }
}

/// What was read of a segment: its header, and its records from `base` on.
pub(super) struct Bytes {
    pub(super) header: Vec<u8>,
    pub(super) base: u64,
    pub(super) records: Vec<u8>,
}

impl Bytes {
    /// Reads the header, and the records between the two places as far as they lie in this segment.
    pub(super) fn read(segment: &Segment, from: Place, to: Option<Place>) -> Result<Self, OpenError> {
        let header_bytes = to_u64(SEGMENT_HEADER_BYTES);
        let base = if from.segment == segment.number { from.offset.max(header_bytes) } else { header_bytes };
        let until = match to {
            Some(to) if to.segment == segment.number => to.offset,
            Some(_) | None => u64::MAX,
        };
        let wanted = if from.is_after(segment.number) { 0 } else { until.saturating_sub(base) };
        let (mut header, mut records) = (Vec::new(), Vec::new());
        let mut read = || {
            let mut file = File::open(&segment.path)?;
            io::Read::by_ref(&mut file).take(header_bytes).read_to_end(&mut header)?;
            file.seek(SeekFrom::Start(base))?;
            file.take(wanted).read_to_end(&mut records)
        };
        read().map_err(io_error("read", &segment.path))?;
        Ok(Self { header, base, records })
    }
}

/// The name of a segment.
pub(super) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:08}.seg"))
}

/// The first bytes of a segment, as many as its header has.
pub(super) fn head(path: &Path) -> io::Result<Vec<u8>> {
    let mut header = Vec::new();
    File::open(path)?.take(to_u64(SEGMENT_HEADER_BYTES)).read_to_end(&mut header)?;
    Ok(header)
}

pub(super) fn damaged(file: &Path, offset: u64, what: impl Into<String>) -> OpenError {
    OpenError::Damaged { file: file.to_path_buf(), offset, what: what.into() }
}

/// The segments in order; none may be missing in between.
pub(super) fn list(dir: &Path) -> Result<Vec<Segment>, OpenError> {
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
        segments.push(Segment::at(dir, number));
    }
    Ok(segments)
}

/// Checks a segment's header; against the `chain` before it where that is known.
pub(super) fn header(
    segment: &Segment,
    bytes: &[u8],
    half: Half,
    chain: Option<u32>,
) -> Result<SegmentHeader, OpenError> {
    let file = &segment.path;
    let header = SegmentHeader::parse(bytes).map_err(|error| match error {
        HeaderError::Format(found) => OpenError::Format { file: file.clone(), found, known: FORMAT },
        HeaderError::Short => damaged(file, 0, "the segment's header is cut short"),
        HeaderError::Magic => damaged(file, 0, "this is not a segment of a journal"),
        HeaderError::Checksum => damaged(file, 0, "the segment's header does not match its checksum"),
    })?;
    let what = if header.half != half {
        "the segment belongs to the other half"
    } else if header.number != segment.number {
        "the segment's name and its header do not agree"
    } else if chain.is_some_and(|chain| header.last_crc != chain) {
        "the segment does not follow the one before: records are missing between them"
    } else {
        return Ok(header);
    };
    Err(damaged(file, 0, what))
}

/// Where the whole records of a segment end.
pub(super) struct Tail {
    pub(super) end: u64,
    pub(super) torn_bytes: u64,
}

/// Visits the records of one segment; ends at the zeros behind them, or at what is no record and has none behind it.
pub(super) fn walk(
    segment: &Segment,
    read: &Bytes,
    chain: &mut u32,
    visit: &mut dyn FnMut(&Record<'_>, u64) -> Result<(), OpenError>,
) -> Result<Tail, OpenError> {
    let bytes = &read.records;
    let mut at: usize = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let offset = read.base.saturating_add(to_u64(at));
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
pub(super) fn before_zeros(bytes: &[u8]) -> usize {
    const BLOCK: &[u8] = &[0; 4096];
    let zero_blocks =
        bytes.rchunks(BLOCK.len()).take_while(|block| BLOCK.starts_with(block)).map(<[u8]>::len);
    let rest = bytes.len().saturating_sub(zero_blocks.sum());
    let last = bytes.get(..rest).and_then(|rest| rest.iter().rposition(|byte| *byte != 0));
    last.map_or(0, |last| last.saturating_add(1))
}
