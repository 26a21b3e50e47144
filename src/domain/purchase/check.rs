//! Whether a receipt holds together.

use super::{
    LINES_MAX, Line, QUANTITY_MAX, Receipt, TAX_BP_MAX, TENDERS_MAX, Tender, TenderKind, Unit, WORD_CHARS_MAX,
};
use crate::domain::issue::PRODUCT_CHARS_MAX;
use crate::domain::money::MINOR_MAX;
use crate::domain::points::POINTS_MAX;

/// Thousandths in one unit.
const ONE: i128 = 1000;

/// What is wrong with a receipt: the field as a dotted path, and what would be right.
pub type Wrong = (String, String);

/// Whether a receipt may be kept. Whether texts look like payment cards, and check digits, are not looked at.
///
/// # Errors
/// The first field that is wrong.
pub fn check(receipt: &Receipt) -> Result<(), Wrong> {
    check_word("number", &receipt.number)?;
    if receipt.tenders.len() > TENDERS_MAX {
        return Err(wrong("tenders", format!("must be at most {TENDERS_MAX}")));
    }
    check_lines(&receipt.lines, receipt.total)?;
    for (tender, at) in receipt.tenders.iter().zip(0_usize..) {
        money(&format!("tenders[{at}].amount"), tender.amount)?;
        check_points(tender).map_err(|(field, what)| wrong(format!("tenders[{at}].{field}"), what))?;
    }
    let mut with_points = receipt.tenders.iter().zip(0_usize..).filter(|(tender, _)| tender.points.is_some());
    if let Some((_, at)) = with_points.nth(1) {
        let message = "one tender of a receipt is of points".to_owned();
        return Err(wrong(format!("tenders[{at}].kind"), message));
    }
    if check_sum(receipt.tenders.iter().map(|tender| tender.amount)) != Some(receipt.total) {
        return Err(wrong("tenders", "must be the total in sum, change taken off".to_owned()));
    }
    Ok(())
}

/// A tender of points says how many, any other says none.
fn check_points(tender: &Tender) -> Result<(), Wrong> {
    if tender.kind == TenderKind::Points {
        if tender.amount == 0 {
            return Err(wrong("amount", "must be more than 0: points are spent for it".to_owned()));
        }
        if tender.points.is_none_or(|points| !(1..=POINTS_MAX).contains(&points)) {
            let message = format!("must be 1 to {POINTS_MAX}: how many points are spent for the amount");
            return Err(wrong("points", message));
        }
        return Ok(());
    }
    for (field, given) in [("points", tender.points.is_some()), ("hold", tender.hold.is_some())] {
        if given {
            return Err(wrong(field, "belongs to a tender POINTS".to_owned()));
        }
    }
    Ok(())
}

/// Whether lines and their total hold together.
///
/// # Errors
/// The first field that is wrong.
pub fn check_lines(lines: &[Line], total: i64) -> Result<(), Wrong> {
    if lines.is_empty() || lines.len() > LINES_MAX {
        return Err(wrong("lines", format!("must be 1 to {LINES_MAX} lines")));
    }
    for (line, at) in lines.iter().zip(0_usize..) {
        check_line(line).map_err(|(field, what)| wrong(format!("lines[{at}].{field}"), what))?;
    }
    if check_sum(lines.iter().map(|line| line.amount)) != Some(total) {
        return Err(wrong("total", "must be the sum of the lines' amounts, at most 2^53-1".to_owned()));
    }
    Ok(())
}

fn check_line(line: &Line) -> Result<(), Wrong> {
    for (field, text) in [("sku", &line.sku), ("category", &line.category)] {
        text.as_ref().map_or(Ok(()), |text| check_word(field, text))?;
    }
    for (field, text) in [("model", &line.model), ("serial", &line.serial)] {
        let fits = |text: &String| {
            (1..=PRODUCT_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
        };
        if !text.as_ref().is_none_or(fits) {
            return Err(wrong(
                field,
                format!("must be 1 to {PRODUCT_CHARS_MAX} characters without control characters"),
            ));
        }
    }
    if !(1..=QUANTITY_MAX).contains(&line.quantity) {
        let message = format!("must be 1 to {QUANTITY_MAX} thousandths; goods that come back are a return");
        return Err(wrong("quantity", message));
    }
    if line.serial.is_some() && (line.quantity, line.unit) != (1000, Unit::C62) {
        return Err(wrong("serial", "belongs to one piece: a line of quantity 1000".to_owned()));
    }
    for (field, amount) in
        [("unit_price", line.unit_price), ("discount", line.discount), ("amount", line.amount)]
    {
        money(field, amount)?;
    }
    if !(0..=line.amount).contains(&line.tax) {
        return Err(wrong("tax", "is the tax within the amount: 0 to the amount".to_owned()));
    }
    if line.tax_bp > TAX_BP_MAX {
        return Err(wrong("tax_bp", format!("must be at most {TAX_BP_MAX}, hundredths of a percent")));
    }
    amount_fits(line)
}

/// Scales and tills round a weighed article's price in their own ways: one minor unit off is right too.
fn amount_fits(line: &Line) -> Result<(), Wrong> {
    let exact = i128::from(line.quantity).saturating_mul(i128::from(line.unit_price));
    let before = i128::from(line.amount).saturating_add(i128::from(line.discount));
    let off = exact.saturating_sub(before.saturating_mul(ONE)).abs();
    let whole = line.quantity.checked_rem(1000) == Some(0);
    if if whole { off == 0 } else { off <= ONE } {
        return Ok(());
    }
    Err(wrong("amount", "must be quantity times unit price, less the discount".to_owned()))
}

fn money(field: &str, amount: i64) -> Result<(), Wrong> {
    if (0..=MINOR_MAX).contains(&amount) {
        return Ok(());
    }
    Err(wrong(field, "must be 0 to 2^53-1 minor units; goods that come back are a return".to_owned()))
}

/// Whether `text` is a word: 1 to [`WORD_CHARS_MAX`] printable ASCII characters without a space.
///
/// # Errors
/// `field`, and what would be right.
pub fn check_word(field: &str, text: &str) -> Result<(), Wrong> {
    if (1..=WORD_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(wrong(field, format!("must be 1 to {WORD_CHARS_MAX} printable ASCII characters without a space")))
}

/// The sum, if it is an amount that may be kept.
#[must_use]
pub fn check_sum(amounts: impl IntoIterator<Item = i64>) -> Option<i64> {
    let sum = amounts.into_iter().try_fold(0_i64, i64::checked_add)?;
    (0..=MINOR_MAX).contains(&sum).then_some(sum)
}

fn wrong(field: impl Into<String>, what: String) -> Wrong {
    (field.into(), what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{RegisterName, SaleId};
    use crate::domain::purchase::{Bought, CURRENCIES_MAX};
    use crate::domain::time::Timestamp;

    fn receipt() -> Receipt {
        let line =
            Line { quantity: 2000, unit_price: 250, amount: 500, tax: 87, tax_bp: 2100, ..Line::default() };
        let weighed =
            Line { quantity: 333, unit: Unit::Kgm, unit_price: 999, amount: 333, ..Line::default() };
        Receipt {
            register: RegisterName::new("till-1").unwrap(),
            number: "A-1".to_owned(),
            day: "2026-11-22".parse().unwrap(),
            currency: "EUR".parse().unwrap(),
            lines: vec![line, weighed],
            tenders: vec![Tender::new(TenderKind::Cash, 833)],
            total: 833,
        }
    }

    fn points(amount: i64, points: i64) -> Tender {
        Tender { points: Some(points), ..Tender::new(TenderKind::Points, amount) }
    }

    #[test]
    fn what_does_not_hold_together_is_named_by_its_field() {
        assert_eq!(check(&receipt()), Ok(()));
        type Spoil = fn(&mut Receipt);
        let cases: [(&str, Spoil); 22] = [
            ("number", |r| r.number.clear()),
            ("number", |r| r.number = "A 1".to_owned()),
            ("lines", |r| r.lines.clear()),
            ("lines", |r| r.lines = vec![Line::default(); LINES_MAX + 1]),
            ("tenders", |r| r.tenders = vec![r.tenders[0]; TENDERS_MAX + 1]),
            ("tenders", |r| r.tenders[0].amount = 834),
            ("tenders[0].amount", |r| r.tenders[0].amount = -833),
            ("tenders[0].points", |r| r.tenders[0].points = Some(1)),
            ("tenders[0].points", |r| r.tenders[0].kind = TenderKind::Points),
            ("tenders[0].points", |r| r.tenders = vec![points(833, 0)]),
            ("tenders[1].kind", |r| r.tenders = vec![points(800, 8), points(33, 1)]),
            ("total", |r| r.total = 834),
            ("lines[0].quantity", |r| r.lines[0].quantity = -1000),
            ("lines[0].quantity", |r| r.lines[0].quantity = 0),
            ("lines[1].quantity", |r| r.lines[1].quantity = i64::MAX),
            ("lines[0].unit_price", |r| r.lines[0].unit_price = -1),
            ("lines[0].amount", |r| r.lines[0].amount = 499),
            ("lines[0].discount", |r| r.lines[0].discount = i64::MIN),
            ("lines[0].tax", |r| r.lines[0].tax = 501),
            ("lines[0].tax_bp", |r| r.lines[0].tax_bp = TAX_BP_MAX + 1),
            ("lines[1].serial", |r| r.lines[1].serial = Some("S1".to_owned())),
            ("lines[1].model", |r| r.lines[1].model = Some("a\u{7}".to_owned())),
        ];
        for (field, spoil) in cases {
            let mut bad = receipt();
            spoil(&mut bad);
            assert_eq!(check(&bad).unwrap_err().0, field);
        }
        let mut rounded = receipt();
        (rounded.lines[1].amount, rounded.total, rounded.tenders[0].amount) = (332, 832, 832);
        assert_eq!(check(&rounded), Ok(()));
    }

    #[test]
    fn sums_that_overflow_are_refused_not_wrapped() {
        let mut large = receipt();
        large.lines =
            vec![Line { quantity: 1000, unit_price: MINOR_MAX, amount: MINOR_MAX, ..Line::default() }; 2];
        large.total = MINOR_MAX;
        assert_eq!(check(&large).unwrap_err().0, "total");
        let (sale, at, eur) = (SaleId::new(1, [0; 16]), Timestamp(1), "EUR".parse().unwrap());
        let full = Bought::default().with(sale, at, eur, MINOR_MAX).unwrap();
        assert_eq!(full.with(sale, at, eur, 1), None);
        assert_eq!(full.with(sale, at, eur, 0).unwrap().sales, 2);
        let mut many = Bought::default();
        let codes = ["EUR", "USD", "GBP", "JPY", "CHF", "SEK", "NOK", "DKK", "PLN"];
        for code in &codes[..CURRENCIES_MAX] {
            many = many.with(sale, at, code.parse().unwrap(), 1).unwrap();
        }
        assert_eq!(many.with(sale, at, codes[CURRENCIES_MAX].parse().unwrap(), 1), None);
    }
}
