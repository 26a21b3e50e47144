//! Parked sales as the views lead to them: a place in the journal, and what became of it.

use super::fold::{known, put};
use super::{StoreError, value};
use crate::domain::event::StoreEvent;
use crate::domain::id::SaleId;
use crate::domain::purchase::{Parked, ParkedState};
use crate::domain::time::Timestamp;
use crate::log::{FoldError, Read, ReadWrite, Recall, View};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `p` and id → what became of it; `o`, when it lapses, and id: those that are open.
const PARKED: View = super::neutral(29);

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Kept {
    state: ParkedState,
    until: Timestamp,
}

/// A parked sale, and what became of it.
///
/// # Errors
/// [`StoreError`] when view or journal cannot be read.
pub fn parked(
    views: &(impl Recall + ?Sized),
    parked: SaleId,
) -> Result<Option<(Parked, ParkedState)>, StoreError> {
    let Some(Kept { state, .. }) = value(views, PARKED, &id_key(parked))? else { return Ok(None) };
    for event in views.events(parked.seq())?.unwrap_or_default() {
        if let Ok(StoreEvent::SaleParked(kept)) = serde_json::from_slice(&event)
            && kept.parked == parked
        {
            return Ok(Some((*kept, state)));
        }
    }
    Ok(None)
}

/// The parked sales that were neither taken up nor have lapsed, those that lapse first before others, at most `limit`; with `by`
/// only those that lapse until then.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn parked_open(
    views: &(impl Read + ?Sized),
    by: Option<Timestamp>,
    limit: usize,
) -> Result<Vec<SaleId>, StoreError> {
    let mut open = Vec::new();
    for (key, _) in views.scan(PARKED, b"o", limit)? {
        let until = key.get(1..9).and_then(|until| until.try_into().ok()).map_or(0, i64::from_be_bytes);
        if by.is_some_and(|by| until > by.0) {
            break;
        }
        open.extend(key.get(9..).and_then(|id| Uuid::from_slice(id).ok()).map(SaleId));
    }
    Ok(open)
}

pub(super) fn park(views: &mut dyn ReadWrite, parked: &Parked) -> Result<(), FoldError> {
    let kept = Kept { state: ParkedState::Open, until: parked.until };
    put(views, PARKED, &open_key(kept.until, parked.parked), &())?;
    put(views, PARKED, &id_key(parked.parked), &kept)
}

pub(super) fn end(views: &mut dyn ReadWrite, parked: SaleId, state: ParkedState) -> Result<(), FoldError> {
    let what = "a parked sale ends that never began";
    let kept: Kept = known(views, PARKED, &id_key(parked), what)?;
    views.remove(PARKED, &open_key(kept.until, parked));
    put(views, PARKED, &id_key(parked), &Kept { state, ..kept })
}

fn id_key(parked: SaleId) -> Vec<u8> {
    let mut key = b"p".to_vec();
    key.extend(parked.0.as_bytes());
    key
}

fn open_key(until: Timestamp, parked: SaleId) -> Vec<u8> {
    let mut key = b"o".to_vec();
    key.extend(until.0.to_be_bytes());
    key.extend(parked.0.as_bytes());
    key
}
