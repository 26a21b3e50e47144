//! What a customer has agreed to: records that are only ever added, and what follows from them.
//!
//! Pure. The latest record about a purpose and a channel stands. A record without a purpose or a channel is about all of them. That a
//! consent has expired is never written: it is what a granted one is called once its review date has passed.

use super::contact::Channel;
use super::id::RegisterName;
use super::person::fields::Basis;
use super::time::Timestamp;
use jiff::{ToSpan, tz::TimeZone};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// The longest word for a purpose, in characters: a till is pushed some of them.
pub const PURPOSE_CHARS_MAX: usize = 20;

/// The longest text that a customer is shown, in characters.
pub const TEXT_CHARS_MAX: usize = 2_000;

/// The longest word on what proves a consent, in characters.
pub const EVIDENCE_CHARS_MAX: usize = 120;

/// What a customer is contacted for, or what is done with their data: a word of the shop's own, such as `OFFERS`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Purpose(String);

/// Not a word for a purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to {PURPOSE_CHARS_MAX} of A-Z, 0-9 and _")]
pub struct NoPurpose;

impl Purpose {
    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Purpose {
    type Err = NoPurpose;

    fn from_str(text: &str) -> Result<Self, NoPurpose> {
        let good = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        let fits = (1..=PURPOSE_CHARS_MAX).contains(&text.len()) && text.bytes().all(good);
        fits.then(|| Self(text.to_owned())).ok_or(NoPurpose)
    }
}

impl TryFrom<String> for Purpose {
    type Error = NoPurpose;
    fn try_from(text: String) -> Result<Self, NoPurpose> {
        text.parse()
    }
}

impl From<Purpose> for String {
    fn from(purpose: Purpose) -> Self {
        purpose.0
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// SHA-256 (FIPS 180-4) of a text in UTF-8, as 64 hexadecimal digits: names the very text that was shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TextHash(String);

/// Not a hash of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the 64 hexadecimal digits that `consent.texts` has for the text")]
pub struct NoTextHash;

impl TextHash {
    /// The hash of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Its digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TextHash {
    type Error = NoTextHash;
    fn try_from(text: String) -> Result<Self, NoTextHash> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == 64 && text.bytes().all(digit) { Ok(Self(text)) } else { Err(NoTextHash) }
    }
}

impl From<TextHash> for String {
    fn from(hash: TextHash) -> Self {
        hash.0
    }
}

/// A text that customers are shown when they are asked. The shop's words, of nobody in particular.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentText {
    /// What for.
    pub purpose: Purpose,
    /// Its language, BCP 47.
    pub language: String,
    /// The shop's word for its version.
    pub version: String,
    /// The text itself.
    pub text: String,
}

/// What a customer said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConsentState {
    /// Yes.
    Granted,
    /// No, when asked.
    Denied,
    /// No more, or an objection to what needs no consent.
    Withdrawn,
}

/// What stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Standing {
    /// Yes.
    Granted,
    /// No, when asked.
    Denied,
    /// No more.
    Withdrawn,
    /// It was a yes, and its review date has passed.
    Expired,
}

impl Standing {
    /// The word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Granted => "GRANTED",
            Self::Denied => "DENIED",
            Self::Withdrawn => "WITHDRAWN",
            Self::Expired => "EXPIRED",
        }
    }
}

/// What a customer said, as it is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// What for; `None`: for everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// By which way; `None`: by every way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// What.
    pub state: ConsentState,
    /// On which ground the purpose is followed; `None` if the shop does not follow it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// The text that was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextHash>,
    /// When it was said.
    pub at: Timestamp,
    /// The transaction it was recorded in: of two that were said at one time the later one stands.
    pub seq: u64,
    /// When it has to be asked again; `None`: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_at: Option<Timestamp>,
    /// The user id of whoever recorded it.
    pub by: u32,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register: Option<RegisterName>,
    /// Where the proof is, such as the number of a form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// Shows what was said, not the evidence, which is free text.
impl fmt::Debug for Consent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Consent({:?}, {:?}, {:?})", self.purpose, self.channel, self.state)
    }
}

/// What a record is about: a purpose and a channel, or all of them.
pub type Scope<'s> = (Option<&'s Purpose>, Option<Channel>);

impl Consent {
    fn scope(&self) -> Scope<'_> {
        (self.purpose.as_ref(), self.channel)
    }

    /// What it is called at `now`.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        match self.state {
            ConsentState::Granted if self.review_at.is_some_and(|review| review <= now) => Standing::Expired,
            ConsentState::Granted => Standing::Granted,
            ConsentState::Denied => Standing::Denied,
            ConsentState::Withdrawn => Standing::Withdrawn,
        }
    }
}

/// Whether everything in `scope` is in `wider` too.
fn covers(wider: Scope<'_>, scope: Scope<'_>) -> bool {
    (wider.0.is_none() || wider.0 == scope.0) && (wider.1.is_none() || wider.1 == scope.1)
}

fn overlap(one: Scope<'_>, other: Scope<'_>) -> bool {
    (one.0.is_none() || other.0.is_none() || one.0 == other.0)
        && (one.1.is_none() || other.1.is_none() || one.1 == other.1)
}

fn last<'c>(records: impl Iterator<Item = &'c Consent>) -> Option<&'c Consent> {
    records.max_by_key(|record| (record.at, record.seq))
}

/// The record that stands for a purpose and a channel (`None`: the purpose needs none).
#[must_use]
pub fn latest<'c>(
    records: &'c [Consent],
    purpose: &Purpose,
    channel: Option<Channel>,
) -> Option<&'c Consent> {
    last(records.iter().filter(|record| covers(record.scope(), (Some(purpose), channel))))
}

/// The withdrawal that already stands for all of `scope`, so that withdrawing it again would say nothing new.
#[must_use]
pub fn withdrawn<'c>(records: &'c [Consent], scope: Scope<'_>) -> Option<&'c Consent> {
    let last = last(records.iter().filter(|record| overlap(record.scope(), scope)))?;
    (last.state == ConsentState::Withdrawn && covers(last.scope(), scope)).then_some(last)
}

/// The withdrawal of everything, if there ever was one: whoever said that is asked nothing by themselves.
#[must_use]
pub fn withdrawn_all(records: &[Consent]) -> Option<&Consent> {
    last(records.iter().filter(|record| record.scope() == (None, None)))
}

/// When what is said at `at` has to be asked again; `None` beyond the calendar's end.
#[must_use]
pub fn review_at(at: Timestamp, months: u32) -> Option<Timestamp> {
    let at = jiff::Timestamp::from_microsecond(at.0).ok()?.to_zoned(TimeZone::UTC);
    let review = at.checked_add(i64::from(months).months()).ok()?;
    Some(Timestamp(review.timestamp().as_microsecond()))
}

/// Why somebody may not be contacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// They were never asked.
    NoConsent,
    /// They said no.
    Denied(Timestamp),
    /// They said no more.
    Withdrawn(Timestamp),
    /// It was a yes until then.
    Expired(Timestamp),
    /// Somebody with one of their telephone numbers or addresses was erased and wants to hear nothing more.
    OptedOut,
    /// They heard enough for now; free again then.
    Cap(Timestamp),
    /// Nothing is kept that this channel could be used with.
    NoAddress,
}

/// What is known when somebody is to be contacted for a purpose by a channel.
#[derive(Debug)]
pub struct Facts<'f> {
    /// The purpose's ground.
    pub basis: Basis,
    /// The record that stands.
    pub latest: Option<&'f Consent>,
    /// Whether there is a mark of an erased person for one of their telephone numbers or addresses.
    pub opted_out: bool,
    /// Whether the channel reaches them.
    pub reached: bool,
    /// When the frequency cap lets them be contacted again; `None`: now.
    pub free_at: Option<Timestamp>,
}

/// Whether a purpose counts to the frequency cap and is held back by it. What a contract or a law asks for does neither.
#[must_use]
pub fn is_capped(basis: Basis) -> bool {
    match basis {
        Basis::Consent | Basis::Interest => true,
        Basis::Contract | Basis::Law => false,
    }
}

/// Whether somebody may be contacted at `now`. What needs a consent needs a granted one; what is done for the shop's interest (GDPR
/// article 6(1)(f)) is let be after an objection (article 21); a contract and a law ask nobody.
///
/// # Errors
/// The reason why not.
pub fn may(facts: &Facts<'_>, now: Timestamp) -> Result<(), Why> {
    let standing = facts.latest.map(|latest| (latest.standing(now), latest));
    if is_capped(facts.basis) {
        match standing {
            Some((Standing::Granted, _)) => {}
            Some((Standing::Denied, latest)) => return Err(Why::Denied(latest.at)),
            Some((Standing::Withdrawn, latest)) => return Err(Why::Withdrawn(latest.at)),
            Some((Standing::Expired, latest)) if facts.basis == Basis::Consent => {
                return Err(Why::Expired(latest.review_at.unwrap_or(latest.at)));
            }
            None if facts.basis == Basis::Consent => return Err(Why::NoConsent),
            // An own yes of this person would say more than a mark that another left.
            Some((Standing::Expired, _)) | None if facts.opted_out => return Err(Why::OptedOut),
            Some((Standing::Expired, _)) | None => {}
        }
    }
    if !facts.reached {
        return Err(Why::NoAddress);
    }
    match facts.free_at.filter(|_| is_capped(facts.basis)) {
        Some(free) => Err(Why::Cap(free)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
