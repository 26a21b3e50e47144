//! How a section lies in its view.

use super::keys::KeyRef;
use super::seal::Sealed;
use super::{SECTIONS, TILL, TILLS, VaultError};
use crate::domain::id::CustomerNumber;
use crate::log::{Read, View};

/// Where a section is: what a till is shown under its customer's number, any other under that and its name.
pub(super) fn at(customer: CustomerNumber, section: &str) -> (View, Vec<u8>) {
    if section == TILL {
        (TILLS, customer.0.as_bytes().to_vec())
    } else {
        (SECTIONS, section_key(customer, section))
    }
}

/// Names and values of a customer's sections, at most `limit`, and what a till is shown beside them.
pub(super) fn sections(
    views: &(impl Read + ?Sized),
    customer: CustomerNumber,
    limit: usize,
) -> Result<Vec<(String, Vec<u8>)>, VaultError> {
    let own = customer.0.as_bytes();
    let mut sections = Vec::new();
    for (place, kept) in views.scan(SECTIONS, own, limit)? {
        let name = place.get(own.len()..).and_then(|name| std::str::from_utf8(name).ok());
        sections.push((name.ok_or(VaultError::Layout { what: "section name" })?.to_owned(), kept));
    }
    sections.extend(views.get(TILLS, own)?.map(|kept| (TILL.to_owned(), kept)));
    Ok(sections)
}

/// Under its customer's number and its name: every section but [`TILL`].
pub(super) fn section_key(customer: CustomerNumber, section: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(section.len().saturating_add(16));
    key.extend_from_slice(customer.0.as_bytes());
    key.extend_from_slice(section.as_bytes());
    key
}

/// A section's value in the view: revision (8 bytes), slot and generation of the key it is sealed under (4 bytes each), all
/// big-endian, then the sealed bytes.
pub(super) struct SectionKept {
    pub(super) rev: u64,
    pub(super) place: KeyRef,
    pub(super) sealed: Sealed,
}

pub(super) fn keep(rev: u64, place: KeyRef, sealed: &[u8]) -> Vec<u8> {
    [&rev.to_be_bytes(), &place.slot.to_be_bytes()[..], &place.generation.to_be_bytes(), sealed].concat()
}

pub(super) fn parse_kept(kept: &[u8]) -> Result<SectionKept, VaultError> {
    let parse = || {
        let (rev, rest) = kept.split_first_chunk()?;
        let (slot, rest) = rest.split_first_chunk()?;
        let (generation, sealed) = rest.split_first_chunk()?;
        let place = KeyRef { slot: u32::from_be_bytes(*slot), generation: u32::from_be_bytes(*generation) };
        Some(SectionKept { rev: u64::from_be_bytes(*rev), place, sealed: Sealed::from_kept(sealed) })
    };
    parse().ok_or(VaultError::Layout { what: "section" })
}
