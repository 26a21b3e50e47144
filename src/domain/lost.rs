//! Sales that did not come about: what was wanted, and why it was not bought.
//!
//! Words of lists, article numbers and amounts, never free text: so it lies in the neutral half beside the sales.

use super::id::{CustomerNumber, LostId, RegisterName, SaleId};
use super::issue::PRODUCT_CHARS_MAX;
use super::purchase::{QUANTITY_MAX, Turnover, Wrong, check_sum, check_word};
use super::time::{Day, Timestamp};
use serde::{Deserialize, Serialize};

/// The most articles of one.
pub const ITEMS_MAX: usize = 50;

/// How a sale was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LostKind {
    /// Goods were left at the till or in a basket.
    AbandonedCart,
    /// A parked sale was not taken up again in time.
    ParkedLapsed,
    /// Somebody asked for what was not there.
    AskedOutOfStock,
    /// An offer was not taken.
    QuoteLost,
    /// Somebody left the queue.
    WalkedQueue,
    /// All that was bought came back.
    ReturnedAll,
    /// Wanted, some other time.
    Wishlist,
}

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LostReason {
    /// Too dear.
    Price,
    /// Not in this size.
    Size,
    /// Not there.
    NotInStock,
    /// It took too long.
    Queue,
    /// Not what was looked for.
    Choice,
    /// Not good enough.
    Quality,
    /// It would have come too late.
    Delivery,
    /// It could not be paid in the way that was wanted.
    Payment,
    /// Known, and none of these.
    Other,
    /// Nobody asked.
    #[default]
    Unknown,
}

/// An article that was wanted, named in at least one way.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LostItem {
    /// GTIN of 8, 12, 13 or 14 digits.
    pub gtin: Option<String>,
    /// The shop's own article number.
    pub sku: Option<String>,
    /// The maker's model.
    pub model: Option<String>,
    /// A word of the shop's own list of categories.
    pub category: Option<String>,
    /// Thousandths of its unit, if that is known.
    pub quantity: Option<i64>,
}

/// A sale that did not come about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Names it.
    pub lost: LostId,
    /// Who wanted it, if that is known.
    pub customer: Option<CustomerNumber>,
    /// How it was lost.
    pub kind: LostKind,
    /// Why.
    pub reason: LostReason,
    /// At which register.
    pub register: RegisterName,
    /// On which business day.
    pub day: Day,
    /// When it was told.
    pub lost_at: Timestamp,
    /// What was wanted, at most [`ITEMS_MAX`].
    pub items: Vec<LostItem>,
    /// What it would have come to.
    pub estimated: Option<Turnover>,
    /// The parked sale that lapsed.
    pub parked: Option<SaleId>,
    /// The sale by which it came about after all.
    pub recovered_by: Option<SaleId>,
}

/// Whether what was wanted and what it would have come to may be kept. Check digits, and whether texts look like payment cards, are
/// not looked at.
///
/// # Errors
/// The first field that is wrong.
pub fn check(items: &[LostItem], estimated: Option<&Turnover>) -> Result<(), Wrong> {
    if items.len() > ITEMS_MAX {
        return Err(("items".to_owned(), format!("must be at most {ITEMS_MAX}")));
    }
    for (item, at) in items.iter().zip(0_usize..) {
        check_item(item).map_err(|(field, what)| (format!("items[{at}]{field}"), what))?;
    }
    if estimated.is_some_and(|estimated| check_sum([estimated.minor]).is_none()) {
        return Err(("estimated.minor".to_owned(), "must be 0 to 2^53-1 minor units".to_owned()));
    }
    Ok(())
}

fn check_item(item: &LostItem) -> Result<(), Wrong> {
    let LostItem { gtin, sku, model, category, quantity } = item;
    if [gtin, sku, model, category].iter().all(|name| name.is_none()) {
        return Err((String::new(), "must name its gtin, sku, model or category".to_owned()));
    }
    for (field, word) in [(".sku", sku), (".category", category)] {
        word.as_ref().map_or(Ok(()), |word| check_word(field, word))?;
    }
    let fits = |text: &String| {
        (1..=PRODUCT_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
    };
    if !model.as_ref().is_none_or(fits) {
        let what = format!("must be 1 to {PRODUCT_CHARS_MAX} characters without control characters");
        return Err((".model".to_owned(), what));
    }
    if quantity.is_some_and(|quantity| !(1..=QUANTITY_MAX).contains(&quantity)) {
        return Err((".quantity".to_owned(), format!("must be 1 to {QUANTITY_MAX} thousandths")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::MINOR_MAX;

    #[test]
    fn what_cannot_be_wanted_is_named() {
        let item = || LostItem { sku: Some("TIN".to_owned()), ..LostItem::default() };
        let euros = |minor| Turnover { currency: "EUR".parse().unwrap(), minor };
        assert_eq!(check(&[item()], Some(&euros(MINOR_MAX))), Ok(()));
        assert_eq!(check(&[], None), Ok(()));
        for (field, items) in [
            ("items[1]", vec![item(), LostItem::default()]),
            ("items[0].sku", vec![LostItem { sku: Some("a tin".to_owned()), ..item() }]),
            ("items[0].category", vec![LostItem { category: Some(String::new()), ..item() }]),
            ("items[0].model", vec![LostItem { model: Some("a\u{7}".to_owned()), ..item() }]),
            ("items[0].quantity", vec![LostItem { quantity: Some(0), ..item() }]),
            ("items[0].quantity", vec![LostItem { quantity: Some(-1000), ..item() }]),
            ("items", vec![item(); ITEMS_MAX + 1]),
        ] {
            assert_eq!(check(&items, None).unwrap_err().0, field);
        }
        for minor in [-1, MINOR_MAX + 1, i64::MIN, i64::MAX] {
            assert_eq!(check(&[], Some(&euros(minor))).unwrap_err().0, "estimated.minor");
        }
    }
}
