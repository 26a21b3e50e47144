//! The customers of a bench: enrolled through the daemon's socket, as a shop's desk does it.

use crate::shop::connect;
use anyhow::Context as _;
use fichad::push::client::{Client, ClientError};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::Duration;
use uuid::Uuid;

/// Sessions that enrol at once: writes of one group share a sync.
const SESSIONS: u32 = 32;

/// The pool of keys for new customers is filled anew within this time.
const KEYS_WITHIN: Duration = Duration::from_millis(2);

/// A customer and what their card says.
pub(crate) struct Shown {
    pub(crate) customer: String,
    pub(crate) scan: Vec<u8>,
}

/// Enrols `count` customers, each with a card, an open issue with a hint, and a preference.
pub(crate) fn enrol(socket: &Path, count: u32) -> anyhow::Result<Vec<Shown>> {
    std::thread::scope(|scope| {
        let sessions: Vec<_> = (0..SESSIONS)
            .map(|first| {
                scope.spawn(move || {
                    let mut client = Client::over(connect(socket)?);
                    let mine = (0..count).skip(usize::try_from(first)?).step_by(usize::try_from(SESSIONS)?);
                    mine.map(|number| one(&mut client, number)).collect::<anyhow::Result<Vec<_>>>()
                })
            })
            .collect();
        let mut all = Vec::new();
        for session in sessions {
            all.extend(session.join().ok().context("a session that enrols panicked")??);
        }
        Ok(all)
    })
}

fn one(client: &mut Client, number: u32) -> anyhow::Result<Shown> {
    let person = json!({
        "givenName": "Lucía", "familyName": format!("Ejemplo{number}"), "familyName2": "Muestra",
        "telephone": [{ "e164": format!("+346{number:08}") }], "knowsLanguage": ["es"],
    });
    let customer = text(&write(client, "customer.enrol", json!({ "person": person }))?, "customer")?;
    let card = write(client, "card.issue", json!({ "customer": customer }))?;
    let issue = json!({
        "customer": customer, "kind": "WARRANTY", "hint": "motor replaced, ready to collect",
        "product": { "gtin": "4006381333931", "model": "KX-200", "serial": format!("SN-{number}") },
    });
    write(client, "issue.open", issue)?;
    let preference = json!({ "customer": customer, "name": "receipt", "value": "by e-mail" });
    write(client, "preference.set", preference)?;
    let scan = format!("]Q1{}\r", text(&card, "letters")?).into_bytes();
    Ok(Shown { customer, scan })
}

/// A write with a key of its own; again when the daemon is busy, as it asks for.
fn write(client: &mut Client, method: &str, params: Value) -> anyhow::Result<Value> {
    let mut fields: Map<String, Value> = serde_json::from_value(params)?;
    fields.insert("key".to_owned(), json!(Uuid::new_v4()));
    loop {
        match client.call(method, &fields) {
            Err(ClientError::Refused { reason, .. }) if reason == "busy" => std::thread::sleep(KEYS_WITHIN),
            done => return done.with_context(|| method.to_owned()),
        }
    }
}

fn text(value: &Value, field: &'static str) -> anyhow::Result<String> {
    Ok(value.get(field).and_then(Value::as_str).context(field)?.to_owned())
}
