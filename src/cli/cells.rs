//! Cells of a CSV file that a spreadsheet shows as text and never works out as a formula.
//!
//! A cell that begins with `=`, `+`, `-`, `@`, a tab, a carriage return or a line feed (or the first four in full width) is
//! written with an apostrophe before it, and every cell stands in quotes, so that none can end early (OWASP, "CSV Injection").
//! What is written so is read back as it was: a cell with apostrophes before such a character loses one of them.

use std::borrow::Cow;

/// Characters that begin a formula, or hide that one follows.
fn begins_formula(text: &str) -> bool {
    let formula = ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
    text.starts_with(formula)
}

/// Whether apostrophes and then such a character stand first.
fn is_guarded(text: &str) -> bool {
    let rest = text.trim_start_matches('\'');
    rest.len() < text.len() && begins_formula(rest)
}

/// A text as it is written into a cell.
pub(super) fn guarded(text: &str) -> Cow<'_, str> {
    if begins_formula(text) || is_guarded(text) { format!("'{text}").into() } else { text.into() }
}

/// What [`guarded`] was given.
pub(super) fn unguarded(cell: &str) -> &str {
    if is_guarded(cell) { cell.get(1..).unwrap_or_default() } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_a_formula_and_each_is_read_back() {
        let wild = ["=1+1", "+34600", "-5", "@x", "\t=1", "\r=1", "\n=1", "＝1", "'=1", "''+1", "＠x"];
        for text in wild {
            let cell = guarded(text);
            assert!(cell.starts_with('\'') && !begins_formula(&cell), "{text}");
            assert_eq!(unguarded(&cell), text);
        }
        for text in ["", "Ana", "'s-Hertogenbosch", "d'Angelo", "'", "600 123 456", "a=b"] {
            assert_eq!((&*guarded(text), unguarded(text)), (text, text));
        }
    }
}
