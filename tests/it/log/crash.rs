//! A writer killed at random moments: whatever it had acknowledged is there, and the views are those of the journal.

use super::support::*;
use fichad::log::{Half, Log};
use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::thread;

const DIR: &str = "FICHA_TEST_LOG_DIR";
const WRITERS: usize = 8;
const ROUNDS: usize = 20;

/// One transaction in both halves; gives the writer's new count.
fn count(log: &Log, writer: usize) -> i64 {
    let decide = move |tx: &mut fichad::log::Tx<'_>| {
        let done = number(tx, view(Half::Neutral, ENTRIES), &format!("n{writer}")) + 1;
        tx.emit(Half::Personal, format!("add n{writer} 1").as_bytes()).unwrap();
        tx.emit(Half::Neutral, format!("put k{writer} {done}").as_bytes()).unwrap();
        tx.emit(Half::Neutral, format!("add n{writer} 1").as_bytes()).unwrap();
        Ok::<i64, ()>(done)
    };
    log.submit(decide).unwrap().wait().unwrap().value
}

#[test]
#[ignore = "the writer that `what_was_acknowledged_outlives_a_kill` starts and kills"]
fn writer() {
    let mut bench = Bench::new();
    bench.checkpoint_groups = 5;
    let (log, _) = bench.open_at(env::var(DIR).unwrap().as_ref()).unwrap();
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let log = log.clone();
            scope.spawn(move || {
                loop {
                    let done = count(&log, writer);
                    let mut out = io::stdout().lock();
                    out.write_all(format!("ack {writer} {done}\n").as_bytes()).unwrap();
                    out.flush().unwrap();
                }
            });
        }
    });
}

/// Starts the writer, kills it after `acks` acknowledgements; gives the last one of each of its threads.
fn killed_after(acks: usize, dir: &std::path::Path, seen: &mut [i64; WRITERS]) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "log::crash::writer", "--ignored", "--nocapture", "--test-threads", "1"]);
    let mut child = command.env(DIR, dir).stdout(Stdio::piped()).spawn().unwrap();
    let mut count = 0;
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    // After the kill, what is still in the pipe was acknowledged too.
    while out.read_line(&mut line).unwrap() > 0 {
        // libtest writes the test's name on the first of these lines.
        if let Some(at) = line.find("ack ").filter(|_| line.ends_with('\n')) {
            let words: Vec<&str> = line[at..].split_whitespace().collect();
            seen[words[1].parse::<usize>().unwrap()] = words[2].parse().unwrap();
            count += 1;
            if count == acks {
                child.kill().unwrap();
            }
        }
        line.clear();
    }
    child.wait().unwrap();
    assert!(count >= acks, "the writer ended by itself");
}

#[test]
fn what_was_acknowledged_outlives_a_kill() {
    let bench = Bench::new();
    let on_disk = tempfile::tempdir().unwrap();
    let mut seen = [0; WRITERS];
    for round in 0..ROUNDS {
        killed_after(1 + round * 37 % 200, on_disk.path(), &mut seen);
        let rebuilt = folder();
        copy_journals(on_disk.path(), rebuilt.path());
        let (log, report) = bench.open_at(on_disk.path()).unwrap();
        for (writer, acknowledged) in seen.iter().enumerate() {
            let [personal, neutral] =
                HALVES.map(|half| number(&log.views(), view(half, ENTRIES), &format!("n{writer}")));
            assert!(neutral >= *acknowledged, "round {round}: {acknowledged} acknowledged, {neutral} there");
            assert_eq!(personal, neutral, "round {round}: the halves differ");
        }
        println!("round {round}: {seen:?}, caught up {}, {:?}", report.caught_up, report.rebuilt);
        let (fresh, _) = bench.open_at(rebuilt.path()).unwrap();
        for half in HALVES {
            let digests = [&log, &fresh].map(|log| log.views().digest(half).unwrap());
            assert_eq!(digests[0], digests[1], "round {round}: {half:?} views, {report:?}");
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "measures, on a real disk")]
fn sixty_four_writers_share_their_syncs() {
    const EACH: i64 = 60;
    let bench = Bench::new();
    let on_disk = tempfile::tempdir().unwrap();
    let (log, _) = bench.open_at(on_disk.path()).unwrap();
    let start = Barrier::new(65);
    let (mut waits, took) = thread::scope(|scope| {
        let writers: Vec<_> = (0..64)
            .map(|writer| {
                let (log, start) = (&log, &start);
                scope.spawn(move || {
                    start.wait();
                    let one = || {
                        let began = std::time::Instant::now();
                        count(log, writer);
                        began.elapsed()
                    };
                    (0..EACH).map(|_| one()).collect::<Vec<_>>()
                })
            })
            .collect();
        start.wait();
        let began = std::time::Instant::now();
        let waits: Vec<_> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
        (waits, began.elapsed())
    });
    for writer in 0..64 {
        assert_eq!(number(&log.views(), view(Half::Neutral, ENTRIES), &format!("n{writer}")), EACH);
    }
    waits.sort_unstable();
    let all = u32::try_from(waits.len()).unwrap();
    println!(
        "{:.0} transactions a second in both halves, p50 {:?}, p99 {:?}",
        f64::from(all) / took.as_secs_f64(),
        waits[waits.len() / 2],
        waits[waits.len() * 99 / 100]
    );
}
