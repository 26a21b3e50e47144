//! Damage to the files of a small store, one thing at a time: then the daemon shows the same state, or says what is wrong.
//!
//! Three ends are good. *Same*: every customer is as before, and so are cards and telephones. *Mended*: the same, and the
//! log says what was made anew. *Told*: the store does not open and says which file is damaged, and with that file put back
//! everything is as before; or single customers are refused, in words. A state that differs, and a customer who is not
//! found, are failures; so is a daemon that does not come up at all, for products must pass.

use crate::check::look;
use crate::clients::{Client, End, clients, write};
use crate::daemon::{Place, until};
use crate::dice::Dice;
use crate::line::{Failed, Line};
use crate::made_up::remove_views;
use crate::run::{Counts, Mode, Run, in_memory};
use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Writes in the store that is damaged.
const ANSWERS: usize = 300;
/// Cases at once: as many as a small machine has processors.
const AT_ONCE: usize = 2;
/// Places where each file is cut off.
const CUTS: usize = 4;

/// One thing that is done to a store.
#[derive(Clone, Debug)]
enum Damage {
    Bit { file: PathBuf, at: usize, mask: u8 },
    Byte { file: PathBuf, at: usize, to: u8 },
    Truncated { file: PathBuf, length: usize },
    Removed { file: PathBuf },
    Swapped { one: PathBuf, other: PathBuf },
}

/// How it ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Good {
    Same,
    Mended,
    Told,
}

/// The sound store with its second copies, and what it shows.
struct Sound {
    files: PathBuf,
    shown: BTreeMap<String, Value>,
}

pub(crate) fn run(run: &Run, counts: &mut Counts) {
    if run.damages > 0 {
        run.attempt(Mode::Damage, 0, counts, |folder, counts| all(run, folder, counts));
    }
}

fn all(run: &Run, folder: &Path, counts: &mut Counts) -> anyhow::Result<()> {
    let mut dice = Dice::new(run.seed, "damage", 0);
    let sound = sound(run, folder)?;
    let cases = cases(&sound.files, run.damages, &mut dice)?;
    let (next, done) = (AtomicUsize::new(0), Mutex::new((Counts::default(), Vec::new())));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(damage) = cases.get(next.fetch_add(1, Ordering::AcqRel)) {
                    let ended = one(&sound, damage);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.0.rounds += 1;
                    match ended {
                        Ok(Good::Same) => done.0.same += 1,
                        Ok(Good::Mended) => done.0.mended += 1,
                        Ok(Good::Told) => done.0.told += 1,
                        Err(error) => done.1.push(format!("{damage:?}: {error:#}")),
                    }
                }
            });
        }
    });
    let (counted, failed) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    counts.rounds += counted.rounds - failed.len();
    (counts.same, counts.mended, counts.told) = (counted.same, counted.mended, counted.told);
    for failure in &failed {
        println!("FAILED: damage, --seed {}: {failure}", run.seed);
    }
    counts.failed += failed.len();
    Ok(())
}

/// A store that clients filled and a clean stop closed.
fn sound(run: &Run, folder: &Path) -> anyhow::Result<Sound> {
    let files = folder.join("files");
    let place = Place::new(folder, files.join("state"), files.join("second"))?;
    let mut clients: Vec<Client> = clients(run.seed, "damage", 0);
    clients.truncate(8);
    let mut daemon = place.start(&[])?;
    let mut line = daemon.open()?;
    until("the second copy is made", || {
        let status = line.ask("status", &json!({}))?;
        Ok((status["keys"]["second_copy"] == "in_step").then_some(()))
    })?;
    write(daemon, &place, &mut clients, ANSWERS, Duration::ZERO, End::Stop)?;
    let known = clients.iter().flat_map(|client| &client.customers.0);
    let shown = known.map(|known| (known.number.clone(), known.expected())).collect();
    Ok(Sound { files, shown })
}

fn cases(root: &Path, flips: usize, dice: &mut Dice) -> anyhow::Result<Vec<Damage>> {
    let mut files = Vec::new();
    list(root, Path::new(""), &mut files)?;
    let mut cases = Vec::new();
    for file in &files {
        let bytes = fs::read(root.join(file))?;
        let filled: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
        for _ in 0..flips.min(bytes.len() * 8) {
            // Room that was written ahead is zeros, and most of a file.
            let at = dice.pick(&filled).copied().filter(|_| dice.clone().percent(80));
            let at = at.unwrap_or_else(|| dice.below(bytes.len()));
            let (file, mask) = (file.clone(), 1 << dice.below(8));
            cases.push(if dice.percent(50) {
                Damage::Bit { file, at, mask }
            } else {
                let by = u8::try_from(1 + dice.below(255))?;
                Damage::Byte { file, at, to: bytes[at].wrapping_add(by) }
            });
        }
        let end = filled.last().map_or(0, |last| last + 1);
        let cuts = (0..CUTS).map(|_| dice.below(end)).chain([end.saturating_sub(1), bytes.len() / 2, 0]);
        let truncated: Vec<_> = cuts.filter(|length| *length < bytes.len()).collect();
        cases.extend(truncated.into_iter().map(|length| Damage::Truncated { file: file.clone(), length }));
        cases.push(Damage::Removed { file: file.clone() });
    }
    for (at, one) in files.iter().enumerate() {
        for other in files.iter().skip(at + 1) {
            cases.push(Damage::Swapped { one: one.clone(), other: other.clone() });
        }
    }
    Ok(cases)
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
        }
    }
}

fn one(sound: &Sound, damage: &Damage) -> anyhow::Result<Good> {
    let folder = in_memory("ficha-damage")?;
    let root = folder.path().join("files");
    copy(&sound.files, &root)?;
    let place = Place::new(folder.path(), root.join("state"), root.join("second"))?;
    damage.inflict(&root)?;
    let good = start(&place, &root, sound, damage)?;
    // A start reads the journals from the last checkpoint on. What lies before is read when the views are made anew.
    let journal =
        damage.files().iter().any(|file| file.parent().is_some_and(|folder| folder.ends_with("journal")));
    if journal && good != Good::Told {
        remove_views(&place.state);
        return start(&place, &root, sound, damage).context("and then without views");
    }
    Ok(good)
}

fn start(place: &Place, root: &Path, sound: &Sound, damage: &Damage) -> anyhow::Result<Good> {
    let mut daemon = place.start(&[])?;
    let (mut line, status) = daemon.settled().context("the daemon is not up")?;
    if status["store"]["state"] == "open" {
        return compare(&mut line, sound, &status, &place.log());
    }
    drop(line);
    drop(daemon);
    let said = format!("{}\n{}", status["store"], place.log());
    let named = |path: &Path| said.contains(&root.join(path).display().to_string());
    // Where a whole folder is judged it stands for its files. And a key is 32 random bytes: that it opens nothing is said
    // of what it does not open.
    let told = damage.files().iter().any(|file| {
        let folder = file.parent().filter(|folder| *folder != Path::new("state"));
        named(file)
            || folder.is_some_and(named)
            || (file.ends_with("vault.key") && named(Path::new("state/keys")))
    });
    ensure!(told, "the store did not open and does not say for which file: {said}");
    for file in damage.files() {
        drop(fs::remove_file(root.join(file)));
        fs::copy(sound.files.join(file), root.join(file))?;
    }
    let mut daemon = place.start(&[])?;
    let mut line = daemon.open().context("with the file put back")?;
    let again = compare(&mut line, sound, &status, "").context("with the file put back")?;
    ensure!(again == Good::Same, "with the file put back something is still refused");
    Ok(Good::Told)
}

/// Compares what an open store shows with what the sound one did.
fn compare(line: &mut Line, sound: &Sound, status: &Value, log: &str) -> anyhow::Result<Good> {
    let locked = status["vault"] == "locked";
    let mut told = locked;
    for (number, wanted) in &sound.shown {
        match look(line, number) {
            Ok(found) => {
                ensure!(found == *wanted, "without a word, a customer is\n  {found}\nand not\n  {wanted}")
            }
            Err(Failed::Refused { reason, .. }) if reason == "not_found" => {
                bail!("without a word, a customer is gone: {wanted}\n{log}")
            }
            Err(Failed::Refused { .. }) => told = true,
            Err(Failed::Gone) => bail!("the daemon ended while it was asked:\n{log}"),
        }
    }
    let mended = log.contains("views were built anew") || log.contains(" WARN ");
    Ok(if told {
        Good::Told
    } else if mended {
        Good::Mended
    } else {
        Good::Same
    })
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
