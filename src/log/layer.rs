//! What has been decided but is not in sled yet, laid over what is.

use super::table::Table;
use super::{
    Entry, FoldError, Half, Halves, KEY_BYTES_MAX, Meta, Read, ReadWrite, VALUE_BYTES_MAX, VIEW_NUMBER_MAX,
    View, ViewError,
};
use std::collections::BTreeMap;
use std::ops::Bound;

/// One entry's new state and the transaction that gave it. No `Debug`: the value may be personal.
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

/// What layers lie on. Keys have their view's number in front.
pub(super) trait Under {
    /// The value of `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError>;
    /// The entries whose key begins with `prefix`, in key order.
    fn entries<'u>(&'u self, prefix: &[u8]) -> Box<dyn Iterator<Item = Result<Entry, ViewError>> + 'u>;
}

impl Under for Table {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        Self::get(self, key)
    }

    fn entries<'u>(&'u self, prefix: &[u8]) -> Box<dyn Iterator<Item = Result<Entry, ViewError>> + 'u> {
        Box::new(Self::entries(self, prefix))
    }
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

/// Reads the entries with `prefix` through `layers`, the topmost first.
pub(super) fn scan(
    base: Base<'_>,
    layers: &[&Layer],
    view: View,
    prefix: &[u8],
    limit: usize,
) -> Result<Vec<Entry>, ViewError> {
    let from = full_key(view, prefix)?;
    let mut over: BTreeMap<&[u8], Option<&Vec<u8>>> = BTreeMap::new();
    for layer in layers.iter().rev() {
        let range = (Bound::Included(from.as_slice()), Bound::Unbounded);
        let changes =
            layer.get(view.half).range::<[u8], _>(range).take_while(|(key, _)| key.starts_with(&from));
        over.extend(changes.map(|(key, change)| (key.as_slice(), change.value.as_ref())));
    }
    let mut over = over.into_iter().peekable();
    let mut found: Vec<Entry> = Vec::new();
    let take = |found: &mut Vec<Entry>, key: &[u8], value: Option<&Vec<u8>>| {
        let bare = key.get(1..).unwrap_or_default().to_vec();
        found.extend(value.map(|value| (bare, value.clone())));
    };
    for entry in base.iter().flat_map(|table| table.entries(&from)) {
        if found.len() >= limit {
            break;
        }
        let (key, value) = entry?;
        while let Some((over_key, over_value)) = over.next_if(|(over_key, _)| *over_key < key.as_slice()) {
            take(&mut found, over_key, over_value);
        }
        match over.next_if(|(over_key, _)| *over_key == key.as_slice()) {
            Some((_, over_value)) => take(&mut found, &key, over_value),
            None => take(&mut found, &key, Some(&value)),
        }
    }
    over.for_each(|(key, value)| take(&mut found, key, value));
    found.truncate(limit);
    Ok(found)
}

/// One half's views as its fold sees them: `base`, the group's layer, and the transaction's own layer, which it writes.
pub(super) struct FoldView<'l> {
    half: Half,
    seq: u64,
    base: Base<'l>,
    under: &'l Layer,
    top: &'l mut Layer,
    fault: Option<FoldError>,
}

impl<'l> FoldView<'l> {
    pub(super) fn new(half: Half, meta: &Meta, base: Base<'l>, under: &'l Layer, top: &'l mut Layer) -> Self {
        Self { half, seq: meta.seq, base, under, top, fault: None }
    }

    /// The first write that broke a rule.
    pub(super) fn done(self) -> Result<(), FoldError> {
        self.fault.map_or(Ok(()), Err)
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
        get(self.base, &[self.top, self.under], view, key)
    }

    fn scan(&self, view: View, prefix: &[u8], limit: usize) -> Result<Vec<Entry>, ViewError> {
        self.own(view)?;
        scan(self.base, &[self.top, self.under], view, prefix, limit)
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
