//! Going back to an earlier moment by the command line, and what registers and erased customers notice of it.

use super::erasure::{TABLES, Victim, attack, erase, events, found, leads_nowhere};
use super::rig::*;
use super::second_copy::ficha_store;
use fichad::push::client::Client;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Output;

fn out(done: &Output) -> String {
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout.clone()).unwrap()
}

fn told(bench: &Bench, words: &[&str]) -> Value {
    let done = ficha_store(bench, &[words, &["--json"]].concat());
    serde_json::from_str(&out(&done)).unwrap()
}

fn last_seq(client: &mut Client) -> u64 {
    client.call("status", json!({})).unwrap()["store"]["last_seq"].as_u64().unwrap()
}

fn timeline(client: &mut Client) -> Value {
    client.call("hello", json!({ "protocol": 1 })).unwrap()["timeline"].clone()
}

#[test]
fn a_restore_leaves_out_what_came_after_and_can_be_taken_back() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    let (fichad, mut register) = bench.one_till(&scanner);
    let (first, _, first_letters) = customer(&mut register);
    let at = last_seq(&mut register);
    let (second, _, second_letters) = customer(&mut register);
    let end = last_seq(&mut register);
    let old_stream = register.call("hello", json!({ "protocol": 1 })).unwrap()["stream"].clone();
    let busy = ficha_store(&bench, &["restore", "--at", &at.to_string()]);
    assert!(String::from_utf8_lossy(&busy.stderr).contains("held by another process"), "{busy:?}");
    // What there is to go back to is told while the daemon runs.
    assert_eq!(told(&bench, &["list"])["last"]["seq"], end);
    fichad.stop();

    let dry = told(&bench, &["restore", "--at", &at.to_string(), "--dry-run"]);
    assert_eq!((&dry["last"]["seq"], &dry["left_out"]["count"]), (&json!(at), &json!(end - at)));
    assert!(!bench.state().join("kept-timeline-1").exists());
    // By time too: the same moment.
    let time = dry["last"]["at"].as_str().unwrap();
    let done = ficha_store(&bench, &["restore", "--at", time]);
    let text = out(&done);
    assert!(
        text.contains("--from kept-timeline-1") && text.contains(&format!("{} transactions", end - at)),
        "{text}"
    );

    bench.configure(&one_till(&scanner));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    assert_eq!((timeline(&mut register), last_seq(&mut register)), (json!(2), at));
    scanner.scan(&[&first_letters]);
    assert_eq!(event(&mut register, "identified")["file"]["customer"], first);
    scanner.scan(&[&second_letters]);
    event(&mut register, "unknown");
    // A register that was away meanwhile: what it has seen is of another stream.
    let mut late = fichad.client();
    let after = json!({ "stream": old_stream, "seq": 1 });
    let answer = late.call("subscribe", json!({ "register": "till-1", "after": after })).unwrap();
    assert_ne!(answer["stream"], old_stream);
    assert_eq!(event(&mut late, "missed")["stream"], answer["stream"]);
    drop((register, late));
    fichad.stop();

    let back = told(&bench, &["restore", "--from", "kept-timeline-1"]);
    assert_eq!((&back["timeline"], &back["last"]["seq"]), (&json!(3), &json!(end)));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    let shown = register.call("customer.show", json!({ "customer": second })).unwrap();
    assert_eq!(shown["person"]["givenName"], "Ana");
    assert_eq!(timeline(&mut register), 3);
    fichad.stop();
    let list = out(&ficha_store(&bench, &["list"]));
    assert!(list.contains("kept-timeline-1") && list.contains("kept-timeline-2"), "{list}");
    let good = ficha_store(&bench, &["verify", "--rebuild"]);
    assert!(good.status.success(), "{good:?}");
}

#[test]
fn a_place_of_the_key_file_is_given_out_once_on_all_timelines() {
    let (bench, scanner) = (Bench::new(), Scanner::new());
    let (fichad, mut register) = bench.one_till(&scanner);
    customer(&mut register);
    let at = last_seq(&mut register);
    fichad.stop();
    // A copy of the key file from then, as a backup has it.
    let older = fs::read(bench.state().join("keys")).unwrap();
    let fichad = bench.start();
    for _ in 0..3 {
        customer(&mut fichad.open("till-1"));
    }
    fichad.stop();
    out(&ficha_store(&bench, &["restore", "--at", &at.to_string()]));
    fs::write(bench.state().join("keys"), &older).unwrap();
    let fichad = bench.start();
    customer(&mut fichad.open("till-1"));
    fichad.stop();
    let slots = |dir: &Path| {
        let named = events(dir, "vault").into_iter().filter(|event| event["event"] == "key_assigned");
        named.map(|event| event["slot"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let kept = slots(&bench.state().join("kept-timeline-1"));
    fs::remove_dir_all(bench.state().join("kept-timeline-1")).unwrap();
    let now = slots(&bench.state());
    assert_eq!((now.len(), kept.len()), (2, 4));
    let both: Vec<_> = now.iter().filter(|slot| kept.contains(slot)).collect();
    assert_eq!(both.len(), 1, "the first customer's alone: {now:?} after {kept:?}");
}

#[test]
fn a_snapshot_of_the_vault_holds_what_is_sealed_and_gives_the_same_views() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    bench.configure(&(one_till(&scanner) + TABLES));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    let victim = Victim::enrol(&mut register);
    let (kept, card, letters) = customer(&mut register);
    write(&mut register, "card.block", json!({ "customer": kept, "card": card, "reason": "LOST" }));
    write(&mut register, "card.unblock", json!({ "customer": kept, "card": card }));
    fichad.stop();
    let taken = told(&bench, &["snapshot"]);
    assert_eq!(
        taken["taken"].as_array().unwrap().iter().filter(|taken| taken["file"].is_string()).count(),
        2
    );
    for half in ["store", "vault"] {
        let folder = bench.state().join(half);
        assert_eq!(found(&folder.join("snapshots"), &victim.secrets(&bench.state())), [""; 0], "{half}");
        fs::remove_dir_all(folder.join("views")).unwrap();
    }
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    scanner.scan(&[&letters, &victim.letters]);
    assert_eq!(event(&mut register, "identified")["file"]["customer"], kept);
    assert_eq!(event(&mut register, "identified")["file"]["customer"], victim.number);
    let log = fichad.stop();
    assert!(log.contains("records=0"), "the journal was folded, not the snapshot read: {log}");
    // The views are the very ones that the journal gives: nothing is missing, nothing is left over.
    let same = ficha_store(&bench, &["verify", "--rebuild"]);
    assert!(same.status.success(), "{same:?}");
}

#[test]
fn who_was_erased_is_not_brought_back_by_any_moment_nor_by_a_rebuild() {
    let (bench, scanner) = (Bench::new(), Scanner::new());
    bench.configure(&(one_till(&scanner) + TABLES));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    let (kept, ..) = customer(&mut register);
    let before = last_seq(&mut register);
    let victim = Victim::enrol(&mut register);
    let with = last_seq(&mut register);
    fichad.stop();
    // A snapshot from then, too.
    out(&ficha_store(&bench, &["snapshot"]));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    write(&mut register, "preference.set", json!({ "customer": kept, "name": "receipt", "value": "paper" }));
    erase(&mut register, &victim, true);
    drop(register);
    fichad.stop();
    // Moments in which the victim was a customer, and the way back: some, for each restore leaves a folder more to be searched.
    let mut restores = 0;
    for at in (before + 1..=with).rev().step_by(3) {
        let back: &[&str] = &["restore", "--from", "kept-timeline-1", "--at", &at.to_string()];
        let there: &[&str] = &["restore", "--at", &at.to_string()];
        out(&ficha_store(&bench, if restores == 0 { there } else { back }));
        restores += 1;
        attack(&bench.state(), &victim);
    }
    assert!(restores > 3, "{restores}");
    out(&ficha_store(&bench, &["rebuild"]));
    attack(&bench.state(), &victim);
    let mut scanner = Scanner::new();
    bench.configure(&(one_till(&scanner) + TABLES));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    leads_nowhere(&mut register, &mut scanner, &victim);
    let shown = register.call("customer.show", json!({ "customer": kept })).unwrap();
    assert_eq!(shown["person"]["givenName"], "Ana");
    drop(register);
    fichad.stop();
    out(&ficha_store(&bench, &["restore", "--from", "kept-timeline-1"]));
    attack(&bench.state(), &victim);
}
