//! What holds of every line, whatever is in it.

use crate::fuzz::wire::{one_line, run};
use fichad::domain::refusal::Refusal;
use fichad::push::wire;
use proptest::prelude::*;

/// Something that is nearly a request, more often than random bytes are.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just("\"jsonrpc\":\"2.0\""),
        Just("\"id\":1"),
        Just("\"id\":null"),
        Just("\"method\":\"ack\""),
        Just("\"method\":\"subscribe\""),
        Just("\"params\":{\"seq\":1}"),
        Just("\"params\":{\"after\":{}}"),
        Just("{"),
        Just("}"),
        Just("["),
        Just("\\u0000"),
        Just("\u{1d}"),
    ];
    let words = proptest::collection::vec(word, 0..6).prop_map(|words| words.join(","));
    prop_oneof![
        words.clone().prop_map(|text| format!("{{{text}}}").into_bytes()),
        words.prop_map(String::into_bytes)
    ]
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        run(&bytes);
    }

    #[test]
    fn any_text(text in "\\PC{0,40}[\\x00-\\x7f]{0,10}") {
        run(text.as_bytes());
    }

    #[test]
    fn nearly_a_request(bytes in nearly()) {
        run(&bytes);
    }

    #[test]
    fn a_refusal_is_read_as_it_was_written(message in "\\PC*", field in "\\PC*") {
        let line = wire::refusal(None, &Refusal::field(field.clone(), message.clone()));
        let got = one_line(&line);
        prop_assert_eq!((&got["error"]["message"], &got["error"]["data"]["field"]), (&message.into(), &field.into()));
    }
}
