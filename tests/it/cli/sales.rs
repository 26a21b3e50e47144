//! What becomes of a sale behind the till, as a person types it, and that points and lists follow.

use super::*;

const EARN: &str = "[[earn]]\npoints = 1\nper = 100\ncurrency = \"EUR\"\n";

/// Cakes for `total` cents on one line, paid as `tender` says; `sale.record` without its key.
pub(super) fn cakes(customer: Option<&str>, number: &str, (total, tender): (i64, Value)) -> String {
    let lines = json!([{ "sku": "CAKE", "quantity": 2000, "unit_price": total / 2, "amount": total }]);
    let receipt = json!({ "number": number, "day": today(), "currency": "EUR", "lines": lines,
        "tenders": [tender], "total": total });
    json!({ "customer": customer, "register": "till-1", "receipt": receipt }).to_string()
}

/// Cakes for `total` cents, paid in cash; the sale.
pub(super) fn sold(shop: &Shop, customer: Option<&str>, number: &str, total: i64) -> String {
    let cash = json!({ "kind": "CASH", "amount": total });
    let sale = shop.json(&["sale", "record"], &cakes(customer, number, (total, cash)));
    sale["sale"].as_str().unwrap().to_owned()
}

fn available(shop: &Shop, customer: &str) -> i64 {
    shop.json(&["points", "show", customer], "")["available"].as_i64().unwrap()
}

#[test]
fn a_forgotten_card_gets_its_sale_and_what_comes_back_takes_its_points() {
    let shop = Shop::open_with(EARN);
    let ana = shop.enrolled();
    let sale = sold(&shop, None, "A-1", 5000);
    assert_eq!(said(&shop, &["sale", "list", &ana]), "no sales\n");
    has(&said(&shop, &["sale", "attach", &sale, &ana]), &[&sale, &ana, "50 points"]);
    has(&refused(&shop, &["sale", "attach", &sale, &ana]), &["this customer's already"]);
    has(&said(&shop, &["sale", "list", &ana]), &[&sale, "till-1", "A-1", "50.00 EUR"]);

    let paper = |number: &str, cash: i64| json!({ "number": number, "day": today(), "tenders": [{ "kind": "CASH", "amount": cash }] });
    let one = json!([{ "line": 1, "quantity": 1000 }]);
    let back = json!({ "sale": sale, "register": "till-1", "lines": one, "receipt": paper("A-2", 2500) });
    let returned = shop.ficha(&["sale", "return"], &back.to_string());
    has(&returned.out, &["recorded; 25.00 EUR of this sale given back so far"]);
    has(&said(&shop, &["sale", "show", &sale]), &["Given back  25.00 EUR", "Voided      no"]);
    assert_eq!(available(&shop, &ana), 25);
    let again = shop.ficha(&["sale", "return"], &back.to_string());
    assert_eq!(again.code, 1, "the receipt was recorded");

    // The other cake for a tea that is dearer.
    let tea = json!([{ "sku": "TEA", "quantity": 1000, "unit_price": 3000, "amount": 3000 }]);
    let mut receipt = paper("A-3", 500);
    receipt["currency"] = json!("EUR");
    (receipt["lines"], receipt["total"]) = (tea, json!(3000));
    let swap = json!({ "sale": sale, "register": "till-1", "lines": one, "receipt": receipt });
    let swapped = shop.ficha(&["sale", "exchange"], &swap.to_string());
    has(&swapped.out, &["return ", "25.00 EUR paid with goods"]);
    has(&said(&shop, &["sale", "show", &sale]), &["Given back  50.00 EUR"]);
    assert_eq!(available(&shop, &ana), 30, "what the tea earns");

    let mistake = sold(&shop, Some(&ana), "A-4", 1000);
    assert_eq!(available(&shop, &ana), 40);
    assert_eq!(said(&shop, &["sale", "void", &mistake]), format!("sale {mistake} is voided\n"));
    has(&said(&shop, &["sale", "show", &mistake]), &["Voided      yes"]);
    has(&refused(&shop, &["sale", "void", &mistake]), &["this sale was voided"]);
    assert!(!said(&shop, &["sale", "list", &ana]).contains(&mistake), "it counts as never made");
    assert_eq!(available(&shop, &ana), 30);
}

#[test]
fn a_sale_is_put_aside_and_taken_up_once() {
    let shop = Shop::open();
    let ana = shop.enrolled();
    assert_eq!(said(&shop, &["sale", "parked"]), "no parked sales\n");
    let lines = json!([{ "sku": "CAKE", "quantity": 350, "unit_price": 1000, "amount": 350 }]);
    let basket = json!({ "currency": "EUR", "lines": lines, "total": 350 });
    let sale = json!({ "customer": ana, "register": "till-1", "basket": basket });
    let parked = shop.json(&["sale", "park"], &sale.to_string())["parked"].as_str().unwrap().to_owned();
    has(&said(&shop, &["sale", "parked"]), &[&parked, "till-1", "3.50 EUR"]);
    let taken_up = said(&shop, &["sale", "resume", &parked]);
    has(&taken_up, &[&format!("{parked} of customer {ana}, 3.50 EUR\n"), "CAKE", "0.35", "10.00"]);
    assert_eq!(said(&shop, &["sale", "parked"]), "no parked sales\n");
    has(&refused(&shop, &["sale", "resume", &parked]), &["taken up already"]);
    assert_eq!(said(&shop, &["sale", "list", &ana]), "no sales\n", "nothing was sold by it");
}
