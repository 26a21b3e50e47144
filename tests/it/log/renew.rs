//! Views renewed while the log runs: nothing of what the fold now leaves out stays in their files.

use super::support::*;
use fichad::log::{FoldError, Half, Log, OpenError, Read, Refused};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc;
use std::thread;

/// Whether any file below `dir` holds `bytes`.
fn holds(dir: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            holds(&path, bytes)
        } else {
            fs::read(&path).unwrap().windows(bytes.len()).any(|window| window == bytes)
        }
    })
}

/// Views of a half that opens anew from the journals alone.
pub(super) fn from_the_journal(bench: &Bench) -> [fichad::log::Digest; 2] {
    let fresh = folder();
    copy_journals(bench.path(), fresh.path());
    let (log, _) = bench.open_at(fresh.path()).unwrap();
    HALVES.map(|half| log.views().digest(half).unwrap())
}

pub(super) fn digests(log: &Log) -> [fichad::log::Digest; 2] {
    HALVES.map(|half| log.views().digest(half).unwrap())
}

#[test]
fn what_a_fold_leaves_out_is_in_no_file_of_the_views() {
    const NAME: &str = "Wilhelmine-Kriemhild";
    let bench = Bench::new();
    let (log, _) = bench.open();
    for round in 0..300 {
        put(&log, Half::Personal, &format!("k{round}"), "v");
    }
    put(&log, Half::Personal, "erased", NAME);
    log.close();
    let (log, _) = bench.open();
    let vault = bench.path().join("vault");
    assert!(holds(&vault.join("views"), NAME.as_bytes()));
    *bench.personal.erased.lock().unwrap() = Some("erased".to_owned());
    let reader = log.views();
    assert_eq!(log.renew_views(Half::Personal).unwrap(), 301);
    let folders = fs::read_dir(&vault).unwrap().map(|entry| entry.unwrap().file_name());
    let mut folders: Vec<_> = folders.filter(|name| name != "CHECKPOINT").collect();
    folders.sort();
    assert_eq!(folders, ["journal", "views"]);
    assert!(!holds(&vault.join("views"), NAME.as_bytes()));
    assert_eq!(reader.get(view(Half::Personal, ENTRIES), b"erased"), Ok(None), "handles see the new views");
    assert_eq!(get(&log, Half::Personal, "k299").as_deref(), Some("v"));
    put(&log, Half::Personal, "after", "1");
    assert_eq!(digests(&log), from_the_journal(&bench));
    let before = digests(&log);
    drop(reader);
    log.close();
    let (log, report) = bench.open();
    assert_eq!((report.rebuilt.len(), report.caught_up), (0, 0));
    assert_eq!(digests(&log), before);
}

/// Stops the next fold of a `gate` event; gives how to learn that it came there, and how to let it go on.
pub(super) fn gate(words: &Words) -> (mpsc::Receiver<()>, mpsc::SyncSender<()>) {
    let (came, arrived) = mpsc::sync_channel(1);
    let (go, wait) = mpsc::sync_channel(1);
    *words.gate.lock().unwrap() = Some((came, wait));
    (arrived, go)
}

#[test]
fn writers_and_readers_go_on_while_views_are_folded_anew() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    write(&log, &[(Half::Neutral, "gate"), (Half::Neutral, "put a 0")]).unwrap();
    let (arrived, go) = gate(&bench.neutral);
    thread::scope(|scope| {
        let renewal = scope.spawn(|| log.renew_views(Half::Neutral));
        arrived.recv().unwrap();
        for round in 1..=2_000 {
            put(&log, Half::Neutral, "a", &round.to_string());
            put(&log, Half::Personal, "b", &round.to_string());
        }
        assert_eq!(get(&log, Half::Neutral, "a").as_deref(), Some("2000"));
        go.send(()).unwrap();
        assert!(renewal.join().unwrap().unwrap() >= 2_000, "what was written meanwhile is folded aside too");
    });
    assert_eq!(get(&log, Half::Neutral, "a").as_deref(), Some("2000"));
    assert_eq!(digests(&log), from_the_journal(&bench));
}

#[test]
fn renewals_amid_writers_and_readers_lose_nothing() {
    let mut bench = Bench::new();
    bench.segment_bytes = 20_000;
    bench.checkpoint_groups = 7;
    let (log, _) = bench.open();
    let (done, acknowledged) = (AtomicBool::new(false), AtomicI64::new(0));
    thread::scope(|scope| {
        for writer in 0..4 {
            let (log, done, acknowledged) = (&log, &done, &acknowledged);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let events = [(Half::Personal, "add n 1"), (Half::Neutral, "add n 1")];
                    write(log, &events).unwrap();
                    acknowledged.fetch_add(1, Ordering::AcqRel);
                    put(log, Half::Neutral, &format!("w{writer}"), "x");
                }
            });
        }
        let (log, done, acknowledged) = (&log, &done, &acknowledged);
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                let least = acknowledged.load(Ordering::Acquire);
                for half in HALVES {
                    assert!(number(&log.views(), view(half, ENTRIES), "n") >= least);
                }
            }
        });
        let renewed: Vec<_> =
            [HALVES; 6].into_iter().flatten().map(|half| log.renew_views(half).is_ok()).collect();
        // Before anything is asserted: the threads end by this alone.
        done.store(true, Ordering::Relaxed);
        assert_eq!(renewed, [true; 12]);
    });
    let count = acknowledged.into_inner();
    assert_eq!(HALVES.map(|half| number(&log.views(), view(half, ENTRIES), "n")), [count; 2]);
    assert_eq!(digests(&log), from_the_journal(&bench));
}

#[test]
fn a_locked_fold_leaves_the_views_as_they_are() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    write(&log, &[(Half::Personal, "add p 3")]).unwrap();
    bench.personal.locked.store(true, Ordering::Relaxed);
    let before = digests(&log);
    assert!(matches!(log.renew_views(Half::Personal), Err(Refused::Fold(FoldError::Locked))));
    assert_eq!(digests(&log), before);
    assert!(!bench.path().join("vault/views.renewed").exists());
}

#[test]
fn closing_does_not_wait_for_a_renewal() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    write(&log, &[(Half::Neutral, "gate"), (Half::Neutral, "put a 0")]).unwrap();
    let (arrived, go) = gate(&bench.neutral);
    thread::scope(|scope| {
        let renewal = scope.spawn(|| log.renew_views(Half::Neutral));
        arrived.recv().unwrap();
        log.clone().close();
        go.send(()).unwrap();
        assert!(matches!(renewal.join().unwrap(), Err(Refused::Closed)));
    });
    assert!(!bench.path().join("store/views.renewed").exists());
    drop(log);
    let (log, report) = bench.open();
    assert_eq!((report.rebuilt.len(), get(&log, Half::Neutral, "a").as_deref()), (0, Some("0")));
}

#[test]
fn a_last_record_that_is_damaged_keeps_views_from_being_made_anew_without_it() {
    for half in HALVES {
        let bench = Bench::new();
        let (log, _) = bench.open();
        put(&log, half, "k", "v");
        log.close();
        let folder = if half == Half::Neutral { "store" } else { "vault" };
        let file = bench.path().join(folder).join("journal/00000001.seg");
        let mut bytes = fs::read(&file).unwrap();
        let at = bytes.windows(5).position(|bytes| bytes == b"put k").unwrap();
        bytes[at] ^= 1;
        fs::write(&file, bytes).unwrap();
        // A start reads on from its checkpoint, and does not see it.
        let (log, _) = bench.open();
        let refused = log.renew_views(half).unwrap_err();
        assert!(matches!(refused, Refused::Refusal(OpenError::Damaged { .. })), "{refused:?}");
        assert_eq!(get(&log, half, "k").as_deref(), Some("v"));
    }
}
