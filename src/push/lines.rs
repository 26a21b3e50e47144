//! Bytes in, lines out. Pure; holds at most one line that is not complete, and no more of it than a line may have.

use super::wire::REQUEST_BYTES_MAX;

/// The longest line with its CR and LF.
const BUFFER_BYTES_MAX: usize = REQUEST_BYTES_MAX + 2;

/// What a session starts with; most requests are far shorter.
const BUFFER_BYTES_FIRST: usize = 4 * 1024;

/// A line, or the end of all lines.
#[derive(PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Without its LF or CR LF. Never empty.
    Whole(&'a [u8]),
    /// Longer than [`REQUEST_BYTES_MAX`]. Nothing after it can be trusted to be a line's start.
    TooLong,
}

/// The buffer between a socket and its lines: `start..end` is what has come and was not handed on.
#[derive(Default)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Up to here there is no LF.
    searched: usize,
}

impl Lines {
    /// The next complete line; `None`: read more into [`Self::space`].
    pub(super) fn next_line(&mut self) -> Option<Line<'_>> {
        loop {
            let rest = self.buffer.get(self.searched..self.end).unwrap_or_default();
            let Some(found) = rest.iter().position(|byte| *byte == b'\n') else {
                self.searched = self.end;
                let length = self.end.saturating_sub(self.start);
                return (length >= BUFFER_BYTES_MAX).then_some(Line::TooLong);
            };
            let at = self.searched.saturating_add(found);
            let line = self.start..at;
            self.start = at.saturating_add(1);
            self.searched = self.start;
            // Looked at through indices first: the borrow checker does not let go of a line that is only skipped.
            let empty = matches!(self.buffer.get(line.clone()), None | Some([] | [b'\r']));
            if !empty {
                let line = self.buffer.get(line).unwrap_or_default();
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                return Some(if line.len() > REQUEST_BYTES_MAX { Line::TooLong } else { Line::Whole(line) });
            }
        }
    }

    /// Where to read to. Never empty after [`Self::next_line`] gave `None`.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end, self.searched) = (0, 0, 0);
            // A client's one long request is no reason to hold 64 KiB for as long as it stays.
            self.buffer.truncate(BUFFER_BYTES_FIRST);
            self.buffer.shrink_to(BUFFER_BYTES_FIRST);
        } else if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end = self.end.saturating_sub(self.start);
            self.searched = self.searched.saturating_sub(self.start);
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            let length = self.buffer.len().saturating_mul(2).clamp(BUFFER_BYTES_FIRST, BUFFER_BYTES_MAX);
            self.buffer.resize(length, 0);
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// `count` bytes were read into [`Self::space`].
    pub(super) fn filled(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.buffer.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds `bytes` in pieces and gives the lines; `None` at the end when a line was too long.
    fn run(bytes: &[u8], piece: usize) -> Vec<Option<Vec<u8>>> {
        let (mut lines, mut got, mut rest) = (Lines::default(), Vec::new(), bytes);
        loop {
            match lines.next_line() {
                Some(Line::Whole(line)) => got.push(Some(line.to_vec())),
                Some(Line::TooLong) => {
                    got.push(None);
                    return got;
                }
                None if rest.is_empty() => return got,
                None => {
                    let space = lines.space();
                    let count = piece.min(space.len()).min(rest.len());
                    assert!(count > 0);
                    space[..count].copy_from_slice(&rest[..count]);
                    rest = &rest[count..];
                    lines.filled(count);
                    assert!(lines.buffer.len() <= BUFFER_BYTES_MAX);
                }
            }
        }
    }

    #[test]
    fn the_longest_line_and_one_byte_more() {
        for (length, fits) in [(REQUEST_BYTES_MAX, true), (REQUEST_BYTES_MAX + 1, false), (1 << 20, false)] {
            for end in ["\n", "\r\n"] {
                let line = [&vec![b'x'; length], end.as_bytes(), b"y\n"].concat();
                for piece in [1000, 1 << 20] {
                    let got = run(&line, piece);
                    assert_eq!(got.first().unwrap().as_ref().map(Vec::len), fits.then_some(length));
                    assert_eq!(got.len(), if fits { 2 } else { 1 });
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_pieces_give_the_same_lines(text in "[ab\r\n]{0,200}", piece in 1_usize..50) {
            let want: Vec<Option<Vec<u8>>> = text
                .split_inclusive('\n')
                .filter_map(|line| line.strip_suffix('\n'))
                .map(|line| line.strip_suffix('\r').unwrap_or(line))
                .filter(|line| !line.is_empty())
                .map(|line| Some(line.as_bytes().to_vec()))
                .collect();
            prop_assert_eq!(run(text.as_bytes(), piece), want);
        }
    }
}
