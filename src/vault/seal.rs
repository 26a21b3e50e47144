//! Sealing: a section of a customer's file under that customer's own data key.
//!
//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03). The customer, the section and its revision are
//! authenticated with it, so a sealed section cannot be passed off as another's or as an older one. Never
//! makes randomness and never keeps a key: both are arguments.

use super::keys::Dek;
use crate::domain::id::CustomerNumber;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use zeroize::Zeroizing;

/// Bytes of a nonce. Random ones of this length can be drawn for ever without a repeat.
pub const NONCE_BYTES: usize = 24;
/// Bytes that sealing adds to prove that nothing was changed.
pub const TAG_BYTES: usize = 16;
/// What is sealed is filled up to a multiple of this, so that a length tells little of a name. One byte is always added
/// (ISO/IEC 7816-4: `80`, then zeros), so 32 bytes of text take 64.
pub const PAD_BYTES: usize = 32;
/// The longest text of one section: a long note is some 4 KiB.
pub const PLAINTEXT_BYTES_MAX: usize = 64 * 1024;

const FORMAT: u8 = 1;
const SEALED_BYTES_MAX: usize = 1 + NONCE_BYTES + PLAINTEXT_BYTES_MAX + PAD_BYTES + TAG_BYTES;

/// What a sealed section belongs to; it opens under exactly this and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aad<'a> {
    /// Whose it is.
    pub customer: CustomerNumber,
    /// Which section, such as `basic` or `note`.
    pub section: &'a str,
    /// Which version of that section.
    pub rev: u64,
}

impl Aad<'_> {
    /// A length before the only part that varies, so that no two places give the same bytes.
    fn encode(&self) -> Vec<u8> {
        let section = self.section.as_bytes();
        let length = u64::try_from(section.len()).unwrap_or(u64::MAX);
        let mut bytes = Vec::from(*b"ficha section 1");
        bytes.extend_from_slice(self.customer.0.as_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(section);
        bytes.extend_from_slice(&self.rev.to_le_bytes());
        bytes
    }
}

/// A sealed section: format (1 byte), nonce (24), ciphertext, tag (16).
///
/// In serde: base64 text where the format is for people, plain bytes elsewhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// Takes what was kept; whether it is whole, [`open`] tells.
    #[must_use]
    pub fn from_kept(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// The whole of it, as kept.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Shows its length only.
impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// Why something was not sealed or not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Shorten it; nothing was sealed.
    #[error("a section holds at most {PLAINTEXT_BYTES_MAX} bytes: shorten the text")]
    TooLong,
    /// Another key, another customer, section or revision, or changed bytes; the cipher cannot tell which.
    #[error(
        "a sealed section does not open: it was changed, or belongs to another customer, section or revision"
    )]
    NotThis,
    /// Written by a later fichad.
    #[error("a sealed section has format {found}, which this fichad does not know: install the newer one")]
    Format {
        /// The format byte found.
        found: u8,
    },
}

/// Seals `plaintext`. `nonce` is random, drawn anew for each call.
///
/// # Errors
/// [`SealError::TooLong`] above [`PLAINTEXT_BYTES_MAX`].
pub fn seal(
    dek: &Dek,
    what: &Aad<'_>,
    plaintext: &[u8],
    nonce: [u8; NONCE_BYTES],
) -> Result<Sealed, SealError> {
    if plaintext.len() > PLAINTEXT_BYTES_MAX {
        return Err(SealError::TooLong);
    }
    let padded = pad(plaintext);
    let cipher = XChaCha20Poly1305::new(dek.bytes().into());
    let ciphertext = encrypt(&cipher, &nonce, &what.encode(), &padded).ok_or(SealError::TooLong)?;
    let mut bytes = Vec::with_capacity(ciphertext.len().saturating_add(1 + NONCE_BYTES));
    bytes.push(FORMAT);
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(&ciphertext);
    Ok(Sealed(bytes))
}

/// Opens what [`seal`] made, if key, customer, section and revision are the same.
///
/// # Errors
/// [`SealError::NotThis`] if they are not or a byte was changed; [`SealError::Format`] for a later format.
pub fn open(dek: &Dek, what: &Aad<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (format, rest) = sealed.0.split_first().ok_or(SealError::NotThis)?;
    if *format != FORMAT {
        return Err(SealError::Format { found: *format });
    }
    let (nonce, ciphertext) = rest.split_first_chunk().ok_or(SealError::NotThis)?;
    let cipher = XChaCha20Poly1305::new(dek.bytes().into());
    let mut padded = decrypt(&cipher, nonce, &what.encode(), ciphertext).ok_or(SealError::NotThis)?;
    let end = padded.iter().rposition(|byte| *byte != 0).ok_or(SealError::NotThis)?;
    if padded.get(end) != Some(&PAD_MARK) {
        return Err(SealError::NotThis);
    }
    padded.truncate(end);
    Ok(padded)
}

const PAD_MARK: u8 = 0x80;

fn pad(plaintext: &[u8]) -> Zeroizing<Vec<u8>> {
    let length = plaintext.len().saturating_add(1).next_multiple_of(PAD_BYTES);
    let mut padded = Zeroizing::new(Vec::with_capacity(length));
    padded.extend_from_slice(plaintext);
    padded.push(PAD_MARK);
    padded.resize(length, 0);
    padded
}

/// The cipher as every file of this room uses it. `None` only for a length that the cipher does not take (256 GiB).
pub(super) fn encrypt(
    cipher: &XChaCha20Poly1305,
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    plaintext: &[u8],
) -> Option<Vec<u8>> {
    cipher.encrypt(&XNonce::from(*nonce), Payload { msg: plaintext, aad }).ok()
}

/// The way back of [`encrypt`]; `None` if key, nonce, `aad` or a byte is another.
pub(super) fn decrypt(
    cipher: &XChaCha20Poly1305,
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    ciphertext: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    cipher.decrypt(&XNonce::from(*nonce), Payload { msg: ciphertext, aad }).ok().map(Zeroizing::new)
}

impl Serialize for Sealed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(&base64::display::Base64Display::new(&self.0, &STANDARD))
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Sealed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(SealedVisitor)
        } else {
            deserializer.deserialize_bytes(SealedVisitor)
        }
    }
}

struct SealedVisitor;

impl de::Visitor<'_> for SealedVisitor {
    type Value = Sealed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sealed section: base64 text or bytes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Sealed, E> {
        let bytes = STANDARD.decode(text).map_err(|_| E::custom("a sealed section is base64 text"))?;
        self.visit_bytes(&bytes)
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Sealed, E> {
        let lengths = 1 + NONCE_BYTES + PAD_BYTES + TAG_BYTES..=SEALED_BYTES_MAX;
        if !lengths.contains(&bytes.len()) {
            return Err(E::custom("a sealed section is too short or too long to be one"));
        }
        Ok(Sealed(bytes.to_vec()))
    }
}

#[cfg(test)]
mod tests;
