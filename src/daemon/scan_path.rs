//! The scan path: what one reader's decoded scans become at its register.
//!
//! Runs on the reader's own thread, from decoded bytes to the frame in the register's socket: no
//! hand-off, no wait for a disk, no lock that a writer holds for long. The visit is journalled
//! after the frame went out.

use super::processors::Processors;
use super::routes::Routes;
use super::tally::{Outcome, ReaderTally, Stage, Tally};
use crate::decode::{classify, symbology};
use crate::desk::Desk;
use crate::desk::visit::{Shown, VisitSeed};
use crate::domain::card::CardAlert;
use crate::domain::id::{ReaderName, RegisterName, VisitId};
use crate::domain::refusal::Refusal;
use crate::domain::scan::{Decoded, RawScan, Reading, Rejection};
use crate::domain::time::Uptime;
use crate::identify::{self, Earlier, Found, Identity, Repeats};
use crate::log::Pending;
use crate::push::wire::{Context, Event};
use crate::push::{Delivered, Hub, Published};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

/// What every reader's path shares.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) hub: Arc<Hub>,
    pub(super) desk: Arc<Desk>,
    pub(super) routes: Arc<Routes>,
    pub(super) slow: super::slow::Slow,
    pub(super) recordings: Arc<super::capture::Recordings>,
    pub(super) typing: Option<Arc<super::typing::Typing>>,
    pub(super) tally: Arc<Tally>,
    pub(super) processors: Arc<Processors>,
    pub(super) lifetime: Duration,
    pub(super) runtime: tokio::runtime::Handle,
}

/// One reader's way to its register.
pub(super) struct ScanPath {
    reader: ReaderName,
    shared: Shared,
    repeats: Repeats,
    tally: Arc<ReaderTally>,
    /// When the reader's thread was woken for the scan at hand.
    woken: Uptime,
    /// Where it all goes instead of where the routes say.
    register: Option<RegisterName>,
    /// For the next visit, drawn after the last.
    seed: Option<VisitSeed>,
}

/// What became of a scan, for a reader that wants an answer.
pub(super) enum Taken {
    /// It made a visit: it is safe when this is.
    Visit(Pending<(), Refusal>),
    /// It made no visit and is with its register, or kept for it.
    Queued,
    /// It is lost: a visit that cannot be kept, or a register that is not there.
    NotKept,
}

impl Taken {
    fn queued(published: Published) -> Self {
        match published.delivered {
            Delivered::Sent | Delivered::Queued | Delivered::Kept => Self::Queued,
            Delivered::NoSuchRegister => Self::NotKept,
        }
    }
}

impl ScanPath {
    pub(super) fn new(reader: ReaderName, shared: Shared) -> Self {
        let window = shared.routes.current().repeat_window;
        let tally = shared.tally.reader(&reader);
        let (woken, register, seed) = (Uptime::ZERO, None, VisitSeed::draw().ok());
        Self { reader, shared, repeats: Repeats::new(window), tally, woken, register, seed }
    }

    /// Sends everything to `register`, whatever the routes say; `None` goes by the routes.
    pub(super) fn send_to(&mut self, register: Option<RegisterName>) {
        self.register = register;
    }

    /// Takes what the reader's assembler gave, woken at `now`.
    pub(super) fn take(&mut self, decoded: Decoded, now: Uptime) -> Taken {
        self.shared.tally.took(Stage::Read, now);
        self.woken = now;
        self.route(decoded, now)
    }

    fn route(&mut self, decoded: Decoded, now: Uptime) -> Taken {
        // Held until the scan is with its register: a reload takes place before it or after it.
        let all = Arc::clone(&self.shared.routes);
        let routes = all.held();
        self.repeats.set_window(routes.repeat_window);
        let register = self.register.as_ref().unwrap_or_else(|| routes.register(&self.reader)).clone();
        let raw: RawScan = match decoded {
            Decoded::Scan(raw) => raw,
            Decoded::Rejected(rejection) => return self.reject(&register, rejection),
        };
        let _span = tracing::debug_span!("scan", reader = %self.reader, register = %register).entered();
        match self.shared.tally.time(Stage::Decode, || classify::classify(&raw, &routes.rules)) {
            Ok(reading) => self.place(&register, &reading, now),
            Err(rejection) => self.reject(&register, rejection),
        }
    }

    fn place(&mut self, register: &RegisterName, reading: &Reading, now: Uptime) -> Taken {
        let desk = &*self.shared.desk;
        match self.shared.tally.time(Stage::Resolve, || identify::identify(reading, desk)) {
            Identity::Customer { found, repaired } => {
                self.identified(register, reading, found, repaired, now)
            }
            Identity::Blocked(found) => {
                self.tally.count(Outcome::Blocked);
                let (status, reason) = (found.status.word(), found.reason.map_or("", |reason| reason.word()));
                let (customer, card) = (found.customer.customer, found.card);
                tracing::warn!(%card, status, "a card that is not honoured was shown");
                let again = matches!(self.repeats.earlier(&reading.data, now), Some(Earlier::Blocked(_)));
                let taken = self.noted(register, reading, now, |repeat_of| Event::Blocked {
                    customer,
                    card,
                    status,
                    reason,
                    repeat_of,
                });
                // A card that is read twice in a moment was shown once.
                if !again {
                    self.alert(register, &found);
                }
                if let Some(Earlier::Event(seq)) = self.repeats.earlier(&reading.data, now) {
                    self.repeats.note(&reading.data, now, Earlier::Blocked(seq));
                }
                taken
            }
            Identity::Unknown => self.unknown(register, reading, now),
            Identity::Unavailable => self.unavailable(register, reading, now),
            Identity::Rejected(rejection) => self.reject(register, rejection),
            Identity::PassedOn => self.pass_on(register, reading, now),
        }
    }

    /// Has it kept, once the frame is out, that a card was shown that is not honoured.
    fn alert(&self, register: &RegisterName, found: &Found) {
        let Found { customer, card, status, reason } = found;
        let alert = CardAlert {
            customer: customer.customer,
            card: *card,
            status: *status,
            reason: *reason,
            register: register.clone(),
            reader: self.reader.clone(),
        };
        if let Err(refusal) = self.shared.desk.record_alert(alert) {
            tracing::warn!(%card, why = %refusal, "that a stopped card was shown cannot be kept");
        }
    }

    /// Whoever tries codes gets slower answers, and then none; a known card and a product never wait. One code that a
    /// scanner reads again and again is one guess.
    fn unknown(&mut self, register: &RegisterName, reading: &Reading, now: Uptime) -> Taken {
        self.tally.count(Outcome::Unknown);
        let again = self.repeats.earlier(&reading.data, now).is_some();
        let answer = if again { Ok(()) } else { self.shared.routes.spend_guess(register, now) };
        let held_back = |wait| self.shared.slow.unknown_after(wait, register, &self.reader);
        let taken = match answer {
            Ok(()) => {
                return self.noted(register, reading, now, |repeat_of| Event::Unknown { repeat_of });
            }
            Err(Some(wait)) if held_back(wait) => Taken::Queued,
            Err(_) => Taken::NotKept,
        };
        // Which number its answer will have is not known yet.
        self.repeats.note(&reading.data, now, Earlier::Event(0));
        taken
    }

    fn unavailable(&mut self, register: &RegisterName, reading: &Reading, now: Uptime) -> Taken {
        self.tally.count(Outcome::Unavailable);
        self.noted(register, reading, now, |repeat_of| Event::Unavailable { repeat_of });
        Taken::NotKept
    }

    /// Publishes an event that says which one it repeats, and remembers it for the next.
    fn noted<'a>(
        &mut self,
        register: &RegisterName,
        reading: &'a Reading,
        now: Uptime,
        event: impl FnOnce(Option<u64>) -> Event<'a>,
    ) -> Taken {
        let repeat_of = match self.repeats.earlier(&reading.data, now) {
            Some(Earlier::Event(seq) | Earlier::Blocked(seq)) => Some(seq),
            Some(Earlier::Visit(_)) | None => None,
        };
        let published = self.publish(register, &event(repeat_of));
        self.repeats.note(&reading.data, now, Earlier::Event(published.seq));
        Taken::queued(published)
    }

    fn identified(
        &mut self,
        register: &RegisterName,
        reading: &Reading,
        found: Found,
        repaired: bool,
        now: Uptime,
    ) -> Taken {
        let desk = Arc::clone(&self.shared.desk);
        let seed = self.seed.take();
        let compose = || {
            let visit = seed.map_or_else(|| desk.new_visit().ok(), |seed| Some(desk.visit_of(seed)));
            Some((desk.file(&found)?, visit?))
        };
        let Some((file, visit)) = self.shared.tally.time(Stage::Compose, compose) else {
            return self.unavailable(register, reading, now);
        };
        self.tally.count(Outcome::Identified);
        let repeat_of = self.earlier_visit(reading, now);
        let card = Some(found.card);
        self.repeats.note(&reading.data, now, Earlier::Visit(visit));
        let event = Event::Identified { visit, card, file: &file, repaired, repeat_of };
        let shown = Shown {
            visit,
            customer: found.customer.customer,
            card: found.card,
            register: register.clone(),
            reader: self.reader.clone(),
            repeat_of,
        };
        let told_at = Cell::new(now);
        let tell = || {
            self.publish(register, &event);
            told_at.set(self.shared.tally.now());
            desk.on_duty(&self.shared.hub.sign_ons(register))
        };
        let recorded = desk.record_visit(shown, tell);
        self.shared.tally.took(Stage::Record, told_at.get());
        self.seed = VisitSeed::draw().ok();
        desk.rehash(&reading.kind);
        match recorded {
            Ok(pending) => Taken::Visit(pending),
            Err(refusal) => {
                tracing::warn!(%visit, why = %refusal, "a visit cannot be kept");
                Taken::NotKept
            }
        }
    }

    fn earlier_visit(&mut self, reading: &Reading, now: Uptime) -> Option<VisitId> {
        match self.repeats.earlier(&reading.data, now)? {
            Earlier::Visit(visit) => Some(visit),
            Earlier::Event(_) | Earlier::Blocked(_) => None,
        }
    }

    fn pass_on(&mut self, register: &RegisterName, reading: &Reading, now: Uptime) -> Taken {
        self.tally.count(Outcome::PassedOn);
        let symbology = symbology::of(reading.aim, &reading.data);
        let taken = self.noted(register, reading, now, |repeat_of| Event::Scan {
            data: &reading.data,
            aim: reading.aim,
            scan_data_type: symbology.scan_data_type,
            repeat_of,
        });
        if let Some(typing) = &self.shared.typing {
            typing.take(register, &reading.data);
        }
        taken
    }

    fn reject(&self, register: &RegisterName, rejection: Rejection) -> Taken {
        self.tally.count(Outcome::Rejected);
        self.shared.tally.rejected(rejection);
        Taken::queued(self.publish(register, &Event::Rejected(rejection)))
    }

    fn publish(&self, register: &RegisterName, event: &Event<'_>) -> Published {
        let ctx = Context { reader: Some(&self.reader), lifetime: self.shared.lifetime };
        let published = self.shared.tally.time(Stage::Push, || self.shared.hub.publish(register, event, ctx));
        self.shared.tally.done(self.woken);
        // Linux wakes whoever reads a socket on the processor of whoever wrote to it, behind what that goes on with.
        std::thread::yield_now();
        published
    }
}
