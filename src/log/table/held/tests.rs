//! Tests of `held`.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

type Model = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

fn key() -> impl Strategy<Value = Vec<u8>> {
    let rest = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 16..18),
        1 => prop::collection::vec(0_u8..3, 0..12),
    ];
    (0_u8..5, rest).prop_map(|(view, rest)| [&[view][..], &rest].concat())
}

fn part() -> impl Strategy<Value = Model> {
    let value = prop::option::weighted(
        0.8,
        prop_oneof![4 => prop::collection::vec(any::<u8>(), 0..20), 1 => prop::collection::vec(any::<u8>(), SHORT_BYTES - 1..100)],
    );
    prop::collection::btree_map(key(), value, 0..200)
}

fn from(changes: &Model, from: &[u8]) -> Vec<Laid> {
    let change = |(key, value): (&Vec<u8>, &Option<Vec<u8>>)| {
        Ok((key.clone(), Change { seq: 1, value: value.clone() }))
    };
    changes.range(from.to_vec()..).map(change).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_held_is_what_a_map_would_hold(mut parts in prop::collection::vec(part(), 1..5), others in part(), short in prop_oneof![Just(0), Just(SHORT_BYTES), Just(usize::MAX)]) {
        let often = ViewNumbers(0b01010);
        let mut model = parts.remove(0);
        model.retain(|_, value| value.is_some());
        let mut held = Held::read(often, (1 << 20, short), tempfile::tempfile().unwrap(), |key| from(&model, key).into_iter()).unwrap().unwrap();
        for part in parts {
            let before = (held.clone(), model.clone());
            held = held.with(|key| from(&part, key).into_iter()).unwrap().unwrap();
            model.extend(part);
            for (held, model) in [(&held, &model), (&before.0, &before.1)] {
                for (key, _) in model.iter().chain(&others) {
                    let value = model.get(key).and_then(|value| value.as_deref());
                    let wanted = matches!(key[0], 1 | 3).then_some(value);
                    prop_assert!(held.get(key) == wanted.map(|value| value.map(<[u8]>::to_vec)));
                }
            }
        }
        let error = || Err(ViewError::Damaged { half: crate::log::Half::Neutral, what: String::new() });
        prop_assert!(held.with(|_| std::iter::once(error())).is_err());
    }

    #[test]
    fn a_place_is_found_wherever_the_numbers_lie(mut numbers in prop::collection::vec(prop_oneof![any::<u64>(), 0_u64..9], 0..300), wanted in prop_oneof![any::<u64>(), 0_u64..9]) {
        numbers.sort_unstable();
        for wanted in [wanted, 0, u64::MAX].into_iter().chain(numbers.clone()) {
            prop_assert_eq!(lower_bound(&numbers, wanted), numbers.partition_point(|number| *number < wanted));
        }
    }
}

fn numbered(numbers: std::ops::Range<u32>, bytes: usize) -> Model {
    let entry = |number: u32| {
        let key = [&[1][..], &number.wrapping_mul(0x9e37_79b1).to_be_bytes()].concat();
        (key, Some(vec![1; bytes]))
    };
    numbers.map(entry).collect()
}

#[test]
fn more_than_is_to_be_held_is_none() {
    let (model, more) = (numbered(0..100, 20), numbered(100..120, 20));
    let file = || tempfile::tempfile().unwrap();
    let read =
        |limits| Held::read(ViewNumbers(2), limits, file(), |key| from(&model, key).into_iter()).unwrap();
    assert!(read((3_500, SHORT_BYTES)).is_none());
    let held = read((3_600, SHORT_BYTES)).unwrap();
    assert!(held.with(|key| from(&more, key).into_iter()).unwrap().is_none());
    assert!(read((1_600, 0)).is_some(), "all values are in the file");
}

#[test]
fn a_key_that_is_too_long_is_not_held() {
    let held = |bytes| {
        let model = Model::from([([1; 64].to_vec(), Some(vec![1])), (vec![1; bytes], Some(vec![2]))]);
        let read = |key: &[u8]| from(&model, key).into_iter();
        Held::read(ViewNumbers(2), (1 << 20, SHORT_BYTES), tempfile::tempfile().unwrap(), read)
            .map(|held| held.unwrap().get(&vec![1; bytes]))
    };
    assert!(held(63).ok() == Some(Some(Some(vec![2]))));
    assert!(held(65).is_err());
}

#[test]
fn a_copy_that_is_not_as_it_was_written_is_none() {
    let model = numbered(0..10, 1_000);
    let file = tempfile::tempfile().unwrap();
    let other = file.try_clone().unwrap();
    let held = Held::read(ViewNumbers(2), (1 << 20, SHORT_BYTES), file, |key| from(&model, key).into_iter())
        .unwrap()
        .unwrap();
    assert!(model.iter().all(|(key, value)| held.get(key).as_ref() == Some(value)));
    other.write_all_at(&[9], 1_500).unwrap();
    assert_eq!(model.keys().filter(|key| held.get(key).is_none()).count(), 1);
}

#[test]
fn values_that_are_replaced_again_and_again_are_noticed() {
    let model = numbered(0..100, 100_000);
    let from = |key: &[u8]| from(&model, key).into_iter();
    let mut held = Held::read(ViewNumbers(2), (1 << 20, SHORT_BYTES), tempfile::tempfile().unwrap(), from)
        .unwrap()
        .unwrap();
    let rounds =
        std::iter::from_fn(|| (!held.is_wasteful()).then(|| held = held.with(from).unwrap().unwrap()));
    assert!((2..5).contains(&rounds.count()));
}
