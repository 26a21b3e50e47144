//! The laws of the ledger: balances are sums, nothing is captured that was not held, time takes what is its own.

#![expect(clippy::arithmetic_side_effects, reason = "a test says what is wrong by failing")]

use super::*;
use proptest::prelude::*;
use uuid::Uuid;

const DAY: i64 = 86_400_000_000;

fn at(day: i64) -> Timestamp {
    Timestamp(day * DAY)
}

fn hold(number: u128) -> HoldId {
    HoldId(Uuid::from_u128(number))
}

fn slice(points: i64, day: i64) -> Slice {
    Slice { expires_at: Some(at(day)), points }
}

fn with(account: &mut Account, entry: Result<PointsEntry, PointsError>) -> PointsEntry {
    let entry = entry.unwrap();
    account.apply(&entry).unwrap();
    entry
}

fn available(account: &Account, day: i64) -> i64 {
    account.balance(at(day)).available
}

#[test]
fn what_expires_first_is_spent_first_and_what_never_does_last() {
    let mut account = Account::default();
    for (points, expires) in [(5, None), (7, Some(at(20))), (3, Some(at(10)))] {
        let earned = account.earn(PointsKind::Earn, points, expires);
        with(&mut account, earned);
    }
    let held = account.hold(hold(1), 12, at(1));
    let held = with(&mut account, held);
    assert_eq!(held.out_of, [slice(3, 10), slice(7, 20), Slice { expires_at: None, points: 2 }]);
    assert_eq!(account.balance(at(0)), Balance { available: 3, held: 12, debt: 0, expiring: None });
    assert_eq!(account.hold(hold(2), 4, at(1)), Err(PointsError::NotEnough { available: 3 }));
}

#[test]
fn what_was_spent_goes_back_to_the_lots_it_came_from() {
    let mut account = Account::default();
    for (points, day) in [(10, 10), (10, 20)] {
        let earned = account.earn(PointsKind::Earn, points, Some(at(day)));
        with(&mut account, earned);
    }
    let held = account.hold(hold(1), 15, at(1));
    with(&mut account, held);
    let captured = account.capture(hold(1), 15);
    let captured = with(&mut account, captured);
    assert_eq!(account.capture(hold(1), 1), Err(PointsError::NoHold));
    let back = account.give_back(hold(1), 8, &captured.out_of);
    assert_eq!(with(&mut account, back).into, [slice(5, 20), slice(3, 10)]);
    assert_eq!(available(&account, 0), 13);
    assert_eq!(available(&account, 10), 10, "with the day they always had");
    let too_much = account.give_back(hold(1), 16, &captured.out_of);
    assert_eq!(too_much, Err(PointsError::SpentLess { spent: 15 }));
}

#[test]
fn points_that_are_spent_and_taken_back_are_owed_and_paid_by_the_next() {
    let mut account = Account::default();
    let earned = account.earn(PointsKind::Earn, 10, Some(at(9)));
    with(&mut account, earned);
    let held = account.hold(hold(1), 8, at(1));
    with(&mut account, held);
    let captured = account.capture(hold(1), 8);
    with(&mut account, captured);
    let back = account.take_back(PointsKind::ReverseEarn, 10, Some(at(9)));
    let back = with(&mut account, back);
    assert_eq!((back.points, back.debt, &*back.out_of), (-10, 8, &[slice(2, 9)][..]));
    assert_eq!(account.balance(at(0)), Balance { debt: 8, ..Balance::default() });
    let earned = account.earn(PointsKind::Earn, 11, None);
    with(&mut account, earned);
    assert_eq!(account.balance(at(0)), Balance { available: 3, ..Balance::default() });
}

#[test]
fn a_hold_ends_by_itself_and_lots_expire() {
    let mut account = Account::default();
    let earned = account.earn(PointsKind::Earn, 10, Some(at(5)));
    with(&mut account, earned);
    let held = account.hold(hold(1), 4, at(1));
    with(&mut account, held);
    assert_eq!((available(&account, 0), available(&account, 1), available(&account, 5)), (6, 10, 0));
    assert_eq!(account.due(), Some(at(1)));
    let entries = account.settle(at(7)).unwrap();
    let kinds: Vec<_> = entries.iter().map(|entry| (entry.kind, entry.points)).collect();
    assert_eq!(kinds, [(PointsKind::Release, 0), (PointsKind::Expire, -10)]);
    assert_eq!((account.total(), account.due()), (0, None));
}

#[test]
fn an_entry_that_does_not_add_up_changes_nothing() {
    let mut account = Account::default();
    let earned = account.earn(PointsKind::Earn, 10, None);
    let earned = with(&mut account, earned);
    let before = account.clone();
    let earned = PointsEntry { number: 2, ..earned };
    for wrong in [
        PointsEntry { number: 1, ..earned.clone() },
        PointsEntry { points: 11, ..earned.clone() },
        PointsEntry { debt: 1, ..earned.clone() },
        PointsEntry { into: vec![Slice { expires_at: None, points: -10 }], points: -10, ..earned.clone() },
        PointsEntry { kind: PointsKind::Capture, hold: Some(hold(1)), ..earned.clone() },
        PointsEntry {
            kind: PointsKind::Expire,
            into: vec![],
            out_of: vec![slice(1, 1)],
            points: -1,
            ..earned
        },
    ] {
        assert!(account.apply(&wrong).is_err(), "{wrong:?}");
        assert_eq!(account, before);
    }
}

#[test]
fn amounts_have_limits() {
    let account = Account::default();
    for points in [0, -1, i64::MIN, POINTS_MAX + 1, i64::MAX] {
        assert_eq!(account.earn(PointsKind::Earn, points, None), Err(PointsError::Amount));
        assert_eq!(account.hold(hold(1), points, at(1)), Err(PointsError::Amount));
        assert_eq!(account.take_back(PointsKind::Adjust, points, None), Err(PointsError::Amount));
    }
    let mut full = Account::default();
    let earned = full.earn(PointsKind::Earn, POINTS_MAX, None);
    with(&mut full, earned);
    assert_eq!(full.earn(PointsKind::Earn, 1, None), Err(PointsError::TooMany));
}

/// What a register or time may do.
#[derive(Debug, Clone)]
enum Step {
    Earn(i64, Option<i64>),
    Hold(i64, i64),
    Capture(usize, i64),
    Release(usize),
    TakeBack(i64, Option<i64>),
    GiveBack(usize, i64),
    Days(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let day = || proptest::option::of(0..40i64);
    prop_oneof![
        (1..200i64, day()).prop_map(|(points, day)| Step::Earn(points, day)),
        (1..150i64, 0..3i64).prop_map(|(points, days)| Step::Hold(points, days)),
        (0..6usize, 1..150i64).prop_map(|(which, points)| Step::Capture(which, points)),
        (0..6usize).prop_map(Step::Release),
        (1..200i64, day()).prop_map(|(points, day)| Step::TakeBack(points, day)),
        (0..6usize, 1..150i64).prop_map(|(which, points)| Step::GiveBack(which, points)),
        (0..6i64).prop_map(Step::Days),
    ]
}

proptest! {
    #[test]
    fn the_books_balance_whatever_happens(steps in proptest::collection::vec(step(), 1..80)) {
        let mut account = Account::default();
        let (mut day, mut next) = (0, 0);
        let mut ledger: Vec<PointsEntry> = Vec::new();
        let mut holds: Vec<(HoldId, Vec<Slice>)> = Vec::new();
        for step in steps {
            ledger.extend(account.settle(at(day)).unwrap());
            next += 1;
            let one = |which: usize| holds.get(which).cloned().unwrap_or((hold(u128::MAX), Vec::new()));
            let came = match step {
                Step::Earn(points, days) => {
                    account.earn(PointsKind::Earn, points, days.map(|days| at(day + days + 1)))
                }
                Step::Hold(points, days) => {
                    let named = hold(next);
                    let held = account.hold(named, points, at(day + days + 1));
                    if held.is_ok() { holds.push((named, Vec::new())); }
                    held
                }
                Step::Capture(which, points) => account.capture(one(which).0, points),
                Step::Release(which) => account.release(one(which).0),
                Step::TakeBack(points, days) => {
                    account.take_back(PointsKind::ReverseEarn, points, days.map(|days| at(day + days)))
                }
                Step::GiveBack(which, points) => account.give_back(one(which).0, points, &one(which).1),
                Step::Days(days) => { day += days; continue }
            };
            let Ok(entry) = came else { continue };
            account.apply(&entry).unwrap();
            if let Some((_, spent)) = holds.iter_mut().find(|kept| Some(kept.0) == entry.hold) {
                if entry.kind == PointsKind::Capture {
                    spent.extend(&entry.out_of);
                } else if entry.kind == PointsKind::ReverseRedeem {
                    spent.clear();
                }
            }
            ledger.push(entry);
        }
        // A balance is the sum of its entries, and the same whoever adds them up.
        prop_assert_eq!(account.total(), ledger.iter().map(|entry| entry.points).sum::<i64>());
        let mut again = Account::default();
        for entry in &ledger { again.apply(entry).unwrap(); }
        prop_assert_eq!(&again, &account);
        // Nothing is captured that was not held, and nothing held comes back twice.
        for (named, _) in &holds {
            let of = |kind| ledger.iter().filter(move |entry| entry.kind == kind && entry.hold == Some(*named));
            let held: i64 = of(PointsKind::Hold).map(|entry| sum(&entry.out_of)).sum();
            let left: i64 = account.held(*named).map_or(0, sum);
            let captured: i64 = of(PointsKind::Capture).map(|entry| sum(&entry.out_of)).sum();
            let released: i64 = of(PointsKind::Release).map(|entry| sum(&entry.out_of)).sum();
            prop_assert_eq!(held, captured + released + left);
        }
        // earned = spent + expired + taken back + active, each point once.
        let points = |kind| ledger.iter().filter(|entry| entry.kind == kind).map(|entry| entry.points).sum::<i64>();
        let gone = points(PointsKind::Capture) + points(PointsKind::Expire) + points(PointsKind::ReverseEarn);
        prop_assert_eq!(points(PointsKind::Earn) + points(PointsKind::ReverseRedeem), account.total() - gone);
        // What the account says of a later day is what it is when the day has come.
        let told = account.balance(at(day + 10));
        account.settle(at(day + 10)).unwrap();
        prop_assert_eq!(told, account.balance(at(day + 10)));
        prop_assert!(told.available >= 0 && told.held >= 0 && told.debt >= 0);
        prop_assert!(told.debt == 0 || told.available == 0);
    }
}
