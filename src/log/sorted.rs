//! A file of entries in key order: blocks, each with its checksum, and an index of them that the owner keeps.
//!
//! ```text
//! an entry:  | key length u16 | value length u32, all ones: removed | seq u64 | key | value |     all little-endian
//! ```

use super::files::to_u64;
use super::layer::{Change, Changed};
use super::record::array;
use super::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::cmp::Ordering;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::Deref;
use std::os::unix::fs::FileExt as _;

const ITEM_BYTES: usize = 14;
/// In the place of a value's length.
const REMOVED: u32 = u32::MAX;
/// Some hundred kilobytes at a time go to the disk.
const BUFFER_BYTES: usize = 256 << 10;

/// An entry where it was read. No `Debug`: the value may be personal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Item<'b> {
    /// View number, then key.
    pub(super) key: &'b [u8],
    /// The transaction that wrote it.
    pub(super) seq: u64,
    /// `None`: removed.
    pub(super) value: Option<&'b [u8]>,
}

impl<'b> Item<'b> {
    pub(super) fn of((key, change): (&'b [u8], &'b Change)) -> Self {
        Self { key, seq: change.seq, value: change.value.as_deref() }
    }

    pub(super) fn owned(&self) -> Changed {
        (self.key.to_vec(), self.change())
    }

    fn change(&self) -> Change {
        Change { seq: self.seq, value: self.value.map(<[u8]>::to_vec) }
    }

    /// Appends it to `out`. The error says that it is too long.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let value = self.value.unwrap_or_default();
        if self.key.len() > KEY_BYTES_MAX.saturating_add(1) || value.len() > VALUE_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an entry is too long"));
        }
        let value_bytes = self.value.map_or(Ok(REMOVED), |value| u32::try_from(value.len()));
        out.extend_from_slice(&u16::try_from(self.key.len()).map_err(io::Error::other)?.to_le_bytes());
        out.extend_from_slice(&value_bytes.map_err(io::Error::other)?.to_le_bytes());
        out.extend_from_slice(&self.seq.to_le_bytes());
        out.extend_from_slice(self.key);
        out.extend_from_slice(value);
        Ok(())
    }

    /// The first entry of `bytes`, and what is after it; `None` when there is none that is whole.
    pub(super) fn read(bytes: &'b [u8]) -> Option<(Self, &'b [u8])> {
        let key_end = usize::from(u16::from_le_bytes(array(bytes, 0)?)).checked_add(ITEM_BYTES)?;
        let value_bytes = u32::from_le_bytes(array(bytes, 2)?);
        let length = if value_bytes == REMOVED { 0 } else { usize::try_from(value_bytes).ok()? };
        let value_end = key_end.checked_add(length)?;
        let value = bytes.get(key_end..value_end)?;
        let item = Self {
            seq: u64::from_le_bytes(array(bytes, 6)?),
            key: bytes.get(ITEM_BYTES..key_end)?,
            value: (value_bytes != REMOVED).then_some(value),
        };
        Some((item, bytes.get(value_end..)?))
    }
}

/// Where a block lies, and which key it begins with.
pub(super) struct Block {
    pub(super) first: Box<[u8]>,
    pub(super) offset: u64,
    pub(super) bytes: u32,
    pub(super) crc: u32,
}

/// The blocks of a file that was written. The errors say what is wrong with it.
pub(super) struct Sorted {
    file: File,
    blocks: Vec<Block>,
}

impl Sorted {
    pub(super) fn new(file: File, blocks: Vec<Block>) -> Self {
        Self { file, blocks }
    }

    /// What `key` has in it: the outer `None` when it has nothing.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Change>, String> {
        let Some(block) = self.blocks.get(self.place(key)) else { return Ok(None) };
        let bytes = self.read(block)?;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (item, after) = Item::read(rest).ok_or_else(|| broken(block))?;
            match item.key.cmp(key) {
                Ordering::Less => rest = after,
                Ordering::Equal => return Ok(Some(item.change())),
                Ordering::Greater => break,
            }
        }
        Ok(None)
    }

    /// The entries from `from` on, in key order; each block is checked before the first of its entries is given.
    pub(super) fn entries<'s>(
        &'s self,
        from: &[u8],
    ) -> impl Iterator<Item = Result<Changed, String>> + use<'s> {
        entries_of(self, from)
    }

    /// Syncs the file.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Has what is read next come from the disk.
    pub(super) fn forget(&self) {
        // Then the kernel's memory is read; a later pass may find more.
        posix_fadvise(&self.file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).ok();
    }

    fn read(&self, block: &Block) -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; usize::try_from(block.bytes).map_err(|error| error.to_string())?];
        self.file.read_exact_at(&mut bytes, block.offset).map_err(|error| error.to_string())?;
        if crc32fast::hash(&bytes) == block.crc { Ok(bytes) } else { Err(broken(block)) }
    }

    /// The last block that begins at or before `key`.
    fn place(&self, key: &[u8]) -> usize {
        self.blocks.partition_point(|block| *block.first <= *key).saturating_sub(1)
    }
}

/// As [`Sorted::entries`], by whatever leads to it: whoever shares it takes the entries along.
pub(super) fn entries_of<S: Deref<Target = Sorted>>(
    sorted: S,
    from: &[u8],
) -> impl Iterator<Item = Result<Changed, String>> + use<S> {
    let (from, mut blocks) = (from.to_vec(), sorted.place(from)..);
    let (mut bytes, mut at) = (Vec::new(), 0);
    let mut next = move || -> Result<Option<Changed>, String> {
        loop {
            if at == bytes.len() {
                let Some(block) = blocks.next().and_then(|place| sorted.blocks.get(place)) else {
                    return Ok(None);
                };
                (bytes, at) = (sorted.read(block)?, 0);
            }
            let (item, after) = bytes.get(at..).and_then(Item::read).ok_or("an entry is not whole")?;
            at = bytes.len().saturating_sub(after.len());
            if item.key >= from.as_slice() {
                return Ok(Some(item.owned()));
            }
        }
    };
    std::iter::from_fn(move || next().transpose()).fuse()
}

fn broken(block: &Block) -> String {
    format!("its block at byte {} does not match its checksum", block.offset)
}

/// Writes such a file, entry by entry in key order.
pub(super) struct SortedWriter {
    file: BufWriter<File>,
    offset: u64,
    /// A block is ended once it is so long; the last entry may take it over.
    block_bytes: usize,
    block: Vec<u8>,
    first: Vec<u8>,
    blocks: Vec<Block>,
}

impl SortedWriter {
    /// `header` comes before the first block.
    pub(super) fn new(file: File, header: &[u8], block_bytes: usize) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(BUFFER_BYTES, file);
        file.write_all(header)?;
        let (block, first, blocks) = Default::default();
        Ok(Self { file, offset: to_u64(header.len()), block_bytes, block, first, blocks })
    }

    pub(super) fn put(&mut self, item: Item<'_>) -> io::Result<()> {
        if self.block.is_empty() {
            item.key.clone_into(&mut self.first);
        }
        item.write(&mut self.block)?;
        if self.block.len() >= self.block_bytes { self.end_block() } else { Ok(()) }
    }

    fn end_block(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        self.file.write_all(&self.block)?;
        let (first, crc) = (std::mem::take(&mut self.first).into_boxed_slice(), crc32fast::hash(&self.block));
        let bytes = u32::try_from(self.block.len()).map_err(io::Error::other)?;
        self.blocks.push(Block { first, offset: self.offset, bytes, crc });
        self.offset = self.offset.saturating_add(u64::from(bytes));
        self.block.clear();
        Ok(())
    }

    /// Ends the last block; gives the file, behind it, where that is, and what was written.
    pub(super) fn finish(mut self) -> io::Result<(File, u64, Vec<Block>)> {
        self.end_block()?;
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok((file, self.offset, self.blocks))
    }
}
