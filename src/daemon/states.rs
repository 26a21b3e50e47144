//! How store, vault, readers and printers are: told to registers when it changes, and to whoever asks.

use crate::domain::id::ReaderName;
use crate::domain::time::Timestamp;
use crate::log::{self, Half, Health, HealthState};
use crate::push::Hub;
use crate::vault::Unfinished;
use crate::vault::keys::second::SecondCopy;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A state is news for this long; who connects later reads it in the answer to `hello`.
const NEWS_LIFETIME: Duration = Duration::from_secs(5);

/// A clock that is so far behind the last write was set back; less is how clocks are kept right.
const CLOCK_BEHIND_US: i64 = 60_000_000;

/// No second folder is set.
const ONE_DISK: (&str, Option<String>) = ("one_disk_only", None);

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
    /// Readers that the config names, seen or not.
    named: Vec<ReaderName>,
    unfinished: Unfinished,
}

#[derive(Debug, Default, Clone)]
enum Store {
    #[default]
    Opening,
    Open {
        locked: bool,
        read_only: Option<String>,
        /// How the journals' second copy is: a word, and why.
        second: (&'static str, Option<String>),
        /// Whether the locked vault lacks what was written shortly before the last end: cards of then are not known.
        behind: bool,
        /// Since when the clock is behind the last write, as the last write's time in microseconds.
        clock_behind: Option<i64>,
    },
    Failed(String),
}

/// What is known of every part.
#[derive(Debug)]
pub(super) struct States {
    hub: Arc<Hub>,
    now: Mutex<Now>,
    /// Held from a change until it is told, so that what is told last is what happened last.
    telling: Mutex<()>,
}

impl States {
    pub(super) fn new(hub: Arc<Hub>) -> Self {
        Self { hub, now: Mutex::default(), telling: Mutex::default() }
    }

    pub(super) fn store_opened(&self, locked: bool) {
        self.change(|now| {
            let (read_only, clock_behind) = (None, None);
            now.store = Store::Open { locked, read_only, second: ONE_DISK, behind: false, clock_behind };
            true
        });
    }

    /// Notes why an open store takes no writes any more, if so, how its second copy is, and whether the clock was set back;
    /// says so only when it changed.
    pub(super) fn store_health(&self, health: &Health, at: Timestamp) {
        let why = match &health.state {
            HealthState::Ok => None,
            HealthState::ReadOnly { why } => Some(why.clone()),
        };
        let copy = match &health.second {
            log::SecondCopy::OneDiskOnly => ONE_DISK,
            log::SecondCopy::Ok => ("ok", None),
            log::SecondCopy::Behind { .. } => ("behind", None),
            log::SecondCopy::Absent { why } => ("absent", Some(why.clone())),
        };
        let late = health.last_at_us.saturating_sub(at.0) > CLOCK_BEHIND_US;
        let late = late.then_some(health.last_at_us);
        let vault_behind = health.behind.contains(&Half::Personal);
        self.change(|now| {
            let Store::Open { read_only, second, behind, clock_behind, .. } = &mut now.store else {
                return false;
            };
            let (stopped, moved, fell) = (*read_only != why, *second != copy, *behind != vault_behind);
            let clock = clock_behind.is_some() != late.is_some();
            if clock {
                let last = late.map(|last| Timestamp(last).rfc3339());
                match &last {
                    Some(last) => tracing::warn!(
                        last,
                        "the clock is behind the last write: what is written is dated by that; set the clock"
                    ),
                    None => tracing::info!("the clock has come to the last write"),
                }
            }
            (*clock_behind, *behind) = (late, vault_behind);
            if let (true, Some(why)) = (stopped, &why) {
                tracing::error!(why, "the store takes no writes any more; cards are known, products pass");
            }
            match &copy {
                _ if !moved => {}
                (state @ ("absent" | "behind"), why) => {
                    tracing::warn!(state, why, "the journals' second copy")
                }
                (state, _) => tracing::info!(state, "the journals' second copy"),
            }
            if fell && vault_behind {
                tracing::warn!("the vault is locked and behind: cards made shortly before the last end are not known until it is unlocked");
            }
            (*read_only, *second) = (why, copy);
            stopped || moved || fell || clock
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
        let (state, why) = match &self.lock().store {
            Store::Opening => ("opening", None),
            Store::Open { read_only: None, .. } => ("open", None),
            Store::Open { read_only: Some(why), .. } => ("read_only", Some(why.clone())),
            Store::Failed(why) => ("failed", Some(why.clone())),
        };
        let mut row = Map::from_iter([("state".to_owned(), json!(state))]);
        row.extend(why.map(|why| ("why".to_owned(), json!(why))));
        if let Store::Open { second: (word, why), behind, clock_behind, .. } = &self.lock().store {
            row.extend(behind.then(|| ("vault_behind".to_owned(), json!(true))));
            row.extend(
                clock_behind.map(|last| ("clock_behind".to_owned(), json!(Timestamp(last).rfc3339()))),
            );
            row.insert("second_copy".to_owned(), json!(word));
            row.extend(why.iter().map(|why| ("second_copy_why".to_owned(), json!(why))));
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
