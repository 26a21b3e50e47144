//! A journal that is damaged for good: nothing more is written, reading goes on over the views, and what they may lack is an error.

use super::support::*;
use fichad::log::{Half, HealthState, Log, OpenError, Read, Refused, SecondCopy, SubmitError, ViewError};
use std::fs;
use std::path::Path;

/// Writes transactions that touch both halves, up to `to` in all; each leaves an entry of its own too.
fn both(log: &Log, to: u64) {
    loop {
        let next = log_last(log).seq + 1;
        if next > to {
            return;
        }
        let put = format!("put k{next} v");
        let events = HALVES.map(|half| [(half, "add n 1"), (half, &put)]).concat();
        write(log, &events).unwrap();
    }
}

fn shown(log: &Log) -> [i64; 2] {
    HALVES.map(|half| number(&log.views(), view(half, ENTRIES), "n"))
}

/// How a look-up ends that has to know whether there is something.
fn looked_up(log: &Log, half: Half, key: &str) -> Result<bool, ViewError> {
    Ok(log.views().standing().get(view(half, ENTRIES), key.as_bytes())?.is_some())
}

/// Flips a bit in one record of the first segment; gives where that record begins.
fn hurt(dir: &Path, half: Half, record: usize) -> usize {
    let file = segment(dir, half, 1);
    let mut bytes = fs::read(&file).unwrap();
    let offset = record_offsets(&bytes)[record];
    bytes[offset + 34] ^= 1;
    fs::write(file, bytes).unwrap();
    offset
}

/// As a scrub does that finds damage: then the next start reads all.
fn forget_checkpoints(dir: &Path) {
    let checkpoint = |folder: &&str| dir.join(folder).join("CHECKPOINT");
    ["store", "vault"].iter().for_each(|folder| fs::remove_file(checkpoint(folder)).unwrap());
}

fn journals(dir: &Path) -> Vec<Vec<u8>> {
    HALVES.map(|half| fs::read(segment(dir, half, 1)).unwrap()).into()
}

#[track_caller]
fn read_only(log: &Log) -> String {
    let HealthState::ReadOnly { why } = log.health().state else { panic!("it takes writes") };
    why
}

#[track_caller]
fn refuses_all_but_reading(log: &Log) {
    assert!(matches!(log.submit(|_| Ok::<(), ()>(())), Err(SubmitError::ReadOnly { .. })));
    assert!(matches!(log.renew_views(Half::Neutral), Err(Refused::ReadOnly { .. })));
    assert!(matches!(log.snapshot(Half::Neutral), Err(Refused::ReadOnly { .. })));
    assert!(matches!(log.past(Half::Neutral, &mut |_, _| ()), Err(Refused::ReadOnly { .. })));
}

#[test]
fn nothing_is_written_and_all_is_read_where_the_views_have_it() {
    let other = folder();
    let mut bench = Bench::new();
    bench.second = Some(other.path().join("second"));
    let second = other.path().join("second");
    let (log, _) = bench.open();
    both(&log, 20);
    log.close();
    forget_checkpoints(bench.path());
    for half in HALVES {
        let (file, copy) = (segment(bench.path(), half, 1), segment(&second, half, 1));
        let whole = [fs::read(&file).unwrap(), fs::read(&copy).unwrap()];
        // And no healing: the same in the second copy.
        let offset = hurt(bench.path(), half, 5);
        hurt(&second, half, 5);
        let before = (journals(bench.path()), journals(&second));
        for _ in 0..2 {
            let (log, report) = bench.open();
            let why = read_only(&log);
            assert!(why.contains(&format!("{} is damaged at byte {offset}", file.display())), "{why}");
            assert!(why.contains("ficha store restore"), "it says what to do: {why}");
            assert!(why.ends_with("all that was written is shown"), "{why}");
            assert_eq!((shown(&log), report.last.map(|last| last.seq)), ([20; 2], Some(20)));
            assert_eq!(log.health().behind, []);
            assert_eq!(HALVES.map(|half| looked_up(&log, half, "k20")), [Ok(true), Ok(true)]);
            assert_eq!(HALVES.map(|half| looked_up(&log, half, "k21")), [Ok(false), Ok(false)]);
            refuses_all_but_reading(&log);
            assert!(matches!(log.health().second, SecondCopy::Absent { .. }));
            assert_eq!(log.unlock_catch_up().unwrap().wait().unwrap().value, 0);
            log.close();
            assert!((journals(bench.path()), journals(&second)) == before, "a journal was changed");
            assert!(!bench.path().join("store/CHECKPOINT").exists(), "as if all had been read");
        }
        fs::write(&file, &whole[0]).unwrap();
        fs::write(&copy, &whole[1]).unwrap();
    }
    // Put back, everything goes on.
    let (log, _) = bench.open();
    both(&log, 21);
    assert_eq!((shown(&log), log.health().state), ([21; 2], HealthState::Ok));
}

/// What a crash leaves after twenty transactions of which the views on the disk have ten.
fn crashed(bench: &Bench) -> tempfile::TempDir {
    let (log, _) = bench.open();
    both(&log, 10);
    log.close();
    let (log, _) = bench.open();
    both(&log, 20);
    let crashed = folder();
    copy_dir(bench.path(), crashed.path());
    log.close();
    crashed
}

#[track_caller]
fn shows_ten_and_says_so(log: &Log, what: &str) {
    let why = read_only(log);
    assert!(why.ends_with("what is shown is as of transaction 10, what came after it is not known"), "{why}");
    assert_eq!((shown(log), log.health().behind), ([10; 2], HALVES.to_vec()), "{what}");
    for half in HALVES {
        assert_eq!(looked_up(log, half, "k10"), Ok(true), "{what}");
        assert_eq!(looked_up(log, half, "k11"), Err(ViewError::Behind { half }), "{what}");
    }
    refuses_all_but_reading(log);
}

#[test]
fn what_views_that_are_behind_do_not_hold_is_an_error_and_never_nothing() {
    let bench = Bench::new();
    let crashed = crashed(&bench);
    let open = |hurt: &dyn Fn(&Path), what: &str| {
        let dir = folder();
        copy_dir(crashed.path(), dir.path());
        hurt(dir.path());
        let before = journals(dir.path());
        let (log, _) = bench.open_at(dir.path()).unwrap_or_else(|error| panic!("{what}: {error}"));
        shows_ten_and_says_so(&log, what);
        log.close();
        assert!(journals(dir.path()) == before, "{what}: a journal was changed");
    };
    for half in HALVES {
        let name = half.name();
        let after = |dir: &Path| {
            hurt(dir, half, 14);
        };
        open(&after, &format!("damage after the views, {name}"));
        let before = |dir: &Path| {
            forget_checkpoints(dir);
            hurt(dir, half, 4);
        };
        open(&before, &format!("damage before what they lack, {name}"));
    }
    // Cut between two records, where the views end: by itself the personal journal looks whole.
    let cut = |dir: &Path| {
        let file = segment(dir, Half::Personal, 1);
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..record_offsets(&bytes)[10]]).unwrap();
    };
    open(&cut, "the personal journal lacks what the neutral one knows of");
}

#[test]
fn a_journal_whose_end_is_missing_leaves_the_views_and_they_count_as_behind() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    both(&log, 20);
    log.close();
    for half in HALVES {
        let dir = folder();
        copy_dir(bench.path(), dir.path());
        let file = segment(dir.path(), half, 1);
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..record_offsets(&bytes)[15]]).unwrap();
        let (log, _) = bench.open_at(dir.path()).unwrap();
        assert!(read_only(&log).contains(file.to_str().unwrap()));
        assert_eq!((shown(&log), looked_up(&log, half, "k20")), ([20; 2], Ok(true)));
        assert_eq!(looked_up(&log, half, "k21"), Err(ViewError::Behind { half }));
    }
}

#[test]
fn views_that_cannot_be_believed_are_not_shown() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    both(&log, 20);
    log.close();
    let checkpoint = fs::read(bench.path().join("vault/CHECKPOINT")).unwrap();
    let views = bench.path().join("vault/views");
    let early = folder();
    copy_dir(&crashed(&Bench::new()).path().join("vault/views"), early.path());
    forget_checkpoints(bench.path());
    let offset = hurt(bench.path(), Half::Neutral, 5);
    let refused = |hurt: &dyn Fn(&Path), what: &str| {
        let dir = folder();
        copy_dir(bench.path(), dir.path());
        hurt(dir.path());
        match bench.open_at(dir.path()) {
            Err(OpenError::Damaged { offset: at, .. }) => {
                assert_eq!(usize::try_from(at), Ok(offset), "{what}")
            }
            Err(error) => panic!("{what}: {error}"),
            Ok((log, _)) => panic!("{what}: opened, {:?}", log.health()),
        }
    };
    assert!(views.exists());
    refused(&|dir| fs::remove_dir_all(dir.join("vault/views")).unwrap(), "no views of one half");
    let old = |dir: &Path| {
        fs::remove_dir_all(dir.join("vault/views")).unwrap();
        copy_dir(early.path(), &dir.join("vault/views"));
        fs::write(dir.join("vault/CHECKPOINT"), &checkpoint).unwrap();
    };
    refused(&old, "views that end before their checkpoint");
    bench.neutral.version.store(2, std::sync::atomic::Ordering::Relaxed);
    refused(&|_| (), "views of another fold");
}
