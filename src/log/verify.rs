//! Reads all there is and says what is not as it was written; changes nothing but a folder of its own.

use super::bring::{Bring, Stop, renewed_dir, views_dir};
use super::compare::{Alike, alike};
use super::files::{io_error, remove_dir, to_u64};
use super::layer::Change;
use super::marker::{is_copy, journal_dir};
use super::progress::Progress;
use super::record::SegmentHeader;
use super::scan::{Part, Place, scan};
use super::segment::{Bytes, Segment, damaged, header, list, segment_path, walk};
use super::table::Table;
use super::{Fold, Half, OpenError, Settings, Torn};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// What a verification read, and what was wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Bytes of journal.
    pub bytes: u64,
    /// Records of both journals.
    pub records: u64,
    /// Entries of both halves' views.
    pub entries: u64,
    /// Bytes compared with the second copy.
    pub compared: u64,
    /// Closed segments that the second copy does not have to their end yet. Those that it has not at all are not counted.
    pub behind: u64,
    /// Ends of journals that a crash left torn: never acknowledged, and cut by the next start.
    pub torn: Vec<Torn>,
    /// What is not as it was written; empty: all is well.
    pub faults: Vec<Fault>,
}

impl Verified {
    /// Takes an error for what was found wrong.
    pub(super) fn note(&mut self, settings: &Settings, half: Half, error: OpenError) {
        self.faults.push(Fault::of(&settings.dir, half, &error));
    }
}

impl Fault {
    /// What an error found wrong, in the log of `dir`.
    pub(super) fn of(dir: &Path, half: Half, error: &OpenError) -> Self {
        let unread = matches!(error, OpenError::Io { .. });
        let (file, offset, what) = match error {
            OpenError::Damaged { file, offset, what } => (file.clone(), *offset, what.clone()),
            OpenError::Io { doing, path, source } => {
                (path.clone(), 0, format!("could not {doing} it: {source}"))
            }
            other @ (OpenError::Held { .. }
            | OpenError::Gone { .. }
            | OpenError::Format { .. }
            | OpenError::Views { .. }
            | OpenError::Fold { .. }) => (journal_dir(dir, half), 0, other.to_string()),
        };
        Self { half, file, offset, what, unread }
    }

    /// Whether it is in a journal of the log in `dir`, the first copy.
    #[must_use]
    pub fn is_in_journal(&self, dir: &Path) -> bool {
        self.file.starts_with(journal_dir(dir, self.half))
    }
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whose half.
    pub half: Half,
    /// The file, or the folder of the views.
    pub file: PathBuf,
    /// Where in it, as far as that is known.
    pub offset: u64,
    /// What was found.
    pub what: String,
    /// It could not be read: what it holds is not known to be wrong.
    pub(super) unread: bool,
}

/// One half under verification.
pub(super) struct Check<'c> {
    pub(super) settings: &'c Settings,
    pub(super) half: Half,
    /// Up to where the journal was synced when it was asked for; `None`: nobody knows, it is damaged.
    pub(super) to: Option<Place>,
    /// Whether the second copy may still be on its way: a sound part of a segment is then no fault.
    pub(super) copying: &'c dyn Fn() -> bool,
    /// Told how far views are that are built to compare with.
    pub(super) building: &'c Progress,
    /// Told what is being read and how far; `false` stops.
    pub(super) progress: &'c dyn Fn(&Path, u64) -> bool,
}

impl Check<'_> {
    /// The last segment there is, as far as that is known.
    fn last_segment(&self) -> u64 {
        let found = || list(&journal_dir(&self.settings.dir, self.half)).map_or(0, |list| to_u64(list.len()));
        self.to.map_or_else(found, |to| to.segment)
    }

    fn upto(&self) -> u64 {
        self.to.map_or(u64::MAX, |to| to.segment)
    }

    fn fault(&self, found: &mut Verified, error: OpenError) {
        found.note(self.settings, self.half, error);
    }

    /// Every record of the journal: its checksum, the chain, and that it ends where the committer left off.
    pub(super) fn journal(&self, found: &mut Verified) -> Result<(), Stop> {
        let dir = journal_dir(&self.settings.dir, self.half);
        let segments = match list(&dir) {
            Ok(segments) => segments,
            Err(error) => {
                self.fault(found, error);
                return Ok(());
            }
        };
        if to_u64(segments.len()) < self.last_segment() {
            let missing = segment_path(&dir, to_u64(segments.len()).saturating_add(1));
            self.fault(found, damaged(&missing, 0, "this segment is missing"));
        }
        let mut chain = Some(0);
        for segment in segments.into_iter().filter(|segment| segment.number <= self.upto()) {
            if !(self.progress)(&segment.path, found.bytes) {
                return Err(Stop::Closing);
            }
            chain = match self.segment(&segment, chain, found) {
                Ok(chain) => Some(chain),
                Err(error) => {
                    self.fault(found, error);
                    // The next one is judged by what its own header says.
                    None
                }
            };
        }
        Ok(())
    }

    /// Reads one segment from its disk; gives the chain at its end.
    fn segment(&self, segment: &Segment, chain: Option<u32>, found: &mut Verified) -> Result<u32, OpenError> {
        let file = File::open(&segment.path).map_err(io_error("read", &segment.path))?;
        let forgotten = posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
        forgotten.map_err(|error| io_error("read", &segment.path)(error.into()))?;
        let mut read = Bytes::begin(segment, Place::default(), self.to)?;
        let mut chain = header(segment, &read.header, self.half, chain)?.chain();
        let mut records: u64 = 0;
        let tail = walk(segment, &mut read, &mut chain, &mut |_, _| {
            records = records.saturating_add(1);
            Ok(())
        })?;
        found.records = found.records.saturating_add(records);
        found.bytes = found.bytes.saturating_add(read.read_bytes);
        let short = self.to.is_some_and(|to| segment.number == to.segment && tail.end != to.offset);
        let open = self.to.is_none() && segment.number == self.last_segment();
        if (tail.torn_bytes > 0 && !open) || short {
            return Err(damaged(&segment.path, tail.end, "a record that was written is not there any more"));
        }
        Ok(chain)
    }

    /// Closed segments against the second copy, byte for byte.
    pub(super) fn second(&self, found: &mut Verified) -> Result<(), Stop> {
        let Some(second) = self.settings.second_dir.as_deref() else { return Ok(()) };
        if !is_copy(&self.settings.dir, second) {
            return Ok(());
        }
        let (dir, copies) = (journal_dir(&self.settings.dir, self.half), journal_dir(second, self.half));
        for number in 1..self.last_segment() {
            let (file, copy) = (segment_path(&dir, number), segment_path(&copies, number));
            if !(self.progress)(&copy, found.bytes.saturating_add(found.compared)) {
                return Err(Stop::Closing);
            }
            // One that is not there yet is on its way: that is told as a state.
            if !copy.exists() {
                continue;
            }
            let bytes = fs::metadata(&copy).map_or(0, |metadata| metadata.len());
            found.compared = found.compared.saturating_add(bytes);
            // Asked first: what is on its way now may have come before it is compared.
            let copying = (self.copying)();
            let what = match alike(&file, &copy) {
                Ok(Alike::Whole) => continue,
                Ok(Alike::Begun) if copying => {
                    found.behind = found.behind.saturating_add(1);
                    continue;
                }
                Ok(Alike::Begun | Alike::Not) => "it does not hold what the first copy does".to_owned(),
                Err(error) => error.to_string(),
            };
            // Which of the two is right, the first one's own chain says; a read that failed may have been of either.
            match self.closed(&dir, number) {
                Ok(()) => self.fault(found, damaged(&copy, 0, what)),
                Err(_) if found.faults.iter().any(|fault| fault.file == file) => {}
                Err(error) => self.fault(found, error),
            }
        }
        Ok(())
    }

    /// Whether a closed segment is whole, up to the end that the next one's header carries on.
    fn closed(&self, dir: &Path, number: u64) -> Result<(), OpenError> {
        let segment = Segment::at(dir, number);
        let chain = self.segment(&segment, None, &mut Verified::default())?;
        let next = Segment::at(dir, number.saturating_add(1));
        let header_only = Place { segment: next.number, ..Place::default() };
        let read = Bytes::begin(&next, Place::default(), Some(header_only));
        // A next one that is damaged itself says nothing about this one.
        match read.map(|read| SegmentHeader::parse(&read.header)) {
            Ok(Ok(next)) if next.last_crc != chain => Err(damaged(&segment.path, 0, "its end is missing")),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Every entry of the views: its checksum.
    pub(super) fn views(&self, table: &Table, found: &mut Verified) -> Result<(), Stop> {
        const TELL_EVERY: u64 = 4096;
        let dir = views_dir(self.settings, self.half);
        let mut read = found.bytes.saturating_add(found.compared);
        for entry in table.stored() {
            if found.entries.is_multiple_of(TELL_EVERY) && !(self.progress)(&dir, read) {
                return Err(Stop::Closing);
            }
            let (key, Change { value, .. }) = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.fault(found, damaged(&dir, 0, error.to_string()));
                    return Ok(());
                }
            };
            found.entries = found.entries.saturating_add(1);
            read =
                read.saturating_add(to_u64(key.len().saturating_add(value.map_or(0, |value| value.len()))));
        }
        Ok(())
    }

    /// The views against those that the journal gives now, built aside. Nothing may be written meanwhile.
    pub(super) fn rebuilt(&self, fold: &dyn Fold, table: &Table, found: &mut Verified) -> Result<(), Stop> {
        let (settings, half) = (self.settings, self.half);
        let part = Part { to: self.to, ..Part::default() };
        let read = scan(&journal_dir(&settings.dir, half), half, part)?;
        let dir = renewed_dir(settings, half);
        let go_on = || (self.progress)(&dir, found.bytes);
        let progress = self.building;
        let built = Bring { settings, half, fold, scan: &read, go_on: &go_on, progress }.aside(&dir, None);
        let alike = built.and_then(|(fresh, _)| {
            let mut fresh = fresh.raw();
            for entry in table.raw() {
                let entry = entry.map_err(|error| Stop::Views(error.to_string()))?;
                if fresh.next().transpose().map_err(|error| Stop::Views(error.to_string()))? != Some(entry) {
                    return Ok(false);
                }
            }
            Ok(fresh.next().is_none())
        });
        remove_dir(&dir).map_err(io_error("remove", &dir))?;
        if !alike? {
            let views = views_dir(settings, half);
            self.fault(
                found,
                damaged(&views, 0, "the views are not what the journal gives; delete them while stopped"),
            );
        }
        Ok(())
    }
}
