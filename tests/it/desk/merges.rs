//! Duplicates at entry, and two files of one person made one and two again.

use super::*;

pub(super) fn person(given: &str) -> Value {
    json!({
        "givenName": given, "familyName": "García", "birthDay": "03-14", "birthYear": 1987,
        "telephone": [{ "e164": "600 123 456" }],
        "address": [{ "streetAddress": "Calle Mayor 12", "postalCode": "28013", "addressCountry": "ES" }],
    })
}

pub(super) fn take_in(shop: &Shop, person: &Value) -> Value {
    shop.call("customer.enrol", &with_key(json!({ "person": person }))).unwrap()
}

pub(super) fn earn(shop: &Shop, customer: &Value, points: i64) {
    shop.call("points.earn", &with_key(json!({ "customer": customer, "points": points }))).unwrap();
}

pub(super) fn merge(shop: &Shop, from: &Value, into: &Value) -> Result<Value, Refusal> {
    shop.call("customer.merge", &with_key(json!({ "from": from, "into": into })))
}

pub(super) fn unmerge(shop: &Shop, merge: &Value) -> Result<Value, Refusal> {
    shop.call("customer.unmerge", &with_key(json!({ "merge": merge })))
}

/// Available and owed.
pub(super) fn balance(shop: &Shop, customer: &Value) -> (i64, i64) {
    let shown = shop.call("points.show", &json!({ "customer": customer })).unwrap();
    let [available, debt] = ["available", "debt"].map(|name| shown[name].as_i64().unwrap());
    (available, debt)
}

/// Everything that the desk shows of a customer, but the ledger's length.
fn all_of(shop: &Shop, customer: &Value) -> Value {
    let ask = |method: &str| shop.call(method, &json!({ "customer": customer })).unwrap();
    json!([ask("customer.show"), ask("points.show"), ask("sale.list"), ask("issue.list"), ask("card.list")])
}

pub(super) fn sold(shop: &Shop, number: &str, customer: &Value) -> Value {
    let receipt = json!({
        "number": number, "day": "2027-01-15", "currency": "EUR", "total": 3000,
        "lines": [{ "sku": "TIN", "quantity": 1000, "unit_price": 3000, "amount": 3000 }],
        "tenders": [{ "kind": "CASH", "amount": 3000 }],
    });
    shop.call("sale.record", &with_key(json!({ "receipt": receipt, "customer": customer }))).unwrap()["sale"]
        .clone()
}

fn spend(shop: &Shop, customer: &Value, points: i64) -> Value {
    let hold =
        shop.call("points.hold", &with_key(json!({ "customer": customer, "points": points }))).unwrap();
    let hold = hold["hold"].clone();
    shop.call("points.capture", &with_key(json!({ "hold": hold, "points": points }))).unwrap();
    hold
}

#[test]
fn whoever_is_brought_back_as_they_were_is_compared_too() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let first = take_in(&shop, &person("Francisca"))["customer"].clone();
    let versions = shop.call("customer.history", &json!({ "customer": first })).unwrap();
    let version = versions["versions"][0]["version"].clone();
    let other = json!({ "givenName": "Xiomara", "familyName": "Otra" });
    shop.call("customer.change", &with_key(json!({ "customer": first, "person": other }))).unwrap();
    let second = take_in(&shop, &person("Paqui"));
    assert_eq!(second["duplicates"], json!([]));
    let revert = with_key(json!({ "customer": first, "version": version }));
    let back = shop.call("customer.revert", &revert).unwrap();
    let [row] = back["duplicates"].as_array().unwrap().as_slice() else { panic!("{back}") };
    assert_eq!((&row["customer"], &back["repeated"]), (&second["customer"], &json!(false)));
    let again = shop.call("customer.revert", &revert).unwrap();
    assert_eq!((&again["duplicates"], &again["repeated"]), (&back["duplicates"], &json!(true)));
}

#[test]
fn who_is_here_already_is_told_at_once_with_the_reasons() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let first = take_in(&shop, &person("Francisca"));
    assert_eq!(first["duplicates"], json!([]));
    let again = take_in(&shop, &person("Paqui"));
    let [row] = again["duplicates"].as_array().unwrap().as_slice() else { panic!("{again}") };
    assert_eq!(
        (&row["customer"], &row["name"], &row["household"]),
        (&first["customer"], &json!("Francisca G••••"), &json!(false))
    );
    assert!(row["reasons"].as_array().unwrap().contains(&json!("given_name_near")), "{row}");
    assert!(!again.to_string().contains("600123456") && !again.to_string().contains("Mayor"));

    // A twin is shown as perhaps another person; somebody else of the household is not.
    let twin = take_in(&shop, &person("Marcos"));
    assert!(twin["duplicates"].as_array().unwrap().iter().all(|row| row["household"] == true), "{twin}");
    let mut child = person("Iker");
    child["birthDay"] = json!("09-02");
    child["birthYear"] = json!(2015);
    assert_eq!(take_in(&shop, &child)["duplicates"], json!([]));

    // The desk asks for it again, and after a change.
    let listed = shop.call("customer.duplicates", &json!({ "customer": first["customer"] })).unwrap();
    assert_eq!(listed["duplicates"][0]["customer"], again["customer"]);
    let mut moved = person("Francisca");
    moved["birthDay"] = json!("12-24");
    moved["birthYear"] = json!(1951);
    moved["telephone"] = json!([]);
    moved["address"] = json!([]);
    let params = with_key(json!({ "customer": first["customer"], "person": moved }));
    assert_eq!(shop.call("customer.change", &params).unwrap()["duplicates"], json!([]));
}

#[test]
fn a_merge_with_nothing_between_is_undone_to_the_last_field() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let [from, into] = ["Francisca", "Paqui"].map(|given| take_in(&shop, &person(given))["customer"].clone());
    for (customer, points, number) in [(&from, 50, "1"), (&into, 100, "2")] {
        shop.call("card.print", &with_key(json!({ "customer": customer }))).unwrap();
        earn(&shop, customer, points);
        sold(&shop, number, customer);
        shop.call("file.open", &with_key(json!({ "customer": customer }))).unwrap();
        let issue = json!({ "customer": customer, "kind": "REPAIR", "product": {}, "hint": format!("hint {number}") });
        shop.call("issue.open", &with_key(issue)).unwrap();
        shop.call("note.keep", &with_key(json!({ "customer": customer, "text": format!("note {number}") })))
            .unwrap();
        let preference = json!({ "customer": customer, "name": format!("p{number}"), "value": "yes" });
        shop.call("preference.set", &with_key(preference)).unwrap();
    }
    let before = [&from, &into].map(|customer| all_of(&shop, customer));
    let merged = merge(&shop, &from, &into).unwrap();
    assert_eq!((&merged["customer"], &merged["available"]), (&into, &json!(210)));

    let whole = all_of(&shop, &into);
    assert_eq!((&whole[0]["visits"], &whole[0]["bought"]["sales"]), (&json!(2), &json!(2)));
    for (at, count) in [(2, "sales"), (3, "issues"), (4, "cards")] {
        assert_eq!(whole[at][count].as_array().unwrap().len(), 2, "{count}");
    }
    let text = whole.to_string();
    for part in ["hint 1", "hint 2", "note 1", "note 2", "p1: yes", "p2: yes"] {
        assert!(text.contains(part), "{part}");
    }
    assert_eq!(whole[0]["merged"][0]["customer"], from);

    // The card of either finds the one who stays; the old number says where it went.
    assert_eq!(json!(shop.scan_last().unwrap().customer.customer), into);
    let face = shop.tray.0.lock().unwrap().remove(0);
    shop.tray.0.lock().unwrap().push(face);
    let found = shop.scan_last().unwrap();
    assert_eq!((json!(found.customer.customer), found.status.word()), (into.clone(), "ACTIVE"));
    for (method, params) in [
        ("customer.show", json!({ "customer": from })),
        ("points.earn", with_key(json!({ "customer": from, "points": 1 }))),
        ("customer.change", with_key(json!({ "customer": from, "person": person("Eva") }))),
        ("customer.merge", with_key(json!({ "from": from, "into": into }))),
    ] {
        let refused = shop.call(method, &params).unwrap_err();
        assert_eq!(
            (refused.code, json!(refused.customer)),
            (RefusalCode::Conflict, into.clone()),
            "{method}"
        );
    }
    let found = shop.call("customer.find", &json!({ "name": "francisca" })).unwrap();
    assert_eq!((found["rows"].as_array().unwrap().len(), &found["rows"][0]["customer"]), (1, &into));

    let undone = unmerge(&shop, &merged["merge"]).unwrap();
    assert_eq!((&undone["from_points"], &undone["into_points"]), (&json!(80), &json!(130)));
    assert_eq!([&from, &into].map(|customer| all_of(&shop, customer)), before);
    let again = unmerge(&shop, &merged["merge"]).unwrap_err();
    assert_eq!(again.code, RefusalCode::Conflict);
}

#[test]
fn what_belongs_to_the_others_sale_goes_back_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let [from, into] = ["Francisca", "Paqui"].map(|given| take_in(&shop, &person(given))["customer"].clone());
    earn(&shop, &from, 100);
    earn(&shop, &into, 100);
    let [returned, voided] = ["1", "2"].map(|number| sold(&shop, number, &from));
    let hold = spend(&shop, &from, 40);
    // 30 for each sale: 120 and 100.
    let merged = merge(&shop, &from, &into).unwrap();
    assert_eq!(balance(&shop, &into), (220, 0));
    let receipt =
        json!({ "number": "r1", "day": "2027-01-15", "tenders": [{ "kind": "CASH", "amount": 3000 }] });
    shop.call("sale.return", &with_key(json!({ "sale": returned, "receipt": receipt }))).unwrap();
    shop.call("sale.void", &with_key(json!({ "sale": voided }))).unwrap();
    shop.call("points.give_back", &with_key(json!({ "hold": hold, "points": 40 }))).unwrap();
    assert_eq!(balance(&shop, &into), (200, 0));
    // What is bought, earned and spent now is of the one who stays.
    sold(&shop, "3", &into);
    earn(&shop, &into, 7);
    spend(&shop, &into, 150);
    assert_eq!(balance(&shop, &into), (87, 0));
    unmerge(&shop, &merged["merge"]).unwrap();
    assert_eq!((balance(&shop, &from), balance(&shop, &into)), ((100, 0), (0, 13)));
    let sales = |customer: &Value| {
        let listed = shop.call("sale.list", &json!({ "customer": customer })).unwrap();
        (listed["sales"].as_array().unwrap().len(), listed["bought"]["turnover"][0]["minor"].clone())
    };
    assert_eq!((sales(&from), sales(&into)), ((1, json!(0)), (1, json!(3000))));
    // After that each of them is its own again.
    earn(&shop, &from, 1);
    assert_eq!((balance(&shop, &from), balance(&shop, &into)), ((101, 0), (0, 13)));
}

#[test]
fn a_merge_is_refused_where_it_would_be_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let [from, into, third] =
        ["Francisca", "Paqui", "Marcos"].map(|given| take_in(&shop, &person(given))["customer"].clone());
    earn(&shop, &from, 10);
    let field = |refused: Refusal| (refused.code, refused.field.unwrap_or_default());
    assert_eq!(
        field(merge(&shop, &from, &from).unwrap_err()),
        (RefusalCode::InvalidParams, "into".to_owned())
    );
    let nobody = json!(Uuid::new_v4());
    assert_eq!(field(merge(&shop, &nobody, &into).unwrap_err()), (RefusalCode::NotFound, "from".to_owned()));
    assert_eq!(field(merge(&shop, &third, &into).unwrap_err()), (RefusalCode::Conflict, "sure".to_owned()));
    let till =
        shop.call_as(&[Role::Register], "customer.merge", &with_key(json!({ "from": from, "into": into })));
    assert_eq!(till.unwrap_err().code, RefusalCode::Forbidden);
    let hold = shop.call("points.hold", &with_key(json!({ "customer": from, "points": 5 }))).unwrap();
    assert_eq!(merge(&shop, &from, &into).unwrap_err().code, RefusalCode::Conflict);
    shop.call("points.release", &with_key(json!({ "hold": hold["hold"] }))).unwrap();

    // Two clerks at once: one wins. A merge that another stands on is not undone first.
    let first = merge(&shop, &from, &into).unwrap();
    assert_eq!(merge(&shop, &from, &third).unwrap_err().customer.map(|into| json!(into)), Some(into.clone()));
    assert_eq!(merge(&shop, &into, &from).unwrap_err().code, RefusalCode::Conflict);
    let sure = with_key(json!({ "from": into, "into": third, "sure": true }));
    let second = shop.call("customer.merge", &sure).unwrap();
    assert_eq!(shop.call("customer.merge", &sure).unwrap()["repeated"], true);
    assert_eq!(unmerge(&shop, &first["merge"]).unwrap_err().code, RefusalCode::Conflict);
    assert_eq!(balance(&shop, &third), (10, 0));
    unmerge(&shop, &second["merge"]).unwrap();
    unmerge(&shop, &first["merge"]).unwrap();
    assert_eq!(balance(&shop, &from), (10, 0));
}

#[test]
fn an_erasure_takes_everybody_who_was_merged_and_a_restart_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (from, into, merged);
    {
        let shop = shop_in(dir.path(), false);
        [from, into] = ["Francisca", "Paqui"].map(|given| take_in(&shop, &person(given))["customer"].clone());
        earn(&shop, &from, 10);
        merged = merge(&shop, &from, &into).unwrap();
        shop.desk.opened().unwrap().log.clone().close();
    }
    std::fs::remove_dir_all(dir.path().join("store/views")).unwrap();
    let shop = shop_in(dir.path(), false);
    assert_eq!(balance(&shop, &into), (10, 0));
    let erase = |customer: &Value| {
        let params = with_key(json!({ "customer": customer, "purpose": "REQUEST" }));
        shop.call_as(&[Role::Manager], "customer.erase", &params)
    };
    assert_eq!(erase(&from).unwrap_err().code, RefusalCode::Conflict);
    erase(&into).unwrap();
    for name in ["francisca", "paqui"] {
        assert_eq!(
            shop.call("customer.find", &json!({ "name": name })).unwrap()["rows"],
            json!([]),
            "{name}"
        );
    }
    assert_eq!(unmerge(&shop, &merged["merge"]).unwrap_err().code, RefusalCode::NotFound);
    assert_eq!(take_in(&shop, &person("Francisca"))["duplicates"], json!([]));
}
