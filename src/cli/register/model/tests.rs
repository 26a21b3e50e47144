//! The register's behaviour, played with keys and events.

use super::*;

fn identified(seq: u64, name: &str) -> Value {
    json!({
        "type": "identified", "stream": "s-1", "seq": seq, "register": "till-1", "at": "2026-09-21T14:13:20Z",
        "visit": format!("v-{seq}"), "repaired": false,
        "file": { "customer": "c-1", "name": name, "issues_open": 0, "issues": [], "preferences": [] },
    })
}

fn scan(seq: u64) -> Value {
    json!({ "type": "scan", "stream": "s-1", "seq": seq, "scan_data": "4006381333931", "scan_data_type": "X" })
}

fn connected() -> Model {
    let mut model = Model::new("");
    model.connected(&json!({ "states": { "store": { "state": "open" } } }), &json!({ "register": "till-1" }));
    model
}

fn typed(model: &mut Model, text: &str) {
    for character in text.chars() {
        assert_eq!(model.key(Press::Char(character)), []);
    }
}

#[test]
fn a_card_opens_a_file_and_d_dismisses_it() {
    let mut model = connected();
    assert_eq!((model.register.as_str(), model.states.as_str()), ("till-1", "store open"));
    assert_eq!(model.key(Press::Char('d')), []);
    assert!(model.message.contains("no customer"));
    model.event(&identified(1, "María"));
    assert_eq!(model.customer(), "c-1");
    let effects = model.key(Press::Char('d'));
    assert_eq!(effects, [Effect::Call(Wish::Dismiss, json!({ "visit": "v-1" }))]);
    assert!(model.current.is_none(), "off the screen at once, whatever the daemon says");
}

#[test]
fn acknowledging_covers_everything_seen() {
    let mut model = connected();
    assert_eq!(model.key(Press::Enter), [], "nothing to acknowledge");
    model.event(&scan(1));
    model.event(&identified(2, "María"));
    model.event(&scan(1));
    assert_eq!((model.unacknowledged, model.lines.len()), (2, 3), "a replayed event counts once");
    let place = Place { stream: "s-1".to_owned(), seq: 2 };
    assert_eq!(model.after(), Some(&place));
    assert_eq!(model.key(Press::Char('a')), [Effect::Acknowledge(place)]);
    assert_eq!(model.unacknowledged, 0);
    let mut later = scan(1);
    later["stream"] = json!("s-2");
    model.event(&later);
    assert_eq!(model.after(), Some(&Place { stream: "s-2".to_owned(), seq: 1 }), "a new run of the daemon");
    (0..100).for_each(|seq| model.event(&scan(seq)));
    assert_eq!(model.lines.len(), LINES_MAX);
}

#[test]
fn finding_ends_in_an_open_file() {
    let mut model = connected();
    typed(&mut model, "fgarcía");
    let effects = model.key(Press::Enter);
    assert_eq!(effects, [Effect::Call(Wish::Find, json!({ "name": "garcía" }))]);
    model.answered(Wish::Find, Ok(json!({ "rows": [{ "customer": "c-1" }, { "customer": "c-2" }] })));
    model.key(Press::Down);
    model.key(Press::Down);
    let effects = model.key(Press::Enter);
    assert_eq!(effects, [Effect::Call(Wish::Open, json!({ "customer": "c-2", "register": "till-1" }))]);
    model.answered(Wish::Open, Ok(json!({ "visit": "v", "file": { "customer": "c-2" } })));
    assert_eq!(model.customer(), "c-2");
    model.answered(Wish::Find, Ok(json!({ "rows": [] })));
    assert_eq!(model.message, "nobody found");
    model.answered(Wish::Find, Err("too many searches".to_owned()));
    assert_eq!(model.message, "too many searches");
}

#[test]
fn enrolling_opens_the_new_file() {
    let mut model = connected();
    typed(&mut model, "eEva");
    for _ in 1..customer::QUESTIONS.len() {
        assert_eq!(model.key(Press::Enter), []);
    }
    let effects = model.key(Press::Enter);
    assert_eq!(effects, [Effect::Call(Wish::Enrol, json!({ "person": { "givenName": "Eva" } }))]);
    let effects = model.answered(Wish::Enrol, Ok(json!({ "customer": "c-9" })));
    assert_eq!(effects, [Effect::Call(Wish::Open, json!({ "customer": "c-9", "register": "till-1" }))]);
}

#[test]
fn an_issue_is_opened_and_shown() {
    let mut model = connected();
    model.event(&identified(1, "María"));
    model.key(Press::Char('i'));
    model.key(Press::Right);
    model.key(Press::Enter);
    typed(&mut model, "KX-200");
    (0..2).for_each(|_| drop(model.key(Press::Enter)));
    typed(&mut model, "call her");
    let wanted =
        json!({ "customer": "c-1", "kind": "REPAIR", "product": { "model": "KX-200" }, "hint": "call her" });
    assert_eq!(model.key(Press::Enter), [Effect::Call(Wish::Issue, wanted)]);
    let effects = model.answered(Wish::Issue, Ok(json!({ "issue": "i-1" })));
    assert_eq!(effects, [Effect::Call(Wish::Issues, json!({ "customer": "c-1" }))]);
    let issue =
        |id: &str, state: &str| json!({ "issue": id, "state": state, "product": { "model": "KX-200" } });
    let issues = json!({ "issues": [issue("i-1", "NEW"), issue("i-0", "CLOSED")] });
    model.answered(Wish::Issues, Ok(issues));
    let file = &model.current.as_ref().unwrap().file;
    assert_eq!((&file["issues_open"], &file["issues"][0]["model"]), (&json!(1), &json!("KX-200")));
}

#[test]
fn a_card_that_prints_is_followed() {
    let mut model = connected();
    model.event(&identified(1, "María"));
    let effects = model.key(Press::Char('p'));
    assert_eq!(effects, [Effect::Call(Wish::Print, json!({ "customer": "c-1" }))]);
    let answer = json!({ "job": "j-1", "printer": "desk", "state": "queued" });
    model.answered(Wish::Print, Ok(answer));
    assert_eq!(model.message, "card: desk queued");
    let job = |id: &str, state: &str| json!({ "type": "job", "job": id, "printer": "desk", "state": state });
    model.event(&job("j-2", "failed"));
    model.event(&job("j-1", "printed"));
    assert_eq!(model.message, "card: desk printed");
}

#[test]
fn a_card_shown_while_a_form_is_filled_in_waits_behind_it() {
    let mut model = connected();
    typed(&mut model, "fgar");
    model.event(&identified(1, "María"));
    assert!(matches!(&model.mode, Mode::Form(Wish::Find, form) if form.fields[0].text == "gar"));
    model.key(Press::Escape);
    assert!(matches!(model.mode, Mode::File) && model.current.is_some());
    assert_eq!(model.key(Press::Char('q')), [Effect::Quit]);
}

#[test]
fn a_form_stays_with_the_customer_for_whom_it_was_opened() {
    let mut model = connected();
    model.event(&identified(1, "María"));
    model.key(Press::Char('i'));
    let mut next = identified(2, "Li");
    next["file"]["customer"] = json!("c-2");
    model.event(&next);
    assert!(model.message.contains("another card"), "{}", model.message);
    (0..3).for_each(|_| drop(model.key(Press::Enter)));
    typed(&mut model, "call her");
    let effects = model.key(Press::Enter);
    assert!(matches!(effects.as_slice(), [Effect::Call(Wish::Issue, wanted)] if wanted["customer"] == "c-1"));
    assert_eq!(model.customer(), "c-2", "who waited is there now");
}

#[test]
fn what_is_typed_is_looked_for_where_it_fits() {
    for (text, wanted) in [
        ("garcía lópez", "name"),
        ("m@example.org", "email"),
        ("+34 600 123 456", "phone"),
        ("0ABC DEFG HJKM NPQR STV1", "name"),
        ("0ABC-DEFG-HJKM-NPQR-STV1", "code"),
        ("0ABCDEFGHJKMNPQRSTV1", "code"),
        ("1234567890123456789012345678", "code"),
        ("1234 5678 9012 3456 7890 1234 5678", "code"),
    ] {
        assert_eq!(by(text), wanted, "{text}");
    }
}

#[test]
fn a_customer_leaves_when_the_time_is_over() {
    let shown = || {
        let mut event = identified(1, "Quijote");
        event["valid_until"] = json!("1970-01-01T00:00:30Z");
        let mut model = connected();
        model.event(&event);
        model
    };
    let over = 30_000_000;
    let mut model = shown();
    assert_eq!(model.until(), Some(over));
    model.tick(over - 1);
    assert!(model.current.is_some());
    model.tick(over);
    assert!(model.current.is_none() && model.until().is_none());
    assert!(!model.lines.iter().any(|line| line.contains("Quijote")), "no name stays among the events");

    let mut model = shown();
    model.key(Press::Char('i'));
    model.tick(over);
    assert!(model.current.is_some() && model.until().is_none(), "a form is finished first");
    model.key(Press::Escape);
    model.tick(over);
    assert!(model.current.is_none());

    let mut model = connected();
    model.answered(Wish::Open, Ok(json!({ "visit": "v", "file": { "customer": "c-2" } })));
    model.tick(i64::MAX);
    assert!(model.current.is_some(), "opened by hand: until dismissed");
}

#[test]
fn what_is_done_shows_no_name() {
    let effect = Effect::Call(Wish::Enrol, json!({ "person": { "givenName": "Quijote" } }));
    let filled = Filled::Done(vec!["Quijote".to_owned()]);
    assert!(!format!("{effect:?}{filled:?}").contains("Quijote"));
}

#[test]
fn one_key_answers_how_content_the_customer_is_with_what_is_done() {
    let mut model = connected();
    let mut event = identified(1, "María");
    event["file"]["issues"] = json!([
        { "issue": "i-1", "kind": "COMPLAINT", "state": "NEW" },
        { "issue": "i-2", "kind": "REPAIR", "state": "RESOLVED" },
    ]);
    model.event(&event);
    assert_eq!(model.key(Press::Char('6')), []);
    let effects = model.key(Press::Char('4'));
    assert_eq!(effects, [Effect::Call(Wish::Answer, json!({ "issue": "i-2", "score": 4 }))]);
    let effects = model.answered(Wish::Answer, Ok(json!({ "issue": "i-2", "state": "CLOSED" })));
    assert_eq!(effects, [Effect::Call(Wish::Issues, json!({ "customer": "c-1" }))]);
    assert_eq!(model.message, "the answer is kept");
    let answered = json!([{ "issue": "i-2", "kind": "REPAIR", "state": "RESOLVED", "satisfaction": 4 }]);
    model.answered(Wish::Issues, Ok(json!({ "issues": answered })));
    assert_eq!(model.key(Press::Char('4')), [], "nobody is asked twice");
}
