//! Finding customers at the socket: as they are written, as they sound, with a slip, with a birthday or a postcode.

use super::rig::*;
use fichad::push::client::{Client, ClientError};
use serde_json::{Value, json};

fn enrol(register: &mut Client, person: Value) -> Value {
    write(register, "customer.enrol", json!({ "person": person }))["customer"].clone()
}

/// Who is found, the likeliest first.
fn found(register: &mut Client, search: Value) -> Vec<Value> {
    let answer = register.call("customer.find", search).unwrap();
    let rows = answer["rows"].as_array().unwrap();
    let scores: Vec<i64> = rows.iter().map(|row| row["score"].as_i64().unwrap()).collect();
    assert!(scores.is_sorted_by(|one, other| one >= other), "{scores:?}");
    rows.iter().map(|row| row["customer"].clone()).collect()
}

#[test]
fn names_are_found_by_sound_slip_birthday_and_postcode_and_stand_in_no_file() {
    let (bench, scanner) = (Bench::new(), Scanner::new());
    bench.configure(&one_till(&scanner));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    let born = |name: &str, day: &str, code: &str| {
        json!({ "givenName": name, "familyName": "Quijotez", "familyName2": "Gim\u{e9}nez", "birthDay": day,
            "address": [{ "addressCountry": "ES", "postalCode": code, "addressLocality": "Zarzaparrilla" }] })
    };
    let francisco = enrol(&mut register, born("Francisco", "03-14", "28013"));
    let other = enrol(&mut register, born("Francisco", "12-01", "08001"));
    let rajesh = enrol(&mut register, json!({ "givenName": "\u{930}\u{93e}\u{91c}\u{947}\u{936}" }));
    let wang = enrol(&mut register, json!({ "givenName": "\u{5c0f}\u{660e}", "familyName": "\u{738b}" }));

    let by = |name: &str| json!({ "name": name });
    for name in ["francisco quijotez", "paco quijotes", "fransisco kijotez", "francisco qiujotez", "jimenes"]
    {
        let mut both = found(&mut register, by(name));
        both.sort_by_key(Value::to_string);
        let mut wanted = vec![francisco.clone(), other.clone()];
        wanted.sort_by_key(Value::to_string);
        assert_eq!(both, wanted, "{name}");
    }
    for (narrow, value) in [("birthday", "03-14"), ("birthday", "1980-03-14"), ("postcode", "28013")] {
        let mut search = by("paco quijotes");
        search[narrow] = json!(value);
        assert_eq!(found(&mut register, search), std::slice::from_ref(&francisco), "{narrow} {value}");
    }
    assert_eq!(found(&mut register, by("\u{930}\u{93e}\u{91c}\u{947}\u{936}")), [rajesh]);
    assert_eq!(found(&mut register, by("\u{738b}\u{5c0f}\u{660e}")), [wang]);
    assert!(found(&mut register, by("sancho")).is_empty());
    for wrong in [
        json!({ "birthday": "03-14" }),
        json!({ "phone": "600123456", "postcode": "28013" }),
        json!({ "name": "paco", "birthday": "14 March" }),
    ] {
        let refused = register.call("customer.find", wrong).unwrap_err();
        assert!(matches!(refused, ClientError::Refused { code: -32602, .. }), "{refused}");
    }

    // Changed, the old birthday and postcode lead nowhere, and what is left out is gone.
    let changed =
        json!({ "customer": francisco, "person": { "givenName": "Francisco", "familyName": "Quijotez" } });
    write(&mut register, "customer.change", changed);
    for (narrow, value) in [("birthday", "03-14"), ("postcode", "28013")] {
        assert!(
            found(&mut register, json!({ "name": "francisco quijotez", narrow: value })).is_empty(),
            "{narrow}"
        );
    }
    let shown = register.call("customer.show", json!({ "customer": francisco })).unwrap();
    assert_eq!(shown["person"], json!({ "givenName": "Francisco", "familyName": "Quijotez" }));
    fichad.stop();
    for (path, bytes) in files(&bench.state()) {
        let text = String::from_utf8_lossy(&bytes);
        for secret in ["Quijotez", "quijotez", "Zarzaparrilla", "francisco"] {
            assert_eq!(stands_in(&text, secret), None, "{}", path.display());
        }
    }
}

#[test]
fn an_enrolment_says_that_a_telephone_number_is_known_and_is_done_all_the_same() {
    let (bench, scanner) = (Bench::new(), Scanner::new());
    bench.configure(&one_till(&scanner));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    let mut known = |person: Value| {
        let request = json!({ "key": uuid::Uuid::new_v4(), "person": person });
        let answer = register.call("customer.enrol", request.clone()).unwrap();
        let again = register.call("customer.enrol", request).unwrap();
        assert_eq!(again["known"], answer["known"], "a retry does not find itself");
        answer["known"].clone()
    };
    let phone = json!([{ "e164": "+34600123457" }]);
    assert_eq!(known(json!({ "givenName": "Ana", "telephone": phone })), false);
    assert_eq!(known(json!({ "givenName": "Eva", "email": [{ "addr": "eva@example.org" }] })), false);
    assert_eq!(known(json!({ "givenName": "Luis", "telephone": phone })), true);
    assert_eq!(known(json!({ "givenName": "Eva", "email": [{ "addr": "EVA@example.org" }] })), true);
    assert_eq!(known(json!({ "givenName": "Ana" })), false);
}
