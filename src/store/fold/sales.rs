//! Sales in the views: whose they are and which receipts there are. The lines stay in the journal.

use super::{change_customer, put, unfit};
use crate::domain::event::StoreEvent;
use crate::domain::id::{CustomerNumber, RegisterName, SaleId};
use crate::domain::money::Currency;
use crate::domain::months::Month;
use crate::domain::purchase::{Receipt, Return, Returned, Sale, TenderKind, paid_as};
use crate::domain::time::{Day, Timestamp};
use crate::log::{FoldError, Meta, ReadWrite};
use crate::store::sale::{
    RECEIPTS, SALE_OWNERS, SALES_OF, keep_returned, owner_key, receipt_key, returned, sale_of,
};
use crate::store::{credit, months, sale_owner};
use jiff::tz::TimeZone;

pub(super) fn apply(meta: &Meta, event: StoreEvent, views: &mut dyn ReadWrite) -> Result<(), FoldError> {
    if let StoreEvent::SaleRecorded(sale) = event {
        let Sale { sale, customer, sold_at, receipt, .. } = *sale;
        let Receipt { register, number, day, currency, total, .. } = receipt;
        let (register, number) = (&register, number.as_str());
        let recorded = Recorded { sale, customer, sold_at, register, number, day, currency, total };
        return recorded.apply(meta, views);
    }
    if let StoreEvent::SaleAttached { sale, customer, from, last_left, sold_at, day, currency, total } = event
    {
        if let Some(from) = from {
            let from = sale_owner(views, from, sale)?;
            months::uncount(views, (from, sale), (currency, total))?;
            views.remove(SALES_OF, &sale_of(from, sale));
            change_customer(views, from, |kept| {
                kept.bought = kept.bought.without(currency, total, last_left);
                Ok(())
            })?;
        }
        put(views, SALE_OWNERS, &owner_key(sale), &customer)?;
        credit::move_to(views, sale, customer)?;
        let month = day.map_or_else(|| Month::at(sold_at, &TimeZone::UTC), Month::of);
        return count(views, customer, (sale, sold_at), (currency, total), month);
    }
    if let StoreEvent::SaleReturned(back) = event {
        return take_back(meta, &back, views);
    }
    if let StoreEvent::SaleVoided { sale, customer, last_left, currency, total } = event {
        let kept = returned(views, sale)?;
        keep_returned(views, sale, &Returned { voided: true, ..kept })?;
        credit::forget(views, sale)?;
        let Some(customer) = customer else { return Ok(()) };
        let customer = sale_owner(views, customer, sale)?;
        months::uncount(views, (customer, sale), (currency, total))?;
        views.remove(SALES_OF, &sale_of(customer, sale));
        return change_customer(views, customer, |kept| {
            kept.bought = kept.bought.without(currency, total, last_left);
            Ok(())
        });
    }
    Ok(())
}

fn take_back(meta: &Meta, back: &Return, views: &mut dyn ReadWrite) -> Result<(), FoldError> {
    put(views, RECEIPTS, &receipt_key(&back.register, back.day, &back.number), &meta.seq)?;
    let kept = returned(views, back.of)?.after(back);
    keep_returned(views, back.of, &kept)?;
    credit::less(views, back.of, paid_as(&back.tenders, TenderKind::Account))?;
    let Some(customer) = back.customer else { return Ok(()) };
    let customer = sale_owner(views, customer, back.of)?;
    months::uncount(views, (customer, back.of), (back.currency, back.total))?;
    change_customer(views, customer, |kept| {
        kept.bought = kept.bought.less(back.currency, back.total);
        Ok(())
    })
}

/// What the views take of a receipt.
pub(super) struct Recorded<'r> {
    pub(super) sale: SaleId,
    pub(super) customer: Option<CustomerNumber>,
    pub(super) sold_at: Timestamp,
    pub(super) register: &'r RegisterName,
    pub(super) number: &'r str,
    pub(super) day: Day,
    pub(super) currency: Currency,
    pub(super) total: i64,
}

impl Recorded<'_> {
    pub(super) fn apply(&self, meta: &Meta, views: &mut dyn ReadWrite) -> Result<(), FoldError> {
        if self.sale.seq() != meta.seq {
            return Err(unfit("a sale's id names another transaction than its own"));
        }
        put(views, RECEIPTS, &receipt_key(self.register, self.day, self.number), &meta.seq)?;
        let Some(customer) = self.customer else { return Ok(()) };
        let month = Month::of(self.day);
        count(views, customer, (self.sale, self.sold_at), (self.currency, self.total), month)
    }
}

/// Counts a sale to a customer's.
fn count(
    views: &mut dyn ReadWrite,
    customer: CustomerNumber,
    (sale, sold_at): (SaleId, Timestamp),
    (currency, total): (Currency, i64),
    month: Month,
) -> Result<(), FoldError> {
    put(views, SALES_OF, &sale_of(customer, sale), &month)?;
    months::count(views, customer, month, (currency, total))?;
    change_customer(views, customer, |kept| {
        let bought = kept.bought.with(sale, sold_at, currency, total);
        kept.bought = bought.ok_or_else(|| unfit("a sale does not fit into its customer's sums"))?;
        Ok(())
    })
}
