//! Cuts a serial stream into scans: where one begins, where it ends, and what silence means.
//!
//! A serial scanner marks its ends as it was set up to, and the setting is seldom known; [`Framing::Auto`] takes the usual
//! ones. Bytes are neither stripped (but for the marks) nor judged here. An empty frame is no scan and is not reported.
//!
//! Invariant: at most [`SCAN_BYTES_MAX`] bytes are held. A longer frame is rejected once, at the byte too many, and
//! everything up to its end is dropped.

use super::Assemble;
use super::magstripe::text_scans;
use crate::domain::scan::{Decoded, Rejection, SCAN_BYTES_MAX};
use crate::domain::time::Uptime;
use std::time::Duration;

/// How a serial reader marks its scans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// CR, LF, CR LF, or ETX, with or without STX in front; without any, silence. Only a frame that STX began cannot end
    /// by silence: it is [`Rejection::Incomplete`].
    #[default]
    Auto,
    /// CR ends; an LF straight after it is the same end.
    Cr,
    /// LF ends; a CR straight before it is the same end.
    Lf,
    /// CR LF ends; either alone is data.
    CrLf,
    /// STX begins, ETX ends; what lies between frames is noise.
    StxEtx,
    /// One byte that counts the data bytes after it.
    LengthByte,
    /// Nothing marks an end but silence; every byte is data.
    Silence,
}

impl Framing {
    /// The words of the config.
    pub const WORDS: [(&'static str, Self); 7] = [
        ("auto", Self::Auto),
        ("cr", Self::Cr),
        ("lf", Self::Lf),
        ("crlf", Self::CrLf),
        ("stx_etx", Self::StxEtx),
        ("length_byte", Self::LengthByte),
        ("silence", Self::Silence),
    ];
}

/// After this long without a byte a scan without an end mark is taken as complete. At 9600 baud a byte takes 1 ms and a USB
/// adapter may hold bytes back for 16 ms (FTDI's latency timer); below 50 ms scans were seen cut in two elsewhere.
pub const IDLE_GAP: Duration = Duration::from_millis(100);

/// After this long without a byte an end mark that should have come is given up as lost, and the next byte begins a scan.
pub const LOST_END_GAP: Duration = Duration::from_millis(500);

const STX: u8 = 0x02;
const ETX: u8 = 0x03;
const CR: u8 = b'\r';
const LF: u8 = b'\n';

/// Assembles the scans of one serial reader.
#[derive(Debug)]
pub struct Serial {
    framing: Framing,
    idle: Duration,
    lost_end: Duration,
    frame: Frame,
    last_byte_at: Option<Uptime>,
}

/// The frame under way.
#[derive(Default)]
struct Frame {
    data: Vec<u8>,
    /// STX or the length byte was seen.
    begun: bool,
    /// Data bytes still to come, by the length byte.
    due: usize,
    /// A CR that may be half of an end ([`Framing::Lf`], [`Framing::CrLf`]), or was one ([`Framing::Cr`]).
    cr: bool,
    /// Too long: dropping until its end.
    spilling: bool,
}

/// Shows how much it holds, not what.
impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame({} bytes)", self.data.len())
    }
}

impl Serial {
    /// An assembler between scans. `idle` is the silence that ends a scan without a mark, [`IDLE_GAP`] by default.
    #[must_use]
    pub fn new(framing: Framing, idle: Duration) -> Self {
        let lost_end = LOST_END_GAP.max(idle);
        Self { framing, idle, lost_end, frame: Frame::default(), last_byte_at: None }
    }

    /// How long a silence has to be to end what is under way; `None` between scans.
    fn gap(&self) -> Option<Duration> {
        let Frame { data, begun, due: _, cr: _, spilling } = &self.frame;
        let held_cr = self.frame.cr && self.framing != Framing::Cr;
        if data.is_empty() && !begun && !spilling && !held_cr {
            return None;
        }
        let by_silence = match self.framing {
            Framing::Silence => true,
            Framing::Auto => !begun,
            Framing::Cr | Framing::Lf | Framing::CrLf | Framing::StxEtx | Framing::LengthByte => false,
        };
        Some(if by_silence { self.idle } else { self.lost_end })
    }

    fn take(&mut self, byte: u8, out: &mut Vec<Decoded>) {
        let frame = &mut self.frame;
        match self.framing {
            Framing::Auto => match byte {
                CR | LF | ETX => frame.end(out),
                STX if frame.is_empty() => frame.begin(0),
                byte => frame.push(byte, out),
            },
            Framing::Cr => match byte {
                CR => {
                    frame.end(out);
                    frame.cr = true;
                }
                LF if frame.cr => frame.cr = false,
                byte => {
                    frame.cr = false;
                    frame.push(byte, out);
                }
            },
            Framing::Lf | Framing::CrLf => self.take_lf(byte, out),
            Framing::StxEtx => match byte {
                STX => {
                    frame.give_up(out);
                    frame.begin(0);
                }
                ETX => frame.end(out),
                byte if frame.begun => frame.push(byte, out),
                _noise => {}
            },
            Framing::LengthByte if frame.begun => {
                frame.push(byte, out);
                frame.due = frame.due.saturating_sub(1);
                if frame.due == 0 {
                    frame.end(out);
                }
            }
            Framing::LengthByte if byte > 0 => frame.begin(byte.into()),
            Framing::LengthByte => {}
            Framing::Silence => frame.push(byte, out),
        }
    }

    /// LF ends, or CR LF. A CR is held back until the next byte tells whether it is half of an end.
    fn take_lf(&mut self, byte: u8, out: &mut Vec<Decoded>) {
        let frame = &mut self.frame;
        let cr = std::mem::take(&mut frame.cr);
        if byte == LF && (cr || self.framing == Framing::Lf) {
            return frame.end(out);
        }
        if cr {
            frame.push(CR, out);
        }
        if byte == CR {
            frame.cr = true;
        } else {
            frame.push(byte, out);
        }
    }
}

impl Assemble for Serial {
    fn push(&mut self, bytes: &[u8], now: Uptime, out: &mut Vec<Decoded>) {
        for byte in bytes {
            self.take(*byte, out);
        }
        if !bytes.is_empty() {
            self.last_byte_at = Some(now);
        }
    }

    fn deadline(&self) -> Option<Uptime> {
        Some(self.last_byte_at?.saturating_add(self.gap()?))
    }

    fn on_deadline(&mut self, now: Uptime, out: &mut Vec<Decoded>) {
        if self.deadline().is_none_or(|at| now < at) {
            return;
        }
        let by_silence =
            self.framing == Framing::Silence || self.framing == Framing::Auto && !self.frame.begun;
        if by_silence { self.frame.end(out) } else { self.frame.give_up(out) }
    }
}

impl Frame {
    fn is_empty(&self) -> bool {
        self.data.is_empty() && !self.begun && !self.spilling
    }

    fn begin(&mut self, due: usize) {
        self.begun = true;
        self.due = due;
    }

    fn push(&mut self, byte: u8, out: &mut Vec<Decoded>) {
        if self.spilling {
            return;
        }
        if self.data.len() < SCAN_BYTES_MAX {
            self.data.push(byte);
            return;
        }
        self.data = Vec::new();
        self.spilling = true;
        out.push(Decoded::Rejected(Rejection::TooLong));
    }

    /// The end came: a scan, unless there was nothing or too much.
    fn end(&mut self, out: &mut Vec<Decoded>) {
        let Self { data, spilling, .. } = std::mem::take(self);
        if !spilling {
            text_scans(data, out);
        }
    }

    /// The end did not come.
    fn give_up(&mut self, out: &mut Vec<Decoded>) {
        let Self { data, begun, cr, spilling, due: _ } = std::mem::take(self);
        if !spilling && (begun || cr || !data.is_empty()) {
            out.push(Decoded::Rejected(Rejection::Incomplete));
        }
    }
}

#[cfg(test)]
mod tests;
