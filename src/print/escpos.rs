//! ESC/POS: commands as bytes. Pure functions; nothing here knows a card or a port.
//!
//! Written here rather than taken from a crate: what is needed is a dozen commands, and each has a
//! rule that a general library does not keep (see [`raster`] and [`code128_c`]).
//!
//! Invariant: nothing but [`ask`] gives the bytes `10 04`, `10 05` or `10 14`. A printer looks for these
//! real-time commands (`DLE EOT`, `DLE ENQ`, `DLE DC4`) in everything it receives, inside pictures too, and a
//! stray one makes it answer, recover, or open the cash drawer.
//! Source: Epson ESC/POS Command Reference, "Real-time commands", and the TM-T88III specification.

use super::code128;
use super::raster::Bitmap;

/// Rows in one `GS v 0`. Small, because printers with a 4 KiB receive buffer print garbage behind a
/// picture larger than it; 24 rows of the widest paper are 3 KiB.
pub const SLICE_ROWS: usize = 24;

/// The most bytes `GS ( k` function 180 takes. Source: Epson ESC/POS Command Reference, QR code: 7,089 digits in 7,092.
pub const QR_DATA_BYTES_MAX: usize = 7_089;

/// Why something cannot be said in ESC/POS. Never shows the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A parameter outside what its byte or command can hold.
    #[error("`{what}` is outside what the command can carry")]
    Range {
        /// The parameter.
        what: &'static str,
    },
    /// The data would hold a real-time command; draw it instead.
    #[error("the data would hold a real-time command")]
    RealTime,
    /// Not an even number of digits.
    #[error(transparent)]
    Digits(#[from] code128::NotDigitPairs),
}

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    /// At the left edge.
    #[default]
    Left,
    /// In the middle.
    Centre,
    /// At the right edge.
    Right,
}

/// Encodes the start of a job: `ESC @`, `FS .`, `GS a 14`.
///
/// `ESC @` resets modes and empties the line buffer. It also goes back to the power-on character mode, which on Chinese-market
/// printers is Kanji mode, where é and Ж print as Hanzi: `FS .` leaves it. Whether it ends automatic
/// status is not documented alike for all, so `GS a` asks for it anew: on/off-line, errors, paper (bits 1 to 3).
/// Source: Epson ESC/POS Command Reference, "ESC @", "FS .", "GS a"; Kanji mode: python-escpos issue 678.
///
/// ```
/// assert_eq!(fichad::print::escpos::init(), [0x1b, b'@', 0x1c, b'.', 0x1d, b'a', 14]);
/// ```
#[must_use]
pub fn init() -> [u8; 7] {
    [0x1b, b'@', 0x1c, b'.', 0x1d, b'a', 0x0e]
}

/// Encodes the end of a conversation: automatic status off, modes back to the printer's own, line buffer empty.
#[must_use]
pub fn part() -> [u8; 5] {
    [0x1d, b'a', 0, 0x1b, b'@']
}

/// Encodes `ESC a n`. Source: Epson ESC/POS Command Reference, "ESC a"; only at the start of a line.
#[must_use]
pub fn align(align: Align) -> [u8; 3] {
    let n = match align {
        Align::Left => 0,
        Align::Centre => 1,
        Align::Right => 2,
    };
    [0x1b, b'a', n]
}

/// Encodes `ESC E n`, emphasised print.
#[must_use]
pub fn bold(on: bool) -> [u8; 3] {
    [0x1b, b'E', u8::from(on)]
}

/// Encodes `GS ! n`: characters `wide` times as wide and `high` times as high, 1 to 8 each.
///
/// # Errors
/// [`EncodeError::Range`].
pub fn size(wide: u8, high: u8) -> Result<[u8; 3], EncodeError> {
    let nibble = |times: u8, what| match times {
        1..=8 => Ok(times.wrapping_sub(1)),
        _ => Err(EncodeError::Range { what }),
    };
    Ok([0x1d, b'!', nibble(wide, "wide")?.wrapping_shl(4) | nibble(high, "high")?])
}

/// Encodes `ESC t n`: the code page with the printer's own number `n`.
#[must_use]
pub fn code_page(n: u8) -> [u8; 3] {
    [0x1b, b't', n]
}

/// Encodes `ESC d n`: print the line buffer and feed `lines` lines.
#[must_use]
pub fn feed(lines: u8) -> [u8; 3] {
    [0x1b, b'd', lines]
}

/// Encodes `GS V 66 n`: feed to the cutter and `n` vertical motion units more, then cut.
///
/// Function B feeds the distance from head to cutter by itself; `GS V 0` would cut through the card.
/// Source: Epson ESC/POS Command Reference, "GS V".
#[must_use]
pub fn cut(n: u8) -> [u8; 4] {
    [0x1d, b'V', 66, n]
}

/// The parts of `GS ( k` for QR (`cn` 49). Source: Epson ESC/POS Command Reference, "GS ( k", functions 165 to 182.
fn qr(function: u8, data: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let length =
        u16::try_from(data.len().saturating_add(2)).map_err(|_| EncodeError::Range { what: "data" })?;
    let [low, high] = length.to_le_bytes();
    let mut bytes = vec![0x1d, b'(', b'k', low, high, 49, function];
    bytes.extend(data);
    Ok(bytes)
}

/// Encodes functions 165, 167, 169 and 180: model 2, `module` dots a module (1 to 16), level H, and the data.
///
/// Nothing prints yet; the settings and the data stay until `ESC @`. The printer chooses mode and version.
///
/// # Errors
/// [`EncodeError::Range`].
pub fn qr_store(data: &[u8], module: u16) -> Result<Vec<u8>, EncodeError> {
    let module = u8::try_from(module).ok().filter(|module| (1..=16).contains(module));
    let module = module.ok_or(EncodeError::Range { what: "module" })?;
    if data.is_empty() || data.len() > QR_DATA_BYTES_MAX {
        return Err(EncodeError::Range { what: "data" });
    }
    let mut stored = vec![b'0'];
    stored.extend(data);
    refuse_real_time(&stored)?;
    Ok([qr(65, &[50, 0])?, qr(67, &[module])?, qr(69, &[51])?, qr(80, &stored)?].concat())
}

/// Encodes function 181: print the stored symbol, at the start of a line. Prints nothing if it does not fit.
#[must_use]
pub fn qr_print() -> [u8; 8] {
    [0x1d, b'(', b'k', 3, 0, 49, 81, 48]
}

/// Encodes function 182: tell the stored symbol's size, and whether it can be printed.
#[must_use]
pub fn qr_size() -> [u8; 8] {
    [0x1d, b'(', b'k', 3, 0, 49, 82, 48]
}

/// Encodes `GS v 0`, in slices of [`SLICE_ROWS`], at the current position.
///
/// Called obsolete by its maker, and the picture command that every clone knows.
/// Real-time commands: where a byte 10h stands before 04h, 05h or 14h it is sent as 18h, one dot wider. 10h is one single black dot, so no
/// symbol of modules two dots wide or more has one, and no bar or module is ever changed.
/// Source: Epson ESC/POS Command Reference, "GS v 0".
///
/// # Errors
/// [`EncodeError::Range`] for a picture without dots.
pub fn raster(bitmap: &Bitmap) -> Result<Vec<u8>, EncodeError> {
    if bitmap.width() == 0 || bitmap.height() == 0 {
        return Err(EncodeError::Range { what: "size" });
    }
    let [width_low, width_high] = bitmap.row_bytes().to_le_bytes();
    let rows: Vec<&[u8]> = bitmap.rows().collect();
    let mut bytes = Vec::new();
    for slice in rows.chunks(SLICE_ROWS) {
        let [rows_low, rows_high] = u16::try_from(slice.len()).unwrap_or(0).to_le_bytes();
        bytes.extend([0x1d, b'v', b'0', 0, width_low, width_high, rows_low, rows_high]);
        let mut data = slice.concat();
        let following: Vec<u8> = data.iter().skip(1).copied().collect();
        for (byte, next) in data.iter_mut().zip(following) {
            if *byte == 0x10 && matches!(next, 0x04 | 0x05 | 0x14) {
                *byte = 0x18;
            }
        }
        bytes.extend(data);
    }
    Ok(bytes)
}

/// Encodes `GS k 73`: Code 128 in code set C, `module` dots a module (2 to 6), `height` dots (1 to 255), no text below.
///
/// The pairs travel as bytes, so the digits `1604`, `1605` and `1620` at an even place would be real-time commands.
/// Source: Epson ESC/POS Command Reference, "GS h", "GS w", "GS H", "GS k" function B.
///
/// # Errors
/// [`EncodeError::RealTime`] for such digits: draw the bars; [`EncodeError::Digits`], [`EncodeError::Range`].
pub fn code128_c(digits: &str, module: u16, height: u16) -> Result<Vec<u8>, EncodeError> {
    let fit = |value: u16, range: std::ops::RangeInclusive<u8>, what| {
        u8::try_from(value).ok().filter(|value| range.contains(value)).ok_or(EncodeError::Range { what })
    };
    let (module, height) = (fit(module, 2..=6, "module")?, fit(height, 1..=255, "height")?);
    let pairs = code128::pairs(digits)?;
    refuse_real_time(&pairs)?;
    let length =
        u8::try_from(pairs.len().saturating_add(2)).map_err(|_| EncodeError::Range { what: "digits" })?;
    let mut bytes =
        vec![0x1d, b'h', height, 0x1d, b'w', module, 0x1d, b'H', 0, 0x1d, b'k', 73, length, b'{', b'C'];
    bytes.extend(pairs);
    Ok(bytes)
}

/// Whether `bytes` hold a real-time command: `DLE EOT`, `DLE ENQ` or `DLE DC4`.
#[must_use]
pub fn has_real_time(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| matches!(pair, [0x10, 0x04 | 0x05 | 0x14]))
}

fn refuse_real_time(bytes: &[u8]) -> Result<(), EncodeError> {
    if has_real_time(bytes) { Err(EncodeError::RealTime) } else { Ok(()) }
}

/// What `DLE EOT n` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// `n` = 1: on or off line.
    Printer,
    /// `n` = 2: why it is off line.
    Offline,
    /// `n` = 4: the paper sensors.
    Paper,
}

/// Encodes `DLE EOT n`: answered at once, also when off line or busy. Only between commands: inside one it
/// would be taken as data as well.
/// Source: Epson ESC/POS Command Reference, "DLE EOT".
#[must_use]
pub fn ask(what: Ask) -> [u8; 3] {
    let n = match what {
        Ask::Printer => 1,
        Ask::Offline => 2,
        Ask::Paper => 4,
    };
    [0x10, 0x04, n]
}

/// Encodes `GS r 1`: send the paper sensors' state, once everything before has been processed.
#[must_use]
pub fn sensor() -> [u8; 3] {
    [0x1d, b'r', 1]
}

/// Encodes `GS ( H` function 48: send `token` back once everything before has been *printed*.
///
/// Source: Epson, "GS ( H" fn 48 (TM-T20 to T88VII, m10 to m50, T70, T90, U220; not TM-T88III).
///
/// # Errors
/// [`EncodeError::Range`] if the token is not four bytes from 20h to 7Eh.
pub fn process_id(token: [u8; 4]) -> Result<[u8; 11], EncodeError> {
    if !token.iter().all(|byte| (0x20..=0x7e).contains(byte)) {
        return Err(EncodeError::Range { what: "token" });
    }
    let [a, b, c, d] = token;
    Ok([0x1d, b'(', b'H', 6, 0, 48, 48, a, b, c, d])
}

/// Encodes `GS I n`: who made the printer (66) or its model (67), answered as a block.
#[must_use]
pub fn identify(n: u8) -> [u8; 3] {
    [0x1d, b'I', n]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qr_bytes_as_in_the_reference() {
        let want = [
            &[0x1d, 0x28, 0x6b, 4, 0, 0x31, 0x41, 0x32, 0][..],
            &[0x1d, 0x28, 0x6b, 3, 0, 0x31, 0x43, 6],
            &[0x1d, 0x28, 0x6b, 3, 0, 0x31, 0x45, 0x33],
            &[0x1d, 0x28, 0x6b, 5, 0, 0x31, 0x50, 0x30, b'A', b'B'],
        ];
        assert_eq!(qr_store(b"AB", 6), Ok(want.concat()));
        assert!(qr_store(b"AB", 17).is_err());
        assert!(qr_store(b"", 6).is_err());
        assert_eq!(qr_store(&[0x10, 0x14], 6), Err(EncodeError::RealTime));
    }

    #[test]
    fn slices_and_real_time_bytes() {
        let mut data = vec![0; 50];
        for (at, byte) in [(0, 0x10), (1, 0x04), (2, 0x10), (3, 0x11), (5, 0x10), (6, 0x14)] {
            data[at] = byte;
        }
        let bytes = raster(&Bitmap::from_rows(2, 25, &data)).unwrap();
        assert!(!has_real_time(&bytes));
        assert_eq!(bytes[..16], [0x1d, b'v', b'0', 0, 2, 0, 24, 0, 0x18, 4, 0x10, 0x11, 0, 0x18, 0x14, 0]);
        assert_eq!(bytes[56..], [0x1d, b'v', b'0', 0, 2, 0, 1, 0, 0, 0]);
    }

    #[test]
    fn code_128_never_hides_a_command() {
        assert_eq!(code128_c("1604", 2, 80), Err(EncodeError::RealTime));
        assert_eq!(
            code128_c("0160", 2, 80).map(|bytes| bytes[9..].to_vec()),
            Ok(vec![0x1d, b'k', 73, 4, b'{', b'C', 1, 60])
        );
        assert!(code128_c("0160", 1, 80).is_err());
    }

    #[test]
    fn limits() {
        assert_eq!(size(2, 3), Ok([0x1d, b'!', 0x12]));
        assert!(size(0, 1).is_err() && size(1, 9).is_err());
        assert!(process_id([0x1f, 0x20, 0x20, 0x20]).is_err());
    }
}
