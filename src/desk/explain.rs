//! What each part of a customer's file was computed from: `file.explain`.
//!
//! The file that is pushed to a register stays small; whoever doubts it asks here. Each part is reckoned by the same functions as
//! the file itself, at one moment and from one state. Nothing is kept for it.

use super::compose::{compose, tills};
use super::file::{ConsentDue, CustomerFile, IssueLine};
use super::person::{keys_of, no_such_customer};
use super::request::Ask;
use super::sale::money;
use super::{Desk, Opened, levels, plan, worth};
use crate::domain::customer::Customer;
use crate::domain::id::{CardId, CustomerNumber};
use crate::domain::issue::Issue;
use crate::domain::level::{Ladder, Measure};
use crate::domain::months::{Month, Months};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::log::Views;
use crate::store;
use crate::vault::{CustomerKey, Till, Vault};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    customer: CustomerNumber,
}

impl Desk {
    /// `file.explain`: the file of a customer now, and for each of its parts what it follows from.
    pub(super) fn explain(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Whose { customer } = ask.fields()?;
        let Opened { log, vault } = self.store()?;
        let (views, now) = (log.views(), self.clock.utc());
        let kept = store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
        let keys = keys_of(&views, vault, customer)?;
        let till = tills(&views, vault, &kept)?.ok_or_else(no_such_customer)?;
        let file = compose(&views, vault, (&kept, None), (&self.settings, now));
        let mut plans = plan::rows(&views, vault, &keys, now)?;
        plans.retain(|row| file.plans.iter().any(|line| row["plan"] == json!(line.plan)));
        let theirs = tills_apart(&views, vault, customer)?;
        let mut preferences = Vec::new();
        for (number, _, till) in &theirs {
            for (name, stated) in &till.preferences {
                let line = format!("{name}: {}", stated.value);
                if file.preferences.contains(&line) {
                    let (source, at) = (stated.source, stated.stated_at.map(Timestamp::rfc3339));
                    preferences.push(json!({
                        "preference": line, "stated_under": number, "source": source, "stated_at": at,
                    }));
                }
            }
        }
        Ok(json!({
            "customer": customer, "at": now.rfc3339(), "numbers": store::numbers_of(&views, customer)?,
            "name": why_name(&views, vault, &theirs)?, "holders": why_holders(&theirs), "points": points(&views, customer, now)?, "level": self.why_level(&views, customer, now)?,
            "class": self.why_class(&views, customer, &till, now)?, "issues": self.why_issues(&kept, &file),
            "preferences": preferences, "plans": plans, "consents_due": self.why_due(&till, &file),
            "file": file,
        }))
    }

    /// The months that count, and the thresholds that they are held against.
    fn why_level(&self, views: &Views, customer: CustomerNumber, now: Timestamp) -> Result<Value, Refusal> {
        let settings = &self.settings.points;
        let (Some(ladder), Some(standing)) =
            (&settings.levels, levels::standing(views, (settings, now), customer)?)
        else {
            return Ok(Value::Null);
        };
        let amount = |count: i64| match ladder.measure {
            Measure::Points => json!({ "points": count }),
            Measure::Turnover(currency) => money(currency, count),
        };
        let this = Month::at(now, &settings.time_zone);
        let kept = store::months(views, customer)?;
        let counted = counted(ladder, &kept, (standing.since, this)).into_iter();
        let months =
            counted.map(|(month, count)| json!({ "month": month.to_string(), "counted": amount(count) }));
        let thresholds = ladder.levels.iter();
        let thresholds = thresholds.map(|level| json!({ "level": level.name, "from": amount(level.from) }));
        Ok(json!({
            "counted": amount(standing.counted), "since": standing.since.to_string(),
            "grace_until": standing.grace_until.map(|month| month.to_string()),
            "months": months.collect::<Vec<_>>(), "thresholds": thresholds.collect::<Vec<_>>(),
        }))
    }

    /// The reasons that add up to the customer's worth; nothing of whoever objects.
    fn why_class(
        &self,
        views: &Views,
        customer: CustomerNumber,
        till: &Till,
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        let Some(rules) = self.settings.worth.as_ref().filter(|_| !till.objects) else {
            return Ok(Value::Null);
        };
        let Some(worth) = worth::of(views, (&self.settings, now), customer)? else { return Ok(Value::Null) };
        let amount = |minor: i64| money(rules.currency, minor);
        let reasons = worth.reasons.iter().map(
            |reason| json!({ "reason": reason.what, "count": reason.count, "amount": amount(reason.minor) }),
        );
        let thresholds = rules.classes.iter();
        let thresholds = thresholds.map(|class| json!({ "class": class.name, "from": amount(class.from) }));
        Ok(json!({
            "value": amount(worth.value), "since": worth.since.to_string(),
            "reasons": reasons.collect::<Vec<_>>(), "thresholds": thresholds.collect::<Vec<_>>(),
        }))
    }

    /// From when each deadline is counted, over which calendar.
    fn why_issues(&self, customer: &Customer, file: &CustomerFile) -> Vec<Value> {
        let zone = self.settings.service.terms.calendar.zone().iana_name().unwrap_or("UTC");
        let of = |line: &IssueLine| customer.issues_open.iter().find(|issue| issue.issue == line.issue);
        let row = |issue: &Issue| {
            let next = issue.clock.next(issue.state);
            let pauses = issue.clock.pauses.iter();
            json!({
                "issue": issue.issue, "severity": issue.claim.severity, "deadline": next.map(|next| next.what),
                "counted_from": issue.clock.since.rfc3339(),
                "soon_from": next.and_then(|next| next.due).map(|due| due.soon.rfc3339()),
                "paused_at": issue.clock.paused_at.map(Timestamp::rfc3339),
                "pauses": pauses.map(|pause| json!({ "from": pause.from.rfc3339(), "to": pause.to.rfc3339() })).collect::<Vec<_>>(),
                "calendar": zone,
            })
        };
        file.issues.iter().filter_map(of).map(row).collect()
    }

    /// Why each question is asked now: there is no answer, or the answer was good until a day that is over.
    fn why_due(&self, till: &Till, file: &CustomerFile) -> Vec<Value> {
        let mut rows = Vec::new();
        for (pursued, by) in self.settings.contact.questions() {
            let is_shown = |due: &ConsentDue| {
                let channel = by.channel.map(|channel| channel.word().to_owned());
                due.purpose == pursued.purpose.as_str()
                    && channel.is_none_or(|channel| due.channels.contains(&channel))
            };
            if !file.consents_due.iter().any(is_shown) {
                continue;
            }
            let since = till.asked.get(&by.key).copied().flatten();
            let why = if since.is_some() { "ASK_AGAIN" } else { "NEVER_ANSWERED" };
            rows.push(json!({
                "purpose": pursued.purpose, "channel": by.channel, "why": why, "since": since.map(Timestamp::rfc3339),
            }));
        }
        rows
    }
}

/// The numbers of a customer with their keys and what the till is shown of each, the own one first: as [`tills`] puts them together.
fn tills_apart(
    views: &Views,
    vault: &Vault,
    customer: CustomerNumber,
) -> Result<Vec<(CustomerNumber, CustomerKey, Till)>, Refusal> {
    let mut apart = Vec::new();
    for number in store::numbers_of(views, customer)? {
        let Some(key) = vault.key_of(views, number)? else { continue };
        let till = vault.till(views, &key)?;
        apart.push((number, key, till));
    }
    Ok(apart)
}

/// Which fields the greeting was made of, and under which number they are kept. Of a greeting that an earlier version put together
/// in another way no field is named; it stays until the person is written again.
fn why_name(
    views: &Views,
    vault: &Vault,
    theirs: &[(CustomerNumber, CustomerKey, Till)],
) -> Result<Value, Refusal> {
    let Some((number, key, till)) = theirs.iter().find(|(_, _, till)| till.name.is_some()) else {
        return Ok(Value::Null);
    };
    let made = vault.person(views, key)?.map(|person| person.greeting());
    let fields = made.filter(|(said, _)| Some(said) == till.name.as_ref()).map(|(_, fields)| fields);
    Ok(json!({ "fields": fields, "kept_under": number }))
}

/// Which cards others of the household are greeted for, as it was said with `card.holder` or when the card was made.
fn why_holders(theirs: &[(CustomerNumber, CustomerKey, Till)]) -> Vec<Value> {
    let of = |(number, _, till): &(CustomerNumber, _, Till)| {
        let number = *number;
        let row = move |(card, holder): (&CardId, &String)| json!({ "card": card, "holder": holder, "kept_under": number });
        till.holders.iter().map(row).collect::<Vec<_>>()
    };
    theirs.iter().flat_map(of).collect()
}

/// The lots that are added up, and how far the ledger goes that they come from.
fn points(views: &Views, customer: CustomerNumber, now: Timestamp) -> Result<Value, Refusal> {
    let account = store::points(views, customer)?;
    let lots = account.lots(now);
    let lots = lots
        .iter()
        .map(|lot| json!({ "points": lot.points, "expires_at": lot.expires_at.map(Timestamp::rfc3339) }));
    let balance = account.balance(now);
    Ok(json!({
        "available": balance.available, "held": balance.held, "owed": balance.debt,
        "lots": lots.collect::<Vec<_>>(), "ledger_lines": account.entries(),
    }))
}

/// What counted in each month of a period; months in which nothing did are left out.
fn counted(ladder: &Ladder, kept: &[Months], (since, last): (Month, Month)) -> Vec<(Month, i64)> {
    let mut counted = Vec::new();
    let mut month = since;
    while month <= last {
        // What has a business day ahead of the clock counts with this month.
        let to = if month == last { Month::LAST } else { month };
        let sum = kept.iter().fold(0, |sum: i64, months| {
            sum.saturating_add(match ladder.measure {
                Measure::Points => months.points(month, to),
                Measure::Turnover(currency) => months.turnover(currency, month, to),
            })
        });
        if sum != 0 {
            counted.push((month, sum));
        }
        month = month.on(1);
    }
    counted
}
