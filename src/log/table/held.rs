//! Views whose entries are asked for one by one, copied out of sled: the beginnings of their keys in flat arrays in memory, with short
//! values beside them, and long values with the rest of their keys in a file without a name.
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
use super::ViewNumbers;
use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Shards of a view: one for each first byte of a key.
const SHARDS: usize = 256;
/// A key's first byte, its view's number; the rest of it begins with what tells the shard.
const BEFORE: usize = 1;
/// What an entry takes in the arrays beside its record.
const AROUND_BYTES: usize = 16;
/// The longest value that is usually kept in memory: a link.
pub(super) const SHORT_BYTES: usize = 40;
/// So much of the file may be values that were replaced, beside as much as there is of others.
const WASTE_BYTES: u64 = 16 << 20;

#[derive(Clone)]
pub(super) struct Held {
    often: ViewNumbers,
    /// How many bytes of memory it may come to.
    most: usize,
    /// The longest value that is kept in memory.
    short: usize,
    long: Arc<LongValues>,
    /// By view, [`SHARDS`] each.
    shards: Arc<[Arc<Shard>]>,
}

/// Entries in key order. No `Debug`: they may be personal.
#[derive(Default)]
struct Shard {
    /// The first eight bytes of each key's rest, filled up with zeros.
    firsts: Vec<u64>,
    /// Where each entry's record is.
    places: Vec<Place>,
    /// Records with short values.
    short: Vec<u8>,
    /// How many bytes those with long values have.
    long: u64,
}

/// Records with long values, one behind the other. One thread adds.
struct LongValues {
    file: File,
    end: AtomicU64,
}

/// Where a record is: what of its key's rest is not in `firsts`, then its value; one in the file with a checksum behind it.
#[derive(Clone, Copy)]
struct Place(u64);

/// What goes wrong while views are copied.
#[derive(Debug, thiserror::Error)]
pub(super) enum HoldError {
    #[error(transparent)]
    View(#[from] ViewError),
    #[error("the copies of entries cannot be written: {0}")]
    Io(#[from] io::Error),
}

impl Held {
    /// Copies the views of `often`, of which `read` gives the entries from a key on, in key order; values of more than `short`
    /// bytes into `file`, which is empty. `None` where what is left comes to more than `most` bytes.
    pub(super) fn read<I: Iterator<Item = Laid>>(
        often: ViewNumbers,
        (most, short): (usize, usize),
        file: File,
        read: impl Fn(&[u8]) -> I,
    ) -> Result<Option<Self>, HoldError> {
        let count = often.each().count().saturating_mul(SHARDS);
        let shards = std::iter::repeat_with(Arc::default).take(count).collect();
        let long = Arc::new(LongValues { file, end: AtomicU64::new(0) });
        Self { often, most, short, long, shards }.with(read)
    }

    /// This, with changes laid over it; `None` where it becomes too much.
    pub(super) fn with<I: Iterator<Item = Laid>>(
        &self,
        changes: impl Fn(&[u8]) -> I,
    ) -> Result<Option<Self>, HoldError> {
        let mut shards = self.shards.to_vec();
        let mut bytes: usize = shards.iter().map(|shard| shard.size()).fold(0, usize::saturating_add);
        for view in self.often.each() {
            let mut changes = changes(&[view]).peekable();
            while let Some(change) = changes.peek() {
                let place = match change {
                    Ok((key, _)) => self.often.shard_of(key).filter(|_| key.first() == Some(&view)),
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
                        next.as_ref().is_ok_and(|(key, _)| self.often.shard_of(key) == Some(place))
                    })
                });
                let new = shard.with(own.filter_map(Result::ok), self.short, &self.long)?;
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
        let shard = self.shards.get(self.often.shard_of(key)?)?;
        shard.get(key.get(BEFORE..).unwrap_or_default(), &self.long)
    }

    /// Whether so many of its long values were replaced that it is better copied anew.
    pub(super) fn is_wasteful(&self) -> bool {
        let live = self.shards.iter().map(|shard| shard.long).fold(0, u64::saturating_add);
        self.long.end.load(Ordering::Relaxed) > live.saturating_mul(2).saturating_add(WASTE_BYTES)
    }
}

impl LongValues {
    fn read(&self, place: Place) -> Option<Vec<u8>> {
        let bytes = place.record_bytes();
        let mut record = vec![0; bytes.checked_add(Place::CHECKSUM_BYTES)?];
        self.file.read_exact_at(&mut record, place.offset()).ok()?;
        let checksum = u32::from_le_bytes(array(&record, bytes)?);
        record.truncate(bytes);
        (crc32fast::hash(&record) == checksum).then_some(record)
    }

    fn add(&self, records: &[u8]) -> io::Result<()> {
        let end = self.end.load(Ordering::Relaxed);
        self.file.write_all_at(records, end)?;
        self.end.store(end.saturating_add(to_u64(records.len())), Ordering::Relaxed);
        Ok(())
    }
}

/// | in the file, 1 bit | offset, 38 | length of the value, 19 | of the key's rest, 6 |
impl Place {
    const CHECKSUM_BYTES: usize = size_of::<u32>();
    const LONG: u64 = 1 << 63;
    const OFFSET_AT: u32 = 25;
    const VALUE_AT: u32 = 6;
    const REST_BYTES_MAX: u64 = (1 << Self::VALUE_AT) - 1;
    const VALUE_BYTES_MAX: u64 = (1 << (Self::OFFSET_AT - Self::VALUE_AT)) - 1;
    const OFFSET_MAX: u64 = (Self::LONG >> Self::OFFSET_AT) - 1;

    fn new(is_long: bool, offset: u64, value: usize, rest: usize) -> io::Result<Self> {
        let (value, rest) = (to_u64(value), to_u64(rest));
        let fits =
            offset <= Self::OFFSET_MAX && value <= Self::VALUE_BYTES_MAX && rest <= Self::REST_BYTES_MAX;
        let long = if is_long { Self::LONG } else { 0 };
        let place = Self(long | (offset << Self::OFFSET_AT) | (value << Self::VALUE_AT) | rest);
        fits.then_some(place).ok_or_else(|| io::ErrorKind::FileTooLarge.into())
    }

    fn is_long(self) -> bool {
        self.0 & Self::LONG != 0
    }

    fn offset(self) -> u64 {
        (self.0 >> Self::OFFSET_AT) & Self::OFFSET_MAX
    }

    /// The place of the same record elsewhere in memory.
    fn moved(self, offset: u64) -> Self {
        Self(
            (self.0 & !(Self::OFFSET_MAX << Self::OFFSET_AT))
                | ((offset & Self::OFFSET_MAX) << Self::OFFSET_AT),
        )
    }

    fn rest_bytes(self) -> usize {
        usize::try_from(self.0 & Self::REST_BYTES_MAX).unwrap_or(0)
    }

    /// What of the key's rest is not in `firsts`.
    fn more_bytes(self) -> usize {
        self.rest_bytes().saturating_sub(size_of::<u64>())
    }

    fn record_bytes(self) -> usize {
        let value = (self.0 >> Self::VALUE_AT) & Self::VALUE_BYTES_MAX;
        self.more_bytes().saturating_add(usize::try_from(value).unwrap_or(0))
    }
}

impl ViewNumbers {
    /// Which shard a key is in; `None` for one of another view.
    fn shard_of(self, key: &[u8]) -> Option<usize> {
        let number = *key.first().filter(|_| self.holds(key))?;
        let below = 1_u64.checked_shl(u32::from(number))?.wrapping_sub(1);
        let view = usize::try_from((self.0 & below).count_ones()).ok()?;
        let byte = key.get(1).copied().map_or(0, usize::from);
        view.checked_mul(SHARDS)?.checked_add(byte)
    }
}

impl Shard {
    fn size(&self) -> usize {
        self.short.len().saturating_add(self.firsts.len().saturating_mul(AROUND_BYTES))
    }

    /// A record; `None` where it cannot be read.
    fn record(&self, place: Place, long: &LongValues) -> Option<Cow<'_, [u8]>> {
        if place.is_long() {
            return long.read(place).map(Cow::Owned);
        }
        let from = usize::try_from(place.offset()).ok()?;
        self.short.get(from..from.checked_add(place.record_bytes())?).map(Cow::Borrowed)
    }

    /// A key's rest, in full.
    fn rest(&self, at: usize, long: &LongValues) -> Option<Vec<u8>> {
        let (first, place) = (self.firsts.get(at)?.to_be_bytes(), *self.places.get(at)?);
        let mut rest = first.get(..place.rest_bytes().min(first.len()))?.to_vec();
        rest.extend_from_slice(self.record(place, long)?.get(..place.more_bytes())?);
        Some(rest)
    }

    /// The value of a key; the outer `None` where the copy cannot be read.
    fn get(&self, rest: &[u8], long: &LongValues) -> Option<Option<Vec<u8>>> {
        let first = first(rest);
        let from = lower_bound(&self.firsts, first);
        let same = self.firsts.iter().skip(from).take_while(|other| **other == first).count();
        let places = self.places.get(from..from.saturating_add(same))?;
        for place in places.iter().filter(|place| place.rest_bytes() == rest.len()) {
            let record = self.record(*place, long)?;
            if record.get(..place.more_bytes())? == rest.get(size_of::<u64>()..).unwrap_or_default() {
                // A record that was read from the file is not copied once more.
                let mut value = record.into_owned();
                value.drain(..place.more_bytes());
                return Some(Some(value));
            }
        }
        Some(None)
    }

    /// This, with changes of its keys, in key order, laid over it; values over `short` bytes among them go where long values are.
    fn with(
        &self,
        changes: impl Iterator<Item = Changed>,
        short: usize,
        long: &LongValues,
    ) -> io::Result<Self> {
        let (mut new, mut at) = (Self::default(), 0);
        let (mut records, from) = (Vec::new(), long.end.load(Ordering::Relaxed));
        for (key, Change { value, .. }) in changes {
            let rest = key.get(BEFORE..).unwrap_or_default();
            let first = first(rest);
            while let Some(old) = self.firsts.get(at).filter(|old| **old <= first) {
                // Of most the first bytes tell that they come before.
                let old = if *old < first { None } else { Some(self.rest(at, long).ok_or_else(unreadable)?) };
                if old.as_deref().is_some_and(|old| old > rest) {
                    break;
                }
                if old.as_deref() != Some(rest) {
                    new.keep(self, at);
                }
                at = at.saturating_add(1);
            }
            let Some(value) = value else { continue };
            let more = rest.get(size_of::<u64>()..).unwrap_or_default();
            let is_long = value.len() > short;
            let (to, from) = if is_long { (&mut records, from) } else { (&mut new.short, 0) };
            let begin = to.len();
            let place = Place::new(is_long, from.saturating_add(to_u64(begin)), value.len(), rest.len())?;
            to.extend_from_slice(more);
            to.extend_from_slice(&value);
            if is_long {
                let checksum = crc32fast::hash(to.get(begin..).unwrap_or_default());
                to.extend_from_slice(&checksum.to_le_bytes());
            }
            new.push(first, place);
        }
        (at..self.firsts.len()).for_each(|at| new.keep(self, at));
        long.add(&records)?;
        new.firsts.shrink_to_fit();
        new.places.shrink_to_fit();
        new.short.shrink_to_fit();
        Ok(new)
    }

    /// Takes over an entry of another shard.
    fn keep(&mut self, other: &Self, at: usize) {
        let (Some(first), Some(place)) = (other.firsts.get(at), other.places.get(at)) else { return };
        let mut place = *place;
        if !place.is_long() {
            let from = usize::try_from(place.offset()).unwrap_or(0);
            let record = other.short.get(from..from.saturating_add(place.record_bytes())).unwrap_or_default();
            place = place.moved(to_u64(self.short.len()));
            self.short.extend_from_slice(record);
        }
        self.push(*first, place);
    }

    fn push(&mut self, first: u64, place: Place) {
        if place.is_long() {
            let bytes = place.record_bytes().saturating_add(Place::CHECKSUM_BYTES);
            self.long = self.long.saturating_add(to_u64(bytes));
        }
        self.firsts.push(first);
        self.places.push(place);
    }
}

fn unreadable() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a record is not as it was written")
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
