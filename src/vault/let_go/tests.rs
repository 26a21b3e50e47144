//! Tests of `let_go`: cut off anywhere, a customer has either everything under the old key or what stays under the new one.

use super::*;
use crate::log::{Fold, Folds, Log, Meta, ReadWrite, Settings};
use crate::vault::files::cut;
use crate::vault::kek::{KEY_BYTES, Kek};
use crate::vault::keyring::Keyring;
use crate::vault::keys::{KeyError, KeyFile, os_random};
use crate::vault::lists::Lists;
use crate::vault::{PERSON, VaultFold};
use std::sync::Arc;
use tempfile::TempDir;
use uuid::Uuid;

const ANA: CustomerNumber = CustomerNumber(Uuid::from_u128(7));
const GOING: &str = "demographic";
const PERSON_TEXT: &[u8] = br#"{"givenName":"Ana"}"#;

struct Nothing;

impl Fold for Nothing {
    fn version(&self) -> u32 {
        1
    }
    fn apply(&self, _: &Meta, _: &[u8], _: &mut dyn ReadWrite) -> Result<(), FoldError> {
        Ok(())
    }
}

struct Cut;

impl Kept for Cut {
    fn stays(&self, section: &str) -> bool {
        section != GOING
    }
    fn cut(&self, till: &mut Till) {
        till.preferences.clear();
    }
}

fn kek() -> Kek {
    Kek::new(Zeroizing::new([1; KEY_BYTES]))
}

struct Rig {
    root: TempDir,
}

impl Rig {
    /// A store with one customer.
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["second", "ring"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        Keyring::create(&root.path().join("ring"), os_random).unwrap();
        KeyFile::create(&root.path().join("keys"), &kek(), os_random).unwrap();
        let rig = Self { root };
        let (vault, log) = rig.open();
        let key = vault.key_file().unwrap().allocate().unwrap();
        let writer = Arc::clone(&vault);
        let enrol = move |tx: &mut Tx<'_>| {
            let key = writer.assign_key(tx, ANA, key)?;
            writer.write_section(tx, &key, PERSON, PERSON_TEXT, [1; 24])?;
            writer.write_section(tx, &key, GOING, br#"{"birthDay":"03-14"}"#, [2; 24])?;
            let till = br#"{"name":"Ana","preferences":{"receipt":"none"}}"#;
            writer.write_section(tx, &key, TILL, till, [3; 24])
        };
        log.submit(enrol).unwrap().wait().unwrap();
        log.close();
        rig
    }

    fn open(&self) -> (Arc<Vault>, Log) {
        let (dir, second) = (self.root.path(), self.root.path().join("second"));
        let keys = KeyFile::open(&dir.join("keys"), &kek(), os_random).unwrap();
        keys.attach(&second).unwrap();
        let lists = Lists::open(dir, Some(&second)).unwrap();
        let vault = Vault::new(Some(keys), Keyring::open(&dir.join("ring")).unwrap(), lists);
        vault.destroy_again().unwrap();
        let vault = Arc::new(vault);
        let folds = Folds { personal: Arc::new(VaultFold(Arc::clone(&vault))), neutral: Arc::new(Nothing) };
        let (log, _) = Log::open(Settings::new(dir.join("log")), folds, Arc::new(|| 5)).unwrap();
        (vault, log)
    }
}

/// As a request does it.
fn let_go(vault: &Arc<Vault>, log: &Log) -> Result<(), VaultError> {
    let old = vault.key_place(&log.views(), ANA)?;
    vault.intend(&[(ANA, old)], 5)?;
    let new = vault.key_file()?.allocate()?;
    let writer = Arc::clone(vault);
    let done = log.submit(move |tx: &mut Tx<'_>| writer.let_go(tx, ANA, new, [9; 24], &Cut));
    done.unwrap().wait().unwrap();
    vault.retire(&[(ANA, old)], &[], 5)
}

#[test]
fn cut_off_at_any_operation_it_did_not_happen_or_it_is_finished_at_the_next_start() {
    let (mut before, mut after) = (0, 0);
    for operations in 0.. {
        let rig = Rig::new();
        let (vault, log) = rig.open();
        let old = vault.key_place(&log.views(), ANA).unwrap();
        let (done, whole) = cut::after(operations, || let_go(&vault, &log));
        assert!(done.is_ok() || !whole, "{operations}");
        log.close();
        drop(vault);

        let (vault, log) = rig.open();
        vault.settle_erasures(&log).unwrap();
        let views = log.views();
        let key = vault.key_of(&views, ANA).unwrap().unwrap();
        let person = vault.section(&views, &key, PERSON).unwrap().unwrap().1;
        assert_eq!(person.as_slice(), PERSON_TEXT, "what stays is whole: {operations}");
        let sections = vault.sections_of(&views, ANA).unwrap();
        let till = vault.till(&views, &key).unwrap();
        assert_eq!(till.name.as_deref(), Some("Ana"));
        let old_key = vault.key_file().unwrap().dek(old);
        if vault.key_place(&views, ANA).unwrap() == old {
            before += 1;
            assert!(old_key.is_ok() && sections.contains(&GOING.to_owned()), "{operations}");
            assert_eq!((vault.lists().erasures().len(), till.preferences.len()), (0, 1), "{operations}");
        } else {
            after += 1;
            assert!(matches!(old_key, Err(KeyError::Destroyed)), "{operations}");
            assert_eq!(sections, [PERSON, TILL], "{operations}");
            assert!(till.preferences.is_empty());
            vault.renew(&log).unwrap();
            assert_eq!(vault.unfinished().views, 0);
            let key = vault.key_of(&log.views(), ANA).unwrap().unwrap();
            let person = vault.section(&log.views(), &key, PERSON).unwrap().unwrap().1;
            assert_eq!(person.as_slice(), PERSON_TEXT, "also folded anew: {operations}");
        }
        let bytes = |path: &str| std::fs::read(rig.root.path().join(path)).unwrap();
        assert!(bytes("keys") == bytes("second/keys"), "both copies: {operations}");
        if whole {
            assert!(before > 3 && after > 3, "cuts fell on both sides: {before}, {after}");
            return;
        }
    }
}

#[test]
fn of_two_lists_the_one_that_saw_it_done_is_believed() {
    let rig = Rig::new();
    let (vault, log) = rig.open();
    let old = vault.key_place(&log.views(), ANA).unwrap();
    vault.intend(&[(ANA, old)], 5).unwrap();
    let stale = std::fs::read(rig.root.path().join("erasures")).unwrap();
    let_go(&vault, &log).unwrap();
    log.close();
    drop(vault);
    // The second disk was away, and comes back with the intention only.
    std::fs::write(rig.root.path().join("second/erasures"), stale).unwrap();
    let (vault, log) = rig.open();
    assert_eq!(vault.lists().erasures()[0].stage, Stage::Journalled);
    assert_eq!(vault.settle_erasures(&log).unwrap(), 0);
    assert!(vault.key_of(&log.views(), ANA).unwrap().is_some(), "the customer is not erased");
}
