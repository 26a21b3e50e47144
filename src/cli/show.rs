//! `ficha show`: one customer on one page.
//!
//! The page is put together from requests that others make too. What the daemon does not tell this user is left out, and one
//! line says so. A program is given the answer of `customer.show` as it came.

mod dealings;
mod page;
mod parts;
mod why;

use super::ask::{Asker, request};
use super::say;
use crate::domain::id::CustomerNumber;
use crate::push::client::{Client, ClientError};
use jiff::tz::TimeZone;
use parts::Answers;
use serde_json::{Value, json};
use std::io::IsTerminal as _;

/// Columns of a page that goes nowhere with a width, and the fewest and most of one that does.
const COLUMNS_DEFAULT: u16 = 80;
const COLUMNS_MIN: u16 = 40;
const COLUMNS_MAX: u16 = 100;

/// Shows a customer.
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// The customer number.
    customer: CustomerNumber,
    /// What each part of the file was computed from, instead of the page.
    #[arg(long)]
    why: bool,
}

impl Show {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let params = json!({ "customer": self.customer });
        if asker.json && self.why {
            return say::json_line(&asker.call("file.explain", params)?);
        }
        if self.why {
            let page = why::page(&asker.call("file.explain", params)?, columns(), &TimeZone::system());
            return say::page(&page.written(coloured()));
        }
        if asker.json {
            return say::json_line(&asker.call("customer.show", params)?);
        }
        let answers = gather(&mut asker.connect()?, &params)?;
        let page = parts::page(&answers, columns(), &TimeZone::system());
        say::page(&page.written(coloured()))
    }
}

fn columns() -> usize {
    usize::from(say::columns().unwrap_or(COLUMNS_DEFAULT).clamp(COLUMNS_MIN, COLUMNS_MAX))
}

/// Colours are for a terminal, and for people who have not said that they want none (<https://no-color.org>).
fn coloured() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && std::io::stdout().is_terminal()
}

/// Everything that the daemon tells this user of the customer.
fn gather(client: &mut Client, params: &Value) -> anyhow::Result<Answers> {
    let mut left_out = Vec::new();
    let mut first = None;
    let mut ask = |client: &mut Client, method: &'static str| match request(client, method, params.clone()) {
        Ok(answer) => Ok(Some(answer)),
        Err(error) => {
            let why = why_left_out(&error).map(str::to_owned);
            let Some(why) = why else { return Err(error) };
            left_out.push((method, why));
            first.get_or_insert(error);
            Ok(None)
        }
    };
    let whole = ask(client, "customer.show")?;
    let mut answers = Answers {
        points: ask(client, "points.show")?,
        level: ask(client, "customer.level")?,
        worth: ask(client, "customer.worth")?,
        issues: ask(client, "issue.list")?,
        sales: ask(client, "sale.list")?,
        ..Answers::default()
    };
    if whole.is_none() {
        // Parts of it that a register may ask for by themselves.
        answers.plans = ask(client, "plan.list")?;
        answers.cards = ask(client, "card.list")?;
    }
    answers.whole = whole;
    answers.left_out = left_out;
    match first {
        Some(error) if !answers.has_any() => Err(error),
        Some(_) | None => Ok(answers),
    }
}

/// Why a part is left out and the rest is shown all the same.
fn why_left_out(error: &anyhow::Error) -> Option<&'static str> {
    match error.downcast_ref::<ClientError>() {
        Some(ClientError::Refused { reason, .. }) if reason == "forbidden" => Some("not for this user"),
        Some(ClientError::Refused { reason, .. }) if reason == "vault_locked" => Some("the vault is locked"),
        Some(_) | None => None,
    }
}

#[cfg(test)]
mod tests;
