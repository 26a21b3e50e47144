//! Tests of merging accounts: nothing is lost, nothing is doubled.

#![expect(clippy::arithmetic_side_effects, reason = "a test says what is wrong by failing")]

use super::*;
use crate::domain::id::HoldId;
use proptest::prelude::*;
use uuid::Uuid;

fn at(day: i64) -> Timestamp {
    Timestamp(day * 86_400_000_000)
}

fn apply(account: &mut Account, entry: Result<PointsEntry, PointsError>) {
    account.apply(&entry.unwrap()).unwrap();
}

/// As the desk merges: everything of `from` goes to `into`.
fn merge(from: &mut Account, into: &mut Account) -> Brought {
    let Some(out) = from.merge_out().unwrap() else { return Brought::default() };
    let (lots, debt) = (out.out_of.clone(), -out.debt);
    let come = into.merge_in(&lots, debt).unwrap();
    from.apply(&out).unwrap();
    into.apply(&come).unwrap();
    let paid = if debt > 0 { come.out_of } else { Vec::new() };
    Brought { lots, debt, paid, since: Vec::new() }
}

fn unmerge(from: &mut Account, into: &mut Account, brought: &Brought, now: Timestamp) {
    let (lots, debt) = brought.back(now);
    let Some(out) = into.unmerge_out((&lots, debt), &brought.paid, None).unwrap() else { return };
    let come = from.unmerge_in(&lots, debt).unwrap();
    assert_eq!(out.points, -come.points, "what one gives the other gets");
    into.apply(&out).unwrap();
    from.apply(&come).unwrap();
}

fn with(points: i64, day: i64) -> Account {
    let mut account = Account::default();
    let earned = account.earn(PointsKind::Earn, points, Some(at(day)));
    apply(&mut account, earned);
    account
}

fn spend(account: &mut Account, points: i64, number: u128) {
    let hold = HoldId(Uuid::from_u128(number));
    let held = account.hold(hold, points, at(900));
    apply(account, held);
    let captured = account.capture(hold, points);
    apply(account, captured);
}

#[test]
fn fifty_and_a_hundred_are_a_hundred_and_fifty_and_then_fifty_and_a_hundred() {
    let (mut from, mut into) = (with(50, 20), with(100, 30));
    let before = (from.balance(at(0)), into.balance(at(0)));
    let brought = merge(&mut from, &mut into);
    assert_eq!((from.total(), into.total()), (0, 150));
    unmerge(&mut from, &mut into, &brought, at(0));
    assert_eq!((from.balance(at(0)), into.balance(at(0))), before);
}

#[test]
fn what_was_spent_in_between_stays_with_whom_went_on() {
    let (mut from, mut into) = (with(50, 20), with(100, 30));
    let brought = merge(&mut from, &mut into);
    spend(&mut into, 130, 1);
    unmerge(&mut from, &mut into, &brought, at(0));
    assert_eq!((from.total(), into.total()), (50, -30));
    assert_eq!((from.balance(at(0)).expiring, into.balance(at(0)).debt), (Some((50, at(20))), 30));
}

#[test]
fn a_debt_is_brought_and_taken_back() {
    let (mut from, mut into) = (with(10, 20), with(100, 30));
    let back = from.take_back(PointsKind::ReverseEarn, 30, None);
    apply(&mut from, back);
    let before = (from.balance(at(0)), into.balance(at(0)));
    let brought = merge(&mut from, &mut into);
    assert_eq!((from.total(), into.total()), (0, 80));
    unmerge(&mut from, &mut into, &brought, at(0));
    assert_eq!((from.balance(at(0)), into.balance(at(0))), before);
    // The other way round.
    let brought = merge(&mut into, &mut from);
    assert_eq!((from.balance(at(0)).available, from.balance(at(0)).debt), (80, 0));
    unmerge(&mut into, &mut from, &brought, at(0));
    assert_eq!((from.balance(at(0)), into.balance(at(0))), before);
}

#[test]
fn a_lot_whose_day_has_passed_is_gone_for_both() {
    let (mut from, mut into) = (with(50, 5), with(100, 30));
    let brought = merge(&mut from, &mut into);
    into.settle(at(6)).unwrap();
    unmerge(&mut from, &mut into, &brought, at(6));
    assert_eq!((from.total(), into.total()), (0, 100));
}

#[test]
fn points_set_aside_keep_an_account_from_leaving() {
    let mut from = with(50, 5);
    let held = from.hold(HoldId(Uuid::from_u128(1)), 10, at(1));
    apply(&mut from, held);
    assert_eq!(from.merge_out(), Err(PointsError::Held));
}

#[test]
fn what_came_and_went_of_the_other_follows_it() {
    let mut brought =
        Brought { lots: vec![Slice { expires_at: Some(at(20)), points: 50 }], ..Brought::default() };
    brought.note(Some(at(20)), -20);
    brought.note(Some(at(40)), 5);
    let slice = |day, points| Slice { expires_at: Some(at(day)), points };
    assert_eq!(brought.back(at(0)), (vec![slice(20, 30), slice(40, 5)], 0));
    assert_eq!(brought.back(at(20)), (vec![slice(40, 5)], 0));
    brought.note(Some(at(20)), -37);
    assert_eq!(brought.back(at(0)), (vec![], 2), "what was spent before it was taken back is owed");
}

#[derive(Debug, Clone)]
enum Step {
    Earn(bool, i64, Option<i64>),
    Spend(bool, i64),
    TakeBack(bool, i64, Option<i64>),
    Merge,
    Unmerge,
    Days(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let day = || proptest::option::of(1..40i64);
    prop_oneof![
        (any::<bool>(), 1..200i64, day()).prop_map(|(who, points, day)| Step::Earn(who, points, day)),
        (any::<bool>(), 1..150i64).prop_map(|(who, points)| Step::Spend(who, points)),
        (any::<bool>(), 1..200i64, day()).prop_map(|(who, points, day)| Step::TakeBack(who, points, day)),
        Just(Step::Merge),
        Just(Step::Unmerge),
        (0..6i64).prop_map(Step::Days),
    ]
}

proptest! {
    #[test]
    fn merging_and_unmerging_keep_the_sum_and_undo_each_other(steps in proptest::collection::vec(step(), 1..60)) {
        let (mut from, mut into) = (Account::default(), Account::default());
        let (mut merged, mut day, mut number, mut sum) = (None::<Brought>, 0, 0, 0);
        for step in steps {
            for account in [&mut from, &mut into] {
                sum += account.settle(at(day)).unwrap().iter().map(|entry| entry.points).sum::<i64>();
            }
            number += 1;
            match step {
                // While they are one, everything is done with the one that goes on.
                Step::Earn(who, points, days) => {
                    let account = if who && merged.is_none() { &mut from } else { &mut into };
                    let earned = account.earn(PointsKind::Earn, points, days.map(|days| at(day + days)));
                    apply(account, earned);
                    sum += points;
                }
                Step::Spend(who, points) => {
                    let account = if who && merged.is_none() { &mut from } else { &mut into };
                    if account.balance(at(day)).available >= points {
                        spend(account, points, number);
                        sum -= points;
                    }
                }
                Step::TakeBack(who, points, days) => {
                    let account = if who && merged.is_none() { &mut from } else { &mut into };
                    let lot = days.map(|days| at(day + days));
                    let back = account.take_back(PointsKind::ReverseEarn, points, lot);
                    apply(account, back);
                    sum -= points;
                    if let Some(brought) = merged.as_mut().filter(|_| who) {
                        brought.note(lot, -points);
                    }
                }
                Step::Merge => {
                    if merged.is_none() {
                        let before = (from.clone(), into.clone());
                        let (mut one, mut other) = before.clone();
                        let brought = merge(&mut one, &mut other);
                        prop_assert_eq!(one.total(), 0);
                        unmerge(&mut one, &mut other, &brought, at(day));
                        prop_assert_eq!(
                            (one.lots, one.debt, other.lots, other.debt),
                            (before.0.lots, before.0.debt, before.1.lots, before.1.debt)
                        );
                        merged = Some(merge(&mut from, &mut into));
                    }
                }
                Step::Unmerge => {
                    if let Some(brought) = merged.take() {
                        unmerge(&mut from, &mut into, &brought, at(day));
                    }
                }
                Step::Days(days) => day += days,
            }
            prop_assert_eq!(from.total() + into.total(), sum);
        }
    }
}
