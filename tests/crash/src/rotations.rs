//! What an administrator does to a stopped store between two rounds, cut off in the middle: the vault's keys changed (it opens
//! with a recovery phrase that was shown, at every moment with the old one or with the new), and the store restored.

use crate::clients::Cut;
use crate::daemon::Place;
use crate::dice::Dice;
use crate::kills::micros;
use anyhow::{Context as _, bail, ensure};
use fichad::log::{moments, settle_restore};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::process::Output;
use std::thread;

/// A change is cut off within this time; it takes about half of it.
const CHANGE_US: usize = 60_000;
/// Changes of the keyring in one life: it holds eight versions.
const KEYRINGS_MAX: usize = 5;
/// Ways back to the present that are killed before one is let come to its end.
const KILLED_WAYS_BACK: usize = 2;

/// The recovery phrase of a store, as far as it is known which one holds.
#[derive(Debug)]
pub(crate) struct Phrases {
    holds: String,
    /// Shown by a change whose end nobody saw; and whether it was seen after all.
    next: Option<(String, bool)>,
    keyrings: usize,
    /// The last transaction before a restore of which nobody saw whether it came about.
    present: Option<u64>,
}

impl Phrases {
    /// Makes the vault of a new store.
    pub(crate) fn init(place: &Place) -> anyhow::Result<Self> {
        let made = place.ficha(&["vault", "init"])?.wait_with_output()?;
        let holds = shown(&made).with_context(|| said("vault init", &made))?;
        Ok(Self { holds, next: None, keyrings: 0, present: None })
    }

    /// Changes the vault's key or the keyring, or restores the store to an earlier moment, or nothing of it. With `cut` it may be
    /// killed, and `cut` follows: what the disks have is then to be mounted anew, and [`Self::settle`] to be called. Gives
    /// whether there was a change.
    pub(crate) fn change(
        &mut self,
        place: &Place,
        dice: &mut Dice,
        cut: Option<Cut<'_>>,
    ) -> anyhow::Result<bool> {
        let (change, one_more) = (dice.below(10), self.keyrings < KEYRINGS_MAX);
        let last = moments(&place.state, None)?.last.map_or(0, |last| last.seq);
        let earlier = (1 + dice.next() % last.max(2).saturating_sub(1)).to_string();
        let words: &[&str] = match change {
            0 if one_more => &["vault", "rotate", "--keyring"],
            1 | 2 => &["vault", "rotate"],
            3 if last > 1 => &["store", "restore", "--at", &earlier],
            _ => return Ok(false),
        };
        self.keyrings += usize::from(change == 0);
        self.present = (change == 3).then_some(last);
        let mut child = place.ficha(words)?;
        let mut whole = false;
        if let Some(cut) = cut {
            thread::park_timeout(micros(dice, CHANGE_US));
            whole = child.try_wait()?.is_some_and(|ended| ended.success());
            cut()?;
            // It may have ended by itself.
            drop(child.kill());
        }
        let output = child.wait_with_output()?;
        let killed = output.status.code().is_none();
        whole = whole || output.status.success();
        ensure!(whole || killed || disk_gone(&output), "{}", said(&words.join(" "), &output));
        if words == ["vault", "rotate"] {
            self.next = shown(&output).map(|phrase| (phrase, whole));
        }
        Ok(true)
    }

    /// Changes the vault's key to the end.
    pub(crate) fn change_whole(&mut self, place: &Place, dice: &mut Dice) -> anyhow::Result<()> {
        let output = place.ficha(&["vault", "rotate"])?.wait_with_output()?;
        ensure!(output.status.success(), "{}", said("vault rotate", &output));
        self.next = shown(&output).map(|phrase| (phrase, true));
        self.settle(place, dice)
    }

    /// Restores the store to its first transaction, and back to the present.
    pub(crate) fn there_and_back(&mut self, place: &Place, dice: &mut Dice) -> anyhow::Result<()> {
        self.present = moments(&place.state, None)?.last.map(|last| last.seq);
        let words = ["store", "restore", "--at", "1"];
        let output = place.ficha(&words)?.wait_with_output()?;
        ensure!(output.status.success(), "{}", said(&words.join(" "), &output));
        self.settle(place, dice)
    }

    /// Goes back to the present where the store was restored, and finds out which phrase holds: the new one if the change was
    /// seen to end, else one of the two. Nobody has the store open.
    pub(crate) fn settle(&mut self, place: &Place, dice: &mut Dice) -> anyhow::Result<()> {
        if let Some(present) = self.present.take() {
            back(place, present, dice)?;
        }
        let next = self.next.take();
        let (old, new) =
            (opens(place, &self.holds)?, next.as_ref().map(|(new, _)| opens(place, new)).transpose()?);
        match (next, new) {
            (Some((phrase, _)), Some(true)) => {
                ensure!(!old, "both recovery phrases open the vault after a change of its key");
                self.holds = phrase;
            }
            (Some((_, true)), Some(false)) => {
                bail!("the new recovery phrase opens nothing; the old one: {old}")
            }
            (Some(_), _) => ensure!(old, "neither the old recovery phrase opens the vault nor the new one"),
            (None, _) => ensure!(old, "the recovery phrase opens nothing any more"),
        }
        Ok(())
    }
}

/// Brings a store that was restored, or not, back to the present: whichever it is on, the other is kept whole.
fn back(place: &Place, present: u64, dice: &mut Dice) -> anyhow::Result<()> {
    for way in 0..=KILLED_WAYS_BACK {
        settle_restore(&place.state)?;
        let found = moments(&place.state, None)?;
        if found.last.is_some_and(|last| last.seq == present) {
            return Ok(());
        }
        let kept = found.kept.iter().find(|kept| kept.last.is_some_and(|last| last.seq == present));
        let kept = kept.with_context(|| format!("transaction {present} is in no timeline: {found:?}"))?;
        let name =
            kept.dir.file_name().and_then(|name| name.to_str()).context("a timeline without a name")?;
        let words = ["store", "restore", "--from", name];
        let mut child = place.ficha(&words)?;
        if way < KILLED_WAYS_BACK {
            thread::park_timeout(micros(dice, CHANGE_US));
            // It may have ended by itself.
            drop(child.kill());
        }
        let output = child.wait_with_output()?;
        let killed = output.status.code().is_none();
        ensure!(killed || output.status.success(), "{}", said(&words.join(" "), &output));
    }
    let last = moments(&place.state, None)?.last;
    ensure!(last.is_some_and(|last| last.seq == present), "the store is at {last:?}, and was at {present}");
    Ok(())
}

/// Whether a phrase leads to the key that opens the key file: brought back as on new hardware, to a file that goes again.
pub(crate) fn opens(place: &Place, phrase: &str) -> anyhow::Result<bool> {
    let key = place.work.join("probe.key");
    let key_text = key.display().to_string();
    let mut child = place.ficha(&["vault", "recover", "--key-to", &key_text])?;
    let mut input = child.stdin.take().context("no input")?;
    // It may have ended before it asked: then it says why.
    drop(input.write_all(format!("{phrase}\n").as_bytes()));
    drop(input);
    let output = child.wait_with_output()?;
    if output.status.success() {
        fs::remove_file(&key)?;
        return Ok(true);
    }
    ensure!(
        String::from_utf8_lossy(&output.stderr).contains("does not open the vault"),
        "{}",
        said("vault recover", &output)
    );
    Ok(false)
}

impl Phrases {
    /// The phrase that holds.
    pub(crate) fn phrase(&self) -> &str {
        &self.holds
    }
}

/// The phrase in what `ficha` printed, if it came so far.
fn shown(output: &Output) -> Option<String> {
    let answer: Value = serde_json::from_slice(&output.stdout).ok()?;
    answer["phrase"].as_str().map(str::to_owned)
}

/// Whether it ended because its disk was gone.
fn disk_gone(output: &Output) -> bool {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.contains("os error 5") || text.contains("os error 30")
}

fn said(words: &str, output: &Output) -> String {
    format!("ficha {words} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr))
}
