//! `ficha reward`.

use super::ask::{Asker, Key};
use super::sale::sum;
use super::say::{at, get, rows, table, when};
use crate::domain::id::CustomerNumber;
use serde_json::{Value, json};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// What a customer can have for points, and why not; what was redeemed.
    List {
        /// The customer number.
        customer: CustomerNumber,
    },
    /// Sets a reward's points aside for the sale that is being rung up; the sale names the hold in `rewards`.
    Redeem {
        /// The customer number.
        customer: CustomerNumber,
        /// The reward's id.
        reward: String,
        #[command(flatten)]
        key: Key,
    },
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        match self {
            Self::List { customer } => asker.tell("reward.list", json!({ "customer": customer }), listed),
            Self::Redeem { customer, reward, key } => {
                let params = json!({ "key": key.get(), "customer": customer, "reward": reward });
                asker.tell("reward.redeem", params, |answer| {
                    format!(
                        "{} ({}) is set aside as hold {} until {}",
                        at(answer, "/reward"),
                        gift(get(answer, "gift")),
                        at(answer, "/hold"),
                        when(&at(answer, "/until"))
                    )
                })
            }
        }
    }
}

fn gift(gift: &Value) -> String {
    match at(gift, "/kind").as_str() {
        "AMOUNT" => format!("{} off", sum(get(gift, "amount"))),
        "PERCENT" => format!("{} % off", at(gift, "/percent")),
        _ => at(gift, "/article"),
    }
}

fn listed(answer: &Value) -> String {
    let rewards = rows(answer, "/rewards");
    if rewards.is_empty() {
        return "there are no rewards: the config has no [[reward]]".to_owned();
    }
    let row = |reward: &Value| {
        let can = get(reward, "can").as_bool() == Some(true);
        let why = if can { "yes".to_owned() } else { at(reward, "/why_not") };
        [at(reward, "/reward"), at(reward, "/name"), gift(get(reward, "gift")), at(reward, "/cost"), why]
    };
    let offered = table(["REWARD", "NAME", "IS", "POINTS", "CAN HAVE"], rewards.iter().map(row));
    let redeemed = rows(answer, "/redeemed");
    let text = format!("{} points available\n{offered}", at(answer, "/available"));
    if redeemed.is_empty() {
        return text;
    }
    let row = |kept: &Value| {
        [
            when(&at(kept, "/at")),
            at(kept, "/reward"),
            at(kept, "/state"),
            at(kept, "/sale"),
            at(kept, "/hold"),
        ]
    };
    format!("{text}\n\n{}", table(["AT", "REDEEMED", "STATE", "SALE", "HOLD"], redeemed.iter().map(row)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reward_says_what_it_is_and_why_not() {
        let answer = json!({ "available": 40, "redeemed": [], "rewards": [
            { "reward": "off", "name": "Off", "cost": 50, "can": false, "why_not": "10 points are lacking",
              "gift": { "kind": "AMOUNT", "amount": { "minor": 300, "currency": "EUR", "exponent": 2 } } },
            { "reward": "ten", "name": "Ten", "cost": 5, "can": true, "gift": { "kind": "PERCENT", "percent": 10 } }] });
        let text = listed(&answer);
        assert!(text.contains("3.00 EUR off") && text.contains("10 points are lacking"), "{text}");
        assert!(text.contains("10 % off") && text.contains("yes"), "{text}");
        assert!(listed(&json!({ "rewards": [] })).contains("[[reward]]"));
    }
}
