//! Tests of `keyring`.

use super::super::keys::os_random;
use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn card(byte: u8) -> CardKey {
    CardKey([byte; 10])
}

fn alias(programme: &str, code: &str) -> Alias {
    Alias { programme: programme.to_owned(), code: code.to_owned() }
}

fn hex(hash: Hash16) -> String {
    hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a keyring of these versions, newest first, as a later change of keys will.
fn with_versions(folder: &Path, versions: &[(u32, [u8; KEY_BYTES])]) -> Keyring {
    let key = kek::read_own_key(&key_path(folder)).unwrap();
    let plain: Vec<u8> =
        versions.iter().flat_map(|(number, key)| [number.to_le_bytes().as_slice(), key].concat()).collect();
    let fives = |bytes: &mut [u8]| {
        bytes.fill(5);
        Ok(())
    };
    fs::write(folder.join("keyring"), encode(&key, &plain, fives).unwrap().unwrap()).unwrap();
    Keyring::open(folder).unwrap()
}

/// Computed with Python's hmac and hashlib from RFC 5869 and RFC 2104, not by this code.
#[test]
fn hashes_are_the_known_ones() {
    let folder = tempfile::tempdir().unwrap();
    Keyring::create(folder.path(), os_random).unwrap();
    let key: [u8; KEY_BYTES] = std::array::from_fn(|index| u8::try_from(index).unwrap());
    let keys = with_versions(folder.path(), &[(1, key)]);
    let code = CardKey(std::array::from_fn(|index| u8::try_from(index).unwrap()));
    assert_eq!(hex(keys.card_hash(&code)), "7e841f34fbc481cd849270ef33f2b5bd");
    let gsrn = alias("gsrn", "801812345678901234");
    assert_eq!(hex(keys.alias_hash(&gsrn)), "ad463d6347ef1f4590e249f8ca098fce");
    let index = |field, term| hex(keys.index(field, term));
    assert_eq!(index(IndexField::Phone, "+34600123456"), "f002cff85ce0f59c84680dd1431f4e2b");
    assert_eq!(index(IndexField::Email, "maria@example.com"), "76f0a9da343e322a0204b548828cb069");
    assert_eq!(index(IndexField::Name, "garc"), "31b6e51df1816fdd518863ccec985824");
    assert_eq!(hex(keys.body_mac(b"{}")), "d150263be7c17aa1776c4307a8fe9b17");
}

#[test]
fn it_opens_as_it_was_made() {
    let folder = tempfile::tempdir().unwrap();
    let made = Keyring::create(folder.path(), os_random).unwrap();
    let opened = Keyring::open(folder.path()).unwrap();
    assert_eq!(made.card_hash(&card(1)), opened.card_hash(&card(1)));
    assert_ne!(opened.card_hash(&card(1)), opened.card_hash(&card(2)));
    assert_eq!(opened.newest(), 1);
    let mode = |name| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("keyring.key"), mode("keyring")), (0o400, 0o600));
    let other = tempfile::tempdir().unwrap();
    let other = Keyring::create(other.path(), os_random).unwrap();
    assert_ne!(made.card_hash(&card(1)), other.card_hash(&card(1)));
}

#[test]
fn a_programme_is_part_of_an_alias() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keyring::create(folder.path(), os_random).unwrap();
    assert_ne!(keys.alias_hash(&alias("a", "b1")), keys.alias_hash(&alias("ab", "1")));
    assert_ne!(keys.index(IndexField::Name, "1"), keys.index(IndexField::Phone, "1"));
}

#[test]
fn older_versions_are_still_looked_up() {
    let folder = tempfile::tempdir().unwrap();
    Keyring::create(folder.path(), os_random).unwrap();
    let old = with_versions(folder.path(), &[(1, [1; KEY_BYTES])]);
    let new = with_versions(folder.path(), &[(2, [2; KEY_BYTES]), (1, [1; KEY_BYTES])]);
    assert_eq!(new.newest(), 2);
    let hashes = new.card_hashes(&card(7));
    assert_eq!(hashes, [new.card_hash(&card(7)), old.card_hash(&card(7))]);
    assert_ne!(hashes[0], hashes[1]);
    assert_eq!(new.alias_hashes(&alias("a", "1"))[1], old.alias_hash(&alias("a", "1")));
    assert_eq!(new.indexes(IndexField::Name, "garc")[1], old.index(IndexField::Name, "garc"));
    assert!(new.body_mac_fits(b"{}", &old.body_mac(b"{}")));
    assert!(!new.body_mac_fits(b"{ }", &old.body_mac(b"{}")));
}

#[test]
fn a_wrong_key_and_damage_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    Keyring::create(folder.path(), os_random).unwrap();
    let path = folder.path().join("keyring");
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 4;
        fs::write(&path, changed).unwrap();
        let error = Keyring::open(folder.path()).unwrap_err();
        assert!(matches!(error, KeyError::HeaderDamaged { .. }), "byte {at}: {error}");
    }
    fs::write(&path, &whole).unwrap();
    let key = key_path(folder.path());
    fs::remove_file(&key).unwrap();
    assert!(matches!(Keyring::open(folder.path()), Err(KeyError::NoKeyFile { .. })));
    kek::create_key_file(&key, os_random).unwrap();
    assert!(matches!(Keyring::open(folder.path()), Err(KeyError::WrongKey { .. })));
}

#[test]
fn it_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Keyring::open(folder.path()), Err(KeyError::NoKeyFile { .. })));
    // A start that was cut short after the first of the two files.
    kek::create_key_file(&key_path(folder.path()), os_random).unwrap();
    let keys = Keyring::create(folder.path(), os_random).unwrap();
    assert!(matches!(Keyring::create(folder.path(), os_random), Err(KeyError::AlreadyThere { .. })));
    assert_eq!(Keyring::open(folder.path()).unwrap().card_hash(&card(1)), keys.card_hash(&card(1)));
    fs::set_permissions(key_path(folder.path()), fs::Permissions::from_mode(0o440)).unwrap();
    assert!(matches!(Keyring::open(folder.path()), Err(KeyError::Exposed { .. })));
}

#[test]
fn a_change_of_the_keyring_cut_off_at_any_operation_leaves_the_old_one_or_the_new() {
    for operations in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let before = Keyring::create(folder.path(), os_random).unwrap();
        let (done, whole) = files::cut::after(operations, || Keyring::rotate(folder.path(), os_random));
        let after = Keyring::open(folder.path()).unwrap();
        assert!(after.card_hashes(&card(1)).contains(&before.card_hash(&card(1))), "{operations}");
        assert!([1, 2].contains(&after.newest()) && after.has_older() == (after.newest() == 2));
        if whole {
            assert_eq!((done.unwrap(), after.newest()), (2, 2));
            return;
        }
        // Done again it comes to its end, and no version gets lost.
        let next = Keyring::rotate(folder.path(), os_random).unwrap();
        assert_eq!(next, after.newest() + 1);
        assert!(
            Keyring::open(folder.path()).unwrap().card_hashes(&card(1)).contains(&before.card_hash(&card(1)))
        );
    }
}

#[test]
fn a_change_of_the_key_around_it_cut_off_at_any_operation_leaves_a_keyring_that_opens() {
    for operations in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let before = Keyring::create(folder.path(), os_random).unwrap().card_hashes(&card(1));
        let old = fs::read(key_path(folder.path())).unwrap();
        let hashes = || Keyring::open(folder.path()).unwrap().card_hashes(&card(1));
        let (done, whole) = files::cut::after(operations, || Keyring::rewrap(folder.path(), os_random));
        assert!(hashes() == before, "{operations}");
        if !whole {
            // What the next start does, and then it is given again.
            Keyring::finish_rewrap(folder.path()).unwrap();
            assert!(hashes() == before, "{operations}");
            Keyring::rewrap(folder.path(), os_random).unwrap();
        }
        assert!(hashes() == before && fs::read(key_path(folder.path())).unwrap() != old);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside");
        // Whoever has the old key has nothing of it.
        files::replace(&key_path(folder.path()), 0o400, &old).unwrap();
        assert!(matches!(Keyring::open(folder.path()), Err(KeyError::WrongKey { .. })));
        if whole {
            return done.unwrap();
        }
    }
}

#[test]
fn a_keyring_that_takes_no_more_versions_says_so_and_how_many_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let mut keys = Keyring::create(folder.path(), os_random).unwrap();
    let first = keys.card_hash(&card(1));
    while keys.versions() < VERSIONS_MAX {
        Keyring::rotate(folder.path(), os_random).unwrap();
        keys = Keyring::open(folder.path()).unwrap();
    }
    let error = Keyring::rotate(folder.path(), os_random).unwrap_err();
    assert!(matches!(error, KeyError::Versions { max: VERSIONS_MAX, .. }), "{error}");
    Keyring::rewrap(folder.path(), os_random).unwrap();
    let keys = Keyring::open(folder.path()).unwrap();
    assert!(keys.versions() == VERSIONS_MAX && keys.card_hashes(&card(1)).contains(&first));
}
