//! Renews views for whoever asks, and, by a thread of its own, those that turn out damaged.
//!
//! Whoever reads a block that is not as it was written leaves a mark at the table (`table/disk.rs`), the scrub among them. The
//! thread looks for marks; readers and writers go on, and what can be read of the damaged views is right. It looks too for what
//! readers found wrong with a journal, which stops the writing.

use super::bring::Stop;
use super::closing::{Closer, Closing};
use super::committer::{Request, State};
use super::heal::stop_for;
use super::progress::Progress;
use super::renew::Renewal;
use super::verify::Fault;
use super::{Folds, Half, Halves, OpenError, Rebuilt, Settings, Views, ViewsState};
use crossbeam_channel::Sender;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often is looked for marks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After so many looks it is tried again, whether it failed or the views are damaged once more: ten minutes, for each try reads a whole
/// journal.
const TRY_AGAIN_LOOKS: u32 = 600;

/// What renewing works with.
pub(super) struct Renewals {
    pub(super) settings: Settings,
    pub(super) folds: Folds,
    pub(super) views: Views,
    pub(super) state: Arc<State>,
    /// The committer's; `None` once closed.
    pub(super) queue: Mutex<Option<Sender<Request>>>,
    pub(super) closing: AtomicBool,
    /// Held while a half's views are renewed.
    pub(super) one_at_a_time: Mutex<()>,
    pub(super) progress: Arc<Progress>,
    mended: Mutex<Mended>,
    /// Whether what was locked may not be any more.
    unlocked: AtomicBool,
}

/// What came of damaged views.
#[derive(Default)]
struct Mended {
    count: u64,
    last: Option<Rebuilt>,
    /// What was in the way the last time.
    hindered: Halves<Option<String>>,
}

impl Renewals {
    pub(super) fn new(
        settings: Settings,
        folds: Folds,
        views: Views,
        state: Arc<State>,
        queue: Sender<Request>,
        progress: Arc<Progress>,
    ) -> Self {
        Self {
            settings,
            folds,
            views,
            state,
            queue: Mutex::new(Some(queue)),
            closing: AtomicBool::new(false),
            one_at_a_time: Mutex::default(),
            progress,
            mended: Mutex::default(),
            unlocked: AtomicBool::new(false),
        }
    }

    /// Waits for a place in the committer's queue; `false` once closed.
    pub(super) fn send(&self, request: Request) -> bool {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        queue.is_some_and(|queue| queue.send(request).is_ok())
    }

    /// Builds a half's views anew and puts them in place; gives the records folded.
    pub(super) fn renew(&self, half: Half, shortly: bool) -> Result<u64, Stop> {
        let _one_at_a_time = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let renewal = Renewal {
            settings: &self.settings,
            half,
            fold: self.folds.get(half),
            go_on: &|| !self.closing.load(Ordering::Relaxed) && self.state.read_only().is_none(),
            progress: &self.progress,
            shortly,
            ask: &|request| self.send(request),
        };
        renewal.run()
    }

    /// A fold that was locked may be open now: what waited for it is tried again.
    pub(super) fn unlocked(&self) {
        self.unlocked.store(true, Ordering::Relaxed);
    }

    /// How the views are.
    pub(super) fn views_state(&self) -> ViewsState {
        let damaged = |half| Some((half, self.damage(half)?));
        let Some((half, why)) = Half::ALL.into_iter().find_map(damaged) else { return ViewsState::Ok };
        match self.mended().hindered.get(half).clone() {
            Some(hindered) => ViewsState::Damaged { half, why, hindered },
            None => ViewsState::Rebuilding { half, why, progress: self.progress.now() },
        }
    }

    /// How often damaged views were built anew, and the last time that they were.
    pub(super) fn mended_so_far(&self) -> (u64, Option<Rebuilt>) {
        let mended = self.mended();
        (mended.count, mended.last.clone())
    }

    fn damage(&self, half: Half) -> Option<String> {
        self.views.table(half).and_then(|table| table.damage().map(str::to_owned))
    }

    fn mended(&self) -> MutexGuard<'_, Mended> {
        self.mended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hindered(&self, half: Half, hindered: Option<String>) {
        *self.mended().hindered.get_mut(half) = hindered;
    }

    /// Views are damaged again, and it is too soon to build them anew.
    fn wait_with(&self, half: Half) {
        let mut mended = self.mended();
        let soon = || "they were built anew a few minutes ago, and will be once more in a few".to_owned();
        mended.hindered.get_mut(half).get_or_insert_with(soon);
    }

    /// Stops the writing for what readers found wrong with a journal, once, also where it was stopped for something else.
    fn stop(&self, half: Half, stopped: &mut bool) {
        if let Some(fault) = self.views.fault(half).filter(|_| !*stopped) {
            stop_for(fault, &self.settings.dir, &self.state);
            *stopped = true;
        }
    }

    /// Renews the views of a half that are damaged. Gives after how many looks it is to be tried again, should it have to be.
    fn mend(&self, half: Half, why: String) -> u32 {
        if self.state.read_only().is_some() {
            self.hindered(
                half,
                Some("nothing is written now; they are built anew once that goes on".to_owned()),
            );
            return 0;
        }
        self.hindered(half, None);
        let (hindered, looks) = match self.renew(half, true) {
            Ok(records) => {
                let mut mended = self.mended();
                mended.count = mended.count.saturating_add(1);
                mended.last = Some(Rebuilt { half, why, records });
                // A disk that goes on damaging them would have them built without a pause.
                return TRY_AGAIN_LOOKS;
            }
            Err(Stop::Closing) => return 0,
            Err(Stop::Locked) => ("what is needed to read their journal is locked".to_owned(), u32::MAX),
            Err(Stop::Views(what)) => (what, TRY_AGAIN_LOOKS),
            Err(Stop::Open(error)) => {
                if matches!(error, OpenError::Damaged { .. }) {
                    self.views.found(Fault::of(&self.settings.dir, half, &error));
                }
                (error.to_string(), TRY_AGAIN_LOOKS)
            }
        };
        self.hindered(half, Some(hindered));
        looks
    }
}

/// The thread, and how it is told to end.
pub(super) struct MendThread {
    closing: Closer,
    thread: JoinHandle<()>,
}

impl MendThread {
    pub(super) fn start(renewals: Arc<Renewals>) -> io::Result<Self> {
        let closing = Arc::new(Closing::default());
        let inner = Arc::clone(&closing);
        let run = move || {
            let (mut left, mut stopped): (Halves<u32>, Halves<bool>) = Default::default();
            while inner.pause(LOOK_EVERY) {
                let unlocked = renewals.unlocked.swap(false, Ordering::Relaxed);
                for half in Half::ALL {
                    renewals.stop(half, stopped.get_mut(half));
                    let left = left.get_mut(half);
                    *left = if unlocked { 0 } else { left.saturating_sub(u32::from(*left < u32::MAX)) };
                    match (*left, renewals.damage(half)) {
                        (0, Some(why)) => *left = renewals.mend(half, why),
                        (_, Some(_)) => renewals.wait_with(half),
                        (_, None) => {}
                    }
                }
            }
        };
        let thread = thread::Builder::new().name("mender".to_owned()).spawn(run)?;
        Ok(Self { closing: Closer(closing), thread })
    }

    /// Ends it, also in the middle of a renewal, where its log is told to close.
    pub(super) fn stop(self) {
        drop(self.closing);
        // After a panic there is nothing left to end: what it had not put in place is not used.
        self.thread.join().ok();
    }
}
