//! Tests of comparing: who is told as one person, who is not.

use super::*;
use crate::domain::person::Form;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn profile(form: &Value) -> Profile {
    let form = Form::read(form.as_object().unwrap(), "34".parse().ok()).unwrap();
    Profile::of(&form.basic, form.more.get(&Section::Demographic).unwrap_or(&Map::new()))
}

fn like(one: &Value, other: &Value) -> Likeness {
    let (one, other) = (profile(one), profile(other));
    let likeness = compare(&one, &other);
    assert_eq!(likeness, compare(&other, &one), "in either order the same");
    likeness
}

fn lucia() -> Value {
    json!({
        "givenName": "Lucía", "familyName": "García", "familyName2": "Soler",
        "birthDay": "03-14", "birthYear": 1987, "telephone": [{ "e164": "600555012" }],
        "address": [{ "streetAddress": "Calle Mayor, 12", "addressLocality": "Madrid", "postalCode": "28013", "addressCountry": "ES" }],
    })
}

fn with(mut person: Value, fields: Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        person[name] = value.clone();
    }
    person
}

#[test]
fn one_person_in_two_spellings_is_told() {
    let francisco =
        json!({ "givenName": "Francisco", "familyName": "Giménez", "birthDay": "01-02", "birthYear": 1970 });
    for (one, other, reason) in [
        (lucia(), lucia(), "given_name"),
        (lucia(), with(lucia(), json!({ "givenName": "Luzia", "familyName": "Garzia" })), "given_name_near"),
        (lucia(), with(lucia(), json!({ "givenName": "García", "familyName": "Lucía" })), "names_swapped"),
        (lucia(), with(lucia(), json!({ "birthDay": "03-15" })), "birthday_near"),
        (
            with(lucia(), json!({ "birthDay": "03-04" })),
            with(lucia(), json!({ "birthDay": "04-03" })),
            "birthday_swapped",
        ),
        (lucia(), with(lucia(), json!({ "address": null, "familyName2": null })), "phone"),
        (
            lucia(),
            with(
                lucia(),
                json!({ "telephone": null, "address": [{ "streetAddress": "C/ Mayor nº 12", "postalCode": "28031", "addressCountry": "ES" }] }),
            ),
            "postcode_near",
        ),
        (
            francisco.clone(),
            with(francisco, json!({ "givenName": "Paco", "familyName": "Jiménez" })),
            "given_name_near",
        ),
    ] {
        let (one, other) = (without_null(&one), without_null(&other));
        let likeness = like(&one, &other);
        assert!(likeness.score >= PROBABLE && !likeness.household, "{likeness:?}");
        assert!(likeness.reasons.contains(&reason), "{reason}: {likeness:?}");
    }
}

fn without_null(person: &Value) -> Value {
    let fields = person.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
    Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
}

#[test]
fn twins_are_told_as_perhaps_two() {
    let likeness = like(&lucia(), &with(lucia(), json!({ "givenName": "Marta" })));
    assert!(likeness.household && likeness.reasons.contains(&"other_given_name"), "{likeness:?}");
    let father = json!({ "birthYear": 1955, "birthDay": "11-30" });
    let likeness = like(&lucia(), &with(lucia(), father));
    assert!(likeness.household && likeness.reasons.contains(&"other_birthday"), "{likeness:?}");
}

#[test]
fn a_household_is_not_told() {
    for other in [
        json!({ "givenName": "Hugo", "birthDay": "09-01", "birthYear": 2001 }),
        json!({ "givenName": "Hugo", "birthDay": null, "birthYear": null }),
        json!({ "givenName": "Hugo", "familyName": "Ruiz", "birthDay": null, "birthYear": null }),
    ] {
        let likeness = like(&lucia(), &without_null(&with(lucia(), other)));
        assert!(likeness.score < PROBABLE, "{likeness:?}");
    }
}

#[test]
fn namesakes_are_not_told_for_their_names() {
    let one = json!({ "givenName": "María", "familyName": "García" });
    assert!(like(&one, &one).score < PROBABLE);
    let moved = with(one.clone(), json!({ "telephone": [{ "e164": "600555077" }] }));
    assert!(like(&with(one, json!({ "telephone": [{ "e164": "600555012" }] })), &moved).score < PROBABLE);
}

#[test]
fn pairs_lead_to_whoever_is_misspelt() {
    let terms = |person: Value| {
        let form = Form::read(without_null(&person).as_object().unwrap(), "34".parse().ok()).unwrap();
        pairs(&form.basic).into_iter().collect::<std::collections::BTreeSet<_>>()
    };
    let own = terms(lucia());
    for other in [
        json!({ "givenName": "Luzia", "familyName": "Garsia" }),
        json!({ "givenName": "García", "familyName": "Lucía", "familyName2": null }),
        json!({ "givenName": "Xavier", "familyName": "Garzía" }),
        json!({ "givenName": null, "familyName": "Ruiz" }),
    ] {
        assert!(!own.is_disjoint(&terms(with(lucia(), other.clone()))), "{other}");
    }
    let stranger = json!({ "givenName": "Hugo", "familyName": "Ruiz", "familyName2": null, "address": null });
    assert!(own.is_disjoint(&terms(with(lucia(), stranger))));
}

proptest! {
    #[test]
    fn whatever_the_names_are_they_compare(given in ".{1,30}", family in ".{1,30}", street in ".{0,40}") {
        let person = json!({
            "givenName": given, "familyName": family,
            "address": [{ "streetAddress": street, "addressCountry": "ES" }],
        });
        if let Ok(form) = Form::read(person.as_object().unwrap(), None) {
            let profile = Profile::of(&form.basic, &Map::new());
            let likeness = compare(&profile, &profile);
            prop_assert!(!likeness.household);
            prop_assert_eq!(format!("{:?}", profile), "Profile(••)");
        }
    }
}
