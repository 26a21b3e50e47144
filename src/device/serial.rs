//! Opens scanners on serial lines: RS-232, USB converters, CDC-ACM, and pseudo-terminals in tests.
//!
//! A tty is never opened unasked: it may be the payment terminal. Only what a `[[serial]]` table names comes here. Raw mode,
//! exclusive use and DTR (several CDC-ACM models send nothing without it) are set before the first byte is read, and what
//! came before is thrown away: it was another program's, or a customer's who has left.

use super::port::{Answer, OpenError, Port, PortError};
use crate::decode::framing::{Framing, IDLE_GAP, Serial};
use crate::domain::id::{ReaderName, RegisterName};
use crate::domain::settings::Keys;
use crate::sys;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use serialport::{ClearBuffer, DataBits, FlowControl, Parity, SerialPort as _, StopBits, TTYPort};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::Duration;

/// The most `[[serial]]` tables.
pub const PORTS_MAX: usize = 16;

/// The `[[serial]]` tables of the config: the adopted ttys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// In the order of the file; no path twice.
    pub ports: Vec<PortSettings>,
}

/// One adopted tty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortSettings {
    /// The device node; `/dev/serial/by-id/…` or `by-path/…` stays the same when others are plugged in.
    pub path: PathBuf,
    /// The reader's name; else its stable identity.
    pub name: Option<ReaderName>,
    /// The register that it belongs to; else the only one.
    pub register: Option<RegisterName>,
    /// Bits a second.
    pub baud: u32,
    /// Data bits, parity, stop bits.
    pub format: Format,
    /// How the scanner marks its scans.
    pub framing: Framing,
    /// What it waits for before it sends, or after.
    pub handshake: Handshake,
    /// The silence that ends a scan without a mark.
    pub idle: Duration,
}

/// Data bits, parity and stop bits, written as `8N1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    data: DataBits,
    parity: Parity,
    stop: StopBits,
}

/// `8N1`.
impl Default for Format {
    fn default() -> Self {
        Self { data: DataBits::Eight, parity: Parity::None, stop: StopBits::One }
    }
}

impl std::str::FromStr for Format {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let [data, parity, stop] = text.as_bytes() else { return Err(FORMAT) };
        let data = match data {
            b'5' => DataBits::Five,
            b'6' => DataBits::Six,
            b'7' => DataBits::Seven,
            b'8' => DataBits::Eight,
            _ => return Err(FORMAT),
        };
        let parity = match parity {
            b'N' | b'n' => Parity::None,
            b'E' | b'e' => Parity::Even,
            b'O' | b'o' => Parity::Odd,
            _ => return Err(FORMAT),
        };
        let stop = match stop {
            b'1' => StopBits::One,
            b'2' => StopBits::Two,
            _ => return Err(FORMAT),
        };
        Ok(Self { data, parity, stop })
    }
}

const FORMAT: &str = "must be data bits 5 to 8, parity N, E or O, stop bits 1 or 2, such as `8N1`";

/// How scanner and host hold each other back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Handshake {
    /// Not at all.
    #[default]
    None,
    /// The scanner waits for ACK (06h) or NAK (15h) after each scan.
    AckNak,
    /// Either side stops the other with XOFF.
    XonXoff,
    /// RTS and CTS lines.
    RtsCts,
}

impl Settings {
    /// Takes the `[[serial]]` tables.
    pub fn read(keys: &mut Keys<'_>) -> Self {
        let path = |port: &PortSettings| port.path.display().to_string();
        Self { ports: keys.distinct("serial", PORTS_MAX, "path", path, PortSettings::read) }
    }
}

impl PortSettings {
    /// A port with nothing said but its path: 9600 8N1, framing auto, no handshake.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            name: None,
            register: None,
            baud: BAUD,
            format: Format::default(),
            framing: Framing::default(),
            handshake: Handshake::default(),
            idle: IDLE_GAP,
        }
    }

    fn read(keys: &mut Keys<'_>) -> Option<Self> {
        let path = keys.parsed("path", |text| {
            let absolute = text.starts_with("/dev/") && !text.contains("/../");
            if absolute { Ok(text.to_owned()) } else { Err("must be a device node, `/dev/…`") }
        });
        let path = keys.required("path", path);
        let mut port = Self::new(path.clone().unwrap_or_default());
        port.name = keys.parsed("name", |name| ReaderName::new(name));
        port.register = keys.parsed("register", |name| RegisterName::new(name));
        let baud = keys.number("baud", 300..=4_000_000, "bits a second");
        port.baud = baud.and_then(|baud| u32::try_from(baud).ok()).unwrap_or(port.baud);
        port.format = keys.parsed("format", str::parse).unwrap_or_default();
        port.framing = keys.word("framing", &Framing::WORDS).unwrap_or_default();
        port.handshake = keys.word("handshake", &HANDSHAKES).unwrap_or_default();
        port.idle =
            keys.number("idle_ms", 10..=5000, "milliseconds").map_or(port.idle, Duration::from_millis);
        path.map(|_| port)
    }

    /// The name it was given, else `port:` and the node's path below `/dev`.
    #[must_use]
    pub fn reader_name(&self) -> ReaderName {
        let port = || {
            let path = self.path.to_string_lossy();
            let below = path.strip_prefix("/dev/").unwrap_or(&path);
            // A path that is no name (spaces, or very long) still needs one of its own.
            ReaderName::new(format!("port:{below}")).unwrap_or_else(|_| ReaderName::hashed("port:", &path))
        };
        self.name.clone().unwrap_or_else(port)
    }

    /// Whether the scanner waits for ACK or NAK.
    #[must_use]
    pub fn wants_answers(&self) -> bool {
        self.handshake == Handshake::AckNak
    }

    /// What makes scans of this port's bytes.
    #[must_use]
    pub fn assembler(&self) -> Serial {
        Serial::new(self.framing, self.idle)
    }

    /// Opens the port: raw, exclusive, DTR up, nothing left over from before.
    ///
    /// # Errors
    /// [`OpenError`] says what to do next.
    pub fn open(&self) -> Result<SerialPort, OpenError> {
        let failed = |source| OpenError::new(&self.path, source);
        let (flow, answers) = match self.handshake {
            Handshake::None => (FlowControl::None, false),
            Handshake::AckNak => (FlowControl::None, true),
            Handshake::XonXoff => (FlowControl::Software, false),
            Handshake::RtsCts => (FlowControl::Hardware, false),
        };
        let tty = serialport::new(self.path.to_string_lossy(), self.baud)
            .data_bits(self.format.data)
            .parity(self.format.parity)
            .stop_bits(self.format.stop)
            .flow_control(flow)
            .dtr_on_open(true)
            .exclusive(true)
            .open_native()
            .map_err(|error| failed(sorted(error)))?;
        tty.clear(ClearBuffer::Input).map_err(|error| failed(sorted(error)))?;
        fcntl(sys::tty_fd(&tty), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .map_err(|errno| failed(errno.into()))?;
        Ok(SerialPort { tty, answers, device: self.path.display().to_string() })
    }
}

/// The library keeps no errno, and has one kind for "locked by another" and nothing for "no such device".
fn sorted(error: serialport::Error) -> io::Error {
    match error.kind() {
        serialport::ErrorKind::NoDevice => io::Error::new(io::ErrorKind::ResourceBusy, error.description),
        serialport::ErrorKind::Io(kind) => io::Error::new(kind, error.description),
        serialport::ErrorKind::InvalidInput | serialport::ErrorKind::Unknown => {
            let gone = [Errno::ENODEV, Errno::ENXIO, Errno::EIO]
                .iter()
                .any(|errno| errno.desc() == error.description);
            let kind = if gone { io::ErrorKind::NotFound } else { io::ErrorKind::Other };
            io::Error::new(kind, error.description)
        }
    }
}

const BAUD: u32 = 9600;

const HANDSHAKES: [(&str, Handshake); 4] = [
    ("none", Handshake::None),
    ("ack_nak", Handshake::AckNak),
    ("xon_xoff", Handshake::XonXoff),
    ("rts_cts", Handshake::RtsCts),
];

const ACK: u8 = 0x06;
const NAK: u8 = 0x15;

/// An open serial scanner.
#[derive(Debug)]
pub struct SerialPort {
    tty: TTYPort,
    answers: bool,
    device: String,
}

impl Port for SerialPort {
    fn wait_fd(&self) -> BorrowedFd<'_> {
        sys::tty_fd(&self.tty)
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<Option<usize>, PortError> {
        match nix::unistd::read(self.wait_fd(), buf) {
            // The end of a tty in raw mode is a hang-up.
            Ok(0) => Err(PortError::Gone { device: self.device.clone() }),
            Ok(count) => Ok(Some(count)),
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
            Err(errno) => Err(PortError::new(&self.device, errno.into())),
        }
    }

    fn answer(&mut self, answer: Answer) -> Result<(), PortError> {
        if !self.answers {
            return Ok(());
        }
        let byte = match answer {
            Answer::Ack => ACK,
            Answer::Nak => NAK,
        };
        let sent = nix::unistd::write(self.wait_fd(), &[byte]);
        sent.map(drop).map_err(|errno| PortError::new(&self.device, errno.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::read_text;

    fn read(file: &str) -> (Settings, Vec<String>) {
        let (settings, mistakes) = read_text(file, Settings::read).unwrap();
        (settings, mistakes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_path_is_enough() {
        let (settings, mistakes) = read(
            "[[serial]]\npath = \"/dev/ttyACM0\"\n\
             [[serial]]\npath = \"/dev/ttyS0\"\nname = \"counter\"\nregister = \"till-1\"\nbaud = 115200\n\
             format = \"7e2\"\nframing = \"stx_etx\"\nhandshake = \"ack_nak\"\nidle_ms = 50\n",
        );
        assert_eq!(mistakes, [""; 0]);
        let counter = PortSettings {
            name: Some(ReaderName::new("counter").unwrap()),
            register: Some(RegisterName::new("till-1").unwrap()),
            baud: 115_200,
            format: Format { data: DataBits::Seven, parity: Parity::Even, stop: StopBits::Two },
            framing: Framing::StxEtx,
            handshake: Handshake::AckNak,
            idle: Duration::from_millis(50),
            ..PortSettings::new("/dev/ttyS0")
        };
        assert_eq!(settings.ports, [PortSettings::new("/dev/ttyACM0"), counter]);
    }

    #[test]
    fn every_mistake_names_its_key() {
        let (_, mistakes) = read(
            "[[serial]]\nbaud = 1\nname = \"a b\"\n[[serial]]\npath = \"ttyS0\"\nformat = \"9N1\"\nframing = \"crcr\"\n\
             handshake = \"ack\"\nidle_ms = 0\nspeed = 1\n\
             [[serial]]\npath = \"/dev/ttyS1\"\n[[serial]]\npath = \"/dev/ttyS1\"\n",
        );
        let keys: Vec<&str> = mistakes.iter().map(|mistake| mistake.split(": ").next().unwrap()).collect();
        let want =
            ["[0].path", "[0].name", "[0].baud", "[1].path", "[1].format", "[1].framing", "[1].handshake"];
        let mut want: Vec<String> = want.iter().map(|key| format!("serial{key}")).collect();
        want.extend(["serial[1].idle_ms", "serial[1].speed", "serial[3].path"].map(str::to_owned));
        assert_eq!(keys, want, "{mistakes:?}");
    }
}
