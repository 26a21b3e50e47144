//! What a card looks like on one kind of paper: lines of text and the two symbols, top to bottom.
//!
//! Decides only; `escpos` makes the bytes. A text that the printer's code page cannot show is drawn (`lettering`); where
//! no font has one of its characters it is left out and the result says so: nothing is transliterated.

use super::code128;
use super::codepage::{self, CodePage};
use super::escpos::{self, Align, EncodeError};
use super::fonts::{FontFile, Fonts};
use super::lettering::{self, Size};
use super::raster::{NotAlphanumeric, QR_QUIET_MODULES, QR_SIDE_MODULES, Qr};
use super::{CardFace, raster::Bitmap};
use std::fmt;
use zeroize::ZeroizeOnDrop;

/// Dots of a character of font A. Source: Epson TM series specifications: 12 × 24.
pub const FONT_A_DOTS: u16 = 12;
/// Lines a title or a name may take; what is longer is cut off there.
pub const TEXT_LINES_MAX: usize = 3;
/// Size of drawn letters in micrometres: their capitals come out as high as those of font A.
const LETTERS_EM_UM: u32 = 3_750;
/// White below a line of drawn letters.
const LETTERS_GAP_UM: u32 = 500;
/// Wanted size of a QR module in micrometres: ¾ mm reads from 20 cm with a hand-held imager and survives a folded receipt.
const QR_MODULE_UM: u32 = 750;
/// Digits of a card's code, as its bars hold them ([`crate::domain::code::Digits`]).
const CARD_DIGITS: u16 = 28;
/// Wanted height of the bars in micrometres.
const BARS_HEIGHT_UM: u32 = 10_000;

/// How the QR symbol is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QrMode {
    /// By the printer if it says that it can, else as a picture.
    #[default]
    Auto,
    /// By the printer, unasked.
    Native,
    /// As a picture.
    Raster,
}

/// What is known of one printer's paper and abilities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaperProfile {
    /// Printable dots across: 384 on 58 mm paper, 576 (or 512) on 80 mm.
    pub width_dots: u16,
    /// Dots an inch: 203 or 180.
    pub dpi: u16,
    /// The code page for texts; without one only ASCII is printed.
    pub code_page: Option<CodePage>,
    /// The printer's own `ESC t` number of that page, where it differs from Epson's.
    pub code_page_number: Option<u8>,
    /// Who draws the QR symbol.
    pub qr: QrMode,
    /// The printer has a cutter.
    pub cut: bool,
}

impl PaperProfile {
    /// Whether a card of ours gets bars besides its QR code.
    #[must_use]
    pub fn has_room_for_bars(&self) -> bool {
        self.bars_module(CARD_DIGITS) >= code128::MODULE_DOTS_MIN
    }

    /// Dots of a module of so many digits' bars.
    fn bars_module(&self, digits: u16) -> u16 {
        let modules = code128::modules(digits).saturating_add(code128::QUIET_MODULES.saturating_mul(2));
        self.width_dots.div_euclid(modules).min(3)
    }
}

impl Default for PaperProfile {
    fn default() -> Self {
        Self {
            width_dots: 576,
            dpi: 203,
            code_page: Some(CodePage::Cp437),
            code_page_number: None,
            qr: QrMode::Auto,
            cut: true,
        }
    }
}

impl PaperProfile {
    fn dots(&self, micrometres: u32) -> u16 {
        let dots = micrometres.saturating_mul(u32::from(self.dpi)).saturating_add(12_700).div_euclid(25_400);
        u16::try_from(dots).unwrap_or(u16::MAX)
    }
}

/// What could not be printed on this printer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Omitted {
    /// The shop's name is not in the code page, and no font that was found has all of it.
    pub title: bool,
    /// The customer's name is neither.
    pub name: bool,
    /// The paper is too narrow for the bar code.
    pub bars: bool,
}

impl Omitted {
    /// The texts that are missing, in the words of the wire.
    #[must_use]
    pub fn texts(self) -> Vec<&'static str> {
        let words = [("title", self.title), ("name", self.name)];
        words.into_iter().filter(|(_, omitted)| *omitted).map(|(word, _)| word).collect()
    }
}

/// One step down the paper.
#[derive(Clone, PartialEq, Eq, ZeroizeOnDrop)]
pub enum Op {
    /// One centred line, already in the printer's code page.
    Text {
        /// Printable bytes.
        bytes: Vec<u8>,
        /// Emphasised.
        bold: bool,
        /// Times as wide and as high.
        scale: u8,
    },
    /// One line of drawn letters, in the middle.
    Letters(Bitmap),
    /// Empty lines.
    Blank(u8),
    /// The QR symbol, in the middle.
    Qr {
        /// Dots a module.
        module: u16,
    },
    /// The bar code, in the middle.
    Bars {
        /// Dots a module.
        module: u16,
        /// Dots high.
        height: u16,
    },
    /// Feed to the cutter and cut, or feed to the tear-off edge.
    End {
        /// The printer has a cutter.
        cut: bool,
    },
}

/// Shows the kind only: the bytes may be a name or a code.
impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text { .. } => "Text(••)",
            Self::Letters(_) => "Letters(••)",
            Self::Blank(_) => "Blank",
            Self::Qr { .. } => "Qr",
            Self::Bars { .. } => "Bars",
            Self::End { .. } => "End",
        })
    }
}

/// A card laid out for one printer.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The steps, top to bottom.
    pub ops: Vec<Op>,
    /// What is missing.
    pub omitted: Omitted,
    width_dots: u16,
    code_page_number: Option<u8>,
    face: CardFace,
}

/// Why a card cannot be laid out. Never shows the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// The letters are not a QR alphanumeric text of at most 20.
    #[error(transparent)]
    Letters(#[from] NotAlphanumeric),
    /// The digits are not pairs.
    #[error(transparent)]
    Digits(#[from] code128::NotDigitPairs),
    /// The readable form is not printable ASCII.
    #[error("the readable form of the code is not printable ASCII")]
    Clear,
    /// Even the smallest symbol is wider than the paper.
    #[error("the paper is too narrow for a QR symbol")]
    TooNarrow,
}

impl Layout {
    /// The fonts that [`Self::new`] wants for the texts of `face` that are not in the code page of `paper`.
    #[must_use]
    pub fn fonts_needed(face: &CardFace, paper: &PaperProfile) -> Vec<FontFile> {
        let mut files: Vec<FontFile> = Vec::new();
        let (title, name) = (face.title.as_deref(), face.name.as_deref());
        for (text, languages) in [(title, &face.title_languages), (name, &face.name_languages)] {
            if let Some(text) = text
                && codepage::printable(text, paper.code_page).is_none()
            {
                for file in FontFile::needed(&codepage::clean(text), languages) {
                    if !files.contains(&file) {
                        files.push(file);
                    }
                }
            }
        }
        files
    }

    /// Lays `face` out on `paper`: title, name, QR, readable code, bar code.
    ///
    /// The bar code is left out where it would have less than two dots a module.
    ///
    /// # Errors
    /// [`LayoutError`] for a code that no printer of this width can show.
    pub fn new(face: &CardFace, paper: &PaperProfile, fonts: &Fonts) -> Result<Self, LayoutError> {
        Qr::card(&face.letters)?;
        code128::pairs(&face.digits)?;
        let clear = codepage::printable(&face.clear, None).ok_or(LayoutError::Clear)?;
        let columns = paper.width_dots.div_euclid(FONT_A_DOTS);
        let (mut ops, mut omitted) = (Vec::new(), Omitted::default());
        let (title, name) = (face.title.as_deref(), face.name.as_deref());
        omitted.title = text(&mut ops, (title, &face.title_languages), (paper, fonts), true);
        omitted.name = text(&mut ops, (name, &face.name_languages), (paper, fonts), false);
        let fits =
            paper.width_dots.div_euclid(QR_SIDE_MODULES.saturating_add(QR_QUIET_MODULES.saturating_mul(2)));
        let module = paper.dots(QR_MODULE_UM).clamp(1, 16).min(fits);
        if module == 0 {
            return Err(LayoutError::TooNarrow);
        }
        // A line of at least 4 mm: the quiet zone above and below, which a printer that draws the symbol does not add.
        ops.extend([Op::Blank(1), Op::Qr { module }, Op::Blank(1)]);
        let scale = if clear.len().saturating_mul(2) <= usize::from(columns) { 2 } else { 1 };
        ops.extend(lines(&clear, columns.div_euclid(scale)).map(|line| Op::Text {
            bytes: line.to_vec(),
            bold: true,
            scale: u8::try_from(scale).unwrap_or(1),
        }));
        let module = paper.bars_module(u16::try_from(face.digits.len()).unwrap_or(u16::MAX));
        omitted.bars = module < code128::MODULE_DOTS_MIN;
        if !omitted.bars {
            ops.extend([
                Op::Blank(1),
                Op::Bars { module, height: paper.dots(BARS_HEIGHT_UM).clamp(24, 255) },
            ]);
        }
        ops.push(Op::End { cut: paper.cut });
        let code_page_number =
            paper.code_page.map(|page| paper.code_page_number.unwrap_or(page.epson_number()));
        Ok(Self { ops, omitted, width_dots: paper.width_dots, code_page_number, face: face.clone() })
    }

    /// The bytes of the whole card, from `ESC @` to the cut; `native`: the printer draws the symbols.
    ///
    /// # Errors
    /// [`EncodeError`]; none for a layout made by [`Layout::new`].
    pub fn encode(&self, native: bool) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = escpos::init().to_vec();
        bytes.extend(self.code_page_number.into_iter().flat_map(escpos::code_page));
        for op in &self.ops {
            match op {
                Op::Text { bytes: line, bold, scale } => {
                    bytes.extend(escpos::align(Align::Centre));
                    bytes.extend(escpos::bold(*bold));
                    bytes.extend(escpos::size(*scale, *scale)?);
                    bytes.extend(line);
                    bytes.push(b'\n');
                    bytes.extend(escpos::size(1, 1)?);
                    bytes.extend(escpos::bold(false));
                }
                Op::Letters(picture) => self.picture(picture, &mut bytes)?,
                Op::Blank(lines) => bytes.extend(escpos::feed(*lines)),
                Op::Qr { module } => self.qr(*module, native, &mut bytes)?,
                Op::Bars { module, height } => self.bars(*module, *height, native, &mut bytes)?,
                Op::End { cut: true } => bytes.extend(escpos::cut(0)),
                Op::End { cut: false } => bytes.extend(escpos::feed(5)),
            }
        }
        Ok(bytes)
    }

    /// The symbol stored in the printer and the question whether it fits; prints nothing.
    ///
    /// # Errors
    /// [`EncodeError`]; none for a layout made by [`Layout::new`].
    pub fn measure(&self) -> Result<Vec<u8>, EncodeError> {
        let module =
            self.ops.iter().find_map(|op| if let Op::Qr { module } = op { Some(*module) } else { None });
        let store = escpos::qr_store(self.face.letters.as_bytes(), module.unwrap_or(1))?;
        Ok([&escpos::init()[..], &store, &escpos::qr_size()].concat())
    }

    fn qr(&self, module: u16, native: bool, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        if native {
            bytes.extend(escpos::align(Align::Centre));
            bytes.extend(escpos::qr_store(self.face.letters.as_bytes(), module)?);
            bytes.extend(escpos::qr_print());
            return Ok(());
        }
        let qr = Qr::card(&self.face.letters).map_err(|_| EncodeError::Range { what: "letters" })?;
        self.picture(&qr.draw(module, 0), bytes)
    }

    fn bars(&self, module: u16, height: u16, native: bool, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        let digits = &self.face.digits;
        match escpos::code128_c(digits, module, height) {
            Ok(command) if native => {
                bytes.extend(escpos::align(Align::Centre));
                bytes.extend(command);
                Ok(())
            }
            Ok(_) | Err(EncodeError::RealTime | EncodeError::Range { .. } | EncodeError::Digits(_)) => {
                self.picture(&code128::draw(digits, module, height, 0)?, bytes)
            }
        }
    }

    /// Centres a picture by white dots at its left: not every printer applies `ESC a` to `GS v 0`.
    fn picture(&self, picture: &Bitmap, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        let left = self.width_dots.saturating_sub(picture.width()).div_euclid(2);
        let mut placed = Bitmap::new(left.saturating_add(picture.width()), picture.height());
        placed.stamp(picture, left, 0);
        bytes.extend(escpos::align(Align::Left));
        bytes.extend(escpos::raster(&placed)?);
        Ok(())
    }
}

/// Adds the lines of a text; `true` if it had to be left out.
fn text(
    ops: &mut Vec<Op>,
    (text, languages): (Option<&str>, &[String]),
    (paper, fonts): (&PaperProfile, &Fonts),
    large: bool,
) -> bool {
    let Some(text) = text.filter(|text| !codepage::clean(text).is_empty()) else { return false };
    let Some(bytes) = codepage::printable(text, paper.code_page) else {
        let drawn = letters((text, languages), paper, fonts, large);
        let omitted = drawn.is_none();
        ops.extend(drawn.into_iter().flatten().map(Op::Letters));
        return omitted;
    };
    let columns = paper.width_dots.div_euclid(FONT_A_DOTS);
    let twice = large && bytes.len().saturating_mul(2) <= usize::from(columns);
    let scale = if twice { 2 } else { 1 };
    ops.extend(lines(&bytes, columns).take(TEXT_LINES_MAX).map(|line| Op::Text {
        bytes: line.to_vec(),
        bold: large,
        scale,
    }));
    false
}

/// The lines of a text as dots: twice as large if it shall be and then fits on one line; `None` if no font has it.
fn letters(
    (text, languages): (&str, &[String]),
    paper: &PaperProfile,
    fonts: &Fonts,
    large: bool,
) -> Option<Vec<Bitmap>> {
    let em = paper.dots(LETTERS_EM_UM).max(1);
    let size = |em, lines| Size { em, width: paper.width_dots, lines };
    let drawn = |em, lines| lettering::lines(text, languages, fonts, size(em, lines));
    let twice = || drawn(em.saturating_mul(2), 2).filter(|lines| lines.len() == 1);
    let lines = if large { twice() } else { None }.or_else(|| drawn(em, TEXT_LINES_MAX))?;
    let gap = paper.dots(LETTERS_GAP_UM);
    let apart = |line: Bitmap| {
        let mut placed = Bitmap::new(line.width(), line.height().saturating_add(gap));
        placed.stamp(&line, 0, 0);
        placed
    };
    Some(lines.into_iter().map(apart).collect())
}

/// Breaks a line at its spaces, or within a word that is longer than a line.
fn lines(bytes: &[u8], columns: u16) -> impl Iterator<Item = &[u8]> {
    let columns = usize::from(columns).max(1);
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let whole = rest.len() <= columns;
        let space =
            rest.iter().take(columns.saturating_add(1)).rposition(|byte| *byte == b' ').filter(|at| *at > 0);
        let end = if whole { rest.len() } else { space.unwrap_or(columns) };
        let (line, tail) = rest.split_at_checked(end)?;
        rest = tail.strip_prefix(b" ").unwrap_or(tail);
        Some(line)
    })
}

#[cfg(test)]
mod tests;
