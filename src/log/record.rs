//! The bytes of a segment: its header and its records. Pure; opens nothing.
//!
//! All numbers are little-endian. A segment is one header, records end to end, then zeros:
//!
//! ```text
//! segment header, 64 bytes
//!  0        8      10    11   12        16       24         32        36          60
//!  +--------+------+-----+----+---------+--------+----------+---------+-----------+-----+
//!  |"JOURNAL|format| half| 0  |timeline | number |first seq |crc of   | zeros     | crc |
//!  |     \0"| u16  | u8  | u8 | u32     | u64    | u64      |last rec.| 24        | u32 |
//!  +--------+------+-----+----+---------+--------+----------+---------+-----------+-----+
//!
//! record, 36 + n bytes: one transaction's events of one half
//!  0     4     8      16      24    25     26     27  28        32                32+n
//!  +-----+-----+------+-------+-----+------+------+---+---------+-----------------+-----+
//!  |"FjR1| n   | seq  | at_us | kind|paired|begins| 0 |crc of   | payload, n      | crc |
//!  |    "| u32 | u64  | i64   | u8  | u8   | u8   |   |last rec.| bytes           | u32 |
//!  +-----+-----+------+-------+-----+------+------+---+---------+-----------------+-----+
//!
//! payload of kind 1 (events): for each event   | length u32 | bytes |
//! payload of kind 2 (void):                    | from seq u64 |
//! ```
//!
//! A record's crc covers its bytes before it, so also the crc of the record before: the records are a chain, and
//! a segment's header carries the chain over from the segment before, mixed with the timeline: a record of one timeline
//! follows none of another. `paired` (neutral half only) is 1 when the
//! personal journal holds a record of the same sequence. `begins` is 1 for the first record of what was written and synced
//! at once: before it was written, everything before it had been synced. A void record says that every record *before* it with
//! that sequence or a later one is an orphan: it was never committed and is never folded.

use super::{Half, Meta};

/// Bytes of a segment's header.
pub(super) const SEGMENT_HEADER_BYTES: usize = 64;
/// Bytes of a record around its payload: header 32, checksum 4.
pub(super) const RECORD_FRAME_BYTES: usize = 36;
/// The format this code writes and the only one it reads.
pub(super) const FORMAT: u16 = 2;
/// The timeline of a journal that was never restored to an earlier point.
pub(super) const TIMELINE_FIRST: u32 = 1;
/// The most payload one record may hold: one transaction's events of one half, each with its 4 byte length.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;

const SEGMENT_MAGIC: [u8; 8] = *b"JOURNAL\0";
pub(super) const RECORD_MAGIC: [u8; 4] = *b"FjR1";
const RECORD_HEADER_BYTES: usize = 32;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A transaction's events.
    Events,
    /// Earlier records of the sequence in the payload, and later ones, are void.
    Void,
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Self::Events => 1,
            Self::Void => 2,
        }
    }
}

/// One record as it lies in a segment.
#[derive(Clone, Copy)]
pub(super) struct Record<'b> {
    pub(super) meta: Meta,
    pub(super) kind: Kind,
    pub(super) paired: bool,
    /// Everything before it was on the disk when it was written.
    pub(super) begins: bool,
    pub(super) last_crc: u32,
    pub(super) payload: &'b [u8],
    pub(super) crc: u32,
}

impl Record<'_> {
    /// Length of the whole record.
    pub(super) fn bytes(&self) -> usize {
        self.payload.len().saturating_add(RECORD_FRAME_BYTES)
    }

    /// The sequence a void record starts at; `None` for other records.
    pub(super) fn void_from(&self) -> Option<u64> {
        match self.kind {
            Kind::Void => Some(u64::from_le_bytes(array(self.payload, 0)?)),
            Kind::Events => None,
        }
    }
}

/// A record to be written.
#[derive(Clone, Copy)]
pub(super) struct NewRecord<'b> {
    pub(super) meta: Meta,
    pub(super) kind: Kind,
    pub(super) paired: bool,
    pub(super) payload: &'b [u8],
}

impl NewRecord<'_> {
    /// Length once written.
    pub(super) fn bytes(&self) -> usize {
        self.payload.len().saturating_add(RECORD_FRAME_BYTES)
    }

    /// Appends the record to `out`, what will be written at once, and gives its checksum. `None` when the payload is longer than [`PAYLOAD_BYTES_MAX`].
    pub(super) fn write(&self, last_crc: u32, out: &mut Vec<u8>) -> Option<u32> {
        let len =
            u32::try_from(self.payload.len()).ok().filter(|_| self.payload.len() <= PAYLOAD_BYTES_MAX)?;
        let start = out.len();
        out.extend_from_slice(&RECORD_MAGIC);
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&self.meta.seq.to_le_bytes());
        out.extend_from_slice(&self.meta.at_us.to_le_bytes());
        out.extend_from_slice(&[self.kind.byte(), u8::from(self.paired), u8::from(start == 0), 0]);
        out.extend_from_slice(&last_crc.to_le_bytes());
        out.extend_from_slice(self.payload);
        let crc = crc32fast::hash(out.get(start..)?);
        out.extend_from_slice(&crc.to_le_bytes());
        Some(crc)
    }
}

/// Reads the record at the start of `bytes` if it is whole and its own checksum holds. Whether it
/// continues the chain is the caller's to compare.
pub(super) fn parse(bytes: &[u8]) -> Option<Record<'_>> {
    if array::<4>(bytes, 0)? != RECORD_MAGIC {
        return None;
    }
    let len = usize::try_from(u32::from_le_bytes(array(bytes, 4)?)).ok()?;
    if len > PAYLOAD_BYTES_MAX {
        return None;
    }
    let payload_end = RECORD_HEADER_BYTES.checked_add(len)?;
    let crc = u32::from_le_bytes(array(bytes, payload_end)?);
    if crc32fast::hash(bytes.get(..payload_end)?) != crc {
        return None;
    }
    let [kind, paired, begins @ (0 | 1), 0] = array::<4>(bytes, 24)? else { return None };
    let kind = match kind {
        1 => Kind::Events,
        2 => Kind::Void,
        _ => return None,
    };
    Some(Record {
        meta: Meta {
            seq: u64::from_le_bytes(array(bytes, 8)?),
            at_us: i64::from_le_bytes(array(bytes, 16)?),
        },
        kind,
        paired: paired == 1,
        begins: begins == 1,
        last_crc: u32::from_le_bytes(array(bytes, 28)?),
        payload: bytes.get(RECORD_HEADER_BYTES..payload_end)?,
        crc,
    })
}

/// Whether `bytes` hold, anywhere from `from` on, a whole record chained to the bytes before it that begins a write: then
/// what lies before had been synced, and is damage in the middle, not a torn tail. A follower that begins none says
/// nothing: a disk may keep the later sectors of a write and lose the first. Records lie end to end, so a true follower
/// repeats the four bytes that stand right before it.
pub(super) fn has_follower(bytes: &[u8], from: usize) -> bool {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.windows(RECORD_MAGIC.len()).enumerate().filter(|(_, at)| *at == RECORD_MAGIC).any(|(skip, _)| {
        let at = from.saturating_add(skip);
        let before = at.checked_sub(4).and_then(|before| array(bytes, before)).map(u32::from_le_bytes);
        let found = bytes.get(at..).and_then(parse);
        found.is_some_and(|record| record.begins && Some(record.last_crc) == before)
    })
}

/// Every record that is whole by itself and begins in the first `begin` bytes, and where; also where what lies before it is not.
pub(super) fn whole_records(bytes: &[u8], begin: usize) -> impl Iterator<Item = (usize, Record<'_>)> {
    let begins = bytes
        .get(..begin)
        .unwrap_or(bytes)
        .windows(RECORD_MAGIC.len())
        .enumerate()
        .filter(|(_, at)| *at == RECORD_MAGIC);
    begins.filter_map(|(at, _)| Some((at, parse(bytes.get(at..)?)?)))
}

/// Appends one event to a payload. `false`, and nothing appended, when it would grow over [`PAYLOAD_BYTES_MAX`].
pub(super) fn push_event(payload: &mut Vec<u8>, event: &[u8]) -> bool {
    let whole = payload.len().saturating_add(event.len()).saturating_add(4);
    let Some(len) = u32::try_from(event.len()).ok().filter(|_| whole <= PAYLOAD_BYTES_MAX) else {
        return false;
    };
    payload.extend_from_slice(&len.to_le_bytes());
    payload.extend_from_slice(event);
    true
}

/// The events of a payload in order; `None` in place of one whose length is wrong, and then the end.
pub(super) fn events(payload: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    let mut rest = Some(payload).filter(|all| !all.is_empty());
    std::iter::from_fn(move || {
        let bytes = rest.take()?;
        let cut = array(bytes, 0).map(u32::from_le_bytes).and_then(|len| {
            let end = usize::try_from(len).ok()?.checked_add(4)?;
            Some((bytes.get(4..end)?, bytes.get(end..)?))
        });
        rest = cut.map(|(_, after)| after).filter(|after| !after.is_empty());
        Some(cut.map(|(event, _)| event))
    })
}

/// A segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) half: Half,
    pub(super) timeline: u32,
    pub(super) number: u64,
    pub(super) first_seq: u64,
    pub(super) last_crc: u32,
}

impl SegmentHeader {
    /// What the segment's first record has for the checksum of the one before it: that checksum on the first timeline, and
    /// on each later one another value.
    pub(super) fn chain(&self) -> u32 {
        self.last_crc ^ self.timeline.saturating_sub(TIMELINE_FIRST)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SEGMENT_HEADER_BYTES);
        out.extend_from_slice(&SEGMENT_MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&[self.half.byte(), 0]);
        out.extend_from_slice(&self.timeline.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.first_seq.to_le_bytes());
        out.extend_from_slice(&self.last_crc.to_le_bytes());
        out.extend_from_slice(&[0; 24]);
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a header; the error says what is wrong with it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        Self::fields(bytes).unwrap_or(Err(HeaderError::Short))
    }

    fn fields(bytes: &[u8]) -> Option<Result<Self, HeaderError>> {
        let header = bytes.get(..SEGMENT_HEADER_BYTES)?;
        let covered = header.get(..SEGMENT_HEADER_BYTES.checked_sub(4)?)?;
        if array::<8>(header, 0)? != SEGMENT_MAGIC {
            return Some(Err(HeaderError::Magic));
        }
        if crc32fast::hash(covered) != u32::from_le_bytes(array(header, 60)?) {
            return Some(Err(HeaderError::Checksum));
        }
        let format = u16::from_le_bytes(array(header, 8)?);
        if format != FORMAT {
            return Some(Err(HeaderError::Format(format)));
        }
        let half = match array::<1>(header, 10)? {
            [0] => Half::Personal,
            [1] => Half::Neutral,
            _ => return Some(Err(HeaderError::Checksum)),
        };
        Some(Ok(Self {
            half,
            timeline: u32::from_le_bytes(array(header, 12)?),
            number: u64::from_le_bytes(array(header, 16)?),
            first_seq: u64::from_le_bytes(array(header, 24)?),
            last_crc: u32::from_le_bytes(array(header, 32)?),
        }))
    }
}

/// What is wrong with a segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderError {
    Short,
    Magic,
    Checksum,
    Format(u16),
}

/// `N` bytes of `bytes` from `at` on, if there are so many.
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(payload: &[u8], last_crc: u32) -> Vec<u8> {
        let meta = Meta { seq: 7, at_us: -5 };
        let mut out = Vec::new();
        NewRecord { meta, kind: Kind::Events, paired: true, payload }.write(last_crc, &mut out).unwrap();
        out
    }

    #[test]
    fn any_flipped_bit_of_a_record_is_seen() {
        let whole = record(b"what happened", 99);
        let read = parse(&whole).unwrap();
        assert_eq!((read.meta.seq, read.meta.at_us, read.paired, read.last_crc), (7, -5, true, 99));
        assert_eq!((read.payload, read.bytes()), (&b"what happened"[..], whole.len()));
        for bit in 0..whole.len() * 8 {
            let mut bad = whole.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(parse(&bad).is_none(), "bit {bit}");
        }
        for cut in 0..whole.len() {
            assert!(parse(&whole[..cut]).is_none(), "cut at {cut}");
        }
    }

    #[test]
    fn any_flipped_bit_of_a_header_is_seen() {
        let header =
            SegmentHeader { half: Half::Neutral, timeline: 1, number: 3, first_seq: 40, last_crc: 8 };
        let whole = header.encode();
        assert_eq!(SegmentHeader::parse(&whole), Ok(header));
        for bit in 0..whole.len() * 8 {
            let mut bad = whole.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::parse(&bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_follower_is_one_that_chains_to_what_stands_before_it() {
        let first = record(b"a", 0);
        let crc = u32::from_le_bytes(array(&first, first.len() - 4).unwrap());
        let mut two = first.clone();
        two.extend(record(b"b", crc));
        assert!(has_follower(&two, 1));
        assert!(!has_follower(&first, 1));
        let mut inner = record(&record(b"a record as a payload", 5), 0);
        inner[0] ^= 1;
        assert!(!has_follower(&inner, 1), "what a payload quotes does not chain");
    }

    #[test]
    fn a_record_of_the_same_write_is_no_follower() {
        let mut write = Vec::new();
        let mut crc = 0;
        for payload in [b"a", b"b", b"c"] {
            let meta = Meta { seq: 7, at_us: 0 };
            let record = NewRecord { meta, kind: Kind::Events, paired: false, payload };
            crc = record.write(crc, &mut write).unwrap();
        }
        // The disk lost the beginning of the write and kept the rest.
        write[0] ^= 1;
        assert!(!has_follower(&write, 1));
        write.extend(record(b"of the next write", crc));
        assert!(has_follower(&write, 1));
    }

    #[test]
    fn a_payload_over_the_limit_is_refused() {
        let mut payload = Vec::new();
        assert!(!push_event(&mut payload, &vec![0; PAYLOAD_BYTES_MAX]));
        assert!(payload.is_empty());
        assert!(push_event(&mut payload, &vec![0; PAYLOAD_BYTES_MAX - 4]));
        assert!(!push_event(&mut payload, b""));
    }

    proptest! {
        #[test]
        fn events_round_trip(list in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)) {
            let mut payload = Vec::new();
            for event in &list {
                prop_assert!(push_event(&mut payload, event));
            }
            let read: Vec<_> = events(&payload).map(|event| event.unwrap().to_vec()).collect();
            prop_assert_eq!(read, list);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let ends = events(&bytes).filter(Option::is_none).count();
            prop_assert!(ends <= 1);
            prop_assert!(parse(&bytes).is_none());
            prop_assert!(SegmentHeader::parse(&bytes).is_err());
            prop_assert!(!has_follower(&bytes, 0));
        }
    }
}
