//! Visits: a customer at a register, by card or by hand.

use super::methods::Beyond;
use super::person::no_such_customer;
use super::request::Ask;
use super::{Desk, compose, contact, random};
use crate::domain::contact::Channel;
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::id::{CardId, CustomerNumber, ReaderName, RegisterName, VisitId};
use crate::domain::operator::Operator;
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::log::{Pending, Tx};
use crate::store::{self, VisitState};
use serde::Deserialize;
use serde_json::{Value, json};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use uuid::Uuid;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenFile {
    key: Uuid,
    customer: CustomerNumber,
    #[serde(default)]
    register: Option<RegisterName>,
    #[serde(default)]
    channel: Option<Channel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dismiss {
    key: Uuid,
    visit: VisitId,
}

/// A visit that a shown card opens.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Names it.
    pub visit: VisitId,
    /// Who.
    pub customer: CustomerNumber,
    /// The card.
    pub card: CardId,
    /// Where.
    pub register: RegisterName,
    /// By which reader.
    pub reader: ReaderName,
    /// The visit it repeats.
    pub repeat_of: Option<VisitId>,
}

/// What makes a visit's id unlike all others, drawn before it is needed: a scan does not wait for the kernel's randomness.
#[derive(Debug)]
pub struct VisitSeed([u8; 10]);

impl VisitSeed {
    /// Draws one.
    ///
    /// # Errors
    /// Only when the kernel gives no random bytes.
    pub fn draw() -> Result<Self, Refusal> {
        random().map(Self)
    }
}

impl Desk {
    /// A new visit's id.
    ///
    /// # Errors
    /// Only when the kernel gives no random bytes.
    pub fn new_visit(&self) -> Result<VisitId, Refusal> {
        VisitSeed::draw().map(|seed| self.visit_of(seed))
    }

    /// The id of a visit that begins now.
    #[must_use]
    pub fn visit_of(&self, VisitSeed(seed): VisitSeed) -> VisitId {
        VisitId(self.id_of(&seed))
    }

    /// Has `tell` send a visit's frame and say who is signed on there, then queues the visit for the journal. Whoever must know when it is durable waits on
    /// what is returned.
    ///
    /// The frame goes first, for a customer waits for it: queueing wakes the committer, which is then in the way of the
    /// reader's thread. So a register can name a visit that is not queued yet. Until it is, the visit is known as told, and a
    /// request that names it waits that moment (see `Told`); behind it in the queue, it finds the visit there.
    ///
    /// # Errors
    /// When the store takes no writes: the visit happened all the same, and is only not kept.
    pub fn record_visit(
        &self,
        shown: Shown,
        tell: impl FnOnce() -> Option<Operator>,
    ) -> Result<Pending<(), Refusal>, Refusal> {
        let _until_queued = self.told.begin(shown.visit);
        let operator = tell();
        let Shown { visit, customer, card, register, reader, repeat_of } = shown;
        let event = StoreEvent::VisitOpened {
            visit,
            customer,
            card: Some(card),
            register,
            reader: Some(reader),
            channel: None,
            repeat_of,
            operator,
        };
        let waiting = self.journal.queued();
        let record = move |tx: &mut Tx<'_>| {
            drop(waiting);
            store::emit(tx, &event).map_err(Refusal::from)
        };
        Ok(self.store()?.log.submit(record)?)
    }

    /// `file.open`: by hand, for a customer without a card, on the phone or online. With its channel it is a contact too.
    pub(super) async fn open_file(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let OpenFile { key, customer, register, channel } = ask.fields()?;
        let register = ask.register(register)?;
        let visit = self.new_visit()?;
        let vault = Arc::clone(&self.store()?.vault);
        let (contact, nonce, by) = (self.new_id()?, random()?, ask.who.uid);
        let done = self
            .write(ask, key, move |tx| {
                store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
                let event = StoreEvent::VisitOpened {
                    visit,
                    customer,
                    card: None,
                    register: register.clone(),
                    reader: None,
                    channel,
                    repeat_of: None,
                    operator: None,
                };
                store::emit(tx, &event)?;
                let mut record = None;
                if let Some(channel) = channel {
                    let told = (contact, visit, register, by, channel);
                    record = contact::opened(tx, &vault, customer, told, nonce)?.then_some(contact);
                }
                Ok(Outcome { customer: Some(customer), visit: Some(visit), record, ..Outcome::default() })
            })
            .await?;
        let opened = self.store()?;
        let views = opened.log.views();
        let kept = store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
        let file = compose::compose(&views, &opened.vault, (&kept, None), (&self.settings, self.clock.utc()));
        let Outcome { visit, record, .. } = done.outcome;
        Ok(json!({ "visit": visit, "contact": record, "file": file, "repeated": done.repeated }))
    }

    /// `customer.dismiss`: the register is done with the customer.
    pub(super) async fn dismiss(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Dismiss { key, visit } = ask.fields()?;
        self.told.queued(visit).await;
        let register = ask.register.cloned();
        let anywhere = ask.who.may(Beyond::OtherVisit);
        let done = self
            .write(ask, key, move |tx| {
                let no_such_visit = || Refusal::new(RefusalCode::NotFound, "no visit has this id");
                let kept = store::visit(tx, visit)?.ok_or_else(no_such_visit)?;
                if !anywhere && register.as_ref() != Some(&kept.register) {
                    return Err(elsewhere());
                }
                if kept.state != VisitState::Open {
                    return Err(Refusal::conflict("visit", "this visit is over already"));
                }
                store::emit(tx, &StoreEvent::VisitEnded { visit })?;
                Ok(Outcome { customer: Some(kept.customer), visit: Some(visit), ..Outcome::default() })
            })
            .await?;
        Ok(json!({ "visit": visit, "repeated": done.repeated }))
    }
}

fn elsewhere() -> Refusal {
    let message =
        "this visit is another register's; subscribe to that one to end it, or have a manager do it";
    Refusal { field: Some("visit".to_owned()), ..Refusal::new(RefusalCode::Forbidden, message) }
}

/// Visits that registers were told of and that are not queued for the journal yet: at most one for each reader, each for the
/// time that a frame and a place in a queue take.
#[derive(Debug, Default)]
pub(super) struct Told {
    visits: Mutex<Vec<VisitId>>,
    /// One of them is queued now.
    queued: Notify,
}

/// Counts a visit as told until it is dropped, which a panic does too.
struct Telling<'a> {
    told: &'a Told,
    visit: VisitId,
}

impl Told {
    fn begin(&self, visit: VisitId) -> Telling<'_> {
        self.lock().push(visit);
        Telling { told: self, visit }
    }

    /// Waits until `visit` is queued, if it is on its way there.
    pub(super) async fn queued(&self, visit: VisitId) {
        loop {
            let mut queued = pin!(self.queued.notified());
            // Before the look, so that what happens right after it is heard.
            queued.as_mut().enable();
            if !self.lock().contains(&visit) {
                return;
            }
            queued.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<VisitId>> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        self.told.lock().retain(|visit| *visit != self.visit);
        self.told.queued.notify_waiters();
    }
}
