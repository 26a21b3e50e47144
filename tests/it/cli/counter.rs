//! The service counter: cards, issues and sales that did not come about, as a person types them.

use super::sales::sold;
use super::*;
use crate::whole::rig::until;

#[test]
fn a_card_gets_its_holder_and_its_day_and_a_lost_one_is_told_when_it_is_shown() {
    let mut shop = Shop::open();
    let ana = shop.enrolled();
    let made = shop.json(&["card", "issue", &ana], "");
    let (card, code) = (made["card"].as_str().unwrap(), made["letters"].as_str().unwrap());
    let listed = |shop: &Shop| said(shop, &["card", "list", &ana]);

    let named = shop.ficha(&["card", "holder", &ana, card], "Luz Vega\n");
    assert_eq!(named.out, format!("card {card} is held by whom you named\n"), "{}", named.err);
    has(&listed(&shop), &["Luz Vega"]);
    has(&said(&shop, &["card", "holder", &ana, card, "--own"]), &["is the customer's own"]);
    assert!(!listed(&shop).contains("Luz"), "{}", listed(&shop));

    let validity = ["card", "validity", &ana, card];
    let until_day = said(&shop, &[&validity[..], &["--until", "2099-12-31"]].concat());
    assert_eq!(until_day, format!("card {card} is honoured until 2099-12-31\n"));
    has(&listed(&shop), &["2099-12-31"]);
    has(&said(&shop, &validity), &["honoured for good"]);
    assert!(!listed(&shop).contains("2099"), "{}", listed(&shop));

    assert_eq!(said(&shop, &["card", "alerts"]), "no stopped card was shown\n");
    let replaced = said(&shop, &["card", "replace", &ana, card, "--reason", "lost", "--register", "till-1"]);
    has(&replaced, &["at counter", "printed"]);
    has(&listed(&shop), &[card, "REPLACED, LOST", "ACTIVE"]);
    let again = ["card", "replace", &ana, card, "--reason", "lost", "--register", "till-1"];
    has(&refused(&shop, &again), &["CARD: "]);
    shop.scan(&format!("]Q1{code}"));
    // A line of the journal, queued behind the frame.
    until("the old card is told", || said(&shop, &["card", "alerts"]).contains(card));
    let of_whom = said(&shop, &["card", "alerts", "--customer", &ana]);
    has(&of_whom, &["till-1", "REPLACED, LOST", card, &ana]);
    let before = said(&shop, &["card", "alerts", "--card", card, "--before", "2026-01-01T00:00:00Z"]);
    assert_eq!(before, "no stopped card was shown\n");
}

#[test]
fn an_issue_is_due_until_the_customer_says_how_content_they_are() {
    let shop = Shop::open();
    let ana = shop.enrolled();
    assert_eq!(said(&shop, &["issue", "due"]), "nothing is due\n");
    let open = |kind: &str| {
        let opened = shop.json(&["issue", "open", &ana, "--kind", kind], "");
        opened["issue"].as_str().unwrap().to_owned()
    };
    let repair = open("repair");
    has(&said(&shop, &["issue", "due"]), &[&repair, "RESPONSE", "S3", "REPAIR", "NEW"]);
    has(&refused(&shop, &["issue", "answer", &repair, "5"]), &["when an issue is RESOLVED"]);
    for state in ["in_progress", "resolved"] {
        said(&shop, &["issue", "update", &repair, "--state", state]);
    }
    has(&said(&shop, &["issue", "due"]), &[&repair, "FOLLOW_UP", "RESOLVED"]);
    assert_eq!(said(&shop, &["issue", "answer", &repair, "4"]), format!("issue {repair} is CLOSED\n"));
    assert_eq!(said(&shop, &["issue", "due"]), "nothing is due\n");
    assert_eq!(shop.json(&["issue", "list", &ana], "")["issues"][0]["satisfaction"], 4);
    has(&refused(&shop, &["issue", "answer", &repair, "5"]), &["has its answer already"]);
    has(&refused(&shop, &["issue", "extend", &repair]), &["this issue is over"]);

    let request = open("data_request");
    let due_on = || shop.json(&["issue", "due"], "")["issues"][0]["deadline"]["due_at"].clone();
    let first = due_on();
    has(&said(&shop, &["issue", "extend", &request]), &[&request, "is NEW, resolution due"]);
    let second = due_on();
    assert!(second.as_str() > first.as_str(), "{first} {second}");
    has(&refused(&shop, &["issue", "extend", &request]), &["extended already"]);
    assert_eq!(due_on(), second);
}

#[test]
fn sales_that_did_not_come_about_are_listed_by_day_and_customer_until_they_do() {
    let shop = Shop::open();
    let ana = shop.enrolled();
    assert_eq!(said(&shop, &["lost", "list"]), "no lost sales\n");
    let record = ["lost", "record", "--register", "till-1", "--kind"];
    let more = json!({ "items": [{ "sku": "SOFA", "quantity": 1000 }], "estimated": { "minor": 90_000, "currency": "EUR" } });
    let quote = [&record[..], &["quote_lost", "--reason", "price", "--customer", &ana, "--more"]].concat();
    let lost = shop.json(&quote, &more.to_string())["lost"].as_str().unwrap().to_owned();
    shop.json(&[&record[..], &["walked_queue", "--reason", "queue"]].concat(), "");
    let all = said(&shop, &["lost", "list"]);
    has(&all, &[&lost, "QUOTE_LOST", "PRICE", "900.00 EUR", "WALKED_QUEUE", "QUEUE", "MISSED"]);
    let of_ana = said(&shop, &["lost", "list", &ana]);
    assert!(of_ana.contains(&lost) && !of_ana.contains("QUEUE"), "{of_ana}");
    let days = ["lost", "list", "--from", "2026-01-01", "--to", "2026-01-02"];
    assert_eq!(said(&shop, &days), "no lost sales\n");
    assert_eq!(shop.ficha(&["lost", "list", "--to", "2026-01-02"], "").code, 64);

    let sale = sold(&shop, Some(&ana), "A-1", 90_000);
    assert_eq!(
        said(&shop, &["lost", "recover", &lost, &sale]),
        format!("{lost} came about by sale {sale}\n")
    );
    let recovered = shop.json(&["lost", "list", &ana], "");
    let sum = &recovered["sums"][0];
    assert_eq!((&recovered["lost"][0]["recovered_by"], &sum["recovered"]), (&json!(sale), &json!(1)));
    has(&said(&shop, &["lost", "list", &ana]), &[&sale]);
}
