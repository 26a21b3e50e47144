//! The versions of one customer at the socket: who changed what when, an earlier one brought back, and none without its key.

use super::rig::*;
use fichad::push::client::{Client, ClientError};
use serde_json::{Value, json};
use uuid::Uuid;

const TABLES: &str = "[retention]\ndemographic = \"0 days\"\n";

fn history(register: &mut Client, customer: &Value, values: bool) -> Vec<Value> {
    let answer =
        register.call("customer.history", json!({ "customer": customer, "values": values })).unwrap();
    assert_eq!(answer["more"], false);
    answer["versions"].as_array().unwrap().clone()
}

fn change(register: &mut Client, customer: &Value, person: Value) {
    write(register, "customer.change", json!({ "customer": customer, "person": person }));
}

/// The fields of a section that a version changed.
fn fields(version: &Value, section: &str) -> Value {
    let changes = version["changes"].as_array().unwrap();
    changes
        .iter()
        .find(|change| change["section"] == section)
        .map_or(Value::Null, |change| change["fields"].clone())
}

fn reason(result: Result<Value, ClientError>) -> String {
    let Err(ClientError::Refused { reason, .. }) = result else { panic!("refused") };
    reason
}

#[test]
fn versions_tell_who_changed_what_and_come_back_while_their_key_is_there() {
    let (bench, scanner) = (Bench::new(), Scanner::new());
    bench.configure(&(one_till(&scanner) + TABLES));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    let first = json!({ "givenName": "Xiomara", "familyName": "Quijotez", "birthDay": "11-23" });
    let number = write(&mut register, "customer.enrol", json!({ "person": first }))["customer"].clone();
    let (other, ..) = customer(&mut register);
    change(
        &mut register,
        &number,
        json!({ "givenName": "Xiomara", "familyName": "Panza", "occupation": "alabardera" }),
    );
    write(&mut register, "note.keep", json!({ "customer": number, "text": "wants zanahoria" }));

    let versions = history(&mut register, &number, true);
    assert_eq!(versions.len(), 3);
    let own = json!(nix::unistd::Uid::effective().as_raw());
    for version in &versions {
        assert_eq!((&version["by"], &version["readable"]), (&own, &json!(true)), "{version}");
    }
    assert_eq!(versions[0]["changes"], json!([{ "section": "notes", "fields": null }]));
    assert_eq!(fields(&versions[1], "basic"), json!(["familyName"]));
    assert_eq!(fields(&versions[1], "demographic"), json!(["birthDay"]));
    assert_eq!(fields(&versions[1], "academic"), json!(["occupation"]));
    assert_eq!(fields(&versions[2], "basic"), json!(["familyName", "givenName"]));
    assert_eq!(versions[2]["person"], first);
    assert!(history(&mut register, &number, false).iter().all(|version| version.get("person").is_none()));
    assert_eq!(history(&mut register, &other, true).len(), 2, "a card is a version; nobody else's are here");

    // The first one comes back as a new one, once.
    let revert = json!({ "key": Uuid::new_v4(), "customer": number, "version": versions[2]["version"] });
    assert_eq!(register.call("customer.revert", revert.clone()).unwrap()["repeated"], false);
    assert_eq!(register.call("customer.revert", revert).unwrap()["repeated"], true);
    let shown = register.call("customer.show", json!({ "customer": number })).unwrap();
    assert_eq!((&shown["person"], &shown["file"]["name"]), (&first, &json!("Xiomara Quijotez")));
    assert_eq!(shown["notes"], json!(["wants zanahoria"]));
    let rows = register.call("customer.find", json!({ "name": "quijotez", "birthday": "11-23" })).unwrap();
    assert_eq!(rows["rows"].as_array().unwrap().len(), 1);
    let reverted = history(&mut register, &number, false);
    assert_eq!((reverted.len(), fields(&reverted[0], "academic")), (4, json!(["occupation"])));
    let unknown = json!({ "key": Uuid::new_v4(), "customer": other, "version": versions[2]["version"] });
    assert_eq!(reason(register.call("customer.revert", unknown)), "not_found");

    // With the old key the versions go that were sealed under it.
    assert_eq!(write(&mut register, "retention.run", json!({}))["customers"], 1);
    let after = history(&mut register, &number, true);
    assert_eq!(after.len(), 5);
    assert_eq!(after[0]["person"], json!({ "givenName": "Xiomara", "familyName": "Quijotez" }));
    for version in &after[1..] {
        assert_eq!((&version["readable"], &version["person"]), (&json!(false), &Value::Null), "{version}");
    }
    let gone = json!({ "key": Uuid::new_v4(), "customer": number, "version": versions[2]["version"] });
    assert_eq!(reason(register.call("customer.revert", gone)), "conflict");
    let log = fichad.stop();
    assert!(log.contains("a customer's history was read") && !log.contains("Quijotez"));
}
