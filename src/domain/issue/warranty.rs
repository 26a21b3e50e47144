//! Warranty: from when to when, on which basis. Computed from the line of the sale, never typed.
//!
//! The legal periods are those of consumers in the European Union (Directive (EU) 2019/771, article 10): two years from delivery,
//! or longer by the country's own law. The day of the sale stands for delivery.

use crate::domain::time::Day;
use serde::{Deserialize, Serialize};

/// The longest warranty, in months.
pub const WARRANTY_MONTHS_MAX: u32 = 360;

/// Months of the directive.
pub const LEGAL_MONTHS: u32 = 24;

/// Member states, and those of them whose own law gives longer than [`LEGAL_MONTHS`], with the months.
const MEMBERS: &str = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK";
const LONGER: [(&str, u32); 3] = [("ES", 36), ("PT", 36), ("SE", 36)];

/// What a warranty rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Basis {
    /// The law.
    Legal,
    /// The maker's or the shop's own promise.
    Commercial,
    /// Bought besides.
    Extended,
}

/// A warranty of one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warranty {
    /// What it rests on.
    pub basis: Basis,
    /// The first day.
    pub start: Day,
    /// The last day.
    pub end: Day,
}

impl Warranty {
    /// So many months from the day of the sale; `None` beyond the calendar.
    #[must_use]
    pub fn from_sale(basis: Basis, sold_on: Day, months: u32) -> Option<Self> {
        Some(Self { basis, start: sold_on, end: sold_on.after_months(months)? })
    }

    /// Whether it covers `day`.
    #[must_use]
    pub fn covers(&self, day: Day) -> bool {
        (self.start..=self.end).contains(&day)
    }
}

/// The months of the legal warranty in a country (ISO 3166-1, two letters); `None` outside of the European Union.
#[must_use]
pub fn legal_months(country: &str) -> Option<u32> {
    let member = MEMBERS.split_ascii_whitespace().any(|member| member == country);
    let longer = LONGER.iter().find(|(longer, _)| *longer == country).map(|(_, months)| *months);
    member.then(|| longer.unwrap_or(LEGAL_MONTHS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warranty_ends_with_the_day_of_its_number() {
        for (sold, months, end) in [
            ("2026-11-23", 36, "2029-11-23"),
            ("2024-02-29", 24, "2026-02-28"),
            ("2026-01-31", 1, "2026-02-28"),
        ] {
            let warranty = Warranty::from_sale(Basis::Legal, sold.parse().unwrap(), months).unwrap();
            assert_eq!(warranty.end, end.parse().unwrap());
            assert!(warranty.covers(warranty.start) && warranty.covers(warranty.end));
            assert!(!warranty.covers(warranty.end.after_days(1).unwrap()));
        }
        let late: Day = "9999-01-01".parse().unwrap();
        assert_eq!(Warranty::from_sale(Basis::Legal, late, WARRANTY_MONTHS_MAX), None);
    }

    #[test]
    fn the_period_is_the_countrys() {
        for (country, months) in [("ES", Some(36)), ("DE", Some(24)), ("es", None), ("US", None), ("", None)]
        {
            assert_eq!(legal_months(country), months, "{country}");
        }
        assert!(LONGER.iter().all(|(country, _)| MEMBERS.contains(country)));
    }
}
