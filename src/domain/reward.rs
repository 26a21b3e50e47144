//! Rewards: what points buy, who can have it, and why not.
//!
//! A reward is redeemed by holding its cost; the hold is captured with the sale in which it is given, and what comes back
//! of that sale gives points back. A redemption that lapsed or was released is no more than a hold that ended.

use super::id::{CustomerNumber, HoldId};
use super::money::Money;
use super::points::due_back;
use super::purchase::{Line, Receipt, Returned};
use super::time::{Day, Timestamp};
use serde::{Deserialize, Serialize};

/// The most rewards of a programme.
pub const REWARDS_MAX: usize = 64;

/// The longest name of a reward, in characters.
pub const NAME_CHARS_MAX: usize = 60;

/// What a reward is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Gift {
    /// So much off.
    Amount(Money),
    /// So many percent off, 1 to 100.
    Percent(u8),
    /// An article, by its GTIN or the shop's own number.
    Article(String),
}

/// A reward, as the programme offers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reward {
    /// A word of the shop's own.
    pub id: String,
    /// What registers show.
    pub name: String,
    /// What it is.
    pub gift: Gift,
    /// What it costs, in points, more than 0.
    pub cost: i64,
    /// From which level on: its name and its place, 1 for the lowest.
    pub level: Option<(String, usize)>,
    /// The first day on which it can be had.
    pub from: Option<Day>,
    /// The last.
    pub to: Option<Day>,
    /// With no other reward in one sale.
    pub alone: bool,
    /// How often in one sale.
    pub per_sale: usize,
    /// How often in all.
    pub per_customer: Option<usize>,
}

/// A reward that is set aside or was given, with what it was then: the programme may have changed since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redemption {
    /// The hold of its points; names it.
    pub hold: HoldId,
    /// Whose.
    pub customer: CustomerNumber,
    /// Which reward.
    pub reward: String,
    /// What it is.
    pub gift: Gift,
    /// What it costs.
    pub cost: i64,
    /// Whether it can be had with no other.
    pub alone: bool,
    /// When it was set aside.
    pub at: Timestamp,
}

/// What it depends on whether a customer can have a reward.
#[derive(Debug, Clone, Copy)]
pub struct Hopes<'r> {
    /// What day it is at the shop.
    pub today: Day,
    /// The place of the customer's level, 0 without one.
    pub rank: usize,
    /// Points that can be spent.
    pub available: i64,
    /// How often the customer has had it, given back ones not counted.
    pub had: usize,
    /// What is set aside now: for the sale that is being rung up.
    pub standing: &'r [Redemption],
}

/// Why a customer cannot have a reward now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WhyNot {
    /// Its time has not come.
    #[error("it can be had from {0} on")]
    TooEarly(Day),
    /// Its time is over.
    #[error("it could be had until {0}")]
    Over(Day),
    /// The level is too low.
    #[error("it is for customers from {0} on")]
    Level(String),
    /// Had as often as anybody can.
    #[error("a customer can have it {0} times")]
    Had(usize),
    /// Set aside as often as one sale can have it.
    #[error("one sale can have it {0} times, and so often it is set aside")]
    InSale(usize),
    /// It stands with no other, and another is set aside; or the other way round.
    #[error("it cannot be had together with `{0}`, which is set aside")]
    Together(String),
    /// Too few points.
    #[error("{0} points are lacking")]
    Points(i64),
}

impl WhyNot {
    /// The word on the wire.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::TooEarly(_) => "TOO_EARLY",
            Self::Over(_) => "OVER",
            Self::Level(_) => "LEVEL",
            Self::Had(_) => "HAD",
            Self::InSale(_) => "IN_SALE",
            Self::Together(_) => "TOGETHER",
            Self::Points(_) => "POINTS",
        }
    }
}

impl Reward {
    /// Why this customer cannot have it now; `None`: can. What no points mend is said first.
    #[must_use]
    pub fn why_not(&self, hopes: &Hopes<'_>) -> Option<WhyNot> {
        if let Some(from) = self.from.filter(|from| hopes.today < *from) {
            return Some(WhyNot::TooEarly(from));
        }
        if let Some(to) = self.to.filter(|to| hopes.today > *to) {
            return Some(WhyNot::Over(to));
        }
        if let Some((name, rank)) = &self.level
            && hopes.rank < *rank
        {
            return Some(WhyNot::Level(name.clone()));
        }
        if let Some(most) = self.per_customer.filter(|most| hopes.had >= *most) {
            return Some(WhyNot::Had(most));
        }
        let same = hopes.standing.iter().filter(|other| other.reward == self.id).count();
        if same >= self.per_sale {
            return Some(WhyNot::InSale(self.per_sale));
        }
        let apart = |other: &&Redemption| self.alone || other.alone;
        if let Some(other) = hopes.standing.iter().filter(|other| other.reward != self.id).find(apart) {
            return Some(WhyNot::Together(other.reward.clone()));
        }
        let lacks = self.cost.saturating_sub(hopes.available);
        (lacks > 0).then_some(WhyNot::Points(lacks))
    }
}

impl Redemption {
    /// Whether it can be given with this receipt; if not, what is wrong.
    ///
    /// # Errors
    /// What is missing, for whoever is at the till.
    pub fn fits(&self, receipt: &Receipt) -> Result<(), &'static str> {
        match &self.gift {
            Gift::Amount(money) if money.currency != receipt.currency => {
                Err("this reward is money of another currency than the receipt's")
            }
            Gift::Article(article) if !receipt.lines.iter().any(|line| is(line, article)) => {
                Err("the article of this reward is not on the receipt")
            }
            Gift::Amount(_) | Gift::Percent(_) | Gift::Article(_) => Ok(()),
        }
    }

    /// How many of its points must have been given back when so much of the sale came back: in proportion to the
    /// goods' worth, or to the pieces where it is an article. All with all, and never less than their part.
    #[must_use]
    pub fn due_back(&self, receipt: &Receipt, back: &Returned) -> i64 {
        let Gift::Article(article) = &self.gift else {
            return due_back(self.cost, back.total(), receipt.total);
        };
        let own = receipt.lines.iter().zip(1_u16..).filter(|(line, _)| is(line, article));
        let (mut sold, mut returned) = (0_i64, 0_i64);
        for (line, number) in own {
            let came = back.lines.iter().find(|came| came.line == number).map_or(0, |came| came.quantity);
            sold = sold.saturating_add(line.quantity);
            returned = returned.saturating_add(came);
        }
        due_back(self.cost, returned, sold)
    }
}

fn is(line: &Line, article: &str) -> bool {
    line.gtin.as_deref() == Some(article) || line.sku.as_deref() == Some(article)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::RegisterName;
    use crate::domain::purchase::BackLine;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn reward() -> Reward {
        let day = |text: &str| text.parse().ok();
        Reward {
            id: "coffee".to_owned(),
            name: "A coffee".to_owned(),
            gift: Gift::Article("COFFEE".to_owned()),
            cost: 100,
            level: Some(("Silver".to_owned(), 2)),
            from: day("2026-11-01"),
            to: day("2026-11-30"),
            alone: false,
            per_sale: 1,
            per_customer: Some(2),
        }
    }

    fn standing(reward: &str, alone: bool) -> Redemption {
        let (hold, customer) = (HoldId(Uuid::nil()), CustomerNumber(Uuid::nil()));
        let gift = Gift::Percent(10);
        Redemption { hold, customer, reward: reward.to_owned(), gift, cost: 100, alone, at: Timestamp(0) }
    }

    #[test]
    fn each_rule_says_why_not() {
        let other = [standing("bread", false)];
        let (alone, same) = ([standing("bread", true)], [standing("coffee", false)]);
        let hopes =
            Hopes { today: "2026-11-30".parse().unwrap(), rank: 2, available: 100, had: 1, standing: &other };
        let why = |hopes: Hopes<'_>| reward().why_not(&hopes).map_or("", |why| why.word());
        assert_eq!(why(hopes), "", "exactly the cost, on the last day, with another");
        assert_eq!(why(Hopes { today: "2026-10-31".parse().unwrap(), ..hopes }), "TOO_EARLY");
        assert_eq!(why(Hopes { today: "2026-12-01".parse().unwrap(), ..hopes }), "OVER");
        assert_eq!(why(Hopes { rank: 1, ..hopes }), "LEVEL");
        assert_eq!(why(Hopes { had: 2, ..hopes }), "HAD");
        assert_eq!(why(Hopes { standing: &same, ..hopes }), "IN_SALE");
        assert_eq!(why(Hopes { standing: &alone, ..hopes }), "TOGETHER");
        assert_eq!(why(Hopes { available: 99, ..hopes }), "POINTS");
        let alone = Reward { alone: true, ..reward() };
        assert_eq!(alone.why_not(&hopes), Some(WhyNot::Together("bread".to_owned())));
    }

    fn receipt(lines: &[(&str, i64, i64)]) -> Receipt {
        let line = |(sku, quantity, amount): &(&str, i64, i64)| Line {
            sku: Some((*sku).to_owned()),
            quantity: *quantity,
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
            total: lines.iter().map(|(_, _, amount)| amount).sum(),
        }
    }

    #[test]
    fn an_article_comes_back_by_its_pieces_and_not_by_what_else_was_bought() {
        let coffee = Redemption { gift: Gift::Article("COFFEE".to_owned()), ..standing("coffee", false) };
        let receipt = receipt(&[("CAKE", 1000, 500), ("COFFEE", 1000, 0)]);
        let back = |line| Returned::default().with(&[BackLine { line, quantity: 1000, amount: 0 }]);
        assert_eq!([coffee.due_back(&receipt, &back(1)), coffee.due_back(&receipt, &back(2))], [0, 100]);
        assert_eq!(coffee.fits(&receipt), Ok(()));
        assert!(Redemption { gift: Gift::Article("TEA".to_owned()), ..coffee }.fits(&receipt).is_err());
    }

    proptest! {
        /// Whatever comes back in whatever parts: points given back only grow, are never more than the cost, and with
        /// all goods all of them are back.
        #[test]
        fn all_comes_back_with_all(
            amounts in proptest::collection::vec(1_i64..100_000, 1..6),
            parts in proptest::collection::vec((0_usize..6, 1_i64..1000), 0..12),
            cost in 1_i64..1_000_000,
        ) {
            let lines: Vec<_> = amounts.iter().map(|amount| ("A", 1000, *amount)).collect();
            let receipt = receipt(&lines);
            let given = Redemption { cost, ..standing("x", false) };
            let (mut back, mut before) = (Returned::default(), 0);
            for (place, quantity) in parts {
                // Some name a line that is not there: nothing comes back then.
                let number = u16::try_from(place).unwrap().saturating_add(1);
                if let Ok(line) = back.take(&receipt, number, quantity, None) {
                    back = back.with(&[line]);
                }
                let due = given.due_back(&receipt, &back);
                prop_assert!((before..=cost).contains(&due));
                before = due;
            }
            let rest = back.rest(&receipt);
            prop_assert_eq!(given.due_back(&receipt, &back.with(&rest)), cost);
        }
    }
}
