//! From a reading to whose it is: customer, blocked, unknown, or not ours and passed on.
//!
//! Pure over a [`Directory`], which is asked at most once for each possible card. Nothing here waits,
//! writes or knows the time but by argument.

use crate::domain::card::{CardReason, CardStatus};
use crate::domain::code::{Alias, CardKey};
use crate::domain::customer::Customer;
use crate::domain::id::{CardId, VisitId};
use crate::domain::scan::{Reading, ReadingKind, Rejection};
use crate::domain::time::Uptime;
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The same code from the same reader within this time is marked as a repeat.
pub const REPEAT_WINDOW: Duration = Duration::from_millis(1500);

/// How many of a reader's last reads are remembered for that. A scanner reads at most some 10 a second.
const RECENT_MAX: usize = 16;

/// How many unknown codes of our own form a register may show at once before further ones are slowed.
pub const GUESSES_MAX: u32 = 10;

/// After this time one more is free again.
pub const GUESS_EVERY: Duration = Duration::from_secs(6);

/// Where cards lead. The views of store and vault are one; a test's map is another.
pub trait Directory {
    /// The card behind a key of ours.
    ///
    /// # Errors
    /// [`Unavailable`] when nothing can be looked up now.
    fn card(&self, key: &CardKey) -> Result<Option<Found>, Unavailable>;

    /// The card behind an imported code.
    ///
    /// # Errors
    /// [`Unavailable`] when nothing can be looked up now.
    fn alias(&self, alias: &Alias) -> Result<Option<Found>, Unavailable>;
}

/// The store is still opening, or its views cannot be read: products go on, cards cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unavailable;

/// A card that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whose it is, as kept: whether the card is honoured stands there, and whoever shows the file need not ask again.
    pub customer: Customer,
    /// Which.
    pub card: CardId,
    /// Whether it is honoured.
    pub status: CardStatus,
    /// Why not.
    pub reason: Option<CardReason>,
}

/// Whose a reading is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A customer's card. `repaired`: one symbol was wrong, and this is the one live card it can be.
    Customer {
        /// The card.
        found: Found,
        /// To be confirmed by the cashier.
        repaired: bool,
    },
    /// A card that is not honoured.
    Blocked(Found),
    /// A sound code of ours that leads to nobody.
    Unknown,
    /// Not ours: a product, a coupon, another programme's card that nobody linked.
    PassedOn,
    /// Ours by its prefix, but spoilt beyond proposing anything.
    Rejected(Rejection),
    /// Ours, and the store cannot be asked.
    Unavailable,
}

/// Tells whose `reading` is.
pub fn identify(reading: &Reading, directory: &dyn Directory) -> Identity {
    match &reading.kind {
        ReadingKind::Card(key) => match directory.card(key) {
            Ok(Some(found)) => known(found),
            Ok(None) => Identity::Unknown,
            Err(Unavailable) => Identity::Unavailable,
        },
        ReadingKind::Damaged { proposals, prefix_ours } => repaired(proposals, *prefix_ours, directory),
        // Its own programme may honour it elsewhere: a miss is passed on like a product.
        ReadingKind::Alias(alias) => match directory.alias(alias) {
            Ok(Some(found)) => known(found),
            Ok(None) | Err(Unavailable) => Identity::PassedOn,
        },
        ReadingKind::Other => Identity::PassedOn,
    }
}

fn known(found: Found) -> Identity {
    if found.status == CardStatus::Active {
        Identity::Customer { found, repaired: false }
    } else {
        Identity::Blocked(found)
    }
}

/// Half of all strings can be "repaired": a proposal counts only when exactly one live card answers.
fn repaired(proposals: &[CardKey], prefix_ours: bool, directory: &dyn Directory) -> Identity {
    let mut live = None;
    let mut count = 0_u32;
    for key in proposals {
        match directory.card(key) {
            Ok(Some(found)) if found.status == CardStatus::Active => {
                live = Some(found);
                count = count.saturating_add(1);
            }
            Ok(_) => {}
            Err(Unavailable) if prefix_ours => return Identity::Unavailable,
            Err(Unavailable) => return Identity::PassedOn,
        }
    }
    match (live, count) {
        (Some(found), 1) => Identity::Customer { found, repaired: true },
        _ if prefix_ours => Identity::Rejected(Rejection::BadCheck),
        _ => Identity::PassedOn,
    }
}

/// What an earlier read of the same code led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Earlier {
    /// It opened this visit.
    Visit(VisitId),
    /// It was passed on as the event of this sequence.
    Event(u64),
    /// It was a card that is not honoured, told as the event of this sequence.
    Blocked(u64),
}

/// The last reads of one reader, to mark repeats. Keeps a keyed hash of each, never the data.
#[derive(Debug)]
pub struct Repeats {
    window: Duration,
    hasher: RandomState,
    recent: VecDeque<(u64, Uptime, Earlier)>,
}

impl Repeats {
    /// Remembers reads for `window`.
    #[must_use]
    pub fn new(window: Duration) -> Self {
        Self { window, hasher: RandomState::new(), recent: VecDeque::with_capacity(RECENT_MAX) }
    }

    /// From now on reads are remembered for `window`.
    pub fn set_window(&mut self, window: Duration) {
        self.window = window;
    }

    /// What the last read of the same data within the window led to.
    pub fn earlier(&mut self, data: &[u8], now: Uptime) -> Option<Earlier> {
        let oldest = now.saturating_sub(self.window);
        self.recent.retain(|(_, at, _)| *at >= oldest);
        let hash = self.hasher.hash_one(data);
        self.recent.iter().rev().find(|(kept, ..)| *kept == hash).map(|(_, _, led_to)| *led_to)
    }

    /// Notes what this read led to.
    pub fn note(&mut self, data: &[u8], now: Uptime, led_to: Earlier) {
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back((self.hasher.hash_one(data), now, led_to));
    }
}

/// How many answers may be held back for one bucket; whoever asks for more gets none.
pub const DEBT_MAX: u32 = 8;

/// How many guesses are left: a bucket that refills with time. Used for unknown codes and for searches.
#[derive(Debug, Clone)]
pub struct Budget {
    left: u32,
    /// Places taken in advance by [`Self::reserve`].
    debt: u32,
    most: u32,
    every: Duration,
    refilled_at: Uptime,
}

impl Budget {
    /// A full bucket of `most`, refilled by one `every` so often.
    #[must_use]
    pub fn new(most: u32, every: Duration, now: Uptime) -> Self {
        Self { left: most, debt: 0, most, every, refilled_at: now }
    }

    /// Spends one; when none is left, says how long to wait for the next.
    ///
    /// # Errors
    /// The time until one is free again.
    pub fn spend(&mut self, now: Uptime) -> Result<(), Duration> {
        self.refill(now);
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(self.next_in(now)),
        }
    }

    /// Spends one, or takes the next place in advance and says how long to wait for it, each further one longer.
    ///
    /// # Errors
    /// The wait; `None` when [`DEBT_MAX`] places are taken already.
    pub fn reserve(&mut self, now: Uptime) -> Result<(), Option<Duration>> {
        let Err(wait) = self.spend(now) else { return Ok(()) };
        if self.debt >= DEBT_MAX {
            return Err(None);
        }
        let wait = wait.saturating_add(self.every.saturating_mul(self.debt));
        self.debt = self.debt.saturating_add(1);
        Err(Some(wait))
    }

    fn next_in(&self, now: Uptime) -> Duration {
        self.every.saturating_sub(now.saturating_sub(self.refilled_at))
    }

    /// Brings the bucket up to now; what was taken in advance is paid first.
    fn refill(&mut self, now: Uptime) {
        while self.left < self.most && now.saturating_sub(self.refilled_at) >= self.every {
            match self.debt.checked_sub(1) {
                Some(debt) => self.debt = debt,
                None => self.left = self.left.saturating_add(1),
            }
            self.refilled_at = self.refilled_at.saturating_add(self.every);
        }
        if self.left == self.most {
            self.refilled_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::CustomerNumber;
    use crate::domain::time::Timestamp;
    use std::collections::HashMap;
    use uuid::Uuid;

    #[derive(Default)]
    struct Map(HashMap<CardKey, Found>);

    impl Directory for Map {
        fn card(&self, key: &CardKey) -> Result<Option<Found>, Unavailable> {
            Ok(self.0.get(key).cloned())
        }
        fn alias(&self, _: &Alias) -> Result<Option<Found>, Unavailable> {
            Err(Unavailable)
        }
    }

    fn found(number: u128, status: CardStatus) -> Found {
        let card = CardId(Uuid::from_u128(number));
        let customer = Customer::new(CustomerNumber(Uuid::from_u128(7)), Timestamp(0));
        Found { customer, card, status, reason: None }
    }

    fn key(number: u8) -> CardKey {
        CardKey([number; 10])
    }

    fn reading(kind: ReadingKind) -> Reading {
        Reading { data: b"x".to_vec(), aim: None, kind }
    }

    #[test]
    fn a_repair_needs_exactly_one_live_card() {
        let mut map = Map::default();
        let (live, other, lost) =
            (found(1, CardStatus::Active), found(2, CardStatus::Active), found(3, CardStatus::Blocked));
        map.0.extend([(key(1), live.clone()), (key(2), other), (key(3), lost.clone())]);
        let damaged = |proposals: Vec<CardKey>, prefix_ours| {
            identify(&reading(ReadingKind::Damaged { proposals, prefix_ours }), &map)
        };
        assert_eq!(damaged(vec![key(1)], true), Identity::Customer { found: live, repaired: true });
        assert_eq!(damaged(vec![key(1), key(2)], true), Identity::Rejected(Rejection::BadCheck));
        assert_eq!(
            damaged(vec![key(3)], true),
            Identity::Rejected(Rejection::BadCheck),
            "a blocked card is not live"
        );
        assert_eq!(damaged(vec![key(9)], false), Identity::PassedOn, "a stranger's code is no spoilt card");
        assert_eq!(identify(&reading(ReadingKind::Card(key(3))), &map), Identity::Blocked(lost));
        assert_eq!(identify(&reading(ReadingKind::Card(key(9))), &map), Identity::Unknown);
    }

    #[test]
    fn a_repeat_is_marked_within_its_window_only() {
        let ms = Duration::from_millis;
        let mut repeats = Repeats::new(REPEAT_WINDOW);
        assert_eq!(repeats.earlier(b"a", ms(0)), None);
        repeats.note(b"a", ms(0), Earlier::Event(1));
        assert_eq!(repeats.earlier(b"b", ms(100)), None);
        assert_eq!(repeats.earlier(b"a", ms(1500)), Some(Earlier::Event(1)));
        assert_eq!(repeats.earlier(b"a", ms(1501)), None);
    }

    #[test]
    fn held_back_guesses_wait_one_after_the_other_and_end() {
        let second = Duration::from_secs(1);
        let mut budget = Budget::new(1, second, Duration::ZERO);
        assert_eq!(budget.reserve(second), Ok(()));
        for place in 1..=DEBT_MAX {
            assert_eq!(budget.reserve(second), Err(Some(second * place)));
        }
        assert_eq!(budget.reserve(second), Err(None));
        assert_eq!(
            budget.reserve(second * 2),
            Err(Some(second * DEBT_MAX)),
            "one was answered, one more may wait"
        );
    }

    #[test]
    fn guesses_run_out_and_come_back_one_by_one() {
        let second = Duration::from_secs(1);
        let mut budget = Budget::new(2, second, Duration::ZERO);
        assert_eq!(budget.spend(second), Ok(()));
        assert_eq!(budget.spend(second), Ok(()));
        assert_eq!(budget.spend(second), Err(second));
        assert_eq!(budget.spend(second * 2), Ok(()));
        assert_eq!(budget.spend(second * 2), Err(second));
        assert_eq!(budget.spend(second * 100), Ok(()));
        assert_eq!(budget.spend(second * 100), Ok(()));
        assert_eq!(budget.spend(second * 100), Err(second), "never more than the bucket holds");
    }
}
