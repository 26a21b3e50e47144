//! What every request has in common: its fields, and for a write its idempotency key.

use super::access::Principal;
use super::methods::Beyond;
use super::operator::SignOn;
use super::{Desk, Opened};
use crate::domain::event::{Outcome, RequestDone, StoreEvent};
use crate::domain::id::RegisterName;
use crate::domain::operator::{By, Operator};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::Uptime;
use crate::log::{Pending, Read, Tx};
use crate::store;
use crate::vault::Vault;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use std::sync::Arc;
use uuid::Uuid;

/// One request, as the listener understood it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) who: &'a Principal,
    pub(super) register: Option<&'a RegisterName>,
    /// The session it came by, for signing on and off there.
    pub(super) sign_on: &'a SignOn,
    /// Who was signed on there when it came.
    pub(super) operator: Option<&'a Operator>,
    pub(super) method: &'a str,
    pub(super) params: Option<&'a RawValue>,
}

/// The fields of a request, or which of them is wrong. What was sent is never quoted.
///
/// # Errors
/// [`RefusalCode::InvalidParams`] with the field.
pub fn fields<T: DeserializeOwned>(params: Option<&RawValue>) -> Result<T, Refusal> {
    let text = params.map_or("{}", RawValue::get);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let problem = problem(&error.inner().to_string());
        let within = if path == "." { String::new() } else { path };
        // What is missing is named with what it is missing in.
        let missing = problem.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        let field = match missing {
            Some(missing) if within.is_empty() => missing.to_owned(),
            Some(missing) => format!("{within}.{missing}"),
            None => within,
        };
        Refusal { field: Some(field).filter(|field| !field.is_empty()), ..Refusal::field("", problem) }
    })
}

/// What a write came to.
pub(super) struct Done {
    pub(super) outcome: Outcome,
    /// The same request had been carried out before; nothing new happened.
    pub(super) repeated: bool,
}

/// A write by what makes it one: its key, what it says, who asks.
pub(super) struct Wish {
    pub(super) key: Uuid,
    /// The same for the same wish, whatever the order of its fields.
    pub(super) body: Vec<u8>,
    pub(super) by: By,
}

/// A write that the committer has in its queue.
pub(super) struct Queued {
    pending: Pending<(Outcome, bool), Refusal>,
    queued_at: Uptime,
}

impl Queued {
    /// Waits until it is durable; how long that took is noted.
    pub(super) async fn done(self, desk: &Desk) -> Result<Done, Refusal> {
        let (outcome, repeated) = self.pending.await?.value;
        desk.journal.committed(desk.clock.uptime().saturating_sub(self.queued_at));
        Ok(Done { outcome, repeated })
    }
}

impl Ask<'_> {
    /// See [`fields`].
    pub(super) fn fields<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        fields(self.params)
    }

    /// Who asks, as it is kept.
    pub(super) fn by(&self) -> By {
        By { uid: self.who.uid, operator: self.operator.cloned() }
    }

    /// See [`canonical`].
    fn canonical(&self) -> Result<Vec<u8>, Refusal> {
        let fields: Value = self.fields()?;
        Ok(canonical(self.method, &fields))
    }

    /// The register that the request speaks for: the one it names, or the session's. A till speaks for itself alone.
    pub(super) fn register(&self, named: Option<RegisterName>) -> Result<RegisterName, Refusal> {
        let own = named.is_none() || named.as_ref() == self.register;
        if !own && !self.who.may(Beyond::OtherRegister) {
            let message = "a till speaks for the register that it is subscribed to; leave `register` out";
            return Err(Refusal {
                field: Some("register".to_owned()),
                ..Refusal::new(RefusalCode::Forbidden, message)
            });
        }
        named.or_else(|| self.register.cloned()).ok_or_else(|| {
            Refusal::field("register", "name the register, or subscribe to it on this connection first")
        })
    }
}

/// Method and fields in one text that does not depend on white space or order.
pub(super) fn canonical(method: &str, fields: &Value) -> Vec<u8> {
    format!("{method}\n{fields}").into_bytes()
}

/// The part of a serde message that says what would be right; the part that quotes the value is dropped.
fn problem(message: &str) -> String {
    let message = message.split(" at line ").next().unwrap_or_default();
    if message.starts_with("missing field") || message.starts_with("unknown field") {
        return message.to_owned();
    }
    match message.find("expected ") {
        Some(at) => said_plainly(message.get(at..).unwrap_or_default()),
        None => "has a value that does not fit; PROTOCOL.md shows an example".to_owned(),
    }
}

/// The types of this program's own language are nothing to whoever wrote the request.
fn said_plainly(expected: &str) -> String {
    let plain = match expected.strip_prefix("expected ") {
        Some("i8" | "i16" | "i32" | "i64" | "isize") => "expected a whole number",
        Some("u8" | "u16" | "u32" | "u64" | "usize") => "expected a whole number, not below 0",
        Some(_) | None => expected,
    };
    plain.to_owned()
}

impl Desk {
    /// Carries a write out once: the same key with the same body gives the same outcome for ever.
    pub(super) async fn write<F>(&self, ask: &Ask<'_>, key: Uuid, decide: F) -> Result<Done, Refusal>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<Outcome, Refusal> + Send + 'static,
    {
        self.must_be_signed_on(ask)?;
        let wish = Wish { key, body: ask.canonical()?, by: ask.by() };
        self.queue(wish, decide)?.done(self).await
    }

    /// The same for one of several writes that are under way together.
    pub(super) fn queue<F>(&self, wish: Wish, decide: F) -> Result<Queued, Refusal>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<Outcome, Refusal> + Send + 'static,
    {
        let Opened { log, vault } = self.store()?;
        let (Wish { key, body, by }, vault) = (wish, Arc::clone(vault));
        let (queued_at, waiting) = (self.clock.uptime(), self.journal.queued());
        let decide = move |tx: &mut Tx<'_>| {
            drop(waiting);
            if let Some(done) = store::request(tx, key)? {
                return same_request(tx, &vault, &done, &body).map(|outcome| (outcome, true));
            }
            let outcome = decide(tx)?;
            let body = vault.body_mac(tx, outcome.customer, &body)?;
            let By { uid, operator } = by;
            let done = RequestDone { key, body, outcome, by: Some(uid), operator };
            store::emit(tx, &StoreEvent::RequestDone(done))?;
            Ok((outcome, false))
        };
        Ok(Queued { pending: log.submit(decide)?, queued_at })
    }

    /// What this request came to, if it was carried out before: asked first where a write has something to prepare.
    pub(super) fn done_before(&self, ask: &Ask<'_>, key: Uuid) -> Result<Option<Outcome>, Refusal> {
        self.store()?.done_before(key, &ask.canonical()?)
    }
}

impl Opened {
    /// What came of a request with this key, if it was carried out before with this body.
    pub(super) fn done_before(&self, key: Uuid, body: &[u8]) -> Result<Option<Outcome>, Refusal> {
        let views = self.log.views();
        let Some(done) = store::request(&views, key)? else { return Ok(None) };
        same_request(&views, &self.vault, &done, body).map(Some)
    }
}

fn same_request(
    views: &(impl Read + ?Sized),
    vault: &Vault,
    done: &RequestDone,
    body: &[u8],
) -> Result<Outcome, Refusal> {
    if vault.body_mac_fits(views, done.outcome.customer, body, &done.body)? {
        return Ok(done.outcome);
    }
    let message = "this key was used for another request; a new request needs a new key";
    Err(Refusal { field: Some("key".to_owned()), ..Refusal::new(RefusalCode::Conflict, message) })
}

#[cfg(test)]
mod tests {
    use super::{fields, problem};

    #[test]
    fn a_wrong_value_is_never_quoted_back() {
        for message in [
            "invalid type: string \"María\", expected u64 at line 1 column 9",
            "unknown variant `María`, expected one of `LOST`, `STOLEN` at line 1 column 9",
            "María is no such thing",
        ] {
            assert!(!problem(message).contains("María"), "{}", problem(message));
        }
        assert_eq!(problem("missing field `key` at line 1 column 2"), "missing field `key`");
        let part = "invalid type: floating point `1.5`, expected i64 at line 1 column 9";
        assert_eq!(problem(part), "expected a whole number");
    }

    #[test]
    fn what_is_missing_is_named_with_what_it_is_missing_in() {
        #[derive(Debug, serde::Deserialize)]
        struct Outer {
            #[expect(dead_code, reason = "only read")]
            list: Vec<Inner>,
        }
        #[derive(Debug, serde::Deserialize)]
        struct Inner {
            #[expect(dead_code, reason = "only read")]
            amount: u32,
        }
        for (text, field) in [
            ("{}", "list"),
            ("{\"list\":[{\"amount\":1},{}]}", "list[1].amount"),
            ("{\"list\":[{\"amount\":-1}]}", "list[0].amount"),
        ] {
            let params = serde_json::value::RawValue::from_string(text.to_owned()).unwrap();
            assert_eq!(fields::<Outer>(Some(&params)).unwrap_err().field.as_deref(), Some(field));
        }
    }
}
