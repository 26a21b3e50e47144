//! `ficha file`.

use super::ask::{Asker, Key, optional};
use super::contact::CHANNELS;
use super::customer::plain;
use super::issue;
use super::say::{NOTHING, at, fields, get, rows};
use crate::domain::id::CustomerNumber;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Opens a customer's file by hand: no card there, or on the phone.
    Open {
        /// The customer number.
        customer: CustomerNumber,
        /// The register where the customer is.
        #[arg(long, value_name = "NAME")]
        register: String,
        /// By which way the customer came: it is recorded as a contact then.
        #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(CHANNELS))]
        channel: Option<String>,
        #[command(flatten)]
        key: Key,
    },
}

impl Command {
    pub(super) fn run(&self, asker: &Asker) -> anyhow::Result<()> {
        let Self::Open { customer, register, channel, key } = self;
        let channel = channel.as_ref().map(|channel| channel.to_uppercase());
        let mut params = json!({ "key": key.get(), "customer": customer, "register": register });
        optional(&mut params, &[("channel", channel.as_deref())]);
        asker.tell("file.open", params, shown)
    }
}

fn shown(answer: &Value) -> String {
    let preferences: Vec<String> = rows(answer, "/file/preferences").iter().map(plain).collect();
    let mut text = fields([
        ("Visit", at(answer, "/visit")),
        ("Contact", at(answer, "/contact")),
        ("Customer", at(answer, "/file/customer")),
        ("Name", at(answer, "/file/name")),
        ("Level", at(answer, "/file/level")),
        ("Class", at(answer, "/file/class")),
        ("Points", super::points::in_words(get(answer, "file"))),
        ("Open issues", at(answer, "/file/issues_open")),
        ("Prefers", or_nothing(&preferences)),
        ("Plans", or_nothing(&plans(get(answer, "file")))),
        ("To ask", or_nothing(&questions(get(answer, "file")))),
    ]);
    let issues = rows(answer, "/file/issues");
    if !issues.is_empty() {
        text.push_str("\n\n");
        text.push_str(&issue::listed(issues));
    }
    text
}

fn or_nothing(words: &[String]) -> String {
    if words.is_empty() { NOTHING.to_owned() } else { words.join(", ") }
}

/// The plans of a file, each in a few words.
pub(super) fn plans(file: &Value) -> Vec<String> {
    let plan = |plan: &Value| format!("{} until {}", super::plan::wanted(plan), at(plan, "/to"));
    rows(file, "/plans").iter().map(plan).collect()
}

/// The questions of consent that are due, each in a few words.
pub(super) fn questions(file: &Value) -> Vec<String> {
    let question = |due: &Value| {
        let channels: Vec<String> = rows(due, "/channels").iter().map(plain).collect();
        let by = if channels.is_empty() { String::new() } else { format!(" by {}", channels.join(", ")) };
        format!("{}{by}", at(due, "/purpose"))
    };
    rows(file, "/consents_due").iter().map(question).collect()
}
