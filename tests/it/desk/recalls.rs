//! Recalls: who bought what is called back, and one issue for each of them, whoever asks how often.

#![expect(clippy::arithmetic_side_effects, reason = "numbers of a test are small")]

use super::*;

const KETTLE: &str = "4006381333931";

fn sell(shop: &Shop, number: &str, customer: Option<&Value>, day: &str, lines: Value) -> Value {
    let total: i64 = lines.as_array().unwrap().iter().map(|line| line["amount"].as_i64().unwrap()).sum();
    let receipt = json!({ "number": number, "day": day, "currency": "EUR", "lines": lines,
        "tenders": [{ "kind": "CASH", "amount": total }], "total": total });
    let mut params = with_key(json!({ "receipt": receipt }));
    if let Some(customer) = customer {
        params["customer"] = customer.clone();
    }
    shop.call("sale.record", &params).unwrap()["sale"].clone()
}

fn kettle(serial: &str) -> Value {
    json!({ "gtin": KETTLE, "model": "KX \"200\"", "serial": serial, "quantity": 1000, "unit_price": 2500, "amount": 2500 })
}

fn tins(pieces: i64) -> Value {
    json!({ "sku": "TIN", "quantity": pieces * 1000, "unit_price": 100, "amount": pieces * 100 })
}

fn bring_back(shop: &Shop, sale: &Value, number: &str, line: u16, quantity: i64, money: i64) {
    let receipt =
        json!({ "number": number, "day": "2027-01-15", "tenders": [{ "kind": "CASH", "amount": money }] });
    let lines = json!([{ "line": line, "quantity": quantity }]);
    shop.call("sale.return", &with_key(json!({ "sale": sale, "receipt": receipt, "lines": lines }))).unwrap();
}

fn buyers(shop: &Shop, params: Value) -> Vec<Value> {
    let answer = shop.call("recall.buyers", &params).unwrap();
    assert_eq!(answer["next"], Value::Null);
    answer["rows"].as_array().unwrap().clone()
}

fn open(shop: &Shop, row: &Value) -> Result<Value, Refusal> {
    let purchase = json!({ "sale": row["sale"], "line": row["line"] });
    let params =
        json!({ "customer": row["customer"], "kind": "RECALL", "recall": "R-1", "purchase": purchase });
    shop.call("issue.open", &with_key(params))
}

fn serials(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["serial"].as_str().unwrap()).collect()
}

#[test]
fn whoever_bought_it_and_still_has_it_is_found_by_article_model_or_piece() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let [ana, eva] = [("Ana", "+34911111111"), ("Eva", "+34922222222")]
        .map(|(given, phone)| shop.enrol(given, "Sanz", phone));
    let first = sell(&shop, "1", Some(&ana), "2027-01-10", json!([tins(1), kettle("S1")]));
    let nobodys = sell(&shop, "2", None, "2027-01-12", json!([kettle("S2")]));
    let back = sell(&shop, "3", Some(&ana), "2027-01-13", json!([kettle("S3")]));
    let voided = sell(&shop, "4", Some(&ana), "2027-01-14", json!([kettle("S4")]));
    let some = sell(&shop, "5", Some(&ana), "2027-01-15", json!([tins(5)]));
    bring_back(&shop, &back, "6", 1, 1000, 2500);
    bring_back(&shop, &some, "7", 1, 2000, 200);
    shop.call("sale.void", &with_key(json!({ "sale": voided }))).unwrap();

    let rows = buyers(&shop, json!({ "gtin": format!("0{KETTLE}") }));
    assert_eq!(
        (serials(&rows), &rows[0]["customer"], &rows[1]["customer"]),
        (vec!["S1", "S2"], &ana, &Value::Null)
    );
    assert_eq!((&rows[0]["sale"], &rows[0]["line"], &rows[0]["quantity"]), (&first, &json!(2), &json!(1000)));
    assert_eq!(serials(&buyers(&shop, json!({ "model": "KX \"200\"", "to": "2027-01-10" }))), ["S1"]);
    assert_eq!(serials(&buyers(&shop, json!({ "model": "KX \"200\"", "from": "2027-01-11" }))), ["S2"]);
    assert_eq!(serials(&buyers(&shop, json!({ "gtin": KETTLE, "serial": "S2" }))), ["S2"]);
    assert_eq!(buyers(&shop, json!({ "sku": "TIN", "serial": "S1" })), Vec::<Value>::new());
    let left = buyers(&shop, json!({ "sku": "TIN", "from": "2027-01-15" }));
    assert_eq!(left[0]["quantity"], 3000, "what came back is called back no more");

    shop.call("sale.attach", &with_key(json!({ "sale": nobodys, "customer": eva }))).unwrap();
    assert_eq!(buyers(&shop, json!({ "serial": "S2" }))[0]["customer"], eva, "whose it is now");
    let erase = with_key(json!({ "customer": ana, "purpose": "REQUEST" }));
    shop.call_as(&[Role::Manager], "customer.erase", &erase).unwrap();
    assert_eq!(buyers(&shop, json!({ "serial": "S1" }))[0]["customer"], Value::Null);

    for (params, field) in [
        (json!({ "from": "2027-01-10" }), "gtin"),
        (json!({ "gtin": "4006381333930" }), "gtin"),
        (json!({ "sku": "TIN", "from": "2027-01-11", "to": "2027-01-10" }), "to"),
        (json!({ "sku": "TIN", "recall": "two words" }), "recall"),
    ] {
        assert_eq!(shop.call("recall.buyers", &params).unwrap_err().field.as_deref(), Some(field));
    }
    let till = shop.call_as(&[Role::Register], "recall.buyers", &json!({ "sku": "TIN" }));
    assert_eq!(till.unwrap_err().code, RefusalCode::Forbidden);
    let trail = shop.call_as(&[Role::Auditor], "audit.list", &json!({ "customer": eva })).unwrap();
    assert_eq!(trail["rows"][0]["method"], "recall.buyers", "who bought what is told to somebody");
}

#[test]
fn a_recall_opens_one_issue_for_each_purchase() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let ana = shop.enrol("Ana", "Sanz", "+34911111111");
    sell(&shop, "1", Some(&ana), "2027-01-10", json!([kettle("S1")]));
    sell(&shop, "2", Some(&ana), "2027-01-11", json!([kettle("S2")]));
    let wanted = json!({ "gtin": KETTLE, "recall": "R-1" });
    let rows = buyers(&shop, wanted.clone());
    assert!(rows.iter().all(|row| row["issue"].is_null()));
    let opened: Vec<Value> = rows.iter().map(|row| open(&shop, row).unwrap()["issue"].clone()).collect();
    let again = buyers(&shop, wanted.clone());
    assert_eq!(again.iter().map(|row| row["issue"].clone()).collect::<Vec<_>>(), opened);
    let before = shop.digests();
    let refused = open(&shop, &rows[0]).unwrap_err();
    assert_eq!((refused.code, refused.field.as_deref()), (RefusalCode::Conflict, Some("recall")));
    assert_eq!(shop.digests(), before);
    shop.call("issue.close", &with_key(json!({ "issue": opened[0] }))).unwrap();
    assert_eq!(open(&shop, &rows[0]).unwrap_err().code, RefusalCode::Conflict, "it was dealt with");

    let eva = shop.enrol("Eva", "Sol", "+34922222222");
    let merge = with_key(json!({ "from": ana, "into": eva, "sure": true }));
    shop.call("customer.merge", &merge).unwrap();
    let merged = buyers(&shop, wanted);
    assert!(merged.iter().all(|row| row["customer"] == eva && !row["issue"].is_null()), "{merged:?}");
}

#[test]
fn an_issue_that_is_opened_while_customers_are_merged_goes_back_with_its_purchase() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let [ana, eva] = [("Ana", "+34911111111"), ("Eva", "+34922222222")]
        .map(|(given, phone)| shop.enrol(given, "Sanz", phone));
    sell(&shop, "1", Some(&ana), "2027-01-10", json!([kettle("S1")]));
    sell(&shop, "2", Some(&eva), "2027-01-11", json!([kettle("S2")]));
    let merge = with_key(json!({ "from": ana, "into": eva, "sure": true }));
    let merge = shop.call("customer.merge", &merge).unwrap()["merge"].clone();
    let rows = buyers(&shop, json!({ "gtin": KETTLE, "recall": "R-1" }));
    let opened: Vec<Value> = rows
        .iter()
        .map(|row| {
            let purchase = json!({ "sale": row["sale"], "line": row["line"] });
            let hint = format!("bring {}", row["serial"].as_str().unwrap());
            let params = json!({ "customer": row["customer"], "kind": "RECALL", "recall": "R-1", "purchase": purchase, "hint": hint });
            shop.call("issue.open", &with_key(params)).unwrap()["issue"].clone()
        })
        .collect();
    let issues = |customer: &Value| -> Vec<(Value, Value)> {
        let answer = shop.call("issue.list", &json!({ "customer": customer })).unwrap();
        let rows = answer["issues"].as_array().unwrap().iter();
        rows.map(|issue| (issue["issue"].clone(), issue["hint"].clone())).collect()
    };
    assert_eq!(issues(&eva).len(), 2, "one customer has both while they are merged");
    shop.call("customer.unmerge", &with_key(json!({ "merge": merge }))).unwrap();
    assert_eq!(issues(&ana), [(opened[0].clone(), json!("bring S1"))]);
    assert_eq!(issues(&eva), [(opened[1].clone(), json!("bring S2"))]);
    let again = buyers(&shop, json!({ "gtin": KETTLE, "recall": "R-1" }));
    assert_eq!(
        again.iter().map(|row| row["issue"].clone()).collect::<Vec<_>>(),
        opened,
        "none is opened twice"
    );
}

#[test]
fn buyers_come_in_pages_that_miss_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let sales: Vec<Value> = (0..103)
        .map(|number| sell(&shop, &number.to_string(), None, "2027-01-10", json!([tins(1), tins(2)])))
        .collect();
    let (mut params, mut found, mut pages) = (json!({ "sku": "TIN" }), Vec::new(), Vec::new());
    loop {
        let answer = shop.call("recall.buyers", &params).unwrap();
        let rows = answer["rows"].as_array().unwrap();
        pages.push(rows.len());
        found.extend(rows.iter().map(|row| row["sale"].clone()));
        if answer["next"].is_null() {
            break;
        }
        params["after"] = answer["next"].clone();
    }
    found.dedup();
    assert_eq!((pages, found), (vec![200, 6], sales));
}
