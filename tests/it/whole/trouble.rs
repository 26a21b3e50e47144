//! Whatever is wrong with the store: products pass, and the till is told.

use super::rig::*;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The daemon in trouble must still be as quick as a person at the till; far above what it takes on an idle machine.
const FIRST_PRODUCT_MAX: Duration = Duration::from_secs(2);

/// Starts the daemon on a store that does not open: a product passes, the card is `unavailable`, and `status` says why.
pub(super) fn products_pass(bench: &Bench, scanner: &mut Scanner, card: &str, why: &str) -> Fichad {
    #[expect(clippy::disallowed_methods, reason = "the time from a process's start is measured")]
    let started = Instant::now();
    let fichad = bench.start();
    pass(fichad, scanner, card, why, started)
}

/// As [`products_pass`], of a daemon that was just started.
pub(super) fn pass(fichad: Fichad, scanner: &mut Scanner, card: &str, why: &str, started: Instant) -> Fichad {
    let mut register = fichad.register("till-1");
    scanner.scan(&[PRODUCT]);
    assert_eq!(event(&mut register, "scan")["scan_data"], PRODUCT);
    let took = started.elapsed();
    println!("first product after {} ms: {why}", took.as_millis());
    assert!(took < FIRST_PRODUCT_MAX, "the first product took {} ms", took.as_millis());

    let status = store_settled(&mut register);
    assert_eq!((&status["store"]["state"], &status["vault"]), (&json!("failed"), &json!("unknown")));
    let said = status["store"]["why"].as_str().unwrap();
    assert!(said.contains(why), "{said}");
    let hello = register.call("hello", json!({})).unwrap();
    assert_eq!(hello["states"]["store"], status["store"], "who connects now is told the same");
    scanner.scan(&[card, PRODUCT]);
    let unavailable = event(&mut register, "unavailable");
    assert!(!unavailable.to_string().contains(card));
    assert_eq!(event(&mut register, "scan")["scan_data"], PRODUCT);
    let refused = register.call("card.list", json!({ "customer": uuid::Uuid::nil() })).unwrap_err();
    assert!(refused.to_string().contains("did not open"), "{refused}");
    fichad
}

/// A daemon that has a customer, stopped; and the customer's code.
pub(super) fn with_customer(bench: &Bench, scanner: &Scanner) -> String {
    let (fichad, mut register) = bench.one_till(scanner);
    let (.., letters) = customer(&mut register);
    fichad.stop();
    letters
}

#[test]
fn a_state_folder_that_cannot_be_made() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    bench.configure(&one_till(&scanner));
    std::fs::write(bench.state(), "in the way").unwrap();
    let letters = fichad::domain::code::CardKey([5; 10]).letters(Default::default());
    products_pass(&bench, &mut scanner, letters.reveal(), "cannot be made").stop();
}

#[test]
fn a_damaged_journal_and_no_views() {
    let (bench, scanner) = (Bench::new(), Scanner::new());
    let (fichad, mut register) = bench.one_till(&scanner);
    let (.., letters) = customer(&mut register);
    // Killed, so without a checkpoint of this run: what follows the last one is read at every start.
    fichad.kill();
    let mut scanner = Scanner::new();
    bench.configure(&one_till(&scanner));
    let journals = files(&bench.state().join("store"));
    let journal = |(path, _): &&(PathBuf, Vec<u8>)| path.parent().unwrap().ends_with("journal");
    let (path, mut bytes) = journals.iter().find(journal).expect("a journal").clone();
    // In its first record: what others follow was synced, so it is no torn tail.
    bytes[100] ^= 0x20;
    std::fs::write(&path, bytes).unwrap();
    std::fs::remove_dir_all(bench.state().join("store/views")).unwrap();
    let log = products_pass(&bench, &mut scanner, &letters, "journals cannot be opened").stop();
    assert!(log.contains(path.to_str().unwrap()), "the log names the file: {log}");
}

#[test]
fn a_keyring_that_is_gone_is_never_made_anew() {
    gone_is_not_made_anew("keyring", "keyring is missing");
}

#[test]
fn a_key_file_that_is_gone_is_never_made_anew() {
    gone_is_not_made_anew("keys", "key file is missing");
}

/// Takes `what` out of the state folder and puts it back: in between products pass, and nothing new takes its place.
fn gone_is_not_made_anew(what: &str, why: &str) {
    let bench = Bench::new();
    let letters = with_customer(&bench, &Scanner::new());
    let (place, aside) = (bench.state().join(what), bench.state().join("aside"));
    std::fs::rename(&place, &aside).unwrap();
    let mut scanner = Scanner::new();
    bench.configure(&one_till(&scanner));
    products_pass(&bench, &mut scanner, &letters, why).stop();
    assert!(!place.exists());
    // Put back, everything is as it was.
    std::fs::rename(&aside, &place).unwrap();
    let mut scanner = Scanner::new();
    let (_fichad, mut register) = bench.one_till(&scanner);
    scanner.scan(&[&letters]);
    assert_eq!(event(&mut register, "identified")["file"]["name"], "Ana Example");
}

#[test]
fn without_the_vault_key_cards_are_known_and_names_are_not() {
    let bench = Bench::new();
    let letters = with_customer(&bench, &Scanner::new());
    std::fs::remove_file(bench.state().join("vault.key")).unwrap();
    let mut scanner = Scanner::new();
    let (_fichad, mut register) = bench.one_till(&scanner);
    scanner.scan(&[&letters, PRODUCT]);
    let shown = event(&mut register, "identified");
    assert_eq!((&shown["file"]["name"], &shown["file"]["vault_locked"]), (&Value::Null, &json!(true)));
    event(&mut register, "scan");
    let hello = register.call("hello", json!({})).unwrap();
    assert_eq!(
        (&hello["states"]["store"]["state"], &hello["states"]["vault"]),
        (&json!("open"), &json!("locked"))
    );
    let person = json!({ "key": uuid::Uuid::new_v4(), "person": { "givenName": "Eva" } });
    assert_eq!(reason(register.call("customer.enrol", person)), "vault_locked");
    assert!(!bench.state().join("vault.key").exists(), "no other key was made");
}

#[test]
fn a_scan_before_any_register_is_connected_is_kept_for_it() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    bench.configure(&one_till(&scanner));
    // The state folder's place is taken, so that there is no store either.
    std::fs::write(bench.state(), "in the way").unwrap();
    let fichad = bench.start();
    until("the reader reads", || fichad.log().contains("reading reader=counter"));
    scanner.scan(&[PRODUCT]);
    let mut late = fichad.client();
    let scanned =
        || late.call("subscribe", json!({ "register": "till-1" })).unwrap()["last_seq"].as_u64() >= Some(3);
    until("the scan is with its register", scanned);
    assert_eq!(event(&mut late, "scan")["scan_data"], PRODUCT);
}

/// A vault key that is a pipe: opening the store waits for it until somebody writes the key.
fn slow_key(bench: &Bench) -> PathBuf {
    let pipe = bench.state().with_file_name("slow.key");
    mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    bench.drop_in(&format!("[vault]\nkey_file = \"{}\"\n", pipe.display()));
    pipe
}

#[test]
fn products_pass_while_the_store_opens_and_cards_come_when_it_is() {
    let bench = Bench::new();
    let letters = with_customer(&bench, &Scanner::new());
    let key = std::fs::read(bench.state().join("vault.key")).unwrap();
    let (pipe, mut scanner) = (slow_key(&bench), Scanner::new());
    bench.configure(&one_till(&scanner));
    let fichad = bench.start();
    let mut register = fichad.register("till-1");
    scanner.scan(&[PRODUCT, &letters, PRODUCT]);
    event(&mut register, "scan");
    event(&mut register, "unavailable");
    event(&mut register, "scan");
    let hello = register.call("hello", json!({})).unwrap();
    assert_eq!((&hello["timeline"], &hello["states"]["store"]["state"]), (&Value::Null, &json!("opening")));
    let find = register.call("customer.find", json!({ "name": "Ana" }));
    assert_eq!(reason(find), "read_only");

    std::fs::write(&pipe, key).unwrap();
    let told = loop {
        let event = register.next_event(PATIENCE).unwrap().expect("news of the store");
        if event["type"] == "state" && event["state"]["store"]["state"] != "opening" {
            break event;
        }
    };
    let hello = register.call("hello", json!({})).unwrap();
    assert_eq!((&hello["timeline"], &hello["states"]), (&json!(1), &told["state"]));
    scanner.scan(&[&letters]);
    assert_eq!(event(&mut register, "identified")["file"]["name"], "Ana Example");
}

#[test]
fn a_store_that_is_still_opening_does_not_hold_up_the_stop() {
    let (bench, scanner) = (Bench::new(), Scanner::new());
    let _pipe = slow_key(&bench);
    bench.configure(&one_till(&scanner));
    let fichad = bench.start();
    fichad.register("till-1");
    assert!(fichad.stop().contains("still opening"));
}

pub(super) fn reason(result: Result<Value, fichad::push::client::ClientError>) -> String {
    let error = result.unwrap_err();
    let fichad::push::client::ClientError::Refused { reason, .. } = error else { panic!("{error}") };
    reason
}
