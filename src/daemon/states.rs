//! How store, vault, readers and printers are: told to registers when it changes, and to whoever asks.

use crate::domain::id::ReaderName;
use crate::push::Hub;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A state is news for this long; who connects later reads it in the answer to `hello`.
const NEWS_LIFETIME: Duration = Duration::from_secs(5);

/// How a reader is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReaderState {
    /// Open: a scan would be read.
    Reading,
    /// Not open; why, and what to do.
    Away(String),
}

impl ReaderState {
    pub(super) fn away(error: &dyn Error) -> Self {
        Self::Away(error.to_string())
    }
}

#[derive(Debug, Default)]
struct Now {
    store: Store,
    readers: BTreeMap<ReaderName, ReaderState>,
}

#[derive(Debug, Default, Clone)]
enum Store {
    #[default]
    Opening,
    Open {
        locked: bool,
    },
    Failed(String),
}

/// What is known of every part.
#[derive(Debug)]
pub(super) struct States {
    hub: Arc<Hub>,
    now: Mutex<Now>,
}

impl States {
    pub(super) fn new(hub: Arc<Hub>) -> Self {
        Self { hub, now: Mutex::default() }
    }

    pub(super) fn store_opened(&self, locked: bool) {
        self.change(|now| now.store = Store::Open { locked });
    }

    pub(super) fn store_failed(&self, why: &str) {
        self.change(|now| now.store = Store::Failed(why.to_owned()));
    }

    /// Notes how a reader is; says so only when it changed.
    pub(super) fn reader(&self, name: &ReaderName, state: ReaderState) {
        let known = self.lock().readers.get(name) == Some(&state);
        if known {
            return;
        }
        match &state {
            ReaderState::Reading => tracing::info!(reader = %name, "reading"),
            ReaderState::Away(why) => tracing::warn!(reader = %name, why, "not reading"),
        }
        self.change(|now| drop(now.readers.insert(name.clone(), state)));
    }

    /// Everything, as an object.
    pub(super) fn all(&self) -> Value {
        let now = self.lock();
        let store = match &now.store {
            Store::Opening => json!({ "state": "opening" }),
            Store::Open { .. } => json!({ "state": "open" }),
            Store::Failed(why) => json!({ "state": "failed", "why": why }),
        };
        let vault = match &now.store {
            Store::Open { locked: false } => "open",
            Store::Open { locked: true } => "locked",
            Store::Opening | Store::Failed(_) => "unknown",
        };
        let row = |(name, state): (&ReaderName, &ReaderState)| match state {
            ReaderState::Reading => json!({ "reader": name, "state": "reading" }),
            ReaderState::Away(why) => json!({ "reader": name, "state": "away", "why": why }),
        };
        let readers: Vec<Value> = now.readers.iter().map(row).collect();
        json!({ "store": store, "vault": vault, "readers": readers })
    }

    /// The same, as it goes on the wire.
    pub(super) fn raw(&self) -> Box<RawValue> {
        to_raw_value(&self.all()).unwrap_or_default()
    }

    fn change(&self, change: impl FnOnce(&mut Now)) {
        change(&mut self.lock());
        self.hub.announce(&self.raw(), NEWS_LIFETIME);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
