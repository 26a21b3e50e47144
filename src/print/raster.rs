//! Dots: a bitmap of one bit a dot, and the QR symbol of a card drawn in it.
//!
//! Draws what it is told and nothing else; where it goes on the paper is `layout`'s matter.

use qrcode::bits::Bits;
use qrcode::types::Color;
use qrcode::{EcLevel, QrCode, Version};
use std::fmt;
use zeroize::Zeroize;

/// Light modules around a QR symbol. Source: ISO/IEC 18004, section on the quiet zone: 4 for QR model 2.
pub const QR_QUIET_MODULES: u16 = 4;

/// Modules on a side of QR version 2, the only one a card uses. Source: ISO/IEC 18004, 17 + 4 × version.
pub const QR_SIDE_MODULES: u16 = 25;

/// A rectangle of dots, each black or white; made white.
#[derive(Clone, PartialEq, Eq, Zeroize)]
pub struct Bitmap {
    width: u16,
    height: u16,
    bytes: Vec<u8>,
}

/// Shows the size only: the dots are a card's code.
impl fmt::Debug for Bitmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bitmap({} x {})", self.width, self.height)
    }
}

impl Bitmap {
    /// A white bitmap of `width` by `height` dots.
    #[must_use]
    pub fn new(width: u16, height: u16) -> Self {
        let bytes = usize::from(width.div_ceil(8)).saturating_mul(usize::from(height));
        Self { width, height, bytes: vec![0; bytes] }
    }

    /// Rows of packed bytes, most significant bit first, as `GS v 0` carries them. What is missing is white.
    #[must_use]
    pub fn from_rows(row_bytes: u16, height: u16, data: &[u8]) -> Self {
        let mut bitmap = Self::new(row_bytes.saturating_mul(8), height);
        for (to, from) in bitmap.bytes.iter_mut().zip(data) {
            *to = *from;
        }
        bitmap
    }

    /// Dots across.
    #[must_use]
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Dots down.
    #[must_use]
    pub fn height(&self) -> u16 {
        self.height
    }

    /// Bytes of one packed row.
    #[must_use]
    pub fn row_bytes(&self) -> u16 {
        self.width.div_ceil(8)
    }

    /// The packed rows, most significant bit first, each padded to a whole byte.
    pub fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks(usize::from(self.row_bytes()).max(1))
    }

    fn place(&self, x: u16, y: u16) -> Option<(usize, u8)> {
        let inside = x < self.width && y < self.height;
        let byte = usize::from(y)
            .saturating_mul(usize::from(self.row_bytes()))
            .saturating_add(usize::from(x.div_euclid(8)));
        inside.then(|| (byte, 0x80_u8.wrapping_shr(u32::from(x.rem_euclid(8)))))
    }

    /// Whether the dot is black; outside everything is white.
    #[must_use]
    pub fn get(&self, x: u16, y: u16) -> bool {
        let found = self.place(x, y).and_then(|(at, mask)| self.bytes.get(at).map(|byte| byte & mask != 0));
        found.unwrap_or(false)
    }

    /// Blackens a dot; nothing outside.
    pub fn set(&mut self, x: u16, y: u16) {
        if let Some((at, mask)) = self.place(x, y)
            && let Some(byte) = self.bytes.get_mut(at)
        {
            *byte |= mask;
        }
    }

    /// Blackens a rectangle, cut off at the edges.
    pub fn fill(&mut self, x: u16, y: u16, width: u16, height: u16) {
        for y in y..y.saturating_add(height).min(self.height) {
            for x in x..x.saturating_add(width).min(self.width) {
                self.set(x, y);
            }
        }
    }

    /// Copies the black dots of `other` with its corner at `x`, `y`, cut off at the edges.
    pub fn stamp(&mut self, other: &Self, x: u16, y: u16) {
        for row in 0..other.height {
            for column in 0..other.width {
                if other.get(column, row) {
                    self.set(x.saturating_add(column), y.saturating_add(row));
                }
            }
        }
    }
}

/// A QR symbol as modules, not yet as dots.
#[derive(Clone, PartialEq, Eq)]
pub struct Qr {
    side: u16,
    dark: Vec<bool>,
}

/// Shows the size only: the modules are a card's code.
impl fmt::Debug for Qr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Qr({} modules)", self.side)
    }
}

/// A text that is not 1 to 20 characters of QR's alphanumeric set. Says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a card's letters are 1 to 20 of `0-9A-Z $%*+-./:`")]
pub struct NotAlphanumeric;

impl Qr {
    /// The symbol of a card: version 2, level H, alphanumeric mode.
    ///
    /// Version 2-H holds exactly 20 alphanumerics (ISO/IEC 18004, capacity table); level H repairs
    /// 30 % of the code words.
    ///
    /// # Errors
    /// [`NotAlphanumeric`].
    pub fn card(letters: &str) -> Result<Self, NotAlphanumeric> {
        let fits = letters
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase() || b" $%*+-./:".contains(&byte));
        if !fits || letters.is_empty() {
            return Err(NotAlphanumeric);
        }
        let symbol = || {
            let mut bits = Bits::new(Version::Normal(2));
            bits.push_alphanumeric_data(letters.as_bytes())?;
            bits.push_terminator(EcLevel::H)?;
            QrCode::with_bits(bits, EcLevel::H)
        };
        symbol().map(|code| Self::from(&code)).map_err(|_| NotAlphanumeric)
    }

    /// The symbol a printer makes of any bytes: mode and version are its own choice, as `GS ( k` leaves them.
    /// `None` if no version holds them.
    #[must_use]
    pub fn any(data: &[u8], level: EcLevel) -> Option<Self> {
        QrCode::with_error_correction_level(data, level).ok().map(|code| Self::from(&code))
    }

    /// Modules on a side, without quiet zone.
    #[must_use]
    pub fn side(&self) -> u16 {
        self.side
    }

    /// The symbol with `module` dots a module and `quiet` modules of white on every side.
    #[must_use]
    pub fn draw(&self, module: u16, quiet: u16) -> Bitmap {
        let dots = |modules: u16| modules.saturating_mul(module);
        let side = dots(self.side.saturating_add(quiet.saturating_mul(2)));
        let mut bitmap = Bitmap::new(side, side);
        for (row, line) in (0_u16..).zip(self.dark.chunks(usize::from(self.side).max(1))) {
            for (column, _) in (0_u16..).zip(line).filter(|(_, dark)| **dark) {
                let (x, y) = (dots(column.saturating_add(quiet)), dots(row.saturating_add(quiet)));
                bitmap.fill(x, y, module, module);
            }
        }
        bitmap
    }
}

impl From<&QrCode> for Qr {
    fn from(code: &QrCode) -> Self {
        let dark = code.to_colors().into_iter().map(|color| color == Color::Dark).collect();
        Self { side: u16::try_from(code.width()).unwrap_or(0), dark }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_card_symbol_is_version_2_h() {
        let qr = Qr::card("FA0123456789ABCDEFGH").unwrap();
        assert_eq!(qr.side(), QR_SIDE_MODULES);
        let bitmap = qr.draw(6, QR_QUIET_MODULES);
        assert_eq!((bitmap.width(), bitmap.height()), (198, 198));
        assert!(!bitmap.get(23, 24) && bitmap.get(24, 24) && bitmap.get(29, 29));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(Qr::card("FA0123456789ABCDEFGHJ"), Err(NotAlphanumeric));
        assert_eq!(Qr::card("fa0123456789abcdefgh"), Err(NotAlphanumeric));
        assert_eq!(Qr::card(""), Err(NotAlphanumeric));
    }

    #[test]
    fn dots_stay_inside() {
        let mut bitmap = Bitmap::new(9, 2);
        bitmap.fill(7, 1, 200, 200);
        assert_eq!(bitmap.rows().collect::<Vec<_>>(), [[0, 0], [1, 0x80]]);
        bitmap.set(9, 0);
        assert!(!bitmap.get(9, 0));
    }
}
