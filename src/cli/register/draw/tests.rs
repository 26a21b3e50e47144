//! What stands on screens of several sizes.

use super::super::form::Press;
use super::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::json;

const NOW: i64 = 1_790_000_000_000_000;

fn screen(model: &Model) -> Vec<String> {
    screen_of(model, 80, 24)
}

fn screen_of(model: &Model, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, model, NOW)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..height).map(line).collect()
}

fn model() -> Model {
    let mut model = Model::new("till-1");
    let states = json!({ "store": { "state": "open" }, "vault": "open", "readers": [{ "state": "away" }] });
    model.connected(&json!({ "states": states }), &json!({ "register": "till-1" }));
    model
}

fn with_customer() -> Model {
    let mut model = model();
    model.event(&json!({
        "type": "identified", "stream": "s", "seq": 1, "visit": "v", "register": "till-1",
        "at": "2026-09-21T14:13:20Z", "repaired": true,
        "file": {
            "customer": "c-1", "name": "María \u{1b}[2JGarcía", "level": "Silver", "class": "Best", "points": 1240, "issues_open": 1,
            "issues": [{ "kind": "WARRANTY", "state": "NEW", "model": "KX-200", "opened_at": "2026-09-14T09:30:00Z",
                "colour": "RED", "hint": "ready to collect" }],
            "preferences": ["receipt: none"],
            "plans": [{ "plan": "p", "category": "kitchen", "to": "2026-12-24" }],
            "consents_due": [{ "purpose": "OFFERS", "channels": ["EMAIL", "SMS"] }],
        },
    }));
    model
}

#[test]
fn a_whole_file_fits_the_smallest_screen() {
    let screen = screen(&with_customer());
    assert_eq!(screen[0], " Ficha  till-1 connected");
    assert_eq!(
        screen[3..12],
        [
            "  María \\u{1b}[2JGarcía",
            "  The code was damaged and repaired: let the customer confirm the name.",
            "  Level Silver  Class Best  Points 1240",
            "  Prefers receipt: none",
            "",
            "  Open issues: 1",
            "  WARRANTY NEW KX-200, 7 days, overdue: ready to collect",
            "  Plans kitchen until 2026-12-24",
            "  Ask for OFFERS by EMAIL, SMS",
        ]
    );
    assert!(screen[13].contains("Events: 1 not seen yet"), "{}", screen[13]);
    assert!(screen[14].contains("identified"), "{}", screen[14]);
    assert_eq!(screen[21], " readers 1, 1 away; store open; vault open");
    assert!(screen[23].starts_with(" e enrol  f find") && screen[23].ends_with("q quit"));
}

#[test]
fn a_small_screen_shows_what_matters() {
    let mut model = with_customer();
    let text = screen_of(&model, 40, 20).join("\n");
    for part in [
        "María",
        "confirm",
        "name.",
        "  Level Silver  Class Best  Points 1240",
        "Open issues: 1",
        "ready to",
        "f find",
        "q quit",
        "store open",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    model.key(Press::Char('e'));
    "Aldonza Lorenzo del Toboso".chars().for_each(|char| drop(model.key(Press::Char(char))));
    let text = screen_of(&model, 40, 20).join("\n");
    for part in crate::cli::customer::QUESTIONS.into_iter().chain(["del Toboso", "Esc"]) {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let rows = json!({ "rows": [{ "name": "M••••", "phone": "••• 456", "issues_open": 2 }] });
    model.key(Press::Escape);
    model.answered(Wish::Find, Ok(rows));
    assert!(
        screen_of(&model, 40, 20).iter().any(|line| line.contains("M••••") && line.ends_with("issues 2"))
    );
}

#[test]
fn who_was_here_already_takes_two_lines_of_the_smallest_screen() {
    let row = |customer: &str, name: &str| json!({ "customer": customer, "name": name, "phone": "••• 012" });
    let likely = row("0e4a1f6c-53b2-4f0e-9a51-6de2b8a1c9f7", "Maximiliano E••••");
    let other = row("2c9a44d7-7f0b-4e0e-8a51-1de2b8a1c9f9", "Max E••••");
    for (answer, wanted) in [
        (
            json!({ "customer": "c-9", "known": true, "duplicates": [likely] }),
            ["  Maybe Maximiliano E• (0e4a1f6c): ask,", "and have the desk merge them"],
        ),
        (
            json!({ "customer": "c-9", "known": true, "duplicates": [likely, other] }),
            ["  Maybe Maximiliano E• (0e4a1f6c) or 1", "more: ask, and have the desk merge them"],
        ),
        (
            json!({ "customer": "c-9", "known": true, "duplicates": [] }),
            ["  Phone or e-mail is another's too: find", "whose with `f`, have one merged"],
        ),
    ] {
        let mut model = model();
        model.answered(Wish::Enrol, Ok(answer));
        let file = json!({ "customer": "c-9", "name": "Max", "points": 0, "issues_open": 0 });
        model.answered(Wish::Open, Ok(json!({ "visit": "v", "file": file })));
        let screen = screen_of(&model, 40, 20);
        assert_eq!(screen[2], "  Max");
        assert_eq!(screen[3..5], wanted);
        assert_eq!(screen[5], "  Level -  Points 0", "without a class");
        assert!(screen.iter().any(|line| line.contains("q quit")), "{}", screen.join("\n"));
        model.answered(Wish::Open, Ok(json!({ "file": { "customer": "c-2", "name": "Eva" } })));
        assert!(!screen_of(&model, 40, 20).iter().any(|line| line.contains("merge")), "of another customer");
    }
}

#[test]
fn without_a_customer_or_a_daemon_the_screen_says_so() {
    let mut model = model();
    assert_eq!(screen(&model)[3], "  No customer. Let a card be shown, or `f` finds one.");
    model.lost("no daemon answers");
    assert_eq!(screen(&model)[0], " Ficha  till-1 NO CONNECTION: no daemon answers");
}

#[test]
fn forms_and_found_rows_are_shown() {
    let mut model = with_customer();
    model.key(Press::Char('i'));
    let form = screen(&model);
    assert!(form[1].contains("Open an issue"));
    assert_eq!(form[3], format!("  {:<30}< WARRANTY >", "Kind"));
    model.key(Press::Escape);
    let rows = json!({ "rows": [{ "name": "M••••", "phone": "••• 456", "issues_open": 0 }] });
    model.answered(Wish::Find, Ok(rows));
    assert_eq!(screen(&model)[3], format!(" > {:<30} {:<20} issues 0", "M••••", "••• 456"));
}

#[test]
fn any_size_is_drawn_without_a_panic() {
    let mut form = with_customer();
    form.key(Press::Char('e'));
    for model in [with_customer(), form, model()] {
        for (width, height) in [(1, 1), (20, 5), (80, 24), (200, 60)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            terminal.draw(|frame| draw(frame, &model, NOW)).unwrap();
        }
    }
}
