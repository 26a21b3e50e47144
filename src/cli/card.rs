//! `ficha card`.

use super::ask::{Asker, Key, Usage, optional, request};
use super::say::{at, fields, get, rows, table, to_the_second};
use super::{input, job, moment};
use crate::domain::id::{CardId, CustomerNumber};
use crate::domain::time::Day;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

const HOLDER: &str = "the holder's name";

/// Why a card is no longer honoured: the words of `domain::card::CardReason` that a person may choose.
const REASONS: [&str; 6] = ["LOST", "STOLEN", "DAMAGED", "REQUESTED", "MISUSE", "NOT_PRINTED"];

/// Why another takes its place: it may also never have come out of the printer whole, or its time be over.
const REPLACED_FOR: [&str; 7] =
    ["LOST", "STOLEN", "DAMAGED", "REQUESTED", "MISUSE", "NOT_PRINTED", "EXPIRED"];

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lists a customer's cards.
    List {
        /// The customer number.
        customer: CustomerNumber,
    },
    /// Lists the cards that were shown although they are not honoured, the latest first.
    Alerts {
        /// Only this customer's.
        #[arg(long)]
        customer: Option<CustomerNumber>,
        /// Only this card.
        #[arg(long)]
        card: Option<CardId>,
        /// Only those before this moment: `2026-09-14 09:00` here, `2026-09-14T07:00:00Z`, or a day.
        #[arg(long, value_name = "TIME", value_parser = moment::read)]
        before: Option<jiff::Timestamp>,
    },
    /// Prints one more card.
    Print {
        /// The customer number.
        customer: CustomerNumber,
        #[command(flatten)]
        paper: Paper,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        key: Key,
    },
    /// Prints a card in the place of another, which is not honoured from then on.
    Replace {
        /// The customer number.
        customer: CustomerNumber,
        /// The card that it takes the place of.
        card: CardId,
        /// Why.
        #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(REPLACED_FOR))]
        reason: String,
        /// The last day on which the new one is honoured, as in 2027-09-30.
        #[arg(long, value_name = "DAY")]
        until: Option<Day>,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        key: Key,
    },
    /// Makes a card without printing it: its code is said once, for whoever makes the plastic.
    Issue {
        /// The customer number.
        customer: CustomerNumber,
        /// A card of another programme, by its name in the config; its code is read from standard input or asked for.
        #[arg(long, value_name = "NAME")]
        programme: Option<String>,
        #[command(flatten)]
        paper: Paper,
        #[command(flatten)]
        key: Key,
    },
    /// Says who of the household holds a card, whom the till greets then: reads the name from standard input, or asks for it.
    Holder {
        /// The customer number.
        customer: CustomerNumber,
        /// The card.
        card: CardId,
        /// Nobody else: it is the customer's own again.
        #[arg(long)]
        own: bool,
        #[command(flatten)]
        key: Key,
    },
    /// Says until when a card is honoured.
    Validity {
        /// The customer number.
        customer: CustomerNumber,
        /// The card.
        card: CardId,
        /// The last day, as in 2027-09-30; without it, for good.
        #[arg(long, value_name = "DAY")]
        until: Option<Day>,
        #[command(flatten)]
        key: Key,
    },
    /// Stops a card.
    Block {
        /// The customer number.
        customer: CustomerNumber,
        /// The card.
        card: CardId,
        /// Why.
        #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(REASONS))]
        reason: String,
        #[command(flatten)]
        key: Key,
    },
    /// Honours a blocked card again.
    Unblock {
        /// The customer number.
        customer: CustomerNumber,
        /// The card.
        card: CardId,
        #[command(flatten)]
        key: Key,
    },
}

/// Whose a new card is, and how long.
#[derive(Debug, clap::Args)]
pub(super) struct Paper {
    /// For somebody of the household: reads the name from standard input, or asks for it.
    #[arg(long)]
    holder: bool,
    /// The last day on which it is honoured, as in 2027-09-30; without it, as the config has it for all.
    #[arg(long, value_name = "DAY")]
    until: Option<Day>,
}

impl Paper {
    /// Adds what was asked for to a request.
    fn put(&self, params: &mut Value) -> anyhow::Result<()> {
        let holder = self.holder.then(|| input::needed(HOLDER)).transpose()?;
        optional(params, &[("holder", holder.as_deref()), ("valid_until", day(self.until).as_deref())]);
        Ok(())
    }
}

/// Where a card is printed.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// The printer; without it, the register's or the first one.
    #[arg(long, value_name = "NAME")]
    printer: Option<String>,
    /// Prints as this register, and waits until the card is out.
    #[arg(long, value_name = "NAME")]
    register: Option<String>,
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        match self {
            Self::List { customer } => asker.tell("card.list", json!({ "customer": customer }), |answer| {
                let cards = rows(answer, "/cards");
                if cards.is_empty() {
                    "no cards; print one with `ficha card print`".to_owned()
                } else {
                    listed(cards)
                }
            }),
            Self::Alerts { customer, card, before } => {
                let params = json!({ "customer": customer, "card": card, "before": before });
                asker.tell("card.alerts", params, alerts)
            }
            Self::Print { customer, paper, place, key } => {
                let mut params = json!({ "key": key.get(), "customer": customer });
                paper.put(&mut params)?;
                print(asker, "card.print", params, place)
            }
            Self::Replace { customer, card, reason, until, place, key } => {
                let mut params = json!({
                    "key": key.get(), "customer": customer, "card": card, "reason": reason.to_uppercase(),
                });
                optional(&mut params, &[("valid_until", day(*until).as_deref())]);
                print(asker, "card.replace", params, place)
            }
            Self::Issue { customer, programme, paper, key } => {
                let mut params = json!({ "key": key.get(), "customer": customer });
                paper.put(&mut params)?;
                issue(asker, params, programme.as_deref())
            }
            Self::Holder { customer, card, own, key } => {
                let mut params = json!({ "key": key.get(), "customer": customer, "card": card });
                let holder = (!own).then(|| input::needed(HOLDER)).transpose()?;
                optional(&mut params, &[("holder", holder.as_deref())]);
                asker.tell("card.holder", params, |answer| match own {
                    true => format!("card {} is the customer's own", at(answer, "/card")),
                    false => format!("card {} is held by whom you named", at(answer, "/card")),
                })
            }
            Self::Validity { customer, card, until, key } => {
                let mut params = json!({ "key": key.get(), "customer": customer, "card": card });
                optional(&mut params, &[("valid_until", day(*until).as_deref())]);
                asker.tell("card.validity", params, |answer| match get(answer, "valid_until").as_str() {
                    Some(day) => format!("card {} is honoured until {day}", at(answer, "/card")),
                    None => format!("card {} is honoured for good", at(answer, "/card")),
                })
            }
            Self::Block { customer, card, reason, key } => {
                let reason = reason.to_uppercase();
                let params =
                    json!({ "key": key.get(), "customer": customer, "card": card, "reason": reason });
                asker.tell("card.block", params, status)
            }
            Self::Unblock { customer, card, key } => {
                let params = json!({ "key": key.get(), "customer": customer, "card": card });
                asker.tell("card.unblock", params, status)
            }
        }
    }
}

fn print(asker: &Asker, method: &str, mut params: Value, place: &Place) -> anyhow::Result<()> {
    optional(&mut params, &[("printer", place.printer.as_deref())]);
    let mut client = asker.connect()?;
    if let Some(register) = &place.register {
        client.call("subscribe", json!({ "register": register }))?;
    }
    let answer = request(&mut client, method, params)?;
    asker.say(&answer, |answer| {
        let line =
            format!("card {} is {} at {}", at(answer, "/card"), at(answer, "/state"), at(answer, "/printer"));
        if place.register.is_some() {
            line
        } else {
            format!("{line}\n`ficha job show {}` tells more", at(answer, "/job"))
        }
    })?;
    if place.register.is_some() { job::wait(asker, &mut client, get(&answer, "job")) } else { Ok(()) }
}

fn day(day: Option<Day>) -> Option<String> {
    day.map(String::from)
}

fn issue(asker: &Asker, mut params: Value, programme: Option<&str>) -> anyhow::Result<()> {
    if let Some(programme) = programme {
        if programme.is_empty() {
            return Err(Usage("the programme has no name".to_owned()).into());
        }
        let alias = json!({ "programme": programme, "code": input::needed("the card's code")? });
        params.as_object_mut().map(|params| params.insert("alias".to_owned(), alias));
    }
    asker.tell("card.issue", params, |answer| {
        fields([
            ("Card", at(answer, "/card")),
            ("Code for QR", at(answer, "/letters")),
            ("Code for Code 128 and magstripe", at(answer, "/digits")),
            ("Note", at(answer, "/note")),
        ])
    })
}

fn status(answer: &Value) -> String {
    format!("card {} is {}", at(answer, "/card"), at(answer, "/status"))
}

/// Cards as a table.
pub(super) fn listed(cards: &[Value]) -> String {
    let row = |card: &Value| {
        let text = |field| at(card, field);
        let status = match get(card, "reason").as_str().filter(|reason| get(card, "status") != *reason) {
            Some(reason) => format!("{}, {reason}", text("/status")),
            None => text("/status"),
        };
        let day = |moment: String| moment.get(..10).map(str::to_owned).unwrap_or(moment);
        [text("/card"), text("/kind"), status, text("/holder"), day(text("/issued_at")), text("/valid_until")]
    };
    table(["CARD", "KIND", "STATUS", "HOLDER", "ISSUED", "UNTIL"], cards.iter().map(row))
}

fn alerts(answer: &Value) -> String {
    let shown = rows(answer, "/alerts");
    if shown.is_empty() {
        return "no stopped card was shown".to_owned();
    }
    let row = |row: &Value| {
        let text = |field| at(row, field);
        let status = format!("{}, {}", text("/status"), text("/reason"));
        let when = to_the_second(&text("/at"));
        [when, text("/register"), text("/reader"), text("/card"), status, text("/customer")]
    };
    let mut text = table(["WHEN", "REGISTER", "READER", "CARD", "STATUS", "CUSTOMER"], shown.iter().map(row));
    if let Some(next) = get(answer, "next").as_str() {
        text.push_str(&format!("\nthere is more: `ficha card alerts --before {next}`"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::card::CardReason;

    #[test]
    fn a_stopped_card_that_was_shown_is_a_row_with_where_and_why() {
        let row = json!({ "at": "2026-09-21T14:13:22.000000Z", "register": "till-1", "reader": "counter", "status": "BLOCKED",
            "reason": "STOLEN", "card": "6f0e7a52-9d1c-4f44-8a38-0b3c0f6d8e21", "customer": "0e4a1f6c-53b2-4f0e-9a51-6de2b8a1c9f7" });
        let text = alerts(&json!({ "alerts": [row], "next": "2026-09-21T14:13:22.000000Z" }));
        for part in ["till-1", "counter", "BLOCKED, STOLEN", "6f0e7a52-", "0e4a1f6c-", "--before 2026-09-21T"]
        {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }

    #[test]
    fn the_daemon_knows_every_reason() {
        for reason in REPLACED_FOR {
            assert!(REASONS.contains(&reason) || reason == "EXPIRED");
            let read: CardReason = serde_json::from_value(json!(reason)).unwrap();
            assert_eq!(read.word(), reason);
        }
    }
}
