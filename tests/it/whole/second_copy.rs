//! The second copy of the journals, and what the command line does with a stopped store.

use super::rig::*;
use fichad::push::client::Client;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Waits until the second copy is as it should be; gives the store's part of `status`.
fn second_copy(register: &mut Client, state: &str) -> Value {
    let mut store = Value::Null;
    until(state, || {
        store = register.call("status", json!({})).unwrap()["store"].clone();
        store["second_copy"] == state
    });
    store
}

pub(super) fn ficha_store(bench: &Bench, words: &[&str]) -> Output {
    let config = bench.state().with_file_name("fichad.toml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ficha"));
    command.arg("store").args(words).arg("--config").arg(config).output().unwrap()
}

/// The records of a first segment, without the room filled ahead.
fn written(dir: &Path, half: &str) -> Vec<u8> {
    let mut bytes = fs::read(dir.join(half).join("journal/00000001.seg")).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    bytes.truncate(used);
    bytes
}

#[test]
fn journals_are_copied_and_the_till_is_told_when_the_disk_is_away() {
    let (bench, scanner, other) = (Bench::new(), Scanner::new(), tempfile::tempdir().unwrap());
    let second = other.path().join("second");
    bench.drop_in(&format!("[store]\nsecond_dir = \"{}\"\n", second.display()));
    let (fichad, mut register) = bench.one_till(&scanner);
    customer(&mut register);
    second_copy(&mut register, "ok");
    fichad.stop();
    for half in ["store", "vault"] {
        assert!(written(&bench.state(), half) == written(&second, half), "{half}");
    }
    let away = other.path().join("away");
    fs::rename(&second, &away).unwrap();
    fs::create_dir(&second).unwrap();
    let fichad = bench.start();
    let mut register = fichad.register("till-1");
    let store = second_copy(&mut register, "absent");
    assert!(store["second_copy_why"].as_str().unwrap().contains("mounted"), "{store}");
    customer(&mut register);
    fs::remove_dir(&second).unwrap();
    fs::rename(&away, &second).unwrap();
    second_copy(&mut register, "ok");
    fichad.stop();
    assert!(written(&bench.state(), "vault") == written(&second, "vault"));
}

#[test]
fn a_stopped_store_is_verified_and_rebuilt_by_the_command_line() {
    let (bench, scanner) = (Bench::new(), Scanner::new());
    let (fichad, mut register) = bench.one_till(&scanner);
    customer(&mut register);
    let busy = ficha_store(&bench, &["verify"]);
    assert!(!busy.status.success());
    assert!(String::from_utf8_lossy(&busy.stderr).contains("held by another process"), "{busy:?}");
    fichad.stop();
    let good = ficha_store(&bench, &["verify", "--rebuild"]);
    assert!(good.status.success(), "{good:?}");
    assert!(String::from_utf8_lossy(&good.stdout).contains("all is as it was written"), "{good:?}");
    let rebuilt = ficha_store(&bench, &["rebuild"]);
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    let journal = bench.state().join("vault/journal/00000001.seg");
    let mut bytes = fs::read(&journal).unwrap();
    bytes[200] ^= 1;
    fs::write(&journal, bytes).unwrap();
    let bad = ficha_store(&bench, &["verify"]);
    assert_eq!(bad.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&bad.stdout).contains(journal.to_str().unwrap()), "{bad:?}");
    let refused = ficha_store(&bench, &["rebuild"]);
    assert_eq!(refused.status.code(), Some(1), "a rebuild reads the journal whole: {refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("damaged"), "{refused:?}");
}
