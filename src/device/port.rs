//! What every opened device can do, and how opening and reading fail. Decodes nothing, waits for nothing.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

/// An opened reader: never blocks, is waited for through its descriptor.
pub trait Port: Send {
    /// What to poll for reading before [`Self::read`]. Another one after a call of `read` is allowed.
    fn wait_fd(&self) -> BorrowedFd<'_>;

    /// Takes what is there: a piece of a stream, or exactly one report. `None` when nothing is there now.
    ///
    /// # Errors
    /// [`PortError::Gone`] once the device is; what it had sent before comes first.
    fn read(&mut self, buf: &mut [u8]) -> Result<Option<usize>, PortError>;

    /// Tells the reader what became of its scan, where it was set up to be told; elsewhere nothing happens.
    ///
    /// # Errors
    /// [`PortError::Stuck`] if the reader's line takes no byte now, else as for `read`.
    fn answer(&mut self, answer: Answer) -> Result<(), PortError>;

    /// Whether its end is a silence, as that of a capture, and not a plug pulled out in the middle of something.
    fn ends_in_silence(&self) -> bool {
        false
    }
}

/// What a reader with a host handshake waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The scan is safe: the reader beeps and may send the next one.
    Ack,
    /// The scan was not taken: the reader sends it again, up to three times.
    Nak,
}

/// Why a device node could not be opened: one variant for each thing done next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Wait for udev; a retry cannot help.
    #[error("no permission for {}: `ficha doctor` has the command that gives it", .node.display())]
    Permission {
        /// The device node.
        node: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Retry with backoff: the other program may let go.
    #[error("{} is held by another program; `fuser -v {}` names it", .node.display(), .node.display())]
    Busy {
        /// The device node.
        node: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Retry in a moment: whoever has the keyboard now would never hear of these keys being let go.
    #[error("keys of {} are held down; let go of them", .node.display())]
    KeysDown {
        /// The device node.
        node: PathBuf,
    },
    /// Forget the device: hotplug tells when it is back.
    #[error("{} is not there: plug it in, or correct its path in the config", .node.display())]
    Gone {
        /// The device node.
        node: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Something a person has to look at.
    #[error("{} cannot be opened; `ficha doctor` looks into it", .node.display())]
    Other {
        /// The device node.
        node: PathBuf,
        /// What the kernel or the library said.
        source: io::Error,
    },
}

impl OpenError {
    /// Sorts what opening `node` said.
    #[must_use]
    pub fn new(node: &Path, source: io::Error) -> Self {
        use nix::libc::{EBUSY, ENODEV, ENOENT, ENXIO};
        let node = node.to_owned();
        match (source.kind(), source.raw_os_error()) {
            (io::ErrorKind::PermissionDenied, _) => Self::Permission { node, source },
            (io::ErrorKind::ResourceBusy | io::ErrorKind::WouldBlock, _) | (_, Some(EBUSY)) => {
                Self::Busy { node, source }
            }
            (io::ErrorKind::NotFound, _) | (_, Some(ENOENT | ENODEV | ENXIO)) => Self::Gone { node, source },
            _ => Self::Other { node, source },
        }
    }
}

/// Why an open device gives no more: one variant for each thing done next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// Unplugged, or the other end hung up: close it and wait for hotplug.
    #[error("{device} is gone: unplugged or switched off")]
    Gone {
        /// The node or the name of the device.
        device: String,
    },
    /// The line takes no byte now (XOFF, CTS): the answer is lost, the device lives.
    #[error("{device} takes no answer now: check its flow control setting")]
    Stuck {
        /// The node or the name of the device.
        device: String,
    },
    /// Close it and open it again, with backoff.
    #[error("{device} failed; it is opened again")]
    Other {
        /// The node or the name of the device.
        device: String,
        /// What the kernel said.
        source: io::Error,
    },
}

impl PortError {
    /// Sorts what reading or writing `device` said. What the kernel gives for a device that was unplugged differs
    /// between drivers: EIO (tty, usblp), ENODEV (hidraw, evdev), ENXIO, EPIPE, or end of file.
    #[must_use]
    pub fn new(device: &str, source: io::Error) -> Self {
        use nix::libc::{EBADF, EIO, ENODEV, ENOTCONN, ENXIO, EPIPE, ESHUTDOWN};
        let device = device.to_owned();
        match source.raw_os_error() {
            Some(EIO | ENODEV | ENXIO | EPIPE | ESHUTDOWN | ENOTCONN | EBADF) => Self::Gone { device },
            _ if source.kind() == io::ErrorKind::UnexpectedEof => Self::Gone { device },
            _ if source.kind() == io::ErrorKind::WouldBlock => Self::Stuck { device },
            _ => Self::Other { device, source },
        }
    }
}
