//! Contacts over a real store: what is logged, what came of it, who may be contacted for what.

use super::consents::{PURSUED, grant, pursuing, words};
use super::*;
use std::sync::atomic::AtomicUsize;

fn shop(dir: &Path) -> Shop {
    shop_with(dir, false, pursuing(PURSUED))
}

/// Somebody with a mobile and an e-mail address, and no postal address.
fn enrol(shop: &Shop) -> Value {
    let person = json!({ "givenName": "Ana", "telephone": [{ "e164": "+34600111111" }], "email": [{ "addr": "ana@example.org" }] });
    shop.call("customer.enrol", &with_key(json!({ "person": person }))).unwrap()["customer"].clone()
}

fn record(shop: &Shop, customer: &Value, more: Value) -> Result<Value, Refusal> {
    let mut contact = json!({ "customer": customer, "channel": "EMAIL", "direction": "OUT" });
    contact.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    shop.call("contact.record", &with_key(contact)).map(|done| done["contact"].clone())
}

/// Whether a customer may be contacted: `yes`, or why not.
fn may(shop: &Shop, customer: &Value, purpose: &str, channel: &str) -> (String, Value) {
    let ask = json!({ "customers": [customer], "purpose": purpose, "channel": channel });
    let row = shop.call("contact.may", &ask).unwrap()["rows"][0].clone();
    let word = row["reason"].as_str().unwrap_or(if row["may"] == true { "yes" } else { "?" });
    (word.to_owned(), row["at"].clone())
}

fn later(shop: &Shop, hours: u64) {
    let mut now = shop.clock.0.lock().unwrap();
    *now = now.saturating_add(Duration::from_hours(hours));
}

#[test]
fn a_file_that_is_opened_by_a_channel_is_a_contact() {
    let dir = tempfile::tempdir().unwrap();
    let customer;
    {
        let shop = shop(dir.path());
        customer = enrol(&shop);
        let open = with_key(json!({ "customer": customer, "channel": "TELEPHONE" }));
        let opened = shop.call("file.open", &open).unwrap();
        assert_eq!(shop.call("file.open", &open).unwrap()["contact"], opened["contact"], "once for its key");
        let without = shop.call("file.open", &with_key(json!({ "customer": customer }))).unwrap();
        assert_eq!(without["contact"], Value::Null);
        let listed = shop.call("contact.list", &json!({ "customer": customer })).unwrap();
        let [contact] = &listed["contacts"].as_array().unwrap()[..] else { panic!("{listed}") };
        assert_eq!(
            (&contact["direction"], &contact["channel"], &contact["visit"], &contact["contact"]),
            (&json!("IN"), &json!("TELEPHONE"), &opened["visit"], &opened["contact"])
        );
        let shown = shop.call("customer.show", &json!({ "customer": customer })).unwrap();
        assert_eq!((&shown["contacts"], &shown["visits"]), (&listed["contacts"], &json!(2)));
    }
    let locked = shop_with(dir.path(), true, pursuing(PURSUED));
    let open = with_key(json!({ "customer": customer, "channel": "CHAT" }));
    let opened = locked.call("file.open", &open).unwrap();
    assert_eq!((&opened["contact"], opened["visit"].is_string()), (&Value::Null, true), "the visit is kept");
}

#[test]
fn what_came_of_a_contact_is_kept_once_each_and_summed_by_channel() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let customer = enrol(&shop);
    let cost = json!({ "minor": 3, "currency": "EUR" });
    let first =
        record(&shop, &customer, json!({ "campaign": "AUTUMN", "template": "a", "cost": cost })).unwrap();
    later(&shop, 1);
    let second = record(&shop, &customer, json!({ "campaign": "AUTUMN", "cost": cost })).unwrap();
    later(&shop, 1);
    record(&shop, &customer, json!({ "channel": "TELEPHONE", "direction": "IN" })).unwrap();
    let respond = |contact: &Value, response: &str| {
        let told = json!({ "customer": customer, "contact": contact, "response": response });
        shop.call("contact.respond", &with_key(told))
    };
    for (contact, response) in
        [(&first, "DELIVERED"), (&first, "OPENED"), (&second, "DELIVERED"), (&first, "OPENED")]
    {
        respond(contact, response).unwrap();
    }
    assert_eq!(respond(&json!(Uuid::new_v4()), "OPENED").unwrap_err().code, RefusalCode::NotFound);
    let listed = shop.call("contact.list", &json!({ "customer": customer })).unwrap();
    let order: Vec<&Value> =
        listed["contacts"].as_array().unwrap().iter().map(|row| &row["contact"]).collect();
    assert_eq!(order[1..], [&second, &first]);
    assert_eq!(listed["contacts"][2]["responses"].as_array().unwrap().len(), 2, "each kind once");
    let money = json!({ "minor": 6, "currency": "EUR", "exponent": 2 });
    let responses = json!([{ "response": "DELIVERED", "count": 2 }, { "response": "OPENED", "count": 1 }]);
    assert_eq!(
        listed["channels"],
        json!([
            { "channel": "TELEPHONE", "out": 0, "in": 1, "responses": [], "cost": [] },
            { "channel": "EMAIL", "out": 2, "in": 0, "responses": responses, "cost": [money] },
        ])
    );
    let one = shop.call("contact.list", &json!({ "customer": customer, "channel": "TELEPHONE" })).unwrap();
    assert_eq!(one["contacts"].as_array().unwrap().len(), 1);
}

#[test]
fn who_may_be_contacted_is_answered_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let customer = enrol(&shop);
    let reason = |purpose: &str, channel: &str| may(&shop, &customer, purpose, channel).0;
    assert_eq!(reason("OFFERS", "EMAIL"), "NO_CONSENT");
    assert_eq!(reason("SURVEYS", "EMAIL"), "yes", "until they object");
    assert_eq!(reason("REPAIRS", "TELEPHONE"), "yes");
    assert_eq!(reason("REPAIRS", "POST"), "NO_ADDRESS");
    grant(&shop, &customer, "EMAIL");
    assert_eq!(reason("OFFERS", "EMAIL"), "yes");
    let mail = record(&shop, &customer, json!({ "purpose": "OFFERS", "only_if_allowed": true })).unwrap();
    let told = json!({ "customer": customer, "contact": mail, "response": "OPTED_OUT", "at": "2027-01-15T07:59:59Z" });
    shop.call("contact.respond", &with_key(told)).unwrap();
    assert_eq!(reason("OFFERS", "EMAIL"), "yes", "an older no does not undo a later yes");
    let second = record(&shop, &customer, json!({ "purpose": "OFFERS" })).unwrap();
    let told = json!({ "customer": customer, "contact": second, "response": "OPTED_OUT" });
    shop.call("contact.respond", &with_key(told)).unwrap();
    let (word, at) = may(&shop, &customer, "OFFERS", "EMAIL");
    assert_eq!((word.as_str(), &at), ("WITHDRAWN", &json!("2027-01-15T08:00:00.000000Z")));
    let refused =
        record(&shop, &customer, json!({ "purpose": "OFFERS", "only_if_allowed": true })).unwrap_err();
    assert_eq!((refused.code, refused.field.as_deref()), (RefusalCode::Conflict, Some("only_if_allowed")));
    assert!(refused.message.contains("WITHDRAWN"), "{refused}");
    let listed = shop.call("contact.list", &json!({ "customer": customer })).unwrap();
    assert_eq!(listed["contacts"].as_array().unwrap().len(), 2, "nothing was recorded");
    let all = shop.call("contact.may", &json!({ "customers": [customer, customer] })).unwrap();
    assert_eq!(all["rows"].as_array().unwrap().len(), 10);
}

#[test]
fn the_cap_counts_all_channels_and_two_programs_do_not_pass_it_together() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let customer = enrol(&shop);
    grant(&shop, &customer, "EMAIL");
    grant(&shop, &customer, "SMS");
    record(&shop, &customer, json!({ "purpose": "OFFERS", "channel": "SMS", "only_if_allowed": true }))
        .unwrap();
    later(&shop, 24);
    // What the contract asks for, and who comes by themselves, is not counted.
    record(&shop, &customer, json!({ "purpose": "REPAIRS", "channel": "TELEPHONE" })).unwrap();
    record(&shop, &customer, json!({ "direction": "IN" })).unwrap();
    assert_eq!(may(&shop, &customer, "OFFERS", "EMAIL").0, "yes");
    let sent = AtomicUsize::new(0);
    at_once(4, |_| {
        if record(&shop, &customer, json!({ "purpose": "OFFERS", "only_if_allowed": true })).is_ok() {
            sent.fetch_add(1, Ordering::Relaxed);
        }
    });
    assert_eq!(sent.into_inner(), 1, "of four programs at once");
    let (word, at) = may(&shop, &customer, "OFFERS", "EMAIL");
    // Seven days after the first of the two that count.
    assert_eq!((word.as_str(), &at), ("CAP", &json!("2027-01-22T08:00:00.000000Z")));
    assert_eq!(may(&shop, &customer, "REPAIRS", "TELEPHONE").0, "yes");
    later(&shop, 6 * 24);
    assert_eq!(may(&shop, &customer, "OFFERS", "EMAIL").0, "yes");
}

#[test]
fn what_is_no_contact_names_its_field() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let customer = enrol(&shop);
    for (more, field) in [
        (json!({ "channel": "FAX" }), "channel"),
        (json!({ "purpose": "NEWS" }), "purpose"),
        (json!({ "campaign": "two words" }), "campaign"),
        (json!({ "template": "4111111111111111" }), "template"),
        (json!({ "cost": { "minor": -1, "currency": "EUR" } }), "cost.minor"),
        (json!({ "cost": { "minor": 1, "currency": "euro" } }), "cost.currency"),
        (json!({ "at": "2100-01-01T00:00:00Z" }), "at"),
        (json!({ "only_if_allowed": true }), "only_if_allowed"),
        (json!({ "only_if_allowed": true, "purpose": "OFFERS", "channel": "POST" }), "channel"),
    ] {
        let refused = record(&shop, &customer, more.clone()).unwrap_err();
        assert_eq!(
            (refused.code, refused.field.as_deref()),
            (RefusalCode::InvalidParams, Some(field)),
            "{more}"
        );
    }
    for (ask, field) in [
        (json!({ "customers": [] }), "customers"),
        (json!({ "customers": [customer], "purpose": "NEWS" }), "purpose"),
        (json!({ "customers": [customer], "purpose": "OFFERS", "channel": "POST" }), "purpose"),
    ] {
        let refused = shop.call("contact.may", &ask).unwrap_err();
        assert_eq!(refused.field.as_deref(), Some(field), "{ask}");
    }
    let unknown = json!({ "customers": [Uuid::new_v4()] });
    assert_eq!(shop.call("contact.may", &unknown).unwrap_err().code, RefusalCode::NotFound);
}

#[test]
fn the_mark_of_an_erased_person_holds_until_an_own_yes() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let gone = enrol(&shop);
    let erase = with_key(json!({ "customer": gone, "purpose": "REQUEST" }));
    shop.call_as(&[Role::Manager], "customer.erase", &erase).unwrap();
    assert_eq!(may(&shop, &gone, "SURVEYS", "EMAIL").0, "ERASED");
    let again = enrol(&shop);
    assert_eq!(may(&shop, &again, "SURVEYS", "EMAIL").0, "OPTED_OUT");
    assert_eq!(may(&shop, &again, "OFFERS", "EMAIL").0, "NO_CONSENT");
    assert_eq!(may(&shop, &again, "REPAIRS", "TELEPHONE").0, "yes", "a repair that is ready is told");
    let yes = json!({ "customer": again, "purpose": "OFFERS", "channel": "EMAIL", "state": "GRANTED", "text": words() });
    shop.call("consent.record", &with_key(yes)).unwrap();
    assert_eq!(may(&shop, &again, "OFFERS", "EMAIL").0, "yes");
}
