//! What the register is told of each kind of card.

use super::rig::*;
use fichad::domain::code::CardKey;
use fichad::identify::GUESSES_MAX;
use fichad::push::client::Client;
use serde_json::{Value, json};

#[test]
fn the_same_again_is_marked_as_a_repeat() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    let (_fichad, mut register) = bench.one_till(&scanner);
    let (.., letters) = customer(&mut register);
    scanner.scan(&[&letters, &letters, PRODUCT, PRODUCT]);
    let first = event(&mut register, "identified");
    let second = event(&mut register, "identified");
    assert_eq!((&first["repeat_of"], &second["repeat_of"]), (&Value::Null, &first["visit"]));
    assert_ne!(first["visit"], second["visit"]);
    let first = event(&mut register, "scan");
    let second = event(&mut register, "scan");
    assert_eq!((&first["repeat_of"], &second["repeat_of"]), (&Value::Null, &first["seq"]));

    let nobodys = CardKey([5; 10]).letters(Default::default());
    scanner.scan(&[nobodys.reveal(), nobodys.reveal()]);
    let first = event(&mut register, "unknown");
    let second = event(&mut register, "unknown");
    assert_eq!((&first["repeat_of"], &second["repeat_of"]), (&Value::Null, &first["seq"]));

    let (number, card, letters) = customer(&mut register);
    write(&mut register, "card.block", json!({ "customer": number, "card": card, "reason": "LOST" }));
    scanner.scan(&[&letters, &letters]);
    let first = event(&mut register, "blocked");
    let second = event(&mut register, "blocked");
    assert_eq!((&first["repeat_of"], &second["repeat_of"]), (&Value::Null, &first["seq"]));
    // An alert is noted behind its frame, so this one is behind those.
    let (number, card, letters) = customer(&mut register);
    write(&mut register, "card.block", json!({ "customer": number, "card": card, "reason": "STOLEN" }));
    scanner.scan(&[&letters]);
    until("the last card is noted", || alerts(&mut register).iter().any(|alert| alert["card"] == card));
    assert_eq!(alerts(&mut register).len(), 2, "a card that is read twice in a moment was shown once");
}

fn alerts(client: &mut Client) -> Vec<Value> {
    client.call("card.alerts", json!({})).unwrap()["alerts"].as_array().unwrap().clone()
}

#[test]
fn whoever_tries_codes_waits_and_nobody_else_does() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    let (_fichad, mut register) = bench.one_till(&scanner);
    let (.., letters) = customer(&mut register);
    let free = u8::try_from(GUESSES_MAX).unwrap();
    let guesses: Vec<_> =
        (0..free + 2).map(|number| CardKey([number; 10]).letters(Default::default())).collect();
    let mut codes: Vec<&str> = guesses.iter().map(|guess| guess.reveal()).collect();
    codes.extend([letters.as_str(), PRODUCT]);
    scanner.scan(&codes);
    for _ in 0..free {
        let unknown = event(&mut register, "unknown");
        assert!(codes.iter().all(|code| !unknown.to_string().contains(code)));
    }
    event(&mut register, "identified");
    event(&mut register, "scan");
    // The two beyond come late, but they come.
    event(&mut register, "unknown");
    event(&mut register, "unknown");
}

#[test]
fn one_wrong_symbol_is_repaired_and_shown_as_that() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    let (_fichad, mut register) = bench.one_till(&scanner);
    let (customer, card, letters) = customer(&mut register);
    let wrong = |at: usize| {
        let other = if letters.as_bytes()[at] == b'7' { "8" } else { "7" };
        format!("{}{other}{}", &letters[..at], &letters[at + 1..])
    };
    scanner.scan(&[&letters, &wrong(9), &wrong(19)]);
    assert_eq!(event(&mut register, "identified")["repaired"], false);
    for _ in 0..2 {
        let shown = event(&mut register, "identified");
        assert_eq!((&shown["repaired"], &shown["card"]), (&json!(true), &card));
        assert_eq!(shown["file"]["customer"], customer);
    }
}

#[test]
fn blocked_and_replaced_cards_are_told_with_their_reason() {
    let printer = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    let printer = printer.local_addr().unwrap();
    bench.configure(&format!(
        "{}[[printer]]\nname = \"desk\"\naddress = \"tcp://{printer}\"\n",
        one_till(&scanner)
    ));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    let mut manager = fichad.client();
    manager.call("subscribe", json!({ "register": "*" })).unwrap();
    let (customer, card, letters) = customer(&mut register);
    let named = json!({ "customer": customer, "card": card, "reason": "STOLEN" });
    write(&mut register, "card.block", named);
    scanner.scan(&[&letters]);
    let blocked = event(&mut register, "blocked");
    assert_eq!((&blocked["status"], &blocked["reason"]), (&json!("BLOCKED"), &json!("STOLEN")));
    assert_eq!((&blocked["card"], &blocked["customer"]), (&card, &customer));
    assert_eq!(event(&mut manager, "blocked"), blocked, "whoever watches all registers sees it at once");
    until("it is noted", || !alerts(&mut manager).is_empty());
    let alert = alerts(&mut manager).remove(0);
    assert_eq!(
        (&alert["card"], &alert["status"], &alert["reason"]),
        (&card, &json!("BLOCKED"), &json!("STOLEN"))
    );
    assert_eq!((&alert["register"], &alert["reader"]), (&blocked["register"], &blocked["reader"]));

    let mut other = fichad.client();
    write(&mut other, "card.unblock", json!({ "customer": customer, "card": card }));
    scanner.scan(&[&letters]);
    assert_eq!(event(&mut register, "identified")["card"], card);
    let named = json!({ "customer": customer, "card": card, "reason": "DAMAGED" });
    write(&mut other, "card.replace", named);
    scanner.scan(&[&letters]);
    let blocked = event(&mut register, "blocked");
    assert_eq!((&blocked["status"], &blocked["reason"]), (&json!("REPLACED"), &json!("DAMAGED")));
}

#[test]
fn a_card_of_the_household_comes_with_its_holder() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    let (fichad, mut register) = bench.one_till(&scanner);
    let (customer, card, letters) = customer(&mut register);
    let mut desk = fichad.client();
    write(&mut desk, "card.holder", json!({ "customer": customer, "card": card, "holder": "Eva" }));
    scanner.scan(&[&letters]);
    assert_eq!(event(&mut register, "identified")["file"]["holder"], "Eva");
    write(&mut desk, "card.holder", json!({ "customer": customer, "card": card }));
    scanner.scan(&[&letters]);
    assert_eq!(event(&mut register, "identified")["file"].get("holder"), None, "the customer's own again");
}

#[test]
fn a_job_is_shown_at_least_as_far_as_its_events_say() {
    let printer = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let bench = Bench::new();
    bench.configure(&format!(
        "[[register]]\nname = \"till-1\"\n[[printer]]\nname = \"desk\"\naddress = \"tcp://{}\"\n",
        printer.local_addr().unwrap()
    ));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    let (customer, ..) = customer(&mut register);
    write(&mut register, "card.print", json!({ "customer": customer }));
    let way = ["queued", "sending"];
    let place = |state: &Value| way.iter().position(|word| state == word).unwrap_or(way.len());
    loop {
        let told = event(&mut register, "job");
        let shown = register.call("job.show", json!({ "job": told["job"] })).unwrap();
        assert!(place(&shown["state"]) >= place(&told["state"]), "told {told}, shown {shown}");
        if told["state"] != "queued" {
            break;
        }
    }
    let moved = |(_, bytes): &(_, Vec<u8>)| String::from_utf8_lossy(bytes).contains("\"state\":\"queued\"");
    assert!(!files(&bench.state().join("store")).iter().any(moved), "that a job is queued is written once");
}

#[test]
fn a_name_that_no_font_has_is_told_and_any_other_is_drawn() {
    let printer = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let bench = Bench::new();
    bench.configure(&format!(
        "[[register]]\nname = \"till-1\"\n[[printer]]\nname = \"desk\"\naddress = \"tcp://{}\"\n",
        printer.local_addr().unwrap()
    ));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    let (customer, ..) = customer(&mut register);
    let drawn = write(&mut register, "card.print", json!({ "customer": customer, "holder": "क्षत्रिय 王 Á" }));
    let wanting =
        write(&mut register, "card.print", json!({ "customer": customer, "holder": "Zarzaparrilla 😀" }));
    let mut told = [&drawn, &wanting].map(|answer| (answer["job"].clone(), Value::Null)).to_vec();
    while told.iter().any(|(_, event)| event.is_null()) {
        let event = event(&mut register, "job");
        told.iter_mut().filter(|(job, _)| event["job"] == *job).for_each(|(_, kept)| *kept = event.clone());
    }
    assert_eq!((told[0].1.get("omitted"), told[1].1.get("omitted")), (None, Some(&json!(["name"]))));
    // The printer takes what it is sent and says nothing; the first card is under way.
    let mut shown = || register.call("job.show", json!({ "job": drawn["job"] })).unwrap();
    until("the first card is under way", || shown()["state"] == "sending");
    assert_eq!(shown()["omitted"], json!([]));
    register.call("job.cancel", json!({ "job": wanting["job"] })).unwrap();
    until("the second is taken back", || event(&mut register, "job")["state"] == "failed");
    let shown = register.call("job.show", json!({ "job": wanting["job"] })).unwrap();
    assert_eq!((&shown["reason"], &shown["omitted"]), (&json!("cancelled"), &json!(["name"])));
    let log = fichad.stop();
    assert!(log.contains("a card lacks a text") && !log.contains("Zarzaparrilla"), "{log}");
}

/// Made-up numbers with a right check digit, in ranges of real schemes.
const PAYMENT_CARDS: [&str; 3] = ["4539578763621486", "5425233430109903", "374245455400126"];

#[test]
fn nothing_of_a_payment_card_is_left_anywhere() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    bench.configure(&one_till(&scanner));
    let fichad = bench.start_logging("trace");
    let mut register = fichad.open("till-1");
    let declared: Vec<String> = PAYMENT_CARDS.iter().map(|number| format!("]C0{number}")).collect();
    let codes: Vec<&str> = PAYMENT_CARDS.into_iter().chain(declared.iter().map(String::as_str)).collect();
    scanner.scan(&codes);
    for _ in &codes {
        let rejected = event(&mut register, "rejected");
        assert_eq!(rejected["reason"], "payment_card");
        nothing_of_them("the event", &rejected.to_string());
    }
    scanner.scan(&[PRODUCT]);
    event(&mut register, "scan");
    let log = fichad.stop();
    assert!(log.contains("TRACE"), "the log is not at its most talkative");
    nothing_of_them("the log", &log);
    let files = files(&bench.state());
    assert!(files.len() > 6);
    for (path, bytes) in files {
        nothing_of_them(&path.display().to_string(), &String::from_utf8_lossy(&bytes));
    }
}

/// Seven digits in a row are more than chance gives.
#[track_caller]
fn nothing_of_them(place: &str, text: &str) {
    for number in PAYMENT_CARDS {
        for part in number.as_bytes().windows(7) {
            let there = stands_in(text, std::str::from_utf8(part).unwrap());
            assert_eq!(there, None, "a part of a payment card stands in {place}");
        }
    }
}
