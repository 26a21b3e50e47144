//! Tests of `erasure`: what a step that was cut off leaves.

use super::*;
use crate::log::{Entry, View, ViewError};
use crate::vault::files::cut;
use crate::vault::kek::{KEY_BYTES, Kek};
use crate::vault::kept::{keep, section_key};
use crate::vault::keyring::Keyring;
use crate::vault::keys::{KeyFile, KeyRef, os_random};
use crate::vault::seal::{Aad, seal};
use crate::vault::{PERSON, SECTIONS};
use std::collections::BTreeMap;
use tempfile::TempDir;
use uuid::Uuid;

const ANA: CustomerNumber = CustomerNumber(Uuid::from_u128(7));

/// Views as a map.
#[derive(Default)]
struct Map(BTreeMap<(u8, Vec<u8>), Vec<u8>>);

impl Read for Map {
    fn get(&self, view: View, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        Ok(self.0.get(&(view.number, key.to_vec())).cloned())
    }

    fn scan_from(&self, _: View, _: &[u8], _: &[u8], _: usize) -> Result<Vec<Entry>, ViewError> {
        Ok(Vec::new())
    }
}

struct Rig {
    root: TempDir,
    views: Map,
    place: KeyRef,
    person: Person,
}

impl Rig {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["second", "ring"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        Keyring::create(&root.path().join("ring"), os_random).unwrap();
        let keys = KeyFile::create(&root.path().join("keys"), &kek(), os_random).unwrap();
        let (place, dek) = keys.allocate().unwrap();
        let form = serde_json::json!({ "givenName": "Ana", "telephone": [{ "e164": "+34600123456" }] });
        let person = Person::read(form.as_object().unwrap(), None).unwrap();
        let mut views = Map::default();
        let mut put =
            |view: View, key: &[u8], value: Vec<u8>| views.0.insert((view.number, key.to_vec()), value);
        put(KEYS, ANA.0.as_bytes(), postcard::to_stdvec(&place).unwrap());
        let what = Aad { customer: ANA, section: PERSON, rev: 1 };
        let sealed = seal(&dek, &what, &serde_json::to_vec(&person).unwrap(), [3; 24]).unwrap();
        let kept = keep(1, place, sealed.as_bytes());
        put(SECTIONS, &section_key(ANA, PERSON), kept);
        Self { root, views, place, person }
    }

    fn vault(&self) -> Vault {
        let second = self.root.path().join("second");
        let keys = KeyFile::open(&self.root.path().join("keys"), &kek(), os_random).unwrap();
        keys.attach(&second).unwrap();
        let lists = Lists::open(self.root.path(), Some(&second)).unwrap();
        Vault::new(Some(keys), Keyring::open(&self.root.path().join("ring")).unwrap(), lists)
    }
}

fn kek() -> Kek {
    Kek::new(Zeroizing::new([1; KEY_BYTES]))
}

fn is_destroyed(vault: &Vault, place: KeyRef) -> bool {
    matches!(vault.key_file().unwrap().dek(place), Err(KeyError::Destroyed))
}

#[test]
fn cut_off_at_any_operation_it_is_as_if_never_asked_or_it_is_finished() {
    let mut begun = 0;
    for operations in 0.. {
        let rig = Rig::new();
        let vault = rig.vault();
        let (done, whole) = cut::after(operations, || vault.begin_erasure(&rig.views, ANA, 5, true));
        assert!(done.is_ok() || !whole, "{operations}");
        drop(vault);

        let vault = rig.vault();
        let noted = vault.lists().erasures();
        assert!(
            !noted.is_empty() || !is_destroyed(&vault, rig.place),
            "destroyed and nobody knows: {operations}"
        );
        vault.destroy_again().unwrap();
        assert_eq!(is_destroyed(&vault, rig.place), !noted.is_empty(), "{operations}");
        if let [erasure] = noted.as_slice() {
            begun += 1;
            assert_eq!((erasure.customer, erasure.key, erasure.stage), (ANA, rig.place, Stage::Begun));
            assert!(
                vault.opted_out(&rig.person),
                "the mark is made while the number can be read: {operations}"
            );
        }
        // Asked for again it is finished, from wherever it stopped.
        vault.begin_erasure(&rig.views, ANA, 9, true).unwrap();
        assert!(is_destroyed(&vault, rig.place));
        assert_eq!(vault.lists().erasures().len(), 1);
        assert_eq!(vault.key_file().unwrap().second_copy(), SecondCopy::InStep);
        drop(vault);
        let bytes = |path: &str| std::fs::read(rig.root.path().join(path)).unwrap();
        assert!(bytes("keys") == bytes("second/keys"), "both copies: {operations}");
        if whole {
            assert!(begun > 3 && operations > 10, "cuts fell on both sides");
            return;
        }
    }
}

#[test]
fn without_a_wish_to_be_left_alone_no_mark_is_kept() {
    let rig = Rig::new();
    let vault = rig.vault();
    vault.begin_erasure(&rig.views, ANA, 5, false).unwrap();
    assert!(!vault.opted_out(&rig.person));
    assert!(matches!(
        vault.begin_erasure(&rig.views, CustomerNumber(Uuid::from_u128(8)), 5, false),
        Err(VaultError::Unknown)
    ));
    assert_eq!(vault.unfinished(), Unfinished { views: 1, second_copy: false });
    vault.erasure_journalled(ANA).unwrap();
    assert!(vault.held_key(ANA).is_none());
}

#[test]
fn the_hash_of_a_body_dies_with_its_customer() {
    let rig = Rig::new();
    let vault = rig.vault();
    let kept = vault.body_mac(&rig.views, Some(ANA), b"body").unwrap();
    let fits = |vault: &Vault, body: &[u8]| vault.body_mac_fits(&rig.views, Some(ANA), body, &kept).unwrap();
    assert!(fits(&vault, b"body") && !fits(&vault, b"bodz"));
    let hash = Hash16::from_hex(kept.strip_prefix(BOUND).unwrap()).unwrap();
    assert!(!vault.keyring().body_mac_fits(b"body", &hash), "the keyring alone cannot make it");
    vault.begin_erasure(&rig.views, ANA, 5, false).unwrap();
    assert!(fits(&vault, b"bodz"), "nobody can tell any more");
    let kept = vault.body_mac(&rig.views, Some(ANA), b"body").unwrap();
    assert!(vault.body_mac_fits(&rig.views, Some(ANA), b"body", &kept).unwrap());
    assert!(!vault.body_mac_fits(&rig.views, Some(ANA), b"bodz", &kept).unwrap());
}
