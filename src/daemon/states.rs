//! How store, vault, readers and printers are: told to registers when it changes, and to whoever asks.

mod health;

use crate::domain::id::ReaderName;
use crate::domain::time::{Timestamp, Uptime};
use crate::log::{Building, Health, Progress};
use crate::push::Hub;
use crate::vault::Unfinished;
use crate::vault::keys::second::SecondCopy;
use health::{Found, VIEWS_OK};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A state is news for this long; who connects later reads it in the answer to `hello`.
const NEWS_LIFETIME: Duration = Duration::from_secs(5);

/// How often the log says how far the building of views is.
const TELL_BUILDING_EVERY: Duration = Duration::from_secs(10);

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
        Self::Away(super::chain(error))
    }
}

/// How the typist is, where a register has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TypistState {
    /// The last code was typed, or none has come.
    Ready,
    /// The last code was not typed; why.
    Refused(String),
    /// Nothing can be typed; why, and what to do.
    Away(String),
}

#[derive(Debug, Default)]
struct Now {
    store: Store,
    /// `None`: no register types.
    typist: Option<TypistState>,
    readers: BTreeMap<ReaderName, ReaderState>,
    /// What hotplug found, ours or not.
    devices: Vec<Value>,
    /// Of the vault's key file; not known while the vault is locked.
    second_copy: Option<SecondCopy>,
    /// Of the keyring; `None` until it was compared.
    keyring: Option<SecondCopy>,
    /// Readers that the config names, seen or not.
    named: Vec<ReaderName>,
    unfinished: Unfinished,
    /// When the log was last told how far the building of views is.
    told_building: Option<Uptime>,
}

#[derive(Debug, Default, Clone)]
enum Store {
    #[default]
    Opening,
    Open {
        locked: bool,
        found: Found,
    },
    Failed(String),
}

/// What is known of every part.
#[derive(Debug)]
pub(super) struct States {
    hub: Arc<Hub>,
    /// Told by the store how far views are that it builds.
    building: Arc<Progress>,
    now: Mutex<Now>,
    /// Held from a change until it is told, so that what is told last is what happened last.
    telling: Mutex<()>,
}

impl States {
    pub(super) fn new(hub: Arc<Hub>) -> Self {
        Self { hub, building: Arc::default(), now: Mutex::default(), telling: Mutex::default() }
    }

    pub(super) fn store_opened(&self, locked: bool) {
        self.change(|now| {
            now.store = Store::Open { locked, found: Found::default() };
            true
        });
    }

    /// Where the store tells how far views are that it builds.
    pub(super) fn building(&self) -> &Arc<Progress> {
        &self.building
    }

    /// Says in the log every so often how far the building of views is.
    pub(super) fn tell_building(&self, now: Uptime) {
        let Some(Building { half, done, of }) = self.building.now() else { return };
        let told = &mut self.lock().told_building;
        if told.is_none_or(|told| now.saturating_sub(told) >= TELL_BUILDING_EVERY) {
            *told = Some(now);
            tracing::info!(half = half.name(), records = done, of, "views are being built");
        }
    }

    /// Notes why an open store takes no writes any more, if so, how its second copy and its views are, and whether the clock was
    /// set back; says so only when it changed.
    pub(super) fn store_health(&self, health: &Health, at: Timestamp) {
        let new = Found::of(health, at);
        self.change(|now| {
            let Store::Open { found, .. } = &mut now.store else { return false };
            let news = found.log_changes(&new, health);
            *found = new;
            news
        });
    }

    pub(super) fn store_failed(&self, why: &str) {
        self.change(|now| {
            now.store = Store::Failed(why.to_owned());
            true
        });
    }

    /// Notes how the key file's second copy is, and what is left of erasures; says so only when it changed.
    pub(super) fn keys(&self, found: SecondCopy, unfinished: Unfinished) {
        let mut now = self.lock();
        now.unfinished = unfinished;
        let before = now.second_copy.replace(found.clone());
        drop(now);
        match found {
            found if before.as_ref() == Some(&found) => {}
            SecondCopy::Pending { why } => {
                tracing::warn!(why, "the key file's second copy is pending: erasures wait for it");
            }
            SecondCopy::InStep => tracing::info!("the key file's second copy is in step"),
            SecondCopy::Unset => {}
        }
    }

    /// Whether the keyring's second copy is not known to be in step: it is compared again then.
    pub(super) fn keyring_is_due(&self) -> bool {
        matches!(self.lock().keyring, None | Some(SecondCopy::Pending { .. }))
    }

    /// Notes how the keyring's second copy is; says so only when it changed.
    pub(super) fn keyring(&self, found: SecondCopy) {
        self.change(|now| {
            let before = now.keyring.replace(found.clone());
            if before.as_ref() == Some(&found) {
                return false;
            }
            match &found {
                SecondCopy::Pending { why } => {
                    tracing::warn!(
                        why,
                        "the keyring's second copy is pending: it may lack the newest keys of hashes"
                    );
                }
                SecondCopy::InStep => tracing::info!("the keyring's second copy is in step"),
                SecondCopy::Unset => {}
            }
            let is_pending = |copy: &SecondCopy| matches!(copy, SecondCopy::Pending { .. });
            is_pending(&found) || before.as_ref().is_some_and(is_pending)
        });
    }

    /// How the vault's keys are, for `status`.
    pub(super) fn keys_row(&self) -> Map<String, Value> {
        let now = self.lock();
        let (word, why) = match now.second_copy.clone() {
            None => ("unknown", None),
            Some(SecondCopy::Unset) => ("unset", None),
            Some(SecondCopy::InStep) => ("in_step", None),
            Some(SecondCopy::Pending { why }) => ("pending", Some(why)),
        };
        let views = json!(now.unfinished.views);
        let mut row =
            Map::from_iter([("second_copy".to_owned(), json!(word)), ("erasures".to_owned(), views)]);
        row.extend(why.map(|why| ("why".to_owned(), json!(why))));
        row
    }

    /// Notes how a reader is; says so only when it changed.
    pub(super) fn reader(&self, name: &ReaderName, state: ReaderState) {
        self.change(|now| {
            if now.readers.get(name) == Some(&state) {
                return false;
            }
            match &state {
                ReaderState::Reading => tracing::info!(reader = %name, "reading"),
                ReaderState::Away(why) => tracing::warn!(reader = %name, why, "not reading"),
            }
            now.readers.insert(name.clone(), state);
            true
        });
    }

    /// Notes how the typist is. A refusal is told each time, the rest only when it changed.
    pub(super) fn typist(&self, state: TypistState) {
        self.change(|now| {
            let known = now.typist.as_ref() == Some(&state);
            match &state {
                TypistState::Refused(why) => tracing::warn!(why, "a code was not typed"),
                TypistState::Ready | TypistState::Away(_) if known => return false,
                TypistState::Ready => tracing::info!("codes are typed"),
                TypistState::Away(why) => tracing::error!(why, "no code is typed"),
            }
            now.typist = Some(state);
            true
        });
    }

    /// A reader that is none of ours any more.
    pub(super) fn forget(&self, name: &ReaderName) {
        self.change(|now| now.readers.remove(name).is_some());
    }

    /// Notes which readers the config names: one that was never seen is told as absent.
    pub(super) fn named(&self, named: Vec<ReaderName>) {
        self.change(|now| {
            let news = now.named != named;
            now.named = named;
            news
        });
    }

    /// Notes what is plugged in.
    pub(super) fn devices(&self, devices: Vec<Value>) {
        self.lock().devices = devices;
    }

    /// Every reader that is read or could be: open ones, those that are away or absent, and candidates.
    pub(super) fn readers(&self) -> Vec<Value> {
        let now = self.lock();
        let mut rows: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
        for (name, state) in &now.readers {
            rows.insert(name.to_string(), row(name, state));
        }
        for device in now.devices.iter().filter_map(Value::as_object) {
            let name = device.get("reader").and_then(Value::as_str).unwrap_or_default();
            let candidate = || Map::from_iter([("state".to_owned(), json!("candidate"))]);
            rows.entry(name.to_owned()).or_insert_with(candidate).extend(device.clone());
        }
        for name in now.absent() {
            rows.insert(name.to_string(), absent(name));
        }
        rows.into_values().map(Value::Object).collect()
    }

    /// The readers that are, or were, open, and those that the config names and nobody has seen.
    pub(super) fn open_readers(&self) -> Vec<Value> {
        let now = self.lock();
        let mut rows: BTreeMap<&ReaderName, Map<String, Value>> =
            now.readers.iter().map(|(name, state)| (name, row(name, state))).collect();
        rows.extend(now.absent().map(|name| (name, absent(name))));
        rows.into_values().map(Value::Object).collect()
    }

    /// How the store is.
    pub(super) fn store(&self) -> Map<String, Value> {
        let (store, keyring) = {
            let now = self.lock();
            (now.store.clone(), now.keyring.clone())
        };
        let (state, why) = match &store {
            Store::Opening => ("opening", None),
            Store::Open { found: Found { read_only: None, .. }, .. } => ("open", None),
            Store::Open { found: Found { read_only: Some(why), .. }, .. } => ("read_only", Some(why)),
            Store::Failed(why) => ("failed", Some(why)),
        };
        let mut row = Map::from_iter([("state".to_owned(), json!(state))]);
        row.extend(why.map(|why| ("why".to_owned(), json!(why))));
        let mut is_building = matches!(store, Store::Opening);
        if let Store::Open { found, .. } = &store {
            let Found { second, views, vault_behind, journal_behind, clock_behind, .. } = found;
            row.extend(journal_behind.then(|| ("behind".to_owned(), json!(true))));
            row.extend(vault_behind.then(|| ("vault_behind".to_owned(), json!(true))));
            row.extend(
                clock_behind.map(|last| ("clock_behind".to_owned(), json!(Timestamp(last).rfc3339()))),
            );
            row.insert("second_copy".to_owned(), json!(second.0));
            row.extend(second.1.iter().map(|why| ("second_copy_why".to_owned(), json!(why))));
            if let Some(SecondCopy::Pending { why }) = keyring {
                row.insert("keyring_copy".to_owned(), json!("pending"));
                row.insert("keyring_copy_why".to_owned(), json!(why));
            }
            if *views != VIEWS_OK {
                row.insert("views".to_owned(), json!(views.0));
                row.extend(views.1.iter().map(|why| ("views_why".to_owned(), json!(why))));
            }
            // A half that was left behind is brought up when its vault is unlocked.
            is_building = views.0 == "rebuilding" || *vault_behind;
        }
        if let Some(Building { half, done, of }) = self.building.now().filter(|_| is_building) {
            row.insert("progress".to_owned(), json!({ "half": half.name(), "records": done, "of": of }));
        }
        row
    }

    /// How the vault is.
    pub(super) fn vault(&self) -> &'static str {
        match self.lock().store {
            Store::Open { locked: false, .. } => "open",
            Store::Open { locked: true, .. } => "locked",
            Store::Opening | Store::Failed(_) => "unknown",
        }
    }

    /// All of it.
    pub(super) fn all(&self) -> Map<String, Value> {
        let (store, readers) = (Value::Object(self.store()), Value::Array(self.open_readers()));
        let parts = [("store", store), ("vault", json!(self.vault())), ("readers", readers)];
        let mut all: Map<String, Value> =
            parts.into_iter().map(|(part, state)| (part.to_owned(), state)).collect();
        let typist = self.lock().typist.as_ref().map(|typist| match typist {
            TypistState::Ready => json!({ "state": "ready" }),
            TypistState::Refused(why) => json!({ "state": "refused", "why": why }),
            TypistState::Away(why) => json!({ "state": "away", "why": why }),
        });
        all.extend(typist.map(|typist| ("typist".to_owned(), typist)));
        all
    }

    /// All of it, as it goes on the wire.
    pub(super) fn raw(&self) -> Box<RawValue> {
        to_raw_value(&self.all()).unwrap_or_default()
    }

    /// Tells every register how things are now if `change` says that something changed.
    fn change(&self, change: impl FnOnce(&mut Now) -> bool) {
        let _one_at_a_time = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        if change(&mut self.lock()) {
            self.hub.announce(&self.raw(), NEWS_LIFETIME);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Now {
    /// Readers that the config names, that are not plugged in and were never open.
    fn absent(&self) -> impl Iterator<Item = &ReaderName> {
        let found = |name: &ReaderName| {
            self.devices
                .iter()
                .any(|device| device.get("reader").and_then(Value::as_str) == Some(name.as_str()))
        };
        self.named.iter().filter(move |name| !self.readers.contains_key(*name) && !found(name))
    }
}

fn absent(name: &ReaderName) -> Map<String, Value> {
    Map::from_iter([("reader".to_owned(), json!(name)), ("state".to_owned(), json!("absent"))])
}

fn row(name: &ReaderName, state: &ReaderState) -> Map<String, Value> {
    let (word, why) = match state {
        ReaderState::Reading => ("reading", None),
        ReaderState::Away(why) => ("away", Some(why)),
    };
    let mut row = Map::from_iter([("reader".to_owned(), json!(name)), ("state".to_owned(), json!(word))]);
    row.extend(why.map(|why| ("why".to_owned(), json!(why))));
    row
}

#[cfg(test)]
mod tests;
