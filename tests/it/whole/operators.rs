//! Operators at a daemon: two sessions of one account are two people, and nothing says a PIN.

use super::rig::*;
use serde_json::{Value, json};

const PIN: &str = "48291537";
const WRONG: &str = "59302648";

fn on(client: &mut fichad::push::client::Client, operator: &str, pin: &str) -> Result<Value, String> {
    let params = json!({ "operator": operator, "pin": pin });
    client.call("operator.sign_on", params).map_err(|error| error.to_string())
}

#[test]
fn two_sessions_of_one_account_are_two_operators_until_they_end() {
    let (bench, scanner) = (Bench::new(), Scanner::new());
    bench.configure(&one_till(&scanner));
    let fichad = bench.start_logging("trace");
    let mut till = fichad.open("till-1");
    let mut desk = fichad.client();
    write(&mut till, "operator.set", json!({ "operator": "A7", "pin": PIN }));
    write(&mut till, "operator.set", json!({ "operator": "B2", "pin": "0000" }));
    let refused = [on(&mut desk, "A7", WRONG), on(&mut desk, PIN, WRONG)].map(Result::unwrap_err);
    assert_eq!(refused[0], refused[1]);
    on(&mut till, "A7", PIN).unwrap();
    on(&mut desk, "B2", "0000").unwrap();
    let mut who = [&mut till, &mut desk].map(|client| client.call("operator.whoami", json!({})).unwrap());
    assert_eq!(who[0]["uid"], who[1]["uid"]);
    assert_eq!(who.each_mut().map(|who| who["operator"].take()), [json!("A7"), json!("B2")]);

    let enrol = |client: &mut _, given: &str| {
        write(client, "customer.enrol", json!({ "person": { "givenName": given } }))["customer"].clone()
    };
    let (ana, eva) = (enrol(&mut till, "Ana"), enrol(&mut desk, "Eva"));
    drop(desk);
    let mut desk = fichad.client();
    let who = desk.call("operator.whoami", json!({})).unwrap();
    assert_eq!(who["operator"], Value::Null, "it ended with the connection");
    let ida = enrol(&mut desk, "Ida");

    let log = fichad.stop();
    assert!(log.contains("could not sign on") && log.contains("A7"), "{log}");
    for pin in [PIN, WRONG] {
        assert!(!log.contains(pin), "a PIN is in the log, or what was sent for an operator");
    }
    let (mut journal, mut folders) = (String::new(), vec![bench.state()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                journal.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
            }
        }
    }
    // Of each enrolment the record ends with who asked.
    let asked = |customer: &Value| {
        let outcome = format!(r#""outcome":{{"customer":{customer}"#);
        let (_, rest) = journal.split_once(&outcome).unwrap();
        let (_, rest) = rest.split_once(r#""by":"#).unwrap();
        rest.split('}').next().unwrap().split_once(',').map(|(_, operator)| operator.to_owned())
    };
    assert_eq!(asked(&ana).as_deref(), Some(r#""operator":"A7""#));
    assert_eq!(asked(&eva).as_deref(), Some(r#""operator":"B2""#));
    assert_eq!(asked(&ida), None);
}

#[test]
fn a_visit_has_who_was_signed_on_at_its_register_if_it_was_one_alone() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    let (fichad, mut till) = bench.one_till(&scanner);
    let (.., letters) = customer(&mut till);
    for (operator, pin) in [("A7", PIN), ("B2", "0000")] {
        write(&mut till, "operator.set", json!({ "operator": operator, "pin": pin }));
    }
    let mut visit = |till: &mut _| {
        scanner.scan(&[&letters]);
        event(till, "identified")["visit"].clone()
    };
    let nobodys = visit(&mut till);
    on(&mut till, "A7", PIN).unwrap();
    let theirs = visit(&mut till);
    let mut second = fichad.open("till-1");
    let beside_nobody = visit(&mut till);
    on(&mut second, "B2", "0000").unwrap();
    let ones_or_the_others = visit(&mut till);
    fichad.stop();
    let journal = std::fs::read(bench.state().join("store/journal/00000001.seg")).unwrap();
    let journal = String::from_utf8_lossy(&journal);
    let operator = |visit: &Value| {
        let (_, opened) = journal.split_once(&format!(r#""visit_opened","visit":{visit}"#)).unwrap();
        let opened = opened.split('}').next().unwrap();
        opened.split_once(r#""operator":""#).map(|(_, rest)| rest.split('"').next().unwrap().to_owned())
    };
    let found = [&nobodys, &theirs, &beside_nobody, &ones_or_the_others].map(operator);
    assert_eq!(found.each_ref().map(Option::as_deref), [None, Some("A7"), Some("A7"), None]);
}
