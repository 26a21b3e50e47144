//! The audit trail: who was told what of whom.

use super::*;
use fichad::desk::METHODS;
use fichad::desk::held::Part;
use std::collections::BTreeMap;

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
    shop.desk.record_visit(shown, || "A7".parse().ok()).unwrap().wait().unwrap();
    let rows = trail(&shop, &json!({ "customer": ana }));
    assert_eq!((rows.len(), &rows[0]["method"], &rows[0]["by"]), (1, &json!("identified"), &Value::Null));
    assert_eq!((&rows[0]["operator"], &rows[0]["register"]), (&json!("A7"), &json!("till-1")));
}

/// How each request that changes nothing is asked, of a customer of whom everything is held; by the method's name.
fn asked(shop: &Shop, customer: &Value) -> BTreeMap<&'static str, Vec<Value>> {
    let sale = &shop.call("sale.list", &json!({ "customer": customer })).unwrap()["sales"][0];
    let (nothing, whose) = (json!({}), json!({ "customer": customer }));
    let job = shop.call("card.print", &with_key(whose.clone())).unwrap()["job"].clone();
    let parts = Part::ALL.map(|part| json!({ "customer": customer, "part": part }));
    let found =
        [json!({ "phone": "600 555 030" }), json!({ "name": "xiomara quijotez", "birthday": "11-23" })];
    let may = json!({ "customers": [customer], "purpose": "OFFERS" });
    BTreeMap::from([
        ("customer.find", found.to_vec()),
        ("customer.show", vec![whose.clone()]),
        ("customer.duplicates", vec![whose.clone()]),
        ("customer.history", vec![whose.clone(), json!({ "customer": customer, "values": true })]),
        ("customer.export", parts.to_vec()),
        ("customer.list", vec![nothing.clone()]),
        ("customer.level", vec![whose.clone()]),
        ("customer.worth", vec![whose.clone()]),
        ("audit.list", vec![nothing.clone()]),
        ("operator.list", vec![nothing.clone()]),
        ("operator.whoami", vec![nothing.clone()]),
        ("breach.list", vec![nothing.clone()]),
        ("file.explain", vec![whose.clone()]),
        ("card.list", vec![whose.clone()]),
        ("card.alerts", vec![whose.clone()]),
        ("issue.list", vec![whose.clone()]),
        ("issue.due", vec![nothing.clone()]),
        ("recall.buyers", vec![json!({ "sku": "none", "recall": "R-1" })]),
        ("sale.parked", vec![nothing.clone()]),
        ("sale.show", vec![json!({ "sale": sale["sale"] })]),
        ("sale.list", vec![whose.clone()]),
        ("payment.list", vec![whose.clone(), nothing.clone()]),
        ("lost.list", vec![whose.clone()]),
        ("note.list", vec![whose.clone()]),
        ("consent.texts", vec![nothing.clone()]),
        ("consent.list", vec![whose.clone()]),
        ("contact.list", vec![whose.clone()]),
        ("contact.may", vec![may]),
        ("plan.list", vec![whose.clone()]),
        ("survey.list", vec![nothing.clone()]),
        ("survey.due", vec![whose.clone()]),
        ("survey.answers", vec![whose.clone()]),
        ("survey.results", vec![json!({ "survey": "visit" })]),
        ("contest.list", vec![nothing.clone()]),
        ("contest.entries", vec![json!({ "contest": "raffle" })]),
        ("points.show", vec![whose.clone()]),
        ("points.list", vec![whose.clone()]),
        ("points.adjustments", vec![whose.clone()]),
        ("reward.list", vec![whose.clone()]),
        ("printer.list", vec![nothing]),
        ("job.show", vec![json!({ "job": job })]),
    ])
}

/// What stands in the sealed sections of that customer, one text of each or more.
const SEALED_TEXTS: [&str; 13] = [
    "Xiomara",
    "Quijotez",
    "+34600555030",
    "alabardera",
    "zanahoria",
    "spare part came",
    "receipt: none",
    "nieta",
    "wider aisles",
    "kitchen",
    "\"direction\":",
    "\"WITHDRAWN\"",
    "\"OPTED_OUT\"",
];

const EVERYTHING: [Role; 4] = [Role::Register, Role::Desk, Role::Manager, Role::Auditor];

fn shop_with_all(dir: &Path) -> (Shop, Value) {
    let shop = shop_set(dir, false, |settings| {
        held::all(settings);
        settings.contact = consents::pursuing(consents::PURSUED);
    });
    let customer = held::customer_with_all(&shop);
    let card = shop.call("card.list", &json!({ "customer": customer })).unwrap()["cards"][0]["card"].clone();
    let holder = with_key(json!({ "customer": customer, "card": card, "holder": "nieta" }));
    shop.call("card.holder", &holder).unwrap();
    (shop, customer)
}

#[test]
fn a_request_that_tells_what_is_sealed_is_in_the_trail_or_this_fails() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, customer) = shop_with_all(dir.path());
    let asked = asked(&shop, &customer);
    let protocol = include_str!("../../../src/push/PROTOCOL.md");
    let mut telling = BTreeSet::new();
    for (method, roles) in METHODS {
        let row = format!("| `{method}` | ");
        let row = protocol.lines().find(|line| line.starts_with(&row)).unwrap();
        if !row.ends_with("| no |") {
            continue;
        }
        let params = asked.get(method).unwrap_or_else(|| panic!("say in `asked` how {method} is asked"));
        for params in params {
            let noted = || trail(&shop, &json!({})).iter().filter(|row| row["method"] == *method).count();
            let before = noted();
            let answer = shop.call_as(&EVERYTHING, method, params);
            let answer =
                answer.unwrap_or_else(|refusal| panic!("{method}, {roles:?}: {refusal}")).to_string();
            // The trail itself has words of methods and states alone.
            if *method != "audit.list" && SEALED_TEXTS.iter().any(|text| answer.contains(text)) {
                telling.insert(*method);
                assert_eq!(
                    noted(),
                    before.saturating_add(1),
                    "{method} tells what is sealed and is not in the trail: {answer}"
                );
            }
        }
    }
    let wanted = [
        "card.list",
        "consent.list",
        "contact.may",
        "customer.list",
        "issue.list",
        "survey.answers",
        "survey.due",
    ];
    assert!(wanted.iter().all(|method| telling.contains(method)), "the texts are told no more: {telling:?}");
}

#[test]
fn what_was_told_has_the_names_of_the_registry_however_deep_it_stood() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, customer) = shop_with_all(dir.path());
    let whose = json!({ "customer": customer });
    let sections = json!({ "customer": customer, "part": "sections" });
    let form = [
        "givenName",
        "familyName",
        "telephone",
        "birthDay",
        "contactRoles",
        "occupation",
        "maritalStatus",
        "taxID",
    ];
    let free = ["note", "hint", "preference", "cardHolder", "consent", "contact", "plan", "surveyAnswer"];
    for (method, params, fields) in [
        (
            "customer.show",
            &whose,
            [&form[..], &["note", "hint", "preference", "cardHolder", "plan"]].concat(),
        ),
        ("customer.export", &sections, [&form[..], &free].concat()),
        ("customer.history", &json!({ "customer": customer, "values": true }), form.to_vec()),
        ("customer.list", &json!({}), form.to_vec()),
        ("card.list", &whose, vec!["cardHolder"]),
        ("issue.list", &whose, vec!["hint"]),
        ("note.list", &whose, vec!["note"]),
        ("consent.list", &whose, vec!["consent"]),
        ("contact.list", &whose, vec!["contact"]),
        ("plan.list", &whose, vec!["plan"]),
        ("survey.answers", &whose, vec!["surveyAnswer"]),
    ] {
        shop.call_as(&EVERYTHING, method, params).unwrap();
        let rows = trail(&shop, &json!({ "customer": customer }));
        assert_eq!(rows[0]["method"], method);
        let told = rows[0]["fields"].as_array().unwrap();
        for field in fields {
            assert!(told.contains(&json!(field)), "{method}: {field} is not among {told:?}");
        }
        assert_eq!(rows[0]["searched_by"], json!([]));
    }
    let search = json!({ "name": "xiomara quijotez", "birthday": "11-23", "postcode": null });
    shop.call("customer.find", &search).unwrap();
    assert_eq!(
        trail(&shop, &json!({}))[0]["searched_by"],
        json!(["birthday", "name"]),
        "never what was looked for"
    );
}
