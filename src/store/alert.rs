//! Cards that were shown although they are not honoured, the newest first, for a year.

use super::fold::put;
use super::{StoreError, neutral};
use crate::domain::card::CardAlert;
use crate::domain::time::Timestamp;
use crate::log::{FoldError, Meta, Read, ReadWrite, View};
use serde::{Deserialize, Serialize};

/// The moment, so turned round that the newest comes first, then the transaction: of one moment there are several while the clock is
/// behind the last write.
const ALERTS: View = neutral(33);

/// How long the views have them: what somebody may still ask about a card that was stolen.
pub const ALERTS_KEPT_US: i64 = 366 * 24 * 3600 * 1_000_000;

/// So many that are older are taken out with each one that comes.
const FORGET_MAX: usize = 4;

/// One of them as the views keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardAlertKept {
    /// When.
    pub at: Timestamp,
    /// What.
    pub alert: CardAlert,
}

/// Those before a moment, or all there are, the newest first, at most `limit`.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn card_alerts(
    views: &(impl Read + ?Sized),
    before: Option<Timestamp>,
    limit: usize,
) -> Result<Vec<CardAlertKept>, StoreError> {
    let from = before.map_or(Vec::new(), |before| turned(Timestamp(before.0.saturating_sub(1))).to_vec());
    let found = views.scan_from(ALERTS, &[], &from, limit)?.into_iter();
    found.map(|(_, kept)| postcard::from_bytes(&kept).map_err(StoreError::Layout)).collect()
}

pub(super) fn keep(views: &mut dyn ReadWrite, meta: &Meta, alert: CardAlert) -> Result<(), FoldError> {
    let at = Timestamp(meta.at_us);
    let too_old = turned(Timestamp(at.0.saturating_sub(ALERTS_KEPT_US).saturating_sub(1)));
    for (key, _) in views.scan_from(ALERTS, &[], &too_old, FORGET_MAX)? {
        views.remove(ALERTS, &key);
    }
    let key = [turned(at), (!meta.seq).to_be_bytes()].concat();
    put(views, ALERTS, &key, &CardAlertKept { at, alert })
}

/// Of two moments the later one comes first.
fn turned(at: Timestamp) -> [u8; 8] {
    (!at.0.max(0).unsigned_abs()).to_be_bytes()
}
