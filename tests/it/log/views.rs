//! The views: rebuilt, caught up, or left behind.

use super::support::*;
use fichad::log::{
    Building, FoldError, Half, HealthState, Log, Progress, Read, Refused, SecondCopy, VALUE_BYTES_MAX,
    ViewError,
};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

#[test]
fn deleted_or_emptied_views_are_rebuilt_to_the_same_bytes() {
    let bench = Bench::new();
    let (log, _) = with_last_group(&bench);
    write(&log, &[(Half::Neutral, "del k1"), (Half::Neutral, "put k2 other")]).unwrap();
    let digests = HALVES.map(|half| log.views().digest(half).unwrap());
    assert_eq!(digests[1].entries, 20);
    log.close();
    for damage in ["deleted", "emptied", "no db", "cut", "other fold", "half a rebuild"] {
        for folder in ["store/views", "vault/views"] {
            let views = bench.path().join(folder);
            match damage {
                "deleted" => fs::remove_dir_all(&views).unwrap(),
                "emptied" => {
                    fs::remove_dir_all(&views).unwrap();
                    fs::create_dir(&views).unwrap();
                }
                "no db" => fs::remove_file(views.join("db")).unwrap(),
                "cut" => {
                    let db = fs::OpenOptions::new().write(true).open(views.join("db")).unwrap();
                    db.set_len(0).unwrap();
                }
                "other fold" => {
                    bench.personal.version.store(2, Ordering::Relaxed);
                    bench.neutral.version.store(2, Ordering::Relaxed);
                }
                _ => fs::rename(&views, views.with_extension("new")).unwrap(),
            }
        }
        let (log, report) = bench.open();
        assert_eq!(report.rebuilt.len(), 2, "{damage}: {report:?}");
        assert_eq!(HALVES.map(|half| log.views().digest(half).unwrap()), digests, "{damage}");
        log.close();
        let (_, report) = bench.open();
        assert_eq!(report.rebuilt, [], "{damage}");
    }
}

#[test]
fn views_of_another_time_catch_up_and_views_of_another_journal_are_rebuilt() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    put(&log, Half::Neutral, "a", "1");
    log.close();
    let early = folder();
    copy_dir(&bench.path().join("store/views"), early.path());
    let (log, _) = bench.open();
    for round in 0..600 {
        put(&log, Half::Neutral, &format!("k{}", round % 7), &format!("{round}"));
    }
    let digest = log.views().digest(Half::Neutral).unwrap();
    log.close();
    fs::remove_file(bench.path().join("store/CHECKPOINT")).unwrap();
    fs::remove_dir_all(bench.path().join("store/views")).unwrap();
    copy_dir(early.path(), &bench.path().join("store/views"));
    let (log, report) = bench.open();
    assert_eq!((report.caught_up, report.rebuilt.len()), (600, 0));
    assert_eq!(log.views().digest(Half::Neutral).unwrap(), digest);
    log.close();

    let other = Bench::new();
    let (log, _) = other.open();
    put(&log, Half::Neutral, "another", "history");
    log.close();
    fs::remove_dir_all(bench.path().join("store/views")).unwrap();
    copy_dir(&other.path().join("store/views"), &bench.path().join("store/views"));
    let (log, report) = bench.open();
    assert_eq!(report.rebuilt.len(), 1);
    assert_eq!(log.views().digest(Half::Neutral).unwrap(), digest);
}

/// A log whose personal half has five records that its views lack, by `lose`, and whose fold is locked.
fn left_behind(bench: &Bench, lose: impl FnOnce(&Path)) -> Log {
    let (log, _) = bench.open();
    write(&log, &[(Half::Personal, "add p 3")]).unwrap();
    log.close();
    let early = folder();
    copy_dir(&bench.path().join("vault/views"), early.path());
    let (log, _) = bench.open();
    for _ in 0..5 {
        write(&log, &[(Half::Personal, "add p 1"), (Half::Neutral, "add n 1")]).unwrap();
    }
    log.close();
    fs::remove_file(bench.path().join("vault/CHECKPOINT")).unwrap();
    fs::remove_dir_all(bench.path().join("vault/views")).unwrap();
    lose(early.path());
    bench.personal.locked.store(true, Ordering::Relaxed);
    let (log, report) = bench.open();
    assert_eq!((report.behind, log.health().behind), (vec![Half::Personal], vec![Half::Personal]));
    log
}

fn goes_on_and_catches_up(bench: &Bench, log: Log, records: u64) {
    let behind = ViewError::Behind { half: Half::Personal };
    assert_eq!(log.views().get(view(Half::Personal, ENTRIES), b"p"), Err(behind));
    put(&log, Half::Neutral, "a", "1");
    let refused = write(&log, &[(Half::Neutral, "put a 2"), (Half::Personal, "add p 1")]);
    assert!(matches!(refused, Err(Refused::Refusal(FoldError::Locked))));
    assert_eq!(get(&log, Half::Neutral, "a").as_deref(), Some("1"));
    assert!(matches!(log.unlock_catch_up().unwrap().wait(), Err(Refused::Fold(FoldError::Locked))));
    bench.personal.locked.store(false, Ordering::Relaxed);
    assert_eq!(log.unlock_catch_up().unwrap().wait().unwrap().value, records);
    assert_eq!(log.unlock_catch_up().unwrap().wait().unwrap().value, 0);
    assert_eq!(number(&log.views(), view(Half::Personal, ENTRIES), "p"), 8);
    write(&log, &[(Half::Personal, "add p 1")]).unwrap();
    let digest = log.views().digest(Half::Personal).unwrap();
    let health = log.close();
    assert_eq!((health.state, health.last_seq, health.second), (HealthState::Ok, 8, SecondCopy::OneDiskOnly));
    assert_eq!(health.behind, []);
    let (log, report) = bench.open();
    assert_eq!((report.rebuilt.len(), report.caught_up), (0, 0));
    assert_eq!(log.views().digest(Half::Personal).unwrap(), digest);
}

#[test]
fn a_half_that_was_locked_at_start_catches_up_when_unlocked() {
    let bench = Bench::new();
    let log = left_behind(&bench, |early| copy_dir(early, &bench.path().join("vault/views")));
    goes_on_and_catches_up(&bench, log, 5);
}

#[test]
fn a_half_without_views_that_was_locked_at_start_is_rebuilt_when_unlocked() {
    let bench = Bench::new();
    let log = left_behind(&bench, |_| ());
    goes_on_and_catches_up(&bench, log, 6);
}

#[test]
fn a_half_that_locks_while_open_refuses_its_events_and_shows_what_it_has() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    write(&log, &[(Half::Personal, "add p 3")]).unwrap();
    bench.personal.locked.store(true, Ordering::Relaxed);
    let refused = write(&log, &[(Half::Personal, "add p 1")]);
    assert!(matches!(refused, Err(Refused::Refusal(FoldError::Locked))));
    put(&log, Half::Neutral, "a", "1");
    log.close();
    let (log, report) = bench.open();
    assert_eq!(report.behind, []);
    assert_eq!(number(&log.views(), view(Half::Personal, ENTRIES), "p"), 3);
}

#[test]
fn a_long_value_is_read_whole_while_it_is_replaced_and_leaves_no_parts() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    let fill = |byte: u8, len: usize| {
        write(&log, &[(Half::Neutral, &format!("fill long {byte} {len}")), (Half::Neutral, "put longer x")])
            .unwrap()
    };
    fill(0, 5_000);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let views = log.views();
                    let value = views.get(view(Half::Neutral, ENTRIES), b"long").unwrap().unwrap();
                    assert!(value.len() >= 5_000 && value.iter().all(|byte| *byte == value[0]));
                    let found = views.scan(view(Half::Neutral, ENTRIES), b"long", 9).unwrap();
                    assert_eq!(found.len(), 2);
                    assert!(found[0].1.iter().all(|byte| *byte == found[0].1[0]));
                }
            });
        }
        for round in 1..=200 {
            fill(round, 5_000 + 100 * usize::from(round));
        }
        fill(9, VALUE_BYTES_MAX);
        done.store(true, Ordering::Relaxed);
    });
    let digest = log.views().digest(Half::Neutral).unwrap();
    log.close();
    fs::remove_dir_all(bench.path().join("store/views")).unwrap();
    let (log, _) = bench.open();
    assert_eq!(log.views().digest(Half::Neutral).unwrap(), digest);
    assert_eq!(
        log.views().get(view(Half::Neutral, ENTRIES), b"long").unwrap(),
        Some(vec![9; VALUE_BYTES_MAX])
    );
    write(&log, &[(Half::Neutral, "clear long")]).unwrap();
    let left = log.views().digest(Half::Neutral).unwrap().entries;
    assert_eq!(left, u64::try_from(dump(&log.views(), Half::Neutral).len()).unwrap());
}

#[test]
fn how_far_a_half_is_that_is_brought_up_when_unlocked_is_told() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    for event in ["put a 1", "put b 2", "gate", "put c 3"] {
        write(&log, &[(Half::Personal, event)]).unwrap();
    }
    let crashed = folder();
    copy_dir(bench.path(), crashed.path());
    log.close();
    bench.personal.locked.store(true, Ordering::Relaxed);
    let progress = Arc::new(Progress::default());
    let (settings, hold) = (bench.settings(crashed.path()), fichad::log::hold(crashed.path()).unwrap());
    let opened = Log::open_telling(hold, settings, bench.folds(), Arc::new(|| 0), Arc::clone(&progress));
    let (log, report) = opened.unwrap();
    assert_eq!((report.behind, progress.now()), (vec![Half::Personal], None));
    bench.personal.locked.store(false, Ordering::Relaxed);
    let ((came, wait), (go, gone_on)) = (mpsc::sync_channel(0), mpsc::sync_channel(0));
    *bench.personal.gate.lock().unwrap() = Some((came, gone_on));
    let caught_up = log.unlock_catch_up().unwrap();
    wait.recv().unwrap();
    assert_eq!(progress.now(), Some(Building { half: Half::Personal, done: 3, of: 4 }));
    go.send(()).unwrap();
    assert_eq!((caught_up.wait().unwrap().value, progress.now()), (4, None));
}
