//! Appends to a half's journal: records are gathered, then written and synced at once.
//!
//! Any error here ends writing for this run: after a failed sync nobody can say what is on disk, so nothing is tried again.

use super::files::{create_dir, io_error, sync_dir, to_u64};
use super::record::{Kind, NewRecord, SEGMENT_HEADER_BYTES, SegmentHeader};
use super::scan::{Place, Scan};
use super::segment::segment_path;
use super::{GROW_BYTES, Half, OpenError};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The open end of a journal. No `Debug`: what is gathered may be personal.
pub(super) struct Journal {
    half: Half,
    timeline: u32,
    dir: PathBuf,
    segment_bytes: u64,
    file: File,
    /// Where the next write goes, and what lies before; gathered records are counted, but its offset is before them.
    place: Place,
    /// Length of the file; from the place on it is zeros.
    len: u64,
    gathered: Vec<u8>,
}

impl Journal {
    /// Goes on where `found` ended, torn bytes cut off before; begins the first segment where there is none.
    pub(super) fn open(
        dir: &Path,
        (half, timeline): (Half, u32),
        segment_bytes: u64,
        found: &Scan,
    ) -> Result<Self, OpenError> {
        create_dir(dir).map_err(io_error("create", dir))?;
        let dir = dir.to_path_buf();
        let mut place = found.end;
        let file = match found.segments.last() {
            Some(last) => {
                OpenOptions::new().write(true).open(&last.path).map_err(io_error("open", &last.path))?
            }
            None => {
                (place.segment, place.offset) = (1, to_u64(SEGMENT_HEADER_BYTES));
                let header = SegmentHeader { half, timeline, number: 1, first_seq: 1, last_crc: place.chain };
                place.chain = header.chain();
                let path = segment_path(&dir, 1);
                create(&path, &header).map_err(io_error("create", &path))?
            }
        };
        let len = file.metadata().map_err(io_error("read", &dir))?.len();
        Ok(Self { half, timeline, dir, segment_bytes, file, place, len, gathered: Vec::new() })
    }

    /// Where the journal ends on the disk. Only right while nothing is gathered.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Gathers a record and gives its checksum. When it would pass the segment's length, what was gathered before
    /// is written and synced, and a new segment begun.
    pub(super) fn append(&mut self, record: &NewRecord<'_>) -> io::Result<u32> {
        let used = self.place.offset.saturating_add(to_u64(self.gathered.len()));
        let end = used.saturating_add(to_u64(record.bytes()));
        if end > self.segment_bytes && used > to_u64(SEGMENT_HEADER_BYTES) {
            self.commit()?;
            self.roll(record.meta.seq)?;
        }
        let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "a record is longer than its limit");
        let place = &mut self.place;
        place.chain = record.write(place.chain, &mut self.gathered).ok_or_else(too_long)?;
        place.at_us = place.at_us.max(record.meta.at_us);
        if record.kind == Kind::Events {
            (place.seq, place.seq_crc) = (record.meta.seq, place.chain);
            place.live = place.live.saturating_add(1);
            if record.paired {
                (place.paired, place.last_paired) = (place.paired.saturating_add(1), record.meta.seq);
            }
        }
        Ok(place.chain)
    }

    /// Writes what was gathered and waits until it is on the disk.
    pub(super) fn commit(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let end = self.place.offset.saturating_add(to_u64(self.gathered.len()));
        if end > self.len {
            let len = end.div_ceil(GROW_BYTES).saturating_mul(GROW_BYTES).min(self.segment_bytes.max(end));
            zeros(&self.file, self.len, len)?;
            self.len = len;
        }
        self.file.write_all_at(&self.gathered, self.place.offset)?;
        self.file.sync_data()?;
        self.place.offset = end;
        self.gathered.clear();
        Ok(())
    }

    /// Closes the segment at its length, so that its end can be told without reading it, and begins the next.
    fn roll(&mut self, first_seq: u64) -> io::Result<()> {
        self.file.set_len(self.place.offset)?;
        self.file.sync_data()?;
        let number = self.place.segment.saturating_add(1);
        let header = SegmentHeader {
            half: self.half,
            timeline: self.timeline,
            number,
            first_seq,
            last_crc: self.place.chain,
        };
        self.file = create(&segment_path(&self.dir, number), &header)?;
        (self.place.segment, self.place.offset) = (number, to_u64(SEGMENT_HEADER_BYTES));
        self.place.chain = header.chain();
        self.len = self.place.offset;
        Ok(())
    }
}

/// Makes a segment under another name first, so that one with half a header is never seen.
pub(super) fn create(path: &Path, header: &SegmentHeader) -> io::Result<File> {
    let temp = path.with_extension("tmp");
    let file = File::create(&temp)?;
    file.write_all_at(&header.encode(), 0)?;
    file.sync_all()?;
    fs::rename(&temp, path)?;
    sync_dir(path.parent().unwrap_or(Path::new(".")))?;
    Ok(file)
}

/// Writes zeros, so that the room is there and later syncs change no file length.
fn zeros(file: &File, from: u64, to: u64) -> io::Result<()> {
    const BLOCK: &[u8] = &[0; 64 << 10];
    let mut at = from;
    while at < to {
        let want = usize::try_from(to.saturating_sub(at)).unwrap_or(usize::MAX).min(BLOCK.len());
        file.write_all_at(BLOCK.get(..want).unwrap_or(BLOCK), at)?;
        at = at.saturating_add(to_u64(want));
    }
    Ok(())
}
