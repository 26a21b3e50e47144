//! What kind of bar code it was: AIM symbology identifiers, and the words a POS knows for them.
//!
//! An AIM identifier (ISO/IEC 15424) is `]`, a letter for the symbology and a modifier. A reader sends it in front of the
//! data or beside it, or not at all; then nothing is known, and nothing is guessed here.

/// An AIM identifier as read: `]`, code letter, modifier.
pub type Aim = [u8; 3];

/// A symbology as far as the reader told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symbology {
    /// Our word for it, the one that `[[alias]] symbology` takes.
    pub name: &'static str,
    /// The `ScanDataType` of UnifiedPOS 1.15, `SCAN_SDT_OTHER` where that has no word for it.
    pub scan_data_type: &'static str,
    /// The data is a GS1 number (EAN, UPC, ITF-14) or GS1 element strings: an article, an asset, a member; never a payment card.
    pub gs1: bool,
}

const UNKNOWN: Symbology = Symbology { name: "unknown", scan_data_type: "SCAN_SDT_UNKNOWN", gs1: false };

/// Takes an AIM identifier off the front of `data`; only one whose letter is assigned, as data may begin with `]` itself.
#[must_use]
pub fn split(data: &[u8]) -> (Option<Aim>, &[u8]) {
    match data.split_first_chunk() {
        Some((aim, rest)) if is_aim(aim) => (Some(*aim), rest),
        _ => (None, data),
    }
}

/// Whether these three bytes are an AIM identifier.
#[must_use]
pub fn is_aim(aim: &Aim) -> bool {
    let [bracket, letter, modifier] = aim;
    *bracket == b']' && LETTERS.contains(letter) && modifier.is_ascii_alphanumeric()
}

/// The symbology that `aim` names. `data` (without it) tells EAN-13 from UPC-A and UPC-E, which share `]E0`.
#[must_use]
pub fn of(aim: Option<Aim>, data: &[u8]) -> Symbology {
    let Some([_, letter, modifier]) = aim else { return UNKNOWN };
    let retail = |name, scan_data_type| Symbology { name, scan_data_type, gs1: true };
    match (letter, modifier) {
        (b'E', b'0') => match data.len() {
            12 => retail("upca", "SCAN_SDT_UPCA"),
            6..=8 => retail("upce", "SCAN_SDT_UPCE"),
            _ => retail("ean13", "SCAN_SDT_EAN13"),
        },
        (b'E', b'3') => retail("ean13", "SCAN_SDT_EAN13_S"),
        (b'E', b'4') => retail("ean8", "SCAN_SDT_EAN8"),
        (b'E', _) => retail("ean_addon", "SCAN_SDT_OTHER"),
        (b'I', _) if data.len() == 14 => retail("itf14", "SCAN_SDT_ITF"),
        (letter, modifier) => {
            let rows = TABLE.iter().filter(|row| row.letter == letter);
            let row = rows.clone().find(|row| row.modifiers.contains(&modifier));
            row.or_else(|| rows.clone().find(|row| row.modifiers.is_empty())).map_or(UNKNOWN, |row| row.is)
        }
    }
}

/// Whether `name` is a symbology that [`of`] can give; for checking a config.
#[must_use]
pub fn is_name(name: &str) -> bool {
    EAN_NAMES.contains(&name) || TABLE.iter().any(|row| row.is.name == name)
}

const EAN_NAMES: [&str; 6] = ["ean13", "upca", "upce", "ean8", "ean_addon", "itf14"];

/// Every code letter that ISO/IEC 15424 assigns to a symbology.
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUXZcdeghmopstz";

struct Row {
    letter: u8,
    /// Modifiers that this row is for; empty for all that no other row names.
    modifiers: &'static [u8],
    is: Symbology,
}

const fn row(letter: u8, modifiers: &'static [u8], name: &'static str, scan_data_type: &'static str) -> Row {
    Row { letter, modifiers, is: Symbology { name, scan_data_type, gs1: false } }
}

const fn gs1(letter: u8, modifiers: &'static [u8], name: &'static str, scan_data_type: &'static str) -> Row {
    Row { letter, modifiers, is: Symbology { name, scan_data_type, gs1: true } }
}

/// Letters and modifiers by ISO/IEC 15424 and the GS1 General Specifications (figure "Symbology identifiers"); words by
/// UnifiedPOS 1.15, chapter Scanner, `ScanDataType`.
const TABLE: &[Row] = &[
    row(b'A', b"", "code39", "SCAN_SDT_Code39"),
    row(b'B', b"", "telepen", "SCAN_SDT_TELEPEN"),
    gs1(b'C', b"1", "gs1_128", "SCAN_SDT_EAN128"),
    row(b'C', b"4", "isbt128", "SCAN_SDT_ISBT128"),
    row(b'C', b"", "code128", "SCAN_SDT_Code128"),
    row(b'D', b"", "code_one", "SCAN_SDT_OTHER"),
    row(b'F', b"", "codabar", "SCAN_SDT_Codabar"),
    row(b'G', b"", "code93", "SCAN_SDT_Code93"),
    row(b'H', b"", "code11", "SCAN_SDT_Code11"),
    row(b'I', b"1", "itf", "SCAN_SDT_ITF_CK"),
    row(b'I', b"", "itf", "SCAN_SDT_ITF"),
    gs1(b'J', b"1", "gs1_dotcode", "SCAN_SDT_OTHER"),
    row(b'J', b"", "dotcode", "SCAN_SDT_OTHER"),
    row(b'K', b"", "code16k", "SCAN_SDT_Code16k"),
    row(b'L', b"", "pdf417", "SCAN_SDT_PDF417"),
    row(b'M', b"", "msi", "SCAN_SDT_MSI"),
    row(b'N', b"", "anker", "SCAN_SDT_OTHER"),
    row(b'O', b"", "codablock", "SCAN_SDT_CodablockF"),
    row(b'P', b"", "plessey", "SCAN_SDT_PLESSEY"),
    gs1(b'Q', b"3", "gs1_qr", "SCAN_SDT_GS1QRCODE"),
    row(b'Q', b"", "qr", "SCAN_SDT_QRCODE"),
    row(b'R', b"", "standard2of5", "SCAN_SDT_TF"),
    row(b'S', b"", "standard2of5", "SCAN_SDT_TF"),
    row(b'T', b"", "code49", "SCAN_SDT_Code49"),
    row(b'U', b"", "maxicode", "SCAN_SDT_MAXICODE"),
    row(b'X', b"", "other", "SCAN_SDT_OTHER"),
    row(b'Z', b"", "no_bar_code", "SCAN_SDT_OTHER"),
    row(b'c', b"", "channel", "SCAN_SDT_OTHER"),
    gs1(b'd', b"2", "gs1_datamatrix", "SCAN_SDT_GS1DATAMATRIX"),
    row(b'd', b"", "datamatrix", "SCAN_SDT_DATAMATRIX"),
    gs1(b'e', b"0", "gs1_databar", "SCAN_SDT_GS1DATABAR"),
    gs1(b'e', b"", "gs1_composite", "SCAN_SDT_OTHER"),
    row(b'g', b"", "grid_matrix", "SCAN_SDT_OTHER"),
    row(b'h', b"", "han_xin", "SCAN_SDT_HANXIN"),
    row(b'm', b"", "matrix", "SCAN_SDT_OTHER"),
    row(b'o', b"1", "ocr_a", "SCAN_SDT_OCRA"),
    row(b'o', b"2", "ocr_b", "SCAN_SDT_OCRB"),
    row(b'o', b"", "ocr", "SCAN_SDT_OTHER"),
    row(b'p', b"", "posicode", "SCAN_SDT_OTHER"),
    row(b's', b"", "supercode", "SCAN_SDT_OTHER"),
    row(b't', b"", "ti_code", "SCAN_SDT_OTHER"),
    row(b'z', b"", "aztec", "SCAN_SDT_AZTEC"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(data: &[u8], name: &str, scan_data_type: &str, gs1: bool, rest: &[u8]) {
        let (aim, got) = split(data);
        let is = of(aim, got);
        assert_eq!((is.name, is.scan_data_type, is.gs1, got), (name, scan_data_type, gs1, rest));
    }

    #[test]
    fn identifiers_are_stripped_and_named() {
        check(b"]E04006381333931", "ean13", "SCAN_SDT_EAN13", true, b"4006381333931");
        check(b"]E0036000291452", "upca", "SCAN_SDT_UPCA", true, b"036000291452");
        check(b"]E440170725", "ean8", "SCAN_SDT_EAN8", true, b"40170725");
        check(b"]E3977123456700312", "ean13", "SCAN_SDT_EAN13_S", true, b"977123456700312");
        check(b"]I115400141288763", "itf14", "SCAN_SDT_ITF", true, b"15400141288763");
        check(b"]I1123456", "itf", "SCAN_SDT_ITF_CK", false, b"123456");
        check(b"]C18018", "gs1_128", "SCAN_SDT_EAN128", true, b"8018");
        check(b"]C0ABC", "code128", "SCAN_SDT_Code128", false, b"ABC");
        check(b"]Q38018", "gs1_qr", "SCAN_SDT_GS1QRCODE", true, b"8018");
        check(b"]Q1x", "qr", "SCAN_SDT_QRCODE", false, b"x");
        check(b"]d2x", "gs1_datamatrix", "SCAN_SDT_GS1DATAMATRIX", true, b"x");
        check(b"]J1x", "gs1_dotcode", "SCAN_SDT_OTHER", true, b"x");
        check(b"]X0x", "other", "SCAN_SDT_OTHER", false, b"x");
    }

    #[test]
    fn what_is_no_identifier_stays() {
        for data in [&b"]"[..], b"]E", b"]y0abc", b"]E-abc", b"[E0abc", b"4006381333931", b""] {
            check(data, "unknown", "SCAN_SDT_UNKNOWN", false, data);
        }
    }

    #[test]
    fn the_table_has_every_letter_once_without_modifier() {
        for letter in LETTERS.iter().filter(|letter| **letter != b'E') {
            let general = TABLE.iter().filter(|row| row.letter == *letter && row.modifiers.is_empty());
            assert_eq!(general.count(), 1, "{}", char::from(*letter));
        }
        assert!(TABLE.iter().all(|row| LETTERS.contains(&row.letter)));
        assert!(is_name("gs1_qr") && is_name("itf14") && !is_name("qrcode"));
    }
}
