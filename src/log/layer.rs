//! What has been decided but is not in sled yet, laid over what is.

use super::table::Table;
use super::{
    FoldError, Half, Halves, KEY_BYTES_MAX, Meta, Read, ReadWrite, VALUE_BYTES_MAX, VIEW_NUMBER_MAX, View,
    ViewError,
};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;

/// One entry's new state and the transaction that gave it. No `Debug`: the value may be personal.
#[derive(Clone, PartialEq, Eq)]
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

/// Lays many over each other, the topmost first; by halves, so that an entry passes few of them on its way.
pub(super) fn lay_all<'e>(
    mut parts: Vec<Box<dyn Iterator<Item = Laid> + 'e>>,
) -> Box<dyn Iterator<Item = Laid> + 'e> {
    if parts.len() < 2 {
        return parts.pop().unwrap_or_else(|| Box::new(std::iter::empty()));
    }
    let below = parts.split_off(parts.len() / 2);
    Box::new(lay(lay_all(parts), lay_all(below)))
}

/// A table, or none, as what layers lie on.
pub(super) fn base(table: Option<&Table>) -> Base<'_> {
    let table: &dyn Under = table?;
    Some(table)
}

/// What the changes of one transaction, while it is decided, took the place of: by those before it in one layer, of each half.
pub(super) type Replaced = Halves<Vec<Changed>>;

impl Layer {
    /// Takes back what transaction `seq`, the last one, changed; `replaced` is what was there before.
    pub(super) fn take_back(&mut self, seq: u64, replaced: Replaced) {
        for (changes, before) in
            [(&mut self.personal, replaced.personal), (&mut self.neutral, replaced.neutral)]
        {
            changes.retain(|_, change| change.seq != seq);
            changes.extend(before);
        }
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
pub(super) fn get<'l>(
    base: Base<'_>,
    layers: impl IntoIterator<Item = &'l Layer>,
    view: View,
    key: &[u8],
) -> Result<Option<Vec<u8>>, ViewError> {
    if view.number > VIEW_NUMBER_MAX {
        return Err(ViewError::NoSuchView { view });
    }
    // On the stack: a decision looks up a dozen.
    let mut room = [view.number; KEY_BYTES_MAX + 1];
    // No entry has a longer key.
    let Some(full) = room.get_mut(..=key.len()) else { return Ok(None) };
    if let Some((_, own)) = full.split_first_mut() {
        own.copy_from_slice(key);
    }
    for layer in layers {
        if let Some(change) = layer.get(view.half).get::<[u8]>(full) {
            return Ok(change.value.clone());
        }
    }
    base.map_or(Ok(None), |table| table.get(full))
}

/// Reads the entries with `prefix` from the key `from` on through `layers`, the topmost first.
pub(super) fn scan_from<'l>(
    base: Base<'_>,
    layers: impl IntoIterator<Item = &'l Layer, IntoIter: DoubleEndedIterator>,
    view: View,
    (prefix, from): (&[u8], &[u8]),
    limit: usize,
) -> Result<Vec<super::Entry>, ViewError> {
    let (prefix, from) = (full_key(view, prefix)?, full_key(view, from)?);
    let below: Box<dyn Iterator<Item = Laid> + '_> = match base {
        Some(base) => base.entries_under(&prefix, &from),
        None => Box::new(std::iter::empty()),
    };
    let all = layers.into_iter().rev().fold(below, |below, layer| {
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

/// One half's views as its fold sees them: `base`, what was decided before, and over them the layer that it writes.
pub(super) struct FoldView<'l> {
    half: Half,
    seq: u64,
    base: Base<'l>,
    /// The topmost first.
    under: &'l [&'l Layer],
    top: &'l mut Layer,
    /// What is to be taken back if the transaction is refused; `None` where none can be.
    replaced: Option<&'l mut Replaced>,
    fault: Option<FoldError>,
}

impl<'l> FoldView<'l> {
    pub(super) fn new(
        half: Half,
        meta: &Meta,
        base: Base<'l>,
        under: &'l [&'l Layer],
        top: &'l mut Layer,
    ) -> Self {
        Self { half, seq: meta.seq, base, under, top, replaced: None, fault: None }
    }

    /// With a place for what [`Layer::take_back`] needs.
    pub(super) fn noting(self, replaced: &'l mut Replaced) -> Self {
        Self { replaced: Some(replaced), ..self }
    }

    /// The first write that broke a rule.
    pub(super) fn done(self) -> Result<(), FoldError> {
        self.fault.map_or(Ok(()), Err)
    }

    fn layers(&self) -> impl DoubleEndedIterator<Item = &Layer> {
        std::iter::once(&*self.top).chain(self.under.iter().copied())
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
        match self.top.get_mut(self.half).entry(full_key(view, key)?) {
            Entry::Vacant(none) => drop(none.insert(change)),
            Entry::Occupied(mut kept) => {
                let before = kept.insert(change);
                if let Some(replaced) = self.replaced.as_mut().filter(|_| before.seq != self.seq) {
                    replaced.get_mut(self.half).push((kept.key().clone(), before));
                }
            }
        }
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
        get(self.base, self.layers(), view, key)
    }

    fn scan_from(
        &self,
        view: View,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<super::Entry>, ViewError> {
        self.own(view)?;
        scan_from(self.base, self.layers(), view, (prefix, from), limit)
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
