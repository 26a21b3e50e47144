//! Surveys: what can be asked, what a customer answered, what all answers come to.
//!
//! Answers lie in the vault, each with its customer, and go with them. At a counter customers answer of their own will; whether
//! somebody may be written to or called for it, `contact.may` says.

pub mod settings;

use super::compose::tills;
use super::contact::EVERYTHING;
use super::issue::check_text;
use super::person::{keys_of, no_such_customer};
use super::request::Ask;
use super::{Desk, Opened, random, waiting};
use crate::domain::contact::Channel;
use crate::domain::event::Outcome;
use crate::domain::id::{CustomerNumber, RegisterName};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::survey::{
    ANSWERS_MAX, Answer, Answered, Due, Kind, Question, Survey, TEXT_CHARS_MAX, Tally,
};
use crate::domain::time::Timestamp;
use crate::log::Read;
use crate::store;
use crate::vault::{SECTION_BYTES_MAX, SURVEYS, Vault, VaultError};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// Answers that are told at once, the newest: each may have as many bytes as a section.
const TOLD_MAX: usize = 50;

/// Customers that are read at once while answers are counted.
const COUNTED_AT_ONCE: usize = 5_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct All {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    customer: CustomerNumber,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Give {
    key: Uuid,
    customer: CustomerNumber,
    survey: String,
    answers: Map<String, Value>,
    #[serde(default)]
    channel: Option<Channel>,
    #[serde(default)]
    register: Option<RegisterName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Results {
    survey: String,
}

impl Desk {
    /// The requests `survey.…`.
    pub(super) async fn survey(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        match ask.method {
            "survey.list" => self.list_surveys(ask),
            "survey.due" => self.surveys_due(ask),
            "survey.answer" => self.answer_survey(ask).await,
            "survey.answers" => self.list_answers(ask),
            _ => self.survey_results(ask).await,
        }
    }

    /// `survey.list`: those of the config, with their questions.
    fn list_surveys(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let All {} = ask.fields()?;
        let now = self.clock.utc();
        let row = |survey: &Survey| {
            json!({
                "survey": survey.name, "from": survey.from, "to": survey.to, "again_days": survey.again_days,
                "runs": survey.runs(now), "questions": survey.questions.iter().map(question).collect::<Vec<_>>(),
            })
        };
        Ok(json!({ "surveys": self.settings.surveys.iter().map(row).collect::<Vec<_>>() }))
    }

    /// `survey.due`: which can be asked of a customer now, and why the others cannot.
    fn surveys_due(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Whose { customer } = ask.fields()?;
        let Opened { log, vault } = self.store()?;
        let (views, now) = (log.views(), self.clock.utc());
        let (answered, opted_out) = known(&views, vault, customer)?;
        let row = |survey: &Survey| {
            let due = survey.due(&answered, opted_out, now);
            let (why, again) = match due {
                Due::Yes => (None, None),
                Due::NotRunning => (Some("NOT_RUNNING"), None),
                Due::Answered(again) => (Some("ANSWERED"), again),
                Due::OptedOut => (Some("OPTED_OUT"), None),
            };
            json!({
                "survey": survey.name, "due": due == Due::Yes, "why_not": why,
                "again_at": again.map(Timestamp::rfc3339),
            })
        };
        Ok(json!({ "surveys": self.settings.surveys.iter().map(row).collect::<Vec<_>>() }))
    }

    /// `survey.answer`.
    async fn answer_survey(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Give { key, customer, survey, answers, channel, register } = ask.fields()?;
        let survey = self.survey_named(&survey)?.clone();
        let answers = read(&survey, &answers)?;
        let register = register.map(|named| ask.register(Some(named))).transpose()?;
        let register = register.or_else(|| ask.register.cloned());
        let vault = Arc::clone(&self.store()?.vault);
        let (id, by, nonce, now) = (self.new_id()?, ask.who.uid, random()?, self.clock.utc());
        let done = self
            .write(ask, key, move |tx| {
                let (answered, opted_out) = known(tx, &vault, customer)?;
                match survey.due(&answered, opted_out, now) {
                    // Whoever answers although they opted out does so of their own will.
                    Due::Yes | Due::OptedOut => {}
                    due @ (Due::NotRunning | Due::Answered(_)) => return Err(not_now(due)),
                }
                if answered.len() >= ANSWERS_MAX {
                    let message = format!(
                        "{ANSWERS_MAX} answers are kept of this customer, and there is no room for more"
                    );
                    return Err(Refusal::conflict("customer", message));
                }
                let data_key = vault.key_of(tx, customer)?.ok_or_else(no_such_customer)?;
                let (at, channel) = (Timestamp(tx.meta().at_us), channel.unwrap_or(Channel::InStore));
                let kept = Answered { survey: survey.name, answers, at, channel, register, by };
                let plaintext = serde_json::to_vec(&kept);
                let plaintext = plaintext
                    .map_err(|_| Refusal::new(RefusalCode::Internal, "an answer cannot be written"))?;
                if plaintext.len() > SECTION_BYTES_MAX {
                    return Err(Refusal::field("answers", "are too long in all; shorten what was written"));
                }
                vault.write_section(tx, &data_key, &format!("{SURVEYS}{id}"), &plaintext, nonce)?;
                Ok(Outcome { customer: Some(customer), record: Some(id), ..Outcome::default() })
            })
            .await?;
        Ok(json!({ "answer": done.outcome.record, "repeated": done.repeated }))
    }

    /// `survey.answers`: a customer's, the newest first.
    fn list_answers(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Whose { customer } = ask.fields()?;
        let Opened { log, vault } = self.store()?;
        let views = log.views();
        store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
        let keys = keys_of(&views, vault, customer)?;
        let records: Vec<(Uuid, Answered)> = vault.records(&views, &keys, SURVEYS)?;
        let row = |(id, kept): &(Uuid, Answered)| {
            let answers: Map<String, Value> =
                kept.answers.iter().map(|(name, answer)| (name.clone(), said(answer))).collect();
            json!({
                "answer": id, "survey": kept.survey, "at": kept.at.rfc3339(), "answers": answers,
                "channel": kept.channel, "register": kept.register, "by": kept.by,
            })
        };
        Ok(json!({ "answers": records.iter().rev().take(TOLD_MAX).map(row).collect::<Vec<_>>() }))
    }

    /// `survey.results`: numbers, never whose.
    async fn survey_results(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Results { survey } = ask.fields()?;
        let opened = self.store()?.clone();
        let _one_at_a_time = self.one_history()?;
        let name = survey.clone();
        let (customers, tallies) = waiting(move || count(&opened, &name)).await?;
        // Also of a survey that the config has no more.
        if customers == 0 {
            self.survey_named(&survey)?;
        }
        let row = |(name, tally): (&String, &Tally)| {
            json!({
                "question": name, "answered": tally.answered, "counts": tally.counts,
                "mean_hundredths": tally.mean_hundredths(),
            })
        };
        let questions: Vec<Value> = tallies.iter().map(row).collect();
        Ok(json!({ "survey": survey, "answers": customers, "questions": questions }))
    }

    fn survey_named(&self, name: &str) -> Result<&Survey, Refusal> {
        let found = self.settings.surveys.iter().find(|survey| survey.name == name);
        found.ok_or_else(|| Refusal::field("survey", "no survey has this name; `survey.list` shows them"))
    }
}

/// What a customer answered, under all their numbers, and whether they want nothing more.
fn known(
    views: &(impl Read + ?Sized),
    vault: &Vault,
    customer: CustomerNumber,
) -> Result<(Vec<Answered>, bool), Refusal> {
    let kept = store::customer(views, customer)?.ok_or_else(no_such_customer)?;
    let keys = keys_of(views, vault, customer)?;
    let till = tills(views, vault, &kept)?.ok_or_else(no_such_customer)?;
    let records: Vec<(Uuid, Answered)> = vault.records(views, &keys, SURVEYS)?;
    Ok((records.into_iter().map(|(_, kept)| kept).collect(), till.asked.contains_key(EVERYTHING)))
}

fn not_now(due: Due) -> Refusal {
    let message = match due {
        Due::Answered(Some(again)) => {
            format!("the customer answered this survey, and can be asked again from {}", again.rfc3339())
        }
        Due::Answered(None) => "the customer answered this survey, which is asked once".to_owned(),
        Due::NotRunning | Due::Yes | Due::OptedOut => "this survey is not asked now".to_owned(),
    };
    Refusal { field: Some("survey".to_owned()), ..Refusal::new(RefusalCode::Conflict, message) }
}

/// The answers of a request, each checked against its question.
fn read(survey: &Survey, sent: &Map<String, Value>) -> Result<BTreeMap<String, Answer>, Refusal> {
    let mut answers = BTreeMap::new();
    for (name, value) in sent {
        let field = format!("answers.{name}");
        let Some(question) = survey.questions.iter().find(|question| question.name == *name) else {
            return Err(Refusal::field(field, "is no question of this survey"));
        };
        let answer = question.read(value).map_err(|problem| Refusal::field(&field, problem))?;
        if let Answer::Text(text) = &answer {
            check_text(&field, Some(text), TEXT_CHARS_MAX)?;
        }
        answers.insert(name.clone(), answer);
    }
    if answers.is_empty() {
        return Err(Refusal::field("answers", "must have an answer to at least one question"));
    }
    Ok(answers)
}

fn question(question: &Question) -> Value {
    let (kind, choices, scale) = match &question.kind {
        Kind::Choice(choices) => ("CHOICE", Some(choices), None),
        Kind::Scale(min, max) => ("SCALE", None, Some((min, max))),
        Kind::YesNo => ("YES_NO", None, None),
        Kind::Text => ("TEXT", None, None),
    };
    json!({
        "question": question.name, "kind": kind, "texts": question.texts, "choices": choices,
        "min": scale.map(|(min, _)| min), "max": scale.map(|(_, max)| max),
    })
}

fn said(answer: &Answer) -> Value {
    match answer {
        Answer::Choice(text) | Answer::Text(text) => json!(text),
        Answer::Scale(number) => json!(number),
        Answer::YesNo(yes) => json!(yes),
    }
}

/// How many answered a survey, and what its questions come to.
fn count(opened: &Opened, survey: &str) -> Result<(u64, BTreeMap<String, Tally>), Refusal> {
    let Opened { log, vault } = opened;
    let views = log.views();
    let (mut all, mut tallies, mut after) = (0_u64, BTreeMap::<String, Tally>::new(), None);
    loop {
        let customers = store::customers_after(&views, after, COUNTED_AT_ONCE)?;
        for customer in &customers {
            let number = customer.customer;
            after = Some(number);
            // Whoever has none needs no key.
            if !vault.sections_of(&views, number)?.iter().any(|name| name.starts_with(SURVEYS)) {
                continue;
            }
            let key = match vault.key_of(&views, number) {
                Ok(Some(key)) => key,
                Ok(None) | Err(VaultError::Erased) => continue,
                Err(error) => return Err(error.into()),
            };
            for (_, kept) in vault.records::<Answered>(&views, &[key], SURVEYS)? {
                if kept.survey == survey {
                    all = all.saturating_add(1);
                    for (name, answer) in &kept.answers {
                        tallies.entry(name.clone()).or_default().add(answer);
                    }
                }
            }
        }
        if customers.len() < COUNTED_AT_ONCE {
            return Ok((all, tallies));
        }
    }
}
