//! Random work against a plain map, with restarts, lost views and power cuts in between.

use super::support::*;
use fichad::log::{Half, HealthState, Log, Read, Refused, Tx};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use tempfile::TempDir;

type Model = [BTreeMap<String, String>; 2];

#[derive(Clone, Debug)]
enum Step {
    /// Events of one transaction; whether the decision says yes.
    Decide(Vec<(usize, Event)>, bool),
    Reopen,
    /// Stops, loses these views, starts.
    LoseViews([bool; 2]),
    /// Goes on with a copy of the journals alone.
    PowerCut,
}

#[derive(Clone, Debug)]
enum Event {
    Put(u8, u16),
    Del(u8),
    Add(u8, i64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0..12u8, any::<u16>()).prop_map(|(key, value)| Event::Put(key, value)),
        (0..12u8).prop_map(Event::Del),
        (0..4u8, -9..9i64).prop_map(|(key, by)| Event::Add(key, by)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let events = prop::collection::vec((0..2usize, event()), 0..5);
    prop_oneof![
        12 => (events, prop::bool::weighted(0.8)).prop_map(|(events, yes)| Step::Decide(events, yes)),
        1 => Just(Step::Reopen),
        1 => any::<[bool; 2]>().prop_map(Step::LoseViews),
        1 => Just(Step::PowerCut),
    ]
}

/// The event in the bench's words, and its effect on the model.
fn apply(model: &mut BTreeMap<String, String>, event: &Event) -> String {
    match event {
        Event::Put(key, value) => {
            model.insert(format!("k{key}"), value.to_string());
            format!("put k{key} {value}")
        }
        Event::Del(key) => {
            model.remove(&format!("k{key}"));
            format!("del k{key}")
        }
        Event::Add(key, by) => {
            let sum = model.get(&format!("n{key}")).map_or(0, |old| old.parse::<i64>().unwrap()) + by;
            model.insert(format!("n{key}"), sum.to_string());
            format!("add n{key} {by}")
        }
    }
}

fn entries(read: &impl Read, half: Half) -> BTreeMap<String, String> {
    let found = read.scan(view(half, ENTRIES), b"", usize::MAX).unwrap().into_iter();
    found.map(|(key, value)| (String::from_utf8(key).unwrap(), String::from_utf8(value).unwrap())).collect()
}

fn index_is_right(read: &impl Read, half: Half) -> bool {
    let have: Vec<_> =
        read.scan(view(half, INDEX), b"", usize::MAX).unwrap().into_iter().map(|(key, _)| key).collect();
    let mut want: Vec<_> = entries(read, half).into_iter().filter(|(key, _)| key.starts_with('k')).collect();
    want.sort_by_key(|(key, value)| format!("{value}/{key}"));
    have == want.iter().map(|(key, value)| format!("{value}/{key}").into_bytes()).collect::<Vec<_>>()
}

fn decide(log: &Log, model: &mut Model, events: &[(usize, Event)], yes: bool) {
    let mut next = model.clone();
    let words: Vec<(Half, String)> =
        events.iter().map(|(half, event)| (HALVES[*half], apply(&mut next[*half], event))).collect();
    let want = next.clone();
    let done = log.submit(move |tx: &mut Tx<'_>| {
        for (half, word) in &words {
            tx.emit(*half, word.as_bytes()).unwrap();
        }
        let seen = HALVES.map(|half| entries(tx, half));
        if yes { Ok(seen) } else { Err(seen) }
    });
    match done.unwrap().wait() {
        Ok(done) => {
            assert!(yes);
            assert_eq!(done.value, want);
            *model = next;
        }
        Err(Refused::Refusal(seen)) => {
            assert!(!yes);
            assert_eq!(seen, want);
        }
        Err(other) => panic!("{other}"),
    }
}

/// Stops the log and does to its folder what `step` says; gives the folder to go on with.
fn between(log: Log, at: TempDir, step: &Step) -> TempDir {
    match step {
        Step::PowerCut => {
            let next = folder();
            copy_journals(at.path(), next.path());
            return next;
        }
        Step::LoseViews(halves) => {
            assert_eq!(log.close().state, HealthState::Ok);
            for (_, folder) in halves.iter().zip(["vault", "store"]).filter(|(lost, _)| **lost) {
                fs::remove_dir_all(at.path().join(folder).join("views")).unwrap();
            }
        }
        Step::Reopen | Step::Decide(..) => drop(log),
    }
    at
}

fn run(steps: &[Step], segment_bytes: u64) {
    let mut bench = Bench::new();
    bench.segment_bytes = segment_bytes;
    bench.checkpoint_groups = 3;
    let mut model = Model::default();
    let mut at: TempDir = folder();
    let mut log = bench.open_at(at.path()).unwrap().0;
    for step in steps {
        if let Step::Decide(events, yes) = step {
            decide(&log, &mut model, events, *yes);
        } else {
            at = between(log, at, step);
            log = bench.open_at(at.path()).unwrap().0;
        }
        for (half, want) in HALVES.into_iter().zip(&model) {
            assert_eq!(&entries(&log.views(), half), want);
            assert!(index_is_right(&log.views(), half));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_views_are_what_a_map_would_be(steps in prop::collection::vec(step(), 1..40), small in any::<bool>()) {
        run(&steps, if small { 500 } else { 1 << 20 });
    }
}
