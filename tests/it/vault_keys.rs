//! A customer's life in the vault: enrolled, found, read back after a restart, erased; and nothing in clear on the way.

use fichad::domain::code::{Alias, CardKey};
use fichad::domain::id::CustomerNumber;
use fichad::domain::person::Person;
use fichad::vault::kek::{Kek, KeySource, create_key_file};
use fichad::vault::keyring::Keyring;
use fichad::vault::keys::{Dek, KeyError, KeyFile, KeyRef, os_random};
use fichad::vault::lookup::{Narrowing, Query, masked, terms};
use fichad::vault::seal::{Aad, Sealed, open, seal};
use std::fs;
use std::path::Path;
use uuid::Uuid;

const SECRETS: [&str; 6] = ["Mar", "Garc", "garc", "600", "example", "Pepi"];

fn maria() -> Person {
    let form = serde_json::json!({
        "givenName": "María", "familyName": "García", "preferredName": "Pepi",
        "telephone": [{"e164": "600 123 456", "type": "cell"}], "email": [{"addr": "maria@example.com"}],
    });
    Person::read(form.as_object().unwrap(), "34".parse().ok()).unwrap()
}

fn place(customer: CustomerNumber, rev: u64) -> Aad<'static> {
    Aad { customer, section: "basic", rev }
}

fn open_keys(folder: &Path) -> KeyFile {
    let kek = KeySource::File(folder.join("kek")).load(None).unwrap();
    KeyFile::open(&folder.join("keys"), &kek, os_random).unwrap()
}

/// What the vault's journal and views would hold of one customer.
struct Kept {
    customer: CustomerNumber,
    key: KeyRef,
    section: String,
    card: fichad::vault::keyring::Hash16,
    index: Vec<fichad::vault::keyring::Hash16>,
}

fn enrol(folder: &Path, keys: &KeyFile, ring: &Keyring) -> Kept {
    let customer = CustomerNumber(Uuid::from_u128(42));
    assert_eq!(keys.refill().unwrap(), fichad::vault::keys::RESERVED_MAX);
    let (key, dek) = keys.take().unwrap();
    let (person, mut nonce) = (maria(), [0; 24]);
    os_random(&mut nonce).unwrap();
    let text = serde_json::to_vec(&person).unwrap();
    let sealed = seal(&dek, &place(customer, 1), &text, nonce).unwrap();
    let index = terms(&person).iter().map(|(field, term)| ring.index(*field, term)).collect();
    let section = serde_json::to_string(&sealed).unwrap();
    fs::write(folder.join("journal"), &section).unwrap();
    Kept { customer, key, section, card: ring.card_hash(&CardKey([7; 10])), index }
}

#[test]
fn a_customer_is_found_after_a_restart_and_gone_after_erasure() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    create_key_file(&folder.join("kek"), os_random).unwrap();
    let kek = KeySource::File(folder.join("kek")).load(None).unwrap();
    let ring = Keyring::create(folder, os_random).unwrap();
    let keys = KeyFile::create(&folder.join("keys"), &kek, os_random).unwrap();
    let kept = enrol(folder, &keys, &ring);
    drop((keys, ring));

    // Another run: the card and a search lead to the customer, whose section opens.
    let (keys, ring) = (open_keys(folder), Keyring::open(folder).unwrap());
    assert!(ring.card_hashes(&CardKey([7; 10])).contains(&kept.card));
    assert!(!ring.card_hashes(&CardKey([8; 10])).contains(&kept.card));
    let query = Query::read("garc mar", None).unwrap();
    let found = query.ways(&Narrowing::default())[0]
        .iter()
        .flatten()
        .all(|(field, term)| kept.index.contains(&ring.index(*field, term)));
    assert!(found);
    let sealed: Sealed = serde_json::from_str(&kept.section).unwrap();
    let dek = keys.dek(kept.key).unwrap();
    let text = open(&dek, &place(kept.customer, 1), &sealed).unwrap();
    let person: Person = serde_json::from_slice(&text).unwrap();
    assert_eq!((person.clone(), query.score(&person)), (maria(), Some(95)));
    assert!(open(&dek, &place(kept.customer, 2), &sealed).is_err());

    // Keys written ahead and never used are those that nothing refers to.
    let spare = keys.census().unwrap().live;
    assert_eq!(spare.iter().filter(|key| **key != kept.key).count(), spare.len() - 1);

    keys.destroy(kept.key).unwrap();
    drop(keys);
    assert!(matches!(open_keys(folder).dek(kept.key), Err(KeyError::Destroyed)));
    for file in fs::read_dir(folder).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        for secret in SECRETS.iter().filter(|secret| secret.len() > 3) {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
        }
    }
}

#[test]
fn a_locked_vault_still_knows_its_cards() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ring = Keyring::create(folder, os_random).unwrap();
    let card = ring.card_hash(&CardKey([7; 10]));
    let source = KeySource::File(folder.join("kek"));
    assert!(matches!(source.load(None), Err(KeyError::Missing { .. })));
    assert_eq!(Keyring::open(folder).unwrap().card_hash(&CardKey([7; 10])), card);
}

#[test]
fn debug_shows_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let kek = Kek::new(zeroize::Zeroizing::new([0xab; 32]));
    let ring = Keyring::create(folder.path(), os_random).unwrap();
    let keys = KeyFile::create(&folder.path().join("keys"), &kek, os_random).unwrap();
    let (_, dek): (KeyRef, Dek) = keys.allocate().unwrap();
    let person = maria();
    let customer = CustomerNumber(Uuid::from_u128(1));
    let sealed = seal(&dek, &place(customer, 1), b"Mar", [1; 24]).unwrap();
    let alias = Alias { programme: "old".to_owned(), code: "600123".to_owned() };
    let query = Query::read("garcia", None).unwrap();
    assert_eq!(format!("{kek:?} {dek:?}"), "Kek(••) Dek(••)");
    assert_eq!(format!("{ring:?}"), "Keyring(1 versions)");
    assert_eq!(format!("{:?}", ring.alias_hash(&alias)), "Hash16(••)");
    assert_eq!(format!("{sealed:?}"), "Sealed(73 bytes)");
    let shown = [
        format!("{person:?} {:?} {:?}", person.telephone, person.email),
        format!("{:?} {:?}", person.telephone[0].e164, person.email[0].addr),
        format!("{query:?} {:?} {alias:?}", masked(&person)),
        format!("{:?} {:?}", sealed, place(customer, 1)),
    ];
    for text in &shown {
        for secret in SECRETS {
            assert!(!text.contains(secret), "{text}");
        }
    }
    let keys = format!("{keys:?}");
    assert!(keys.starts_with("KeyFile { path:") && keys.ends_with("keys\", .. }"), "{keys}");
}
