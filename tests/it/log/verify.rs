//! Verifying: everything is read, and what is not as it was written is named.

use super::second::{copied, until};
use super::support::*;
use fichad::log::{Fault, Half, HealthState, Log, OpenError, Progress, Verified};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Verifies the store of `bench`, closed.
fn verify(bench: &Bench, rebuild: bool) -> Verified {
    fichad::log::verify(
        &bench.settings(bench.path()),
        rebuild.then(|| bench.folds()).as_ref(),
        &Progress::default(),
        &|_, _| (),
    )
    .unwrap()
}

/// A store of several segments, with or without a second copy.
fn filled(bench: &mut Bench) -> Log {
    bench.segment_bytes = 2_000;
    let (log, _) = bench.open();
    for round in 0..80 {
        let event = format!("put k{} {round}", round % 9);
        write(&log, &[(Half::Personal, &event), (Half::Neutral, &event)]).unwrap();
    }
    log
}

#[test]
fn a_sound_store_is_read_whole() {
    let other = folder();
    let mut bench = Bench::new();
    bench.second = Some(other.path().join("second"));
    filled(&mut bench).close();
    let told = AtomicU64::new(0);
    let count = |_: &Path, _| {
        told.fetch_add(1, Ordering::Relaxed);
    };
    let found = fichad::log::verify(
        &bench.settings(bench.path()),
        Some(&bench.folds()),
        &Progress::default(),
        &count,
    )
    .unwrap();
    let (log, _) = bench.open();
    let held = fichad::log::verify(&bench.settings(bench.path()), None, &Progress::default(), &|_, _| ());
    assert!(matches!(held, Err(OpenError::Held { .. })));
    let entries: u64 = HALVES.into_iter().map(|half| log.views().digest(half).unwrap().entries).sum();
    assert_eq!((found.records, found.entries, found.faults.as_slice()), (160, entries, [].as_slice()));
    assert!(found.bytes > 6_000 && found.compared > 4_000 && told.into_inner() > 10, "{found:?}");
    assert!(!bench.path().join("store/views.renewed").exists());
    put(&log, Half::Neutral, "after", "1");
    log.close();
    assert_eq!(verify(&bench, false).records, 161);
}

/// Every file with its bytes, but for sled's own, which it may write again when it is opened.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut found, mut folders) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("views") {
                continue;
            }
            if path.is_dir() {
                folders.push(path)
            } else {
                found.push((path.clone(), fs::read(&path).unwrap()))
            }
        }
    }
    found.sort();
    found
}

#[test]
fn nothing_is_put_right() {
    let other = folder();
    let mut bench = Bench::new();
    bench.second = Some(other.path().join("second"));
    filled(&mut bench).close();
    // A torn end, damage that the second copy could heal, and views that are gone.
    let file = segment(bench.path(), Half::Neutral, 2);
    let mut bytes = fs::read(&file).unwrap();
    bytes[400] ^= 1;
    fs::write(&file, bytes).unwrap();
    let last =
        (1..).map(|number| segment(bench.path(), Half::Personal, number)).take_while(|file| file.exists());
    let last = last.last().unwrap();
    let mut bytes = fs::read(&last).unwrap();
    let end = *record_offsets(&bytes).last().unwrap();
    bytes[end..end + 3].copy_from_slice(b"FjR");
    fs::write(&last, bytes).unwrap();
    fs::remove_dir_all(bench.path().join("store/views")).unwrap();
    // It goes, so that the next start reads what is damaged.
    fs::remove_file(bench.path().join("store/CHECKPOINT")).unwrap();
    let before = [files(bench.path()), files(other.path())];
    let found = verify(&bench, true);
    assert_eq!((found.faults.len(), found.torn.len()), (1, 1), "{found:?}");
    assert_eq!((&found.faults[0].file, &found.torn[0].file), (&file, &last));
    assert!([files(bench.path()), files(other.path())] == before, "a file is not as it was");
    assert!(!bench.path().join("store/views").exists());
}

#[test]
fn a_second_copy_on_its_way_is_behind_and_not_damaged() {
    let other = folder();
    let mut bench = Bench::new();
    let copy = other.path().join("second");
    bench.second = Some(copy.clone());
    filled(&mut bench).close();
    assert_eq!(verify(&bench, false).behind, 0);
    let file = segment(&copy, Half::Neutral, 2);
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..record_offsets(&whole)[5]]).unwrap();
    let found = verify(&bench, false);
    assert_eq!((found.behind, found.faults), (1, vec![]));
    fs::write(&file, [&whole[..record_offsets(&whole)[5]], b"x"].concat()).unwrap();
    let found = verify(&bench, false);
    assert_eq!((found.behind, found.faults.len()), (0, 1));
}

#[test]
fn damage_is_named_by_file_and_offset_wherever_it_is() {
    let other = folder();
    let mut bench = Bench::new();
    let copy = other.path().join("second");
    bench.second = Some(copy.clone());
    filled(&mut bench).close();
    let flip = |file: &Path, at: usize| {
        let mut bytes = fs::read(file).unwrap();
        bytes[at] ^= 1;
        fs::write(file, bytes).unwrap();
    };
    let [first, next] = [1, 2].map(|number| segment(bench.path(), Half::Neutral, number));
    let offsets = [&first, &next].map(|file| record_offsets(&fs::read(file).unwrap())[4]);
    flip(&first, offsets[0] + 34);
    flip(&next, offsets[1] + 34);
    let other = segment(&copy, Half::Personal, 2);
    flip(&other, 500);
    let found = verify(&bench, false).faults;
    let named: Vec<_> = found.iter().map(|Fault { file, offset, .. }| (file.as_path(), *offset)).collect();
    let at = offsets.map(|offset| u64::try_from(offset).unwrap());
    for want in [(first.as_path(), at[0]), (next.as_path(), at[1]), (other.as_path(), 0)] {
        assert!(named.contains(&want), "{want:?} is not among {found:?}");
    }
    fs::remove_file(&first).unwrap();
    assert!(verify(&bench, false).faults.iter().any(|fault| fault.file == first));
}

#[test]
fn views_that_another_fold_would_not_give_are_found_by_rebuilding() {
    let mut bench = Bench::new();
    filled(&mut bench).close();
    assert_eq!(verify(&bench, true).faults, []);
    *bench.neutral.erased.lock().unwrap() = Some("k3".to_owned());
    assert_eq!(verify(&bench, false).faults, []);
    let faults = verify(&bench, true).faults;
    assert!(
        matches!(&faults[..], [Fault { half: Half::Neutral, file, .. }] if file.ends_with("store/views")),
        "{faults:?}"
    );
}

/// Open, with a copier that has looked through both copies: what is damaged from now on is the scrub's to find.
fn open_and_copying(bench: &Bench) -> Log {
    let (log, _) = bench.open();
    put(&log, Half::Neutral, "copying", "1");
    until("never copied", || copied(bench));
    log
}

#[test]
fn a_scrub_mends_the_second_copy_and_stops_the_writing_for_damage_in_the_first() {
    let other = folder();
    let mut bench = Bench::new();
    let copy = other.path().join("second");
    bench.second = Some(copy.clone());
    filled(&mut bench).close();
    bench.scrub_every = Duration::from_millis(20);
    let log = open_and_copying(&bench);
    let digest = log.views().digest(Half::Neutral).unwrap();
    let [file, mirror] = [bench.path(), &copy].map(|dir| segment(dir, Half::Neutral, 2));
    let whole = fs::read(&file).unwrap();
    let mut bad = whole.clone();
    bad[400] ^= 1;
    fs::write(&mirror, &bad).unwrap();
    until("the second copy is not mended", || fs::read(&mirror).is_ok_and(|bytes| bytes == whole));
    assert!(mirror.with_extension("seg.damaged").exists());
    assert_eq!(log.health().state, HealthState::Ok);
    fs::write(&file, &bad).unwrap();
    until("not noticed", || matches!(log.health().state, HealthState::ReadOnly { .. }));
    let HealthState::ReadOnly { why } = log.health().state else { panic!() };
    assert!(why.contains(file.to_str().unwrap()), "{why}");
    assert_eq!(log.views().digest(Half::Neutral).unwrap(), digest, "reading goes on");
    until("the checkpoint stays", || !bench.path().join("store/CHECKPOINT").exists());
    log.close();
    let (log, report) = bench.open();
    assert_eq!(report.healed.len(), 1);
    assert_eq!(fs::read(&file).unwrap(), whole);
    assert_eq!(log.views().digest(Half::Neutral).unwrap(), digest);
}

/// Does `hurt` to a closed segment of the first copy while the log runs and scrubs; the copy must stay, and heal it.
fn scrubbed_first(hurt: impl Fn(&Path, &[u8])) {
    let other = folder();
    let mut bench = Bench::new();
    let copy = other.path().join("second");
    bench.second = Some(copy.clone());
    filled(&mut bench).close();
    let [file, mirror] = [bench.path(), &copy].map(|dir| segment(dir, Half::Neutral, 2));
    let whole = fs::read(&file).unwrap();
    bench.scrub_every = Duration::from_millis(20);
    let log = open_and_copying(&bench);
    let digest = log.views().digest(Half::Neutral).unwrap();
    hurt(&file, &whole);
    until("the checkpoint stays", || !bench.path().join("store/CHECKPOINT").exists());
    log.close();
    assert!(!mirror.with_extension("seg.damaged").exists(), "the sound copy was put aside");
    assert_eq!(fs::read(&mirror).unwrap(), whole);
    let (log, report) = bench.open();
    assert_eq!(report.healed.len(), 1);
    assert_eq!(fs::read(&file).unwrap(), whole);
    assert_eq!(log.views().digest(Half::Neutral).unwrap(), digest);
}

#[test]
fn a_scrub_leaves_the_second_copy_alone_where_the_first_ones_segment_is_gone() {
    scrubbed_first(|file, _| fs::remove_file(file).unwrap());
}

#[test]
fn a_scrub_leaves_the_second_copy_alone_where_the_first_ones_segment_is_cut_short() {
    // Between two records, so that the segment alone looks sound; and within its header.
    scrubbed_first(|file, whole| fs::write(file, &whole[..record_offsets(whole)[3]]).unwrap());
    scrubbed_first(|file, whole| fs::write(file, &whole[..40]).unwrap());
}

#[test]
fn what_cannot_be_read_stops_the_writing_and_is_healed_at_the_next_start() {
    let other = folder();
    let mut bench = Bench::new();
    bench.second = Some(other.path().join("second"));
    filled(&mut bench).close();
    bench.scrub_every = Duration::from_millis(20);
    let log = open_and_copying(&bench);
    let digest = log.views().digest(Half::Neutral).unwrap();
    let file = segment(bench.path(), Half::Neutral, 2);
    let whole = fs::read(&file).unwrap();
    // Opens, and every read at its beginning is an EIO.
    let unreadable = bench.path().join("unreadable");
    std::os::unix::fs::symlink("/proc/self/mem", &unreadable).unwrap();
    fs::rename(&unreadable, &file).unwrap();
    assert!(fs::read(&file).is_err());
    until("not noticed", || matches!(log.health().state, HealthState::ReadOnly { .. }));
    log.close();
    assert!(bench.path().join("store/CHECKPOINT").exists(), "nothing is known to be wrong");
    let (log, report) = bench.open();
    let [healed] = &report.healed[..] else { panic!("{report:?}") };
    assert_eq!(healed.file, file);
    assert!(healed.aside.as_ref().unwrap().is_symlink(), "what was there is kept");
    assert_eq!(fs::read(&file).unwrap(), whole);
    assert_eq!(log.views().digest(Half::Neutral).unwrap(), digest);
}

#[test]
fn a_run_over_sled_that_is_not_whole_is_named_and_the_views_are_built_anew() {
    let mut bench = Bench::new();
    filled(&mut bench).close();
    let views = bench.path().join("store/views");
    let is_run = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "run");
    let run = fs::read_dir(&views).unwrap().map(|entry| entry.unwrap().path()).find(is_run).unwrap();
    let mut bytes = fs::read(&run).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&run, bytes).unwrap();
    let found = verify(&bench, false);
    let [fault] = found.faults.as_slice() else { panic!("{found:?}") };
    assert_eq!((fault.half, &fault.file), (Half::Neutral, &views));
    assert!(fault.what.contains("their checkpoint says 80"), "{}", fault.what);
    let (log, report) = bench.open();
    assert_eq!(report.rebuilt.len(), 1);
    log.close();
    assert_eq!(verify(&bench, true).faults, []);
}
