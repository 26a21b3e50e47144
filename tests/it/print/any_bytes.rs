//! What printers and lines can do at their worst.

use crate::fuzz::escpos;
use fichad::print::reply::{Reply, ReplyParser};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn replies_of_any_bytes(data: Vec<u8>) {
        escpos::replies(&data);
    }

    #[test]
    fn paper_of_any_bytes(data in proptest::collection::vec(
        prop_oneof![Just(0x10_u8), Just(0x1b), Just(0x1d), Just(b'('), Just(b'k'), Just(b'v'), Just(b'0'), 0..6_u8, any::<u8>()],
        0..300,
    )) {
        escpos::paper(&data);
    }

    #[test]
    fn queue_of_any_printer(data in proptest::collection::vec(
        prop_oneof![0..4_u8, Just(0x12), Just(0x10), Just(0x00), Just(0x37), Just(0x1a), any::<u8>()],
        0..300,
    )) {
        escpos::queue(&data);
    }

}

/// What a printer sends back while a card goes through it.
#[test]
fn a_captured_printer_says_that_the_card_is_printed() {
    let mut parser = ReplyParser::default();
    let capture = crate::captures::load("printer/epson-tm-card");
    let replies: Vec<Reply> = capture.reads.iter().flat_map(|(_, bytes)| parser.push(bytes)).collect();
    let wanted = [
        Reply::Status(0x12),
        Reply::Status(0x12),
        Reply::Status(0x12),
        Reply::Auto([0x14, 0, 0, 0x0f]),
        Reply::Text(b"TM-T20II".to_vec()),
        Reply::QrSize { printable: true },
        Reply::ProcessId(*b"0042"),
        Reply::Sensor(0),
    ];
    assert_eq!(replies, wanted);
}
