//! The ways to the vault's key, used as staff use them: `ficha vault` and `vault.unlock`.

use super::rig::*;
use fichad::push::client::Client;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

const PASSPHRASE: &str = "correct horse battery";

/// `ficha vault WORDS`, with `typed` on standard input.
fn ficha(bench: &Bench, words: &[&str], typed: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ficha"))
        .args(["--json", "vault"])
        .args(words)
        .arg("--config")
        .arg(bench.state().with_file_name("fichad.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[track_caller]
fn phrase(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    answer["phrase"].as_str().unwrap().to_owned()
}

fn vault(client: &mut Client) -> Value {
    client.call("status", json!({})).unwrap()["vault"].clone()
}

#[test]
fn a_passphrase_unlocks_while_the_daemon_runs() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    bench.configure(&format!("{}[vault]\nkey_passphrase = true\n", one_till(&scanner)));
    // Without a vault the store stays closed: nobody enrolled now could ever be erased.
    let fichad = bench.start();
    let mut register = fichad.register("till-1");
    let state = store_settled(&mut register);
    assert!(state["store"]["why"].as_str().unwrap().contains("ficha vault init"), "{state}");
    fichad.stop();
    assert!(!ficha(&bench, &["init"], "short\n").status.success());
    let phrase = phrase(&ficha(&bench, &["init"], &format!("{PASSPHRASE}\n")));
    assert!(!ficha(&bench, &["init"], &format!("{PASSPHRASE}\n")).status.success(), "a vault is made once");

    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    assert_eq!(vault(&mut register), "locked");
    let person = json!({ "key": uuid::Uuid::new_v4(), "person": { "givenName": "Ana" } });
    register.call("customer.enrol", person).unwrap_err();
    for wrong in [json!({ "passphrase": "correct horse batterx" }), json!({}), json!({ "phrase": "ABC" })] {
        register.call("vault.unlock", wrong).unwrap_err();
        assert_eq!(vault(&mut register), "locked");
    }
    // Each was a try, but for what is no secret at all. So many are free at once, and what follows waits, right or wrong.
    for _ in 0..4 {
        register.call("vault.unlock", json!({ "passphrase": "correct horse batterx" })).unwrap_err();
    }
    let waits = register.call("vault.unlock", json!({ "passphrase": PASSPHRASE })).unwrap_err().to_string();
    assert!(waits.contains("too many tries") && waits.contains(" s"), "{waits}");
    assert_eq!(vault(&mut register), "locked");
    fichad.stop();

    let mut scanner_again = Scanner::new();
    bench.configure(&format!("{}[vault]\nkey_passphrase = true\n", one_till(&scanner_again)));
    std::mem::swap(&mut scanner, &mut scanner_again);
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    register.call("vault.unlock", json!({ "passphrase": PASSPHRASE })).unwrap();
    assert_eq!(vault(&mut register), "open");
    let (_, _, letters) = customer(&mut register);
    fichad.kill();

    let mut scanner_again = Scanner::new();
    bench.configure(&format!("{}[vault]\nkey_passphrase = true\n", one_till(&scanner_again)));
    std::mem::swap(&mut scanner, &mut scanner_again);
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    // What was written after the last checkpoint is read now that it can be.
    assert_eq!(vault(&mut register), "locked");
    register.call("vault.unlock", json!({ "phrase": phrase })).unwrap();
    scanner.scan(&[&letters]);
    assert_eq!(event(&mut register, "identified")["file"]["name"], "Ana Example");
    let log = fichad.stop();
    assert!(!log.contains("correct horse") && !log.contains(phrase.split('\n').next().unwrap()), "{log}");
}

/// A start with a passphrase, and nobody there yet who gives it.
fn locked(bench: &Bench) -> (Fichad, Scanner, Client) {
    let scanner = Scanner::new();
    bench.configure(&format!("{}[vault]\nkey_passphrase = true\n", one_till(&scanner)));
    let fichad = bench.start();
    let register = fichad.open("till-1");
    (fichad, scanner, register)
}

#[test]
fn after_a_crash_cards_are_known_before_the_vault_is_unlocked() {
    let bench = Bench::new();
    bench.configure("[vault]\nkey_passphrase = true\n");
    phrase(&ficha(&bench, &["init"], &format!("{PASSPHRASE}\n")));
    let unlock = |register: &mut Client| {
        register.call("vault.unlock", json!({ "passphrase": PASSPHRASE })).unwrap();
    };
    let (fichad, _scanner, mut register) = locked(&bench);
    unlock(&mut register);
    let (_, _, old) = customer(&mut register);
    let (erased, _, gone) = customer(&mut register);
    // A clean stop has its views on the disk, a kill has not.
    fichad.stop();
    let (fichad, _scanner, mut register) = locked(&bench);
    assert!(register.call("status", json!({})).unwrap()["store"]["vault_behind"].is_null());
    unlock(&mut register);
    let (_, _, new) = customer(&mut register);
    let erase = json!({ "key": uuid::Uuid::new_v4(), "customer": erased, "purpose": "REQUEST" });
    register.call("customer.erase", erase).unwrap();
    fichad.kill();

    let (fichad, mut scanner, mut register) = locked(&bench);
    assert_eq!(vault(&mut register), "locked");
    until("the vault is told to be behind", || {
        register.call("status", json!({})).unwrap()["store"]["vault_behind"] == true
    });
    scanner.scan(&[&old]);
    let file = event(&mut register, "identified")["file"].clone();
    assert_eq!((&file["name"], &file["vault_locked"]), (&Value::Null, &json!(true)));
    // Whether this one is known is in what cannot be read yet; and whoever was erased is found by nobody.
    for code in [&new, &gone] {
        scanner.scan(&[code]);
        event(&mut register, "unavailable");
    }
    unlock(&mut register);
    until("the vault is told to be whole", || {
        register.call("status", json!({})).unwrap()["store"]["vault_behind"].is_null()
    });
    scanner.scan(&[&new]);
    assert_eq!(event(&mut register, "identified")["file"]["name"], "Ana Example");
    scanner.scan(&[&gone]);
    event(&mut register, "unknown");
    fichad.stop();
}

#[test]
fn only_the_owner_of_the_state_folder_works_on_its_keys() {
    let bench = Bench::new();
    bench.configure("");
    fs::create_dir(bench.state()).unwrap();
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(bench.state(), Some(65_534), None).unwrap();
    } else {
        fs::remove_dir(bench.state()).unwrap();
        std::os::unix::fs::symlink("/usr", bench.state()).unwrap();
    }
    for words in [&["init"][..], &["phrase"], &["rotate"], &["rotate", "--keyring"], &["recover"]] {
        let refused = ficha(&bench, words, "");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(said.contains(" belongs to ") && said.contains("sudo -u"), "{words:?}: {said}");
        assert!(!refused.status.success());
    }
    assert!(!bench.state().join("LOCK").exists() && !bench.state().join("keys").exists());
}

#[test]
fn a_change_of_keys_without_the_second_disk_changes_nothing_and_says_what_to_do() {
    let (bench, scanner) = (Bench::new(), Scanner::new());
    let disk = bench.state().with_file_name("second");
    fs::create_dir(&disk).unwrap();
    bench.configure(&format!("{}[vault]\nsecond_dir = \"{}\"\n", one_till(&scanner), disk.display()));
    let first = phrase(&ficha(&bench, &["init"], ""));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    until("the second copy is made", || {
        register.call("status", json!({})).unwrap()["keys"]["second_copy"] == "in_step"
    });
    let (customer, ..) = customer(&mut register);
    fichad.stop();
    let away = disk.with_file_name("away");
    fs::rename(&disk, &away).unwrap();
    let keys = || ["keys", "vault.key"].map(|file| fs::read(bench.state().join(file)).unwrap());
    let before = keys();
    let refused = ficha(&bench, &["rotate"], "");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && refused.stdout.is_empty(), "{said}");
    assert!(said.contains("is its disk mounted?") && said.contains("second_dir"), "{said}");
    assert!(keys() == before);

    fs::rename(&away, &disk).unwrap();
    let second = phrase(&ficha(&bench, &["rotate"], ""));
    assert!(fs::read(bench.state().join("keys")).unwrap() == fs::read(disk.join("keys")).unwrap());
    // New hardware with nothing but the second disk's copies of the keys, and the rest of the state folder.
    for gone in ["keys", "vault.key", "keys.ways"] {
        fs::remove_file(bench.state().join(gone)).unwrap();
    }
    assert!(!ficha(&bench, &["recover"], &first).status.success());
    assert!(ficha(&bench, &["recover"], &second).status.success());
    let scanner = Scanner::new();
    bench.configure(&format!("{}[vault]\nsecond_dir = \"{}\"\n", one_till(&scanner), disk.display()));
    let fichad = bench.start();
    let shown = fichad.open("till-1").call("customer.show", json!({ "customer": customer })).unwrap();
    assert_eq!(shown["file"]["name"], "Ana Example");
    assert!(!fichad.stop().contains("no recovery phrase"));
}

#[test]
fn the_recovery_phrase_opens_the_vault_on_new_hardware_and_a_new_key_ends_the_old_ones() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    bench.configure(&one_till(&scanner));
    let first = phrase(&ficha(&bench, &["init"], ""));
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    let (_, _, letters) = customer(&mut register);
    let busy = ficha(&bench, &["rotate"], "");
    assert!(String::from_utf8_lossy(&busy.stderr).contains("in use"), "{busy:?}");
    fichad.stop();

    // New hardware: the state folder, and the phrase as somebody wrote it down.
    let key = bench.state().join("vault.key");
    let old_key = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let sloppy = first.to_lowercase().replace('-', " ");
    assert!(ficha(&bench, &["recover"], &sloppy).status.success());
    assert_eq!(fs::read(&key).unwrap(), old_key);

    let second = phrase(&ficha(&bench, &["rotate"], ""));
    assert!(second != first && fs::read(&key).unwrap() != old_key);
    assert!(ficha(&bench, &["rotate", "--keyring"], "").status.success());
    fs::remove_file(&key).unwrap();
    assert!(!ficha(&bench, &["recover"], &first).status.success());
    assert!(ficha(&bench, &["recover"], &second).status.success());
    let third = phrase(&ficha(&bench, &["phrase"], ""));
    fs::remove_file(&key).unwrap();
    assert!(!ficha(&bench, &["recover"], &second).status.success());
    assert!(ficha(&bench, &["recover"], &third).status.success());

    // The card was hashed before the keyring was changed: it is known, and hashed anew. So are look-ups known.
    let mut fresh = Scanner::new();
    bench.configure(&one_till(&fresh));
    std::mem::swap(&mut scanner, &mut fresh);
    let fichad = bench.start();
    let mut register = fichad.open("till-1");
    for _ in 0..2 {
        scanner.scan(&[&letters]);
        assert_eq!(event(&mut register, "identified")["file"]["name"], "Ana Example");
    }
    let found = register.call("customer.find", json!({ "name": "Example Ana" })).unwrap();
    assert_eq!(found["rows"].as_array().unwrap().len(), 1, "{found}");
    fichad.stop();
    let sealed = files(&bench.state().join("vault/journal")).iter().fold(0, |count, (_, bytes)| {
        count + String::from_utf8_lossy(bytes).matches("\"section\":\"card:").count()
    });
    assert_eq!(sealed, 2, "once when it was issued, once when it was shown");
}
