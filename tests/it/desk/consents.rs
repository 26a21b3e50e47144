//! Consents over a real store: what is kept, what stands, what a till is told to ask.

use super::*;
use fichad::domain::consent::TextHash;

/// What the shop pursues in these tests; the words are [`words`].
pub(super) const PURSUED: &str = "contact.max_per_week = 2\n\
    [[consent]]\npurpose = 'OFFERS'\nchannels = ['EMAIL', 'SMS']\n\
    [[consent]]\npurpose = 'REPAIRS'\nbasis = 'contract'\nchannels = ['TELEPHONE', 'POST']\n\
    [[consent]]\npurpose = 'SURVEYS'\nbasis = 'interest'\nchannels = ['EMAIL']\n\
    [[consent_text]]\npurpose = 'OFFERS'\nlanguage = 'es'\nversion = '1'\ntext = '¿Podemos escribirle?'\n";

/// The name of the words of `OFFERS`.
pub(super) fn words() -> Value {
    json!(TextHash::of("¿Podemos escribirle?"))
}

pub(super) fn pursuing(config: &str) -> fichad::desk::contact::Settings {
    let (settings, mistakes) = read_text(config, |keys| {
        let mut read = keys.table("contact", fichad::desk::contact::Settings::read).unwrap();
        read.read_purposes(keys);
        read
    })
    .unwrap();
    assert_eq!(mistakes, []);
    settings
}

fn shop(dir: &Path) -> Shop {
    shop_with(dir, false, pursuing(PURSUED))
}

pub(super) fn grant(shop: &Shop, customer: &Value, channel: &str) -> Value {
    let yes = json!({ "customer": customer, "purpose": "OFFERS", "channel": channel, "state": "GRANTED", "text": words() });
    shop.call("consent.record", &with_key(yes)).unwrap()["consent"].clone()
}

fn withdraw(shop: &Shop, customer: &Value, scope: Value) -> Value {
    let mut no = json!({ "customer": customer, "state": "WITHDRAWN" });
    no.as_object_mut().unwrap().extend(scope.as_object().unwrap().clone());
    shop.call("consent.record", &with_key(no)).unwrap()["consent"].clone()
}

fn list(shop: &Shop, customer: &Value) -> Value {
    shop.call("consent.list", &json!({ "customer": customer })).unwrap()
}

/// The state of each purpose and channel, such as `OFFERS/EMAIL GRANTED`.
fn standing(shop: &Shop, customer: &Value) -> Vec<String> {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let row =
        |row: &Value| format!("{}/{} {}", word(&row["purpose"]), word(&row["channel"]), word(&row["state"]));
    list(shop, customer)["standing"].as_array().unwrap().iter().map(row).collect()
}

fn due(shop: &Shop, customer: &Value) -> Value {
    let file = shop.call("file.open", &with_key(json!({ "customer": customer }))).unwrap()["file"].clone();
    file.get("consents_due").cloned().unwrap_or(Value::Null)
}

#[test]
fn every_answer_is_kept_with_the_words_and_the_latest_stands_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let customer;
    {
        let shop = shop(dir.path());
        customer = shop.enrol("Ana", "Sanz", "+34600111111");
        assert_eq!(due(&shop, &customer), json!([{ "purpose": "OFFERS", "channels": ["EMAIL", "SMS"] }]));
        grant(&shop, &customer, "EMAIL");
        withdraw(&shop, &customer, json!({ "purpose": "OFFERS", "channel": "EMAIL" }));
    }
    // The views are made anew from the journals, and the words have left the config; what was shown is known all the same.
    for half in ["store", "vault"] {
        std::fs::remove_dir_all(dir.path().join(half).join("views")).unwrap();
    }
    let other = PURSUED.replace("¿Podemos escribirle?", "¿Le escribimos?");
    let shop = shop_with(dir.path(), false, pursuing(&other));
    let listed = list(&shop, &customer);
    let said: Vec<&Value> = listed["records"].as_array().unwrap().iter().map(|row| &row["state"]).collect();
    assert_eq!(said, ["WITHDRAWN", "GRANTED"]);
    let first = &listed["records"][1];
    assert_eq!(
        (&first["by"], &first["register"], &first["text"]),
        (&json!(1000), &json!("till-1"), &words())
    );
    assert_eq!(listed["texts"][0]["words"], "¿Podemos escribirle?");
    assert_eq!(
        standing(&shop, &customer),
        [
            "OFFERS/EMAIL WITHDRAWN",
            "OFFERS/SMS -",
            "REPAIRS/TELEPHONE -",
            "REPAIRS/POST -",
            "SURVEYS/EMAIL -"
        ]
    );
    assert_eq!(due(&shop, &customer), json!([{ "purpose": "OFFERS", "channels": ["SMS"] }]));
    // An answer on yesterday's form is taken, for its words were shown before.
    grant(&shop, &customer, "SMS");
    assert_eq!(due(&shop, &customer), Value::Null);
}

#[test]
fn a_yes_expires_at_its_review_and_is_asked_for_again() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let customer = shop.enrol("Ana", "Sanz", "+34600111111");
    grant(&shop, &customer, "EMAIL");
    grant(&shop, &customer, "SMS");
    assert_eq!(due(&shop, &customer), Value::Null);
    *shop.clock.0.lock().unwrap() += Duration::from_hours(24 * 732);
    assert_eq!(standing(&shop, &customer)[0], "OFFERS/EMAIL EXPIRED");
    assert_eq!(due(&shop, &customer), json!([{ "purpose": "OFFERS", "channels": ["EMAIL", "SMS"] }]));
}

#[test]
fn whoever_wants_nothing_more_is_asked_nothing_and_a_second_no_says_nothing_new() {
    let dir = tempfile::tempdir().unwrap();
    let customer;
    {
        let shop = shop(dir.path());
        customer = shop.enrol("Ana", "Sanz", "+34600111111");
        grant(&shop, &customer, "EMAIL");
        let all = withdraw(&shop, &customer, json!({}));
        for scope in
            [json!({}), json!({ "purpose": "OFFERS" }), json!({ "purpose": "SURVEYS", "channel": "EMAIL" })]
        {
            assert_eq!(withdraw(&shop, &customer, scope), all, "it stands already");
        }
        assert_eq!(list(&shop, &customer)["records"].as_array().unwrap().len(), 2);
        let states = standing(&shop, &customer);
        assert!(states.iter().all(|state| state.ends_with(" WITHDRAWN")), "{states:?}");
    }
    let more = PURSUED.to_owned()
        + "[[consent]]\npurpose = 'EVENTS'\nchannels = ['POST']\n\
           [[consent_text]]\npurpose = 'EVENTS'\nlanguage = 'es'\nversion = '1'\ntext = '¿Le invitamos?'\n";
    let shop = shop_with(dir.path(), false, pursuing(&more));
    assert_eq!(due(&shop, &customer), Value::Null, "nor what is new since");
    // By themselves they can say yes to one thing again.
    grant(&shop, &customer, "SMS");
    assert_eq!(standing(&shop, &customer)[..2], ["OFFERS/EMAIL WITHDRAWN", "OFFERS/SMS GRANTED"]);
    assert_eq!(due(&shop, &customer), Value::Null);
}

#[test]
fn an_answer_that_came_late_does_not_undo_a_later_one() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let customer = shop.enrol("Ana", "Sanz", "+34600111111");
    withdraw(&shop, &customer, json!({ "purpose": "OFFERS", "channel": "EMAIL" }));
    let form = json!({ "customer": customer, "purpose": "OFFERS", "channel": "EMAIL", "state": "GRANTED", "text": words(),
        "at": "2026-12-24T10:00:00Z", "evidence": "form 117" });
    shop.call("consent.record", &with_key(form)).unwrap();
    assert_eq!(standing(&shop, &customer)[0], "OFFERS/EMAIL WITHDRAWN");
}

#[test]
fn what_cannot_be_said_names_its_field_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let customer = shop.enrol("Ana", "Sanz", "+34600111111");
    let yes = json!({ "customer": customer, "purpose": "OFFERS", "channel": "EMAIL", "state": "GRANTED", "text": words() });
    for (field, value, wrong) in [
        ("purpose", json!("NEWS"), "purpose"),
        ("purpose", json!("offers"), "purpose"),
        ("purpose", Value::Null, "purpose"),
        ("channel", json!("POST"), "channel"),
        ("channel", Value::Null, "channel"),
        ("channel", json!("FAX"), "channel"),
        ("state", json!("EXPIRED"), "state"),
        ("text", Value::Null, "text"),
        ("text", json!(TextHash::of("something else")), "text"),
        ("text", json!("abc"), "text"),
        ("at", json!("2100-01-01T00:00:00Z"), "at"),
        ("evidence", json!("paid with 4111 1111 1111 1111"), "evidence"),
    ] {
        let mut said = yes.clone();
        said[field] = value.clone();
        let refused = shop.call("consent.record", &with_key(said)).unwrap_err();
        assert_eq!(
            (refused.code, refused.field.as_deref()),
            (RefusalCode::InvalidParams, Some(wrong)),
            "{field}: {value}"
        );
    }
    assert_eq!(list(&shop, &customer)["records"], json!([]));
    let refused =
        shop.call_as(&[Role::Register], "consent.list", &json!({ "customer": customer })).unwrap_err();
    assert_eq!(refused.code, RefusalCode::Forbidden);
}

#[test]
fn a_locked_vault_takes_no_answer_and_has_nothing_asked() {
    let dir = tempfile::tempdir().unwrap();
    let customer = shop(dir.path()).enrol("Ana", "Sanz", "+34600111111");
    let shop = shop_with(dir.path(), true, pursuing(PURSUED));
    assert_eq!(due(&shop, &customer), Value::Null);
    let no = json!({ "customer": customer, "state": "WITHDRAWN" });
    assert_eq!(shop.call("consent.record", &with_key(no)).unwrap_err().code, RefusalCode::Locked);
}
