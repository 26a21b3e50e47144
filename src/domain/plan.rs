//! What a customer plans to buy, and whether a receipt has it.
//!
//! Pure. A plan names an article or a category of the shop's own list, never a text. That it has lapsed is never written: it is what an
//! open one is called once its last day is over.

use super::id::SaleId;
use super::money::Money;
use super::purchase::Line;
use super::source::Source;
use super::time::{Day, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The most plans that one customer can have open at once.
pub const PLANS_OPEN_MAX: usize = 4;

/// The most plans kept of one customer.
pub const PLANS_MAX: usize = 100;

/// The most days from now to the last one of a plan.
pub const DAYS_MAX: u32 = 731;

/// What became of it, as far as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PlanState {
    /// Nothing yet.
    Open,
    /// It was bought.
    Fulfilled,
    /// The customer does not want it any more.
    Withdrawn,
}

/// What a customer plans to buy: exactly one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// Anything of a category of the shop's own list.
    Category(String),
    /// The article with this GTIN.
    Gtin(String),
}

/// The part of a plan that a receipt is compared with, and that a till is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPlan {
    /// What.
    #[serde(flatten)]
    pub wanted: Wanted,
    /// The first day of the window.
    pub from: Day,
    /// Its last day.
    pub to: Day,
    /// What it may cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Money>,
    /// When it was told: what was bought before is something else.
    pub told_at: Timestamp,
}

/// A plan as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What, when, for how much.
    #[serde(flatten)]
    pub open: OpenPlan,
    /// Where the shop knows it from.
    pub source: Source,
    /// The user id of whoever recorded it.
    pub by: u32,
    /// What became of it.
    pub state: PlanState,
    /// When it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// The sale that fulfilled it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sale: Option<SaleId>,
}

impl Plan {
    /// The word for what it is at `now`.
    #[must_use]
    pub fn word(&self, now: Timestamp) -> &'static str {
        match self.state {
            PlanState::Open if self.open.to.is_over(now) => "LAPSED",
            PlanState::Open => "OPEN",
            PlanState::Fulfilled => "FULFILLED",
            PlanState::Withdrawn => "WITHDRAWN",
        }
    }
}

impl OpenPlan {
    /// Whether a line of a receipt is what was planned.
    fn is(&self, line: &Line) -> bool {
        match &self.wanted {
            Wanted::Category(category) => line.category.as_ref() == Some(category),
            Wanted::Gtin(gtin) => line.gtin.as_ref().is_some_and(|of_line| same_gtin(of_line, gtin)),
        }
    }
}

/// A GTIN of 8, 12 or 13 digits is the one of 14 with zeros before it (GS1 General Specifications, section 3.3).
fn same_gtin(one: &str, other: &str) -> bool {
    one.trim_start_matches('0') == other.trim_start_matches('0')
}

/// Which of a customer's open plans a receipt fulfils: sold on `day` or before it at `sold_at`, with these lines. Each line fulfils one
/// plan at most, one for its article before one for its category, the oldest first.
#[must_use]
pub fn fulfilled(
    plans: &BTreeMap<Uuid, OpenPlan>,
    lines: &[Line],
    day: Day,
    sold_at: Timestamp,
) -> Vec<Uuid> {
    let mut found: Vec<Uuid> = Vec::new();
    for line in lines {
        let fits = |(id, plan): &(&Uuid, &OpenPlan)| {
            plan.is(line) && day <= plan.to && sold_at >= plan.told_at && !found.contains(id)
        };
        let by_article = |(_, plan): &(&Uuid, &OpenPlan)| matches!(plan.wanted, Wanted::Gtin(_));
        let first = plans.iter().filter(fits).find(by_article).or_else(|| plans.iter().find(fits));
        found.extend(first.map(|(id, _)| *id));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(wanted: Wanted) -> OpenPlan {
        let day = |text: &str| text.parse().unwrap();
        let (from, to) = (day("2026-11-01"), day("2026-12-31"));
        OpenPlan { wanted, from, to, budget: None, told_at: Timestamp(100) }
    }

    fn line(gtin: Option<&str>, category: Option<&str>) -> Line {
        let (gtin, category) = (gtin.map(str::to_owned), category.map(str::to_owned));
        Line { gtin, category, quantity: 1000, ..Line::default() }
    }

    #[test]
    fn a_line_fulfils_one_plan_its_article_first() {
        let id = Uuid::from_u128;
        let kitchen = || Wanted::Category("kitchen".to_owned());
        let plans = BTreeMap::from([
            (id(1), plan(kitchen())),
            (id(2), plan(Wanted::Gtin("04006381333931".to_owned()))),
            (id(3), plan(kitchen())),
        ]);
        let buy =
            |lines: &[Line], day: &str, at| fulfilled(&plans, lines, day.parse().unwrap(), Timestamp(at));
        let [mixer, pan] = [line(Some("4006381333931"), Some("kitchen")), line(None, Some("kitchen"))];
        assert_eq!(buy(std::slice::from_ref(&mixer), "2026-11-20", 200), [id(2)]);
        assert_eq!(buy(&[mixer.clone(), pan.clone()], "2026-11-20", 200), [id(2), id(1)]);
        assert_eq!(buy(&[pan.clone(), pan.clone(), pan.clone()], "2026-10-20", 200), [id(1), id(3)]);
        for (day, at) in [("2027-01-01", 200), ("2026-11-20", 99)] {
            assert_eq!(buy(&[mixer.clone(), pan.clone()], day, at), Vec::<Uuid>::new(), "{day} {at}");
        }
        assert!(buy(&[line(Some("96385074"), Some("garden"))], "2026-11-20", 200).is_empty());
    }
}
