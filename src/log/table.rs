//! One half's views in sled: framed and checked entries, and the position they have reached.
//!
//! sled is written by plain inserts from the committer alone. It may panic on a damaged file, so every call into it
//! is caught; it may open short or empty without a word, so it is believed only together with the journal.

use super::files::sync_tree;
use super::layer::{Change, Changes};
use super::record::array;
use super::{Entry, Half, VALUE_BYTES_MAX, ViewError};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

/// Layout of entries and position; another number on disk has the views rebuilt.
const VIEWS_FORMAT: u32 = 1;
/// Where the views are: written after everything they hold.
const APPLIED: &[u8] = &[0xff, b'a'];
/// Where the views will be: written before a group's first entry. Unlike [`APPLIED`] only when a crash cut a group in two.
const BEGUN: &[u8] = &[0xff, b'b'];
const FRAME_BYTES: usize = 13;
const WHOLE: u8 = 0;
const PARTS: u8 = 1;
/// First key byte of the parts of long values, above every view number.
const PART_KEY: u8 = 0x80;
/// The longest value in one entry. With frame and key it stays below the 4 KiB or so from which sled writes blob files,
/// which it never syncs.
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
                    return Ok(Self { db, file, half });
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
        let applied = self.get(APPLIED).map_err(|error| error.to_string())?;
        let begun = self.get(BEGUN).map_err(|error| error.to_string())?;
        if applied != begun {
            return Err("a crash cut a group of entries in two".to_owned());
        }
        let Some(bytes) = applied else { return Ok(None) };
        Position::parse(&bytes).map(Some).ok_or_else(|| "the position has another format".to_owned())
    }

    /// The highest sequence that any readable mark names, also in a table that is no good otherwise.
    pub(super) fn reached(&self) -> u64 {
        let mark = |key| {
            self.get(key).ok().flatten().and_then(|bytes| array(&bytes, 0)).map_or(0, u64::from_le_bytes)
        };
        mark(APPLIED).max(mark(BEGUN))
    }

    /// The value of `key`. A long one may be replaced while its parts are read: then it is read again.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        let mut seen = None;
        for _ in 0..PARTS_TRIES {
            let Some(framed) = self.caught(|| self.db.get(key))? else { return Ok(None) };
            match self.unframe(key, &framed)? {
                Stored::Whole(value) => return Ok(Some(value.to_vec())),
                Stored::Parts { seq, bytes } => match self.joined(key, seq, bytes)? {
                    Some(value) => return Ok(Some(value)),
                    None if seen == Some(seq) => break,
                    None => seen = Some(seq),
                },
            }
        }
        Err(self.damaged("a part of a long value is missing".to_owned()))
    }

    /// Entries from the first with `prefix` on, checked one by one.
    pub(super) fn entries<'t>(
        &'t self,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<Entry, ViewError>> + use<'t> {
        let mut found = self.db.scan_prefix(prefix);
        let mut entry = move || -> Result<Option<Entry>, ViewError> {
            while let Some((key, framed)) = self.caught(|| found.next().transpose())? {
                let value = match self.unframe(&key, &framed)? {
                    Stored::Whole(value) => Some(value.to_vec()),
                    Stored::Parts { .. } => self.get(&key)?,
                };
                // A long value may have been removed since the scan came by.
                if let Some(value) = value {
                    return Ok(Some((key.to_vec(), value)));
                }
            }
            Ok(None)
        };
        std::iter::from_fn(move || entry().transpose())
    }

    /// Every entry of every view as stored, parts too, in key order; the position left out.
    pub(super) fn raw(&self) -> impl Iterator<Item = Result<Entry, ViewError>> {
        let mut found = self.db.range(..APPLIED);
        let mut entry = move || -> Result<Option<Entry>, ViewError> {
            let Some((key, framed)) = self.caught(|| found.next().transpose())? else { return Ok(None) };
            self.unframe(&key, &framed)?;
            Ok(Some((key.to_vec(), framed.to_vec())))
        };
        std::iter::from_fn(move || entry().transpose())
    }

    /// Writes `changes`, then the position they lead to.
    pub(super) fn apply(&self, changes: &Changes, to: Position) -> Result<(), String> {
        self.insert(BEGUN, to.seq, &to.encode())?;
        for (key, change) in changes {
            let old = match &change.value {
                Some(value) => self.put(key, change.seq, value)?,
                None => caught(|| self.db.remove(key))?,
            };
            self.remove_parts(key, change, old.as_deref())?;
        }
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

    fn insert(&self, key: &[u8], seq: u64, value: &[u8]) -> Result<(), String> {
        caught(|| self.db.insert(key, frame(key, seq, WHOLE, value))).map(drop)
    }

    /// Writes a value, a long one part by part and its own entry last; gives what was there before.
    fn put(&self, key: &[u8], seq: u64, value: &[u8]) -> Result<Option<sled::IVec>, String> {
        if value.len() <= PART_BYTES {
            return caught(|| self.db.insert(key, frame(key, seq, WHOLE, value)));
        }
        for (part, index) in value.chunks(PART_BYTES).zip(0..) {
            self.insert(&part_key(key, seq, index), seq, part)?;
        }
        let bytes = u32::try_from(value.len()).map_err(|_| "a value is too long".to_owned())?;
        caught(|| self.db.insert(key, frame(key, seq, PARTS, &bytes.to_le_bytes())))
    }

    /// Reads the parts of a long value; `None` when one is missing, as when it was just replaced.
    fn joined(&self, key: &[u8], seq: u64, bytes: usize) -> Result<Option<Vec<u8>>, ViewError> {
        let mut value = Vec::with_capacity(bytes.min(VALUE_BYTES_MAX));
        for index in 0..=u16::MAX {
            if value.len() >= bytes {
                break;
            }
            let key = part_key(key, seq, index);
            let Some(framed) = self.caught(|| self.db.get(&key))? else { return Ok(None) };
            match self.unframe(&key, &framed)? {
                Stored::Whole(part) if !part.is_empty() => value.extend_from_slice(part),
                Stored::Whole(_) | Stored::Parts { .. } => return Ok(None),
            }
        }
        Ok(Some(value).filter(|value| value.len() == bytes))
    }

    /// Removes the parts of a long value that `change` replaced.
    fn remove_parts(&self, key: &[u8], change: &Change, old: Option<&[u8]>) -> Result<(), String> {
        let Some(Stored::Parts { seq, .. }) = old.and_then(|old| stored(key, old)) else { return Ok(()) };
        if change.value.is_some() && seq == change.seq {
            return Ok(());
        }
        for index in 0..=u16::MAX {
            if caught(|| self.db.remove(part_key(key, seq, index)))?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn unframe<'f>(&self, key: &[u8], framed: &'f [u8]) -> Result<Stored<'f>, ViewError> {
        stored(key, framed).ok_or_else(|| self.damaged("an entry does not match its checksum".to_owned()))
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

/// An entry as it lies in sled.
enum Stored<'f> {
    Whole(&'f [u8]),
    /// A value of `bytes` in entries of their own.
    Parts {
        seq: u64,
        bytes: usize,
    },
}

/// `seq u64 | crc u32 | form u8 | value`; the crc covers the key too, so that no entry passes for another.
fn frame(key: &[u8], seq: u64, form: u8, value: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(value.len().saturating_add(FRAME_BYTES));
    framed.extend_from_slice(&seq.to_le_bytes());
    framed.extend_from_slice(&[0; 4]);
    framed.push(form);
    framed.extend_from_slice(value);
    let crc = checksum(key, &framed).unwrap_or_default();
    framed.splice(8..12, crc.to_le_bytes());
    framed
}

fn stored<'f>(key: &[u8], framed: &'f [u8]) -> Option<Stored<'f>> {
    let seq = u64::from_le_bytes(array(framed, 0)?);
    if checksum(key, framed)? != u32::from_le_bytes(array(framed, 8)?) {
        return None;
    }
    let value = framed.get(FRAME_BYTES..)?;
    match framed.get(12) {
        Some(&WHOLE) => Some(Stored::Whole(value)),
        Some(&PARTS) => {
            let bytes = usize::try_from(u32::from_le_bytes(array(value, 0)?)).ok()?;
            Some(Stored::Parts { seq, bytes })
        }
        _ => None,
    }
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

fn checksum(key: &[u8], framed: &[u8]) -> Option<u32> {
    let mut crc = crc32fast::Hasher::new();
    crc.update(key);
    crc.update(framed.get(..8)?);
    crc.update(framed.get(12..)?);
    Some(crc.finalize())
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
        table.put(&[0, 1], 6, b"b").unwrap();
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
        let whole = table.db.get([0, 1]).unwrap().unwrap().to_vec();
        for bit in 0..whole.len() * 8 {
            let mut bad = whole.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            table.db.insert([0, 1], bad).unwrap();
            assert!(table.get(&[0, 1]).is_err(), "bit {bit}");
            assert!(
                table.entries(&[0]).any(|entry| entry.is_err()) && table.raw().any(|entry| entry.is_err())
            );
        }
        // A sound entry under another key is no better.
        table.db.insert([0, 3], whole).unwrap();
        assert!(table.get(&[0, 3]).is_err());
        assert_eq!(table.get(&[0, 2]).unwrap(), Some(long));
        table.db.remove(part_key(&[0, 2], 5, 1)).unwrap();
        assert!(table.get(&[0, 2]).is_err());
    }
}
