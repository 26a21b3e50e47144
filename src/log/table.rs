//! One half's views in sled: framed and checked entries, and the position they have reached.
//!
//! sled is written by plain inserts from the committer alone. It may panic on a damaged file, so every call into it
//! is caught; it may open short or empty without a word, so it is believed only together with the journal.

use super::files::sync_tree;
use super::layer::Changes;
use super::record::array;
use super::{Entry, Half, ViewError};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Layout of entries and position; another number on disk has the views rebuilt.
const VIEWS_FORMAT: u32 = 1;
/// Where the views are: written after everything they hold.
const APPLIED: &[u8] = &[0xff, b'a'];
/// Where the views will be: written before a group's first entry. Unlike [`APPLIED`] only when a crash cut a group in two.
const BEGUN: &[u8] = &[0xff, b'b'];
const FRAME_BYTES: usize = 12;
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

pub(super) struct Table {
    db: sled::Db,
    half: Half,
    dir: PathBuf,
}

impl Table {
    /// Opens or makes the table in `dir`; the error says what sled said.
    pub(super) fn open(half: Half, dir: &Path, cache_bytes: u64) -> Result<Self, String> {
        let mut tries: u32 = 0;
        loop {
            let config = sled::Config::new().path(dir).cache_capacity(cache_bytes).flush_every_ms(None);
            match caught(|| config.open()) {
                Ok(db) => return Ok(Self { db, half, dir: dir.to_path_buf() }),
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

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        let found = caught(|| self.db.get(key)).map_err(|what| self.damaged(what))?;
        found.map(|framed| self.unframe(key, &framed)).transpose()
    }

    /// Entries from the first with `prefix` on, checked one by one.
    pub(super) fn entries(&self, prefix: &[u8]) -> impl Iterator<Item = Result<Entry, ViewError>> {
        let mut found = self.db.scan_prefix(prefix);
        std::iter::from_fn(move || match caught(|| found.next().transpose()) {
            Ok(None) => None,
            Ok(Some((key, framed))) => Some(self.unframe(&key, &framed).map(|value| (key.to_vec(), value))),
            Err(what) => Some(Err(self.damaged(what))),
        })
    }

    /// Every entry of every view as stored, in key order, position left out.
    pub(super) fn raw(&self) -> impl Iterator<Item = Result<Entry, ViewError>> {
        let mut found = self.db.range(..APPLIED);
        std::iter::from_fn(move || match caught(|| found.next().transpose()) {
            Ok(None) => None,
            Ok(Some((key, framed))) => {
                Some(self.unframe(&key, &framed).map(|_| (key.to_vec(), framed.to_vec())))
            }
            Err(what) => Some(Err(self.damaged(what))),
        })
    }

    /// Writes `changes`, then the position they lead to.
    pub(super) fn apply(&self, changes: &Changes, to: Position) -> Result<(), String> {
        self.insert(BEGUN, to.seq, &to.encode())?;
        for (key, change) in changes {
            match &change.value {
                Some(value) => self.insert(key, change.seq, value)?,
                None => caught(|| self.db.remove(key)).map(drop)?,
            }
        }
        self.insert(APPLIED, to.seq, &to.encode())
    }

    /// Makes what was applied durable: sled's own flush does not sync the file.
    pub(super) fn sync(&self) -> Result<(), String> {
        caught(|| self.db.flush())?;
        File::open(self.dir.join("db")).and_then(|db| db.sync_data()).map_err(|error| error.to_string())
    }

    /// As [`Self::sync`], and every file and folder of a new table.
    pub(super) fn sync_new(&self) -> Result<(), String> {
        caught(|| self.db.flush())?;
        sync_tree(&self.dir).map_err(|error| error.to_string())
    }

    fn insert(&self, key: &[u8], seq: u64, value: &[u8]) -> Result<(), String> {
        let mut framed = Vec::with_capacity(value.len().saturating_add(FRAME_BYTES));
        framed.extend_from_slice(&seq.to_le_bytes());
        framed.extend_from_slice(&checksum(key, seq, value).to_le_bytes());
        framed.extend_from_slice(value);
        caught(|| self.db.insert(key, framed)).map(drop)
    }

    fn unframe(&self, key: &[u8], framed: &[u8]) -> Result<Vec<u8>, ViewError> {
        let read = || {
            let seq = u64::from_le_bytes(array(framed, 0)?);
            let crc = u32::from_le_bytes(array(framed, 8)?);
            let value = framed.get(FRAME_BYTES..)?;
            (checksum(key, seq, value) == crc).then(|| value.to_vec())
        };
        read().ok_or_else(|| self.damaged("an entry does not match its checksum".to_owned()))
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

fn checksum(key: &[u8], seq: u64, value: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(key);
    crc.update(&seq.to_le_bytes());
    crc.update(value);
    crc.finalize()
}

/// Runs a call into sled; its error, or its panic, as a text.
fn caught<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err("the view store panicked".to_owned()),
    }
}
