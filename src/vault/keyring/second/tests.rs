//! Tests of the keyring's second copy.

use super::super::super::keys::os_random;
use super::*;
use crate::domain::code::CardKey;
use tempfile::TempDir;

const CARD: CardKey = CardKey([1; 10]);

/// A state folder with a keyring, and the folder for second copies.
fn two_disks() -> (TempDir, PathBuf, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let (state, copies) = (root.path().join("state"), root.path().join("copies"));
    fs::create_dir_all(state.join("keyring")).unwrap();
    fs::create_dir(&copies).unwrap();
    Keyring::create(&state.join("keyring"), os_random).unwrap();
    (root, state.join("keyring"), copies.join("keyring"))
}

fn hashes(folder: &Path) -> Vec<super::super::Hash16> {
    Keyring::open(folder).unwrap().card_hashes(&CARD)
}

#[test]
fn whatever_is_lost_of_one_place_comes_back_from_the_other() {
    let (_root, first, second) = two_disks();
    assert_eq!(Keyring::join(&first, &second).unwrap(), Joined::Made);
    assert_eq!(Keyring::join(&first, &second).unwrap(), Joined::InStep);
    let before = hashes(&first);
    for (lost, done) in [(&first, Joined::First), (&second, Joined::Second)] {
        for file in ["keyring", "keyring.key"] {
            for bytes in [None, Some(&b""[..]), Some(b"something else"), Some(&[7; 32])] {
                fs::remove_file(lost.join(file)).unwrap();
                if let Some(bytes) = bytes {
                    files::create(&lost.join(file), 0o400, bytes).unwrap();
                }
                assert_eq!(Keyring::join(&first, &second).unwrap(), done, "{file}");
                assert!(hashes(&first) == before && hashes(&second) == before);
            }
        }
    }
    fs::remove_dir_all(&first).unwrap();
    assert_eq!(Keyring::join(&first, &second).unwrap(), Joined::First);
    assert!(hashes(&first) == before);
    for lost in [&first, &second] {
        fs::write(lost.join("keyring"), b"").unwrap();
    }
    assert_eq!(Keyring::join(&first, &second).unwrap(), Joined::InStep);
    assert!(matches!(Keyring::open(&first), Err(KeyError::HeaderDamaged { .. })));
}

#[test]
fn the_one_with_more_versions_is_right_and_another_stores_is_left_alone() {
    let (_root, first, second) = two_disks();
    Keyring::join(&first, &second).unwrap();
    Keyring::rotate(&second, os_random).unwrap();
    assert_eq!(Keyring::join(&first, &second).unwrap(), Joined::First);
    Keyring::rotate(&first, os_random).unwrap();
    assert_eq!(Keyring::join(&first, &second).unwrap(), Joined::Second);
    assert!(hashes(&first) == hashes(&second) && hashes(&first).len() == 3);

    let (_other, others, _) = two_disks();
    let theirs = hashes(&second);
    assert!(
        matches!(Keyring::join(&others, &second).unwrap(), Joined::Pending { why } if why.contains("another store"))
    );
    assert!(hashes(&second) == theirs && hashes(&others).len() == 1);
}

#[test]
fn a_disk_that_is_not_mounted_is_not_written_to() {
    let (_root, first, second) = two_disks();
    let copies = second.parent().unwrap();
    // The key file has a second copy, and it is not here.
    fs::write(first.with_file_name("keys.second"), b"").unwrap();
    assert!(matches!(Keyring::join(&first, &second).unwrap(), Joined::Pending { .. }));
    assert_eq!(fs::read_dir(copies).unwrap().count(), 0);
    fs::remove_dir(copies).unwrap();
    assert!(matches!(Keyring::join(&first, &second).unwrap(), Joined::Pending { .. }));
    fs::create_dir(copies).unwrap();
    fs::write(copies.join("keys"), b"").unwrap();
    assert_eq!(Keyring::join(&first, &second).unwrap(), Joined::Made);
}

#[test]
fn a_change_cut_off_at_any_operation_leaves_what_both_places_come_to_agree_on() {
    for lost in [false, true] {
        for operations in 0.. {
            let (_root, first, second) = two_disks();
            Keyring::join(&first, &second).unwrap();
            let before = hashes(&first);
            if lost {
                fs::remove_dir_all(&first).unwrap();
            }
            let (_, whole) = files::cut::after(operations, || {
                Keyring::join(&first, &second)?;
                Keyring::rotate(&first, os_random)?;
                Keyring::join(&first, &second)?;
                Keyring::rewrap(&first, os_random)?;
                Keyring::join(&first, &second)
            });
            Keyring::finish_rewrap(&first).unwrap();
            Keyring::join(&first, &second).unwrap();
            let after = hashes(&first);
            assert!(after == hashes(&second) && after.ends_with(&before), "{operations}");
            for file in ["keyring", "keyring.key"] {
                assert!(
                    fs::read(first.join(file)).unwrap() == fs::read(second.join(file)).unwrap(),
                    "{file}"
                );
            }
            if whole {
                assert_eq!(after.len(), 2);
                break;
            }
        }
    }
}
