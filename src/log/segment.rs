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

/// How much of a segment is read at once: the longest record fits in.
const WINDOW_BYTES: u64 = 2 << 20;

/// What was read of a segment: its header, and its records from `base` on; once [`walk`] reads them part by part, the last part.
pub(super) struct Bytes {
    pub(super) header: Vec<u8>,
    pub(super) base: u64,
    pub(super) records: Vec<u8>,
    /// Bytes of records, and of the room behind them, that were read.
    pub(super) read_bytes: u64,
    /// What is still to be read.
    rest: Option<io::Take<File>>,
}

impl Bytes {
    /// Reads the header, and the records between the two places as far as they lie in this segment.
    pub(super) fn read(segment: &Segment, from: Place, to: Option<Place>) -> Result<Self, OpenError> {
        let mut bytes = Self::begin(segment, from, to)?;
        bytes.fill(u64::MAX).map_err(io_error("read", &segment.path))?;
        bytes.rest = None;
        Ok(bytes)
    }

    /// As [`Bytes::read`], but [`walk`] reads the records, each part as it comes to it.
    pub(super) fn begin(segment: &Segment, from: Place, to: Option<Place>) -> Result<Self, OpenError> {
        let header_bytes = to_u64(SEGMENT_HEADER_BYTES);
        let base = if from.segment == segment.number { from.offset.max(header_bytes) } else { header_bytes };
        let until = match to {
            Some(to) if to.segment == segment.number => to.offset,
            Some(_) | None => u64::MAX,
        };
        let wanted = if from.is_after(segment.number) { 0 } else { until.saturating_sub(base) };
        let mut header = Vec::new();
        let mut open = || {
            let mut file = File::open(&segment.path)?;
            io::Read::by_ref(&mut file).take(header_bytes).read_to_end(&mut header)?;
            file.seek(SeekFrom::Start(base))?;
            Ok(file.take(wanted))
        };
        let rest = open().map_err(io_error("read", &segment.path))?;
        Ok(Self { header, base, records: Vec::new(), read_bytes: 0, rest: Some(rest) })
    }

    /// Reads at most so many bytes more; gives how many there were.
    fn fill(&mut self, bytes: u64) -> io::Result<usize> {
        let Some(rest) = &mut self.rest else { return Ok(0) };
        let count = rest.take(bytes).read_to_end(&mut self.records)?;
        self.read_bytes = self.read_bytes.saturating_add(to_u64(count));
        Ok(count)
    }

    /// Reads more, in the place of what lies before `at`, which is done with; whether there was any.
    fn more(&mut self, at: &mut usize) -> io::Result<bool> {
        if self.rest.is_none() {
            return Ok(false);
        }
        self.records.drain(..(*at).min(self.records.len()));
        self.base = self.base.saturating_add(to_u64(*at));
        *at = 0;
        Ok(self.fill(WINDOW_BYTES)? > 0)
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
    read: &mut Bytes,
    chain: &mut u32,
    visit: &mut dyn FnMut(&Record<'_>, u64) -> Result<(), OpenError>,
) -> Result<Tail, OpenError> {
    let mut at: usize = 0;
    loop {
        let offset = read.base.saturating_add(to_u64(at));
        let Some(record) = parse(read.records.get(at..).unwrap_or_default()) else {
            // It may go on in what was not read yet.
            if read.more(&mut at).map_err(io_error("read", &segment.path))? {
                continue;
            }
            return tail(segment, &read.records, at, offset);
        };
        if record.last_crc != *chain {
            return Err(damaged(&segment.path, offset, "a record does not follow the one before it"));
        }
        visit(&record, offset)?;
        *chain = record.crc;
        at = at.saturating_add(record.bytes());
    }
}

/// Judges what lies from `at` on, where no whole record is.
fn tail(segment: &Segment, bytes: &[u8], at: usize, offset: u64) -> Result<Tail, OpenError> {
    let torn = before_zeros(bytes.get(at..).unwrap_or_default());
    let upto = bytes.get(..at.saturating_add(torn)).unwrap_or(bytes);
    if has_follower(upto, at.saturating_add(1)) {
        let what = "a record does not match its checksum, and whole records follow it";
        return Err(damaged(&segment.path, offset, what));
    }
    Ok(Tail { end: offset, torn_bytes: to_u64(torn) })
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

#[cfg(test)]
mod tests {
    use super::super::Meta;
    use super::super::record::{Kind, NewRecord, PAYLOAD_BYTES_MAX};
    use super::*;
    use proptest::prelude::*;

    /// What a walk comes to.
    #[derive(Debug, PartialEq)]
    struct Walked {
        /// Each record's sequence and where it begins.
        seen: Vec<(u64, u64)>,
        /// Where it ends and what is torn, or what is wrong.
        end: Result<(u64, u64), String>,
        read_bytes: u64,
    }

    impl Walked {
        fn of(segment: &Segment, mut read: Bytes) -> Self {
            let (mut seen, mut chain) = (Vec::new(), 0);
            let tail = walk(segment, &mut read, &mut chain, &mut |record, offset| {
                seen.push((record.meta.seq, offset));
                Ok(())
            });
            let end = tail.map(|tail| (tail.end, tail.torn_bytes)).map_err(|error| error.to_string());
            Self { seen, end, read_bytes: read.read_bytes }
        }
    }

    /// The first segment with records of these lengths, without its header, and where each ends in the file.
    fn records(lengths: &[usize]) -> (Vec<u8>, Vec<u64>) {
        let (mut bytes, mut chain, mut ends) = (Vec::new(), 0, Vec::new());
        for (len, seq) in lengths.iter().zip(1..) {
            let (meta, payload) = (Meta { seq, at_us: 0 }, vec![7; *len]);
            let record = NewRecord { meta, kind: Kind::Events, paired: false, payload: &payload };
            // Each is written for itself, so that it can be known again behind damage.
            let mut own = Vec::new();
            chain = record.write(chain, &mut own).unwrap();
            bytes.extend(own);
            ends.push(to_u64(SEGMENT_HEADER_BYTES.saturating_add(bytes.len())));
        }
        (bytes, ends)
    }

    fn write(folder: &Path, records: &[u8]) -> Segment {
        let header = SegmentHeader { half: Half::Neutral, timeline: 1, number: 1, first_seq: 1, last_crc: 0 };
        let segment = Segment::at(folder, 1);
        fs::write(&segment.path, [header.encode().as_slice(), records].concat()).unwrap();
        segment
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Records longer than a window together, some of them across its ends; whole, torn, damaged or with room behind.
        #[test]
        fn what_is_read_part_by_part_is_what_is_read_at_once(
            lengths in prop::collection::vec(0..=PAYLOAD_BYTES_MAX, 1..10),
            harm in prop::option::of(any::<prop::sample::Index>()),
            cut in prop::option::of(any::<prop::sample::Index>()),
            room in 0..3_000_000_usize,
            upto in any::<prop::sample::Index>(),
        ) {
            let (mut bytes, ends) = records(&lengths);
            if let Some(harm) = harm {
                let at = harm.index(bytes.len());
                bytes[at] ^= 1;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            bytes.extend(vec![0; room]);
            let folder = tempfile::tempdir().unwrap();
            let segment = write(folder.path(), &bytes);
            let offset = ends[upto.index(ends.len())];
            for to in [None, Some(Place { segment: 1, offset, ..Place::default() })] {
                let whole = Bytes::read(&segment, Place::default(), to).unwrap();
                let begun = Bytes::begin(&segment, Place::default(), to).unwrap();
                prop_assert_eq!(Walked::of(&segment, begun), Walked::of(&segment, whole));
            }
        }
    }

    #[test]
    fn damage_is_told_from_a_torn_end_however_far_away_the_next_whole_record_is() {
        let folder = tempfile::tempdir().unwrap();
        let (mut bytes, _) = records(&[PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MAX, 1]);
        let whole = bytes.len();
        for harmed in [0, PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MAX.saturating_mul(2)] {
            bytes[harmed.saturating_add(200)] ^= 1;
        }
        let walked = |bytes: &[u8]| {
            let segment = write(folder.path(), bytes);
            Walked::of(&segment, Bytes::begin(&segment, Place::default(), None).unwrap()).end
        };
        let end = walked(&bytes);
        assert!(end.as_ref().is_err_and(|what| what.contains("whole records follow it")), "{end:?}");
        let torn = whole.saturating_sub(2);
        assert_eq!(walked(&bytes[..torn]), Ok((to_u64(SEGMENT_HEADER_BYTES), to_u64(torn))));
    }

    #[test]
    fn a_walk_holds_a_window_and_not_the_segment() {
        let (bytes, ends) = records(&[100_000; 100]);
        let folder = tempfile::tempdir().unwrap();
        let segment = write(folder.path(), &bytes);
        let mut read = Bytes::begin(&segment, Place::default(), None).unwrap();
        let end = walk(&segment, &mut read, &mut 0, &mut |_, _| Ok(())).unwrap().end;
        assert_eq!(end, *ends.last().unwrap());
        let window = usize::try_from(WINDOW_BYTES).unwrap();
        assert!(
            read.records.capacity() < window.saturating_mul(3),
            "{} bytes are held",
            read.records.capacity()
        );
    }
}
