//! What the host does to a store: a full disk, one that is read-only, a folder of somebody else's, the wrong key, a second daemon,
//! a clock that was set back. The register is told each, by an event and by the answer to `hello`; products pass; nothing is lost.

use super::rig::*;
use super::trouble::{pass, products_pass, reason, with_customer};
use fichad::daemon::SystemClock;
use fichad::domain::event::StoreEvent;
use fichad::domain::id::CustomerNumber;
use fichad::domain::time::{Clock as _, Timestamp};
use fichad::log::{Folds, Log, Settings, Tx};
use fichad::push::client::Client;
use fichad::store::{self, StoreFold};
use fichad::vault::kek::KeySource;
use fichad::vault::keyring::Keyring;
use fichad::vault::keys::{KeyFile, os_random};
use fichad::vault::lists::Lists;
use fichad::vault::{Vault, VaultFold};
use nix::unistd::geteuid;
use serde_json::{Value, json};
use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

/// Anybody who is not root.
const NOBODY: u32 = 65_534;
/// What a clock is set back by.
const DAY_US: i64 = 86_400_000_000;
/// Room for a small store, and no more.
const DISK_MIB: u32 = 24;

/// A file system of its own, in memory; away when it is dropped.
struct Disk(PathBuf);

impl Disk {
    /// `None` where nobody may mount: a test that needs it is then left out, but not in CI.
    fn mount(at: &Path) -> Option<Self> {
        if !geteuid().is_root() {
            assert!(std::env::var_os("CI").is_none(), "this test mounts a file system: run it as root");
            println!("left out: only root can mount a file system");
            return None;
        }
        fs::create_dir_all(at).unwrap();
        run("mount", &["-t", "tmpfs", "-o", &format!("size={DISK_MIB}m,mode=0700"), "tmpfs"], at);
        Some(Self(at.to_owned()))
    }

    fn again(&self, options: &str) {
        run("mount", &["-o", &format!("remount,{options}")], &self.0);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A daemon that a failing test left may still be on it.
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

fn run(program: &str, words: &[&str], at: &Path) {
    let status = Command::new(program).args(words).arg(at).status().unwrap();
    assert!(status.success(), "{program} {words:?} {}: {status}", at.display());
}

/// The next news of a state that `is` wanted.
#[track_caller]
fn news(register: &mut Client, is: impl Fn(&Value) -> bool) -> Value {
    loop {
        let event = register.next_event(PATIENCE).unwrap().expect("news of a state");
        if event["type"] == "state" && is(&event["state"]) {
            return event["state"].clone();
        }
    }
}

/// Takes up all room that is left.
fn fill(folder: &Path) -> PathBuf {
    let path = folder.join("filler");
    let mut file = File::create(&path).unwrap();
    for size in [1 << 20, 1 << 12, 1] {
        let room = vec![1; size];
        while file.write_all(&room).is_ok() {}
    }
    path
}

#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    let (bench, mut scanner) = (Bench::new(), Scanner::new());
    let Some(disk) = Disk::mount(&bench.state()) else { return };
    let (fichad, mut register) = bench.one_till(&scanner);
    let (who, _, letters) = customer(&mut register);
    let filler = fill(&disk.0);
    let mut kept = 0;
    let refused = loop {
        let preference =
            json!({ "key": Uuid::new_v4(), "customer": who, "name": "receipt", "value": kept.to_string() });
        match register.call("preference.set", preference) {
            Ok(_) => kept += 1,
            Err(error) => break Err(error),
        }
        assert!(kept < 100_000, "the disk is never full");
    };
    assert_eq!(reason(refused), "read_only");
    println!("{kept} writes before the disk was full");
    let told = news(&mut register, |state| state["store"]["state"] == "read_only");
    assert!(told["store"]["why"].as_str().unwrap().contains("No space left"), "{told}");
    assert_eq!(register.call("hello", json!({})).unwrap()["states"]["store"], told["store"]);
    scanner.scan(&[&letters, PRODUCT]);
    assert_eq!(event(&mut register, "identified")["file"]["name"], "Ana Example");
    assert_eq!(event(&mut register, "scan")["scan_data"], PRODUCT);
    fichad.kill();

    fs::remove_file(filler).unwrap();
    let scanner = Scanner::new();
    let (fichad, mut register) = bench.one_till(&scanner);
    // The last one is there; of the one that was refused nobody knows until now.
    let shown = register.call("customer.show", json!({ "customer": who })).unwrap();
    let there = |value: i32| shown["file"]["preferences"] == json!([format!("receipt: {value}")]);
    assert!(there(kept - 1) || there(kept), "{kept} were acknowledged, and there is {shown}");
    write(&mut register, "preference.set", json!({ "customer": who, "name": "receipt", "value": "room" }));
    fichad.stop();
}

#[test]
fn a_read_only_disk_is_told_and_its_cards_are_there_when_it_is_not() {
    let bench = Bench::new();
    let Some(disk) = Disk::mount(&bench.state()) else { return };
    let letters = with_customer(&bench, &Scanner::new());
    disk.again("ro");
    let mut scanner = Scanner::new();
    bench.configure(&one_till(&scanner));
    products_pass(&bench, &mut scanner, &letters, "Read-only file system").stop();
    disk.again("rw");
    let mut scanner = Scanner::new();
    let (fichad, mut register) = bench.one_till(&scanner);
    scanner.scan(&[&letters]);
    assert_eq!(event(&mut register, "identified")["file"]["name"], "Ana Example");
    fichad.stop();
}

#[test]
fn a_state_folder_of_somebody_else_is_told_and_left_alone() {
    let bench = Bench::new();
    let letters = with_customer(&bench, &Scanner::new());
    let before = files(&bench.state());
    let mut scanner = Scanner::new();
    bench.configure(&one_till(&scanner));
    let mut command = Command::new(env!("CARGO_BIN_EXE_fichad"));
    if geteuid().is_root() {
        // The socket's folder and the scanner are theirs, and the state folder is root's.
        let folder = bench.state().parent().unwrap().to_owned();
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        chown(&folder, Some(NOBODY), None).unwrap();
        chown(scanner.path(), Some(NOBODY), None).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    } else {
        fs::set_permissions(bench.state(), Permissions::from_mode(0o000)).unwrap();
    }
    let started = now();
    let fichad = bench.start_by(command, "info");
    pass(fichad, &mut scanner, &letters, "Permission denied", started).stop();
    fs::set_permissions(bench.state(), Permissions::from_mode(0o700)).unwrap();
    assert!(files(&bench.state()) == before, "something was changed in a folder that is somebody else's");
    let mut scanner = Scanner::new();
    let (fichad, mut register) = bench.one_till(&scanner);
    scanner.scan(&[&letters]);
    assert_eq!(event(&mut register, "identified")["file"]["name"], "Ana Example");
    fichad.stop();
}

#[expect(clippy::disallowed_methods, reason = "the time from a process's start is measured")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn the_wrong_vault_key_is_told_and_changes_nothing() {
    let bench = Bench::new();
    let letters = with_customer(&bench, &Scanner::new());
    let (key, keys) = (bench.state().join("vault.key"), bench.state().join("keys"));
    let (right, before) = (fs::read(&key).unwrap(), fs::read(&keys).unwrap());
    let put = |bytes: &[u8]| {
        fs::remove_file(&key).unwrap();
        fs::write(&key, bytes).unwrap();
        fs::set_permissions(&key, Permissions::from_mode(0o400)).unwrap();
    };
    put(&[7; 32]);
    let mut scanner = Scanner::new();
    bench.configure(&one_till(&scanner));
    products_pass(&bench, &mut scanner, &letters, "the key given does not open").stop();
    assert!(fs::read(&keys).unwrap() == before);
    put(&right);
    let mut scanner = Scanner::new();
    let (fichad, mut register) = bench.one_till(&scanner);
    scanner.scan(&[&letters]);
    assert_eq!(event(&mut register, "identified")["file"]["name"], "Ana Example");
    fichad.stop();
}

#[test]
fn a_second_daemon_on_one_folder_is_told_and_the_first_goes_on() {
    let (bench, other) = (Bench::new(), Bench::new());
    let disk = tempfile::tempdir().unwrap();
    for daemon in [&bench, &other] {
        daemon.drop_in(&format!("[vault]\nsecond_dir = \"{}\"\n", disk.path().display()));
    }
    let mut scanner = Scanner::new();
    let (fichad, mut register) = bench.one_till(&scanner);
    let (who, _, letters) = customer(&mut register);
    until("the second copies are made", || {
        register.call("status", json!({})).unwrap()["keys"]["second_copy"] == "in_step"
    });
    // Something that a start puts right: this one must not, for the folder is not its own.
    let copy = disk.path().join("keyring/keyring");
    std::fs::remove_file(&copy).unwrap();
    let mut second = Scanner::new();
    other.configure(&one_till(&second));
    std::os::unix::fs::symlink(bench.state(), other.state()).unwrap();
    products_pass(&other, &mut second, &letters, "held by another process").stop();
    assert!(!copy.exists(), "keys were written by a daemon that does not hold the folder");
    scanner.scan(&[&letters, PRODUCT]);
    assert_eq!(event(&mut register, "identified")["file"]["name"], "Ana Example");
    assert_eq!(event(&mut register, "scan")["scan_data"], PRODUCT);
    write(&mut register, "note.keep", json!({ "customer": who, "text": "the first goes on" }));
    fichad.stop();
}

#[test]
fn a_clock_that_was_set_back_a_day_is_told_and_time_never_goes_back() {
    let (bench, scanner) = (Bench::new(), Scanner::new());
    let (fichad, mut register) = bench.one_till(&scanner);
    let (who, _, letters) = customer(&mut register);
    fichad.stop();
    // A write of tomorrow, as a clock that was a day ahead left it: the same journal as if the clock were set back now.
    let last = |ahead_us: i64| {
        let utc = move || SystemClock::start().utc().0 + ahead_us;
        let (log, vault) = open(&bench.state(), Arc::new(utc));
        let written = (ahead_us > 0).then(|| {
            let customer = CustomerNumber(Uuid::new_v4());
            let enrolled = move |tx: &mut Tx<'_>| store::emit(tx, &StoreEvent::CustomerEnrolled { customer });
            log.submit(enrolled).unwrap().wait().unwrap().meta
        });
        let health = log.close();
        drop(vault);
        written.map_or((health.last_seq, health.last_at_us), |meta| (meta.seq, meta.at_us))
    };
    let before = last(DAY_US);
    let tomorrow = Timestamp(before.1).rfc3339();

    let mut scanner = Scanner::new();
    let (fichad, mut register) = bench.one_till(&scanner);
    let hello = register.call("hello", json!({})).unwrap()["states"]["store"].clone();
    assert_eq!((&hello["state"], &hello["clock_behind"]), (&json!("open"), &json!(tomorrow)));
    let told = news(&mut register, |state| !state["store"]["clock_behind"].is_null());
    assert_eq!(told["store"], hello);
    scanner.scan(&[PRODUCT, &letters]);
    assert_eq!(event(&mut register, "scan")["scan_data"], PRODUCT);
    assert_eq!(event(&mut register, "identified")["file"]["name"], "Ana Example");
    write(
        &mut register,
        "note.keep",
        json!({ "customer": who, "text": "written while the clock is behind" }),
    );
    let log = fichad.stop();
    assert!(log.contains("the clock is behind the last write"), "{log}");
    let after = last(0);
    assert!(after.0 > before.0 && after.1 >= before.1, "{before:?} and then {after:?}");
}

/// The journals and their views, under another clock than the machine's.
fn open(state: &Path, utc_us: Arc<dyn Fn() -> i64 + Send + Sync>) -> (Log, Arc<Vault>) {
    let kek = KeySource::File(state.join("vault.key")).load(None).unwrap();
    let keys = KeyFile::open(&state.join("keys"), &kek, os_random).unwrap();
    let (keyring, lists) = (Keyring::open(&state.join("keyring")), Lists::open(state, None));
    let vault = Arc::new(Vault::new(Some(keys), keyring.unwrap(), lists.unwrap()));
    let folds = Folds { personal: Arc::new(VaultFold(Arc::clone(&vault))), neutral: Arc::new(StoreFold) };
    let (log, _) = Log::open(Settings::new(state), folds, utc_us).unwrap();
    (log, vault)
}
