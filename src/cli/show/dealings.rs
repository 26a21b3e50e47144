//! What customer and shop have to do with each other: issues, purchases, plans, consents, cards and contacts.

use super::page::{Tone, Words};
use super::parts::{Answers, Writer, counted, dim, lower, together};
use crate::cli::say::{self, NOTHING, at, get, rows};
use crate::cli::{file, plan, sale};
use crate::domain::issue::IssueState;
use serde_json::Value;

/// The most sales that are shown; `ficha sale list` has all.
const SALES_MAX: usize = 5;

impl Writer<'_> {
    /// What is open, the newest first, with how its deadline stands in words.
    pub(super) fn issues(&mut self, answers: &Answers) {
        let all = answers.issues.as_ref().map_or(&[][..], |listed| rows(listed, "/issues"));
        let is_open = |issue: &&Value| {
            let state: Result<IssueState, _> = serde_json::from_value(get(issue, "state").clone());
            // A state of a later daemon is shown rather than passed over.
            state.map_or(true, IssueState::is_open)
        };
        let open: Vec<&Value> = all.iter().filter(is_open).collect();
        if open.is_empty() {
            return;
        }
        self.page.heading(&format!("Open issues: {}", open.len()));
        for issue in open {
            let age = match get(issue, "age_days").as_u64() {
                None | Some(0) => "since today".to_owned(),
                Some(days) => format!("for {}", counted(days, "day")),
            };
            let what = together([lower(issue, "/kind"), at(issue, "/product/model")], " ");
            let mut words = vec![(Tone::Plain, format!("{what}, {}, {age}", lower(issue, "/state")))];
            words.extend(self.deadline(get(issue, "deadline")));
            self.page.put(2, &words);
            let hint = at(issue, "/hint");
            if hint != NOTHING {
                self.page.say(4, &hint);
            }
            self.page.put(4, &[dim(&at(issue, "/issue"))]);
        }
    }

    fn deadline(&self, deadline: &Value) -> Option<Words> {
        let due = self.minute(deadline, "/due_at");
        match get(deadline, "colour").as_str()? {
            "RED" => Some((Tone::Red, format!("OVERDUE since {due}"))),
            "AMBER" => Some((Tone::Amber, format!("soon due: {due}"))),
            "GREEN" => Some((Tone::Green, format!("in time: due {due}"))),
            _ => Some((Tone::Plain, "its time stands still".to_owned())),
        }
    }

    pub(super) fn purchases(&mut self, answers: &Answers) {
        let (whole, listed) = (answers.whole(), answers.sales.as_ref().unwrap_or(&Value::Null));
        let bought =
            if listed.get("bought").is_some() { get(listed, "bought") } else { get(whole, "bought") };
        let count = get(bought, "sales").as_u64().unwrap_or(0);
        let sales = rows(listed, "/sales");
        if count == 0 && sales.is_empty() {
            return;
        }
        let turnover = match rows(bought, "/turnover") {
            [] => String::new(),
            turnover => format!(", {} in all", sale::sums(turnover)),
        };
        self.page.heading("Purchases");
        self.page.say(2, &format!("{}{turnover}", counted(count, "sale")));
        let row = |sale: &Value| {
            let kind = match at(sale, "/type") {
                kind if kind == "SALE" => String::new(),
                kind => format!("  {}", say::plain(&kind).to_lowercase()),
            };
            let place = together([at(sale, "/register"), at(sale, "/number")], " ");
            let day = match at(sale, "/day") {
                day if day == NOTHING => self.day(sale, "/sold_at"),
                day => day,
            };
            (format!("{day}  {place}{kind}"), sale::sum(get(sale, "total")))
        };
        let sales: Vec<(String, String)> = sales.iter().take(SALES_MAX).map(row).collect();
        self.page.rows(2, &sales);
    }

    pub(super) fn plans(&mut self, answers: &Answers) {
        let listed = match &answers.plans {
            Some(listed) => rows(listed, "/plans"),
            None => rows(answers.whole(), "/plans"),
        };
        let line = |plan: &Value| {
            let budget = plan.get("budget").filter(|budget| !budget.is_null());
            let budget = budget.map(|budget| format!(", for {}", sale::sum(budget))).unwrap_or_default();
            format!("{} until {}{budget}", plan::wanted(plan), at(plan, "/to"))
        };
        let open = listed.iter().filter(|plan| get(plan, "state") == "OPEN");
        let lines: Vec<String> = open.map(line).collect();
        self.section("Plans to buy", &lines);
    }

    /// What is allowed and what is not, and what can be asked now.
    pub(super) fn consents(&mut self, whole: &Value) {
        let line = |consent: &Value| {
            let since = self.day(consent, "/since");
            let said = match get(consent, "state").as_str() {
                Some("GRANTED") => format!("yes, since {since}"),
                Some("DENIED") => format!("no, said on {since}"),
                Some("EXPIRED") => format!("no more: the yes of {since} has run out"),
                _ => format!("no, {} on {since}", lower(consent, "/state")),
            };
            let review = match self.day(consent, "/review_at") {
                day if day == NOTHING => String::new(),
                day => format!("; to be asked again by {day}"),
            };
            format!("{} by {}: {said}{review}", lower(consent, "/purpose"), lower(consent, "/channel"))
        };
        let mut lines: Vec<String> = rows(whole, "/consents").iter().map(line).collect();
        let due = file::questions(get(whole, "file"));
        if !due.is_empty() {
            lines.push(format!("to ask: {}", say::plain(&due.join("; ")).to_lowercase()));
        }
        self.section("Consents", &lines);
    }

    pub(super) fn cards(&mut self, answers: &Answers) {
        let cards = match &answers.cards {
            Some(listed) => rows(listed, "/cards"),
            None => rows(answers.whole(), "/cards"),
        };
        if cards.is_empty() {
            return;
        }
        self.page.heading("Cards");
        for card in cards {
            let reason = match lower(card, "/reason") {
                reason if reason == NOTHING => String::new(),
                reason => format!(" ({reason})"),
            };
            let issued = self.day(card, "/issued_at");
            let text = format!("{}, {}{reason}, issued {issued}", at(card, "/kind"), lower(card, "/status"));
            let tone = if get(card, "status") == "ACTIVE" { Tone::Plain } else { Tone::Dim };
            self.page.put(2, &[(tone, text), dim(&at(card, "/card"))]);
        }
    }

    pub(super) fn contacts(&mut self, contacts: &[Value]) {
        let line = |contact: &Value| {
            let way = if get(contact, "direction") == "IN" { "came by" } else { "was told by" };
            let about = [lower(contact, "/purpose"), at(contact, "/campaign"), at(contact, "/template")];
            let about = together(about, ", ");
            let about = if about.is_empty() { about } else { format!(": {about}") };
            let responses = rows(contact, "/responses").iter().map(|told| lower(told, "/response"));
            let responses: Vec<String> = responses.collect();
            let came =
                if responses.is_empty() { String::new() } else { format!("; {}", responses.join(", ")) };
            format!("{} {way} {}{about}{came}", self.day(contact, "/at"), lower(contact, "/channel"))
        };
        let lines: Vec<String> = contacts.iter().map(line).collect();
        self.section("Last contacts", &lines);
    }
}
