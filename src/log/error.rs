//! What can go wrong, one enum for each boundary, one variant for each thing that is done next.
//!
//! No text here ever holds a key, a value or an event: those may be personal.

use super::{Half, View};
use std::io;
use std::path::PathBuf;

/// Why a log could not be opened. Nothing was changed on disk but what an earlier crash had left half-made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Stop the other process first.
    #[error("{} is held by another process; stop that one first", .dir.display())]
    Held {
        /// The state folder.
        dir: PathBuf,
    },
    /// Bring the file back from a second copy or a backup.
    #[error(
        "{} is damaged at byte {offset}: {what}; nothing was cut: stop fichad and put back this file from the second copy or a backup, or go \
         back to before it with `ficha store restore --at TIME`",
        .file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Byte offset in it.
        offset: u64,
        /// What was found.
        what: String,
    },
    /// The disk of the state folder is not there, or lost: mount it, or bring the store back from the copy.
    #[error(
        "{} is empty, but {} has the second copy of a store: mount the disk of the first, or bring the store back \
         (`cp -a` of the copy's STORE, store and vault; keys, keyring and lists from `[vault] second_dir` or their backup)",
        .dir.display(), .second.display()
    )]
    Gone {
        /// The state folder.
        dir: PathBuf,
        /// The second one.
        second: PathBuf,
    },
    /// Use the version that wrote it, or a later one.
    #[error("{} has journal format {found}, this version reads {known}: use the version that wrote it", .file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u16,
        /// The format this code reads.
        known: u16,
    },
    /// Look at the disk, the folder's owner and its rights.
    #[error("could not {doing} {}", .path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The views could not be built, even from nothing.
    #[error("could not build the views in {}: {what}", .dir.display())]
    Views {
        /// The views' folder.
        dir: PathBuf,
        /// What the view store said.
        what: String,
    },
    /// An event in the journal that the fold cannot apply: use a version that knows it.
    #[error("the {} event of sequence {seq} cannot be applied; use a version that knows it", .half.name())]
    Fold {
        /// Which half.
        half: Half,
        /// The transaction.
        seq: u64,
        /// The cause.
        source: FoldError,
    },
}

/// Why a view could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// An entry does not match its checksum, or the view store failed: the views must be rebuilt (stop, delete the half's `views` folder, start).
    #[error("the {} views are damaged ({what}); delete their folder while stopped and they are rebuilt", .half.name())]
    Damaged {
        /// Which half.
        half: Half,
        /// What was found.
        what: String,
    },
    /// What a view leads to cannot be read in the half's journal: the writing stops, and the next start puts the journal back from its
    /// second copy or says what is lost.
    #[error("the {} journal cannot be read ({what}); restart fichad: it is put back from the second copy, or what is lost is said", .half.name())]
    Journal {
        /// Which half.
        half: Half,
        /// What was found.
        what: String,
    },
    /// The half's fold was locked when journal and views had to be brought together, or the journal is damaged; open again with
    /// it unlocked, or whole.
    #[error("the {} views are behind their journal, which was locked or damaged at start", .half.name())]
    Behind {
        /// Which half.
        half: Half,
    },
    /// A fold may read and write its own half only, or a rebuild of one half would see the other's future.
    #[error("a fold of one half used view {} of the {} half", .view.number, .view.half.name())]
    OtherHalf {
        /// The view asked for.
        view: View,
    },
    /// View numbers end at [`VIEW_NUMBER_MAX`](super::VIEW_NUMBER_MAX).
    #[error("there is no view {} (numbers end at {max})", .view.number, max = super::VIEW_NUMBER_MAX)]
    NoSuchView {
        /// The view asked for.
        view: View,
    },
}

/// Why an event could not be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FoldError {
    /// What the fold needs to read the event is locked. At open the half's views then stay behind.
    #[error("locked: what is needed to read this event is not open")]
    Locked,
    /// The event is not one this version knows, or contradicts the views. `what` must hold nothing personal.
    #[error("the event does not apply: {what}")]
    Event {
        /// What is wrong.
        what: String,
    },
    /// A view could not be read.
    #[error(transparent)]
    View(#[from] ViewError),
    /// A key over [`KEY_BYTES_MAX`](super::KEY_BYTES_MAX) or a value over [`VALUE_BYTES_MAX`](super::VALUE_BYTES_MAX).
    #[error("an entry of view {} is too large: key of {key_bytes} bytes, value of {value_bytes}", .view.number)]
    TooLarge {
        /// The view.
        view: View,
        /// Length of its key.
        key_bytes: usize,
        /// Length of its value.
        value_bytes: usize,
    },
    /// One transaction's events of one half are over [`PAYLOAD_BYTES_MAX`](super::PAYLOAD_BYTES_MAX).
    #[error("the transaction's {} events are over the limit of 1 MiB", .half.name())]
    TooMuch {
        /// Which half.
        half: Half,
    },
}

/// Why a decision was not queued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The queue is full: try again shortly, or tell the caller so.
    #[error("too many requests wait; try again shortly")]
    Busy,
    /// Writing has stopped for this run.
    #[error("read-only: {why}")]
    ReadOnly {
        /// What failed.
        why: String,
    },
    /// The log is being closed.
    #[error("the log is closed")]
    Closed,
}

/// Why a decision was not committed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused<R> {
    /// The decision's own refusal.
    #[error("refused")]
    Refusal(R),
    /// A write or sync failed, now or before. Whether this transaction is on disk shows at the next start:
    /// ask again then with the same idempotency key.
    #[error("read-only: {why}")]
    ReadOnly {
        /// What failed.
        why: String,
    },
    /// The log was closed before the decision ran.
    #[error("the log is closed")]
    Closed,
    /// An event could not be applied and the decision went on all the same; nothing of it is kept.
    #[error("an event could not be applied")]
    Fold(#[source] FoldError),
    /// The decision panicked; nothing of it is kept.
    #[error("the decision panicked; nothing of it is kept")]
    Panicked,
}
