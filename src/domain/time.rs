//! Instants as plain numbers, so that whoever decides something is told the time and never asks.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Time since the daemon started. Never goes back; says nothing about the wall clock.
///
/// A plain [`Duration`], so that a test writes `Duration::from_millis(50)` and needs no base instant.
pub type Uptime = Duration;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This instant, `by` later; stays at the end of time rather than overflow.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// RFC 3339 in UTC with microseconds, as every message on the socket shows time.
    #[must_use]
    pub fn rfc3339(self) -> String {
        jiff::Timestamp::from_microsecond(self.0)
            .map(|at| format!("{at:.6}"))
            .unwrap_or_else(|_| self.0.to_string())
    }
}

/// Where the time comes from. Only `daemon` (and a test) makes one; everyone else is handed it.
pub trait Clock: Send + Sync {
    /// Time since start.
    fn uptime(&self) -> Uptime;
    /// The wall clock, UTC.
    fn utc(&self) -> Timestamp;
}
