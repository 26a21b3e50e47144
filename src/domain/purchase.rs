//! Sales: what was bought, for how much, on which receipt.
//!
//! A receipt is recorded once, whole, as the till has it. What becomes of it later (it is attached to another customer, goods come
//! back, it is voided) are facts of their own beside it: nothing here is ever changed. All amounts are whole minor units of the
//! receipt's one currency, tax included; quantities are whole thousandths. Goods that come back are no lines of a sale.
//!
//! Nothing in a sale is of a person, and nothing is free text: article numbers, a maker's model, a serial number, words of a
//! shop's own lists.

mod back;
mod check;
mod parked;

pub use back::{BackLine, Return, Returned};
pub use check::{Wrong, check, check_lines, check_sum, check_word};
pub use parked::{Parked, ParkedState};

use super::id::{CustomerNumber, HoldId, RegisterName, SaleId, VisitId};
use super::money::Currency;
use super::time::{Day, Timestamp};
use serde::{Deserialize, Serialize};

/// The most lines of one receipt: a full trolley twice over, and still one record of the journal.
pub const LINES_MAX: usize = 500;
/// The most tenders of one receipt.
pub const TENDERS_MAX: usize = 16;
/// The longest receipt number, article number or category, in characters.
pub const WORD_CHARS_MAX: usize = 40;
/// The highest rate of tax, in hundredths of a percent.
pub const TAX_BP_MAX: u32 = 10_000;
/// The most currencies in which one customer's turnover is kept.
pub const CURRENCIES_MAX: usize = 8;
/// The highest quantity of a line, in thousandths: a million pieces.
pub const QUANTITY_MAX: i64 = 1_000_000_000;

/// A receipt with whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sale {
    /// Names it.
    pub sale: SaleId,
    /// Who bought; `None` when nobody showed a card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerNumber>,
    /// The visit it was rung up in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visit: Option<VisitId>,
    /// When it was sold.
    pub sold_at: Timestamp,
    /// The return in whose place it was made, of an exchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<SaleId>,
    /// What was sold.
    pub receipt: Receipt,
}

/// What stands on a receipt. [`check`] says whether it holds together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The register that made it.
    pub register: RegisterName,
    /// The till's own number for it, unique for its register and day: 1 to [`WORD_CHARS_MAX`] printable ASCII characters.
    pub number: String,
    /// The business day, which need not end at midnight.
    pub day: Day,
    /// The currency of every amount.
    pub currency: Currency,
    /// At least one, at most [`LINES_MAX`].
    pub lines: Vec<Line>,
    /// How it was paid, at most [`TENDERS_MAX`]; in sum the total.
    pub tenders: Vec<Tender>,
    /// The sum of the lines' amounts.
    pub total: i64,
}

/// One line of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// GTIN of 8, 12, 13 or 14 digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gtin: Option<String>,
    /// The shop's own article number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// The maker's model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The serial number of this one piece.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// A word of the shop's own list of categories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Thousandths of the unit: 1000 is one piece, 350 is 350 g of something sold by the kilogram.
    pub quantity: i64,
    /// What it is counted in.
    #[serde(default, skip_serializing_if = "Unit::is_piece")]
    pub unit: Unit,
    /// What one unit costs.
    pub unit_price: i64,
    /// What the price of this line was lowered by.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub discount: i64,
    /// What is paid for the line.
    pub amount: i64,
    /// The tax within the amount.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tax: i64,
    /// Its rate, in hundredths of a percent: 2100 is 21 %.
    #[serde(default, skip_serializing_if = "is_zero_rate")]
    pub tax_bp: u32,
}

fn is_zero(amount: &i64) -> bool {
    *amount == 0
}

fn is_zero_rate(rate: &u32) -> bool {
    *rate == 0
}

/// What a quantity is counted in: codes of UN/CEFACT Recommendation 20.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Unit {
    /// Pieces.
    #[default]
    C62,
    /// Kilograms.
    Kgm,
    /// Litres.
    Ltr,
    /// Metres.
    Mtr,
    /// Square metres.
    Mtk,
    /// Hours.
    Hur,
}

impl Unit {
    fn is_piece(&self) -> bool {
        *self == Self::C62
    }
}

/// One way in which a receipt was paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tender {
    /// How.
    pub kind: TenderKind,
    /// How much of the total; change is taken off.
    pub amount: i64,
    /// The points that are spent for it: of a sale's tender [`Points`](TenderKind::Points), and of no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<i64>,
    /// The hold that they are captured of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldId>,
}

impl Tender {
    /// Money, or goods.
    #[must_use]
    pub fn new(kind: TenderKind, amount: i64) -> Self {
        Self { kind, amount, points: None, hold: None }
    }
}

/// What of `tenders` is of one kind, in minor units.
#[must_use]
pub fn paid_as(tenders: &[Tender], kind: TenderKind) -> i64 {
    let of_kind = tenders.iter().filter(|tender| tender.kind == kind);
    of_kind.fold(0, |sum: i64, tender| sum.saturating_add(tender.amount))
}

/// How something was paid. Nothing of a payment card but that it was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TenderKind {
    /// Notes and coins.
    Cash,
    /// A payment card.
    Card,
    /// Money that comes by bank.
    Transfer,
    /// A voucher of the shop or of others.
    Voucher,
    /// Points of the programme.
    Points,
    /// To be paid later.
    Account,
    /// Goods that came back in the same exchange.
    Exchange,
    /// Anything else.
    Other,
}

/// What one customer bought in one currency, in sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turnover {
    /// The currency.
    pub currency: Currency,
    /// Minor units.
    pub minor: i64,
}

/// A customer's sales in sum.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bought {
    /// Receipts.
    pub sales: u64,
    /// By currency, at most [`CURRENCIES_MAX`], in the order in which they came.
    pub turnover: Vec<Turnover>,
    /// The latest receipt by when it was sold.
    pub last: Option<(SaleId, Timestamp)>,
}

impl Bought {
    /// With one more sale; `None` when a sum would pass [`MINOR_MAX`](super::money::MINOR_MAX) or there are too many currencies.
    #[must_use]
    pub fn with(&self, sale: SaleId, sold_at: Timestamp, currency: Currency, total: i64) -> Option<Self> {
        let mut with = self.clone();
        with.sales = with.sales.checked_add(1)?;
        let full = with.turnover.len() >= CURRENCIES_MAX;
        match with.turnover.iter_mut().find(|turnover| turnover.currency == currency) {
            Some(turnover) => turnover.minor = check_sum([turnover.minor, total])?,
            None if full => return None,
            None => with.turnover.push(Turnover { currency, minor: check_sum([total])? }),
        }
        if with.last.is_none_or(|(_, last)| last <= sold_at) {
            with.last = Some((sale, sold_at));
        }
        Some(with)
    }

    /// The sums of two; `None` as for one sale more.
    #[must_use]
    pub fn and(&self, other: &Self) -> Option<Self> {
        let mut both = self.clone();
        both.sales = both.sales.checked_add(other.sales)?;
        for more in &other.turnover {
            let full = both.turnover.len() >= CURRENCIES_MAX;
            match both.turnover.iter_mut().find(|turnover| turnover.currency == more.currency) {
                Some(turnover) => turnover.minor = check_sum([turnover.minor, more.minor])?,
                None if full => return None,
                None => both.turnover.push(*more),
            }
        }
        both.last = [both.last, other.last].into_iter().flatten().max_by_key(|(_, at)| *at);
        Some(both)
    }

    /// With less spent: goods came back.
    #[must_use]
    pub fn less(&self, currency: Currency, amount: i64) -> Self {
        let mut less = self.clone();
        if let Some(turnover) = less.turnover.iter_mut().find(|turnover| turnover.currency == currency) {
            turnover.minor = turnover.minor.saturating_sub(amount);
        }
        less
    }

    /// Without a sale that was counted; `last` is the latest that is left.
    #[must_use]
    pub fn without(&self, currency: Currency, total: i64, last: Option<(SaleId, Timestamp)>) -> Self {
        let mut without = self.less(currency, total);
        without.sales = without.sales.saturating_sub(1);
        without.last = last;
        without
    }
}
