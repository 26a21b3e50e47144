//! Tests of `seal`.

use super::super::keys::Dek;
use super::*;
use proptest::prelude::*;
use uuid::Uuid;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn dek(byte: u8) -> Dek {
    Dek::of([byte; 32])
}

fn aad(section: &str) -> Aad<'_> {
    Aad { customer: CustomerNumber(Uuid::from_u128(7)), section, rev: 3 }
}

/// draft-irtf-cfrg-xchacha-03, appendix A.3.1.
#[test]
fn the_cipher_gives_the_known_answer() {
    let key: Vec<u8> = (0x80..=0x9f).collect();
    let cipher = XChaCha20Poly1305::new_from_slice(&key).unwrap();
    let nonce: Vec<u8> = (0x40..=0x57).collect();
    let nonce: [u8; NONCE_BYTES] = nonce.try_into().unwrap();
    let aad = hex("50515253c0c1c2c3c4c5c6c7");
    let text =
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
                 sunscreen would be it.";
    let want = hex(
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39\
         ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9\
         21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49",
    );
    assert_eq!(encrypt(&cipher, &nonce, &aad, text).unwrap(), want);
    assert_eq!(decrypt(&cipher, &nonce, &aad, &want).unwrap().as_slice(), text);
}

#[test]
fn it_opens_for_one_customer_section_and_revision_only() {
    let right = aad("basic");
    let sealed = seal(&dek(1), &right, b"Maria", [9; 24]).unwrap();
    assert_eq!(open(&dek(1), &right, &sealed).unwrap().as_slice(), b"Maria");
    let other = CustomerNumber(Uuid::from_u128(8));
    for wrong in [
        Aad { customer: other, ..right },
        Aad { section: "note", ..right },
        Aad { section: "basi", ..right },
        Aad { rev: 2, ..right },
        Aad { rev: 4, ..right },
    ] {
        assert_eq!(open(&dek(1), &wrong, &sealed).unwrap_err(), SealError::NotThis, "{wrong:?}");
    }
    assert_eq!(open(&dek(2), &right, &sealed).unwrap_err(), SealError::NotThis);
}

#[test]
fn no_two_places_encode_alike() {
    // The end of one section's name and the start of the revision after it could be the same bytes.
    let long = Aad { section: "a\u{1}\0\0\0\0\0\0\0", rev: 2, ..aad("") };
    let short = Aad { section: "a", rev: 1, ..aad("") };
    assert!(!long.encode().starts_with(&short.encode()));
    assert_ne!(aad("ab").encode(), aad("a").encode());
}

#[test]
fn a_changed_byte_does_not_open() {
    let sealed = seal(&dek(1), &aad("basic"), b"Maria", [9; 24]).unwrap();
    for at in 0..sealed.0.len() {
        let mut changed = sealed.clone();
        changed.0[at] ^= 1;
        let want = if at == 0 { SealError::Format { found: 0 } } else { SealError::NotThis };
        assert_eq!(open(&dek(1), &aad("basic"), &changed).unwrap_err(), want, "byte {at}");
    }
    for length in 0..sealed.0.len() {
        let cut = Sealed(sealed.0[..length].to_vec());
        assert_eq!(open(&dek(1), &aad("basic"), &cut).unwrap_err(), SealError::NotThis, "{length} bytes");
    }
}

#[test]
fn a_length_says_little() {
    let length = |count| seal(&dek(1), &aad("basic"), &vec![b'x'; count], [9; 24]).unwrap().0.len();
    assert_eq!(length(0), 1 + 24 + 32 + 16);
    assert_eq!(length(31), length(0));
    assert_eq!(length(32), length(0) + 32);
    assert_eq!(length(63), length(32));
}

#[test]
fn a_text_has_a_limit() {
    let longest = vec![b'x'; PLAINTEXT_BYTES_MAX];
    let sealed = seal(&dek(1), &aad("note"), &longest, [9; 24]).unwrap();
    let kept: Sealed = postcard::from_bytes(&postcard::to_stdvec(&sealed).unwrap()).unwrap();
    assert_eq!(open(&dek(1), &aad("note"), &kept).unwrap().as_slice(), longest);
    let longer = vec![b'x'; PLAINTEXT_BYTES_MAX + 1];
    assert_eq!(seal(&dek(1), &aad("note"), &longer, [9; 24]).unwrap_err(), SealError::TooLong);
}

#[test]
fn it_is_text_for_people_and_bytes_elsewhere() {
    let sealed = seal(&dek(1), &aad("basic"), b"Maria", [9; 24]).unwrap();
    let json = serde_json::to_string(&sealed).unwrap();
    assert_eq!(json, format!("\"{}\"", STANDARD.encode(sealed.as_bytes())));
    assert_eq!(serde_json::from_str::<Sealed>(&json).unwrap(), sealed);
    let bytes = postcard::to_stdvec(&sealed).unwrap();
    assert_eq!(bytes.len(), sealed.0.len() + 1);
    assert_eq!(postcard::from_bytes::<Sealed>(&bytes).unwrap(), sealed);
    for bad in ["\"\"", "\"AQ==\"", "\"not base64\"", "[1,2]", "7"] {
        assert!(serde_json::from_str::<Sealed>(bad).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn what_is_sealed_opens(
        text in proptest::collection::vec(any::<u8>(), 0..300),
        key: u8, nonce: [u8; 24], rev: u64, section in "[a-z]{0,12}",
    ) {
        let what = Aad { rev, ..aad(&section) };
        let sealed = seal(&dek(key), &what, &text, nonce).unwrap();
        let opened = open(&dek(key), &what, &sealed).unwrap();
        prop_assert_eq!(opened.as_slice(), text.as_slice());
    }
}
