//! Which keys may be somewhere (Bloom 1970): a "no" is sure, and spares the search.

use std::hash::{DefaultHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bits that stand for one key.
const PROBES: u64 = 3;

/// Any thread may ask while one notes.
pub(super) struct Filter(Vec<AtomicU64>);

/// A key's hash, reckoned once for however many filters are asked.
#[derive(Clone, Copy)]
pub(super) struct KeyHash(u64);

impl KeyHash {
    pub(super) fn of(key: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(key);
        Self(hasher.finish())
    }
}

impl Filter {
    /// An empty filter of so many bits, rounded up to whole words. With twenty bits for each key three of a thousand that are not
    /// there are said to be, with ten seventeen.
    pub(super) fn new(bits: usize) -> Self {
        Self(std::iter::repeat_with(AtomicU64::default).take(bits.div_ceil(64).max(1)).collect())
    }

    fn places(&self, hash: KeyHash) -> impl Iterator<Item = (&AtomicU64, u64)> {
        places(self.0.len(), hash).filter_map(|(place, bit)| Some((self.0.get(place)?, bit)))
    }

    pub(super) fn note(&self, hash: KeyHash) {
        for (word, bit) in self.places(hash) {
            word.fetch_or(bit, Ordering::Release);
        }
    }

    /// As [`Self::note`], while nobody else knows the filter.
    pub(super) fn note_alone(&mut self, hash: KeyHash) {
        for (place, bit) in places(self.0.len(), hash) {
            if let Some(word) = self.0.get_mut(place) {
                *word.get_mut() |= bit;
            }
        }
    }

    pub(super) fn may_hold(&self, hash: KeyHash) -> bool {
        self.places(hash).all(|(word, bit)| word.load(Ordering::Acquire) & bit != 0)
    }
}

/// The words and bits of a key: one hash, stepped through by its own turned halves (Kirsch, Mitzenmacher 2006).
fn places(words: usize, KeyHash(hash): KeyHash) -> impl Iterator<Item = (usize, u64)> {
    let words = u128::try_from(words).unwrap_or(1);
    (0..PROBES).filter_map(move |probe| {
        let mixed = hash.wrapping_add(probe.wrapping_mul(hash.rotate_left(32) | 1));
        // The upper bits choose the word, the lower ones the bit in it.
        let word = u128::from(mixed).checked_mul(words)? >> 64;
        Some((usize::try_from(word).ok()?, 1 << (mixed & 63)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_may_be_there_and_little_else() {
        let hash = |number: u32| KeyHash::of(&number.to_be_bytes());
        for (bits, wrong) in [(10, 0.03), (20, 0.006)] {
            let filter = Filter::new(10_000 * bits);
            (0..10_000).for_each(|number| filter.note(hash(number)));
            assert!((0..10_000).all(|number| filter.may_hold(hash(number))));
            let false_ones = (10_000..110_000_u32).filter(|number| filter.may_hold(hash(*number))).count();
            let share = f64::from(u32::try_from(false_ones).unwrap()) / 100_000.0;
            assert!(share < wrong, "{bits} bits: {share}");
        }
        assert!(!Filter::new(0).may_hold(hash(1)));
    }
}
