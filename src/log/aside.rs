//! Threads whose work can wait for everybody else's: scans and purchases do not wait for them.

use crate::sys;
use std::io;
use std::thread::{self, JoinHandle};

/// Starts a thread that runs when a processor has nothing else to do.
pub(super) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let run = move || {
        // Where that is forbidden it runs beside the others.
        sys::run_when_idle().ok();
        run();
    };
    thread::Builder::new().name(name.to_owned()).spawn(run)
}
