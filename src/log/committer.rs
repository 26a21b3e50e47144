//! The one thread that decides: while the writer has one group, it decides the next over it; what was written it applies, and has answered.

use super::answers::Answers;
use super::bring::{self, Stop};
use super::checkpoint::{self, Checkpoint};
use super::files::to_u64;
use super::group::{Group, Job, Outcome, Waiting};
use super::layer::Layer;
use super::pending::{Answer, Committed};
use super::progress::Progress;
use super::renew::{self, Switch};
use super::scan::{Place, Seen};
use super::second::{Second, Tips};
use super::table::{Position, Table, Unwritten};
use super::tx::Tx;
use super::writer::{Ends, Writer, Written};
use super::{FoldError, Folds, GROUP_MAX, Half, Halves, Meta, OpenError, Refused, Settings, UtcUs, Views};
use crossbeam_channel::{Receiver, select};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::oneshot;

/// So many decisions are enough for a group; a shorter one waits while more are queued. A writer that is busy finds more, up to
/// [`GROUP_MAX`].
const BEGIN_MAX: usize = 32;

/// What other threads see of the committer.
#[derive(Debug, Default)]
pub(super) struct State {
    read_only: OnceLock<String>,
    pub(super) last_seq: AtomicU64,
    /// When that was committed, in microseconds since 1970 UTC.
    pub(super) last_at_us: AtomicI64,
    /// Where the journals end on the disk.
    tips: Mutex<Tips>,
}

impl State {
    /// Of a log that ends with `last`.
    pub(super) fn at(last: Meta) -> Self {
        let (last_seq, last_at_us) = (last.seq.into(), last.at_us.into());
        Self { last_seq, last_at_us, ..Self::default() }
    }

    pub(super) fn tips(&self) -> Tips {
        *self.tips.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_tips(&self, tips: Tips) {
        *self.tips.lock().unwrap_or_else(PoisonError::into_inner) = tips;
    }

    pub(super) fn read_only(&self) -> Option<&String> {
        self.read_only.get()
    }

    /// Stops writing for this run; the first reason stays.
    pub(super) fn fail(&self, why: String) {
        self.read_only.get_or_init(|| why);
    }
}

/// What waits in the queue.
pub(super) enum Request {
    Decide(Box<dyn Job>),
    /// Done alone, between two groups.
    Aside(Aside),
}

/// What the committer does beside deciding. Nobody may be waiting for an answer any more.
pub(super) enum Aside {
    /// Bring the halves that were left behind up to their journals.
    CatchUp(oneshot::Sender<Answer<u64, OpenError>>),
    /// Say where a journal ends.
    Place { half: Half, reply: SyncSender<Place> },
    /// Put new views in place; gives the ones before.
    Switch { switch: Switch, reply: SyncSender<Result<Option<Arc<Table>>, Stop>> },
}

pub(super) struct Committer {
    pub(super) settings: Settings,
    pub(super) requests: Receiver<Request>,
    /// Who has the journals.
    pub(super) writer: Writer,
    /// Where they end, up to what was applied.
    pub(super) ends: Ends,
    /// Where the views are.
    pub(super) applied: Halves<Position>,
    pub(super) views: Views,
    pub(super) folds: Folds,
    /// Told how far a half is that is brought up.
    pub(super) progress: Arc<Progress>,
    pub(super) utc_us: UtcUs,
    pub(super) state: Arc<State>,
    /// The last transaction that was decided.
    pub(super) last: Meta,
    pub(super) orphans: Halves<Vec<Seen>>,
    /// Who carries what was synced to the second folder.
    pub(super) second: Option<Arc<Second>>,
    /// Groups and bytes of events since the last checkpoint.
    pub(super) since: (u64, u64),
    pub(super) work: Work,
    /// Who tells those who wait.
    pub(super) answers: Answers,
}

/// What was decided and not answered yet.
#[derive(Default)]
pub(super) struct Work {
    /// Grows until the writer is free.
    next: Group,
    next_waiting: Waiting,
    /// What the writer has, empty when it has nothing.
    under_way: Arc<Group>,
    /// `None` while the writer is free.
    waiting: Option<Waiting>,
}

/// What the committer does next.
enum Turn {
    Asked(Request),
    Written(Written),
}

impl Committer {
    /// Works until every sender is gone, the queue is empty and the last group written.
    pub(super) fn run(mut self) {
        while let Some(turn) = self.next() {
            let work = || match turn {
                Turn::Asked(Request::Decide(job)) => self.decide(job),
                Turn::Asked(Request::Aside(asked)) => self.aside(asked),
                Turn::Written(written) => self.written(written),
            };
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                self.state.fail("the committer panicked".to_owned());
            }
        }
        if self.state.read_only().is_none() {
            self.checkpoint();
        }
        self.settle();
    }

    /// Waits for the next thing to do; `None` at the end. What was written comes first: the writer has nothing to do.
    fn next(&mut self) -> Option<Turn> {
        if self.work.waiting.is_none() {
            // Not all that is queued: the two would wait for each other in turn.
            if self.work.next_waiting.len() < BEGIN_MAX
                && let Ok(request) = self.requests.try_recv()
            {
                return Some(Turn::Asked(request));
            }
            self.hand_over();
        }
        if self.work.waiting.is_none() {
            return self.requests.recv().ok().map(Turn::Asked);
        }
        let written = self.writer.written();
        if self.is_full() || !written.is_empty() {
            return Some(Turn::Written(self.writer.wait(self.ends)));
        }
        if let Ok(request) = self.requests.try_recv() {
            return Some(Turn::Asked(request));
        }
        select! {
            recv(self.requests) -> request => match request {
                Ok(request) => Some(Turn::Asked(request)),
                Err(_) => Some(Turn::Written(self.writer.wait(self.ends))),
            },
            recv(written) -> ended => Some(Turn::Written(ended.unwrap_or_else(|_| Written::gone(self.ends)))),
        }
    }

    /// Waits until all that was decided is written and seen.
    fn drain(&mut self) {
        while self.work.waiting.is_some() || !self.work.next_waiting.is_empty() {
            if self.work.waiting.is_none() {
                self.hand_over();
            } else {
                let written = self.writer.wait(self.ends);
                self.written(written);
            }
        }
    }

    /// Whether the next group takes no more.
    fn is_full(&self) -> bool {
        self.work.next_waiting.len() >= GROUP_MAX
    }

    /// Runs one decision over what was decided before; what it emitted joins the next group only when all of it held.
    fn decide(&mut self, mut job: Box<dyn Job>) {
        let outcome = match self.state.read_only() {
            Some(why) => return job.answer(Outcome::ReadOnly(why.clone())),
            None => self.outcome(job.as_mut()),
        };
        self.work.next_waiting.push((job, outcome));
    }

    fn outcome(&mut self, job: &mut dyn Job) -> Outcome {
        let now_us = (self.utc_us)().max(self.last.at_us);
        let meta = Meta { seq: self.last.seq.saturating_add(1), at_us: now_us };
        let Work { next, under_way, .. } = &mut self.work;
        let mut tx = Tx::new(meta, (&self.views, &self.folds), next, under_way);
        match catch_unwind(AssertUnwindSafe(|| job.decide(&mut tx))) {
            Ok(true) => match tx.keep() {
                Ok(emitted) => {
                    self.last = if emitted { meta } else { self.last };
                    Outcome::Done(self.last)
                }
                Err(error) => Outcome::Fold(error),
            },
            Ok(false) => {
                tx.take_back();
                Outcome::Refused
            }
            Err(_) => {
                tx.take_back();
                Outcome::Panicked
            }
        }
    }

    /// Gives the writer, which is free, the next group; answers at once those who only read.
    fn hand_over(&mut self) {
        let (waiting, next) =
            (std::mem::take(&mut self.work.next_waiting), std::mem::take(&mut self.work.next));
        let refused = self.state.read_only().cloned();
        if refused.is_some() || next.records.is_empty() {
            return self.answers.tell(waiting, refused.as_ref());
        }
        self.work.under_way = Arc::new(next);
        self.work.waiting = Some(waiting);
        // A writer that is gone is noticed where its word is waited for.
        self.writer.write(Arc::clone(&self.work.under_way));
    }

    /// A group was written: the writer gets the next one, then this one is seen, and who waits for it is told.
    fn written(&mut self, Written { done, ends }: Written) {
        let group = std::mem::take(&mut self.work.under_way);
        let waiting = self.work.waiting.take().unwrap_or_default();
        if let Err(error) = done {
            let why = format!("could not write the journal: {error}");
            self.state.fail(why.clone());
            return self.answers.tell(waiting, Some(&why));
        }
        // A sync for each few would take more of the processor than they do; what is queued is decided first.
        let is_enough = self.work.next_waiting.len() >= BEGIN_MAX || self.requests.is_empty();
        if is_enough && !self.work.next.records.is_empty() {
            self.hand_over();
        }
        self.ends = ends;
        self.state.set_tips(ends.tips);
        if let Some(second) = &self.second {
            second.committed(ends.tips, (self.utc_us)());
        }
        let (bytes, last) = (to_u64(group.bytes()), group.records.last().map(|record| record.meta));
        // The writer has let go of it.
        let layer = Arc::try_unwrap(group).map_or_else(|held| held.layer.clone(), |own| own.layer);
        self.apply(layer, last.unwrap_or(self.last));
        self.answers.tell(waiting, None);
        let (groups, so_far) = self.since;
        self.since = (groups.saturating_add(1), so_far.saturating_add(bytes));
        if self.is_due() && self.state.read_only().is_none() {
            self.checkpoint();
        }
    }

    fn aside(&mut self, asked: Aside) {
        self.drain();
        match asked {
            Aside::CatchUp(reply) => self.catch_up(reply),
            Aside::Place { half, reply } => drop(reply.send(*self.ends.tips.places.get(half))),
            Aside::Switch { switch, reply } => drop(reply.send(self.switch(switch))),
        }
    }

    fn switch(&mut self, switch: Switch) -> Result<Option<Arc<Table>>, Stop> {
        // After a failed write the journal's end is not known for sure.
        if self.state.read_only().is_some() {
            return Err(Stop::Closing);
        }
        let (half, end) = (switch.half, *self.ends.tips.places.get(switch.half));
        // Its checkpoint must not come after, or with, the new table's first. What it could not write, the new one has.
        if let Some(before) = self.views.table(half) {
            before.wait().ok();
        }
        let (at, old) = renew::switch(&self.settings, self.folds.get(half), &self.views, switch, end)?;
        *self.applied.get_mut(half) = at;
        Ok(old)
    }

    fn catch_up(&self, reply: oneshot::Sender<Answer<u64, OpenError>>) {
        let mut records: u64 = 0;
        let mut answer = Ok(());
        for half in Half::ALL.into_iter().filter(|half| self.views.is_behind(*half)) {
            let fold = (half, self.folds.get(half));
            match bring::catch_up(&self.settings, fold, &self.views, &self.progress) {
                Ok(more) => records = records.saturating_add(more),
                Err(Stop::Locked) => answer = Err(Refused::Fold(FoldError::Locked)),
                Err(Stop::Views(what)) => {
                    let dir = self.settings.dir.join(half.folder());
                    answer = Err(Refused::Refusal(OpenError::Views { dir, what }));
                }
                Err(Stop::Open(error)) => answer = Err(Refused::Refusal(error)),
                Err(Stop::Closing) => answer = Err(Refused::Closed),
            }
        }
        // Nobody may be waiting; what was caught up stays so.
        drop(reply.send(answer.map(|()| Committed { value: records, meta: self.last })));
    }

    /// Brings the views up to what was just committed: in memory, for the journal has it.
    fn apply(&mut self, mut layer: Layer, last: Meta) {
        for half in Half::ALL {
            let Some(table) = self.views.table(half).filter(|_| !self.views.is_behind(half)) else {
                continue;
            };
            let to = *self.ends.positions.get(half);
            if to != *self.applied.get(half) {
                table.apply(std::mem::take(layer.get_mut(half)), to);
                *self.applied.get_mut(half) = to;
            }
        }
        self.state.last_at_us.store(last.at_us, Ordering::Release);
        self.state.last_seq.store(last.seq, Ordering::Release);
    }

    /// Whether it is time for a checkpoint. While the last one is being written there may come together as much again.
    fn is_due(&self) -> bool {
        let tables: Vec<_> = Half::ALL.into_iter().filter_map(|half| self.views.table(half)).collect();
        let times = if tables.iter().any(|table| table.is_writing()) { 2 } else { 1 };
        let (groups, bytes) = self.since;
        groups >= self.settings.checkpoint_groups.saturating_mul(times)
            || bytes >= self.settings.checkpoint_bytes.saturating_mul(times)
            || tables.iter().any(|table| table.is_full())
    }

    /// Has the views written down to the disk, and then noted up to where the journals are in them. Goes on beside that.
    pub(super) fn checkpoint(&mut self) {
        self.since = (0, 0);
        for half in Half::ALL {
            let Some(table) = self.views.table(half).filter(|_| !self.views.is_behind(half)) else {
                continue;
            };
            let (place, orphans) = (*self.ends.tips.places.get(half), self.orphans.get(half).clone());
            let (dir, state) = (self.settings.dir.clone(), Arc::clone(&self.state));
            let fail = move |what: &str| {
                state.fail(format!("the {} views could not be written: {what}", half.name()));
            };
            let failed = fail.clone();
            let then = move |written: Result<(), Unwritten>| {
                let checkpoint = Checkpoint { place, orphans };
                match written {
                    Ok(()) => checkpoint::write(&dir, half, &checkpoint)
                        .unwrap_or_else(|error| fail(&error.to_string())),
                    // They are made anew meanwhile; what they lack is in memory.
                    Err(Unwritten { damaged: true, .. }) => {}
                    Err(Unwritten { what, damaged: false }) => fail(&what),
                }
            };
            // Why the one before was not written, it has told itself; but there is only so much memory.
            if let (Err(what), true) = (table.write_out(Box::new(then)), table.is_full()) {
                failed(&what);
            }
        }
    }

    /// Waits until the last checkpoint is written.
    fn settle(&self) {
        for table in Half::ALL.into_iter().filter_map(|half| self.views.table(half)) {
            table.wait().ok();
        }
    }
}
