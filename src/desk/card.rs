//! Cards: issue, block, replace, list.

use super::compose::tills;
use super::issue::{change_till, check_text};
use super::person::no_such_customer;
use super::request::{Ask, Done};
use super::{Desk, Opened, random};
use crate::decode::classify::{GSRN_PROGRAMME, Rules};
use crate::decode::gs1;
use crate::domain::card::{Card, CardKind, CardReason, CardStatus};
use crate::domain::code::{Alias, CardKey};
use crate::domain::customer::{CARDS_MAX, Customer};
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::id::{CardId, CustomerNumber, JobId, PrinterName};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::scan::ReadingKind;
use crate::domain::time::{Day, Timestamp};
use crate::log::Tx;
use crate::store;
use crate::vault::{Till, Vault, VaultError};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

/// The longest name of a card's holder, in characters.
pub(super) const HOLDER_CHARS_MAX: usize = 40;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssueCard {
    key: Uuid,
    customer: CustomerNumber,
    #[serde(default)]
    alias: Option<AliasFields>,
    #[serde(default)]
    holder: Option<String>,
    #[serde(default)]
    valid_until: Option<Day>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AliasFields {
    programme: String,
    code: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    key: Uuid,
    customer: CustomerNumber,
    card: CardId,
    #[serde(default)]
    reason: Option<CardReason>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unblock {
    key: Uuid,
    customer: CustomerNumber,
    card: CardId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetValidity {
    key: Uuid,
    customer: CustomerNumber,
    card: CardId,
    /// Absent: for good.
    #[serde(default)]
    valid_until: Option<Day>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetHolder {
    key: Uuid,
    customer: CustomerNumber,
    card: CardId,
    /// Absent: the customer's own.
    #[serde(default)]
    holder: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListCards {
    customer: CustomerNumber,
}

/// A card about to be issued, decided on the committer's thread.
pub(super) struct NewCard {
    pub(super) customer: CustomerNumber,
    pub(super) card: CardId,
    pub(super) kind: CardKind,
    pub(super) replaces: Option<(CardId, CardReason)>,
    pub(super) job: Option<JobId>,
    /// Who of the household holds it; that of the replaced one, if none is named.
    pub(super) holder: Option<String>,
    pub(super) valid_until: Option<Day>,
}

impl Desk {
    /// `card.issue`: a card made elsewhere. A code of ours is in this answer and nowhere after; an imported code stays the customer's.
    pub(super) async fn issue_card(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let IssueCard { key, customer, alias, holder, valid_until } = ask.fields()?;
        check_text("holder", holder.as_deref(), HOLDER_CHARS_MAX)?;
        let valid_until = self.valid_until(valid_until)?;
        let card = CardId(Uuid::new_v4());
        let new = |kind| NewCard { customer, card, kind, replaces: None, job: None, holder, valid_until };
        if let Some(alias) = alias {
            let alias = alias.checked(&self.settings.rules)?;
            let new = new(CardKind::Alias);
            let done = self.write_card(ask, key, new, Code::Alias(alias), None).await?;
            return Ok(json!({ "card": done.outcome.card, "repeated": done.repeated }));
        }
        let secret = CardKey(random()?);
        let done = self.write_card(ask, key, new(CardKind::Plastic), Code::Ours(secret), None).await?;
        if done.repeated {
            let note = "the code was given in the first answer only; `card.replace` makes a new one";
            return Ok(json!({ "card": done.outcome.card, "repeated": true, "note": note }));
        }
        let letters = secret.letters(self.settings.rules.programme);
        let digits = secret.digits();
        Ok(json!({
            "card": done.outcome.card, "repeated": false,
            "letters": letters.reveal(), "digits": digits.reveal(),
        }))
    }

    /// Until when a new card is honoured: as asked for, or as the config has it for all.
    pub(super) fn valid_until(&self, asked: Option<Day>) -> Result<Option<Day>, Refusal> {
        let now = self.clock.utc();
        not_over(asked, now)?;
        let months = self.settings.card_months;
        let usual = || Day::of(now, &self.settings.points.time_zone)?.after_months(months?);
        Ok(asked.or_else(usual))
    }

    /// Issues a card, whichever way it is made.
    pub(super) async fn write_card(
        &self,
        ask: &Ask<'_>,
        key: Uuid,
        new: NewCard,
        code: Code,
        printer: Option<PrinterName>,
    ) -> Result<Done, Refusal> {
        let vault = self.store()?.vault.clone();
        let nonce = random()?;
        self.write(ask, key, move |tx| decide(tx, &vault, &new, &code, printer, nonce)).await
    }

    /// Has a card that was just shown hashed with the newest keys, if those were changed since it was last. Nobody waits
    /// for it: the old hash leads to it as well.
    pub fn rehash(&self, shown: &ReadingKind) {
        let Some(Opened { log, vault }) = self.opened() else { return };
        if !vault.keyring().has_older() || vault.is_locked() {
            return;
        }
        // Where the card itself leads: its customer may have been merged into another.
        let (link, hash) = match shown {
            ReadingKind::Card(key) => (vault.link(&log.views(), key), vault.keyring().card_hash(key)),
            ReadingKind::Alias(alias) => {
                (vault.alias_link(&log.views(), alias), vault.keyring().alias_hash(alias))
            }
            ReadingKind::Damaged { .. } | ReadingKind::Other => return,
        };
        let (Ok(Some(link)), Ok(nonce), vault) = (link, random(), Arc::clone(vault)) else { return };
        let queued = log.submit(move |tx| vault.rehash_card(tx, link, hash, nonce));
        if let Err(error) = queued {
            tracing::debug!(%error, "a card keeps its older hash for now");
        }
    }

    /// `card.block`.
    pub(super) async fn block_card(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Block { key, customer, card, reason } = ask.fields()?;
        // A card ends by its own day, which nobody has to say.
        let Some(reason) = reason.filter(|reason| *reason != CardReason::Expired) else {
            let message = "say why: `LOST`, `STOLEN`, `DAMAGED`, `REQUESTED`, `MISUSE` or `NOT_PRINTED`";
            return Err(Refusal::field("reason", message));
        };
        let (from, to) = (CardStatus::Active, CardStatus::Blocked);
        self.set_card_status(ask, key, (customer, card), (from, to, Some(reason))).await
    }

    /// `card.unblock`: the card was found again.
    pub(super) async fn unblock_card(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Unblock { key, customer, card } = ask.fields()?;
        let (from, to) = (CardStatus::Blocked, CardStatus::Active);
        self.set_card_status(ask, key, (customer, card), (from, to, None)).await
    }

    async fn set_card_status(
        &self,
        ask: &Ask<'_>,
        key: Uuid,
        (customer, card): (CustomerNumber, CardId),
        (from, status, reason): (CardStatus, CardStatus, Option<CardReason>),
    ) -> Result<Value, Refusal> {
        let done = self
            .write(ask, key, move |tx| {
                let kept = store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
                let now = kept.card(card).ok_or_else(no_such_card)?.status;
                if now != from {
                    let message = format!("the card is {}, not {}", now.word(), from.word());
                    return Err(Refusal::conflict("card", message));
                }
                store::emit(tx, &StoreEvent::CardStatusSet { customer, card, status, reason })?;
                Ok(Outcome { customer: Some(customer), card: Some(card), ..Outcome::default() })
            })
            .await?;
        Ok(json!({ "card": card, "status": status.word(), "repeated": done.repeated }))
    }

    /// `card.validity`: until when a card is honoured.
    pub(super) async fn set_validity(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let SetValidity { key, customer, card, valid_until } = ask.fields()?;
        not_over(valid_until, self.clock.utc())?;
        let done = self
            .write(ask, key, move |tx| {
                let kept = store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
                not_replaced(kept.card(card).ok_or_else(no_such_card)?)?;
                store::emit(tx, &StoreEvent::CardValiditySet { customer, card, valid_until })?;
                Ok(Outcome { customer: Some(customer), card: Some(card), ..Outcome::default() })
            })
            .await?;
        Ok(json!({ "card": card, "valid_until": valid_until, "repeated": done.repeated }))
    }

    /// `card.holder`: who of the household holds a card.
    pub(super) async fn set_holder(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let SetHolder { key, customer, card, holder } = ask.fields()?;
        check_text("holder", holder.as_deref(), HOLDER_CHARS_MAX)?;
        let vault = Arc::clone(&self.store()?.vault);
        let done = self
            .write(ask, key, move |tx| {
                let kept = store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
                not_replaced(kept.card(card).ok_or_else(no_such_card)?)?;
                hold(tx, &vault, &kept, (card, holder))?;
                Ok(Outcome { customer: Some(customer), card: Some(card), ..Outcome::default() })
            })
            .await?;
        Ok(json!({ "card": card, "repeated": done.repeated }))
    }

    /// `card.list`.
    pub(super) fn list_cards(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let ListCards { customer } = ask.fields()?;
        let Opened { log, vault } = self.store()?;
        let views = log.views();
        let kept = store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
        // A locked vault hides the names, not the cards.
        let till = match tills(&views, vault, &kept) {
            Err(VaultError::Locked) => None,
            till => till?,
        };
        Ok(json!({ "cards": card_rows(&kept, till.as_ref(), self.clock.utc()) }))
    }
}

/// What a new card is found by.
#[derive(Debug, Clone)]
pub(super) enum Code {
    Ours(CardKey),
    Alias(Alias),
}

/// The alias of an imported card by its programme's name.
pub(super) fn alias(programme: String, code: String, rules: &Rules) -> Result<Alias, Refusal> {
    AliasFields { programme, code }.checked(rules)
}

impl AliasFields {
    /// The alias as a scan of the card would give it; a code that no scan could give is refused.
    fn checked(self, rules: &Rules) -> Result<Alias, Refusal> {
        let Self { programme, code } = self;
        let bytes = code.as_bytes();
        if programme == GSRN_PROGRAMME {
            let fits = code.len() == 18 && gs1::check_digit_ok(bytes);
            let wrong = || Refusal::field("alias.code", "a GSRN has 18 digits, the last a check digit");
            return fits.then_some(Alias { programme, code }).ok_or_else(wrong);
        }
        let Some(rule) = rules.aliases.iter().find(|rule| rule.name == programme) else {
            let message = "must be the name of an `[[alias]]` in the config, or `gsrn`";
            return Err(Refusal::field("alias.programme", message));
        };
        if !rule.takes("unknown", bytes) {
            return Err(Refusal::field(
                "alias.code",
                "is no code of this programme, by its rule in the config",
            ));
        }
        Ok(Alias { programme, code })
    }
}

fn decide(
    tx: &mut Tx<'_>,
    vault: &Arc<Vault>,
    new: &NewCard,
    code: &Code,
    printer: Option<PrinterName>,
    nonce: [u8; 24],
) -> Result<Outcome, Refusal> {
    let NewCard { customer, card, kind, replaces, job, ref holder, valid_until } = *new;
    let kept = store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
    if let Some((old, _)) = replaces {
        not_replaced(kept.card(old).ok_or_else(no_such_card)?)?;
    }
    if !kept.has_room_for_card(Timestamp(tx.meta().at_us)) {
        let message = format!("the customer has {CARDS_MAX} cards; block one that is not used any more");
        return Err(Refusal::conflict("customer", message));
    }
    let (taken, hash) = match code {
        Code::Ours(secret) => (vault.link(tx, secret)?, vault.keyring().card_hash(secret)),
        Code::Alias(alias) => (vault.alias_link(tx, alias)?, vault.keyring().alias_hash(alias)),
    };
    if taken.is_some() {
        return Err(Refusal::conflict("alias.code", "this code leads to a customer already"));
    }
    let data_key = vault.key_of(tx, customer)?.ok_or_else(no_such_customer)?;
    vault.link_card(tx, &data_key, card, hash, nonce)?;
    let (replaces, reason) = replaces.unzip();
    let holder = match (holder, replaces) {
        (None, Some(old)) => tills(tx, vault, &kept)?.and_then(|mut till| till.holders.remove(&old)),
        (named, _) => named.clone(),
    };
    if holder.is_some() {
        hold(tx, vault, &kept, (card, holder))?;
    }
    store::emit(tx, &StoreEvent::CardIssued { customer, card, kind, replaces, reason, valid_until })?;
    if let (Some(job), Some(printer)) = (job, printer) {
        store::emit(tx, &StoreEvent::JobQueued { job, customer, card, printer })?;
    }
    Ok(Outcome { customer: Some(customer), card: Some(card), job, ..Outcome::default() })
}

/// Writes down who holds a card, in the section that a till is shown; of cards that are kept no more, nobody does.
fn hold(
    tx: &mut Tx<'_>,
    vault: &Vault,
    kept: &Customer,
    (card, holder): (CardId, Option<String>),
) -> Result<(), Refusal> {
    for number in &kept.members {
        let Some(key) = vault.key_of(tx, *number)? else { continue };
        if vault.till(tx, &key)?.holders.contains_key(&card) {
            change_till(tx, vault, *number, random()?, |till| drop(till.holders.remove(&card)))?;
        }
    }
    change_till(tx, vault, kept.customer, random()?, |till| {
        till.holders.retain(|held, _| *held != card && kept.card(*held).is_some());
        till.holders.extend(holder.map(|holder| (card, holder)));
    })
}

fn not_over(valid_until: Option<Day>, now: Timestamp) -> Result<(), Refusal> {
    if valid_until.is_some_and(|day| day.is_over(now)) {
        let message = "must not be over; `card.block` stops a card at once";
        return Err(Refusal::field("valid_until", message));
    }
    Ok(())
}

fn not_replaced(card: &Card) -> Result<(), Refusal> {
    if card.status == CardStatus::Replaced {
        let message = "the card was replaced before; name the newer one";
        return Err(Refusal::conflict("card", message));
    }
    Ok(())
}

/// Every card kept with a customer, as rows of an answer; the holders as far as what the till is shown could be read.
pub(super) fn card_rows(customer: &Customer, till: Option<&Till>, now: Timestamp) -> Vec<Value> {
    let row = |card: &Card| {
        let (status, reason) = card.standing(now);
        json!({
            "card": card.card, "kind": card.kind, "status": status, "reason": reason,
            "holder": till.and_then(|till| till.holders.get(&card.card)),
            "issued_at": card.issued_at.rfc3339(), "valid_until": card.valid_until, "replaced_by": card.replaced_by,
        })
    };
    customer.cards.iter().map(row).collect()
}

pub(super) fn no_such_card() -> Refusal {
    Refusal::new(RefusalCode::NotFound, "the customer has no such card; `card.list` shows those there are")
}
