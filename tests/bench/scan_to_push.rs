//! From a scan's last byte to the frame at the register's socket: `fichad` beside a bare relay, in turn, in one run.
//!
//! The relay ([`relay`]) is the floor: one thread that reads the same kind of pseudo-terminal and writes as many bytes as our
//! frame to the same kind of socket. Both are processes of their own, as `fichad` is in a shop: within the bench's own process
//! neither would pay for the change of address space that each scan costs. `fichad` is the release binary.
//!
//! What is timed begins before the scan's bytes are written and ends when its whole line has been read; nothing is parsed in
//! between. Each line is checked afterwards: it must be the file of the customer whose card was shown. It is then acknowledged,
//! and the visit is journalled, while the bench waits for the next scan. Ratios are what counts: a machine's own speed and
//! noise are in both numbers.
//!
//! ```text
//! cargo bench --bench scan_to_push -- [--scans N] [--blocks N] [--customers N] [--registers N]
//! ```

mod customers;
mod figures;
mod line;
mod relay;
mod shop;

use anyhow::{Context as _, ensure};
use clap::Parser;
use figures::{Times, say};
use line::{Line, now};
use shop::Shop;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Scans follow one another so far apart: a till's are further, but a visit is journalled in that time.
const APART: Duration = Duration::from_millis(2);

/// The first scans of a block, not counted: caches and the other process's leftovers.
const WARM_UP: usize = 20;

/// Measures the way from a scan to its register.
#[derive(Debug, Parser)]
struct Args {
    /// Scans that are timed, of each of the two.
    #[arg(long, default_value_t = 20_000)]
    scans: usize,
    /// Turns that the two take.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    blocks: u16,
    /// Customers in the store, each with a card, an open issue and a preference. The daemon makes 64 data keys ready every
    /// 2 s, so a thousand take half a minute.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    customers: u32,
    /// Registers, each with a reader of its own; scans go to them in turn.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    registers: u8,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the relay: its socket, the bytes of its frame, the readers.
    #[arg(long, hide = true, num_args = 3.., value_names = ["SOCKET", "BYTES", "TTY"])]
    relay: Vec<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let [socket, bytes, ttys @ ..] = args.relay.as_slice() {
        let bytes = bytes.to_str().and_then(|bytes| bytes.parse().ok()).context("the frame has no length")?;
        return relay::serve(socket, bytes, ttys);
    }
    let folder = tempfile::tempdir()?;
    say(&format!("customers: {} being enrolled", args.customers));
    let mut shop = Shop::open(folder.path(), args.registers, args.customers)?;
    let bytes = shop.frame_bytes()?;
    let mut relay = relay::Relay::start(&folder.path().join("relay"), bytes, args.registers)?;

    let (mut floor, mut ours) = (Times::default(), Times::default());
    let block = args.scans.div_ceil(args.blocks.into());
    for _ in 0..args.blocks {
        run(block, &mut floor, || relay.scan())?;
        run(block, &mut ours, || shop.scan())?;
    }
    say(&figures::machine());
    say(&format!(
        "scans: {} of each in {} turns, 2 ms apart; {} customers, {} registers, a frame of {bytes} bytes",
        ours.len(),
        args.blocks,
        args.customers,
        args.registers
    ));
    figures::table(&[("bare relay", &floor), ("fichad", &ours)]);
    say(&format!("resident after them: {}", shop.resident()?));
    ensure!(floor.len() == ours.len(), "one of the two lost scans");
    Ok(())
}

/// One turn: `count` scans are timed, after some that are not.
fn run(
    count: usize,
    times: &mut Times,
    mut scan: impl FnMut() -> anyhow::Result<Duration>,
) -> anyhow::Result<()> {
    for at in 0..count.saturating_add(WARM_UP) {
        let next = now().checked_add(APART);
        let took = scan()?;
        if at >= WARM_UP {
            times.push(took);
        }
        std::thread::sleep(next.map_or(APART, |next| next.saturating_duration_since(now())));
    }
    Ok(())
}

/// Where a scan goes in and a line comes out.
struct Lane {
    wire: line::Wire,
    line: Line,
}

impl Lane {
    /// Sends a scan; gives when.
    fn scan(&mut self, scan: &[u8]) -> anyhow::Result<Instant> {
        let started = now();
        self.wire.send(scan)?;
        Ok(started)
    }

    /// Waits for the next line, which stays in `self.line`; gives how long after `started` it was there.
    fn wait(&mut self, started: Instant) -> anyhow::Result<Duration> {
        self.line.next()?;
        Ok(now().saturating_duration_since(started))
    }
}
