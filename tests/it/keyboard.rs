//! Readers that type: eight layouts typed by hand-written key presses, control characters, lost keys.
//!
//! Which key writes what is written down here from the layouts as they are printed on keyboards, not looked up in
//! the database that the decoder uses.

use crate::captures::{load, play, show};
use fichad::decode::Assemble;
use fichad::decode::keyboard::{IDLE_DEFAULT, Keyboard, Layout};
use fichad::device::keymap::{self, KeymapError};
use fichad::domain::scan::{Decoded, SCAN_BYTES_MAX};
use proptest::prelude::*;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

const EV_KEY: u16 = 1;
const CTRL: u16 = 29;
const SHIFT: u16 = 42;
const ALT: u16 = 56;
const ALT_GR: u16 = 100;
const ENTER: u16 = 28;

static US: LazyLock<Arc<Layout>> = LazyLock::new(|| layout("us"));

fn layout(name: &str) -> Arc<Layout> {
    Arc::new(keymap::load(name, "").unwrap_or_else(|error| panic!("{error}")))
}

/// The key at the place where a US keyboard has `place`.
fn key(place: char) -> u16 {
    let rows =
        [("1234567890-=", 2), ("qwertyuiop[]", 16), ("asdfghjkl;'`", 30), ("\\zxcvbnm,./", 43), (" ", 57)];
    let found = rows.into_iter().find_map(|(row, first)| {
        let at = row.chars().position(|key| key == place)?;
        u16::try_from(at).ok()?.checked_add(first)
    });
    found.unwrap_or_else(|| panic!("no key `{place}`"))
}

fn event(kind: u16, code: u16, value: i32) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &code.to_le_bytes(), &value.to_le_bytes()].concat()
}

pub(crate) fn press(code: u16, held: &[u16]) -> Vec<u8> {
    let down = held.iter().flat_map(|code| event(EV_KEY, *code, 1));
    let up = held.iter().flat_map(|code| event(EV_KEY, *code, 0));
    down.chain(event(EV_KEY, code, 1)).chain(event(0, 0, 0)).chain(event(EV_KEY, code, 0)).chain(up).collect()
}

/// Presses keys by their US places: `a`, `S-a` with Shift, `G-a` with AltGr, `C-a` with Ctrl; `_` is the space bar.
fn keys(script: &str) -> Vec<u8> {
    let one = |word: &str| {
        let (held, place) = match word.split_once('-').filter(|(_, place)| !place.is_empty()) {
            Some((held, place)) => (held, place),
            None => ("", word),
        };
        let held: Vec<u16> = held
            .chars()
            .map(|held| match held {
                'S' => SHIFT,
                'G' => ALT_GR,
                'C' => CTRL,
                'A' => ALT,
                other => panic!("no modifier `{other}`"),
            })
            .collect();
        let place = place.chars().next().unwrap();
        press(key(if place == '_' { ' ' } else { place }), &held)
    };
    script.split_whitespace().flat_map(one).collect()
}

fn decode(keyboard: &mut Keyboard, bytes: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    keyboard.push(bytes, Duration::ZERO, &mut out);
    if let Some(at) = keyboard.deadline() {
        keyboard.on_deadline(at, &mut out);
    }
    out.iter().map(show).collect()
}

#[track_caller]
fn check_layout(name: &str, script: &str, want: &str) {
    let mut keyboard = Keyboard::new(layout(name), IDLE_DEFAULT);
    let bytes = [keys(script), press(ENTER, &[])].concat();
    assert_eq!(decode(&mut keyboard, &bytes), [format!("- {want}")], "{name}");
}

const TEXT: &str = "Aa09%;?=+^\"@-_/:";

#[test]
fn us() {
    check_layout("us", "S-a a 0 9 S-5 ; S-/ = S-= S-6 S-' S-2 - S-- / S-;", TEXT);
    check_layout(
        "us",
        "S-[ ] S-] \\ S-\\ ` S-` S-1 S-3 S-4 S-7 S-8 S-9 S-0 , S-, . S-. _",
        "{]}\\|`~!#$&*(),<.> ",
    );
}

#[test]
fn gb() {
    check_layout("gb", "S-a a 0 9 S-5 ; S-/ = S-= S-6 S-2 S-' - S-- / S-;", TEXT);
    check_layout("gb", "\\ S-3", "#£");
}

#[test]
fn de() {
    check_layout("de", "S-a a 0 9 S-5 S-, S-- S-0 ] ` _ S-2 G-q / S-/ S-7 S-.", TEXT);
    check_layout("de", "z y S-z S-y ; ' [ - G-8 G-9 G-] G-e \\", "yzYZöäüß[]~€#");
    check_layout("de", "= e = a S-= o", "éáò");
}

#[test]
fn fr() {
    check_layout("fr", "S-q q S-0 S-9 S-' , S-m = S-= [ _ 3 G-0 6 8 S-. .", TEXT);
    let digits = "S-1 S-2 S-3 S-4 S-5 S-6 S-7 S-8 S-9 S-0";
    check_layout("fr", digits, "1234567890");
    check_layout("fr", "1 2 4 5 7 9 0 w ; z [ e S-[ i G-9", "&é'(èçàzmwêï^");
}

#[test]
fn es() {
    check_layout("es", "S-a a 0 9 S-5 S-, S-- S-0 ] S-[ _ S-2 G-2 / S-/ S-7 S-.", TEXT);
    check_layout("es", "; S-; ' a S-' u [ e S-= -", "ñÑáüè¿'");
}

#[test]
fn it() {
    check_layout("it", "S-a a 0 9 S-5 S-, S-- S-0 ] S-= S-2 G-; / S-/ S-7 S-.", TEXT);
    check_layout("it", "[ ' ; \\ = G-[ G-]", "èàòùì[]");
}

#[test]
fn pt() {
    check_layout("pt", "S-a a 0 9 S-5 S-, S-- S-0 [ S-\\ _ S-2 G-2 / S-/ S-7 S-.", TEXT);
    check_layout("pt", "; ] a \\ o S-\\ e S-[", "çáõê*");
}

#[test]
fn tr() {
    check_layout("tr", "S-a a 0 9 S-5 S-\\ S-- S-0 S-4 S-3 ` G-q = S-= S-7 S-/", TEXT);
    check_layout("tr", "i S-i ' S-' [ ] ; , . \\ /", "ıIiİğüşöç,.");
}

#[test]
fn alt_gr_as_windows_has_it() {
    check_layout("de", "CA-q CA-9", "@]");
}

#[test]
fn an_accent_before_a_letter_that_does_not_take_it_stands_alone() {
    check_layout("de", "` x", "^x");
    let mut keyboard = Keyboard::new(layout("de"), IDLE_DEFAULT);
    let dangling = [keys("a `"), press(ENTER, &[])].concat();
    assert_eq!(decode(&mut keyboard, &dangling), ["! unknown_key"]);
}

#[test]
fn unknown_layouts_and_a_missing_database_are_told() {
    for (name, variant) in [("xq", ""), ("us", "nonsuch"), ("", ""), ("us,de", ""), ("../us", "")] {
        let found = keymap::load(name, variant);
        assert!(matches!(found, Err(KeymapError::Unknown { .. })), "{name} {variant}: {found:?}");
    }
    let missing = keymap::load_from(Path::new("/nowhere"), "us", "").unwrap_err();
    assert!(missing.to_string().contains("apt-get install xkb-data"), "{missing}");
    let dvorak = keymap::load("us", "dvorak").unwrap();
    let mut keyboard = Keyboard::new(Arc::new(dvorak), IDLE_DEFAULT);
    assert_eq!(decode(&mut keyboard, &keys("a s d f")), ["- aoeu"]);
}

#[track_caller]
fn check(capture: &str, want: &[&str]) {
    let capture = load(&format!("keyboard/{capture}"));
    let mut keyboard = Keyboard::new(layout(capture.get("layout")), IDLE_DEFAULT);
    assert_eq!(play(&capture, &mut keyboard), want);
}

#[test]
fn enter_and_tab_end_a_scan() {
    check("zebra-enter", &["- 4006381333931"]);
    check("datalogic-tab", &["- PALLET-0042"]);
}

#[test]
fn silence_ends_a_scan_without_suffix() {
    check("no-suffix", &["- 4006381333931", "- PALLET-0042"]);
}

#[test]
fn group_separators_come_as_ctrl_or_as_alt_digits() {
    check("gs1-ctrl-bracket", &["- ]C18018123456789012345675\u{1d}8019123"]);
    check("gs1-alt-keypad", &["- 8018123456789012345675\u{1d}8019123"]);
}

#[test]
fn ctrl_bracket_is_found_by_place_where_the_layout_has_no_bracket_there() {
    for name in ["de", "fr", "es", "it", "pt", "tr", "gb"] {
        let mut keyboard = Keyboard::new(layout(name), IDLE_DEFAULT);
        assert_eq!(decode(&mut keyboard, &keys("C-]")), ["- \u{1d}"], "{name}");
    }
}

#[test]
fn a_typing_magnetic_stripe_reader_gives_tracks() {
    let want = ["T1 MEMBER^ANNA EXAMPLE^0042", "T2 1234567890123456789012345678", "T3 0042=7"];
    check("magtek-typed", &want);
}

#[test]
fn lost_keys_spoil_one_scan_only() {
    check("keys-lost", &["! keys_lost", "- 4006381333931"]);
}

fn us_keyboard() -> Keyboard {
    Keyboard::new(US.clone(), IDLE_DEFAULT)
}

#[test]
fn modifiers_held_when_keys_were_lost_are_let_go() {
    let lost = [event(EV_KEY, SHIFT, 1), keys("a"), event(0, 3, 0), event(EV_KEY, SHIFT, 0), event(0, 0, 0)];
    let bytes = [lost.concat(), press(ENTER, &[]), keys("a")].concat();
    assert_eq!(decode(&mut us_keyboard(), &bytes), ["! keys_lost", "- a"]);
}

#[test]
fn caps_lock_turns_letters_only() {
    let bytes = [press(58, &[]), keys("a S-a 1 S-1"), press(58, &[]), keys("a")].concat();
    assert_eq!(decode(&mut us_keyboard(), &bytes), ["- Aa1!a"]);
    let by_light = [event(0x11, 1, 1), keys("a"), event(0x11, 1, 0), keys("a")].concat();
    assert_eq!(decode(&mut us_keyboard(), &by_light), ["- Aa"]);
}

#[test]
fn keypad_digits_are_digits() {
    let codes = [82, 79, 80, 81, 75, 76, 77, 71, 72, 73];
    let bytes: Vec<u8> = codes.iter().flat_map(|code| press(*code, &[])).collect();
    let bytes = [bytes, press(96, &[])].concat();
    assert_eq!(decode(&mut us_keyboard(), &bytes), ["- 0123456789"]);
}

#[test]
fn alt_codes_are_windows_1252() {
    let alt = |digits: &[u16]| {
        let typed = digits.iter().flat_map(|code| press(*code, &[]));
        event(EV_KEY, ALT, 1).into_iter().chain(typed).chain(event(EV_KEY, ALT, 0)).collect::<Vec<u8>>()
    };
    // 0233, 0128, 29
    let bytes = [alt(&[82, 80, 81, 81]), alt(&[82, 79, 80, 72]), alt(&[80, 73])].concat();
    assert_eq!(decode(&mut us_keyboard(), &bytes), ["- é€\u{1d}"]);
}

#[test]
fn a_key_without_a_character_spoils_the_scan() {
    let f1 = press(59, &[]);
    let bytes = [keys("1 2"), f1, keys("3"), press(ENTER, &[]), keys("4")].concat();
    assert_eq!(decode(&mut us_keyboard(), &bytes), ["! unknown_key", "- 4"]);
    assert_eq!(decode(&mut us_keyboard(), &keys("1 A-f 2")), ["! unknown_key"], "a shortcut is no text");
}

#[test]
fn a_stuck_key_writes_once_and_holds_nothing_open() {
    let mut keyboard = us_keyboard();
    let mut out = Vec::new();
    keyboard.push(&event(EV_KEY, key('a'), 1), Duration::ZERO, &mut out);
    let deadline = keyboard.deadline();
    for ms in 0..5000 {
        keyboard.push(&event(EV_KEY, key('a'), 2), Duration::from_millis(ms), &mut out);
    }
    assert_eq!(keyboard.deadline(), deadline);
    keyboard.on_deadline(deadline.unwrap(), &mut out);
    assert_eq!(out.iter().map(show).collect::<Vec<_>>(), ["- a"]);
}

#[test]
fn a_scan_over_the_limit_is_rejected_and_costs_no_memory() {
    let mut keyboard = us_keyboard();
    let typed = press(key('a'), &[]).repeat(SCAN_BYTES_MAX + 1);
    assert_eq!(decode(&mut keyboard, &typed), ["! too_long"]);
    let typed = press(key('a'), &[]).repeat(SCAN_BYTES_MAX);
    assert_eq!(decode(&mut keyboard, &typed)[0].len(), SCAN_BYTES_MAX + 2);
}

#[test]
fn a_swipe_torn_by_a_pause_is_rejected_whole() {
    let mut keyboard = us_keyboard();
    assert_eq!(decode(&mut keyboard, &keys("; 1 2 3 4 5 6 7 8 9")), ["! not_decoded"]);
    assert_eq!(
        decode(&mut keyboard, &[keys("1 2 = 3 4 S-/"), press(ENTER, &[])].concat()),
        ["! not_decoded"]
    );
}

#[test]
fn a_scan_under_way_is_not_shown() {
    let mut keyboard = us_keyboard();
    keyboard.push(&keys("s e c r e t 5 5 5"), Duration::ZERO, &mut Vec::new());
    // The layout holds every letter, so the whole is searched for the word only.
    let shown = format!("{keyboard:?}");
    assert!(!shown.contains("secret") && shown.contains("9 bytes"));
}

#[test]
fn enter_alone_is_nothing() {
    assert!(decode(&mut us_keyboard(), &press(ENTER, &[])).is_empty());
}

#[test]
fn a_table_finds_the_key_that_it_reads() {
    for name in ["us", "gb", "de", "fr", "es", "it", "pt", "tr"] {
        let layout = layout(name);
        for wanted in "Aa0z%;=+\"@-_/:".chars() {
            let (code, level) = layout.key_for(wanted).unwrap_or_else(|| panic!("{name} {wanted}"));
            let mut held = Vec::new();
            held.extend(level.shift.then_some(SHIFT));
            held.extend(level.alt_gr.then_some(ALT_GR));
            let mut keyboard = Keyboard::new(layout.clone(), IDLE_DEFAULT);
            assert_eq!(decode(&mut keyboard, &press(code, &held)), [format!("- {wanted}")], "{name}");
        }
    }
}

proptest! {
    /// Whatever comes, the decoder stays within its limits and ends when it is told to.
    #[test]
    fn random_events_are_harmless(events in prop::collection::vec((0_u16..3, 0_u16..130, -1_i32..4), 0..300)) {
        let mut keyboard = us_keyboard();
        let mut out = Vec::new();
        for (at, (kind, code, value)) in (0..).zip(events) {
            keyboard.push(&event(kind, code, value), Duration::from_millis(at), &mut out);
        }
        keyboard.push(&[1, 0, 30], Duration::from_secs(9), &mut out);
        if let Some(at) = keyboard.deadline() {
            keyboard.on_deadline(at, &mut out);
        }
        prop_assert_eq!(keyboard.deadline(), None);
        let empty = |decoded: &Decoded| matches!(decoded, Decoded::Scan(scan) if scan.data.is_empty());
        prop_assert!(!out.iter().any(empty));
    }
}
