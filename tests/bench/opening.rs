//! Starts of a large store, its memory, its sizes, and its views built anew.

use crate::figures::say;
use crate::goods::{self, Dice};
use crate::line::now;
use crate::lookups::look_up;
use crate::settled;
use crate::stock::{self, Made, on_disk};
use anyhow::{Context as _, ensure};
use fichad::log::Half;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

/// Starts of each kind.
const STARTS: u32 = 3;
/// Look-ups after which memory is measured.
const LOOK_UPS: u64 = 200_000;
/// Bytes of a record and of an event in the journal around what is in it.
const RECORD_BYTES: u64 = 36;
const EVENT_BYTES: u64 = 4;

/// In a process of its own: opens the store, looks one card up, and says how long both took and what lies in memory.
pub(crate) fn start(dir: &Path, customers: u64) -> anyhow::Result<()> {
    let clock = Arc::new(AtomicI64::new(goods::FIRST_US));
    let started = now();
    let (opened, report) = stock::open(dir, &clock)?;
    let open = now().saturating_duration_since(started);
    look_up(&opened, 0)?;
    let ready = now().saturating_duration_since(started);
    let at_start = resident()?;
    ensure!(report.rebuilt.is_empty(), "views were built anew: {:?}", report.rebuilt);
    let mut dice = Dice::new(12, 1);
    for _ in 0..LOOK_UPS.min(customers.saturating_mul(2)) {
        look_up(&opened, dice.below(customers))?;
    }
    settled::wait(std::process::id())?;
    let after = resident()?;
    let millis = |took: Duration| took.as_secs_f64() * 1e3;
    say(&format!("{:.1} {:.1} {at_start:.1} {after:.1} {}", millis(open), millis(ready), report.caught_up));
    opened.log.close();
    Ok(())
}

pub(crate) fn run(dir: &Path, made: Made) -> anyhow::Result<()> {
    say(&format!("\na store of {} customers with {} purchases", made.customers, made.purchases()));
    let mut memory = Vec::new();
    for (name, cold) in [("warm", false), ("cold", true)] {
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            if cold {
                drop_caches(dir)?;
            }
            let [_, ready, at_start, after, _] = child(dir, made)?;
            starts.push(format!("{ready:.0}"));
            memory = vec![at_start, after];
        }
        say(&format!("ready after a clean stop, {name}: {} ms", starts.join(", ")));
    }
    let memory: Vec<String> = memory.iter().map(|mb| format!("{mb:.0}")).collect();
    say(&format!("resident at the start, and after {LOOK_UPS} look-ups: {} MB", memory.join(", ")));
    sizes(dir, made)
}

/// What the child said.
fn child(dir: &Path, made: Made) -> anyhow::Result<[f64; 5]> {
    let output = Command::new(std::env::current_exe()?)
        .arg("--start")
        .arg(dir)
        .args(["--customers", &made.customers.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the store does not open");
    let text = String::from_utf8(output.stdout)?;
    let numbers = text.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    numbers.try_into().ok().context("the child said something else")
}

fn sizes(dir: &Path, made: Made) -> anyhow::Result<()> {
    let clock = Arc::new(AtomicI64::new(goods::FIRST_US));
    let (opened, _) = stock::open(dir, &clock)?;
    let views = opened.log.views();
    let (mut logical, mut entries) = (0_u64, 0_u64);
    for half in Half::ALL {
        let digest = views.digest(half)?;
        (logical, entries) = (logical.saturating_add(digest.bytes), entries.saturating_add(digest.entries));
    }
    drop(views);
    let (records, events) = made.grown(opened.log.health().last_seq);
    opened.log.close();
    let views = on_disk(&dir.join("store/views"))?.saturating_add(on_disk(&dir.join("vault/views"))?);
    let journals = on_disk(&dir.join("store/journal"))?.saturating_add(on_disk(&dir.join("vault/journal"))?);
    let around = records.saturating_mul(RECORD_BYTES).saturating_add(events.saturating_mul(EVENT_BYTES));
    let events = journals.saturating_sub(around);
    let (journals_mb, events_mb, views_mb, logical_mb) = (mb(journals), mb(events), mb(views), mb(logical));
    say(&format!(
        "journals: {journals_mb:.0} MB for {events_mb:.0} MB of events: {:.2} x",
        journals_mb / events_mb
    ));
    say(&format!(
        "views: {views_mb:.0} MB for {logical_mb:.0} MB in {entries} entries: {:.2} x",
        views_mb / logical_mb
    ));
    Ok(())
}

/// Builds both halves' views anew.
pub(crate) fn rebuild(dir: &Path, made: Made) -> anyhow::Result<()> {
    let clock = Arc::new(AtomicI64::new(goods::FIRST_US));
    let (opened, _) = stock::open(dir, &clock)?;
    let started = now();
    let mut halves = Vec::new();
    for half in Half::ALL {
        let begun = now();
        let records =
            opened.log.renew_views(half).map_err(|refused| anyhow::anyhow!("not rebuilt: {refused:?}"))?;
        let took = now().saturating_duration_since(begun).as_secs_f64();
        halves.push(format!("{} {records} records in {took:.1} s", half.name()));
    }
    let took = now().saturating_duration_since(started).as_secs_f64();
    let (_, events) = made.grown(opened.log.health().last_seq);
    let events = f64::from(u32::try_from(events)?);
    say(&format!(
        "\nviews built anew: {}: {:.0} events/s; resident {:.0} MB",
        halves.join(", "),
        events / took,
        resident()?
    ));
    opened.log.close();
    Ok(())
}

fn mb(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes.checked_div(1000).unwrap_or(0)).unwrap_or(u32::MAX)) / 1e3
}

/// What of this process lies in memory, in MB: `VmRSS` of proc(5).
fn resident() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB"));
    let kib: f64 = kib.context("the kernel does not say what is resident")?.trim().parse()?;
    Ok(kib * 1024.0 / 1e6)
}

/// Has the kernel forget what it keeps of the files below `dir`: those alone, for others use this machine too.
fn drop_caches(dir: &Path) -> anyhow::Result<()> {
    use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            drop_caches(&path)?;
        } else {
            let file = std::fs::File::open(&path)?;
            file.sync_all()?;
            posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
        }
    }
    Ok(())
}
