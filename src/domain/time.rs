//! Instants as plain numbers, so that whoever decides something is told the time and never asks.

use jiff::{Span, tz::TimeZone};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Time since the daemon started. Never goes back; says nothing about the wall clock.
///
/// A plain [`Duration`], so that a test writes `Duration::from_millis(50)` and needs no base instant.
pub type Uptime = Duration;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This instant, `by` later; stays at the end of time rather than overflow.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// RFC 3339 in UTC with microseconds, as every message on the socket shows time.
    #[must_use]
    pub fn rfc3339(self) -> String {
        jiff::Timestamp::from_microsecond(self.0)
            .map(|at| format!("{at:.6}"))
            .unwrap_or_else(|_| self.0.to_string())
    }
}

/// How long something is kept, by the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// No end is set.
    Always,
    /// So many days.
    Days(i32),
    /// So many months.
    Months(i32),
}

impl Period {
    /// The longest that a config can say, in days or months: ten years of days.
    pub const COUNT_MAX: i32 = 3660;

    /// The moment up to which this period is over at `now`, in UTC; `None` if it never is.
    #[must_use]
    pub fn over_up_to(self, now: Timestamp) -> Option<Timestamp> {
        let span = match self {
            Self::Always => return None,
            Self::Days(days) => Span::new().try_days(days),
            Self::Months(months) => Span::new().try_months(months),
        };
        let now = jiff::Timestamp::from_microsecond(now.0).ok()?.to_zoned(TimeZone::UTC);
        let then = now.checked_sub(span.ok()?).ok()?;
        Some(Timestamp(then.timestamp().as_microsecond()))
    }
}

/// As the config has it: `always`, `30 days`, `36 months`.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("always"),
            Self::Days(days) => write!(f, "{days} days"),
            Self::Months(months) => write!(f, "{months} months"),
        }
    }
}

/// Not a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a period is `always`, or 0 to {} of `days` or `months`, such as `36 months`", Period::COUNT_MAX)]
pub struct BadPeriod;

impl std::str::FromStr for Period {
    type Err = BadPeriod;

    fn from_str(text: &str) -> Result<Self, BadPeriod> {
        if text == "always" {
            return Ok(Self::Always);
        }
        let (count, unit) = text.split_once(' ').ok_or(BadPeriod)?;
        let count: i32 =
            count.parse().ok().filter(|count| (0..=Self::COUNT_MAX).contains(count)).ok_or(BadPeriod)?;
        match unit {
            "day" | "days" => Ok(Self::Days(count)),
            "month" | "months" => Ok(Self::Months(count)),
            _ => Err(BadPeriod),
        }
    }
}

/// A day as a calendar has it, without a time zone: `2026-11-22`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(jiff::civil::Date);

/// A text that is no day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a day of the calendar as YYYY-MM-DD")]
pub struct NoDay;

impl Day {
    /// Whether some place on earth has reached this day at `now`.
    #[must_use]
    pub fn has_begun(self, now: Timestamp) -> bool {
        // The first to have a new day are 14 hours ahead of UTC.
        let first = jiff::tz::TimeZone::fixed(jiff::tz::offset(14));
        let today = jiff::Timestamp::from_microsecond(now.0).map(|now| now.to_zoned(first).date());
        today.is_ok_and(|today| self.0 <= today)
    }

    /// Whether every place on earth has this day behind it at `now`.
    #[must_use]
    pub fn is_over(self, now: Timestamp) -> bool {
        // The last to have a new day are 12 hours behind UTC.
        let last = jiff::tz::TimeZone::fixed(jiff::tz::offset(-12));
        let today = jiff::Timestamp::from_microsecond(now.0).map(|now| now.to_zoned(last).date());
        today.is_ok_and(|today| self.0 < today)
    }

    /// The day that it is at `at` in `zone`; `None` beyond the calendar.
    #[must_use]
    pub fn of(at: Timestamp, zone: &TimeZone) -> Option<Self> {
        let at = jiff::Timestamp::from_microsecond(at.0).ok()?;
        Some(Self(at.to_zoned(zone.clone()).date()))
    }

    /// So many days later; `None` beyond the calendar.
    #[must_use]
    pub fn after_days(self, days: u32) -> Option<Self> {
        self.0.checked_add(Span::new().try_days(days).ok()?).ok().map(Self)
    }

    /// The day of the same number so many months later, or the last of a month that has none (Regulation (EEC, Euratom) 1182/71,
    /// article 3); `None` beyond the calendar.
    #[must_use]
    pub fn after_months(self, months: u32) -> Option<Self> {
        self.0.checked_add(Span::new().try_months(months).ok()?).ok().map(Self)
    }

    /// The moment at which this day is over in `zone`.
    #[must_use]
    pub fn end_in(self, zone: &TimeZone) -> Option<Timestamp> {
        let next = self.0.tomorrow().ok()?.to_zoned(zone.clone()).ok()?;
        Some(Timestamp(next.timestamp().as_microsecond()))
    }

    pub(in crate::domain) fn date(self) -> jiff::civil::Date {
        self.0
    }
}

impl From<jiff::civil::Date> for Day {
    fn from(date: jiff::civil::Date) -> Self {
        Self(date)
    }
}

impl Day {
    /// When this day is over where `zone` is kept; `None` at the calendar's end.
    #[must_use]
    pub fn ends_at(self, zone: &TimeZone) -> Option<Timestamp> {
        let end = self.0.tomorrow().ok()?.to_zoned(zone.clone()).ok()?;
        Some(Timestamp(end.timestamp().as_microsecond()))
    }

    /// The last day that is not over before `at` where `zone` is kept: of the end of a day, that day.
    #[must_use]
    pub fn last_before(at: Timestamp, zone: &TimeZone) -> Option<Self> {
        let moment = jiff::Timestamp::from_microsecond(at.0.checked_sub(1)?).ok()?;
        Some(Self(moment.to_zoned(zone.clone()).date()))
    }
}

impl std::str::FromStr for Day {
    type Err = NoDay;

    fn from_str(text: &str) -> Result<Self, NoDay> {
        let date = text.parse().map_err(|_| NoDay)?;
        // jiff reads more forms than this one; a day is compared as it is written.
        let day = Self(date);
        if day.to_string() == text { Ok(day) } else { Err(NoDay) }
    }
}

impl TryFrom<String> for Day {
    type Error = NoDay;
    fn try_from(text: String) -> Result<Self, NoDay> {
        text.parse()
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, f)
    }
}

/// Where the time comes from. Only `daemon` (and a test) makes one; everyone else is handed it.
pub trait Clock: Send + Sync {
    /// Time since start.
    fn uptime(&self) -> Uptime;
    /// The wall clock, UTC.
    fn utc(&self) -> Timestamp;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_go_by_the_calendar() {
        let at = |text: &str| Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_microsecond());
        let now = at("2026-03-31T12:00:00Z");
        for (period, over) in [
            ("always", None),
            ("0 days", Some("2026-03-31T12:00:00Z")),
            ("30 days", Some("2026-03-01T12:00:00Z")),
            ("1 month", Some("2026-02-28T12:00:00Z")),
            ("36 months", Some("2023-03-31T12:00:00Z")),
        ] {
            assert_eq!(period.parse::<Period>().unwrap().over_up_to(now), over.map(at), "{period}");
        }
        for wrong in ["", "36", "months", "-1 days", "3661 days", "2 years", "1  month"] {
            assert_eq!(wrong.parse::<Period>(), Err(BadPeriod), "{wrong}");
        }
        assert_eq!(Period::Months(36).to_string().parse(), Ok(Period::Months(36)));
    }

    #[test]
    fn a_day_has_one_spelling_and_begins_first_in_the_far_east() {
        let day: Day = "2026-11-22".parse().unwrap();
        assert_eq!(day.to_string(), "2026-11-22");
        for wrong in ["2026-11-31", "20261122", "2026-W47-7", "2026-11-22T00:00", "", "today"] {
            assert_eq!(wrong.parse::<Day>(), Err(NoDay), "{wrong}");
        }
        let at = |text: &str| Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_microsecond());
        assert!(!day.has_begun(at("2026-11-21T09:59:59Z")));
        assert!(day.has_begun(at("2026-11-21T10:00:00Z")));
        assert!(day.has_begun(at("2027-01-01T00:00:00Z")));
        assert!(!day.is_over(at("2026-11-23T11:59:59Z")));
        assert!(day.is_over(at("2026-11-23T12:00:00Z")));
    }
}
