//! A run: a part of what was changed, in key order in a file of its own, with a filter of which keys may be in it.
//!
//! A sealed file (`sealed.rs`) whose header its owner chooses; what it keeps beside its index is the filter.

use super::files::to_u64;
use super::filter::{Filter, KeyHash, KeyHashes};
use super::layer::{Change, Changed, Laid};
use super::sealed::{Sealed, SealedWriter};
use super::sorted::{Item, Sorted, entries_of};
use std::fs::File;
use std::io;
use std::sync::Arc;

/// Short blocks, for most are read for one entry.
const BLOCK_BYTES: usize = 4 << 10;
/// Bits of its filter for each entry, which is noted by itself and with its group.
const FILTER_BITS: usize = 16;

/// No `Debug`: it holds values.
pub(super) struct Run {
    sorted: Arc<Sorted>,
    filter: Filter,
    pub(super) header: Vec<u8>,
    /// How many entries it has, removals among them.
    pub(super) entries: usize,
    /// How long its file is.
    pub(super) bytes: u64,
}

impl Run {
    /// Writes at most `count` entries, in key order, into an empty file that can be read, too. Nothing is synced.
    pub(super) fn write(
        file: File,
        header: Vec<u8>,
        count: usize,
        entries: impl Iterator<Item = Laid>,
    ) -> io::Result<Self> {
        let mut filter = Filter::new(count.saturating_mul(FILTER_BITS));
        let mut sealed = SealedWriter::new(file, header, BLOCK_BYTES)?;
        for entry in entries {
            let (key, change): Changed = entry.map_err(io::Error::other)?;
            filter.note_alone(KeyHashes::of(&key));
            sealed.put(Item::of((&key, &change)))?;
        }
        Ok(Self::new(sealed.finish(filter.encode())?, filter))
    }

    /// Opens one that was written. The error says what is wrong with it.
    pub(super) fn open(file: File) -> Result<Self, String> {
        let mut sealed = Sealed::open(file)?;
        let filter = Filter::parse(&std::mem::take(&mut sealed.more)).ok_or("it has no filter")?;
        Ok(Self::new(sealed, filter))
    }

    fn new(sealed: Sealed, filter: Filter) -> Self {
        let Sealed { header, entries, bytes, sorted, .. } = sealed;
        let entries = usize::try_from(entries).unwrap_or(usize::MAX);
        Self { sorted: Arc::new(sorted), filter, header, entries, bytes }
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.sorted.sync()
    }

    /// Has what is read next come from the disk.
    pub(super) fn forget(&self) {
        self.sorted.forget();
    }

    /// What `key`, whose hash is `hash`, was changed to in it: `None` when it was not. The error says what is wrong with the file.
    pub(super) fn get(&self, key: &[u8], hash: KeyHash) -> Result<Option<Change>, String> {
        if self.filter.may_hold(hash) { self.sorted.get(key) } else { Ok(None) }
    }

    /// Whether there may be entries of a group.
    pub(super) fn may_hold(&self, group: KeyHash) -> bool {
        self.filter.may_hold(group)
    }

    /// The entries from `from` on, in key order.
    pub(super) fn entries(&self, from: &[u8]) -> impl Iterator<Item = Result<Changed, String>> + use<> {
        entries_of(Arc::clone(&self.sorted), from)
    }
}

/// About how many entries several runs come to together.
pub(super) fn count<'r>(runs: impl Iterator<Item = &'r Run>) -> usize {
    runs.map(|run| run.entries).fold(0, usize::saturating_add)
}

/// How many bytes several runs have.
pub(super) fn bytes<'r>(runs: impl Iterator<Item = &'r Run>) -> u64 {
    runs.map(|run| run.bytes).fold(to_u64(0), u64::saturating_add)
}
