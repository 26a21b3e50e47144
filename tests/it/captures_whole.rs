//! Captures of all four kinds of readers, played to the whole daemon; what a register reads at its socket.

#![expect(clippy::arithmetic_side_effects, reason = "a test says what is wrong by failing")]

use crate::captures::{load, root};
use crate::magstripe::{encode, pack};
use crate::print::read_qr;
use crate::whole::rig::*;
use fichad::device::keymap;
use fichad::domain::code::{Parsed, Programme, parse};
use fichad::print::paper::{Model, Paper, page::Page};
use fichad::push::client::{Client, ClientError};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, sync_channel};

const HEADER: &str =
    "# reader: made in a test\n# mode: -\n# date: 2026-11-22\n# by: a test\n# source: simulator\n";

/// The text of a capture; each read 10 ms after the one before.
fn text(transport: &str, more: &str, reads: &[Vec<u8>]) -> String {
    let mut text = format!("{HEADER}# transport: {transport}\n{more}");
    for (at, read) in reads.iter().enumerate() {
        let hex: String = read.iter().map(|byte| format!(" {byte:02x}")).collect();
        writeln!(text, "{}{hex}", at * 10).unwrap();
    }
    text
}

/// A printer on the network, and the pages that come out of it.
fn printer() -> (SocketAddr, Receiver<Page>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (pages, printed) = sync_channel(8);
    std::thread::spawn(move || {
        let mut paper = Paper::new(Model::FULL);
        for mut stream in listener.incoming().flatten() {
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                let answer = paper.push(&buffer[..count]);
                paper.take_pages().into_iter().for_each(|page| pages.send(page).unwrap_or_default());
                if stream.write_all(&answer).is_err() {
                    break;
                }
            }
        }
    });
    (address, printed)
}

fn play(client: &mut Client, capture: &str) -> Value {
    client.call("replay.play", json!({ "capture": capture, "pace": "fast" })).unwrap()
}

/// A Honeywell's report: id, length, AIM identifier, data, and whether more follows.
fn honeywell_report(data: &str) -> Vec<u8> {
    let mut report = vec![2, u8::try_from(data.len()).unwrap()];
    report.extend_from_slice(b"]Q1");
    report.extend_from_slice(data.as_bytes());
    report.resize(63, 0);
    report.push(0);
    report
}

/// A report of raw bits with `digits` on track 2.
fn swipe_report(digits: &str) -> Vec<u8> {
    let track = pack(&encode(format!(";{digits}?").as_bytes(), 4, 0x30, 12));
    let mut report = vec![0, u8::try_from(track.len()).unwrap(), 0];
    report.resize(3 + 80, 0);
    report.extend_from_slice(&track);
    report.resize(3 + 80 + 40 + 107, 0);
    report
}

/// Key presses on a US keyboard, a read each, Enter behind them.
fn key_presses(text: &str) -> Vec<Vec<u8>> {
    const SHIFT: u16 = 42;
    const ENTER: u16 = 28;
    let us = keymap::load("us", "").unwrap();
    let presses = text.chars().map(|char| {
        let (code, level) = us.key_for(char).unwrap();
        crate::keyboard::press(code, if level.shift { &[SHIFT] } else { &[] })
    });
    presses.chain([crate::keyboard::press(ENTER, &[])]).collect()
}

#[test]
fn a_printed_card_is_known_by_every_kind_of_reader() {
    let (address, printed) = printer();
    let bench = Bench::new();
    bench.configure(&format!(
        "[[register]]\nname = \"till-1\"\n[[register]]\nname = \"till-2\"\n\
         [[printer]]\nname = \"desk\"\naddress = \"tcp://{address}\"\nwidth_dots = 576\n"
    ));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    let person = json!({ "givenName": "María", "familyName": "García" });
    let customer = write(&mut register, "customer.enrol", json!({ "person": person }))["customer"].clone();
    let job = write(&mut register, "card.print", json!({ "customer": customer }));
    let page = printed.recv_timeout(PATIENCE).unwrap();
    let [letters] = read_qr(&page.to_bitmap(576)).try_into().unwrap();
    until("the card is printed", || {
        register.call("job.show", json!({ "job": job["job"] })).unwrap()["state"] == "printed"
    });
    let Parsed::Valid(key) = parse(letters.as_bytes(), Programme::default()) else {
        panic!("what is printed is no code of ours")
    };
    let descriptor = |capture: &str| format!("# descriptor: {}\n", load(capture).get("descriptor"));
    let serial = format!("]Q1{letters}\r").into_bytes();
    let captures = [
        text("serial", "", &[serial[..9].to_vec(), serial[9..].to_vec()]),
        text("hidpos", &descriptor("hidpos/honeywell-ean13"), &[honeywell_report(&letters)]),
        text("msr", &descriptor("msr/bits-forwards"), &[swipe_report(key.digits().reveal())]),
        text("keyboard", "# layout: us\n", &key_presses(&letters)),
    ];
    let jobs = |client: &mut Client| loop {
        let event = client.next_event(PATIENCE).unwrap().expect("an event in time");
        if !["state", "job"].contains(&event["type"].as_str().unwrap()) {
            return event;
        }
    };
    for (number, capture) in (1..).zip(&captures) {
        let started = play(&mut register, capture);
        let name = format!("replay:{number}");
        assert_eq!((&started["reader"], &started["register"]), (&json!(name), &json!("till-1")));
        let shown = jobs(&mut register);
        assert_eq!((&shown["type"], &shown["reader"]), (&json!("identified"), &json!(name)), "{shown}");
        assert_eq!((&shown["card"], &shown["file"]["customer"]), (&job["card"], &customer));
        assert_eq!(shown["file"]["name"], "María García");
        // Another reader each time, so no scan is a repeat of the one before.
        assert_eq!((&shown["repeat_of"], &shown["repaired"]), (&Value::Null, &json!(false)));
    }
    until("all four visits are kept", || {
        register.call("customer.show", json!({ "customer": customer })).unwrap()["visits"] == 4
    });
    // Wherever the play is sent to, and nowhere else.
    let mut other = fichad.register("till-2");
    let elsewhere = json!({ "capture": captures[1], "register": "till-2" });
    assert_eq!(other.call("replay.play", elsewhere).unwrap()["register"], "till-2");
    assert_eq!(event(&mut other, "identified")["register"], "till-2");
    no_event(&mut register);
}

/// Every capture, and what the register is told of it.
const TOLD: &[(&str, &[&str])] = &[
    ("hidpos/extra-byte-code128", &["]C0 PALLET-0042"]),
    ("hidpos/honeywell-ean13", &["]E0 4006381333931"]),
    ("hidpos/honeywell-embedded-nul", &["]d1 base64:QUIAQ0QA"]),
    ("hidpos/honeywell-lost-last-report", &["! incomplete", "]E0 4006381333931"]),
    (
        "hidpos/honeywell-qr-continued",
        &["]Q1 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ\
           0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGHIJKL"],
    ),
    ("hidpos/honeywell-short-report", &["! short_report", "! short_report", "]E0 4006381333931"]),
    ("hidpos/newland-code128", &["- PALLET-0042"]),
    ("keyboard/datalogic-tab", &["- PALLET-0042"]),
    ("keyboard/gs1-alt-keypad", &["- 8018123456789012345675\u{1d}8019123"]),
    ("keyboard/gs1-ctrl-bracket", &["]C1 8018123456789012345675\u{1d}8019123"]),
    ("keyboard/keys-lost", &["! keys_lost", "- 4006381333931"]),
    ("keyboard/magtek-typed", TRACKS),
    ("keyboard/no-suffix", &["- 4006381333931", "- PALLET-0042"]),
    ("keyboard/zebra-enter", &["- 4006381333931"]),
    ("msr/bits-backwards", TRACKS),
    ("msr/bits-damaged", &["! bad_parity", "! bad_lrc"]),
    ("msr/bits-forwards", TRACKS),
    ("msr/idtech-minimag", TRACKS),
    ("msr/magtek-112-byte-tracks", &["- 1234567890123456789012345678"]),
    ("msr/magtek-nothing-decoded", &["! not_decoded", "! not_decoded"]),
    ("msr/magtek-three-tracks", TRACKS),
    ("msr/magtek-track-2-only", &["- 1234567890123456789012345678"]),
    ("serial/crlf-two-scans", &["- 4006381333931", "- 5901234123457"]),
    ("serial/digital-link", &["]Q1 https://club.example/8018/123456789012345675/8019/12?x=1"]),
    ("serial/digits-code", &["unknown"]),
    ("serial/ean13-aim", &["]E0 4006381333931"]),
    ("serial/gs1-qr-gsrn", &["]Q3 8018123456789012345675\u{1d}801912"]),
    ("serial/letters-code", &["unknown"]),
    ("serial/letters-code-damaged", &["! bad_check"]),
    ("serial/no-terminator", &["- 4006381333931", "- 5901234123457"]),
    ("serial/payment-number", &["! payment_card", "- 4006381333931"]),
    ("serial/stx-etx", &["- 4006381333931", "- ABC-123"]),
    ("serial/too-long", &["! too_long", "- 4006381333931"]),
];

const TRACKS: &[&str] = &["- MEMBER^ANNA EXAMPLE^0042", "- 1234567890123456789012345678", "- 0042=7"];

/// An event as the captures' other tests put a scan.
fn told(event: &Value) -> String {
    let text = |field: &str| event[field].as_str().map(str::to_owned);
    let data =
        || text("scan_data").unwrap_or_else(|| format!("base64:{}", text("scan_data_base64").unwrap()));
    match event["type"].as_str().unwrap() {
        "scan" => format!("{} {}", text("aim").unwrap_or_else(|| "-".to_owned()), data()),
        "rejected" => format!("! {}", text("reason").unwrap()),
        other => other.to_owned(),
    }
}

#[test]
fn every_capture_reaches_the_register_as_its_reader_would() {
    let bench = Bench::new();
    bench.configure("[[register]]\nname = \"till-1\"\n");
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    for (name, want) in TOLD {
        let path = root().join(format!("{name}.hex"));
        let capture = std::fs::read_to_string(path).unwrap();
        let reader = play(&mut register, &capture)["reader"].clone();
        for want in *want {
            let event = loop {
                let event = register.next_event(PATIENCE).unwrap().expect("an event in time");
                if event["type"] != "state" {
                    break event;
                }
            };
            assert_eq!((told(&event).as_str(), &event["reader"]), (*want, &reader), "{name}");
        }
        until("the replay has ended", || {
            register.call("reader.list", json!({})).unwrap()["readers"]
                .as_array()
                .unwrap()
                .iter()
                .all(|row| row["reader"] != reader)
        });
        no_event(&mut register);
    }
}

#[test]
fn no_capture_is_left_out() {
    let mut found = 0;
    for transport in ["serial", "hidpos", "msr", "keyboard"] {
        for entry in std::fs::read_dir(root().join(transport)).unwrap() {
            let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
            let name = format!("{transport}/{name}");
            assert!(TOLD.iter().any(|(told, _)| *told == name), "{name} is not in TOLD");
            found += 1;
        }
    }
    assert_eq!(found, TOLD.len());
}

#[test]
fn a_mistake_in_a_capture_names_its_line_and_nothing_of_it() {
    let bench = Bench::new();
    bench.configure("[[register]]\nname = \"till-1\"\n");
    let fichad = bench.start();
    let mut client = fichad.client();
    let mut refused = |capture: String, register: &str| {
        let params = json!({ "capture": capture, "register": register });
        let error = client.call("replay.play", params).unwrap_err();
        let ClientError::Refused { reason, message, field: Some(field), .. } = error else {
            panic!("{error}")
        };
        (reason, field, message)
    };
    let (reason, field, message) = refused(text("serial", "", &[]) + "0 3G\nsecret 41\n", "till-1");
    assert_eq!((reason.as_str(), field.as_str()), ("invalid_params", "capture"));
    assert!(message.contains("line 7:") && message.contains("line 8:"), "{message}");
    assert!(!message.contains("secret") && !message.contains("3G"), "{message}");
    let (_, field, message) = refused(text("keyboard", "# layout: xq\n", &[vec![0; 8]]), "till-1");
    assert!(field == "capture" && message.contains("setxkbmap"), "{message}");
    assert_eq!(refused(text("serial", "", &[vec![13]]), "till-9").1, "register");
}

#[test]
fn four_captures_play_at_once_and_a_stop_ends_them() {
    let bench = Bench::new();
    bench.configure("[[register]]\nname = \"till-1\"\n");
    let fichad = bench.start();
    let mut client = fichad.client();
    let long = format!("{HEADER}# transport: serial\n3600000 41\n");
    for _ in 0..4 {
        client.call("replay.play", json!({ "capture": long })).unwrap();
    }
    let error = client.call("replay.play", json!({ "capture": long })).unwrap_err();
    assert!(matches!(error, ClientError::Refused { reason, .. } if reason == "busy"));
    let readers = client.call("reader.list", json!({})).unwrap();
    let playing = |row: &&Value| row["reader"].as_str().unwrap().starts_with("replay:");
    assert_eq!(readers["readers"].as_array().unwrap().iter().filter(playing).count(), 4);
    fichad.stop();
}
