//! A scanner that pretends to be a boot keyboard (HID 1.11, appendix B.1) and types each code and Enter, in US layout.

use crate::Result;
use crate::trace::Trace;
use crate::usb::{self, Descriptors, Device, Setup, Speed};
use crate::vhci::{self, Plugged, Port};
use std::time::Duration;

/// Vendor and product id (usb.ids).
pub const IDS: (u16, u16) = (0x05e0, 0x1200);

/// Its interrupt endpoint.
const REPORTS: u8 = 0x81;

/// `bInterval` of common keyboard-mode scanners.
const INTERVAL: Duration = Duration::from_millis(8);

/// Left shift, in the report's first byte.
const SHIFT: u8 = 0x02;

/// Usage of Enter (HID Usage Tables 1.5, page 0x07).
const ENTER: u8 = 0x28;

const REPORT_DESCRIPTOR: &[u8] = &[
    0x05, 0x01, 0x09, 0x06, 0xa1, 0x01, // generic desktop: keyboard
    0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7, 0x15, 0x00, 0x25, 0x01, 0x75, 0x01, 0x95, 0x08, 0x81,
    0x02, // modifiers
    0x95, 0x01, 0x75, 0x08, 0x81, 0x03, // reserved byte
    0x95, 0x05, 0x75, 0x01, 0x05, 0x08, 0x19, 0x01, 0x29, 0x05, 0x91, 0x02, // lights
    0x95, 0x01, 0x75, 0x03, 0x91, 0x03, // padding of the lights
    0x95, 0x06, 0x75, 0x08, 0x15, 0x00, 0x25, 0x65, 0x05, 0x07, 0x19, 0x00, 0x29, 0x65, 0x81,
    0x00, // six keys
    0xc0,
];

/// A keyboard-mode scanner, not yet plugged in.
#[derive(Clone, Debug)]
pub struct KeyboardScanner {
    /// Its serial number; cheap ones have none.
    pub serial: Option<String>,
}

impl Device for KeyboardScanner {
    fn name(&self) -> &'static str {
        "keyboard"
    }

    fn descriptors(&self) -> Descriptors {
        let interface = usb::hid_interface(0, [1, 1], REPORT_DESCRIPTOR, 8, INTERVAL);
        let mut strings = vec!["Symbol Technologies, Inc".to_owned(), "Symbol Bar Code Scanner".to_owned()];
        strings.extend(self.serial.clone());
        Descriptors {
            speed: Speed::Full,
            device: usb::device_descriptor(IDS.0, IDS.1, 8, self.serial.is_some()),
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
pub fn plug(serial: &str, port: Port, within: Duration, trace: &Trace) -> Result<Plugged<KeyboardScanner>> {
    vhci::plug(KeyboardScanner { serial: Some(serial.to_owned()) }, port, within, trace)
}

/// Modifiers and key that type a character on a US keyboard.
#[must_use]
pub fn key(character: char) -> Option<(u8, u8)> {
    const UNSHIFTED: &str = "-=[]\\;'`,./";
    const SHIFTED: &str = "_+{}|:\"~<>?";
    const DIGITS_SHIFTED: &str = "!@#$%^&*()";
    const SIGNS: [u8; 11] = [0x2d, 0x2e, 0x2f, 0x30, 0x31, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38];
    let sign = |set: &str| set.find(character).and_then(|at| SIGNS.get(at).copied());
    let above =
        |base: char, first: u8| u8::try_from(u32::from(character) - u32::from(base)).ok().map(|n| first + n);
    match character {
        '\n' => Some((0, ENTER)),
        ' ' => Some((0, 0x2c)),
        '0' => Some((0, 0x27)),
        '1'..='9' => Some((0, above('1', 0x1e)?)),
        'a'..='z' => Some((0, above('a', 0x04)?)),
        'A'..='Z' => Some((SHIFT, above('A', 0x04)?)),
        _ => sign(UNSHIFTED).map(|key| (0, key)).or_else(|| sign(SHIFTED).map(|key| (SHIFT, key))).or_else(
            || DIGITS_SHIFTED.find(character).and_then(|at| u8::try_from(at).ok()).map(|n| (SHIFT, 0x1e + n)),
        ),
    }
}

impl Plugged<KeyboardScanner> {
    /// Types a code and Enter: for each character a report with the key down and one with all keys up.
    ///
    /// # Errors
    /// When nobody reads the keyboard `within` that time, or a character is not on a US keyboard.
    pub fn scan(&self, code: &str, within: Duration) -> Result<()> {
        for character in code.chars().chain(['\n']) {
            let (modifiers, key) = key(character).ok_or_else(|| format!("no key types {character:?}"))?;
            self.report(REPORTS, &[modifiers, 0, key, 0, 0, 0, 0, 0], within)?;
            self.report(REPORTS, &[0; 8], within)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_have_the_keys_of_the_usage_table() {
        let cases = [
            ('1', (0, 0x1e)),
            ('0', (0, 0x27)),
            ('a', (0, 0x04)),
            ('Z', (SHIFT, 0x1d)),
            ('%', (SHIFT, 0x22)),
            (';', (0, 0x33)),
            ('?', (SHIFT, 0x38)),
            (')', (SHIFT, 0x27)),
            ('\n', (0, 0x28)),
        ];
        for (character, expected) in cases {
            assert_eq!(key(character), Some(expected), "{character:?}");
        }
        assert_eq!(key('é'), None);
    }
}
