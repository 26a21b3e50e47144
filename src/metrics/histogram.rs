//! How long something took, how often: counts in buckets, so that any number of threads can add to them at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets in nanoseconds: 1, 2 and 5 of each power of ten from 1 µs to 10 s. What takes longer is counted in one
/// more. A fixed list, so that the histograms of all daemons can be added up.
pub const BOUNDS_NS: [u64; 22] = [
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    1_000_000_000,
    2_000_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// Durations since start. Adding one is two atomic additions.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS_NS.len()],
    beyond: AtomicU64,
    sum_ns: AtomicU64,
}

/// A histogram at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// How many took at most so long: a bound in nanoseconds, and the count up to it.
    pub up_to: Vec<(u64, u64)>,
    /// How many there are.
    pub count: u64,
    /// What they took together, in nanoseconds.
    pub sum_ns: u64,
}

impl Histogram {
    /// Adds one.
    pub fn observe(&self, took: Duration) {
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_NS.partition_point(|bound| *bound < ns);
        self.buckets.get(bucket).unwrap_or(&self.beyond).fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add(ns, Ordering::Relaxed);
    }

    /// What there is now. One that is added meanwhile is in the counts or not; the counts always add up.
    #[must_use]
    pub fn read(&self) -> Reading {
        let mut count: u64 = 0;
        let up_to = BOUNDS_NS.iter().zip(&self.buckets).map(|(bound, bucket)| {
            count = count.saturating_add(bucket.load(Ordering::Relaxed));
            (*bound, count)
        });
        let up_to = up_to.collect();
        let count = count.saturating_add(self.beyond.load(Ordering::Relaxed));
        Reading { up_to, count, sum_ns: self.sum_ns.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_falls_into_the_first_bucket_that_holds_it() {
        let histogram = Histogram::default();
        for ns in [0, 1_000, 1_001, 10_000_000_000, 10_000_000_001] {
            histogram.observe(Duration::from_nanos(ns));
        }
        let read = histogram.read();
        assert_eq!((read.up_to[0], read.up_to[1]), ((1_000, 2), (2_000, 3)));
        assert_eq!((read.up_to.last().copied(), read.count), (Some((10_000_000_000, 4)), 5));
        assert_eq!(read.sum_ns, 20_000_002_002);
        assert!(BOUNDS_NS.is_sorted());
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let histogram = Histogram::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|us| histogram.observe(Duration::from_micros(us))));
            }
        });
        let read = histogram.read();
        assert_eq!((read.count, read.sum_ns), (4_000, 4 * 499_500_000));
    }
}
