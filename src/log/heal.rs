//! Puts together what two copies of a journal have of it: a damaged first copy is healed from the second at open.
//!
//! The second copy is the first one's bytes, so a record stands at the same place in both; one that is not whole in the
//! first is taken from the second, record by record, as long as the chain goes on. A segment in which neither has a
//! record whole that others follow is left as it is. What was there is kept beside, its name ending in `.damaged`.

use super::checkpoint;
use super::committer::State;
use super::files::{create_dir, io_error, sync_dir, to_u64};
use super::marker::journal_dir;
use super::record::{SEGMENT_HEADER_BYTES, SegmentHeader, has_follower, parse};
use super::segment::{damaged, segment_path};
use super::verify::Fault;
use super::{Half, Healed, OpenError};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Stops the writing for what was found wrong with a journal of the log in `dir`, and has the next start read that half whole.
pub(super) fn stop_for(fault: &Fault, dir: &Path, state: &State) {
    let Fault { half, file, offset, what, unread } = fault;
    let damaged = if *unread { String::new() } else { format!(" is damaged at byte {offset}") };
    state.fail(format!(
        "{}{damaged}: {what}; restart fichad: it puts the file back from the second copy, or says what to do",
        file.display()
    ));
    // A read that failed may go well the next time; the checkpoint goes for what was read and is wrong.
    if !unread {
        // Should it stay, whoever reads there again says the same.
        checkpoint::remove(dir, *half).ok();
    }
}

/// Heals the journal of `half` in `dir` from the one in `second`; gives the files that were put back.
pub(super) fn heal(dir: &Path, second: &Path, half: Half) -> Result<Vec<Healed>, OpenError> {
    let (dir, second) = (journal_dir(dir, half), journal_dir(second, half));
    let mut healed = Vec::new();
    let mut chain = 0;
    for number in 1.. {
        let (path, copy) = (segment_path(&dir, number), segment_path(&second, number));
        // What is not there or cannot be read is as good as empty: the other one may have it whole.
        // So is another segment's file under this one's name: its first records may follow the same checksum.
        let read = |file: &PathBuf| fs::read(file).ok().filter(|bytes| !is_another(bytes, half, number));
        let [here, there] = [&path, &copy].map(|file| read(file).unwrap_or_default());
        let Some(joined) = Joined::of(&here, &there, half, number, chain) else { break };
        chain = joined.chain;
        if joined.whole_bytes <= joined.here_bytes {
            continue;
        }
        if joined.goes_on(&here) || joined.goes_on(&there) {
            let what = "neither copy has this record whole, and whole records follow it";
            return Err(damaged(&path, joined.whole_bytes, what));
        }
        let aside = put_back(&path, &joined.bytes).map_err(io_error("write", &path))?;
        let offset = joined.here_bytes;
        healed.push(Healed { file: path, offset, aside });
    }
    Ok(healed)
}

/// One segment out of two copies.
struct Joined {
    bytes: Vec<u8>,
    chain: u32,
    /// Up to where it is whole, and up to where it would be without the second copy.
    whole_bytes: u64,
    here_bytes: u64,
}

impl Joined {
    /// `None` where neither has a segment that follows `chain`.
    fn of(here: &[u8], there: &[u8], half: Half, number: u64, chain: u32) -> Option<Self> {
        let header = |bytes: &[u8]| {
            let header = SegmentHeader::parse(bytes).ok()?;
            let fits = header.half == half && header.number == number && header.last_crc == chain;
            Some((bytes.get(..SEGMENT_HEADER_BYTES).filter(|_| fits)?.to_vec(), header.chain()))
        };
        let own = header(here);
        let mut from_here = own.is_some();
        let mut here_bytes = 0;
        let (mut bytes, mut chain) = own.or_else(|| header(there))?;
        loop {
            let at = bytes.len();
            let next = |copy: &[u8]| {
                let rest = copy.get(at..)?;
                let record = parse(rest).filter(|record| record.last_crc == chain)?;
                Some((rest.get(..record.bytes())?.to_vec(), record.crc))
            };
            if from_here {
                here_bytes = to_u64(at);
            }
            let own = next(here);
            from_here = from_here && own.is_some();
            let Some((record, crc)) = own.or_else(|| next(there)) else { break };
            bytes.extend_from_slice(&record);
            chain = crc;
        }
        Some(Self { whole_bytes: to_u64(bytes.len()), here_bytes, chain, bytes })
    }

    /// Whether a copy has records that were committed behind the joined end: they would be cut.
    fn goes_on(&self, copy: &[u8]) -> bool {
        has_follower(copy, self.bytes.len().saturating_add(1))
    }
}

/// Whether a segment's header says that it is of the other half, or has another number.
fn is_another(bytes: &[u8], half: Half, number: u64) -> bool {
    SegmentHeader::parse(bytes).is_ok_and(|header| header.half != half || header.number != number)
}

/// Writes a file anew; gives the name that the old one, if there is one, has from now on. After a crash one of the two is
/// there under the file's own name.
fn put_back(path: &Path, bytes: &[u8]) -> io::Result<Option<PathBuf>> {
    let folder = path.parent().unwrap_or(Path::new("."));
    create_dir(folder)?;
    let temp = path.with_extension("tmp");
    let mut file = File::create(&temp)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    let aside = (1..).map(|count| aside_name(path, count)).find(|aside| !aside.exists());
    let aside = aside.filter(|_| path.symlink_metadata().is_ok());
    if let Some(aside) = &aside {
        fs::hard_link(path, aside)?;
    }
    fs::rename(&temp, path)?;
    sync_dir(folder)?;
    Ok(aside)
}

fn aside_name(path: &Path, count: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(if count == 1 { ".damaged".to_owned() } else { format!(".{count}.damaged") });
    name.into()
}

#[cfg(test)]
mod tests {
    use super::super::Meta;
    use super::super::record::{Kind, NewRecord};
    use super::*;

    /// A segment of five records, and where each begins.
    fn segment(half: Half) -> (Vec<u8>, Vec<usize>) {
        let header = SegmentHeader { half, timeline: 1, number: 1, first_seq: 1, last_crc: 0 };
        let (mut bytes, mut starts, mut chain) = (header.encode(), Vec::new(), 0);
        for seq in 1..=5 {
            starts.push(bytes.len());
            let meta = Meta { seq, at_us: 0 };
            let record = NewRecord { meta, kind: Kind::Events, paired: false, payload: &[half.byte(); 20] };
            chain = record.write(chain, &mut bytes).unwrap();
        }
        (bytes, starts)
    }

    #[test]
    fn each_record_is_taken_from_the_copy_that_has_it_whole() {
        let (whole, starts) = segment(Half::Neutral);
        let mut here = whole.clone();
        here[starts[1] + 34] ^= 1;
        let there = whole[..starts[3]].to_vec();
        let joined = Joined::of(&here, &there, Half::Neutral, 1, 0).unwrap();
        assert_eq!(joined.bytes, whole, "the second has records 1 to 3, the first all but record 2");
        assert_eq!(joined.here_bytes, to_u64(starts[1]));
        let nothing = Joined::of(&[], &there, Half::Neutral, 1, 0).unwrap();
        assert_eq!((nothing.bytes, nothing.here_bytes), (there.clone(), 0));
        let alone = Joined::of(&whole, &[], Half::Neutral, 1, 0).unwrap();
        assert_eq!(alone.here_bytes, alone.whole_bytes);
        assert!(Joined::of(&whole, &there, Half::Neutral, 1, 9).is_none(), "another chain");
        assert!(Joined::of(&whole, &there, Half::Personal, 1, 0).is_none(), "the other half");
    }

    #[test]
    fn segments_of_the_halves_that_were_swapped_are_put_back_without_a_record_of_the_other() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (half, other) in [(Half::Neutral, Half::Personal), (Half::Personal, Half::Neutral)] {
            for (dir, content) in [(&first, other), (&second, half)] {
                create_dir(&journal_dir(dir.path(), half)).unwrap();
                fs::write(segment_path(&journal_dir(dir.path(), half), 1), segment(content).0).unwrap();
            }
        }
        for half in Half::ALL {
            let healed = heal(first.path(), second.path(), half).unwrap();
            assert_eq!(healed.len(), 1);
            assert_eq!(fs::read(&healed[0].file).unwrap(), segment(half).0);
        }
    }
}
