//! Points, rewards, worth, sales on account and retention, as a person types them.

use super::sales::{cakes, sold};
use super::*;

/// What `ficha points` says there is: available and held.
#[track_caller]
fn stands(said: &str, available: i64, held: i64) {
    has(said, &[&format!("Available  {available}\n"), &format!("Held       {held}\n")]);
}

#[test]
fn points_are_set_aside_spent_given_back_and_taken_back() {
    let shop = Shop::open();
    let ana = shop.enrolled();
    stands(&said(&shop, &["points", "earn", &ana, "100"]), 100, 0);
    let hold =
        |points: &str| shop.json(&["points", "hold", &ana, points], "")["hold"].as_str().unwrap().to_owned();
    let spent = hold("60");
    stands(&said(&shop, &["points", "show", &ana]), 40, 60);
    has(&refused(&shop, &["points", "hold", &ana, "41"]), &["POINTS: only 40 points are available"]);
    has(&refused(&shop, &["points", "capture", &spent, "61"]), &["POINTS: only 60 points are held"]);
    stands(&said(&shop, &["points", "capture", &spent, "40"]), 60, 0);
    has(&refused(&shop, &["points", "capture", &spent, "1"]), &["the hold has ended"]);
    stands(&said(&shop, &["points", "give-back", &spent, "10"]), 70, 0);
    let too_many = refused(&shop, &["points", "give-back", &spent, "31"]);
    has(&too_many, &["POINTS: only 30 points were spent of this hold and not given back yet"]);

    let let_go = hold("20");
    stands(&said(&shop, &["points", "release", &let_go]), 70, 0);
    stands(&said(&shop, &["points", "release", &let_go]), 70, 0);
    let held = shop.ficha(&["points", "hold", &ana, "5"], "");
    has(&held.out, &["Hold  "]);
    stands(&held.out, 65, 5);

    let sale = sold(&shop, None, "A-1", 1000);
    stands(&said(&shop, &["points", "earn", &ana, "7", "--sale", &sale]), 72, 5);
    stands(&said(&shop, &["points", "take-back", &sale, "4"]), 68, 5);
    refused(&shop, &["points", "take-back", &sale, "4"]);
    let ledger = said(&shop, &["points", "list", &ana]);
    let kinds = ["EARN", "HOLD", "CAPTURE", "RELEASE", "REVERSE_REDEEM", "REVERSE_EARN"];
    has(&ledger, &[&kinds[..], &[&*spent, &*let_go, &*sale]].concat());
    // Each line moves what is available or what is held; the balance is their sum.
    let entries = shop.json(&["points", "list", &ana], "")["entries"].as_array().unwrap().clone();
    let sum = |wanted: &[&str]| {
        let of = entries.iter().filter(|entry| wanted.contains(&entry["kind"].as_str().unwrap()));
        of.map(|entry| entry["points"].as_i64().unwrap()).sum::<i64>()
    };
    assert_eq!(sum(&["EARN", "CAPTURE", "REVERSE_REDEEM", "REVERSE_EARN"]), 68 + 5);
}

#[test]
fn a_correction_waits_for_another_person_and_can_be_withdrawn() {
    let shop = Shop::open();
    let [ana, eva] = [shop.enrolled(), shop.enrolled()];
    assert_eq!(said(&shop, &["points", "adjustments"]), "no correction waits for a decision\n");
    let proposed = said(&shop, &["points", "adjust", &ana, "-5", "--reason", "correction"]);
    let waiting = shop.json(&["points", "adjustments"], "");
    let adjustment = waiting["adjustments"][0]["adjustment"].as_str().unwrap();
    has(&proposed, &[&format!("ficha points approve {adjustment}")]);
    has(
        &said(&shop, &["points", "adjustments", "--customer", &ana]),
        &[adjustment, &ana, "-5", "CORRECTION"],
    );
    has(&said(&shop, &["points", "adjustments", "--customer", &eva]), &["no correction waits"]);
    stands(&said(&shop, &["points", "refuse", adjustment]), 0, 0);
    has(&said(&shop, &["points", "adjustments"]), &["no correction waits"]);
    assert_eq!(said(&shop, &["points", "list", &ana]), "no points yet\n");
    refused(&shop, &["points", "refuse", adjustment]);
}

const OFFERS: &str = "[[reward]]\nid = \"off\"\nname = \"Three euros off\"\ncost = 30\ngives = \"3.00 EUR\"\n\
    [worth]\ncurrency = \"EUR\"\nmargin_percent = 50\nrepair_cost = 2000\n\
    [[class]]\nname = \"Standard\"\nfrom = 0\n[[class]]\nname = \"Best\"\nfrom = 5000\n";

#[test]
fn a_reward_is_set_aside_and_given_with_a_sale_and_the_worth_follows() {
    let shop = Shop::open_with(OFFERS);
    let ana = shop.enrolled();
    has(&said(&shop, &["reward", "list", &ana]), &["0 points", "3.00 EUR off", "30 points are lacking"]);
    has(&refused(&shop, &["reward", "redeem", &ana, "off"]), &["30 points are lacking"]);
    has(&refused(&shop, &["reward", "redeem", &ana, "on"]), &["`ficha reward list` has all"]);
    said(&shop, &["points", "earn", &ana, "40"]);
    has(&said(&shop, &["reward", "redeem", &ana, "off"]), &["off (3.00 EUR off) is set aside as hold"]);
    let listed = shop.json(&["reward", "list", &ana], "");
    let hold = listed["redeemed"][0]["hold"].as_str().unwrap();
    has(&said(&shop, &["reward", "list", &ana]), &["10 points available", "HELD", hold]);
    has(&said(&shop, &["worth", &ana]), &["Value  0.00 EUR", "Class  Standard"]);

    let cash = json!({ "kind": "CASH", "amount": 12_000 });
    let mut sale: Value = serde_json::from_str(&cakes(Some(&ana), "A-1", (12_000, cash))).unwrap();
    sale["rewards"] = json!([hold]);
    let sale = shop.json(&["sale", "record"], &sale.to_string())["sale"].as_str().unwrap().to_owned();
    has(&said(&shop, &["reward", "list", &ana]), &["REDEEMED", &sale]);
    has(&said(&shop, &["worth", &ana]), &["Value  60.00 EUR", "Class  Best", "TURNOVER"]);
    said(&shop, &["issue", "open", &ana, "--kind", "repair"]);
    has(&said(&shop, &["worth", &ana]), &["Value  40.00 EUR", "Class  Standard", "REPAIR", "-20.00 EUR"]);
    let plain = Shop::open();
    has(&said(&plain, &["worth", &plain.enrolled()]), &["no [worth]"]);
}

#[test]
fn a_sale_on_account_is_paid_in_parts_and_no_further() {
    let shop = Shop::open();
    let [ana, eva] = [shop.enrolled(), shop.enrolled()];
    assert_eq!(said(&shop, &["payment", "list"]), "nothing on account\n");
    let account = json!({ "kind": "ACCOUNT", "amount": 3000, "terms": { "days": 30 } });
    let sale = shop.json(&["sale", "record"], &cakes(Some(&ana), "A-1", (3000, account)));
    let sale = sale["sale"].as_str().unwrap();
    has(&said(&shop, &["payment", "list"]), &[&ana, sale, "OPEN", "30.00 EUR"]);
    let first = said(&shop, &["payment", "record", sale, "1000"]);
    assert_eq!(first, "10.00 EUR paid, 20.00 EUR open: OPEN\n");
    has(&refused(&shop, &["payment", "record", sale, "2001"]), &["AMOUNT: must be 1 to 2000"]);
    let future = refused(&shop, &["payment", "record", sale, "1", "--paid-on", "2999-01-01"]);
    has(&future, &["--paid-on"]);
    let key = uuid::Uuid::new_v4().to_string();
    let last = ["payment", "record", sale, "2000", "--kind", "cash", "--paid-on", &today(), "--key", &key];
    for _ in 0..2 {
        assert_eq!(said(&shop, &last), "30.00 EUR paid, 0.00 EUR open: KEPT\n", "once, or told again");
    }
    has(&said(&shop, &["payment", "list", &ana]), &[sale, "KEPT", "0.00 EUR"]);
    for nothing in [&["payment", "list"][..], &["payment", "list", &eva]] {
        assert_eq!(said(&shop, nothing), "nothing on account\n");
    }
}

#[test]
fn what_is_kept_too_long_is_counted_first_and_then_let_go() {
    let shop = Shop::open_with("[retention]\nacademic = \"0 days\"\n");
    let ana = r#"{"givenName":"Ana","occupation":"alabardera","maritalStatus":"married"}"#;
    let ana = shop.json(&["enrol"], ana)["customer"].as_str().unwrap().to_owned();
    shop.enrolled();
    let kept = |field: &str| shop.json(&["show", &ana], "")["person"][field].clone();
    has(&said(&shop, &["retention", "run", "--dry-run"]), &["0 days", "1 of 2 customers would be cut"]);
    let asked = shop.ficha(&["retention", "run"], "");
    assert!(asked.code == 64 && asked.err.contains("a script says `--yes`"), "{}", asked.err);
    assert_eq!(kept("occupation"), "alabardera", "nothing went");
    has(&said(&shop, &["retention", "run", "--yes", "--now"]), &["1 of 2 customers were cut"]);
    assert_eq!((kept("occupation"), kept("maritalStatus")), (Value::Null, json!("married")));
    has(&said(&shop, &["retention", "run", "--dry-run"]), &["0 of 2 customers would be cut"]);
}
