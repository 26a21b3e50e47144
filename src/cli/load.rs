//! `ficha load`: how fast a running daemon is on this host, under as many scanners as are wished.
//!
//! Each scanner is a pseudo-terminal that is lent to the daemon (`reader.lend`), each register a session; so a scan goes the whole way of
//! a real one. Only registers to which nobody listens are taken. Without cards nothing is written: what is scanned leads to nobody and
//! is passed on. Everything is gone with this process, however it ends.

mod stages;

use super::ask::{Asker, Said, Usage};
use super::say;
use super::scanner::Scanner;
use crate::push::client::{Client, ClientError};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, IsTerminal as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Drives registers and scanners against the running daemon, and says how long scans took. Needs the group fichad-manager, and
/// registers that no program listens to.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Registers, the first of those that this user may be.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    registers: u8,
    /// Scanners, dealt out to the registers in turn.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    readers: u8,
    /// How long.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Scans of each scanner in a second.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    rate: u32,
    /// Shows cards, whose codes are lines of standard input. Each counts as shown: a visit is written.
    #[arg(long)]
    cards: bool,
    /// The socket of the daemon's metrics, for the times of each stage; else `metrics.sock` beside the daemon's.
    #[arg(long, value_name = "PATH")]
    metrics: Option<PathBuf>,
}

/// A scan whose frame has not come by then is lost.
const LOST_AFTER: Duration = Duration::from_secs(2);

/// The most codes of cards that are taken, and the longest.
const CARDS_MAX: usize = 100_000;
const CARD_BYTES_MAX: usize = 64;

#[expect(clippy::disallowed_methods, reason = "what a user waits for is measured")]
fn now() -> Instant {
    Instant::now()
}

/// Scanners of one register.
struct Lane {
    client: Client,
    scanners: Vec<(Scanner, String)>,
}

/// What came of the scans.
#[derive(Default)]
struct Found {
    took: Vec<Duration>,
    lost: u64,
    /// Scans that could not be sent in time, as the one before was still on its way.
    late: u64,
    /// Scans that came to something else, by what it was.
    other: BTreeMap<String, u64>,
}

/// Runs the load and says what was found; exit code 1 if a scan was lost.
pub(super) fn run(args: &Args, asker: &Asker) -> anyhow::Result<()> {
    let cards = if args.cards { read_cards()? } else { Vec::new() };
    let lanes = lanes(args, asker)?;
    let metrics = args.metrics.clone().unwrap_or_else(|| asker.socket.with_file_name("metrics.sock"));
    let before = stages::read(&metrics);
    say::aside(&format!(
        "{} scanners, {} registers, {} scans a second each, for {} s",
        args.readers,
        lanes.len(),
        args.rate,
        args.seconds
    ));
    let found = std::thread::scope(|scope| {
        let running: Vec<_> =
            lanes.into_iter().map(|lane| scope.spawn(|| drive(lane, args, &cards))).collect();
        let joined = running.into_iter().map(|lane| match lane.join() {
            Ok(found) => found,
            Err(_) => Err(anyhow::anyhow!("a register of the load panicked")),
        });
        joined.collect::<anyhow::Result<Vec<Found>>>()
    })?;
    let found = found.into_iter().fold(Found::default(), Found::add);
    let stages = before.and_then(|before| Ok(stages::between(&before, &stages::read(&metrics)?)));
    if let Err(error) = &stages {
        say::aside(&format!("no times of stages: {error:#}"));
    }
    tell(&found, &stages.unwrap_or_default(), asker)?;
    if found.lost == 0 && found.other.is_empty() { Ok(()) } else { Err(Said(1).into()) }
}

/// Sessions with their scanners, each taken by the daemon.
fn lanes(args: &Args, asker: &Asker) -> anyhow::Result<Vec<Lane>> {
    let hello = asker.call("hello", json!({ "client": "ficha load" }))?;
    let names = say::rows(&hello, "/registers").iter().filter_map(Value::as_str);
    let names: Vec<&str> = names.take(usize::from(args.registers)).collect();
    if names.len() < usize::from(args.registers) {
        return Err(Usage(format!("this user may be {} registers: ask for no more", names.len())).into());
    }
    let mut lanes = Vec::new();
    for name in names {
        let mut client = asker.connect()?;
        client.call("subscribe", json!({ "register": name }))?;
        lanes.push(Lane { client, scanners: Vec::new() });
    }
    for at in 0..usize::from(args.readers) {
        let at = at.checked_rem(lanes.len()).unwrap_or_default();
        let Some(lane) = lanes.get_mut(at) else { continue };
        let scanner = Scanner::new()?;
        // The daemon is another user. Nothing but made-up codes, or such as are given to us, goes this way.
        std::fs::set_permissions(scanner.path(), std::fs::Permissions::from_mode(0o666))
            .context("the pseudo-terminal's mode cannot be set")?;
        let lent = lane.client.call("reader.lend", json!({ "path": scanner.path() }))?;
        lane.scanners.push((scanner, say::at(&lent, "/reader")));
    }
    Ok(lanes)
}

/// Scans at the rate until the time is over, one scanner of the register after the other.
fn drive(mut lane: Lane, args: &Args, cards: &[String]) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let count = u32::try_from(lane.scanners.len()).unwrap_or(1).max(1);
    let pause = Duration::from_secs(1).checked_div(args.rate.saturating_mul(count)).unwrap_or_default();
    let mut due = now();
    let Some(end) = due.checked_add(Duration::from_secs(args.seconds)) else { return Ok(found) };
    let mut number: usize = 0;
    while due < end && !lane.scanners.is_empty() {
        std::thread::sleep(due.saturating_duration_since(now()));
        found.late = found.late.saturating_add(u64::from(now().saturating_duration_since(due) > pause));
        let at = number.checked_rem(lane.scanners.len()).unwrap_or_default();
        if let Some((scanner, reader)) = lane.scanners.get_mut(at) {
            let (aim, code) = match number.checked_rem(cards.len()).and_then(|card| cards.get(card)) {
                Some(card) => ("]Q1", card.clone()),
                None => ("]C0", format!("FICHA-LOAD-{number:08}")),
            };
            let started = now();
            scanner.scan(aim, &code)?;
            let wanted = if cards.is_empty() { "scan" } else { "identified" };
            match wait(&mut lane.client, reader, started)? {
                Some((took, kind)) if kind == wanted => found.took.push(took),
                Some((_, kind)) => found.count(kind, 1),
                None => found.lost = found.lost.saturating_add(1),
            }
        }
        number = number.saturating_add(1);
        due = due.checked_add(pause).unwrap_or(end);
    }
    Ok(found)
}

/// The next event of `reader`: how long after `started` it was there, and what it is.
fn wait(
    client: &mut Client,
    reader: &str,
    started: Instant,
) -> Result<Option<(Duration, String)>, ClientError> {
    loop {
        let left = LOST_AFTER.saturating_sub(now().saturating_duration_since(started));
        let Some(event) = client.next_event(left)? else { return Ok(None) };
        let took = now().saturating_duration_since(started);
        client.notify("ack", json!({ "seq": say::get(&event, "seq") }))?;
        if say::get(&event, "reader") == reader {
            return Ok(Some((took, say::at(&event, "/type"))));
        }
        if took >= LOST_AFTER {
            return Ok(None);
        }
    }
}

fn read_cards() -> anyhow::Result<Vec<String>> {
    let input = std::io::stdin();
    if input.is_terminal() {
        return Err(Usage("give the cards' codes on standard input, a line each".to_owned()).into());
    }
    let mut cards = Vec::new();
    for line in input.lock().lines() {
        let line = line.context("standard input cannot be read")?.trim().to_owned();
        let fits = line.len() <= CARD_BYTES_MAX && line.bytes().all(|byte| byte.is_ascii_graphic());
        if !fits || cards.len() >= CARDS_MAX {
            let problem = format!("at most {CARDS_MAX} codes of up to {CARD_BYTES_MAX} printable characters");
            return Err(Usage(problem).into());
        }
        cards.extend((!line.is_empty()).then_some(line));
    }
    if cards.is_empty() {
        return Err(Usage("standard input holds no code of a card".to_owned()).into());
    }
    Ok(cards)
}

impl Found {
    fn add(mut self, more: Self) -> Self {
        self.took.extend(more.took);
        self.lost = self.lost.saturating_add(more.lost);
        self.late = self.late.saturating_add(more.late);
        more.other.into_iter().for_each(|(kind, count)| self.count(kind, count));
        self
    }

    fn count(&mut self, kind: String, more: u64) {
        let sum = self.other.entry(kind).or_default();
        *sum = sum.saturating_add(more);
    }
}

/// The time within which so many thousandths were done, in microseconds: the nearest rank.
fn rank(sorted: &[Duration], thousandths: usize) -> u128 {
    let rank = sorted.len().saturating_mul(thousandths).div_ceil(1000).saturating_sub(1);
    sorted.get(rank).map_or(0, Duration::as_micros)
}

fn tell(found: &Found, stages: &[stages::Stage], asker: &Asker) -> anyhow::Result<()> {
    let mut sorted = found.took.clone();
    sorted.sort_unstable();
    let of = |thousandths| u64::try_from(rank(&sorted, thousandths)).unwrap_or(u64::MAX);
    let ranks = [of(500), of(990), of(999), of(1000)];
    let [p50, p99, p999, max] = ranks;
    let answer = json!({
        "scans": sorted.len(), "lost": found.lost, "late": found.late, "other": found.other,
        "p50_us": p50, "p99_us": p99, "p999_us": p999, "max_us": max,
        "stages": stages.iter().map(stages::Stage::json).collect::<Vec<_>>(),
    });
    asker.say(&answer, |_| {
        let other: Vec<String> = found.other.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        let other = if other.is_empty() { "none".to_owned() } else { other.join(", ") };
        let text = say::fields([
            ("scans", sorted.len().to_string()),
            ("lost", found.lost.to_string()),
            ("came to something else", other),
            ("sent late", found.late.to_string()),
            ("p50, p99, p99.9, longest", format!("{p50}, {p99}, {p999}, {max} µs")),
        ]);
        format!("{text}\n\n{}", stages::shown(stages))
    })
}
