//! What is kept under a merged customer's number is the customer's who goes on, in every request, and their own again after an unmerge.

use super::consents::{PURSUED, grant, pursuing};
use super::merges::{balance, earn, merge, person, sold, take_in, unmerge};
use super::*;

/// The one who is merged, and the one who goes on.
fn two(shop: &Shop) -> [Value; 2] {
    ["Francisca", "Paqui"].map(|given| {
        let mut person = person(given);
        person["email"] = json!([{ "addr": "paqui@example.org" }]);
        take_in(shop, &person)["customer"].clone()
    })
}

fn merged(shop: &Shop, from: &Value, into: &Value) -> Value {
    merge(shop, from, into).unwrap()["merge"].clone()
}

/// What a request lists of a customer under `name`.
fn rows(shop: &Shop, method: &str, customer: &Value, name: &str) -> Vec<Value> {
    let answer = shop.call(method, &json!({ "customer": customer })).unwrap();
    answer[name].as_array().unwrap().clone()
}

fn each<'r>(rows: &'r [Value], field: &str) -> Vec<&'r Value> {
    rows.iter().map(|row| &row[field]).collect()
}

fn do_it(shop: &Shop, method: &str, params: Value) -> Value {
    shop.call(method, &with_key(params)).unwrap_or_else(|refusal| panic!("{method}: {refusal}"))
}

fn forward(shop: &Shop, hours: u64) {
    let mut clock = shop.clock.0.lock().unwrap();
    *clock = clock.saturating_add(Duration::from_hours(hours));
}

/// Whether offers may be sent by e-mail: `yes`, or why not.
fn may(shop: &Shop, customer: &Value) -> Value {
    let ask = json!({ "customers": [customer], "purpose": "OFFERS", "channel": "EMAIL" });
    let row = shop.call("contact.may", &ask).unwrap()["rows"][0].clone();
    if row["may"] == true { json!("yes") } else { row["reason"].clone() }
}

fn mailed(shop: &Shop, customer: &Value) -> Value {
    let mail = json!({ "customer": customer, "channel": "EMAIL", "direction": "OUT", "purpose": "OFFERS" });
    do_it(shop, "contact.record", mail)["contact"].clone()
}

fn opt_out(shop: &Shop, customer: &Value, contact: &Value) {
    let told = json!({ "customer": customer, "contact": contact, "response": "OPTED_OUT" });
    do_it(shop, "contact.respond", told);
}

#[test]
fn who_opts_out_of_what_a_merged_number_was_sent_is_sent_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_with(dir.path(), false, pursuing(PURSUED));
    let [from, into] = two(&shop);
    grant(&shop, &from, "EMAIL");
    let mail = mailed(&shop, &from);
    forward(&shop, 1);
    let merge = merged(&shop, &from, &into);
    assert_eq!(may(&shop, &into), "yes");
    forward(&shop, 1);
    opt_out(&shop, &into, &mail);
    assert_eq!(may(&shop, &into), "WITHDRAWN");
    let contacts = rows(&shop, "contact.list", &into, "contacts");
    assert_eq!(contacts[0]["responses"][0]["response"], "OPTED_OUT", "{contacts:?}");
    unmerge(&shop, &merge).unwrap();
    // The answer was to what `from` was sent, and goes with it.
    assert_eq!((may(&shop, &from), may(&shop, &into)), (json!("WITHDRAWN"), json!("NO_CONSENT")));
    let contacts = rows(&shop, "contact.list", &from, "contacts");
    assert_eq!(contacts[0]["responses"][0]["response"], "OPTED_OUT");
    assert!(rows(&shop, "contact.list", &into, "contacts").is_empty());
}

#[test]
fn a_no_of_before_is_no_reason_to_pass_over_a_no_of_now() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_with(dir.path(), false, pursuing(PURSUED));
    let no = |customer: &Value| {
        let no =
            json!({ "customer": customer, "purpose": "OFFERS", "channel": "EMAIL", "state": "WITHDRAWN" });
        do_it(&shop, "consent.record", no)["consent"].clone()
    };
    // The one says no and the other yes, before they are found to be one person: the yes was the later word.
    let [from, into] = two(&shop);
    let mail = mailed(&shop, &from);
    no(&from);
    forward(&shop, 1);
    grant(&shop, &into, "EMAIL");
    let merge = merged(&shop, &from, &into);
    assert_eq!(may(&shop, &into), "yes");
    forward(&shop, 1);
    opt_out(&shop, &into, &mail);
    assert_eq!(may(&shop, &into), "WITHDRAWN");
    unmerge(&shop, &merge).unwrap();
    assert_eq!(may(&shop, &into), "yes", "who goes on has said nothing else of themselves");

    // The other way round, at the desk: the one who goes on had said no before the other's yes.
    forward(&shop, 1);
    grant(&shop, &into, "EMAIL");
    let merge = merged(&shop, &into, &from);
    assert_eq!(may(&shop, &from), "yes");
    forward(&shop, 1);
    let first = no(&from);
    assert_eq!(may(&shop, &from), "WITHDRAWN");
    assert_eq!(no(&from), first, "said again it says nothing new");
    unmerge(&shop, &merge).unwrap();
    assert_eq!((may(&shop, &from), may(&shop, &into)), (json!("WITHDRAWN"), json!("yes")));
}

#[test]
fn a_plan_of_a_merged_number_is_closed_where_it_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let [from, into] = two(&shop);
    let plan = |customer: &Value, category: &str| {
        let plan = json!({ "customer": customer, "category": category, "from": "2027-01-10", "to": "2027-02-10",
            "source": "STAFF" });
        shop.call("plan.add", &with_key(plan)).map(|done| done["plan"].clone())
    };
    let kitchen = plan(&from, "kitchen").unwrap();
    let bought = sold(&shop, "1", &from);
    for category in ["a", "b", "c"] {
        plan(&into, category).unwrap();
    }
    let merge = merged(&shop, &from, &into);
    assert_eq!(
        plan(&into, "d").unwrap_err().code,
        RefusalCode::Conflict,
        "they have four open plans between them"
    );
    let close = json!({ "customer": into, "plan": kitchen, "state": "FULFILLED", "sale": bought });
    do_it(&shop, "plan.close", close.clone());
    assert_eq!(shop.call("plan.close", &with_key(close)).unwrap_err().field.as_deref(), Some("plan"));
    let state = |customer: &Value| {
        let plans = rows(&shop, "plan.list", customer, "plans");
        let kept = plans.iter().find(|row| row["plan"] == kitchen);
        kept.map(|row| (row["state"].clone(), row["sale"].clone()))
    };
    let fulfilled = Some((json!("FULFILLED"), bought));
    assert_eq!(state(&into), fulfilled);
    unmerge(&shop, &merge).unwrap();
    assert_eq!((state(&from), state(&into)), (fulfilled, None));
    let file = do_it(&shop, "file.open", json!({ "customer": from }))["file"].clone();
    assert_eq!(file.get("plans"), None, "the till is shown it no more");
}

#[test]
fn what_a_merged_number_did_not_buy_is_recovered_by_whoever_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let [from, into] = two(&shop);
    let lose = |customer: &Value, kind: &str| {
        do_it(&shop, "lost.record", json!({ "kind": kind, "customer": customer }))["lost"].clone()
    };
    let basket = json!({ "currency": "EUR", "total": 700, "lines":
        [{ "sku": "TIN", "quantity": 1000, "unit_price": 700, "amount": 700 }] });
    let park = || do_it(&shop, "sale.park", json!({ "basket": basket, "customer": from }))["parked"].clone();
    let (taken, left) = (park(), park());
    let of_from = lose(&from, "ASKED_OUT_OF_STOCK");
    forward(&shop, 1);
    let of_into = lose(&into, "WALKED_QUEUE");
    let merge = merged(&shop, &from, &into);

    let parked = shop.call("sale.parked", &json!({})).unwrap()["parked"].clone();
    assert_eq!(each(parked.as_array().unwrap(), "customer"), [&into, &into]);
    assert_eq!(do_it(&shop, "sale.resume", json!({ "parked": taken }))["customer"], into);
    forward(&shop, 24);
    shop.runtime.block_on(shop.desk.settle_parked()).unwrap();

    let lost = rows(&shop, "lost.list", &into, "lost");
    assert_eq!(each(&lost, "kind"), ["PARKED_LAPSED", "WALKED_QUEUE", "ASKED_OUT_OF_STOCK"]);
    assert!(lost.iter().all(|row| row["customer"] == into), "{lost:?}");
    assert_eq!((&lost[0]["parked"], &lost[1]["lost"], &lost[2]["lost"]), (&left, &of_into, &of_from));
    let sale = sold(&shop, "1", &into);
    do_it(&shop, "lost.recover", json!({ "lost": of_from, "sale": sale }));

    unmerge(&shop, &merge).unwrap();
    let lost = rows(&shop, "lost.list", &from, "lost");
    assert_eq!(each(&lost, "kind"), ["PARKED_LAPSED", "ASKED_OUT_OF_STOCK"]);
    assert!(lost.iter().all(|row| row["customer"] == from), "{lost:?}");
    assert_eq!(lost[1]["recovered_by"], sale);
    assert_eq!(each(&rows(&shop, "lost.list", &into, "lost"), "kind"), ["WALKED_QUEUE"]);
}

#[test]
fn the_ledger_of_a_merged_number_is_told_with_the_others_and_adds_up() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let [from, into] = two(&shop);
    let ledger = |customer: &Value| rows(&shop, "points.list", customer, "entries");
    // What is set aside or let go changes no balance.
    let sum = |lines: &[Value]| {
        let moves = lines.iter().filter(|line| line["kind"] != "HOLD" && line["kind"] != "RELEASE");
        moves.map(|line| line["points"].as_i64().unwrap()).sum::<i64>()
    };
    earn(&shop, &from, 50);
    forward(&shop, 1);
    earn(&shop, &into, 100);
    forward(&shop, 1);
    earn(&shop, &from, 7);
    let merge = merged(&shop, &from, &into);
    let lines = ledger(&into);
    let told: Vec<_> = lines
        .iter()
        .map(|line| (line["kind"].as_str().unwrap(), &line["customer"], &line["number"]))
        .collect();
    let [one, two, three] = [1, 2, 3].map(|number| json!(number));
    assert_eq!(
        told,
        [
            ("MERGE_IN", &into, &two),
            ("MERGE_OUT", &from, &three),
            ("EARN", &from, &two),
            ("EARN", &into, &one),
            ("EARN", &from, &one),
        ]
    );
    assert_eq!((sum(&lines), balance(&shop, &into)), (157, (157, 0)));
    let export = json!({ "customer": into, "part": "points" });
    let exported = shop.call("customer.export", &export).unwrap()["entries"].clone();
    assert_eq!(each(exported.as_array().unwrap(), "customer"), each(&lines, "customer"));
    earn(&shop, &into, 1);
    unmerge(&shop, &merge).unwrap();
    for (customer, points) in [(&from, 57), (&into, 101)] {
        let lines = ledger(customer);
        assert!(lines.iter().all(|line| line["customer"] == *customer), "{lines:?}");
        assert_eq!((sum(&lines), balance(&shop, customer)), (points, (points, 0)));
    }
}

#[test]
fn an_issue_of_a_merged_number_is_opened_again_and_can_be_anothers_double() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let [from, into] = two(&shop);
    let open = |customer: &Value| {
        do_it(&shop, "issue.open", json!({ "customer": customer, "kind": "REPAIR" }))["issue"].clone()
    };
    let (again, double) = (open(&from), open(&into));
    do_it(&shop, "issue.close", json!({ "issue": again }));
    let merge = merged(&shop, &from, &into);
    let reopen = json!({ "issue": again, "state": "REOPENED", "hint": "came back" });
    assert_eq!(do_it(&shop, "issue.update", reopen)["state"], "REOPENED");
    let due = shop.call("issue.due", &json!({})).unwrap()["issues"].clone();
    assert_eq!(each(due.as_array().unwrap(), "customer"), [&into, &into]);
    do_it(&shop, "issue.update", json!({ "issue": double, "state": "DUPLICATE", "duplicate_of": again }));
    let file = do_it(&shop, "file.open", json!({ "customer": into }))["file"].clone();
    assert_eq!((&file["issues_open"], &file["issues"][0]["hint"]), (&json!(1), &json!("came back")));

    unmerge(&shop, &merge).unwrap();
    let file = |customer: &Value| do_it(&shop, "file.open", json!({ "customer": customer }))["file"].clone();
    let (own, other) = (file(&from), file(&into));
    assert_eq!((&own["issues"][0]["issue"], &own["issues"][0]["hint"]), (&again, &json!("came back")));
    assert_eq!(other["issues_open"], 0);
    let due = shop.call("issue.due", &json!({})).unwrap()["issues"].clone();
    assert_eq!(each(due.as_array().unwrap(), "customer"), [&from]);
    let twice = json!({ "issue": again, "state": "DUPLICATE", "duplicate_of": open(&into) });
    let refused = shop.call("issue.update", &with_key(twice)).unwrap_err();
    assert_eq!(refused.field.as_deref(), Some("duplicate_of"), "they are two customers again");
}

#[test]
fn the_room_for_open_issues_is_that_of_the_customer_who_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let [from, into] = two(&shop);
    let open = |customer: &Value| {
        shop.call("issue.open", &with_key(json!({ "customer": customer, "kind": "REPAIR" })))
    };
    let closed = open(&from).unwrap()["issue"].clone();
    do_it(&shop, "issue.close", json!({ "issue": closed }));
    while open(&into).is_ok() {}
    merged(&shop, &from, &into);
    let refused =
        shop.call("issue.update", &with_key(json!({ "issue": closed, "state": "REOPENED" }))).unwrap_err();
    assert_eq!(refused.code, RefusalCode::Conflict);
    assert!(refused.message.contains("open issues"), "{refused}");
}

#[test]
fn the_history_has_the_versions_of_every_number() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let [from, into] = two(&shop);
    let history = |customer: &Value| {
        let ask = json!({ "customer": customer, "values": true });
        shop.call_as(&[Role::Manager], "customer.history", &ask).unwrap()["versions"]
            .as_array()
            .unwrap()
            .clone()
    };
    let [of_from, of_into] = [&from, &into].map(history);
    assert_eq!((each(&of_from, "customer"), each(&of_into, "customer")), (vec![&from], vec![&into]));
    let issue = do_it(&shop, "issue.open", json!({ "customer": from, "kind": "REPAIR" }))["issue"].clone();
    let merge = merged(&shop, &from, &into);
    assert_eq!(history(&into), [of_into, of_from.clone()].concat(), "the newest first");

    // What is written of the other's things lies with the other, and is told with who asked.
    do_it(&shop, "issue.update", json!({ "issue": issue, "hint": "ready" }));
    let newest = history(&into).swap_remove(0);
    assert_eq!((&newest["customer"], &newest["by"]), (&from, &json!(1000)));
    let revert = with_key(json!({ "customer": into, "version": of_from[0]["version"] }));
    shop.call_as(&[Role::Manager], "customer.revert", &revert).unwrap();
    let shown = shop.call("customer.show", &json!({ "customer": into })).unwrap();
    assert_eq!(shown["person"]["givenName"], "Francisca");
    let after = history(&into);
    assert_eq!((after.len(), &after[0]["customer"], &after[0]["by"]), (4, &into, &json!(1000)));

    unmerge(&shop, &merge).unwrap();
    assert_eq!(history(&from), [vec![newest], of_from.clone()].concat());
    assert_eq!(each(&history(&into), "customer"), [&into, &into]);
    let theirs = with_key(json!({ "customer": into, "version": of_from[0]["version"] }));
    let refused = shop.call_as(&[Role::Manager], "customer.revert", &theirs).unwrap_err();
    assert_eq!((refused.code, refused.field.as_deref()), (RefusalCode::NotFound, Some("version")));
}

#[test]
fn an_objection_of_a_merged_number_holds_until_it_is_taken_back_itself() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let [from, into] = two(&shop);
    let object = |customer: &Value, objects: bool| {
        let done = do_it(&shop, "customer.object", json!({ "customer": customer, "objects": objects }));
        (done["objects"].clone(), done["objects_under"].clone())
    };
    assert_eq!(object(&from, true), (json!(true), json!([from])));
    let merge = merged(&shop, &from, &into);
    assert_eq!(object(&into, true), (json!(true), json!([into, from])));
    assert_eq!(object(&into, false), (json!(true), json!([from])), "the other has not taken it back");
    unmerge(&shop, &merge).unwrap();
    assert_eq!(object(&into, false), (json!(false), json!([])));
    assert_eq!(object(&from, false), (json!(false), json!([])));
}
