//! The few calls to the kernel that no crate of ours offers as safe functions. Nothing else.
#![expect(
    unsafe_code,
    reason = "the one file where raw descriptors and pointers meet safe functions; each block says why it holds"
)]

use nix::errno::Errno;
use nix::libc;
use serialport::TTYPort;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The descriptor of an open serial port, for as long as the port is borrowed.
#[must_use]
pub fn tty_fd(port: &TTYPort) -> BorrowedFd<'_> {
    // SAFETY: a `TTYPort` owns its descriptor from open to drop, and cannot be dropped while it is borrowed.
    unsafe { BorrowedFd::borrow_raw(port.as_raw_fd()) }
}

/// The most supplementary groups that Linux lets a process have (limits.h).
pub const GROUPS_MAX: usize = 65_536;

/// The supplementary groups that the peer of a Unix socket had when it connected: `SO_PEERGROUPS`, unix(7), Linux 4.13.
/// Its own group, which `SO_PEERCRED` tells, need not be among them.
///
/// # Errors
/// What the kernel says; `ENODATA` or `ENOPROTOOPT` if `socket` is no connected Unix socket.
pub fn peer_groups(socket: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let room = groups.len().saturating_mul(size_of::<libc::gid_t>());
        let mut len = libc::socklen_t::try_from(room).map_err(io::Error::other)?;
        // SAFETY: `groups` is writable for `len` bytes, and the kernel writes at most that many and then sets `len`.
        let result = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut len,
            )
        };
        let count = usize::try_from(len).map_err(io::Error::other)?.div_ceil(size_of::<libc::gid_t>());
        match Errno::result(result) {
            Ok(_) => {
                groups.truncate(count);
                return Ok(groups);
            }
            // Too small: `len` now says how much it takes.
            Err(Errno::ERANGE) if count > groups.len() && count <= GROUPS_MAX => groups.resize(count, 0),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Has the calling thread give way to threads that did not ask for this: a nice value of `nice` (1 to 19) for it alone, setpriority(2). For
/// good: going back takes a privilege.
///
/// # Errors
/// What the kernel says, such as `EPERM` in a sandbox that forbids it.
pub fn give_way(nice: libc::c_int) -> io::Result<()> {
    // SAFETY: three numbers; 0 is the calling thread.
    Errno::result(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) }).map(drop)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn a_peer_has_our_own_groups() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let _client = UnixStream::connect(&path).unwrap();
        let (server, _) = listener.accept().unwrap();
        let mut want: Vec<u32> =
            nix::unistd::getgroups().unwrap().iter().map(|group| group.as_raw()).collect();
        let mut got = peer_groups(server.as_fd()).unwrap();
        want.sort_unstable();
        got.sort_unstable();
        assert_eq!(got, want);
    }

    #[test]
    fn what_is_no_unix_socket_is_an_error() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(peer_groups(file.as_fd()).is_err());
    }

    #[test]
    fn a_thread_gives_way_and_the_others_do_not() {
        let before = nice();
        let after = std::thread::spawn(|| {
            give_way(11).unwrap();
            nice()
        });
        assert_eq!((after.join().unwrap(), nice()), (11.max(before), before));
    }

    /// Of the calling thread: the 19th field of proc_pid_stat(5), the 17th after the name.
    fn nice() -> i32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, after) = stat.rsplit_once(") ").unwrap();
        after.split(' ').nth(16).unwrap().parse().unwrap()
    }
}
