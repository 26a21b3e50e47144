//! Sales that did not come about, parked sales and exchanges over a real store.
//!
//! The shop's clock begins on 15 January 2027, 08:00 in UTC; a parked sale stands for a day; a euro earns a point.

#![expect(clippy::arithmetic_side_effects, reason = "numbers of a test are small")]

use super::*;
use fichad::domain::money::MINOR_MAX;

fn forward(shop: &Shop, hours: u64) {
    *shop.clock.0.lock().unwrap() += Duration::from_hours(hours);
}

/// One line of this price.
fn basket(price: i64) -> Value {
    let line = json!({ "sku": "TIN", "quantity": 1000, "unit_price": price, "amount": price });
    json!({ "currency": "EUR", "total": price, "lines": [line] })
}

fn receipt(number: &str, price: i64, paid: i64) -> Value {
    let mut receipt = basket(price);
    (receipt["number"], receipt["day"]) = (json!(number), json!("2027-01-15"));
    receipt["tenders"] = if paid == 0 { json!([]) } else { json!([{ "kind": "CASH", "amount": paid }]) };
    receipt
}

fn sold(shop: &Shop, number: &str, customer: Option<&Value>, price: i64) -> Value {
    let mut params = with_key(json!({ "receipt": receipt(number, price, price) }));
    if let Some(customer) = customer {
        params["customer"] = customer.clone();
    }
    shop.call("sale.record", &params).unwrap()["sale"].clone()
}

fn refused(shop: &Shop, method: &str, params: Value) -> (RefusalCode, String) {
    let refusal = shop.call(method, &with_key(params)).unwrap_err();
    (refusal.code, refusal.field.unwrap_or_default())
}

fn conflict(field: &str) -> (RefusalCode, String) {
    (RefusalCode::Conflict, field.to_owned())
}

fn wrong(field: &str) -> (RefusalCode, String) {
    (RefusalCode::InvalidParams, field.to_owned())
}

fn last_seq(shop: &Shop) -> u64 {
    shop.desk.opened().unwrap().log.health().last_seq
}

/// Points available, turnover, receipts.
fn books(shop: &Shop, customer: &Value) -> (i64, i64, i64) {
    let points = shop.call("points.show", &json!({ "customer": customer })).unwrap();
    let bought = shop.call("sale.list", &json!({ "customer": customer })).unwrap()["bought"].clone();
    let turnover = bought["turnover"].get(0).map_or(0, |one| one["minor"].as_i64().unwrap());
    (points["available"].as_i64().unwrap(), turnover, bought["sales"].as_i64().unwrap())
}

#[test]
fn what_was_not_bought_is_listed_and_summed_until_a_later_sale_recovers_it() {
    let dir = tempfile::tempdir().unwrap();
    let (ana, lost);
    {
        let shop = shop_in(dir.path(), false);
        ana = shop.enrol("Ana", "Sanz", "+34911111111");
        let eva = shop.enrol("Eva", "Sol", "+34922222222");
        let before = sold(&shop, "1", Some(&ana), 100);
        forward(&shop, 1);
        let wish = json!({
            "kind": "ASKED_OUT_OF_STOCK", "reason": "NOT_IN_STOCK", "customer": ana,
            "items": [{ "gtin": "4006381333931", "quantity": 1000 }], "estimated": { "minor": 3000, "currency": "EUR" },
        });
        let request = with_key(wish);
        lost = shop.call("lost.record", &request).unwrap()["lost"].clone();
        assert_eq!(shop.call("lost.record", &request).unwrap()["repeated"], true);
        let queue = json!({ "kind": "WALKED_QUEUE", "reason": "QUEUE", "estimated": { "minor": 500, "currency": "EUR" } });
        shop.call("lost.record", &with_key(queue.clone())).unwrap();
        shop.call("lost.record", &with_key(queue)).unwrap();
        forward(&shop, 1);
        let (of_eva, of_ana) = (sold(&shop, "2", Some(&eva), 100), sold(&shop, "3", Some(&ana), 3000));
        let recover = |sale: &Value| json!({ "lost": lost, "sale": sale });
        assert_eq!(refused(&shop, "lost.recover", recover(&before)), wrong("sale"));
        assert_eq!(refused(&shop, "lost.recover", recover(&of_eva)), wrong("sale"));
        shop.call("lost.recover", &with_key(recover(&of_ana))).unwrap();
        let again = sold(&shop, "4", Some(&ana), 100);
        assert_eq!(refused(&shop, "lost.recover", recover(&again)), conflict("lost"));
        let list = shop.call("lost.list", &json!({})).unwrap();
        assert_eq!(list["lost"].as_array().unwrap().len(), 3);
        let missed = json!([{ "minor": 1000, "currency": "EUR", "exponent": 2 }]);
        assert_eq!(
            list["sums"],
            json!([
                { "kind": "ASKED_OUT_OF_STOCK", "reason": "NOT_IN_STOCK", "count": 1, "recovered": 1, "missed": [] },
                { "kind": "WALKED_QUEUE", "reason": "QUEUE", "count": 2, "recovered": 0, "missed": missed },
            ])
        );
        // The sale turns out to be a mistake: then nothing was recovered, and another sale can.
        shop.call("sale.void", &with_key(json!({ "sale": of_ana }))).unwrap();
        let list = shop.call("lost.list", &json!({ "customer": ana })).unwrap();
        assert_eq!(
            (&list["lost"][0]["recovered_by"], &list["sums"][0]["recovered"]),
            (&Value::Null, &json!(0))
        );
        shop.call("lost.recover", &with_key(recover(&again))).unwrap();
    }
    let shop = shop_in(dir.path(), false);
    let list = shop.call("lost.list", &json!({ "customer": ana })).unwrap();
    assert_eq!((&list["lost"][0]["lost"], &list["sums"][0]["recovered"]), (&lost, &json!(1)));
    let days = |from, to| shop.call("lost.list", &json!({ "from": from, "to": to })).unwrap()["lost"].clone();
    assert_eq!(days("2027-01-01", "2027-01-31").as_array().unwrap().len(), 3);
    assert_eq!(days("2027-01-16", "2027-01-31"), json!([]));
    let since = shop.call("lost.list", &json!({ "from": "2027-01-01" })).unwrap();
    assert_eq!(since["lost"].as_array().unwrap().len(), 3, "until today");
    assert_eq!(
        shop.call_as(&[Role::Register], "lost.list", &json!({})).unwrap_err().code,
        RefusalCode::Forbidden
    );
}

#[test]
fn a_lost_sale_that_cannot_be_is_named_and_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let before = last_seq(&shop);
    for (fields, refusal) in [
        (json!({ "kind": "STOLEN" }), wrong("kind")),
        (json!({ "reason": "because" }), wrong("reason")),
        (json!({ "customer": Uuid::new_v4() }), (RefusalCode::NotFound, String::new())),
        (json!({ "items": [{}] }), wrong("items[0]")),
        (json!({ "items": [{ "gtin": "4006381333932" }] }), wrong("items[0].gtin")),
        (
            json!({ "items": [{ "sku": "TIN" }, { "sku": "TIN", "quantity": -1 }] }),
            wrong("items[1].quantity"),
        ),
        (json!({ "items": [{ "model": "4111 1111 1111 1111" }] }), wrong("items[0].model")),
        (json!({ "items": vec![json!({ "sku": "TIN" }); 51] }), wrong("items")),
        (json!({ "estimated": { "minor": -1, "currency": "EUR" } }), wrong("estimated.minor")),
        (json!({ "estimated": { "minor": MINOR_MAX + 1, "currency": "EUR" } }), wrong("estimated.minor")),
        (json!({ "estimated": { "minor": 1, "currency": "EUX" } }), wrong("estimated.currency")),
        (json!({ "day": "2027-01-17" }), wrong("day")),
        (json!({ "note": "said that it was too dear" }), wrong("note")),
    ] {
        let mut params = fields;
        if params["kind"].is_null() {
            params["kind"] = json!("WISHLIST");
        }
        let (code, field) = refused(&shop, "lost.record", params);
        assert_eq!((code, field.replace("note", "")), (refusal.0, refusal.1.replace("note", "")));
    }
    for (params, field) in [
        (json!({ "from": "2027-01-15", "to": "2027-01-14" }), "to"),
        (json!({ "from": "2025-01-15", "to": "2027-01-14" }), "to"),
        (json!({ "to": "2027-01-14" }), "from"),
    ] {
        assert_eq!(shop.call("lost.list", &params).unwrap_err().field.as_deref(), Some(field));
    }
    assert_eq!(last_seq(&shop), before);
}

#[test]
fn a_parked_sale_is_taken_up_once_or_lapses_into_a_lost_one() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let ana = shop.enrol("Ana", "Sanz", "+34911111111");
    let park = |price| {
        let request = with_key(json!({ "basket": basket(price), "customer": ana }));
        let parked = shop.call("sale.park", &request).unwrap();
        assert_eq!(parked["until"], "2027-01-16T08:00:00.000000Z");
        assert_eq!(shop.call("sale.park", &request).unwrap()["parked"], parked["parked"]);
        parked["parked"].clone()
    };
    let listed = || shop.call("sale.parked", &json!({})).unwrap()["parked"].as_array().unwrap().len();
    let (taken, forgotten) = (park(1200), park(700));
    assert_eq!(listed(), 2);
    let resume = with_key(json!({ "parked": taken }));
    let back = shop.call("sale.resume", &resume).unwrap();
    assert_eq!((&back["basket"], &back["customer"]), (&basket(1200), &ana));
    assert_eq!(shop.call("sale.resume", &resume).unwrap()["basket"], back["basket"]);
    assert_eq!(refused(&shop, "sale.resume", json!({ "parked": taken })), conflict("parked"));
    assert_eq!(listed(), 1);
    assert_eq!(books(&shop, &ana), (0, 0, 0), "nothing is sold by being parked");

    forward(&shop, 24);
    assert_eq!(listed(), 0);
    assert_eq!(refused(&shop, "sale.resume", json!({ "parked": forgotten })), conflict("parked"));
    shop.runtime.block_on(shop.desk.settle_parked()).unwrap();
    let settled = last_seq(&shop);
    shop.runtime.block_on(shop.desk.settle_parked()).unwrap();
    assert_eq!(last_seq(&shop), settled, "it lapses once");
    let lost = shop.call("lost.list", &json!({ "customer": ana })).unwrap()["lost"].clone();
    assert_eq!(lost.as_array().unwrap().len(), 1);
    let lost = &lost[0];
    assert_eq!(
        (&lost["kind"], &lost["parked"], &lost["day"]),
        (&json!("PARKED_LAPSED"), &forgotten, &json!("2027-01-16"))
    );
    assert_eq!((&lost["estimated"]["minor"], &lost["items"][0]["sku"]), (&json!(700), &json!("TIN")));

    let before = last_seq(&shop);
    let spoiled = |pointer: &str, value: Value| {
        let mut basket = basket(100);
        *basket.pointer_mut(pointer).unwrap() = value;
        refused(&shop, "sale.park", json!({ "basket": basket }))
    };
    assert_eq!(spoiled("/total", json!(101)), wrong("basket.total"));
    assert_eq!(spoiled("/lines/0/quantity", json!(-1000)), wrong("basket.lines[0].quantity"));
    assert_eq!(spoiled("/lines", json!([])), wrong("basket.lines"));
    assert_eq!(spoiled("/currency", json!("EUX")), wrong("basket.currency"));
    let unknown = json!({ "parked": "00000000-0001-8d01-9c11-5c1f6d6f2a51" });
    assert_eq!(refused(&shop, "sale.resume", unknown), (RefusalCode::NotFound, "parked".to_owned()));
    assert_eq!(last_seq(&shop), before);
}

#[test]
fn an_exchange_is_a_return_and_a_sale_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (ana, dearer, request);
    {
        let shop = shop_in(dir.path(), false);
        ana = shop.enrol("Ana", "Sanz", "+34911111111");
        let sale = sold(&shop, "1", Some(&ana), 3000);
        assert_eq!(books(&shop, &ana), (30, 3000, 1));
        let exchange =
            |receipt: Value, refund: Value| json!({ "sale": sale, "receipt": receipt, "refund": refund });
        let cash = |amount| json!([{ "kind": "CASH", "amount": amount }]);
        let before = last_seq(&shop);
        let mut shells = with_key(json!({ "receipt": receipt("9", 1000, 1000) }));
        shells["receipt"]["tenders"][0]["kind"] = json!("SHELLS");
        let said = shop.call("sale.record", &shells).unwrap_err().message;
        assert!(said.contains("`CASH`, `CARD`") && !said.contains("EXCHANGE"), "{said}");
        let mut dollars = receipt("2", 4500, 1500);
        dollars["currency"] = json!("USD");
        let mut by_hand = receipt("2", 4500, 1500);
        by_hand["tenders"][0]["kind"] = json!("EXCHANGE");
        for (params, refusal) in [
            (exchange(receipt("2", 4500, 1499), json!([])), wrong("receipt.tenders")),
            (exchange(receipt("2", 4500, 1500), cash(1)), wrong("refund")),
            (exchange(receipt("2", 2000, 0), cash(999)), wrong("refund")),
            (
                exchange(receipt("2", 2000, 0), json!([{ "kind": "EXCHANGE", "amount": 1000 }])),
                wrong("refund"),
            ),
            (exchange(receipt("1", 4500, 1500), json!([])), conflict("receipt.number")),
            (exchange(dollars, json!([])), wrong("receipt.currency")),
            (exchange(by_hand, json!([])), wrong("receipt.tenders[0].kind")),
            (exchange(receipt("a b", 4500, 1500), json!([])), wrong("receipt.number")),
        ] {
            assert_eq!(refused(&shop, "sale.exchange", params), refusal);
        }
        let mut too_much = exchange(receipt("2", 4500, 1500), json!([]));
        too_much["lines"] = json!([{ "line": 1, "quantity": 1001 }]);
        assert_eq!(refused(&shop, "sale.exchange", too_much), wrong("lines[0].quantity"));
        assert_eq!((last_seq(&shop), books(&shop, &ana)), (before, (30, 3000, 1)));

        request = with_key(exchange(receipt("2", 4500, 1500), json!([])));
        let done = shop.call("sale.exchange", &request).unwrap();
        assert_eq!(
            (&done["covered"]["minor"], &done["points"], &done["customer"]),
            (&json!(3000), &json!(45), &ana)
        );
        assert_eq!(books(&shop, &ana), (45, 4500, 2), "the old sale's points went back, the new one's came");
        dearer = done["sale"].clone();
        assert_eq!(refused(&shop, "sale.void", json!({ "sale": dearer })), conflict("sale"));
        let all_back = refused(&shop, "sale.exchange", exchange(receipt("3", 100, 0), json!([])));
        assert_eq!(all_back, conflict("sale"), "nothing is left to exchange");
    }
    let shop = shop_in(dir.path(), false);
    let again = shop.call("sale.exchange", &request).unwrap();
    assert_eq!((&again["sale"], &again["repeated"]), (&dearer, &json!(true)));
    let shown = shop.call("sale.show", &json!({ "sale": dearer })).unwrap();
    assert_eq!((&shown["type"], &shown["exchange"]), (&json!("EXCHANGE"), &again["return"]));
    assert_eq!(
        shown["tenders"],
        json!([{ "kind": "CASH", "amount": 1500 }, { "kind": "EXCHANGE", "amount": 3000 }])
    );
    // Something cheaper: the difference is given back.
    let cheaper = json!({ "sale": dearer, "receipt": receipt("3", 1000, 0), "refund": [{ "kind": "CASH", "amount": 3500 }] });
    let done = shop.call("sale.exchange", &with_key(cheaper)).unwrap();
    assert_eq!((&done["covered"]["minor"], &done["points"]), (&json!(1000), &json!(10)));
    assert_eq!(books(&shop, &ana), (10, 1000, 3));
}
