//! A snapshot file: what a half's views held at one place of its journal, in key order, each part with its checksum.
//!
//! It holds folded entries and no records, for what makes a rebuild slow is folding, not reading. It has none of the views
//! that the fold can derive again ([`Fold::keeps`](super::Fold::keeps)): of the vault it has sealed sections, and no look-up
//! hash or open link. It is read by blocks, so that neither building the next one nor reading it takes its size of memory.
//!
//! ```text
//! | "FSNAP1\0\0" | half u8 | zeros 3 | fold version u32 | n u32 | a checkpoint, n bytes: which place (`checkpoint.rs`) |
//! blocks of entries:  | key length u16 | value length u32 | seq u64 | key | value |
//! index, a block:     | offset u64 | length u32 | crc u32 | key length u16 | its first key |
//! | index offset u64 | index length u64 | entries u64 | crc of header, index and these | "FSNE" |     all little-endian
//! ```

use super::checkpoint::Checkpoint;
use super::files::to_u64;
use super::layer::{Change, Changes, Laid, Under};
use super::record::array;
use super::{Half, KEY_BYTES_MAX, VALUE_BYTES_MAX, ViewError};
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

const MAGIC: [u8; 8] = *b"FSNAP1\0\0";
const END: [u8; 4] = *b"FSNE";
const HEADER_BYTES: usize = 20;
const TRAILER_BYTES: usize = 32;
const ITEM_BYTES: usize = 14;
/// A block is ended once it is so long; the last entry may take it over.
const BLOCK_BYTES: usize = 32 << 10;
/// The longest there can be.
const BLOCK_BYTES_MAX: u64 = 1 << 20;
/// The longest checkpoint and index that are believed.
const INDEX_BYTES_MAX: u64 = 1 << 30;

/// An open snapshot. No `Debug`: it holds values.
pub(super) struct Snapshot {
    file: File,
    half: Half,
    /// The place that it was taken at.
    pub(super) at: Checkpoint,
    /// The fold that gave it.
    pub(super) fold: u32,
    /// How long the file is.
    pub(super) bytes: u64,
    blocks: Vec<Block>,
}

struct Block {
    first: Vec<u8>,
    offset: u64,
    bytes: usize,
    crc: u32,
}

/// An entry as a snapshot has it.
pub(super) struct Item {
    /// View number, then key.
    pub(super) key: Vec<u8>,
    /// The transaction that wrote it.
    pub(super) seq: u64,
    pub(super) value: Vec<u8>,
}

impl Snapshot {
    /// Opens the file, and checks header and index; the blocks are checked as they are read. The error says what is wrong.
    pub(super) fn open(path: &Path, half: Half) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let len = file.metadata().map_err(|error| error.to_string())?.len();
        let trailer = read(&file, len.saturating_sub(to_u64(TRAILER_BYTES)), to_u64(TRAILER_BYTES))?;
        let parsed = Self::parse(&file, &trailer, half)?;
        let (at, fold, blocks) = parsed.ok_or("it is not whole")?;
        Ok(Self { file, half, at, fold, bytes: len, blocks })
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

    /// Visits all entries in key order; each block is checked before the first of its entries is given.
    pub(super) fn each<E: From<String>>(
        &self,
        visit: &mut dyn FnMut(Item) -> Result<(), E>,
    ) -> Result<(), E> {
        for block in &self.blocks {
            for item in self.block(block)? {
                visit(item)?;
            }
        }
        Ok(())
    }

    fn block(&self, block: &Block) -> Result<Vec<Item>, String> {
        let bytes = read(&self.file, block.offset, to_u64(block.bytes))?;
        let broken = || format!("its block at byte {} does not match its checksum", block.offset);
        if crc32fast::hash(&bytes) != block.crc {
            return Err(broken());
        }
        let (mut items, mut rest) = (Vec::new(), bytes.as_slice());
        while !rest.is_empty() {
            let (item, after) = item(rest).ok_or_else(broken)?;
            items.push(item);
            rest = after;
        }
        Ok(items)
    }

    /// The last block that begins at or before `key`.
    fn place(&self, key: &[u8]) -> usize {
        self.blocks.partition_point(|block| block.first.as_slice() <= key).saturating_sub(1)
    }

    fn damaged(&self, what: String) -> ViewError {
        ViewError::Damaged { half: self.half, what: format!("a snapshot: {what}") }
    }
}

impl Under for Snapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        let Some(block) = self.blocks.get(self.place(key)) else { return Ok(None) };
        let items = self.block(block).map_err(|what| self.damaged(what))?;
        Ok(items.into_iter().find(|item| item.key == key).map(|item| item.value))
    }

    fn entries<'u>(&'u self, from: &[u8]) -> Box<dyn Iterator<Item = Laid> + 'u> {
        let from = from.to_vec();
        let blocks = self.blocks.iter().skip(self.place(&from));
        let items = blocks.flat_map(move |block| {
            let (items, error) = match self.block(block) {
                Ok(items) => (items, None),
                Err(what) => (Vec::new(), Some(Err(self.damaged(what)))),
            };
            let laid = |Item { key, seq, value }| Ok((key, Change { seq, value: Some(value) }));
            items.into_iter().map(laid).chain(error)
        });
        Box::new(items.skip_while(move |entry| entry.as_ref().is_ok_and(|(key, _)| *key < from)))
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
        if u64::from(bytes) > BLOCK_BYTES_MAX {
            return None;
        }
        blocks.push(Block { first, offset, bytes: usize::try_from(bytes).ok()?, crc });
        rest = rest.get(end..)?;
    }
    Some(blocks)
}

fn item(bytes: &[u8]) -> Option<(Item, &[u8])> {
    let key_end = usize::from(u16::from_le_bytes(array(bytes, 0)?)).checked_add(ITEM_BYTES)?;
    let value_bytes = usize::try_from(u32::from_le_bytes(array(bytes, 2)?)).ok()?;
    let value_end = key_end.checked_add(value_bytes)?;
    let item = Item {
        seq: u64::from_le_bytes(array(bytes, 6)?),
        key: bytes.get(ITEM_BYTES..key_end)?.to_vec(),
        value: bytes.get(key_end..value_end)?.to_vec(),
    };
    Some((item, bytes.get(value_end..)?))
}

/// Writes a snapshot, entry by entry in key order.
pub(super) struct Writer {
    file: BufWriter<File>,
    header: Vec<u8>,
    offset: u64,
    block: Vec<u8>,
    first: Vec<u8>,
    index: Vec<u8>,
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
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(&header)?;
        let offset = to_u64(header.len());
        Ok(Self { file, header, offset, block: Vec::new(), first: Vec::new(), index: Vec::new(), entries: 0 })
    }

    fn put(&mut self, key: &[u8], seq: u64, value: &[u8]) -> io::Result<()> {
        if key.len() > KEY_BYTES_MAX.saturating_add(1) || value.len() > VALUE_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an entry is too long"));
        }
        if self.block.is_empty() {
            key.clone_into(&mut self.first);
        }
        self.block.extend_from_slice(&fits::<u16>(key.len())?.to_le_bytes());
        self.block.extend_from_slice(&fits::<u32>(value.len())?.to_le_bytes());
        self.block.extend_from_slice(&seq.to_le_bytes());
        self.block.extend_from_slice(key);
        self.block.extend_from_slice(value);
        self.entries = self.entries.saturating_add(1);
        if self.block.len() >= BLOCK_BYTES { self.end_block() } else { Ok(()) }
    }

    fn end_block(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        self.file.write_all(&self.block)?;
        self.index.extend_from_slice(&self.offset.to_le_bytes());
        self.index.extend_from_slice(&fits::<u32>(self.block.len())?.to_le_bytes());
        self.index.extend_from_slice(&crc32fast::hash(&self.block).to_le_bytes());
        self.index.extend_from_slice(&fits::<u16>(self.first.len())?.to_le_bytes());
        self.index.extend_from_slice(&self.first);
        self.offset = self.offset.saturating_add(to_u64(self.block.len()));
        self.block.clear();
        Ok(())
    }

    /// Writes what `before` holds with `changes` laid over it, as far as `keeps` wants its view, and syncs.
    pub(super) fn merge(
        mut self,
        before: Option<&Snapshot>,
        changes: &Changes,
        keeps: &dyn Fn(&[u8]) -> bool,
    ) -> Result<(), String> {
        let mut over = changes.iter().filter(|(key, _)| keeps(key)).peekable();
        let said = |error: io::Error| error.to_string();
        if let Some(before) = before {
            before.each(&mut |old: Item| {
                while let Some((key, change)) = over.next_if(|(key, _)| **key < old.key) {
                    change.value.iter().try_for_each(|new| self.put(key, change.seq, new)).map_err(said)?;
                }
                match over.next_if(|(key, _)| **key == old.key) {
                    Some((key, change)) => {
                        change.value.iter().try_for_each(|new| self.put(key, change.seq, new)).map_err(said)
                    }
                    None => self.put(&old.key, old.seq, &old.value).map_err(said),
                }
            })?;
        }
        for (key, change) in over {
            change.value.iter().try_for_each(|new| self.put(key, change.seq, new)).map_err(said)?;
        }
        self.finish().map_err(said)
    }

    fn finish(mut self) -> io::Result<()> {
        self.end_block()?;
        let mut trailer = self.offset.to_le_bytes().to_vec();
        trailer.extend_from_slice(&to_u64(self.index.len()).to_le_bytes());
        trailer.extend_from_slice(&self.entries.to_le_bytes());
        let mut crc = crc32fast::Hasher::new();
        [&self.header, &self.index, &trailer].into_iter().for_each(|part| crc.update(part));
        trailer.extend_from_slice(&crc.finalize().to_le_bytes());
        trailer.extend_from_slice(&END);
        self.file.write_all(&self.index)?;
        self.file.write_all(&trailer)?;
        self.file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

fn fits<T: TryFrom<usize>>(len: usize) -> io::Result<T> {
    T::try_from(len).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a length does not fit"))
}
