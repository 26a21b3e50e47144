//! Notes of the desk: kept, listed, and taken out again when they are wrong.

#![expect(clippy::arithmetic_side_effects, reason = "a test says what is wrong by failing")]

use super::merges::merge;
use super::*;

fn keep(shop: &Shop, customer: &Value, text: &str) -> Value {
    *shop.clock.0.lock().unwrap() += Duration::from_secs(1);
    let note = with_key(json!({ "customer": customer, "text": text }));
    shop.call("note.keep", &note).unwrap()["note"].clone()
}

fn list(shop: &Shop, params: Value) -> Value {
    shop.call("note.list", &params).unwrap()
}

fn texts(listed: &Value) -> Vec<&str> {
    listed["notes"].as_array().unwrap().iter().map(|note| note["text"].as_str().unwrap()).collect()
}

#[test]
fn a_note_that_was_wrong_is_taken_out_once_and_leaves_room() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let [ana, eva] = [("Ana", "+34911111111"), ("Eva", "+34911111112")]
        .map(|(name, phone)| shop.enrol(name, "Sanz", phone));
    let wrong = keep(&shop, &ana, "call after noon");
    at_once(NOTES_MAX - 1, |_| drop(keep(&shop, &ana, "call before noon")));
    let one_more = json!({ "customer": ana, "text": "one more" });
    assert_eq!(shop.call("note.keep", &with_key(one_more.clone())).unwrap_err().code, RefusalCode::Conflict);

    let nobodys = shop.call("note.remove", &with_key(json!({ "customer": eva, "note": wrong }))).unwrap_err();
    assert_eq!((nobodys.code, nobodys.field.as_deref()), (RefusalCode::NotFound, Some("note")));
    let remove = with_key(json!({ "customer": ana, "note": wrong }));
    let register = shop.call_as(&[Role::Register], "note.remove", &remove).unwrap_err();
    assert_eq!(register.code, RefusalCode::Forbidden);
    assert_eq!(shop.call("note.remove", &remove).unwrap(), json!({ "note": wrong, "repeated": false }));
    assert_eq!(shop.call("note.remove", &remove).unwrap(), json!({ "note": wrong, "repeated": true }));
    let again = with_key(json!({ "customer": ana, "note": wrong }));
    assert_eq!(shop.call("note.remove", &again).unwrap_err().code, RefusalCode::NotFound);

    let (mut before, mut left) = (Value::Null, Vec::new());
    loop {
        let page = list(&shop, json!({ "customer": ana, "before": before }));
        left.extend(texts(&page).into_iter().map(str::to_owned));
        before = page["next"].clone();
        if before.is_null() {
            break;
        }
    }
    assert_eq!(left, vec!["call before noon"; NOTES_MAX - 1], "each note once, none of them the wrong one");
    shop.call("note.keep", &with_key(one_more)).unwrap();
    let exported =
        shop.call("customer.export", &json!({ "customer": ana, "part": "sections" })).unwrap().to_string();
    assert!(
        exported.contains("one more") && !exported.contains("call after noon"),
        "as nobody else is shown it"
    );

    // What is true now is what the journal says.
    let (before, listed) = (shop.digests(), list(&shop, json!({ "customer": ana })));
    drop(shop);
    std::fs::remove_dir_all(dir.path().join("vault/views")).unwrap();
    let shop = shop_in(dir.path(), false);
    assert_eq!((shop.digests(), list(&shop, json!({ "customer": ana }))), (before, listed));
}

#[test]
fn a_note_of_somebody_who_was_merged_is_listed_and_taken_out_under_the_number_that_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let [from, into] = ["+34911111111", "+34911111112"].map(|phone| shop.enrol("Ana", "Sanz", phone));
    let [first, second] = [(&from, "first"), (&into, "second")].map(|(whose, text)| keep(&shop, whose, text));
    merge(&shop, &from, &into).unwrap();
    let listed = list(&shop, json!({ "customer": into }));
    assert_eq!(texts(&listed), ["second", "first"]);
    assert_eq!([&listed["notes"][1]["note"], &listed["next"]], [&first, &Value::Null]);
    shop.call("note.remove", &with_key(json!({ "customer": into, "note": first }))).unwrap();
    assert_eq!(list(&shop, json!({ "customer": into, "before": second }))["notes"], json!([]));
    assert_eq!(texts(&list(&shop, json!({ "customer": into }))), ["second"]);
}
