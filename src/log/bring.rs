//! Brings a half's views to the end of its journal: catches up what they lack, or folds the whole journal anew.

use super::bulk::{Bulk, panicked};
use super::files::{io_error, remove_dir, sync_dir};
use super::layer::{Base, Changes, FoldView, Layer, Under, base};
use super::marker::journal_dir;
use super::progress::Progress;
use super::record::{Record, events};
use super::scan::{Part, Place, Scan, replay, scan};
use super::snapshot::Snapshot;
use super::table::{AskedViews, Position, Table};
use super::{Fold, FoldError, Half, OpenError, Rebuilt, Settings, ViewError, Views, checkpoint, snapshots};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) fn views_dir(settings: &Settings, half: Half) -> PathBuf {
    settings.dir.join(half.folder()).join("views")
}

/// Every folder of views that there may be of a half.
pub(super) fn views_of(dir: &Path, half: Half) -> [PathBuf; 4] {
    let views = dir.join(half.folder()).join("views");
    ["new", "renewed", "old", ""].map(|ending| views.with_extension(ending))
}

/// Where the start, or a half that is unlocked, builds new views.
fn new_dir(settings: &Settings, half: Half) -> PathBuf {
    views_dir(settings, half).with_extension("new")
}

/// Where a renewal builds them; it may run beside the other.
pub(super) fn renewed_dir(settings: &Settings, half: Half) -> PathBuf {
    views_dir(settings, half).with_extension("renewed")
}

/// Where the views before them go, until they are deleted.
fn old_dir(settings: &Settings, half: Half) -> PathBuf {
    views_dir(settings, half).with_extension("old")
}

/// Puts the folder `new` in the place of the views; an open table goes on by its files.
pub(super) fn swap_in(settings: &Settings, half: Half, new: &Path) -> Result<(), OpenError> {
    let (dir, old) = (views_dir(settings, half), old_dir(settings, half));
    remove_dir(&old).map_err(io_error("remove", &old))?;
    if dir.exists() {
        fs::rename(&dir, &old).map_err(io_error("rename", &dir))?;
    }
    fs::rename(new, &dir).map_err(io_error("rename", new))?;
    sync_parent(settings, half)
}

/// Deletes the views that were swapped out.
pub(super) fn remove_old(settings: &Settings, half: Half) -> Result<(), OpenError> {
    let old = old_dir(settings, half);
    remove_dir(&old).map_err(io_error("remove", &old))?;
    sync_parent(settings, half)
}

/// Deletes what a crash left: the new folders may be unfinished, the old one must not linger.
pub(super) fn tidy(settings: &Settings, half: Half) -> Result<(), OpenError> {
    for dir in [new_dir(settings, half), renewed_dir(settings, half)] {
        remove_dir(&dir).map_err(io_error("remove", &dir))?;
    }
    remove_old(settings, half)
}

fn sync_parent(settings: &Settings, half: Half) -> Result<(), OpenError> {
    let parent = settings.dir.join(half.folder());
    sync_dir(&parent).map_err(io_error("sync", &parent))
}

/// What opening found of a half's views.
#[derive(Default)]
pub(super) struct Bad {
    /// `None`: there is no table.
    pub(super) why: Option<String>,
    /// What it had reached all the same, as far as it can be read: the journal must not end before.
    pub(super) reached: u64,
}

/// The table on disk with its position, or why it is no good.
pub(super) type Found = Result<(Table, Position), Bad>;

/// Why folding stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// The fold cannot read its events.
    Locked,
    /// The log is being closed.
    Closing,
    /// The views on disk are no good.
    Views(String),
    /// Nothing can be done here.
    Open(OpenError),
}

/// A snapshot that cannot be read.
impl From<String> for Stop {
    fn from(what: String) -> Self {
        Self::Views(what)
    }
}

impl From<OpenError> for Stop {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

/// One half's views on their way to the end of `scan`.
pub(super) struct Bring<'o> {
    pub(super) settings: &'o Settings,
    pub(super) half: Half,
    pub(super) fold: &'o dyn Fold,
    pub(super) scan: &'o Scan,
    /// Asked before each record; `false` stops with [`Stop::Closing`].
    pub(super) go_on: &'o dyn Fn() -> bool,
    /// Told how far building and bringing up are.
    pub(super) progress: &'o Progress,
}

/// Brings a half that was left behind up to its journal, now that its fold may work again. Gives the records folded.
/// Nothing may be written meanwhile.
pub(super) fn catch_up(
    settings: &Settings,
    (half, fold): (Half, &dyn Fold),
    views: &Views,
    progress: &Progress,
) -> Result<u64, Stop> {
    let position = |table: &Table| table.position().map_err(Stop::Views).map(Option::unwrap_or_default);
    let table = views.table(half);
    let from = table.as_deref().map(position).transpose()?.unwrap_or_default();
    let dir = journal_dir(&settings.dir, half);
    let checkpoint = checkpoint::read(&settings.dir, half)?.unwrap_or_default();
    let known = if table.is_some() && checkpoint.holds(&dir) { checkpoint.place } else { Place::default() };
    let scan = scan(&dir, half, Part { from: known, to: None, want_seq: from.seq })?;
    let bring = Bring { settings, half, fold, scan: &scan, go_on: &|| true, progress };
    let records = match table {
        Some(table) => bring.catch_up(&table, from)?,
        None => {
            let (table, records) = bring.rebuild()?;
            views.set_table(half, Arc::new(table));
            records
        }
    };
    views.set_behind(half, false);
    Ok(records)
}

/// Applies to `table`, which is at `from`, what the journal has up to `to`. Gives the records folded.
pub(super) fn follow(
    (settings, half, fold): (&Settings, Half, &dyn Fold),
    go_on: &dyn Fn() -> bool,
    table: &Table,
    (from, to): (Place, Place),
) -> Result<u64, Stop> {
    let part = Part { from, to: Some(to), want_seq: 0 };
    let scan = scan(&journal_dir(&settings.dir, half), half, part)?;
    let bring = Bring { settings, half, fold, scan: &scan, go_on, progress: &Progress::default() };
    bring.catch_up(table, Position { seq: from.seq, crc: from.seq_crc, fold: fold.version() })
}

impl Bring<'_> {
    /// Where the views must get to.
    pub(super) fn end(&self) -> Position {
        let end = self.scan.end;
        Position { seq: end.seq, crc: end.seq_crc, fold: self.fold.version() }
    }

    /// Catches up what was found, or builds it anew: then the second value says why. `None` for a table that a locked
    /// fold kept from being built; `behind` is told so.
    pub(super) fn up(&self, found: Found, checkpoint: u64) -> Result<Up, OpenError> {
        let found = found.map_err(|bad| bad.why).and_then(|(table, position)| {
            self.fits(position, checkpoint).map(|()| (table, position)).map_err(Some)
        });
        let why = match found {
            Err(why) => why,
            Ok((table, position)) => match self.catch_up(&table, position) {
                Ok(caught_up) => return Ok(Up { table: Some(table), caught_up, ..Up::default() }),
                Err(Stop::Locked) => return Ok(Up { table: Some(table), behind: true, ..Up::default() }),
                Err(Stop::Views(why)) => Some(why),
                Err(stop) => return Err(self.error(stop)),
            },
        };
        match self.rebuild() {
            Ok((table, records)) => {
                let said = why.is_some() || self.scan.end.live > 0;
                let why = why.unwrap_or_else(|| "there were none".to_owned());
                let rebuilt = said.then_some(Rebuilt { half: self.half, why, records });
                Ok(Up { table: Some(table), rebuilt, ..Up::default() })
            }
            Err(Stop::Locked) => Ok(Up { behind: true, ..Up::default() }),
            Err(stop) => Err(self.error(stop)),
        }
    }

    fn error(&self, stop: Stop) -> OpenError {
        let views = |what| OpenError::Views { dir: views_dir(self.settings, self.half), what };
        match stop {
            Stop::Open(error) => error,
            Stop::Views(what) => views(what),
            Stop::Locked | Stop::Closing => views("they were given up half-way".to_owned()),
        }
    }

    /// Whether views at `position` are of this journal and this fold.
    fn fits(&self, position: Position, checkpoint: u64) -> Result<(), String> {
        if position.fold != self.fold.version() {
            Err(format!("they were made by fold version {}, not {}", position.fold, self.fold.version()))
        } else if position.seq < checkpoint {
            Err(format!("they end at sequence {}, but their checkpoint says {checkpoint}", position.seq))
        } else if position.seq > 0 && self.scan.crc_at != Some(position.crc) {
            Err(format!("their sequence {} is not the journal's", position.seq))
        } else {
            Ok(())
        }
    }

    /// Applies what the views lack; gives the records folded. The last of them are not in sled yet.
    pub(super) fn catch_up(&self, table: &Table, from: Position) -> Result<u64, Stop> {
        if from == self.end() {
            return Ok(0);
        }
        let mut records: u64 = 0;
        let under_way = self.progress.begin(self.half, self.scan.end.live.saturating_sub(self.scan.live_at));
        self.each(self.scan, from.seq, &mut |record| {
            records = records.saturating_add(1);
            under_way.folded();
            self.apply(record, table)
        })?;
        drop(under_way);
        // Transactions without events for this half, and voided ones, are no records.
        table.apply(Changes::new(), self.end());
        Ok(records)
    }

    fn apply(&self, record: &Record<'_>, table: &Table) -> Result<(), Stop> {
        let mut layer = Layer::default();
        self.fold(record, base(Some(table)), &mut layer)?;
        let to = Position { seq: record.meta.seq, crc: record.crc, fold: self.fold.version() };
        table.apply(std::mem::take(layer.get_mut(self.half)), to);
        table.ease().map_err(Stop::Views)
    }

    /// Folds the whole journal and puts the views it gives in the old ones' place.
    fn rebuild(&self) -> Result<(Table, u64), Stop> {
        let dir = views_dir(self.settings, self.half);
        // With nothing to hold there is nothing to get half done.
        if self.scan.end == Place::default() && !dir.exists() {
            return Ok((self.empty(&dir)?, 0));
        }
        let new = new_dir(self.settings, self.half);
        let built = self.shortly(&new)?;
        swap_in(self.settings, self.half, &new)?;
        remove_old(self.settings, self.half)?;
        Ok(built)
    }

    /// As [`Self::aside`], out of the newest snapshot where there is one that holds.
    pub(super) fn shortly(&self, new: &Path) -> Result<(Table, u64), Stop> {
        let snapshot = snapshots::newest(self.settings, self.half, self.fold, &self.scan.end);
        match self.aside(new, snapshot.as_ref()) {
            // What is wrong with a snapshot is not wrong with the journal.
            Err(Stop::Views(_) | Stop::Open(OpenError::Fold { .. })) if snapshot.is_some() => {
                self.aside(new, None)
            }
            built => built,
        }
    }

    /// Builds a table in the folder `new`, down to the disk, out of the whole journal; with `snapshot`, out of that and what
    /// the journal has after it. Holds what is folded at once in memory, whatever the size of the journal.
    pub(super) fn aside(&self, new: &Path, snapshot: Option<&Snapshot>) -> Result<(Table, u64), Stop> {
        remove_dir(new).map_err(io_error("remove", new))?;
        let whole;
        let all = if self.scan.from == Place::default() {
            self.scan
        } else {
            let part = Part { to: Some(self.scan.end), ..Part::default() };
            whole = scan(&journal_dir(&self.settings.dir, self.half), self.half, part)?;
            &whole
        };
        let table = self.fresh(new)?;
        let below = snapshot.map(|snapshot| -> &dyn Under { snapshot });
        let mut bulk = Bulk::new(self.half, new.join("runs"), below, &|_| true);
        if let Some(snapshot) = snapshot {
            bulk.derive_all(self, snapshot)?;
        }
        let from = snapshot.map_or_else(Place::default, |snapshot| snapshot.at.place);
        let under_way = self.progress.begin(self.half, all.end.live.saturating_sub(from.live));
        let mut records: u64 = 0;
        self.each(all, from.seq, &mut |record| {
            records = records.saturating_add(1);
            under_way.folded();
            bulk.fold(self, record)
        })?;
        let mut closing = false;
        let entries = bulk.entries().map_while(|entry| {
            closing = !(self.go_on)();
            (!closing).then_some(entry)
        });
        table.fill(entries, self.end()).map_err(Stop::Views)?;
        if closing {
            return Err(Stop::Closing);
        }
        drop(bulk);
        table.settle_new(new).map_err(Stop::Views)?;
        drop(table);
        // sled notes where its pages are when it is opened: the next start then need not go through all that was written.
        let table = self.fresh(new)?;
        table.position().map_err(Stop::Views)?;
        Ok((table, records))
    }

    /// An empty table, down to the disk.
    fn empty(&self, dir: &Path) -> Result<Table, Stop> {
        let table = self.fresh(dir)?;
        table.apply(Changes::new(), self.end());
        table.settle_new(dir).map_err(Stop::Views)?;
        Ok(table)
    }

    fn fresh(&self, dir: &Path) -> Result<Table, Stop> {
        Table::open(self.settings, self.half, dir, AskedViews::of(self.half, self.fold)).map_err(Stop::Views)
    }

    /// Visits the live records of `scan` after `after`; a `Stop` of `visit` comes back as it is.
    pub(super) fn each(
        &self,
        scan: &Scan,
        after: u64,
        visit: &mut dyn FnMut(&Record<'_>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let mut stopped = None;
        let read = replay(scan, after, &mut |record, _| {
            // Not worth an error type through the reader: once stopped, the rest is passed over.
            if stopped.is_none() {
                stopped = if (self.go_on)() { visit(record).err() } else { Some(Stop::Closing) };
            }
            Ok(())
        });
        read?;
        stopped.map_or(Ok(()), Err)
    }

    pub(super) fn fold(&self, record: &Record<'_>, base: Base<'_>, layer: &mut Layer) -> Result<(), Stop> {
        let mut view = FoldView::new(self.half, &record.meta, base, &[], layer);
        let apply = || {
            for event in events(record.payload) {
                let what = || FoldError::Event { what: "an event's length is wrong".to_owned() };
                self.fold.apply(&record.meta, event.ok_or_else(what)?, &mut view)?;
            }
            Ok(())
        };
        let applied = catch_unwind(AssertUnwindSafe(apply)).unwrap_or_else(panicked);
        applied.and_then(|()| view.done()).map_err(|error| self.stop(record.meta.seq, error))
    }

    pub(super) fn stop(&self, seq: u64, error: FoldError) -> Stop {
        match error {
            FoldError::Locked => Stop::Locked,
            FoldError::View(ViewError::Damaged { what, .. }) => Stop::Views(what),
            source @ (FoldError::Event { .. }
            | FoldError::View(_)
            | FoldError::TooLarge { .. }
            | FoldError::TooMuch { .. }) => OpenError::Fold { half: self.half, seq, source }.into(),
        }
    }
}

/// How one half's views came up.
#[derive(Default)]
pub(super) struct Up {
    /// `None` where a locked fold kept them from being built.
    pub(super) table: Option<Table>,
    pub(super) caught_up: u64,
    pub(super) rebuilt: Option<Rebuilt>,
    pub(super) behind: bool,
}
