//! Many records folded at once, aside: what they come to lies in memory and in runs, until it is written where it belongs.

use super::bring::{Bring, Stop};
use super::files::io_error;
use super::layer::{Base, FoldView, Laid, Layer, Under as _, lay};
use super::record::Record;
use super::runs::Runs;
use super::snapshot::Snapshot;
use super::{FoldError, Half, Meta, View};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// Events that are folded in memory before they become a run, unless it is said otherwise: with what they come to, about three times that.
const FOLD_BYTES: usize = 32 << 20;

pub(super) fn panicked(_: Box<dyn std::any::Any + Send>) -> Result<(), FoldError> {
    Err(FoldError::Event { what: "the fold panicked".to_owned() })
}

/// The views of a half while they are folded. One thread's, and nobody else reads them.
pub(super) struct Bulk<'b> {
    half: Half,
    runs: Runs<'b>,
    layer: Layer,
    /// Bytes of events in `layer`.
    bytes: usize,
    /// After so many they become a run.
    fold_bytes: usize,
    /// Which keys are wanted in the end.
    keeps: &'b dyn Fn(&[u8]) -> bool,
    dir: PathBuf,
}

impl<'b> Bulk<'b> {
    /// Views that are those of `below` yet. Runs will lie in the folder `dir`; what `keeps` does not want is not among them.
    pub(super) fn new(half: Half, dir: PathBuf, below: Base<'b>, keeps: &'b dyn Fn(&[u8]) -> bool) -> Self {
        let runs = Runs::new(half, dir.clone(), below);
        Self { half, runs, layer: Layer::default(), bytes: 0, fold_bytes: FOLD_BYTES, keeps, dir }
    }

    /// With about so many bytes of events in memory.
    pub(super) fn folding(self, fold_bytes: usize) -> Self {
        Self { fold_bytes, ..self }
    }

    pub(super) fn fold(&mut self, bring: &Bring<'_>, record: &Record<'_>) -> Result<(), Stop> {
        bring.fold(record, Some(&self.runs), &mut self.layer)?;
        self.more(record.payload.len())
    }

    /// Puts in what the fold derives from an entry of a snapshot.
    fn derive(&mut self, bring: &Bring<'_>, key: &[u8], seq: u64, value: &[u8]) -> Result<(), Stop> {
        let Some((number, bare)) = key.split_first() else { return Ok(()) };
        let (half, meta) = (self.half, Meta { seq, at_us: 0 });
        let view = View { half, number: *number };
        let mut views = FoldView::new(half, &meta, Some(&self.runs), &[], &mut self.layer);
        let derive = || bring.fold.derive(view, bare, value, &mut views);
        let derived = catch_unwind(AssertUnwindSafe(derive)).unwrap_or_else(panicked);
        derived.and_then(|()| views.done()).map_err(|error| bring.stop(seq, error))?;
        self.more(value.len())
    }

    /// Puts in all that the fold derives from what a snapshot has, which lies below.
    pub(super) fn derive_all(&mut self, bring: &Bring<'_>, snapshot: &Snapshot) -> Result<(), Stop> {
        for entry in snapshot.entries(&[]) {
            let (key, change) = entry.map_err(|error| Stop::Views(error.to_string()))?;
            self.derive(bring, &key, change.seq, &change.value.unwrap_or_default())?;
        }
        Ok(())
    }

    fn more(&mut self, bytes: usize) -> Result<(), Stop> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes < self.fold_bytes {
            return Ok(());
        }
        self.bytes = 0;
        let mut changes = std::mem::take(self.layer.get_mut(self.half));
        changes.retain(|key, _| (self.keeps)(key));
        Ok(self.runs.add(&changes).map_err(io_error("write", &self.dir))?)
    }

    /// All that is wanted in the end, in key order, removals left out.
    pub(super) fn entries(&self) -> impl Iterator<Item = Laid> {
        let own = self.layer.get(self.half).iter().filter(|(key, _)| (self.keeps)(key));
        let all = lay(own.map(|(key, change)| Ok((key.clone(), change.clone()))), self.runs.entries(&[]));
        all.filter(|entry| entry.as_ref().is_ok_and(|(_, change)| change.value.is_some()) || entry.is_err())
    }
}
