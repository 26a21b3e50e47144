//! An open port, whatever its kind: non-blocking reads and writes, and a wait that a command can end.

use super::address::{Address, Flow, UsbId};
use super::libusb::UsbLink;
use crate::print::queue::NoPort;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;
use nix::sys::socket::{Shutdown, setsockopt, shutdown, sockopt};
use nix::sys::termios::{self, BaudRate, ControlFlags, FlushArg, InputFlags, SetArg};
use std::fs::{File, OpenOptions};
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// For each address of a network printer. Printers are in the shop; a second more would only hold up the next try.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// Silence on a network connection until the kernel asks whether the printer is still there.
const KEEPALIVE_IDLE_S: u32 = 10;
/// Between two such questions.
const KEEPALIVE_EVERY_S: u32 = 5;
/// Unanswered ones until the connection is given up.
const KEEPALIVE_COUNT: u32 = 3;
/// Before a printer that answered a read with nothing is asked again; some USB printers send empty packets without end.
const EMPTY_PAUSE: Duration = Duration::from_millis(50);
/// For the last bytes on their way to a USB printer when it is let go.
const CLOSE_LIMIT: Duration = Duration::from_millis(200);

/// Why a port could not be opened: one variant for each thing done next. All are tried again.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not plugged in, switched off, or a wrong address.
    #[error("{address} does not answer: is the printer switched on and plugged in? ({source})")]
    Gone {
        /// Where.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// Another program has it.
    #[error(
        "{address} is busy or switched off: another program holds it, it takes one connection at a time, or it refuses any ({source}); {hint}"
    )]
    Busy {
        /// Where.
        address: String,
        /// What the system said.
        source: io::Error,
        /// What to do.
        hint: &'static str,
    },
    /// The daemon may not open it.
    #[error("no permission for {address}: install the udev rules, then replug the printer ({source})")]
    Permission {
        /// Where.
        address: String,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    pub(super) fn of(address: &Address, source: io::Error) -> Self {
        let name = address.to_string();
        let hint = match address {
            Address::Tcp { .. } => "it is tried again",
            Address::Serial { .. } | Address::Usblp(_) | Address::UsblpNode(_) => {
                "`fuser -v` on its node names it"
            }
            Address::Libusb(_) => {
                "the kernel's usblp has it, or CUPS: use `usblp:` instead, or remove its queue"
            }
        };
        let kind = source.kind();
        let busy = [io::ErrorKind::ResourceBusy, io::ErrorKind::WouldBlock, io::ErrorKind::ConnectionRefused];
        if kind == io::ErrorKind::PermissionDenied {
            Self::Permission { address: name, source }
        } else if busy.contains(&kind) {
            Self::Busy { address: name, source, hint }
        } else {
            Self::Gone { address: name, source }
        }
    }

    pub(super) fn kind(&self) -> NoPort {
        match self {
            Self::Busy { .. } => NoPort::Busy,
            Self::Gone { .. } | Self::Permission { .. } => NoPort::Gone,
        }
    }
}

/// What a read or a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Took {
    Bytes(usize),
    Nothing,
    Lost,
}

/// An open port.
#[derive(Debug)]
pub(super) enum Link {
    Tcp(TcpStream),
    Tty(Flock<File>),
    Usblp {
        node: File,
        /// The last read gave nothing.
        empty: bool,
    },
    Libusb(UsbLink),
}

impl Link {
    pub(super) fn open(address: &Address) -> Result<Self, OpenError> {
        let opened = match address {
            Address::Tcp { host, port } => tcp(host, *port).map(Self::Tcp),
            Address::Serial { node, baud, flow } => tty(node, *baud, *flow).map(Self::Tty),
            Address::Usblp(id) => find_usblp(Path::new("/sys"), id).and_then(|node| usblp(&node)),
            Address::UsblpNode(node) => usblp(node),
            Address::Libusb(id) => UsbLink::open(id).map(Self::Libusb),
        };
        opened.map_err(|source| OpenError::of(address, source))
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Tcp(stream) => Some(stream.as_fd()),
            Self::Tty(node) => Some(node.as_fd()),
            Self::Usblp { node, .. } => Some(node.as_fd()),
            Self::Libusb(_) => None,
        }
    }

    /// Waits for the printer, a command, or the limit, whichever is first.
    pub(super) fn wait(&mut self, wake: &EventFd, to_write: bool, limit: Option<Duration>) {
        let Some(fd) = self.fd() else {
            // libusb's own reads wait.
            return wait_for_wake(wake, Some(Duration::ZERO));
        };
        let empty = matches!(self, Self::Usblp { empty: true, .. });
        let mut events = if empty { PollFlags::empty() } else { PollFlags::POLLIN };
        events.set(PollFlags::POLLOUT, to_write);
        let limit =
            if empty { Some(limit.map_or(EMPTY_PAUSE, |limit| limit.min(EMPTY_PAUSE))) } else { limit };
        let mut fds = [PollFd::new(wake.as_fd(), PollFlags::POLLIN), PollFd::new(fd, events)];
        // An interrupted wait is a short one.
        poll(&mut fds, timeout(limit)).map(drop).unwrap_or_default();
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Took {
        match self {
            Self::Libusb(link) => link.write(bytes),
            Self::Tcp(_) | Self::Tty(_) | Self::Usblp { .. } => match self.fd() {
                Some(fd) => took(nix::unistd::write(fd, bytes)),
                None => Took::Lost,
            },
        }
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Took {
        let count = match self {
            Self::Libusb(link) => return link.read(buffer),
            Self::Tcp(_) | Self::Tty(_) | Self::Usblp { .. } => match self.fd() {
                Some(fd) => nix::unistd::read(fd, buffer),
                None => return Took::Lost,
            },
        };
        match (self, count) {
            (Self::Usblp { empty, .. }, Ok(0)) => {
                *empty = true;
                Took::Nothing
            }
            // Not a printer that can answer: `usblp` of a one-way device.
            (Self::Usblp { empty, .. }, Err(Errno::EINVAL)) => {
                *empty = true;
                Took::Nothing
            }
            (Self::Usblp { empty, .. }, count) => {
                *empty = false;
                took(count)
            }
            (_, Ok(0)) => Took::Lost,
            (_, count) => took(count),
        }
    }

    /// Lets go of it.
    pub(super) fn close(mut self) {
        if let Self::Usblp { node, .. } = &self {
            // usblp drops what is still on its way when its node is closed.
            let mut fds = [PollFd::new(node.as_fd(), PollFlags::POLLOUT)];
            poll(&mut fds, timeout(Some(CLOSE_LIMIT))).map(drop).unwrap_or_default();
        }
        // Unread answers would make the kernel reset the connection and the printer drop what it has not worked off.
        let mut buffer = [0_u8; super::READ_BYTES];
        if let Self::Tcp(stream) = &self {
            shutdown(stream.as_raw_fd(), Shutdown::Write).unwrap_or_default();
            while matches!(self.read(&mut buffer), Took::Bytes(_)) {}
        }
    }
}

/// Waits for a command or the limit.
pub(super) fn wait_for_wake(wake: &EventFd, limit: Option<Duration>) {
    let mut fds = [PollFd::new(wake.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, timeout(limit)).map(drop).unwrap_or_default();
}

fn timeout(limit: Option<Duration>) -> PollTimeout {
    // Rounded up, so that the deadline has passed when the wait is over.
    let up = limit.map(|limit| limit.saturating_add(Duration::from_micros(999)));
    up.map_or(PollTimeout::NONE, |limit| PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX))
}

fn took(result: nix::Result<usize>) -> Took {
    match result {
        Ok(0) | Err(Errno::EAGAIN | Errno::EINTR) => Took::Nothing,
        Ok(count) => Took::Bytes(count),
        Err(_) => Took::Lost,
    }
}

fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_LIMIT) {
            Ok(stream) => {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                setsockopt(&stream, sockopt::KeepAlive, &true)?;
                setsockopt(&stream, sockopt::TcpKeepIdle, &KEEPALIVE_IDLE_S)?;
                setsockopt(&stream, sockopt::TcpKeepInterval, &KEEPALIVE_EVERY_S)?;
                setsockopt(&stream, sockopt::TcpKeepCount, &KEEPALIVE_COUNT)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn node(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    OpenOptions::new().read(true).write(true).custom_flags(flags.bits()).open(path)
}

fn usblp(path: &Path) -> io::Result<Link> {
    node(path).map(|node| Link::Usblp { node, empty: false })
}

/// A tty, raw, 8 bits without parity. Locked by `flock`, which programs that share a tty look at.
fn tty(path: &Path, baud: u32, flow: Flow) -> io::Result<Flock<File>> {
    let file = Flock::lock(node(path)?, FlockArg::LockExclusiveNonblock)
        .map_err(|(_, errno)| io::Error::from(errno))?;
    let mut settings = termios::tcgetattr(&*file)?;
    termios::cfmakeraw(&mut settings);
    // Keep DTR up on close: some printers reset when it falls.
    settings.control_flags.remove(ControlFlags::HUPCL | ControlFlags::CRTSCTS | ControlFlags::CSTOPB);
    settings.control_flags.insert(ControlFlags::CLOCAL | ControlFlags::CREAD);
    settings.input_flags.remove(InputFlags::IXOFF | InputFlags::IXANY);
    settings.input_flags.set(InputFlags::IXON, flow == Flow::XonXoff);
    settings.control_flags.set(ControlFlags::CRTSCTS, flow == Flow::RtsCts);
    let rate = rate(baud).ok_or(io::ErrorKind::InvalidInput)?;
    termios::cfsetspeed(&mut settings, rate)?;
    termios::tcsetattr(&*file, SetArg::TCSANOW, &settings)?;
    // Answers to a program that had the printer before are not ours.
    termios::tcflush(&*file, FlushArg::TCIFLUSH)?;
    Ok(file)
}

/// The speeds that serial printers have.
pub(super) fn rate(baud: u32) -> Option<BaudRate> {
    Some(match baud {
        1_200 => BaudRate::B1200,
        2_400 => BaudRate::B2400,
        4_800 => BaudRate::B4800,
        9_600 => BaudRate::B9600,
        19_200 => BaudRate::B19200,
        38_400 => BaudRate::B38400,
        57_600 => BaudRate::B57600,
        115_200 => BaudRate::B115200,
        230_400 => BaudRate::B230400,
        460_800 => BaudRate::B460800,
        921_600 => BaudRate::B921600,
        _ => return None,
    })
}

/// The node of the kernel's printer driver for this printer, by what sysfs (mounted at `sysfs`) says.
///
/// # Errors
/// `NotFound` if there is none; `InvalidInput` if there are several, which only a serial number can tell apart.
pub(super) fn find_usblp(sysfs: &Path, id: &UsbId) -> io::Result<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(sysfs.join("class/usbmisc"))? {
        let entry = entry?.path();
        // `device` is the interface; the device above it knows who it is.
        let Ok(interface) = entry.join("device").canonicalize() else { continue };
        let Some(device) = interface.parent() else { continue };
        let read = |name: &str| std::fs::read_to_string(device.join(name)).map(|text| text.trim().to_owned());
        let hex = |name: &str| read(name).ok().and_then(|text| u16::from_str_radix(&text, 16).ok());
        let same = hex("idVendor") == Some(id.vendor) && hex("idProduct") == Some(id.product);
        let serial = id.serial.as_ref().is_none_or(|serial| read("serial").is_ok_and(|read| read == *serial));
        let uevent = std::fs::read_to_string(entry.join("uevent")).unwrap_or_default();
        let name = uevent.lines().find_map(|line| line.strip_prefix("DEVNAME="));
        found.extend(
            name.filter(|name| same && serial && name.starts_with("usb/lp"))
                .map(|name| Path::new("/dev").join(name)),
        );
    }
    match found.as_slice() {
        [node] => Ok(node.clone()),
        [] => Err(io::Error::new(io::ErrorKind::NotFound, "no such printer at the kernel's driver")),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "several are plugged in: add `/SERIAL` to the address",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// A sysfs with printers as the kernel shows them: class link, interface, device.
    fn sysfs(printers: &[(&str, &str, &str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("class/usbmisc")).unwrap();
        for (node, vendor, product, serial) in printers {
            let device = root.path().join(format!("devices/usb1/{node}"));
            let interface = device.join("1-1:1.0");
            let misc = interface.join("usbmisc").join(node);
            fs::create_dir_all(&misc).unwrap();
            fs::write(device.join("idVendor"), format!("{vendor}\n")).unwrap();
            fs::write(device.join("idProduct"), format!("{product}\n")).unwrap();
            fs::write(device.join("serial"), format!("{serial}\n")).unwrap();
            fs::write(misc.join("uevent"), format!("MAJOR=180\nMINOR=1\nDEVNAME=usb/{node}\n")).unwrap();
            symlink(&interface, misc.join("device")).unwrap();
            symlink(&misc, root.path().join("class/usbmisc").join(node)).unwrap();
        }
        root
    }

    #[test]
    fn the_node_is_found_by_identity() {
        let root = sysfs(&[
            ("lp0", "0416", "5011", "A"),
            ("lp1", "04b8", "0202", "B"),
            ("lp2", "0416", "5011", "C"),
        ]);
        let find = |id: &str| find_usblp(root.path(), &id.parse().unwrap());
        assert_eq!(find("04b8:0202").unwrap(), Path::new("/dev/usb/lp1"));
        assert_eq!(find("0416:5011/C").unwrap(), Path::new("/dev/usb/lp2"));
        assert_eq!(find("0416:5011").unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(find("04b8:0e15").unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn errors_say_what_to_do() {
        let address: Address = "usb://04b8:0202".parse().unwrap();
        let busy = OpenError::of(&address, io::Error::from(io::ErrorKind::ResourceBusy));
        assert!(busy.to_string().contains("usblp"), "{busy}");
        assert_eq!(busy.kind(), NoPort::Busy);
        let denied = OpenError::of(&address, io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(denied.to_string().contains("udev"), "{denied}");
        assert_eq!(OpenError::of(&address, io::Error::from(Errno::ENODEV)).kind(), NoPort::Gone);
        assert_eq!(OpenError::of(&address, io::Error::from(Errno::EBUSY)).kind(), NoPort::Busy);
    }
}
