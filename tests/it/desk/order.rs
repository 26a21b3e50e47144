//! Lists of names in the order that people look for them in.

use super::*;

/// The family names of a search's rows, in their order.
fn found(shop: &Shop, name: &str, families: &[(Value, &str)]) -> Vec<String> {
    let answer = shop.call("customer.find", &json!({ "name": name })).unwrap();
    let family = |row: &Value| {
        let named = families.iter().find(|(customer, _)| row["customer"] == *customer).unwrap();
        named.1.to_owned()
    };
    answer["rows"].as_array().unwrap().iter().map(family).collect()
}

#[test]
fn rows_that_fit_alike_are_in_the_order_of_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    for (given, wanted) in [
        ("Ana", ["Nadal", "Núñez", "Nzinga", "Ñíguez", "Obispo"]),
        ("प्रिया", ["अग्रवाल", "कपूर", "गुप्ता", "पटेल", "शर्मा"]),
        ("丽", ["陈", "李", "王", "张", "赵"]),
    ] {
        let mut families: Vec<(Value, &str)> = Vec::new();
        for (at, family) in wanted.iter().enumerate().rev() {
            families.push((shop.enrol(given, family, &format!("600 555 10{at}")), family));
        }
        assert_eq!(found(&shop, given, &families), wanted, "{given}");
    }
    // The likeliest is first, whatever it is called.
    let exact = shop.enrol("Obdulia", "Zorrilla", "600 555 200");
    let near = shop.enrol("Obdulio", "Abad", "600 555 201");
    let families = [(exact, "Zorrilla"), (near, "Abad")];
    assert_eq!(found(&shop, "obdulia", &families).first().map(String::as_str), Some("Zorrilla"));
}

#[test]
fn more_than_are_shown_are_cut_off_at_the_end_of_the_list() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let mut families = Vec::new();
    for (at, family) in
        ["Zapata", "Ñandú", "Rey", "Álvarez", "Mora", "Nieto", "Bosch"].into_iter().enumerate()
    {
        families.push((shop.enrol("Eva", family, &format!("600 555 30{at}")), family));
    }
    assert_eq!(found(&shop, "eva", &families), ["Álvarez", "Bosch", "Mora", "Nieto", "Ñandú"]);
}
