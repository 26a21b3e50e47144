//! What the sessions have done since start, for metrics and `status`.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Numbers since start.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64,)*
        }

        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $(pub(super) $name: Counter,)*
        }

        impl Counters {
            pub(super) fn read(&self) -> Stats {
                Stats { $($name: self.$name.0.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Sessions that were opened.
    sessions_opened,
    /// Connections turned away because there were too many.
    sessions_refused,
    /// Sessions closed because the peer did not read.
    sessions_slow,
    /// Sessions closed because a line was too long.
    sessions_too_long,
    /// Connections that could not be accepted (no descriptors, no memory).
    accept_errors,
    /// Requests that could be read, notifications included.
    requests,
    /// Lines that were no request.
    requests_bad,
    /// Events of all registers.
    events,
    /// Events that a register's socket took at once.
    events_sent,
    /// Events that waited in a session's backlog.
    events_queued,
    /// Events that no register was there for.
    events_kept,
    /// Events that left a full ring before they were acknowledged.
    events_dropped,
}

/// One number that only grows.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, by: usize) {
        self.0.fetch_add(u64::try_from(by).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}
