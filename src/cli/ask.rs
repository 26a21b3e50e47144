//! Asking the daemon, and what its answers mean for the exit code.

use super::{EX_NOPERM, EX_UNAVAILABLE, EX_USAGE, say};
use crate::config::ConfigError;
use crate::domain::contact::CallingCode;
use crate::domain::operator::{Operator, Pin};
use crate::push::client::{Client, ClientError};
use serde_json::{Value, json};
use std::path::PathBuf;
use uuid::Uuid;

/// Where to ask, and how to answer.
#[derive(Debug)]
pub(super) struct Asker {
    pub(super) socket: PathBuf,
    pub(super) json: bool,
    /// Who signs on at each connection, if anybody does.
    pub(super) operator: Option<(Operator, Pin)>,
}

impl Asker {
    /// A connection of one's own, for more than one request or for events.
    pub(super) fn connect(&self) -> anyhow::Result<Client> {
        let mut client = Client::connect(&self.socket)?;
        self.sign_on(&mut client)?;
        Ok(client)
    }

    /// Signs whoever was named on at a connection.
    pub(super) fn sign_on(&self, client: &mut Client) -> Result<(), ClientError> {
        let Some((operator, pin)) = &self.operator else { return Ok(()) };
        client.call("operator.sign_on", json!({ "operator": operator, "pin": pin.reveal() })).map(drop)
    }

    /// One request on a connection of its own.
    pub(super) fn call(&self, method: &str, params: Value) -> anyhow::Result<Value> {
        request(&mut self.connect()?, method, params)
    }

    /// Of telephone numbers without one, as the daemon reads them.
    pub(super) fn calling_code(&self) -> anyhow::Result<Option<CallingCode>> {
        let status = self.call("status", json!({}))?;
        Ok(say::get(&status, "calling_code").as_str().and_then(|code| code.parse().ok()))
    }

    /// Says an answer: as it came to a program, as `people` puts it to a person.
    pub(super) fn say(&self, answer: &Value, people: impl FnOnce(&Value) -> String) -> anyhow::Result<()> {
        if self.json { say::json_line(answer) } else { say::text(&people(answer)) }
    }

    /// One request whose answer is said.
    pub(super) fn tell(
        &self,
        method: &str,
        params: Value,
        people: impl FnOnce(&Value) -> String,
    ) -> anyhow::Result<()> {
        self.say(&self.call(method, params)?, people)
    }
}

/// One request. Of a write that was cut off nobody knows whether it was done: its key is said, for asking again.
pub(super) fn request(client: &mut Client, method: &str, params: Value) -> anyhow::Result<Value> {
    let key = params.get("key").and_then(Value::as_str).map(str::to_owned);
    client.call(method, params).map_err(|error| {
        let cut_off = matches!(error, ClientError::Closed | ClientError::Broken { .. } | ClientError::Silent);
        match key.filter(|_| cut_off) {
            Some(key) => anyhow::Error::new(error)
                .context(format!("not known whether it was done; the same again with `--key {key}` is safe")),
            None => error.into(),
        }
    })
}

/// The idempotency key of a write.
#[derive(Debug, clap::Args)]
pub(super) struct Key {
    /// Names this wish, for scripts that try again: the same key with the same request happens once.
    #[arg(long = "key", value_name = "UUID")]
    given: Option<Uuid>,
}

impl Key {
    /// The key given, or a fresh one.
    pub(super) fn get(&self) -> Uuid {
        self.given.unwrap_or_else(Uuid::new_v4)
    }
}

/// The command was not used as it must be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub(super) String);

/// What is wrong was said already, on standard output; this is its exit code.
#[derive(Debug, thiserror::Error)]
#[error("said before")]
pub(super) struct Said(pub(super) u8);

/// Puts fields that were given into the parameters of a request.
pub(super) fn optional(params: &mut Value, fields: &[(&str, Option<&str>)]) {
    for (name, value) in fields {
        if let (Some(value), Some(params)) = (value, params.as_object_mut()) {
            params.insert((*name).to_owned(), Value::from(*value));
        }
    }
}

/// The exit code of what went wrong.
pub(super) fn exit_code(error: &anyhow::Error) -> u8 {
    if let Some(Said(code)) = error.downcast_ref() {
        return *code;
    }
    if error.is::<Usage>() || error.is::<ConfigError>() {
        return EX_USAGE;
    }
    match error.downcast_ref::<ClientError>() {
        Some(
            ClientError::NoDaemon { .. }
            | ClientError::Closed
            | ClientError::Broken { .. }
            | ClientError::Silent
            | ClientError::NotOurs { .. },
        ) => EX_UNAVAILABLE,
        Some(ClientError::NoPermission { .. }) => EX_NOPERM,
        Some(ClientError::Refused { reason, .. }) if reason == "forbidden" => EX_NOPERM,
        Some(
            ClientError::Refused { .. }
            | ClientError::TooLong
            | ClientError::TooManyEvents
            | ClientError::Params { .. },
        )
        | None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_has_its_exit_code() {
        let refused = |reason: &str| ClientError::Refused {
            code: -1,
            reason: reason.to_owned(),
            message: String::new(),
            field: None,
        };
        assert_eq!(exit_code(&refused("not_found").into()), 1);
        assert_eq!(exit_code(&refused("forbidden").into()), EX_NOPERM);
        assert_eq!(exit_code(&ClientError::Closed.into()), EX_UNAVAILABLE);
        assert_eq!(exit_code(&anyhow::Error::new(ClientError::Closed).context("outside")), EX_UNAVAILABLE);
        assert_eq!(exit_code(&Usage(String::new()).into()), EX_USAGE);
        assert_eq!(exit_code(&Said(3).into()), 3);
        assert_eq!(exit_code(&anyhow::anyhow!("anything")), 1);
    }

    #[test]
    fn a_write_that_was_cut_off_can_be_asked_again() {
        let cut_off = |params| {
            let (ours, _) = std::os::unix::net::UnixStream::pair().unwrap();
            request(&mut Client::over(ours), "card.print", params).unwrap_err()
        };
        let error = cut_off(json!({ "key": "k-1" }));
        assert!(error.to_string().contains("--key k-1"), "{error}");
        assert_eq!(exit_code(&error), EX_UNAVAILABLE);
        assert!(!cut_off(json!({})).to_string().contains("--key"));
    }

    #[test]
    fn only_what_was_given_is_asked() {
        let mut params = json!({ "customer": 1 });
        optional(&mut params, &[("printer", Some("desk")), ("reason", None)]);
        assert_eq!(params, json!({ "customer": 1, "printer": "desk" }));
    }
}
