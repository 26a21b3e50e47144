//! The Unix socket: made so that nobody can connect before it is as it should be; every peer known by its credentials.

use super::hub::Hub;
use super::out::Out;
use super::ring::Frame;
use super::session::{Service, Session};
use super::settings::SOCKET_PATH_BYTES_MAX;
use super::wire;
use crate::desk::access::Principal;
use crate::domain::refusal::{Refusal, RefusalCode};
use nix::errno::Errno;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Tells the supplementary groups of a connected peer (`SO_PEERGROUPS`); `sys::peer_groups` is one.
pub type PeerGroups = fn(BorrowedFd<'_>) -> io::Result<Vec<u32>>;

/// Everyone may connect: what a peer may do is decided by its groups, and a peer without any is told what it lacks.
pub const SOCKET_MODE: u32 = 0o666;

/// How long accepting rests when the host has no descriptor or memory left; the end of a session ends it sooner.
const ACCEPT_REST: Duration = Duration::from_millis(200);

/// How often events that are too old are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(10);

/// Why there is no socket: one variant for each thing done next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Stop the other one, or use its socket.
    #[error("another daemon answers on {}: stop it first, or give this one another socket in its config", .path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Look what it is, and move it.
    #[error("{} is not a socket: move it away, or give another socket in the config", .path.display())]
    NotASocket {
        /// What stands there.
        path: PathBuf,
    },
    /// Choose a shorter one.
    #[error("the path {} is longer than {SOCKET_PATH_BYTES_MAX} bytes: give a shorter one in the config", .path.display())]
    TooLong {
        /// The socket.
        path: PathBuf,
    },
    /// Give the daemon a directory of its own.
    #[error("cannot make the socket {}: its directory must be there and writable for this user", .path.display())]
    Directory {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Makes the socket at `path`, with its mode set before anyone can reach it, and replaces one that a dead daemon left.
///
/// It is made under another name in a directory that only we may enter, and moved into place. Two daemons that start at the same
/// moment are told apart by the store's lock, not here.
///
/// # Errors
/// [`BindError`], which says what to do.
pub fn bind(path: &Path) -> Result<StdListener, BindError> {
    if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        return Err(BindError::TooLong { path: path.to_owned() });
    }
    let directory = |source| BindError::Directory { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(BindError::NotASocket { path: path.to_owned() });
        }
        // Anything but a refused connection can be a daemon that lives: full backlog, no permission.
        Ok(_) => match StdStream::connect(path).map_err(|error| error.kind()) {
            Err(io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => {}
            Ok(_) | Err(_) => return Err(BindError::InUse { path: path.to_owned() }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(directory(error)),
    }
    let parent = path.parent().unwrap_or(Path::new("/"));
    let private = parent.join(format!(".s{}", std::process::id()));
    // One that was killed half-way left this behind; the directory around it is the daemon's own.
    drop(fs::remove_dir_all(&private));
    DirBuilder::new().mode(0o700).create(&private).map_err(directory)?;
    let made = bind_in(&private, path);
    // Empty again by now; where it is not, the first error says why.
    let removed = fs::remove_dir(&private);
    let listener = made.map_err(directory)?;
    removed.map_err(directory)?;
    Ok(listener)
}

fn bind_in(private: &Path, path: &Path) -> io::Result<StdListener> {
    let inside = private.join("s");
    let listener = StdListener::bind(&inside)?;
    let placed = fs::set_permissions(&inside, Permissions::from_mode(SOCKET_MODE))
        .and_then(|()| fs::rename(&inside, path));
    placed.inspect_err(|_| drop(fs::remove_file(&inside)))?;
    Ok(listener)
}

/// Brings a listener, ours or systemd's, into the running runtime.
///
/// # Errors
/// When it cannot be set to non-blocking, or there is no runtime.
pub fn adopt(listener: StdListener) -> io::Result<UnixListener> {
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// What to do after an accept that failed.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// The peer had gone again.
    Accept,
    /// The host has nothing left to accept with.
    Rest,
    /// The listener itself is broken.
    Stop,
}

fn after(error: &io::Error) -> Next {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM) => Next::Rest,
        Some(Errno::EBADF | Errno::EINVAL | Errno::ENOTSOCK | Errno::EOPNOTSUPP) => Next::Stop,
        _ => Next::Accept,
    }
}

impl Hub {
    /// Accepts sessions until `stop` fires; each is a task of `tasks`, and ends by itself soon after `stop`.
    ///
    /// # Errors
    /// Only when the listener itself is broken; too few descriptors or memory is waited out.
    pub async fn serve(
        self: &Arc<Self>,
        listener: UnixListener,
        peer_groups: PeerGroups,
        service: Arc<dyn Service>,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> io::Result<()> {
        let mut prune = tokio::time::interval(PRUNE_EVERY);
        loop {
            let accepted = tokio::select! { biased;
                () = stop.cancelled() => return Ok(()),
                _ = prune.tick() => {
                    self.prune();
                    continue;
                }
                accepted = listener.accept() => accepted,
            };
            let error = match accepted {
                Ok((stream, _)) => {
                    self.open(stream, peer_groups, &service, &stop, &tasks);
                    continue;
                }
                Err(error) => error,
            };
            self.counters.accept_errors.add(1);
            match after(&error) {
                Next::Accept => {}
                Next::Rest => {
                    tracing::warn!(%error, sessions = self.sessions(), "no session can be accepted for now");
                    tokio::select! {
                        () = stop.cancelled() => return Ok(()),
                        () = self.seats.freed() => {}
                        () = tokio::time::sleep(ACCEPT_REST) => {}
                    }
                }
                Next::Stop => return Err(error),
            }
        }
    }

    fn open(
        self: &Arc<Self>,
        stream: UnixStream,
        peer_groups: PeerGroups,
        service: &Arc<dyn Service>,
        stop: &CancellationToken,
        tasks: &TaskTracker,
    ) {
        let principal = match self.peer(&stream, peer_groups) {
            Ok(principal) => principal,
            Err(error) => {
                tracing::warn!(%error, "a peer without credentials was turned away");
                return;
            }
        };
        let Some(seat) = self.seats.take(principal.uid, principal.roles.is_empty()) else {
            self.counters.sessions_refused.add(1);
            tracing::warn!(uid = principal.uid, pid = principal.pid, "session refused: too many");
            let refusal = Refusal::new(RefusalCode::Busy, "too many connections: close some of them");
            // The socket is new and empty, so it takes this whole.
            Out::new(Arc::new(stream)).send(&Frame::from(wire::refusal(None, &refusal)));
            return;
        };
        self.counters.sessions_opened.add(1);
        tracing::debug!(uid = principal.uid, pid = principal.pid, "session opened");
        let session = Session::new(Arc::clone(self), Arc::clone(service), stream, principal, tasks.clone());
        let stop = stop.clone();
        tasks.spawn(async move {
            session.run(stop).await;
            drop(seat);
        });
    }

    fn peer(&self, stream: &UnixStream, peer_groups: PeerGroups) -> io::Result<Principal> {
        let credentials = stream.peer_cred()?;
        // Fewer groups mean fewer rights: a peer whose groups cannot be read keeps those of its main group.
        let mut gids = peer_groups(stream.as_fd()).unwrap_or_else(|error| {
            tracing::warn!(%error, "the groups of a peer cannot be read");
            Vec::new()
        });
        gids.push(credentials.gid());
        Ok(self.principal(credentials.uid(), credentials.pid(), &gids))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fichad.sock");
        let first = bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, SOCKET_MODE);
        assert!(matches!(bind(&path), Err(BindError::InUse { .. })));
        drop(first);
        assert!(path.exists(), "a dead daemon leaves its socket behind");
        let second = bind(&path).unwrap();
        StdStream::connect(&path).unwrap();
        drop(second);
        let names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["fichad.sock"]);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "notes").unwrap();
        assert!(matches!(bind(&path), Err(BindError::NotASocket { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"notes");
        assert!(matches!(bind(&folder.path().join("no/x")), Err(BindError::Directory { .. })));
        assert!(matches!(bind(&folder.path().join("x".repeat(99))), Err(BindError::TooLong { .. })));
    }

    #[test]
    fn accepting_outlives_a_full_table() {
        let next = |errno: Errno| after(&io::Error::from(errno));
        assert_eq!(next(Errno::EMFILE), Next::Rest);
        assert_eq!(next(Errno::ENFILE), Next::Rest);
        assert_eq!(next(Errno::ECONNABORTED), Next::Accept);
        assert_eq!(next(Errno::EINTR), Next::Accept);
        assert_eq!(next(Errno::EBADF), Next::Stop);
    }
}
