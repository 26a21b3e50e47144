//! Which entries a draw is made among.

use super::{ENTRIES_AT_ONCE, conflict};
use crate::desk::Opened;
use crate::domain::contest::{Contest, Drawn, ENTRIES_MAX, Entry, draw};
use crate::domain::id::CustomerNumber;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::log::Recall;
use crate::store;
use crate::vault::Vault;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Who wins with an entry, by the number that stands for them now; nobody if they were erased, or its sale was voided or is somebody
/// else's now.
pub(super) fn can_win(
    views: &(impl Recall + ?Sized),
    vault: &Vault,
    entry: &Entry,
) -> Result<Option<CustomerNumber>, Refusal> {
    if vault.is_erased(views, entry.customer)? {
        return Ok(None);
    }
    let Some(customer) = store::customer_of(views, entry.customer)? else { return Ok(None) };
    if let Some(sale) = entry.sale {
        let numbers = store::numbers_of(views, customer.customer)?;
        let owner = store::sale(views, sale)?.and_then(|sale| sale.customer);
        let theirs = owner.is_some_and(|owner| numbers.contains(&owner));
        if !theirs || store::returned(views, sale)?.voided {
            return Ok(None);
        }
    }
    Ok(Some(customer.customer))
}

/// The entries of a contest that are drawn among, reckoned once for each customer who entered: of those that can win, the first `each`
/// by their ids, and one for each sale. Where one could not win for a while, another may have taken its place; and two who were merged
/// may both have had theirs, and both by one sale.
pub(super) struct Chosen<'a, V: ?Sized> {
    views: &'a V,
    vault: &'a Vault,
    each: usize,
    of: BTreeMap<CustomerNumber, BTreeSet<Uuid>>,
}

impl<'a, V: Recall + ?Sized> Chosen<'a, V> {
    pub(super) fn new(views: &'a V, vault: &'a Vault, each: usize) -> Self {
        Self { views, vault, each, of: BTreeMap::new() }
    }

    /// As [`can_win`], for an entry that is chosen.
    pub(super) fn winner(&mut self, entry: &Entry) -> Result<Option<CustomerNumber>, Refusal> {
        let Some(customer) = can_win(self.views, self.vault, entry)? else { return Ok(None) };
        let chosen = match self.of.remove(&customer) {
            Some(chosen) => chosen,
            None => self.reckon(customer, &entry.contest)?,
        };
        let is_chosen = chosen.contains(&entry.entry);
        self.of.insert(customer, chosen);
        Ok(is_chosen.then_some(customer))
    }

    fn reckon(&self, customer: CustomerNumber, contest: &str) -> Result<BTreeSet<Uuid>, Refusal> {
        let mut own = Vec::new();
        for number in store::numbers_of(self.views, customer)? {
            own.extend(store::entries_of(self.views, number, contest, ENTRIES_AT_ONCE)?);
        }
        own.sort_unstable_by_key(|entry| entry.entry);
        let (mut chosen, mut sales) = (BTreeSet::new(), BTreeSet::new());
        for entry in own {
            if chosen.len() >= self.each {
                break;
            }
            let can_win = can_win(self.views, self.vault, &entry)?.is_some();
            if can_win && entry.sale.is_none_or(|sale| sales.insert(sale)) {
                chosen.insert(entry.entry);
            }
        }
        Ok(chosen)
    }
}

/// Draws among all who entered and can win: who was merged stands for whom they were merged into.
pub(super) fn draw_among(opened: &Opened, named: &Contest, seed: [u8; 32]) -> Result<Drawn, Refusal> {
    let views = opened.log.views();
    let mut chosen = Chosen::new(&views, &opened.vault, named.entries_each);
    let (mut eligible, mut entries, mut after) = (Vec::new(), 0_usize, None);
    loop {
        let page = store::entries(&views, &named.name, after, ENTRIES_AT_ONCE)?;
        for entry in &page {
            after = Some(entry.entry);
            entries = entries.saturating_add(1);
            let customer = chosen.winner(entry)?;
            eligible.extend(customer.map(|customer| (entry.entry, customer)));
        }
        if page.len() < ENTRIES_AT_ONCE {
            break;
        }
        if entries > ENTRIES_MAX {
            let message = format!("more than {ENTRIES_MAX} entries cannot be drawn among");
            return Err(conflict("contest", message));
        }
    }
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let winners = draw(&seed, &eligible, named.winners);
    let not_eligible = count(entries.saturating_sub(eligible.len()));
    let (at, by) = (Timestamp(0), 0);
    Ok(Drawn { contest: named.name.clone(), seed, entries: count(entries), not_eligible, winners, at, by })
}
