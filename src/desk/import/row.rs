//! One row of an import: checked before it costs a key, then decided on the committer's thread.

use crate::decode::classify::{Rules, classify};
use crate::desk::card::{Code, alias};
use crate::desk::person::{NOTHING, Sealable, Sealed, sealable};
use crate::desk::points::move_points;
use crate::desk::request::{Wish, canonical, fields};
use crate::desk::{Opened, random};
use crate::domain::card::CardKind;
use crate::domain::contact::CallingCode;
use crate::domain::customer::CARDS_MAX;
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::id::{CardId, CustomerNumber};
use crate::domain::operator::By;
use crate::domain::person::Person;
use crate::domain::points::{LOTS_MAX, POINTS_MAX, PointsKind};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::scan::{Origin, RawScan, ReadingKind};
use crate::domain::time::{Day, Timestamp};
use crate::log::{Read, Tx};
use crate::store;
use crate::vault::keyring::Hash16;
use crate::vault::keys::{Dek, KeyRef};
use crate::vault::twins::reached_by;
use crate::vault::{TILL, Till, Vault};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::value::to_raw_value;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;
use zeroize::Zeroizing;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(rename = "line")]
    _line: u64,
    #[serde(default)]
    person: Option<Map<String, Value>>,
    #[serde(default)]
    cards: Vec<CardGiven>,
    #[serde(default)]
    points: Vec<Lot>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CardGiven {
    code: String,
    /// The name of an `[[alias]]`, or `gsrn`; absent: told by the code, as a scan's is.
    #[serde(default)]
    programme: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lot {
    points: i64,
    /// The last day on which they can be spent; absent: as points that are earned today.
    #[serde(default)]
    expires_on: Option<Day>,
}

/// What rows are checked with. Holds no row.
pub(super) struct Checker {
    pub(super) opened: Opened,
    pub(super) rules: Rules,
    pub(super) calling_code: Option<CallingCode>,
    /// Where a day ends.
    pub(super) zone: TimeZone,
    /// When points that are earned today expire.
    pub(super) expires_at: Option<Timestamp>,
    pub(super) now: Timestamp,
    pub(super) import: Uuid,
    pub(super) method: String,
    pub(super) skip_known: bool,
    pub(super) compare: bool,
}

/// A person and their demographic section, to be compared with those who are here.
pub(super) type Compared = (Person, Map<String, Value>);

/// What a row came to.
pub(super) enum Checked {
    /// It was imported already, as this customer.
    Before(Option<CustomerNumber>),
    /// Its person is known, and such rows are left out.
    Skipped,
    /// It can be written.
    Ready(Box<Ready>),
}

/// A row that can be written. No `Debug`.
pub(super) struct Ready {
    pub(super) line: u64,
    pub(super) known: bool,
    pub(super) opted_out: bool,
    /// Whom to look for, if that is asked and somebody is named.
    pub(super) compared: Option<Compared>,
    key: Uuid,
    body: Vec<u8>,
    sections: Vec<Sealed>,
    cards: Vec<NewCard>,
    lots: Vec<(i64, Option<Timestamp>)>,
}

struct NewCard {
    card: CardId,
    code: Code,
    nonce: [u8; 24],
}

impl Checker {
    /// Checks a row against itself and against what is kept.
    pub(super) fn check(&self, line: u64, row: Value) -> Result<Checked, Refusal> {
        let key = row_key(self.import, line);
        let body = canonical(&self.method, &row);
        match self.opened.done_before(key, &body) {
            Ok(Some(outcome)) => return Ok(Checked::Before(outcome.customer)),
            Ok(None) => {}
            Err(refusal) if refusal.code == RefusalCode::Conflict => {
                let message = "was imported before, with other values: change the customer instead";
                return Err(Refusal::new(RefusalCode::Conflict, message));
            }
            Err(refusal) => return Err(refusal),
        }
        let text = to_raw_value(&row).map_err(|_| Refusal::field("", "is no row"))?;
        let Row { person, cards, points, .. } = fields(Some(&text))?;
        let person = person.filter(|person| !person.is_empty());
        if person.is_none() && cards.is_empty() {
            return Err(Refusal::field(
                "person",
                "is missing, and there is no card either: nobody could be found",
            ));
        }
        let cards = self.cards(cards)?;
        let lots = self.lots(&points)?;
        let Some(person) = person else {
            let (known, opted_out, compared, sections) = (false, false, None, Vec::new());
            let ready = Ready { line, known, opted_out, compared, key, body, sections, cards, lots };
            return Ok(Checked::Ready(Box::new(ready)));
        };
        let Sealable { sections, name, person, demographic } =
            sealable(&person, self.calling_code, Day::of(self.now, &self.zone))?;
        let known = self.is_known(&person)?;
        if known && self.skip_known {
            return Ok(Checked::Skipped);
        }
        let opted_out = self.opened.vault.opted_out(&person);
        let mut sections: Vec<Sealed> =
            sections.into_iter().filter(|section| !section.plaintext.is_empty()).collect();
        let till = serde_json::to_vec(&Till { name, ..Till::default() });
        let till = till.map_err(|_| Refusal::new(RefusalCode::Internal, "a text cannot be written"))?;
        sections.push(Sealed { name: TILL, plaintext: Zeroizing::new(till), nonce: random()? });
        let compared = self.compare.then_some((person, demographic));
        let ready = Ready { line, known, opted_out, compared, key, body, sections, cards, lots };
        Ok(Checked::Ready(Box::new(ready)))
    }

    fn is_known(&self, person: &Person) -> Result<bool, Refusal> {
        let views = self.opened.log.views();
        for term in reached_by(person) {
            if !self.opened.vault.find(&views, &[vec![term]])?.0.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn cards(&self, given: Vec<CardGiven>) -> Result<Vec<NewCard>, Refusal> {
        if given.len() > CARDS_MAX {
            return Err(Refusal::field("cards", format!("are too many: a customer has at most {CARDS_MAX}")));
        }
        let (mut cards, mut codes) = (Vec::new(), BTreeSet::new());
        for (index, CardGiven { code, programme }) in given.into_iter().enumerate() {
            let at = format!("cards[{index}].code");
            let code = self.code(&at, code.trim().to_owned(), programme)?;
            let views = self.opened.log.views();
            let is_new = codes.insert(hash(&self.opened.vault, &code).0);
            if !is_new || is_taken(&views, &self.opened.vault, &code)? {
                return Err(taken(at));
            }
            cards.push(NewCard { card: CardId(Uuid::new_v4()), code, nonce: random()? });
        }
        Ok(cards)
    }

    /// What a card's code is, as a scan of it would tell.
    fn code(&self, at: &str, code: String, programme: Option<String>) -> Result<Code, Refusal> {
        if let Some(programme) = programme {
            let alias = alias(programme, code, &self.rules);
            return alias.map(Code::Alias).map_err(|refusal| {
                let programme = refusal.field.as_deref() == Some("alias.programme");
                let field = if programme { at.replace(".code", ".programme") } else { at.to_owned() };
                Refusal { field: Some(field), ..refusal }
            });
        }
        let scan = RawScan { data: code.into_bytes(), origin: Origin::Undeclared };
        let Ok(reading) = classify(&scan, &self.rules) else {
            return Err(Refusal::field(at, "looks like a payment card number; those are never kept"));
        };
        match reading.kind {
            ReadingKind::Card(key) => Ok(Code::Ours(key)),
            ReadingKind::Alias(alias) => Ok(Code::Alias(alias)),
            ReadingKind::Damaged { .. } => {
                Err(Refusal::field(at, "has the form of our codes, but one of its characters is wrong"))
            }
            ReadingKind::Other => Err(Refusal::field(
                at,
                "is no code of ours, and fits no `[[alias]]` of the config: put the programme there first",
            )),
        }
    }

    fn lots(&self, given: &[Lot]) -> Result<Vec<(i64, Option<Timestamp>)>, Refusal> {
        if given.len() > LOTS_MAX {
            return Err(Refusal::field("points", format!("expire on too many days: at most {LOTS_MAX}")));
        }
        let (mut lots, mut sum) = (Vec::new(), 0_i64);
        for (index, Lot { points, expires_on }) in given.iter().enumerate() {
            sum = sum.saturating_add(*points);
            if *points < 0 || sum > POINTS_MAX {
                let message =
                    format!("must be 0 to {POINTS_MAX} points; a debt is put in by `points.adjust`");
                return Err(Refusal::field(format!("points[{index}].points"), message));
            }
            let expires_at = match expires_on {
                Some(day) => day.ends_at(&self.zone),
                None => self.expires_at,
            };
            if expires_at.is_some_and(|at| at <= self.now) {
                let message = "is over: points that have expired are left out";
                return Err(Refusal::field(format!("points[{index}].expires_on"), message));
            }
            // A balance of nothing is what an account begins with.
            if *points > 0 {
                lots.push((*points, expires_at));
            }
        }
        Ok(lots)
    }
}

impl Ready {
    /// What makes this row one write.
    pub(super) fn wish(&mut self, by: By) -> Wish {
        Wish { key: self.key, body: std::mem::take(&mut self.body), by }
    }

    /// The decision by which it is written, whole or not at all.
    pub(super) fn decision(
        self,
        opened: &Opened,
        data_key: (KeyRef, Dek),
        now: Timestamp,
    ) -> impl FnOnce(&mut Tx<'_>) -> Result<Outcome, Refusal> + Send + 'static {
        let vault = Arc::clone(&opened.vault);
        move |tx| {
            // Another row may have had one of the cards a moment ago.
            for (index, NewCard { code, .. }) in self.cards.iter().enumerate() {
                if is_taken(tx, &vault, code)? {
                    return Err(taken(format!("cards[{index}].code")));
                }
            }
            let customer = CustomerNumber(Uuid::new_v4());
            let data_key = vault.assign_key(tx, customer, data_key)?;
            for Sealed { name, plaintext, nonce } in &self.sections {
                if plaintext.as_slice() != NOTHING {
                    vault.write_section(tx, &data_key, name, plaintext, *nonce)?;
                }
            }
            store::emit(tx, &StoreEvent::CustomerEnrolled { customer })?;
            for NewCard { card, code, nonce } in &self.cards {
                vault.link_card(tx, &data_key, *card, hash(&vault, code), *nonce)?;
                let kind = match code {
                    Code::Ours(_) => CardKind::Plastic,
                    Code::Alias(_) => CardKind::Alias,
                };
                let (card, replaces, reason, valid_until) = (*card, None, None, None);
                let issued = StoreEvent::CardIssued { customer, card, kind, replaces, reason, valid_until };
                store::emit(tx, &issued)?;
            }
            for (points, expires_at) in self.lots {
                move_points(tx, customer, now, |account| {
                    account.earn(PointsKind::Import, points, expires_at)
                })?;
            }
            Ok(Outcome { customer: Some(customer), ..Outcome::default() })
        }
    }
}

fn is_taken(views: &(impl Read + ?Sized), vault: &Vault, code: &Code) -> Result<bool, Refusal> {
    Ok(match code {
        Code::Ours(secret) => vault.link(views, secret)?,
        Code::Alias(alias) => vault.alias_link(views, alias)?,
    }
    .is_some())
}

fn hash(vault: &Vault, code: &Code) -> Hash16 {
    match code {
        Code::Ours(secret) => vault.keyring().card_hash(secret),
        Code::Alias(alias) => vault.keyring().alias_hash(alias),
    }
}

fn taken(field: String) -> Refusal {
    let message = "leads to a customer already, or stands there twice";
    Refusal { field: Some(field), ..Refusal::new(RefusalCode::Conflict, message) }
}

/// The idempotency key of a row: of the import's name and the line alone, for a hash of what stands in the row would lead
/// from the person to the customer number for ever. A UUID of version 8 (RFC 9562 section 5.8).
fn row_key(import: Uuid, line: u64) -> Uuid {
    let digest = Sha256::new()
        .chain_update(b"ficha import row 1")
        .chain_update(import.as_bytes())
        .chain_update(line.to_be_bytes())
        .finalize();
    let mut bytes = [0; 16];
    for (slot, byte) in bytes.iter_mut().zip(digest.iter()) {
        *slot = *byte;
    }
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
