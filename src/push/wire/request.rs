//! One line in, one request out, or what is wrong with it.
//!
//! Nesting needs no limit of its own: the members of a request are taken as raw text by a parser that does
//! not recurse, and whoever turns such text into values meets serde_json's limit of 128 levels.

use crate::domain::refusal::{Refusal, RefusalCode};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The longest line that a peer may send, its LF not counted.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// The longest `id`, as it stands on the wire: it is sent back with the answer.
pub const ID_BYTES_MAX: usize = 128;

/// The largest whole number that every JSON reader keeps exactly: 2^53 - 1 (RFC 8259, section 6).
pub const INTEGER_MAX: i64 = 9_007_199_254_740_991;

/// A JSON-RPC 2.0 request; borrowed from its line.
#[derive(Clone)]
pub struct Request<'a> {
    /// Sent back with the answer. `None`: a notification, which is never answered.
    pub id: Option<&'a RawValue>,
    /// What is asked.
    pub method: Cow<'a, str>,
    /// An object, not yet looked into.
    pub params: Option<&'a RawValue>,
}

/// Shows the method only: the parameters may name a person.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({:?})", self.method)
    }
}

/// A line that is no request.
#[derive(Debug, Clone)]
pub struct BadRequest<'a> {
    /// The id, where one could be read; answered as `null` otherwise.
    pub id: Option<&'a RawValue>,
    /// What is wrong, naming the member.
    pub refusal: Refusal,
}

/// Reads one line (without its LF).
///
/// # Errors
/// [`BadRequest`] to answer with: -32700 when it is not JSON in UTF-8, -32600 when it is not one JSON-RPC 2.0 request.
pub fn parse(line: &[u8]) -> Result<Request<'_>, BadRequest<'_>> {
    let bad = |refusal| BadRequest { id: None, refusal };
    if line.trim_ascii_start().first() == Some(&b'[') {
        return Err(bad(invalid(None, "batches are not taken: send one request a line")));
    }
    let mut members = Members::read(line).map_err(bad)?;
    let id = members.take("id").and_then(|id| id.map(check_id).transpose());
    // A wrong id cannot be sent back, so that error goes out with `null`.
    let id = id.map_err(|refusal| bad(as_request(refusal)))?;
    let bad = |refusal: Refusal| BadRequest { id, refusal: as_request(refusal) };

    let version = members.take("jsonrpc").map_err(bad)?.map(text);
    if !matches!(version, Some(Ok(ref version)) if version == "2.0") {
        return Err(bad(invalid(Some("jsonrpc"), "must be there and be \"2.0\"")));
    }
    let method = match members.take("method").map_err(bad)?.map(text) {
        Some(Ok(method)) if !method.is_empty() => method,
        _ => return Err(bad(invalid(Some("method"), "must be there and be a text"))),
    };
    let params = members.take("params").map_err(bad)?;
    if params.is_some_and(|params| !params.get().starts_with('{')) {
        return Err(bad(invalid(Some("params"), "must be an object with named fields")));
    }
    members.done().map_err(bad)?;
    Ok(Request { id, method, params })
}

fn invalid(field: Option<&str>, message: &str) -> Refusal {
    Refusal { field: field.map(str::to_owned), ..Refusal::new(RefusalCode::InvalidRequest, message) }
}

/// The same refusal about the envelope and not about the parameters.
fn as_request(refusal: Refusal) -> Refusal {
    Refusal { code: RefusalCode::InvalidRequest, ..refusal }
}

fn check_id(id: &RawValue) -> Result<&RawValue, Refusal> {
    let raw = id.get();
    let number = raw.parse::<i64>().is_ok_and(|number| number.unsigned_abs() <= INTEGER_MAX.unsigned_abs());
    let fits = raw.len() <= ID_BYTES_MAX && (number || raw == "null" || text(id).is_ok());
    let problem =
        || invalid(Some("id"), "must be a text of at most 126 bytes or a whole number of at most 2^53-1");
    fits.then_some(id).ok_or_else(problem)
}

/// A JSON text, borrowed unless it holds escapes. `Err` for any other value.
pub(super) fn text(raw: &RawValue) -> Result<Cow<'_, str>, serde_json::Error> {
    serde_json::from_str::<Text<'_>>(raw.get()).map(|text| text.0)
}

#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The members of one object, taken one by one by name; [`Members::done`] refuses what is left.
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    pub(super) fn read(json: &'a [u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(json).map_err(|error| match error.classify() {
            // serde_json's text for these names a place and never quotes the line.
            Category::Syntax | Category::Eof | Category::Io => {
                Refusal::new(RefusalCode::NotJson, format!("the line is not JSON: {error}"))
            }
            Category::Data => invalid(None, "must be one object"),
        })
    }

    /// Takes a member out; one that is there twice is refused, as readers differ on which counts.
    pub(super) fn take(&mut self, name: &str) -> Result<Option<&'a RawValue>, Refusal> {
        let mut found = self.0.extract_if(.., |(key, _)| key == name).map(|(_, value)| value);
        let (first, second) = (found.next(), found.next());
        match second {
            Some(_) => Err(Refusal::field(name, "must not be there twice")),
            None => Ok(first),
        }
    }

    /// Refuses the first member that nobody took.
    pub(super) fn done(self) -> Result<(), Refusal> {
        let Some((name, _)) = self.0.first() else { return Ok(()) };
        let name: String = name.chars().take(64).collect();
        Err(Refusal::field(name, "is not a field of this message"))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(4);
                while let Some((key, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    members.push((key.0, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(line: &str, want: (i32, Option<&str>, Option<&str>)) {
        let bad = parse(line.as_bytes()).unwrap_err();
        let got = (bad.refusal.code.number(), bad.refusal.field.as_deref(), bad.id.map(RawValue::get));
        assert_eq!(got, want, "{line}: {}", bad.refusal);
    }

    #[test]
    fn a_request_and_a_notification() {
        let line = br#" {"jsonrpc":"2.0","id":"a","method":"p\u0069ng","params":{"x":[1]}} "#;
        let request = parse(line).unwrap();
        assert_eq!((request.id.unwrap().get(), &*request.method), ("\"a\"", "ping"));
        assert_eq!(request.params.unwrap().get(), r#"{"x":[1]}"#);
        assert!(parse(br#"{"jsonrpc":"2.0","method":"ack"}"#).unwrap().id.is_none());
        // A null id is an id: answered, with null.
        assert_eq!(parse(br#"{"jsonrpc":"2.0","id":null,"method":"a"}"#).unwrap().id.unwrap().get(), "null");
    }

    #[test]
    fn every_fault_names_its_member() {
        check("", (-32700, None, None));
        check("hello", (-32700, None, None));
        check(r#"{"jsonrpc":"2.0","id":1,"method":"ping""#, (-32700, None, None));
        check("5", (-32600, None, None));
        check(r#" [{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, (-32600, None, None));
        check(r#"{"id":1,"method":"ping"}"#, (-32600, Some("jsonrpc"), Some("1")));
        check(r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, (-32600, Some("jsonrpc"), Some("1")));
        check(r#"{"jsonrpc":"2.0","id":1}"#, (-32600, Some("method"), Some("1")));
        check(r#"{"jsonrpc":"2.0","id":1,"result":1}"#, (-32600, Some("method"), Some("1")));
        check(r#"{"jsonrpc":"2.0","id":1,"method":""}"#, (-32600, Some("method"), Some("1")));
        check(r#"{"jsonrpc":"2.0","id":1,"method":"a","params":[]}"#, (-32600, Some("params"), Some("1")));
        check(r#"{"jsonrpc":"2.0","id":1,"method":"a","parms":{}}"#, (-32600, Some("parms"), Some("1")));
        check(r#"{"jsonrpc":"2.0","id":1.5,"method":"a"}"#, (-32600, Some("id"), None));
        check(r#"{"jsonrpc":"2.0","id":9007199254740992,"method":"a"}"#, (-32600, Some("id"), None));
        check(r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"a"}"#, (-32600, Some("id"), None));
        check(r#"{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}"#, (-32600, Some("method"), Some("1")));
        let deep = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"a","params":{}"#, "[".repeat(60_000));
        check(&deep, (-32700, None, None));
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer_and_no_panic(line in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Err(bad) = parse(&line) {
                prop_assert!([-32700, -32600].contains(&bad.refusal.code.number()));
            }
        }

        #[test]
        fn what_is_written_is_read(method in "\\PC{1,40}", id in any::<i32>(), value in "\\PC*") {
            let line = serde_json::json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {"v": value}}).to_string();
            let request = parse(line.as_bytes()).unwrap();
            prop_assert_eq!(&*request.method, &method);
            prop_assert_eq!(request.id.unwrap().get(), id.to_string());
            let params: serde_json::Value = serde_json::from_str(request.params.unwrap().get()).unwrap();
            prop_assert_eq!(&params["v"], &value);
        }
    }
}
