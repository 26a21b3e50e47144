//! `ficha change`.

use super::ask::{Asker, Key, Usage};
use super::customer::{QUESTIONS, form, given};
use super::say::{at, get, rows, safe};
use super::{input, merge};
use crate::domain::id::CustomerNumber;
use serde_json::{Map, Value, json};

/// Corrects what is kept of a customer. Standard input has a JSON object with the fields that change, in the words of
/// `ficha enrol` (a JSON merge patch, RFC 7396: what is `null` goes, lists come whole, all else stays); or the usual fields are
/// asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The customer number.
    customer: CustomerNumber,
    #[command(flatten)]
    key: Key,
}

impl Args {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let Self { customer, key } = self;
        let shown = asker.call("customer.show", json!({ "customer": customer }))?;
        let Some(person) = shown.get("person").filter(|person| person.is_object()) else {
            anyhow::bail!("the vault is locked, so nothing of a person can be changed: `ficha vault unlock`");
        };
        let patch =
            if input::is_person() { asked(person)? } else { given(&input::whole("what changes, as JSON")?)? };
        if patch.as_object().is_none_or(Map::is_empty) {
            return Err(Usage("nothing to change was given".to_owned()).into());
        }
        let person = merged(Some(person), patch);
        let params = json!({ "key": key.get(), "customer": customer, "person": person });
        asker.tell("customer.change", params, |answer| {
            let customer = at(answer, "/customer");
            match rows(answer, "/duplicates") {
                [] => format!("customer {customer} changed"),
                found => format!("customer {customer} changed\nmay be here twice:\n{}", merge::listed(found)),
            }
        })
    }
}

/// RFC 7396, section 2.
fn merged(target: Option<&Value>, patch: Value) -> Value {
    let Value::Object(patch) = patch else { return patch };
    let mut fields = target.and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(&name);
        } else {
            let changed = merged(fields.get(&name), value);
            fields.insert(name, changed);
        }
    }
    Value::Object(fields)
}

/// Asks field by field, with what is kept.
fn asked(person: &Value) -> anyhow::Result<Value> {
    let mut answers = Vec::new();
    for (question, kept) in QUESTIONS.iter().zip(kept(person)) {
        let kept =
            if kept.is_empty() { String::new() } else { format!(" [{}; - takes it out]", safe(&kept)) };
        answers.push(input::line(&format!("{question}{kept}"))?);
    }
    Ok(patch(person, &answers))
}

/// Where the answers to [`QUESTIONS`] stand in a person.
const FIELDS: [&str; 7] =
    ["givenName", "familyName", "familyName2", "preferredName", "telephone", "email", "knowsLanguage"];

/// What a person has for each of [`QUESTIONS`], as they would type it.
fn kept(person: &Value) -> [String; 7] {
    let languages =
        rows(person, "/knowsLanguage").iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
    let text = |pointer: &str| person.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    FIELDS.map(|field| match field {
        "telephone" => text("/telephone/0/e164"),
        "email" => text("/email/0/addr"),
        "knowsLanguage" => languages.clone(),
        name => text(&format!("/{name}")),
    })
}

/// The answers as a merge patch: an empty one keeps, `-` takes out. Of several numbers or addresses the first is meant.
fn patch(person: &Value, answers: &[String]) -> Value {
    let given: Vec<String> =
        answers.iter().map(|answer| if answer == "-" { String::new() } else { answer.clone() }).collect();
    let given = form(&given);
    let mut patch = Map::new();
    for (field, answer) in FIELDS.into_iter().zip(answers).filter(|(_, answer)| !answer.is_empty()) {
        let new = get(&given, field).clone();
        let value = match field {
            "telephone" | "email" => {
                let mut list = rows(person, &format!("/{field}")).to_vec();
                let first = if list.is_empty() { None } else { Some(list.remove(0)) };
                let new =
                    new.as_array().and_then(|new| new.first()).map(|new| merged(first.as_ref(), new.clone()));
                list.splice(0..0, new);
                if list.is_empty() { Value::Null } else { Value::Array(list) }
            }
            _ => new,
        };
        if answer == "-" || !value.is_null() {
            patch.insert(field.to_owned(), value);
        }
    }
    Value::Object(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ana() -> Value {
        json!({ "givenName": "Ana", "familyName": "Example", "knowsLanguage": ["es", "en"],
            "telephone": [{ "e164": "+34600555012", "type": "cell" }, { "e164": "+34910555012" }] })
    }

    #[test]
    fn the_examples_of_the_rfc() {
        for (target, patch, result) in [
            (json!({ "a": "b" }), json!({ "a": "c" }), json!({ "a": "c" })),
            (json!({ "a": "b" }), json!({ "b": "c" }), json!({ "a": "b", "b": "c" })),
            (json!({ "a": "b" }), json!({ "a": null }), json!({})),
            (json!({ "a": "b", "b": "c" }), json!({ "a": null }), json!({ "b": "c" })),
            (json!({ "a": ["b"] }), json!({ "a": "c" }), json!({ "a": "c" })),
            (json!({ "a": "c" }), json!({ "a": ["b"] }), json!({ "a": ["b"] })),
            (
                json!({ "a": { "b": "c" } }),
                json!({ "a": { "b": "d", "c": null } }),
                json!({ "a": { "b": "d" } }),
            ),
            (json!({ "e": null }), json!({ "a": 1 }), json!({ "e": null, "a": 1 })),
            (json!([1, 2]), json!({ "a": "b", "c": null }), json!({ "a": "b" })),
            (json!({}), json!({ "a": { "bb": { "ccc": null } } }), json!({ "a": { "bb": {} } })),
        ] {
            assert_eq!(merged(Some(&target), patch.clone()), result, "{target} and {patch}");
        }
    }

    #[test]
    fn an_empty_answer_keeps_and_a_dash_takes_out() {
        assert_eq!(kept(&ana()), ["Ana", "Example", "", "", "+34600555012", "", "es, en"]);
        let answers = ["Anna", "", "", "", "600 555 013", "", "-"].map(str::to_owned);
        let found = merged(Some(&ana()), patch(&ana(), &answers));
        let wanted = json!({ "givenName": "Anna", "familyName": "Example",
            "telephone": [{ "e164": "600 555 013", "type": "cell" }, { "e164": "+34910555012" }] });
        assert_eq!(found, wanted);
        let answers = ["", "-", "", "", "-", "-", ""].map(str::to_owned);
        let found = merged(Some(&ana()), patch(&ana(), &answers));
        let wanted = json!({ "givenName": "Ana", "knowsLanguage": ["es", "en"], "telephone": [{ "e164": "+34910555012" }] });
        assert_eq!(found, wanted);
        assert_eq!(patch(&ana(), &["", "", "", "", "", "", ""].map(str::to_owned)), json!({}));
    }
}
