//! Business time beside a slow model that looks at each minute.

#![expect(clippy::arithmetic_side_effects, reason = "numbers of a test are small")]

use super::*;
use jiff::ToSpan;
use proptest::prelude::*;

const MINUTE: i64 = 60_000_000;

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
}

fn madrid() -> TimeZone {
    TimeZone::get("Europe/Madrid").unwrap()
}

/// Monday to Friday with a pause at noon, Saturday in the morning.
fn shop() -> Calendar {
    let day: Vec<Opening> = ["09:00-14:00", "17:00-20:00"].map(|text| text.parse().unwrap()).to_vec();
    let mut week: [Vec<Opening>; 7] = std::array::from_fn(|_| day.clone());
    week[5].truncate(1);
    week[6].clear();
    let holidays = ["2026-12-08", "12-25"].map(|text| text.parse().unwrap());
    Calendar::new(madrid(), week, BTreeSet::from(holidays)).unwrap()
}

#[test]
fn hours_go_over_noon_the_weekend_and_holidays() {
    let shop = shop();
    let hours = Duration::from_hours;
    for (from, time, wanted) in [
        ("2026-11-23T08:30:00Z", hours(1), "2026-11-23T09:30:00Z"),
        ("2026-11-23T08:30:00Z", hours(6), "2026-11-23T17:30:00Z"),
        ("2026-11-23T12:00:00Z", hours(1), "2026-11-23T13:00:00Z"),
        ("2026-11-23T13:00:00Z", hours(1), "2026-11-23T17:00:00Z"),
        ("2026-11-28T12:00:00Z", hours(2), "2026-11-30T09:00:00Z"),
        ("2026-12-07T18:00:00Z", hours(2), "2026-12-09T09:00:00Z"),
        ("2026-12-24T18:30:00Z", hours(1), "2026-12-26T08:30:00Z"),
        ("2026-11-23T03:00:00Z", Duration::ZERO, "2026-11-23T03:00:00Z"),
    ] {
        assert_eq!(shop.add(at(from), time), Some(at(wanted)), "{from} and {time:?}");
    }
    let night = shop.between(at("2026-11-23T19:00:00Z"), at("2026-11-24T08:00:00Z"));
    assert_eq!(night, Duration::ZERO, "from closing to opening no business time passes");
    assert_eq!(shop.between(at("2026-11-24T08:00:00Z"), at("2026-11-23T19:00:00Z")), Duration::ZERO);
}

#[test]
fn the_third_open_day_ends_as_the_shop_closes() {
    let (opens, closes) = shop().open_day_after(at("2026-12-04T09:00:00Z"), 3).unwrap();
    // Saturday, Monday; Tuesday is a holiday.
    assert_eq!((opens, closes), (at("2026-12-09T08:00:00Z"), at("2026-12-09T19:00:00Z")));
    assert_eq!(shop().open_day_after(at("2026-12-04T09:00:00Z"), 0), None);
}

#[test]
fn a_shop_that_never_opens_has_no_business_time() {
    let never = Calendar::never();
    let (from, to) = (at("2026-11-23T00:00:00Z"), at("9000-01-01T00:00:00Z"));
    assert_eq!((never.add(from, Duration::from_secs(1)), never.open_day_after(from, 1)), (None, None));
    assert_eq!(never.between(from, to), Duration::ZERO);
    assert_eq!(shop().add(Timestamp(i64::MAX), Duration::from_secs(1)), None);
    assert_eq!(shop().add(from, Duration::MAX), None);
}

#[test]
fn what_is_no_opening_or_holiday_is_refused() {
    for wrong in
        ["", "9:00-14:00", "09:00", "14:00-09:00", "09:00-09:00", "09:00-24:01", "09:60-10:00", "+9:00-10:00"]
    {
        assert_eq!(wrong.parse::<Opening>(), Err(BadOpening), "{wrong}");
    }
    for right in ["09:00-14:00", "00:00-24:00"] {
        assert_eq!(right.parse::<Opening>().unwrap().to_string(), right);
    }
    for wrong in ["", "2026-02-29", "02-30", "13-01", "1-1", "christmas"] {
        assert_eq!(wrong.parse::<Holiday>(), Err(BadHoliday), "{wrong}");
    }
    let openings = ["09:00-14:00", "13:00-15:00"].map(|text| text.parse::<Opening>().unwrap());
    assert_eq!(check_openings(&openings), Err(BadOpenings));
}

/// Whether the shop is open in the minute that begins at `minute`, by the clock on its wall.
fn is_open(week: &[Vec<Opening>; 7], holidays: &BTreeSet<Holiday>, minute: i64) -> bool {
    let local = jiff::Timestamp::from_microsecond(minute).unwrap().to_zoned(madrid());
    let date = local.date();
    let shut = holidays.iter().any(|holiday| match holiday {
        Holiday::Once(day) => day.date() == date,
        Holiday::Yearly(month, day) => (*month, *day) == (date.month(), date.day()),
    });
    let of_day = i64::from(local.hour()) * 60 + i64::from(local.minute());
    let weekday = usize::try_from(local.weekday().to_monday_zero_offset()).unwrap();
    !shut
        && week[weekday]
            .iter()
            .any(|opening| (i64::from(opening.from_minute)..i64::from(opening.to_minute)).contains(&of_day))
}

/// Openings whose ends are not in the hour that is left out or comes twice on the nights of the clock change.
fn openings() -> impl Strategy<Value = Vec<Opening>> {
    let minute = prop_oneof![0_u16..=119, 181_u16..=1440];
    proptest::collection::btree_set(minute, 0..=6).prop_map(|minutes| {
        let minutes: Vec<u16> = minutes.into_iter().collect();
        minutes.chunks_exact(2).map(|pair| Opening::new(pair[0], pair[1]).unwrap()).collect()
    })
}

fn calendars() -> impl Strategy<Value = ([Vec<Opening>; 7], BTreeSet<Holiday>)> {
    let holiday = (0_i64..12).prop_map(|day| {
        let date = jiff::civil::date(2026, 3, 25).checked_add(day.days()).unwrap();
        if day % 2 == 0 { Holiday::Once(Day::from(date)) } else { Holiday::Yearly(date.month(), date.day()) }
    });
    (proptest::array::uniform7(openings()), proptest::collection::btree_set(holiday, 0..3))
}

/// Four days before the clock is put forward in Europe, and four before it is put back.
fn starts() -> impl Strategy<Value = i64> {
    let days = prop_oneof![Just("2026-03-25T00:00:00Z"), Just("2026-10-21T00:00:00Z")];
    (days, 0_i64..8 * 24 * 60).prop_map(|(day, minutes)| at(day).0 + minutes * MINUTE)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn reckoning_is_what_counting_minutes_comes_to(
        (week, holidays) in calendars(), from in starts(), minutes in 1_i64..2000, away in 0_i64..8000,
    ) {
        let calendar = Calendar::new(madrid(), week.clone(), holidays.clone()).unwrap();
        let open = |minute| is_open(&week, &holidays, minute);
        let counted = (0..away).filter(|minute| open(from + minute * MINUTE)).count();
        let passed = calendar.between(Timestamp(from), Timestamp(from + away * MINUTE));
        prop_assert_eq!(passed.as_secs() / 60, u64::try_from(counted).unwrap());

        let mut left = minutes;
        let mut slow = None;
        // As far ahead as the model looks: five weeks.
        for minute in 0..35 * 24 * 60 {
            left -= i64::from(open(from + minute * MINUTE));
            if left == 0 {
                slow = Some(Timestamp(from + (minute + 1) * MINUTE));
                break;
            }
        }
        let time = Duration::from_mins(minutes.unsigned_abs());
        if let Some(slow) = slow {
            prop_assert_eq!(calendar.add(Timestamp(from), time), Some(slow));
        }
    }
}
