//! Waiting until a store has done what a start has it do: a till's has been up since the morning.

use crate::line::now;
use anyhow::ensure;
use std::time::Duration;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How long a store may go on with what it has to do after a start.
const WITHIN: Duration = Duration::from_mins(10);

/// The thread that copies what scans ask for, and puts changes into sled; there while there is something to do.
const TENDING: &str = "tend";

/// Waits until the process has nothing left to tend.
pub(crate) fn wait(pid: u32) -> anyhow::Result<()> {
    let by = now().checked_add(WITHIN);
    while is_tending(pid)? {
        ensure!(by.is_some_and(|by| now() < by), "the store does not come to rest");
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

fn is_tending(pid: u32) -> anyhow::Result<bool> {
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread that has ended meanwhile does nothing.
        let name = std::fs::read_to_string(task?.path().join("comm")).unwrap_or_default();
        if name.trim_end() == TENDING {
            return Ok(true);
        }
    }
    Ok(false)
}
