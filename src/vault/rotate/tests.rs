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

        let (done, whole) = files::cut::after(operations, || {
            let second = rig.path("second");
            rotate(&keys, Some(&second), Some(&file), &old, &mut rig.ways(), &[again(&after)], os_random)
                .map(drop)
        });
        assert!(done.is_ok() || !whole);
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
        let second = rig.path("second");
        rotate(&keys, Some(&second), Some(&file), &key, &mut rig.ways(), &[again(&after)], os_random)
            .unwrap();
        KeyFile::opens(&keys, &current_key(&file, &keys).unwrap()).unwrap();
        assert!(leads(&after) && !leads(&before));
    }
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
    let new = rotate(&keys, Some(&second), Some(&file), &old, &mut rig.ways(), &[again(&phrase)], os_random);
    let opened = KeyFile::open(&keys, &new.unwrap(), os_random).unwrap();
    opened.attach(&second).unwrap();
    assert_eq!(opened.dek(here).unwrap().bytes(), dek.bytes());
    assert!(matches!(opened.dek(nowhere), Err(KeyError::Damaged { slot: 1 })));
    assert_eq!(fs::read(&keys).unwrap()[4096 + 128..], left, "what is damaged stays as it is");
}
