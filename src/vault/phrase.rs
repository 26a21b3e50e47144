//! The recovery phrase: a key that people can write down and read back.
//!
//! 160 random bits as two lines of twenty letters and digits, each line with the checks of a card code
//! ([`domain::code`](crate::domain::code)): a wrong or swapped letter is noticed in its line, `O` and `0`, `I`, `L` and
//! `1` are the same, case, spaces and hyphens do not matter. The lines name themselves by their second letter, so
//! that the second is not taken for the first. A word list would be longer to write and needs a licence.

use super::keys::{Fill, KeyError};
use crate::domain::code::{CardKey, Parsed, Programme, parse};
use std::fmt;
use zeroize::{Zeroize as _, Zeroizing};

/// Letters and digits of one line.
const LINE: usize = 20;

/// The second letter of each line.
const NAMES: [char; 2] = ['R', 'S'];

/// A recovery phrase.
pub struct Phrase(Zeroizing<[u8; 20]>);

/// Why something is no recovery phrase. Says where the mistake is, never what stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhraseError {
    /// Something is missing or too much.
    #[error("a recovery phrase has 40 letters and digits in two lines; here are {found}")]
    Length {
        /// Letters and digits found.
        found: usize,
    },
    /// A mistake in one line.
    #[error("line {line} of the recovery phrase has a mistake: compare it letter by letter")]
    Line {
        /// 1 or 2.
        line: usize,
    },
}

impl Phrase {
    /// A new one.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn new(random: Fill) -> Result<Self, KeyError> {
        let mut bits = Zeroizing::new([0; 20]);
        random(bits.as_mut_slice()).map_err(|source| KeyError::Random { source })?;
        Ok(Self(bits))
    }

    /// Reads what somebody typed. A single wrong letter in a line is mended: whether rightly, the vault tells.
    ///
    /// # Errors
    /// [`PhraseError`].
    pub fn parse(text: &str) -> Result<Self, PhraseError> {
        let letters: Zeroizing<String> =
            Zeroizing::new(text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-').collect());
        let found = letters.chars().count();
        let (Some(first), Some(second)) = (letters.get(..LINE), letters.get(LINE..)) else {
            return Err(PhraseError::Length { found });
        };
        if found != LINE.saturating_mul(2) {
            return Err(PhraseError::Length { found });
        }
        let mut bits = Zeroizing::new([0; 20]);
        let mut places = bits.iter_mut();
        for (index, (line, name)) in [first, second].into_iter().zip(NAMES).enumerate() {
            let wrong = PhraseError::Line { line: index.saturating_add(1) };
            let mut key = read(line, name).ok_or(wrong)?;
            for (byte, place) in key.0.into_iter().zip(places.by_ref()) {
                *place = byte;
            }
            key.0.zeroize();
        }
        Ok(Self(bits))
    }

    /// The phrase in two lines of four groups. For the eyes of whoever writes it down, once.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        let (first, second) = self.0.split_at(10);
        let line = |bits: &[u8], name| {
            let key = CardKey(<[u8; 10]>::try_from(bits).unwrap_or_default());
            Zeroizing::new(key.letters(programme(name)).reveal_grouped())
        };
        let [one, two] = NAMES;
        Zeroizing::new(format!("{}\n{}", *line(first, one), *line(second, two)))
    }

    pub(super) fn bits(&self) -> &[u8; 20] {
        &self.0
    }
}

/// Shows nothing of it.
impl fmt::Debug for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phrase(••)")
    }
}

fn programme(name: char) -> Programme {
    Programme::new(name).unwrap_or_default()
}

fn read(line: &str, name: char) -> Option<CardKey> {
    match parse(line.as_bytes(), programme(name)) {
        Parsed::Valid(key) | Parsed::Damaged { proposal: Some(key), .. } => Some(key),
        Parsed::Damaged { proposal: None, .. } | Parsed::NotOurs => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::os_random;
    use super::*;

    #[test]
    fn it_is_read_back_however_it_is_written() {
        let phrase = Phrase::new(os_random).unwrap();
        let shown = phrase.reveal();
        assert_eq!(shown.len(), 23 + 1 + 23);
        let sloppy = shown.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        for text in [shown.as_str(), &sloppy, &shown.replace(['-', '\n'], "")] {
            assert_eq!(Phrase::parse(text).unwrap().0, phrase.0);
        }
        assert_eq!(format!("{phrase:?}"), "Phrase(••)");
    }

    #[test]
    fn a_mistake_is_placed_in_its_line() {
        let shown = Phrase(Zeroizing::new([0x5a; 20])).reveal().replace(['-', '\n'], "");
        let (first, second) = shown.split_at(LINE);
        assert_eq!(Phrase::parse(&format!("{second}{first}")).unwrap_err(), PhraseError::Line { line: 1 });
        assert_eq!(Phrase::parse(&format!("{first}{first}")).unwrap_err(), PhraseError::Line { line: 2 });
        assert_eq!(Phrase::parse(first).unwrap_err(), PhraseError::Length { found: 20 });
        assert_eq!(Phrase::parse(&format!("{shown}X")).unwrap_err(), PhraseError::Length { found: 41 });
        assert_eq!(Phrase::parse("").unwrap_err(), PhraseError::Length { found: 0 });
        Phrase::parse(&"ñ".repeat(40)).unwrap_err();
        // One wrong letter is mended; of two there is no telling.
        let wrong = |places: &[usize]| {
            let mut letters: Vec<char> = shown.chars().collect();
            for place in places {
                letters[*place] = if letters[*place] == '7' { '8' } else { '7' };
            }
            Phrase::parse(&letters.into_iter().collect::<String>())
        };
        assert_eq!(*wrong(&[30]).unwrap().0, [0x5a; 20]);
        assert!(wrong(&[25, 30]).is_err() || *wrong(&[25, 30]).unwrap().0 != [0x5a; 20]);
    }
}
