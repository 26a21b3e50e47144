//! Levels follow what was bought, what came back, whose it is, and time.

use super::*;
use fichad::desk::levels;

const LEVELS: &str = "[levels]\nmeasure = 'turnover'\ncurrency = 'EUR'\nperiod = '12 months'\ngrace_months = 3\n\
    [[level]]\nname = 'Silver'\nfrom = 10000\nearn_percent = 150\n[[level]]\nname = 'Gold'\nfrom = 50000\n";

fn shop(dir: &Path, levels: &str) -> Shop {
    shop_set(dir, false, |settings| {
        settings.points.levels = read_text(levels, levels::read).unwrap().0;
    })
}

/// A sale of one line.
pub(super) fn sell(shop: &Shop, customer: &Value, number: &str, day: &str, amount: i64) -> Value {
    let line = json!([{ "sku": "A-1", "quantity": 1000, "unit_price": amount, "amount": amount }]);
    let receipt = json!({ "number": number, "day": day, "currency": "EUR", "lines": line,
        "tenders": [{ "kind": "CASH", "amount": amount }], "total": amount });
    shop.call("sale.record", &with_key(json!({ "customer": customer, "receipt": receipt }))).unwrap()
}

fn level(shop: &Shop, customer: &Value) -> Value {
    shop.call("customer.level", &json!({ "customer": customer })).unwrap()
}

fn at(shop: &Shop, days: u32) {
    *shop.clock.0.lock().unwrap() = Duration::from_hours(24).saturating_mul(days);
}

#[test]
fn a_level_follows_sales_and_returns_and_is_shown_at_the_till() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path(), LEVELS);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let told = level(&shop, &customer);
    assert_eq!((&told["level"], &told["next"]["lacks"]["minor"]), (&Value::Null, &json!(10000)));
    assert_eq!(
        sell(&shop, &customer, "1", "2027-01-15", 9999)["points"],
        99,
        "by the level of before the sale"
    );
    assert_eq!(level(&shop, &customer)["level"], Value::Null);
    let second = sell(&shop, &customer, "2", "2027-01-15", 1);
    assert_eq!(level(&shop, &customer)["level"], "Silver", "exactly so much is enough");
    assert_eq!(
        sell(&shop, &customer, "3", "2027-01-15", 1000)["points"],
        15,
        "Silver earns half as much again"
    );
    let file = shop.call("file.open", &with_key(json!({ "customer": customer }))).unwrap();
    assert_eq!(file["file"]["level"], "Silver");

    let receipt = json!({ "number": "4", "day": "2027-01-15", "tenders": [{ "kind": "CASH", "amount": 1 }] });
    shop.call("sale.return", &with_key(json!({ "sale": second["sale"], "receipt": receipt }))).unwrap();
    assert_eq!(level(&shop, &customer)["counted"]["minor"], 10999);
    let all = shop.call("sale.list", &json!({ "customer": customer })).unwrap();
    let third = all["sales"][0]["sale"].clone();
    shop.call("sale.void", &with_key(json!({ "sale": third }))).unwrap();
    let told = level(&shop, &customer);
    assert_eq!(
        (&told["level"], &told["counted"]["minor"]),
        (&Value::Null, &json!(9999)),
        "no grace for what came back"
    );
}

#[test]
fn a_level_falls_after_its_grace_and_a_year_later_a_return_still_finds_its_month() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path(), LEVELS);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let sale = sell(&shop, &customer, "1", "2027-01-15", 10000)["sale"].clone();
    at(&shop, 365 + 10);
    assert_eq!(level(&shop, &customer)["grace_until"], Value::Null, "this month and the twelve before");
    at(&shop, 365 + 31 + 20);
    assert_eq!(level(&shop, &customer)["level"], "Silver");
    assert_eq!(level(&shop, &customer)["grace_until"], "2028-04");
    at(&shop, 365 + 31 + 28 + 31 + 31 + 20);
    assert_eq!(level(&shop, &customer)["level"], Value::Null);
    sell(&shop, &customer, "2", "2028-05-10", 500);
    let receipt =
        json!({ "number": "3", "day": "2028-05-10", "tenders": [{ "kind": "CASH", "amount": 10000 }] });
    shop.call("sale.return", &with_key(json!({ "sale": sale, "receipt": receipt }))).unwrap();
    assert_eq!(level(&shop, &customer)["counted"]["minor"], 500, "taken out of the month it counted in");
}

#[test]
fn a_level_follows_a_sale_that_is_moved_and_customers_who_are_merged() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path(), LEVELS);
    let [one, other] = [("Ana", "+34911111111"), ("Eva", "+34911111112")]
        .map(|(name, phone)| shop.enrol(name, "Sanz", phone));
    let names = |customers: [&Value; 2]| customers.map(|customer| level(&shop, customer)["level"].clone());
    let sale = sell(&shop, &one, "1", "2027-01-15", 10000)["sale"].clone();
    assert_eq!(names([&one, &other]), [json!("Silver"), Value::Null]);
    shop.call("sale.attach", &with_key(json!({ "sale": sale, "customer": other }))).unwrap();
    assert_eq!(names([&one, &other]), [Value::Null, json!("Silver")]);
    sell(&shop, &one, "2", "2027-01-15", 40000);
    assert_eq!(level(&shop, &one)["level"], "Silver");
    let merge = json!({ "from": other, "into": one, "sure": true });
    let merged = shop.call("customer.merge", &with_key(merge)).unwrap();
    assert_eq!(level(&shop, &one)["level"], "Gold");
    let undo = json!({ "merge": merged["merge"] });
    shop.call("customer.unmerge", &with_key(undo)).unwrap();
    assert_eq!(names([&one, &other]), [json!("Silver"), json!("Silver")]);
}

#[test]
fn levels_in_points_count_what_was_earned_whether_spent_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path(), "[[level]]\nname = 'Silver'\nfrom = 100\n");
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let sale = sell(&shop, &customer, "1", "2027-01-15", 10000)["sale"].clone();
    let held = shop.call("points.hold", &with_key(json!({ "customer": customer, "points": 80 }))).unwrap();
    shop.call("points.capture", &with_key(json!({ "hold": held["hold"], "points": 80 }))).unwrap();
    let told = level(&shop, &customer);
    assert_eq!((&told["level"], &told["counted"]), (&json!("Silver"), &json!({ "points": 100 })));
    shop.call("points.take_back", &with_key(json!({ "sale": sale, "points": 1 }))).unwrap();
    assert_eq!(level(&shop, &customer)["counted"], json!({ "points": 99 }));
}
