//! Entries packed into blocks: what lies in one entry of sled. Pure.
//!
//! sled splits a leaf at 17 entries whatever their size and keeps some hundred bytes in memory for each leaf. A store of a
//! million customers has tens of millions of entries of a few dozen bytes; packed, there are a tenth as many leaves.
//!
//! ```text
//! a block: its entries in key order, each
//! | shared | rest | rest bytes of the key | seq | 2 x length + form | value |     all numbers LEB128
//! ```
//!
//! `shared` counts the bytes that a key has in common with the one before it. Form 1 is a value that lies in parts elsewhere.

/// One entry of a view. No `Debug`: the value may be personal.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) key: Vec<u8>,
    pub(super) seq: u64,
    pub(super) value: Value,
}

/// What an entry holds.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Value {
    Here(Vec<u8>),
    /// So many bytes, in parts.
    Parts(u32),
}

/// Where a key was found, before anything is copied.
pub(super) enum Found<'b> {
    Here(&'b [u8]),
    Parts { seq: u64, bytes: u32 },
}

impl Item {
    /// About how long it is in a block, its key not shortened.
    pub(super) fn bytes(&self) -> usize {
        let value = match &self.value {
            Value::Here(value) => value.len(),
            Value::Parts(_) => 4,
        };
        self.key.len().saturating_add(value).saturating_add(8)
    }
}

/// Writes entries that are in key order.
pub(super) fn encode(items: &[Item], out: &mut Vec<u8>) {
    let mut before: &[u8] = &[];
    for item in items {
        let shared = item.key.iter().zip(before).take_while(|(a, b)| a == b).count();
        let rest = item.key.get(shared..).unwrap_or_default();
        number(shared, out);
        number(rest.len(), out);
        out.extend_from_slice(rest);
        wide(item.seq, out);
        match &item.value {
            Value::Here(value) => {
                number(value.len().saturating_mul(2), out);
                out.extend_from_slice(value);
            }
            Value::Parts(bytes) => {
                number(9, out);
                out.extend_from_slice(&bytes.to_le_bytes());
            }
        }
        before = &item.key;
    }
}

/// Every entry of a block; `None` when it is none.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    let mut reader = Reader { rest: bytes, key: Vec::new() };
    while !reader.rest.is_empty() {
        let (seq, found) = reader.next()?;
        let value = match found {
            Found::Here(value) => Value::Here(value.to_vec()),
            Found::Parts { bytes, .. } => Value::Parts(bytes),
        };
        items.push(Item { key: reader.key.clone(), seq, value });
    }
    Some(items)
}

/// The entry of `key`; the outer `None` when this is no block.
pub(super) fn find<'b>(bytes: &'b [u8], key: &[u8]) -> Option<Option<Found<'b>>> {
    let mut reader = Reader { rest: bytes, key: Vec::with_capacity(64) };
    while !reader.rest.is_empty() {
        let (_, found) = reader.next()?;
        match reader.key.as_slice().cmp(key) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => return Some(Some(found)),
            std::cmp::Ordering::Greater => return Some(None),
        }
    }
    Some(None)
}

struct Reader<'b> {
    rest: &'b [u8],
    key: Vec<u8>,
}

impl<'b> Reader<'b> {
    fn next(&mut self) -> Option<(u64, Found<'b>)> {
        let shared = usize::try_from(self.number()?).ok()?;
        let rest = usize::try_from(self.number()?).ok()?;
        if shared > self.key.len() {
            return None;
        }
        self.key.truncate(shared);
        let rest = self.take(rest)?;
        self.key.extend_from_slice(rest);
        let seq = self.number()?;
        let length = self.number()?;
        let value = self.take(usize::try_from(length >> 1).ok()?)?;
        if length & 1 == 0 {
            return Some((seq, Found::Here(value)));
        }
        let bytes = u32::from_le_bytes(<[u8; 4]>::try_from(value).ok()?);
        Some((seq, Found::Parts { seq, bytes }))
    }

    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number: u64 = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

fn number(number: usize, out: &mut Vec<u8>) {
    wide(u64::try_from(number).unwrap_or(u64::MAX), out);
}

fn wide(mut number: u64, out: &mut Vec<u8>) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked_and_found(
            entries in prop::collection::btree_map(
                prop::collection::vec(0_u8..4, 0..12),
                (any::<u64>(), prop::option::weighted(0.8, prop::collection::vec(any::<u8>(), 0..200))),
                0..30,
            ),
            other in prop::collection::vec(0_u8..4, 0..12),
        ) {
            let items: Vec<Item> = entries
                .into_iter()
                .map(|(key, (seq, value))| Item { key, seq, value: value.map_or(super::Value::Parts(70_000), super::Value::Here) })
                .collect();
            let mut bytes = Vec::new();
            encode(&items, &mut bytes);
            prop_assert!(decode(&bytes).unwrap() == items);
            for item in &items {
                let same = match (find(&bytes, &item.key).unwrap().unwrap(), &item.value) {
                    (Found::Here(found), super::Value::Here(value)) => found == value,
                    (Found::Parts { seq, bytes }, super::Value::Parts(wanted)) => (seq, bytes) == (item.seq, *wanted),
                    _ => false,
                };
                prop_assert!(same);
            }
            let held = items.iter().any(|item| item.key == other);
            prop_assert_eq!(find(&bytes, &other).unwrap().is_some(), held);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _none_or_some = decode(&bytes).is_some();
            let _found_or_not = find(&bytes, &bytes).is_some();
        }
    }
}
