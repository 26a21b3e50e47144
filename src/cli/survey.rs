//! `ficha survey`.

use super::ask::{Asker, Key, optional};
use super::customer::{given, plain};
use super::input;
use super::say::{NOTHING, at, get, rows, table, when};
use crate::domain::id::CustomerNumber;
use serde_json::{Value, json};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lists the surveys of the config with their questions.
    List,
    /// Says which surveys a customer can be asked now, and why the others cannot.
    Due {
        /// The customer number.
        customer: CustomerNumber,
    },
    /// Keeps what a customer answered: a JSON object by question, on standard input, or asked for.
    Answer {
        /// The customer number.
        customer: CustomerNumber,
        /// The survey.
        survey: String,
        /// How the customer was asked: the words of `ficha contact record`; IN_STORE without it.
        #[arg(long)]
        channel: Option<String>,
        #[command(flatten)]
        key: Key,
    },
    /// Shows what a customer answered, newest first.
    Answers {
        /// The customer number.
        customer: CustomerNumber,
    },
    /// Counts what all customers answered.
    Results {
        /// The survey.
        survey: String,
    },
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        match self {
            Self::List => asker.tell("survey.list", json!({}), listed),
            Self::Due { customer } => asker.tell("survey.due", json!({ "customer": customer }), due),
            Self::Answer { customer, survey, channel, key } => {
                let answers = given(&input::whole("the answers as JSON")?)?;
                let mut params =
                    json!({ "key": key.get(), "customer": customer, "survey": survey, "answers": answers });
                let channel = channel.as_ref().map(|channel| channel.to_uppercase());
                optional(&mut params, &[("channel", channel.as_deref())]);
                asker.tell("survey.answer", params, |answer| format!("answer {} kept", at(answer, "/answer")))
            }
            Self::Answers { customer } => {
                asker.tell("survey.answers", json!({ "customer": customer }), answered)
            }
            Self::Results { survey } => asker.tell("survey.results", json!({ "survey": survey }), results),
        }
    }
}

fn listed(answer: &Value) -> String {
    let surveys = rows(answer, "/surveys");
    if surveys.is_empty() {
        return "no surveys; `[[survey]]` of the config has them".to_owned();
    }
    let questions = |survey: &Value| {
        let row = |question: &Value| {
            let choices: Vec<String> = rows(question, "/choices").iter().map(plain).collect();
            let kind = match get(question, "kind").as_str() {
                Some("CHOICE") => choices.join(", "),
                Some("SCALE") => format!("{} to {}", at(question, "/min"), at(question, "/max")),
                Some("YES_NO") => "yes or no".to_owned(),
                _ => "anything".to_owned(),
            };
            let texts = get(question, "texts").as_object();
            let first = texts.and_then(|texts| texts.values().next()).map_or(String::new(), plain);
            [at(survey, "/survey"), at(question, "/question"), kind, first]
        };
        rows(survey, "/questions").iter().map(row).collect::<Vec<_>>()
    };
    let mut text = table(["SURVEY", "QUESTION", "ANSWER", "WORDS"], surveys.iter().flat_map(questions));
    for survey in surveys {
        let runs = if get(survey, "runs").as_bool() == Some(true) { "asked now" } else { "not asked now" };
        let to = get(survey, "to").as_str().map_or(String::new(), |to| format!(" to {to}"));
        text.push_str(&format!("\n{} from {}{to}: {runs}", at(survey, "/survey"), at(survey, "/from")));
    }
    text
}

fn due(answer: &Value) -> String {
    let row = |row: &Value| {
        let why = match get(row, "why_not").as_str() {
            None => "can be asked".to_owned(),
            Some("NOT_RUNNING") => "is not asked now".to_owned(),
            Some("OPTED_OUT") => "wants nothing more".to_owned(),
            Some(_) => match get(row, "again_at").as_str() {
                Some(again) => format!("was answered; again from {}", when(again)),
                None => "was answered".to_owned(),
            },
        };
        [at(row, "/survey"), why]
    };
    let surveys = rows(answer, "/surveys");
    if surveys.is_empty() {
        return "no surveys; `[[survey]]` of the config has them".to_owned();
    }
    table(["SURVEY", "NOW"], surveys.iter().map(row))
}

fn answered(answer: &Value) -> String {
    let answers = rows(answer, "/answers");
    if answers.is_empty() {
        return "no answers".to_owned();
    }
    let row = |row: &Value| {
        let said = get(row, "answers").as_object().into_iter().flatten();
        let said: Vec<String> =
            said.map(|(question, answer)| format!("{question}: {}", plain(answer))).collect();
        [when(&at(row, "/at")), at(row, "/survey"), at(row, "/channel"), said.join("; ")]
    };
    table(["WHEN", "SURVEY", "CHANNEL", "ANSWERS"], answers.iter().map(row))
}

fn results(answer: &Value) -> String {
    let row = |row: &Value| {
        let counts = get(row, "counts").as_object().into_iter().flatten();
        let counts: Vec<String> = counts.map(|(said, count)| format!("{said}: {count}")).collect();
        let mean = get(row, "mean_hundredths").as_i64();
        let mean = mean.map_or_else(
            || NOTHING.to_owned(),
            |mean| format!("{}.{:02}", mean.div_euclid(100), mean.rem_euclid(100)),
        );
        [at(row, "/question"), at(row, "/answered"), mean, counts.join("  ")]
    };
    let rows = rows(answer, "/questions");
    let head = format!("answers to {}: {}", at(answer, "/survey"), at(answer, "/answers"));
    if rows.is_empty() {
        return head;
    }
    format!("{head}\n\n{}", table(["QUESTION", "ANSWERED", "MEAN", "COUNTS"], rows.iter().map(row)))
}
