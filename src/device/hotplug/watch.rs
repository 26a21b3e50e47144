//! The kernel's messages about devices: a netlink socket.
//!
//! Group 1 of `NETLINK_KOBJECT_UEVENT`, straight from the kernel: the messages that udev sends on after its rules
//! (group 2) are missing on hosts without udev, and their format is udev's own business. They come only in the host's
//! first network namespace, so a unit with `PrivateNetwork=` hears nothing (then the slow rescan finds out).

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, socket,
};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The kernel's group: messages before udev's rules.
const KERNEL_GROUP: u32 = 1;
/// The kernel's own limit of one message (`UEVENT_BUFFER_SIZE`, linux/kobject.h), doubled.
const MESSAGE_BYTES_MAX: usize = 4096;
/// The most messages taken in one go; the rest waits, readable still.
const MESSAGES_MAX: usize = 256;

/// Kinds of device whose coming and going may concern a reader or a printer.
const SUBSYSTEMS: [&[u8]; 5] = [b"hidraw", b"input", b"tty", b"usb", b"usbmisc"];

/// An open socket.
#[derive(Debug)]
pub struct Watch {
    socket: OwnedFd,
}

impl Watch {
    /// Opens the socket; needs no rights.
    ///
    /// # Errors
    /// As the system gives them, as in a sandbox without `AF_NETLINK`.
    pub fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let protocol = SockProtocol::NetlinkKObjectUEvent;
        let socket = socket(AddressFamily::Netlink, SockType::Datagram, flags, protocol)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, KERNEL_GROUP))?;
        Ok(Self { socket })
    }

    /// Readable when there is a message.
    #[must_use]
    pub fn wait_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Takes the messages that are there, and says whether one concerns us. Lost messages do.
    ///
    /// # Errors
    /// As the system gives them; the slow rescan goes on without the socket.
    pub fn drain(&self) -> io::Result<bool> {
        let mut relevant = false;
        let mut buffer = [0; MESSAGE_BYTES_MAX];
        for _ in 0..MESSAGES_MAX {
            match recvfrom::<NetlinkAddr>(self.socket.as_raw_fd(), &mut buffer) {
                Ok((length, from)) => {
                    let kernel = from.is_none_or(|from| from.pid() == 0);
                    relevant |= kernel && buffer.get(..length).is_some_and(is_relevant);
                }
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                // The queue ran over: something happened, nobody knows what.
                Err(Errno::ENOBUFS) => relevant = true,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(relevant)
    }
}

/// Whether a message (`add@/devices/...`, then `KEY=value`, each ended by a NUL) is about a kind of device that matters.
#[must_use]
pub fn is_relevant(message: &[u8]) -> bool {
    let mut lines = message.split(|byte| *byte == 0);
    let subsystem = lines.find_map(|line| line.strip_prefix(b"SUBSYSTEM="));
    subsystem.is_some_and(|subsystem| SUBSYSTEMS.contains(&subsystem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_by_their_subsystem() {
        let message = |subsystem: &str| {
            is_relevant(format!("add@/devices/x\0ACTION=add\0SUBSYSTEM={subsystem}\0SEQNUM=1\0").as_bytes())
        };
        assert!(message("hidraw") && message("tty") && message("input"));
        assert!(!message("block") && !message("") && !is_relevant(b"") && !is_relevant(b"SUBSYSTE"));
    }

    #[test]
    fn an_open_socket_has_nothing_to_say_by_itself() {
        // Sandboxes may refuse the socket; then the rescan is all there is.
        if let Ok(watch) = Watch::open() {
            assert!(watch.drain().is_ok());
        }
    }
}
