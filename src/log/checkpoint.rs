//! The checkpoint file of a half: a place up to which its journal was read and checked and its views are surely on disk.
//!
//! An open reads on from there. It vouches for nothing that it did not see synced, and is believed only where the
//! journal still is as it says; damaged, absent or contradicted it counts as none, and the whole journal is read.
//! Written when a log is closed, and while it runs before too much would have to be read again.
//!
//! ```text
//! | "CHKPT2\0\0" | segment u64 | offset u64 | chain u32 | seq u64 | its crc u32 | latest at_us i64 | live u64 | paired u64 |
//! | last paired u64 | n u32 | n orphans: seq u64, at_us i64, segment u64, offset u64 | crc32 |   all little-endian
//! ```

use super::files::{io_error, replace, sync_dir, to_u64};
use super::record::{SEGMENT_HEADER_BYTES, SegmentHeader, array};
use super::scan::{Place, Seen};
use super::segment::segment_path;
use super::{Half, Meta, OpenError};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const MAGIC: [u8; 8] = *b"CHKPT2\0\0";
const FIXED_BYTES: usize = 76;
const ORPHAN_BYTES: usize = 32;
/// Orphans that are kept listed, the latest ones; a crash leaves a group of them at most.
const ORPHANS_MAX: usize = 1024;

/// What a checkpoint says.
#[derive(Clone, Debug, Default)]
pub(super) struct Checkpoint {
    pub(super) place: Place,
    /// The records before it that were set aside.
    pub(super) orphans: Vec<Seen>,
}

fn path(dir: &Path, half: Half) -> PathBuf {
    dir.join(half.folder()).join("CHECKPOINT")
}

/// Writes that the views of `half` hold its journal up to the place; the caller has synced both.
pub(super) fn write(dir: &Path, half: Half, checkpoint: &Checkpoint) -> io::Result<()> {
    replace(&path(dir, half), &checkpoint.encode())
}

/// Takes it away: the next start reads all.
pub(super) fn remove(dir: &Path, half: Half) -> io::Result<()> {
    fs::remove_file(path(dir, half))?;
    sync_dir(&dir.join(half.folder()))
}

/// The last checkpoint; none when there is none, or when it is damaged: it only ever spares reading and adds a check.
pub(super) fn read(dir: &Path, half: Half) -> Result<Option<Checkpoint>, OpenError> {
    let path = path(dir, half);
    match fs::read(&path) {
        Ok(bytes) => Ok(Checkpoint::parse(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error("read", &path)(error)),
    }
}

impl Checkpoint {
    /// Whether the journal in `dir` still is what was read and checked, as far as its segments' ends and headers tell: each
    /// closed segment ends with the checksum that the next one's header carries on, and so does what lies before the place.
    pub(super) fn holds(&self, dir: &Path) -> bool {
        let Place { segment, offset, chain, .. } = self.place;
        let link = |number: u64| -> io::Result<bool> {
            let (file, next) = (
                File::open(segment_path(dir, number))?,
                File::open(segment_path(dir, number.saturating_add(1)))?,
            );
            let end = file.metadata()?.len();
            Ok(before(&file, end)? == header(&next)?.map(|header| header.last_crc))
        };
        let place = || -> io::Result<bool> {
            let file = File::open(segment_path(dir, segment))?;
            let first = offset == to_u64(SEGMENT_HEADER_BYTES);
            let own = header(&file)?.map(|header| header.chain());
            Ok((if first { own } else { before(&file, offset)? }) == Some(chain))
        };
        (1..segment).all(|number| link(number).unwrap_or(false)) && place().unwrap_or(false)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let Place { segment, offset, chain, seq, seq_crc, at_us, live, paired, last_paired } = self.place;
        let skipped = self.orphans.len().saturating_sub(ORPHANS_MAX);
        let orphans = self.orphans.get(skipped..).unwrap_or_default();
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&segment.to_le_bytes());
        bytes.extend_from_slice(&offset.to_le_bytes());
        bytes.extend_from_slice(&chain.to_le_bytes());
        bytes.extend_from_slice(&seq.to_le_bytes());
        bytes.extend_from_slice(&seq_crc.to_le_bytes());
        bytes.extend_from_slice(&at_us.to_le_bytes());
        for count in [live, paired, last_paired] {
            bytes.extend_from_slice(&count.to_le_bytes());
        }
        bytes.extend_from_slice(&u32::try_from(orphans.len()).unwrap_or(0).to_le_bytes());
        for orphan in orphans {
            bytes.extend_from_slice(&orphan.meta.seq.to_le_bytes());
            bytes.extend_from_slice(&orphan.meta.at_us.to_le_bytes());
            bytes.extend_from_slice(&orphan.segment.to_le_bytes());
            bytes.extend_from_slice(&orphan.offset.to_le_bytes());
        }
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let u64_at = |at| array(bytes, at).map(u64::from_le_bytes);
        let u32_at = |at| array(bytes, at).map(u32::from_le_bytes);
        let i64_at = |at| array(bytes, at).map(i64::from_le_bytes);
        let end = bytes.len().checked_sub(4)?;
        if array::<8>(bytes, 0)? != MAGIC || crc32fast::hash(bytes.get(..end)?) != u32_at(end)? {
            return None;
        }
        let place = Place {
            segment: u64_at(8)?,
            offset: u64_at(16)?,
            chain: u32_at(24)?,
            seq: u64_at(28)?,
            seq_crc: u32_at(36)?,
            at_us: i64_at(40)?,
            live: u64_at(48)?,
            paired: u64_at(56)?,
            last_paired: u64_at(64)?,
        };
        let list = bytes.get(FIXED_BYTES..end)?;
        if to_u64(list.len()) != u64::from(u32_at(72)?).checked_mul(to_u64(ORPHAN_BYTES))? {
            return None;
        }
        let orphan = |bytes: &[u8]| {
            let meta = Meta {
                seq: u64::from_le_bytes(array(bytes, 0)?),
                at_us: i64::from_le_bytes(array(bytes, 8)?),
            };
            let (segment, offset) = (array(bytes, 16)?, array(bytes, 24)?);
            let (segment, offset) = (u64::from_le_bytes(segment), u64::from_le_bytes(offset));
            Some(Seen { meta, crc: 0, segment, offset })
        };
        let orphans = list.chunks(ORPHAN_BYTES).map(orphan).collect::<Option<Vec<_>>>()?;
        Some(Self { place, orphans })
    }
}

/// The checksum that ends right before `offset`.
fn before(file: &File, offset: u64) -> io::Result<Option<u32>> {
    let mut crc = [0; 4];
    let Some(at) = offset.checked_sub(4) else { return Ok(None) };
    file.read_exact_at(&mut crc, at)?;
    Ok(Some(u32::from_le_bytes(crc)))
}

fn header(file: &File) -> io::Result<Option<SegmentHeader>> {
    let mut header = [0; SEGMENT_HEADER_BYTES];
    file.read_exact_at(&mut header, 0)?;
    Ok(SegmentHeader::parse(&header).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_read_as_written_and_any_flipped_bit_makes_it_none() {
        let seen =
            |seq| Seen { meta: Meta { seq, at_us: -1 }, crc: 0, segment: 2, offset: seq.saturating_mul(100) };
        let place = Place {
            segment: 3,
            offset: 4_000,
            chain: 5,
            seq: 6,
            seq_crc: 7,
            at_us: 8,
            live: 9,
            paired: 10,
            last_paired: 11,
        };
        let whole = Checkpoint { place, orphans: vec![seen(7), seen(8)] };
        let bytes = whole.encode();
        let read = Checkpoint::parse(&bytes).unwrap();
        assert_eq!(read.place, place);
        let orphans = |list: &[Seen]| list.iter().map(|o| (o.meta, o.segment, o.offset)).collect::<Vec<_>>();
        assert_eq!(orphans(&read.orphans), orphans(&whole.orphans));
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Checkpoint::parse(&bad).is_none(), "bit {bit}");
        }
        assert!((0..bytes.len()).all(|cut| Checkpoint::parse(&bytes[..cut]).is_none()));
    }
}
