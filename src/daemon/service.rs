//! Requests that are not the session's own: the desk's, and the few about the daemon itself.

use super::capture::Recordings;
use super::lent::Lent;
use super::printers::PrintRoom;
use super::reload;
use super::replay::Replays;
use super::routes::{Current, Routes};
use super::scan_path::Shared;
use super::states::States;
use super::unlock::Unlock;
use crate::config::{self, Config};
use crate::desk::access::ROLE_GROUPS;
use crate::desk::{DAEMON_METHODS, Desk, Printers, fields};
use crate::domain::id::{ReaderName, RegisterName};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::Clock;
use crate::push::{Answer, Caller, Service};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Notify;

/// Answers registers and staff.
pub(super) struct Front {
    desk: Arc<Desk>,
    states: Arc<States>,
    printers: Arc<PrintRoom>,
    routes: Arc<Routes>,
    replays: Arc<Replays>,
    lent: Arc<Lent>,
    recordings: Arc<Recordings>,
    clock: Arc<dyn Clock>,
    reload: Reload,
    unlock: Arc<Unlock>,
}

/// How the daemon is told to read its config again.
#[derive(Clone)]
pub(super) struct Reload {
    pub(super) path: Option<PathBuf>,
    pub(super) host: RegisterName,
    pub(super) told: Arc<Notify>,
    pub(super) started_with: Arc<Config>,
}

impl Reload {
    /// Checks the config and, if it is good, has it taken over.
    fn again(&self, params: Option<&RawValue>) -> Result<Value, Refusal> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Nothing {}
        let Nothing {} = fields(params)?;
        let conflict = |why: String| Refusal::new(RefusalCode::Conflict, why);
        let path = self.path.as_ref();
        let path =
            path.ok_or_else(|| conflict("this daemon was started without a config file".to_owned()))?;
        let config = config::load(path).map_err(|error| conflict(error.to_string()))?;
        let after_restart = reload::after_restart(&config, &self.started_with);
        self.told.notify_one();
        let registers = Current::new(&config, &self.host).registers;
        Ok(json!({ "registers": registers, "after_restart": after_restart }))
    }
}

impl Front {
    pub(super) fn new(
        shared: &Shared,
        clock: &Arc<dyn Clock>,
        states: &Arc<States>,
        printers: &Arc<PrintRoom>,
        (replays, lent): (&Arc<Replays>, &Arc<Lent>),
        reload: Reload,
        unlock: Unlock,
    ) -> Self {
        Self {
            desk: Arc::clone(&shared.desk),
            routes: Arc::clone(&shared.routes),
            recordings: Arc::clone(&shared.recordings),
            clock: Arc::clone(clock),
            states: Arc::clone(states),
            printers: Arc::clone(printers),
            replays: Arc::clone(replays),
            lent: Arc::clone(lent),
            reload,
            unlock: Arc::new(unlock),
        }
    }

    async fn answer(&self, who: &Caller, method: &str, params: Option<&RawValue>) -> Result<Value, Refusal> {
        let allowed = DAEMON_METHODS.iter().find(|(name, _)| *name == method);
        if let Some((_, roles)) = allowed
            && !who.principal.has_any(roles)
        {
            let groups = ROLE_GROUPS.iter().filter(|(role, _)| roles.contains(role));
            let groups: Vec<&str> = groups.map(|(_, group)| *group).collect();
            let message = format!("this needs one of the groups {}", groups.join(", "));
            return Err(Refusal::new(RefusalCode::Forbidden, message));
        }
        match method {
            "status" => Ok(self.status()),
            "reader.list" => Ok(json!({ "readers": self.readers() })),
            "vault.unlock" => {
                let unlock = Arc::clone(&self.unlock);
                patiently(params, move |params| unlock.run(params)).await
            }
            "replay.play" => {
                let replays = Arc::clone(&self.replays);
                patiently(params, move |params| replays.play(params)).await
            }
            "reader.lend" => {
                let (lent, who) = (Arc::clone(&self.lent), who.clone());
                patiently(params, move |params| lent.lend(&who, params)).await
            }
            "capture.start" => {
                let (recordings, clock) = (Arc::clone(&self.recordings), Arc::clone(&self.clock));
                patiently(params, move |params| recordings.start(params, &*clock)).await
            }
            "capture.stop" => self.recordings.stop(params),
            "config.reload" => {
                let reload = self.reload.clone();
                patiently(params, move |params| reload.again(params)).await
            }
            _ => {
                let Caller { principal, register, sign_on } = who;
                self.desk.call(principal, register.as_ref(), sign_on, method, params).await
            }
        }
    }

    /// Every reader with its register.
    fn readers(&self) -> Vec<Value> {
        let routes = self.routes.current();
        let mut rows = self.states.readers();
        for row in rows.iter_mut().filter_map(Value::as_object_mut) {
            let name = row.get("reader").and_then(Value::as_str).and_then(|name| ReaderName::new(name).ok());
            row.insert("register".to_owned(), json!(name.map(|name| routes.register(&name).clone())));
        }
        rows
    }

    fn status(&self) -> Value {
        let health = self.desk.opened().map(|opened| opened.log.health());
        if let Some(health) = &health {
            self.states.store_health(health, self.clock.utc());
        }
        let mut all = self.states.all();
        if let (Some(health), Some(store)) = (health, all.get_mut("store").and_then(Value::as_object_mut)) {
            store.insert("last_seq".to_owned(), json!(health.last_seq));
        }
        let row = |(printer, condition)| json!({ "printer": printer, "condition": condition });
        let mut keys = self.states.keys_row();
        let versions = self.desk.opened().map(|opened| opened.vault.keyring().versions());
        keys.extend(versions.map(|versions| ("keyring_versions".to_owned(), json!(versions))));
        all.insert("keys".to_owned(), Value::Object(keys));
        all.insert("operators".to_owned(), json!(self.desk.signing_on()));
        all.insert("calling_code".to_owned(), json!(self.desk.calling_code()));
        all.insert("printers".to_owned(), self.printers.list().into_iter().map(row).collect());
        let config = self.reload.path.as_ref().map(|path| path.display().to_string());
        all.insert("config".to_owned(), json!(config));
        Value::Object(all)
    }
}

/// On a thread that may wait: a keyboard's layout is read from files.
async fn patiently(
    params: Option<&RawValue>,
    work: impl FnOnce(Option<&RawValue>) -> Result<Value, Refusal> + Send + 'static,
) -> Result<Value, Refusal> {
    let params = params.map(ToOwned::to_owned);
    let done = tokio::task::spawn_blocking(move || work(params.as_deref())).await;
    done.unwrap_or_else(|_| Err(Refusal::new(RefusalCode::Internal, "the request was broken off")))
}

impl Service for Front {
    fn call<'a>(&'a self, who: &'a Caller, method: &'a str, params: Option<&'a RawValue>) -> Answer<'a> {
        Box::pin(async move {
            let answer = self.answer(who, method, params).await?;
            to_raw_value(&answer)
                .map_err(|_| Refusal::new(RefusalCode::Internal, "an answer cannot be written"))
        })
    }

    fn states(&self) -> Box<RawValue> {
        self.states.raw()
    }

    fn timeline(&self) -> Option<u64> {
        self.desk.opened().map(|opened| opened.log.timeline().into())
    }
}
