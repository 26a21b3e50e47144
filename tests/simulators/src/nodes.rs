//! Finds the device nodes that belong to a port, and reads and writes them with deadlines.
//!
//! Found by the port's place in sysfs, never by number: hidraw numbers swap between boots, and usblp shares its minors
//! with hiddev, so that the first printer is seldom lp0.

use crate::Result;
use crate::vhci::Port;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// Pause between two looks at sysfs, which has nothing to wait on.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Looks until `find` finds something.
///
/// # Errors
/// When `within` has passed; `what` says what was looked for.
pub fn wait<T>(what: &str, within: Duration, mut find: impl FnMut() -> Option<T>) -> Result<T> {
    let end = Instant::now() + within;
    loop {
        if let Some(found) = find() {
            return Ok(found);
        }
        if Instant::now() >= end {
            return Err(format!("waited {within:?} for {what}").into());
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// A kind of node, by the class folder in sysfs and how its names begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `/dev/hidrawN`
    Hidraw,
    /// `/dev/input/eventN`
    Event,
    /// `/dev/usb/lpN`
    Printer,
    /// `/dev/ttyACMN`, `/dev/ttyUSBN`
    Tty,
}

impl Kind {
    fn class(self) -> (&'static str, &'static str) {
        match self {
            Self::Hidraw => ("/sys/class/hidraw", "hidraw"),
            Self::Event => ("/sys/class/input", "event"),
            Self::Printer => ("/sys/class/usbmisc", "lp"),
            Self::Tty => ("/sys/class/tty", "tty"),
        }
    }
}

/// The folder in sysfs of the node of `kind` behind `port`, if its driver has made one.
#[must_use]
pub fn find_in_sysfs(kind: Kind, port: Port) -> Option<PathBuf> {
    folders(kind, port).next()
}

fn folders(kind: Kind, port: Port) -> impl Iterator<Item = PathBuf> {
    let (class, prefix) = kind.class();
    let device = format!("-{}", u32::from(port.0) + 1); // hubs count their ports from 1: usb1/1-3
    fs::read_dir(class).into_iter().flatten().flatten().filter_map(move |entry| {
        let named = entry.file_name().to_string_lossy().starts_with(prefix);
        let path = fs::canonicalize(entry.path()).ok()?;
        let ours = path.iter().any(|part| part == "vhci_hcd.0")
            && path.iter().any(|part| part.to_string_lossy().ends_with(&device));
        (named && ours).then_some(path)
    })
}

/// The node of `kind` behind `port`, if there is one.
#[must_use]
pub fn find(kind: Kind, port: Port) -> Option<PathBuf> {
    node_of(find_in_sysfs(kind, port)?)
}

fn node_of(folder: PathBuf) -> Option<PathBuf> {
    let uevent = fs::read_to_string(folder.join("uevent")).ok()?;
    let name = uevent.lines().find_map(|line| line.strip_prefix("DEVNAME="))?;
    Some(Path::new("/dev").join(name)).filter(|node| node.exists())
}

/// Waits for the node of `kind` behind `port`.
///
/// # Errors
/// When there is none `within` that time.
pub fn appears(kind: Kind, port: Port, within: Duration) -> Result<PathBuf> {
    wait(&format!("a {kind:?} node at port {}", port.0), within, || find(kind, port))
}

/// Waits for the event node of an input device that calls itself so, wherever it is plugged in.
///
/// # Errors
/// When there is none `within` that time.
pub fn appears_as(name: &str, within: Duration) -> Result<PathBuf> {
    wait(&format!("an input device {name}"), within, || {
        let devices = fs::read_dir("/sys/class/input").ok()?.flatten().map(|entry| entry.path());
        let is_it = |device: &PathBuf| {
            let found = fs::read_to_string(device.join("device/name"));
            found.is_ok_and(|found| found.trim_end() == name)
        };
        devices.filter(is_it).find_map(node_of)
    })
}

/// Waits for the node of `kind` behind `port` that belongs to this interface of the device.
///
/// # Errors
/// When there is none `within` that time.
pub fn appears_at(kind: Kind, port: Port, interface: u8, within: Duration) -> Result<PathBuf> {
    let ending = format!(":1.{interface}");
    wait(&format!("a {kind:?} node at port {}{ending}", port.0), within, || {
        folders(kind, port)
            .find(|path| path.iter().any(|part| part.to_string_lossy().ends_with(&ending)))
            .and_then(node_of)
    })
}

/// Waits for the node of the whole device behind `port`, which libusb opens.
///
/// # Errors
/// When there is none `within` that time.
pub fn usb_device(port: Port, within: Duration) -> Result<PathBuf> {
    configured(port, within)?;
    let ending = format!("-{}", u32::from(port.0) + 1);
    wait(&format!("the USB device at port {}", port.0), within, || {
        let devices = fs::read_dir("/sys/bus/usb/devices").ok()?.flatten().map(|entry| entry.path());
        devices.filter(|device| device.to_string_lossy().ends_with(&ending)).find_map(node_of)
    })
}

/// Waits until the device behind `port` can be used: it has an interface.
///
/// # Errors
/// When it has none `within` that time.
pub fn configured(port: Port, within: Duration) -> Result<()> {
    let ending = format!("-{}:1.0", u32::from(port.0) + 1);
    wait(&format!("a device at port {}", port.0), within, || {
        let interfaces = fs::read_dir("/sys/bus/usb/devices").ok()?.flatten();
        let mut names = interfaces.map(|entry| entry.file_name());
        names.any(|name| name.to_string_lossy().ends_with(&ending)).then_some(())
    })
}

/// Waits until the node is gone.
///
/// # Errors
/// When it is still there after `within`.
pub fn vanishes(node: &Path, within: Duration) -> Result<()> {
    wait(&format!("{} to go", node.display()), within, || (!node.exists()).then_some(()))
}

/// A node that the scenario itself has open.
#[derive(Debug)]
pub struct Node {
    file: File,
    path: PathBuf,
}

impl Node {
    /// Opens a node for reading, and for writing where `write` says so.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn open(path: &Path, write: bool) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(write).custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY);
        let file = options.open(path).map_err(|e| format!("opening {}: {e}", path.display()))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// One read: a report, an input event or what a printer has answered. `None` when the device is gone.
    ///
    /// # Errors
    /// When nothing comes `within` that time.
    pub fn read(&mut self, within: Duration) -> Result<Option<Vec<u8>>> {
        let end = Instant::now() + within;
        let mut bytes = vec![0; 8192];
        loop {
            match self.file.read(&mut bytes) {
                Ok(0) => return Ok(None),
                Ok(length) => {
                    bytes.truncate(length);
                    return Ok(Some(bytes));
                }
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                // EIO from hidraw, ENODEV from evdev and usblp
                Err(e) if matches!(e.raw_os_error(), Some(nix::libc::EIO | nix::libc::ENODEV)) => {
                    return Ok(None);
                }
                Err(e) => return Err(format!("reading {}: {e}", self.path.display()).into()),
            }
            self.ready(PollFlags::POLLIN, end)?;
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// When the kernel takes less `within` that time, or refuses.
    pub fn write(&mut self, bytes: &[u8], within: Duration) -> Result<()> {
        self.ready(PollFlags::POLLOUT, Instant::now() + within)?;
        Ok(self.file.write_all(bytes)?)
    }

    /// Whether there is something to read now.
    #[must_use]
    pub fn has_data(&self) -> bool {
        let mut fds = [PollFd::new(self.file.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|count| count > 0)
    }

    fn ready(&self, flags: PollFlags, end: Instant) -> Result<()> {
        let left = end.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::new(self.file.as_fd(), flags)];
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, timeout)? {
            0 => Err(format!("{}: nothing for too long", self.path.display()).into()),
            _ => Ok(()),
        }
    }
}

/// Key codes pressed in a run of `struct input_event` (linux/input.h), as read from an event node.
#[must_use]
pub fn keys_pressed(events: &[u8]) -> Vec<u16> {
    // struct timeval (two longs), type, code, value
    let (event_bytes, _) = events.as_chunks::<24>();
    event_bytes.iter().filter_map(pressed).collect()
}

fn pressed(event: &[u8; 24]) -> Option<u16> {
    let [.., t0, t1, c0, c1, v0, v1, v2, v3] = *event;
    let is_key = u16::from_ne_bytes([t0, t1]) == 1;
    let is_down = i32::from_ne_bytes([v0, v1, v2, v3]) == 1;
    (is_key && is_down).then(|| u16::from_ne_bytes([c0, c1]))
}

/// How often a node is opened, by anybody, from when this is made.
#[derive(Debug)]
pub struct Opens(Inotify);

impl Opens {
    /// Begins to count.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn of(node: &Path) -> Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        inotify.add_watch(node, AddWatchFlags::IN_OPEN)?;
        Ok(Self(inotify))
    }

    /// How often since the last count. The kernel puts openings without another event between them into one.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn count(&self) -> Result<usize> {
        match self.0.read_events() {
            Ok(events) => Ok(events.len()),
            Err(Errno::EAGAIN) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}
