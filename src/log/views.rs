//! The committed views as any thread reads them.

use super::layer::{self, Base};
use super::table::Table;
use super::{Entry, Half, Halves, Read, View, ViewError};
use nix::fcntl::Flock;
use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// What is true now, readable from any thread without waiting for a writer. While a group is being applied a reader may
/// see some of its entries and not yet others: what must be seen whole lies in one value.
///
/// Holding one keeps the state folder locked, also after [`Log::close`](super::Log::close).
#[derive(Clone)]
pub struct Views {
    inner: Arc<Inner>,
}

struct Inner {
    /// Empty where a locked fold kept a half from being built.
    tables: Halves<OnceLock<Table>>,
    behind: Halves<AtomicBool>,
    /// Declared last, so dropped last: the folder is let go after sled has let go of its files.
    _lock: Flock<File>,
}

impl Views {
    pub(super) fn new(tables: Halves<Option<Table>>, lock: Flock<File>) -> Self {
        let cell = |table: Option<Table>| table.map_or_else(OnceLock::new, OnceLock::from);
        let tables = Halves { personal: cell(tables.personal), neutral: cell(tables.neutral) };
        Self { inner: Arc::new(Inner { tables, behind: Halves::default(), _lock: lock }) }
    }

    pub(super) fn base(&self) -> Base<'_> {
        let tables = &self.inner.tables;
        Halves { personal: tables.personal.get(), neutral: tables.neutral.get() }
    }

    pub(super) fn table(&self, half: Half) -> Option<&Table> {
        self.inner.tables.get(half).get()
    }

    /// Puts a table where there was none, and gives the one that is there now.
    pub(super) fn set_table(&self, half: Half, table: Table) -> &Table {
        self.inner.tables.get(half).get_or_init(|| table)
    }

    pub(super) fn is_behind(&self, half: Half) -> bool {
        self.inner.behind.get(half).load(Ordering::Acquire)
    }

    pub(super) fn set_behind(&self, half: Half, behind: bool) {
        self.inner.behind.get(half).store(behind, Ordering::Release);
    }

    pub(super) fn check(&self, half: Half) -> Result<(), ViewError> {
        if self.is_behind(half) { Err(ViewError::Behind { half }) } else { Ok(()) }
    }

    /// Reads and checks every entry of a half. Two rebuilds of one journal, and the views they replace, have the same
    /// digest. Not a snapshot: call it while nothing is written.
    pub fn digest(&self, half: Half) -> Result<Digest, ViewError> {
        self.check(half)?;
        let mut crc = crc32fast::Hasher::new();
        let mut entries: u64 = 0;
        for entry in self.table(half).iter().flat_map(|table| table.raw()) {
            let (key, value) = entry?;
            for part in [&key, &value] {
                crc.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
                crc.update(part);
            }
            entries = entries.saturating_add(1);
        }
        Ok(Digest { entries, crc: crc.finalize() })
    }
}

impl Read for Views {
    fn get(&self, view: View, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        self.check(view.half)?;
        layer::get(self.base(), &[], view, key)
    }

    fn scan(&self, view: View, prefix: &[u8], limit: usize) -> Result<Vec<Entry>, ViewError> {
        self.check(view.half)?;
        layer::scan(self.base(), &[], view, prefix, limit)
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
    /// CRC-32 over all keys and values, each with the sequence that wrote it.
    pub crc: u32,
}
