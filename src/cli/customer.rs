//! `ficha enrol`, `find` and `object`.

use super::ask::{Asker, Key, Usage};
use super::say::{at, get, rows, table};
use super::{input, merge, say};
use crate::domain::contact::{CallingCode, E164, Email};
use crate::domain::id::CustomerNumber;
use clap::ValueEnum;
use serde_json::{Map, Value, json};

/// Takes in a new customer. The person comes from standard input as a JSON object in the words of schema.org's Person
/// (`givenName`, `familyName`, `telephone`: [{"e164"}], `email`: [{"addr"}], `address`, `birthDay`, ...: PROTOCOL.md has all), or is
/// asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Enrol {
    #[command(flatten)]
    key: Key,
}

impl Enrol {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let person = if input::is_person() {
            asked(asker.calling_code()?, input::line)?
        } else {
            given(&input::whole("the person as JSON")?)?
        };
        let params = json!({ "key": self.key.get(), "person": person });
        asker.tell("customer.enrol", params, |answer| {
            let customer = at(answer, "/customer");
            let opted_out = if get(answer, "opted_out").as_bool() == Some(true) {
                "\nonce asked not to be written to: ask anew before anything is sent"
            } else {
                ""
            };
            let known = if get(answer, "known").as_bool() == Some(true) {
                "\na telephone number or address is another customer's too: `ficha find` shows whose"
            } else {
                ""
            };
            let found = rows(answer, "/duplicates");
            let known = match found {
                [] => known.to_owned(),
                _ => format!("\nmay be here already:\n{}", merge::listed(found)),
            };
            format!(
                "customer {customer} enrolled{known}{opted_out}\nprint a card with `ficha card print {customer}`"
            )
        })
    }
}

/// A JSON object as it was given.
pub(super) fn given(text: &str) -> anyhow::Result<Value> {
    // What stands there is a person's data: the place of the mistake is said, the text is not.
    let mistake = |error: serde_json::Error| {
        Usage(format!("standard input is no JSON object: line {}, column {}", error.line(), error.column()))
    };
    Ok(Value::Object(serde_json::from_str::<Map<String, Value>>(text).map_err(mistake)?))
}

/// Asks for the person field by field; an empty line leaves a field out. What the daemon would refuse is asked again at once, so that
/// one slip does not cost all the answers.
fn asked(
    calling_code: Option<CallingCode>,
    mut line: impl FnMut(&str) -> anyhow::Result<String>,
) -> anyhow::Result<Value> {
    let mut answers = Vec::new();
    for (question, at) in QUESTIONS.into_iter().zip(0_usize..) {
        let mut answer = line(question)?;
        while let Some(problem) = slip(at, &answer, calling_code) {
            say::aside_block(&problem);
            answer = line(question)?;
        }
        answers.push(answer);
    }
    Ok(form(&answers))
}

/// Where the telephone number and the e-mail address stand in [`QUESTIONS`].
const PHONE: usize = 4;
const EMAIL: usize = 5;

/// What is wrong with an answer, as far as it can be told before it is sent.
fn slip(at: usize, answer: &str, calling_code: Option<CallingCode>) -> Option<String> {
    match at {
        _ if answer.is_empty() => None,
        PHONE => E164::parse(answer, calling_code).err().map(|error| error.to_string()),
        EMAIL => Email::parse(answer).err().map(|error| error.to_string()),
        _ => None,
    }
}

/// What a person is asked, in the order of [`form`].
pub(super) const QUESTIONS: [&str; 7] = [
    "Given name",
    "Family name",
    "Second family name",
    "Wants to be called",
    "Phone",
    "E-mail",
    "Languages (es, en-GB)",
];

/// The answers to [`QUESTIONS`] as the daemon takes a person.
pub(super) fn form(answers: &[String]) -> Value {
    let answer = |index: usize| answers.get(index).map_or("", |text| text.trim());
    let mut person = Map::new();
    for (index, field) in ["givenName", "familyName", "familyName2", "preferredName"].into_iter().enumerate()
    {
        if !answer(index).is_empty() {
            person.insert(field.to_owned(), answer(index).into());
        }
    }
    if !answer(PHONE).is_empty() {
        person.insert("telephone".to_owned(), json!([{ "e164": answer(PHONE) }]));
    }
    if !answer(EMAIL).is_empty() {
        person.insert("email".to_owned(), json!([{ "addr": answer(EMAIL) }]));
    }
    let languages: Vec<&str> =
        answer(6).split([',', ' ', ';']).map(str::trim).filter(|tag| !tag.is_empty()).collect();
    if !languages.is_empty() {
        person.insert("knowsLanguage".to_owned(), json!(languages));
    }
    Value::Object(person)
}

/// By what a customer is looked for.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum By {
    /// The code on the card.
    Code,
    /// A telephone number.
    Phone,
    /// An e-mail address.
    Email,
    /// The beginnings of names.
    Name,
}

impl By {
    fn field(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Name => "name",
        }
    }
}

/// What else may be known of somebody whose name is.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum With {
    /// `MM-DD` or `YYYY-MM-DD`.
    Birthday,
    /// As it is written.
    Postcode,
}

impl With {
    fn field(self) -> &'static str {
        match self {
            Self::Birthday => "birthday",
            Self::Postcode => "postcode",
        }
    }
}

/// Finds customers. What to look for is one line of standard input, or asked for. A name is found as it begins, as it sounds
/// and with a slip in it.
#[derive(Debug, clap::Args)]
pub(super) struct Find {
    /// What is looked for.
    #[arg(long, value_enum, default_value = "name")]
    by: By,
    /// Narrows a search by name: one more line each, in this order.
    #[arg(long, value_enum)]
    with: Vec<With>,
}

impl Find {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let wanted = input::needed(self.by.field())?;
        let mut search = Map::from_iter([(self.by.field().to_owned(), Value::from(wanted))]);
        for with in &self.with {
            search.insert(with.field().to_owned(), input::needed(with.field())?.into());
        }
        asker.tell("customer.find", search.into(), |answer| {
            let found = rows(answer, "/rows");
            if found.is_empty() {
                return "nobody found".to_owned();
            }
            let row = |row: &Value| {
                ["/customer", "/name", "/phone", "/score", "/issues_open"].map(|field| at(row, field))
            };
            let mut text = table(["CUSTOMER", "NAME", "PHONE", "FITS", "OPEN ISSUES"], found.iter().map(row));
            if *get(answer, "more") == true {
                text.push_str("\nthere are more: tell more of what you look for");
            }
            text
        })
    }
}

/// Notes that a customer does not want to be profiled: to be sorted into segments, or have their worth reckoned.
#[derive(Debug, clap::Args)]
pub(super) struct Object {
    /// The customer number.
    customer: CustomerNumber,
    /// Takes the objection back.
    #[arg(long)]
    withdraw: bool,
    #[command(flatten)]
    key: Key,
}

impl Object {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let params = json!({ "key": self.key.get(), "customer": self.customer, "objects": !self.withdraw });
        asker.tell("customer.object", params, |answer| noted(answer, self.withdraw))
    }
}

/// What was noted; what was said under a number that was merged holds on.
fn noted(answer: &Value, withdraw: bool) -> String {
    match (get(answer, "objects").as_bool() == Some(true), withdraw) {
        (true, false) => "noted: no profiling".to_owned(),
        (false, _) => "noted: the objection is taken back".to_owned(),
        (true, true) => {
            let under = get(answer, "objects_under").as_array().map(Vec::as_slice).unwrap_or_default();
            let under: Vec<&str> = under.iter().filter_map(Value::as_str).collect();
            let under = under.join(", ");
            format!(
                "noted; still no profiling, for what was merged from {under}: `ficha unmerge`, then take that back too"
            )
        }
    }
}

/// A JSON value in words: lists with commas, objects by their values.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => super::say::NOTHING.to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(map) => map.values().map(plain).collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::person::Person;

    #[test]
    fn the_form_is_what_the_daemon_takes() {
        let answers = ["María", "García", "López", "", "+34 600 123 456", "m@example.org", "es, en-GB"];
        let form = form(&answers.map(str::to_owned));
        let person = Person::read(form.as_object().unwrap(), None).unwrap();
        assert_eq!(person.greeting_name(), "María García");
        assert_eq!(person.knows_language, ["es", "en-GB"]);
        assert_eq!((person.telephone.len(), person.email.len()), (1, 1));
        assert_eq!(super::form(&[]), json!({}));
    }

    #[test]
    fn a_slip_in_a_number_or_an_address_is_asked_again_and_nothing_else_is_lost() {
        let typed = ["Ana", "", "", "", "12", "600 111 222", "no address", "a@example.org", "es"];
        let (mut typed, mut asked_for) = (typed.iter(), Vec::new());
        let person = asked("34".parse().ok(), |question: &str| {
            asked_for.push(question.to_owned());
            Ok(typed.next().map(|text| (*text).to_owned()).unwrap_or_default())
        });
        let wanted = json!({
            "givenName": "Ana", "telephone": [{ "e164": "600 111 222" }], "email": [{ "addr": "a@example.org" }],
            "knowsLanguage": ["es"],
        });
        assert_eq!(person.unwrap(), wanted);
        assert_eq!(asked_for[4..8], ["Phone", "Phone", "E-mail", "E-mail"]);
    }

    #[test]
    fn a_mistake_in_the_json_is_placed_and_never_quoted() {
        let error = given("{\"givenName\": María}").unwrap_err().to_string();
        assert!(error.contains("line 1, column 15") && !error.contains("Mar"), "{error}");
        assert!(given("[]").is_err());
    }
}
