//! Sales on account: what is owed, until when, what was paid of it, and whether the terms were kept.
//!
//! Integers in the sale's one currency. What is open is what was put on account less what was paid and what came back; it
//! is never less than nothing, for no more than is open is ever taken.

use super::id::{CustomerNumber, SaleId};
use super::money::Currency;
use super::purchase::TenderKind;
use super::time::Day;
use serde::{Deserialize, Serialize};

/// The longest terms, in days: two years.
pub const TERMS_DAYS_MAX: u32 = 730;

/// The most payments for one sale.
pub const PAYMENTS_MAX: usize = 64;

/// A payment for a sale on account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// How it was paid.
    pub kind: TenderKind,
    /// How much, more than 0.
    pub amount: i64,
    /// On which day; a bank's may be earlier than when it was noted.
    pub on: Day,
}

/// What one sale put on account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// The sale.
    pub sale: SaleId,
    /// Whose.
    pub customer: CustomerNumber,
    /// The sale's currency.
    pub currency: Currency,
    /// How much was put on account.
    pub amount: i64,
    /// The last day on which it is paid in time.
    pub due: Day,
    /// What was taken off it for goods that came back.
    pub back: i64,
    /// What was paid, in the order in which it was noted.
    pub payments: Vec<Payment>,
}

/// How a credit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Not yet due.
    Open,
    /// Past due, and not all is paid.
    Overdue,
    /// Paid whole, in time.
    Kept,
    /// Paid whole, too late.
    Late,
    /// Everything came back: there was nothing to pay.
    Settled,
}

impl Standing {
    /// The word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Overdue => "OVERDUE",
            Self::Kept => "KEPT",
            Self::Late => "LATE",
            Self::Settled => "SETTLED",
        }
    }
}

impl Credit {
    /// What was paid so far.
    #[must_use]
    pub fn paid(&self) -> i64 {
        self.payments.iter().fold(0, |sum: i64, payment| sum.saturating_add(payment.amount))
    }

    /// What is still to be paid.
    #[must_use]
    pub fn open(&self) -> i64 {
        self.amount.saturating_sub(self.back).saturating_sub(self.paid()).max(0)
    }

    /// How it stands on a day.
    #[must_use]
    pub fn standing(&self, today: Day) -> Standing {
        if self.open() > 0 {
            return if today > self.due { Standing::Overdue } else { Standing::Open };
        }
        match self.payments.iter().map(|payment| payment.on).max() {
            None => Standing::Settled,
            Some(last) if last > self.due => Standing::Late,
            Some(_) => Standing::Kept,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn credit(amount: i64) -> Credit {
        let (sale, customer) = (SaleId::new(1, [0; 16]), CustomerNumber(Uuid::nil()));
        let (currency, due) = ("EUR".parse().unwrap(), day("2026-12-22"));
        Credit { sale, customer, currency, amount, due, back: 0, payments: Vec::new() }
    }

    fn paid(amount: i64, on: &str) -> Payment {
        Payment { kind: TenderKind::Transfer, amount, on: day(on) }
    }

    #[test]
    fn terms_are_kept_until_the_last_day_and_no_longer() {
        let mut credit = credit(1000);
        assert_eq!(credit.standing(day("2026-12-22")), Standing::Open);
        assert_eq!(credit.standing(day("2026-12-23")), Standing::Overdue);
        credit.payments.push(paid(999, "2026-12-01"));
        assert_eq!((credit.open(), credit.standing(day("2026-12-23"))), (1, Standing::Overdue));
        let on_time =
            Credit { payments: vec![paid(999, "2026-12-01"), paid(1, "2026-12-22")], ..credit.clone() };
        assert_eq!(on_time.standing(day("2027-01-01")), Standing::Kept);
        credit.payments.push(paid(1, "2026-12-23"));
        assert_eq!(credit.standing(day("2027-01-01")), Standing::Late);
    }

    #[test]
    fn what_came_back_whole_was_neither_kept_nor_broken() {
        let back = Credit { back: 1000, ..credit(1000) };
        assert_eq!((back.open(), back.standing(day("2027-01-01"))), (0, Standing::Settled));
        let rest = Credit { back: 400, payments: vec![paid(600, "2026-12-20")], ..credit(1000) };
        assert_eq!(rest.standing(day("2027-01-01")), Standing::Kept);
    }

    proptest! {
        /// Whatever is paid in whatever parts: amount is what was paid, what came back and what is open, and nothing
        /// is open exactly when it is neither open nor overdue.
        #[test]
        fn the_books_of_a_credit_add_up(
            amount in 1_i64..1_000_000,
            parts in proptest::collection::vec((any::<bool>(), 1_i64..400_000), 0..10),
        ) {
            let mut credit = credit(amount);
            for (is_payment, part) in parts {
                let part = part.min(credit.open());
                match is_payment {
                    true if part > 0 => credit.payments.push(paid(part, "2026-12-22")),
                    true => {}
                    false => credit.back = credit.back.saturating_add(part),
                }
                prop_assert_eq!([credit.open(), credit.back, credit.paid()].into_iter().sum::<i64>(), amount);
                for today in ["2026-12-22", "2026-12-23"] {
                    let waits = matches!(credit.standing(day(today)), Standing::Open | Standing::Overdue);
                    prop_assert_eq!(waits, credit.open() > 0);
                }
            }
        }
    }
}
