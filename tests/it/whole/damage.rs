//! A journal that a start finds damaged, and no second copy: products pass, known cards are known, the rest is said.

use super::erasure;
use super::rig::*;
use super::trouble::{products_pass, reason};
use fichad::push::client::Client;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The smallest segments that the config allows, so that a few customers close one.
const SEGMENTS: &str = "[store]\nsegment_kib = 32\n";

/// A state folder with a closed segment in each half, whose last customer the views on the disk do not have. Gives the code of a
/// customer that they have, and that of the last one.
fn crashed(bench: &Bench) -> (String, String) {
    bench.drop_in(SEGMENTS);
    let scanner = Scanner::new();
    let (fichad, mut register) = bench.one_till(&scanner);
    let (.., known) = customer(&mut register);
    let closed = |half: &str| bench.state().join(half).join("journal/00000002.seg").exists();
    let mut others = 0;
    while !closed("store") || !closed("vault") {
        customer(&mut register);
        others += 1;
        assert!(others < 1000, "no segment is closed");
    }
    fichad.stop();
    let scanner = Scanner::new();
    let (fichad, mut register) = bench.one_till(&scanner);
    let (.., newest) = customer(&mut register);
    fichad.kill();
    (known, newest)
}

/// Flips a bit in the middle of a closed segment, as a scrub has found it: the next start reads all. Gives the file as it was.
fn hurt(bench: &Bench, half: &str) -> (PathBuf, Vec<u8>) {
    for half in ["store", "vault"] {
        fs::remove_file(bench.state().join(half).join("CHECKPOINT")).unwrap();
    }
    let file = bench.state().join(half).join("journal/00000001.seg");
    let middle = fs::metadata(&file).unwrap().len() / 2;
    let whole = flip(&file, usize::try_from(middle).unwrap());
    (file, whole)
}

/// Flips a bit of the byte at a place; gives what the file was.
fn flip(file: &Path, at: usize) -> Vec<u8> {
    let whole = fs::read(file).unwrap();
    let mut bytes = whole.clone();
    bytes[at] ^= 0x20;
    fs::write(file, bytes).unwrap();
    whole
}

pub(super) fn doctor(bench: &Bench, socket: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ficha"));
    command.args(["doctor", "--config"]).arg(bench.state().with_file_name("fichad.toml"));
    let output = command.arg("--socket").arg(socket).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn sale() -> Value {
    json!({
        "key": uuid::Uuid::new_v4(),
        "receipt": {
            "number": "1", "day": "2026-01-15", "currency": "EUR", "total": 100,
            "lines": [{ "gtin": PRODUCT, "quantity": 1000, "unit_price": 100, "amount": 100 }],
            "tenders": [{ "kind": "CASH", "amount": 100 }],
        },
    })
}

/// What is scanned and asked while the journal is damaged.
fn is_read_only(register: &mut Client, scanner: &mut Scanner, (known, newest): (&str, &str), file: &Path) {
    let status = store_settled(register);
    let (store, why) = (&status["store"], status["store"]["why"].as_str().unwrap_or_default());
    assert_eq!((&store["state"], &store["behind"]), (&json!("read_only"), &json!(true)), "{status}");
    assert!(why.contains(&format!("{} is damaged at byte ", file.display())), "{why}");
    assert!(why.contains("ficha store restore"), "it says what to do: {why}");
    let hello = register.call("hello", json!({})).unwrap();
    // `status` says how far the journal is, beside.
    let mut told = store.clone();
    told.as_object_mut().unwrap().remove("last_seq");
    assert_eq!(hello["states"]["store"], told, "who connects now is told the same");
    scanner.scan(&[PRODUCT, known, newest, PRODUCT]);
    assert_eq!(event(register, "scan")["scan_data"], PRODUCT);
    let file = event(register, "identified")["file"].clone();
    assert_eq!(file["name"], "Ana Example", "{file}");
    let unavailable = event(register, "unavailable");
    assert!(!unavailable.to_string().contains(newest));
    assert_eq!(event(register, "scan")["scan_data"], PRODUCT);
    assert_eq!(reason(register.call("sale.record", sale())), "read_only");
    let found = register.call("customer.find", json!({ "code": known })).unwrap();
    assert_eq!(found["rows"].as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(reason(register.call("customer.find", json!({ "code": newest }))), "read_only");
    assert_eq!(reason(register.call("card.list", json!({ "customer": uuid::Uuid::nil() }))), "read_only");
}

#[test]
fn a_closed_segment_that_is_damaged_leaves_products_and_known_cards_and_is_whole_once_put_right() {
    for half in ["store", "vault"] {
        let bench = Bench::new();
        let (known, newest) = crashed(&bench);
        let (file, whole) = hurt(&bench, half);
        let journals = || {
            let of = |half: &str| files(&bench.state().join(half).join("journal"));
            [of("store"), of("vault")]
        };
        let before = journals();
        let mut scanner = Scanner::new();
        bench.configure(&one_till(&scanner));
        let fichad = bench.start();
        let mut register = fichad.register("till-1");
        is_read_only(&mut register, &mut scanner, (&known, &newest), &file);
        let said = doctor(&bench, fichad.socket());
        assert!(said.contains(file.to_str().unwrap()), "{said}");
        let log = fichad.stop();
        let told = log.lines().find(|line| line.contains("takes no writes any more"));
        assert!(told.is_some_and(|line| line.contains(file.to_str().unwrap())), "{log}");
        assert!(journals() == before, "a journal was changed");

        fs::write(&file, whole).unwrap();
        let mut scanner = Scanner::new();
        let (_fichad, mut register) = bench.one_till(&scanner);
        scanner.scan(&[&newest]);
        assert_eq!(event(&mut register, "identified")["file"]["name"], "Ana Example");
        register.call("sale.record", sale()).unwrap();
    }
}

/// A store whose views hold nothing yet, killed before its first checkpoint: no card is known, and none is called unknown.
#[test]
fn views_that_hold_nothing_yet_call_no_card_unknown() {
    let (bench, scanner) = (Bench::new(), Scanner::new());
    let (fichad, mut register) = bench.one_till(&scanner);
    let (.., letters) = customer(&mut register);
    fichad.kill();
    let file = bench.state().join("store/journal/00000001.seg");
    // In its first record: what others follow was synced, so it is no torn tail.
    flip(&file, 100);
    let mut scanner = Scanner::new();
    bench.configure(&one_till(&scanner));
    let fichad = bench.start();
    let mut register = fichad.register("till-1");
    scanner.scan(&[PRODUCT]);
    event(&mut register, "scan");
    let status = store_settled(&mut register);
    assert_eq!(status["store"]["state"], "read_only", "{status}");
    scanner.scan(&[&letters, PRODUCT]);
    event(&mut register, "unavailable");
    event(&mut register, "scan");
}

/// The state folder of an earlier day, its journal damaged, beside a list of erasures that knows better: nothing can be carried out again
/// over it, so nothing of it is shown.
#[test]
fn an_older_store_that_is_damaged_shows_nobody_who_was_erased() {
    let bench = Bench::new();
    let (fichad, mut register) = bench.one_till(&Scanner::new());
    let (who, _, letters) = customer(&mut register);
    fichad.stop();
    let older = tempfile::tempdir().unwrap();
    for half in ["store", "vault"] {
        erasure::copy(&bench.state().join(half), &older.path().join(half));
    }
    let (fichad, mut register) = bench.one_till(&Scanner::new());
    write(&mut register, "customer.erase", json!({ "customer": who, "purpose": "REQUEST", "now": true }));
    fichad.stop();
    for half in ["store", "vault"] {
        fs::remove_dir_all(bench.state().join(half)).unwrap();
        erasure::copy(&older.path().join(half), &bench.state().join(half));
        fs::remove_file(bench.state().join(half).join("CHECKPOINT")).unwrap();
    }
    let file = bench.state().join("store/journal/00000001.seg");
    flip(&file, 100);
    let mut scanner = Scanner::new();
    bench.configure(&one_till(&scanner));
    let fichad = products_pass(&bench, &mut scanner, &letters, file.to_str().unwrap());
    fichad.stop();
}
