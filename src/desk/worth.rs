//! What a customer is worth to the shop, with its reasons, and the service class that follows.
//!
//! Nobody is reckoned who objected to profiling (GDPR article 21), nor while the vault is locked: whether they objected lies there.

use super::compose::tills;
use super::levels::name;
use super::person::no_such_customer;
use super::request::Ask;
use super::sale::money;
use super::{Desk, Opened, Settings};
use crate::domain::id::CustomerNumber;
use crate::domain::level::PERIOD_MONTHS_MAX;
use crate::domain::money::MINOR_MAX;
use crate::domain::refusal::Refusal;
use crate::domain::settings::Keys;
use crate::domain::time::{Day, Timestamp};
use crate::domain::worth::{CLASSES_MAX, COSTLY, Class, Rules, Worth};
use crate::log::Read;
use crate::store::{self, StoreError};
use serde::Deserialize;
use serde_json::{Value, json};

/// The newest issues of a customer that are looked at: more than anybody opens in two years.
const ISSUES_MAX: usize = 200;

/// The newest sales on account that are looked at.
const CREDITS_MAX: usize = 500;

/// The months before this one that count, unless the config says otherwise.
const MONTHS: u16 = 12;

/// The keys of what one issue costs, in the order of [`COSTLY`].
const COST_KEYS: [&str; COSTLY.len()] =
    ["warranty_cost", "repair_cost", "complaint_cost", "return_cost", "recall_cost", "question_cost"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    customer: CustomerNumber,
}

impl Desk {
    /// `customer.worth`.
    pub(super) fn worth(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Whose { customer } = ask.fields()?;
        let Opened { log, vault } = self.store()?;
        let views = log.views();
        let kept = store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
        let objects = tills(&views, vault, &kept)?.ok_or_else(no_such_customer)?.objects;
        let worth = match objects {
            true => None,
            false => of(&views, (&self.settings, self.clock.utc()), customer)?,
        };
        let (Some(worth), Some(rules)) = (worth, &self.settings.worth) else {
            return Ok(json!({
                "customer": customer, "objects": objects, "value": null, "class": null, "since": null, "reasons": [],
            }));
        };
        let amount = |minor: i64| money(rules.currency, minor);
        let reasons = worth.reasons.iter().map(
            |reason| json!({ "reason": reason.what, "count": reason.count, "amount": amount(reason.minor) }),
        );
        Ok(json!({
            "customer": customer, "objects": objects, "value": amount(worth.value),
            "class": worth.class.map(|class| &class.name), "since": worth.since.to_string(),
            "reasons": reasons.collect::<Vec<_>>(),
        }))
    }
}

/// What a customer is worth now, of whom it is known that they do not object; `None` where the config does not say how to reckon.
pub(super) fn of<'s>(
    views: &(impl Read + ?Sized),
    (settings, now): (&'s Settings, Timestamp),
    customer: CustomerNumber,
) -> Result<Option<Worth<'s>>, StoreError> {
    let Some(rules) = &settings.worth else { return Ok(None) };
    let zone = &settings.points.time_zone;
    let months = store::months(views, customer)?;
    let issues = store::issues_of(views, customer, ISSUES_MAX)?;
    let credits = store::credits_of(views, customer, CREDITS_MAX)?;
    // Beyond the calendar nothing is reckoned.
    Ok(Day::of(now, zone).map(|today| rules.worth(&months, (&issues, &credits), (today, zone))))
}

/// Reads `[worth]` and every `[[class]]`; `None` without either.
pub fn read(keys: &mut Keys<'_>) -> Option<Rules> {
    let rules = keys.table("worth", read_rules).flatten();
    let mut before = None;
    let classes = keys.distinct(
        "class",
        CLASSES_MAX,
        "name",
        |class: &Class| class.name.clone(),
        |keys| {
            let class = read_class(keys)?;
            if before.is_some_and(|before| before >= class.from) {
                keys.refuse("from", "must be more than that of the class before");
            }
            before = Some(class.from);
            Some(class)
        },
    );
    if rules.is_none() && !classes.is_empty() {
        keys.refuse("worth.currency", "is missing: classes are by a value in money");
    }
    rules.map(|rules| Rules { classes, ..rules })
}

/// The rules, if their currency is given: without it nothing is reckoned.
fn read_rules(keys: &mut Keys<'_>) -> Option<Rules> {
    let whole = |number: Option<u64>| number.and_then(|number| i64::try_from(number).ok());
    let currency = keys.parsed("currency", str::parse);
    let months = keys.number("months", 1..=u64::from(PERIOD_MONTHS_MAX), "months");
    let months = months.and_then(|months| u16::try_from(months).ok()).unwrap_or(MONTHS);
    let margin_percent = whole(keys.number("margin_percent", 1..=100, "percent")).unwrap_or(100);
    let costs = COST_KEYS
        .map(|key| whole(keys.number(key, 0..=MINOR_MAX.unsigned_abs(), "minor units")).unwrap_or(0));
    let late_cost = whole(keys.number("late_cost", 0..=MINOR_MAX.unsigned_abs(), "minor units")).unwrap_or(0);
    Some(Rules { currency: currency?, months, margin_percent, costs, late_cost, classes: Vec::new() })
}

fn read_class(keys: &mut Keys<'_>) -> Option<Class> {
    let name = keys.parsed("name", name);
    let name = keys.required("name", name);
    let from = keys.number("from", 0..=MINOR_MAX.unsigned_abs(), "minor units");
    let from = keys.required("from", from.and_then(|from| i64::try_from(from).ok()));
    Some(Class { name: name?, from: from? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::read_text;

    #[test]
    fn worth_is_read_or_refused_by_its_keys() {
        let file = "[worth]\ncurrency = 'EUR'\nmonths = 6\nmargin_percent = 30\nrepair_cost = 2500\n\
            [[class]]\nname = 'B'\nfrom = 0\n[[class]]\nname = 'A'\nfrom = 50000\n";
        let (rules, mistakes) = read_text(file, read).unwrap();
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let rules = rules.unwrap();
        assert_eq!(
            (rules.months, rules.margin_percent, rules.costs[1], rules.classes.len()),
            (6, 30, 2500, 2)
        );
        assert_eq!(read_text("", read).unwrap().0, None);
        for (file, key) in [
            ("[[class]]\nname = 'A'\nfrom = 0\n", "worth.currency"),
            ("[worth]\ncurrency = 'EURO'\n", "worth.currency"),
            ("[worth]\ncurrency = 'EUR'\nmonths = 25\n", "worth.months"),
            ("[worth]\ncurrency = 'EUR'\nmargin_percent = 0\n", "worth.margin_percent"),
            ("[worth]\ncurrency = 'EUR'\n[[class]]\nname = 'A'\n", "class[0].from"),
            (
                "[worth]\ncurrency = 'EUR'\n[[class]]\nname = 'A'\nfrom = 1\n[[class]]\nname = 'B'\nfrom = 1\n",
                "class[1].from",
            ),
        ] {
            let keys: Vec<String> =
                read_text(file, read).unwrap().1.into_iter().map(|mistake| mistake.key).collect();
            assert_eq!(keys, [key], "{file}");
        }
    }
}
