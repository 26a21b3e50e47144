//! Changes that are true but not in sled yet: in memory, in key order. A value: who has one sees what was true when it was made,
//! whatever is added meanwhile.
//!
//! What is added at once is a run; [`FAN`] runs of one size become one of the next. So adding costs little more than what is added,
//! and whoever looks for a key looks into few runs, most of which a filter spares. Before them one filter over all runs is asked: a scan
//! looks for what did not change lately, and to look into a dozen filters would cost it as many misses of the processor's cache.

use super::super::filter::{Filter, KeyHash, KeyHashes};
use super::super::layer::{Change, Changed, Changes, Laid};
use std::cmp::Ordering;
use std::sync::Arc;

/// About what an entry takes beside its key and value: its place in a run and in memory, and three allocations.
const AROUND_BYTES: usize = 144;
/// So many runs of one size become one.
const FAN: usize = 4;
/// Bits of a run's filter for each entry, which is noted by itself and with its group. Most keys that are asked for are not among the
/// recent ones.
const FILTER_BITS: usize = 32;
/// Bits of the filter over all runs, 1 MiB: forty for each of as many entries as usually come together before they are written out.
/// Of more, more are looked for in the runs.
const ALL_BITS: usize = 8 << 20;

/// An entry of a run, which shares it with the run that it was added with.
#[derive(Clone)]
struct Entry {
    /// The key's first bytes, filled up with zeros: most keys differ there, and need not be looked up in memory elsewhere.
    first: u128,
    /// Reckoned once, for the filters of all runs that it comes to be in.
    hashes: KeyHashes,
    /// View number, then key; what it was changed to.
    changed: Arc<Changed>,
}

impl Entry {
    fn new(changed: Changed) -> Self {
        Self { first: first(&changed.0), hashes: KeyHashes::of(&changed.0), changed: Arc::new(changed) }
    }

    fn cmp_key(&self, first: u128, key: &[u8]) -> Ordering {
        self.first.cmp(&first).then_with(|| self.changed.0.as_slice().cmp(key))
    }

    fn cmp(&self, other: &Self) -> Ordering {
        self.cmp_key(other.first, &other.changed.0)
    }

    fn bytes(&self) -> usize {
        let (key, Change { value, .. }) = &*self.changed;
        let value_bytes = value.as_ref().map_or(0, Vec::len);
        key.len().saturating_add(value_bytes).saturating_add(AROUND_BYTES)
    }
}

fn first(key: &[u8]) -> u128 {
    let mut first = [0; 16];
    first.iter_mut().zip(key).for_each(|(first, byte)| *first = *byte);
    u128::from_be_bytes(first)
}

struct Run {
    /// In key order, each key once.
    entries: Vec<Entry>,
    filter: Filter,
    bytes: usize,
    /// How often its entries were put together.
    size: u32,
}

impl Run {
    fn new(entries: Vec<Entry>, size: u32) -> Self {
        let mut filter = Filter::new(entries.len().saturating_mul(FILTER_BITS));
        entries.iter().for_each(|entry| filter.note_alone(entry.hashes));
        let bytes = entries.iter().map(Entry::bytes).fold(0, usize::saturating_add);
        Self { entries, filter, bytes, size }
    }

    /// Where the first entry from `key` on is.
    fn place(&self, key: &[u8]) -> usize {
        let first = first(key);
        self.entries.partition_point(|entry| entry.cmp_key(first, key).is_lt())
    }

    fn get(&self, key: &[u8]) -> Option<&Change> {
        let (found, change) = &*self.entries.get(self.place(key))?.changed;
        (found == key).then_some(change)
    }
}

#[derive(Clone)]
pub(super) struct Recent {
    /// The largest and oldest first; within one size, again.
    runs: Vec<Arc<Run>>,
    /// Over the keys of all runs, and of what was added since: shared with whoever came of this one.
    all: Arc<Filter>,
}

impl Default for Recent {
    fn default() -> Self {
        Self { runs: Vec::new(), all: Arc::new(Filter::new(ALL_BITS)) }
    }
}

impl Recent {
    /// This, with `changes` laid over it.
    pub(super) fn with(&self, changes: Changes) -> Self {
        let mut runs = self.runs.clone();
        if !changes.is_empty() {
            let run = Run::new(changes.into_iter().map(Entry::new).collect(), 0);
            // Before the run is seen.
            run.entries.iter().for_each(|entry| self.all.note(entry.hashes));
            runs.push(Arc::new(run));
        }
        while let Some(from) = full(&runs) {
            let parts = runs.split_off(from);
            runs.push(Arc::new(put_together(&parts)));
        }
        Self { runs, all: Arc::clone(&self.all) }
    }

    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.runs.iter().map(|run| run.bytes).fold(0, usize::saturating_add)
    }

    /// At most how many entries it has.
    pub(super) fn count(&self) -> usize {
        self.runs.iter().map(|run| run.entries.len()).fold(0, usize::saturating_add)
    }

    /// What `key`, whose hash is `hash`, was changed to: the outer `None` when it was not.
    pub(super) fn get(&self, key: &[u8], hash: KeyHash) -> Option<Option<Vec<u8>>> {
        if !self.all.may_hold(hash) {
            return None;
        }
        let mut runs = self.runs.iter().rev().filter(|run| run.filter.may_hold(hash));
        runs.find_map(|run| run.get(key)).map(|change| change.value.clone())
    }

    /// The newest change of each key from `from` on.
    pub(super) fn changes(&self, from: &[u8]) -> impl Iterator<Item = Changed> + use<> {
        self.changes_in(None, from)
    }

    /// As [`Self::changes`]; with a group, of that alone all.
    fn changes_in(&self, group: Option<KeyHash>, from: &[u8]) -> impl Iterator<Item = Changed> + use<> {
        let is_in = |filter: &Filter| group.is_none_or(|group| filter.may_hold(group));
        let runs = self.runs.iter().rev().filter(|run| is_in(&run.filter));
        // The newest first: of several of one key the first that is found counts.
        let mut places: Vec<(Arc<Run>, usize)> = if is_in(&self.all) {
            runs.map(|run| (Arc::clone(run), run.place(from))).collect()
        } else {
            Vec::new()
        };
        std::iter::from_fn(move || {
            let heads = places.iter().filter_map(|(run, at)| run.entries.get(*at));
            let least = heads.min_by(|a, b| a.cmp(b))?.clone();
            for (run, at) in &mut places {
                if run.entries.get(*at).is_some_and(|entry| entry.cmp(&least).is_eq()) {
                    *at = at.saturating_add(1);
                }
            }
            Some((*least.changed).clone())
        })
    }

    /// As [`Self::changes`], to be laid over what is below; with a group, of that alone all.
    pub(super) fn laid(&self, group: Option<KeyHash>, from: &[u8]) -> impl Iterator<Item = Laid> + use<> {
        self.changes_in(group, from).map(Ok)
    }
}

/// Where the last runs of one size begin, if there are enough of them.
fn full(runs: &[Arc<Run>]) -> Option<usize> {
    let from = runs.len().checked_sub(FAN)?;
    (runs.get(from)?.size == runs.last()?.size).then_some(from)
}

fn put_together(runs: &[Arc<Run>]) -> Run {
    let mut entries: Vec<Entry> = runs.iter().rev().flat_map(|run| run.entries.iter().cloned()).collect();
    // A stable sort: the newest of one key stays the first. It finds the runs again, and lays them together.
    entries.sort_by(Entry::cmp);
    entries.dedup_by(|next, kept| next.cmp(kept).is_eq());
    let size = runs.last().map_or(0, |run| run.size.saturating_add(1));
    Run::new(entries, size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn the_newest_change_of_each_key_counts(
            parts in prop::collection::vec(
                prop::collection::btree_map(prop::collection::vec(0_u8..3, 0..20), prop::option::weighted(0.7, any::<u8>()), 0..6),
                0..70,
            ),
        ) {
            let (mut recent, mut model) = (Recent::default(), BTreeMap::new());
            let (mut before, mut model_before) = (recent.clone(), model.clone());
            for (part, seq) in parts.into_iter().zip(1..) {
                (before, model_before) = (recent.clone(), model.clone());
                let change = |value: Option<u8>| Change { seq, value: value.map(|byte| vec![byte; 3]) };
                recent = recent.with(part.iter().map(|(key, value)| (key.clone(), change(*value))).collect());
                model.extend(part.into_iter().map(|(key, value)| (key, (seq, value))));
                prop_assert!(recent.runs.len() <= 4 * FAN);
            }
            for (recent, model) in [(&recent, &model), (&before, &model_before)] {
                for from in [&[][..], &[0, 1], &[1, 1, 1], &[2, 2, 2, 2]] {
                    let found: Vec<_> = recent.changes(from).map(|(key, change)| (key, (change.seq, change.value.map(|v| v[0])))).collect();
                    let wanted: Vec<_> = model.range(from.to_vec()..).map(|(key, kept)| (key.clone(), *kept)).collect();
                    prop_assert!(found == wanted);
                }
                for key in model.keys().cloned().chain([vec![3], vec![], vec![0; 17]]) {
                    let found = recent.get(&key, KeyHash::of(&key)).map(|value| value.map(|value| value[0]));
                    prop_assert_eq!(found, model.get(&key).map(|(_, value)| *value));
                }
            }
        }
    }
}
