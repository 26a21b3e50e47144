//! The reader's loop on a real pseudo-terminal: the test is the scanner.

use fichad::decode::framing::Framing;
use fichad::device::port::{Answer, OpenError, PortError};
use fichad::device::reader::{self, AnswerTicket, ReaderEnd, Reply, StopSignal};
use fichad::device::replay::{Capture, Pace, Replay};
use fichad::device::serial::{Handshake, PortSettings};
use fichad::domain::scan::{Decoded, SCAN_BYTES_MAX};
use fichad::domain::time::{Clock, Timestamp, Uptime};
use nix::poll::{PollFd, PollFlags, poll};
use nix::pty::openpty;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longer than anything here takes; a test that waits this long has failed.
const BOUND: Duration = Duration::from_secs(10);

struct TestClock(Instant);

impl TestClock {
    fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "a test of real descriptors needs real time")]
        Self(Instant::now())
    }
}

impl Clock for TestClock {
    fn uptime(&self) -> Uptime {
        self.0.elapsed()
    }

    fn utc(&self) -> Timestamp {
        Timestamp::default()
    }
}

/// A scanner's end of the line, and the daemon's end being read on a thread.
struct Line {
    scanner: std::fs::File,
    decoded: Receiver<Decoded>,
    tickets: Receiver<AnswerTicket>,
    stop: StopSignal,
    reader: JoinHandle<ReaderEnd>,
}

/// What the receiver of scans does about answers.
#[derive(Clone, Copy)]
enum Answering {
    Now(Answer),
    Tickets,
}

impl Line {
    fn open(settings: impl FnOnce(PortSettings) -> PortSettings, answering: Answering) -> Self {
        let pty = openpty(None, None).unwrap();
        let path: PathBuf = nix::unistd::ttyname(&pty.slave).unwrap();
        let settings = settings(PortSettings::new(path));
        let mut port = settings.open().unwrap();
        drop(pty.slave);
        let (to_test, decoded) = sync_channel(64);
        let (tickets_to_test, tickets) = sync_channel(64);
        let stop = StopSignal::new().unwrap();
        let stopped = stop.clone();
        let reader = std::thread::spawn(move || {
            let mut assembler = settings.assembler();
            let mut on = callback(to_test, tickets_to_test, answering);
            reader::run(&mut port, &mut assembler, &TestClock::start(), &stopped, &mut *on)
        });
        Self { scanner: pty.master.into(), decoded, tickets, stop, reader }
    }

    fn with(framing: Framing) -> Self {
        Self::open(|settings| PortSettings { framing, ..settings }, Answering::Now(Answer::Ack))
    }

    fn send(&mut self, bytes: &[u8]) {
        self.scanner.write_all(bytes).unwrap();
    }

    #[track_caller]
    fn expect(&self, want: &str) {
        let got = match self.decoded.recv_timeout(BOUND).unwrap() {
            Decoded::Scan(scan) => String::from_utf8(scan.data).unwrap(),
            Decoded::Rejected(why) => format!("!{}", why.word()),
        };
        assert_eq!(got, want);
    }

    /// The next byte that the daemon sends to the scanner.
    #[track_caller]
    fn answer(&mut self) -> u8 {
        let mut polled = [PollFd::new(self.scanner.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut polled, u16::try_from(BOUND.as_millis()).unwrap()).unwrap();
        assert_eq!(ready, 1, "no answer came");
        let mut byte = [0];
        self.scanner.read_exact(&mut byte).unwrap();
        byte[0]
    }

    fn stop(self) -> ReaderEnd {
        self.stop.raise();
        self.end()
    }

    /// Waits for the loop's end, bounded: its sender hangs up when it is over.
    fn end(self) -> ReaderEnd {
        loop {
            match self.decoded.recv_timeout(BOUND) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return self.reader.join().unwrap(),
                Err(RecvTimeoutError::Timeout) => panic!("the reader's loop goes on"),
            }
        }
    }
}

type OnDecoded = Box<dyn FnMut(Decoded, Uptime, &reader::Answers) -> Reply>;

fn callback(
    decoded: SyncSender<Decoded>,
    tickets: SyncSender<AnswerTicket>,
    answering: Answering,
) -> OnDecoded {
    Box::new(move |what, _at, answers| {
        decoded.send(what).unwrap();
        match answering {
            Answering::Now(answer) => Reply::Now(answer),
            Answering::Tickets => {
                let (ticket, pending) = answers.later();
                tickets.send(ticket).unwrap();
                Reply::Later(pending)
            }
        }
    })
}

#[test]
fn cr_ends_a_scan_and_reaches_us_as_cr() {
    let mut line = Line::with(Framing::Cr);
    line.send(b"29123456\r4006\r");
    line.expect("29123456");
    line.expect("4006");
    assert!(matches!(line.stop(), ReaderEnd::Stopped));
}

#[test]
fn crlf_in_two_writes_is_one_end() {
    let mut line = Line::with(Framing::Auto);
    line.send(b"4006381333931\r");
    line.expect("4006381333931");
    line.send(b"\n5901234123457\r\n");
    line.expect("5901234123457");
    line.send(b"1\r\n");
    line.expect("1");
}

#[test]
fn stx_and_etx_frame_a_scan() {
    let mut line = Line::with(Framing::StxEtx);
    line.send(b"..\x02AB\rC\x03\r\n\x02D\x03");
    line.expect("AB\rC");
    line.expect("D");
}

#[test]
fn control_bytes_arrive_as_sent() {
    let mut line = Line::with(Framing::StxEtx);
    line.send(b"\x028018\x1d\x04\x11\x13\x1a\x7f\x15\x16\x03");
    line.expect("8018\x1d\x04\x11\x13\x1a\x7f\x15\x16");
}

#[test]
fn silence_ends_a_scan() {
    let idle = Duration::from_millis(30);
    let mut line = Line::open(
        |settings| PortSettings { framing: Framing::Silence, idle, ..settings },
        Answering::Now(Answer::Ack),
    );
    line.send(b"ABC");
    line.expect("ABC");
    line.send(b"D");
    line.expect("D");
}

#[test]
fn ten_kibibytes_without_an_end_are_one_rejection() {
    let mut line = Line::with(Framing::Cr);
    for _ in 0..10 {
        line.send(&[b'7'; 1024]);
    }
    line.expect("!too_long");
    line.send(b"\r4006\r");
    line.expect("4006");
    line.send(&vec![b'8'; SCAN_BYTES_MAX]);
    line.send(b"\r");
    line.expect(&"8".repeat(SCAN_BYTES_MAX));
}

#[test]
fn a_scanner_that_hangs_up_is_gone() {
    let mut line = Line::with(Framing::Auto);
    line.send(b"4006\r");
    line.expect("4006");
    let Line { scanner, decoded, tickets, stop, reader } = line;
    drop(scanner);
    let spare = std::fs::File::open("/dev/null").unwrap();
    let end = Line { scanner: spare, decoded, tickets, stop, reader }.end();
    assert!(matches!(end, ReaderEnd::Lost(PortError::Gone { .. })), "{end:?}");
}

#[test]
fn a_stop_raised_before_the_start_holds() {
    let line = Line::with(Framing::Auto);
    line.stop.raise();
    line.stop.raise();
    assert!(matches!(line.stop(), ReaderEnd::Stopped));
}

fn ack_nak(settings: PortSettings) -> PortSettings {
    PortSettings { handshake: Handshake::AckNak, ..settings }
}

#[test]
fn answers_at_once_are_on_the_wire() {
    for (answer, byte) in [(Answer::Ack, 0x06), (Answer::Nak, 0x15)] {
        let mut line = Line::open(ack_nak, Answering::Now(answer));
        line.send(b"4006\r");
        assert_eq!(line.answer(), byte);
    }
}

#[test]
fn answers_given_later_keep_the_order_of_the_scans() {
    let mut line = Line::open(ack_nak, Answering::Tickets);
    line.send(b"1\r2\r3\r");
    let [first, second, third] = [(); 3].map(|()| line.tickets.recv_timeout(BOUND).unwrap());
    assert!(second.give(Answer::Nak), "in time");
    assert!(first.give(Answer::Ack), "in time");
    assert_eq!([line.answer(), line.answer()], [0x06, 0x15]);
    drop(third);
    assert_eq!(line.answer(), 0x15, "a ticket that is lost is a NAK");
}

#[test]
fn an_answer_that_does_not_come_is_a_nak_in_time() {
    let mut line = Line::open(ack_nak, Answering::Tickets);
    let clock = TestClock::start();
    line.send(b"1\r");
    let late = line.tickets.recv_timeout(BOUND).unwrap();
    assert_eq!(line.answer(), 0x15);
    let took = clock.uptime();
    assert!(took >= reader::ANSWER_WITHIN && took < Duration::from_secs(2), "{took:?}: a scanner waits 2 s");
    assert!(!late.give(Answer::Ack), "too late, and the giver knows");
}

#[test]
fn a_scanner_without_handshake_is_told_nothing() {
    let mut line = Line::open(|settings| settings, Answering::Now(Answer::Ack));
    line.send(b"1\r");
    line.expect("1");
    line.send(b"2\r");
    line.expect("2"); // the answer to 1 would have been written before 2 was read
    let mut polled = [PollFd::new(line.scanner.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut polled, 0u8).unwrap(), 0);
}

#[test]
fn what_cannot_be_opened_says_why() {
    let gone = PortSettings::new("/dev/ficha-no-such-port").open().unwrap_err();
    assert!(matches!(gone, OpenError::Gone { .. }), "{gone}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let other = PortSettings::new(&file).open().unwrap_err();
    assert!(matches!(other, OpenError::Other { .. }), "{other}");
    let pty = openpty(None, None).unwrap();
    let settings = PortSettings::new(nix::unistd::ttyname(&pty.slave).unwrap());
    let first = settings.open().unwrap();
    let busy = settings.open().unwrap_err();
    assert!(matches!(busy, OpenError::Busy { .. }), "{busy}");
    drop(first);
    assert!(settings.open().is_ok(), "free again once closed");
}

/// Silence ends the scans of the first, 0.8 s apart, so it is played as recorded; the second needs no time.
#[test]
fn a_capture_plays_as_a_reader() {
    for (name, pace) in [("no-terminator", Pace::Recorded), ("crlf-two-scans", Pace::AtMost(Duration::ZERO))]
    {
        let path = format!("{}/tests/captures/serial/{name}.hex", env!("CARGO_MANIFEST_DIR"));
        let capture = Capture::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
        let mut port = Replay::new(capture, pace).unwrap();
        let mut got = Vec::new();
        let end = reader::run(
            &mut port,
            &mut PortSettings::new("/dev/null").assembler(),
            &TestClock::start(),
            &StopSignal::new().unwrap(),
            &mut |decoded, _, _| {
                if let Decoded::Scan(scan) = decoded {
                    got.push(String::from_utf8(scan.data).unwrap());
                }
                Reply::Quiet
            },
        );
        assert!(matches!(end, ReaderEnd::Lost(PortError::Gone { .. })), "{end:?}");
        assert_eq!(got, ["4006381333931", "5901234123457"], "{name}");
    }
}
