//! A card as a thing that is issued, blocked and replaced; its code is in [`code`](super::code).

use super::id::{CardId, CustomerNumber, ReaderName, RegisterName};
use super::time::{Day, Timestamp};
use serde::{Deserialize, Serialize};

/// What the card is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CardKind {
    /// Printed by us, a QR code on paper.
    Qr,
    /// A plastic card, printed or encoded elsewhere.
    Plastic,
    /// On a phone. None is made; it holds its place among the kinds that the views keep by number.
    Wallet,
    /// A card of another programme, found by its alias.
    Alias,
}

/// Whether the card is honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CardStatus {
    /// Opens its customer.
    Active,
    /// Stopped: lost, stolen, or on the customer's wish.
    Blocked,
    /// Another card took its place.
    Replaced,
    /// Its time is over.
    Expired,
}

impl CardStatus {
    /// The word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Blocked => "BLOCKED",
            Self::Replaced => "REPLACED",
            Self::Expired => "EXPIRED",
        }
    }
}

/// Why a card is no longer honoured: a list, never free text, for the neutral half keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CardReason {
    /// The customer lost it.
    Lost,
    /// It was stolen.
    Stolen,
    /// It no longer reads.
    Damaged,
    /// The customer asked.
    Requested,
    /// Misused, or suspected to be.
    Misuse,
    /// It never came out of the printer whole.
    NotPrinted,
    /// Its time is over.
    Expired,
}

impl CardReason {
    /// The word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Lost => "LOST",
            Self::Stolen => "STOLEN",
            Self::Damaged => "DAMAGED",
            Self::Requested => "REQUESTED",
            Self::Misuse => "MISUSE",
            Self::NotPrinted => "NOT_PRINTED",
            Self::Expired => "EXPIRED",
        }
    }
}

/// One card of a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Names the card without its code.
    pub card: CardId,
    /// What it is.
    pub kind: CardKind,
    /// Whether it is honoured.
    pub status: CardStatus,
    /// Why not, if not.
    pub reason: Option<CardReason>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// The card that took its place.
    pub replaced_by: Option<CardId>,
    /// The last day on which it is honoured; none: for good.
    pub valid_until: Option<Day>,
}

/// A card that is not honoured was shown all the same: somebody should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardAlert {
    /// Whose it is, or was.
    pub customer: CustomerNumber,
    /// Which.
    pub card: CardId,
    /// Whether it was blocked, replaced, or its time was over.
    pub status: CardStatus,
    /// Why.
    pub reason: Option<CardReason>,
    /// Where it was shown.
    pub register: RegisterName,
    /// To which reader.
    pub reader: ReaderName,
}

impl Card {
    /// Whether it is honoured at `now`, and why not: as it was decided, or else because its time is over.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> (CardStatus, Option<CardReason>) {
        let over = self.valid_until.is_some_and(|day| day.is_over(now));
        match self.status {
            CardStatus::Active if over => (CardStatus::Expired, Some(CardReason::Expired)),
            CardStatus::Active | CardStatus::Blocked | CardStatus::Replaced | CardStatus::Expired => {
                (self.status, self.reason)
            }
        }
    }

    /// Whether it is honoured at `now`.
    #[must_use]
    pub fn is_honoured(&self, now: Timestamp) -> bool {
        self.standing(now).0 == CardStatus::Active
    }
}
