//! What is kept of an operator's PIN, and whether another one is the same.
//!
//! A PIN has so few digits that any hash of it can be tried out, so it is hashed under the keyring first: whoever has the journal, a
//! snapshot or the second copy cannot try at all. Whoever has the keyring too, which lies in the state folder, pays Argon2id for each try.
//! Nothing here counts tries, and nothing keeps a PIN.

use super::keyring::{Hash16, Keyring};
use super::keys::KeyError;
use crate::domain::operator::{Operator, Pin, PinHash};
use argon2::{Algorithm, Argon2, Params, Version};

/// Argon2id, the OWASP Password Storage Cheat Sheet's first recommendation: 19 MiB, two passes, one lane. A till waits for it, so it is less
/// than what a passphrase costs.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// What is kept of `pin`. `salt` is never used for another.
///
/// # Errors
/// [`KeyError::Stretch`] when the host has no memory for it.
pub fn made(keyring: &Keyring, operator: &Operator, pin: &Pin, salt: [u8; 16]) -> Result<PinHash, KeyError> {
    let (keyring, keyed) = keyring.pin_hash(operator, pin);
    let hash = stretch(&keyed, &salt)?;
    Ok(PinHash { keyring, salt: Hash16(salt).hex(), hash: hash.hex() })
}

/// Whether `pin` is the one that `kept` was made of. Costs the same where nothing is kept, or cannot be compared any more.
///
/// # Errors
/// As [`made`].
pub fn fits(
    keyring: &Keyring,
    operator: &Operator,
    pin: &Pin,
    kept: Option<&PinHash>,
) -> Result<bool, KeyError> {
    let comparable = kept.and_then(|kept| {
        let keyed = keyring.pin_hash_of(kept.keyring, operator, pin)?;
        Some((keyed, Hash16::from_hex(&kept.salt)?, Hash16::from_hex(&kept.hash)?))
    });
    let known = comparable.is_some();
    let (keyed, salt, wanted) =
        comparable.unwrap_or_else(|| (keyring.pin_hash(operator, pin).1, Hash16([0; 16]), Hash16([0; 16])));
    let same = same(&stretch(&keyed, &salt.0)?, &wanted);
    Ok(known && same)
}

fn stretch(keyed: &Hash16, salt: &[u8; 16]) -> Result<Hash16, KeyError> {
    let mut hash = Hash16([0; 16]);
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(hash.0.len())).map_err(|_| KeyError::Stretch)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(&keyed.0, salt, &mut hash.0).map_err(|_| KeyError::Stretch)?;
    Ok(hash)
}

/// Looks at every byte, whichever differs.
fn same(one: &Hash16, other: &Hash16) -> bool {
    let difference = one.0.iter().zip(other.0).fold(0, |all, (one, other)| all | (one ^ other));
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::super::keys::os_random;
    use super::*;

    #[test]
    fn a_pin_fits_itself_its_operator_and_its_keyring() {
        let folder = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let keyring = Keyring::create(folder.path(), os_random).unwrap();
        let strange = Keyring::create(other.path(), os_random).unwrap();
        let (ana, eva): (Operator, Operator) = ("A".parse().unwrap(), "E".parse().unwrap());
        let pin = |text: &str| Pin::try_from(text.to_owned()).unwrap();
        let kept = made(&keyring, &ana, &pin("4829"), [7; 16]).unwrap();
        assert_eq!(kept, made(&keyring, &ana, &pin("4829"), [7; 16]).unwrap());
        assert_ne!(kept.hash, made(&keyring, &ana, &pin("4829"), [8; 16]).unwrap().hash);
        let fits = |keyring: &Keyring, operator: &Operator, text: &str| {
            fits(keyring, operator, &pin(text), Some(&kept)).unwrap()
        };
        assert!(fits(&keyring, &ana, "4829"));
        assert!(!fits(&keyring, &ana, "48290") && !fits(&keyring, &ana, "4828"));
        assert!(!fits(&keyring, &eva, "4829"), "of another operator");
        assert!(!fits(&strange, &ana, "4829"), "under another keyring");
        assert!(!super::fits(&keyring, &ana, &pin("4829"), None).unwrap());
        // A new version of the keyring takes nothing away.
        Keyring::rotate(folder.path(), os_random).unwrap();
        assert!(fits(&Keyring::open(folder.path()).unwrap(), &ana, "4829"));
    }
}
