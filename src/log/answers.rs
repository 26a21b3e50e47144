//! The thread that tells whoever waits for a group: waking 64 of them takes as long as deciding ten, and the committer has others to
//! decide meanwhile.

use super::group::{Outcome, Waiting};
use crossbeam_channel::{Sender, bounded};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};

/// Groups that may stand in line to be told; a committer that is that far ahead waits.
const GROUPS_MAX: usize = 4;

/// What one group is told.
struct Told {
    waiting: Waiting,
    /// The log writes no more, and why.
    read_only: Option<String>,
}

/// Holds the thread; dropping it waits until everybody was told.
pub(super) struct Answers {
    /// `None` once it is to end.
    groups: Option<Sender<Told>>,
    thread: Option<JoinHandle<()>>,
}

impl Answers {
    pub(super) fn start() -> io::Result<Self> {
        let (groups, work) = bounded::<Told>(GROUPS_MAX);
        let run = move || {
            for Told { waiting, read_only } in work {
                for (job, outcome) in waiting {
                    let outcome = read_only.clone().map_or(outcome, Outcome::ReadOnly);
                    // What a caller wanted back may panic when it is dropped, for nobody waits any more.
                    catch_unwind(AssertUnwindSafe(|| job.answer(outcome))).ok();
                }
            }
        };
        let thread = thread::Builder::new().name("answers".to_owned()).spawn(run)?;
        Ok(Self { groups: Some(groups), thread: Some(thread) })
    }

    /// Tells those whose group is on the disk; or, with a reason, never will be.
    pub(super) fn tell(&self, waiting: Waiting, read_only: Option<&String>) {
        if waiting.is_empty() {
            return;
        }
        let told = Told { waiting, read_only: read_only.cloned() };
        // The thread ends only after this is dropped; were it gone, the callers' channels would tell them.
        self.groups.as_ref().map(|groups| groups.send(told).ok());
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        drop(self.groups.take());
        // It catches its panics; there is nothing to be told here.
        self.thread.take().map(JoinHandle::join);
    }
}
