//! Changes too many for memory, on their way to new views or a snapshot: each part that came together lies in a sorted file, a run,
//! and all of them are read as one, until they are written where they belong in one go.
//!
//! Runs of one size are made into one of the next as soon as there are [`FAN`] of them (the tiers of O'Neil and others, The
//! Log-Structured Merge-Tree, 1996): so a key is looked for in few files however much there is, and an entry is written few times.
//! They are nobody's truth: after a crash they are deleted with the folder they lie in.

use super::filter::KeyHash;
use super::layer::{Base, Change, Changes, Laid, Under, lay_all};
use super::run::{self, Run};
use super::{Half, ViewError};
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

/// So many runs of one size become one.
const FAN: usize = 8;

/// The runs of one half over what they lie on. One thread's.
pub(super) struct Runs<'b> {
    half: Half,
    dir: PathBuf,
    below: Base<'b>,
    /// The largest and oldest first; within one size, again.
    runs: Vec<Part>,
    /// How many files were written.
    written: u32,
}

struct Part {
    run: Run,
    path: PathBuf,
    /// How often its entries were put together.
    size: u32,
}

impl<'b> Runs<'b> {
    /// No runs over `below`; those to come lie in the folder `dir`, which is theirs alone.
    pub(super) fn new(half: Half, dir: PathBuf, below: Base<'b>) -> Self {
        Self { half, dir, below, runs: Vec::new(), written: 0 }
    }

    /// Lays `changes` over all that there is.
    pub(super) fn add(&mut self, changes: &Changes) -> io::Result<()> {
        if self.written == 0 {
            super::files::remove_dir(&self.dir)?;
            fs::create_dir(&self.dir)?;
        }
        let entries = changes.iter().map(|(key, change)| Ok((key.clone(), change.clone())));
        let run = Part::write(self.next_path(), 0, changes.len(), entries)?;
        self.runs.push(run);
        while let Some(size) = self.full() {
            self.put_together(size)?;
        }
        Ok(())
    }

    /// The size of the last runs, if there are enough of it.
    fn full(&self) -> Option<u32> {
        let last = self.runs.last()?.size;
        (self.runs.iter().rev().take_while(|run| run.size == last).count() >= FAN).then_some(last)
    }

    fn put_together(&mut self, size: u32) -> io::Result<()> {
        let path = self.next_path();
        let from = self.runs.len().saturating_sub(FAN);
        let parts = self.runs.get(from..).unwrap_or_default();
        // Removals stay, for there may be older entries below.
        let count = run::count(parts.iter().map(|part| &part.run));
        let entries = laid(parts, Box::new(std::iter::empty()), &[], self.half);
        let run = Part::write(path, size.saturating_add(1), count, entries)?;
        for part in self.runs.drain(from..) {
            fs::remove_file(part.path)?;
        }
        self.runs.push(run);
        Ok(())
    }

    fn next_path(&mut self) -> PathBuf {
        self.written = self.written.saturating_add(1);
        self.dir.join(format!("{:06}.run", self.written))
    }

    /// What `key` has in a run; the outer `None` when none has it.
    fn changed(&self, key: &[u8]) -> Result<Option<Change>, ViewError> {
        let hash = KeyHash::of(key);
        for Part { run, .. } in self.runs.iter().rev() {
            if let Some(found) = run.get(key, hash).map_err(|what| damaged(self.half, &what))? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

impl Drop for Runs<'_> {
    fn drop(&mut self) {
        // What stays is deleted with the folder around it, or by whoever needs the place next.
        super::files::remove_dir(&self.dir).ok();
    }
}

impl Under for Runs<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        match self.changed(key)? {
            Some(change) => Ok(change.value),
            None => self.below.map_or(Ok(None), |below| below.get(key)),
        }
    }

    fn entries<'u>(&'u self, from: &[u8]) -> Box<dyn Iterator<Item = Laid> + 'u> {
        let below = self.below.map_or_else(
            || -> Box<dyn Iterator<Item = Laid> + 'u> { Box::new(std::iter::empty()) },
            |below| below.entries(from),
        );
        laid(&self.runs, below, from, self.half)
    }
}

/// The entries of runs over those `below`.
fn laid<'r>(
    runs: &'r [Part],
    below: Box<dyn Iterator<Item = Laid> + 'r>,
    from: &[u8],
    half: Half,
) -> Box<dyn Iterator<Item = Laid> + 'r> {
    let own = |part: &'r Part| -> Box<dyn Iterator<Item = Laid> + 'r> {
        Box::new(part.run.entries(from).map(move |entry| entry.map_err(|what| damaged(half, &what))))
    };
    let mut parts: Vec<_> = std::iter::once(below).chain(runs.iter().map(own)).collect();
    parts.reverse();
    lay_all(parts)
}

fn damaged(half: Half, what: &str) -> ViewError {
    ViewError::Damaged { half, what: format!("a run of a rebuild: {what}") }
}

impl Part {
    /// Writes at most `count` entries, in key order.
    fn write(
        path: PathBuf,
        size: u32,
        count: usize,
        entries: impl Iterator<Item = Laid>,
    ) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        let run = Run::write(file, Vec::new(), count, entries)?;
        Ok(Self { run, path, size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn runs_are_read_as_if_all_lay_in_one_map(
            lower in prop::collection::btree_map(prop::collection::vec(0_u8..4, 1..5), 0_u8..3, 0..30),
            parts in prop::collection::vec(
                prop::collection::btree_map(prop::collection::vec(0_u8..4, 1..5), prop::option::weighted(0.7, any::<u8>()), 0..40),
                0..80,
            ),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let change = |seq, value: Option<u8>| Change { seq, value: value.map(|byte| vec![byte; 200]) };
            let changes: Changes = lower.iter().map(|(key, value)| (key.clone(), change(0, Some(*value)))).collect();
            let mut below = Runs::new(Half::Neutral, folder.path().join("below"), None);
            below.add(&changes).unwrap();
            let mut runs = Runs::new(Half::Neutral, folder.path().join("runs"), Some(&below));
            let mut model: BTreeMap<Vec<u8>, (u64, u8)> = lower.into_iter().map(|(key, value)| (key, (0, value))).collect();
            for (part, seq) in parts.into_iter().zip(1..) {
                let changes: Changes = part.iter().map(|(key, value)| (key.clone(), change(seq, *value))).collect();
                runs.add(&changes).unwrap();
                for (key, value) in part {
                    match value {
                        Some(value) => model.insert(key, (seq, value)),
                        None => model.remove(&key),
                    };
                }
                prop_assert!(runs.runs.len() < FAN * 3);
            }
            for from in [&[][..], &[1], &[1, 2], &[3, 3, 3, 3]] {
                let found: Vec<_> = runs
                    .entries(from)
                    .map(Result::unwrap)
                    .filter_map(|(key, change)| Some((key, (change.seq, change.value?[0]))))
                    .collect();
                let wanted: Vec<_> = model.range(from.to_vec()..).map(|(key, value)| (key.clone(), *value)).collect();
                prop_assert!(found == wanted);
            }
            for key in [&[0][..], &[1, 1], &[2, 2, 2], &[3]] {
                let found = runs.get(key).unwrap().map(|value| value[0]);
                prop_assert_eq!(found, model.get(key).map(|(_, value)| *value));
            }
            let files = fs::read_dir(folder.path().join("runs")).map_or(0, Iterator::count);
            prop_assert_eq!(files, runs.runs.len());
            drop(runs);
            prop_assert!(!folder.path().join("runs").exists());
        }
    }
}
