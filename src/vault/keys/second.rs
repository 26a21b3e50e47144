//! The key file in two places: the first copy beside the journals, the second on another disk.
//!
//! Every change goes to the first copy, is synced there, and then to the second. A second copy that is not there is a
//! state, never an error and never silent: the first goes on alone, and what the second missed is brought to it when it
//! is back. Which slot is right is told slot by slot: the whole one before the damaged one, the later generation before
//! the earlier, a destroyed key before a live one. Where all that is the same the first copy is right.
//!
//! The folder of the second copy is never made here, and a copy that was once there is never made anew by itself: the
//! empty folder below an unmounted disk must not be taken for the disk.

use super::slot::{self, HEADER_BYTES, SLOT_BYTES, SlotBytes, State};
use super::{KeyError, KeyFile, KeyRef, unpoisoned};
use crate::vault::files::{self, beside, step};
use crate::vault::kek::Kek;
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::KeyInit;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Slots that are compared at once: 1 MiB of each copy. The writer waits no longer than that takes.
const SLOTS_AT_ONCE: u32 = 8192;

/// How the second copy is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecondCopy {
    /// None is configured.
    Unset,
    /// It has everything that the first has.
    InStep,
    /// It does not: what was destroyed may still be in it.
    Pending {
        /// What is wrong with it.
        why: String,
    },
}

/// What bringing both copies to the same bytes changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Healed {
    /// Slots of the first copy that the second had better.
    pub first: u32,
    /// Slots of the second copy.
    pub second: u32,
}

/// Both copies' files.
pub(super) struct Copies {
    pub(super) first: File,
    second: Mutex<Second>,
    /// Held while the second copy is taken up: one at a time.
    attaching: Mutex<()>,
}

enum Second {
    Unset,
    InStep { path: PathBuf, file: File },
    Pending { why: String },
}

impl Copies {
    pub(super) fn new(first: File) -> Self {
        Self { first, second: Mutex::new(Second::Unset), attaching: Mutex::new(()) }
    }

    /// Writes and syncs the first copy, then the second. Only the first can fail.
    pub(super) fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        write_synced(&self.first, at, bytes)?;
        let mut second = unpoisoned(self.second.lock());
        if let Second::InStep { path, file } = &*second
            && let Err(error) = write_synced(file, at, bytes)
        {
            *second = Second::Pending { why: format!("{} could not be written: {error}", path.display()) };
        }
        Ok(())
    }

    /// A slot of the first copy, if its check holds. Read again while it is being overwritten.
    pub(super) fn read_first(&self, slot: u32, reads_max: usize) -> io::Result<Option<SlotBytes>> {
        for _ in 0..reads_max {
            match read_slot(&self.first, slot)? {
                Some(bytes) if bytes.state().is_some() => return Ok(Some(bytes)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// A slot of the first copy, whether its check holds or not; `None` where the file ends before it.
    pub(super) fn as_it_stands(&self, slot: u32) -> io::Result<Option<SlotBytes>> {
        read_slot(&self.first, slot)
    }

    /// A slot of the second copy, if there is one and its check holds.
    pub(super) fn read_second(&self, slot: u32) -> Option<SlotBytes> {
        let second = unpoisoned(self.second.lock());
        let Second::InStep { file, .. } = &*second else { return None };
        read_slot(file, slot).ok().flatten().filter(|bytes| bytes.state().is_some())
    }
}

fn write_synced(file: &File, at: u64, bytes: &[u8]) -> io::Result<()> {
    step()?;
    file.write_all_at(bytes, at)?;
    step()?;
    file.sync_data()
}

fn read_slot(file: &File, slot: u32) -> io::Result<Option<SlotBytes>> {
    let mut bytes = [0; SLOT_BYTES];
    match file.read_exact_at(&mut bytes, slot::offset(slot)) {
        Ok(()) => Ok(Some(SlotBytes::new(bytes))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// The second copy's file in its folder: the same name as the first's.
fn second_path(first: &Path, folder: &Path) -> PathBuf {
    folder.join(first.file_name().unwrap_or_default())
}

/// Says that a second copy was made, so that a missing one is told from one that never was.
fn marker(first: &Path) -> PathBuf {
    beside(first, ".second")
}

/// Whether `folder` lacks the second copy of the key file at `first` although one was made: the folder below a disk that is
/// not mounted.
pub(in crate::vault) fn is_bare(first: &Path, folder: &Path) -> bool {
    marker(first).exists() && !second_path(first, folder).exists()
}

/// Brings back a first copy that is missing or damaged at its head from the second copy in `folder`, if `kek` opens
/// that one. Gives whether it did; the slots are compared once the file is open.
///
/// # Errors
/// [`KeyError::Io`].
pub fn restore_first(path: &Path, folder: &Path, kek: &Kek) -> Result<bool, KeyError> {
    let failed = |source| KeyError::io(path, source);
    let cipher = XChaCha20Poly1305::new(kek.bytes().into());
    let second = second_path(path, folder);
    let Ok(mut from) = File::open(&second) else { return Ok(false) };
    let Some(good) = header(&from).filter(|header| slot::check_header(header, &cipher, &second).is_ok())
    else {
        return Ok(false);
    };
    let first = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            from.rewind().map_err(failed)?;
            return files::copy(path, 0o600, &mut from).map(|()| true);
        }
        Err(error) => return Err(failed(error)),
    };
    let found = header(&first).map(|header| slot::check_header(&header, &cipher, path));
    if !matches!(found, None | Some(Err(KeyError::HeaderDamaged { .. }))) {
        return Ok(false);
    }
    // Its slots may be newer than those of the second copy, so only the head is put back.
    write_synced(&first, 0, &good).map_err(failed)?;
    Ok(true)
}

fn header(file: &File) -> Option<[u8; HEADER_BYTES]> {
    let mut header = [0; HEADER_BYTES];
    file.read_exact_at(&mut header, 0).ok().map(|()| header)
}

impl KeyFile {
    /// How the second copy is.
    #[must_use]
    pub fn second_copy(&self) -> SecondCopy {
        match &*unpoisoned(self.copies.second.lock()) {
            Second::Unset => SecondCopy::Unset,
            Second::InStep { .. } => SecondCopy::InStep,
            Second::Pending { why } => SecondCopy::Pending { why: why.clone() },
        }
    }

    /// Takes up the second copy in `folder`: makes it, or brings both to the same bytes. To be called again while it is
    /// pending. Reads both files whole; other threads can read and write meanwhile.
    ///
    /// # Errors
    /// [`KeyError::Io`] where the *first* copy fails. Whatever is wrong with the second is [`Self::second_copy`]'s to say.
    pub fn attach(&self, folder: &Path) -> Result<Healed, KeyError> {
        let Ok(_attaching) = self.copies.attaching.try_lock() else { return Ok(Healed::default()) };
        if self.second_copy() == SecondCopy::InStep {
            return Ok(Healed::default());
        }
        let path = second_path(&self.path, folder);
        match self.open_second(&path, folder) {
            Ok(file) => {
                // From here on writes go to both, so that nothing slips past the comparison.
                self.set_second(Second::InStep { path, file });
                let healed = self.heal();
                if let Err(error) = &healed {
                    // Nobody knows how far they agree, so it is compared again the next time.
                    let why = format!("it could not be compared with the first copy: {error}");
                    self.set_second(Second::Pending { why });
                }
                healed
            }
            Err(why) => {
                self.set_second(Second::Pending { why });
                Ok(Healed::default())
            }
        }
    }

    fn set_second(&self, to: Second) {
        *unpoisoned(self.copies.second.lock()) = to;
    }

    fn open_second(&self, path: &Path, folder: &Path) -> Result<File, String> {
        if !folder.is_dir() {
            return Err(format!("{} is not there: is its disk mounted?", folder.display()));
        }
        let marker = marker(&self.path);
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => self.adopt(path, file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound && marker.exists() => {
                return Err(format!(
                    "{} is gone: mount its disk; if that is lost for ever, remove {} and a new copy is made",
                    path.display(),
                    marker.display()
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.copy_to(path)?,
            Err(error) => return Err(format!("{} cannot be opened: {error}", path.display())),
        };
        // Also of one that was made by a start that was cut off before this.
        if !marker.exists() {
            files::replace(&marker, 0o600, b"a second copy of the key file was made\n").map_err(said)?;
        }
        Ok(file)
    }

    /// A file that is there: ours, ours under an earlier wrapping key, damaged, or of another store.
    fn adopt(&self, path: &Path, file: File) -> Result<File, String> {
        let Some(header) = header(&file) else { return self.copy_to(path) };
        match slot::check_header(&header, &self.kek, path) {
            Ok(id) if id == self.id => Ok(file),
            Err(KeyError::WrongKey { .. }) if slot::id(&header) == self.id => self.copy_to(path),
            Err(KeyError::HeaderDamaged { .. }) => {
                let first = self::header(&self.copies.first);
                let first = first.ok_or_else(|| format!("{} cannot be read", self.path.display()))?;
                write_synced(&file, 0, &first).map_err(|error| format!("{}: {error}", path.display()))?;
                Ok(file)
            }
            Ok(_) | Err(_) => Err(format!("{} belongs to another store", path.display())),
        }
    }

    fn copy_to(&self, path: &Path) -> Result<File, String> {
        let _nothing_is_written_meanwhile = unpoisoned(self.writer.lock());
        let mut first =
            File::open(&self.path).map_err(|error| format!("{}: {error}", self.path.display()))?;
        files::copy(path, 0o600, &mut first).map_err(said)?;
        let file = OpenOptions::new().read(true).write(true).open(path);
        file.map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Brings both copies to the same bytes.
    fn heal(&self) -> Result<Healed, KeyError> {
        let mut healed = Healed::default();
        let mut from = 0;
        loop {
            let mut writer = unpoisoned(self.writer.lock());
            let mut second = unpoisoned(self.copies.second.lock());
            let Second::InStep { path, file } = &*second else { return Ok(healed) };
            let length = |file: &File| file.metadata().ok().and_then(|metadata| slot::count(metadata.len()));
            let end = length(&self.copies.first).max(length(file)).unwrap_or(0);
            writer.next = writer.next.max(end);
            if from >= end {
                return Ok(healed);
            }
            let to = from.saturating_add(SLOTS_AT_ONCE).min(end);
            if let Err(error) = self.heal_some(from..to, file, &mut healed)? {
                let why = format!("{} could not be brought in step: {error}", path.display());
                *second = Second::Pending { why };
                return Ok(healed);
            }
            from = to;
        }
    }

    /// The outer error is the first copy's, the inner one the second's.
    fn heal_some(
        &self,
        slots: std::ops::Range<u32>,
        second: &File,
        healed: &mut Healed,
    ) -> Result<io::Result<()>, KeyError> {
        let failed = |source| KeyError::io(&self.path, source);
        let count = usize::try_from(slots.end.saturating_sub(slots.start)).unwrap_or(0);
        let mut ours = vec![0; count.saturating_mul(SLOT_BYTES)];
        let mut theirs = ours.clone();
        fill(&self.copies.first, slot::offset(slots.start), &mut ours).map_err(failed)?;
        if let Err(error) = fill(second, slot::offset(slots.start), &mut theirs) {
            return Ok(Err(error));
        }
        if ours == theirs {
            return Ok(Ok(()));
        }
        let (ours, _) = ours.as_chunks::<SLOT_BYTES>();
        let (theirs, _) = theirs.as_chunks::<SLOT_BYTES>();
        for (slot, (first, other)) in slots.zip(ours.iter().zip(theirs)).filter(|(_, (a, b))| a != b) {
            let (first, other) = (SlotBytes::new(*first), SlotBytes::new(*other));
            if self.rank(slot, &first) >= self.rank(slot, &other) {
                healed.second = healed.second.saturating_add(1);
                if let Err(error) = write_synced(second, slot::offset(slot), first.as_bytes()) {
                    return Ok(Err(error));
                }
            } else {
                healed.first = healed.first.saturating_add(1);
                write_synced(&self.copies.first, slot::offset(slot), other.as_bytes()).map_err(failed)?;
            }
        }
        Ok(Ok(()))
    }

    /// How much a slot is to be believed: whole, then later, then destroyed, then one that opens.
    fn rank(&self, slot: u32, bytes: &SlotBytes) -> (u32, u8) {
        let generation = bytes.generation();
        let key = KeyRef { slot, generation };
        match bytes.state() {
            Some(State::Destroyed) => (generation, 3),
            Some(State::Live) if self.unwrap(key, bytes).is_ok() => (generation, 2),
            // Live by its checksum, but under no key of this file: only better than nothing.
            Some(State::Live) => (0, 2),
            Some(State::Free) => (0, 1),
            None => (0, 0),
        }
    }
}

fn said(error: KeyError) -> String {
    let mut text = error.to_string();
    if let KeyError::Io { source, .. } = &error {
        text = format!("{text}: {source}");
    }
    text
}

/// Reads as much as there is; the rest stays zero, which is a free slot.
fn fill(file: &File, at: u64, bytes: &mut [u8]) -> io::Result<()> {
    let mut done = 0;
    while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let at = at.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
        match file.read_at(rest, at) {
            Ok(0) => return Ok(()),
            Ok(count) => done = done.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
