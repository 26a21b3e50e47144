//! Cards that were shown although they are not honoured: noted when it happens, asked for afterwards.

use super::Desk;
use super::request::Ask;
use crate::domain::card::CardAlert;
use crate::domain::event::StoreEvent;
use crate::domain::id::{CardId, CustomerNumber};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::log::{Pending, Tx};
use crate::store::{self, ALERTS_KEPT_US, CardAlertKept};
use serde::Deserialize;
use serde_json::{Value, json};

/// Rows of one answer of `card.alerts`, and how many of the newest are gone through for one customer or card.
const LIST_MAX: usize = 100;
const SEARCHED_MAX: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    customer: Option<CustomerNumber>,
    #[serde(default)]
    card: Option<CardId>,
    /// Only those before this moment: `next` of the answer before.
    #[serde(default)]
    before: Option<jiff::Timestamp>,
}

impl Desk {
    /// Queues for the journal that a card was shown that is not honoured. Its register has been told; nobody waits.
    ///
    /// # Errors
    /// When the store takes no writes: it happened all the same, and is only not kept.
    pub fn record_alert(&self, alert: CardAlert) -> Result<Pending<(), Refusal>, Refusal> {
        let waiting = self.journal.queued();
        let record = move |tx: &mut Tx<'_>| {
            drop(waiting);
            store::emit(tx, &StoreEvent::BlockedCardShown(alert)).map_err(Refusal::from)
        };
        Ok(self.store()?.log.submit(record)?)
    }

    /// What is asked about cards.
    pub(super) fn cards(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        match ask.method {
            "card.alerts" => self.card_alerts(ask),
            _ => self.list_cards(ask),
        }
    }

    /// `card.alerts`: which cards were shown although they are not honoured, the latest first.
    fn card_alerts(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let List { customer, card, before } = ask.fields()?;
        let views = self.store()?.log.views();
        let numbers = customer.map(|customer| store::numbers_of(&views, customer)).transpose()?;
        let before = before.map(|before| Timestamp(before.as_microsecond()));
        let wanted = |kept: &CardAlertKept| {
            numbers.as_ref().is_none_or(|numbers| numbers.contains(&kept.alert.customer))
                && card.is_none_or(|card| kept.alert.card == card)
        };
        let all = customer.is_none() && card.is_none();
        let limit = if all { LIST_MAX.saturating_add(1) } else { SEARCHED_MAX };
        let mut found = store::card_alerts(&views, before, limit)?;
        // Where the search ended, and not what there is.
        let searched = found.last().map(|last| last.at).filter(|_| found.len() >= SEARCHED_MAX);
        let oldest = self.clock.utc().0.saturating_sub(ALERTS_KEPT_US);
        found.retain(|kept| kept.at.0 >= oldest && wanted(kept));
        let more = found.len() > LIST_MAX;
        found.truncate(LIST_MAX);
        let next = found.last().map(|last| last.at).filter(|_| more).or(searched).map(Timestamp::rfc3339);
        Ok(json!({ "alerts": found.iter().map(row).collect::<Vec<_>>(), "next": next }))
    }
}

fn row(CardAlertKept { at, alert }: &CardAlertKept) -> Value {
    let CardAlert { customer, card, status, reason, register, reader } = alert;
    json!({
        "at": at.rfc3339(), "customer": customer, "card": card, "status": status, "reason": reason,
        "register": register, "reader": reader,
    })
}
