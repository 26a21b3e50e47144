//! Brings the two journals to one end before anything is folded: torn tails cut, orphans voided, anything else refused.
//!
//! First everything is read and judged; only when all of it is sound is the first byte changed.

use super::checkpoint::Checkpoint;
use super::files::{io_error, to_u64};
use super::journal::Journal;
use super::marker::journal_dir;
use super::record::{Kind, NewRecord, TIMELINE_FIRST};
use super::scan::{Part, Place, Scan, scan};
use super::segment::damaged;
use super::{GROUP_MAX, Half, Halves, Meta, OpenError, Settings, Torn};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

/// Both journals, settled: ready to append, with what was read of them.
pub(super) struct Settled {
    pub(super) journals: Halves<Journal>,
    pub(super) scans: Halves<Scan>,
    /// The last committed transaction; sequence 0 before the first.
    pub(super) last: Meta,
}

/// Where to begin: after what is known to be sound.
pub(super) struct Begin {
    /// Each half's checkpoint where it holds, else the very start.
    pub(super) from: Halves<Checkpoint>,
    /// Where each half's views are.
    pub(super) applied: Halves<u64>,
    /// The highest sequence that any view or checkpoint has seen committed.
    pub(super) reached: u64,
    /// What the state folder's marker says.
    pub(super) timeline: u32,
}

/// Reads, judges, repairs.
pub(super) fn settle(settings: &Settings, begin: &Begin) -> Result<Settled, OpenError> {
    let dirs = dirs(&settings.dir);
    let read = |half| begin.read(dirs.get(half), half);
    let neutral = read(Half::Neutral)?;
    let mut personal = read(Half::Personal)?;
    judge(&settings.dir, &neutral, &personal, begin)?;

    cut(neutral.torn.as_ref())?;
    cut(personal.torn.as_ref())?;
    let last = Meta { seq: neutral.end.seq, at_us: neutral.end.at_us.max(personal.end.at_us) };
    let open = |half, scan: &Scan| {
        Journal::open(dirs.get(half), (half, begin.timeline), settings.segment_bytes, scan)
    };
    let mut journals =
        Halves { personal: open(Half::Personal, &personal)?, neutral: open(Half::Neutral, &neutral)? };
    if personal.end.seq > last.seq {
        void(&mut journals.personal, last).map_err(io_error("write", &dirs.personal))?;
        let torn = personal.torn.take();
        personal = read(Half::Personal)?;
        personal.torn = torn;
        journals.personal = open(Half::Personal, &personal)?;
    }
    Ok(Settled { journals, scans: Halves { personal, neutral }, last })
}

fn dirs(dir: &Path) -> Halves<PathBuf> {
    Halves { personal: journal_dir(dir, Half::Personal), neutral: journal_dir(dir, Half::Neutral) }
}

impl Begin {
    fn read(&self, dir: &Path, half: Half) -> Result<Scan, OpenError> {
        let Checkpoint { place, orphans } = self.from.get(half);
        let part = Part { from: *place, to: None, want_seq: *self.applied.get(half) };
        let mut found = scan(dir, half, part)?;
        found.orphans.splice(0..0, orphans.iter().copied());
        Ok(found)
    }
}

/// Refuses what no crash of ours can have left behind.
pub(super) fn judge(dir: &Path, neutral: &Scan, personal: &Scan, begin: &Begin) -> Result<(), OpenError> {
    let dirs = dirs(dir);
    let reached = begin.reached;
    for (dir, scan) in [(&dirs.neutral, neutral), (&dirs.personal, personal)] {
        let new = scan.segments.is_empty() && begin.timeline == TIMELINE_FIRST;
        if !new && scan.timeline != begin.timeline {
            let (found, known) = (scan.timeline, begin.timeline);
            let what = format!("the journal ends on timeline {found}, the file `STORE` says {known}");
            return Err(damaged(&scan.last_file(dir), 0, what));
        }
    }
    let Place { seq: last_seq, offset: end, .. } = neutral.end;
    // Views of either half are written only after the neutral record is on disk.
    if last_seq < reached {
        let what = format!(
            "the journal ends at sequence {last_seq}, but views or checkpoint know of {reached}: the end is missing"
        );
        return Err(damaged(&neutral.last_file(&dirs.neutral), end, what));
    }
    if neutral.end.live != last_seq {
        return Err(damaged(&neutral.last_file(&dirs.neutral), end, "sequences are missing"));
    }
    let orphans = personal.recent.iter().filter(|seen| seen.meta.seq > last_seq).count();
    if orphans > GROUP_MAX {
        let what = format!(
            "the journal ends at sequence {last_seq}, but the personal half goes on for more than a group"
        );
        return Err(damaged(&neutral.last_file(&dirs.neutral), end, what));
    }
    let last_personal = personal.recent.iter().rev().map(|seen| seen.meta.seq).find(|seq| *seq <= last_seq);
    let committed = personal.end.live.saturating_sub(to_u64(orphans));
    if (last_personal.unwrap_or(0), committed) != (neutral.end.last_paired, neutral.end.paired) {
        let what = format!(
            "the neutral journal knows of {} personal records, the last of sequence {}; here are {committed}",
            neutral.end.paired, neutral.end.last_paired
        );
        return Err(damaged(&personal.last_file(&dirs.personal), personal.end.offset, what));
    }
    Ok(())
}

fn cut(torn: Option<&Torn>) -> Result<(), OpenError> {
    let Some(torn) = torn else { return Ok(()) };
    let cut = || {
        let file = OpenOptions::new().write(true).open(&torn.file)?;
        file.set_len(torn.offset)?;
        file.sync_all()
    };
    cut().map_err(io_error("cut the torn end of", &torn.file))
}

/// Says in the journal itself that its records after `last` were never committed; their numbers are given again.
fn void(journal: &mut Journal, last: Meta) -> std::io::Result<()> {
    let from = last.seq.saturating_add(1);
    let payload = from.to_le_bytes();
    let meta = Meta { seq: from, at_us: last.at_us };
    journal.append(&NewRecord { meta, kind: Kind::Void, paired: false, payload: &payload })?;
    journal.commit()
}
