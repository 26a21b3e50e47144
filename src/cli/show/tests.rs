//! The page out of answers as a daemon gave them: those of PROTOCOL.md, which are played against it, and some for what these lack.

use super::parts::{self, Answers, page};
use super::why_left_out;
use crate::push::client::ClientError;
use jiff::tz::TimeZone;
use ratatui::text::Span;
use serde_json::{Value, json};

/// The first answer to a method in PROTOCOL.md.
fn recorded(method: &str) -> Value {
    let heading = format!("#### Answer: `{method}`\n");
    let protocol = include_str!("../../push/PROTOCOL.md");
    let (_, behind) = protocol.split_once(&heading).unwrap();
    let example = behind.split("```").nth(1).unwrap().trim_start_matches("json");
    let mut answer: Value = serde_json::from_str(example).unwrap();
    answer["result"].take()
}

fn answers() -> Answers {
    Answers {
        whole: Some(recorded("customer.show")),
        points: Some(json!({ "customer": "c-1", "available": 200, "held": 50, "debt": 0,
            "expiring": { "points": 30, "at": "2026-12-01T12:00:00Z" } })),
        level: Some(recorded("customer.level")),
        worth: Some(recorded("customer.worth")),
        issues: Some(recorded("issue.list")),
        sales: Some(recorded("sale.list")),
        ..Answers::default()
    }
}

fn shown(answers: &Answers, width: usize) -> String {
    let text = page(answers, width, &TimeZone::UTC).written(false);
    for line in text.lines() {
        assert!(Span::raw(line).width() <= width, "wider than {width}: {line}");
        assert_eq!(line, line.trim_end(), "spaces at the end");
    }
    text
}

const WHOLE: &str = "\
Ana Example
0e4a1f6c-53b2-4f0e-9a51-6de2b8a1c9f7
customer since 2026-09-14; 1 visit, the last on 2026-09-14

Contact
  +34600555012, cell
  ana@example.org
  speaks es

Points and level
  200 points available, 50 held, 30 expire on 2026-12-01
  level Silver, 375.81 EUR more for Gold
  class Standard, worth 126.19 EUR since 2025-11

Open issues: 1
  warranty KX-200, in progress, for 1 day in time: due 2026-09-18 15:30
    ready on Friday
    01992d2b-0000-7000-8000-000000000001

Purchases
  2 sales, 125.69 EUR in all
  2026-09-21  till-1 000418    3.00 EUR
  2026-09-21  till-1 000417  122.69 EUR

Plans to buy
  kitchen until 2026-12-24, for 300.00 EUR

Preferences
  receipt: none on paper (2026-09-21, form)

Consents
  offers by email: yes, since 2026-09-21; to be asked again by 2028-09-21
  offers by sms: no, withdrawn on 2026-09-21

Cards
  QR, replaced (damaged), issued 2026-09-14 6f0e7a52-9d1c-4f44-8a38-0b3c0f6d8e21

Last contacts
  2026-09-21 was told by email: offers, AUTUMN-26, mixers; opened
  2026-09-21 came by in store

Notes
- asked to be called before we deliver
";

#[test]
fn a_customer_is_one_page_of_80_columns() {
    assert_eq!(shown(&answers(), 80), WHOLE);
}

#[test]
fn the_same_page_fits_60_columns() {
    let text = shown(&answers(), 60);
    for part in [
        "  warranty KX-200, in progress, for 1 day in time: due\n    2026-09-18 15:30\n    ready on Friday\n",
        "    01992d2b-0000-7000-8000-000000000001\n",
        "  2026-09-21  till-1 000417  122.69 EUR\n",
        "  QR, replaced (damaged), issued 2026-09-14\n    6f0e7a52-9d1c-4f44-8a38-0b3c0f6d8e21\n",
        "  offers by email: yes, since 2026-09-21; to be asked again\n    by 2028-09-21\n",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    shown(&answers(), 40);
}

#[test]
fn what_a_register_is_not_told_is_left_out_and_said_in_one_line() {
    let why = |method: &'static str| (method, "not for this user".to_owned());
    let answers = Answers {
        whole: None,
        worth: None,
        points: Some(recorded("points.show")),
        plans: Some(recorded("plan.list")),
        cards: Some(recorded("card.list")),
        left_out: vec![why("customer.show"), why("customer.worth")],
        ..answers()
    };
    let text = shown(&answers, 80);
    assert!(text.starts_with("A customer\n0e4a1f6c-53b2-4f0e-9a51-6de2b8a1c9f7\n\nPoints"), "{text}");
    assert!(text.contains("200 points available\n") && text.contains("kitchen until 2026-12-24"), "{text}");
    assert!(!text.contains("4006381333931"), "a plan that is closed: {text}");
    let line = "6f0e7a52-9d1c-4f44-8a38-0b3c0f6d8e21\n\nLeft out: customer.show (not for this user), customer.worth (not for this user)\n";
    assert!(text.ends_with(line), "{text}");
    for section in ["Contact", "Consents", "Preferences", "Notes", "class"] {
        assert!(!text.contains(section), "{section} is in\n{text}");
    }
}

#[test]
fn a_new_customer_has_no_empty_sections_and_nothing_reaches_the_terminal_as_a_control() {
    let whole = json!({
        "file": { "customer": "c-1", "name": "M\u{1b}[2J", "points": 0, "issues_open": 0, "issues": [], "preferences": [] },
        "person": { "givenName": "María", "birthPlace": "Lugo\u{7}" }, "notes": ["first\nsecond\u{1b}"], "cards": [],
        "enrolled_at": "2026-09-14T08:59:00Z", "visits": 0, "last_visit_at": null,
        "bought": { "sales": 0, "last_at": null, "turnover": [] },
    });
    let worth = json!({ "objects": true, "value": null });
    let answers = Answers { whole: Some(whole), worth: Some(worth), ..Answers::default() };
    let expected = "M\\u{1b}[2J\nMaría\nc-1\ncustomer since 2026-09-14\n\nPoints and level\n  objects to profiling: no service class\n\n\
        Person\n  birth place: Lugo\\u{7}\n\nNotes\n- first\n  second\\u{1b}\n";
    assert_eq!(shown(&answers, 80), expected);
}

#[test]
fn names_of_fields_are_shown_as_words() {
    for (name, words) in [("birthPlace", "birth place"), ("taxID", "tax ID"), ("gender", "gender")] {
        assert_eq!(parts::spaced(name), words);
    }
}

#[test]
fn a_deadline_has_its_colour_on_a_terminal_and_its_word_everywhere() {
    let colours = [("RED", "OVERDUE", "31"), ("AMBER", "soon", "33"), ("GREEN", "in", "32")];
    for (colour, word, code) in colours {
        let mut answers = answers();
        answers.issues.as_mut().unwrap()["issues"][2]["deadline"]["colour"] = colour.into();
        assert!(shown(&answers, 80).contains(&format!("day {word}")));
        let coloured = page(&answers, 80, &TimeZone::UTC).written(true);
        assert!(coloured.contains(&format!("\u{1b}[{code}m{word}")), "{coloured}");
        assert!(coloured.contains("\u{1b}[1mAna Example\u{1b}[0m\n"), "{coloured}");
    }
}

#[test]
fn only_what_is_not_for_the_user_or_locked_away_is_passed_over() {
    let why = |reason: &str| {
        let error =
            ClientError::Refused { code: -1, reason: reason.to_owned(), message: String::new(), field: None };
        why_left_out(&error.into())
    };
    assert_eq!(why("forbidden"), Some("not for this user"));
    assert_eq!(why("vault_locked"), Some("the vault is locked"));
    assert_eq!(why("not_found"), None);
    assert_eq!(why_left_out(&ClientError::Closed.into()), None);
}

#[test]
fn why_the_file_is_as_it_is_fits_80_and_60_columns() {
    let mut answer = recorded("file.explain");
    answer["file"] = recorded("customer.show")["file"].take();
    answer["issues"] = json!([{ "issue": "i-1", "severity": "S3", "deadline": "RESOLUTION", "counted_from": "2026-09-14T09:30:00Z",
        "soon_from": "2026-09-17T12:00:00Z", "paused_at": null, "pauses": [], "calendar": "Europe/Madrid" }]);
    answer["plans"] = recorded("plan.list")["plans"].take();
    answer["consents_due"] = json!([{ "purpose": "OFFERS", "channel": "SMS", "why": "ASK_AGAIN", "since": "2026-09-01T12:00:00Z" }]);
    answer["holders"] = json!([{ "card": "c-1", "holder": "Luis", "kept_under": "n-1" }]);
    for width in [80, 60] {
        let text = super::why::page(&answer, width, &TimeZone::UTC).written(false);
        assert!(text.lines().all(|line| Span::raw(line).width() <= width), "{text}");
        for part in [
            "Ana Example\n",
            "givenName, familyName of",
            "Luis for card c-1",
            "200, never expiring",
            "counted 124.19 EUR since 2025-11",
            "2026-09  124.19 EUR\n",
            "Gold",
            "worth 126.19 EUR since 2025-11",
            "-20.00 EUR\n",
            "Europe/Madrid",
            "receipt: none on paper",
            "offers by sms: the answer was good until 2026-09-01",
            "kitchen until 2026-12-24",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
    answer["name"]["fields"] = Value::Null;
    let text = super::why::page(&answer, 80, &TimeZone::UTC).written(false);
    assert!(text.contains("as it was put together when 0e4a1f6c"), "{text}");
}
