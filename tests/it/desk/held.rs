//! One registry drives export and erasure: what is held of a customer is told, and what is said to be gone is gone.

use super::*;
use fichad::desk::held::{Erased, PLACES, Part, SEALED, Told};
use fichad::desk::{contest, reward, survey};
use fichad::domain::card::{CardAlert, CardStatus};
use fichad::domain::person::fields::{FIELDS, Kind};
use fichad::log::{Half, Read as _, VIEW_NUMBER_MAX, View};
use std::collections::BTreeMap;

/// A shop in which there is something for every place.
fn shop_with_all(dir: &Path) -> Shop {
    shop_set(dir, false, all)
}

/// The config of such a shop.
pub(super) fn all(settings: &mut Settings) {
    let coffee = "[[reward]]\nid = 'coffee'\ncost = 10\ngives = 'article COFFEE'\n";
    settings.points.rewards = read_text(coffee, |keys| reward::read(keys, None)).unwrap().0;
    let survey = "[[survey]]\nname = 'visit'\nfrom = '2027-01-10'\n\
        [[survey_question]]\nsurvey = 'visit'\nname = 'more'\nkind = 'text'\ntexts = ['es: ¿Algo más?']\n";
    settings.surveys = read_text(survey, survey::settings::read).unwrap().0;
    let raffle = "[[contest]]\nname = 'raffle'\nfrom = '2027-01-10'\nto = '2027-01-31'\n";
    settings.contests = read_text(raffle, contest::read).unwrap().0;
}

/// Something of each field of the registry, as a form or a request has it; of what is no field of a form, its text.
fn sample(field: &str) -> Value {
    match field {
        "honorificPrefix" => json!("Excma."),
        "givenName" => json!("Xiomara"),
        "additionalName" => json!("Dulcinea"),
        "familyName" => json!("Quijotez"),
        "familyName2" => json!("Panza"),
        "honorificSuffix" => json!("hija"),
        "preferredName" => json!("Xio"),
        "phoneticGivenName" => json!("Siomara"),
        "phoneticFamilyName" => json!("Kijotes"),
        "org" => json!("Molinos Blancos"),
        "jobTitle" => json!("Molinera mayor"),
        "telephone" => json!([{ "e164": "+34600555030", "type": "cell" }]),
        "email" => json!([{ "addr": "xio@example.org" }]),
        "address" => json!([{ "streetAddress": "Calle del Toboso 5", "addressCountry": "ES" }]),
        "knowsLanguage" => json!(["ca"]),
        "gender" => json!("O"),
        "birthDay" => json!("11-23"),
        "birthYear" => json!(1987),
        "contactRoles" => json!(["buyer"]),
        "educationalLevel" => json!(6),
        "hasCredential" => json!(["ADR"]),
        "occupation" => json!("alabardera"),
        "maritalStatus" => json!("married"),
        "childrenCount" => json!(3),
        "taxID" => json!("X1"),
        "socialHandles" => json!(["@xio"]),
        "note" => json!("wants zanahoria"),
        "hint" => json!("spare part came"),
        "preference" => json!("none on paper"),
        "cardHolder" => json!("Rocinante"),
        "objection" => json!(true),
        "consent" => json!("WITHDRAWN"),
        "contact" => json!("TELEPHONE"),
        "plan" => json!("kitchen"),
        "surveyAnswer" => json!("wider aisles"),
        other => {
            panic!("this test keeps no `{other}`: give it a value, and keep that in `customer_with_all`")
        }
    }
}

/// A customer with something in every place, merged from two.
pub(super) fn customer_with_all(shop: &Shop) -> Value {
    let of_form = FIELDS.iter().filter(|field| field.kind != Kind::Free);
    let person: Value = of_form.map(|field| (field.name.to_owned(), sample(field.name))).collect();
    let row = json!([{ "line": 2, "person": person, "cards": [{ "code": "2900000000094" }],
        "points": [{ "points": 500, "expires_on": "2027-03-31" }] }]);
    let done =
        shop.call_as(&[Role::Manager], "customer.import", &json!({ "import": Uuid::new_v4(), "rows": row }));
    assert_eq!(done.unwrap()["imported"], 1);
    let customer =
        shop.call("customer.find", &json!({ "phone": "600 555 030" })).unwrap()["rows"][0]["customer"]
            .clone();
    let put = |method: &str, more: Value| {
        let mut params = with_key(json!({ "customer": customer }));
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        shop.call(method, &params).unwrap_or_else(|refusal| panic!("{method}: {refusal}"))
    };
    put("card.print", json!({ "holder": sample("cardHolder") }));
    put("issue.open", json!({ "kind": "REPAIR", "hint": sample("hint") }));
    put("note.keep", json!({ "text": sample("note") }));
    put("preference.set", json!({ "name": "receipt", "value": sample("preference") }));
    put("customer.object", json!({ "objects": sample("objection") }));
    put("consent.record", json!({ "state": sample("consent") }));
    put("contact.record", json!({ "channel": sample("contact"), "direction": "IN" }));
    put(
        "plan.add",
        json!({ "category": sample("plan"), "from": "2027-01-15", "to": "2027-02-15", "source": "CHAT" }),
    );
    put("survey.answer", json!({ "survey": "visit", "answers": { "more": sample("surveyAnswer") } }));
    put("contest.enter", json!({ "contest": "raffle" }));
    put("lost.record", json!({ "kind": "WALKED_QUEUE", "reason": "QUEUE" }));
    put("points.hold", json!({ "points": 20 }));
    put("reward.redeem", json!({ "reward": "coffee" }));
    put("points.adjust", json!({ "points": 40, "reason": "GOODWILL" }));
    put("file.open", json!({}));
    shop.desk.record_alert(stopped_card(&customer)).unwrap().wait().unwrap();
    let line = json!([{ "sku": "A-1", "quantity": 1000, "unit_price": 1999, "amount": 1999 }]);
    let receipt = json!({ "number": "7", "day": "2027-01-15", "currency": "EUR", "lines": line.clone(),
        "tenders": [{ "kind": "ACCOUNT", "amount": 1999, "terms": { "days": 30 } }], "total": 1999 });
    let sale = put("sale.record", json!({ "receipt": receipt }))["sale"].clone();
    let basket = json!({ "currency": "EUR", "total": 1999, "lines": line });
    put("sale.park", json!({ "basket": basket }));
    let other = shop.enrol("Eva", "Prueba", "600 555 031");
    for customer in [&other, &customer] {
        let attach = with_key(json!({ "sale": sale, "customer": customer }));
        shop.call("sale.attach", &attach).unwrap();
    }
    let double = shop.enrol("Xiomara", "Quijotes", "600 555 033");
    let merge = with_key(json!({ "from": double, "into": customer, "sure": true }));
    shop.call("customer.merge", &merge).unwrap();
    customer
}

fn stopped_card(customer: &Value) -> CardAlert {
    CardAlert {
        customer: CustomerNumber(Uuid::from_bytes(number(customer))),
        card: CardId(Uuid::new_v4()),
        status: CardStatus::Blocked,
        reason: None,
        register: RegisterName::new("till-1").unwrap(),
        reader: ReaderName::new("counter").unwrap(),
    }
}

fn number(customer: &Value) -> [u8; 16] {
    *Uuid::parse_str(customer.as_str().unwrap()).unwrap().as_bytes()
}

/// The views in which the customer's number stands, as a key or within a value.
fn places(shop: &Shop, customer: &Value) -> BTreeSet<(Half, u8)> {
    let views = shop.desk.opened().unwrap().log.views();
    let wanted = number(customer);
    let holds = |bytes: &[u8]| bytes.windows(16).any(|window| window == wanted);
    let mut found = BTreeSet::new();
    for half in Half::ALL {
        for number in 0..=VIEW_NUMBER_MAX {
            let entries = views.scan(View { half, number }, &[], 100_000).unwrap();
            if entries.iter().any(|(key, value)| holds(key) || holds(value)) {
                found.insert((half, number));
            }
        }
    }
    found
}

fn part(shop: &Shop, customer: &Value, part: Part) -> Vec<Value> {
    let (mut entries, mut after) = (Vec::new(), json!(0));
    loop {
        let params = json!({ "customer": customer, "part": part, "after": after });
        let answer = shop.call("customer.export", &params).unwrap();
        entries.extend_from_slice(answer["entries"].as_array().unwrap());
        after = answer["next"].clone();
        if after.is_null() {
            return entries;
        }
    }
}

/// Something of every place, as an export has it.
const TOLD: [&str; 12] = [
    "blocked_card_shown",
    "A-1",
    "GOODWILL",
    "visit_opened",
    "REPAIR",
    "article 6(1)(a)",
    "WALKED_QUEUE",
    "coffee",
    "raffle",
    "\"due\":",
    "customers_merged",
    "sale_parked",
];

/// Every field of the registry is told with what is kept in it, and how long.
fn every_field_is_told(shop: &Shop, customer: &Value) {
    let (about, sections) = (part(shop, customer, Part::About), part(shop, customer, Part::Sections));
    for field in FIELDS {
        let row = about.iter().find(|row| row["what"] == field.name);
        let row = row.unwrap_or_else(|| panic!("{} is not in `about`", field.name));
        assert!(row["kept"].as_str().is_some_and(|kept| !kept.is_empty()), "{row}");
        let told = if field.name == "objection" {
            sections.iter().any(|entry| entry["holds"]["objects"] == sample(field.name))
        } else if field.kind == Kind::Free {
            json!(sections).to_string().contains(&sample(field.name).to_string())
        } else {
            sections.iter().any(|entry| {
                entry["section"] == field.section.word() && entry["holds"][field.name] == sample(field.name)
            })
        };
        assert!(told, "{} is not told: {}", field.name, json!(sections));
    }
    let objection = about.iter().find(|row| row["what"] == "objection").unwrap();
    assert_eq!(objection["kept"], "until it is taken back");
}

#[test]
fn every_place_is_in_the_registry_and_told_and_an_erasure_leaves_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_with_all(dir.path());
    let customer = customer_with_all(&shop);
    let held = places(&shop, &customer);
    let known: BTreeMap<(Half, u8), _> =
        PLACES.iter().map(|place| ((place.half, place.view), place)).collect();
    assert_eq!(known.len(), PLACES.len());
    for place in &held {
        let known =
            known.get(place).unwrap_or_else(|| panic!("{place:?} holds customers and is not in PLACES"));
        if let Told::In(told) = known.told {
            assert!(
                !part(&shop, &customer, told).is_empty(),
                "{}: nothing of it is in {told:?}",
                known.holds
            );
        }
    }
    // Every section that is sealed is told, with what it holds.
    let opened = shop.desk.opened().unwrap();
    let id = CustomerNumber(Uuid::from_bytes(number(&customer)));
    let views = opened.log.views();
    let numbers = fichad::store::numbers_of(&views, id).unwrap();
    assert_eq!(numbers.len(), 2);
    let sealed: Vec<String> =
        numbers.iter().flat_map(|number| opened.vault.sections_of(&views, *number).unwrap()).collect();
    let sections = part(&shop, &customer, Part::Sections);
    assert_eq!(sealed.len(), sections.len());
    let is = |name: &str, known: &str| name == known || (known.ends_with(':') && name.starts_with(known));
    for name in &sealed {
        assert!(SEALED.iter().any(|known| is(name, known)), "{name} is not in SEALED");
    }
    for known in SEALED {
        assert!(sealed.iter().any(|name| is(name, known)), "this test keeps no `{known}`");
    }
    every_field_is_told(&shop, &customer);
    let whole: String =
        Part::ALL.iter().map(|which| json!(part(&shop, &customer, *which)).to_string()).collect();
    for text in TOLD {
        assert!(whole.contains(text), "{text} is not told");
    }
    assert!(!whole.contains("2900000000094"), "the code of a card is held nowhere");

    let erase = with_key(json!({ "customer": customer, "purpose": "REQUEST", "now": true }));
    shop.call_as(&[Role::Manager], "customer.erase", &erase).unwrap();
    let left = places(&shop, &customer);
    for place in held.union(&left) {
        match known[place].erased {
            Erased::Gone => assert!(!left.contains(place), "{} is said to be gone", known[place].holds),
            Erased::Stays(_) => assert!(left.contains(place), "{} is said to stay", known[place].holds),
            Erased::Passes => {}
        }
    }
}

#[test]
fn every_view_of_the_sources_is_in_the_registry() {
    let mut found = BTreeSet::new();
    for (folder, half, word) in [("store", Half::Neutral, "neutral("), ("vault", Half::Personal, "personal(")]
    {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder);
        let mut folders = vec![root];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                let views = text.lines().filter(|line| line.contains(": View = "));
                found.extend(
                    views
                        .filter_map(|line| line.split_once(word)?.1.split_once(')')?.0.parse().ok())
                        .map(|number: u8| (half, number)),
                );
            }
        }
    }
    assert!(found.len() > 20, "the search reads the sources no more: {found:?}");
    let known: BTreeSet<(Half, u8)> = PLACES.iter().map(|place| (place.half, place.view)).collect();
    assert_eq!(
        found, known,
        "say in src/desk/held.rs how each view is told and what an erasure leaves of it"
    );
}

#[test]
fn a_list_has_everybody_once_and_nobody_who_was_erased() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_with_all(dir.path());
    let customer = customer_with_all(&shop);
    let gone = shop.enrol("Secreta", "Prueba", "600 555 032");
    let erase = with_key(json!({ "customer": gone, "purpose": "MISTAKE" }));
    shop.call_as(&[Role::Manager], "customer.erase", &erase).unwrap();
    let list = shop.call_as(&[Role::Manager], "customer.list", &json!({})).unwrap();
    let rows = list["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &list["next"]), (3, &Value::Null), "who was merged is told by number");
    let row = rows.iter().find(|row| row["customer"] == customer).unwrap();
    assert!(
        row["points"].as_array().unwrap().contains(&json!({ "points": 470, "expires_on": "2027-03-31" }))
    );
    assert_eq!(row["person"]["familyName"], "Quijotez");
    let after =
        shop.call_as(&[Role::Manager], "customer.list", &json!({ "after": rows[0]["customer"] })).unwrap();
    assert_eq!(after["rows"].as_array().unwrap().len(), 2);
    assert_eq!(shop.call("customer.list", &json!({})).unwrap_err().code, RefusalCode::Forbidden);
}
