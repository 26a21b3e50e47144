//! Times sorted into ranks, and the table that is printed of them. Says of the machine only what a reader needs.

use std::time::Duration;

/// The ranks that are shown, in thousandths.
const RANKS: [(&str, usize); 3] = [("p50", 500), ("p99", 990), ("p99.9", 999)];

#[expect(clippy::print_stdout, reason = "what was measured goes to standard output")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// How long each scan took.
#[derive(Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn push(&mut self, took: Duration) {
        self.0.push(took);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The time within which so many thousandths of the scans were done, in microseconds: the nearest rank.
    fn ranks(&self) -> [f64; 3] {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        RANKS.map(|(_, thousandths)| {
            let rank = sorted.len().saturating_mul(thousandths).div_ceil(1000).saturating_sub(1);
            sorted.get(rank).map_or(f64::NAN, |took| took.as_secs_f64() * 1e6)
        })
    }
}

/// Prints each with how many times the first it is.
pub(crate) fn table(all: &[(&str, &Times)]) {
    let floor = all.first().map_or([f64::NAN; 3], |(_, times)| times.ranks());
    let mut head = format!("{:<24}", "");
    RANKS.iter().for_each(|(name, _)| head.push_str(&format!("{name:>21}")));
    say(&head);
    for (name, times) in all {
        let mut line = format!("{name:<24}");
        for (us, floor) in times.ranks().into_iter().zip(floor) {
            line.push_str(&format!("{us:>11.1} µs {:>5.2} x", us / floor));
        }
        say(&line);
    }
}

/// How many cores, which kernel: nothing that tells one machine from another of its kind.
pub(crate) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version: String = release.chars().take_while(|char| char.is_ascii_digit() || *char == '.').collect();
    format!("machine: {cores} cores, Linux {version}")
}
