//! The key file under another wrapping key: the same customers, places and generations, and no byte that the old one opens.

use super::slot::{self, HEADER_BYTES, SLOT_BYTES, State};
use super::{KeyError, KeyFile, KeyRef, NONCE_BYTES, unpoisoned, wrap};
use crate::vault::kek::Kek;
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::KeyInit;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

impl KeyFile {
    /// Whether `kek` is the key of the key file at `path`.
    ///
    /// # Errors
    /// As [`KeyFile::open`].
    pub fn opens(path: &Path, kek: &Kek) -> Result<(), KeyError> {
        let file = File::open(path).map_err(|source| {
            if source.kind() == io::ErrorKind::NotFound {
                return KeyError::NoKeyFile { path: path.to_owned() };
            }
            KeyError::io(path, source)
        })?;
        let mut header = [0; HEADER_BYTES];
        file.read_exact_at(&mut header, 0).map_err(|source| {
            if source.kind() == io::ErrorKind::UnexpectedEof {
                return KeyError::HeaderDamaged { path: path.to_owned() };
            }
            KeyError::io(path, source)
        })?;
        let cipher = XChaCha20Poly1305::new(kek.bytes().into());
        slot::check_header(&header, &cipher, path).map(drop)
    }

    /// The whole file, wrapped with `kek`: 128 bytes a customer. A slot that does not open stays as it is.
    ///
    /// # Errors
    /// [`KeyError::Random`], [`KeyError::Io`].
    pub fn wrapped_anew(&self, kek: &Kek) -> Result<Vec<u8>, KeyError> {
        let cipher = XChaCha20Poly1305::new(kek.bytes().into());
        let mut nonce = [0; NONCE_BYTES];
        self.fill(&mut nonce)?;
        let mut bytes = slot::header(&self.id, &nonce, &cipher);
        let next = unpoisoned(self.writer.lock()).next;
        for slot in 0..next {
            let Some(found) = self.read(slot)? else {
                // Damaged in both copies: what is left of it may still be put right by hand.
                let left =
                    self.copies.as_it_stands(slot).map_err(|source| KeyError::io(&self.path, source))?;
                bytes.extend_from_slice(left.map_or([0; SLOT_BYTES], |left| *left.as_bytes()).as_slice());
                continue;
            };
            let key = KeyRef { slot, generation: found.generation() };
            match (found.state(), self.unwrap(key, &found)) {
                (Some(State::Live), Ok(dek)) => {
                    bytes.extend_from_slice(wrap(&cipher, &self.id, key, &dek, self.random)?.as_bytes());
                }
                _ => bytes.extend_from_slice(found.as_bytes()),
            }
        }
        Ok(bytes)
    }
}
