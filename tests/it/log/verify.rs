//! Verifying: everything is read, and what is not as it was written is named.

use super::second::{copied, until};
use super::support::*;
use fichad::log::{Fault, Half, HealthState, Log, Verified};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn verify(log: &Log, rebuild: bool) -> Verified {
    log.verify(rebuild, &|_, _| ()).unwrap()
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
fn a_sound_store_is_read_whole_while_it_runs() {
    let other = folder();
    let mut bench = Bench::new();
    bench.second = Some(other.path().join("second"));
    filled(&mut bench).close();
    let (log, report) = bench.open();
    assert!(report.read_bytes < 10_000);
    let told = AtomicU64::new(0);
    let count = |_: &Path, _| {
        told.fetch_add(1, Ordering::Relaxed);
    };
    let found = log.verify(true, &count).unwrap();
    let entries: u64 = HALVES.into_iter().map(|half| log.views().digest(half).unwrap().entries).sum();
    assert_eq!((found.records, found.entries, found.faults.as_slice()), (160, entries, [].as_slice()));
    assert!(found.bytes > 6_000 && found.compared > 4_000 && told.into_inner() > 10, "{found:?}");
    assert!(!bench.path().join("store/views.renewed").exists());
    put(&log, Half::Neutral, "after", "1");
    assert_eq!(verify(&log, false).records, 161);
}

#[test]
fn damage_is_named_by_file_and_offset_wherever_it_is() {
    let other = folder();
    let mut bench = Bench::new();
    let copy = other.path().join("second");
    bench.second = Some(copy.clone());
    let log = filled(&mut bench);
    log.close();
    let (log, _) = bench.open();
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
    let found = verify(&log, false).faults;
    let named: Vec<_> = found.iter().map(|Fault { file, offset, .. }| (file.as_path(), *offset)).collect();
    let at = offsets.map(|offset| u64::try_from(offset).unwrap());
    for want in [(first.as_path(), at[0]), (next.as_path(), at[1]), (other.as_path(), 0)] {
        assert!(named.contains(&want), "{want:?} is not among {found:?}");
    }
    fs::remove_file(&first).unwrap();
    assert!(verify(&log, false).faults.iter().any(|fault| fault.file == first));
}

#[test]
fn views_that_another_fold_would_not_give_are_found_by_rebuilding() {
    let mut bench = Bench::new();
    let log = filled(&mut bench);
    assert_eq!(verify(&log, true).faults, []);
    *bench.neutral.erased.lock().unwrap() = Some("k3".to_owned());
    assert_eq!(verify(&log, false).faults, []);
    let faults = verify(&log, true).faults;
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
