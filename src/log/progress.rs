//! How far the building of views is: told by whoever builds, read by whoever waits.

use super::Half;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Views that are being built, and how far that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Building {
    /// Whose.
    pub half: Half,
    /// Records that are folded. Once all are, what they came to is written.
    pub done: u64,
    /// Records that are to be folded.
    pub of: u64,
}

/// What is being built now, if anything. Clones of an `Arc` of it may be read from any thread.
#[derive(Debug, Default)]
pub struct Progress {
    begun: Mutex<Option<(Half, u64)>>,
    done: AtomicU64,
}

impl Progress {
    /// What is being built, and how far that is.
    #[must_use]
    pub fn now(&self) -> Option<Building> {
        let (half, of) = (*self.begun.lock().unwrap_or_else(PoisonError::into_inner))?;
        Some(Building { half, done: self.done.load(Ordering::Relaxed).min(of), of })
    }

    /// Building begins; it ends when what is given is dropped.
    pub(super) fn begin(&self, half: Half, of: u64) -> Under<'_> {
        self.done.store(0, Ordering::Relaxed);
        self.set(Some((half, of)));
        Under(self)
    }

    fn set(&self, begun: Option<(Half, u64)>) {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = begun;
    }
}

/// Building under way.
pub(super) struct Under<'p>(&'p Progress);

impl Under<'_> {
    /// One record more is folded.
    pub(super) fn folded(&self) {
        self.0.done.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Under<'_> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}
