//! The way up: lock, settle the journals, bring the views to their end.

use super::bring::{Bad, Bring, Found, Up, tidy, views_dir};
use super::files::{create_dir, io_error};
use super::journal::Journal;
use super::scan::Seen;
use super::settle::{Begin, Settled, journal_dir, settle};
use super::table::{Position, Table};
use super::{Folds, Half, Halves, Meta, OpenError, OpenReport, Orphan, Settings, Views, checkpoint};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions};
use std::path::Path;

/// A log, ready for its committer.
pub(super) struct Opened {
    pub(super) journals: Halves<Journal>,
    pub(super) positions: Halves<Position>,
    pub(super) views: Views,
    pub(super) last: Meta,
    pub(super) orphans: Halves<Vec<Seen>>,
    pub(super) report: OpenReport,
}

pub(super) fn open(settings: &Settings, folds: &Folds) -> Result<Opened, OpenError> {
    let lock = lock(&settings.dir)?;
    let (mut from, mut found) =
        (Halves::default(), Halves { personal: Err(Bad::default()), neutral: Err(Bad::default()) });
    let (mut checkpoints, mut applied, mut reached) = (Halves::default(), Halves::default(), 0);
    for half in Half::ALL {
        create_dir(&settings.dir.join(half.folder())).map_err(io_error("create", &settings.dir))?;
        let checkpoint = checkpoint::read(&settings.dir, half)?.unwrap_or_default();
        tidy(settings, half)?;
        let views = existing(settings, half);
        let seq = views.as_ref().map_or(0, |(_, position)| position.seq);
        reached =
            checkpoint.place.seq.max(views.as_ref().map_or_else(|bad| bad.reached, |_| seq)).max(reached);
        (*checkpoints.get_mut(half), *applied.get_mut(half)) = (checkpoint.place.seq, seq);
        // Views that must be built anew need the whole journal.
        if views.is_ok() && checkpoint.holds(&journal_dir(&settings.dir, half)) {
            *from.get_mut(half) = checkpoint;
        }
        *found.get_mut(half) = views;
    }
    let Settled { journals, scans, last } = settle(settings, &Begin { from, applied, reached })?;

    let mut report = OpenReport { last: (last.seq > 0).then_some(last), ..OpenReport::default() };
    let mut tables = Halves::default();
    let mut positions = Halves::default();
    let Halves { personal, neutral } = found;
    for (half, found) in [(Half::Personal, personal), (Half::Neutral, neutral)] {
        let scan = scans.get(half);
        report.torn.extend(scan.torn.clone());
        let dir = journal_dir(&settings.dir, half);
        let orphan = |seen: &Seen| Orphan { meta: seen.meta, file: seen.path(&dir), offset: seen.offset };
        report.orphans.extend(scan.orphans.iter().map(orphan));
        report.read_bytes = report.read_bytes.saturating_add(scan.read_bytes);
        let bring = Bring { settings, half, fold: folds.get(half), scan, go_on: &|| true };
        *positions.get_mut(half) = bring.end();
        let Up { table, caught_up, rebuilt, behind } = bring.up(found, *checkpoints.get(half))?;
        *tables.get_mut(half) = table;
        report.caught_up = report.caught_up.saturating_add(caught_up);
        report.rebuilt.extend(rebuilt);
        report.behind.extend(behind.then_some(half));
    }
    let views = Views::new(tables, lock);
    report.behind.iter().for_each(|half| views.set_behind(*half, true));
    let orphans = Halves { personal: scans.personal.orphans, neutral: scans.neutral.orphans };
    Ok(Opened { journals, positions, views, last, orphans, report })
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

fn existing(settings: &Settings, half: Half) -> Found {
    let dir = views_dir(settings, half);
    if !dir.exists() {
        return Err(Bad::default());
    }
    let table = Table::open(half, &dir, settings.cache_bytes);
    let table = table.map_err(|why| Bad { why: Some(why), reached: 0 })?;
    match table.position() {
        Ok(Some(position)) => Ok((table, position)),
        Ok(None) => Err(Bad { why: Some("they are empty".to_owned()), reached: 0 }),
        Err(why) => Err(Bad { why: Some(why), reached: table.reached() }),
    }
}
