//! A HID POS bar code scanner (HID Usage Tables 1.5, page 0x8C) in the Honeywell layout:
//! `[0]` report 2, `[1]` length, `[2..5]` AIM identifier, `[5..61]` data, `[61..63]` maker's own, `[63]` bit 0 continued.

use crate::Result;
use crate::trace::Trace;
use crate::usb::{self, Descriptors, Device, Setup, Speed};
use crate::vhci::{self, Plugged, Port};
use std::time::Duration;

/// Vendor and product id (usb.ids).
pub const IDS: (u16, u16) = (0x0c2e, 0x0b81);

/// Its interrupt endpoint.
const REPORTS: u8 = 0x81;

/// `bInterval`: the host asks every 10 ms at most.
const INTERVAL: Duration = Duration::from_millis(10);

/// Data bytes of one report; a longer code takes more reports.
const DATA_BYTES: usize = 56;

const REPORT_DESCRIPTOR: &[u8] = &[
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

/// A scanner that is held in the hand, not yet plugged in.
#[derive(Clone, Debug)]
pub struct HidPosScanner {
    /// Its serial number; cheap ones have none.
    pub serial: Option<String>,
}

impl Device for HidPosScanner {
    fn name(&self) -> &'static str {
        "hid-pos"
    }

    fn descriptors(&self) -> Descriptors {
        let interface = usb::hid_interface(0, [0, 0], REPORT_DESCRIPTOR, 64, INTERVAL);
        let mut strings = vec!["Honeywell".to_owned(), "HID POS Scanner".to_owned()];
        strings.extend(self.serial.clone());
        Descriptors {
            speed: Speed::Full,
            device: usb::device_descriptor(IDS.0, IDS.1, 64, self.serial.is_some()),
            configuration: usb::configuration(&[&interface]),
            strings,
        }
    }

    fn control(&mut self, setup: Setup, _data: &[u8]) -> Option<Vec<u8>> {
        usb::hid_control(REPORT_DESCRIPTOR, setup)
    }

    fn poll_interval(&self) -> Duration {
        INTERVAL
    }
}

/// Plugs a scanner with this serial number into `port`.
///
/// # Errors
/// As [`vhci::plug`].
pub fn plug(serial: &str, port: Port, within: Duration, trace: &Trace) -> Result<Plugged<HidPosScanner>> {
    vhci::plug(HidPosScanner { serial: Some(serial.to_owned()) }, port, within, trace)
}

/// The reports that carry a code with its AIM identifier (`E0`: EAN-13, `Q1`: QR).
#[must_use]
pub fn reports(aim: [u8; 2], code: &[u8]) -> Vec<[u8; 64]> {
    let count = code.len().div_ceil(DATA_BYTES).max(1);
    let report = |(at, part): (usize, &[u8])| {
        let mut bytes = vec![0x02, u8::try_from(part.len()).unwrap_or(u8::MAX), b']'];
        bytes.extend(aim);
        bytes.extend(part);
        bytes.resize(63, 0);
        bytes.push(u8::from(at + 1 < count));
        <[u8; 64]>::try_from(bytes).unwrap_or([0; 64])
    };
    code.chunks(DATA_BYTES).enumerate().map(report).collect()
}

impl Plugged<HidPosScanner> {
    /// Scans a code: the beep comes when the host has taken the last report.
    ///
    /// The host must have been reading for a moment: usbhid throws away what it gets in the first 50 ms after the node was
    /// opened (`usbhid_open`), and returns from opening only then.
    ///
    /// # Errors
    /// When nobody reads the scanner `within` that time.
    pub fn scan(&self, aim: [u8; 2], code: &[u8], within: Duration) -> Result<()> {
        reports(aim, code).iter().try_for_each(|report| self.report(REPORTS, report, within))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_code_is_one_full_length_report() {
        let [report] = reports(*b"E0", b"4006381333931")[..] else { panic!("one report") };
        assert_eq!(report[..18], *b"\x02\x0d]E04006381333931");
        assert_eq!(report[18..], [0; 46]);
    }

    #[test]
    fn a_long_code_is_continued_until_its_last_report() {
        let parts = reports(*b"Q1", &[b'a'; 2 * DATA_BYTES + 1]);
        assert_eq!(parts.iter().map(|r| (r[1], r[63])).collect::<Vec<_>>(), [(56, 1), (56, 1), (1, 0)]);
    }
}
