//! The points programme as the config has it: what sales earn, when points expire, how long a hold stands.

use crate::domain::level::Ladder;
use crate::domain::money::MINOR_MAX;
use crate::domain::points::{EarnRule, POINTS_MAX};
use crate::domain::reward::Reward;
use crate::domain::settings::Keys;
use crate::domain::time::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};
use std::time::Duration;

/// The longest that points can live: with a lot for each month, fewer than `LOTS_MAX`.
const EXPIRE_MONTHS_MAX: u64 = 120;

/// The most rules of what sales earn.
const EARN_RULES_MAX: usize = 64;

/// The programme, as `[points]` has it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// After how many months points expire, at the end of the month; `None`: never.
    pub expire_months: Option<u32>,
    /// Where a month ends.
    pub time_zone: TimeZone,
    /// How long a hold stands.
    pub hold: Duration,
    /// The most points that a till can give at once.
    pub earn_max: i64,
    /// What sales earn: each line by the first rule that is for it. From tables of their own.
    pub earn: Vec<EarnRule>,
    /// The levels, if there are any. From tables of their own.
    pub levels: Option<Ladder>,
    /// What points buy. From tables of their own.
    pub rewards: Vec<Reward>,
}

impl Default for Settings {
    fn default() -> Self {
        let hold = Duration::from_mins(15);
        let (time_zone, earn, rewards) = (TimeZone::UTC, Vec::new(), Vec::new());
        Self { expire_months: None, time_zone, hold, earn_max: 100_000, earn, levels: None, rewards }
    }
}

impl Settings {
    /// Reads `[points]`.
    pub fn read(keys: &mut Keys<'_>) -> Self {
        let mut settings = Self::default();
        let months = keys.number("expire_months", 1..=EXPIRE_MONTHS_MAX, "months");
        settings.expire_months = months.and_then(|months| u32::try_from(months).ok());
        let no_zone = "is no time zone this host knows; write one as `Europe/Madrid`";
        if let Some(zone) = keys.parsed("time_zone", |name| TimeZone::get(name).map_err(|_| no_zone)) {
            settings.time_zone = zone;
        }
        if let Some(minutes) = keys.number("hold_minutes", 1..=24 * 60, "minutes") {
            settings.hold = Duration::from_mins(minutes);
        }
        let most = keys.number("earn_max", 1..=POINTS_MAX.unsigned_abs(), "points");
        settings.earn_max = most.and_then(|most| i64::try_from(most).ok()).unwrap_or(settings.earn_max);
        settings
    }

    /// When points that are earned `now` expire: as the last moment of a month ends.
    pub(in crate::desk) fn expires_at(&self, now: Timestamp) -> Option<Timestamp> {
        let months = i64::from(self.expire_months?).months();
        let end = month_after(now, &self.time_zone, months);
        // Beyond the calendar's end there is no expiry.
        end.map(Timestamp)
    }
}

/// Reads every `[[earn]]`.
pub fn read_earn(keys: &mut Keys<'_>) -> Vec<EarnRule> {
    keys.tables("earn", EARN_RULES_MAX, read_rule)
}

fn read_rule(keys: &mut Keys<'_>) -> Option<EarnRule> {
    let whole = |number: Option<u64>| number.and_then(|number| i64::try_from(number).ok());
    let points = whole(keys.number("points", 0..=1_000_000, "points"));
    let points = keys.required("points", points);
    let per = whole(keys.number("per", 1..=MINOR_MAX.unsigned_abs(), "minor units"));
    let per = keys.required("per", per);
    let currency = keys.parsed("currency", str::parse);
    let currency = keys.required("currency", currency);
    let category = keys.text("category");
    if points == Some(0) && category.is_none() {
        keys.refuse(
            "points",
            "must be 1 to 1000000 points; 0 goes with a `category` alone, which then earns none",
        );
    }
    Some(EarnRule { currency: currency?, points: points?, per: per?, category })
}

fn month_after(now: Timestamp, zone: &TimeZone, months: Span) -> Option<i64> {
    let now = jiff::Timestamp::from_microsecond(now.0).ok()?.to_zoned(zone.clone());
    let last = now.date().checked_add(months).ok()?.last_of_month();
    let next = last.tomorrow().ok()?.to_datetime(Time::midnight()).to_zoned(zone.clone()).ok()?;
    Some(next.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_expire_as_a_month_ends_where_the_shop_is() {
        let at = |text: &str| Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_microsecond());
        let madrid = TimeZone::get("Europe/Madrid").unwrap();
        let mut settings = Settings { time_zone: madrid, ..Settings::default() };
        assert_eq!(settings.expires_at(at("2026-01-31T12:00:00Z")), None);
        settings.expire_months = Some(1);
        assert_eq!(settings.expires_at(at("2026-01-31T12:00:00Z")), Some(at("2026-02-28T23:00:00Z")));
        settings.expire_months = Some(12);
        assert_eq!(settings.expires_at(at("2026-06-30T22:30:00Z")), Some(at("2027-07-31T22:00:00Z")));
    }
}
