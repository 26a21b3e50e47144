//! A register: the only file here that knows fichad's protocol and its config keys.
//!
//! JSON-RPC 2.0, one message a line, as `src/push/PROTOCOL.md` of the daemon says it.

use crate::Result;
use crate::trace::Trace;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// The register of every scenario.
const NAME: &str = "till-1";

/// Idempotency keys: a scenario has a store of its own, and enrols and prints once.
const ENROL_KEY: &str = "0199aaaa-0000-7000-8000-000000000001";
const PRINT_KEY: &str = "0199aaaa-0000-7000-8000-000000000002";

/// Events kept while an answer is waited for.
const BACKLOG_MAX: usize = 256;

/// What the daemon calls a reader on USB that has a serial number.
#[must_use]
pub fn reader_name(vendor: u16, product: u16, serial: &str) -> String {
    format!("usb:{vendor:04x}:{product:04x}:{serial}")
}

/// A config for one scenario: its own folder and socket, one register, and what `devices` adds.
#[must_use]
pub fn config(folder: &Path, socket: &Path, devices: &str) -> String {
    let (folder, socket) = (folder.display(), socket.display());
    format!(
        "[store]\ndir = \"{folder}\"\n\n[push]\nsocket = \"{socket}\"\n\n[[register]]\nname = \"{NAME}\"\n\n{devices}"
    )
}

/// A keyboard-mode reader that is adopted. Its Enter ends a scan; the silence that would end one without is as long as the
/// config allows, because a busy machine can hold this guest up for longer than the usual 100 ms between two keys.
#[must_use]
pub fn adopted_keyboard(reader: &str) -> String {
    format!("[[reader]]\nname = \"{reader}\"\nadopt = true\nidle_ms = 2000\n")
}

/// A printer behind usblp, by its serial number.
#[must_use]
pub fn usblp_printer(name: &str, serial: &str) -> String {
    format!("[[printer]]\nname = \"{name}\"\naddress = \"usblp:04b8:0202/{serial}\"\n")
}

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
        register.request("hello", &json!({ "client": "vm" }), within)?;
        register.request("subscribe", &json!({ "register": NAME }), within)?;
        Ok(register)
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
    pub fn event(&mut self, kind: &str, fields: &[(&str, &str)], within: Duration) -> Result<()> {
        let end = Instant::now() + within;
        let what = format!("event {kind} {fields:?}");
        loop {
            let message = match self.events.pop_front() {
                Some(message) => message,
                None => self.line(&what, end)?,
            };
            let has = |name: &str, value: &str| message.pointer(name).is_some_and(|found| found == value);
            if has("/method", "event")
                && has("/params/type", kind)
                && fields.iter().all(|(name, value)| has(&format!("/params/{name}"), value))
            {
                return Ok(());
            }
        }
    }

    /// Waits for the scan of a code that is not a card.
    ///
    /// # Errors
    /// When it does not come `within` that time.
    pub fn scan(&mut self, code: &str, within: Duration) -> Result<()> {
        self.event("scan", &[("scan_data", code)], within)
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
            self.event("state", &[], end.saturating_duration_since(Instant::now()))?;
        }
        Ok(())
    }

    /// Enrols a customer, and gives the customer's number.
    ///
    /// # Errors
    /// When the daemon refuses.
    pub fn enrol(&mut self, given_name: &str, within: Duration) -> Result<String> {
        let params = json!({ "key": ENROL_KEY, "person": { "givenName": given_name } });
        let enrolled = self.request("customer.enrol", &params, within)?;
        text(&enrolled, "/customer")
    }

    /// Has a card printed for a customer, and waits until the printer says that it is.
    ///
    /// # Errors
    /// When the daemon refuses, or the job does not get there `within` that time.
    pub fn print_card(&mut self, customer: &str, printer: &str, within: Duration) -> Result<()> {
        let params = json!({ "key": PRINT_KEY, "customer": customer, "printer": printer });
        let queued = self.request("card.print", &params, within)?;
        self.event("job", &[("job", &text(&queued, "/job")?), ("state", "printed")], within)
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

fn text(answer: &Value, at: &str) -> Result<String> {
    let found = answer.pointer(at).and_then(Value::as_str);
    Ok(found.ok_or_else(|| format!("no {at} in {answer}"))?.to_owned())
}
