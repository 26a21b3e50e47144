//! What printers and lines can do at their worst; each body serves a property test here and a fuzz target.

use super::{job, profile};
use fichad::print::paper::{Model, Paper};
use fichad::print::queue::{Input, JobState, Limits, Output, Queue};
use fichad::print::reply::ReplyParser;
use proptest::prelude::*;
use std::time::Duration;

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
    #![proptest_config(ProptestConfig::with_cases(32))]

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
