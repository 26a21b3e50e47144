//! Reports of magnetic stripe readers. One report is one swipe.
//!
//! Sources: HID POS Usage Tables 1.02 section 5; MagTek USB HID manual 99875191, "Card data" and "Report descriptor";
//! ID TECH MiniMag II manual, "HID report".

use super::{decode_track, split_tracks, strip_sentinels};
use crate::decode::Assemble;
use crate::decode::hid::{Descriptor, Field, Kind, Usage};
use crate::domain::scan::{Decoded, Origin, RawScan, Rejection};
use crate::domain::time::Uptime;

/// How a reader's report is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// HID page 8E: raw bits of each track.
    Bits,
    /// MagTek's vendor page: text with sentinels, a field for each track.
    MagTek,
    /// ID TECH's: the same head, then a length and all text in one field.
    IdTech,
}

/// The HID usage page of magnetic stripe readers.
const PAGE_MSR: u16 = 0x8e;
/// The vendor page that both MagTek and ID TECH use; the usages make it theirs.
const PAGE_VENDOR: u16 = 0xff00;
/// The shortest packed field: three tracks of ISO length do not fit into less.
const PACKED_BYTES_MIN: usize = 226;
/// The shortest field for one track: track 2 with its sentinels.
const TRACK_BYTES_MIN: usize = 39;

const TRACKS: [u8; 3] = [1, 2, 3];

impl Layout {
    /// The layout that the descriptor says; `None` if this is no magnetic stripe reader.
    #[must_use]
    pub fn find(descriptor: &Descriptor) -> Option<Self> {
        Swipe::new(descriptor).map(|swipe| swipe.layout)
    }
}

/// One value or run of bytes: field by number, first element.
#[derive(Debug, Clone, Copy)]
struct Place {
    field: usize,
    index: usize,
}

/// Reads the swipes of one magnetic stripe reader.
#[derive(Debug)]
pub struct Swipe {
    descriptor: Descriptor,
    layout: Layout,
    report_id: u8,
    status: [Option<Place>; 3],
    lengths: [Place; 3],
    data: Data,
}

/// Where track data lies.
#[derive(Debug, Clone, Copy)]
enum Data {
    Apart([Place; 3]),
    /// Raw bits of all tracks, one after the other.
    PackedBits(Place),
    /// Text; its length stands in the two bytes before it, low byte first.
    PackedText(Place),
}

impl Swipe {
    /// Reads where things lie; `None` if this is no magnetic stripe reader.
    #[must_use]
    pub fn new(descriptor: &Descriptor) -> Option<Self> {
        let tops = descriptor.tops.iter().enumerate();
        let mut found = tops.filter_map(|(top, usage)| match usage.page {
            PAGE_MSR if usage.id == 1 => Self::raw(descriptor, top),
            PAGE_VENDOR => Self::vendor(descriptor, top),
            _ => None,
        });
        found.next()
    }

    fn raw(descriptor: &Descriptor, top: usize) -> Option<Self> {
        let lengths = places(descriptor, top, PAGE_MSR, [0x11, 0x12, 0x13])?;
        let apart = places(descriptor, top, PAGE_MSR, [0x21, 0x22, 0x23]).map(Data::Apart);
        let packed = || place(descriptor, top, Usage::new(PAGE_MSR, 0x20)).map(Data::PackedBits);
        let data = apart.or_else(packed)?;
        Self::build(descriptor, Layout::Bits, [None; 3], lengths, data)
    }

    fn vendor(descriptor: &Descriptor, top: usize) -> Option<Self> {
        let status = places(descriptor, top, PAGE_VENDOR, [0x20, 0x21, 0x22])?.map(Some);
        let lengths = places(descriptor, top, PAGE_VENDOR, [0x28, 0x29, 0x2a])?;
        let long = |place: &Place, least| {
            let field = descriptor.fields.get(place.field);
            field.is_some_and(|field| field.size == 8 && field.count.saturating_sub(place.index) >= least)
        };
        let apart = places(descriptor, top, PAGE_VENDOR, [0x30, 0x31, 0x32]);
        let apart = apart.filter(|places| places.iter().all(|place| long(place, TRACK_BYTES_MIN)));
        if let Some(apart) = apart {
            return Self::build(descriptor, Layout::MagTek, status, lengths, Data::Apart(apart));
        }
        // By its size: the usages of ID TECH's last two fields are not in the manual at hand.
        let packed = (0..descriptor.fields.len()).map(|field| Place { field, index: 0 });
        let mut packed = packed.filter(|place| {
            let field = descriptor.fields.get(place.field);
            let ours = |field: &Field| field.kind == Kind::Input && field.top == top && !field.constant;
            field.is_some_and(ours) && long(place, PACKED_BYTES_MIN)
        });
        Self::build(descriptor, Layout::IdTech, status, lengths, Data::PackedText(packed.next()?))
    }

    /// All of it must lie in one report.
    fn build(
        descriptor: &Descriptor,
        layout: Layout,
        status: [Option<Place>; 3],
        lengths: [Place; 3],
        data: Data,
    ) -> Option<Self> {
        let mut all: Vec<Place> = status.iter().flatten().chain(&lengths).copied().collect();
        match data {
            Data::Apart(apart) => all.extend(apart),
            Data::PackedBits(place) | Data::PackedText(place) => all.push(place),
        }
        let mut ids = all.iter().map(|place| descriptor.fields.get(place.field).map(|field| field.report_id));
        let report_id = ids.next()??;
        ids.all(|id| id == Some(report_id)).then(|| Self {
            descriptor: descriptor.clone(),
            layout,
            report_id,
            status,
            lengths,
            data,
        })
    }

    /// The longest read the device gives, its id included.
    #[must_use]
    pub fn read_bytes_max(&self) -> usize {
        let bytes = self.descriptor.report_bytes(Kind::Input, self.report_id);
        bytes.saturating_add(usize::from(self.descriptor.uses_ids))
    }

    fn value(&self, report: &[u8], place: Place) -> Option<usize> {
        let field = self.descriptor.fields.get(place.field)?;
        usize::try_from(field.element(report, place.index)?).ok()
    }

    fn bytes(&self, report: &[u8], place: Place) -> Vec<u8> {
        let field = self.descriptor.fields.get(place.field);
        field.map(|field| field.bytes(report, place.index)).unwrap_or_default()
    }

    /// Whether the reader says that it could not decode `track`: bit 0 of its status.
    fn failed(&self, report: &[u8], track: u8) -> bool {
        let status = self.status.get(usize::from(track.saturating_sub(1))).copied().flatten();
        status.and_then(|place| self.value(report, place)).is_some_and(|status| status & 1 == 1)
    }

    /// The tracks of one report, in order; `None` if its lengths do not fit.
    fn tracks(&self, report: &[u8]) -> Option<Vec<Track>> {
        let mut lengths = [0_usize; 3];
        for (length, place) in lengths.iter_mut().zip(self.lengths) {
            *length = self.value(report, place)?;
        }
        match self.data {
            Data::PackedText(place) => self.packed_text(report, place),
            Data::PackedBits(place) => {
                let all = self.bytes(report, place);
                let mut start = 0_usize;
                let mut tracks = Vec::new();
                for (track, length) in TRACKS.into_iter().zip(lengths) {
                    let end = start.checked_add(length)?;
                    tracks.push((track, self.track(report, track, all.get(start..end)?)));
                    start = end;
                }
                Some(tracks)
            }
            Data::Apart(places) => {
                let mut tracks = Vec::new();
                for ((track, place), length) in TRACKS.into_iter().zip(places).zip(lengths) {
                    let bytes = self.bytes(report, place);
                    tracks.push((track, self.track(report, track, bytes.get(..length)?)));
                }
                Some(tracks)
            }
        }
    }

    fn track(&self, report: &[u8], track: u8, bytes: &[u8]) -> Result<Option<Vec<u8>>, Rejection> {
        if self.failed(report, track) {
            return Err(Rejection::NotDecoded);
        }
        if self.layout == Layout::Bits {
            return decode_track(bytes, track);
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let data = strip_sentinels(bytes).flatten().ok_or(Rejection::NotDecoded)?;
        Ok((!data.is_empty()).then(|| data.to_vec()))
    }

    fn packed_text(&self, report: &[u8], place: Place) -> Option<Vec<Track>> {
        let field = self.descriptor.fields.get(place.field)?;
        let head = field.bit_offset.checked_div(8)?.checked_sub(2)?;
        let length = report.get(head..)?.first_chunk::<2>()?;
        let all = field.bytes(report, place.index);
        let text = all.get(..usize::from(u16::from_le_bytes(*length)))?;
        let failed = TRACKS.into_iter().filter(|track| self.failed(report, *track));
        let mut tracks: Vec<Track> = failed.map(|track| (track, Err(Rejection::NotDecoded))).collect();
        match split_tracks(text) {
            Some(found) => tracks.extend(found.into_iter().map(|found| {
                let data = found.data.map(|data| Some(data.to_vec())).ok_or(Rejection::NotDecoded);
                (found.track, data)
            })),
            // Preambles and other edits that someone set up in the reader.
            None if !text.is_empty() => tracks.push((0, Err(Rejection::NotDecoded))),
            None => {}
        }
        Some(tracks)
    }
}

/// A track's number and what is on it: text, nothing, or a reason.
type Track = (u8, Result<Option<Vec<u8>>, Rejection>);

fn place(descriptor: &Descriptor, top: usize, usage: Usage) -> Option<Place> {
    descriptor.fields.iter().enumerate().find_map(|(at, field)| {
        let ours = field.kind == Kind::Input && field.top == top && field.size == 8 && !field.constant;
        let index = field.index_of(usage).filter(|_| ours)?;
        Some(Place { field: at, index })
    })
}

fn places(descriptor: &Descriptor, top: usize, page: u16, ids: [u16; 3]) -> Option<[Place; 3]> {
    let [one, two, three] = ids.map(|id| place(descriptor, top, Usage::new(page, id)));
    Some([one?, two?, three?])
}

impl Assemble for Swipe {
    /// Gives every track that was read. Where none was, one rejection: a worn track beside a good one is none of the
    /// cashier's business.
    fn push(&mut self, bytes: &[u8], _now: Uptime, out: &mut Vec<Decoded>) {
        let Some((id, report)) = self.descriptor.split_id(bytes) else { return };
        if id != self.report_id {
            return;
        }
        let whole = report.len() >= self.descriptor.report_bytes(Kind::Input, id);
        let Some(tracks) = self.tracks(report).filter(|_| whole) else {
            out.push(Decoded::Rejected(Rejection::ShortReport));
            return;
        };
        let mut why = Rejection::NotDecoded;
        let before = out.len();
        for (track, read) in tracks {
            match read {
                Ok(Some(data)) => out.push(Decoded::Scan(RawScan { data, origin: Origin::Track(track) })),
                Ok(None) => {}
                Err(rejection) if why == Rejection::NotDecoded => why = rejection,
                Err(_) => {}
            }
        }
        if out.len() == before {
            out.push(Decoded::Rejected(why));
        }
    }

    fn deadline(&self) -> Option<Uptime> {
        None
    }

    fn on_deadline(&mut self, _now: Uptime, _out: &mut Vec<Decoded>) {}
}
