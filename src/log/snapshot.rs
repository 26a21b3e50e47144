//! A snapshot file: what a half's views held at one place of its journal, in key order, each part with its checksum.
//!
//! It holds folded entries and no records, for what makes a rebuild slow is folding, not reading. It has none of the views
//! that the fold can derive again ([`Fold::keeps`](super::Fold::keeps)): of the vault it has sealed sections, and no look-up
//! hash or open link. It is read by blocks, so that neither building the next one nor reading it takes its size of memory.
//!
//! ```text
//! | "FSNAP1\0\0" | half u8 | zeros 3 | fold version u32 | n u32 | a checkpoint, n bytes: which place (`checkpoint.rs`) |
//! blocks of entries (`sorted.rs`), none of them removed
//! index, a block:     | offset u64 | length u32 | crc u32 | key length u16 | its first key |
//! | index offset u64 | index length u64 | entries u64 | crc of header, index and these | "FSNE" |     all little-endian
//! ```

use super::checkpoint::Checkpoint;
use super::files::to_u64;
use super::layer::{Change, Laid, Under};
use super::record::array;
use super::sorted::{Block, Item, Sorted, SortedWriter};
use super::{Half, ViewError};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

const MAGIC: [u8; 8] = *b"FSNAP1\0\0";
const END: [u8; 4] = *b"FSNE";
const HEADER_BYTES: usize = 20;
const TRAILER_BYTES: usize = 32;
const BLOCK_BYTES: usize = 32 << 10;
/// The longest there can be.
const BLOCK_BYTES_MAX: u32 = 1 << 20;
/// The longest checkpoint and index that are believed.
const INDEX_BYTES_MAX: u64 = 1 << 30;

/// An open snapshot. No `Debug`: it holds values.
pub(super) struct Snapshot {
    half: Half,
    /// The place that it was taken at.
    pub(super) at: Checkpoint,
    /// The fold that gave it.
    pub(super) fold: u32,
    /// How long the file is.
    pub(super) bytes: u64,
    sorted: Sorted,
}

impl Snapshot {
    /// Opens the file, and checks header and index; the blocks are checked as they are read. The error says what is wrong.
    pub(super) fn open(path: &Path, half: Half) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let len = file.metadata().map_err(|error| error.to_string())?.len();
        let trailer = read(&file, len.saturating_sub(to_u64(TRAILER_BYTES)), to_u64(TRAILER_BYTES))?;
        let parsed = Self::parse(&file, &trailer, half)?;
        let (at, fold, blocks) = parsed.ok_or("it is not whole")?;
        Ok(Self { half, at, fold, bytes: len, sorted: Sorted::new(file, blocks) })
    }

    fn parse(
        file: &File,
        trailer: &[u8],
        half: Half,
    ) -> Result<Option<(Checkpoint, u32, Vec<Block>)>, String> {
        let u64_at = |bytes: &[u8], at| array(bytes, at).map(u64::from_le_bytes);
        let (Some(offset), Some(bytes), Some(sum)) =
            (u64_at(trailer, 0), u64_at(trailer, 8), array(trailer, 24))
        else {
            return Ok(None);
        };
        if array(trailer, 28) != Some(END) || bytes > INDEX_BYTES_MAX {
            return Ok(None);
        }
        let fixed = read(file, 0, to_u64(HEADER_BYTES))?;
        let Some(place_bytes) = array(&fixed, 16).map(u32::from_le_bytes) else { return Ok(None) };
        let header = read(file, 0, to_u64(HEADER_BYTES).saturating_add(u64::from(place_bytes)))?;
        let index = read(file, offset, bytes)?;
        let mut crc = crc32fast::Hasher::new();
        [&header, &index].into_iter().for_each(|part| crc.update(part));
        crc.update(trailer.get(..24).unwrap_or_default());
        if crc.finalize() != u32::from_le_bytes(sum) || !header.starts_with(&MAGIC) {
            return Ok(None);
        }
        if header.get(8) != Some(&half.byte()) {
            return Err("it is of the other half".to_owned());
        }
        let fold = array(&header, 12).map(u32::from_le_bytes);
        let at = header.get(HEADER_BYTES..).and_then(Checkpoint::parse);
        Ok(fold.zip(at).zip(blocks(&index)).map(|((fold, at), blocks)| (at, fold, blocks)))
    }

    /// Reads and checks all of it.
    pub(super) fn check(&self) -> Result<(), String> {
        self.sorted.entries(&[]).try_for_each(|entry| entry.map(drop))
    }

    fn damaged(&self, what: &str) -> ViewError {
        ViewError::Damaged { half: self.half, what: format!("a snapshot: {what}") }
    }
}

impl Under for Snapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        let found = self.sorted.get(key).map_err(|what| self.damaged(&what))?;
        Ok(found.and_then(|change| change.value))
    }

    fn entries<'u>(&'u self, from: &[u8]) -> Box<dyn Iterator<Item = Laid> + 'u> {
        Box::new(self.sorted.entries(from).map(|entry| entry.map_err(|what| self.damaged(&what))))
    }
}

fn read(file: &File, offset: u64, bytes: u64) -> Result<Vec<u8>, String> {
    let len = file.metadata().map_err(|error| error.to_string())?.len();
    if offset.checked_add(bytes).is_none_or(|end| end > len) {
        return Err("it is cut short".to_owned());
    }
    let mut read = vec![0; usize::try_from(bytes).map_err(|error| error.to_string())?];
    file.read_exact_at(&mut read, offset).map_err(|error| error.to_string())?;
    Ok(read)
}

fn blocks(index: &[u8]) -> Option<Vec<Block>> {
    let (mut blocks, mut rest) = (Vec::new(), index);
    while !rest.is_empty() {
        let offset = u64::from_le_bytes(array(rest, 0)?);
        let bytes = u32::from_le_bytes(array(rest, 8)?);
        let crc = u32::from_le_bytes(array(rest, 12)?);
        let end = usize::from(u16::from_le_bytes(array(rest, 16)?)).checked_add(18)?;
        let first = rest.get(18..end)?.to_vec();
        if bytes > BLOCK_BYTES_MAX {
            return None;
        }
        blocks.push(Block { first, offset, bytes, crc });
        rest = rest.get(end..)?;
    }
    Some(blocks)
}

/// Writes a snapshot, entry by entry in key order.
pub(super) struct Writer {
    sorted: SortedWriter,
    header: Vec<u8>,
    entries: u64,
}

impl Writer {
    pub(super) fn create(path: &Path, half: Half, fold: u32, at: &Checkpoint) -> io::Result<Self> {
        let place = at.encode();
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&[half.byte(), 0, 0, 0]);
        header.extend_from_slice(&fold.to_le_bytes());
        header.extend_from_slice(&fits::<u32>(place.len())?.to_le_bytes());
        header.extend_from_slice(&place);
        let sorted = SortedWriter::new(File::create(path)?, &header, BLOCK_BYTES)?;
        Ok(Self { sorted, header, entries: 0 })
    }

    /// Writes an entry; one that was removed is none.
    pub(super) fn put(&mut self, key: &[u8], change: &Change) -> io::Result<()> {
        if change.value.is_none() {
            return Ok(());
        }
        self.entries = self.entries.saturating_add(1);
        self.sorted.put(Item::of((key, change)))
    }

    /// Ends it, and syncs.
    pub(super) fn finish(self) -> io::Result<()> {
        let (mut file, end, blocks) = self.sorted.finish()?;
        let mut index = Vec::new();
        for block in blocks {
            index.extend_from_slice(&block.offset.to_le_bytes());
            index.extend_from_slice(&block.bytes.to_le_bytes());
            index.extend_from_slice(&block.crc.to_le_bytes());
            index.extend_from_slice(&fits::<u16>(block.first.len())?.to_le_bytes());
            index.extend_from_slice(&block.first);
        }
        let mut trailer = end.to_le_bytes().to_vec();
        trailer.extend_from_slice(&to_u64(index.len()).to_le_bytes());
        trailer.extend_from_slice(&self.entries.to_le_bytes());
        let mut crc = crc32fast::Hasher::new();
        [&self.header, &index, &trailer].into_iter().for_each(|part| crc.update(part));
        trailer.extend_from_slice(&crc.finalize().to_le_bytes());
        trailer.extend_from_slice(&END);
        file.write_all(&index)?;
        file.write_all(&trailer)?;
        file.sync_all()
    }
}

fn fits<T: TryFrom<usize>>(len: usize) -> io::Result<T> {
    T::try_from(len).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a length does not fit"))
}
