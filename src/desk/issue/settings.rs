//! What a shop has promised its customers, as the config has it: opening hours, targets by severity, the legal warranty.

use crate::domain::business::{Calendar, Holiday, Opening, check_openings};
use crate::domain::issue::{LEGAL_MONTHS, Target, Terms, WARRANTY_MONTHS_MAX, legal_months};
use crate::domain::settings::Keys;
use jiff::tz::TimeZone;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The most days in the list of holidays.
const HOLIDAYS_MAX: usize = 400;

/// The longest target, in hours of business.
const HOURS_MAX: u64 = 2000;

const WEEK: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Key and default of each target in hours, by severity: until somebody looks, and until it is settled.
const TARGETS: [[(&str, u64); 2]; 4] = [
    [("s1_response_hours", 1), ("s1_resolution_hours", 8)],
    [("s2_response_hours", 4), ("s2_resolution_hours", 16)],
    [("s3_response_hours", 8), ("s3_resolution_hours", 40)],
    [("s4_response_hours", 16), ("s4_resolution_hours", 80)],
];

/// After so many open days customers are asked whether all is good, unless the config says otherwise.
const FOLLOW_UP_DAYS: u64 = 3;

/// The service of a shop, as `[service]` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Hours and targets.
    pub terms: Terms,
    /// Months of the legal warranty.
    pub warranty_months: u32,
}

impl Default for Settings {
    fn default() -> Self {
        let mut nothing_wrong = Vec::new();
        Self::read(&mut Keys::new("", toml::Table::new(), &mut nothing_wrong))
    }
}

impl Settings {
    /// Reads `[service]`. The time zone is the one of `[points]`: see [`Self::in_zone`].
    pub fn read(keys: &mut Keys<'_>) -> Self {
        let week = WEEK.map(|day| openings(keys, day));
        if week.iter().all(Vec::is_empty) {
            keys.refuse("monday", "the shop is open on no day of the week: no deadline could ever be met");
        }
        let holidays: BTreeSet<Holiday> = list(keys, "holidays").unwrap_or_default().into_iter().collect();
        if holidays.len() > HOLIDAYS_MAX {
            keys.refuse("holidays", format!("{} of them; at most {HOLIDAYS_MAX}", holidays.len()));
        }
        let mut hours = |(key, usual): (&'static str, u64)| {
            Duration::from_hours(keys.number(key, 1..=HOURS_MAX, "hours of business").unwrap_or(usual))
        };
        let targets = TARGETS.map(|[response, resolution]| Target {
            response: hours(response),
            resolution: hours(resolution),
        });
        let follow_up = keys.number("follow_up_days", 1..=60, "open days").unwrap_or(FOLLOW_UP_DAYS);
        let follow_up_days = u32::try_from(follow_up).unwrap_or(u32::MAX);
        let warranty_months = warranty(keys);
        // Overlapping openings are told above; without the day they are in, the rest can still be checked.
        let calendar = Calendar::new(TimeZone::UTC, week, holidays).unwrap_or_else(|_| Calendar::never());
        Self { terms: Terms { calendar, targets, follow_up_days }, warranty_months }
    }

    /// The same where the shop is.
    #[must_use]
    pub fn in_zone(self, zone: TimeZone) -> Self {
        let Self { terms, warranty_months } = self;
        Self { terms: Terms { calendar: terms.calendar.in_zone(zone), ..terms }, warranty_months }
    }
}

/// The openings of a weekday; nine to six from Monday to Friday where the config says nothing.
fn openings(keys: &mut Keys<'_>, day: &'static str) -> Vec<Opening> {
    let Some(openings) = list::<Opening>(keys, day) else {
        let usual = Opening::new(9 * 60, 18 * 60).ok().filter(|_| !matches!(day, "saturday" | "sunday"));
        return usual.into_iter().collect();
    };
    if let Err(problem) = check_openings(&openings) {
        keys.refuse(day, problem.to_string());
        return Vec::new();
    }
    openings
}

/// A list of texts, each read; `None` if there is none.
fn list<T: FromStr>(keys: &mut Keys<'_>, key: &'static str) -> Option<Vec<T>>
where
    T::Err: fmt::Display,
{
    let mut values = Vec::new();
    for text in keys.texts(key)? {
        match text.parse() {
            Ok(value) => values.push(value),
            Err(problem) => keys.refuse(key, format!("`{text}`: {problem}")),
        }
    }
    Some(values)
}

/// The months of the legal warranty: as given, else those of the country.
fn warranty(keys: &mut Keys<'_>) -> u32 {
    let country = keys.text("country");
    let months = keys.number("warranty_months", 1..=u64::from(WARRANTY_MONTHS_MAX), "months");
    let by_law = country.as_deref().map(legal_months);
    if months.is_none() && by_law == Some(None) {
        let problem =
            "is no member state of the European Union (ISO 3166-1, capital letters): give `warranty_months`";
        keys.refuse("country", problem);
    }
    let months = months.and_then(|months| u32::try_from(months).ok());
    months.or(by_law.flatten()).unwrap_or(LEGAL_MONTHS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::read_text;
    use crate::domain::time::Timestamp;

    fn read(text: &str) -> (Settings, Vec<String>) {
        let (settings, mistakes) = read_text(text, Settings::read).unwrap();
        (settings, mistakes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_mistake_names_its_key() {
        let text = "monday = ['9-5']\ntuesday = ['09:00-14:00', '13:00-20:00']\nholidays = ['2026-02-30']\n\
                    s1_response_hours = 0\nfollow_up_days = 61\ncountry = 'US'\nfriday = 'all day'";
        let keys: Vec<String> =
            read(text).1.iter().map(|said| said.split(':').next().unwrap().to_owned()).collect();
        assert_eq!(
            keys,
            ["monday", "tuesday", "friday", "holidays", "s1_response_hours", "follow_up_days", "country"]
        );
        let never = WEEK.map(|day| format!("{day} = []")).join("\n");
        assert!(read(&never).1[0].starts_with("monday: the shop is open on no day"));
    }

    #[test]
    fn the_warranty_is_the_countrys_unless_the_shop_says_otherwise() {
        for (text, months) in [
            ("", 24),
            ("country = 'ES'", 36),
            ("country = 'FR'", 24),
            ("country = 'US'\nwarranty_months = 12", 12),
        ] {
            let (settings, mistakes) = read(text);
            assert_eq!((settings.warranty_months, mistakes), (months, Vec::new()), "{text}");
        }
    }

    #[test]
    fn a_shop_that_says_nothing_is_open_on_working_days() {
        let settings = Settings::default().in_zone(TimeZone::get("Europe/Madrid").unwrap());
        let friday = Timestamp("2026-11-27T16:30:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond());
        let due = settings.terms.calendar.add(friday, settings.terms.targets[0].response).unwrap();
        assert_eq!(due.rfc3339(), "2026-11-30T08:30:00.000000Z");
    }
}
