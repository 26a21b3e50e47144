//! Keeps payment card numbers out of the names and numbers of articles and receipts, each judged by its own type.
//!
//! A GTIN has a check digit of its own and a serial number is what the maker made it (an IMEI always passes the Luhn check), so
//! neither is looked at here. What a person may have typed in words is a free text. What a till counts up by itself is a
//! number of the shop's own: it is judged whole, as undeclared digits are, so that a letter in it tells it from a card.

use crate::decode::payment::{Exempt, finds_card_number, in_undeclared};
use crate::domain::purchase::{Wrong, check_word};
use crate::domain::refusal::Refusal;

/// A text in which somebody may have written a card number, such as a model.
///
/// # Errors
/// `field`, and what would be right.
pub(super) fn free_text(field: &str, text: Option<&str>) -> Result<(), Wrong> {
    if text.is_some_and(finds_card_number) {
        let message = "holds what looks like a payment card number; those are never kept";
        return Err((field.to_owned(), message.to_owned()));
    }
    Ok(())
}

/// A number of the shop's own, such as an article's.
///
/// # Errors
/// `field`, and what would be right.
pub(super) fn own_number(field: &str, number: Option<&str>) -> Result<(), Wrong> {
    if number.is_some_and(|number| in_undeclared(number.as_bytes(), &Exempt::default())) {
        let message = "looks like a payment card number, and those are never kept; a number of the shop's own has a letter in it then";
        return Err((field.to_owned(), message.to_owned()));
    }
    Ok(())
}

/// The number of a receipt, which the till counts up.
pub(super) fn receipt_number(number: &str) -> Result<(), Refusal> {
    let checked = check_word("number", number).and_then(|()| own_number("number", Some(number)));
    checked.map_err(|(field, message)| Refusal::field(format!("receipt.{field}"), message))
}
