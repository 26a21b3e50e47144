//! Where scans begin and end, in one read and in many.

#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

use super::*;
use proptest::prelude::*;

fn ms(ms: u64) -> Uptime {
    Duration::from_millis(ms)
}

fn said(out: &[Decoded]) -> Vec<String> {
    let word = |decoded: &Decoded| match decoded {
        Decoded::Scan(scan) => String::from_utf8_lossy(&scan.data).escape_default().to_string(),
        Decoded::Rejected(why) => format!("!{}", why.word()),
    };
    out.iter().map(word).collect()
}

/// Pushes the pieces 1 ms apart, then lets the last deadline pass.
#[track_caller]
fn check(framing: Framing, pieces: &[&[u8]], want: &[&str]) {
    let (mut serial, mut out) = (Serial::new(framing, IDLE_GAP), Vec::new());
    let mut now = ms(0);
    for piece in pieces {
        now += ms(1);
        serial.push(piece, now, &mut out);
    }
    if let Some(at) = serial.deadline() {
        serial.on_deadline(at - ms(1), &mut out);
        serial.on_deadline(at, &mut out);
    }
    assert_eq!(said(&out), want, "{framing:?} {pieces:?}");
    assert_eq!(serial.deadline(), None, "a deadline that has passed is gone");
}

#[test]
fn every_mark_ends_a_scan_once() {
    check(
        Framing::Auto,
        &[b"400638\r\n123\r456\n\x02789\r\x02AB\x03\r\n"],
        &["400638", "123", "456", "789", "AB"],
    );
    check(Framing::Cr, &[b"1\r\n2\r3\n\r"], &["1", "2", "3\\n"]);
    check(Framing::Lf, &[b"1\r\n2\n3\r4\n\n"], &["1", "2", "3\\r4"]);
    check(Framing::CrLf, &[b"1\r\n2\r3\n4\r\r\n\r\n"], &["1", "2\\r3\\n4\\r"]);
    check(Framing::StxEtx, &[b"noise\x021\r2\x03\r\n\x023\x03\x02\x03"], &["1\\r2", "3"]);
    check(Framing::LengthByte, &[b"\x03\r\n\x02\x00\x01A\x00"], &["\\r\\n\\u{2}", "A"]);
}

#[test]
fn cr_and_lf_in_two_reads_are_one_end() {
    for framing in [Framing::Auto, Framing::Cr, Framing::Lf, Framing::CrLf] {
        check(framing, &[b"12", b"3\r", b"\n", b"456\r", b"\n"], &["123", "456"]);
    }
}

#[test]
fn silence_ends_what_has_no_mark() {
    check(Framing::Silence, &[b"\x02A", b"B\r\n"], &["\\u{2}AB\\r\\n"]);
    check(Framing::Auto, &[b"A", b"B"], &["AB"]);
    let (mut serial, mut out) = (Serial::new(Framing::Silence, ms(30)), Vec::new());
    serial.push(b"1", ms(10), &mut out);
    serial.push(b"2", ms(39), &mut out);
    assert_eq!(serial.deadline(), Some(ms(69)), "every byte starts the silence anew");
}

#[test]
fn a_lost_end_is_no_scan() {
    check(Framing::Auto, &[b"\x0212"], &["!incomplete"]);
    check(Framing::Cr, &[b"12"], &["!incomplete"]);
    check(Framing::CrLf, &[b"12\r"], &["!incomplete"]);
    check(Framing::StxEtx, &[b"\x0212\x0234\x03"], &["!incomplete", "34"]);
    check(Framing::LengthByte, &[b"\x05ABC"], &["!incomplete"]);
    let (mut serial, mut out) = (Serial::new(Framing::LengthByte, IDLE_GAP), Vec::new());
    serial.push(b"\x05ABC", ms(0), &mut out);
    assert_eq!(serial.deadline(), Some(LOST_END_GAP));
    serial.on_deadline(LOST_END_GAP, &mut out);
    serial.push(b"\x02DE", ms(900), &mut out);
    assert_eq!(said(&out), ["!incomplete", "DE"], "the next byte begins a scan");
}

#[test]
fn too_long_is_rejected_once_and_the_next_scan_is_whole() {
    let long = vec![b'7'; SCAN_BYTES_MAX + 1];
    let ends: [(Framing, &[u8]); 5] = [
        (Framing::Auto, b"\r\n"),
        (Framing::Cr, b"\r\n"),
        (Framing::Lf, b"\n"),
        (Framing::CrLf, b"\r\n"),
        (Framing::StxEtx, b"\x03\r\n"),
    ];
    for (framing, end) in ends {
        let start: &[u8] = if framing == Framing::StxEtx { b"\x02" } else { b"" };
        check(framing, &[start, &long, &long, end, start, b"12", end], &["!too_long", "12"]);
        let fits = String::from_utf8(long[1..].to_vec()).unwrap();
        check(framing, &[start, fits.as_bytes(), end], &[&fits]);
    }
    check(Framing::Silence, &[&long, &long], &["!too_long"]);
    check(Framing::Cr, &[&long], &["!too_long"]);
}

fn framings() -> impl Strategy<Value = Framing> {
    proptest::sample::select(Framing::WORDS.map(|(_, framing)| framing).to_vec())
}

/// Bytes in which marks are common.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(CR), Just(LF), Just(STX), Just(ETX), any::<u8>(), b'0'..=b'9'];
    proptest::collection::vec(byte, 0..200)
}

proptest! {
    #[test]
    fn pieces_do_not_matter(framing in framings(), bytes in stream(), cuts in proptest::collection::vec(1usize..9, 1..60)) {
        let (mut whole, mut want) = (Serial::new(framing, IDLE_GAP), Vec::new());
        whole.push(&bytes, ms(0), &mut want);
        let (mut pieces, mut got) = (Serial::new(framing, IDLE_GAP), Vec::new());
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece, ms(0), &mut got);
            rest = after;
        }
        prop_assert_eq!(got, want);
        prop_assert_eq!(pieces.deadline(), whole.deadline());
    }
}
