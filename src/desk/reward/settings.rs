//! Rewards as the config has them.

use crate::domain::level::Ladder;
use crate::domain::money::{Currency, MINOR_MAX, Money};
use crate::domain::points::{HOLDS_MAX, POINTS_MAX};
use crate::domain::purchase::{WORD_CHARS_MAX, check_word};
use crate::domain::reward::{Gift, NAME_CHARS_MAX, REWARDS_MAX, Reward};
use crate::domain::settings::Keys;

/// The most times that a config can say.
const TIMES_MAX: u64 = 1_000_000;

/// Reads every `[[reward]]`, with the levels that they may be for.
pub fn read(keys: &mut Keys<'_>, levels: Option<&Ladder>) -> Vec<Reward> {
    let id = |reward: &Reward| reward.id.clone();
    keys.distinct("reward", REWARDS_MAX, "id", id, |keys| read_reward(keys, levels))
}

fn read_reward(keys: &mut Keys<'_>, levels: Option<&Ladder>) -> Option<Reward> {
    let id = keys.parsed("id", word);
    let id = keys.required("id", id);
    let name = keys.parsed("name", name);
    let cost = keys.number("cost", 1..=POINTS_MAX.unsigned_abs(), "points");
    let cost = keys.required("cost", cost.and_then(|cost| i64::try_from(cost).ok()));
    let gift = keys.parsed("gives", gift);
    let gift = keys.required("gives", gift);
    let level = keys.parsed("level", |name| rank(levels, name));
    let (from, to) = (keys.parsed("from", str::parse), keys.parsed("to", str::parse));
    if let (Some(from), Some(to)) = (from, to)
        && to < from
    {
        keys.refuse("to", "must not be before `from`");
    }
    let alone = keys.flag("alone").unwrap_or(false);
    let times = |times: Option<u64>| times.and_then(|times| usize::try_from(times).ok());
    let holds_max = u64::try_from(HOLDS_MAX).unwrap_or(1);
    let per_sale = times(keys.number("per_sale", 1..=holds_max, "times")).unwrap_or(1);
    let per_customer = times(keys.number("per_customer", 1..=TIMES_MAX, "times"));
    let (id, cost, gift) = (id?, cost?, gift?);
    let name = name.unwrap_or_else(|| id.clone());
    Some(Reward { id, name, gift, cost, level, from, to, alone, per_sale, per_customer })
}

/// `3.00 EUR`, `10 %` or `article COFFEE`.
fn gift(text: &str) -> Result<Gift, &'static str> {
    let wrong = "must be an amount off such as `3.00 EUR`, `10 %`, or `article` and its number, such as `article COFFEE`";
    if let Some(article) = text.strip_prefix("article ") {
        return check_word("", article).map(|()| Gift::Article(article.to_owned())).map_err(|_| wrong);
    }
    let (number, unit) = text.split_once(' ').ok_or(wrong)?;
    if unit == "%" {
        let percent = number.parse().ok().filter(|percent| (1..=100).contains(percent));
        return percent.map(Gift::Percent).ok_or(wrong);
    }
    let currency: Currency = unit.parse().map_err(|_| wrong)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    let exact = fraction.len() == usize::from(currency.exponent()) && !whole.is_empty();
    let plain =
        number.contains('.') != fraction.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let minor = digits.parse().ok().filter(|minor| exact && plain && (1..=MINOR_MAX).contains(minor));
    minor.map(|minor| Gift::Amount(Money { minor, currency })).ok_or(wrong)
}

fn rank(levels: Option<&Ladder>, name: &str) -> Result<(String, usize), &'static str> {
    let levels = levels.map_or(&[][..], |ladder| &ladder.levels);
    let place = levels.iter().position(|level| level.name == name).ok_or("no `[[level]]` has this name")?;
    Ok((name.to_owned(), place.saturating_add(1)))
}

fn word(text: &str) -> Result<String, String> {
    let wrong = || format!("must be 1 to {WORD_CHARS_MAX} printable ASCII characters without a space");
    check_word("", text).map(|()| text.to_owned()).map_err(|_| wrong())
}

fn name(text: &str) -> Result<String, String> {
    let fits = (1..=NAME_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(format!("must be 1 to {NAME_CHARS_MAX} characters")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::levels;
    use crate::domain::settings::read_text;

    fn read_all(keys: &mut Keys<'_>) -> Vec<Reward> {
        let levels = levels::read(keys);
        read(keys, levels.as_ref())
    }

    #[test]
    fn rewards_are_read_or_refused_by_their_keys() {
        let level = "[[level]]\nname = 'Silver'\nfrom = 1\n";
        let coffee = "[[reward]]\nid = 'coffee'\ncost = 100\n";
        let file = format!(
            "{level}{coffee}gives = 'article COFFEE'\nlevel = 'Silver'\nfrom = '2026-01-01'\nto = '2026-12-31'\nalone = true\n\
             per_customer = 3\n[[reward]]\nid = 'off'\ncost = 500\ngives = '3.00 EUR'\n"
        );
        let (rewards, mistakes) = read_text(&file, read_all).unwrap();
        assert!(mistakes.is_empty(), "{mistakes:?}");
        assert_eq!((rewards.len(), rewards[0].per_sale, rewards[0].per_customer), (2, 1, Some(3)));
        assert_eq!(rewards[1].gift, Gift::Amount(Money { minor: 300, currency: "EUR".parse().unwrap() }));
        assert_eq!((&*rewards[0].name, rewards[0].level.clone()), ("coffee", Some(("Silver".to_owned(), 1))));
        for (more, key) in [
            ("", "reward[0].gives"),
            ("gives = 'article'\n", "reward[0].gives"),
            ("gives = '0 %'\n", "reward[0].gives"),
            ("gives = '3 EUR'\n", "reward[0].gives"),
            ("gives = '3.00 JPY'\n", "reward[0].gives"),
            ("gives = '3.0.0 EUR'\n", "reward[0].gives"),
            ("gives = '5 %'\nlevel = 'Gold'\n", "reward[0].level"),
            ("gives = '5 %'\nfrom = '2026-02-01'\nto = '2026-01-01'\n", "reward[0].to"),
            ("gives = '5 %'\nper_sale = 9\n", "reward[0].per_sale"),
            ("gives = '5 %'\n[[reward]]\nid = 'coffee'\ncost = 1\ngives = '300 JPY'\n", "reward[1].id"),
        ] {
            let mistakes = read_text(&format!("{level}{coffee}{more}"), read_all).unwrap().1;
            let keys: Vec<String> = mistakes.into_iter().map(|mistake| mistake.key).collect();
            assert_eq!(keys, [key], "{more}");
        }
    }
}
