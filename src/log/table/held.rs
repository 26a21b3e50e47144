//! Views whose entries are asked for one by one, copied out of sled: their keys in a few flat arrays in memory, with short values beside
//! them, and long values in a file without a name.
//!
//! sled reads a leaf to find one entry, which among a million is two reads of its file and sixteen allocations. Keys of such views are hashes
//! or random numbers, so an entry's place is nearly told by its key (interpolation search, Peterson 1957): a look-up touches a few places in
//! memory, and the file at most once. Of that the kernel keeps in memory what there is room for.
//!
//! A value: it is replaced together with the runs whose entries went into sled, so that each reader sees either both or neither. A shard
//! holds the keys of one view with one first byte; those that nothing changed in are shared with the one before.

use super::super::ViewError;
use super::super::files::to_u64;
use super::super::layer::{Change, Changed, Laid};
use super::super::record::array;
use super::Often;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Shards of a view: one for each first byte of a key.
const SHARDS: usize = 256;
/// A key's first byte, its view's number; the rest of it begins with what tells the shard.
const BEFORE: usize = 1;
/// What an entry takes in the arrays beside its key and value.
const AROUND_BYTES: usize = 12;
/// The longest value that lies beside its key: a link.
const SHORT_BYTES: usize = 40;
/// In the length of a key's rest: the value is long.
const LONG: u16 = 1 << 15;
/// So much of the file may be values that were replaced, beside as much as there is of others.
const WASTE_BYTES: u64 = 16 << 20;

#[derive(Clone)]
pub(super) struct Held {
    often: Often,
    /// How many bytes of memory it may come to.
    most: usize,
    long: Arc<LongValues>,
    /// By view, [`SHARDS`] each.
    shards: Arc<[Arc<Shard>]>,
}

/// Entries in key order. No `Debug`: they may be personal.
#[derive(Default)]
struct Shard {
    /// The first eight bytes of each key's rest, filled up with zeros.
    firsts: Vec<u64>,
    /// Where each entry ends in `bytes`.
    ends: Vec<u32>,
    /// Of each entry: the length of its key's rest (u16, little-endian), what of that is not in `firsts`, its value or where that is.
    bytes: Vec<u8>,
    /// How many bytes its long values have.
    long: u64,
}

/// Long values, one behind the other. One thread adds.
struct LongValues {
    file: File,
    end: AtomicU64,
}

/// An entry of a shard, in place.
struct Entry<'s> {
    /// How long its key's rest is.
    length: usize,
    /// What of that is not in `firsts`.
    more: &'s [u8],
    value: Kept<'s>,
}

/// What stands in the place of a value.
#[derive(Clone, Copy)]
enum Kept<'s> {
    Here(&'s [u8]),
    /// | offset u64 | length u32 | crc u32 |, little-endian
    Long(&'s [u8]),
}

/// What goes wrong while views are copied.
#[derive(Debug, thiserror::Error)]
pub(super) enum HoldError {
    #[error(transparent)]
    View(#[from] ViewError),
    #[error("the copies of entries cannot be written: {0}")]
    Io(#[from] io::Error),
}

impl Held {
    /// Copies the views of `often`, of which `read` gives the entries from a key on, in key order; long values into `file`, which is empty.
    /// `None` where the keys, with what is around them, are more than `most` bytes.
    pub(super) fn read<I: Iterator<Item = Laid>>(
        often: Often,
        most: usize,
        file: File,
        read: impl Fn(&[u8]) -> I,
    ) -> Result<Option<Self>, HoldError> {
        let count = often.views().count().saturating_mul(SHARDS);
        let shards = std::iter::repeat_with(Arc::default).take(count).collect();
        let long = Arc::new(LongValues { file, end: AtomicU64::new(0) });
        Self { often, most, long, shards }.with(read)
    }

    /// This, with changes laid over it; `None` where it becomes too much.
    pub(super) fn with<I: Iterator<Item = Laid>>(
        &self,
        changes: impl Fn(&[u8]) -> I,
    ) -> Result<Option<Self>, HoldError> {
        let mut shards = self.shards.to_vec();
        let mut bytes: usize = shards.iter().map(|shard| shard.size()).fold(0, usize::saturating_add);
        for view in self.often.views() {
            let mut changes = changes(&[view]).peekable();
            while let Some(change) = changes.peek() {
                let place = match change {
                    Ok((key, _)) => self.often.place(key).filter(|_| key.first() == Some(&view)),
                    Err(_) => None,
                };
                let (Some(place), Some(shard)) = (place, place.and_then(|place| shards.get_mut(place)))
                else {
                    // The next view, or an error.
                    changes.next().transpose()?;
                    break;
                };
                let own = std::iter::from_fn(|| {
                    changes.next_if(|next| {
                        next.as_ref().is_ok_and(|(key, _)| self.often.place(key) == Some(place))
                    })
                });
                let new = shard.with(own.filter_map(Result::ok), &self.long)?;
                bytes = bytes.saturating_sub(shard.size()).saturating_add(new.size());
                if bytes > self.most {
                    return Ok(None);
                }
                *shard = Arc::new(new);
            }
        }
        Ok(Some(Self { long: Arc::clone(&self.long), shards: shards.into(), ..*self }))
    }

    /// The value of `key`: the outer `None` where its view is not held, or the copy cannot be read.
    pub(super) fn get(&self, key: &[u8]) -> Option<Option<Vec<u8>>> {
        let shard = self.shards.get(self.often.place(key)?)?;
        match shard.get(key.get(BEFORE..).unwrap_or_default()) {
            None => Some(None),
            Some(Kept::Here(value)) => Some(Some(value.to_vec())),
            Some(Kept::Long(place)) => self.long.read(place).map(Some),
        }
    }

    /// Whether so many of its long values were replaced that it is better copied anew.
    pub(super) fn is_wasteful(&self) -> bool {
        let live = self.shards.iter().map(|shard| shard.long).fold(0, u64::saturating_add);
        self.long.end.load(Ordering::Relaxed) > live.saturating_mul(2).saturating_add(WASTE_BYTES)
    }
}

impl LongValues {
    fn read(&self, place: &[u8]) -> Option<Vec<u8>> {
        let (offset, length) = (u64::from_le_bytes(array(place, 0)?), u32::from_le_bytes(array(place, 8)?));
        let mut value = vec![0; usize::try_from(length).ok()?];
        self.file.read_exact_at(&mut value, offset).ok()?;
        (crc32fast::hash(&value) == u32::from_le_bytes(array(place, 12)?)).then_some(value)
    }

    fn add(&self, values: &[u8]) -> io::Result<()> {
        let end = self.end.load(Ordering::Relaxed);
        self.file.write_all_at(values, end)?;
        self.end.store(end.saturating_add(to_u64(values.len())), Ordering::Relaxed);
        Ok(())
    }
}

impl Often {
    /// The numbers of the views, ascending.
    fn views(self) -> impl Iterator<Item = u8> {
        (0..64_u8).filter(move |number| self.holds(&[*number]))
    }

    /// Which shard a key is in; `None` for one of another view.
    fn place(self, key: &[u8]) -> Option<usize> {
        let number = *key.first().filter(|_| self.holds(key))?;
        let below = 1_u64.checked_shl(u32::from(number))?.wrapping_sub(1);
        let view = usize::try_from((self.0 & below).count_ones()).ok()?;
        let byte = key.get(1).copied().map_or(0, usize::from);
        view.checked_mul(SHARDS)?.checked_add(byte)
    }
}

impl Shard {
    fn size(&self) -> usize {
        self.bytes.len().saturating_add(self.firsts.len().saturating_mul(AROUND_BYTES))
    }

    fn entry(&self, place: usize) -> Option<Entry<'_>> {
        let at = |place: usize| self.ends.get(place).and_then(|end| usize::try_from(*end).ok());
        let begin = place.checked_sub(1).map_or(Some(0), at)?;
        let (length, rest) = self.bytes.get(begin..at(place)?)?.split_first_chunk()?;
        let length = u16::from_le_bytes(*length);
        let kept = if length & LONG == 0 { Kept::Here } else { Kept::Long };
        let length = usize::from(length & !LONG);
        let (more, value) = rest.split_at_checked(length.saturating_sub(size_of::<u64>()))?;
        Some(Entry { length, more, value: kept(value) })
    }

    /// A key's rest, in full.
    fn rest(&self, place: usize) -> Option<Vec<u8>> {
        let Entry { length, more, .. } = self.entry(place)?;
        let first = self.firsts.get(place)?.to_be_bytes();
        let mut rest = first.get(..length.min(first.len()))?.to_vec();
        rest.extend_from_slice(more);
        Some(rest)
    }

    fn get(&self, rest: &[u8]) -> Option<Kept<'_>> {
        let first = first(rest);
        let from = lower_bound(&self.firsts, first);
        let same = self.firsts.get(from..)?.iter().take_while(|other| **other == first).count();
        (from..from.saturating_add(same)).find_map(|place| {
            let Entry { length, more, value } = self.entry(place)?;
            let own = length == rest.len() && rest.get(size_of::<u64>()..).unwrap_or_default() == more;
            own.then_some(value)
        })
    }

    /// This, with changes of its keys, in key order, laid over it; long values among them go where long values are.
    fn with(&self, changes: impl Iterator<Item = Changed>, long: &LongValues) -> io::Result<Self> {
        let (mut new, mut at) = (Self::default(), 0);
        let (mut values, from) = (Vec::new(), long.end.load(Ordering::Relaxed));
        for (key, Change { value, .. }) in changes {
            let rest = key.get(BEFORE..).unwrap_or_default();
            while let Some(old) = self.rest(at).filter(|old| old.as_slice() <= rest) {
                if old != rest {
                    new.keep(self, at, &old);
                }
                at = at.saturating_add(1);
            }
            match value {
                None => {}
                Some(value) if value.len() <= SHORT_BYTES => new.push(rest, Kept::Here(&value)),
                Some(value) => {
                    let offset = from.saturating_add(to_u64(values.len()));
                    values.extend_from_slice(&value);
                    let mut place = offset.to_le_bytes().to_vec();
                    place.extend_from_slice(&u32::try_from(value.len()).unwrap_or(0).to_le_bytes());
                    place.extend_from_slice(&crc32fast::hash(&value).to_le_bytes());
                    new.push(rest, Kept::Long(&place));
                }
            }
        }
        while let Some(old) = self.rest(at) {
            new.keep(self, at, &old);
            at = at.saturating_add(1);
        }
        long.add(&values)?;
        new.firsts.shrink_to_fit();
        new.ends.shrink_to_fit();
        new.bytes.shrink_to_fit();
        Ok(new)
    }

    /// Takes over an entry of another shard.
    fn keep(&mut self, other: &Self, place: usize, rest: &[u8]) {
        if let Some(entry) = other.entry(place) {
            self.push(rest, entry.value);
        }
    }

    fn push(&mut self, rest: &[u8], kept: Kept<'_>) {
        let length = u16::try_from(rest.len()).unwrap_or(u16::MAX) & !LONG;
        let (length, value) = match kept {
            Kept::Here(value) => (length, value),
            Kept::Long(place) => {
                let bytes = array(place, 8).map_or(0, u32::from_le_bytes);
                self.long = self.long.saturating_add(u64::from(bytes));
                (length | LONG, place)
            }
        };
        self.firsts.push(first(rest));
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(rest.get(size_of::<u64>()..).unwrap_or_default());
        self.bytes.extend_from_slice(value);
        // All of them together are little more than is held at most.
        self.ends.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
    }
}

/// The first eight bytes as a number that compares as they do.
fn first(rest: &[u8]) -> u64 {
    let mut first = [0; size_of::<u64>()];
    first.iter_mut().zip(rest).for_each(|(first, byte)| *first = *byte);
    u64::from_be_bytes(first)
}

/// The first place that is not below `wanted`, looked for around where it would be if all numbers of a shard, whose first byte they have
/// in common, were evenly apart.
fn lower_bound(sorted: &[u64], wanted: u64) -> usize {
    let len = sorted.len();
    let scaled = u128::from(wanted << 8).saturating_mul(u128::try_from(len).unwrap_or(0)) >> u64::BITS;
    let guess = usize::try_from(scaled).unwrap_or(0);
    let is_below = |place: usize| sorted.get(place).is_some_and(|number| *number < wanted);
    let (mut low, mut high, mut step) = (guess, guess, 8_usize);
    while low > 0 && !is_below(low.saturating_sub(1)) {
        low = low.saturating_sub(step);
        step = step.saturating_mul(2);
    }
    step = 8;
    while is_below(high) {
        high = high.saturating_add(step).min(len);
        step = step.saturating_mul(2);
    }
    let within = sorted.get(low..high.max(low)).unwrap_or_default();
    low.saturating_add(within.partition_point(|number| *number < wanted))
}

#[cfg(test)]
mod tests;
