//! Cards: issued, blocked, replaced, honoured for longer.

use super::{change_customer, merged, unfit};
use crate::domain::card::{Card, CardStatus};
use crate::domain::event::StoreEvent;
use crate::domain::id::{CardId, CustomerNumber};
use crate::domain::time::Timestamp;
use crate::log::{FoldError, ReadWrite};

/// Changes the views by one of the events of cards; of no other.
pub(super) fn apply(at: Timestamp, event: StoreEvent, views: &mut dyn ReadWrite) -> Result<(), FoldError> {
    if let StoreEvent::CardIssued { customer, card, kind, replaces, reason, valid_until } = event {
        if let Some(old) = replaces {
            change(views, (customer, old), |old| {
                (old.status, old.reason, old.replaced_by) = (CardStatus::Replaced, reason, Some(card));
            })?;
        }
        return change_customer(views, customer, |kept| {
            let (status, reason) = (CardStatus::Active, None);
            let (issued_at, replaced_by) = (at, None);
            kept.add_card(Card { card, kind, status, reason, issued_at, replaced_by, valid_until });
            Ok(())
        });
    }
    if let StoreEvent::CardStatusSet { customer, card, status, reason } = event {
        return change(views, (customer, card), |card| (card.status, card.reason) = (status, reason));
    }
    if let StoreEvent::CardValiditySet { customer, card, valid_until } = event {
        return change(views, (customer, card), |card| card.valid_until = valid_until);
    }
    Ok(())
}

/// Changes a card where it is kept: with the customer, or with whoever was merged into them.
fn change(
    views: &mut dyn ReadWrite,
    (customer, card): (CustomerNumber, CardId),
    how: impl FnOnce(&mut Card),
) -> Result<(), FoldError> {
    let owner = merged::card_owner(views, customer, card)?;
    change_customer(views, owner, |kept| {
        let kept = kept.card_mut(card).ok_or_else(|| unfit("a card changes that is not kept"))?;
        how(kept);
        Ok(())
    })
}
