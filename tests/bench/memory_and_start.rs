//! What `fichad` needs when nothing happens, and how soon it works after its start: the release binary, on an empty store and on one of
//! very many customers ([`stock`], made once and kept under `target/bench`).
//!
//! Times count from `exec` to what a cashier would see: the first product that reaches its register, the first card that brings its
//! customer's file. Both are tried again every 2 ms until they come. Wake-ups are the voluntary context switches of all threads (proc(5)).
//!
//! ```text
//! cargo bench --bench memory_and_start -- [--customers N] [--starts N] [--seconds N] [--quick]
//! ```

#[expect(dead_code, reason = "the other bench's tables; here the machine")]
mod figures;
mod goods;
mod line;
mod settled;
#[expect(dead_code, reason = "the other bench's running shop; here its config")]
mod shop;
#[expect(dead_code, reason = "the other bench fills and measures the store through it too")]
mod stock;

use anyhow::{Context as _, ensure};
use clap::Parser;
use fichad::push::client::Client;
use figures::say;
use line::{PATIENCE, Wire, now};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Until a scan has come, it is sent again so often.
const AGAIN: Duration = Duration::from_millis(2);

/// How long a daemon is left alone before its wake-ups are counted.
const SETTLE: Duration = Duration::from_secs(5);

/// Readers of the second of two counts: the difference is the readers' own.
const READERS: usize = 9;

/// Measures memory, starts and wake-ups.
#[derive(Debug, Parser)]
struct Args {
    /// Customers of the large store, each with ten purchases.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    customers: u64,
    /// Starts of each kind; the middle one counts.
    #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u8).range(1..))]
    starts: u8,
    /// How long wake-ups are counted.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// A few seconds in all: 1,000 customers, one start of each kind.
    #[arg(long)]
    quick: bool,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let args = if args.quick { Args { customers: 1_000, starts: 1, seconds: 1, ..args } } else { args };
    say(&figures::machine());
    for (name, path) in [("fichad", env!("CARGO_BIN_EXE_fichad")), ("ficha", env!("CARGO_BIN_EXE_ficha"))] {
        let bytes = f64::from(u32::try_from(std::fs::metadata(path)?.len())?);
        say(&format!("{name}: {:.1} MB", bytes / 1e6));
    }
    let empty = tempfile::tempdir()?;
    let made = stock::Made::usual(args.customers);
    let stored = stock::folder(made)?;
    for (customers, store) in [(0, empty.path()), (made.customers, stored.as_path())] {
        let mut starts = Vec::new();
        for _ in 0..args.starts {
            starts.push(start(store, customers)?);
        }
        let middle = |pick: fn(&Start) -> Duration| {
            let mut all: Vec<Duration> = starts.iter().map(pick).collect();
            all.sort_unstable();
            let (middle, last) = (all.get(all.len() / 2).copied(), all.last().copied());
            [middle, last].map(|took| format!("{:.1} ms", took.unwrap_or_default().as_secs_f64() * 1e3))
        };
        let [products, longest] = middle(|start| start.products);
        say(&format!("\n{customers} customers, {} starts", starts.len()));
        say(&format!("  exec to the first product   {products} (longest {longest})"));
        if customers > 0 {
            let [cards, longest] = middle(|start| start.cards);
            say(&format!("  exec to the first card      {cards} (longest {longest})"));
        }
        if let Some(last) = starts.last() {
            say(&format!("  resident once it is open    {}", last.resident));
        }
    }
    say("");
    let settle = if args.quick { Duration::ZERO } else { SETTLE };
    for readers in [1, READERS] {
        let folder = tempfile::tempdir()?;
        let daemon = Daemon::start(&folder.path().join("state"), folder.path(), readers)?;
        daemon.wait_until_open(readers)?;
        std::thread::sleep(settle);
        let (before, time) = (daemon.switches()?, Duration::from_secs(args.seconds));
        std::thread::sleep(time);
        let woken = f64::from(u32::try_from(daemon.switches()?.saturating_sub(before))?);
        say(&format!("{readers} readers, idle: {:.1} wake-ups a second", woken / time.as_secs_f64()));
    }
    Ok(())
}

/// One start.
struct Start {
    products: Duration,
    cards: Duration,
    resident: String,
}

fn start(store: &Path, customers: u64) -> anyhow::Result<Start> {
    let folder = tempfile::tempdir()?;
    let mut daemon = Daemon::start(store, folder.path(), 1)?;
    let mut client = Client::over(shop::connect(&folder.path().join("fichad.sock"))?);
    client.call("subscribe", json!({ "register": "till-1" }))?;
    let products = daemon.first(&mut client, b"]E04006381333931\r", "scan")?;
    let cards = match customers {
        0 => Duration::ZERO,
        all => {
            let shown = shop::Shown::new(goods::Dice::new(16, u64::from(std::process::id())).below(all));
            daemon.first(&mut client, &shown.scan, "identified")?
        }
    };
    daemon.wait_until_open(1)?;
    Ok(Start { products, cards, resident: shop::resident(daemon.child.id())? })
}

/// A running daemon; ended when dropped.
struct Daemon {
    child: Child,
    started: Instant,
    wires: Vec<Wire>,
    socket: std::path::PathBuf,
}

impl Daemon {
    fn start(store: &Path, folder: &Path, readers: usize) -> anyhow::Result<Self> {
        let wires = (0..readers).map(|_| Wire::new()).collect::<anyhow::Result<Vec<_>>>()?;
        let (config, socket) = (folder.join("fichad.toml"), folder.join("fichad.sock"));
        std::fs::write(&config, shop::config_text(store, &socket, &wires)?)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_fichad"));
        command.arg("--config").arg(&config).stdin(Stdio::null());
        command.stderr(std::fs::File::create(folder.join("log"))?);
        let started = now();
        let child = command.spawn().context("fichad does not start")?;
        Ok(Self { child, started, wires, socket })
    }

    /// Sends a scan again and again until the register is told of `wanted`; gives how long after the start.
    fn first(&mut self, client: &mut Client, scan: &[u8], wanted: &str) -> anyhow::Result<Duration> {
        let wire = self.wires.first_mut().context("there is no reader")?;
        loop {
            wire.send(scan)?;
            while let Some(event) = client.next_event(AGAIN)? {
                if event.get("type").and_then(Value::as_str) == Some(wanted) {
                    return Ok(now().saturating_duration_since(self.started));
                }
            }
            ensure!(now().saturating_duration_since(self.started) < PATIENCE, "no {wanted} came");
        }
    }

    fn wait_until_open(&self, readers: usize) -> anyhow::Result<()> {
        let mut client = Client::over(shop::connect(&self.socket)?);
        loop {
            let status = client.call("status", json!({}))?;
            let rows =
                status.pointer("/readers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let reading = rows.iter().filter(|row| row.get("state") == Some(&json!("reading"))).count();
            if status.pointer("/store/state") == Some(&json!("open")) && reading == readers {
                return Ok(());
            }
            ensure!(now().saturating_duration_since(self.started) < PATIENCE, "it does not open: {status}");
            std::thread::sleep(AGAIN);
        }
    }

    /// Voluntary context switches of all threads since each began.
    fn switches(&self) -> anyhow::Result<u64> {
        let mut sum: u64 = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let status = std::fs::read_to_string(task?.path().join("status"))?;
            let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            sum = sum.saturating_add(count.context("the kernel counts no switches")?.trim().parse()?);
        }
        Ok(sum)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // As systemd ends it. Both fail only if it has ended, which is what is wanted.
        let pid = i32::try_from(self.child.id()).map(Pid::from_raw);
        pid.map(|pid| kill(pid, Signal::SIGTERM).ok()).ok();
        drop(self.child.wait());
    }
}
