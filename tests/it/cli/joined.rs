//! `ficha merge`, `unmerge`, `erase`, `recall` and paying with points, as a person types them.

use super::*;

fn two(shop: &Shop) -> [String; 2] {
    let enrol = |given: &str| {
        let person =
            json!({ "givenName": given, "familyName": "García", "telephone": [{ "e164": "600 123 456" }] });
        let made = shop.json(&["enrol"], &person.to_string());
        made["customer"].as_str().unwrap().to_owned()
    };
    ["Francisca", "Paqui"].map(enrol)
}

#[test]
fn two_files_are_made_one_and_two_again_and_one_is_forgotten() {
    let shop = Shop::open();
    let [from, into] = two(&shop);
    shop.json(&["points", "earn", &from, "40"], "");
    let merged = shop.json(&["merge", &from, &into], "");
    let merge = merged["merge"].as_str().unwrap();
    assert_eq!((&merged["customer"], &merged["available"]), (&json!(into), &json!(40)));
    let ledger = shop.ficha(&["points", "list", &into], "");
    assert!(ledger.out.contains("OF") && ledger.out.contains(&from), "{}", ledger.out);
    let versions = shop.ficha(&["history", &into], "");
    assert!(versions.out.contains(&format!("(of {from})")), "{}", versions.out);
    let refused = shop.ficha(&["show", &from], "");
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains(&into), "{}", refused.err);

    let parted = shop.ficha(&["unmerge", merge], "");
    assert_eq!(parted.code, 0, "{}", parted.err);
    assert!(parted.out.contains("40"), "{}", parted.out);
    assert_eq!(shop.json(&["points", "show", &from], "")["available"], 40);
    assert_eq!(shop.ficha(&["unmerge", merge], "").code, 1, "it was undone already");

    let erased = shop.ficha(&["erase", &from, "--purpose", "request", "--yes"], "");
    assert_eq!(erased.code, 0, "{}", erased.err);
    assert_eq!(shop.ficha(&["show", &from], "").code, 1);
    assert_eq!(shop.json(&["show", &into], "")["person"]["givenName"], "Paqui");
}

#[test]
fn a_recall_is_opened_for_everybody_who_bought_it_and_once() {
    let shop = Shop::open();
    let [one, other] = two(&shop);
    for (number, customer) in [("1", &one), ("2", &other), ("3", &one)] {
        let lines = json!([{ "gtin": "4006381333931", "serial": number, "quantity": 1000, "unit_price": 2500, "amount": 2500 }]);
        let receipt = json!({ "number": number, "day": "2026-01-10", "currency": "EUR", "lines": lines,
            "tenders": [{ "kind": "CASH", "amount": 2500 }], "total": 2500 });
        let sale = json!({ "customer": customer, "register": "till-1", "receipt": receipt });
        shop.json(&["sale", "record"], &sale.to_string());
    }
    let bought = shop.ficha(&["recall", "buyers", "--gtin", "4006381333931"], "");
    assert_eq!((bought.code, bought.out.matches(&one[..23]).count()), (0, 2), "{}", bought.out);
    let open = ["recall", "open", "R-1", "--gtin", "4006381333931", "--from", "2026-01-01"];
    let opened = shop.json(&[&open[..], &["--hint"]].concat(), "bring it back, do not use it\n");
    assert_eq!(opened, json!({ "opened": 3, "before": 0, "nobody": 0, "refused": [] }));
    assert_eq!(shop.json(&open, ""), json!({ "opened": 0, "before": 3, "nobody": 0, "refused": [] }));
    let issues = shop.ficha(&["issue", "list", &one], "");
    assert_eq!(issues.out.matches("RECALL").count(), 2, "{}", issues.out);
    assert!(issues.out.contains("bring it back, do"), "{}", issues.out);
    let wrong = shop.ficha(&["recall", "buyers"], "");
    assert_eq!(wrong.code, 64, "{}", wrong.err);
}
