//! `ficha status`.

use super::ask::Asker;
use super::say::{NOTHING, at, plain, rows, table};
use serde_json::{Value, json};

/// Asks how everything is, and shows it.
pub(super) fn run(asker: &Asker) -> anyhow::Result<()> {
    asker.tell("status", json!({}), shown)
}

fn shown(status: &Value) -> String {
    let mut lines = vec![
        ["store".to_owned(), at(status, "/store/state"), at(status, "/store/why")],
        ["second copy".to_owned(), at(status, "/store/second_copy"), at(status, "/store/second_copy_why")],
        ["vault".to_owned(), at(status, "/vault"), NOTHING.to_owned()],
    ];
    if status.pointer("/store/views").is_some() {
        lines.push(["views".to_owned(), at(status, "/store/views"), at(status, "/store/views_why")]);
    }
    if status.pointer("/store/progress").is_some() {
        let [half, done, of] =
            ["half", "records", "of"].map(|field| at(status, &format!("/store/progress/{field}")));
        lines.push([
            format!("views of the {half} half"),
            "being built".to_owned(),
            format!("{done} of {of} records"),
        ]);
    }
    if status.get("keys").is_some() {
        let (state, why) = (at(status, "/keys/second_copy"), at(status, "/keys/why"));
        lines.push(["second copy of the keys".to_owned(), state, why]);
    }
    if status.get("typist").is_some() {
        lines.push(["typist".to_owned(), at(status, "/typist/state"), at(status, "/typist/why")]);
    }
    for reader in rows(status, "/readers") {
        lines.push([format!("reader {}", at(reader, "/reader")), at(reader, "/state"), at(reader, "/why")]);
    }
    for printer in rows(status, "/printers") {
        let condition = at(printer, "/condition");
        let (word, why) = condition.split_once(": ").unwrap_or((&condition, NOTHING));
        lines.push([format!("printer {}", at(printer, "/printer")), word.to_owned(), why.to_owned()]);
    }
    table(["PART", "STATE", "WHY"], lines.into_iter().map(|[part, state, why]| [part, plain(&state), why]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_its_line() {
        let text = shown(&json!({
            "store": { "state": "read_only", "why": "disk full", "last_seq": 7, "views": "rebuilding", "views_why": "a block",
                "progress": { "half": "neutral", "records": 3, "of": 9 } }, "vault": "open",
            "keys": { "second_copy": "pending", "why": "not mounted", "erasures": 0 },
            "typist": { "state": "away", "why": "no uinput" },
            "readers": [{ "reader": "r-1", "state": "reading" }],
            "printers": [{ "printer": "desk", "condition": "gone: refused" }],
        }));
        assert_eq!(text.lines().count(), 10, "{text}");
        for part in ["disk full", "a block", "3 of 9 records", "not mounted", "no uinput", "r-1", "refused"] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
}
