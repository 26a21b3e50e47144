//! Retention: what the shop keeps of nobody that long is let go, section by section, each by its own period.
//!
//! Counted from the last contact (a visit, else the enrolment), a note, a contact, a plan or an answer from when it was
//! made, a hint from when its issue last
//! moved. Names, telephones and addresses stay while an issue is open. Cards, points and purchases stay: whoever is left
//! with nothing is an anonymous customer. Answers hold numbers of customers by section, never a name.

use super::request::Ask;
use super::{Desk, Opened, random, waiting};
use crate::domain::customer::Customer;
use crate::domain::event::Outcome;
use crate::domain::id::{CustomerNumber, IssueId};
use crate::domain::person::fields::Section;
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::settings::Keys;
use crate::domain::time::{Period, Timestamp};
use crate::log::Read;
use crate::store;
use crate::vault::keys::KeyRef;
use crate::vault::{self, Kept, Till, Vault, VaultError};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// The most customers that one request looks at.
const LOOKED_AT_MAX: usize = 5_000;

/// The most customers that one request lets something go of: each takes a few syncs.
const LET_GO_MAX: usize = 256;

/// Customers whose keys change with one writing of the list beside the key file.
const BATCH_MAX: usize = 64;

/// `[retention]`: how long each section is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    keep: BTreeMap<Section, Period>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { keep: Section::ALL.into_iter().map(|section| (section, section.keep())).collect() }
    }
}

impl Settings {
    /// Reads `[retention]`, a period for each section of the registry.
    pub fn read(keys: &mut Keys<'_>) -> Self {
        let read =
            |section: Section| (section, keys.parsed(section.word(), str::parse).unwrap_or(section.keep()));
        Self { keep: Section::ALL.into_iter().map(read).collect() }
    }

    pub(super) fn keep(&self, section: Section) -> Period {
        self.keep.get(&section).copied().unwrap_or(Period::Always)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    /// Needed unless it is a dry run.
    #[serde(default)]
    key: Option<Uuid>,
    /// Only counts.
    #[serde(default)]
    dry_run: bool,
    /// Where the request before left off.
    #[serde(default)]
    after: Option<CustomerNumber>,
    /// Whether the views are made anew at once, not within a day.
    #[serde(default)]
    now: bool,
}

/// What is over of one customer.
#[derive(Default)]
struct Going {
    sections: BTreeSet<Section>,
    /// By their names in the vault.
    names: BTreeSet<String>,
    hints: Vec<IssueId>,
}

impl Kept for Going {
    fn stays(&self, section: &str) -> bool {
        !self.names.contains(section)
    }

    fn cut(&self, till: &mut Till) {
        if self.sections.contains(&Section::Basic) {
            till.name = None;
        }
        if self.sections.contains(&Section::Preferences) {
            till.preferences.clear();
            till.holders.clear();
        }
        if self.sections.contains(&Section::Consents) {
            till.asked.clear();
        }
        till.plans.retain(|plan, _| self.stays(&format!("{}{plan}", vault::PLANS)));
        for issue in &self.hints {
            till.hints.remove(issue);
        }
    }
}

/// What one request came to.
#[derive(Default)]
struct Counted {
    by_section: BTreeMap<Section, u64>,
    looked_at: u64,
    customers: u64,
    /// Customers whose file could not be read; the log has them.
    failed: u64,
    next: Option<CustomerNumber>,
}

impl Counted {
    fn count(&mut self, going: &Going) {
        self.customers = self.customers.saturating_add(1);
        for section in &going.sections {
            let count = self.by_section.entry(*section).or_default();
            *count = count.saturating_add(1);
        }
    }
}

impl Desk {
    /// `retention.run`. Answers when what is over is let go of the customers it came to; `next` says where to go on.
    pub(super) async fn run_retention(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Run { key, dry_run, after, now } = ask.fields()?;
        let opened = self.store()?.clone();
        opened.vault.key_file()?;
        let work =
            Work { opened: opened.clone(), settings: self.settings.retention.clone(), now: self.clock.utc() };
        if dry_run {
            let counted = waiting(move || work.count(after)).await?;
            return Ok(told(&self.settings.retention, &counted, true));
        }
        let key = key.ok_or_else(|| Refusal::field("key", "is missing: only a dry run goes without"))?;
        if self.done_before(ask, key)?.is_some() {
            return Ok(answer(&self.settings.retention, &Counted::default(), &opened.vault, true));
        }
        // A customer's key is not changed while another request destroys it.
        let _one_at_a_time = self.key_changes.lock().await;
        let counted = waiting(move || work.let_go(after)).await?;
        self.write(ask, key, |_| Ok(Outcome::default())).await?;
        let by_section: Vec<String> =
            counted.by_section.iter().map(|(section, count)| format!("{} {count}", section.word())).collect();
        tracing::info!(
            customers = counted.customers,
            by_section = by_section.join(", "),
            who = ask.who.uid,
            "retention let go"
        );
        let (log, vault) = (opened.log.clone(), Arc::clone(&opened.vault));
        if now && counted.next.is_none() {
            waiting(move || if vault.unfinished().views > 0 { Ok(vault.renew(&log)?) } else { Ok(()) })
                .await?;
        }
        Ok(answer(&self.settings.retention, &counted, &opened.vault, false))
    }
}

fn answer(settings: &Settings, counted: &Counted, vault: &Vault, repeated: bool) -> Value {
    let mut told = told(settings, counted, false);
    if let Some(fields) = told.as_object_mut() {
        fields.insert("pending".to_owned(), json!(super::erase::pending(vault)));
        fields.insert("repeated".to_owned(), json!(repeated));
    }
    told
}

fn told(settings: &Settings, counted: &Counted, dry_run: bool) -> Value {
    let row = |section: Section| {
        json!({
            "section": section.word(),
            "keep": settings.keep(section).to_string(),
            "customers": counted.by_section.get(&section).copied().unwrap_or(0),
        })
    };
    json!({
        "dry_run": dry_run,
        "rows": Section::ALL.into_iter().map(row).collect::<Vec<_>>(),
        "customers": counted.customers,
        "looked_at": counted.looked_at,
        "failed": counted.failed,
        "next": counted.next,
    })
}

/// One request's work, on a thread that may wait.
struct Work {
    opened: Opened,
    settings: Settings,
    now: Timestamp,
}

impl Work {
    fn count(&self, after: Option<CustomerNumber>) -> Result<Counted, Refusal> {
        let mut counted = Counted::default();
        self.each(after, &mut counted, |customer, counted| {
            let going = self.going(&self.opened.log.views(), customer)?;
            if let Some(going) = going {
                counted.count(&going);
            }
            Ok(true)
        })?;
        Ok(counted)
    }

    fn let_go(&self, after: Option<CustomerNumber>) -> Result<Counted, Refusal> {
        let mut counted = Counted::default();
        let mut due = Vec::new();
        self.each(after, &mut counted, |customer, _| {
            if self.going(&self.opened.log.views(), customer)?.is_some() {
                due.push(customer.customer);
            }
            Ok(due.len() < LET_GO_MAX)
        })?;
        for batch in due.chunks(BATCH_MAX) {
            self.batch(batch, &mut counted)?;
        }
        Ok(counted)
    }

    /// Goes through the customers until there are none, there were enough, or `visit` has enough.
    fn each(
        &self,
        after: Option<CustomerNumber>,
        counted: &mut Counted,
        mut visit: impl FnMut(&Customer, &mut Counted) -> Result<bool, Refusal>,
    ) -> Result<(), Refusal> {
        let views = self.opened.log.views();
        let customers = store::customers_after(&views, after, LOOKED_AT_MAX)?;
        let all = customers.len() < LOOKED_AT_MAX;
        for customer in &customers {
            counted.looked_at = counted.looked_at.saturating_add(1);
            counted.next = Some(customer.customer);
            match visit(customer, counted) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                // One damaged file does not keep all others for ever.
                Err(refusal) if refusal.code == RefusalCode::Internal => {
                    tracing::error!(customer = %customer.customer, "retention passes over a customer whose file cannot be read");
                    counted.failed = counted.failed.saturating_add(1);
                }
                Err(refusal) => return Err(refusal),
            }
        }
        if all {
            counted.next = None;
        }
        Ok(())
    }

    /// New keys for some customers, and the end of those they had.
    fn batch(&self, batch: &[CustomerNumber], counted: &mut Counted) -> Result<(), Refusal> {
        let Opened { log, vault } = &self.opened;
        let keys = vault.key_file()?;
        let views = log.views();
        let mut intended = Vec::new();
        for customer in batch {
            intended.push((*customer, vault.key_place(&views, *customer)?));
        }
        vault.intend(&intended, self.now.0)?;
        let mut pending = Vec::new();
        for (customer, place) in &intended {
            let (customer, place) = (*customer, *place);
            let new = keys.allocate().map_err(VaultError::Key)?;
            let (nonce, vault) = (random()?, Arc::clone(vault));
            let (settings, now) = (self.settings.clone(), self.now);
            let decide = move |tx: &mut crate::log::Tx<'_>| {
                let kept = store::customer_alone(tx, customer)?;
                let kept = kept.ok_or_else(super::person::no_such_customer)?;
                let going = going(tx, &vault, &settings, now, &kept)?;
                // Somebody may have come to the till since it was looked at.
                let Some(going) = going.filter(|_| vault.key_place(tx, customer).ok() == Some(place)) else {
                    return Err(Refusal::new(RefusalCode::Conflict, "nothing is over any more"));
                };
                vault.let_go(tx, customer, new, nonce, &going)?;
                Ok::<Going, Refusal>(going)
            };
            pending.push((customer, place, log.submit(decide)?));
        }
        let (mut done, mut not_done): (Vec<(CustomerNumber, KeyRef)>, Vec<KeyRef>) = Default::default();
        for (customer, place, pending) in pending {
            match pending.wait().map_err(Refusal::from) {
                Ok(committed) => {
                    counted.count(&committed.value);
                    done.push((customer, place));
                }
                Err(refusal) => {
                    not_done.push(place);
                    if refusal.code != RefusalCode::Conflict {
                        counted.failed = counted.failed.saturating_add(1);
                    }
                }
            }
        }
        Ok(vault.retire(&done, &not_done, self.now.0)?)
    }

    fn going(&self, views: &impl Read, customer: &Customer) -> Result<Option<Going>, Refusal> {
        going(views, &self.opened.vault, &self.settings, self.now, customer)
    }
}

/// What is over of a customer now, if anything is.
fn going(
    views: &impl Read,
    vault: &Vault,
    settings: &Settings,
    now: Timestamp,
    customer: &Customer,
) -> Result<Option<Going>, Refusal> {
    let over = |section: Section, since: Timestamp| {
        settings.keep(section).over_up_to(now).is_some_and(|over| since <= over)
    };
    let (last, issue_open) = (customer.last_contact(), !customer.issues_open.is_empty());
    let mut going = Going::default();
    let names = vault.sections_of(views, customer.customer)?;
    for name in &names {
        let of_form = Section::OF_FORM.into_iter().find(|section| vault::section_of(*section) == Some(name));
        let section = match of_form {
            Some(Section::Basic) if issue_open => None,
            Some(section) => over(section, last).then_some(section),
            None if name.starts_with(vault::CONSENTS) => {
                over(Section::Consents, last).then_some(Section::Consents)
            }
            None => dated(name).filter(|(section, made)| over(*section, *made)).map(|(section, _)| section),
        };
        if let Some(section) = section {
            going.sections.insert(section);
            going.names.insert(name.clone());
        }
    }
    let old_hints = customer.issues_open.iter().filter(|issue| over(Section::Hints, issue.moved_at));
    let old_hints: Vec<IssueId> = old_hints.map(|issue| issue.issue).collect();
    let preferences = over(Section::Preferences, last);
    // What the till is shown has to be opened to see whether there is any of it.
    if preferences || !old_hints.is_empty() {
        let till = match vault.key_of(views, customer.customer) {
            Ok(Some(data_key)) => vault.till(views, &data_key)?,
            Ok(None) | Err(VaultError::Erased) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if preferences && !(till.preferences.is_empty() && till.holders.is_empty()) {
            going.sections.insert(Section::Preferences);
        }
        going.hints = old_hints.into_iter().filter(|issue| till.hints.contains_key(issue)).collect();
        if !going.hints.is_empty() {
            going.sections.insert(Section::Hints);
        }
    }
    Ok(Some(going).filter(|going| !going.sections.is_empty()))
}

/// The section of a note, a contact, a plan or an answer, and when it was made: its id begins with it.
pub(super) fn dated(name: &str) -> Option<(Section, Timestamp)> {
    let kinds = [
        (vault::NOTES, Section::Notes),
        (vault::CONTACTS, Section::Contacts),
        (vault::PLANS, Section::Plans),
        (vault::SURVEYS, Section::Surveys),
    ];
    let of = |(prefix, section): (&str, Section)| name.strip_prefix(prefix).map(|id| (section, id));
    let (section, id) = kinds.into_iter().find_map(of)?;
    Some((section, vault::made_at(Uuid::parse_str(id).ok()?)?))
}
