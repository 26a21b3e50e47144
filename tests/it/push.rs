//! Registers at a real Unix socket: what they get, what they miss, and what they cannot do to one another.

#![expect(clippy::arithmetic_side_effects, reason = "numbers of a test are small")]

mod desk_examples;
mod faults;
mod load;
mod properties;
mod protocol;
mod replay;
mod rig;

use fichad::push::ring::Frame;
use fichad::push::{Delivered, wire};
use rig::{PATIENCE, Rig, event, no_event, policy, register, until};
use serde_json::json;
use std::net::Shutdown;

#[test]
fn two_registers_get_only_their_own() {
    let rig = Rig::new(&["till-1", "till-2"]);
    let (mut one, mut two) = (rig.subscribed("till-1"), rig.subscribed("till-2"));
    assert_eq!(rig.scan("till-1", "4006381333931").delivered, Delivered::Sent);
    assert_eq!(rig.scan("till-2", "96385074").seq, 1);
    let got = event(&mut one);
    let want = json!({
        "type": "scan", "stream": rig.stream, "seq": 1, "register": "till-1", "reader": "usb:0c2e:0b81:123",
        "at": "2026-09-21T14:13:20.000000Z", "valid_until": "2026-09-21T14:13:50.000000Z",
        "scan_data": "4006381333931", "scan_data_label": "4006381333931", "scan_data_type": "SCAN_SDT_EAN13", "aim": "]E0",
    });
    assert_eq!(got, want);
    assert_eq!(event(&mut two)["scan_data"], "96385074");
    no_event(&mut one);
    no_event(&mut two);
    assert_eq!(rig.hub.registers_connected(), [register("till-1"), register("till-2")]);
}

#[test]
fn hello_says_who_is_there_and_what_may_be_done() {
    let rig = Rig::new(&["till-1"]);
    let got = rig.client().call("hello", json!({ "client": "test 1", "protocol": 1 })).unwrap();
    let want = json!({
        "server": "fichad", "version": env!("CARGO_PKG_VERSION"), "protocol": 1, "stream": rig.stream, "timeline": 1,
        "roles": ["register", "desk", "manager"], "registers": ["till-1"],
        "states": {
            "readers": [{ "reader": "counter", "state": "reading" }],
            "store": { "second_copy": "one_disk_only", "state": "open" }, "vault": "open",
        },
    });
    assert_eq!(got, want);
}

#[test]
fn the_service_is_told_which_register_asks() {
    let rig = Rig::new(&["till-1", "till-2"]);
    let mut client = rig.client();
    let uid = nix::unistd::getuid().as_raw();
    assert_eq!(client.call("who", json!({})).unwrap(), json!({ "uid": uid, "register": null }));
    client.call("subscribe", json!({ "register": "till-2" })).unwrap();
    assert_eq!(client.call("who", json!({})).unwrap()["register"], "till-2");
    client.call("subscribe", json!({ "register": "till-1" })).unwrap_err();
    assert_eq!(client.call("who", json!({})).unwrap()["register"], "till-2");
    client.call("unsubscribe", json!({})).unwrap();
    assert_eq!(client.call("who", json!({})).unwrap()["register"], json!(null));
    assert_eq!(rig.scan("till-2", "1").delivered, Delivered::Kept);
}

#[test]
fn a_manager_watches_all_registers_and_acknowledges_nothing() {
    let rig = Rig::new(&["till-1", "till-2"]);
    let mut watcher = rig.client();
    watcher.call("subscribe", json!({ "register": "*" })).unwrap();
    assert_eq!(rig.scan("till-1", "1").delivered, Delivered::Kept, "a watcher is no till");
    rig.scan("till-2", "2");
    assert_eq!(
        (event(&mut watcher)["register"].clone(), event(&mut watcher)["register"].clone()),
        ("till-1".into(), "till-2".into())
    );
    watcher.call("ack", json!({ "seq": 1 })).unwrap_err();
    drop(watcher);
    let mut till = rig.subscribed("till-1");
    assert_eq!(event(&mut till)["seq"], 1, "still there for the till");
}

#[test]
fn a_reload_keeps_sessions_and_ends_what_may_not_go_on() {
    let rig = Rig::new(&["till-1", "till-2", "till-3"]);
    let (mut one, mut two, mut three) =
        (rig.subscribed("till-1"), rig.subscribed("till-2"), rig.subscribed("till-3"));
    rig.scan("till-1", "1");
    let mut next = policy(&["till-1", "till-3", "till-4"]);
    next.registers[1].1 = vec![u32::MAX - 1];
    next.own_uid = u32::MAX - 2;
    rig.hub.reload(next);
    rig.scan("till-1", "2");
    assert_eq!((event(&mut one)["seq"].clone(), event(&mut one)["seq"].clone()), (json!(1), json!(2)));
    for client in [&mut two, &mut three] {
        let end = event(client);
        assert_eq!((&end["type"], &end["state"]["subscription"]), (&json!("state"), &json!("ended")));
        client.call("ack", json!({ "seq": 0 })).unwrap_err();
        assert_eq!(client.call("who", json!({})).unwrap()["register"], json!(null));
    }
    let refused = three.call("subscribe", json!({ "register": "till-3" })).unwrap_err();
    assert!(refused.to_string().contains("may not claim `till-3`"), "{refused}");
    assert_eq!(rig.scan("till-2", "1").delivered, Delivered::NoSuchRegister);
    assert_eq!(rig.scan("till-4", "1").seq, 1);
    assert_eq!(rig.scan("till-3", "1").delivered, Delivered::Kept);
}

#[test]
fn a_client_that_only_listens_is_served_until_it_is_gone() {
    let rig = Rig::new(&["till-1"]);
    let mut socat = rig.raw();
    socat.send(r#"{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{}}"#);
    socat.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(socat.line().unwrap()["result"]["register"], "till-1");
    // Rounds of another client, by whose end the server has surely seen that no more requests come.
    let mut other = rig.client();
    for _ in 0..50 {
        other.call("ping", json!({})).unwrap();
    }
    drop(other);
    for seq in 1..=3 {
        rig.scan("till-1", "1");
        assert_eq!(socat.line().unwrap()["params"]["seq"], seq);
    }
    until("only that session is left", || rig.hub.sessions() == 1);
    drop(socat);
    until("the session is over", || rig.hub.sessions() == 0);
    assert!(rig.hub.registers_connected().is_empty());
    // One that did not subscribe gets its answers, and that is all.
    let mut once = rig.raw();
    once.send(r#"{"jsonrpc":"2.0","id":"x","method":"echo","params":{"a":1}}"#);
    once.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(once.line().unwrap(), json!({ "jsonrpc": "2.0", "id": "x", "result": { "a": 1 } }));
    assert_eq!(once.line(), None);
}

#[test]
fn what_is_owed_is_sent_before_the_daemon_stops() {
    let mut rig = Rig::new(&["till-1"]);
    let mut client = rig.raw();
    client.send(r#"{"jsonrpc":"2.0","id":5,"method":"slow"}"#);
    until("the request is in work", || rig.service.begun.load(std::sync::atomic::Ordering::SeqCst) == 1);
    rig.begin_stop();
    rig.service.gate.add_permits(1);
    rig.stop();
    assert_eq!(client.line().unwrap()["result"], "done");
    assert_eq!(client.line(), None);
    assert!(!rig.client_refused().is_empty());
}

impl Rig {
    /// What a client is told that comes when the daemon is gone.
    fn client_refused(&self) -> String {
        fichad::push::client::Client::connect(&self.socket).map(drop).unwrap_err().to_string()
    }
}

#[test]
fn a_state_reaches_every_register() {
    let rig = Rig::new(&["till-1", "till-2"]);
    let (mut one, mut two) = (rig.subscribed("till-1"), rig.subscribed("till-2"));
    let state = serde_json::value::RawValue::from_string("{\"store\":\n\"read_only\"}".into()).unwrap();
    rig.hub.announce(&state, PATIENCE);
    for client in [&mut one, &mut two] {
        assert_eq!(event(client)["state"], json!({ "store": "read_only" }));
    }
}

#[test]
fn nothing_that_can_be_logged_shows_what_was_scanned() {
    let rig = Rig::new(&["till-1"]);
    let mut client = rig.subscribed("till-1");
    rig.scan("till-1", "SECRET-4006381");
    client.call("ping", json!({})).unwrap();
    let scan = wire::Event::Scan { data: b"SECRET", aim: None, scan_data_type: "S", repeat_of: None };
    let frame = Frame::from(b"SECRET\n".to_vec());
    let request =
        wire::parse(br#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"name":"SECRET"}}"#).unwrap();
    let shown = format!("{scan:?} {frame:?} {request:?} {client:?} {:?}", rig.hub);
    assert!(
        shown.starts_with("Event(scan) Frame(7 bytes) Request(\"a\") Client(1 events, 0 bytes) Hub("),
        "{shown}"
    );
    assert!(!shown.contains("SECRET") && !shown.contains("83, 69, 67"), "{shown}");
}
