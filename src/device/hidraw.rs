//! HID POS scanners and magnetic stripe readers, through the kernel's hidraw nodes.
//!
//! What a node is for is known from its descriptor in sysfs before it is opened: one Honeywell is three nodes with one
//! vendor and product id, and only one of them is the scanner. Opened for reading only.
//!
//! The node is opened here and not by hidapi, which keeps its file descriptor to itself (2.6.7: a private box), so that
//! a thread could only wait in its `read_timeout` and not be told to stop. hidapi gives the overview that
//! `doctor` compares with ours.

use super::port::{Answer, OpenError, Port, PortError};
use crate::decode::Assemble;
use crate::decode::hid::{DESCRIPTOR_BYTES_MAX, Descriptor, Role, Scanner, find_role, role_of};
use crate::decode::magstripe::Swipe;
use nix::errno::Errno;
use nix::libc::O_NONBLOCK;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// An open hidraw node.
#[derive(Debug)]
pub struct HidrawPort {
    file: File,
    node: PathBuf,
}

/// Reads a report descriptor from `device/report_descriptor` of a folder of `/sys/class/hidraw`, which everybody may.
///
/// # Errors
/// As the file gives them; one byte more than a descriptor may have is read at most.
pub fn read_descriptor(sysfs: &Path) -> io::Result<Vec<u8>> {
    let most = u64::try_from(DESCRIPTOR_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    File::open(sysfs.join("device/report_descriptor"))?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The decoder for a device that is taken by itself; `None` for every other.
#[must_use]
pub fn assembler(descriptor: &Descriptor) -> Option<Box<dyn Assemble>> {
    match role_of(descriptor) {
        Role::HidPosScanner => {
            Scanner::new(descriptor).map(|scanner| -> Box<dyn Assemble> { Box::new(scanner) })
        }
        Role::Magstripe { .. } => {
            Swipe::new(descriptor).map(|swipe| -> Box<dyn Assemble> { Box::new(swipe) })
        }
        Role::Keyboard | Role::Other => None,
    }
}

/// What udev is to know of a hidraw device: the line `FICHAD_ROLE=...` for `IMPORT{program}` (udev/70-fichad.rules).
/// `sysfs` is its folder there. A descriptor that cannot be read or is broken is `other`: nothing is given away for it.
#[must_use]
pub fn udev_line(sysfs: &Path) -> String {
    let role = read_descriptor(sysfs).ok().and_then(|descriptor| find_role(&descriptor).ok());
    format!("FICHAD_ROLE={}", role.unwrap_or(Role::Other).word())
}

/// Opens `node` (`/dev/hidrawN`), whose folder in sysfs must still show `descriptor`: while it is open, its number goes to no
/// other device.
///
/// # Errors
/// [`OpenError::Permission`], or [`OpenError::Gone`], also if another device has taken the number.
pub fn open(node: &Path, sysfs: &Path, descriptor: &[u8]) -> Result<HidrawPort, OpenError> {
    let failed = |error| OpenError::new(node, error);
    let file = File::options().read(true).custom_flags(O_NONBLOCK).open(node).map_err(failed)?;
    if read_descriptor(sysfs).map_err(failed)? != descriptor {
        let source = io::Error::other("another device has taken its place");
        return Err(OpenError::Gone { node: node.to_owned(), source });
    }
    Ok(HidrawPort { file, node: node.to_owned() })
}

impl Port for HidrawPort {
    fn wait_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// A report longer than `buf` is cut off by the kernel, and then rejected as too short.
    fn read(&mut self, buf: &mut [u8]) -> Result<Option<usize>, PortError> {
        let lost = |source| PortError::new(&self.node.display().to_string(), source);
        loop {
            match nix::unistd::read(&self.file, buf) {
                // A report has a byte at least, so this is the end of the device.
                Ok(0) => return Err(lost(io::ErrorKind::UnexpectedEof.into())),
                Ok(length) => return Ok(Some(length)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(None),
                Err(error) => return Err(lost(error.into())),
            }
        }
    }

    fn answer(&mut self, _answer: Answer) -> Result<(), PortError> {
        Ok(())
    }
}

/// One HID collection as hidapi lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The device node.
    pub node: PathBuf,
    /// USB vendor and product id.
    pub ids: (u16, u16),
    /// Usage page and usage of the top-level collection.
    pub usage: (u16, u16),
}

/// What hidapi sees on this host, opened or not; for `doctor`.
///
/// # Errors
/// As hidapi gives them.
pub fn overview() -> Result<Vec<Seen>, hidapi::HidError> {
    let api = hidapi::HidApi::new()?;
    let seen = api.device_list().map(|device| Seen {
        node: PathBuf::from(device.path().to_string_lossy().into_owned()),
        ids: (device.vendor_id(), device.product_id()),
        usage: (device.usage_page(), device.usage()),
    });
    Ok(seen.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::fcntl::OFlag;
    use nix::unistd::{pipe2, write};

    #[test]
    fn reads_reports_then_nothing_then_the_end() {
        let (read_end, write_end) = pipe2(OFlag::O_NONBLOCK).unwrap();
        let mut port = HidrawPort { file: File::from(read_end), node: PathBuf::from("/dev/hidraw9") };
        let mut buf = [0; 8];
        assert_eq!(port.read(&mut buf).unwrap(), None);
        assert_eq!(write(&write_end, b"\x02abc").unwrap(), 4);
        assert_eq!(port.read(&mut buf).unwrap(), Some(4));
        drop(write_end);
        assert!(matches!(port.read(&mut buf), Err(PortError::Gone { .. })));
    }

    #[test]
    fn a_node_that_is_not_there_is_gone_and_another_device_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let node = folder.path().join("hidraw0");
        assert!(matches!(open(&node, folder.path(), b"x"), Err(OpenError::Gone { .. })));
        std::fs::write(&node, "").unwrap();
        std::fs::create_dir(folder.path().join("device")).unwrap();
        std::fs::write(folder.path().join("device/report_descriptor"), "y").unwrap();
        assert!(matches!(open(&node, folder.path(), b"x"), Err(OpenError::Gone { .. })));
        assert!(open(&node, folder.path(), b"y").is_ok());
    }

    #[test]
    fn hidapi_answers_on_any_host() {
        assert!(overview().is_ok());
    }
}
