//! What a register gets that comes back.

use super::rig::{LIFETIME, Rig, event, no_event};
use fichad::push::Delivered;
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn what_was_not_acknowledged_comes_again() {
    let rig = Rig::new(&["till-1"]);
    let mut till = rig.subscribed("till-1");
    for product in ["a", "b", "c"] {
        rig.scan("till-1", product);
    }
    for seq in 1..=3 {
        assert_eq!(event(&mut till)["seq"], seq);
    }
    till.call("ack", json!({ "seq": 1, "stream": rig.stream })).unwrap();
    drop(till);
    // Without a place: after the last acknowledgement.
    let mut till = rig.subscribed("till-1");
    assert_eq!(event(&mut till)["scan_data"], "b");
    assert_eq!(event(&mut till)["scan_data"], "c");
    drop(till);
    // With a place: after that.
    let mut till = rig.client();
    let after = json!({ "register": "till-1", "after": { "stream": rig.stream, "seq": 2 } });
    assert_eq!(till.call("subscribe", &after).unwrap()["last_seq"], 3);
    assert_eq!(event(&mut till)["scan_data"], "c");
    // As a notification, as most will send it.
    till.notify("ack", json!({ "seq": 3 })).unwrap();
    no_event(&mut till);
    till.call("subscribe", json!({})).unwrap();
    no_event(&mut till);
    rig.scan("till-1", "d");
    assert_eq!(event(&mut till)["seq"], 4);
}

#[test]
fn the_stale_is_missed_without_its_code() {
    let rig = Rig::new(&["till-1"]);
    assert_eq!(rig.scan("till-1", "4006381333931").delivered, Delivered::Kept);
    rig.scan("till-1", "4006381333931");
    rig.clock.forward(LIFETIME - Duration::from_secs(1));
    rig.scan("till-1", "96385074");
    rig.clock.forward(Duration::from_secs(1));
    let mut till = rig.subscribed("till-1");
    let missed = event(&mut till);
    let want = json!({
        "type": "missed", "stream": rig.stream, "register": "till-1", "at": "2026-09-21T14:13:50.000000Z",
        "count": 2, "from_seq": 1, "to_seq": 2,
    });
    assert_eq!(missed, want);
    assert_eq!(event(&mut till)["scan_data"], "96385074");
    no_event(&mut till);
}

#[test]
fn of_another_run_only_that_something_was_missed() {
    let rig = Rig::new(&["till-1"]);
    rig.scan("till-1", "old");
    rig.clock.forward(LIFETIME);
    rig.scan("till-1", "fresh");
    let mut till = rig.client();
    let elsewhere = "0192f0c1-2b7a-7c3e-8000-0123456789ab";
    till.call("subscribe", json!({ "after": { "stream": elsewhere, "seq": 900 } })).unwrap();
    let missed = event(&mut till);
    assert_eq!((&missed["count"], &missed["other_stream"]), (&Value::Null, &json!(true)));
    assert_eq!(event(&mut till)["scan_data"], "fresh");
    no_event(&mut till);
    // An acknowledgement of that run must not count in this one.
    till.call("ack", json!({ "seq": 1, "stream": elsewhere })).unwrap_err();
    till.call("subscribe", json!({})).unwrap();
    assert_eq!(event(&mut till)["count"], 1);
}

#[test]
fn nobody_acknowledges_or_asks_for_what_has_not_been() {
    let rig = Rig::new(&["till-1"]);
    let mut till = rig.subscribed("till-1");
    rig.scan("till-1", "a");
    let error = till.call("ack", json!({ "seq": 2 })).unwrap_err();
    assert_eq!(error.to_string(), "there is no such event yet: the last one is 1");
    let after = json!({ "after": { "stream": rig.stream, "seq": 2 } });
    till.call("subscribe", after).unwrap_err();
}
