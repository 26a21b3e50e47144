//! A serial reader that sends anything, in any pieces.
//!
//! The input: a byte for the framing, a byte for the size of the pieces, then the stream.

use fichad::decode::Assemble;
use fichad::decode::classify::{Rules, classify};
use fichad::decode::framing::{Framing, IDLE_GAP, Serial};
use fichad::decode::{gs1, payment};
use fichad::domain::code::{Parsed, Programme, parse};
use fichad::domain::scan::{Decoded, Origin, RawScan, ReadingKind, Rejection, SCAN_BYTES_MAX};
use std::time::Duration;

/// Asserts what holds whatever a reader sends.
pub(crate) fn run(data: &[u8]) {
    let [framing, size, stream @ ..] = data else { return };
    let mut framings = Framing::WORDS.into_iter().map(|(_, framing)| framing).cycle();
    let framing = framings.nth(usize::from(*framing)).unwrap_or_default();
    let size = usize::from(*size).max(1);

    // The pieces that the stream comes in do not matter.
    let whole = scans(framing, [stream].into_iter());
    assert_eq!(whole, scans(framing, stream.chunks(size)), "{framing:?} in pieces of {size}");

    // No scan is longer than it may be, and nothing is made up: all scans together are no longer than the stream.
    let lengths: Vec<usize> = whole.iter().map(length).collect();
    assert!(lengths.iter().all(|length| *length <= SCAN_BYTES_MAX));
    assert!(lengths.iter().sum::<usize>() <= stream.len());

    for decoded in &whole {
        if let Decoded::Scan(scan) = decoded {
            judge(scan);
        }
    }
    for track in 1..=3 {
        judge(&RawScan { data: stream.to_vec(), origin: Origin::Track(track) });
    }
}

fn scans<'a>(framing: Framing, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Decoded> {
    let (mut serial, mut out) = (Serial::new(framing, IDLE_GAP), Vec::new());
    for piece in pieces {
        serial.push(piece, Duration::ZERO, &mut out);
    }
    if let Some(at) = serial.deadline() {
        serial.on_deadline(at, &mut out);
    }
    assert_eq!(serial.deadline(), None, "between scans nothing is due");
    out
}

fn length(decoded: &Decoded) -> usize {
    match decoded {
        Decoded::Scan(scan) => scan.data.len(),
        Decoded::Rejected(_) => 0,
    }
}

/// What `classify` says agrees with what its parts say.
fn judge(scan: &RawScan) {
    let reading = classify(scan, &Rules::default());
    match &reading {
        Err(why) => assert_eq!(*why, Rejection::PaymentCard, "the only refusal that is decided here"),
        Ok(reading) => {
            assert!(scan.data.ends_with(&reading.data), "only an identifier in front is taken off");
            match &reading.kind {
                // A card's key, rendered again, is the same card.
                ReadingKind::Card(key) => {
                    let ours = Programme::default();
                    assert_eq!(parse(key.letters(ours).reveal().as_bytes(), ours), Parsed::Valid(*key));
                    assert_eq!(parse(key.digits().reveal().as_bytes(), ours), Parsed::Valid(*key));
                }
                ReadingKind::Damaged { proposals, .. } => assert!(proposals.len() <= 1),
                ReadingKind::Alias(alias) => assert!(gs1::check_digit_ok(alias.code.as_bytes())),
                ReadingKind::Other => {}
            }
        }
    }
    // Neither a refusal nor what is printed of a reading holds a digit of the data.
    let shown = format!("{scan:?} {reading:?}");
    let longest =
        scan.data.split(|byte| !byte.is_ascii_digit()).max_by_key(|run| run.len()).unwrap_or_default();
    if longest.len() >= 8 {
        assert!(!shown.contains(&String::from_utf8_lossy(longest).into_owned()), "digits are shown");
    }
    // Free text that is nothing but a refused number is refused as well.
    if reading.is_err() && scan.origin == Origin::Undeclared && scan.data.iter().all(u8::is_ascii_digit) {
        let text = String::from_utf8_lossy(&scan.data);
        assert!(payment::finds_card_number(&text), "a number refused at the reader but not in a note");
    }
}
