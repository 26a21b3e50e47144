//! Levels: what the config says of them, and how a customer stands.

use super::Desk;
use super::person::no_such_customer;
use super::points::Settings;
use super::request::Ask;
use super::sale::money;
use crate::domain::id::CustomerNumber;
use crate::domain::level::{
    EARN_PERCENT_MAX, GRACE_MONTHS_MAX, LEVELS_MAX, Ladder, Level, Measure, PERIOD_MONTHS_MAX, Span, Standing,
};
use crate::domain::money::MINOR_MAX;
use crate::domain::months::Month;
use crate::domain::refusal::Refusal;
use crate::domain::settings::Keys;
use crate::domain::time::{Period, Timestamp};
use crate::log::Read;
use crate::store::{self, StoreError};
use serde::Deserialize;
use serde_json::{Value, json};

/// The longest name of a level or a service class, in characters: with both, a file has room for the rest.
pub(super) const NAME_CHARS_MAX: usize = 24;

/// The period and the grace, unless the config says otherwise.
const PERIOD_MONTHS: u16 = 12;
const GRACE_MONTHS: u16 = 3;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    customer: CustomerNumber,
}

impl Desk {
    /// `customer.level`: how a customer stands, and what it was reckoned from.
    pub(super) fn level(&self, ask: &Ask<'_>) -> Result<Value, Refusal> {
        let Whose { customer } = ask.fields()?;
        let (views, points) = (self.store()?.log.views(), &self.settings.points);
        store::customer(&views, customer)?.ok_or_else(no_such_customer)?;
        let Some(ladder) = &points.levels else {
            return Ok(json!({ "customer": customer, "level": null }));
        };
        let now = Month::at(self.clock.utc(), &points.time_zone);
        let Standing { level, counted, since, grace_until, next, .. } =
            ladder.standing(&store::months(&views, customer)?, now);
        let amount = |count: i64| match ladder.measure {
            Measure::Points => json!({ "points": count }),
            Measure::Turnover(currency) => money(currency, count),
        };
        Ok(json!({
            "customer": customer, "level": level.map(|level| &level.name),
            "earn_percent": level.map_or(100, |level| level.earn_percent),
            "counted": amount(counted), "since": since.to_string(),
            "grace_until": grace_until.map(|month| month.to_string()),
            "next": next.map(|(next, lacks)| json!({ "level": next.name, "lacks": amount(lacks) })),
        }))
    }
}

/// The level of a customer now.
pub(super) fn of<'s>(
    views: &(impl Read + ?Sized),
    (settings, now): (&'s Settings, Timestamp),
    customer: CustomerNumber,
) -> Result<Option<&'s Level>, StoreError> {
    Ok(standing(views, (settings, now), customer)?.and_then(|standing| standing.level))
}

/// How a customer stands now; `None` where there are no levels.
pub(super) fn standing<'s>(
    views: &(impl Read + ?Sized),
    (settings, now): (&'s Settings, Timestamp),
    customer: CustomerNumber,
) -> Result<Option<Standing<'s>>, StoreError> {
    let Some(ladder) = &settings.levels else { return Ok(None) };
    let months = store::months(views, customer)?;
    Ok(Some(ladder.standing(&months, Month::at(now, &settings.time_zone))))
}

/// Reads `[levels]` and every `[[level]]`; `None` without any.
pub fn read(keys: &mut Keys<'_>) -> Option<Ladder> {
    let mut ladder = keys.table("levels", read_ladder)?;
    let mut before = None;
    let levels = keys.distinct(
        "level",
        LEVELS_MAX,
        "name",
        |level: &Level| level.name.clone(),
        |keys| {
            let level = read_level(keys)?;
            if before.is_some_and(|before| before >= level.from) {
                keys.refuse("from", "must be more than that of the level before");
            }
            before = Some(level.from);
            Some(level)
        },
    );
    ladder.levels = levels;
    Some(ladder).filter(|ladder| !ladder.levels.is_empty())
}

fn read_ladder(keys: &mut Keys<'_>) -> Ladder {
    let by_turnover = keys.word("measure", &[("points", false), ("turnover", true)]).unwrap_or(false);
    let currency = keys.parsed("currency", str::parse);
    let measure = match (by_turnover, currency) {
        (true, Some(currency)) => Measure::Turnover(currency),
        (true, None) => {
            keys.required("currency", currency);
            Measure::Points
        }
        (false, currency) => {
            if currency.is_some() {
                keys.refuse("currency", "is for `measure = \"turnover\"`; points have none");
            }
            Measure::Points
        }
    };
    let span = keys.parsed("period", period).unwrap_or(Span::Rolling(PERIOD_MONTHS));
    let grace = keys.number("grace_months", 0..=u64::from(GRACE_MONTHS_MAX), "months");
    let grace = grace.and_then(|months| u16::try_from(months).ok()).unwrap_or(GRACE_MONTHS);
    Ladder { measure, span, grace, levels: Vec::new() }
}

/// `year`, or months such as `12 months`.
pub(super) fn period(text: &str) -> Result<Span, String> {
    if text == "year" {
        return Ok(Span::Year);
    }
    let months = match text.parse() {
        Ok(Period::Months(months)) => u16::try_from(months).ok(),
        Ok(Period::Always | Period::Days(_)) | Err(_) => None,
    };
    let months = months.filter(|months| (1..=PERIOD_MONTHS_MAX).contains(months));
    let wrong = || format!("must be `year` or `1 month` to `{PERIOD_MONTHS_MAX} months`");
    months.map(Span::Rolling).ok_or_else(wrong)
}

fn read_level(keys: &mut Keys<'_>) -> Option<Level> {
    let whole = |number: Option<u64>| number.and_then(|number| i64::try_from(number).ok());
    let name = keys.parsed("name", name);
    let name = keys.required("name", name);
    let from = whole(keys.number("from", 0..=MINOR_MAX.unsigned_abs(), "points or minor units"));
    let from = keys.required("from", from);
    let percent = keys.number("earn_percent", 0..=EARN_PERCENT_MAX.unsigned_abs(), "percent");
    let earn_percent = whole(percent).unwrap_or(100);
    Some(Level { name: name?, from: from?, earn_percent })
}

/// The name of a level or class.
pub(super) fn name(text: &str) -> Result<String, String> {
    let fits = (1..=NAME_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(format!("must be 1 to {NAME_CHARS_MAX} characters")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::read_text;

    #[test]
    fn levels_are_read_or_refused_by_their_keys() {
        let file = "[levels]\nmeasure = 'turnover'\ncurrency = 'EUR'\nperiod = 'year'\ngrace_months = 12\n\
            [[level]]\nname = 'Silver'\nfrom = 50000\nearn_percent = 120\n[[level]]\nname = 'Gold'\nfrom = 200000\n";
        let (ladder, mistakes) = read_text(file, read).unwrap();
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let ladder = ladder.unwrap();
        assert_eq!((ladder.span, ladder.grace, ladder.levels.len()), (Span::Year, 12, 2));
        assert_eq!(ladder.measure, Measure::Turnover("EUR".parse().unwrap()));
        assert_eq!(read_text("", read).unwrap().0, None, "without a level there are none");
        for (file, key) in [
            ("[levels]\nmeasure = 'turnover'\n", "levels.currency"),
            ("[levels]\ncurrency = 'EUR'\n", "levels.currency"),
            ("[levels]\nperiod = '25 months'\n", "levels.period"),
            ("[levels]\nperiod = '30 days'\n", "levels.period"),
            ("[levels]\ngrace_months = 13\n", "levels.grace_months"),
            ("[[level]]\nname = ''\nfrom = 1\n", "level[0].name"),
            ("[[level]]\nname = 'A'\n", "level[0].from"),
            ("[[level]]\nname = 'A'\nfrom = 5\n[[level]]\nname = 'B'\nfrom = 5\n", "level[1].from"),
            ("[[level]]\nname = 'A'\nfrom = 5\n[[level]]\nname = 'A'\nfrom = 6\n", "level[1].name"),
        ] {
            let keys: Vec<String> =
                read_text(file, read).unwrap().1.into_iter().map(|mistake| mistake.key).collect();
            assert_eq!(keys, [key], "{file}");
        }
    }
}
