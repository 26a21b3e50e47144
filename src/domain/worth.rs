//! What a customer is worth to the shop in a period: what was bought, less what service and late payment cost.
//!
//! A value in money, and the reasons that it is the sum of: nothing counts that is not said. A request about personal data
//! never counts: a right that costs standing is none. Who objected to profiling has no worth; that is asked before.

use super::credit::{Credit, Standing};
use super::issue::{Issue, IssueKind, IssueState};
use super::money::Currency;
use super::months::{Month, Months};
use super::time::Day;
use jiff::tz::TimeZone;

/// The most service classes.
pub const CLASSES_MAX: usize = 16;

/// The issues whose handling costs something, with their places in [`Rules::costs`].
pub const COSTLY: [IssueKind; 6] = [
    IssueKind::Warranty,
    IssueKind::Repair,
    IssueKind::Complaint,
    IssueKind::Return,
    IssueKind::Recall,
    IssueKind::Question,
];

/// A class of service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// What registers show.
    pub name: String,
    /// From which value on, in minor units; this much is enough.
    pub from: i64,
}

/// How a shop reckons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// In what; turnover in another currency is not counted.
    pub currency: Currency,
    /// This month and so many before it.
    pub months: u16,
    /// What part of the turnover counts, in percent: what is left of it when the goods are paid.
    pub margin_percent: i64,
    /// What one issue costs, by [`COSTLY`], in minor units.
    pub costs: [i64; COSTLY.len()],
    /// What it costs when a sale on account is paid too late, in minor units.
    pub late_cost: i64,
    /// By ascending thresholds, each higher than the one before.
    pub classes: Vec<Class>,
}

/// One reason: what, how often, and what it comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// `TURNOVER`, a kind of issue, or how sales on account were paid.
    pub what: &'static str,
    /// How often; months for the turnover.
    pub count: u64,
    /// Minor units, below 0 where it costs.
    pub minor: i64,
}

/// What a customer is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worth<'r> {
    /// The sum of the reasons, in minor units.
    pub value: i64,
    /// Why.
    pub reasons: Vec<Reason>,
    /// The class that follows from it; `None` below the lowest.
    pub class: Option<&'r Class>,
    /// The first month that counts.
    pub since: Month,
}

impl Rules {
    /// What the customer is worth whose numbers have these months and issues.
    #[must_use]
    pub fn worth(
        &self,
        months: &[Months],
        (issues, credits): (&[Issue], &[Credit]),
        (today, zone): (Day, &TimeZone),
    ) -> Worth<'_> {
        let since = Month::of(today).back(self.months);
        let spent = months.iter().fold(0_i64, |sum, months| {
            sum.saturating_add(months.turnover(self.currency, since, Month::LAST))
        });
        let counts = u64::from(self.months).saturating_add(1);
        let mut reasons = vec![Reason { what: "TURNOVER", count: counts, minor: self.margin(spent) }];
        for (kind, cost) in COSTLY.into_iter().zip(self.costs) {
            let is = |issue: &&Issue| issue.kind == kind && Self::took_work(issue, since, zone);
            let count = issues.iter().filter(is).count();
            if count > 0 {
                let times = i64::try_from(count).unwrap_or(i64::MAX);
                let minor = cost.saturating_mul(times).saturating_neg();
                reasons.push(Reason {
                    what: kind.word(),
                    count: count.try_into().unwrap_or(u64::MAX),
                    minor,
                });
            }
        }
        reasons.extend(self.paid(credits, since, today));
        self.judged(reasons, since)
    }

    /// Whether terms were kept that ended in the period. What is overdue has not come in: it is taken off whole, if it is of this currency.
    fn paid(&self, credits: &[Credit], since: Month, today: Day) -> Vec<Reason> {
        let mut reasons =
            ["PAID_ON_TIME", "PAID_LATE", "OVERDUE"].map(|what| Reason { what, count: 0, minor: 0 });
        let [kept, late, overdue] = &mut reasons;
        for credit in credits.iter().filter(|credit| Month::of(credit.due) >= since) {
            let own = credit.currency == self.currency;
            let (reason, minor) = match credit.standing(today) {
                Standing::Kept => (&mut *kept, 0),
                Standing::Late => (&mut *late, self.late_cost),
                Standing::Overdue => (&mut *overdue, if own { credit.open() } else { 0 }),
                Standing::Open | Standing::Settled => continue,
            };
            reason.count = reason.count.saturating_add(1);
            reason.minor = reason.minor.saturating_sub(minor);
        }
        reasons.into_iter().filter(|reason| reason.count > 0).collect()
    }

    /// The value that reasons come to, and its class.
    fn judged(&self, reasons: Vec<Reason>, since: Month) -> Worth<'_> {
        let value = reasons.iter().fold(0_i64, |sum, reason| sum.saturating_add(reason.minor));
        let class = self.classes.iter().take_while(|class| value >= class.from).last();
        Worth { value, reasons, class, since }
    }

    fn margin(&self, spent: i64) -> i64 {
        let part = i128::from(spent).saturating_mul(i128::from(self.margin_percent)).checked_div(100);
        part.and_then(|part| i64::try_from(part).ok()).unwrap_or(spent)
    }

    /// Whether an issue cost work in the period: withdrawn ones and second notes of one did not.
    fn took_work(issue: &Issue, since: Month, zone: &TimeZone) -> bool {
        let none = matches!(issue.state, IssueState::Cancelled | IssueState::Duplicate);
        !none && Month::at(issue.opened_at, zone) >= since
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{CustomerNumber, IssueId};
    use crate::domain::issue::{Claim, Clock, IssueProduct};
    use crate::domain::time::Timestamp;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn month(text: &str) -> Month {
        Month::of(format!("{text}-15").parse().unwrap())
    }

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn eur() -> Currency {
        "EUR".parse().unwrap()
    }

    fn issue(kind: IssueKind, state: IssueState, opened: &str) -> Issue {
        let at = Timestamp(opened.parse::<jiff::Timestamp>().unwrap().as_microsecond());
        Issue {
            issue: IssueId(Uuid::nil()),
            customer: CustomerNumber(Uuid::nil()),
            kind,
            state,
            product: IssueProduct::default(),
            opened_at: at,
            moved_at: at,
            claim: Claim::default(),
            clock: Clock::default(),
        }
    }

    fn rules() -> Rules {
        let class = |name: &str, from| Class { name: name.to_owned(), from };
        let classes = vec![class("C", 0), class("B", 1000), class("A", 5000)];
        Rules {
            currency: eur(),
            months: 12,
            margin_percent: 40,
            costs: [500, 300, 200, 100, 0, 50],
            late_cost: 700,
            classes,
        }
    }

    fn spent(minor: i64) -> Vec<Months> {
        let mut months = Months::default();
        months.add_turnover(month("2026-11"), eur(), minor);
        vec![months]
    }

    fn class<'r>(worth: &Worth<'r>) -> Option<&'r str> {
        worth.class.map(|class| class.name.as_str())
    }

    #[test]
    fn a_class_is_reached_by_exactly_so_much_and_costs_take_it_away() {
        let (rules, now) = (rules(), (day("2026-11-23"), &TimeZone::UTC));
        let bought = |minor, issues: &[Issue]| rules.worth(&spent(minor), (issues, &[]), now);
        assert_eq!(class(&bought(12_500, &[])), Some("A"), "40 % of it is 50.00");
        assert_eq!(class(&bought(12_497, &[])), Some("B"));
        let claim = issue(IssueKind::Warranty, IssueState::Closed, "2026-11-20T10:00:00Z");
        let told = bought(12_500, std::slice::from_ref(&claim));
        assert_eq!((told.value, class(&told)), (4500, Some("B")));
        assert_eq!(told.reasons[1], Reason { what: "WARRANTY", count: 1, minor: -500 });
        assert_eq!(class(&rules.worth(&[], (&[claim], &[]), now)), None, "less than nothing has no class");
    }

    #[test]
    fn what_took_no_work_or_is_a_right_does_not_count() {
        let (rules, now) = (rules(), (day("2026-11-23"), &TimeZone::UTC));
        let issues = [
            issue(IssueKind::DataRequest, IssueState::Closed, "2026-11-20T10:00:00Z"),
            issue(IssueKind::Repair, IssueState::Cancelled, "2026-11-20T10:00:00Z"),
            issue(IssueKind::Repair, IssueState::Duplicate, "2026-11-20T10:00:00Z"),
            issue(IssueKind::Repair, IssueState::Closed, "2025-10-31T10:00:00Z"),
        ];
        let worth = rules.worth(&spent(1000), (&issues, &[]), now);
        assert_eq!((worth.value, worth.reasons.len()), (400, 1));
    }

    proptest! {
        /// The value is the sum of its reasons, and the class is the highest that it reaches.
        #[test]
        fn nothing_counts_that_is_not_said(
            minor in 0_i64..10_000_000,
            margin_percent in 0_i64..=100,
            kinds in proptest::collection::vec(0_usize..COSTLY.len(), 0..20),
        ) {
            let rules = Rules { margin_percent, ..rules() };
            let issues: Vec<Issue> = kinds
                .iter()
                .map(|kind| issue(COSTLY[*kind], IssueState::New, "2026-11-20T10:00:00Z"))
                .collect();
            let worth = rules.worth(&spent(minor), (&issues, &[]), (day("2026-11-23"), &TimeZone::UTC));
            prop_assert_eq!(worth.value, worth.reasons.iter().map(|reason| reason.minor).sum::<i64>());
            let reached = rules.classes.iter().rfind(|class| worth.value >= class.from);
            prop_assert_eq!(worth.class, reached);
            prop_assert!(worth.value <= minor);
        }
    }
}
