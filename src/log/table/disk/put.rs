//! Writes changes into blocks: each block that they touch is read, changed and written once.
//!
//! Readers go on meanwhile. A block that grew too long is written from its end: the entries that move stand in their new blocks
//! before they are gone from the old one, and whoever misses one in between sees by `moves` that it must look again.

use super::super::super::block::{self, Item, Value};
use super::super::super::layer::{Change, Changed};
use super::frame::{PART_KEY, part_key, payload};
use super::{Disk, PART_BYTES, caught};
use std::sync::atomic::Ordering;

/// The most that a block of several entries holds. Long blocks are few leaves in sled, which each take memory, and short ones quickly
/// read and written.
const BLOCK_BYTES: usize = 2 << 10;
/// So much of a block that grows at its end is written out before it grows on.
const OPEN_BYTES: usize = 64 << 10;
/// Where the first block lies: before every entry of every view.
const FIRST: &[u8] = &[0];

/// A block while it is changed.
struct Open {
    begin: Vec<u8>,
    /// Where the next one begins.
    until: Option<Vec<u8>>,
    items: Vec<Item>,
    bytes: usize,
    /// It grew at its end: what comes next will too.
    at_end: bool,
}

/// A long value that was replaced or removed: its parts are to go once nothing leads to them.
type Stale = (Vec<u8>, u64);

/// Writes `changes`, which come in key order, into blocks.
pub(super) fn put(table: &Disk, changes: impl Iterator<Item = Changed>) -> Result<(), String> {
    let (mut stale, mut open): (Vec<Stale>, Option<Open>) = (Vec::new(), None);
    for (key, change) in changes {
        let mut block = match open.take() {
            Some(block) if block.covers(&key) => block,
            before => {
                before.map_or(Ok(()), |before| before.write(table).map(drop))?;
                Open::load(table, &key)?
            }
        };
        block.change(table, key, change, &mut stale)?;
        table.tidy();
        if block.at_end && block.bytes > OPEN_BYTES {
            block = block.write(table)?;
        }
        open = Some(block);
    }
    open.map_or(Ok(()), |block| block.write(table).map(drop))?;
    stale.iter().try_for_each(|(key, seq)| remove_parts(table, key, *seq))
}

impl Open {
    /// The block that `key` belongs to.
    fn load(table: &Disk, key: &[u8]) -> Result<Self, String> {
        let found = caught(|| table.db.range(..=key).next_back().transpose())?;
        let (begin, mut items) = match found {
            Some((begin, framed)) => {
                let items = payload(&begin, &framed).and_then(block::decode);
                let damaged = || table.noted("a block does not match its checksum".to_owned());
                (begin.to_vec(), items.ok_or_else(damaged)?)
            }
            None => (FIRST.to_vec(), Vec::new()),
        };
        let next = caught(|| table.db.get_gt(&begin))?.map(|(next, _)| next.to_vec());
        let until = next.filter(|next| next.first().is_some_and(|first| *first < PART_KEY));
        if let Some(until) = &until {
            items.truncate(items.partition_point(|item| item.key < *until));
        }
        let bytes = items.iter().map(Item::bytes).fold(0, usize::saturating_add);
        Ok(Self { begin, until, items, bytes, at_end: false })
    }

    fn covers(&self, key: &[u8]) -> bool {
        key >= self.begin.as_slice() && self.until.as_ref().is_none_or(|until| key < until.as_slice())
    }

    fn change(
        &mut self,
        table: &Disk,
        key: Vec<u8>,
        change: Change,
        stale: &mut Vec<Stale>,
    ) -> Result<(), String> {
        let place = self.items.binary_search_by(|item| item.key.cmp(&key));
        if let Some(old) = place.ok().and_then(|at| self.items.get(at)) {
            self.bytes = self.bytes.saturating_sub(old.bytes());
            if matches!(old.value, Value::Parts(_)) && (change.value.is_none() || old.seq != change.seq) {
                stale.push((old.key.clone(), old.seq));
            }
        }
        let Some(value) = change.value else {
            place.ok().map(|at| self.items.remove(at));
            return Ok(());
        };
        let value = kept(table, &key, change.seq, value)?;
        let item = Item { key, seq: change.seq, value };
        self.bytes = self.bytes.saturating_add(item.bytes());
        match place {
            Ok(at) => {
                if let Some(old) = self.items.get_mut(at) {
                    *old = item;
                }
            }
            Err(at) => {
                self.at_end |= at == self.items.len();
                self.items.insert(at, item);
            }
        }
        Ok(())
    }

    /// Writes the block, as several when it is too long; gives the last of them, to go on with.
    fn write(self, table: &Disk) -> Result<Self, String> {
        let Self { begin, until, items, bytes, at_end } = self;
        if items.is_empty() && begin != FIRST {
            cut_before(table, &begin)?;
            let removed = moving(table, || table.remove(&begin));
            return removed.map(|_| Self { begin, until, items, bytes: 0, at_end });
        }
        if bytes <= BLOCK_BYTES {
            write_block(table, &begin, &items)?;
            return Ok(Self { begin, until, items, bytes, at_end });
        }
        let mut blocks = split(items, bytes, at_end);
        if let [only] = blocks.as_slice() {
            write_block(table, &begin, only)?;
        } else {
            moving(table, || {
                for (place, items) in blocks.iter().enumerate().rev() {
                    let own = items.first().map_or(begin.as_slice(), |first| first.key.as_slice());
                    write_block(table, if place == 0 { &begin } else { own }, items)?;
                }
                Ok(())
            })?;
        }
        let several = blocks.len() > 1;
        let items = blocks.pop().unwrap_or_default();
        let own = items.first().filter(|_| several).map(|first| first.key.clone());
        let bytes = items.iter().map(Item::bytes).fold(0, usize::saturating_add);
        Ok(Self { begin: own.unwrap_or(begin), until, items, bytes, at_end })
    }
}

/// Takes from the block before `begin` what a crash left in it of blocks that it was split into: the next one to begin after it
/// is about to be gone, and it would count again.
fn cut_before(table: &Disk, begin: &[u8]) -> Result<(), String> {
    let Some((before, framed)) = caught(|| table.db.range(..begin).next_back().transpose())? else {
        return Ok(());
    };
    let items = payload(&before, &framed).and_then(block::decode);
    let mut items = items.ok_or("a block does not match its checksum")?;
    let own = items.partition_point(|item| item.key.as_slice() < begin);
    if own == items.len() {
        return Ok(());
    }
    items.truncate(own);
    write_block(table, &before, &items)
}

/// Cuts entries into blocks: full ones where they came at the end, for more will come there, else into halves.
fn split(items: Vec<Item>, bytes: usize, at_end: bool) -> Vec<Vec<Item>> {
    let count = bytes.div_ceil(BLOCK_BYTES).max(1);
    let aim = if at_end { BLOCK_BYTES } else { bytes.div_ceil(count) };
    let (mut blocks, mut block, mut filled) = (Vec::new(), Vec::new(), 0_usize);
    for item in items {
        let grown = filled.saturating_add(item.bytes());
        if !block.is_empty() && (grown > BLOCK_BYTES || (!at_end && filled >= aim)) {
            blocks.push(std::mem::take(&mut block));
            filled = 0;
        }
        filled = filled.saturating_add(item.bytes());
        block.push(item);
    }
    blocks.push(block);
    blocks
}

fn write_block(table: &Disk, begin: &[u8], items: &[Item]) -> Result<(), String> {
    let seq = items.iter().map(|item| item.seq).max().unwrap_or(0);
    let mut payload = Vec::with_capacity(BLOCK_BYTES);
    block::encode(items, &mut payload);
    table.insert(begin, seq, &payload)
}

/// What of a value stands in its block; the parts of a long one are written at once, before anything leads to them.
fn kept(table: &Disk, key: &[u8], seq: u64, value: Vec<u8>) -> Result<Value, String> {
    if value.len() <= PART_BYTES {
        return Ok(Value::Here(value));
    }
    for (part, index) in value.chunks(PART_BYTES).zip(0..) {
        table.insert(&part_key(key, seq, index), seq, part)?;
    }
    u32::try_from(value.len()).map(Value::Parts).map_err(|_| "a value is too long".to_owned())
}

fn remove_parts(table: &Disk, key: &[u8], seq: u64) -> Result<(), String> {
    for index in 0..=u16::MAX {
        if !table.remove(&part_key(key, seq, index))? {
            break;
        }
    }
    Ok(())
}

/// Does something after which entries may stand in other blocks than before.
fn moving<T>(table: &Disk, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    table.moves.fetch_add(1, Ordering::AcqRel);
    let done = work();
    table.moves.fetch_add(1, Ordering::AcqRel);
    done
}

#[cfg(test)]
mod tests {
    use super::super::Position;
    use super::*;
    use crate::log::Half;
    use crate::log::layer::Changes;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// A value of a length that is usual, or longer than a block, or in parts.
    fn value() -> impl Strategy<Value = Option<Vec<u8>>> {
        let length = prop_oneof![8 => 0_usize..80, 1 => 1_000_usize..1_500, 1 => PART_BYTES..PART_BYTES * 3];
        prop_oneof![3 => (any::<u8>(), length).prop_map(|(fill, length)| Some(vec![fill; length])), 1 => Just(None)]
    }

    fn write(disk: &Disk, changes: &Changes, seq: u64) {
        let changes = changes.clone();
        disk.write(changes.clone().into_iter().map(Ok), Position { seq, crc: 0, fold: 1 }, &|| true).unwrap();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_table_is_what_a_map_would_be(groups in prop::collection::vec(prop::collection::btree_map(prop::collection::vec(0_u8..5, 1..6), value(), 1..60), 1..12), filled in any::<bool>()) {
            let dir = tempfile::tempdir().unwrap();
            let disk = Disk::open(Half::Neutral, dir.path(), 1 << 20).unwrap();
            let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
            for (group, seq) in groups.into_iter().zip(1..) {
                let changes: Changes =
                    group.iter().map(|(key, value)| (key.clone(), Change { seq, value: value.clone() })).collect();
                if filled && seq == 1 {
                    let entries = changes.into_iter().filter(|(_, change)| change.value.is_some());
                    disk.fill(entries.map(Ok), Position { seq, crc: 0, fold: 1 }).unwrap();
                } else {
                    write(&disk, &changes, seq);
                }
                for (key, value) in group {
                    match value {
                        Some(value) => model.insert(key, value),
                        None => model.remove(&key),
                    };
                }
            }
            for (key, value) in &model {
                prop_assert!(disk.get(key).unwrap().as_ref() == Some(value));
                prop_assert!(disk.get(&[key.as_slice(), &[9]].concat()).unwrap().is_none());
            }
            for from in [&[][..], &[1], &[2, 3], &[4, 4, 4]] {
                let found = disk.entries(from).map(|entry| entry.unwrap()).map(|(key, change)| (key, change.value.unwrap()));
                let wanted = model.range(from.to_vec()..);
                prop_assert!(found.collect::<Vec<_>>() == wanted.map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>());
            }
            let parts = disk.db.range([PART_KEY]..[0xff]).count();
            let wanted: usize = model.values().filter(|value| value.len() > PART_BYTES).map(|value| value.len().div_ceil(PART_BYTES)).sum();
            prop_assert_eq!(parts, wanted);
        }
    }

    #[test]
    fn entries_are_found_while_their_blocks_are_split() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(Half::Neutral, dir.path(), 1 << 20).unwrap();
        let key = |number: u32| [&[0_u8][..], &number.wrapping_mul(0x9e37_79b1).to_be_bytes()].concat();
        let put_one = |number: u32| {
            let change = Change { seq: u64::from(number), value: Some(vec![1; 40]) };
            put(&disk, [(key(number), change)].into_iter()).unwrap();
        };
        put_one(0);
        let written = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 1..6_000 {
                    put_one(number);
                    written.store(number, Ordering::Release);
                }
            });
            let mut reads: u32 = 0;
            while written.load(Ordering::Acquire) < 5_999 {
                let last = written.load(Ordering::Acquire);
                let wanted = reads.wrapping_mul(7919) % (last + 1);
                assert!(disk.get(&key(wanted)).unwrap().is_some(), "{wanted} of {last}");
                reads = reads.wrapping_add(1);
            }
        });
        assert_eq!(disk.entries(&[]).count(), 6_000);
    }
}
