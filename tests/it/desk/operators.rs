//! Operators: several people at one account.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use fichad::desk::operator::{LOCK_FIRST, LOCK_MAX, WRONG_MAX};
use fichad::domain::event::StoreEvent;
use sha2::{Digest as _, Sha256};

const PIN: &str = "48291537";

#[test]
fn mistakes_in_the_config_are_named() {
    let wrong =
        fichad::config::parse("[operators]\nrequired = 1\nidle_minutes = 1441\nidle = 3").unwrap_err();
    let keys: Vec<&str> = wrong.iter().map(|mistake| mistake.key.as_str()).collect();
    assert_eq!(keys, ["operators.required", "operators.idle_minutes", "operators.idle"]);
    let config = fichad::config::parse("[operators]\nrequired = true\nidle_minutes = 20").unwrap();
    let idle = Some(Duration::from_mins(20));
    assert_eq!((config.shop.operators.required, config.shop.operators.idle), (true, idle));
}

/// A session of one account.
struct Session<'a> {
    shop: &'a Shop,
    who: Principal,
    register: RegisterName,
    sign_on: SignOn,
}

impl Session<'_> {
    fn call(&self, method: &str, params: &Value) -> Result<Value, Refusal> {
        let params = to_raw_value(params).unwrap();
        let asked =
            self.shop.desk.call(&self.who, Some(&self.register), &self.sign_on, method, Some(&params));
        self.shop.runtime.block_on(asked)
    }

    fn sign_on(&self, operator: &str, pin: &str) -> Result<Value, Refusal> {
        self.call("operator.sign_on", &json!({ "operator": operator, "pin": pin }))
    }

    fn operator(&self) -> Value {
        self.call("operator.whoami", &json!({})).unwrap()["operator"].clone()
    }
}

impl Shop {
    fn session(&self, uid: u32, roles: &[Role]) -> Session<'_> {
        let who = Principal { uid, pid: None, roles: roles.iter().copied().collect() };
        let register = RegisterName::new("till-1").unwrap();
        Session { shop: self, who, register, sign_on: SignOn::default() }
    }

    fn till(&self) -> Session<'_> {
        self.session(1000, &[Role::Register])
    }

    /// As the manager, whose account is another.
    fn set_operator(&self, params: Value) -> Result<Value, Refusal> {
        self.session(900, &[Role::Manager]).call("operator.set", &with_key(params))
    }

    fn later(&self, by: Duration) {
        let mut now = self.clock.0.lock().unwrap();
        *now = now.saturating_add(by);
    }
}

fn shop_of_two(dir: &Path, required: bool, idle: Option<Duration>) -> Shop {
    let shop = shop_set(dir, false, |settings| {
        settings.operators.required = required;
        settings.operators.idle = idle;
    });
    shop.set_operator(json!({ "operator": "A7", "pin": PIN })).unwrap();
    shop.set_operator(json!({ "operator": "B2", "pin": "0000" })).unwrap();
    shop
}

#[test]
fn a_right_pin_signs_on_and_a_wrong_one_says_no_more_than_an_unknown_operator() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_of_two(dir.path(), false, None);
    let till = shop.till();
    assert_eq!(till.operator(), Value::Null);
    let wrong = till.sign_on("A7", "1111").unwrap_err();
    let unknown = till.sign_on("Z9", PIN).unwrap_err();
    assert_eq!((wrong.code, &wrong.message), (RefusalCode::Forbidden, &unknown.message));
    assert_eq!((unknown.code, &wrong.field, &unknown.field), (RefusalCode::Forbidden, &None, &None));
    assert_eq!(till.operator(), Value::Null);

    assert_eq!(till.sign_on("A7", PIN).unwrap(), json!({ "operator": "A7", "until": null }));
    let who = till.call("operator.whoami", &json!({})).unwrap();
    let wanted =
        json!({ "uid": 1000, "roles": ["register"], "register": "till-1", "operator": "A7", "until": null });
    assert_eq!(who, wanted);
    till.sign_on("B2", "1111").unwrap_err();
    assert_eq!(till.operator(), "A7", "who was signed on stays so");
    till.sign_on("B2", "0000").unwrap();
    assert_eq!(till.operator(), "B2");
    assert_eq!(shop.till().operator(), Value::Null, "one session's, nobody else's");
    assert_eq!(till.call("operator.sign_off", &json!({})).unwrap(), json!({ "operator": "B2" }));
    assert_eq!(till.operator(), Value::Null);

    for (operator, pin, field) in
        [("Ana Ruiz", PIN, "operator"), ("A7", "123", "pin"), ("A7", "12345678901234", "pin")]
    {
        let refused = till.sign_on(operator, pin).unwrap_err();
        assert_eq!((refused.code, refused.field.as_deref()), (RefusalCode::InvalidParams, Some(field)));
        assert!(!refused.message.contains(pin) && !refused.message.contains("Ana"), "{refused}");
    }
}

#[test]
fn whoever_was_let_go_or_given_another_pin_is_signed_on_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_of_two(dir.path(), false, None);
    let till = shop.till();
    till.sign_on("A7", PIN).unwrap();
    shop.set_operator(json!({ "operator": "A7", "active": true })).unwrap();
    assert_eq!(till.operator(), "A7", "nothing has changed");
    shop.set_operator(json!({ "operator": "A7", "active": false, "pin": null })).unwrap();
    assert_eq!(till.operator(), Value::Null);
    assert_eq!(till.sign_on("A7", PIN).unwrap_err().code, RefusalCode::Forbidden);
    shop.set_operator(json!({ "operator": "A7", "active": true })).unwrap();
    till.sign_on("A7", PIN).unwrap();
    shop.set_operator(json!({ "operator": "A7", "pin": "777777" })).unwrap();
    assert_eq!(till.operator(), Value::Null, "the PIN that it was done with is another's by now");
    assert_eq!(till.sign_on("A7", PIN).unwrap_err().code, RefusalCode::Forbidden);
    till.sign_on("A7", "777777").unwrap();

    let rows = shop.session(900, &[Role::Manager]).call("operator.list", &json!({})).unwrap()["rows"].clone();
    let row = |at: usize, name: &str| rows[at][name].clone();
    assert_eq!(
        (row(0, "operator"), row(0, "active"), row(0, "set_by")),
        (json!("A7"), json!(true), json!(900))
    );
    assert_eq!((row(1, "operator"), row(2, "operator")), (json!("B2"), Value::Null));
    assert!(!rows.to_string().contains("pin"), "{rows}");
    let refused = shop.till().call("operator.list", &json!({})).unwrap_err();
    assert_eq!(refused.code, RefusalCode::Forbidden);
    let new = shop.set_operator(json!({ "operator": "C3" })).unwrap_err();
    assert_eq!(new.field.as_deref(), Some("pin"), "a new operator needs one");
}

#[test]
fn the_same_key_sets_one_pin_once() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_of_two(dir.path(), false, None);
    let manager = shop.session(900, &[Role::Manager]);
    let set = |key: Uuid, pin: &str| {
        manager.call("operator.set", &json!({ "key": key, "operator": "A7", "pin": pin }))
    };
    let key = Uuid::new_v4();
    assert_eq!(set(key, "2468").unwrap()["repeated"], false);
    assert_eq!(set(key, "2468").unwrap()["repeated"], true);
    assert_eq!(set(key, "2469").unwrap_err().code, RefusalCode::Conflict);
    set(Uuid::new_v4(), "1357").unwrap();
    set(key, "2468").unwrap();
    shop.till().sign_on("A7", "1357").unwrap();
}

#[test]
fn wrong_pins_lock_for_ever_longer_whoever_tries_and_whatever_it_is_called() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_of_two(dir.path(), false, None);
    for operator in ["A7", "nobody"] {
        for _ in 0..WRONG_MAX {
            // Each by a session of its own: it is the operator that is locked.
            assert_eq!(shop.till().sign_on(operator, "1111").unwrap_err().code, RefusalCode::Forbidden);
        }
        let locked = shop.till().sign_on(operator, PIN).unwrap_err();
        assert_eq!(locked.code, RefusalCode::Busy, "also with the right one");
        assert!(locked.message.contains("61 s") || locked.message.contains("60 s"), "{locked}");
    }
    shop.till().sign_on("B2", "0000").unwrap();
    shop.later(LOCK_FIRST);
    assert_eq!(shop.till().sign_on("A7", "1111").unwrap_err().code, RefusalCode::Forbidden);
    shop.later(LOCK_FIRST);
    assert_eq!(shop.till().sign_on("A7", PIN).unwrap_err().code, RefusalCode::Busy, "twice as long");
    shop.later(LOCK_FIRST);
    shop.till().sign_on("A7", PIN).unwrap();
    assert_eq!(shop.till().sign_on("A7", "1111").unwrap_err().code, RefusalCode::Forbidden);
    shop.till().sign_on("A7", PIN).unwrap();

    // One session that goes through the operators is locked itself, and nobody else.
    let guessing = shop.till();
    for number in 0..WRONG_MAX {
        guessing.sign_on(&format!("x{number}"), "1111").unwrap_err();
    }
    assert_eq!(guessing.sign_on("A7", PIN).unwrap_err().code, RefusalCode::Busy);
    shop.till().sign_on("A7", PIN).unwrap();
    shop.later(LOCK_MAX);
    guessing.sign_on("A7", PIN).unwrap();

    // Another PIN from the manager ends the wait.
    for _ in 0..WRONG_MAX {
        shop.till().sign_on("B2", "1111").unwrap_err();
    }
    shop.set_operator(json!({ "operator": "B2", "pin": "2222" })).unwrap();
    shop.till().sign_on("B2", "2222").unwrap();
}

#[test]
fn many_tries_at_once_are_no_more_than_one_after_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_of_two(dir.path(), false, None);
    let who = shop.till().who;
    let sessions: Vec<SignOn> = (0..20).map(|_| SignOn::default()).collect();
    let params = to_raw_value(&json!({ "operator": "A7", "pin": "1111" })).unwrap();
    let mut asked: Vec<_> = sessions
        .iter()
        .map(|session| Box::pin(shop.desk.call(&who, None, session, "operator.sign_on", Some(&params))))
        .collect();
    let busy = asked.iter_mut().filter_map(|asked| {
        match asked.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            std::task::Poll::Ready(answer) => Some(answer.unwrap_err().code),
            std::task::Poll::Pending => None,
        }
    });
    let _in = shop.runtime.enter();
    let busy: Vec<RefusalCode> = busy.collect();
    assert_eq!(busy, vec![RefusalCode::Busy; 20 - usize::try_from(WRONG_MAX).unwrap()]);
}

#[test]
fn a_till_that_rests_signs_its_operator_off() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_of_two(dir.path(), false, Some(Duration::from_mins(10)));
    let till = shop.till();
    let on = till.sign_on("A7", PIN).unwrap();
    assert_eq!(on["until"], json!(shop.clock.utc().after(Duration::from_mins(10)).rfc3339()));
    for _ in 0..3 {
        shop.later(Duration::from_mins(9));
        assert_eq!(till.operator(), "A7", "each request counts");
    }
    shop.later(Duration::from_mins(10));
    assert_eq!(till.operator(), Value::Null);
}

#[test]
fn where_it_is_required_a_till_writes_nothing_until_somebody_signs_on() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_of_two(dir.path(), true, None);
    let person = json!({ "givenName": "Ana", "familyName": "Ruiz" });
    let till = shop.till();
    let enrol = with_key(json!({ "person": person }));
    let refused = till.call("customer.enrol", &enrol).unwrap_err();
    assert_eq!(
        (refused.code, &*refused.message),
        (RefusalCode::Forbidden, "sign on first: `operator.sign_on`")
    );
    let job = till.call("job.cancel", &json!({ "job": Uuid::new_v4() })).unwrap_err();
    assert_eq!(job.code, RefusalCode::Forbidden);
    till.call("customer.find", &json!({ "name": "ana" })).unwrap();
    till.sign_on("A7", PIN).unwrap();
    let customer = till.call("customer.enrol", &enrol).unwrap()["customer"].clone();
    till.call("operator.sign_off", &json!({})).unwrap();
    let dismissed = till.call("file.open", &with_key(json!({ "customer": customer }))).unwrap_err();
    assert_eq!(dismissed.code, RefusalCode::Forbidden);
    // The desk's own accounts are persons already.
    let desk = shop.session(1001, &[Role::Register, Role::Desk]);
    desk.call("file.open", &with_key(json!({ "customer": customer }))).unwrap();
}

#[test]
fn what_was_read_and_done_names_the_operator() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_of_two(dir.path(), false, None);
    let ana = shop.enrol("Ana", "Ruiz", "+34600111222");
    let (one, other) = (shop.session(1000, &[Role::Desk]), shop.session(1000, &[Role::Desk]));
    one.sign_on("A7", PIN).unwrap();
    other.sign_on("B2", "0000").unwrap();
    one.call("customer.show", &json!({ "customer": ana })).unwrap();
    other.call("customer.find", &json!({ "name": "ana" })).unwrap();
    shop.till().call("customer.find", &json!({ "name": "ana" })).unwrap();
    let rows = |params: Value| {
        let answer = shop.call_as(&[Role::Auditor], "audit.list", &params).unwrap();
        let rows = answer["rows"].as_array().unwrap().clone();
        rows.iter().map(|row| (row["method"].clone(), row["operator"].clone())).collect::<Vec<_>>()
    };
    let (found, shown) = (json!("customer.find"), json!("customer.show"));
    let wanted = [(found.clone(), Value::Null), (found.clone(), json!("B2")), (shown.clone(), json!("A7"))];
    assert_eq!(rows(json!({})), wanted);
    assert_eq!(rows(json!({ "operator": "A7" })), [(shown, json!("A7"))]);
    assert_eq!(rows(json!({ "operator": "B2", "by": 1000 })), [(found, json!("B2"))]);
    assert_eq!(rows(json!({ "operator": "B2", "by": 1001 })), []);

    let change = json!({ "customer": ana, "person": { "givenName": "Ana", "familyName": "Ruiz Gil" } });
    one.call("customer.change", &with_key(change)).unwrap();
    let history = other.call("customer.history", &json!({ "customer": ana })).unwrap()["versions"].clone();
    let by = |version: &Value| (version["by"].clone(), version["operator"].clone());
    assert_eq!(by(&history[0]), (json!(1000), json!("A7")));
    assert_eq!(by(&history[1]), (json!(1000), Value::Null));

    let key = Uuid::new_v4();
    one.call("note.keep", &json!({ "key": key, "customer": ana, "text": "calls back" })).unwrap();
    let done = fichad::store::request(&shop.desk.opened().unwrap().log.views(), key).unwrap().unwrap();
    let operator = done.operator.map(|operator| operator.to_string());
    assert_eq!((done.by, operator.as_deref()), (Some(1000), Some("A7")));
}

#[test]
fn a_second_person_is_another_operator_or_another_account_without_the_same_one() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_of_two(dir.path(), false, None);
    let ana = shop.enrol("Ana", "Ruiz", "+34600111222");
    let session = |uid: u32, operator: Option<(&str, &str)>| {
        let session = shop.session(uid, &[Role::Desk, Role::Manager]);
        if let Some((operator, pin)) = operator {
            session.sign_on(operator, pin).unwrap();
        }
        session
    };
    let (a, b) = (Some(("A7", PIN)), Some(("B2", "0000")));
    for (proposes, approves, second) in [
        ((1000, a), (1000, a), false),
        ((1000, a), (1001, a), false),
        ((1000, a), (1000, None), false),
        ((1000, None), (1000, a), false),
        ((1000, a), (1000, b), true),
        ((1000, None), (1001, None), true),
    ] {
        let params = with_key(json!({ "customer": ana, "points": 5, "reason": "GOODWILL" }));
        let proposed = session(proposes.0, proposes.1).call("points.adjust", &params).unwrap();
        let params = with_key(json!({ "adjustment": proposed["adjustment"], "approve": true }));
        let decided = session(approves.0, approves.1).call("points.decide", &params);
        match decided {
            Ok(_) => assert!(second, "{proposes:?} {approves:?}"),
            Err(refused) => {
                assert_eq!((second, refused.code), (false, RefusalCode::Forbidden));
                let with_nobody = refused.message.contains("proposed with nobody signed on");
                assert_eq!(with_nobody, proposes.1.is_none(), "{}", refused.message);
            }
        }
    }
    let mut events = Vec::new();
    let log = &shop.desk.opened().unwrap().log;
    log.past(fichad::log::Half::Neutral, &mut |_, event| {
        let event: Value = serde_json::from_slice(event).unwrap();
        if event["event"].as_str().unwrap().starts_with("points_adjustment") {
            events.push((event["event"].clone(), event["by"].clone(), event["operator"].clone()));
        }
    })
    .unwrap();
    let decided: Vec<_> = events.iter().filter(|event| event.0 == "points_adjustment_decided").collect();
    let wanted = |by: u32, operator: Value| (json!("points_adjustment_decided"), json!(by), operator);
    assert_eq!(decided, [&wanted(1000, json!("B2")), &wanted(1001, Value::Null)]);
    assert!(events.iter().any(|event| event.2 == "A7"), "who proposed it, too: {events:?}");
}

#[test]
fn no_file_has_a_pin_or_what_it_can_be_guessed_by() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_of_two(dir.path(), false, None);
    shop.till().sign_on("A7", PIN).unwrap();
    shop.till().sign_on("A7", "11111111").unwrap_err();
    let views = shop.desk.opened().unwrap().log.views();
    let kept = fichad::store::operator(&views, &"A7".parse().unwrap()).unwrap().unwrap();
    assert!(!format!("{kept:?}").contains(&kept.pin.hash), "{kept:?}");
    let mut requests = Vec::new();
    let log = &shop.desk.opened().unwrap().log;
    log.past(fichad::log::Half::Neutral, &mut |_, event| {
        if let Ok(StoreEvent::RequestDone(done)) = serde_json::from_slice(event) {
            requests.push(done);
        }
    })
    .unwrap();
    let set = requests.first().unwrap();
    drop((views, shop));

    let plain = Sha256::digest(PIN.as_bytes());
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut secrets: Vec<Vec<u8>> = Vec::new();
    for bytes in [PIN.as_bytes(), plain.as_slice()] {
        secrets.push(bytes.to_vec());
        secrets.push(hex(bytes).into_bytes());
        secrets.push(hex(bytes).to_uppercase().into_bytes());
        // Of base64 what does not hang on what stands before and after it.
        for before in 0..3 {
            let text = [&vec![b' '; before][..], bytes].concat();
            for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                let text = engine.encode(&text);
                secrets.push(text.as_bytes()[(before * 8).div_ceil(6)..text.len() - 2].to_vec());
            }
        }
    }
    let mut files = 0;
    let mut folders = vec![dir.path().to_owned()];
    let mut operator_set = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let bytes = std::fs::read(&path).unwrap();
            for secret in &secrets {
                let there = bytes.windows(secret.len()).any(|window| window == secret);
                assert!(!there, "{} has {}", path.display(), String::from_utf8_lossy(secret));
            }
            let text = String::from_utf8_lossy(&bytes);
            operator_set += text.matches(r#"{"event":"operator_set","operator":"A7""#).count();
        }
    }
    assert!(files > 5 && operator_set > 0, "the store was looked at");
    // With the keyring in hand, too, a PIN is not tried out on the hash of a request's body: the stretched hash stands in its place.
    let keyring = Keyring::open(&dir.path().join("keyring")).unwrap();
    let fits = |pin: &str| {
        let fields = json!({ "key": set.key, "operator": "A7", "pin": pin });
        keyring.body_mac(format!("operator.set\n{fields}").as_bytes()).hex() == set.body
    };
    assert!(fits(&kept.pin.hash) && !fits(PIN));
}
