//! Requests that are not the session's own: the desk's, and the few about the daemon itself.

use super::printers::PrintRoom;
use super::states::States;
use crate::desk::access::Role;
use crate::desk::{Desk, Printers};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::log::HealthState;
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
}

impl Front {
    pub(super) fn new(desk: Arc<Desk>, states: Arc<States>, printers: Arc<PrintRoom>) -> Self {
        Self { desk, states, printers }
    }

    async fn answer(&self, who: &Caller, method: &str, params: Option<&RawValue>) -> Result<Value, Refusal> {
        if METHODS.contains(&method) && !who.principal.has_any(&[Role::Register, Role::Desk, Role::Manager]) {
            let message = "this needs one of the groups fichad-register, fichad-desk, fichad-manager";
            return Err(Refusal::new(RefusalCode::Forbidden, message));
        }
        match method {
            "status" => Ok(self.status()),
            "reader.list" => Ok(json!({ "readers": self.states.all()["readers"] })),
            _ => self.desk.call(&who.principal, who.register.as_ref(), method, params).await,
        }
    }

    fn status(&self) -> Value {
        let mut status = self.states.all();
        if let Some(opened) = self.desk.opened() {
            let health = opened.log.health();
            status["store"]["last_seq"] = json!(health.last_seq);
            if let HealthState::ReadOnly { why } = health.state {
                status["store"]["state"] = json!("read_only");
                status["store"]["why"] = json!(why);
            }
        }
        let row = |(printer, condition)| json!({ "printer": printer, "condition": condition });
        status["printers"] = self.printers.list().into_iter().map(row).collect();
        status
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
