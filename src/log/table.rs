//! One half's views: what sled holds, and over it what was applied lately and lies in memory.
//!
//! One thread applies; any may read. When much has come together it is put aside whole, and a thread of its own writes it into sled
//! in key order, syncs, and lets go of it: readers find it in memory until then. At most two such parts are in memory at once:
//! whoever wants to put aside a second one waits until the first is written.

use super::layer::{Change, Changed, Changes, Laid, Under, lay};
use super::record::array;
use super::{Fold, Half, VIEW_NUMBER_MAX, View, ViewError};
use disk::{Changing, Disk};
use recent::Recent;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

mod disk;
mod recent;
mod redo;

/// Layout of entries and position; another number on disk has the views rebuilt.
const VIEWS_FORMAT: u32 = 2;
/// So much in memory is written out: few enough for a small machine, many enough that neighbours are written together.
const RECENT_BYTES: usize = 32 << 20;

/// Up to where a half's views hold its journal, and by which fold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// The last record applied; 0 before the first.
    pub(super) seq: u64,
    /// That record's checksum: it stands for the whole journal before it.
    pub(super) crc: u32,
    /// The fold that applied it.
    pub(super) fold: u32,
}

/// What happens once something put aside is written and synced, or could not be.
pub(super) type Then = Box<dyn FnOnce(Result<(), Unwritten>) + Send>;

/// Why something put aside was not written.
pub(super) struct Unwritten {
    pub(super) what: String,
    /// The table on the disk turned out damaged: the disk may be as good as ever.
    pub(super) damaged: bool,
}

/// The views of a half that lie in short blocks, a bit for each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Often(u64);

impl Often {
    pub(super) fn of(half: Half, fold: &dyn Fold) -> Self {
        let often = (0..=VIEW_NUMBER_MAX).filter(|number| fold.often(View { half, number: *number }));
        Self(often.fold(0, |views, number| views | 1 << number))
    }

    /// Whether the view with this key's first byte is one of them.
    fn holds(self, key: &[u8]) -> bool {
        key.first()
            .is_some_and(|number| self.0.checked_shr(u32::from(*number)).is_some_and(|bits| bits & 1 == 1))
    }
}

pub(super) struct Table {
    disk: Arc<Disk>,
    /// Held to take or replace what is in it, and by nobody for longer.
    front: Arc<RwLock<Front>>,
    writing: Mutex<Writing>,
}

/// What lies over sled, the newest first.
#[derive(Clone, Default)]
struct Front {
    active: Arc<Recent>,
    /// Being written.
    aside: Option<Arc<Recent>>,
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
    /// Opens or makes the table in `dir`; the error says what sled said.
    pub(super) fn open(half: Half, dir: &Path, cache_bytes: u64, often: Often) -> Result<Self, String> {
        let disk = Arc::new(Disk::open(half, dir, cache_bytes, often)?);
        Ok(Self { disk, front: Arc::default(), writing: Mutex::default() })
    }

    /// Where sled is; `None` for a table without a position. The error says why the table cannot be believed. Asked before anything
    /// is applied.
    pub(super) fn position(&self) -> Result<Option<Position>, String> {
        let found = self.disk.position()?;
        let mut writing = self.writing();
        (writing.to, writing.put_aside) = (found.unwrap_or_default(), found);
        Ok(found)
    }

    /// Whether a crash cut something in two that [`Self::finish`] can bring to its end.
    pub(super) fn is_unfinished(&self) -> bool {
        self.disk.is_unfinished()
    }

    /// Brings that to its end; first thing after [`Self::open`].
    pub(super) fn finish(&self) -> Result<(), String> {
        self.disk.finish()
    }

    /// The highest sequence that any readable mark names, also in a table that is no good otherwise.
    pub(super) fn reached(&self) -> u64 {
        self.disk.reached()
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

    /// Every entry that sled has, in key order, as its disk has it where that can be had.
    pub(super) fn stored(&self) -> impl Iterator<Item = Laid> {
        self.disk.forget();
        self.disk.entries(&[])
    }

    /// What was found that is not as it was written, by whomever, since the table was opened. Waits for nobody.
    pub(super) fn damage(&self) -> Option<&str> {
        self.disk.damage()
    }

    /// Writes what a new table is to hold, in key order and each key once, and the position it leads to, down to the disk.
    pub(super) fn fill(&self, entries: impl Iterator<Item = Laid>, to: Position) -> Result<(), String> {
        self.disk.fill(entries, to)?;
        let mut writing = self.writing();
        (writing.to, writing.put_aside) = (to, Some(to));
        Ok(())
    }

    /// Makes `changes` seen, all at once, and notes the position they lead to.
    pub(super) fn apply(&self, changes: Changes, to: Position) {
        let active = Arc::new(self.front().active.with(changes));
        self.front.write().unwrap_or_else(PoisonError::into_inner).active = active;
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
        let to = writing.to;
        if writing.put_aside.replace(to) == Some(to) {
            then(Ok(()));
            return Ok(());
        }
        let fresh = Arc::new(Recent::default());
        let aside = {
            let mut front = self.front.write().unwrap_or_else(PoisonError::into_inner);
            let aside = std::mem::replace(&mut front.active, fresh);
            front.aside = Some(Arc::clone(&aside));
            aside
        };
        let (disk, front) = (Arc::clone(&self.disk), Arc::clone(&self.front));
        let write = move || {
            let changes = || -> Changing { Box::new(aside.changes(&[])) };
            let written = disk.write(&changes, to);
            then(written.clone().map_err(|what| Unwritten { what, damaged: disk.damage().is_some() }));
            if written.is_ok() {
                front.write().unwrap_or_else(PoisonError::into_inner).aside = None;
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

    fn front(&self) -> Front {
        self.front.read().unwrap_or_else(PoisonError::into_inner).clone()
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
    }
}

impl Under for Table {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        let Front { active, aside } = self.front();
        let recent = active.get(key).or_else(|| aside.and_then(|aside| aside.get(key)));
        recent.map_or_else(|| self.disk.get(key), Ok)
    }

    fn entries<'u>(&'u self, from: &[u8]) -> Box<dyn Iterator<Item = Laid> + 'u> {
        let Front { active, aside } = self.front();
        let disk = self.disk.entries(from);
        match aside {
            Some(aside) => Box::new(lay(active.laid(from), lay(aside.laid(from), disk))),
            None => Box::new(lay(active.laid(from), disk)),
        }
    }
}

impl Position {
    fn encode(&self) -> Vec<u8> {
        let mut out = self.seq.to_le_bytes().to_vec();
        out.extend_from_slice(&self.crc.to_le_bytes());
        out.extend_from_slice(&self.fold.to_le_bytes());
        out.extend_from_slice(&VIEWS_FORMAT.to_le_bytes());
        out
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let format = u32::from_le_bytes(array(bytes, 16)?);
        (format == VIEWS_FORMAT && bytes.len() == 20).then_some(Self {
            seq: u64::from_le_bytes(array(bytes, 0)?),
            crc: u32::from_le_bytes(array(bytes, 8)?),
            fold: u32::from_le_bytes(array(bytes, 12)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// What is done to a table.
    #[derive(Debug, Clone)]
    enum Step {
        Apply(BTreeMap<Vec<u8>, Option<u8>>),
        WriteOut,
        Wait,
        Again,
    }

    fn step() -> impl Strategy<Value = Step> {
        let changes = prop::collection::btree_map(
            prop::collection::vec(0_u8..4, 1..5),
            prop::option::weighted(0.7, any::<u8>()),
            0..20,
        );
        prop_oneof![6 => changes.prop_map(Step::Apply), 2 => Just(Step::WriteOut), 1 => Just(Step::Wait), 1 => Just(Step::Again)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn it_is_what_was_applied_wherever_that_lies(steps in prop::collection::vec(step(), 1..30)) {
            let dir = tempfile::tempdir().unwrap();
            let open = || Table::open(Half::Neutral, dir.path(), 1 << 20, Often::default()).unwrap();
            let (mut table, mut model, mut to) = (open(), BTreeMap::new(), Position::default());
            for (step, seq) in steps.into_iter().zip(1..) {
                match step {
                    Step::Apply(changes) => {
                        to = Position { seq, crc: 0, fold: 1 };
                        let change = |value: &Option<u8>| Change { seq, value: value.map(|byte| vec![byte; 40]) };
                        table.apply(changes.iter().map(|(key, value)| (key.clone(), change(value))).collect(), to);
                        for (key, value) in changes {
                            match value {
                                Some(byte) => model.insert(key, vec![byte; 40]),
                                None => model.remove(&key),
                            };
                        }
                    }
                    Step::WriteOut => table.write_out(Box::new(|_| {})).unwrap(),
                    Step::Wait => table.wait().unwrap(),
                    Step::Again => {
                        table.settle().unwrap();
                        drop(table);
                        table = open();
                        prop_assert_eq!(table.position().map(Option::unwrap_or_default), Ok(to));
                    }
                }
                let base: &dyn Under = &table;
                let all: Vec<_> = base.entries(&[]).map(|entry| entry.unwrap()).collect();
                let all: Vec<_> = all.into_iter().filter_map(|(key, change)| Some((key, change.value?))).collect();
                prop_assert!(all == model.iter().map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>());
                for key in [&[0][..], &[1, 1], &[2, 2, 2], &[3]] {
                    prop_assert_eq!(&base.get(key).unwrap(), &model.get(key).cloned());
                }
            }
        }
    }
}
