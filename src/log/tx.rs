//! A decision's view of the world while it is being taken.

use super::group::{Decision, Group};
use super::layer::{self, Base, FoldView, Layer, Replaced, base};
use super::record::push_event;
use super::table::Table;
use super::{Entry, FoldError, Folds, Half, Halves, Meta, Read, ReadWrite, View, ViewError, Views};
use std::sync::Arc;

/// Room for the usual transaction, a purchase of a few lines, so that it is not copied while it grows.
const PAYLOAD_BYTES: usize = 2 << 10;

/// One transaction under decision: what is committed, what this group has decided before, and its own events so far.
pub struct Tx<'g> {
    meta: Meta,
    views: &'g Views,
    /// Those of `views`: none is put in place while a decision is taken.
    tables: Halves<Option<Arc<Table>>>,
    folds: &'g Folds,
    /// What was decided before, and over it what this transaction changed.
    next: &'g mut Group,
    /// What is being written and is not in the views yet.
    under_way: &'g Group,
    replaced: Replaced,
    payloads: Halves<Vec<u8>>,
    emitted: Halves<bool>,
    failed: Option<FoldError>,
}

impl<'g> Tx<'g> {
    pub(super) fn new(
        meta: Meta,
        (views, folds): (&'g Views, &'g Folds),
        next: &'g mut Group,
        under_way: &'g Group,
    ) -> Self {
        let tables = Halves { personal: views.table(Half::Personal), neutral: views.table(Half::Neutral) };
        Self {
            meta,
            views,
            tables,
            folds,
            next,
            under_way,
            replaced: Replaced::default(),
            payloads: Halves::default(),
            emitted: Halves::default(),
            failed: None,
        }
    }

    /// The sequence and time this transaction will have, if it emits anything.
    #[must_use]
    pub fn meta(&self) -> Meta {
        self.meta
    }

    pub(super) fn views(&self) -> &Views {
        self.views
    }

    /// The neutral payload of a transaction that was decided and is not in the journal yet, or was not when this one began.
    pub(super) fn decided(&self, seq: u64) -> Option<&[u8]> {
        self.next.neutral(seq).or_else(|| self.under_way.neutral(seq))
    }

    /// What lies over the views, the topmost first.
    fn layers(&self) -> [&Layer; 2] {
        [&self.next.layer, &self.under_way.layer]
    }

    fn base(&self, half: Half) -> Base<'_> {
        base(self.tables.get(half).as_deref())
    }

    /// Puts `event` into this transaction's record of `half` and applies it at once, so that [`Read`] on this
    /// transaction shows its effect. After an error the transaction is refused whatever the decision returns.
    pub fn emit(&mut self, half: Half, event: &[u8]) -> Result<(), FoldError> {
        let folds = self.folds;
        self.put(half, event, &|meta, views| folds.get(half).apply(meta, event, views))
    }

    /// As [`Self::emit`], with `fold` doing what the half's [`Fold`](super::Fold) of `version` does with `event`: for whoever has the event
    /// at hand, and need not read it again. That both do the same is made sure of wherever debug assertions are on. A log with a fold of
    /// another version has that do it.
    pub fn emit_folded(
        &mut self,
        (half, version): (Half, u32),
        event: &[u8],
        fold: &dyn Fn(&Meta, &mut dyn ReadWrite) -> Result<(), FoldError>,
    ) -> Result<(), FoldError> {
        if self.folds.get(half).version() != version {
            return self.emit(half, event);
        }
        #[cfg(debug_assertions)]
        self.compare(half, event, fold);
        self.put(half, event, fold)
    }

    /// Panics if `fold` does not what the half's own fold does with `event`.
    #[cfg(debug_assertions)]
    fn compare(
        &self,
        half: Half,
        event: &[u8],
        fold: &dyn Fn(&Meta, &mut dyn ReadWrite) -> Result<(), FoldError>,
    ) {
        let changes = |fold: &dyn Fn(&mut dyn ReadWrite) -> Result<(), FoldError>| {
            let (mut changed, under) = (Layer::default(), self.layers());
            let mut view = FoldView::new(half, &self.meta, self.base(half), &under, &mut changed);
            let done = fold(&mut view).and_then(|()| view.done());
            (changed.personal, changed.neutral, done.map_err(|error| error.to_string()))
        };
        let own = changes(&|views| self.folds.get(half).apply(&self.meta, event, views));
        assert!(changes(&|views| fold(&self.meta, views)) == own, "an event is not folded as its bytes are");
    }

    fn put(
        &mut self,
        half: Half,
        event: &[u8],
        fold: &dyn Fn(&Meta, &mut dyn ReadWrite) -> Result<(), FoldError>,
    ) -> Result<(), FoldError> {
        let done = match &self.failed {
            Some(failed) => Err(failed.clone()),
            None => self.apply(half, event, fold),
        };
        self.failed = done.as_ref().err().cloned();
        done
    }

    fn apply(
        &mut self,
        half: Half,
        event: &[u8],
        fold: &dyn Fn(&Meta, &mut dyn ReadWrite) -> Result<(), FoldError>,
    ) -> Result<(), FoldError> {
        if self.views.is_behind(half) {
            return Err(FoldError::Locked);
        }
        let payload = self.payloads.get_mut(half);
        if payload.is_empty() {
            payload.reserve(PAYLOAD_BYTES);
        }
        if !push_event(payload, event) {
            return Err(FoldError::TooMuch { half });
        }
        *self.emitted.get_mut(half) = true;
        let (under, base) = ([&self.under_way.layer], base(self.tables.get(half).as_deref()));
        let view = FoldView::new(half, &self.meta, base, &under, &mut self.next.layer);
        let mut view = view.noting(&mut self.replaced);
        fold(&self.meta, &mut view)?;
        view.done()
    }

    /// Ends a decision that said yes: its record joins the group. Gives whether it has one.
    ///
    /// # Errors
    /// Why it is refused all the same; nothing of it is left then.
    pub(super) fn keep(mut self) -> Result<bool, FoldError> {
        if let Some(failed) = self.failed.take() {
            self.take_back();
            return Err(failed);
        }
        let Halves { personal, neutral } = self.emitted;
        if personal || neutral {
            let personal = personal.then_some(self.payloads.personal);
            self.next.records.push(Decision { meta: self.meta, personal, neutral: self.payloads.neutral });
        }
        Ok(personal || neutral)
    }

    /// Ends a decision that is refused: nothing of it is left.
    pub(super) fn take_back(self) {
        // Most that are refused have changed nothing.
        if self.emitted.personal || self.emitted.neutral {
            self.next.layer.take_back(self.meta.seq, self.replaced);
        }
    }
}

impl Read for Tx<'_> {
    fn get(&self, view: View, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        self.views.check(view.half)?;
        layer::get(self.base(view.half), self.layers(), view, key)
    }

    fn scan_from(
        &self,
        view: View,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<Entry>, ViewError> {
        self.views.check(view.half)?;
        layer::scan_from(self.base(view.half), self.layers(), view, (prefix, from), limit)
    }
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").field("meta", &self.meta).finish_non_exhaustive()
    }
}
