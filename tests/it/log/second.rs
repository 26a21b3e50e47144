//! The second copy: there within a second, told apart from a bare folder, and what the first is healed from.

use super::support::*;
use fichad::log::{
    Half, HealthState, Log, OpenError, Progress, Recall as _, SecondCopy, SubmitError, ViewError,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// How long a test waits for what must come; only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Groups that are written one by one, from 100 on, each waited for.
const ONE_BY_ONE_TO: usize = 111;

#[expect(clippy::disallowed_methods, reason = "a test waits for a condition, and says how long it took")]
pub(super) fn until(what: &str, mut done: impl FnMut() -> bool) -> Duration {
    let began = std::time::Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        thread::park_timeout(Duration::from_millis(5));
    }
    began.elapsed()
}

/// The records of a half's journal, however far its files are filled ahead.
fn records(dir: &Path, half: Half) -> Vec<u8> {
    let mut all = Vec::new();
    for file in (1..).map(|number| segment(dir, half, number)).take_while(|file| file.exists()) {
        let bytes = fs::read(file).unwrap();
        let end = (*record_offsets(&bytes).last().unwrap()).min(bytes.len());
        all.extend_from_slice(&bytes[..end]);
    }
    all
}

pub(super) fn copied(bench: &Bench) -> bool {
    let second = bench.second.as_deref().unwrap();
    HALVES.into_iter().all(|half| records(bench.path(), half) == records(second, half))
}

fn with_second() -> (Bench, tempfile::TempDir, PathBuf) {
    let (mut bench, other) = (Bench::new(), folder());
    let second = other.path().join("second");
    bench.second = Some(second.clone());
    (bench, other, second)
}

fn some_writes(log: &Log, from: usize, to: usize) {
    for round in from..to {
        let event = format!("put k{} {round}", round % 9);
        write(log, &[(Half::Personal, &event), (Half::Neutral, &event)]).unwrap();
    }
}

fn absent(log: &Log) -> bool {
    matches!(log.health().second, SecondCopy::Absent { .. })
}

#[test]
fn each_group_is_in_the_second_folder_soon_and_all_of_it_after_closing() {
    let (mut bench, _other, second) = with_second();
    bench.segment_bytes = 2_000;
    let (log, _) = bench.open();
    some_writes(&log, 0, 100);
    until("the second folder does not get what was committed", || copied(&bench));
    until("not said to be there", || log.health().second == SecondCopy::Ok);
    // Most of them: on a machine that has no time for the copier one or the other may take longer.
    let mut took: Vec<_> = (100..ONE_BY_ONE_TO)
        .map(|round| {
            some_writes(&log, round, round + 1);
            until("the second folder does not get one more group", || copied(&bench))
        })
        .collect();
    took.sort();
    println!("in the second folder after {took:?}");
    assert!(took[took.len() / 2] < Duration::from_secs(1), "not within a second: {took:?}");
    some_writes(&log, ONE_BY_ONE_TO, 140);
    log.close();
    assert!(copied(&bench));
    assert!(segment(&second, Half::Neutral, 4).exists());
    // The copy is a store of its own, should the first disk be lost.
    let alone = folder();
    copy_dir(&second, alone.path());
    let (log, report) = Bench::new().open_at(alone.path()).unwrap();
    assert_eq!(report.last.map(|meta| meta.seq), Some(140));
    assert_eq!(get(&log, Half::Personal, "k4").as_deref(), Some("139"));
    assert_eq!(log.health().second, SecondCopy::OneDiskOnly);
}

#[test]
fn a_disk_that_is_not_mounted_is_not_written_to_and_catches_up_when_it_is_back() {
    let (bench, other, second) = with_second();
    let (log, _) = bench.open();
    some_writes(&log, 0, 10);
    until("never copied", || copied(&bench));
    let away = other.path().join("unmounted");
    fs::rename(&second, &away).unwrap();
    fs::create_dir(&second).unwrap();
    until("not noticed", || absent(&log));
    some_writes(&log, 10, 60);
    log.close();
    let (log, _) = bench.open();
    until("not noticed at start", || absent(&log));
    assert_eq!(fs::read_dir(&second).unwrap().count(), 0, "the bare folder was written to");
    fs::remove_dir(&second).unwrap();
    fs::rename(&away, &second).unwrap();
    until("not caught up", || copied(&bench));
    // A new disk is taken when somebody says that it is one.
    fs::rename(&second, &away).unwrap();
    fs::create_dir(&second).unwrap();
    until("not noticed again", || absent(&log));
    fs::write(second.join("FICHA-NEW"), "").unwrap();
    until("the new disk is not filled", || copied(&bench));
    assert!(!second.join("FICHA-NEW").exists());
    assert_eq!(log.health().state, HealthState::Ok);
}

#[test]
fn the_folder_of_another_store_is_left_alone() {
    let (bench, _other, second) = with_second();
    let (log, _) = bench.open();
    some_writes(&log, 0, 5);
    log.close();
    let mut stranger = Bench::new();
    stranger.second = Some(second.clone());
    let before = records(&second, Half::Neutral);
    let refused = stranger.open_at(stranger.path());
    assert!(
        matches!(refused, Err(OpenError::Gone { .. })),
        "an empty folder beside a copy is a disk that is away"
    );
    stranger.second = None;
    put(&stranger.open().0, Half::Neutral, "a", "1");
    stranger.second = Some(second.clone());
    let (log, _) = stranger.open();
    until("not noticed", || absent(&log));
    put(&log, Half::Neutral, "a", "2");
    log.close();
    assert_eq!(records(&second, Half::Neutral), before);
}

/// A store of some segments with its copy, closed, and what its views held.
fn closed_with_copy() -> (Bench, tempfile::TempDir, PathBuf, Vec<fichad::log::Digest>) {
    let (mut bench, other, second) = with_second();
    bench.segment_bytes = 1_500;
    let (log, _) = bench.open();
    some_writes(&log, 0, 60);
    let digests = HALVES.into_iter().map(|half| log.views().digest(half).unwrap()).collect();
    log.close();
    assert!(copied(&bench));
    (bench, other, second, digests)
}

/// So that the next start reads everything.
fn forget_checkpoints(bench: &Bench) {
    HALVES.into_iter().zip(["vault", "store"]).for_each(|(_, folder)| {
        fs::remove_file(bench.path().join(folder).join("CHECKPOINT")).ok();
    });
}

#[test]
fn damage_in_the_first_copy_is_healed_from_the_second() {
    let (bench, _other, _, digests) = closed_with_copy();
    let [first, second, third] = [1, 2, 3].map(|number| segment(bench.path(), Half::Neutral, number));
    let last =
        (1..).map(|number| segment(bench.path(), Half::Neutral, number)).take_while(|file| file.exists());
    let last = last.last().unwrap();
    let flip = |file: &Path, at: usize| {
        let mut bytes = fs::read(file).unwrap();
        bytes[at] ^= 4;
        fs::write(file, bytes).unwrap();
    };
    type Hurt<'h> = (&'h str, Box<dyn Fn() + 'h>);
    let hurts: Vec<Hurt<'_>> = vec![
        ("a flipped bit", Box::new(|| flip(&second, 300))),
        ("a flipped bit in a header", Box::new(|| flip(&first, 20))),
        ("a segment of the other half", Box::new(|| flip(&segment(bench.path(), Half::Personal, 2), 700))),
        ("a segment cut short", Box::new(|| fs::write(&second, &fs::read(&second).unwrap()[..500]).unwrap())),
        ("an emptied last segment", Box::new(|| fs::write(&last, b"").unwrap())),
        ("a lost segment", Box::new(|| fs::remove_file(&third).unwrap())),
        ("a lost last segment", Box::new(|| fs::remove_file(&last).unwrap())),
        (
            "two swapped",
            Box::new(|| {
                let aside = bench.path().join("aside");
                fs::rename(&first, &aside).unwrap();
                fs::rename(&third, &first).unwrap();
                fs::rename(&aside, &third).unwrap();
            }),
        ),
        (
            "the last record gone",
            Box::new(|| {
                let bytes = fs::read(&last).unwrap();
                let offsets = record_offsets(&bytes);
                fs::write(&last, &bytes[..offsets[offsets.len() - 2]]).unwrap();
                // Nobody but the second copy knows of it now.
                for folder in ["store/views", "vault/views"] {
                    fs::remove_dir_all(bench.path().join(folder)).unwrap();
                }
            }),
        ),
    ];
    for (what, hurt) in hurts {
        forget_checkpoints(&bench);
        hurt();
        let (log, report) = bench.open();
        assert!(!report.healed.is_empty(), "{what}: {report:?}");
        let kept = report.healed.iter().filter_map(|healed| healed.aside.as_ref());
        assert!(kept.into_iter().all(|aside| aside.exists()), "{what}");
        let found: Vec<_> = HALVES.into_iter().map(|half| log.views().digest(half).unwrap()).collect();
        assert_eq!(found, digests, "{what}");
        log.close();
        assert!(copied(&bench), "{what}");
    }
}

/// Overwrites a byte of a record of a closed segment, which no start reads while there is a checkpoint; gives its sequence.
fn hurt_a_closed_one(bench: &Bench, half: Half) -> u64 {
    let file = segment(bench.path(), half, 2);
    let mut bytes = fs::read(&file).unwrap();
    let at = record_offsets(&bytes)[2];
    bytes[at + 38] ^= 1;
    fs::write(&file, &bytes).unwrap();
    u64::from_le_bytes(bytes[at + 8..at + 16].try_into().unwrap())
}

#[test]
fn damage_that_a_reader_meets_stops_the_writing_and_the_next_start_heals_it() {
    type Reads<'r> = (&'r str, Box<dyn Fn(&Log, u64) + 'r>);
    let readers: Vec<Reads<'_>> = vec![
        (
            "one record",
            Box::new(|log, seq| {
                assert!(
                    log.views().events(seq - 1).unwrap().is_some()
                        && log.views().events(seq + 1).unwrap().is_some()
                );
                assert!(log.health().state == HealthState::Ok, "what is whole can be read beside it");
                assert!(matches!(
                    log.views().events(seq),
                    Err(ViewError::Journal { half: Half::Neutral, .. })
                ));
            }),
        ),
        ("all that was", Box::new(|log, _| assert!(log.past(Half::Neutral, &mut |_, _| {}).is_err()))),
    ];
    for (what, read) in readers {
        let (bench, _other, _, digests) = closed_with_copy();
        let seq = hurt_a_closed_one(&bench, Half::Neutral);
        let (log, report) = bench.open();
        assert!(report.healed.is_empty(), "{what}: a start does not read what lies before its checkpoint");
        read(&log, seq);
        until("the writing goes on", || log.health().state != HealthState::Ok);
        let HealthState::ReadOnly { why } = log.health().state else { panic!() };
        assert!(why.contains("00000002.seg") && why.contains("restart fichad"), "{why}");
        assert!(matches!(log.submit(|_| Ok::<_, ()>(())), Err(SubmitError::ReadOnly { .. })));
        log.close();
        let (log, report) = bench.open();
        assert_eq!(report.healed.len(), 1, "{what}");
        assert!(log.views().events(seq).unwrap().is_some());
        let found: Vec<_> = HALVES.into_iter().map(|half| log.views().digest(half).unwrap()).collect();
        assert_eq!(found, digests, "{what}");
    }
}

#[test]
fn damage_that_is_met_once_the_writing_has_stopped_is_healed_too() {
    let (bench, _other, _, _) = closed_with_copy();
    for half in HALVES {
        hurt_a_closed_one(&bench, half);
    }
    let (log, _) = bench.open();
    for (half, folder) in [(Half::Neutral, "store"), (Half::Personal, "vault")] {
        assert!(log.past(half, &mut |_, _| {}).is_err());
        until("the next start would not read it", || !bench.path().join(folder).join("CHECKPOINT").exists());
    }
    log.close();
    assert_eq!(bench.open().1.healed.len(), 2);
}

#[test]
fn what_a_verification_finds_damaged_the_next_start_heals() {
    let (bench, _other, _, _) = closed_with_copy();
    hurt_a_closed_one(&bench, Half::Neutral);
    let found =
        fichad::log::verify(&bench.settings(bench.path()), None, &Progress::default(), &|_, _| ()).unwrap();
    assert!(found.faults.iter().any(|fault| fault.is_in_journal(bench.path())), "{found:?}");
    assert_eq!(bench.open().1.healed.len(), 1);
}

#[test]
fn damage_in_both_copies_is_named() {
    let (bench, _other, second, _) = closed_with_copy();
    forget_checkpoints(&bench);
    let files = [bench.path(), &second].map(|dir| segment(dir, Half::Neutral, 2));
    let record = record_offsets(&fs::read(&files[0]).unwrap())[2];
    for file in &files {
        let mut bytes = fs::read(file).unwrap();
        bytes[record + 40] ^= 1;
        fs::write(file, bytes).unwrap();
    }
    expect_damage(bench.open_at(bench.path()), &files[0], Some(u64::try_from(record).unwrap()));
}

#[test]
fn healing_cuts_nothing_that_follows_what_is_damaged_in_both_copies() {
    let (bench, _other, second) = with_second();
    let (log, _) = bench.open();
    some_writes(&log, 0, 30);
    log.close();
    assert!(copied(&bench));
    forget_checkpoints(&bench);
    // Nothing else knows how far the journal went.
    for folder in ["store/views", "vault/views"] {
        fs::remove_dir_all(bench.path().join(folder)).unwrap();
    }
    let files = [bench.path(), &second].map(|dir| segment(dir, Half::Neutral, 1));
    let record = record_offsets(&fs::read(&files[0]).unwrap());
    let hurt = |file: &Path, record: usize| {
        let mut bytes = fs::read(file).unwrap();
        bytes[record + 40] ^= 1;
        fs::write(file, bytes).unwrap();
    };
    // The earlier one could be healed.
    hurt(&files[0], record[5]);
    files.iter().for_each(|file| hurt(file, record[20]));
    let before = files.each_ref().map(|file| fs::read(file).unwrap());
    expect_damage(bench.open_at(bench.path()), &files[0], Some(u64::try_from(record[20]).unwrap()));
    assert!(files.each_ref().map(|file| fs::read(file).unwrap()) == before, "a copy was changed");
}

#[test]
fn a_copy_that_was_damaged_is_written_again() {
    let (bench, _other, second, _) = closed_with_copy();
    let file = segment(&second, Half::Neutral, 2);
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..700]).unwrap();
    let (log, _) = bench.open();
    until("not mended", || copied(&bench) && fs::read(&file).unwrap() == whole);
    log.close();
}

#[test]
fn what_the_copier_finds_damaged_in_the_first_copy_stops_the_writing() {
    let (bench, other, second) = with_second();
    let (log, _) = bench.open();
    some_writes(&log, 0, 5);
    until("never copied", || copied(&bench));
    let away = other.path().join("away");
    fs::rename(&second, &away).unwrap();
    until("not noticed", || absent(&log));
    some_writes(&log, 5, 20);
    let file = segment(bench.path(), Half::Neutral, 1);
    let mut bytes = fs::read(&file).unwrap();
    let offsets = record_offsets(&bytes);
    bytes[offsets[12] + 40] ^= 1;
    fs::write(&file, bytes).unwrap();
    fs::rename(&away, &second).unwrap();
    until("not noticed", || matches!(log.health().state, HealthState::ReadOnly { .. }));
    assert_eq!(get(&log, Half::Neutral, "k1").as_deref(), Some("19"), "reading goes on");
}

/// As most damage is: before the checkpoint, where no start reads.
#[test]
fn what_lies_before_the_checkpoint_is_found_by_the_copier_and_healed_by_the_next_start() {
    let (bench, _other, second) = with_second();
    let (log, _) = bench.open();
    some_writes(&log, 0, 20);
    log.close();
    assert!(copied(&bench));
    let file = segment(bench.path(), Half::Neutral, 1);
    let kept = records(&second, Half::Neutral);
    let mut bytes = fs::read(&file).unwrap();
    let offsets = record_offsets(&bytes);
    bytes[offsets[8] + 40] ^= 1;
    fs::write(&file, bytes).unwrap();

    let (log, report) = bench.open();
    assert!(report.healed.is_empty(), "nothing read it: {report:?}");
    until("not noticed", || matches!(log.health().state, HealthState::ReadOnly { .. }));
    assert_eq!(get(&log, Half::Neutral, "k1").as_deref(), Some("19"), "reading goes on");
    log.close();
    assert_eq!(records(&second, Half::Neutral), kept);

    let (log, report) = bench.open();
    assert_eq!(report.healed.len(), 1, "{report:?}");
    some_writes(&log, 20, 21);
    log.close();
    assert!(copied(&bench));
}
