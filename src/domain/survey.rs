//! What customers are asked, what they answered, and what all the answers come to.
//!
//! Pure. A survey is the shop's and stands in the config; an answer is the customer's and lies in the vault, each value with the kind of
//! its question, so that it can be counted when the question is asked no more.

use super::contact::Channel;
use super::id::RegisterName;
use super::time::{Day, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most questions of one survey: what somebody answers at a counter.
pub const QUESTIONS_MAX: usize = 8;

/// The most choices of one question.
pub const CHOICES_MAX: usize = 12;

/// The longest free answer, in characters.
pub const TEXT_CHARS_MAX: usize = 280;

/// The most answers that are kept of a customer.
pub const ANSWERS_MAX: usize = 64;

/// The widest scale.
pub const SCALE_MAX: i64 = 10;

const DAY_US: i64 = 24 * 3600 * 1_000_000;

/// A survey, as the config has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Its word.
    pub name: String,
    /// The first day on which it is asked.
    pub from: Day,
    /// The last; none: until it is taken out of the config.
    pub to: Option<Day>,
    /// After so many days it can be asked again; none: once.
    pub again_days: Option<u32>,
    /// At least one.
    pub questions: Vec<Question>,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Its word within the survey.
    pub name: String,
    /// What is asked for.
    pub kind: Kind,
    /// The words to ask in, by language tag (BCP 47).
    pub texts: BTreeMap<String, String>,
}

/// What can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// One of these words.
    Choice(Vec<String>),
    /// A whole number between two, both included.
    Scale(i64, i64),
    /// Yes or no.
    YesNo,
    /// Anything, of at most [`TEXT_CHARS_MAX`] characters.
    Text,
}

/// One answer with its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A word of the list.
    Choice(String),
    /// A number of the scale.
    Scale(i64),
    /// Yes or no.
    YesNo(bool),
    /// Free text.
    Text(String),
}

/// What one customer answered at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The survey's word.
    pub survey: String,
    /// By question; what was not answered is not there.
    pub answers: BTreeMap<String, Answer>,
    /// When.
    pub at: Timestamp,
    /// How the customer was asked.
    pub channel: Channel,
    /// At which register.
    pub register: Option<RegisterName>,
    /// The user who wrote it down.
    pub by: u32,
}

/// Whether a survey can be asked now, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// It can.
    Yes,
    /// Its days are over, or not yet there.
    NotRunning,
    /// The customer answered it, and can be asked again from then on, if ever.
    Answered(Option<Timestamp>),
    /// The customer wants nothing more to do with such things.
    OptedOut,
}

impl Survey {
    /// Whether it is asked at `now`.
    #[must_use]
    pub fn runs(&self, now: Timestamp) -> bool {
        self.from.has_begun(now) && !self.to.is_some_and(|to| to.is_over(now))
    }

    /// Whether it can be asked at `now` of somebody who answered as in `answered`.
    #[must_use]
    pub fn due<'a>(
        &self,
        answered: impl IntoIterator<Item = &'a Answered>,
        opted_out: bool,
        now: Timestamp,
    ) -> Due {
        if !self.runs(now) {
            return Due::NotRunning;
        }
        if opted_out {
            return Due::OptedOut;
        }
        let own = answered.into_iter().filter(|one| one.survey == self.name);
        let Some(last) = own.map(|one| one.at).max() else { return Due::Yes };
        let pause = |days: u32| Timestamp(last.0.saturating_add(i64::from(days).saturating_mul(DAY_US)));
        match self.again_days.map(pause) {
            Some(again) if again <= now => Due::Yes,
            again => Due::Answered(again),
        }
    }
}

impl Question {
    /// An answer as it was sent: a text, a number or a truth value.
    ///
    /// # Errors
    /// What it has to be.
    pub fn read(&self, sent: &serde_json::Value) -> Result<Answer, String> {
        match &self.kind {
            Kind::Choice(choices) => {
                let found = choices.iter().find(|choice| sent.as_str() == Some(choice));
                found
                    .cloned()
                    .map(Answer::Choice)
                    .ok_or_else(|| format!("must be one of `{}`", choices.join("`, `")))
            }
            Kind::Scale(min, max) => {
                let number = sent.as_i64().filter(|number| (min..=max).contains(&number));
                number.map(Answer::Scale).ok_or_else(|| format!("must be a whole number from {min} to {max}"))
            }
            Kind::YesNo => {
                sent.as_bool().map(Answer::YesNo).ok_or_else(|| "must be true or false".to_owned())
            }
            Kind::Text => sent
                .as_str()
                .map(|text| Answer::Text(text.to_owned()))
                .ok_or_else(|| "must be a text".to_owned()),
        }
    }
}

/// What the answers to one question come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many answered it.
    pub answered: u64,
    /// How often each was said: choices, numbers, `yes` and `no`. Free texts are not counted by what they say.
    pub counts: BTreeMap<String, u64>,
    /// The sum of the numbers.
    pub sum: i64,
    /// How many numbers there were.
    pub numbers: i64,
}

impl Tally {
    /// Adds one answer.
    pub fn add(&mut self, answer: &Answer) {
        self.answered = self.answered.saturating_add(1);
        let said = match answer {
            Answer::Choice(choice) => choice.clone(),
            Answer::Scale(number) => {
                self.sum = self.sum.saturating_add(*number);
                self.numbers = self.numbers.saturating_add(1);
                number.to_string()
            }
            Answer::YesNo(true) => "yes".to_owned(),
            Answer::YesNo(false) => "no".to_owned(),
            Answer::Text(_) => return,
        };
        let count = self.counts.entry(said).or_default();
        *count = count.saturating_add(1);
    }

    /// The mean of the numbers in hundredths, rounded down; `None` without any.
    #[must_use]
    pub fn mean_hundredths(&self) -> Option<i64> {
        self.sum.checked_mul(100)?.checked_div_euclid(self.numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn day(text: &str) -> Day {
        serde_json::from_value(json!(text)).unwrap()
    }

    fn at(day: i64) -> Timestamp {
        // 2026-09-01 at noon, and days later.
        Timestamp(1_788_264_000_000_000_i64.saturating_add(day.saturating_mul(DAY_US)))
    }

    fn survey(again_days: Option<u32>) -> Survey {
        Survey {
            name: "visit".to_owned(),
            from: day("2026-09-01"),
            to: Some(day("2026-10-31")),
            again_days,
            questions: Vec::new(),
        }
    }

    fn answered(survey: &str, on: i64) -> Answered {
        Answered {
            survey: survey.to_owned(),
            answers: BTreeMap::new(),
            at: at(on),
            channel: Channel::InStore,
            register: None,
            by: 1000,
        }
    }

    #[test]
    fn a_survey_is_due_in_its_days_until_it_is_answered() {
        let once = survey(None);
        for (on, due) in [(-3, Due::NotRunning), (0, Due::Yes), (60, Due::Yes), (63, Due::NotRunning)] {
            assert_eq!(once.due([], false, at(on)), due, "day {on}");
        }
        assert_eq!(once.due([], true, at(0)), Due::OptedOut);
        assert_eq!(once.due([&answered("other", 0)], false, at(1)), Due::Yes);
        assert_eq!(once.due([&answered("visit", 0)], false, at(1)), Due::Answered(None));
        let again = survey(Some(30));
        let first = answered("visit", 0);
        assert_eq!(again.due([&first], false, at(29)), Due::Answered(Some(at(30))));
        assert_eq!(again.due([&first], false, at(30)), Due::Yes);
        assert_eq!(again.due([&first, &answered("visit", 30)], false, at(31)), Due::Answered(Some(at(60))));
    }

    #[test]
    fn an_answer_fits_its_question() {
        let read = |kind: Kind, sent: serde_json::Value| {
            Question { name: "q".to_owned(), kind, texts: BTreeMap::new() }.read(&sent)
        };
        let choices = || Kind::Choice(vec!["price".to_owned(), "range".to_owned()]);
        assert_eq!(read(choices(), json!("price")), Ok(Answer::Choice("price".to_owned())));
        assert_eq!(read(Kind::Scale(0, 10), json!(10)), Ok(Answer::Scale(10)));
        assert_eq!(read(Kind::YesNo, json!(false)), Ok(Answer::YesNo(false)));
        assert_eq!(read(Kind::Text, json!("fine")), Ok(Answer::Text("fine".to_owned())));
        for (kind, sent) in [
            (choices(), json!("Price")),
            (choices(), json!(1)),
            (Kind::Scale(0, 10), json!(11)),
            (Kind::Scale(0, 10), json!(9.5)),
            (Kind::YesNo, json!("yes")),
            (Kind::Text, json!(null)),
        ] {
            let why = read(kind.clone(), sent.clone()).unwrap_err();
            assert!(why.starts_with("must be"), "{kind:?} {sent}: {why}");
        }
    }

    #[test]
    fn tallies_count_and_take_the_mean() {
        let mut tally = Tally::default();
        for number in [9, 10, 6] {
            tally.add(&Answer::Scale(number));
        }
        assert_eq!((tally.answered, tally.mean_hundredths()), (3, Some(833)));
        assert_eq!(tally.counts["10"], 1);
        let mut told = Tally::default();
        told.add(&Answer::Text("too loud".to_owned()));
        assert_eq!((told.answered, told.counts.len(), told.mean_hundredths()), (1, 0, None));
    }
}
