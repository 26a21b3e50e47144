//! The one place that asks what time it is.

use crate::domain::time::{Clock, Timestamp, Uptime};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The machine's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose uptime begins now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everyone else is handed")]
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn uptime(&self) -> Uptime {
        self.started.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock that everyone else is handed")]
    fn utc(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}
