//! A receipt printer with a USB printer interface (USB Printer Class 1.1) that answers the status questions of ESC/POS.
//!
//! It keeps every byte it was sent and draws nothing: what a card must look like is judged elsewhere. Questions that a
//! real printer answers in turn (`GS r`, `GS ( H`, `GS a`) are answered only at a command's place, so bytes of an image
//! that look like one stay bytes; `DLE EOT` is a real-time command and is seen anywhere, as on the real thing.

use crate::Result;
use crate::trace::Trace;
use crate::usb::{self, Descriptors, Device, Out, Setup, Speed};
use crate::vhci::{self, Plugged, Port};
use std::time::Duration;

const DLE: u8 = 0x10;
const EOT: u8 = 0x04;
const ESC: u8 = 0x1b;
const FS: u8 = 0x1c;
const GS: u8 = 0x1d;

/// `GET_PORT_STATUS`: selected, no error, paper present.
const PORT_FINE: u8 = 0x18;

/// What the printer says of itself (IEEE 1284-2000, 7.6).
pub const IEEE1284_ID: &str = "MFG:EPSON;CMD:ESC/POS;MDL:TM-T20II;CLS:PRINTER;";

/// The paper, by what its sensors say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paper {
    /// Enough of it.
    #[default]
    Fine,
    /// A few receipts more.
    NearEnd,
    /// None.
    Out,
}

/// How a printer presents itself on USB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// Printer class: the kernel's usblp takes it.
    Class,
    /// A vendor's class, and usblp takes it by its ids (drivers/usb/class/usblp.c, `usblp_ids`).
    Listed,
    /// A vendor's class with the same endpoints, which no kernel driver takes.
    Vendor,
}

impl Model {
    /// Vendor and product id (usb.ids).
    #[must_use]
    pub fn ids(self) -> (u16, u16) {
        match self {
            Self::Class => (0x04b8, 0x0e15),
            Self::Listed => (0x04b8, 0x0202),
            Self::Vendor => (0x0483, 0x5743),
        }
    }

    /// Class, subclass and protocol of its interface: 7, printer, bidirectional; or a vendor's class that says nothing.
    fn class(self) -> [u8; 3] {
        match self {
            Self::Class => [7, 1, 2],
            // usblp looks at the protocol even of those that it lists.
            Self::Listed => [0xff, 0xff, 2],
            Self::Vendor => [0xff, 0, 0],
        }
    }

    fn words(self) -> [&'static str; 2] {
        match self {
            Self::Class => ["EPSON", "TM-T20II"],
            Self::Listed => ["EPSON", "UB-U05"],
            Self::Vendor => ["STMicroelectronics", "POS58 Printer USB"],
        }
    }
}

/// A printer, with everything it was ever sent.
#[derive(Clone, Debug)]
pub struct ReceiptPrinter {
    /// How it presents itself.
    pub model: Model,
    /// Its serial number.
    pub serial: String,
    /// Every byte since it was made.
    pub received: Vec<u8>,
    /// Commands it does not know, by their first bytes: a driver that sends one is wrong for this printer.
    pub unknown: Vec<[u8; 2]>,
    /// What lies in it.
    pub paper: Paper,
    /// Its cover is open.
    pub cover_open: bool,
    /// What goes wrong once it has been sent more than so many bytes in all.
    pub fault: Option<(usize, Fault)>,
    /// Its OUT endpoint is halted until the host clears it.
    halted: bool,
    /// How much of `received` the commands read so far take.
    read: usize,
}

/// Something that goes wrong on the way to the printer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It takes nothing more.
    Deaf,
    /// Its endpoint is halted, once.
    Halt,
}

impl ReceiptPrinter {
    /// A printer with paper in it and its cover closed.
    #[must_use]
    pub fn new(model: Model, serial: &str) -> Self {
        Self {
            model,
            serial: serial.to_owned(),
            received: Vec::new(),
            unknown: Vec::new(),
            paper: Paper::default(),
            cover_open: false,
            fault: None,
            halted: false,
            read: 0,
        }
    }

    /// The answer to `DLE EOT n` (ESC/POS reference: which bits are fixed, and what the others mean).
    fn status(&self, question: u8) -> u8 {
        let is = |fact: bool, bits: u8| if fact { bits } else { 0 };
        let is_out = self.paper == Paper::Out;
        0x12 | match question {
            1 => is(is_out || self.cover_open, 0x08),
            2 => is(self.cover_open, 0x04) | is(is_out, 0x20),
            4 => is(is_out, 0x60) | is(self.paper != Paper::Fine, 0x0c),
            _ => 0,
        }
    }

    /// The four bytes of automatic status.
    fn automatic(&self) -> Vec<u8> {
        let is = |fact: bool, bits: u8| if fact { bits } else { 0 };
        let is_out = self.paper == Paper::Out;
        let first = 0x10 | is(is_out || self.cover_open, 0x08) | is(self.cover_open, 0x20);
        vec![first, 0, is(is_out, 0x0c) | is(self.paper != Paper::Fine, 0x03), 0]
    }

    /// Whether `bytes` were sent at some time.
    #[must_use]
    pub fn has_received(&self, bytes: &[u8]) -> bool {
        self.received.windows(bytes.len().max(1)).any(|window| window == bytes)
    }

    /// Real-time questions that end in the new part of what was received.
    fn realtime(&self, new_from: usize) -> Vec<Vec<u8>> {
        let from = new_from.saturating_sub(2);
        let new = self.received.get(from..).unwrap_or_default();
        let question = |w: &[u8]| match w {
            [DLE, EOT, question @ 1..=4] => Some(vec![self.status(*question)]),
            _ => None,
        };
        new.windows(3).filter_map(question).collect()
    }

    /// Reads whole commands, and answers the questions among them.
    fn read_commands(&mut self) -> Vec<Vec<u8>> {
        let mut answers = Vec::new();
        while let Some(rest) = self.received.get(self.read..).filter(|rest| !rest.is_empty()) {
            let Some(size) = command_bytes(rest) else {
                if let [a, b, ..] = rest {
                    self.unknown.push([*a, *b]);
                }
                self.read += 2;
                continue;
            };
            if rest.len() < size.max(1) {
                break;
            }
            answers.extend(self.answer(rest));
            self.read += size.max(1);
        }
        answers
    }

    /// The answer to the command that `rest` begins with, if it is a question.
    fn answer(&self, rest: &[u8]) -> Option<Vec<u8>> {
        match rest {
            // GS r: paper sensor, everything before it has been processed
            [GS, b'r', 1 | 49, ..] => Some(vec![0x00]),
            // GS ( H fn 48: the process id comes back when all before it is printed
            [GS, b'(', b'H', 6, 0, 48, 48, a, b, c, d, ..] => Some(vec![0x37, 0x22, *a, *b, *c, *d, 0x00]),
            // GS a: automatic status back, at once
            [GS, b'a', enabled, ..] if *enabled != 0 => Some(self.automatic()),
            _ => None,
        }
    }
}

/// Size of the command that `rest` begins with, or how many bytes must be there to tell; `None` for one not known.
/// (Epson's ESC/POS reference: name, parameters, range of each.)
fn command_bytes(rest: &[u8]) -> Option<usize> {
    let sized = |at: usize| {
        let (low, high) = (rest.get(at).copied(), rest.get(at + 1).copied());
        low.zip(high).map_or(at + 2, |(l, h)| at + 2 + usize::from(u16::from_le_bytes([l, h])))
    };
    let (first, second) = match rest {
        [first, second, ..] => (*first, *second),
        [DLE | ESC | FS | GS] => return Some(2),
        _ => return Some(1),
    };
    match (first, second) {
        (ESC, b'@' | b'2') | (FS, b'.' | b'&') => Some(2),
        (DLE, EOT | 0x05) => Some(3),
        (DLE, 0x14) => Some(match rest.get(2) {
            Some(7) => 4,
            Some(8) => 10,
            _ => 5,
        }),
        (
            ESC,
            b' ' | b'!' | b'-' | b'3' | b'E' | b'G' | b'J' | b'M' | b'R' | b'V' | b'a' | b'd' | b't' | b'{',
        )
        | (FS, b'!' | b'C' | b'-')
        | (GS, b'!' | b'B' | b'H' | b'I' | b'a' | b'b' | b'f' | b'h' | b'r' | b'w') => Some(3),
        (ESC, b'$' | b'\\') | (GS, b'$' | b'L' | b'P' | b'W' | b'\\') => Some(4),
        (ESC, b'p') => Some(5),
        (ESC, b'*') => Some(bit_image(rest)),
        (FS | GS | ESC, b'(') => Some(sized(3)),
        (GS, b'V') => Some(if matches!(rest.get(2), Some(0 | 1 | 48 | 49)) { 3 } else { 4 }),
        (GS, b'k') => Some(bar_code(rest)),
        (GS, b'v') => Some(raster(rest)),
        (GS, b'8') => Some(big_graphics(rest)),
        (DLE | ESC | FS | GS, _) => None,
        _ => Some(1),
    }
}

/// `ESC * m nL nH d..`: one byte a column at 8 dots, three at 24.
fn bit_image(rest: &[u8]) -> usize {
    let [_, _, mode, low, high, ..] = rest else { return 5 };
    let column = if *mode >= 32 { 3 } else { 1 };
    5 + usize::from(u16::from_le_bytes([*low, *high])) * column
}

/// `GS k m n d..` from m = 65 on, `GS k m d.. NUL` below.
fn bar_code(rest: &[u8]) -> usize {
    match rest {
        [_, _, mode, length, ..] if *mode >= 65 => 4 + usize::from(*length),
        [_, _, _, data @ ..] => 4 + data.iter().position(|b| *b == 0).unwrap_or(data.len()),
        _ => 4,
    }
}

/// `GS v 0 m xL xH yL yH d..`: x bytes by y rows.
fn raster(rest: &[u8]) -> usize {
    let [_, _, _, _, x0, x1, y0, y1, ..] = rest else { return 8 };
    8 + usize::from(u16::from_le_bytes([*x0, *x1])) * usize::from(u16::from_le_bytes([*y0, *y1]))
}

/// `GS 8 L p1 p2 p3 p4 ..`: as `GS ( L` with a longer count.
fn big_graphics(rest: &[u8]) -> usize {
    let [_, _, _, a, b, c, d, ..] = rest else { return 7 };
    usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).map_or(usize::MAX, |count| count.saturating_add(7))
}

impl Device for ReceiptPrinter {
    fn name(&self) -> &'static str {
        "printer"
    }

    fn descriptors(&self) -> Descriptors {
        let [class, subclass, protocol] = self.model.class();
        let ((vendor, product), [maker, name]) = (self.model.ids(), self.model.words());
        // Bulk OUT 0x02 and bulk IN 0x81 of 512 bytes.
        let mut interface = vec![9, 4, 0, 0, 2, class, subclass, protocol, 0];
        interface.extend([7, 5, 0x02, 2, 0x00, 0x02, 0, 7, 5, vhci::BULK_IN, 2, 0x00, 0x02, 0]);
        Descriptors {
            speed: Speed::High,
            device: usb::device_descriptor(vendor, product, 64, true),
            configuration: usb::configuration(&[&interface]),
            strings: vec![maker.to_owned(), name.to_owned(), self.serial.clone()],
        }
    }

    fn control(&mut self, setup: Setup, _data: &[u8]) -> Option<Vec<u8>> {
        match (setup.request_type, setup.request) {
            // GET_DEVICE_ID: the length counts its own two bytes
            (0xa1, 0) => {
                let length = u16::try_from(IEEE1284_ID.len() + 2).ok()?;
                Some([&length.to_be_bytes(), IEEE1284_ID.as_bytes()].concat())
            }
            (0xa1, 1) if self.paper == Paper::Out => Some(vec![PORT_FINE | 0x20]),
            (0xa1, 1) => Some(vec![PORT_FINE]),
            // SOFT_RESET, as in the class's versions 1.1 and 1.0
            (0x21 | 0x23, 2) => Some(Vec::new()),
            _ => None,
        }
    }

    fn halt_cleared(&mut self) {
        self.halted = false;
    }

    fn bulk_out(&mut self, data: &[u8]) -> Out {
        match self.fault {
            Some((after, Fault::Deaf)) if self.received.len() + data.len() > after => return Out::Later,
            Some((after, Fault::Halt)) if self.received.len() + data.len() > after => {
                self.fault = None;
                self.halted = true;
            }
            _ => {}
        }
        if self.halted {
            return Out::Stall;
        }
        let new_from = self.received.len();
        self.received.extend(data);
        let mut answers = self.realtime(new_from);
        answers.extend(self.read_commands());
        Out::Taken(answers)
    }
}

/// Plugs a printer with this serial number into `port`.
///
/// # Errors
/// As [`vhci::plug`].
pub fn plug(
    model: Model,
    serial: &str,
    port: Port,
    within: Duration,
    trace: &Trace,
) -> Result<Plugged<ReceiptPrinter>> {
    vhci::plug(ReceiptPrinter::new(model, serial), port, within, trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(parts: &[&[u8]]) -> (Vec<u8>, ReceiptPrinter) {
        let mut printer = ReceiptPrinter::new(Model::Class, "1");
        let all = parts.iter().flat_map(|part| taken(printer.bulk_out(part)).concat()).collect();
        (all, printer)
    }

    fn taken(out: Out) -> Vec<Vec<u8>> {
        let Out::Taken(answers) = out else { panic!("{out:?}") };
        answers
    }

    #[test]
    fn no_paper_and_an_open_cover_are_told() {
        let ask = |printer: &mut ReceiptPrinter| {
            taken(printer.bulk_out(b"\x10\x04\x01\x10\x04\x02\x10\x04\x04\x1da\xff")).concat()
        };
        let mut printer = ReceiptPrinter::new(Model::Class, "1");
        printer.paper = Paper::Out;
        assert_eq!(ask(&mut printer), [0x1a, 0x32, 0x7e, 0x18, 0, 0x0f, 0]);
        (printer.paper, printer.cover_open) = (Paper::NearEnd, true);
        assert_eq!(ask(&mut printer), [0x1a, 0x16, 0x1e, 0x38, 0, 0x03, 0]);
    }

    #[test]
    fn a_halted_endpoint_stays_so_until_it_is_cleared() {
        let mut printer = ReceiptPrinter::new(Model::Class, "1");
        printer.fault = Some((4, Fault::Halt));
        assert_eq!(printer.bulk_out(b"abcd"), Out::Taken(Vec::new()));
        assert_eq!([printer.bulk_out(b"e"), printer.bulk_out(b"f")], [Out::Stall, Out::Stall]);
        printer.halt_cleared();
        assert_eq!(printer.bulk_out(b"g"), Out::Taken(Vec::new()));
        printer.fault = Some((5, Fault::Deaf));
        assert_eq!(printer.bulk_out(b"h"), Out::Later);
    }

    #[test]
    fn status_questions_are_answered() {
        let cases: [(&[u8], &[u8]); 5] = [
            (b"\x1b@\x10\x04\x01", &[0x12]),
            (b"text\n\x1dr\x01", &[0x00]),
            (b"\x1d(H\x06\x0000ab12", &[0x37, 0x22, b'a', b'b', b'1', b'2', 0x00]),
            (b"\x1da\xff", &[0x10, 0, 0, 0]),
            (b"\x1da\x00", &[]),
        ];
        for (sent, expected) in cases {
            assert_eq!(answers(&[sent]).0, expected, "{sent:02x?}");
        }
    }

    #[test]
    fn a_question_may_come_in_pieces() {
        let sent = b"\x1b@\x1d(H\x06\x0000ab12\x10\x04\x04\x1dr\x01";
        let whole: Vec<u8> = answers(&[sent]).0;
        let bytes: Vec<&[u8]> = sent.chunks(1).collect();
        let mut by_byte = answers(&bytes).0;
        by_byte.sort_unstable();
        let mut expected = whole;
        expected.sort_unstable();
        assert_eq!(by_byte, expected);
    }

    #[test]
    fn an_image_asks_nothing_but_in_real_time() {
        // 3 bytes by 3 rows that hold GS r 1, GS a 255 and DLE EOT 1
        let image = b"\x1dv0\x00\x03\x00\x03\x00\x1dr\x01\x1da\xff\x10\x04\x01\x1dV\x00";
        let (answers, printer) = answers(&[image]);
        assert_eq!(answers, [0x12]);
        assert!(printer.unknown.is_empty() && printer.read == printer.received.len());
    }

    #[test]
    fn an_unknown_command_is_kept_for_the_verdict() {
        assert_eq!(answers(&[b"\x1b\x7fabc"]).1.unknown, [[0x1b, 0x7f]]);
    }
}
