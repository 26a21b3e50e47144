//! Serial scanners on USB: CDC-ACM as the class says it, and behind an FTDI chip. They send only while DTR is up, as several
//! models do, and remember everything that was done to the line.

use crate::Result;
use crate::trace::Trace;
use crate::usb::{self, Descriptors, Device, Out, Setup, Speed};
use crate::vhci::{self, BULK_IN, Plugged, Port};
use std::time::Duration;

/// Bytes of a bulk packet at full speed; an FTDI chip puts two status bytes into each.
const PACKET_BYTES: usize = 64;

/// What ftdi_sio is told first in every packet: CTS and DSR up, and the transmitter empty.
const FTDI_STATUS: [u8; 2] = [0x31, 0x60];

/// Clock of an FT232R's divisor.
const FTDI_CLOCK: u32 = 3_000_000;

/// What makes the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chip {
    /// `cdc_acm`: `/dev/ttyACMN`.
    CdcAcm,
    /// FT232R, `ftdi_sio`: `/dev/ttyUSBN`.
    Ftdi,
    /// `cdc_acm` again, of a maker that no rule of ours names: what a modem looks like.
    Modem,
}

/// The line as the host has set it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Bits a second.
    pub baud: u32,
    /// Data bits, parity and stop bits, as `8N1`.
    pub format: String,
    /// DTR is up.
    pub dtr: bool,
    /// RTS is up.
    pub rts: bool,
    /// How often DTR went up.
    pub dtr_raised: u32,
    /// What the host sent.
    pub received: Vec<u8>,
}

/// A scanner, not yet plugged in.
#[derive(Clone, Debug)]
pub struct SerialScanner {
    chip: Chip,
    serial: String,
    /// The line, as it is now.
    pub line: Line,
}

impl Line {
    fn set_dtr(&mut self, is_up: bool) {
        self.dtr_raised += u32::from(is_up && !self.dtr);
        self.dtr = is_up;
    }

    fn set_format(&mut self, data: u8, parity: u8, stop: char) {
        let parity = match parity {
            0 => 'N',
            1 => 'O',
            2 => 'E',
            _ => '?',
        };
        self.format = format!("{data}{parity}{stop}");
    }
}

impl SerialScanner {
    /// CDC PSTN 1.2, 6.3: SET_LINE_CODING, GET_LINE_CODING, SET_CONTROL_LINE_STATE.
    fn acm(&mut self, setup: Setup, data: &[u8]) -> Option<Vec<u8>> {
        match (setup.request_type, setup.request) {
            (0x21, 0x20) => {
                let [b0, b1, b2, b3, stop, parity, bits] = *data else { return None };
                self.line.baud = u32::from_le_bytes([b0, b1, b2, b3]);
                self.line.set_format(bits, parity, if stop == 0 { '1' } else { '2' });
                Some(Vec::new())
            }
            (0xa1, 0x21) => Some([&9600_u32.to_le_bytes()[..], &[0, 0, 8]].concat()),
            (0x21, 0x22) => {
                self.line.set_dtr(setup.value & 1 != 0);
                self.line.rts = setup.value & 2 != 0;
                Some(Vec::new())
            }
            (0x21, 0x23) => Some(Vec::new()), // SEND_BREAK
            _ => None,
        }
    }

    /// FTDI's requests (application note AN232B-05 for the divisor; numbers as drivers/usb/serial/ftdi_sio.h has them).
    fn ftdi(&mut self, setup: Setup) -> Option<Vec<u8>> {
        match (setup.request_type, setup.request) {
            (0x40, 1) => {
                let [levels, which] = setup.value.to_le_bytes();
                if which & 1 != 0 {
                    self.line.set_dtr(levels & 1 != 0);
                }
                if which & 2 != 0 {
                    self.line.rts = levels & 2 != 0;
                }
            }
            (0x40, 3) => self.line.baud = baud(setup.value, setup.index),
            (0x40, 4) => {
                let [bits, more] = setup.value.to_le_bytes();
                self.line.set_format(bits, more & 7, if more >> 3 & 3 == 0 { '1' } else { '2' });
            }
            // reset and purge, flow control, event and error characters, latency timer
            (0x40, 0 | 2 | 6 | 7 | 9) => {}
            (0xc0, 5) => return Some(FTDI_STATUS.to_vec()),
            (0xc0, 10) => return Some(vec![16]),
            (0xc0, 0x90) => return Some(vec![0xff, 0xff]), // an empty EEPROM
            _ => return None,
        }
        Some(Vec::new())
    }
}

/// The speed of an FT232R's divisor: 14 bits of whole, eighths as a code in three more.
fn baud(value: u16, index: u16) -> u32 {
    const EIGHTHS: [u32; 8] = [0, 4, 2, 1, 3, 5, 6, 7];
    let code = usize::from(value >> 14 | (index & 1) << 2);
    let eighths = u32::from(value & 0x3fff) * 8 + EIGHTHS.get(code).copied().unwrap_or_default();
    match eighths {
        0 => FTDI_CLOCK,
        8 => 2_000_000,
        eighths => FTDI_CLOCK * 8 / eighths,
    }
}

impl Device for SerialScanner {
    fn name(&self) -> &'static str {
        match self.chip {
            Chip::CdcAcm => "cdc-acm",
            Chip::Ftdi => "ftdi",
            Chip::Modem => "modem",
        }
    }

    fn descriptors(&self) -> Descriptors {
        let data = |class: [u8; 3], number: u8| {
            let [class, subclass, protocol] = class;
            let mut bytes = vec![9, 4, number, 0, 2, class, subclass, protocol, 0];
            bytes.extend([7, 5, BULK_IN, 2, 64, 0, 0, 7, 5, 0x02, 2, 64, 0, 0]);
            bytes
        };
        // CDC 1.2, 5.2.3: header, call management, abstract control (line coding), union; one interrupt endpoint
        let control: &[u8] = &[
            9, 4, 0, 0, 1, 2, 2, 1, 0, 5, 0x24, 0, 0x10, 0x01, 5, 0x24, 1, 0, 1, 4, 0x24, 2, 2, 5, 0x24, 6,
            0, 1, 7, 5, 0x83, 3, 8, 0, 16,
        ];
        let (mut device, configuration, words) = match self.chip {
            Chip::CdcAcm => (
                usb::device_descriptor(0x05e0, 0x1701, 64, true),
                usb::configuration(&[control, &data([10, 0, 0], 1)]),
                ["Symbol Technologies, Inc", "Symbol CDC Scanner"],
            ),
            Chip::Ftdi => (
                usb::device_descriptor(0x0403, 0x6001, 8, true),
                usb::configuration(&[&data([0xff, 0xff, 0xff], 0)]),
                ["FTDI", "FT232R USB UART"],
            ),
            // pid.codes' number for tests
            Chip::Modem => (
                usb::device_descriptor(0x1209, 0x0001, 64, true),
                usb::configuration(&[control, &data([10, 0, 0], 1)]),
                ["Nobody", "Test modem"],
            ),
        };
        if let (Chip::CdcAcm | Chip::Modem, Some(class)) = (self.chip, device.get_mut(4)) {
            *class = 2; // communications device
        }
        if let (Chip::Ftdi, Some(release)) = (self.chip, device.get_mut(12..14)) {
            release.copy_from_slice(&[0x00, 0x06]); // bcdDevice 6.00: an FT232R
        }
        let mut strings = words.map(str::to_owned).to_vec();
        strings.push(self.serial.clone());
        Descriptors { speed: Speed::Full, device, configuration, strings }
    }

    fn control(&mut self, setup: Setup, data: &[u8]) -> Option<Vec<u8>> {
        match self.chip {
            Chip::CdcAcm | Chip::Modem => self.acm(setup, data),
            Chip::Ftdi => self.ftdi(setup),
        }
    }

    fn bulk_out(&mut self, data: &[u8]) -> Out {
        self.line.received.extend(data);
        Out::Taken(Vec::new())
    }
}

/// A scanner in its port.
#[derive(Debug)]
pub struct Scanner {
    chip: Chip,
    plugged: Plugged<SerialScanner>,
}

/// Plugs a scanner with this serial number into `port`.
///
/// # Errors
/// As [`vhci::plug`].
pub fn plug(chip: Chip, serial: &str, port: Port, within: Duration, trace: &Trace) -> Result<Scanner> {
    let scanner = SerialScanner { chip, serial: serial.to_owned(), line: Line::default() };
    Ok(Scanner { chip, plugged: vhci::plug(scanner, port, within, trace)? })
}

impl Scanner {
    /// Scans a code, with a CR behind it.
    ///
    /// # Errors
    /// When DTR does not come up, or nobody reads the line, `within` that time.
    pub fn scan(&self, code: &str, within: Duration) -> Result<()> {
        self.send(&format!("{code}\r"), within)
    }

    /// Sends characters as soon as DTR is up.
    ///
    /// # Errors
    /// As [`Self::scan`].
    pub fn send(&self, text: &str, within: Duration) -> Result<()> {
        self.plugged.wait("DTR", within, |scanner| scanner.line.dtr.then_some(()))?;
        let head = match self.chip {
            Chip::CdcAcm | Chip::Modem => &[][..],
            Chip::Ftdi => &FTDI_STATUS[..],
        };
        let room = PACKET_BYTES - head.len();
        let mut parts = text.as_bytes().chunks(room);
        parts.try_for_each(|part| self.plugged.report(BULK_IN, &[head, part].concat(), within))
    }

    /// The line as the host has set it.
    #[must_use]
    pub fn line(&self) -> Line {
        self.plugged.with(|scanner| scanner.line.clone())
    }

    /// Whether somebody has the line open: only then does a driver ask for data.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.plugged.is_asked(BULK_IN)
    }

    /// Waits until the line is as `ready` wants it.
    ///
    /// # Errors
    /// When it is not `within` that time.
    pub fn wait(&self, what: &str, within: Duration, ready: impl Fn(&Line) -> bool) -> Result<()> {
        self.plugged.wait(what, within, |scanner| ready(&scanner.line).then_some(()))
    }

    /// Pulls the plug.
    ///
    /// # Errors
    /// As [`Plugged::unplug`].
    pub fn unplug(self, within: Duration) -> Result<()> {
        self.plugged.unplug(within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divisors_are_speeds() {
        for (value, index, speed) in [
            (0x4138, 0, 9600),
            (0x001a, 0, 115_384),
            (0xc027, 0, 76_677),
            (0x009c, 0, 19_230),
            (0, 0, FTDI_CLOCK),
        ] {
            assert_eq!(baud(value, index), speed, "{value:04x}");
        }
    }

    #[test]
    fn an_acm_line_is_as_it_was_set() {
        let mut scanner = SerialScanner { chip: Chip::CdcAcm, serial: String::new(), line: Line::default() };
        let ask = |request, value| Setup { request_type: 0x21, request, value, index: 0 };
        assert!(scanner.control(ask(0x20, 0), &[0x80, 0x25, 0, 0, 0, 2, 7]).is_some());
        assert!(scanner.control(ask(0x22, 3), &[]).is_some());
        assert!(scanner.control(ask(0x22, 0), &[]).is_some());
        let want = Line { baud: 9600, format: "7E1".to_owned(), dtr_raised: 1, ..Line::default() };
        assert_eq!(scanner.line, want);
    }
}
