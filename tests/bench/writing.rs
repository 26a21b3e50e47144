//! How long a write takes to be kept: one writer beside a raw file, 64 writers beside SQLite.

use crate::figures::{Times, say, table};
use crate::goods::FIRST_US;
use crate::line::now;
use crate::peers::{Order, Raw, sqlite};
use crate::stock::{self, NoViews};
use anyhow::{Context as _, ensure};
use fichad::desk::Opened;
use fichad::domain::event::StoreEvent;
use fichad::domain::refusal::Refusal;
use fichad::domain::time::Timestamp;
use fichad::log::{FoldError, GROUP_MAX, Half, Log, Refused, Settings};
use nix::sys::resource::{UsageWho, getrusage};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// Writers that write at once.
const WRITERS: u64 = 64;
/// Customers among whom the purchases are.
const CUSTOMERS: u64 = 2_000;
/// Turns that the two with 64 writers take.
const TURNS: u32 = 5;

pub(crate) fn run(time: Duration) -> anyhow::Result<()> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    std::fs::create_dir_all(&target)?;
    let folder = tempfile::tempdir_in(&target)?;
    let clock = Arc::new(AtomicI64::new(FIRST_US));
    let dir = folder.path().join("views");
    std::fs::create_dir(&dir)?;
    let (opened, _) = stock::open(&dir, &clock)?;
    stock::enrol_all(&opened, CUSTOMERS)?;
    let next = AtomicU64::new(0);
    one(folder.path(), &opened, &next, time)?;
    many(folder.path(), &opened, &next, time)?;
    opened.log.close();
    Ok(())
}

/// One writer: each write beside one of the raw file, as many bytes.
fn one(folder: &Path, opened: &Opened, next: &AtomicU64, time: Duration) -> anyhow::Result<()> {
    let settings = Settings::new(folder.join("journal"));
    let (log, _) = Log::open(settings, NoViews::folds(), Arc::new(|| FIRST_US))?;
    let mut raw = Raw::new(&folder.join("raw"))?;
    let (mut floor, mut journal, mut with_views) = (Times::default(), Times::default(), Times::default());
    let awake = AtomicBool::new(true);
    std::thread::scope(|scope| -> anyhow::Result<()> {
        // A processor that sleeps between two writes would be measured with the slower of them.
        scope.spawn(|| {
            while awake.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
        });
        let until = now().checked_add(time).context("too long")?;
        while now() < until {
            let purchase = next.fetch_add(1, Ordering::Relaxed);
            let bytes = events_of(purchase)?;
            floor.push(raw.write(&bytes.concat())?);
            let started = now();
            let done =
                log.submit(move |tx| bytes.iter().try_for_each(|event| tx.emit(Half::Neutral, event)))?;
            done.wait().map_err(|refused: Refused<FoldError>| anyhow::anyhow!("not written: {refused}"))?;
            journal.push(now().saturating_duration_since(started));
            let events = stock::events(purchase, CUSTOMERS, Timestamp(FIRST_US))?;
            let started = now();
            let done = opened.log.submit(move |tx| stock::buy(tx, events))?;
            done.wait().map_err(|refused: Refused<Refusal>| anyhow::anyhow!("not written: {refused:?}"))?;
            with_views.push(now().saturating_duration_since(started));
        }
        awake.store(false, Ordering::Relaxed);
        Ok(())
    })?;
    log.close();
    say(&format!("\none writer, {} purchases of each", floor.len()));
    table(&[
        ("raw write + fdatasync", &floor),
        ("journal alone", &journal),
        ("journal and views", &with_views),
    ]);
    Ok(())
}

/// The events of a purchase as they stand in the journal.
fn events_of(purchase: u64) -> anyhow::Result<[Vec<u8>; 3]> {
    let events = stock::events(purchase, CUSTOMERS, Timestamp(FIRST_US))?;
    let mut bytes = [const { Vec::new() }; 3];
    for (bytes, event) in bytes.iter_mut().zip(&events) {
        *bytes = serde_json::to_vec::<StoreEvent>(event)?;
    }
    Ok(bytes)
}

/// 64 writers, each waiting for its own: ours and SQLite in turn.
fn many(folder: &Path, opened: &Opened, next: &AtomicU64, time: Duration) -> anyhow::Result<()> {
    let (orders, thread) = sqlite(&folder.join("sqlite"), GROUP_MAX)?;
    let turn = time.checked_div(TURNS).unwrap_or(time);
    let (mut ours, mut theirs) = (0.0, 0.0);
    let (mut our_us, mut their_us) = (0.0, 0.0);
    let mut ratios = Vec::new();
    for _ in 0..TURNS {
        let begun_us = processor_us()?;
        let mine = per_second(turn, || {
            let purchase = next.fetch_add(1, Ordering::Relaxed);
            let events = stock::events(purchase, CUSTOMERS, Timestamp(FIRST_US))?;
            let done = opened.log.submit(move |tx| stock::buy(tx, events))?;
            done.wait()
                .map(drop)
                .map_err(|refused: Refused<Refusal>| anyhow::anyhow!("not written: {refused:?}"))
        })?;
        let between_us = processor_us()?;
        let its = per_second(turn, || {
            let purchase = next.fetch_add(1, Ordering::Relaxed);
            let (done, wait) = sync_channel(1);
            let order = Order::new(purchase, CUSTOMERS, done)?;
            orders.send(order).ok().context("SQLite has ended")?;
            wait.recv().context("SQLite has ended")
        })?;
        let seconds = turn.as_secs_f64() * f64::from(TURNS);
        our_us += (between_us - begun_us) / (mine * seconds);
        their_us += (processor_us()? - between_us) / (its * seconds);
        ratios.push(mine / its);
        (ours, theirs) = (ours + mine / f64::from(TURNS), theirs + its / f64::from(TURNS));
    }
    drop(orders);
    thread.join().ok().context("SQLite panicked")??;
    ensure!(ours > 0.0 && theirs > 0.0, "nothing was written");
    ratios.sort_by(f64::total_cmp);
    let middle = ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN);
    say(&format!("\n{WRITERS} writers, {TURNS} turns each"));
    say(&format!(
        "SQLite (WAL, synchronous FULL)   {theirs:>9.0} purchases/s, {their_us:>5.1} µs of processor each"
    ));
    say(&format!(
        "fichad, journal and views        {ours:>9.0} purchases/s, {our_us:>5.1} µs of processor each"
    ));
    say(&format!("ratio, the middle of the turns   {middle:>9.2}"));
    Ok(())
}

/// The processor that all threads have taken so far, of both sides and of who makes the purchases up.
fn processor_us() -> anyhow::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let us = |time: nix::sys::time::TimeVal| -> anyhow::Result<f64> {
        Ok(f64::from(u32::try_from(time.tv_sec())?) * 1e6 + f64::from(u32::try_from(time.tv_usec())?))
    };
    Ok(us(usage.user_time())? + us(usage.system_time())?)
}

/// How often `write` is done in a second by all writers together.
pub(crate) fn per_second(
    time: Duration,
    write: impl Fn() -> anyhow::Result<()> + Sync,
) -> anyhow::Result<f64> {
    let count = AtomicU64::new(0);
    let started = now();
    let until = started.checked_add(time).context("too long")?;
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                scope.spawn(|| -> anyhow::Result<()> {
                    while now() < until {
                        write()?;
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        writers.into_iter().try_for_each(|writer| writer.join().ok().context("a writer panicked")?)
    })?;
    let took = now().saturating_duration_since(started).as_secs_f64();
    Ok(f64::from(u32::try_from(count.into_inner())?) / took)
}
