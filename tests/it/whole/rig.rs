//! `fichad` as a process of its own, in a folder of its own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use fichad::push::client::Client;
use nix::poll::{PollFd, PollFlags, poll};
use nix::pty::{OpenptyResult, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, ttyname};
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::Duration;
use uuid::Uuid;

/// How long a test waits for what must come; only a failing test waits that long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const PRODUCT: &str = "4006381333931";

/// Where a daemon runs, again and again: config, state, socket.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// The state folder.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Writes the config: `tables`, and where state and socket are.
    pub(crate) fn configure(&self, tables: &str) {
        let text = format!(
            "[shop]\ncalling_code = \"34\"\n[store]\ndir = \"{}\"\n[push]\nsocket = \"{}\"\n{tables}",
            self.state().display(),
            self.folder.path().join("sock").display(),
        );
        std::fs::write(self.folder.path().join("fichad.toml"), text).unwrap();
    }

    /// Writes a drop-in beside the config.
    pub(crate) fn drop_in(&self, tables: &str) {
        let folder = self.folder.path().join("fichad.toml.d");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("more.toml"), tables).unwrap();
    }

    pub(crate) fn start(&self) -> Fichad {
        self.start_logging("info")
    }

    /// Starts the daemon; what it says goes to a file.
    pub(crate) fn start_logging(&self, filter: &str) -> Fichad {
        self.start_by(Command::new(env!("CARGO_BIN_EXE_fichad")), filter)
    }

    /// Starts the daemon by a command that may be somebody else's.
    pub(crate) fn start_by(&self, mut command: Command, filter: &str) -> Fichad {
        let log = self.folder.path().join(format!("log-{}", Uuid::new_v4()));
        let child = command
            .arg("--config")
            .arg(self.folder.path().join("fichad.toml"))
            .env("FICHAD_LOG", filter)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let config = std::fs::read_to_string(self.folder.path().join("fichad.toml")).unwrap();
        let readers = config.matches("[[serial]]").count();
        Fichad { child, socket: self.folder.path().join("sock"), log, readers }
    }

    /// A register `till-1` with `scanner`, and the daemon running on it with its store open.
    pub(crate) fn one_till(&self, scanner: &Scanner) -> (Fichad, Client) {
        self.configure(&one_till(scanner));
        let fichad = self.start();
        let register = fichad.open("till-1");
        (fichad, register)
    }
}

/// The tables of one register with one scanner.
pub(crate) fn one_till(scanner: &Scanner) -> String {
    format!("[[register]]\nname = \"till-1\"\n{}", scanner.table("counter", "till-1", ""))
}

/// A running daemon; killed when it is dropped.
pub(crate) struct Fichad {
    child: Child,
    socket: PathBuf,
    log: PathBuf,
    readers: usize,
}

impl Fichad {
    pub(crate) fn client(&self) -> Client {
        let mut client = None;
        until("the daemon answers", || {
            client = Client::connect(&self.socket).ok();
            client.is_some()
        });
        client.unwrap()
    }

    /// Subscribed, with all readers open; the store may be anything.
    pub(crate) fn register(&self, name: &str) -> Client {
        let mut client = self.client();
        client.call("subscribe", json!({ "register": name })).unwrap();
        until("all readers read", || {
            let readers = client.call("reader.list", json!({})).unwrap();
            let readers = readers["readers"].as_array().unwrap();
            readers.iter().filter(|reader| reader["state"] == "reading").count() == self.readers
        });
        client
    }

    /// Subscribed, with all readers and the store open.
    pub(crate) fn open(&self, name: &str) -> Client {
        let mut client = self.register(name);
        assert_eq!(store_settled(&mut client)["store"]["state"], "open", "{}", self.log());
        client
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// As a power cut ends it, but for the disk.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As systemd ends it. Gives all that it said.
    pub(crate) fn stop(mut self) -> String {
        self.signal(Signal::SIGTERM);
        let mut status = None;
        until("the daemon has ended", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let (status, log) = (status.unwrap(), self.log());
        assert!(status.success(), "{status}: {log}");
        log
    }
}

impl Drop for Fichad {
    fn drop(&mut self) {
        // Both fail only if it has ended, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The state once the store is open or has failed.
pub(crate) fn store_settled(client: &mut Client) -> Value {
    let mut status = Value::Null;
    until("the store is open or has failed", || {
        status = client.call("status", json!({})).unwrap();
        status["store"]["state"] != "opening"
    });
    status
}

/// A scanner: the master end of a pseudo-terminal.
pub(crate) struct Scanner {
    wire: File,
    path: PathBuf,
    _far_end: OwnedFd,
}

impl Scanner {
    pub(crate) fn new() -> Self {
        let OpenptyResult { master, slave } = openpty(None, None).unwrap();
        let path = ttyname(&slave).unwrap();
        Self { wire: File::from(master), path, _far_end: slave }
    }

    /// Its `[[serial]]` table, with `more` lines.
    pub(crate) fn table(&self, name: &str, register: &str, more: &str) -> String {
        let path = self.path.display();
        format!("[[serial]]\npath = \"{path}\"\nname = \"{name}\"\nregister = \"{register}\"\n{more}\n")
    }

    /// The device that the daemon opens.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Sends each code with a CR behind it, all in one go.
    pub(crate) fn scan(&mut self, codes: &[&str]) {
        let bytes: String = codes.iter().flat_map(|code| [code, "\r"]).collect();
        self.wire.write_all(bytes.as_bytes()).unwrap();
    }

    /// The next byte that the daemon sends back.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> u8 {
        let mut polled = [PollFd::new(self.wire.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut polled, u16::try_from(PATIENCE.as_millis()).unwrap()).unwrap();
        assert_eq!(ready, 1, "the scanner got no answer");
        let mut byte = [0];
        self.wire.read_exact(&mut byte).unwrap();
        byte[0]
    }
}

/// The next event that is no news of a state; it must come, and be of this type.
#[track_caller]
pub(crate) fn event(client: &mut Client, wanted: &str) -> Value {
    loop {
        let event = client.next_event(PATIENCE).unwrap().expect("an event in time");
        if event["type"] == "state" {
            continue;
        }
        assert_eq!(event["type"], wanted, "{event}");
        return event;
    }
}

/// That nothing but news of a state has come until now.
#[track_caller]
pub(crate) fn no_event(client: &mut Client) {
    client.call("ping", json!({})).unwrap();
    while let Some(event) = client.next_event(Duration::ZERO).unwrap() {
        assert_eq!(event["type"], "state", "{event}");
    }
}

/// A write with a key of its own.
#[track_caller]
pub(crate) fn write(client: &mut Client, method: &str, params: Value) -> Value {
    let mut fields: Map<String, Value> = serde_json::from_value(params).unwrap();
    fields.insert("key".to_owned(), json!(Uuid::new_v4()));
    client.call(method, fields).unwrap()
}

/// A customer with a plastic card: the number, the card and its letters.
#[track_caller]
pub(crate) fn customer(client: &mut Client) -> (Value, Value, String) {
    let person = json!({ "givenName": "Ana", "familyName": "Example" });
    let customer = write(client, "customer.enrol", json!({ "person": person }))["customer"].clone();
    let card = write(client, "card.issue", json!({ "customer": customer }));
    (customer, card["card"].clone(), card["letters"].as_str().unwrap().to_owned())
}

/// Waits for a condition that another thread or process brings about.
#[track_caller]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let (_keep, never) = sync_channel::<()>(0);
    for _ in 0..30_000 {
        if condition() {
            return;
        }
        never.recv_timeout(Duration::from_millis(1)).unwrap_err();
    }
    panic!("waited in vain until {what}");
}

/// Which way `secret` stands in `text`: as it is, in hexadecimal digits or in base64; `None` if it does not.
pub(crate) fn stands_in(text: &str, secret: &str) -> Option<&'static str> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    // As a list of numbers too, which is how Rust prints bytes.
    let numbers: Vec<String> = secret.bytes().map(|byte| byte.to_string()).collect();
    if text.contains(secret) {
        return Some("as it is");
    }
    if text.contains(&hex) || text.contains(&hex.to_uppercase()) {
        return Some("in hexadecimal");
    }
    if text.contains(&numbers.join(", ")) {
        return Some("as a list of bytes");
    }
    // Wherever in a group of three the secret begins; what its neighbours have a part in is left out.
    let in_base64 = (0..3).any(|before| {
        let mut padded = vec![0; before];
        padded.extend_from_slice(secret.as_bytes());
        let encoded = STANDARD_NO_PAD.encode(&padded);
        text.contains(&encoded[(before * 8).div_ceil(6)..padded.len() * 8 / 6])
    });
    in_base64.then_some("in base64")
}

/// Every file below `dir`, with its bytes. What is no UTF-8 in them is of no matter to [`stands_in`].
pub(crate) fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut found, mut folders) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push((path.clone(), std::fs::read(&path).unwrap()));
            }
        }
    }
    found
}

#[test]
fn a_secret_is_found_in_every_dress() {
    let secret = "Quijote-600123456";
    for before in ["", "a", "ab", "abc"] {
        let text = format!("{before}{secret}zz");
        let hex: String = text.bytes().map(|byte| format!("{byte:02X}")).collect();
        let bytes = format!("{:?}", text.as_bytes());
        for dress in [text.clone(), hex, bytes, STANDARD_NO_PAD.encode(&text)] {
            assert!(stands_in(&dress, secret).is_some(), "{dress}");
        }
    }
    assert_eq!(stands_in("nothing of the kind", secret), None);
}
