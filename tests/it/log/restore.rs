//! Going back to an earlier moment: both halves at one transaction, on a timeline of its own, and what becomes of the rest.

use super::second::{copied, until};
use super::support::*;
use fichad::log::{
    Half, HealthState, Log, Moment, OpenError, Restore, RestoreError, SecondCopy, Until, moments,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

type State = [Vec<(u8, Vec<u8>, Vec<u8>)>; 2];

fn state(log: &Log) -> State {
    HALVES.map(|half| dump(&log.views(), half))
}

/// Restores the store of `bench` in `dir`, as the command line does.
fn restore(bench: &Bench, dir: &Path, kept: Option<&str>, until: Until) -> Result<Moment, RestoreError> {
    let found = Restore::find(&bench.settings(dir), kept, until)?;
    let now_us = bench.now_us.clone();
    found.build(bench.folds(), std::sync::Arc::new(move || now_us.load(Ordering::Relaxed)))?;
    let before = found.moment().clone();
    let moment = found.swap_in()?;
    assert_eq!(moment, before, "it does what it said");
    Ok(moment)
}

/// Writes transactions of every kind; gives the time and the state after each.
fn history(log: &Log, count: usize) -> Vec<(i64, State)> {
    let mut states = Vec::new();
    for round in 0..count {
        let put = format!("put k{} {round}", round % 7);
        let events: &[(Half, &str)] = match round % 3 {
            0 => &[(Half::Neutral, &put)],
            1 => &[(Half::Personal, &put), (Half::Neutral, "add sum 3")],
            _ => &[(Half::Personal, "add sum 1")],
        };
        let meta = write(log, events).unwrap().meta;
        states.push((meta.at_us, state(log)));
    }
    states
}

fn there(dir: &Path, names: &[&str]) -> bool {
    names.iter().all(|name| dir.join(name).exists())
}

#[test]
fn each_moment_is_exactly_as_it_was() {
    let mut bench = Bench::new();
    bench.segment_bytes = 1_200;
    let (log, _) = bench.open();
    let states = history(&log, 60);
    log.close();
    assert!(segment(bench.path(), Half::Neutral, 3).exists(), "more than one segment");
    for (index, (at_us, then)) in states.iter().enumerate().take(59) {
        let seq = u64::try_from(index + 1).unwrap();
        let copy = folder();
        copy_dir(bench.path(), copy.path());
        // A moment is a time, also between two transactions, or a transaction.
        let moment = if index % 2 == 0 { Until::Time(*at_us) } else { Until::Transaction(seq) };
        let done = restore(&bench, copy.path(), None, moment).unwrap();
        let left = done.left_out.unwrap();
        assert_eq!((done.last.seq, done.timeline, left.count, left.first.seq), (seq, 2, 60 - seq, seq + 1));
        let (log, report) = bench.open_at(copy.path()).unwrap();
        assert_eq!(report.last.unwrap().seq, seq);
        assert_eq!((&report.rebuilt, report.caught_up), (&vec![], 0), "views came with it");
        assert_eq!((log.timeline(), &state(&log)), (2, then), "after transaction {seq}");
        assert_eq!(put(&log, Half::Personal, "new", "1").seq, seq + 1);
        let after = state(&log);
        log.close();
        for folder in ["store/views", "vault/views"] {
            fs::remove_dir_all(copy.path().join(folder)).unwrap();
        }
        let (log, _) = bench.open_at(copy.path()).unwrap();
        assert_eq!(state(&log), after, "built anew, after transaction {seq}");
        let kept = copy.path().join("kept-timeline-1");
        assert!(there(&kept, &["STORE", "store/journal", "vault/journal"]));
        assert!(
            !there(&kept, &["store/views"]) && !there(&kept, &["vault/views"]),
            "look-up hashes are left"
        );
    }
}

#[test]
fn a_timeline_that_was_left_can_be_gone_back_to() {
    let mut bench = Bench::new();
    bench.segment_bytes = 1_200;
    let (log, _) = bench.open();
    let states = history(&log, 40);
    log.close();
    restore(&bench, bench.path(), None, Until::Transaction(20)).unwrap();
    let (log, _) = bench.open();
    history(&log, 5);
    let second = state(&log);
    log.close();
    let back = restore(&bench, bench.path(), Some("kept-timeline-1"), Until::End).unwrap();
    assert_eq!((back.last.seq, back.timeline, back.left_out.unwrap().count), (40, 3, 5));
    let (log, _) = bench.open();
    assert_eq!((log.timeline(), &state(&log)), (3, &states[39].1));
    history(&log, 3);
    log.close();
    // From the second one, to before it turned off the first: what is left out is what came after that here.
    let back = restore(&bench, bench.path(), Some("kept-timeline-2"), Until::Transaction(10)).unwrap();
    assert_eq!((back.last.seq, back.timeline, back.left_out.unwrap().count), (10, 4, 33));
    let back = restore(&bench, bench.path(), Some("kept-timeline-2"), Until::End).unwrap();
    assert_eq!((back.last.seq, back.timeline, back.left_out), (25, 5, None));
    let (log, _) = bench.open();
    assert_eq!(state(&log), second);
    let found = moments(bench.path(), None).unwrap();
    let kept: Vec<_> = found.kept.iter().map(|kept| (kept.timeline, kept.last.unwrap().seq)).collect();
    assert_eq!((found.timeline, kept), (5, vec![(1, 40), (2, 25), (3, 43), (4, 10)]));
    assert_eq!(found.begins[0].1.seq, 1);
}

fn with_second() -> (Bench, tempfile::TempDir, PathBuf) {
    let (mut bench, other) = (Bench::new(), folder());
    let second = other.path().join("second");
    bench.second = Some(second.clone());
    bench.segment_bytes = 1_200;
    (bench, other, second)
}

fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for half in HALVES {
        let of = (1..).map(|number| segment(dir, half, number)).take_while(|file| file.exists());
        found.extend(of.map(|file| (file.strip_prefix(dir).unwrap().to_owned(), fs::read(&file).unwrap())));
    }
    found
}

#[test]
fn the_second_copy_is_set_aside_and_made_anew() {
    for away in [false, true] {
        let (bench, other, second) = with_second();
        let (log, _) = bench.open();
        let states = history(&log, 40);
        log.close();
        assert!(copied(&bench));
        let before = files(&second);
        let hidden = other.path().join("hidden");
        if away {
            fs::rename(&second, &hidden).unwrap();
        }
        restore(&bench, bench.path(), None, Until::Transaction(20)).unwrap();
        let (log, report) = bench.open();
        assert_eq!(
            (&report.healed, report.last.unwrap().seq),
            (&vec![], 20),
            "the copy is ahead, and of another timeline"
        );
        assert_eq!(state(&log), states[19].1);
        history(&log, 5);
        if away {
            until("not missed", || matches!(log.health().second, SecondCopy::Absent { .. }));
            fs::rename(&hidden, &second).unwrap();
        }
        until("the new timeline is not copied", || copied(&bench));
        until("not said to be there", || log.health().second == SecondCopy::Ok);
        let last = state(&log);
        log.close();
        assert!(files(&second.join("kept-timeline-1")) == before, "what was copied before is not as it was");
        // It heals again, with what is of this timeline.
        let file = segment(bench.path(), Half::Neutral, 1);
        fs::write(&file, b"").unwrap();
        for folder in ["store/CHECKPOINT", "vault/CHECKPOINT"] {
            fs::remove_file(bench.path().join(folder)).unwrap();
        }
        let (log, report) = bench.open();
        assert_eq!((report.healed.len(), report.last.unwrap().seq, state(&log)), (1, 25, last));
    }
}

#[test]
fn a_state_folder_of_an_earlier_timeline_gets_nothing_from_a_later_copy_and_does_nothing_to_it() {
    let (bench, _other, second) = with_second();
    let (log, _) = bench.open();
    history(&log, 10);
    log.close();
    let older = folder();
    copy_dir(bench.path(), older.path());
    restore(&bench, bench.path(), None, Until::Transaction(5)).unwrap();
    let (log, _) = bench.open();
    history(&log, 20);
    log.close();
    let copy = files(&second);
    fs::remove_dir_all(bench.path()).unwrap();
    copy_dir(older.path(), bench.path());
    let (log, report) = bench.open();
    assert_eq!((report.healed, report.last.unwrap().seq, log.timeline()), (vec![], 10, 1));
    until("not told", || matches!(log.health().second, SecondCopy::Absent { .. }));
    let SecondCopy::Absent { why } = log.health().second else { panic!() };
    assert!(why.contains("timeline 2"), "{why}");
    log.close();
    assert!(files(&second) == copy);
    // A number that the disk has seen is not given again.
    let done = restore(&bench, bench.path(), None, Until::Transaction(5)).unwrap();
    assert_eq!(done.timeline, 3);
}

#[test]
fn what_was_set_aside_by_a_crash_stays_so() {
    let (mut bench, crashed) = (Bench::new(), folder());
    let (log, ends) = with_last_group(&bench);
    copy_journals(bench.path(), crashed.path());
    drop(log);
    bench.dir = crashed;
    // The neutral half lost its last group: its personal records are orphans, and are voided.
    let file = segment(bench.path(), Half::Neutral, 1);
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..ends[1]]).unwrap();
    let (log, report) = bench.open();
    assert_eq!((report.orphans.len(), report.last.unwrap().seq), (3, 5));
    let states = history(&log, 6);
    log.close();
    for (index, (_, then)) in states.iter().enumerate().take(5) {
        let copy = folder();
        copy_dir(bench.path(), copy.path());
        let seq = u64::try_from(index + 6).unwrap();
        restore(&bench, copy.path(), None, Until::Transaction(seq)).unwrap();
        let (log, report) = bench.open_at(copy.path()).unwrap();
        assert_eq!((report.last.unwrap().seq, &state(&log)), (seq, then));
    }
    let done = restore(&bench, bench.path(), None, Until::Transaction(5)).unwrap();
    assert_eq!(done.left_out.unwrap().count, 6);
    let (log, _) = bench.open();
    assert_eq!(log_last(&log).seq, 5);
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn damage_behind_the_moment_is_left_out_and_damage_before_it_refuses() {
    let mut bench = Bench::new();
    bench.segment_bytes = 1_200;
    let (log, _) = bench.open();
    let states = history(&log, 60);
    log.close();
    let file = segment(bench.path(), Half::Neutral, 3);
    flip(&file, record_offsets(&fs::read(&file).unwrap())[2] + 34);
    for folder in ["store/CHECKPOINT", "store/views"] {
        let path = bench.path().join(folder);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    }
    assert!(matches!(bench.open_at(bench.path()), Err(OpenError::Damaged { .. })));
    let end = states[59].0;
    match restore(&bench, bench.path(), None, Until::Time(end)) {
        Err(RestoreError::Unread { damage, .. }) => assert!(damage.contains("00000003.seg"), "{damage}"),
        other => panic!("{other:?}"),
    }
    let done = restore(&bench, bench.path(), None, Until::Time(states[9].0)).unwrap();
    assert!(done.damaged.unwrap().contains("00000003.seg"));
    let (log, _) = bench.open();
    assert_eq!(state(&log), states[9].1);
}

#[test]
fn where_there_is_no_going_back_nothing_is_changed() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    let states = history(&log, 9);
    assert!(matches!(
        restore(&bench, bench.path(), None, Until::Transaction(3)),
        Err(RestoreError::Open(OpenError::Held { .. }))
    ));
    let now = state(&log);
    log.close();
    let tried = |kept, until| restore(&bench, bench.path(), kept, until).unwrap_err();
    assert!(
        matches!(tried(None, Until::Time(states[0].0 - 1)), RestoreError::Before { first } if first.seq == 1)
    );
    assert!(matches!(tried(None, Until::Time(i64::MAX)), RestoreError::Now));
    assert!(matches!(tried(None, Until::Transaction(9)), RestoreError::Now));
    assert!(matches!(
        tried(None, Until::Transaction(10)),
        RestoreError::NoTransaction { asked: 10, last: 9 }
    ));
    assert!(matches!(tried(Some("kept-timeline-1"), Until::End), RestoreError::NotKept { .. }));
    fs::create_dir(bench.path().join("kept-timeline-1")).unwrap();
    assert!(matches!(tried(None, Until::Transaction(3)), RestoreError::InTheWay { .. }));
    fs::remove_dir(bench.path().join("kept-timeline-1")).unwrap();
    let (log, _) = bench.open();
    assert_eq!((log.timeline(), state(&log), log.health().state), (1, now, HealthState::Ok));
}
