//! Bar-code scanners in HID POS mode: reports in, scans out.
//!
//! HID Point of Sale Usage Tables 1.02, section 4. Every position comes from the descriptor, since makers
//! agree on "report 2, 64 bytes" and on nothing else: some give the AIM identifier, some do not, some put
//! a byte of their own before it. Never writes to the device.

use super::descriptor::{Descriptor, Kind, Usage};
use super::{BARCODE_SCANNER, PAGE_SCANNER};
use crate::decode::Assemble;
use crate::domain::scan::{Decoded, Origin, RawScan, Rejection, SCAN_BYTES_MAX};
use crate::domain::time::Uptime;
use std::time::Duration;

/// How long a continued scan waits for its next report. Reports follow each other within milliseconds; a lost last one
/// must not glue this scan to the next.
pub const CONTINUED_WAIT: Duration = Duration::from_millis(500);

const BYTE_COUNT: Usage = Usage::new(0x01, 0x3b);
const AIM: [Usage; 3] =
    [Usage::new(PAGE_SCANNER, 0xfb), Usage::new(PAGE_SCANNER, 0xfc), Usage::new(PAGE_SCANNER, 0xfd)];
const DECODED_DATA: Usage = Usage::new(PAGE_SCANNER, 0xfe);
const CONTINUED: Usage = Usage::new(PAGE_SCANNER, 0xff);

/// One element of a report: which field, which of its elements.
#[derive(Debug, Clone, Copy)]
struct Place {
    field: usize,
    index: usize,
}

/// Where a scan's parts lie in one report.
#[derive(Debug, Clone)]
struct ScanReport {
    id: u8,
    bytes: usize,
    data: Place,
    count: Option<Place>,
    aim: Option<[Place; 3]>,
    continued: Option<Place>,
}

/// Reads the scans of one HID POS scanner.
#[derive(Debug)]
pub struct Scanner {
    descriptor: Descriptor,
    reports: Vec<ScanReport>,
    scan: Option<Under>,
}

/// A scan under way: some of its reports have come.
struct Under {
    data: Vec<u8>,
    origin: Origin,
    damage: Option<Rejection>,
    last_at: Uptime,
}

/// Shows the length only: the bytes may be a card.
impl std::fmt::Debug for Under {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Under({} bytes, {:?})", self.data.len(), self.damage)
    }
}

impl Scanner {
    /// Reads where things lie; `None` if this is not a bar-code scanner (top-level collection 8C:02) with decoded data.
    #[must_use]
    pub fn new(descriptor: &Descriptor) -> Option<Self> {
        let mut reports = Vec::new();
        for (field_at, field) in descriptor.fields.iter().enumerate() {
            let ours = descriptor.tops.get(field.top) == Some(&BARCODE_SCANNER);
            let wanted = ours && field.kind == Kind::Input && !field.constant && field.size == 8;
            let Some(index) = field.index_of(DECODED_DATA).filter(|_| wanted) else { continue };
            let id = field.report_id;
            let find = |usage| find(descriptor, field.top, id, usage);
            let aim = match AIM.map(find) {
                [Some(first), Some(second), Some(third)] => Some([first, second, third]),
                _ => None,
            };
            reports.push(ScanReport {
                id,
                bytes: descriptor.report_bytes(Kind::Input, id),
                data: Place { field: field_at, index },
                count: find(BYTE_COUNT),
                aim,
                continued: find(CONTINUED),
            });
        }
        (!reports.is_empty()).then(|| Self { descriptor: descriptor.clone(), reports, scan: None })
    }

    /// The longest read the device gives, its id included.
    #[must_use]
    pub fn read_bytes_max(&self) -> usize {
        let longest = self.reports.iter().map(|report| report.bytes).max().unwrap_or(0);
        longest.saturating_add(usize::from(self.descriptor.uses_ids))
    }

    fn value(&self, report: &[u8], place: Place) -> Option<u32> {
        self.descriptor.fields.get(place.field)?.element(report, place.index)
    }

    /// Data and AIM identifier of one report; `None` if lengths do not fit.
    fn read(&self, layout: &ScanReport, report: &[u8]) -> Option<(Vec<u8>, Origin)> {
        let field = self.descriptor.fields.get(layout.data.field)?;
        let mut data = field.bytes(report, layout.data.index);
        if let Some(count) = layout.count {
            let count = usize::try_from(self.value(report, count)?).ok()?;
            // A count over what the report holds is a lie; so is a report shorter than its count.
            if count > data.len() {
                return None;
            }
            data.truncate(count);
        } else {
            let end = data.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
            data.truncate(end);
        }
        Some((data, self.origin(layout, report)))
    }

    fn origin(&self, layout: &ScanReport, report: &[u8]) -> Origin {
        let byte = |place| self.value(report, place).and_then(|value| u8::try_from(value).ok());
        match layout.aim.map(|aim| aim.map(byte)) {
            Some([Some(b']'), Some(kind), Some(modifier)])
                if kind.is_ascii_alphabetic() && modifier.is_ascii_graphic() =>
            {
                Origin::Aim([b']', kind, modifier])
            }
            _ => Origin::Undeclared,
        }
    }

    fn finish(&mut self, out: &mut Vec<Decoded>) {
        let Some(scan) = self.scan.take() else { return };
        match scan.damage {
            Some(damage) => out.push(Decoded::Rejected(damage)),
            // A report without data, as some devices send when a trigger is let go, is no scan.
            None if scan.data.is_empty() => {}
            None => out.push(Decoded::Scan(RawScan { data: scan.data, origin: scan.origin })),
        }
    }
}

/// Finds `usage` in the input report `id` of collection `top`.
fn find(descriptor: &Descriptor, top: usize, id: u8, usage: Usage) -> Option<Place> {
    descriptor.fields.iter().enumerate().find_map(|(field_at, field)| {
        let ours = field.kind == Kind::Input && field.top == top && field.report_id == id;
        let index = field.index_of(usage).filter(|_| ours && !field.constant)?;
        Some(Place { field: field_at, index })
    })
}

impl Assemble for Scanner {
    fn push(&mut self, bytes: &[u8], now: Uptime, out: &mut Vec<Decoded>) {
        self.on_deadline(now, out);
        let Some((id, report)) = self.descriptor.split_id(bytes) else { return };
        let Some(layout) = self.reports.iter().find(|layout| layout.id == id).cloned() else { return };
        let read = self.read(&layout, report).filter(|_| report.len() >= layout.bytes);
        let Some((data, origin)) = read else {
            // Whatever was under way cannot be trusted to be whole any more.
            self.scan = None;
            out.push(Decoded::Rejected(Rejection::ShortReport));
            return;
        };
        let mut scan =
            self.scan.take().unwrap_or(Under { data: Vec::new(), origin, damage: None, last_at: now });
        scan.last_at = now;
        if scan.data.len().saturating_add(data.len()) > SCAN_BYTES_MAX {
            scan.damage = Some(Rejection::TooLong);
            scan.data.clear();
        } else if scan.damage.is_none() {
            scan.data.extend_from_slice(&data);
        }
        self.scan = Some(scan);
        let continued = layout.continued.and_then(|place| self.value(report, place)).unwrap_or(0);
        if continued == 0 {
            self.finish(out);
        }
    }

    fn deadline(&self) -> Option<Uptime> {
        self.scan.as_ref()?.last_at.checked_add(CONTINUED_WAIT)
    }

    fn on_deadline(&mut self, now: Uptime, out: &mut Vec<Decoded>) {
        if self.deadline().is_some_and(|at| at <= now) {
            let damage = self.scan.take().and_then(|scan| scan.damage).unwrap_or(Rejection::Incomplete);
            out.push(Decoded::Rejected(damage));
        }
    }
}
