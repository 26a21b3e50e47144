//! The checkpoint file of a half: up to where its views were surely on disk. It vouches for nothing that it did
//! not see synced; its one use is to notice that sled or the journal has since become shorter.
//!
//! `| "CHKPT1\0\0" | seq u64 | crc32 |`, little-endian.

use super::files::{io_error, replace};
use super::record::array;
use super::{Half, OpenError};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const MAGIC: [u8; 8] = *b"CHKPT1\0\0";

fn path(dir: &Path, half: Half) -> PathBuf {
    dir.join(half.folder()).join("CHECKPOINT")
}

/// Writes that the views of `half` hold `seq`; the caller has synced them.
pub(super) fn write(dir: &Path, half: Half, seq: u64) -> io::Result<()> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&seq.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    replace(&path(dir, half), &bytes)
}

/// The sequence of the last checkpoint; 0 when there is none. A damaged file counts as none: it only ever adds a check.
pub(super) fn read(dir: &Path, half: Half) -> Result<u64, OpenError> {
    let path = path(dir, half);
    match fs::read(&path) {
        Ok(bytes) => Ok(parse(&bytes).unwrap_or(0)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(io_error("read", &path)(error)),
    }
}

fn parse(bytes: &[u8]) -> Option<u64> {
    let whole = array::<8>(bytes, 0)? == MAGIC
        && crc32fast::hash(bytes.get(..16)?) == u32::from_le_bytes(array(bytes, 16)?);
    whole.then_some(u64::from_le_bytes(array(bytes, 8)?))
}
