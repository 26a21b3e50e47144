//! The modifier keys held down, and what they make of other keys: Ctrl+letter, Alt+digits, AltGr.

use super::layout::{Layout, Level, Symbol};
use encoding_rs::WINDOWS_1252;

/// linux/input-event-codes.h.
const LEFT_CTRL: u16 = 29;
const LEFT_SHIFT: u16 = 42;
const RIGHT_SHIFT: u16 = 54;
const LEFT_ALT: u16 = 56;
const RIGHT_CTRL: u16 = 97;
const RIGHT_ALT: u16 = 100;
const LEFT_META: u16 = 125;
const RIGHT_META: u16 = 126;

/// Keypad keys and the digits on them.
const KEYPAD: [(u16, u16); 10] =
    [(82, 0), (79, 1), (80, 2), (81, 3), (75, 4), (76, 5), (77, 6), (71, 7), (72, 8), (73, 9)];

/// Control characters by the place that a US keyboard has them, for keys that write no letter in the scanner's own layout:
/// `[ \ ]`, 6 (^), minus (_), 2 (@).
const CONTROL_BY_PLACE: [(u16, char); 6] =
    [(26, '\x1b'), (43, '\x1c'), (27, '\x1d'), (7, '\x1e'), (12, '\x1f'), (3, '\0')];

/// Modifier keys that are down.
#[derive(Default)]
pub(super) struct Held {
    left_shift: bool,
    right_shift: bool,
    left_ctrl: bool,
    right_ctrl: bool,
    left_alt: bool,
    right_alt: bool,
    third_level: bool,
    /// Digits typed on the keypad while Alt is down, modulo 256.
    alt_code: Option<u16>,
}

/// Shows nothing: digits of an Alt code are part of a scan.
impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Held(••)")
    }
}

impl Held {
    pub(super) fn is_modifier(code: u16) -> bool {
        matches!(
            code,
            LEFT_CTRL | RIGHT_CTRL | LEFT_SHIFT | RIGHT_SHIFT | LEFT_ALT | RIGHT_ALT | LEFT_META | RIGHT_META
        )
    }

    /// A modifier went down or up; letting go of Alt may write the character whose number was typed.
    pub(super) fn modifier(&mut self, code: u16, down: bool, alt_gr_key: bool) -> Option<char> {
        match code {
            LEFT_CTRL => self.left_ctrl = down,
            RIGHT_CTRL => self.right_ctrl = down,
            LEFT_SHIFT => self.left_shift = down,
            RIGHT_SHIFT => self.right_shift = down,
            RIGHT_ALT if alt_gr_key => self.third_level = down,
            LEFT_ALT => self.left_alt = down,
            RIGHT_ALT => self.right_alt = down,
            _ => {}
        }
        if self.left_alt || self.right_alt {
            return None;
        }
        let byte = [u8::try_from(self.alt_code.take()?).ok()?];
        let (text, _) = WINDOWS_1252.decode_without_bom_handling(&byte);
        text.chars().next()
    }

    pub(super) fn shift(&self) -> bool {
        self.left_shift || self.right_shift
    }

    fn alt(&self) -> bool {
        self.left_alt || self.right_alt
    }

    fn ctrl(&self) -> bool {
        self.left_ctrl || self.right_ctrl
    }

    /// AltGr, or Ctrl and Alt together, which Windows takes for it and scanners send.
    pub(super) fn alt_gr(&self) -> bool {
        self.third_level || (self.ctrl() && self.alt())
    }

    /// Alt without Ctrl: a menu shortcut, not a character.
    pub(super) fn alt_alone(&self) -> bool {
        self.alt() && !self.ctrl()
    }

    /// Takes a keypad digit of an Alt code.
    pub(super) fn alt_digit(&mut self, code: u16) -> bool {
        let digit = KEYPAD.iter().find(|(key, _)| *key == code).map(|(_, digit)| *digit);
        let Some(digit) = digit.filter(|_| self.alt_alone()) else { return false };
        let so_far = self.alt_code.unwrap_or(0).saturating_mul(10).saturating_add(digit);
        self.alt_code = Some(so_far & 0xff);
        true
    }

    /// The control character of key `code` while Ctrl is down: `None` if it is not (or is part of AltGr),
    /// `Some(None)` if the key has none.
    pub(super) fn control(&self, code: u16, layout: &Layout) -> Option<Option<char>> {
        if !self.ctrl() || self.alt() {
            return None;
        }
        let level = Level { shift: self.shift(), alt_gr: self.third_level, caps: false };
        let by_letter = match layout.symbol(code, level) {
            Some(Symbol::Char(letter)) => {
                u8::try_from(letter).ok().filter(|byte| (0x40..0x7f).contains(byte))
            }
            _ => None,
        };
        let by_letter = by_letter.map(|byte| char::from(byte & 0x1f));
        let by_place = || CONTROL_BY_PLACE.iter().find(|(key, _)| *key == code).map(|(_, control)| *control);
        Some(by_letter.or_else(by_place))
    }
}
