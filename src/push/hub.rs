//! Every register, its events and who listens to them.

use super::counters::{Counters, Stats};
use super::out::{Out, Went};
use super::ring::{Frame, Ring};
use super::seats::Seats;
use super::settings::Settings;
use super::wire::{self, Context, Event, Missed, Position, Stamp, Target};
use crate::desk::Beyond;
use crate::desk::access::{Policy, Principal};
use crate::desk::operator::SignOn;
use crate::domain::id::{RegisterName, StreamId};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::Clock;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

/// The most registers of one daemon; the config refuses more.
pub const REGISTERS_MAX: usize = 32;

/// The most sessions that listen to one register: a till program, a display, a terminal, and their successors.
pub const SUBSCRIBERS_MAX: usize = 8;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Its sequence number in the register's stream; 0 when there is no such register.
    pub seq: u64,
    /// How far it got.
    pub delivered: Delivered,
}

/// How far an event got. Watchers of all registers do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// The socket of at least one program of the register has taken it.
    Sent,
    /// It waits in the backlog of a program that is slow to read.
    Queued,
    /// No program of the register is connected: kept for its lifetime.
    Kept,
    /// There is no such register (any more): not kept.
    NoSuchRegister,
}

/// The middle of all sessions. One for a daemon; shared by reader threads and the sessions' runtime.
pub struct Hub {
    pub(super) settings: Settings,
    pub(super) stream: StreamId,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) counters: Counters,
    pub(super) seats: Seats,
    plan: RwLock<Arc<Plan>>,
    watchers: Mutex<Vec<Arc<Out>>>,
}

/// What a reload replaces as a whole.
struct Plan {
    policy: Policy,
    registers: BTreeMap<RegisterName, Arc<Register>>,
}

/// One register: its ring and its programs change together, under one lock.
pub(super) struct Register {
    pub(super) name: RegisterName,
    state: Mutex<RegisterState>,
}

#[derive(Default)]
struct RegisterState {
    ring: Ring,
    subscribers: Vec<Subscriber>,
}

struct Subscriber {
    out: Arc<Out>,
    principal: Arc<Principal>,
    sign_on: Arc<SignOn>,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hub({}, {} sessions)", self.stream, self.seats.taken())
    }
}

impl Hub {
    /// A hub with the registers that `policy` names, without sessions.
    #[must_use]
    pub fn new(settings: Settings, stream: StreamId, clock: Arc<dyn Clock>, policy: Policy) -> Arc<Self> {
        let plan = RwLock::new(Arc::new(Plan::new(policy, &BTreeMap::new())));
        let (counters, seats, watchers) = (Counters::default(), Seats::default(), Mutex::default());
        Arc::new(Self { settings, stream, clock, counters, seats, plan, watchers })
    }

    /// Tells a register something: encodes it once, keeps it in the register's ring, and writes it to the
    /// sockets that listen. Called on a reader's own thread; never waits for a peer.
    pub fn publish(&self, register: &RegisterName, event: &Event<'_>, ctx: Context<'_>) -> Published {
        match self.register(register) {
            Some(register) => self.publish_to(&register, event, ctx),
            None => Published { seq: 0, delivered: Delivered::NoSuchRegister },
        }
    }

    /// Tells every register a state, each in its own stream.
    pub fn announce(&self, state: &RawValue, lifetime: Duration) {
        let ctx = Context { reader: None, lifetime };
        for register in self.plan().registers.values() {
            self.publish_to(register, &Event::State(state), ctx);
        }
    }

    /// Takes over other registers and rights. Sessions live on; a subscription whose register is gone, or whose
    /// user may not claim it any more, ends with a `state` event.
    pub fn reload(&self, policy: Policy) {
        let before = {
            let mut plan = self.plan.write().unwrap_or_else(PoisonError::into_inner);
            let after = Arc::new(Plan::new(policy, &plan.registers));
            std::mem::replace(&mut *plan, after)
        };
        let after = self.plan();
        for register in before.registers.values() {
            let removed = !after.registers.contains_key(&register.name);
            register.lock().subscribers.retain(|subscriber| {
                let stays = !removed && after.policy.may_claim(&subscriber.principal, &register.name);
                if !stays {
                    self.farewell(register, &subscriber.out);
                }
                stays
            });
        }
    }

    /// The registers that have at least one program connected.
    #[must_use]
    pub fn registers_connected(&self) -> Vec<RegisterName> {
        let plan = self.plan();
        let connected = plan.registers.values().filter(|register| !register.lock().subscribers.is_empty());
        connected.map(|register| register.name.clone()).collect()
    }

    /// Who is signed on at the sessions that listen to a register: [`Desk::on_duty`](crate::desk::Desk::on_duty) tells.
    #[must_use]
    pub fn sign_ons(&self, register: &RegisterName) -> Vec<Arc<SignOn>> {
        let of = |register: Arc<Register>| {
            let state = register.lock();
            state.subscribers.iter().map(|subscriber| Arc::clone(&subscriber.sign_on)).collect()
        };
        self.register(register).map(of).unwrap_or_default()
    }

    /// How many programs listen to a register.
    #[must_use]
    pub fn listeners(&self, register: &RegisterName) -> usize {
        self.register(register).map_or(0, |register| register.lock().subscribers.len())
    }

    /// Bytes of events that wait for registers which are slow to read.
    #[must_use]
    pub fn backlog_bytes(&self) -> usize {
        let of = |register: &Arc<Register>| {
            let state = register.lock();
            state.subscribers.iter().map(|subscriber| subscriber.out.backlog_bytes()).sum::<usize>()
        };
        self.plan().registers.values().map(of).sum()
    }

    /// Sessions that are open now.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.seats.taken()
    }

    /// What happened since start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.counters.read()
    }

    /// Forgets events that are too old, so that no name stays in memory for want of a next event.
    pub(super) fn prune(&self) {
        let now = self.clock.uptime();
        for register in self.plan().registers.values() {
            register.lock().ring.prune(now);
        }
    }

    pub(super) fn principal(&self, uid: u32, pid: Option<i32>, gids: &[u32]) -> Principal {
        self.plan().policy.principal(uid, pid, gids)
    }

    /// The registers that `who` may claim.
    pub(super) fn claimable(&self, who: &Principal) -> Vec<RegisterName> {
        let plan = self.plan();
        plan.registers.keys().filter(|name| plan.policy.may_claim(who, name)).cloned().collect()
    }

    fn publish_to(&self, register: &Register, event: &Event<'_>, ctx: Context<'_>) -> Published {
        let (now, at) = (self.clock.uptime(), self.clock.utc());
        // Under the lock: the number, the bytes and the order on every socket are one thing.
        let mut state = register.lock();
        let seq = state.ring.next_seq();
        let stamp = Stamp { stream: self.stream, seq, register: &register.name, at };
        let frame = Frame::from(wire::event(event, ctx, stamp));
        let dropped = state.ring.push(frame.clone(), ctx.lifetime, now);
        let (mut sent, mut queued) = (false, false);
        state.subscribers.retain(|subscriber| {
            let went = subscriber.out.send(&frame);
            sent |= went == Went::Sent;
            queued |= went == Went::Queued;
            went != Went::Gone
        });
        self.watchers().retain(|watcher| watcher.send(&frame) != Went::Gone);
        drop(state);

        let (delivered, counter) = match (sent, queued) {
            (true, _) => (Delivered::Sent, &self.counters.events_sent),
            (false, true) => (Delivered::Queued, &self.counters.events_queued),
            (false, false) => (Delivered::Kept, &self.counters.events_kept),
        };
        counter.add(1);
        self.counters.events.add(1);
        self.counters.events_dropped.add(dropped);
        Published { seq, delivered }
    }

    /// The last thing that a subscription says. Not in the ring, as the register may be gone.
    fn farewell(&self, register: &Register, out: &Out) {
        let end = serde_json::json!({ "subscription": "ended", "register": register.name.as_str() });
        out.send(&Frame::from(wire::notice(&end, self.stream, &register.name, self.clock.utc())));
    }

    fn register(&self, name: &RegisterName) -> Option<Arc<Register>> {
        self.plan().registers.get(name).map(Arc::clone)
    }

    fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn watchers(&self) -> MutexGuard<'_, Vec<Arc<Out>>> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    /// Registers that were there before keep their ring, their numbers and their sessions.
    fn new(policy: Policy, before: &BTreeMap<RegisterName, Arc<Register>>) -> Self {
        let names = policy.registers.iter().map(|(name, _)| name);
        let registers = names.map(|name| {
            let register = before.get(name).map_or_else(|| Arc::new(Register::new(name)), Arc::clone);
            (name.clone(), register)
        });
        let registers = registers.collect();
        Self { policy, registers }
    }
}

impl Register {
    fn new(name: &RegisterName) -> Self {
        Self { name: name.clone(), state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, RegisterState> {
        // Nothing panics under this lock; were it so, ring and list would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What sessions ask of the hub.
impl Hub {
    /// Lets `out` listen to the register that `target` means: first what `reply` makes of the last sequence
    /// number, then what was missed and what is replayed, then what happens from now on; nothing between.
    /// Again on the same register: another reply and replay.
    pub(super) fn subscribe(
        &self,
        out: &Arc<Out>,
        (who, sign_on): (&Arc<Principal>, &Arc<SignOn>),
        register: &RegisterName,
        after: Option<Position>,
        reply: impl FnOnce(u64) -> Option<Frame>,
    ) -> Result<Arc<Register>, Refusal> {
        let found = self.register(register).ok_or_else(|| no_such_register(register))?;
        let mut state = found.lock();
        // Under the register's lock, as a reload first changes the plan and then looks through the registers.
        if !self.plan().policy.may_claim(who, register) {
            return Err(not_yours(who, register));
        }
        let listening = state.subscribers.iter().any(|subscriber| Arc::ptr_eq(&subscriber.out, out));
        if !listening && state.subscribers.len() >= SUBSCRIBERS_MAX {
            let message =
                format!("{SUBSCRIBERS_MAX} programs listen to `{register}` already: stop one of them");
            return Err(Refusal::new(RefusalCode::Busy, message));
        }
        let elsewhere = after.is_some_and(|after| after.stream != self.stream);
        let seq = after.filter(|_| !elsewhere).map(|after| after.seq);
        let replay = state.ring.replay(seq, self.clock.uptime()).map_err(|beyond| {
            let message = format!("there is no such event yet: the last one is {}", beyond.last_seq);
            Refusal::field("after.seq", message)
        })?;
        let missed = if elsewhere { Some(Missed::OtherStream) } else { replay.missed };
        let missed = missed.map(|missed| wire::missed(missed, self.stream, register, self.clock.utc()));
        let last_seq = state.ring.next_seq().saturating_sub(1);
        for frame in reply(last_seq).into_iter().chain(missed.map(Frame::from)).chain(replay.frames) {
            out.send(&frame);
        }
        if !listening {
            let (principal, sign_on) = (Arc::clone(who), Arc::clone(sign_on));
            state.subscribers.push(Subscriber { out: Arc::clone(out), principal, sign_on });
        }
        drop(state);
        Ok(found)
    }

    /// Lets `out` look on at all registers, from `reply` on.
    pub(super) fn watch(&self, out: &Arc<Out>, who: &Principal, reply: Option<Frame>) -> Result<(), Refusal> {
        if !who.may(Beyond::AllRegisters) {
            let message = "only a manager (group fichad-manager) may watch all registers: name one";
            return Err(Refusal {
                field: Some("register".to_owned()),
                ..Refusal::new(RefusalCode::Forbidden, message)
            });
        }
        let mut watchers = self.watchers();
        if let Some(reply) = &reply {
            out.send(reply);
        }
        if !watchers.iter().any(|watcher| Arc::ptr_eq(watcher, out)) {
            watchers.push(Arc::clone(out));
        }
        drop(watchers);
        Ok(())
    }

    pub(super) fn unwatch(&self, out: &Arc<Out>) {
        self.watchers().retain(|watcher| !Arc::ptr_eq(watcher, out));
    }
}

impl Register {
    /// Whether `out` still listens; a reload can have ended it.
    pub(super) fn listens(&self, out: &Arc<Out>) -> bool {
        self.lock().subscribers.iter().any(|subscriber| Arc::ptr_eq(&subscriber.out, out))
    }

    pub(super) fn leave(&self, out: &Arc<Out>) {
        self.lock().subscribers.retain(|subscriber| !Arc::ptr_eq(&subscriber.out, out));
    }

    pub(super) fn ack(&self, seq: u64) -> Result<(), Refusal> {
        self.lock().ring.ack(seq).map_err(|beyond| {
            Refusal::field("seq", format!("there is no such event yet: the last one is {}", beyond.last_seq))
        })
    }
}

fn no_such_register(register: &RegisterName) -> Refusal {
    let message = format!("there is no register `{register}`: `hello` lists those that you may claim");
    Refusal { field: Some("register".to_owned()), ..Refusal::new(RefusalCode::NotFound, message) }
}

fn not_yours(who: &Principal, register: &RegisterName) -> Refusal {
    let message = format!(
        "user id {} may not claim `{register}`: it needs the group fichad-register, and to be among that register's `users` if it names any",
        who.uid
    );
    Refusal { field: Some("register".to_owned()), ..Refusal::new(RefusalCode::Forbidden, message) }
}

/// The register that a `subscribe` means.
pub(super) fn resolve(target: Target, claimable: &[RegisterName]) -> Result<Option<RegisterName>, Refusal> {
    match (target, claimable) {
        (Target::All, _) => Ok(None),
        (Target::Register(name), _) => Ok(Some(name)),
        (Target::TheOnlyOne, [only]) => Ok(Some(only.clone())),
        (Target::TheOnlyOne, []) => {
            let message = "this user may claim no register: it needs the group fichad-register, and a [[register]] that does not name other users";
            Err(Refusal::new(RefusalCode::Forbidden, message))
        }
        (Target::TheOnlyOne, several) => {
            let names: Vec<String> = several.iter().map(|name| format!("`{name}`")).collect();
            Err(Refusal::field("register", format!("is missing: name one of {}", names.join(", "))))
        }
    }
}
