//! Goods that come back: what of a sale, and how much of it is left to come.

use super::{Line, Receipt, Tender, TenderKind, Wrong, paid_as};
use crate::domain::id::{CustomerNumber, RegisterName, SaleId};
use crate::domain::money::Currency;
use crate::domain::time::{Day, Timestamp};
use serde::{Deserialize, Serialize};

/// Part of one line, come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackLine {
    /// Which line of the sale's receipt, 1 for the first.
    pub line: u16,
    /// Thousandths of its unit.
    pub quantity: i64,
    /// What is given back for it, in minor units.
    pub amount: i64,
}

/// A return: a fact of its own beside the sale, which stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Return {
    /// Names it.
    pub sale_return: SaleId,
    /// The sale that the goods are of.
    pub of: SaleId,
    /// Whose sale it was when they came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerNumber>,
    /// When.
    pub returned_at: Timestamp,
    /// The register that took them.
    pub register: RegisterName,
    /// The till's number for this receipt.
    pub number: String,
    /// The business day.
    pub day: Day,
    /// The sale's currency.
    pub currency: Currency,
    /// What came back.
    pub lines: Vec<BackLine>,
    /// How the money was given back; in sum the total.
    pub tenders: Vec<Tender>,
    /// The sum of the lines.
    pub total: i64,
}

/// What of one sale has come back so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Returned {
    /// Each line once, summed.
    pub lines: Vec<BackLine>,
    /// What of it was given back as points, in minor units.
    pub as_points: i64,
    /// The sale was voided: it counts as never made.
    pub voided: bool,
}

impl Returned {
    /// What was given back, in minor units.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.lines.iter().fold(0, |sum: i64, line| sum.saturating_add(line.amount))
    }

    /// With more.
    #[must_use]
    pub fn with(mut self, lines: &[BackLine]) -> Self {
        for more in lines {
            match self.lines.iter_mut().find(|kept| kept.line == more.line) {
                Some(kept) => {
                    kept.quantity = kept.quantity.saturating_add(more.quantity);
                    kept.amount = kept.amount.saturating_add(more.amount);
                }
                None => self.lines.push(*more),
            }
        }
        self
    }

    /// With one return more.
    #[must_use]
    pub fn after(self, back: &Return) -> Self {
        let as_points = self.as_points.saturating_add(paid_as(&back.tenders, TenderKind::Points));
        Self { as_points, ..self.with(&back.lines) }
    }

    /// Quantity and amount of a line that have not come back.
    fn left(&self, number: u16, line: &Line) -> (i64, i64) {
        let back = self.lines.iter().find(|back| back.line == number);
        back.map_or((line.quantity, line.amount), |back| {
            (line.quantity.saturating_sub(back.quantity), line.amount.saturating_sub(back.amount))
        })
    }

    /// Everything that has not come back.
    #[must_use]
    pub fn rest(&self, receipt: &Receipt) -> Vec<BackLine> {
        let lines = receipt.lines.iter().zip(1_u16..);
        let left = lines.map(|(line, number)| {
            let (quantity, amount) = self.left(number, line);
            BackLine { line: number, quantity, amount }
        });
        left.filter(|line| line.quantity > 0).collect()
    }

    /// One line as it comes back: `quantity` of line `number`, and what is given back for it.
    ///
    /// Without an `amount` it is the line's in proportion, rounded down; the last of a line brings all that is left of it.
    ///
    /// # Errors
    /// The field that is wrong, and what would be right.
    pub fn take(
        &self,
        receipt: &Receipt,
        number: u16,
        quantity: i64,
        amount: Option<i64>,
    ) -> Result<BackLine, Wrong> {
        let wrong = |field: &str, what: String| (field.to_owned(), what);
        let place = usize::from(number).checked_sub(1);
        let Some(line) = place.and_then(|place| receipt.lines.get(place)) else {
            return Err(wrong("line", format!("the sale has lines 1 to {}", receipt.lines.len())));
        };
        let (quantity_left, amount_left) = self.left(number, line);
        if !(1..=quantity_left).contains(&quantity) {
            return Err(wrong("quantity", format!("{quantity_left} thousandths of this line can come back")));
        }
        let share = i128::from(amount_left).saturating_mul(i128::from(quantity));
        let share = share.checked_div(i128::from(quantity_left)).and_then(|share| i64::try_from(share).ok());
        let amount = amount.or(share).unwrap_or(amount_left);
        if !(0..=amount_left).contains(&amount) {
            return Err(wrong("amount", format!("{amount_left} of this line can be given back")));
        }
        Ok(BackLine { line: number, quantity, amount })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(lines: &[(i64, i64)]) -> Receipt {
        let line = |(quantity, amount): &(i64, i64)| Line {
            quantity: *quantity,
            unit_price: 0,
            amount: *amount,
            ..Line::default()
        };
        Receipt {
            register: RegisterName::new("till-1").unwrap(),
            number: "1".to_owned(),
            day: "2026-11-22".parse().unwrap(),
            currency: "EUR".parse().unwrap(),
            lines: lines.iter().map(line).collect(),
            tenders: Vec::new(),
            total: lines.iter().map(|(_, amount)| amount).sum(),
        }
    }

    #[test]
    fn parts_of_a_line_come_to_the_line_and_no_more() {
        let receipt = receipt(&[(3000, 1000), (1000, 5)]);
        let mut back = Returned::default();
        for amount in [333, 333, 334] {
            let line = back.take(&receipt, 1, 1000, None).unwrap();
            assert_eq!(line.amount, amount);
            back = back.with(&[line]);
        }
        assert_eq!(back.total(), 1000);
        assert_eq!(back.take(&receipt, 1, 1, None).unwrap_err().0, "quantity");
        assert_eq!(back.rest(&receipt), [BackLine { line: 2, quantity: 1000, amount: 5 }]);
    }

    #[test]
    fn what_was_not_sold_does_not_come_back() {
        let receipt = receipt(&[(2000, 1000)]);
        let back = Returned::default();
        let refused = |line, quantity, amount| back.take(&receipt, line, quantity, amount).unwrap_err().0;
        assert_eq!(refused(0, 1000, None), "line");
        assert_eq!(refused(2, 1000, None), "line");
        for quantity in [0, -1000, 2001, i64::MAX, i64::MIN] {
            assert_eq!(refused(1, quantity, None), "quantity");
        }
        assert_eq!(refused(1, 1000, Some(1001)), "amount");
        assert_eq!(refused(1, 1000, Some(-1)), "amount");
        assert_eq!(back.take(&receipt, 1, 1000, Some(0)).unwrap().amount, 0);
    }
}
