//! What the shop says about codes: `[card]`, `[[alias]]` and `[payment]` of its config.

use super::GSRN_PROGRAMME;
use crate::decode::payment::{self, Exempt};
use crate::decode::{gs1, symbology};
use crate::domain::code::Programme;
use crate::domain::settings::Keys;

/// How scans are told apart. The default: programme `C`, no imported cards, no exempt range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// The letter of our own cards: `[card] programme`.
    pub programme: Programme,
    /// Imported programmes, tried in order: `[[alias]]`.
    pub aliases: Vec<AliasRule>,
    /// Ranges never taken for payment cards: `[payment] exempt`.
    pub exempt: Exempt,
}

/// One imported programme: which codes may be its cards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasRule {
    /// The programme's name, in the store and towards staff.
    pub name: String,
    /// What its codes begin with; may be empty.
    pub prefix: String,
    /// The least characters of a code, prefix and check digit included.
    pub length_min: usize,
    /// The most characters of a code.
    pub length_max: usize,
    /// Which characters follow the prefix.
    pub chars: Chars,
    /// The check that a code has to pass.
    pub check: Check,
    /// Only this symbology (`ean13`, `code128`, `qr`, `track2`, …); a reader that names none is believed.
    pub symbology: Option<String>,
}

/// Which characters a code may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Chars {
    /// ASCII digits.
    #[default]
    Digits,
    /// Printable ASCII without the space.
    Printable,
}

/// A check digit at the end of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Check {
    /// None that we know.
    #[default]
    None,
    /// GS1 mod 10: EAN, GSRN.
    Gs1,
    /// Luhn.
    Luhn,
}

/// The most `[[alias]]` tables.
pub const ALIASES_MAX: usize = 64;

/// The longest code of an imported card.
pub const ALIAS_CHARS_MAX: usize = 64;

impl AliasRule {
    /// Whether `code`, read in `symbology` (`unknown` if the reader did not say), may be a card of this programme.
    #[must_use]
    pub fn takes(&self, symbology: &str, code: &[u8]) -> bool {
        let wanted = self.symbology.as_deref();
        let symbology_fits = wanted.is_none_or(|wanted| wanted == symbology || symbology == "unknown");
        let rest_fits = code.strip_prefix(self.prefix.as_bytes()).is_some_and(|rest| match self.chars {
            Chars::Digits => rest.iter().all(u8::is_ascii_digit),
            Chars::Printable => rest.iter().all(u8::is_ascii_graphic),
        });
        let check_fits = match self.check {
            Check::None => true,
            Check::Gs1 => gs1::check_digit_ok(code),
            Check::Luhn => payment::luhn_ok(code),
        };
        (self.length_min..=self.length_max).contains(&code.len()) && symbology_fits && rest_fits && check_fits
    }
}

impl Rules {
    /// Takes `[card]`, `[[alias]]` and `[payment]` from the file's own keys.
    pub fn read(keys: &mut Keys<'_>) -> Self {
        let programme =
            keys.table("card", |card| card.parsed("programme", programme)).flatten().unwrap_or_default();
        let name = |rule: &AliasRule| rule.name.clone();
        let aliases = keys.distinct("alias", ALIASES_MAX, "name", name, alias);
        let exempt = keys.table("payment", exempt).unwrap_or_default();
        Self { programme, aliases, exempt }
    }
}

fn programme(text: &str) -> Result<Programme, &'static str> {
    let mut chars = text.chars();
    let one = chars.next().filter(|_| chars.next().is_none());
    one.and_then(Programme::new).ok_or("must be one letter or digit of base 32: not I, L, O or U")
}

fn exempt(keys: &mut Keys<'_>) -> Exempt {
    let mut exempt = Exempt::default();
    for prefix in keys.texts("exempt").unwrap_or_default() {
        if let Err(problem) = exempt.add(&prefix) {
            keys.refuse("exempt", format!("`{prefix}` {problem}"));
        }
    }
    exempt
}

fn alias(keys: &mut Keys<'_>) -> Option<AliasRule> {
    let name = keys.parsed("name", alias_name);
    let name = keys.required("name", name);
    let prefix = keys.parsed("prefix", alias_prefix).unwrap_or_default();
    let range = 4..=u64::try_from(ALIAS_CHARS_MAX).unwrap_or(u64::MAX);
    let length = keys.number("length", range.clone(), "characters");
    let length = keys.required("length", length);
    let length_max = keys.number("length_max", range, "characters").or(length);
    let chars = keys.word("chars", &[("digits", Chars::Digits), ("printable", Chars::Printable)]);
    let check = keys.word("check", &[("none", Check::None), ("gs1", Check::Gs1), ("luhn", Check::Luhn)]);
    let symbology = keys.parsed("symbology", alias_symbology);
    if let (Some(least), Some(most)) = (length, length_max)
        && most < least
    {
        keys.refuse("length_max", format!("{most} is less than `length`, {least}"));
        return None;
    }
    Some(AliasRule {
        name: name?,
        prefix,
        length_min: usize::try_from(length?).ok()?,
        length_max: usize::try_from(length_max?).ok()?,
        chars: chars.unwrap_or_default(),
        check: check.unwrap_or_default(),
        symbology,
    })
}

fn alias_name(text: &str) -> Result<String, String> {
    let fits = (1..=32).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-');
    match text {
        GSRN_PROGRAMME => Err(format!("`{GSRN_PROGRAMME}` is what GSRN cards are called already")),
        text if fits => Ok(text.to_owned()),
        _ => Err("must be 1 to 32 of a to z, 0 to 9, `-` and `_`".to_owned()),
    }
}

fn alias_prefix(text: &str) -> Result<String, &'static str> {
    let fits = text.len() <= ALIAS_CHARS_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(text.to_owned()) } else { Err("must be printable ASCII without a space") }
}

fn alias_symbology(text: &str) -> Result<String, &'static str> {
    let known = symbology::is_name(text) || matches!(text, "track1" | "track2" | "track3");
    if known {
        Ok(text.to_owned())
    } else {
        Err("must be a symbology such as `ean13`, `code128`, `qr` or `track2`")
    }
}

/// What the shop should be told at start: each range of its own that lies where payment cards lie.
#[must_use]
pub fn warnings(rules: &Rules) -> Vec<String> {
    let exempt = rules.exempt.prefixes().map(|prefix| (prefix, format!("payment.exempt `{prefix}`")));
    let aliases = rules.aliases.iter().filter(|rule| {
        rule.length_max >= payment::PAN_DIGITS_MIN
            && rule.length_min <= payment::PAN_DIGITS_MAX
            && !rule.is_gs1_number()
    });
    let aliases = aliases.map(|rule| (rule.prefix.as_str(), format!("alias `{}`", rule.name)));
    let hit = |(prefix, what): (&str, String)| {
        let scheme = payment::scheme_of(prefix.as_bytes())?;
        Some(format!(
            "{what} lies in the numbers of {scheme}: such payment cards would be taken for loyalty cards"
        ))
    };
    exempt.chain(aliases).filter_map(hit).collect()
}

impl AliasRule {
    /// A GS1 number is an article or a member anyway; the rule takes nothing from the payment test.
    fn is_gs1_number(&self) -> bool {
        let gs1_length = self.length_min == self.length_max && matches!(self.length_min, 12 | 13 | 14 | 18);
        self.check == Check::Gs1 && gs1_length
    }
}
