//! The handle that other rooms hold.

use super::answers::Answers;
use super::bring::Stop;
use super::committer::{Aside, Committer, Request, State, Work};
use super::files::io_error;
use super::group::Task;
use super::journal::Journal;
use super::marker::journal_dir;
use super::mend::{MendThread, Renewals};
use super::progress::Progress;
use super::record::events;
use super::renew::refused;
use super::scan::{Part, replay, scan};
use super::scrub::ScrubThread;
use super::second::{Second, SecondThread, Tips};
use super::snapshots::{SnapshotThread, Snapshots};
use super::table::Position;
use super::verify::Fault;
use super::writer::{Ends, Writer};
use super::{
    Committed, Folds, GROW_BYTES, Half, Halves, Health, HealthState, Hold, Meta, OpenError, OpenReport,
    Pending, QUEUE_MAX, Refused, SecondCopy, Settings, SubmitError, Tx, UtcUs, Views, open,
};
use crossbeam_channel::{TrySendError, bounded};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

/// The most that an open leaves to be read again by the next one: the room that the two journals are filled ahead.
const READ_AGAIN_BYTES_MAX: u64 = 2 * GROW_BYTES;

/// A log: clones share one committer. Dropping the last one stops it as [`Log::close`] does.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
}

struct Shared {
    thread: Mutex<Option<JoinHandle<()>>>,
    state: Arc<State>,
    renewals: Arc<Renewals>,
    /// `None` once closed.
    mender: Mutex<Option<MendThread>>,
    /// `None` once closed, or over damaged journals.
    snapshot_thread: Mutex<Option<SnapshotThread>>,
    snapshots: Arc<Snapshots>,
    /// `None` once closed, or over damaged journals.
    scrub: Mutex<Option<ScrubThread>>,
    /// `None` once closed, with one disk only, or over damaged journals.
    second: Mutex<Option<SecondThread>>,
    second_state: Option<Arc<Second>>,
    utc_us: UtcUs,
    timeline: u32,
    /// Why the journals cannot be read, where the log was opened over its views alone.
    damaged: Option<String>,
}

impl Log {
    /// Opens the log in `settings.dir`, or makes it: settles what a crash left, brings the views up to the journal, starts
    /// the committer. Reads the journals from their last checkpoint on; where it must read them whole it takes about a
    /// second for each few hundred MB. Journals that are damaged for good leave the log read-only from the start, over its views.
    pub fn open(settings: Settings, folds: Folds, utc_us: UtcUs) -> Result<(Self, OpenReport), OpenError> {
        let hold = open::hold(&settings.dir)?;
        Self::open_telling(hold, settings, folds, utc_us, Arc::default())
    }

    /// As [`Self::open`], of a folder that is held already; `progress` is told how far views are that are built or brought up, then
    /// and as long as the log is open.
    pub fn open_telling(
        hold: Hold,
        settings: Settings,
        folds: Folds,
        utc_us: UtcUs,
        progress: Arc<Progress>,
    ) -> Result<(Self, OpenReport), OpenError> {
        let started_us = utc_us();
        let opened = open::open(hold, &settings, &folds, &progress)?;
        let mut report = opened.report;
        let state = Arc::new(State::at(opened.last));
        let (queue, requests) = bounded(QUEUE_MAX);
        let unstarted = || io_error("start a thread for", &settings.dir);
        let damaged = opened.journals.as_ref().err().cloned();
        let (writer, ends) = writer(opened.journals, opened.positions, &state).map_err(unstarted())?;
        let mut committer = Committer {
            settings: settings.clone(),
            requests,
            writer,
            ends,
            applied: opened.positions,
            views: opened.views.clone(),
            folds: folds.clone(),
            progress: Arc::clone(&progress),
            utc_us: Arc::clone(&utc_us),
            state: Arc::clone(&state),
            last: opened.last,
            orphans: opened.orphans,
            second: None,
            since: (0, 0),
            work: Work::default(),
            answers: Answers::start().map_err(unstarted())?,
        };
        // What took long to read or to fold is not to be read again, should this run end badly too.
        if report.caught_up > 0 || !report.rebuilt.is_empty() || report.read_bytes > READ_AGAIN_BYTES_MAX {
            committer.checkpoint();
        }
        // Nothing that reads the journals beside the work runs over damaged ones.
        let whole = damaged.is_none();
        let (second, second_state) =
            second_copy(&settings, whole, ends.tips, &state, &utc_us).map_err(unstarted())?;
        state.set_tips(ends.tips);
        committer.second = second.as_ref().map(|second| Arc::clone(&second.shared));
        let thread = thread::Builder::new().name("committer".to_owned()).spawn(move || committer.run());
        let thread = thread.map_err(unstarted())?;
        let took_us = utc_us().saturating_sub(started_us);
        report.took = std::time::Duration::from_micros(u64::try_from(took_us).unwrap_or(0));
        let (scrubbed, views) = (second_state.clone(), opened.views.clone());
        let scrub = whole.then(|| ScrubThread::start(settings.clone(), Arc::clone(&state), views, scrubbed));
        let scrub = scrub.transpose().map_err(unstarted())?;
        let snapshots = Arc::new(Snapshots::new(settings.clone(), folds.clone(), Arc::clone(&state)));
        let snapshot_thread = whole.then(|| SnapshotThread::start(Arc::clone(&snapshots)));
        let snapshot_thread = snapshot_thread.transpose().map_err(unstarted())?;
        let (of_state, of_settings) = (Arc::clone(&state), settings.clone());
        let renewals = Arc::new(Renewals::new(of_settings, folds, opened.views, of_state, queue, progress));
        let mender = MendThread::start(Arc::clone(&renewals)).map_err(unstarted())?;
        let shared = Shared {
            snapshot_thread: Mutex::new(snapshot_thread),
            snapshots,
            thread: Mutex::new(Some(thread)),
            state,
            renewals,
            mender: Mutex::new(Some(mender)),
            second: Mutex::new(second),
            scrub: Mutex::new(scrub),
            second_state,
            utc_us,
            timeline: opened.timeline,
            damaged,
        };
        Ok((Self { shared: Arc::new(shared) }, report))
    }

    /// Queues a decision. It runs on the committer's thread, so it must be quick, and pure over the [`Tx`]: it reads,
    /// emits, and returns a value or a refusal. With an `Err` nothing it emitted is kept. Answers come once the whole
    /// group is durable, also for a decision that only read.
    pub fn submit<T: Send + 'static, R: Send + 'static>(
        &self,
        decide: impl FnOnce(&mut Tx<'_>) -> Result<T, R> + Send + 'static,
    ) -> Result<Pending<T, R>, SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.queue(Request::Decide(Box::new(Task::new(decide, reply))))?;
        Ok(Pending::new(answer))
    }

    /// Brings halves that a locked fold left behind at open up to their journals; call it once the fold can read its
    /// events. Writing waits meanwhile. Gives how many records were folded, 0 when nothing was behind;
    /// [`Refused::Fold`](super::Refused::Fold) when the fold is still locked. Over damaged journals there is nothing to bring up
    /// from, and the views are read as they are.
    pub fn unlock_catch_up(&self) -> Result<Pending<u64, OpenError>, SubmitError> {
        let (reply, answer) = oneshot::channel();
        if self.shared.damaged.is_some() {
            let last = Meta { seq: self.health().last_seq, at_us: self.health().last_at_us };
            // Its receiver is right here.
            drop(reply.send(Ok(Committed { value: 0, meta: last })));
            return Ok(Pending::new(answer));
        }
        self.queue(Request::Aside(Aside::CatchUp(reply)))?;
        self.shared.renewals.unlocked();
        Ok(Pending::new(answer))
    }

    /// Builds a half's views anew from its journal into another folder, puts them in place of the old ones, and deletes
    /// those: what a fold leaves out now (a section whose key was destroyed) is then in none of their files. Readers go
    /// on, and writers wait only for the switch, some milliseconds. Works on the calling thread, for as long as a
    /// rebuild takes; one at a time. Gives how many records were folded.
    ///
    /// # Errors
    /// [`Refused::Fold`] when the fold is locked, [`Refused::ReadOnly`] and [`Refused::Closed`] when the log is, else
    /// [`Refused::Refusal`] with what failed. The views are then the old ones, whole.
    pub fn renew_views(&self, half: Half) -> Result<u64, Refused<OpenError>> {
        self.shared.readable()?;
        let Shared { renewals, state, .. } = &*self.shared;
        renewals.renew(half, false).map_err(|stop| match state.read_only() {
            Some(why) => Refused::ReadOnly { why: why.clone() },
            None => self.shared.refused(half, stop),
        })
    }

    /// Takes a snapshot of a half as its journal stands now; gives the file, or `None` where the last one already is of
    /// there. Works on the calling thread; the log goes on beside it, and takes snapshots by itself too.
    ///
    /// # Errors
    /// As [`Log::renew_views`]. The snapshots that there were stay.
    pub fn snapshot(&self, half: Half) -> Result<Option<PathBuf>, Refused<OpenError>> {
        self.shared.readable()?;
        let Shared { renewals, snapshots, .. } = &*self.shared;
        let go_on = || !renewals.closing.load(Ordering::Relaxed);
        snapshots.take(half, &go_on).map_err(|stop| self.shared.refused(half, stop))
    }

    /// Goes once more through what was committed to a half, the oldest first, event by event. Reads and checks the whole journal
    /// up to now on the calling thread: a second or so for each hundred MB. One caller at a time.
    ///
    /// # Errors
    /// As [`Log::renew_views`], where the journal cannot be read to its end.
    pub fn past(&self, half: Half, visit: &mut dyn FnMut(&Meta, &[u8])) -> Result<(), Refused<OpenError>> {
        self.shared.readable()?;
        let renewals = &self.shared.renewals;
        let _one_at_a_time = renewals.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.past(half, visit).map_err(|stop| self.shared.refused(half, stop))
    }

    fn queue(&self, request: Request) -> Result<(), SubmitError> {
        if let Some(why) = self.shared.state.read_only() {
            return Err(SubmitError::ReadOnly { why: why.clone() });
        }
        let queue = self.shared.renewals.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.as_ref().ok_or(SubmitError::Closed)?.try_send(request).map_err(|error| match error {
            TrySendError::Full(_) => SubmitError::Busy,
            TrySendError::Disconnected(_) => SubmitError::Closed,
        })
    }

    /// The committed views.
    #[must_use]
    pub fn views(&self) -> Views {
        self.shared.renewals.views.clone()
    }

    /// Why the log was opened over its views alone, if it was: its journal is damaged, and could not be healed.
    #[must_use]
    pub fn damaged(&self) -> Option<&str> {
        self.shared.damaged.as_deref()
    }

    /// Which timeline of the store this is: 1, and one more after each restore to an earlier moment.
    #[must_use]
    pub fn timeline(&self) -> u32 {
        self.shared.timeline
    }

    /// Whether writes are taken, and the last sequence the views show.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.health()
    }

    /// Finishes what is queued, makes a checkpoint, ends the committer. Clones of this handle are closed with it. The
    /// folder can be opened again once they and all [`Views`] are dropped.
    pub fn close(self) -> Health {
        self.shared.stop();
        self.shared.health()
    }
}

/// Starts who writes the journals; over damaged ones nobody does, and the log is told why.
fn writer(
    journals: Result<Halves<Journal>, String>,
    positions: Halves<Position>,
    state: &State,
) -> io::Result<(Writer, Ends)> {
    match journals {
        Ok(journals) => Writer::start(journals, positions),
        Err(why) => {
            state.fail(why);
            Ok(Writer::none(positions))
        }
    }
}

/// Starts who keeps the second copy, where there is one to keep; and how that is.
fn second_copy(
    settings: &Settings,
    whole: bool,
    tips: Tips,
    state: &Arc<State>,
    utc_us: &UtcUs,
) -> io::Result<(Option<SecondThread>, Option<Arc<Second>>)> {
    let Some(second) = settings.second_dir.clone() else { return Ok((None, None)) };
    if !whole {
        return Ok((None, Some(Arc::new(Second::away("it is not kept while the first copy is damaged")))));
    }
    let dirs = (settings.dir.clone(), second);
    let thread = SecondThread::start(dirs, tips, Arc::clone(state), utc_us)?;
    let shared = Arc::clone(&thread.shared);
    Ok((Some(thread), Some(shared)))
}

impl Shared {
    /// Refuses what needs the journals, where they are damaged.
    fn readable(&self) -> Result<(), Refused<OpenError>> {
        self.damaged.as_ref().map_or(Ok(()), |why| Err(Refused::ReadOnly { why: why.clone() }))
    }

    /// What is wrong with a journal stops the writing, whoever found it.
    fn refused(&self, half: Half, stop: Stop) -> Refused<OpenError> {
        let Renewals { settings, views, .. } = &*self.renewals;
        if let Stop::Open(error @ OpenError::Damaged { .. }) = &stop {
            views.found(Fault::of(&settings.dir, half, error));
        }
        refused(settings, half, stop)
    }

    fn past(&self, half: Half, visit: &mut dyn FnMut(&Meta, &[u8])) -> Result<(), Stop> {
        let (reply, answer) = sync_channel(1);
        if !self.renewals.send(Request::Aside(Aside::Place { half, reply })) {
            return Err(Stop::Closing);
        }
        let to = answer.recv().map_err(|_| Stop::Closing)?;
        let part = Part { to: Some(to), ..Part::default() };
        let found = scan(&journal_dir(&self.renewals.settings.dir, half), half, part)?;
        replay(&found, 0, &mut |record, _| {
            events(record.payload).flatten().for_each(|event| visit(&record.meta, event));
            Ok(())
        })?;
        Ok(())
    }

    fn health(&self) -> Health {
        let state = match self.state.read_only() {
            Some(why) => HealthState::ReadOnly { why: why.clone() },
            None => HealthState::Ok,
        };
        let behind = Half::ALL.into_iter().filter(|half| self.renewals.views.is_behind(*half)).collect();
        let (views, mended) = (self.renewals.views_state(), self.renewals.mended_so_far());
        let last_seq = self.state.last_seq.load(Ordering::Acquire);
        let last_at_us = self.state.last_at_us.load(Ordering::Acquire);
        let second = self.second_state.as_ref();
        let second = second.map_or(SecondCopy::OneDiskOnly, |second| second.state((self.utc_us)()));
        Health { state, last_seq, last_at_us, behind, views, mended, second }
    }

    fn stop(&self) {
        self.renewals.closing.store(true, Ordering::Relaxed);
        drop(self.renewals.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The last handle may be dropped by a decision, on the committer itself: it ends on its own then.
        let Some(thread) = thread.filter(|thread| thread.thread().id() != thread::current().id()) else {
            return;
        };
        if thread.join().is_err() {
            self.state.fail("the committer panicked".to_owned());
        }
        let mender = self.mender.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mender) = mender {
            mender.stop();
        }
        let snapshots = self.snapshot_thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(snapshots) = snapshots {
            snapshots.stop();
        }
        let scrub = self.scrub.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(scrub) = scrub {
            scrub.stop();
        }
        let second = self.second.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(second) = second {
            second.stop();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("health", &self.health()).finish_non_exhaustive()
    }
}
