//! Who may sign on at the tills. Codes of the shop's own, of nobody by name; nothing of a customer.

use super::fold::put;
use super::{StoreError, neutral, value};
use crate::domain::operator::{Operator, OperatorKept};
use crate::log::{FoldError, Read, ReadWrite, View};

/// The operator's code → what is kept of it.
const OPERATORS: View = neutral(23);

/// An operator, active or not.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn operator(
    views: &(impl Read + ?Sized),
    operator: &Operator,
) -> Result<Option<OperatorKept>, StoreError> {
    value(views, OPERATORS, operator.as_str().as_bytes())
}

/// All operators in the order of their codes, at most `limit`.
///
/// # Errors
/// [`StoreError`] when the view cannot be read.
pub fn operators(views: &(impl Read + ?Sized), limit: usize) -> Result<Vec<OperatorKept>, StoreError> {
    let found = views.scan(OPERATORS, &[], limit)?.into_iter();
    found.map(|(_, kept)| postcard::from_bytes(&kept).map_err(StoreError::Layout)).collect()
}

pub(super) fn keep(views: &mut dyn ReadWrite, kept: &OperatorKept) -> Result<(), FoldError> {
    put(views, OPERATORS, kept.operator.as_str().as_bytes(), kept)
}
