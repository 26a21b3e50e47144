//! Who may be in the shop's files twice: a person that is taken in or changed, beside those who are here already.
//!
//! `terms` says where to look, [`Vault::twins`] opens the few that most terms lead to, `score` weighs what agrees
//! against what differs. Gives reasons in words of its own and never a value: nothing of this is logged, kept or merged by
//! itself. Who decides is a person at the desk.

mod profile;
mod score;
mod terms;

pub use profile::Profile;
pub use score::{Likeness, PROBABLE, compare};
pub use terms::{looked_for_by, pairs};

use super::keyring::IndexField;
use super::{INDEX, Vault, VaultError};
use crate::domain::id::CustomerNumber;
use crate::domain::person::Person;
use crate::domain::person::fields::Section;
use crate::log::Read;
use serde_json::{Map, Value};
use std::cmp::Reverse;
use std::collections::HashMap;
use uuid::Uuid;

/// The most customers under one term that are looked at; a term that more are under tells little.
const UNDER_TERM_MAX: usize = 64;

/// The most customers that are opened and compared: those that the most, and the rarest, terms lead to.
pub const COMPARED_MAX: usize = 8;

/// Somebody who is here already, and may be the same person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twin {
    /// The number that their sections are under.
    pub customer: CustomerNumber,
    /// How likely, and why.
    pub likeness: Likeness,
}

impl Vault {
    /// Who may be this person, the likeliest first: those whose score reaches [`PROBABLE`]. Opens at most
    /// [`COMPARED_MAX`] customers; `but` are passed over.
    ///
    /// # Errors
    /// [`VaultError::Locked`], or a failing view or key file.
    pub fn twins(
        &self,
        views: &(impl Read + ?Sized),
        (person, demographic): (&Person, &Map<String, Value>),
        but: &[CustomerNumber],
    ) -> Result<Vec<Twin>, VaultError> {
        let wanted = Profile::of(person, demographic);
        let mut twins = Vec::new();
        for customer in self.nearest(views, &looked_for_by(person, demographic), but)? {
            let own = match self.profile(views, customer) {
                Ok(Some(own)) => own,
                // Whoever cannot be read does not hide the others; who shows them says what is wrong.
                Ok(None) | Err(VaultError::Key(_) | VaultError::Seal(_) | VaultError::Layout { .. }) => {
                    continue;
                }
                Err(error) => return Err(error),
            };
            let likeness = compare(&wanted, &own);
            if likeness.score >= PROBABLE {
                twins.push(Twin { customer, likeness });
            }
        }
        twins.sort_by_key(|twin| Reverse(twin.likeness.score));
        Ok(twins)
    }

    /// The customers that these terms lead to, a rare term counting for more; the first [`COMPARED_MAX`].
    fn nearest(
        &self,
        views: &(impl Read + ?Sized),
        terms: &[super::lookup::Term],
        but: &[CustomerNumber],
    ) -> Result<Vec<CustomerNumber>, VaultError> {
        let mut votes: HashMap<CustomerNumber, u32> = HashMap::new();
        for (field, text) in terms {
            let mut found = Vec::new();
            for hash in self.keyring().indexes(*field, text) {
                found.extend(views.scan(INDEX, &hash.0, UNDER_TERM_MAX)?);
            }
            let vote = vote(*field, found.len());
            for (place, _) in found {
                let number = place.get(16..).and_then(|number| Uuid::from_slice(number).ok());
                let Some(customer) = number.map(CustomerNumber).filter(|number| !but.contains(number)) else {
                    continue;
                };
                let votes = votes.entry(customer).or_default();
                *votes = votes.saturating_add(vote);
            }
        }
        let mut nearest: Vec<(CustomerNumber, u32)> = votes.into_iter().collect();
        // Of those with as many votes always the same are opened.
        nearest.sort_unstable_by_key(|(customer, votes)| (Reverse(*votes), *customer));
        nearest.truncate(COMPARED_MAX);
        Ok(nearest.into_iter().map(|(customer, _)| customer).collect())
    }

    /// `None` of whoever is just being erased.
    fn profile(
        &self,
        views: &(impl Read + ?Sized),
        customer: CustomerNumber,
    ) -> Result<Option<Profile>, VaultError> {
        let key = match self.key_of(views, customer) {
            Ok(Some(key)) => key,
            Ok(None) | Err(VaultError::Erased) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(person) = self.person(views, &key)? else { return Ok(None) };
        Ok(Some(Profile::of(&person, &self.fields(views, &key, Section::Demographic)?)))
    }

    /// How two customers are alike; `None` if nothing is kept of one of them.
    ///
    /// # Errors
    /// As [`Self::twins`].
    pub fn likeness(
        &self,
        views: &(impl Read + ?Sized),
        one: CustomerNumber,
        other: CustomerNumber,
    ) -> Result<Option<Likeness>, VaultError> {
        let both = self.profile(views, one)?.zip(self.profile(views, other)?);
        Ok(both.map(|(one, other)| compare(&one, &other)))
    }
}

/// What being under a term says: the bits by which it narrows, up to a term that [`UNDER_TERM_MAX`] are under.
fn vote(field: IndexField, under: usize) -> u32 {
    // The doubt about a term that is cut off is the same as about a common one.
    let common = usize::BITS.saturating_sub(under.min(UNDER_TERM_MAX).leading_zeros());
    let own = if matches!(field, IndexField::Phone | IndexField::Email) { 2 } else { 1 };
    10_u32.saturating_sub(common).max(1).saturating_mul(own)
}

#[cfg(test)]
mod tests;
