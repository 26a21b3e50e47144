//! Views that turn out damaged while the log runs: built anew beside, by themselves, and nothing is lost.

use super::renew::{digests, from_the_journal, gate};
use super::second::until;
use super::support::*;
use fichad::log::{Building, Half, HealthState, Log, Read, Refused, ViewError, ViewsState};
use std::fs;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The key whose entry is damaged, and one far from it.
const HURT: &str = "k0200";
const FAR: &str = "k0390";

fn value(key: &str) -> String {
    format!("value-of-{key}-and-some-more-of-it")
}

/// A closed store with views of many blocks, some of them damaged: what they are is what nothing reads at a start.
fn hurt(bench: &Bench, half: Half) {
    let (log, _) = bench.open();
    write(&log, &[(half, "gate")]).unwrap();
    for round in 0..400 {
        let key = format!("k{round:04}");
        put(&log, half, &key, &value(&key));
    }
    log.close();
    // Views that are built anew are in sled from the start.
    let views = bench.path().join(if half == Half::Neutral { "store" } else { "vault" }).join("views");
    fs::remove_dir_all(&views).unwrap();
    bench.open().0.close();
    // By sled itself, so that its own checksums hold: it looks at those of what was written last at an open.
    let mut opened = sled::open(&views);
    until("sled does not let go", || {
        opened.is_ok() || {
            opened = sled::open(&views);
            opened.is_ok()
        }
    });
    let db = opened.unwrap();
    let key = [&[ENTRIES], HURT.as_bytes()].concat();
    let (begin, block) = db.range(..=key).next_back().unwrap().unwrap();
    let mut block = block.to_vec();
    *block.last_mut().unwrap() ^= 1;
    db.insert(begin, block).unwrap();
    db.flush().unwrap();
}

fn read(log: &Log, half: Half) -> Result<Option<Vec<u8>>, ViewError> {
    log.views().get(view(half, ENTRIES), HURT.as_bytes())
}

fn is_damaged(log: &Log, half: Half) -> bool {
    matches!(read(log, half), Err(ViewError::Damaged { half: of, .. }) if of == half)
}

#[test]
fn a_damaged_block_is_readable_again_without_a_restart() {
    let bench = Bench::new();
    hurt(&bench, Half::Neutral);
    let (log, report) = bench.open();
    assert_eq!((report.rebuilt.len(), log.health().views), (0, ViewsState::Ok), "nothing has read it");
    let (arrived, go) = gate(&bench.neutral);
    assert!(is_damaged(&log, Half::Neutral));
    arrived.recv().unwrap();
    let ViewsState::Rebuilding { half, why, progress } = log.health().views else { panic!("{log:?}") };
    assert_eq!((half, why.is_empty()), (Half::Neutral, false));
    assert_eq!(progress, Some(Building { half, done: 1, of: 401 }), "401 records are folded");
    // Meanwhile the rest is read, and written.
    assert_eq!(get(&log, Half::Neutral, FAR).as_deref(), Some(value(FAR).as_str()));
    put(&log, Half::Neutral, "meanwhile", "1");
    put(&log, Half::Personal, "meanwhile", "1");
    assert_eq!(log.health().state, HealthState::Ok);
    go.send(()).unwrap();
    until("the views are not built anew", || log.health().mended.0 == 1);
    assert_eq!(get(&log, Half::Neutral, HURT), Some(value(HURT)));
    assert_eq!(get(&log, Half::Neutral, "meanwhile").as_deref(), Some("1"));
    let health = log.health();
    let (_, Some(mended)) = health.mended else { panic!("{health:?}") };
    assert_eq!((health.views, mended.half, mended.why), (ViewsState::Ok, Half::Neutral, why));
    assert_eq!(digests(&log), from_the_journal(&bench));
    log.close();
    let (log, report) = bench.open();
    assert_eq!((report.rebuilt.len(), digests(&log)), (0, from_the_journal(&bench)));
}

#[test]
fn the_scrub_finds_damage_that_nobody_has_read() {
    for half in HALVES {
        let mut bench = Bench::new();
        hurt(&bench, half);
        bench.scrub_every = Duration::from_millis(20);
        let (log, _) = bench.open();
        until("the damage is not found, or not mended", || log.health().mended.0 == 1);
        assert_eq!(get(&log, half, HURT), Some(value(HURT)));
        assert_eq!((log.health().state, log.health().views), (HealthState::Ok, ViewsState::Ok));
        assert_eq!(digests(&log), from_the_journal(&bench));
    }
}

#[test]
fn damage_that_a_checkpoint_meets_does_not_stop_the_writing() {
    let mut bench = Bench::new();
    hurt(&bench, Half::Neutral);
    (bench.checkpoint_groups, bench.runs_bytes) = (5, 1);
    let (log, _) = bench.open();
    let (arrived, go) = gate(&bench.neutral);
    // Goes where the damage is, and its fold reads nothing.
    let event = format!("fill {HURT} 7 30");
    for _ in 0..5 {
        write(&log, &[(Half::Neutral, &event)]).unwrap();
    }
    until("not noticed", || log.health().views != ViewsState::Ok);
    arrived.recv().unwrap();
    for round in 0..30 {
        put(&log, Half::Neutral, "after", &round.to_string());
    }
    go.send(()).unwrap();
    until("the views are not built anew", || log.health().mended.0 == 1);
    put(&log, Half::Neutral, "last", "1");
    assert_eq!(read(&log, Half::Neutral), Ok(Some(vec![7; 30])));
    assert_eq!(get(&log, Half::Neutral, "after").as_deref(), Some("29"));
    assert_eq!(digests(&log), from_the_journal(&bench));
    assert_eq!(log.close().state, HealthState::Ok);
    let (log, report) = bench.open();
    assert_eq!((report.rebuilt.len(), digests(&log)), (0, from_the_journal(&bench)));
}

#[test]
fn views_of_a_locked_fold_are_built_anew_once_it_is_unlocked() {
    let bench = Bench::new();
    hurt(&bench, Half::Personal);
    let (log, _) = bench.open();
    bench.personal.locked.store(true, Ordering::Relaxed);
    assert!(is_damaged(&log, Half::Personal));
    until("not told", || matches!(log.health().views, ViewsState::Damaged { .. }));
    let ViewsState::Damaged { half, hindered, .. } = log.health().views else { panic!() };
    assert!(half == Half::Personal && hindered.contains("locked"), "{hindered}");
    put(&log, Half::Neutral, "a", "1");
    bench.personal.locked.store(false, Ordering::Relaxed);
    log.unlock_catch_up().unwrap().wait().unwrap();
    until("the views are not built anew", || log.health().mended.0 == 1);
    assert_eq!(get(&log, Half::Personal, HURT), Some(value(HURT)));
    assert_eq!(log.health().views, ViewsState::Ok);
}

#[test]
fn where_the_journal_is_damaged_too_nothing_more_is_written() {
    let bench = Bench::new();
    hurt(&bench, Half::Neutral);
    let file = segment(bench.path(), Half::Neutral, 1);
    let mut bytes = fs::read(&file).unwrap();
    bytes[400] ^= 1;
    fs::write(&file, bytes).unwrap();
    let (log, _) = bench.open();
    assert!(is_damaged(&log, Half::Neutral));
    until("not noticed", || matches!(log.health().state, HealthState::ReadOnly { .. }));
    let HealthState::ReadOnly { why } = log.health().state else { panic!() };
    assert!(why.contains(file.to_str().unwrap()), "{why}");
    assert_eq!(get(&log, Half::Neutral, FAR).as_deref(), Some(value(FAR).as_str()), "the rest is read");
    until("not told", || matches!(log.health().views, ViewsState::Damaged { .. }));
    assert!(matches!(log.renew_views(Half::Neutral), Err(Refused::ReadOnly { .. })));
    log.close();
    assert!(!bench.path().join("store/CHECKPOINT").exists(), "the next start would not read it");
}
