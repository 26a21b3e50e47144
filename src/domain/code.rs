//! The card code: one 80-bit key, two renderings, and the aliases of imported cards.
//!
//! - [`Letters`], 20 symbols of Crockford's base 32: format version, [`Programme`], 16 symbols of key, 2 symbols of
//!   Reed–Solomon check over all of them (`check`). For QR codes, print "in clear" and the telephone.
//! - [`Digits`], 28 decimal digits: format version, 25 digits of key, 2 of ISO 7064 MOD 97-10. For Code 128-C and
//!   track 2; longer than any payment card number. There is no room for the programme: it is not in the decimals.
//!
//! Both find every single wrong symbol, the version included, and every swap of neighbours. Only the letters can be
//! repaired, and a repair is a proposal: half of all random strings have one.
//!
//! Nothing here makes a key: whoever issues a card brings ten random bytes.

mod check;

use std::fmt;

/// The 80 random bits behind a card.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CardKey(pub [u8; 10]);

/// Never shows a bit of it: whoever has the key has the card.
impl fmt::Debug for CardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardKey(••)")
    }
}

impl CardKey {
    /// The key in base 32: 20 upper-case letters and digits, alphanumeric mode of a QR code (version 2-H holds exactly 20).
    #[must_use]
    pub fn letters(self, programme: Programme) -> Letters {
        let mut symbols = [0; LETTERS];
        let mut slots = symbols.iter_mut();
        for (symbol, slot) in [VERSION_SYMBOL, programme.0].into_iter().zip(slots.by_ref()) {
            *slot = symbol;
        }
        let key = self.number();
        for (slot, place) in slots.zip((0..KEY_SYMBOLS).rev()) {
            let [low, ..] = (key >> place.saturating_mul(SYMBOL_BITS)).to_le_bytes();
            *slot = low & SYMBOL_MASK;
        }
        check::seal(&mut symbols);
        Letters(symbols.map(letter))
    }

    /// The key in decimals: 28 digits, an even number, so Code 128-C packs two in a symbol.
    #[must_use]
    pub fn digits(self) -> Digits {
        let mut digits = [0; DIGITS];
        let mut rest = self.number();
        let (body, tail) = digits.split_at_mut(DIGITS - CHECK_DIGITS);
        for slot in body.iter_mut().rev() {
            *slot = decimal(rest % 10);
            rest /= 10;
        }
        if let Some(version) = body.first_mut() {
            *version = VERSION_DIGIT;
        }
        let sum = check::mod_97_10(body);
        for (slot, digit) in tail.iter_mut().zip([sum / 10, sum % 10]) {
            *slot = decimal(digit.into());
        }
        Digits(digits)
    }

    fn number(self) -> u128 {
        self.0.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
    }

    fn from_number(number: u128) -> Option<Self> {
        let [_, _, _, _, _, _, key @ ..] = number.to_be_bytes();
        (number >> KEY_BITS == 0).then_some(Self(key))
    }
}

/// Which loyalty programme a base-32 code belongs to: one symbol, so that a chain's programmes, and two shops in one
/// street, do not take each other's cards for damaged ones of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Programme(u8);

impl Programme {
    /// The programme letter; `None` if it is no symbol of Crockford's base 32 (`U` is none; `I` and `L` mean 1, `O` means 0).
    #[must_use]
    pub fn new(letter: char) -> Option<Self> {
        u8::try_from(letter).ok().and_then(symbol).map(Self)
    }

    /// Its letter or digit, upper case.
    #[must_use]
    pub fn letter(self) -> char {
        char::from(letter(self.0))
    }
}

/// `C`: what a shop that configures nothing issues.
impl Default for Programme {
    fn default() -> Self {
        Self(12)
    }
}

/// A code in base 32: 20 upper-case ASCII letters and digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Letters([u8; LETTERS]);

impl Letters {
    /// The code itself. Whoever holds it holds the card: for the printer, the screen that issues it and nothing else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The code for people: `XXXXX-XXXXX-XXXXX-XXXXX`.
    #[must_use]
    pub fn reveal_grouped(&self) -> String {
        grouped(&self.0, 5, '-')
    }
}

/// Hides all of it.
impl fmt::Debug for Letters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Letters(••)")
    }
}

/// A code in decimals: 28 ASCII digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digits([u8; DIGITS]);

impl Digits {
    /// The code itself. Whoever holds it holds the card: for the printer, the screen that issues it and nothing else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The code for people: seven groups of four, with spaces.
    #[must_use]
    pub fn reveal_grouped(&self) -> String {
        grouped(&self.0, 4, ' ')
    }
}

/// Hides all of it.
impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digits(••)")
    }
}

/// What a string is, read as a card code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// One of our codes; the check holds.
    Valid(CardKey),
    /// Has the form of one of ours, but the check fails.
    Damaged {
        /// The one key that lies a single symbol away and whose version and programme are ours. Never for decimals.
        /// Only a proposal: it must be a live card, and a person must see it.
        proposal: Option<CardKey>,
        /// The version, and for letters the programme, are ours as they stand.
        prefix_ours: bool,
    },
    /// Anything else: another length, version or programme, or a decimal of 2^80 and over.
    NotOurs,
}

/// Reads `code` as a card code of programme `ours`, in either rendering.
///
/// Case does not matter, hyphens and spaces are skipped wherever they are, `I` and `L` are read as 1 and `O` as 0. One
/// symbol outside the alphabet counts as one wrong symbol.
///
/// ```
/// use fichad::domain::code::{CardKey, Parsed, Programme, parse};
/// let (key, ours) = (CardKey([7; 10]), Programme::default());
/// assert_eq!(parse(key.letters(ours).reveal_grouped().to_lowercase().as_bytes(), ours), Parsed::Valid(key));
/// assert_eq!(parse(key.digits().reveal().as_bytes(), ours), Parsed::Valid(key));
/// assert_eq!(parse(b"4006381333931", ours), Parsed::NotOurs);
/// ```
#[must_use]
pub fn parse(code: &[u8], ours: Programme) -> Parsed {
    let mut chars = [0; DIGITS];
    let mut slots = chars.iter_mut();
    for byte in code.iter().filter(|byte| !matches!(byte, b'-' | b' ')) {
        match slots.next() {
            Some(slot) => *slot = *byte,
            None => return Parsed::NotOurs,
        }
    }
    match slots.len() {
        0 => parse_digits(&chars),
        left if left == DIGITS - LETTERS => {
            chars.first_chunk().map_or(Parsed::NotOurs, |chars| parse_letters(chars, ours))
        }
        _ => Parsed::NotOurs,
    }
}

fn parse_letters(chars: &[u8; LETTERS], ours: Programme) -> Parsed {
    let mut outside = None;
    let mut symbols = [0; LETTERS];
    for (index, (slot, byte)) in symbols.iter_mut().zip(chars).enumerate() {
        match symbol(*byte) {
            Some(symbol) => *slot = symbol,
            None if byte.is_ascii_graphic() && outside.is_none() => outside = Some(index),
            None => return Parsed::NotOurs,
        }
    }
    let is_ours = |symbols: &[u8; LETTERS]| symbols.starts_with(&[VERSION_SYMBOL, ours.0]);
    let prefix_ours = is_ours(&symbols) && outside.is_none_or(|index| index >= PREFIX);
    let found = check::find(&symbols);
    let repaired = match (found, outside) {
        (check::Found::Whole, None) if prefix_ours => return Parsed::Valid(key_of(&symbols)),
        (check::Found::Whole, None) => return Parsed::NotOurs,
        (check::Found::Whole, Some(_)) => Some(symbols),
        (check::Found::One { index, error }, outside) if outside.is_none_or(|outside| outside == index) => {
            if let Some(symbol) = symbols.get_mut(index) {
                *symbol ^= error;
            }
            Some(symbols)
        }
        (check::Found::One { .. } | check::Found::More, _) => None,
    };
    let proposal = repaired.filter(is_ours).map(|symbols| key_of(&symbols));
    if proposal.is_none() && !prefix_ours {
        return Parsed::NotOurs;
    }
    Parsed::Damaged { proposal, prefix_ours }
}

fn key_of(symbols: &[u8; LETTERS]) -> CardKey {
    let body = symbols.iter().skip(PREFIX).take(KEY_SYMBOLS.try_into().unwrap_or_default());
    let number = body.fold(0u128, |number, symbol| number << SYMBOL_BITS | u128::from(*symbol));
    let [_, _, _, _, _, _, key @ ..] = number.to_be_bytes();
    CardKey(key)
}

fn parse_digits(chars: &[u8; DIGITS]) -> Parsed {
    let [version, body @ .., _, _] = chars;
    if !chars.iter().all(u8::is_ascii_digit) || *version != VERSION_DIGIT {
        return Parsed::NotOurs;
    }
    if !check::mod_97_10_holds(chars) {
        return Parsed::Damaged { proposal: None, prefix_ours: true };
    }
    let number = body.iter().fold(0u128, |number, byte| {
        number.saturating_mul(10).saturating_add(u128::from(byte.saturating_sub(b'0')))
    });
    CardKey::from_number(number).map_or(Parsed::NotOurs, Parsed::Valid)
}

fn grouped(code: &[u8], size: usize, separator: char) -> String {
    let mut text = String::with_capacity(code.len().saturating_mul(2));
    for (index, byte) in code.iter().enumerate() {
        if index > 0 && index.is_multiple_of(size) {
            text.push(separator);
        }
        text.push(char::from(*byte));
    }
    text
}

/// The symbol that a character stands for, Crockford's way.
fn symbol(byte: u8) -> Option<u8> {
    let upper = match byte.to_ascii_uppercase() {
        b'I' | b'L' => b'1',
        b'O' => b'0',
        other => other,
    };
    ALPHABET.iter().zip(0..).find(|(letter, _)| **letter == upper).map(|(_, symbol)| symbol)
}

fn letter(symbol: u8) -> u8 {
    ALPHABET.get(usize::from(symbol)).copied().unwrap_or(b'0')
}

fn decimal(digit: u128) -> u8 {
    u8::try_from(digit).unwrap_or_default().saturating_add(b'0')
}

const LETTERS: usize = 20;
const PREFIX: usize = 2;
const DIGITS: usize = 28;
const CHECK_DIGITS: usize = 2;
const KEY_SYMBOLS: u32 = 16;
const KEY_BITS: u32 = 80;
const SYMBOL_BITS: u32 = 5;
const SYMBOL_MASK: u8 = 0x1f;

/// Crockford's base 32: no I, L, O (read as 1, 1, 0) and no U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Version 1 of the letters is `F`. A letter, because the strings of 20 that a till meets are mostly digits (a pallet's
/// SSCC with its AI, a SIM card's ICCID, postal tracking numbers) and `F` begins no carrier's letter code that we know; and one that
/// stays on its key on US, German, French and Turkish keyboards.
const VERSION_SYMBOL: u8 = 15;

/// Version 1 of the decimals is `6`: no GS1 application identifier begins with 5 or 6, so no undeclared GS1 element string
/// is 28 digits with a 6 in front; parcel labels of 28 digits begin with 0 (DPD: a postcode) or 4 (USPS: AI 420).
const VERSION_DIGIT: u8 = b'6';

/// A code of another programme that leads to one of our customers; short, and not secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Alias {
    /// Which rule recognised it: `gsrn` or the name of an `[[alias]]` in the config.
    pub programme: String,
    /// The code in its normal form (no separators, no check that the pattern leaves out).
    pub code: String,
}

/// Shows the programme only.
impl fmt::Debug for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Alias({}, ••)", self.programme)
    }
}

#[cfg(test)]
mod tests;
