//! `ficha sale`.

use super::ask::{Asker, Key, Usage};
use super::input;
use super::say::{at, get, rows, table, when};
use crate::domain::id::{CustomerNumber, SaleId};
use crate::domain::money::Currency;
use clap::ArgGroup;
use serde_json::{Map, Value, json};

const SHOW_EXAMPLES: &str = "\
Examples:
  ficha sale show 00000000-002b-8d01-9c11-5c1f6d6f2a51
  ficha sale show --number 000418 --day 2026-09-21 --register till-1";

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Records a receipt: the fields of `sale.record` as JSON on standard input.
    Record {
        #[command(flatten)]
        key: Key,
    },
    /// Makes a sale a customer's, whose card had been forgotten.
    Attach {
        /// The sale.
        sale: SaleId,
        /// The customer number.
        customer: CustomerNumber,
        #[command(flatten)]
        key: Key,
    },
    /// Takes goods of a sale back: the fields of `sale.return` as JSON on standard input.
    Return {
        #[command(flatten)]
        key: Key,
    },
    /// Takes goods back and hands others out: the fields of `sale.exchange` as JSON on standard input.
    Exchange {
        #[command(flatten)]
        key: Key,
    },
    /// Puts a sale aside before it is paid: the fields of `sale.park` as JSON on standard input.
    Park {
        #[command(flatten)]
        key: Key,
    },
    /// Takes a parked sale up again, and shows its lines.
    Resume {
        /// The parked sale.
        parked: SaleId,
        #[command(flatten)]
        key: Key,
    },
    /// Lists the parked sales that can be taken up.
    Parked,
    /// Voids a sale that was rung up by mistake: it counts as never made.
    Void {
        /// The sale.
        sale: SaleId,
        #[command(flatten)]
        key: Key,
    },
    /// Shows a sale with its lines and how it was paid.
    ///
    /// By its id, or by what stands on the receipt. Amounts are in units of the currency (3.00 EUR), quantities in pieces or units of
    /// measure with up to three digits behind the point (0.35). With `--json` both are whole numbers: amounts in the currency's smallest
    /// unit (300 cents), quantities in thousandths (350).
    #[command(after_help = SHOW_EXAMPLES)]
    Show(Show),
    /// Lists a customer's sales.
    List {
        /// The customer number.
        customer: CustomerNumber,
    },
}

/// Which sale: by its id, or by what stands on the receipt.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("which").required(true).args(["sale", "number"])))]
pub(super) struct Show {
    /// The sale, as `ficha sale list` and `ficha recall buyers` name it.
    sale: Option<SaleId>,
    /// The number that is printed on the receipt; with `--day` and `--register`, for each register counts anew.
    #[arg(long, requires = "day", requires = "register")]
    number: Option<String>,
    /// The business day on the receipt, YYYY-MM-DD.
    #[arg(long)]
    day: Option<String>,
    /// The register that made it, such as `till-1`.
    #[arg(long)]
    register: Option<String>,
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        match self {
            Self::Record { key } => {
                let mut params = given(&input::whole("the sale as JSON")?)?;
                params.insert("key".to_owned(), json!(key.get()));
                asker.tell("sale.record", Value::Object(params), recorded)
            }
            Self::Attach { sale, customer, key } => {
                let params = json!({ "key": key.get(), "sale": sale, "customer": customer });
                asker.tell("sale.attach", params, recorded)
            }
            Self::Return { key } => {
                let mut params = given(&input::whole("the return as JSON")?)?;
                params.insert("key".to_owned(), json!(key.get()));
                asker.tell("sale.return", Value::Object(params), |answer| {
                    let money = sum(get(answer, "returned"));
                    format!(
                        "return {} recorded; {money} of this sale given back so far",
                        at(answer, "/return")
                    )
                })
            }
            Self::Exchange { key } => {
                let mut params = given(&input::whole("the exchange as JSON")?)?;
                params.insert("key".to_owned(), json!(key.get()));
                asker.tell("sale.exchange", Value::Object(params), |answer| {
                    let covered = sum(get(answer, "covered"));
                    format!(
                        "{}, return {}; {covered} paid with goods",
                        recorded(answer),
                        at(answer, "/return")
                    )
                })
            }
            Self::Park { key } => {
                let mut params = given(&input::whole("the basket as JSON")?)?;
                params.insert("key".to_owned(), json!(key.get()));
                asker.tell("sale.park", Value::Object(params), |answer| {
                    format!("parked as {} until {}", at(answer, "/parked"), when(&at(answer, "/until")))
                })
            }
            Self::Resume { parked, key } => {
                asker.tell("sale.resume", json!({ "key": key.get(), "parked": parked }), resumed)
            }
            Self::Parked => asker.tell("sale.parked", json!({}), parked),
            Self::Void { sale, key } => {
                let params = json!({ "key": key.get(), "sale": sale });
                asker.tell("sale.void", params, |_| format!("sale {sale} is voided"))
            }
            Self::Show(Show { sale: Some(sale), .. }) => {
                asker.tell("sale.show", json!({ "sale": sale }), shown)
            }
            Self::Show(Show { number, day, register, .. }) => {
                let receipt = json!({ "number": number, "day": day });
                asker.tell("sale.show", json!({ "receipt": receipt, "register": register }), shown)
            }
            Self::List { customer } => asker.tell("sale.list", json!({ "customer": customer }), listed),
        }
    }
}

pub(super) fn given(text: &str) -> anyhow::Result<Map<String, Value>> {
    let mistake = |error: serde_json::Error| {
        Usage(format!("standard input is no JSON object: line {}, column {}", error.line(), error.column()))
    };
    Ok(serde_json::from_str(text).map_err(mistake)?)
}

fn recorded(answer: &Value) -> String {
    format!(
        "sale {} of customer {}, {} points",
        at(answer, "/sale"),
        at(answer, "/customer"),
        at(answer, "/points")
    )
}

fn listed(answer: &Value) -> String {
    let sales = rows(answer, "/sales");
    if sales.is_empty() {
        return "no sales".to_owned();
    }
    let row = |sale: &Value| {
        let text = |field| at(sale, field);
        [text("/sale"), when(&text("/sold_at")), text("/register"), text("/number"), sum(get(sale, "total"))]
    };
    table(["SALE", "SOLD", "REGISTER", "RECEIPT", "TOTAL"], sales.iter().map(row))
}

fn shown(answer: &Value) -> String {
    let head = super::say::fields([
        ("Sale", at(answer, "/sale")),
        ("Customer", at(answer, "/customer")),
        ("Sold", when(&at(answer, "/sold_at"))),
        ("Register", at(answer, "/register")),
        ("Receipt", format!("{} of {}", at(answer, "/number"), at(answer, "/day"))),
        ("Total", sum(get(answer, "total"))),
        ("Given back", sum(get(answer, "returned"))),
        ("Voided", if get(answer, "voided") == true { "yes".to_owned() } else { "no".to_owned() }),
    ]);
    let total = get(answer, "total");
    let exponent = get(total, "exponent").as_u64().unwrap_or(0);
    let (lines, currency) = (lines(rows(answer, "/lines"), exponent), at(total, "/currency"));
    format!("{head}\n\n{lines}\n\n{}", tenders(answer, exponent, &currency))
}

/// What can be taken up, the one that lapses first before the others.
fn parked(answer: &Value) -> String {
    let parked = rows(answer, "/parked");
    if parked.is_empty() {
        return "no parked sales".to_owned();
    }
    let row = |sale: &Value| {
        let text = |field| at(sale, field);
        let money = sum(get(sale, "total"));
        [text("/parked"), text("/register"), when(&text("/parked_at")), when(&text("/until")), money]
    };
    table(["PARKED", "REGISTER", "SINCE", "UNTIL", "TOTAL"], parked.iter().map(row))
}

fn resumed(answer: &Value) -> String {
    let basket = get(answer, "basket");
    let currency = at(basket, "/currency").parse().map(|currency: Currency| currency.exponent());
    let exponent = currency.map_or(0, u64::from);
    let total =
        json!({ "minor": get(basket, "total"), "exponent": exponent, "currency": get(basket, "currency") });
    let head = format!("{} of customer {}, {}", at(answer, "/parked"), at(answer, "/customer"), sum(&total));
    format!("{head}\n\n{}", lines(rows(basket, "/lines"), exponent))
}

/// The lines of a receipt as a table.
fn lines(lines: &[Value], exponent: u64) -> String {
    let row = |line: &Value| {
        let article = ["/gtin", "/sku", "/model", "/serial"].map(|field| at(line, field));
        let article: Vec<String> = article.into_iter().filter(|text| text != super::say::NOTHING).collect();
        let quantity = quantity(get(line, "quantity").as_i64().unwrap_or(0));
        let money = |field| decimal(get(line, field).as_i64().unwrap_or(0), exponent);
        [article.join(" "), quantity, money("unit_price"), money("amount"), at(line, "/category")]
    };
    table(["ARTICLE", "QUANTITY", "PRICE", "AMOUNT", "CATEGORY"], lines.iter().map(row))
}

/// How a sale was paid as a table; beside points how many, beside what went on account when it is due.
fn tenders(answer: &Value, exponent: u64, currency: &str) -> String {
    let due = at(answer, "/credit/due");
    let row = |tender: &Value| {
        let (kind, points) = (at(tender, "/kind"), at(tender, "/points"));
        let with = if points != super::say::NOTHING {
            format!("{points} points")
        } else if kind == "ACCOUNT" && due != super::say::NOTHING {
            format!("due {due}")
        } else {
            super::say::NOTHING.to_owned()
        };
        let amount = decimal(get(tender, "amount").as_i64().unwrap_or(0), exponent);
        [kind, format!("{amount} {currency}"), with]
    };
    table(["PAID BY", "AMOUNT", "WITH"], rows(answer, "/tenders").iter().map(row))
}

/// A quantity as receipts have it, in thousandths: 1500 is 1.5.
pub(super) fn quantity(thousandths: i64) -> String {
    let text = decimal(thousandths, 3);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Amounts of several currencies in one line.
pub(super) fn sums(amounts: &[Value]) -> String {
    if amounts.is_empty() {
        return super::say::NOTHING.to_owned();
    }
    amounts.iter().map(sum).collect::<Vec<_>>().join(", ")
}

pub(super) fn sum(money: &Value) -> String {
    let exponent = get(money, "exponent").as_u64().unwrap_or(0);
    format!("{} {}", decimal(get(money, "minor").as_i64().unwrap_or(0), exponent), at(money, "/currency"))
}

/// A whole number with its last `digits` digits behind a point.
fn decimal(number: i64, digits: u64) -> String {
    let digits = usize::try_from(digits).unwrap_or(0);
    let sign = if number < 0 { "-" } else { "" };
    let all = format!("{:0>width$}", number.unsigned_abs(), width = digits.saturating_add(1));
    let (whole, behind) = all.split_at(all.len().saturating_sub(digits));
    if behind.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{behind}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_as_many_digits_as_its_currency() {
        for (number, digits, text) in
            [(5, 2, "0.05"), (-1205, 2, "-12.05"), (7, 0, "7"), (1_234_567, 3, "1234.567"), (0, 2, "0.00")]
        {
            assert_eq!(decimal(number, digits), text);
        }
    }

    #[test]
    fn a_receipt_is_shown_with_its_lines() {
        let answer = json!({
            "sale": "s-1", "customer": null, "sold_at": "x", "register": "till-1", "number": "A-1", "day": "2026-11-22",
            "total": { "minor": 833, "currency": "EUR", "exponent": 2 },
            "lines": [{ "gtin": "4006381333931", "model": "KX\u{1b}", "quantity": 350, "unit_price": 999, "amount": 333 }],
            "tenders": [{ "kind": "CASH", "amount": 133 }, { "kind": "POINTS", "amount": 200, "points": 400 }, { "kind": "ACCOUNT", "amount": 500 }],
            "credit": { "due": "2026-12-22" },
        });
        let text = shown(&answer);
        for part in [
            "1.33 EUR",
            "400 points",
            "5.00 EUR",
            "due 2026-12-22",
            "8.33 EUR",
            "4006381333931 KX\\u{1b}",
            "0.35",
            "9.99",
            "3.33",
            "A-1 of 2026-11-22",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(listed(&json!({ "sales": [] })).contains("no sales"));
        let basket = json!({ "currency": "EUR", "total": 333, "lines": answer["lines"] });
        let text = resumed(&json!({ "parked": "p-1", "customer": null, "basket": basket }));
        assert!(text.starts_with("p-1 of customer -, 3.33 EUR\n") && text.contains("0.35"), "{text}");
        assert_eq!(parked(&json!({ "parked": [] })), "no parked sales");
    }
}
