//! Which processor each reader's thread runs on.
//!
//! Left to itself Linux has a scan's thread woken on another processor whenever the last one is at work, be it with the register's
//! program that has just had its frame; and there the code of a scan, hundreds of pages, is in none of its caches. So each thread
//! stays on one (`sched_setaffinity(2)`), in turn over the processors that the daemon may use. `src/daemon/COST.md` has what that is worth.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The thread that calls.
const THIS_THREAD: Pid = Pid::from_raw(0);

/// Processors, given to one thread after the other.
#[derive(Debug)]
pub(super) struct Processors {
    /// The last first: devices' interrupts mostly go to the first. No slow ones, where there are faster ones.
    allowed: Vec<usize>,
    next: AtomicUsize,
}

impl Processors {
    /// Those that this process may run on; none where that cannot be told.
    pub(super) fn of_this_process() -> Self {
        let set = sched_getaffinity(Pid::this()).unwrap_or_default();
        let allowed = (0..CpuSet::count()).rev().filter(|cpu| set.is_set(*cpu).unwrap_or(false));
        let speeds: Vec<(usize, u64)> = allowed.map(|cpu| (cpu, speed(cpu))).collect();
        Self { allowed: fast(&speeds), next: AtomicUsize::new(0) }
    }

    /// Has the calling thread stay on the next of them. Where it may not it runs wherever there is room, a little slower.
    pub(super) fn stay(&self) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let Some(cpu) = turn.checked_rem(self.allowed.len()).and_then(|at| self.allowed.get(at)) else {
            return;
        };
        let mut set = CpuSet::new();
        if let Err(errno) = set.set(*cpu).and_then(|()| sched_setaffinity(THIS_THREAD, &set)) {
            tracing::debug!(cpu, %errno, "a reader's thread cannot stay on one processor");
        }
    }
}

/// The highest frequency of a processor in kHz (`cpufreq` of the kernel's sysfs); 0 where that is not told, as in a virtual machine.
fn speed(cpu: usize) -> u64 {
    let path = format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/cpuinfo_max_freq");
    std::fs::read_to_string(path).ok().and_then(|khz| khz.trim_end().parse().ok()).unwrap_or(0)
}

/// Those that are not much slower than the fastest: a processor made of two kinds has its efficient cores at some three quarters.
fn fast(speeds: &[(usize, u64)]) -> Vec<usize> {
    let fastest = speeds.iter().map(|(_, khz)| *khz).max().unwrap_or(0);
    let least = fastest.saturating_mul(4) / 5;
    speeds.iter().filter(|(_, khz)| *khz >= least).map(|(cpu, _)| *cpu).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sched::sched_getcpu;
    use std::sync::Arc;

    #[test]
    fn efficient_cores_are_left_to_others() {
        assert_eq!(fast(&[(5, 3_700_000), (4, 3_700_000), (1, 4_900_000), (0, 5_000_000)]), [1, 0]);
        assert_eq!(fast(&[(1, 0), (0, 0)]), [1, 0], "nobody tells");
        assert!(fast(&[]).is_empty());
    }

    #[test]
    fn threads_stay_each_on_a_processor_in_turn_and_the_others_where_they_may() {
        let before = sched_getaffinity(THIS_THREAD).unwrap();
        let processors = Arc::new(Processors::of_this_process());
        let all = processors.allowed.len();
        assert!(all > 0);
        let stayed: Vec<usize> = (0..2 * all)
            .map(|_| {
                let processors = Arc::clone(&processors);
                std::thread::spawn(move || {
                    processors.stay();
                    let set = sched_getaffinity(THIS_THREAD).unwrap();
                    let cpu = sched_getcpu().unwrap();
                    assert!((0..CpuSet::count()).all(|at| set.is_set(at).unwrap() == (at == cpu)));
                    cpu
                })
            })
            .map(|thread| thread.join().unwrap())
            .collect();
        assert_eq!(stayed[..all], processors.allowed[..]);
        assert_eq!(stayed[all..], processors.allowed[..]);
        assert_eq!(sched_getaffinity(THIS_THREAD).unwrap(), before);
    }
}
