//! Turns what a reader sent into scans: bytes and a time in, scans out.
//!
//! Nothing here opens a file, reads a clock or awaits, so a capture replays to the same scans on
//! any machine. `device` feeds this room, `identify` takes what comes out, and neither is named
//! here. Two steps: an [`Assemble`] for each transport makes [`Decoded`] scans of bytes, and
//! `classify` tells of a scan whether it is a card of ours, an imported one, a product or a payment card.
//!
//! Invariant: memory is bounded. A scan keeps [`SCAN_BYTES_MAX`](crate::domain::scan::SCAN_BYTES_MAX)
//! bytes; the rest is dropped and the scan rejected, so a stuck key cannot grow a buffer.

pub mod classify;
pub mod framing;
pub mod gs1;
pub mod hid;
pub mod keyboard;
pub mod magstripe;
pub mod payment;
pub mod symbology;

use crate::domain::scan::Decoded;
use crate::domain::time::Uptime;

/// One transport's way from bytes to scans. Sans-IO: the caller brings bytes and the time.
pub trait Assemble: Send {
    /// Takes one read: a piece of a serial stream, exactly one HID report (report id first where the device uses ids),
    /// or a whole number of key events of [`KEY_EVENT_BYTES`] bytes. What is complete goes to `out`.
    fn push(&mut self, bytes: &[u8], now: Uptime, out: &mut Vec<Decoded>);

    /// When to call [`Self::on_deadline`]; `None` while no scan is under way. Ask again after every call.
    fn deadline(&self) -> Option<Uptime>;

    /// Ends what silence ends, if the deadline has passed; harmless when called early.
    fn on_deadline(&mut self, now: Uptime, out: &mut Vec<Decoded>);
}

/// A key event on its way through a capture or an assembler: type `u16`, code `u16`, value `i32`, all little-endian;
/// the kernel's `struct input_event` (linux/input.h) without its time.
pub const KEY_EVENT_BYTES: usize = 8;
