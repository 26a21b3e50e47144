//! What happened in a scenario, in order: printed when it fails, and only then.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Lines kept; a card's raster is one line, so a scenario needs fewer.
const LINES_MAX: usize = 20_000;

/// Bytes of a transfer shown in a line; the rest is counted.
const BYTES_SHOWN_MAX: usize = 48;

/// A scenario's record, shared by its devices, its register and the daemon's output.
#[derive(Clone)]
pub struct Trace {
    start: Instant,
    lines: Arc<Mutex<VecDeque<String>>>,
    dropped: Arc<AtomicUsize>,
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").finish_non_exhaustive()
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self { start: Instant::now(), lines: Arc::default(), dropped: Arc::default() }
    }
}

impl Trace {
    /// Adds a line of `who`; the oldest goes when there are too many.
    pub fn note(&self, who: &str, what: &str) {
        let line = format!("{:8.3} {who}: {what}", self.start.elapsed().as_secs_f64());
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES_MAX {
            lines.pop_front();
            self.dropped.fetch_add(1, Ordering::AcqRel);
        }
        lines.push_back(line);
    }

    /// How many lines there was no room for.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.dropped.load(Ordering::Acquire)
    }

    /// What `who` said so far.
    #[must_use]
    pub fn said_by(&self, who: &str) -> Vec<String> {
        let mark = format!(" {who}: ");
        self.lines().into_iter().filter(|line| line.contains(&mark)).collect()
    }

    /// The record so far, a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// Bytes as a person compares them with a manual: `02 0d 5d .. (64 bytes)`.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let shown: Vec<String> = bytes.iter().take(BYTES_SHOWN_MAX).map(|b| format!("{b:02x}")).collect();
    let more = if bytes.len() > BYTES_SHOWN_MAX { " .." } else { "" };
    format!("{}{more} ({} bytes)", shown.join(" "), bytes.len())
}
