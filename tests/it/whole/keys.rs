//! The vault's keys on disk: older copies, second copies, disks that are not there.

use super::damage::doctor;
use super::rig::*;
use super::second_copy::ficha_store;
use fichad::push::client::Client;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Where the journal says that data keys lie.
fn slots(state: &Path) -> Vec<u32> {
    let mut slots = Vec::new();
    for (_, bytes) in files(&state.join("vault/journal")) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let digits = text.split("\"slot\":").skip(1).map(|rest| {
            rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u32>().unwrap()
        });
        slots.extend(digits);
    }
    slots
}

fn name(client: &mut Client, customer: &Value) -> Value {
    client.call("customer.show", json!({ "customer": customer })).unwrap()["file"]["name"].clone()
}

fn second_copy(client: &mut Client) -> Value {
    client.call("status", json!({})).unwrap()["keys"]["second_copy"].clone()
}

#[test]
fn an_older_key_file_beside_a_newer_journal_gives_no_place_out_again() {
    let (bench, scanner) = (Bench::new(), Scanner::new());
    let (fichad, mut register) = bench.one_till(&scanner);
    let (first, _, _) = customer(&mut register);
    fichad.stop();
    let keys = bench.state().join("keys");
    let older = fs::read(&keys).unwrap();
    let fichad = bench.start();
    let (second, _, _) = customer(&mut fichad.open("till-1"));
    fichad.stop();

    fs::write(&keys, older).unwrap();
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    let (third, _, _) = customer(&mut register);
    for customer in [&first, &third] {
        assert_eq!(name(&mut register, customer), "Ana Example");
    }
    register.call("customer.show", json!({ "customer": second })).unwrap_err();
    fichad.stop();
    let slots = slots(&bench.state());
    assert_eq!(slots.len(), 3);
    assert_eq!(slots.iter().collect::<BTreeSet<_>>().len(), 3, "two customers share a key: {slots:?}");
}

#[test]
fn a_lost_key_file_comes_back_from_the_second_disk() {
    let (bench, scanner) = (Bench::new(), Scanner::new());
    let disk = bench.state().with_file_name("second");
    fs::create_dir(&disk).unwrap();
    bench.configure(&format!("{}[vault]\nsecond_dir = \"{}\"\n", one_till(&scanner), disk.display()));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    until("the second copy is made", || second_copy(&mut register) == "in_step");
    let (customer, _, _) = customer(&mut register);
    fichad.kill();

    fs::remove_file(bench.state().join("keys")).unwrap();
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    assert_eq!(name(&mut register, &customer), "Ana Example");
    let log = fichad.stop();
    assert!(log.contains("brought back from its second copy"), "{log}");

    // Not mounted: the till goes on, and says so.
    let away = disk.with_file_name("away");
    fs::rename(&disk, &away).unwrap();
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    until("the second copy is missed", || second_copy(&mut register) == "pending");
    let (new, _, _) = self::customer(&mut register);
    fs::rename(&away, &disk).unwrap();
    until("the second copy is back", || second_copy(&mut register) == "in_step");
    assert_eq!(name(&mut register, &new), "Ana Example");
    fichad.stop();
    assert!(fs::read(bench.state().join("keys")).unwrap() == fs::read(disk.join("keys")).unwrap());
}

#[test]
fn a_keyring_whose_second_disk_was_away_is_copied_when_it_is_back_and_told_until_then() {
    let (bench, scanner) = (Bench::new(), Scanner::new());
    let disk = bench.state().with_file_name("second");
    // The vault is locked, too: the keyring opens by a key of its own.
    bench.configure(&format!("{}[vault]\nsecond_dir = \"{}\"\n", one_till(&scanner), disk.display()));
    let fichad = bench.start();
    fichad.open("till-1");
    fichad.stop();
    fs::remove_file(bench.state().join("vault.key")).unwrap();
    let fichad = bench.start();
    let mut register = fichad.register("till-1");
    let status = store_settled(&mut register);
    assert_eq!(status["vault"], "locked");
    let told = |register: &mut Client| register.call("status", json!({})).unwrap()["store"].clone();
    until("it is told", || told(&mut register)["keyring_copy"] == "pending");
    let why = told(&mut register)["keyring_copy_why"].clone();
    assert!(why.as_str().unwrap().contains(disk.to_str().unwrap()), "{why}");
    let hello = register.call("hello", json!({})).unwrap();
    assert_eq!(hello["states"]["store"]["keyring_copy_why"], why, "who connects now is told the same");
    fs::create_dir(&disk).unwrap();
    until("it is copied", || told(&mut register)["keyring_copy"] == Value::Null);
    for file in ["keyring", "keyring.key"] {
        let file = Path::new("keyring").join(file);
        assert!(fs::read(bench.state().join(&file)).unwrap() == fs::read(disk.join(&file)).unwrap());
    }
    let log = fichad.stop();
    assert_eq!(log.matches("keyring's second copy is pending").count(), 1, "told once: {log}");
}

#[test]
fn a_first_start_takes_nothing_from_another_stores_keys() {
    let disk = tempfile::tempdir().unwrap();
    let vault = |folder: &Path| format!("[vault]\nsecond_dir = \"{}\"\n", folder.display());
    let (old, scanner) = (Bench::new(), Scanner::new());
    old.configure(&format!("{}{}", one_till(&scanner), vault(disk.path())));
    let fichad = old.start();
    let mut register = fichad.open("till-1");
    until("the second copy is made", || second_copy(&mut register) == "in_step");
    let (.., letters) = customer(&mut register);
    fichad.stop();
    let copies = files(disk.path());

    let new = Bench::new();
    let mut scanner = Scanner::new();
    new.configure(&format!("{}{}", one_till(&scanner), vault(disk.path())));
    let fichad = new.start();
    let mut register = fichad.register("till-1");
    let store = store_settled(&mut register)["store"].clone();
    let why = store["why"].as_str().unwrap_or_default();
    assert_eq!(store["state"], "failed", "{store}");
    for path in [new.state(), disk.path().join("keyring")] {
        assert!(why.contains(path.to_str().unwrap()), "{why}");
    }
    scanner.scan(&[PRODUCT]);
    event(&mut register, "scan");
    fichad.stop();
    assert!(!new.state().join("keyring").exists() && !new.state().join("keys").exists());
    assert!(files(disk.path()) == copies, "the other store's copies were changed");

    // That store is brought back, as the message says: its keys come from the second disk, its key from where it is kept.
    for half in ["store", "vault"] {
        let journal = old.state().join(half).join("journal");
        let to = new.state().join(half).join("journal");
        fs::create_dir_all(&to).unwrap();
        for (path, bytes) in files(&journal) {
            fs::write(to.join(path.file_name().unwrap()), bytes).unwrap();
        }
    }
    fs::copy(old.state().join("STORE"), new.state().join("STORE")).unwrap();
    fs::copy(old.state().join("vault.key"), new.state().join("vault.key")).unwrap();
    let mut scanner = Scanner::new();
    new.configure(&format!("{}{}", one_till(&scanner), vault(disk.path())));
    let fichad = new.start();
    let mut register = fichad.open("till-1");
    scanner.scan(&[&letters]);
    assert_eq!(event(&mut register, "identified")["file"]["name"], "Ana Example");
}

/// The line of an answer that names `file`, and the one after it: what is wrong, and what mends it.
fn told(text: &str, file: &Path) -> String {
    let lines: Vec<&str> =
        text.lines().skip_while(|line| !line.contains(file.to_str().unwrap())).take(2).collect();
    lines.join(" ")
}

#[test]
fn a_key_file_that_is_lost_another_or_open_to_others_is_told_while_fichad_runs_and_when_it_is_stopped() {
    let (bench, scanner) = (Bench::new(), Scanner::new());
    let (fichad, mut register) = bench.one_till(&scanner);
    customer(&mut register);
    let keyring = bench.state().join("keyring/keyring.key");
    let vault = bench.state().join("vault.key");
    let whole = fs::read(&keyring).unwrap();
    let mode = |file: &Path, mode| fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();

    let said = doctor(&bench, fichad.socket());
    assert!(told(&said, &keyring).is_empty() && !said.contains("chmod go-rwx"), "{said}");
    for file in [&keyring, &vault] {
        mode(file, 0o444);
        let said = doctor(&bench, fichad.socket());
        let line = told(&said, file);
        assert!(
            line.contains("WRONG") && line.contains("mode 0444") && line.contains("chmod go-rwx"),
            "{said}"
        );
        mode(file, 0o400);
    }
    fs::remove_file(&keyring).unwrap();
    let said = doctor(&bench, fichad.socket());
    let line = told(&said, &keyring);
    assert!(
        line.contains("WRONG") && line.contains("is missing") && line.contains("of one backup"),
        "{said}"
    );
    fichad.stop();
    for (key, says) in
        [(None, "is missing"), (Some(vec![7; 32]), "does not open"), (Some(vec![7; 5]), "32 bytes")]
    {
        if let Some(key) = key {
            drop(fs::remove_file(&keyring));
            fs::write(&keyring, key).unwrap();
            mode(&keyring, 0o400);
        }
        for words in [&["verify"][..], &["verify", "--rebuild"]] {
            let bad = ficha_store(&bench, words);
            let out = String::from_utf8_lossy(&bad.stdout).into_owned();
            let line = told(&out, &keyring);
            assert!(
                bad.status.code() == Some(1) && line.contains(says) && line.contains("of one backup"),
                "{bad:?}"
            );
            assert!(out.contains("records") && !out.contains("all is as it was written"), "{out}");
        }
    }
    fs::remove_file(&keyring).unwrap();
    fs::write(&keyring, whole).unwrap();
    mode(&keyring, 0o400);
    let good = ficha_store(&bench, &["verify"]);
    assert!(good.status.success(), "{good:?}");
}
