//! A hub behind a real Unix socket in a folder of its own, on a runtime as the daemon has it, with a clock that the test moves.

use fichad::desk::access::{Policy, Role};
use fichad::domain::id::{ReaderName, RegisterName, StreamId};
use fichad::domain::refusal::{Refusal, RefusalCode};
use fichad::domain::time::{Clock, Timestamp, Uptime};
use fichad::push::client::Client;
use fichad::push::wire::{Context, Event};
use fichad::push::{Answer, Caller, Hub, Published, Service, Settings, unix};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) const LIFETIME: Duration = Duration::from_secs(30);

/// How long a test waits for what must come; only a failing test waits that long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) fn forward(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn uptime(&self) -> Uptime {
        Duration::from_micros(self.0.load(Ordering::SeqCst))
    }
    fn utc(&self) -> Timestamp {
        Timestamp(1_790_000_000_000_000).after(self.uptime())
    }
}

/// Answers what a test needs: `echo`, `who`, `long`, and `slow`, which waits for [`Self::gate`].
pub(crate) struct TestService {
    pub(crate) gate: Semaphore,
    pub(crate) begun: AtomicUsize,
    pub(crate) finished: AtomicUsize,
}

impl Service for TestService {
    fn call<'a>(&'a self, who: &'a Caller, method: &'a str, params: Option<&'a RawValue>) -> Answer<'a> {
        Box::pin(async move {
            self.begun.fetch_add(1, Ordering::SeqCst);
            let result = match method {
                "echo" => return Ok(params.unwrap_or(RawValue::NULL).to_owned()),
                "who" => json!({ "uid": who.principal.uid, "register": who.register }),
                "long" => json!("x".repeat(params.map_or(0, |params| params.get().len() * 1000))),
                "slow" => {
                    self.gate.acquire().await.unwrap().forget();
                    self.finished.fetch_add(1, Ordering::SeqCst);
                    json!("done")
                }
                _ => {
                    return Err(Refusal::new(RefusalCode::UnknownMethod, format!("`{method}` is no method")));
                }
            };
            Ok(serde_json::value::to_raw_value(&result).unwrap())
        })
    }

    fn states(&self) -> Box<RawValue> {
        let readers = [json!({ "reader": "counter", "state": "reading" })];
        let states = json!({ "readers": readers, "store": { "second_copy": "one_disk_only", "state": "open" }, "vault": "open" });
        serde_json::value::to_raw_value(&states).unwrap()
    }

    fn timeline(&self) -> Option<u64> {
        Some(1)
    }
}

pub(crate) struct Rig {
    pub(crate) hub: Arc<Hub>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) service: Arc<TestService>,
    pub(crate) stream: StreamId,
    pub(crate) socket: PathBuf,
    stop: CancellationToken,
    server: Option<JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

/// This user may do everything, at these registers.
pub(crate) fn policy(registers: &[&str]) -> Policy {
    let own_uid = nix::unistd::getuid().as_raw();
    let registers = registers.iter().map(|name| (register(name), Vec::new())).collect();
    Policy { own_uid, role_gids: vec![(Role::Register, u32::MAX)], registers }
}

pub(crate) fn register(name: &str) -> RegisterName {
    RegisterName::new(name).unwrap()
}

impl Rig {
    pub(crate) fn new(registers: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("fichad.sock");
        let listener = unix::bind(&socket).unwrap();
        let clock = Arc::new(TestClock::default());
        let stream = StreamId(uuid::Uuid::now_v7());
        let as_clock: Arc<dyn Clock> = clock.clone();
        let hub = Hub::new(Settings::default(), stream, as_clock, policy(registers));
        let service = Arc::new(TestService {
            gate: Semaphore::new(0),
            begun: AtomicUsize::new(0),
            finished: AtomicUsize::new(0),
        });
        let stop = CancellationToken::new();
        let server = std::thread::spawn({
            let (hub, stop, service) = (Arc::clone(&hub), stop.clone(), service.clone());
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let (listener, tasks) = (unix::adopt(listener).unwrap(), TaskTracker::new());
                    hub.serve(listener, |_| Ok(vec![]), service, stop, tasks.clone()).await.unwrap();
                    tasks.close();
                    tasks.wait().await;
                });
            }
        });
        Self { hub, clock, service, stream, socket, stop, server: Some(server), _folder: folder }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.socket).unwrap()
    }

    pub(crate) fn subscribed(&self, register: &str) -> Client {
        let mut client = self.client();
        client.call("subscribe", json!({ "register": register })).unwrap();
        client
    }

    pub(crate) fn raw(&self) -> Raw {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Raw { stream, buffer: Vec::new() }
    }

    /// A product at a register.
    pub(crate) fn scan(&self, at: &str, data: &str) -> Published {
        let reader = ReaderName::new("usb:0c2e:0b81:123").unwrap();
        let event = Event::Scan {
            data: data.as_bytes(),
            aim: Some(*b"]E0"),
            scan_data_type: "SCAN_SDT_EAN13",
            repeat_of: None,
        };
        self.hub.publish(&register(at), &event, Context { reader: Some(&reader), lifetime: LIFETIME })
    }

    /// Stops the server as the daemon does, and waits until all of its sessions are over.
    pub(crate) fn stop(&mut self) {
        self.stop.cancel();
        if let Some(server) = self.server.take() {
            server.join().unwrap();
        }
    }

    pub(crate) fn begin_stop(&self) {
        self.stop.cancel();
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
        self.service.gate.add_permits(1000);
        if let Some(server) = self.server.take() {
            drop(server.join());
        }
    }
}

/// A connection that sends and gets lines as they are.
pub(crate) struct Raw {
    pub(crate) stream: UnixStream,
    buffer: Vec<u8>,
}

impl Raw {
    pub(crate) fn send(&mut self, line: &str) {
        self.stream.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// The next line as JSON; `None` at the end of the connection.
    pub(crate) fn line(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let mut piece = [0; 64 * 1024];
            match self.stream.read(&mut piece) {
                Ok(0) => return None,
                Ok(count) => self.buffer.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("no line in time: {error}"),
            }
        }
    }
}

/// The next event of a client, which must come.
#[track_caller]
pub(crate) fn event(client: &mut Client) -> Value {
    client.next_event(PATIENCE).unwrap().expect("an event in time")
}

/// That no event waits: what would have come before this answer has come.
#[track_caller]
pub(crate) fn no_event(client: &mut Client) {
    client.call("ping", json!({})).unwrap();
    assert_eq!(client.next_event(Duration::ZERO).unwrap(), None);
}

/// Waits for a condition that another thread brings about.
#[track_caller]
pub(crate) fn until(what: &str, condition: impl Fn() -> bool) {
    let (_keep, never) = mpsc::sync_channel::<()>(0);
    for _ in 0..20_000 {
        if condition() {
            return;
        }
        never.recv_timeout(Duration::from_millis(1)).unwrap_err();
    }
    panic!("waited in vain until {what}");
}
