//! Deadlines, warranty and what comes after: issues over a real store, with a clock that is moved by hand.
//!
//! The shop's clock begins on Friday, 15 January 2027, 08:00 in UTC; it is open from nine to six on working days, as the config
//! has it where nothing is said.

#![expect(clippy::arithmetic_side_effects, reason = "numbers of a test are small")]

use super::*;

fn forward(shop: &Shop, hours: u64) {
    *shop.clock.0.lock().unwrap() += Duration::from_hours(hours);
}

fn open_one(shop: &Shop, customer: &Value, mut issue: Value) -> Value {
    issue["customer"] = customer.clone();
    shop.call("issue.open", &with_key(issue)).unwrap()
}

fn to(shop: &Shop, issue: &Value, state: &str) -> Value {
    shop.call("issue.update", &with_key(json!({ "issue": issue, "state": state }))).unwrap()
}

/// The customer's issue of this id as `issue.list` has it.
fn row(shop: &Shop, customer: &Value, issue: &Value) -> Value {
    let list = shop.call("issue.list", &json!({ "customer": customer })).unwrap();
    list["issues"].as_array().unwrap().iter().find(|row| row["issue"] == *issue).unwrap().clone()
}

/// What the till is shown of its first issue.
fn line(shop: &Shop, customer: &Value) -> Value {
    let opened = shop.call("file.open", &with_key(json!({ "customer": customer }))).unwrap();
    opened["file"]["issues"][0].clone()
}

/// A kettle with a serial number for 30.00, bought now.
fn bought(shop: &Shop, customer: &Value, number: &str, serial: &str) -> Value {
    let kettle = json!({
        "gtin": "4006381333931", "model": "KX-200", "serial": serial, "quantity": 1000, "unit_price": 3000, "amount": 3000,
    });
    let receipt = json!({
        "number": number, "day": "2027-01-15", "currency": "EUR", "total": 3000, "lines": [kettle],
        "tenders": [{ "kind": "CASH", "amount": 3000 }],
    });
    let params = with_key(json!({ "customer": customer, "receipt": receipt }));
    shop.call("sale.record", &params).unwrap()["sale"].clone()
}

fn refused(shop: &Shop, method: &str, params: Value) -> (RefusalCode, String) {
    let refusal = shop.call(method, &with_key(params)).unwrap_err();
    (refusal.code, refusal.field.unwrap_or_default())
}

fn conflict(field: &str) -> (RefusalCode, String) {
    (RefusalCode::Conflict, field.to_owned())
}

fn wrong(field: &str) -> (RefusalCode, String) {
    (RefusalCode::InvalidParams, field.to_owned())
}

#[test]
fn the_till_and_the_desk_see_how_much_time_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let (issue, customer);
    {
        let shop = shop_in(dir.path(), false);
        customer = shop.enrol("Ana", "Sanz", "+34911111111");
        let opened = open_one(&shop, &customer, json!({ "kind": "REPAIR", "severity": "S1" }));
        // One hour of business for the first look, from nine on.
        let due = json!({ "for": "RESPONSE", "due_at": "2027-01-15T10:00:00.000000Z", "colour": "GREEN" });
        assert_eq!(opened["deadline"], due);
        issue = opened["issue"].clone();
        forward(&shop, 2);
        assert_eq!(line(&shop, &customer)["colour"], "RED");
        let moved = to(&shop, &issue, "IN_PROGRESS");
        // Eight hours from nine on.
        let due = json!({ "for": "RESOLUTION", "due_at": "2027-01-15T17:00:00.000000Z", "colour": "GREEN" });
        assert_eq!(moved["deadline"], due);
        forward(&shop, 6);
        assert_eq!(line(&shop, &customer)["colour"], "AMBER");
        to(&shop, &issue, "WAIT_SUPPLIER");
        forward(&shop, 3 * 24);
        let waiting = line(&shop, &customer);
        assert_eq!((&waiting["colour"], &waiting["age_days"]), (&json!("PAUSED"), &json!(3)));
        assert!(waiting.get("due_at").is_none(), "{waiting}");
        // On Monday at four: two hours of Friday and seven of Monday were somebody else's.
        to(&shop, &issue, "IN_PROGRESS");
    }
    let shop = shop_in(dir.path(), false);
    forward(&shop, 3 * 24 + 8);
    let row = row(&shop, &customer, &issue);
    assert_eq!(row["deadline"]["due_at"], "2027-01-18T17:00:00.000000Z", "{row}");
    assert_eq!(row["response"]["met"], false);
    assert_eq!(
        row["pauses"],
        json!([{ "from": "2027-01-15T16:00:00.000000Z", "to": "2027-01-18T16:00:00.000000Z" }])
    );
    let due = shop.call("issue.due", &json!({})).unwrap();
    assert_eq!((&due["issues"][0]["issue"], &due["more"]), (&issue, &json!(false)));
    assert_eq!(
        shop.call_as(&[Role::Register], "issue.due", &json!({})).unwrap_err().code,
        RefusalCode::Forbidden
    );
}

#[test]
fn a_till_is_shown_the_three_that_press_most() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let open = |severity: &str| {
        *shop.clock.0.lock().unwrap() += Duration::from_secs(1);
        open_one(&shop, &customer, json!({ "kind": "REPAIR", "severity": severity }))["issue"].clone()
    };
    let (slow, waits, waits_too) = (open("S4"), open("S1"), open("S1"));
    let (soon, overdue) = (open("S2"), open("S1"));
    for issue in [&waits, &waits_too] {
        to(&shop, issue, "IN_PROGRESS");
        to(&shop, issue, "WAIT_SUPPLIER");
    }
    forward(&shop, 3);
    let file = |shop: &Shop| {
        let opened = shop.call("file.open", &with_key(json!({ "customer": customer }))).unwrap();
        let lines = opened["file"]["issues"].as_array().unwrap().clone();
        lines.iter().map(|line| (line["issue"].clone(), line["colour"].clone())).collect::<Vec<_>>()
    };
    let shown = file(&shop);
    let ids: Vec<&Value> = shown.iter().map(|(issue, _)| issue).collect();
    assert_eq!(ids, [&overdue, &soon, &slow], "overdue, then as they are due");
    assert_eq!(shown[0].1, "RED");
    for issue in [&overdue, &soon] {
        shop.call("issue.close", &with_key(json!({ "issue": issue }))).unwrap();
    }
    let shown = file(&shop);
    let ids: Vec<&Value> = shown.iter().map(|(issue, _)| issue).collect();
    assert_eq!(ids, [&slow, &waits, &waits_too], "what waits for somebody comes last, the oldest first");
}

#[test]
fn what_is_due_in_the_shop_is_listed_the_soonest_first() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let ana = shop.enrol("Ana", "Sanz", "+34911111111");
    let eva = shop.enrol("Eva", "Sol", "+34922222222");
    let of = |customer, severity| {
        open_one(&shop, customer, json!({ "kind": "REPAIR", "severity": severity }))["issue"].clone()
    };
    let (slow, fast, waits, over) = (of(&ana, "S4"), of(&eva, "S1"), of(&ana, "S2"), of(&eva, "S2"));
    let due = || -> Vec<Value> {
        let due = shop.call("issue.due", &json!({})).unwrap();
        due["issues"].as_array().unwrap().iter().map(|row| row["issue"].clone()).collect()
    };
    assert_eq!(due().len(), 4);
    to(&shop, &waits, "IN_PROGRESS");
    to(&shop, &waits, "WAIT_CUSTOMER");
    shop.call("issue.close", &with_key(json!({ "issue": over }))).unwrap();
    assert_eq!(due(), [fast.clone(), slow.clone()], "what waits or is over is nobody's turn");
    let regraded = json!({ "issue": slow, "severity": "S1" });
    let regraded = shop.call("issue.update", &with_key(regraded)).unwrap();
    assert_eq!(regraded["deadline"]["due_at"], "2027-01-15T10:00:00.000000Z");
    to(&shop, &fast, "IN_PROGRESS");
    assert_eq!(due(), [slow, fast]);
}

#[test]
fn a_claim_takes_product_and_warranty_from_the_line_it_was_bought_with() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let ana = shop.enrol("Ana", "Sanz", "+34911111111");
    let sale = bought(&shop, &ana, "1", "SN-1");
    let purchase = json!({ "sale": sale, "line": 1 });
    let claim =
        json!({ "kind": "WARRANTY", "purchase": purchase, "symptom": "NO-POWER", "recall": "A12/00345/27" });
    let opened = open_one(&shop, &ana, claim);
    let warranty = json!({ "basis": "LEGAL", "start": "2027-01-15", "end": "2029-01-15", "in_force": true });
    assert_eq!((&opened["warranty"], &opened["claimed_before"]), (&warranty, &json!([])));
    let shown = row(&shop, &ana, &opened["issue"]);
    let product = json!({ "gtin": "4006381333931", "model": "KX-200", "serial": "SN-1" });
    assert_eq!((&shown["product"], &shown["purchase"]), (&product, &purchase));
    assert_eq!(
        (&shown["symptom"], &shown["recall"], &shown["severity"]),
        (&json!("NO-POWER"), &json!("A12/00345/27"), &json!("S3"))
    );

    let longer = json!({ "kind": "WARRANTY", "purchase": purchase, "warranty": { "basis": "EXTENDED", "months": 60 } });
    forward(&shop, 24 * 800);
    let again = open_one(&shop, &ana, longer);
    assert_eq!(again["warranty"]["end"], "2032-01-15");
    assert_eq!(again["claimed_before"], json!([opened["issue"]]), "this piece was claimed before");
    assert_eq!(row(&shop, &ana, &opened["issue"])["warranty"]["in_force"], false);
    forward(&shop, 1);
    // Another article may have the same serial number; the same one at another customer is told.
    let eva = shop.enrol("Eva", "Sol", "+34922222222");
    let of_eva = |gtin: &str| {
        let product = json!({ "gtin": gtin, "serial": "SN-1" });
        open_one(&shop, &eva, json!({ "kind": "WARRANTY", "product": product }))["claimed_before"].clone()
    };
    assert_eq!(of_eva("96385074"), json!([]));
    assert_eq!(of_eva("04006381333931"), json!([opened["issue"], again["issue"]]));
}

#[test]
fn a_claim_that_does_not_fit_its_purchase_is_named_and_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let (ana, eva) = (shop.enrol("Ana", "Sanz", "+34911111111"), shop.enrol("Eva", "Sol", "+34922222222"));
    let (sale, voided, back) = (
        bought(&shop, &ana, "1", "SN-1"),
        bought(&shop, &ana, "2", "SN-2"),
        bought(&shop, &ana, "3", "SN-3"),
    );
    shop.call("sale.void", &with_key(json!({ "sale": voided }))).unwrap();
    let receipt =
        json!({ "number": "4", "day": "2027-01-15", "tenders": [{ "kind": "CASH", "amount": 3000 }] });
    shop.call("sale.return", &with_key(json!({ "sale": back, "receipt": receipt }))).unwrap();
    let last_seq = || shop.desk.opened().unwrap().log.health().last_seq;
    let before = last_seq();
    let of = |sale: &Value, line: u16| json!({ "sale": sale, "line": line });
    let nowhere = json!("00000000-0001-8d01-9c11-5c1f6d6f2a51");
    let good = of(&sale, 1);
    for (customer, fields, refusal) in [
        (&ana, json!({ "purchase": of(&nowhere, 1) }), (RefusalCode::NotFound, "purchase.sale".to_owned())),
        (&eva, json!({ "purchase": good }), wrong("purchase.sale")),
        (&ana, json!({ "purchase": of(&voided, 1) }), conflict("purchase.sale")),
        (&ana, json!({ "purchase": of(&sale, 2) }), wrong("purchase.line")),
        (&ana, json!({ "purchase": of(&sale, 0) }), wrong("purchase.line")),
        (&ana, json!({ "purchase": of(&back, 1) }), conflict("purchase.line")),
        (&ana, json!({ "purchase": good, "product": { "serial": "SN-2" } }), wrong("product.serial")),
        (&ana, json!({ "warranty": { "basis": "LEGAL" } }), wrong("warranty")),
        (
            &ana,
            json!({ "purchase": good, "warranty": { "basis": "LEGAL", "months": 12 } }),
            wrong("warranty.months"),
        ),
        (&ana, json!({ "purchase": good, "warranty": { "basis": "EXTENDED" } }), wrong("warranty.months")),
        (
            &ana,
            json!({ "purchase": good, "warranty": { "basis": "EXTENDED", "months": 361 } }),
            wrong("warranty.months"),
        ),
        (&ana, json!({ "symptom": "does not work" }), wrong("symptom")),
        (&ana, json!({ "symptom": "4111111111111111" }), wrong("symptom")),
        (&ana, json!({ "recall": "" }), wrong("recall")),
        (&ana, json!({ "severity": "S5" }), wrong("severity")),
        (&ana, json!({ "hint": "a".repeat(81) }), wrong("hint")),
    ] {
        let mut params = fields;
        (params["kind"], params["customer"]) = (json!("WARRANTY"), customer.clone());
        assert_eq!(refused(&shop, "issue.open", params), refusal);
    }
    assert_eq!(last_seq(), before);
}

#[test]
fn what_is_resolved_is_asked_about_and_closed_by_one_key() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let open =
        || open_one(&shop, &customer, json!({ "kind": "COMPLAINT", "hint": "be kind" }))["issue"].clone();
    let answer = |issue: &Value, score| with_key(json!({ "issue": issue, "score": score }));
    let (good, bad) = (open(), open());
    assert_eq!(refused(&shop, "issue.answer", json!({ "issue": good, "score": 5 })), conflict("issue"));
    for issue in [&good, &bad] {
        let resolved = to(&shop, issue, "RESOLVED");
        // Friday; the third open day after is Wednesday.
        let due = json!({ "for": "FOLLOW_UP", "due_at": "2027-01-20T18:00:00.000000Z", "colour": "GREEN" });
        assert_eq!(resolved["deadline"], due);
    }
    for score in [json!(0), json!(6), json!(-1), json!("5")] {
        assert_eq!(refused(&shop, "issue.answer", json!({ "issue": good, "score": score })), wrong("score"));
    }
    let request = answer(&good, 5);
    assert_eq!(shop.call_as(&[Role::Register], "issue.answer", &request).unwrap()["state"], "CLOSED");
    assert_eq!(shop.call("issue.answer", &request).unwrap()["repeated"], true);
    assert_eq!(refused(&shop, "issue.answer", json!({ "issue": good, "score": 4 })), conflict("issue"));
    assert_eq!(shop.call("issue.answer", &answer(&bad, 1)).unwrap()["state"], "FOLLOW_UP");
    assert_eq!(row(&shop, &customer, &bad)["satisfaction"], 1);
    let file = shop.call("file.open", &with_key(json!({ "customer": customer }))).unwrap()["file"].clone();
    assert_eq!((&file["issues_open"], &file["issues"][0]["issue"]), (&json!(1), &bad));
    // Who comes back is asked anew.
    to(&shop, &bad, "REOPENED");
    assert_eq!(row(&shop, &customer, &bad)["satisfaction"], Value::Null);
    to(&shop, &bad, "RESOLVED");
    assert_eq!(shop.call("issue.answer", &answer(&bad, 4)).unwrap()["state"], "CLOSED");
}

#[test]
fn a_request_about_data_goes_by_the_law() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let opened = open_one(&shop, &customer, json!({ "kind": "DATA_REQUEST", "severity": "S1" }));
    let issue = &opened["issue"];
    assert_eq!(opened["deadline"]["due_at"], "2027-02-16T00:00:00.000000Z");
    let extend = with_key(json!({ "issue": issue }));
    assert_eq!(
        shop.call_as(&[Role::Register], "issue.extend", &extend).unwrap_err().code,
        RefusalCode::Forbidden
    );
    assert_eq!(
        shop.call("issue.extend", &extend).unwrap()["deadline"]["due_at"],
        "2027-04-16T00:00:00.000000Z"
    );
    assert_eq!(shop.call("issue.extend", &extend).unwrap()["repeated"], true);
    assert_eq!(refused(&shop, "issue.extend", json!({ "issue": issue })), conflict("issue"));
    let repair = open_one(&shop, &customer, json!({ "kind": "REPAIR" }));
    assert_eq!(refused(&shop, "issue.extend", json!({ "issue": repair["issue"] })), conflict("issue"));
    to(&shop, issue, "IN_PROGRESS");
    to(&shop, issue, "WAIT_CUSTOMER");
    assert_eq!(line(&shop, &customer)["kind"], "REPAIR", "the newest first");
    assert_eq!(row(&shop, &customer, issue)["deadline"]["colour"], "GREEN", "the law does not wait");
}

#[test]
fn a_duplicate_names_what_it_is_the_same_as() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let (ana, eva) = (shop.enrol("Ana", "Sanz", "+34911111111"), shop.enrol("Eva", "Sol", "+34922222222"));
    let open = |customer: &Value| open_one(&shop, customer, json!({ "kind": "REPAIR" }))["issue"].clone();
    let (first, second, third, of_eva) = (open(&ana), open(&ana), open(&ana), open(&eva));
    let same =
        |issue: &Value, other: &Value| json!({ "issue": issue, "state": "DUPLICATE", "duplicate_of": other });
    for (issue, other) in [(&second, &second), (&second, &of_eva), (&second, &json!(Uuid::new_v4()))] {
        assert_eq!(refused(&shop, "issue.update", same(issue, other)), wrong("duplicate_of"));
    }
    let other_state = json!({ "issue": second, "state": "TRIAGED", "duplicate_of": first });
    assert_eq!(refused(&shop, "issue.update", other_state), wrong("duplicate_of"));
    shop.call("issue.update", &with_key(same(&second, &first))).unwrap();
    assert_eq!(row(&shop, &ana, &second)["duplicate_of"], first);
    assert_eq!(refused(&shop, "issue.update", same(&third, &second)), wrong("duplicate_of"));
    assert_eq!(
        refused(&shop, "issue.update", json!({ "issue": second, "state": "REOPENED" })),
        conflict("state")
    );
    assert_eq!(
        refused(&shop, "issue.update", json!({ "issue": second, "severity": "S1" })),
        conflict("severity")
    );
    assert_eq!(
        refused(&shop, "issue.update", json!({ "issue": third, "state": "FOLLOW_UP" })),
        conflict("state")
    );
}

#[test]
fn a_file_with_three_issues_and_their_hints_is_a_kilobyte() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("María", "García", "+34911111111");
    for _ in 0..3 {
        let issue = json!({ "kind": "WARRANTY", "product": { "model": "KX-200" }, "hint": "spare part is on its way" });
        open_one(&shop, &customer, issue);
    }
    let opened = shop.call("file.open", &with_key(json!({ "customer": customer }))).unwrap();
    let bytes = opened["file"].to_string().len();
    assert!(bytes <= 1024, "{bytes} bytes");
}

#[test]
fn a_journal_that_is_read_again_under_other_hours_gives_the_same_deadlines() {
    let dir = tempfile::tempdir().unwrap();
    let (customer, before);
    {
        let shop = shop_in(dir.path(), false);
        customer = shop.enrol("Ana", "Sanz", "+34911111111");
        let sale = bought(&shop, &customer, "1", "SN-1");
        let claim = json!({ "kind": "WARRANTY", "purchase": { "sale": sale, "line": 1 }, "severity": "S2" });
        let waited = open_one(&shop, &customer, claim)["issue"].clone();
        let request = open_one(&shop, &customer, json!({ "kind": "DATA_REQUEST" }))["issue"].clone();
        shop.call("issue.extend", &with_key(json!({ "issue": request }))).unwrap();
        for state in ["IN_PROGRESS", "WAIT_SUPPLIER", "IN_PROGRESS", "RESOLVED"] {
            forward(&shop, 5);
            to(&shop, &waited, state);
        }
        shop.call("issue.answer", &with_key(json!({ "issue": waited, "score": 2 }))).unwrap();
        before = shop.call("issue.list", &json!({ "customer": customer })).unwrap();
    }
    std::fs::remove_dir_all(dir.path().join("store/views")).unwrap();
    let mut shop = shop_in(dir.path(), false);
    let other =
        "monday = ['00:00-24:00']\ns2_resolution_hours = 2000\nfollow_up_days = 60\nwarranty_months = 1";
    let service = read_text(other, fichad::desk::issue::Settings::read).unwrap().0;
    let opened = shop.desk.opened().unwrap().clone();
    shop.desk = Desk::new(Settings { service, ..Settings::default() }, shop.clock.clone(), shop.tray.clone());
    shop.desk.open(opened);
    forward(&shop, 20);
    assert_eq!(shop.call("issue.list", &json!({ "customer": customer })).unwrap(), before);
}
