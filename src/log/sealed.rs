//! A file of sorted entries that says itself whether it is whole: a header of its owner's, blocks, their index, and what else the
//! owner wants to find again.
//!
//! ```text
//! | header, n bytes | blocks of entries (`sorted.rs`) | index | more, m bytes | trailer |
//! index, a block:   | offset u64 | length u32 | crc u32 | key length u16 | its first key |
//! trailer:          | n u32 | index offset u64 | index length u64 | m u64 | entries u64 | crc of header, index, more and these | "FSEA" |
//!                                                                                                           all little-endian
//! ```

use super::files::to_u64;
use super::record::array;
use super::sorted::{Block, Item, Sorted, SortedWriter};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;

const END: [u8; 4] = *b"FSEA";
const TRAILER_BYTES: usize = 44;
/// What of the trailer its checksum covers.
const SUMMED_BYTES: usize = 36;
/// The longest header that is believed.
const HEADER_BYTES_MAX: u64 = 1 << 20;
/// The longest index, and the most that else is kept with it.
const PART_BYTES_MAX: u64 = 1 << 30;
/// The longest block there can be.
const BLOCK_BYTES_MAX: u32 = 1 << 20;

/// Such a file, open. No `Debug`: it holds values.
pub(super) struct Sealed {
    pub(super) header: Vec<u8>,
    pub(super) more: Vec<u8>,
    /// How many entries it has.
    pub(super) entries: u64,
    /// How long it is.
    pub(super) bytes: u64,
    pub(super) sorted: Sorted,
}

impl Sealed {
    /// Checks all but the blocks, which are checked as they are read. The error says what is wrong.
    pub(super) fn open(file: File) -> Result<Self, String> {
        let bytes = file.metadata().map_err(|error| error.to_string())?.len();
        let trailer_at = bytes.checked_sub(to_u64(TRAILER_BYTES)).ok_or(NOT_WHOLE)?;
        let trailer = read(&file, trailer_at, to_u64(TRAILER_BYTES))?;
        let parsed = Trailer::parse(&trailer).filter(|found| found.ends_at() == Some(trailer_at));
        let Trailer { header_bytes, index_at, index_bytes, more_bytes, entries, crc } =
            parsed.ok_or(NOT_WHOLE)?;
        let header = read(&file, 0, header_bytes)?;
        let index = read(&file, index_at, index_bytes)?;
        let more = read(&file, index_at.saturating_add(index_bytes), more_bytes)?;
        let summed = trailer.get(..SUMMED_BYTES).unwrap_or_default();
        if sum([&header, &index, &more, summed]) != crc {
            return Err(NOT_WHOLE.to_owned());
        }
        let blocks = blocks(&index).ok_or(NOT_WHOLE)?;
        Ok(Self { header, more, entries, bytes, sorted: Sorted::new(file, blocks) })
    }
}

const NOT_WHOLE: &str = "it is not whole";

/// What stands at the end of the file.
struct Trailer {
    header_bytes: u64,
    index_at: u64,
    index_bytes: u64,
    more_bytes: u64,
    entries: u64,
    crc: u32,
}

impl Trailer {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let u64_at = |at| array(bytes, at).map(u64::from_le_bytes);
        let within = |length: u64, most: u64| (length <= most).then_some(length);
        if array(bytes, 40)? != END {
            return None;
        }
        Some(Self {
            header_bytes: within(u64::from(u32::from_le_bytes(array(bytes, 0)?)), HEADER_BYTES_MAX)?,
            index_at: u64_at(4)?,
            index_bytes: within(u64_at(12)?, PART_BYTES_MAX)?,
            more_bytes: within(u64_at(20)?, PART_BYTES_MAX)?,
            entries: u64_at(28)?,
            crc: u32::from_le_bytes(array(bytes, SUMMED_BYTES)?),
        })
    }

    /// Where it must lie itself.
    fn ends_at(&self) -> Option<u64> {
        self.index_at.checked_add(self.index_bytes)?.checked_add(self.more_bytes)
    }
}

fn sum<const N: usize>(parts: [&[u8]; N]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    parts.into_iter().for_each(|part| crc.update(part));
    crc.finalize()
}

fn read(file: &File, offset: u64, bytes: u64) -> Result<Vec<u8>, String> {
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
        let first = rest.get(18..end)?.into();
        if bytes > BLOCK_BYTES_MAX {
            return None;
        }
        blocks.push(Block { first, offset, bytes, crc });
        rest = rest.get(end..)?;
    }
    Some(blocks)
}

/// Writes such a file, entry by entry in key order.
pub(super) struct SealedWriter {
    sorted: SortedWriter,
    header: Vec<u8>,
    entries: u64,
}

impl SealedWriter {
    /// Begins it in an empty file that can be read, too.
    pub(super) fn new(file: File, header: Vec<u8>, block_bytes: usize) -> io::Result<Self> {
        let sorted = SortedWriter::new(file, &header, block_bytes)?;
        Ok(Self { sorted, header, entries: 0 })
    }

    pub(super) fn put(&mut self, item: Item<'_>) -> io::Result<()> {
        self.entries = self.entries.saturating_add(1);
        self.sorted.put(item)
    }

    /// Ends it; whoever needs it after a crash syncs it ([`Sorted::sync`]).
    pub(super) fn finish(self, more: Vec<u8>) -> io::Result<Sealed> {
        let Self { sorted, header, entries } = self;
        let (mut file, end, blocks) = sorted.finish()?;
        let mut index = Vec::new();
        for block in &blocks {
            index.extend_from_slice(&block.offset.to_le_bytes());
            index.extend_from_slice(&block.bytes.to_le_bytes());
            index.extend_from_slice(&block.crc.to_le_bytes());
            index.extend_from_slice(&fits::<u16>(block.first.len())?.to_le_bytes());
            index.extend_from_slice(&block.first);
        }
        let mut trailer = fits::<u32>(header.len())?.to_le_bytes().to_vec();
        for number in [end, to_u64(index.len()), to_u64(more.len()), entries] {
            trailer.extend_from_slice(&number.to_le_bytes());
        }
        let crc = sum([&header, &index, &more, &trailer]);
        trailer.extend_from_slice(&crc.to_le_bytes());
        trailer.extend_from_slice(&END);
        [&index, &more, &trailer].into_iter().try_for_each(|part| file.write_all(part))?;
        let bytes = [index.len(), more.len(), trailer.len()]
            .into_iter()
            .fold(end, |all, part| all.saturating_add(to_u64(part)));
        Ok(Sealed { header, more, entries, bytes, sorted: Sorted::new(file, blocks) })
    }
}

fn fits<T: TryFrom<usize>>(len: usize) -> io::Result<T> {
    T::try_from(len).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a length does not fit"))
}

#[cfg(test)]
mod tests {
    use super::super::layer::Change;
    use super::*;

    #[test]
    fn it_is_read_as_written_and_any_flipped_bit_or_cut_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sealed");
        let create =
            || File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        let mut writer = SealedWriter::new(create(), b"header".to_vec(), 32).unwrap();
        let entries: Vec<_> = (0..20_u8)
            .map(|n| (vec![n], Change { seq: u64::from(n), value: (n % 3 > 0).then(|| vec![n; 9]) }))
            .collect();
        entries.iter().for_each(|(key, change)| writer.put(Item::of((key, change))).unwrap());
        let written = writer.finish(b"more".to_vec()).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(to_u64(bytes.len()), written.bytes);
        let all = |sealed: &Sealed| -> Result<Vec<_>, String> {
            sealed.sorted.entries(&[]).map(|entry| entry.map(|(key, c)| (key, c.seq, c.value))).collect()
        };
        let wanted: Vec<_> = entries.into_iter().map(|(key, c)| (key, c.seq, c.value)).collect();
        let open = || Sealed::open(File::open(&path).unwrap());
        let read = open().unwrap();
        assert_eq!((read.header.as_slice(), read.more.as_slice()), (&b"header"[..], &b"more"[..]));
        assert_eq!((read.entries, read.bytes), (20, to_u64(bytes.len())));
        assert!([&written, &read].into_iter().all(|sealed| all(sealed).unwrap() == wanted));
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, bad).unwrap();
            assert!(open().and_then(|read| all(&read)).is_err(), "bit {bit}");
        }
        for cut in 0..bytes.len() {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            assert!(open().is_err(), "cut at {cut}");
        }
    }
}
