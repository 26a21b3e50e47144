//! From a scan's last byte to the frame at the register's socket: `fichad` beside a bare relay, in turn, in one run.
//!
//! The relay ([`relay`]) is the floor: one thread a reader that reads the same kind of pseudo-terminal and writes as many bytes as our
//! frame to the same kind of socket. Both are processes of their own, as `fichad` is in a shop: within the bench's own process
//! neither would pay for the change of address space that each scan costs. `fichad` is the release binary. With `--full` a relay that
//! looks the frame up in SQLite, and one that asks Redis for it where there is a `redis-server`, take their turns too.
//!
//! What is timed begins before the scan's bytes are written and ends when its whole line has been read; nothing is parsed in
//! between. Each line is checked afterwards: it must be the file of the customer whose card was shown. It is then acknowledged,
//! and the visit is journalled, while the bench waits for the next scan: 2 ms for one register, 100 ms for each of several, which scan
//! beside one another as tills do. Writers, if any, record sales all the while, in everybody's turns. Ratios are what counts: a
//! machine's own speed and noise are in all numbers.
//!
//! The daemon is left to do first what a start has it do, such as copies of what scans ask for.
//!
//! The customers' store is made once, by [`stock`], and kept under `target/bench`.
//!
//! ```text
//! cargo bench --bench scan_to_push -- [--scans N] [--blocks N] [--customers N] [--registers N] [--writers N] [--quick | --full]
//! ```

mod counting;
mod figures;
mod goods;
mod hid;
mod line;
mod relay;
mod sellers;
mod settled;
mod shop;
#[expect(dead_code, reason = "the other bench fills and measures the store through it too")]
mod stock;

use anyhow::{Context as _, ensure};
use clap::Parser;
use figures::{Times, say};
use hid::Inside;
use line::{Lane, now};
use relay::{Lookup, Relay};
use shop::Shop;
use std::path::PathBuf;
use std::time::Duration;

/// Scans of one register follow one another so far apart: a till's are further, but a visit is journalled in that time.
const APART: Duration = Duration::from_millis(2);

/// Scans of each of several registers: ten a second.
const APART_OF_SEVERAL: Duration = Duration::from_millis(100);

/// The first scans of a block, not counted: caches and the other process's leftovers.
const WARM_UP: usize = 20;

/// The most customers whose cards are shown, in turn: none is shown twice before all were.
const SHOWN_MAX: u64 = 20_000;

/// Reports of a HID scanner that are played.
const HID_SCANS: usize = 2_000;

/// Measures the way from a scan to its register.
#[derive(Debug, Clone, Parser)]
struct Args {
    /// Scans that are timed, of each that is compared.
    #[arg(long, default_value_t = 20_000)]
    scans: usize,
    /// Turns that they take.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    blocks: u16,
    /// Customers in the store, with ten purchases each. Of those whose cards are shown each has an open issue and a preference.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    customers: u64,
    /// Registers, each with a reader of its own.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=30))]
    registers: u8,
    /// Writers that record sales all the while.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=64))]
    writers: u8,
    /// About a second: some scans, 1,000 customers.
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// Every combination of 10,000 and 1,000,000 customers (or `--customers` alone), 1 and 30 registers, without and with 64 writers; SQLite
    /// and Redis too.
    #[arg(long)]
    full: bool,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the relay: its socket, the bytes of its frame, what it asks, the readers.
    #[arg(long, hide = true, num_args = 4.., value_names = ["SOCKET", "BYTES", "LOOKUP", "TTY"])]
    relay: Vec<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let [socket, bytes, lookup, ttys @ ..] = args.relay.as_slice() {
        let bytes = bytes.to_str().and_then(|bytes| bytes.parse().ok()).context("the frame has no length")?;
        return relay::serve(socket, bytes, &Lookup::named(lookup), ttys);
    }
    say(&figures::machine());
    counting::run();
    if args.quick {
        return compare(&Args { scans: 100, blocks: 2, customers: 1_000, ..args });
    }
    if !args.full {
        return compare(&args);
    }
    let chosen = std::env::args().any(|arg| arg.starts_with("--customers"));
    let customers = if chosen { vec![args.customers] } else { vec![10_000, 1_000_000] };
    for customers in customers {
        for (registers, writers) in [(1, 0), (30, 0), (1, 64), (30, 64)] {
            compare(&Args { customers, registers, writers, ..args.clone() })?;
        }
    }
    Ok(())
}

/// All that is compared, in turn.
fn compare(args: &Args) -> anyhow::Result<()> {
    let made = stock::Made::usual(args.customers);
    let store = stock::folder(made)?;
    let folder = tempfile::tempdir()?;
    let mut shop =
        Shop::open(&store, folder.path(), args.registers, (made.customers, made.customers.min(SHOWN_MAX)))?;
    let bytes = shop.frame_bytes()?;
    let mut relays =
        vec![("bare relay", Relay::start(folder.path(), bytes, args.registers, &Lookup::Nothing)?)];
    let mut redis = None;
    if args.full {
        let sqlite = Lookup::sqlite(folder.path(), args.customers, bytes)?;
        relays.push(("relay with SQLite", Relay::start(folder.path(), bytes, args.registers, &sqlite)?));
        match Lookup::redis(folder.path(), args.customers, bytes)? {
            Some((server, lookup)) => {
                relays
                    .push(("relay with Redis", Relay::start(folder.path(), bytes, args.registers, &lookup)?));
                redis = Some(server);
            }
            None => say("no redis-server here: left out"),
        }
    }
    let sellers = sellers::start(shop.socket(), args.writers, args.customers)?;
    let mut times: Vec<Times> = relays.iter().map(|_| Times::default()).collect();
    let (mut ours, mut shown, mut serial) = (Times::default(), 0, Inside::default());
    let block = args.scans.div_ceil(args.blocks.into());
    for _ in 0..args.blocks {
        for ((_, relay), times) in relays.iter_mut().zip(&mut times) {
            let cards = args.customers;
            run(&mut relay.lanes, block, times, |lane, at| relay::scan(lane, at.wrapping_add(shown), cards))?;
        }
        let before = Inside::read(shop.socket())?;
        let (lanes, customers) = shop.parts();
        run(lanes, block, &mut ours, |lane, at| {
            let at = at.wrapping_add(shown).checked_rem(customers.len()).unwrap_or_default();
            shop::show(lane, customers.get(at).context("nobody is there")?).map(|(took, _)| took)
        })?;
        serial = serial.and(Inside::read(shop.socket())?.since(before));
        shown = shown.wrapping_add(block.saturating_add(WARM_UP));
    }
    let reports = hid::run(&mut shop, args.scans.min(HID_SCANS))?;
    let sold = sellers.stop()?;
    say(&format!(
        "\n{} customers, {} registers, {} writers ({sold:.0} sales/s), {} scans of each in {} turns, a frame of {bytes} bytes",
        args.customers,
        args.registers,
        args.writers,
        ours.len(),
        args.blocks,
    ));
    let mut rows: Vec<(&str, &Times)> = relays.iter().map(|(name, _)| *name).zip(&times).collect();
    rows.push(("fichad", &ours));
    figures::table(&rows);
    say(&format!(
        "inside of fichad, from the wake-up to the frame: serial {:.1} µs, HID reports {:.1} µs (means; {:.0} reports)",
        serial.mean_us(),
        reports.mean_us(),
        reports.count
    ));
    say(&format!("of the serial ones, stage by stage: {} µs", serial.stages()));
    say(&format!("resident after them: {}", shop.resident()?));
    ensure!(times.iter().all(|times| times.len() == ours.len()), "one of them lost scans");
    drop(redis);
    Ok(())
}

/// One turn: `count` scans are timed, after some that are not. Several lanes scan beside one another, each at its own moments.
fn run(
    lanes: &mut [Lane],
    count: usize,
    times: &mut Times,
    scan: impl Fn(&mut Lane, usize) -> anyhow::Result<Duration> + Sync,
) -> anyhow::Result<()> {
    let several = lanes.len();
    let apart = if several == 1 { APART } else { APART_OF_SEVERAL };
    let (each, warm_up) = (count.div_ceil(several), WARM_UP.div_ceil(several));
    let shift = apart.checked_div(u32::try_from(several)?).unwrap_or_default();
    let took = std::thread::scope(|scope| {
        let lanes: Vec<_> = lanes
            .iter_mut()
            .enumerate()
            .map(|(lane_at, lane)| {
                let scan = &scan;
                scope.spawn(move || {
                    let mut took = Vec::with_capacity(each);
                    std::thread::sleep(shift.saturating_mul(u32::try_from(lane_at)?));
                    for at in 0..each.saturating_add(warm_up) {
                        let next = now().checked_add(apart);
                        let this = scan(lane, at.saturating_mul(several).saturating_add(lane_at))?;
                        if at >= warm_up {
                            took.push(this);
                        }
                        std::thread::sleep(next.map_or(apart, |next| next.saturating_duration_since(now())));
                    }
                    Ok(took)
                })
            })
            .collect();
        let joined = lanes.into_iter().map(|lane| lane.join().ok().context("a lane panicked")?);
        joined.collect::<anyhow::Result<Vec<Vec<Duration>>>>()
    })?;
    took.into_iter().flatten().for_each(|took| times.push(took));
    Ok(())
}
