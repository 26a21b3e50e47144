//! A disk that takes no more, a folder that cannot be made: named, and nothing acknowledged is lost.

use super::support::*;
use fichad::log::{Half, HealthState, OpenError, Read as _, Refused, SubmitError};
use std::env;
use std::path::Path;
use std::process::Command;

const DIR: &str = "FICHA_TEST_FULL_DIR";
/// What a file may hold, in the shell's blocks of 512 bytes: the journal is filled ahead twice, then it is full.
const FILE_BLOCKS: u32 = 4096;

#[test]
#[ignore = "the writer that `a_full_disk_stops_the_writing_and_loses_nothing` starts with a limit on its files"]
fn writer() {
    let bench = Bench::new();
    let (log, _) = bench.open_at(env::var(DIR).unwrap().as_ref()).unwrap();
    let long = "x".repeat(9_000);
    let mut acknowledged = 0;
    let why = loop {
        match write(&log, &[(Half::Neutral, "add n 1"), (Half::Neutral, &format!("note {long}"))]) {
            Ok(_) => acknowledged += 1,
            Err(Refused::ReadOnly { why }) => break why,
            Err(other) => panic!("{other}"),
        }
    };
    assert!(matches!(log.submit(|_| Ok::<(), ()>(())), Err(SubmitError::ReadOnly { .. })));
    assert_eq!(log.health().state, HealthState::ReadOnly { why: why.clone() });
    assert_eq!(number(&log.views(), view(Half::Neutral, ENTRIES), "n"), acknowledged, "reading goes on");
    println!("acknowledged {acknowledged}: {why}");
}

/// Runs the writer `name` in a process whose files may not grow over [`FILE_BLOCKS`]; gives how much was acknowledged, and what
/// ended it.
fn limited(name: &str, state: &Path) -> (i64, String) {
    // Whoever writes past the limit gets the error of a full disk, not the signal.
    let limited = format!("trap '' XFSZ; ulimit -f {FILE_BLOCKS}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.arg("-c").arg(limited).arg(env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored", "--nocapture", "--test-threads", "1"]);
    let done = command.env(DIR, state).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let line = said.split("acknowledged ").nth(1).unwrap();
    let (acknowledged, why) = line.split_once(':').unwrap();
    (acknowledged.parse().unwrap(), why.to_owned())
}

#[test]
fn a_full_disk_stops_the_writing_and_loses_nothing() {
    let state = folder();
    let (acknowledged, why) = limited("log::trouble::writer", state.path());
    assert!(acknowledged >= 100 && why.contains("could not write the journal"), "{why}");
    let bench = Bench::new();
    let (log, report) = bench.open_at(state.path()).unwrap();
    let there = number(&log.views(), view(Half::Neutral, ENTRIES), "n");
    assert_eq!(there, acknowledged, "{report:?}");
    put(&log, Half::Neutral, "room", "again");
}

/// A key of its own for each write, so that the views grow, and a value that is not a journal's segment long.
fn many(round: i64) -> (String, usize) {
    (format!("k{round:05}"), 2_000)
}

#[test]
#[ignore = "the writer that `views_that_cannot_be_written_stop_the_writing_and_lose_nothing` starts with a limit on its files"]
fn views_writer() {
    let mut bench = Bench::new();
    // The journal never comes to the limit, its files are short.
    bench.segment_bytes = 256 << 10;
    (bench.checkpoint_groups, bench.runs_bytes) = (50, 256 << 10);
    let (log, _) = bench.open_at(env::var(DIR).unwrap().as_ref()).unwrap();
    let mut acknowledged = 0;
    let why = loop {
        let (key, bytes) = many(acknowledged);
        let event = format!("fill {key} 7 {bytes}").into_bytes();
        let pending = match log.submit(move |tx| tx.emit(Half::Neutral, &event)) {
            Ok(pending) => pending,
            // Nobody was writing when the views failed.
            Err(SubmitError::ReadOnly { why }) => break why,
            Err(other) => panic!("{other}"),
        };
        match pending.wait() {
            Ok(_) => acknowledged += 1,
            Err(Refused::ReadOnly { why }) => break why,
            Err(other) => panic!("{other}"),
        }
        assert!(acknowledged < 50_000, "the limit was never met");
    };
    assert!(matches!(log.submit(|_| Ok::<(), ()>(())), Err(SubmitError::ReadOnly { .. })));
    // What could not be written lies in memory.
    let lately = (acknowledged - 50..acknowledged).map(many);
    for (key, bytes) in lately {
        let value = log.views().get(view(Half::Neutral, ENTRIES), key.as_bytes()).unwrap();
        assert_eq!(value.map(|value| value.len()), Some(bytes), "{key}: reading goes on");
    }
    println!("acknowledged {acknowledged}: {why}");
}

#[test]
fn views_that_cannot_be_written_stop_the_writing_and_lose_nothing() {
    let state = folder();
    let (acknowledged, why) = limited("log::trouble::views_writer", state.path());
    assert!(acknowledged >= 100 && why.contains("the neutral views could not be written"), "{why}");
    let (log, report) = Bench::new().open_at(state.path()).unwrap();
    for (key, bytes) in (0..acknowledged).map(many) {
        let value = log.views().get(view(Half::Neutral, ENTRIES), key.as_bytes()).unwrap();
        assert_eq!(value.map(|value| value.len()), Some(bytes), "{key}: {report:?}");
    }
    put(&log, Half::Neutral, "room", "again");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    // Not even root makes folders there.
    let at = Path::new("/sys/ficha");
    match Bench::new().open_at(at) {
        Err(OpenError::Io { path, .. }) => assert_eq!(path, at),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("made {}", at.display()),
    }
}
