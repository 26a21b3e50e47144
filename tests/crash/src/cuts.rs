//! Power cuts: the file systems of the store and of the second copies are shut down under the daemon (ioctl
//! `FS_IOC_SHUTDOWN` without a flush of their logs), unmounted and mounted again. What the page cache held and nobody had synced is gone.
//!
//! What this leaves out is a drive's own cache; [`crate::replays`] takes that into account.

use crate::check::check;
use crate::clients::{End, clients, write};
use crate::daemon::Place;
use crate::dice::Dice;
use crate::disk::{Disk, Switch};
use crate::kills::{ANSWERS, ANSWERS_MORE, LET_GO, PAUSE_US, last, micros};
use crate::lettings;
use crate::rebuild::compare;
use crate::rotations::Phrases;
use crate::run::{Counts, Mode, Run};
use anyhow::Context as _;
use std::path::Path;
use std::thread;

/// Rounds that one store goes through before the next begins with a new file system.
const ROUNDS: usize = 10;
/// A start is cut off within this time.
const START_US: usize = 80_000;

pub(crate) fn run(run: &Run, counts: &mut Counts) {
    run.lives(Mode::Cut, run.cuts.div_ceil(ROUNDS), counts, |life, folder, counts| {
        one_life(run, life, ROUNDS.min(run.cuts - life * ROUNDS), folder, counts)
    });
}

fn one_life(run: &Run, life: usize, rounds: usize, folder: &Path, counts: &mut Counts) -> anyhow::Result<()> {
    let mut dice = Dice::new(run.seed, "cut", life);
    let mut let_go = Dice::new(run.seed, "cut: retention", life);
    let mut disks = [Disk::new(folder, "first")?, Disk::new(folder, "second")?];
    let [state, second] = [disks[0].folder().join("state"), disks[1].folder().join("copies")];
    let place = Place::new(folder, state, second)?;
    let mut phrases = Phrases::init(&place)?;
    let mut clients = clients(run.seed, "cut", life);
    for round in 0..rounds {
        let context = || format!("round {round} of life {life}");
        // The first start makes the keyring.
        if round > 0 && changed(&place, &mut phrases, &disks, &mut dice).with_context(context)? {
            mount_again(&mut disks).with_context(context)?;
            counts.changes += 1;
        }
        phrases.settle(&place, &mut dice).with_context(context)?;
        // The very first start, which makes what a store is known by, always.
        if round == 0 || dice.percent(30) {
            let mut switches = switches(&disks)?;
            let daemon = place.start(&[])?;
            thread::park_timeout(micros(&mut dice, START_US));
            cut(&mut switches, &mut dice)?;
            // It may have ended by itself for want of a disk.
            drop(daemon);
            mount_again(&mut disks).with_context(context)?;
            counts.starts_cut += 1;
        }
        let mut daemon = place.start(&[])?;
        let mut line = daemon.open().with_context(context)?;
        counts.compared += check(&mut line, &mut clients, &mut dice).with_context(context)?;
        drop(line);
        if dice.percent(LET_GO) {
            let (mut switches, mut cut_dice) = (switches(&disks)?, dice.clone());
            let mut cut = || cut(&mut switches, &mut cut_dice);
            lettings::cut_off(daemon, &place, &mut let_go, &mut cut).with_context(context)?;
            drop(switches);
            mount_again(&mut disks).with_context(context)?;
            daemon = place.start(&[])?;
            let mut line = daemon.open().with_context(context)?;
            lettings::finish(&mut line, &mut clients, &mut let_go).with_context(context)?;
            counts.let_go += 1;
        }
        let [mut one, mut other] = switches(&disks)?;
        let answers = ANSWERS + dice.below(ANSWERS_MORE);
        let pause = micros(&mut dice, PAUSE_US);
        let mut cut_dice = dice.clone();
        // Both at once; the first alone; or the second while the writing goes on, and then the first.
        let way = dice.below(4);
        let (mut halfway, mut at_the_end): (Box<Cutter<'_>>, Box<Cutter<'_>>) = match way {
            0 => (Box::new(|| Ok(())), Box::new(|| one.cut())),
            1 => (Box::new(|| other.cut()), Box::new(|| one.cut())),
            _ => (Box::new(|| Ok(())), Box::new(|| both(&mut one, &mut other, &mut cut_dice))),
        };
        let end = End::Cut(&mut *halfway, &mut *at_the_end);
        let answered = write(daemon, &place, &mut clients, answers, pause, end).with_context(context)?;
        drop((halfway, at_the_end));
        // What has a disk open keeps it mounted.
        drop((one, other));
        counts.one_disk += usize::from(way < 2);
        mount_again(&mut disks).with_context(context)?;
        counts.round(answered)?;
        if dice.percent(30) || round + 1 == rounds {
            counts.entries += compare(&place).with_context(context)?;
            counts.rebuilds += 1;
        }
    }
    last(&place, &mut clients, &mut phrases, &mut dice, counts)
}

/// A change of the vault's keys, or a restore, that the power cut ends. Gives whether there was one.
fn changed(place: &Place, phrases: &mut Phrases, disks: &[Disk; 2], dice: &mut Dice) -> anyhow::Result<bool> {
    let (mut switches, mut cut_dice) = (switches(disks)?, dice.clone());
    let mut cut = || cut(&mut switches, &mut cut_dice);
    phrases.change(place, dice, Some(&mut cut))
}

fn switches(disks: &[Disk; 2]) -> anyhow::Result<[Switch; 2]> {
    Ok([Switch::new(disks[0].folder())?, Switch::new(disks[1].folder())?])
}

type Cutter<'c> = dyn FnMut() -> anyhow::Result<()> + 'c;

fn cut([one, other]: &mut [Switch; 2], dice: &mut Dice) -> anyhow::Result<()> {
    both(one, other, dice)
}

/// Both disks, the one or the other first.
fn both(one: &mut Switch, other: &mut Switch, dice: &mut Dice) -> anyhow::Result<()> {
    let (first, then) = if dice.percent(50) { (one, other) } else { (other, one) };
    first.cut()?;
    then.cut()
}

fn mount_again(disks: &mut [Disk; 2]) -> anyhow::Result<()> {
    disks.iter_mut().try_for_each(Disk::mount_again)
}
