//! Goes back to an earlier moment: both journals cut after one transaction, in a folder beside, on a timeline of its own.
//!
//! The cut is after the last transaction that was committed at or before the moment. What lies before it is taken as it is
//! (whole segments by a second name for the same file, so that it takes no room), the segment that it goes through is copied
//! up to there, and each half gets an empty segment of the new timeline. The folder is a log of its own until it is put in
//! place ([`swap`](super::swap)): opening it reads, checks and folds all of it. Nothing here looks into an event.

use super::files::{create_dir, io_error, remove_dir, step, sync_dir, to_u64};
use super::journal;
use super::marker::{self, Marker, journal_dir, kept_name};
use super::open::lock;
use super::record::{SEGMENT_HEADER_BYTES, SegmentHeader, events};
use super::scan::{End, Part, Place, Scan, replay, scan};
use super::segment::{head, segment_path};
use super::swap::{self, Leftover, Plan};
use super::{Folds, Half, Halves, Log, Meta, OpenError, OpenReport, Settings, UtcUs, snapshots};
use nix::fcntl::Flock;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Up to where to go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The last transaction committed at or before this, microseconds since 1970 UTC.
    Time(i64),
    /// This transaction.
    Transaction(u64),
    /// The end: for going back to a timeline that was left.
    End,
}

/// What a restore would do, or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The last transaction that stays.
    pub last: Meta,
    /// The timeline that is opened.
    pub timeline: u32,
    /// What of the present is not in it.
    pub left_out: Option<LeftOut>,
    /// Where the present is kept.
    pub kept: PathBuf,
    /// What behind the moment could not be read: it is left out, and not counted.
    pub damaged: Option<String>,
}

/// Transactions that a restore leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// How many.
    pub count: u64,
    /// The first.
    pub first: Meta,
    /// The last.
    pub last: Meta,
}

/// Why there is no going back there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The journals cannot be read up to there, or the folder cannot be written.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Nothing was there then.
    #[error("nothing was committed yet at that moment")]
    Before {
        /// The first transaction.
        first: Meta,
    },
    /// It is the present.
    #[error("nothing was committed after that moment: the store is at it")]
    Now,
    /// There is no such transaction.
    #[error("there is no transaction {asked}: the last one is {last}")]
    NoTransaction {
        /// What was asked for.
        asked: u64,
        /// The last there is.
        last: u64,
    },
    /// The journal is damaged before one can be sure to be past that moment.
    #[error("the journal can be read up to transaction {} only: {damage}", .last.seq)]
    Unread {
        /// The last transaction that can be read.
        last: Meta,
        /// What ends the reading.
        damage: String,
    },
    /// There is no such folder, or it is not of this store.
    #[error("{} is not a kept timeline of this store", .dir.display())]
    NotKept {
        /// The folder.
        dir: PathBuf,
    },
    /// Whoever put it there knows what it is.
    #[error("{} is in the way: move it elsewhere", .dir.display())]
    InTheWay {
        /// The folder.
        dir: PathBuf,
    },
}

/// A stopped store that is being brought back to a moment. Holds its lock.
#[derive(Debug)]
pub struct Restore {
    dir: PathBuf,
    marker: Marker,
    source: PathBuf,
    present: Halves<Scan>,
    cuts: Halves<End>,
    moment: Moment,
    _lock: Flock<File>,
}

/// Finishes or clears away what a restore left that was cut off. For whoever looks at a state folder before opening it.
///
/// # Errors
/// [`OpenError::Held`], or [`OpenError::Io`].
pub fn settle_restore(dir: &Path) -> Result<Option<Leftover>, OpenError> {
    if !dir.exists() {
        return Ok(None);
    }
    let _lock = lock(dir)?;
    swap::settle(dir)
}

impl Restore {
    /// Reads the store in `settings.dir`, or the timeline kept there under the name `kept`, and finds the moment. Changes
    /// nothing, but what a restore left that was cut off.
    ///
    /// # Errors
    /// [`RestoreError`].
    pub fn find(settings: &Settings, kept: Option<&str>, until: Until) -> Result<Self, RestoreError> {
        let dir = settings.dir.clone();
        let _lock = lock(&dir)?;
        swap::settle(&dir)?;
        let marker = marker::own(&dir, settings.second_dir.as_deref())?;
        let (present, damaged) = both(&dir)?;
        let source = kept.map_or_else(|| dir.clone(), |name| dir.join(name));
        let (scans, damaged) = match kept {
            None => (present.clone(), damaged),
            Some(_) => {
                let own = Marker::read(&source)?.is_some_and(|kept| kept.id == marker.id);
                if !own {
                    return Err(RestoreError::NotKept { dir: source });
                }
                both(&source)?
            }
        };
        let last = find(&scans.neutral, until, damaged.as_deref())?;
        let mut cuts = Halves::default();
        for half in Half::ALL {
            *cuts.get_mut(half) = cut(scans.get(half), last.seq)?;
        }
        let shared = if kept.is_some() { fork(&present.neutral, &scans.neutral)? } else { u64::MAX };
        let left_out = left_out(&present.neutral, last.seq.min(shared.saturating_sub(1)))?;
        if left_out.is_none() && kept.is_none() && damaged.is_none() {
            return Err(RestoreError::Now);
        }
        let timeline = latest(&dir, settings.second_dir.as_deref(), marker.timeline)?.saturating_add(1);
        let kept = dir.join(kept_name(marker.timeline));
        if kept.exists() {
            return Err(RestoreError::InTheWay { dir: kept });
        }
        let moment = Moment { last, timeline, left_out, kept, damaged };
        Ok(Self { dir, marker, source, present, cuts, moment, _lock })
    }

    /// What it would do.
    #[must_use]
    pub fn moment(&self) -> &Moment {
        &self.moment
    }

    /// Visits the events of a half that are in the journal now: what they gave out must not be given out again.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn events(&self, half: Half, visit: &mut dyn FnMut(&[u8])) -> Result<(), OpenError> {
        replay(self.present.get(half), 0, &mut |record, _| {
            events(record.payload).flatten().for_each(&mut *visit);
            Ok(())
        })
    }

    /// Builds the folder beside and opens it, which reads and checks all of it and builds the views that can be built.
    ///
    /// # Errors
    /// [`RestoreError`]; the store is as it was.
    pub fn build(&self, folds: Folds, utc_us: UtcUs) -> Result<OpenReport, RestoreError> {
        let new = swap::new_dir(&self.dir);
        remove_dir(&new).map_err(io_error("remove", &new))?;
        let made = || -> io::Result<()> {
            create_dir(&new)?;
            Half::ALL.into_iter().try_for_each(|half| self.half(&new, half))?;
            step()?;
            Marker { timeline: self.moment.timeline, second: false, ..self.marker }.write(&new)
        };
        made().map_err(io_error("build a restored store in", &new))?;
        let (log, report) = Log::open(Settings::new(&new), folds, utc_us)?;
        let health = log.close();
        let whole = report.last == Some(self.moment.last) && report.torn.is_empty();
        if !whole || health.state != super::HealthState::Ok {
            let what = "what was restored is not what was read".to_owned();
            return Err(OpenError::Damaged { file: new, offset: 0, what }.into());
        }
        Ok(report)
    }

    /// Puts what was built in place. Cut off anywhere, the store that opens next is the old one or the new one, whole.
    ///
    /// # Errors
    /// [`RestoreError`].
    pub fn swap_in(self) -> Result<Moment, RestoreError> {
        let plan = Plan { from: self.marker.timeline, to: self.moment.timeline };
        swap::swap_in(&self.dir, plan)?;
        Ok(self.moment)
    }

    /// One half's journal up to its cut, and an empty segment of the new timeline behind it.
    fn half(&self, new: &Path, half: Half) -> io::Result<()> {
        let (from, to) = (journal_dir(&self.source, half), journal_dir(new, half));
        create_dir(&to)?;
        let End { segment, offset, chain } = *self.cuts.get(half);
        for number in 1..=segment {
            step()?;
            let (file, copy) = (segment_path(&from, number), segment_path(&to, number));
            if number < segment {
                // Never written to again, by either timeline.
                fs::hard_link(&file, &copy)?;
                continue;
            }
            let mut out = File::create(&copy)?;
            io::copy(&mut File::open(&file)?.take(offset), &mut out)?;
            out.sync_all()?;
        }
        step()?;
        let number = segment.saturating_add(1);
        let first_seq = self.moment.last.seq.saturating_add(1);
        let timeline = self.moment.timeline;
        let header = SegmentHeader { half, timeline, number, first_seq, last_crc: chain };
        journal::create(&segment_path(&to, number), &header)?;
        sync_dir(&to)?;
        snapshots::link(&self.source, new, half, self.moment.last.seq)
    }
}

/// Both journals in `dir` as far as they can be read, and what ended that.
fn both(dir: &Path) -> Result<(Halves<Scan>, Option<String>), OpenError> {
    let (mut scans, mut damaged) = (Halves::default(), None);
    for half in Half::ALL {
        let (scan, damage) = readable(&journal_dir(dir, half), half)?;
        *scans.get_mut(half) = scan;
        damaged = damaged.or(damage.map(|damage| damage.to_string()));
    }
    Ok((scans, damaged))
}

/// The journal of a half, or what of it lies before the first damage.
fn readable(dir: &Path, half: Half) -> Result<(Scan, Option<OpenError>), OpenError> {
    let damage = match scan(dir, half, Part::default()) {
        Ok(found) => return Ok((found, None)),
        Err(damage) => damage,
    };
    let OpenError::Damaged { file, offset, .. } = &damage else { return Err(damage) };
    let number = file.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<u64>().ok());
    let Some(segment) = number else { return Err(damage) };
    // A segment whose header is damaged is not read at all.
    let to = if *offset < to_u64(SEGMENT_HEADER_BYTES) {
        Place { segment: segment.saturating_sub(1), offset: u64::MAX, ..Place::default() }
    } else {
        Place { segment, offset: *offset, ..Place::default() }
    };
    match scan(dir, half, Part { to: Some(to), ..Part::default() }) {
        Ok(found) => Ok((found, Some(damage))),
        Err(_) => Err(damage),
    }
}

/// The last transaction up to `until`. Where the journal could not be read to its end, one after it must have been seen.
fn find(neutral: &Scan, until: Until, damaged: Option<&str>) -> Result<Meta, RestoreError> {
    let (mut first, mut last, mut beyond) = (None, None, false);
    replay(neutral, 0, &mut |record, _| {
        first = first.or(Some(record.meta));
        let within = match until {
            Until::Time(at_us) => record.meta.at_us <= at_us,
            Until::Transaction(seq) => record.meta.seq <= seq,
            Until::End => true,
        };
        if within {
            last = Some(record.meta);
        } else {
            beyond = true;
        }
        Ok(())
    })?;
    if let Until::Transaction(asked) = until
        && neutral.end.seq < asked
    {
        return Err(RestoreError::NoTransaction { asked, last: neutral.end.seq });
    }
    let sure = beyond || matches!(until, Until::Transaction(_));
    match (last, first, damaged.filter(|_| !sure)) {
        (Some(last), _, Some(damage)) => Err(RestoreError::Unread { last, damage: damage.to_owned() }),
        (Some(last), _, None) => Ok(last),
        (None, Some(first), _) => Err(RestoreError::Before { first }),
        (None, None, _) => Err(RestoreError::Now),
    }
}

/// Where the last live record up to `seq` ends.
fn cut(scan: &Scan, seq: u64) -> Result<End, OpenError> {
    let mut end = End::default();
    replay(scan, 0, &mut |record, at| {
        if record.meta.seq <= seq {
            end = at;
        }
        Ok(())
    })?;
    Ok(end)
}

fn left_out(neutral: &Scan, after: u64) -> Result<Option<LeftOut>, OpenError> {
    let mut left: Option<LeftOut> = None;
    replay(neutral, after, &mut |record, _| {
        let (last, before) = (record.meta, left);
        let count = before.map_or(1, |left| left.count.saturating_add(1));
        left = Some(LeftOut { count, first: before.map_or(last, |left| left.first), last });
        Ok(())
    })?;
    Ok(left)
}

/// The first sequence that two journals of one store do not share: where either turns to a timeline that the other one does
/// not have.
fn fork(one: &Scan, other: &Scan) -> Result<u64, OpenError> {
    let (one, other) = (turns(one)?, turns(other)?);
    let apart = |from: &[(u32, u64)], to: &[(u32, u64)]| {
        let new = from.iter().find(|(timeline, _)| to.iter().all(|(known, _)| known != timeline));
        new.map_or(u64::MAX, |(_, seq)| *seq)
    };
    Ok(apart(&one, &other).min(apart(&other, &one)))
}

/// The timelines of a journal, each with its first sequence.
fn turns(scan: &Scan) -> Result<Vec<(u32, u64)>, OpenError> {
    let mut turns: Vec<(u32, u64)> = Vec::new();
    for segment in &scan.segments {
        let header = head(&segment.path).map_err(io_error("read", &segment.path))?;
        let Ok(header) = SegmentHeader::parse(&header) else { continue };
        if turns.last().is_none_or(|(timeline, _)| *timeline != header.timeline) {
            turns.push((header.timeline, header.first_seq));
        }
    }
    Ok(turns)
}

/// The highest timeline that any folder knows of: a state folder brought back from a backup may know less than the disks.
fn latest(dir: &Path, second: Option<&Path>, own: u32) -> Result<u32, OpenError> {
    let mut latest = own;
    for folder in [Some(dir), second].into_iter().flatten().filter(|folder| folder.is_dir()) {
        latest = latest.max(Marker::read(folder)?.map_or(0, |marker| marker.timeline));
        for kept in marker::kept(folder)? {
            latest = latest.max(kept.1);
        }
    }
    Ok(latest)
}
