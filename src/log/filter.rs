//! Which keys may be somewhere (Bloom 1970): a "no" is sure, and spares the search.

use super::record::array;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bits that stand for one key.
const PROBES: u64 = 3;
/// A view's number and sixteen bytes, a hash or a number: keys that begin alike are a group, which is asked for as one.
const GROUP_BYTES: usize = 17;

/// Any thread may ask while one notes.
pub(super) struct Filter(Vec<AtomicU64>);

/// A key's hash, reckoned once for however many filters are asked.
#[derive(Clone, Copy)]
pub(super) struct KeyHash(u64);

impl KeyHash {
    /// Of the group that all keys with this beginning are in; `None` where they may be in several.
    pub(super) fn of_group(prefix: &[u8]) -> Option<Self> {
        prefix.get(..GROUP_BYTES).map(Self::of)
    }

    /// FNV-1a, mixed as MurmurHash3 ends: filters are kept in files, and `std`'s hasher may change with the compiler.
    pub(super) fn of(key: &[u8]) -> Self {
        let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        let mix = |hash: u64, by: u64| (hash ^ (hash >> 33)).wrapping_mul(by);
        let hash = mix(key.iter().fold(0xcbf2_9ce4_8422_2325, fold), 0xff51_afd7_ed55_8ccd);
        let hash = mix(hash, 0xc4ce_b9fe_1a85_ec53);
        Self(hash ^ (hash >> 33))
    }
}

/// What is noted of a key: its hash, and its group's.
#[derive(Clone, Copy)]
pub(super) struct KeyHashes(KeyHash, Option<KeyHash>);

impl KeyHashes {
    pub(super) fn of(key: &[u8]) -> Self {
        Self(KeyHash::of(key), KeyHash::of_group(key).filter(|_| key.len() > GROUP_BYTES))
    }

    fn each(self) -> impl Iterator<Item = KeyHash> {
        std::iter::once(self.0).chain(self.1)
    }
}

/// By itself, without its group.
impl From<KeyHash> for KeyHashes {
    fn from(hash: KeyHash) -> Self {
        Self(hash, None)
    }
}

impl Filter {
    /// An empty filter of so many bits, rounded up to whole words. With twenty bits for each key three of a thousand that are not
    /// there are said to be, with ten seventeen.
    pub(super) fn new(bits: usize) -> Self {
        Self(std::iter::repeat_with(AtomicU64::default).take(bits.div_ceil(64).max(1)).collect())
    }

    /// Its words, little-endian.
    pub(super) fn encode(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.load(Ordering::Acquire).to_le_bytes()).collect()
    }

    /// What [`Self::encode`] gave.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let word = |bytes: &[u8]| array(bytes, 0).map(u64::from_le_bytes).map(AtomicU64::new);
        let words = bytes.chunks(8).map(word).collect::<Option<Vec<_>>>()?;
        (!words.is_empty()).then_some(Self(words))
    }

    fn places(&self, hash: KeyHash) -> impl Iterator<Item = (&AtomicU64, u64)> {
        places(self.0.len(), hash).filter_map(|(place, bit)| Some((self.0.get(place)?, bit)))
    }

    pub(super) fn note(&self, hashes: KeyHashes) {
        for (word, bit) in hashes.each().flat_map(|hash| self.places(hash)) {
            word.fetch_or(bit, Ordering::Release);
        }
    }

    /// As [`Self::note`], while nobody else knows the filter.
    pub(super) fn note_alone(&mut self, hashes: KeyHashes) {
        let words = self.0.len();
        for (place, bit) in hashes.each().flat_map(|hash| places(words, hash)) {
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
            (0..10_000_u32).for_each(|number| filter.note(KeyHashes::of(&number.to_be_bytes())));
            assert!((0..10_000).all(|number| filter.may_hold(hash(number))));
            let false_ones = (10_000..110_000_u32).filter(|number| filter.may_hold(hash(*number))).count();
            let share = f64::from(u32::try_from(false_ones).unwrap()) / 100_000.0;
            assert!(share < wrong, "{bits} bits: {share}");
        }
        assert!(!Filter::new(0).may_hold(hash(1)));
    }

    #[test]
    fn a_group_may_be_there_where_one_of_its_keys_is() {
        let filter = Filter::new(1_000);
        let key = |group: u8, more: &[u8]| [&[group; GROUP_BYTES], more].concat();
        [key(1, &[7]), key(2, &[])].iter().for_each(|key| filter.note(KeyHashes::of(key)));
        let holds = |prefix: &[u8]| KeyHash::of_group(prefix).is_none_or(|group| filter.may_hold(group));
        assert!(holds(&key(1, &[])) && holds(&key(1, &[7])) && holds(&key(2, &[])) && !holds(&key(3, &[])));
        assert!(holds(&[3]), "a beginning of many groups");
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let mut filter = Filter::new(1_000);
        (0..50_u8).for_each(|number| filter.note_alone(KeyHashes::of(&[number])));
        let read = Filter::parse(&filter.encode()).unwrap();
        assert!(
            (0..=u8::MAX).all(|n| read.may_hold(KeyHash::of(&[n])) == filter.may_hold(KeyHash::of(&[n])))
        );
        assert!(Filter::parse(&[]).is_none() && Filter::parse(&[0; 9]).is_none());
        // Files have it: it stays what it is.
        assert_eq!(KeyHash::of(b"ficha").0, 3_016_561_269_534_434_070);
    }
}
