//! The way up: lock, settle the journals, bring the views to their end.

use super::files::{create_dir, io_error, remove_dir, sync_dir};
use super::journal::Journal;
use super::layer::{Base, FoldView, Layer};
use super::record::{Record, events};
use super::scan::{Scan, replay, scan};
use super::settle::{Settled, journal_dir, settle};
use super::table::{Position, Table};
use super::{
    Fold, FoldError, Folds, GROUP_MAX, Half, Halves, Meta, OpenError, OpenReport, Rebuilt, Settings,
    ViewError, Views, checkpoint,
};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File, OpenOptions};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// A log, ready for its committer.
pub(super) struct Opened {
    pub(super) journals: Halves<Journal>,
    pub(super) positions: Halves<Position>,
    pub(super) views: Views,
    pub(super) last: Meta,
    pub(super) report: OpenReport,
}

pub(super) fn open(settings: &Settings, folds: &Folds) -> Result<Opened, OpenError> {
    let lock = lock(&settings.dir)?;
    let (mut checkpoints, mut found) =
        (Halves::default(), Halves { personal: Err(Bad::default()), neutral: Err(Bad::default()) });
    for half in Half::ALL {
        create_dir(&settings.dir.join(half.folder())).map_err(io_error("create", &settings.dir))?;
        *checkpoints.get_mut(half) = checkpoint::read(&settings.dir, half)?;
        tidy(settings, half)?;
        *found.get_mut(half) = existing(settings, half);
    }
    let applied = |found: &Found| found.as_ref().map_or(0, |(_, position)| position.seq);
    let applied = Halves { personal: applied(&found.personal), neutral: applied(&found.neutral) };
    let reached =
        |half| found.get(half).as_ref().map_or_else(|bad| bad.reached, |(_, position)| position.seq);
    let reached = Half::ALL.map(|half| reached(half).max(*checkpoints.get(half)));
    let reached = reached.into_iter().max().unwrap_or(0);
    let Settled { journals, scans, last } = settle(settings, applied, reached)?;

    let mut report = OpenReport { last: (last.seq > 0).then_some(last), ..OpenReport::default() };
    let mut tables = Halves::default();
    let mut positions = Halves::default();
    let Halves { personal, neutral } = found;
    for (half, found) in [(Half::Personal, personal), (Half::Neutral, neutral)] {
        let scan = scans.get(half);
        report.torn.extend(scan.torn.clone());
        report.orphans.extend(scan.orphans.iter().cloned());
        let bring = Bring { settings, half, fold: folds.get(half), scan, checkpoint: *checkpoints.get(half) };
        *positions.get_mut(half) = bring.end();
        *tables.get_mut(half) = bring.up(found, &mut report)?;
    }
    let views = Views::new(tables, lock);
    report.behind.iter().for_each(|half| views.set_behind(*half, true));
    Ok(Opened { journals, positions, views, last, report })
}

fn lock(dir: &Path) -> Result<Flock<File>, OpenError> {
    create_dir(dir).map_err(io_error("create", dir))?;
    let path = dir.join("LOCK");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(io_error("open", &path))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| {
        if errno == Errno::EWOULDBLOCK {
            OpenError::Held { dir: dir.to_path_buf() }
        } else {
            io_error("lock", &path)(errno.into())
        }
    })
}

fn views_dir(settings: &Settings, half: Half) -> PathBuf {
    settings.dir.join(half.folder()).join("views")
}

/// Removes what a crash during a rebuild left: the new folder may be unfinished, the old one must not linger.
fn tidy(settings: &Settings, half: Half) -> Result<(), OpenError> {
    for extension in ["new", "old"] {
        let dir = views_dir(settings, half).with_extension(extension);
        remove_dir(&dir).map_err(io_error("remove", &dir))?;
    }
    Ok(())
}

/// The table on disk with its position, or why it is no good.
type Found = Result<(Table, Position), Bad>;

#[derive(Default)]
struct Bad {
    /// `None`: there is no table.
    why: Option<String>,
    /// What it had reached all the same, as far as it can be read: the journal must not end before.
    reached: u64,
}

impl From<String> for Bad {
    fn from(why: String) -> Self {
        Self { why: Some(why), reached: 0 }
    }
}

fn existing(settings: &Settings, half: Half) -> Found {
    let dir = views_dir(settings, half);
    if !dir.exists() {
        return Err(Bad::default());
    }
    let table = Table::open(half, &dir, settings.cache_bytes)?;
    match table.position() {
        Ok(Some(position)) => Ok((table, position)),
        Ok(None) => Err("they are empty".to_owned().into()),
        Err(why) => Err(Bad { why: Some(why), reached: table.reached() }),
    }
}

/// Brings a half that was left behind up to its journal, now that its fold may work again. Gives the records folded.
pub(super) fn catch_up(settings: &Settings, half: Half, fold: &dyn Fold, views: &Views) -> Result<u64, Stop> {
    let position = |table: &Table| table.position().map_err(Stop::Views).map(Option::unwrap_or_default);
    let from = views.table(half).map(position).transpose()?.unwrap_or_default();
    let scan = scan(&journal_dir(&settings.dir, half), half, from.seq)?;
    let bring = Bring { settings, half, fold, scan: &scan, checkpoint: 0 };
    let mut report = OpenReport::default();
    match views.table(half) {
        Some(table) => bring.catch_up(table, from, &mut report)?,
        None => {
            let (table, records) = bring.rebuild()?;
            report.caught_up = records;
            views.set_table(half, table);
        }
    }
    views.set_behind(half, false);
    Ok(report.caught_up)
}

/// Brings one half's views to the end of its journal.
struct Bring<'o> {
    settings: &'o Settings,
    half: Half,
    fold: &'o dyn Fold,
    scan: &'o Scan,
    checkpoint: u64,
}

/// Why folding stopped.
pub(super) enum Stop {
    /// The fold cannot read its events.
    Locked,
    /// The views on disk are no good.
    Views(String),
    /// Nothing can be done here.
    Open(OpenError),
}

impl From<OpenError> for Stop {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl Bring<'_> {
    /// Where the views must get to.
    fn end(&self) -> Position {
        let last = self.scan.recent.back();
        Position {
            seq: last.map_or(0, |seen| seen.meta.seq),
            crc: last.map_or(0, |seen| seen.crc),
            fold: self.fold.version(),
        }
    }

    fn up(&self, found: Found, report: &mut OpenReport) -> Result<Option<Table>, OpenError> {
        let found = found.map_err(|bad| bad.why);
        let why = match found.and_then(|(table, position)| self.fits(position).map(|()| (table, position))) {
            Err(why) => why,
            Ok((table, position)) => match self.catch_up(&table, position, report) {
                Ok(()) => return Ok(Some(table)),
                Err(Stop::Locked) => {
                    report.behind.push(self.half);
                    return Ok(Some(table));
                }
                Err(Stop::Views(why)) => Some(why),
                Err(Stop::Open(error)) => return Err(error),
            },
        };
        match self.rebuild() {
            Ok((table, records)) => {
                if records > 0 || why.is_some() {
                    let why = why.unwrap_or_else(|| "there were none".to_owned());
                    report.rebuilt.push(Rebuilt { half: self.half, why, records });
                }
                Ok(Some(table))
            }
            Err(Stop::Locked) => {
                report.behind.push(self.half);
                Ok(None)
            }
            Err(Stop::Views(what)) => {
                Err(OpenError::Views { dir: views_dir(self.settings, self.half), what })
            }
            Err(Stop::Open(error)) => Err(error),
        }
    }

    /// Whether views at `position` are of this journal and this fold.
    fn fits(&self, position: Position) -> Result<(), Option<String>> {
        let why = if position.fold != self.fold.version() {
            format!("they were made by fold version {}, not {}", position.fold, self.fold.version())
        } else if position.seq < self.checkpoint {
            format!("they end at sequence {}, but their checkpoint says {}", position.seq, self.checkpoint)
        } else if position.seq > 0 && self.scan.crc_at != Some(position.crc) {
            format!("their sequence {} is not the journal's", position.seq)
        } else {
            return Ok(());
        };
        Err(Some(why))
    }

    /// Applies what the views lack, a group at a time.
    fn catch_up(&self, table: &Table, from: Position, report: &mut OpenReport) -> Result<(), Stop> {
        if from == self.end() {
            return Ok(());
        }
        let base = match self.half {
            Half::Personal => Base { personal: Some(table), neutral: None },
            Half::Neutral => Base { personal: None, neutral: Some(table) },
        };
        let mut layer = Layer::default();
        let mut count: usize = 0;
        let mut to = from;
        self.each(from.seq, &mut |record| {
            self.fold(record, base, &mut layer)?;
            to = Position { seq: record.meta.seq, crc: record.crc, ..to };
            count = count.saturating_add(1);
            report.caught_up = report.caught_up.saturating_add(1);
            if count.is_multiple_of(GROUP_MAX) {
                table.apply(layer.get(self.half), to).map_err(Stop::Views)?;
                layer = Layer::default();
            }
            Ok(())
        })?;
        table.apply(layer.get(self.half), to).map_err(Stop::Views)
    }

    /// Folds the whole journal in memory, writes it sorted into a new folder, and puts that in the old one's place.
    fn rebuild(&self) -> Result<(Table, u64), Stop> {
        let dir = views_dir(self.settings, self.half);
        let (new, old) = (dir.with_extension("new"), dir.with_extension("old"));
        remove_dir(&new).map_err(io_error("remove", &new))?;
        let mut layer = Layer::default();
        let mut records: u64 = 0;
        self.each(0, &mut |record| {
            records = records.saturating_add(1);
            self.fold(record, Base::default(), &mut layer)
        })?;
        layer.get_mut(self.half).retain(|_, change| change.value.is_some());
        // With nothing to hold there is nothing to get half done; opening sled once is quicker, and smaller in memory.
        let in_place = records == 0 && !dir.exists();
        let table = self.build(if in_place { &dir } else { &new }, layer)?;
        if in_place {
            return Ok((table, records));
        }
        drop(table);
        remove_dir(&old).map_err(io_error("remove", &old))?;
        if dir.exists() {
            fs::rename(&dir, &old).map_err(io_error("rename", &dir))?;
        }
        fs::rename(&new, &dir).map_err(io_error("rename", &new))?;
        let parent = self.settings.dir.join(self.half.folder());
        sync_dir(&parent).map_err(io_error("sync", &parent))?;
        remove_dir(&old).map_err(io_error("remove", &old))?;
        let table = Table::open(self.half, &dir, self.settings.cache_bytes).map_err(Stop::Views)?;
        Ok((table, records))
    }

    /// Writes a new table with all of `layer`, down to the disk.
    fn build(&self, dir: &Path, layer: Layer) -> Result<Table, Stop> {
        let table = Table::open(self.half, dir, self.settings.cache_bytes).map_err(Stop::Views)?;
        table.apply(layer.get(self.half), self.end()).map_err(Stop::Views)?;
        table.sync_new().map_err(Stop::Views)?;
        Ok(table)
    }

    /// Visits the live records after `after`; a `Stop` of `visit` comes back as it is.
    fn each(&self, after: u64, visit: &mut dyn FnMut(&Record<'_>) -> Result<(), Stop>) -> Result<(), Stop> {
        let mut stopped = None;
        let read = replay(self.scan, after, &mut |record| {
            // Not worth an error type through the reader: once stopped, the rest is passed over.
            if stopped.is_none() {
                stopped = visit(record).err();
            }
            Ok(())
        });
        read?;
        stopped.map_or(Ok(()), Err)
    }

    fn fold(&self, record: &Record<'_>, base: Base<'_>, layer: &mut Layer) -> Result<(), Stop> {
        // The layer below a transaction's own: nothing, while there is one transaction at a time.
        let under = Layer::default();
        let mut view = FoldView::new(self.half, &record.meta, base, &under, layer);
        let apply = || {
            for event in events(record.payload) {
                let what = || FoldError::Event { what: "an event's length is wrong".to_owned() };
                self.fold.apply(&record.meta, event.ok_or_else(what)?, &mut view)?;
            }
            Ok(())
        };
        let panicked = |_| Err(FoldError::Event { what: "the fold panicked".to_owned() });
        let applied = catch_unwind(AssertUnwindSafe(apply)).unwrap_or_else(panicked);
        applied.and_then(|()| view.done()).map_err(|error| match error {
            FoldError::Locked => Stop::Locked,
            FoldError::View(ViewError::Damaged { what, .. }) => Stop::Views(what),
            source @ (FoldError::Event { .. }
            | FoldError::View(_)
            | FoldError::TooLarge { .. }
            | FoldError::TooMuch { .. }) => {
                OpenError::Fold { half: self.half, seq: record.meta.seq, source }.into()
            }
        })
    }
}
