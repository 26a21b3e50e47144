//! The other side of the socket: a small blocking client for the command line, the demo and the tests.
//!
//! Standard library and serde_json only; no thread, no runtime, no clock. It lives beside the server so that
//! the two speak of the same limits; it uses nothing of the server's but [`wire`](super::wire)'s constants.

use super::wire::REQUEST_BYTES_MAX;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most events that wait while an answer is awaited; more than a server replays.
pub const EVENTS_QUEUED_MAX: usize = 1024;

/// The longest line taken from a server; its longest answer is some 256 KiB.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;

/// How long a server may be silent before an answer is given up. Printing and restoring answer at once and tell the rest by events.
pub const ANSWER_SILENCE_MAX: Duration = Duration::from_secs(30);

/// What went wrong: one variant for each thing done next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Start the daemon.
    #[error("no daemon answers on {}: start it with `systemctl start fichad`, or name its socket with `--socket`", .path.display())]
    NoDaemon {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Join a group.
    #[error(
        "no permission on {}: run `sudo usermod --append --groups fichad-register USER` (or fichad-desk, fichad-manager), then log in again",
        .path.display()
    )]
    NoPermission {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Connect again, and subscribe after the last event dealt with.
    #[error("the daemon has closed the connection: connect again")]
    Closed,
    /// The same, with what the system says.
    #[error("the connection to the daemon broke: connect again")]
    Broken {
        /// What the system says.
        #[from]
        source: io::Error,
    },
    /// Look at the daemon's log.
    #[error("the daemon did not answer for {} s: `journalctl -u fichad` may say why", ANSWER_SILENCE_MAX.as_secs())]
    Silent,
    /// Ask for less.
    #[error("the request is longer than {REQUEST_BYTES_MAX} bytes")]
    TooLong,
    /// Read events more often.
    #[error("more than {EVENTS_QUEUED_MAX} events came while an answer was awaited: connect again")]
    TooManyEvents,
    /// Is it a daemon of ours?
    #[error("what answered is not fichad, or not of this version: {what}")]
    NotOurs {
        /// What was wrong with its message; never its text.
        what: &'static str,
    },
    /// The parameters cannot be written as JSON.
    #[error("the parameters cannot be written as JSON")]
    Params {
        /// Why.
        source: serde_json::Error,
    },
    /// Do as `message` says.
    #[error("{message}")]
    Refused {
        /// The number of the error object.
        code: i64,
        /// The word for programs, such as `not_found`.
        reason: String,
        /// The text for people.
        message: String,
        /// The field that was wrong.
        field: Option<String>,
    },
}

/// A connection to the daemon. One request at a time; events that come meanwhile wait in a queue.
pub struct Client {
    stream: UnixStream,
    buffer: Vec<u8>,
    searched: usize,
    events: VecDeque<Value>,
    last_id: u64,
}

/// Shows how much waits only: there are names in it.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({} events, {} bytes)", self.events.len(), self.buffer.len())
    }
}

impl Client {
    /// Connects to the daemon at `path`.
    ///
    /// # Errors
    /// [`ClientError::NoDaemon`], [`ClientError::NoPermission`].
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        UnixStream::connect(path).map(Self::over).map_err(|source| {
            let path = path.to_owned();
            if source.kind() == io::ErrorKind::PermissionDenied {
                ClientError::NoPermission { path, source }
            } else {
                ClientError::NoDaemon { path, source }
            }
        })
    }

    /// Speaks over a stream that is connected already.
    #[must_use]
    pub fn over(stream: UnixStream) -> Self {
        Self { stream, buffer: Vec::new(), searched: 0, events: VecDeque::new(), last_id: 0 }
    }

    /// Asks, and waits for the answer to this very request. `params` must become a JSON object.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the daemon's reason, or why there was no answer.
    pub fn call(&mut self, method: &str, params: impl Serialize) -> Result<Value, ClientError> {
        self.last_id = self.last_id.saturating_add(1);
        let id = self.last_id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": to_value(params)? }))?;
        loop {
            let Some(message) = self.message(Some(ANSWER_SILENCE_MAX))? else {
                return Err(ClientError::Silent);
            };
            match message.get("id") {
                None => self.keep(message)?,
                Some(Value::Null) => return Err(refused(&message)),
                Some(got) if *got == json!(id) => return answer(message),
                // The answer to a request that was given up.
                Some(_) => {}
            }
        }
    }

    /// Tells something that has no answer, such as `ack`.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn notify(&mut self, method: &str, params: impl Serialize) -> Result<(), ClientError> {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": to_value(params)? }))
    }

    /// The next event's `params`; `None` after `timeout` without a byte. A timeout of zero waits as short as the system can.
    ///
    /// # Errors
    /// When the connection ends.
    pub fn next_event(&mut self, timeout: Duration) -> Result<Option<Value>, ClientError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            match self.message(Some(timeout))? {
                None => return Ok(None),
                Some(message) if message.get("id").is_none() => self.keep(message)?,
                Some(message) if message.get("id") == Some(&Value::Null) => return Err(refused(&message)),
                Some(_) => {}
            }
        }
    }

    fn send(&mut self, message: &Value) -> Result<(), ClientError> {
        let mut line = message.to_string();
        if line.len() > REQUEST_BYTES_MAX {
            return Err(ClientError::TooLong);
        }
        line.push('\n');
        Ok(self.stream.write_all(line.as_bytes())?)
    }

    fn keep(&mut self, mut message: Value) -> Result<(), ClientError> {
        if message.get("method").and_then(Value::as_str) != Some("event") {
            return Err(ClientError::NotOurs { what: "a message that is neither an answer nor an event" });
        }
        if self.events.len() >= EVENTS_QUEUED_MAX {
            return Err(ClientError::TooManyEvents);
        }
        self.events.push_back(message.get_mut("params").map(Value::take).unwrap_or_default());
        Ok(())
    }

    /// The next line as JSON; `None` after `silence` without a byte. What has come of a line is kept for the next call.
    fn message(&mut self, silence: Option<Duration>) -> Result<Option<Value>, ClientError> {
        // The standard library refuses zero, as it would mean for ever.
        let silence = silence.map(|silence| silence.max(Duration::from_millis(1)));
        self.stream.set_read_timeout(silence)?;
        loop {
            let unseen = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(found) = unseen.iter().position(|byte| *byte == b'\n') {
                let end = self.searched.saturating_add(found).saturating_add(1);
                let line: Vec<u8> = self.buffer.drain(..end).collect();
                self.searched = 0;
                let what = "a line that is not JSON";
                return serde_json::from_slice(&line).map(Some).map_err(|_| ClientError::NotOurs { what });
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > LINE_BYTES_MAX {
                return Err(ClientError::NotOurs { what: "a line of more than 1 MiB" });
            }
            let mut piece = [0; 16 * 1024];
            match self.stream.read(&mut piece) {
                Ok(0) => return Err(ClientError::Closed),
                Ok(count) => self.buffer.extend_from_slice(piece.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Err(ClientError::Closed);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// To wait for the daemon and for other things at once. What is readable may be half a line.
impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn to_value(params: impl Serialize) -> Result<Value, ClientError> {
    serde_json::to_value(params).map_err(|source| ClientError::Params { source })
}

fn answer(mut message: Value) -> Result<Value, ClientError> {
    match message.get_mut("result") {
        Some(result) => Ok(result.take()),
        None => Err(refused(&message)),
    }
}

fn refused(message: &Value) -> ClientError {
    let text = |path: &str| message.pointer(path).and_then(Value::as_str).map(str::to_owned);
    match (message.pointer("/error/code").and_then(Value::as_i64), text("/error/message")) {
        (Some(code), Some(message)) => {
            let (reason, field) = (text("/error/data/reason").unwrap_or_default(), text("/error/data/field"));
            ClientError::Refused { code, reason, message, field }
        }
        _ => ClientError::NotOurs { what: "an answer with neither `result` nor `error`" },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Client, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Client::over(ours), theirs)
    }

    #[test]
    fn events_wait_while_an_answer_comes() {
        let (mut client, mut server) = pair();
        let lines = [
            r#"{"jsonrpc":"2.0","method":"event","params":{"seq":1}}"#,
            r#"{"jsonrpc":"2.0","id":77,"result":"an answer given up"}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"a":5}}"#,
            r#"{"jsonrpc":"2.0","method":"event","params":{"seq":2}}"#,
            r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32002,"message":"no such","data":{"reason":"not_found","field":"x"}}}"#,
        ];
        server.write_all((lines.join("\n") + "\n{\"half").as_bytes()).unwrap();
        assert_eq!(client.call("a", json!({})).unwrap(), json!({"a": 5}));
        let refused = client.call("b", json!({})).unwrap_err();
        assert!(matches!(&refused, ClientError::Refused { code: -32002, reason, field: Some(field), .. }
            if reason == "not_found" && field == "x"));
        assert_eq!(refused.to_string(), "no such");
        assert_eq!(client.next_event(Duration::ZERO).unwrap(), Some(json!({"seq": 1})));
        assert_eq!(client.next_event(Duration::ZERO).unwrap(), Some(json!({"seq": 2})));
        assert_eq!(client.next_event(Duration::ZERO).unwrap(), None);
        server.write_all(b"\":0}\n").unwrap();
        assert!(matches!(client.next_event(Duration::ZERO), Err(ClientError::NotOurs { .. })));
        drop(server);
        assert!(matches!(client.next_event(Duration::ZERO), Err(ClientError::Closed)));
    }

    #[test]
    fn the_next_step_is_in_the_message() {
        let folder = tempfile::tempdir().unwrap();
        let error = Client::connect(&folder.path().join("none.sock")).unwrap_err();
        assert!(matches!(error, ClientError::NoDaemon { .. }));
        assert!(error.to_string().contains("systemctl start fichad"));
    }
}
