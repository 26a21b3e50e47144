//! Requests that are not the session's own: the desk's, and the few about the daemon itself.

use super::printers::PrintRoom;
use super::replay::Replays;
use super::routes::Routes;
use super::scan_path::Shared;
use super::states::States;
use crate::desk::access::{ROLE_GROUPS, Role};
use crate::desk::{Desk, Printers};
use crate::domain::id::ReaderName;
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::push::{Answer, Caller, Service};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use std::sync::Arc;

const EVERYONE: &[Role] = &[Role::Register, Role::Desk, Role::Manager];
const MANAGER: &[Role] = &[Role::Manager];

/// Requests that the daemon answers itself, and who may send them.
pub(super) const METHODS: &[(&str, &[Role])] =
    &[("status", EVERYONE), ("reader.list", EVERYONE), ("replay.play", MANAGER)];

/// The first timeline of a store; a restore to an earlier moment will open the next.
const TIMELINE: u64 = 1;

/// Answers registers and staff.
pub(super) struct Front {
    desk: Arc<Desk>,
    states: Arc<States>,
    printers: Arc<PrintRoom>,
    routes: Arc<Routes>,
    replays: Arc<Replays>,
}

impl Front {
    pub(super) fn new(
        shared: &Shared,
        states: Arc<States>,
        printers: Arc<PrintRoom>,
        replays: Arc<Replays>,
    ) -> Self {
        let (desk, routes) = (Arc::clone(&shared.desk), Arc::clone(&shared.routes));
        Self { desk, states, printers, routes, replays }
    }

    async fn answer(&self, who: &Caller, method: &str, params: Option<&RawValue>) -> Result<Value, Refusal> {
        let allowed = METHODS.iter().find(|(name, _)| *name == method);
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
            "replay.play" => self.play(params).await,
            _ => self.desk.call(&who.principal, who.register.as_ref(), method, params).await,
        }
    }

    /// On a thread that may wait: a keyboard's layout is read from files.
    async fn play(&self, params: Option<&RawValue>) -> Result<Value, Refusal> {
        let (replays, params) = (Arc::clone(&self.replays), params.map(ToOwned::to_owned));
        let started = tokio::task::spawn_blocking(move || replays.play(params.as_deref()));
        started.await.unwrap_or_else(|_| Err(Refusal::new(RefusalCode::Internal, "a replay did not start")))
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
            self.states.store_health(&health.state);
        }
        let mut store = self.states.store();
        if let Some(health) = health {
            store.insert("last_seq".to_owned(), json!(health.last_seq));
        }
        let row = |(printer, condition)| json!({ "printer": printer, "condition": condition });
        let printers: Vec<Value> = self.printers.list().into_iter().map(row).collect();
        let (vault, readers) = (self.states.vault(), self.states.open_readers());
        json!({ "store": store, "vault": vault, "readers": readers, "printers": printers })
    }
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
        self.desk.opened().map(|_| TIMELINE)
    }
}
