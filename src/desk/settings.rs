//! The shop's part of the config, and what else of it the desk goes by.

use super::{contact, issue, operator, points, retention};
use crate::decode::classify::Rules;
use crate::domain::breach::KeyPlace;
use crate::domain::contact::CallingCode;
use crate::domain::contest::Contest;
use crate::domain::person;
use crate::domain::survey::Survey;
use crate::domain::worth::Rules as WorthRules;
use std::time::Duration;

/// How long a parked sale can be taken up, in hours, unless the config says otherwise, and the longest that it can say.
const PARKED_HOURS: u64 = 24;
const PARKED_HOURS_MAX: u64 = 60 * 24;

/// The longest that new cards can be honoured for.
const CARD_MONTHS_MAX: u64 = 600;

const LANGUAGE: &str = "must be a language tag, such as `es` or `zh-Hant`";

/// What the shop is called and how it writes phones.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Printed at the head of a card.
    pub shop: Option<String>,
    /// The shop's language, as a tag of RFC 5646: how Chinese characters on a card are drawn where nothing else says it.
    pub language: Option<String>,
    /// The country calling code of phones typed without one, such as `34`.
    pub calling_code: Option<CallingCode>,
    /// How scans are told apart: the programme's letter, the imported programmes. From tables of their own.
    pub rules: Rules,
    /// Whether the customer's name is printed on the card.
    pub name_on_card: bool,
    /// How many months a new card is honoured; for good without it.
    pub card_months: Option<u32>,
    /// How long a parked sale can be taken up.
    pub parked: Duration,
    /// What customers are contacted for, and how often. From tables of their own.
    pub contact: contact::Settings,
    /// The points programme. From a table of its own.
    pub points: points::Settings,
    /// Opening hours, deadlines and warranty. From a table of its own.
    pub service: issue::Settings,
    /// Who signs on at the tills. From a table of its own.
    pub operators: operator::Settings,
    /// How long each section of a person is kept. From a table of its own.
    pub retention: retention::Settings,
    /// How the worth of a customer is reckoned, if at all. From tables of its own.
    pub worth: Option<WorthRules>,
    /// What customers are asked. From tables of their own.
    pub surveys: Vec<Survey>,
    /// What customers can win. From tables of their own.
    pub contests: Vec<Contest>,
    /// Where the vault's key is. From a table of its own.
    pub vault_key: KeyPlace,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            shop: None,
            language: None,
            calling_code: None,
            rules: Rules::default(),
            name_on_card: true,
            card_months: None,
            parked: Duration::from_hours(PARKED_HOURS),
            contact: contact::Settings::default(),
            points: points::Settings::default(),
            service: issue::Settings::default(),
            operators: operator::Settings::default(),
            retention: retention::Settings::default(),
            worth: None,
            surveys: Vec::new(),
            contests: Vec::new(),
            vault_key: KeyPlace::StateFolder,
        }
    }
}

impl Settings {
    /// Reads `[shop]`. The rules stand in `[card]`, `[[alias]]` and `[payment]`, where decoding reads them; the points in `[points]`.
    pub fn read(keys: &mut crate::domain::settings::Keys<'_>) -> Self {
        let shop = keys.text("name");
        let language = keys.parsed("language", |tag| person::language_tag(tag).ok_or(LANGUAGE));
        let calling_code = keys.parsed("calling_code", str::parse);
        let name_on_card = keys.flag("name_on_card").unwrap_or(true);
        let card_months = keys.number("card_months", 1..=CARD_MONTHS_MAX, "months");
        let card_months = card_months.and_then(|months| u32::try_from(months).ok());
        let parked = keys.number("parked_hours", 1..=PARKED_HOURS_MAX, "hours").unwrap_or(PARKED_HOURS);
        let parked = Duration::from_hours(parked);
        Self { shop, language, calling_code, name_on_card, card_months, parked, ..Self::default() }
    }
}
