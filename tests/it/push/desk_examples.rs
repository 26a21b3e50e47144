//! The desk's part of PROTOCOL.md, played against the daemon itself in the order of the file.

use super::protocol::{Example, PROTOCOL, examples};
use crate::whole::rig::{Bench, Scanner, one_till};
use fichad::desk::access::Role;
use fichad::desk::audit::is_noted;
use fichad::desk::{DAEMON_METHODS, METHODS};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

/// What customers are asked in the examples.
const CONSENTS: &str = "[contact]\nmax_per_week = 3\n\
    [[consent]]\npurpose = \"OFFERS\"\nchannels = [\"EMAIL\", \"SMS\"]\n\
    [[consent]]\npurpose = \"REPAIRS\"\nbasis = \"contract\"\nchannels = [\"TELEPHONE\"]\n\
    [[consent_text]]\npurpose = \"OFFERS\"\nlanguage = \"es\"\nversion = \"2026-09\"\n\
    text = \"¿Podemos escribirle con ofertas? Puede decir que no, y cambiar de idea cuando quiera.\"\n";

/// What customers are asked and can win in the examples.
const ASKED: &str = "[[survey]]\nname = \"visit\"\nfrom = \"2026-09-01\"\nagain_days = 90\n\
    [[survey_question]]\nsurvey = \"visit\"\nname = \"again\"\nkind = \"scale\"\ntexts = [\"es: ¿Volvería?\"]\n\
    [[contest]]\nname = \"autumn\"\nfrom = \"2026-09-01\"\nto = \"2099-09-30\"\nwinners = 2\n\
    [[contest]]\nname = \"summer\"\nfrom = \"2026-06-01\"\nto = \"2026-08-31\"\n";

/// The programme of the examples.
const PROGRAMME: &str = "[levels]\nmeasure = \"turnover\"\ncurrency = \"EUR\"\n\
    [[level]]\nname = \"Silver\"\nfrom = 10000\n[[level]]\nname = \"Gold\"\nfrom = 50000\n\
    [[reward]]\nid = \"3-off\"\nname = \"Three euros off\"\ncost = 100\ngives = \"3.00 EUR\"\n\
    [worth]\ncurrency = \"EUR\"\n[[class]]\nname = \"Standard\"\nfrom = 0\n";

/// Ids as they stand in the file, and what the daemon called the same things.
#[derive(Default)]
struct Ids(HashMap<String, String>);

impl Ids {
    fn real(&self, mut text: String) -> String {
        for (written, real) in &self.0 {
            text = text.replace(written.as_str(), real);
        }
        text
    }

    /// Compares an answer with its example: the same fields of the same types; `null` stands for anything. Learns ids.
    fn compare(&mut self, at: &str, written: &Value, got: &Value) {
        match (written, got) {
            (Value::Null, _) | (_, Value::Null) => {}
            (Value::Object(written), Value::Object(got)) => {
                let names =
                    |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<BTreeSet<_>>();
                assert_eq!(names(written), names(got), "{at}");
                for (name, value) in written {
                    self.compare(&format!("{at}.{name}"), value, &got[name]);
                }
            }
            (Value::Array(written), Value::Array(got)) => {
                assert_eq!(written.is_empty(), got.is_empty(), "{at}");
                for (written, got) in written.iter().zip(got) {
                    self.compare(&format!("{at}[]"), written, got);
                }
            }
            (Value::String(written), Value::String(got)) => {
                let ids = [written, got].map(|text| uuid::Uuid::parse_str(text).is_ok());
                assert_eq!(ids[0], ids[1], "{at}: {written}, {got}");
                if ids[0] {
                    let known = self.0.insert(written.clone(), got.clone());
                    assert!(known.is_none_or(|known| known == *got), "{at}: {written} stands for two things");
                }
            }
            (written, got) => {
                let kind = std::mem::discriminant;
                assert_eq!(kind(written), kind(got), "{at}: {written}, {got}");
            }
        }
    }
}

/// What the requests said of persons in words, and whether any answer had it.
#[derive(Default)]
struct Personal {
    texts: BTreeSet<String>,
    told: bool,
}

impl Personal {
    /// Whoever tells what is sealed is in the audit trail.
    fn answered(&mut self, method: &str, params: &Value, answer: &Value) {
        self.learn(params);
        let answer = answer.to_string();
        let tells = self.texts.iter().any(|text| answer.contains(text.as_str()));
        let is_of_the_desk = METHODS.iter().any(|(name, _)| *name == method);
        assert!(
            !tells || !is_of_the_desk || is_noted(method),
            "{method} is not in the audit trail: {answer}"
        );
        self.told |= tells;
    }

    /// Texts of more than a word, addresses and numbers: nothing else is called so.
    fn learn(&mut self, params: &Value) {
        const FIELDS: [&str; 7] = ["preferredName", "e164", "addr", "text", "value", "hint", "evidence"];
        match params {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let text = value.as_str().filter(|text| text.contains([' ', '@', '+']));
                    self.texts.extend(text.filter(|_| FIELDS.contains(&name.as_str())).map(str::to_owned));
                    self.learn(value);
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.learn(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn is_of_the_desk(example: &Example) -> bool {
    METHODS.iter().chain(DAEMON_METHODS).any(|(name, _)| *name == example.name)
}

#[test]
fn every_request_to_the_desk_is_answered_as_its_example_says() {
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let (bench, scanner) = (Bench::new(), Scanner::new());
    bench.configure(&format!(
        "{}[[printer]]\nname = \"desk\"\naddress = \"tcp://{nobody}\"\n\
         [[alias]]\nname = \"old-cards\"\nprefix = \"29\"\nlength = 13\n{CONSENTS}{ASKED}{PROGRAMME}",
        one_till(&scanner)
    ));
    let fichad = bench.start();
    let terminal = Scanner::new();
    let mut client = fichad.open("till-1");
    let (mut ids, mut keys, mut seen) = (Ids::default(), BTreeSet::new(), BTreeSet::new());
    let mut personal = Personal::default();
    // The search stands before the enrolment in the file; played again at the end it has something to find.
    let all: Vec<Example> = examples().into_iter().filter(is_of_the_desk).collect();
    let (finding, others): (Vec<_>, Vec<_>) = all.chunks(2).partition(|pair| pair[0].name == "customer.find");
    for pair in others.into_iter().chain(finding) {
        let [request, answer] = pair else { panic!("{} has no answer", pair[0].name) };
        assert_eq!(
            (&*request.kind, &*answer.kind, &request.name),
            ("Request", "Answer", &answer.name),
            "each request has its answer behind it"
        );
        let mut sent: Value = serde_json::from_str(&ids.real(request.line.clone())).unwrap();
        if request.name == "reader.lend" {
            sent["params"]["path"] = terminal.path().to_str().into();
        }
        if request.name == "plan.add" {
            // The window must not be over, whenever this is played.
            let shown =
                client.call("customer.show", json!({ "customer": sent["params"]["customer"] })).unwrap();
            let today = json!(&shown["enrolled_at"].as_str().unwrap()[..10]);
            (sent["params"]["from"], sent["params"]["to"]) = (today.clone(), today);
        }
        let written: Value = serde_json::from_str(&answer.line).unwrap();
        if request.name == "audit.list" {
            // Whoever runs the daemon is no auditor; the desk's tests ask as one.
            assert!(client.call(&request.name, sent["params"].clone()).is_err());
            seen.insert(request.name.clone());
            continue;
        }
        assert_eq!(sent["id"], written["id"], "{}", request.name);
        if let Some(key) = sent["params"]["key"].as_str() {
            assert!(keys.insert(key.to_owned()), "{}: a key is used twice", request.name);
        }
        let got = client
            .call(&request.name, sent["params"].clone())
            .unwrap_or_else(|error| panic!("{}: {error}", request.name));
        ids.compare(&request.name, &written["result"], &got);
        personal.answered(&request.name, &sent["params"], &got);
        if got.get("repeated").is_some() {
            let again = client.call(&request.name, sent["params"].clone()).unwrap();
            assert_eq!(again["repeated"], true, "{}", request.name);
        }
        seen.insert(request.name.clone());
    }
    assert!(personal.told, "the texts that are looked for are told nowhere");
    let wanted: BTreeSet<String> =
        METHODS.iter().chain(DAEMON_METHODS).map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(seen, wanted, "every method has an example");
}

#[test]
fn the_table_has_every_method_with_its_roles() {
    let word = |role: &Role| serde_json::to_value(role).unwrap().as_str().unwrap().to_owned();
    for (method, roles) in METHODS.iter().chain(DAEMON_METHODS) {
        let roles: Vec<String> = roles.iter().map(word).collect();
        let row = format!("\n| `{method}` | {} |", roles.join(", "));
        assert!(PROTOCOL.contains(&row), "no row{row}");
    }
}
