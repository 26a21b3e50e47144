//! What happened, in order and durable (the journal), and what is true now (the views on sled).
//!
//! One committer thread takes decisions from a bounded queue, at most [`GROUP_MAX`] at once. A decision sees the
//! views plus what was decided before it, and emits events or refuses; so two callers cannot spend the same thing twice. Then, for
//! the whole group: personal records appended and synced, neutral records appended and synced (**this is the commit point**), views
//! changed in memory, callers answered. Another thread has the journals (`writer.rs`): while it writes and syncs one group the
//! committer decides the next. A failed write or sync is never retried: what was decided over it is refused too, and the log turns
//! read-only until it is opened again.
//!
//! What changed in memory lies over sled and is read together with it. At each checkpoint it is put aside whole, and another thread
//! writes it down as a run, a sorted file that is read over sled too; a third one puts runs together, and into sled once there are many. So
//! sled is neither in the way of a commit nor of a reader.
//!
//! ```text
//! <dir>/LOCK                      flock: one opener
//! <dir>/STORE                     the store's id, here and in the second folder: `marker.rs`
//! <dir>/store/journal/00000001.seg  neutral half: the truth (record layout: `record.rs`)
//! <dir>/store/views/              neutral half: sled, can be deleted while stopped, is rebuilt
//! <dir>/store/views/*.run         what is not in sled yet: `table/tier.rs`
//! <dir>/store/views.*/            new ones being built (new, renewed) or old ones being deleted (old)
//! <dir>/store/snapshots/          what the views held, to build them from: `snapshot.rs`
//! <dir>/store/CHECKPOINT          up to where the journal was checked and is in the views: where the next start reads on
//! <dir>/vault/...                 personal half, the same
//! <dir>/restore.new/, RESTORE, kept-timeline-N/   going back to an earlier moment: `restore.rs`, `swap.rs`
//! <second>/STORE, store/journal/, vault/journal/   the second copy: the same bytes, within a second: `copier.rs`
//!
//! a block of view entries   key:   the least key it may hold: | view number u8 | key |
//!                           value: | seq u64 | crc32 u32 (key, seq, entries) | entries, see `block.rs` |
//! a value over 3 KiB        in parts, in the same frame, under | 80 | view number | key | seq | index |
//! the position, key FF 'a'  value: the same frame around | seq u64 | record crc u32 | fold version u32 | format u32 |
//! ```
//!
//! Every transaction with events has a neutral record (of no events if need be), so that one sequence numbers both
//! halves. A crash between the two syncs leaves personal records without neutral ones: at open they are voided by a
//! record in the vault's journal, listed in [`OpenReport`], never folded and never destroyed.
//!
//! An open reads and checks a journal (its chain of checksums) from its last checkpoint on, and of what lies before only
//! how the segments hang together; the whole of it when there is no checkpoint that holds, or when views must be built
//! anew. The journal must cover all that the views, the checkpoint and the other half know of; what is torn behind that
//! is cut, anything else is damage and nothing is touched: it is healed from the second copy, or the log opens over its views,
//! read-only (`over.rs`), or, where those are no good either, not at all ([`OpenError::Damaged`]).
//!
//! This room knows no noun of ours: an event is bytes, its meaning is in a [`Fold`]. It reads no clock (the caller
//! hands one over) and puts no key, value or event into an error or a log line.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

mod answers;
mod aside;
mod block;
mod bring;
mod bulk;
mod checkpoint;
mod closing;
mod committer;
mod compare;
mod copier;
mod error;
mod files;
mod filter;
mod group;
mod handle;
mod heal;
mod health;
mod journal;
mod layer;
mod look;
mod marker;
mod mend;
mod moments;
mod open;
mod over;
mod pending;
mod progress;
mod recall;
mod record;
mod renew;
mod report;
mod restore;
mod run;
mod runs;
mod scan;
mod scrub;
mod sealed;
mod second;
mod segment;
mod settle;
mod snapshot;
mod snapshots;
mod sorted;
mod swap;
mod table;
mod tx;
mod verify;
mod views;
mod writer;

pub use error::{FoldError, OpenError, Refused, SubmitError, ViewError};
pub use handle::Log;
pub use health::{Health, HealthState, SecondCopy, ViewsState};
pub use look::verify;
pub use marker::is_store;
pub use moments::{Kept, Moments, moments};
pub use open::{Hold, hold};
pub use pending::{Committed, Pending};
pub use progress::{Building, Progress};
pub use recall::Recall;
pub use record::PAYLOAD_BYTES_MAX;
pub use report::{Healed, OpenReport, Orphan, Rebuilt, Torn};
pub use restore::{LeftOut, Moment, Restore, RestoreError, Until, settle_restore};
pub use snapshots::Taken;
pub use swap::Leftover;
pub use tx::Tx;
pub use verify::{Fault, Verified};
pub use views::{Digest, Standing, Views};

/// Decisions that share one sync.
pub const GROUP_MAX: usize = 256;
/// Decisions that may wait; over it `submit` answers [`SubmitError::Busy`]. A few groups: more would only be waiting.
pub const QUEUE_MAX: usize = 1024;
/// The highest view number.
pub const VIEW_NUMBER_MAX: u8 = 63;
/// The longest key of a view entry, so that a few always fit one page of the view store.
pub const KEY_BYTES_MAX: usize = 512;
/// The longest value of a view entry. From 3 KiB on it lies in sled entries of its own; whoever reads it sees it whole.
pub const VALUE_BYTES_MAX: usize = 256 << 10;

/// The two halves that commit together: personal is written first, neutral last, and neutral is the commit point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Half {
    /// Sealed, in `<dir>/vault`.
    Personal,
    /// Numbers, amounts and states, in `<dir>/store`.
    Neutral,
}

impl Half {
    /// Both, in the order they are written.
    pub const ALL: [Self; 2] = [Self::Personal, Self::Neutral];

    /// `personal` or `neutral`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::Neutral => "neutral",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Personal => "vault",
            Self::Neutral => "store",
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::Personal => 0,
            Self::Neutral => 1,
        }
    }
}

/// One view: which half, and its number there, 0 to [`VIEW_NUMBER_MAX`].
///
/// The number is the first byte of the key in the half's one sled tree, not a tree of its own: nothing has to be
/// created at run time, a half is one sorted run to digest and rebuild, and small views share pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct View {
    /// The half it belongs to.
    pub half: Half,
    /// Its number in that half.
    pub number: u8,
}

/// Which transaction, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Meta {
    /// 1 for the first transaction; no gaps.
    pub seq: u64,
    /// Microseconds since 1970 UTC. Never less than the transaction's before, over restarts too.
    pub at_us: i64,
}

/// Reading what is true now: [`Views`] (committed, any thread) and [`Tx`] (and what this group has decided).
pub trait Read {
    /// The value of `key`.
    fn get(&self, view: View, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError>;

    /// The entries whose key starts with `prefix`, in key order, at most `limit`.
    fn scan(&self, view: View, prefix: &[u8], limit: usize) -> Result<Vec<Entry>, ViewError> {
        self.scan_from(view, prefix, prefix, limit)
    }

    /// As [`Self::scan`], but only those at or after the key `from`, which begins with `prefix`. What lies before is not gone
    /// through.
    fn scan_from(
        &self,
        view: View,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<Entry>, ViewError>;
}

/// An entry of a view: key and value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// What a fold works on: the views of its own half. A write that breaks a limit or leaves the half makes the whole
/// application fail once `apply` returns.
pub trait ReadWrite: Read {
    /// Sets `key`, of at most [`KEY_BYTES_MAX`], to `value`, of at most [`VALUE_BYTES_MAX`].
    fn put(&mut self, view: View, key: &[u8], value: &[u8]);
    /// Removes `key`; nothing happens when it is not there.
    fn remove(&mut self, view: View, key: &[u8]);
}

/// How single entries of a view are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Asked {
    /// Now and then: they lie on the disk, and that is all.
    Seldom,
    /// Again and again, by whoever must not wait: the view is copied into memory as far as there is room, for which its keys must be spread
    /// by their first byte, as hashes and random numbers are, and none longer than 63 bytes.
    Often,
    /// For whatever is written, to see that it was not there before: which keys there are is noted in memory, as far as there is room.
    New,
}

/// Applies one half's events to its views. Pure over the event, the meta and what that half's views hold: a rebuild
/// must give the same bytes.
pub trait Fold: Send + Sync {
    /// Another number than the one on disk has the half's views rebuilt.
    fn version(&self) -> u32;

    /// Applies one event.
    fn apply(&self, meta: &Meta, event: &[u8], views: &mut dyn ReadWrite) -> Result<(), FoldError>;

    /// How single entries of a view are asked for.
    fn asked(&self, _view: View) -> Asked {
        Asked::Seldom
    }

    /// Whether a view goes into snapshots, in clear. One that does not is never read by [`Self::apply`], and
    /// [`Self::derive`] gives it anew.
    fn keeps(&self, _view: View) -> bool {
        true
    }

    /// Writes what [`Self::apply`] had written into views that are not kept, beside an entry that a snapshot has. The
    /// snapshot's other entries can be read.
    fn derive(
        &self,
        _view: View,
        _key: &[u8],
        _value: &[u8],
        _views: &mut dyn ReadWrite,
    ) -> Result<(), FoldError> {
        Ok(())
    }
}

/// The fold of each half.
#[derive(Clone)]
pub struct Folds {
    /// Of the personal half.
    pub personal: Arc<dyn Fold>,
    /// Of the neutral half.
    pub neutral: Arc<dyn Fold>,
}

impl Folds {
    fn get(&self, half: Half) -> &dyn Fold {
        match half {
            Half::Personal => &*self.personal,
            Half::Neutral => &*self.neutral,
        }
    }
}

impl std::fmt::Debug for Folds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let versions = (self.personal.version(), self.neutral.version());
        f.debug_tuple("Folds").field(&versions.0).field(&versions.1).finish()
    }
}

/// Where the time comes from: microseconds since 1970 UTC. May go back; the log's own time does not.
pub type UtcUs = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Where a log lies and how large its parts grow.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The state folder; created if missing.
    pub dir: PathBuf,
    /// The second folder, on another disk; `None`: one disk only.
    pub second_dir: Option<PathBuf>,
    /// A segment's length; a new one is begun rather than to pass it. Files grow towards it by [`GROW_BYTES`].
    pub segment_bytes: u64,
    /// sled's cache for each half.
    pub cache_bytes: u64,
    /// Groups between two checkpoints; one is also made at close.
    pub checkpoint_groups: u64,
    /// From the end of one reading of all there is, beside the work, to the begin of the next.
    pub scrub_every: Duration,
    /// How fast it reads, on the average of a segment.
    pub scrub_bytes_per_s: u64,
    /// Segments of a journal between two snapshots of its half; more where a snapshot is longer than they are.
    pub snapshot_segments: u64,
    /// How often is looked whether it is time for one.
    pub snapshot_look: Duration,
    /// How many snapshots of a half are kept, the last ones.
    pub snapshots_kept: usize,
    /// Bytes of events between two checkpoints: about what a start after a power cut has to read and fold.
    pub checkpoint_bytes: u64,
    /// Bytes of changed view entries that gather over sled before they are put into it, at least.
    pub runs_bytes: u64,
}

/// The usual length of a segment.
pub const SEGMENT_BYTES: u64 = 64 << 20;

const SNAPSHOT_LOOK_MS: u64 = 60_000;

/// A segment is filled with zeros this far ahead, so that most syncs change no file length.
pub const GROW_BYTES: u64 = 1 << 20;

impl Settings {
    /// The usual sizes for a log in `dir`: segments of [`SEGMENT_BYTES`], 4 MiB of cache a half.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            second_dir: None,
            segment_bytes: SEGMENT_BYTES,
            cache_bytes: 4 << 20,
            checkpoint_groups: 4096,
            checkpoint_bytes: SEGMENT_BYTES / 4,
            runs_bytes: SEGMENT_BYTES,
            scrub_every: Duration::from_secs(6 * 3600),
            scrub_bytes_per_s: 4 << 20,
            snapshot_segments: 1,
            snapshot_look: Duration::from_millis(SNAPSHOT_LOOK_MS),
            snapshots_kept: 2,
        }
    }

    /// The same with segments of another length, and with it as many events between two checkpoints, as many changes over sled, and
    /// as much time between two looks whether a snapshot is due, as go with that.
    #[must_use]
    pub fn with_segments(self, segment_bytes: u64) -> Self {
        let ms = SNAPSHOT_LOOK_MS.saturating_mul(segment_bytes) / SEGMENT_BYTES;
        let snapshot_look = Duration::from_millis(ms.max(1));
        let (checkpoint_bytes, runs_bytes) = (segment_bytes / 4, segment_bytes);
        Self { segment_bytes, checkpoint_bytes, runs_bytes, snapshot_look, ..self }
    }
}

/// One thing of each half.
#[derive(Clone, Copy, Debug, Default)]
struct Halves<T> {
    personal: T,
    neutral: T,
}

impl<T> Halves<T> {
    fn get(&self, half: Half) -> &T {
        match half {
            Half::Personal => &self.personal,
            Half::Neutral => &self.neutral,
        }
    }

    fn get_mut(&mut self, half: Half) -> &mut T {
        match half {
            Half::Personal => &mut self.personal,
            Half::Neutral => &mut self.neutral,
        }
    }
}
