//! Verifies a store that nobody has open: looks at everything and puts nothing right, but for sled's file as it was before a crash
//! amid changes to it. What an open would do (cut a torn end, heal from the second copy, build views) is left for it to do; a damaged
//! journal loses its checkpoint, so that it is read whole then.

use super::bring::{Stop, views_dir};
use super::checkpoint;
use super::files::io_error;
use super::marker::{Marker, journal_dir};
use super::open::lock;
use super::progress::Progress;
use super::scan::{Part, Scan, scan};
use super::settle::{Begin, judge};
use super::table::{AskedViews, Position, Table};
use super::verify::{Check, Verified};
use super::{Folds, Half, Halves, OpenError, Settings, snapshots, swap};
use std::path::Path;

/// Reads everything and says what is not as it was written: each record of both journals and their chain, each entry of the
/// views, the closed segments of the second copy byte for byte; with `folds` also whether the views are what the journals
/// give, and `building` is told how far those are. `progress` is told which file is read and how many bytes were. Takes the lock, so no
/// daemon may run.
///
/// # Errors
/// [`OpenError`], where it could not come to its end. What it finds wrong is no error: see [`Verified`].
pub fn verify(
    settings: &Settings,
    folds: Option<&Folds>,
    building: &Progress,
    progress: &dyn Fn(&Path, u64),
) -> Result<Verified, OpenError> {
    let _lock = lock(&settings.dir)?;
    swap::settled(&settings.dir)?;
    let mut found = Verified::default();
    let mut scans: Halves<Option<Scan>> = Halves::default();
    for half in Half::ALL {
        // What is damaged is found and named below, segment by segment.
        let read = scan(&journal_dir(&settings.dir, half), half, Part::default()).ok();
        found.torn.extend(read.iter().filter_map(|read| read.torn.clone()));
        *scans.get_mut(half) = read;
    }
    let told = |file: &Path, bytes| {
        progress(file, bytes);
        true
    };
    let mut reached = 0;
    for half in Half::ALL {
        let to = scans.get(half).as_ref().map(|scan| scan.end);
        let check = Check { settings, half, to, copying: &|| true, building, progress: &told };
        let views = views(&check, folds, &mut found).map_err(|stop| plain(settings, half, stop))?;
        reached = reached.max(views.seq);
        let checkpoint = checkpoint::read(&settings.dir, half)?.unwrap_or_default();
        reached = reached.max(checkpoint.place.seq);
    }
    if let (Some(neutral), Some(personal)) = (&scans.neutral, &scans.personal) {
        let marker = Marker::read(&settings.dir)?;
        let timeline = marker.map_or(neutral.timeline, |marker| marker.timeline);
        let begin = Begin { from: Halves::default(), applied: Halves::default(), reached, timeline };
        if let Err(error) = judge(&settings.dir, neutral, personal, &begin) {
            found.note(settings, Half::Neutral, error);
        }
    }
    // What lies before a checkpoint is read at no start: without it the next one reads all, and heals what it can.
    for fault in found.faults.iter().filter(|fault| !fault.unread && fault.is_in_journal(&settings.dir)) {
        checkpoint::remove(&settings.dir, fault.half).ok();
    }
    Ok(found)
}

/// Everything of one half; gives where its views are.
fn views(check: &Check<'_>, folds: Option<&Folds>, found: &mut Verified) -> Result<Position, Stop> {
    let (settings, half) = (check.settings, check.half);
    check.journal(found)?;
    check.second(found)?;
    for file in snapshots::files(&settings.dir, half).map_err(io_error("read", &settings.dir))? {
        if let Err(error) = snapshots::check(&file, half) {
            found.note(settings, half, error);
        }
    }
    let dir = views_dir(settings, half);
    if !dir.exists() {
        return Ok(Position::default());
    }
    let table = match Table::open(settings, half, &dir, AskedViews::default()) {
        Ok(table) => table,
        Err(what) => {
            found.note(settings, half, OpenError::Damaged { file: dir, offset: 0, what });
            return Ok(Position::default());
        }
    };
    check.views(&table, found)?;
    let position = match table.position() {
        Ok(position) => position.unwrap_or_default(),
        Err(what) => {
            found.note(settings, half, OpenError::Damaged { file: dir, offset: 0, what });
            return Ok(Position { seq: table.reached(), ..Position::default() });
        }
    };
    // Each run is on the disk before the checkpoint that counts on it.
    let counted = checkpoint::read(&settings.dir, half)?.unwrap_or_default().place.seq;
    if position.seq < counted {
        let what = format!("they end at sequence {}, but their checkpoint says {counted}", position.seq);
        found.note(settings, half, OpenError::Damaged { file: dir, offset: 0, what });
        return Ok(Position { seq: table.reached(), ..Position::default() });
    }
    let whole = check.to.filter(|to| to.seq == position.seq && found.faults.is_empty());
    if let (Some(folds), Some(_)) = (folds, whole) {
        check.rebuilt(folds.get(half), &table, found)?;
    }
    Ok(position)
}

fn plain(settings: &Settings, half: Half, stop: Stop) -> OpenError {
    let views = |what| OpenError::Views { dir: settings.dir.join(half.folder()), what };
    match stop {
        Stop::Open(error) => error,
        Stop::Views(what) => views(what),
        Stop::Locked => views("the vault is locked: its views cannot be compared".to_owned()),
        Stop::Closing => views("it was given up half-way".to_owned()),
    }
}
