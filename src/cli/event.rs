//! An event in one line for people. Pure; what comes out holds no control characters.

use super::say::{NOTHING, at, get, rows, safe, time_of_day};
use serde_json::Value;

/// Time of day, register, type and what happened.
pub(super) fn line(event: &Value) -> String {
    let text = format!(
        "{} {:<12} {:<11} {}",
        time_of_day(&at(event, "/at")),
        at(event, "/register"),
        at(event, "/type"),
        short(event)
    );
    safe(text.trim_end()).into_owned()
}

/// What happened, in a few words.
pub(super) fn short(event: &Value) -> String {
    let text = |field: &str| at(event, field);
    let said = match get(event, "type").as_str().unwrap_or_default() {
        "identified" => identified(event),
        "unknown" => "a code of ours that leads to nobody".to_owned(),
        "unavailable" => "a card; the store cannot be asked now".to_owned(),
        "blocked" => format!("card of {} is {} ({})", text("/customer"), text("/status"), text("/reason")),
        "scan" => scan(event),
        "rejected" => format!("read and refused: {}", text("/reason")),
        "job" => job(event),
        "state" => event.get("state").map(state).unwrap_or_default(),
        "missed" if *get(event, "other_stream") == true => {
            "something, before the daemon was started anew".to_owned()
        }
        "missed" => format!("{} events, too old to show", text("/count")),
        _ => String::new(),
    };
    safe(&said).into_owned()
}

fn job(event: &Value) -> String {
    let said =
        with_reason(format!("{} {}", at(event, "/printer"), at(event, "/state")), &at(event, "/reason"));
    let omitted = omitted(event);
    if omitted == NOTHING { said } else { format!("{said}, without the {omitted}") }
}

/// The texts that the paper of a job lacks.
pub(super) fn omitted(job: &Value) -> String {
    let texts: Vec<&str> = rows(job, "/omitted").iter().filter_map(Value::as_str).collect();
    if texts.is_empty() { NOTHING.to_owned() } else { texts.join(" and the ") }
}

fn with_reason(text: String, reason: &str) -> String {
    if reason == NOTHING { text } else { format!("{text}: {reason}") }
}

fn identified(event: &Value) -> String {
    let name = match event.pointer("/file/name").and_then(Value::as_str) {
        Some(name) => name.to_owned(),
        None => at(event, "/file/customer"),
    };
    let mut parts = vec![name];
    match event.pointer("/file/issues_open").and_then(Value::as_u64) {
        None | Some(0) => {}
        Some(1) => parts.push("1 open issue".to_owned()),
        Some(count) => parts.push(format!("{count} open issues")),
    }
    if *get(event, "repaired") == true {
        parts.push("code repaired: confirm the name".to_owned());
    }
    if event.get("repeat_of").is_some() {
        parts.push("again".to_owned());
    }
    parts.join(", ")
}

fn scan(event: &Value) -> String {
    let data = match get(event, "scan_data").as_str() {
        Some(data) => data.to_owned(),
        None => format!("base64:{}", at(event, "/scan_data_base64")),
    };
    let kind = at(event, "/scan_data_type");
    let kind = kind.strip_prefix("SCAN_SDT_").unwrap_or(&kind);
    let again = if event.get("repeat_of").is_some() { ", again" } else { "" };
    format!("{data} ({kind}{again})")
}

/// The parts of a state, each with its word.
pub(super) fn state(state: &Value) -> String {
    let Some(parts) = state.as_object() else { return String::new() };
    let part = |(name, value): (&String, &Value)| match value {
        Value::Object(_) => format!("{name} {}", with_reason(at(value, "/state"), &at(value, "/why"))),
        Value::Array(_) => {
            let list = rows(state, &format!("/{name}"));
            let away = list.iter().filter(|row| *get(row, "state") == "away").count();
            let away = if away == 0 { String::new() } else { format!(", {away} away") };
            format!("{name} {}{away}", list.len())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            format!("{name} {}", at(state, &format!("/{name}")))
        }
    };
    parts.iter().map(part).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(event: Value, wanted: &str) {
        assert_eq!(short(&event), wanted);
    }

    #[test]
    fn every_type_has_its_words() {
        check(
            json!({ "type": "identified", "file": { "name": "María", "issues_open": 1 }, "repaired": true, "repeat_of": "v" }),
            "María, 1 open issue, code repaired: confirm the name, again",
        );
        check(
            json!({ "type": "identified", "file": { "customer": "c", "name": null, "issues_open": 0 } }),
            "c",
        );
        check(
            json!({ "type": "scan", "scan_data": "0104\u{1d}21\u{1b}[2J", "scan_data_type": "SCAN_SDT_EAN128" }),
            "0104\\u{1d}21\\u{1b}[2J (EAN128)",
        );
        check(
            json!({ "type": "scan", "scan_data_base64": "AA==", "scan_data_type": "X", "repeat_of": 3 }),
            "base64:AA== (X, again)",
        );
        check(
            json!({ "type": "job", "printer": "desk", "state": "failed", "reason": "paper_out" }),
            "desk failed: paper_out",
        );
        check(json!({ "type": "job", "printer": "desk", "state": "printed" }), "desk printed");
        check(
            json!({ "type": "job", "printer": "desk", "state": "printed", "omitted": ["title", "name"] }),
            "desk printed, without the title and the name",
        );
        check(
            json!({ "type": "state", "state": { "store": { "state": "failed", "why": "no disk" }, "vault": "open",
                "readers": [{ "state": "away" }, { "state": "reading" }] } }),
            "readers 2, 1 away; store failed: no disk; vault open",
        );
        check(json!({ "type": "missed", "count": 2 }), "2 events, too old to show");
        check(json!({ "type": "later" }), "");
    }

    #[test]
    fn no_type_is_forgotten() {
        for kind in crate::push::wire::EVENT_TYPES {
            let event = json!({ "type": kind, "file": { "name": "a" }, "state": { "a": "b" } });
            assert!(!short(&event).is_empty(), "{kind}");
        }
    }

    #[test]
    fn a_line_holds_no_control() {
        let event = json!({ "type": "scan", "register": "till-1", "at": "\u{1b}c", "scan_data": "a\nb\r", "scan_data_type": "\u{9b}" });
        let line = line(&event);
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}
