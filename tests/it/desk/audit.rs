//! The audit trail: who was told what of whom.

use super::*;

fn trail(shop: &Shop, params: &Value) -> Vec<Value> {
    let answer = shop.call_as(&[Role::Auditor], "audit.list", params).unwrap();
    assert_eq!((&answer["not_noted"], &answer["next"]), (&json!(0), &Value::Null));
    answer["rows"].as_array().unwrap().clone()
}

#[test]
fn every_reading_of_a_person_is_in_the_trail() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let ana = shop.enrol("Ana", "Ruiz", "+34600111222");
    let eva = shop.enrol("Eva", "Soler", "+34600333444");
    assert_eq!(trail(&shop, &json!({})), Vec::<Value>::new(), "an enrolment reads nothing");

    shop.call("customer.find", &json!({ "name": "ana" })).unwrap();
    shop.call("customer.show", &json!({ "customer": ana })).unwrap();
    shop.call("customer.find", &json!({ "name": "nobody at all" })).unwrap();
    let rows = trail(&shop, &json!({}));
    let methods: Vec<&Value> = rows.iter().map(|row| &row["method"]).collect();
    assert_eq!(
        methods,
        ["customer.show", "customer.find"],
        "the latest first, and who found nobody read nothing"
    );
    for row in &rows {
        assert_eq!((&row["by"], &row["register"]), (&json!(1000), &json!("till-1")));
        assert_eq!((&row["customers"], &row["count"]), (&json!([ana]), &json!(1)));
        assert_eq!(row["roles"], json!(["register", "desk"]));
    }
    let fields = rows[0]["fields"].as_array().unwrap();
    assert!(fields.contains(&json!("givenName")) && fields.contains(&json!("telephone")), "{fields:?}");
    assert!(!format!("{rows:?}").contains("Ana"), "names of fields, never what stands in them");

    let example =
        include_str!("../../../src/push/PROTOCOL.md").split("#### Answer: `audit.list`").nth(1).unwrap();
    let example: Value =
        serde_json::from_str(example.lines().find(|line| line.starts_with('{')).unwrap()).unwrap();
    let names = |row: &Value| row.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&rows[1]), names(&example["result"]["rows"][0]), "as PROTOCOL.md shows it");

    assert_eq!(trail(&shop, &json!({ "customer": eva })), Vec::<Value>::new());
    assert_eq!(trail(&shop, &json!({ "by": 1001 })), Vec::<Value>::new());
    assert_eq!(trail(&shop, &json!({ "before": rows[0]["seq"] })), [rows[1].clone()]);
    assert_eq!(trail(&shop, &json!({ "until": "2026-01-01T00:00:00Z" })), Vec::<Value>::new());
}

#[test]
fn only_the_auditor_reads_the_trail() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let all = [Role::Register, Role::Desk, Role::Manager];
    let refused = shop.call_as(&all, "audit.list", &json!({})).unwrap_err();
    assert_eq!(refused.code, RefusalCode::Forbidden);
}

#[test]
fn who_was_merged_is_in_the_trail_of_who_stays_and_an_export_tells_the_person() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let ana = shop.enrol("Ana", "Ruiz", "+34600111222");
    let anna = shop.enrol("Anna", "Ruiz", "+34600111222");
    shop.call("customer.show", &json!({ "customer": anna })).unwrap();
    shop.call("customer.merge", &with_key(json!({ "from": anna, "into": ana, "sure": true }))).unwrap();
    let rows = trail(&shop, &json!({ "customer": ana }));
    let told: Vec<_> = rows.iter().map(|row| (&row["method"], &row["customers"])).collect();
    // Whoever enrolled the second was told that the first may be the same.
    let wanted = [(json!("customer.show"), json!([anna])), (json!("customer.enrol"), json!([ana]))];
    assert_eq!(told, wanted.iter().map(|(method, whose)| (method, whose)).collect::<Vec<_>>());
    let fields = rows[1]["fields"].as_array().unwrap();
    assert!(fields.contains(&json!("phone")) && !fields.contains(&json!("known")), "{fields:?}");

    let events = shop.call("customer.export", &json!({ "customer": ana, "part": "events" })).unwrap();
    let entries = events["entries"].as_array().unwrap().iter();
    let reads: Vec<_> = entries.filter(|entry| entry["event"] == "personal_read").collect();
    let methods: Vec<&Value> = reads.iter().map(|read| &read["method"]).collect();
    assert_eq!(methods, ["customer.enrol", "customer.show"], "the person is told who read their data");
    for read in reads {
        assert_eq!(read["by"], 1000);
        assert!(read.get("customers").is_none(), "and not whose else was read with it");
    }
}

#[test]
fn a_card_that_is_shown_is_in_the_trail_by_its_visit() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let ana: CustomerNumber = serde_json::from_value(shop.enrol("Ana", "Ruiz", "+34600111222")).unwrap();
    let shown = Shown {
        visit: shop.desk.new_visit().unwrap(),
        customer: ana,
        card: CardId(Uuid::new_v4()),
        register: RegisterName::new("till-1").unwrap(),
        reader: ReaderName::new("counter").unwrap(),
        repeat_of: None,
    };
    shop.desk.record_visit(shown, || ()).unwrap().wait().unwrap();
    let rows = trail(&shop, &json!({ "customer": ana }));
    assert_eq!((rows.len(), &rows[0]["method"], &rows[0]["by"]), (1, &json!("identified"), &Value::Null));
}
