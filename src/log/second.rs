//! The second copy: how it is, the thread that keeps it, and what it shares with the first.

use super::checkpoint;
use super::committer::State;
use super::copier::{Copier, CopyError};
use super::scan::Place;
use super::{Half, Halves, OpenError, SecondCopy, UtcUs};
use std::cell::Cell;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Between two passes. A tenth of what is promised, and at most ten syncs a second for the other disk.
const PASS_EVERY: Duration = Duration::from_millis(100);
/// How often a folder that is away is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A group that is in one place alone for longer is worth a word.
const BEHIND_AFTER_US: i64 = 1_000_000;
/// Segments that are still copied once the log is being closed; a larger backlog is left for the next start.
const SEGMENTS_AT_CLOSE: u32 = 8;

/// Where the journals end, as far as the committer has synced them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tips {
    pub(super) places: Halves<Place>,
}

#[derive(Default)]
struct Inner {
    tips: Tips,
    /// Since when something is not in the second folder; `None`: nothing is missing.
    since_us: Option<i64>,
    /// The same for what was committed since the pass that runs began.
    next_since_us: Option<i64>,
    /// Sequences that the second folder has.
    copied: u64,
    absent: Option<String>,
    /// Something there turned out to be damaged: it is to be looked through again.
    look_again: bool,
    closing: bool,
}

/// What committer, copier and whoever asks share.
#[derive(Default)]
pub(super) struct Second {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Second {
    /// One that nobody keeps.
    pub(super) fn away(why: &str) -> Self {
        let inner = Inner { absent: Some(why.to_owned()), ..Inner::default() };
        Self { inner: Mutex::new(inner), ..Self::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The committer has synced the journals up to `tips`.
    pub(super) fn committed(&self, tips: Tips, now_us: i64) {
        let mut inner = self.lock();
        inner.tips = tips;
        inner.since_us.get_or_insert(now_us);
        inner.next_since_us.get_or_insert(now_us);
        drop(inner);
        self.changed.notify_one();
    }

    pub(super) fn state(&self, now_us: i64) -> SecondCopy {
        let mut inner = self.lock();
        // A clock that was set back must not hide how long it has been.
        inner.since_us = inner.since_us.map(|since_us| since_us.min(now_us));
        if let Some(why) = &inner.absent {
            return SecondCopy::Absent { why: why.clone() };
        }
        match inner.since_us {
            Some(since_us) if now_us.saturating_sub(since_us) > BEHIND_AFTER_US => {
                let records = inner.tips.places.neutral.seq.saturating_sub(inner.copied);
                SecondCopy::Behind { records }
            }
            Some(_) | None => SecondCopy::Ok,
        }
    }

    /// Waits until there is something to do; `None` once the log is closed and all that can be is copied.
    fn next(&self) -> Option<Tips> {
        let mut inner = self.lock();
        loop {
            let away = inner.absent.is_some();
            if inner.closing && (inner.since_us.is_none() || away) {
                return None;
            }
            if inner.since_us.is_some() && !away {
                inner.next_since_us = None;
                return Some(inner.tips);
            }
            let waited = if away {
                // What is committed meanwhile must not put the next look off, or a busy till's disk would never be back.
                self.changed.wait_timeout_while(inner, LOOK_EVERY, |inner| !inner.closing)
            } else {
                self.changed.wait_timeout(inner, LOOK_EVERY)
            };
            let (back, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            inner = back;
            if timeout.timed_out() && !inner.closing {
                inner.next_since_us = None;
                return Some(inner.tips);
            }
        }
    }

    fn done(&self, tips: &Tips, result: Result<(), String>) {
        let mut inner = self.lock();
        match result {
            Ok(()) => {
                inner.copied = tips.places.neutral.seq;
                inner.since_us = inner.next_since_us.take();
                inner.absent = None;
            }
            Err(why) => inner.absent = Some(why),
        }
    }

    /// Has the second folder looked through again, and mended.
    pub(super) fn look_again(&self, why: String) {
        let mut inner = self.lock();
        (inner.look_again, inner.absent) = (true, Some(why));
    }

    fn take_look_again(&self) -> bool {
        std::mem::take(&mut self.lock().look_again)
    }

    fn pause(&self) {
        let inner = self.lock();
        if !inner.closing {
            drop(self.changed.wait_timeout_while(inner, PASS_EVERY, |inner| !inner.closing));
        }
    }

    /// Whether something is not in the second folder yet.
    pub(super) fn is_copying(&self) -> bool {
        self.lock().since_us.is_some()
    }

    fn is_closing(&self) -> bool {
        self.lock().closing
    }
}

/// The thread, and how it is told to end.
pub(super) struct SecondThread {
    pub(super) shared: Arc<Second>,
    thread: JoinHandle<()>,
}

impl SecondThread {
    /// Starts copying what is in `first` to `second`, from `tips` on back to what is there already.
    pub(super) fn start(
        (first, second): (PathBuf, PathBuf),
        tips: Tips,
        state: Arc<State>,
        utc_us: &UtcUs,
    ) -> io::Result<Self> {
        let shared = Arc::new(Second::default());
        shared.committed(tips, utc_us());
        let copier = Copier { first, second, at: None, open: Halves::default() };
        let inner = Arc::clone(&shared);
        let run = move || copy(copier, &inner, &state);
        let thread = thread::Builder::new().name("second copy".to_owned()).spawn(run)?;
        Ok(Self { shared, thread })
    }

    /// Has it copy what is missing, if the folder is there, and end.
    pub(super) fn stop(self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_all();
        // It does nothing after a panic but to be missing: the next start copies on.
        self.thread.join().ok();
    }
}

fn copy(mut copier: Copier, shared: &Second, state: &State) {
    let at_close = Cell::new(SEGMENTS_AT_CLOSE);
    let go_on = || {
        at_close.set(at_close.get().saturating_sub(u32::from(shared.is_closing())));
        at_close.get() > 0
    };
    while let Some(tips) = shared.next() {
        if shared.take_look_again() {
            copier.at = None;
        }
        let result = copier.pass(&tips, &go_on);
        match result {
            Ok(()) if at_close.get() == 0 => return,
            Ok(()) => shared.done(&tips, Ok(())),
            Err(CopyError::Second(why)) => {
                copier.open = Halves::default();
                copier.at = None;
                shared.done(&tips, Err(why));
            }
            Err(CopyError::First(error)) => {
                // Without checkpoints the next start reads it all, and heals it or says what is lost. What could not be read
                // now may be read then.
                for half in Half::ALL.into_iter().filter(|_| matches!(error, OpenError::Damaged { .. })) {
                    checkpoint::remove(&copier.first, half).ok();
                }
                state.fail(error.to_string());
                shared.done(&tips, Err(error.to_string()));
            }
        }
        shared.pause();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_one_place_for_more_than_a_second_is_behind() {
        let second = Second::default();
        assert_eq!(second.state(0), SecondCopy::Ok);
        let place = Place { seq: 7, ..Place::default() };
        let tips = Tips { places: Halves { personal: place, neutral: place } };
        second.committed(tips, 1_000);
        assert_eq!(second.state(1_001_000), SecondCopy::Ok);
        assert_eq!(second.state(1_001_001), SecondCopy::Behind { records: 7 });
        // A clock set back a day starts to count again from there.
        assert_eq!(second.state(-80_000), SecondCopy::Ok);
        assert_eq!(second.state(2_000_000), SecondCopy::Behind { records: 7 });
        second.next();
        second.committed(tips, 3_000_000);
        second.done(&tips, Ok(()));
        assert_eq!(second.state(3_500_000), SecondCopy::Ok);
        assert_eq!(second.state(4_500_000), SecondCopy::Behind { records: 0 }, "what came during the pass");
        second.next();
        second.done(&tips, Err("gone".to_owned()));
        assert_eq!(second.state(4_500_000), SecondCopy::Absent { why: "gone".to_owned() });
    }

    #[test]
    fn a_folder_that_is_away_is_looked_for_however_often_something_is_committed() {
        let second = Arc::new(Second::default());
        second.done(&Tips::default(), Err("gone".to_owned()));
        second.committed(Tips::default(), 0);
        let (looks, looked) = std::sync::mpsc::sync_channel(1);
        let looker = Arc::clone(&second);
        let thread = thread::spawn(move || looks.send(looker.next().is_some()));
        let mut commits = 0;
        let found = loop {
            if let Ok(found) = looked.recv_timeout(Duration::from_millis(20)) {
                break found;
            }
            commits += 1;
            second.committed(Tips::default(), commits);
            // Ten seconds: five looks would have been due.
            if commits == 500 {
                second.lock().closing = true;
            }
        };
        assert!(found, "not looked for while {commits} commits came");
        thread.join().unwrap().unwrap();
    }
}
