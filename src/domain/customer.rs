//! A customer in the neutral half: a number, cards, points, what is open. No name.

use super::card::Card;
use super::id::{CardId, CustomerNumber, MergeId, VisitId};
use super::issue::Issue;
use super::purchase::Bought;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The most cards kept with a customer; when a further one is issued, the oldest that is no longer honoured goes.
pub const CARDS_MAX: usize = 16;

/// The most issues one customer can have open at once: with the cards they are one value of a view.
pub const OPEN_ISSUES_MAX: usize = 8;

/// The most customers that are merged into one, in all.
pub const MEMBERS_MAX: usize = 8;

/// What is true of a customer now, whole in one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// The number.
    pub customer: CustomerNumber,
    /// Since when.
    pub enrolled_at: Timestamp,
    /// Oldest first, at most [`CARDS_MAX`].
    pub cards: Vec<Card>,
    /// Oldest first, at most [`OPEN_ISSUES_MAX`].
    pub issues_open: Vec<Issue>,
    /// How many visits there were.
    pub visits: u64,
    /// The last of them.
    pub last_visit: Option<(VisitId, Timestamp)>,
    /// What was bought, in sum.
    pub bought: Bought,
    /// Into whom this one was merged, and by which merge.
    pub merged: Option<(CustomerNumber, MergeId)>,
    /// Who was merged into this one, at most [`MEMBERS_MAX`]: of a value of a view those at first hand, of a whole customer all.
    pub members: Vec<CustomerNumber>,
}

impl Customer {
    /// A customer without anything yet.
    #[must_use]
    pub fn new(customer: CustomerNumber, enrolled_at: Timestamp) -> Self {
        Self {
            customer,
            enrolled_at,
            cards: Vec::new(),
            issues_open: Vec::new(),
            visits: 0,
            last_visit: None,
            bought: Bought::default(),
            merged: None,
            members: Vec::new(),
        }
    }

    /// With what another customer has, who was merged into this one. `None` if the sums cannot be added up.
    #[must_use]
    pub fn with(mut self, other: Self) -> Option<Self> {
        self.bought = self.bought.and(&other.bought)?;
        self.enrolled_at = self.enrolled_at.min(other.enrolled_at);
        self.cards.extend(other.cards);
        self.cards.sort_by_key(|card| card.issued_at);
        self.issues_open.extend(other.issues_open);
        self.issues_open.sort_by_key(|issue| issue.opened_at);
        self.visits = self.visits.saturating_add(other.visits);
        self.last_visit = [self.last_visit, other.last_visit].into_iter().flatten().max_by_key(|(_, at)| *at);
        Some(self)
    }

    /// When the shop last had to do with the customer: what retention counts from.
    #[must_use]
    pub fn last_contact(&self) -> Timestamp {
        self.last_visit.map_or(self.enrolled_at, |(_, at)| at.max(self.enrolled_at))
    }

    /// The card, if it is (still) kept with the customer.
    #[must_use]
    pub fn card(&self, card: CardId) -> Option<&Card> {
        self.cards.iter().find(|kept| kept.card == card)
    }

    /// The same, to change it.
    pub fn card_mut(&mut self, card: CardId) -> Option<&mut Card> {
        self.cards.iter_mut().find(|kept| kept.card == card)
    }

    /// Adds a card and, beyond [`CARDS_MAX`], forgets the oldest that is not honoured any more.
    pub fn add_card(&mut self, card: Card) {
        let now = card.issued_at;
        self.cards.push(card);
        if self.cards.len() > CARDS_MAX
            && let Some(oldest) = self.cards.iter().position(|kept| !kept.is_honoured(now))
        {
            self.cards.remove(oldest);
        }
    }

    /// Whether one more card can be honoured at `now` beside those there are.
    #[must_use]
    pub fn has_room_for_card(&self, now: Timestamp) -> bool {
        self.cards.iter().filter(|card| card.is_honoured(now)).count() < CARDS_MAX
    }
}
