//! Consents, contacts and plans seen from outside: pushed with a scan, erased with their person, let go when their time is over.

use super::erasure::{copy, found};
use super::rig::*;
use fichad::push::client::Client;
use serde_json::{Value, json};
use std::fs;

const CONSENTS: &str = "[[consent]]\npurpose = \"OFFERS\"\nchannels = [\"EMAIL\"]\n\
    [[consent]]\npurpose = \"SURVEYS\"\nbasis = \"interest\"\nchannels = [\"EMAIL\"]\n\
    [[consent_text]]\npurpose = \"OFFERS\"\nlanguage = \"es\"\nversion = \"1\"\ntext = \"¿Podemos escribirle?\"\n";

/// A customer of whom there is one of everything; gives number, letters of the card, and the words' name.
fn enrol(register: &mut Client) -> (Value, String) {
    let person = json!({ "givenName": "Xiomara", "email": [{ "addr": "quijotez@example.org" }] });
    let number = write(register, "customer.enrol", json!({ "person": person }))["customer"].clone();
    let card = write(register, "card.issue", json!({ "customer": number }));
    let texts = register.call("consent.texts", json!({})).unwrap();
    let words = &texts["purposes"][0]["texts"][0]["text"];
    let yes = json!({ "customer": number, "purpose": "OFFERS", "channel": "EMAIL", "state": "GRANTED", "text": words,
        "evidence": "zanahoria" });
    write(register, "consent.record", yes);
    let mail =
        json!({ "customer": number, "channel": "EMAIL", "direction": "OUT", "campaign": "zarzaparrilla" });
    write(register, "contact.record", mail);
    let shown = register.call("customer.show", json!({ "customer": number })).unwrap();
    let today = &shown["enrolled_at"].as_str().unwrap()[..10];
    let plan =
        json!({ "customer": number, "category": "alabardera", "from": today, "to": today, "source": "CHAT" });
    write(register, "plan.add", plan);
    (number, card["letters"].as_str().unwrap().to_owned())
}

fn secrets() -> Vec<Vec<u8>> {
    ["zanahoria", "zarzaparrilla", "alabardera", "GRANTED"].map(|text| text.as_bytes().to_vec()).to_vec()
}

#[test]
fn a_scan_pushes_plans_and_questions_and_erasure_takes_them_all() {
    let bench = Bench::new();
    let mut scanner = Scanner::new();
    bench.configure(&(one_till(&scanner) + CONSENTS));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    let (unasked, _, letters) = customer(&mut register);
    scanner.scan(&[&letters]);
    let file = event(&mut register, "identified")["file"].clone();
    assert_eq!(file["consents_due"], json!([{ "purpose": "OFFERS", "channels": ["EMAIL"] }]), "{unasked}");
    let (number, letters) = enrol(&mut register);
    scanner.scan(&[&letters]);
    let file = event(&mut register, "identified")["file"].clone();
    assert_eq!((&file["plans"][0]["category"], file.get("consents_due")), (&json!("alabardera"), None));
    fichad.stop();
    assert_eq!(found(&bench.state(), &secrets()), [""; 0], "nothing stands in clear");
    let older = tempfile::tempdir().unwrap();
    for folder in ["store", "vault"] {
        copy(&bench.state().join(folder), &older.path().join(folder));
    }

    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    write(&mut register, "customer.erase", json!({ "customer": number, "purpose": "REQUEST", "now": true }));
    fichad.stop();
    // A store of before the erasure knows nothing of it either.
    for folder in ["store", "vault"] {
        fs::remove_dir_all(bench.state().join(folder)).unwrap();
        copy(&older.path().join(folder), &bench.state().join(folder));
    }
    let scanner = Scanner::new();
    bench.configure(&(one_till(&scanner) + CONSENTS));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    for method in ["customer.show", "consent.list", "contact.list", "plan.list"] {
        let refused = register.call(method, json!({ "customer": number })).unwrap_err();
        assert!(refused.to_string().contains("erased"), "{method}: {refused}");
    }
    let reasons = |register: &mut Client, customer: &Value| {
        let rows = register.call("contact.may", json!({ "customers": [customer] })).unwrap()["rows"].clone();
        rows.as_array().unwrap().iter().map(|row| row["reason"].clone()).collect::<Vec<Value>>()
    };
    assert_eq!(reasons(&mut register, &number), ["ERASED", "ERASED"]);
    let person = json!({ "givenName": "Xiomara", "email": [{ "addr": "quijotez@example.org" }] });
    let again = write(&mut register, "customer.enrol", json!({ "person": person }));
    assert_eq!(again["opted_out"], true);
    assert_eq!(reasons(&mut register, &again["customer"]), ["NO_CONSENT", "OPTED_OUT"]);
    fichad.stop();
}

#[test]
fn what_is_over_is_let_go_and_the_till_forgets_it_too() {
    let bench = Bench::new();
    let mut scanner = Scanner::new();
    let retention = "[retention]\nconsents = \"0 days\"\nplans = \"0 days\"\n";
    bench.configure(&(one_till(&scanner) + CONSENTS + retention));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    let (number, letters) = enrol(&mut register);
    let done = write(&mut register, "retention.run", json!({ "now": true }));
    let count = |section: &str| {
        let rows = done["rows"].as_array().unwrap();
        rows.iter().find(|row| row["section"] == section).unwrap()["customers"].clone()
    };
    assert_eq!(["consents", "plans", "contacts"].map(count), [json!(1), json!(1), json!(0)]);
    let mut list = |method: &str, field: &str| {
        register.call(method, json!({ "customer": number })).unwrap()[field].as_array().unwrap().len()
    };
    let left = [("consent.list", "records"), ("plan.list", "plans"), ("contact.list", "contacts")];
    assert_eq!(left.map(|(method, field)| list(method, field)), [0, 0, 1]);
    scanner.scan(&[&letters]);
    let file = event(&mut register, "identified")["file"].clone();
    assert_eq!((file["consents_due"][0]["purpose"].clone(), file.get("plans")), (json!("OFFERS"), None));
    let history = register.call("customer.history", json!({ "customer": number })).unwrap().to_string();
    for section in ["consents", "contacts", "plans"] {
        assert!(history.contains(&format!("\"{section}\"")), "{history}");
    }
    fichad.stop();
}
