//! How an open log is doing, for whoever looks after it.

use super::{Building, Half, Rebuilt};

/// How the log is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether it takes writes.
    pub state: HealthState,
    /// The last committed sequence that the views show.
    pub last_seq: u64,
    /// When it was committed, in microseconds since 1970 UTC; later than now where the clock was set back. 0 in an empty log.
    pub last_at_us: i64,
    /// Halves left behind at open because their fold was locked.
    pub behind: Vec<Half>,
    /// How the views are.
    pub views: ViewsState,
    /// How often views that turned out damaged were built anew since the open, and the last time that they were.
    pub mended: (u64, Option<Rebuilt>),
    /// How the second copy is.
    pub second: SecondCopy,
}

/// How the views are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewsState {
    /// Nothing was found that is not as it was written.
    Ok,
    /// Those of a half turned out damaged, and are being built anew; what can be read of them is right.
    Rebuilding {
        /// Whose.
        half: Half,
        /// What was found.
        why: String,
        /// How far it is, as soon as that is known.
        progress: Option<Building>,
    },
    /// Those of a half turned out damaged, and cannot be built anew now; what can be read of them is right.
    Damaged {
        /// Whose.
        half: Half,
        /// What was found.
        why: String,
        /// What is in the way of building them.
        hindered: String,
    },
}

/// How the second copy of the journals is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecondCopy {
    /// No second folder is set: what is on the one disk is all there is.
    OneDiskOnly,
    /// It has every group, or will within a second.
    Ok,
    /// It lacks what was committed more than a second ago.
    Behind {
        /// Transactions that it lacks.
        records: u64,
    },
    /// Its folder cannot be used now.
    Absent {
        /// Why, and what to do.
        why: String,
    },
}

/// Whether the log takes writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthState {
    /// Reads and writes.
    Ok,
    /// Reads only, until it is opened again.
    ReadOnly {
        /// What failed.
        why: String,
    },
}
