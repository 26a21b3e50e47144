//! Erasure seen from outside: the files that are left, searched and attacked with everything that is left.

use super::rig::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fichad::domain::code::{Alias, CardKey, Parsed, Programme, parse};
use fichad::domain::id::CustomerNumber;
use fichad::domain::person::Form;
use fichad::domain::person::fields::Section;
use fichad::push::client::Client;
use fichad::vault::kek::KeySource;
use fichad::vault::keyring::{Hash16, Keyring};
use fichad::vault::keys::{KeyFile, KeyRef, os_random};
use fichad::vault::lookup::{birthday_terms, terms};
use fichad::vault::seal::{Aad, Sealed, open};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use uuid::Uuid;

const TEXTS: [&str; 14] = [
    "Xiomara",
    "Quijotez",
    "+34600123457",
    "600123457",
    "quijotez@example.org",
    "zanahoria",
    "Zarzaparrilla",
    "alabardera",
    "azafranero",
    "acebuche",
    "MADRESELVA",
    "cucurbita",
    "berenjenal",
    "Eustaquia",
];
const ALIAS: &str = "2900000000421";

fn person() -> Value {
    json!({
        "givenName": "Xiomara", "familyName": "Quijotez",
        "telephone": [{ "e164": "600 123 457" }], "email": [{ "addr": "quijotez@example.org" }],
        "address": [{ "addressCountry": "ES", "postalCode": "28013", "streetAddress": "Zarzaparrilla 3" }],
        "birthDay": "11-23", "birthYear": 1971, "occupation": "alabardera",
    })
}

/// A customer with everything that can be kept of one.
pub(super) struct Victim {
    pub(super) number: Value,
    pub(super) letters: String,
    /// The request that linked the imported card, as it was sent.
    alias_request: Value,
    enrol_request: Value,
}

impl Victim {
    pub(super) fn enrol(register: &mut Client) -> Self {
        let enrol_request = json!({ "key": Uuid::new_v4(), "person": person() });
        let number = register.call("customer.enrol", enrol_request.clone()).unwrap()["customer"].clone();
        let card = write(register, "card.issue", json!({ "customer": number }));
        let alias = json!({ "programme": "old-cards", "code": ALIAS });
        let alias_request = json!({ "key": Uuid::new_v4(), "customer": number, "alias": alias });
        register.call("card.issue", alias_request.clone()).unwrap();
        write(register, "note.keep", json!({ "customer": number, "text": "wants zanahoria" }));
        let preference = json!({ "customer": number, "name": "receipt", "value": "zanahoria" });
        write(register, "preference.set", preference);
        let mut put = |method: &str, mut more: Value| {
            more["customer"] = number.clone();
            write(register, method, more)
        };
        put("card.holder", json!({ "card": card["card"], "holder": "Eustaquia" }));
        put("issue.open", json!({ "kind": "REPAIR", "hint": "bring the azafranero" }));
        put("consent.record", json!({ "state": "WITHDRAWN", "evidence": "acebuche 117" }));
        let contact = json!({ "channel": "TELEPHONE", "direction": "IN", "campaign": "MADRESELVA-26" });
        put("contact.record", contact);
        let today = jiff::Zoned::now().date();
        let to = today.saturating_add(jiff::Span::new().days(30));
        let plan = json!({ "category": "cucurbita", "from": today, "to": to, "source": "CHAT" });
        put("plan.add", plan);
        put("survey.answer", json!({ "survey": "visit", "answers": { "more": "berenjenal" } }));
        Self { number, letters: card["letters"].as_str().unwrap().to_owned(), alias_request, enrol_request }
    }

    fn customer(&self) -> CustomerNumber {
        serde_json::from_value(self.number.clone()).unwrap()
    }

    fn key(&self) -> CardKey {
        let Parsed::Valid(key) = parse(self.letters.as_bytes(), Programme::default()) else { panic!() };
        key
    }

    /// Everything that must stand nowhere in clear.
    pub(super) fn secrets(&self, dir: &Path) -> Vec<Vec<u8>> {
        let mut secrets: Vec<Vec<u8>> = TEXTS.iter().map(|text| text.as_bytes().to_vec()).collect();
        secrets.extend([self.letters.as_bytes().to_vec(), ALIAS.as_bytes().to_vec(), self.key().0.to_vec()]);
        let ring = Keyring::open(&dir.join("keyring")).unwrap();
        secrets.extend(self.hashes(&ring).iter().map(|hash| hash.0.to_vec()));
        secrets
    }

    /// Every index entry and link there could be, by the keys that are left.
    fn hashes(&self, ring: &Keyring) -> Vec<Hash16> {
        let alias = Alias { programme: "old-cards".to_owned(), code: ALIAS.to_owned() };
        let form = Form::read(person().as_object().unwrap(), "34".parse().ok()).unwrap();
        let mut hashes: Vec<Hash16> = ring.card_hashes(&self.key());
        hashes.extend(ring.alias_hashes(&alias));
        let birthday = birthday_terms(&form.more[&Section::Demographic]);
        assert_eq!(birthday.len(), 2, "with and without the year");
        for (field, term) in terms(&form.basic).into_iter().chain(birthday) {
            hashes.extend(ring.indexes(field, &term));
        }
        hashes
    }
}

/// Every way in which bytes could stand in a file.
fn dresses(secret: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut dresses = vec![secret.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
    // Wherever in a group of three it begins; what its neighbours have a part in is left out.
    for before in 0..3 {
        let mut padded = vec![0; before];
        padded.extend_from_slice(secret);
        let encoded = STANDARD.encode(&padded);
        dresses.push(encoded.as_bytes()[(before * 8).div_ceil(6)..padded.len() * 8 / 6].to_vec());
    }
    if let Ok(text) = std::str::from_utf8(secret) {
        let units: Vec<u16> = text.encode_utf16().collect();
        dresses.push(units.iter().flat_map(|unit| unit.to_le_bytes()).collect());
        dresses.push(units.iter().flat_map(|unit| unit.to_be_bytes()).collect());
    }
    dresses
}

/// In which files any of `secrets` stands, in any dress. One pass a file: dresses are looked up by their first two bytes.
pub(super) fn found(dir: &Path, secrets: &[Vec<u8>]) -> Vec<String> {
    let all: Vec<Vec<u8>> = secrets.iter().flat_map(|secret| dresses(secret)).collect();
    let mut table: Vec<Vec<&[u8]>> = vec![Vec::new(); 1 << 16];
    for dress in &all {
        table[usize::from(u16::from_be_bytes([dress[0], dress[1]]))].push(dress);
    }
    let mut found = Vec::new();
    for (path, bytes) in files(dir) {
        for (at, pair) in bytes.windows(2).enumerate() {
            let dresses = &table[usize::from(u16::from_be_bytes([pair[0], pair[1]]))];
            if dresses.iter().any(|dress| bytes[at..].starts_with(dress)) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[test]
fn bytes_are_found_in_every_dress() {
    let folder = tempfile::tempdir().unwrap();
    let secret = b"Quijotez-\xc3\xb1".to_vec();
    for dress in dresses(&secret) {
        fs::write(folder.path().join("file"), [b"before", dress.as_slice(), b"after"].concat()).unwrap();
        assert_eq!(found(folder.path(), std::slice::from_ref(&secret)).len(), 1);
    }
    fs::write(folder.path().join("file"), b"Quijotes").unwrap();
    assert!(found(folder.path(), &[secret]).is_empty());
}

/// The events of a half, out of its journal's bytes.
pub(super) fn events(dir: &Path, half: &str) -> Vec<Value> {
    let mut events = Vec::new();
    // Of all timelines that are kept there.
    let journal = PathBuf::from(half).join("journal");
    for (_, bytes) in files(dir).into_iter().filter(|(path, _)| path.parent().unwrap().ends_with(&journal)) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for (at, _) in text.match_indices("{\"event\":") {
            let mut one = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
            events.push(one.next().unwrap().unwrap());
        }
    }
    events
}

/// With everything that is left in hand: nothing opens, nothing leads to the number.
pub(super) fn attack(dir: &Path, victim: &Victim) {
    attack_copy(dir, dir, victim);
}

/// The same on the copy in `dir`, with the vault's key of the state folder `own` in hand.
fn attack_copy(dir: &Path, own: &Path, victim: &Victim) {
    let texts: Vec<Vec<u8>> = TEXTS.iter().map(|text| text.as_bytes().to_vec()).collect();
    assert_eq!(found(dir, &texts), [""; 0], "texts");
    let codes = [victim.letters.as_bytes().to_vec(), ALIAS.as_bytes().to_vec(), victim.key().0.to_vec()];
    assert_eq!(found(dir, &codes), [""; 0], "codes");
    let ring = Keyring::open(&dir.join("keyring")).unwrap();
    let hashes: Vec<Vec<u8>> = victim.hashes(&ring).iter().map(|hash| hash.0.to_vec()).collect();
    assert!(hashes.len() > 10);
    assert_eq!(found(dir, &hashes), [""; 0], "links and index entries");

    // No key of the key file opens a section of this customer.
    let kek = KeySource::File(own.join("vault.key")).load(None).unwrap();
    let keys = KeyFile::open(&dir.join("keys"), &kek, os_random).unwrap();
    let live: Vec<KeyRef> = keys.census().unwrap().live;
    let mut sections = 0;
    for event in events(dir, "vault") {
        if event["event"] != "section_sealed" || event["customer"] != victim.number {
            continue;
        }
        let sealed = Sealed::from_kept(&STANDARD.decode(event["sealed"].as_str().unwrap()).unwrap());
        let (section, rev) = (event["section"].as_str().unwrap(), event["rev"].as_u64().unwrap());
        let what = Aad { customer: victim.customer(), section, rev };
        assert!(live.iter().all(|key| open(&keys.dek(*key).unwrap(), &what, &sealed).is_err()), "{section}");
        sections += 1;
    }
    assert!(sections >= 14, "{sections} sections were tried");

    // Nor does the hash of a request that named the card or the telephone number.
    let mut requests = 0;
    for (method, request) in
        [("card.issue", &victim.alias_request), ("customer.enrol", &victim.enrol_request)]
    {
        let body = format!("{method}\n{request}");
        for event in events(dir, "store").iter().filter(|event| event["event"] == "request_done") {
            let kept = event["body"].as_str().unwrap();
            let kept = kept.get(kept.len() - 32..).unwrap();
            assert!(!ring.body_mac_fits(body.as_bytes(), &Hash16::from_hex(kept).unwrap()), "{method}");
            requests += 1;
        }
    }
    assert!(requests > 6, "{requests} requests were tried");
}

pub(super) fn erase(client: &mut Client, victim: &Victim, now: bool) -> Value {
    let params = json!({ "customer": victim.number, "purpose": "REQUEST", "now": now });
    write(client, "customer.erase", params)
}

fn rows(client: &mut Client, by: &str, what: &str) -> usize {
    client.call("customer.find", json!({ by: what })).unwrap()["rows"].as_array().unwrap().len()
}

pub(super) fn leads_nowhere(client: &mut Client, scanner: &mut Scanner, victim: &Victim) {
    for (by, what) in [
        ("phone", "600 123 457"),
        ("email", "quijotez@example.org"),
        ("name", "Quijotez"),
        ("code", &victim.letters),
    ] {
        assert_eq!(rows(client, by, what), 0, "{by}");
    }
    scanner.scan(&[&victim.letters]);
    event(client, "unknown");
    let refused = client.call("customer.show", json!({ "customer": victim.number })).unwrap_err();
    assert!(refused.to_string().contains("erased"), "{refused}");
}

pub(super) const TABLES: &str = "[[alias]]\nname = 'old-cards'\nprefix = '29'\nlength = 13\n\
    [[survey]]\nname = 'visit'\nfrom = '2026-01-10'\n\
    [[survey_question]]\nsurvey = 'visit'\nname = 'more'\nkind = 'text'\ntexts = ['es: ¿Algo más?']\n";

#[test]
fn nothing_is_left_and_nothing_leads_to_the_number() {
    let (bench, scanner) = (Bench::new(), Scanner::new());
    let disk = bench.state().with_file_name("second");
    fs::create_dir(&disk).unwrap();
    let second = disk.display();
    bench.drop_in(&format!("[store]\nsecond_dir = \"{second}\"\n[vault]\nsecond_dir = \"{second}\"\n"));
    let in_step = |register: &mut Client| {
        until("the second copies are in step", || {
            let status = register.call("status", json!({})).unwrap();
            status["keys"]["second_copy"] == "in_step" && status["store"]["second_copy"] == "ok"
        });
    };
    bench.configure(&(one_till(&scanner) + TABLES));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    in_step(&mut register);
    let victim = Victim::enrol(&mut register);
    let (kept, _, kept_letters) = customer(&mut register);
    // The search finds what is there, or it would prove nothing.
    let ring = Keyring::open(&bench.state().join("keyring")).unwrap();
    let links: Vec<Vec<u8>> = victim.hashes(&ring).iter().map(|hash| hash.0.to_vec()).collect();
    fichad.stop();
    assert!(!found(&bench.state(), &links).is_empty(), "the views hold links in clear");
    let mut scanner = Scanner::new();
    bench.configure(&(one_till(&scanner) + TABLES));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    in_step(&mut register);

    let done = erase(&mut register, &victim, false);
    assert_eq!(done["pending"], json!(["views"]));
    leads_nowhere(&mut register, &mut scanner, &victim);
    let again = erase(&mut register, &victim, true);
    assert_eq!(again["pending"], json!([]));
    leads_nowhere(&mut register, &mut scanner, &victim);

    // Who comes back is a new customer, and is not to be written to.
    let back = write(
        &mut register,
        "customer.enrol",
        json!({ "person": { "givenName": "Ana",
        "telephone": [{ "e164": "600123457" }] } }),
    );
    assert_eq!(back["opted_out"], true);
    assert_ne!(back["customer"], victim.number);
    erase(&mut register, &Victim { number: back["customer"].clone(), ..victim_like(&victim) }, true);
    // The others are as they were.
    scanner.scan(&[&kept_letters]);
    assert_eq!(event(&mut register, "identified")["file"]["customer"], kept);
    let log = fichad.stop();
    let line = log.lines().find(|line| line.contains("a customer was erased")).expect("a line of the log");
    let number = victim.number.as_str().unwrap();
    let who = format!("who={}", nix::unistd::getuid());
    assert!([number, "purpose=Request", &who].iter().all(|part| line.contains(part)), "{line}");
    attack(&bench.state(), &victim);
    attack_copy(&disk, &bench.state(), &victim);
}

#[test]
fn after_a_crash_nothing_leads_to_whoever_was_erased_just_before() {
    let (bench, scanner) = (Bench::new(), Scanner::new());
    bench.configure(&(one_till(&scanner) + TABLES));
    let fichad = bench.start();
    let victim = Victim::enrol(&mut fichad.open("till-1"));
    // What a clean stop has in its views, the next start forgets without the key that it would need.
    fichad.stop();
    let fichad = bench.start();
    assert_eq!(erase(&mut fichad.open("till-1"), &victim, false)["pending"], json!(["views"]));
    fichad.kill();
    let mut scanner = Scanner::new();
    bench.configure(&(one_till(&scanner) + TABLES));
    let fichad = bench.start();
    leads_nowhere(&mut fichad.open("till-1"), &mut scanner, &victim);
    fichad.stop();
}

fn victim_like(victim: &Victim) -> Victim {
    Victim {
        number: Value::Null,
        letters: victim.letters.clone(),
        alias_request: Value::Null,
        enrol_request: Value::Null,
    }
}

pub(super) fn copy(from: &Path, to: &Path) {
    for (path, bytes) in files(from) {
        let path = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn a_restore_of_an_older_moment_brings_nobody_back() {
    for with_keys in [false, true] {
        let (bench, scanner) = (Bench::new(), Scanner::new());
        bench.configure(&(one_till(&scanner) + TABLES));
        let fichad = bench.start();
        let mut register = fichad.open("till-1");
        let victim = Victim::enrol(&mut register);
        fichad.stop();
        let older = tempfile::tempdir().unwrap();
        for folder in ["store", "vault"] {
            copy(&bench.state().join(folder), &older.path().join(folder));
        }
        let older_keys = fs::read(bench.state().join("keys")).unwrap();
        let fichad = bench.start();
        erase(&mut fichad.open("till-1"), &victim, true);
        fichad.stop();

        for folder in ["store", "vault"] {
            fs::remove_dir_all(bench.state().join(folder)).unwrap();
            copy(&older.path().join(folder), &bench.state().join(folder));
        }
        if with_keys {
            fs::write(bench.state().join("keys"), &older_keys).unwrap();
        }
        let mut scanner = Scanner::new();
        bench.configure(&(one_till(&scanner) + TABLES));
        let fichad = bench.start();
        let mut register = fichad.open("till-1");
        leads_nowhere(&mut register, &mut scanner, &victim);
        let log = fichad.stop();
        assert!(log.contains("erasures were carried out again"), "{log}");
        attack(&bench.state(), &victim);
    }
}

#[test]
fn an_absent_second_copy_is_pending_until_it_is_back() {
    let (bench, scanner) = (Bench::new(), Scanner::new());
    let disk = bench.state().with_file_name("second");
    fs::create_dir(&disk).unwrap();
    let tables = format!("{}[vault]\nsecond_dir = \"{}\"\n{TABLES}", one_till(&scanner), disk.display());
    bench.configure(&tables);
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    let second =
        |register: &mut Client| register.call("status", json!({})).unwrap()["keys"]["second_copy"].clone();
    until("the second copy is made", || second(&mut register) == "in_step");
    let victim = Victim::enrol(&mut register);
    fichad.stop();
    let away = disk.with_file_name("away");
    fs::rename(&disk, &away).unwrap();
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    until("the second copy is missed", || second(&mut register) == "pending");
    assert_eq!(erase(&mut register, &victim, true)["pending"], json!(["second_copy"]));
    fichad.kill();

    fs::rename(&away, &disk).unwrap();
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    until("the second copy is back", || second(&mut register) == "in_step");
    assert_eq!(erase(&mut register, &victim, true)["pending"], json!([]));
    fichad.stop();
    for file in ["keys", "keyring/keyring", "keyring/keyring.key", "erasures", "suppressed"] {
        assert!(fs::read(bench.state().join(file)).unwrap() == fs::read(disk.join(file)).unwrap(), "{file}");
    }
    attack(&bench.state(), &victim);
}
