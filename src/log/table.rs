//! One half's views: what sled holds, and over it what was applied since: runs on the disk, and in memory what is not in one yet.
//!
//! One thread applies; any may read. When much has come together in memory it is put aside whole, and a thread of its own writes it
//! down as a run: readers find it in memory until then. At most two such parts are in memory at once: whoever wants to put aside a
//! second one waits until the first is written. Another thread tends the runs: it puts them together, and many of them into sled; and it
//! copies into memory what sled has of the views that a scan asks for, notes which keys it has of those that are asked for what is new, and
//! has it let go of what it keeps beyond its cache.

use super::filter::KeyHash;
use super::layer::{Change, Changed, Changes, Laid, Under, lay};
use super::{Asked, Fold, Half, Settings, VIEW_NUMBER_MAX, View, ViewError};
use disk::Disk;
use held::Held;
use known::Known;
pub(super) use position::Position;
use recent::Recent;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use tend::Tending;
use tier::{Chain, Found, Tier};

mod disk;
mod held;
mod known;
mod position;
mod recent;
mod tend;
mod tier;

/// So much in memory is written out: few enough for a small machine.
const RECENT_BYTES: usize = 32 << 20;

/// What happens once something put aside is written and synced, or could not be.
pub(super) type Then = Box<dyn FnOnce(Result<(), Unwritten>) + Send>;

/// Why something put aside was not written.
pub(super) struct Unwritten {
    pub(super) what: String,
    /// The table on the disk turned out damaged: the disk may be as good as ever.
    pub(super) damaged: bool,
}

/// Numbers of a half's views, a bit for each.
#[derive(Clone, Copy, Debug, Default)]
struct ViewNumbers(u64);

impl ViewNumbers {
    /// Ascending.
    fn each(self) -> impl Iterator<Item = u8> {
        (0..=VIEW_NUMBER_MAX).filter(move |number| self.holds(&[*number]))
    }

    /// Whether the view with this key's first byte is one of them.
    fn holds(self, key: &[u8]) -> bool {
        key.first()
            .is_some_and(|number| self.0.checked_shr(u32::from(*number)).is_some_and(|bits| bits & 1 == 1))
    }
}

/// The views of a half whose single entries are asked for in a way of their own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AskedViews {
    often: ViewNumbers,
    new: ViewNumbers,
}

impl AskedViews {
    pub(super) fn of(half: Half, fold: &dyn Fold) -> Self {
        let of = |asked: Asked| {
            let views =
                (0..=VIEW_NUMBER_MAX).filter(|number| fold.asked(View { half, number: *number }) == asked);
            ViewNumbers(views.fold(0, |views, number| views | 1 << number))
        };
        Self { often: of(Asked::Often), new: of(Asked::New) }
    }
}

pub(super) struct Table {
    shared: Arc<Shared>,
    writing: Mutex<Writing>,
    /// The highest sequence that a run of the folder led to when it was opened.
    reached: u64,
}

/// What the threads that write have of a table.
struct Shared {
    half: Half,
    disk: Disk,
    tier: Tier,
    /// Held to take or replace what is in it, and by nobody for longer.
    front: RwLock<Arc<Front>>,
    /// Which views it copies, and of which it notes the keys.
    asked: AskedViews,
    /// Set when the views that are asked for one by one are to be copied into memory, until that is begun.
    to_hold: AtomicBool,
    /// The same of the keys that sled has of those that are asked for what is new.
    to_know: AtomicBool,
    /// Set where runs and sled are to stay as they are.
    left_alone: AtomicBool,
    /// The thread that tends the runs.
    tending: Mutex<Tending>,
    /// Why runs could not be put together, or into sled: then no further ones are written.
    untended: OnceLock<String>,
    /// Set when the table is closed: that thread ends at the next entry.
    closing: AtomicBool,
}

/// What lies over sled, the newest first.
#[derive(Clone, Default)]
struct Front {
    active: Arc<Recent>,
    /// Being written.
    aside: Option<Arc<Recent>>,
    /// Runs on the disk, the oldest first.
    runs: Chain,
    /// What sled has of the views that are asked for one by one, once it was copied.
    held: Option<Held>,
    /// Which keys sled has of the views that are asked for what is new, once it was gone through.
    known: Option<Arc<Known>>,
}

#[derive(Default)]
struct Writing {
    /// Where what was applied leads.
    to: Position,
    /// Where what was last put aside leads; `None`: nobody has looked.
    put_aside: Option<Position>,
    thread: Option<JoinHandle<Result<(), String>>>,
    /// What was put aside could not be written. It stays in memory, and nothing more is put aside.
    failed: Option<String>,
}

impl Table {
    /// Opens or makes the table in `dir`; the error says what is wrong with it.
    pub(super) fn open(
        settings: &Settings,
        half: Half,
        dir: &Path,
        asked: AskedViews,
    ) -> Result<Self, String> {
        let disk = Disk::open(half, dir, settings.cache_bytes)?;
        // What is wrong with it, [`Self::position`] tells.
        let at =
            disk.positions().map_or_else(|_| Position::default(), |(applied, _)| applied.unwrap_or_default());
        let (tier, Found { chain, reached }) = Tier::open(dir, half, settings.runs_bytes, at)?;
        let front = RwLock::new(Arc::new(Front { runs: chain, ..Front::default() }));
        let (to_hold, to_know, left_alone, tending, untended, closing) = Default::default();
        let shared = Arc::new(Shared {
            half,
            disk,
            tier,
            front,
            asked,
            to_hold,
            to_know,
            left_alone,
            tending,
            untended,
            closing,
        });
        Ok(Self { shared, writing: Mutex::default(), reached })
    }

    /// Where the table is on the disk; `None` for one without a position. The error says why it cannot be believed. Asked before
    /// anything is applied.
    pub(super) fn position(&self) -> Result<Option<Position>, String> {
        let (applied, begun) = self.shared.disk.positions()?;
        let found = self.front().runs.last().map(|run| run.to).or(applied);
        // Runs that go further than what was begun have all of it: none is part of another half-way.
        let covered = begun.zip(found).is_some_and(|(begun, found)| begun.seq <= found.seq);
        if applied != begun && !covered {
            return Err("what a crash cut in two is in no run".to_owned());
        }
        let mut writing = self.writing();
        (writing.to, writing.put_aside) = (found.unwrap_or_default(), found);
        Ok(found)
    }

    /// The highest sequence that anything readable names, also in a table that is no good otherwise.
    pub(super) fn reached(&self) -> u64 {
        self.shared.disk.reached().max(self.reached)
    }

    /// Leaves runs and sled as they are from now on: they may be all that there is.
    pub(super) fn leave_alone(&self) {
        self.shared.left_alone.store(true, Ordering::Relaxed);
    }

    /// Has the views that are asked for one by one copied into memory, and the keys noted of those that are asked for what is new; until
    /// then they are looked up on the disk.
    pub(super) fn hold(&self) {
        self.shared.to_hold.store(true, Ordering::Relaxed);
        self.shared.to_know.store(true, Ordering::Relaxed);
        self.shared.tend();
    }

    /// Every entry of every view in key order: its key, and the sequence that wrote it (8 bytes) before its value.
    pub(super) fn raw(&self) -> impl Iterator<Item = Result<super::Entry, ViewError>> {
        Under::entries(self, &[]).filter_map(|found| {
            let raw = |(key, Change { seq, value }): Changed| {
                value.map(|value| (key, [seq.to_le_bytes().as_slice(), value.as_slice()].concat()))
            };
            found.map(raw).transpose()
        })
    }

    /// Every entry that the disk has, in key order, as the disk has it where that can be had.
    pub(super) fn stored(&self) -> impl Iterator<Item = Laid> {
        let runs = Arc::clone(&self.front().runs);
        self.shared.disk.forget();
        runs.iter().for_each(|placed| placed.run.forget());
        let removed = |entry: &Laid| entry.as_ref().is_ok_and(|(_, change)| change.value.is_none());
        self.shared.laid(&runs, None, &[]).filter(move |entry| !removed(entry))
    }

    /// What was found that is not as it was written, by whomever, since the table was opened. Waits for nobody.
    pub(super) fn damage(&self) -> Option<&str> {
        self.shared.disk.damage()
    }

    /// Writes what a new table is to hold, in key order and each key once, and the position it leads to, down to the disk.
    pub(super) fn fill(&self, entries: impl Iterator<Item = Laid>, to: Position) -> Result<(), String> {
        self.shared.disk.fill(entries, to)?;
        let mut writing = self.writing();
        (writing.to, writing.put_aside) = (to, Some(to));
        Ok(())
    }

    /// Makes `changes` seen, all at once, and notes the position they lead to.
    pub(super) fn apply(&self, changes: Changes, to: Position) {
        let active = Arc::new(self.front().active.with(changes));
        self.shared.front_mut(|front| front.active = active);
        self.writing().to = to;
    }

    /// Whether it is time to write out.
    pub(super) fn is_full(&self) -> bool {
        self.front().active.bytes() >= RECENT_BYTES
    }

    /// Whether something put aside is being written.
    pub(super) fn is_writing(&self) -> bool {
        self.writing().thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Puts aside what was applied, and has it written down to the disk by a thread of its own; waits while the last one does.
    /// `then` runs on that thread. The error is the last one's; nothing is put aside then.
    pub(super) fn write_out(&self, then: Then) -> Result<(), String> {
        let mut writing = self.writing();
        writing.wait()?;
        let (from, to) = (writing.put_aside.unwrap_or_default(), writing.to);
        if writing.put_aside.replace(to) == Some(to) {
            then(Ok(()));
            return Ok(());
        }
        let is_full = || self.shared.tier.is_full(&self.front().runs);
        if is_full() {
            self.shared.wait_for_tending();
        }
        let full = is_full();
        let aside = self.shared.put_aside();
        let shared = Arc::clone(&self.shared);
        let write = move || {
            let entries = aside.changes(&[]).map(Ok);
            // Damage in sled keeps nobody from writing runs, while the views are made anew.
            let stops = shared.disk.damage().is_none() || full;
            let tended = shared.untended.get().filter(|_| stops).map_or(Ok(()), |what| Err(what.clone()));
            let written = tended.and_then(|()| {
                let run = shared.tier.write((from, to), 0, aside.count(), entries);
                run.map_err(|error| error.to_string())
            });
            let written = written.map(|run| shared.take(run));
            then(written.clone().map_err(|what| Unwritten { what, damaged: shared.disk.damage().is_some() }));
            if written.is_ok() {
                shared.tend();
            }
            written
        };
        match thread::Builder::new().name("views".to_owned()).spawn(write) {
            Ok(thread) => {
                writing.thread = Some(thread);
                Ok(())
            }
            Err(error) => {
                // It stays in memory, as what could not be written does.
                writing.failed = Some(error.to_string());
                Err(error.to_string())
            }
        }
    }

    /// Waits until what was put aside is on the disk.
    pub(super) fn wait(&self) -> Result<(), String> {
        self.writing().wait()
    }

    /// Writes out what was applied, if it is much.
    pub(super) fn ease(&self) -> Result<(), String> {
        if self.is_full() { self.write_out(Box::new(|_| {})) } else { Ok(()) }
    }

    /// Writes out all that was applied, and waits for it.
    pub(super) fn settle(&self) -> Result<(), String> {
        self.write_out(Box::new(|_| {}))?;
        self.wait()
    }

    /// As [`Self::settle`], and syncs every file and folder of a new table in `dir`.
    pub(super) fn settle_new(&self, dir: &Path) -> Result<(), String> {
        self.settle()?;
        super::files::sync_tree(dir).map_err(|error| error.to_string())
    }

    fn front(&self) -> Arc<Front> {
        self.shared.front()
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writing {
    fn wait(&mut self) -> Result<(), String> {
        if let Some(thread) = self.thread.take() {
            let written = thread.join().unwrap_or_else(|_| Err("writing the views panicked".to_owned()));
            self.failed = written.err();
        }
        self.failed.clone().map_or(Ok(()), Err)
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // What could not be written is in the journal; `then` has told.
        self.wait().ok();
        self.shared.closing.store(true, Ordering::Relaxed);
        self.shared.wait_for_tending();
    }
}

impl Under for Table {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        let front = self.front();
        let Front { active, aside, runs, held, known } = &*front;
        let hash = KeyHash::of(key);
        let recent = active.get(key, hash).or_else(|| aside.as_ref().and_then(|aside| aside.get(key, hash)));
        if let Some(value) = recent {
            return Ok(value);
        }
        if let Some(change) = self.shared.changed(runs, key, hash)? {
            return Ok(change.value);
        }
        if known.as_ref().is_some_and(|known| known.lacks(key, hash)) {
            return Ok(None);
        }
        match held.as_ref().and_then(|held| held.get(key)) {
            Some(value) => Ok(value),
            None => self.shared.disk.get(key),
        }
    }

    fn entries<'u>(&'u self, from: &[u8]) -> Box<dyn Iterator<Item = Laid> + 'u> {
        self.entries_under(&[], from)
    }

    fn entries_under<'u>(&'u self, prefix: &[u8], from: &[u8]) -> Box<dyn Iterator<Item = Laid> + 'u> {
        let group = KeyHash::of_group(prefix);
        let front = self.front();
        let Front { active, aside, runs, .. } = &*front;
        let stored = self.shared.laid(runs, group, from);
        match aside {
            Some(aside) => Box::new(lay(active.laid(group, from), lay(aside.laid(group, from), stored))),
            None => Box::new(lay(active.laid(group, from), stored)),
        }
    }
}

#[cfg(test)]
mod tests;
