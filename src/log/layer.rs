//! What has been decided but is not in sled yet, laid over what is.

use super::table::Table;
use super::{
    Entry, FoldError, Half, Halves, KEY_BYTES_MAX, Meta, Read, ReadWrite, VALUE_BYTES_MAX, VIEW_NUMBER_MAX,
    View, ViewError,
};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

/// One entry's new state and the transaction that gave it. No `Debug`: the value may be personal.
#[derive(Clone)]
pub(super) struct Change {
    pub(super) seq: u64,
    /// `None`: removed.
    pub(super) value: Option<Vec<u8>>,
}

/// Changes of one half by the key they have in sled: view number, then key.
pub(super) type Changes = BTreeMap<Vec<u8>, Change>;
/// Changes of both halves.
pub(super) type Layer = Halves<Changes>;
/// What lies under all layers, of the half that is read; `None` is an empty table.
pub(super) type Base<'t> = Option<&'t dyn Under>;

/// A key, with its view's number in front, and what it was changed to.
pub(super) type Changed = (Vec<u8>, Change);
/// An entry on its way up through layers.
pub(super) type Laid = Result<Changed, ViewError>;

/// What layers lie on. Keys have their view's number in front.
pub(super) trait Under {
    /// The value of `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError>;
    /// The entries from the key `from` on, in key order.
    fn entries<'u>(&'u self, from: &[u8]) -> Box<dyn Iterator<Item = Laid> + 'u>;
    /// As [`Self::entries`], for whoever wants those alone that begin with `prefix`: of others some may be missing.
    fn entries_under<'u>(&'u self, _prefix: &[u8], from: &[u8]) -> Box<dyn Iterator<Item = Laid> + 'u> {
        self.entries(from)
    }
}

/// Lays `top` over `below`, both in key order: of two of one key the upper one counts.
pub(super) fn lay(
    top: impl Iterator<Item = Laid>,
    below: impl Iterator<Item = Laid>,
) -> impl Iterator<Item = Laid> {
    let (mut top, mut below) = (top.peekable(), below.peekable());
    std::iter::from_fn(move || {
        let order = match (top.peek(), below.peek()) {
            (None, _) | (_, Some(Err(_))) => Ordering::Greater,
            (_, None) | (Some(Err(_)), _) => Ordering::Less,
            (Some(Ok((over, _))), Some(Ok((under, _)))) => over.cmp(under),
        };
        match order {
            Ordering::Less => top.next(),
            Ordering::Greater => below.next(),
            Ordering::Equal => {
                below.next();
                top.next()
            }
        }
    })
}

/// A table, or none, as what layers lie on.
pub(super) fn base(table: Option<&Table>) -> Base<'_> {
    let table: &dyn Under = table?;
    Some(table)
}

impl Layer {
    /// Lays `top` over this layer.
    pub(super) fn merge(&mut self, top: Self) {
        self.personal.extend(top.personal);
        self.neutral.extend(top.neutral);
    }
}

/// The key that an entry of `view` has in sled.
fn full_key(view: View, key: &[u8]) -> Result<Vec<u8>, ViewError> {
    if view.number > VIEW_NUMBER_MAX {
        return Err(ViewError::NoSuchView { view });
    }
    let mut full = Vec::with_capacity(key.len().saturating_add(1));
    full.push(view.number);
    full.extend_from_slice(key);
    Ok(full)
}

/// Reads `key` through `layers`, the topmost first.
pub(super) fn get(
    base: Base<'_>,
    layers: &[&Layer],
    view: View,
    key: &[u8],
) -> Result<Option<Vec<u8>>, ViewError> {
    let key = full_key(view, key)?;
    for layer in layers {
        if let Some(change) = layer.get(view.half).get(&key) {
            return Ok(change.value.clone());
        }
    }
    base.map_or(Ok(None), |table| table.get(&key))
}

/// Reads the entries with `prefix` from the key `from` on through `layers`, the topmost first.
pub(super) fn scan_from(
    base: Base<'_>,
    layers: &[&Layer],
    view: View,
    (prefix, from): (&[u8], &[u8]),
    limit: usize,
) -> Result<Vec<Entry>, ViewError> {
    let (prefix, from) = (full_key(view, prefix)?, full_key(view, from)?);
    let below: Box<dyn Iterator<Item = Laid> + '_> = match base {
        Some(base) => base.entries_under(&prefix, &from),
        None => Box::new(std::iter::empty()),
    };
    let all = layers.iter().rev().fold(below, |below, layer| {
        let range = (Bound::Included(from.as_slice()), Bound::Unbounded);
        let changes = layer.get(view.half).range::<[u8], _>(range);
        Box::new(lay(changes.map(|(key, change)| Ok((key.clone(), change.clone()))), below))
    });
    let mut found = Vec::new();
    for entry in all {
        let (mut key, Change { value, .. }) = entry?;
        if found.len() >= limit || !key.starts_with(&prefix) {
            break;
        }
        if let Some(value) = value {
            key.remove(0);
            found.push((key, value));
        }
    }
    Ok(found)
}

/// One half's views as its fold sees them: `base`, the group's layer, and the transaction's own layer, which it writes.
pub(super) struct FoldView<'l> {
    half: Half,
    seq: u64,
    base: Base<'l>,
    /// The topmost first.
    under: [&'l Layer; 2],
    top: &'l mut Layer,
    fault: Option<FoldError>,
}

impl<'l> FoldView<'l> {
    pub(super) fn new(
        half: Half,
        meta: &Meta,
        base: Base<'l>,
        under: [&'l Layer; 2],
        top: &'l mut Layer,
    ) -> Self {
        Self { half, seq: meta.seq, base, under, top, fault: None }
    }

    /// The first write that broke a rule.
    pub(super) fn done(self) -> Result<(), FoldError> {
        self.fault.map_or(Ok(()), Err)
    }

    fn layers(&self) -> [&Layer; 3] {
        let [upper, lower] = self.under;
        [self.top, upper, lower]
    }

    fn own(&self, view: View) -> Result<(), ViewError> {
        if view.half == self.half { Ok(()) } else { Err(ViewError::OtherHalf { view }) }
    }

    fn change(&mut self, view: View, key: &[u8], value: Option<&[u8]>) -> Result<(), FoldError> {
        self.own(view)?;
        let value_bytes = value.map_or(0, <[u8]>::len);
        if key.len() > KEY_BYTES_MAX || value_bytes > VALUE_BYTES_MAX {
            return Err(FoldError::TooLarge { view, key_bytes: key.len(), value_bytes });
        }
        let change = Change { seq: self.seq, value: value.map(<[u8]>::to_vec) };
        self.top.get_mut(self.half).insert(full_key(view, key)?, change);
        Ok(())
    }

    fn note(&mut self, done: Result<(), FoldError>) {
        if let (None, Err(error)) = (&self.fault, done) {
            self.fault = Some(error);
        }
    }
}

impl Read for FoldView<'_> {
    fn get(&self, view: View, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        self.own(view)?;
        get(self.base, &self.layers(), view, key)
    }

    fn scan_from(
        &self,
        view: View,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<Entry>, ViewError> {
        self.own(view)?;
        scan_from(self.base, &self.layers(), view, (prefix, from), limit)
    }
}

impl ReadWrite for FoldView<'_> {
    fn put(&mut self, view: View, key: &[u8], value: &[u8]) {
        let done = self.change(view, key, Some(value));
        self.note(done);
    }

    fn remove(&mut self, view: View, key: &[u8]) {
        let done = self.change(view, key, None);
        self.note(done);
    }
}
