//! `fichad` with its readers, its registers and its customers.

use crate::Lane;
use crate::customers::{self, Shown};
use crate::figures::say;
use crate::line::{Line, PATIENCE, Wire, now};
use anyhow::{Context as _, bail, ensure};
use fichad::push::client::Client;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Scans whose frames say how long one is.
const SAMPLE: usize = 101;

/// How often it is looked whether the daemon is where it should be.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A running daemon; killed when dropped.
pub(crate) struct Shop {
    child: Child,
    lanes: Vec<Lane>,
    customers: Vec<Shown>,
    next: usize,
}

impl Shop {
    /// Starts the release binary in `folder` and enrols the customers.
    pub(crate) fn open(folder: &Path, registers: u8, customers: u32) -> anyhow::Result<Self> {
        let wires = (0..registers).map(|_| Wire::new()).collect::<anyhow::Result<Vec<_>>>()?;
        let (config, socket) = (folder.join("fichad.toml"), folder.join("fichad.sock"));
        std::fs::write(&config, config_text(folder, &socket, &wires)?)?;
        let child = Command::new(env!("CARGO_BIN_EXE_fichad"))
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(folder.join("log"))?)
            .spawn()
            .context("fichad does not start")?;
        let mut shop = Self { child, lanes: Vec::new(), customers: Vec::new(), next: 0 };
        shop.wait_until_open(&socket, wires.len())?;
        say(&format!("resident with an empty store: {}", shop.resident()?));
        shop.customers = customers::enrol(&socket, customers)?;
        for (at, wire) in wires.into_iter().enumerate() {
            let mut line = Line::new(connect(&socket)?)?;
            let params = json!({ "register": name(at) });
            line.send(
                &json!({ "jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": params }).to_string(),
            )?;
            line.next()?;
            ensure!(parsed(line.bytes())?.get("result").is_some(), "a register may not subscribe");
            shop.lanes.push(Lane { wire, line });
        }
        Ok(shop)
    }

    fn wait_until_open(&mut self, socket: &Path, readers: usize) -> anyhow::Result<()> {
        let mut client = Client::over(connect(socket)?);
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
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB"));
        let kib: f64 = kib.context("the kernel does not say what is resident")?.trim().parse()?;
        Ok(format!("{:.1} MB", kib * 1024.0 / 1e6))
    }

    /// The length of a frame: the median of some.
    pub(crate) fn frame_bytes(&mut self) -> anyhow::Result<usize> {
        let mut lengths = Vec::with_capacity(SAMPLE);
        for _ in 0..SAMPLE {
            lengths.push(self.show()?.1);
        }
        lengths.sort_unstable();
        lengths.get(SAMPLE / 2).copied().context("no frame came")
    }

    /// Shows the next customer's card at the next register.
    pub(crate) fn scan(&mut self) -> anyhow::Result<Duration> {
        Ok(self.show()?.0)
    }

    fn show(&mut self) -> anyhow::Result<(Duration, usize)> {
        let pick = |count: usize| self.next.checked_rem(count).context("nobody is there");
        let (lane, shown) = (pick(self.lanes.len())?, pick(self.customers.len())?);
        self.next = self.next.wrapping_add(1);
        let (Some(lane), Some(shown)) = (self.lanes.get_mut(lane), self.customers.get(shown)) else {
            bail!("nobody is there")
        };
        let started = lane.scan(&shown.scan)?;
        let (took, event) = loop {
            let (took, event) = (lane.wait(started)?, parsed(lane.line.bytes())?);
            // News of a reader or the store, or that such are too old by now, may stand before the file.
            let kind = event.pointer("/params/type").and_then(Value::as_str);
            if !matches!(kind, Some("state" | "missed")) {
                break (took, event);
            }
        };
        let at = |pointer| event.pointer(pointer).and_then(Value::as_str);
        ensure!(at("/params/type") == Some("identified"), "a card led to {:?}", at("/params/type"));
        ensure!(at("/params/file/customer") == Some(&shown.customer), "a card led to another customer");
        ensure!(at("/params/file/issues/0/hint").is_some(), "a file came without its issue");
        let length = lane.line.bytes().len();
        let params = json!({ "seq": event.pointer("/params/seq") });
        lane.line.send(&json!({ "jsonrpc": "2.0", "method": "ack", "params": params }).to_string())?;
        Ok((took, length))
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // Both fail only if it has ended, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
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

fn config_text(folder: &Path, socket: &Path, wires: &[Wire]) -> anyhow::Result<String> {
    let mut config = format!(
        "[shop]\ncalling_code = \"34\"\n[store]\ndir = \"{}\"\n[push]\nsocket = \"{}\"\n",
        folder.join("state").display(),
        socket.display(),
    );
    for (at, wire) in wires.iter().enumerate() {
        let (register, path) = (name(at), wire.path().display());
        writeln!(config, "[[register]]\nname = \"{register}\"")?;
        writeln!(config, "[[serial]]\npath = \"{path}\"\nregister = \"{register}\"")?;
    }
    Ok(config)
}
