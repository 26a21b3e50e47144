//! Reads the journals, their second copy and the views slowly while the log runs: a disk forgets silently, and what lies before the
//! checkpoint is read at no start.
//!
//! Damage in the first copy, or a read of it that fails, stops the writing; damage takes the half's checkpoint away, so that the next start reads all and
//! heals it from the second. Damage in the second copy is put aside there and written again. The views are read too: reading
//! marks those that are damaged, and `mend.rs` builds them anew.

use super::aside;
use super::closing::{Closer, Closing};
use super::committer::State;
use super::heal::stop_for;
use super::progress::Progress;
use super::second::Second;
use super::verify::{Check, Fault, Verified};
use super::{Half, Settings, Views};
use std::cell::Cell;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// The thread, and how it is told to end.
pub(super) struct ScrubThread {
    closing: Closer,
    thread: JoinHandle<()>,
}

impl ScrubThread {
    pub(super) fn start(
        settings: Settings,
        state: Arc<State>,
        views: Views,
        second: Option<Arc<Second>>,
    ) -> io::Result<Self> {
        let closing = Arc::new(Closing::default());
        let scrub = Scrub { settings, state, views, second, closing: Arc::clone(&closing) };
        let thread = aside::spawn("scrub", move || scrub.run())?;
        Ok(Self { closing: Closer(closing), thread })
    }

    /// Ends it within one segment's reading.
    pub(super) fn stop(self) {
        drop(self.closing);
        // After a panic there is nothing left to end; it only ever read.
        self.thread.join().ok();
    }
}

struct Scrub {
    settings: Settings,
    state: Arc<State>,
    views: Views,
    second: Option<Arc<Second>>,
    closing: Arc<Closing>,
}

impl Scrub {
    fn run(&self) {
        while self.closing.pause(self.settings.scrub_every) {
            for half in Half::ALL {
                let mut found = Verified::default();
                let read = Cell::new(0);
                let progress = |_: &Path, bytes: u64| self.slowly(&read, bytes);
                let to = *self.state.tips().places.get(half);
                let copying = || self.second.as_ref().is_some_and(|second| second.is_copying());
                let (to, copying) = (Some(to), &copying);
                let building = &Progress::default();
                let check =
                    Check { settings: &self.settings, half, to, copying, building, progress: &progress };
                let done = check.journal(&mut found).and_then(|()| check.second(&mut found));
                found.faults.iter().for_each(|fault| self.act(fault));
                self.views(half);
                if done.is_err() || !self.closing.is_open() {
                    return;
                }
            }
        }
    }

    /// Waits as long as what was read since the last time may take; `false` when it is time to end.
    fn slowly(&self, read: &Cell<u64>, bytes: u64) -> bool {
        let more = bytes.saturating_sub(read.replace(bytes));
        let rate = self.settings.scrub_bytes_per_s.max(1);
        self.closing.pause(Duration::from_millis(more.saturating_mul(1000).div_ceil(rate)))
    }

    /// Reads every entry of a half's views, until they turn out damaged or others take their place.
    fn views(&self, half: Half) {
        let Some(table) = self.views.table(half).filter(|table| table.damage().is_none()) else { return };
        let is_in_place = || self.views.table(half).is_some_and(|now| Arc::ptr_eq(&now, &table));
        let read = Cell::new(0);
        let progress = |_: &Path, bytes: u64| self.slowly(&read, bytes) && is_in_place();
        let check = Check {
            settings: &self.settings,
            half,
            to: None,
            copying: &|| true,
            building: &Progress::default(),
            progress: &progress,
        };
        // What is damaged has its mark now.
        check.views(&table, &mut Verified::default()).ok();
    }

    fn act(&self, fault: &Fault) {
        let Fault { file, offset, what, .. } = fault;
        if fault.is_in_journal(&self.settings.dir) {
            return stop_for(fault, &self.settings.dir, &self.state);
        }
        let why = format!("{} is damaged at byte {offset}: {what}", file.display());
        // Should it not go, the next scrub tries again.
        fs::rename(file, file.with_extension("seg.damaged")).ok();
        if let Some(second) = &self.second {
            second.look_again(why);
        }
    }
}
