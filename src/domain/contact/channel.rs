//! The ways in which a shop and a customer have to do with each other.
//!
//! Pure. A channel says how, never with whom.

use crate::domain::person::{Person, TelephoneKind};
use serde::{Deserialize, Serialize};

/// By which way a customer comes to the shop, or the shop to a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Channel {
    /// Face to face.
    InStore,
    /// A call.
    Telephone,
    /// A text message to a telephone.
    Sms,
    /// E-mail.
    Email,
    /// A letter.
    Post,
    /// A chat, of the shop's site or of somebody else's programme.
    Chat,
    /// The shop's site, or its forms.
    Web,
    /// The shop's own programme on the customer's telephone.
    App,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::InStore,
        Self::Telephone,
        Self::Sms,
        Self::Email,
        Self::Post,
        Self::Chat,
        Self::Web,
        Self::App,
    ];

    /// The word on the wire and in the config.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::InStore => "IN_STORE",
            Self::Telephone => "TELEPHONE",
            Self::Sms => "SMS",
            Self::Email => "EMAIL",
            Self::Post => "POST",
            Self::Chat => "CHAT",
            Self::Web => "WEB",
            Self::App => "APP",
        }
    }

    /// Whether something is kept of `person` by which this channel reaches them. Where the person comes by themselves, or the
    /// address is kept by somebody else, nothing is needed.
    #[must_use]
    pub fn reaches(self, person: &Person) -> bool {
        match self {
            Self::Telephone => !person.telephone.is_empty(),
            Self::Sms => person.telephone.iter().any(|number| number.kind != Some(TelephoneKind::Home)),
            Self::Email => !person.email.is_empty(),
            Self::Post => !person.address.is_empty(),
            Self::InStore | Self::Chat | Self::Web | Self::App => true,
        }
    }
}
