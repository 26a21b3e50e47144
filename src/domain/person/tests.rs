//! Tests of `person`.

use super::*;
use serde_json::json;

fn read(form: &Value) -> Result<Person, PersonError> {
    Person::read(form.as_object().unwrap(), "34".parse().ok())
}

fn maria() -> Person {
    read(&json!({
        "honorificPrefix": "Doña", "givenName": " María  José ", "familyName": "García", "familyName2": "López",
        "telephone": [{"e164": "600 123 456", "type": "cell"}, {"e164": "+44 20 7946 0958"}],
        "email": [{"addr": "maria@example.com"}], "knowsLanguage": ["es", "pt-BR"], "org": null, "preferredName": " ",
    }))
    .unwrap()
}

#[test]
fn a_form_becomes_a_person() {
    let person = maria();
    assert_eq!(person.given_name.as_deref(), Some("María José"));
    assert_eq!(person.telephone[0].e164.as_str(), "+34600123456");
    assert_eq!(person.telephone[0].kind, Some(TelephoneKind::Cell));
    assert_eq!((person.org, person.preferred_name), (None, None));
}

#[test]
fn a_person_is_kept_in_the_words_of_schema_org() {
    let person = maria();
    let kept = serde_json::to_value(&person).unwrap();
    assert_eq!(
        kept,
        json!({
            "honorificPrefix": "Doña", "givenName": "María José", "familyName": "García", "familyName2": "López",
            "telephone": [{"e164": "+34600123456", "type": "cell"}, {"e164": "+442079460958"}],
            "email": [{"addr": "maria@example.com"}], "knowsLanguage": ["es", "pt-BR"],
        })
    );
    assert_eq!(serde_json::from_value::<Person>(kept).unwrap(), person);
    assert!(serde_json::from_value::<Person>(json!({"givenName": "Ana", "age": 7})).is_err());
}

#[track_caller]
fn refused(form: &Value, field: &str, problem: &str) {
    let error = read(form).unwrap_err();
    assert_eq!(error.field, field);
    assert!(error.problem.contains(problem), "{error}");
    assert!(!error.to_string().contains("Secret"), "{error}");
}

#[test]
fn every_field_has_limits_and_names_itself() {
    let long = "Secret".repeat(17);
    refused(&json!({"givenName": long}), "givenName", "at most 100 characters");
    assert!(read(&json!({"givenName": "ñ".repeat(100)})).is_ok());
    refused(&json!({"familyName": "Secret\u{1b}[2J"}), "familyName", "control character");
    refused(&json!({"org": "Secret\u{202e}"}), "org", "control character");
    refused(&json!({"givenName": "a\nb"}), "givenName", "control character");
    refused(&json!({"givenName": ["Secret"]}), "givenName", "must be a text");
    refused(&json!({"givenName": "Ana", "age": 7}), "age", "not a field");
    refused(&json!({"honorificPrefix": "Dr."}), "givenName", "is missing");
    refused(&json!({"givenName": "  "}), "givenName", "is missing");
    let phone = |item: Value| json!({"givenName": "Ana", "telephone": [{"e164": "600123456"}, item]});
    refused(&phone(json!({"e164": "Secret"})), "telephone[1].e164", "not a digit");
    refused(&phone(json!({"e164": 600_123_456})), "telephone[1].e164", "must be a text");
    refused(&phone(json!({"e164": "600123456", "type": "Secret"})), "telephone[1].type", "`cell`");
    refused(&phone(json!({"number": "600123456"})), "telephone[1].number", "not a field");
    refused(&phone(json!({})), "telephone[1].e164", "is empty");
    refused(&phone(json!("Secret")), "telephone[1]", "must be an object");
    refused(&json!({"org": "x", "telephone": "Secret"}), "telephone", "must be a list");
    let many = json!({"org": "x", "email": vec![json!({"addr": "a@b.co"}); 6]});
    refused(&many, "email", "at most 5");
    refused(&json!({"org": "x", "email": [{"addr": "Secret"}]}), "email[0].addr", "one @");
    refused(&json!({"org": "x", "knowsLanguage": ["Secret language"]}), "knowsLanguage[0]", "language tag");
}

#[test]
fn an_organisation_is_enough() {
    let person = read(&json!({"org": "Talleres Ruiz"})).unwrap();
    assert_eq!(
        (person.greeting_name(), person.sort_name()),
        ("Talleres Ruiz".into(), "Talleres Ruiz".into())
    );
}

#[track_caller]
fn names(form: Value, greeting: &str, sort: &str) {
    let person = read(&form).unwrap();
    assert_eq!((person.greeting_name().as_str(), person.sort_name().as_str()), (greeting, sort));
}

#[test]
fn names_are_said_and_sorted() {
    names(
        json!({"givenName": "María", "familyName": "García", "familyName2": "López"}),
        "María García",
        "García López, María",
    );
    names(
        json!({"givenName": "José", "additionalName": "Luis", "familyName": "Ruiz", "preferredName": "Pepe"}),
        "Pepe",
        "Ruiz, José Luis",
    );
    names(json!({"givenName": "小明", "familyName": "王"}), "王小明", "王小明");
    names(json!({"givenName": "민준", "familyName": "김"}), "김민준", "김민준");
    names(json!({"givenName": "राजेश", "familyName": "कुमार"}), "राजेश कुमार", "कुमार, राजेश");
    names(json!({"givenName": "Ming", "familyName": "王"}), "Ming 王", "王, Ming");
    names(json!({"givenName": "Işıl"}), "Işıl", "Işıl");
    names(json!({"familyName": "Ruiz"}), "Ruiz", "Ruiz");
    names(json!({"preferredName": "Pepe"}), "Pepe", "Pepe");
}

#[test]
fn a_title_is_said_before_a_name_and_of_nobody_who_has_a_preferred_one() {
    let said = |form: Value| read(&form).unwrap().greeting();
    for (form, name, fields) in [
        (
            json!({"honorificPrefix": "Dr.", "givenName": "Ana", "familyName": "López"}),
            "Dr. Ana López",
            &["honorificPrefix", "givenName", "familyName"][..],
        ),
        (
            json!({"honorificPrefix": "Doña", "givenName": "Ana"}),
            "Doña Ana",
            &["honorificPrefix", "givenName"],
        ),
        (
            json!({"honorificPrefix": "Dr.", "givenName": "Ana", "preferredName": "Anita"}),
            "Anita",
            &["preferredName"],
        ),
        (json!({"honorificPrefix": "Dr.", "org": "Talleres Ruiz"}), "Talleres Ruiz", &["org"]),
        (
            json!({"honorificPrefix": "博士", "givenName": "小明", "familyName": "王"}),
            "王小明博士",
            &["familyName", "givenName", "honorificPrefix"],
        ),
        (
            json!({"honorificPrefix": "Dr.", "givenName": "小明", "familyName": "王"}),
            "王小明",
            &["familyName", "givenName"],
        ),
    ] {
        assert_eq!(said(form), (name.to_owned(), fields.to_vec()));
    }
    let [given, family] = ["a", "b"].map(|letter| letter.repeat(FIELD_CHARS_MAX));
    let (name, fields) = said(json!({"honorificPrefix": "Dr.", "givenName": given, "familyName": family}));
    assert_eq!(
        (name, fields),
        (format!("{given} {family}"), vec!["givenName", "familyName"]),
        "no longer than a name alone can be"
    );
}

fn form(form: &Value) -> Result<Form, PersonError> {
    Form::read(form.as_object().unwrap(), "34".parse().ok())
}

#[test]
fn a_form_is_taken_apart_into_sections_and_what_is_not_given_is_not_there() {
    let plain = form(&json!({ "givenName": "Ana" })).unwrap();
    assert!(plain.more.is_empty());
    let whole = form(&json!({
        "givenName": "Ana", "jobTitle": " Jefa ", "phoneticFamilyName": "Wang",
        "address": [{ "type": "home", "streetAddress": "Calle Mayor 1", "addressLocality": "Madrid",
            "postalCode": "28013", "addressCountry": "es" }],
        "birthDay": "02-29", "birthYear": 1980, "gender": "F", "occupation": "", "hasCredential": ["ADR"],
        "maritalStatus": null,
    }))
    .unwrap();
    let sections: Vec<(&str, Value)> =
        whole.more.iter().map(|(section, map)| (section.word(), Value::from(map.clone()))).collect();
    assert_eq!(
        sections,
        [
            ("demographic", json!({ "birthDay": "02-29", "birthYear": 1980, "gender": "F" })),
            ("academic", json!({ "hasCredential": ["ADR"] })),
        ]
    );
    assert_eq!(whole.basic.address[0].address_country, "ES");
    assert_eq!(whole.basic.job_title.as_deref(), Some("Jefa"));
    let texts: Vec<(&str, &str)> = whole.texts().collect();
    for text in [("jobTitle", "Jefa"), ("address", "Calle Mayor 1"), ("hasCredential", "ADR")] {
        assert!(texts.contains(&text), "{text:?}");
    }
    assert_eq!(format!("{whole:?}"), "Form(••, 2 more sections)");
}

#[test]
fn the_registry_is_what_a_form_takes() {
    use fields::{FIELDS, Kind};
    for field in FIELDS {
        let value = match field.kind {
            Kind::Text => json!("x"),
            Kind::Texts => json!(["x"]),
            Kind::Telephones => json!([{ "e164": "600123456" }]),
            Kind::Emails => json!([{ "addr": "a@example.org" }]),
            Kind::Languages => json!(["es"]),
            Kind::Addresses => json!([{ "addressCountry": "ES" }]),
            Kind::Day => json!("12-31"),
            Kind::Number(least, _) => json!(least),
            Kind::Word(words) => json!(words[0]),
            Kind::Free => json!("x"),
        };
        let mut given = json!({ "givenName": "Ana" });
        given[field.name] = value;
        assert_eq!(form(&given).is_ok(), field.kind != Kind::Free, "{}", field.name);
    }
}

#[test]
fn wrong_fields_of_any_section_are_named_and_never_quoted() {
    for (given, field) in [
        (json!({ "birthDay": "02-30" }), "birthDay"),
        (json!({ "birthDay": "1980-02-01" }), "birthDay"),
        (json!({ "birthYear": 80 }), "birthYear"),
        (json!({ "gender": "Quijotez" }), "gender"),
        (json!({ "hasCredential": "Quijotez" }), "hasCredential"),
        (json!({ "note": "Quijotez" }), "note"),
        (json!({ "address": [{ "addressCountry": "ES", "postalCode": "2801" }] }), "address[0].postalCode"),
        (json!({ "address": [{ "addressCountry": "GB", "postalCode": "28013" }] }), "address[0].postalCode"),
        (json!({ "address": [{ "streetAddress": "Quijotez 3" }] }), "address[0].addressCountry"),
        (json!({ "address": [{ "addressCountry": "ESP" }] }), "address[0].addressCountry"),
        (json!({ "address": [{ "addressCountry": "ZZ" }] }), "address[0].addressCountry"),
        (json!({ "address": [{ "addressCountry": "ES", "zip": "1" }] }), "address[0].zip"),
    ] {
        let mut given = given;
        given["givenName"] = json!("Ana");
        let error = form(&given).unwrap_err();
        assert_eq!(error.field, field);
        assert!(!error.to_string().contains("Quijotez"), "{error}");
    }
    for (country, code) in [("ES", "28013"), ("gb", "sw1a 1aa"), ("US", "94103-1234"), ("XK", "anything")] {
        form(&json!({ "givenName": "A", "address": [{ "addressCountry": country, "postalCode": code }] }))
            .unwrap();
    }
}

#[test]
fn postcodes_are_looked_up_without_their_signs() {
    for (code, term) in
        [("28013", "28013"), ("sw1a 1aa", "SW1A1AA"), ("94103-1234", "94103"), ("01310-100", "01310100")]
    {
        assert_eq!(postcode_term(code).as_deref(), Some(term));
    }
    assert_eq!(postcode_term(" - "), None);
}

#[test]
fn days_are_days_that_there_are() {
    assert_eq!(day_and_year("1980-03-14"), Some(("03-14".to_owned(), Some(1980))));
    assert_eq!(day_and_year("02-29"), Some(("02-29".to_owned(), None)));
    for wrong in ["1981-02-29", "3-14", "13-01", "03-14-1980", "14.03", "1980x03-14", "ñ-03-14"] {
        assert_eq!(day_and_year(wrong), None, "{wrong}");
    }
}
