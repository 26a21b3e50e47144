//! Tests of `lookup`.

use super::*;
use serde_json::{Value, json};

fn person(form: &Value) -> Person {
    Person::read(form.as_object().unwrap(), "34".parse().ok()).unwrap()
}

fn query(text: &str) -> Query {
    Query::read(text, "34".parse().ok()).unwrap()
}

/// As a search runs: all terms must be indexed, then what no index holds is compared.
fn finds(text: &str, person: &Person) -> bool {
    let (query, terms) = (query(text), terms(person));
    query.terms().iter().all(|term| terms.contains(term)) && query.matches(person)
}

#[track_caller]
fn check(form: Value, found: &[&str], missed: &[&str]) {
    let person = person(&form);
    for text in found {
        assert!(finds(text, &person), "`{text}` must find");
    }
    for text in missed {
        assert!(!finds(text, &person), "`{text}` must not find");
    }
}

#[test]
fn spanish_names() {
    check(
        json!({"givenName": "María José", "familyName": "García", "familyName2": "de la Peña"}),
        &["garc", "GARCÍA", "garcia maria", "jose", "pen", "de la peña", "  maría,garcía ", "mari gar"],
        &["ga", "arcia", "garcias", "garcia pedro", "peno", "maria x"],
    );
}

#[test]
fn parts_and_joined_names() {
    check(
        json!({"givenName": "Jean-Luc", "familyName": "O’Brien"}),
        &["luc", "jean luc", "jeanluc", "obrien", "o'brien", "brien"],
        &["rien", "jeanne"],
    );
    check(json!({"org": "Müller & Søn GmbH"}), &["muller", "MUELLER", "soen", "son", "gmbh"], &["mueler"]);
    check(
        json!({"givenName": "Łukasz", "familyName": "Strauß"}),
        &["lukasz", "strauss", "Strauß"],
        &["straub"],
    );
}

#[test]
fn a_long_name_is_found_by_any_beginning() {
    let form = json!({"givenName": "Konstantinos", "familyName": "Papadopoulos"});
    let name = "papadopoulos";
    let prefixes: Vec<&str> = (3..=name.len()).map(|length| &name[..length]).collect();
    check(form.clone(), &prefixes, &["papadopoulou", "papadopoulosa", "pa"]);
    let longest = terms(&person(&form)).iter().map(|(_, term)| term.chars().count()).max();
    assert_eq!(longest, Some(8), "no index holds more");
}

#[test]
fn hindi_names_in_devanagari() {
    check(
        json!({"givenName": "राजेश", "familyName": "फ़िरोज़"}),
        &["राजेश", "रा", "र", "फिरोज", "फ़िरोज़", "राजेश फिरो"],
        &["राजा", "रमेश"],
    );
}

#[test]
fn chinese_and_korean_names() {
    check(
        json!({"givenName": "小明", "familyName": "王"}),
        &["王", "王小明", "小明", "小", "王 小明", "王小"],
        &["明", "王大明", "李"],
    );
    check(json!({"givenName": "민준", "familyName": "김"}), &["김", "김민준", "민준"], &["기", "준"]);
}

#[test]
fn turkish_letters_i() {
    for written in ["Işık", "IŞIK", "ışık", "isik", "ISIK", "İşik"] {
        let form = json!({"givenName": "Ali", "familyName": written});
        check(form, &["ışık", "isik", "IŞIK", "İSİK", "ışı"], &["isiklar"]);
    }
}

#[test]
fn numbers_and_addresses() {
    let form = json!({"givenName": "Ana", "telephone": [{"e164": "600 123 456"}],
        "email": [{"addr": "Ana@Example.com"}]});
    check(
        form,
        &["600123456", "+34 600 12 34 56", "0034600123456", "ana@example.COM"],
        &["600123457", "600123", "+1600123456", "nana@example.com", "example"],
    );
    assert_eq!(query("600 123 456").terms(), [(IndexField::Phone, "+34600123456".to_owned())]);
    assert_eq!(query("a@B.co").terms(), [(IndexField::Email, "a@b.co".to_owned())]);
}

#[test]
fn terms_are_these_and_no_more() {
    let person =
        person(&json!({"givenName": "Li", "familyName": "García", "telephone": [{"e164": "600123456"}]}));
    let terms: Vec<String> =
        terms(&person).into_iter().map(|(field, term)| format!("{field:?} {term}")).collect();
    assert_eq!(
        terms,
        ["Phone +34600123456", "Name gar", "Name garc", "Name garci", "Name garcia", "Name li"]
    );
}

#[test]
fn one_person_has_bounded_terms() {
    let many = |end: char| ('a'..='y').map(|c| format!("{c}{end} ")).collect::<String>();
    let person = person(&json!({"givenName": many('x'), "familyName": many('y'), "org": many('z')}));
    assert_eq!(words_of(&person).len(), WORDS_MAX);
    assert!(terms(&person).len() <= WORDS_MAX * PREFIX_LETTERS.count());
}

#[test]
fn a_search_for_nothing_finds_nobody() {
    for text in ["", "  ", "-", "…", "\u{301}", "'"] {
        assert_eq!(Query::read(text, None), Err(QueryError::Empty), "{text:?}");
    }
    assert_eq!(Query::read("a b c d e f g h i", None), Err(QueryError::TooLong));
    assert_eq!(Query::read(&"a".repeat(300), None), Err(QueryError::TooLong));
}

#[test]
fn rows_are_masked() {
    let masked = |form: Value| masked(&person(&form));
    let maria = masked(json!({"givenName": "María", "familyName": "García", "familyName2": "López",
        "telephone": [{"e164": "600123456"}]}));
    assert_eq!(maria.name, "María G••••");
    assert_eq!(maria.telephone.as_deref(), Some("••• ••• 456"));
    assert_eq!(masked(json!({"givenName": "Ana", "familyName": "Li"})).name, "Ana L••••");
    assert_eq!(masked(json!({"givenName": "小明", "familyName": "王"})).name, "王••••");
    assert_eq!(masked(json!({"familyName": "Ruiz"})).name, "R••••");
    assert_eq!(masked(json!({"org": "Talleres Ruiz"})).name, "T••••");
    assert_eq!(masked(json!({"givenName": "Ana"})).telephone, None);
}
