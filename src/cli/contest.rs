//! `ficha contest`.

use super::ask::{Asker, Key, optional};
use super::say::{at, get, rows, table, to_the_second, when};
use crate::domain::id::{CustomerNumber, SaleId};
use serde_json::{Value, json};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lists the contests of the config, and who won.
    List,
    /// Enters a customer.
    Enter {
        /// The customer number.
        customer: CustomerNumber,
        /// The contest.
        contest: String,
        /// The sale that the entry goes with, where the contest asks for one.
        #[arg(long)]
        sale: Option<SaleId>,
        #[command(flatten)]
        key: Key,
    },
    /// Lists the entries of a contest, or of one customer.
    Entries {
        /// The contest.
        contest: String,
        /// This customer's alone.
        #[arg(long)]
        customer: Option<CustomerNumber>,
    },
    /// Draws a contest, once, after its last day.
    Draw {
        /// The contest.
        contest: String,
        #[command(flatten)]
        key: Key,
    },
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        match self {
            Self::List => asker.tell("contest.list", json!({}), listed),
            Self::Enter { customer, contest, sale, key } => {
                let mut params = json!({ "key": key.get(), "customer": customer, "contest": contest });
                let sale = sale.map(|sale| sale.to_string());
                optional(&mut params, &[("sale", sale.as_deref())]);
                asker.tell("contest.enter", params, |answer| format!("entry {} kept", at(answer, "/entry")))
            }
            Self::Entries { contest, customer } => entries(asker, contest, *customer),
            Self::Draw { contest, key } => {
                let params = json!({ "key": key.get(), "contest": contest });
                asker.tell("contest.draw", params, |answer| drawn(get(answer, "drawn")))
            }
        }
    }
}

fn listed(answer: &Value) -> String {
    let contests = rows(answer, "/contests");
    if contests.is_empty() {
        return "no contests; `[[contest]]` of the config has them".to_owned();
    }
    let row = |contest: &Value| {
        let state = match (get(contest, "drawn").is_object(), get(contest, "runs").as_bool()) {
            (true, _) => "drawn",
            (false, Some(true)) => "takes entries",
            (false, _) => "not drawn",
        };
        let least = contest.get("per_sale").filter(|least| least.is_object());
        let least =
            least.map_or_else(|| "none".to_owned(), |least| super::sale::sums(std::slice::from_ref(least)));
        [at(contest, "/contest"), at(contest, "/from"), at(contest, "/to"), least, state.to_owned()]
    };
    let mut text = table(["CONTEST", "FROM", "TO", "SALE OF", "STATE"], contests.iter().map(row));
    for contest in contests {
        if get(contest, "drawn").is_object() {
            text.push_str(&format!("\n\n{}: {}", at(contest, "/contest"), drawn(get(contest, "drawn"))));
        }
    }
    text
}

fn drawn(drawn: &Value) -> String {
    let head = format!(
        "drawn {} among {} entries ({} could not win), seed {}",
        to_the_second(&at(drawn, "/at")),
        at(drawn, "/entries"),
        at(drawn, "/not_eligible"),
        at(drawn, "/seed")
    );
    let winners = rows(drawn, "/winners");
    if winners.is_empty() {
        return format!("{head}\nnobody won");
    }
    let row = |winner: &Value| [at(winner, "/customer"), at(winner, "/entry")];
    format!("{head}\n\n{}", table(["WON", "ENTRY"], winners.iter().map(row)))
}

/// Every page of them.
fn entries(asker: &Asker, contest: &str, customer: Option<CustomerNumber>) -> anyhow::Result<()> {
    let mut after = Value::Null;
    loop {
        let mut params = json!({ "contest": contest });
        if let Some(params) = params.as_object_mut() {
            params.extend(customer.map(|customer| ("customer".to_owned(), json!(customer))));
            params.extend((!after.is_null()).then(|| ("after".to_owned(), after.clone())));
        }
        let mut client = asker.connect()?;
        let answer = super::ask::request(&mut client, "contest.entries", params)?;
        asker.say(&answer, |answer| {
            let row = |entry: &Value| {
                let text = |field| at(entry, field);
                let can_win = if *get(entry, "eligible") == false { "no" } else { "yes" };
                [text("/entry"), text("/customer"), text("/sale"), when(&text("/at")), can_win.to_owned()]
            };
            let entries = rows(answer, "/entries");
            if entries.is_empty() {
                return "no entries".to_owned();
            }
            table(["ENTRY", "CUSTOMER", "SALE", "WHEN", "CAN WIN"], entries.iter().map(row))
        })?;
        after = get(&answer, "next").clone();
        if after.is_null() {
            return Ok(());
        }
    }
}
