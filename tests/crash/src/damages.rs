//! Damage to the files of a small store, one thing at a time: then the daemon shows the same state, or says what is wrong.
//!
//! Three ends are good. *Same*: everything is as before, and nobody had to do anything. *Mended*: everything is as before, the log
//! names the file that was mended, and the next start finds nothing any more. *Told*: the store does not open, or opens over its views
//! and takes no writes (what it shows is as before, what it does not show is refused, no journal is changed), and says which file is damaged, and with that file put
//! back everything is as before; or it opens, everything that it shows is as before,
//! what it does not show is refused in words, and log or `ficha store verify` name the file. Everything is what [`judge`]
//! looks at. Also *told* is what is named at each start, and harms nothing. A state that differs, and damage that stays and that nobody names, are failures; so is a daemon that does
//! not come up at all, for products must pass.

mod judge;

use crate::clients::{Client, End, clients, write};
use crate::daemon::{Place, until};
use crate::dice::Dice;
use crate::rotations::Phrases;
use crate::run::{AT_ONCE, Counts, Mode, Run, count, in_memory};
use crate::shop::Known;
use anyhow::{Context as _, ensure};
use fichad::log::moments;
use judge::{Found, Sound};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Writes in the store that is damaged.
const ANSWERS: usize = 300;
/// Further ones after its restore.
const ANSWERS_AFTER: usize = 150;
/// Places where each file is cut off.
const CUTS: usize = 4;
/// Pairs of files that are swapped although they are neither in one folder nor of one name.
const SWAPS: usize = 40;
/// Flips of each journal's segment in both copies at once.
const BOTH: usize = 2;
/// Of so many flips of a file the daemon is started on one. The others are looked at without it first, and it is started only on those
/// that leave anything but the same state.
const FLIPS_FOR_A_START: usize = 16;

/// One thing that is done to a store.
#[derive(Clone, Debug)]
enum Damage {
    Bit {
        file: PathBuf,
        at: usize,
        mask: u8,
    },
    Byte {
        file: PathBuf,
        at: usize,
        to: u8,
    },
    Truncated {
        file: PathBuf,
        length: usize,
    },
    Removed {
        file: PathBuf,
    },
    Swapped {
        one: PathBuf,
        other: PathBuf,
    },
    /// The same bit of a journal in both copies, found by a scrub: the half's checkpoint is gone, so that the next start reads all.
    Both {
        file: PathBuf,
        copy: PathBuf,
        checkpoint: PathBuf,
        at: usize,
        mask: u8,
    },
}

/// A damage, and whether the daemon is started on it whatever the files show.
#[derive(Clone, Debug)]
struct Case {
    damage: Damage,
    start: bool,
}

/// How it ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Good {
    Same,
    Mended,
    Told,
}

pub(crate) fn run(run: &Run, counts: &mut Counts) {
    if run.damages > 0 {
        run.lives(Mode::Damage, 1, counts, |_, folder, counts| all(run, folder, counts));
    }
}

fn all(run: &Run, folder: &Path, counts: &mut Counts) -> anyhow::Result<()> {
    let mut dice = Dice::new(run.seed, "damage", 0);
    let sound = sound(run, folder, &mut dice)?;
    counts.grown(&sound.files.join("state"))?;
    let cases = cases(&sound.files, run.damages, &mut dice)?;
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Counts::default()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::AcqRel)) {
                    let ended = one(&sound, case);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    match ended {
                        Ok(Good::Same) => done.same += 1,
                        Ok(Good::Mended) => done.mended += 1,
                        Ok(Good::Told) => done.told += 1,
                        Err(error) => {
                            println!("FAILED: damage, --seed {}: {:?}: {error:#}", run.seed, case.damage);
                            done.failed += 1;
                            continue;
                        }
                    }
                    done.rounds += 1;
                }
            });
        }
    });
    counts.add(&done.into_inner().unwrap_or_else(PoisonError::into_inner));
    Ok(())
}

/// A store that clients filled and a clean stop closed, with erased customers, a changed key, closed segments, snapshots, and the
/// places of keys that were given out before a restore.
fn sound(run: &Run, folder: &Path, dice: &mut Dice) -> anyhow::Result<Sound> {
    let files = folder.join("files");
    let place = Place::new(folder, files.join("state"), files.join("second"))?;
    let mut phrases = Phrases::init(&place)?;
    let mut clients: Vec<Client> = clients(run.seed, "damage", 0);
    clients.truncate(8);
    let mut daemon = place.start(&[])?;
    let mut line = daemon.open()?;
    daemon.in_step(&mut line)?;
    drop(line);
    write(daemon, &place, &mut clients, ANSWERS, Duration::ZERO, End::Stop)?;
    phrases.change_whole(&place, dice)?;
    phrases.there_and_back(&place, dice)?;
    let mut daemon = place.start(&[])?;
    let mut line = daemon.open()?;
    daemon.in_step(&mut line)?;
    drop(line);
    write(daemon, &place, &mut clients, ANSWERS_AFTER, Duration::ZERO, End::Stop)?;
    let mut daemon = place.start(&[])?;
    let mut line = daemon.open()?;
    daemon.in_step(&mut line)?;
    until("snapshots are taken", || {
        let there = |half| Ok(count(&place.state.join(half).join("snapshots"), "snap")? > 0);
        let both: anyhow::Result<bool> = there("store").and_then(|store| Ok(store && there("vault")?));
        Ok(both?.then_some(()))
    })?;
    drop(line);
    daemon.stop()?;
    forget_timelines(&place)?;
    let known: Vec<Known> = clients.iter().flat_map(|client| client.customers.0.clone()).collect();
    ensure!(known.iter().any(Known::erased), "nobody was erased in the store that is to be damaged");
    Sound::new(files, &place, known, phrases.phrase())
}

/// Removes what restores have kept: nothing reads it any more.
fn forget_timelines(place: &Place) -> anyhow::Result<()> {
    for kept in moments(&place.state, Some(&place.second))?.kept {
        fs::remove_dir_all(kept.dir)?;
    }
    Ok(())
}

fn cases(root: &Path, flips: usize, dice: &mut Dice) -> anyhow::Result<Vec<Case>> {
    let mut files = Vec::new();
    list(root, Path::new(""), &mut files)?;
    let mut cases = Vec::new();
    for file in &files {
        let bytes = fs::read(root.join(file))?;
        let filled: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
        for flip in 0..flips.min(bytes.len() * 8) {
            // Room that was written ahead is zeros, and most of a file.
            let at = dice.pick(&filled).copied().filter(|_| dice.clone().percent(80));
            let at = at.unwrap_or_else(|| dice.below(bytes.len()));
            let (file, mask) = (file.clone(), 1 << dice.below(8));
            let damage = if dice.percent(50) {
                Damage::Bit { file, at, mask }
            } else {
                let by = u8::try_from(1 + dice.below(255))?;
                Damage::Byte { file, at, to: bytes[at].wrapping_add(by) }
            };
            cases.push(Case { damage, start: flip < flips.div_ceil(FLIPS_FOR_A_START) });
        }
        let end = filled.last().map_or(0, |last| last + 1);
        let cuts = (0..CUTS).map(|_| dice.below(end)).chain([end.saturating_sub(1), bytes.len() / 2, 0]);
        let truncated: Vec<_> = cuts.filter(|length| *length < bytes.len()).collect();
        let started = |damage| Case { damage, start: true };
        let truncated = truncated.into_iter().map(|length| Damage::Truncated { file: file.clone(), length });
        cases.extend(truncated.map(started));
        cases.push(started(Damage::Removed { file: file.clone() }));
        cases.extend(in_both(root, file, &filled, dice).into_iter().map(started));
    }
    let pairs = files
        .iter()
        .enumerate()
        .flat_map(|(at, one)| files.iter().skip(at + 1).map(move |other| (one, other)));
    let (alike, other): (Vec<_>, Vec<_>) = pairs
        .partition(|(one, other)| one.parent() == other.parent() || one.file_name() == other.file_name());
    // Those that could be taken for each other, all of them; of the rest some.
    let some = (0..SWAPS.min(other.len())).filter_map(|_| dice.pick(&other)).collect::<Vec<_>>();
    for (one, other) in alike.iter().chain(some) {
        let damage = Damage::Swapped { one: (*one).clone(), other: (*other).clone() };
        cases.push(Case { damage, start: true });
    }
    Ok(cases)
}

/// Damage to a segment that its second copy has too.
fn in_both(root: &Path, file: &Path, filled: &[usize], dice: &mut Dice) -> Vec<Damage> {
    let half = file.parent().filter(|folder| folder.ends_with("journal")).and_then(Path::parent);
    let (Some(half), Ok(below)) = (half, file.strip_prefix("state")) else { return Vec::new() };
    let copy = Path::new("second").join(below);
    if !root.join(&copy).exists() || file.extension().is_none_or(|ending| ending != "seg") {
        return Vec::new();
    }
    let flip = |_| {
        let (at, mask) = (*dice.pick(filled)?, 1 << dice.below(8));
        let checkpoint = half.join("CHECKPOINT");
        Some(Damage::Both { file: file.to_owned(), copy: copy.clone(), checkpoint, at, mask })
    };
    (0..BOTH).filter_map(flip).collect()
}

/// Every file below `root`, by its path from there.
fn list(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(root.join(folder))?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() { list(root, &path, files)? } else { files.push(path) }
    }
    Ok(())
}

impl Damage {
    fn files(&self) -> Vec<&PathBuf> {
        match self {
            Self::Bit { file, .. }
            | Self::Byte { file, .. }
            | Self::Truncated { file, .. }
            | Self::Removed { file } => {
                vec![file]
            }
            Self::Swapped { one, other } => vec![one, other],
            Self::Both { file, copy, checkpoint, .. } => vec![file, copy, checkpoint],
        }
    }

    fn inflict(&self, root: &Path) -> anyhow::Result<()> {
        let change = |file: &Path, change: &dyn Fn(&mut Vec<u8>)| -> anyhow::Result<()> {
            let path = root.join(file);
            let (mut bytes, rights) = (fs::read(&path)?, fs::metadata(&path)?.permissions());
            change(&mut bytes);
            // Some are read-only, and their rights are not what is damaged.
            fs::remove_file(&path)?;
            fs::write(&path, bytes)?;
            Ok(fs::set_permissions(&path, rights)?)
        };
        match self {
            Self::Bit { file, at, mask } => change(file, &|bytes| bytes[*at] ^= mask),
            Self::Byte { file, at, to } => change(file, &|bytes| bytes[*at] = *to),
            Self::Truncated { file, length } => change(file, &|bytes| bytes.truncate(*length)),
            Self::Removed { file } => Ok(fs::remove_file(root.join(file))?),
            Self::Swapped { one, other } => {
                let (one_bytes, other_bytes) = (fs::read(root.join(one))?, fs::read(root.join(other))?);
                change(one, &|bytes| bytes.clone_from(&other_bytes))?;
                change(other, &|bytes| bytes.clone_from(&one_bytes))
            }
            Self::Both { file, copy, checkpoint, at, mask } => {
                change(file, &|bytes| bytes[*at] ^= mask)?;
                change(copy, &|bytes| bytes[*at] ^= mask)?;
                Ok(fs::remove_file(root.join(checkpoint))?)
            }
        }
    }
}

fn one(sound: &Sound, case: &Case) -> anyhow::Result<Good> {
    let folder = in_memory("ficha-damage")?;
    let (root, damage) = (folder.path().join("files"), &case.damage);
    copy(&sound.files, &root)?;
    let place = Place::new(folder.path(), root.join("state"), root.join("second"))?;
    damage.inflict(&root)?;
    if !case.start && sound.is_same(&place) {
        return Ok(Good::Same);
    }
    let good = play(&place, &root, sound, damage)?;
    // A start reads the journals from the last checkpoint on. What lies before is read when the views are made anew.
    let within = |name: &str| {
        damage.files().iter().any(|file| file.parent().is_some_and(|folder| folder.ends_with(name)))
    };
    // A snapshot is read then too; a damaged one is named by `verify`, and harms nothing.
    if within("snapshots") || (within("journal") && good != Good::Told) {
        crate::made_up::remove_views(&place.state);
        let without = play(&place, &root, sound, damage).context("and then without views")?;
        return Ok(if without == Good::Told { without } else { good });
    }
    let views = |file: &&PathBuf| file.components().any(|part| part.as_os_str() == "views");
    if damage.files().iter().all(views) && good == Good::Told {
        // What is said to do then: views can be deleted while stopped.
        crate::made_up::remove_views(&place.state);
        let without = play(&place, &root, sound, damage).context("and then without views")?;
        ensure!(without != Good::Told, "without its views the store still says something: {}", place.log());
    }
    if good == Good::Mended {
        let again = play(&place, &root, sound, damage).context("mended, and started again")?;
        // Named again at each start: nothing is lost by it, and nobody put it right.
        return Ok(if again == Good::Same { good } else { Good::Told });
    }
    Ok(good)
}

/// Starts the daemon on what there is, and judges.
fn play(place: &Place, root: &Path, sound: &Sound, damage: &Damage) -> anyhow::Result<Good> {
    let files: Vec<&Path> = damage.files().into_iter().map(PathBuf::as_path).collect();
    match sound.started(place, root, &files)? {
        Found::Same => Ok(Good::Same),
        Found::Mended => Ok(Good::Mended),
        Found::Told => Ok(Good::Told),
        Found::Closed => {
            for file in damage.files() {
                drop(fs::remove_file(root.join(file)));
                fs::copy(sound.files.join(file), root.join(file))?;
            }
            let again = sound.started(place, root, &files).context("with the file put back")?;
            ensure!(
                matches!(again, Found::Same | Found::Mended),
                "with the file put back it is {again:?}: {}",
                place.log()
            );
            Ok(Good::Told)
        }
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?
        } else {
            fs::copy(entry.path(), target).map(|_| ())?
        }
    }
    Ok(())
}
