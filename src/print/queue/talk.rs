//! The steps of the conversation: connect, ask how it is, ask whether it draws QR, print, await proof, part.
//!
//! only [`Phase::Printing`] may have put dots on paper; every other step can be left and begun again.

use super::printing::Printing;
use super::status::{self, Round, Step};
use super::{Input, JobState, NoPort, Output, PrinterCondition, Queue, RECOVERY_BYTES};
use crate::domain::time::Uptime;
use crate::print::escpos::{self, Ask};
use crate::print::layout::QrMode;
use crate::print::reply::Reply;

/// Where the conversation is.
#[derive(Debug)]
pub(super) enum Phase {
    /// Not connected, nothing to do.
    Idle,
    /// Not connected, until it is tried again.
    Waiting { until: Uptime },
    /// The port is being opened.
    Connecting,
    /// Asking how it is.
    Checking(Round),
    /// Asking whether it draws QR at all: function 182 with nothing stored prints nothing, and what an
    /// ignorant printer takes for text is still in its line buffer when `ESC @` empties that.
    Probing { since: Uptime },
    /// Asking whether this symbol fits.
    Measuring { since: Uptime },
    /// The card is on its way, or proof is awaited.
    Printing(Printing),
    /// Leaving the printer as it was.
    Parting { since: Uptime },
}

impl Phase {
    pub(super) fn is_printing(&self) -> bool {
        matches!(self, Self::Printing(_))
    }
}

impl Queue {
    pub(super) fn due(&self) -> Option<Uptime> {
        match &self.phase {
            Phase::Idle | Phase::Connecting => None,
            Phase::Waiting { until } => Some(*until),
            Phase::Checking(round) => Some(round.since.saturating_add(self.limits.status)),
            Phase::Probing { since } | Phase::Measuring { since } => {
                Some(since.saturating_add(self.limits.probe))
            }
            Phase::Printing(printing) => printing.deadline(&self.limits),
            Phase::Parting { since } => Some(since.saturating_add(self.limits.part)),
        }
    }

    pub(super) fn take(&mut self, input: Input<'_>, now: Uptime) {
        match input {
            Input::Connected => self.on_connected(now),
            Input::NoPort(why) => self.on_no_port(why, now),
            Input::Received(bytes) => {
                for reply in self.parser.push(bytes) {
                    self.on_reply(&reply, now);
                }
            }
            Input::Written { left } => self.on_written(left, now),
            Input::Lost => self.on_lost(now),
            Input::Tick => {}
        }
        self.on_time(now);
        let wanted = !self.jobs.is_empty() && !self.stopping;
        match self.phase {
            Phase::Idle if wanted => self.connect(),
            Phase::Waiting { until } if wanted && until <= now => self.connect(),
            Phase::Waiting { .. } if !wanted => self.phase = Phase::Idle,
            Phase::Idle
            | Phase::Waiting { .. }
            | Phase::Connecting
            | Phase::Checking(_)
            | Phase::Probing { .. }
            | Phase::Measuring { .. }
            | Phase::Printing(_)
            | Phase::Parting { .. } => {}
        }
    }

    fn connect(&mut self) {
        self.phase = Phase::Connecting;
        self.out.push(Output::Connect);
    }

    fn on_connected(&mut self, now: Uptime) {
        if !matches!(self.phase, Phase::Connecting) {
            return;
        }
        self.parser.reset();
        (self.left, self.owed) = (0, 0);
        if std::mem::take(&mut self.torn) {
            self.write(vec![0; RECOVERY_BYTES]);
        }
        self.check(now);
    }

    /// The next job's first step, on an open connection.
    fn check(&mut self, now: Uptime) {
        self.ask(Ask::Printer);
        self.phase = Phase::Checking(Round { ask: Ask::Printer, since: now });
    }

    fn on_no_port(&mut self, why: NoPort, now: Uptime) {
        if !matches!(self.phase, Phase::Connecting) {
            return;
        }
        self.set_condition(match why {
            NoPort::Gone => PrinterCondition::Gone,
            NoPort::Busy => PrinterCondition::Busy,
        });
        self.back_off(now);
    }

    fn back_off(&mut self, now: Uptime) {
        let twofold = 1_u32.checked_shl(self.retries).unwrap_or(u32::MAX);
        let wait = self.limits.recheck.saturating_mul(twofold).min(self.limits.recheck_max);
        self.retries = self.retries.saturating_add(1).min(16);
        self.phase = Phase::Waiting { until: now.saturating_add(wait) };
    }

    fn on_lost(&mut self, now: Uptime) {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Idle | Phase::Waiting { .. } | Phase::Connecting => return,
            Phase::Parting { .. } => return,
            Phase::Checking(_) | Phase::Probing { .. } | Phase::Measuring { .. } => {}
            Phase::Printing(printing) if printing.touched => {
                // Taken by the kernel is not taken by the printer: where it broke off nobody knows.
                self.torn = !printing.processed;
                self.finish(if printing.processed { JobState::Processed } else { JobState::Unknown });
            }
            Phase::Printing(_) => self.tell_front(JobState::Queued),
        }
        self.set_condition(PrinterCondition::Gone);
        self.back_off(now);
    }

    fn on_written(&mut self, left: usize, now: Uptime) {
        let moved = left < self.left;
        self.left = left;
        let limits = self.limits;
        match &mut self.phase {
            Phase::Printing(printing) => {
                if moved {
                    printing.touched = true;
                    printing.moved_at = now;
                }
                if left == 0 && !printing.drained {
                    printing.drained = true;
                    printing.proof_by = now.saturating_add(limits.proof);
                    printing.poll_at = now.saturating_add(limits.poll);
                }
            }
            Phase::Parting { .. } if left == 0 => self.close(Phase::Idle),
            Phase::Idle
            | Phase::Waiting { .. }
            | Phase::Connecting
            | Phase::Checking(_)
            | Phase::Probing { .. }
            | Phase::Measuring { .. }
            | Phase::Parting { .. } => {}
        }
    }

    pub(super) fn close(&mut self, phase: Phase) {
        self.out.push(Output::Close);
        self.phase = phase;
    }

    fn on_reply(&mut self, reply: &Reply, now: Uptime) {
        match *reply {
            Reply::Status(byte) => self.on_status(byte, now),
            Reply::Auto(bytes) => self.on_condition(status::automatic(bytes), now),
            Reply::QrSize { printable } => self.on_qr_size(printable, now),
            Reply::Sensor(_) => self.on_processed(now),
            Reply::ProcessId(id) => self.on_printed(id, now),
            Reply::Text(_) | Reply::Block => {}
            // Says nothing about the printer's abilities, and nothing about a card.
            Reply::XOff | Reply::XOn | Reply::Stray => return,
        }
        self.speaks = true;
    }

    /// Asks a status question.
    pub(super) fn ask(&mut self, what: Ask) {
        self.owed = self.owed.saturating_add(1);
        self.write(escpos::ask(what));
    }

    /// The answer to a question did not come in time.
    pub(super) fn unanswered(&mut self, ask: Ask, now: Uptime) {
        self.owed = self.owed.saturating_sub(1);
        self.step(status::silence(ask), now);
    }

    fn on_status(&mut self, byte: u8, now: Uptime) {
        let Some(owed) = self.owed.checked_sub(1) else { return };
        self.owed = owed;
        if owed > 0 {
            // To a question that nobody waits for any more: asked before the last card's proof came.
            return;
        }
        let round = match &mut self.phase {
            Phase::Checking(round) => Some(*round),
            Phase::Printing(printing) => printing.round.take(),
            Phase::Idle
            | Phase::Waiting { .. }
            | Phase::Connecting
            | Phase::Probing { .. }
            | Phase::Measuring { .. }
            | Phase::Parting { .. } => None,
        };
        if let Some(round) = round {
            self.step(status::answer(round.ask, byte), now);
        }
    }

    /// One step of a round, in [`Phase::Checking`] or [`Phase::Printing`].
    pub(super) fn step(&mut self, step: Step, now: Uptime) {
        let limits = self.limits;
        match step {
            Step::Next(ask) => {
                self.ask(ask);
                let next = Round { ask, since: now };
                if let Phase::Printing(printing) = &mut self.phase {
                    printing.round = Some(next);
                } else {
                    self.phase = Phase::Checking(next);
                }
            }
            Step::Found(condition) => {
                if let Phase::Printing(printing) = &mut self.phase {
                    printing.poll_at = now.saturating_add(limits.poll);
                    printing.healthy = condition.prints();
                }
                self.on_condition(condition, now);
            }
            Step::Silent => match &mut self.phase {
                Phase::Printing(printing) => {
                    printing.poll_at = now.saturating_add(limits.poll);
                    printing.healthy = false;
                }
                // A printer that never said anything may be one that cannot; one that did is off line.
                Phase::Checking(_) if !self.speaks && self.left == 0 => self.begin(now),
                Phase::Checking(_) => self.put_off(PrinterCondition::Offline, now),
                Phase::Idle
                | Phase::Waiting { .. }
                | Phase::Connecting
                | Phase::Probing { .. }
                | Phase::Measuring { .. }
                | Phase::Parting { .. } => {}
            },
        }
    }

    /// The printer said how it is.
    fn on_condition(&mut self, condition: PrinterCondition, now: Uptime) {
        let limits = self.limits;
        match &mut self.phase {
            Phase::Checking(_) if condition.prints() => {
                self.set_condition(condition);
                self.retries = 0;
                self.begin(now);
                return;
            }
            Phase::Checking(_) | Phase::Probing { .. } | Phase::Measuring { .. } if !condition.prints() => {
                self.put_off(condition, now);
                return;
            }
            Phase::Printing(printing) if !condition.prints() => {
                printing.held_until.get_or_insert(now.saturating_add(limits.held));
            }
            Phase::Printing(printing) => {
                if printing.held_until.take().is_some() {
                    printing.moved_at = now;
                    printing.proof_by = now.saturating_add(limits.proof);
                }
            }
            Phase::Idle
            | Phase::Waiting { .. }
            | Phase::Connecting
            | Phase::Checking(_)
            | Phase::Probing { .. }
            | Phase::Measuring { .. }
            | Phase::Parting { .. } => {}
        }
        self.set_condition(condition);
    }

    /// Nothing of the card was written: let go of the printer and look again soon.
    pub(super) fn put_off(&mut self, condition: PrinterCondition, now: Uptime) {
        self.set_condition(condition);
        self.close(Phase::Waiting { until: now.saturating_add(self.limits.recheck) });
    }

    /// The printer is ready: find out who draws the QR symbol.
    pub(super) fn begin(&mut self, now: Uptime) {
        let Some(entry) = self.jobs.front().filter(|_| !self.stopping) else { return self.part(now) };
        match (self.paper.qr, self.draws_qr) {
            (QrMode::Native, _) => self.print(true, now),
            (QrMode::Auto, None) if self.speaks => {
                // Answered at the start of a line only: another program may have left half a line.
                self.write([&escpos::init()[..], &escpos::qr_size()].concat());
                self.phase = Phase::Probing { since: now };
            }
            (QrMode::Auto, Some(true)) => match entry.layout.measure() {
                Ok(bytes) => {
                    self.write(bytes);
                    self.phase = Phase::Measuring { since: now };
                }
                Err(_) => self.print(false, now),
            },
            (QrMode::Auto | QrMode::Raster, _) => self.print(false, now),
        }
    }

    fn on_qr_size(&mut self, printable: bool, now: Uptime) {
        if matches!(self.phase, Phase::Probing { .. }) {
            self.draws_qr = Some(true);
            self.begin(now);
        } else if matches!(self.phase, Phase::Measuring { .. }) {
            self.print(printable, now);
        }
    }

    fn on_time(&mut self, now: Uptime) {
        if self.due().is_none_or(|due| now < due) {
            return;
        }
        match &mut self.phase {
            Phase::Idle | Phase::Waiting { .. } | Phase::Connecting => {}
            Phase::Checking(round) => {
                let ask = round.ask;
                self.unanswered(ask, now);
            }
            Phase::Probing { .. } => {
                self.draws_qr = Some(false);
                self.begin(now);
            }
            Phase::Measuring { .. } => self.print(false, now),
            Phase::Printing(_) => self.on_printing_time(now),
            Phase::Parting { .. } => self.close(Phase::Idle),
        }
    }

    pub(super) fn next(&mut self, now: Uptime) {
        if self.jobs.is_empty() || self.stopping { self.part(now) } else { self.check(now) }
    }

    pub(super) fn part(&mut self, now: Uptime) {
        self.write(escpos::part());
        self.phase = Phase::Parting { since: now };
    }

    pub(super) fn finish(&mut self, state: JobState) {
        if let Some(entry) = self.jobs.pop_front() {
            self.tell(&entry, state);
        }
    }

    pub(super) fn tell_front(&mut self, state: JobState) {
        if let Some(entry) = self.jobs.front() {
            self.out.push(Output::Job { id: entry.id, state, omitted: entry.layout.omitted });
        }
    }
}
