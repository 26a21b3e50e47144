//! What is not a good request: told what is wrong, and the connection lives, except after a line that is too long.

use super::rig::{Rig, until};
use fichad::push::wire::REQUEST_BYTES_MAX;
use fichad::push::{SESSIONS_PER_USER_MAX, client::Client, client::ClientError};
use serde_json::json;
use std::io::Write;
use std::time::Duration;

#[test]
fn every_fault_is_named_and_the_connection_lives() {
    let rig = Rig::new(&["till-1", "till-2"]);
    let mut raw = rig.raw();
    let request = |rest: &str| format!(r#"{{"jsonrpc":"2.0","id":1,{rest}}}"#);
    let cases = [
        ("GET / HTTP/1.1".to_owned(), -32700, "not_json", None),
        ("\u{0}\u{1}".to_owned(), -32700, "not_json", None),
        ("{\"jsonrpc\":\"2.0\",\"id\":1".to_owned(), -32700, "not_json", None),
        ("7".to_owned(), -32600, "invalid_request", None),
        ("[]".to_owned(), -32600, "invalid_request", None),
        (r#"{"id":1,"method":"ping"}"#.to_owned(), -32600, "invalid_request", Some("jsonrpc")),
        (request(r#""method":7"#), -32600, "invalid_request", Some("method")),
        (request(r#""method":"ping","params":[1]"#), -32600, "invalid_request", Some("params")),
        (request(r#""method":"sell""#), -32601, "unknown_method", None),
        (request(r#""method":"ping","params":{"x":1}"#), -32602, "invalid_params", Some("x")),
        (request(r#""method":"hello","params":{"protocol":9}"#), -32602, "invalid_params", Some("protocol")),
        (request(r#""method":"subscribe""#), -32602, "invalid_params", Some("register")),
        (
            request(r#""method":"subscribe","params":{"register":"till-9"}"#),
            -32002,
            "not_found",
            Some("register"),
        ),
        (
            request(r#""method":"subscribe","params":{"register":"till-1","after":{"seq":1}}"#),
            -32602,
            "invalid_params",
            Some("after.stream"),
        ),
        (request(r#""method":"ack","params":{"seq":1}"#), -32003, "conflict", None),
        (request(r#""method":"ack","params":{"seq":"1"}"#), -32602, "invalid_params", Some("seq")),
    ];
    for (line, code, reason, field) in cases {
        raw.send(&line);
        let error = raw.line().unwrap()["error"].clone();
        let mut want = json!({ "code": code, "message": error["message"], "data": { "reason": reason } });
        if let Some(field) = field {
            want["data"]["field"] = field.into();
        }
        assert_eq!(error, want, "{line}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{line}");
    }
    // Empty lines and notifications, good or bad, are not answered.
    raw.send("\r\n\n{\"jsonrpc\":\"2.0\",\"method\":\"sell\"}\n{\"jsonrpc\":\"2.0\",\"method\":\"ack\"}");
    raw.send(&request(r#""method":"ping""#));
    assert_eq!(raw.line().unwrap(), json!({ "jsonrpc": "2.0", "id": 1, "result": {} }));
    let stats = rig.hub.stats();
    assert_eq!((stats.requests_bad, stats.requests), (8, 11));
}

#[test]
fn after_a_line_of_a_mebibyte_the_connection_is_closed() {
    let rig = Rig::new(&["till-1"]);
    let mut raw = rig.raw();
    // The server stops reading after its limit, so not all of it need go through.
    let sent = raw.stream.write_all(&vec![b' '; 1024 * 1024]);
    let error = raw.line().unwrap()["error"].clone();
    assert_eq!(error["data"]["reason"], "invalid_request");
    assert!(error["message"].as_str().unwrap().contains("65536"));
    assert_eq!(raw.line(), None);
    drop(sent);
    until("it is counted", || rig.hub.stats().sessions_too_long == 1);
    // One that just fits is taken.
    let mut raw = rig.raw();
    let head = r#"{"jsonrpc":"2.0","id":1,"method":"ping""#;
    raw.send(&format!("{head}{}}}", " ".repeat(REQUEST_BYTES_MAX - head.len() - 1)));
    assert_eq!(raw.line().unwrap()["result"], json!({}));
}

#[test]
fn too_many_connections_are_told_so() {
    let rig = Rig::new(&["till-1"]);
    let mut taken: Vec<Client> = (0..SESSIONS_PER_USER_MAX).map(|_| rig.client()).collect();
    for client in &mut taken {
        client.call("ping", json!({})).unwrap();
    }
    let mut one_more = rig.client();
    let refused = one_more.next_event(Duration::from_secs(20)).unwrap_err();
    assert!(matches!(refused, ClientError::Refused { reason, .. } if reason == "busy"));
    taken.pop();
    until("a seat is free", || rig.hub.sessions() < SESSIONS_PER_USER_MAX);
    rig.client().call("ping", json!({})).unwrap();
}

#[test]
fn an_answer_that_is_too_long_becomes_an_error() {
    let rig = Rig::new(&["till-1"]);
    let mut client = rig.client();
    let error = client.call("long", json!({ "x": "y".repeat(300) })).unwrap_err();
    assert!(matches!(error, ClientError::Refused { reason, .. } if reason == "invalid_params"));
    client.call("ping", json!({})).unwrap();
}
