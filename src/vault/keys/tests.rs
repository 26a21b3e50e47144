//! Tests of `keys`.

use super::super::seal::{Aad, open, seal};
use super::*;
use crate::domain::id::CustomerNumber;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;
use uuid::Uuid;

impl Dek {
    pub(in super::super) fn of(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

fn kek(byte: u8) -> Kek {
    Kek::new(Zeroizing::new([byte; KEY_BYTES]))
}

fn made() -> (TempDir, PathBuf, KeyFile) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let keys = KeyFile::create(&path, &kek(1), os_random).unwrap();
    (folder, path, keys)
}

fn at(slot: u32) -> usize {
    usize::try_from(slot::offset(slot)).unwrap()
}

#[test]
fn a_key_comes_back() {
    let (_folder, path, keys) = made();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let made: Vec<_> = (0..5).map(|_| keys.allocate().unwrap()).collect();
    drop(keys);
    let keys = KeyFile::open(&path, &kek(1), os_random).unwrap();
    for (index, (key, dek)) in made.iter().enumerate() {
        assert_eq!(usize::try_from(key.slot).unwrap(), index);
        assert_eq!(keys.dek(*key).unwrap().bytes(), dek.bytes());
    }
    // The next key does not take a place that is taken.
    assert_eq!(keys.allocate().unwrap().0.slot, 5);
    let bytes = fs::read(&path).unwrap();
    for (_, dek) in &made {
        assert!(!bytes.windows(KEY_BYTES).any(|window| window == dek.bytes()), "a key lies in clear");
    }
}

#[test]
fn a_wrong_key_and_damage_are_told_apart() {
    let (_folder, path, keys) = made();
    drop(keys);
    assert!(matches!(KeyFile::open(&path, &kek(2), os_random), Err(KeyError::WrongKey { .. })));
    let header: [u8; HEADER_BYTES] = fs::read(&path).unwrap().try_into().unwrap();
    let cipher = |kek: Kek| XChaCha20Poly1305::new(kek.bytes().into());
    for at in 0..HEADER_BYTES {
        let mut changed = header;
        changed[at] ^= 0x10;
        for key in [1, 2] {
            let error = slot::check_header(&changed, &cipher(kek(key)), &path).unwrap_err();
            assert!(matches!(error, KeyError::HeaderDamaged { .. }), "byte {at}: {error}");
        }
    }
    fs::write(&path, &header[..500]).unwrap();
    assert!(matches!(KeyFile::open(&path, &kek(1), os_random), Err(KeyError::HeaderDamaged { .. })));
    fs::remove_file(&path).unwrap();
    assert!(matches!(KeyFile::open(&path, &kek(1), os_random), Err(KeyError::NoKeyFile { .. })));
}

#[test]
fn a_later_format_is_not_damage() {
    let (_folder, path, keys) = made();
    drop(keys);
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 2;
    let sum = crc32fast::hash(&bytes[..68]);
    bytes[68..72].copy_from_slice(&sum.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    assert!(matches!(KeyFile::open(&path, &kek(1), os_random), Err(KeyError::Version { found: 2, .. })));
}

#[test]
fn any_changed_byte_is_damage_and_never_another_key() {
    let (_folder, path, keys) = made();
    let (key, _) = keys.allocate().unwrap();
    let (beside, dek) = keys.allocate().unwrap();
    let whole = fs::read(&path).unwrap();
    for byte in 0..SLOT_BYTES {
        for bit in 0..8 {
            let mut changed = whole.clone();
            changed[at(0) + byte] ^= 1 << bit;
            keys.copies.first.write_all_at(&changed, 0).unwrap();
            let error = keys.dek(key).unwrap_err();
            assert!(matches!(error, KeyError::Damaged { slot: 0 }), "byte {byte} bit {bit}: {error}");
        }
    }
    assert_eq!(keys.dek(beside).unwrap().bytes(), dek.bytes());
    assert_eq!(keys.census().unwrap(), Census { live: vec![beside], damaged: vec![0], ..Census::default() });
}

#[test]
fn a_slot_is_bound_to_its_place_and_file() {
    let (_folder, path, keys) = made();
    let (first, _) = keys.allocate().unwrap();
    let (second, _) = keys.allocate().unwrap();
    let whole = fs::read(&path).unwrap();
    keys.copies.first.write_all_at(&whole[at(0)..at(1)], slot::offset(1)).unwrap();
    assert!(keys.dek(first).is_ok());
    assert!(matches!(keys.dek(second), Err(KeyError::Damaged { slot: 1 })));
    let (_folder, _, other) = made();
    let (key, _) = other.allocate().unwrap();
    other.copies.first.write_all_at(&whole[at(0)..at(1)], slot::offset(0)).unwrap();
    assert!(matches!(other.dek(key), Err(KeyError::Damaged { slot: 0 })));
}

#[test]
fn a_destroyed_key_never_opens_again() {
    let (_folder, path, keys) = made();
    let (key, _) = keys.allocate().unwrap();
    let (beside, dek) = keys.allocate().unwrap();
    let before = fs::read(&path).unwrap();
    keys.destroy(key).unwrap();
    assert!(matches!(keys.dek(key), Err(KeyError::Destroyed)));
    keys.destroy(key).unwrap();
    drop(keys);
    let keys = KeyFile::open(&path, &kek(1), os_random).unwrap();
    assert!(matches!(keys.dek(key), Err(KeyError::Destroyed)));
    assert_eq!(keys.dek(beside).unwrap().bytes(), dek.bytes());
    let after = fs::read(&path).unwrap();
    let old = &before[at(0) + 8..at(0) + 80];
    for window in old.windows(8) {
        assert!(!after.windows(8).any(|found| found == window), "a part of the wrapped key is left");
    }
    assert_ne!(keys.allocate().unwrap().0.slot, key.slot);
    let census = keys.census().unwrap();
    assert_eq!((census.destroyed, census.live.len()), (1, 2));
}

#[test]
fn a_damaged_slot_can_be_destroyed() {
    let (_folder, _path, keys) = made();
    let (key, _) = keys.allocate().unwrap();
    keys.copies.first.write_all_at(&[1; 64], slot::offset(0)).unwrap();
    assert!(matches!(keys.dek(key), Err(KeyError::Damaged { .. })));
    keys.destroy(key).unwrap();
    assert!(matches!(keys.dek(key), Err(KeyError::Destroyed)));
}

#[test]
fn generations_tell_an_old_reference_from_an_old_file() {
    let (_folder, _path, keys) = made();
    let (key, _) = keys.allocate().unwrap();
    let later = KeyRef { generation: 2, ..key };
    assert!(matches!(keys.dek(later), Err(KeyError::Damaged { slot: 0 })));
    let bytes = SlotBytes::live(2, &[0; NONCE_BYTES], &[0; KEY_BYTES + TAG_BYTES]);
    keys.copies.first.write_all_at(bytes.as_bytes(), slot::offset(0)).unwrap();
    assert!(matches!(keys.dek(key), Err(KeyError::Destroyed)));
    keys.destroy(key).unwrap();
    assert_eq!(keys.read(0).unwrap().unwrap().state(), Some(State::Live), "a later key is not touched");
    let beyond = KeyRef { slot: 9, generation: 1 };
    assert!(matches!(keys.dek(beyond), Err(KeyError::Damaged { slot: 9 })));
    assert!(matches!(keys.destroy(beyond), Err(KeyError::Damaged { slot: 9 })));
}

#[test]
fn the_pool_gives_only_what_is_written() {
    let (_folder, path, keys) = made();
    assert!(keys.take().is_none());
    assert_eq!(keys.refill().unwrap(), RESERVED_MAX);
    let other = KeyFile::open(&path, &kek(1), os_random).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    while let Some((key, dek)) = keys.take() {
        assert_eq!(other.dek(key).unwrap().bytes(), dek.bytes());
        assert!(seen.insert(key));
    }
    assert_eq!(seen.len(), RESERVED_MAX);
    // What a crash leaves: live keys that nothing refers to.
    let census = other.census().unwrap();
    assert!(census.live.iter().all(|key| seen.contains(key)));
    assert_eq!(keys.refill().unwrap(), RESERVED_MAX);
    assert_eq!(keys.refill().unwrap(), RESERVED_MAX);
    let length = fs::metadata(&path).unwrap().len();
    assert_eq!(length, slot::offset(u32::try_from(2 * RESERVED_MAX).unwrap()));
}

#[test]
fn a_torn_end_is_stepped_over() {
    let (_folder, path, keys) = made();
    keys.allocate().unwrap();
    keys.copies.first.write_all_at(&[7; 50], slot::offset(1)).unwrap();
    keys.copies.first.set_len(slot::offset(2)).unwrap();
    keys.copies.first.write_all_at(&[0; 10], slot::offset(2)).unwrap();
    drop(keys);
    let keys = KeyFile::open(&path, &kek(1), os_random).unwrap();
    let (key, dek) = keys.allocate().unwrap();
    assert_eq!(key.slot, 3);
    assert_eq!(keys.dek(key).unwrap().bytes(), dek.bytes());
    let census = keys.census().unwrap();
    assert_eq!((census.damaged, census.free, census.live.len()), (vec![1], 1, 2));
}

#[test]
fn after_a_failed_write_only_reading_goes_on() {
    let (_folder, path, mut keys) = made();
    let (key, dek) = keys.allocate().unwrap();
    keys.copies.first = File::open(&path).unwrap();
    assert!(matches!(keys.allocate(), Err(KeyError::Io { .. })));
    keys.copies.first = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    assert!(matches!(keys.allocate(), Err(KeyError::Stopped { .. })));
    assert!(matches!(keys.refill(), Err(KeyError::Stopped { .. })));
    assert!(matches!(keys.destroy(key), Err(KeyError::Stopped { .. })));
    assert_eq!(keys.dek(key).unwrap().bytes(), dek.bytes());
}

#[test]
fn without_randomness_there_is_no_key() {
    fn none(_: &mut [u8]) -> io::Result<()> {
        Err(io::Error::other("no pool"))
    }
    let (folder, path, keys) = made();
    drop(keys);
    let keys = KeyFile::open(&path, &kek(1), none).unwrap();
    assert!(matches!(keys.allocate(), Err(KeyError::Random { .. })));
    assert_eq!(fs::metadata(&path).unwrap().len(), slot::offset(0));
    let other = folder.path().join("other");
    assert!(matches!(KeyFile::create(&other, &kek(1), none), Err(KeyError::Random { .. })));
    assert!(!other.exists());
}

#[test]
fn a_key_file_is_never_replaced() {
    let (_folder, path, keys) = made();
    let (key, _) = keys.allocate().unwrap();
    assert!(matches!(KeyFile::create(&path, &kek(1), os_random), Err(KeyError::AlreadyThere { .. })));
    assert!(KeyFile::open(&path, &kek(1), os_random).unwrap().dek(key).is_ok());
}

#[test]
fn threads_read_while_one_writes() {
    let (_folder, _path, keys) = made();
    let made: Vec<_> = (0..40).map(|_| keys.allocate().unwrap()).collect();
    let (kept, lost) = made.split_at(20);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        for (key, dek) in kept {
                            assert_eq!(keys.dek(*key).unwrap().bytes(), dek.bytes());
                        }
                        for (key, dek) in lost {
                            match keys.dek(*key) {
                                Ok(found) => assert_eq!(found.bytes(), dek.bytes()),
                                Err(error) => assert!(matches!(error, KeyError::Destroyed), "{error}"),
                            }
                        }
                    }
                })
            })
            .collect();
        for (key, _) in lost {
            keys.destroy(*key).unwrap();
            keys.allocate().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

#[test]
fn a_new_key_seals() {
    let (_folder, _path, keys) = made();
    let (key, dek) = keys.allocate().unwrap();
    let what = Aad { customer: CustomerNumber(Uuid::from_u128(1)), section: "basic", rev: 1 };
    let sealed = seal(&dek, &what, b"Maria", [3; NONCE_BYTES]).unwrap();
    assert_eq!(open(&keys.dek(key).unwrap(), &what, &sealed).unwrap().as_slice(), b"Maria");
}

#[test]
fn a_second_copy_that_was_not_compared_is_not_in_step() {
    let (folder, path, mut keys) = made();
    keys.allocate().unwrap();
    // A first copy that cannot be read any more.
    keys.copies.first = OpenOptions::new().write(true).open(&path).unwrap();
    let second = folder.path().join("second");
    fs::create_dir(&second).unwrap();
    assert!(matches!(keys.attach(&second), Err(KeyError::Io { .. })));
    assert!(matches!(keys.second_copy(), second::SecondCopy::Pending { .. }));
    keys.copies.first = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    keys.attach(&second).unwrap();
    assert_eq!(keys.second_copy(), second::SecondCopy::InStep);
}

#[test]
fn a_second_copy_whose_making_was_cut_off_anywhere_is_told_from_a_disk_that_is_away() {
    for operations in 0.. {
        let (folder, path, keys) = made();
        let [second, disk] = ["second", "disk"].map(|name| folder.path().join(name));
        fs::create_dir(&second).unwrap();
        let (attached, whole) = files::cut::after(operations, || keys.attach(&second));
        attached.unwrap();
        drop(keys);
        let keys = KeyFile::open(&path, &kek(1), os_random).unwrap();
        keys.attach(&second).unwrap();
        assert_eq!(keys.second_copy(), second::SecondCopy::InStep, "{operations}");
        drop(keys);
        fs::rename(&second, &disk).unwrap();
        fs::create_dir(&second).unwrap();
        let keys = KeyFile::open(&path, &kek(1), os_random).unwrap();
        keys.attach(&second).unwrap();
        assert!(matches!(keys.second_copy(), second::SecondCopy::Pending { .. }), "{operations}");
        assert_eq!(fs::read_dir(&second).unwrap().count(), 0, "{operations}: the bare folder was written to");
        if whole {
            return;
        }
    }
}
