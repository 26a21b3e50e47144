//! The floor: a program that does nothing but pass on that something was scanned.
//!
//! One thread for each reader, blocking in `read` on its terminal; at the CR the same bytes go to the register's socket with
//! one `write`. No decoding, no look-up, no second thread, no poll: less cannot be done by a process that reads and writes.

use crate::line::{Line, Wire};
use crate::{Lane, shop};
use anyhow::{Context as _, ensure};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// As long as a card's scan.
const SCAN: &[u8] = b"]Q1FA0123456789ABCDEFGH\r";

/// Relays until the readers' lines are hung up. Registers belong to readers in the order in which they connect.
pub(crate) fn serve(socket: &Path, bytes: usize, ttys: &[PathBuf]) -> anyhow::Result<()> {
    let listener = UnixListener::bind(socket)?;
    let mut frame = vec![b'x'; bytes.saturating_sub(1)];
    frame.push(b'\n');
    std::thread::scope(|scope| {
        for tty in ttys {
            let (register, _) = listener.accept()?;
            let (tty, frame) = (File::open(tty)?, frame.as_slice());
            scope.spawn(move || pass_on(tty, register, frame));
        }
        Ok(())
    })
}

/// Ends with either side.
fn pass_on(mut tty: File, mut register: UnixStream, frame: &[u8]) {
    let mut scan = [0; 4096];
    while let Ok(count) = tty.read(&mut scan) {
        let complete = scan.get(..count).is_some_and(|bytes| bytes.ends_with(b"\r"));
        if count == 0 || (complete && register.write_all(frame).is_err()) {
            return;
        }
    }
}

/// The relay as a child process; killed when dropped.
pub(crate) struct Relay {
    child: Child,
    lanes: Vec<Lane>,
    next: usize,
}

impl Relay {
    pub(crate) fn start(socket: &Path, bytes: usize, registers: u8) -> anyhow::Result<Self> {
        let wires = (0..registers).map(|_| Wire::new()).collect::<anyhow::Result<Vec<_>>>()?;
        let child = Command::new(std::env::current_exe()?)
            .arg("--relay")
            .arg(socket)
            .arg(bytes.to_string())
            .args(wires.iter().map(Wire::path))
            .stdin(Stdio::null())
            .spawn()
            .context("the relay does not start")?;
        let mut relay = Self { child, lanes: Vec::new(), next: 0 };
        for wire in wires {
            let line = Line::new(shop::connect(socket)?)?;
            relay.lanes.push(Lane { wire, line });
        }
        Ok(relay)
    }

    pub(crate) fn scan(&mut self) -> anyhow::Result<Duration> {
        let at = self.next.checked_rem(self.lanes.len()).unwrap_or_default();
        self.next = self.next.wrapping_add(1);
        let lane = self.lanes.get_mut(at).context("the relay has no register")?;
        let started = lane.scan(SCAN)?;
        let took = lane.wait(started)?;
        ensure!(lane.line.bytes().starts_with(b"x"), "the relay sent something else");
        Ok(took)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Both fail only if it has ended, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
