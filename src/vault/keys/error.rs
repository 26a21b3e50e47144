//! What can go wrong with keys: one variant for each thing done next.

use std::io;
use std::path::{Path, PathBuf};

/// Why a key was not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The vault stays locked: tills work without names until the key is brought.
    #[error("no key at {}: bring it and restart, or go on with the vault locked", .path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The vault stays locked until somebody gives the passphrase.
    #[error("the vault waits for its passphrase: `ficha vault unlock`")]
    Asked,
    /// Try again when the machine has memory to spare.
    #[error("a key cannot be made of the passphrase: it takes 64 MiB of memory for a moment")]
    Stretch,
    /// Take the rights away, and change the key if somebody may have read it.
    #[error("{} has mode {mode:04o}, so others may read the key: `chmod 0400` it, and change the key if they did", .path.display())]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Mount the disk of the second copy; if it is lost for ever, do without it.
    #[error(
        "the second copies of the keys are not in step, and what only they have whole would be lost: {why}. Bring them back, or, if they are lost for ever, take `second_dir` out of `[vault]` first"
    )]
    NotInStep {
        /// What is wrong with it.
        why: String,
    },
    /// Bring the file from its copy: fichad never wrote that.
    #[error("{} asks for more work than fichad would do for a passphrase: bring it back from its copy", .path.display())]
    Costly {
        /// The file.
        path: PathBuf,
    },
    /// Not a key of ours.
    #[error("{} must hold exactly 32 bytes, the key and nothing else", .path.display())]
    Malformed {
        /// The key file.
        path: PathBuf,
    },
    /// Bring the right key; nothing is broken.
    #[error("the key given does not open {}: it was made with another one (if the key was changed, bring the one that goes with it: from the backup that has both, or the second disk; the vault's also comes back by `ficha vault recover`)", .path.display())]
    WrongKey {
        /// What it does not open.
        path: PathBuf,
    },
    /// Nothing was made: a first start happens once.
    #[error("{} is already there, and is never replaced", .path.display())]
    AlreadyThere {
        /// The file found.
        path: PathBuf,
    },
    /// Bring the file from its copy. Making a new one would give up every sealed section.
    #[error("{} is missing: bring it back from its copy; without it nothing sealed can be opened", .path.display())]
    NoKeyFile {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Bring the file from its copy.
    #[error("{} is damaged at its head: bring it back from its copy", .path.display())]
    HeaderDamaged {
        /// The file.
        path: PathBuf,
    },
    /// Install the later fichad.
    #[error("{} has format {found}, which this fichad does not know: install the newer one", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version it says.
        found: u16,
    },
    /// One customer's key is not readable here; a copy of the file may have it.
    #[error("slot {slot} of the key file is damaged or missing: its key must come from a copy of the file")]
    Damaged {
        /// The slot's number.
        slot: u32,
    },
    /// The customer was erased.
    #[error("the key was destroyed when its customer was erased")]
    Destroyed,
    /// No slot numbers are left.
    #[error("{} has no room for another key", .path.display())]
    Full {
        /// The key file.
        path: PathBuf,
    },
    /// The keys of hashes can be changed no more; the key that wraps them can.
    #[error(
        "{} has {max} versions of the keys of hashes, the most there are, and none can go: cards, marks of erased persons and requests may be hashed with any; \
         `ficha vault rotate --keyring-key` changes the key that wraps them",
        .path.display()
    )]
    Versions {
        /// The keyring.
        path: PathBuf,
        /// How many it holds at most.
        max: usize,
    },
    /// Check the disk, then restart; keys can still be read.
    #[error("{} is no longer written, because an earlier write failed: check the disk, then restart", .path.display())]
    Stopped {
        /// The key file.
        path: PathBuf,
    },
    /// The kernel gave no randomness.
    #[error("the kernel gave no randomness for a key")]
    Random {
        /// Its error.
        source: io::Error,
    },
    /// The disk, or a right to it.
    #[error("cannot read or write {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },
}

impl KeyError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}
