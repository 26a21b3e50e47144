//! What outlives every restore: the list of erasures, the marks of those who want to hear nothing more, and how many places
//! of the key file were given out on the timelines that were left.
//!
//! All lie beside the key file, not in the journals: a store brought back from an older copy knows nothing of what was
//! erased since, and must. Two copies that differ are merged; nothing that was once in either is dropped.
//!
//! A mark is a keyed hash of a telephone number or an e-mail address. The marks are kept sorted and without dates or
//! numbers, so that no mark leads to the erasure that made it.

use super::keyring::Hash16;
use super::keys::{KeyError, KeyRef};
use super::twin::Twin;
use crate::domain::id::CustomerNumber;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How far an erasure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    /// It is asked for: the key is to be destroyed, or is already.
    Begun,
    /// The journal has it, and no view leads to the customer any more.
    Journalled,
    /// The views were made anew: no file holds what they held.
    Renewed,
    /// The customer is about to be given another key. Once the journal has that, this one is destroyed; until then it is
    /// the only one.
    Intended,
}

/// The end of one data key: an erasure, or a customer who was given another key so that a part could be let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// Whose.
    pub customer: CustomerNumber,
    /// Where the key was.
    pub key: KeyRef,
    /// When it was asked for, microseconds since 1970 UTC.
    pub at_us: i64,
    /// How far it is.
    pub stage: Stage,
}

/// The lists.
#[derive(Debug)]
pub struct Lists {
    erasures: Kept<Vec<Erasure>>,
    marks: Kept<BTreeSet<Hash16>>,
    slots: Kept<u32>,
}

#[derive(Debug)]
struct Kept<T> {
    twin: Twin,
    /// The counter of the file as it is; held while that is written and synced.
    writing: Mutex<u64>,
    /// What the file holds; held for moments, so that nobody who only asks waits for a disk.
    now: Mutex<T>,
}

impl Lists {
    /// Reads the lists in `folder` and in the folder of second copies. What is not there is empty.
    ///
    /// # Errors
    /// [`KeyError::HeaderDamaged`] where neither copy of a list is whole, [`KeyError::Io`].
    pub fn open(folder: &Path, second: Option<&Path>) -> Result<Self, KeyError> {
        let erasures = Kept::open(Twin::new(*b"FICHAERA", "erasures", folder, second), merge_erasures)?;
        let marks = Kept::open(
            Twin::new(*b"FICHASUP", "suppressed", folder, second),
            |mut marks: BTreeSet<Hash16>, more| {
                marks.extend(more);
                marks
            },
        )?;
        let slots = Kept::open(Twin::new(*b"FICHASLT", "slots", folder, second), u32::max)?;
        Ok(Self { erasures, marks, slots })
    }

    /// Every erasure there ever was.
    #[must_use]
    pub fn erasures(&self) -> Vec<Erasure> {
        self.erasures.lock().clone()
    }

    /// Notes the end of a key, durably, or how far it is. Keys are told apart by their places, none of which is used twice.
    pub(super) fn note(&self, erasure: Erasure) -> Result<(), KeyError> {
        self.note_all(&[erasure], &[])
    }

    /// Notes several at once, and takes back what was intended and did not happen.
    pub(super) fn note_all(&self, erasures: &[Erasure], not_done: &[KeyRef]) -> Result<(), KeyError> {
        self.erasures.change(|list| {
            for erasure in erasures {
                match list.iter_mut().find(|kept| kept.key == erasure.key) {
                    Some(kept) => *kept = *erasure,
                    None => list.push(*erasure),
                }
            }
            list.retain(|kept| kept.stage != Stage::Intended || !not_done.contains(&kept.key));
        })
    }

    /// Whether a key of this customer has come to its end.
    pub(super) fn knows(&self, customer: CustomerNumber) -> bool {
        self.erasures.lock().iter().any(|kept| kept.customer == customer)
    }

    /// Whether a key of this customer has come to its end, or is about to, since the views were last made anew.
    pub(super) fn is_ending(&self, customer: CustomerNumber) -> bool {
        let ending = |kept: &Erasure| kept.customer == customer && kept.stage != Stage::Renewed;
        self.erasures.lock().iter().any(ending)
    }

    /// Notes marks, durably.
    pub(super) fn mark(&self, marks: &[Hash16]) -> Result<(), KeyError> {
        self.marks.change(|kept| kept.extend(marks.iter().copied()))
    }

    /// How many places of the key file, counted from the first, were given out before the last restore.
    #[must_use]
    pub fn slots_used(&self) -> u32 {
        *self.slots.lock()
    }

    /// Notes, durably, that so many places were given out: a restore forgets them, and what is sealed under their keys is
    /// still kept.
    ///
    /// # Errors
    /// [`KeyError::Io`].
    pub fn keep_slots(&self, used: u32) -> Result<(), KeyError> {
        if used <= self.slots_used() {
            return Ok(());
        }
        self.slots.change(|kept| *kept = used.max(*kept))
    }

    /// Whether any of `marks` is kept.
    pub(super) fn any_marked(&self, marks: &[Hash16]) -> bool {
        let kept = self.marks.lock();
        marks.iter().any(|mark| kept.contains(mark))
    }
}

fn merge_erasures(list: Vec<Erasure>, more: Vec<Erasure>) -> Vec<Erasure> {
    let mut merged: Vec<Erasure> = list;
    for erasure in more {
        match merged.iter_mut().find(|kept| kept.key == erasure.key) {
            // What one copy says is still to be done is done again; an intention that the other saw done is none any more.
            Some(kept) => kept.stage = kept.stage.min(erasure.stage),
            None => merged.push(erasure),
        }
    }
    merged
}

impl<T> Kept<T>
where
    T: Default + Clone + PartialEq + Serialize + for<'de> Deserialize<'de>,
{
    fn open(twin: Twin, merge: impl Fn(T, T) -> T) -> Result<Self, KeyError> {
        let found = twin.load()?;
        let mut lists = Vec::new();
        for body in &found.bodies {
            let damaged = |_| KeyError::HeaderDamaged { path: twin.path().to_owned() };
            lists.push(postcard::from_bytes::<T>(body).map_err(damaged)?);
        }
        let merged = lists.into_iter().reduce(merge).unwrap_or_default();
        let kept = Self { twin, writing: Mutex::new(found.counter), now: Mutex::new(merged) };
        if found.uneven {
            kept.change(|_| {})?;
        }
        Ok(kept)
    }

    fn change(&self, change: impl FnOnce(&mut T)) -> Result<(), KeyError> {
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list = self.lock().clone();
        change(&mut list);
        let counter = writing.saturating_add(1);
        let full = |_| KeyError::Full { path: self.twin.path().to_owned() };
        self.twin.store(counter, &postcard::to_stdvec(&list).map_err(full)?)?;
        *writing = counter;
        *self.lock() = list;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn erasure(number: u128, stage: Stage) -> Erasure {
        let customer = CustomerNumber(Uuid::from_u128(number));
        let slot = u32::try_from(number).unwrap();
        Erasure { customer, key: KeyRef { slot, generation: 1 }, at_us: 5, stage }
    }

    #[test]
    fn the_order_in_which_marks_were_made_is_in_no_file() {
        let root = tempfile::tempdir().unwrap();
        let file = |folder: &str, bytes: [u8; 3]| {
            let folder = root.path().join(folder);
            std::fs::create_dir(&folder).unwrap();
            for byte in bytes {
                Lists::open(&folder, None).unwrap().mark(&[Hash16([byte; 16])]).unwrap();
            }
            std::fs::read(folder.join("suppressed")).unwrap()
        };
        assert!(file("a", [1, 2, 3]) == file("b", [3, 1, 2]));
    }

    #[test]
    fn copies_that_differ_are_merged() {
        let root = tempfile::tempdir().unwrap();
        let (a, b) = (root.path().join("a"), root.path().join("b"));
        std::fs::create_dir(&a).unwrap();
        std::fs::create_dir(&b).unwrap();
        let mark = |byte| Hash16([byte; 16]);
        Lists::open(&a, None).unwrap().note(erasure(1, Stage::Renewed)).unwrap();
        Lists::open(&a, None).unwrap().mark(&[mark(1)]).unwrap();
        let other = Lists::open(&b, None).unwrap();
        other.note(erasure(2, Stage::Journalled)).unwrap();
        other.note(erasure(1, Stage::Journalled)).unwrap();
        other.mark(&[mark(2)]).unwrap();
        drop(other);
        drop(Lists::open(&a, Some(&b)).unwrap());
        for folder in [&a, &b] {
            let lists = Lists::open(folder, None).unwrap();
            let mut erasures = lists.erasures();
            erasures.sort_by_key(|erasure| erasure.customer);
            assert_eq!(erasures, [erasure(1, Stage::Journalled), erasure(2, Stage::Journalled)]);
            assert!(lists.any_marked(&[mark(1)]) && lists.any_marked(&[mark(9), mark(2)]));
            assert!(!lists.any_marked(&[mark(3)]));
        }
    }
}
