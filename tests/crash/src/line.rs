//! One connection to the daemon's socket, one request at a time. A request's id is its idempotency key, so that an answer
//! can be found again in what the daemon was seen to send.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// An answer that has not come by then does not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Why there is no result.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The connection ended, or nothing came.
    Gone,
    /// The daemon's own word.
    Refused { reason: String, message: String },
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gone => f.write_str("the connection ended"),
            Self::Refused { reason, message } => write!(f, "{reason}: {message}"),
        }
    }
}

impl std::error::Error for Failed {}

#[derive(Debug)]
pub(crate) struct Line(BufReader<UnixStream>);

impl Line {
    pub(crate) fn connect(socket: &Path) -> std::io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Asks, and reads until the answer.
    pub(crate) fn call(&mut self, id: &str, method: &str, params: &Value) -> Result<Value, Failed> {
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.0.get_mut().write_all(format!("{request}\n").as_bytes()).map_err(|_| Failed::Gone)?;
        loop {
            let mut line = String::new();
            let read = self.0.read_line(&mut line).map_err(|_| Failed::Gone)?;
            // A line without its end is one that the kill cut off.
            if read == 0 || !line.ends_with('\n') {
                return Err(Failed::Gone);
            }
            let mut answer: Value = serde_json::from_str(&line).expect("a line of the daemon is not JSON");
            if answer["id"] != id {
                continue;
            }
            if let Some(result) = answer.get_mut("result") {
                return Ok(result.take());
            }
            let text =
                |pointer| answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            return Err(Failed::Refused {
                reason: text("/error/data/reason"),
                message: text("/error/message"),
            });
        }
    }

    /// Asks for something to read.
    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> Result<Value, Failed> {
        self.call("ask", method, params)
    }
}
