//! Which keys sled has, of the views that are mostly asked for keys that they do not have: whether a request or a receipt was there before.
//!
//! A filter in memory; without it each such question reads a leaf of sled to find nothing.

use super::super::ViewError;
use super::super::filter::{Filter, KeyHash};
use super::ViewNumbers;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Of more keys nothing is known: a filter of those takes up to seven megabytes.
const KEYS_MAX: usize = 3_000_000;
/// A filter has room for so many at least.
const KEYS_MIN: usize = 10_000;
/// Bits for each key that there is room for: of a hundred keys that are not there one is looked for, until it is full.
const BITS: usize = 12;

pub(super) struct Known {
    views: ViewNumbers,
    filter: Filter,
    /// How many keys it is made for, and how many it has.
    room: usize,
    count: AtomicUsize,
}

impl Known {
    /// The keys of `views`, of which `read` gives those from a key on, in key order. `None` where there are too many.
    pub(super) fn read<I: Iterator<Item = Result<Vec<u8>, ViewError>>>(
        views: ViewNumbers,
        read: impl Fn(&[u8]) -> I,
    ) -> Result<Option<Self>, ViewError> {
        // They are gone through twice: to keep them meanwhile would take many times the memory of the filter.
        let count = each(views, &read, |_| {})?;
        if count > KEYS_MAX {
            return Ok(None);
        }
        // Half as many again before it is made anew.
        let room = count.saturating_add(count / 2).max(KEYS_MIN);
        let mut filter = Filter::new(room.saturating_mul(BITS));
        each(views, &read, |key| filter.note_alone(KeyHash::of(key).into()))?;
        Ok(Some(Self { views, filter, room, count: AtomicUsize::new(count) }))
    }

    /// Whether sled surely has no such key.
    pub(super) fn lacks(&self, key: &[u8], hash: KeyHash) -> bool {
        self.views.holds(key) && !self.filter.may_hold(hash)
    }

    /// Notes a key that sled is about to get, while runs over it have it.
    pub(super) fn note(&self, key: &[u8]) {
        let hash = KeyHash::of(key);
        if self.lacks(key, hash) {
            self.filter.note(hash.into());
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether it is better made anew.
    pub(super) fn is_full(&self) -> bool {
        self.count.load(Ordering::Relaxed) > self.room
    }
}

/// Gives each key of these views, and how many there were: at most one more than [`KEYS_MAX`].
fn each<I: Iterator<Item = Result<Vec<u8>, ViewError>>>(
    views: ViewNumbers,
    read: impl Fn(&[u8]) -> I,
    mut give: impl FnMut(&[u8]),
) -> Result<usize, ViewError> {
    let mut count: usize = 0;
    for view in views.each() {
        for entry in read(&[view]) {
            let key = entry?;
            if key.first() != Some(&view) || count > KEYS_MAX {
                break;
            }
            count = count.saturating_add(1);
            give(&key);
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sled_has_is_never_lacking_and_what_it_has_not_nearly_always() {
        let key = |view: u8, number: u32| [&[view][..], &number.to_be_bytes()].concat();
        let keys: Vec<_> = (0..3).flat_map(|view| (0..2_000).map(move |number| key(view, number))).collect();
        let read = |from: &[u8]| {
            keys.iter().filter(|key| key.as_slice() >= from).cloned().map(Ok).collect::<Vec<_>>().into_iter()
        };
        let known = Known::read(ViewNumbers(0b101), read).unwrap().unwrap();
        let lacks = |key: &[u8]| known.lacks(key, KeyHash::of(key));
        assert!(!keys.iter().any(|key| lacks(key)));
        assert!((5_000..6_000).filter(|number| lacks(&key(0, *number))).count() > 980);
        assert!(!lacks(&key(1, 5_000)), "a view of which nothing is known");
        (5_000..6_000).for_each(|number| known.note(&key(2, number)));
        assert!(!(5_000..6_000).any(|number| lacks(&key(2, number))) && !known.is_full());
        (10_000..20_000).for_each(|number| known.note(&key(2, number)));
        assert!(known.is_full());
    }
}
