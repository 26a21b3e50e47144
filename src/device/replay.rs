//! Captures: what a reader sent, as text that people can read, and a port that plays it again.
//!
//! ```text
//! # reader: Example 1200g
//! # mode: RS232, CR LF suffix, 9600 8N1
//! # date: 2026-05-01
//! # by: A. Tester
//! # source: manual
//! # transport: serial
//! # anything else after a # is a comment
//! 0  34 30 30 36
//! 12  33 38 0d 0a
//! ```
//!
//! A line is a read: milliseconds since the start, then the bytes, one report or one piece of a stream. What a capture of
//! a real shop may hold is decided before it is written, elsewhere; no real customer's code goes into one.

use super::port::{Answer, Port, PortError};
use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
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
    /// Each read, in order.
    pub reads: Vec<Read>,
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

impl Capture {
    /// Reads a capture.
    ///
    /// # Errors
    /// Every mistake, each with its line, up to [`MISTAKES_MAX`].
    pub fn parse(text: &str) -> Result<Self, Vec<LineMistake>> {
        let mut parser = Parser::default();
        for (line, content) in (1..).zip(text.lines()) {
            if let Err(problem) = parser.line(content) {
                parser.mistakes.push(LineMistake { line, problem });
            }
            if parser.mistakes.len() >= MISTAKES_MAX {
                break;
            }
        }
        parser.finish(text.lines().count().saturating_add(1))
    }

    /// The capture as text, the form that [`Self::parse`] reads.
    #[must_use]
    pub fn to_text(&self) -> String {
        let source = SOURCES.iter().find(|(_, source)| *source == self.source).map_or("", |(word, _)| word);
        let transport = TRANSPORTS
            .iter()
            .find(|(_, transport)| *transport == self.transport)
            .map_or("", |(word, _)| word);
        let values = [&self.reader, &self.mode, &self.date, &self.by, source, transport];
        let mut text = String::new();
        for (key, value) in HEADER.iter().zip(values) {
            // A line break in a value would begin another line.
            let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            text.push_str(&format!("# {key}: {value}\n"));
        }
        for Read { at, bytes } in &self.reads {
            text.push_str(&format!("{} ", at.as_millis()));
            for byte in bytes {
                text.push_str(&format!(" {byte:02x}"));
            }
            text.push('\n');
        }
        text
    }
}

const HEADER: [&str; 6] = ["reader", "mode", "date", "by", "source", "transport"];

#[derive(Default)]
struct Parser {
    header: [Option<String>; 6],
    reads: Vec<Read>,
    mistakes: Vec<LineMistake>,
}

impl Parser {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if let Some(comment) = line.trim_start().strip_prefix('#') {
            return self.header(comment);
        }
        let content = line.split('#').next().unwrap_or_default();
        let mut words = content.split_whitespace();
        let Some(ms) = words.next() else { return Ok(()) };
        let ms: u64 = ms.parse().map_err(|_| format!("`{ms}` must be milliseconds, a whole number"))?;
        let at = Duration::from_millis(ms);
        if self.reads.last().is_some_and(|last| at < last.at) {
            return Err(format!("{ms} ms is before the line above"));
        }
        let hex: String = words.collect();
        let bytes = bytes(&hex).ok_or("the bytes must be hexadecimal, two digits each")?;
        if !(1..=READ_BYTES_MAX).contains(&bytes.len()) {
            return Err(format!("{} bytes; a read has 1 to {READ_BYTES_MAX}", bytes.len()));
        }
        self.reads.push(Read { at, bytes });
        Ok(())
    }

    /// A header line, or a comment.
    fn header(&mut self, comment: &str) -> Result<(), String> {
        let Some((key, value)) = comment.split_once(':') else { return Ok(()) };
        let slot = HEADER.iter().zip(&mut self.header).find(|(known, _)| **known == key.trim());
        let Some((key, slot)) = slot else { return Ok(()) };
        if slot.is_some() {
            return Err(format!("`{key}` is given twice"));
        }
        let value = value.trim();
        if value.is_empty() {
            return Err(format!("`{key}` says nothing"));
        }
        *slot = Some(value.to_owned());
        Ok(())
    }

    fn finish(mut self, end: usize) -> Result<Capture, Vec<LineMistake>> {
        let given = self.header.clone().map(|value| value.is_some());
        for (key, _) in HEADER.iter().zip(given).filter(|(_, given)| !given) {
            self.mistakes.push(LineMistake { line: end, problem: format!("`# {key}: …` is missing") });
        }
        let [reader, mode, date, by, source, transport] = self.header.map(Option::unwrap_or_default);
        let source_word = word(&source, &SOURCES);
        let transport_word = word(&transport, &TRANSPORTS);
        for (given, problem) in [(&source, source_word.err()), (&transport, transport_word.err())] {
            self.mistakes.extend(
                problem.filter(|_| !given.is_empty()).map(|problem| LineMistake { line: end, problem }),
            );
        }
        match (word(&source, &SOURCES), word(&transport, &TRANSPORTS)) {
            (Ok(source), Ok(transport)) if self.mistakes.is_empty() => {
                Ok(Capture { reader, mode, date, by, source, transport, reads: self.reads })
            }
            _ => Err(self.mistakes),
        }
    }
}

fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    let all: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
    found.ok_or_else(|| format!("`{text}` must be one of {}", all.join(", ")))
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let pair = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    if rest.is_empty() { pairs.iter().map(pair).collect() } else { None }
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
        let pause = match self.pace {
            Pace::Recorded => pause,
            Pace::AtMost(most) => pause.min(most),
        };
        // Zero would turn the timer off.
        let pause = TimeSpec::from(pause.max(Duration::from_nanos(1)));
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
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# reader: Example 1200g\n# mode: RS232: CR LF\n# date: 2026-05-01\n# by: A. Tester\n\
        # source: manual\n# transport: serial\n0  34 30\n12  0d 0a\n";

    #[test]
    fn written_and_read_again() {
        let capture = Capture::parse(TEXT).unwrap();
        assert_eq!(capture.mode, "RS232: CR LF");
        assert_eq!(capture.reads[1], Read { at: Duration::from_millis(12), bytes: b"\r\n".to_vec() });
        assert_eq!(capture.to_text(), TEXT);
        let odd = Capture { by: "A\nB".to_owned(), ..capture };
        assert_eq!(Capture::parse(&odd.to_text()).map(|odd| odd.by), Ok("A B".to_owned()));
    }

    #[test]
    fn every_mistake_has_its_line() {
        let text = "# reader: x\n# reader: y\n# mode:\n# source: guess\n# transport: serial\n\n# a note: fine\n\
            5 41 # letter\nx 41\n4 41\n6 4\n7\n8 zz\n";
        let said: Vec<String> = Capture::parse(text).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "line 2: `reader` is given twice",
                "line 3: `mode` says nothing",
                "line 9: `x` must be milliseconds, a whole number",
                "line 10: 4 ms is before the line above",
                "line 11: the bytes must be hexadecimal, two digits each",
                "line 12: 0 bytes; a read has 1 to 4096",
                "line 13: the bytes must be hexadecimal, two digits each",
                "line 14: `# mode: …` is missing",
                "line 14: `# date: …` is missing",
                "line 14: `# by: …` is missing",
                "line 14: `guess` must be one of `manual`, `simulator`, `device`",
            ]
        );
        let many = "x\n".repeat(1000);
        assert!(Capture::parse(&many).unwrap_err().len() <= MISTAKES_MAX + HEADER.len());
    }

    #[test]
    fn debug_shows_no_byte() {
        let capture = Capture::parse(TEXT).unwrap();
        let shown = format!("{capture:?} {:?}", capture.reads);
        assert_eq!(
            shown,
            "Capture(Example 1200g, Serial, 2 reads) [Read(0ns, 2 bytes), Read(12ms, 2 bytes)]"
        );
    }
}
