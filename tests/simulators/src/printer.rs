//! A receipt printer with a USB printer interface (USB Printer Class 1.1) that answers the status questions of ESC/POS.
//!
//! It keeps every byte it was sent and draws nothing: what a card must look like is judged elsewhere. Questions that a
//! real printer answers in turn (`GS r`, `GS ( H`, `GS a`) are answered only at a command's place, so bytes of an image
//! that look like one stay bytes; `DLE EOT` is a real-time command and is seen anywhere, as on the real thing.

use crate::Result;
use crate::trace::Trace;
use crate::usb::{self, Descriptors, Device, Setup, Speed};
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
pub const IEEE1284_ID: &str = "MFG:EPSON;CMD:ESC/POS;MDL:TM-T88V;CLS:PRINTER;";

/// A printer, with everything it was ever sent.
#[derive(Clone, Debug)]
pub struct ReceiptPrinter {
    /// Its serial number.
    pub serial: String,
    /// Every byte since it was made.
    pub received: Vec<u8>,
    /// Commands it does not know, by their first bytes: a driver that sends one is wrong for this printer.
    pub unknown: Vec<[u8; 2]>,
    /// How much of `received` the commands read so far take.
    read: usize,
}

impl ReceiptPrinter {
    /// A printer with paper in it and its cover closed.
    #[must_use]
    pub fn new(serial: &str) -> Self {
        Self { serial: serial.to_owned(), received: Vec::new(), unknown: Vec::new(), read: 0 }
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
        let is_question = |w: &&[u8]| matches!(w, [DLE, EOT, 1..=4]);
        new.windows(3).filter(is_question).map(|_| vec![0x12]).collect()
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
            answers.extend(answer(rest));
            self.read += size.max(1);
        }
        answers
    }
}

/// The answer to the command that `rest` begins with, if it is a question.
fn answer(rest: &[u8]) -> Option<Vec<u8>> {
    match rest {
        // GS r: paper sensor, everything before it has been processed
        [GS, b'r', 1 | 49, ..] => Some(vec![0x00]),
        // GS ( H fn 48: the process id comes back when all before it is printed
        [GS, b'(', b'H', 6, 0, 48, 48, a, b, c, d, ..] => Some(vec![0x37, 0x22, *a, *b, *c, *d, 0x00]),
        // GS a: automatic status back, at once and at every change
        [GS, b'a', enabled, ..] if *enabled != 0 => Some(vec![0x10, 0x00, 0x00, 0x00]),
        _ => None,
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
        // Class 7, printer, protocol 2: bidirectional; bulk OUT 0x02 and bulk IN 0x81 of 512 bytes.
        let interface =
            [9, 4, 0, 0, 2, 7, 1, 2, 0, 7, 5, 0x02, 2, 0x00, 0x02, 0, 7, 5, vhci::BULK_IN, 2, 0x00, 0x02, 0];
        Descriptors {
            speed: Speed::High,
            device: usb::device_descriptor(0x04b8, 0x0202, 64, true),
            configuration: usb::configuration(&[&interface]),
            strings: vec!["EPSON".to_owned(), "TM-T88V".to_owned(), self.serial.clone()],
        }
    }

    fn control(&mut self, setup: Setup, _data: &[u8]) -> Option<Vec<u8>> {
        match (setup.request_type, setup.request) {
            // GET_DEVICE_ID: the length counts its own two bytes
            (0xa1, 0) => {
                let length = u16::try_from(IEEE1284_ID.len() + 2).ok()?;
                Some([&length.to_be_bytes(), IEEE1284_ID.as_bytes()].concat())
            }
            (0xa1, 1) => Some(vec![PORT_FINE]),
            // SOFT_RESET, as in the class's versions 1.1 and 1.0
            (0x21 | 0x23, 2) => Some(Vec::new()),
            _ => None,
        }
    }

    fn bulk_out(&mut self, data: &[u8]) -> Option<Vec<Vec<u8>>> {
        let new_from = self.received.len();
        self.received.extend(data);
        let mut answers = self.realtime(new_from);
        answers.extend(self.read_commands());
        Some(answers)
    }
}

/// Plugs a printer with this serial number into `port`.
///
/// # Errors
/// As [`vhci::plug`].
pub fn plug(serial: &str, port: Port, within: Duration, trace: &Trace) -> Result<Plugged<ReceiptPrinter>> {
    vhci::plug(ReceiptPrinter::new(serial), port, within, trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(parts: &[&[u8]]) -> (Vec<u8>, ReceiptPrinter) {
        let mut printer = ReceiptPrinter::new("1");
        let all = parts.iter().flat_map(|part| printer.bulk_out(part).unwrap().concat()).collect();
        (all, printer)
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
