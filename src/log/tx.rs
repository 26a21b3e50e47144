//! A decision's view of the world while it is being taken.

use super::group::Group;
use super::layer::{self, FoldView, Layer, base};
use super::record::push_event;
use super::{Entry, FoldError, Folds, Half, Halves, Meta, Read, View, ViewError, Views};

/// One transaction under decision: what is committed, what this group has decided before, and its own events so far.
pub struct Tx<'g> {
    meta: Meta,
    views: &'g Views,
    folds: &'g Folds,
    /// What was decided before and is not in the views yet, the latest first.
    before: [&'g Group; 2],
    own: Layer,
    payloads: Halves<Vec<u8>>,
    emitted: Halves<bool>,
    failed: Option<FoldError>,
}

/// What a decision left behind.
pub(super) struct Decided {
    pub(super) layer: Layer,
    pub(super) payloads: Halves<Vec<u8>>,
    pub(super) emitted: Halves<bool>,
    pub(super) failed: Option<FoldError>,
}

impl<'g> Tx<'g> {
    pub(super) fn new(meta: Meta, (views, folds): (&'g Views, &'g Folds), before: [&'g Group; 2]) -> Self {
        Self {
            meta,
            views,
            folds,
            before,
            own: Layer::default(),
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
        self.before.iter().find_map(|group| group.neutral(seq))
    }

    /// What lies over the views, the topmost first.
    fn layers(&self) -> [&Layer; 3] {
        let [next, under_way] = self.before;
        [&self.own, &next.layer, &under_way.layer]
    }

    /// Puts `event` into this transaction's record of `half` and applies it at once, so that [`Read`] on this
    /// transaction shows its effect. After an error the transaction is refused whatever the decision returns.
    pub fn emit(&mut self, half: Half, event: &[u8]) -> Result<(), FoldError> {
        let done = match &self.failed {
            Some(failed) => Err(failed.clone()),
            None => self.apply(half, event),
        };
        self.failed = done.as_ref().err().cloned();
        done
    }

    fn apply(&mut self, half: Half, event: &[u8]) -> Result<(), FoldError> {
        if self.views.is_behind(half) {
            return Err(FoldError::Locked);
        }
        if !push_event(self.payloads.get_mut(half), event) {
            return Err(FoldError::TooMuch { half });
        }
        *self.emitted.get_mut(half) = true;
        let table = self.views.table(half);
        let mut view = FoldView::new(
            half,
            &self.meta,
            base(table.as_deref()),
            self.before.map(|group| &group.layer),
            &mut self.own,
        );
        self.folds.get(half).apply(&self.meta, event, &mut view)?;
        view.done()
    }

    pub(super) fn finish(self) -> Decided {
        Decided { layer: self.own, payloads: self.payloads, emitted: self.emitted, failed: self.failed }
    }
}

impl Read for Tx<'_> {
    fn get(&self, view: View, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        self.views.check(view.half)?;
        layer::get(base(self.views.table(view.half).as_deref()), &self.layers(), view, key)
    }

    fn scan_from(
        &self,
        view: View,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<Entry>, ViewError> {
        self.views.check(view.half)?;
        let table = self.views.table(view.half);
        layer::scan_from(base(table.as_deref()), &self.layers(), view, (prefix, from), limit)
    }
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").field("meta", &self.meta).finish_non_exhaustive()
    }
}
