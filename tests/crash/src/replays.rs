//! One run of the daemon, recorded from its first start to its stop; then the disk as it may have been at random moments of
//! it, and the daemon started on each.

use crate::check::check;
use crate::clients::{Client, End, clients, write};
use crate::daemon::{Place, until};
use crate::dice::Dice;
use crate::made_up::{Disk, remove_views};
use crate::rebuild::compare;
use crate::run::{ANSWERS_MIN, Counts, Mode, Run, in_memory};
use crate::shop::Customers;
use crate::trace::{CALLS, Step, Trace};
use anyhow::{Context as _, ensure};
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Replays of one recording.
const REPLAYS: usize = 50;
/// Answers in a recording.
const ANSWERS: usize = 600;

pub(crate) fn run(run: &Run, counts: &mut Counts) {
    run.lives(Mode::Replay, run.replays.div_ceil(REPLAYS), counts, |life, folder, counts| {
        one_recording(run, life, REPLAYS.min(run.replays - life * REPLAYS), folder, counts)
    });
}

fn one_recording(
    run: &Run,
    life: usize,
    replays: usize,
    folder: &Path,
    counts: &mut Counts,
) -> anyhow::Result<()> {
    let mut clients = clients(run.seed, "replay", life);
    let trace = record(folder, &mut clients)?;
    counts.grown(&folder.join("disk").join("state"))?;
    let sent: Vec<(usize, &str)> =
        trace.steps.iter().enumerate().filter_map(|(at, step)| sent(at, step)).collect();
    let answered: usize = clients.iter().map(|client| client.answered.len()).sum();
    ensure!(answered >= ANSWERS_MIN, "only {answered} writes were recorded");
    let mut dice = Dice::new(run.seed, "replay", life);
    for replay in 0..replays {
        // Most after enough was answered, the others anywhere, so also in the first start.
        let from = if dice.percent(80) { sent.get(ANSWERS_MIN).map_or(0, |(at, _)| *at) } else { 0 };
        let moment = from + dice.below(trace.steps.len() - from + 1);
        let ids: HashSet<&str> = sent.iter().filter(|(at, _)| *at < moment).map(|(_, id)| *id).collect();
        let outcome = one_replay(&trace, moment, &ids, &clients, &mut dice, counts);
        outcome
            .with_context(|| format!("replay {replay}, the first {moment} of {} steps", trace.steps.len()))?;
        if ids.len() >= ANSWERS_MIN {
            counts.round(ids.len())?;
        } else {
            counts.starts_cut += 1;
        }
    }
    Ok(())
}

fn sent(at: usize, step: &Step) -> Option<(usize, &str)> {
    match step {
        Step::Sent { id } if id.len() == 36 => Some((at, id)),
        _ => None,
    }
}

/// Runs the daemon under strace, from nothing, until enough is answered.
fn record(folder: &Path, clients: &mut [Client]) -> anyhow::Result<Trace> {
    let (root, text) = (folder.join("disk"), folder.join("trace"));
    fs::create_dir_all(&root)?;
    let place = Place::new(folder, root.join("state"), root.join("second"))?;
    // -D: strace is the daemon's grandchild, so that the daemon is ours to stop.
    let options = ["strace", "-D", "-f", "-q", "-xx", "-s", "16777216", "-e", "signal=none", "-e"];
    let mut before: Vec<String> = options.map(str::to_owned).to_vec();
    before.extend([format!("trace={CALLS}"), "-o".to_owned(), text.display().to_string()]);
    let mut daemon = place.start(&before)?;
    drop(daemon.open()?);
    write(daemon, &place, clients, ANSWERS, Duration::ZERO, End::Stop)?;
    let text = until("strace has written everything", || {
        let read = fs::read_to_string(&text)?;
        let first = read.split(' ').next().unwrap_or_default();
        let over = read
            .lines()
            .next_back()
            .is_some_and(|line| line.starts_with(first) && line.contains("+++ exited"));
        Ok(over.then_some(read))
    })?;
    Trace::read(&text, &root.display().to_string(), &[place.second.display().to_string()])
}

fn one_replay(
    trace: &Trace,
    moment: usize,
    answered: &HashSet<&str>,
    recorded: &[Client],
    dice: &mut Dice,
    counts: &mut Counts,
) -> anyhow::Result<()> {
    let folder = in_memory("ficha-replay")?;
    let outcome = || -> anyhow::Result<()> {
        let disk = folder.path().join("disk");
        fs::create_dir(&disk)?;
        Disk::after(trace, moment).make_up(trace, dice, &disk)?;
        let place = Place::new(folder.path(), disk.join("state"), disk.join("second"))?;
        if dice.percent(20) {
            remove_views(&place.state);
        }
        let mut clients: Vec<Client> =
            recorded.iter().map(|client| at(client, answered)).collect::<Result<_, _>>()?;
        let mut daemon = place.start(&[])?;
        let mut line = daemon.open()?;
        counts.compared += check(&mut line, &mut clients, dice)?;
        drop(line);
        daemon.kill()?;
        if dice.percent(10) {
            counts.entries += compare(&place)?;
            counts.rebuilds += 1;
        }
        counts.heard(&place.log());
        Ok(())
    }();
    if outcome.is_err() {
        println!("  kept: {}", folder.keep().display());
    }
    outcome
}

/// A client as it stood when only these of its requests had been answered.
fn at(client: &Client, answered: &HashSet<&str>) -> anyhow::Result<Client> {
    let is = |key: &uuid::Uuid| answered.contains(key.to_string().as_str());
    let count = client.answered.iter().take_while(|(op, _)| is(&op.key)).count();
    ensure!(!client.answered.iter().skip(count).any(|(op, _)| is(&op.key)), "answers out of order");
    let mut customers = Customers::default();
    client.answered.iter().take(count).for_each(|(op, answer)| customers.apply(op, answer));
    let under_way = client.answered.get(count).map(|(op, _)| op.clone());
    Ok(client.standing(customers, client.answered[..count].to_vec(), under_way))
}
