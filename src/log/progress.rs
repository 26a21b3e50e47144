//! How far the building of views, and their bringing up, is: told by whoever builds, read by whoever waits.

use super::{Half, Halves};
use std::sync::atomic::{AtomicU64, Ordering};

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
pub struct Progress(Halves<OfHalf>);

/// Of one half: how many records are to be folded, 0 while nothing is built, and how many are.
#[derive(Debug, Default)]
struct OfHalf {
    of: AtomicU64,
    done: AtomicU64,
}

impl Progress {
    /// What is being built, and how far that is: of two halves the one that has more to do.
    #[must_use]
    pub fn now(&self) -> Option<Building> {
        let building = |half: Half| {
            let OfHalf { of, done } = self.0.get(half);
            let of = of.load(Ordering::Relaxed);
            Building { half, done: done.load(Ordering::Relaxed).min(of), of }
        };
        let building = Half::ALL.map(building).into_iter().filter(|building| building.of > 0);
        building.max_by_key(|Building { done, of, .. }| of.saturating_sub(*done))
    }

    /// Building begins; it ends when what is given is dropped.
    pub(super) fn begin(&self, half: Half, of: u64) -> Under<'_> {
        let own = self.0.get(half);
        own.done.store(0, Ordering::Relaxed);
        own.of.store(of, Ordering::Relaxed);
        Under(own)
    }
}

/// Building under way.
pub(super) struct Under<'p>(&'p OfHalf);

impl Under<'_> {
    /// One record more is folded.
    pub(super) fn folded(&self) {
        self.0.done.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Under<'_> {
    fn drop(&mut self) {
        self.0.of.store(0, Ordering::Relaxed);
    }
}
