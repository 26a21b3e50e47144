//! A disk that takes no more, a folder that cannot be made: named, and nothing acknowledged is lost.

use super::support::*;
use fichad::log::{Half, HealthState, OpenError, Refused, SubmitError};
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

#[test]
fn a_full_disk_stops_the_writing_and_loses_nothing() {
    let state = folder();
    // Whoever writes past the limit gets the error of a full disk, not the signal.
    let limited = format!("trap '' XFSZ; ulimit -f {FILE_BLOCKS}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.arg("-c").arg(limited).arg(env::current_exe().unwrap());
    command.args(["--exact", "log::trouble::writer", "--ignored", "--nocapture", "--test-threads", "1"]);
    let done = command.env(DIR, state.path()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let line = said.split("acknowledged ").nth(1).unwrap();
    let acknowledged: i64 = line.split(':').next().unwrap().parse().unwrap();
    assert!(acknowledged >= 100 && line.contains("could not write the journal"), "{line}");
    let bench = Bench::new();
    let (log, report) = bench.open_at(state.path()).unwrap();
    let there = number(&log.views(), view(Half::Neutral, ENTRIES), "n");
    assert_eq!(there, acknowledged, "{report:?}");
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
