//! The requests that are the session's own: who is there, which register, what was received.

use super::request::{INTEGER_MAX, Members, text};
use crate::domain::id::{RegisterName, StreamId};
use crate::domain::refusal::Refusal;
use serde_json::value::RawValue;

/// The version of the protocol that `hello` speaks of.
pub const PROTOCOL: u64 = 1;

/// The methods that a session answers itself; every other one goes to the [`Service`](crate::push::Service).
pub const METHODS: [&str; 5] = ["hello", "subscribe", "unsubscribe", "ack", "ping"];

/// The longest name that a client gives itself, in characters.
pub const CLIENT_NAME_CHARS_MAX: usize = 64;

/// A request to the session, its fields checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Who are you, and what may I do?
    Hello {
        /// What the client calls itself, for the log.
        client: Option<String>,
    },
    /// Send me a register's events.
    Subscribe {
        /// Which.
        target: Target,
        /// The last event that the client has dealt with.
        after: Option<Position>,
    },
    /// Send me no more events.
    Unsubscribe,
    /// Everything up to this event has been dealt with.
    Ack {
        /// The last sequence number dealt with.
        seq: u64,
        /// The stream it was in, if the client says.
        stream: Option<StreamId>,
    },
    /// Are you there?
    Ping,
}

/// Whose events are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The one register that the peer may claim; refused if there are several.
    TheOnlyOne,
    /// This register.
    Register(RegisterName),
    /// All registers, to look on: no acknowledging, no replay. Managers only.
    All,
}

/// A place in the events of one register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The run of the daemon in which it was.
    pub stream: StreamId,
    /// The sequence number; 0 stands before the first event.
    pub seq: u64,
}

impl Call {
    /// Reads the parameters of a session's own method; `None` when `method` is not one of [`METHODS`].
    ///
    /// # Errors
    /// A [`Refusal`] that names the field.
    pub fn parse(method: &str, params: Option<&RawValue>) -> Option<Result<Self, Refusal>> {
        let read: fn(&mut Members<'_>) -> Result<Self, Refusal> = match method {
            "hello" => hello,
            "subscribe" => subscribe,
            "unsubscribe" => |_| Ok(Self::Unsubscribe),
            "ack" => ack,
            "ping" => |_| Ok(Self::Ping),
            _ => return None,
        };
        Some(fields(params, read))
    }
}

/// Reads an object with `read` and refuses what it leaves.
fn fields<'a, T>(
    object: Option<&'a RawValue>,
    read: impl FnOnce(&mut Members<'a>) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let mut members = match object {
        Some(object) => Members::read(object.get().as_bytes())?,
        None => Members::none(),
    };
    let value = read(&mut members)?;
    members.done().map(|()| value)
}

fn hello(members: &mut Members<'_>) -> Result<Call, Refusal> {
    let client = optional(members, "client", |raw| {
        let name = text(raw).ok()?;
        let fits = name.chars().count() <= CLIENT_NAME_CHARS_MAX && !name.chars().any(char::is_control);
        fits.then(|| name.into_owned())
    });
    let client = client?.map_err(|()| Refusal::field("client", "must be a text of at most 64 characters"))?;
    let problem =
        || Refusal::field("protocol", format!("this server speaks protocol version {PROTOCOL} only"));
    let protocol = optional(members, "protocol", whole)?.map_err(|()| problem())?;
    if protocol.is_some_and(|version| version != PROTOCOL) {
        return Err(problem());
    }
    Ok(Call::Hello { client })
}

fn subscribe(members: &mut Members<'_>) -> Result<Call, Refusal> {
    let register = optional(members, "register", |raw| {
        let name = text(raw).ok()?;
        if name == "*" { Some(Target::All) } else { RegisterName::new(name).ok().map(Target::Register) }
    });
    let problem = || Refusal::field("register", "must be the name of a register, or \"*\" for all");
    let target = register?.map_err(|()| problem())?.unwrap_or(Target::TheOnlyOne);
    let after = match members.take("after")? {
        None => None,
        Some(raw) if raw.get().starts_with('{') => Some(fields(Some(raw), position).map_err(|refusal| {
            Refusal { field: Some(format!("after.{}", refusal.field.unwrap_or_default())), ..refusal }
        })?),
        Some(_) => return Err(Refusal::field("after", "must be an object with `stream` and `seq`")),
    };
    Ok(Call::Subscribe { target, after })
}

fn position(members: &mut Members<'_>) -> Result<Position, Refusal> {
    let stream = stream(members)?.ok_or_else(|| Refusal::field("stream", "is missing"))?;
    Ok(Position { stream, seq: seq(members)? })
}

fn ack(members: &mut Members<'_>) -> Result<Call, Refusal> {
    Ok(Call::Ack { seq: seq(members)?, stream: stream(members)? })
}

fn stream(members: &mut Members<'_>) -> Result<Option<StreamId>, Refusal> {
    let stream = optional(members, "stream", |raw| text(raw).ok()?.parse().ok())?;
    stream.map_err(|()| Refusal::field("stream", "must be the `stream` of an event, a UUID as text"))
}

fn seq(members: &mut Members<'_>) -> Result<u64, Refusal> {
    let seq = optional(members, "seq", whole)?;
    let problem = || Refusal::field("seq", "must be the `seq` of an event, a whole number");
    seq.map_err(|()| problem())?.ok_or_else(|| Refusal::field("seq", "is missing"))
}

fn whole(raw: &RawValue) -> Option<u64> {
    raw.get().parse().ok().filter(|number| *number <= INTEGER_MAX.unsigned_abs())
}

/// A member that may be missing; the inner `Err` when `read` does not take its value.
fn optional<'a, T>(
    members: &mut Members<'a>,
    name: &str,
    read: impl FnOnce(&'a RawValue) -> Option<T>,
) -> Result<Result<Option<T>, ()>, Refusal> {
    Ok(members.take(name)?.map(|raw| read(raw).ok_or(())).transpose())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "0192f0c1-2b7a-7c3e-8000-0123456789ab";

    #[track_caller]
    fn check(method: &str, params: &str, want: Result<Call, &str>) {
        let raw: Box<RawValue> = serde_json::from_str(params).unwrap();
        let got = Call::parse(method, Some(&raw)).unwrap();
        assert_eq!(got.map_err(|refusal| refusal.field.unwrap_or_default()), want.map_err(str::to_owned));
    }

    #[test]
    fn good_fields() {
        let (till, stream) = (RegisterName::new("till-1").unwrap(), STREAM.parse().unwrap());
        check(
            "hello",
            r#"{"client":"POS 3","protocol":1}"#,
            Ok(Call::Hello { client: Some("POS 3".into()) }),
        );
        check("ping", "{}", Ok(Call::Ping));
        check("unsubscribe", "{}", Ok(Call::Unsubscribe));
        check("subscribe", "{}", Ok(Call::Subscribe { target: Target::TheOnlyOne, after: None }));
        check("subscribe", r#"{"register":"*"}"#, Ok(Call::Subscribe { target: Target::All, after: None }));
        check(
            "subscribe",
            &format!(r#"{{"register":"till-1","after":{{"stream":"{STREAM}","seq":7}}}}"#),
            Ok(Call::Subscribe { target: Target::Register(till), after: Some(Position { stream, seq: 7 }) }),
        );
        check(
            "ack",
            r#"{"seq":9007199254740991}"#,
            Ok(Call::Ack { seq: 9_007_199_254_740_991, stream: None }),
        );
        assert!(Call::parse("customer.find", None).is_none());
        assert!(METHODS.iter().all(|method| Call::parse(method, None).is_some()));
    }

    #[test]
    fn every_wrong_field_is_named() {
        check("hello", r#"{"protocol":2}"#, Err("protocol"));
        check("hello", r#"{"client":5}"#, Err("client"));
        check("hello", r#"{"client":"a\u0007"}"#, Err("client"));
        check("ping", r#"{"x":1}"#, Err("x"));
        check("subscribe", r#"{"register":"till 1"}"#, Err("register"));
        check("subscribe", r#"{"register":null}"#, Err("register"));
        check("subscribe", r#"{"after":7}"#, Err("after"));
        check("subscribe", r#"{"after":{"seq":7}}"#, Err("after.stream"));
        check("subscribe", r#"{"after":{"stream":"x","seq":7}}"#, Err("after.stream"));
        check("subscribe", &format!(r#"{{"after":{{"stream":"{STREAM}","seq":-1}}}}"#), Err("after.seq"));
        check("ack", "{}", Err("seq"));
        check("ack", r#"{"seq":1.0}"#, Err("seq"));
        check("ack", r#"{"seq":9007199254740992}"#, Err("seq"));
        check("ack", r#"{"seq":1,"seq":2}"#, Err("seq"));
    }
}
