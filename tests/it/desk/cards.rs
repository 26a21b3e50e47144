//! Cards of a household, and cards whose time is over.

use super::*;
use fichad::desk::file::CustomerFile;
use fichad::domain::card::CardAlert;

fn cards(shop: &Shop, customer: &Value) -> Vec<Value> {
    let listed = shop.call("card.list", &json!({ "customer": customer })).unwrap();
    listed["cards"].as_array().unwrap().clone()
}

/// The file that the till is shown of the card printed last.
fn file(shop: &Shop) -> CustomerFile {
    let file = shop.desk.file(&shop.scan_last().unwrap()).unwrap();
    serde_json::from_str(file.get()).unwrap()
}

fn holder(shop: &Shop) -> Option<String> {
    file(shop).holder
}

fn pass(shop: &Shop, days: u64) {
    let mut clock = shop.clock.0.lock().unwrap();
    *clock = clock.saturating_add(Duration::from_hours(days.saturating_mul(24)));
}

#[test]
fn each_of_a_household_is_greeted_by_their_own_card() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let ana = shop.enrol("Ana", "Ruiz", "+34600111222");
    let print = |params: Value| shop.call("card.print", &with_key(params)).unwrap()["card"].clone();
    print(json!({ "customer": ana }));
    assert_eq!(holder(&shop), None, "the customer's own");
    let of_eva = print(json!({ "customer": ana, "holder": "Eva" }));
    let face = shop.tray.0.lock().unwrap().last().unwrap().name.clone();
    assert_eq!((holder(&shop).as_deref(), face.as_deref()), (Some("Eva"), Some("Eva")));
    assert_eq!(file(&shop).name.as_deref(), Some("Ana Ruiz"), "whose file it is");

    let lost = json!({ "customer": ana, "card": of_eva, "reason": "LOST" });
    let next = shop.call("card.replace", &with_key(lost)).unwrap()["card"].clone();
    let face = shop.tray.0.lock().unwrap().last().unwrap().name.clone();
    assert_eq!((holder(&shop).as_deref(), face.as_deref()), (Some("Eva"), Some("Eva")), "as the old one");
    let named = |name: Value| json!({ "customer": ana, "card": next, "holder": name });
    shop.call("card.holder", &with_key(named(json!("Ev\u{e1}")))).unwrap();
    assert_eq!(holder(&shop).as_deref(), Some("Ev\u{e1}"));
    let rows = cards(&shop, &ana);
    let names: Vec<&Value> = rows.iter().map(|row| &row["holder"]).collect();
    assert_eq!(names, [&json!(null), &json!("Eva"), &json!("Ev\u{e1}")]);
    shop.call("card.holder", &with_key(named(json!(null)))).unwrap();
    assert_eq!(holder(&shop), None);

    for wrong in [json!(""), json!("x".repeat(41)), json!("4111 1111 1111 1111")] {
        let refused = shop.call("card.holder", &with_key(named(wrong))).unwrap_err();
        assert_eq!(refused.field.as_deref(), Some("holder"), "{refused:?}");
    }
    let replaced = json!({ "customer": ana, "card": of_eva, "holder": "Eva" });
    assert_eq!(
        shop.call("card.holder", &with_key(replaced)).unwrap_err().code,
        RefusalCode::Conflict,
        "a card that was replaced"
    );
}

#[test]
fn a_household_that_is_merged_and_parted_keeps_its_holders() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let (ana, twice) = (shop.enrol("Ana", "Ruiz", "+34600111222"), shop.enrol("Ana", "Ruis", "+34600111222"));
    let of_eva = json!({ "customer": twice, "holder": "Eva" });
    let card = shop.call("card.print", &with_key(of_eva)).unwrap()["card"].clone();
    let merge = with_key(json!({ "from": twice, "into": ana }));
    shop.call("customer.merge", &merge).unwrap();
    assert_eq!(holder(&shop).as_deref(), Some("Eva"));
    let named = json!({ "customer": ana, "card": card, "holder": "Luz" });
    shop.call("card.holder", &with_key(named)).unwrap();
    assert_eq!(holder(&shop).as_deref(), Some("Luz"));
    let own = json!({ "customer": ana, "card": card });
    shop.call("card.holder", &with_key(own)).unwrap();
    assert_eq!(holder(&shop), None, "nor by the name that the other file had for it");
}

#[test]
fn a_card_is_honoured_to_the_end_of_its_last_day() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_set(dir.path(), false, |settings| settings.card_months = Some(1));
    let ana = shop.enrol("Ana", "Ruiz", "+34600111222");
    let card = shop.call("card.print", &with_key(json!({ "customer": ana }))).unwrap()["card"].clone();
    assert_eq!(cards(&shop, &ana)[0]["valid_until"], "2027-02-15", "a month, as the config has it");
    pass(&shop, 31);
    assert_eq!(shop.scan_last().unwrap().status.word(), "ACTIVE", "the last day");
    pass(&shop, 2);
    let found = shop.scan_last().unwrap();
    let reason = found.reason.map(|reason| reason.word());
    assert_eq!((found.status.word(), reason), ("EXPIRED", Some("EXPIRED")));
    let row = &cards(&shop, &ana)[0];
    assert_eq!((&row["status"], &row["reason"]), (&json!("EXPIRED"), &json!("EXPIRED")));

    let until = |day: Value| json!({ "customer": ana, "card": card, "valid_until": day });
    let refused = shop.call("card.validity", &with_key(until(json!("2027-02-01")))).unwrap_err();
    assert_eq!(refused.field.as_deref(), Some("valid_until"));
    shop.call("card.validity", &with_key(until(json!("2027-03-01")))).unwrap();
    assert_eq!(shop.scan_last().unwrap().status.word(), "ACTIVE");
    pass(&shop, 30);
    assert_eq!(shop.scan_last().unwrap().status.word(), "EXPIRED");
    let replace = json!({ "customer": ana, "card": card, "reason": "EXPIRED", "valid_until": "2028-01-31" });
    shop.call("card.replace", &with_key(replace)).unwrap();
    assert_eq!(shop.scan_last().unwrap().status.word(), "ACTIVE");
    assert_eq!(cards(&shop, &ana)[1]["valid_until"], "2028-01-31");
    let next = cards(&shop, &ana)[1]["card"].clone();
    let for_good = with_key(json!({ "customer": ana, "card": next }));
    assert_eq!(shop.call("card.validity", &for_good).unwrap()["valid_until"], Value::Null);
    pass(&shop, 5_000);
    assert_eq!(shop.scan_last().unwrap().status.word(), "ACTIVE", "for good");
}

#[test]
fn cards_whose_time_is_over_make_room_for_others() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let ana = shop.enrol("Ana", "Ruiz", "+34600111222");
    let issue =
        || shop.call("card.issue", &with_key(json!({ "customer": ana, "valid_until": "2027-01-31" })));
    for _ in 0..16 {
        issue().unwrap();
    }
    assert_eq!(issue().unwrap_err().code, RefusalCode::Conflict);
    pass(&shop, 30);
    shop.call("card.print", &with_key(json!({ "customer": ana }))).unwrap();
    assert_eq!(shop.scan_last().unwrap().status.word(), "ACTIVE");
    let words: Vec<Value> = cards(&shop, &ana).iter().map(|card| card["status"].clone()).collect();
    assert_eq!(words.iter().filter(|word| **word == "EXPIRED").count(), 15, "{words:?}");
}

#[test]
fn only_what_somebody_can_say_of_a_card_is_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let ana = shop.enrol("Ana", "Ruiz", "+34600111222");
    let card = shop.call("card.print", &with_key(json!({ "customer": ana }))).unwrap()["card"].clone();
    let said = |reason: &str| with_key(json!({ "customer": ana, "card": card, "reason": reason }));
    let refused = shop.call("card.block", &said("EXPIRED")).unwrap_err();
    assert_eq!((refused.code, refused.field.as_deref()), (RefusalCode::InvalidParams, Some("reason")));
    shop.call("card.block", &said("NOT_PRINTED")).unwrap();
    assert_eq!(cards(&shop, &ana)[0]["reason"], "NOT_PRINTED");
    let refused = shop.call("card.unblock", &said("LOST")).unwrap_err();
    assert_eq!(refused.code, RefusalCode::InvalidParams, "nothing is taken that is not kept");
    shop.call("card.unblock", &with_key(json!({ "customer": ana, "card": card }))).unwrap();
    assert_eq!(cards(&shop, &ana)[0]["reason"], Value::Null);
}

#[test]
fn a_stopped_card_that_is_shown_can_be_asked_for_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let (ana, eva) = (shop.enrol("Ana", "Ruiz", "+34600111222"), shop.enrol("Eva", "Sanz", "+34600333444"));
    let alerts = |shop: &Shop, params: Value| {
        let answer = shop.call("card.alerts", &params).unwrap();
        assert_eq!(answer["next"], Value::Null);
        answer["alerts"].as_array().unwrap().clone()
    };
    let show = |customer: &Value, reason: &str| {
        let card =
            shop.call("card.print", &with_key(json!({ "customer": customer }))).unwrap()["card"].clone();
        let block = json!({ "customer": customer, "card": card, "reason": reason });
        shop.call("card.block", &with_key(block)).unwrap();
        let found = shop.scan_last().unwrap();
        let (register, reader) = (RegisterName::new("till-2").unwrap(), ReaderName::new("counter").unwrap());
        let customer = found.customer.customer;
        let alert = CardAlert {
            customer,
            card: found.card,
            status: found.status,
            reason: found.reason,
            register,
            reader,
        };
        shop.desk.record_alert(alert).unwrap().wait().unwrap();
        card
    };
    assert_eq!(alerts(&shop, json!({})), Vec::<Value>::new());
    let stolen = show(&ana, "STOLEN");
    let first_at = shop.clock.utc().rfc3339();
    pass(&shop, 1);
    let lost = show(&eva, "LOST");
    let rows = alerts(&shop, json!({}));
    let wanted = json!({ "at": first_at, "customer": ana, "card": stolen, "status": "BLOCKED", "reason": "STOLEN",
        "register": "till-2", "reader": "counter" });
    assert_eq!((rows.len(), &rows[1]), (2, &wanted), "the latest first");
    for params in [json!({ "customer": ana }), json!({ "card": stolen }), json!({ "before": rows[0]["at"] })]
    {
        assert_eq!(alerts(&shop, params.clone()), std::slice::from_ref(&wanted), "{params}");
    }
    let told = include_str!("../../../src/push/PROTOCOL.md").split("### card.alerts").nth(1).unwrap();
    let names = wanted
        .as_object()
        .unwrap()
        .keys()
        .all(|name| told.lines().take(12).any(|line| line.contains(&format!("`{name}`"))));
    assert!(names, "PROTOCOL.md says what a row has");
    let refused = shop.call_as(&[Role::Register], "card.alerts", &json!({})).unwrap_err();
    assert_eq!(refused.code, RefusalCode::Forbidden);

    let export = json!({ "customer": ana, "part": "events" });
    assert!(
        shop.call("customer.export", &export).unwrap().to_string().contains("blocked_card_shown"),
        "the person is told"
    );
    shop.call("customer.merge", &with_key(json!({ "from": ana, "into": eva, "sure": true }))).unwrap();
    assert_eq!(
        alerts(&shop, json!({ "customer": eva })).len(),
        2,
        "also what was shown under the other number"
    );
    // A year on, the next one has the old ones forgotten.
    pass(&shop, 366);
    let last = show(&eva, "MISUSE");
    let cards: Vec<Value> = alerts(&shop, json!({})).iter().map(|row| row["card"].clone()).collect();
    assert_eq!(cards, [last, lost]);
}
