//! One half's views in sled: entries in framed and checked blocks, and the position they have reached.
//!
//! A block lies under the least key that it may hold, and holds what there is up to the next block: what a crash left in it
//! beyond that counts for nothing. [`put`] writes them.
//!
//! sled is written by plain inserts, from one thread at a time. It may panic on a damaged file, so every call into it
//! is caught; it may open short or empty without a word, so it is believed only together with the journal.

use super::super::block::{self, Found, Item, Value};
use super::super::files::step;
use super::super::layer::{Change, Changed, Laid};
use super::super::record::array;
use super::super::{Half, VALUE_BYTES_MAX, ViewError};
use super::Position;
use frame::{PART_KEY, frame, part_key, payload};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

mod before;
mod frame;
mod put;
mod tidy;

/// Where the views are: written after everything they hold.
const APPLIED: &[u8] = &[0xff, b'a'];
/// Where the views will be: written before the first of many entries. Unlike [`APPLIED`] only when something cut them in two.
const BEGUN: &[u8] = &[0xff, b'b'];
/// The longest value in a block, and the longest part of a longer one. A leaf of sled, sixteen blocks, so stays below the 128 KiB
/// from which sled writes blob files, which it never syncs.
const PART_BYTES: usize = 3 << 10;
/// Whoever reads so many blocks one after the other has the time to tidy up.
const LONG_BLOCKS: usize = 1 << 10;
/// A long value replaced this often while it is read is taken for a damaged one.
const PARTS_TRIES: u32 = 16;
/// So often sled's file is copied while readers write to it. The next one would find a torn copy as torn as the file.
const COPIES_MAX: usize = 3;
/// sled lets go of its lock from a thread of its own, shortly after the last handle is dropped.
const LOCK_TRIES: u32 = 200;
const LOCK_TRY_EVERY: Duration = Duration::from_millis(10);

/// Once open it goes by its open files alone: the folder may be renamed beneath it. (sled 0.34.7 looks at its folder
/// again only for values over a page, which are never written.)
pub(super) struct Disk {
    db: sled::Db,
    /// Its folder.
    dir: File,
    /// sled's file, to sync it.
    file: File,
    half: Half,
    /// Counted up before and after entries move from one block to another: odd while they do.
    moves: AtomicU64,
    /// Blocks read and written since sled was last told to let go of what it keeps.
    used: AtomicUsize,
    /// What was first found that is not as it was written: a latch, so that nobody waits to read it.
    damage: OnceLock<String>,
}

impl Disk {
    /// Opens or makes the table in `dir`; the error says what sled said.
    pub(super) fn open(half: Half, dir: &Path, cache_bytes: u64) -> Result<Self, String> {
        let text = |error: io::Error| error.to_string();
        before::put_back(dir).map_err(text)?;
        let mut tries: u32 = 0;
        loop {
            let config = sled::Config::new().path(dir).cache_capacity(cache_bytes).flush_every_ms(None);
            match caught(|| config.open()) {
                Ok(db) => {
                    return Ok(Self {
                        db,
                        dir: File::open(dir).map_err(text)?,
                        file: File::open(dir.join(before::DB)).map_err(text)?,
                        half,
                        moves: AtomicU64::new(0),
                        used: AtomicUsize::new(0),
                        damage: OnceLock::new(),
                    });
                }
                Err(what) if what.contains("could not acquire lock") && tries < LOCK_TRIES => {
                    tries = tries.saturating_add(1);
                    std::thread::park_timeout(LOCK_TRY_EVERY);
                }
                Err(what) => return Err(what),
            }
        }
    }

    /// Where sled surely is, and where it may be in part. The error says why the table cannot be believed.
    pub(super) fn positions(&self) -> Result<(Option<Position>, Option<Position>), String> {
        let parsed = |mark: Mark| {
            let parse = |bytes: Vec<u8>| {
                Position::parse(&bytes).ok_or_else(|| "the position has another format".to_owned())
            };
            mark.map(parse).transpose()
        };
        let (applied, begun) = self.marks()?;
        Ok((parsed(applied)?, parsed(begun)?))
    }

    fn marks(&self) -> Result<(Mark, Mark), String> {
        let mark = |key| self.mark(key).map_err(|error| error.to_string());
        Ok((mark(APPLIED)?, mark(BEGUN)?))
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
            self.used(1);
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

    /// The keys from `from` on.
    pub(super) fn keys<'t>(
        &'t self,
        from: &[u8],
    ) -> impl Iterator<Item = Result<Vec<u8>, ViewError>> + use<'t> {
        self.items(from).map(|item| item.map(|item| item.key))
    }

    /// The entries from `from` on, checked one by one.
    pub(super) fn entries<'t>(&'t self, from: &[u8]) -> impl Iterator<Item = Laid> + use<'t> {
        let mut items = self.items(from);
        let mut next = move || -> Result<Option<Changed>, ViewError> {
            while let Some(Item { key, seq, value }) = items.next().transpose()? {
                let value = match value {
                    Value::Here(value) => Some(value),
                    // It may have been replaced or removed since the scan came by.
                    Value::Parts(bytes) => match self.joined(&key, seq, bytes)? {
                        Some(value) => Some(value),
                        None => self.get(&key)?,
                    },
                };
                if value.is_some() {
                    return Ok(Some((key, Change { seq, value })));
                }
            }
            Ok(None)
        };
        std::iter::from_fn(move || next().transpose())
    }

    /// The entries from `from` on, block by block. A block that is split while it is passed gives none of its entries twice.
    fn items<'t>(&'t self, from: &[u8]) -> impl Iterator<Item = Result<Item, ViewError>> + use<'t> {
        let (mut after, mut first) = (from.to_vec(), true);
        let mut waiting = Vec::new().into_iter();
        let mut blocks = self.blocks(from);
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
                let Some(items) = blocks.next().transpose()? else { return Ok(None) };
                waiting = items.into_iter();
            }
        };
        std::iter::from_fn(move || next().transpose())
    }

    /// The blocks from the one that `from` belongs to, each with what it holds up to the next.
    fn blocks<'t>(&'t self, from: &[u8]) -> impl Iterator<Item = Result<Vec<Item>, ViewError>> + use<'t> {
        let (from, mut begun, mut held, mut passed) = (from.to_vec(), None, None, 0_usize);
        let mut next = move || -> Result<Option<Vec<Item>>, ViewError> {
            let blocks = match &mut begun {
                Some(blocks) => blocks,
                none => {
                    let begin = self.caught(|| self.db.range(..=from.as_slice()).next_back().transpose())?;
                    let begin = begin.map_or(from.clone(), |(begin, _)| begin.to_vec());
                    // Views end below the parts.
                    let blocks = none.insert(self.db.range(begin..vec![PART_KEY]));
                    held = self.caught(|| blocks.next().transpose())?;
                    blocks
                }
            };
            let Some((begin, framed)) = held.take() else { return Ok(None) };
            self.used(1);
            passed = passed.saturating_add(1);
            if passed.is_multiple_of(LONG_BLOCKS) {
                self.tidy();
            }
            let mut items = block::decode(self.unframe(&begin, &framed)?).ok_or_else(|| self.no_block())?;
            held = self.caught(|| blocks.next().transpose())?;
            if let Some((until, _)) = &held {
                items.truncate(items.partition_point(|item| item.key.as_slice() < until.as_ref()));
            }
            Ok(Some(items))
        };
        std::iter::from_fn(move || next().transpose())
    }

    /// Writes `changes`, in key order and each key once, and the position they lead to, down to the disk. A crash leaves what was
    /// there before, or, where the disk had no room for a copy of that, may cut it in two: whoever has the changes lays them over
    /// this table until it is whole. `go_on` is asked while it is copied.
    pub(super) fn write(
        &self,
        changes: impl Iterator<Item = Laid>,
        to: Position,
        go_on: &dyn Fn() -> bool,
    ) -> Result<(), String> {
        let text = |error: io::Error| error.to_string();
        self.sync()?;
        for _ in 0..COPIES_MAX {
            // A reader that splits a leaf writes too: what was copied meanwhile is copied again.
            if !before::keep(&self.dir, go_on).map_err(text)? || caught(|| self.db.flush())? == 0 {
                break;
            }
        }
        self.write_over(changes, to)?;
        before::let_go(&self.dir).map_err(text)
    }

    fn write_over(&self, changes: impl Iterator<Item = Laid>, to: Position) -> Result<(), String> {
        self.insert(BEGUN, to.seq, &to.encode())?;
        self.put(changes)?;
        self.insert(APPLIED, to.seq, &to.encode())?;
        self.sync()
    }

    /// Writes all that a table without a position is to hold, down to the disk. What a crash cuts in two has no position either.
    pub(super) fn fill(&self, entries: impl Iterator<Item = Laid>, to: Position) -> Result<(), String> {
        self.put(entries)?;
        [BEGUN, APPLIED].into_iter().try_for_each(|mark| self.insert(mark, to.seq, &to.encode()))?;
        self.sync()
    }

    /// Writes what comes up to the first error, which it gives back.
    fn put(&self, changes: impl Iterator<Item = Laid>) -> Result<(), String> {
        let mut failed = None;
        let changes = changes.map_while(|entry| entry.map_err(|error| failed = Some(error)).ok());
        put::put(self, changes)?;
        failed.map_or(Ok(()), |error| Err(error.to_string()))
    }

    /// Makes what was applied durable: sled's own flush does not sync the file.
    fn sync(&self) -> Result<(), String> {
        caught(|| self.db.flush())?;
        self.file.sync_data().map_err(|error| error.to_string())
    }

    fn insert(&self, key: &[u8], seq: u64, payload: &[u8]) -> Result<(), String> {
        step().map_err(|error| error.to_string())?;
        self.used(1);
        caught(|| self.db.insert(key, frame(key, seq, payload))).map(drop)
    }

    /// Whether there was one.
    fn remove(&self, key: &[u8]) -> Result<bool, String> {
        step().map_err(|error| error.to_string())?;
        self.used(1);
        caught(|| self.db.remove(key)).map(|old| old.is_some())
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
            self.used(1);
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
        ViewError::Damaged { half: self.half, what: self.noted(what) }
    }

    /// How long sled's file is.
    pub(super) fn bytes(&self) -> u64 {
        self.file.metadata().map_or(0, |found| found.len())
    }

    /// Keeps in mind that these views are damaged.
    pub(super) fn noted(&self, what: String) -> String {
        self.damage.get_or_init(|| what.clone());
        what
    }

    /// What was first found damaged since it was opened.
    pub(super) fn damage(&self) -> Option<&str> {
        self.damage.get().map(String::as_str)
    }

    /// Has what is read next come from the disk, as far as sled does not have it in memory.
    pub(super) fn forget(&self) {
        // Then the kernel's memory is read; a later pass may find more.
        posix_fadvise(&self.file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).ok();
    }
}

/// A position as sled has it; `None`: not at all.
type Mark = Option<Vec<u8>>;

/// A value as its block has it.
enum Stored {
    Here(Vec<u8>),
    /// A value of `bytes` in entries of their own.
    Parts {
        seq: u64,
        bytes: u32,
    },
}

/// Runs a call into sled; its error, or its panic, as a text.
fn caught<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err("the view store panicked".to_owned()),
    }
}

#[cfg(test)]
mod tests;
