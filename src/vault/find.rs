//! From a card, or from what people say of themselves, to customer numbers: by keyed hashes alone, nothing is opened.

use super::keyring::Hash16;
use super::lookup::Term;
use super::{INDEX, LINKS, Link, Vault, VaultError};
use crate::domain::code::{Alias, CardKey};
use crate::domain::id::CustomerNumber;
use crate::log::Read;
use std::collections::BTreeSet;

/// The most customers that one look-up gives, each to be opened and compared; more is «narrow it down».
pub const FOUND_MAX: usize = 200;

/// The most customers under one term that a look-up goes through. A term that more are under needs a second one.
const CANDIDATES_MAX: usize = 20_000;

impl Vault {
    /// Where a card of ours leads, tried under every version of the keyring, newest first.
    ///
    /// # Errors
    /// A failing view.
    pub fn link(&self, views: &(impl Read + ?Sized), card: &CardKey) -> Result<Option<Link>, VaultError> {
        first_link(views, &self.keyring.card_hashes(card))
    }

    /// Where an imported card leads.
    ///
    /// # Errors
    /// A failing view.
    pub fn alias_link(
        &self,
        views: &(impl Read + ?Sized),
        alias: &Alias,
    ) -> Result<Option<Link>, VaultError> {
        first_link(views, &self.keyring.alias_hashes(alias))
    }

    /// Whether views may still lead to this customer although they were erased, or are about to be: their end is in the list, and the
    /// views were not made anew since. Looks into memory alone.
    #[must_use]
    pub fn may_be_erased(&self, customer: CustomerNumber) -> bool {
        self.lists.is_ending(customer)
    }

    /// Customers that one term at least of every group leads to, at most [`FOUND_MAX`], and whether there may be more.
    ///
    /// # Errors
    /// A failing view.
    pub fn find(
        &self,
        views: &(impl Read + ?Sized),
        groups: &[Vec<Term>],
    ) -> Result<(Vec<CustomerNumber>, bool), VaultError> {
        let hashes_of = |group: &Vec<Term>| {
            group.iter().flat_map(|(field, text)| self.keyring.indexes(*field, text)).collect()
        };
        let hashes: Vec<Vec<Hash16>> = groups.iter().map(hashes_of).collect();
        // The group that the fewest are under is gone through, the others are only looked up.
        let mut fewest: Option<Vec<Vec<u8>>> = None;
        for group in &hashes {
            // No more need be read than there are under the smallest so far.
            let enough = fewest.as_ref().map_or(CANDIDATES_MAX, Vec::len);
            let mut places = Vec::new();
            for hash in group {
                places.extend(views.scan(INDEX, &hash.0, enough)?.into_iter().map(|(place, _)| place));
            }
            if fewest.as_ref().is_none_or(|fewest| places.len() < fewest.len()) {
                fewest = Some(places);
            }
        }
        let places = fewest.unwrap_or_default();
        let mut more = places.len() >= CANDIDATES_MAX;
        let mut found = BTreeSet::new();
        for place in places {
            let Some(customer) = place.get(16..) else { continue };
            if !under_all(views, &hashes, customer)? {
                continue;
            }
            if found.len() == FOUND_MAX {
                more = true;
                break;
            }
            found.extend(uuid::Uuid::from_slice(customer).ok().map(CustomerNumber));
        }
        Ok((found.into_iter().collect(), more))
    }
}

/// Whether `customer` stands under a hash of every group.
fn under_all(
    views: &(impl Read + ?Sized),
    hashes: &[Vec<Hash16>],
    customer: &[u8],
) -> Result<bool, VaultError> {
    for group in hashes {
        let mut there = false;
        for hash in group {
            there = there || views.get(INDEX, &[&hash.0, customer].concat())?.is_some();
        }
        if !there {
            return Ok(false);
        }
    }
    Ok(true)
}

fn first_link(views: &(impl Read + ?Sized), hashes: &[Hash16]) -> Result<Option<Link>, VaultError> {
    for hash in hashes {
        if let Some(kept) = views.get(LINKS, &hash.0)? {
            let link = postcard::from_bytes(&kept).map_err(|_| VaultError::Layout { what: "link" })?;
            return Ok(Some(link));
        }
    }
    Ok(None)
}
