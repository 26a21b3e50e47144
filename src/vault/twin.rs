//! A small file kept whole in two places: what it holds is replaced at once or not at all, first here, then on the
//! second disk.
//!
//! ```text
//! kind [8]  counter u64  length u32  body  crc u32      (little-endian; the counter grows by one with each replacement)
//! ```
//!
//! Never decides what to do with two bodies that differ: whoever keeps a list merges them, so that nothing that was once
//! written is lost to an older copy.

use super::files;
use super::keys::second::is_bare;
use super::keys::{KEY_FILE, KeyError};
use std::path::{Path, PathBuf};

/// The longest body. The end of a key takes some 35 bytes, so this is well over a million of them.
pub(super) const BODY_BYTES_MAX: u64 = 64 << 20;

const HEAD_BYTES: usize = 8 + 8 + 4;

/// Where the file lies.
#[derive(Debug)]
pub(super) struct Twin {
    kind: [u8; 8],
    first: PathBuf,
    second: Option<PathBuf>,
}

/// What was read.
#[derive(Default)]
pub(super) struct Found {
    /// The highest counter seen.
    pub(super) counter: u64,
    /// What each place holds, the newer one first; equal ones once.
    pub(super) bodies: Vec<Vec<u8>>,
    /// Whether a place lacks what another has.
    pub(super) uneven: bool,
}

impl Twin {
    /// `name` in both folders.
    pub(super) fn new(kind: [u8; 8], name: &str, first: &Path, second: Option<&Path>) -> Self {
        Self { kind, first: first.join(name), second: second.map(|folder| folder.join(name)) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.first
    }

    /// Reads both places. A damaged one counts as missing while the other is whole.
    ///
    /// # Errors
    /// [`KeyError::HeaderDamaged`] where there is a file and none is whole; [`KeyError::Io`] of the first place.
    pub(super) fn load(&self) -> Result<Found, KeyError> {
        let first = self.read(&self.first);
        // What is wrong with the second disk, the key file's second copy says.
        let second = self.second.as_deref().map(|path| self.read(path));
        let (mut whole, mut damaged) = (Vec::new(), None);
        for read in [Some(first), second].into_iter().flatten() {
            match read {
                Ok(Some(found)) => whole.push(found),
                Ok(None) => {}
                Err(error) => damaged = damaged.or(Some(error)),
            }
        }
        if let (true, Some(error)) = (whole.is_empty(), damaged) {
            return Err(error);
        }
        let places = if self.second.is_some() { 2 } else { 1 };
        let uneven = !whole.is_empty()
            && (whole.len() < places || whole.windows(2).any(|pair| pair.first() != pair.last()));
        whole.sort_by_key(|(counter, _)| std::cmp::Reverse(*counter));
        let counter = whole.first().map_or(0, |(counter, _)| *counter);
        let mut bodies: Vec<Vec<u8>> = whole.into_iter().map(|(_, body)| body).collect();
        bodies.dedup();
        Ok(Found { counter, bodies, uneven })
    }

    /// Puts `body` into both places. A second place that cannot be written, or is only the folder below a disk that is not
    /// mounted, is left as it is: it is brought up by the next replacement, or the next start.
    ///
    /// # Errors
    /// [`KeyError::Full`] over [`BODY_BYTES_MAX`]; [`KeyError::Io`] of the first place.
    pub(super) fn store(&self, counter: u64, body: &[u8]) -> Result<(), KeyError> {
        let length = u32::try_from(body.len()).ok().filter(|length| u64::from(*length) <= BODY_BYTES_MAX);
        let length = length.ok_or_else(|| KeyError::Full { path: self.first.clone() })?;
        let mut bytes = Vec::from(self.kind);
        bytes.extend_from_slice(&counter.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(body);
        let sum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        files::replace(&self.first, 0o600, &bytes)?;
        if let (Some(second), Some(folder)) = (&self.second, self.first.parent())
            && second
                .parent()
                .is_some_and(|second| second.is_dir() && !is_bare(&folder.join(KEY_FILE), second))
        {
            drop(files::replace(second, 0o600, &bytes));
        }
        Ok(())
    }

    fn read(&self, path: &Path) -> Result<Option<(u64, Vec<u8>)>, KeyError> {
        let bytes = match files::read_private(path, 0o077, BODY_BYTES_MAX.saturating_add(64)) {
            Ok(bytes) => bytes,
            Err(KeyError::Missing { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let damaged = || KeyError::HeaderDamaged { path: path.to_owned() };
        let (rest, sum) = bytes.split_last_chunk::<4>().ok_or_else(damaged)?;
        let (head, body) = rest.split_first_chunk::<HEAD_BYTES>().ok_or_else(damaged)?;
        if *sum != crc32fast::hash(rest).to_le_bytes() || !head.starts_with(&self.kind) {
            return Err(damaged());
        }
        let (_, counter) = head.split_at(8);
        let counter = counter.first_chunk::<8>().copied().map(u64::from_le_bytes).ok_or_else(damaged)?;
        Ok(Some((counter, body.to_vec())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn either_place_is_enough_and_the_newer_is_first() {
        let root = tempfile::tempdir().unwrap();
        let (a, b) = (root.path().join("a"), root.path().join("b"));
        fs::create_dir(&a).unwrap();
        fs::create_dir(&b).unwrap();
        let twin = Twin::new(*b"FICHATST", "list", &a, Some(&b));
        assert!(twin.load().unwrap().bodies.is_empty());
        twin.store(1, b"one").unwrap();
        let found = twin.load().unwrap();
        assert_eq!((found.counter, found.bodies, found.uneven), (1, vec![b"one".to_vec()], false));

        // The second disk is away for one replacement.
        fs::rename(&b, root.path().join("away")).unwrap();
        twin.store(2, b"two").unwrap();
        assert!(twin.load().unwrap().uneven);
        fs::rename(root.path().join("away"), &b).unwrap();
        let found = twin.load().unwrap();
        assert_eq!((found.counter, found.uneven), (2, true));
        assert_eq!(found.bodies, [b"two".to_vec(), b"one".to_vec()]);

        for damaged in [&a, &b] {
            twin.store(3, b"three").unwrap();
            let path = damaged.join("list");
            let mut bytes = fs::read(&path).unwrap();
            bytes[21] ^= 1;
            fs::write(&path, bytes).unwrap();
            let found = twin.load().unwrap();
            assert_eq!((found.bodies, found.uneven), (vec![b"three".to_vec()], true));
        }
        fs::write(a.join("list"), b"short").unwrap();
        assert!(matches!(twin.load(), Err(KeyError::HeaderDamaged { .. })));
    }

    #[test]
    fn the_folder_below_an_unmounted_disk_is_not_taken_for_the_disk() {
        let root = tempfile::tempdir().unwrap();
        let (a, b) = (root.path().join("a"), root.path().join("b"));
        fs::create_dir(&a).unwrap();
        fs::create_dir(&b).unwrap();
        let twin = Twin::new(*b"FICHATST", "list", &a, Some(&b));
        // The key file has a second copy, and it is not here.
        fs::write(a.join("keys.second"), b"").unwrap();
        twin.store(1, b"one").unwrap();
        assert_eq!(fs::read_dir(&b).unwrap().count(), 0);
        assert!(twin.load().unwrap().uneven);
        fs::write(b.join("keys"), b"").unwrap();
        twin.store(2, b"two").unwrap();
        assert!(!twin.load().unwrap().uneven);
    }

    #[test]
    fn a_replacement_cut_off_at_any_operation_leaves_the_old_or_the_new() {
        for operations in 0.. {
            let root = tempfile::tempdir().unwrap();
            let twin = Twin::new(*b"FICHATST", "list", root.path(), None);
            twin.store(1, b"old").unwrap();
            let (done, whole) = files::cut::after(operations, || twin.store(2, b"new"));
            let found = twin.load().unwrap();
            assert!([b"old", b"new"].iter().any(|body| found.bodies == [body.to_vec()]), "{operations}");
            if whole {
                done.unwrap();
                assert_eq!(found.bodies, [b"new".to_vec()]);
                return;
            }
        }
    }
}
