//! A serial scanner on a plain RS-232 port, which waits for ACK or NAK after each scan.
//!
//! The machine has two more serial ports whose lines QEMU crosses: an on-board one for the daemon, and one on a PCI card
//! where this scanner sits.

use crate::Result;
use crate::nodes::Node;
use nix::fcntl::OFlag;
use nix::sys::termios::{self, SetArg};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

/// What the host answers a scan with (ASCII).
pub const ACK: u8 = 0x06;
/// As [`ACK`].
pub const NAK: u8 = 0x15;

/// The daemon's end: the machine's second on-board port.
pub const HOST_PORT: &str = "/dev/ttyS1";

/// A scanner at its end of the cable.
#[derive(Debug)]
pub struct Scanner {
    node: Node,
}

/// The port on the PCI card: the only one that has a PCI device behind it.
fn scanners_port() -> Result<PathBuf> {
    let ports = fs::read_dir("/sys/class/tty")?.flatten();
    let on_card = ports.map(|port| port.path()).find(|port| {
        let is_serial = port.to_string_lossy().contains("/ttyS");
        is_serial && fs::canonicalize(port.join("device")).is_ok_and(|path| path.join("vendor").exists())
    });
    let name = on_card.as_ref().and_then(|port| port.file_name()).ok_or("no serial port on a PCI card")?;
    Ok(PathBuf::from("/dev").join(name))
}

/// Connects a scanner, at the 9600 bits a second that a port starts with, raw.
///
/// # Errors
/// When the machine has no such port.
pub fn connect() -> Result<Scanner> {
    let port = scanners_port()?;
    let flags = (OFlag::O_NOCTTY | OFlag::O_NONBLOCK).bits();
    let tty = OpenOptions::new().read(true).write(true).custom_flags(flags).open(&port)?;
    let mut settings = termios::tcgetattr(&tty)?;
    termios::cfmakeraw(&mut settings);
    settings.control_flags.insert(termios::ControlFlags::CLOCAL);
    termios::tcsetattr(&tty, SetArg::TCSANOW, &settings)?;
    termios::tcflush(&tty, termios::FlushArg::TCIOFLUSH)?;
    // The settings stay as long as one of the two is open.
    let node = Node::open(&port, true)?;
    drop(tty);
    Ok(Scanner { node })
}

impl Scanner {
    /// Sends a code with a CR, and gives the host's answer.
    ///
    /// # Errors
    /// When no single byte comes back `within` that time.
    pub fn scan(&mut self, code: &str, within: Duration) -> Result<u8> {
        self.node.write(format!("{code}\r").as_bytes(), within)?;
        match self.node.read(within)?.as_deref() {
            Some([answer]) => Ok(*answer),
            other => Err(format!("the host answered {other:02x?}, which is no single byte").into()),
        }
    }
}
