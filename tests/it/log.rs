//! The journal and its views on real files: what is acknowledged stays, what is torn is cut, what is damaged is named.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code fails by panicking"
)]
#![expect(clippy::arithmetic_side_effects, reason = "test code fails by panicking")]

use fichad::log::{
    Committed, Fold, FoldError, Folds, GROUP_MAX, Half, HealthState, Log, Meta, OpenError, OpenReport, Read,
    ReadWrite, Refused, Settings, SubmitError, Tx, UtcUs, VALUE_BYTES_MAX, View,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use tempfile::TempDir;

const HALVES: [Half; 2] = [Half::Personal, Half::Neutral];
/// Entries, and who holds what: an index that only a fold applied exactly once keeps right.
const ENTRIES: u8 = 0;
const INDEX: u8 = 1;

fn view(half: Half, number: u8) -> View {
    View { half, number }
}

/// Events are words: `put K V`, `del K`, `add K N` (to a number), `panic`, `bad`.
struct Words {
    half: Half,
    version: AtomicU32,
    locked: AtomicBool,
}

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
            ["note", _] => Ok(()),
            ["panic"] => panic!("a fold that panics"),
            _ => Err(FoldError::Event { what: "no such word".to_owned() }),
        }
    }
}

fn number(read: &(impl Read + ?Sized), view: View, key: &str) -> i64 {
    let value = read.get(view, key.as_bytes()).unwrap().unwrap_or_else(|| b"0".to_vec());
    String::from_utf8(value).unwrap().parse().unwrap()
}

/// A folder in memory where there is one: these tests cut files themselves, and need no disk to be slow for them.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A state folder, its folds and its clock.
struct Bench {
    dir: TempDir,
    personal: Arc<Words>,
    neutral: Arc<Words>,
    now_us: Arc<AtomicI64>,
    segment_bytes: u64,
}

impl Bench {
    fn new() -> Self {
        let words =
            |half| Arc::new(Words { half, version: AtomicU32::new(1), locked: AtomicBool::new(false) });
        Self {
            dir: folder(),
            personal: words(Half::Personal),
            neutral: words(Half::Neutral),
            now_us: Arc::new(AtomicI64::new(1_000)),
            segment_bytes: 64 << 20,
        }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn open_at(&self, dir: &Path) -> Result<(Log, OpenReport), OpenError> {
        let now_us = Arc::clone(&self.now_us);
        let clock: UtcUs = Arc::new(move || now_us.fetch_add(1, Ordering::Relaxed));
        let folds = Folds { personal: self.personal.clone(), neutral: self.neutral.clone() };
        let mut settings = Settings::new(dir);
        settings.segment_bytes = self.segment_bytes;
        Log::open(settings, folds, clock)
    }

    fn open(&self) -> (Log, OpenReport) {
        self.open_at(self.path()).unwrap()
    }
}

/// Emits `events` in one transaction and waits.
fn write(log: &Log, events: &[(Half, &str)]) -> Result<Committed<()>, Refused<FoldError>> {
    let events: Vec<(Half, String)> =
        events.iter().map(|(half, event)| (*half, (*event).to_owned())).collect();
    let decide =
        move |tx: &mut Tx<'_>| events.iter().try_for_each(|(half, event)| tx.emit(*half, event.as_bytes()));
    log.submit(decide).unwrap().wait()
}

fn put(log: &Log, half: Half, key: &str, value: &str) -> Meta {
    write(log, &[(half, &format!("put {key} {value}"))]).unwrap().meta
}

fn get(log: &Log, half: Half, key: &str) -> Option<String> {
    log.views()
        .get(view(half, ENTRIES), key.as_bytes())
        .unwrap()
        .map(|value| String::from_utf8(value).unwrap())
}

/// All that a half's views hold, by view and key.
fn dump(read: &impl Read, half: Half) -> Vec<(u8, Vec<u8>, Vec<u8>)> {
    let of = |number| {
        let found = read.scan(view(half, number), b"", usize::MAX).unwrap();
        found.into_iter().map(move |(key, value)| (number, key, value))
    };
    [ENTRIES, INDEX].into_iter().flat_map(of).collect()
}

fn copy_dir(from: &Path, to: &Path) {
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
fn copy_journals(from: &Path, to: &Path) {
    for half in ["store", "vault"] {
        copy_dir(&from.join(half).join("journal"), &to.join(half).join("journal"));
    }
}

fn segment(dir: &Path, half: Half, number: u32) -> PathBuf {
    let folder = if half == Half::Neutral { "store" } else { "vault" };
    dir.join(folder).join("journal").join(format!("{number:08}.seg"))
}

/// Offsets at which the records of a segment begin, and where the last one ends.
fn record_offsets(bytes: &[u8]) -> Vec<usize> {
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

#[test]
fn what_was_committed_is_there_after_reopening() {
    let bench = Bench::new();
    let (log, report) = bench.open();
    assert_eq!((report.last, report.rebuilt.len(), report.caught_up), (None, 0, 0));
    assert_eq!(put(&log, Half::Neutral, "a", "1").seq, 1);
    let both = write(&log, &[(Half::Personal, "put name x"), (Half::Neutral, "put a 2")]).unwrap();
    assert_eq!(both.meta.seq, 2);
    assert_eq!(put(&log, Half::Personal, "only", "here").seq, 3);
    assert_eq!(write(&log, &[]).unwrap().meta, Meta { seq: 3, ..log_last(&log) });
    let before = HALVES.map(|half| (dump(&log.views(), half), log.views().digest(half).unwrap()));
    assert_eq!(log.close().state, HealthState::Ok);

    let (log, report) = bench.open();
    assert_eq!(report.last.map(|meta| meta.seq), Some(3));
    assert_eq!((report.rebuilt.len(), report.caught_up, report.torn.len()), (0, 0, 0));
    assert_eq!(HALVES.map(|half| (dump(&log.views(), half), log.views().digest(half).unwrap())), before);
    assert_eq!(get(&log, Half::Neutral, "a").as_deref(), Some("2"));
    assert_eq!(get(&log, Half::Personal, "only").as_deref(), Some("here"));
    assert_eq!(put(&log, Half::Neutral, "b", "1").seq, 4);
}

fn log_last(log: &Log) -> Meta {
    log.submit(|tx| Ok::<_, ()>(tx.meta().seq - 1)).unwrap().wait().unwrap().meta
}

#[test]
fn of_many_threads_that_claim_one_key_one_wins() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    let start = Barrier::new(64);
    let won: Vec<bool> = thread::scope(|scope| {
        let claims: Vec<_> = (0..64)
            .map(|who| {
                let (log, start) = (log.clone(), &start);
                scope.spawn(move || {
                    start.wait();
                    let decide = move |tx: &mut Tx<'_>| {
                        if tx.get(view(Half::Neutral, ENTRIES), b"card").unwrap().is_some() {
                            return Err("taken");
                        }
                        tx.emit(Half::Neutral, format!("put card {who}").as_bytes()).unwrap();
                        Ok(who)
                    };
                    match log.submit(decide).unwrap().wait() {
                        Ok(_) => true,
                        Err(Refused::Refusal("taken")) => false,
                        Err(other) => panic!("{other}"),
                    }
                })
            })
            .collect();
        claims.into_iter().map(|claim| claim.join().unwrap()).collect()
    });
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    let winner = won.iter().position(|won| *won).unwrap();
    assert_eq!(get(&log, Half::Neutral, "card"), Some(winner.to_string()));
    assert_eq!(log.health().last_seq, 1);
}

/// Holds the committer inside a decision until the sender is used, so that what is queued meanwhile is one group.
fn hold(log: &Log) -> mpsc::SyncSender<()> {
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

fn spend(log: &Log, points: i64) -> fichad::log::Pending<(), i64> {
    let decide = move |tx: &mut Tx<'_>| {
        let balance = number(tx, view(Half::Neutral, ENTRIES), "points");
        if balance < points {
            return Err(balance);
        }
        tx.emit(Half::Neutral, format!("add points -{points}").as_bytes()).unwrap();
        Ok(())
    };
    log.submit(decide).unwrap()
}

#[test]
fn points_are_spent_once_within_a_group() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    write(&log, &[(Half::Neutral, "add points 100")]).unwrap();
    let go = hold(&log);
    let (first, second, third) = (spend(&log, 70), spend(&log, 70), spend(&log, 30));
    go.send(()).unwrap();
    assert_eq!(first.wait().unwrap().meta.seq, 2);
    assert!(matches!(second.wait(), Err(Refused::Refusal(30))));
    assert_eq!(third.wait().unwrap().meta.seq, 3);
    assert_eq!(get(&log, Half::Neutral, "points").as_deref(), Some("0"));
}

#[test]
fn a_discarded_decision_leaves_nothing() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    put(&log, Half::Neutral, "kept", "1");
    let before = fs::read(segment(bench.path(), Half::Neutral, 1)).unwrap();
    let refused = log.submit(|tx| {
        tx.emit(Half::Neutral, b"put lost 1").unwrap();
        assert!(tx.get(view(Half::Neutral, ENTRIES), b"lost").unwrap().is_some());
        Err::<(), _>("no")
    });
    assert!(matches!(refused.unwrap().wait(), Err(Refused::Refusal("no"))));
    let panicked = log.submit(|tx| -> Result<(), ()> {
        tx.emit(Half::Neutral, b"put lost 2").unwrap();
        panic!("a decision that panics")
    });
    assert!(matches!(panicked.unwrap().wait(), Err(Refused::Panicked)));
    for event in ["large", "astray", "unheard"] {
        let swallowed = log.submit(move |tx| {
            tx.emit(Half::Neutral, b"put lost 3").unwrap();
            assert!(tx.emit(Half::Neutral, event.as_bytes()).is_err());
            Ok::<(), ()>(())
        });
        assert!(matches!(swallowed.unwrap().wait(), Err(Refused::Fold(_))), "{event}");
    }
    assert!(matches!(write(&log, &[(Half::Neutral, "panic")]), Err(Refused::Panicked)));
    assert_eq!(get(&log, Half::Neutral, "lost"), None);
    assert_eq!(fs::read(segment(bench.path(), Half::Neutral, 1)).unwrap(), before);
    assert_eq!(put(&log, Half::Neutral, "kept", "2").seq, 2);
}

#[test]
fn a_transaction_reads_its_own_events_in_order_with_the_committed_ones() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    write(&log, &[(Half::Neutral, "put b 1"), (Half::Neutral, "put d 1"), (Half::Neutral, "put e 1")])
        .unwrap();
    let seen = log.submit(|tx| {
        for event in ["put a 2", "put c 2", "del d", "put e 2", "put f 2"] {
            tx.emit(Half::Neutral, event.as_bytes())?;
        }
        let keys = |limit| tx.scan(view(Half::Neutral, ENTRIES), b"", limit);
        Ok::<_, FoldError>((keys(usize::MAX)?, keys(3)?, tx.scan(view(Half::Neutral, ENTRIES), b"e", 9)?))
    });
    let (all, three, e) = seen.unwrap().wait().unwrap().value;
    let text = |list: &[(Vec<u8>, Vec<u8>)]| {
        list.iter()
            .map(|(key, value)| String::from_utf8([&key[..], value].concat()).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(text(&all), ["a2", "b1", "c2", "e2", "f2"]);
    assert_eq!(text(&three), ["a2", "b1", "c2"]);
    assert_eq!(text(&e), ["e2"]);
    assert_eq!(text(&log.views().scan(view(Half::Neutral, ENTRIES), b"", 2).unwrap()), ["a2", "b1"]);
}

#[test]
fn a_full_queue_is_busy_and_a_closed_log_says_so() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    let go = hold(&log);
    let mut waiting = Vec::new();
    let busy = loop {
        match log.submit(|_| Ok::<(), ()>(())) {
            Ok(pending) => waiting.push(pending),
            Err(error) => break error,
        }
    };
    assert_eq!((busy, waiting.len()), (SubmitError::Busy, fichad::log::QUEUE_MAX));
    go.send(()).unwrap();
    assert!(waiting.into_iter().all(|pending| pending.wait().is_ok()));
    let other = log.clone();
    log.close();
    assert!(matches!(other.submit(|_| Ok::<(), ()>(())), Err(SubmitError::Closed)));
}

#[tokio::test]
async fn an_answer_can_be_awaited() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    let pending = log.submit(|tx| tx.emit(Half::Neutral, b"put a 1")).unwrap();
    assert_eq!(pending.await.unwrap().meta.seq, 1);
}

/// Writes some transactions, then one last group of three; gives the journals' bytes before and after that group.
fn with_last_group(bench: &Bench) -> (Log, [usize; 2]) {
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
fn check_prefix(log: &Log, at: usize) -> usize {
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

#[test]
fn the_last_group_cut_at_any_byte_leaves_whole_transactions() {
    let bench = Bench::new();
    let (log, ends) = with_last_group(&bench);
    let whole = fs::read(segment(bench.path(), Half::Neutral, 1)).unwrap();
    let end = *record_offsets(&whole).last().unwrap();
    let mut counts = Vec::new();
    for at in ends[1]..=end {
        let cut = folder();
        copy_journals(bench.path(), cut.path());
        fs::write(segment(cut.path(), Half::Neutral, 1), &whole[..at]).unwrap();
        let (log, report) = bench.open_at(cut.path()).unwrap();
        let count = check_prefix(&log, at);
        assert_eq!(report.orphans.len(), 3 - count, "cut at {at}");
        assert_eq!(report.torn.len(), usize::from(!record_offsets(&whole).contains(&at)), "cut at {at}");
        assert_eq!(put(&log, Half::Neutral, "next", "1").seq, u64::try_from(5 + count + 1).unwrap());
        counts.push(count);
    }
    assert_eq!((counts.first(), counts.last()), (Some(&0), Some(&3)));
    drop(log);
}

#[test]
fn a_torn_personal_tail_is_cut_only_if_it_was_not_committed() {
    let bench = Bench::new();
    let (log, ends) = with_last_group(&bench);
    let personal = fs::read(segment(bench.path(), Half::Personal, 1)).unwrap();
    let neutral = fs::read(segment(bench.path(), Half::Neutral, 1)).unwrap();
    let end = *record_offsets(&personal).last().unwrap();
    for at in (ends[0]..end).step_by(7) {
        // The crash came before anything neutral was written: torn, or orphans.
        let cut = folder();
        copy_journals(bench.path(), cut.path());
        fs::write(segment(cut.path(), Half::Personal, 1), &personal[..at]).unwrap();
        fs::write(segment(cut.path(), Half::Neutral, 1), &neutral[..ends[1]]).unwrap();
        let (log, _) = bench.open_at(cut.path()).unwrap();
        assert_eq!(check_prefix(&log, at), 0);
        drop(log);
        // The neutral half says these were committed: then it is damage.
        fs::remove_dir_all(cut.path()).unwrap();
        copy_journals(bench.path(), cut.path());
        fs::write(segment(cut.path(), Half::Personal, 1), &personal[..at]).unwrap();
        expect_damage(bench.open_at(cut.path()), &segment(cut.path(), Half::Personal, 1), None);
    }
    drop(log);
}

#[track_caller]
fn expect_damage(opened: Result<(Log, OpenReport), OpenError>, at: &Path, near: Option<u64>) {
    match opened {
        Err(OpenError::Damaged { file, offset, what }) => {
            assert_eq!(file, at, "{what}");
            assert!(near.is_none_or(|near| near == offset), "{what}: at {offset}, not {near:?}");
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("opened all the same"),
    }
}

#[test]
fn a_flipped_byte_in_an_earlier_record_is_damage_and_nothing_is_cut() {
    let bench = Bench::new();
    let (log, _) = with_last_group(&bench);
    drop(log);
    for half in HALVES {
        let file = segment(bench.path(), half, 1);
        let whole = fs::read(&file).unwrap();
        let offsets = record_offsets(&whole);
        let last = offsets[offsets.len() - 2];
        for at in 0..last {
            let mut bad = whole.clone();
            bad[at] ^= 0x20;
            fs::write(&file, &bad).unwrap();
            let record = offsets.iter().rev().find(|offset| **offset <= at).copied().unwrap_or(0);
            expect_damage(bench.open_at(bench.path()), &file, Some(u64::try_from(record).unwrap()));
            assert!(fs::read(&file).unwrap() == bad, "the file was changed");
        }
        // The views have passed the last record, so a flip there is no torn tail either.
        let mut bad = whole.clone();
        bad[last + 40] ^= 0x20;
        fs::write(&file, &bad).unwrap();
        expect_damage(bench.open_at(bench.path()), &file, Some(u64::try_from(last).unwrap()));
        fs::write(&file, &whole).unwrap();
    }
    let (_, report) = bench.open();
    assert_eq!((report.rebuilt.len(), report.last.map(|meta| meta.seq)), (0, Some(8)));
}

#[test]
fn a_journal_shorter_than_what_views_or_checkpoint_know_is_damage() {
    let bench = Bench::new();
    let (log, _) = with_last_group(&bench);
    drop(log);
    let file = segment(bench.path(), Half::Neutral, 1);
    let whole = fs::read(&file).unwrap();
    let offsets = record_offsets(&whole);
    for views in ["views", "no views"] {
        // Cut exactly between two records, so that the file itself looks sound.
        fs::write(&file, &whole[..offsets[offsets.len() - 2]]).unwrap();
        expect_damage(bench.open_at(bench.path()), &file, None);
        fs::write(&file, b"").unwrap();
        expect_damage(bench.open_at(bench.path()), &file, Some(0));
        fs::remove_file(&file).unwrap();
        expect_damage(bench.open_at(bench.path()), &file, None);
        if views == "views" {
            fs::remove_dir_all(bench.path().join("store/views")).unwrap();
        }
    }
    fs::write(&file, &whole).unwrap();
    let (_, report) = bench.open();
    assert_eq!(report.rebuilt.len(), 1);
}

#[test]
fn deleted_or_emptied_views_are_rebuilt_to_the_same_bytes() {
    let bench = Bench::new();
    let (log, _) = with_last_group(&bench);
    write(&log, &[(Half::Neutral, "del k1"), (Half::Neutral, "put k2 other")]).unwrap();
    let digests = HALVES.map(|half| log.views().digest(half).unwrap());
    assert_eq!(digests[1].entries, 20);
    log.close();
    for damage in ["deleted", "emptied", "no db", "cut", "other fold", "half a rebuild"] {
        for folder in ["store/views", "vault/views"] {
            let views = bench.path().join(folder);
            match damage {
                "deleted" => fs::remove_dir_all(&views).unwrap(),
                "emptied" => {
                    fs::remove_dir_all(&views).unwrap();
                    fs::create_dir(&views).unwrap();
                }
                "no db" => fs::remove_file(views.join("db")).unwrap(),
                "cut" => {
                    let db = fs::OpenOptions::new().write(true).open(views.join("db")).unwrap();
                    db.set_len(0).unwrap();
                }
                "other fold" => {
                    bench.personal.version.store(2, Ordering::Relaxed);
                    bench.neutral.version.store(2, Ordering::Relaxed);
                }
                _ => fs::rename(&views, views.with_extension("new")).unwrap(),
            }
        }
        let (log, report) = bench.open();
        assert_eq!(report.rebuilt.len(), 2, "{damage}: {report:?}");
        assert_eq!(HALVES.map(|half| log.views().digest(half).unwrap()), digests, "{damage}");
        log.close();
        let (_, report) = bench.open();
        assert_eq!(report.rebuilt, [], "{damage}");
    }
}

#[test]
fn views_of_another_time_catch_up_and_views_of_another_journal_are_rebuilt() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    put(&log, Half::Neutral, "a", "1");
    log.close();
    let early = folder();
    copy_dir(&bench.path().join("store/views"), early.path());
    let (log, _) = bench.open();
    for round in 0..600 {
        put(&log, Half::Neutral, &format!("k{}", round % 7), &format!("{round}"));
    }
    let digest = log.views().digest(Half::Neutral).unwrap();
    log.close();
    fs::remove_file(bench.path().join("store/CHECKPOINT")).unwrap();
    fs::remove_dir_all(bench.path().join("store/views")).unwrap();
    copy_dir(early.path(), &bench.path().join("store/views"));
    let (log, report) = bench.open();
    assert_eq!((report.caught_up, report.rebuilt.len()), (600, 0));
    assert_eq!(log.views().digest(Half::Neutral).unwrap(), digest);
    log.close();

    let other = Bench::new();
    let (log, _) = other.open();
    put(&log, Half::Neutral, "another", "history");
    log.close();
    fs::remove_dir_all(bench.path().join("store/views")).unwrap();
    copy_dir(&other.path().join("store/views"), &bench.path().join("store/views"));
    let (log, report) = bench.open();
    assert_eq!(report.rebuilt.len(), 1);
    assert_eq!(log.views().digest(Half::Neutral).unwrap(), digest);
}

#[test]
fn personal_records_without_a_neutral_one_are_voided_and_listed_for_ever() {
    let bench = Bench::new();
    let (log, ends) = with_last_group(&bench);
    let cut = folder();
    copy_journals(bench.path(), cut.path());
    drop(log);
    let neutral = segment(cut.path(), Half::Neutral, 1);
    let whole = fs::read(&neutral).unwrap();
    fs::write(&neutral, &whole[..ends[1]]).unwrap();
    let orphan_bytes = fs::read(segment(cut.path(), Half::Personal, 1)).unwrap();
    let (log, report) = bench.open_at(cut.path()).unwrap();
    let mut seqs: Vec<u64> = report.orphans.iter().map(|orphan| orphan.meta.seq).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, [6, 7, 8]);
    assert_eq!(number(&log.views(), view(Half::Personal, ENTRIES), "p"), 5);
    // The numbers are given again, also to personal records.
    assert_eq!(write(&log, &[(Half::Personal, "add p 10")]).unwrap().meta.seq, 6);
    log.close();
    let kept = fs::read(segment(cut.path(), Half::Personal, 1)).unwrap();
    let end = *record_offsets(&orphan_bytes).last().unwrap();
    assert_eq!(kept[..end], orphan_bytes[..end]);
    for views in ["kept", "deleted"] {
        let (log, report) = bench.open_at(cut.path()).unwrap();
        assert_eq!(report.orphans.len(), 3, "views {views}");
        assert_eq!(number(&log.views(), view(Half::Personal, ENTRIES), "p"), 15, "views {views}");
        log.close();
        fs::remove_dir_all(cut.path().join("vault/views")).unwrap();
    }
}

#[test]
fn a_neutral_journal_that_lost_more_than_a_group_is_damage_not_orphans() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    for _ in 0..GROUP_MAX + 40 {
        write(&log, &[(Half::Personal, "add p 1")]).unwrap();
    }
    let cut = folder();
    copy_journals(bench.path(), cut.path());
    drop(log);
    let neutral = segment(cut.path(), Half::Neutral, 1);
    let whole = fs::read(&neutral).unwrap();
    fs::write(&neutral, &whole[..record_offsets(&whole)[20]]).unwrap();
    expect_damage(bench.open_at(cut.path()), &neutral, None);
}

#[test]
fn segments_roll_and_a_missing_or_swapped_one_is_damage() {
    let mut bench = Bench::new();
    bench.segment_bytes = 1_000;
    let (log, _) = bench.open();
    let go = hold(&log);
    let big = "x".repeat(3_000);
    let pending: Vec<_> = (0..60)
        .map(|round| {
            let event = format!("put k{} {round}", round % 5);
            let personal = if round == 30 { format!("note {big}") } else { event.clone() };
            log.submit(move |tx| {
                tx.emit(Half::Personal, personal.as_bytes())?;
                tx.emit(Half::Neutral, event.as_bytes())
            })
        })
        .collect();
    go.send(()).unwrap();
    pending.into_iter().for_each(|pending| assert!(pending.unwrap().wait().is_ok()));
    let digests = HALVES.map(|half| log.views().digest(half).unwrap());
    log.close();
    assert!(segment(bench.path(), Half::Neutral, 4).exists());
    for folder in ["store/views", "vault/views"] {
        fs::remove_dir_all(bench.path().join(folder)).unwrap();
    }
    let (log, _) = bench.open();
    assert_eq!(HALVES.map(|half| log.views().digest(half).unwrap()), digests);
    log.close();

    let [first, second, third] = [1, 2, 3].map(|number| segment(bench.path(), Half::Neutral, number));
    let moved = bench.path().join("aside");
    fs::rename(&second, &moved).unwrap();
    expect_damage(bench.open_at(bench.path()), &second, Some(0));
    fs::copy(&third, &second).unwrap();
    expect_damage(bench.open_at(bench.path()), &second, Some(0));
    fs::rename(&moved, &second).unwrap();
    let whole = fs::read(&first).unwrap();
    let offsets = record_offsets(&whole);
    fs::write(&first, &whole[..offsets[offsets.len() - 2]]).unwrap();
    expect_damage(bench.open_at(bench.path()), &second, Some(0));
    fs::write(&first, &whole).unwrap();
    drop(bench.open());
}

#[test]
fn time_never_goes_back() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    bench.now_us.store(5_000_000, Ordering::Relaxed);
    let first = put(&log, Half::Neutral, "a", "1").at_us;
    bench.now_us.store(1_000, Ordering::Relaxed);
    assert_eq!(put(&log, Half::Neutral, "a", "2").at_us, first);
    log.close();
    let (log, report) = bench.open();
    assert_eq!(report.last.map(|meta| meta.at_us), Some(first));
    assert_eq!(put(&log, Half::Neutral, "a", "3").at_us, first);
    bench.now_us.store(9_000_000, Ordering::Relaxed);
    assert!(put(&log, Half::Neutral, "a", "4").at_us >= 9_000_000);
}

#[test]
fn a_second_opener_is_refused_until_the_first_lets_go() {
    let bench = Bench::new();
    let (log, _) = bench.open();
    assert!(matches!(bench.open_at(bench.path()), Err(OpenError::Held { .. })));
    let views = log.views();
    log.close();
    assert!(matches!(bench.open_at(bench.path()), Err(OpenError::Held { .. })), "views still hold it");
    drop(views);
    drop(bench.open());
}

#[test]
fn with_its_fold_locked_the_personal_half_stays_behind_and_the_other_goes_on() {
    let bench = Bench::new();
    let (log, _) = with_last_group(&bench);
    log.close();
    fs::remove_dir_all(bench.path().join("vault/views")).unwrap();
    bench.personal.locked.store(true, Ordering::Relaxed);
    let (log, report) = bench.open();
    assert_eq!((report.behind, log.health().behind), (vec![Half::Personal], vec![Half::Personal]));
    assert!(log.views().get(view(Half::Personal, ENTRIES), b"p").is_err());
    put(&log, Half::Neutral, "a", "1");
    bench.personal.locked.store(false, Ordering::Relaxed);
    let refused = write(&log, &[(Half::Neutral, "put a 2"), (Half::Personal, "add p 1")]);
    assert!(matches!(refused, Err(Refused::Refusal(FoldError::Locked))));
    assert_eq!(get(&log, Half::Neutral, "a").as_deref(), Some("1"));
    log.close();
    let (log, report) = bench.open();
    assert_eq!(report.rebuilt.len(), 1);
    assert_eq!(number(&log.views(), view(Half::Personal, ENTRIES), "p"), 8);
}
