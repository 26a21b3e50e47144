//! PROTOCOL.md against the code: every example is one that the code reads or sends, and nothing in the code is without one.

use super::rig::{Rig, event, register};
use fichad::desk::file::{ConsentDue, CustomerFile, IssueLine, PlanLine, PointsExpiring};
use fichad::domain::id::{CardId, CustomerNumber, JobId, PrinterName, ReaderName, StreamId, VisitId};
use fichad::domain::money::Money;
use fichad::domain::refusal::RefusalCode;
use fichad::domain::scan::Rejection;
use fichad::domain::time::Timestamp;
use fichad::push::wire::{self, Call, Context, EVENT_TYPES, Event, METHODS, Missed, Stamp};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use std::time::Duration;

pub(super) const PROTOCOL: &str = include_str!("../../../src/push/PROTOCOL.md");

/// One `json` block under its heading, such as `("Request", "ack", ...)`.
pub(super) struct Example {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) line: String,
}

pub(super) fn examples() -> Vec<Example> {
    let (mut found, mut heading, mut inside) = (Vec::new(), None, false);
    for line in PROTOCOL.lines() {
        match line {
            "```json" => inside = true,
            "```" => inside = false,
            _ if inside => {
                let heading: &str = heading.unwrap_or_else(|| panic!("no `####` heading over {line}"));
                let (kind, rest) = heading.split_once(": `").unwrap_or((heading, ""));
                let name = rest.split('`').next().unwrap();
                found.push(Example { kind: kind.into(), name: name.into(), line: line.into() });
            }
            _ if line.starts_with('#') => heading = line.strip_prefix("#### "),
            _ => {}
        }
    }
    found
}

fn of(kind: &str, name: &str) -> Vec<Value> {
    let all: Vec<Value> = examples()
        .iter()
        .filter(|example| example.kind == kind && example.name == name)
        .map(|example| serde_json::from_str(&example.line).unwrap())
        .collect();
    assert!(!all.is_empty(), "PROTOCOL.md has no `#### {kind}: `{name}`` with an example");
    all
}

/// A message with every value replaced by its type; lists by what is in them.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
        Value::Array(items) => items.iter().map(shape).take(1).collect(),
        Value::String(_) => json!("text"),
        Value::Number(number) => {
            let number = number.as_i64().unwrap();
            assert!(number.abs() <= wire::INTEGER_MAX);
            json!("number")
        }
        Value::Bool(_) => json!("flag"),
        Value::Null => Value::Null,
    }
}

#[test]
fn every_example_is_one_line_of_json() {
    let all = examples();
    assert!(all.len() > 20);
    for example in all {
        let value: Value =
            serde_json::from_str(&example.line).unwrap_or_else(|error| panic!("{error}: {}", example.line));
        assert_eq!(value["jsonrpc"], "2.0", "{}", example.line);
        shape(&value);
        match example.kind.as_str() {
            "Request" => assert_eq!(value["method"], *example.name),
            "Answer" => {
                assert!(value.get("result").is_some() && value.get("id").is_some(), "{}", example.line)
            }
            "Event" => assert_eq!(
                (&value["method"], &value["params"]["type"]),
                (&json!("event"), &json!(example.name))
            ),
            "Error" => assert!(value["error"]["data"]["reason"].is_string()),
            other => panic!("what is a `#### {other}`?"),
        }
    }
}

#[test]
fn every_request_is_read_by_the_parser_of_the_daemon() {
    for example in examples().iter().filter(|example| example.kind == "Request") {
        let request = wire::parse(example.line.as_bytes()).unwrap();
        assert_eq!(request.method, example.name);
        if METHODS.contains(&&*request.method) {
            Call::parse(&request.method, request.params).unwrap().unwrap();
        }
    }
    for method in METHODS {
        of("Request", method);
    }
}

#[test]
fn every_answer_of_a_session_has_the_shape_of_its_example() {
    let rig = Rig::new(&["till-1"]);
    let mut client = rig.client();
    rig.scan("till-1", "1");
    for method in METHODS {
        let params = match method {
            "ack" => json!({ "seq": 1 }),
            // Whoever leaves cannot acknowledge after.
            "unsubscribe" => continue,
            _ => json!({}),
        };
        let got = client.call(method, params).unwrap();
        assert_eq!(shape(&got), shape(&of("Answer", method)[0]["result"]), "{method}");
    }
    let got = client.call("unsubscribe", json!({})).unwrap();
    assert_eq!(shape(&got), shape(&of("Answer", "unsubscribe")[0]["result"]));
    let mut raw = rig.raw();
    raw.send(r#"{"jsonrpc":"2.0","id":7,"method":"hello","params":{"protocol":2}}"#);
    assert_eq!(shape(&raw.line().unwrap()), shape(&of("Error", "")[0]));
}

#[test]
fn every_event_has_the_shape_of_its_example() {
    let file = file();
    let printer = PrinterName::new("desk").unwrap();
    let state = RawValue::from_string(
        r#"{"readers":[{"reader":"x","state":"reading"}],"store":{"second_copy":"one_disk_only","state":"open"},"vault":"open"}"#.into(),
    )
    .unwrap();
    let nil = uuid::Uuid::nil();
    let (visit, card, customer, job) = (VisitId(nil), CardId(nil), CustomerNumber(nil), JobId(nil));
    let (file, repeat_of) = (to_raw_value(&file).unwrap(), Some(visit));
    let events = [
        (0, true, Event::Identified { visit, card: Some(card), file: &file, repaired: true, repeat_of }),
        (0, true, Event::Unknown { repeat_of: Some(12) }),
        (0, true, Event::Unavailable { repeat_of: None }),
        (0, true, Event::Blocked { customer, card, status: "BLOCKED", reason: "LOST", repeat_of: None }),
        (
            0,
            true,
            Event::Scan {
                data: b"01\x1d21",
                aim: Some(*b"]d2"),
                scan_data_type: "SCAN_SDT_EAN13",
                repeat_of: Some(1),
            },
        ),
        (
            1,
            true,
            Event::Scan { data: b"\x00\xff", aim: None, scan_data_type: "SCAN_SDT_QRCODE", repeat_of: None },
        ),
        (0, true, Event::Rejected(Rejection::PaymentCard)),
        (
            0,
            false,
            Event::Job { job, printer: &printer, state: "failed", reason: Some("paper_out"), omitted: &[] },
        ),
        (1, false, Event::Job { job, printer: &printer, state: "printed", reason: None, omitted: &["name"] }),
        (0, false, Event::State(&state)),
    ];
    let (stream, till, at) = (StreamId(uuid::Uuid::nil()), register("till-1"), Timestamp(0));
    let reader = ReaderName::new("usb:0c2e:0b81:1").unwrap();
    for (which, read, event) in events {
        let ctx = Context { reader: read.then_some(&reader), lifetime: Duration::from_secs(30) };
        let line = wire::event(&event, ctx, Stamp { stream, seq: 1, register: &till, at });
        let got: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(shape(&got), shape(&of("Event", event.name())[which]), "{}", event.name());
    }
    let counted = Missed::Counted { count: 1, from_seq: 1, to_seq: 1 };
    for (which, missed) in [(0, counted), (1, Missed::OtherStream)] {
        let got: Value = serde_json::from_slice(&wire::missed(missed, stream, &till, at)).unwrap();
        assert_eq!(shape(&got), shape(&of("Event", "missed")[which]));
    }
    for event in EVENT_TYPES {
        of("Event", event);
    }
}

#[test]
fn the_end_of_a_subscription_has_the_shape_of_its_example() {
    let rig = Rig::new(&["till-1"]);
    let mut client = rig.subscribed("till-1");
    rig.hub.reload(super::rig::policy(&[]));
    assert_eq!(shape(&event(&mut client)), shape(&of("Event", "state")[1]["params"]));
}

#[test]
fn every_reason_is_listed() {
    let rejections = [
        Rejection::TooLong,
        Rejection::ShortReport,
        Rejection::Incomplete,
        Rejection::KeysLost,
        Rejection::UnknownKey,
        Rejection::BadParity,
        Rejection::BadLrc,
        Rejection::NotDecoded,
        Rejection::BadCheck,
        Rejection::PaymentCard,
    ];
    for rejection in rejections {
        assert!(PROTOCOL.contains(&format!("`{}`", rejection.word())), "{rejection:?}");
    }
    let codes = [
        RefusalCode::NotJson,
        RefusalCode::InvalidRequest,
        RefusalCode::UnknownMethod,
        RefusalCode::InvalidParams,
        RefusalCode::Internal,
        RefusalCode::Forbidden,
        RefusalCode::NotFound,
        RefusalCode::Conflict,
        RefusalCode::Busy,
        RefusalCode::ReadOnly,
        RefusalCode::Locked,
    ];
    for code in codes {
        assert!(PROTOCOL.contains(&format!("\n| {} | `{}` |", code.number(), code.word())), "{code:?}");
    }
}

fn file() -> CustomerFile {
    CustomerFile {
        holder: None,
        customer: fichad::domain::id::CustomerNumber(uuid::Uuid::nil()),
        name: Some("Ms Example".into()),
        vault_locked: false,
        level: Some("Silver".into()),
        class: Some("Best".to_owned()),
        points: 1,
        points_held: 0,
        points_owed: 0,
        points_expiring: Some(PointsExpiring { points: 1, at: "2027-01-31T23:00:00.000000Z".into() }),
        issues_open: 1,
        issues: vec![IssueLine {
            issue: fichad::domain::id::IssueId(uuid::Uuid::nil()),
            kind: "WARRANTY".into(),
            state: "NEW".into(),
            model: Some("KX".into()),
            opened_at: "2026-09-14T09:30:00.000000Z".into(),
            age_days: 7,
            due_at: Some("2026-09-22T12:30:00.000000Z".into()),
            colour: Some("AMBER".into()),
            hint: Some("on its way".into()),
        }],
        preferences: vec!["no paper receipt".into()],
        plans: vec![PlanLine {
            plan: uuid::Uuid::nil(),
            category: Some("kitchen".into()),
            gtin: None,
            to: "2026-12-24".parse().unwrap(),
            budget: Some(Money { minor: 1, currency: "EUR".parse().unwrap() }.into()),
        }],
        consents_due: vec![ConsentDue { purpose: "OFFERS".into(), channels: vec!["EMAIL".into()] }],
    }
}
