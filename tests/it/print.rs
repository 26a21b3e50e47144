//! A card from its texts to the dots and back: the queue talks to the emulated printer over nothing but bytes,
//! and decoders that share no code with the drawing read what came out.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "test code"
)]

use fichad::domain::id::JobId;
use fichad::domain::time::Uptime;
use fichad::print::CardFace;
use fichad::print::codepage::{self, CodePage};
use fichad::print::escpos;
use fichad::print::layout::{Layout, Omitted, PaperProfile, QrMode};
use fichad::print::paper::{Faults, Model, Paper, page::Page};
use fichad::print::queue::{
    CancelError, FailReason, Input, JOBS_MAX, Job, JobState, Limits, NoPort, Output, PrinterCondition, Queue,
    SubmitError,
};
use fichad::print::raster::Bitmap;
use fichad::print::reply::ReplyParser;
use proptest::prelude::*;
use std::time::Duration;

const LETTERS: &str = "FA0123456789ABCDEFGH";
const DIGITS: &str = "1234567890123456789012345697";

pub(crate) fn face() -> CardFace {
    CardFace {
        title: Some("Ferretería Núñez".to_owned()),
        name: Some("María José Ñandú".to_owned()),
        letters: LETTERS.to_owned(),
        clear: "FA01-2345-6789-ABCD-EFGH".to_owned(),
        digits: DIGITS.to_owned(),
    }
}

pub(crate) fn job(number: u128) -> Job {
    Job { id: JobId(uuid::Uuid::from_u128(number)), face: face() }
}

pub(crate) fn profile(width_dots: u16) -> PaperProfile {
    PaperProfile { width_dots, code_page: Some(CodePage::Cp858), ..PaperProfile::default() }
}

/// Reads the QR symbols on a page with an independent decoder.
pub(crate) fn read_qr(bitmap: &Bitmap) -> Vec<String> {
    let (width, height) = (usize::from(bitmap.width()), usize::from(bitmap.height()));
    let dot = |x: usize, y: usize| bitmap.get(u16::try_from(x).unwrap(), u16::try_from(y).unwrap());
    let mut image = rqrr::PreparedImage::prepare_from_bitmap(width, height, dot);
    image.detect_grids().iter().filter_map(|grid| grid.decode().ok()).map(|(_, text)| text).collect()
}

/// Reads Code 128-C out of one row of dots. Shares nothing with the drawing: its table is written as modules, not as
/// run lengths, and start and stop are found at the ends.
fn read_code_128(bitmap: &Bitmap, row: u16) -> Option<String> {
    let dots: Vec<bool> = (0..bitmap.width()).map(|x| bitmap.get(x, row)).collect();
    let first = dots.iter().position(|dot| *dot)?;
    let last = dots.iter().rposition(|dot| *dot)?;
    let span = &dots[first..=last];
    let module = span.iter().take_while(|dot| **dot).count() / 2; // every start character begins with two black modules
    let modules: String = span.chunks(module.max(1)).map(|m| if m[0] { '1' } else { '0' }).collect();
    let body = modules.strip_prefix("11010011100")?.strip_suffix("1100011101011")?;
    let values: Vec<usize> = body
        .as_bytes()
        .chunks(11)
        .map(|character| MODULES.split_whitespace().position(|known| known.as_bytes() == character))
        .collect::<Option<_>>()?;
    let (check, values) = values.split_last()?;
    let sum: usize = 105 + values.iter().enumerate().map(|(at, value)| (at + 1) * value).sum::<usize>();
    (sum % 103 == *check).then(|| values.iter().map(|value| format!("{value:02}")).collect())
}

/// The symbol characters 0 to 102 as black (1) and white (0) modules.
const MODULES: &str = "
11011001100 11001101100 11001100110 10010011000 10010001100 10001001100 10011001000 10011000100 10001100100 11001001000
11001000100 11000100100 10110011100 10011011100 10011001110 10111001100 10011101100 10011100110 11001110010 11001011100
11001001110 11011100100 11001110100 11101101110 11101001100 11100101100 11100100110 11101100100 11100110100 11100110010
11011011000 11011000110 11000110110 10100011000 10001011000 10001000110 10110001000 10001101000 10001100010 11010001000
11000101000 11000100010 10110111000 10110001110 10001101110 10111011000 10111000110 10001110110 11101110110 11010001110
11000101110 11011101000 11011100010 11011101110 11101011000 11101000110 11100010110 11101101000 11101100010 11100011010
11101111010 11001000010 11110001010 10100110000 10100001100 10010110000 10010000110 10000101100 10000100110 10110010000
10110000100 10011010000 10011000010 10000110100 10000110010 11000010010 11001010000 11110111010 11000010100 10001111010
10100111100 10010111100 10010011110 10111100100 10011110100 10011110010 11110100100 11110010100 11110010010 11011011110
11011110110 11110110110 10101111000 10100011110 10001011110 10111101000 10111100010 11110101000 11110100010 10111011110
10111101110 11101011110 11110101110";

/// Prints a card straight into the emulated printer.
fn print(face: &CardFace, paper: &PaperProfile, model: Model, native: bool) -> (Page, Omitted) {
    let layout = Layout::new(face, paper).unwrap();
    let mut printer = Paper::new(model);
    printer.push(&layout.encode(native).unwrap());
    assert!(printer.unknown().is_empty(), "{:?}", printer.unknown());
    assert_eq!(printer.stray_real_time(), 0);
    let pages = printer.take_pages();
    assert_eq!(pages.len(), 1);
    (pages.into_iter().next().unwrap(), layout.omitted)
}

#[test]
fn the_code_is_read_out_of_the_dots() {
    for (width_dots, dpi) in [(384, 203), (512, 180), (576, 203)] {
        for native in [false, true] {
            let paper = PaperProfile { dpi, ..profile(width_dots) };
            let (page, omitted) = print(&face(), &paper, Model { width_dots, ..Model::FULL }, native);
            let dots = page.to_bitmap(width_dots);
            assert_eq!(read_qr(&dots), [LETTERS], "{width_dots} {native}");
            let bars = (0..dots.height()).rev().find_map(|row| read_code_128(&dots, row));
            assert_eq!(bars.as_deref(), (!omitted.bars).then_some(DIGITS), "{width_dots} {native}");
            assert_eq!(omitted.bars, width_dots == 384);
            let texts: Vec<&str> = page.texts().collect();
            assert_eq!(texts, ["Ferretería Núñez", "María José Ñandú", "FA01-2345-6789-ABCD-EFGH"]);
        }
    }
}

#[test]
fn a_blot_of_a_tenth_off_the_finders_still_reads() {
    for native in [false, true] {
        let (page, _) = print(&face(), &profile(384), Model { width_dots: 384, ..Model::FULL }, native);
        let mut dots = page.to_bitmap(384);
        let black: Vec<(u16, u16)> = (0..dots.height())
            .flat_map(|y| (0..384).map(move |x| (x, y)))
            .filter(|(x, y)| dots.get(*x, *y))
            .collect();
        let (left, top) =
            (black.iter().map(|dot| dot.0).min().unwrap(), black.iter().map(|dot| dot.1).min().unwrap());
        // 8 of 25 modules square is 10.2 % of the symbol, in the middle of the right half: off the three finders.
        dots.fill(left + 14 * 6, top + 9 * 6, 8 * 6, 8 * 6);
        assert_eq!(read_qr(&dots), [LETTERS]);
    }
}

#[test]
fn digits_that_look_like_a_command_are_drawn() {
    let mut face = face();
    face.digits = "1604160516200123456789012345".to_owned();
    let (page, _) = print(&face, &profile(576), Model::FULL, true);
    let dots = page.to_bitmap(576);
    let bars = (0..dots.height()).rev().find_map(|row| read_code_128(&dots, row));
    assert_eq!(bars, Some(face.digits.clone()));
}

#[test]
fn accents_survive_a_printer_that_starts_in_kanji_mode() {
    let model = Model { kanji_at_start: true, ..Model::FULL };
    let (page, _) = print(&face(), &profile(576), model, false);
    assert!(page.texts().any(|text| text == "María José Ñandú"));
    // The emulated printer does show the fault when the command is missing.
    let mut printer = Paper::new(model);
    printer.push(b"\x1b@\x1bt\x13Mar\xa1a\n");
    assert!(printer.page().texts().all(|text| text != "María"));
}

#[test]
fn a_terminal_shows_a_symbol_that_scans() {
    let (page, _) = print(&face(), &profile(576), Model::FULL, false);
    let shown = page.show();
    let lines: Vec<Vec<char>> = shown.lines().map(|line| line.chars().collect()).collect();
    assert!(lines.iter().all(|line| line.len() <= 80));
    let light = |x: usize, y: usize| {
        let cell = lines.get(y / 2).and_then(|line| line.get(x)).copied().unwrap_or(' ');
        matches!((cell, y % 2), ('█', _) | ('▀', 0) | ('▄', 1))
    };
    // The frame is one module; white around it, four dots a module, as a camera sees it.
    let symbol: Vec<usize> =
        (0..lines.len()).filter(|y| lines[*y].iter().filter(|c| **c == '█').count() > 3).collect();
    let (top, left) = (symbol[0], lines[symbol[0]].iter().position(|c| *c != ' ').unwrap());
    let mut dots = Bitmap::new(200, 200);
    for y in 0..27_u16 {
        for x in 0..27_u16 {
            if !light(left + usize::from(x), top * 2 + usize::from(y)) {
                dots.fill(40 + x * 4, 40 + y * 4, 4, 4);
            }
        }
    }
    assert_eq!(read_qr(&dots), [LETTERS], "\n{shown}");
    assert!(!format!("{page:?}").contains("FA01"));
}

/// A queue and an emulated printer joined by a wire of our making, with a clock of our making.
struct Bench {
    queue: Queue,
    printer: Paper,
    now: Uptime,
    wire: Option<Vec<u8>>,
    /// What opening the port gives.
    port: Result<(), NoPort>,
    /// Cut the wire after so many bytes more.
    cut_after: Option<usize>,
    states: Vec<(u128, JobState)>,
    conditions: Vec<PrinterCondition>,
    connects: usize,
}

impl Bench {
    fn new(paper: PaperProfile, model: Model) -> Self {
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

    fn feed(&mut self, input: Input<'_>) {
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
    fn turn(&mut self) -> bool {
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
    fn run(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        self.feed(Input::Tick);
        while self.now < end && self.turn() {}
    }

    fn faults(&mut self, faults: Faults) {
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
    bench.queue.submit(&job(1)).unwrap();
    bench.queue.submit(&job(2)).unwrap();
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
        bench.queue.submit(&job(1)).unwrap();
        bench.run(120);
        bench.ended(&[(1, state)]);
        let pages = bench.printer.take_pages();
        assert_eq!(pages.len(), 1, "{model:?}");
        assert_eq!(read_qr(&pages[0].to_bitmap(384)), [LETTERS]);
        assert_eq!(pages[0].texts().count(), 3, "nothing that was asked stands on the paper");
        assert_eq!(bench.printer.page().texts().count(), 0);
        // What the first job taught is not asked again.
        let before = bench.printer.unknown().clone();
        bench.queue.submit(&job(2)).unwrap();
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
        bench.queue.submit(&job(1)).unwrap();
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
        bench.queue.submit(&job(1)).unwrap();
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
    bench.queue.submit(&job(1)).unwrap();
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
    bench.queue.submit(&job(1)).unwrap();
    bench.queue.submit(&job(2)).unwrap();
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
    let whole = Layout::new(&face(), &profile(576)).unwrap().encode(false).unwrap().len();
    for at in (1..whole + 200).step_by(97) {
        let mut bench = Bench::new(PaperProfile { qr: QrMode::Raster, ..profile(576) }, Model::FULL);
        bench.queue.submit(&job(1)).unwrap();
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
    bench.queue.submit(&job(1)).unwrap();
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
    bench.queue.submit(&job(1)).unwrap();
    bench.run(60);
    bench.faults(Faults { stalled: true, ..Faults::default() });
    bench.queue.submit(&job(2)).unwrap();
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
        bench.queue.submit(&job(number)).unwrap();
    }
    assert_eq!(bench.queue.submit(&job(1000)), Err(SubmitError::Full));
    bench.run(5);
    bench.queue.cancel(job(1).id).unwrap();
    assert_eq!(bench.queue.submit(&job(2)), Err(SubmitError::Twice));
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
    assert!(matches!(bench.queue.submit(&bad), Err(SubmitError::Unprintable(_))));
    assert!(!format!("{:?} {bad:?}", bench.queue).contains("FA01"));
}

#[test]
fn a_symbol_too_wide_for_the_printer_becomes_a_picture() {
    // The printer's own idea of its width is smaller than the symbol, so function 182 says no.
    let mut bench = Bench::new(profile(384), Model { width_dots: 140, ..Model::FULL });
    bench.queue.submit(&job(1)).unwrap();
    bench.run(60);
    bench.ended(&[(1, JobState::Printed)]);
    assert!(!bench.printer.unknown().contains_key("QR wider than the paper"));
}

/// Any bytes as replies: no panic, the same in any pieces. For a fuzz target as well.
pub(crate) fn fuzz_replies(data: &[u8]) {
    let whole = ReplyParser::default().push(data);
    let mut parser = ReplyParser::default();
    let single: Vec<_> = data.chunks(1).flat_map(|byte| parser.push(byte)).collect();
    assert_eq!(whole, single);
}

/// Any bytes to the emulated printer: no panic, bounded, the same answers and pages in any pieces. For a fuzz target as well.
pub(crate) fn fuzz_paper(data: &[u8]) {
    let mut whole = Paper::new(Model::FULL);
    let answers = whole.push(data);
    let mut pieces = Paper::new(Model::FULL);
    let split: Vec<u8> = data.chunks(3).flat_map(|bytes| pieces.push(bytes)).collect();
    let sorted = |mut bytes: Vec<u8>| {
        bytes.sort_unstable();
        bytes
    };
    // Real-time answers overtake the others by as much as arrives at once, so only their sum is the same.
    assert_eq!(sorted(answers), sorted(split));
    assert_eq!(whole.take_pages(), pieces.take_pages());
    assert!(!whole.page().show().contains('\u{1b}'));
}

/// A printer that answers anything at all at any time: the queue never panics, never prints a card twice, never
/// waits for nothing with a job begun. For a fuzz target as well.
pub(crate) fn fuzz_queue(data: &[u8]) {
    let mut queue = Queue::new(profile(576), Limits::USUAL);
    queue.submit(&job(1)).unwrap();
    queue.submit(&job(2)).unwrap();
    let (mut now, mut sending, mut ended, mut open) = (Duration::ZERO, Vec::new(), Vec::new(), false);
    let mut steps = data.iter();
    let mut inputs = vec![];
    loop {
        let mut bytes = Vec::new();
        let input = match inputs.pop() {
            Some(input) => input,
            None => match steps.next() {
                None => break,
                Some(0) if open => Input::Lost,
                Some(1) if open => Input::Written { left: 0 },
                Some(2) if open => Input::Written { left: 10 },
                Some(3) => {
                    now = queue.deadline().unwrap_or(now).max(now);
                    Input::Tick
                }
                Some(byte) if open => {
                    bytes.push(*byte);
                    Input::Received(&bytes)
                }
                Some(_) => Input::Tick,
            },
        };
        open &= input != Input::Lost;
        for output in queue.handle(input, now) {
            match output {
                Output::Connect => {
                    open = true;
                    inputs.push(Input::Connected);
                }
                Output::Close => open = false,
                Output::Job { id, state: JobState::Sending, .. } => sending.push(id),
                Output::Job { id, state: JobState::Queued, .. } => sending.retain(|sent| *sent != id),
                Output::Job { id, state, .. } if state.has_ended() => ended.push(id),
                Output::Job { .. } | Output::Write(_) | Output::Condition(_) => {}
            }
        }
        assert!(queue.is_idle() || queue.deadline().is_some() || !inputs.is_empty());
    }
    for list in [sending, ended] {
        assert!(list.len() <= 2 && (list.len() < 2 || list.first() != list.get(1)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn replies_of_any_bytes(data: Vec<u8>) {
        fuzz_replies(&data);
    }

    #[test]
    fn paper_of_any_bytes(data in proptest::collection::vec(
        prop_oneof![Just(0x10_u8), Just(0x1b), Just(0x1d), Just(b'('), Just(b'k'), Just(b'v'), Just(b'0'), 0..6_u8, any::<u8>()],
        0..300,
    )) {
        fuzz_paper(&data);
    }

    #[test]
    fn queue_of_any_printer(data in proptest::collection::vec(
        prop_oneof![0..4_u8, Just(0x12), Just(0x10), Just(0x00), Just(0x37), Just(0x1a), any::<u8>()],
        0..300,
    )) {
        fuzz_queue(&data);
    }

}

proptest! {
    // Few, because each draws and reads two symbols.
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn what_is_encoded_is_what_stands_on_the_paper(
        name in any::<String>(),
        letters in "[0-9A-Z]{20}",
        digits in "[0-9]{28}",
        native: bool,
        width in prop_oneof![Just(384_u16), Just(512), Just(576)],
    ) {
        let mut face = face();
        (face.name, face.letters, face.digits) = (Some(name.clone()), letters.clone(), digits.clone());
        let bytes = Layout::new(&face, &profile(width)).unwrap().encode(native).unwrap();
        prop_assert!(!escpos::has_real_time(&bytes));
        let (page, omitted) = print(&face, &profile(width), Model { width_dots: width, ..Model::FULL }, native);
        let dots = page.to_bitmap(width);
        prop_assert_eq!(read_qr(&dots), [letters]);
        let bars = (0..dots.height()).rev().find_map(|row| read_code_128(&dots, row));
        prop_assert_eq!(bars, (width > 384).then_some(digits));
        let printed: String = page.texts().collect::<Vec<_>>().join(" ");
        let clean = codepage::clean(&name);
        if !omitted.name && !clean.is_empty() && clean.chars().count() < 32 {
            prop_assert!(printed.contains(&clean));
        }
    }
}
