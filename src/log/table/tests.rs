//! Tests of `table`.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What is done to a table.
#[derive(Debug, Clone)]
enum Step {
    Apply(BTreeMap<Vec<u8>, Option<u8>>),
    WriteOut,
    Hold,
    Wait,
    Again,
}

/// The beginning of keys that are one group.
fn group_of(view: u8, group: u8) -> Vec<u8> {
    [&[view][..], &[group; 16]].concat()
}

fn step() -> impl Strategy<Value = Step> {
    let in_group = (0_u8..2, 0_u8..4, prop::collection::vec(0_u8..3, 0..3));
    let key = prop_oneof![
        2 => prop::collection::vec(0_u8..4, 1..5),
        1 => in_group.prop_map(|(view, group, rest)| [&group_of(view, group)[..], &rest].concat()),
    ];
    let changes = prop::collection::btree_map(key, prop::option::weighted(0.7, any::<u8>()), 0..20);
    prop_oneof![6 => changes.prop_map(Step::Apply), 2 => Just(Step::WriteOut), 1 => Just(Step::Hold), 1 => Just(Step::Wait), 1 => Just(Step::Again)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn it_is_what_was_applied_wherever_that_lies(steps in prop::collection::vec(step(), 1..120)) {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings { cache_bytes: 1 << 20, runs_bytes: 4 << 10, ..Settings::new(dir.path()) };
        let open = || Table::open(&settings, Half::Neutral, dir.path(), AskedViews { often: ViewNumbers(0b0001), new: ViewNumbers(0b0100) }).unwrap();
        let (mut table, mut model, mut to) = (open(), BTreeMap::new(), Position::default());
        for (step, seq) in steps.into_iter().zip(1..) {
            match step {
                Step::Apply(changes) => {
                    to = Position { seq, crc: 0, fold: 1 };
                    let change = |value: &Option<u8>| Change { seq, value: value.map(|byte| vec![byte; 40]) };
                    table.apply(changes.iter().map(|(key, value)| (key.clone(), change(value))).collect(), to);
                    for (key, value) in changes {
                        match value {
                            Some(byte) => model.insert(key, vec![byte; 40]),
                            None => model.remove(&key),
                        };
                    }
                }
                Step::WriteOut => table.write_out(Box::new(|_| {})).unwrap(),
                Step::Hold => table.hold(),
                Step::Wait => table.wait().unwrap(),
                Step::Again => {
                    table.settle().unwrap();
                    drop(table);
                    table = open();
                    prop_assert_eq!(table.position().map(Option::unwrap_or_default), Ok(to));
                }
            }
            let base: &dyn Under = &table;
            let all: Vec<_> = base.entries(&[]).map(|entry| entry.unwrap()).collect();
            let all: Vec<_> = all.into_iter().filter_map(|(key, change)| Some((key, change.value?))).collect();
            let files = std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name());
            // What is written while another is put together comes to it.
            prop_assert!(files.filter(|name| name.to_string_lossy().ends_with(".run")).count() < 60);
            prop_assert!(all == model.iter().map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>());
            for prefix in [&[0][..], &[1, 2, 2], &group_of(0, 1), &group_of(1, 3), &[&group_of(1, 2)[..], &[1]].concat()] {
                let under = base.entries_under(prefix, prefix).map(Result::unwrap);
                let under = under.take_while(|(key, _)| key.starts_with(prefix));
                let under: Vec<_> = under.filter_map(|(key, change)| Some((key, change.value?))).collect();
                let wanted = model.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix));
                prop_assert!(under == wanted.map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>());
            }
            for key in model.keys().map(Vec::as_slice).chain([&[0][..], &[0, 1], &[1, 1], &[2, 2, 2], &[3]]) {
                prop_assert_eq!(&base.get(key).unwrap(), &model.get(key).cloned());
            }
        }
    }
}
