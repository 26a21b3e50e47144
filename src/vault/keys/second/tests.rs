//! Tests of `second`.

use super::super::os_random;
use super::*;
use crate::vault::kek::KEY_BYTES;
use std::fs;
use tempfile::TempDir;
use zeroize::Zeroizing;

fn kek(byte: u8) -> Kek {
    Kek::new(Zeroizing::new([byte; KEY_BYTES]))
}

/// Folders on two disks.
struct Disks {
    root: TempDir,
}

impl Disks {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for disk in ["a", "b"] {
            fs::create_dir(root.path().join(disk)).unwrap();
        }
        Self { root }
    }

    fn first(&self) -> PathBuf {
        self.root.path().join("a/keys")
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join("b")
    }

    fn second(&self) -> PathBuf {
        self.root.path().join("b/keys")
    }

    fn make(&self) -> KeyFile {
        let keys = KeyFile::create(&self.first(), &kek(1), os_random).unwrap();
        keys.attach(&self.folder()).unwrap();
        assert_eq!(keys.second_copy(), SecondCopy::InStep);
        keys
    }

    fn open(&self) -> KeyFile {
        KeyFile::open(&self.first(), &kek(1), os_random).unwrap()
    }

    fn same(&self) {
        assert!(fs::read(self.first()).unwrap() == fs::read(self.second()).unwrap());
    }
}

#[test]
fn every_change_is_in_both() {
    let disks = Disks::new();
    let keys = disks.make();
    let (kept, dek) = keys.allocate().unwrap();
    let (gone, _) = keys.allocate().unwrap();
    keys.destroy(gone).unwrap();
    keys.refill().unwrap();
    disks.same();
    // The first copy is lost: the second is as good.
    drop(keys);
    fs::remove_file(disks.first()).unwrap();
    assert!(!restore_first(&disks.first(), &disks.folder(), &kek(2)).unwrap());
    assert!(restore_first(&disks.first(), &disks.folder(), &kek(1)).unwrap());
    let keys = disks.open();
    assert_eq!(keys.dek(kept).unwrap().bytes(), dek.bytes());
    assert!(matches!(keys.dek(gone), Err(KeyError::Destroyed)));
    assert!(!restore_first(&disks.first(), &disks.folder(), &kek(1)).unwrap(), "nothing is wrong with it");
}

#[test]
fn what_an_absent_copy_missed_is_brought_to_it() {
    let disks = Disks::new();
    let keys = disks.make();
    let (gone, _) = keys.allocate().unwrap();
    drop(keys);
    let away = disks.root.path().join("away");
    fs::rename(disks.folder(), &away).unwrap();

    let keys = disks.open();
    keys.attach(&disks.folder()).unwrap();
    assert!(matches!(keys.second_copy(), SecondCopy::Pending { why } if why.contains("mounted")));
    keys.destroy(gone).unwrap();
    let (new, _) = keys.allocate().unwrap();
    // The folder below the disk that is not mounted: never taken for the disk.
    fs::create_dir(disks.folder()).unwrap();
    keys.attach(&disks.folder()).unwrap();
    assert!(matches!(keys.second_copy(), SecondCopy::Pending { why } if why.contains("is gone")));
    assert!(!disks.second().exists());
    fs::remove_dir(disks.folder()).unwrap();

    fs::rename(&away, disks.folder()).unwrap();
    assert_eq!(keys.attach(&disks.folder()).unwrap(), Healed { first: 0, second: 2 });
    assert_eq!(keys.second_copy(), SecondCopy::InStep);
    disks.same();
    assert!(matches!(keys.dek(gone), Err(KeyError::Destroyed)));
    keys.dek(new).unwrap();
}

#[test]
fn copies_heal_each_other_slot_by_slot() {
    let disks = Disks::new();
    let keys = disks.make();
    let made: Vec<_> = (0..20).map(|_| keys.allocate().unwrap()).collect();
    keys.destroy(made[3].0).unwrap();
    keys.destroy(made[4].0).unwrap();
    drop(keys);
    // Damage in either, an older slot in either, and an end that is missing.
    let before = fs::read(disks.first()).unwrap();
    let at = |slot: usize| 4096 + slot * SLOT_BYTES;
    let mut first = before.clone();
    first[at(5) + 40] ^= 1;
    first.truncate(at(18) + 7);
    let mut second = before.clone();
    second[at(6)] ^= 1;
    let live = |key: KeyRef| {
        let other = Disks::new();
        fs::write(other.first(), &before).unwrap();
        let keys = other.open();
        let slot = super::super::wrap(
            &keys.kek,
            &keys.id,
            key,
            &made[usize::try_from(key.slot).unwrap()].1,
            os_random,
        )
        .unwrap();
        *slot.as_bytes()
    };
    first[at(3)..at(4)].copy_from_slice(&live(made[3].0));
    second[at(4)..at(5)].copy_from_slice(&live(made[4].0));
    fs::write(disks.first(), &first).unwrap();
    fs::write(disks.second(), &second).unwrap();

    let keys = disks.open();
    assert_eq!(keys.attach(&disks.folder()).unwrap(), Healed { first: 4, second: 2 });
    disks.same();
    assert!(fs::read(disks.first()).unwrap() == before, "everything is as it was");
    assert_eq!(keys.census().unwrap().damaged, [0; 0]);
    assert_eq!(keys.allocate().unwrap().0.slot, 20);
}

#[test]
fn a_slot_that_is_damaged_now_is_read_from_the_other_copy() {
    let disks = Disks::new();
    let keys = disks.make();
    let (key, dek) = keys.allocate().unwrap();
    keys.copies.first.write_all_at(&[7; 30], slot::offset(0)).unwrap();
    assert_eq!(keys.dek(key).unwrap().bytes(), dek.bytes());
}

#[test]
fn a_head_is_mended_and_another_stores_file_left_alone() {
    let disks = Disks::new();
    drop(disks.make());
    for path in [disks.first(), disks.second()] {
        let mut bytes = fs::read(&path).unwrap();
        bytes[20] ^= 1;
        fs::write(&path, bytes).unwrap();
        if path == disks.first() {
            assert!(restore_first(&path, &disks.folder(), &kek(1)).unwrap());
        }
        let keys = disks.open();
        keys.attach(&disks.folder()).unwrap();
        disks.same();
    }
    let (other, keys) = (Disks::new(), disks.open());
    drop(other.make());
    let theirs = fs::read(other.second()).unwrap();
    keys.attach(&other.folder()).unwrap();
    assert!(matches!(keys.second_copy(), SecondCopy::Pending { why } if why.contains("another store")));
    assert_eq!(fs::read(other.second()).unwrap(), theirs);
}

#[test]
fn a_second_disk_that_fails_is_pending_and_the_first_goes_on() {
    let disks = Disks::new();
    let keys = disks.make();
    let path = disks.second();
    let file = File::open(&path).unwrap();
    keys.set_second(Second::InStep { path, file });
    let (key, _) = keys.allocate().unwrap();
    assert!(
        matches!(keys.second_copy(), SecondCopy::Pending { why } if why.contains("could not be written"))
    );
    keys.destroy(key).unwrap();
    keys.attach(&disks.folder()).unwrap();
    disks.same();
}

#[test]
fn a_copy_begun_and_cut_off_at_any_operation_ends_in_step() {
    for operations in 0.. {
        let disks = Disks::new();
        let keys = KeyFile::create(&disks.first(), &kek(1), os_random).unwrap();
        let (key, dek) = keys.allocate().unwrap();
        let (attached, whole) = files::cut::after(operations, || {
            keys.attach(&disks.folder()).unwrap();
            keys.second_copy()
        });
        drop(keys);
        let keys = disks.open();
        keys.attach(&disks.folder()).unwrap();
        assert_eq!(keys.second_copy(), SecondCopy::InStep, "cut after {operations}");
        disks.same();
        assert_eq!(keys.dek(key).unwrap().bytes(), dek.bytes());
        if whole {
            assert_eq!(attached, SecondCopy::InStep);
            assert!(operations > 5, "operations are counted");
            return;
        }
    }
}
