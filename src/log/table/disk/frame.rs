//! How an entry lies in sled: with the sequence that wrote it and a checksum.

use super::super::super::record::array;

const FRAME_BYTES: usize = 12;
/// First key byte of the parts of long values, above every view number.
pub(super) const PART_KEY: u8 = 0x80;

/// `seq u64 | crc u32 | payload`; the crc covers the key too, so that no entry passes for another.
pub(super) fn frame(key: &[u8], seq: u64, payload: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(payload.len().saturating_add(FRAME_BYTES));
    framed.extend_from_slice(&seq.to_le_bytes());
    framed.extend_from_slice(&checksum(key, seq, payload).to_le_bytes());
    framed.extend_from_slice(payload);
    framed
}

/// What is in a frame, if it is whole and of this key.
pub(super) fn payload<'f>(key: &[u8], framed: &'f [u8]) -> Option<&'f [u8]> {
    let (seq, crc) = (u64::from_le_bytes(array(framed, 0)?), u32::from_le_bytes(array(framed, 8)?));
    framed.get(FRAME_BYTES..).filter(|payload| checksum(key, seq, payload) == crc)
}

/// The key of one part: out of every view's range, and another for each sequence, so that parts are never overwritten.
pub(super) fn part_key(key: &[u8], seq: u64, index: u16) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.len().saturating_add(11));
    out.push(PART_KEY);
    out.extend_from_slice(key);
    out.extend_from_slice(&seq.to_be_bytes());
    out.extend_from_slice(&index.to_be_bytes());
    out
}

fn checksum(key: &[u8], seq: u64, payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(key);
    crc.update(&seq.to_le_bytes());
    crc.update(payload);
    crc.finalize()
}
