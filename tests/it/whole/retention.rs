//! Retention seen from outside: what is over is in no file and opens with no key, what stays is whole.

use super::erasure::{copy, events, found};
use super::rig::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fichad::domain::id::CustomerNumber;
use fichad::push::client::Client;
use fichad::vault::kek::KeySource;
use fichad::vault::keyring::{IndexField, Keyring};
use fichad::vault::keys::{KeyFile, os_random};
use fichad::vault::seal::{Aad, Sealed, open};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use uuid::Uuid;

const TABLES: &str =
    "[retention]\ndemographic = \"0 days\"\nacademic = \"0 days\"\npreferences = \"0 days\"\n";

fn person() -> Value {
    json!({ "givenName": "Xiomara", "familyName": "Quijotez", "telephone": [{ "e164": "+34600123457" }],
        "birthDay": "11-23", "birthYear": 1971, "occupation": "alabardera", "maritalStatus": "married" })
}

/// Enrols a customer with a bit of everything; gives the number and the letters of the card.
fn enrol(register: &mut Client) -> (Value, String) {
    let number = write(register, "customer.enrol", json!({ "person": person() }))["customer"].clone();
    let card = write(register, "card.issue", json!({ "customer": number }));
    write(register, "note.keep", json!({ "customer": number, "text": "wants zanahoria" }));
    let preference = json!({ "customer": number, "name": "receipt", "value": "none" });
    write(register, "preference.set", preference);
    (number, card["letters"].as_str().unwrap().to_owned())
}

fn count(answer: &Value, section: &str) -> i64 {
    let rows = answer["rows"].as_array().unwrap();
    rows.iter().find(|row| row["section"] == section).unwrap()["customers"].as_i64().unwrap()
}

/// With every key that is left: which of the sections that were ever sealed for this customer open.
fn opens(dir: &Path, number: &Value) -> Vec<(String, Value)> {
    let kek = KeySource::File(dir.join("vault.key")).load(None).unwrap();
    let keys = KeyFile::open(&dir.join("keys"), &kek, os_random).unwrap();
    let live = keys.census().unwrap().live;
    let customer: CustomerNumber = serde_json::from_value(number.clone()).unwrap();
    let mut opened = Vec::new();
    for event in events(dir, "vault") {
        if event["event"] != "section_sealed" || event["customer"] != *number {
            continue;
        }
        let sealed = Sealed::from_kept(&STANDARD.decode(event["sealed"].as_str().unwrap()).unwrap());
        let (section, rev) = (event["section"].as_str().unwrap(), event["rev"].as_u64().unwrap());
        let what = Aad { customer, section, rev };
        if let Some(text) = live.iter().find_map(|key| open(&keys.dek(*key).unwrap(), &what, &sealed).ok()) {
            let value =
                serde_json::from_slice(&text).unwrap_or_else(|_| String::from_utf8_lossy(&text).into());
            opened.push((section.to_owned(), value));
        }
    }
    opened
}

fn nothing_of_it_is_left(dir: &Path, number: &Value) {
    let texts = ["alabardera", "Xiomara", "zanahoria"].map(|text| text.as_bytes().to_vec());
    assert_eq!(found(dir, &texts), [""; 0]);
    let ring = Keyring::open(&dir.join("keyring")).unwrap();
    let birthday = ring.index(IndexField::Birthday, "11-23").0.to_vec();
    assert_eq!(found(dir, &[birthday]), [""; 0], "no index entry");
    for (section, value) in opens(dir, number) {
        assert!(!["demographic", "academic"].contains(&&*section), "{section} opens");
        assert!(section != "till" || value["preferences"] == json!({}), "an old version opens");
    }
}

#[test]
fn what_is_over_is_gone_from_every_file_and_what_stays_is_whole() {
    let bench = Bench::new();
    let mut scanner = Scanner::new();
    bench.configure(&(one_till(&scanner) + TABLES));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    let (number, letters) = enrol(&mut register);
    let (other, ..) = customer(&mut register);
    let before = register.call("customer.show", json!({ "customer": number })).unwrap();

    let dry = register.call("retention.run", json!({ "dry_run": true })).unwrap();
    let counts = ["demographic", "academic", "preferences", "basic", "family", "notes"]
        .map(|section| count(&dry, section));
    assert_eq!((counts, &dry["customers"]), ([1, 1, 1, 0, 0, 0], &json!(1)));
    let again = register.call("customer.show", json!({ "customer": number })).unwrap();
    assert_eq!(again, before, "a dry run changes nothing");

    let run = json!({ "key": Uuid::new_v4(), "now": true });
    let done = register.call("retention.run", run.clone()).unwrap();
    assert_eq!((count(&done, "demographic"), &done["next"], &done["pending"]), (1, &Value::Null, &json!([])));
    assert_eq!(register.call("retention.run", run).unwrap()["repeated"], true);
    let done = write(&mut register, "retention.run", json!({}));
    assert_eq!(done["customers"], 0, "it is done once");

    let shown = register.call("customer.show", json!({ "customer": number })).unwrap();
    assert_eq!(
        shown["person"],
        json!({ "givenName": "Xiomara", "familyName": "Quijotez", "telephone": [{ "e164": "+34600123457" }],
            "maritalStatus": "married" })
    );
    assert_eq!((&shown["notes"], &shown["cards"]), (&before["notes"], &before["cards"]));
    assert_eq!(shown["file"]["preferences"], json!([]));
    let rows = |register: &mut Client, search: Value| {
        register.call("customer.find", search).unwrap()["rows"].as_array().unwrap().len()
    };
    assert_eq!(rows(&mut register, json!({ "name": "xiomara quijotez", "birthday": "11-23" })), 0);
    assert_eq!(rows(&mut register, json!({ "name": "xiomara quijotez" })), 1);
    assert_eq!(rows(&mut register, json!({ "phone": "600123457" })), 1);
    scanner.scan(&[&letters]);
    assert_eq!(event(&mut register, "identified")["file"]["name"], "Xiomara Quijotez");
    register.call("customer.show", json!({ "customer": other })).unwrap();
    let log = fichad.stop();
    assert!(log.contains("retention let go") && !log.contains("Quijotez"));
    nothing_of_it_is_left(&bench.state(), &number);
    let opened: Vec<String> =
        opens(&bench.state(), &number).into_iter().map(|(section, _)| section).collect();
    for section in ["person", "family", "till"] {
        assert!(opened.contains(&section.to_owned()), "{section} is sealed under the new key: {opened:?}");
    }
    assert_eq!(opened.iter().filter(|section| *section == "person").count(), 1, "no earlier version opens");
}

#[test]
fn a_restore_of_an_older_moment_brings_nothing_of_it_back() {
    for with_keys in [false, true] {
        let (bench, scanner) = (Bench::new(), Scanner::new());
        bench.configure(&(one_till(&scanner) + TABLES));
        let fichad = bench.start();
        let (number, _) = enrol(&mut fichad.open("till-1"));
        fichad.stop();
        let older = tempfile::tempdir().unwrap();
        for folder in ["store", "vault"] {
            copy(&bench.state().join(folder), &older.path().join(folder));
        }
        let older_keys = fs::read(bench.state().join("keys")).unwrap();
        let fichad = bench.start();
        let done = write(&mut fichad.open("till-1"), "retention.run", json!({ "now": true }));
        assert_eq!(done["customers"], 1);
        fichad.stop();

        for folder in ["store", "vault"] {
            fs::remove_dir_all(bench.state().join(folder)).unwrap();
            copy(&older.path().join(folder), &bench.state().join(folder));
        }
        if with_keys {
            fs::write(bench.state().join("keys"), &older_keys).unwrap();
        }
        let scanner = Scanner::new();
        bench.configure(&(one_till(&scanner) + TABLES));
        let fichad = bench.start();
        let mut register = fichad.open("till-1");
        let refused = register.call("customer.show", json!({ "customer": number })).unwrap_err();
        assert!(refused.to_string().contains("erased"), "{refused}");
        fichad.stop();
        nothing_of_it_is_left(&bench.state(), &number);
        assert_eq!(opens(&bench.state(), &number), []);
    }
}
