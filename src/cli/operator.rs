//! `ficha operator`. Signing on is one connection's, so the option `--operator` does it for whatever command it stands at.

use super::ask::{Asker, Key, Usage};
use super::input;
use super::say::{at, fields, get, rows, safe, table, when};
use crate::domain::operator::{Operator, Pin};
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Takes an operator on, gives another PIN, lets one go or come back. For managers.
    Set {
        /// The shop's code for whoever stands at the till: 1 to 16 letters, digits, `.`, `_`, `-`; never a name.
        code: Operator,
        /// Asks for no new PIN: the one there is stays.
        #[arg(long)]
        keep_pin: bool,
        /// Whether they may sign on; stays as it is without this.
        #[arg(long, value_parser = PossibleValuesParser::new(["yes", "no"]))]
        active: Option<String>,
        #[command(flatten)]
        key: Key,
    },
    /// Lists the operators. For managers.
    List,
    /// Says who you are to the daemon; with `--operator`, whether the PIN is right.
    Whoami,
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        match self {
            Self::Set { code, keep_pin, active, key } => {
                let pin = (!keep_pin).then(|| chosen(code)).transpose()?;
                let pin = pin.as_ref().map(Pin::reveal);
                let active = active.as_ref().map(|word| word == "yes");
                let params = json!({ "key": key.get(), "operator": code, "pin": pin, "active": active });
                asker.tell("operator.set", params, |answer| {
                    let may = get(answer, "active").as_bool() == Some(true);
                    format!(
                        "{} {}",
                        at(answer, "/operator"),
                        if may { "may sign on" } else { "may not sign on" }
                    )
                })
            }
            Self::List => asker.tell("operator.list", json!({}), listed),
            Self::Whoami => asker.tell("operator.whoami", json!({}), |answer| {
                let roles: Vec<String> = rows(answer, "/roles").iter().map(|role| at(role, "")).collect();
                fields([
                    ("User", at(answer, "/uid")),
                    ("Roles", roles.join(" ")),
                    ("Operator", at(answer, "/operator")),
                    ("Until", when(&at(answer, "/until"))),
                ])
            }),
        }
    }
}

/// A new PIN, typed twice by a person.
fn chosen(operator: &Operator) -> anyhow::Result<Pin> {
    let first = asked(&format!("New PIN of {operator}"))?;
    if input::is_person() && asked("The same again")?.reveal() != first.reveal() {
        return Err(Usage("the two are not the same: nothing was changed".to_owned()).into());
    }
    Ok(first)
}

/// A PIN, which is not shown while it is typed.
pub(super) fn asked(question: &str) -> anyhow::Result<Pin> {
    let text = input::hidden(question)?;
    let bad = |error| Usage(format!("the PIN, which is read from standard input: {error}")).into();
    Pin::try_from(text.to_string()).map_err(bad)
}

/// Who did something: the user, and in brackets who was signed on.
pub(super) fn by(row: &Value, uid: &str, operator: &str) -> String {
    let uid = at(row, &format!("/{uid}"));
    match get(row, operator).as_str() {
        Some(operator) => safe(&format!("{uid} ({operator})")).into_owned(),
        None => uid,
    }
}

fn listed(answer: &Value) -> String {
    let row = |row: &Value| {
        let may = if get(row, "active").as_bool() == Some(true) { "yes" } else { "no" };
        [
            at(row, "/operator"),
            may.to_owned(),
            when(&at(row, "/set_at")),
            by(row, "set_by", "set_by_operator"),
        ]
    };
    let kept = rows(answer, "/rows");
    if kept.is_empty() {
        return "no operators: `ficha operator set CODE` takes one on".to_owned();
    }
    table(["OPERATOR", "ACTIVE", "SET", "BY"], kept.iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_a_table() {
        let answer = json!({ "rows": [
            { "operator": "A7", "active": true, "set_at": "2026-09-14T09:00:00.000000Z", "set_by": 900, "set_by_operator": null },
            { "operator": "B2", "active": false, "set_at": "2026-09-14T09:00:00.000000Z", "set_by": 900, "set_by_operator": "A7" }] });
        let text = listed(&answer);
        for part in ["A7", "yes", "B2", "no", "900 (A7)"] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(listed(&json!({ "rows": [] })).contains("operator set"));
    }
}
