//! A disk as it may have been at one moment of a recording: what was synced is on it, of the rest nobody knows.
//!
//! Of the writes that no sync covers, whole ones are dropped, later ones kept before earlier ones, and one is kept in part,
//! by sectors of 512 bytes. Of the names that no sync of their folder covers, the last ones are dropped, over the whole disk
//! (as a journaling file system does it) or folder by folder (as POSIX allows).

use crate::dice::Dice;
use crate::trace::{Node, Step, Trace};
use anyhow::Context as _;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// A write or a change of length that no sync covers yet.
struct Loose<'t> {
    step: usize,
    returned: bool,
    what: &'t Step,
}

#[derive(Default)]
struct Content<'t> {
    synced: Vec<u8>,
    loose: Vec<Loose<'t>>,
}

/// A change of names.
struct Naming<'t> {
    step: usize,
    /// The folder that it changes.
    folder: Option<Node>,
    what: &'t Step,
    synced: bool,
}

/// The disk after some of a recording's steps.
#[derive(Default)]
pub(crate) struct Disk<'t> {
    contents: HashMap<Node, Content<'t>>,
    namings: Vec<Naming<'t>>,
    now: HashMap<String, Node>,
}

impl<'t> Disk<'t> {
    /// After the first `steps`.
    pub(crate) fn after(trace: &'t Trace, steps: usize) -> Self {
        let mut disk = Self { now: trace.given.iter().cloned().collect(), ..Self::default() };
        for (at, step) in trace.steps.iter().take(steps).enumerate() {
            disk.step(at, step, trace);
        }
        disk
    }

    fn step(&mut self, at: usize, step: &'t Step, trace: &'t Trace) {
        match step {
            Step::Name { path, .. } | Step::Unname { path } | Step::Rename { from: path, .. } => {
                let folder = self.now.get(parent(path)).copied();
                self.namings.push(Naming { step: at, folder, what: step, synced: false });
                rename(&mut self.now, step);
            }
            Step::Write { node, .. } | Step::Length { node, .. } => {
                self.contents.entry(*node).or_default().loose.push(Loose {
                    step: at,
                    returned: false,
                    what: step,
                });
            }
            Step::Done { step } => {
                if let Some(Step::Write { node, .. } | Step::Length { node, .. }) = trace.steps.get(*step) {
                    let loose = &mut self.contents.entry(*node).or_default().loose;
                    loose
                        .iter_mut()
                        .filter(|loose| loose.step == *step)
                        .for_each(|loose| loose.returned = true);
                }
            }
            Step::Synced { node, began } => self.synced(*node, *began, trace),
            Step::Sent { .. } => {}
        }
    }

    fn synced(&mut self, node: Node, began: usize, trace: &Trace) {
        let before = |naming: &&mut Naming<'_>| naming.folder == Some(node) && naming.step < began;
        self.namings.iter_mut().filter(before).for_each(|naming| naming.synced = true);
        let Some(content) = self.contents.get_mut(&node) else { return };
        // Whether a write had returned when the sync began: its `Done` stands before.
        let returned = |step: usize| {
            let steps = trace.steps.get(step..began).unwrap_or_default();
            steps.iter().any(|later| matches!(later, Step::Done { step: of } if *of == step))
        };
        let (covered, loose): (Vec<_>, Vec<_>) = std::mem::take(&mut content.loose)
            .into_iter()
            .partition(|loose| loose.returned && returned(loose.step));
        covered.iter().for_each(|loose| write(&mut content.synced, loose.what, |_| true));
        content.loose = loose;
    }

    /// Writes one of the disks that this may be into `folder`.
    pub(crate) fn make_up(&self, trace: &Trace, dice: &mut Dice, folder: &Path) -> anyhow::Result<()> {
        let mut names: BTreeMap<String, (Node, bool)> =
            trace.given.iter().map(|(path, node)| (path.clone(), (*node, true))).collect();
        let whole = dice.percent(50);
        let limit = dice.below(self.namings.len() + 1);
        let mut limits: HashMap<Option<Node>, usize> = HashMap::new();
        let keep_all = dice.percent(30);
        for (at, naming) in self.namings.iter().enumerate() {
            let own = *limits.entry(naming.folder).or_insert_with(|| dice.below(self.namings.len() + 1));
            if naming.synced || keep_all || at < if whole { limit } else { own } {
                keep(&mut names, naming.what);
            }
        }
        for (path, (node, is_folder)) in &names {
            let path = folder.join(path.get(trace.root().len() + 1..).unwrap_or_default());
            if *is_folder {
                DirBuilder::new().recursive(true).mode(0o700).create(path)?;
            } else {
                let open = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&path);
                let mut file = open.with_context(|| path.display().to_string())?;
                file.write_all(
                    &self.contents.get(node).map_or_else(Vec::new, |content| content.make_up(dice)),
                )?;
            }
        }
        Ok(())
    }
}

impl Content<'_> {
    fn make_up(&self, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        // All, none, the first ones and a part of the next, or any sector of any write.
        let style = dice.below(4);
        let first = dice.below(self.loose.len() + 1);
        let chance = 20 + dice.below(60);
        for (at, loose) in self.loose.iter().enumerate() {
            match style {
                0 => write(&mut bytes, loose.what, |_| true),
                1 => {}
                2 if at < first => write(&mut bytes, loose.what, |_| true),
                2 if at == first => {
                    let upto = dice.below(9);
                    write(&mut bytes, loose.what, |sector| sector < upto);
                }
                2 => {}
                _ => write(&mut bytes, loose.what, |_| dice.percent(chance)),
            }
        }
        bytes
    }
}

/// Carries out a write or a change of length; of a write, the sectors that `keep` says, counted from its first.
pub(crate) fn write(bytes: &mut Vec<u8>, step: &Step, mut keep: impl FnMut(usize) -> bool) {
    match step {
        Step::Length { length, .. } if keep(0) => bytes.resize(*length, 0),
        Step::Write { at, bytes: new, .. } => {
            let mut from = 0;
            for sector in 0.. {
                if from >= new.len() {
                    break;
                }
                let end = ((at + from) / SECTOR + 1) * SECTOR;
                let to = new.len().min(end - at);
                if keep(sector) {
                    if bytes.len() < at + to {
                        bytes.resize(at + to, 0);
                    }
                    bytes[at + from..at + to].copy_from_slice(&new[from..to]);
                }
                from = to;
            }
        }
        _ => {}
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// A change of names that is on the disk, as far as what it changes is.
fn keep(names: &mut BTreeMap<String, (Node, bool)>, step: &Step) {
    let target = match step {
        Step::Name { path, .. } | Step::Rename { to: path, .. } => path,
        _ => "",
    };
    if !target.is_empty() && !names.contains_key(parent(target)) {
        return;
    }
    match step {
        Step::Name { path, node, folder } => drop(names.insert(path.clone(), (*node, *folder))),
        // Only an empty folder goes: what was in it is gone with it, whichever of the folders' changes are on the disk.
        Step::Unname { path } => {
            let below = format!("{path}/");
            names.retain(|name, _| name != path && !name.starts_with(&below));
        }
        Step::Rename { from, .. } => {
            let below = format!("{from}/");
            let moved: Vec<String> =
                names.keys().filter(|name| *name == from || name.starts_with(&below)).cloned().collect();
            if moved.is_empty() {
                return;
            }
            for name in moved {
                if let Some(node) = names.remove(&name) {
                    names.insert(format!("{target}{}", name.get(from.len()..).unwrap_or_default()), node);
                }
            }
        }
        _ => {}
    }
}

/// The same among the names as the daemon saw them.
fn rename(now: &mut HashMap<String, Node>, step: &Step) {
    let mut names: BTreeMap<String, (Node, bool)> =
        now.drain().map(|(name, node)| (name, (node, true))).collect();
    keep(&mut names, step);
    now.extend(names.into_iter().map(|(name, (node, _))| (name, node)));
}

/// Removes both halves' views, which may be deleted at any time.
pub(crate) fn remove_views(state: &Path) {
    for half in ["store", "vault"] {
        drop(fs::remove_dir_all(state.join(half).join("views")));
    }
}
