//! The vault's keys changed between two rounds, as an administrator does it, and cut off in the middle: the vault opens with a
//! recovery phrase that was shown, at every moment with the old one or with the new.

use crate::clients::Cut;
use crate::daemon::Place;
use crate::dice::Dice;
use crate::kills::micros;
use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::process::Output;
use std::thread;

/// A change is cut off within this time; it takes about half of it.
const CHANGE_US: usize = 60_000;
/// Changes of the keyring in one life: it holds eight versions.
const KEYRINGS_MAX: usize = 5;

/// The recovery phrase of a store, as far as it is known which one holds.
#[derive(Debug)]
pub(crate) struct Phrases {
    holds: String,
    /// Shown by a change whose end nobody saw; and whether it was seen after all.
    next: Option<(String, bool)>,
    keyrings: usize,
}

impl Phrases {
    /// Makes the vault of a new store.
    pub(crate) fn init(place: &Place) -> anyhow::Result<Self> {
        let made = place.ficha_vault(&["init"])?.wait_with_output()?;
        let holds = shown(&made).with_context(|| said("init", &made))?;
        Ok(Self { holds, next: None, keyrings: 0 })
    }

    /// Changes the vault's key or the keyring, or neither. With `cut` it may be killed, and `cut` follows: what the disks
    /// have is then to be mounted anew, and [`Self::settle`] to be called. Gives whether there was a change.
    pub(crate) fn change(
        &mut self,
        place: &Place,
        dice: &mut Dice,
        cut: Option<Cut<'_>>,
    ) -> anyhow::Result<bool> {
        let keyring = dice.percent(30);
        if !dice.percent(30) || (keyring && self.keyrings >= KEYRINGS_MAX) {
            return Ok(false);
        }
        self.keyrings += usize::from(keyring);
        let words: &[&str] = if keyring { &["rotate", "--keyring"] } else { &["rotate"] };
        let mut child = place.ficha_vault(words)?;
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
        ensure!(whole || killed || disk_gone(&output), "{}", said("rotate", &output));
        if !keyring {
            self.next = shown(&output).map(|phrase| (phrase, whole));
        }
        Ok(true)
    }

    /// Changes the vault's key to the end.
    pub(crate) fn change_whole(&mut self, place: &Place) -> anyhow::Result<()> {
        let output = place.ficha_vault(&["rotate"])?.wait_with_output()?;
        ensure!(output.status.success(), "{}", said("rotate", &output));
        self.next = shown(&output).map(|phrase| (phrase, true));
        self.settle(place)
    }

    /// Finds out which phrase holds: the new one if the change was seen to end, else one of the two. Nobody has the store open.
    pub(crate) fn settle(&mut self, place: &Place) -> anyhow::Result<()> {
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

/// Whether a phrase leads to the key that opens the key file: brought back as on new hardware, to a file that goes again.
pub(crate) fn opens(place: &Place, phrase: &str) -> anyhow::Result<bool> {
    let key = place.work.join("probe.key");
    let key_text = key.display().to_string();
    let mut child = place.ficha_vault(&["recover", "--key-to", &key_text])?;
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
        said("recover", &output)
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
    format!("ficha vault {words} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr))
}
