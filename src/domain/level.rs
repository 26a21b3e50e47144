//! Levels of a programme: thresholds over what a customer bought or earned in a period, and a time of grace.
//!
//! A level is never written down. It follows from the [`Months`] of a customer at any moment: the highest one that was
//! reached in this month, or in one of those of grace before it. So it follows sales, returns, merges and their undoing by
//! itself, and a changed threshold counts at once. What came back was never bought: it keeps nobody's level up.

use super::money::Currency;
use super::months::{Month, Months};

/// The most levels of one programme.
pub const LEVELS_MAX: usize = 16;

/// The most months of a rolling period, and of grace: together no more than are kept.
pub const PERIOD_MONTHS_MAX: u16 = 24;
/// See [`PERIOD_MONTHS_MAX`].
pub const GRACE_MONTHS_MAX: u16 = 12;

/// The highest that a level can multiply what is earned by: ten times.
pub const EARN_PERCENT_MAX: i64 = 1000;

/// What a level is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Points earned, whether they were spent or not.
    Points,
    /// What was spent in this currency, in minor units.
    Turnover(Currency),
}

/// Over which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// This month and so many before it: never less than so many whole months.
    Rolling(u16),
    /// The calendar year.
    Year,
}

impl Span {
    /// The first month of the period that `month` ends.
    #[must_use]
    pub fn first(self, month: Month) -> Month {
        match self {
            Self::Rolling(months) => month.back(months),
            Self::Year => month.january(),
        }
    }
}

/// One level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// What registers show.
    pub name: String,
    /// From how much on it is reached; this much is enough.
    pub from: i64,
    /// What its customers earn, of what others do: 100 is as much.
    pub earn_percent: i64,
}

/// The levels of a programme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    /// In what they are measured.
    pub measure: Measure,
    /// Over which time.
    pub span: Span,
    /// For how many months after the last one in which it was reached a level stays.
    pub grace: u16,
    /// By ascending thresholds, each higher than the one before.
    pub levels: Vec<Level>,
}

/// How a customer stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing<'l> {
    /// The level, if any was reached.
    pub level: Option<&'l Level>,
    /// Its place: 1 for the lowest level, 0 without one.
    pub rank: usize,
    /// What counts now.
    pub counted: i64,
    /// Since which month.
    pub since: Month,
    /// The last month of grace, where no more counts than would be needed for a lower level, or none.
    pub grace_until: Option<Month>,
    /// The next level, and what it lacks.
    pub next: Option<(&'l Level, i64)>,
}

impl Ladder {
    /// How the customer stands whose numbers have these months.
    #[must_use]
    pub fn standing(&self, months: &[Months], now: Month) -> Standing<'_> {
        // What has a business day ahead of the clock counts now.
        let counted = self.count(months, now, Month::LAST);
        let earlier = (1..=self.grace).map(|back| now.back(back));
        let mut best = (self.rank(counted), now);
        for month in earlier {
            let rank = self.rank(self.count(months, month, month));
            // The nearest month counts where several reached the same.
            if rank > best.0 {
                best = (rank, month);
            }
        }
        let (rank, reached) = best;
        let grace_until = (reached != now).then(|| reached.on(self.grace));
        let level = rank.checked_sub(1).and_then(|place| self.levels.get(place));
        let next = self.levels.get(rank).map(|next| (next, next.from.saturating_sub(counted)));
        Standing { level, rank, counted, since: self.span.first(now), grace_until, next }
    }

    /// How many levels this much reaches.
    fn rank(&self, counted: i64) -> usize {
        self.levels.iter().take_while(|level| counted >= level.from).count()
    }

    fn count(&self, months: &[Months], month: Month, to: Month) -> i64 {
        let from = self.span.first(month);
        months.iter().fold(0, |sum: i64, months| {
            sum.saturating_add(match self.measure {
                Measure::Points => months.points(from, to),
                Measure::Turnover(currency) => months.turnover(currency, from, to),
            })
        })
    }

    /// What a sale earns that would earn `points` without levels, for a customer who stands so; rounded down.
    #[must_use]
    pub fn earns(points: i64, level: Option<&Level>) -> i64 {
        let percent = level.map_or(100, |level| level.earn_percent);
        let earned = i128::from(points).saturating_mul(i128::from(percent)).checked_div(100);
        earned.and_then(|earned| i64::try_from(earned).ok()).unwrap_or(points)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn month(text: &str) -> Month {
        Month::of(format!("{text}-15").parse().unwrap())
    }

    fn eur() -> Currency {
        "EUR".parse().unwrap()
    }

    fn ladder(span: Span, grace: u16) -> Ladder {
        let level = |name: &str, from, earn_percent| Level { name: name.to_owned(), from, earn_percent };
        let levels = vec![level("Base", 0, 100), level("Silver", 1000, 150), level("Gold", 5000, 200)];
        Ladder { measure: Measure::Turnover(eur()), span, grace, levels }
    }

    fn name(ladder: &Ladder, months: &[Months], now: &str) -> String {
        ladder.standing(months, month(now)).level.map(|level| level.name.clone()).unwrap_or_default()
    }

    fn spent(amounts: &[(&str, i64)]) -> Months {
        let mut months = Months::default();
        for (when, amount) in amounts {
            months.add_turnover(month(when), eur(), *amount);
        }
        months
    }

    #[test]
    fn a_threshold_is_reached_by_exactly_so_much_and_the_first_level_is_no_exception() {
        let ladder = ladder(Span::Rolling(12), 0);
        for (amount, level) in
            [(0, "Base"), (999, "Base"), (1000, "Silver"), (4999, "Silver"), (5000, "Gold")]
        {
            assert_eq!(name(&ladder, &[spent(&[("2026-11", amount)])], "2026-11"), level, "{amount}");
        }
        let standing = ladder.standing(&[], month("2026-11"));
        assert_eq!((standing.rank, standing.next.unwrap().1), (1, 1000));
    }

    #[test]
    fn a_level_falls_when_its_grace_is_over_and_not_before() {
        let ladder = ladder(Span::Rolling(12), 3);
        let months = [spent(&[("2026-01", 900), ("2026-02", 100)])];
        for (now, level) in
            [("2026-02", "Silver"), ("2027-01", "Silver"), ("2027-04", "Silver"), ("2027-05", "Base")]
        {
            assert_eq!(name(&ladder, &months, now), level, "{now}");
        }
        let standing = ladder.standing(&months, month("2027-03"));
        assert_eq!((standing.counted, standing.grace_until), (0, Some(month("2027-04"))));
        assert_eq!(ladder.standing(&months, month("2027-01")).grace_until, None);
    }

    #[test]
    fn a_calendar_year_begins_anew() {
        let months = [spent(&[("2026-12", 5000)])];
        assert_eq!(name(&ladder(Span::Year, 0), &months, "2026-12"), "Gold");
        assert_eq!(name(&ladder(Span::Year, 0), &months, "2027-01"), "Base");
        assert_eq!(name(&ladder(Span::Year, 12), &months, "2027-12"), "Gold");
        assert_eq!(name(&ladder(Span::Year, 12), &months, "2028-01"), "Base");
    }

    #[test]
    fn two_who_are_one_reach_together_what_neither_reaches_alone() {
        let (one, other) = (spent(&[("2026-10", 600)]), spent(&[("2026-11", 400)]));
        let ladder = ladder(Span::Rolling(12), 3);
        assert_eq!(name(&ladder, std::slice::from_ref(&one), "2026-11"), "Base");
        assert_eq!(name(&ladder, &[one, other], "2026-11"), "Silver");
    }

    #[test]
    fn a_level_multiplies_what_is_earned_rounded_down() {
        let ladder = ladder(Span::Year, 0);
        assert_eq!(Ladder::earns(7, None), 7);
        assert_eq!(Ladder::earns(7, ladder.levels.get(1)), 10);
        assert_eq!(
            Ladder::earns(i64::MAX, ladder.levels.get(2)),
            i64::MAX,
            "what does not fit is left as it is"
        );
    }

    proptest! {
        /// What was bought and came back whole leaves the level as it was, at any moment; and whoever bought more never
        /// stands lower.
        #[test]
        fn what_came_back_keeps_nobody_up(
            bought in proptest::collection::vec((0_u16..30, 1_i64..3000), 0..12),
            (when, amount) in (0_u16..30, 1_i64..9000),
            (now, grace, rolling) in (0_u16..36, 0_u16..=12, 0_u16..=24),
        ) {
            let first = month("2025-01");
            for span in [Span::Year, Span::Rolling(rolling)] {
                let ladder = ladder(span, grace);
                let mut months = Months::default();
                for (when, amount) in &bought {
                    months.add_turnover(first.on(*when), eur(), *amount);
                }
                let now = first.on(now);
                let before = ladder.standing(std::slice::from_ref(&months), now).rank;
                let mut more = months.clone();
                more.add_turnover(first.on(when), eur(), amount);
                prop_assert!(ladder.standing(std::slice::from_ref(&more), now).rank >= before);
                more.add_turnover(first.on(when), eur(), amount.saturating_neg());
                prop_assert_eq!(ladder.standing(std::slice::from_ref(&more), now).rank, before);
            }
        }
    }
}
