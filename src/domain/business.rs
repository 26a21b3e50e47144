//! Business time: when a shop is open, and reckoning over those hours alone.
//!
//! A calendar is opening hours for each weekday, days on which it stays shut, and a time zone. Hours are the clock's on the wall:
//! on the night the clock is put forward an opening that falls into the missing hour begins and ends an hour later.
//!
//! Never asks what time it is, and never guesses: a calendar without an opening has no business time, and what would end more than
//! [`DAYS_MAX`] days ahead has no end.

use super::time::{Day, Timestamp};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// As far as is reckoned: ten years.
pub const DAYS_MAX: u32 = 3660;

/// The most openings of one day.
pub const OPENINGS_MAX: usize = 8;

/// Minutes of a day.
const MINUTES_OF_DAY: u16 = 24 * 60;

/// One opening of a day, as the clock on the wall has it: `09:00-14:00`. `24:00` is the end of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opening {
    from_minute: u16,
    to_minute: u16,
}

/// Not an opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an opening as HH:MM-HH:MM, its end after its beginning, such as `09:00-14:00`")]
pub struct BadOpening;

impl Opening {
    /// Minutes since midnight, the second later than the first and at most 1440.
    ///
    /// # Errors
    /// [`BadOpening`] for anything else.
    pub fn new(from_minute: u16, to_minute: u16) -> Result<Self, BadOpening> {
        let fits = from_minute < to_minute && to_minute <= MINUTES_OF_DAY;
        fits.then_some(Self { from_minute, to_minute }).ok_or(BadOpening)
    }
}

impl FromStr for Opening {
    type Err = BadOpening;

    fn from_str(text: &str) -> Result<Self, BadOpening> {
        let minute = |text: &str| {
            let (hours, minutes) = text.split_once(':')?;
            let two_digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            let fits = two_digits(hours) && two_digits(minutes);
            let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
            (fits && minutes < 60).then_some(hours.checked_mul(60)?.checked_add(minutes)?)
        };
        let (from, to) = text.split_once('-').ok_or(BadOpening)?;
        Self::new(minute(from).ok_or(BadOpening)?, minute(to).ok_or(BadOpening)?)
    }
}

/// A day on which the shop stays shut: one day, or one of each year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holiday {
    /// `2026-12-07`.
    Once(Day),
    /// `12-25`, by month and day.
    Yearly(i8, i8),
}

/// Not a holiday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a day as YYYY-MM-DD, or as MM-DD for one of each year")]
pub struct BadHoliday;

impl FromStr for Holiday {
    type Err = BadHoliday;

    fn from_str(text: &str) -> Result<Self, BadHoliday> {
        if let Ok(day) = text.parse() {
            return Ok(Self::Once(day));
        }
        // A leap year, so that 02-29 is a day.
        let day: Day = format!("2024-{text}").parse().map_err(|_| BadHoliday)?;
        Ok(Self::Yearly(day.date().month(), day.date().day()))
    }
}

/// When a shop is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    zone: TimeZone,
    /// Monday first, each in order and apart from one another.
    week: [Vec<Opening>; 7],
    holidays: BTreeSet<Holiday>,
}

/// Two openings of one day that meet or overlap, or too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a day has at most {OPENINGS_MAX} openings, one after the other, none into another")]
pub struct BadOpenings;

/// Whether these can be the openings of one day.
///
/// # Errors
/// [`BadOpenings`] if they cannot.
pub fn check_openings(openings: &[Opening]) -> Result<(), BadOpenings> {
    let apart = openings.is_sorted_by(|one, next| one.to_minute <= next.from_minute);
    if apart && openings.len() <= OPENINGS_MAX { Ok(()) } else { Err(BadOpenings) }
}

impl Calendar {
    /// A calendar of these hours, Monday first.
    ///
    /// # Errors
    /// [`BadOpenings`] if the openings of a day overlap.
    pub fn new(
        zone: TimeZone,
        week: [Vec<Opening>; 7],
        holidays: BTreeSet<Holiday>,
    ) -> Result<Self, BadOpenings> {
        week.iter().try_for_each(|day| check_openings(day))?;
        Ok(Self { zone, week, holidays })
    }

    /// A shop that never opens.
    #[must_use]
    pub fn never() -> Self {
        Self { zone: TimeZone::UTC, week: Default::default(), holidays: BTreeSet::new() }
    }

    /// Where the shop is.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The same hours elsewhere.
    #[must_use]
    pub fn in_zone(self, zone: TimeZone) -> Self {
        Self { zone, ..self }
    }

    /// The day that it is in the shop at `at`.
    #[must_use]
    pub fn day(&self, at: Timestamp) -> Option<Day> {
        Day::of(at, &self.zone)
    }

    /// The first moment by which the shop has been open for `time` since `from`; `None` beyond [`DAYS_MAX`].
    #[must_use]
    pub fn add(&self, from: Timestamp, time: Duration) -> Option<Timestamp> {
        let mut left = i64::try_from(time.as_micros()).ok()?;
        if left == 0 {
            return Some(from);
        }
        for date in self.dates(from)? {
            for (opens, closes) in self.openings(date) {
                let begins = opens.max(from.0);
                let open = closes.saturating_sub(begins).max(0);
                if open >= left {
                    return Some(Timestamp(begins.saturating_add(left)));
                }
                left = left.saturating_sub(open);
            }
        }
        None
    }

    /// How long the shop is open from `from` to `to`, within [`DAYS_MAX`] days.
    #[must_use]
    pub fn between(&self, from: Timestamp, to: Timestamp) -> Duration {
        let mut micros = 0_i64;
        for date in self.dates(from).into_iter().flatten() {
            for (opens, closes) in self.openings(date) {
                if opens >= to.0 {
                    return micros_long(micros);
                }
                let open = closes.min(to.0).saturating_sub(opens.max(from.0)).max(0);
                micros = micros.saturating_add(open);
            }
            // A day without an opening must end the search too.
            if self.start_of(date).is_none_or(|start| start >= to.0) {
                break;
            }
        }
        micros_long(micros)
    }

    /// When the shop opens and closes on the `count`th day after `from` on which it opens at all; `None` beyond [`DAYS_MAX`].
    #[must_use]
    pub fn open_day_after(&self, from: Timestamp, count: u32) -> Option<(Timestamp, Timestamp)> {
        let open = |date: Date| {
            let openings: Vec<(i64, i64)> = self.openings(date).collect();
            Some((Timestamp(openings.first()?.0), Timestamp(openings.last()?.1)))
        };
        let after = usize::try_from(count.checked_sub(1)?).ok()?;
        self.dates(from)?.skip(1).filter_map(open).nth(after)
    }

    /// The dates from the one that it is at `from` on.
    fn dates(&self, from: Timestamp) -> Option<impl Iterator<Item = Date>> {
        let first = self.day(from)?.date();
        let dates = std::iter::successors(Some(first), |date| date.tomorrow().ok());
        Some(dates.take(usize::try_from(DAYS_MAX).unwrap_or(usize::MAX)))
    }

    /// The openings of a date as microseconds since 1970.
    fn openings(&self, date: Date) -> impl Iterator<Item = (i64, i64)> {
        let monday_first = date.weekday().to_monday_zero_offset();
        let shut = self.holidays.contains(&Holiday::Yearly(date.month(), date.day()))
            || self.holidays.contains(&Holiday::Once(Day::from(date)));
        let day = usize::try_from(monday_first).ok().and_then(|day| self.week.get(day)).filter(|_| !shut);
        day.into_iter().flatten().filter_map(move |opening| {
            Some((self.instant(date, opening.from_minute)?, self.instant(date, opening.to_minute)?))
        })
    }

    fn instant(&self, date: Date, minute: u16) -> Option<i64> {
        if minute >= MINUTES_OF_DAY {
            return self.start_of(date.tomorrow().ok()?);
        }
        let (hour, minute) = (minute.checked_div(60)?, minute.checked_rem(60)?);
        let time = jiff::civil::Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0).ok()?;
        let zoned = date.to_datetime(time).to_zoned(self.zone.clone()).ok()?;
        Some(zoned.timestamp().as_microsecond())
    }

    fn start_of(&self, date: Date) -> Option<i64> {
        Some(date.to_zoned(self.zone.clone()).ok()?.timestamp().as_microsecond())
    }
}

fn micros_long(micros: i64) -> Duration {
    Duration::from_micros(micros.unsigned_abs())
}

/// As the config has it.
impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |minute: u16| (minute.checked_div(60).unwrap_or(0), minute.checked_rem(60).unwrap_or(0));
        let ((from, from_minute), (to, to_minute)) = (part(self.from_minute), part(self.to_minute));
        write!(f, "{from:02}:{from_minute:02}-{to:02}:{to_minute:02}")
    }
}

#[cfg(test)]
mod tests;
