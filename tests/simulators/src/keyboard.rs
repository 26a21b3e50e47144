//! A scanner that pretends to be a boot keyboard (HID 1.11, appendix B.1) and types each code and Enter.

use crate::Result;
use crate::hid::{self, BOOT_KEYBOARD, Hid, Interface};
use crate::trace::Trace;
use crate::vhci::{self, Plugged, Port};
use std::time::Duration;

/// Vendor and product id (usb.ids).
pub const IDS: (u16, u16) = (0x05e0, 0x1200);

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

/// The keyboard of a scanner.
#[must_use]
pub fn interface() -> Interface {
    Interface { boot: BOOT_KEYBOARD, descriptor: REPORT_DESCRIPTOR.to_vec(), packet_max: 8 }
}

/// What country the scanner was set up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// QWERTY, as delivered.
    Us,
    /// AZERTY: letters elsewhere, digits with shift.
    French,
}

/// A scanner in its port.
#[derive(Debug)]
pub struct Keyboard {
    layout: Layout,
    plugged: Plugged<Hid>,
}

/// Plugs a scanner with this serial number and a US layout into `port`.
///
/// # Errors
/// As [`vhci::plug`].
pub fn plug(serial: &str, port: Port, within: Duration, trace: &Trace) -> Result<Keyboard> {
    plug_layout(Layout::Us, serial, port, within, trace)
}

/// Plugs a scanner into `port`.
///
/// # Errors
/// As [`vhci::plug`].
pub fn plug_layout(
    layout: Layout,
    serial: &str,
    port: Port,
    within: Duration,
    trace: &Trace,
) -> Result<Keyboard> {
    let hid = Hid {
        name: "keyboard",
        ids: IDS,
        words: ["Symbol Technologies, Inc", "Symbol Bar Code Scanner"],
        serial: Some(serial.to_owned()),
        interfaces: vec![interface()],
    };
    Ok(Keyboard { layout, plugged: vhci::plug(hid, port, within, trace)? })
}

/// Modifiers and key that type a character.
#[must_use]
pub fn key(layout: Layout, character: char) -> Option<(u8, u8)> {
    match layout {
        Layout::Us => us(character),
        Layout::French => french(character),
    }
}

fn us(character: char) -> Option<(u8, u8)> {
    const UNSHIFTED: &str = "-=[]\\;'`,./";
    const SHIFTED: &str = "_+{}|:\"~<>?";
    const DIGITS_SHIFTED: &str = "!@#$%^&*()";
    const SIGNS: [u8; 11] = [0x2d, 0x2e, 0x2f, 0x30, 0x31, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38];
    let sign = |set: &str| set.find(character).and_then(|at| SIGNS.get(at).copied());
    match character {
        '\n' => Some((0, ENTER)),
        ' ' => Some((0, 0x2c)),
        '0'..='9' => Some((0, digit(character)?)),
        'a'..='z' | 'A'..='Z' => letter(character),
        _ => sign(UNSHIFTED).map(|key| (0, key)).or_else(|| sign(SHIFTED).map(|key| (SHIFT, key))).or_else(
            || DIGITS_SHIFTED.find(character).and_then(|at| u8::try_from(at).ok()).map(|n| (SHIFT, 0x1e + n)),
        ),
    }
}

/// The French keyboard (AFNOR of old, as xkb's `fr`): digits are shifted, signs are on their keys.
fn french(character: char) -> Option<(u8, u8)> {
    let swapped = match character.to_ascii_lowercase() {
        'a' => 'q',
        'q' => 'a',
        'z' => 'w',
        'w' => 'z',
        // where the US layout has its semicolon
        'm' => return Some((if character == 'M' { SHIFT } else { 0 }, 0x33)),
        other => other,
    };
    match character {
        '\n' | ' ' => us(character),
        '0'..='9' => Some((SHIFT, digit(character)?)),
        'a'..='z' => letter(swapped),
        'A'..='Z' => letter(swapped.to_ascii_uppercase()),
        '-' => Some((0, 0x23)),
        '+' => Some((SHIFT, 0x2e)),
        '_' => Some((0, 0x25)),
        '.' => Some((SHIFT, 0x36)),
        '/' => Some((SHIFT, 0x37)),
        _ => None,
    }
}

/// The key of a digit in the row above the letters: 1 to 9, then 0.
fn digit(character: char) -> Option<u8> {
    let value = u8::try_from(character.to_digit(10)?).ok()?;
    Some(if value == 0 { 0x27 } else { 0x1d + value })
}

fn letter(character: char) -> Option<(u8, u8)> {
    let shift = if character.is_ascii_uppercase() { SHIFT } else { 0 };
    let place = u32::from(character.to_ascii_lowercase()).checked_sub(u32::from('a'))?;
    Some((shift, 0x04 + u8::try_from(place).ok()?))
}

impl Keyboard {
    /// Types a code and Enter: for each character a report with the key down and one with all keys up.
    ///
    /// # Errors
    /// When nobody reads the keyboard `within` that time, or a character is not on its layout.
    pub fn scan(&self, code: &str, within: Duration) -> Result<()> {
        self.type_text(code, within)?;
        self.type_text("\n", within)
    }

    /// Types characters, without Enter.
    ///
    /// # Errors
    /// As [`Self::scan`].
    pub fn type_text(&self, text: &str, within: Duration) -> Result<()> {
        for character in text.chars() {
            let (modifiers, key) =
                key(self.layout, character).ok_or_else(|| format!("no key types {character:?}"))?;
            self.plugged.report(hid::endpoint(0), &[modifiers, 0, key, 0, 0, 0, 0, 0], within)?;
            self.plugged.report(hid::endpoint(0), &[0; 8], within)?;
        }
        Ok(())
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
            assert_eq!(key(Layout::Us, character), Some(expected), "{character:?}");
        }
        assert_eq!(key(Layout::Us, 'é'), None);
    }

    #[test]
    fn a_french_scanner_shifts_its_digits_and_swaps_its_letters() {
        let cases = [
            ('1', (SHIFT, 0x1e)),
            ('0', (SHIFT, 0x27)),
            ('a', (0, 0x14)),
            ('Q', (SHIFT, 0x04)),
            ('z', (0, 0x1a)),
            ('M', (SHIFT, 0x33)),
            ('-', (0, 0x23)),
            ('K', (SHIFT, 0x0e)),
        ];
        for (character, expected) in cases {
            assert_eq!(key(Layout::French, character), Some(expected), "{character:?}");
        }
    }
}
