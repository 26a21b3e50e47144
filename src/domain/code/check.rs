//! The two checks of a card code, over plain symbols. Knows neither alphabet nor key.
//!
//! Reed–Solomon (20,18) over GF(32), the field of x^5 + x^2 + 1 with primitive element α = x (the number 2). The generator
//! is (x + 1)(x + α): a code word c, seen as a polynomial with its last symbol at x^0, is whole when c(1) = 0 and c(α) = 0.
//! One wrong symbol, off by e at x^p, leaves c(1) = e and c(α) = e·α^p, so its size is known at once and its place
//! is found by multiplying e by α until it fits. No table, no division: the only product needed is by α.
//!
//! ISO/IEC 7064 MOD 97-10: the number with its two check digits is 1 modulo 97.

/// Symbols in a Reed–Solomon code word, two of them checks.
const WORD: usize = 20;

/// What the Reed–Solomon check says of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// No error, or at least three.
    Whole,
    /// One wrong symbol would explain it: XOR `error` into symbol `index`.
    One { index: usize, error: u8 },
    /// No single symbol explains it.
    More,
}

/// Sets the last two of `word` to the checks of the others: division by the generator x² + (α+1)x + α, a symbol at a time.
pub(super) fn seal(word: &mut [u8; WORD]) {
    let (mut high, mut low) = (0, 0);
    let [message @ .., check_high, check_low] = word;
    for symbol in message {
        let carry = *symbol ^ high;
        let carry_alpha = times_alpha(carry);
        (high, low) = (low ^ carry ^ carry_alpha, carry_alpha);
    }
    (*check_high, *check_low) = (high, low);
}

/// Checks `word` and, where one wrong symbol explains it, says which.
pub(super) fn find(word: &[u8; WORD]) -> Found {
    let at_one = word.iter().fold(0, |sum, symbol| sum ^ symbol);
    let at_alpha = word.iter().fold(0, |sum, symbol| times_alpha(sum) ^ symbol);
    match (at_one, at_alpha) {
        (0, 0) => Found::Whole,
        (0, _) | (_, 0) => Found::More,
        (error, _) => {
            let mut shifted = error;
            for index in (0..WORD).rev() {
                if shifted == at_alpha {
                    return Found::One { index, error };
                }
                shifted = times_alpha(shifted);
            }
            Found::More
        }
    }
}

/// The product with α, for symbols under 32.
const fn times_alpha(symbol: u8) -> u8 {
    let shifted = symbol << 1;
    if shifted & 0x20 == 0 { shifted } else { shifted ^ 0x25 }
}

/// The check, 1 to 97, that makes ASCII `digits` and it 1 modulo 97.
pub(super) fn mod_97_10(digits: &[u8]) -> u8 {
    98u8.saturating_sub(remainder(digits.iter().chain(b"00")))
}

/// Whether ASCII `digits`, the last two being the check, are 1 modulo 97.
pub(super) fn mod_97_10_holds(digits: &[u8]) -> bool {
    remainder(digits.iter()) == 1
}

fn remainder<'a>(digits: impl Iterator<Item = &'a u8>) -> u8 {
    let rest = digits.fold(0u16, |rest, byte| {
        rest.saturating_mul(10).saturating_add(u16::from(byte.saturating_sub(b'0'))) % 97
    });
    u8::try_from(rest).unwrap_or_default()
}
