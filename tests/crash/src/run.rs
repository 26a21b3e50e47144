//! Options, counts and the closing lines.

use crate::daemon::now;
use crate::{cuts, damages, kills, replays};
use anyhow::ensure;
use clap::Parser;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Lives, or damages, at once: as many as a small machine has processors.
pub(crate) const AT_ONCE: usize = 2;
/// A round in which fewer writes were acknowledged shows nothing.
pub(crate) const ANSWERS_MIN: usize = 100;

/// Kills, power cuts, disks made up anew, and damaged files.
#[derive(Debug, Parser)]
#[command(name = "crash")]
pub(crate) struct Run {
    /// Rounds that end with SIGKILL.
    #[arg(long, default_value_t = 40)]
    pub(crate) kills: usize,
    /// Rounds that end with a power cut. They need root, for a loop device and a mount; 0 does without.
    #[arg(long, default_value_t = 20)]
    pub(crate) cuts: usize,
    /// Disks made up from recorded writes and syncs.
    #[arg(long, default_value_t = 100)]
    pub(crate) replays: usize,
    /// Bits or bytes changed in each file of a store.
    #[arg(long, default_value_t = 50)]
    pub(crate) damages: usize,
    /// What chance comes from; without it, the kernel's.
    #[arg(long, default_value_t = chance())]
    pub(crate) seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Kill,
    Cut,
    Replay,
    Damage,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Kill => "kills",
            Self::Cut => "power cuts",
            Self::Replay => "replays",
            Self::Damage => "damages",
        }
    }
}

/// What a mode did.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) rounds: usize,
    pub(crate) answered: usize,
    /// Starts that were cut off; of replays, those before enough was answered.
    pub(crate) starts_cut: usize,
    /// Changes of the vault's keys and restores between rounds.
    pub(crate) changes: usize,
    /// Retention runs cut off.
    pub(crate) let_go: usize,
    /// Segments that journals had closed at the end of a life, or of what was recorded, and snapshots there.
    pub(crate) closed: usize,
    pub(crate) snapshots: usize,
    /// Rounds in which one disk was cut before the other, or alone.
    pub(crate) one_disk: usize,
    /// Lives at whose end files of the first disk were lost.
    pub(crate) lost: usize,
    pub(crate) compared: usize,
    pub(crate) rebuilds: usize,
    pub(crate) entries: u64,
    torn: usize,
    orphans: usize,
    /// Views made anew that were gone, and that were there but no good: which no crash may do.
    gone: usize,
    rebuilt: usize,
    pub(crate) same: usize,
    pub(crate) mended: usize,
    pub(crate) told: usize,
    pub(crate) failed: usize,
}

impl Counts {
    pub(crate) fn round(&mut self, answered: usize) -> anyhow::Result<()> {
        ensure!(answered >= ANSWERS_MIN, "only {answered} writes were acknowledged");
        self.rounds += 1;
        self.answered += answered;
        Ok(())
    }

    /// Adds what another thread counted.
    pub(crate) fn add(&mut self, other: &Self) {
        self.rounds += other.rounds;
        self.answered += other.answered;
        self.starts_cut += other.starts_cut;
        self.changes += other.changes;
        self.let_go += other.let_go;
        self.closed += other.closed;
        self.snapshots += other.snapshots;
        self.one_disk += other.one_disk;
        self.lost += other.lost;
        self.compared += other.compared;
        self.rebuilds += other.rebuilds;
        self.entries += other.entries;
        self.torn += other.torn;
        self.orphans += other.orphans;
        self.gone += other.gone;
        self.rebuilt += other.rebuilt;
        self.same += other.same;
        self.mended += other.mended;
        self.told += other.told;
        self.failed += other.failed;
    }

    /// Counts what a store has of what comes with its size: where there is none, nothing of it was played.
    pub(crate) fn grown(&mut self, state: &Path) -> anyhow::Result<()> {
        for half in ["store", "vault"] {
            self.closed += count(&state.join(half).join("journal"), "seg")?.saturating_sub(1);
            self.snapshots += count(&state.join(half).join("snapshots"), "snap")?;
        }
        Ok(())
    }

    /// Counts what daemons said that they mended.
    pub(crate) fn heard(&mut self, log: &str) {
        self.torn += log.matches("a torn tail was cut").count();
        self.orphans += log.matches("personal records of an interrupted write are set aside").count();
        // Those of a store that had nothing yet are made in no time.
        let anew = log.lines().filter(|line| {
            line.contains("views were built anew") && line.split(' ').all(|word| word != "records=0")
        });
        for line in anew {
            if line.contains("there were none") {
                self.gone += 1;
            } else {
                // In a large store that takes minutes.
                self.rebuilt += 1;
                self.failed += 1;
                println!("FAILED: {line}");
            }
        }
    }

    fn say(&self, mode: Mode) {
        let Self { rounds, answered, starts_cut, compared, rebuilds, entries, .. } = self;
        let Self { torn, orphans, gone, rebuilt, same, mended, told, failed, .. } = self;
        let Self { changes, one_disk, lost, let_go, closed, snapshots, .. } = self;
        let mode_name = mode.name();
        if mode == Mode::Damage {
            println!(
                "{mode_name}: {rounds} good: {same} same, {mended} mended, {told} told; {failed} failed"
            );
            return;
        }
        println!(
            "{mode_name}: {rounds} rounds, {answered} acknowledged writes, and {starts_cut} starts cut off; {compared} \
             customers compared, views compared with the journals {rebuilds} times ({entries} entries); torn tails cut: \
             {torn}, starts that found orphans: {orphans}, views built anew because they were gone: {gone}, or damaged: {rebuilt}; {failed} failed"
        );
        println!("{mode_name}: at the end {closed} closed segments and {snapshots} snapshots");
        if mode != Mode::Replay {
            println!(
                "{mode_name}: {one_disk} rounds with one disk cut before the other, {changes} changes of the vault's keys or restores, \
                 {let_go} retention runs cut off, {lost} times files of the first disk lost and brought back"
            );
        }
    }
}

impl Run {
    /// Runs lives, each in a folder of its own, [`AT_ONCE`] side by side: most of a life is waiting for a disk. A failure is told
    /// with its seed, and its folder is kept.
    pub(crate) fn lives(
        &self,
        mode: Mode,
        lives: usize,
        counts: &mut Counts,
        body: impl Fn(usize, &Path, &mut Counts) -> anyhow::Result<()> + Sync,
    ) {
        let (next, all) = (AtomicUsize::new(0), Mutex::new(counts));
        let one = || {
            let mut own = Counts::default();
            loop {
                let life = next.fetch_add(1, Ordering::AcqRel);
                if life >= lives {
                    break;
                }
                let folder = Folder::new(&std::env::temp_dir(), "ficha-crash").expect("no temporary folder");
                if let Err(error) = body(life, folder.path(), &mut own) {
                    own.failed += 1;
                    let kept = folder.keep();
                    println!("FAILED: {}, life {life}, --seed {}: {error:#}", mode.name(), self.seed);
                    println!("  kept: {}", kept.display());
                }
            }
            all.lock().unwrap_or_else(PoisonError::into_inner).add(&own);
        };
        thread::scope(|scope| {
            for _ in 0..AT_ONCE.min(lives) {
                scope.spawn(one);
            }
        });
    }
}

/// Files of a folder with this ending; none where there is no folder.
pub(crate) fn count(folder: &Path, ending: &str) -> anyhow::Result<usize> {
    if !folder.exists() {
        return Ok(0);
    }
    let names = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    Ok(names.iter().filter(|entry| entry.path().extension().is_some_and(|found| found == ending)).count())
}

/// A folder in memory where there is one: for what is judged by its bytes alone, a sync need not be waited for.
pub(crate) fn in_memory(name: &str) -> anyhow::Result<Folder> {
    Folder::new(Path::new("/dev/shm"), name).or_else(|_| Folder::new(&std::env::temp_dir(), name))
}

/// A folder that goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Folder(Option<PathBuf>);

impl Folder {
    fn new(above: &Path, name: &str) -> anyhow::Result<Self> {
        Ok(Self(Some(nix::unistd::mkdtemp(&above.join(format!("{name}-XXXXXX")))?)))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }

    /// Leaves it for whoever looks into a failure.
    pub(crate) fn keep(mut self) -> PathBuf {
        self.0.take().unwrap_or_default()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            drop(fs::remove_dir_all(path));
        }
    }
}

/// Plays a mode.
type Play = fn(&Run, &mut Counts);

fn chance() -> u64 {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).expect("the kernel gives no random bytes");
    u64::from(u32::from_le_bytes(bytes))
}

pub(crate) fn main() -> ExitCode {
    let run = Run::parse();
    println!("crash: --seed {}", run.seed);
    let modes: [(Mode, usize, Play); 4] = [
        (Mode::Kill, run.kills, kills::run),
        (Mode::Cut, run.cuts, cuts::run),
        (Mode::Replay, run.replays, replays::run),
        (Mode::Damage, run.damages, damages::run),
    ];
    let (mut passed, mut failed) = (0, 0);
    for (mode, wanted, play) in modes {
        if wanted == 0 {
            continue;
        }
        let mut counts = Counts::default();
        let began = now();
        play(&run, &mut counts);
        counts.say(mode);
        println!("{}: {} s", mode.name(), began.elapsed().as_secs());
        passed += counts.rounds;
        // What was asked for and did not happen has failed too.
        let nothing = counts.rounds == 0 || counts.closed == 0 || counts.snapshots == 0;
        failed += counts.failed.max(usize::from(nothing));
    }
    println!("crash: {passed} passed, {failed} failed");
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
