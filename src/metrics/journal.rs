//! How writes go: how many wait for the committer, and how long one takes until it is durable.

use super::{Histogram, Reading};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counted where writes are queued and answered.
#[derive(Debug, Default)]
pub struct Journal {
    waiting: Arc<AtomicU64>,
    commits: Histogram,
}

/// One write that waits; moved into the decision, which drops it, done or not.
#[derive(Debug)]
pub struct Waiting(Arc<AtomicU64>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Journal {
    /// Counts a write as waiting until what is returned is dropped.
    #[must_use]
    pub fn queued(&self) -> Waiting {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(Arc::clone(&self.waiting))
    }

    /// Notes that a write was durable so long after it was queued.
    pub fn committed(&self, took: Duration) {
        self.commits.observe(took);
    }

    /// Writes that wait now.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How long writes took until they were durable.
    #[must_use]
    pub fn commits(&self) -> Reading {
        self.commits.read()
    }
}
