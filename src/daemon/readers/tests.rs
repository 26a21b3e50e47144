//! Readers that fail, seen by the register.

use super::*;
use crate::daemon::tests::{Rig, Scanner};
use crate::domain::scan::Decoded;
use crate::domain::time::Uptime;
use std::path::PathBuf;

/// A serial scanner whose decoder cannot stand an exclamation mark.
struct Brittle(PortSettings);

struct BrittleDecoder(Box<dyn Assemble>);

impl Assemble for BrittleDecoder {
    fn push(&mut self, bytes: &[u8], now: Uptime, out: &mut Vec<Decoded>) {
        assert!(!bytes.contains(&b'!'), "{bytes:?} broke it");
        self.0.push(bytes, now, out);
    }
    fn deadline(&self) -> Option<Uptime> {
        self.0.deadline()
    }
    fn on_deadline(&mut self, now: Uptime, out: &mut Vec<Decoded>) {
        self.0.on_deadline(now, out);
    }
}

impl Source for Brittle {
    fn name(&self) -> ReaderName {
        self.0.reader_name()
    }
    fn open(&self) -> Result<Opened, OpenError> {
        Ok((Box::new(self.0.open()?), Box::new(BrittleDecoder(Box::new(self.0.assembler())))))
    }
    fn wants_answers(&self) -> bool {
        false
    }
    fn tape(&self) -> Tape {
        SerialReader(self.0.clone()).tape()
    }
    fn after_loss(&self) -> Ended {
        Ended::TryAgain
    }
}

fn port(name: &str, path: PathBuf) -> PortSettings {
    PortSettings { name: Some(ReaderName::new(name).unwrap()), ..PortSettings::new(path) }
}

#[test]
fn a_panic_while_reading_is_told_and_costs_that_reader_a_moment_only() {
    let (mut left, mut right) = (Scanner::new(), Scanner::new());
    let mut rig = Rig::start("");
    let starter = rig.starter();
    let threads = [
        starter.spawn(Brittle(port("left", left.path.clone())), starter.stop.clone(), |_| {}).unwrap(),
        starter.spawn(SerialReader(port("right", right.path.clone())), starter.stop.clone(), |_| {}).unwrap(),
    ];
    rig.until("both read", |event| {
        ["left", "right"].iter().all(|name| crate::daemon::tests::is(event, name, "reading"))
    });
    left.send("!\r");
    let why = rig.until_state("left", "away");
    assert!(why.contains("fault of fichad") && !why.contains('!'), "{why}");
    right.send("4006381333931\r");
    rig.until("the other reader reads on", |event| event["scan_data"] == "4006381333931");
    rig.until_state("left", "reading");
    left.send("2000000000008\r");
    let got = rig.until("it reads again", |event| event["scan_data"] == "2000000000008");
    assert_eq!(got["reader"], "left");
    starter.stop.raise();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn what_fails_again_and_again_is_tried_ever_more_seldom_but_for_ever() {
    let mut pauses = Pauses::default();
    let tried: Vec<u128> = (0..8).map(|_| pauses.next().as_millis()).collect();
    assert_eq!(tried, [300, 600, 1200, 2400, 4800, 9600, 10_000, 10_000]);
}
