//! One-byte code pages that receipt printers know: text to bytes and back.
//!
//! Never replaces a character by another: a text that does not fit is refused whole, because a
//! wrong name on a card is worse than none.

use encoding_rs::WINDOWS_1252;
use oem_cp::{OEMCPHashMap, code_table as table};
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// A one-byte code page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodePage {
    /// IBM PC, United States: the power-on page of most printers.
    Cp437,
    /// Western Europe.
    Cp850,
    /// Central Europe.
    Cp852,
    /// Cp850 with the euro sign.
    Cp858,
    /// Cyrillic.
    Cp866,
    /// Windows Western Europe.
    Cp1252,
}

impl CodePage {
    /// Every page with the word that a config uses for it.
    pub const WORDS: [(&'static str, Self); 6] = [
        ("cp437", Self::Cp437),
        ("cp850", Self::Cp850),
        ("cp852", Self::Cp852),
        ("cp858", Self::Cp858),
        ("cp866", Self::Cp866),
        ("cp1252", Self::Cp1252),
    ];

    /// The number that `ESC t` has for this page on Epson printers; other makers count differently,
    /// so a profile can name its own.
    ///
    /// Source: Epson ESC/POS Command Reference, "ESC t".
    #[must_use]
    pub fn epson_number(self) -> u8 {
        match self {
            Self::Cp437 => 0,
            Self::Cp850 => 2,
            Self::Cp852 => 18,
            Self::Cp858 => 19,
            Self::Cp866 => 17,
            Self::Cp1252 => 16,
        }
    }

    /// The page that Epson's `ESC t number` selects, if it is one of ours.
    #[must_use]
    pub fn from_epson_number(number: u8) -> Option<Self> {
        Self::WORDS.into_iter().map(|(_, page)| page).find(|page| page.epson_number() == number)
    }

    fn oem(self) -> Option<(&'static OEMCPHashMap<char, u8>, &'static [char; 128])> {
        match self {
            Self::Cp437 => Some((&table::ENCODING_TABLE_CP437, &table::DECODING_TABLE_CP437)),
            Self::Cp850 => Some((&table::ENCODING_TABLE_CP850, &table::DECODING_TABLE_CP850)),
            Self::Cp852 => Some((&table::ENCODING_TABLE_CP852, &table::DECODING_TABLE_CP852)),
            Self::Cp858 => Some((&table::ENCODING_TABLE_CP858, &table::DECODING_TABLE_CP858)),
            Self::Cp866 => Some((&table::ENCODING_TABLE_CP866, &table::DECODING_TABLE_CP866)),
            Self::Cp1252 => None,
        }
    }

    /// The bytes of `text`, or `None` if one of its characters is not on this page.
    #[must_use]
    pub fn encode(self, text: &str) -> Option<Vec<u8>> {
        match self.oem() {
            Some((encode, _)) => oem_cp::encode_string_checked(text, encode),
            None => {
                let (bytes, _, unmappable) = WINDOWS_1252.encode(text);
                (!unmappable).then(|| bytes.into_owned())
            }
        }
    }

    /// The text of `bytes`; the way a printer with this page selected shows them.
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> String {
        match self.oem() {
            Some((_, decode)) => oem_cp::decode_string_complete_table(bytes, decode),
            None => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
        }
    }
}

impl fmt::Display for CodePage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.into_iter().find(|(_, page)| page == self).map_or("", |(word, _)| word);
        f.write_str(word)
    }
}

/// Makes `text` fit for a printer: composed (NFC), control characters out, runs of white space one space.
///
/// The result has no byte below 20h and no DEL, so nothing in it can be a command.
#[must_use]
pub fn clean(text: &str) -> String {
    let spaced: String = text.nfc().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The printable bytes of `text` on `page` (plain ASCII without one), or `None` if it does not fit or nothing is left.
#[must_use]
pub fn printable(text: &str, page: Option<CodePage>) -> Option<Vec<u8>> {
    let text = clean(text);
    let bytes = match page {
        Some(page) => page.encode(&text)?,
        None => text.is_ascii().then(|| text.into_bytes())?,
    };
    let printable = !bytes.is_empty() && bytes.iter().all(|byte| *byte >= 0x20 && *byte != 0x7f);
    printable.then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_differ_where_they_should() {
        assert_eq!(CodePage::Cp437.encode("é"), Some(vec![0x82]));
        assert_eq!(CodePage::Cp858.encode("€"), Some(vec![0xd5]));
        assert_eq!(CodePage::Cp850.encode("€"), None);
        assert_eq!(CodePage::Cp1252.encode("€é"), Some(vec![0x80, 0xe9]));
        assert_eq!(CodePage::Cp866.encode("Ж"), Some(vec![0x86]));
        assert_eq!(CodePage::Cp1252.encode("王"), None);
    }

    #[test]
    fn a_name_is_composed_and_cleaned() {
        assert_eq!(
            printable("Jose\u{301} \t Núñez\u{1b}@", Some(CodePage::Cp850)),
            Some({
                let mut want = b"Jos".to_vec();
                want.extend([0x82, b' ', b'N', 0xa3, 0xa4, b'e', b'z', b' ', b'@']);
                want
            })
        );
        assert_eq!(printable("José", None), None);
        assert_eq!(printable("\u{7}\u{1b}\r\n", None), None);
        assert_eq!(printable("Ana\u{7f}\u{9b}M", None), Some(b"Ana M".to_vec()));
    }
}
