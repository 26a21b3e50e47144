//! A new table out of a snapshot: what it has, and what the fold derives from that.

use super::bring::{Bring, Stop};
use super::layer::{Change, Changes, FoldView, Layer, base};
use super::snapshot::{Item, Snapshot};
use super::table::{Position, Table};
use super::{FoldError, Meta, View};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Entries that are put into a table at once.
const ENTRIES_MAX: usize = 1024;

pub(super) fn panicked(_: Box<dyn std::any::Any + Send>) -> Result<(), FoldError> {
    Err(FoldError::Event { what: "the fold panicked".to_owned() })
}

impl Bring<'_> {
    /// Puts in what a snapshot has, then what is derived from it.
    pub(super) fn load(&self, snapshot: &Snapshot, table: &Table) -> Result<(), Stop> {
        let (half, fold) = (self.half, self.fold);
        let place = snapshot.at.place;
        let at = Position { seq: place.seq, crc: place.seq_crc, fold: fold.version() };
        let mut changes = Changes::new();
        snapshot.each(&mut |Item { key, seq, value }| {
            changes.insert(key, Change { seq, value: Some(value) });
            if changes.len() < ENTRIES_MAX { Ok(()) } else { put(table, std::mem::take(&mut changes), at) }
        })?;
        put(table, changes, at)?;
        let under = Layer::default();
        snapshot.each(&mut |Item { key, seq, value }| {
            let (Some((number, bare)), meta) = (key.split_first(), Meta { seq, at_us: 0 }) else {
                return Ok(());
            };
            let mut layer = Layer::default();
            let view = View { half, number: *number };
            let mut views = FoldView::new(half, &meta, base(Some(table)), [&under; 2], &mut layer);
            let derive = || fold.derive(view, bare, &value, &mut views);
            let derived = catch_unwind(AssertUnwindSafe(derive)).unwrap_or_else(panicked);
            derived.and_then(|()| views.done()).map_err(|error| self.stop(seq, error))?;
            put(table, std::mem::take(layer.get_mut(half)), at)
        })
    }
}

fn put(table: &Table, changes: Changes, at: Position) -> Result<(), Stop> {
    table.apply(changes, at);
    table.ease().map_err(Stop::Views)
}
