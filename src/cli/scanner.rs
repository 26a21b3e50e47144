//! A serial scanner without a scanner: the master end of a pseudo-terminal.

use anyhow::Context as _;
use nix::pty::{OpenptyResult, openpty};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::ttyname;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// What the daemon takes for a scanner at a serial port.
pub(super) struct Scanner {
    wire: File,
    path: PathBuf,
    /// Held so that the line stays up until the daemon opens it.
    _far_end: OwnedFd,
}

impl Scanner {
    pub(super) fn new() -> anyhow::Result<Self> {
        let OpenptyResult { master, slave } = openpty(None, None).context("no pseudo-terminal to be had")?;
        let mut modes = tcgetattr(&slave).context("the pseudo-terminal has no modes")?;
        cfmakeraw(&mut modes);
        tcsetattr(&slave, SetArg::TCSANOW, &modes).context("the pseudo-terminal takes no modes")?;
        let path = ttyname(&slave).context("the pseudo-terminal has no name")?;
        Ok(Self { wire: File::from(master), path, _far_end: slave })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Another hold of the line, to write to from elsewhere.
    pub(super) fn wire(&self) -> anyhow::Result<File> {
        self.wire.try_clone().context("the scanner's line cannot be shared")
    }

    /// Sends a code as a scanner does: with an AIM identifier and a carriage return.
    pub(super) fn scan(&mut self, aim: &str, code: &str) -> anyhow::Result<()> {
        self.wire.write_all(format!("{aim}{code}\r").as_bytes()).context("the scanner's line is down")
    }
}
