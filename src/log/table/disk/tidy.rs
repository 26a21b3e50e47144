//! Has sled let go of what it keeps in memory beyond its cache.
//!
//! sled notes what is read in 256 queues, and looks whether its cache is too large only when one of them has [`QUEUE`] reads (`lru.rs` of
//! sled 0.34.7): until then up to 64 leaves of each stay in memory, half a gigabyte of leaves like ours. Reading few leaves again and again
//! fills the queues.

use super::{Disk, caught};
use std::sync::atomic::Ordering;

/// So many blocks read or written are some hundred leaves: so much is let be.
const BLOCKS_MAX: usize = 4 << 10;
/// Blocks that are read to fill the queues: sled chooses one by the number of a leaf's page, and those of neighbours follow each other only nearly.
const READ_BLOCKS: usize = 4_800;
/// Reads that fill a queue.
const QUEUE: usize = 64;
/// A leaf has at most so many blocks. Those that were just split have fewer, and fill their queue with the next tidying.
const LEAF_BLOCKS: usize = 16;

impl Disk {
    /// Counts what was read or written.
    pub(super) fn used(&self, blocks: usize) {
        self.used.fetch_add(blocks, Ordering::Relaxed);
    }

    /// Whether much may be in memory.
    pub(in super::super) fn is_untidy(&self) -> bool {
        self.used.load(Ordering::Relaxed) >= BLOCKS_MAX
    }

    /// Lets go of it, if it may be much. Takes some dozens of milliseconds.
    pub(in super::super) fn tidy(&self) {
        if self.used.load(Ordering::Relaxed) < BLOCKS_MAX || self.used.swap(0, Ordering::Relaxed) < BLOCKS_MAX
        {
            return;
        }
        let mut keys = self.db.iter().keys().take(READ_BLOCKS);
        // Whatever is wrong with them, whoever looks for something there finds.
        while let Ok(Some(key)) = caught(|| keys.next().transpose()) {
            for _ in 0..QUEUE / LEAF_BLOCKS {
                if caught(|| self.db.get(&key)).is_err() {
                    return;
                }
            }
        }
        // What others read meanwhile has filled queues too.
        self.used.store(0, Ordering::Relaxed);
    }
}
