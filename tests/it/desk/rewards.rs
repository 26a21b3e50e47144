//! Rewards: who can have which, given with a sale, given back by what comes back of it.

use super::*;
use fichad::desk::{levels, reward};
use fichad::domain::settings::Keys;

const REWARDS: &str = "[levels]\n[[level]]\nname = 'Silver'\nfrom = 500\n\
    [[reward]]\nid = 'off'\nname = 'Three euros off'\ncost = 100\ngives = '3.00 EUR'\nper_customer = 2\n\
    [[reward]]\nid = 'coffee'\ncost = 60\ngives = 'article COFFEE'\n\
    [[reward]]\nid = 'ten'\ncost = 50\ngives = '10 %'\nalone = true\n\
    [[reward]]\nid = 'gold'\ncost = 10\ngives = '50 %'\nlevel = 'Silver'\n\
    [[reward]]\nid = 'old'\ncost = 10\ngives = '5 %'\nto = '2026-12-31'\n";

fn shop(dir: &Path) -> Shop {
    shop_set(dir, false, |settings| {
        let read_all = |keys: &mut Keys<'_>| {
            let levels = levels::read(keys);
            (reward::read(keys, levels.as_ref()), levels)
        };
        let ((rewards, levels), mistakes) = read_text(REWARDS, read_all).unwrap();
        assert!(mistakes.is_empty(), "{mistakes:?}");
        (settings.points.rewards, settings.points.levels) = (rewards, levels);
        // What is counted here is what rewards cost.
        settings.points.earn = Vec::new();
    })
}

fn with_points(shop: &Shop, points: i64) -> Value {
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    shop.call("points.earn", &with_key(json!({ "customer": customer, "points": points }))).unwrap();
    customer
}

fn redeem(shop: &Shop, customer: &Value, reward: &str) -> Result<Value, Refusal> {
    shop.call("reward.redeem", &with_key(json!({ "customer": customer, "reward": reward })))
}

/// The word why a reward cannot be had; empty if it can.
fn why(shop: &Shop, customer: &Value, reward: &str) -> String {
    let listed = shop.call("reward.list", &json!({ "customer": customer })).unwrap();
    let row =
        listed["rewards"].as_array().unwrap().iter().find(|row| row["reward"] == reward).unwrap().clone();
    assert_eq!(row["can"].as_bool().unwrap(), row["reason"].is_null());
    row["reason"].as_str().unwrap_or_default().to_owned()
}

/// A cake of 10.00 and a coffee that costs nothing, with rewards.
fn sell(shop: &Shop, customer: &Value, number: &str, rewards: &Value) -> Result<Value, Refusal> {
    let lines = json!([{ "sku": "CAKE", "quantity": 2000, "unit_price": 500, "amount": 1000 },
        { "sku": "COFFEE", "quantity": 1000, "unit_price": 150, "discount": 150, "amount": 0 }]);
    let receipt = json!({ "number": number, "day": "2027-01-15", "currency": "EUR", "lines": lines,
        "tenders": [{ "kind": "CASH", "amount": 1000 }], "total": 1000 });
    shop.call(
        "sale.record",
        &with_key(json!({ "customer": customer, "receipt": receipt, "rewards": rewards })),
    )
}

fn give_back(shop: &Shop, sale: &Value, number: &str, line: u16, quantity: i64, amount: i64) {
    let receipt =
        json!({ "number": number, "day": "2027-01-15", "tenders": [{ "kind": "CASH", "amount": amount }] });
    let lines = json!([{ "line": line, "quantity": quantity }]);
    shop.call("sale.return", &with_key(json!({ "sale": sale, "receipt": receipt, "lines": lines }))).unwrap();
}

fn balance(shop: &Shop, customer: &Value) -> (i64, i64) {
    let shown = shop.call("points.show", &json!({ "customer": customer })).unwrap();
    (shown["available"].as_i64().unwrap(), shown["held"].as_i64().unwrap())
}

fn state(shop: &Shop, customer: &Value, hold: &Value) -> (String, i64) {
    let listed = shop.call("reward.list", &json!({ "customer": customer })).unwrap();
    let row = listed["redeemed"].as_array().unwrap().iter().find(|row| row["hold"] == *hold).unwrap().clone();
    (row["state"].as_str().unwrap().to_owned(), row["given_back"].as_i64().unwrap())
}

#[test]
fn what_can_be_had_and_why_not() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let customer = with_points(&shop, 100);
    let reasons =
        |customer: &Value| ["off", "coffee", "ten", "gold", "old"].map(|reward| why(&shop, customer, reward));
    assert_eq!(reasons(&customer), ["", "", "", "LEVEL", "OVER"]);
    let held = redeem(&shop, &customer, "coffee").unwrap();
    assert_eq!(
        (&held["available"], &held["held"], &held["gift"]["kind"]),
        (&json!(40), &json!(60), &json!("ARTICLE"))
    );
    assert_eq!(reasons(&customer), ["POINTS", "IN_SALE", "TOGETHER", "LEVEL", "OVER"]);
    let refused = redeem(&shop, &customer, "ten").unwrap_err();
    assert_eq!((refused.code, refused.field.as_deref()), (RefusalCode::Conflict, Some("reward")));
    assert_eq!(redeem(&shop, &customer, "tea").unwrap_err().code, RefusalCode::NotFound);

    shop.call("points.release", &with_key(json!({ "hold": held["hold"] }))).unwrap();
    assert_eq!(state(&shop, &customer, &held["hold"]).0, "LET_GO");
    let lapses = redeem(&shop, &customer, "ten").unwrap();
    assert_eq!(why(&shop, &customer, "coffee"), "TOGETHER", "what stands alone is set aside");
    *shop.clock.0.lock().unwrap() = Duration::from_mins(16);
    assert_eq!(state(&shop, &customer, &lapses["hold"]).0, "LET_GO");
    assert_eq!((balance(&shop, &customer), why(&shop, &customer, "coffee")), ((100, 0), String::new()));
    let refused = sell(&shop, &customer, "1", &json!([lapses["hold"]])).unwrap_err();
    assert_eq!((refused.code, refused.field.as_deref()), (RefusalCode::Conflict, Some("rewards[0]")));
    let none = shop.call("sale.list", &json!({ "customer": customer })).unwrap();
    assert_eq!(none["sales"], json!([]), "and nothing is written");
}

#[test]
fn a_reward_is_given_with_a_sale_and_goes_back_in_parts_with_what_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let customer = with_points(&shop, 300);
    let [off, coffee] =
        ["off", "coffee"].map(|reward| redeem(&shop, &customer, reward).unwrap()["hold"].clone());
    let capture = with_key(json!({ "hold": off, "points": 100 }));
    assert_eq!(shop.call("points.capture", &capture).unwrap_err().field.as_deref(), Some("hold"));
    let params = json!([off, coffee]);
    let sale = sell(&shop, &customer, "1", &params).unwrap()["sale"].clone();
    assert_eq!(balance(&shop, &customer), (140, 0));
    assert_eq!(state(&shop, &customer, &off), ("REDEEMED".to_owned(), 0));
    let refused = sell(&shop, &customer, "2", &json!([off])).unwrap_err();
    assert_eq!(refused.field.as_deref(), Some("rewards[0]"), "given once");
    let refused = shop.call("points.give_back", &with_key(json!({ "hold": off, "points": 1 }))).unwrap_err();
    assert_eq!(refused.field.as_deref(), Some("hold"));
    let other = shop.enrol("Eva", "Prueba", "+34911111112");
    let attach = with_key(json!({ "sale": sale, "customer": other }));
    assert_eq!(shop.call("sale.attach", &attach).unwrap_err().field.as_deref(), Some("customer"));

    give_back(&shop, &sale, "3", 1, 1000, 500);
    assert_eq!(state(&shop, &customer, &off), ("REDEEMED".to_owned(), 50), "half the goods, half the points");
    assert_eq!(state(&shop, &customer, &coffee), ("REDEEMED".to_owned(), 0), "it was drunk");
    give_back(&shop, &sale, "4", 2, 1000, 0);
    assert_eq!(state(&shop, &customer, &coffee), ("GIVEN_BACK".to_owned(), 60));
    give_back(&shop, &sale, "5", 1, 1000, 500);
    assert_eq!(
        (state(&shop, &customer, &off).0, balance(&shop, &customer)),
        ("GIVEN_BACK".to_owned(), (300, 0))
    );
}

#[test]
fn a_voided_sale_gives_rewards_back_and_they_count_as_never_had() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let customer = with_points(&shop, 300);
    for number in ["1", "2"] {
        let off = redeem(&shop, &customer, "off").unwrap()["hold"].clone();
        sell(&shop, &customer, number, &json!([off])).unwrap();
    }
    assert_eq!(why(&shop, &customer, "off"), "HAD");
    let sales = shop.call("sale.list", &json!({ "customer": customer })).unwrap();
    shop.call("sale.void", &with_key(json!({ "sale": sales["sales"][0]["sale"] }))).unwrap();
    assert_eq!((balance(&shop, &customer), why(&shop, &customer, "off")), ((200, 0), String::new()));
}

#[test]
fn a_reward_needs_its_article_its_currency_and_its_customer() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let customer = with_points(&shop, 300);
    let hold = redeem(&shop, &customer, "coffee").unwrap()["hold"].clone();
    let other = shop.enrol("Eva", "Prueba", "+34911111112");
    for (number, customer) in [("1", &other), ("2", &Value::Null)] {
        let refused = sell(&shop, customer, number, &json!([hold])).unwrap_err();
        assert_eq!(refused.field.as_deref(), Some("rewards[0]"));
    }
    let line = json!([{ "sku": "CAKE", "quantity": 1000, "unit_price": 500, "amount": 500 }]);
    let receipt = json!({ "number": "3", "day": "2027-01-15", "currency": "EUR", "lines": line,
        "tenders": [{ "kind": "CASH", "amount": 500 }], "total": 500 });
    let refused = shop.call(
        "sale.record",
        &with_key(json!({ "customer": customer, "receipt": receipt, "rewards": [hold] })),
    );
    assert_eq!(refused.unwrap_err().field.as_deref(), Some("rewards[0]"));
    assert_eq!(balance(&shop, &customer), (240, 60), "it is still set aside");
}

#[test]
fn rewards_of_a_merged_customer_count_with_the_survivor_and_go_back_to_them() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let customer = with_points(&shop, 300);
    let off = redeem(&shop, &customer, "off").unwrap()["hold"].clone();
    let sale = sell(&shop, &customer, "1", &json!([off])).unwrap()["sale"].clone();
    let other = shop.enrol("Eva", "Prueba", "+34911111112");
    let merge = json!({ "from": customer, "into": other, "sure": true });
    let merged = shop.call("customer.merge", &with_key(merge)).unwrap();
    assert_eq!(state(&shop, &other, &off).0, "REDEEMED");
    give_back(&shop, &sale, "2", 1, 2000, 1000);
    assert_eq!((state(&shop, &other, &off).0, balance(&shop, &other)), ("GIVEN_BACK".to_owned(), (300, 0)));
    shop.call("customer.unmerge", &with_key(json!({ "merge": merged["merge"] }))).unwrap();
    assert_eq!((balance(&shop, &customer), balance(&shop, &other)), ((300, 0), (0, 0)));
}
