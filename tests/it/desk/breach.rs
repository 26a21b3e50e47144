//! A breach assessed over a real store: whose data, what follows, and what is written down of it.

use super::*;
use fichad::domain::breach::KeyPlace;

const MANAGER: [Role; 1] = [Role::Manager];

fn assess(shop: &Shop, params: Value) -> Value {
    shop.call_as(&MANAGER, "breach.assess", &params).unwrap()
}

/// Two persons, one of them erased later, and a note.
fn filled(dir: &Path) -> (Shop, Value) {
    let shop = shop_set(dir, false, |settings| settings.vault_key = KeyPlace::Credential);
    let ana = shop.enrol("Ana", "Ruiz", "+34600111222");
    let eva = shop.enrol("Eva", "Soler", "+34600333444");
    shop.call("note.keep", &with_key(json!({ "customer": ana, "text": "rings twice" }))).unwrap();
    (shop, eva)
}

#[test]
fn whose_data_what_can_be_read_and_by_when() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, eva) = filled(dir.path());
    let stolen = json!({ "dry_run": true, "taken": ["STORE"] });
    let found = assess(&shop, stolen.clone());
    assert_eq!((&found["breach"], &found["dry_run"]), (&Value::Null, &json!(true)));
    assert_eq!(
        (&found["persons"], &found["erased"], &found["key"]),
        (&json!(2), &json!(0), &json!("CREDENTIAL"))
    );
    assert_eq!((&found["readable"], &found["authority"]), (&json!("BOOKS"), &json!("JUDGE")));
    assert_eq!((&found["tell_persons"], &found["hours_left"]), (&json!("NONE"), &json!(72)));
    let sections = found["sections"].as_array().unwrap();
    let of = |kind: &str| sections.iter().find(|row| row["section"] == kind).unwrap();
    assert_eq!((&of("person")["persons"], &of("note")["persons"]), (&json!(2), &json!(1)));
    assert!(of("person")["fields"].as_array().unwrap().contains(&json!("telephone")));
    for (language, sentence) in [("en", "34(3)(a)"), ("es", "34.3.a)")] {
        let text = found["texts"][language].as_str().unwrap();
        assert!(text.contains(sentence) && text.contains("(2)") && text.contains("________"), "{text}");
        assert!(!text.contains("Ana") && !text.contains("rings"), "{text}");
    }

    let erased =
        shop.call_as(&MANAGER, "customer.erase", &with_key(json!({ "customer": eva, "purpose": "REQUEST" })));
    erased.unwrap();
    let found = assess(&shop, stolen);
    assert_eq!((&found["persons"], &found["erased"]), (&json!(1), &json!(1)));
    let all = assess(&shop, json!({ "dry_run": true, "taken": ["KEYS", "STORE", "VAULT_KEY"] }));
    assert_eq!((&all["readable"], &all["tell_persons"]), (&json!("EVERYTHING"), &json!("DUE")));
    assert_eq!(
        shop.call_as(&MANAGER, "breach.list", &json!({})).unwrap()["rows"],
        json!([]),
        "a dry run leaves nothing"
    );
}

#[test]
fn a_breach_is_written_down_once_and_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, eva) = filled(dir.path());
    let params = with_key(json!({ "taken": ["STORE", "KEYRING"], "found_at": "2027-01-14T08:00:00Z" }));
    let first = assess(&shop, params.clone());
    assert_eq!((&first["breach"], &first["repeated"]), (&params["key"], &json!(false)));
    assert_eq!(first["notify_by"], "2027-01-17T08:00:00.000000Z");
    shop.call_as(&MANAGER, "customer.erase", &with_key(json!({ "customer": eva, "purpose": "REQUEST" })))
        .unwrap();
    let again = assess(&shop, params.clone());
    assert_eq!((&again["repeated"], &again["persons"]), (&json!(true), &json!(2)), "as it was then");
    let mut other = params.clone();
    other["taken"] = json!(["MACHINE"]);
    let refused = shop.call_as(&MANAGER, "breach.assess", &other).unwrap_err();
    assert_eq!(refused.code, RefusalCode::Conflict);
    for reader in [Role::Manager, Role::Auditor] {
        let listed = shop.call_as(&[reader], "breach.list", &json!({})).unwrap();
        let [row] = listed["rows"].as_array().unwrap().as_slice() else { panic!("{listed}") };
        assert_eq!(
            (&row["breach"], &row["readable"], &row["by"]),
            (&params["key"], &json!("MATCHING"), &json!(1000))
        );
    }
}

#[test]
fn what_makes_no_sense_is_refused_by_its_field() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, _) = filled(dir.path());
    for (params, field) in [
        (json!({ "dry_run": true, "taken": [] }), "taken"),
        (json!({ "dry_run": true, "taken": ["WALLET"] }), "taken[0]"),
        (json!({ "dry_run": true, "taken": ["STORE"], "found_at": "2199-01-01T00:00:00Z" }), "found_at"),
        (json!({ "taken": ["STORE"] }), "key"),
    ] {
        let refused = shop.call_as(&MANAGER, "breach.assess", &params).unwrap_err();
        assert_eq!(refused.field.as_deref(), Some(field), "{refused:?}");
    }
    let refused = shop.call("breach.assess", &json!({ "dry_run": true, "taken": ["STORE"] })).unwrap_err();
    assert_eq!(refused.code, RefusalCode::Forbidden);
}
