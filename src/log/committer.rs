//! The one thread that writes: decides a group, commits it, applies it, answers.

use super::bring::{self, Stop};
use super::checkpoint::{self, Checkpoint};
use super::files::to_u64;
use super::journal::Journal;
use super::layer::Layer;
use super::pending::{Answer, Committed};
use super::record::{Kind, NewRecord};
use super::renew::{self, Switch};
use super::scan::{Place, Seen};
use super::second::{Second, Tips};
use super::table::{Position, Table};
use super::tx::{Decided, Tx};
use super::{FoldError, Folds, GROUP_MAX, Half, Halves, Meta, OpenError, Refused, Settings, UtcUs, Views};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::oneshot;

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

/// A queued decision, whatever it returns.
pub(super) trait Job: Send {
    /// Runs the decision; whether it said yes.
    fn decide(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Sends the answer; nobody may be waiting for it any more.
    fn answer(self: Box<Self>, outcome: Outcome);
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

/// How a decision ended.
pub(super) enum Outcome {
    Done(Meta),
    Refused,
    Fold(FoldError),
    Panicked,
    ReadOnly(String),
}

pub(super) struct Task<F, T, R> {
    decide: Option<F>,
    decided: Option<Result<T, R>>,
    reply: oneshot::Sender<Answer<T, R>>,
}

impl<F, T, R> Task<F, T, R> {
    pub(super) fn new(decide: F, reply: oneshot::Sender<Answer<T, R>>) -> Self {
        Self { decide: Some(decide), decided: None, reply }
    }
}

impl<F, T, R> Job for Task<F, T, R>
where
    F: FnOnce(&mut Tx<'_>) -> Result<T, R> + Send,
    T: Send,
    R: Send,
{
    fn decide(&mut self, tx: &mut Tx<'_>) -> bool {
        self.decided = self.decide.take().map(|decide| decide(tx));
        matches!(self.decided, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, outcome: Outcome) {
        let answer = match (outcome, self.decided) {
            (Outcome::ReadOnly(why), _) => Err(Refused::ReadOnly { why }),
            (Outcome::Done(meta), Some(Ok(value))) => Ok(Committed { value, meta }),
            (Outcome::Fold(error), _) => Err(Refused::Fold(error)),
            (Outcome::Refused, Some(Err(refusal))) => Err(Refused::Refusal(refusal)),
            (Outcome::Done(_) | Outcome::Refused | Outcome::Panicked, _) => Err(Refused::Panicked),
        };
        // The caller may have stopped waiting; the decision stands all the same.
        drop(self.reply.send(answer));
    }
}

pub(super) struct Committer {
    pub(super) settings: Settings,
    pub(super) requests: Receiver<Request>,
    pub(super) journals: Halves<Journal>,
    /// Where the journals end.
    pub(super) positions: Halves<Position>,
    /// Where the views are.
    pub(super) applied: Halves<Position>,
    pub(super) views: Views,
    pub(super) folds: Folds,
    pub(super) utc_us: UtcUs,
    pub(super) state: Arc<State>,
    pub(super) last: Meta,
    pub(super) orphans: Halves<Vec<Seen>>,
    /// Who carries what was synced to the second folder.
    pub(super) second: Option<Arc<Second>>,
    /// Groups and bytes of events since the last checkpoint.
    pub(super) since: (u64, u64),
}

/// What a group has decided so far.
#[derive(Default)]
struct Group {
    layer: Layer,
    records: Vec<Decision>,
}

/// A transaction that was decided.
pub(super) struct Decision {
    pub(super) meta: Meta,
    personal: Option<Vec<u8>>,
    pub(super) neutral: Vec<u8>,
}

impl Committer {
    /// Works until every sender is gone and the queue is empty.
    pub(super) fn run(mut self) {
        while let Ok(first) = self.requests.recv() {
            let (mut jobs, mut aside) = (Vec::new(), None);
            let mut next = Some(first);
            while let Some(request) = next.take() {
                match request {
                    Request::Decide(job) => jobs.push(job),
                    Request::Aside(asked) => aside = Some(asked),
                }
                if jobs.len() < GROUP_MAX && aside.is_none() {
                    next = self.requests.try_recv().ok();
                }
            }
            let work = || {
                self.group(jobs);
                if let Some(asked) = aside {
                    self.aside(asked);
                }
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

    fn group(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        if let Some(why) = self.state.read_only() {
            jobs.into_iter().for_each(|job| job.answer(Outcome::ReadOnly(why.clone())));
            return;
        }
        let mut group = Group::default();
        let outcomes: Vec<Outcome> =
            jobs.iter_mut().map(|job| self.decide(job.as_mut(), &mut group)).collect();
        let wrote = !group.records.is_empty();
        let committed = self.commit(&group.records);
        if let Err(error) = &committed {
            self.state.fail(format!("could not write the journal: {error}"));
        } else if wrote {
            self.apply(std::mem::take(&mut group.layer));
        }
        for (job, outcome) in jobs.into_iter().zip(outcomes) {
            match self.state.read_only().filter(|_| committed.is_err()) {
                Some(why) => job.answer(Outcome::ReadOnly(why.clone())),
                None => job.answer(outcome),
            }
        }
        if wrote && self.state.read_only().is_none() {
            let bytes = |record: &Decision| {
                record.personal.as_ref().map_or(0, Vec::len).saturating_add(record.neutral.len())
            };
            let bytes = group.records.iter().map(bytes).fold(0, usize::saturating_add);
            let (groups, so_far) = self.since;
            self.since = (groups.saturating_add(1), so_far.saturating_add(to_u64(bytes)));
            if self.is_due() {
                self.checkpoint();
            }
        }
    }

    /// Runs one decision over the group so far; what it emitted joins the group only when all of it held.
    fn decide(&mut self, job: &mut dyn Job, group: &mut Group) -> Outcome {
        let now_us = (self.utc_us)().max(self.last.at_us);
        let meta = Meta { seq: self.last.seq.saturating_add(1), at_us: now_us };
        let mut tx = Tx::new(meta, (&self.views, &self.folds), (&group.layer, &group.records));
        let Ok(yes) = catch_unwind(AssertUnwindSafe(|| job.decide(&mut tx))) else {
            return Outcome::Panicked;
        };
        let Decided { layer, payloads, emitted, failed } = tx.finish();
        match failed {
            _ if !yes => return Outcome::Refused,
            Some(error) => return Outcome::Fold(error),
            None if !emitted.personal && !emitted.neutral => return Outcome::Done(self.last),
            None => {}
        }
        group.layer.merge(layer);
        let personal = emitted.personal.then_some(payloads.personal);
        group.records.push(Decision { meta, personal, neutral: payloads.neutral });
        self.last = meta;
        Outcome::Done(meta)
    }

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
        self.journals.neutral.commit()?;
        if records.is_empty() {
            return Ok(());
        }
        self.state.set_tips(self.tips());
        if let Some(second) = &self.second {
            second.committed(self.tips(), (self.utc_us)());
        }
        Ok(())
    }

    /// Where the journals end on the disk.
    pub(super) fn tips(&self) -> Tips {
        let places =
            Halves { personal: self.journals.personal.place(), neutral: self.journals.neutral.place() };
        Tips { places }
    }

    fn aside(&mut self, asked: Aside) {
        match asked {
            Aside::CatchUp(reply) => self.catch_up(reply),
            Aside::Place { half, reply } => drop(reply.send(self.journals.get(half).place())),
            Aside::Switch { switch, reply } => drop(reply.send(self.switch(switch))),
        }
    }

    fn switch(&mut self, switch: Switch) -> Result<Option<Arc<Table>>, Stop> {
        // After a failed write the journal's end is not known for sure.
        if self.state.read_only().is_some() {
            return Err(Stop::Closing);
        }
        let (half, end) = (switch.half, self.journals.get(switch.half).place());
        // Its checkpoint must not come after, or with, the new table's first.
        if let Some(before) = self.views.table(half) {
            before.wait().map_err(Stop::Views)?;
        }
        let (at, old) = renew::switch(&self.settings, self.folds.get(half), &self.views, switch, end)?;
        *self.applied.get_mut(half) = at;
        Ok(old)
    }

    fn catch_up(&self, reply: oneshot::Sender<Answer<u64, OpenError>>) {
        let mut records: u64 = 0;
        let mut answer = Ok(());
        for half in Half::ALL.into_iter().filter(|half| self.views.is_behind(*half)) {
            match bring::catch_up(&self.settings, half, self.folds.get(half), &self.views) {
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
    fn apply(&mut self, mut layer: Layer) {
        for half in Half::ALL {
            let Some(table) = self.views.table(half).filter(|_| !self.views.is_behind(half)) else {
                continue;
            };
            let to = *self.positions.get(half);
            if to != *self.applied.get(half) {
                table.apply(std::mem::take(layer.get_mut(half)), to);
                *self.applied.get_mut(half) = to;
            }
        }
        self.state.last_at_us.store(self.last.at_us, Ordering::Release);
        self.state.last_seq.store(self.last.seq, Ordering::Release);
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
            let (place, orphans) = (self.journals.get(half).place(), self.orphans.get(half).clone());
            let (dir, state) = (self.settings.dir.clone(), Arc::clone(&self.state));
            let then = move |written: Result<(), String>| {
                let checkpoint = Checkpoint { place, orphans };
                let noted = written.and_then(|()| {
                    checkpoint::write(&dir, half, &checkpoint).map_err(|error| error.to_string())
                });
                if let Err(what) = noted {
                    state.fail(format!("the {} views could not be written: {what}", half.name()));
                }
            };
            // Why the one before was not written, it has told itself.
            table.write_out(Box::new(then)).ok();
        }
    }

    /// Waits until the last checkpoint is written.
    fn settle(&self) {
        for table in Half::ALL.into_iter().filter_map(|half| self.views.table(half)) {
            table.wait().ok();
        }
    }
}
