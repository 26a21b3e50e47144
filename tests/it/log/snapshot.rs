//! Snapshots: what is built from one is what the journal gives, and one that is damaged is passed over.

use super::second::until;
use super::support::*;
use fichad::log::{Digest, Half, Log, Progress, Restore, Until, moments};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

fn some_writes(log: &Log, from: usize, to: usize) {
    for round in from..to {
        let long = format!("fill long{} {} 9000", round % 3, round % 200);
        let put = format!("put k{} {round}", round % 17);
        let events: &[(Half, &str)] = match round % 4 {
            0 => &[(Half::Neutral, &put), (Half::Personal, "add sum 2")],
            1 => &[(Half::Personal, &put)],
            2 => &[(Half::Neutral, &long)],
            _ => &[(Half::Neutral, "del k4"), (Half::Personal, "del k5")],
        };
        write(log, events).unwrap();
    }
}

fn digests(log: &Log) -> [Digest; 2] {
    HALVES.map(|half| log.views().digest(half).unwrap())
}

fn take(log: &Log) -> [PathBuf; 2] {
    HALVES.map(|half| log.snapshot(half).unwrap().unwrap())
}

fn forget_views(dir: &Path) {
    for folder in ["store/views", "vault/views"] {
        fs::remove_dir_all(dir.join(folder)).unwrap();
    }
}

/// How many records each half's rebuild folded, the personal one first.
fn rebuilt(bench: &Bench) -> ([u64; 2], [Digest; 2]) {
    forget_views(bench.path());
    let (log, report) = bench.open();
    let of = |half| {
        report.rebuilt.iter().find(|rebuilt| rebuilt.half == half).map_or(0, |rebuilt| rebuilt.records)
    };
    let found = (HALVES.map(of), digests(&log));
    log.close();
    found
}

#[test]
fn views_are_built_from_a_snapshot_and_what_came_after() {
    let mut bench = Bench::new();
    bench.segment_bytes = 4_000;
    let (log, _) = bench.open();
    some_writes(&log, 0, 100);
    take(&log);
    assert_eq!(HALVES.map(|half| log.snapshot(half).unwrap()), [None, None], "it is of now");
    some_writes(&log, 100, 140);
    let now = digests(&log);
    log.close();
    let (records, found) = rebuilt(&bench);
    assert_eq!(found, now, "not what the journal gives");
    assert_eq!(records, [30, 40], "the journal was folded from its beginning");
    // The next one goes on from the last, and only the last ones are kept.
    let (log, _) = bench.open();
    for round in 0..3 {
        some_writes(&log, 140 + round * 20, 160 + round * 20);
        take(&log);
    }
    let now = digests(&log);
    log.close();
    assert_eq!(fs::read_dir(bench.path().join("store/snapshots")).unwrap().count(), 2);
    assert_eq!(rebuilt(&bench), ([0, 0], now));
}

#[test]
fn a_snapshot_with_a_flipped_bit_is_named_and_the_journal_used() {
    let mut bench = Bench::new();
    bench.segment_bytes = 4_000;
    let (log, _) = bench.open();
    some_writes(&log, 0, 60);
    let taken = take(&log);
    let now = digests(&log);
    log.close();
    let whole = taken.clone().map(|file| fs::read(file).unwrap());
    for at in [0, 9, 13, 40, 300, 5_000, whole[1].len() / 2, whole[1].len() - 40, whole[1].len() - 5] {
        let mut bad = whole[1].clone();
        bad[at] ^= 8;
        fs::write(&taken[1], &bad).unwrap();
        let (records, found) = rebuilt(&bench);
        assert_eq!((records, found), ([0, 60], now), "byte {at}");
        let faults =
            fichad::log::verify(&bench.settings(bench.path()), None, &Progress::default(), &|_, _| ())
                .unwrap()
                .faults;
        assert!(matches!(&faults[..], [fault] if fault.file == taken[1]), "byte {at}: {faults:?}");
    }
    for cut in [0, 10, 100, whole[1].len() - 1] {
        fs::write(&taken[1], &whole[1][..cut]).unwrap();
        assert_eq!(rebuilt(&bench), ([0, 60], now), "cut at {cut}");
    }
    // The other half's, and one under another fold.
    fs::write(&taken[1], &whole[0]).unwrap();
    assert_eq!(rebuilt(&bench), ([0, 60], now));
    fs::write(&taken[1], &whole[1]).unwrap();
    assert_eq!(rebuilt(&bench).0, [0, 0]);
    bench.neutral.version.store(2, Ordering::Relaxed);
    assert_eq!(rebuilt(&bench).0, [0, 60]);
}

#[test]
fn snapshots_are_taken_while_the_log_runs() {
    let mut bench = Bench::new();
    bench.segment_bytes = 2_000;
    bench.snapshot_look = Duration::from_millis(10);
    let (log, _) = bench.open();
    let taken = |dir: &Path| {
        let found = moments(dir, None).unwrap().snapshots;
        HALVES.map(|half| found.iter().find(|taken| taken.half == half).and_then(|taken| taken.last))
    };
    let mut round = 0;
    until("no snapshot is taken", || {
        some_writes(&log, round, round + 10);
        round += 10;
        taken(bench.path()).iter().all(Option::is_some)
    });
    let now = digests(&log);
    log.close();
    let (records, found) = rebuilt(&bench);
    assert_eq!(found, now);
    assert!(records[1] < u64::try_from(round).unwrap(), "{records:?} of {round}");
}

#[test]
fn a_restore_takes_the_snapshots_along_that_are_of_before() {
    let mut bench = Bench::new();
    bench.segment_bytes = 4_000;
    let (log, _) = bench.open();
    some_writes(&log, 0, 40);
    take(&log);
    some_writes(&log, 40, 60);
    let then = digests(&log);
    some_writes(&log, 60, 80);
    take(&log);
    log.close();
    let found = Restore::find(&bench.settings(bench.path()), None, Until::Transaction(60)).unwrap();
    let report = found.build(bench.folds(), std::sync::Arc::new(|| 1)).unwrap();
    assert_eq!(report.rebuilt.iter().map(|rebuilt| rebuilt.records).sum::<u64>(), 15 + 20);
    found.swap_in().unwrap();
    let (log, _) = bench.open();
    assert_eq!(digests(&log), then);
    assert_eq!(fs::read_dir(bench.path().join("store/snapshots")).unwrap().count(), 1);
    some_writes(&log, 60, 90);
    let now = digests(&log);
    take(&log);
    log.close();
    assert_eq!(rebuilt(&bench), ([0, 0], now));
}

/// More than is folded in memory at once: entries are written, replaced and removed over several parts of it.
#[test]
fn a_large_journal_is_folded_part_by_part() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    let note = format!("note {}", "x".repeat(1_000_000));
    let large = |from: usize, to: usize| {
        for round in from..to {
            let put = format!("put k{} {round}", round % 11);
            let del = format!("del k{}", round % 5);
            write(&log, &[(Half::Neutral, &del), (Half::Neutral, &note), (Half::Neutral, &put)]).unwrap();
            write(&log, &[(Half::Personal, &put), (Half::Neutral, "add sum 1")]).unwrap();
        }
    };
    large(0, 40);
    take(&log);
    large(40, 80);
    take(&log);
    large(80, 120);
    let now = digests(&log);
    log.close();
    assert_eq!(rebuilt(&bench), ([40, 80], now));
    for half in ["store", "vault"] {
        fs::remove_dir_all(bench.path().join(half).join("snapshots")).unwrap();
    }
    assert_eq!(rebuilt(&bench), ([120, 240], now));
}
