//! A register: the only file here that knows fichad's protocol and its config keys.
//!
//! JSON-RPC 2.0, one message a line, as `src/push/PROTOCOL.md` of the daemon says it.

mod config;

pub use config::{TYPES, adopted_keyboard, config, printer, reader_name, serial};

use crate::Result;
use crate::trace::Trace;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The register of every scenario.
const NAME: &str = "till-1";

/// Events kept while an answer is waited for.
const BACKLOG_MAX: usize = 256;

/// Pause between two questions about something that no event tells of (a device that is no reader, a printer's paper).
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// Idempotency keys given out so far, of all sessions.
static KEYS: AtomicU64 = AtomicU64::new(1);

/// A session with the daemon.
#[derive(Debug)]
pub struct Register {
    lines: BufReader<UnixStream>,
    next_id: u64,
    events: VecDeque<Value>,
    trace: Trace,
}

impl Register {
    /// Connects, says hello and subscribes to the register's events.
    ///
    /// # Errors
    /// When the daemon refuses, or does not answer `within` that time.
    pub fn connect(socket: &Path, within: Duration, trace: &Trace) -> Result<Self> {
        let stream =
            UnixStream::connect(socket).map_err(|e| format!("connecting to {}: {e}", socket.display()))?;
        let lines = BufReader::new(stream);
        let mut register = Self { lines, next_id: 1, events: VecDeque::new(), trace: trace.clone() };
        let hello = register.request("hello", &json!({ "client": "vm" }), within)?;
        // Where the config names none, there is one, named after the host.
        let name = hello.pointer("/registers/0").and_then(Value::as_str).unwrap_or(NAME);
        register.request("subscribe", &json!({ "register": name }), within)?;
        Ok(register)
    }

    /// Tries to be that register, and gives the roles of who tries.
    ///
    /// # Errors
    /// When the daemon refuses, or does not answer `within` that time.
    pub fn claim(socket: &Path, name: &str, within: Duration) -> Result<String> {
        let lines = BufReader::new(UnixStream::connect(socket)?);
        let mut register = Self { lines, next_id: 1, events: VecDeque::new(), trace: Trace::default() };
        let hello = register.request("hello", &json!({ "client": "vm" }), within)?;
        register.request("subscribe", &json!({ "register": name }), within)?;
        Ok(hello.get("roles").cloned().unwrap_or_default().to_string())
    }

    /// Asks, and gives the result.
    ///
    /// # Errors
    /// When the answer is an error, or does not come `within` that time.
    pub fn request(&mut self, method: &str, params: &Value, within: Duration) -> Result<Value> {
        let id = self.next_id;
        self.next_id += 1;
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.trace.note("register", &format!("> {request}"));
        self.lines.get_mut().write_all(format!("{request}\n").as_bytes())?;
        let end = Instant::now() + within;
        loop {
            let message = self.line(method, end)?;
            if message.get("id") == Some(&json!(id)) {
                let result = message.get("result").cloned();
                return result.ok_or_else(|| format!("{method}: {message}").into());
            }
            self.keep(message);
        }
    }

    /// Waits for an event of this type with these fields; others are passed over.
    ///
    /// # Errors
    /// When none comes `within` that time.
    pub fn event(&mut self, kind: &str, fields: &[(&str, &str)], within: Duration) -> Result<Value> {
        self.find_event(&format!("event {kind} {fields:?}"), within, |event| {
            has(event, "type", kind) && fields.iter().all(|(name, value)| has(event, name, value))
        })
    }

    /// The next event that a reader made, whatever it is; those about states are passed over.
    ///
    /// # Errors
    /// When none comes `within` that time.
    pub fn reading(&mut self, within: Duration) -> Result<Value> {
        self.find_event("a reader's event", within, |event| event.get("reader").is_some())
    }

    fn find_event(&mut self, what: &str, within: Duration, fits: impl Fn(&Value) -> bool) -> Result<Value> {
        let end = Instant::now() + within;
        loop {
            let mut message = match self.events.pop_front() {
                Some(message) => message,
                None => self.line(what, end)?,
            };
            let event = message.get_mut("params").map(Value::take).unwrap_or_default();
            if has(&message, "method", "event") && fits(&event) {
                return Ok(event);
            }
        }
    }

    /// Waits for the next event of a reader, which must be the scan of this code.
    ///
    /// # Errors
    /// When it is another, or none comes `within` that time.
    pub fn scan(&mut self, code: &str, within: Duration) -> Result<Value> {
        self.expect_reading("scan", "scan_data", code, within)
    }

    /// Waits for the next event of a reader, which must be a refusal for this reason.
    ///
    /// # Errors
    /// When it is another, or none comes `within` that time.
    pub fn rejected(&mut self, reason: &str, within: Duration) -> Result<Value> {
        self.expect_reading("rejected", "reason", reason, within)
    }

    /// Waits for the next event of a reader, which must open the file of this card.
    ///
    /// # Errors
    /// When it is another, or none comes `within` that time.
    pub fn identified(&mut self, card: &str, within: Duration) -> Result<Value> {
        self.expect_reading("identified", "card", card, within)
    }

    fn expect_reading(&mut self, kind: &str, field: &str, value: &str, within: Duration) -> Result<Value> {
        let event = self.reading(within)?;
        if has(&event, "type", kind) && has(&event, field, value) {
            return Ok(event);
        }
        Err(format!("wanted {kind} with {field} {value:?}, got {event}").into())
    }

    /// Waits until the daemon reads a reader, or does so no more.
    ///
    /// # Errors
    /// When its state is not that `within` that time.
    pub fn wait_reader(&mut self, reader: &str, is_read: bool, within: Duration) -> Result<()> {
        let reading = json!({ "reader": reader, "state": "reading" });
        self.wait_status(within, |status| {
            let readers = status.get("readers").and_then(Value::as_array);
            readers.is_some_and(|readers| readers.contains(&reading) == is_read)
        })
    }

    /// Waits until the typist is in this state.
    ///
    /// # Errors
    /// When it is not `within` that time.
    pub fn wait_typist(&mut self, state: &str, within: Duration) -> Result<()> {
        self.wait_status(within, |status| status.pointer("/typist/state").is_some_and(|found| found == state))
    }

    /// The readers that are, or were, read, by name.
    ///
    /// # Errors
    /// When the daemon refuses.
    pub fn readers(&mut self, within: Duration) -> Result<Vec<String>> {
        let status = self.request("status", &json!({}), within)?;
        let rows = status.get("readers").and_then(Value::as_array);
        rows.into_iter().flatten().map(|row| text(row, "/reader")).collect()
    }

    /// Waits until customers can be written down; products pass before that.
    ///
    /// # Errors
    /// When store or vault are not open `within` that time.
    pub fn wait_store(&mut self, within: Duration) -> Result<()> {
        let is = |status: &Value, at: &str| status.pointer(at).is_some_and(|found| found == "open");
        self.wait_status(within, |status| is(status, "/store/state") && is(status, "/vault"))
    }

    fn wait_status(&mut self, within: Duration, fits: impl Fn(&Value) -> bool) -> Result<()> {
        let end = Instant::now() + within;
        while !fits(&self.request("status", &json!({}), within)?) {
            // Any change after that answer is told by an event.
            self.state_event(end.saturating_duration_since(Instant::now()))?;
        }
        Ok(())
    }

    /// Waits for an event about states, and leaves the others where they are.
    fn state_event(&mut self, within: Duration) -> Result<()> {
        let is_state = |message: &Value| message.pointer("/params/type").is_some_and(|kind| kind == "state");
        let end = Instant::now() + within;
        loop {
            if let Some(at) = self.events.iter().position(is_state) {
                self.events.remove(at);
                return Ok(());
            }
            let message = self.line("an event about states", end)?;
            self.keep(message);
        }
    }

    /// Waits until a row of `method`'s list `list` fits, and gives it.
    fn wait_row(
        &mut self,
        [method, list]: [&str; 2],
        within: Duration,
        fits: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let end = Instant::now() + within;
        loop {
            let mut answer = self.request(method, &json!({}), within)?;
            let rows = answer.get_mut(list).and_then(Value::as_array_mut);
            if let Some(row) = rows.into_iter().flatten().find(|row| fits(row)) {
                return Ok(row.take());
            }
            if Instant::now() >= end {
                return Err(format!("{method}: no row as wanted after {within:?}, but {answer}").into());
            }
            // No event tells of it.
            std::thread::sleep(ASK_AGAIN);
        }
    }

    /// Waits until `reader.list` has the device at this node with this in `field`, and gives its name.
    ///
    /// # Errors
    /// When it has not `within` that time.
    pub fn wait_device(&mut self, node: &Path, field: &str, value: &str, within: Duration) -> Result<String> {
        let node = node.display().to_string();
        let row = self.wait_row(["reader.list", "readers"], within, |row| {
            has(row, "node", &node) && has(row, field, value)
        })?;
        text(&row, "/reader")
    }

    /// Waits until a printer's condition begins with this word.
    ///
    /// # Errors
    /// When it does not `within` that time.
    pub fn wait_printer(&mut self, printer: &str, condition: &str, within: Duration) -> Result<()> {
        let is = |row: &Value| {
            let told = row.get("condition").and_then(Value::as_str).unwrap_or_default();
            has(row, "printer", printer) && told.split(':').next() == Some(condition)
        };
        self.wait_row(["printer.list", "printers"], within, is).map(|_| ())
    }

    /// Has the daemon read its config again.
    ///
    /// # Errors
    /// When the daemon refuses.
    pub fn reload(&mut self, within: Duration) -> Result<()> {
        self.request("config.reload", &json!({}), within).map(|_| ())
    }

    /// Enrols a customer, and gives the customer's number.
    ///
    /// # Errors
    /// When the daemon refuses.
    pub fn enrol(&mut self, given_name: &str, within: Duration) -> Result<String> {
        let params = json!({ "key": Self::key(), "person": { "givenName": given_name } });
        let enrolled = self.request("customer.enrol", &params, within)?;
        text(&enrolled, "/customer")
    }

    /// Makes a card for a customer that is not printed here.
    ///
    /// # Errors
    /// When the daemon refuses.
    pub fn issue_card(&mut self, customer: &str, within: Duration) -> Result<Card> {
        let params = json!({ "key": Self::key(), "customer": customer });
        let card = self.request("card.issue", &params, within)?;
        Ok(Card {
            id: text(&card, "/card")?,
            letters: text(&card, "/letters")?,
            digits: text(&card, "/digits")?,
        })
    }

    /// How often a customer has been here.
    ///
    /// # Errors
    /// When the daemon refuses.
    pub fn visits(&mut self, customer: &str, within: Duration) -> Result<u64> {
        let shown = self.request("customer.show", &json!({ "customer": customer }), within)?;
        Ok(shown.get("visits").and_then(Value::as_u64).ok_or("no visits")?)
    }

    /// Has a card printed for a customer, and gives the job.
    ///
    /// # Errors
    /// When the daemon refuses.
    pub fn begin_card(&mut self, customer: &str, printer: &str, within: Duration) -> Result<String> {
        let params = json!({ "key": Self::key(), "customer": customer, "printer": printer });
        let queued = self.request("card.print", &params, within)?;
        text(&queued, "/job")
    }

    /// Waits until a job has this state.
    ///
    /// # Errors
    /// When it has not `within` that time, or has ended as another.
    pub fn job(&mut self, job: &str, state: &str, within: Duration) -> Result<()> {
        let end = Instant::now() + within;
        loop {
            let event = self.event("job", &[("job", job)], end.saturating_duration_since(Instant::now()))?;
            let now = text(&event, "/state")?;
            if now == state {
                return Ok(());
            }
            if ["printed", "failed", "unknown"].contains(&now.as_str()) {
                return Err(format!("the card ended as {now}, wanted {state}").into());
            }
        }
    }

    /// Has a card printed for a customer, and waits until the printer says that it is.
    ///
    /// # Errors
    /// When the daemon refuses, or the job does not get there `within` that time.
    pub fn print_card(&mut self, customer: &str, printer: &str, within: Duration) -> Result<()> {
        let job = self.begin_card(customer, printer, within)?;
        self.job(&job, "printed", within)
    }

    /// An idempotency key that nobody here has used.
    fn key() -> String {
        format!("0199aaaa-0000-7000-8000-{:012}", KEYS.fetch_add(1, Ordering::Relaxed))
    }

    fn keep(&mut self, message: Value) {
        if self.events.len() == BACKLOG_MAX {
            self.events.pop_front();
        }
        self.events.push_back(message);
    }

    fn line(&mut self, what: &str, end: Instant) -> Result<Value> {
        let left = end.saturating_duration_since(Instant::now());
        let late = || format!("the register waited too long for {what}");
        if left.is_zero() {
            return Err(late().into());
        }
        self.lines.get_ref().set_read_timeout(Some(left))?;
        let mut line = String::new();
        let length = self.lines.read_line(&mut line).map_err(|e| format!("{}: {e}", late()))?;
        if length == 0 {
            return Err(format!("the daemon hung up on the register, which waited for {what}").into());
        }
        self.trace.note("register", &format!("< {}", line.trim_end()));
        Ok(serde_json::from_str(&line)?)
    }
}

/// A card with the two forms of its code.
#[derive(Clone, Debug)]
pub struct Card {
    /// Its id, as events name it.
    pub id: String,
    /// What a QR code of it holds.
    pub letters: String,
    /// What its magnetic stripe holds.
    pub digits: String,
}

fn has(value: &Value, name: &str, wanted: &str) -> bool {
    value.get(name).is_some_and(|found| found == wanted)
}

fn text(answer: &Value, at: &str) -> Result<String> {
    let found = answer.pointer(at).and_then(Value::as_str);
    Ok(found.ok_or_else(|| format!("no {at} in {answer}"))?.to_owned())
}
