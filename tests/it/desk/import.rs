//! Rows of another system: what is right comes in once, what is wrong is told by line and field, never by value.

use super::*;

fn import(shop: &Shop, id: Uuid, rows: &Value, more: &Value) -> Result<Value, Refusal> {
    let mut params = json!({ "import": id, "rows": rows });
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    shop.call_as(&[Role::Manager], "customer.import", &params)
}

fn person(given: &str, phone: &str) -> Value {
    json!({ "givenName": given, "familyName": "Prueba", "telephone": [{ "e164": phone }] })
}

fn found(shop: &Shop, search: &Value) -> Vec<Value> {
    shop.call("customer.find", search).unwrap()["rows"].as_array().unwrap().clone()
}

#[test]
fn a_row_brings_person_cards_and_balance_and_comes_in_once() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let ours = fichad::domain::code::CardKey([7; 10]).letters(Programme::default());
    let mut whole = person("Xiomara", "600 555 001");
    whole["birthDay"] = json!("11-23");
    let rows = json!([
        { "line": 2, "person": whole, "cards": [{ "code": "2912345678903" }, { "code": ours.reveal() }],
          "points": [{ "points": 120, "expires_on": "2027-03-31" }, { "points": 30, "expires_on": "2028-01-31" }, { "points": 0 }] },
        { "line": 3, "cards": [{ "code": "2900000000018", "programme": "old-cards" }], "points": [{ "points": 5 }] },
    ]);
    let id = Uuid::new_v4();
    let dry = import(&shop, id, &rows, &json!({ "dry_run": true })).unwrap();
    assert_eq!((&dry["imported"], &dry["problems"]), (&json!(2), &json!([])));
    assert!(found(&shop, &json!({ "phone": "600 555 001" })).is_empty(), "a dry run writes nothing");

    let done = import(&shop, id, &rows, &json!({})).unwrap();
    assert_eq!((&done["imported"], &done["before"], &done["problems"]), (&json!(2), &json!(0), &json!([])));
    assert!(
        dry["rows"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["became"] == "IMPORTED" && row["customer"].is_null())
    );
    let again = import(&shop, id, &rows, &json!({})).unwrap();
    assert_eq!((&again["imported"], &again["before"]), (&json!(0), &json!(2)));
    let told = |answer: &Value| -> Vec<Value> {
        let row = |row: &Value| json!([row["line"], row["became"], row["customer"]]);
        answer["rows"].as_array().unwrap().iter().map(row).collect()
    };
    let number = |line: usize| done["rows"][line]["customer"].clone();
    assert_eq!(told(&done), [json!([2, "IMPORTED", number(0)]), json!([3, "IMPORTED", number(1)])]);
    assert_eq!(told(&again), [json!([2, "BEFORE", number(0)]), json!([3, "BEFORE", number(1)])]);

    let one = found(&shop, &json!({ "phone": "600 555 001" }));
    assert_eq!(one.len(), 1, "{one:?}");
    let customer = &one[0]["customer"];
    assert_eq!(*customer, number(0), "the row's number is the customer's");
    assert_eq!(found(&shop, &json!({ "code": ours.reveal() }))[0]["customer"], *customer);
    assert_eq!(found(&shop, &json!({ "name": "xiomara", "birthday": "11-23" })).len(), 1);
    let shown = shop.call("customer.show", &json!({ "customer": customer })).unwrap();
    assert_eq!(shown["file"]["name"], "Xiomara Prueba");
    let kinds: Vec<&Value> = shown["cards"].as_array().unwrap().iter().map(|card| &card["kind"]).collect();
    assert_eq!(kinds, ["ALIAS", "PLASTIC"]);
    let points = shop.call("points.show", &json!({ "customer": customer })).unwrap();
    assert_eq!(points["available"], 150);
    assert_eq!(points["expiring"], json!({ "points": 120, "at": "2027-04-01T00:00:00.000000Z" }));
    let ledger = shop.call("points.list", &json!({ "customer": customer })).unwrap();
    let kinds: Vec<&Value> =
        ledger["entries"].as_array().unwrap().iter().map(|entry| &entry["kind"]).collect();
    assert_eq!(kinds, ["IMPORT", "IMPORT"]);

    // Without a person a card leads to its customer all the same.
    let alias = fichad::domain::code::Alias { programme: "old-cards".into(), code: "2900000000018".into() };
    let anonymous = shop.desk.alias(&alias).unwrap().unwrap().customer;
    let points = shop.call("points.show", &json!({ "customer": anonymous.customer })).unwrap();
    assert_eq!(points["available"], 5);
}

#[test]
fn what_is_wrong_is_told_by_line_and_field_and_keeps_nothing_else_back() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let rows = json!([
        { "line": 2, "person": person("Ana", "600 555 002"), "cards": [{ "code": "2900000000025" }] },
        { "line": 3, "person": person("Secreta", "1") },
        { "line": 4, "person": { "givenName": "Secreta", "birthDay": "02-30" } },
        { "line": 5, "person": { "givenName": "4111 1111 1111 1111" } },
        { "line": 6, "cards": [{ "code": "4111111111111111" }] },
        { "line": 7, "cards": [{ "code": "9999" }] },
        { "line": 8, "cards": [{ "code": "2900000000025" }] },
        { "line": 9, "cards": [{ "code": "1", "programme": "nobody's" }] },
        { "line": 10, "person": person("Secreta", "600 555 003"), "points": [{ "points": -5 }] },
        { "line": 11, "person": person("Secreta", "600 555 003"), "points": [{ "points": 5, "expires_on": "2020-01-31" }] },
        { "line": 12, "points": [{ "points": 5 }] },
        { "line": 13, "person": person("Secreta", "600 555 003"), "shoe": 43 },
        { "line": 14, "person": person("Eva", "600 555 004") },
        { "line": 15, "person": person("Secreta", "12345") },
        { "line": 16, "person": person("Secreta", "+34 600 555 0033") },
    ]);
    let id = Uuid::new_v4();
    let wanted = json!([
        [3, "person.telephone[0].e164"],
        [4, "person.birthDay"],
        [5, "person.givenName"],
        [6, "cards[0].code"],
        [7, "cards[0].code"],
        [8, "cards[0].code"],
        [9, "cards[0].programme"],
        [10, "points[0].points"],
        [11, "points[0].expires_on"],
        [12, "person"],
        [13, "shoe"],
        [15, "person.telephone[0].e164"],
        [16, "person.telephone[0].e164"],
    ]);
    let done = import(&shop, id, &rows, &json!({})).unwrap();
    let problems = done["problems"].as_array().unwrap();
    let said: Vec<Value> = problems.iter().map(|row| json!([row["line"], row["field"]])).collect();
    assert_eq!((done["imported"].as_i64(), json!(said)), (Some(2), wanted));
    for value in ["Secreta", "600555003", "4111", "02-30", "9999", "2900000000025"] {
        assert!(!done.to_string().contains(value), "{value}");
    }
    let length = problems[11]["problem"].as_str().unwrap();
    assert!(length.contains("9 digits"), "{length}");
    for phone in ["12345", "+34 600 555 0033"] {
        let enrol = shop
            .call("customer.enrol", &with_key(json!({ "person": person("Secreta", phone) })))
            .unwrap_err();
        assert_eq!(
            (enrol.field.as_deref(), enrol.message.as_str()),
            (Some("person.telephone[0].e164"), length)
        );
    }
    // Another row on the same line is another wish.
    let changed = json!([{ "line": 14, "person": person("Eva", "600 555 005") }]);
    let done = import(&shop, id, &changed, &json!({})).unwrap();
    assert!(done["problems"][0]["problem"].as_str().unwrap().contains("imported before"), "{done}");
    assert!(found(&shop, &json!({ "phone": "600 555 005" })).is_empty());
}

#[test]
fn who_is_known_is_told_and_left_out_where_that_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let kept = shop.enrol("Ana", "Prueba", "600 555 006");
    let gone = shop.enrol("Eva", "Prueba", "600 555 007");
    let erase = with_key(json!({ "customer": gone, "purpose": "REQUEST" }));
    shop.call_as(&[Role::Manager], "customer.erase", &erase).unwrap();
    let rows = json!([
        { "line": 2, "person": person("Ana", "600 555 006") },
        { "line": 3, "person": person("Eva", "600 555 007") },
    ]);
    let skipping = import(&shop, Uuid::new_v4(), &rows, &json!({ "skip_known": true })).unwrap();
    assert_eq!((&skipping["imported"], &skipping["skipped"]), (&json!(1), &json!(1)));
    assert_eq!((&skipping["known"], &skipping["opted_out"]), (&json!([2]), &json!([3])));
    assert_eq!(skipping["rows"][0], json!({ "line": 2, "became": "SKIPPED", "customer": null }));
    assert_eq!(found(&shop, &json!({ "phone": "600 555 006" }))[0]["customer"], kept);
    let both = import(&shop, Uuid::new_v4(), &rows, &json!({})).unwrap();
    assert_eq!((&both["imported"], &both["known"]), (&json!(2), &json!([2, 3])));
    assert_eq!(found(&shop, &json!({ "phone": "600 555 006" })).len(), 2);
}

#[test]
fn rows_are_compared_with_all_who_are_here_where_that_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let born = |given: &str, phone: &str| {
        let mut person = person(given, phone);
        (person["birthDay"], person["birthYear"]) = (json!("03-14"), json!(1987));
        person
    };
    let kept = with_key(json!({ "person": born("Francisca", "600 555 009") }));
    let kept = shop.call("customer.enrol", &kept).unwrap()["customer"].clone();
    let rows = json!([
        { "line": 2, "person": born("Paqui", "600 555 009") },
        { "line": 3, "person": born("Xiomara", "600 555 010") },
        { "line": 4, "person": born("Xiomara", "600 555 010") },
        { "line": 5, "cards": [{ "code": "2900000000018", "programme": "old-cards" }] },
    ]);
    let lines = |done: &Value| -> Vec<Value> {
        done["alike"].as_array().unwrap().iter().map(|row| row["line"].clone()).collect()
    };
    let dry = import(&shop, Uuid::new_v4(), &rows, &json!({ "dry_run": true, "compare": true })).unwrap();
    assert_eq!(
        (lines(&dry), &dry["imported"]),
        (vec![json!(2)], &json!(4)),
        "nobody of the file is here yet"
    );
    let id = Uuid::new_v4();
    let done = import(&shop, id, &rows, &json!({ "compare": true })).unwrap();
    assert_eq!((lines(&done), &done["imported"]), ([2, 3, 4].map(|line| json!(line)).to_vec(), &json!(4)));
    let twin = &done["alike"][0]["duplicates"][0];
    assert_eq!((&twin["customer"], &twin["household"]), (&kept, &json!(false)));
    assert!(twin["score"].as_i64().unwrap() > 0);
    for value in ["Francisca", "Paqui", "Prueba", "600555009", "•"] {
        assert!(!done.to_string().contains(value), "{value}");
    }
    let again = import(&shop, id, &rows, &json!({ "compare": true })).unwrap();
    assert_eq!(
        (lines(&again), &again["before"]),
        (vec![], &json!(4)),
        "what was imported before is not compared again"
    );
    let without = json!([{ "line": 2, "person": born("Paca", "600 555 009") }]);
    assert_eq!(import(&shop, Uuid::new_v4(), &without, &json!({})).unwrap()["alike"], json!([]));
    let trail = shop.call_as(&[Role::Auditor], "audit.list", &json!({ "customer": kept })).unwrap();
    assert_eq!(trail["rows"][0]["method"], "customer.import", "who may be whom is told to somebody");
}

#[test]
fn a_locked_vault_takes_no_row_and_a_till_imports_nothing() {
    let dir = tempfile::tempdir().unwrap();
    drop(shop_in(dir.path(), false));
    let shop = shop_in(dir.path(), true);
    let rows = json!([{ "line": 2, "person": person("Ana", "600 555 008") }]);
    assert_eq!(import(&shop, Uuid::new_v4(), &rows, &json!({})).unwrap_err().code, RefusalCode::Locked);
    let params = json!({ "import": Uuid::new_v4(), "rows": rows });
    assert_eq!(shop.call("customer.import", &params).unwrap_err().code, RefusalCode::Forbidden);
    let none = import(&shop, Uuid::new_v4(), &json!([]), &json!({})).unwrap_err();
    assert_eq!(none.field.as_deref(), Some("rows"));
    let lineless = import(&shop, Uuid::new_v4(), &json!([{ "person": {} }]), &json!({})).unwrap_err();
    assert_eq!(lineless.code, RefusalCode::Locked, "the vault is asked for first");
}
