//! Answers: their order, their limit, and what becomes of late ones. Real lines are in `tests/it/serial.rs`.

use super::*;
use crate::decode::framing::{Framing, IDLE_GAP, Serial};
use crate::device::replay::{Capture, Pace, Replay};
use crate::domain::time::Timestamp;

/// A scanner that sends scans and keeps the answers.
struct Scanner {
    replay: Replay,
    answers: Vec<Answer>,
    hangs_up: bool,
}

impl Scanner {
    fn sending(bytes: &[u8]) -> Self {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let header = "# reader: x\n# mode: x\n# date: x\n# by: x\n# source: simulator\n# transport: serial\n";
        let capture = Capture::parse(&format!("{header}0 {hex}\n")).unwrap();
        let replay = Replay::new(capture, Pace::AtMost(Duration::ZERO)).unwrap();
        Self { replay, answers: Vec::new(), hangs_up: false }
    }
}

impl Port for Scanner {
    fn wait_fd(&self) -> BorrowedFd<'_> {
        self.replay.wait_fd()
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<Option<usize>, PortError> {
        self.replay.read(buf)
    }

    fn answer(&mut self, answer: Answer) -> Result<(), PortError> {
        if self.hangs_up {
            return Err(PortError::Gone { device: "scanner".to_owned() });
        }
        self.answers.push(answer);
        Ok(())
    }
}

struct Stopped;

impl Clock for Stopped {
    fn uptime(&self) -> Uptime {
        Duration::ZERO
    }

    fn utc(&self) -> Timestamp {
        Timestamp::default()
    }
}

fn run_it(scanner: &mut Scanner, on: &mut OnDecoded<'_>) {
    let mut serial = Serial::new(Framing::Auto, IDLE_GAP);
    let end = run(scanner, &mut serial, &Stopped, &StopSignal::new().unwrap(), on);
    assert!(matches!(end, ReaderEnd::Lost(PortError::Gone { .. })), "{end:?}");
}

#[test]
fn what_a_pulled_plug_cuts_off_is_no_scan() {
    let mut told = Vec::new();
    run_it(&mut Scanner::sending(b"4006381333931\r40063813"), &mut |decoded, _, _| {
        told.push(matches!(decoded, Decoded::Scan(_)));
        if let Decoded::Rejected(why) = decoded {
            assert_eq!(why, Rejection::Incomplete);
        }
        Reply::Quiet
    });
    assert_eq!(told, [true, false]);
}

#[test]
fn an_answer_at_once_waits_for_those_before_it() {
    let mut scanner = Scanner::sending(b"1\r2\r3\r");
    let (mut seen, mut first) = (0, None);
    run_it(&mut scanner, &mut |_, _, answers| {
        seen += 1;
        match seen {
            1 => {
                let (ticket, pending) = answers.later();
                first = Some(ticket);
                Reply::Later(pending)
            }
            2 => Reply::Now(Answer::Ack),
            _ => {
                assert!(first.take().unwrap().give(Answer::Nak));
                Reply::Quiet
            }
        }
    });
    assert_eq!(scanner.answers, [Answer::Nak, Answer::Ack]);
}

#[test]
fn one_too_many_is_a_nak_and_the_end_closes_every_ticket() {
    let scans = "1\r".repeat(PENDING_MAX + 1);
    let mut scanner = Scanner::sending(scans.as_bytes());
    let mut tickets = Vec::new();
    run_it(&mut scanner, &mut |_, _, answers| {
        let (ticket, pending) = answers.later();
        tickets.push(ticket);
        Reply::Later(pending)
    });
    assert_eq!(scanner.answers, [Answer::Nak]);
    assert_eq!(tickets.len(), PENDING_MAX + 1);
    for ticket in tickets {
        assert!(!ticket.give(Answer::Ack), "nobody listens any more");
    }
}

#[test]
fn scans_that_came_before_the_line_was_lost_are_handed_on() {
    let mut scanner = Scanner::sending(b"1\r2\r3");
    scanner.hangs_up = true;
    let mut seen = 0;
    run_it(&mut scanner, &mut |_, _, _| {
        seen += 1;
        Reply::Now(Answer::Ack)
    });
    assert_eq!(seen, 3, "two whole ones, and one that only silence ends");
}
