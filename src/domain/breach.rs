//! What somebody who got hold of something of ours can read with it, and what the law asks for then.
//!
//! Pure rules. The table that they follow, with its reasons, is in `src/vault/ERASURE.md`; the articles are those of the GDPR
//! (Regulation (EU) 2016/679).

use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use uuid::Uuid;

/// How long after becoming aware of it the authority is to be told, article 33(1).
pub const NOTIFY_WITHIN: Duration = Duration::from_hours(72);

/// Something that got into other hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Taken {
    /// `store` and `vault` of the state folder, their second copy, or a backup of them.
    Store,
    /// The folder `keyring`, or a copy.
    Keyring,
    /// `keys` and `keys.ways`, or a copy.
    Keys,
    /// The vault's key itself: its file, the credential opened, or the passphrase.
    VaultKey,
    /// The machine while fichad ran on it, or an account that is fichad's.
    Machine,
}

/// Where the vault's key was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum KeyPlace {
    /// A file inside the state folder: whoever has the whole folder has the key.
    StateFolder,
    /// A file elsewhere.
    File,
    /// A systemd credential.
    Credential,
    /// In nobody's keeping but a person's memory; a wrapped copy lies in `keys.ways`.
    Passphrase,
}

/// What can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Readable {
    /// Nothing of anybody.
    Nothing,
    /// Customer numbers with their sales, points and issues; no person.
    Books,
    /// The same, and whether somebody whose name, telephone number or card is already known is among the customers.
    Matching,
    /// Everything that is kept.
    Everything,
}

/// What the rules say of a theft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// What can be read as it is.
    pub readable: Readable,
    /// Whether whoever guesses the passphrase can read everything.
    pub by_guessing: bool,
}

/// What article 33 asks for, telling the authority, or article 34, telling the persons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Duty {
    /// It is to be done.
    Due,
    /// It depends on what only the shop knows; not doing it needs a reason that is written down.
    Judge,
    /// It is not asked for.
    None,
}

impl Reach {
    /// What can be read with all of `taken` together.
    #[must_use]
    pub fn of(taken: &BTreeSet<Taken>, key: KeyPlace) -> Self {
        let has = |one: Taken| taken.contains(&one);
        let opened = has(Taken::Keys) && has(Taken::VaultKey);
        let readable = match (has(Taken::Machine), has(Taken::Store)) {
            (true, _) => Readable::Everything,
            (false, true) if opened => Readable::Everything,
            (false, true) if has(Taken::Keyring) => Readable::Matching,
            (false, true) => Readable::Books,
            (false, false) => Readable::Nothing,
        };
        let wrapped = key == KeyPlace::Passphrase && has(Taken::Store) && has(Taken::Keys);
        Self { readable, by_guessing: wrapped && readable != Readable::Everything }
    }

    /// Telling the authority, article 33(1): unless there is hardly a risk for anybody.
    #[must_use]
    pub fn authority(self) -> Duty {
        match self.readable {
            Readable::Everything | Readable::Matching => Duty::Due,
            Readable::Books | Readable::Nothing if self.by_guessing => Duty::Due,
            Readable::Books => Duty::Judge,
            Readable::Nothing => Duty::None,
        }
    }

    /// Telling the persons, article 34: not where what was taken cannot be understood by whoever has it, (3)(a).
    #[must_use]
    pub fn persons(self) -> Duty {
        match self.readable {
            Readable::Everything => Duty::Due,
            Readable::Matching => Duty::Judge,
            Readable::Books | Readable::Nothing if self.by_guessing => Duty::Judge,
            Readable::Books | Readable::Nothing => Duty::None,
        }
    }
}

/// A breach as it is written down, article 33(5): numbers and words of lists, no text and nobody's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breach {
    /// Its number.
    pub breach: Uuid,
    /// When the shop became aware of it.
    pub found_at: Timestamp,
    /// What was taken.
    pub taken: BTreeSet<Taken>,
    /// Where the vault's key was.
    pub key: KeyPlace,
    /// What follows.
    pub reach: Reach,
    /// Whose data it is about.
    pub whose: Whose,
    /// The user who wrote it down.
    pub by: u32,
}

/// How many customers there are, and of how many there is what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whose {
    /// Customers of whom something is sealed.
    pub persons: u64,
    /// Customers whose key was destroyed: of them nothing can be read by anybody.
    pub erased: u64,
    /// Customer numbers with nothing sealed.
    pub anonymous: u64,
    /// Persons by the kind of section that they have; cards are counted as `card`.
    pub sections: BTreeMap<String, u64>,
}

impl Whose {
    /// Counts one customer. `sections` are the names that they have in the vault, `None` of somebody erased.
    pub fn count(&mut self, sections: Option<&[String]>) {
        let Some(names) = sections else {
            self.erased = self.erased.saturating_add(1);
            return;
        };
        let kind = |name: &String| name.split(':').next().unwrap_or_default().to_owned();
        let kinds: BTreeSet<String> = names.iter().map(kind).collect();
        let one = if kinds.is_empty() { &mut self.anonymous } else { &mut self.persons };
        *one = one.saturating_add(1);
        for kind in kinds {
            let count = self.sections.entry(kind).or_default();
            *count = count.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Taken::{Keyring, Keys, Machine, Store, VaultKey};

    fn reach(taken: &[Taken], key: KeyPlace) -> Reach {
        Reach::of(&taken.iter().copied().collect(), key)
    }

    #[test]
    fn the_table_of_the_page() {
        for (taken, readable, authority, persons) in [
            (&[][..], Readable::Nothing, Duty::None, Duty::None),
            (&[Keyring, Keys, VaultKey], Readable::Nothing, Duty::None, Duty::None),
            (&[Store], Readable::Books, Duty::Judge, Duty::None),
            (&[Store, Keys], Readable::Books, Duty::Judge, Duty::None),
            (&[Store, VaultKey], Readable::Books, Duty::Judge, Duty::None),
            (&[Store, Keyring], Readable::Matching, Duty::Due, Duty::Judge),
            (&[Store, Keyring, Keys], Readable::Matching, Duty::Due, Duty::Judge),
            (&[Store, Keys, VaultKey], Readable::Everything, Duty::Due, Duty::Due),
            (&[Machine], Readable::Everything, Duty::Due, Duty::Due),
        ] {
            for key in [KeyPlace::StateFolder, KeyPlace::File, KeyPlace::Credential] {
                let found = reach(taken, key);
                assert_eq!(
                    (found.readable, found.authority(), found.persons()),
                    (readable, authority, persons),
                    "{taken:?}"
                );
                assert!(!found.by_guessing);
            }
        }
    }

    #[test]
    fn a_passphrase_can_be_guessed_by_whoever_has_what_it_opens() {
        let guessed = reach(&[Store, Keys], KeyPlace::Passphrase);
        assert!(guessed.by_guessing);
        assert_eq!(
            (guessed.readable, guessed.authority(), guessed.persons()),
            (Readable::Books, Duty::Due, Duty::Judge)
        );
        for taken in [&[Store][..], &[Keys], &[Store, Keys, VaultKey], &[Machine]] {
            assert!(!reach(taken, KeyPlace::Passphrase).by_guessing, "{taken:?}");
        }
    }

    #[test]
    fn more_in_their_hands_is_never_less_to_read() {
        let all = [Store, Keyring, Keys, VaultKey, Machine];
        let sets = (0_u8..32).map(|bits| {
            all.into_iter()
                .enumerate()
                .filter(|(at, _)| bits >> at & 1 == 1)
                .map(|(_, one)| one)
                .collect::<BTreeSet<_>>()
        });
        for taken in sets {
            for more in all {
                let with: BTreeSet<Taken> = taken.iter().copied().chain([more]).collect();
                assert!(
                    Reach::of(&with, KeyPlace::File).readable >= Reach::of(&taken, KeyPlace::File).readable
                );
            }
        }
    }

    #[test]
    fn whose_counts_each_customer_once_and_by_kind() {
        let mut whose = Whose::default();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        whose.count(Some(&names(&["person", "note:1", "note:2", "card:a"])));
        whose.count(Some(&names(&["person"])));
        whose.count(Some(&[]));
        whose.count(None);
        assert_eq!((whose.persons, whose.anonymous, whose.erased), (2, 1, 1));
        let sections: Vec<(&str, u64)> =
            whose.sections.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        assert_eq!(sections, [("card", 1), ("note", 1), ("person", 2)]);
    }
}
