//! Sales in the views: whose they are and which receipts there are. The lines stay in the journal.

use super::{change_customer, put, unfit};
use crate::domain::event::StoreEvent;
use crate::domain::id::{CustomerNumber, SaleId};
use crate::domain::money::Currency;
use crate::domain::purchase::Sale;
use crate::domain::time::Timestamp;
use crate::log::{FoldError, Meta, ReadWrite};
use crate::store::sale::{RECEIPTS, SALE_OWNERS, SALES_OF, owner_key, receipt_key, sale_of};

pub(super) fn apply(meta: &Meta, event: StoreEvent, views: &mut dyn ReadWrite) -> Result<(), FoldError> {
    if let StoreEvent::SaleRecorded(sale) = event {
        return record(meta, &sale, views);
    }
    if let StoreEvent::SaleAttached { sale, customer, from, last_left, sold_at, currency, total } = event {
        if let Some(from) = from {
            views.remove(SALES_OF, &sale_of(from, sale));
            change_customer(views, from, |kept| {
                kept.bought = kept.bought.without(currency, total, last_left);
                Ok(())
            })?;
        }
        put(views, SALE_OWNERS, &owner_key(sale), &customer)?;
        return count(views, customer, (sale, sold_at), (currency, total));
    }
    Ok(())
}

fn record(meta: &Meta, sale: &Sale, views: &mut dyn ReadWrite) -> Result<(), FoldError> {
    if sale.sale.seq() != meta.seq {
        return Err(unfit("a sale's id names another transaction than its own"));
    }
    let receipt = &sale.receipt;
    put(views, RECEIPTS, &receipt_key(&receipt.register, receipt.day, &receipt.number), &meta.seq)?;
    let Some(customer) = sale.customer else { return Ok(()) };
    count(views, customer, (sale.sale, sale.sold_at), (receipt.currency, receipt.total))
}

/// Counts a sale to a customer's.
fn count(
    views: &mut dyn ReadWrite,
    customer: CustomerNumber,
    (sale, sold_at): (SaleId, Timestamp),
    (currency, total): (Currency, i64),
) -> Result<(), FoldError> {
    views.put(SALES_OF, &sale_of(customer, sale), &[]);
    change_customer(views, customer, |kept| {
        let bought = kept.bought.with(sale, sold_at, currency, total);
        kept.bought = bought.ok_or_else(|| unfit("a sale does not fit into its customer's sums"))?;
        Ok(())
    })
}
