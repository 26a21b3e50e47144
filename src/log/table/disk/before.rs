//! Keeps sled's file as it was before many changes are written into it.
//!
//! sled uses places of its file again without waiting until the disk has what it wrote elsewhere: a power cut amid many changes can leave
//! it torn. So its file is copied first, down to the disk, and as long as that copy is there it is what counts: whoever opens the table
//! next puts it back, and what was to be written lies in runs still. Where file systems share blocks (XFS, Btrfs) a copy costs nothing.

use super::super::super::files::{step, sync_dir};
use nix::errno::Errno;
use nix::fcntl::{OFlag, PosixFadviseAdvice, openat, posix_fadvise, renameat};
use nix::sys::stat::Mode;
use nix::sys::statvfs::fstatvfs;
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

/// What sled calls its file.
pub(super) const DB: &str = "db";
/// The copy, once it is whole, and while it is written.
const BEFORE: &str = "db.before";
const WRITING: &str = "db.before.tmp";
/// What sled noted of a later state of its file begins so; without it, it goes through the file.
const NOTES: &str = "snap.";
/// So much is copied before it is synced: whoever syncs the journal meanwhile waits for no more.
const PART_BYTES: u64 = 8 << 20;
/// A copy is made only where so many times its size are free: the journal comes first.
const FREE_TIMES: u64 = 2;

/// Puts back what was kept in the table's folder `dir`, if writing into sled was cut short.
pub(super) fn put_back(dir: &Path) -> io::Result<()> {
    if dir.join(WRITING).exists() {
        fs::remove_file(dir.join(WRITING))?;
    }
    if !dir.join(BEFORE).exists() {
        return Ok(());
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(NOTES)) {
            fs::remove_file(entry.path())?;
        }
    }
    sync_dir(dir)?;
    fs::rename(dir.join(BEFORE), dir.join(DB))?;
    sync_dir(dir)
}

/// Copies sled's file in the open folder `dir`; `false` where there is no room for it. Once it is copied, what is written counts only
/// after [`let_go`].
pub(super) fn keep(dir: &File, go_on: &dyn Fn() -> bool) -> io::Result<bool> {
    let from = File::from(openat(dir, DB, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?);
    let bytes = from.metadata()?.len();
    let room = fstatvfs(dir)?;
    if room.blocks_available().saturating_mul(room.fragment_size()) / FREE_TIMES < bytes {
        return Ok(false);
    }
    step()?;
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_CLOEXEC;
    let to = File::from(openat(dir, WRITING, flags, Mode::S_IRUSR | Mode::S_IWUSR)?);
    match copy(&from, bytes, &to, go_on) {
        Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
            unlinkat(dir, WRITING, UnlinkatFlags::NoRemoveDir)?;
            return Ok(false);
        }
        copied => copied?,
    }
    // It is read only after a crash.
    posix_fadvise(&to, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).ok();
    step()?;
    renameat(dir, WRITING, dir, BEFORE)?;
    dir.sync_all()?;
    Ok(true)
}

fn copy(from: &File, bytes: u64, to: &File, go_on: &dyn Fn() -> bool) -> io::Result<()> {
    let mut left = bytes;
    while left > 0 {
        if !go_on() {
            return Err(io::Error::other("the table is closed"));
        }
        let part = io::copy(&mut from.take(left.min(PART_BYTES)), &mut &*to)?;
        left = left.checked_sub(part).filter(|_| part > 0).ok_or(io::ErrorKind::UnexpectedEof)?;
        to.sync_data()?;
    }
    to.sync_all()
}

/// From now on what was written counts, over any copy there is.
pub(super) fn let_go(dir: &File) -> io::Result<()> {
    step()?;
    match unlinkat(dir, BEFORE, UnlinkatFlags::NoRemoveDir) {
        Err(Errno::ENOENT) => Ok(()),
        gone => {
            gone?;
            dir.sync_all()
        }
    }
}
