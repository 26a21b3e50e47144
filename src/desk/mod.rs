//! What a register or a member of staff may ask for.
//!
//! One file a noun; each write is a decision over the current state that gives events or a refusal,
//! made on the committer's thread, so that two clerks cannot do one thing twice. [`access`] guards
//! each of them. Nothing here opens a socket, a device or a file.

pub mod access;
mod adjust;
pub mod audit;
mod breach;
mod card;
mod card_alert;
pub mod compose;
mod consent;
pub mod contact;
pub mod contest;
mod earning;
mod erase;
mod explain;
mod export;
pub mod file;
mod find;
pub mod held;
mod history;
mod import;
pub mod issue;
pub mod levels;
mod lost;
mod merge;
mod methods;
mod note;
pub mod operator;
mod payment;
mod person;
mod plan;
pub mod points;
mod print_job;
mod recall;
mod refused;
mod request;
pub mod retention;
pub mod reward;
mod sale;
mod sale_exchange;
mod sale_parked;
mod sale_points;
mod sale_receipt;
mod sale_return;
mod screen;
mod settings;
pub mod survey;
mod twins;
pub mod visit;
mod whose;
pub mod worth;

use crate::domain::id::{JobId, PrinterName, RegisterName};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::{Clock, Uptime};
use crate::identify::Budget;
use crate::log::{Half, Log};
use crate::metrics::Journal;
use crate::print::CardFace;
use crate::vault::Vault;
use access::{Principal, forbidden};
pub use methods::{Beyond, DAEMON_METHODS, METHODS};
use operator::SignOn;
pub use print_job::{Noted, settle_jobs};
use request::Ask;
pub use request::fields;
use serde_json::Value;
use serde_json::value::RawValue;
pub use settings::Settings;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// Searches by name, phone, e-mail or code that one user may make at once before being asked to wait.
pub const SEARCHES_MAX: u32 = 30;

/// After this time one more is free again.
pub const SEARCH_EVERY: Duration = Duration::from_secs(2);

/// The most users whose searches are counted apart; beyond, the count starts anew.
const SEARCHERS_MAX: usize = 256;

/// Where print jobs go. `daemon` has the real one.
pub trait Printers: Send + Sync {
    /// Every printer with its condition, in the config's order.
    fn list(&self) -> Vec<(PrinterName, String)>;

    /// The printer of a register that names none.
    fn usual(&self, register: Option<&RegisterName>) -> Option<PrinterName>;

    /// Whether `register` may use a printer; asked before a card is issued for it. A session without a register may use
    /// those that are for all.
    fn allows(&self, printer: &PrinterName, register: Option<&RegisterName>) -> bool;

    /// Queues a card; what happens to it is told to `register` as events of the job.
    ///
    /// # Errors
    /// [`RefusalCode::NotFound`] for an unknown printer, [`RefusalCode::Busy`] when its queue is full.
    fn submit(
        &self,
        printer: &PrinterName,
        register: Option<&RegisterName>,
        job: JobId,
        face: CardFace,
    ) -> Result<(), Refusal>;

    /// Takes a job back that has not begun to print.
    ///
    /// # Errors
    /// [`RefusalCode::Conflict`] when it has, [`RefusalCode::NotFound`] when there is none.
    fn cancel(&self, printer: &PrinterName, job: JobId) -> Result<(), Refusal>;
}

/// The store, once it is open.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Both journals and their views.
    pub log: Log,
    /// The keys of the personal half.
    pub vault: Arc<Vault>,
}

/// Answers requests and composes files.
pub struct Desk {
    /// Empty while it is opening; `None` if it does not open.
    opened: OnceLock<Option<Opened>>,
    clock: Arc<dyn Clock>,
    printers: Arc<dyn Printers>,
    settings: Settings,
    searches: Mutex<HashMap<u32, Budget>>,
    /// Who tried to sign on, and failed.
    pins: operator::Pins,
    journal: Journal,
    told: visit::Told,
    /// Held while customers' keys are destroyed or changed: one request at a time.
    key_changes: tokio::sync::Mutex<()>,
    /// Held while a journal is read for a history: one at a time.
    histories: tokio::sync::Mutex<()>,
    /// How many requests of imports are worked on at once.
    imports: tokio::sync::Semaphore,
    /// Readings that the audit trail has not, since the start.
    reads_not_noted: AtomicU64,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("open", &self.opened().is_some()).finish_non_exhaustive()
    }
}

impl Desk {
    /// A desk whose store is still opening: writes are refused, products go on.
    #[must_use]
    pub fn new(settings: Settings, clock: Arc<dyn Clock>, printers: Arc<dyn Printers>) -> Self {
        let (opened, searches, told) = (OnceLock::new(), Mutex::default(), visit::Told::default());
        let (pins, journal, key_changes, histories) = Default::default();
        let imports = tokio::sync::Semaphore::new(import::AT_ONCE_MAX);
        Self {
            opened,
            clock,
            printers,
            settings,
            searches,
            pins,
            journal,
            told,
            key_changes,
            histories,
            imports,
            reads_not_noted: AtomicU64::new(0),
        }
    }

    /// Hands the desk its store. Only the first call counts.
    pub fn open(&self, opened: Opened) {
        if self.opened.set(Some(opened)).is_err() {
            tracing::warn!("the store was opened twice");
        }
    }

    /// Tells the desk that its store does not open, so that nobody is told to try again in a moment.
    pub fn stay_closed(&self) {
        if self.opened.set(None).is_err() {
            tracing::warn!("the store was opened before it failed");
        }
    }

    /// The store, if it is open.
    #[must_use]
    pub fn opened(&self) -> Option<&Opened> {
        self.opened.get()?.as_ref()
    }

    /// How writes go.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    fn store(&self) -> Result<&Opened, Refusal> {
        let message = match self.opened.get() {
            Some(Some(opened)) => return Ok(opened),
            Some(None) => "the store did not open, `status` says why; products go on",
            None => "the store is still opening; products go on, try again in a moment",
        };
        Err(Refusal::new(RefusalCode::ReadOnly, message))
    }

    /// Answers one request of `who`, who speaks for `register` if they subscribed to one; `sign_on` is their session's.
    ///
    /// # Errors
    /// The refusal that the caller is sent.
    pub async fn call(
        &self,
        who: &Principal,
        register: Option<&RegisterName>,
        sign_on: &SignOn,
        method: &str,
        params: Option<&RawValue>,
    ) -> Result<Value, Refusal> {
        let Some((method, roles)) = METHODS.iter().find(|(name, _)| *name == method) else {
            let message = "no such method; PROTOCOL.md lists them";
            return Err(Refusal::new(RefusalCode::UnknownMethod, message));
        };
        if !who.has_any(roles) {
            return Err(forbidden(roles));
        }
        let operator = self.signed_on(sign_on);
        let ask = Ask { who, register, sign_on, operator: operator.as_ref(), method, params };
        let answer = self.answer(&ask).await;
        let answer = if self.may_lack() { known(method, answer) } else { answer }?;
        self.note_read(&ask, &answer);
        Ok(answer)
    }

    /// Whether the views may lack what was written: their journal is damaged.
    fn may_lack(&self) -> bool {
        self.opened().is_some_and(|opened| opened.log.views().is_behind(Half::Neutral))
    }

    async fn answer(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        match ask.method {
            "customer.find" => self.find(ask).await,
            "customer.enrol" => self.enrol(ask).await,
            "customer.import" => self.import(ask).await,
            "customer.show" => self.show(ask),
            "customer.change" => self.change_person(ask).await,
            "customer.duplicates" => self.duplicates(ask).await,
            "customer.history" => self.history(ask).await,
            "customer.revert" => self.revert(ask).await,
            "customer.export" => self.export(ask).await,
            "customer.list" => self.list_customers(ask).await,
            "customer.object" => self.object(ask).await,
            "customer.worth" => self.worth(ask),
            "customer.level" => self.level(ask),
            "customer.merge" => self.merge(ask).await,
            "customer.unmerge" => self.unmerge(ask).await,
            "customer.erase" => self.erase(ask).await,
            "retention.run" => self.run_retention(ask).await,
            "audit.list" => self.audit(ask).await,
            "breach.assess" => self.assess_breach(ask).await,
            "breach.list" => self.list_breaches(ask).await,
            method if method.starts_with("operator.") => self.operator(ask).await,
            "customer.dismiss" => self.dismiss(ask).await,
            "file.open" => self.open_file(ask).await,
            "file.explain" => self.explain(ask),
            "card.issue" => self.issue_card(ask).await,
            "card.print" => self.print_card(ask).await,
            "card.block" => self.block_card(ask).await,
            "card.unblock" => self.unblock_card(ask).await,
            "card.replace" => self.replace_card(ask).await,
            "card.validity" => self.set_validity(ask).await,
            "card.holder" => self.set_holder(ask).await,
            "card.list" | "card.alerts" => self.cards(ask),
            "issue.open" => self.open_issue(ask).await,
            "issue.update" => self.update_issue(ask).await,
            "issue.close" => self.close_issue(ask).await,
            "issue.extend" => self.extend_issue(ask).await,
            "issue.answer" => self.answer_issue(ask).await,
            "issue.list" | "issue.due" => self.issues(ask),
            "recall.buyers" => self.buyers(ask).await,
            "sale.record" => self.record_sale(ask).await,
            "sale.attach" => self.attach_sale(ask).await,
            "sale.return" => self.return_sale(ask).await,
            "sale.exchange" => self.exchange_sale(ask).await,
            "sale.void" => self.void_sale(ask).await,
            "sale.park" => self.park_sale(ask).await,
            "sale.resume" => self.resume_sale(ask).await,
            "sale.parked" => self.parked_sales(ask),
            "sale.show" => self.show_sale(ask),
            "sale.list" => self.list_sales(ask),
            "payment.record" | "payment.list" => self.payment(ask).await,
            "lost.record" => self.record_lost(ask).await,
            "lost.recover" => self.recover_lost(ask).await,
            "lost.list" => self.list_lost(ask),
            "note.keep" | "note.remove" | "note.list" => self.note(ask).await,
            "preference.set" => self.set_preference(ask).await,
            "consent.texts" | "consent.record" | "consent.list" => self.consent(ask).await,
            "contact.record" | "contact.respond" | "contact.list" | "contact.may" => self.contact(ask).await,
            "plan.add" | "plan.close" | "plan.list" => self.plan(ask).await,
            method if method.starts_with("survey.") => self.survey(ask).await,
            method if method.starts_with("contest.") => self.contest(ask).await,
            method if method.starts_with("points.") => self.points(ask).await,
            "reward.list" | "reward.redeem" => self.reward(ask).await,
            "printer.list" => Ok(self.list_printers()),
            "job.show" => self.show_job(ask),
            "job.cancel" => self.cancel_job(ask),
            _ => Err(Refusal::new(RefusalCode::Internal, "a method is listed that nobody answers")),
        }
    }

    /// Counts a search of this user.
    fn spend_search(&self, who: &Principal) -> Result<(), Refusal> {
        let now: Uptime = self.clock.uptime();
        let mut searches = self.searches.lock().unwrap_or_else(PoisonError::into_inner);
        if searches.len() >= SEARCHERS_MAX {
            searches.clear();
        }
        let budget = searches.entry(who.uid).or_insert_with(|| Budget::new(SEARCHES_MAX, SEARCH_EVERY, now));
        budget.spend(now).map_err(|wait| {
            let message =
                format!("too many searches; the next is free in {} s", wait.as_secs().saturating_add(1));
            Refusal::new(RefusalCode::Busy, message)
        })
    }

    /// A UUID version 7 of this moment.
    fn new_id(&self) -> Result<Uuid, Refusal> {
        random().map(|random| self.id_of(&random))
    }

    fn id_of(&self, random: &[u8; 10]) -> Uuid {
        let millis = u64::try_from(self.clock.utc().0).unwrap_or(0).checked_div(1000).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid()
    }
}

/// An answer out of views that may lack something: that a thing was not found says nothing then.
fn known(method: &str, answer: Result<Value, Refusal>) -> Result<Value, Refusal> {
    let nobody = |answer: &Value| answer["rows"].as_array().is_some_and(Vec::is_empty);
    let not_found = match &answer {
        Ok(found) => method == "customer.find" && nobody(found),
        Err(refusal) => refusal.code == RefusalCode::NotFound,
    };
    if !not_found {
        return answer;
    }
    let message =
        "this is not known now: a damaged journal may have it, `status` says which file to put right";
    Err(Refusal::new(RefusalCode::ReadOnly, message))
}

/// Work on a thread that may wait for a disk, or take a moment.
async fn waiting<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Refusal::new(RefusalCode::Internal, "the request was broken off")))
}

/// `N` bytes from the kernel.
fn random<const N: usize>() -> Result<[u8; N], Refusal> {
    let mut bytes = [0; N];
    let failed = |_| Refusal::new(RefusalCode::Internal, "the kernel gives no random bytes");
    getrandom::fill(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
