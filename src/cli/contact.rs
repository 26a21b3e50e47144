//! `ficha contact`.

use super::ask::{Asker, Key, Usage, optional};
use super::say::{NOTHING, at, get, plain, rows, table, when};
use crate::domain::id::CustomerNumber;
use crate::domain::money::Currency;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};
use uuid::Uuid;

/// The words of `domain::contact::Channel`.
pub(super) const CHANNELS: [&str; 8] =
    ["IN_STORE", "TELEPHONE", "SMS", "EMAIL", "POST", "CHAT", "WEB", "APP"];

/// The words of `domain::contact::ResponseKind`.
const RESPONSES: [&str; 6] = ["DELIVERED", "OPENED", "CLICKED", "REPLIED", "BOUNCED", "OPTED_OUT"];

/// The words of `domain::contact::Direction`.
const DIRECTIONS: [&str; 2] = ["OUT", "IN"];

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Records that shop and customer had to do with each other.
    Record(Record),
    /// Records what came of a contact; whoever opts out withdraws their consent by it.
    Respond {
        /// The customer number.
        customer: CustomerNumber,
        /// The contact.
        contact: Uuid,
        /// What came of it.
        #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(RESPONSES))]
        response: String,
        #[command(flatten)]
        key: Key,
    },
    /// Lists a customer's contacts, newest first.
    List {
        /// The customer number.
        customer: CustomerNumber,
        /// Only by this way.
        #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(CHANNELS))]
        channel: Option<String>,
    },
    /// Says whether customers may be contacted, for what and by which way; if not, why.
    May {
        /// The customer numbers.
        #[arg(required = true)]
        customers: Vec<CustomerNumber>,
        /// Only for this.
        #[arg(long)]
        purpose: Option<String>,
        /// Only by this way.
        #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(CHANNELS))]
        channel: Option<String>,
    },
}

/// A contact.
#[derive(Debug, clap::Args)]
pub(super) struct Record {
    /// The customer number.
    customer: CustomerNumber,
    /// By which way.
    #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(CHANNELS))]
    channel: String,
    /// Who began: the shop (out) or the customer (in).
    #[arg(long, ignore_case = true, default_value = "out", value_parser = PossibleValuesParser::new(DIRECTIONS))]
    direction: String,
    /// What for, as `ficha consent texts` has it.
    #[arg(long)]
    purpose: Option<String>,
    /// The campaign, a word of your own.
    #[arg(long)]
    campaign: Option<String>,
    /// What was sent, a word of your own.
    #[arg(long)]
    template: Option<String>,
    /// What it cost, in minor units (cents of EUR); with `--currency`.
    #[arg(long, value_name = "MINOR", requires = "currency")]
    cost: Option<i64>,
    /// The currency of the cost.
    #[arg(long, requires = "cost")]
    currency: Option<Currency>,
    /// Records nothing unless the customer may be contacted for this.
    #[arg(long)]
    only_if_allowed: bool,
    #[command(flatten)]
    key: Key,
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        match self {
            Self::Record(record) => record.run(asker),
            Self::Respond { customer, contact, response, key } => {
                let response = response.to_uppercase();
                let params = json!({ "key": key.get(), "customer": customer, "contact": contact, "response": response });
                let done = format!("{} recorded", plain(&response));
                asker.tell("contact.respond", params, |_| done)
            }
            Self::List { customer, channel } => {
                let channel = channel.as_ref().map(|channel| channel.to_uppercase());
                let mut params = json!({ "customer": customer });
                optional(&mut params, &[("channel", channel.as_deref())]);
                asker.tell("contact.list", params, listed)
            }
            Self::May { customers, purpose, channel } => {
                let channel = channel.as_ref().map(|channel| channel.to_uppercase());
                let mut params = json!({ "customers": customers });
                optional(&mut params, &[("purpose", purpose.as_deref()), ("channel", channel.as_deref())]);
                asker.tell("contact.may", params, may)
            }
        }
    }
}

impl Record {
    fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let direction = self.direction.to_uppercase();
        let mut params = json!({
            "key": self.key.get(), "customer": self.customer, "channel": self.channel.to_uppercase(),
            "direction": direction,
        });
        if self.only_if_allowed && (self.purpose.is_none() || direction != "OUT") {
            return Err(
                Usage("`--only-if-allowed` is for what the shop sends: give `--purpose`".to_owned()).into()
            );
        }
        let words = [
            ("purpose", self.purpose.as_deref()),
            ("campaign", self.campaign.as_deref()),
            ("template", self.template.as_deref()),
        ];
        optional(&mut params, &words);
        if let Some(params) = params.as_object_mut() {
            if let (Some(minor), Some(currency)) = (self.cost, self.currency) {
                params.insert("cost".to_owned(), json!({ "minor": minor, "currency": currency }));
            }
            if self.only_if_allowed {
                params.insert("only_if_allowed".to_owned(), true.into());
            }
        }
        asker.tell("contact.record", params, |answer| format!("contact {} recorded", at(answer, "/contact")))
    }
}

fn listed(answer: &Value) -> String {
    let contacts = rows(answer, "/contacts");
    if contacts.is_empty() {
        return "no contacts".to_owned();
    }
    let sum = |channel: &Value| {
        let count =
            |told: &Value| format!("{} {}", at(told, "/count"), plain(&at(told, "/response")).to_lowercase());
        let responses: Vec<String> = rows(channel, "/responses").iter().map(count).collect();
        let cost = super::sale::sums(rows(channel, "/cost"));
        [at(channel, "/channel"), at(channel, "/out"), at(channel, "/in"), or_nothing(responses), cost]
    };
    let sums =
        table(["CHANNEL", "OUT", "IN", "RESPONSES", "COST"], rows(answer, "/channels").iter().map(sum));
    format!("{}\n\n{sums}", lines(contacts))
}

/// Contacts as a table: those of `contact.list`, or of a customer.
pub(super) fn lines(contacts: &[Value]) -> String {
    let row = |contact: &Value| {
        let text = |field| at(contact, field);
        let responses = rows(contact, "/responses").iter();
        let responses: Vec<String> =
            responses.map(|told| plain(&at(told, "/response")).to_lowercase()).collect();
        let about = [text("/purpose"), text("/campaign"), text("/template")];
        let about: Vec<String> = about.into_iter().filter(|word| word != NOTHING).collect();
        let head = [when(&text("/at")), text("/direction"), text("/channel")];
        let [at, direction, channel] = head;
        [text("/contact"), at, direction, channel, or_nothing(about), or_nothing(responses)]
    };
    table(["CONTACT", "AT", "WAY", "CHANNEL", "ABOUT", "RESPONSES"], contacts.iter().map(row))
}

fn or_nothing(words: Vec<String>) -> String {
    if words.is_empty() { NOTHING.to_owned() } else { words.join(", ") }
}

fn may(answer: &Value) -> String {
    let row = |row: &Value| {
        let text = |field| at(row, field);
        let answer = if *get(row, "may") == true { "yes".to_owned() } else { "no".to_owned() };
        let reason = plain(&text("/reason")).to_lowercase();
        [text("/customer"), text("/purpose"), text("/channel"), answer, reason, when(&text("/at"))]
    };
    table(
        ["CUSTOMER", "PURPOSE", "CHANNEL", "MAY", "WHY", "SINCE/UNTIL"],
        rows(answer, "/rows").iter().map(row),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::contact::{Channel, Direction, ResponseKind};

    #[test]
    fn the_daemon_knows_every_word() {
        assert_eq!(Channel::ALL.map(Channel::word), CHANNELS);
        for response in RESPONSES {
            assert!(serde_json::from_value::<ResponseKind>(json!(response)).is_ok(), "{response}");
        }
        for direction in DIRECTIONS {
            assert!(serde_json::from_value::<Direction>(json!(direction)).is_ok(), "{direction}");
        }
    }

    #[test]
    fn contacts_are_a_table_with_their_sums() {
        let answer = json!({
            "contacts": [{ "contact": "c-1", "at": "x", "direction": "OUT", "channel": "EMAIL", "purpose": "OFFERS",
                "campaign": "AUTUMN", "template": null, "responses": [{ "response": "OPTED_OUT", "at": "y" }] }],
            "channels": [{ "channel": "EMAIL", "out": 3, "in": 0, "responses": [{ "response": "OPENED", "count": 2 }],
                "cost": [{ "minor": 12, "currency": "EUR", "exponent": 2 }] }],
        });
        let text = listed(&answer);
        for part in ["OFFERS, AUTUMN", "opted out", "2 opened", "0.12 EUR"] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
}
