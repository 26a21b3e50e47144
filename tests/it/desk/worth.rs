//! What a customer is worth: reasons that add up, a class at the till, and nothing of whoever objects.

use super::levels::sell;
use super::*;
use fichad::desk::worth;

const WORTH: &str = "[worth]\ncurrency = 'EUR'\nmargin_percent = 50\nrepair_cost = 2000\n\
    [[class]]\nname = 'Standard'\nfrom = 0\n[[class]]\nname = 'Best'\nfrom = 5000\n";

fn settings(settings: &mut Settings) {
    settings.worth = read_text(WORTH, worth::read).unwrap().0;
}

fn worth_of(shop: &Shop, customer: &Value) -> Value {
    shop.call("customer.worth", &json!({ "customer": customer })).unwrap()
}

fn file(shop: &Shop, customer: &Value) -> Value {
    shop.call("file.open", &with_key(json!({ "customer": customer }))).unwrap()["file"].clone()
}

#[test]
fn a_worth_is_the_sum_of_its_reasons_and_its_class_is_shown_at_the_till() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_set(dir.path(), false, settings);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    assert_eq!(file(&shop, &customer)["class"], "Standard");
    sell(&shop, &customer, "1", "2027-01-15", 10_000);
    assert_eq!(file(&shop, &customer)["class"], "Best");
    for kind in ["REPAIR", "DATA_REQUEST"] {
        shop.call("issue.open", &with_key(json!({ "customer": customer, "kind": kind }))).unwrap();
    }
    let told = worth_of(&shop, &customer);
    assert_eq!((&told["class"], &told["value"]["minor"]), (&json!("Standard"), &json!(3000)));
    let reasons: Vec<_> = told["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["reason"].clone(), row["amount"]["minor"].clone()))
        .collect();
    assert_eq!(reasons, [(json!("TURNOVER"), json!(5000)), (json!("REPAIR"), json!(-2000))]);
}

#[test]
fn whoever_objects_has_no_worth_and_no_class_also_when_merged() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_set(dir.path(), false, settings);
    let [one, other] = [("Ana", "+34911111111"), ("Eva", "+34911111112")]
        .map(|(name, phone)| shop.enrol(name, "Sanz", phone));
    sell(&shop, &one, "1", "2027-01-15", 6_000);
    sell(&shop, &other, "2", "2027-01-15", 4_000);
    let merge = json!({ "from": other, "into": one, "sure": true });
    let merged = shop.call("customer.merge", &with_key(merge)).unwrap();
    assert_eq!(worth_of(&shop, &one)["value"]["minor"], 5000, "of both together");
    shop.call("customer.unmerge", &with_key(json!({ "merge": merged["merge"] }))).unwrap();
    assert_eq!(worth_of(&shop, &one)["value"]["minor"], 3000);

    shop.call("customer.object", &with_key(json!({ "customer": other, "objects": true }))).unwrap();
    let told = worth_of(&shop, &other);
    assert_eq!(
        (&told["objects"], &told["value"], &told["class"]),
        (&json!(true), &Value::Null, &Value::Null)
    );
    assert_eq!((file(&shop, &other).get("class"), &told["reasons"]), (None, &json!([])));
    let merge = json!({ "from": other, "into": one, "sure": true });
    shop.call("customer.merge", &with_key(merge)).unwrap();
    assert_eq!(worth_of(&shop, &one)["objects"], true);
    shop.call("customer.object", &with_key(json!({ "customer": one, "objects": false }))).unwrap();
    assert_eq!(
        worth_of(&shop, &one)["objects"],
        true,
        "what one of two files says, the other does not take back"
    );
}

#[test]
fn while_the_vault_is_locked_nobody_is_reckoned() {
    let dir = tempfile::tempdir().unwrap();
    let customer = {
        let shop = shop_set(dir.path(), false, settings);
        let customer = shop.enrol("Ana", "Sanz", "+34911111111");
        shop.desk.opened().unwrap().log.clone().close();
        customer
    };
    let shop = shop_set(dir.path(), true, settings);
    let refused = shop.call("customer.worth", &json!({ "customer": customer })).unwrap_err();
    assert_eq!(refused.code, RefusalCode::Locked);
    assert_eq!(file(&shop, &customer).get("class"), None);
}

#[test]
fn a_class_is_the_last_to_be_left_out_of_a_file_and_a_file_still_fits() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_set(dir.path(), false, settings);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    for number in 0..4 {
        let hint = format!("{number}{}", "\u{20ac}".repeat(79));
        shop.call("issue.open", &with_key(json!({ "customer": customer, "kind": "COMPLAINT", "hint": hint, "product": { "model": "\u{20ac}".repeat(40) } }))).unwrap();
    }
    let file = file(&shop, &customer);
    assert!(file.to_string().len() <= 1024, "{}", file.to_string().len());
    assert_eq!((&file["class"], &file["issues_open"]), (&json!("Standard"), &json!(4)));
}
