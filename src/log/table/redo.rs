//! What is about to be written into sled, whole, in a file beside it: sled takes entries one by one, and a crash between two of them
//! would leave views that never were.
//!
//! It is on the disk before the first entry is written, and emptied when the last one is. Damaged or not there it only means that
//! the views are built anew.
//!
//! ```text
//! | "FREDO1\0\0" | half u8 | zeros 3 | from: a position, 20 bytes | to: a position, 20 bytes |
//! entries (`sorted.rs`)
//! | no key length: FF FF | crc32 of all before |     all little-endian
//! ```

use super::super::Half;
use super::super::files::sync_dir;
use super::super::layer::Changed;
use super::super::record::array;
use super::super::sorted::Item;
use super::Position;
use crc32fast::Hasher;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write};
use std::path::Path;

const MAGIC: [u8; 8] = *b"FREDO1\0\0";
const HEADER_BYTES: usize = 52;
/// In the place of a key's length: there is no further entry.
const END: u16 = u16::MAX;
/// The longest that is read back: more than memory ever gathers.
const BYTES_MAX: u64 = 1 << 30;
const BUFFER_BYTES: usize = 256 << 10;

/// The file; open for as long as the table is, so that its folder may be renamed.
pub(super) struct Redo {
    file: File,
    half: Half,
}

impl Redo {
    /// Opens the one in a table's folder, or makes it.
    pub(super) fn open(dir: &Path, half: Half) -> Result<Self, String> {
        let path = dir.join("redo");
        let open = || {
            let new = !path.exists();
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
            if new {
                sync_dir(dir)?;
            }
            Ok(Self { file, half })
        };
        open().map_err(|error: io::Error| error.to_string())
    }

    /// Writes what leads `from` one position `to` another, down to the disk.
    pub(super) fn write(
        &self,
        changes: &mut dyn Iterator<Item = Changed>,
        from: Position,
        to: Position,
    ) -> Result<(), String> {
        self.try_write(changes, &self.header(from, to)).map_err(|error| error.to_string())
    }

    fn try_write(&self, changes: &mut dyn Iterator<Item = Changed>, header: &[u8]) -> io::Result<()> {
        (&self.file).seek(SeekFrom::Start(0))?;
        let mut out =
            Summed { file: BufWriter::with_capacity(BUFFER_BYTES, &self.file), crc: Hasher::new(), bytes: 0 };
        out.put(header)?;
        let mut entry = Vec::new();
        for (key, change) in changes {
            entry.clear();
            Item::of((&key, &change)).write(&mut entry)?;
            out.put(&entry)?;
        }
        out.put(&END.to_le_bytes())?;
        let crc = out.crc.clone().finalize().to_le_bytes();
        out.put(&crc)?;
        let bytes = out.bytes;
        out.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        self.file.set_len(bytes)?;
        self.file.sync_data()
    }

    /// Empties it: nothing of it is needed any more, and what was removed since is not to be found in it.
    pub(super) fn clear(&self) -> Result<(), String> {
        self.file.set_len(0).map_err(|error| error.to_string())
    }

    /// What was to be written, if it is whole and leads `from` this position `to` that.
    pub(super) fn read(&self, from: Position, to: Position) -> io::Result<Option<Vec<Changed>>> {
        if self.file.metadata()?.len() > BYTES_MAX {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        (&self.file).seek(SeekFrom::Start(0))?;
        (&self.file).read_to_end(&mut bytes)?;
        Ok(parse(&bytes, &self.header(from, to)))
    }

    fn header(&self, from: Position, to: Position) -> Vec<u8> {
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&[self.half.byte(), 0, 0, 0]);
        header.extend_from_slice(&from.encode());
        header.extend_from_slice(&to.encode());
        header
    }
}

fn parse(bytes: &[u8], header: &[u8]) -> Option<Vec<Changed>> {
    let end = bytes.len().checked_sub(4)?;
    let whole = bytes.get(..end)?;
    if !whole.starts_with(header) || crc32fast::hash(whole) != u32::from_le_bytes(array(bytes, end)?) {
        return None;
    }
    let (mut entries, mut rest) = (Vec::new(), whole.get(HEADER_BYTES..)?);
    while array(rest, 0).map(u16::from_le_bytes)? != END {
        let (item, after) = Item::read(rest)?;
        entries.push(item.owned());
        rest = after;
    }
    Some(entries)
}

/// Writes, and sums up what it wrote.
struct Summed<'f> {
    file: BufWriter<&'f File>,
    crc: Hasher,
    bytes: u64,
}

impl Summed<'_> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.crc.update(bytes);
        self.bytes = self.bytes.saturating_add(super::super::files::to_u64(bytes.len()));
        self.file.write_all(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::layer::Change;
    use super::*;

    #[test]
    fn what_was_written_is_read_and_any_flipped_bit_or_cut_makes_it_none() {
        let dir = tempfile::tempdir().unwrap();
        let redo = Redo::open(dir.path(), Half::Neutral).unwrap();
        let from = Position { seq: 3, crc: 4, fold: 5 };
        let to = Position { seq: 9, crc: 1, fold: 5 };
        let entries =
            [(b"a".as_slice(), 7_u64, Some(b"value".as_slice())), (b"bc", 8, None), (b"d", 9, Some(b""))];
        let mut changes = entries
            .iter()
            .map(|(key, seq, value)| (key.to_vec(), Change { seq: *seq, value: value.map(<[u8]>::to_vec) }));
        redo.write(&mut changes, from, to).unwrap();
        let read = redo.read(from, to).unwrap().unwrap();
        let read: Vec<_> = read.iter().map(|(key, c)| (key.as_slice(), c.seq, c.value.as_deref())).collect();
        assert_eq!(read, entries);
        assert!(redo.read(to, to).unwrap().is_none() && redo.read(from, from).unwrap().is_none());
        let bytes = std::fs::read(dir.path().join("redo")).unwrap();
        let header = redo.header(from, to);
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(parse(&bad, &header).is_none(), "bit {bit}");
        }
        assert!((0..bytes.len()).all(|cut| parse(&bytes[..cut], &header).is_none()));
        redo.clear().unwrap();
        assert!(redo.read(from, to).unwrap().is_none());
    }
}
