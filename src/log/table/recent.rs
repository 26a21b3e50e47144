//! Changes that are true but not in sled yet: in memory, in key order, written by one thread and read by any without a lock.
//!
//! Nothing is ever replaced: a key that changes again has another entry, which stands before the older ones. So a reader finds the
//! one state or the other, never none.

use super::super::filter::{Filter, KeyHash};
use super::super::layer::{Change, Changed, Laid};
use crossbeam_skiplist::SkipMap;
use std::cmp::Reverse;
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// About what an entry takes beside its key and value: the list's node and two allocations.
const AROUND_BYTES: usize = 112;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    /// Its first bytes, filled up with zeros: most keys differ there, and need not be looked up in memory elsewhere.
    first: u128,
    /// View number, then key.
    bytes: Vec<u8>,
    /// The transaction that wrote it; of one key the newest comes first.
    seq: Reverse<u64>,
}

impl Key {
    fn new(bytes: Vec<u8>, seq: Reverse<u64>) -> Self {
        let mut first = [0; 16];
        first.iter_mut().zip(&bytes).for_each(|(first, byte)| *first = *byte);
        Self { first: u128::from_be_bytes(first), bytes, seq }
    }
}

/// Before every entry of a key, and after.
const NEWEST: Reverse<u64> = Reverse(u64::MAX);
const OLDEST: Reverse<u64> = Reverse(0);

/// Bits of the filter: some twenty for each entry of a part that is full. Most keys that are asked for are not among the recent ones,
/// and finding that out in the list costs as much as finding one.
const FILTER_BITS: usize = 1 << 22;

#[derive(Default)]
pub(super) struct Recent {
    /// `None`: removed.
    map: SkipMap<Key, Option<Vec<u8>>>,
    /// Empty before the first entry.
    filter: OnceLock<Filter>,
    bytes: AtomicUsize,
}

impl Recent {
    pub(super) fn put(&self, key: Vec<u8>, change: Change) {
        let value_bytes = change.value.as_ref().map_or(0, Vec::len);
        let bytes = key.len().saturating_add(value_bytes).saturating_add(AROUND_BYTES);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        // Before the entry: whoever finds that is not led past it.
        self.filter.get_or_init(|| Filter::new(FILTER_BITS)).note(KeyHash::of(&key));
        self.map.insert(Key::new(key, Reverse(change.seq)), change.value);
    }

    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// What `key` was changed to: the outer `None` when it was not.
    pub(super) fn get(&self, key: &[u8]) -> Option<Option<Vec<u8>>> {
        if !self.filter.get().is_some_and(|filter| filter.may_hold(KeyHash::of(key))) {
            return None;
        }
        let from = Key::new(key.to_vec(), NEWEST);
        let found = self.map.lower_bound(Bound::Included(&from))?;
        (found.key().bytes == key).then(|| found.value().clone())
    }

    /// The newest change of each key from `from` on. What is written meanwhile may be among them.
    pub(super) fn changes(self: Arc<Self>, from: &[u8]) -> impl Iterator<Item = Changed> + use<> {
        let mut at = Key::new(from.to_vec(), NEWEST);
        std::iter::from_fn(move || {
            let found = self.map.lower_bound(Bound::Excluded(&at))?;
            let (key, Reverse(seq)) = (&found.key().bytes, found.key().seq);
            at = Key::new(key.clone(), OLDEST);
            Some((key.clone(), Change { seq, value: found.value().clone() }))
        })
    }

    /// As [`Self::changes`], to be laid over what is below.
    pub(super) fn laid(self: Arc<Self>, from: &[u8]) -> impl Iterator<Item = Laid> + use<> {
        self.changes(from).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_change_of_each_key_counts() {
        let recent = Arc::new(Recent::default());
        let put = |key: &[u8], seq, value: Option<&[u8]>| {
            recent.put(key.to_vec(), Change { seq, value: value.map(<[u8]>::to_vec) });
        };
        put(b"b", 1, Some(b"1"));
        put(b"ab", 2, Some(b"2"));
        put(b"b", 3, None);
        put(b"b", 9, Some(b"9"));
        put(b"ab", 10, None);
        put(b"a", 7, Some(b"7"));
        assert_eq!(recent.get(b"b"), Some(Some(b"9".to_vec())));
        assert_eq!(recent.get(b"ab"), Some(None));
        assert_eq!(recent.get(b"bb"), None);
        assert_eq!(recent.get(b""), None);
        let all: Vec<_> = Arc::clone(&recent).changes(b"").map(|(key, change)| (key, change.seq)).collect();
        assert_eq!(all, [(b"a".to_vec(), 7), (b"ab".to_vec(), 10), (b"b".to_vec(), 9)]);
        let some: Vec<_> = Arc::clone(&recent).changes(b"ab").map(|(key, _)| key).collect();
        assert_eq!(some, [b"ab".to_vec(), b"b".to_vec()]);
    }
}
