//! Slow, flooding and many: nobody makes another one wait.

use super::rig::{Rig, event, register, until};
use fichad::push::{Delivered, OUT_BACKLOG_BYTES_MAX, REQUESTS_IN_FLIGHT_MAX, SUBSCRIBERS_MAX};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[test]
fn who_never_reads_is_closed_and_nobody_else_notices() {
    let rig = Rig::new(&["till-1", "till-2"]);
    let mut slow = rig.raw();
    slow.send(r#"{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"register":"till-1"}}"#);
    until("it is subscribed", || rig.hub.registers_connected() == [register("till-1")]);
    let (mut beside, mut other) = (rig.subscribed("till-1"), rig.subscribed("till-2"));
    let product = "x".repeat(2000);
    // The slow one's socket and backlog fill; each of these events reaches the two that read, at once.
    let most = OUT_BACKLOG_BYTES_MAX / 1000;
    let closed_after = (1..most).find(|_| {
        let seq = rig.scan("till-1", &product).seq;
        assert_eq!(event(&mut beside)["seq"], seq);
        assert_eq!(rig.scan("till-2", "1").delivered, Delivered::Sent);
        assert_eq!(event(&mut other)["seq"], seq);
        rig.hub.stats().sessions_slow == 1
    });
    assert!(closed_after.is_some(), "never closed");
    // What the slow one finds is whole lines in order up to some event, and then the end; perhaps a torn last line.
    slow.stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut slow.stream, &mut text).unwrap();
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).skip(1);
    let mut last = 0;
    for (line, want) in whole.zip(1_u64..) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["params"]["seq"], want);
        last = want;
    }
    assert!(last > 10);
    // It comes back and is told the rest.
    drop(slow);
    let mut again = rig.client();
    again
        .call("subscribe", json!({ "register": "till-1", "after": { "stream": rig.stream, "seq": last } }))
        .unwrap();
    let first = event(&mut again);
    let next = if first["type"] == "missed" { first["from_seq"].clone() } else { first["seq"].clone() };
    assert_eq!(next, last + 1);
}

#[expect(clippy::disallowed_methods, reason = "a short write is what is looked for")]
#[test]
fn a_flood_of_requests_waits_in_its_own_socket() {
    let rig = Rig::new(&["till-1", "till-2"]);
    let mut flood = rig.raw();
    flood.stream.set_nonblocking(true).unwrap();
    let line = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\"}\n";
    // Until the socket has been full for so many rounds that the server has surely stopped reading, as its answers
    // are not read. It reads some lines a turn, and others have their turns between: up to 50 rounds were seen.
    let (mut sent, mut full) = (0_usize, 0);
    let mut other = rig.subscribed("till-2");
    while full < 500 {
        match std::io::Write::write(&mut flood.stream, &line[sent % line.len()..]) {
            Ok(count) => (sent, full) = (sent + count, 0),
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                full += 1;
                // Each a round through the server, which shows that it serves the others meanwhile.
                other.call("ping", json!({})).unwrap();
                assert_eq!(rig.scan("till-2", "1").delivered, Delivered::Sent);
                event(&mut other);
            }
        }
    }
    let whole = sent / line.len();
    assert!(whole > 1000, "{whole} requests were taken before it stopped");
    assert_eq!(rig.hub.stats().sessions_slow, 0);
    // Once it reads, it gets every answer.
    flood.stream.set_nonblocking(false).unwrap();
    let rest = line[sent % line.len()..].to_vec();
    let mut writer = flood.stream.try_clone().unwrap();
    let writing = std::thread::spawn(move || writer.write_all(&rest).unwrap());
    for _ in 0..=whole {
        assert_eq!(flood.line().unwrap()["id"], 1);
    }
    writing.join().unwrap();
}

#[test]
fn only_so_many_requests_are_worked_on_at_once() {
    let rig = Rig::new(&["till-1"]);
    let mut raw = rig.raw();
    for id in 0..REQUESTS_IN_FLIGHT_MAX + 3 {
        raw.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"slow"}}"#));
    }
    let begun = || rig.service.begun.load(Ordering::SeqCst);
    until("as many as may are in work", || begun() == REQUESTS_IN_FLIGHT_MAX);
    // Another session goes round several times; the first one's others stay where they are.
    let mut other = rig.client();
    for _ in 0..20 {
        other.call("ping", json!({})).unwrap();
    }
    assert_eq!(begun(), REQUESTS_IN_FLIGHT_MAX);
    rig.service.gate.add_permits(1);
    until("one more begins", || begun() == REQUESTS_IN_FLIGHT_MAX + 1);
    rig.service.gate.add_permits(REQUESTS_IN_FLIGHT_MAX + 2);
    let mut ids: Vec<u64> =
        (0..REQUESTS_IN_FLIGHT_MAX + 3).map(|_| raw.line().unwrap()["id"].as_u64().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..11).collect::<Vec<u64>>());
}

#[test]
fn events_of_eight_threads_and_answers_never_mix() {
    const THREADS: usize = 8;
    const EACH: usize = 400;
    let rig = Rig::new(&["till-1", "till-2"]);
    let mut raw = rig.raw();
    raw.send(r#"{"jsonrpc":"2.0","id":"s","method":"subscribe","params":{"register":"*"}}"#);
    assert_eq!(raw.line().unwrap()["id"], "s");
    let mut writer = raw.stream.try_clone().unwrap();
    let asking = std::thread::spawn(move || {
        for id in 0..EACH {
            let padding = "p".repeat(id * 7 % 900);
            writeln!(writer, r#"{{"jsonrpc":"2.0","id":{id},"method":"echo","params":{{"p":"{padding}"}}}}"#)
                .unwrap();
        }
    });
    let (mut answers, mut seqs) = (Vec::new(), BTreeMap::<String, u64>::new());
    // So far ahead of the reading may the publishing be, or this would be the slow register's test.
    let (ahead, read) = std::sync::mpsc::sync_channel(256);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (rig, ahead) = (&rig, ahead.clone());
            scope.spawn(move || {
                for count in 0..EACH {
                    ahead.send(()).unwrap();
                    rig.scan(["till-1", "till-2"][thread % 2], &"d".repeat(1 + count * 3 % 500));
                }
            });
        }
        for _ in 0..THREADS * EACH + EACH {
            let line = raw.line().expect("the connection lives");
            match line["params"]["seq"].as_u64() {
                Some(seq) => {
                    read.recv().unwrap();
                    let last = seqs.insert(line["params"]["register"].to_string(), seq).unwrap_or_default();
                    assert_eq!(seq, last + 1);
                }
                None => answers.push(line["id"].as_u64().unwrap()),
            }
        }
    });
    asking.join().unwrap();
    answers.sort_unstable();
    assert_eq!(answers, (0..400).collect::<Vec<u64>>());
    assert_eq!(seqs.values().copied().collect::<Vec<_>>(), [1600, 1600]);
}

#[test]
fn what_waited_for_a_slow_reader_comes_whole_and_in_order() {
    let rig = Rig::new(&["till-1"]);
    let mut slow = rig.raw();
    slow.send(r#"{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{}}"#);
    assert_eq!(slow.line().unwrap()["id"], 1);
    let product = "x".repeat(700);
    let queued = (1..2000).find(|_| rig.scan("till-1", &product).delivered == Delivered::Queued);
    // Some more behind it, and an answer at the very end.
    let last = (0..100).map(|_| rig.scan("till-1", &product).seq).max().unwrap();
    slow.send(r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#);
    assert!(queued.is_some_and(|queued| queued < last));
    let mut seqs = Vec::new();
    let after = loop {
        let line = slow.line().unwrap();
        match line["params"]["seq"].as_u64() {
            Some(seq) => seqs.push(seq),
            None => break line,
        }
    };
    assert_eq!(after["id"], 2);
    assert_eq!(seqs, (1..=last).collect::<Vec<u64>>());
    // The backlog is gone, so the next one is written by the publishing thread again.
    assert_eq!(rig.scan("till-1", "1").delivered, Delivered::Sent);
}

#[test]
fn a_request_in_work_ends_though_its_peer_is_gone() {
    let rig = Rig::new(&["till-1"]);
    let mut raw = rig.raw();
    raw.send(r#"{"jsonrpc":"2.0","id":1,"method":"slow"}"#);
    until("it is in work", || rig.service.begun.load(Ordering::SeqCst) == 1);
    drop(raw);
    until("the session is over", || rig.hub.sessions() == 0);
    rig.service.gate.add_permits(1);
    until("it has been done", || rig.service.finished.load(Ordering::SeqCst) == 1);
}

#[test]
fn a_register_has_room_for_so_many_programs() {
    let rig = Rig::new(&["till-1"]);
    let mut taken: Vec<_> = (0..SUBSCRIBERS_MAX).map(|_| rig.subscribed("till-1")).collect();
    let mut one_more = rig.client();
    let refused = one_more.call("subscribe", json!({})).unwrap_err();
    assert!(refused.to_string().contains("till-1"));
    taken[0].call("unsubscribe", json!({})).unwrap();
    one_more.call("subscribe", json!({})).unwrap();
    rig.scan("till-1", "1");
    assert_eq!(event(&mut one_more)["seq"], 1);
    assert!(taken.iter_mut().skip(1).all(|client| event(client)["seq"] == 1));
}

#[test]
fn a_long_answer_that_goes_out_in_pieces_stays_whole() {
    let rig = Rig::new(&["till-1"]);
    let mut raw = rig.raw();
    raw.send(r#"{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{}}"#);
    assert_eq!(raw.line().unwrap()["id"], 1);
    // Longer than what the socket has left after the first of them, so that it takes a part of one.
    let params = "p".repeat(180);
    for id in 2..6 {
        raw.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"long","params":{{"p":"{params}"}}}}"#));
    }
    until("all are in work", || rig.service.begun.load(Ordering::SeqCst) == 4);
    let queued = (0..2000).any(|_| rig.scan("till-1", "1").delivered == Delivered::Queued);
    assert!(queued);
    let (mut answers, mut events) = (Vec::new(), 0);
    while answers.len() < 4 || events < rig.hub.stats().events {
        let line = raw.line().unwrap();
        match line["id"].as_u64() {
            Some(id) => {
                assert_eq!(line["result"].as_str().unwrap().len(), 188_000, "{id}");
                answers.push(id);
            }
            None => {
                events += 1;
                assert_eq!(line["params"]["seq"], events);
            }
        }
    }
    answers.sort_unstable();
    assert_eq!(answers, [2, 3, 4, 5]);
}
