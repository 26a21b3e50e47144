//! Whether a customer may be contacted for a purpose by a channel, from what is kept of them; and the reason if not.

use super::{AHEAD_MAX, Pursued, Settings};
use crate::desk::person::keys_of;
use crate::domain::consent::{self, Consent, Facts, Purpose, Why};
use crate::domain::contact::{Channel, Contact, Direction, WEEK, free_at};
use crate::domain::id::CustomerNumber;
use crate::domain::person::Person;
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::domain::time::Timestamp;
use crate::log::Read;
use crate::vault::{self, CONSENTS, CONTACTS, Vault, VaultError};
use std::time::Duration;

/// A purpose and one of its channels.
pub(super) type Pair = (Pursued, Option<Channel>);

impl Settings {
    /// The purposes with their channels, or those of one purpose, of one channel.
    pub(super) fn pairs(&self, purpose: Option<&Purpose>, channel: Option<Channel>) -> Vec<Pair> {
        let wanted = self.purposes.iter().filter(|of| purpose.is_none_or(|purpose| of.purpose == *purpose));
        let of_each = wanted.flat_map(|of| of.by.iter().map(move |by| (of.clone(), by.channel)));
        of_each.filter(|(_, by)| channel.is_none() || *by == channel).collect()
    }

    pub(super) fn pair(&self, purpose: &Purpose, channel: Option<Channel>) -> Result<Pair, Refusal> {
        let pair = self.pairs(Some(purpose), channel).into_iter().next();
        pair.ok_or_else(|| Refusal::field("channel", "the purpose is not pursued by this channel"))
    }
}

/// Why not, with what is no matter of consent too.
#[derive(Debug, Clone, Copy)]
pub(super) enum WhyNot {
    Erased,
    Rule(Why),
}

/// What is known of a customer who may be contacted.
pub(super) struct Known {
    /// `None`: they were erased, or nothing personal was ever kept.
    person: Option<Person>,
    consents: Vec<Consent>,
    opted_out: bool,
    free_at: Option<Timestamp>,
}

impl Known {
    pub(super) fn of(
        views: &(impl Read + ?Sized),
        vault: &Vault,
        settings: &Settings,
        customer: CustomerNumber,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let nobody = Self { person: None, consents: Vec::new(), opted_out: false, free_at: None };
        if matches!(vault.key_of(views, customer), Err(VaultError::Erased)) {
            return Ok(nobody);
        }
        let keys = keys_of(views, vault, customer)?;
        let Some(key) = keys.first() else { return Ok(nobody) };
        let Some(person) = vault.person(views, key)? else {
            // Retention has let the name go; whoever is left is nobody that can be reached.
            return Ok(Self { person: Some(Person::default()), ..nobody });
        };
        let consents = vault.records::<Consent>(views, &keys, CONSENTS)?;
        let consents = consents.into_iter().map(|(_, consent)| consent).collect();
        let opted_out = vault.opted_out(&person);
        let mut times = Vec::new();
        let week = Timestamp(now.0.saturating_sub(micros(WEEK.saturating_add(AHEAD_MAX))));
        for key in &keys {
            for id in vault.record_ids(views, key, CONTACTS)?.into_iter().rev() {
                // What was recorded before the week began was before it.
                if vault::made_at(id).is_some_and(|made| made < week) {
                    break;
                }
                let contact = vault.record::<Contact>(views, key, CONTACTS, id)?;
                times.extend(contact.filter(|contact| settings.counts(contact)).map(|contact| contact.at));
            }
        }
        let free_at = settings.max_per_week.and_then(|max| free_at(times, max, now));
        Ok(Self { person: Some(person), consents, opted_out, free_at })
    }

    pub(super) fn may(&self, (pursued, channel): &Pair, now: Timestamp) -> Result<(), WhyNot> {
        let person = self.person.as_ref().ok_or(WhyNot::Erased)?;
        let facts = Facts {
            basis: pursued.basis,
            latest: consent::latest(&self.consents, &pursued.purpose, *channel),
            opted_out: self.opted_out,
            reached: channel.is_none_or(|channel| channel.reaches(person)),
            free_at: self.free_at,
        };
        consent::may(&facts, now).map_err(WhyNot::Rule)
    }
}

impl Settings {
    /// Whether a contact counts to the frequency cap: what the shop sent, but for what a contract or a law asks for.
    fn counts(&self, contact: &Contact) -> bool {
        let basis = contact.purpose.as_ref().and_then(|purpose| self.of(purpose)).map(|of| of.basis);
        contact.direction == Direction::Out && basis.is_none_or(consent::is_capped)
    }
}

/// The word for a reason, and the time it is about.
pub(super) fn reason(why: &WhyNot) -> (&'static str, Option<Timestamp>) {
    match why {
        WhyNot::Erased => ("ERASED", None),
        WhyNot::Rule(Why::NoConsent) => ("NO_CONSENT", None),
        WhyNot::Rule(Why::Denied(at)) => ("DENIED", Some(*at)),
        WhyNot::Rule(Why::Withdrawn(at)) => ("WITHDRAWN", Some(*at)),
        WhyNot::Rule(Why::Expired(at)) => ("EXPIRED", Some(*at)),
        WhyNot::Rule(Why::OptedOut) => ("OPTED_OUT", None),
        WhyNot::Rule(Why::Cap(at)) => ("CAP", Some(*at)),
        WhyNot::Rule(Why::NoAddress) => ("NO_ADDRESS", None),
    }
}

pub(super) fn refused(why: &WhyNot) -> Refusal {
    let (word, at) = reason(why);
    let at = at.map(|at| format!(", {}", at.rfc3339())).unwrap_or_default();
    let message = format!("may not be contacted for this: {word}{at}; nothing was recorded");
    Refusal { field: Some("only_if_allowed".to_owned()), ..Refusal::new(RefusalCode::Conflict, message) }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
