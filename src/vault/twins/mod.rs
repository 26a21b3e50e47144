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
use terms::is_same_sort;
pub use terms::{found_by, looked_for_by, pairs, reached_by};

use super::keyring::IndexField;
use super::lookup::Term;
use super::{INDEX, Vault, VaultError};
use crate::domain::id::CustomerNumber;
use crate::domain::person::Person;
use crate::domain::person::fields::Section;
use crate::log::Read;
use serde_json::{Map, Value};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;
use uuid::Uuid;

/// The most customers under one term that are looked at; a term that more are under tells little.
pub const UNDER_TERM_MAX: usize = 64;

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

/// What somebody shares with whoever is looked for, of the terms of the blind indexes alone.
#[derive(Default)]
struct Shares<'t> {
    votes: u32,
    /// One of the terms.
    term: Option<&'t Term>,
    /// Things of more than one sort, or a telephone number or e-mail address, which few share who are strangers.
    several: bool,
}

impl<'t> Shares<'t> {
    fn add(&mut self, term: &'t Term, vote: u32) {
        self.votes = self.votes.saturating_add(vote);
        let other = self.term.replace(term).is_some_and(|before| !is_same_sort(before, term));
        self.several |= other || is_ones_own(term.0);
    }
}

impl Vault {
    /// Who may be this person, the likeliest first: those whose score reaches [`PROBABLE`]. Opens at most
    /// [`COMPARED_MAX`] customers; `but` are passed over. Once one of them is told as this person, whoever shares a single thing
    /// is not opened any more: of such there are many, and hardly one of them is meant.
    ///
    /// # Errors
    /// [`VaultError::Locked`], or a failing view or key file.
    pub fn twins(
        &self,
        views: &(impl Read + ?Sized),
        (person, demographic): (&Person, &Map<String, Value>),
        but: &[CustomerNumber],
    ) -> Result<Vec<Twin>, VaultError> {
        let under = |(field, text): &Term| {
            let mut found = Vec::new();
            for hash in self.keyring().indexes(*field, text) {
                found.extend(views.scan(INDEX, &hash.0, UNDER_TERM_MAX)?);
            }
            let number = |place: Vec<u8>| Uuid::from_slice(place.get(16..)?).ok().map(CustomerNumber);
            Ok(found.into_iter().filter_map(|(place, _)| number(place)).collect())
        };
        let profile = |customer| match self.profile(views, customer) {
            // Whoever cannot be read does not hide the others; who shows them says what is wrong.
            Err(VaultError::Key(_) | VaultError::Seal(_) | VaultError::Layout { .. }) => Ok(None),
            profile => profile,
        };
        let likely = likely((person, demographic), but, under, profile)?;
        Ok(likely.into_iter().map(|(customer, likeness)| Twin { customer, likeness }).collect())
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

/// Who of many may be this person, the likeliest first: customers who are kept, or rows of a file. `under` gives who is under a
/// term, at most [`UNDER_TERM_MAX`] of them; `profile` opens one, `None` of whoever cannot be; `but` are passed over.
///
/// # Errors
/// Those of `under` and `profile`.
pub fn likely<W: Copy + Ord + Hash, E>(
    (person, demographic): (&Person, &Map<String, Value>),
    but: &[W],
    under: impl Fn(&Term) -> Result<Vec<W>, E>,
    profile: impl Fn(W) -> Result<Option<Profile>, E>,
) -> Result<Vec<(W, Likeness)>, E> {
    let wanted = Profile::of(person, demographic);
    let mut twins: Vec<(W, Likeness)> = Vec::new();
    let terms = looked_for_by(person, demographic);
    for (who, shares) in nearest(&terms, but, under)? {
        // Another of the household hides nobody.
        if !shares.several && twins.iter().any(|(_, likeness)| !likeness.household) {
            continue;
        }
        let Some(own) = profile(who)? else { continue };
        let likeness = compare(&wanted, &own);
        if likeness.score >= PROBABLE {
            twins.push((who, likeness));
        }
    }
    twins.sort_by_key(|(_, likeness)| Reverse(likeness.score));
    Ok(twins)
}

/// Those that these terms lead to and what they share, a rare term counting for more; the first [`COMPARED_MAX`].
fn nearest<'t, W: Copy + Ord + Hash, E>(
    terms: &'t [Term],
    but: &[W],
    under: impl Fn(&Term) -> Result<Vec<W>, E>,
) -> Result<Vec<(W, Shares<'t>)>, E> {
    let mut all: HashMap<W, Shares<'_>> = HashMap::new();
    for term in terms {
        let found = under(term)?;
        let vote = vote(term.0, found.len());
        for who in found.into_iter().filter(|who| !but.contains(who)) {
            all.entry(who).or_default().add(term, vote);
        }
    }
    let mut nearest: Vec<(W, Shares<'_>)> = all.into_iter().collect();
    // Of those with as many votes always the same are opened.
    nearest.sort_unstable_by_key(|(who, shares)| (Reverse(shares.votes), *who));
    nearest.truncate(COMPARED_MAX);
    Ok(nearest)
}

/// What being under a term says: the bits by which it narrows, up to a term that [`UNDER_TERM_MAX`] are under.
fn vote(field: IndexField, under: usize) -> u32 {
    // The doubt about a term that is cut off is the same as about a common one.
    let common = usize::BITS.saturating_sub(under.min(UNDER_TERM_MAX).leading_zeros());
    let own = if is_ones_own(field) { 2 } else { 1 };
    10_u32.saturating_sub(common).max(1).saturating_mul(own)
}

fn is_ones_own(field: IndexField) -> bool {
    matches!(field, IndexField::Phone | IndexField::Email)
}

#[cfg(test)]
mod tests;
