//! What a file was computed from: the parts that are told add up to what the till is shown.

use super::levels::sell;
use super::*;
use fichad::desk::{levels, worth};

const PROGRAMME: &str = "[levels]\nmeasure = 'turnover'\ncurrency = 'EUR'\n\
    [[level]]\nname = 'Silver'\nfrom = 10000\n[[level]]\nname = 'Gold'\nfrom = 50000\n\
    [worth]\ncurrency = 'EUR'\nrepair_cost = 2000\n[[class]]\nname = 'Standard'\nfrom = 0\n";

fn programme(settings: &mut Settings) {
    settings.points.levels = read_text(PROGRAMME, levels::read).unwrap().0;
    settings.worth = read_text(PROGRAMME, worth::read).unwrap().0;
}

fn explain(shop: &Shop, customer: &Value) -> Value {
    shop.call("file.explain", &json!({ "customer": customer })).unwrap()
}

fn sum(rows: &Value, pointer: &str) -> i64 {
    rows.as_array().unwrap().iter().map(|row| row.pointer(pointer).unwrap().as_i64().unwrap()).sum()
}

#[test]
fn the_parts_add_up_to_what_the_till_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_set(dir.path(), false, programme);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    sell(&shop, &customer, "1", "2027-01-15", 12_000);
    shop.call("issue.open", &with_key(json!({ "customer": customer, "kind": "REPAIR" }))).unwrap();
    let preference =
        json!({ "customer": customer, "name": "receipt", "value": "by e-mail", "source": "FORM" });
    shop.call("preference.set", &with_key(preference)).unwrap();

    let told = explain(&shop, &customer);
    let file = shop.call("file.open", &with_key(json!({ "customer": customer }))).unwrap()["file"].clone();
    assert_eq!(told["file"], file, "the same file");
    assert_eq!((&file["level"], &file["class"]), (&json!("Silver"), &json!("Standard")));
    assert_eq!(sum(&told["points"]["lots"], "/points"), file["points"].as_i64().unwrap());
    assert_eq!(told["points"]["ledger_lines"], 1);
    let level = &told["level"];
    assert_eq!(sum(&level["months"], "/counted/minor"), level["counted"]["minor"].as_i64().unwrap());
    assert_eq!(level["thresholds"][0], json!({ "level": "Silver", "from": level["thresholds"][0]["from"] }));
    assert_eq!(level["thresholds"][0]["from"]["minor"], 10_000);
    assert_eq!(
        sum(&told["class"]["reasons"], "/amount/minor"),
        told["class"]["value"]["minor"].as_i64().unwrap()
    );
    assert_eq!(told["issues"][0]["issue"], file["issues"][0]["issue"]);
    assert_eq!(told["issues"][0]["counted_from"], file["issues"][0]["opened_at"]);
    let stated = &told["preferences"][0];
    let at = stated["stated_at"].as_str().unwrap();
    let row = json!({ "preference": "receipt: by e-mail", "stated_under": customer, "source": "FORM", "stated_at": at });
    assert_eq!(told["preferences"], json!([row]));
    let row = json!({ "name": "receipt", "value": "by e-mail", "source": "FORM", "stated_at": at });
    assert_eq!(
        shop.call("customer.show", &json!({ "customer": customer })).unwrap()["preferences"],
        json!([row])
    );
    assert_eq!(told["numbers"], json!([customer]));
}

#[test]
fn what_was_merged_is_told_under_its_own_number_and_whoever_objects_has_no_reasons() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_set(dir.path(), false, programme);
    let [one, other] = [("Ana", "+34911111111"), ("Eva", "+34911111112")]
        .map(|(name, phone)| shop.enrol(name, "Sanz", phone));
    let preference = json!({ "customer": other, "name": "bag", "value": "none" });
    shop.call("preference.set", &with_key(preference)).unwrap();
    shop.call("customer.merge", &with_key(json!({ "from": other, "into": one, "sure": true }))).unwrap();
    let told = explain(&shop, &one);
    let stated = &told["preferences"][0];
    assert_eq!(stated["preference"], "bag: none");
    assert_eq!((&stated["stated_under"], &stated["source"]), (&other, &json!("STAFF")));
    assert_eq!(told["numbers"].as_array().unwrap().len(), 2);
    assert!(!told["class"].is_null());
    shop.call("customer.object", &with_key(json!({ "customer": one, "objects": true }))).unwrap();
    assert_eq!(explain(&shop, &one)["class"], Value::Null);
}

#[test]
fn the_greeting_has_the_title_and_is_told_by_field_and_number() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let person = json!({ "honorificPrefix": "Dr.", "givenName": "Ana", "familyName": "López" });
    let enrolled = shop.call("customer.enrol", &with_key(json!({ "person": person }))).unwrap();
    let customer = enrolled["customer"].clone();
    let card = shop.call("card.issue", &with_key(json!({ "customer": customer, "holder": "Luis" }))).unwrap();
    let told = explain(&shop, &customer);
    assert_eq!(told["file"]["name"], "Dr. Ana López");
    let fields = json!(["honorificPrefix", "givenName", "familyName"]);
    assert_eq!(told["name"], json!({ "fields": fields, "kept_under": customer }));
    let holder = json!({ "card": card["card"], "holder": "Luis", "kept_under": customer });
    assert_eq!(told["holders"], json!([holder]));
    let person = json!({ "honorificPrefix": "Dr.", "givenName": "Ana", "preferredName": "Anita" });
    shop.call("customer.change", &with_key(json!({ "customer": customer, "person": person }))).unwrap();
    let told = explain(&shop, &customer);
    assert_eq!(told["file"]["name"], "Anita");
    assert_eq!(told["name"]["fields"], json!(["preferredName"]));

    // Whoever goes on is greeted by their own name; a holder is kept under the number that the card was made for.
    let company = json!({ "org": "Talleres Ruiz" });
    let other =
        shop.call("customer.enrol", &with_key(json!({ "person": company }))).unwrap()["customer"].clone();
    shop.call("customer.merge", &with_key(json!({ "from": customer, "into": other, "sure": true }))).unwrap();
    let told = explain(&shop, &other);
    assert_eq!(told["file"]["name"], "Talleres Ruiz");
    assert_eq!(told["name"], json!({ "fields": ["org"], "kept_under": other }));
    assert_eq!(told["holders"][0]["kept_under"], customer);
}
