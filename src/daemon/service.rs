//! Requests that are not the session's own: the desk's, and the few about the daemon itself.

use super::printers::PrintRoom;
use super::routes::Routes;
use super::states::States;
use crate::desk::access::Role;
use crate::desk::{Desk, Printers};
use crate::domain::id::ReaderName;
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::push::{Answer, Caller, Service};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use std::sync::Arc;

/// Requests that the daemon answers itself.
pub(super) const METHODS: &[&str] = &["status", "reader.list"];

/// The first timeline of a store; a restore to an earlier moment will open the next.
const TIMELINE: u64 = 1;

/// Answers registers and staff.
pub(super) struct Front {
    desk: Arc<Desk>,
    states: Arc<States>,
    printers: Arc<PrintRoom>,
    routes: Arc<Routes>,
}

impl Front {
    pub(super) fn new(
        desk: Arc<Desk>,
        states: Arc<States>,
        printers: Arc<PrintRoom>,
        routes: Arc<Routes>,
    ) -> Self {
        Self { desk, states, printers, routes }
    }

    async fn answer(&self, who: &Caller, method: &str, params: Option<&RawValue>) -> Result<Value, Refusal> {
        if METHODS.contains(&method) && !who.principal.has_any(&[Role::Register, Role::Desk, Role::Manager]) {
            let message = "this needs one of the groups fichad-register, fichad-desk, fichad-manager";
            return Err(Refusal::new(RefusalCode::Forbidden, message));
        }
        match method {
            "status" => Ok(self.status()),
            "reader.list" => Ok(json!({ "readers": self.readers() })),
            _ => self.desk.call(&who.principal, who.register.as_ref(), method, params).await,
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
