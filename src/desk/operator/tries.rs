//! How often a wrong PIN can be tried: per session, and per operator over all of them. In memory only; no clock.

use crate::domain::operator::Operator;
use crate::domain::time::Uptime;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

/// After so many wrong PINs in a row none can be tried for a while; and after each further one.
pub const WRONG_MAX: u32 = 5;

/// The first while.
pub const LOCK_FIRST: Duration = Duration::from_mins(1);

/// Each while is twice as long as the one before, up to this: a hundred tries a day, for a PIN of four digits three months.
pub const LOCK_MAX: Duration = Duration::from_mins(15);

/// Places for the counts of operators. What a peer calls an operator is one or not, and is counted alike: whatever is tried, there are
/// never more. Two operators can share a place; which, nobody outside can tell.
const SLOTS: u64 = 4096;

/// Wrong PINs in a row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tries {
    wrong: u32,
    locked_until: Uptime,
}

impl Tries {
    /// How long to wait for the next try; zero if it is free.
    pub(super) fn wait(&self, now: Uptime) -> Duration {
        self.locked_until.saturating_sub(now)
    }

    /// Counts one, which is wrong until the whole row is taken back.
    pub(super) fn count(&mut self, now: Uptime) {
        self.wrong = self.wrong.saturating_add(1);
        if let Some(times) = self.wrong.checked_sub(WRONG_MAX) {
            let doubled = LOCK_FIRST.saturating_mul(2_u32.saturating_pow(times));
            self.locked_until = now.saturating_add(doubled.min(LOCK_MAX));
        }
    }
}

/// The counts of all operators.
#[derive(Debug, Default)]
pub(super) struct Slots {
    hasher: RandomState,
    tries: HashMap<u64, Tries>,
}

impl Slots {
    /// As [`Tries::wait`].
    pub(super) fn wait(&self, operator: &Operator, now: Uptime) -> Duration {
        self.tries.get(&self.slot(operator)).map_or(Duration::ZERO, |tries| tries.wait(now))
    }

    /// As [`Tries::count`].
    pub(super) fn count(&mut self, operator: &Operator, now: Uptime) {
        self.tries.entry(self.slot(operator)).or_default().count(now);
    }

    /// The right PIN was given, or there is another one.
    pub(super) fn right(&mut self, operator: &Operator) {
        self.tries.remove(&self.slot(operator));
    }

    fn slot(&self, operator: &Operator) -> u64 {
        self.hasher.hash_one(operator).checked_rem(SLOTS).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_guesses_waits_ever_longer_up_to_a_quarter_of_an_hour() {
        let (mut tries, mut now, mut waits) = (Tries::default(), Duration::from_secs(7), Vec::new());
        for _ in 0..12 {
            tries.count(now);
            let wait = tries.wait(now);
            waits.push(wait.as_secs());
            now += wait;
            assert!(tries.wait(now).is_zero());
        }
        assert_eq!(waits, [0, 0, 0, 0, 60, 120, 240, 480, 900, 900, 900, 900]);
    }

    #[test]
    fn however_many_operators_are_made_up_the_places_are_as_many() {
        let mut slots = Slots::default();
        let at = Duration::ZERO;
        for number in 0..20_000 {
            slots.count(&format!("x{number}").parse().unwrap(), at);
        }
        assert!(u64::try_from(slots.tries.len()).unwrap() <= SLOTS);
        let one: Operator = "x1".parse().unwrap();
        slots.right(&one);
        assert!(slots.wait(&one, at).is_zero());
    }
}
