//! What a recording keeps of each kind of scan, and that nothing of a customer is in it.

use super::*;
use crate::config::{self, Config};
use crate::daemon::routes::Current;
use crate::decode::framing::{Framing, IDLE_GAP, Serial};
use crate::decode::hid::Scanner;
use crate::decode::keyboard::{IDLE_DEFAULT, Keyboard};
use crate::domain::code::CardKey;
use crate::domain::id::RegisterName;
use crate::domain::time::Timestamp;
use proptest::prelude::*;
use serde_json::value::to_raw_value;

struct Still;

impl Clock for Still {
    fn uptime(&self) -> Uptime {
        Duration::from_secs(5)
    }

    fn utc(&self) -> Timestamp {
        Timestamp(1_800_000_000_000_000)
    }
}

fn routes() -> Arc<Routes> {
    let config: Config = config::parse(
        "[[alias]]\nname = \"old\"\nprefix = \"29\"\nlength = 13\ncheck = \"gs1\"\n\
         [[alias]]\nname = \"tags\"\nprefix = \"AB-\"\nlength = 9\nchars = \"printable\"\n",
    )
    .unwrap();
    Arc::new(Routes::new(Current::new(&config, &RegisterName::new("till-1").unwrap())))
}

/// Records what `assembler` is given, a second apart, and gives the text that comes back.
fn record(tape: Tape, assembler: Box<dyn Assemble>, reads: &[Vec<u8>]) -> (Value, String) {
    let (recordings, routes, name) = (Recordings::default(), routes(), ReaderName::new("counter").unwrap());
    let mut tapped = recordings.tap(&name, tape, assembler, &routes);
    let ask = |params: Value| to_raw_value(&params).unwrap();
    recordings.start(Some(&ask(json!({ "reader": "counter", "seconds": 600 }))), &Still).unwrap();
    let mut out = Vec::new();
    for (at, read) in (6..).zip(reads) {
        tapped.push(read, Duration::from_secs(at), &mut out);
        if let Some(deadline) = tapped.deadline() {
            tapped.on_deadline(deadline, &mut out);
        }
    }
    let answer = recordings.stop(Some(&ask(json!({ "reader": "counter" })))).unwrap();
    let text = answer["capture"].as_str().unwrap().to_owned();
    (answer, text)
}

fn tape(transport: Transport, setup: Setup) -> Tape {
    Tape { transport, maker: "Example".to_owned(), mode: "-".to_owned(), setup }
}

fn serial(codes: &[&str]) -> (Value, String) {
    let reads: Vec<Vec<u8>> = codes.iter().map(|code| format!("{code}\r\n").into_bytes()).collect();
    let setup = Setup::default();
    record(tape(Transport::Serial, setup), Box::new(Serial::new(Framing::Auto, IDLE_GAP)), &reads)
}

/// What the decoder makes of a recording.
fn played(text: &str) -> Vec<String> {
    let capture = Capture::parse(text).unwrap_or_else(|mistakes| panic!("{mistakes:?}\n{text}"));
    let (mut assembler, mut out) = (capture.assembler().unwrap(), Vec::new());
    for read in &capture.reads {
        assembler.on_deadline(read.at, &mut out);
        assembler.push(&read.bytes, read.at, &mut out);
    }
    if let Some(at) = assembler.deadline() {
        assembler.on_deadline(at, &mut out);
    }
    let data = |decoded: Decoded| match decoded {
        Decoded::Scan(scan) => String::from_utf8(scan.data).unwrap(),
        Decoded::Rejected(why) => format!("! {}", why.word()),
    };
    out.into_iter().map(data).collect()
}

fn customer() -> CardKey {
    CardKey([0xde, 0xad, 0xbe, 0xef, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc])
}

#[test]
fn codes_become_those_of_a_test_card_and_products_stay() {
    let (letters, digits) = (customer().letters(Default::default()), customer().digits());
    let lower = letters.reveal_grouped().to_lowercase();
    let codes = [
        &format!("]Q1{}", letters.reveal()),
        &lower,
        digits.reveal(),
        "4006381333931",
        "]C1010400638133393110AB",
        "2912345678906",
        "2912345678904",
        "AB-7x9!qZ",
        "]C18018123456789012345675",
        "https://club.example/8018/123456789012345675",
        "John Doe, 5 Elm St",
    ];
    let (answer, text) = serial(&codes);
    assert_eq!(
        played(&text),
        [
            "]Q1FC008J4CT4ANK7F24SN1",
            "fc008-j4ct4-ank7f-24sn1",
            "6000031605903780774618946539",
            "4006381333931",
            "]C1010400638133393110AB",
            "2900000000001",
            "0000000000000",
            "AB-000000",
            "]C18018000000000000000000",
            "AAAAAAAAAAAAAAAAAAAAAAAA0000A000000000000000000",
            "AAAAAAAAAA0AAAAAAA",
        ]
        .map(|want| if want.starts_with("AAAAAAAAAAAAAAAAAAAA") {
            mask(codes[9])
        } else {
            want.to_owned()
        })
    );
    assert_eq!(
        (&answer["kept"], &answer["left_out"], &answer["full"]),
        (&json!(11), &json!(0), &json!(false))
    );
    assert!(
        text.starts_with("# reader: Example (counter)\n") && text.contains("# source: device\n"),
        "{text}"
    );
}

fn mask(code: &str) -> String {
    code.bytes().map(|byte| if byte.is_ascii_digit() { '0' } else { 'A' }).collect()
}

#[test]
fn refused_scans_leave_their_length_and_reason_only() {
    let damaged = "FC008J4CT4ANK7F24SN2";
    let codes = ["4539578763621486", damaged, ";1234567890123456789012345678?", "4006381333931"];
    let (answer, text) = serial(&codes);
    assert_eq!(played(&text), ["4006381333931"]);
    for line in [
        "18 bytes are left out, payment_card",
        "22 bytes are left out, damaged_card",
        "left out, magnetic_card",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert_eq!(answer["left_out"], 3);
}

#[test]
fn what_lies_between_scans_is_never_kept() {
    let framing = Framing::StxEtx;
    let setup = Setup { framing, ..Setup::default() };
    let reads = [b"4539578763621486\r\x024006381333931\x03".to_vec(), b"4539578763621486\r".to_vec()];
    let serial = Box::new(Serial::new(framing, IDLE_GAP));
    let (answer, text) = record(tape(Transport::Serial, setup), serial, &reads);
    assert_eq!((played(&text), &answer["kept"]), (vec![], &json!(0)));
    assert_eq!(text.matches("not_accounted_for").count(), 2, "{text}");
}

/// Report 2: count, AIM identifier, 16 bytes of data, 8 bytes of the maker's own, and whether more follows.
const SCANNER: &str = "05 8c 09 02 a1 01 85 02 15 00 26 ff 00 75 08 95 01 05 01 09 3b 81 02 95 03 05 8c 09 fb 09 fc 09 fd 81 02 \
    95 10 09 fe 82 02 01 95 08 06 66 ff 09 04 81 02 05 8c 25 01 75 01 95 01 09 ff 81 02 75 07 81 03 c0";

#[test]
fn reports_are_written_anew_without_what_lies_beside_the_data() {
    let bytes: String = SCANNER.split_whitespace().collect();
    let bytes: Vec<u8> =
        (0..bytes.len()).step_by(2).map(|at| u8::from_str_radix(&bytes[at..at + 2], 16).unwrap()).collect();
    let descriptor = Descriptor::parse(&bytes).unwrap();
    let report = |data: &[u8], more: u8| {
        let mut report = [&[2, u8::try_from(data.len()).unwrap()], &b"]Q1"[..], data].concat();
        // What is left in a device's buffer from the scan before.
        report.resize(5 + 16, b'7');
        report.extend_from_slice(b"45395787");
        report.push(more);
        report
    };
    let letters = customer().letters(Default::default());
    let (front, back) = letters.reveal().split_at(16);
    let reads = [report(front.as_bytes(), 1), report(back.as_bytes(), 0), report(b"4006381333931", 0)];
    let scanner = Box::new(Scanner::new(&descriptor).unwrap());
    let setup = Setup { descriptor: bytes, ..Setup::default() };
    // All three a second apart would end the continued scan; the last silence comes from the deadline.
    let recordings = Recordings::default();
    let name = ReaderName::new("counter").unwrap();
    let mut tapped = recordings.tap(&name, tape(Transport::HidPos, setup), scanner, &routes());
    let ask = |params: Value| to_raw_value(&params).unwrap();
    recordings.start(Some(&ask(json!({ "reader": "counter", "seconds": 60 }))), &Still).unwrap();
    for (ms, read) in (6000..).zip(&reads) {
        tapped.push(read, Duration::from_millis(ms), &mut Vec::new());
    }
    let answer = recordings.stop(Some(&ask(json!({ "reader": "counter" })))).unwrap();
    let text = answer["capture"].as_str().unwrap();
    assert_eq!(played(text), ["FC008J4CT4ANK7F24SN1", "4006381333931"]);
    assert!(!text.contains("37 37") && !text.contains("34 35 33 39"), "{text}");
}

#[test]
fn keys_are_typed_anew() {
    let us = keymap::load("us", "").unwrap();
    let keyboard = || Box::new(Keyboard::new(Arc::new(keymap::load("us", "").unwrap()), IDLE_DEFAULT));
    let letters = customer().letters(Default::default());
    let as_typed = |code: &str| {
        let scan = Disguised { was: Vec::new(), is: code.as_bytes().to_vec() };
        disguise::typed(&scan, &us).unwrap().concat()
    };
    let setup = Setup { layout: "us".to_owned(), ..Setup::default() };
    let reads = [letters.reveal(), "4006381333931", "4539578763621486"].map(as_typed);
    let (_, text) = record(tape(Transport::Keyboard, setup), keyboard(), &reads);
    assert_eq!(played(&text), ["FC008J4CT4ANK7F24SN1", "4006381333931"]);
    assert!(text.contains("left out, payment_card"));
}

#[test]
fn a_recording_has_its_limits() {
    let codes = vec!["a text that is no number of an article, but long"; 590];
    let (answer, text) = serial(&codes);
    assert!(text.len() <= CAPTURE_BYTES_MAX && text.len() > CAPTURE_BYTES_MAX - 200, "{}", text.len());
    assert_eq!(answer["full"], true);
    let recordings = Recordings::default();
    let name = ReaderName::new("counter").unwrap();
    let serial = || Box::new(Serial::new(Framing::Auto, IDLE_GAP));
    let _open = recordings.tap(&name, tape(Transport::Serial, Setup::default()), serial(), &routes());
    let start = |reader: &str, seconds: u64| {
        let params = to_raw_value(&json!({ "reader": reader, "seconds": seconds })).unwrap();
        recordings.start(Some(&params), &Still).map_err(|refusal| refusal.code)
    };
    assert_eq!(start("counter", SECONDS_MAX + 1), Err(RefusalCode::InvalidParams));
    assert_eq!(start("other", 5), Err(RefusalCode::NotFound));
    assert!(start("counter", 5).is_ok());
    assert_eq!(start("counter", 5), Err(RefusalCode::Conflict));
}

const PAYMENT: &str = "4539578763621486";

/// Scans, marks and stray bytes in any order, cut into reads anywhere.
fn stream() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let letters = customer().letters(Default::default()).reveal().to_owned();
    let digits = customer().digits().reveal().to_owned();
    let words = ["4006381333931", PAYMENT, "\r", "\n", "\u{2}", "\u{3}", "\r\n", "]Q1", ";", "?", "7"];
    let words: Vec<String> = words.map(str::to_owned).into_iter().chain([letters, digits]).collect();
    let stream = prop::collection::vec(prop::sample::select(words), 1..14);
    (stream, 1_usize..40)
        .prop_map(|(words, size)| words.concat().as_bytes().chunks(size).map(<[u8]>::to_vec).collect())
}

proptest! {
    /// Whatever the framing makes of it: what comes back plays, and no six symbols of a code stand in it.
    #[test]
    fn no_stream_brings_a_code_into_a_recording(reads in stream(), framing in prop::sample::select(Framing::WORDS.to_vec())) {
        let framing = framing.1;
        let (recordings, name) = (Recordings::default(), ReaderName::new("counter").unwrap());
        let setup = Setup { framing, ..Setup::default() };
        let serial = Box::new(Serial::new(framing, IDLE_GAP));
        let mut tapped = recordings.tap(&name, tape(Transport::Serial, setup), serial, &routes());
        let ask = |params: Value| to_raw_value(&params).unwrap();
        recordings.start(Some(&ask(json!({ "reader": "counter", "seconds": 60 }))), &Still).unwrap();
        for (ms, read) in (6000..).zip(&reads) {
            tapped.push(read, Duration::from_millis(ms), &mut Vec::new());
        }
        if let Some(at) = tapped.deadline() {
            tapped.on_deadline(at, &mut Vec::new());
        }
        let answer = recordings.stop(Some(&ask(json!({ "reader": "counter" })))).unwrap();
        let capture = Capture::parse(answer["capture"].as_str().unwrap()).unwrap();
        let kept: Vec<u8> = capture.reads.iter().flat_map(|read| read.bytes.clone()).collect();
        let (letters, digits) = (customer().letters(Default::default()), customer().digits());
        for secret in [letters.reveal(), digits.reveal(), PAYMENT] {
            for part in secret.as_bytes().windows(6) {
                prop_assert!(!kept.windows(6).any(|window| window == part), "{}", secret.escape_debug());
            }
        }
    }
}
