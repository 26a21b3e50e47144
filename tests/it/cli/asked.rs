//! Surveys, contests, breaches and the audit trail, as a person types them.

use super::sales::sold;
use super::*;

const SURVEY: &str = "[[survey]]\nname = \"visit\"\nfrom = \"2026-01-10\"\n\
    [[survey_question]]\nsurvey = \"visit\"\nname = \"again\"\nkind = \"scale\"\ntexts = [\"es: ¿Volvería?\"]\n\
    [[survey_question]]\nsurvey = \"visit\"\nname = \"why\"\nkind = \"choice\"\nchoices = [\"price\", \"range\"]\ntexts = [\"es: ¿Por qué?\"]\n";

#[test]
fn a_survey_is_asked_answered_once_and_counted() {
    let shop = Shop::open_with(SURVEY);
    let [ana, eva] = [shop.enrolled(), shop.enrolled()];
    let questions = said(&shop, &["survey", "list"]);
    has(&questions, &["¿Volvería?", "0 to 10", "price, range", "visit from 2026-01-10: asked now"]);
    has(&said(&shop, &["survey", "due", &ana]), &["visit   can be asked"]);
    let answer = ["survey", "answer", &ana, "visit", "--channel", "telephone"];
    let wrong = shop.ficha(&answer, r#"{"again":11}"#);
    assert!(wrong.code == 1 && wrong.err.contains("answers.again"), "{}", wrong.err);
    let no_json = shop.ficha(&answer, "nine");
    assert!(no_json.code == 64 && !no_json.err.contains("nine"), "{}", no_json.err);
    assert_eq!(said(&shop, &["survey", "answers", &ana]), "no answers\n", "nothing was kept");
    let kept = shop.ficha(&answer, r#"{"again":9,"why":"range"}"#);
    assert!(kept.code == 0 && kept.out.ends_with(" kept\n"), "{}", kept.err);
    let twice = shop.ficha(&answer, r#"{"again":1}"#);
    assert!(twice.code == 1 && twice.err.contains("asked once"), "{}", twice.err);
    has(&said(&shop, &["survey", "due", &ana]), &["was answered"]);
    has(&said(&shop, &["survey", "due", &eva]), &["can be asked"]);
    has(&said(&shop, &["survey", "answers", &ana]), &["TELEPHONE", "again: 9; why: range"]);
    shop.json(&["survey", "answer", &eva, "visit"], r#"{"again":4}"#);
    has(
        &said(&shop, &["survey", "results", "visit"]),
        &["answers to visit: 2", "6.50", "4: 1  9: 1", "range: 1"],
    );
    has(&refused(&shop, &["survey", "results", "autumn"]), &["SURVEY: "]);
    has(&said(&Shop::open(), &["survey", "list"]), &["`[[survey]]` of the config has them"]);
}

const CONTESTS: &str = "[[contest]]\nname = \"past\"\nfrom = \"2026-01-10\"\nto = \"2026-01-31\"\nwinners = 1\n\
    [[contest]]\nname = \"raffle\"\nfrom = \"2026-01-10\"\nto = \"2099-01-31\"\nper_sale = 2000\ncurrency = \"EUR\"\nwinners = 1\n";

#[test]
fn a_contest_takes_entries_while_it_runs_and_is_drawn_once() {
    let shop = Shop::open_with(CONTESTS);
    let [ana, eva] = [shop.enrolled(), shop.enrolled()];
    has(&said(&shop, &["contest", "list"]), &["20.00 EUR", "takes entries", "none", "not drawn"]);
    let (large, small) = (sold(&shop, Some(&ana), "A-1", 5000), sold(&shop, Some(&ana), "A-2", 1000));
    let enter = ["contest", "enter", &ana, "raffle"];
    has(&refused(&shop, &enter), &["--sale: name the sale"]);
    has(&refused(&shop, &[&enter[..], &["--sale", &small]].concat()), &["--sale: comes to less"]);
    has(&refused(&shop, &["contest", "enter", &eva, "past"]), &["CONTEST: "]);
    assert_eq!(said(&shop, &["contest", "entries", "raffle"]), "no entries\n");
    let kept = said(&shop, &[&enter[..], &["--sale", &large]].concat());
    let entry = kept.split(' ').nth(1).unwrap();
    has(&said(&shop, &["contest", "entries", "raffle"]), &[entry, &ana, &large]);
    assert_eq!(said(&shop, &["contest", "entries", "raffle", "--customer", &eva]), "no entries\n");
    has(&refused(&shop, &["contest", "draw", "raffle"]), &["drawn after its last day"]);

    let drawn = said(&shop, &["contest", "draw", "past"]);
    has(&drawn, &["among 0 entries (0 could not win), seed ", "nobody won"]);
    has(&refused(&shop, &["contest", "draw", "past"]), &["CONTEST: "]);
    has(&said(&shop, &["contest", "list"]), &[&format!("past: {drawn}")]);
    has(&said(&Shop::open(), &["contest", "list"]), &["`[[contest]]` of the config has them"]);
}

#[test]
fn a_breach_is_judged_by_what_was_taken_and_written_down_with_its_clock() {
    let shop = Shop::open();
    shop.enrolled();
    assert_eq!(said(&shop, &["breach", "list"]), "no breach was written down\n");
    let store = said(&shop, &["breach", "assess", "--taken", "store,keyring", "--dry-run"]);
    has(&store, &["no person can be read", "`vault-key` belongs into --taken", "persons: 1;"]);
    has(&store, &["1. Controller", "nothing was written down"]);
    assert_eq!(said(&shop, &["breach", "list"]), "no breach was written down\n");
    let found_at = (jiff::Zoned::now().timestamp() - jiff::SignedDuration::from_mins(90)).to_string();
    let all =
        ["breach", "assess", "--taken", "store,keyring,keys,vault-key", "--language", "es", "--found-at"];
    let all = said(&shop, &[&all[..], &[&found_at]].concat());
    has(&all, &["everything can be read", "(70 hours left)", "persons: to be told\n", "1. Responsable"]);
    assert!(!all.contains("--taken"), "the key is among what was taken:\n{all}");
    assert!(!all.contains("García"), "it has nobody's data");
    let breach = all.trim_end().rsplit(' ').next().unwrap();
    has(&said(&shop, &["breach", "list"]), &[breach, "EVERYTHING", "STORE KEYRING KEYS VAULT_KEY"]);
    let assess = ["breach", "assess", "--taken", "store", "--found-at", "2999-01-01T00:00:00Z"];
    has(&refused(&shop, &assess), &["--found-at: must not be in the future"]);
}

#[test]
fn the_audit_trail_is_for_auditors_alone() {
    let shop = Shop::open();
    // The daemon's own user, as whom this asks, has every role but this one.
    let asked = shop.ficha(&["audit"], "");
    assert_eq!((asked.code, &*asked.out), (77, ""), "{}", asked.err);
    has(&asked.err, &["fichad-auditor", "usermod -aG"]);
}
