//! Reads the events of a purchase without what the views do not take of them.
//!
//! serde reads an event of an enum with a tag by keeping all of it aside first, whatever it is. Of the three events that come with
//! every purchase only the fields below are looked at; the lines of a receipt are passed over. A text that is none of the three,
//! or is written another way, is read as any other event is. Whoever decides a purchase has the events at hand, and need not read them.

use super::sales::Recorded;
use super::{keep_request, open_visit};
use crate::domain::event::StoreEvent;
use crate::domain::id::{CustomerNumber, RegisterName, SaleId, VisitId};
use crate::domain::money::Currency;
use crate::domain::purchase::Sale as Kept;
use crate::domain::time::{Day, Timestamp};
use crate::log::{FoldError, Meta, ReadWrite};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

pub(super) enum Quick {
    Request(Request),
    Visit(Visit),
    Sale(Sale),
}

#[derive(Deserialize)]
pub(super) struct Request {
    key: Uuid,
}

#[derive(Deserialize)]
pub(super) struct Visit {
    visit: VisitId,
    customer: CustomerNumber,
    register: RegisterName,
    #[serde(default)]
    repeat_of: Option<VisitId>,
}

#[derive(Deserialize)]
pub(super) struct Sale {
    sale: SaleId,
    #[serde(default)]
    customer: Option<CustomerNumber>,
    sold_at: Timestamp,
    receipt: Receipt,
}

#[derive(Deserialize)]
struct Receipt {
    register: RegisterName,
    number: String,
    day: Day,
    currency: Currency,
    total: i64,
}

/// What is taken of an event, if it is one of the three.
pub(super) fn of(event: &StoreEvent) -> Option<Quick> {
    if let StoreEvent::RequestDone(request) = event {
        return Some(Quick::Request(Request { key: request.key }));
    }
    if let StoreEvent::VisitOpened { visit, customer, register, repeat_of, .. } = event {
        let (visit, customer, register) = (*visit, *customer, register.clone());
        return Some(Quick::Visit(Visit { visit, customer, register, repeat_of: *repeat_of }));
    }
    let StoreEvent::SaleRecorded(kept) = event else { return None };
    let kept_receipt = &kept.receipt;
    let receipt = Receipt {
        register: kept_receipt.register.clone(),
        number: kept_receipt.number.clone(),
        day: kept_receipt.day,
        currency: kept_receipt.currency,
        total: kept_receipt.total,
    };
    let Kept { sale, customer, sold_at, .. } = **kept;
    Some(Quick::Sale(Sale { sale, customer, sold_at, receipt }))
}

/// The event, if it is one of the three.
pub(super) fn read(event: &[u8]) -> Option<Quick> {
    // As `store::emit` writes it: the tag first.
    let rest = event.strip_prefix(b"{\"event\":\"")?;
    if rest.starts_with(b"sale_recorded\"") {
        parsed(event).map(Quick::Sale)
    } else if rest.starts_with(b"request_done\"") {
        parsed(event).map(Quick::Request)
    } else if rest.starts_with(b"visit_opened\"") {
        parsed(event).map(Quick::Visit)
    } else {
        None
    }
}

fn parsed<T: DeserializeOwned>(event: &[u8]) -> Option<T> {
    // What is wrong with it, the whole reading says.
    serde_json::from_slice(event).ok()
}

impl Quick {
    pub(super) fn apply(&self, meta: &Meta, views: &mut dyn ReadWrite) -> Result<(), FoldError> {
        match self {
            Self::Request(request) => keep_request(meta, views, request.key),
            Self::Visit(Visit { visit, customer, register, repeat_of }) => {
                open_visit(meta, views, (*visit, *customer, register), *repeat_of)
            }
            Self::Sale(Sale { sale, customer, sold_at, receipt }) => {
                let Receipt { register, number, day, currency, total } = receipt;
                let (sale, customer, sold_at) = (*sale, *customer, *sold_at);
                let (day, currency, total) = (*day, *currency, *total);
                let recorded = Recorded { sale, customer, sold_at, register, number, day, currency, total };
                recorded.apply(meta, views)
            }
        }
    }
}
