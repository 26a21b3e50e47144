//! Answers and events as lines, each with its LF, ready for the socket.

use super::{Context, Event};
use crate::domain::id::{CustomerNumber, RegisterName, StreamId};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

/// The `type` of every event there is.
pub const EVENT_TYPES: [&str; 9] =
    ["identified", "unknown", "unavailable", "blocked", "scan", "rejected", "job", "state", "missed"];

/// Room for a customer's file, so that the usual frame is allocated once.
const FRAME_BYTES_USUAL: usize = 1024;

/// Where and when an event stands.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    /// This run of the daemon.
    pub stream: StreamId,
    /// Counts from 1 within the register's stream.
    pub seq: u64,
    /// Whose event it is.
    pub register: &'a RegisterName,
    /// When it happened.
    pub at: Timestamp,
}

/// What a register did not get in time: told without any code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// Events of this stream that are too old now, or had no room.
    Counted {
        /// How many.
        count: u64,
        /// The first of them.
        from_seq: u64,
        /// The last of them; events that are still good can lie between.
        to_seq: u64,
    },
    /// The client's place is in an earlier run of the daemon: how many were missed is not known.
    OtherStream,
}

/// An event as a notification.
#[must_use]
pub fn event(event: &Event<'_>, ctx: Context<'_>, stamp: Stamp<'_>) -> Vec<u8> {
    line(&Notification { params: Params { event, ctx, stamp } })
}

/// A `missed` event: without `seq`, as it stands in no stream and needs no acknowledging.
#[must_use]
pub fn missed(missed: Missed, stream: StreamId, register: &RegisterName, at: Timestamp) -> Vec<u8> {
    line(&Notification { params: MissedParams { missed, stream, register, at } })
}

/// A `state` event for one session alone: without `seq`, like [`missed()`].
#[must_use]
pub fn notice(
    state: &serde_json::Value,
    stream: StreamId,
    register: &RegisterName,
    at: Timestamp,
) -> Vec<u8> {
    #[derive(serde::Serialize)]
    struct Notice<'a> {
        r#type: &'a str,
        stream: StreamId,
        register: &'a RegisterName,
        at: String,
        state: &'a serde_json::Value,
    }
    let params = Notice { r#type: "state", stream, register, at: at.rfc3339(), state };
    line(&Notification { params })
}

/// A good answer.
#[must_use]
pub fn result(id: &RawValue, result: &impl Serialize) -> Vec<u8> {
    #[derive(serde::Serialize)]
    struct Answer<'a, R> {
        jsonrpc: &'a str,
        id: &'a RawValue,
        result: &'a R,
    }
    line(&Answer { jsonrpc: "2.0", id, result })
}

/// A refusal as an error object; `id` is `null` where none could be read.
#[must_use]
pub fn refusal(id: Option<&RawValue>, refusal: &Refusal) -> Vec<u8> {
    #[derive(serde::Serialize)]
    struct Answer<'a> {
        jsonrpc: &'a str,
        id: Option<&'a RawValue>,
        error: Error<'a>,
    }
    #[derive(serde::Serialize)]
    struct Error<'a> {
        code: i32,
        message: &'a str,
        data: Data<'a>,
    }
    #[derive(serde::Serialize)]
    struct Data<'a> {
        reason: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        field: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        customer: Option<CustomerNumber>,
    }
    let Refusal { code, field, customer, .. } = refusal;
    let data = Data { reason: code.word(), field: field.as_deref(), customer: *customer };
    let error = Error { code: refusal.code.number(), message: &refusal.message, data };
    line(&Answer { jsonrpc: "2.0", id, error })
}

#[expect(clippy::expect_used, reason = "a Vec takes every write, and no type here refuses to be written")]
fn line(message: &impl Serialize) -> Vec<u8> {
    let mut line = Vec::with_capacity(FRAME_BYTES_USUAL);
    serde_json::to_writer(&mut line, message).expect("a message of ours can be written");
    // Only raw JSON from elsewhere can hold a line break, and there only between values: in a text it is escaped.
    line.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
    line.push(b'\n');
    line
}

struct Notification<P> {
    params: P,
}

impl<P: Serialize> Serialize for Notification<P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("jsonrpc", "2.0")?;
        map.serialize_entry("method", "event")?;
        map.serialize_entry("params", &self.params)?;
        map.end()
    }
}

struct Params<'a> {
    event: &'a Event<'a>,
    ctx: Context<'a>,
    stamp: Stamp<'a>,
}

impl Serialize for Params<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { event, ctx, stamp } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", event.name())?;
        map.serialize_entry("stream", &stamp.stream)?;
        map.serialize_entry("seq", &stamp.seq)?;
        map.serialize_entry("register", stamp.register)?;
        optional(&mut map, "reader", ctx.reader)?;
        map.serialize_entry("at", &stamp.at.rfc3339())?;
        map.serialize_entry("valid_until", &stamp.at.after(ctx.lifetime).rfc3339())?;
        body(event, &mut map)?;
        map.end()
    }
}

fn body<M: SerializeMap>(event: &Event<'_>, map: &mut M) -> Result<(), M::Error> {
    match *event {
        Event::Identified { visit, card, file, repaired, repeat_of } => {
            map.serialize_entry("visit", &visit)?;
            optional(map, "card", card)?;
            map.serialize_entry("file", file)?;
            map.serialize_entry("repaired", &repaired)?;
            optional(map, "repeat_of", repeat_of)
        }
        Event::Unknown { repeat_of } | Event::Unavailable { repeat_of } => {
            optional(map, "repeat_of", repeat_of)
        }
        Event::Blocked { customer, card, status, reason, repeat_of } => {
            map.serialize_entry("customer", &customer)?;
            map.serialize_entry("card", &card)?;
            map.serialize_entry("status", status)?;
            map.serialize_entry("reason", reason)?;
            optional(map, "repeat_of", repeat_of)
        }
        Event::Scan { data, aim, scan_data_type, repeat_of } => {
            scan_data(data, map)?;
            map.serialize_entry("scan_data_type", scan_data_type)?;
            optional(map, "aim", aim.as_ref().and_then(|aim| str::from_utf8(aim).ok()))?;
            optional(map, "repeat_of", repeat_of)
        }
        Event::Rejected(rejection) => map.serialize_entry("reason", rejection.word()),
        Event::Job { job, printer, state, reason, omitted } => {
            map.serialize_entry("job", &job)?;
            map.serialize_entry("printer", printer)?;
            map.serialize_entry("state", state)?;
            optional(map, "reason", reason)?;
            optional(map, "omitted", Some(omitted).filter(|omitted| !omitted.is_empty()))
        }
        Event::State(state) => map.serialize_entry("state", state),
    }
}

fn optional<M: SerializeMap>(map: &mut M, key: &str, value: Option<impl Serialize>) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(key, &value))
}

/// Text with a label where it is text, Base64 where it is not.
fn scan_data<M: SerializeMap>(data: &[u8], map: &mut M) -> Result<(), M::Error> {
    let text = str::from_utf8(data).ok().filter(|text| text.chars().all(shown_as_text));
    let Some(text) = text else {
        return map.serialize_entry("scan_data_base64", &Written(Base64Display::new(data, &STANDARD)));
    };
    map.serialize_entry("scan_data", text)?;
    map.serialize_entry("scan_data_label", &Written(Label(text)))
}

/// Printable, or one of the controls that bar codes use to part their fields: EOT, HT, LF, CR, GS and RS
/// (GS1 General Specifications, section 7.8; ISO/IEC 15434; texts of several lines in a QR code).
fn shown_as_text(character: char) -> bool {
    !character.is_control() || matches!(character, '\u{4}' | '\t' | '\n' | '\r' | '\u{1d}' | '\u{1e}')
}

/// The characters that a person could read off the label: no controls.
struct Label<'a>(&'a str);

impl std::fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.split(char::is_control).try_for_each(|part| f.write_str(part))
    }
}

/// Something that writes itself out, as a JSON text and without a copy.
struct Written<T>(T);

impl<T: std::fmt::Display> Serialize for Written<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

struct MissedParams<'a> {
    missed: Missed,
    stream: StreamId,
    register: &'a RegisterName,
    at: Timestamp,
}

impl Serialize for MissedParams<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", "missed")?;
        map.serialize_entry("stream", &self.stream)?;
        map.serialize_entry("register", self.register)?;
        map.serialize_entry("at", &self.at.rfc3339())?;
        match self.missed {
            Missed::Counted { count, from_seq, to_seq } => {
                map.serialize_entry("count", &count)?;
                map.serialize_entry("from_seq", &from_seq)?;
                map.serialize_entry("to_seq", &to_seq)?;
            }
            Missed::OtherStream => {
                map.serialize_entry("count", &())?;
                map.serialize_entry("other_stream", &true)?;
            }
        }
        map.end()
    }
}
