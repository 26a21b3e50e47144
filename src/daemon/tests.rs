//! A daemon's parts in this very process, with a register connected to their socket.

use super::states::ReaderState;
use super::*;
use crate::device::typist::Typist;
use crate::domain::id::ReaderName;
use crate::push::client::Client;
use nix::pty::openpty;
use nix::unistd::ttyname;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;

/// How long a test waits for what must come; only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The parts, a register `till-1` that is subscribed, and the thread that serves it.
pub(super) struct Rig {
    pub(super) parts: Parts,
    pub(super) register: Client,
    stop: CancellationToken,
    serving: Option<JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl Rig {
    pub(super) fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("sock");
        let config = format!(
            "[store]\ndir = \"{}\"\n[push]\nsocket = \"{}\"\n[[register]]\nname = \"till-1\"\n{config}",
            folder.path().join("state").display(),
            socket.display()
        );
        let config = config::parse(&config).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let host = RegisterName::new("host").unwrap();
        let started_with = Arc::new(config.clone());
        let reload = service::Reload { path: None, host, told: Arc::default(), started_with };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let parts =
            Parts::assemble(&config, Typist::open, reload, clock, runtime.handle().clone(), None).unwrap();
        let listener = unix::bind(&socket).unwrap();
        let (hub, service, sessions) =
            (Arc::clone(&parts.shared.hub), Arc::clone(&parts.service), parts.sessions.clone());
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let serving = std::thread::spawn(move || {
            runtime.block_on(async {
                let listener = unix::adopt(listener).unwrap();
                hub.serve(listener, sys::peer_groups, service, stopped, sessions).await.unwrap();
            });
        });
        let mut register = Client::connect(&socket).unwrap();
        register.call("subscribe", json!({ "register": "till-1" })).unwrap();
        Self { parts, register, stop, serving: Some(serving), _folder: folder }
    }

    pub(super) fn starter(&self) -> readers::Starter {
        let (shared, clock, states) =
            (self.parts.shared.clone(), Arc::clone(&self.parts.clock), Arc::clone(&self.parts.states));
        readers::Starter { shared, clock, states, stop: crate::device::reader::StopSignal::new().unwrap() }
    }

    /// Reads events until one fits.
    #[track_caller]
    pub(super) fn until(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let event = self.register.next_event(PATIENCE).unwrap();
            let event = event.unwrap_or_else(|| panic!("waited in vain until {what}"));
            if fits(&event) {
                return event;
            }
        }
    }

    /// Until the register is told that `reader` is in `state`; gives why.
    #[track_caller]
    pub(super) fn until_state(&mut self, reader: &str, state: &str) -> String {
        let told = self.until(&format!("{reader} is {state}"), |event| is(event, reader, state));
        let why = readers_of(&told).find(|row| row["reader"] == reader).map(|row| row["why"].clone());
        why.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(serving) = self.serving.take() {
            serving.join().unwrap();
        }
    }
}

fn readers_of(event: &Value) -> impl Iterator<Item = &Value> {
    event["state"]["readers"].as_array().into_iter().flatten()
}

pub(super) fn is(event: &Value, reader: &str, state: &str) -> bool {
    readers_of(event).any(|row| row["reader"] == reader && row["state"] == state)
}

/// A scanner: the master end of a pseudo-terminal.
pub(super) struct Scanner {
    wire: File,
    pub(super) path: PathBuf,
    _far_end: OwnedFd,
}

impl Scanner {
    pub(super) fn new() -> Self {
        let pty = openpty(None, None).unwrap();
        let path = ttyname(&pty.slave).unwrap();
        Self { wire: File::from(pty.master), path, _far_end: pty.slave }
    }

    pub(super) fn send(&mut self, bytes: &str) {
        self.wire.write_all(bytes.as_bytes()).unwrap();
    }
}

#[test]
fn what_is_told_last_is_what_happened_last() {
    let mut rig = Rig::start("");
    let name = ReaderName::new("counter").unwrap();
    rig.parts.states.named(vec![name.clone()]);
    assert_eq!(rig.until_state("counter", "absent"), "");
    let hello = rig.register.call("hello", json!({})).unwrap();
    assert_eq!(hello["states"]["readers"], json!([{ "reader": "counter", "state": "absent" }]));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (states, name) = (&rig.parts.states, &name);
            scope.spawn(move || {
                for turn in 0..100 {
                    states.reader(name, ReaderState::Away(format!("{thread} {turn}")));
                }
            });
        }
    });
    rig.register.call("ping", json!({})).unwrap();
    let mut told = Value::Null;
    while let Some(mut event) = rig.register.next_event(Duration::ZERO).unwrap() {
        told = event["state"].take();
    }
    let now: Value = serde_json::from_str(rig.parts.states.raw().get()).unwrap();
    assert_eq!(told, now);
}

#[test]
fn a_panic_is_told_by_its_place_alone() {
    #[derive(Clone, Default)]
    struct Lines(Arc<std::sync::Mutex<Vec<u8>>>);
    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    tell_panics_without_their_words();
    tracing::subscriber::with_default(subscriber, || {
        std::panic::catch_unwind(|| panic!("María showed 4006381333931")).unwrap_err();
    });
    drop(std::panic::take_hook());
    let said = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(said.contains(file!()) && said.contains("ERROR"), "{said}");
    assert!(!said.contains("María") && !said.contains("4006381333931"), "{said}");
}
