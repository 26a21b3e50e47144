//! Keyboard-wedge scanners and magnetic stripe readers that type: key events in, scans out.
//!
//! A scanner types by *its own* layout, whatever the till's is, so the layout comes from the reader's settings.
//! Control characters come three ways, all read here: Ctrl and a letter, Alt and digits on the keypad,
//! or a key of their own. Never guesses: a key without a character, or keys lost on the way, spoil the scan.

mod held;
mod layout;

pub use layout::{KEYS, LEVELS, Layout, Level, Symbol, compose};

use super::magstripe::text_scans;
use super::{Assemble, KEY_EVENT_BYTES};
use crate::domain::scan::{Decoded, Rejection, SCAN_BYTES_MAX};
use crate::domain::time::Uptime;
use held::Held;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Silence that ends a scan without a suffix. Keys of one scan follow each other within 1 to 50 ms.
pub const IDLE_DEFAULT: Duration = Duration::from_millis(100);

/// linux/input-event-codes.h.
mod code {
    pub(super) const EV_SYN: u16 = 0;
    pub(super) const EV_KEY: u16 = 1;
    pub(super) const EV_LED: u16 = 0x11;
    pub(super) const SYN_REPORT: u16 = 0;
    pub(super) const SYN_DROPPED: u16 = 3;
    pub(super) const LED_CAPSL: u16 = 1;
    pub(super) const KEY_TAB: u16 = 15;
    pub(super) const KEY_ENTER: u16 = 28;
    pub(super) const KEY_KPENTER: u16 = 96;
    pub(super) const KEY_CAPSLOCK: u16 = 58;
    pub(super) const KEY_NUMLOCK: u16 = 69;
}

/// Reads the scans of one reader that types.
#[derive(Debug)]
pub struct Keyboard {
    layout: Arc<Layout>,
    idle: Duration,
    held: Held,
    caps: bool,
    /// Keys were lost: nothing counts until the next `SYN_REPORT` (kernel, Documentation/input/event-codes.rst).
    dropped: bool,
    scan: Option<Under>,
}

/// A scan under way.
struct Under {
    text: String,
    dead: Option<char>,
    damage: Option<Rejection>,
    last_at: Uptime,
}

/// Shows the length only: the text may be a card.
impl fmt::Debug for Under {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Under({} bytes, {:?})", self.text.len(), self.damage)
    }
}

impl Keyboard {
    /// `idle`: the silence that ends a scan, see [`IDLE_DEFAULT`].
    #[must_use]
    pub fn new(layout: Arc<Layout>, idle: Duration) -> Self {
        Self { layout, idle, held: Held::default(), caps: false, dropped: false, scan: None }
    }

    fn under(&mut self, now: Uptime) -> &mut Under {
        let fresh = || Under { text: String::new(), dead: None, damage: None, last_at: now };
        let under = self.scan.get_or_insert_with(fresh);
        under.last_at = now;
        under
    }

    fn event(&mut self, kind: u16, code: u16, value: i32, now: Uptime, out: &mut Vec<Decoded>) {
        match (kind, code) {
            (code::EV_SYN, code::SYN_DROPPED) => {
                self.dropped = true;
                self.held = Held::default();
                self.under(now).damage = Some(Rejection::KeysLost);
            }
            (code::EV_SYN, code::SYN_REPORT) => self.dropped = false,
            _ if self.dropped => {}
            (code::EV_LED, code::LED_CAPSL) => self.caps = value != 0,
            (code::EV_KEY, _) => self.key(code, value, now, out),
            _ => {}
        }
    }

    fn key(&mut self, code: u16, value: i32, now: Uptime, out: &mut Vec<Decoded>) {
        if Held::is_modifier(code) {
            if let Some(typed) = self.held.modifier(code, value != 0, self.layout.alt_gr_key()) {
                self.write(Some(Symbol::Char(typed)), now);
            }
            return;
        }
        // 0 is a key let go, 2 the kernel repeating a key that stays down: a stuck key writes once.
        if value != 1 {
            return;
        }
        match code {
            code::KEY_CAPSLOCK => self.caps = !self.caps,
            code::KEY_NUMLOCK => {}
            code::KEY_ENTER | code::KEY_KPENTER | code::KEY_TAB => self.finish(out),
            // Half a character: keeps the scan open, writes nothing yet.
            _ if self.held.alt_digit(code) => _ = self.under(now),
            _ => match self.held.control(code, &self.layout) {
                // Ctrl+M is a carriage return, another way to send the suffix.
                Some(Some('\r')) => self.finish(out),
                Some(control) => self.write(control.map(Symbol::Char), now),
                None => {
                    let level =
                        Level { shift: self.held.shift(), alt_gr: self.held.alt_gr(), caps: self.caps };
                    let symbol = self.layout.symbol(code, level).filter(|_| !self.held.alt_alone());
                    self.write(symbol, now);
                }
            },
        }
    }

    fn write(&mut self, symbol: Option<Symbol>, now: Uptime) {
        let under = self.under(now);
        let Some(symbol) = symbol else {
            under.damage.get_or_insert(Rejection::UnknownKey);
            return;
        };
        let typed = match (under.dead.take(), symbol) {
            (Some(accent), next) => compose(accent, next),
            (None, Symbol::Dead(accent)) => {
                under.dead = Some(accent);
                return;
            }
            (None, Symbol::Char(typed)) => Some(String::from(typed)),
        };
        match typed {
            None => _ = under.damage.get_or_insert(Rejection::UnknownKey),
            Some(typed) if under.text.len().saturating_add(typed.len()) > SCAN_BYTES_MAX => {
                under.damage.get_or_insert(Rejection::TooLong);
            }
            Some(typed) => under.text.push_str(&typed),
        }
    }

    fn finish(&mut self, out: &mut Vec<Decoded>) {
        let Some(scan) = self.scan.take() else { return };
        // An accent that no letter followed.
        let damage = scan.damage.or(scan.dead.map(|_| Rejection::UnknownKey));
        if let Some(damage) = damage {
            out.push(Decoded::Rejected(damage));
            return;
        }
        text_scans(scan.text.into_bytes(), out);
    }
}

impl Assemble for Keyboard {
    fn push(&mut self, bytes: &[u8], now: Uptime, out: &mut Vec<Decoded>) {
        let (events, _) = bytes.as_chunks::<KEY_EVENT_BYTES>();
        for [k0, k1, c0, c1, value @ ..] in events {
            let (kind, code) = (u16::from_le_bytes([*k0, *k1]), u16::from_le_bytes([*c0, *c1]));
            self.event(kind, code, i32::from_le_bytes(*value), now, out);
        }
    }

    fn deadline(&self) -> Option<Uptime> {
        self.scan.as_ref()?.last_at.checked_add(self.idle)
    }

    fn on_deadline(&mut self, now: Uptime, out: &mut Vec<Decoded>) {
        if self.deadline().is_some_and(|at| at <= now) {
            self.finish(out);
        }
    }
}
