//! The queue talks to the emulated printer over nothing but bytes, on a clock of our making.

use super::{LETTERS, face, job, profile, read_qr};
use fichad::domain::time::Uptime;
use fichad::print::fonts::Fonts;
use fichad::print::layout::{Layout, PaperProfile, QrMode};
use fichad::print::paper::{Faults, Model, Paper};
use fichad::print::queue::{
    CancelError, FailReason, Input, JOBS_MAX, JobState, Limits, NoPort, Output, PrinterCondition, Queue,
    SubmitError,
};
use std::time::Duration;

/// A queue and an emulated printer joined by a wire of our making, with a clock of our making.
pub(super) struct Bench {
    pub(super) queue: Queue,
    pub(super) printer: Paper,
    pub(super) now: Uptime,
    pub(super) wire: Option<Vec<u8>>,
    /// What opening the port gives.
    pub(super) port: Result<(), NoPort>,
    /// Cut the wire after so many bytes more.
    pub(super) cut_after: Option<usize>,
    pub(super) states: Vec<(u128, JobState)>,
    conditions: Vec<PrinterCondition>,
    connects: usize,
}

impl Bench {
    pub(super) fn new(paper: PaperProfile, model: Model) -> Self {
        Self {
            queue: Queue::new(paper, Limits::USUAL),
            printer: Paper::new(model),
            now: Duration::ZERO,
            wire: None,
            port: Ok(()),
            cut_after: None,
            states: Vec::new(),
            conditions: Vec::new(),
            connects: 0,
        }
    }

    pub(super) fn feed(&mut self, input: Input<'_>) {
        for output in self.queue.handle(input, self.now) {
            match output {
                Output::Connect => {
                    self.connects += 1;
                    if self.port.is_ok() {
                        self.wire = Some(Vec::new());
                    }
                    self.feed(self.port.map_or_else(Input::NoPort, |()| Input::Connected));
                }
                Output::Write(bytes) => self.wire.as_mut().unwrap().extend(bytes.0),
                Output::Close => self.wire = None,
                Output::Job { id, state, .. } => self.states.push((id.0.as_u128(), state)),
                Output::Condition(condition) => self.conditions.push(condition),
            }
        }
    }

    /// Moves up to 512 bytes, or the clock to the next deadline; `false` if neither can change anything.
    pub(super) fn turn(&mut self) -> bool {
        let room = self.printer.room().min(512);
        if let Some(wire) = self.wire.as_mut().filter(|wire| !wire.is_empty() && room > 0) {
            let mut bytes: Vec<u8> = wire.drain(..room.min(wire.len())).collect();
            let left = wire.len();
            let mut lost = false;
            if let Some(cut_after) = &mut self.cut_after {
                lost = bytes.len() >= *cut_after;
                bytes.truncate(*cut_after);
                *cut_after -= bytes.len();
            }
            let replies = self.printer.push(&bytes);
            self.feed(Input::Written { left });
            if lost {
                (self.wire, self.cut_after) = (None, None);
                self.feed(Input::Lost);
            } else if !replies.is_empty() && self.wire.is_some() {
                self.feed(Input::Received(&replies));
            }
            return true;
        }
        let Some(deadline) = self.queue.deadline() else { return false };
        self.now = self.now.max(deadline);
        self.feed(Input::Tick);
        true
    }

    /// Runs until nothing more happens by itself, for at most `seconds`.
    pub(super) fn run(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        self.feed(Input::Tick);
        while self.now < end && self.turn() {}
    }

    pub(super) fn faults(&mut self, faults: Faults) {
        let replies = self.printer.set_faults(faults);
        if !replies.is_empty() && self.wire.is_some() {
            self.feed(Input::Received(&replies));
        }
    }

    #[track_caller]
    fn ended(&self, want: &[(u128, JobState)]) {
        let ended: Vec<_> = self.states.iter().copied().filter(|(_, state)| state.has_ended()).collect();
        assert_eq!(ended, want);
        assert!(self.wire.is_none(), "the printer was let go");
    }
}

const OUT: Faults = Faults {
    paper_out: true,
    paper_near_end: false,
    cover_open: false,
    offline: false,
    error: false,
    stalled: false,
};

#[test]
fn a_full_printer_proves_it_printed() {
    let mut bench = Bench::new(profile(576), Model::FULL);
    bench.queue.submit(&job(1), &Fonts::default()).unwrap();
    bench.queue.submit(&job(2), &Fonts::default()).unwrap();
    bench.run(60);
    bench.ended(&[(1, JobState::Printed), (2, JobState::Printed)]);
    assert_eq!(bench.connects, 1);
    let pages = bench.printer.take_pages();
    assert_eq!(pages.len(), 2);
    assert_eq!(read_qr(&pages[1].to_bitmap(576)), [LETTERS]);
    assert!(bench.printer.unknown().is_empty(), "{:?}", bench.printer.unknown());
    assert_eq!(bench.printer.stray_real_time(), 0);
    assert!(bench.now < Duration::from_millis(1), "no wait when the printer answers");
}

#[test]
fn the_proof_is_what_the_printer_can_give() {
    let clone = Model { width_dots: 384, ..Model::CLONE };
    for (model, state) in [
        (clone, JobState::Processed),
        (Model { answers_sensor: false, ..clone }, JobState::Sent),
        (Model::SILENT, JobState::Unknown),
        (Model { tells_printed: false, ..Model::FULL }, JobState::Processed),
    ] {
        let mut bench = Bench::new(profile(384), model);
        bench.queue.submit(&job(1), &Fonts::default()).unwrap();
        bench.run(120);
        bench.ended(&[(1, state)]);
        let pages = bench.printer.take_pages();
        assert_eq!(pages.len(), 1, "{model:?}");
        assert_eq!(read_qr(&pages[0].to_bitmap(384)), [LETTERS]);
        assert_eq!(pages[0].texts().count(), 3, "nothing that was asked stands on the paper");
        assert_eq!(bench.printer.page().texts().count(), 0);
        // What the first job taught is not asked again.
        let before = bench.printer.unknown().clone();
        bench.queue.submit(&job(2), &Fonts::default()).unwrap();
        bench.run(120);
        assert_eq!(*bench.printer.unknown(), before);
        assert_eq!(bench.printer.take_pages().len(), 1);
    }
}

#[test]
fn paper_out_before_waits_and_goes_on_by_itself() {
    for (fault, condition) in [
        (OUT, PrinterCondition::PaperOut),
        (Faults { cover_open: true, ..Faults::default() }, PrinterCondition::CoverOpen),
        (Faults { offline: true, ..Faults::default() }, PrinterCondition::Offline),
        (Faults { error: true, ..Faults::default() }, PrinterCondition::Error),
    ] {
        let mut bench = Bench::new(profile(576), Model::FULL);
        bench.faults(fault);
        bench.queue.submit(&job(1), &Fonts::default()).unwrap();
        bench.run(3600);
        assert_eq!(bench.states, [(1, JobState::Queued)]);
        assert_eq!(bench.conditions, [condition]);
        bench.faults(Faults::default());
        bench.run(60);
        bench.ended(&[(1, JobState::Printed)]);
        assert_eq!(bench.conditions, [condition, PrinterCondition::Ready]);
        assert_eq!(bench.printer.take_pages().len(), 1);
    }
}

#[test]
fn paper_out_in_the_middle_is_waited_for_and_not_printed_twice() {
    for answers_unasked in [true, false] {
        let mut bench = Bench::new(PaperProfile { qr: QrMode::Raster, ..profile(576) }, Model::FULL);
        bench.queue.submit(&job(1), &Fonts::default()).unwrap();
        bench.feed(Input::Tick);
        while !bench.states.contains(&(1, JobState::Sending)) || bench.wire.as_ref().unwrap().len() > 4_000 {
            bench.turn();
        }
        if answers_unasked {
            bench.faults(OUT);
        } else {
            bench.printer.set_faults(OUT);
        }
        bench.run(600);
        assert!(!bench.states.iter().any(|(_, state)| state.has_ended()), "{:?}", bench.states);
        assert_eq!(bench.queue.condition(), PrinterCondition::PaperOut);
        assert_eq!(bench.queue.cancel(job(1).id), Err(CancelError::UnderWay));
        let replies = bench.printer.set_faults(Faults::default());
        bench.feed(Input::Received(&replies));
        bench.run(60);
        bench.ended(&[(1, JobState::Printed)]);
        assert_eq!(bench.printer.take_pages().len(), 1);
    }
}

#[test]
fn a_wait_has_an_end() {
    let mut bench = Bench::new(profile(576), Model::FULL);
    bench.queue.submit(&job(1), &Fonts::default()).unwrap();
    bench.feed(Input::Tick);
    while !bench.states.contains(&(1, JobState::Sending)) {
        bench.turn();
    }
    bench.faults(OUT);
    bench.run(24 * 3600);
    let ended: Vec<_> = bench.states.iter().filter(|(_, state)| state.has_ended()).collect();
    assert_eq!(ended, [&(1, JobState::Unknown)]);
    assert!(bench.now < Duration::from_secs(20 * 60), "{:?}", bench.now);
}

#[test]
fn a_dropped_connection_is_unknown_and_never_sent_again() {
    let mut bench = Bench::new(PaperProfile { qr: QrMode::Raster, ..profile(576) }, Model::FULL);
    bench.queue.submit(&job(1), &Fonts::default()).unwrap();
    bench.queue.submit(&job(2), &Fonts::default()).unwrap();
    bench.cut_after = Some(600);
    bench.run(120);
    bench.ended(&[(1, JobState::Unknown), (2, JobState::Printed)]);
    // The torn card's picture was finished with white, and the second card is whole.
    let pages = bench.printer.take_pages();
    let codes: Vec<String> = pages.iter().flat_map(|page| read_qr(&page.to_bitmap(576))).collect();
    assert_eq!(codes.last().map(String::as_str), Some(LETTERS));
    assert_eq!(bench.connects, 2);
}

#[test]
fn every_place_to_cut_the_wire() {
    let whole = Layout::new(&face(), &profile(576), &Fonts::default()).unwrap().encode(false).unwrap().len();
    for at in (1..whole + 200).step_by(397) {
        let mut bench = Bench::new(PaperProfile { qr: QrMode::Raster, ..profile(576) }, Model::FULL);
        bench.queue.submit(&job(1), &Fonts::default()).unwrap();
        bench.cut_after = Some(at);
        bench.run(300);
        let cuts = bench.printer.take_pages().len();
        let ended: Vec<_> = bench.states.iter().filter(|(_, state)| state.has_ended()).collect();
        assert_eq!(ended.len(), 1, "cut after {at}: {:?}", bench.states);
        assert!(cuts <= 1, "cut after {at}: printed {cuts} times");
        if ended[0].1 == JobState::Printed {
            assert_eq!(cuts, 1, "cut after {at}");
        }
    }
}

#[test]
fn a_printer_that_is_gone_or_busy_is_tried_again() {
    let mut bench = Bench::new(profile(576), Model::FULL);
    bench.port = Err(NoPort::Gone);
    bench.queue.submit(&job(1), &Fonts::default()).unwrap();
    bench.run(60);
    assert_eq!(bench.states, [(1, JobState::Queued)]);
    assert!((4..12).contains(&bench.connects), "{}", bench.connects);
    bench.port = Err(NoPort::Busy);
    bench.run(60);
    bench.port = Ok(());
    bench.run(60);
    bench.ended(&[(1, JobState::Printed)]);
    assert_eq!(bench.conditions, [PrinterCondition::Gone, PrinterCondition::Busy, PrinterCondition::Ready]);
}

#[test]
fn a_printer_that_spoke_and_fell_silent_is_off_line() {
    let mut bench = Bench::new(profile(576), Model::FULL);
    bench.queue.submit(&job(1), &Fonts::default()).unwrap();
    bench.run(60);
    bench.faults(Faults { stalled: true, ..Faults::default() });
    bench.queue.submit(&job(2), &Fonts::default()).unwrap();
    bench.run(60);
    assert_eq!(bench.queue.condition(), PrinterCondition::Offline);
    assert_eq!(bench.states.last(), Some(&(2, JobState::Queued)));
    bench.faults(Faults::default());
    bench.run(60);
    bench.ended(&[(1, JobState::Printed), (2, JobState::Printed)]);
    assert_eq!(bench.printer.take_pages().len(), 2);
}

#[test]
fn cancel_and_limits() {
    let mut bench = Bench::new(profile(576), Model::FULL);
    bench.port = Err(NoPort::Gone);
    for number in 1..=u128::try_from(JOBS_MAX).unwrap() {
        bench.queue.submit(&job(number), &Fonts::default()).unwrap();
    }
    assert_eq!(bench.queue.submit(&job(1000), &Fonts::default()), Err(SubmitError::Full));
    bench.run(5);
    bench.queue.cancel(job(1).id).unwrap();
    assert_eq!(bench.queue.submit(&job(2), &Fonts::default()), Err(SubmitError::Twice));
    assert_eq!(bench.queue.cancel(job(1).id), Err(CancelError::NotHere));
    for number in 3..=u128::try_from(JOBS_MAX).unwrap() {
        bench.queue.cancel(job(number).id).unwrap();
    }
    bench.port = Ok(());
    bench.run(60);
    let printed = bench.states.iter().filter(|(_, state)| *state == JobState::Printed).count();
    let cancelled = JobState::Failed(FailReason::Cancelled);
    assert_eq!(printed, 1);
    assert_eq!(bench.states.iter().filter(|(_, state)| *state == cancelled).count(), JOBS_MAX - 1);
    let mut bad = job(7);
    bad.face.letters = "lower case".to_owned();
    assert!(matches!(bench.queue.submit(&bad, &Fonts::default()), Err(SubmitError::Unprintable(_))));
    assert!(!format!("{:?} {bad:?}", bench.queue).contains("FA01"));
}

#[test]
fn a_symbol_too_wide_for_the_printer_becomes_a_picture() {
    // The printer's own idea of its width is smaller than the symbol, so function 182 says no.
    let mut bench = Bench::new(profile(384), Model { width_dots: 140, ..Model::FULL });
    bench.queue.submit(&job(1), &Fonts::default()).unwrap();
    bench.run(60);
    bench.ended(&[(1, JobState::Printed)]);
    assert!(!bench.printer.unknown().contains_key("QR wider than the paper"));
}
