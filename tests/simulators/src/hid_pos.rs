//! HID POS bar code scanners (HID Usage Tables 1.5, page 0x8C), in the layouts that makers give their reports.

use crate::hid::{self, Hid, Interface};
use crate::trace::Trace;
use crate::vhci::{self, Plugged, Port};
use crate::{Result, captures};
use std::time::Duration;

/// Vendor and product id of a Honeywell Voyager 1400g (usb.ids).
pub const IDS: (u16, u16) = (0x0c2e, 0x0b81);

/// Honeywell's report descriptor.
const HONEYWELL: &[u8] = &[
    0x05, 0x8c, // usage page: bar code scanner
    0x09, 0x02, // usage: bar code scanner
    0xa1, 0x01, // collection: application
    0x09, 0x12, //   usage: scanned data report
    0xa1, 0x02, //   collection: logical
    0x85, 0x02, //     report id 2
    0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, //     0 to 255, 8 bits
    0x95, 0x01, 0x05, 0x01, 0x09, 0x3b, 0x81, 0x02, //     1 x generic desktop: byte count
    0x95, 0x03, 0x05, 0x8c, 0x09, 0xfb, 0x09, 0xfc, 0x09, 0xfd, 0x81,
    0x02, //     3 x symbology identifier
    0x95, 0x38, 0x09, 0xfe, 0x82, 0x02, 0x01, //     56 x decoded data, buffered bytes
    0x95, 0x02, 0x06, 0x66, 0xff, 0x09, 0x04, 0x81, 0x02, //     2 x page FF66: the maker's symbology
    0x05, 0x8c, 0x25, 0x01, 0x75, 0x01, 0x95, 0x01, 0x09, 0xff, 0x81, 0x02, //     1 bit: data continued
    0x75, 0x07, 0x81, 0x03, //     7 bits: padding
    0xc0, 0xc0,
];

/// What the usage tables allow and no maker known here does: no report id, no byte count, 28 bytes of data.
const SPARE: &[u8] = &[
    0x05, 0x8c, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x12, 0xa1, 0x02, // scanner, scanned data report
    0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, // 0 to 255, 8 bits
    0x95, 0x03, 0x09, 0xfb, 0x09, 0xfc, 0x09, 0xfd, 0x81, 0x02, // 3 x symbology identifier
    0x95, 0x1c, 0x09, 0xfe, 0x82, 0x02, 0x01, // 28 x decoded data, NULs behind its end
    0x25, 0x01, 0x75, 0x01, 0x95, 0x01, 0x09, 0xff, 0x81, 0x02, // 1 bit: data continued
    0x75, 0x07, 0x81, 0x03, 0xc0, 0xc0,
];

/// The maker's own interface of a Honeywell (page FF8C): nothing in it is a scan.
const REMOTE: &[u8] = &[
    0x06, 0x8c, 0xff, 0x09, 0x01, 0xa1, 0x01, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95, 0x40, 0x09,
    0x02, 0x81, 0x02, 0xc0,
];

/// How a maker lays out a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `02, length, ] c m, 56 data, 2 own, continued`
    Honeywell,
    /// `02, length, 56 data, 4 reserved, own, continued`: no AIM identifier.
    Newland,
    /// As Honeywell with a byte between length and AIM identifier.
    ExtraByte,
    /// `] c m, 28 data, continued`
    Spare,
}

impl Layout {
    fn descriptor(self) -> Vec<u8> {
        match self {
            Self::Honeywell => HONEYWELL.to_vec(),
            Self::Newland => captures::descriptor(include_str!("../../captures/hidpos/newland-code128.hex")),
            Self::ExtraByte => {
                captures::descriptor(include_str!("../../captures/hidpos/extra-byte-code128.hex"))
            }
            Self::Spare => SPARE.to_vec(),
        }
    }

    /// Data bytes of one report; a longer code takes more reports.
    fn data_bytes(self) -> usize {
        match self {
            Self::Honeywell | Self::Newland | Self::ExtraByte => 56,
            Self::Spare => 28,
        }
    }

    fn report(self, aim: [u8; 2], data: &[u8], continued: bool) -> Vec<u8> {
        let length = u8::try_from(data.len()).unwrap_or(u8::MAX);
        let [code, modifier] = aim;
        let (head, size): (&[u8], usize) = match self {
            Self::Honeywell => (&[0x02, length, b']', code, modifier], 64),
            Self::Newland => (&[0x02, length], 64),
            Self::ExtraByte => (&[0x02, length, 0, b']', code, modifier], 64),
            Self::Spare => (&[b']', code, modifier], 32),
        };
        let mut report = [head, data].concat();
        report.resize(size - 1, 0);
        report.push(u8::from(continued));
        report
    }

    /// The reports that carry a code with its AIM identifier (`E0`: EAN-13, `Q1`: QR).
    #[must_use]
    pub fn reports(self, aim: [u8; 2], code: &[u8]) -> Vec<Vec<u8>> {
        let parts = code.chunks(self.data_bytes());
        let last = parts.len().saturating_sub(1);
        parts.enumerate().map(|(at, part)| self.report(aim, part, at < last)).collect()
    }

    /// A scanner of this layout, by the ids of a maker who has it; of [`Self::Spare`], of one that has no page anywhere.
    #[must_use]
    pub fn scanner(self, serial: Option<&str>) -> Hid {
        let (ids, words) = match self {
            Self::Honeywell => (IDS, ["Honeywell", "HID POS Scanner"]),
            Self::Newland => ((0x1eab, 0x0d10), ["Newland", "NLS-FM420"]),
            Self::ExtraByte => ((0x067e, 0x0809), ["Intermec", "SG20"]),
            Self::Spare => ((0x4242, 0x0001), ["Nobody", "Scanner"]),
        };
        let interface = Interface { boot: [0, 0], descriptor: self.descriptor(), packet_max: 64 };
        Hid { name: "hid-pos", ids, words, serial: serial.map(str::to_owned), interfaces: vec![interface] }
    }
}

/// A scanner in its port.
#[derive(Debug)]
pub struct Scanner {
    layout: Layout,
    endpoint: u8,
    plugged: Plugged<Hid>,
}

/// Plugs a scanner of Honeywell's layout with this serial number into `port`.
///
/// # Errors
/// As [`vhci::plug`].
pub fn plug(serial: &str, port: Port, within: Duration, trace: &Trace) -> Result<Scanner> {
    plug_layout(Layout::Honeywell, Some(serial), port, within, trace)
}

/// Plugs a scanner into `port`.
///
/// # Errors
/// As [`vhci::plug`].
pub fn plug_layout(
    layout: Layout,
    serial: Option<&str>,
    port: Port,
    within: Duration,
    trace: &Trace,
) -> Result<Scanner> {
    let plugged = vhci::plug(layout.scanner(serial), port, within, trace)?;
    Ok(Scanner { layout, endpoint: hid::endpoint(0), plugged })
}

/// Plugs a scanner that is three things under one pair of ids, as Honeywell's are: a keyboard, the maker's own interface,
/// and at interface 2 the scanner.
///
/// # Errors
/// As [`vhci::plug`].
pub fn plug_composite(serial: &str, port: Port, within: Duration, trace: &Trace) -> Result<Scanner> {
    let mut hid = Layout::Honeywell.scanner(Some(serial));
    hid.interfaces.insert(0, crate::keyboard::interface());
    let remote = Interface { boot: [0, 0], descriptor: REMOTE.to_vec(), packet_max: 64 };
    hid.interfaces.insert(1, remote);
    let plugged = vhci::plug(hid, port, within, trace)?;
    Ok(Scanner { layout: Layout::Honeywell, endpoint: hid::endpoint(2), plugged })
}

impl Scanner {
    /// Scans a code: the beep comes when the host has taken the last report.
    ///
    /// The host must have been reading for a moment: usbhid throws away what it gets in the first 50 ms after the node was
    /// opened (`usbhid_open`), and returns from opening only then.
    ///
    /// # Errors
    /// When nobody reads the scanner `within` that time.
    pub fn scan(&self, aim: [u8; 2], code: &[u8], within: Duration) -> Result<()> {
        self.send(&self.layout.reports(aim, code), within)
    }

    /// Sends the first report of a code that takes several, and no more.
    ///
    /// # Errors
    /// As [`Self::scan`].
    pub fn begin(&self, aim: [u8; 2], code: &[u8], within: Duration) -> Result<()> {
        self.send(self.layout.reports(aim, code).get(..1).unwrap_or_default(), within)
    }

    fn send(&self, reports: &[Vec<u8>], within: Duration) -> Result<()> {
        reports.iter().try_for_each(|report| self.plugged.report(self.endpoint, report, within))
    }

    /// Pulls the plug.
    ///
    /// # Errors
    /// As [`Plugged::unplug`].
    pub fn unplug(self, within: Duration) -> Result<()> {
        self.plugged.unplug(within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(Layout, &str); 3] = [
        (Layout::Honeywell, include_str!("../../captures/hidpos/honeywell-ean13.hex")),
        (Layout::Newland, include_str!("../../captures/hidpos/newland-code128.hex")),
        (Layout::ExtraByte, include_str!("../../captures/hidpos/extra-byte-code128.hex")),
    ];

    #[test]
    fn a_layout_is_that_of_its_capture() {
        for (layout, capture) in ALL {
            assert_eq!(layout.descriptor(), captures::descriptor(capture), "{layout:?}");
            let (aim, code): ([u8; 2], &[u8]) = match layout {
                Layout::Honeywell => (*b"E0", b"4006381333931"),
                _ => (*b"C0", b"PALLET-0042"),
            };
            let [mut report] = <[Vec<u8>; 1]>::try_from(layout.reports(aim, code)).unwrap();
            if layout == Layout::Honeywell {
                report[61] = 0x64; // the maker's own name of EAN-13
            }
            assert_eq!(report, captures::first_read(capture), "{layout:?}");
        }
    }

    #[test]
    fn a_long_code_is_continued_until_its_last_report() {
        let parts = Layout::Honeywell.reports(*b"Q1", &[b'a'; 2 * 56 + 1]);
        assert_eq!(parts.iter().map(|r| (r[1], r[63])).collect::<Vec<_>>(), [(56, 1), (56, 1), (1, 0)]);
        let parts = Layout::Spare.reports(*b"Q1", &[b'a'; 2 * 28]);
        assert_eq!(parts.iter().map(|r| (r.len(), r[31])).collect::<Vec<_>>(), [(32, 1), (32, 0)]);
    }
}
