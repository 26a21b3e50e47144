//! Sales on account: terms, parts, what comes back, whose they are, and what keeping them is worth.

use super::*;
use fichad::desk::worth;

const WORTH: &str = "[worth]\ncurrency = 'EUR'\nlate_cost = 700\n[[class]]\nname = 'Standard'\nfrom = 0\n";

fn shop(dir: &Path) -> Shop {
    shop_set(dir, false, |settings| settings.worth = read_text(WORTH, worth::read).unwrap().0)
}

fn day(shop: &Shop, days: u32) {
    *shop.clock.0.lock().unwrap() = Duration::from_hours(24).saturating_mul(days);
}

fn receipt(number: &str, day: &str, tenders: Value) -> Value {
    let line = json!([{ "sku": "A-1", "quantity": 2000, "unit_price": 500, "amount": 1000 }]);
    json!({ "number": number, "day": day, "currency": "EUR", "lines": line, "tenders": tenders, "total": 1000 })
}

/// A sale of 10.00, 8.00 of it on account.
fn record(shop: &Shop, customer: &Value, number: &str, day: &str, terms: Value) -> Result<Value, Refusal> {
    let tenders =
        json!([{ "kind": "CASH", "amount": 200 }, { "kind": "ACCOUNT", "amount": 800, "terms": terms }]);
    let sale = json!({ "customer": customer, "receipt": receipt(number, day, tenders) });
    Ok(shop.call("sale.record", &with_key(sale))?["sale"].clone())
}

fn pay(shop: &Shop, sale: &Value, amount: i64, more: Value) -> Result<Value, Refusal> {
    let mut params = with_key(json!({ "sale": sale, "kind": "TRANSFER", "amount": amount }));
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    shop.call("payment.record", &params)
}

fn list(shop: &Shop, params: Value) -> Vec<(String, i64)> {
    let listed = shop.call("payment.list", &params).unwrap();
    let row =
        |row: &Value| (row["state"].as_str().unwrap().to_owned(), row["open"]["minor"].as_i64().unwrap());
    listed["credits"].as_array().unwrap().iter().map(row).collect()
}

fn stands(state: &str, open: i64) -> Vec<(String, i64)> {
    vec![(state.to_owned(), open)]
}

#[test]
fn a_sale_on_account_is_paid_in_parts_and_terms_are_kept_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let sale = record(&shop, &customer, "1", "2027-01-15", json!({ "days": 30 })).unwrap();
    let shown = shop.call("sale.show", &json!({ "sale": sale })).unwrap();
    assert_eq!(
        (&shown["credit"]["due"], &shown["credit"]["open"]["minor"]),
        (&json!("2027-02-14"), &json!(800))
    );
    assert_eq!(list(&shop, json!({})), stands("OPEN", 800));
    let paid = pay(&shop, &sale, 300, json!({})).unwrap();
    assert_eq!((&paid["open"]["minor"], &paid["state"]), (&json!(500), &json!("OPEN")));
    for (amount, more, field) in [
        (501, json!({}), "amount"),
        (0, json!({}), "amount"),
        (-5, json!({}), "amount"),
        (i64::MAX, json!({}), "amount"),
        (5, json!({ "currency": "USD" }), "currency"),
        (5, json!({ "paid_on": "2027-01-14" }), "paid_on"),
        (5, json!({ "paid_on": "2028-01-14" }), "paid_on"),
        (5, json!({ "kind": "POINTS" }), "kind"),
    ] {
        assert_eq!(pay(&shop, &sale, amount, more).unwrap_err().field.as_deref(), Some(field));
    }
    day(&shop, 31);
    assert_eq!(list(&shop, json!({})), stands("OVERDUE", 500));
    let worth = shop.call("customer.worth", &json!({ "customer": customer })).unwrap();
    assert_eq!((&worth["value"]["minor"], &worth["reasons"][1]["reason"]), (&json!(500), &json!("OVERDUE")));
    // The bank's day was in time, whenever it is noted.
    pay(&shop, &sale, 500, json!({ "paid_on": "2027-02-14" })).unwrap();
    assert_eq!(list(&shop, json!({ "customer": customer })), stands("KEPT", 0));
    assert_eq!(list(&shop, json!({})), []);
    assert_eq!(pay(&shop, &sale, 1, json!({})).unwrap_err().code, RefusalCode::Conflict);

    let second = record(&shop, &customer, "2", "2027-02-15", json!({ "days": 0 })).unwrap();
    day(&shop, 40);
    pay(&shop, &second, 800, json!({})).unwrap();
    assert_eq!(list(&shop, json!({ "customer": customer }))[0], ("LATE".to_owned(), 0));
    let worth = shop.call("customer.worth", &json!({ "customer": customer })).unwrap();
    let reasons: Vec<_> = worth["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["reason"].clone(), row["amount"]["minor"].clone()))
        .collect();
    let expected = [("TURNOVER", 2000), ("PAID_ON_TIME", 0), ("PAID_LATE", -700)];
    assert_eq!(reasons, expected.map(|(reason, minor)| (json!(reason), json!(minor))));
    assert_eq!(worth["value"]["minor"], 1300);
}

#[test]
fn terms_that_bind_nobody_or_do_not_hold_together_are_refused_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let refused = |result: Result<Value, Refusal>| result.unwrap_err().field.unwrap();
    assert_eq!(
        refused(record(&shop, &Value::Null, "1", "2027-01-15", json!({ "days": 30 }))),
        "receipt.tenders[1].terms"
    );
    assert_eq!(
        refused(record(&shop, &customer, "1", "2027-01-15", json!({ "days": 731 }))),
        "receipt.tenders[1].terms"
    );
    for tenders in [
        json!([{ "kind": "CARD", "amount": 1000, "terms": { "days": 1 } }]),
        json!([{ "kind": "ACCOUNT", "amount": 1, "terms": { "days": 1 } }, { "kind": "ACCOUNT", "amount": 999, "terms": { "days": 2 } }]),
    ] {
        let sale = json!({ "customer": customer, "receipt": receipt("1", "2027-01-15", tenders) });
        assert!(refused(shop.call("sale.record", &with_key(sale))).ends_with("].terms"));
    }
    assert_eq!(list(&shop, json!({ "customer": customer })), []);
    let sales = shop.call("sale.list", &json!({ "customer": customer })).unwrap();
    assert_eq!(sales["sales"], json!([]));
    let till = shop.call_as(&[Role::Register], "payment.list", &json!({}));
    assert_eq!(till.unwrap_err().code, RefusalCode::Forbidden, "the whole shop's is not for a till");
}

#[test]
fn what_comes_back_is_taken_off_what_is_owed_and_no_more_than_that() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let sale = record(&shop, &customer, "1", "2027-01-15", json!({ "days": 30 })).unwrap();
    let back = |number: &str, quantity: i64, kind: &str| {
        let receipt = json!({ "number": number, "day": "2027-01-15", "tenders": [{ "kind": kind, "amount": quantity / 2 }] });
        let lines = json!([{ "line": 1, "quantity": quantity }]);
        shop.call("sale.return", &with_key(json!({ "sale": sale, "receipt": receipt, "lines": lines })))
    };
    back("2", 1000, "ACCOUNT").unwrap();
    assert_eq!(list(&shop, json!({})), stands("OPEN", 300));
    assert_eq!(back("3", 1000, "ACCOUNT").unwrap_err().field.as_deref(), Some("receipt.tenders"));
    pay(&shop, &sale, 100, json!({})).unwrap();
    back("3", 400, "ACCOUNT").unwrap();
    assert_eq!(list(&shop, json!({ "customer": customer })), stands("KEPT", 0));
    let whole = record(&shop, &customer, "4", "2027-01-15", json!({ "days": 30 })).unwrap();
    let refused = pay(&shop, &whole, 100, json!({}))
        .and_then(|_| shop.call("sale.void", &with_key(json!({ "sale": whole }))));
    assert_eq!(refused.unwrap_err().code, RefusalCode::Conflict, "paid in part");
    let voided = record(&shop, &customer, "5", "2027-01-15", json!({ "days": 30 })).unwrap();
    shop.call("sale.void", &with_key(json!({ "sale": voided }))).unwrap();
    assert_eq!(list(&shop, json!({})), stands("OPEN", 700));
    assert_eq!(pay(&shop, &voided, 1, json!({})).unwrap_err().code, RefusalCode::NotFound);
}

#[test]
fn what_nobody_paid_is_not_given_back_as_money() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let sale = record(&shop, &customer, "1", "2027-01-15", json!({ "days": 30 })).unwrap();
    let back = |number: &str, tenders: Value| {
        let sum: i64 =
            tenders.as_array().unwrap().iter().map(|tender| tender["amount"].as_i64().unwrap()).sum();
        let receipt = json!({ "number": number, "day": "2027-01-15", "tenders": tenders });
        let lines = json!([{ "line": 1, "quantity": sum * 2 }]);
        shop.call("sale.return", &with_key(json!({ "sale": sale, "receipt": receipt, "lines": lines })))
    };
    let exchange = |total: i64, tenders: Value, refund: Value| {
        let line = json!([{ "sku": "B-1", "quantity": 1000, "unit_price": total, "amount": total }]);
        let receipt = json!({ "number": "9", "day": "2027-01-15", "currency": "EUR", "lines": line, "tenders": tenders, "total": total });
        shop.call("sale.exchange", &with_key(json!({ "sale": sale, "receipt": receipt, "refund": refund })))
    };
    let cash = |amount: i64| json!([{ "kind": "CASH", "amount": amount }]);
    let refused = back("2", cash(1000)).unwrap_err();
    assert_eq!(refused.field.as_deref(), Some("receipt.tenders"));
    assert!(refused.message.starts_with("800 of this sale is still open"), "{}", refused.message);
    assert_eq!(back("2", cash(201)).unwrap_err().field.as_deref(), Some("receipt.tenders"));
    for (total, refund) in [(100, cash(900)), (1000, json!([]))] {
        assert_eq!(exchange(total, json!([]), refund).unwrap_err().field.as_deref(), Some("refund"));
    }
    assert_eq!(list(&shop, json!({})), stands("OPEN", 800), "nothing of this was written");
    back("2", cash(100)).unwrap();
    pay(&shop, &sale, 50, json!({})).unwrap();
    assert_eq!(back("3", cash(151)).unwrap_err().field.as_deref(), Some("receipt.tenders"));
    back("3", json!([{ "kind": "CASH", "amount": 100 }, { "kind": "ACCOUNT", "amount": 250 }])).unwrap();
    // Goods of 550 are left: 50 of that was paid, and covers the new sale as far as it goes.
    let off = json!([{ "kind": "ACCOUNT", "amount": 500 }]);
    assert_eq!(exchange(80, cash(30), off).unwrap()["covered"]["minor"], 50);
    assert_eq!(list(&shop, json!({ "customer": customer })), stands("KEPT", 0));
}

#[test]
fn a_credit_follows_its_sale_and_its_customer() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let [one, other] = [("Ana", "+34911111111"), ("Eva", "+34911111112")]
        .map(|(name, phone)| shop.enrol(name, "Sanz", phone));
    let sale = record(&shop, &one, "1", "2027-01-15", json!({ "days": 30 })).unwrap();
    shop.call("sale.attach", &with_key(json!({ "sale": sale, "customer": other }))).unwrap();
    let lists =
        |customers: [&Value; 2]| customers.map(|customer| list(&shop, json!({ "customer": customer })));
    assert_eq!(lists([&one, &other]), [vec![], stands("OPEN", 800)]);
    let merge = json!({ "from": other, "into": one, "sure": true });
    let merged = shop.call("customer.merge", &with_key(merge)).unwrap();
    assert_eq!(pay(&shop, &sale, 800, json!({})).unwrap()["customer"], one);
    assert_eq!(list(&shop, json!({ "customer": one })), stands("KEPT", 0));
    shop.call("customer.unmerge", &with_key(json!({ "merge": merged["merge"] }))).unwrap();
    assert_eq!(lists([&one, &other]), [vec![], stands("KEPT", 0)]);
}
