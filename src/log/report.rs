//! What an open says that it found and did. Names files and offsets, never what is in them.

use super::{Half, Meta};
use std::path::PathBuf;
use std::time::Duration;

/// What opening found and did.
#[derive(Clone, Debug, Default)]
pub struct OpenReport {
    /// Halves whose views were built anew, and why.
    pub rebuilt: Vec<Rebuilt>,
    /// Records that views were behind and that were applied to them.
    pub caught_up: u64,
    /// Files that were damaged and are put back from the second copy.
    pub healed: Vec<Healed>,
    /// Torn tails that were cut: never acknowledged.
    pub torn: Vec<Torn>,
    /// Personal records without a neutral one, of this crash and all before: set aside, never folded.
    pub orphans: Vec<Orphan>,
    /// Halves that stay behind because their fold is locked: reading them and emitting for them is refused.
    pub behind: Vec<Half>,
    /// The last committed transaction.
    pub last: Option<Meta>,
    /// Bytes of the journals that were read and checked; what lies before the checkpoints is not.
    pub read_bytes: u64,
    /// How long it took.
    pub took: Duration,
}

/// A half whose views were rebuilt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// Which half.
    pub half: Half,
    /// Why its views were not good enough.
    pub why: String,
    /// Records folded.
    pub records: u64,
}

/// A file of the first copy that was put back from the second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Healed {
    /// The file.
    pub file: PathBuf,
    /// Up to where it was whole.
    pub offset: u64,
    /// Where the damaged one is kept; `None`: there was none.
    pub aside: Option<PathBuf>,
}

/// A torn tail that was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The segment.
    pub file: PathBuf,
    /// Where it was cut.
    pub offset: u64,
    /// How many bytes were not zero behind it, up to the last one.
    pub bytes: u64,
}

/// A personal record that was never committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// The sequence it had; the number was given again since.
    pub meta: Meta,
    /// The segment it lies in.
    pub file: PathBuf,
    /// Where in it.
    pub offset: u64,
}
