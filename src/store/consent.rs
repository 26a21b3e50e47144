//! The texts that customers were shown when they were asked for a consent, each once, for ever.
//!
//! The shop's own words, of nobody in particular. Who answered what lies in the vault.

use super::fold::put;
use super::{StoreError, neutral, value};
use crate::domain::consent::{ConsentText, TextHash};
use crate::log::{FoldError, Read, ReadWrite, View};

const TEXTS: View = neutral(22);

/// A text that somebody was shown; `None` if nobody was.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn consent_text(
    views: &(impl Read + ?Sized),
    hash: &TextHash,
) -> Result<Option<ConsentText>, StoreError> {
    value(views, TEXTS, hash.as_str().as_bytes())
}

pub(super) fn keep(views: &mut dyn ReadWrite, hash: &TextHash, text: &ConsentText) -> Result<(), FoldError> {
    put(views, TEXTS, hash.as_str().as_bytes(), text)
}
