//! The order of names in a list that a person reads.
//!
//! A list has one order, whoever reads it, since a shop's customers are named in many languages: names in Devanagari and in Chinese
//! characters stand behind all others, each as their readers look for them, Hindi in the order of its letters and Chinese by Pinyin. Everything
//! else is in Unicode's order with the Spanish ñ after n, which no other language misses. Accents and capitals count where letters are the same.

use icu_collator::options::CollatorOptions;
use icu_collator::{Collator, CollatorBorrowed};
use icu_locale_core::locale;
use std::fmt;
use std::sync::LazyLock;
use unicode_script::{Script, UnicodeScript as _};

/// Sorts before everything, spaces too, so that all of one family stand together. Source: CLDR, root collation, "U+FFFE".
const NEXT_PART: char = '\u{fffe}';

/// Where a name stands in a list.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct NameOrder(Vec<u8>);

/// Shows nothing: it is made of the name, and can be read back in part.
impl fmt::Debug for NameOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NameOrder(••)")
    }
}

impl NameOrder {
    /// The place of a name: family names first, given names where those are the same.
    #[must_use]
    pub fn of(family: &str, given: &str) -> Self {
        let name = if family.is_empty() { given.to_owned() } else { format!("{family}{NEXT_PART}{given}") };
        let first = name.chars().find(|c| c.is_alphabetic()).map(|c| c.script());
        let (group, collator) = match first {
            Some(Script::Devanagari) => (1, &*HINDI),
            Some(Script::Han) => (2, &*CHINESE),
            Some(_) | None => (0, &*OTHERS),
        };
        let mut key = vec![group];
        match collator {
            Some(collator) => match collator.write_sort_key_to(&name, &mut key) {
                Ok(()) => {}
            },
            // The tables are compiled in.
            None => key.extend(name.bytes()),
        }
        Self(key)
    }
}

static OTHERS: LazyLock<Option<CollatorBorrowed<'static>>> =
    LazyLock::new(|| Collator::try_new(locale!("es").into(), CollatorOptions::default()).ok());
static HINDI: LazyLock<Option<CollatorBorrowed<'static>>> =
    LazyLock::new(|| Collator::try_new(locale!("hi").into(), CollatorOptions::default()).ok());
static CHINESE: LazyLock<Option<CollatorBorrowed<'static>>> =
    LazyLock::new(|| Collator::try_new(locale!("zh").into(), CollatorOptions::default()).ok());

#[cfg(test)]
mod tests {
    use super::*;

    /// Names as `family, given`, in the order they are expected in; sorted from the other end.
    #[track_caller]
    fn check(wanted: &[&str]) {
        let mut sorted: Vec<&str> = wanted.iter().rev().copied().collect();
        sorted.sort_by_key(|name| {
            let (family, given) = name.split_once(", ").unwrap_or((name, ""));
            NameOrder::of(family, given)
        });
        assert_eq!(sorted, wanted);
    }

    #[test]
    fn spanish_has_its_own_letter_and_accents_come_second() {
        check(&["Nuez", "Núñez, Ana", "Nzinga", "Ñandú", "Ñíguez", "Obispo"]);
        check(&["alvarado", "Alvarez", "Álvarez", "Álvarez, Ana", "Álvaro"]);
        // The same letters: first who has no accent, but a given name counts for more.
        check(&["Garcia, Ana", "García, Ana", "Garcia, Zoe"]);
        // All of one family, then those who have a second name.
        check(&["García", "García, Zoe", "García López, Ana", "Garcíarena"]);
        // Ch and ll are no letters of their own since 1994.
        check(&["Cela", "Chacón", "Cid", "Llano", "Lobo"]);
    }

    #[test]
    fn hindi_is_in_the_order_of_its_letters() {
        check(&[
            "अंकित",
            "अमित",
            "आशा",
            "ईशा",
            "कमल",
            "काजल",
            "किरण",
            "क्षत्रिय",
            "खन्ना",
            "जया",
            "ज्ञान",
            "तारा",
            "त्रिपाठी",
            "हरि",
        ]);
    }

    #[test]
    fn chinese_is_in_the_order_of_pinyin() {
        // ān, chén, lǐ, ōuyáng, wáng, zhāng, zhào.
        check(&["安", "陈", "李, 娜", "李, 伟", "欧阳", "王, 芳", "王, 小明", "张", "赵"]);
    }

    #[test]
    fn each_writing_has_its_place() {
        check(&["9 Lives", "Ana", "Zoë", "Иван", "محمد", "さくら", "अमित", "हरि", "安", "赵"]);
    }
}
