//! Operators: who stands at a till whose account all cashiers share, by a code and a PIN.
//!
//! Signing on is the state of one session and of nothing else: it is not written down, and ends with the session. What is written down
//! is who had signed on when something was done or read. Roles come from the account alone; an operator has none.
//!
//! A PIN is never kept, logged or hashed cheaply: of `operator.set` the journal has the stretched hash, also where the body of the
//! request is told from another one.

mod settings;
mod tries;

pub use settings::Settings;
pub use tries::{LOCK_FIRST, LOCK_MAX, WRONG_MAX};

use super::methods::Beyond;
use super::request::{Ask, Wish, canonical};
use super::{Desk, waiting};
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::operator::{Operator, OperatorKept, Pin, PinHash};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::{Timestamp, Uptime};
use crate::store;
use crate::vault::keys::KeyError;
use crate::vault::pin;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tries::{Slots, Tries};
use uuid::Uuid;

/// The most operators, those that are not active any more included.
pub const OPERATORS_MAX: usize = 1000;

/// Who could sign on at a till.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct SigningOn {
    /// Whether a till without an operator may write nothing.
    pub required: bool,
    /// Operators who may sign on.
    pub active: usize,
}

/// PINs that are hashed at once: each takes 19 MiB for a moment. Others wait.
const PINS_AT_ONCE_MAX: usize = 2;

/// Who is signed on at one session. Made with it, gone with it.
#[derive(Default)]
pub struct SignOn(Mutex<AtSession>);

#[derive(Default)]
struct AtSession {
    on: Option<On>,
    tries: Tries,
}

struct On {
    operator: Operator,
    /// Of the PIN it was done with: another PIN ends it.
    salt: String,
    last_request: Uptime,
}

impl SignOn {
    fn with<T>(&self, work: impl FnOnce(&mut AtSession) -> T) -> T {
        let mut kept: MutexGuard<'_, AtSession> = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut kept)
    }
}

/// Shows whether anybody is.
impl fmt::Debug for SignOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignOn({})", self.with(|kept| kept.on.is_some()))
    }
}

/// Tries to sign on, of all sessions together.
pub(super) struct Pins {
    slots: Mutex<Slots>,
    hashing: Semaphore,
}

impl Default for Pins {
    fn default() -> Self {
        Self { slots: Mutex::default(), hashing: Semaphore::new(PINS_AT_ONCE_MAX) }
    }
}

impl Pins {
    fn with<T>(&self, work: impl FnOnce(&mut Slots) -> T) -> T {
        work(&mut self.slots.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Hashing, a few at once.
    async fn hash<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, KeyError> + Send + 'static,
    ) -> Result<T, Refusal> {
        // Fails only when the semaphore is closed, which nobody does.
        let _place = self.hashing.acquire().await.ok();
        waiting(move || {
            work().map_err(|_| {
                Refusal::new(RefusalCode::Busy, "no PIN can be checked: 19 MiB of memory are not to be had")
            })
        })
        .await
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    key: Uuid,
    operator: Operator,
    /// Stays as it is without one.
    #[serde(default)]
    pin: Option<Pin>,
    /// Stays as it is without it; a new operator is active.
    #[serde(default)]
    active: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    operator: Operator,
    pin: Pin,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Desk {
    /// Whoever is signed on at a session, at the moment at which a request comes.
    pub(super) fn signed_on(&self, sign_on: &SignOn) -> Option<Operator> {
        let (now, idle) = (self.clock.uptime(), self.settings.operators.idle);
        let (operator, salt) = sign_on.with(|kept| {
            let on = kept.on.as_mut()?;
            if idle.is_some_and(|idle| now.saturating_sub(on.last_request) >= idle) {
                kept.on = None;
                return None;
            }
            on.last_request = now;
            Some((on.operator.clone(), on.salt.clone()))
        })?;
        // Not under the lock: a view may wait for the disk, and a reader asks who is on duty.
        if self.may_stay(&operator, &salt) {
            return Some(operator);
        }
        sign_on.with(|kept| {
            kept.on.take_if(|on| on.operator == operator && on.salt == salt);
        });
        None
    }

    /// Who is signed on at a register of these sessions: none if nobody is, or not one alone. Looks at no view, for a reader asks it:
    /// who was taken off the list a moment ago counts until the next request.
    #[must_use]
    pub fn on_duty(&self, sessions: &[Arc<SignOn>]) -> Option<Operator> {
        let (now, idle) = (self.clock.uptime(), self.settings.operators.idle);
        let on = |sign_on: &Arc<SignOn>| {
            let rested = |on: &On| idle.is_some_and(|idle| now.saturating_sub(on.last_request) >= idle);
            sign_on.with(|kept| kept.on.as_ref().filter(|on| !rested(on)).map(|on| on.operator.clone()))
        };
        let mut all = sessions.iter().filter_map(on);
        let first = all.next()?;
        all.all(|other| other == first).then_some(first)
    }

    /// Who was taken off the list, or was given another PIN, is signed on no more.
    fn may_stay(&self, operator: &Operator, salt: &str) -> bool {
        let kept = self.store().ok().map(|opened| store::operator(&opened.log.views(), operator));
        match kept {
            Some(Ok(Some(kept))) => kept.active && kept.pin.salt == salt,
            Some(Ok(None) | Err(_)) | None => false,
        }
    }

    /// Whether tills must sign on, and how many operators could; `None` until the store is open.
    #[must_use]
    pub fn signing_on(&self) -> Option<SigningOn> {
        let kept = store::operators(&self.opened()?.log.views(), OPERATORS_MAX).ok()?;
        let active = kept.iter().filter(|kept| kept.active).count();
        Some(SigningOn { required: self.settings.operators.required, active })
    }

    /// Refuses a write of a till at which nobody is signed on, where the config wants that.
    pub(super) fn must_be_signed_on(&self, ask: &Ask<'_>) -> Result<(), Refusal> {
        let needed = self.settings.operators.required && !ask.who.may(Beyond::SignedOff);
        if needed && ask.operator.is_none() {
            return Err(Refusal::new(RefusalCode::Forbidden, "sign on first: `operator.sign_on`"));
        }
        Ok(())
    }

    /// `operator.*`.
    pub(super) async fn operator(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        match ask.method {
            "operator.set" => self.set_operator(ask).await,
            "operator.list" => self.list_operators(ask),
            "operator.sign_on" => self.sign_on(ask).await,
            "operator.sign_off" => {
                let Nothing {} = ask.fields()?;
                ask.sign_on.with(|kept| kept.on = None);
                Ok(json!({ "operator": ask.operator }))
            }
            _ => {
                let Nothing {} = ask.fields()?;
                let (who, operator) = (ask.who, ask.operator);
                let until = operator.and_then(|_| self.until());
                Ok(
                    json!({ "uid": who.uid, "roles": who.roles, "register": ask.register, "operator": operator,
                    "until": until }),
                )
            }
        }
    }

    /// `operator.set`: takes one on, gives another PIN, lets one go or come back.
    async fn set_operator(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Set { key, operator, pin, active } = ask.fields()?;
        let renewed = pin.is_some();
        let pin = match pin {
            Some(pin) => {
                let (vault, operator) = (Arc::clone(&self.store()?.vault), operator.clone());
                // The key of a write is used once for ever, so this salt is, too; and a retry comes to the same.
                let made = move || pin::made(vault.keyring(), &operator, &pin, key.into_bytes());
                Some(self.pins.hash(made).await?)
            }
            None => None,
        };
        let body = body(ask, pin.as_ref())?;
        let (set, by) = (operator.clone(), ask.by());
        let decide = move |tx: &mut crate::log::Tx<'_>| {
            let kept = store::operator(tx, &set)?;
            if kept.is_none() && store::operators(tx, OPERATORS_MAX)?.len() >= OPERATORS_MAX {
                let message = format!("there are {OPERATORS_MAX} operators: give one that left another PIN");
                return Err(Refusal::conflict("operator", message));
            }
            let active = active.or(kept.as_ref().map(|kept| kept.active)).unwrap_or(true);
            let pin = pin.or(kept.map(|kept| kept.pin));
            let pin = pin.ok_or_else(|| Refusal::field("pin", "is missing: a new operator needs one"))?;
            let (operator, by, by_operator) = (set, by.uid, by.operator);
            store::emit(tx, &StoreEvent::OperatorSet { operator, active, pin, by, by_operator })?;
            Ok(Outcome::default())
        };
        let done = self.queue(Wish { key, body, by: ask.by() }, decide)?.done(self).await?;
        if renewed && !done.repeated {
            self.pins.with(|slots| slots.right(&operator));
        }
        let kept = store::operator(&self.store()?.log.views(), &operator)?;
        let active = kept.is_some_and(|kept| kept.active);
        Ok(json!({ "operator": operator, "active": active, "repeated": done.repeated }))
    }

    /// `operator.list`: all of them, and nothing of a PIN.
    fn list_operators(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Nothing {} = ask.fields()?;
        let row = |kept: OperatorKept| {
            let (set_at, set_by) = (kept.set_at.rfc3339(), kept.set_by);
            json!({ "operator": kept.operator, "active": kept.active, "set_at": set_at, "set_by": set_by.uid,
                "set_by_operator": set_by.operator })
        };
        let kept = store::operators(&self.store()?.log.views(), OPERATORS_MAX)?;
        Ok(json!({ "rows": kept.into_iter().map(row).collect::<Vec<_>>() }))
    }

    /// `operator.sign_on`. Whoever was signed on stays so until this has gone well.
    async fn sign_on(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Wanted { operator, pin } = ask.fields()?;
        let opened = self.store()?;
        self.count_try(ask.sign_on, &operator)?;
        let kept = store::operator(&opened.log.views(), &operator)?;
        let (vault, whose) = (Arc::clone(&opened.vault), operator.clone());
        let known: Option<PinHash> = kept.as_ref().map(|kept| kept.pin.clone());
        let fits = self.pins.hash(move || pin::fits(vault.keyring(), &whose, &pin, known.as_ref())).await?;
        let salt = kept.as_ref().filter(|kept| kept.active && fits).map(|kept| kept.pin.salt.clone());
        let Some(salt) = salt else {
            // What is no operator's may be anything, a PIN in the wrong field among it.
            let known = kept.map(|kept| tracing::field::display(kept.operator));
            tracing::warn!(
                operator = known,
                uid = ask.who.uid,
                register = ask.register.map(tracing::field::display),
                "somebody could not sign on"
            );
            return Err(Refusal::new(RefusalCode::Forbidden, "this operator and PIN do not sign on"));
        };
        tracing::info!(%operator, uid = ask.who.uid, register = ask.register.map(tracing::field::display), "signed on");
        self.pins.with(|slots| slots.right(&operator));
        let on = On { operator: operator.clone(), salt, last_request: self.clock.uptime() };
        ask.sign_on.with(|kept| *kept = AtSession { on: Some(on), tries: Tries::default() });
        Ok(json!({ "operator": operator, "until": self.until() }))
    }

    /// Counts a try before it is known whether it is right, so that many at once are no more than one after the other.
    fn count_try(&self, sign_on: &SignOn, operator: &Operator) -> Result<(), Refusal> {
        let now = self.clock.uptime();
        let wait: Duration = sign_on.with(|kept| {
            self.pins.with(|slots| {
                let wait = kept.tries.wait(now).max(slots.wait(operator, now));
                if wait.is_zero() {
                    kept.tries.count(now);
                    slots.count(operator, now);
                }
                wait
            })
        });
        if wait.is_zero() {
            return Ok(());
        }
        let seconds = wait.as_secs().saturating_add(1);
        let message = format!("too many wrong PINs; the next try is free in {seconds} s");
        Err(Refusal::new(RefusalCode::Busy, message))
    }

    /// When who is signed on now is not any more, if nothing is asked until then.
    fn until(&self) -> Option<String> {
        self.settings.operators.idle.map(|idle| Timestamp::after(self.clock.utc(), idle).rfc3339())
    }
}

/// The request without its PIN: the hash of a body costs nothing to try out, so the stretched one stands in the digits' place.
fn body(ask: &Ask<'_>, pin: Option<&PinHash>) -> Result<Vec<u8>, Refusal> {
    let mut fields: Value = ask.fields()?;
    if let (Some(pin), Some(fields)) = (pin, fields.as_object_mut()) {
        fields.insert("pin".to_owned(), Value::from(pin.hash.as_str()));
    }
    Ok(canonical(ask.method, &fields))
}
