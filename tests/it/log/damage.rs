//! Crashes and damage: what is torn is cut, what is half committed is voided, anything else is refused untouched.

use super::support::*;
use fichad::log::{GROUP_MAX, Half, HealthState, Refused, SubmitError};
use std::fs;

#[test]
fn the_last_group_cut_at_any_byte_leaves_whole_transactions() {
    let bench = Bench::new();
    let (log, ends) = with_last_group(&bench);
    let whole = fs::read(segment(bench.path(), Half::Neutral, 1)).unwrap();
    let end = *record_offsets(&whole).last().unwrap();
    let mut counts = Vec::new();
    for at in ends[1]..=end {
        let cut = folder();
        copy_journals(bench.path(), cut.path());
        fs::write(segment(cut.path(), Half::Neutral, 1), &whole[..at]).unwrap();
        let (log, report) = bench.open_at(cut.path()).unwrap();
        let count = check_prefix(&log, at);
        assert_eq!(report.orphans.len(), 3 - count, "cut at {at}");
        assert_eq!(report.torn.len(), usize::from(!record_offsets(&whole).contains(&at)), "cut at {at}");
        assert_eq!(put(&log, Half::Neutral, "next", "1").seq, u64::try_from(5 + count + 1).unwrap());
        counts.push(count);
    }
    assert_eq!((counts.first(), counts.last()), (Some(&0), Some(&3)));
    drop(log);
}

#[test]
fn a_torn_personal_tail_is_cut_only_if_it_was_not_committed() {
    let bench = Bench::new();
    let (log, ends) = with_last_group(&bench);
    let personal = fs::read(segment(bench.path(), Half::Personal, 1)).unwrap();
    let neutral = fs::read(segment(bench.path(), Half::Neutral, 1)).unwrap();
    let end = *record_offsets(&personal).last().unwrap();
    for at in (ends[0]..end).step_by(7) {
        // The crash came before anything neutral was written: torn, or orphans.
        let cut = folder();
        copy_journals(bench.path(), cut.path());
        fs::write(segment(cut.path(), Half::Personal, 1), &personal[..at]).unwrap();
        fs::write(segment(cut.path(), Half::Neutral, 1), &neutral[..ends[1]]).unwrap();
        let (log, _) = bench.open_at(cut.path()).unwrap();
        assert_eq!(check_prefix(&log, at), 0);
        drop(log);
        // The neutral half says these were committed: then it is damage.
        fs::remove_dir_all(cut.path()).unwrap();
        copy_journals(bench.path(), cut.path());
        fs::write(segment(cut.path(), Half::Personal, 1), &personal[..at]).unwrap();
        expect_damage(bench.open_at(cut.path()), &segment(cut.path(), Half::Personal, 1), None);
    }
    drop(log);
}

#[test]
fn a_flipped_byte_in_an_earlier_record_is_damage_and_nothing_is_cut() {
    let bench = Bench::new();
    let (log, _) = with_last_group(&bench);
    drop(log);
    // With them only what lies behind would be read.
    for folder in ["store", "vault"] {
        fs::remove_file(bench.path().join(folder).join("CHECKPOINT")).unwrap();
    }
    for half in HALVES {
        let file = segment(bench.path(), half, 1);
        let whole = fs::read(&file).unwrap();
        let offsets = record_offsets(&whole);
        let last = offsets[offsets.len() - 2];
        for at in 0..last {
            let mut bad = whole.clone();
            bad[at] ^= 0x20;
            fs::write(&file, &bad).unwrap();
            let record = offsets.iter().rev().find(|offset| **offset <= at).copied().unwrap_or(0);
            expect_damage(bench.open_at(bench.path()), &file, Some(u64::try_from(record).unwrap()));
            assert!(fs::read(&file).unwrap() == bad, "the file was changed");
        }
        // The views have passed the last record, so a flip there is no torn tail either.
        let mut bad = whole.clone();
        bad[last + 40] ^= 0x20;
        fs::write(&file, &bad).unwrap();
        expect_damage(bench.open_at(bench.path()), &file, Some(u64::try_from(last).unwrap()));
        fs::write(&file, &whole).unwrap();
    }
    let (_, report) = bench.open();
    assert_eq!((report.rebuilt.len(), report.last.map(|meta| meta.seq)), (0, Some(8)));
}

#[test]
fn a_journal_shorter_than_what_views_or_checkpoint_know_is_damage() {
    let bench = Bench::new();
    let (log, _) = with_last_group(&bench);
    drop(log);
    let file = segment(bench.path(), Half::Neutral, 1);
    let whole = fs::read(&file).unwrap();
    let offsets = record_offsets(&whole);
    for views in ["views", "no views"] {
        // Cut exactly between two records, so that the file itself looks sound.
        fs::write(&file, &whole[..offsets[offsets.len() - 2]]).unwrap();
        expect_damage(bench.open_at(bench.path()), &file, None);
        fs::write(&file, b"").unwrap();
        expect_damage(bench.open_at(bench.path()), &file, Some(0));
        fs::remove_file(&file).unwrap();
        expect_damage(bench.open_at(bench.path()), &file, None);
        if views == "views" {
            fs::remove_dir_all(bench.path().join("store/views")).unwrap();
        }
    }
    fs::write(&file, &whole).unwrap();
    let (_, report) = bench.open();
    assert_eq!(report.rebuilt.len(), 1);
}

#[test]
fn personal_records_without_a_neutral_one_are_voided_and_listed_for_ever() {
    let bench = Bench::new();
    let (log, ends) = with_last_group(&bench);
    let cut = folder();
    copy_journals(bench.path(), cut.path());
    drop(log);
    let neutral = segment(cut.path(), Half::Neutral, 1);
    let whole = fs::read(&neutral).unwrap();
    fs::write(&neutral, &whole[..ends[1]]).unwrap();
    let orphan_bytes = fs::read(segment(cut.path(), Half::Personal, 1)).unwrap();
    let (log, report) = bench.open_at(cut.path()).unwrap();
    let mut seqs: Vec<u64> = report.orphans.iter().map(|orphan| orphan.meta.seq).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, [6, 7, 8]);
    assert_eq!(number(&log.views(), view(Half::Personal, ENTRIES), "p"), 5);
    // The numbers are given again, also to personal records.
    assert_eq!(write(&log, &[(Half::Personal, "add p 10")]).unwrap().meta.seq, 6);
    log.close();
    let kept = fs::read(segment(cut.path(), Half::Personal, 1)).unwrap();
    let end = *record_offsets(&orphan_bytes).last().unwrap();
    assert_eq!(kept[..end], orphan_bytes[..end]);
    for views in ["kept", "deleted"] {
        let (log, report) = bench.open_at(cut.path()).unwrap();
        assert_eq!(report.orphans.len(), 3, "views {views}");
        assert_eq!(number(&log.views(), view(Half::Personal, ENTRIES), "p"), 15, "views {views}");
        log.close();
        fs::remove_dir_all(cut.path().join("vault/views")).unwrap();
    }
}

#[test]
fn a_neutral_journal_that_lost_more_than_a_group_is_damage_not_orphans() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    for _ in 0..GROUP_MAX + 40 {
        write(&log, &[(Half::Personal, "add p 1")]).unwrap();
    }
    let cut = folder();
    copy_journals(bench.path(), cut.path());
    drop(log);
    let neutral = segment(cut.path(), Half::Neutral, 1);
    let whole = fs::read(&neutral).unwrap();
    fs::write(&neutral, &whole[..record_offsets(&whole)[20]]).unwrap();
    expect_damage(bench.open_at(cut.path()), &neutral, None);
}

#[test]
fn segments_roll_and_a_missing_or_swapped_one_is_damage() {
    let mut bench = Bench::new();
    bench.segment_bytes = 1_000;
    let (log, _) = bench.open();
    let go = hold(&log);
    let big = "x".repeat(3_000);
    let pending: Vec<_> = (0..60)
        .map(|round| {
            let event = format!("put k{} {round}", round % 5);
            let personal = if round == 30 { format!("note {big}") } else { event.clone() };
            log.submit(move |tx| {
                tx.emit(Half::Personal, personal.as_bytes())?;
                tx.emit(Half::Neutral, event.as_bytes())
            })
        })
        .collect();
    go.send(()).unwrap();
    pending.into_iter().for_each(|pending| assert!(pending.unwrap().wait().is_ok()));
    let digests = HALVES.map(|half| log.views().digest(half).unwrap());
    log.close();
    assert!(segment(bench.path(), Half::Neutral, 4).exists());
    for folder in ["store/views", "vault/views"] {
        fs::remove_dir_all(bench.path().join(folder)).unwrap();
    }
    let (log, _) = bench.open();
    assert_eq!(HALVES.map(|half| log.views().digest(half).unwrap()), digests);
    log.close();

    let [first, second, third] = [1, 2, 3].map(|number| segment(bench.path(), Half::Neutral, number));
    let moved = bench.path().join("aside");
    fs::rename(&second, &moved).unwrap();
    expect_damage(bench.open_at(bench.path()), &second, Some(0));
    fs::copy(&third, &second).unwrap();
    expect_damage(bench.open_at(bench.path()), &second, Some(0));
    fs::rename(&moved, &second).unwrap();
    let whole = fs::read(&first).unwrap();
    let offsets = record_offsets(&whole);
    fs::write(&first, &whole[..offsets[offsets.len() - 2]]).unwrap();
    expect_damage(bench.open_at(bench.path()), &second, Some(0));
    fs::write(&first, &whole).unwrap();
    drop(bench.open());
}

#[test]
fn after_a_failed_write_nothing_more_is_written_and_reading_goes_on() {
    let mut bench = Bench::new();
    bench.segment_bytes = 300;
    let (log, _) = bench.open();
    put(&log, Half::Neutral, "kept", "1");
    // The next segment cannot be made.
    let (journal, aside) = (bench.path().join("store/journal"), bench.path().join("aside"));
    fs::rename(&journal, &aside).unwrap();
    let mut acknowledged = 0;
    let failed = loop {
        match write(&log, &[(Half::Neutral, "add n 1"), (Half::Personal, "add n 1")]) {
            Ok(_) => acknowledged += 1,
            Err(failed) => break failed,
        }
    };
    let Refused::ReadOnly { why } = failed else { panic!("{failed}") };
    assert!(why.contains("journal"), "{why}");
    fs::rename(&aside, &journal).unwrap();
    // Room again, but this run does not try again.
    assert!(matches!(log.submit(|_| Ok::<(), ()>(())), Err(SubmitError::ReadOnly { .. })));
    assert_eq!(log.health().state, HealthState::ReadOnly { why });
    assert_eq!(get(&log, Half::Neutral, "kept").as_deref(), Some("1"));
    assert_eq!(number(&log.views(), view(Half::Neutral, ENTRIES), "n"), acknowledged);
    log.close();
    let (log, report) = bench.open();
    assert_eq!(report.orphans.len(), 1);
    assert_eq!(HALVES.map(|half| number(&log.views(), view(half, ENTRIES), "n")), [acknowledged; 2]);
    put(&log, Half::Neutral, "kept", "2");
}
