//! Starting from the checkpoint: what was read, checked and applied before is not read again.

use super::support::*;
use fichad::log::{Half, Log, OpenError};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const ROUNDS: usize = 1_500;

/// About 1.5 MB of journal in each half, in several segments.
fn filled(bench: &mut Bench) -> Log {
    bench.segment_bytes = 400_000;
    let (log, _) = bench.open();
    let long = "x".repeat(900);
    for round in 0..ROUNDS / 50 {
        let go = hold(&log);
        let pending: Vec<_> = (0..50)
            .map(|number| {
                let events = [format!("put k{} {round}.{number}", number % 7), format!("note {long}")];
                let emit = move |tx: &mut fichad::log::Tx<'_>| {
                    let mut each =
                        HALVES.into_iter().flat_map(|half| events.iter().map(move |event| (half, event)));
                    each.try_for_each(|(half, event)| tx.emit(half, event.as_bytes()))
                };
                log.submit(emit).unwrap()
            })
            .collect();
        go.send(()).unwrap();
        pending.into_iter().for_each(|pending| assert!(pending.wait().is_ok()));
    }
    log
}

fn journal_bytes(bench: &Bench) -> u64 {
    let of = |folder: &str| {
        let files = fs::read_dir(bench.path().join(folder).join("journal")).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>()
    };
    of("store") + of("vault")
}

#[test]
fn a_start_after_a_clean_stop_reads_the_end_only() {
    let mut bench = Bench::new();
    let log = filled(&mut bench);
    let digests = HALVES.map(|half| log.views().digest(half).unwrap());
    log.close();
    assert!(segment(bench.path(), Half::Neutral, 4).exists());
    let (log, report) = bench.open();
    assert!(report.read_bytes <= 2 * 400_000, "{} of {}", report.read_bytes, journal_bytes(&bench));
    assert_eq!((report.caught_up, report.rebuilt.len()), (0, 0));
    assert_eq!(HALVES.map(|half| log.views().digest(half).unwrap()), digests);
    put(&log, Half::Neutral, "after", "1");
    log.close();
    for damage in ["gone", "damaged", "of another time"] {
        let file = bench.path().join("store/CHECKPOINT");
        let mut bytes = fs::read(&file).unwrap();
        match damage {
            "gone" => fs::remove_file(&file).unwrap(),
            "damaged" => {
                bytes[20] ^= 1;
                fs::write(&file, &bytes).unwrap();
            }
            _ => drop(fs::copy(bench.path().join("vault/CHECKPOINT"), &file).unwrap()),
        }
        let (log, report) = bench.open();
        assert!(report.read_bytes >= 1_300_000, "{damage}: {}", report.read_bytes);
        assert_eq!((report.caught_up, report.rebuilt.len()), (0, 0), "{damage}");
        assert_eq!(get(&log, Half::Neutral, "after").as_deref(), Some("1"), "{damage}");
        log.close();
    }
}

#[test]
fn a_start_after_a_crash_reads_from_the_last_checkpoint_on() {
    let mut bench = Bench::new();
    bench.checkpoint_bytes = 300_000;
    let log = filled(&mut bench);
    put(&log, Half::Neutral, "last", "1");
    // The folder as a kill would leave it: the committer stands still, nothing is closed.
    let go = hold(&log);
    let crashed = folder();
    copy_dir(bench.path(), crashed.path());
    go.send(()).unwrap();
    let digests = HALVES.map(|half| log.views().digest(half).unwrap());
    let (other, report) = bench.open_at(crashed.path()).unwrap();
    assert_eq!(HALVES.map(|half| other.views().digest(half).unwrap()), digests);
    if report.rebuilt.is_empty() {
        assert!(report.read_bytes <= 2 * (300_000 + 400_000), "{}", report.read_bytes);
    } else {
        assert!(report.read_bytes >= 1_300_000, "what must be built anew is read whole");
    }
    other.close();
    let (_, report) = bench.open_at(crashed.path()).unwrap();
    assert_eq!((report.caught_up, report.rebuilt.len()), (0, 0));
}

#[test]
fn damage_before_the_checkpoint_does_not_stop_a_start_but_a_rebuild_finds_it() {
    let mut bench = Bench::new();
    let log = filled(&mut bench);
    let digests = HALVES.map(|half| log.views().digest(half).unwrap());
    log.close();
    let file = segment(bench.path(), Half::Neutral, 2);
    let whole = fs::read(&file).unwrap();
    let record = record_offsets(&whole)[3];
    let mut bad = whole.clone();
    bad[record + 50] ^= 1;
    fs::write(&file, &bad).unwrap();
    let (log, report) = bench.open();
    assert_eq!((report.caught_up, report.rebuilt.len()), (0, 0));
    assert_eq!(HALVES.map(|half| log.views().digest(half).unwrap()), digests);
    log.close();
    fs::remove_dir_all(bench.path().join("store/views")).unwrap();
    expect_damage(bench.open_at(bench.path()), &file, Some(u64::try_from(record).unwrap()));
    fs::write(&file, &whole).unwrap();
    drop(bench.open());
}

#[test]
fn segments_that_no_longer_hang_together_are_seen_without_reading_them() {
    let mut bench = Bench::new();
    filled(&mut bench).close();
    let [first, second] = [1, 2].map(|number| segment(bench.path(), Half::Neutral, number));
    let whole = fs::read(&first).unwrap();
    let offsets = record_offsets(&whole);
    assert_eq!(offsets.last(), Some(&whole.len()), "a closed segment ends with its last record");
    fs::write(&first, &whole[..offsets[offsets.len() - 2]]).unwrap();
    expect_damage(bench.open_at(bench.path()), &second, Some(0));
    fs::write(&first, b"").unwrap();
    expect_damage(bench.open_at(bench.path()), &first, Some(0));
    fs::write(&first, &whole).unwrap();
    let aside = bench.path().join("aside");
    fs::rename(&first, &aside).unwrap();
    fs::rename(&second, &first).unwrap();
    fs::rename(&aside, &second).unwrap();
    expect_damage(bench.open_at(bench.path()), &first, Some(0));
}

/// What every file below a folder holds.
fn all_files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(all_files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn a_journal_of_another_format_is_refused_before_anything_is_written() {
    let mut bench = Bench::new();
    bench.checkpoint_bytes = 300_000;
    let log = filled(&mut bench);
    // As a kill leaves it, so that a start would have something to do.
    let go = hold(&log);
    let crashed = folder();
    copy_dir(bench.path(), crashed.path());
    go.send(()).unwrap();
    let leftover = crashed.path().join("store/views.new");
    fs::create_dir(&leftover).unwrap();
    fs::write(leftover.join("db"), "half-made").unwrap();
    let last = (1..).take_while(|number| segment(crashed.path(), Half::Neutral, *number).exists()).last();
    let file = segment(crashed.path(), Half::Neutral, last.unwrap());
    let mut bytes = fs::read(&file).unwrap();
    bytes[8] += 1;
    let crc = crc32fast::hash(&bytes[..60]);
    bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    fs::write(&file, &bytes).unwrap();
    let before = all_files(crashed.path());
    let refused = bench.open_at(crashed.path()).err();
    assert!(matches!(&refused, Some(OpenError::Format { file: named, .. }) if *named == file), "{refused:?}");
    let after = all_files(crashed.path());
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    assert!(after.iter().all(|(path, bytes)| before.get(path) == Some(bytes)), "a file was changed");
}
