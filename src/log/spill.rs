//! A new table of views, written piece by piece: what is folded gathers in memory, and goes into the table whenever it is much.

use super::bring::{Bring, Stop};
use super::layer::{Change, FoldView, Layer, base};
use super::record::Record;
use super::snapshot::{Item, Snapshot};
use super::table::{Position, Table};
use super::{FoldError, Meta, View};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Events that are folded in memory before they are written to a new table: with what they become, about three times that.
pub(super) const FOLD_BYTES: usize = 32 << 20;

pub(super) fn panicked(_: Box<dyn std::any::Any + Send>) -> Result<(), FoldError> {
    Err(FoldError::Event { what: "the fold panicked".to_owned() })
}

/// A new table that is written whenever enough has come together in memory.
pub(super) struct Spill<'s> {
    pub(super) bring: &'s Bring<'s>,
    pub(super) table: &'s Table,
    pub(super) layer: Layer,
    pub(super) bytes: usize,
    /// Something is in the table.
    pub(super) begun: bool,
}

impl Spill<'_> {
    pub(super) fn fold(&mut self, record: &Record<'_>) -> Result<(), Stop> {
        let below = base(Some(self.table).filter(|_| self.begun));
        self.bring.fold(record, below, &mut self.layer)
    }

    pub(super) fn more(&mut self, bytes: usize, at: Position) -> Result<(), Stop> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes < FOLD_BYTES { Ok(()) } else { self.write(at) }
    }

    pub(super) fn write(&mut self, at: Position) -> Result<(), Stop> {
        let mut layer = std::mem::take(&mut self.layer);
        let half = self.bring.half;
        if !self.begun {
            // There is nothing yet that could be removed.
            layer.get_mut(half).retain(|_, change| change.value.is_some());
        }
        (self.begun, self.bytes) = (true, 0);
        self.table.apply(layer.get(half), at).map_err(Stop::Views)
    }

    /// Puts in what a snapshot has, then what is derived from it.
    pub(super) fn load(&mut self, snapshot: &Snapshot) -> Result<(), Stop> {
        let (half, fold) = (self.bring.half, self.bring.fold);
        let place = snapshot.at.place;
        let at = Position { seq: place.seq, crc: place.seq_crc, fold: fold.version() };
        snapshot.each(&mut |Item { key, seq, value }| {
            let bytes = key.len().saturating_add(value.len());
            self.layer.get_mut(half).insert(key, Change { seq, value: Some(value) });
            self.more(bytes, at)
        })?;
        self.write(at)?;
        let under = Layer::default();
        snapshot.each(&mut |Item { key, seq, value }| {
            let (Some((number, bare)), meta) = (key.split_first(), Meta { seq, at_us: 0 }) else {
                return Ok(());
            };
            let view = View { half, number: *number };
            let mut views = FoldView::new(half, &meta, base(Some(self.table)), &under, &mut self.layer);
            let derive = || fold.derive(view, bare, &value, &mut views);
            let derived = catch_unwind(AssertUnwindSafe(derive)).unwrap_or_else(panicked);
            derived.and_then(|()| views.done()).map_err(|error| self.bring.stop(seq, error))?;
            self.more(value.len(), at)
        })?;
        self.write(at)
    }
}
