//! `ficha devices`: readers and printers in one table.

use super::ask::Asker;
use super::say::{NOTHING, at, get, plain, rows, table};
use serde_json::{Value, json};

/// Asks for readers and printers, and shows both.
pub(super) fn run(asker: &Asker) -> anyhow::Result<()> {
    let mut client = asker.connect()?;
    let (readers, printers) =
        (client.call("reader.list", json!({}))?, client.call("printer.list", json!({}))?);
    let both = json!({ "readers": get(&readers, "readers"), "printers": get(&printers, "printers") });
    asker.say(&both, shown)
}

fn shown(both: &Value) -> String {
    let (readers, printers) = (rows(both, "/readers"), rows(both, "/printers"));
    if readers.is_empty() && printers.is_empty() {
        return "no readers and no printers: add a `[[serial]]` or a `[[printer]]` to the config\n\
                \x20 ficha doctor   says what is wrong here, and what mends it\n\
                \x20 ficha demo     shows what it is like, without any hardware"
            .to_owned();
    }
    let reader = |reader: &Value| {
        [at(reader, "/reader"), kind(reader), plain(&at(reader, "/state")), at(reader, "/register")]
    };
    let printer = |printer: &Value| {
        let condition = plain(&at(printer, "/condition"));
        [at(printer, "/printer"), "printer".to_owned(), condition, NOTHING.to_owned()]
    };
    let table = table(
        ["IDENTITY", "KIND", "STATE", "ROUTE"],
        readers.iter().map(reader).chain(printers.iter().map(printer)),
    );
    let of_reader = |reader: &Value| (at(reader, "/reader"), reader_advice(reader));
    let of_printer =
        |printer: &Value| (at(printer, "/printer"), advice(&at(printer, "/condition")).to_owned());
    let advice = readers.iter().map(of_reader).chain(printers.iter().map(of_printer));
    let lines: String =
        advice.filter(|(_, what)| what != NOTHING).map(|(name, what)| format!("\n{name}: {what}")).collect();
    if lines.is_empty() { table } else { format!("{table}\n{lines}") }
}

/// What a reader is, for people.
pub(super) fn kind(reader: &Value) -> String {
    match get(reader, "class").as_str() {
        Some("hidpos") => "HID POS scanner".to_owned(),
        Some("msr") => "magstripe reader".to_owned(),
        Some(class) => class.to_owned(),
        None => "serial".to_owned(),
    }
}

/// What to do about a reader: why it is not read, how it gets its permission, or how it becomes ours.
fn reader_advice(reader: &Value) -> String {
    let of_family = at(reader, "/advice");
    let what = match get(reader, "state").as_str() {
        Some("away") => at(reader, "/why"),
        Some("candidate") if get(reader, "taken_by_itself") == &json!(true) => {
            "no permission yet: `ficha doctor` has the command that gives it".to_owned()
        }
        Some("candidate") => format!("yours? `ficha identify --adopt {}`", at(reader, "/reader")),
        _ => NOTHING.to_owned(),
    };
    match (what.as_str(), of_family.as_str()) {
        (_, NOTHING) => what,
        (NOTHING, _) => of_family,
        _ => format!("{what}; {of_family}"),
    }
}

/// What to do about a printer's condition, which is a word of `print::queue`, perhaps with a reason after a colon.
pub(super) fn advice(condition: &str) -> &'static str {
    match condition.split(':').next().unwrap_or_default() {
        "ready" => NOTHING,
        "unknown" => "it has said nothing yet: print a card, and look at the paper",
        "paper_out" => "put in a new roll",
        "paper_near_end" => "have a new roll ready",
        "cover_open" => "close the cover",
        "offline" => "press its feed or on-line button, or switch it off and on",
        "error" => "look for jammed paper, then switch it off and on",
        "gone" => "switch it on; check cable and address",
        "busy" => {
            "as of the last try: it was off or printing for another program; switch it on, end that program, then print again"
        }
        _ => "look at it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::print::queue::PrinterCondition as Condition;

    #[test]
    fn both_kinds_stand_in_one_table() {
        let text = shown(&json!({
            "readers": [
                { "reader": "usb:0c2e:0b81:1", "state": "reading", "register": "till-1" },
                { "reader": "port:x", "state": "away", "why": "no such device; plug it in" },
            ],
            "printers": [{ "printer": "desk", "condition": "paper_out" }],
        }));
        for part in ["usb:0c2e:0b81:1", "till-1", "plug it in", "desk", "put in a new roll"] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        let nothing = shown(&json!({ "readers": [], "printers": [] }));
        assert!(nothing.contains("ficha doctor") && nothing.contains("ficha demo"));
    }

    #[test]
    fn there_is_advice_for_every_condition() {
        for condition in [
            Condition::Unknown,
            Condition::PaperOut,
            Condition::PaperNearEnd,
            Condition::CoverOpen,
            Condition::Offline,
            Condition::Error,
            Condition::Gone,
            Condition::Busy,
        ] {
            assert!(!["look at it", NOTHING].contains(&advice(condition.word())), "{}", condition.word());
        }
        assert_eq!(advice(Condition::Ready.word()), NOTHING);
        assert_eq!(advice("gone: connection refused"), advice("gone"));
    }
}
