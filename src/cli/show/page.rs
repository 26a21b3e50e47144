//! Lines of a page for a person: headings, paragraphs that are broken at words, rows whose amounts stand below each other.
//!
//! Knows nothing of customers. What it is given is made safe for a terminal before it is measured; colours are put in only when
//! the page is written.

use crate::cli::say::safe;
use ratatui::text::Span;

/// How words look on a terminal that has colours; the words themselves say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Bold,
    Dim,
    Green,
    Amber,
    Red,
}

impl Tone {
    /// The parameter of "select graphic rendition" (ECMA-48, 8.3.117).
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Green => "32",
            Self::Amber => "33",
            Self::Red => "31",
        }
    }
}

/// Words of one tone.
pub(super) type Words = (Tone, String);

/// Columns that the further lines of a paragraph stand further in.
const HANGING: usize = 2;

/// Lines, none wider than the page.
#[derive(Debug)]
pub(super) struct Page {
    width: usize,
    lines: Vec<Vec<Words>>,
}

impl Page {
    pub(super) fn new(width: usize) -> Self {
        Self { width, lines: Vec::new() }
    }

    /// A heading, after an empty line unless it is the first.
    pub(super) fn heading(&mut self, text: &str) {
        self.gap();
        self.put(0, &[(Tone::Bold, text.to_owned())]);
    }

    /// An empty line, unless nothing stands before it.
    pub(super) fn gap(&mut self) {
        if !self.lines.is_empty() {
            self.lines.push(Vec::new());
        }
    }

    /// A plain paragraph.
    pub(super) fn say(&mut self, indent: usize, text: &str) {
        self.put(indent, &[(Tone::Plain, text.to_owned())]);
    }

    /// A paragraph. A word that is wider than the page is cut.
    pub(super) fn put(&mut self, indent: usize, words: &[Words]) {
        let hanging = indent.saturating_add(HANGING);
        let (mut line, mut used) = (vec![space(indent)], indent);
        for (tone, word) in self.cut(hanging, words) {
            let wide = columns(&word);
            let is_first = line.len() == 1;
            if !is_first && used.saturating_add(wide).saturating_add(1) > self.width {
                self.lines.push(std::mem::replace(&mut line, vec![space(hanging)]));
                used = hanging;
            } else if !is_first {
                let before = line.last().map(|(tone, _)| *tone);
                line.push((if before == Some(tone) { tone } else { Tone::Plain }, " ".to_owned()));
                used = used.saturating_add(1);
            }
            used = used.saturating_add(wide);
            line.push((tone, word));
        }
        self.lines.push(line);
    }

    /// Words of a paragraph, each narrow enough for a line of its own.
    fn cut(&self, hanging: usize, words: &[Words]) -> Vec<Words> {
        let room = self.width.saturating_sub(hanging).max(1);
        let mut cut = Vec::new();
        for (tone, text) in words {
            for word in safe(text).split_whitespace() {
                let mut piece = String::new();
                for character in word.chars() {
                    piece.push(character);
                    if columns(&piece) > room {
                        piece.pop();
                        cut.push((*tone, std::mem::replace(&mut piece, character.into())));
                    }
                }
                cut.push((*tone, piece));
            }
        }
        cut
    }

    /// Texts with an amount each; the amounts end at one column if every row has room for that.
    pub(super) fn rows(&mut self, indent: usize, rows: &[(String, String)]) {
        let rows: Vec<(String, String)> =
            rows.iter().map(|(text, amount)| (safe(text).into_owned(), safe(amount).into_owned())).collect();
        let widest =
            |of: fn(&(String, String)) -> &str| rows.iter().map(|row| columns(of(row))).max().unwrap_or(0);
        let (text, amount) = (widest(|row| &row.0), widest(|row| &row.1));
        let wide = indent.saturating_add(text).saturating_add(2).saturating_add(amount);
        for row in &rows {
            if wide > self.width {
                self.say(indent, &format!("{} {}", row.0, row.1));
                continue;
            }
            let gap =
                wide.saturating_sub(indent).saturating_sub(columns(&row.0)).saturating_sub(columns(&row.1));
            let line = format!("{}{}{}", row.0, " ".repeat(gap), row.1);
            self.lines.push(vec![space(indent), (Tone::Plain, line)]);
        }
    }

    /// The page as text, with the terminal's colours or without.
    pub(super) fn written(&self, coloured: bool) -> String {
        let mut text = String::new();
        for line in &self.lines {
            let mut tone_now = Tone::Plain;
            for (tone, words) in line {
                if coloured && *tone != tone_now {
                    // What was before ends first: bold is no colour, and stays otherwise.
                    text.push_str("\x1b[0m");
                    if *tone != Tone::Plain {
                        text.push_str(&format!("\x1b[{}m", tone.code()));
                    }
                    tone_now = *tone;
                }
                text.push_str(words);
            }
            if tone_now != Tone::Plain {
                text.push_str("\x1b[0m");
            }
            text.push('\n');
        }
        text
    }
}

fn space(columns: usize) -> Words {
    (Tone::Plain, " ".repeat(columns))
}

/// Columns that a terminal gives a text: two to a Chinese character.
fn columns(text: &str) -> usize {
    Span::raw(text).width()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_broken_at_words_and_too_long_words_are_cut() {
        let mut page = Page::new(12);
        page.heading("One");
        page.put(2, &[(Tone::Red, "late".to_owned()), (Tone::Plain, "since Monday".to_owned())]);
        page.heading("Two");
        page.say(0, "0123456789ABCDEF 李小龙李小龙 e\u{1b}[2J");
        let text = page.written(false);
        assert_eq!(
            text,
            "One\n  late since\n    Monday\n\nTwo\n0123456789\n  ABCDEF\n  李小龙李小\n  龙\n  e\\u{1b}[2J\n"
        );
        assert!(text.lines().all(|line| columns(line) <= 12));
        let coloured = page.written(true);
        assert!(coloured.contains("\x1b[0m\x1b[31mlate\x1b[0m since"), "{coloured:?}");
        assert!(coloured.contains("\x1b[0m\x1b[1mOne\x1b[0m\n"), "{coloured:?}");
    }

    #[test]
    fn amounts_stand_below_each_other_where_there_is_room() {
        let rows = [("a".to_owned(), "1.00".to_owned()), ("bcd".to_owned(), "10.00".to_owned())];
        let mut page = Page::new(12);
        page.rows(2, &rows);
        assert_eq!(page.written(false), "  a     1.00\n  bcd  10.00\n");
        let mut page = Page::new(11);
        page.rows(2, &rows);
        assert_eq!(page.written(false), "  a 1.00\n  bcd 10.00\n");
    }
}
