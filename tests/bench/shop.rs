//! `fichad` with its readers, its registers and its customers.

use crate::goods::{self, Dice};
use crate::line::{Lane, Line, PATIENCE, Wire, now};
use crate::settled;
use anyhow::{Context as _, ensure};
use fichad::domain::id::CustomerNumber;
use fichad::push::client::{Client, ClientError};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Scans whose frames say how long one is.
const SAMPLE: usize = 101;

/// How often it is looked whether the daemon is where it should be.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Readers that the config names; further ones are lent, as it has room for no more.
const SERIAL_MAX: usize = fichad::device::serial::PORTS_MAX;

/// Sessions that dress customers at once: writes of one group share a sync.
const SESSIONS: usize = 32;

/// A customer and what their card says.
pub(crate) struct Shown {
    customer: CustomerNumber,
    pub(crate) scan: Vec<u8>,
}

/// A running daemon; ended when dropped.
pub(crate) struct Shop {
    child: Child,
    socket: PathBuf,
    lanes: Vec<Lane>,
    customers: Vec<Shown>,
}

impl Shop {
    /// Starts the release binary on `store`, and gives `shown` of its customers, taken at random, an open issue with a hint and a
    /// preference, unless they have them.
    pub(crate) fn open(
        store: &Path,
        folder: &Path,
        registers: u8,
        (all, shown): (u64, u64),
    ) -> anyhow::Result<Self> {
        let wires = (0..registers).map(|_| Wire::new()).collect::<anyhow::Result<Vec<_>>>()?;
        let (config, socket) = (folder.join("fichad.toml"), folder.join("fichad.sock"));
        std::fs::write(&config, config_text(store, &socket, &wires)?)?;
        let child = Command::new(env!("CARGO_BIN_EXE_fichad"))
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(folder.join("log"))?)
            .spawn()
            .context("fichad does not start")?;
        let mut shop = Self { child, socket, lanes: Vec::new(), customers: Vec::new() };
        shop.wait_until_open(wires.len().min(SERIAL_MAX))?;
        let numbers: Vec<u64> = (0..shown).map(|at| Dice::new(13, at).below(all)).collect();
        let dressed = store.join(format!("DRESSED-{shown}"));
        if !dressed.exists() {
            dress(&shop.socket, &numbers)?;
            std::fs::write(&dressed, "")?;
        }
        shop.customers = numbers.into_iter().map(Shown::new).collect();
        settled::wait(shop.child.id())?;
        for (at, wire) in wires.into_iter().enumerate() {
            let line = shop.register(at, &wire)?;
            shop.lanes.push(Lane { wire, line });
        }
        Ok(shop)
    }

    /// A session that listens to a register, with its reader.
    fn register(&self, at: usize, wire: &Wire) -> anyhow::Result<Line> {
        let mut line = Line::new(connect(&self.socket)?)?;
        let mut ask = |method: &str, params: Value| {
            line.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string())?;
            loop {
                line.next()?;
                let answer = parsed(line.bytes())?;
                if answer.get("id").is_some() {
                    ensure!(answer.get("result").is_some(), "{method} was refused");
                    return Ok(());
                }
            }
        };
        ask("subscribe", json!({ "register": name(at) }))?;
        if at >= SERIAL_MAX {
            ask("reader.lend", json!({ "path": wire.path() }))?;
        }
        Ok(line)
    }

    /// The registers' lanes, and whose cards are shown.
    pub(crate) fn parts(&mut self) -> (&mut [Lane], &[Shown]) {
        (&mut self.lanes, &self.customers)
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    fn wait_until_open(&mut self, readers: usize) -> anyhow::Result<()> {
        let mut client = Client::over(connect(&self.socket)?);
        let by = now().checked_add(PATIENCE);
        loop {
            let status = client.call("status", json!({}))?;
            let list = client.call("reader.list", json!({}))?;
            let list = list.get("readers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let reading = list.iter().filter(|reader| reader.get("state") == Some(&json!("reading"))).count();
            if status.pointer("/store/state") == Some(&json!("open")) && reading == readers {
                return Ok(());
            }
            ensure!(by.is_some_and(|by| now() < by), "the daemon is not ready: {status}");
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// What of the daemon lies in memory: `VmRSS` of proc(5).
    pub(crate) fn resident(&self) -> anyhow::Result<String> {
        resident(self.child.id())
    }

    /// The length of a frame: the median of some.
    pub(crate) fn frame_bytes(&mut self) -> anyhow::Result<usize> {
        let mut lengths = Vec::with_capacity(SAMPLE);
        let lane = self.lanes.first_mut().context("no register is there")?;
        for shown in self.customers.iter().cycle().take(SAMPLE) {
            lengths.push(show(lane, shown)?.1);
        }
        lengths.sort_unstable();
        lengths.get(SAMPLE / 2).copied().context("no frame came")
    }
}

/// Shows a customer's card at a register; gives how long it took and how long the frame is.
pub(crate) fn show(lane: &mut Lane, shown: &Shown) -> anyhow::Result<(Duration, usize)> {
    let started = lane.scan(&shown.scan)?;
    check(lane, shown, Some(started))
}

/// Waits for the file of a customer who was shown; gives how long after `started` it came and how long it is.
pub(crate) fn check(
    lane: &mut Lane,
    shown: &Shown,
    started: Option<Instant>,
) -> anyhow::Result<(Duration, usize)> {
    let started = started.unwrap_or_else(now);
    let (took, event) = loop {
        let (took, event) = (lane.wait(started)?, parsed(lane.line.bytes())?);
        // News of a reader or the store, or that such are too old by now, may stand before the file.
        let kind = event.pointer("/params/type").and_then(Value::as_str);
        if !matches!(kind, Some("state" | "missed")) {
            break (took, event);
        }
    };
    let at = |pointer| event.pointer(pointer).and_then(Value::as_str);
    ensure!(
        at("/params/type") == Some("identified"),
        "a card led to {:?} {:?}",
        at("/params/type"),
        at("/params/reason")
    );
    let customer = shown.customer.to_string();
    ensure!(at("/params/file/customer") == Some(&customer), "a card led to another customer");
    ensure!(at("/params/file/issues/0/hint").is_some(), "a file came without its issue");
    let length = lane.line.bytes().len();
    let params = json!({ "seq": event.pointer("/params/seq") });
    lane.line.send(&json!({ "jsonrpc": "2.0", "method": "ack", "params": params }).to_string())?;
    Ok((took, length))
}

impl Shown {
    pub(crate) fn new(number: u64) -> Self {
        let letters = goods::card(number).1.letters(Default::default());
        let scan = format!("]Q1{}\r", letters.reveal()).into_bytes();
        Self { customer: goods::customer(number), scan }
    }
}

/// Gives each an open issue and a preference. Keys are made of numbers: done again, nothing happens.
fn dress(socket: &Path, numbers: &[u64]) -> anyhow::Result<()> {
    std::thread::scope(|scope| {
        let sessions: Vec<_> = (0..SESSIONS)
            .map(|first| {
                scope.spawn(move || -> anyhow::Result<()> {
                    let mut client = Client::over(connect(socket)?);
                    numbers
                        .iter()
                        .skip(first)
                        .step_by(SESSIONS)
                        .try_for_each(|number| one(&mut client, *number))
                })
            })
            .collect();
        sessions.into_iter().try_for_each(|session| session.join().ok().context("a session panicked")?)
    })
}

fn one(client: &mut Client, number: u64) -> anyhow::Result<()> {
    let customer = goods::customer(number);
    let issue = json!({
        "customer": customer, "kind": "WARRANTY", "hint": "motor replaced, ready to collect",
        "product": { "gtin": "4006381333931", "model": "KX-200", "serial": format!("SN-{number}") },
    });
    write(client, "issue.open", goods::key(14, number), issue)?;
    let preference = json!({ "customer": customer, "name": "receipt", "value": "by e-mail" });
    write(client, "preference.set", goods::key(15, number), preference)
}

/// A write; again when the daemon is busy, as it asks for.
fn write(client: &mut Client, method: &str, key: Uuid, params: Value) -> anyhow::Result<()> {
    let mut fields: Map<String, Value> = serde_json::from_value(params)?;
    fields.insert("key".to_owned(), json!(key));
    loop {
        match client.call(method, &fields) {
            Err(ClientError::Refused { reason, .. }) if reason == "busy" => std::thread::sleep(LOOK_EVERY),
            done => return done.map(drop).with_context(|| method.to_owned()),
        }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // As systemd ends it, so that the next start finds a store that was closed. Both fail only if it has ended.
        let pid = i32::try_from(self.child.id()).map(Pid::from_raw);
        pid.map(|pid| kill(pid, Signal::SIGTERM).ok()).ok();
        drop(self.child.wait());
    }
}

/// What of a process lies in memory.
pub(crate) fn resident(pid: u32) -> anyhow::Result<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB"));
    let kib: f64 = kib.context("the kernel does not say what is resident")?.trim().parse()?;
    Ok(format!("{:.1} MB", kib * 1024.0 / 1e6))
}

/// Connects as soon as somebody listens.
pub(crate) fn connect(socket: &Path) -> anyhow::Result<UnixStream> {
    let by = now().checked_add(PATIENCE);
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => return Ok(stream),
            Err(_) if by.is_some_and(|by| now() < by) => std::thread::sleep(LOOK_EVERY),
            Err(error) => return Err(error).context("nobody listens on the socket"),
        }
    }
}

fn name(register: usize) -> String {
    format!("till-{}", register.saturating_add(1))
}

fn parsed(line: &[u8]) -> anyhow::Result<Value> {
    serde_json::from_slice(line).context("a line is not JSON")
}

pub(crate) fn config_text(store: &Path, socket: &Path, wires: &[Wire]) -> anyhow::Result<String> {
    let mut config = format!(
        "[shop]\ncalling_code = \"34\"\n[store]\ndir = \"{}\"\n[push]\nsocket = \"{}\"\n",
        store.display(),
        socket.display(),
    );
    for (at, wire) in wires.iter().enumerate() {
        let (register, path) = (name(at), wire.path().display());
        writeln!(config, "[[register]]\nname = \"{register}\"")?;
        if at < SERIAL_MAX {
            writeln!(config, "[[serial]]\npath = \"{path}\"\nregister = \"{register}\"")?;
        }
    }
    Ok(config)
}
