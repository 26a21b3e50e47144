//! Visits over weeks: what can be named, what is forgotten, and that views made anew forget the same.

use super::*;
use fichad::log::Half;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn sell(shop: &Shop, visit: &Value, number: &str) -> Result<Value, Refusal> {
    let receipt = json!({
        "number": number, "day": "2027-01-15", "currency": "EUR", "total": 100,
        "lines": [{ "gtin": "4006381333931", "quantity": 1000, "unit_price": 100, "amount": 100 }],
        "tenders": [{ "kind": "CASH", "amount": 100 }],
    });
    shop.call("sale.record", &with_key(json!({ "visit": visit, "late": true, "receipt": receipt })))
}

#[test]
fn a_visit_is_forgotten_after_a_month_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let visit =
        || shop.call("file.open", &with_key(json!({ "customer": customer }))).unwrap()["visit"].clone();
    // Three a day; visits are forgotten some at a time.
    let mut visits: Vec<(u32, Value)> = Vec::new();
    for day in 0..100 {
        visits.extend((0..3).map(|_| (day, visit())));
        *shop.clock.0.lock().unwrap() += DAY;
    }
    let kept = |(day, visit): &(u32, Value)| match sell(&shop, visit, &visit.to_string()[1..37]) {
        Ok(_) => Some(*day),
        Err(refusal) => {
            assert_eq!(refusal.code, RefusalCode::NotFound);
            assert!(refusal.message.contains("visit"), "{}", refusal.message);
            None
        }
    };
    let kept: Vec<u32> = visits.iter().filter_map(kept).collect();
    let least = *kept.first().unwrap();
    assert!((50..=70).contains(&least), "the first that is left is of day {least}");
    assert_eq!(kept.len(), (100 - usize::try_from(least).unwrap()) * 3, "none of a later day is forgotten");
    let digest = |shop: &Shop| shop.desk.opened().unwrap().log.views().digest(Half::Neutral).unwrap();
    let before = digest(&shop);
    drop(shop);
    std::fs::remove_dir_all(dir.path().join("store/views")).unwrap();
    assert_eq!(digest(&shop_in(dir.path(), false)), before);
}
