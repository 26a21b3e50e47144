//! `ficha points`.

use super::ask::{Asker, Key};
use super::say::{at, fields, get, rows, table, when};
use crate::domain::id::{AdjustmentId, CustomerNumber, HoldId, SaleId};
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

/// The words of `domain::points::AdjustReason`.
const REASONS: [&str; 4] = ["CORRECTION", "GOODWILL", "MIGRATION", "FRAUD"];

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// What there is: available, held, owed, expiring.
    Show {
        /// The customer number.
        customer: CustomerNumber,
    },
    /// The ledger, newest first.
    List {
        /// The customer number.
        customer: CustomerNumber,
    },
    /// Gives points.
    Earn {
        /// The customer number.
        customer: CustomerNumber,
        /// How many.
        points: i64,
        /// The sale they are for, by which they can be taken back.
        #[arg(long)]
        sale: Option<SaleId>,
        #[command(flatten)]
        key: Key,
    },
    /// Sets points aside for a sale that is being rung up.
    Hold {
        /// The customer number.
        customer: CustomerNumber,
        /// How many.
        points: i64,
        #[command(flatten)]
        key: Key,
    },
    /// Spends points that are held; the rest of the hold is free again.
    Capture {
        /// The hold.
        hold: HoldId,
        /// How many.
        points: i64,
        #[command(flatten)]
        key: Key,
    },
    /// Lets go of points that are held.
    Release {
        /// The hold.
        hold: HoldId,
        #[command(flatten)]
        key: Key,
    },
    /// Gives back points that were spent of a hold: what they paid for was returned.
    GiveBack {
        /// The hold.
        hold: HoldId,
        /// How many.
        points: i64,
        #[command(flatten)]
        key: Key,
    },
    /// Takes back points that a sale earned: what was bought was returned.
    TakeBack {
        /// The sale.
        sale: SaleId,
        /// How many.
        points: i64,
        #[command(flatten)]
        key: Key,
    },
    /// Proposes a correction, such as 50 or -50; another person has to approve it: another user, or another operator.
    #[command(allow_negative_numbers = true)]
    Adjust {
        /// The customer number.
        customer: CustomerNumber,
        /// How many more, or fewer if below 0.
        points: i64,
        /// Why.
        #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(REASONS))]
        reason: String,
        #[command(flatten)]
        key: Key,
    },
    /// Lists the corrections that nobody has decided, the oldest first.
    Adjustments {
        /// Only those of this customer.
        #[arg(long)]
        customer: Option<CustomerNumber>,
    },
    /// Approves a correction that another person proposed.
    Approve {
        /// The correction.
        adjustment: AdjustmentId,
        #[command(flatten)]
        key: Key,
    },
    /// Refuses a correction, or withdraws one's own.
    Refuse {
        /// The correction.
        adjustment: AdjustmentId,
        #[command(flatten)]
        key: Key,
    },
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        match self {
            Self::Show { customer } => asker.tell("points.show", json!({ "customer": customer }), shown),
            Self::List { customer } => {
                asker.tell("points.list", json!({ "customer": customer }), |answer| listed(answer, *customer))
            }
            Self::Earn { customer, points, sale, key } => {
                let mut params = json!({ "key": key.get(), "customer": customer, "points": points });
                if let (Some(params), Some(sale)) = (params.as_object_mut(), sale) {
                    params.insert("sale".to_owned(), json!(sale));
                }
                asker.tell("points.earn", params, shown)
            }
            Self::Hold { customer, points, key } => {
                let params = json!({ "key": key.get(), "customer": customer, "points": points });
                asker.tell("points.hold", params, |answer| {
                    format!("{}\n{}", fields([("Hold", at(answer, "/hold"))]), shown(answer))
                })
            }
            Self::Capture { hold, points, key } => of_hold(asker, "points.capture", hold, *points, key),
            Self::GiveBack { hold, points, key } => of_hold(asker, "points.give_back", hold, *points, key),
            Self::Release { hold, key } => {
                asker.tell("points.release", json!({ "key": key.get(), "hold": hold }), shown)
            }
            Self::TakeBack { sale, points, key } => {
                let params = json!({ "key": key.get(), "sale": sale, "points": points });
                asker.tell("points.take_back", params, shown)
            }
            Self::Adjust { customer, points, reason, key } => {
                let reason = reason.to_uppercase();
                let params =
                    json!({ "key": key.get(), "customer": customer, "points": points, "reason": reason });
                asker.tell("points.adjust", params, |answer| {
                    let adjustment = at(answer, "/adjustment");
                    format!(
                        "correction {adjustment} proposed; another user or operator approves it with \
                         `ficha points approve {adjustment}`"
                    )
                })
            }
            Self::Adjustments { customer } => {
                asker.tell("points.adjustments", json!({ "customer": customer }), undecided)
            }
            Self::Approve { adjustment, key } => decide(asker, *adjustment, true, key),
            Self::Refuse { adjustment, key } => decide(asker, *adjustment, false, key),
        }
    }
}

fn of_hold(asker: &Asker, method: &str, hold: &HoldId, points: i64, key: &Key) -> anyhow::Result<()> {
    asker.tell(method, json!({ "key": key.get(), "hold": hold, "points": points }), shown)
}

fn decide(asker: &Asker, adjustment: AdjustmentId, approve: bool, key: &Key) -> anyhow::Result<()> {
    let params = json!({ "key": key.get(), "adjustment": adjustment, "approve": approve });
    asker.tell("points.decide", params, shown)
}

fn shown(answer: &Value) -> String {
    let expiring = match answer.pointer("/expiring/points") {
        Some(_) => format!("{} on {}", at(answer, "/expiring/points"), when(&at(answer, "/expiring/at"))),
        None => "-".to_owned(),
    };
    fields([
        ("Available", at(answer, "/available")),
        ("Held", at(answer, "/held")),
        ("Owed", at(answer, "/debt")),
        ("Expiring", expiring),
    ])
}

/// The points of a customer's file in a few words.
pub(super) fn in_words(file: &Value) -> String {
    let mut more = Vec::new();
    for (field, word) in [("/points_held", "held"), ("/points_owed", "owed")] {
        if file.pointer(field).is_some() {
            more.push(format!("{} {word}", at(file, field)));
        }
    }
    if let Some(expiring) = file.get("points_expiring") {
        more.push(format!("{} expire on {}", at(expiring, "/points"), when(&at(expiring, "/at"))));
    }
    let points = at(file, "/points");
    if more.is_empty() { points } else { format!("{points} ({})", more.join(", ")) }
}

/// The ledger of a customer; of whoever others were merged into, each line says in whose ledger it stands.
fn listed(answer: &Value, customer: CustomerNumber) -> String {
    let entries = rows(answer, "/entries");
    if entries.is_empty() {
        return "no points yet".to_owned();
    }
    let several = entries.iter().any(|entry| *get(entry, "customer") != json!(customer));
    let row = |entry: &Value| {
        let at = |field| at(entry, field);
        let expires = when(&at("/expires_at"));
        [when(&at("/at")), at("/kind"), at("/points"), expires, at("/sale"), at("/hold")]
    };
    let header = ["AT", "KIND", "POINTS", "EXPIRE", "SALE", "HOLD"];
    if !several {
        return table(header, entries.iter().map(row));
    }
    let row = |entry: &Value| {
        let [when, kind, points, expires, sale, hold] = row(entry);
        [when, kind, points, expires, sale, hold, at(entry, "/customer")]
    };
    let [when, kind, points, expires, sale, hold] = header;
    table([when, kind, points, expires, sale, hold, "OF"], entries.iter().map(row))
}

fn undecided(answer: &Value) -> String {
    let open = rows(answer, "/adjustments");
    if open.is_empty() {
        return "no correction waits for a decision".to_owned();
    }
    let row = |row: &Value| {
        let at = |field| at(row, field);
        let who = match get(row, "operator").as_str() {
            Some(operator) => format!("{} ({operator})", at("/by")),
            None => at("/by"),
        };
        [at("/adjustment"), when(&at("/at")), at("/customer"), at("/points"), at("/reason"), who]
    };
    let mut text =
        table(["CORRECTION", "AT", "CUSTOMER", "POINTS", "REASON", "PROPOSED BY"], open.iter().map(row));
    text.push_str(
        "\nanother person decides: `ficha points approve CORRECTION`, `ficha points refuse CORRECTION`",
    );
    if get(answer, "more").as_bool() == Some(true) {
        text.push_str("\nthere are more; decide these first");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::points::AdjustReason;

    #[test]
    fn a_file_says_what_is_held_and_what_expires() {
        let file = json!({ "points": 40, "points_held": 30,
            "points_expiring": { "points": 40, "at": "2027-03-01T00:00:00.000000Z" } });
        assert_eq!(in_words(&json!({ "points": 40 })), "40");
        let words = in_words(&file);
        assert!(words.starts_with("40 (30 held, 40 expire on 2027-0"), "{words}");
    }

    #[test]
    fn lines_of_a_merged_customer_name_the_number_that_they_stand_under() {
        let [own, other] = [1, 2].map(|number| CustomerNumber(uuid::Uuid::from_u128(number)));
        let line = |of| json!({ "at": "x", "kind": "EARN", "points": 5, "customer": of });
        let text = listed(&json!({ "entries": [line(own), line(other)] }), own);
        assert!(text.contains("OF") && text.contains(&other.to_string()), "{text}");
        let text = listed(&json!({ "entries": [line(own)] }), own);
        assert!(!text.contains("OF") && !text.contains(&own.to_string()), "{text}");
    }

    #[test]
    fn what_is_to_be_decided_says_who_proposed_it_and_what_to_do() {
        let row = json!({ "adjustment": "01992d2c-0000-7000-8000-0000000000b1", "customer": "11111111-0000-4000-8000-000000000082",
            "points": -40, "reason": "FRAUD", "by": 1000, "operator": "A7", "own": false, "at": "2026-09-14T09:00:00.000000Z" });
        let text = undecided(&json!({ "adjustments": [row], "more": true }));
        for part in ["01992d2c-", "-40", "FRAUD", "1000 (A7)", "ficha points approve", "there are more"] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(undecided(&json!({ "adjustments": [], "more": false })).starts_with("no correction"));
    }

    #[test]
    fn the_daemon_knows_every_reason() {
        for reason in REASONS {
            assert!(serde_json::from_value::<AdjustReason>(json!(reason)).is_ok(), "{reason}");
        }
    }
}
