//! What becomes of a sale afterwards, and that points and turnover follow it to the cent.

use super::*;

/// Three kettles for 30.00 in all and a tin for 5.50.
fn sold(shop: &Shop, number: &str, customer: Option<&Value>) -> Value {
    let receipt = json!({
        "number": number, "day": "2027-01-15", "currency": "EUR", "total": 3550,
        "lines": [
            { "gtin": "4006381333931", "quantity": 3000, "unit_price": 1000, "amount": 3000 },
            { "sku": "TIN", "quantity": 1000, "unit_price": 550, "amount": 550 },
        ],
        "tenders": [{ "kind": "CASH", "amount": 3550 }],
    });
    let mut params = with_key(json!({ "receipt": receipt }));
    if let Some(customer) = customer {
        params["customer"] = customer.clone();
    }
    shop.call("sale.record", &params).unwrap()
}

fn bring_back(shop: &Shop, sale: &Value, number: &str, lines: Value, money: i64) -> Result<Value, Refusal> {
    let receipt = json!({
        "number": number, "day": "2027-01-15", "tenders": [{ "kind": "CASH", "amount": money }],
    });
    let mut params = with_key(json!({ "sale": sale, "receipt": receipt }));
    if !lines.is_null() {
        params["lines"] = lines;
    }
    shop.call("sale.return", &params)
}

/// Points available and owed, turnover, receipts.
fn books(shop: &Shop, customer: &Value) -> (i64, i64, i64, i64) {
    let points = shop.call("points.show", &json!({ "customer": customer })).unwrap();
    let bought = shop.call("sale.list", &json!({ "customer": customer })).unwrap()["bought"].clone();
    let turnover = bought["turnover"].get(0).map_or(0, |one| one["minor"].as_i64().unwrap());
    let number = |value: &Value| value.as_i64().unwrap();
    (number(&points["available"]), number(&points["debt"]), turnover, number(&bought["sales"]))
}

#[test]
fn goods_that_come_back_take_back_what_they_earned_and_no_more_than_was_sold_comes() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let done = sold(&shop, "1", Some(&customer));
    let sale = done["sale"].clone();
    assert_eq!((&done["points"], books(&shop, &customer)), (&json!(35), (35, 0, 3550, 1)));

    let one = json!([{ "line": 1, "quantity": 1000 }]);
    let back = bring_back(&shop, &sale, "2", one.clone(), 1000).unwrap();
    assert_eq!((&back["returned"]["minor"], &back["customer"]), (&json!(1000), &customer));
    assert_eq!(books(&shop, &customer), (25, 0, 2550, 1), "35 x 2550 / 3550, rounded down");

    for (lines, money, field) in [
        (json!([{ "line": 1, "quantity": 3000 }]), 3000, "lines[0].quantity"),
        (json!([{ "line": 3, "quantity": 1000 }]), 0, "lines[0].line"),
        (json!([{ "line": 1, "quantity": 2000 }, { "line": 1, "quantity": 1 }]), 2000, "lines[1].quantity"),
        (one, 999, "receipt.tenders"),
        (json!([]), 0, "lines"),
    ] {
        let refused = bring_back(&shop, &sale, "3", lines, money).unwrap_err();
        assert_eq!((refused.code, refused.field.as_deref()), (RefusalCode::InvalidParams, Some(field)));
    }
    let early =
        json!({ "number": "3", "day": "2027-01-14", "tenders": [{ "kind": "CASH", "amount": 2550 }] });
    let early = shop.call("sale.return", &with_key(json!({ "sale": sale, "receipt": early }))).unwrap_err();
    assert_eq!(
        (early.code, early.field.as_deref()),
        (RefusalCode::InvalidParams, Some("receipt.day")),
        "before it was sold"
    );
    let refused = bring_back(&shop, &sale, "2", Value::Null, 2550).unwrap_err();
    assert_eq!(refused.field.as_deref(), Some("receipt.number"), "a receipt's number is used once");
    assert_eq!(books(&shop, &customer), (25, 0, 2550, 1));

    bring_back(&shop, &sale, "3", Value::Null, 2550).unwrap();
    assert_eq!(books(&shop, &customer), (0, 0, 0, 1));
    assert_eq!(bring_back(&shop, &sale, "4", Value::Null, 0).unwrap_err().code, RefusalCode::Conflict);
}

#[test]
fn a_sale_that_is_moved_takes_its_points_along_and_what_came_back_of_it_stays_back() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let ana = shop.enrol("Ana", "Sanz", "+34911111111");
    let eva = shop.enrol("Eva", "Sol", "+34922222222");
    let sale = sold(&shop, "1", None)["sale"].clone();
    bring_back(&shop, &sale, "2", json!([{ "line": 2, "quantity": 1000 }]), 550).unwrap();
    let attach = |customer: &Value| {
        shop.call("sale.attach", &with_key(json!({ "sale": sale, "customer": customer }))).unwrap()
    };
    assert_eq!(attach(&ana)["points"], 29, "35 x 3000 / 3550, rounded down");
    assert_eq!(books(&shop, &ana), (29, 0, 3000, 1));
    // Ana spends some of them before it turns out that the sale was Eva's.
    let held = shop.call("points.hold", &with_key(json!({ "customer": ana, "points": 9 }))).unwrap();
    shop.call("points.capture", &with_key(json!({ "hold": held["hold"], "points": 9 }))).unwrap();
    assert_eq!(attach(&eva)["points"], 29);
    assert_eq!((books(&shop, &ana), books(&shop, &eva)), ((0, 9, 0, 0), (29, 0, 3000, 1)));
    bring_back(&shop, &sale, "3", json!([{ "line": 1, "quantity": 1000 }]), 1000).unwrap();
    assert_eq!(books(&shop, &eva), (19, 0, 2000, 1), "35 x 2000 / 3550, as if it had never been moved");
    bring_back(&shop, &sale, "4", Value::Null, 2000).unwrap();
    assert_eq!(books(&shop, &eva), (0, 0, 0, 1));
    let shown = shop.call("sale.show", &json!({ "sale": sale })).unwrap();
    assert_eq!((&shown["returned"]["minor"], &shown["voided"]), (&json!(3550), &json!(false)));
}

#[test]
fn points_that_have_expired_are_not_taken_a_second_time() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let sale = sold(&shop, "1", Some(&customer))["sale"].clone();
    *shop.clock.0.lock().unwrap() += Duration::from_hours(24 * 50);
    sold(&shop, "2", Some(&customer));
    bring_back(&shop, &sale, "3", Value::Null, 3550).unwrap();
    assert_eq!(books(&shop, &customer), (35, 0, 3550, 2));
}

#[test]
fn a_voided_sale_counts_as_never_made() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let kept = sold(&shop, "1", Some(&customer))["sale"].clone();
    let wrong = sold(&shop, "2", Some(&customer))["sale"].clone();
    assert_eq!(books(&shop, &customer), (70, 0, 7100, 2));
    let void = with_key(json!({ "sale": wrong }));
    shop.call("sale.void", &void).unwrap();
    assert_eq!(shop.call("sale.void", &void).unwrap()["repeated"], true);
    assert_eq!(books(&shop, &customer), (35, 0, 3550, 1));
    let again = shop.call("sale.void", &with_key(json!({ "sale": wrong }))).unwrap_err();
    let back = bring_back(&shop, &wrong, "3", Value::Null, 3550).unwrap_err();
    let moved = with_key(json!({ "sale": wrong, "customer": customer }));
    let moved = shop.call("sale.attach", &moved).unwrap_err();
    for refused in [again, back, moved] {
        assert_eq!((refused.code, refused.field.as_deref()), (RefusalCode::Conflict, Some("sale")));
    }
    bring_back(&shop, &kept, "3", json!([{ "line": 2, "quantity": 1000 }]), 550).unwrap();
    let refused = shop.call("sale.void", &with_key(json!({ "sale": kept }))).unwrap_err();
    assert_eq!(refused.code, RefusalCode::Conflict);
}
