//! What a sale earns, by the rules of the programme.

use super::POINTS_MAX;
use crate::domain::money::Currency;
use crate::domain::purchase::{Receipt, TenderKind, paid_as};

/// `points` for each whole `per` spent, in all or in one category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarnRule {
    /// The currency of `per`; receipts in another earn nothing by this rule.
    pub currency: Currency,
    /// Points for each `per`.
    pub points: i64,
    /// Minor units, more than 0.
    pub per: i64,
    /// The category of the lines; `None`: every line.
    pub category: Option<String>,
}

/// What `receipt` earns: each line by the first rule that is for it. What was paid with points earns none, in proportion.
#[must_use]
pub fn earned(rules: &[EarnRule], receipt: &Receipt) -> i64 {
    let mut spent = vec![0_i128; rules.len()];
    for line in &receipt.lines {
        let is_for = |rule: &EarnRule| {
            rule.currency == receipt.currency && (rule.category.is_none() || rule.category == line.category)
        };
        let place = rules.iter().position(is_for);
        if let Some(spent) = place.and_then(|place| spent.get_mut(place)) {
            *spent = spent.saturating_add(i128::from(line.amount));
        }
    }
    let with_points = i128::from(paid_as(&receipt.tenders, TenderKind::Points));
    let total = i128::from(receipt.total);
    let money = total.saturating_sub(with_points).max(0);
    let earned = rules.iter().zip(spent).fold(0_i128, |sum, (rule, spent)| {
        let paid = spent.saturating_mul(money).checked_div(total).unwrap_or(0);
        let times = paid.checked_div(i128::from(rule.per)).unwrap_or(0);
        sum.saturating_add(times.saturating_mul(i128::from(rule.points)))
    });
    i64::try_from(earned).unwrap_or(POINTS_MAX).min(POINTS_MAX)
}

/// Of the points that a sale earned, those that must have been taken back when goods for `returned` of its `total` came
/// back: what is kept is never more than what the rest is worth, and all comes back with all goods.
#[must_use]
pub fn due_back(earned: i64, returned: i64, total: i64) -> i64 {
    let left = i128::from(total.saturating_sub(returned).max(0));
    let kept = i128::from(earned).saturating_mul(left).checked_div(i128::from(total)).unwrap_or(0);
    earned.saturating_sub(i64::try_from(kept).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::RegisterName;
    use crate::domain::purchase::{Line, Tender};

    fn receipt(lines: &[(&str, i64)], with_points: i64) -> Receipt {
        let line = |(category, amount): &(&str, i64)| Line {
            category: Some((*category).to_owned()),
            quantity: 1000,
            unit_price: *amount,
            amount: *amount,
            ..Line::default()
        };
        let total: i64 = lines.iter().map(|(_, amount)| amount).sum();
        Receipt {
            register: RegisterName::new("till-1").unwrap(),
            number: "1".to_owned(),
            day: "2026-11-22".parse().unwrap(),
            currency: "EUR".parse().unwrap(),
            lines: lines.iter().map(line).collect(),
            tenders: vec![
                Tender::new(TenderKind::Points, with_points),
                Tender::new(TenderKind::Cash, total.saturating_sub(with_points)),
            ],
            total,
        }
    }

    fn rule(points: i64, per: i64, category: Option<&str>) -> EarnRule {
        EarnRule { currency: "EUR".parse().unwrap(), points, per, category: category.map(str::to_owned) }
    }

    #[test]
    fn each_line_earns_by_the_first_rule_that_is_for_it() {
        let rules = [rule(0, 100, Some("tobacco")), rule(5, 100, Some("wine")), rule(1, 100, None)];
        let bought = receipt(&[("bread", 250), ("milk", 160), ("wine", 999), ("tobacco", 5000)], 0);
        assert_eq!(earned(&rules, &bought), 4 + 45, "small lines add up before they are rounded down");
        assert_eq!(earned(&[], &bought), 0);
        let mut yen = bought;
        yen.currency = "JPY".parse().unwrap();
        assert_eq!(earned(&rules, &yen), 0);
    }

    #[test]
    fn what_is_paid_with_points_earns_none() {
        let rules = [rule(1, 100, None)];
        assert_eq!(earned(&rules, &receipt(&[("bread", 1000)], 400)), 6);
        assert_eq!(earned(&rules, &receipt(&[("bread", 1000)], 1000)), 0);
        assert_eq!(earned(&rules, &receipt(&[("gift", 0)], 0)), 0);
    }

    #[test]
    fn everything_comes_back_with_everything() {
        assert_eq!([due_back(10, 0, 999), due_back(10, 1, 999), due_back(10, 999, 999)], [0, 1, 10]);
        assert_eq!([due_back(10, 5, 0), due_back(0, 5, 10), due_back(10, 50, 10)], [10, 0, 10]);
    }
}
