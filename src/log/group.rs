//! Decisions that share one sync: what they came to, and who waits for them.

use super::layer::Layer;
use super::pending::{Answer, Committed};
use super::{FoldError, Meta, Refused, Tx};
use tokio::sync::oneshot;

/// What was decided together. It is written and synced as one, and then seen.
#[derive(Default)]
pub(super) struct Group {
    pub(super) layer: Layer,
    pub(super) records: Vec<Decision>,
}

/// A transaction that was decided.
pub(super) struct Decision {
    pub(super) meta: Meta,
    pub(super) personal: Option<Vec<u8>>,
    pub(super) neutral: Vec<u8>,
}

impl Group {
    /// The neutral payload of one of its transactions.
    pub(super) fn neutral(&self, seq: u64) -> Option<&[u8]> {
        let found = self.records.iter().rev().find(|decision| decision.meta.seq == seq)?;
        Some(&found.neutral)
    }

    /// Bytes of its events.
    pub(super) fn bytes(&self) -> usize {
        let bytes = |record: &Decision| {
            record.personal.as_ref().map_or(0, Vec::len).saturating_add(record.neutral.len())
        };
        self.records.iter().map(bytes).fold(0, usize::saturating_add)
    }
}

/// A queued decision, whatever it returns.
pub(super) trait Job: Send {
    /// Runs the decision; whether it said yes.
    fn decide(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Sends the answer; nobody may be waiting for it any more.
    fn answer(self: Box<Self>, outcome: Outcome);
}

/// Who waits for a group, and what they will be told once it is on the disk.
pub(super) type Waiting = Vec<(Box<dyn Job>, Outcome)>;

/// How a decision ended.
pub(super) enum Outcome {
    Done(Meta),
    Refused,
    Fold(FoldError),
    Panicked,
    ReadOnly(String),
}

pub(super) struct Task<F, T, R> {
    decide: Option<F>,
    decided: Option<Result<T, R>>,
    reply: oneshot::Sender<Answer<T, R>>,
}

impl<F, T, R> Task<F, T, R> {
    pub(super) fn new(decide: F, reply: oneshot::Sender<Answer<T, R>>) -> Self {
        Self { decide: Some(decide), decided: None, reply }
    }
}

impl<F, T, R> Job for Task<F, T, R>
where
    F: FnOnce(&mut Tx<'_>) -> Result<T, R> + Send,
    T: Send,
    R: Send,
{
    fn decide(&mut self, tx: &mut Tx<'_>) -> bool {
        self.decided = self.decide.take().map(|decide| decide(tx));
        matches!(self.decided, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, outcome: Outcome) {
        let answer = match (outcome, self.decided) {
            (Outcome::ReadOnly(why), _) => Err(Refused::ReadOnly { why }),
            (Outcome::Done(meta), Some(Ok(value))) => Ok(Committed { value, meta }),
            (Outcome::Fold(error), _) => Err(Refused::Fold(error)),
            (Outcome::Refused, Some(Err(refusal))) => Err(Refused::Refusal(refusal)),
            (Outcome::Done(_) | Outcome::Refused | Outcome::Panicked, _) => Err(Refused::Panicked),
        };
        // The caller may have stopped waiting; the decision stands all the same.
        drop(self.reply.send(answer));
    }
}
