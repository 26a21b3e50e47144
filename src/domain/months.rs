//! What a customer bought and earned, month by month: what levels and worth are reckoned from.
//!
//! A sale counts in the month of its business day, and what comes back of it is taken out of that same month, so that a
//! sale that came back whole was never there. Points count in the month (UTC) in which they were earned, and are taken
//! back there. Sums only; what they mean is [`level`](super::level)'s and [`worth`](super::worth)'s to say.

use super::money::Currency;
use super::purchase::Turnover;
use super::time::{Day, Timestamp};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// The most months that are kept of one customer: two years, a year of grace, and what a business day can be ahead.
pub const MONTHS_MAX: usize = 40;

/// A month of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Month(u16);

impl Month {
    /// The month of a day; the first of all for a day before our era.
    #[must_use]
    pub fn of(day: Day) -> Self {
        let date = day.date();
        let year = u16::try_from(date.year()).unwrap_or(0);
        let month = u16::try_from(date.month()).unwrap_or(1).saturating_sub(1);
        Self(year.saturating_mul(12).saturating_add(month))
    }

    /// The month that it is at `at` in `zone`.
    #[must_use]
    pub fn at(at: Timestamp, zone: &TimeZone) -> Self {
        Day::of(at, zone).map_or(Self(0), Self::of)
    }

    /// The last month there is.
    pub const LAST: Self = Self(u16::MAX);

    /// So many months earlier.
    #[must_use]
    pub fn back(self, months: u16) -> Self {
        Self(self.0.saturating_sub(months))
    }

    /// So many months later.
    #[must_use]
    pub fn on(self, months: u16) -> Self {
        Self(self.0.saturating_add(months))
    }

    /// January of the same year.
    #[must_use]
    pub fn january(self) -> Self {
        self.back(self.0.checked_rem(12).unwrap_or(0))
    }
}

/// `2026-11`.
impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let year = self.0.checked_div(12).unwrap_or(0);
        let month = self.0.checked_rem(12).unwrap_or(0).saturating_add(1);
        write!(f, "{year:04}-{month:02}")
    }
}

/// The sums of one month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Figures {
    month: Month,
    /// Points earned, less what was taken back of them.
    points: i64,
    /// What was spent, less what came back.
    turnover: Vec<Turnover>,
}

/// The months of one customer number in which anything counts, oldest first, at most [`MONTHS_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Months(Vec<Figures>);

impl Months {
    /// Adds points to a month, or takes them out if below 0.
    pub fn add_points(&mut self, month: Month, points: i64) {
        self.change(month, points > 0, |figures| figures.points = figures.points.saturating_add(points));
    }

    /// Adds what was spent to a month, or takes it out if below 0.
    pub fn add_turnover(&mut self, month: Month, currency: Currency, minor: i64) {
        self.change(month, minor > 0, |figures| {
            match figures.turnover.iter_mut().find(|turnover| turnover.currency == currency) {
                Some(turnover) => turnover.minor = turnover.minor.saturating_add(minor),
                None if minor > 0 => figures.turnover.push(Turnover { currency, minor }),
                None => {}
            }
            figures.turnover.retain(|turnover| turnover.minor != 0);
        });
    }

    /// Nothing is taken out of a month that is forgotten; one that has nothing any more is let go.
    fn change(&mut self, month: Month, comes: bool, change: impl FnOnce(&mut Figures)) {
        match self.0.binary_search_by_key(&month, |figures| figures.month) {
            Ok(place) => {
                if let Some(figures) = self.0.get_mut(place) {
                    change(figures);
                }
                self.0.retain(|figures| figures.points != 0 || !figures.turnover.is_empty());
            }
            Err(place) if comes => {
                let mut figures = Figures { month, points: 0, turnover: Vec::new() };
                change(&mut figures);
                self.0.insert(place, figures);
                if self.0.len() > MONTHS_MAX {
                    self.0.remove(0);
                }
            }
            Err(_) => {}
        }
    }

    /// Points earned in the months from `from` to `to`.
    #[must_use]
    pub fn points(&self, from: Month, to: Month) -> i64 {
        self.within(from, to).fold(0, |sum, figures| sum.saturating_add(figures.points))
    }

    /// What was spent in `currency` in the months from `from` to `to`.
    #[must_use]
    pub fn turnover(&self, currency: Currency, from: Month, to: Month) -> i64 {
        let spent = self.within(from, to).flat_map(|figures| &figures.turnover);
        let spent = spent.filter(|turnover| turnover.currency == currency);
        spent.fold(0, |sum, turnover| sum.saturating_add(turnover.minor))
    }

    /// Each month with the points earned and what was spent, oldest first.
    pub fn each(&self) -> impl Iterator<Item = (Month, i64, &[Turnover])> {
        self.0.iter().map(|figures| (figures.month, figures.points, &*figures.turnover))
    }

    fn within(&self, from: Month, to: Month) -> impl Iterator<Item = &Figures> {
        self.0.iter().filter(move |figures| (from..=to).contains(&figures.month))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn month(text: &str) -> Month {
        Month::of(format!("{text}-15").parse().unwrap())
    }

    #[test]
    fn a_month_is_of_the_calendar_where_the_shop_is() {
        assert_eq!(month("2026-11").to_string(), "2026-11");
        assert_eq!(month("2026-01").back(1), month("2025-12"));
        assert_eq!(month("2026-11").january(), month("2026-01"));
        assert_eq!(month("2026-01").january(), month("2026-01"));
        let at = Timestamp("2026-10-31T23:30:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond());
        assert_eq!(Month::at(at, &TimeZone::UTC), month("2026-10"));
        assert_eq!(Month::at(at, &TimeZone::get("Europe/Madrid").unwrap()), month("2026-11"));
    }

    #[test]
    fn the_oldest_month_gives_way_and_nothing_is_taken_out_of_it_later() {
        let (first, eur) = (month("2020-01"), "EUR".parse().unwrap());
        let mut months = Months::default();
        for later in 0..=u16::try_from(MONTHS_MAX).unwrap() {
            months.add_turnover(first.on(later), eur, 100);
        }
        assert_eq!(months.0.len(), MONTHS_MAX);
        let before = months.clone();
        months.add_turnover(first, eur, -100);
        assert_eq!(months, before);
    }

    proptest! {
        /// Whatever came and went again in any order leaves nothing; what stays is the sum of what stayed.
        #[test]
        fn months_are_sums(changes in proptest::collection::vec((0_u16..30, 1_i64..1_000_000, any::<bool>()), 0..60)) {
            let (first, eur) = (month("2025-01"), "EUR".parse().unwrap());
            let mut months = Months::default();
            for (later, amount, _) in &changes {
                months.add_turnover(first.on(*later), eur, *amount);
                months.add_points(first.on(*later), *amount);
            }
            for (later, amount, _) in changes.iter().rev().filter(|(_, _, goes)| *goes) {
                months.add_turnover(first.on(*later), eur, amount.saturating_neg());
                months.add_points(first.on(*later), amount.saturating_neg());
            }
            let stays: i64 = changes.iter().filter(|(_, _, goes)| !goes).map(|(_, amount, _)| amount).sum();
            prop_assert_eq!(months.turnover(eur, first, first.on(30)), stays);
            prop_assert_eq!(months.points(first, first.on(30)), stays);
            if changes.iter().all(|(_, _, goes)| *goes) {
                prop_assert_eq!(months, Months::default());
            }
        }
    }
}
