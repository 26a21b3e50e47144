//! Where views stand in their journal.

use super::super::record::array;

/// Layout of entries and position; another number on disk has the views rebuilt.
const VIEWS_FORMAT: u32 = 2;

/// Up to where a half's views hold its journal, and by which fold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Position {
    /// The last record applied; 0 before the first.
    pub(in super::super) seq: u64,
    /// That record's checksum: it stands for the whole journal before it.
    pub(in super::super) crc: u32,
    /// The fold that applied it.
    pub(in super::super) fold: u32,
}

impl Position {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = self.seq.to_le_bytes().to_vec();
        out.extend_from_slice(&self.crc.to_le_bytes());
        out.extend_from_slice(&self.fold.to_le_bytes());
        out.extend_from_slice(&VIEWS_FORMAT.to_le_bytes());
        out
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let format = u32::from_le_bytes(array(bytes, 16)?);
        (format == VIEWS_FORMAT && bytes.len() == 20).then_some(Self {
            seq: u64::from_le_bytes(array(bytes, 0)?),
            crc: u32::from_le_bytes(array(bytes, 8)?),
            fold: u32::from_le_bytes(array(bytes, 12)?),
        })
    }
}
