//! Planned purchases over a real store: told, shown at the till, fulfilled by the sale that has them.

use super::*;

/// The clock of these tests stands at 2027-01-15.
fn add(shop: &Shop, customer: &Value, more: Value) -> Result<Value, Refusal> {
    let mut plan =
        json!({ "customer": customer, "from": "2027-01-10", "to": "2027-02-10", "source": "STAFF" });
    plan.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    shop.call("plan.add", &with_key(plan)).map(|done| done["plan"].clone())
}

fn receipt(number: &str, day: &str, category: &str) -> Value {
    json!({
        "number": number, "day": day, "currency": "EUR", "total": 500,
        "lines": [{ "gtin": "4006381333931", "category": category, "quantity": 1000, "unit_price": 500, "amount": 500 }],
        "tenders": [{ "kind": "CASH", "amount": 500 }],
    })
}

fn states(shop: &Shop, customer: &Value) -> Vec<(Value, Value)> {
    let plans = shop.call("plan.list", &json!({ "customer": customer })).unwrap()["plans"].clone();
    plans.as_array().unwrap().iter().map(|plan| (plan["state"].clone(), plan["sale"].clone())).collect()
}

fn shown(shop: &Shop, customer: &Value) -> Value {
    let file = shop.call("file.open", &with_key(json!({ "customer": customer }))).unwrap()["file"].clone();
    file.get("plans").cloned().unwrap_or(Value::Null)
}

#[test]
fn a_plan_is_shown_until_the_sale_that_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let (customer, sale);
    {
        let shop = shop_in(dir.path(), false);
        customer = shop.enrol("Ana", "Sanz", "+34600111111");
        let budget = json!({ "minor": 30000, "currency": "EUR" });
        let plan = add(&shop, &customer, json!({ "category": "kitchen", "budget": budget })).unwrap();
        let line = json!({ "plan": plan, "category": "kitchen", "to": "2027-02-10",
            "budget": { "minor": 30000, "currency": "EUR", "exponent": 2 } });
        assert_eq!(shown(&shop, &customer), json!([line]));
        let other = json!({ "customer": customer, "receipt": receipt("1", "2027-01-15", "garden") });
        shop.call("sale.record", &with_key(other)).unwrap();
        assert_eq!(states(&shop, &customer), [(json!("OPEN"), Value::Null)]);
        let bought =
            with_key(json!({ "customer": customer, "receipt": receipt("2", "2027-01-15", "kitchen") }));
        sale = shop.call("sale.record", &bought).unwrap()["sale"].clone();
        shop.call("sale.record", &bought).unwrap();
    }
    let shop = shop_in(dir.path(), false);
    assert_eq!(states(&shop, &customer), [(json!("FULFILLED"), sale)]);
    assert_eq!(shown(&shop, &customer), Value::Null);
}

#[test]
fn a_sale_that_is_attached_later_fulfils_a_plan_too() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34600111111");
    add(&shop, &customer, json!({ "gtin": "04006381333931" })).unwrap();
    let nobodys = json!({ "receipt": receipt("1", "2027-01-15", "kitchen") });
    let sale = shop.call("sale.record", &with_key(nobodys)).unwrap()["sale"].clone();
    let early =
        json!({ "receipt": receipt("2", "2027-01-02", "kitchen"), "sold_at": "2027-01-02T10:00:00Z" });
    let early = shop.call("sale.record", &with_key(early)).unwrap()["sale"].clone();
    shop.call("sale.attach", &with_key(json!({ "sale": early, "customer": customer }))).unwrap();
    assert_eq!(
        states(&shop, &customer),
        [(json!("OPEN"), Value::Null)],
        "it was bought before it was planned"
    );
    shop.call("sale.attach", &with_key(json!({ "sale": sale, "customer": customer }))).unwrap();
    assert_eq!(states(&shop, &customer), [(json!("FULFILLED"), sale)]);
}

#[test]
fn a_sale_that_was_none_has_fulfilled_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (customer, other);
    {
        let shop = shop_in(dir.path(), false);
        [customer, other] = ["+34600111111", "+34600111112"].map(|phone| shop.enrol("Ana", "Sanz", phone));
        add(&shop, &customer, json!({ "category": "kitchen" })).unwrap();
        let buy = |number: &str| {
            let bought = json!({ "customer": customer, "receipt": receipt(number, "2027-01-15", "kitchen") });
            shop.call("sale.record", &with_key(bought)).unwrap()["sale"].clone()
        };
        let open = [(json!("OPEN"), Value::Null)];
        let voided = buy("1");
        shop.call("sale.void", &with_key(json!({ "sale": voided }))).unwrap();
        assert_eq!(states(&shop, &customer), open);
        assert_eq!(shown(&shop, &customer)[0]["category"], "kitchen");
        let others = buy("2");
        assert_eq!(states(&shop, &customer), [(json!("FULFILLED"), others.clone())]);
        shop.call("sale.attach", &with_key(json!({ "sale": others, "customer": other }))).unwrap();
        assert_eq!(states(&shop, &customer), open);
        // What was bought and comes back was bought.
        let kept = buy("3");
        let back =
            json!({ "number": "4", "day": "2027-01-15", "tenders": [{ "kind": "CASH", "amount": 500 }] });
        shop.call("sale.return", &with_key(json!({ "sale": kept, "receipt": back }))).unwrap();
        assert_eq!(states(&shop, &customer), [(json!("FULFILLED"), kept)]);
    }
    let shop = shop_in(dir.path(), false);
    assert_eq!(shown(&shop, &customer), Value::Null);
}

#[test]
fn a_plan_opens_again_only_where_there_is_room_and_time() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34600111111");
    add(&shop, &customer, json!({ "category": "kitchen" })).unwrap();
    let bought = json!({ "customer": customer, "receipt": receipt("1", "2027-01-15", "kitchen") });
    let sale = shop.call("sale.record", &with_key(bought)).unwrap()["sale"].clone();
    for _ in 0..4 {
        add(&shop, &customer, json!({ "category": "garden" })).unwrap();
    }
    shop.call("sale.void", &with_key(json!({ "sale": sale }))).unwrap();
    let words = |shop: &Shop| {
        let mut words: Vec<Value> = states(shop, &customer).into_iter().map(|(word, _)| word).collect();
        words.sort_by_key(ToString::to_string);
        words
    };
    assert_eq!(words(&shop), ["FULFILLED", "OPEN", "OPEN", "OPEN", "OPEN"]);

    let late = shop.enrol("Eva", "Sol", "+34600111112");
    add(&shop, &late, json!({ "category": "kitchen" })).unwrap();
    let bought = json!({ "customer": late, "receipt": receipt("2", "2027-01-15", "kitchen") });
    let sale = shop.call("sale.record", &with_key(bought)).unwrap()["sale"].clone();
    *shop.clock.0.lock().unwrap() += Duration::from_hours(24 * 40);
    shop.call("sale.void", &with_key(json!({ "sale": sale }))).unwrap();
    assert_eq!(states(&shop, &late), [(json!("LAPSED"), Value::Null)]);
    assert_eq!(shown(&shop, &late), Value::Null);
}

#[test]
fn a_plan_is_shown_in_its_window_and_lapses_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34600111111");
    add(&shop, &customer, json!({ "category": "garden", "from": "2027-03-01", "to": "2027-04-01" })).unwrap();
    assert_eq!(shown(&shop, &customer), Value::Null, "not yet");
    *shop.clock.0.lock().unwrap() += Duration::from_hours(24 * 50);
    assert_eq!(shown(&shop, &customer)[0]["category"], "garden");
    *shop.clock.0.lock().unwrap() += Duration::from_hours(24 * 40);
    assert_eq!(shown(&shop, &customer), Value::Null);
    assert_eq!(states(&shop, &customer)[0].0, "LAPSED");
    // What has lapsed takes no room.
    for _ in 0..4 {
        add(&shop, &customer, json!({ "category": "garden", "to": "2027-12-01" })).unwrap();
    }
    let refused = add(&shop, &customer, json!({ "category": "garden", "to": "2027-12-01" })).unwrap_err();
    assert_eq!(refused.code, RefusalCode::Conflict);
}

#[test]
fn a_plan_is_closed_by_hand_once() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let [customer, other] = ["+34600111111", "+34600111112"].map(|phone| shop.enrol("Ana", "Sanz", phone));
    let first = add(&shop, &customer, json!({ "category": "kitchen" })).unwrap();
    *shop.clock.0.lock().unwrap() += Duration::from_secs(1);
    let second = add(&shop, &customer, json!({ "category": "kitchen" })).unwrap();
    let close = |customer: &Value, plan: &Value, more: Value| {
        let mut close = json!({ "customer": customer, "plan": plan, "state": "FULFILLED" });
        close.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        shop.call("plan.close", &with_key(close))
            .map_err(|refusal| (refusal.code, refusal.field.unwrap_or_default()))
    };
    let theirs = json!({ "customer": other, "receipt": receipt("1", "2027-01-15", "kitchen") });
    let theirs = shop.call("sale.record", &with_key(theirs)).unwrap()["sale"].clone();
    let field = |field: &str| Err((RefusalCode::InvalidParams, field.to_owned()));
    assert_eq!(close(&customer, &first, json!({ "sale": theirs })), field("sale"));
    assert_eq!(close(&customer, &first, json!({ "state": "WITHDRAWN", "sale": theirs })), field("sale"));
    assert_eq!(close(&customer, &first, json!({ "state": "LAPSED" })), field("state"));
    assert_eq!(close(&other, &first, json!({})), Err((RefusalCode::NotFound, String::new())));
    close(&customer, &first, json!({})).unwrap();
    close(&customer, &second, json!({ "state": "WITHDRAWN" })).unwrap();
    assert_eq!(close(&customer, &first, json!({})), Err((RefusalCode::Conflict, "plan".to_owned())));
    assert_eq!(
        states(&shop, &customer),
        [(json!("WITHDRAWN"), Value::Null), (json!("FULFILLED"), Value::Null)]
    );
    assert_eq!(shown(&shop, &customer), Value::Null);
}

#[test]
fn what_is_no_plan_names_its_field() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34600111111");
    for (more, field) in [
        (json!({}), "category"),
        (json!({ "category": "kitchen", "gtin": "96385074" }), "category"),
        (json!({ "category": "two words" }), "category"),
        (json!({ "category": "4111111111111111" }), "category"),
        (json!({ "gtin": "96385075" }), "gtin"),
        (json!({ "category": "kitchen", "to": "2027-01-09" }), "to"),
        (json!({ "category": "kitchen", "from": "2026-01-01", "to": "2026-01-02" }), "to"),
        (json!({ "category": "kitchen", "to": "2029-06-01" }), "to"),
        (json!({ "category": "kitchen", "budget": { "minor": 0, "currency": "EUR" } }), "budget.minor"),
        (json!({ "category": "kitchen", "source": "GOSSIP" }), "source"),
    ] {
        let refused = add(&shop, &customer, more.clone()).unwrap_err();
        assert_eq!(
            (refused.code, refused.field.as_deref()),
            (RefusalCode::InvalidParams, Some(field)),
            "{more}"
        );
    }
    assert!(states(&shop, &customer).is_empty());
}

#[test]
fn while_the_vault_is_locked_a_sale_is_recorded_and_no_plan_compared() {
    let dir = tempfile::tempdir().unwrap();
    let customer;
    {
        let shop = shop_in(dir.path(), false);
        customer = shop.enrol("Ana", "Sanz", "+34600111111");
        add(&shop, &customer, json!({ "category": "kitchen" })).unwrap();
    }
    {
        let shop = shop_in(dir.path(), true);
        let bought = json!({ "customer": customer, "receipt": receipt("1", "2027-01-15", "kitchen") });
        shop.call("sale.record", &with_key(bought)).unwrap();
    }
    assert_eq!(states(&shop_in(dir.path(), false), &customer), [(json!("OPEN"), Value::Null)]);
}

#[test]
fn the_fullest_file_fits_its_limit() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_with(dir.path(), false, super::consents::pursuing(super::consents::PURSUED));
    let long = "日".repeat(100);
    let person = json!({ "givenName": long, "familyName": long, "preferredName": long });
    let enrolled = shop.call("customer.enrol", &with_key(json!({ "person": person }))).unwrap();
    let customer = enrolled["customer"].clone();
    for number in 0..4 {
        let word = |letters: &str| format!("{number}{}", letters.repeat(59));
        let preference = json!({ "customer": customer, "name": word("a"), "value": word("b") });
        shop.call("preference.set", &with_key(preference)).unwrap();
        let hint = json!({ "customer": customer, "kind": "DATA_REQUEST", "hint": "語".repeat(80),
            "product": { "model": "m".repeat(40) } });
        shop.call("issue.open", &with_key(hint)).unwrap();
        add(&shop, &customer, json!({ "category": "k".repeat(40) })).unwrap();
    }
    let file = shop.call("file.open", &with_key(json!({ "customer": customer }))).unwrap()["file"].clone();
    assert!(file.to_string().len() <= fichad::desk::file::FILE_BYTES_MAX, "{}", file.to_string().len());
    assert_eq!((&file["name"], &file["issues_open"]), (&json!(long), &json!(4)));
    assert!(!file["issues"].as_array().unwrap().is_empty(), "{file}");
}
