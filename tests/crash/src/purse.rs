//! What a customer's points and sales come to in the model, and what can be done with them next.
//!
//! Points here never expire and nothing is taken back that was spent, so there is no debt: what is free, what is set aside, and
//! what was spent of which hold.

use crate::dice::Dice;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Holds that stand at most; the daemon allows eight.
const HOLDS_MAX: usize = 5;

/// A sale that nothing came back of, in cents and points.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sold {
    total: i64,
    /// What of it was paid with points, and how many.
    paid: (i64, i64),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Purse {
    free: i64,
    held: BTreeMap<String, i64>,
    spent: BTreeMap<String, i64>,
    sold: BTreeMap<String, Sold>,
    /// How many sales, and what they come to in cents.
    sales: (u64, i64),
}

/// What a request does to it.
#[derive(Clone, Debug)]
pub(crate) enum Move {
    Earn(i64),
    Hold(i64),
    Capture { hold: String, points: i64 },
    Release { hold: String },
    GiveBack { hold: String, points: i64 },
    Sale(Sold),
    Return { sale: String },
    Exchange { sale: String, total: i64 },
}

impl Move {
    /// The field of the answer that must be the same for ever.
    pub(crate) fn outcome(&self) -> &'static str {
        match self {
            Self::Hold(_) => "hold",
            Self::Sale(_) | Self::Return { .. } | Self::Exchange { .. } => "sale",
            Self::Earn(_) | Self::Capture { .. } | Self::Release { .. } | Self::GiveBack { .. } => "customer",
        }
    }
}

impl Purse {
    /// In the form of [`told`].
    pub(crate) fn expected(&self) -> Value {
        json!([self.free, self.held.values().sum::<i64>(), 0, self.sales.0, self.sales.1])
    }

    /// Of two customers who were made one.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.free += other.free;
        both.sales = (both.sales.0 + other.sales.0, both.sales.1 + other.sales.1);
        both.held.extend(other.held.clone());
        both
    }

    pub(crate) fn holds_nothing(&self) -> bool {
        self.held.is_empty()
    }

    pub(crate) fn apply(&mut self, change: &Move, answer: &Value) {
        let id = |field: &str| answer[field].as_str().unwrap_or_default().to_owned();
        match change {
            Move::Earn(points) => self.free += points,
            Move::Hold(points) => {
                self.free -= points;
                self.held.insert(id("hold"), *points);
            }
            Move::Capture { hold, points } => {
                self.free += self.held.remove(hold).unwrap_or(0) - points;
                self.spent.insert(hold.clone(), *points);
            }
            Move::Release { hold } => self.free += self.held.remove(hold).unwrap_or(0),
            Move::GiveBack { hold, points } => {
                self.free += points;
                *self.spent.entry(hold.clone()).or_default() -= points;
            }
            Move::Sale(sold) => {
                self.free -= sold.paid.1;
                self.sales = (self.sales.0 + 1, self.sales.1 + sold.total);
                self.sold.insert(id("sale"), *sold);
            }
            Move::Return { sale } => self.back(sale),
            Move::Exchange { sale, total } => {
                self.back(sale);
                self.sales = (self.sales.0 + 1, self.sales.1 + total);
                self.sold.insert(id("sale"), Sold { total: *total, paid: (0, 0) });
            }
        }
    }

    /// All of a sale comes back, and what it was paid with.
    fn back(&mut self, sale: &str) {
        if let Some(Sold { total, paid: (_, points) }) = self.sold.remove(sale) {
            self.sales.1 -= total;
            self.free += points;
        }
    }

    /// A request about this customer's points or sales; `None` where there is nothing to do it with.
    pub(crate) fn next(
        &self,
        customer: &str,
        register: &str,
        dice: &mut Dice,
    ) -> Option<(&'static str, Move, Value)> {
        let some = |dice: &mut Dice, most: i64| (most > 0).then(|| some_of(dice, most));
        match dice.below(9) {
            0 | 1 => {
                let points = some(dice, 500)?;
                Some(("points.earn", Move::Earn(points), json!({ "customer": customer, "points": points })))
            }
            2 if self.held.len() < HOLDS_MAX => {
                let points = some(dice, self.free)?;
                Some(("points.hold", Move::Hold(points), json!({ "customer": customer, "points": points })))
            }
            3 => {
                let (hold, held) = picked(&self.held, dice)?;
                let points = some(dice, held)?;
                let params = json!({ "hold": hold, "points": points });
                Some(("points.capture", Move::Capture { hold, points }, params))
            }
            4 => {
                let (hold, _) = picked(&self.held, dice)?;
                let params = json!({ "hold": hold });
                Some(("points.release", Move::Release { hold }, params))
            }
            5 => {
                let (hold, spent) = picked(&self.spent, dice)?;
                let points = some(dice, spent)?;
                let params = json!({ "hold": hold, "points": points });
                Some(("points.give_back", Move::GiveBack { hold, points }, params))
            }
            6 => Some(self.sale(customer, register, dice)),
            7 => {
                let (sale, Sold { total, paid: (with_points, _) }) = picked(&self.sold, dice)?;
                let tenders = tenders(total, with_points);
                let receipt = json!({ "number": number(dice), "day": DAY, "tenders": tenders });
                let params = json!({ "sale": sale, "register": register, "receipt": receipt });
                Some(("sale.return", Move::Return { sale }, params))
            }
            8 => {
                let (sale, old) = picked(&self.sold, dice)?;
                let (total, mut receipt) = receipt(dice);
                let covered = total.min(old.total - old.paid.0);
                receipt["tenders"] = json!([{ "kind": "CASH", "amount": total - covered }]);
                let refund = tenders(old.total - covered, old.paid.0);
                let params =
                    json!({ "sale": sale, "register": register, "receipt": receipt, "refund": refund });
                Some(("sale.exchange", Move::Exchange { sale, total }, params))
            }
            _ => None,
        }
    }

    /// A sale, half of it paid with points where there are some.
    fn sale(&self, customer: &str, register: &str, dice: &mut Dice) -> (&'static str, Move, Value) {
        let (total, mut receipt) = receipt(dice);
        let with_points = if self.free > 0 && dice.percent(50) { total / 2 } else { 0 };
        let points = if with_points > 0 { some_of(dice, self.free) } else { 0 };
        receipt["tenders"] = tenders(total, with_points);
        if with_points > 0 {
            receipt["tenders"][1]["points"] = json!(points);
        }
        let params = json!({ "customer": customer, "register": register, "receipt": receipt });
        ("sale.record", Move::Sale(Sold { total, paid: (with_points, points) }), params)
    }
}

/// Available, held and owed points, sales and what they come to, as `points.show` and `customer.show` tell them.
pub(crate) fn told(points: &Value, bought: &Value) -> Value {
    let turnover = bought["turnover"].as_array().cloned().unwrap_or_default();
    let turnover: i64 = turnover.iter().filter_map(|amount| amount["minor"].as_i64()).sum();
    json!([points["available"], points["held"], points["debt"], bought["sales"], turnover])
}

const DAY: &str = "2026-09-21";

fn number(dice: &mut Dice) -> String {
    dice.uuid().simple().to_string()
}

/// 1 to `most`.
fn some_of(dice: &mut Dice, most: i64) -> i64 {
    1 + i64::try_from(dice.below(usize::try_from(most).unwrap_or(1))).unwrap_or(0)
}

fn picked<T: Clone>(of: &BTreeMap<String, T>, dice: &mut Dice) -> Option<(String, T)> {
    let all: Vec<_> = of.iter().collect();
    dice.pick(&all).map(|(id, value)| ((*id).clone(), (*value).clone()))
}

/// Cash first, then the part with points, if there is one.
fn tenders(total: i64, with_points: i64) -> Value {
    let cash = json!({ "kind": "CASH", "amount": total - with_points });
    if with_points == 0 { json!([cash]) } else { json!([cash, { "kind": "POINTS", "amount": with_points }]) }
}

/// A receipt without tenders, with its total.
fn receipt(dice: &mut Dice) -> (i64, Value) {
    let mut line = |_| {
        let amount = some_of(dice, 20_000);
        let sku = format!("A{}", dice.below(500));
        (amount, json!({ "sku": sku, "quantity": 1000, "unit_price": amount, "amount": amount }))
    };
    let (amounts, lines): (Vec<i64>, Vec<Value>) = (0..3).map(&mut line).unzip();
    let total = amounts.iter().sum();
    let number = number(dice);
    (total, json!({ "number": number, "day": DAY, "currency": "EUR", "lines": lines, "total": total }))
}
