//! The two ends of a measurement: the scanner's wire and the register's socket, and the clock between them.

use anyhow::{Context as _, ensure};
use nix::pty::{OpenptyResult, openpty};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::ttyname;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A line that has not come by then does not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The longest line that is waited for; a frame has about 1 KiB.
const LINE_BYTES_MAX: usize = 64 * 1024;

#[expect(clippy::disallowed_methods, reason = "a bench takes the time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A scanner's side of a pseudo-terminal in raw mode.
pub(crate) struct Wire {
    master: File,
    path: PathBuf,
    /// Held so that the line is up before the reader opens it.
    _far_end: OwnedFd,
}

impl Wire {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let OpenptyResult { master, slave } = openpty(None, None).context("no pseudo-terminal to be had")?;
        let mut modes = tcgetattr(&slave)?;
        cfmakeraw(&mut modes);
        tcsetattr(&slave, SetArg::TCSANOW, &modes)?;
        let path = ttyname(&slave)?;
        Ok(Self { master: File::from(master), path, _far_end: slave })
    }

    /// What a reader opens.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn send(&mut self, scan: &[u8]) -> anyhow::Result<()> {
        self.master.write_all(scan).context("the scanner's line is down")
    }
}

/// A socket that is read line by line, each line where the one before stood.
pub(crate) struct Line {
    socket: UnixStream,
    buffer: Vec<u8>,
    /// How much of the buffer is the line that was given last.
    given: usize,
    filled: usize,
}

impl Line {
    pub(crate) fn new(socket: UnixStream) -> anyhow::Result<Self> {
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { socket, buffer: vec![0; LINE_BYTES_MAX], given: 0, filled: 0 })
    }

    /// Reads until a whole line is there.
    pub(crate) fn next(&mut self) -> anyhow::Result<()> {
        self.buffer.copy_within(self.given..self.filled, 0);
        (self.filled, self.given) = (self.filled.saturating_sub(self.given), 0);
        let mut searched = 0;
        loop {
            let fresh = self.buffer.get(searched..self.filled).unwrap_or_default();
            if let Some(at) = fresh.iter().position(|byte| *byte == b'\n') {
                self.given = searched.saturating_add(at).saturating_add(1);
                return Ok(());
            }
            searched = self.filled;
            let space = self.buffer.get_mut(self.filled..).unwrap_or_default();
            let count = self.socket.read(space).context("no line came in time")?;
            ensure!(count > 0, "the socket was closed, or its line is too long");
            self.filled = self.filled.saturating_add(count);
        }
    }

    /// The line that [`Self::next`] has read, its LF included.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.given).unwrap_or_default()
    }

    pub(crate) fn send(&mut self, line: &str) -> anyhow::Result<()> {
        self.socket.write_all(format!("{line}\n").as_bytes()).context("the socket takes nothing")
    }
}

/// Where a scan goes in and a line comes out.
pub(crate) struct Lane {
    pub(crate) wire: Wire,
    pub(crate) line: Line,
}

impl Lane {
    /// Sends a scan; gives when.
    pub(crate) fn scan(&mut self, scan: &[u8]) -> anyhow::Result<Instant> {
        let started = now();
        self.wire.send(scan)?;
        Ok(started)
    }

    /// Waits for the next line, which stays in `self.line`; gives how long after `started` it was there.
    pub(crate) fn wait(&mut self, started: Instant) -> anyhow::Result<Duration> {
        self.line.next()?;
        Ok(now().saturating_duration_since(started))
    }
}
