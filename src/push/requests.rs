//! What a session does with one request.

use super::hub::resolve;
use super::ring::{Frame, RING_BYTES_MAX};
use super::session::{Caller, Claim, REPLY_BYTES_MAX, Session};
use super::wire::{self, Call, Position, Request, Target};
use crate::desk::access::{ROLE_GROUPS, Role};
use crate::domain::id::{RegisterName, StreamId};
use crate::domain::refusal::{Refusal, RefusalCode};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

#[derive(Serialize)]
struct Hello<'a> {
    server: &'a str,
    version: &'a str,
    protocol: u64,
    stream: StreamId,
    timeline: Option<u64>,
    roles: &'a BTreeSet<Role>,
    registers: Vec<RegisterName>,
    states: Box<RawValue>,
}

#[derive(Serialize)]
struct Subscribed<'a> {
    register: &'a str,
    stream: StreamId,
    last_seq: Option<u64>,
    lifetime_s: u64,
}

#[derive(Serialize)]
struct Nothing {}

impl Session {
    /// Answers one line, or sees to it that it is answered.
    pub(super) async fn request(&mut self, line: &[u8], permit: Option<OwnedSemaphorePermit>) {
        let request = match wire::parse(line) {
            Ok(request) => request,
            Err(bad) => {
                self.hub.counters.requests_bad.add(1);
                self.out.send(&Frame::from(wire::refusal(bad.id, &bad.refusal)));
                return;
            }
        };
        self.hub.counters.requests.add(1);
        if self.principal.roles.is_empty() && request.method != "hello" {
            return self.refuse(request.id, &no_role());
        }
        match Call::parse(&request.method, request.params) {
            Some(Ok(call)) => self.own(request.id, call).await,
            Some(Err(refusal)) => self.refuse(request.id, &refusal),
            None => self.hand_over(&request, permit),
        }
    }

    pub(super) fn refuse_long_line(&self) {
        let message = format!("a line may have {} bytes: this connection is closed", wire::REQUEST_BYTES_MAX);
        let refusal = Refusal::new(RefusalCode::InvalidRequest, message);
        self.out.send(&Frame::from(wire::refusal(None, &refusal)));
    }

    async fn own(&mut self, id: Option<&RawValue>, call: Call) {
        let done = match call {
            Call::Hello { client } => {
                self.hello(id, client.as_deref());
                Ok(())
            }
            Call::Subscribe { target, after } => self.subscribe(id, target, after).await,
            Call::Unsubscribe => {
                self.leave();
                self.done(id, &Nothing {});
                Ok(())
            }
            Call::Ack { seq, stream } => self.ack(seq, stream).map(|()| self.done(id, &Nothing {})),
            Call::Ping => {
                self.done(id, &Nothing {});
                Ok(())
            }
        };
        if let Err(refusal) = done {
            self.refuse(id, &refusal);
        }
    }

    fn hello(&self, id: Option<&RawValue>, client: Option<&str>) {
        tracing::debug!(uid = self.principal.uid, pid = self.principal.pid, client, "hello");
        let hello = Hello {
            server: "fichad",
            version: env!("CARGO_PKG_VERSION"),
            protocol: wire::PROTOCOL,
            stream: self.hub.stream,
            timeline: self.service.timeline(),
            roles: &self.principal.roles,
            registers: self.hub.claimable(&self.principal),
            states: self.service.states(),
        };
        self.done(id, &hello);
    }

    async fn subscribe(
        &mut self,
        id: Option<&RawValue>,
        target: Target,
        after: Option<Position>,
    ) -> Result<(), Refusal> {
        let name = resolve(target, &self.hub.claimable(&self.principal))?;
        // A whole replay may follow, and it cannot wait half-way.
        self.out.room(RING_BYTES_MAX).await;
        let answer = |register: &str, last_seq| {
            let lifetime_s = self.hub.settings.lifetime.as_secs();
            let result = Subscribed { register, stream: self.hub.stream, last_seq, lifetime_s };
            id.map(|id| Frame::from(wire::result(id, &result)))
        };
        let Some(name) = name else {
            if after.is_some() {
                return Err(Refusal::field(
                    "after",
                    "is for one register: nothing is replayed to who watches all",
                ));
            }
            self.must_not_hold_another(None)?;
            self.hub.watch(&self.out, &self.principal, answer("*", None))?;
            self.claim = Claim::All;
            return Ok(());
        };
        self.must_not_hold_another(Some(&name))?;
        let reply = |last_seq| answer(name.as_str(), Some(last_seq));
        let register =
            self.hub.subscribe(&self.out, (&self.principal, &self.sign_on), &name, after, reply)?;
        self.claim = Claim::Register(register);
        Ok(())
    }

    /// A session speaks for one register: whose sale a request belongs to is never a guess.
    fn must_not_hold_another(&self, wanted: Option<&RegisterName>) -> Result<(), Refusal> {
        let held = match &self.claim {
            Claim::Nothing => return Ok(()),
            Claim::All => None,
            Claim::Register(register) if !register.listens(&self.out) => return Ok(()),
            Claim::Register(register) => Some(&register.name),
        };
        if held == wanted {
            return Ok(());
        }
        let held = held.map_or("all registers".to_owned(), |name| format!("`{name}`"));
        let message =
            format!("this session listens to {held}: `unsubscribe` first, or open another connection");
        Err(Refusal { field: Some("register".to_owned()), ..Refusal::new(RefusalCode::Conflict, message) })
    }

    fn ack(&self, seq: u64, stream: Option<StreamId>) -> Result<(), Refusal> {
        if stream.is_some_and(|stream| stream != self.hub.stream) {
            let message =
                "that event is from an earlier run of the daemon, and needs no acknowledging any more";
            return Err(Refusal {
                field: Some("stream".to_owned()),
                ..Refusal::new(RefusalCode::Conflict, message)
            });
        }
        let register = self.register().ok_or_else(|| {
            Refusal::new(
                RefusalCode::Conflict,
                "this session listens to no register: `subscribe` to one first",
            )
        })?;
        register.ack(seq)
    }

    /// Gives a request to the service, in a task of its own that outlives the session if it must.
    fn hand_over(&self, request: &Request<'_>, permit: Option<OwnedSemaphorePermit>) {
        let register = self.register().map(|register| register.name.clone());
        let (principal, sign_on) = (Arc::clone(&self.principal), Arc::clone(&self.sign_on));
        let who = Caller { principal, register, sign_on };
        let (service, out) = (Arc::clone(&self.service), Arc::clone(&self.out));
        let (id, params) = (request.id.map(ToOwned::to_owned), request.params.map(ToOwned::to_owned));
        let method = request.method.clone().into_owned();
        self.tasks.spawn(self.calls.track_future(async move {
            let result = service.call(&who, &method, params.as_deref()).await;
            if let Some(id) = id {
                let frame = answer(&id, result);
                out.room(frame.len()).await;
                out.send(&frame);
            }
            drop(permit);
        }));
    }

    fn register(&self) -> Option<&super::hub::Register> {
        match &self.claim {
            Claim::Register(register) if register.listens(&self.out) => Some(register),
            Claim::Register(_) | Claim::Nothing | Claim::All => None,
        }
    }

    pub(super) fn leave(&mut self) {
        match std::mem::replace(&mut self.claim, Claim::Nothing) {
            Claim::Nothing => {}
            Claim::Register(register) => register.leave(&self.out),
            Claim::All => self.hub.unwatch(&self.out),
        }
    }

    fn done(&self, id: Option<&RawValue>, result: &impl Serialize) {
        if let Some(id) = id {
            self.out.send(&Frame::from(wire::result(id, result)));
        }
    }

    fn refuse(&self, id: Option<&RawValue>, refusal: &Refusal) {
        if let Some(id) = id {
            self.out.send(&Frame::from(wire::refusal(Some(id), refusal)));
        }
    }
}

fn answer(id: &RawValue, result: Result<Box<RawValue>, Refusal>) -> Frame {
    let frame = match result {
        Ok(result) => wire::result(id, &result),
        Err(refusal) => wire::refusal(Some(id), &refusal),
    };
    if frame.len() <= REPLY_BYTES_MAX {
        return Frame::from(frame);
    }
    let message = format!("the answer is longer than {REPLY_BYTES_MAX} bytes: ask for fewer at a time");
    Frame::from(wire::refusal(Some(id), &Refusal::new(RefusalCode::InvalidParams, message)))
}

fn no_role() -> Refusal {
    let groups: Vec<&str> = ROLE_GROUPS.iter().map(|(_, group)| *group).collect();
    let message = format!(
        "your user has no role here, which is to be in one of the groups {}: run \
         `sudo usermod --append --groups fichad-register USER` for a till, then log in again",
        groups.join(", ")
    );
    Refusal::new(RefusalCode::Forbidden, message)
}
