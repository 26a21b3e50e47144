//! Puts a restored store in the place of the one that is there, whole or not at all.
//!
//! The restored one was built and opened in [`NEW`], a folder in the state folder. From the moment the file [`PLAN`] stands
//! there, synced, the restored store is the one that counts: whoever opens the folder next finishes what is left to do.
//! Before that moment the folder [`NEW`] is half-made, and is deleted. Every step can be done again.
//!
//! ```text
//! <dir>/restore.new/{STORE,store,vault}       half-made, or waiting to be put in place
//! <dir>/RESTORE                               "ficha restore 1\nfrom 1\nto 2\n": timelines
//! <dir>/kept-timeline-1/{STORE,store,vault}   what was there before, without its views: look-up hashes are in those
//! ```

use super::OpenError;
use super::bring::views_of;
use super::files::{create_dir, io_error, remove_dir, replace, step, sync_dir};
use super::marker::{Marker, kept_name};
use super::{Half, checkpoint};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where a restored store is built.
const NEW: &str = "restore.new";
const PLAN: &str = "RESTORE";
const FIRST_LINE: &str = "ficha restore 1";

/// What an interrupted restore had left, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// It was half-made: this folder is deleted, and nothing is changed.
    Removed(PathBuf),
    /// It was complete, and is in place now.
    Finished {
        /// The timeline that the store is on.
        timeline: u32,
        /// Where the one before is kept.
        kept: PathBuf,
    },
}

/// Which timeline takes the place of which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) from: u32,
    pub(super) to: u32,
}

impl Plan {
    fn read(dir: &Path) -> Result<Option<Self>, OpenError> {
        let path = dir.join(PLAN);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("read", &path)(error)),
        };
        let what = || "it does not say what a restore was about to do".to_owned();
        Self::parse(&text).map(Some).ok_or_else(|| OpenError::Damaged { file: path, offset: 0, what: what() })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != FIRST_LINE {
            return None;
        }
        let from = lines.next()?.strip_prefix("from ")?.parse().ok()?;
        let to = lines.next()?.strip_prefix("to ")?.parse().ok()?;
        Some(Self { from, to })
    }
}

/// Where a restored store is built.
pub(super) fn new_dir(dir: &Path) -> PathBuf {
    dir.join(NEW)
}

/// Puts the store in [`NEW`] in place. The caller holds the folder's lock.
pub(super) fn swap_in(dir: &Path, plan: Plan) -> Result<(), OpenError> {
    let path = dir.join(PLAN);
    let text = format!("{FIRST_LINE}\nfrom {}\nto {}\n", plan.from, plan.to);
    step().and_then(|()| replace(&path, text.as_bytes())).map_err(io_error("write", &path))?;
    finish(dir, plan)
}

/// Finishes, or clears away, what a restore left that was cut off. The caller holds the folder's lock.
pub(super) fn settle(dir: &Path) -> Result<Option<Leftover>, OpenError> {
    if let Some(plan) = Plan::read(dir)? {
        finish(dir, plan)?;
        let kept = dir.join(kept_name(plan.from));
        return Ok(Some(Leftover::Finished { timeline: plan.to, kept }));
    }
    let new = new_dir(dir);
    if !new.exists() {
        return Ok(None);
    }
    step().and_then(|()| remove_dir(&new)).map_err(io_error("remove", &new))?;
    Ok(Some(Leftover::Removed(new)))
}

/// Whether nothing of a restore is left to be finished.
pub(super) fn settled(dir: &Path) -> Result<(), OpenError> {
    let what = || "a restore was cut off at its end: the next start finishes it".to_owned();
    match Plan::read(dir)? {
        None => Ok(()),
        Some(_) => Err(OpenError::Damaged { file: dir.join(PLAN), offset: 0, what: what() }),
    }
}

fn finish(dir: &Path, plan: Plan) -> Result<(), OpenError> {
    let kept = dir.join(kept_name(plan.from));
    let own = Marker::read(dir)?;
    let id = own.map(|own| own.id).ok_or_else(|| gone(dir))?;
    let done = || -> io::Result<()> {
        create_dir(&kept)?;
        step()?;
        Marker { id, timeline: plan.from, second: false }.write(&kept)?;
        for half in Half::ALL {
            exchange(dir, &kept, half)?;
        }
        step()?;
        let second = own.is_some_and(|own| own.second);
        Marker { id, timeline: plan.to, second }.write(dir)?;
        for half in Half::ALL {
            strip(&kept, half)?;
        }
        step()?;
        remove_dir(&new_dir(dir))?;
        step()?;
        fs::remove_file(dir.join(PLAN))?;
        sync_dir(dir)
    };
    done().map_err(io_error("put a restored store in place in", dir))
}

fn gone(dir: &Path) -> OpenError {
    OpenError::Damaged { file: dir.join("STORE"), offset: 0, what: "it is gone".to_owned() }
}

/// One half goes aside, and the new one into its place. A rename never overwrites a folder that holds something.
fn exchange(dir: &Path, kept: &Path, half: Half) -> io::Result<()> {
    let (here, new) = (dir.join(half.folder()), new_dir(dir).join(half.folder()));
    if !new.exists() {
        return Ok(());
    }
    if here.exists() {
        step()?;
        fs::rename(&here, kept.join(half.folder()))?;
        sync_dir(kept)?;
        sync_dir(dir)?;
    }
    step()?;
    fs::rename(&new, &here)?;
    sync_dir(dir)
}

/// Takes away from a half that is kept what can be made anew: in the views are look-up hashes, which no erasure to come
/// would find here.
fn strip(kept: &Path, half: Half) -> io::Result<()> {
    for views in views_of(kept, half) {
        step()?;
        remove_dir(&views)?;
    }
    step()?;
    match checkpoint::remove(kept, half) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
