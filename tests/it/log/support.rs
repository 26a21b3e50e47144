//! A small vocabulary of events, a state folder, and ways to hurt it.

use fichad::log::{
    Committed, Fold, FoldError, Folds, Half, HealthState, Log, Meta, OpenError, OpenReport, Read, ReadWrite,
    Refused, Settings, Tx, UtcUs, VALUE_BYTES_MAX, View,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use tempfile::TempDir;

pub(super) const HALVES: [Half; 2] = [Half::Personal, Half::Neutral];
/// Entries, and who holds what: an index that only a fold applied exactly once keeps right.
pub(super) const ENTRIES: u8 = 0;
pub(super) const INDEX: u8 = 1;

pub(super) fn view(half: Half, number: u8) -> View {
    View { half, number }
}

/// Events are words: `put K V`, `del K`, `add K N` (to a number), `fill K BYTE LENGTH` and a few that break rules.
pub(super) struct Words {
    pub(super) half: Half,
    pub(super) version: AtomicU32,
    pub(super) locked: AtomicBool,
    /// A key whose `put` is passed over, as the section of somebody erased.
    pub(super) erased: Mutex<Option<String>>,
    /// Where the next `gate` event waits.
    pub(super) gate: Mutex<Option<Gate>>,
}

/// Told that a fold has come to the event, and what lets it go on.
pub(super) type Gate = (mpsc::SyncSender<()>, mpsc::Receiver<()>);

impl Fold for Words {
    fn version(&self) -> u32 {
        self.version.load(Ordering::Relaxed)
    }

    fn apply(&self, meta: &Meta, event: &[u8], views: &mut dyn ReadWrite) -> Result<(), FoldError> {
        if self.locked.load(Ordering::Relaxed) {
            return Err(FoldError::Locked);
        }
        let (entries, index) = (view(self.half, ENTRIES), view(self.half, INDEX));
        let text = String::from_utf8_lossy(event);
        let words: Vec<&str> = text.split(' ').collect();
        let mut set = |key: &str, value: Option<String>| -> Result<(), FoldError> {
            if let Some(old) = views.get(entries, key.as_bytes())? {
                views.remove(index, &[&old[..], b"/", key.as_bytes()].concat());
            }
            match value {
                Some(value) => {
                    views.put(index, format!("{value}/{key}").as_bytes(), &meta.seq.to_be_bytes());
                    views.put(entries, key.as_bytes(), value.as_bytes());
                }
                None => views.remove(entries, key.as_bytes()),
            }
            Ok(())
        };
        match words[..] {
            ["put", key, _] if self.erased.lock().unwrap().as_deref() == Some(key) => Ok(()),
            ["gate"] => {
                if let Some((came, go)) = self.gate.lock().unwrap().take() {
                    came.send(()).unwrap();
                    go.recv().unwrap();
                }
                Ok(())
            }
            ["put", key, value] => set(key, Some(value.to_owned())),
            ["del", key] => set(key, None),
            ["add", key, by] => {
                let old = number(&*views, entries, key);
                let sum = old + by.parse::<i64>().unwrap();
                views.put(entries, key.as_bytes(), sum.to_string().as_bytes());
                Ok(())
            }
            ["large"] => {
                views.put(entries, b"large", &vec![7; VALUE_BYTES_MAX + 1]);
                Ok(())
            }
            ["astray"] => {
                let other = if self.half == Half::Neutral { Half::Personal } else { Half::Neutral };
                views.put(view(other, ENTRIES), b"k", b"v");
                Ok(())
            }
            ["clear", key] => {
                views.remove(entries, key.as_bytes());
                Ok(())
            }
            ["note", _] => Ok(()),
            ["fill", key, byte, len] => {
                views.put(entries, key.as_bytes(), &vec![byte.parse().unwrap(); len.parse().unwrap()]);
                Ok(())
            }
            ["panic"] => panic!("a fold that panics"),
            _ => Err(FoldError::Event { what: "no such word".to_owned() }),
        }
    }
}

pub(super) fn number(read: &(impl Read + ?Sized), view: View, key: &str) -> i64 {
    let value = read.get(view, key.as_bytes()).unwrap().unwrap_or_else(|| b"0".to_vec());
    String::from_utf8(value).unwrap().parse().unwrap()
}

/// A folder in memory where there is one: these tests cut files themselves, and need no disk to be slow for them.
pub(super) fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A state folder, its folds and its clock.
pub(super) struct Bench {
    pub(super) dir: TempDir,
    pub(super) personal: Arc<Words>,
    pub(super) neutral: Arc<Words>,
    pub(super) now_us: Arc<AtomicI64>,
    pub(super) segment_bytes: u64,
    pub(super) checkpoint_groups: u64,
    pub(super) checkpoint_bytes: u64,
    pub(super) runs_bytes: u64,
    pub(super) second: Option<PathBuf>,
    pub(super) scrub_every: Duration,
    pub(super) snapshot_look: Duration,
}

impl Bench {
    pub(super) fn new() -> Self {
        let words = |half| {
            let (version, locked) = (AtomicU32::new(1), AtomicBool::new(false));
            Arc::new(Words { half, version, locked, erased: Mutex::default(), gate: Mutex::default() })
        };
        Self {
            dir: folder(),
            personal: words(Half::Personal),
            neutral: words(Half::Neutral),
            now_us: Arc::new(AtomicI64::new(1_000)),
            segment_bytes: 64 << 20,
            checkpoint_groups: 4096,
            checkpoint_bytes: 16 << 20,
            runs_bytes: 64 << 20,
            second: None,
            scrub_every: Duration::from_secs(3600),
            snapshot_look: Duration::from_secs(3600),
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn open_at(&self, dir: &Path) -> Result<(Log, OpenReport), OpenError> {
        let now_us = Arc::clone(&self.now_us);
        let clock: UtcUs = Arc::new(move || now_us.fetch_add(1, Ordering::Relaxed));
        Log::open(self.settings(dir), self.folds(), clock)
    }

    pub(super) fn folds(&self) -> Folds {
        Folds { personal: self.personal.clone(), neutral: self.neutral.clone() }
    }

    pub(super) fn settings(&self, dir: &Path) -> Settings {
        let mut settings = Settings::new(dir);
        settings.segment_bytes = self.segment_bytes;
        settings.checkpoint_groups = self.checkpoint_groups;
        settings.checkpoint_bytes = self.checkpoint_bytes;
        settings.runs_bytes = self.runs_bytes;
        settings.second_dir = self.second.clone();
        settings.scrub_every = self.scrub_every;
        settings.snapshot_look = self.snapshot_look;
        settings
    }

    pub(super) fn open(&self) -> (Log, OpenReport) {
        self.open_at(self.path()).unwrap()
    }
}

/// Emits `events` in one transaction and waits.
pub(super) fn write(log: &Log, events: &[(Half, &str)]) -> Result<Committed<()>, Refused<FoldError>> {
    let events: Vec<(Half, String)> =
        events.iter().map(|(half, event)| (*half, (*event).to_owned())).collect();
    let decide =
        move |tx: &mut Tx<'_>| events.iter().try_for_each(|(half, event)| tx.emit(*half, event.as_bytes()));
    log.submit(decide).unwrap().wait()
}

pub(super) fn put(log: &Log, half: Half, key: &str, value: &str) -> Meta {
    write(log, &[(half, &format!("put {key} {value}"))]).unwrap().meta
}

pub(super) fn get(log: &Log, half: Half, key: &str) -> Option<String> {
    log.views()
        .get(view(half, ENTRIES), key.as_bytes())
        .unwrap()
        .map(|value| String::from_utf8(value).unwrap())
}

/// All that a half's views hold, by view and key.
pub(super) fn dump(read: &impl Read, half: Half) -> Vec<(u8, Vec<u8>, Vec<u8>)> {
    let of = |number| {
        let found = read.scan(view(half, number), b"", usize::MAX).unwrap();
        found.into_iter().map(move |(key, value)| (number, key, value))
    };
    [ENTRIES, INDEX].into_iter().flat_map(of).collect()
}

pub(super) fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_dir(&entry.path(), &to)
        } else {
            assert!(fs::copy(entry.path(), to).is_ok())
        }
    }
}

/// The journals alone, as a power cut leaves them before anything of the views is on disk.
pub(super) fn copy_journals(from: &Path, to: &Path) {
    for half in ["store", "vault"] {
        copy_dir(&from.join(half).join("journal"), &to.join(half).join("journal"));
    }
}

pub(super) fn segment(dir: &Path, half: Half, number: u32) -> PathBuf {
    let folder = if half == Half::Neutral { "store" } else { "vault" };
    dir.join(folder).join("journal").join(format!("{number:08}.seg"))
}

/// Offsets at which the records of a segment begin, and where the last one ends.
pub(super) fn record_offsets(bytes: &[u8]) -> Vec<usize> {
    let mut offsets = vec![64];
    loop {
        let at = *offsets.last().unwrap();
        if bytes.get(at..at + 4) != Some(b"FjR1") {
            return offsets;
        }
        let len = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap());
        offsets.push(at + 36 + usize::try_from(len).unwrap());
    }
}

pub(super) fn log_last(log: &Log) -> Meta {
    log.submit(|tx| Ok::<_, ()>(tx.meta().seq - 1)).unwrap().wait().unwrap().meta
}

/// Holds the committer inside a decision until the sender is used, so that what is queued meanwhile is one group.
pub(super) fn hold(log: &Log) -> mpsc::SyncSender<()> {
    let (go, wait) = mpsc::sync_channel(1);
    let (entered, inside) = mpsc::sync_channel(1);
    let held = log.submit(move |_| {
        entered.send(()).unwrap();
        wait.recv().unwrap();
        Ok::<(), ()>(())
    });
    drop(held.unwrap());
    inside.recv().unwrap();
    go
}

/// Writes some transactions, then one last group of three; gives the journals' bytes before and after that group.
pub(super) fn with_last_group(bench: &Bench) -> (Log, [usize; 2]) {
    let (log, _) = bench.open();
    for round in 0..5 {
        write(&log, &[(Half::Personal, "add p 1"), (Half::Neutral, &format!("put k{round} v"))]).unwrap();
    }
    let ends = HALVES
        .map(|half| *record_offsets(&fs::read(segment(bench.path(), half, 1)).unwrap()).last().unwrap());
    let go = hold(&log);
    let last: Vec<_> = (0..3)
        .map(|round| {
            let decide = move |tx: &mut Tx<'_>| {
                tx.emit(Half::Neutral, format!("put last{round} a").as_bytes())?;
                tx.emit(Half::Personal, b"add p 1")?;
                tx.emit(Half::Neutral, format!("put tail{round} b").as_bytes())
            };
            log.submit(decide).unwrap()
        })
        .collect();
    go.send(()).unwrap();
    last.into_iter().for_each(|pending| assert!(pending.wait().is_ok()));
    (log, ends)
}

/// After a cut: the first five transactions whole, of the last three a prefix, each whole in both halves or not there.
pub(super) fn check_prefix(log: &Log, at: usize) -> usize {
    let there: Vec<bool> = (0..3)
        .map(|round| {
            let (first, last) = (format!("last{round}"), format!("tail{round}"));
            let parts =
                [get(log, Half::Neutral, &first), get(log, Half::Neutral, &last)].map(|part| part.is_some());
            assert_eq!(parts[0], parts[1], "half a transaction, cut at {at}");
            parts[0]
        })
        .collect();
    let count = there.iter().take_while(|there| **there).count();
    assert_eq!(there.iter().filter(|there| **there).count(), count, "a gap, cut at {at}");
    for round in 0..5 {
        assert!(get(log, Half::Neutral, &format!("k{round}")).is_some(), "an earlier record, cut at {at}");
    }
    let personal = number(&log.views(), view(Half::Personal, ENTRIES), "p");
    assert_eq!(usize::try_from(personal).unwrap(), 5 + count, "the halves differ, cut at {at}");
    count
}

#[track_caller]
pub(super) fn expect_damage(opened: Result<(Log, OpenReport), OpenError>, at: &Path, near: Option<u64>) {
    match opened {
        Err(OpenError::Damaged { file, offset, what }) => {
            assert_eq!(file, at, "{what}");
            assert!(near.is_none_or(|near| near == offset), "{what}: at {offset}, not {near:?}");
        }
        Err(error) => panic!("{error}"),
        // Over the views alone.
        Ok((log, _)) => {
            let HealthState::ReadOnly { why } = log.health().state else { panic!("opened all the same") };
            let named = format!("{} is damaged at byte ", at.display());
            let offset = why.split_once(&named).and_then(|(_, more)| more.split(':').next()?.parse().ok());
            assert!(offset.is_some() && near.is_none_or(|near| offset == Some(near)), "{why}");
        }
    }
}
