//! Sales over a real store: what is recorded, whose it is, what is refused, and that a restart knows all of it.

use super::*;
use fichad::domain::money::MINOR_MAX;
use fichad::domain::purchase::LINES_MAX;

/// One piece of this price on a receipt of its own.
fn receipt(number: &str, price: i64) -> Value {
    json!({
        "number": number, "day": "2027-01-15", "currency": "EUR", "total": price,
        "lines": [{ "gtin": "4006381333931", "quantity": 1000, "unit_price": price, "amount": price }],
        "tenders": [{ "kind": "CASH", "amount": price }],
    })
}

fn visit(shop: &Shop, customer: &Value) -> Value {
    shop.call("file.open", &with_key(json!({ "customer": customer }))).unwrap()["visit"].clone()
}

fn bought(shop: &Shop, customer: &Value) -> Value {
    shop.call("sale.list", &json!({ "customer": customer })).unwrap()["bought"].clone()
}

/// The code and the field of a refusal.
fn refused(shop: &Shop, method: &str, params: Value) -> (RefusalCode, String) {
    let refusal = shop.call(method, &with_key(params)).unwrap_err();
    (refusal.code, refusal.field.unwrap_or_default())
}

#[test]
fn a_sale_is_of_the_visit_it_names_and_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (customer, sale, request);
    {
        let shop = shop_in(dir.path(), false);
        customer = shop.enrol("Ana", "Sanz", "+34911111111");
        let visit = visit(&shop, &customer);
        request = with_key(json!({ "visit": visit, "receipt": receipt("1", 1250) }));
        let done = shop.call("sale.record", &request).unwrap();
        assert_eq!(done["customer"], customer);
        sale = done["sale"].clone();
    }
    let shop = shop_in(dir.path(), false);
    let again = shop.call("sale.record", &request).unwrap();
    assert_eq!((&again["sale"], &again["repeated"]), (&sale, &json!(true)));
    let shown = shop.call("sale.show", &json!({ "sale": sale })).unwrap();
    assert_eq!(shown["lines"], request["receipt"]["lines"]);
    assert_eq!(shown["total"], json!({ "minor": 1250, "currency": "EUR", "exponent": 2 }));
    let by_receipt = json!({ "receipt": { "number": "1", "day": "2027-01-15" } });
    assert_eq!(shop.call("sale.show", &by_receipt).unwrap(), shown);
    let list = shop.call("sale.list", &json!({ "customer": customer })).unwrap();
    assert_eq!((list["sales"].as_array().unwrap().len(), &list["bought"]["sales"]), (1, &json!(1)));
}

#[test]
fn a_visit_that_is_over_takes_a_sale_only_when_it_is_said_to_be_late() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let (ended, replaced) = (visit(&shop, &customer), visit(&shop, &customer));
    shop.call("customer.dismiss", &with_key(json!({ "visit": visit(&shop, &customer) }))).unwrap();
    let other =
        shop.call("file.open", &with_key(json!({ "customer": customer, "register": "till-2" }))).unwrap();
    for (visit, number) in [(&ended, "1"), (&replaced, "2"), (&other["visit"], "3")] {
        let params = json!({ "visit": visit, "receipt": receipt(number, 100) });
        assert_eq!(
            refused(&shop, "sale.record", params.clone()),
            (RefusalCode::Conflict, "visit".to_owned())
        );
        let mut late = params;
        late["late"] = json!(true);
        assert_eq!(shop.call("sale.record", &with_key(late)).unwrap()["customer"], customer);
    }
    assert_eq!(bought(&shop, &customer)["turnover"][0]["minor"], 300);
    let stranger = shop.enrol("Eva", "Sol", "+34922222222");
    let params =
        json!({ "visit": visit(&shop, &customer), "customer": stranger, "receipt": receipt("4", 100) });
    assert_eq!(refused(&shop, "sale.record", params), (RefusalCode::InvalidParams, "customer".to_owned()));
}

#[test]
fn what_is_wrong_is_named_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let before = shop.desk.opened().unwrap().log.health().last_seq;
    let spoiled: [(&str, Value); 14] = [
        ("/receipt/lines/0/quantity", json!(-1000)),
        ("/receipt/lines/0/quantity", json!(0)),
        ("/receipt/lines/0/gtin", json!("4006381333932")),
        ("/receipt/lines/0/model", json!("4111 1111 1111 1111")),
        ("/receipt/lines/0/category", json!("4111111111111111")),
        ("/receipt/lines/0/amount", json!(99)),
        ("/receipt/lines/0/unit_price", json!(MINOR_MAX + 1)),
        ("/receipt/total", json!(101)),
        ("/receipt/currency", json!("EUX")),
        ("/receipt/day", json!("2027-01-17")),
        ("/receipt/day", json!("2027-02-30")),
        ("/receipt/number", json!("a b")),
        ("/receipt/tenders/0/amount", json!(101)),
        ("/sold_at", json!("2027-01-15T08:03:00Z")),
    ];
    for (pointer, value) in spoiled {
        let mut line = json!({ "quantity": 1000, "unit_price": 100, "amount": 100, "gtin": "96385074" });
        (line["model"], line["category"]) = (json!("KX-200"), json!("kitchen"));
        let mut params =
            json!({ "customer": customer, "sold_at": "2027-01-15T08:00:00Z", "receipt": receipt("1", 100) });
        params["receipt"]["lines"] = json!([line]);
        *params.pointer_mut(pointer).unwrap() = value;
        let (code, field) = refused(&shop, "sale.record", params);
        let mut wanted = pointer.trim_start_matches('/').replace("/0", "[0]").replace('/', ".");
        if wanted == "receipt.tenders[0].amount" {
            "receipt.tenders".clone_into(&mut wanted);
        }
        assert_eq!((code, field), (RefusalCode::InvalidParams, wanted));
    }
    let mut mixed = receipt("1", 100);
    mixed["tenders"][0]["currency"] = json!("USD");
    let refusal = refused(&shop, "sale.record", json!({ "customer": customer, "receipt": mixed }));
    assert_eq!(refusal, (RefusalCode::InvalidParams, "receipt.tenders[0].currency".to_owned()));
    let mut long = receipt("1", 0);
    long["lines"] = json!(vec![long["lines"][0].clone(); LINES_MAX + 1]);
    let refusal = refused(&shop, "sale.record", json!({ "receipt": long }));
    assert_eq!(refusal, (RefusalCode::InvalidParams, "receipt.lines".to_owned()));
    assert_eq!(shop.desk.opened().unwrap().log.health().last_seq, before);
    assert_eq!(bought(&shop, &customer)["sales"], 0);
}

#[test]
fn a_receipt_is_recorded_once_and_sums_do_not_overflow() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let record = |number: &str, price| json!({ "customer": customer, "receipt": receipt(number, price) });
    shop.call("sale.record", &with_key(record("1", 100))).unwrap();
    let twice = refused(&shop, "sale.record", record("1", 200));
    assert_eq!(twice, (RefusalCode::Conflict, "receipt.number".to_owned()));
    let full = refused(&shop, "sale.record", record("2", MINOR_MAX));
    assert_eq!(full, (RefusalCode::Conflict, "receipt.total".to_owned()));
    shop.call("sale.record", &with_key(record("2", MINOR_MAX - 100))).unwrap();
    assert_eq!(bought(&shop, &customer)["turnover"][0]["minor"], MINOR_MAX);
    let other_register = json!({ "register": "till-2", "receipt": receipt("1", 100) });
    let done = shop.call("sale.record", &with_key(other_register)).unwrap();
    assert_eq!(done["customer"], Value::Null);
    let serial = json!({ "quantity": 1000, "unit_price": 100, "amount": 100, "serial": "4111111111111111" });
    let mut with_serial = receipt("3", 100);
    with_serial["lines"] = json!([serial]);
    shop.call("sale.record", &with_key(json!({ "receipt": with_serial }))).unwrap();
}

#[test]
fn an_attached_sale_counts_to_its_new_customer_alone() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let (ana, eva) = (shop.enrol("Ana", "Sanz", "+34911111111"), shop.enrol("Eva", "Sol", "+34922222222"));
    let record = |number: &str, at: &str, customer: &Value| {
        let params = json!({ "customer": customer, "sold_at": at, "receipt": receipt(number, 100) });
        shop.call("sale.record", &with_key(params)).unwrap()["sale"].clone()
    };
    let first = record("1", "2027-01-10T10:00:00Z", &ana);
    record("2", "2027-01-09T10:00:00Z", &ana);
    let nobodys = record("3", "2027-01-11T10:00:00Z", &Value::Null);
    for sale in [&first, &nobodys] {
        shop.call("sale.attach", &with_key(json!({ "sale": sale, "customer": eva }))).unwrap();
        let twice = refused(&shop, "sale.attach", json!({ "sale": sale, "customer": eva }));
        assert_eq!(twice, (RefusalCode::Conflict, "customer".to_owned()));
        assert_eq!(shop.call("sale.show", &json!({ "sale": sale })).unwrap()["customer"], eva);
    }
    let sums = |customer| {
        let bought = bought(&shop, customer);
        (bought["sales"].clone(), bought["turnover"][0]["minor"].clone(), bought["last_at"].clone())
    };
    assert_eq!(sums(&ana), (json!(1), json!(100), json!("2027-01-09T10:00:00.000000Z")));
    assert_eq!(sums(&eva), (json!(2), json!(200), json!("2027-01-11T10:00:00.000000Z")));
    let unknown = json!({ "sale": "00000000-0001-8d01-9c11-5c1f6d6f2a51", "customer": eva });
    assert_eq!(refused(&shop, "sale.attach", unknown).0, RefusalCode::NotFound);
}
