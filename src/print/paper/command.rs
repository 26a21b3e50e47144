//! Finds the next ESC/POS command at the head of what a printer has received.
//!
//! Splits only; what a command does is its parent's matter. Source: Epson ESC/POS Command Reference.

use super::{BUFFER_BYTES_MAX, Model};

/// One command, its parameters taken apart.
#[derive(Debug)]
pub(super) enum Command<'a> {
    Nothing,
    RealTime,
    Text(&'a [u8]),
    LineFeed,
    Init,
    Kanji(bool),
    Auto(u8),
    Align(u8),
    Bold(bool),
    Size { wide: u16, high: u16 },
    CodePage(u8),
    Feed(u8),
    FeedDots(u8),
    Qr(u8, &'a [u8]),
    Raster { row_bytes: u16, rows: u16, data: &'a [u8] },
    BarHeight(u8),
    BarModule(u8),
    Bars(&'a [u8]),
    Cut,
    Sensor,
    ProcessId([u8; 4]),
    Identify(u8),
    Unknown(String),
}

/// What stands at the head.
#[derive(Debug)]
pub(super) enum Next<'a> {
    /// The command is not complete.
    More,
    /// A command of so many bytes.
    Take(usize, Command<'a>),
}

/// The command at the head of `bytes`.
pub(super) fn next<'a>(bytes: &'a [u8], model: &Model) -> Next<'a> {
    use Command as C;
    match *bytes {
        [] | [0x10 | 0x1b | 0x1c | 0x1d] => Next::More,
        [b'\n', ..] => Next::Take(1, C::LineFeed),
        [0x10, 0x04 | 0x05, ..] => exact(bytes, 3, |_| C::RealTime),
        [0x10, 0x14, ..] => exact(bytes, 5, |_| C::RealTime),
        [0x1b, command, ..] => escape(bytes, command),
        [0x1c, command, ..] => Next::Take(
            2,
            match command {
                b'.' => C::Kanji(false),
                b'&' => C::Kanji(true),
                _ => unknown("FS", command),
            },
        ),
        [0x1d, b'(', ..] => extended(bytes, model),
        [0x1d, command, ..] => group(bytes, command),
        [byte, ..] if is_text(byte) => {
            let length = bytes.iter().take_while(|byte| is_text(**byte)).count();
            Next::Take(length, C::Text(bytes.get(..length).unwrap_or_default()))
        }
        [0x00 | b'\r', ..] => Next::Take(1, C::Nothing),
        [byte, ..] => Next::Take(1, C::Unknown(format!("{byte:02X}h"))),
    }
}

fn is_text(byte: u8) -> bool {
    byte >= 0x20 && byte != 0x7f
}

fn unknown(prefix: &str, command: u8) -> Command<'static> {
    let shown = char::from(command);
    let name = if shown.is_ascii_graphic() {
        format!("{prefix} {shown}")
    } else {
        format!("{prefix} {command:02X}h")
    };
    Command::Unknown(name)
}

/// A command of `length` bytes whose last one is its parameter.
fn exact<'a>(bytes: &'a [u8], length: usize, make: impl FnOnce(u8) -> Command<'a>) -> Next<'a> {
    match bytes.get(length.saturating_sub(1)) {
        Some(parameter) => Next::Take(length, make(*parameter)),
        None => Next::More,
    }
}

fn escape(bytes: &[u8], command: u8) -> Next<'_> {
    use Command as C;
    match command {
        b'@' => Next::Take(2, C::Init),
        b'a' => exact(bytes, 3, |n| match n {
            0..=2 => C::Align(n),
            48..=50 => C::Align(n.wrapping_sub(48)),
            _ => C::Unknown("ESC a parameter".to_owned()),
        }),
        b'E' => exact(bytes, 3, |n| C::Bold(n & 1 != 0)),
        b't' => exact(bytes, 3, C::CodePage),
        b'd' => exact(bytes, 3, C::Feed),
        b'J' => exact(bytes, 3, C::FeedDots),
        _ => Next::Take(2, unknown("ESC", command)),
    }
}

fn group(bytes: &[u8], command: u8) -> Next<'_> {
    use Command as C;
    match command {
        b'a' => exact(bytes, 3, C::Auto),
        b'!' => exact(bytes, 3, |n| C::Size {
            wide: u16::from(n.wrapping_shr(4) & 7).saturating_add(1),
            high: u16::from(n & 7).saturating_add(1),
        }),
        b'h' => exact(bytes, 3, C::BarHeight),
        b'w' => exact(bytes, 3, C::BarModule),
        b'H' => exact(bytes, 3, |n| match n {
            0 | 48 => C::Nothing,
            _ => C::Unknown("GS H with text".to_owned()),
        }),
        b'I' => exact(bytes, 3, C::Identify),
        b'r' => exact(bytes, 3, |n| match n {
            1 | 49 => C::Sensor,
            _ => C::Unknown("GS r parameter".to_owned()),
        }),
        b'V' => match bytes.get(2) {
            None => Next::More,
            Some(0 | 1 | 48 | 49) => Next::Take(3, C::Cut),
            Some(65 | 66) => exact(bytes, 4, |_| C::Cut),
            Some(_) => Next::Take(3, C::Unknown("GS V parameter".to_owned())),
        },
        b'k' => bars(bytes),
        b'v' => raster(bytes),
        _ => Next::Take(2, unknown("GS", command)),
    }
}

/// `GS k 73 n data`; the other symbologies are unknown here.
fn bars(bytes: &[u8]) -> Next<'_> {
    match bytes.get(2) {
        None => Next::More,
        Some(73) => match bytes.get(3).map(|length| bytes.get(4..usize::from(*length).saturating_add(4))) {
            Some(Some(data)) => Next::Take(data.len().saturating_add(4), Command::Bars(data)),
            Some(None) | None => Next::More,
        },
        Some(_) => Next::Take(3, Command::Unknown("GS k symbology".to_owned())),
    }
}

/// `GS v 0 m xL xH yL yH data`.
fn raster(bytes: &[u8]) -> Next<'_> {
    let Some([_, _, kind, mode, x_low, x_high, y_low, y_high]) = bytes.first_chunk::<8>() else {
        return Next::More;
    };
    let (row_bytes, rows) = (u16::from_le_bytes([*x_low, *x_high]), u16::from_le_bytes([*y_low, *y_high]));
    let size = usize::from(row_bytes).saturating_mul(usize::from(rows));
    let too_large = size.saturating_add(8) > BUFFER_BYTES_MAX || row_bytes > 8_191;
    if *kind != b'0' || !matches!(mode, 0 | 48) || size == 0 || too_large {
        return Next::Take(8, Command::Unknown("GS v 0 parameter".to_owned()));
    }
    match bytes.get(8..size.saturating_add(8)) {
        Some(data) => Next::Take(size.saturating_add(8), Command::Raster { row_bytes, rows, data }),
        None => Next::More,
    }
}

/// `GS ( X pL pH data`.
fn extended<'a>(bytes: &'a [u8], model: &Model) -> Next<'a> {
    let Some([_, _, name, low, high]) = bytes.first_chunk::<5>() else { return Next::More };
    let known = (*name == b'k' && model.draws_qr) || (*name == b'H' && model.tells_printed);
    if !known && model.prints_unknown {
        // The letter and the data come out as text.
        return Next::Take(2, Command::Unknown("GS (".to_owned()));
    }
    let length = usize::from(u16::from_le_bytes([*low, *high])).saturating_add(5);
    let Some(data) = bytes.get(5..length) else { return Next::More };
    let command = match (name, data) {
        _ if !known => unknown("GS (", *name),
        (b'k', [49, function, data @ ..]) => Command::Qr(*function, data),
        (b'H', [48, 48, a, b, c, d]) => Command::ProcessId([*a, *b, *c, *d]),
        _ => unknown("GS (", *name),
    };
    Next::Take(length, command)
}
