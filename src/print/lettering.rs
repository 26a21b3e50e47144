//! Draws a text as dots: the letters that no code page holds, joined and ordered as their script wants it.
//!
//! Text and fonts in, lines of dots out. A text is cut into runs of one direction (Unicode's bidirectional algorithm), script and font,
//! each is shaped by HarfBuzz's rules, and the outlines are filled. Nothing is replaced: a text with a character that no font has is refused whole.
//!
//! Bounds: of a text the first [`TEXT_CHARS_MAX`] characters are looked at, a line is as wide as the paper and [`BOX_EMS`] high at most.

use super::codepage::clean;
use super::fonts::{self, Fonts};
use super::raster::Bitmap;
use harfrust::{Buffer, Direction, ShapeOptions, ShaperFont, Tag};
use skrifa::{DrawMemory, GlyphId, HintOptions, PathSink, RasterTarget, ScalerFont};
use std::ops::Range;
use unicode_bidi::{BidiInfo, Level};
use unicode_script::{Script, UnicodeScript as _};
use zeno::{Command, Mask, Vector};

/// Characters of a text that are looked at; more than fit on a card's lines.
pub const TEXT_CHARS_MAX: usize = 256;
/// Height of the space that a line is drawn in, in tenths of its letters' size; what stacks higher is cut off.
pub const BOX_EMS: u16 = 24;
/// Where in it the letters stand, from the top, in the same unit.
const BASELINE_EMS: u16 = 15;
/// The part of a dot that has ink from which on it is black. A little under half, so that thin strokes do not break.
const INK: u8 = 110;
/// Parts of a dot that positions are reckoned in.
const PARTS: i32 = 64;

/// How large a text is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Dots of the letters' em square.
    pub em: u16,
    /// Dots that a line may be wide.
    pub width: u16,
    /// The most lines; what is longer is cut off there.
    pub lines: usize,
}

/// The lines of a text as dots, each as small as its ink; `None` if there is no ink, or a character that no font has.
///
/// Broken at spaces, or within a word that is longer than a line. `languages` say how Chinese characters are drawn where the text
/// itself does not: tags as of RFC 5646, the likeliest first.
#[must_use]
pub fn lines(text: &str, languages: &[String], fonts: &Fonts, size: Size) -> Option<Vec<Bitmap>> {
    let text: String = clean(text).chars().take(TEXT_CHARS_MAX).collect();
    let level = BidiInfo::new(&text, None).paragraphs.first()?.level;
    let shaper = Shaper { fonts, face: fonts::face(&text, languages), em: size.em, level };
    let mut rest = text.as_str();
    let mut drawn = Vec::new();
    while !rest.is_empty() && drawn.len() < size.lines {
        let (line, after) = shaper.first_line(rest, size.width)?;
        drawn.push(shaper.draw(&line, size.width)?);
        rest = after;
    }
    Some(drawn).filter(|drawn| !drawn.is_empty())
}

/// A glyph where it stands; positions in 64ths of a dot, `y` upwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Glyph {
    font: usize,
    id: u32,
    x: i32,
    y: i32,
    /// The byte of the text that it comes from.
    from: usize,
}

/// A shaped line, left to right as it is seen.
#[derive(Debug, Default)]
struct Line {
    glyphs: Vec<Glyph>,
    /// In 64ths of a dot.
    advance: i32,
}

/// A piece of one direction, script and font.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    range: Range<usize>,
    script: Script,
    font: usize,
}

struct Shaper<'a> {
    fonts: &'a Fonts,
    /// The East Asian one, of the whole text.
    face: u32,
    em: u16,
    /// Direction of the whole text: of what is neither, such as a space between two directions.
    level: Level,
}

impl Shaper<'_> {
    /// As much of a text as goes on one line, and what is left of it.
    fn first_line<'t>(&self, text: &'t str, width: u16) -> Option<(Line, &'t str)> {
        let room = i32::from(width).saturating_mul(PARTS);
        let whole = self.shape(text)?;
        if whole.advance <= room {
            return Some((whole, ""));
        }
        let mut clusters: Vec<usize> = whole.glyphs.iter().map(|glyph| glyph.from).collect();
        clusters.sort_unstable();
        clusters.dedup();
        let spaces = text.rmatch_indices(' ').map(|(at, _)| at);
        spaces.chain(clusters.into_iter().rev()).filter(|at| *at > 0).find_map(|at| {
            let (head, tail) = text.split_at_checked(at)?;
            let line = self.shape(head)?;
            (line.advance <= room).then(|| (line, tail.trim_start()))
        })
    }

    /// A text on one line, however long; `None` if a character is in no font.
    fn shape(&self, text: &str) -> Option<Line> {
        let bidi = BidiInfo::new(text, Some(self.level));
        let paragraph = bidi.paragraphs.first()?;
        let (levels, runs) = bidi.visual_runs(paragraph, paragraph.range.clone());
        let mut line = Line::default();
        for run in runs {
            let is_rtl = levels.get(run.start).is_some_and(Level::is_rtl);
            let mut pieces = self.pieces(text, run)?;
            if is_rtl {
                pieces.reverse();
            }
            for piece in pieces {
                self.add(&mut line, text, &piece, is_rtl)?;
            }
        }
        Some(line)
    }

    /// Cuts a run of one direction where script or font change. What belongs to no script goes with what stands before it.
    fn pieces(&self, text: &str, run: Range<usize>) -> Option<Vec<Run>> {
        let part = text.get(run.clone())?;
        let is_plain = |script: &Script| matches!(script, Script::Common | Script::Inherited);
        let first = part.chars().map(|c| c.script()).find(|script| !is_plain(script));
        let mut pieces: Vec<Run> = Vec::new();
        for (at, c) in part.char_indices() {
            let start = run.start.saturating_add(at);
            let end = start.saturating_add(c.len_utf8());
            let last = pieces.last_mut();
            let own = c.script();
            let before = last.as_ref().map(|last| last.script);
            let script = if is_plain(&own) { before.or(first).unwrap_or(own) } else { own };
            // A mark or joiner is drawn with the letter that it stands on.
            let stays = last.as_ref().filter(|_| own == Script::Inherited).map(|last| last.font);
            let font = stays.or_else(|| self.fonts.with(c, script, self.face))?;
            match last {
                Some(last) if last.script == script && last.font == font => last.range.end = end,
                Some(_) | None => pieces.push(Run { range: start..end, script, font }),
            }
        }
        Some(pieces)
    }

    /// Shapes one piece and puts its glyphs at the right end of the line.
    fn add(&self, line: &mut Line, text: &str, piece: &Run, is_rtl: bool) -> Option<()> {
        let font = ShaperFont::new(self.fonts.at(piece.font)?);
        let font = font.with_scale(i32::from(self.em).saturating_mul(PARTS));
        let mut buffer = Buffer::new();
        buffer.push_str(text.get(piece.range.clone())?);
        buffer.set_direction(if is_rtl { Direction::RightToLeft } else { Direction::LeftToRight });
        let tag = Tag::from_be_bytes(piece.script.as_iso15924_tag().to_be_bytes());
        buffer.set_script(harfrust::Script::from_iso15924_tag(tag));
        harfrust::shape(&font, &mut buffer, ShapeOptions::new()).ok()?;
        for (info, position) in buffer.glyph_infos().iter().zip(buffer.glyph_positions()) {
            // Glyph 0 is the box that stands for a missing one.
            if info.glyph_id == 0 {
                return None;
            }
            line.glyphs.push(Glyph {
                font: piece.font,
                id: info.glyph_id,
                x: line.advance.saturating_add(position.x_offset),
                y: position.y_offset,
                from: piece.range.start.saturating_add(usize::try_from(info.cluster).ok()?),
            });
            line.advance = line.advance.saturating_add(position.x_advance);
        }
        Some(())
    }

    /// Fills the outlines of a line; `None` if there is no ink.
    fn draw(&self, line: &Line, width: u16) -> Option<Bitmap> {
        let tenths = |tenths: u16| self.em.saturating_mul(tenths).div_euclid(10);
        // Letters may lean out of their own width.
        let margin = tenths(5);
        let wide =
            u16::try_from(dots(line.advance)).ok()?.min(width).saturating_add(margin.saturating_mul(2));
        let high = tenths(BOX_EMS);
        let mut pen = Pen { x: 0.0, y: 0.0, path: Vec::new() };
        let mut scaler: Option<(usize, ScalerFont)> = None;
        for glyph in &line.glyphs {
            if scaler.as_ref().is_none_or(|(font, _)| *font != glyph.font) {
                let hints = HintOptions::auto_fallback().with_target(RasterTarget::Mono);
                let font = self.fonts.at(glyph.font)?.clone();
                scaler = Some((glyph.font, ScalerFont::hinted(font, f32::from(self.em), hints)));
            }
            let dot = |parts: i32| i16::try_from(dots(parts)).unwrap_or(i16::MAX);
            pen.x = f32::from(margin) + f32::from(dot(glyph.x));
            pen.y = f32::from(tenths(BASELINE_EMS)) - f32::from(dot(glyph.y));
            if let Some(outline) =
                scaler.as_ref().and_then(|(_, scaler)| scaler.outline(GlyphId::new(glyph.id)))
            {
                outline.draw(DrawMemory::Scratch, &mut pen).ok()?;
            }
        }
        let mut ink = vec![0; usize::from(wide).saturating_mul(usize::from(high))];
        Mask::new(pen.path.as_slice()).size(wide.into(), high.into()).render_into(&mut ink, None);
        cut_out(&ink, wide, width)
    }
}

/// Whole dots of so many 64ths.
fn dots(parts: i32) -> i32 {
    parts.saturating_add(PARTS.div_euclid(2)).div_euclid(PARTS)
}

/// Where the outline of one glyph goes: `y` turned downwards, as rows of dots are counted.
struct Pen {
    x: f32,
    y: f32,
    path: Vec<Command>,
}

impl Pen {
    fn at(&self, x: f32, y: f32) -> Vector {
        Vector::new(self.x + x, self.y - y)
    }
}

impl PathSink for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.push(Command::MoveTo(self.at(x, y)));
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.push(Command::LineTo(self.at(x, y)));
    }

    fn quad_to(&mut self, cx0: f32, cy0: f32, x: f32, y: f32) {
        self.path.push(Command::QuadTo(self.at(cx0, cy0), self.at(x, y)));
    }

    fn curve_to(&mut self, cx0: f32, cy0: f32, cx1: f32, cy1: f32, x: f32, y: f32) {
        self.path.push(Command::CurveTo(self.at(cx0, cy0), self.at(cx1, cy1), self.at(x, y)));
    }

    fn close(&mut self) {
        self.path.push(Command::Close);
    }
}

/// The black part of rows of ink, at most `width` dots across.
fn cut_out(ink: &[u8], wide: u16, width: u16) -> Option<Bitmap> {
    let black = || {
        let rows = (0_u16..).zip(ink.chunks(usize::from(wide).max(1)));
        rows.flat_map(|(y, row)| (0_u16..).zip(row).filter(|(_, ink)| **ink >= INK).map(move |(x, _)| (x, y)))
    };
    let (left, right) = (black().map(|(x, _)| x).min()?, black().map(|(x, _)| x).max()?);
    let (top, bottom) = (black().map(|(_, y)| y).min()?, black().map(|(_, y)| y).max()?);
    let size = |from: u16, to: u16| to.saturating_sub(from).saturating_add(1);
    let mut bitmap = Bitmap::new(size(left, right).min(width), size(top, bottom));
    for (x, y) in black() {
        bitmap.set(x.saturating_sub(left), y.saturating_sub(top));
    }
    Some(bitmap)
}

#[cfg(test)]
mod tests;
