//! When to look again. Pure: told the time, never asks.

use crate::domain::time::Uptime;
use std::time::Duration;

/// The safety net: looks this often even when the kernel says nothing.
pub const RESCAN_EVERY: Duration = Duration::from_secs(30);
/// The first pause while a node has no permissions yet. udev needs some ten milliseconds for its rules.
const SETTLE_FIRST: Duration = Duration::from_millis(50);
/// Doubling from the first, the last pause; after it only the safety net looks.
const SETTLE_LAST: Duration = Duration::from_millis(3200);

/// When the next scan is due.
#[derive(Debug, Default)]
pub struct Schedule {
    next: Uptime,
    /// The next pause while something is not settled; `None` once that was given up.
    settle: Option<Duration>,
}

impl Schedule {
    /// Something changed: due at once, and patient again.
    pub fn changed(&mut self, now: Uptime) {
        self.next = self.next.min(now);
        self.settle = Some(SETTLE_FIRST);
    }

    /// A scan was made. `unsettled`: a reader may not be opened yet, so look again soon.
    pub fn scanned(&mut self, now: Uptime, unsettled: bool) {
        let first_ever = self.next.is_zero() && self.settle.is_none();
        let pause = self.settle.or(first_ever.then_some(SETTLE_FIRST)).filter(|_| unsettled);
        self.settle = pause.map(|pause| pause.saturating_mul(2)).filter(|pause| *pause <= SETTLE_LAST);
        self.next = now.saturating_add(pause.unwrap_or(RESCAN_EVERY));
    }

    /// When the next scan is due.
    #[must_use]
    pub fn deadline(&self) -> Uptime {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_and_longer_for_permissions_then_leaves_it_to_the_net() {
        let mut schedule = Schedule::default();
        let mut now = Duration::ZERO;
        let mut pauses = Vec::new();
        for _ in 0..9 {
            schedule.scanned(now, true);
            pauses.push(schedule.deadline().saturating_sub(now).as_millis());
            now = schedule.deadline();
        }
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1600, 3200, 30_000, 30_000]);
        schedule.changed(now);
        assert_eq!(schedule.deadline(), now);
        schedule.scanned(now, true);
        assert_eq!(schedule.deadline().saturating_sub(now), SETTLE_FIRST, "patient again");
        schedule.scanned(now, false);
        assert_eq!(schedule.deadline().saturating_sub(now), RESCAN_EVERY);
    }
}
