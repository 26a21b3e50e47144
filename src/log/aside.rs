//! Threads whose work can wait for everybody else's.

use crate::sys;
use std::io;
use std::thread::{self, JoinHandle};

/// Beside a thread of the usual 0 on the same processor such a thread gets a tenth of the time. No less: some of them hold short locks that others
/// take, and a stop waits for them. What they read and write comes later too, with a disk's scheduler that has priorities.
const NICE: i32 = 10;

/// Starts a thread that gives way to the others.
pub(super) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let run = move || {
        if let Err(error) = sys::give_way(NICE) {
            tracing::debug!(%error, "a thread whose work can wait takes as much time as the others");
        }
        run();
    };
    thread::Builder::new().name(name.to_owned()).spawn(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_way() {
        let nice = spawn("waits", || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            let nice = stat.rsplit_once(") ").unwrap().1.split(' ').nth(16).unwrap().parse::<i32>().unwrap();
            assert!(nice >= NICE, "{nice}");
        });
        nice.unwrap().join().unwrap();
    }
}
