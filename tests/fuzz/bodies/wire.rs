//! A peer that sends any line, and a scan of the same bytes.

use base64::Engine;
use fichad::domain::id::{RegisterName, StreamId};
use fichad::domain::refusal::RefusalCode;
use fichad::domain::time::Timestamp;
use fichad::push::wire::{self, Call, Context, Event, Stamp};
use serde_json::Value;
use std::time::Duration;

/// Asserts what the wire promises of any bytes, as a line from a peer and as a scan.
pub(crate) fn run(bytes: &[u8]) {
    match wire::parse(bytes) {
        Ok(request) => {
            // What was understood, written again, is understood the same.
            let (method, params) = (&*request.method, request.params);
            // As text: a number may be larger than any type that could hold it on the way.
            let id = request.id.map_or("null", |id| id.get());
            let named = serde_json::to_string(method).unwrap();
            let with = params.map(|params| format!(",\"params\":{}", params.get())).unwrap_or_default();
            let again = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":{named}{with}}}");
            assert_eq!(wire::parse(again.as_bytes()).unwrap().method, method);
            if let Some(Err(refusal)) = Call::parse(method, params) {
                one_line(&wire::refusal(request.id, &refusal));
            }
        }
        Err(bad) => {
            assert!(matches!(bad.refusal.code, RefusalCode::NotJson | RefusalCode::InvalidRequest));
            one_line(&wire::refusal(bad.id, &bad.refusal));
        }
    }
    let register = RegisterName::new("till-1").unwrap();
    let stamp = Stamp { stream: StreamId(uuid::Uuid::nil()), seq: 1, register: &register, at: Timestamp(0) };
    let scan = Event::Scan { data: bytes, aim: None, scan_data_type: "SCAN_SDT_UNKNOWN", repeat_of: None };
    let got = one_line(&wire::event(&scan, Context { reader: None, lifetime: Duration::ZERO }, stamp));
    let params = &got["params"];
    // What was scanned comes out whole, one way or the other, and never in a form that a terminal obeys.
    let data = match params["scan_data"].as_str() {
        Some(text) => {
            assert!(
                !text.contains('\u{1b}')
                    && !params["scan_data_label"].as_str().unwrap().contains(char::is_control)
            );
            text.as_bytes().to_vec()
        }
        None => {
            let base64 = params["scan_data_base64"].as_str().unwrap();
            base64::engine::general_purpose::STANDARD.decode(base64).unwrap()
        }
    };
    assert_eq!(data, bytes);
}

/// The line as JSON; it must be one.
pub(crate) fn one_line(line: &[u8]) -> Value {
    let end = line.iter().position(|byte| *byte == b'\n');
    assert_eq!(end.map(|at| at.saturating_add(1)), Some(line.len()));
    serde_json::from_slice(line).unwrap()
}
