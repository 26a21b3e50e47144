//! Has the kernel read a key file before anybody asks for its slots.

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::fs::File;

/// What the kernel is asked to read ahead at once: of more it begins this much on many a disk (`read_ahead_kb` in sysfs), and no further.
const READ_AHEAD_BYTES: usize = 128 * 1024;

/// Each scan reads a slot: the kernel begins to read all of them, and nobody waits for what it reads. Where it does not, the first scans
/// are slower.
pub(super) fn read_ahead(file: &File, length: u64) {
    for at in (0..length).step_by(READ_AHEAD_BYTES) {
        let (Ok(at), Ok(bytes)) = (i64::try_from(at), i64::try_from(READ_AHEAD_BYTES)) else { return };
        posix_fadvise(file, at, bytes, PosixFadviseAdvice::POSIX_FADV_WILLNEED).ok();
    }
}
