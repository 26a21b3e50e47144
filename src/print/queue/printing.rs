//! The one step that puts dots on paper: write the card, then wait for the strongest proof there is.
//!
//! What ends here is never begun again.

use super::status::Round;
use super::talk::Phase;
use super::{FailReason, JobState, Limits, Queue};
use crate::domain::id::JobId;
use crate::domain::time::Uptime;
use crate::print::escpos::{self, Ask};

/// A card on its way.
#[derive(Debug)]
pub(super) struct Printing {
    token: Option<[u8; 4]>,
    /// The port took a byte of it.
    pub(super) touched: bool,
    pub(super) drained: bool,
    pub(super) moved_at: Uptime,
    pub(super) processed: bool,
    /// A whole round of good answers began after everything was taken.
    pub(super) healthy: bool,
    pub(super) proof_by: Uptime,
    pub(super) held_until: Option<Uptime>,
    pub(super) round: Option<Round>,
    pub(super) poll_at: Uptime,
}

impl Printing {
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Uptime> {
        if let Some(held_until) = self.held_until {
            return Some(if self.drained { held_until.min(self.poll_due(limits)) } else { held_until });
        }
        if self.drained {
            return Some(self.proof_by.min(self.poll_due(limits)));
        }
        Some(self.moved_at.saturating_add(limits.stall))
    }

    fn poll_due(&self, limits: &Limits) -> Uptime {
        self.round.map_or(self.poll_at, |round| round.since.saturating_add(limits.status))
    }
}

/// The token of a job: four characters of its random part, so that a late answer to another job is not taken for this one's.
fn token(id: JobId) -> [u8; 4] {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let [.., a, b, c, d] = *id.0.as_bytes();
    let letter = |byte: u8| ALPHABET.get(usize::from(byte & 0x1f)).copied().unwrap_or(b'0');
    [letter(a), letter(b), letter(c), letter(d)]
}

impl Queue {
    /// Writes the card and the questions that prove it.
    pub(super) fn print(&mut self, native: bool, now: Uptime) {
        let Some(entry) = self.jobs.front() else { return self.part(now) };
        let asked = self.speaks && self.tells_printed != Some(false);
        let token = asked.then(|| token(entry.id));
        let question = token.map_or_else(|| Ok(Vec::new()), |token| escpos::process_id(token).map(Vec::from));
        let bytes = entry.layout.encode(native).and_then(|card| Ok([card, question?].concat()));
        let Ok(mut bytes) = bytes else {
            self.finish(JobState::Failed(FailReason::Unprintable));
            return self.next(now);
        };
        bytes.extend(escpos::sensor());
        self.tell_front(JobState::Sending);
        self.write(bytes);
        self.phase = Phase::Printing(Printing {
            token,
            touched: false,
            drained: false,
            moved_at: now,
            processed: false,
            healthy: false,
            proof_by: now,
            held_until: None,
            round: None,
            poll_at: now,
        });
    }

    pub(super) fn on_processed(&mut self, now: Uptime) {
        let limits = self.limits;
        let Phase::Printing(printing) = &mut self.phase else { return };
        if !printing.drained {
            return;
        }
        printing.processed = true;
        printing.proof_by = now.saturating_add(limits.printed);
        if printing.token.is_none() {
            self.conclude(JobState::Processed, now);
        }
    }

    pub(super) fn on_printed(&mut self, id: [u8; 4], now: Uptime) {
        let ours = matches!(&self.phase, Phase::Printing(printing) if printing.token == Some(id));
        if ours {
            self.tells_printed = Some(true);
            self.conclude(JobState::Printed, now);
        }
    }

    pub(super) fn on_printing_time(&mut self, now: Uptime) {
        let limits = self.limits;
        let Phase::Printing(printing) = &mut self.phase else { return };
        let held = printing.held_until;
        let over = match held {
            Some(until) => now >= until,
            None if printing.drained => now >= printing.proof_by,
            None => now >= printing.moved_at.saturating_add(limits.stall),
        };
        if over {
            let state = match (held, printing.processed, printing.healthy) {
                (_, true, _) => JobState::Processed,
                (None, false, true) => JobState::Sent,
                (_, false, _) => JobState::Unknown,
            };
            return self.conclude(state, now);
        }
        if let Some(round) = printing.round.take() {
            return self.unanswered(round.ask, now);
        }
        printing.round = Some(Round { ask: Ask::Printer, since: now });
        self.ask(Ask::Printer);
    }

    /// Ends the job under way and goes on.
    fn conclude(&mut self, state: JobState, now: Uptime) {
        let Phase::Printing(printing) = &self.phase else { return };
        if matches!(state, JobState::Processed | JobState::Sent) && printing.token.is_some() {
            self.tells_printed = self.tells_printed.or(Some(false));
        }
        let drained = printing.drained;
        self.finish(state);
        // One that never answers gives no hint that anything was lost, and would be padded for ever.
        self.torn = !drained || (state == JobState::Unknown && self.speaks);
        if self.torn {
            self.close(Phase::Waiting { until: now.saturating_add(self.limits.recheck) });
        } else {
            self.next(now);
        }
    }
}
