//! Typing a product: what is typed reads back, and nothing but text is ever typed.

use crate::captures::show;
use fichad::decode::Assemble;
use fichad::decode::keyboard::{IDLE_DEFAULT, Keyboard, Layout};
use fichad::decode::magstripe::{is_piece_of_track, split_tracks};
use fichad::device::keymap;
use fichad::device::typist::{CHARS_MAX, Settings, Suffix, TypeError, strokes};
use fichad::domain::settings::Keys;
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

static LAYOUTS: LazyLock<Vec<Arc<Layout>>> = LazyLock::new(|| {
    let load = |name: &&str| Arc::new(keymap::load(name, "").unwrap_or_else(|error| panic!("{error}")));
    ["us", "gb", "de", "fr", "es", "it", "pt", "tr"].iter().map(load).collect()
});

fn typed(layout: &Arc<Layout>, text: &str, suffix: Suffix) -> Result<Vec<String>, TypeError> {
    let mut keyboard = Keyboard::new(layout.clone(), IDLE_DEFAULT);
    let mut out = Vec::new();
    for (code, value) in
        strokes(text.as_bytes(), suffix, layout)?.into_iter().flat_map(|stroke| stroke.events())
    {
        let event = [&1_u16.to_le_bytes()[..], &code.to_le_bytes(), &value.to_le_bytes()].concat();
        keyboard.push(&event, Duration::ZERO, &mut out);
    }
    if suffix == Suffix::None {
        keyboard.on_deadline(IDLE_DEFAULT, &mut out);
    }
    assert_eq!(keyboard.deadline(), None, "the suffix ends it");
    Ok(out.iter().map(show).collect())
}

#[test]
fn products_read_back_on_every_layout() {
    for layout in LAYOUTS.iter() {
        for suffix in [Suffix::None, Suffix::Enter, Suffix::Tab] {
            assert_eq!(typed(layout, "4006381333931", suffix).unwrap(), ["- 4006381333931"]);
            assert_eq!(typed(layout, "PALLET-0042/b", suffix).unwrap(), ["- PALLET-0042/b"]);
        }
    }
}

#[test]
fn what_is_no_text_is_not_typed() {
    let us = &LAYOUTS[0];
    for bad in ["", "12\u{1d}34", "\u{1b}[A", "a\n", "\u{7f}", "\u{9b}2J"] {
        assert!(matches!(typed(us, bad, Suffix::Enter), Err(TypeError::NotPrintable)), "{bad:?}");
    }
    assert!(matches!(strokes(&[0xff], Suffix::Enter, us), Err(TypeError::NotPrintable)));
    assert!(matches!(typed(us, "日本", Suffix::Enter), Err(TypeError::NoKey)));
    assert!(matches!(typed(us, &"1".repeat(CHARS_MAX + 1), Suffix::Enter), Err(TypeError::TooLong)));
    assert!(typed(us, &"1".repeat(CHARS_MAX), Suffix::Enter).is_ok());
}

#[test]
fn settings_have_defaults_and_name_mistakes() {
    let read = |text: &str| {
        let mut mistakes = Vec::new();
        let mut keys = Keys::new("typist", text.parse().unwrap(), &mut mistakes);
        let settings = Settings::read(&mut keys);
        keys.done();
        (settings, mistakes.into_iter().map(|mistake| mistake.key).collect::<Vec<_>>())
    };
    assert_eq!(read(""), (Settings::default(), vec![]));
    let (settings, mistakes) = read("layout = 'de'\nsuffix = 'tab'\nvariant = 1\n");
    assert_eq!((settings.layout.as_str(), settings.suffix), ("de", Suffix::Tab));
    assert_eq!(mistakes, ["typist.variant"]);
}

proptest! {
    #[test]
    fn any_ascii_text_reads_back_or_is_refused(text in "[ -~]{1,40}", layout in 0_usize..8) {
        match typed(&LAYOUTS[layout], &text, Suffix::Enter) {
            Ok(read) => {
                // Text in the form of a magnetic track reads back as tracks.
                let track = split_tracks(text.as_bytes()).is_some() || is_piece_of_track(text.as_bytes());
                prop_assert!(track || read == [format!("- {text}")], "{read:?}");
            }
            Err(error) => prop_assert!(matches!(error, TypeError::NoKey)),
        }
    }
}
