//! Consents, contacts and plans by the command line: from the question to who may be written to.

use super::*;

const TABLES: &str = "[[consent]]\npurpose = \"OFFERS\"\nchannels = [\"EMAIL\", \"SMS\"]\n\
    [[consent_text]]\npurpose = \"OFFERS\"\nlanguage = \"es\"\nversion = \"1\"\ntext = \"¿Podemos escribirle?\"\n";

const PRODUCT: &str = "4006381333931";

const ANA: &str = r#"{"givenName":"Ana","email":[{"addr":"ana@example.org"}]}"#;

#[test]
fn what_was_agreed_to_is_asked_kept_and_answered() {
    let shop = Shop::open_with(TABLES);
    let ana = shop.json(&["enrol"], ANA)["customer"].as_str().unwrap().to_owned();
    assert!(said(&shop, &["consent", "texts"]).contains("¿Podemos escribirle?"));
    let texts = shop.json(&["consent", "texts"], "");
    let words = texts["purposes"][0]["texts"][0]["text"].as_str().unwrap();
    let shown = shop.json(&["show", &ana], "");
    let since = shown["enrolled_at"].as_str().unwrap();
    let record = ["consent", "record", &ana, "--purpose", "OFFERS", "--channel"];
    let yes = ["email", "--state", "granted", "--text", words, "--at", since, "--evidence"];
    shop.json(&[&record[..], &yes].concat(), "form 117\n");
    shop.json(&[&record[..], &["sms", "--state", "withdrawn"]].concat(), "");
    let listed = said(&shop, &["consent", "list", &ana]);
    assert!(listed.contains("form 117") && listed.contains("WITHDRAWN"), "{listed}");

    let sent = [
        "--channel",
        "email",
        "--purpose",
        "OFFERS",
        "--cost",
        "3",
        "--currency",
        "EUR",
        "--only-if-allowed",
    ];
    let mail = shop.json(&[&["contact", "record", &ana], &sent[..]].concat(), "");
    let mail = mail["contact"].as_str().unwrap();
    shop.json(&["contact", "respond", &ana, mail, "--response", "opted_out"], "");
    let refused = shop.ficha(&[&["contact", "record", &ana], &sent[..]].concat(), "");
    assert!(refused.code == 1 && refused.err.contains("WITHDRAWN"), "{}", refused.err);
    let may = shop.json(&["contact", "may", &ana, "--channel", "email"], "");
    assert_eq!((&may["rows"][0]["may"], &may["rows"][0]["reason"]), (&json!(false), &json!("WITHDRAWN")));
    let opened = shop.json(&["file", "open", &ana, "--register", "till-1", "--channel", "telephone"], "");
    assert!(opened["contact"].is_string(), "{opened}");
    let contacts = said(&shop, &["contact", "list", &ana]);
    assert!(contacts.contains("0.03 EUR") && contacts.contains("TELEPHONE"), "{contacts}");

    let today = &since[..10];
    let window = ["--from", today, "--to", today];
    let add = |wanted: &[&str]| {
        let plan = shop.json(&[&["plan", "add", &ana], wanted, &window].concat(), "");
        plan["plan"].as_str().unwrap().to_owned()
    };
    let gone = add(&["--gtin", PRODUCT, "--source", "chat"]);
    add(&["--category", "kitchen", "--budget", "30000", "--currency", "EUR"]);
    shop.json(&["plan", "close", &ana, &gone], "");
    let plans = said(&shop, &["plan", "list", &ana]);
    assert!(plans.contains(&gone) && plans.contains("300.00 EUR"), "{plans}");
    let shown = said(&shop, &["show", &ana]);
    for part in ["kitchen", "withdrawn", "opted out"] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(!shown.contains(PRODUCT), "closed plans are in `plan list`");
}
