//! What is counted on the way of a scan: by reader and outcome, and how long each stage takes.
//!
//! A reader's thread holds its own counters, and adds to atomics alone: nothing is allocated for a scan, and no lock is taken.
//! With `FICHAD_LOG=fichad::daemon=trace` each stage is also a span in the log; without, asking whether it is wanted costs one comparison.

use crate::domain::id::ReaderName;
use crate::domain::scan::Rejection;
use crate::domain::time::{Clock, Uptime};
use crate::metrics::{Histogram, Reading};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The most readers that are told apart; what comes after is counted as `other`. The config has room for 32, and hotplug finds some more.
pub(super) const READERS_MAX: usize = 64;

/// What replays are counted as, whatever their number.
const REPLAY: &str = "replay";

/// What readers lent for a load test are counted as.
const LENT: &str = "lent";

/// What a scan came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Identified,
    Blocked,
    Unknown,
    Unavailable,
    PassedOn,
    Rejected,
}

impl Outcome {
    pub(super) const ALL: [Self; 6] =
        [Self::Identified, Self::Blocked, Self::Unknown, Self::Unavailable, Self::PassedOn, Self::Rejected];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Identified => "identified",
            Self::Blocked => "blocked",
            Self::Unknown => "unknown",
            Self::Unavailable => "unavailable",
            Self::PassedOn => "passed_on",
            Self::Rejected => "rejected",
        }
    }
}

/// A part of the way, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// From the kernel's wake-up to a whole scan: reading and framing, of the piece that ended it.
    Read,
    /// What kind of code it is, and whether it is refused.
    Decode,
    /// Whose it is.
    Resolve,
    /// The customer's file, put together.
    Compose,
    /// The frame, written and sent to the register's socket.
    Push,
    /// The visit, queued for the journal once the frame is out: nobody waits for it.
    Record,
}

impl Stage {
    pub(super) const ALL: [Self; 6] =
        [Self::Read, Self::Decode, Self::Resolve, Self::Compose, Self::Push, Self::Record];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Decode => "decode",
            Self::Resolve => "resolve",
            Self::Compose => "compose",
            Self::Push => "push",
            Self::Record => "record",
        }
    }

    fn span(self) -> tracing::Span {
        match self {
            Self::Read => tracing::trace_span!("read"),
            Self::Decode => tracing::trace_span!("decode"),
            Self::Resolve => tracing::trace_span!("resolve"),
            Self::Compose => tracing::trace_span!("compose"),
            Self::Push => tracing::trace_span!("push"),
            Self::Record => tracing::trace_span!("record"),
        }
    }
}

/// One number for each of a few words.
#[derive(Debug)]
struct Counts<const N: usize>([AtomicU64; N]);

/// All of them 0: the standard library has no such default for lists of any length.
impl<const N: usize> Default for Counts<N> {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; N])
    }
}

impl<const N: usize> Counts<N> {
    fn add(&self, place: Option<usize>) {
        if let Some(count) = place.and_then(|place| self.0.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn read(&self) -> [u64; N] {
        std::array::from_fn(|place| self.0.get(place).map_or(0, |count| count.load(Ordering::Relaxed)))
    }
}

/// One reader's scans.
#[derive(Debug, Default)]
pub(super) struct ReaderTally {
    outcomes: Counts<{ Outcome::ALL.len() }>,
}

impl ReaderTally {
    pub(super) fn count(&self, outcome: Outcome) {
        self.outcomes.add(Outcome::ALL.iter().position(|known| *known == outcome));
    }
}

/// All of it.
pub(super) struct Tally {
    clock: Arc<dyn Clock>,
    stages: [Histogram; Stage::ALL.len()],
    whole: Histogram,
    rejections: Counts<{ Rejection::ALL.len() }>,
    /// Taken when a reader begins and when the numbers are read, never for a scan.
    readers: Mutex<Vec<(String, Arc<ReaderTally>)>>,
}

impl Tally {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let (stages, whole, rejections) = Default::default();
        Self { clock, stages, whole, rejections, readers: Mutex::default() }
    }

    /// The counters of a reader; the same ones again when it comes back.
    pub(super) fn reader(&self, name: &ReaderName) -> Arc<ReaderTally> {
        let name = match name.as_str().split_once(':') {
            Some((REPLAY, _)) => REPLAY,
            Some((LENT, _)) => LENT,
            Some(_) | None => name.as_str(),
        };
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let name = if readers.len() < READERS_MAX { name } else { "other" };
        if let Some((_, tally)) = readers.iter().find(|(known, _)| known == name) {
            return Arc::clone(tally);
        }
        let tally = Arc::new(ReaderTally::default());
        readers.push((name.to_owned(), Arc::clone(&tally)));
        tally
    }

    pub(super) fn rejected(&self, rejection: Rejection) {
        self.rejections.add(Rejection::ALL.iter().position(|known| *known == rejection));
    }

    /// The time now, for [`Self::took`].
    pub(super) fn now(&self) -> Uptime {
        self.clock.uptime()
    }

    /// Does a stage's work and notes how long it took.
    pub(super) fn time<T>(&self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let _span = stage.span().entered();
        let began = self.clock.uptime();
        let done = work();
        self.took(stage, began);
        done
    }

    /// Notes that `stage`, which began then, is over.
    pub(super) fn took(&self, stage: Stage, began: Uptime) {
        let place = Stage::ALL.iter().position(|known| *known == stage);
        if let Some(histogram) = place.and_then(|place| self.stages.get(place)) {
            histogram.observe(self.clock.uptime().saturating_sub(began));
        }
    }

    /// Notes that a scan that woke its reader then is with its register.
    pub(super) fn done(&self, woken: Uptime) {
        self.whole.observe(self.clock.uptime().saturating_sub(woken));
    }

    /// Each reader's counts in the order of [`Outcome::ALL`].
    pub(super) fn readers(&self) -> Vec<(String, [u64; Outcome::ALL.len()])> {
        let readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        readers.iter().map(|(name, tally)| (name.clone(), tally.outcomes.read())).collect()
    }

    /// In the order of [`Rejection::ALL`].
    pub(super) fn rejections(&self) -> [u64; Rejection::ALL.len()] {
        self.rejections.read()
    }

    /// In the order of [`Stage::ALL`], and the whole way.
    pub(super) fn stages(&self) -> ([Reading; Stage::ALL.len()], Reading) {
        (self.stages.each_ref().map(Histogram::read), self.whole.read())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::SystemClock;

    #[test]
    fn there_are_only_so_many_readers() {
        let tally = Tally::new(Arc::new(SystemClock::start()));
        let count = |name: &str| tally.reader(&ReaderName::new(name).unwrap()).count(Outcome::PassedOn);
        count("replay:1");
        count("replay:2");
        for number in 0..READERS_MAX * 2 {
            count(&format!("usb:0c2e:0b81:{number}"));
        }
        let readers = tally.readers();
        assert_eq!(readers.len(), READERS_MAX + 1, "and one for all the others");
        assert_eq!(readers.first(), Some(&("replay".to_owned(), [0, 0, 0, 0, 2, 0])));
        assert_eq!(readers.last().map(|(name, _)| name.as_str()), Some("other"));
        let all: u64 = readers.iter().map(|(_, counts)| counts[4]).sum();
        assert_eq!(usize::try_from(all), Ok(READERS_MAX * 2 + 2));
    }
}
