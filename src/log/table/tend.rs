//! What threads do with a table: readers look into what it has on the disk, writers put runs together and into sled.

use super::super::ViewError;
use super::super::filter::KeyHash;
use super::super::layer::{Change, Laid};
use super::held::{self, Held};
use super::known::Known;
use super::recent::Recent;
use super::tier::{self, Placed};
use super::{Front, Shared};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// The most memory that copies of one half take, while they are replaced twice that, and the longest value that is then in memory: all of
/// some ten thousand customers; of more only links, sixty bytes for each card and twenty-four for each other entry; of still more none, at
/// twenty-four bytes each. Of a store that has more yet, everything is looked up in sled.
const HELD_LIMITS: [(usize, usize); 3] =
    [(16 << 20, usize::MAX), (96 << 20, held::SHORT_BYTES), (96 << 20, 0)];

/// The thread that tends the runs.
#[derive(Default)]
pub(super) struct Tending {
    thread: Option<JoinHandle<()>>,
    /// It is at work, and looks again before it ends.
    at_work: bool,
}

/// What a table may need.
enum Due {
    /// Copies of the views that are asked for one by one.
    Hold,
    /// The keys of those that are asked for what is new.
    Know,
    /// Its runs in sled.
    Sled,
    /// Several runs as one.
    Together,
    /// sled's memory.
    Tidy,
}

impl Shared {
    pub(super) fn front(&self) -> Arc<Front> {
        Arc::clone(&self.front.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn front_mut<T>(&self, change: impl FnOnce(&mut Front) -> T) -> T {
        change(Arc::make_mut(&mut self.front.write().unwrap_or_else(PoisonError::into_inner)))
    }

    /// What was applied, which readers now find aside.
    pub(super) fn put_aside(&self) -> Arc<Recent> {
        let fresh = Arc::new(Recent::default());
        self.front_mut(|front| {
            let aside = std::mem::replace(&mut front.active, fresh);
            front.aside = Some(Arc::clone(&aside));
            aside
        })
    }

    /// Lets readers find in a run what was put aside.
    pub(super) fn take(&self, run: Placed) {
        let run = Arc::new(run);
        self.front_mut(|front| {
            front.runs = front.runs.iter().cloned().chain([run]).collect();
            front.aside = None;
        });
    }

    /// What `key`, whose hash is `hash`, was changed to in a run.
    pub(super) fn changed(
        &self,
        runs: &[Arc<Placed>],
        key: &[u8],
        hash: KeyHash,
    ) -> Result<Option<Change>, ViewError> {
        let found = runs.iter().rev().find_map(|placed| placed.run.get(key, hash).transpose());
        found.transpose().map_err(|what| self.damaged(&what))
    }

    /// The entries that the disk has from `from` on; with a group, of that alone all.
    pub(super) fn laid<'s>(
        &'s self,
        runs: &[Arc<Placed>],
        group: Option<KeyHash>,
        from: &[u8],
    ) -> Box<dyn Iterator<Item = Laid> + 's> {
        let runs = runs.iter().filter(|placed| group.is_none_or(|group| placed.run.may_hold(group)));
        let noted = |entry: Laid| entry.inspect_err(|error| drop(self.disk.noted(error.to_string())));
        Box::new(tier::laid(runs, Box::new(self.disk.entries(from)), from, self.half).map(noted))
    }

    fn damaged(&self, what: &str) -> ViewError {
        let error = tier::damaged(self.half, what);
        self.disk.noted(error.to_string());
        error
    }

    /// Has a thread do what is due, if none does.
    pub(super) fn tend(self: &Arc<Self>) {
        let mut tending = self.tending();
        if tending.at_work || self.due(&self.front().runs).is_none() {
            return;
        }
        let shared = Arc::clone(self);
        // Without a thread there are more runs for a while, and look-ups on the disk.
        tending.thread = thread::Builder::new().name("tend".to_owned()).spawn(move || shared.tend_all()).ok();
        tending.at_work = tending.thread.is_some();
    }

    /// Does what is due until nothing is.
    fn tend_all(&self) {
        loop {
            let done = catch_unwind(AssertUnwindSafe(|| self.tend_once()));
            let done = done.unwrap_or_else(|_| Err("putting runs together panicked".to_owned()));
            let mut tending = self.tending();
            match done {
                // Whoever finds this thread at work leaves to it what has become due meanwhile.
                Ok(()) if self.due(&self.front().runs).is_some() => continue,
                Err(what) if !self.closing.load(Ordering::Relaxed) => drop(self.untended.set(what)),
                Ok(()) | Err(_) => {}
            }
            tending.at_work = false;
            return;
        }
    }

    /// What is to be done first.
    fn due(&self, runs: &[Arc<Placed>]) -> Option<Due> {
        if self.to_hold.load(Ordering::Relaxed) {
            Some(Due::Hold)
        } else if self.to_know.load(Ordering::Relaxed) {
            Some(Due::Know)
        } else if self.left_alone.load(Ordering::Relaxed) {
            self.disk.is_untidy().then_some(Due::Tidy)
        } else if self.tier.is_due(runs, self.disk.bytes()) {
            Some(Due::Sled)
        } else if tier::full(runs).is_some() {
            Some(Due::Together)
        } else {
            self.disk.is_untidy().then_some(Due::Tidy)
        }
    }

    fn tend_once(&self) -> Result<(), String> {
        let runs = Arc::clone(&self.front().runs);
        match self.due(&runs) {
            Some(Due::Hold) => {
                self.to_hold.store(false, Ordering::Relaxed);
                self.hold();
            }
            Some(Due::Know) => {
                self.to_know.store(false, Ordering::Relaxed);
                self.know();
            }
            Some(Due::Sled) => self.put_into_sled(&runs)?,
            Some(Due::Together) => {
                let parts = tier::full(&runs).unwrap_or_default();
                let run = self.tier.put_together(parts, |entries| self.going(entries));
                self.replace(parts, Some(Arc::new(run.map_err(|error| error.to_string())?)), |_| {});
            }
            Some(Due::Tidy) => self.disk.tidy(),
            None => {}
        }
        Ok(())
    }

    fn put_into_sled(&self, runs: &[Arc<Placed>]) -> Result<(), String> {
        let Some(to) = runs.last().map(|run| run.to) else { return Ok(()) };
        let changes = |from: &[u8]| tier::laid(runs.iter(), Box::new(std::iter::empty()), from, self.half);
        let Front { held: before, known, .. } = (*self.front()).clone();
        let noted = self.going(changes(&[])).inspect(|entry| {
            if let (Some(known), Ok((key, _))) = (&known, entry) {
                known.note(key);
            }
        });
        self.disk.write(noted, to, &|| !self.closing.load(Ordering::Relaxed))?;
        // A copy that cannot be kept is none: sled has it all.
        let copy = |held: &Held| held.with(|from| self.going(changes(from))).ok().flatten();
        let held = before.as_ref().and_then(copy);
        // One that has become too much, or could not be written, is made anew, with less of it in memory or not at all.
        if before.is_some() && held.as_ref().is_none_or(Held::is_wasteful) {
            self.to_hold.store(true, Ordering::Relaxed);
        }
        if known.is_some_and(|known| known.is_full()) {
            self.to_know.store(true, Ordering::Relaxed);
        }
        self.replace(runs, None, |front| front.held = held);
        Ok(())
    }

    /// Copies what sled has of the views that are asked for one by one. Where that does not go (a full disk, a file system that has no
    /// files without a name, damage, which is noted) look-ups go on the disk.
    fn hold(&self) {
        // Not both copies at once.
        self.front_mut(|front| front.held = None);
        let copy = |limits| {
            let file = self.tier.unnamed().ok()?;
            Held::read(self.asked.often, limits, file, |from| self.going(self.disk.entries(from))).ok()?
        };
        let held = HELD_LIMITS.into_iter().find_map(copy);
        self.front_mut(|front| front.held = held);
    }

    /// Notes which keys sled has of the views that are asked for what is new. Where that does not go, sled is asked.
    fn know(&self) {
        let known = Known::read(self.asked.new, |from| self.going(self.disk.keys(from)));
        let known = known.ok().flatten().map(Arc::new);
        self.front_mut(|front| front.known = known);
    }

    /// Puts `run`, or nothing, in the place of runs, together with what else changes by that.
    fn replace(&self, parts: &[Arc<Placed>], run: Option<Arc<Placed>>, with: impl FnOnce(&mut Front)) {
        let is_part = |run: &Arc<Placed>| parts.iter().any(|part| Arc::ptr_eq(part, run));
        self.front_mut(|front| {
            // They are what was oldest a while ago, or follow each other: what was added since comes after them.
            let before = front.runs.iter().take_while(|run| !is_part(run));
            let after = front.runs.iter().skip_while(|run| !is_part(run)).filter(|run| !is_part(run));
            front.runs = before.chain(&run).chain(after).cloned().collect();
            with(front);
        });
        self.tier.remove(parts.iter().map(|part| part.name()));
    }

    /// These entries, for as long as the table is not closed.
    fn going<'e, T: 'e>(
        &'e self,
        entries: impl Iterator<Item = Result<T, ViewError>> + 'e,
    ) -> impl Iterator<Item = Result<T, ViewError>> + 'e {
        entries.map(|entry| {
            if self.closing.load(Ordering::Relaxed) {
                let what = "the table is closed".to_owned();
                return Err(ViewError::Damaged { half: self.half, what });
            }
            entry.inspect_err(|error| drop(self.disk.noted(error.to_string())))
        })
    }

    fn tending(&self) -> MutexGuard<'_, Tending> {
        self.tending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wait_for_tending(&self) {
        let thread = self.tending().thread.take();
        // What went wrong on it, it has noted.
        thread.map(JoinHandle::join);
    }
}
