//! Reads a capture's text. Every mistake has its line; none quotes what stands there, which may be a card.

use super::{
    Capture, LineMistake, MISTAKES_MAX, READ_BYTES_MAX, Read, SOURCES, Setup, TRANSPORTS, Transport,
};
use crate::decode::framing::Framing;
use crate::decode::hid::{Descriptor, Role, role_of};
use std::time::Duration;

/// The header lines that every capture has.
pub(super) const NEEDED: [&str; 6] = ["reader", "mode", "date", "by", "source", "transport"];

/// Those that some have.
pub(super) const OPTIONAL: [&str; 4] = ["descriptor", "layout", "variant", "framing"];

/// The longest value of a header line but a descriptor, in bytes.
const VALUE_BYTES_MAX: usize = 256;

/// The longest that a capture lasts: six times what is recorded at once. A replay takes one of few places for as long.
const LASTS_MAX: Duration = Duration::from_secs(3600);

pub(super) fn parse(text: &str) -> Result<Capture, Vec<LineMistake>> {
    let mut parser = Parser::default();
    for (line, content) in (1..).zip(text.lines()) {
        if let Err(problem) = parser.line(line, content) {
            parser.mistakes.push(LineMistake { line, problem });
        }
        if parser.mistakes.len() >= MISTAKES_MAX {
            break;
        }
    }
    parser.finish(text.lines().count().saturating_add(1))
}

/// A header line's value and where it stands.
#[derive(Default)]
struct Value {
    line: usize,
    text: String,
}

#[derive(Default)]
struct Parser {
    needed: [Option<Value>; NEEDED.len()],
    optional: [Option<Value>; OPTIONAL.len()],
    reads: Vec<Read>,
    mistakes: Vec<LineMistake>,
}

impl Parser {
    fn line(&mut self, line: usize, content: &str) -> Result<(), String> {
        if let Some(comment) = content.trim_start().strip_prefix('#') {
            return self.header(line, comment);
        }
        let content = content.split('#').next().unwrap_or_default();
        let mut words = content.split_whitespace();
        let Some(ms) = words.next() else { return Ok(()) };
        let ms: u64 = ms.parse().map_err(|_| "must begin with milliseconds, a whole number")?;
        let at = Duration::from_millis(ms);
        if at > LASTS_MAX {
            return Err(format!("{} ms is the latest that a line may stand at", LASTS_MAX.as_millis()));
        }
        if self.reads.last().is_some_and(|last| at < last.at) {
            return Err("its time is before the line above".to_owned());
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
    fn header(&mut self, line: usize, comment: &str) -> Result<(), String> {
        let Some((key, value)) = comment.split_once(':') else { return Ok(()) };
        let slots = NEEDED.iter().zip(&mut self.needed).chain(OPTIONAL.iter().zip(&mut self.optional));
        let Some((key, slot)) = slots.into_iter().find(|(known, _)| **known == key.trim()) else {
            return Ok(());
        };
        if slot.is_some() {
            return Err(format!("`{key}` is given twice"));
        }
        let value = value.trim();
        if value.is_empty() {
            return Err(format!("`{key}` says nothing"));
        }
        if value.len() > VALUE_BYTES_MAX && *key != "descriptor" {
            return Err(format!("`{key}` may have {VALUE_BYTES_MAX} bytes"));
        }
        *slot = Some(Value { line, text: value.to_owned() });
        Ok(())
    }

    fn finish(mut self, end: usize) -> Result<Capture, Vec<LineMistake>> {
        for (key, _) in NEEDED.iter().zip(&self.needed).filter(|(_, given)| given.is_none()) {
            self.mistakes.push(LineMistake { line: end, problem: format!("`# {key}: …` is missing") });
        }
        let [reader, mode, date, by, source, transport] = std::mem::take(&mut self.needed);
        let [descriptor, layout, variant, framing] = std::mem::take(&mut self.optional);
        let source = self.word("source", source, &SOURCES);
        let transport = self.word("transport", transport, &TRANSPORTS);
        let framing = self.word("framing", framing, &Framing::WORDS).unwrap_or_default();
        let descriptor = transport.map(|transport| self.descriptor(transport, descriptor, end));
        let text = |value: Option<Value>| value.unwrap_or_default().text;
        let setup = Setup {
            descriptor: descriptor.unwrap_or_default(),
            layout: text(layout),
            variant: text(variant),
            framing,
        };
        match (source, transport) {
            (Some(source), Some(transport)) if self.mistakes.is_empty() => Ok(Capture {
                reader: text(reader),
                mode: text(mode),
                date: text(date),
                by: text(by),
                source,
                transport,
                setup,
                reads: self.reads,
            }),
            _ => {
                self.mistakes.sort_by_key(|mistake| mistake.line);
                Err(self.mistakes)
            }
        }
    }

    fn word<T: Copy>(&mut self, key: &str, value: Option<Value>, words: &[(&str, T)]) -> Option<T> {
        let Value { line, text } = value?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let all: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            let problem = format!("`{key}` must be one of {}", all.join(", "));
            self.mistakes.push(LineMistake { line, problem });
        }
        found
    }

    /// The descriptor, which must be of a reader of `transport`; empty where none is needed.
    fn descriptor(&mut self, transport: Transport, value: Option<Value>, end: usize) -> Vec<u8> {
        let needed = match transport {
            Transport::HidPos | Transport::Msr => true,
            Transport::Serial | Transport::Keyboard => false,
        };
        let Some(Value { line, text }) = value.filter(|_| needed) else {
            if needed {
                let problem = "`# descriptor: …` is missing: the reader's HID report descriptor".to_owned();
                self.mistakes.push(LineMistake { line: end, problem });
            }
            return Vec::new();
        };
        let hex: String = text.split_whitespace().collect();
        let descriptor = bytes(&hex).unwrap_or_default();
        let fits = match Descriptor::parse(&descriptor).map(|parsed| role_of(&parsed)) {
            Ok(Role::HidPosScanner) => transport == Transport::HidPos,
            Ok(Role::Magstripe { .. }) => transport == Transport::Msr,
            Ok(Role::Keyboard | Role::Other) | Err(_) => false,
        };
        if !fits {
            let kind = word(transport, &TRANSPORTS);
            let problem =
                format!("`descriptor` must be the report descriptor of a `{kind}` reader, in hexadecimal");
            self.mistakes.push(LineMistake { line, problem });
        }
        descriptor
    }
}

/// The word for `value`.
pub(super) fn word<T: Copy + PartialEq>(value: T, words: &[(&'static str, T)]) -> &'static str {
    words.iter().find(|(_, other)| *other == value).map_or("", |(word, _)| word)
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let pair = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    if rest.is_empty() { pairs.iter().map(pair).collect() } else { None }
}
