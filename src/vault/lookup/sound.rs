//! How a name sounds: one key in Spanish, one in English, so that whoever hears a name finds it however it is written.
//!
//! Pure. Keys are the first sound and the consonants after it, which is what stays when vowels are misheard, letters are
//! doubled or two neighbours change places. Rules of our own, after the sound values of both spellings: seseo, yeísmo, b and
//! v as one, h silent; ph, gh, kn, th and their like. Words in other scripts than Latin have no key: they are found as they
//! are written.

use std::collections::BTreeSet;

/// Sounds of one key at most: what is said later in a word tells no two names apart that are alike up to there.
const SOUNDS_MAX: usize = 6;

/// The keys of a word in its normal form (lower case, without diacritics); none if it is not Latin or has one letter.
pub(super) fn keys(word: &str) -> BTreeSet<String> {
    if word.len() < 2 || !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return BTreeSet::new();
    }
    [spanish(word), english(word)].into_iter().filter(|key| !key.is_empty()).collect()
}

/// Spellings of one sound: letters, what may follow (any of these, or anything if empty), the sounds they make. The first
/// that fits is taken; a letter that none fits stands for itself.
type Rules = &'static [(&'static str, &'static str, &'static str)];

const FRONT: &str = "eiy";

const SPANISH: Rules = &[
    ("sch", "", "s"),
    ("ch", "", "C"),
    ("ph", "", "f"),
    ("th", "", "t"),
    ("sh", "", "C"),
    ("qu", FRONT, "k"),
    ("gu", FRONT, "g"),
    ("ll", "", "y"),
    ("x", "", "s"),
    ("q", "", "k"),
    ("c", FRONT, "s"),
    ("c", "", "k"),
    ("g", FRONT, "j"),
    ("z", "", "s"),
    ("v", "", "b"),
    ("w", "", "u"),
    ("h", "", ""),
    ("y", "aeiou", "y"),
    ("y", "", "i"),
    ("mb", "", "nb"),
    ("mp", "", "np"),
];

const ENGLISH: Rules = &[
    ("sch", "", "sk"),
    ("tch", "", "C"),
    ("dge", "", "j"),
    ("ght", "", "t"),
    ("ck", "", "k"),
    ("ch", "", "C"),
    ("sh", "", "C"),
    ("ph", "", "f"),
    ("th", "", "0"),
    ("wh", "", "w"),
    ("gh", "", ""),
    ("qu", "", "kw"),
    ("x", "", "ks"),
    ("q", "", "k"),
    ("c", FRONT, "s"),
    ("c", "", "k"),
    ("g", FRONT, "j"),
    ("z", "", "s"),
    ("v", "", "f"),
    ("h", "", ""),
];

/// Silent or other at the beginning of a word.
const SPANISH_FIRST: &[(&str, &str)] = &[("x", "j"), ("hue", "ue"), ("ps", "s"), ("y", "y"), ("i", "i")];
const ENGLISH_FIRST: &[(&str, &str)] =
    &[("kn", "n"), ("gn", "n"), ("pn", "n"), ("ps", "s"), ("wr", "r"), ("x", "s"), ("h", "h"), ("mac", "mk")];

fn spanish(word: &str) -> String {
    skeleton(word, SPANISH, SPANISH_FIRST, "aeiou")
}

fn english(word: &str) -> String {
    skeleton(word, ENGLISH, ENGLISH_FIRST, "aeiouyw")
}

/// The word in sounds, vowels dropped after the first sound, neighbours that are the same made one.
fn skeleton(word: &str, rules: Rules, first: &[(&str, &str)], vowels: &str) -> String {
    let mut sounds: Vec<char> = Vec::new();
    let mut rest = word;
    if let Some((letters, said)) = first.iter().find(|(letters, _)| word.starts_with(letters)) {
        sounds.extend(said.chars());
        rest = word.get(letters.len()..).unwrap_or_default();
    }
    while let Some(letter) = rest.chars().next() {
        let fits = |(letters, followed, _): &&(&str, &str, &str)| {
            // Most rules are of another letter, and need no closer look.
            letters.bytes().next() == rest.bytes().next()
                && rest.strip_prefix(letters).is_some_and(|after| {
                    followed.is_empty() || after.starts_with(|next| followed.contains(next))
                })
        };
        match rules.iter().find(fits) {
            Some((letters, _, said)) => {
                sounds.extend(said.chars());
                rest = rest.get(letters.len()..).unwrap_or_default();
            }
            None => {
                sounds.push(letter);
                rest = rest.get(letter.len_utf8()..).unwrap_or_default();
            }
        }
    }
    let mut key = String::new();
    let mut last = None;
    for (index, sound) in sounds.into_iter().enumerate() {
        let heard = index == 0 || !vowels.contains(sound);
        // A vowel between two keeps them apart: `nn` is one sound, `nan` two.
        if heard && last != Some(sound) && key.chars().count() < SOUNDS_MAX {
            key.push(sound);
        }
        last = Some(sound);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_in_two_spellings_has_a_key_in_common() {
        for (one, other) in [
            ("gonzalez", "gonsales"),
            ("jimenez", "gimenes"),
            ("jimenez", "ximenez"),
            ("vazquez", "basques"),
            ("hernandez", "ernandes"),
            ("yolanda", "llolanda"),
            ("guillermo", "guiyermo"),
            ("ibanez", "ivannes"),
            ("garcia", "gracia"),
            ("quintana", "kintana"),
            ("chavez", "chabes"),
            ("smith", "smyth"),
            ("catherine", "kathryn"),
            ("philip", "filip"),
            ("stephen", "steven"),
            ("geoffrey", "jeffrey"),
            ("knight", "night"),
            ("wright", "right"),
            ("thompson", "thompsen"),
            ("phillips", "philips"),
            ("macdonald", "macdonnald"),
        ] {
            assert!(!keys(one).is_disjoint(&keys(other)), "{one} {:?}, {other} {:?}", keys(one), keys(other));
        }
    }

    #[test]
    fn other_names_have_not() {
        for (one, other) in [
            ("garcia", "gomez"),
            ("lopez", "perez"),
            ("martin", "marin"),
            ("smith", "jones"),
            ("ana", "eva"),
            ("moreno", "romero"),
        ] {
            assert!(keys(one).is_disjoint(&keys(other)), "{one} {:?}, {other} {:?}", keys(one), keys(other));
        }
        for word in ["x", "राजेश", "王", "", "straße"] {
            assert!(keys(word).is_empty(), "{word}");
        }
    }
}
