//! Views whose entries are asked for one by one, copied into memory: what sled has of them, in a few flat arrays.
//!
//! sled reads a leaf to find one entry, which among a million is two reads of its file and sixteen allocations. Keys of such views are hashes
//! or random numbers, so an entry's place is nearly told by its key (interpolation search, Peterson 1957): a look-up touches a few places in memory.
//!
//! A value: it is replaced together with the runs whose entries went into sled, so that each reader sees either both or neither. A shard
//! holds the keys of one view with one first byte; those that nothing changed in are shared with the one before.

use super::super::ViewError;
use super::super::layer::{Change, Changed, Laid};
use super::Often;
use std::sync::Arc;

/// Shards of a view: one for each first byte of a key.
const SHARDS: usize = 256;
/// A key's first byte, its view's number; the rest of it begins with what tells the shard.
const BEFORE: usize = 1;
/// What an entry takes in the arrays beside its key and value.
const AROUND_BYTES: usize = 12;

#[derive(Clone)]
pub(super) struct Held {
    often: Often,
    /// How many bytes it may come to.
    most: usize,
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
    /// Of each entry: the length of its key's rest (u16, little-endian), what of that is not in `firsts`, its value.
    bytes: Vec<u8>,
}

impl Held {
    /// Copies the views of `often`, of which `read` gives the entries from a key on, in key order; `None` where they, with what is
    /// around them, are more than `most` bytes.
    pub(super) fn read<I: Iterator<Item = Laid>>(
        often: Often,
        most: usize,
        read: impl Fn(&[u8]) -> I,
    ) -> Result<Option<Self>, ViewError> {
        let count = often.views().count().saturating_mul(SHARDS);
        let shards = std::iter::repeat_with(Arc::default).take(count).collect();
        Self { often, most, shards }.with(read)
    }

    /// This, with changes laid over it; `None` where it becomes too much.
    pub(super) fn with<I: Iterator<Item = Laid>>(
        &self,
        changes: impl Fn(&[u8]) -> I,
    ) -> Result<Option<Self>, ViewError> {
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
                let new = shard.with(own.filter_map(Result::ok));
                bytes = bytes.saturating_sub(shard.size()).saturating_add(new.size());
                if bytes > self.most {
                    return Ok(None);
                }
                *shard = Arc::new(new);
            }
        }
        Ok(Some(Self { shards: shards.into(), ..*self }))
    }

    /// The value of `key`: the outer `None` where its view is not held.
    pub(super) fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        let shard = self.shards.get(self.often.place(key)?)?;
        Some(shard.get(key.get(BEFORE..).unwrap_or_default()))
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

    /// The entry at a place: the length of its key's rest, what of that is not in `firsts`, its value.
    fn entry(&self, place: usize) -> Option<(usize, &[u8], &[u8])> {
        let at = |place: usize| self.ends.get(place).and_then(|end| usize::try_from(*end).ok());
        let begin = place.checked_sub(1).map_or(Some(0), at)?;
        let (length, rest) = self.bytes.get(begin..at(place)?)?.split_first_chunk()?;
        let length = usize::from(u16::from_le_bytes(*length));
        let (key, value) = rest.split_at_checked(length.saturating_sub(size_of::<u64>()))?;
        Some((length, key, value))
    }

    /// A key's rest, in full.
    fn rest(&self, place: usize) -> Option<Vec<u8>> {
        let (length, more, _) = self.entry(place)?;
        let first = self.firsts.get(place)?.to_be_bytes();
        let mut rest = first.get(..length.min(first.len()))?.to_vec();
        rest.extend_from_slice(more);
        Some(rest)
    }

    fn get(&self, rest: &[u8]) -> Option<&[u8]> {
        let first = first(rest);
        let from = lower_bound(&self.firsts, first);
        let same = self.firsts.get(from..)?.iter().take_while(|other| **other == first).count();
        (from..from.saturating_add(same)).find_map(|place| {
            let (length, more, value) = self.entry(place)?;
            let own = length == rest.len() && rest.get(size_of::<u64>()..).unwrap_or_default() == more;
            own.then_some(value)
        })
    }

    /// This, with changes of its keys, in key order, laid over it.
    fn with(&self, changes: impl Iterator<Item = Changed>) -> Self {
        let (mut new, mut at) = (Self::default(), 0);
        for (key, Change { value, .. }) in changes {
            let rest = key.get(BEFORE..).unwrap_or_default();
            while let Some(old) = self.rest(at).filter(|old| old.as_slice() <= rest) {
                if old != rest {
                    new.push(&old, self.entry(at).map_or(&[], |(_, _, value)| value));
                }
                at = at.saturating_add(1);
            }
            if let Some(value) = value {
                new.push(rest, &value);
            }
        }
        while let Some(old) = self.rest(at) {
            new.push(&old, self.entry(at).map_or(&[], |(_, _, value)| value));
            at = at.saturating_add(1);
        }
        new.shrink();
        new
    }

    fn push(&mut self, rest: &[u8], value: &[u8]) {
        let length = u16::try_from(rest.len()).unwrap_or(u16::MAX);
        self.firsts.push(first(rest));
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(rest.get(size_of::<u64>()..).unwrap_or_default());
        self.bytes.extend_from_slice(value);
        // All of them together are little more than is held at most.
        self.ends.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
    }

    fn shrink(&mut self) {
        self.firsts.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.bytes.shrink_to_fit();
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
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Model = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

    fn key() -> impl Strategy<Value = Vec<u8>> {
        let rest = prop_oneof![
            3 => prop::collection::vec(any::<u8>(), 16..18),
            1 => prop::collection::vec(0_u8..3, 0..12),
        ];
        (0_u8..5, rest).prop_map(|(view, rest)| [&[view][..], &rest].concat())
    }

    fn part() -> impl Strategy<Value = Model> {
        let value = prop::option::weighted(0.8, prop::collection::vec(any::<u8>(), 0..20));
        prop::collection::btree_map(key(), value, 0..200)
    }

    fn from(changes: &Model, from: &[u8]) -> Vec<Laid> {
        let change = |(key, value): (&Vec<u8>, &Option<Vec<u8>>)| {
            Ok((key.clone(), Change { seq: 1, value: value.clone() }))
        };
        changes.range(from.to_vec()..).map(change).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_held_is_what_a_map_would_hold(mut parts in prop::collection::vec(part(), 1..5), others in part()) {
            let often = Often(0b01010);
            let mut model = parts.remove(0);
            model.retain(|_, value| value.is_some());
            let mut held = Held::read(often, 1 << 20, |key| from(&model, key).into_iter()).unwrap().unwrap();
            for part in parts {
                let before = (held.clone(), model.clone());
                held = held.with(|key| from(&part, key).into_iter()).unwrap().unwrap();
                model.extend(part);
                for (held, model) in [(&held, &model), (&before.0, &before.1)] {
                    for (key, _) in model.iter().chain(&others) {
                        let value = model.get(key).and_then(|value| value.as_deref());
                        let wanted = matches!(key[0], 1 | 3).then_some(value);
                        prop_assert!(held.get(key) == wanted);
                    }
                }
            }
            let error = || Err(ViewError::Damaged { half: crate::log::Half::Neutral, what: String::new() });
            prop_assert!(held.with(|_| std::iter::once(error())).is_err());
        }

        #[test]
        fn a_place_is_found_wherever_the_numbers_lie(mut numbers in prop::collection::vec(prop_oneof![any::<u64>(), 0_u64..9], 0..300), wanted in prop_oneof![any::<u64>(), 0_u64..9]) {
            numbers.sort_unstable();
            for wanted in [wanted, 0, u64::MAX].into_iter().chain(numbers.clone()) {
                prop_assert_eq!(lower_bound(&numbers, wanted), numbers.partition_point(|number| *number < wanted));
            }
        }
    }

    #[test]
    fn more_than_is_held_of_a_half_is_none() {
        let entry = |number: u32| {
            let key = [&[1][..], &number.wrapping_mul(0x9e37_79b1).to_be_bytes()].concat();
            (key, Some(vec![0; 1_000]))
        };
        let model: Model = (0..100).map(entry).collect();
        let read = |most| Held::read(Often(2), most, |key| from(&model, key).into_iter()).unwrap();
        assert!(read(100_000).is_none());
        let held = read(110_000).unwrap();
        let more: Model = (100..110).map(entry).collect();
        assert!(held.with(|key| from(&more, key).into_iter()).unwrap().is_none());
    }
}
