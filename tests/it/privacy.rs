//! Nothing of a person and no code in what the daemon says or keeps, however it is talked to and at its most talkative.

#![expect(clippy::arithmetic_side_effects, reason = "a test says what is wrong by failing")]

use crate::whole::rig::*;
use fichad::domain::code::{CardKey, Programme};
use fichad::print::paper::{Model, Paper};
use fichad::push::client::{Client, ClientError};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, sync_channel};

/// Made up, and none of it a word that a log could have for another reason.
const TEXTS: [&str; 15] = [
    "Xiomara",
    "xiomara",
    "XIOMARA",
    "Quijotez",
    "quijotez",
    "Ñandúbay",
    "ñandúbay",
    "nandubay",
    "600123457",
    "600 123 457",
    "quijotez@example.org",
    "zanahoria",
    "berenjena",
    "calabacines",
    "4539578763621486",
];

const ALIAS: &str = "2900000000421";

/// Everything that must stand nowhere.
struct Secrets(Vec<String>);

impl Secrets {
    #[track_caller]
    fn are_not_in(&self, place: &str, text: &str) {
        for secret in &self.0 {
            let there = stands_in(text, secret);
            assert_eq!(there, None, "`{secret}` stands {} in {place}", there.unwrap_or_default());
        }
    }

    /// A code in all its forms.
    fn add_code(&mut self, letters: &str) {
        let grouped: Vec<&str> = (0..4).map(|group| &letters[group * 5..group * 5 + 5]).collect();
        self.0.extend([letters.to_owned(), letters.to_lowercase(), grouped.join("-")]);
        // Ten symbols of it are as good as half of it.
        self.0.push(letters[5..15].to_owned());
    }
}

/// A network printer that prints and says so.
fn printer() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, codes) = sync_channel(8);
    std::thread::spawn(move || {
        let mut paper = Paper::new(Model::FULL);
        for stream in listener.incoming() {
            let (mut stream, mut buffer) = (stream.unwrap(), [0; 1024]);
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                if stream.write_all(&paper.push(&buffer[..count])).is_err() {
                    break;
                }
                for page in paper.take_pages() {
                    let in_clear = |text: &&str| text.len() == 23 && text.matches('-').count() == 3;
                    sender.send(page.texts().find(in_clear).unwrap().replace('-', "")).unwrap();
                }
            }
        }
    });
    (format!("[[printer]]\nname = \"desk\"\naddress = \"tcp://{address}\"\n"), codes)
}

#[test]
fn nothing_of_a_person_and_no_code_is_in_the_log_or_on_the_disk() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    let (printer, printed) = printer();
    let tables = printer + "[[alias]]\nname = \"old-cards\"\nprefix = \"29\"\nlength = 13\n";
    bench.configure(&(one_till(&scanner) + &tables));
    let fichad = bench.start_logging("trace");
    let mut register = fichad.open("till-1");
    let mut secrets =
        Secrets(TEXTS.iter().map(|text| (*text).to_owned()).chain([ALIAS.to_owned()]).collect());

    let customer = enrol_and_write(&mut register);
    let card = write(&mut register, "card.issue", json!({ "customer": customer }));
    let letters = card["letters"].as_str().unwrap().to_owned();
    secrets.add_code(&letters);
    secrets.0.push(card["digits"].as_str().unwrap().to_owned());
    let alias = json!({ "programme": "old-cards", "code": ALIAS });
    write(&mut register, "card.issue", json!({ "customer": customer, "alias": alias }));
    write(&mut register, "card.print", json!({ "customer": customer }));
    let on_paper = printed.recv_timeout(PATIENCE).unwrap();
    secrets.add_code(&on_paper);
    until("the job is printed", || event(&mut register, "job")["state"] == "printed");

    let strange = CardKey([0x5a; 10]).letters(Programme::default()).reveal().to_owned();
    secrets.add_code(&strange);
    let repaired = format!("{}{}", &letters[..19], if letters.ends_with('7') { "8" } else { "7" });
    // Ours by its beginning, and spoilt beyond repair.
    let spoilt = format!("{}{}", &letters[..16], "0000");
    let code128 = format!("]C0{}", card["digits"].as_str().unwrap());
    let long = "Xiomara".repeat(2000);
    let codes =
        [&letters, &on_paper, &strange, &repaired, &spoilt, &code128, ALIAS, TEXTS[14], &long, PRODUCT];
    scanner.scan(&codes);
    let kinds = [
        "identified",
        "identified",
        "unknown",
        "identified",
        "rejected",
        "identified",
        "identified",
        "rejected",
        "rejected",
        "scan",
    ];
    for kind in kinds {
        event(&mut register, kind);
    }
    wrong_requests(&mut register, &customer, &letters);
    wrong_lines(fichad.socket());
    let log = fichad.stop();
    assert!(log.contains("TRACE"), "the log is not at its most talkative");
    secrets.are_not_in("the log", &log);

    // What a start reads is not said either, nor what it cannot read.
    let mut scanner = Scanner::new();
    bench.configure(&(one_till(&scanner) + &tables));
    std::fs::remove_file(bench.state().join("vault.key")).unwrap();
    let fichad = bench.start_logging("trace");
    let mut register = fichad.open("till-1");
    scanner.scan(&[&letters]);
    event(&mut register, "identified");
    wrong_requests(&mut register, &customer, &letters);
    secrets.are_not_in("the log of a locked vault", &fichad.stop());
    let files = files(&bench.state());
    assert!(files.len() > 6);
    for (path, bytes) in files {
        secrets.are_not_in(&path.display().to_string(), &String::from_utf8_lossy(&bytes));
    }
}

fn enrol_and_write(register: &mut Client) -> Value {
    let person = json!({
        "givenName": "Xiomara", "familyName": "Quijotez", "familyName2": "Ñandúbay", "preferredName": "Xiomara Q.",
        "telephone": [{ "e164": "600 123 457" }], "email": [{ "addr": "quijotez@example.org" }],
    });
    let customer = write(register, "customer.enrol", json!({ "person": person }))["customer"].clone();
    write(register, "customer.change", json!({ "customer": customer, "person": person }));
    let issue = json!({ "customer": customer, "kind": "COMPLAINT", "hint": "zanahoria" });
    let issue = write(register, "issue.open", issue)["issue"].clone();
    write(register, "issue.update", json!({ "issue": issue, "hint": "zanahoria dos" }));
    write(register, "note.keep", json!({ "customer": customer, "text": "berenjena" }));
    let preference = json!({ "customer": customer, "name": "calabacines", "value": "berenjena" });
    write(register, "preference.set", preference);
    for find in [
        json!({ "name": "xiomara quij" }),
        json!({ "name": "ñandúbay" }),
        json!({ "phone": "600123457" }),
        json!({ "email": "quijotez@example.org" }),
    ] {
        let found = register.call("customer.find", find).unwrap();
        assert_eq!(found["rows"][0]["customer"], customer);
    }
    let shown = register.call("customer.show", json!({ "customer": customer })).unwrap();
    assert_eq!(shown["person"]["familyName2"], "Ñandúbay");
    write(register, "file.open", json!({ "customer": customer }));
    customer
}

/// Requests with what is secret where it does not belong; all are refused.
fn wrong_requests(register: &mut Client, customer: &Value, letters: &str) {
    let key = uuid::Uuid::new_v4();
    for (method, params) in [
        ("Xiomara Quijotez", json!({})),
        ("customer.Quijotez", json!({ "Xiomara": 1 })),
        ("customer.enrol", json!({ "key": "Xiomara", "person": {} })),
        ("customer.enrol", json!({ "key": key, "person": "Quijotez" })),
        ("customer.enrol", json!({ "key": key, "person": { "Quijotez": "Xiomara" } })),
        ("customer.enrol", json!({ "key": key, "person": { "givenName": ["Xiomara"] } })),
        ("customer.enrol", json!({ "key": key, "person": { "givenName": "Xiomara\u{7}" } })),
        ("customer.enrol", json!({ "key": key, "person": { "givenName": "4539578763621486" } })),
        (
            "customer.enrol",
            json!({ "key": key, "person": { "telephone": [{ "e164": "600 123 457 Quijotez" }] } }),
        ),
        (
            "customer.enrol",
            json!({ "key": key, "person": { "email": [{ "addr": "quijotez@example.org@" }] } }),
        ),
        ("customer.enrol", json!({ "key": key, "person": { "givenName": "X" }, "Quijotez": 1 })),
        ("customer.find", json!({ "name": ["Xiomara"] })),
        ("customer.find", json!({ "code": "Xiomara" })),
        ("customer.find", json!({ "code": letters, "name": "Quijotez" })),
        ("customer.find", json!({ "phone": "Quijotez" })),
        ("customer.find", json!({ "email": "quijotez" })),
        ("customer.show", json!({ "customer": "Xiomara" })),
        ("customer.show", json!({ "customer": letters })),
        (
            "card.issue",
            json!({ "key": key, "customer": customer, "alias": { "programme": "Quijotez \n", "code": "x" } }),
        ),
        (
            "card.issue",
            json!({ "key": key, "customer": customer, "alias": { "programme": "x", "code": "Xiomara Quijotez" } }),
        ),
        ("card.print", json!({ "key": key, "customer": customer, "printer": "Quijotez" })),
        ("card.print", json!({ "key": key, "customer": customer, "printer": "Xiomara Quijotez" })),
        ("card.block", json!({ "key": key, "customer": customer, "card": letters, "reason": "LOST" })),
        ("card.block", json!({ "key": key, "customer": customer, "card": key, "reason": "Xiomara" })),
        ("issue.open", json!({ "key": key, "customer": customer, "kind": "zanahoria" })),
        (
            "issue.open",
            json!({ "key": key, "customer": customer, "kind": "REPAIR", "product": { "gtin": "Quijotez" } }),
        ),
        (
            "issue.open",
            json!({ "key": key, "customer": customer, "kind": "REPAIR", "hint": "4539578763621486" }),
        ),
        ("note.keep", json!({ "key": key, "customer": customer, "text": "berenjena\u{1b}" })),
        ("note.keep", json!({ "key": key, "customer": "berenjena", "text": "berenjena" })),
        ("preference.set", json!({ "key": key, "customer": customer, "name": ["calabacines"] })),
        ("subscribe", json!({ "register": "Quijotez" })),
        ("subscribe", json!({ "register": "Xiomara Quijotez" })),
        ("ack", json!({ "seq": "Xiomara" })),
        ("hello", json!({ "protocol": "Xiomara" })),
        ("hello", json!({ "Quijotez": 1 })),
    ] {
        match register.call(method, params.clone()) {
            Err(ClientError::Refused { .. }) => {}
            other => panic!("{method} {params}: {other:?}"),
        }
    }
}

/// Lines that are no requests; each is answered with an error.
fn wrong_lines(socket: &std::path::Path) {
    let lines: [&[u8]; 7] = [
        b"Xiomara Quijotez",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"customer.find\",\"params\":{\"name\":\"Xiomara",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"customer.find\",\"params\":[\"Xiomara\"]}",
        b"{\"jsonrpc\":\"Quijotez\",\"id\":1,\"method\":\"ping\",\"params\":{}}",
        b"{\"jsonrpc\":\"2.0\",\"id\":[\"Xiomara\"],\"method\":\"ping\",\"params\":{}}",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{},\"Quijotez\":1}",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"x\":\"Xiomara\xff\"}}",
    ];
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap()).lines();
    for line in lines {
        stream.write_all(line).unwrap();
        stream.write_all(b"\n").unwrap();
        let answer: Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        assert!(answer["error"].is_object(), "{}: {answer}", String::from_utf8_lossy(line));
    }
    let long = "Quijotez ".repeat(fichad::push::wire::REQUEST_BYTES_MAX / 8);
    // The daemon may close before it has read all of it.
    drop(stream.write_all(long.as_bytes()));
    assert!(answers.next().unwrap().unwrap().contains("invalid_request"));
}
