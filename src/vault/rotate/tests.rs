//! Tests of `rotate`.

use super::super::keys::os_random;
use super::super::keys::second::SecondCopy;
use super::super::phrase::Phrase;
use super::*;
use std::fs;
use tempfile::TempDir;

struct Rig {
    root: TempDir,
}

impl Rig {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("second")).unwrap();
        Self { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn ways(&self) -> Ways {
        Ways::open(self.root.path(), Some(&self.path("second"))).unwrap()
    }
}

/// A change of keys from beginning to end.
fn rotate(rig: &Rig, file: Option<&Path>, old: &Kek, phrase: &Phrase) -> Result<SecondCopy, KeyError> {
    let (keys, second) = (rig.path("keys"), rig.path("second"));
    let ways = Ways::open(rig.root.path(), Some(&second))?;
    Rotation::begin((&keys, Some(&second)), file, old, ways, &[again(phrase)], os_random)?.finish()
}

/// The same phrase again; one that is taken apart cannot be copied.
fn again(phrase: &Phrase) -> Secret {
    Secret::Phrase(Phrase::parse(&phrase.reveal()).unwrap())
}

#[test]
fn a_change_of_keys_cut_off_at_any_operation_leaves_a_vault_that_opens() {
    for operations in 0.. {
        let rig = Rig::new();
        let (file, keys) = (rig.path("vault.key"), rig.path("keys"));
        create_key_file(&file, os_random).unwrap();
        let old = current_key(&file, &keys).unwrap();
        let made = KeyFile::create(&keys, &old, os_random).unwrap();
        made.attach(&rig.path("second")).unwrap();
        let (live, dek) = made.allocate().unwrap();
        let (gone, _) = made.allocate().unwrap();
        made.destroy(gone).unwrap();
        drop(made);
        let (before, after) = (Phrase::new(os_random).unwrap(), Phrase::new(os_random).unwrap());
        rig.ways().set(Way::new(&old, &again(&before), os_random).unwrap().unwrap()).unwrap();

        let (done, whole) = files::cut::after(operations, || rotate(&rig, Some(&file), &old, &after));
        assert!(done.is_ok() || !whole);
        either_disk_is_enough(&rig, &file, &[&before, &after], operations);
        // As a start opens it.
        let key = current_key(&file, &keys).unwrap();
        let opened = KeyFile::open(&keys, &key, os_random).unwrap();
        opened.attach(&rig.path("second")).unwrap();
        assert_eq!(opened.second_copy(), SecondCopy::InStep, "{operations}");
        assert_eq!(opened.dek(live).unwrap().bytes(), dek.bytes(), "{operations}");
        assert!(matches!(opened.dek(gone), Err(KeyError::Destroyed)));
        assert!(fs::read(&keys).unwrap() == fs::read(rig.path("second/keys")).unwrap());
        // And as either phrase does: the old one until the key is changed, the new one from then on.
        let leads = |phrase: &Phrase| {
            let found = rig.ways().keys(&again(phrase)).unwrap();
            found.iter().any(|key| KeyFile::opens(&keys, key).is_ok())
        };
        assert!(leads(&before) || leads(&after), "{operations}");
        let changed = KeyFile::opens(&keys, &old).is_err();
        assert_eq!((leads(&before), leads(&after)), (!changed, changed), "{operations}");
        if whole {
            assert!(changed && operations > 15);
            assert!(!waiting(&file).exists());
            return;
        }
        // Done again it comes to its end.
        assert_eq!(rotate(&rig, Some(&file), &key, &after).unwrap(), SecondCopy::InStep);
        KeyFile::opens(&keys, &current_key(&file, &keys).unwrap()).unwrap();
        assert!(leads(&after) && !leads(&before));
    }
}

/// With one disk lost, what is on the other is opened by a key that is at hand, or by a phrase that was shown.
fn either_disk_is_enough(rig: &Rig, file: &Path, phrases: &[&Phrase], operations: u32) {
    for disk in [rig.path("keys"), rig.path("second/keys")] {
        let folder = disk.parent().unwrap();
        let ways = Ways::open(folder, None).unwrap();
        let mut at_hand: Vec<Kek> = [file.to_owned(), waiting(file)]
            .iter()
            .filter_map(|key| kek::read_own_key(key).ok())
            .map(Kek::new)
            .collect();
        for phrase in phrases {
            at_hand.extend(ways.keys(&again(phrase)).unwrap());
        }
        let opens = at_hand.iter().any(|key| KeyFile::opens(&disk, key).is_ok());
        assert!(opens, "{operations}: nothing opens {}", disk.display());
    }
}

#[test]
fn a_second_copy_that_cannot_be_compared_stops_the_change_before_anything_is_changed() {
    let rig = Rig::new();
    let (file, keys, second) = (rig.path("vault.key"), rig.path("keys"), rig.path("second"));
    create_key_file(&file, os_random).unwrap();
    let old = current_key(&file, &keys).unwrap();
    let made = KeyFile::create(&keys, &old, os_random).unwrap();
    made.attach(&second).unwrap();
    let (here, dek) = made.allocate().unwrap();
    drop(made);
    // Whole in the second copy alone, whose disk is away.
    let mut bytes = fs::read(&keys).unwrap();
    bytes[4096 + 40] ^= 1;
    fs::write(&keys, &bytes).unwrap();
    let away = rig.path("away");
    fs::rename(&second, &away).unwrap();
    let phrase = Phrase::new(os_random).unwrap();
    let refused = rotate(&rig, Some(&file), &old, &phrase).unwrap_err();
    assert!(matches!(refused, KeyError::NotInStep { .. }), "{refused}");
    assert!(refused.to_string().contains("mounted"), "{refused}");
    assert!(fs::read(&keys).unwrap() == bytes && !waiting(&file).exists());
    // An empty folder, where the disk should be mounted, is no better.
    fs::create_dir(&second).unwrap();
    assert!(matches!(rotate(&rig, Some(&file), &old, &phrase), Err(KeyError::NotInStep { .. })));
    fs::remove_dir(&second).unwrap();

    fs::rename(&away, &second).unwrap();
    assert_eq!(rotate(&rig, Some(&file), &old, &phrase).unwrap(), SecondCopy::InStep);
    let opened = KeyFile::open(&keys, &current_key(&file, &keys).unwrap(), os_random).unwrap();
    assert_eq!(opened.dek(here).unwrap().bytes(), dek.bytes());
}

#[test]
fn a_change_of_a_credential_that_was_cut_off_is_gone_on_with() {
    for operations in 0.. {
        let rig = Rig::new();
        // The credential's key is in no file of ours; the new one goes where the administrator seals it from.
        let (given, keys, to) = ([7; KEY_BYTES], rig.path("keys"), rig.path("new.key"));
        let old = Kek::new(Zeroizing::new(given));
        let made = KeyFile::create(&keys, &old, os_random).unwrap();
        made.attach(&rig.path("second")).unwrap();
        let (live, dek) = made.allocate().unwrap();
        drop(made);
        let (first, second) = (Phrase::new(os_random).unwrap(), Phrase::new(os_random).unwrap());
        let (_, whole) = files::cut::after(operations, || rotate(&rig, Some(&to), &old, &first));
        // The same again, with the same credential.
        let now = current_or_left(Kek::new(Zeroizing::new(given)), &to, &keys).unwrap();
        assert_eq!(rotate(&rig, Some(&to), &now, &second).unwrap(), SecondCopy::InStep, "{operations}");
        let opened = KeyFile::open(&keys, &current_key(&to, &keys).unwrap(), os_random).unwrap();
        assert_eq!(opened.dek(live).unwrap().bytes(), dek.bytes());
        assert!(!waiting(&to).exists() && rig.ways().keys(&again(&first)).unwrap().is_empty());
        let [led_to] = &rig.ways().keys(&again(&second)).unwrap()[..] else { panic!("one way") };
        KeyFile::opens(&keys, led_to).unwrap();
        if whole {
            return;
        }
    }
}

#[test]
fn a_key_that_was_left_waiting_takes_its_name_and_no_copy_of_it_stays() {
    let rig = Rig::new();
    let file = rig.path("vault.key");
    create_key_file(&waiting(&file), os_random).unwrap();
    let left = fs::read(waiting(&file)).unwrap();
    let other = Kek::new(Zeroizing::new([1; KEY_BYTES]));
    put_key(&file, &other).unwrap();
    assert!(waiting(&file).exists(), "another key is not what is put there");
    fs::remove_file(&file).unwrap();
    put_key(&file, &Kek::new(kek::read_own_key(&waiting(&file)).unwrap())).unwrap();
    assert!(fs::read(&file).unwrap() == left && !waiting(&file).exists());
    assert!(matches!(put_key(&file, &other), Err(KeyError::AlreadyThere { .. })));
}

#[test]
fn a_wrong_key_stays_wrong() {
    let rig = Rig::new();
    let (file, keys) = (rig.path("vault.key"), rig.path("keys"));
    create_key_file(&file, os_random).unwrap();
    drop(KeyFile::create(&keys, &Kek::new(Zeroizing::new([1; KEY_BYTES])), os_random).unwrap());
    assert!(matches!(current_key(&file, &keys), Err(KeyError::WrongKey { .. })));
    create_key_file(&waiting(&file), os_random).unwrap();
    assert!(matches!(current_key(&file, &keys), Err(KeyError::WrongKey { .. })));
    assert!(waiting(&file).exists());
}

#[test]
fn what_only_the_second_copy_has_whole_outlives_a_change_of_keys() {
    let rig = Rig::new();
    let (file, keys, second) = (rig.path("vault.key"), rig.path("keys"), rig.path("second"));
    create_key_file(&file, os_random).unwrap();
    let old = current_key(&file, &keys).unwrap();
    let made = KeyFile::create(&keys, &old, os_random).unwrap();
    made.attach(&second).unwrap();
    let (here, dek) = made.allocate().unwrap();
    let (nowhere, _) = made.allocate().unwrap();
    drop(made);
    let damage = |path: &Path, slot: usize| {
        let mut bytes = fs::read(path).unwrap();
        let at = 4096 + slot * 128 + 40;
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    damage(&keys, 0);
    damage(&keys, 1);
    damage(&second.join("keys"), 1);
    let left = fs::read(&keys).unwrap()[4096 + 128..].to_vec();

    let phrase = Phrase::new(os_random).unwrap();
    rotate(&rig, Some(&file), &old, &phrase).unwrap();
    let opened = KeyFile::open(&keys, &current_key(&file, &keys).unwrap(), os_random).unwrap();
    opened.attach(&second).unwrap();
    assert_eq!(opened.dek(here).unwrap().bytes(), dek.bytes());
    assert!(matches!(opened.dek(nowhere), Err(KeyError::Damaged { slot: 1 })));
    assert_eq!(fs::read(&keys).unwrap()[4096 + 128..], left, "what is damaged stays as it is");
}
