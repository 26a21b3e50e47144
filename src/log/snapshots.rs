//! Snapshots of a half: built aside out of the last one and what the journal has after it, found again, and thrown away.
//!
//! They only ever spare folding. One that is damaged, of another fold, or of a journal that was cut since is passed over,
//! and the journal alone is folded. Nothing is built of a half whose fold is locked.

use super::aside;
use super::bring::{Bring, Stop};
use super::bulk::Bulk;
use super::checkpoint::Checkpoint;
use super::closing::{Closer, Closing};
use super::committer::State;
use super::files::{create_dir, io_error, remove_dir, sync_dir};
use super::layer::Under;
use super::marker::journal_dir;
use super::progress::Progress;
use super::scan::{Part, Place, scan};
use super::snapshot::{Snapshot, Writer};
use super::{Fold, Folds, Half, Halves, Meta, OpenError, Settings, View};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

const ENDING: &str = ".snap";
/// Where one is being written, and where what it is made of lies until then.
const BUILDING: &str = "building.tmp";
const RUNS: &str = "runs.tmp";
/// Events that are folded in memory at once, beside all that a running shop has there.
const FOLD_BYTES: usize = 4 << 20;
/// A pause of the background thread after so many bytes of events that were folded, and of entries that were written.
const PAUSE_BYTES: usize = 1 << 20;
const PAUSE: Duration = Duration::from_millis(50);
/// This part of a segment between two looks comes only in bulk: a quarter of a megabyte each second, as the usual sizes are.
const BULK_PART: u64 = 4;
/// After so many segments a snapshot is taken also while many more come.
const BULK_SEGMENTS_MAX: u64 = 64;

pub(super) fn snapshots_dir(dir: &Path, half: Half) -> PathBuf {
    dir.join(half.folder()).join("snapshots")
}

/// The files of a half's snapshots, the newest first: their names begin with the sequence, and end with the time.
pub(super) fn files(dir: &Path, half: Half) -> io::Result<Vec<PathBuf>> {
    let folder = snapshots_dir(dir, half);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        found.extend(name.to_str().filter(|name| name.ends_with(ENDING)).map(|name| folder.join(name)));
    }
    found.sort();
    found.reverse();
    Ok(found)
}

fn name(meta: Meta) -> String {
    let time = jiff::Timestamp::from_microsecond(meta.at_us).unwrap_or_default();
    format!("{:020}-{}{ENDING}", meta.seq, time.strftime("%Y%m%dT%H%M%SZ"))
}

/// The newest snapshot that `fold` can go on from towards `end`; `None` where there is none.
pub(super) fn newest(settings: &Settings, half: Half, fold: &dyn Fold, end: &Place) -> Option<Snapshot> {
    let journal = journal_dir(&settings.dir, half);
    let files = files(&settings.dir, half).unwrap_or_default();
    files.iter().filter_map(|file| Snapshot::open(file, half).ok()).find(|found| {
        let place = &found.at.place;
        let within = (place.segment, place.offset) <= (end.segment, end.offset) && place.seq <= end.seq;
        within && found.fold == fold.version() && found.at.holds(&journal)
    })
}

/// A snapshot that a folder has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its file.
    pub file: PathBuf,
    /// Whose.
    pub half: Half,
    /// After which transaction, and when that was; `None`: the file is damaged.
    pub last: Option<Meta>,
}

/// The snapshots in a state folder, as far as their headers tell.
pub(super) fn taken(dir: &Path) -> io::Result<Vec<Taken>> {
    let mut all = Vec::new();
    for half in Half::ALL {
        for file in files(dir, half)? {
            let place = Snapshot::open(&file, half).ok().map(|found| found.at.place);
            let last = place.map(|place| Meta { seq: place.seq, at_us: place.at_us });
            all.push(Taken { file, half, last });
        }
    }
    Ok(all)
}

/// Builds snapshots of an open log.
pub(super) struct Snapshots {
    settings: Settings,
    folds: Folds,
    state: Arc<State>,
    /// Held while one is built.
    building: Mutex<()>,
}

impl Snapshots {
    pub(super) fn new(settings: Settings, folds: Folds, state: Arc<State>) -> Self {
        Self { settings, folds, state, building: Mutex::default() }
    }

    /// Takes one of `half` as its journal stands; `None` where the last one already is of there. `go_on` is asked now and
    /// then.
    pub(super) fn take(&self, half: Half, go_on: &dyn Fn() -> bool) -> Result<Option<PathBuf>, Stop> {
        let _one_at_a_time = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        let (settings, fold) = (&self.settings, self.folds.get(half));
        let to = *self.state.tips().places.get(half);
        let before = newest(settings, half, fold, &to);
        let from = before.as_ref().map_or_else(Checkpoint::default, |before| before.at.clone());
        if from.place.seq == to.seq {
            return Ok(None);
        }
        let folder = snapshots_dir(&settings.dir, half);
        create_dir(&folder).map_err(io_error("create", &folder))?;
        let part = Part { from: from.place, to: Some(to), want_seq: 0 };
        let mut found = scan(&journal_dir(&settings.dir, half), half, part)?;
        found.orphans.splice(0..0, from.orphans);
        let progress = Progress::default();
        let bring = Bring { settings, half, fold, scan: &found, go_on: &|| true, progress: &progress };
        let keeps = |key: &[u8]| key.first().is_some_and(|number| fold.keeps(View { half, number: *number }));
        let below = before.as_ref().map(|before| -> &dyn Under { before });
        let mut bulk = Bulk::new(half, folder.join(RUNS), below, &keeps).folding(FOLD_BYTES);
        let mut pauses = Pauses { go_on, bytes: 0 };
        bring.each(&found, from.place.seq, &mut |record| {
            bulk.fold(&bring, record)?;
            pauses.after(record.payload.len())
        })?;
        let at = Checkpoint { place: found.end, orphans: found.orphans.clone() };
        let built = folder.join(BUILDING);
        let writer = Writer::create(&built, half, fold.version(), &at).map_err(io_error("write", &built))?;
        write(writer, &bulk, &built, &mut pauses)?;
        Snapshot::open(&built, half)?.check()?;
        let file = folder.join(name(Meta { seq: to.seq, at_us: to.at_us }));
        let placed = fs::rename(&built, &file).and_then(|()| sync_dir(&folder));
        placed.map_err(io_error("write", &file))?;
        self.prune(half).map_err(io_error("tidy", &folder))?;
        Ok(Some(file))
    }

    fn prune(&self, half: Half) -> io::Result<()> {
        let folder = snapshots_dir(&self.settings.dir, half);
        let old = files(&self.settings.dir, half)?.into_iter().skip(self.settings.snapshots_kept.max(1));
        remove_dir(&folder.join(RUNS))?;
        for file in old.chain([folder.join(BUILDING)]) {
            match fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        sync_dir(&folder)
    }

    /// Whether the journal of `half` has gone so far since the last one that it is time: a whole number of segments, and as many
    /// bytes as the last one has, for the next one writes those again. While much comes between two looks something is brought in in
    /// bulk, which is not to be folded twice meanwhile, unless it is very much.
    fn is_due(&self, half: Half, looked_at: &mut u64) -> bool {
        let to = *self.state.tips().places.get(half);
        let last_look = std::mem::replace(looked_at, self.bytes_to(&to));
        let in_bulk = looked_at.saturating_sub(last_look) > self.settings.segment_bytes / BULK_PART;
        let last = newest(&self.settings, half, self.folds.get(half), &to);
        let (segment, bytes) = last.map_or((1, 0), |last| (last.at.place.segment, last.bytes));
        let grown = to.segment.saturating_sub(segment);
        let again = bytes.checked_div(self.settings.segment_bytes).unwrap_or(0);
        grown >= self.settings.snapshot_segments.max(again).max(1) && (!in_bulk || grown >= BULK_SEGMENTS_MAX)
    }

    /// About how many bytes a journal has up to there.
    fn bytes_to(&self, place: &Place) -> u64 {
        place.segment.saturating_mul(self.settings.segment_bytes).saturating_add(place.offset)
    }
}

/// Asks now and then whether to go on, which is where a background thread pauses.
struct Pauses<'p> {
    go_on: &'p dyn Fn() -> bool,
    /// Bytes since it was asked.
    bytes: usize,
}

impl Pauses<'_> {
    fn after(&mut self, bytes: usize) -> Result<(), Stop> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes < PAUSE_BYTES {
            return Ok(());
        }
        self.bytes = 0;
        if (self.go_on)() { Ok(()) } else { Err(Stop::Closing) }
    }
}

/// Writes what was folded into a snapshot.
fn write(mut writer: Writer, bulk: &Bulk<'_>, file: &Path, pauses: &mut Pauses<'_>) -> Result<(), Stop> {
    for entry in bulk.entries() {
        let (key, change) = entry.map_err(|error| Stop::Views(error.to_string()))?;
        writer.put(&key, &change).map_err(io_error("write", file))?;
        pauses.after(key.len().saturating_add(change.value.map_or(0, |value| value.len())))?;
    }
    Ok(writer.finish().map_err(io_error("write", file))?)
}

/// The thread, and how it is told to end.
pub(super) struct SnapshotThread {
    closing: Closer,
    thread: JoinHandle<()>,
}

impl SnapshotThread {
    pub(super) fn start(snapshots: Arc<Snapshots>) -> io::Result<Self> {
        let closing = Arc::new(Closing::default());
        let inner = Arc::clone(&closing);
        let run = move || {
            let places = snapshots.state.tips().places;
            let mut last = Halves {
                personal: snapshots.bytes_to(&places.personal),
                neutral: snapshots.bytes_to(&places.neutral),
            };
            while inner.pause(snapshots.settings.snapshot_look) {
                let due = |half: &Half| snapshots.is_due(*half, last.get_mut(*half));
                for half in Half::ALL.into_iter().filter(due) {
                    // One that cannot be built is tried again the next time; without it a rebuild takes longer, no more.
                    snapshots.take(half, &|| inner.pause(PAUSE)).ok();
                }
            }
        };
        let thread = aside::spawn("snapshots", run)?;
        Ok(Self { closing: Closer(closing), thread })
    }

    /// Ends it, also in the middle of a snapshot.
    pub(super) fn stop(self) {
        drop(self.closing);
        // After a panic there is nothing left to end: what it had not put in place is not used.
        self.thread.join().ok();
    }
}

/// Takes along, to the half in `new`, the snapshots that were taken at or before `seq`.
pub(super) fn link(from: &Path, new: &Path, half: Half, seq: u64) -> io::Result<()> {
    let to = snapshots_dir(new, half);
    for file in files(from, half)? {
        let within = Snapshot::open(&file, half).is_ok_and(|found| found.at.place.seq <= seq);
        if let (true, Some(name)) = (within, file.file_name()) {
            create_dir(&to)?;
            fs::hard_link(&file, to.join(name))?;
        }
    }
    if to.exists() { sync_dir(&to) } else { Ok(()) }
}

/// Reads all of a snapshot; the error is what is wrong with it.
pub(super) fn check(file: &Path, half: Half) -> Result<(), OpenError> {
    let read = Snapshot::open(file, half).and_then(|found| found.check());
    read.map_err(|what| OpenError::Damaged { file: file.to_path_buf(), offset: 0, what })
}
