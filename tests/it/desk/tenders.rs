//! Sales that are paid with points: money and ledger agree, and what comes back brings the same lots back.

#![expect(clippy::arithmetic_side_effects, reason = "numbers of a test are small")]

use super::*;

/// A lamp for 20.00.
fn sell(shop: &Shop, customer: &Value, number: &str, tenders: Value) -> Result<Value, Refusal> {
    let lines = json!([{ "sku": "LAMP", "quantity": 2000, "unit_price": 1000, "amount": 2000 }]);
    let receipt = json!({ "number": number, "day": "2027-01-15", "currency": "EUR", "lines": lines,
        "tenders": tenders, "total": 2000 });
    let mut params = with_key(json!({ "receipt": receipt }));
    if !customer.is_null() {
        params["customer"] = customer.clone();
    }
    shop.call("sale.record", &params)
}

fn bring_back(
    shop: &Shop,
    sale: &Value,
    number: &str,
    pieces: i64,
    tenders: Value,
) -> Result<Value, Refusal> {
    let receipt = json!({ "number": number, "day": "2027-01-15", "tenders": tenders });
    let lines = json!([{ "line": 1, "quantity": pieces * 1000 }]);
    shop.call("sale.return", &with_key(json!({ "sale": sale, "receipt": receipt, "lines": lines })))
}

fn earn(shop: &Shop, customer: &Value, points: i64) {
    shop.call("points.earn", &with_key(json!({ "customer": customer, "points": points }))).unwrap();
}

fn hold(shop: &Shop, customer: &Value, points: i64) -> Value {
    let held = shop.call("points.hold", &with_key(json!({ "customer": customer, "points": points })));
    held.unwrap()["hold"].clone()
}

/// Points available, those of them that expire first, and when.
fn lots(shop: &Shop, customer: &Value) -> (i64, i64, String) {
    let shown = shop.call("points.show", &json!({ "customer": customer })).unwrap();
    assert_eq!((&shown["held"], &shown["debt"]), (&json!(0), &json!(0)));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let expiring = &shown["expiring"];
    let number = |value: &Value| value.as_i64().unwrap_or_default();
    (number(&shown["available"]), number(&expiring["points"]), text(&expiring["at"]))
}

fn forward(shop: &Shop, days: u64) {
    *shop.clock.0.lock().unwrap() += Duration::from_hours(24 * days);
}

/// A customer with 100 points of January and 200 of February, where it is the fourth.
fn two_lots(shop: &Shop) -> Value {
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    earn(shop, &customer, 100);
    forward(shop, 20);
    earn(shop, &customer, 200);
    customer
}

#[test]
fn what_was_paid_with_points_comes_back_to_the_same_lots_in_proportion() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = two_lots(&shop);
    let before = lots(&shop, &customer);
    assert_eq!((before.0, before.1), (300, 100));
    // More is set aside than is spent: the rest is free again.
    let set_aside = hold(&shop, &customer, 250);
    let tenders = json!([{ "kind": "CASH", "amount": 1000 },
        { "kind": "POINTS", "amount": 1000, "points": 150, "hold": set_aside }]);
    let sale = sell(&shop, &customer, "1", tenders.clone()).unwrap();
    assert_eq!(sale["points"], 10, "the half that was paid with money earns");
    let (available, first, at) = lots(&shop, &customer);
    assert_eq!((available, first, at != before.2), (160, 160, true), "January's 100 went first");
    let sale = sale["sale"].clone();
    assert_eq!(shop.call("sale.show", &json!({ "sale": sale })).unwrap()["tenders"], tenders);

    let half = json!([{ "kind": "POINTS", "amount": 500 }, { "kind": "CASH", "amount": 500 }]);
    bring_back(&shop, &sale, "2", 1, half.clone()).unwrap();
    let (available, first, at) = lots(&shop, &customer);
    assert_eq!(
        (available, first, at == before.2),
        (230, 25, true),
        "75 back and 5 taken: 50 of February's, 25 of January's"
    );
    bring_back(&shop, &sale, "3", 1, half).unwrap();
    assert_eq!(lots(&shop, &customer), before);

    forward(&shop, 30);
    assert_eq!(lots(&shop, &customer).0, 200, "what came back expires when it would have");
}

#[test]
fn a_tender_that_the_ledger_does_not_cover_is_refused_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let other = shop.enrol("Eva", "Prueba", "+34911111112");
    earn(&shop, &customer, 300);
    earn(&shop, &other, 300);
    let [good, theirs, gone] =
        [hold(&shop, &customer, 100), hold(&shop, &other, 100), hold(&shop, &customer, 50)];
    shop.call("points.release", &with_key(json!({ "hold": gone }))).unwrap();
    let paid = |more: Value| {
        let mut tender = json!({ "kind": "POINTS", "amount": 2000, "points": 100 });
        tender.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([tender])
    };
    let nobody = Value::Null;
    let before = shop.digests();
    let unknown = Uuid::new_v4();
    for (customer, tenders, field) in [
        (&customer, json!([{ "kind": "POINTS", "amount": 2000 }]), "points"),
        (&customer, json!([{ "kind": "POINTS", "amount": 2000, "hold": good }]), "points"),
        (&customer, paid(json!({ "points": 0, "hold": good })), "points"),
        (&customer, paid(json!({ "points": 101, "hold": good })), "points"),
        (&customer, paid(json!({ "points": 201 })), "points"),
        (&nobody, paid(json!({})), "points"),
        (&nobody, paid(json!({ "hold": good })), "points"),
        (&customer, paid(json!({ "hold": theirs })), "hold"),
        (&customer, paid(json!({ "hold": gone })), "hold"),
        (&customer, paid(json!({ "hold": unknown })), "hold"),
        (&customer, json!([{ "kind": "CASH", "amount": 2000, "hold": good }]), "hold"),
        (&customer, json!([{ "kind": "CASH", "amount": 2000, "points": 5 }]), "points"),
    ] {
        let refused = sell(&shop, customer, "1", tenders).unwrap_err();
        assert_eq!(refused.field, Some(format!("receipt.tenders[0].{field}")), "{refused}");
    }
    let twice = json!([{ "kind": "POINTS", "amount": 1000, "points": 50, "hold": good },
        { "kind": "POINTS", "amount": 1000, "points": 50 }]);
    let refused = sell(&shop, &customer, "1", twice).unwrap_err();
    assert_eq!(refused.field.as_deref(), Some("receipt.tenders[1].kind"));
    assert_eq!(shop.digests(), before, "and nothing is written");
    sell(&shop, &customer, "1", paid(json!({ "hold": good }))).unwrap();
    let refused = sell(&shop, &customer, "2", paid(json!({ "hold": good }))).unwrap_err();
    assert_eq!(refused.field.as_deref(), Some("receipt.tenders[0].hold"), "spent once");
    sell(&shop, &customer, "2", paid(json!({ "points": 200 }))).unwrap();
    assert_eq!(lots(&shop, &customer).0, 0, "without a hold they are spent in one step");
}

#[test]
fn points_do_not_become_money_nor_leave_their_sale() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let other = shop.enrol("Eva", "Prueba", "+34911111112");
    earn(&shop, &customer, 100);
    let tenders = json!([{ "kind": "POINTS", "amount": 500, "points": 100, "hold": hold(&shop, &customer, 100) },
        { "kind": "CARD", "amount": 1500 }]);
    let sale = sell(&shop, &customer, "1", tenders.clone()).unwrap()["sale"].clone();
    let hold = shop.call("sale.show", &json!({ "sale": sale })).unwrap()["tenders"][0]["hold"].clone();
    let fields =
        |method: &str, params: Value| shop.call(method, &with_key(params)).unwrap_err().field.unwrap();
    assert_eq!(fields("points.give_back", json!({ "hold": hold, "points": 1 })), "hold");
    assert_eq!(fields("sale.attach", json!({ "sale": sale, "customer": other })), "customer");
    for (pieces, tenders, field) in [
        (2, json!([{ "kind": "CASH", "amount": 2000 }]), "receipt.tenders"),
        (1, json!([{ "kind": "POINTS", "amount": 1000 }]), "receipt.tenders"),
        (1, json!([{ "kind": "CASH", "amount": 1000, "points": 5 }]), "receipt.tenders[0].points"),
    ] {
        let refused = bring_back(&shop, &sale, "2", pieces, tenders).unwrap_err();
        assert_eq!((refused.code, refused.field.as_deref()), (RefusalCode::InvalidParams, Some(field)));
    }
    bring_back(&shop, &sale, "2", 1, json!([{ "kind": "CASH", "amount": 1000 }])).unwrap();
    let rest = json!([{ "kind": "POINTS", "amount": 500 }, { "kind": "CASH", "amount": 500 }]);
    bring_back(&shop, &sale, "3", 1, rest).unwrap();
    assert_eq!(lots(&shop, &customer).0, 100);

    let voided =
        sell(&shop, &customer, "4", json!([{ "kind": "POINTS", "amount": 2000, "points": 99 }])).unwrap();
    assert_eq!(lots(&shop, &customer).0, 1);
    shop.call("sale.void", &with_key(json!({ "sale": voided["sale"] }))).unwrap();
    assert_eq!(lots(&shop, &customer).0, 100);
    let none = sell(&shop, &customer, "5", json!([{ "kind": "CASH", "amount": 2000 }])).unwrap();
    let refused =
        bring_back(&shop, &none["sale"], "6", 2, json!([{ "kind": "POINTS", "amount": 2000 }])).unwrap_err();
    assert_eq!(refused.field.as_deref(), Some("receipt.tenders"), "none of it was paid with points");
}

#[test]
fn an_exchange_gives_points_back_before_it_spends_them() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = two_lots(&shop);
    let before = lots(&shop, &customer);
    let paid = json!([{ "kind": "POINTS", "amount": 2000, "points": 300 }]);
    let sale = sell(&shop, &customer, "1", paid.clone()).unwrap()["sale"].clone();
    let exchange = |refund: Value, tenders: Value| {
        let lines = json!([{ "sku": "LAMP-L", "quantity": 1000, "unit_price": 2000, "amount": 2000 }]);
        let receipt = json!({ "number": "2", "day": "2027-01-15", "currency": "EUR", "lines": lines,
            "tenders": tenders, "total": 2000 });
        shop.call("sale.exchange", &with_key(json!({ "sale": sale, "receipt": receipt, "refund": refund })))
    };
    let refused = exchange(json!([]), json!([])).unwrap_err();
    assert_eq!(refused.field.as_deref(), Some("refund"), "goods that were paid with points pay for nothing");
    let too_many = json!([{ "kind": "POINTS", "amount": 2000, "points": 301 }]);
    let refused = exchange(json!([{ "kind": "POINTS", "amount": 2000 }]), too_many).unwrap_err();
    assert_eq!(refused.field.as_deref(), Some("receipt.tenders[0].points"));
    let done = exchange(json!([{ "kind": "POINTS", "amount": 2000 }]), paid).unwrap();
    assert_eq!((&done["covered"]["minor"], lots(&shop, &customer).0), (&json!(0), 0));
    let back = json!([{ "kind": "POINTS", "amount": 2000 }]);
    bring_back(&shop, &done["sale"], "3", 1, back).unwrap();
    assert_eq!(lots(&shop, &customer), before);
}

#[test]
fn points_of_a_merged_customer_go_back_to_whoever_goes_on_and_along_when_they_part() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = two_lots(&shop);
    let before = lots(&shop, &customer);
    let paid = json!([{ "kind": "POINTS", "amount": 2000, "points": 300 }]);
    let sale = sell(&shop, &customer, "1", paid).unwrap()["sale"].clone();
    let other = shop.enrol("Eva", "Prueba", "+34911111112");
    let merge = json!({ "from": customer, "into": other, "sure": true });
    let merged = shop.call("customer.merge", &with_key(merge)).unwrap();
    bring_back(&shop, &sale, "2", 2, json!([{ "kind": "POINTS", "amount": 2000 }])).unwrap();
    assert_eq!(lots(&shop, &other), before);
    shop.call("customer.unmerge", &with_key(json!({ "merge": merged["merge"] }))).unwrap();
    assert_eq!((lots(&shop, &customer), lots(&shop, &other).0), (before, 0));
}
