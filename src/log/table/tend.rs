//! Looks after a table's runs: on threads that write.

use super::super::ViewError;
use super::super::filter::KeyHash;
use super::super::layer::Laid;
use super::recent::Recent;
use super::tier::{self, Placed};
use super::{Front, Shared};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread;

impl Shared {
    pub(super) fn front(&self) -> Front {
        self.front.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn front_mut<T>(&self, change: impl FnOnce(&mut Front) -> T) -> T {
        change(&mut self.front.write().unwrap_or_else(PoisonError::into_inner))
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

    /// The value of `key` on the disk.
    pub(super) fn get(&self, runs: &[Arc<Placed>], key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        if !runs.is_empty() {
            let hash = KeyHash::of(key);
            for placed in runs.iter().rev() {
                if let Some(found) = placed.run.get(key, hash).map_err(|what| self.damaged(&what))? {
                    return Ok(found.value);
                }
            }
        }
        self.disk.get(key)
    }

    /// The entries that the disk has from `from` on.
    pub(super) fn laid<'s>(
        &'s self,
        runs: &[Arc<Placed>],
        from: &[u8],
    ) -> Box<dyn Iterator<Item = Laid> + 's> {
        let noted = |entry: Laid| entry.inspect_err(|error| drop(self.disk.noted(error.to_string())));
        Box::new(tier::laid(runs, Box::new(self.disk.entries(from)), from, self.half).map(noted))
    }

    fn damaged(&self, what: &str) -> ViewError {
        let error = tier::damaged(self.half, what);
        self.disk.noted(error.to_string());
        error
    }

    /// Has a thread put runs together, if it is time and none does.
    pub(super) fn tend(self: &Arc<Self>) {
        let mut tending = self.tending.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = tending.as_ref().is_some_and(|thread| !thread.is_finished());
        let runs = self.front().runs;
        if busy || !(self.tier.is_due(&runs, self.disk.bytes()) || tier::full(&runs).is_some()) {
            return;
        }
        let shared = Arc::clone(self);
        let tend = move || {
            let done = loop {
                match shared.tend_once() {
                    Ok(true) => {}
                    done => break done,
                }
            };
            if let (Err(what), false) = (done, shared.closing.load(Ordering::Relaxed)) {
                shared.untended.set(what).ok();
            }
        };
        // Without a thread there are more runs for a while.
        *tending = thread::Builder::new().name("tend".to_owned()).spawn(tend).ok();
    }

    /// Does what is due; `false` where nothing is.
    fn tend_once(&self) -> Result<bool, String> {
        let runs = self.front().runs;
        let (parts, run) = if self.tier.is_due(&runs, self.disk.bytes()) {
            let Some(to) = runs.last().map(|run| run.to) else { return Ok(false) };
            self.disk
                .write(self.going(tier::laid(&runs, Box::new(std::iter::empty()), &[], self.half)), to)?;
            (&*runs, None)
        } else if let Some(parts) = tier::full(&runs) {
            let run = self.tier.put_together(parts, |entries| self.going(entries));
            (parts, Some(Arc::new(run.map_err(|error| error.to_string())?)))
        } else {
            return Ok(false);
        };
        self.front_mut(|front| {
            let rest =
                front.runs.iter().skip_while(|run| !is_of(parts, run)).filter(|run| !is_of(parts, run));
            let before = front.runs.iter().take_while(|run| !is_of(parts, run));
            front.runs = before.chain(&run).chain(rest).cloned().collect();
        });
        self.tier.remove(parts.iter().map(|part| part.name()));
        Ok(true)
    }

    /// These entries, for as long as the table is not closed.
    fn going<'e>(&'e self, entries: impl Iterator<Item = Laid> + 'e) -> impl Iterator<Item = Laid> + 'e {
        entries.map(|entry| {
            if self.closing.load(Ordering::Relaxed) {
                let what = "the table is closed".to_owned();
                return Err(ViewError::Damaged { half: self.half, what });
            }
            entry.inspect_err(|error| drop(self.disk.noted(error.to_string())))
        })
    }

    pub(super) fn wait_for_tending(&self) {
        let tending = self.tending.lock().unwrap_or_else(PoisonError::into_inner).take();
        // After a panic the runs are as they were.
        tending.map(thread::JoinHandle::join);
    }
}

fn is_of(parts: &[Arc<Placed>], run: &Arc<Placed>) -> bool {
    parts.iter().any(|part| Arc::ptr_eq(part, run))
}
