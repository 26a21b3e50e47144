//! What a person's form says of days and places, judged by the shop's own day.

use super::*;

fn shop_in_zone(dir: &Path, zone: &str) -> Shop {
    shop_set(dir, false, |settings| {
        settings.points = read_text(&format!("time_zone = '{zone}'"), points::Settings::read).unwrap().0;
    })
}

fn enrol(shop: &Shop, mut person: Value) -> Result<Value, Refusal> {
    person["givenName"] = json!("Ana");
    shop.call("customer.enrol", &with_key(json!({ "person": person })))
}

fn wrong(answer: Result<Value, Refusal>) -> String {
    let refused = answer.unwrap_err();
    assert_eq!(refused.code, RefusalCode::InvalidParams);
    refused.field.unwrap()
}

#[test]
fn nobody_is_born_after_the_day_that_it_is_in_the_shop() {
    let dir = tempfile::tempdir().unwrap();
    // The clock stands at 2027-01-15, 08:00 in UTC.
    let shop = shop_in_zone(dir.path(), "Europe/Madrid");
    let born = |year: i64, day: Value| enrol(&shop, json!({ "birthYear": year, "birthDay": day }));
    assert_eq!(wrong(born(2028, json!(null))), "person.birthYear");
    assert_eq!(wrong(born(2100, json!("01-14"))), "person.birthYear");
    assert_eq!(wrong(born(2027, json!("01-16"))), "person.birthDay");
    born(2027, json!("01-15")).unwrap();
    let ana = born(2027, json!(null)).unwrap()["customer"].clone();
    enrol(&shop, json!({ "birthDay": "12-31" })).unwrap();
    let change = json!({ "customer": ana, "person": { "givenName": "Ana", "birthYear": 2028 } });
    assert_eq!(wrong(shop.call("customer.change", &with_key(change))), "person.birthYear");

    let rows = json!([{ "line": 2, "person": { "givenName": "Eva", "birthYear": 2028 } }]);
    let import = json!({ "import": Uuid::new_v4(), "rows": rows });
    let report = shop.call_as(&[Role::Manager], "customer.import", &import).unwrap();
    assert_eq!(report["imported"], 0);
    assert!(report.to_string().contains("person.birthYear"), "{report}");
}

#[test]
fn the_day_is_the_shops_and_not_greenwichs() {
    for (zone, taken) in [("Pacific/Kiritimati", true), ("UTC", false)] {
        let dir = tempfile::tempdir().unwrap();
        let shop = shop_in_zone(dir.path(), zone);
        // Eleven in the evening at the meridian is the next day, in the afternoon, on Kiritimati.
        *shop.clock.0.lock().unwrap() += Duration::from_hours(15);
        let born = enrol(&shop, json!({ "birthYear": 2027, "birthDay": "01-16" }));
        assert_eq!(born.is_ok(), taken, "{zone}");
    }
}

#[test]
fn a_country_is_one_that_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in_zone(dir.path(), "UTC");
    let lives = |country: &str| enrol(&shop, json!({ "address": [{ "addressCountry": country }] }));
    for none in ["ZZ", "UK", "EU", "E1", "España"] {
        assert_eq!(wrong(lives(none)), "person.address[0].addressCountry", "{none}");
    }
    for country in ["ES", "gb", " in ", "CN"] {
        lives(country).unwrap();
    }
}

#[test]
fn a_preference_that_nobody_stated_is_not_withdrawn() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in_zone(dir.path(), "UTC");
    let ana = shop.enrol("Ana", "Sanz", "+34911111111");
    let set = |more: Value| {
        let mut params = with_key(json!({ "customer": ana, "name": "receipt" }));
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        shop.call("preference.set", &params)
    };
    set(json!({ "value": "paper" })).unwrap();
    set(json!({})).unwrap();
    let refused = set(json!({})).unwrap_err();
    assert_eq!((refused.code, refused.field.as_deref()), (RefusalCode::NotFound, Some("name")));
}

#[test]
fn a_search_by_two_things_and_a_request_without_its_key_name_the_field() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in_zone(dir.path(), "UTC");
    for (method, params, field) in [
        ("customer.find", json!({ "name": "Ana", "phone": "600111222" }), "name"),
        ("customer.find", json!({}), "name"),
        ("customer.enrol", json!({ "person": { "givenName": "Ana" } }), "key"),
    ] {
        assert_eq!(shop.call(method, &params).unwrap_err().field.as_deref(), Some(field), "{method}");
    }
}
