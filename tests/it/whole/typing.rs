//! A register that knows nothing but a keyboard: what is passed on is typed, and what cannot be is told.

use super::rig::*;
use crate::captures::show;
use fichad::config;
use fichad::daemon::{self, Control, Options};
use fichad::decode::Assemble as _;
use fichad::decode::keyboard::{IDLE_DEFAULT, Keyboard, Layout};
use fichad::device::keymap;
use fichad::device::typist::{self, OpenTypist, TypeError, Typist};
use fichad::push::client::Client;
use nix::errno::Errno;
use std::io;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// The daemon within this process, so that its keyboard can be another.
struct Inside {
    bench: Bench,
    scanner: Scanner,
    control: Control,
    daemon: Option<JoinHandle<Result<(), daemon::DaemonError>>>,
}

impl Inside {
    fn start(typist: OpenTypist) -> Self {
        let (bench, scanner) = (Bench::new(), Scanner::new());
        let tables = scanner.table("counter", "till-1", "");
        bench.configure(&format!(
            "[typist]\nlayout = \"de\"\nsuffix = \"tab\"\n[[register]]\nname = \"till-1\"\ntypes = true\n{tables}"
        ));
        let config = config::load(&bench.state().with_file_name("fichad.toml")).unwrap();
        let host = fichad::cli::serve::host_name();
        let options = Options {
            config,
            config_path: None,
            host,
            listener: None,
            credentials: None,
            heartbeat: None,
            typist,
        };
        let control = Control::default();
        let told = control.clone();
        let daemon = std::thread::spawn(move || daemon::run(options, &told, || {}));
        Self { bench, scanner, control, daemon: Some(daemon) }
    }

    /// The register, once reader and store are open.
    fn register(&self) -> Client {
        let socket = self.bench.state().with_file_name("sock");
        let mut client = None;
        until("the daemon answers", || {
            client = Client::connect(&socket).ok();
            client.is_some()
        });
        let mut client = client.unwrap();
        client.call("subscribe", serde_json::json!({ "register": "till-1" })).unwrap();
        until("the reader reads", || {
            client.call("status", serde_json::json!({})).unwrap()["readers"][0]["state"] == "reading"
        });
        assert_eq!(store_settled(&mut client)["store"]["state"], "open");
        client
    }

    fn stop(mut self) {
        self.control.stop.cancel();
        self.daemon.take().unwrap().join().unwrap().unwrap();
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.control.stop.cancel();
        if let Some(daemon) = self.daemon.take() {
            drop(daemon.join());
        }
    }
}

/// The word of the typist's state, with the reason.
fn state(client: &mut Client) -> (String, String) {
    let typist = client.call("status", serde_json::json!({})).unwrap()["typist"].clone();
    let text = |field: &str| typist[field].as_str().unwrap_or_default().to_owned();
    (text("state"), text("why"))
}

/// Reads its key events as a host with a German layout does, up to each Tab.
struct Recorder(Keyboard);

static TYPED: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl typist::Keyboard for Recorder {
    fn key(&mut self, code: u16, value: i32) -> io::Result<()> {
        let event = [&1_u16.to_le_bytes()[..], &code.to_le_bytes(), &value.to_le_bytes()].concat();
        let mut out = Vec::new();
        self.0.push(&event, Duration::ZERO, &mut out);
        TYPED.lock().unwrap().extend(out.iter().map(show));
        Ok(())
    }
}

fn recorder() -> Result<Typist, TypeError> {
    let layout: Arc<Layout> = Arc::new(keymap::load("de", "").unwrap());
    Ok(Typist::over(Box::new(Recorder(Keyboard::new(layout, IDLE_DEFAULT)))))
}

#[test]
fn what_is_passed_on_is_typed_and_nothing_else() {
    let mut inside = Inside::start(recorder);
    let mut register = inside.register();
    let (_customer, _card, letters) = customer(&mut register);
    inside.scanner.scan(&[PRODUCT, &format!("]Q1{letters}"), "PALLET-0042/b"]);
    assert_eq!(event(&mut register, "scan")["scan_data"], PRODUCT);
    event(&mut register, "identified");
    event(&mut register, "scan");
    until("both are typed", || TYPED.lock().unwrap().len() == 2);
    assert_eq!(state(&mut register).0, "ready");

    inside.scanner.scan(&["]d2010400638133393110A1\u{1d}21S7"]);
    event(&mut register, "scan");
    until("the refusal is told", || state(&mut register).0 == "refused");
    assert!(state(&mut register).1.contains("not printable"));
    inside.scanner.scan(&["12345670"]);
    event(&mut register, "scan");
    until("typing goes on", || state(&mut register).0 == "ready");
    inside.stop();
    let wanted = [format!("- {PRODUCT}"), "- PALLET-0042/b".to_owned(), "- 12345670".to_owned()];
    assert_eq!(*TYPED.lock().unwrap(), wanted);
}

#[test]
fn without_uinput_products_are_pushed_and_the_cure_is_told() {
    let no_uinput = || Err(TypeError::NoUinput { source: Errno::ENOENT.into() });
    let mut inside = Inside::start(no_uinput);
    let mut register = inside.register();
    until("it is told", || state(&mut register).0 == "away");
    assert!(state(&mut register).1.contains("uinput"));
    inside.scanner.scan(&[PRODUCT]);
    assert_eq!(event(&mut register, "scan")["scan_data"], PRODUCT);
    inside.stop();
}

/// Takes one key, and is then pulled out.
struct Breaking(u8);

impl typist::Keyboard for Breaking {
    fn key(&mut self, _code: u16, _value: i32) -> io::Result<()> {
        self.0 = self.0.checked_sub(1).ok_or(Errno::ENODEV)?;
        Ok(())
    }
}

#[test]
fn a_keyboard_that_breaks_is_told() {
    let mut inside = Inside::start(|| Ok(Typist::over(Box::new(Breaking(1)))));
    let mut register = inside.register();
    until("the typist is ready", || state(&mut register).0 == "ready");
    inside.scanner.scan(&[PRODUCT]);
    event(&mut register, "scan");
    until("it is told", || state(&mut register).0 == "away");
    inside.stop();
}
