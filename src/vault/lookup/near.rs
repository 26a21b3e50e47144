//! How near a name that was typed is to a name that is kept.
//!
//! Pure. A score from 0 to 100 a word, and of all words their mean; a word that is like none of a person's is no match at all.

use super::{nicknames, sound};

/// Letter for letter the same.
pub(super) const SAME: u32 = 100;
/// The beginning of a word.
const BEGINS: u32 = 95;
/// A short form of the name.
const NICKNAME: u32 = 90;
/// Sounds the same.
const SOUNDS: u32 = 85;
/// One slip of the finger.
const ONE_SLIP: u32 = 80;
/// Two, in a long word.
const TWO_SLIPS: u32 = 65;

/// Letters of a word that may hold one slip; a shorter one would be like too many others.
const ONE_SLIP_LETTERS: usize = 4;
/// Letters of a word that may hold two.
const TWO_SLIPS_LETTERS: usize = 8;

/// The score of `typed` against the nearest of `own`; `None` if it is like none of them.
pub(super) fn word(typed: &str, own: &str) -> Option<u32> {
    if typed == own {
        return Some(SAME);
    }
    if own.starts_with(typed) {
        return Some(BEGINS);
    }
    if nicknames::is_same(typed, own) {
        return Some(NICKNAME);
    }
    let letters = typed.chars().count().min(own.chars().count());
    let slips = (letters >= ONE_SLIP_LETTERS).then(|| slips(typed, own));
    if !sound::keys(typed).is_disjoint(&sound::keys(own))
        && slips.is_none_or(|slips| slips <= SOUND_SLIPS_MAX)
    {
        return Some(SOUNDS);
    }
    match slips {
        Some(0..=1) => Some(ONE_SLIP),
        Some(2) if letters >= TWO_SLIPS_LETTERS => Some(TWO_SLIPS),
        Some(_) | None => None,
    }
}

/// Words that sound alike and are written with more differences than this are two names.
const SOUND_SLIPS_MAX: usize = 3;

/// Letters put in, left out, changed, or changed with their neighbour: the optimal string alignment distance.
fn slips(one: &str, other: &str) -> usize {
    strsim::osa_distance(one, other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        for (one, other, count) in [
            ("garcia", "garcia", 0),
            ("garcia", "gacria", 1),
            ("garcia", "garci", 1),
            ("garcia", "garvia", 1),
            ("garcia", "agrcai", 2),
            ("", "abc", 3),
            ("abc", "", 3),
            ("ca", "abc", 3),
        ] {
            assert_eq!(slips(one, other), count, "{one} {other}");
        }
    }

    #[test]
    fn the_nearer_a_word_the_higher_its_score() {
        let scores: Vec<Option<u32>> =
            ["francisco", "franc", "paco", "fransisko", "frnacisco", "frbncisvo", "maria"]
                .iter()
                .map(|typed| word(typed, "francisco"))
                .collect();
        assert_eq!(scores, [Some(100), Some(95), Some(90), Some(85), Some(85), Some(65), None]);
        assert_eq!(word("ana", "eva"), None);
        assert_eq!(word("ann", "ana"), Some(SOUNDS));
    }
}
