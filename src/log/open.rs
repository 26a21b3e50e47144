//! The way up: lock, settle the journals, bring the views to their end.

use super::bring::{Bad, Bring, Found, Up, tidy, views_dir};
use super::checkpoint::Checkpoint;
use super::files::{create_dir, io_error};
use super::heal::heal;
use super::journal::Journal;
use super::marker::journal_dir;
use super::over::{Over, over};
use super::progress::Progress;
use super::record::{FORMAT, HeaderError, SegmentHeader};
use super::scan::{Part, Place, Seen, scan};
use super::segment::{Segment, head, list};
use super::settle::{Begin, Settled, settle};
use super::table::{AskedViews, Position, Table};
use super::{
    Folds, Half, Halves, Healed, Meta, OpenError, OpenReport, Orphan, Settings, Views, checkpoint, marker,
    swap,
};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions};
use std::panic::resume_unwind;
use std::path::Path;

/// A log, ready for its committer.
pub(super) struct Opened {
    /// `Err`: they are damaged; why nothing may be written.
    pub(super) journals: Result<Halves<Journal>, String>,
    pub(super) positions: Halves<Position>,
    pub(super) views: Views,
    pub(super) last: Meta,
    pub(super) timeline: u32,
    pub(super) orphans: Halves<Vec<Seen>>,
    pub(super) report: OpenReport,
}

/// A state folder that nobody else can open, made if it was not there. It is opened by [`Log::open_telling`](super::Log::open_telling).
#[derive(Debug)]
pub struct Hold(Flock<File>);

/// Takes a state folder, before anything in it is looked at or put right.
///
/// # Errors
/// [`OpenError::Held`], or [`OpenError::Io`].
pub fn hold(dir: &Path) -> Result<Hold, OpenError> {
    lock(dir).map(Hold)
}

pub(super) fn open(
    Hold(lock): Hold,
    settings: &Settings,
    folds: &Folds,
    progress: &Progress,
) -> Result<Opened, OpenError> {
    swap::settle(&settings.dir)?;
    let marker::Marker { timeline, .. } = marker::own(&settings.dir, settings.second_dir.as_deref())?;
    // Before anything is written: a store of another version stays as it is, to the byte.
    Half::ALL.into_iter().try_for_each(|half| readable(&journal_dir(&settings.dir, half)))?;
    for half in Half::ALL {
        create_dir(&settings.dir.join(half.folder())).map_err(io_error("create", &settings.dir))?;
        tidy(settings, half)?;
    }
    let mut found = Halves { personal: Err(Bad::default()), neutral: Err(Bad::default()) };
    for half in Half::ALL {
        *found.get_mut(half) = existing(settings, half, AskedViews::of(half, folds.get(half)));
    }
    let second = settings.second_dir.as_deref().filter(|second| marker::is_copy(&settings.dir, second));
    let (Begun { settled, checkpoints }, healed) = match settled(settings, &found, timeline, second) {
        Err(damage) if is_damage(&damage) => {
            let Over { tables, positions, last, behind, why } = over(settings, folds, found, second, damage)?;
            let views = Views::new(&settings.dir, tables, lock);
            views.show_as_they_are(behind);
            let report = OpenReport { last: Some(last), ..OpenReport::default() };
            let orphans = Halves::default();
            return Ok(Opened { journals: Err(why), positions, views, last, timeline, orphans, report });
        }
        begun => begun?,
    };
    let Settled { journals, scans, last } = settled;

    let last_meta = (last.seq > 0).then_some(last);
    let mut report = OpenReport { last: last_meta, healed, ..OpenReport::default() };
    let mut tables = Halves::default();
    let mut positions = Halves::default();
    let up = |half, found| {
        let bring =
            Bring { settings, half, fold: folds.get(half), scan: scans.get(half), go_on: &|| true, progress };
        (bring.end(), bring.up(found, *checkpoints.get(half)))
    };
    // Side by side: views that must be built anew take minutes in a large store.
    let Halves { personal, neutral } = found;
    let (personal, neutral) = std::thread::scope(|scope| {
        let personal = scope.spawn(|| up(Half::Personal, personal));
        let neutral = up(Half::Neutral, neutral);
        (personal.join().unwrap_or_else(|panic| resume_unwind(panic)), neutral)
    });
    for (half, (end, up)) in [(Half::Personal, personal), (Half::Neutral, neutral)] {
        let scan = scans.get(half);
        report.torn.extend(scan.torn.clone());
        let dir = journal_dir(&settings.dir, half);
        let orphan = |seen: &Seen| Orphan { meta: seen.meta, file: seen.path(&dir), offset: seen.offset };
        report.orphans.extend(scan.orphans.iter().map(orphan));
        report.read_bytes = report.read_bytes.saturating_add(scan.read_bytes);
        *positions.get_mut(half) = end;
        let Up { table, caught_up, rebuilt, behind } = up?;
        *tables.get_mut(half) = table;
        report.caught_up = report.caught_up.saturating_add(caught_up);
        report.rebuilt.extend(rebuilt);
        report.behind.extend(behind.then_some(half));
    }
    let views = Views::new(&settings.dir, tables, lock);
    report.behind.iter().for_each(|half| views.set_behind(*half, true));
    let orphans = Halves { personal: scans.personal.orphans, neutral: scans.neutral.orphans };
    let journals = Ok(journals);
    Ok(Opened { journals, positions, views, last, timeline, orphans, report })
}

/// Refuses a journal of another format. What is damaged or missing is for whoever reads it whole.
fn readable(dir: &Path) -> Result<(), OpenError> {
    let of_another = |segment: &Segment| match SegmentHeader::parse(&head(&segment.path).ok()?) {
        Err(HeaderError::Format(found)) => {
            Some(OpenError::Format { file: segment.path.clone(), found, known: FORMAT })
        }
        Ok(_) | Err(HeaderError::Short | HeaderError::Magic | HeaderError::Checksum) => None,
    };
    list(dir).unwrap_or_default().iter().find_map(of_another).map_or(Ok(()), Err)
}

/// The journals, brought to one end.
struct Begun {
    settled: Settled,
    /// The sequence of each half's checkpoint.
    checkpoints: Halves<u64>,
}

/// Whether it is the journals that cannot be read as they were written.
fn is_damage(error: &OpenError) -> bool {
    matches!(error, OpenError::Damaged { .. } | OpenError::Io { doing: "read", .. })
}

/// Settles the journals; where they are damaged or cannot be read, once more after healing them from the second copy.
fn settled(
    settings: &Settings,
    found: &Halves<Found>,
    timeline: u32,
    second: Option<&Path>,
) -> Result<(Begun, Vec<Healed>), OpenError> {
    let damage = match begin(settings, found, timeline, second) {
        Err(damage) if is_damage(&damage) => damage,
        begun => return begun.map(|begun| (begun, Vec::new())),
    };
    let Some(second) = second else { return Err(damage) };
    let mut healed = Vec::new();
    for half in Half::ALL {
        healed.extend(heal(&settings.dir, second, half)?);
    }
    // What the second copy does not have either is lost: that is for a person to decide.
    if healed.is_empty() {
        Err(damage)
    } else {
        begin(settings, found, timeline, Some(second)).map(|begun| (begun, healed))
    }
}

fn begin(
    settings: &Settings,
    found: &Halves<Found>,
    timeline: u32,
    second: Option<&Path>,
) -> Result<Begun, OpenError> {
    let (mut from, mut checkpoints, mut applied) = (Halves::default(), Halves::default(), Halves::default());
    let mut reached = 0;
    for half in Half::ALL {
        let checkpoint = checkpoint::read(&settings.dir, half)?.unwrap_or_default();
        let views = found.get(half);
        let seq = views.as_ref().map_or(0, |(_, position)| position.seq);
        let seen = views.as_ref().map_or_else(|bad| bad.reached, |_| seq);
        reached = checkpoint.place.seq.max(seen).max(reached);
        (*checkpoints.get_mut(half), *applied.get_mut(half)) = (checkpoint.place.seq, seq);
        // Views that must be built anew need the whole journal.
        if views.is_ok() && checkpoint.holds(&journal_dir(&settings.dir, half)) {
            *from.get_mut(half) = checkpoint;
        }
    }
    if let Some(second) = second {
        reached = reached.max(copied(&journal_dir(second, Half::Neutral), Half::Neutral, &from.neutral));
    }
    let settled = settle(settings, &Begin { from, applied, reached, timeline })?;
    Ok(Begun { settled, checkpoints })
}

/// The last transaction that the second copy of a half has; it is only ever given what was committed.
pub(super) fn copied(dir: &Path, half: Half, checkpoint: &Checkpoint) -> u64 {
    let from = if checkpoint.holds(dir) { checkpoint.place } else { Place::default() };
    // A copy that is damaged knows nothing for sure; it is mended once the log runs.
    scan(dir, half, Part { from, ..Part::default() }).map_or(0, |found| found.end.seq)
}

pub(super) fn lock(dir: &Path) -> Result<Flock<File>, OpenError> {
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

fn existing(settings: &Settings, half: Half, asked: AskedViews) -> Found {
    let dir = views_dir(settings, half);
    if !dir.exists() {
        return Err(Bad::default());
    }
    let table = Table::open(settings, half, &dir, asked);
    let table = table.map_err(|why| Bad { why: Some(why), reached: 0 })?;
    match table.position() {
        Ok(Some(position)) => Ok((table, position)),
        Ok(None) => Err(Bad { why: Some("they are empty".to_owned()), reached: 0 }),
        Err(why) => Err(Bad { why: Some(why), reached: table.reached() }),
    }
}
