//! A printer that answers anything, and a printer that is sent anything.
//!
//! The input: a byte that chooses whose bytes they are, then the bytes.

use fichad::domain::id::JobId;
use fichad::print::CardFace;
use fichad::print::fonts::Fonts;
use fichad::print::layout::PaperProfile;
use fichad::print::paper::{Model, Paper};
use fichad::print::queue::{Input, Job, JobState, Limits, Output, Queue};
use fichad::print::reply::ReplyParser;
use std::time::Duration;

/// Asserts what holds whatever comes over a printer's line.
pub(crate) fn run(data: &[u8]) {
    let [whose, bytes @ ..] = data else { return };
    match whose % 3 {
        0 => replies(bytes),
        1 => paper(bytes),
        _ => queue(bytes),
    }
}

fn job(number: u128) -> Job {
    let face = CardFace {
        title: None,
        title_languages: Vec::new(),
        name: None,
        name_languages: Vec::new(),
        letters: "FA0123456789ABCDEFGH".to_owned(),
        clear: "FA01-2345-6789-ABCD-EFGH".to_owned(),
        digits: "1234567890123456789012345697".to_owned(),
    };
    Job { id: JobId(uuid::Uuid::from_u128(number)), face }
}

/// Any bytes as replies: no panic, the same in any pieces.
pub(crate) fn replies(data: &[u8]) {
    let whole = ReplyParser::default().push(data);
    let mut parser = ReplyParser::default();
    let single: Vec<_> = data.chunks(1).flat_map(|byte| parser.push(byte)).collect();
    assert_eq!(whole, single);
}

/// Any bytes to the emulated printer: no panic, bounded, the same answers and pages in any pieces.
pub(crate) fn paper(data: &[u8]) {
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
/// waits for nothing with a job begun.
pub(crate) fn queue(data: &[u8]) {
    let mut queue = Queue::new(PaperProfile::default(), Limits::USUAL);
    queue.submit(&job(1), &Fonts::default()).unwrap();
    queue.submit(&job(2), &Fonts::default()).unwrap();
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
