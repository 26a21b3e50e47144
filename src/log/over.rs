//! Opens a log whose journal is damaged for good over its views: reading goes on, no journal is changed.
//!
//! The views are shown as they are, where those of both halves are whole. Whether they hold all that was committed is asked of the
//! journals, from the views' own record on; where that cannot be seen the views count as behind, as those of a locked half do, and
//! what they do not hold is an error to whoever looks for it ([`Standing`](super::Standing)).

use super::bring::Found;
use super::checkpoint;
use super::files::to_u64;
use super::marker::journal_dir;
use super::open::copied;
use super::record::{SEGMENT_HEADER_BYTES, SegmentHeader, whole_records};
use super::scan::{Part, Place, Scan, scan};
use super::segment::{before_zeros, list};
use super::table::{Position, Table};
use super::{Folds, Half, Halves, Meta, OpenError, Settings};
use std::fs;
use std::path::Path;

/// Views that can be shown.
pub(super) struct Over {
    pub(super) tables: Halves<Option<Table>>,
    pub(super) positions: Halves<Position>,
    /// The last transaction that they show. Its time is 0 where its record cannot be read.
    pub(super) last: Meta,
    /// Whether something may have been committed that they do not show.
    pub(super) behind: bool,
    /// Why nothing may be written, and what is shown.
    pub(super) why: String,
}

/// The views of a log that `damage` keeps from being opened; `damage` itself where they are no good either.
pub(super) fn over(
    settings: &Settings,
    folds: &Folds,
    found: Halves<Found>,
    second: Option<&Path>,
    damage: OpenError,
) -> Result<Over, OpenError> {
    let Halves { personal: Ok((personal, of_personal)), neutral: Ok((neutral, of_neutral)) } = found else {
        return Err(damage);
    };
    let positions = Halves { personal: of_personal, neutral: of_neutral };
    let mut known = of_neutral.seq.max(of_personal.seq);
    for half in Half::ALL {
        // One that cannot be read vouches for nothing.
        let checkpoint = checkpoint::read(&settings.dir, half).ok().flatten().unwrap_or_default();
        let position = positions.get(half);
        if position.fold != folds.get(half).version() || position.seq < checkpoint.place.seq {
            return Err(damage);
        }
        if let Some(second) = second {
            known = known.max(copied(&journal_dir(second, half), half, &checkpoint));
        }
    }
    let journals = Half::ALL.map(|half| journal_dir(&settings.dir, half));
    let at_us = complete(&journals, &positions).filter(|_| known == of_neutral.seq);
    let shown = match at_us {
        Some(_) => "all that was written is shown".to_owned(),
        None => {
            format!("what is shown is as of transaction {}, what came after it is not known", of_neutral.seq)
        }
    };
    [&personal, &neutral].into_iter().for_each(|table| table.leave_alone());
    Ok(Over {
        tables: Halves { personal: Some(personal), neutral: Some(neutral) },
        positions,
        last: Meta { seq: of_neutral.seq, at_us: at_us.unwrap_or(0) },
        behind: at_us.is_none(),
        why: format!("{damage}; {shown}"),
    })
}

/// The time of the last transaction, if the views are seen to hold every one that was committed.
fn complete([personal, neutral]: &[std::path::PathBuf; 2], at: &Halves<Position>) -> Option<i64> {
    let own = from(neutral, Half::Neutral, place(neutral, at.neutral.seq, Some(at.neutral.crc))?)?;
    let theirs = from(personal, Half::Personal, place(personal, at.personal.seq, Some(at.personal.crc))?)?;
    // A transaction says in the neutral half that it has a personal record; one of those may be what is lost.
    let since = from(neutral, Half::Neutral, place(neutral, at.personal.seq, None)?)?;
    let ends = (own.end.seq, theirs.end.seq, since.end.paired);
    (ends == (at.neutral.seq, at.personal.seq, 0)).then_some(own.end.at_us)
}

/// What a journal has from `place` on, if that can be read to its very end.
fn from(dir: &Path, half: Half, place: Place) -> Option<Scan> {
    let read = scan(dir, half, Part { from: place, ..Part::default() }).ok()?;
    // Bytes that are no record may have been one.
    read.torn.is_none().then_some(read)
}

/// The place right after record `seq`, of that checksum if it is known, whatever lies before; the very start for 0.
fn place(dir: &Path, seq: u64, crc: Option<u32>) -> Option<Place> {
    if seq == 0 {
        return Some(Place::default());
    }
    list(dir).ok()?.iter().rev().find_map(|segment| {
        let bytes = fs::read(&segment.path).ok()?;
        let header = SegmentHeader::parse(bytes.get(..SEGMENT_HEADER_BYTES)?).ok();
        if header.is_some_and(|header| header.first_seq > seq) {
            return None;
        }
        whole_records(&bytes, before_zeros(&bytes)).find_map(|(at, record)| {
            let is_it = record.void_from().is_none() && record.meta.seq == seq;
            (is_it && crc.is_none_or(|crc| crc == record.crc)).then(|| Place {
                segment: segment.number,
                offset: to_u64(at.saturating_add(record.bytes())),
                chain: record.crc,
                seq,
                seq_crc: record.crc,
                at_us: record.meta.at_us,
                ..Place::default()
            })
        })
    })
}
