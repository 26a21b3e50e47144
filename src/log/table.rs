//! One half's views in sled: entries in framed and checked blocks, and the position they have reached.
//!
//! A block lies under the least key that it may hold, and holds what there is up to the next block. [`put`] writes them.
//!
//! sled is written by plain inserts from the committer alone. It may panic on a damaged file, so every call into it
//! is caught; it may open short or empty without a word, so it is believed only together with the journal.

use super::block::{self, Found, Item, Value};
use super::files::sync_tree;
use super::layer::Changes;
use super::record::array;
use super::{Entry, Half, VALUE_BYTES_MAX, ViewError};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

mod put;

/// Layout of entries and position; another number on disk has the views rebuilt.
const VIEWS_FORMAT: u32 = 2;
/// Where the views are: written after everything they hold.
const APPLIED: &[u8] = &[0xff, b'a'];
/// Where the views will be: written before a group's first entry. Unlike [`APPLIED`] only when a crash cut a group in two.
const BEGUN: &[u8] = &[0xff, b'b'];
const FRAME_BYTES: usize = 12;
/// First key byte of the parts of long values, above every view number.
const PART_KEY: u8 = 0x80;
/// The longest value in a block, and the longest part of a longer one. A leaf of sled, sixteen blocks, so stays below the 128 KiB
/// from which sled writes blob files, which it never syncs.
const PART_BYTES: usize = 3 << 10;
/// A long value replaced this often while it is read is taken for a damaged one.
const PARTS_TRIES: u32 = 16;
/// sled lets go of its lock from a thread of its own, shortly after the last handle is dropped.
const LOCK_TRIES: u32 = 200;
const LOCK_TRY_EVERY: Duration = Duration::from_millis(10);

/// Up to where a half's views hold its journal, and by which fold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// The last record applied; 0 before the first.
    pub(super) seq: u64,
    /// That record's checksum: it stands for the whole journal before it.
    pub(super) crc: u32,
    /// The fold that applied it.
    pub(super) fold: u32,
}

/// Once open it goes by its open files alone: the folder may be renamed beneath it. (sled 0.34.7 looks at its folder
/// again only for values over a page, which are never written.)
pub(super) struct Table {
    db: sled::Db,
    /// sled's file, to sync it.
    file: File,
    half: Half,
    /// Counted up before and after entries move from one block to another: odd while they do.
    moves: AtomicU64,
}

impl Table {
    /// Opens or makes the table in `dir`; the error says what sled said.
    pub(super) fn open(half: Half, dir: &Path, cache_bytes: u64) -> Result<Self, String> {
        let mut tries: u32 = 0;
        loop {
            let config = sled::Config::new().path(dir).cache_capacity(cache_bytes).flush_every_ms(None);
            match caught(|| config.open()) {
                Ok(db) => {
                    let file = File::open(dir.join("db")).map_err(|error| error.to_string())?;
                    return Ok(Self { db, file, half, moves: AtomicU64::new(0) });
                }
                Err(what) if what.contains("could not acquire lock") && tries < LOCK_TRIES => {
                    tries = tries.saturating_add(1);
                    std::thread::park_timeout(LOCK_TRY_EVERY);
                }
                Err(what) => return Err(what),
            }
        }
    }

    /// The position; `None` for a table without one. The error says why the table cannot be believed.
    pub(super) fn position(&self) -> Result<Option<Position>, String> {
        let applied = self.mark(APPLIED).map_err(|error| error.to_string())?;
        let begun = self.mark(BEGUN).map_err(|error| error.to_string())?;
        if applied != begun {
            return Err("a crash cut a group of entries in two".to_owned());
        }
        let Some(bytes) = applied else { return Ok(None) };
        Position::parse(&bytes).map(Some).ok_or_else(|| "the position has another format".to_owned())
    }

    /// The highest sequence that any readable mark names, also in a table that is no good otherwise.
    pub(super) fn reached(&self) -> u64 {
        let mark = |key| {
            self.mark(key).ok().flatten().and_then(|bytes| array(&bytes, 0)).map_or(0, u64::from_le_bytes)
        };
        mark(APPLIED).max(mark(BEGUN))
    }

    /// The value of `key`. A long one may be replaced while its parts are read: then it is read again.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        let mut seen = None;
        for _ in 0..PARTS_TRIES {
            match self.stored(key)? {
                None => return Ok(None),
                Some(Stored::Here(value)) => return Ok(Some(value)),
                Some(Stored::Parts { seq, bytes }) => match self.joined(key, seq, bytes)? {
                    Some(value) => return Ok(Some(value)),
                    None if seen == Some(seq) => break,
                    None => seen = Some(seq),
                },
            }
        }
        Err(self.damaged("a part of a long value is missing".to_owned()))
    }

    /// What `key` has in its block. While blocks are split, an entry can be missed on its way from one to the other: then it
    /// is looked for again.
    fn stored(&self, key: &[u8]) -> Result<Option<Stored>, ViewError> {
        loop {
            let moves = self.moves.load(Ordering::Acquire);
            let block = self.caught(|| self.db.range(..=key).next_back().transpose())?;
            if let Some((begin, framed)) = block {
                let payload = self.unframe(&begin, &framed)?;
                match block::find(payload, key).ok_or_else(|| self.no_block())? {
                    Some(Found::Here(value)) => return Ok(Some(Stored::Here(value.to_vec()))),
                    Some(Found::Parts { seq, bytes }) => return Ok(Some(Stored::Parts { seq, bytes })),
                    None => {}
                }
            }
            if moves.is_multiple_of(2) && self.moves.load(Ordering::Acquire) == moves {
                return Ok(None);
            }
            std::thread::yield_now();
        }
    }

    /// Entries from the first with `prefix` on, checked one by one.
    pub(super) fn entries<'t>(
        &'t self,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<Entry, ViewError>> + use<'t> {
        let prefix = prefix.to_vec();
        let mut items = self.items(&prefix);
        let mut next = move || -> Result<Option<Entry>, ViewError> {
            while let Some(Item { key, value, .. }) = items.next().transpose()? {
                if !key.starts_with(&prefix) {
                    return Ok(None);
                }
                let value = match value {
                    Value::Here(value) => Some(value),
                    Value::Parts(_) => self.get(&key)?,
                };
                // A long value may have been removed since the scan came by.
                if let Some(value) = value {
                    return Ok(Some((key, value)));
                }
            }
            Ok(None)
        };
        std::iter::from_fn(move || next().transpose())
    }

    /// Every entry of every view in key order: its key, and the sequence that wrote it (8 bytes) before its value.
    pub(super) fn raw(&self) -> impl Iterator<Item = Result<Entry, ViewError>> {
        self.items(&[]).map(|item| {
            let Item { key, seq, value } = item?;
            let mut raw = seq.to_le_bytes().to_vec();
            match value {
                Value::Here(value) => raw.extend_from_slice(&value),
                Value::Parts(bytes) => {
                    let value = self.joined(&key, seq, bytes)?;
                    let missing = || self.damaged("a part of a long value is missing".to_owned());
                    raw.extend_from_slice(&value.ok_or_else(missing)?);
                }
            }
            Ok((key, raw))
        })
    }

    /// The entries from `from` on, block by block. A block that is split while it is passed gives none of its entries twice.
    fn items<'t>(&'t self, from: &[u8]) -> impl Iterator<Item = Result<Item, ViewError>> + use<'t> {
        let (mut after, mut first) = (from.to_vec(), true);
        let mut waiting = Vec::new().into_iter();
        // Views end below the parts.
        let mut blocks = None;
        let mut next = move || -> Result<Option<Item>, ViewError> {
            loop {
                if let Some(item) = waiting.next() {
                    let item: Item = item;
                    let fresh = if first { item.key >= after } else { item.key > after };
                    if fresh {
                        (first, after) = (false, item.key.clone());
                        return Ok(Some(item));
                    }
                    continue;
                }
                let begun = match &mut blocks {
                    Some(blocks) => blocks,
                    none => {
                        let begin =
                            self.caught(|| self.db.range(..=after.as_slice()).next_back().transpose())?;
                        let begin = begin.map_or(after.clone(), |(begin, _)| begin.to_vec());
                        none.insert(self.db.range(begin..vec![PART_KEY]))
                    }
                };
                let Some((begin, framed)) = self.caught(|| begun.next().transpose())? else {
                    return Ok(None);
                };
                let items = block::decode(self.unframe(&begin, &framed)?).ok_or_else(|| self.no_block())?;
                waiting = items.into_iter();
            }
        };
        std::iter::from_fn(move || next().transpose())
    }

    /// Writes `changes`, then the position they lead to.
    pub(super) fn apply(&self, changes: &Changes, to: Position) -> Result<(), String> {
        self.insert(BEGUN, to.seq, &to.encode())?;
        put::put(self, changes)?;
        self.insert(APPLIED, to.seq, &to.encode())
    }

    /// Makes what was applied durable: sled's own flush does not sync the file.
    pub(super) fn sync(&self) -> Result<(), String> {
        caught(|| self.db.flush())?;
        self.file.sync_data().map_err(|error| error.to_string())
    }

    /// As [`Self::sync`], and every file and folder of a new table in `dir`.
    pub(super) fn sync_new(&self, dir: &Path) -> Result<(), String> {
        caught(|| self.db.flush())?;
        sync_tree(dir).map_err(|error| error.to_string())
    }

    fn insert(&self, key: &[u8], seq: u64, payload: &[u8]) -> Result<(), String> {
        caught(|| self.db.insert(key, frame(key, seq, payload))).map(drop)
    }

    /// Where the views are, or will be, as one of the two marks says.
    fn mark(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        let Some(framed) = self.caught(|| self.db.get(key))? else { return Ok(None) };
        self.unframe(key, &framed).map(|payload| Some(payload.to_vec()))
    }

    /// Reads the parts of a long value; `None` when one is missing, as when it was just replaced.
    fn joined(&self, key: &[u8], seq: u64, bytes: u32) -> Result<Option<Vec<u8>>, ViewError> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let mut value = Vec::with_capacity(bytes.min(VALUE_BYTES_MAX));
        for index in 0..=u16::MAX {
            if value.len() >= bytes {
                break;
            }
            let key = part_key(key, seq, index);
            let Some(framed) = self.caught(|| self.db.get(&key))? else { return Ok(None) };
            match self.unframe(&key, &framed)? {
                [] => return Ok(None),
                part => value.extend_from_slice(part),
            }
        }
        Ok(Some(value).filter(|value| value.len() == bytes))
    }

    fn unframe<'f>(&self, key: &[u8], framed: &'f [u8]) -> Result<&'f [u8], ViewError> {
        payload(key, framed).ok_or_else(|| self.damaged("an entry does not match its checksum".to_owned()))
    }

    fn no_block(&self) -> ViewError {
        self.damaged("a block of entries does not hold together".to_owned())
    }

    fn caught<T>(&self, call: impl FnOnce() -> sled::Result<T>) -> Result<T, ViewError> {
        caught(call).map_err(|what| self.damaged(what))
    }

    fn damaged(&self, what: String) -> ViewError {
        ViewError::Damaged { half: self.half, what }
    }
}

impl Position {
    fn encode(&self) -> Vec<u8> {
        let mut out = self.seq.to_le_bytes().to_vec();
        out.extend_from_slice(&self.crc.to_le_bytes());
        out.extend_from_slice(&self.fold.to_le_bytes());
        out.extend_from_slice(&VIEWS_FORMAT.to_le_bytes());
        out
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let format = u32::from_le_bytes(array(bytes, 16)?);
        (format == VIEWS_FORMAT && bytes.len() == 20).then_some(Self {
            seq: u64::from_le_bytes(array(bytes, 0)?),
            crc: u32::from_le_bytes(array(bytes, 8)?),
            fold: u32::from_le_bytes(array(bytes, 12)?),
        })
    }
}

/// A value as its block has it.
enum Stored {
    Here(Vec<u8>),
    /// A value of `bytes` in entries of their own.
    Parts {
        seq: u64,
        bytes: u32,
    },
}

/// `seq u64 | crc u32 | payload`; the crc covers the key too, so that no entry passes for another.
fn frame(key: &[u8], seq: u64, payload: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(payload.len().saturating_add(FRAME_BYTES));
    framed.extend_from_slice(&seq.to_le_bytes());
    framed.extend_from_slice(&checksum(key, seq, payload).to_le_bytes());
    framed.extend_from_slice(payload);
    framed
}

/// What is in a frame, if it is whole and of this key.
fn payload<'f>(key: &[u8], framed: &'f [u8]) -> Option<&'f [u8]> {
    let (seq, crc) = (u64::from_le_bytes(array(framed, 0)?), u32::from_le_bytes(array(framed, 8)?));
    framed.get(FRAME_BYTES..).filter(|payload| checksum(key, seq, payload) == crc)
}

/// The key of one part: out of every view's range, and another for each sequence, so that parts are never overwritten.
fn part_key(key: &[u8], seq: u64, index: u16) -> Vec<u8> {
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

/// Runs a call into sled; its error, or its panic, as a text.
fn caught<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err("the view store panicked".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::layer::Change;
    use super::*;

    fn change(seq: u64, value: &[u8]) -> Change {
        Change { seq, value: Some(value.to_vec()) }
    }

    fn at(seq: u64) -> Position {
        Position { seq, crc: 7, fold: 1 }
    }

    #[test]
    fn a_group_cut_in_two_is_noticed_and_its_sequence_still_known() {
        let dir = tempfile::tempdir().unwrap();
        let table = Table::open(Half::Neutral, dir.path(), 1 << 20).unwrap();
        assert_eq!(table.position(), Ok(None));
        table.apply(&Changes::from([(vec![0, 1], change(5, b"a"))]), at(5)).unwrap();
        assert_eq!(table.position(), Ok(Some(at(5))));
        table.insert(BEGUN, 6, &at(6).encode()).unwrap();
        put::put(&table, &Changes::from([(vec![0, 1], change(6, b"b"))])).unwrap();
        table.sync().unwrap();
        drop(table);
        let table = Table::open(Half::Neutral, dir.path(), 1 << 20).unwrap();
        assert!(table.position().is_err());
        assert_eq!(table.reached(), 6);
    }

    #[test]
    fn an_entry_changed_behind_our_back_is_an_error_not_a_value() {
        let dir = tempfile::tempdir().unwrap();
        let table = Table::open(Half::Neutral, dir.path(), 1 << 20).unwrap();
        let long = vec![3; PART_BYTES + 1];
        let changes = Changes::from([(vec![0, 1], change(5, b"a")), (vec![0, 2], change(5, &long))]);
        table.apply(&changes, at(5)).unwrap();
        let (begin, whole) = table.db.range(..=[0, 1]).next_back().unwrap().unwrap();
        for bit in 0..whole.len() * 8 {
            let mut bad = whole.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            table.db.insert(&begin, bad).unwrap();
            assert!(table.get(&[0, 1]).is_err(), "bit {bit}");
            assert!(
                table.entries(&[0]).any(|entry| entry.is_err()) && table.raw().any(|entry| entry.is_err())
            );
        }
        // A sound block under another key is no better.
        table.db.insert(&begin, &whole).unwrap();
        table.db.insert([0, 3], whole).unwrap();
        assert!(table.get(&[0, 3]).is_err());
        assert_eq!(table.get(&[0, 2]).unwrap(), Some(long));
        table.db.remove(part_key(&[0, 2], 5, 1)).unwrap();
        assert!(table.get(&[0, 2]).is_err());
    }
}
