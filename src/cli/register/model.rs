//! What the register in the terminal knows and does. Pure: keys, events and answers in; requests out; [`draw`](super::draw) shows it.

use super::form::{Field, Filled, Form, Press};
use super::wish::{Effect, Place, Wish};
use super::words::{by, here_already, micros, nameless, to_be_answered};
use crate::cli::customer;
use crate::cli::event;
use crate::cli::issue::{KINDS, as_in_a_file};
use crate::cli::say::{at, get, rows};
use serde_json::{Map, Value, json};
use std::collections::VecDeque;

/// Events that stay to be looked at.
const LINES_MAX: usize = 32;

/// The customer in front of the register. No `Debug`, nor have the others: names are in them.
pub(super) struct Current {
    pub(super) file: Value,
    pub(super) visit: Option<String>,
    /// One symbol of the code was wrong: the name is to be confirmed.
    pub(super) repaired: bool,
    /// Who was here already and may be the same, as [`here_already`] has it; of a file just made.
    pub(super) alike: Option<String>,
    /// When the card that was shown is no news any more, in microseconds since 1970; `None`: opened by hand, stays until dismissed.
    pub(super) until: Option<i64>,
}

/// What is on the screen beside states and scans.
pub(super) enum Mode {
    File,
    Form(Wish, Form),
    Rows { rows: Vec<Value>, at: usize },
}

/// Everything that is shown.
pub(super) struct Model {
    pub(super) register: String,
    /// Why there is no connection; `None` when there is one.
    pub(super) away: Option<String>,
    pub(super) states: String,
    pub(super) current: Option<Current>,
    /// Who showed a card while a form was open.
    waiting: Option<Current>,
    /// Who was enrolled last, whose file is still to come, and whom they are like.
    enrolled: Option<(Value, String)>,
    pub(super) mode: Mode,
    /// The newest first.
    pub(super) lines: VecDeque<String>,
    pub(super) message: String,
    pub(super) unacknowledged: u64,
    place: Option<Place>,
    job: Option<Value>,
}

impl Model {
    pub(super) fn new(register: &str) -> Self {
        Self {
            register: register.to_owned(),
            away: Some("connecting".to_owned()),
            states: String::new(),
            current: None,
            waiting: None,
            enrolled: None,
            mode: Mode::File,
            lines: VecDeque::new(),
            message: String::new(),
            unacknowledged: 0,
            place: None,
            job: None,
        }
    }

    /// Where to go on after a reconnect.
    pub(super) fn after(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    pub(super) fn connected(&mut self, hello: &Value, subscribed: &Value) {
        self.away = None;
        self.register = at(subscribed, "/register");
        self.states = event::state(get(hello, "states"));
    }

    pub(super) fn lost(&mut self, why: &str) {
        self.away = Some(why.to_owned());
    }

    pub(super) fn event(&mut self, event: &Value) {
        self.remember_place(event);
        match get(event, "type").as_str().unwrap_or_default() {
            "state" => {
                self.states = event::state(get(event, "state"));
                return;
            }
            "identified" => {
                let shown = Current {
                    file: get(event, "file").clone(),
                    visit: get(event, "visit").as_str().map(str::to_owned),
                    repaired: *get(event, "repaired") == true,
                    alike: None,
                    until: micros(get(event, "valid_until")),
                };
                if matches!(self.mode, Mode::Form(..)) {
                    // What is being filled in is about whoever stood there when it was begun.
                    self.message =
                        "another card was shown; it opens when this form is done or left".to_owned();
                    self.waiting = Some(shown);
                } else {
                    self.mode = Mode::File;
                    self.current = Some(shown);
                }
            }
            "job" if self.job.as_ref() == event.get("job") => {
                self.message = format!("card: {}", event::short(event));
            }
            _ => {}
        }
        self.lines.push_front(event::line(&nameless(event)));
        self.lines.truncate(LINES_MAX);
    }

    /// Takes a customer off the screen whose time is over at `now`. One for whom a form is being filled in stays until it is left.
    pub(super) fn tick(&mut self, now: i64) {
        if matches!(self.mode, Mode::Form(..)) {
            return;
        }
        if self.until().is_some_and(|until| until <= now) {
            self.current = None;
        }
    }

    /// When [`Self::tick`] is next of use.
    pub(super) fn until(&self) -> Option<i64> {
        self.current.as_ref().filter(|_| !matches!(self.mode, Mode::Form(..)))?.until
    }

    fn remember_place(&mut self, event: &Value) {
        let (Some(stream), Some(seq)) = (get(event, "stream").as_str(), get(event, "seq").as_u64()) else {
            return;
        };
        let same_stream = self.place.as_ref().filter(|kept| kept.stream == stream);
        if same_stream.is_some_and(|kept| kept.seq >= seq) {
            return;
        }
        if same_stream.is_none() {
            self.unacknowledged = 0;
        }
        if *get(event, "type") != "state" {
            self.unacknowledged = self.unacknowledged.saturating_add(1);
        }
        self.place = Some(Place { stream: stream.to_owned(), seq });
    }

    pub(super) fn key(&mut self, press: Press) -> Vec<Effect> {
        match std::mem::replace(&mut self.mode, Mode::File) {
            Mode::File => self.file_key(press),
            Mode::Form(wish, mut form) => match form.key(press) {
                Filled::NotYet => {
                    self.mode = Mode::Form(wish, form);
                    Vec::new()
                }
                Filled::Cancelled => {
                    self.let_in();
                    Vec::new()
                }
                Filled::Done(answers) => {
                    let effects = self.filled(wish, &answers);
                    self.let_in();
                    effects
                }
            },
            Mode::Rows { rows, at } => self.rows_key(press, rows, at),
        }
    }

    /// Whoever showed a card while a form was open is the customer now.
    fn let_in(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            self.message.clear();
            self.current = Some(waiting);
        }
    }

    fn file_key(&mut self, press: Press) -> Vec<Effect> {
        self.message.clear();
        match press {
            Press::Char('q') => vec![Effect::Quit],
            Press::Char('a') | Press::Enter => self.acknowledge(),
            Press::Char('f') => self.ask(Wish::Find, vec![Field::text("Name, phone, e-mail or code")]),
            Press::Char('e') => {
                self.ask(Wish::Enrol, customer::QUESTIONS.iter().map(|label| Field::text(label)).collect())
            }
            Press::Char('i') if self.current.is_some() => self.ask(
                Wish::Issue,
                vec![
                    Field::choice("Kind", &KINDS),
                    Field::text("Model"),
                    Field::text("Serial number"),
                    Field::text("Hint for the till"),
                ],
            ),
            Press::Char('p') if self.current.is_some() => {
                vec![Effect::Call(Wish::Print, json!({ "customer": self.customer() }))]
            }
            Press::Char('d') if self.current.is_some() => {
                let visit = self.current.take().and_then(|current| current.visit);
                visit
                    .map(|visit| Effect::Call(Wish::Dismiss, json!({ "visit": visit })))
                    .into_iter()
                    .collect()
            }
            Press::Char(score @ '1'..='5') => self.score(score),
            Press::Char('i' | 'p' | 'd') => {
                self.message = "no customer is here: let a card be shown, or find one with `f`".to_owned();
                Vec::new()
            }
            Press::Char(_)
            | Press::Escape
            | Press::Up
            | Press::Down
            | Press::Left
            | Press::Right
            | Press::Backspace => Vec::new(),
        }
    }

    /// How content the customer is with the repair that is done: one key.
    fn score(&self, score: char) -> Vec<Effect> {
        let file = self.current.as_ref().map(|current| &current.file);
        let Some(issue) = file.and_then(to_be_answered) else { return Vec::new() };
        let params = json!({ "issue": get(issue, "issue"), "score": score.to_digit(10) });
        vec![Effect::Call(Wish::Answer, params)]
    }

    fn ask(&mut self, wish: Wish, fields: Vec<Field>) -> Vec<Effect> {
        self.mode = Mode::Form(wish, Form::new(fields));
        Vec::new()
    }

    fn acknowledge(&mut self) -> Vec<Effect> {
        self.unacknowledged = 0;
        self.place.clone().map(Effect::Acknowledge).into_iter().collect()
    }

    fn customer(&self) -> Value {
        self.current.as_ref().map(|current| get(&current.file, "customer").clone()).unwrap_or_default()
    }

    fn filled(&mut self, wish: Wish, answers: &[String]) -> Vec<Effect> {
        let answer = |index: usize| answers.get(index).map_or("", String::as_str);
        match wish {
            Wish::Find if answer(0).is_empty() => Vec::new(),
            Wish::Find => vec![Effect::Call(wish, json!({ by(answer(0)): answer(0) }))],
            Wish::Enrol => vec![Effect::Call(wish, json!({ "person": customer::form(answers) }))],
            Wish::Issue if self.current.is_none() => Vec::new(),
            Wish::Issue => {
                let given = [("model", answer(1)), ("serial", answer(2))];
                let given = given.into_iter().filter(|(_, text)| !text.is_empty());
                let product: Map<String, Value> =
                    given.map(|(name, text)| (name.to_owned(), text.into())).collect();
                let hint = Some(answer(3)).filter(|hint| !hint.is_empty());
                let (customer, kind) = (self.customer(), answer(0));
                let params = json!({ "customer": customer, "kind": kind, "product": product, "hint": hint });
                vec![Effect::Call(wish, params)]
            }
            Wish::Open | Wish::Issues | Wish::Answer | Wish::Print | Wish::Dismiss => Vec::new(),
        }
    }

    fn rows_key(&mut self, press: Press, rows: Vec<Value>, at: usize) -> Vec<Effect> {
        let last = rows.len().saturating_sub(1);
        let at = match press {
            Press::Escape => return Vec::new(),
            Press::Enter => {
                let customer = rows.get(at).map(|row| get(row, "customer").clone());
                return customer.map(|customer| self.open(&customer)).into_iter().collect();
            }
            Press::Up => at.saturating_sub(1),
            Press::Down => at.saturating_add(1).min(last),
            Press::Char(_) | Press::Left | Press::Right | Press::Backspace => at,
        };
        self.mode = Mode::Rows { rows, at };
        Vec::new()
    }

    fn open(&self, customer: &Value) -> Effect {
        Effect::Call(Wish::Open, json!({ "customer": customer, "register": self.register }))
    }

    /// What the daemon answered; a refusal as the text for people.
    pub(super) fn answered(&mut self, wish: Wish, answer: Result<Value, String>) -> Vec<Effect> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(why) => {
                self.message = why;
                return Vec::new();
            }
        };
        match wish {
            Wish::Find => {
                let found = rows(&answer, "/rows").to_vec();
                if found.is_empty() {
                    self.message = "nobody found".to_owned();
                } else {
                    self.mode = Mode::Rows { rows: found, at: 0 };
                }
                Vec::new()
            }
            Wish::Enrol => {
                let opted_out = get(&answer, "opted_out").as_bool() == Some(true);
                let ask = if opted_out { "; wanted no mail once: ask anew" } else { "" };
                self.message = format!("enrolled; `p` prints the card{ask}");
                let customer = get(&answer, "customer");
                self.enrolled = here_already(&answer).map(|alike| (customer.clone(), alike));
                vec![self.open(customer)]
            }
            Wish::Open => {
                let file = get(&answer, "file").clone();
                let enrolled = self.enrolled.take().filter(|(who, _)| who == get(&file, "customer"));
                let alike = enrolled.map(|(_, alike)| alike);
                let visit = get(&answer, "visit").as_str().map(str::to_owned);
                self.current = Some(Current { file, visit, repaired: false, alike, until: None });
                Vec::new()
            }
            Wish::Issue | Wish::Answer => {
                let done = if wish == Wish::Issue { "issue opened" } else { "the answer is kept" };
                self.message = done.to_owned();
                vec![Effect::Call(Wish::Issues, json!({ "customer": self.customer() }))]
            }
            Wish::Issues => {
                self.take_issues(&answer);
                Vec::new()
            }
            Wish::Print => {
                self.job = answer.get("job").cloned();
                self.message = format!("card: {} {}", at(&answer, "/printer"), at(&answer, "/state"));
                Vec::new()
            }
            Wish::Dismiss => Vec::new(),
        }
    }

    /// Brings the file that is shown up to date.
    fn take_issues(&mut self, answer: &Value) {
        let over = |issue: &&Value| {
            !matches!(get(issue, "state").as_str(), Some("CLOSED" | "DUPLICATE" | "CANCELLED"))
        };
        let open: Vec<Value> = rows(answer, "/issues").iter().filter(over).map(as_in_a_file).collect();
        if let Some(file) = self.current.as_mut().and_then(|current| current.file.as_object_mut()) {
            file.insert("issues_open".to_owned(), open.len().into());
            file.insert("issues".to_owned(), open.into());
        }
    }
}

#[cfg(test)]
mod tests;
