//! A snapshot file: what a half's views held at one place of its journal, in key order, each part with its checksum.
//!
//! It holds folded entries and no records, for what makes a rebuild slow is folding, not reading. It has none of the views
//! that the fold can derive again ([`Fold::keeps`](super::Fold::keeps)): of the vault it has sealed sections, and no look-up
//! hash or open link. It is read by blocks, so that neither building the next one nor reading it takes its size of memory.
//!
//! A sealed file (`sealed.rs`), none of whose entries is removed. Its header:
//!
//! ```text
//! | "FSNAP2\0\0" | half u8 | zeros 3 | fold version u32 | a checkpoint: which place (`checkpoint.rs`) |     all little-endian
//! ```

use super::checkpoint::Checkpoint;
use super::layer::{Change, Laid, Under};
use super::record::array;
use super::sealed::{Sealed, SealedWriter};
use super::sorted::Item;
use super::{Half, ViewError};
use std::fs::File;
use std::io;
use std::path::Path;

const MAGIC: [u8; 8] = *b"FSNAP2\0\0";
const HEADER_BYTES: usize = 16;
const BLOCK_BYTES: usize = 32 << 10;

/// An open snapshot. No `Debug`: it holds values.
pub(super) struct Snapshot {
    half: Half,
    /// The place that it was taken at.
    pub(super) at: Checkpoint,
    /// The fold that gave it.
    pub(super) fold: u32,
    /// How long the file is.
    pub(super) bytes: u64,
    sealed: Sealed,
}

impl Snapshot {
    /// Opens the file, and checks header and index; the blocks are checked as they are read. The error says what is wrong.
    pub(super) fn open(path: &Path, half: Half) -> Result<Self, String> {
        let sealed = Sealed::open(File::open(path).map_err(|error| error.to_string())?)?;
        let header = sealed.header.as_slice();
        if !header.starts_with(&MAGIC) {
            return Err("it is no snapshot of this format".to_owned());
        }
        if header.get(8) != Some(&half.byte()) {
            return Err("it is of the other half".to_owned());
        }
        let fold = array(header, 12).map(u32::from_le_bytes);
        let at = header.get(HEADER_BYTES..).and_then(Checkpoint::parse);
        let (fold, at) = fold.zip(at).ok_or("its header is not whole")?;
        Ok(Self { half, at, fold, bytes: sealed.bytes, sealed })
    }

    /// Reads and checks all of it.
    pub(super) fn check(&self) -> Result<(), String> {
        self.sealed.sorted.entries(&[]).try_for_each(|entry| entry.map(drop))
    }

    fn damaged(&self, what: &str) -> ViewError {
        ViewError::Damaged { half: self.half, what: format!("a snapshot: {what}") }
    }
}

impl Under for Snapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        let found = self.sealed.sorted.get(key).map_err(|what| self.damaged(&what))?;
        Ok(found.and_then(|change| change.value))
    }

    fn entries<'u>(&'u self, from: &[u8]) -> Box<dyn Iterator<Item = Laid> + 'u> {
        Box::new(self.sealed.sorted.entries(from).map(|entry| entry.map_err(|what| self.damaged(&what))))
    }
}

/// Writes a snapshot, entry by entry in key order.
pub(super) struct Writer(SealedWriter);

impl Writer {
    pub(super) fn create(path: &Path, half: Half, fold: u32, at: &Checkpoint) -> io::Result<Self> {
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&[half.byte(), 0, 0, 0]);
        header.extend_from_slice(&fold.to_le_bytes());
        header.extend_from_slice(&at.encode());
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
        SealedWriter::new(file, header, BLOCK_BYTES).map(Self)
    }

    /// Writes an entry; one that was removed is none.
    pub(super) fn put(&mut self, key: &[u8], change: &Change) -> io::Result<()> {
        if change.value.is_none() { Ok(()) } else { self.0.put(Item::of((key, change))) }
    }

    /// Ends it, and syncs.
    pub(super) fn finish(self) -> io::Result<()> {
        self.0.finish(Vec::new())?.sorted.sync()
    }
}
