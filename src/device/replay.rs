//! Captures: what a reader sent, as text that people can read, and a port that plays it again.
//!
//! ```text
//! # reader: Example 1200g
//! # mode: RS232, CR LF suffix, 9600 8N1
//! # date: 2026-05-01
//! # by: A. Tester
//! # source: manual
//! # transport: serial
//! # framing: cr
//! # anything else after a # is a comment
//! 0  34 30 30 36
//! 12  33 38 0d 0a
//! ```
//!
//! The first six are needed. `hidpos` and `msr` also need the device's report descriptor, `# descriptor: 05 8c …`. Where
//! they are not the usual ones, `# framing:` (the words of `[[serial]]`), `# layout:` and `# variant:` say how the
//! bytes are to be read.
//!
//! A line is a read: milliseconds since the start, then the bytes, one report or one piece of a stream. What a capture of
//! a real shop may hold is decided before it is written, elsewhere; no real customer's code goes into one.

mod parse;

use super::hidraw;
use super::keymap::{self, KeymapError};
use super::port::{Answer, Port, PortError};
use crate::decode::Assemble;
use crate::decode::framing::{Framing, IDLE_GAP, Serial};
use crate::decode::hid::Descriptor;
use crate::decode::keyboard::{IDLE_DEFAULT, Keyboard};
use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

/// A recording of one reader.
#[derive(Clone, PartialEq, Eq)]
pub struct Capture {
    /// Maker and model, with the firmware where it is known.
    pub reader: String,
    /// How the reader was set up: interface, suffix, speed.
    pub mode: String,
    /// The day, `YYYY-MM-DD`.
    pub date: String,
    /// Who made it.
    pub by: String,
    /// How the bytes came about.
    pub source: Source,
    /// Which assembler they are for.
    pub transport: Transport,
    /// What that assembler has to know.
    pub setup: Setup,
    /// Each read, in order.
    pub reads: Vec<Read>,
}

/// What an assembler has to know to read a capture; the usual is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Setup {
    /// The report descriptor, for [`Transport::HidPos`] and [`Transport::Msr`].
    pub descriptor: Vec<u8>,
    /// The keyboard layout, as xkb names it; empty for `us`.
    pub layout: String,
    /// Its variant; empty for none.
    pub variant: String,
    /// How a serial reader marks its scans.
    pub framing: Framing,
}

/// What one read gave.
#[derive(Clone, PartialEq, Eq)]
pub struct Read {
    /// Time since the start of the recording; whole milliseconds are kept.
    pub at: Duration,
    /// 1 to [`READ_BYTES_MAX`] bytes.
    pub bytes: Vec<u8>,
}

/// Shows how much there is, not what.
impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Capture({}, {:?}, {} reads)", self.reader, self.transport, self.reads.len())
    }
}

/// Shows how much there is, not what.
impl fmt::Debug for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Read({:?}, {} bytes)", self.at, self.bytes.len())
    }
}

/// The most bytes of one line; no reader gives more in one read.
pub const READ_BYTES_MAX: usize = super::reader::READ_BYTES_MAX;

/// The most mistakes that [`Capture::parse`] lists.
pub const MISTAKES_MAX: usize = 50;

/// How a capture came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Typed in from a maker's manual.
    Manual,
    /// Sent by a program that plays the reader.
    Simulator,
    /// Recorded from the device.
    Device,
}

/// What kind of reader a capture is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Pieces of a serial stream.
    Serial,
    /// Reports of a HID POS scanner.
    HidPos,
    /// Reports of a magnetic-stripe reader.
    Msr,
    /// Key events of a keyboard, [`KEY_EVENT_BYTES`](crate::decode::KEY_EVENT_BYTES) bytes each.
    Keyboard,
}

const SOURCES: [(&str, Source); 3] =
    [("manual", Source::Manual), ("simulator", Source::Simulator), ("device", Source::Device)];

const TRANSPORTS: [(&str, Transport); 4] = [
    ("serial", Transport::Serial),
    ("hidpos", Transport::HidPos),
    ("msr", Transport::Msr),
    ("keyboard", Transport::Keyboard),
];

/// One mistake in a capture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct LineMistake {
    /// Counted from 1; one more than the file has for what is missing.
    pub line: usize,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// Why a capture cannot be decoded here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoAssembler {
    /// The layout is not to be had on this host.
    #[error("{0}")]
    Layout(#[from] KeymapError),
    /// The descriptor is not of a reader of this transport.
    #[error("its descriptor has no scan data")]
    Descriptor,
}

impl Capture {
    /// What makes scans of these reads, as it would of the reader's own.
    ///
    /// # Errors
    /// [`NoAssembler`]; of a capture that was parsed, only that the host lacks a keyboard layout.
    pub fn assembler(&self) -> Result<Box<dyn Assemble>, NoAssembler> {
        match self.transport {
            Transport::Serial => Ok(Box::new(Serial::new(self.setup.framing, IDLE_GAP))),
            Transport::HidPos | Transport::Msr => {
                let descriptor = Descriptor::parse(&self.setup.descriptor).ok();
                descriptor.as_ref().and_then(hidraw::assembler).ok_or(NoAssembler::Descriptor)
            }
            Transport::Keyboard => {
                let layout = if self.setup.layout.is_empty() { "us" } else { &self.setup.layout };
                let layout = keymap::load(layout, &self.setup.variant)?;
                Ok(Box::new(Keyboard::new(Arc::new(layout), IDLE_DEFAULT)))
            }
        }
    }

    /// How long it takes to play.
    #[must_use]
    pub fn lasts(&self, pace: Pace) -> Duration {
        let mut last = Duration::ZERO;
        let pause = |read: &Read| {
            let pause = pace.pause(read.at.saturating_sub(last));
            last = read.at;
            pause
        };
        self.reads.iter().map(pause).fold(Duration::ZERO, Duration::saturating_add)
    }

    /// Reads a capture.
    ///
    /// # Errors
    /// Every mistake, each with its line, up to [`MISTAKES_MAX`].
    pub fn parse(text: &str) -> Result<Self, Vec<LineMistake>> {
        parse::parse(text)
    }

    /// The capture as text, the form that [`Self::parse`] reads.
    #[must_use]
    pub fn to_text(&self) -> String {
        let Setup { descriptor, layout, variant, framing } = &self.setup;
        let framing =
            if *framing == Framing::default() { "" } else { parse::word(*framing, &Framing::WORDS) };
        let (source, transport) =
            (parse::word(self.source, &SOURCES), parse::word(self.transport, &TRANSPORTS));
        let descriptor = hex(descriptor);
        let needed = [&self.reader, &self.mode, &self.date, &self.by, source, transport];
        let more = [descriptor.trim_start(), layout, variant, framing].into_iter();
        let mut text = String::new();
        let more = parse::OPTIONAL.iter().zip(more).filter(|(_, value)| !value.is_empty());
        for (key, value) in parse::NEEDED.iter().zip(needed).chain(more) {
            // A line break in a value would begin another line.
            let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            text.push_str(&format!("# {key}: {value}\n"));
        }
        text.extend(self.reads.iter().map(Read::to_line));
        text
    }
}

impl Read {
    /// The line of a capture that says this.
    #[must_use]
    pub fn to_line(&self) -> String {
        format!("{} {}\n", self.at.as_millis(), hex(&self.bytes))
    }
}

/// Each byte with a space before it.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!(" {byte:02x}")).collect()
}

/// How fast a capture is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As it was recorded.
    Recorded,
    /// No pause longer than this. With [`Duration::ZERO`] as fast as it is read; then scans that only silence ends run
    /// into each other.
    AtMost(Duration),
}

impl Pace {
    /// As fast as it still decodes to the same scans: every silence that a decoder waits for is kept.
    pub const FAST: Self = Self::AtMost(Duration::from_millis(600));

    fn pause(self, recorded: Duration) -> Duration {
        match self {
            Self::Recorded => recorded,
            Self::AtMost(most) => recorded.min(most),
        }
    }
}

/// A capture played as a port: one line a read, and gone after the last.
#[derive(Debug)]
pub struct Replay {
    timer: TimerFd,
    reads: std::vec::IntoIter<Read>,
    next: Option<Read>,
    pace: Pace,
    name: String,
}

impl Replay {
    /// Starts playing now.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn new(capture: Capture, pace: Pace) -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        let mut reads = capture.reads.into_iter();
        let next = reads.next();
        let replay = Self { timer, reads, next, pace, name: format!("the replay of {}", capture.reader) };
        replay.arm(Duration::ZERO)?;
        Ok(replay)
    }

    /// Lets the descriptor become ready when the next line is due, `last` being when the line before it was.
    fn arm(&self, last: Duration) -> io::Result<()> {
        let pause = self.next.as_ref().map_or(Duration::ZERO, |next| next.at.saturating_sub(last));
        // Zero would turn the timer off.
        let pause = TimeSpec::from(self.pace.pause(pause).max(Duration::from_nanos(1)));
        Ok(self.timer.set(Expiration::OneShot(pause), TimerSetTimeFlags::empty())?)
    }
}

impl Port for Replay {
    fn wait_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<Option<usize>, PortError> {
        match self.timer.wait() {
            Ok(()) => {}
            Err(Errno::EAGAIN) => return Ok(None),
            Err(errno) => return Err(PortError::new(&self.name, errno.into())),
        }
        let Some(mut read) = self.next.take() else {
            return Err(PortError::Gone { device: self.name.clone() });
        };
        let count = read.bytes.len().min(buf.len());
        for (slot, byte) in buf.iter_mut().zip(read.bytes.drain(..count)) {
            *slot = byte;
        }
        let at = read.at;
        self.next = if read.bytes.is_empty() { self.reads.next() } else { Some(read) };
        self.arm(at).map_err(|source| PortError::Other { device: self.name.clone(), source })?;
        Ok(Some(count))
    }

    fn answer(&mut self, _answer: Answer) -> Result<(), PortError> {
        Ok(())
    }

    fn ends_in_silence(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
