//! Moments as people write them on the command line, by one rule wherever an option takes one.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A moment: `2026-11-22 14:30` as the host's clock has it, `2026-11-22T13:30:00Z`, or a day, which is its beginning here.
///
/// # Errors
/// What would be one.
pub(super) fn read(text: &str) -> Result<Timestamp, &'static str> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let at: DateTime = text
        .parse()
        .map_err(|_| "is no time: write `2026-11-22 14:30`, `2026-11-22T13:30:00Z` or `2026-11-22`")?;
    let at = at.to_zoned(TimeZone::system()).map_err(|_| "is a time that does not exist here")?;
    Ok(at.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_however_it_is_written() {
        assert_eq!(read("2026-11-22T13:30:00Z").unwrap().to_string(), "2026-11-22T13:30:00Z");
        let here = |text: &str| read(text).unwrap().to_zoned(TimeZone::system()).datetime().to_string();
        assert_eq!(here("2026-11-22 14:30"), "2026-11-22T14:30:00");
        assert_eq!(here("2026-11-22"), "2026-11-22T00:00:00");
        for wrong in ["", "yesterday", "14:30", "2026-13-01", "22.11.2026"] {
            assert!(read(wrong).unwrap_err().contains("`2026-11-22 14:30`"), "{wrong}");
        }
    }
}
