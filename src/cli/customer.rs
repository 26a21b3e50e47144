//! `ficha enrol`, `find` and `show`.

use super::ask::{Asker, Key, Usage};
use super::say::{at, get, rows, safe, table, when};
use super::{card, input, issue, merge, sale};
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
        let person = if input::is_person() { asked()? } else { given(&input::whole("the person as JSON")?)? };
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

/// Asks for the person field by field; an empty line leaves a field out.
fn asked() -> anyhow::Result<Value> {
    let mut answers = Vec::new();
    for question in QUESTIONS {
        answers.push(input::line(question)?);
    }
    Ok(form(&answers))
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
    if !answer(4).is_empty() {
        person.insert("telephone".to_owned(), json!([{ "e164": answer(4) }]));
    }
    if !answer(5).is_empty() {
        person.insert("email".to_owned(), json!([{ "addr": answer(5) }]));
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

/// Shows a customer.
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// The customer number.
    customer: CustomerNumber,
}

impl Show {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        asker.tell("customer.show", json!({ "customer": self.customer }), shown)
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
        asker.tell("customer.object", params, |answer| {
            let objects = get(answer, "objects").as_bool() == Some(true);
            if objects { "noted: no profiling" } else { "noted: the objection is taken back" }.to_owned()
        })
    }
}

fn shown(answer: &Value) -> String {
    let mut text = head(answer);
    if let Some(person) = answer.get("person").and_then(Value::as_object) {
        text.push_str("\n\nPerson\n");
        let row = |(name, value): (&String, &Value)| [name.clone(), plain(value)];
        text.push_str(&table(["FIELD", "VALUE"], person.iter().map(row)));
    }
    let issues = rows(answer, "/file/issues");
    if !issues.is_empty() {
        text.push_str("\n\nOpen issues\n");
        text.push_str(&issue::listed(issues));
    }
    let cards = rows(answer, "/cards");
    if !cards.is_empty() {
        text.push_str("\n\nCards\n");
        text.push_str(&card::listed(cards));
    }
    let merged = rows(answer, "/merged");
    if !merged.is_empty() {
        text.push_str("\n\nMerged into this customer\n");
        let row = |row: &Value| [at(row, "/merge"), at(row, "/customer"), when(&at(row, "/at"))];
        text.push_str(&table(["MERGE", "CUSTOMER", "WHEN"], merged.iter().map(row)));
    }
    let preferences = rows(answer, "/file/preferences");
    if !preferences.is_empty() {
        text.push_str("\n\nPreferences");
        preferences.iter().for_each(|line| text.push_str(&format!("\n  {}", safe(&plain(line)))));
    }
    let tables: [(&str, &str, Lines); 3] = [
        ("Plans", "/plans", super::plan::listed),
        ("Consents", "/consents", super::consent::standing),
        ("Last contacts", "/contacts", super::contact::lines),
    ];
    for (heading, place, lines) in tables {
        if !rows(answer, place).is_empty() {
            text.push_str(&format!("\n\n{heading}\n{}", lines(rows(answer, place))));
        }
    }
    let notes = rows(answer, "/notes");
    if !notes.is_empty() {
        text.push_str("\n\nNotes");
        for note in notes {
            let note = plain(note);
            let mut mark = "- ";
            for line in note.lines() {
                text.push_str(&format!("\n{mark}{}", safe(line)));
                mark = "  ";
            }
        }
    }
    text
}

/// Rows of an answer as lines for people.
type Lines = fn(&[Value]) -> String;

fn head(answer: &Value) -> String {
    let locked =
        if answer.pointer("/file/vault_locked").is_some() { "locked: no names" } else { super::say::NOTHING };
    super::say::fields([
        ("Customer", at(answer, "/file/customer")),
        ("Name", at(answer, "/file/name")),
        ("Level", at(answer, "/file/level")),
        ("Class", at(answer, "/file/class")),
        ("Points", super::points::in_words(super::say::get(answer, "file"))),
        ("Enrolled", when(&at(answer, "/enrolled_at"))),
        ("Visits", at(answer, "/visits")),
        ("Last visit", when(&at(answer, "/last_visit_at"))),
        ("Sales", at(answer, "/bought/sales")),
        ("Turnover", sale::sums(rows(answer, "/bought/turnover"))),
        ("Last sale", when(&at(answer, "/bought/last_at"))),
        ("Vault", locked.to_owned()),
    ])
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
    fn a_mistake_in_the_json_is_placed_and_never_quoted() {
        let error = given("{\"givenName\": María}").unwrap_err().to_string();
        assert!(error.contains("line 1, column 15") && !error.contains("Mar"), "{error}");
        assert!(given("[]").is_err());
    }

    #[test]
    fn a_whole_customer_is_shown_without_control_characters() {
        let answer = json!({
            "file": { "customer": "c-1", "name": "M\u{1b}[2J", "level": null, "points": 0, "issues_open": 1,
                "issues": [{ "issue": "i-1", "kind": "WARRANTY", "state": "NEW", "model": null, "opened_at": "x", "hint": "h\u{7}" }],
                "preferences": ["receipt: none"] },
            "person": { "givenName": "María", "telephone": [{ "e164": "+34600123456", "type": "cell" }] },
            "notes": ["first\nsecond\u{1b}"],
            "cards": [{ "card": "k-1", "kind": "QR", "status": "ACTIVE", "reason": null, "issued_at": "y", "replaced_by": null }],
            "enrolled_at": "z", "visits": 3, "last_visit_at": null,
            "bought": { "sales": 2, "last_at": "w",
                "turnover": [{ "minor": 123450, "currency": "EUR", "exponent": 2 }, { "minor": 7, "currency": "JPY", "exponent": 0 }] },
        });
        let text = shown(&answer);
        for part in [
            "M\\u{1b}[2J",
            "+34600123456 cell",
            "h\\u{7}",
            "- first\n  second\\u{1b}",
            "k-1",
            "receipt: none",
            "1234.50 EUR, 7 JPY",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(!text.contains("Level") && !text.contains("Last visit"), "what is not known is left out");
    }
}
