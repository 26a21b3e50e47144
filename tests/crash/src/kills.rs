//! SIGKILL at random moments: while clients write, and while the store is being opened.

use crate::check::check;
use crate::clients::{Client, Cut, End, clients, write};
use crate::daemon::Place;
use crate::dice::Dice;
use crate::lettings;
use crate::rebuild::compare;
use crate::rotations::Phrases;
use crate::run::{Counts, Mode, Run};
use anyhow::Context as _;
use std::fs;
use std::thread;
use std::time::Duration;

/// Rounds that one store goes through before the next begins with an empty folder.
const ROUNDS: usize = 20;
/// Answers that a round waits for, and so many more at random.
pub(crate) const ANSWERS: usize = 120;
pub(crate) const ANSWERS_MORE: usize = 250;
/// The kill comes so much later at most.
pub(crate) const PAUSE_US: usize = 3_000;
/// A start is cut off within this time.
const START_US: usize = 60_000;
/// Rounds of a hundred that begin with a retention run which is cut off.
pub(crate) const LET_GO: usize = 12;

pub(crate) fn run(run: &Run, counts: &mut Counts) {
    run.lives(Mode::Kill, run.kills.div_ceil(ROUNDS), counts, |life, folder, counts| {
        one_life(run, life, ROUNDS.min(run.kills - life * ROUNDS), folder, counts)
    });
}

fn one_life(
    run: &Run,
    life: usize,
    rounds: usize,
    folder: &std::path::Path,
    counts: &mut Counts,
) -> anyhow::Result<()> {
    let mut dice = Dice::new(run.seed, "kill", life);
    let mut let_go = Dice::new(run.seed, "kill: retention", life);
    let place = Place::new(folder, folder.join("state"), folder.join("second"))?;
    let mut phrases = Phrases::init(&place)?;
    let mut clients = clients(run.seed, "kill", life);
    for round in 0..rounds {
        let context = || format!("round {round} of life {life}");
        let mut kill_alone = || Ok(());
        let whole = dice.percent(30);
        let cut: Option<Cut<'_>> = if whole { None } else { Some(&mut kill_alone) };
        // The first start makes the keyring.
        if round > 0 {
            counts.changes += usize::from(phrases.change(&place, &mut dice, cut).with_context(context)?);
        }
        phrases.settle(&place, &mut dice).with_context(context)?;
        while dice.percent(25) {
            let daemon = place.start(&[])?;
            thread::park_timeout(micros(&mut dice, START_US));
            daemon.kill().with_context(context)?;
            counts.starts_cut += 1;
        }
        let mut daemon = place.start(&[])?;
        let mut line = daemon.open().with_context(context)?;
        counts.compared += check(&mut line, &mut clients, &mut dice).with_context(context)?;
        drop(line);
        if dice.percent(LET_GO) {
            lettings::cut_off(daemon, &place, &mut let_go, &mut || Ok(())).with_context(context)?;
            daemon = place.start(&[])?;
            let mut line = daemon.open().with_context(context)?;
            lettings::finish(&mut line, &mut clients, &mut let_go).with_context(context)?;
            counts.let_go += 1;
        }
        let answers = ANSWERS + dice.below(ANSWERS_MORE);
        let pause = micros(&mut dice, PAUSE_US);
        let answered =
            write(daemon, &place, &mut clients, answers, pause, End::Kill).with_context(context)?;
        counts.round(answered)?;
        // In the other rounds the daemon itself is the first to open what the kill left.
        if dice.percent(50) || round + 1 == rounds {
            counts.entries += compare(&place).with_context(context)?;
            counts.rebuilds += 1;
        }
    }
    last(&place, &mut clients, &mut phrases, &mut dice, counts)
}

/// The end of a store's life: the second copies come to have everything, then files of the first disk are lost.
pub(crate) fn last(
    place: &Place,
    clients: &mut [Client],
    phrases: &mut Phrases,
    dice: &mut Dice,
    counts: &mut Counts,
) -> anyhow::Result<()> {
    let mut daemon = place.start(&[])?;
    let mut line = daemon.open()?;
    counts.compared += check(&mut line, clients, dice).context("after the last round")?;
    daemon.in_step(&mut line).context("after the last round")?;
    daemon.stop()?;
    phrases.settle(place, dice).context("after the last round")?;
    counts.heard(&place.log());
    counts.grown(&place.state)?;
    let lost = ["store/journal", "vault/journal", "keys", "keyring", "keys.ways", "erasures"];
    let (one, other) = (dice.below(lost.len()), dice.below(lost.len()));
    for name in [lost[one], lost[other]] {
        let (first, second) = (place.state.join(name), place.second.join(name));
        if !first.exists() || !second.exists() {
            continue;
        }
        if first.is_dir() { fs::remove_dir_all(first)? } else { fs::remove_file(first)? }
    }
    let mut daemon = place.start(&[])?;
    let mut line = daemon.open().with_context(|| format!("without {} and {}", lost[one], lost[other]))?;
    counts.compared += check(&mut line, clients, dice).context("brought back from the second copies")?;
    counts.lost += 1;
    daemon.stop()?;
    phrases.settle(place, dice).context("brought back from the second copies")
}

pub(crate) fn micros(dice: &mut Dice, end: usize) -> Duration {
    Duration::from_micros(u64::try_from(dice.below(end)).unwrap())
}
