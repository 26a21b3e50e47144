//! Every error that the checks promise to find, and that a repair gives the right key back.

#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

use super::*;
use proptest::prelude::*;

fn programme() -> impl Strategy<Value = Programme> {
    (0u8..32).prop_map(Programme)
}

fn key() -> impl Strategy<Value = CardKey> {
    any::<[u8; 10]>().prop_map(CardKey)
}

proptest! {
    #[test]
    fn both_renderings_come_back(key in key(), ours in programme()) {
        let (letters, digits) = (key.letters(ours), key.digits());
        prop_assert_eq!(parse(letters.reveal().as_bytes(), ours), Parsed::Valid(key));
        prop_assert_eq!(parse(letters.reveal_grouped().to_lowercase().as_bytes(), ours), Parsed::Valid(key));
        prop_assert_eq!(parse(digits.reveal().as_bytes(), ours), Parsed::Valid(key));
        prop_assert_eq!(parse(digits.reveal_grouped().as_bytes(), ours), Parsed::Valid(key));
        let misread = letters.reveal().replace('1', "l").replace('0', "o");
        prop_assert_eq!(parse(misread.as_bytes(), ours), Parsed::Valid(key));
    }

    #[test]
    fn every_wrong_letter_is_found_and_repaired(key in key(), ours in programme()) {
        let whole = key.letters(ours).0;
        for index in 0..LETTERS {
            for other in ALPHABET.iter().chain(b"U*").filter(|other| **other != whole[index]) {
                let mut damaged = whole;
                damaged[index] = *other;
                let want = Parsed::Damaged { proposal: Some(key), prefix_ours: index >= PREFIX };
                prop_assert_eq!(parse(&damaged, ours), want, "symbol {}", index);
            }
        }
    }

    #[test]
    fn every_wrong_digit_is_found(key in key(), ours in programme()) {
        let whole = key.digits().0;
        for index in 0..DIGITS {
            for other in (b'0'..=b'9').filter(|other| *other != whole[index]) {
                let mut damaged = whole;
                damaged[index] = other;
                let want = match index {
                    0 => Parsed::NotOurs,
                    _ => Parsed::Damaged { proposal: None, prefix_ours: true },
                };
                prop_assert_eq!(parse(&damaged, ours), want, "digit {}", index);
            }
        }
    }

    #[test]
    fn swapped_neighbours_are_found(key in key(), ours in programme(), at in 0usize..19) {
        let mut letters = key.letters(ours).0;
        prop_assume!(letters[at] != letters[at + 1]);
        letters.swap(at, at + 1);
        prop_assert!(!matches!(parse(&letters, ours), Parsed::Valid(_)));
        prop_assert!(!matches!(parse(&letters, ours), Parsed::Damaged { proposal: Some(_), .. }), "not one symbol away");
    }

    #[test]
    fn swapped_digits_are_found(key in key(), ours in programme(), at in 0usize..27) {
        let mut digits = key.digits().0;
        prop_assume!(digits[at] != digits[at + 1]);
        digits.swap(at, at + 1);
        prop_assert!(!matches!(parse(&digits, ours), Parsed::Valid(_)));
    }

    #[test]
    fn two_wrong_letters_are_never_taken_for_a_card(
        key in key(), ours in programme(), places in (0usize..20, 0usize..20), by in (1u8..32, 1u8..32),
    ) {
        prop_assume!(places.0 != places.1);
        let mut letters = key.letters(ours).0;
        for (place, by) in [(places.0, by.0), (places.1, by.1)] {
            letters[place] = letter(symbol(letters[place]).unwrap() ^ by);
        }
        prop_assert!(!matches!(parse(&letters, ours), Parsed::Valid(_)));
    }

    #[test]
    fn another_programme_is_not_ours(key in key(), ours in programme(), theirs in programme()) {
        prop_assume!(ours != theirs);
        let got = parse(key.letters(theirs).reveal().as_bytes(), ours);
        prop_assert_eq!(got, Parsed::NotOurs);
    }

    #[test]
    fn any_bytes_are_safe(bytes in proptest::collection::vec(any::<u8>(), 0..60), ours in programme()) {
        if let Parsed::Valid(key) = parse(&bytes, ours) {
            let kept: Vec<u8> = bytes.into_iter().filter(|byte| !b"- ".contains(byte)).collect();
            let same = kept.len() == DIGITS && kept == key.digits().0
                || kept.len() == LETTERS && parse(&key.letters(ours).0, ours) == Parsed::Valid(key);
            prop_assert!(same);
        }
    }
}

/// A 25-digit number behind our version, with a right check.
fn decimals(number: &str) -> String {
    let body = format!("6{number:0>25}");
    format!("{body}{:02}", check::mod_97_10(body.as_bytes()))
}

#[test]
fn decimals_end_at_two_to_the_eighty() {
    let last = "1208925819614629174706175"; // 2^80 - 1
    let ours = Programme::default();
    assert_eq!(parse(decimals(last).as_bytes(), ours), Parsed::Valid(CardKey([0xff; 10])));
    for over in ["1208925819614629174706176", "1300000000000000000000000", "9999999999999999999999999"] {
        assert_eq!(parse(decimals(over).as_bytes(), ours), Parsed::NotOurs, "{over}");
    }
}

/// Worked by hand and by an independent script, so that a change of format cannot pass unseen.
#[test]
fn known_codes() {
    let key = CardKey([0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99]);
    assert_eq!(key.letters(Programme::default()).reveal(), "FC008J4CT4ANK7F24SN1");
    assert_eq!(key.digits().reveal(), "6000031605903780774618946539");
    assert_eq!(check::mod_97_10(b"794"), 44, "the example of ISO/IEC 7064: 79444");
}

#[test]
fn debug_shows_nothing() {
    let key = CardKey([0x5a; 10]);
    let shown = format!("{key:?} {:?} {:?}", key.letters(Programme::default()), key.digits());
    assert_eq!(shown, "CardKey(••) Letters(••) Digits(••)");
}

#[test]
fn programmes_are_symbols() {
    assert_eq!(Programme::default().letter(), 'C');
    assert_eq!(Programme::new('c'), Some(Programme::default()));
    assert_eq!(Programme::new('O').map(Programme::letter), Some('0'));
    for no in ['U', '-', 'é', '€'] {
        assert_eq!(Programme::new(no), None, "{no}");
    }
}
