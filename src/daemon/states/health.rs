//! How an open store is, in the words that registers are told.

use crate::domain::time::Timestamp;
use crate::log::{Half, Health, HealthState, Rebuilt, SecondCopy, ViewsState};

/// A clock that is so far behind the last write was set back; less is how clocks are kept right.
const CLOCK_BEHIND_US: i64 = 60_000_000;

/// How something is, as a word, and why.
type Word = (&'static str, Option<String>);

/// No second folder is set.
const ONE_DISK: Word = ("one_disk_only", None);

/// Nothing of the views is known to be damaged.
pub(super) const VIEWS_OK: Word = ("ok", None);

/// What an open store says of its health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) read_only: Option<String>,
    /// How the journals' second copy is.
    pub(super) second: Word,
    /// How the views are.
    pub(super) views: Word,
    /// How often damaged ones were built anew.
    mended: u64,
    /// Whether the locked vault lacks what was written shortly before the last end: cards of then are not known.
    pub(super) vault_behind: bool,
    /// Whether the views of a damaged journal may lack what was written to it: what they do not hold is not known.
    pub(super) journal_behind: bool,
    /// Since when the clock is behind the last write, as the last write's time in microseconds.
    pub(super) clock_behind: Option<i64>,
}

impl Default for Found {
    fn default() -> Self {
        Self {
            read_only: None,
            second: ONE_DISK,
            views: VIEWS_OK,
            mended: 0,
            vault_behind: false,
            journal_behind: false,
            clock_behind: None,
        }
    }
}

impl Found {
    pub(super) fn of(health: &Health, at: Timestamp) -> Self {
        let read_only = match &health.state {
            HealthState::Ok => None,
            HealthState::ReadOnly { why } => Some(why.clone()),
        };
        let second = match &health.second {
            SecondCopy::OneDiskOnly => ONE_DISK,
            SecondCopy::Ok => ("ok", None),
            SecondCopy::Behind { .. } => ("behind", None),
            SecondCopy::Absent { why } => ("absent", Some(why.clone())),
        };
        let damaged = |half: &Half, why: &str| format!("the {} views are damaged: {why}", half.name());
        let views = match &health.views {
            ViewsState::Ok => VIEWS_OK,
            ViewsState::Rebuilding { half, why, .. } => ("rebuilding", Some(damaged(half, why))),
            ViewsState::Damaged { half, why, hindered } => (
                "damaged",
                Some(format!("{}; they cannot be built anew now: {hindered}", damaged(half, why))),
            ),
        };
        let behind = health.last_at_us.saturating_sub(at.0) > CLOCK_BEHIND_US;
        let clock_behind = behind.then_some(health.last_at_us);
        // The neutral half has no lock.
        let journal_behind = health.behind.contains(&Half::Neutral);
        let vault_behind = health.behind.contains(&Half::Personal) && !journal_behind;
        let mended = health.mended.0;
        Self { read_only, second, views, mended, vault_behind, journal_behind, clock_behind }
    }

    /// Says in the log what is `new`, and gives whether anything is that registers are told.
    pub(super) fn log_changes(&self, new: &Self, health: &Health) -> bool {
        let (stopped, moved) = (self.read_only != new.read_only, self.second != new.second);
        let (views, clock) =
            (self.views != new.views, self.clock_behind.is_some() != new.clock_behind.is_some());
        match new.clock_behind.map(|last| Timestamp(last).rfc3339()) {
            _ if !clock => {}
            Some(last) => tracing::warn!(
                last,
                "the clock is behind the last write: what is written is dated by that; set the clock"
            ),
            None => tracing::info!("the clock has come to the last write"),
        }
        if let (true, Some(why)) = (stopped, &new.read_only) {
            tracing::error!(why, "the store takes no writes any more; cards are known, products pass");
        }
        match &new.second {
            _ if !moved => {}
            (state @ ("absent" | "behind"), why) => tracing::warn!(state, why, "the journals' second copy"),
            (state, _) => tracing::info!(state, "the journals' second copy"),
        }
        if let (true, (state, Some(why))) = (views, &new.views) {
            tracing::error!(
                state,
                why,
                "views are damaged; what is damaged cannot be read until they are built anew"
            );
        }
        if let (true, Some(Rebuilt { half, why, records })) = (self.mended != new.mended, &health.mended.1) {
            tracing::warn!(half = half.name(), why, records, "views that were damaged were built anew");
        }
        if new.journal_behind && !self.journal_behind {
            tracing::warn!(
                "what the views do not hold may all the same be in the damaged journal: such cards are unavailable"
            );
        }
        let fell = self.vault_behind != new.vault_behind;
        if fell && new.vault_behind {
            tracing::warn!(
                "the vault is locked and behind: cards made shortly before the last end are not known until it is unlocked"
            );
        }
        stopped || moved || views || fell || clock
    }
}
