//! The thread that has the journals: writes a group, syncs it, says so, and waits for the next.
//!
//! It has one group at a time, so of what was not acknowledged a crash leaves at most one group in part.

use super::group::{Decision, Group};
use super::journal::Journal;
use super::record::{Kind, NewRecord};
use super::second::Tips;
use super::table::Position;
use super::{Half, Halves};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// How writing a group ended.
pub(super) struct Written {
    /// The error says why nothing more may be written.
    pub(super) done: Result<(), String>,
    pub(super) ends: Ends,
}

impl Written {
    /// Of a thread that is gone.
    pub(super) fn gone(ends: Ends) -> Self {
        Self { done: Err("its thread is gone".to_owned()), ends }
    }
}

/// Where the journals end, every record before synced.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub(super) tips: Tips,
    pub(super) positions: Halves<Position>,
}

/// The journals, and where they end.
struct Journals {
    journals: Halves<Journal>,
    positions: Halves<Position>,
}

/// Holds the thread; dropping it waits for what is being written.
pub(super) struct Writer {
    /// `None` once it is to end.
    groups: Option<Sender<Arc<Group>>>,
    written: Receiver<Written>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// One that writes nothing: its journals are damaged.
    pub(super) fn none(positions: Halves<Position>) -> (Self, Ends) {
        let (_, written) = bounded(0);
        (Self { groups: None, written, thread: None }, Ends { tips: Tips::default(), positions })
    }

    /// Starts the thread; gives where the journals end now.
    pub(super) fn start(journals: Halves<Journal>, positions: Halves<Position>) -> io::Result<(Self, Ends)> {
        let (groups, work) = bounded::<Arc<Group>>(1);
        let (done, written) = bounded(1);
        let mut journals = Journals { journals, positions };
        let ends = journals.ends();
        let run = move || {
            for group in work {
                let writing = AssertUnwindSafe(|| journals.commit(&group.records));
                let wrote =
                    catch_unwind(writing).unwrap_or_else(|_| Err(io::Error::other("writing panicked")));
                // Whoever is told applies the group, and wants it for itself.
                drop(group);
                let done_with =
                    Written { done: wrote.map_err(|error| error.to_string()), ends: journals.ends() };
                if done.send(done_with).is_err() {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("journal".to_owned()).spawn(run)?;
        Ok((Self { groups: Some(groups), written, thread: Some(thread) }, ends))
    }

    /// Hands over a group; the one before was written. `false`: the thread is gone.
    pub(super) fn write(&self, group: Arc<Group>) -> bool {
        self.groups.as_ref().is_some_and(|groups| groups.send(group).is_ok())
    }

    /// Where is said how each group ended.
    pub(super) fn written(&self) -> &Receiver<Written> {
        &self.written
    }

    /// Waits until the group is written; the journals ended at `ends` before.
    pub(super) fn wait(&self, ends: Ends) -> Written {
        self.written.recv().unwrap_or_else(|_| Written::gone(ends))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.groups.take());
        // It catches its panics; there is nothing to be told here.
        self.thread.take().map(JoinHandle::join);
    }
}

impl Journals {
    /// Personal records first, then the neutral ones: their sync is the commit point.
    fn commit(&mut self, records: &[Decision]) -> io::Result<()> {
        let kind = Kind::Events;
        for Decision { meta, personal, .. } in records {
            let Some(payload) = personal else { continue };
            let record = NewRecord { meta: *meta, kind, paired: false, payload };
            let crc = self.journals.personal.append(&record)?;
            self.positions.personal = Position { seq: meta.seq, crc, ..self.positions.personal };
        }
        self.journals.personal.commit()?;
        for Decision { meta, personal, neutral } in records {
            let record = NewRecord { meta: *meta, kind, paired: personal.is_some(), payload: neutral };
            let crc = self.journals.neutral.append(&record)?;
            self.positions.neutral = Position { seq: meta.seq, crc, ..self.positions.neutral };
        }
        self.journals.neutral.commit()
    }

    fn ends(&self) -> Ends {
        let place = |half| self.journals.get(half).place();
        let places = Halves { personal: place(Half::Personal), neutral: place(Half::Neutral) };
        Ends { tips: Tips { places }, positions: self.positions }
    }
}
