//! Which processor each reader's thread runs on.
//!
//! Left to itself Linux has a scan's thread woken on another processor whenever the last one is at work, be it with the register's
//! program that has just had its frame; and there the code of a scan, hundreds of pages, is in none of its caches. So each thread
//! stays where it began (`sched_setaffinity(2)`), in turn over the processors that the daemon may use, and the kernel moves
//! what may be moved out of its way. `src/daemon/COST.md` has what that is worth.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The thread that calls.
const THIS_THREAD: Pid = Pid::from_raw(0);

/// Processors, given to one thread after the other.
#[derive(Debug)]
pub(super) struct Processors {
    /// The last first: devices' interrupts mostly go to the first.
    allowed: Vec<usize>,
    next: AtomicUsize,
}

impl Processors {
    /// Those that this process may run on; none where that cannot be told.
    pub(super) fn of_this_process() -> Self {
        let set = sched_getaffinity(THIS_THREAD).unwrap_or_default();
        let allowed = (0..CpuSet::count()).rev().filter(|cpu| set.is_set(*cpu).unwrap_or(false)).collect();
        Self { allowed, next: AtomicUsize::new(0) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sched::sched_getcpu;
    use std::sync::Arc;

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
