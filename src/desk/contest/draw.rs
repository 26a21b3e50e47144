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

/// As [`can_win`], for the first `each` of a customer that can: an entry that could not for a while may have left its place to another,
/// and two who were merged may have had theirs each.
pub(super) fn is_drawn_among(
    views: &(impl Recall + ?Sized),
    vault: &Vault,
    (entry, each): (&Entry, usize),
) -> Result<Option<CustomerNumber>, Refusal> {
    let Some(customer) = can_win(views, vault, entry)? else { return Ok(None) };
    let mut own = Vec::new();
    for number in store::numbers_of(views, customer)? {
        own.extend(store::entries_of(views, number, &entry.contest, ENTRIES_AT_ONCE)?);
    }
    let mut before = 0_usize;
    // Ids are in the order in which they were given.
    for earlier in own.iter().filter(|other| other.entry < entry.entry) {
        before = before.saturating_add(usize::from(can_win(views, vault, earlier)?.is_some()));
    }
    Ok((before < each).then_some(customer))
}

/// Draws among all who entered and can win: who was merged stands for whom they were merged into.
pub(super) fn draw_among(opened: &Opened, named: &Contest, seed: [u8; 32]) -> Result<Drawn, Refusal> {
    let views = opened.log.views();
    let (mut eligible, mut entries, mut after) = (Vec::new(), 0_usize, None);
    loop {
        let page = store::entries(&views, &named.name, after, ENTRIES_AT_ONCE)?;
        for entry in &page {
            after = Some(entry.entry);
            entries = entries.saturating_add(1);
            let customer = is_drawn_among(&views, &opened.vault, (entry, named.entries_each))?;
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
