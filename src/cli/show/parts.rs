//! The sections of a customer's page, out of the daemon's answers. A section that has nothing is not there.

use super::page::{Page, Tone, Words};
use crate::cli::customer::plain;
use crate::cli::say::{self, NOTHING, at, get, rows};
use crate::cli::{level, sale};
use jiff::tz::TimeZone;
use serde_json::Value;

/// Fields of a person that stand in the head of the page or under "Contact", not among the others.
const SAID_BEFORE: [&str; 13] = [
    "honorificPrefix",
    "givenName",
    "additionalName",
    "familyName",
    "familyName2",
    "honorificSuffix",
    "preferredName",
    "org",
    "jobTitle",
    "telephone",
    "email",
    "address",
    "knowsLanguage",
];

/// Answers of the daemon about one customer; `None` is what it did not tell.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// `customer.show`
    pub(super) whole: Option<Value>,
    /// `points.show`
    pub(super) points: Option<Value>,
    /// `customer.level`
    pub(super) level: Option<Value>,
    /// `customer.worth`
    pub(super) worth: Option<Value>,
    /// `issue.list`
    pub(super) issues: Option<Value>,
    /// `sale.list`
    pub(super) sales: Option<Value>,
    /// `plan.list`, where there is no `customer.show`
    pub(super) plans: Option<Value>,
    /// `card.list`, where there is no `customer.show`
    pub(super) cards: Option<Value>,
    /// Requests that were refused, each with why in words.
    pub(super) left_out: Vec<(&'static str, String)>,
}

impl Answers {
    /// Whether there is anything to show.
    pub(super) fn has_any(&self) -> bool {
        let Self { whole, points, level, worth, issues, sales, plans, cards, left_out: _ } = self;
        [whole, points, level, worth, issues, sales, plans, cards].into_iter().any(Option::is_some)
    }

    pub(super) fn whole(&self) -> &Value {
        self.whole.as_ref().unwrap_or(&Value::Null)
    }
}

/// The page, at most so many columns wide, with the days of a time zone.
pub(super) fn page(answers: &Answers, width: usize, zone: &TimeZone) -> Page {
    let mut page = Page::new(width);
    let write = &mut Writer { page: &mut page, zone };
    write.head(answers);
    write.contact(get(answers.whole(), "person"));
    write.programme(answers);
    write.issues(answers);
    write.purchases(answers);
    write.plans(answers);
    write.preferences(rows(answers.whole(), "/preferences"));
    write.consents(answers.whole());
    write.cards(answers);
    write.contacts(rows(answers.whole(), "/contacts"));
    write.person(get(answers.whole(), "person"));
    write.notes(rows(answers.whole(), "/notes"));
    write.merged(rows(answers.whole(), "/merged"));
    write.left_out(&answers.left_out);
    page
}

/// A page being written.
pub(super) struct Writer<'a> {
    pub(super) page: &'a mut Page,
    pub(super) zone: &'a TimeZone,
}

impl Writer<'_> {
    /// The day of an RFC 3339 time; `-` of nothing.
    pub(super) fn day(&self, value: &Value, pointer: &str) -> String {
        self.written(&at(value, pointer), "%Y-%m-%d")
    }

    pub(super) fn minute(&self, value: &Value, pointer: &str) -> String {
        self.written(&at(value, pointer), "%Y-%m-%d %H:%M")
    }

    fn written(&self, text: &str, format: &str) -> String {
        match text.parse::<jiff::Timestamp>() {
            Ok(at) => at.to_zoned(self.zone.clone()).strftime(format).to_string(),
            Err(_) => text.to_owned(),
        }
    }

    /// Who it is, by the name they are greeted with.
    fn head(&mut self, answers: &Answers) {
        let (whole, person) = (answers.whole(), get(answers.whole(), "person"));
        let number = ["/file/customer", "/customer"].into_iter().zip([whole, points_of(answers)]);
        let number = number.map(|(place, answer)| at(answer, place)).find(|number| number != NOTHING);
        let greeting = match at(whole, "/file/name") {
            name if name != NOTHING => name,
            _ if whole.pointer("/file/vault_locked").is_some() => {
                "Name not readable: the vault is locked".to_owned()
            }
            _ => "A customer".to_owned(),
        };
        self.page.heading(&greeting);
        let parts = [
            "honorificPrefix",
            "givenName",
            "additionalName",
            "familyName",
            "familyName2",
            "honorificSuffix",
        ];
        let full = together(parts.map(|part| at(person, &format!("/{part}"))), " ");
        if !full.is_empty() && full != greeting {
            self.page.say(0, &full);
        }
        let work = together([at(person, "/jobTitle"), at(person, "/org")], ", ");
        if !work.is_empty() {
            self.page.say(0, &work);
        }
        if let Some(number) = number {
            self.page.put(0, &[dim(&number)]);
        }
        let mut since = Vec::new();
        if whole.get("enrolled_at").is_some() {
            since.push(format!("customer since {}", self.day(whole, "/enrolled_at")));
        }
        match get(whole, "visits").as_u64() {
            None | Some(0) => {}
            Some(visits) => {
                since.push(format!(
                    "{}, the last on {}",
                    counted(visits, "visit"),
                    self.day(whole, "/last_visit_at")
                ));
            }
        }
        if !since.is_empty() {
            self.page.say(0, &since.join("; "));
        }
    }

    fn contact(&mut self, person: &Value) {
        let mut lines = Vec::new();
        for telephone in rows(person, "/telephone") {
            lines.push(together([at(telephone, "/e164"), at(telephone, "/type")], ", "));
        }
        lines.extend(rows(person, "/email").iter().map(|email| at(email, "/addr")));
        for address in rows(person, "/address") {
            let place = [at(address, "/postalCode"), at(address, "/addressLocality")];
            let parts = [
                at(address, "/streetAddress"),
                at(address, "/extendedAddress"),
                at(address, "/postOfficeBox"),
                together(place, " "),
                at(address, "/addressRegion"),
                at(address, "/addressCountry"),
            ];
            lines.push(together(parts, ", "));
        }
        let languages = plain(get(person, "knowsLanguage"));
        if languages != NOTHING && !languages.is_empty() {
            lines.push(format!("speaks {languages}"));
        }
        self.section("Contact", &lines);
    }

    /// Points, level and service class.
    fn programme(&mut self, answers: &Answers) {
        let mut lines = Vec::new();
        if let Some(points) = &answers.points {
            let mut words = vec![format!("{} points available", at(points, "/available"))];
            for (field, word) in [("held", "held"), ("debt", "owed")] {
                if get(points, field).as_i64().is_some_and(|count| count != 0) {
                    words.push(format!("{} {word}", plain(get(points, field))));
                }
            }
            if let Some(expiring) = points.get("expiring").filter(|expiring| !expiring.is_null()) {
                words.push(format!("{} expire on {}", at(expiring, "/points"), self.day(expiring, "/at")));
            }
            lines.push(words.join(", "));
        }
        if let Some(reached) = answers.level.as_ref().filter(|level| level.get("counted").is_some()) {
            let name = match at(reached, "/level") {
                name if name == NOTHING => "no level yet".to_owned(),
                name => format!("level {name}"),
            };
            let mut words = vec![name];
            if let Some(lacks) = reached.pointer("/next/lacks") {
                words.push(format!("{} more for {}", level::amount(lacks), at(reached, "/next/level")));
            }
            if !get(reached, "grace_until").is_null() {
                words.push(format!("kept until {} by grace", at(reached, "/grace_until")));
            }
            lines.push(words.join(", "));
        }
        if let Some(worth) = &answers.worth {
            if get(worth, "objects").as_bool() == Some(true) {
                lines.push("objects to profiling: no service class".to_owned());
            } else if !get(worth, "value").is_null() {
                let class = match at(worth, "/class") {
                    class if class == NOTHING => "no service class".to_owned(),
                    class => format!("class {class}"),
                };
                lines.push(format!(
                    "{class}, worth {} since {}",
                    sale::sum(get(worth, "value")),
                    at(worth, "/since")
                ));
            }
        }
        self.section("Points and level", &lines);
    }

    fn preferences(&mut self, stated: &[Value]) {
        let line = |row: &Value| format!("{}: {}{}", at(row, "/name"), at(row, "/value"), self.stated(row));
        let lines: Vec<String> = stated.iter().map(line).collect();
        self.section("Preferences", &lines);
    }

    /// When a preference was told, and to whom; nothing of one that was kept before that was asked.
    pub(super) fn stated(&self, row: &Value) -> String {
        match at(row, "/source") {
            source if source == NOTHING => String::new(),
            _ => format!(" ({}, {})", self.day(row, "/stated_at"), lower(row, "/source")),
        }
    }

    /// What else is known of the person, by the words of the form.
    fn person(&mut self, person: &Value) {
        let Some(person) = person.as_object() else { return };
        let others = person.iter().filter(|(name, _)| !SAID_BEFORE.contains(&name.as_str()));
        let lines: Vec<String> =
            others.map(|(name, value)| format!("{}: {}", spaced(name), plain(value))).collect();
        self.section("Person", &lines);
    }

    fn notes(&mut self, notes: &[Value]) {
        if notes.is_empty() {
            return;
        }
        self.page.heading("Notes");
        for note in notes {
            let note = plain(note);
            let mut mark = "- ";
            for line in note.lines() {
                self.page.say(if mark.is_empty() { 2 } else { 0 }, &format!("{mark}{line}"));
                mark = "";
            }
        }
    }

    fn merged(&mut self, merged: &[Value]) {
        let line = |row: &Value| {
            format!("{} on {}, merge {}", at(row, "/customer"), self.day(row, "/at"), at(row, "/merge"))
        };
        let lines: Vec<String> = merged.iter().map(line).collect();
        self.section("Merged into this customer", &lines);
    }

    /// One line for all that this user is not told.
    fn left_out(&mut self, left_out: &[(&'static str, String)]) {
        let told = left_out.iter().map(|(method, why)| format!("{method} ({why})"));
        let told: Vec<String> = told.collect();
        if !told.is_empty() {
            self.page.gap();
            self.page.put(0, &[dim(&format!("Left out: {}", told.join(", ")))]);
        }
    }

    pub(super) fn section(&mut self, heading: &str, lines: &[String]) {
        if !lines.is_empty() {
            self.page.heading(heading);
            lines.iter().for_each(|line| self.page.say(2, line));
        }
    }
}

fn points_of(answers: &Answers) -> &Value {
    answers.points.as_ref().unwrap_or(&Value::Null)
}

pub(super) fn dim(text: &str) -> Words {
    (Tone::Dim, text.to_owned())
}

/// What is there of some parts.
pub(super) fn together<const N: usize>(parts: [String; N], between: &str) -> String {
    let there: Vec<String> = parts.into_iter().filter(|part| part != NOTHING && !part.is_empty()).collect();
    there.join(between)
}

/// A word of the protocol as people read it.
pub(super) fn lower(value: &Value, pointer: &str) -> String {
    say::plain(&at(value, pointer)).to_lowercase()
}

pub(super) fn counted(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// `birthPlace` as `birth place`, `taxID` as `tax ID`.
pub(super) fn spaced(name: &str) -> String {
    let (mut spaced, mut after_capital) = (String::new(), false);
    let mut characters = name.chars().peekable();
    while let Some(character) = characters.next() {
        let capital = character.is_uppercase();
        if capital && !after_capital {
            spaced.push(' ');
        }
        let abbreviated = after_capital || characters.peek().is_some_and(|next| next.is_uppercase());
        if capital && abbreviated {
            spaced.push(character);
        } else {
            spaced.extend(character.to_lowercase());
        }
        after_capital = capital;
    }
    spaced
}
