//! The desk over a real store in a temporary folder.

use fichad::decode::classify::Rules;
use fichad::desk::access::{Principal, Role};
use fichad::desk::operator::SignOn;
use fichad::desk::visit::Shown;
use fichad::desk::{Desk, Opened, Printers, Settings, contact, points};
use fichad::domain::code::Programme;
use fichad::domain::id::{CardId, CustomerNumber, JobId, PrinterName, ReaderName, RegisterName};
use fichad::domain::refusal::{Refusal, RefusalCode};
use fichad::domain::settings::read_text;
use fichad::domain::time::{Clock, Timestamp, Uptime};
use fichad::identify::{Directory, Found};
use fichad::log::{Digest, Folds, Half, Log};
use fichad::print::CardFace;
use fichad::store::StoreFold;
use fichad::vault::kek::{KeySource, create_key_file};
use fichad::vault::keyring::Keyring;
use fichad::vault::keys::{KeyFile, os_random};
use fichad::vault::lists::Lists;
use fichad::vault::{NOTES_MAX, Vault, VaultFold};
use serde_json::{Value, json, value::to_raw_value};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;
use uuid::Uuid;

mod audit;
mod breach;
mod cards;
mod consents;
mod contacts;
mod contests;
mod credits;
mod erasures;
mod explain;
mod held;
mod import;
mod ledger;
mod levels;
mod lost;
mod merged;
mod merges;
mod notes;
mod operators;
mod order;
mod persons;
mod plans;
mod recalls;
mod repeats;
mod returns;
mod rewards;
mod sales;
mod service;
mod surveys;
mod tenders;
mod visits;
mod worth;

/// A clock that a test moves by hand.
#[derive(Default)]
struct TestClock(Mutex<Duration>);

impl Clock for TestClock {
    fn uptime(&self) -> Uptime {
        *self.0.lock().unwrap()
    }
    fn utc(&self) -> Timestamp {
        Timestamp(1_800_000_000_000_000).after(self.uptime())
    }
}

/// Keeps the faces it is given, as paper would, until it is taken away; and which jobs were to be taken back.
#[derive(Default)]
struct Tray(Mutex<Vec<CardFace>>, AtomicBool, Mutex<Vec<JobId>>);

impl Printers for Tray {
    fn list(&self) -> Vec<(PrinterName, String)> {
        let here = self.usual(None).map(|printer| (printer, "ready".to_owned()));
        here.into_iter().collect()
    }
    fn usual(&self, _: Option<&RegisterName>) -> Option<PrinterName> {
        let gone = self.1.load(Ordering::Relaxed);
        PrinterName::new("counter").ok().filter(|_| !gone)
    }
    fn allows(&self, _: &PrinterName, _: Option<&RegisterName>) -> bool {
        true
    }
    fn submit(
        &self,
        _: &PrinterName,
        _: Option<&RegisterName>,
        _: JobId,
        face: CardFace,
    ) -> Result<(), Refusal> {
        self.0.lock().unwrap().push(face);
        Ok(())
    }
    fn cancel(&self, _: &PrinterName, job: JobId) -> Result<(), Refusal> {
        self.2.lock().unwrap().push(job);
        Err(Refusal::new(RefusalCode::Conflict, "it is printed already"))
    }
}

struct Shop {
    desk: Desk,
    clock: Arc<TestClock>,
    tray: Arc<Tray>,
    runtime: tokio::runtime::Runtime,
}

fn open(dir: &Path, locked: bool, clock: Arc<TestClock>) -> Opened {
    let (kek_file, keyring) = (dir.join("vault.key"), dir.join("keyring"));
    if !kek_file.exists() {
        create_key_file(&kek_file, os_random).unwrap();
        std::fs::create_dir(&keyring).unwrap();
        Keyring::create(&keyring, os_random).unwrap();
        KeyFile::create(&dir.join("keys"), &KeySource::File(kek_file.clone()).load(None).unwrap(), os_random)
            .unwrap();
    }
    let keys = (!locked).then(|| {
        let kek = KeySource::File(kek_file).load(None).unwrap();
        let keys = KeyFile::open(&dir.join("keys"), &kek, os_random).unwrap();
        keys.refill().unwrap();
        keys
    });
    let vault = Arc::new(Vault::new(keys, Keyring::open(&keyring).unwrap(), Lists::open(dir, None).unwrap()));
    let folds = Folds { personal: Arc::new(VaultFold(Arc::clone(&vault))), neutral: Arc::new(StoreFold) };
    let utc = Arc::new(move || clock.utc().0);
    let (log, _) = Log::open(fichad::log::Settings::new(dir), folds, utc).unwrap();
    Opened { log, vault }
}

fn shop_in(dir: &Path, locked: bool) -> Shop {
    shop_with(dir, locked, contact::Settings::default())
}

fn shop_with(dir: &Path, locked: bool, contact: contact::Settings) -> Shop {
    shop_set(dir, locked, |settings| settings.contact = contact)
}

fn shop_set(dir: &Path, locked: bool, set: impl FnOnce(&mut Settings)) -> Shop {
    let tray = Arc::new(Tray::default());
    let mut settings = Settings {
        shop: Some("Casa Prueba".to_owned()),
        calling_code: "34".parse().ok(),
        rules: read_text("[[alias]]\nname = 'old-cards'\nprefix = '29'\nlength = 13", Rules::read).unwrap().0,
        points: points::Settings {
            earn: read_text("[[earn]]\npoints = 1\nper = 100\ncurrency = 'EUR'", points::read_earn)
                .unwrap()
                .0,
            ..read_text("expire_months = 1\nhold_minutes = 15\nearn_max = 10000", points::Settings::read)
                .unwrap()
                .0
        },
        ..Settings::default()
    };
    set(&mut settings);
    let clock = Arc::new(TestClock::default());
    let desk = Desk::new(settings, clock.clone(), tray.clone());
    desk.open(open(dir, locked, Arc::clone(&clock)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    Shop { desk, clock, tray, runtime }
}

impl Shop {
    fn call_as(&self, roles: &[Role], method: &str, params: &Value) -> Result<Value, Refusal> {
        let who = Principal { uid: 1000, pid: None, roles: roles.iter().copied().collect::<BTreeSet<_>>() };
        let params = to_raw_value(params).unwrap();
        let register = RegisterName::new("till-1").unwrap();
        let (register, sign_on) = (Some(&register), SignOn::default());
        self.runtime.block_on(self.desk.call(&who, register, &sign_on, method, Some(&params)))
    }

    fn call(&self, method: &str, params: &Value) -> Result<Value, Refusal> {
        self.call_as(&[Role::Register, Role::Desk], method, params)
    }

    fn enrol(&self, given: &str, family: &str, phone: &str) -> Value {
        let person = json!({ "givenName": given, "familyName": family, "telephone": [{ "e164": phone }] });
        let done = self.call("customer.enrol", &json!({ "key": Uuid::new_v4(), "person": person })).unwrap();
        done["customer"].clone()
    }

    /// What all views of both halves come to.
    fn digests(&self) -> [Digest; 2] {
        let views = self.desk.opened().unwrap().log.views();
        [Half::Personal, Half::Neutral].map(|half| views.digest(half).unwrap())
    }

    /// What a scan of the last printed card finds.
    fn scan_last(&self) -> Option<Found> {
        let face = self.tray.0.lock().unwrap().last().unwrap().clone();
        let ours = Programme::default();
        let fichad::domain::code::Parsed::Valid(key) =
            fichad::domain::code::parse(face.letters.as_bytes(), ours)
        else {
            panic!("the printed letters are no code of ours")
        };
        self.desk.card(&key).unwrap()
    }
}

fn with_key(mut params: Value) -> Value {
    params["key"] = json!(Uuid::new_v4());
    params
}

#[test]
fn a_printed_card_leads_to_its_customer_until_it_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("María", "García", "600 123 456");
    let first = shop.call("card.print", &with_key(json!({ "customer": customer }))).unwrap();
    assert_eq!(json!(shop.scan_last().unwrap().customer.customer), customer);
    let face = shop.tray.0.lock().unwrap()[0].clone();
    assert_eq!((face.title.as_deref(), face.name.as_deref()), (Some("Casa Prueba"), Some("María García")));

    let lost = json!({ "customer": customer, "card": first["card"], "reason": "LOST" });
    let blocked = shop.call("card.block", &with_key(lost.clone())).unwrap();
    assert_eq!(blocked["status"], "BLOCKED");
    let refused = shop.call("card.block", &with_key(lost.clone())).unwrap_err();
    assert_eq!(refused.code, RefusalCode::Conflict);
    assert_eq!(shop.scan_last().unwrap().status.word(), "BLOCKED");

    shop.call("card.replace", &with_key(lost)).unwrap();
    assert_eq!(shop.scan_last().unwrap().status.word(), "ACTIVE");
    let cards = shop.call("card.list", &json!({ "customer": customer })).unwrap();
    let states: Vec<&str> =
        cards["cards"].as_array().unwrap().iter().map(|card| card["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["REPLACED", "ACTIVE"]);
}

/// What a scan of `customer`'s card opens at `till-1`.
fn shown(shop: &Shop, customer: &Value, card: &Value) -> Shown {
    let id = |value: &Value| serde_json::from_value(value.clone()).unwrap();
    Shown {
        visit: shop.desk.new_visit().unwrap(),
        customer: CustomerNumber(id(customer)),
        card: CardId(id(card)),
        register: RegisterName::new("till-1").unwrap(),
        reader: ReaderName::new("counter").unwrap(),
        repeat_of: None,
    }
}

#[test]
fn a_visit_can_be_ended_the_moment_its_register_hears_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let card = shop.call("card.print", &with_key(json!({ "customer": customer }))).unwrap()["card"].clone();
    let shown = shown(&shop, &customer, &card);
    let who = Principal { uid: 1000, pid: None, roles: BTreeSet::from([Role::Register]) };
    let register = RegisterName::new("till-1").unwrap();
    let params = to_raw_value(&with_key(json!({ "visit": shown.visit }))).unwrap();
    let sign_on = SignOn::default();
    let ask = shop.desk.call(&who, Some(&register), &sign_on, "customer.dismiss", Some(&params));
    let mut dismiss = Box::pin(ask);
    // The register answers while the frame is still being handed to others.
    let pending = shop.desk.record_visit(shown.clone(), || {
        let mut context = Context::from_waker(Waker::noop());
        assert!(dismiss.as_mut().poll(&mut context).is_pending());
        None
    });
    pending.unwrap().wait().unwrap();
    let dismissed = shop.runtime.block_on(dismiss).unwrap();
    assert_eq!(dismissed["visit"], json!(shown.visit));
}

#[test]
fn a_till_ends_its_own_visits_only() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let open =
        || shop.call("file.open", &with_key(json!({ "customer": customer }))).unwrap()["visit"].clone();
    let (other, own) = (RegisterName::new("till-2").unwrap(), RegisterName::new("till-1").unwrap());
    let dismiss = |roles: &[Role], register: Option<&RegisterName>, visit: &Value| {
        let who = Principal { uid: 1000, pid: None, roles: roles.iter().copied().collect() };
        let params = to_raw_value(&with_key(json!({ "visit": visit }))).unwrap();
        let sign_on = SignOn::default();
        shop.runtime.block_on(shop.desk.call(&who, register, &sign_on, "customer.dismiss", Some(&params)))
    };
    let visit = open();
    for register in [Some(&other), None] {
        for role in [Role::Register, Role::Desk] {
            let refused = dismiss(&[role], register, &visit).unwrap_err();
            assert_eq!((refused.code, refused.field.as_deref()), (RefusalCode::Forbidden, Some("visit")));
        }
    }
    dismiss(&[Role::Register], Some(&own), &visit).unwrap();
    let visit = open();
    dismiss(&[Role::Manager], None, &visit).unwrap();
}

#[test]
fn a_request_is_carried_out_once_for_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let enrol = with_key(json!({ "person": { "givenName": "Ana" } }));
    let first = shop.call("customer.enrol", &enrol).unwrap();
    let again = shop.call("customer.enrol", &enrol).unwrap();
    assert_eq!((first["customer"].clone(), false), (again["customer"].clone(), first["repeated"] == true));
    assert_eq!(again["repeated"], true);
    let mut other = enrol;
    other["person"]["givenName"] = json!("Eva");
    let refused = shop.call("customer.enrol", &other).unwrap_err();
    assert_eq!((refused.code, refused.field.as_deref()), (RefusalCode::Conflict, Some("key")));

    let print = with_key(json!({ "customer": first["customer"], "printer": "counter" }));
    let mut printed = shop.call("card.print", &print).unwrap();
    printed["repeated"] = json!(true);
    assert_eq!(shop.call("card.print", &print).unwrap(), printed);
    shop.tray.1.store(true, Ordering::Relaxed);
    assert_eq!(shop.call("card.print", &print).unwrap(), printed, "the printer is gone, the outcome is not");
    assert_eq!(shop.tray.0.lock().unwrap().len(), 1, "a retry prints no second card");
}

#[test]
fn people_are_found_by_what_they_say_and_shown_masked() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let maria = shop.enrol("María", "García López", "600 123 456");
    shop.enrol("Mario", "Gil", "600 654 321");
    let find = |by: &str, what: &str| shop.call("customer.find", &json!({ by: what })).unwrap();
    for (by, what) in
        [("phone", "+34600123456"), ("name", "garcia"), ("name", "lópez maria"), ("name", "GARC")]
    {
        let found = find(by, what);
        assert_eq!(found["rows"].as_array().unwrap().len(), 1, "{by} {what}");
        assert_eq!(found["rows"][0]["customer"], maria, "{by} {what}");
        let row = found["rows"][0].to_string();
        assert!(!row.contains("García") && !row.contains("600123456"), "a row is masked");
    }
    assert_eq!(find("name", "mari")["rows"].as_array().unwrap().len(), 2);
    let both = find("name", "mari g")["rows"].as_array().unwrap().len();
    assert_eq!(both, 2, "a beginning that is too short for the index is compared all the same");
    assert_eq!(find("name", "mario ga")["rows"], json!([]));
    assert_eq!(find("name", "garnett")["rows"], json!([]));
    let refused = shop.call("customer.find", &json!({ "name": "a", "phone": "b" })).unwrap_err();
    assert_eq!(refused.code, RefusalCode::InvalidParams);
}

#[test]
fn a_name_that_many_have_is_found_with_one_that_few_have() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let wanted = shop.enrol("María", "Zurbano", "600 000 001");
    for number in 2..60 {
        shop.enrol("María", "Gil", &format!("600 000 {number:03}"));
    }
    let find = |name: &str| shop.call("customer.find", &json!({ "name": name })).unwrap();
    let found = find("maria zurbano");
    assert_eq!((found["rows"][0]["customer"].clone(), found["more"].clone()), (wanted, json!(false)));
    assert_eq!(find("maria")["more"], true);
}

#[test]
fn searches_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let mut refused = None;
    for _ in 0..=fichad::desk::SEARCHES_MAX {
        refused = shop.call("customer.find", &json!({ "name": "nobody" })).err();
    }
    assert_eq!(refused.unwrap().code, RefusalCode::Busy);
}

#[test]
fn an_issue_shows_at_the_till_until_it_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let open = json!({
        "customer": customer, "kind": "WARRANTY", "hint": "drum replaced, customer collects",
        "product": { "gtin": "4006381333931", "model": "WM-14", "serial": "4111111111111111" },
    });
    let issue = shop.call("issue.open", &with_key(open)).unwrap()["issue"].clone();
    let file = shop.call("file.open", &with_key(json!({ "customer": customer }))).unwrap();
    assert_eq!(file["file"]["name"], "Ana Sanz");
    assert_eq!(file["file"]["issues"][0]["hint"], "drum replaced, customer collects");
    assert_eq!(file["file"]["issues"][0]["model"], "WM-14");

    let skip = json!({ "issue": issue, "state": "FOLLOW_UP" });
    assert_eq!(shop.call("issue.update", &with_key(skip)).unwrap_err().code, RefusalCode::Conflict);
    let closed = shop.call("issue.close", &with_key(json!({ "issue": issue }))).unwrap();
    assert_eq!(closed["state"], "CLOSED");
    let file = shop.call("file.open", &with_key(json!({ "customer": customer }))).unwrap();
    assert_eq!((file["file"]["issues_open"].clone(), file["file"]["issues"].clone()), (json!(0), json!([])));
    let listed = shop.call("issue.list", &json!({ "customer": customer })).unwrap();
    assert_eq!(listed["issues"][0]["state"], "CLOSED");
}

/// Does `work` `count` times on threads of their own: what is asked for together is synced together.
fn at_once(count: usize, work: impl Fn(usize) + Sync) {
    std::thread::scope(|scope| {
        for number in 0..count {
            scope.spawn({
                let work = &work;
                move || work(number)
            });
        }
    });
}

#[test]
fn the_newest_notes_and_issues_come_first_and_the_oldest_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let later = || *shop.clock.0.lock().unwrap() += Duration::from_secs(1);
    let keep = |text: &str| {
        later();
        shop.call("note.keep", &with_key(json!({ "customer": customer, "text": text })))
    };
    at_once(NOTES_MAX - 1, |_| drop(keep("an old note").unwrap()));
    keep("the newest").unwrap();
    let refused = keep("one more").unwrap_err();
    assert_eq!(refused.code, RefusalCode::Conflict);
    assert!(refused.message.starts_with(&format!("{NOTES_MAX} notes")), "{refused}");
    assert!(refused.message.contains("`note.remove`"), "{refused}");
    let shown = shop.call("customer.show", &json!({ "customer": customer })).unwrap();
    let notes = shown["notes"].as_array().unwrap();
    assert_eq!((&notes[0], notes.len()), (&json!("the newest"), 50));

    let open = || {
        later();
        let issue = json!({ "customer": customer, "kind": "REPAIR" });
        shop.call("issue.open", &with_key(issue)).unwrap()["issue"].clone()
    };
    // One more than `issue.list` gives, the last four of them open.
    for _ in 0..13 {
        at_once(8, |_| drop(shop.call("issue.close", &with_key(json!({ "issue": open() }))).unwrap()));
    }
    let newest: Vec<Value> = [open(), open(), open(), open()].into_iter().rev().collect();
    let listed = shop.call("issue.list", &json!({ "customer": customer })).unwrap();
    let listed: Vec<&Value> = listed["issues"].as_array().unwrap().iter().map(|row| &row["issue"]).collect();
    assert_eq!((listed.len(), listed[..4].to_vec()), (100, newest.iter().collect()));
    let file = shop.call("file.open", &with_key(json!({ "customer": customer }))).unwrap();
    let shown: Vec<&Value> =
        file["file"]["issues"].as_array().unwrap().iter().map(|line| &line["issue"]).collect();
    let oldest_of_them = [&newest[3], &newest[2], &newest[1]];
    assert_eq!(shown, oldest_of_them, "a till sees what presses: of the same grade, what was opened first");
}

#[test]
fn payment_cards_are_refused_in_every_free_text() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let text = "paid with 4111 1111 1111 1111";
    const CARD: &str = "4111111111111111";
    let line = |mut article: Value| {
        let amounts = json!({ "quantity": 1000, "unit_price": 100, "amount": 100 });
        article.as_object_mut().unwrap().extend(amounts.as_object().unwrap().clone());
        article
    };
    let tenders = json!([{ "kind": "CASH", "amount": 100 }]);
    let receipt = |number: &str, article: Value| json!({ "number": number, "day": "2027-01-15", "currency": "EUR", "lines": [line(article)], "tenders": tenders, "total": 100 });
    let sale = |number: &str, article: Value| json!({ "receipt": receipt(number, article) });
    let lost = |mut article: Value| {
        article["quantity"] = json!(1000);
        json!({ "kind": "ASKED_OUT_OF_STOCK", "reason": "NOT_IN_STOCK", "items": [article] })
    };
    let sold = shop.call("sale.record", &with_key(sale("1", json!({})))).unwrap()["sale"].clone();
    let of_return = json!({ "number": CARD, "day": "2027-01-15", "tenders": tenders });
    let exchange = json!({ "sale": sold, "receipt": receipt(CARD, json!({})), "refund": [] });
    for (method, params, field) in [
        ("note.keep", json!({ "customer": customer, "text": text }), "text"),
        ("preference.set", json!({ "customer": customer, "name": "pays", "value": text }), "value"),
        ("issue.open", json!({ "customer": customer, "kind": "COMPLAINT", "hint": text }), "hint"),
        ("customer.enrol", json!({ "person": { "givenName": text } }), "person.givenName"),
        (
            "issue.open",
            json!({ "customer": customer, "kind": "REPAIR", "product": { "model": text } }),
            "product.model",
        ),
        ("lost.record", lost(json!({ "model": text })), "items[0].model"),
        ("sale.record", sale("7", json!({ "model": text })), "receipt.lines[0].model"),
        (
            "sale.park",
            json!({ "basket": { "currency": "EUR", "lines": [line(json!({ "model": text }))], "total": 100 } }),
            "basket.lines[0].model",
        ),
        // Numbers of the shop's own are judged whole.
        ("sale.record", sale("7", json!({ "sku": CARD })), "receipt.lines[0].sku"),
        ("sale.record", sale("7", json!({ "sku": "4111-1111-1111-1111" })), "receipt.lines[0].sku"),
        ("lost.record", lost(json!({ "sku": CARD })), "items[0].sku"),
        ("sale.record", sale(CARD, json!({})), "receipt.number"),
        ("sale.return", json!({ "sale": sold, "receipt": of_return }), "receipt.number"),
        ("sale.exchange", exchange, "receipt.number"),
    ] {
        let refused = shop.call(method, &with_key(params)).unwrap_err();
        assert_eq!(
            (refused.code, refused.field.as_deref()),
            (RefusalCode::InvalidParams, Some(field)),
            "{method}"
        );
        assert!(!refused.to_string().contains("4111"), "{method}");
    }
    // Serial numbers are their makers', and an IMEI always passes the check; a letter tells a number of the shop's own from a card.
    for (number, article) in [
        ("8", json!({ "serial": CARD, "sku": "A4111111111111111" })),
        ("A4111111111111111", json!({ "gtin": "4006381333931", "sku": "4006381333931" })),
    ] {
        shop.call("sale.record", &with_key(sale(number, article))).unwrap();
    }
}

#[test]
fn an_imported_card_is_linked_only_under_a_rule_that_takes_it() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let issue = |programme: &str, code: &str| {
        let alias = json!({ "programme": programme, "code": code });
        shop.call("card.issue", &with_key(json!({ "customer": customer, "alias": alias })))
    };
    let field = |programme: &str, code: &str| issue(programme, code).unwrap_err().field;
    assert_eq!(field("no-such", "2912345678901").as_deref(), Some("alias.programme"));
    assert_eq!(field("old-cards", "4539578763621486").as_deref(), Some("alias.code"), "a payment card");
    assert_eq!(field("gsrn", "123456789012345670").as_deref(), Some("alias.code"), "a wrong check digit");
    issue("gsrn", "123456789012345675").unwrap();
    issue("old-cards", "2912345678901").unwrap();
    assert_eq!(
        issue("old-cards", "2912345678901").unwrap_err().code,
        RefusalCode::Conflict,
        "linked already"
    );
}

#[test]
fn roles_keep_registers_out_of_the_desk() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_in(dir.path(), false);
    let customer = shop.enrol("Ana", "Sanz", "+34911111111");
    let show = json!({ "customer": customer });
    assert_eq!(
        shop.call_as(&[Role::Register], "customer.show", &show).unwrap_err().code,
        RefusalCode::Forbidden
    );
    assert_eq!(shop.call_as(&[], "customer.find", &show).unwrap_err().code, RefusalCode::Forbidden);
    let shown = shop.call_as(&[Role::Desk], "customer.show", &show).unwrap();
    assert_eq!(shown["person"]["familyName"], "Sanz");
    assert_eq!(shop.call("no.such", &show).unwrap_err().code, RefusalCode::UnknownMethod);
}

#[test]
fn a_locked_vault_answers_cards_without_names_and_refuses_new_persons() {
    let dir = tempfile::tempdir().unwrap();
    let customer = {
        let shop = shop_in(dir.path(), false);
        let customer = shop.enrol("Ana", "Sanz", "+34911111111");
        shop.call("card.print", &with_key(json!({ "customer": customer }))).unwrap();
        customer
    };
    let shop = shop_in(dir.path(), true);
    let file = shop.call("file.open", &with_key(json!({ "customer": customer }))).unwrap();
    assert_eq!(
        (file["file"]["name"].clone(), file["file"]["vault_locked"].clone()),
        (Value::Null, json!(true))
    );
    let refused = shop.call("customer.enrol", &with_key(json!({ "person": { "givenName": "Eva" } })));
    assert_eq!(refused.unwrap_err().code, RefusalCode::Locked);
}

#[test]
fn nothing_of_a_person_or_a_code_is_in_any_file_in_clear() {
    let dir = tempfile::tempdir().unwrap();
    let letters = {
        let shop = shop_in(dir.path(), false);
        let customer = shop.enrol("Xiomara", "Quijote", "600 123 456");
        shop.call("card.print", &with_key(json!({ "customer": customer }))).unwrap();
        let hint = json!({ "customer": customer, "kind": "COMPLAINT", "hint": "zanahoria" });
        shop.call("issue.open", &with_key(hint)).unwrap();
        let note = json!({ "customer": customer, "text": "berenjena" });
        shop.call("note.keep", &with_key(note)).unwrap();
        shop.tray.0.lock().unwrap()[0].letters.clone()
    };
    let mut files = 0;
    let mut folders = vec![dir.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let bytes = std::fs::read(&path).unwrap();
            for secret in
                ["Xiomara", "Quijote", "quijote", "600123456", "zanahoria", "berenjena", letters.as_str()]
            {
                let there = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
                assert!(!there, "{secret} stands in {}", path.display());
            }
        }
    }
    assert!(files > 6, "only {files} files were searched");
}
