//! The registry of fields: everything that is kept of a person in words, each with its section, what it is for, on which
//! legal ground, and how long.
//!
//! Pure data. Reading a form, the sections of the vault, retention and erasure all go by this one table, so that no field
//! can be kept that one of them does not know. It holds names of fields, never a value.

use crate::domain::time::Period;
use serde::{Deserialize, Serialize};

/// A part of a customer's file that is sealed, kept and let go as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// Names, telephone numbers, addresses. The only one that a form has to fill.
    Basic,
    /// Birthday and gender, as stated.
    Demographic,
    /// People around a business customer, as roles.
    Complementary,
    /// Studies and occupation.
    Academic,
    /// Marital status and children.
    Family,
    /// What fits nowhere else: tax number, handles.
    Other,
    /// Notes of the desk, each counted from when it was made.
    Notes,
    /// What a till should know of an issue.
    Hints,
    /// What the customer prefers.
    Preferences,
    /// What the customer agreed to.
    Consents,
    /// When shop and customer had to do with each other, each counted from when it was written down.
    Contacts,
    /// What the customer plans to buy, each counted from when it was told.
    Plans,
    /// What the customer answered when asked, each counted from then.
    Surveys,
}

impl Section {
    /// All of them, in the order of the registry.
    pub const ALL: [Self; 13] = [
        Self::Basic,
        Self::Demographic,
        Self::Complementary,
        Self::Academic,
        Self::Family,
        Self::Other,
        Self::Notes,
        Self::Hints,
        Self::Preferences,
        Self::Consents,
        Self::Contacts,
        Self::Plans,
        Self::Surveys,
    ];

    /// Those that a form fills; every one but the first is empty unless something is given.
    pub const OF_FORM: [Self; 6] =
        [Self::Basic, Self::Demographic, Self::Complementary, Self::Academic, Self::Family, Self::Other];

    /// Its name in the config and in answers.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Demographic => "demographic",
            Self::Complementary => "complementary",
            Self::Academic => "academic",
            Self::Family => "family",
            Self::Other => "other",
            Self::Notes => "notes",
            Self::Hints => "hints",
            Self::Preferences => "preferences",
            Self::Consents => "consents",
            Self::Contacts => "contacts",
            Self::Plans => "plans",
            Self::Surveys => "surveys",
        }
    }

    /// How long it is kept if the config says nothing: counted from the last visit, a note, a contact, a plan and an answer from when it
    /// was made. Consents stay as long as there is an address that they are about.
    #[must_use]
    pub fn keep(self) -> Period {
        match self {
            Self::Basic | Self::Consents => Period::Months(60),
            Self::Demographic | Self::Preferences => Period::Months(36),
            Self::Complementary
            | Self::Academic
            | Self::Notes
            | Self::Hints
            | Self::Contacts
            | Self::Plans
            | Self::Surveys => Period::Months(24),
            Self::Family | Self::Other => Period::Months(12),
        }
    }
}

/// On which ground a field is kept (GDPR article 6(1)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Basis {
    /// Point (a): the customer said yes to just this.
    Consent,
    /// Point (b): without it the programme or a claim cannot be carried out.
    Contract,
    /// Point (c): a law asks for it.
    Law,
    /// Point (f): what the shop wants it for weighs more than what it costs the customer.
    Interest,
}

/// What a field holds, and so how it is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text of one line.
    Text,
    /// Up to five of them.
    Texts,
    /// Numbers in E.164, with their kind.
    Telephones,
    /// E-mail addresses.
    Emails,
    /// BCP 47 tags.
    Languages,
    /// Structured postal addresses.
    Addresses,
    /// `MM-DD`, a day that there is.
    Day,
    /// A whole number between two, both included.
    Number(i64, i64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A longer text with a request of its own; no field of the form.
    Free,
}

/// One row of the registry.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name on the wire and in the vault: schema.org's or vCard's where they have one.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Where it is kept.
    pub section: Section,
    /// What it is for.
    pub purpose: &'static str,
    /// On which ground.
    pub basis: Basis,
    /// How long, where its section's period does not reach it.
    pub stays: Option<&'static str>,
}

impl Field {
    const fn stays(self, stays: &'static str) -> Self {
        Self { stays: Some(stays), ..self }
    }
}

const fn field(
    section: Section,
    name: &'static str,
    kind: Kind,
    purpose: &'static str,
    basis: Basis,
) -> Field {
    Field { name, kind, section, purpose, basis, stays: None }
}

const GREET: &str = "to greet and address the customer";
const REACH: &str = "to reach the customer about purchases and claims";
const FIND: &str = "to find the customer and tell namesakes apart";

/// Every field there is.
pub const FIELDS: &[Field] = &[
    field(Section::Basic, "honorificPrefix", Kind::Text, GREET, Basis::Contract),
    field(Section::Basic, "givenName", Kind::Text, GREET, Basis::Contract),
    field(Section::Basic, "additionalName", Kind::Text, GREET, Basis::Contract),
    field(Section::Basic, "familyName", Kind::Text, GREET, Basis::Contract),
    field(Section::Basic, "familyName2", Kind::Text, GREET, Basis::Contract),
    field(Section::Basic, "honorificSuffix", Kind::Text, GREET, Basis::Contract),
    field(Section::Basic, "preferredName", Kind::Text, GREET, Basis::Contract),
    field(Section::Basic, "phoneticGivenName", Kind::Text, FIND, Basis::Contract),
    field(Section::Basic, "phoneticFamilyName", Kind::Text, FIND, Basis::Contract),
    field(Section::Basic, "org", Kind::Text, "to serve and invoice a business", Basis::Contract),
    field(Section::Basic, "jobTitle", Kind::Text, "to address a business's contact", Basis::Contract),
    field(Section::Basic, "telephone", Kind::Telephones, REACH, Basis::Contract),
    field(Section::Basic, "email", Kind::Emails, REACH, Basis::Contract),
    field(Section::Basic, "address", Kind::Addresses, "to deliver and invoice", Basis::Contract),
    field(Section::Basic, "knowsLanguage", Kind::Languages, GREET, Basis::Contract),
    field(
        Section::Demographic,
        "gender",
        Kind::Word(GENDERS),
        "to address as stated, never guessed",
        Basis::Consent,
    ),
    field(
        Section::Demographic,
        "birthDay",
        Kind::Day,
        "to congratulate, and tell namesakes apart",
        Basis::Consent,
    ),
    field(
        Section::Demographic,
        "birthYear",
        Kind::Number(1900, 2100),
        "to sell what has an age limit",
        Basis::Consent,
    ),
    field(Section::Complementary, "contactRoles", Kind::Texts, "whom to ask at a business", Basis::Interest),
    field(
        Section::Academic,
        "educationalLevel",
        Kind::Number(0, 8),
        "to advise (ISCED 2011 level)",
        Basis::Consent,
    ),
    field(Section::Academic, "hasCredential", Kind::Texts, "to sell what needs a licence", Basis::Consent),
    field(Section::Academic, "occupation", Kind::Text, "to advise", Basis::Consent),
    field(Section::Family, "maritalStatus", Kind::Word(MARITAL), "offers for households", Basis::Consent),
    field(Section::Family, "childrenCount", Kind::Number(0, 30), "offers for households", Basis::Consent),
    field(Section::Other, "taxID", Kind::Text, "to invoice", Basis::Law),
    field(
        Section::Other,
        "socialHandles",
        Kind::Texts,
        "to answer where the customer writes",
        Basis::Consent,
    ),
    field(Section::Notes, "note", Kind::Free, "what the desk agreed with the customer", Basis::Interest),
    field(Section::Hints, "hint", Kind::Free, "what a till must know of an open issue", Basis::Contract),
    field(
        Section::Preferences,
        "preference",
        Kind::Free,
        "to serve as the customer likes it",
        Basis::Consent,
    ),
    field(
        Section::Preferences,
        "cardHolder",
        Kind::Free,
        "to greet whoever of the household shows the card",
        Basis::Consent,
    ),
    field(
        Section::Preferences,
        "objection",
        Kind::Free,
        "to leave out whoever objects to being profiled",
        Basis::Law,
    )
    .stays("until it is taken back"),
    field(
        Section::Consents,
        "consent",
        Kind::Free,
        "to know and prove what the customer agreed to",
        Basis::Law,
    ),
    field(
        Section::Contacts,
        "contact",
        Kind::Free,
        "to answer knowing what was said, and not to write too often",
        Basis::Interest,
    ),
    field(Section::Plans, "plan", Kind::Free, "to advise on what the customer wants to buy", Basis::Consent),
    field(Section::Surveys, "surveyAnswer", Kind::Free, "to learn what customers think", Basis::Consent),
];

/// vCard GENDER (RFC 6350 section 6.2.7): male, female, other, none, unknown.
const GENDERS: &[&str] = &["M", "F", "O", "N", "U"];
const MARITAL: &[&str] = &["single", "partnered", "married", "separated", "divorced", "widowed"];

/// The row of a field.
#[must_use]
pub fn named(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_field_has_its_own_name_and_every_section_a_field() {
        let names: BTreeSet<&str> = FIELDS.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), FIELDS.len());
        let sections: BTreeSet<Section> = FIELDS.iter().map(|field| field.section).collect();
        assert_eq!(sections, BTreeSet::from(Section::ALL));
        assert!(FIELDS.iter().all(|field| !field.purpose.is_empty()));
        for field in FIELDS {
            let of_form = Section::OF_FORM.contains(&field.section);
            assert_eq!(of_form, field.kind != Kind::Free, "{}", field.name);
        }
    }
}
