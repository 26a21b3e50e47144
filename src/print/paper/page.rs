//! What came out of the emulated printer: text lines, pictures and white, top to bottom.

use crate::print::raster::Bitmap;
use std::fmt;

/// The longest page kept, in dots: 2.5 m.
pub const PAGE_DOTS_MAX: u32 = 20_000;
/// Line spacing at power-on. Source: Epson TM-T88 specification: 30 dots at 1/180 inch.
pub const LINE_DOTS: u16 = 30;
/// Dots of a character of font A, down.
const FONT_A_HIGH_DOTS: u16 = 24;
/// Columns that [`Page::show`] may take.
const SHOW_COLUMNS: u16 = 80;

/// One thing on the paper.
#[derive(Clone, PartialEq, Eq)]
pub enum Item {
    /// A line of text as sent, kept as text.
    Text {
        /// The characters, by the code page that was set.
        text: String,
        /// Emphasised.
        bold: bool,
        /// Times as wide.
        wide: u16,
        /// Times as high.
        high: u16,
        /// In the middle of the line.
        centred: bool,
    },
    /// White, in dots down.
    Feed(u16),
    /// Dots.
    Picture {
        /// Dots from the left edge.
        x: u16,
        /// The dots.
        bitmap: Bitmap,
    },
}

/// Shows the kind only: it may be a name or a code.
impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { .. } => f.write_str("Text(••)"),
            Self::Feed(dots) => write!(f, "Feed({dots})"),
            Self::Picture { bitmap, .. } => write!(f, "Picture({bitmap:?})"),
        }
    }
}

impl Item {
    fn dots(&self) -> u16 {
        match self {
            Self::Text { high, .. } => {
                let glyphs = high.saturating_mul(FONT_A_HIGH_DOTS);
                glyphs.saturating_add(LINE_DOTS.saturating_sub(FONT_A_HIGH_DOTS))
            }
            Self::Feed(dots) => *dots,
            Self::Picture { bitmap, .. } => bitmap.height(),
        }
    }
}

/// A piece of paper.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    items: Vec<Item>,
    dots: u32,
}

impl Page {
    /// Adds an item; `false` if the page is too long for it.
    pub(super) fn add(&mut self, item: Item) -> bool {
        // At least one dot each, so that the number of items is bounded too.
        let dots = self.dots.saturating_add(u32::from(item.dots().max(1)));
        let fits = dots <= PAGE_DOTS_MAX;
        if fits {
            self.dots = dots;
            self.items.push(item);
        }
        fits
    }

    /// Everything on it, top to bottom.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The text lines, top to bottom, without the empty ones.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.items.iter().filter_map(|item| match item {
            Item::Text { text, .. } if !text.is_empty() => Some(text.as_str()),
            Item::Text { .. } | Item::Feed(_) | Item::Picture { .. } => None,
        })
    }

    /// The dots of its pictures where they stand, `width` dots across; text lines are white.
    #[must_use]
    pub fn to_bitmap(&self, width: u16) -> Bitmap {
        let height = self.items.iter().fold(0_u16, |sum, item| sum.saturating_add(item.dots()));
        let mut page = Bitmap::new(width, height);
        let mut y = 0_u16;
        for item in &self.items {
            if let Item::Picture { x, bitmap } = item {
                page.stamp(bitmap, *x, y);
            }
            y = y.saturating_add(item.dots());
        }
        page
    }

    /// The page for a terminal: text as text, pictures in half blocks, paper light and ink dark on a dark terminal.
    ///
    /// A picture is shown at the coarsest step that loses nothing, so a symbol of any module size takes one column a
    /// module and still scans from the screen; what is wider than the terminal is thinned out. Drawn letters are in Braille patterns.
    #[must_use]
    pub fn show(&self) -> String {
        let mut shown = String::new();
        let mut items = self.items.iter().peekable();
        while let Some(item) = items.next() {
            match item {
                Item::Text { text, centred, .. } => {
                    // What a name holds was cleaned before it was printed; a page from elsewhere may be anything.
                    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
                    let free = usize::from(SHOW_COLUMNS).saturating_sub(clean.chars().count()).div_euclid(2);
                    let indent = if *centred { free } else { 0 };
                    shown.push_str(&" ".repeat(indent));
                    shown.push_str(&clean);
                    shown.push('\n');
                }
                Item::Feed(_) => shown.push('\n'),
                Item::Picture { x, bitmap } => {
                    // Slices of one picture follow each other at the same place.
                    let mut slices = vec![bitmap];
                    while let Some(Item::Picture { bitmap, .. }) =
                        items.next_if(|next| matches!(next, Item::Picture { x: next_x, .. } if next_x == x))
                    {
                        slices.push(bitmap);
                    }
                    shown.push_str(&half_blocks(&joined(&slices)));
                }
            }
        }
        shown
    }
}

/// Slices below each other as one picture.
fn joined(slices: &[&Bitmap]) -> Bitmap {
    let width = slices.iter().map(|slice| slice.width()).max().unwrap_or(0);
    let height = slices.iter().fold(0_u16, |sum, slice| sum.saturating_add(slice.height()));
    let mut whole = Bitmap::new(width, height);
    let mut y = 0_u16;
    for slice in slices {
        whole.stamp(slice, 0, y);
        y = y.saturating_add(slice.height());
    }
    whole
}

/// The black part of a picture with one step of white around it.
fn half_blocks(bitmap: &Bitmap) -> String {
    let black = |x: u16, y: u16| bitmap.get(x, y);
    let (width, height) = (bitmap.width(), bitmap.height());
    let columns: Vec<u16> = (0..width).filter(|x| (0..height).any(|y| black(*x, y))).collect();
    let rows: Vec<u16> = (0..height).filter(|y| (0..width).any(|x| black(x, *y))).collect();
    let (Some(left), Some(right)) = (columns.first(), columns.last()) else { return String::new() };
    let (Some(top), Some(bottom)) = (rows.first(), rows.last()) else { return String::new() };
    let across = step((*left..=*right).map(|x| rows.iter().map(move |y| black(x, *y)).collect::<Vec<_>>()));
    let down = step((*top..=*bottom).map(|y| columns.iter().map(move |x| black(*x, y)).collect::<Vec<_>>()));
    let wide = right.saturating_sub(*left).saturating_add(1);
    let high = bottom.saturating_sub(*top).saturating_add(1);
    // Nothing in it is two dots wide throughout: letters, not modules.
    if across == 1 {
        return braille(bitmap, (*left, wide), (*top, high));
    }
    let across = across.max(wide.div_ceil(SHOW_COLUMNS.saturating_sub(4)));
    // Bars are as high as they are wide apart in rows of the screen, not in dots.
    let down = if high.div_euclid(down) <= 1 { high.div_ceil(6).max(1) } else { down };
    let (cells, lines) = (wide.div_ceil(across), high.div_ceil(down));
    let cell = |column: u16, line: u16| {
        let inside = (1..=cells).contains(&column) && (1..=lines).contains(&line);
        let at = |start: u16, index: u16, by: u16| {
            start.saturating_add(index.saturating_sub(1).saturating_mul(by))
        };
        inside && black(at(*left, column, across), at(*top, line, down))
    };
    let indent = SHOW_COLUMNS.saturating_sub(cells.saturating_add(2)).div_euclid(2);
    let mut shown = String::new();
    for line in (0..=lines.saturating_add(1)).step_by(2) {
        shown.push_str(&" ".repeat(usize::from(indent)));
        for column in 0..=cells.saturating_add(1) {
            shown.push(match (cell(column, line), cell(column, line.saturating_add(1))) {
                (false, false) => '█',
                (false, true) => '▀',
                (true, false) => '▄',
                (true, true) => ' ',
            });
        }
        shown.push('\n');
    }
    shown
}

/// A picture without a grid in Braille patterns, two dots by four a character, thinned out alike both ways until it fits.
fn braille(bitmap: &Bitmap, (left, wide): (u16, u16), (top, high): (u16, u16)) -> String {
    let by = wide.div_ceil(SHOW_COLUMNS.saturating_sub(4).saturating_mul(2)).max(1);
    // A quarter of ink is ink, so that strokes stay.
    let inked = |column: u16, line: u16| {
        let (x, y) =
            (left.saturating_add(column.saturating_mul(by)), top.saturating_add(line.saturating_mul(by)));
        let dots = (0..by).flat_map(|down| (0..by).map(move |across| (across, down)));
        let black =
            dots.filter(|(across, down)| bitmap.get(x.saturating_add(*across), y.saturating_add(*down)));
        black.count().saturating_mul(4) >= usize::from(by).saturating_mul(usize::from(by))
    };
    let (columns, lines) = (wide.div_ceil(by), high.div_ceil(by));
    let indent = SHOW_COLUMNS.saturating_sub(columns.div_ceil(2)).div_euclid(2);
    let mut shown = String::new();
    for line in (0..lines).step_by(4) {
        shown.push_str(&" ".repeat(usize::from(indent)));
        for column in (0..columns).step_by(2) {
            let bits = BRAILLE.iter().filter(|(across, down, _)| {
                inked(column.saturating_add(*across), line.saturating_add(*down))
            });
            let pattern = bits.fold(0x2800, |pattern, (_, _, bit)| pattern | bit);
            shown.push(char::from_u32(pattern).unwrap_or(' '));
        }
        shown.push('\n');
    }
    shown
}

/// The dots of a Braille pattern: across, down, and the bit in its character. Source: Unicode, block Braille Patterns.
const BRAILLE: [(u16, u16, u32); 8] =
    [(0, 0, 1), (0, 1, 2), (0, 2, 4), (1, 0, 8), (1, 1, 16), (1, 2, 32), (0, 3, 64), (1, 3, 128)];

/// The largest step that divides every run of equal lines.
fn step<L: PartialEq>(lines: impl Iterator<Item = L>) -> u16 {
    let (mut last, mut run, mut step): (Option<L>, u16, u16) = (None, 0, 0);
    for line in lines {
        if last.as_ref().is_some_and(|last| *last != line) {
            step = common(step, run);
            run = 0;
        }
        run = run.saturating_add(1);
        last = Some(line);
    }
    common(step, run).max(1)
}

/// Greatest common divisor.
fn common(a: u16, b: u16) -> u16 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a.checked_rem(b).unwrap_or(0));
    }
    a
}
