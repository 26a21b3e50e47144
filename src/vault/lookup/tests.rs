//! Tests of `lookup`.

use super::*;
use serde_json::{Value, json};

fn person(form: &Value) -> Person {
    Person::read(form.as_object().unwrap(), "34".parse().ok()).unwrap()
}

fn query(text: &str) -> Query {
    Query::read(text, "34".parse().ok()).unwrap()
}

/// As a search runs: of each group of a way one term must be indexed, then what no index holds is compared. The way that
/// leads there, and the score.
fn found(query: &Query, narrowing: &Narrowing, person: &Person) -> Option<(usize, u32)> {
    let terms = terms(person);
    let leads = |way: &Vec<Vec<Term>>| way.iter().all(|group| group.iter().any(|term| terms.contains(term)));
    let way = query.ways(narrowing).iter().position(leads)?;
    query.score(person).map(|score| (way, score))
}

/// Letter by letter.
fn finds(text: &str, person: &Person) -> bool {
    let found = found(&query(text), &Narrowing::default(), person);
    found.is_some_and(|(way, score)| way == 0 && score >= 95)
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
    let names = terms(&person(&form)).into_iter().filter(|(field, _)| *field == IndexField::Name);
    let longest = names.map(|(_, term)| term.chars().count()).max();
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
    let ways = |text: &str| query(text).ways(&Narrowing::default());
    assert_eq!(ways("600 123 456"), [[[(IndexField::Phone, "+34600123456".to_owned())]]]);
    assert_eq!(ways("a@B.co"), [[[(IndexField::Email, "a@b.co".to_owned())]]]);
}

#[test]
fn terms_are_these_and_no_more() {
    let person =
        person(&json!({"givenName": "Li", "familyName": "García", "telephone": [{"e164": "600123456"}]}));
    let terms: Vec<String> =
        terms(&person).into_iter().map(|(field, term)| format!("{field:?} {term}")).collect();
    assert_eq!(
        terms,
        [
            "Phone +34600123456",
            "Name gar",
            "Name garc",
            "Name garci",
            "Name garcia",
            "Name li",
            "Sound -cia",
            "Sound grs",
            "Sound l",
            "Pair ngrs|l",
        ]
    );
}

#[test]
fn one_person_has_bounded_terms() {
    let many = |end: char| ('a'..='y').map(|c| format!("{c}{end} ")).collect::<String>();
    let person = person(&json!({"givenName": many('x'), "familyName": many('y'), "org": many('z')}));
    assert_eq!(words_of(&person).len(), WORDS_MAX);
    // Beginnings, two sounds, an end, and a few names.
    assert!(terms(&person).len() <= WORDS_MAX * (PREFIX_LETTERS.count() + 6));
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

fn alike(text: &str, person: &Person) -> Option<u32> {
    found(&query(text), &Narrowing::default(), person).map(|(_, score)| score)
}

#[test]
fn names_are_found_as_they_sound_and_by_what_people_are_called() {
    let jimenez =
        person(&json!({ "givenName": "Francisco", "familyName": "Jiménez", "familyName2": "Ibáñez" }));
    let smith = person(&json!({ "givenName": "Elizabeth", "familyName": "Smyth" }));
    for (text, person) in [
        ("gimenes", &jimenez),
        ("paco ximenez", &jimenez),
        ("fransisko himenez ivanes", &jimenez),
        ("beth smith", &smith),
        ("elisabet smit", &smith),
    ] {
        let score = alike(text, person);
        assert!(score.is_some_and(|score| (65..95).contains(&score)), "{text}: {score:?}");
    }
    for (text, person) in [("gomez", &jimenez), ("pedro jimenez", &jimenez), ("beth jones", &smith)] {
        assert_eq!(alike(text, person), None, "{text}");
    }
    // Letter by letter is nearer than by sound.
    assert!(alike("francisco jimenez", &jimenez) > alike("paco gimenes", &jimenez));
}

#[test]
fn one_slip_in_one_of_two_words_loses_almost_nobody() {
    let (mut tried, mut missed) = (0, Vec::new());
    for (given, family) in [
        ("María", "García"),
        ("Francisco", "Rodríguez"),
        ("Guillermo", "Fernández"),
        ("Dolores", "Martínez"),
        ("Catherine", "Thompson"),
        ("Michael", "Williams"),
        ("Elizabeth", "Robinson"),
    ] {
        let person = person(&json!({ "givenName": given, "familyName": family }));
        let (given, family) = (words(given).next().unwrap(), words(family).next().unwrap());
        let letters: Vec<char> = family.chars().collect();
        for at in 0..letters.len() {
            let mut changed = vec![letters.clone(), letters.clone(), letters.clone(), letters.clone()];
            changed[0].remove(at);
            changed[1].insert(at, 'q');
            changed[2][at] = 'q';
            if at > 0 {
                changed[3].swap(at, at - 1);
            }
            for typed in changed {
                let typed = format!("{given} {}", typed.into_iter().collect::<String>());
                tried += 1;
                if alike(&typed, &person).is_none() {
                    missed.push(typed);
                }
            }
        }
    }
    assert!(tried > 200 && missed.len() * 50 <= tried, "{} of {tried}: {missed:?}", missed.len());
}

#[test]
fn a_birthday_and_a_postcode_narrow_a_search() {
    let person = person(&json!({ "givenName": "Ana", "familyName": "Li",
        "address": [{ "addressCountry": "GB", "postalCode": "SW1A 1AA" }] }));
    let demographic = json!({ "birthDay": "03-14", "birthYear": 1980 });
    let demographic = demographic.as_object().unwrap();
    let mut indexed = terms(&person);
    indexed.extend(birthday_terms(demographic));
    let finds = |birthday: Option<&str>, postcode: Option<&str>| {
        let narrowing = Narrowing::read(birthday, postcode).unwrap();
        let ways = query("ana").ways(&narrowing);
        ways[0].iter().all(|group| group.iter().any(|term| indexed.contains(term)))
            && narrowing.fits_year(demographic)
    };
    assert!(finds(Some("03-14"), None) && finds(Some("1980-03-14"), Some("sw1a1aa")));
    assert!(
        !finds(Some("03-15"), None) && !finds(Some("1981-03-14"), None) && !finds(None, Some("SW1A 2AA"))
    );
    assert!(
        Narrowing::read(Some("1980-03-14"), None).unwrap().fits_year(&Map::new()),
        "nobody knows the year"
    );
    assert_eq!(Narrowing::read(Some("14.3."), None), Err("birthday"));
    assert_eq!(Narrowing::read(None, Some("-")), Err("postcode"));
    // Every way asks for both.
    for way in query("ana gracia").ways(&Narrowing::read(Some("03-14"), Some("28013")).unwrap()) {
        assert_eq!(
            way.iter()
                .filter(|group| group.len() == 1
                    && matches!(group[0].0, IndexField::Birthday | IndexField::Postcode))
                .count(),
            2
        );
    }
}

#[test]
fn hindi_and_chinese_names_find_themselves_and_their_sound_where_it_is_given() {
    let wang = person(&json!({ "givenName": "小明", "familyName": "王", "phoneticGivenName": "Xiaoming",
        "phoneticFamilyName": "Wang" }));
    assert_eq!(alike("王小明", &wang), Some(100));
    assert_eq!(alike("wang xiaoming", &wang), Some(100));
    assert!(alike("wang xiaomin", &wang).is_some());
    let firoz = person(&json!({ "givenName": "राजेश", "familyName": "फ़िरोज़" }));
    assert_eq!(alike("राजेश फिरोज", &firoz), Some(100));
    assert_eq!(alike("रमेश फिरोज", &firoz), None);
}

proptest::proptest! {
    #[test]
    fn ascii_needs_no_normalising(text in "[ -~]{0,40}") {
        assert_eq!(normal(&text), text.to_ascii_lowercase());
    }
}
