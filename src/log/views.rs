//! The committed views as any thread reads them.

use super::files::to_u64;
use super::layer::{self, base};
use super::table::Table;
use super::verify::Fault;
use super::{Entry, Half, Halves, Read, View, ViewError};
use nix::fcntl::Flock;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// What is true now, readable from any thread without waiting for a writer. Each reading sees a group whole or not at all, but
/// one may come between two readings: what must be seen whole lies in one value.
///
/// Holding one keeps the state folder locked, also after [`Log::close`](super::Log::close).
#[derive(Clone)]
pub struct Views {
    inner: Arc<Inner>,
}

struct Inner {
    /// Empty where a locked fold kept a half from being built. Held by readers to take a handle, by the committer to put
    /// another table in place, and by neither for longer.
    tables: Halves<RwLock<Option<Arc<Table>>>>,
    behind: Halves<AtomicBool>,
    /// Whether what is behind is read all the same: nothing can bring it up while the journals are damaged.
    as_they_are: AtomicBool,
    /// What readers first found wrong with each journal.
    faults: Halves<OnceLock<Fault>>,
    /// The log's folder.
    dir: PathBuf,
    /// Declared last, so dropped last: the folder is let go after sled has let go of its files.
    _lock: Flock<File>,
}

impl Views {
    pub(super) fn new(dir: &Path, tables: Halves<Option<Table>>, lock: Flock<File>) -> Self {
        let cell = |table: Option<Table>| {
            table.iter().for_each(Table::hold);
            RwLock::new(table.map(Arc::new))
        };
        let tables = Halves { personal: cell(tables.personal), neutral: cell(tables.neutral) };
        let (behind, as_they_are, faults) = Default::default();
        let dir = dir.to_path_buf();
        Self { inner: Arc::new(Inner { tables, behind, as_they_are, faults, dir, _lock: lock }) }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// Notes what a reader found wrong with a journal; a latch, so that nobody waits to read it.
    pub(super) fn found(&self, fault: Fault) {
        self.inner.faults.get(fault.half).get_or_init(|| fault);
    }

    pub(super) fn fault(&self, half: Half) -> Option<&Fault> {
        self.inner.faults.get(half).get()
    }

    pub(super) fn table(&self, half: Half) -> Option<Arc<Table>> {
        self.inner.tables.get(half).read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts `table` in place; gives the one before, which readers may hold on to for a moment.
    pub(super) fn set_table(&self, half: Half, table: Arc<Table>) -> Option<Arc<Table>> {
        table.hold();
        self.inner.tables.get(half).write().unwrap_or_else(PoisonError::into_inner).replace(table)
    }

    pub(super) fn set_behind(&self, half: Half, behind: bool) {
        self.inner.behind.get(half).store(behind, Ordering::Release);
    }

    /// Has both halves read although their journals are damaged; `behind`: what they do not hold may all the same be there.
    pub(super) fn show_as_they_are(&self, behind: bool) {
        self.inner.as_they_are.store(true, Ordering::Release);
        Half::ALL.into_iter().for_each(|half| self.set_behind(half, behind));
    }

    pub(super) fn check(&self, half: Half) -> Result<(), ViewError> {
        let as_they_are = self.inner.as_they_are.load(Ordering::Acquire);
        if self.is_behind(half) && !as_they_are { Err(ViewError::Behind { half }) } else { Ok(()) }
    }

    /// Reads and checks every entry of a half. Two rebuilds of one journal, and the views they replace, have the same
    /// digest. Not a snapshot: call it while nothing is written.
    pub fn digest(&self, half: Half) -> Result<Digest, ViewError> {
        self.check(half)?;
        let mut crc = crc32fast::Hasher::new();
        let (mut entries, mut bytes): (u64, u64) = (0, 0);
        for entry in self.table(half).iter().flat_map(|table| table.raw()) {
            let (key, value) = entry?;
            // The sequence that wrote it stands before a value.
            let own = key.len().saturating_add(value.len()).saturating_sub(8);
            bytes = bytes.saturating_add(to_u64(own));
            for part in [&key, &value] {
                crc.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
                crc.update(part);
            }
            entries = entries.saturating_add(1);
        }
        Ok(Digest { entries, bytes, crc: crc.finalize() })
    }
}

impl Read for Views {
    fn get(&self, view: View, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        self.check(view.half)?;
        layer::get(base(self.table(view.half).as_deref()), [], view, key)
    }

    fn scan_from(
        &self,
        view: View,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<Entry>, ViewError> {
        self.check(view.half)?;
        layer::scan_from(base(self.table(view.half).as_deref()), [], view, (prefix, from), limit)
    }
}

/// Views as far as they go: what a half that is behind holds was true at its position, and may be read; what it does not hold may
/// be in what is not folded yet, so that is an error.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'v>(&'v Views);

impl Views {
    /// The same views, also of a half that is behind.
    #[must_use]
    pub fn standing(&self) -> Standing<'_> {
        Standing(self)
    }

    /// Whether a half is behind: its fold was locked at open, or its journal is damaged.
    #[must_use]
    pub fn is_behind(&self, half: Half) -> bool {
        self.inner.behind.get(half).load(Ordering::Acquire)
    }
}

impl Read for Standing<'_> {
    fn get(&self, view: View, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        let found = layer::get(base(self.0.table(view.half).as_deref()), [], view, key)?;
        if found.is_none() && self.0.is_behind(view.half) {
            return Err(ViewError::Behind { half: view.half });
        }
        Ok(found)
    }

    fn scan_from(
        &self,
        view: View,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<Entry>, ViewError> {
        self.0.scan_from(view, prefix, from, limit)
    }
}

impl std::fmt::Debug for Views {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Views").field("behind", &self.inner.behind).finish_non_exhaustive()
    }
}

/// What a half's views hold, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    /// How many entries.
    pub entries: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// CRC-32 over all keys and values, each with the sequence that wrote it.
    pub crc: u32,
}
