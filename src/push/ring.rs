//! What a register was told and may ask for again: its last events, until it acknowledges them.
//!
//! Pure; the time is an argument. Invariant: what is older than its lifetime never comes out again, only the
//! count of it: the customer or the product on the counter is another one by then. Memory is bounded in
//! events and in bytes; where there is no room the oldest goes, and counts as missed.

use super::wire::Missed;
use crate::domain::time::Uptime;
use std::collections::VecDeque;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

/// A line as it goes out, its LF included: encoded once, shared by ring and sessions.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame(Arc<Vec<u8>>);

impl From<Vec<u8>> for Frame {
    fn from(line: Vec<u8>) -> Self {
        Self(Arc::new(line))
    }
}

impl Deref for Frame {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Shows the length only: there can be a name in it.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} bytes)", self.len())
    }
}

/// The most events kept for a register: some minutes of a busy till, many times what a lifetime of 30 s can hold.
pub const RING_EVENTS_MAX: usize = 256;

/// The most bytes kept for a register: [`RING_EVENTS_MAX`] frames of the 1 KiB that a customer's file should stay under.
/// A replay of the whole ring must fit a session's backlog, else a client would be closed each time it asked.
pub const RING_BYTES_MAX: usize = 256 * 1024;

/// The events of one register in one run of the daemon.
#[derive(Debug, Default)]
pub struct Ring {
    entries: VecDeque<Entry>,
    bytes: usize,
    last_seq: u64,
    acked: u64,
}

#[derive(Debug)]
struct Entry {
    seq: u64,
    expires_at: Uptime,
    frame: Frame,
}

/// An acknowledgement or a place beyond the last event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beyond {
    /// The last sequence number there is.
    pub last_seq: u64,
}

/// What a client gets that comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// What it does not get, if anything.
    pub missed: Option<Missed>,
    /// What is still good, oldest first.
    pub frames: Vec<Frame>,
}

impl Ring {
    /// The number that the next event carries: 1 for the first.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.last_seq.saturating_add(1)
    }

    /// Keeps an event, encoded with [`Self::next_seq`], for `lifetime` from `now`. Returns how many older ones had to go for it.
    pub fn push(&mut self, frame: Frame, lifetime: Duration, now: Uptime) -> usize {
        self.last_seq = self.next_seq();
        self.bytes = self.bytes.saturating_add(frame.len());
        let expires_at = now.saturating_add(lifetime);
        self.entries.push_back(Entry { seq: self.last_seq, expires_at, frame });
        self.drop_front(|entry| entry.expires_at <= now);
        let kept = self.entries.len();
        while self.entries.len() > RING_EVENTS_MAX || self.bytes > RING_BYTES_MAX {
            self.pop_front();
        }
        kept.saturating_sub(self.entries.len())
    }

    /// Forgets everything up to `seq`: it has been dealt with. An older acknowledgement does nothing.
    ///
    /// # Errors
    /// [`Beyond`] when there was no such event yet: the client is mistaken about the stream.
    pub fn ack(&mut self, seq: u64) -> Result<(), Beyond> {
        self.check(seq)?;
        self.acked = self.acked.max(seq);
        self.drop_front(|entry| entry.seq <= seq);
        Ok(())
    }

    /// What a client gets that has dealt with everything up to `after` of this stream; `None`: up to the last acknowledgement.
    ///
    /// # Errors
    /// [`Beyond`] when there was no such event yet.
    pub fn replay(&mut self, after: Option<u64>, now: Uptime) -> Result<Replay, Beyond> {
        let after = after.unwrap_or_default();
        self.check(after)?;
        self.prune(now);
        let base = after.max(self.acked);
        let mut frames = Vec::new();
        let (mut count, mut from_seq, mut to_seq, mut expected) = (0_u64, None, 0, base.saturating_add(1));
        let mut skip = |until: u64| {
            // The numbers from `expected` up to but not including `until` are gone.
            if until > expected {
                count = count.saturating_add(until.saturating_sub(expected));
                from_seq = from_seq.or(Some(expected));
                to_seq = until.saturating_sub(1);
            }
            expected = until.saturating_add(1);
        };
        for entry in self.entries.iter().filter(|entry| entry.seq > base) {
            skip(entry.seq);
            frames.push(entry.frame.clone());
        }
        skip(self.next_seq());
        let missed = from_seq.map(|from_seq| Missed::Counted { count, from_seq, to_seq });
        Ok(Replay { missed, frames })
    }

    /// Forgets what is too old, wherever it stands: names are not kept longer than they are of use.
    pub fn prune(&mut self, now: Uptime) {
        self.entries.retain(|entry| entry.expires_at > now);
        self.bytes = self.entries.iter().map(|entry| entry.frame.len()).sum();
    }

    fn check(&self, seq: u64) -> Result<(), Beyond> {
        if seq > self.last_seq { Err(Beyond { last_seq: self.last_seq }) } else { Ok(()) }
    }

    fn drop_front(&mut self, gone: impl Fn(&Entry) -> bool) {
        while self.entries.front().is_some_and(&gone) {
            self.pop_front();
        }
    }

    fn pop_front(&mut self) {
        let bytes = self.entries.pop_front().map_or(0, |entry| entry.frame.len());
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const LIFETIME: Duration = Duration::from_secs(30);

    fn frame(seq: u64) -> Frame {
        Frame::from(seq.to_string().into_bytes())
    }

    fn seqs(frames: &[Frame]) -> Vec<u64> {
        frames.iter().map(|frame| str::from_utf8(frame).unwrap().parse().unwrap()).collect()
    }

    fn ring(pushed_at_s: &[u64]) -> Ring {
        let mut ring = Ring::default();
        for at in pushed_at_s {
            ring.push(frame(ring.next_seq()), LIFETIME, Duration::from_secs(*at));
        }
        ring
    }

    #[track_caller]
    fn check(ring: &mut Ring, after: Option<u64>, now_s: u64, live: &[u64], gone: Option<(u64, u64, u64)>) {
        let replay = ring.replay(after, Duration::from_secs(now_s)).unwrap();
        assert_eq!(seqs(&replay.frames), live);
        let gone = gone.map(|(count, from_seq, to_seq)| Missed::Counted { count, from_seq, to_seq });
        assert_eq!(replay.missed, gone);
    }

    #[test]
    fn the_stale_is_counted_and_the_fresh_is_told() {
        let mut ring = ring(&[0, 1, 2, 40, 41]);
        check(&mut ring, None, 42, &[4, 5], Some((3, 1, 3)));
        check(&mut ring, Some(2), 42, &[4, 5], Some((1, 3, 3)));
        check(&mut ring, Some(4), 42, &[5], None);
        check(&mut ring, Some(5), 42, &[], None);
        ring.ack(4).unwrap();
        check(&mut ring, None, 42, &[5], None);
        // An older place does not bring back what was acknowledged, and does not call it missed.
        check(&mut ring, Some(1), 42, &[5], None);
        // At its lifetime's very end an event is stale.
        check(&mut ring, None, 71, &[], Some((1, 5, 5)));
        assert_eq!(ring.ack(6), Err(Beyond { last_seq: 5 }));
        assert_eq!(ring.replay(Some(6), LIFETIME), Err(Beyond { last_seq: 5 }));
    }

    #[test]
    fn a_full_ring_lets_the_oldest_go() {
        let mut ring = ring(&[0; RING_EVENTS_MAX + 3]);
        check(&mut ring, Some(1), 1, &(4..=259).collect::<Vec<_>>(), Some((2, 2, 3)));
        let big = Frame::from(vec![b'1'; RING_BYTES_MAX / 2 + 1]);
        assert_eq!(ring.push(big.clone(), LIFETIME, Duration::from_secs(1)), 1);
        assert_eq!(ring.push(big, LIFETIME, Duration::from_secs(1)), 256);
        assert!(ring.bytes <= RING_BYTES_MAX);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push { lifetime_s: u64 },
        Ack { seq: u64 },
        Wait { s: u64 },
        Replay { after: Option<u64> },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (1_u64..60).prop_map(|lifetime_s| Step::Push { lifetime_s }),
            1 => (0_u64..50).prop_map(|seq| Step::Ack { seq }),
            2 => (0_u64..20).prop_map(|s| Step::Wait { s }),
            2 => proptest::option::of(0_u64..50).prop_map(|after| Step::Replay { after }),
        ]
    }

    proptest! {
        /// Against a model that keeps everything for ever: what comes back is exactly what is neither acknowledged nor stale.
        #[test]
        fn as_a_model_without_limits(steps in proptest::collection::vec(step(), 1..120)) {
            let (mut ring, mut now) = (Ring::default(), Duration::ZERO);
            let (mut all, mut acked) = (BTreeMap::new(), 0);
            for step in steps {
                let last = ring.last_seq;
                match step {
                    Step::Push { lifetime_s } => {
                        let (seq, lifetime) = (ring.next_seq(), Duration::from_secs(lifetime_s));
                        ring.push(frame(seq), lifetime, now);
                        all.insert(seq, now.saturating_add(lifetime));
                    }
                    Step::Ack { seq } => {
                        prop_assert_eq!(ring.ack(seq).is_ok(), seq <= last);
                        if seq <= last { acked = acked.max(seq) }
                    }
                    Step::Wait { s } => now = now.saturating_add(Duration::from_secs(s)),
                    Step::Replay { after } => {
                        let got = ring.replay(after, now);
                        prop_assert_eq!(got.is_ok(), after.unwrap_or_default() <= last);
                        let Ok(got) = got else { continue };
                        let base = after.unwrap_or_default().max(acked);
                        let due = all.range(base.saturating_add(1)..);
                        let (live, gone): (Vec<_>, Vec<_>) = due.partition(|(_, until)| **until > now);
                        let live: Vec<u64> = live.into_iter().map(|(seq, _)| *seq).collect();
                        prop_assert_eq!(seqs(&got.frames), live);
                        let want = gone.first().map(|first| Missed::Counted {
                            count: u64::try_from(gone.len()).unwrap(),
                            from_seq: *first.0,
                            to_seq: *gone.last().unwrap().0,
                        });
                        prop_assert_eq!(got.missed, want);
                    }
                }
            }
        }
    }
}
