//! The bytes of the key file: header and slots, without a file.
//!
//! Pure: takes bytes, gives bytes, and believes nothing whose check fails.

use super::{KEY_BYTES, KeyError, KeyRef, NONCE_BYTES, TAG_BYTES, decrypt, encrypt};
use chacha20poly1305::XChaCha20Poly1305;
use std::path::Path;

/// The header has a page of its own, so that no write to a slot ever writes it again.
pub(super) const HEADER_BYTES: usize = 4096;
/// One slot; four fill a sector.
pub(super) const SLOT_BYTES: usize = 128;
/// The same as an offset.
pub(super) const SLOT_STEP: u64 = 128;

const MAGIC: [u8; 8] = *b"FICHAKEY";
const VERSION: u16 = 1;
const CHECK: &[u8] = b"ficha key file 1: this is the key";
const HEADER_SUM_AT: usize = 8 + 2 + 2 + 16 + NONCE_BYTES + TAG_BYTES;
const SLOT_SUM_AT: usize = SLOT_BYTES - 4;

/// Where a slot begins in the file.
pub(super) fn offset(slot: u32) -> u64 {
    u64::from(slot).saturating_mul(SLOT_STEP).saturating_add(4096)
}

/// Slots of a file of this length, one that was begun counted.
pub(super) fn count(length: u64) -> Option<u32> {
    u32::try_from(length.saturating_sub(offset(0)).div_ceil(SLOT_STEP)).ok()
}

/// What a wrapped key is bound to.
pub(super) fn aad(id: &[u8; 16], key: KeyRef) -> Vec<u8> {
    let mut bytes = Vec::from(*b"ficha slot 1");
    bytes.extend_from_slice(id);
    bytes.extend_from_slice(&key.slot.to_le_bytes());
    bytes.extend_from_slice(&key.generation.to_le_bytes());
    bytes
}

/// A header whose check value only the right key makes.
pub(super) fn header(id: &[u8; 16], nonce: &[u8; NONCE_BYTES], kek: &XChaCha20Poly1305) -> Vec<u8> {
    let mut bytes = Vec::from(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&u16::try_from(SLOT_BYTES).unwrap_or(0).to_le_bytes());
    bytes.extend_from_slice(id);
    bytes.extend_from_slice(nonce);
    bytes.extend_from_slice(&encrypt(kek, nonce, &check_aad(id), b"").unwrap_or_default());
    let sum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes.resize(HEADER_BYTES, 0);
    bytes
}

/// The file's id, if the header is whole and `kek` is its key. Damage shows in the checksum, another key in the check value.
pub(super) fn check_header(
    bytes: &[u8; HEADER_BYTES],
    kek: &XChaCha20Poly1305,
    path: &Path,
) -> Result<[u8; 16], KeyError> {
    let damaged = || KeyError::HeaderDamaged { path: path.to_owned() };
    let (head, rest) = bytes.split_at_checked(HEADER_SUM_AT).ok_or_else(damaged)?;
    let (sum, zeros) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
    let whole = *sum == crc32fast::hash(head).to_le_bytes() && zeros.iter().all(|byte| *byte == 0);
    let (magic, head) = head.split_first_chunk::<8>().ok_or_else(damaged)?;
    let (version, head) = head.split_first_chunk::<2>().ok_or_else(damaged)?;
    let (size, head) = head.split_first_chunk::<2>().ok_or_else(damaged)?;
    let (id, head) = head.split_first_chunk::<16>().ok_or_else(damaged)?;
    let (nonce, tag) = head.split_first_chunk::<NONCE_BYTES>().ok_or_else(damaged)?;
    if !whole || *magic != MAGIC {
        return Err(damaged());
    }
    let found = u16::from_le_bytes(*version);
    if found != VERSION || usize::from(u16::from_le_bytes(*size)) != SLOT_BYTES {
        return Err(KeyError::Version { path: path.to_owned(), found });
    }
    decrypt(kek, nonce, &check_aad(id), tag).ok_or_else(|| KeyError::WrongKey { path: path.to_owned() })?;
    Ok(*id)
}

/// The file's id, whoever's it is; believed only of a header whose checksum holds.
pub(super) fn id(header: &[u8; HEADER_BYTES]) -> [u8; 16] {
    let mut id = [0; 16];
    for (place, byte) in id.iter_mut().zip(header.iter().skip(12)) {
        *place = *byte;
    }
    id
}

fn check_aad(id: &[u8; 16]) -> Vec<u8> {
    [CHECK, id].concat()
}

/// What a slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Free,
    Live,
    Destroyed,
}

const LIVE: [u8; 4] = *b"LIVE";
const DESTROYED: [u8; 4] = *b"GONE";

/// One slot's bytes; believed only where [`Self::state`] gives one.
#[derive(Clone, Copy)]
pub(super) struct SlotBytes([u8; SLOT_BYTES]);

impl SlotBytes {
    pub(super) fn new(bytes: [u8; SLOT_BYTES]) -> Self {
        Self(bytes)
    }

    pub(super) fn live(
        generation: u32,
        nonce: &[u8; NONCE_BYTES],
        wrapped: &[u8; KEY_BYTES + TAG_BYTES],
    ) -> Self {
        let mut slot = Self([0; SLOT_BYTES]);
        slot.put(0, &LIVE);
        slot.put(4, &generation.to_le_bytes());
        slot.put(8, nonce);
        slot.put(8 + NONCE_BYTES, wrapped);
        slot.summed()
    }

    /// A slot with nothing left in it but `noise`.
    pub(super) fn destroyed(generation: u32, noise: [u8; SLOT_BYTES]) -> Self {
        let mut slot = Self(noise);
        slot.put(0, &DESTROYED);
        slot.put(4, &generation.to_le_bytes());
        slot.summed()
    }

    pub(super) fn as_bytes(&self) -> &[u8; SLOT_BYTES] {
        &self.0
    }

    /// `None` if the slot is not as it was written.
    pub(super) fn state(&self) -> Option<State> {
        if self.0.iter().all(|byte| *byte == 0) {
            return Some(State::Free);
        }
        let sum = crc32fast::hash(self.0.get(..SLOT_SUM_AT)?).to_le_bytes();
        if self.get::<4>(SLOT_SUM_AT) != sum {
            return None;
        }
        match self.get::<4>(0) {
            LIVE => Some(State::Live),
            DESTROYED => Some(State::Destroyed),
            _ => None,
        }
    }

    pub(super) fn generation(&self) -> u32 {
        u32::from_le_bytes(self.get(4))
    }

    pub(super) fn wrapped(&self) -> ([u8; NONCE_BYTES], [u8; KEY_BYTES + TAG_BYTES]) {
        (self.get(8), self.get(8 + NONCE_BYTES))
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        for (place, byte) in self.0.iter_mut().skip(at).zip(bytes) {
            *place = *byte;
        }
    }

    fn get<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        for (place, byte) in bytes.iter_mut().zip(self.0.iter().skip(at)) {
            *place = *byte;
        }
        bytes
    }

    fn summed(mut self) -> Self {
        let sum = crc32fast::hash(self.0.get(..SLOT_SUM_AT).unwrap_or_default());
        self.put(SLOT_SUM_AT, &sum.to_le_bytes());
        self
    }
}
