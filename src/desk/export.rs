//! What is told to whoever has a right to it: everything that is held of one customer (GDPR articles 15 and 20), and the list of
//! all customers for a manager who moves out.
//!
//! Which parts there are is [`held`](super::held)'s to say; sealed sections are told by whatever names they have, so that a new
//! one comes along by itself. The code of a card is held nowhere and so not told. The log has who asked and how much, no name.

use super::held::{Erased, PLACES, Part, Told};
use super::person::{keys_of, no_such_customer, whole_person};
use super::request::Ask;
use super::retention::{self, dated};
use super::{Desk, Opened, issue, random, waiting};
use crate::domain::customer::Customer;
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::id::CustomerNumber;
use crate::domain::months::{Month, Months};
use crate::domain::person::fields::{self, Basis, FIELDS, Field, Section};
use crate::domain::purchase::Turnover;
use crate::domain::refusal::Refusal;
use crate::domain::time::{Day, Timestamp};
use crate::log::{Half, Views};
use crate::store;
use crate::vault::{self, TILL, Vault, VaultError};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use uuid::Uuid;

/// The most customers of one page, and the bytes of JSON after which no more are added to an answer.
const PAGE_MAX: usize = 500;
const ANSWER_BYTES: usize = 128 * 1024;

/// Issues, sales and lines of a ledger that are gone through: more than anybody has in a lifetime.
const ROWS_MAX: usize = 100_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Export {
    customer: CustomerNumber,
    part: Part,
    /// How many entries of the part are passed over: those of the answers before.
    #[serde(default)]
    after: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    after: Option<CustomerNumber>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    key: Uuid,
    customer: CustomerNumber,
    objects: bool,
}

impl Desk {
    /// `customer.export`: one part of everything that is held of a customer.
    pub(super) async fn export(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Export { customer, part, after } = ask.fields()?;
        let opened = self.store()?.clone();
        let kept = store::customer(&opened.log.views(), customer)?.ok_or_else(no_such_customer)?;
        opened.vault.key_file()?;
        let _one_at_a_time = if part == Part::Events { Some(self.one_history()?) } else { None };
        tracing::info!(%customer, who = ask.who.uid, ?part, "what is held of a customer was exported");
        let work = Work { opened, kept, now: self.clock.utc(), settings: self.settings.retention.clone() };
        waiting(move || {
            let mut bytes = 0_usize;
            let mut entries = Vec::new();
            let mut rest = work.entries(part)?.into_iter().skip(after).peekable();
            while let Some(entry) = rest.next_if(|_| bytes < ANSWER_BYTES) {
                bytes = bytes.saturating_add(entry.to_string().len());
                entries.push(entry);
            }
            let next = rest.peek().map(|_| after.saturating_add(entries.len()));
            Ok(json!({ "customer": customer, "part": part, "parts": Part::ALL, "entries": entries, "next": next }))
        })
        .await
    }

    /// `customer.list`: a page of all customers with their persons and points, in the order of their numbers.
    pub(super) async fn list_customers(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let List { after } = ask.fields()?;
        let opened = self.store()?.clone();
        opened.vault.key_file()?;
        let (now, zone, who) = (self.clock.utc(), self.settings.points.time_zone.clone(), ask.who.uid);
        waiting(move || {
            let views = opened.log.views();
            let page = store::customers_after(&views, after, PAGE_MAX)?;
            let (mut rows, mut bytes, mut last) = (Vec::new(), 0_usize, None);
            let full = page.len() >= PAGE_MAX;
            let mut page = page.iter().peekable();
            while let Some(customer) = page.next_if(|_| bytes < ANSWER_BYTES) {
                last = Some(customer.customer);
                if let Some(row) = listed(&opened.vault, &views, customer, now, &zone)? {
                    bytes = bytes.saturating_add(row.to_string().len());
                    rows.push(row);
                }
            }
            let next = last.filter(|_| full || page.peek().is_some());
            tracing::info!(count = rows.len(), who, "customers were listed");
            Ok(json!({ "rows": rows, "next": next }))
        })
        .await
    }

    /// `customer.object`: the customer does not want to be profiled (GDPR article 21), or no longer minds. What was said under a number
    /// that was merged holds for the customer until it is taken back there: another's word does not end it.
    pub(super) async fn object(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Object { key, customer, objects } = ask.fields()?;
        let (vault, nonce) = (Arc::clone(&self.store()?.vault), random()?);
        let done = self
            .write(ask, key, move |tx| {
                store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
                issue::change_till(tx, &vault, customer, nonce, |till| till.objects = objects)?;
                Ok(Outcome { customer: Some(customer), ..Outcome::default() })
            })
            .await?;
        let Opened { log, vault } = self.store()?;
        let views = log.views();
        let mut under = Vec::new();
        for key in keys_of(&views, vault, customer)? {
            under.extend(vault.till(&views, &key)?.objects.then_some(key.customer()));
        }
        Ok(json!({
            "customer": customer, "objects": !under.is_empty(), "objects_under": under, "repeated": done.repeated,
        }))
    }
}

/// A row of the list; `None` for whoever was erased.
fn listed(
    vault: &Vault,
    views: &Views,
    customer: &Customer,
    now: Timestamp,
    zone: &TimeZone,
) -> Result<Option<Value>, Refusal> {
    let person = match vault.key_of(views, customer.customer) {
        Ok(Some(data_key)) => whole_person(vault, views, &data_key)?,
        Ok(None) => None,
        Err(VaultError::Erased) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let lots = store::points(views, customer.customer)?.lots(now);
    let day = |at: Timestamp| Day::last_before(at, zone).map(String::from);
    let lots =
        lots.iter().map(|lot| json!({ "points": lot.points, "expires_on": lot.expires_at.and_then(day) }));
    Ok(Some(json!({
        "customer": customer.customer, "enrolled_at": customer.enrolled_at.rfc3339(), "person": person,
        "points": lots.collect::<Vec<_>>(), "cards": super::card::card_rows(customer, None, now),
    })))
}

/// One customer's export, on a thread that may wait.
struct Work {
    opened: Opened,
    kept: Customer,
    now: Timestamp,
    settings: retention::Settings,
}

impl Work {
    fn entries(&self, part: Part) -> Result<Vec<Value>, Refusal> {
        let views = self.opened.log.views();
        let customer = self.kept.customer;
        match part {
            Part::About => Ok(self.about()),
            Part::File => self.file(&views),
            Part::Sections => self.sections(&views),
            Part::Issues => {
                Ok(store::issues_of(&views, customer, ROWS_MAX)?.iter().map(|row| json!(row)).collect())
            }
            Part::Points => {
                let lines = store::points_ledger(&views, customer, ROWS_MAX)?;
                let rewards = store::rewards_of(&views, customer)?;
                let rewards = rewards.iter().map(|kept| json!({ "reward": kept }));
                Ok(lines.iter().map(|line| json!(line)).chain(rewards).collect())
            }
            Part::Sales => self.sales(&views),
            Part::Events => self.events(),
        }
    }

    /// What is kept, what for, on which ground, how long: the registry of fields, then the places beside it.
    fn about(&self) -> Vec<Value> {
        let field = |field: &Field| {
            json!({
                "what": field.name, "section": field.section.word(), "purpose": field.purpose,
                "basis": basis(field.basis), "kept": self.kept(field),
            })
        };
        let place = |place: &super::held::Place| {
            let Told::In(part) = place.told else { return None };
            let kept = match place.erased {
                Erased::Gone => "until an erasure, and as long as its sections are",
                Erased::Stays(why) => why,
                Erased::Passes => "a while",
            };
            Some(json!({ "what": place.holds, "part": part, "kept": kept }))
        };
        FIELDS.iter().map(field).chain(PLACES.iter().filter_map(place)).collect()
    }

    /// How long a field is kept.
    fn kept(&self, field: &Field) -> String {
        field.stays.map_or_else(|| self.settings.keep(field.section).to_string(), str::to_owned)
    }

    fn file(&self, views: &Views) -> Result<Vec<Value>, Refusal> {
        let Customer { customer, enrolled_at, visits, last_visit, bought, .. } = &self.kept;
        let balance = store::points(views, *customer)?.balance(self.now);
        let till = super::compose::tills(views, &self.opened.vault, &self.kept)?;
        let months = store::months(views, *customer)?;
        let months: Vec<Value> = months.iter().flat_map(Months::each).map(month).collect();
        Ok(vec![json!({
            "customer": customer, "enrolled_at": enrolled_at.rfc3339(), "visits": visits,
            "last_visit_at": last_visit.map(|(_, at)| at.rfc3339()), "bought": super::sale::bought(bought),
            "cards": super::card::card_rows(&self.kept, till.as_ref(), self.now), "months": months,
            "points": { "available": balance.available, "held": balance.held, "debt": balance.debt },
        })])
    }

    fn sections(&self, views: &Views) -> Result<Vec<Value>, Refusal> {
        let Opened { vault, .. } = &self.opened;
        let mut entries = Vec::new();
        for data_key in keys_of(views, vault, self.kept.customer)? {
            for name in vault.sections_of(views, data_key.customer())? {
                let Some((_, plaintext)) = vault.section(views, &data_key, &name)? else { continue };
                entries.push(self.section(&name, &plaintext));
            }
        }
        Ok(entries)
    }

    fn section(&self, name: &str, plaintext: &[u8]) -> Value {
        if let Some(card) = name.strip_prefix("card:") {
            return json!({ "section": "card", "card": card, "holds": "a keyed hash of the card's code" });
        }
        let of_form = Section::OF_FORM.into_iter().find(|section| vault::section_of(*section) == Some(name));
        let holds: Value = serde_json::from_slice(plaintext)
            .unwrap_or_else(|_| String::from_utf8_lossy(plaintext).into_owned().into());
        if let Some((section, made_at)) = dated(name) {
            let kept = self.settings.keep(section).to_string();
            return json!({ "section": section.word(), "made_at": made_at.rfc3339(), "holds": holds, "kept": kept });
        }
        let kept = of_form.map(|section| self.settings.keep(section).to_string());
        let section = of_form.map_or_else(|| name.to_owned(), |section| section.word().to_owned());
        if name == TILL {
            let kept = json!({
                "hints": self.settings.keep(Section::Hints).to_string(),
                "preferences": self.settings.keep(Section::Preferences).to_string(),
                "objects": fields::named("objection").map(|field| self.kept(field)),
            });
            return json!({ "section": section, "holds": holds, "kept": kept });
        }
        json!({ "section": section, "holds": holds, "kept": kept })
    }

    fn sales(&self, views: &Views) -> Result<Vec<Value>, Refusal> {
        let mut entries = Vec::new();
        for sale in store::sales_of(views, self.kept.customer, ROWS_MAX)? {
            let returned = store::returned(views, sale.sale)?;
            let credit = store::credit(views, sale.sale)?;
            entries.push(json!({ "sale": sale, "returned": returned, "credit": credit }));
        }
        let lost = store::lost_of(views, self.kept.customer, ROWS_MAX)?;
        entries.extend(lost.into_iter().map(|lost| json!({ "lost": lost })));
        Ok(entries)
    }

    /// What only the journal knows: when the customer came, which cards were printed, how points were corrected, what was parked, which
    /// numbers were merged.
    fn events(&self) -> Result<Vec<Value>, Refusal> {
        let numbers = store::numbers_of(&self.opened.log.views(), self.kept.customer)?;
        let texts: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        let mut entries = Vec::new();
        let read = self.opened.log.past(Half::Neutral, &mut |meta, event| {
            if !std::str::from_utf8(event).is_ok_and(|text| texts.iter().any(|number| text.contains(number)))
            {
                return;
            }
            let told = serde_json::from_slice(event).ok().and_then(|read| told_of(read, event, &numbers));
            if let Some(mut told) = told {
                told.insert("at".to_owned(), Timestamp(meta.at_us).rfc3339().into());
                entries.push(told.into());
            }
        });
        read.map_err(VaultError::journal)?;
        Ok(entries)
    }
}

/// An event as the person whose numbers these are is told it; `None`: it is told in the other parts, or is nobody's.
fn told_of(read: StoreEvent, event: &[u8], numbers: &[CustomerNumber]) -> Option<Map<String, Value>> {
    // Who else an event names is nobody's business here: who won, whose file was read, whom another number stands for.
    let own = |number: CustomerNumber| json!(Some(number).filter(|number| numbers.contains(number)));
    let told = match read {
        StoreEvent::VisitOpened { .. }
        | StoreEvent::JobQueued { .. }
        | StoreEvent::PointsAdjustmentProposed(_)
        | StoreEvent::CardIssued { .. }
        | StoreEvent::CardStatusSet { .. }
        | StoreEvent::CardValiditySet { .. }
        | StoreEvent::SaleParked(_)
        | StoreEvent::BlockedCardShown(_)
        | StoreEvent::ContestEntered(_) => return serde_json::from_slice(event).ok(),
        StoreEvent::ContestDrawn(drawn) => json!({ "event": "contest_won", "contest": drawn.contest }),
        StoreEvent::CustomersMerged { merge, from, into, .. } => {
            json!({ "event": "customers_merged", "merge": merge, "from": own(from), "into": own(into) })
        }
        StoreEvent::CustomersUnmerged { merge, from, into } => {
            json!({ "event": "customers_unmerged", "merge": merge, "from": own(from), "into": own(into) })
        }
        StoreEvent::PersonalRead(read) => json!({
            "event": "personal_read", "method": read.method, "by": read.by, "register": read.register,
            "fields": read.fields,
        }),
        // Told in the other parts.
        StoreEvent::CustomerEnrolled { .. }
        | StoreEvent::SaleRecorded(_)
        | StoreEvent::SaleAttached { .. }
        | StoreEvent::SaleReturned(_)
        | StoreEvent::SaleVoided { .. }
        | StoreEvent::SaleLost(_)
        | StoreEvent::LostRecovered { .. }
        | StoreEvent::IssueOpened { .. }
        | StoreEvent::IssueMoved { .. }
        | StoreEvent::IssueRescheduled { .. }
        | StoreEvent::IssueAnswered { .. }
        | StoreEvent::PointsMoved { .. }
        | StoreEvent::RewardHeld(_)
        | StoreEvent::CreditGiven(_)
        | StoreEvent::CreditPaid { .. }
        // Names no customer, or says no more than what it belongs to.
        | StoreEvent::RequestDone(_)
        | StoreEvent::VisitEnded { .. }
        | StoreEvent::ParkedTakenUp { .. }
        | StoreEvent::ParkedLapsed { .. }
        | StoreEvent::PointsAdjustmentDecided { .. }
        | StoreEvent::JobMoved { .. }
        | StoreEvent::OperatorSet { .. }
        | StoreEvent::ConsentTextKept { .. }
        | StoreEvent::BreachAssessed(_) => return None,
    };
    told.as_object().cloned()
}

fn month((month, points, turnover): (Month, i64, &[Turnover])) -> Value {
    let spent = turnover.iter().map(|spent| super::sale::money(spent.currency, spent.minor));
    json!({ "month": month.to_string(), "points": points, "turnover": spent.collect::<Vec<_>>() })
}

fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Consent => "consent, GDPR article 6(1)(a)",
        Basis::Contract => "contract, GDPR article 6(1)(b)",
        Basis::Law => "law, GDPR article 6(1)(c)",
        Basis::Interest => "legitimate interest, GDPR article 6(1)(f)",
    }
}
