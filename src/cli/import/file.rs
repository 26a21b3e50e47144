//! A file of rows as text: which encoding it is in, what divides its cells, and the reading of it.
//!
//! Looks at the whole file once, to hash it and to find what is not UTF-8; then it is read piece by piece. Knows nothing of
//! columns.

use crate::cli::ask::Usage;
use anyhow::Context as _;
use encoding_rs::{Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Bytes by which UTF-16 without a mark is told.
const LOOKED_AT_BYTES: usize = 4096;

/// What a file is, as far as its bytes tell.
pub(super) struct Look {
    pub(super) encoding: &'static Encoding,
    /// Of its bytes alone: the same file is the same import, wherever it lies.
    pub(super) import: Uuid,
    pub(super) bytes: u64,
}

/// Looks at a file. `named` is the encoding that the caller knows it to be in.
pub(super) fn look(path: &Path, named: Option<&'static Encoding>) -> anyhow::Result<Look> {
    let mut file = open(path)?;
    let (mut digest, mut utf8, mut bytes) = (Sha256::new(), Utf8::default(), 0_u64);
    digest.update(b"ficha import 1\n");
    let mut first = Vec::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = file.read(&mut piece).with_context(|| cannot_read(path))?;
        let read = piece.get(..count).unwrap_or_default();
        if read.is_empty() {
            break;
        }
        bytes = bytes.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        digest.update(read);
        utf8.see(read);
        if first.len() < LOOKED_AT_BYTES {
            first.extend(read.iter().take(LOOKED_AT_BYTES));
        }
    }
    utf8.end();
    let encoding = match named {
        Some(named) => named,
        None => encoding_of(&first, &utf8)?,
    };
    let mut id = [0; 16];
    for (slot, byte) in id.iter_mut().zip(digest.finalize().iter()) {
        *slot = *byte;
    }
    Ok(Look { encoding, import: uuid::Builder::from_custom_bytes(id).into_uuid(), bytes })
}

fn encoding_of(first: &[u8], utf8: &Utf8) -> Result<&'static Encoding, Usage> {
    if let Some((encoding, _)) = Encoding::for_bom(first) {
        return Ok(encoding);
    }
    if let Some(encoding) = utf_16(first) {
        return Ok(encoding);
    }
    match utf8.wrong_line {
        None => Ok(UTF_8),
        // Text in Windows-1252 is hardly ever UTF-8 by chance.
        Some(line) if utf8.beyond_ascii => Err(Usage(format!(
            "line {line} is not UTF-8, and lines before it are: save the file anew, or say what it is with `--encoding`"
        ))),
        Some(_) => Ok(WINDOWS_1252),
    }
}

/// Text in Latin letters has a zero in most of its pairs of bytes, and always at the same place.
fn utf_16(first: &[u8]) -> Option<&'static Encoding> {
    let pairs = first.len() / 2;
    let zeros = |at: usize| first.iter().skip(at).step_by(2).filter(|byte| **byte == 0).count();
    let most = |count: usize| count.saturating_mul(4) > pairs && count > 0;
    match (most(zeros(0)), most(zeros(1))) {
        (false, true) => Some(UTF_16LE),
        (true, false) => Some(UTF_16BE),
        (true, true) | (false, false) => None,
    }
}

/// Whether bytes that come in pieces are UTF-8.
#[derive(Default)]
struct Utf8 {
    /// What was cut off at the end of a piece, three bytes at most.
    rest: Vec<u8>,
    lines: u64,
    /// Some of it was, beyond ASCII.
    beyond_ascii: bool,
    /// The first line that is not, from 1.
    wrong_line: Option<u64>,
}

impl Utf8 {
    fn see(&mut self, piece: &[u8]) {
        if self.wrong_line.is_some() {
            return;
        }
        let mut bytes = std::mem::take(&mut self.rest);
        bytes.extend_from_slice(piece);
        let (good, cut) = match std::str::from_utf8(&bytes) {
            Ok(_) => (bytes.len(), false),
            Err(error) => (error.valid_up_to(), error.error_len().is_none()),
        };
        let (good, bad) = bytes.split_at_checked(good).unwrap_or_default();
        let lines = good.iter().filter(|byte| **byte == b'\n').count();
        self.lines = self.lines.saturating_add(u64::try_from(lines).unwrap_or(u64::MAX));
        self.beyond_ascii = self.beyond_ascii || !good.is_ascii();
        if cut {
            self.rest = bad.to_vec();
        } else if !bad.is_empty() {
            self.wrong_line = Some(self.lines.saturating_add(1));
        }
    }

    fn end(&mut self) {
        if !self.rest.is_empty() && self.wrong_line.is_none() {
            self.wrong_line = Some(self.lines.saturating_add(1));
        }
    }
}

/// The text of a file in UTF-8, without its mark; what cannot be read comes as U+FFFD.
pub(super) struct Text {
    file: File,
    decoder: Decoder,
    raw: Vec<u8>,
    text: Vec<u8>,
    /// How much of `text` was handed on.
    given: usize,
    ended: bool,
    /// The last sign was a carriage return, and is held back until the next is known.
    held_back: bool,
    /// Bytes of the file that were read.
    read: Arc<AtomicU64>,
}

impl Text {
    pub(super) fn open(path: &Path, encoding: &'static Encoding) -> anyhow::Result<Self> {
        let (file, decoder) = (open(path)?, encoding.new_decoder_with_bom_removal());
        let (raw, text, read) = (vec![0; PIECE_BYTES], Vec::new(), Arc::default());
        Ok(Self { file, decoder, raw, text, given: 0, ended: false, held_back: false, read })
    }

    /// How far it has come, in bytes of the file.
    pub(super) fn progress(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }

    fn more(&mut self) -> io::Result<()> {
        let count = self.file.read(&mut self.raw)?;
        self.ended = count == 0;
        self.read.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
        let raw = self.raw.get(..count).unwrap_or_default();
        let room = self.decoder.max_utf8_buffer_length(count);
        let room = room.ok_or_else(|| io::Error::other("a piece is too long"))?;
        self.text.resize(room, 0);
        let (_, _, written, _) = self.decoder.decode_to_utf8(raw, &mut self.text, self.ended);
        self.text.truncate(written);
        self.one_sign_a_line();
        self.given = 0;
        Ok(())
    }

    /// Lines end with a line feed alone from here on: whoever counts them counts each once.
    fn one_sign_a_line(&mut self) {
        let text = std::mem::take(&mut self.text);
        self.text.reserve(text.len().saturating_add(1));
        for byte in text {
            if std::mem::take(&mut self.held_back) && byte != b'\n' {
                self.text.push(b'\r');
            }
            if byte == b'\r' {
                self.held_back = true;
            } else {
                self.text.push(byte);
            }
        }
        if self.ended && std::mem::take(&mut self.held_back) {
            self.text.push(b'\r');
        }
    }
}

impl Read for Text {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.given >= self.text.len() && !self.ended {
            self.more()?;
        }
        let left = self.text.get(self.given..).unwrap_or_default();
        let count = left.len().min(to.len());
        for (slot, byte) in to.iter_mut().zip(left) {
            *slot = *byte;
        }
        self.given = self.given.saturating_add(count);
        Ok(count)
    }
}

fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).with_context(|| cannot_read(path))
}

fn cannot_read(path: &Path) -> String {
    format!("{} cannot be read", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> Result<&'static Encoding, Usage> {
        let mut utf8 = Utf8::default();
        // In pieces of every size that cuts a letter in two.
        bytes.chunks(3).for_each(|piece| utf8.see(piece));
        utf8.end();
        encoding_of(bytes, &utf8)
    }

    #[test]
    fn an_encoding_is_told_by_the_bytes() {
        let text = "Nombre;Población\nIñaki;Gijón\n";
        assert_eq!(told(text.as_bytes()).ok(), Some(UTF_8));
        assert_eq!(told(b"Nombre\nAna\n").ok(), Some(UTF_8));
        assert_eq!(told(&[b"\xef\xbb\xbf", text.as_bytes()].concat()).ok(), Some(UTF_8));
        assert_eq!(told(&WINDOWS_1252.encode(text).0).ok(), Some(WINDOWS_1252));
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!((told(&little).ok(), told(&big).ok()), (Some(UTF_16LE), Some(UTF_16BE)));
        assert_eq!(told(&[b"\xff\xfe".to_vec(), little].concat()).ok(), Some(UTF_16LE));
        let mixed = told(b"Nombre\nI\xc3\xb1aki\nI\xf1aki\n").unwrap_err();
        assert!(mixed.0.starts_with("line 3 "), "{mixed}");
        assert!(told(b"Gij\xc3").is_ok_and(|encoding| encoding == WINDOWS_1252), "cut off at the end");
    }

    #[test]
    fn a_line_ends_with_one_sign_wherever_a_piece_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for fill in [PIECE_BYTES - 2, PIECE_BYTES - 1, PIECE_BYTES] {
            let text = format!("{}\r\na\rb\r\nc\r", "x".repeat(fill));
            std::fs::write(&path, &text).unwrap();
            let mut read = String::new();
            Text::open(&path, UTF_8).unwrap().read_to_string(&mut read).unwrap();
            assert!(read.ends_with("x\na\rb\nc\r"), "{fill}");
        }
    }

    #[test]
    fn every_encoding_reads_as_the_same_text() {
        let text = "Nombre;Población\nIñaki;Gijón\n".repeat(9_000);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let files: [Vec<u8>; 4] = [
            text.clone().into_bytes(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            WINDOWS_1252.encode(&text).0.into_owned(),
            [b"\xff\xfe".to_vec(), little].concat(),
        ];
        let mut imports = std::collections::BTreeSet::new();
        for bytes in files {
            std::fs::write(&path, &bytes).unwrap();
            let look = look(&path, None).unwrap();
            assert_eq!(look.bytes, u64::try_from(bytes.len()).unwrap());
            imports.insert(look.import);
            let mut read = String::new();
            Text::open(&path, look.encoding).unwrap().read_to_string(&mut read).unwrap();
            assert!(read == text, "{}", look.encoding.name());
        }
        assert_eq!(imports.len(), 4);
    }
}
