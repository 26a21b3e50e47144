//! Everything that is written to a person or a program: text made safe, tables, JSON lines, complaints.
//!
//! Nothing out of an answer reaches the terminal but through [`safe`]: a product's code, a name or a hint can hold
//! sequences that move the cursor, rename the window or turn the reading direction.

use super::spoken;
use crate::push::client::ClientError;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::io::{self, Write as _};

/// Whoever read standard output has closed it: no failure.
#[derive(Debug, thiserror::Error)]
#[error("standard output is closed")]
pub(super) struct ReaderGone;

/// Longer lines are not read to their end.
const COLUMNS_MAX: u16 = 120;

/// Characters that draw nothing and change how others are drawn: controls, and marks of reading direction, line and
/// paragraph (Unicode 16, sections 23.1 and 23.2).
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// `text` with such characters written out, GS as `\u{1d}`.
pub(super) fn safe(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unsafe(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// JSON in one line, with the same characters as JSON writes them out: equal for a program, harmless to a terminal.
pub(super) fn safe_json(value: &Value) -> String {
    written_out(value.to_string(), is_unsafe)
}

/// The same over several lines, for people to read.
pub(super) fn safe_json_page(value: &Value) -> String {
    // A line's end within a text is written out by JSON itself.
    written_out(format!("{value:#}"), |character| is_unsafe(character) && character != '\n')
}

fn written_out(text: String, is_unsafe: impl Fn(char) -> bool) -> String {
    if !text.chars().any(&is_unsafe) {
        return text;
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unsafe(character) {
            // Every one of them has a number below 0x10000; JSON lets them stand only within texts.
            shown.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Writes lines to standard output; each is made [`safe`].
pub(super) fn text(text: &str) -> anyhow::Result<()> {
    for line in text.lines() {
        write_line(&safe(line))?;
    }
    Ok(())
}

/// Writes a page whose words were made [`safe`] when it was put together: it may have the terminal's colours in it.
pub(super) fn page(page: &str) -> anyhow::Result<()> {
    page.lines().try_for_each(write_line)
}

/// As wide as the terminal, if that has a width.
pub(super) fn columns() -> Option<u16> {
    Table::new().width()
}

/// Writes one line of JSON.
pub(super) fn json_line(value: &Value) -> anyhow::Result<()> {
    write_line(&safe_json(value))
}

fn write_line(line: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(line.as_bytes())
        .and_then(|()| stdout.write_all(b"\n"))
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        done => Ok(done?),
    }
}

/// Rows with a header, as text without frames. Every cell is made [`safe`].
pub(super) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = fitting();
    table.set_header(header);
    for row in rows {
        table.add_row(row.map(|cell| safe(&cell).into_owned()));
    }
    table.trim_fmt()
}

/// A table as wide as the terminal, and no wider than can be read. A file or a pipe has no width: there a row is one line, for
/// whoever looks for an id in it must find it in one piece.
fn fitting() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    match columns() {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(width.min(COLUMNS_MAX));
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    table
}

/// Names and values, one a line; what has no value is left out.
pub(super) fn fields<const N: usize>(rows: [(&str, String); N]) -> String {
    let mut table = fitting();
    for (name, value) in rows {
        if value != NOTHING {
            table.add_row([name.to_owned(), safe(&value).into_owned()]);
        }
    }
    table.trim_fmt()
}

/// What stands where there is nothing.
pub(super) const NOTHING: &str = "-";

/// The value at a JSON pointer as text for people.
pub(super) fn at(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => NOTHING.to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// The value of a field, null if there is none.
pub(super) fn get<'a>(value: &'a Value, field: &str) -> &'a Value {
    value.get(field).unwrap_or(&Value::Null)
}

/// The rows at a JSON pointer; none if there is no list.
pub(super) fn rows<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// An RFC 3339 time as date and minute of this host's time zone.
pub(super) fn when(text: &str) -> String {
    local(text, "%Y-%m-%d %H:%M")
}

/// An RFC 3339 time as date and second of this host's time zone.
pub(super) fn to_the_second(text: &str) -> String {
    local(text, "%Y-%m-%d %H:%M:%S")
}

/// An RFC 3339 time as the time of day of this host's time zone.
pub(super) fn time_of_day(text: &str) -> String {
    local(text, "%H:%M:%S%.3f")
}

fn local(text: &str, format: &str) -> String {
    match text.parse::<jiff::Timestamp>() {
        Ok(at) => at.to_zoned(jiff::tz::TimeZone::system()).strftime(format).to_string(),
        Err(_) => text.to_owned(),
    }
}

/// An error with its causes on standard error: as text in words of the command line, or as one line of JSON in the daemon's.
#[expect(clippy::print_stderr, reason = "this is where the command line says what went wrong")]
pub(super) fn complain(error: &anyhow::Error, as_json: bool) {
    let (reason, field) = match error.downcast_ref::<ClientError>() {
        Some(ClientError::Refused { reason, field, .. }) => (Some(reason), field.as_ref()),
        _ => (None, None),
    };
    let message = format!("{error:#}");
    if as_json {
        let error = json!({ "error": { "message": message, "reason": reason, "field": field } });
        return eprintln!("{}", safe_json(&error));
    }
    // Only what the daemon said is in words of the protocol.
    let message = if reason.is_some() { spoken::message(&message) } else { message };
    let at = field.map(|field| format!("{}: ", spoken::field(field))).unwrap_or_default();
    for (number, line) in format!("{at}{message}").lines().enumerate() {
        eprintln!("{}{}", if number == 0 { "ficha: " } else { "" }, safe(line));
    }
}

/// One line for a person on standard error, beside what goes to standard output.
#[expect(clippy::print_stderr, reason = "hints must not stand among the output")]
pub(super) fn aside(line: &str) {
    eprintln!("{}", safe(line));
}

/// Lines for a person on standard error.
pub(super) fn aside_block(text: &str) {
    text.lines().for_each(aside);
}

/// A word of the protocol as people read it.
pub(super) fn plain(word: &str) -> String {
    word.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_sent_no_control() {
        let wild = "a\u{1b}[2J\u{1d}b\u{9b}31m\u{202e}c\nñ日";
        assert_eq!(safe(wild), "a\\u{1b}[2J\\u{1d}b\\u{9b}31m\\u{202e}c\\nñ日");
        assert_eq!(safe("García"), "García");
        let line = safe_json(&json!({ "scan_data": wild }));
        assert!(!line.chars().any(is_unsafe), "{line}");
        let back: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(back["scan_data"], wild, "a program reads the same");
        for shown in [table(["A"], [[wild.to_owned()]]), fields([("a", wild.to_owned())])] {
            assert!(!shown.lines().any(|line| line.chars().any(is_unsafe)), "{shown}");
        }
    }

    #[test]
    fn every_unsafe_character_fits_four_digits() {
        assert!(('\0'..=char::MAX).filter(|char| is_unsafe(*char)).all(|char| u32::from(char) < 0x1_0000));
    }

    #[test]
    fn values_for_people() {
        let value = json!({ "a": { "b": "text", "n": null, "i": 7 }, "rows": [1] });
        let shown = ["/a/b", "/a/n", "/a/i", "/none"].map(|pointer| at(&value, pointer));
        assert_eq!(shown, ["text", "-", "7", "-"]);
        assert_eq!((rows(&value, "/rows").len(), rows(&value, "/a").len()), (1, 0));
        assert_eq!(when("no time"), "no time");
        assert_eq!(when("2026-09-21T14:13:20.000000Z").len(), "2026-09-21 14:13".len());
    }
}
