//! `ficha load` against a running daemon: real scans, nothing left behind, nobody disturbed. And the spans of one scan.

use super::rig::*;
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

fn load(fichad: &Fichad, args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ficha"))
        .arg("--socket")
        .arg(fichad.socket())
        .args(["--json", "load", "--seconds", "1", "--rate", "20"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> Value {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}\n{}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn two_tills(bench: &Bench) {
    bench.configure("[[register]]\nname = \"till-1\"\n[[register]]\nname = \"till-2\"\n");
}

#[test]
fn scanners_are_driven_and_nothing_stays() {
    let bench = Bench::new();
    two_tills(&bench);
    let fichad = bench.start();
    let mut client = fichad.client();
    store_settled(&mut client);
    let written = |client: &mut fichad::push::client::Client| {
        client.call("status", json!({})).unwrap()["store"]["last_seq"].clone()
    };
    let before = written(&mut client);
    let found = said(&load(&fichad, &["--registers", "2", "--readers", "3"], ""));
    let scans = found["scans"].as_u64().unwrap();
    assert!(scans >= 20, "{found}");
    assert_eq!((&found["lost"], &found["other"]), (&json!(0), &json!({})));
    assert!(found["p50_us"].as_u64().unwrap() > 0 && found["p50_us"].as_u64() <= found["max_us"].as_u64());
    let stages: Vec<(&str, u64)> = found["stages"].as_array().unwrap().iter().map(count).collect();
    for stage in ["read", "decode", "resolve", "push", "whole"] {
        assert!(stages.contains(&(stage, scans)), "{stage}: {found}");
    }
    until("the scanners are gone", || {
        client.call("reader.list", json!({})).unwrap()["readers"]
            .as_array()
            .unwrap()
            .iter()
            .all(|reader| reader["state"] == "candidate")
    });
    assert_eq!(written(&mut client), before, "nothing was written");
}

fn count(stage: &Value) -> (&str, u64) {
    (stage["stage"].as_str().unwrap(), stage["count"].as_u64().unwrap())
}

#[test]
fn cards_count_as_shown() {
    let bench = Bench::new();
    two_tills(&bench);
    let fichad = bench.start();
    let mut client = fichad.client();
    store_settled(&mut client);
    // Two, for a card that is shown again at once is the same visit.
    let customers = [customer(&mut client), customer(&mut client)];
    let codes: String = customers.iter().map(|(_, _, letters)| format!("{letters}\n")).collect();
    let found = said(&load(&fichad, &["--cards"], &codes));
    assert_eq!(found["scans"], 20, "{found}");
    for (customer, ..) in customers {
        until("all visits are written", || {
            client.call("customer.show", json!({ "customer": customer })).unwrap()["visits"] == 10
        });
    }
}

#[test]
fn a_till_at_work_is_left_alone_and_a_stranger_lends_nothing() {
    let (bench, scanner) = (Bench::new(), Scanner::new());
    two_tills(&bench);
    let fichad = bench.start();
    let mut till = fichad.register("till-1");
    let output = load(&fichad, &[], "");
    assert_eq!(output.status.code(), Some(1));
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(why.contains("another program listens to this register"), "{why}");
    no_event(&mut till);

    for path in ["/dev/null", "/dev/pts/../null", "/dev/pts/", "/dev/pts/999999"] {
        till.call("reader.lend", json!({ "path": path })).unwrap_err();
    }
    let mut nobody = fichad.client();
    nobody.call("reader.lend", json!({ "path": scanner.path() })).unwrap_err();
    // Alone at its register it may.
    let lent = till.call("reader.lend", json!({ "path": scanner.path() })).unwrap();
    assert_eq!(lent, json!({ "reader": "lent:1", "register": "till-1" }));
}

#[test]
fn each_stage_of_a_scan_is_a_span_that_tells_its_time_and_no_code() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    bench.configure(&one_till(&scanner));
    let fichad = bench.start_logging("info,fichad::daemon=trace,fichad::device::reader=trace");
    let mut register = fichad.open("till-1");
    let (_, _, letters) = customer(&mut register);
    scanner.scan(&[&letters]);
    event(&mut register, "identified");
    let span = |stage: &str| format!("{stage}: ");
    until("the way is told", || {
        let log = fichad.log();
        let closed: Vec<&str> = log.lines().filter(|line| line.contains("time.busy")).collect();
        ["read", "decode", "resolve", "compose", "push"]
            .iter()
            .all(|stage| closed.iter().any(|line| line.contains(&span(stage))))
    });
    assert_eq!(stands_in(&fichad.log(), &letters), None);
}
