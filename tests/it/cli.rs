//! The two programs as they are installed: `fichad` with a scanner and a printer, and `ficha` asked by a script.

mod asked;
mod config;
mod contact;
mod counter;
mod joined;
mod operators;
mod programme;
mod register;
mod sales;
mod told;
mod transfer;

use fichad::print::paper::{Model, Paper};
use fichad::push::client::Client;
use nix::pty::{OpenptyResult, openpty};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::ttyname;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::Duration;

/// How long a test waits for what must come; only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(30);

const PERSON: &str = r#"{"givenName":"María","familyName":"García","telephone":[{"e164":"600 123 456"}]}"#;

/// A running `fichad` with its scanner and printer, in a folder of its own.
struct Shop {
    folder: tempfile::TempDir,
    daemon: Child,
    scanner: File,
    _line: OwnedFd,
}

/// Starts `fichad`, and returns once it says that it is ready.
fn start(folder: &Path) -> Child {
    let notify = folder.join("notify");
    // Left by the run before, if there was one.
    drop(std::fs::remove_file(&notify));
    let notices = UnixDatagram::bind(&notify).unwrap();
    notices.set_read_timeout(Some(PATIENCE)).unwrap();
    let daemon = Command::new(env!("CARGO_BIN_EXE_fichad"))
        .arg("--config")
        .arg(folder.join("fichad.toml"))
        .env("NOTIFY_SOCKET", &notify)
        .stderr(File::create(folder.join("log")).unwrap())
        .spawn()
        .unwrap();
    let mut notice = [0; 64];
    let length = notices.recv(&mut notice).unwrap();
    assert_eq!(notice[..length].trim_ascii(), b"READY=1");
    daemon
}

/// What a run of `ficha` came to.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    /// Standard output, which must be one line of JSON, of a run that went well.
    #[track_caller]
    fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}", self.err);
        assert_eq!(self.out.lines().count(), 1, "{}", self.out);
        serde_json::from_str(&self.out).unwrap()
    }
}

fn ficha(socket: &Path, args: &[&str], stdin: &str) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ficha"));
    command.env("FICHAD_SOCKET", socket).args(args);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that reads nothing has closed its end.
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap_or_default();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

impl Shop {
    fn open() -> Self {
        Self::open_with("")
    }

    /// With `tables` behind what the config has.
    fn open_with(tables: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let OpenptyResult { master, slave } = openpty(None, None).unwrap();
        let mut modes = tcgetattr(&slave).unwrap();
        cfmakeraw(&mut modes);
        tcsetattr(&slave, SetArg::TCSANOW, &modes).unwrap();
        let config = folder.path().join("fichad.toml");
        let text = format!(
            "[shop]\ncalling_code = \"34\"\n[store]\ndir = \"{0}/state\"\n[push]\nsocket = \"{0}/s\"\n\
             [[register]]\nname = \"till-1\"\n[[serial]]\npath = \"{1}\"\nregister = \"till-1\"\n\
             [[printer]]\nname = \"counter\"\naddress = \"tcp://{2}\"\nwidth_dots = 576\n{tables}",
            folder.path().display(),
            ttyname(&slave).unwrap().display(),
            printer(),
        );
        std::fs::write(&config, text).unwrap();
        let daemon = start(folder.path());
        let shop = Self { folder, daemon, scanner: File::from(master), _line: slave };
        shop.wait_until_open();
        shop
    }

    /// Starts the daemon again after it was killed.
    fn restart(&mut self) {
        drop(self.daemon.wait());
        self.daemon = start(self.folder.path());
        self.wait_until_open();
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// Waits until the store is open and the scanner read: both are told as events.
    fn wait_until_open(&self) {
        let mut client = Client::connect(&self.socket()).unwrap();
        client.call("subscribe", json!({ "register": "till-1" })).unwrap();
        loop {
            let status = client.call("status", json!({})).unwrap();
            if status["store"]["state"] == "open" && status["readers"][0]["state"] == "reading" {
                return;
            }
            assert!(client.next_event(PATIENCE).unwrap().is_some(), "still {status}");
        }
    }

    fn ficha(&self, args: &[&str], stdin: &str) -> Ran {
        ficha(&self.socket(), args, stdin)
    }

    fn json(&self, args: &[&str], stdin: &str) -> Value {
        self.ficha(&[args, &["--json"]].concat(), stdin).json()
    }

    fn scan(&mut self, code: &str) {
        self.scanner.write_all(format!("{code}\r").as_bytes()).unwrap();
    }

    fn enrolled(&self) -> String {
        self.json(&["enrol"], PERSON)["customer"].as_str().unwrap().to_owned()
    }

    /// Starts `ficha watch`, and returns once it watches.
    fn watch(&self, args: &[&str]) -> (Child, BufReader<ChildStdout>, ChildStderr) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ficha"))
            .arg("--socket")
            .arg(self.socket())
            .arg("watch")
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        errors.read_line(&mut line).unwrap();
        assert!(line.starts_with("watching"), "{line}");
        let output = BufReader::new(child.stdout.take().unwrap());
        (child, output, errors.into_inner())
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        drop(self.daemon.kill());
        drop(self.daemon.wait());
    }
}

/// The words for people of a run that went well.
#[track_caller]
fn said(shop: &Shop, args: &[&str]) -> String {
    let ran = shop.ficha(args, "");
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.out
}

/// Why a request was not done; nothing else was said.
#[track_caller]
fn refused(shop: &Shop, args: &[&str]) -> String {
    let ran = shop.ficha(args, "");
    assert_eq!((ran.code, &*ran.out), (1, ""), "{}", ran.err);
    ran.err
}

/// Whether each of `parts` is in `text`.
#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

fn today() -> String {
    jiff::Zoned::now().date().to_string()
}

/// A printer on the network; its address.
fn printer() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut paper = Paper::new(Model::FULL);
        listener.incoming().flatten().for_each(|stream| serve(stream, &mut paper));
    });
    address
}

fn serve(mut stream: TcpStream, paper: &mut Paper) {
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        let answer = paper.push(&buffer[..count]);
        drop(paper.take_pages());
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}

#[test]
fn what_is_kept_of_a_customer_is_corrected_and_the_rest_stays() {
    let shop = Shop::open();
    let customer = shop.enrolled();
    let changed = shop
        .json(&["change", &customer], r#"{"familyName":"Garcés","telephone":null,"knowsLanguage":["es"]}"#);
    assert_eq!((&changed["customer"], &changed["repeated"]), (&json!(customer), &json!(false)));
    let wanted = json!({ "givenName": "María", "familyName": "Garcés", "knowsLanguage": ["es"] });
    assert_eq!(shop.json(&["show", &customer], "")["person"], wanted);
    for nothing in ["", "{}"] {
        assert_eq!(shop.ficha(&["change", &customer], nothing).code, 64, "{nothing}");
    }
    let wrong = shop.ficha(&["change", &customer], r#"{"familyNam":"Garza"}"#);
    assert!(
        wrong.code == 1 && wrong.err.contains("familyNam") && !wrong.err.contains("Garza"),
        "{}",
        wrong.err
    );
    assert_eq!(shop.json(&["show", &customer], "")["person"], wanted);
}

#[test]
fn a_customer_from_enrolment_to_a_printed_card() {
    let shop = Shop::open();
    let customer = shop.enrolled();
    let found = shop.json(&["find", "--by", "phone"], "600123456\n");
    assert_eq!(found["rows"][0]["customer"], *customer);
    assert_eq!(shop.json(&["find"], "garcía mar\n")["rows"][0]["customer"], *customer);

    let opened = ["issue", "open", &customer, "--kind", "warranty", "--model", "KX-200", "--hint"];
    let issue = shop.json(&opened, "motor replaced\n")["issue"].as_str().unwrap().to_owned();
    assert_eq!(shop.json(&["issue", "list", &customer], "")["issues"][0]["hint"], "motor replaced");
    let updated = shop.json(&["issue", "update", &issue, "--state", "in_progress"], "");
    assert_eq!(updated["state"], "IN_PROGRESS");
    shop.json(&["note", "keep", &customer], "first line\nsecond line\n");
    let wrong = shop.json(&["note", "keep", &customer], "of another customer\n")["note"].clone();
    let list = || shop.ficha(&["note", "list", &customer], "").out;
    assert!(list().contains("of another customer") && list().contains("\n  second line\n"), "{}", list());
    shop.json(&["note", "remove", &customer, wrong.as_str().unwrap()], "");
    assert!(list().contains("second line") && !list().contains("of another customer"), "{}", list());
    shop.json(&["preference", "set", &customer], "receipt\nnone on paper\n");

    let printed = shop.ficha(&["--json", "card", "print", &customer, "--register", "till-1"], "");
    assert_eq!(printed.code, 0, "{}", printed.err);
    let lines: Vec<Value> = printed.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (first, last) = (&lines[0], &lines[lines.len() - 1]);
    assert_eq!((&last["state"], &last["job"]), (&json!("printed"), &first["job"]));
    let job = shop.json(&["job", "show", first["job"].as_str().unwrap()], "");
    // Told first, journalled after: the journal may lag behind the event.
    assert_eq!((&job["job"], &job["customer"]), (&first["job"], &json!(customer)));

    let card = first["card"].as_str().unwrap();
    assert_eq!(shop.json(&["card", "list", &customer], "")["cards"][0]["card"], *card);
    let blocked = shop.json(&["card", "block", &customer, card, "--reason", "lost"], "");
    assert_eq!(blocked["status"], "BLOCKED");
    assert_eq!(shop.json(&["card", "unblock", &customer, card], "")["status"], "ACTIVE");
    let file = shop.json(&["file", "open", &customer, "--register", "till-1"], "");
    assert_eq!(file["file"]["name"], "María García");
    assert_eq!(shop.json(&["issue", "close", &issue], "")["state"], "CLOSED");

    let shown = shop.ficha(&["show", &customer], "");
    assert_eq!(shown.code, 0, "{}", shown.err);
    for part in ["María", "+34600123456", card, "none on paper", "- first line\n  second line"] {
        assert!(shown.out.contains(part), "{part} is not in\n{}", shown.out);
    }
    assert_eq!(shop.json(&["show", &customer], "")["person"]["givenName"], "María");
}

#[test]
fn a_write_with_the_same_key_happens_once() {
    let shop = Shop::open();
    let key = uuid::Uuid::new_v4().to_string();
    let first = shop.json(&["enrol", "--key", &key], PERSON);
    let again = shop.json(&["enrol", "--key", &key], PERSON);
    assert_eq!((&again["customer"], &again["repeated"]), (&first["customer"], &json!(true)));
    let other = shop.ficha(&["enrol", "--key", &key], r#"{"givenName":"Eva"}"#);
    assert_eq!(other.code, 1);
    assert!(other.err.contains("key was used for another request"), "{}", other.err);
    let wrong = shop.ficha(&["enrol"], r#"{"givenNam":"Eva"}"#);
    assert_eq!(wrong.code, 1);
    assert!(wrong.err.contains("person.givenNam") && !wrong.err.contains("Eva"), "{}", wrong.err);
    let wrong = shop.ficha(&["--json", "enrol"], r#"{"givenNam":"Eva"}"#);
    let error: Value = serde_json::from_str(&wrong.err).unwrap();
    assert_eq!(error["error"]["reason"], "invalid_params");
}

#[test]
fn devices_and_states_are_told() {
    let shop = Shop::open();
    let devices = shop.json(&["devices"], "");
    assert_eq!(devices["readers"][0]["state"], "reading");
    assert_eq!(devices["printers"][0]["printer"], "counter");
    assert_eq!(shop.json(&["printer", "list"], "")["printers"][0]["printer"], "counter");
    assert_eq!(shop.json(&["status"], "")["vault"], "open");
    let tables = [shop.ficha(&["devices"], "").out, shop.ficha(&["status"], "").out];
    assert!(tables.iter().all(|table| table.contains("counter") && table.contains("reading")), "{tables:?}");
    let config = shop.folder.path().join("fichad.toml");
    let doctor = shop.ficha(&["--json", "doctor", "--config", config.to_str().unwrap()], "");
    let found: Value = serde_json::from_str(&doctor.out).unwrap();
    let level = |check: &str| {
        let all = found["findings"].as_array().unwrap();
        all.iter().find(|finding| finding["check"] == check).unwrap()["level"].clone()
    };
    for check in ["config", "state", "daemon", "store", "vault", "reader"] {
        assert_eq!(level(check), "ok", "{check} in {found}");
    }
    // The groups are the host's matter.
    assert_eq!(doctor.code == 0, found["ok"] == true);
}

#[test]
fn a_scan_is_watched_and_never_reaches_the_terminal_raw() {
    let mut shop = Shop::open();
    let (mut program, mut lines, errors) = shop.watch(&["--json"]);
    let (mut person, mut shown, _more) = shop.watch(&[]);
    shop.scan("]d2010400638133393110A1\u{1d}21S7");
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&event["type"], &event["register"]), (&json!("scan"), &json!("till-1")));
    assert_eq!(event["scan_data"], "010400638133393110A1\u{1d}21S7");
    line.clear();
    shown.read_line(&mut line).unwrap();
    assert!(line.contains("till-1") && line.contains(r"10A1\u{1d}21S7"), "{line}");
    assert!(!line.trim_end().chars().any(char::is_control), "{line:?}");

    // Like `ficha watch | head -1`: who has seen enough is no failure.
    drop(shown);
    assert_eq!(person.wait().unwrap().code(), Some(0));
    // A daemon that comes back is followed on.
    shop.daemon.kill().unwrap();
    shop.restart();
    let mut asides = BufReader::new(errors).lines().map(Result::unwrap);
    assert!(asides.any(|line| line.contains("fichad is back")));
    shop.scan("4006381333931");
    let told = lines.by_ref().lines().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    told.take_while(|event| event["scan_data"] != "4006381333931").for_each(drop);
    drop(lines);
    assert_eq!(program.wait().unwrap().code(), Some(0));
}

#[test]
fn without_a_daemon_the_next_step_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let ran = ficha(&folder.path().join("none"), &["status"], "");
    assert_eq!(ran.code, 69);
    assert!(ran.out.is_empty() && ran.err.contains("systemctl start fichad"), "{}", ran.err);
    let doctor = ficha(&folder.path().join("none"), &["doctor"], "");
    assert_eq!(doctor.code, 1);
    assert!(doctor.out.contains("WRONG") && doctor.out.contains("systemctl start fichad"), "{}", doctor.out);
}

#[test]
fn personal_data_is_no_argument() {
    let folder = tempfile::tempdir().unwrap();
    let customer = uuid::Uuid::new_v4().to_string();
    let with_text: [&[&str]; 10] = [
        &["enrol", "--given-name", "x"],
        &["enrol", "--phone", "x"],
        &["enrol", "x"],
        &["find", "x"],
        &["find", "--phone", "x"],
        &["find", "--by", "phone", "x"],
        &["note", "keep", &customer, "x"],
        &["preference", "set", &customer, "x"],
        &["issue", "open", &customer, "--kind", "REPAIR", "--hint", "x"],
        &["card", "issue", &customer, "--programme", "old", "x"],
    ];
    for args in with_text {
        assert_eq!(ficha(folder.path(), args, "").code, 64, "{args:?}");
    }
    assert_eq!(ficha(folder.path(), &["find"], "").code, 64, "nothing on standard input");
    let help = ficha(folder.path(), &["--help"], "");
    assert!(help.out.contains("69  no daemon") && help.out.contains("64  wrong usage"), "{}", help.out);
}
