//! Magnetic stripe readers: reports, bit streams, typed tracks.

use crate::captures::{load, play};
use fichad::decode::hid::Descriptor;
use fichad::decode::magstripe::{Swipe, decode_track, is_piece_of_track, split_tracks, strip_sentinels};
use fichad::domain::scan::Rejection;
use proptest::prelude::*;

const T1: &str = "T1 MEMBER^ANNA EXAMPLE^0042";
const T2: &str = "T2 1234567890123456789012345678";

#[track_caller]
fn check(capture: &str, want: &[&str]) {
    let capture = load(&format!("msr/{capture}"));
    let mut swipe = Swipe::new(&Descriptor::parse(&capture.descriptor()).unwrap()).unwrap();
    assert_eq!(swipe.read_bytes_max(), capture.reads[0].1.len());
    assert_eq!(play(&capture, &mut swipe), want);
}

#[test]
fn magtek_gives_each_track_without_sentinels_and_ignores_what_lies_behind_it() {
    check("magtek-three-tracks", &[T1, T2, "T3 0042=7"]);
}

#[test]
fn a_worn_track_beside_a_good_one_is_not_told() {
    check("magtek-track-2-only", &[T2]);
}

#[test]
fn field_sizes_come_from_the_descriptor() {
    check("magtek-112-byte-tracks", &[T2]);
}

#[test]
fn a_swipe_without_any_track_is_rejected_once() {
    check("magtek-nothing-decoded", &["! not_decoded", "! not_decoded"]);
}

#[test]
fn idtech_packs_all_tracks_into_one_field() {
    check("idtech-minimag", &[T1, T2, "T3 0042=7"]);
}

#[test]
fn raw_bits_read_either_way() {
    check("bits-forwards", &[T1, T2, "T3 0042=7"]);
    check("bits-backwards", &[T1, T2, "T3 0042=7"]);
}

#[test]
fn raw_bits_with_a_fault_are_rejected_with_the_reason() {
    check("bits-damaged", &["! bad_parity", "! bad_lrc"]);
}

/// Writes a track as a card has it: `text` with sentinels, then the LRC, zeros around.
pub(crate) fn encode(text: &[u8], data_bits: u32, base: u8, lead: usize) -> Vec<bool> {
    let lrc = text.iter().fold(0, |lrc, byte| lrc ^ byte.wrapping_sub(base));
    let mut bits = vec![false; lead];
    for value in text.iter().map(|byte| byte.wrapping_sub(base)).chain([lrc]) {
        bits.extend((0..data_bits).map(|bit| value >> bit & 1 == 1));
        bits.push(value.count_ones() % 2 == 0);
    }
    bits.extend([false; 17]);
    bits
}

pub(crate) fn pack(bits: &[bool]) -> Vec<u8> {
    let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
    bits.chunks(8).map(byte).collect()
}

fn track_text(track: u8) -> BoxedStrategy<String> {
    match track {
        // ISO/IEC 7813: the format code is a letter. `\` there would be the end sentinel from the other side.
        1 => "[A-Z][ -$&->@-\\]_]{0,75}".boxed(),
        2 => "[0-9:<=>]{1,37}".boxed(),
        _ => "[0-9:<=>]{1,104}".boxed(),
    }
}

proptest! {
    #[test]
    fn tracks_round_trip_either_way(
        (track, text) in (1_u8..=3).prop_flat_map(|track| (Just(track), track_text(track))),
        lead in 0_usize..40, backwards: bool,
    ) {
        let start = if track == 1 { '%' } else { ';' };
        let (data_bits, base) = if track == 1 { (6, 0x20) } else { (4, 0x30) };
        let mut bits = encode(format!("{start}{text}?").as_bytes(), data_bits, base, lead);
        if backwards {
            bits.reverse();
        }
        prop_assert_eq!(decode_track(&pack(&bits), track), Ok(Some(text.into_bytes())));
    }

    /// One bit turned anywhere is never taken for other data.
    #[test]
    fn one_wrong_bit_never_gives_another_card(text in "[0-9=]{4,37}", at: prop::sample::Index) {
        let mut bits = encode(format!(";{text}?").as_bytes(), 4, 0x30, 12);
        let at = at.get_mut(&mut bits);
        *at = !*at;
        if let Ok(Some(read)) = decode_track(&pack(&bits), 2) {
            prop_assert_eq!(String::from_utf8_lossy(&read), text);
        }
    }

    #[test]
    fn random_bits_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..120), track in 0_u8..5) {
        if let Ok(Some(text)) = decode_track(&bytes, track) {
            prop_assert!(text.len() < bytes.len().saturating_mul(2));
        }
    }

    #[test]
    fn random_text_splits_into_itself_or_not_at_all(text in "[%;+?E0-9A \r\n]{0,40}") {
        if let Some(tracks) = split_tracks(text.as_bytes()) {
            prop_assert!(tracks.is_sorted_by(|one, other| one.track < other.track));
            prop_assert!(tracks.iter().all(|track| track.data.is_none_or(|data| !data.contains(&b'?'))));
        }
    }
}

/// Both directions have sentinels, parity and LRC in order, and neither is more likely than the other.
#[test]
fn a_track_that_is_another_one_from_the_other_side_is_neither() {
    let text = r"\+_7R$L+(_8E!/J8#5<HJE7M'#ZO</$3Y=5";
    let mut bits = encode(format!("%{text}?").as_bytes(), 6, 0x20, 0);
    assert_eq!(decode_track(&pack(&bits), 1), Err(Rejection::NotDecoded));
    bits.reverse();
    assert_eq!(decode_track(&pack(&bits), 1), Err(Rejection::NotDecoded));
}

#[test]
fn track_3_may_have_the_alphabet_of_track_1() {
    let bits = encode(b"%DL ANNA?", 6, 0x20, 8);
    assert_eq!(decode_track(&pack(&bits), 3), Ok(Some(b"DL ANNA".to_vec())));
    assert_ne!(decode_track(&pack(&bits), 2), Ok(Some(b"DL ANNA".to_vec())));
}

#[test]
fn nothing_on_a_track_is_no_error() {
    assert_eq!(decode_track(&[], 1), Ok(None));
    assert_eq!(decode_track(&[0; 40], 2), Ok(None));
    assert_eq!(decode_track(&pack(&encode(b";?", 4, 0x30, 9)), 2), Ok(None), "sentinels and nothing between");
    assert_eq!(decode_track(&[0x80, 0x01], 2), Err(Rejection::NotDecoded));
}

#[test]
fn typed_tracks_are_told_by_their_form() {
    let split = |text: &str| {
        let tracks = split_tracks(text.as_bytes())?;
        let show = |track: &fichad::decode::magstripe::TrackText<'_>| {
            let data = track.data.map_or("unread".into(), String::from_utf8_lossy);
            format!("{} {data}", track.track)
        };
        Some(tracks.iter().map(show).collect::<Vec<_>>())
    };
    for (text, want) in [
        ("%A B?;12=3?+45?", &["1 A B", "2 12=3", "3 45"][..]),
        ("%A B?;12=3?;45?", &["1 A B", "2 12=3", "3 45"]),
        ("%A B?\r\n;12=3?\r\n", &["1 A B", "2 12=3"]),
        (";12=3?", &["2 12=3"]),
        ("+45?", &["3 45"]),
        ("%?;12?", &["2 12"]),
        ("%E?;12?+E?", &["1 unread", "2 12", "3 unread"]),
        ("%?;?", &[]),
    ] {
        let want: Vec<String> = want.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(split(text), Some(want), "{text}");
    }
    for text in ["", "4006381333931", "%50 OFF", "%a?", ";12?x", ";AB?", "+45?;12?", "what?", "%A?%B?"] {
        assert_eq!(split(text), None, "{text}");
    }
    assert_eq!(split(&format!(";{}?", "1".repeat(38))), None, "longer than a track");
}

#[test]
fn pieces_of_a_track_are_not_text() {
    for piece in [";12345678", "%b12345678^ANNA", "12=34?", "ANNA^0042?", "5678?\r", ";1234567890=12"] {
        assert!(is_piece_of_track(piece.as_bytes()), "{piece}");
    }
    for text in [
        "",
        "?",
        "4006381333931",
        "+A123BJC5D6E71",
        ";1234567",
        "%50 OFF",
        "what?",
        "https://a/01/1?17=2",
        "a^b?",
        "%AB12345678",
    ] {
        assert!(!is_piece_of_track(text.as_bytes()), "{text}");
    }
}

#[test]
fn nothing_shows_what_it_read() {
    let capture = load("msr/magtek-three-tracks");
    let swipe = Swipe::new(&Descriptor::parse(&capture.descriptor()).unwrap()).unwrap();
    let tracks = split_tracks(b"%SECRET?;5554443?").unwrap();
    let shown = format!("{swipe:?} {tracks:?}");
    assert!(!shown.contains("SECRET") && !shown.contains("555"), "{shown}");
}

#[test]
fn sentinels_must_be_there() {
    assert_eq!(strip_sentinels(b";12?"), Some(Some(&b"12"[..])));
    assert_eq!(strip_sentinels(b";E?\r"), Some(None));
    assert_eq!(strip_sentinels(b"12?"), None);
    assert_eq!(strip_sentinels(b";12"), None);
    assert_eq!(strip_sentinels(b""), None);
}
