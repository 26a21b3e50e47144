//! What lies between memory and sled: runs on the disk, each of them what memory had at one checkpoint.
//!
//! Put into sled as they come, many changes would touch each of its blocks again and again. So they gather here, [`FAN`] runs of one
//! size become one of the next (the tiers of O'Neil and others, The Log-Structured Merge-Tree, 1996), and go into sled once there are so
//! many that it is worth going through its blocks.
//!
//! A run's header says from which position to which it leads; those count that lead on from where sled is. They are read over sled, so that
//! nothing has to be finished after a crash that cut their way into it in two: what is there already is the same.
//!
//! ```text
//! <from, to: sequences, 16 hexadecimal digits each>.run    a sealed file (`../sealed.rs`); its header:
//! | "FRUN1\0\0\0" | half u8 | zeros 3 | size u32 | from: a position, 20 bytes | to: a position, 20 bytes |     little-endian
//! ```

use super::super::layer::{Laid, lay_all};
use super::super::record::array;
use super::super::run::{self, Run};
use super::super::{Half, ViewError};
use super::Position;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

const MAGIC: [u8; 8] = *b"FRUN1\0\0\0";
const ENDING: &str = ".run";
/// Behind that, while it is written.
const WRITING: &str = ".tmp";
const FROM_AT: usize = 16;
const TO_AT: usize = 36;
const HEADER_BYTES: usize = 56;
/// So many runs of one size become one.
const FAN: usize = 4;
/// Runs are worth going through sled once they have so many times what they gather at least ([`Settings::runs_bytes`](super::super::Settings)).
const DUE_TIMES: u64 = 8;
/// Before that, once they have this part of what sled has: an entry is then written into it about so often.
const DUE_PART: u64 = 4;

/// A run, and where it leads. No `Debug`: it holds values.
pub(super) struct Placed {
    pub(super) run: Run,
    pub(super) from: Position,
    pub(super) to: Position,
    /// How often its entries were put together.
    size: u32,
    name: String,
}

/// The runs over sled, the oldest first.
pub(super) type Chain = Arc<[Arc<Placed>]>;

/// The folder of a table's runs. Open for as long as the table is, so that it may be renamed.
pub(super) struct Tier {
    dir: File,
    half: Half,
    /// What runs gather before they go into sled, at least.
    least_bytes: u64,
    /// Files that lead on from nowhere: a crash left them. They go before the first run is written, which may be called like one of them.
    stale: Mutex<Vec<String>>,
}

/// What was found in such a folder.
pub(super) struct Found {
    /// What leads on from the position that was asked for.
    pub(super) chain: Chain,
    /// The highest sequence that any of them leads to.
    pub(super) reached: u64,
}

impl Tier {
    /// Opens the runs in a table's folder that lead on from `at`.
    pub(super) fn open(
        dir: &Path,
        half: Half,
        least_bytes: u64,
        at: Position,
    ) -> Result<(Self, Found), String> {
        let text = |error: io::Error| error.to_string();
        let (mut placed, mut stale) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(dir).map_err(text)? {
            let entry = entry.map_err(text)?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            if name.strip_suffix(WRITING).is_some_and(|name| name.ends_with(ENDING)) {
                stale.push(name);
                continue;
            }
            if !name.ends_with(ENDING) {
                continue;
            }
            // One that is not whole is missed by whoever knows how far the views were.
            match File::open(entry.path())
                .map_err(text)
                .and_then(|file| Placed::open(file, name.clone(), half))
            {
                Ok(run) => placed.push(run),
                Err(_) => stale.push(name),
            }
        }
        let reached = placed.iter().map(|run| run.to.seq).max().unwrap_or(0);
        let (chain, rest) = chain(placed, at);
        stale.extend(rest.into_iter().map(|run| run.name));
        let tier = Self { dir: File::open(dir).map_err(text)?, half, least_bytes, stale: Mutex::new(stale) };
        Ok((tier, Found { chain, reached }))
    }

    /// Writes a run of at most `count` entries down to the disk.
    pub(super) fn write(
        &self,
        (from, to): (Position, Position),
        size: u32,
        count: usize,
        entries: impl Iterator<Item = Laid>,
    ) -> io::Result<Placed> {
        {
            // Held until they are gone: another thread may be about to write a file that is called like one of them.
            let mut stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
            self.remove(stale.drain(..).collect::<Vec<_>>().iter().map(String::as_str));
        }
        let name = format!("{:016x}-{:016x}{ENDING}", from.seq, to.seq);
        // It has its name once the disk has all of it: a run of which the disk has the end and not the middle would be taken for whole.
        let writing = format!("{name}{WRITING}");
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_CLOEXEC;
        let file = File::from(openat(&self.dir, writing.as_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR)?);
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&[self.half.byte(), 0, 0, 0]);
        header.extend_from_slice(&size.to_le_bytes());
        header.extend_from_slice(&from.encode());
        header.extend_from_slice(&to.encode());
        let run = Run::write(file, header, count, entries)?;
        run.sync()?;
        renameat(&self.dir, writing.as_str(), &self.dir, name.as_str())?;
        self.dir.sync_all()?;
        Ok(Placed { run, from, to, size, name })
    }

    /// Several runs that follow each other as one; what it is written of goes through `watch`.
    pub(super) fn put_together<W: Iterator<Item = Laid>>(
        &self,
        parts: &[Arc<Placed>],
        watch: impl FnOnce(Box<dyn Iterator<Item = Laid>>) -> W,
    ) -> io::Result<Placed> {
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no runs"));
        };
        let (ends, size) = ((first.from, last.to), last.size.saturating_add(1));
        let count = run::count(parts.iter().map(|part| &part.run));
        // Removals stay, for there may be older entries below.
        self.write(ends, size, count, watch(laid(parts.iter(), Box::new(std::iter::empty()), &[], self.half)))
    }

    /// Whether there are so many bytes of runs that they are to go into sled, which has `below`.
    pub(super) fn is_due(&self, runs: &[Arc<Placed>], below: u64) -> bool {
        let most = self.least_bytes.saturating_mul(DUE_TIMES);
        bytes(runs) >= (below / DUE_PART).clamp(self.least_bytes, most)
    }

    /// Whether there are so many that whoever adds one waits until they are in sled.
    pub(super) fn is_full(&self, runs: &[Arc<Placed>]) -> bool {
        bytes(runs) >= self.least_bytes.saturating_mul(DUE_TIMES.saturating_mul(2))
    }

    /// A new file that has no name, and is gone with whoever has it open.
    pub(super) fn unnamed(&self) -> io::Result<File> {
        let flags = OFlag::O_RDWR | OFlag::O_TMPFILE | OFlag::O_CLOEXEC;
        Ok(File::from(openat(&self.dir, ".", flags, Mode::S_IRUSR | Mode::S_IWUSR)?))
    }

    /// Removes files that no reader will look for any more. What stays is found to be stale at the next start.
    pub(super) fn remove<'n>(&self, names: impl Iterator<Item = &'n str>) {
        for name in names {
            unlinkat(&self.dir, name, UnlinkatFlags::NoRemoveDir).ok();
        }
    }
}

impl Placed {
    fn open(file: File, name: String, half: Half) -> Result<Self, String> {
        let run = Run::open(file)?;
        let parsed = || {
            let header = run.header.as_slice();
            let whole = header.len() == HEADER_BYTES && header.starts_with(&MAGIC);
            let own = whole && header.get(8) == Some(&half.byte());
            let from = Position::parse(header.get(FROM_AT..TO_AT)?)?;
            let to = Position::parse(header.get(TO_AT..)?)?;
            own.then_some((u32::from_le_bytes(array(header, 12)?), from, to))
        };
        let (size, from, to) = parsed().ok_or("it is no run of this table")?;
        Ok(Self { run, from, to, size, name })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// The runs that lead on from `at`, and the others. Of two that begin at one place the longer one is what the other became part of.
fn chain(mut placed: Vec<Placed>, mut at: Position) -> (Chain, Vec<Placed>) {
    let mut chain = Vec::new();
    loop {
        let next = placed.iter().enumerate().filter(|(_, run)| run.from == at && run.to != at);
        let Some((place, _)) = next.max_by_key(|(_, run)| run.to.seq) else { break };
        let run = placed.swap_remove(place);
        at = run.to;
        chain.push(Arc::new(run));
    }
    (chain.into(), placed)
}

/// The entries of runs, the oldest first, over those `below`.
pub(super) fn laid<'r, 'b>(
    runs: impl Iterator<Item = &'r Arc<Placed>>,
    below: Box<dyn Iterator<Item = Laid> + 'b>,
    from: &[u8],
    half: Half,
) -> Box<dyn Iterator<Item = Laid> + 'b> {
    let own = |placed: &Arc<Placed>| -> Box<dyn Iterator<Item = Laid> + 'b> {
        Box::new(placed.run.entries(from).map(move |entry| entry.map_err(|what| damaged(half, &what))))
    };
    let mut parts: Vec<_> = std::iter::once(below).chain(runs.map(own)).collect();
    parts.reverse();
    lay_all(parts)
}

pub(super) fn damaged(half: Half, what: &str) -> ViewError {
    ViewError::Damaged { half, what: format!("a run: {what}") }
}

/// The last runs of one size, if there are enough of them.
pub(super) fn full(runs: &[Arc<Placed>]) -> Option<&[Arc<Placed>]> {
    let last = runs.last()?.size;
    let from = runs.len().saturating_sub(runs.iter().rev().take_while(|run| run.size == last).count());
    runs.get(from..).filter(|parts| parts.len() >= FAN)
}

fn bytes(runs: &[Arc<Placed>]) -> u64 {
    run::bytes(runs.iter().map(|placed| &placed.run))
}
