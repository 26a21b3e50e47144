//! How long it takes from a card's code to its customer, in a store of very many.

use crate::figures::{Times, say, table};
use crate::goods::{self, Dice};
use crate::line::now;
use crate::settled;
use crate::stock::{self, Made};
use crate::writing::per_second;
use anyhow::{Context as _, ensure};
use fichad::desk::Opened;
use fichad::domain::refusal::Refusal;
use fichad::domain::time::Timestamp;
use fichad::log::Refused;
use fichad::store;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// Look-ups before it counts: what a day's customers have in memory by then.
const WARM_UP: u64 = 100_000;

/// Pauses between look-ups beside writers, in which these have both processors: a shop's thirty registers scan less often than this.
const APART: Duration = Duration::from_micros(200);

/// Pauses in which the processor sleeps and others use its caches, as between two scans.
const RESTED: Duration = Duration::from_millis(2);

pub(crate) fn run(dir: &Path, made: Made, time: Duration) -> anyhow::Result<()> {
    let clock = Arc::new(AtomicI64::new(goods::when(made.purchases(), made.purchases()).0));
    let (opened, _) = stock::open(dir, &clock)?;
    settled::wait(std::process::id())?;
    let mut dice = Dice::new(11, u64::from(std::process::id()));
    let mut look = || look_up(&opened, dice.below(made.customers));
    for _ in 0..WARM_UP.min(made.customers.saturating_mul(2)) {
        look()?;
    }
    let mut alone = Times::default();
    let until = now().checked_add(time).context("too long")?;
    while now() < until {
        alone.push(look()?);
    }
    let mut rested = Times::default();
    let until = now().checked_add(time).context("too long")?;
    while now() < until {
        std::thread::sleep(RESTED);
        rested.push(look()?);
    }
    let next = AtomicU64::new(now_number(made));
    let (in_a_row, writes) = beside(&opened, made, &next, time, &mut look, || ())?;
    let (apart, slower) = beside(&opened, made, &next, time, &mut look, || std::thread::sleep(APART))?;
    say(&format!(
        "\nlook-ups by code among {} customers: {} alone, {} and {} beside 64 writers ({writes:.0} and {slower:.0} purchases/s)",
        made.customers,
        alone.len(),
        in_a_row.len(),
        apart.len(),
    ));
    table(&[
        ("alone", &alone),
        ("alone, 2 ms apart", &rested),
        ("beside 64 writers", &in_a_row),
        ("beside 64 writers, 200 us apart", &apart),
    ]);
    opened.log.close();
    Ok(())
}

/// Look-ups while 64 writers record, with a pause after each; and how many purchases a second these come to.
fn beside(
    opened: &Opened,
    made: Made,
    next: &AtomicU64,
    time: Duration,
    look: &mut impl FnMut() -> anyhow::Result<Duration>,
    pause: impl Fn(),
) -> anyhow::Result<(Times, f64)> {
    let (mut times, ended) = (Times::default(), AtomicBool::new(false));
    let writes = std::thread::scope(|scope| -> anyhow::Result<f64> {
        let ended = &ended;
        let writers = scope.spawn(move || {
            let rate = per_second(time, || {
                let purchase = next.fetch_add(1, Ordering::Relaxed);
                let events = stock::events(purchase, made.customers, Timestamp(goods::FIRST_US))?;
                let done = opened.log.submit(move |tx| stock::buy(tx, events))?;
                done.wait()
                    .map(drop)
                    .map_err(|refused: Refused<Refusal>| anyhow::anyhow!("not written: {refused:?}"))
            });
            ended.store(true, Ordering::Relaxed);
            rate
        });
        while !ended.load(Ordering::Relaxed) {
            times.push(look()?);
            pause();
        }
        writers.join().ok().context("the writers panicked")?
    })?;
    Ok((times, writes))
}

/// A number that no purchase of this store has: each run of the bench adds some.
fn now_number(made: Made) -> u64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_micros());
    made.purchases().saturating_add(u64::try_from(since).unwrap_or(0))
}

/// What a scan does up to the customer: the card's hash, its link, the customer it leads to.
pub(crate) fn look_up(opened: &Opened, number: u64) -> anyhow::Result<Duration> {
    let (_, code) = goods::card(number);
    let wanted = goods::customer(number);
    let started = now();
    let views = opened.log.views();
    let link = opened.vault.link(&views, &code)?.context("a card leads nowhere")?;
    let found = store::customer(&views, link.customer)?.context("a card leads to nobody")?;
    let took = now().saturating_duration_since(started);
    ensure!(found.customer == wanted, "a card leads to another customer");
    Ok(took)
}
