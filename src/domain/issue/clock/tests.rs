//! Deadlines beside a slow model that counts the minutes in which the shop was open and the issue was nobody else's.

#![expect(clippy::arithmetic_side_effects, reason = "numbers of a test are small")]

use super::*;
use crate::domain::business::Opening;
use crate::domain::issue::IssueState as S;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use std::collections::BTreeSet;

const MINUTE: i64 = 60_000_000;

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
}

/// Open from nine to two and from three to five on working days, in Madrid; two hours to look, eight to settle, whatever it is.
fn terms() -> Terms {
    let day: Vec<Opening> = ["09:00-14:00", "15:00-17:00"].map(|text| text.parse().unwrap()).to_vec();
    let mut week: [Vec<Opening>; 7] = std::array::from_fn(|_| day.clone());
    (week[5], week[6]) = (Vec::new(), Vec::new());
    let holidays = BTreeSet::from(["2026-12-08".parse().unwrap()]);
    let calendar = Calendar::new(TimeZone::get("Europe/Madrid").unwrap(), week, holidays).unwrap();
    let target = |response, resolution| Target {
        response: Duration::from_hours(response),
        resolution: Duration::from_hours(resolution),
    };
    Terms { calendar, targets: [target(1, 4), target(2, 8), target(2, 8), target(8, 80)], follow_up_days: 3 }
}

const WARRANTY: (IssueKind, Severity) = (IssueKind::Warranty, Severity::S3);

/// An issue's clock after it has gone through these states.
fn through(opened: &str, moves: &[(S, &str)]) -> Clock {
    let terms = terms();
    let mut clock = terms.opened(WARRANTY.0, WARRANTY.1, at(opened));
    let mut state = S::New;
    for (to, when) in moves {
        clock = terms.moved(WARRANTY, &clock, (state, *to), at(when)).unwrap();
        state = *to;
    }
    clock
}

#[test]
fn waiting_from_closing_to_opening_shifts_nothing() {
    let without = through("2026-11-23T08:00:00Z", &[(S::InProgress, "2026-11-23T09:00:00Z")]);
    assert_eq!(without.resolution.unwrap().at, at("2026-11-24T09:00:00Z"));
    let held = through(
        "2026-11-23T08:00:00Z",
        &[
            (S::InProgress, "2026-11-23T09:00:00Z"),
            (S::WaitCustomer, "2026-11-23T16:00:00Z"),
            (S::InProgress, "2026-11-24T08:00:00Z"),
        ],
    );
    assert_eq!(held.resolution, without.resolution);
    let over_lunch = through(
        "2026-11-23T08:00:00Z",
        &[
            (S::InProgress, "2026-11-23T09:00:00Z"),
            (S::WaitSupplier, "2026-11-23T12:30:00Z"),
            (S::InProgress, "2026-11-23T14:30:00Z"),
        ],
    );
    assert_eq!(over_lunch.resolution.unwrap().at, at("2026-11-24T10:00:00Z"), "half an hour on each side");
    let after_the_end = through(
        "2026-11-23T08:00:00Z",
        &[
            (S::InProgress, "2026-11-23T09:00:00Z"),
            (S::WaitSupplier, "2026-11-24T10:00:00Z"),
            (S::InProgress, "2026-11-25T10:00:00Z"),
        ],
    );
    assert_eq!(after_the_end.resolution, without.resolution, "what was missed stays missed");
}

#[test]
fn what_is_due_next_follows_the_states() {
    let opened = "2026-11-23T08:00:00Z";
    let new = through(opened, &[]);
    let next = |clock: &Clock, state| clock.next(state).map(|next| (next.what, next.due.map(|due| due.at)));
    assert_eq!(next(&new, S::New), Some(("RESPONSE", Some(at("2026-11-23T10:00:00Z")))));
    assert_eq!(new.next(S::New).unwrap().colour(at("2026-11-23T09:29:59Z")), Colour::Green);
    assert_eq!(new.next(S::New).unwrap().colour(at("2026-11-23T09:30:00Z")), Colour::Amber);
    assert_eq!(new.next(S::New).unwrap().colour(at("2026-11-23T10:00:00Z")), Colour::Red);
    let waits = [(S::InProgress, "2026-11-23T09:00:00Z"), (S::WaitCustomer, "2026-11-23T10:00:00Z")];
    let waiting = through(opened, &waits);
    assert_eq!(next(&waiting, S::WaitCustomer), Some(("RESOLUTION", None)));
    assert_eq!(waiting.next(S::WaitCustomer).unwrap().colour(at("2030-01-01T00:00:00Z")), Colour::Paused);
    let resolved = through(opened, &[(S::Resolved, "2026-12-04T09:00:00Z")]);
    // Saturday and Sunday are no open days, and Tuesday is a holiday.
    assert_eq!(next(&resolved, S::Resolved), Some(("FOLLOW_UP", Some(at("2026-12-10T16:00:00Z")))));
    assert_eq!((next(&resolved, S::Closed), next(&Clock::default(), S::New)), (None, None));
    let back = through(
        opened,
        &[
            (S::Resolved, "2026-12-04T09:00:00Z"),
            (S::Closed, "2026-12-04T10:00:00Z"),
            (S::Reopened, "2026-12-07T08:00:00Z"),
        ],
    );
    assert_eq!(next(&back, S::Reopened), Some(("RESOLUTION", Some(at("2026-12-09T09:00:00Z")))));
}

#[test]
fn another_severity_is_counted_from_the_beginning() {
    let moves = [
        (S::InProgress, "2026-11-23T09:00:00Z"),
        (S::WaitCustomer, "2026-11-23T10:00:00Z"),
        (S::InProgress, "2026-11-23T11:00:00Z"),
    ];
    let clock = through("2026-11-23T08:00:00Z", &moves);
    let graver = terms().regraded(IssueKind::Warranty, Severity::S1, &clock);
    assert_eq!(graver.resolution.unwrap().at, at("2026-11-23T13:00:00Z"));
    assert_eq!(terms().regraded(IssueKind::Warranty, Severity::S3, &graver), clock);
    assert_eq!(terms().regraded(IssueKind::Warranty, Severity::S1, &Clock::default()), Clock::default());
}

#[test]
fn the_law_counts_in_months_and_does_not_wait() {
    let (terms, law) = (terms(), IssueKind::DataRequest);
    let opened = terms.opened(law, Severity::S3, at("2026-01-31T12:00:00Z"));
    assert_eq!(
        opened.resolution.unwrap().at,
        at("2026-02-28T23:00:00Z"),
        "the last day of February, in Madrid"
    );
    assert_eq!(opened.response, None);
    let moved = |clock: &Clock, from, to, when| terms.moved((law, Severity::S3), clock, (from, to), at(when));
    let working = moved(&opened, S::New, S::InProgress, "2026-02-01T09:00:00Z").unwrap();
    let waiting = moved(&working, S::InProgress, S::WaitCustomer, "2026-02-02T09:00:00Z").unwrap();
    let back = moved(&waiting, S::WaitCustomer, S::InProgress, "2026-02-20T09:00:00Z").unwrap();
    assert_eq!((waiting.paused_at, back.resolution), (None, opened.resolution));

    let longer = terms.extended(law, &back, at("2026-02-28T22:59:59Z")).unwrap();
    assert_eq!(longer.resolution.unwrap().at, at("2026-04-30T22:00:00Z"), "three months from the beginning");
    let refused = |kind, clock: &Clock, when| terms.extended(kind, clock, at(when)).unwrap_err();
    assert_eq!(refused(law, &longer, "2026-02-10T00:00:00Z"), NoExtension::Twice);
    assert_eq!(refused(law, &back, "2026-02-28T23:00:00Z"), NoExtension::Late);
    assert_eq!(refused(IssueKind::Repair, &back, "2026-02-10T00:00:00Z"), NoExtension::NotByLaw);
    assert_eq!(refused(law, &Clock::default(), "2026-02-10T00:00:00Z"), NoExtension::NotByLaw);
    let done = moved(&back, S::InProgress, S::Resolved, "2026-02-21T09:00:00Z").unwrap();
    assert_eq!(refused(law, &done, "2026-02-21T10:00:00Z"), NoExtension::Answered);
}

#[test]
fn an_issue_does_not_wait_without_end() {
    let terms = terms();
    let mut clock = terms.opened(WARRANTY.0, WARRANTY.1, Timestamp(0));
    let moved = |clock: &Clock, from, to| terms.moved(WARRANTY, clock, (from, to), Timestamp(0));
    clock = moved(&clock, S::New, S::InProgress).unwrap();
    for _ in 0..PAUSES_MAX {
        clock = moved(&clock, S::InProgress, S::WaitCustomer).unwrap();
        clock = moved(&clock, S::WaitCustomer, S::InProgress).unwrap();
    }
    assert_eq!(moved(&clock, S::InProgress, S::WaitCustomer), Err(TooManyPauses));
    let old = Clock::default();
    assert_eq!(moved(&old, S::New, S::WaitCustomer), Ok(old), "what has no deadlines gets none by moving");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Minutes since Monday, 23 November 2026: when it is opened, and how long it is worked at and waits in turn.
    #[test]
    fn pauses_count_as_counting_minutes_comes_to(
        opened in 0_i64..5 * 1440, parts in proptest::collection::vec(1_i64..3 * 1440, 0..9), hours in 1_u64..60,
    ) {
        let mut terms = terms();
        terms.targets[2].resolution = Duration::from_hours(hours);
        let monday = at("2026-11-22T23:00:00Z").0;
        let minute = |count: i64| Timestamp(monday + count * MINUTE);
        let mut clock = terms.opened(WARRANTY.0, WARRANTY.1, minute(opened));
        clock = terms.moved(WARRANTY, &clock, (S::New, S::InProgress), minute(opened)).unwrap();
        let (mut now, mut waits, mut pauses) = (opened, false, Vec::new());
        for part in &parts {
            now += part;
            let states = if waits { (S::WaitSupplier, S::InProgress) } else { (S::InProgress, S::WaitSupplier) };
            if waits {
                pauses.push(now - part..now);
            }
            clock = terms.moved(WARRANTY, &clock, states, minute(now)).unwrap();
            waits = !waits;
        }

        let open = |count: i64| {
            let (day, of_day) = (count.div_euclid(1440), count.rem_euclid(1440));
            // The holiday is the Tuesday two weeks on; the clocks do not change in these months.
            day.rem_euclid(7) < 5 && day != 15 && ((540..840).contains(&of_day) || (900..1020).contains(&of_day))
        };
        let mut left = i64::try_from(hours * 60).unwrap();
        let mut count = opened;
        while left > 0 {
            left -= i64::from(open(count) && !pauses.iter().any(|pause| pause.contains(&count)));
            count += 1;
        }
        prop_assert_eq!(clock.resolution.unwrap().at, minute(count));
    }
}
