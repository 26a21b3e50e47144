//! Surveys: asked, answered once, counted.

use super::*;
use fichad::desk::survey;

const SURVEYS: &str = "[[survey]]\nname = 'visit'\nfrom = '2027-01-10'\nto = '2027-06-30'\nagain_days = 90\n\
    [[survey_question]]\nsurvey = 'visit'\nname = 'again'\nkind = 'scale'\ntexts = ['es: ¿Volvería?']\n\
    [[survey_question]]\nsurvey = 'visit'\nname = 'why'\nkind = 'choice'\nchoices = ['price', 'range']\ntexts = ['es: ¿Por qué?']\n\
    [[survey_question]]\nsurvey = 'visit'\nname = 'parking'\nkind = 'yes_no'\ntexts = ['es: ¿Aparcó?']\n\
    [[survey_question]]\nsurvey = 'visit'\nname = 'more'\nkind = 'text'\ntexts = ['es: ¿Algo más?']\n\
    [[survey]]\nname = 'spring'\nfrom = '2027-03-01'\n\
    [[survey_question]]\nsurvey = 'spring'\nname = 'q'\nkind = 'text'\ntexts = ['es: ¿Qué?']\n";

fn shop(dir: &Path) -> Shop {
    shop_set(dir, false, |settings| settings.surveys = read_text(SURVEYS, survey::settings::read).unwrap().0)
}

fn answer(customer: &Value, answers: Value) -> Value {
    with_key(json!({ "customer": customer, "survey": "visit", "answers": answers }))
}

fn due(shop: &Shop, customer: &Value) -> Vec<(Value, Value)> {
    let rows = shop.call("survey.due", &json!({ "customer": customer })).unwrap();
    let row = |row: &Value| (row["due"].clone(), row["why_not"].clone());
    rows["surveys"].as_array().unwrap().iter().map(row).collect()
}

#[test]
fn a_survey_is_answered_once_and_again_after_its_pause() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let ana = shop.enrol("Ana", "Ruiz", "+34600111222");
    assert_eq!(due(&shop, &ana), [(json!(true), Value::Null), (json!(false), json!("NOT_RUNNING"))]);
    let given = json!({ "again": 9, "why": "range", "parking": true, "more": "zanahorias" });
    let params = answer(&ana, given.clone());
    let first = shop.call("survey.answer", &params).unwrap();
    assert_eq!(first["repeated"], false);
    assert_eq!(shop.call("survey.answer", &params).unwrap()["repeated"], true);
    assert_eq!(due(&shop, &ana)[0], (json!(false), json!("ANSWERED")));
    let refused = shop.call("survey.answer", &answer(&ana, json!({ "again": 1 }))).unwrap_err();
    assert_eq!((refused.code, refused.field.as_deref()), (RefusalCode::Conflict, Some("survey")));
    let kept = shop.call("survey.answers", &json!({ "customer": ana })).unwrap();
    assert_eq!(
        (&kept["answers"][0]["answers"], &kept["answers"][0]["channel"]),
        (&given, &json!("IN_STORE"))
    );

    *shop.clock.0.lock().unwrap() = Duration::from_hours(24 * 90);
    assert_eq!(due(&shop, &ana), [(json!(true), Value::Null), (json!(true), Value::Null)]);
    shop.call("survey.answer", &answer(&ana, json!({ "again": 6 }))).unwrap();
    let kept = shop.call("survey.answers", &json!({ "customer": ana })).unwrap();
    assert_eq!(kept["answers"][0]["answers"], json!({ "again": 6 }), "the newest first");
    let out = with_key(json!({ "customer": ana, "state": "WITHDRAWN" }));
    shop.call("consent.record", &out).unwrap();
    assert_eq!(due(&shop, &ana)[1], (json!(false), json!("OPTED_OUT")));
    assert_eq!(
        shop.call_as(&[Role::Register], "survey.answers", &json!({ "customer": ana })).unwrap_err().code,
        RefusalCode::Forbidden,
        "what somebody thinks is not for the till"
    );
}

#[test]
fn an_answer_that_fits_no_question_is_refused_by_its_field() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let ana = shop.enrol("Ana", "Ruiz", "+34600111222");
    for (answers, field) in [
        (json!({}), "answers"),
        (json!({ "again": 11 }), "answers.again"),
        (json!({ "why": "colour" }), "answers.why"),
        (json!({ "parking": "yes" }), "answers.parking"),
        (json!({ "more": "x".repeat(281) }), "answers.more"),
        (json!({ "more": "4111 1111 1111 1111" }), "answers.more"),
        (json!({ "age": 40 }), "answers.age"),
    ] {
        let refused = shop.call("survey.answer", &answer(&ana, answers)).unwrap_err();
        assert_eq!(refused.field.as_deref(), Some(field), "{refused:?}");
    }
    let mut other = answer(&ana, json!({ "again": 1 }));
    other["survey"] = json!("autumn");
    assert_eq!(shop.call("survey.answer", &other).unwrap_err().field.as_deref(), Some("survey"));
    assert_eq!(due(&shop, &ana)[0].0, json!(true), "nothing was written");
}

#[test]
fn results_count_everybody_who_is_still_there() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop(dir.path());
    let ana = shop.enrol("Ana", "Ruiz", "+34600111222");
    let eva = shop.enrol("Eva", "Soler", "+34600333444");
    let luz = shop.enrol("Luz", "Vega", "+34600555666");
    for (who, again, why) in [(&ana, 10, "price"), (&eva, 7, "price"), (&luz, 1, "range")] {
        shop.call("survey.answer", &answer(who, json!({ "again": again, "why": why, "more": "nabos" })))
            .unwrap();
    }
    shop.call("customer.merge", &with_key(json!({ "from": eva, "into": ana, "sure": true }))).unwrap();
    assert_eq!(
        due(&shop, &ana)[0].1,
        json!("ANSWERED"),
        "whoever was merged has answered for the one they are"
    );
    let results = || shop.call_as(&[Role::Manager], "survey.results", &json!({ "survey": "visit" })).unwrap();
    let all = results();
    assert!(!all.to_string().contains("nabos"), "numbers, never what somebody wrote");
    assert_eq!(all["answers"], 3);
    let of = |all: &Value, name: &str| {
        let questions = all["questions"].as_array().unwrap();
        questions.iter().find(|row| row["question"] == name).unwrap().clone()
    };
    assert_eq!(
        (&of(&all, "again")["mean_hundredths"], &of(&all, "again")["answered"]),
        (&json!(600), &json!(3))
    );
    assert_eq!(of(&all, "why")["counts"], json!({ "price": 2, "range": 1 }));
    assert_eq!(of(&all, "more")["counts"], json!({}));
    let erase = with_key(json!({ "customer": luz, "purpose": "REQUEST" }));
    shop.call_as(&[Role::Manager], "customer.erase", &erase).unwrap();
    assert_eq!(results()["answers"], 2);
    let unknown = shop.call_as(&[Role::Manager], "survey.results", &json!({ "survey": "none" })).unwrap_err();
    assert_eq!(unknown.field.as_deref(), Some("survey"));
}

#[test]
fn texts_that_are_too_long_in_all_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let question = |at: usize| {
        format!(
            "[[survey_question]]\nsurvey = 'visit'\nname = 'q{at}'\nkind = 'text'\ntexts = ['zh: 什么？']\n"
        )
    };
    let asked: String = (0..8).map(question).collect();
    let asked = format!("[[survey]]\nname = 'visit'\nfrom = '2027-01-10'\n{asked}");
    let shop = shop_set(dir.path(), false, |settings| {
        settings.surveys = read_text(&asked, survey::settings::read).unwrap().0;
    });
    let ana = shop.enrol("Ana", "Ruiz", "+34600111222");
    let texts = |count: usize| -> Value {
        (0..count)
            .map(|at| (format!("q{at}"), json!("界".repeat(280))))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let refused = shop.call("survey.answer", &answer(&ana, texts(8))).unwrap_err();
    assert_eq!(refused.field.as_deref(), Some("answers"), "{refused:?}");
    shop.call("survey.answer", &answer(&ana, texts(4))).unwrap();
}
