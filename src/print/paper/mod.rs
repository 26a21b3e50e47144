//! An ESC/POS printer as far as the wire can tell: bytes in, replies and a page of dots out.
//!
//! The other end of [`queue`](super::queue), for the demo and for tests; it runs in nobody's shop. It interprets what
//! arrives, answers as the reference says a printer answers, and can run out of paper, be opened, go off line, or know
//! less than it should. A command it does not know is counted and named, never skipped in silence.
//! What differs from a real one: characters are kept as text, not as dots, and everything prints at once.
//!
//! Source: Epson ESC/POS Command Reference; clones' behaviour as reported of them (hardware-notes/generic-escpos.md).
//!
//! Invariant: memory is bounded by [`BUFFER_BYTES_MAX`], [`PAGES_MAX`] and [`page::PAGE_DOTS_MAX`], whatever arrives.

mod command;
mod model;
pub mod page;
mod symbols;

pub use model::{Faults, Model};

use super::codepage::CodePage;
use super::raster::Bitmap;
use command::{Command, Next};
use encoding_rs::GB18030;
use page::{Item, Page};
use qrcode::EcLevel;
use std::collections::BTreeMap;

/// Bytes that wait inside the printer; beyond, [`Paper::room`] is 0 and a sender has to wait.
pub const BUFFER_BYTES_MAX: usize = 256 * 1024;
/// Finished pages kept until they are taken; older ones are dropped.
pub const PAGES_MAX: usize = 64;
/// Kinds of unknown commands that are told apart.
const UNKNOWN_KINDS_MAX: usize = 64;

/// The modes that `ESC @` resets.
#[derive(Debug)]
struct Modes {
    align: u8,
    bold: bool,
    wide: u16,
    high: u16,
    code_page: u8,
    kanji: bool,
    qr_module: u16,
    qr_level: EcLevel,
    qr_data: Vec<u8>,
    bar_height: u16,
    bar_module: u16,
}

impl Modes {
    fn new(kanji: bool) -> Self {
        Self {
            align: 0,
            bold: false,
            wide: 1,
            high: 1,
            code_page: 0,
            kanji,
            qr_module: 3,
            qr_level: EcLevel::L,
            qr_data: Vec::new(),
            bar_height: 162,
            bar_module: 3,
        }
    }
}

/// The printer.
pub struct Paper {
    model: Model,
    faults: Faults,
    modes: Modes,
    /// Which changes are told unasked (`GS a`).
    auto: u8,
    buffer: Vec<u8>,
    /// The last two bytes received: real-time commands are seen on arrival, wherever they stand.
    last: [u8; 2],
    line: Vec<u8>,
    page: Page,
    pages: Vec<Page>,
    unknown: BTreeMap<String, u32>,
    real_time_seen: u64,
    real_time_meant: u64,
    out: Vec<u8>,
}

/// Shows counts only: pages bear codes and names.
impl std::fmt::Debug for Paper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Paper({} pages, {} bytes wait, {:?})", self.pages.len(), self.buffer.len(), self.faults)
    }
}

impl Paper {
    /// A printer just switched on.
    #[must_use]
    pub fn new(model: Model) -> Self {
        Self {
            model,
            faults: Faults::default(),
            modes: Modes::new(model.kanji_at_start),
            auto: 0,
            buffer: Vec::new(),
            last: [0; 2],
            line: Vec::new(),
            page: Page::default(),
            pages: Vec::new(),
            unknown: BTreeMap::new(),
            real_time_seen: 0,
            real_time_meant: 0,
            out: Vec::new(),
        }
    }

    /// How many bytes it would take now.
    #[must_use]
    pub fn room(&self) -> usize {
        if self.faults.stalled { 0 } else { BUFFER_BYTES_MAX.saturating_sub(self.buffer.len()) }
    }

    /// Takes bytes, as many as there is [`Self::room`] for (the rest counts as `overrun`); gives what it answers.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let taken = bytes.get(..self.room()).unwrap_or(bytes);
        if taken.len() < bytes.len() {
            self.count("overrun");
        }
        for byte in taken {
            self.real_time(*byte);
        }
        self.buffer.extend(taken);
        self.work();
        std::mem::take(&mut self.out)
    }

    /// Sets what is wrong with it; gives what it says unasked. Held data is printed once nothing is.
    pub fn set_faults(&mut self, faults: Faults) -> Vec<u8> {
        let changed = self.faults != faults;
        self.faults = faults;
        if changed && self.auto != 0 {
            self.automatic();
        }
        self.work();
        std::mem::take(&mut self.out)
    }

    /// The pages cut off so far, taken away.
    pub fn take_pages(&mut self) -> Vec<Page> {
        std::mem::take(&mut self.pages)
    }

    /// The paper that hangs out of it, not cut off yet.
    #[must_use]
    pub fn page(&self) -> &Page {
        &self.page
    }

    /// Commands it did not know and things it could not do, with how often.
    #[must_use]
    pub fn unknown(&self) -> &BTreeMap<String, u32> {
        &self.unknown
    }

    /// Real-time commands that stood inside other data: each made it do something nobody asked for.
    #[must_use]
    pub fn stray_real_time(&self) -> u64 {
        self.real_time_seen.saturating_sub(self.real_time_meant)
    }

    fn count(&mut self, what: &str) {
        if self.unknown.len() < UNKNOWN_KINDS_MAX || self.unknown.contains_key(what) {
            let times = self.unknown.entry(what.to_owned()).or_default();
            *times = times.saturating_add(1);
        }
    }

    fn real_time(&mut self, byte: u8) {
        let [first, second] = self.last;
        self.last = [second, byte];
        if first != 0x10 {
            return;
        }
        match second {
            0x04 if self.model.answers_status => {
                let status = self.status(byte);
                self.out.extend(status);
            }
            0x04 => {}
            0x05 => self.count("DLE ENQ"),
            0x14 => self.count("DLE DC4"),
            _ => return,
        }
        self.real_time_seen = self.real_time_seen.saturating_add(1);
        self.last = [0; 2];
    }

    /// The answer to `DLE EOT n`.
    fn status(&self, n: u8) -> Option<u8> {
        let Faults { paper_out, paper_near_end, cover_open, error, .. } = self.faults;
        let bit = |on: bool, mask: u8| if on { mask } else { 0 };
        let bits = match n {
            1 => bit(self.faults.halts(), 0x08),
            2 => bit(cover_open, 0x04) | bit(paper_out, 0x20) | bit(error, 0x40),
            3 => bit(error, 0x08),
            4 => bit(paper_near_end || paper_out, 0x0c) | bit(paper_out, 0x60),
            _ => return None,
        };
        Some(0x12 | bits)
    }

    fn automatic(&mut self) {
        if !self.model.answers_status || self.faults.stalled {
            return;
        }
        let Faults { paper_out, paper_near_end, cover_open, error, .. } = self.faults;
        let bit = |on: bool, mask: u8| if on { mask } else { 0 };
        let printer = 0x10 | bit(self.faults.halts(), 0x08) | bit(cover_open, 0x20);
        let paper = bit(paper_near_end || paper_out, 0x03) | bit(paper_out, 0x0c);
        self.out.extend([printer, bit(error, 0x08), paper, 0]);
    }

    fn work(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut done = 0_usize;
        while !self.faults.halts() {
            let rest = buffer.get(done..).unwrap_or_default();
            match command::next(rest, &self.model) {
                Next::More => break,
                Next::Take(length, command) => {
                    self.obey(&command);
                    done = done.saturating_add(length);
                }
            }
        }
        buffer.drain(..done);
        self.buffer = buffer;
    }

    fn obey(&mut self, command: &Command<'_>) {
        match *command {
            Command::Nothing => {}
            Command::RealTime => self.real_time_meant = self.real_time_meant.saturating_add(1),
            Command::Text(bytes) => self.line.extend(bytes),
            Command::LineFeed => self.flush(true),
            Command::Init => {
                self.line.clear();
                self.modes = Modes::new(self.model.kanji_at_start);
            }
            Command::Kanji(on) => self.modes.kanji = on,
            Command::Auto(mask) => {
                self.auto = mask;
                if mask != 0 {
                    self.automatic();
                }
            }
            Command::Align(align) => self.modes.align = align,
            Command::Bold(on) => self.modes.bold = on,
            Command::Size { wide, high } => (self.modes.wide, self.modes.high) = (wide, high),
            Command::CodePage(number) => self.modes.code_page = number,
            Command::Feed(lines) => {
                self.flush(false);
                self.add(Item::Feed(u16::from(lines).saturating_mul(page::LINE_DOTS)));
            }
            Command::FeedDots(dots) => {
                self.flush(false);
                self.add(Item::Feed(u16::from(dots)));
            }
            Command::Qr(function, data) => self.qr(function, data),
            Command::Raster { row_bytes, rows, data } => {
                self.flush(false);
                self.picture(Bitmap::from_rows(row_bytes, rows, data));
            }
            Command::BarHeight(dots) => self.modes.bar_height = u16::from(dots),
            Command::BarModule(dots) => self.modes.bar_module = u16::from(dots),
            Command::Bars(data) => self.bars(data),
            Command::Cut => self.cut(),
            Command::Sensor => self.sensor(),
            Command::ProcessId(id) => {
                self.out.extend([0x37, 0x22]);
                self.out.extend(id);
                self.out.push(0);
            }
            Command::Identify(n) => self.identify(n),
            Command::Unknown(ref name) => self.count(name),
        }
    }

    fn identify(&mut self, n: u8) {
        match n {
            _ if !self.model.answers_status => {}
            66 => self.out.extend(b"_FICHA\0"),
            67 => self.out.extend(b"_PAPER\0"),
            _ => self.count("GS I"),
        }
    }

    fn sensor(&mut self) {
        if self.model.answers_sensor {
            self.out.push(if self.faults.paper_near_end { 0x03 } else { 0 });
        }
    }

    fn add(&mut self, item: Item) {
        if !self.page.add(item) {
            self.count("page too long");
        }
    }

    /// Prints the line buffer; an empty one only for a line feed.
    fn flush(&mut self, line_feed: bool) {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() && !line_feed {
            return;
        }
        let text = match CodePage::from_epson_number(self.modes.code_page) {
            _ if self.modes.kanji => GB18030.decode_without_bom_handling(&line).0.into_owned(),
            Some(page) => page.decode(&line),
            None => {
                self.count("code page");
                String::from_utf8_lossy(&line).into_owned()
            }
        };
        let Modes { bold, wide, high, align, .. } = self.modes;
        self.add(Item::Text { text, bold, wide, high, centred: align == 1 });
    }

    fn cut(&mut self) {
        self.flush(false);
        if self.pages.len() >= PAGES_MAX {
            self.pages.remove(0);
        }
        self.pages.push(std::mem::take(&mut self.page));
    }
}
