//! The key file: one data key a customer, each in a slot of fixed place, overwritten when the customer is erased.
//!
//! A store of keys must be able to forget, which sled and a journal cannot. So this is a plain file:
//!
//! ```text
//! 0      "FICHAKEY"  version u16  slot size u16  file id [16]  check nonce [24]  check tag [16]  crc u32 | zeros
//! 4096   slot 0: state u32  generation u32  nonce [24]  wrapped key [32]  tag [16]  zeros [44]  crc u32
//! 4224   slot 1 ...                                            all integers little-endian, crc: CRC-32 of what is before
//! ```
//!
//! A slot never straddles a 512-byte sector, so a power cut leaves it old or new. A key is wrapped with the file's id,
//! the slot's number and its generation (how many keys the slot has held, from 1), so a slot copied to another place
//! does not open. Slots are not used twice: a destroyed one stays as the witness. Never holds a lock while it reads.
//!
//! A second copy of the file, on another disk, is changed in step with the first ([`second`]).

use super::files;
use super::kek::{KEY_BYTES, Kek};
use super::seal::{NONCE_BYTES, TAG_BYTES, decrypt, encrypt};
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::KeyInit;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{LockResult, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use zeroize::Zeroizing;

mod ahead;
mod anew;
mod error;
pub mod second;
mod slot;

pub use error::KeyError;
use second::Copies;
use slot::{HEADER_BYTES, SLOT_BYTES, SlotBytes, State};

/// The name of the key file, in the state folder and in the folder of second copies.
pub const KEY_FILE: &str = "keys";

/// Keys written ahead: as many as one group of the log can enrol. A crash loses at most these slots (32 KiB).
pub const RESERVED_MAX: usize = 256;

/// With fewer ready, [`KeyFile::low`] wakes up.
const RESERVED_LOW: usize = RESERVED_MAX / 2;

/// A slot read while it is overwritten can look damaged; so many times it is read before that is believed.
const READS_MAX: usize = 3;

/// Fills a buffer with secret randomness: [`os_random`], or a fixed stream in a test.
pub type Fill = fn(&mut [u8]) -> io::Result<()>;

/// Randomness of the kernel, getrandom(2).
///
/// # Errors
/// The kernel's, before its pool is ready or where the call is forbidden.
pub fn os_random(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(|error| match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::other(error.to_string()),
    })
}

/// The key that seals one customer's sections.
pub struct Dek(Zeroizing<[u8; KEY_BYTES]>);

impl Dek {
    pub(super) fn copy(&self) -> Self {
        Self(self.0.clone())
    }

    pub(super) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

/// Shows nothing of it.
impl fmt::Debug for Dek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dek(••)")
    }
}

/// Where a data key lies; what the vault's journal says of a customer instead of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyRef {
    /// The slot's number, from 0.
    pub slot: u32,
    /// Which of the keys that the slot has held, from 1.
    pub generation: u32,
}

/// What a walk over all slots found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Census {
    /// Keys that open, in the order of their slots. One that nothing refers to was written ahead before a crash.
    pub live: Vec<KeyRef>,
    /// Slots whose key was destroyed.
    pub destroyed: u32,
    /// Slots that never held a key.
    pub free: u32,
    /// Slots whose check fails. One that nothing refers to is a write that a power cut ended.
    pub damaged: Vec<u32>,
}

/// An open key file. Any thread may read keys while another writes.
pub struct KeyFile {
    path: PathBuf,
    copies: Copies,
    id: [u8; 16],
    kek: XChaCha20Poly1305,
    random: Fill,
    /// Held while slots are written and synced; readers do without it.
    writer: Mutex<Writer>,
    /// Keys written ahead; held for one push or pop, never over a write.
    ready: Mutex<Vec<(KeyRef, Dek)>>,
    /// Keys run out; a permit is kept for whoever fills them up.
    low: Notify,
    /// Keys came.
    filled: Notify,
}

struct Writer {
    next: u32,
    /// After a failed write or sync nobody knows what the disk holds: nothing more is written.
    stopped: bool,
}

impl KeyFile {
    /// Makes an empty key file of mode 0600. Never replaces one.
    ///
    /// # Errors
    /// [`KeyError::AlreadyThere`], [`KeyError::Random`] or [`KeyError::Io`]; the file is then not there, or whole.
    pub fn create(path: &Path, kek: &Kek, random: Fill) -> Result<Self, KeyError> {
        let (mut id, mut nonce) = ([0; 16], [0; NONCE_BYTES]);
        random(&mut id).map_err(|source| KeyError::Random { source })?;
        random(&mut nonce).map_err(|source| KeyError::Random { source })?;
        let header = slot::header(&id, &nonce, &XChaCha20Poly1305::new(kek.bytes().into()));
        files::create(path, 0o600, &header)?;
        Self::open(path, kek, random)
    }

    /// Opens a key file and proves that `kek` is its key.
    ///
    /// # Errors
    /// [`KeyError::WrongKey`] where the file is whole but made with another key, [`KeyError::HeaderDamaged`] where its
    /// head is not as it was written, [`KeyError::NoKeyFile`], [`KeyError::Version`] and [`KeyError::Io`].
    pub fn open(path: &Path, kek: &Kek, random: Fill) -> Result<Self, KeyError> {
        let failed = |source| KeyError::io(path, source);
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(|source| {
            if source.kind() == io::ErrorKind::NotFound {
                return KeyError::NoKeyFile { path: path.to_owned() };
            }
            failed(source)
        })?;
        let mut header = [0; HEADER_BYTES];
        file.read_exact_at(&mut header, 0).map_err(|source| {
            if source.kind() == io::ErrorKind::UnexpectedEof {
                return KeyError::HeaderDamaged { path: path.to_owned() };
            }
            failed(source)
        })?;
        let kek = XChaCha20Poly1305::new(kek.bytes().into());
        let id = slot::check_header(&header, &kek, path)?;
        let length = file.metadata().map_err(failed)?.len();
        let next = slot::count(length).ok_or_else(|| KeyError::Full { path: path.to_owned() })?;
        let writer = Mutex::new(Writer { next, stopped: false });
        let (ready, low, filled) = (Mutex::new(Vec::new()), Notify::new(), Notify::new());
        ahead::read_ahead(&file, length);
        let copies = Copies::new(file);
        Ok(Self { path: path.to_owned(), copies, id, kek, random, writer, ready, low, filled })
    }

    /// A key of the pool, already durable; no disk, no wait. `None` when the pool is empty: [`Self::refill`] is late.
    pub fn take(&self) -> Option<(KeyRef, Dek)> {
        let (key, left) = {
            let mut ready = unpoisoned(self.ready.lock());
            (ready.pop(), ready.len())
        };
        if left < RESERVED_LOW {
            self.low.notify_one();
        }
        key
    }

    /// A key of the pool as soon as there is one; limit the wait. Cancel-safe.
    pub async fn take_soon(&self) -> (KeyRef, Dek) {
        loop {
            let filled = self.filled.notified();
            tokio::pin!(filled);
            filled.as_mut().enable();
            if let Some(key) = self.take() {
                return key;
            }
            filled.await;
        }
    }

    /// Waits until the pool runs out and [`Self::refill`] is due.
    pub async fn low(&self) {
        self.low.notified().await;
    }

    /// A new key: of the pool, else written and synced now. Where waiting for a disk is wrong, use [`Self::take`].
    ///
    /// # Errors
    /// As [`Self::refill`].
    pub fn allocate(&self) -> Result<(KeyRef, Dek), KeyError> {
        if let Some(key) = self.take() {
            return Ok(key);
        }
        let mut written = self.append(1)?;
        written.pop().ok_or_else(|| KeyError::Full { path: self.path.clone() })
    }

    /// Fills the pool up to [`RESERVED_MAX`] with one write and one sync; gives how many keys it holds now.
    /// The daemon calls it when the pool is [`Self::low`], off the committer's thread: not at start, for what is not used
    /// then would be lost at each.
    ///
    /// # Errors
    /// [`KeyError::Random`], [`KeyError::Io`], [`KeyError::Full`], and [`KeyError::Stopped`] after an earlier failure.
    pub fn refill(&self) -> Result<usize, KeyError> {
        let missing = RESERVED_MAX.saturating_sub(unpoisoned(self.ready.lock()).len());
        let mut written = if missing == 0 { Vec::new() } else { self.append(missing)? };
        let mut ready = unpoisoned(self.ready.lock());
        // Two refills at once both count what is missing; the pool's limit holds all the same.
        written.truncate(RESERVED_MAX.saturating_sub(ready.len()));
        ready.extend(written);
        let count = ready.len();
        drop(ready);
        self.filled.notify_waiters();
        Ok(count)
    }

    /// Gives out no key below `slot` any more. For a key file older than the journal beside it: places that the journal
    /// knows of are taken, whatever the file says.
    pub fn skip_to(&self, slot: u32) {
        let mut writer = unpoisoned(self.writer.lock());
        writer.next = writer.next.max(slot);
        unpoisoned(self.ready.lock()).retain(|(key, _)| key.slot >= slot);
    }

    /// The key at `key`. Reads the file; takes no lock while the first copy is whole.
    ///
    /// # Errors
    /// [`KeyError::Destroyed`] when the customer was erased; [`KeyError::Damaged`] when the slot is not as it was
    /// written or the file is an older copy that lacks it; [`KeyError::Io`].
    pub fn dek(&self, key: KeyRef) -> Result<Dek, KeyError> {
        let bytes = self.read(key.slot)?.ok_or(KeyError::Damaged { slot: key.slot })?;
        match bytes.state() {
            Some(State::Destroyed) if bytes.generation() >= key.generation => Err(KeyError::Destroyed),
            Some(State::Live) if bytes.generation() > key.generation => Err(KeyError::Destroyed),
            Some(State::Live) if bytes.generation() == key.generation => self.unwrap(key, &bytes),
            Some(State::Live | State::Destroyed | State::Free) | None => {
                Err(KeyError::Damaged { slot: key.slot })
            }
        }
    }

    /// Overwrites the key at `key` with randomness and syncs. Doing it again is no error, nor is a damaged slot.
    ///
    /// What a disk keeps beside (spare blocks, a copying file system) dies when the wrapping key is changed.
    ///
    /// # Errors
    /// [`KeyError::Damaged`] for a slot that the file does not have; [`KeyError::Random`], [`KeyError::Io`],
    /// [`KeyError::Stopped`]: the key may still be there, try again after a restart.
    pub fn destroy(&self, key: KeyRef) -> Result<(), KeyError> {
        let mut writer = unpoisoned(self.writer.lock());
        if key.slot >= writer.next {
            return Err(KeyError::Damaged { slot: key.slot });
        }
        let found = self.read(key.slot)?;
        let later = found.is_some_and(|bytes| bytes.state().is_some() && bytes.generation() > key.generation);
        if later {
            return Ok(());
        }
        let mut noise = [0; SLOT_BYTES];
        self.fill(&mut noise)?;
        let bytes = SlotBytes::destroyed(key.generation, noise);
        self.write(&mut writer, key.slot, bytes.as_bytes())
    }

    /// Looks at every slot; [`KeyFile::dek`] of every live one would open. Reads the whole file: for a scrub, not for the start.
    ///
    /// # Errors
    /// [`KeyError::Io`].
    pub fn census(&self) -> Result<Census, KeyError> {
        let next = unpoisoned(self.writer.lock()).next;
        let mut census = Census::default();
        for slot in 0..next {
            let bytes = self.read(slot)?;
            match bytes.and_then(|bytes| Some((bytes.state()?, bytes))) {
                Some((State::Free, _)) => census.free = census.free.saturating_add(1),
                Some((State::Destroyed, _)) => census.destroyed = census.destroyed.saturating_add(1),
                Some((State::Live, bytes)) => {
                    let key = KeyRef { slot, generation: bytes.generation() };
                    match self.unwrap(key, &bytes) {
                        Ok(_) => census.live.push(key),
                        Err(_) => census.damaged.push(slot),
                    }
                }
                None => census.damaged.push(slot),
            }
        }
        Ok(census)
    }

    fn append(&self, count: usize) -> Result<Vec<(KeyRef, Dek)>, KeyError> {
        let mut writer = unpoisoned(self.writer.lock());
        let full = || KeyError::Full { path: self.path.clone() };
        let count = u32::try_from(count).map_err(|_| full())?;
        let end = writer.next.checked_add(count).ok_or_else(full)?;
        let (mut keys, mut bytes) = (Vec::new(), Vec::new());
        for slot in writer.next..end {
            let key = KeyRef { slot, generation: 1 };
            let mut dek = Dek(Zeroizing::new([0; KEY_BYTES]));
            self.fill(dek.0.as_mut_slice())?;
            bytes.extend_from_slice(wrap(&self.kek, &self.id, key, &dek, self.random)?.as_bytes());
            keys.push((key, dek));
        }
        let first = writer.next;
        // Even if the write fails these slots are not used again: a part of it may be on the disk.
        writer.next = end;
        self.write(&mut writer, first, &bytes)?;
        Ok(keys)
    }

    fn write(&self, writer: &mut Writer, first: u32, bytes: &[u8]) -> Result<(), KeyError> {
        if writer.stopped {
            return Err(KeyError::Stopped { path: self.path.clone() });
        }
        let done = self.copies.write(slot::offset(first), bytes);
        writer.stopped = done.is_err();
        done.map_err(|source| KeyError::io(&self.path, source))
    }

    /// A slot as it stands, its check not failing; `None` where it does in both copies or where they end before it.
    fn read(&self, slot: u32) -> Result<Option<SlotBytes>, KeyError> {
        let found =
            self.copies.read_first(slot, READS_MAX).map_err(|source| KeyError::io(&self.path, source))?;
        Ok(found
            .filter(|bytes| bytes.state() != Some(State::Free))
            .or_else(|| self.copies.read_second(slot))
            .or(found))
    }

    fn unwrap(&self, key: KeyRef, bytes: &SlotBytes) -> Result<Dek, KeyError> {
        let (nonce, wrapped) = bytes.wrapped();
        let opened = decrypt(&self.kek, &nonce, &slot::aad(&self.id, key), &wrapped)
            .ok_or(KeyError::Damaged { slot: key.slot })?;
        let mut dek = Zeroizing::new([0; KEY_BYTES]);
        if opened.len() != KEY_BYTES {
            return Err(KeyError::Damaged { slot: key.slot });
        }
        dek.copy_from_slice(&opened);
        Ok(Dek(dek))
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), KeyError> {
        (self.random)(bytes).map_err(|source| KeyError::Random { source })
    }
}

fn wrap(
    kek: &XChaCha20Poly1305,
    id: &[u8; 16],
    key: KeyRef,
    dek: &Dek,
    random: Fill,
) -> Result<SlotBytes, KeyError> {
    let mut nonce = [0; NONCE_BYTES];
    random(&mut nonce).map_err(|source| KeyError::Random { source })?;
    let wrapped = encrypt(kek, &nonce, &slot::aad(id, key), dek.bytes())
        .and_then(|wrapped| <[u8; KEY_BYTES + TAG_BYTES]>::try_from(wrapped).ok())
        .ok_or(KeyError::Damaged { slot: key.slot })?;
    Ok(SlotBytes::live(key.generation, &nonce, &wrapped))
}

/// Shows where it is and how far it goes.
impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What a thread that panicked left is whole: both locks guard single steps.
fn unpoisoned<'l, T>(lock: LockResult<MutexGuard<'l, T>>) -> MutexGuard<'l, T> {
    lock.unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
