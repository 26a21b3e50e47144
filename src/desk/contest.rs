//! Contests: customers enter, by a sale if the contest wants one; after its last day it is drawn once, by a seed that is told, so that
//! anybody can draw again.
//!
//! All of it is neutral: numbers and words of the config.

mod draw;

use self::draw::{Chosen, can_win, draw_among};
use super::person::no_such_customer;
use super::request::Ask;
use super::sale::no_such_sale;
use super::{Desk, Opened, random, waiting};
use crate::domain::contest::{Contest, Drawn, ENTRIES_EACH_MAX, Entry, WINNERS_MAX};
use crate::domain::event::{Outcome, StoreEvent};
use crate::domain::id::{CustomerNumber, SaleId};
use crate::domain::money::{Currency, MINOR_MAX, Money};
use crate::domain::purchase::check_word;
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::settings::Keys;
use crate::domain::time::Timestamp;
use crate::log::Tx;
use crate::store;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

/// The most contests.
const CONTESTS_MAX: usize = 16;

/// Entries that are read, or told, at once: half of what an answer may have.
const ENTRIES_AT_ONCE: usize = 500;
/// Entries of a customer in one contest, those that cannot win any more among them.
const ENTRIES_KEPT_MAX: usize = ENTRIES_AT_ONCE;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct All {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enter {
    key: Uuid,
    customer: CustomerNumber,
    contest: String,
    #[serde(default)]
    sale: Option<SaleId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entries {
    contest: String,
    #[serde(default)]
    customer: Option<CustomerNumber>,
    #[serde(default)]
    after: Option<Uuid>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DrawOnce {
    key: Uuid,
    contest: String,
}

/// Reads every `[[contest]]`.
pub fn read(keys: &mut Keys<'_>) -> Vec<Contest> {
    keys.distinct("contest", CONTESTS_MAX, "name", |contest: &Contest| contest.name.clone(), read_contest)
}

fn read_contest(keys: &mut Keys<'_>) -> Option<Contest> {
    let word = |text: &str| check_word("", text).map(|()| text.to_owned()).map_err(|(_, problem)| problem);
    let name = keys.parsed("name", word);
    let name = keys.required("name", name);
    let from = keys.parsed("from", str::parse);
    let from = keys.required("from", from);
    let to = keys.parsed("to", str::parse);
    let to = keys.required("to", to);
    let each = keys.number("entries_each", 1..=ENTRIES_EACH_MAX, "entries");
    let least = keys.number("per_sale", 1..=MINOR_MAX.unsigned_abs(), "minor units");
    let currency = keys.parsed("currency", str::parse::<Currency>);
    let winners = keys.number("winners", 1..=WINNERS_MAX, "winners");
    if least.is_some() != currency.is_some() {
        keys.refuse("currency", "goes with `per_sale`, and `per_sale` with it");
    }
    let (name, from, to) = (name?, from?, to?);
    if to < from {
        keys.refuse("to", "must not be before `from`");
    }
    let count = |number: Option<u64>| number.and_then(|number| usize::try_from(number).ok()).unwrap_or(1);
    let least = least.and_then(|least| i64::try_from(least).ok());
    let per_sale = least.zip(currency).map(|(minor, currency)| Money { minor, currency });
    Some(Contest { name, from, to, entries_each: count(each), per_sale, winners: count(winners) })
}

impl Desk {
    /// The requests `contest.…`.
    pub(super) async fn contest(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        match ask.method {
            "contest.list" => self.list_contests(ask),
            "contest.enter" => self.enter_contest(ask).await,
            "contest.entries" => self.list_entries(ask).await,
            _ => self.draw_contest(ask).await,
        }
    }

    /// `contest.list`: those of the config, and what was drawn.
    fn list_contests(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let All {} = ask.fields()?;
        let (views, now) = (self.store()?.log.views(), self.clock.utc());
        let mut rows = Vec::new();
        for contest in &self.settings.contests {
            rows.push(json!({
                "contest": contest.name, "from": contest.from, "to": contest.to,
                "runs": contest.from.has_begun(now) && !contest.to.is_over(now),
                "entries_each": contest.entries_each, "winners": contest.winners,
                "per_sale": contest.per_sale.map(|least| super::sale::money(least.currency, least.minor)),
                "drawn": store::drawn(&views, &contest.name)?.as_ref().map(drawn_row),
            }));
        }
        Ok(json!({ "contests": rows }))
    }

    /// `contest.enter`.
    async fn enter_contest(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Enter { key, customer, contest, sale } = ask.fields()?;
        let contest = self.contest_named(&contest)?.clone();
        let (entry, by, now) = (self.new_id()?, ask.who.uid, self.clock.utc());
        let vault = Arc::clone(&self.store()?.vault);
        if !contest.from.has_begun(now) || contest.to.is_over(now) {
            let message = "this contest does not take entries now; `contest.list` has its days";
            return Err(conflict("contest", message));
        }
        if contest.per_sale.is_some() != sale.is_some() {
            let message = match sale {
                Some(_) => "this contest takes no sale; leave it out",
                None => "name the sale that the entry goes with",
            };
            return Err(Refusal::field("sale", message));
        }
        let done = self
            .write(ask, key, move |tx| {
                let mut own = Vec::new();
                store::customer(tx, customer)?.ok_or_else(no_such_customer)?;
                let numbers = store::numbers_of(tx, customer)?;
                for number in &numbers {
                    own.extend(store::entries_of(tx, *number, &contest.name, ENTRIES_AT_ONCE)?);
                }
                if own.len() >= ENTRIES_KEPT_MAX {
                    let message =
                        format!("{ENTRIES_KEPT_MAX} entries of this customer are kept, and no more");
                    return Err(conflict("contest", message));
                }
                // Entries that cannot win take nobody's place. Whether one can is in the journal: it is read only where it matters.
                let mut standing = own.len();
                for entry in &own {
                    if standing < contest.entries_each {
                        break;
                    }
                    let gone = can_win(tx, &vault, entry)?.is_none();
                    standing = standing.saturating_sub(usize::from(gone));
                }
                if standing >= contest.entries_each {
                    let message =
                        format!("the customer has entered as often as one can: {}", contest.entries_each);
                    return Err(conflict("contest", message));
                }
                if let (Some(sale), Some(least)) = (sale, contest.per_sale) {
                    fits(tx, sale, (&contest, least), &numbers)?;
                    if own.iter().any(|entry| entry.sale == Some(sale)) {
                        return Err(conflict("sale", "the customer has entered with this sale already"));
                    }
                }
                let at = Timestamp(tx.meta().at_us);
                let kept = Entry { entry, contest: contest.name, customer, sale, at, by };
                store::emit(tx, &StoreEvent::ContestEntered(Box::new(kept)))?;
                Ok(Outcome { customer: Some(customer), record: Some(entry), ..Outcome::default() })
            })
            .await?;
        Ok(json!({ "entry": done.outcome.record, "repeated": done.repeated }))
    }

    /// `contest.entries`: a customer's, or a contest's page by page.
    async fn list_entries(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let entries: Entries = ask.fields()?;
        let opened = self.store()?.clone();
        let named = self.contest_named(&entries.contest).ok();
        let each = named.map_or(usize::MAX, |contest| contest.entries_each);
        // Whether one can win is in the journal.
        waiting(move || entries_shown(&opened, entries, each)).await
    }

    /// `contest.draw`: once, after the last day.
    async fn draw_contest(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let DrawOnce { key, contest } = ask.fields()?;
        let named = self.contest_named(&contest)?.clone();
        let opened = self.store()?.clone();
        let (mut repeated, name) = (true, contest.clone());
        if self.done_before(ask, key)?.is_none() {
            if !named.to.is_over(self.clock.utc()) {
                return Err(conflict(
                    "contest",
                    "it is drawn after its last day, when nobody can enter any more",
                ));
            }
            let (seed, by) = (random()?, ask.who.uid);
            let _one_at_a_time = self.one_history()?;
            // Nobody enters any more. What is merged, voided or erased while it is drawn counts as it is found, as it would a moment before or
            // after.
            let mut drawn = waiting(move || draw_among(&opened, &named, seed)).await?;
            drawn.by = by;
            let done = self
                .write(ask, key, move |tx| {
                    if store::drawn(tx, &contest)?.is_some() {
                        return Err(conflict(
                            "contest",
                            "it was drawn before; `contest.list` has the winners",
                        ));
                    }
                    drawn.at = Timestamp(tx.meta().at_us);
                    store::emit(tx, &StoreEvent::ContestDrawn(Box::new(drawn)))?;
                    Ok(Outcome::default())
                })
                .await?;
            repeated = done.repeated;
        }
        let drawn = store::drawn(&self.store()?.log.views(), &name)?;
        let drawn = drawn.ok_or_else(|| Refusal::new(RefusalCode::Internal, "a draw is not in the store"))?;
        Ok(json!({ "contest": name, "drawn": drawn_row(&drawn), "repeated": repeated }))
    }

    fn contest_named(&self, name: &str) -> Result<&Contest, Refusal> {
        let found = self.settings.contests.iter().find(|contest| contest.name == name);
        found.ok_or_else(|| Refusal::field("contest", "no contest has this name; `contest.list` shows them"))
    }
}

fn drawn_row(drawn: &Drawn) -> Value {
    let seed: String = drawn.seed.iter().map(|byte| format!("{byte:02x}")).collect();
    let winner = |(entry, customer): &(Uuid, CustomerNumber)| json!({ "entry": entry, "customer": customer });
    json!({
        "at": drawn.at.rfc3339(), "by": drawn.by, "seed": seed, "entries": drawn.entries,
        "not_eligible": drawn.not_eligible, "winners": drawn.winners.iter().map(winner).collect::<Vec<_>>(),
    })
}

fn conflict(field: &str, message: impl Into<String>) -> Refusal {
    Refusal { field: Some(field.to_owned()), ..Refusal::new(RefusalCode::Conflict, message) }
}

/// Whether an entry can go with a sale.
fn fits(
    tx: &Tx<'_>,
    sale: SaleId,
    (contest, least): (&Contest, Money),
    numbers: &[CustomerNumber],
) -> Result<(), Refusal> {
    let kept = store::sale(tx, sale)?.ok_or_else(no_such_sale)?;
    let problem = if !kept.customer.is_some_and(|of| numbers.contains(&of)) {
        "is not this customer's"
    } else if store::returned(tx, sale)?.voided {
        "was voided"
    } else if kept.receipt.day < contest.from || kept.receipt.day > contest.to {
        "is not of the days of this contest"
    } else if kept.receipt.currency != least.currency || kept.receipt.total < least.minor {
        "comes to less than this contest asks for"
    } else {
        return Ok(());
    };
    Err(Refusal::field("sale", problem))
}

/// The rows of `contest.entries`, each with whether it can win. Waits for disks.
fn entries_shown(opened: &Opened, entries: Entries, each: usize) -> Result<Value, Refusal> {
    let Entries { contest, customer, after } = entries;
    let (views, vault) = (opened.log.views(), &opened.vault);
    let mut chosen = Chosen::new(&views, vault, each);
    let mut row = |entry: &Entry| {
        let customer = store::survivor(&views, entry.customer)?;
        let eligible = chosen.winner(entry)?.is_some();
        Ok(json!({
            "entry": entry.entry, "customer": customer, "sale": entry.sale, "at": entry.at.rfc3339(),
            "by": entry.by, "eligible": eligible,
        }))
    };
    let mut rows = |found: &[Entry]| found.iter().map(&mut row).collect::<Result<Vec<Value>, Refusal>>();
    let Some(customer) = customer else {
        let found = store::entries(&views, &contest, after, ENTRIES_AT_ONCE)?;
        let next = found.last().filter(|_| found.len() >= ENTRIES_AT_ONCE).map(|last| last.entry);
        return Ok(json!({ "entries": rows(&found)?, "next": next }));
    };
    store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
    let mut found = Vec::new();
    for number in store::numbers_of(&views, customer)? {
        found.extend(store::entries_of(&views, number, &contest, ENTRIES_AT_ONCE)?);
    }
    Ok(json!({ "entries": rows(&found)?, "next": null }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::read_text;

    #[test]
    fn contests_are_read_and_every_mistake_names_its_key() {
        let good = "[[contest]]\nname = 'autumn'\nfrom = '2026-09-01'\nto = '2026-09-30'\nper_sale = 5000\ncurrency = 'EUR'\nwinners = 3\n";
        let (contests, mistakes) = read_text(good, read).unwrap();
        assert_eq!(mistakes, []);
        assert_eq!((contests[0].entries_each, contests[0].winners), (1, 3));
        assert_eq!(contests[0].per_sale.map(|least| least.minor), Some(5000));
        let (_, mistakes) = read_text(
            "[[contest]]\nname = 'a b'\nfrom = '2026-09-02'\n[[contest]]\nname = 'x'\nfrom = '2026-09-02'\nto = '2026-09-01'\n\
             per_sale = 0\nwinners = 1000\n[[contest]]\nname = 'y'\nfrom = '2026-09-02'\nto = '2026-09-03'\ncurrency = 'EUR'\n",
            read,
        )
        .unwrap();
        let keys: Vec<String> = mistakes
            .iter()
            .filter_map(|mistake| mistake.to_string().split(": ").next().map(str::to_owned))
            .collect();
        let wanted = [
            "contest[0].name",
            "contest[0].to",
            "contest[1].per_sale",
            "contest[1].winners",
            "contest[1].to",
            "contest[2].currency",
        ];
        assert_eq!(keys, wanted, "{mistakes:#?}");
    }
}
